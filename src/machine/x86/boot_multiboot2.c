/*
 * Multiboot 2 (specification 2.0): as Multiboot, with tags in header and information. Of the header
 * these are heeded: information request, address, entry address, console, framebuffer, module
 * alignment; a relocatable kernel is loaded where it is linked. Left out: EFI entry points (there
 * is no EFI), ELF sections, SMBIOS, framebuffer; what a kernel requires of them is refused.
 */
#include <errno.h>
#include <string.h>

#include "machine/x86/boot.h"

enum {
	HEADER_SEARCH = 32768,
	HEADER_BYTES = 16,
	HEADER_TAG_BYTES = 8,
	TAG_OPTIONAL = 1,
	HTAG_END = 0,
	HTAG_REQUEST = 1,
	HTAG_ADDRESS = 2,
	HTAG_ENTRY = 3,
	HTAG_CONSOLE = 4,
	HTAG_FRAMEBUFFER = 5,
	HTAG_ALIGN = 6,
	HTAG_EFI_SERVICES = 7,
	HTAG_EFI32_ENTRY = 8,
	HTAG_EFI64_ENTRY = 9,
	HTAG_RELOCATABLE = 10,
	CONSOLE_REQUIRED = 1,

	ENTRY_EAX = 0x36d76289,
	TAG_END = 0,
	TAG_CMDLINE = 1,
	TAG_LOADER = 2,
	TAG_MODULE = 3,
	TAG_MEMORY = 4,
	TAG_MMAP = 6,
	TAG_ACPI_OLD = 14,
	TAG_ACPI_NEW = 15,
	TAG_LOAD_BASE = 21, /* the last one that the specification knows */
	CMDLINE_MAX = 0x8000,
	RSDP_OLD_BYTES = 20,
	RSDP_NEW_BYTES = 36,
};
#define HEADER_MAGIC 0xe85250d6u

struct header {
	uint64_t at, len;	/* in the file */
	const uint8_t *address; /* four fields, or NULL */
	bool has_entry, relocatable;
	uint32_t entry;
};

static bool find_header(const struct boot_blob *k, struct header *h)
{
	for (size_t i = 0; i + HEADER_BYTES <= k->len && i + HEADER_BYTES <= HEADER_SEARCH;
	     i += 8) {
		const uint8_t *p = k->bytes + i;
		if (load_le32(p) == HEADER_MAGIC && load_le32(p + 4) == 0 &&
		    !(uint32_t)(load_le32(p) + load_le32(p + 8) + load_le32(p + 12))) {
			*h = (struct header){.at = i, .len = load_le32(p + 8)};
			return true;
		}
	}
	return false;
}

static bool recognize(const struct boot_blob *k)
{
	struct header h;

	return find_header(k, &h);
}

static int refuse(const struct boot_blob *k, const char *what, struct error *err)
{
	return error_set(err, -ENOTSUP, "kernel %s: it requires %s", k->name, what);
}

static int damaged(const struct boot_blob *k, struct error *err)
{
	return error_set(err, -ENOEXEC, "kernel %s: truncated or damaged Multiboot 2 header",
			 k->name);
}

/* Information that is known but not there is left out; what is unknown cannot be promised. */
static int check_request(const struct boot_blob *k, const uint8_t *tag, uint32_t size,
			 struct error *err)
{
	for (uint32_t i = HEADER_TAG_BYTES; i + 4 <= size; i += 4)
		if (load_le32(tag + i) > TAG_LOAD_BASE)
			return refuse(k, "information of a Multiboot 2 type that is unknown", err);
	return 0;
}

static int read_tag(const struct boot_blob *k, struct header *h, const uint8_t *tag, uint32_t size,
		    struct error *err)
{
	bool required = !(load_le16(tag + 2) & TAG_OPTIONAL);

	switch (load_le16(tag)) {
	case HTAG_REQUEST:
		return required ? check_request(k, tag, size, err) : 0;
	case HTAG_ADDRESS:
		if (size < HEADER_TAG_BYTES + 16)
			return damaged(k, err);
		h->address = tag + HEADER_TAG_BYTES;
		return 0;
	case HTAG_ENTRY:
		if (size < HEADER_TAG_BYTES + 4)
			return damaged(k, err);
		h->has_entry = true;
		h->entry = load_le32(tag + HEADER_TAG_BYTES);
		return 0;
	case HTAG_CONSOLE:
		if (size < HEADER_TAG_BYTES + 4)
			return damaged(k, err);
		if (required && (load_le32(tag + HEADER_TAG_BYTES) & CONSOLE_REQUIRED))
			return refuse(k, "a text console; this machine has no display", err);
		return 0;
	case HTAG_FRAMEBUFFER:
		return required ? refuse(k, "a framebuffer; this machine has no display", err) : 0;
	case HTAG_RELOCATABLE:
		h->relocatable = true;
		return 0;
	case HTAG_ALIGN:       /* modules are page-aligned anyway */
	case HTAG_EFI32_ENTRY: /* used only by a loader that runs on EFI */
	case HTAG_EFI64_ENTRY:
		return 0;
	case HTAG_EFI_SERVICES:
		return required ? refuse(k, "EFI, which this machine does not have", err) : 0;
	default:
		return required ? refuse(k, "a Multiboot 2 feature that is unknown", err) : 0;
	}
}

static int read_header(const struct boot_blob *k, struct header *h, struct error *err)
{
	uint64_t at = HEADER_BYTES;

	if (!find_header(k, h) || h->len > k->len - h->at)
		return damaged(k, err);
	while (at + HEADER_TAG_BYTES <= h->len) {
		const uint8_t *tag = k->bytes + h->at + at;
		uint32_t size = load_le32(tag + 4);
		int r;
		if (load_le16(tag) == HTAG_END)
			return 0;
		if (size < HEADER_TAG_BYTES || size > h->len - at)
			return damaged(k, err);
		r = read_tag(k, h, tag, size, err);
		if (r)
			return r;
		at += align_up(size, 8);
	}
	return 0;
}

static int load_kernel(struct machine *m, const struct boot_blob *k, struct header *h,
		       struct boot_loaded *l, struct error *err)
{
	struct elf e;

	if (h->address) {
		if (!h->has_entry)
			return error_set(
				err, -ENOEXEC,
				"kernel %s: its Multiboot 2 header has addresses, but no entry",
				k->name);
		return boot_load_addresses(m, k, h->at, h->address, l, err);
	}
	if (!elf_open(&e, k->bytes, k->len))
		return error_set(err, -ENOEXEC,
				 "kernel %s: a Multiboot 2 kernel, but neither an intact ELF nor "
				 "with addresses in its header",
				 k->name);
	if (!h->has_entry)
		h->entry = (uint32_t)elf_entry_physical(&e);
	return boot_load_elf(m, k->name, &e, l, err);
}

/* ---- information: tags one after another, each aligned to 8. What fits is bounded by CMDLINE_MAX
 * and the sizes of the fixed tags. */
struct info {
	uint8_t *base;
	uint32_t len;
};

static uint8_t *add_tag(struct info *in, uint32_t type, uint32_t bytes)
{
	uint8_t *p = in->base + in->len;

	memset(p, 0, align_up(8 + bytes, 8));
	store_le32(p, type);
	store_le32(p + 4, 8 + bytes);
	in->len += (uint32_t)align_up(8 + bytes, 8);
	return p + 8;
}

static void add_string(struct info *in, uint32_t type, const char *s)
{
	memcpy(add_tag(in, type, (uint32_t)strlen(s) + 1), s, strlen(s) + 1);
}

static void add_memory(struct info *in, const struct machine *m)
{
	enum { ENTRY_BYTES = 24 };
	struct boot_e820 map[BOOT_E820_MAX];
	unsigned n = boot_e820(m, map);
	uint8_t *p = add_tag(in, TAG_MEMORY, 8);

	store_le32(p, PC_EBDA >> 10);
	store_le32(p + 4, (uint32_t)((m->low_end - (1 << 20)) >> 10));
	p = add_tag(in, TAG_MMAP, 8 + ENTRY_BYTES * n);
	store_le32(p, ENTRY_BYTES);
	for (unsigned i = 0; i < n; i++) {
		uint8_t *e = p + 8 + ENTRY_BYTES * i;
		store_le64(e, map[i].base);
		store_le64(e + 8, map[i].len);
		store_le32(e + 16, map[i].type);
	}
}

static void add_module(struct info *in, const struct boot_blob *initrd, uint64_t gpa)
{
	char name[256];
	uint32_t len = (uint32_t)boot_word(initrd->name, name, sizeof(name)) + 1;
	uint8_t *p = add_tag(in, TAG_MODULE, 8 + len);

	store_le32(p, (uint32_t)gpa);
	store_le32(p + 4, (uint32_t)(gpa + initrd->len));
	memcpy(p + 8, name, len);
}

static void fill_info(struct machine *m, const struct boot_config *b, const struct header *h,
		      const struct boot_loaded *l, uint64_t initrd)
{
	struct info in = {m->ram + BOOT_INFO, 8};

	add_string(&in, TAG_CMDLINE, (const char *)m->ram + BOOT_CMDLINE);
	add_string(&in, TAG_LOADER, "Doppel");
	add_memory(&in, m);
	if (b->initrd.len)
		add_module(&in, &b->initrd, initrd);
	memcpy(add_tag(&in, TAG_ACPI_OLD, RSDP_OLD_BYTES), m->ram + PC_ACPI, RSDP_OLD_BYTES);
	memcpy(add_tag(&in, TAG_ACPI_NEW, RSDP_NEW_BYTES), m->ram + PC_ACPI, RSDP_NEW_BYTES);
	if (h->relocatable)
		store_le32(add_tag(&in, TAG_LOAD_BASE, 4), (uint32_t)l->base);
	add_tag(&in, TAG_END, 0);
	store_le32(in.base, in.len);
	store_le32(in.base + 4, 0);
}

static int boot(struct machine *m, const struct boot_config *b, struct error *err)
{
	struct boot_loaded l = {0};
	struct header h;
	uint64_t initrd;
	int r = read_header(&b->kernel, &h, err);

	if (!r)
		r = load_kernel(m, &b->kernel, &h, &l, err);
	/* By custom the kernel's name comes first; Xen, for one, skips a word. */
	if (!r)
		r = boot_load_cmdline(m, b->kernel.name, b->cmdline, CMDLINE_MAX, err);
	if (!r)
		r = boot_load_initrd(m, &b->initrd, PC_HIGH, l.top, &initrd, err);
	if (r)
		return r;
	fill_info(m, b, &h, &l, initrd);
	boot_enter_protected(m, h.entry, 0x10, 0x18);
	m->cpus[0].gpr[X86_RAX] = ENTRY_EAX;
	m->cpus[0].gpr[X86_RBX] = BOOT_INFO;
	return 0;
}

const struct boot_protocol boot_protocol_multiboot2 = {"multiboot2", recognize, boot};
