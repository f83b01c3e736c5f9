/*
 * What a BIOS leaves in memory that kernels look at or step on: the BIOS data area and its
 * extension (base memory, serial ports), interrupt vectors, and a place to jump to for a reset.
 * There is no BIOS behind them: services answer "not supported" (AH 86h, carry set), exceptions
 * and hardware interrupts just return.
 */
#include <string.h>

#include "machine/x86/x86.h"

enum {
	BDA_COM = 0x400,
	BDA_EBDA_SEGMENT = 0x40e,
	BDA_EQUIPMENT = 0x410,
	BDA_BASE_KIB = 0x413,
	BDA_BYTES = 256,
	EQUIPMENT_FPU = 1 << 1,
	EQUIPMENT_MOUSE = 1 << 2,
	EQUIPMENT_SERIAL_SHIFT = 9,
	BIOS_SEGMENT = 0xf000,
	BIOS_IRET = 0xff53, /* where PCs have always had an IRET */
	BIOS_SERVICE = 0xff54,
	BIOS_RESET = 0xfff0, /* where systems jump to that reboot as they did on the first PC */
};

static bool is_service(unsigned vector)
{
	return vector >= 0x10 && (vector < 0x70 || vector > 0x77);
}

static void bios_vectors(struct machine *m)
{
	static const uint8_t code[] = {
		0xcf,			/* iret */
		0x55,			/* push bp */
		0x89, 0xe5,		/* mov bp, sp */
		0x80, 0x4e, 0x06, 0x01, /* or byte [bp+6], 1: carry of the caller's flags */
		0x5d,			/* pop bp */
		0xb4, 0x86,		/* mov ah, 86h */
		0xcf,			/* iret */
	};

	memcpy(m->ram + (BIOS_SEGMENT << 4) + BIOS_IRET, code, sizeof(code));
	for (unsigned v = 0; v < 256; v++) {
		store_le16(m->ram + 4 * v, is_service(v) ? BIOS_SERVICE : BIOS_IRET);
		store_le16(m->ram + 4 * v + 2, BIOS_SEGMENT);
	}
}

/* Linux goes there where ACPI is hardware-reduced and EFI is not. */
static void bios_reset(struct machine *m)
{
	static const uint8_t code[] = {
		0xba, 0xf9, 0x0c, /* mov dx, 0cf9h: the reset port */
		0xb0, 0x02,	  /* mov al, 2 */
		0xee,		  /* out dx, al */
		0xb0, 0x06,	  /* mov al, 6 */
		0xee,		  /* out dx, al */
		0xf4,		  /* hlt */
		0xeb, 0xfd,	  /* jmp to the hlt */
	};

	_Static_assert(PC_PORT_RESET == 0xcf9, "in the code");
	memcpy(m->ram + (BIOS_SEGMENT << 4) + BIOS_RESET, code, sizeof(code));
}

void bios_build(struct machine *m)
{
	static const uint16_t com[4] = {PC_PORT_COM1, PC_PORT_COM2, PC_PORT_COM3, PC_PORT_COM4};

	bios_vectors(m);
	bios_reset(m);
	memset(m->ram + BDA_COM, 0, BDA_BYTES);
	for (unsigned i = 0; i < m->uarts; i++)
		store_le16(m->ram + BDA_COM + 2 * i, com[i]);
	store_le16(m->ram + BDA_EBDA_SEGMENT, PC_EBDA >> 4);
	store_le16(m->ram + BDA_EQUIPMENT, (uint16_t)(EQUIPMENT_FPU | EQUIPMENT_MOUSE |
						      m->uarts << EQUIPMENT_SERIAL_SHIFT));
	store_le16(m->ram + BDA_BASE_KIB, PC_EBDA >> 10);
	memset(m->ram + PC_EBDA, 0, PC_VIDEO - PC_EBDA);
	m->ram[PC_EBDA] = (PC_VIDEO - PC_EBDA) >> 10; /* its length in KiB */
}
