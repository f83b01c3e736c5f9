/* Boot protocols of the `pc` machine: one file and one row each. Private to machine/pc/. */
#ifndef MACHINE_PC_PC_BOOT_H
#define MACHINE_PC_PC_BOOT_H

#include "machine/pc/pc.h"

struct pc_protocol {
	const char *name;
	/* Is this kernel file for this protocol? Must not read past its end. */
	bool (*recognize)(const struct boot_blob *kernel);
	/* Place the images and set the boot CPU. The machine is freshly reset. 0 or -errno. */
	int (*boot)(struct machine *m, const struct boot_config *b, struct error *err);
};

extern const struct pc_protocol pc_protocol_flat;
extern const struct pc_protocol pc_protocol_linux;

/* What the loader puts into low memory. */
enum {
	PC_BOOT_GDT = 0x6000,
	PC_BOOT_PARAMS = 0x7000,
	PC_BOOT_PAGES = 0x9000,
	PC_BOOT_PAGES_LEN = 0x6000,
	PC_BOOT_CMDLINE = 0x20000,
	PC_BOOT_CMDLINE_MAX = 0x10000,
};

enum { PC_E820_RAM = 1, PC_E820_RESERVED = 2, PC_E820_MAX = 8 };
struct pc_e820 {
	uint64_t base, len;
	uint32_t type;
};
/* The memory map; returns the number of entries, at most PC_E820_MAX. */
unsigned pc_e820(const struct machine *m, struct pc_e820 *out);

/* Copy to guest RAM, or say that `what` does not fit. */
int pc_load(struct machine *m, uint64_t gpa, const void *bytes, uint64_t len, const char *what,
	    struct error *err);
/* Place the initrd as high as possible below limit and above floor; *gpa 0 if there is none. */
int pc_load_initrd(struct machine *m, const struct boot_blob *initrd, uint64_t limit, uint64_t floor,
		   uint64_t *gpa, struct error *err);

/* Boot CPU at entry: 32-bit protected mode without paging, or 64-bit mode with the first 4 GiB
 * mapped to themselves. Interrupts off. cs and ds are the selectors that the protocol states. */
void pc_enter_protected(struct machine *m, uint64_t entry, uint16_t cs, uint16_t ds);
void pc_enter_long(struct machine *m, uint64_t entry, uint16_t cs, uint16_t ds);

#endif
