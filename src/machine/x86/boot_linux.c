/*
 * Linux by its boot protocol (Documentation/arch/x86/boot.rst): a bzImage whose payload is
 * decompressed here and entered as vmlinux, by the 64-bit protocol or, for a 32-bit kernel, the
 * 32-bit one. An image without a payload (memtest86+) is entered at its protected-mode code. Left
 * out: kernels before protocol 2.08 (2008), which do not say where their payload is; address
 * randomization, which the skipped decompressor would have done.
 */
#include <errno.h>
#include <string.h>

#include "machine/x86/boot.h"

/* Offsets in the setup header, which lies at 1f1h of file and boot parameters alike. */
enum {
	SETUP_SECTS = 0x1f1,
	SETUP_MAGIC = 0x202,
	SETUP_VERSION = 0x206,
	SETUP_JUMP = 0x201,
	SETUP_LOADER = 0x210,
	SETUP_LOADFLAGS = 0x211,
	SETUP_RAMDISK = 0x218,
	SETUP_RAMDISK_SIZE = 0x21c,
	SETUP_CODE32 = 0x214,
	SETUP_HEAP_END = 0x224,
	SETUP_CMDLINE = 0x228,
	SETUP_INITRD_MAX = 0x22c,
	SETUP_CMDLINE_SIZE = 0x238,
	SETUP_PAYLOAD = 0x248,
	SETUP_PAYLOAD_LEN = 0x24c,
	SETUP_HEADER_MIN = 0x250,
	SETUP_INIT_SIZE = 0x260, /* since protocol 2.10 */
	/* boot parameters only */
	PARAMS_RSDP = 0x070,
	PARAMS_E820_COUNT = 0x1e8,
	PARAMS_E820 = 0x2d0,
	PARAMS_BYTES = 4096,
};

#define UNPACKED_MAX (1ull << 30)

struct image {
	const uint8_t *setup; /* start of the file */
	const uint8_t *payload;
	size_t payload_len; /* 0: there is none, and the code after the setup sectors is entered */
	uint64_t code;	    /* where that is in the file */
	uint64_t entry;
	struct boot_loaded loaded;
	bool is64;
};

static bool recognize(const struct boot_blob *k)
{
	return k->len >= SETUP_HEADER_MIN && load_le16(k->bytes + 0x1fe) == 0xaa55 &&
	       load_le32(k->bytes + SETUP_MAGIC) == 0x53726448; /* "HdrS" */
}

static int find_payload(const struct boot_blob *k, struct image *im, struct error *err)
{
	unsigned sects = k->bytes[SETUP_SECTS] ? k->bytes[SETUP_SECTS] : 4;
	uint64_t start = (sects + 1) * 512ull, offset, len;

	if (load_le16(k->bytes + SETUP_VERSION) < 0x208)
		return error_set(err, -ENOEXEC, "kernel %s: boot protocol %x.%02x is too old",
				 k->name, k->bytes[SETUP_VERSION + 1], k->bytes[SETUP_VERSION]);
	offset = start + load_le32(k->bytes + SETUP_PAYLOAD);
	len = load_le32(k->bytes + SETUP_PAYLOAD_LEN);
	im->setup = k->bytes;
	im->code = start;
	if (!len && offset == start && start < k->len)
		return 0;
	if (offset > k->len || len > k->len - offset || len < 8)
		return error_set(err, -ENOEXEC,
				 "kernel %s: truncated: its payload ends at byte %llu", k->name,
				 (unsigned long long)(offset + len));
	im->payload = k->bytes + offset;
	im->payload_len = len;
	return 0;
}

/* there: how much of the file's len bytes are at `bytes`. */
static int load_vmlinux(struct machine *m, const struct boot_config *b, const uint8_t *bytes,
			size_t there, size_t len, struct elf *e, struct image *im,
			struct error *err)
{
	if (!elf_open(e, bytes, there) || (e->machine != ELF_EM_X86_64 && e->machine != ELF_EM_386))
		return error_set(err, -ENOEXEC, "kernel %s: its payload is not an x86 vmlinux",
				 b->kernel.name);
	e->len = len;
	im->is64 = e->is64;
	im->entry = e->entry;
	return boot_load_elf(m, b->kernel.name, e, &im->loaded, err);
}

/* A vmlinux that comes by pieces. Its headers are kept: they are in its first page, which comes
 * first. */
struct arrival {
	struct machine *m;
	const struct boot_config *b;
	struct image *im;
	struct elf elf;
	uint64_t len, there; /* in all; so far (any thread) */
	uint8_t head[4096];
};

static int arrive(void *opaque, uint64_t at, const uint8_t *bytes, size_t len)
{
	struct arrival *a = opaque;
	struct error why;
	int r = 0;

	if (!at) {
		size_t there = len < sizeof(a->head) ? len : sizeof(a->head);

		memcpy(a->head, bytes, there);
		r = load_vmlinux(a->m, a->b, a->head, there, a->len, &a->elf, a->im, &why);
	}
	if (r)
		return -ENOEXEC; /* it will be looked at as a whole */
	boot_load_elf_piece(a->m, &a->elf, at, bytes, len);
	__atomic_fetch_add(&a->there, len, __ATOMIC_RELAXED);
	return 0;
}

/* Without a buffer for all of it. -ENOEXEC if that cannot be done, for whatever reason. */
static int unpack_by_pieces(struct machine *m, const struct boot_config *b, struct image *im,
			    size_t len, struct error *why)
{
	struct arrival a = {.m = m, .b = b, .im = im, .len = len};
	int r = -ENOEXEC;

	if (b->unpack_pieces)
		r = b->unpack_pieces(im->payload, im->payload_len, len, arrive, &a, why);
	return !r && a.there != len ? -ENOEXEC : r;
}

/* The payload's last four bytes are its unpacked length. */
static int unpack(struct machine *m, const struct boot_config *b, struct image *im,
		  struct error *err)
{
	size_t cap = load_le32(im->payload + im->payload_len - 4), len = cap;
	struct error why = {{0}};
	struct elf elf;
	uint8_t *buf;
	int r;

	if (load_le32(im->payload) == 0x464c457f) /* not compressed: "\x7fELF" */
		return load_vmlinux(m, b, im->payload, im->payload_len, im->payload_len, &elf, im,
				    err);
	if (cap < 4096 || cap > UNPACKED_MAX)
		return error_set(err, -ENOEXEC, "kernel %s: damaged: unpacked length %zu",
				 b->kernel.name, cap);
	r = unpack_by_pieces(m, b, im, len, &why);
	if (!r)
		return 0;
	if (r != -ENOEXEC)
		return error_set(err, r, "kernel %s: damaged: %s", b->kernel.name, why.text);
	im->loaded = (struct boot_loaded){0, 0};
	buf = b->alloc(cap);
	if (!buf)
		return error_set(err, -ENOMEM, "out of memory unpacking kernel %s", b->kernel.name);
	r = b->unpack(im->payload, im->payload_len, buf, &len, &why);
	if (r)
		error_set(err, r, "kernel %s: damaged: %s", b->kernel.name, why.text);
	else
		r = load_vmlinux(m, b, buf, len, len, &elf, im, err);
	b->free(buf);
	return r;
}

/* Not a kernel with a decompressor in front: what follows the setup sectors, at its address. */
static int load_code(struct machine *m, const struct boot_config *b, struct image *im,
		     struct error *err)
{
	uint64_t len = b->kernel.len - im->code, need = len;

	if (load_le16(im->setup + SETUP_VERSION) >= 0x20a &&
	    load_le32(im->setup + SETUP_INIT_SIZE) > need)
		need = load_le32(im->setup + SETUP_INIT_SIZE);
	im->entry = load_le32(im->setup + SETUP_CODE32);
	return boot_load_part(m, b->kernel.name, im->entry, b->kernel.bytes + im->code, len, need,
			      &im->loaded, err);
}

static void fill_params(struct machine *m, const struct image *im, uint64_t initrd,
			size_t initrd_len)
{
	uint8_t *p = m->ram + BOOT_PARAMS;
	struct boot_e820 map[BOOT_E820_MAX];
	unsigned n = boot_e820(m, map), end = 0x202u + im->setup[SETUP_JUMP];

	memset(p, 0, PARAMS_BYTES);
	memcpy(p + SETUP_SECTS, im->setup + SETUP_SECTS, end - SETUP_SECTS);
	store_le64(p + PARAMS_RSDP, PC_ACPI);
	p[SETUP_LOADER] = 0xff;	      /* no assigned id */
	p[SETUP_LOADFLAGS] |= 1 << 7; /* heap usable */
	store_le16(p + SETUP_HEAP_END, 0xfe00);
	store_le32(p + SETUP_CMDLINE, BOOT_CMDLINE);
	store_le32(p + SETUP_RAMDISK, (uint32_t)initrd);
	store_le32(p + SETUP_RAMDISK_SIZE, (uint32_t)initrd_len);
	p[PARAMS_E820_COUNT] = (uint8_t)n;
	for (unsigned i = 0; i < n; i++) {
		uint8_t *e = p + PARAMS_E820 + 20 * i;
		store_le64(e, map[i].base);
		store_le64(e + 8, map[i].len);
		store_le32(e + 16, map[i].type);
	}
}

static int boot(struct machine *m, const struct boot_config *b, struct error *err)
{
	enum { BOOT_CS = 0x10, BOOT_DS = 0x18 };
	struct image im = {0};
	uint64_t initrd, initrd_max;
	int r = find_payload(&b->kernel, &im, err);

	if (!r)
		r = im.payload_len ? unpack(m, b, &im, err) : load_code(m, b, &im, err);
	if (!r)
		r = boot_load_cmdline(m, NULL, b->cmdline, load_le32(im.setup + SETUP_CMDLINE_SIZE),
				      err);
	if (r)
		return r;
	initrd_max = load_le32(im.setup + SETUP_INITRD_MAX) + 1ull;
	r = boot_load_initrd(m, &b->initrd, initrd_max, im.loaded.top, &initrd, err);
	if (r)
		return r;
	fill_params(m, &im, initrd, b->initrd.len);
	if (im.is64)
		boot_enter_long(m, im.entry, BOOT_CS, BOOT_DS);
	else
		boot_enter_protected(m, im.entry, BOOT_CS, BOOT_DS);
	m->cpus[0].gpr[X86_RSI] = BOOT_PARAMS;
	return 0;
}

const struct boot_protocol boot_protocol_linux = {"linux", recognize, boot};
