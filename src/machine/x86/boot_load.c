/* Placing kernels, initrds and command lines in guest memory, and the map of that memory. */
#include <errno.h>
#include <string.h>

#include "host/host.h"
#include "machine/x86/boot.h"

static unsigned long long memory_mib(const struct machine *m)
{
	return m->cfg.memory_bytes >> 20;
}

int boot_load(struct machine *m, uint64_t gpa, const void *bytes, uint64_t len, const char *what,
	      struct error *err)
{
	uint8_t *to = space_ram_range(&m->memory, gpa, len);

	if (!to && len)
		return error_set(err, -ENOMEM,
				 "memory: %s (%llu bytes at %#llx) does not fit %llu MiB", what,
				 (unsigned long long)len, (unsigned long long)gpa, memory_mib(m));
	TRACE(m->cfg.trace, TRACE_BOOT, "%s: %llu bytes at %#llx", what, (unsigned long long)len,
	      (unsigned long long)gpa);
	if (len)
		memcpy(to, bytes, len);
	return 0;
}

/* Is [gpa, gpa+len) free for a kernel? */
static bool is_free(uint64_t gpa, uint64_t len)
{
	return gpa >= 1 << 20 || (gpa >= BOOT_END && gpa + len <= PC_EBDA);
}

/* Find room for part of a kernel, and clear what is behind its len bytes. */
static int place_part(struct machine *m, const char *kernel, uint64_t gpa, uint64_t len,
		      uint64_t mem_len, struct boot_loaded *l, struct error *err)
{
	uint8_t *to = space_ram_range(&m->memory, gpa, mem_len);

	if (!to && (gpa >= 1 << 20 || mem_len > m->low_end))
		return error_set(
			err, -ENOMEM,
			"memory: kernel %s needs %llu KiB at %#llx; %llu MiB are too small", kernel,
			(unsigned long long)mem_len >> 10, (unsigned long long)gpa, memory_mib(m));
	if (!to || !is_free(gpa, mem_len))
		return error_set(
			err, -ENOEXEC,
			"kernel %s: wants to be loaded at %#llx, which is not free on a pc", kernel,
			(unsigned long long)gpa);
	TRACE(m->cfg.trace, TRACE_BOOT,
	      "kernel %s: %llu bytes at %#llx, %llu of them from the file", kernel,
	      (unsigned long long)mem_len, (unsigned long long)gpa, (unsigned long long)len);
	memset(to + len, 0, mem_len - len);
	if (!l->top || gpa < l->base)
		l->base = gpa;
	if (gpa + mem_len > l->top)
		l->top = gpa + mem_len;
	return 0;
}

int boot_load_part(struct machine *m, const char *kernel, uint64_t gpa, const void *bytes,
		   uint64_t len, uint64_t mem_len, struct boot_loaded *l, struct error *err)
{
	int r = mem_len ? place_part(m, kernel, gpa, len, mem_len, l, err) : 0;

	if (!r && len)
		memcpy(space_ram_range(&m->memory, gpa, len), bytes, len);
	return r;
}

void boot_load_elf_piece(struct machine *m, const struct elf *e, uint64_t at, const uint8_t *bytes,
			 uint64_t len)
{
	struct elf_segment s;

	for (unsigned i = 0; elf_segment(e, i, &s); i++) {
		uint64_t lo = s.offset > at ? s.offset : at, hi = s.offset + s.file_bytes;
		uint8_t *to;

		if (hi > at + len)
			hi = at + len;
		if (s.type != ELF_PT_LOAD || lo >= hi)
			continue;
		to = space_ram_range(&m->memory, s.paddr + (lo - s.offset), hi - lo);
		host_ram_fill(to, hi - lo);
		memcpy(to, bytes + (lo - at), hi - lo);
	}
}

int boot_load_elf(struct machine *m, const char *kernel, const struct elf *e, struct boot_loaded *l,
		  struct error *err)
{
	uint64_t sum = 0;
	int r;

	for (unsigned i = 0; i < e->segments; i++) {
		struct elf_segment s;
		if (!elf_segment(e, i, &s))
			return error_set(
				err, -ENOEXEC,
				"kernel %s: truncated or damaged: ELF segment %u is not in "
				"the file",
				kernel, i);
		if (s.type != ELF_PT_LOAD || !s.mem_bytes)
			continue;
		r = place_part(m, kernel, s.paddr, s.file_bytes, s.mem_bytes, l, err);
		if (r)
			return r;
		sum += s.mem_bytes; /* each fits memory, so this cannot wrap */
		if (sum > m->cfg.memory_bytes)
			return error_set(err, -ENOEXEC, "kernel %s: damaged: its segments overlap",
					 kernel);
	}
	if (!l->top)
		return error_set(err, -ENOEXEC, "kernel %s: nothing in it is to be loaded", kernel);
	boot_load_elf_piece(m, e, 0, e->bytes, e->there);
	return 0;
}

int boot_load_addresses(struct machine *m, const struct boot_blob *k, uint64_t header_offset,
			const uint8_t fields[16], struct boot_loaded *l, struct error *err)
{
	uint64_t header = load_le32(fields), start = load_le32(fields + 4),
		 end = load_le32(fields + 8), bss_end = load_le32(fields + 12), offset, len;

	if (header < start || header - start > header_offset)
		return error_set(
			err, -ENOEXEC,
			"kernel %s: its Multiboot header's addresses contradict each other",
			k->name);
	offset = header_offset - (header - start);
	len = end ? end - start : k->len - offset;
	if ((end && end <= start) || len > k->len - offset)
		return error_set(err, -ENOEXEC,
				 "kernel %s: truncated: its Multiboot header wants %llu bytes",
				 k->name, (unsigned long long)(offset + len));
	return boot_load_part(m, k->name, start, k->bytes + offset, len,
			      bss_end > start + len ? bss_end - start : len, l, err);
}

int boot_load_initrd(struct machine *m, const struct boot_blob *initrd, uint64_t limit,
		     uint64_t floor, uint64_t *gpa, struct error *err)
{
	uint64_t top = m->low_end < limit ? m->low_end : limit;

	*gpa = 0;
	if (!initrd->len)
		return 0;
	if (floor < 1 << 20)
		floor = 1 << 20;
	if (initrd->len > top || align_down(top - initrd->len, PAGE_BYTES) < floor)
		return error_set(
			err, -ENOMEM,
			"memory: initrd %s (%zu KiB) does not fit %llu MiB beside the kernel",
			initrd->name, initrd->len >> 10, memory_mib(m));
	*gpa = align_down(top - initrd->len, PAGE_BYTES);
	return boot_load(m, *gpa, initrd->bytes, initrd->len, "the initrd", err);
}

size_t boot_word(const char *name, char *out, size_t size)
{
	const char *base = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
	size_t n = 0;

	for (; base[n] && n + 1 < size; n++)
		out[n] = base[n] == ' ' || base[n] == '\t' ? '_' : base[n];
	out[n] = 0;
	return n;
}

int boot_load_cmdline(struct machine *m, const char *program, const char *cmdline, uint64_t max,
		      struct error *err)
{
	char word[256];
	size_t first = 0, len = strlen(cmdline);
	int r;

	if (program) {
		first = boot_word(program, word, sizeof(word) - 1);
		word[first++] = ' ';
	}
	if (max > BOOT_CMDLINE_MAX - 1)
		max = BOOT_CMDLINE_MAX - 1;
	if (first + len > max)
		return error_set(err, -E2BIG, "append: %zu characters; this kernel takes %llu", len,
				 (unsigned long long)(max > first ? max - first : 0));
	r = boot_load(m, BOOT_CMDLINE, word, first, "the command line", err);
	if (r)
		return r;
	return boot_load(m, BOOT_CMDLINE + first, cmdline, len + 1, "the command line", err);
}

unsigned boot_e820(const struct machine *m, struct boot_e820 *out)
{
	unsigned n = 0;

	out[n++] = (struct boot_e820){0, PC_EBDA, BOOT_E820_RAM};
	out[n++] = (struct boot_e820){PC_EBDA, PC_VIDEO - PC_EBDA, BOOT_E820_RESERVED};
	out[n++] = (struct boot_e820){PC_ACPI, PC_ROM_END - PC_ACPI, BOOT_E820_RESERVED};
	out[n++] = (struct boot_e820){1 << 20, m->low_end - (1 << 20), BOOT_E820_RAM};
	if (m->high_end)
		out[n++] = (struct boot_e820){PC_HIGH, m->high_end - PC_HIGH, BOOT_E820_RAM};
	return n;
}
