#include "machine/elf.h"

#include <string.h>

#include "base/bits.h"

enum { ELF_EXEC = 2, ELF_DYN = 3 };

bool elf_open(struct elf *e, const uint8_t *bytes, size_t len)
{
	uint16_t type;

	if (len < 64 ||
	    memcmp(bytes,
		   "\x7f"
		   "ELF",
		   4) != 0 ||
	    bytes[5] != 1 || (bytes[4] != 1 && bytes[4] != 2))
		return false;
	*e = (struct elf){.bytes = bytes, .len = len, .there = len, .is64 = bytes[4] == 2};
	type = load_le16(bytes + 16);
	e->machine = load_le16(bytes + 18);
	e->entry = e->is64 ? load_le64(bytes + 24) : load_le32(bytes + 24);
	e->segment_offset = e->is64 ? load_le64(bytes + 32) : load_le32(bytes + 28);
	e->segment_size = load_le16(bytes + (e->is64 ? 54 : 42));
	e->segments = load_le16(bytes + (e->is64 ? 56 : 44));
	return (type == ELF_EXEC || type == ELF_DYN) && e->segment_size >= (e->is64 ? 56 : 32) &&
	       e->segment_offset <= len &&
	       (uint64_t)e->segments * e->segment_size <= len - e->segment_offset;
}

bool elf_segment(const struct elf *e, unsigned n, struct elf_segment *s)
{
	const uint8_t *p = e->bytes + e->segment_offset + (uint64_t)n * e->segment_size;

	if (n >= e->segments)
		return false;
	s->type = load_le32(p);
	if (e->is64) {
		s->offset = load_le64(p + 8);
		s->vaddr = load_le64(p + 16);
		s->paddr = load_le64(p + 24);
		s->file_bytes = load_le64(p + 32);
		s->mem_bytes = load_le64(p + 40);
	} else {
		s->offset = load_le32(p + 4);
		s->vaddr = load_le32(p + 8);
		s->paddr = load_le32(p + 12);
		s->file_bytes = load_le32(p + 16);
		s->mem_bytes = load_le32(p + 20);
	}
	return s->offset <= e->len && s->file_bytes <= e->len - s->offset &&
	       s->mem_bytes >= s->file_bytes;
}

uint64_t elf_entry_physical(const struct elf *e)
{
	struct elf_segment s;

	for (unsigned i = 0; elf_segment(e, i, &s); i++)
		if (s.type == ELF_PT_LOAD && e->entry >= s.vaddr &&
		    e->entry - s.vaddr < s.mem_bytes)
			return e->entry - s.vaddr + s.paddr;
	return e->entry;
}
