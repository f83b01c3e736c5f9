/* Reading ELF executables (32- and 64-bit, x86). Everything is checked against the file's length.
 */
#ifndef MACHINE_ELF_H
#define MACHINE_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf {
	const uint8_t *bytes;
	size_t len;   /* of the file */
	size_t there; /* of it at `bytes`: all, unless whoever opened it says otherwise */
	bool is64;
	uint16_t machine; /* ELF_EM_* */
	uint64_t entry;
	unsigned segments;
	uint64_t segment_offset;
	unsigned segment_size;
};

enum { ELF_EM_386 = 3, ELF_EM_X86_64 = 62, ELF_PT_LOAD = 1, ELF_PT_NOTE = 4 };

struct elf_segment {
	uint32_t type;
	uint64_t offset, paddr, vaddr, file_bytes, mem_bytes;
};

/* False unless it is a well-formed little-endian ELF executable header. */
bool elf_open(struct elf *e, const uint8_t *bytes, size_t len);
/* Segment n; false if it lies (in the file) outside it. */
bool elf_segment(const struct elf *e, unsigned n, struct elf_segment *out);
/* The entry point as a physical address: where its segment's vaddr holds it, moved to its paddr. */
uint64_t elf_entry_physical(const struct elf *e);

#endif
