/*
 * What all x86 machines are made of: CPUs with local APICs, an I/O APIC, RAM where a PC has it, the
 * boot protocols. A machine type has a struct that begins with this one. Private to machine/.
 */
#ifndef MACHINE_X86_X86_H
#define MACHINE_X86_X86_H

#include "device/ioapic.h"
#include "device/kvmclock.h"
#include "device/lapic.h"
#include "machine/machine.h"

/* Guest-physical layout. RAM is [0, low end) and [4 GiB, ...), less the hole for video memory. */
enum {
	PC_EBDA = 0x9fc00,  /* end of base memory */
	PC_VIDEO = 0xa0000, /* to PC_ROM: nothing, or a display */
	PC_ROM = 0xc0000,   /* to 1 MiB: RAM that holds tables */
	PC_ACPI = 0xe0000,  /* ACPI tables, RSDP first */
	PC_ACPI_END = 0xf0000,
	PC_ROM_END = 0x100000, /* the last 64 KiB hold what stands for a BIOS */
};
#define PC_LOW_END_MAX 0xc0000000ull /* RAM below 4 GiB ends here at the latest */
#define PC_HIGH	       0x100000000ull

/* Ports that software finds without being told. */
enum {
	PC_PORT_COM1 = 0x3f8,
	PC_PORT_COM2 = 0x2f8,
	PC_PORT_COM3 = 0x3e8,
	PC_PORT_COM4 = 0x2e8,
	PC_PORT_RESET = 0xcf9,
	PC_PORT_DEBUG_EXIT = 0xf4,
	PC_PORT_DEBUG_CONSOLE = 0xe9,
};

struct machine {
	struct machine_config cfg;
	struct x86_cpu *cpus;
	struct x86_platform platform;
	struct space memory, ports;
	uint8_t *ram;
	uint64_t low_end;  /* RAM below 4 GiB ends here */
	uint64_t high_end; /* 0 if there is none above */

	struct lapic_bus lapic_bus;
	struct lapic *lapic; /* one per CPU */
	struct ioapic ioapic;
	struct kvmclock kvmclock;

	/* of the machine type: what firmware would do, tables included, after a reset; and at the
	 * moment when the guest gets the CPU (may be NULL) */
	void (*firmware)(struct machine *m);
	void (*handover)(struct machine *m);
	unsigned uarts; /* for the BIOS data area */
};

/* x86.c: parts of creation, in this order. init takes RAM, makes empty spaces and wires the CPUs,
 * the APICs and kvmclock; *m is zeroed. clear undoes all, also of an init that failed. 0 or -errno
 * with err. */
int x86_machine_init(struct machine *m, const struct machine_config *cfg, struct x86_cpu *cpus,
		     struct error *err);
void x86_machine_clear(struct machine *m);
/* What devices call when the guest asks for it; opaque: the struct machine. */
void x86_reset_asked(void *machine);
void x86_poweroff_asked(void *machine);
void x86_debug_exit_asked(void *machine, uint32_t code);
/* RAM at its places, and the I/O APIC. 0 or -errno. */
int x86_machine_map(struct machine *m);
struct x86_mapping {
	const char *name;
	uint64_t base, len;
	const struct io_ops *ops;
	void *opaque;
};
int x86_map_all(struct space *s, const struct x86_mapping *t, unsigned n);
/* To their reset state: all that device, the machine's own, lists; then the CPUs. */
void x86_machine_reset(struct machine *m,
		       const struct device_desc *(*device)(struct machine *m, unsigned k,
							   void **state, const char **name));

/* For machine_desc.device: instances in a row. */
struct x86_part {
	const struct device_desc *desc; /* NULL: there is none here */
	void *state;
	const char *name;
};
/* Instance *k of n; NULL if there are no more than *k, which is then less by as many as there are.
 * So are those below. */
const struct device_desc *x86_part(const struct x86_part *t, unsigned n, unsigned *k, void **state,
				   const char **name);
/* Of n, then of the local APICs. */
const struct device_desc *x86_machine_part(struct machine *m, const struct x86_part *t, unsigned n,
					   unsigned *k, void **state, const char **name);
/* Of n that are its transport, then of a virtio device, its model and its queues. */
const struct device_desc *x86_virtio_part(struct virtio_device *d, const struct x86_part *t,
					  unsigned n, unsigned *k, void **state, const char **name);

/* machine_desc.memory */
struct space *x86_machine_memory(struct machine *m);

/* platform.c: what the CPUs ask of the machine. */
void platform_init(struct machine *m);
extern const struct lapic_cpu_ops platform_lapic_ops;

/* bios.c: interrupt vectors and the BIOS data area. */
void bios_build(struct machine *m);

/* boot.c: machine_desc.boot */
int x86_boot(struct machine *m, const struct boot_config *b, struct error *err);

#endif
