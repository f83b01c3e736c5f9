/* Boot protocols of x86 machines: one file and one row each. Private to machine/x86/. */
#ifndef MACHINE_X86_BOOT_H
#define MACHINE_X86_BOOT_H

#include "machine/elf.h"
#include "machine/x86/x86.h"

struct boot_protocol {
	const char *name;
	/* Is this kernel file for this protocol? Must not read past its end. */
	bool (*recognize)(const struct boot_blob *kernel);
	/* Place the images and set the boot CPU. The machine is freshly reset. 0 or -errno. */
	int (*boot)(struct machine *m, const struct boot_config *b, struct error *err);
};

extern const struct boot_protocol boot_protocol_flat;
extern const struct boot_protocol boot_protocol_linux;
extern const struct boot_protocol boot_protocol_multiboot;
extern const struct boot_protocol boot_protocol_multiboot2;
extern const struct boot_protocol boot_protocol_pvh;

/* What the loader puts into low memory; no kernel may lie over it. */
enum {
	BOOT_GDT = 0x6000,
	BOOT_PARAMS = 0x7000, /* what the protocol tells the kernel; a page */
	BOOT_PAGES = 0x9000,
	BOOT_PAGES_LEN = 0x6000,
	BOOT_INFO = 0x10000, /* Multiboot 2 information, with the command line in it */
	BOOT_INFO_LEN = 0x10000,
	BOOT_CMDLINE = 0x20000,
	BOOT_CMDLINE_MAX = 0x10000,
	BOOT_END = 0x30000,
};

/* boot_load.c: placing things in memory. */

enum { BOOT_E820_RAM = 1, BOOT_E820_RESERVED = 2, BOOT_E820_MAX = 8 };
struct boot_e820 {
	uint64_t base, len;
	uint32_t type;
};
/* The memory map; returns the number of entries, at most BOOT_E820_MAX. */
unsigned boot_e820(const struct machine *m, struct boot_e820 *out);

/* Copy to guest RAM, or say that `what` does not fit. */
int boot_load(struct machine *m, uint64_t gpa, const void *bytes, uint64_t len, const char *what,
	      struct error *err);

/* What was loaded of a kernel: guest-physical, [base, top). Starts as zeros. */
struct boot_loaded {
	uint64_t base, top;
};
/* Part of a kernel: len bytes and zeros up to mem_len. It must lie in RAM, clear of the loader's
 * own data and the tables below 1 MiB. *l grows around it. */
int boot_load_part(struct machine *m, const char *kernel, uint64_t gpa, const void *bytes,
		   uint64_t len, uint64_t mem_len, struct boot_loaded *l, struct error *err);
/* The loadable segments of an ELF file at their physical addresses: what is there of it. */
int boot_load_elf(struct machine *m, const char *kernel, const struct elf *e, struct boot_loaded *l,
		  struct error *err);
/* Then what was not there: len bytes of the file from offset at on. */
void boot_load_elf_piece(struct machine *m, const struct elf *e, uint64_t at, const uint8_t *bytes,
			 uint64_t len);

/* A Multiboot kernel that gives its own addresses, as four fields of its header: of the header, of
 * the start and end of what is loaded (0: the file's end) and of the zeros after it (0: none). */
int boot_load_addresses(struct machine *m, const struct boot_blob *kernel, uint64_t header_offset,
			const uint8_t fields[16], struct boot_loaded *l, struct error *err);

/* Place the initrd as high as possible below limit and above floor; *gpa 0 if there is none. */
int boot_load_initrd(struct machine *m, const struct boot_blob *initrd, uint64_t limit,
		     uint64_t floor, uint64_t *gpa, struct error *err);
/* A file's name without directories, as one word; returns its length, less than size. */
size_t boot_word(const char *name, char *out, size_t size);
/* The command line at BOOT_CMDLINE, at most max characters. program, if not NULL, becomes its
 * first word: the file's name without directories or blanks. */
int boot_load_cmdline(struct machine *m, const char *program, const char *cmdline, uint64_t max,
		      struct error *err);

/* boot_cpu.c: the boot CPU at entry, 32-bit protected mode without paging, or 64-bit mode with
 * the first 4 GiB mapped to themselves. Interrupts off. cs and ds are the selectors that the
 * protocol states. */
void boot_enter_protected(struct machine *m, uint64_t entry, uint16_t cs, uint16_t ds);
void boot_enter_long(struct machine *m, uint64_t entry, uint16_t cs, uint16_t ds);

#endif
