/*
 * PVH: an ELF file whose Xen note 18 (XEN_ELFNOTE_PHYS32_ENTRY) gives a 32-bit entry point, entered
 * with paging off and EBX at hvm_start_info version 1. Xen's docs/misc/pvh.pandoc and
 * include/public/arch-x86/hvm/start_info.h. Linux (CONFIG_PVH) and FreeBSD kernels have the note.
 */
#include <errno.h>
#include <string.h>

#include "isa/x86/mode.h"
#include "machine/x86/boot.h"

enum {
	NOTE_PHYS32_ENTRY = 18,
	NOTE_HEADER = 12,
	/* hvm_start_info */
	START_MAGIC = 0x336ec578,
	START_VERSION = 4,
	START_MODULES = 12,
	START_MODLIST = 16,
	START_CMDLINE = 24,
	START_RSDP = 32,
	START_MEMMAP = 40,
	START_MEMMAP_ENTRIES = 48,
	START_BYTES = 56,
	MODULE_BYTES = 32,
	MEMMAP_BYTES = 24,
	/* where they lie after BOOT_PARAMS */
	AT_MODULE = 0x40,
	AT_MEMMAP = 0x80,
};

/* Look through the notes of p[0..len). */
static bool find_note(const uint8_t *p, uint64_t len, uint32_t *entry)
{
	while (len >= NOTE_HEADER) {
		uint64_t name_len = load_le32(p), desc_len = load_le32(p + 4);
		uint64_t desc = NOTE_HEADER + align_up(name_len, 4),
			 next = desc + align_up(desc_len, 4);

		if (desc + desc_len > len)
			return false;
		if (load_le32(p + 8) == NOTE_PHYS32_ENTRY && name_len == 4 && desc_len >= 4 &&
		    memcmp(p + NOTE_HEADER, "Xen", 4) == 0) {
			*entry = load_le32(p + desc);
			return true;
		}
		if (next >= len)
			return false;
		p += next;
		len -= next;
	}
	return false;
}

static bool find_entry(const struct elf *e, uint32_t *entry)
{
	uint64_t budget = e->len; /* many segments may claim the same bytes */

	for (unsigned i = 0; i < e->segments; i++) {
		struct elf_segment s;

		if (!elf_segment(e, i, &s) || s.type != ELF_PT_NOTE)
			continue;
		if (s.file_bytes > budget)
			return false;
		budget -= s.file_bytes;
		if (find_note(e->bytes + s.offset, s.file_bytes, entry))
			return true;
	}
	return false;
}

static bool recognize(const struct boot_blob *k)
{
	uint32_t entry;
	struct elf e;

	return elf_open(&e, k->bytes, k->len) && find_entry(&e, &entry);
}

static void fill_start_info(struct machine *m, uint64_t initrd, size_t initrd_len)
{
	uint8_t *p = m->ram + BOOT_PARAMS;
	struct boot_e820 map[BOOT_E820_MAX];
	unsigned n = boot_e820(m, map);

	memset(p, 0, PAGE_BYTES);
	store_le32(p, START_MAGIC);
	store_le32(p + START_VERSION, 1);
	store_le64(p + START_CMDLINE, BOOT_CMDLINE);
	store_le64(p + START_RSDP, PC_ACPI);
	store_le64(p + START_MEMMAP, BOOT_PARAMS + AT_MEMMAP);
	store_le32(p + START_MEMMAP_ENTRIES, n);
	if (initrd_len) {
		store_le32(p + START_MODULES, 1);
		store_le64(p + START_MODLIST, BOOT_PARAMS + AT_MODULE);
		store_le64(p + AT_MODULE, initrd);
		store_le64(p + AT_MODULE + 8, initrd_len);
	}
	for (unsigned i = 0; i < n; i++) {
		uint8_t *e = p + AT_MEMMAP + MEMMAP_BYTES * i;
		store_le64(e, map[i].base);
		store_le64(e + 8, map[i].len);
		store_le32(e + 16, map[i].type);
	}
}

static int boot(struct machine *m, const struct boot_config *b, struct error *err)
{
	enum { TSS_LIMIT = 0x67 };
	struct boot_loaded l = {0};
	uint32_t entry = 0;
	uint64_t initrd;
	struct elf e;
	int r;

	if (!elf_open(&e, b->kernel.bytes, b->kernel.len) || !find_entry(&e, &entry))
		return error_set(err, -ENOEXEC, "kernel %s: no PVH note", b->kernel.name);
	r = boot_load_elf(m, b->kernel.name, &e, &l, err);
	if (!r)
		r = boot_load_cmdline(m, NULL, b->cmdline, BOOT_CMDLINE_MAX, err);
	if (!r)
		r = boot_load_initrd(m, &b->initrd, PC_HIGH, l.top, &initrd, err);
	if (r)
		return r;
	fill_start_info(m, initrd, b->initrd.len);
	boot_enter_protected(m, entry, 0x10, 0x18);
	m->cpus[0].tr.limit = TSS_LIMIT;
	m->cpus[0].gpr[X86_RBX] = BOOT_PARAMS;
	return 0;
}

const struct boot_protocol boot_protocol_pvh = {"pvh", recognize, boot};
