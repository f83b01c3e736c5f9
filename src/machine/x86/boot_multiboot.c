/*
 * Multiboot (specification 0.6.96): an ELF file, or any file whose header gives its addresses,
 * entered in 32-bit protected mode with EBX at the information structure. The initrd is the first
 * module. Left out: ELF symbols, drives, APM, and video modes, without which a kernel that requires
 * one is refused.
 */
#include <errno.h>
#include <string.h>

#include "machine/x86/boot.h"

enum {
	HEADER_MAGIC = 0x1badb002,
	HEADER_SEARCH = 8192,
	HEADER_FLAGS = 4,
	HEADER_ADDRESSES = 12,
	HEADER_ENTRY = 28,
	HEADER_MIN = 12,
	HEADER_WITH_ADDRESSES = 32,
	FLAG_ALIGN = 1 << 0,
	FLAG_MEMORY = 1 << 1,
	FLAG_VIDEO = 1 << 2,
	FLAG_ADDRESSES = 1 << 16,
	FLAGS_REQUIRED = 0xffff,

	ENTRY_EAX = 0x2badb002,
	INFO_MEM_LOWER = 4,
	INFO_MEM_UPPER = 8,
	INFO_CMDLINE = 16,
	INFO_MODS_COUNT = 20,
	INFO_MODS = 24,
	INFO_MMAP_LEN = 44,
	INFO_MMAP = 48,
	INFO_LOADER = 64,
	HAS_MEMORY = 1 << 0,
	HAS_CMDLINE = 1 << 2,
	HAS_MODS = 1 << 3,
	HAS_MMAP = 1 << 6,
	HAS_LOADER = 1 << 9,
	MMAP_BYTES = 24, /* the size field, which does not count itself, and 20 */
	/* where the parts lie after BOOT_PARAMS */
	AT_MODULE = 0x80,
	AT_MMAP = 0x100,
	AT_LOADER = 0x200,
	AT_MODULE_NAME = 0x240,
	MODULE_NAME_MAX = 256,
};

/* The header's offset, a multiple of 4, or -1. */
static int64_t find_header(const struct boot_blob *k)
{
	for (size_t i = 0; i + HEADER_MIN <= k->len && i + HEADER_MIN <= HEADER_SEARCH; i += 4) {
		const uint8_t *h = k->bytes + i;
		if (load_le32(h) == HEADER_MAGIC &&
		    !(uint32_t)(load_le32(h) + load_le32(h + 4) + load_le32(h + 8)))
			return (int64_t)i;
	}
	return -1;
}

static bool recognize(const struct boot_blob *k)
{
	return find_header(k) >= 0;
}

static int check_flags(const struct boot_blob *k, uint32_t flags, struct error *err)
{
	if (flags & FLAG_VIDEO)
		return error_set(err, -ENOTSUP,
				 "kernel %s: it requires a video mode; this machine has no display",
				 k->name);
	if (flags & FLAGS_REQUIRED & ~(uint32_t)(FLAG_ALIGN | FLAG_MEMORY))
		return error_set(err, -ENOTSUP,
				 "kernel %s: it requires Multiboot features %#x, which are unknown",
				 k->name, flags & FLAGS_REQUIRED);
	return 0;
}

static int load_kernel(struct machine *m, const struct boot_blob *k, struct boot_loaded *l,
		       uint32_t *entry, struct error *err)
{
	uint64_t at = (uint64_t)find_header(k);
	const uint8_t *h = k->bytes + at;
	struct elf e;
	int r = check_flags(k, load_le32(h + HEADER_FLAGS), err);

	if (r)
		return r;
	if (load_le32(h + HEADER_FLAGS) & FLAG_ADDRESSES) {
		if (k->len - at < HEADER_WITH_ADDRESSES)
			return error_set(err, -ENOEXEC,
					 "kernel %s: truncated within its Multiboot header",
					 k->name);
		*entry = load_le32(h + HEADER_ENTRY);
		return boot_load_addresses(m, k, at, h + HEADER_ADDRESSES, l, err);
	}
	if (!elf_open(&e, k->bytes, k->len))
		return error_set(
			err, -ENOEXEC,
			"kernel %s: a Multiboot kernel, but neither an intact ELF nor with "
			"addresses in its header",
			k->name);
	*entry = (uint32_t)elf_entry_physical(&e);
	return boot_load_elf(m, k->name, &e, l, err);
}

static void fill_modules(uint8_t *p, const struct boot_blob *initrd, uint64_t gpa)
{
	store_le32(p + INFO_MODS_COUNT, 1);
	store_le32(p + AT_MODULE, (uint32_t)gpa);
	store_le32(p + AT_MODULE + 4, (uint32_t)(gpa + initrd->len));
	store_le32(p + AT_MODULE + 8, BOOT_PARAMS + AT_MODULE_NAME);
	boot_word(initrd->name, (char *)p + AT_MODULE_NAME, MODULE_NAME_MAX);
}

static void fill_info(struct machine *m, const struct boot_blob *initrd, uint64_t initrd_gpa)
{
	uint8_t *p = m->ram + BOOT_PARAMS;
	struct boot_e820 map[BOOT_E820_MAX];
	unsigned n = boot_e820(m, map);

	memset(p, 0, PAGE_BYTES);
	store_le32(p, HAS_MEMORY | HAS_CMDLINE | HAS_MODS | HAS_MMAP | HAS_LOADER);
	store_le32(p + INFO_MEM_LOWER, PC_EBDA >> 10);
	store_le32(p + INFO_MEM_UPPER, (uint32_t)((m->low_end - (1 << 20)) >> 10));
	store_le32(p + INFO_CMDLINE, BOOT_CMDLINE);
	store_le32(p + INFO_MODS, BOOT_PARAMS + AT_MODULE);
	store_le32(p + INFO_MMAP_LEN, MMAP_BYTES * n);
	store_le32(p + INFO_MMAP, BOOT_PARAMS + AT_MMAP);
	store_le32(p + INFO_LOADER, BOOT_PARAMS + AT_LOADER);
	memcpy(p + AT_LOADER, "Doppel", 7);
	if (initrd->len)
		fill_modules(p, initrd, initrd_gpa);
	for (unsigned i = 0; i < n; i++) {
		uint8_t *e = p + AT_MMAP + MMAP_BYTES * i;
		store_le32(e, MMAP_BYTES - 4);
		store_le64(e + 4, map[i].base);
		store_le64(e + 12, map[i].len);
		store_le32(e + 20, map[i].type);
	}
}

static int boot(struct machine *m, const struct boot_config *b, struct error *err)
{
	struct boot_loaded l = {0};
	uint32_t entry = 0;
	uint64_t initrd;
	int r = load_kernel(m, &b->kernel, &l, &entry, err);

	/* By custom the kernel's name comes first; Xen, for one, skips a word. */
	if (!r)
		r = boot_load_cmdline(m, b->kernel.name, b->cmdline, BOOT_CMDLINE_MAX, err);
	if (!r)
		r = boot_load_initrd(m, &b->initrd, PC_HIGH, l.top, &initrd, err);
	if (r)
		return r;
	fill_info(m, &b->initrd, initrd);
	boot_enter_protected(m, entry, 0x10, 0x18);
	m->cpus[0].gpr[X86_RAX] = ENTRY_EAX;
	m->cpus[0].gpr[X86_RBX] = BOOT_PARAMS;
	return 0;
}

const struct boot_protocol boot_protocol_multiboot = {"multiboot", recognize, boot};
