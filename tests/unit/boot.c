/* Boot protocols of the `pc`: what the guest finds at its first instruction, and bad images. */
#include "test.h"

#include <errno.h>

#include <zlib.h>

#include "bootbox.h"

#define MIB (1ull << 20)

/* ---- flat images */
static void flat(void **state)
{
	uint8_t sector[1024] = {0xf4};
	const struct x86_cpu *cpu;
	struct bootbox b;

	sector[510] = 0x55;
	sector[511] = 0xaa;
	sector[1023] = 0x77;
	bootbox_open(&b, 4 * MIB, 2);
	assert_int_equal(bootbox_boot(&b, sector, sizeof(sector), NULL, 0, ""), 0);
	cpu = &b.cpus[0];
	assert_memory_equal(b.m->ram + 0x7c00, sector, sizeof(sector));
	assert_int_equal(cpu->rip, 0x7c00);
	assert_int_equal(cpu->gpr[X86_RSP], 0x7c00);
	assert_int_equal(cpu->gpr[X86_RDX], 0x80);
	assert_int_equal(cpu->rflags & X86_IF, 0);
	assert_int_equal(cpu->cr0 & X86_CR0_PE, 0);
	for (int s = 0; s < 6; s++) {
		assert_int_equal(cpu->seg[s].sel, 0);
		assert_int_equal(cpu->seg[s].base, 0);
		assert_int_equal(cpu->seg[s].limit, 0xffff);
	}
	assert_int_equal(b.cpus[1].activity, X86_WAIT_SIPI);
	bootbox_close(&b);
}

static void flat_bad(void **state)
{
	static uint8_t sector[0x9fc00 - 0x7c00 + 1];
	struct bootbox b;

	bootbox_open(&b, 4 * MIB, 1);
	assert_int_equal(bootbox_boot(&b, sector, 512, NULL, 0, ""), -ENOEXEC);
	sector[510] = 0x55;
	sector[511] = 0xaa;
	assert_int_equal(bootbox_boot(&b, sector, 511, NULL, 0, ""), -ENOEXEC);
	assert_int_equal(bootbox_boot(&b, sector, sizeof(sector) - 1, NULL, 0, ""), 0);
	assert_int_equal(bootbox_boot(&b, sector, sizeof(sector), NULL, 0, ""), -EFBIG);
	assert_non_null(strstr(b.err.text, "608 KiB"));
	assert_int_equal(bootbox_boot(&b, sector, 512, sector, 4, ""), -EINVAL);
	bootbox_close(&b);
}

/* ---- protected-mode protocols */
static const uint8_t initrd[5000] = {1, 2, 3};
static uint8_t image[BOOTBOX_IMAGE + 64];

static void check_protected(const struct bootbox *b)
{
	const struct x86_cpu *cpu = &b->cpus[0];

	assert_int_equal(cpu->rip, BOOTBOX_ENTRY);
	assert_int_equal(cpu->cr0 & (X86_CR0_PE | X86_CR0_PG), X86_CR0_PE);
	assert_int_equal(cpu->rflags & (X86_IF | X86_VM | X86_TF), 0);
	assert_int_equal(cpu->seg[X86_CS].attr & 0x409a, 0x409a);
	for (int s = 0; s < 6; s++) {
		assert_int_equal(cpu->seg[s].base, 0);
		assert_int_equal(cpu->seg[s].limit, 0xffffffff);
	}
	assert_memory_equal(b->m->ram + 0x100000, image + BOOTBOX_TEXT, 64);
	assert_int_equal(b->m->ram[0x100000 + 64], 0);
	assert_int_equal(b->m->ram[0x101fff], 0);
	assert_int_equal(b->m->ram[0x102000], 0xee);
}

/* What a kernel overwrites is seen to be zeroed. */
static void open_dirty(struct bootbox *b, uint64_t memory_bytes)
{
	bootbox_open(b, memory_bytes, 1);
	memset(b->m->ram + 0x100000, 0xee, memory_bytes - 0x100000);
}

static void check_initrd(const struct bootbox *b, uint64_t at)
{
	assert_int_equal(at & 0xfff, 0);
	assert_true(at >= 0x102000 && at + sizeof(initrd) <= b->m->low_end);
	assert_memory_equal(b->m->ram + at, initrd, sizeof(initrd));
}

static void pvh(void **state)
{
	const uint8_t *info, *module, *map;
	struct bootbox b;

	for (int is64 = 0; is64 < 2; is64++) {
		size_t len = bootbox_elf(image, is64, BOOTBOX_ENTRY);

		open_dirty(&b, 4 * MIB);
		assert_int_equal(bootbox_boot(&b, image, len, initrd, sizeof(initrd), "a b"), 0);
		check_protected(&b);
		assert_int_equal(b.cpus[0].cr4, 0);
		info = b.m->ram + b.cpus[0].gpr[X86_RBX];
		assert_int_equal(load_le32(info), 0x336ec578);
		assert_int_equal(load_le32(info + 4), 1);
		assert_int_equal(load_le32(info + 12), 1);
		module = b.m->ram + load_le64(info + 16);
		check_initrd(&b, load_le64(module));
		assert_int_equal(load_le64(module + 8), sizeof(initrd));
		assert_string_equal((char *)b.m->ram + load_le64(info + 24), "a b");
		assert_memory_equal(b.m->ram + load_le64(info + 32), "RSD PTR ", 8);
		map = b.m->ram + load_le64(info + 40);
		assert_int_equal(load_le32(info + 48), 4);
		assert_int_equal(load_le64(map + 3 * 24), MIB);
		assert_int_equal(load_le64(map + 3 * 24 + 8), 3 * MIB);
		assert_int_equal(load_le32(map + 3 * 24 + 16), 1);
		bootbox_close(&b);
	}
}

static void check_multiboot(struct bootbox *b)
{
	const uint8_t *info, *map, *module;

	check_protected(b);
	assert_int_equal(b->cpus[0].gpr[X86_RAX], 0x2badb002);
	info = b->m->ram + b->cpus[0].gpr[X86_RBX];
	assert_int_equal(load_le32(info), 0x24d);
	assert_int_equal(load_le32(info + 4), 639);
	assert_int_equal(load_le32(info + 8), 3 * 1024);
	assert_string_equal((char *)b->m->ram + load_le32(info + 16), "k x=1");
	assert_int_equal(load_le32(info + 20), 1);
	module = b->m->ram + load_le32(info + 24);
	check_initrd(b, load_le32(module));
	assert_int_equal(load_le32(module + 4) - load_le32(module), sizeof(initrd));
	assert_string_equal((char *)b->m->ram + load_le32(module + 8), "i");
	assert_int_equal(load_le32(info + 44), 4 * 24);
	map = b->m->ram + load_le32(info + 48);
	assert_int_equal(load_le32(map + 3 * 24), 20);
	assert_int_equal(load_le64(map + 3 * 24 + 4), MIB);
	assert_string_equal((char *)b->m->ram + load_le32(info + 64), "Doppel");
}

static void multiboot(void **state)
{
	struct bootbox b;
	size_t len;

	for (int is64 = 0; is64 < 2; is64++) {
		len = bootbox_elf(image, is64, 0);
		bootbox_multiboot(image, 0x204, 3);
		open_dirty(&b, 4 * MIB);
		assert_int_equal(bootbox_boot(&b, image, len, initrd, sizeof(initrd), "x=1"), 0);
		check_multiboot(&b);
		bootbox_close(&b);
	}
}

/* Addresses in the header: the part from BOOTBOX_TEXT on. */
static void multiboot_addresses(void **state)
{
	struct bootbox b;

	memset(image, 0, sizeof(image));
	memset(image + BOOTBOX_TEXT, 0xf4, 64);
	bootbox_multiboot(image, BOOTBOX_TEXT + 0x20, 1 << 16);
	store_le32(image + BOOTBOX_TEXT + 0x20 + 12, 0x100020);
	open_dirty(&b, 4 * MIB);
	assert_int_equal(bootbox_boot(&b, image, BOOTBOX_TEXT + 64, initrd, sizeof(initrd), "x=1"),
			 0);
	check_multiboot(&b);
	bootbox_close(&b);
}

/* A tag of the information, or NULL. */
static const uint8_t *find_tag(const uint8_t *info, uint32_t type)
{
	for (uint32_t at = 8; at < load_le32(info); at += (load_le32(info + at + 4) + 7) & ~7u)
		if (load_le32(info + at) == type)
			return info + at;
	return NULL;
}

static void multiboot2(void **state)
{
	const uint32_t request[4] = {1, 16, 6, 14};
	const uint8_t *info;
	struct bootbox b;
	size_t len = bootbox_elf(image, false, 0);

	bootbox_multiboot2(image, 0x208, request, sizeof(request));
	open_dirty(&b, 4 * MIB);
	assert_int_equal(bootbox_boot(&b, image, len, initrd, sizeof(initrd), "x=1"), 0);
	check_protected(&b);
	assert_int_equal(b.cpus[0].gpr[X86_RAX], 0x36d76289);
	assert_int_equal(b.cpus[0].gpr[X86_RBX] & 7, 0);
	info = b.m->ram + b.cpus[0].gpr[X86_RBX];
	assert_string_equal((char *)find_tag(info, 1) + 8, "k x=1");
	assert_string_equal((char *)find_tag(info, 2) + 8, "Doppel");
	check_initrd(&b, load_le32(find_tag(info, 3) + 8));
	assert_string_equal((char *)find_tag(info, 3) + 16, "i");
	assert_int_equal(load_le32(find_tag(info, 4) + 12), 3 * 1024);
	assert_int_equal(load_le32(find_tag(info, 6) + 4), 16 + 4 * 24);
	assert_memory_equal(find_tag(info, 14) + 8, "RSD PTR ", 8);
	assert_int_equal(load_le32(find_tag(info, 15) + 4), 8 + 36);
	assert_int_equal(load_le32(find_tag(info, 0) + 4), 8);
	bootbox_close(&b);
}

static void multiboot2_tags(void **state)
{
	static const struct {
		uint32_t tag[6];
		unsigned bytes;
		int r;
		const char *text;
	} rows[] = {
		{{1, 12, 99}, 12, -ENOTSUP, "information"},
		{{1 | 1 << 16, 12, 99}, 12, 0, NULL},
		{{2, 32, 0x100000}, 12, -ENOEXEC, "damaged"}, /* longer than the header */
		{{3, 12, BOOTBOX_ENTRY}, 12, 0, NULL},
		{{4, 12, 1}, 12, -ENOTSUP, "console"},
		{{4, 12, 2}, 12, 0, NULL},
		{{5, 20, 800, 600, 32}, 20, -ENOTSUP, "framebuffer"},
		{{5 | 1 << 16, 20, 800, 600, 32}, 20, 0, NULL},
		{{6, 8}, 8, 0, NULL},
		{{7, 8}, 8, -ENOTSUP, "EFI"},
		{{10, 24, 0x100000, 0x200000, 4096, 0}, 24, 0, NULL},
		{{77, 8}, 8, -ENOTSUP, "unknown"},
		{{6, 4}, 8, -ENOEXEC, "damaged"},
	};
	struct bootbox b;

	open_dirty(&b, 4 * MIB);
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		size_t len = bootbox_elf(image, false, 0);
		int r;

		bootbox_multiboot2(image, 0x208, rows[i].tag, rows[i].bytes);
		r = bootbox_boot(&b, image, len, NULL, 0, "");
		if (r != rows[i].r || (r && !strstr(b.err.text, rows[i].text)))
			fail_msg("row %u: %d %s", i, r, b.err.text);
		if (!r)
			assert_int_equal(b.cpus[0].rip, BOOTBOX_ENTRY);
	}
	bootbox_close(&b);
}

/* ---- packed and Linux images */
static size_t gzip(const uint8_t *in, size_t len, uint8_t *out, size_t room)
{
	z_stream z = {.next_in = (uint8_t *)(uintptr_t)in,
		      .avail_in = (uInt)len,
		      .next_out = out,
		      .avail_out = (uInt)room};

	deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return z.total_out;
}

static void packed(void **state)
{
	uint8_t small[1024];
	struct bootbox b;
	size_t len = bootbox_elf(image, true, BOOTBOX_ENTRY), n;

	open_dirty(&b, 4 * MIB);
	n = gzip(image, len, small, sizeof(small));
	assert_int_equal(bootbox_boot(&b, small, n, NULL, 0, ""), 0);
	check_protected(&b);
	assert_int_equal(bootbox_boot(&b, small, n / 2, NULL, 0, ""), -EINVAL);
	assert_string_equal(b.err.text, "kernel k: damaged gzip stream");
	n = gzip(initrd, sizeof(initrd), small, sizeof(small));
	assert_int_equal(bootbox_boot(&b, small, n, NULL, 0, ""), -ENOEXEC);
	assert_non_null(strstr(b.err.text, "not a bzImage"));
	bootbox_close(&b);
}

static void packed_too_large(void **state)
{
	uint8_t *zeros = calloc(1, 5 * MIB), small[16384];
	struct bootbox b;
	size_t n = gzip(zeros, 5 * MIB, small, sizeof(small));

	bootbox_open(&b, 4 * MIB, 1);
	assert_int_equal(bootbox_boot(&b, small, n, NULL, 0, ""), -ENOMEM);
	assert_non_null(strstr(b.err.text, "does not fit 4 MiB"));
	bootbox_close(&b);
	free(zeros);
}

static void linux_image(void **state)
{
	uint8_t small[1024], bz[4096];
	const uint8_t *params;
	struct bootbox b;
	size_t len, n;

	for (int is64 = 0; is64 < 2; is64++) {
		len = bootbox_elf(image, is64, 0);
		store_le32(image + 24, 0x100010); /* Linux states physical entry points */
		n = gzip(image, len, small, sizeof(small));
		n = bootbox_bzimage(bz, small, n, (uint32_t)len);
		open_dirty(&b, 4 * MIB);
		assert_int_equal(bootbox_boot(&b, bz, n, initrd, sizeof(initrd), "quiet"), 0);
		assert_int_equal(b.cpus[0].rip, BOOTBOX_ENTRY);
		assert_int_equal(!!(b.cpus[0].efer & X86_EFER_LMA), is64);
		assert_int_equal(!!(b.cpus[0].cr0 & X86_CR0_PG), is64);
		params = b.m->ram + b.cpus[0].gpr[X86_RSI];
		assert_memory_equal(params + 0x202, "HdrS", 4);
		assert_string_equal((char *)b.m->ram + load_le32(params + 0x228), "quiet");
		check_initrd(&b, load_le32(params + 0x218));
		assert_int_equal(load_le32(params + 0x21c), sizeof(initrd));
		assert_int_equal(params[0x1e8], 4);
		assert_int_equal(load_le64(params + 0x70), 0xe0000);
		for (size_t cut = 0x250; cut < n; cut += 7)
			assert_true(bootbox_boot(&b, bz, cut, NULL, 0, "") < 0);
		bootbox_close(&b);
	}
}

/* Without a payload: entered where its header says. */
static void linux_code(void **state)
{
	uint8_t bz[2048];
	struct bootbox b;
	size_t n = bootbox_bzimage(bz, "code", 4, 0);

	store_le32(bz + 0x24c, 0);
	store_le32(bz + 0x260, 0x1000);
	open_dirty(&b, 4 * MIB);
	assert_int_equal(bootbox_boot(&b, bz, n, NULL, 0, ""), 0);
	assert_int_equal(b.cpus[0].rip, 0x100000);
	assert_memory_equal(b.m->ram + 0x100000, "code", 4);
	assert_int_equal(b.m->ram[0x100fff], 0);
	assert_int_equal(b.m->ram[0x101000], 0xee);
	bootbox_close(&b);
}

/* ---- what cannot boot says why */
static void expect_refusal(struct bootbox *b, size_t len, int r, const char *text)
{
	int got = bootbox_boot(b, image, len, initrd, sizeof(initrd), "");

	if (got != r || !strstr(b->err.text, text))
		fail_msg("%d \"%s\", not \"%s\"", got, b->err.text, text);
}

static void refusals(void **state)
{
	struct bootbox b;
	size_t len;

	bootbox_open(&b, 4 * MIB, 1);
	len = bootbox_elf(image, true, 0);
	expect_refusal(&b, len, -ENOEXEC, "CONFIG_PVH");
	bootbox_elf(image, true, BOOTBOX_ENTRY);
	store_le16(image + 18, 183);
	expect_refusal(&b, len, -ENOEXEC, "kernel k: an ELF for AArch64, not x86");
	store_le16(image + 18, 0x1400);
	image[5] = 2;
	expect_refusal(&b, len, -ENOEXEC, "PowerPC, not x86");
	store_le16(image + 18, 999);
	image[5] = 1;
	expect_refusal(&b, len, -ENOEXEC, "machine 999");
	bootbox_elf(image, true, BOOTBOX_ENTRY);
	expect_refusal(&b, BOOTBOX_TEXT, -ENOEXEC, "truncated");
	store_le32(image + 64 + 24, 0x7000);
	expect_refusal(&b, len, -ENOEXEC, "wants to be loaded at 0x7000");
	store_le32(image + 64 + 24, 0x400000);
	expect_refusal(&b, len, -ENOMEM, "4 MiB are too small");
	store_le32(image + 64 + 24, 0xe0000);
	expect_refusal(&b, len, -ENOEXEC, "not free");
	len = bootbox_elf(image, false, 0);
	bootbox_multiboot(image, 0x204, 4);
	expect_refusal(&b, len, -ENOTSUP, "video mode");
	bootbox_multiboot(image, 0x204, 0x18);
	expect_refusal(&b, len, -ENOTSUP, "features 0x18");
	bootbox_multiboot(image, 0x204, 1 << 16);
	store_le32(image + 0x204 + 20, 0x200000);
	expect_refusal(&b, len, -ENOEXEC, "truncated");
	store_le32(image + 0x204 + 16, 0x300000);
	expect_refusal(&b, len, -ENOEXEC, "contradict");
	bootbox_close(&b);
}

static void initrd_too_large(void **state)
{
	size_t len = bootbox_elf(image, true, BOOTBOX_ENTRY);
	uint8_t *big = calloc(1, 3 * MIB);
	struct bootbox b;

	bootbox_open(&b, 4 * MIB, 1);
	assert_int_equal(bootbox_boot(&b, image, len, big, 3 * MIB - 0x2000, ""), 0);
	assert_int_equal(bootbox_boot(&b, image, len, big, 3 * MIB - 0x1fff, ""), -ENOMEM);
	assert_non_null(strstr(b.err.text, "initrd i (3064 KiB) does not fit 4 MiB"));
	bootbox_close(&b);
	free(big);
}

static void cmdline_too_long(void **state)
{
	size_t len = bootbox_elf(image, true, BOOTBOX_ENTRY);
	static char line[0x10001];
	struct bootbox b;

	memset(line, 'x', 0x10000);
	bootbox_open(&b, 4 * MIB, 1);
	assert_int_equal(bootbox_boot(&b, image, len, NULL, 0, line), -E2BIG);
	assert_non_null(strstr(b.err.text, "65535"));
	line[0xffff] = 0;
	assert_int_equal(bootbox_boot(&b, image, len, NULL, 0, line), 0);
	bootbox_multiboot2(image, 0x208, NULL, 0);
	image[0x808] = 0; /* no longer PVH */
	assert_int_equal(bootbox_boot(&b, image, len, NULL, 0, line), -E2BIG);
	line[0x8000 - 2] = 0;
	assert_int_equal(bootbox_boot(&b, image, len, NULL, 0, line), 0);
	bootbox_close(&b);
}

/* What firmware leaves behind. */
static void bios(void **state)
{
	uint8_t sector[512] = {0};
	struct bootbox b;

	sector[510] = 0x55;
	sector[511] = 0xaa;
	bootbox_open(&b, 4 * MIB, 1);
	assert_int_equal(bootbox_boot(&b, sector, 512, NULL, 0, ""), 0);
	assert_int_equal(load_le16(b.m->ram + 0x400), 0x3f8);
	assert_int_equal(load_le16(b.m->ram + 0x40e), 0x9fc0);
	assert_int_equal(load_le16(b.m->ram + 0x413), 639);
	for (unsigned v = 0; v < 256; v++) {
		uint32_t at = load_le16(b.m->ram + 4 * v) + 16u * load_le16(b.m->ram + 4 * v + 2);
		assert_int_equal(b.m->ram[at],
				 v == 8 || v == 0x70 || v < 0x10 || (v > 0x70 && v < 0x78) ? 0xcf
											   : 0x55);
	}
	bootbox_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flat),
		cmocka_unit_test(flat_bad),
		cmocka_unit_test(pvh),
		cmocka_unit_test(multiboot),
		cmocka_unit_test(multiboot_addresses),
		cmocka_unit_test(multiboot2),
		cmocka_unit_test(multiboot2_tags),
		cmocka_unit_test(packed),
		cmocka_unit_test(packed_too_large),
		cmocka_unit_test(linux_image),
		cmocka_unit_test(linux_code),
		cmocka_unit_test(refusals),
		cmocka_unit_test(initrd_too_large),
		cmocka_unit_test(cmdline_too_long),
		cmocka_unit_test(bios),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
