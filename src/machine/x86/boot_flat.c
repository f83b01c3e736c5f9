/*
 * A boot sector or flat real-mode image, loaded and entered at 0000:7c00 as a BIOS does it from a
 * disk (BIOS Boot Specification 1.01, 6.5): boot drive in DL, interrupts off, A20 open. Longer
 * images are loaded whole, not only their first sector. There is no BIOS: INT 10h, 13h
 * and their like return with carry set (bios.c).
 */
#include <errno.h>

#include "isa/x86/mode.h"
#include "machine/x86/boot.h"

enum {
	FLAT_SECTOR = 512,
	FLAT_SIGNATURE = 510,
	FLAT_ENTRY = 0x7c00,
	FLAT_MAX = PC_EBDA - FLAT_ENTRY,
	FLAT_DRIVE = 0x80, /* the first fixed disk */
};

static bool recognize(const struct boot_blob *k)
{
	return k->len >= FLAT_SECTOR && load_le16(k->bytes + FLAT_SIGNATURE) == 0xaa55;
}

static void enter_real(struct machine *m)
{
	struct x86_cpu *cpu = &m->cpus[0];

	/* As reset left it, but for the code segment. */
	cpu->seg[X86_CS].sel = 0;
	cpu->seg[X86_CS].base = 0;
	cpu->cr0 = X86_CR0_ET; /* caches are on */
	cpu->rip = FLAT_ENTRY;
	cpu->gpr[X86_RSP] = FLAT_ENTRY;
	cpu->gpr[X86_RDX] = FLAT_DRIVE;
	lapic_virtual_wire(&m->lapic[0]);
	if (m->handover)
		m->handover(m);
	x86_mode_update(cpu);
}

static int boot(struct machine *m, const struct boot_config *b, struct error *err)
{
	int r;

	if (b->kernel.len > FLAT_MAX)
		return error_set(
			err, -EFBIG,
			"kernel %s: a boot sector of %zu KiB; at most %u KiB can be loaded",
			b->kernel.name, b->kernel.len >> 10, FLAT_MAX >> 10);
	if (b->initrd.len)
		return error_set(err, -EINVAL, "initrd %s: a boot sector takes none",
				 b->initrd.name);
	r = boot_load(m, FLAT_ENTRY, b->kernel.bytes, b->kernel.len, "the boot sector", err);
	if (!r)
		enter_real(m);
	return r;
}

const struct boot_protocol boot_protocol_flat = {"flat", recognize, boot};
