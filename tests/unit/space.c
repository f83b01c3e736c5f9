/* Guest-physical space: dispatch and splitting of device accesses, RAM bounds, page flags. */
#include "test.h"

#include <errno.h>
#include <sys/mman.h>

#include "host/host.h"
#include "mem/ahead.h"
#include "mem/space.h"

/* A device that logs what it is asked. */
struct probe {
	unsigned count;
	uint64_t offset[16], value[16];
	unsigned bytes[16];
	uint8_t fill;
};

static void probe_log(struct probe *p, uint64_t offset, uint64_t value, unsigned bytes)
{
	assert_true(p->count < 16);
	p->offset[p->count] = offset;
	p->value[p->count] = value;
	p->bytes[p->count++] = bytes;
}

static uint64_t probe_read(void *opaque, uint64_t offset, unsigned bytes)
{
	struct probe *p = opaque;

	probe_log(p, offset, 0, bytes);
	return 0x0101010101010101ull * p->fill; /* more than asked for: must be cut */
}

static void probe_write(void *opaque, uint64_t offset, uint64_t value, unsigned bytes)
{
	probe_log(opaque, offset, value, bytes);
}

static const struct io_ops ops1 = {probe_read, probe_write, 1};
static const struct io_ops ops4 = {probe_read, probe_write, 4};
static const struct io_ops ops8 = {probe_read, probe_write, 8};

static struct space s;
static uint8_t *ram;

static int setup(void **state)
{
	(void)state;
	space_init(&s, NULL, NULL, TRACE_MMIO);
	ram = host_ram_map(0x10000);
	return space_map_ram(&s, 0x100000, 0x10000, ram, false);
}

static int teardown(void **state)
{
	(void)state;
	space_destroy(&s);
	host_ram_unmap(ram, 0x10000);
	return 0;
}

static void map_checks(void **state)
{
	(void)state;
	assert_int_equal(space_map_ram(&s, 0x10f000, 0x2000, ram, false), -EINVAL); /* overlap */
	assert_int_equal(space_map_ram(&s, 0x200800, 0x1000, ram, false), -EINVAL); /* unaligned */
	assert_int_equal(space_map_ram(&s, 0x200000, 0, ram, false), -EINVAL);
	assert_int_equal(space_map_ram(&s, ~0xfffull, 0x2000, ram, false), -EINVAL); /* wraps */
	for (unsigned i = 1; i < SPACE_RAM_MAX; i++)
		assert_int_equal(space_map_ram(&s, 0x1000000 * i, 0x1000, ram, false), 0);
	assert_int_equal(space_map_ram(&s, 0x80000000, 0x1000, ram, false), -ENOSPC);
	for (unsigned i = 0; i < SPACE_IO_MAX; i++)
		assert_int_equal(space_map_io(&s, "x", i, 1, &ops1, NULL), 0);
	assert_int_equal(space_map_io(&s, "x", 0, 1, &ops1, NULL), -ENOSPC);
}

static void splits_to_device_width(void **state)
{
	struct probe p = {.fill = 0xab};

	(void)state;
	assert_int_equal(space_map_io(&s, "narrow", 0x3f8, 8, &ops1, &p), 0);
	assert_int_equal(space_io_read(&s, 0x3f8, 2), 0xabab);
	assert_int_equal(p.count, 2);
	assert_int_equal(p.offset[1], 1);
	assert_int_equal(p.bytes[1], 1);
	space_io_write(&s, 0x3fc, 0x44332211, 4);
	assert_int_equal(p.count, 6);
	assert_int_equal(p.value[2], 0x11);
	assert_int_equal(p.value[5], 0x44);
	assert_int_equal(p.offset[5], 7);
}

static void straddles_the_end(void **state)
{
	struct probe p = {.fill = 0x12};

	(void)state;
	assert_int_equal(space_map_io(&s, "wide", 0x1000, 6, &ops8, &p), 0);
	assert_true(space_io_read(&s, 0x1000, 8) == 0xffff121212121212ull);
	assert_int_equal(p.count, 2); /* 4 + 2, then the hole */
	assert_int_equal(p.bytes[0], 4);
	assert_int_equal(p.bytes[1], 2);
	/* Misaligned: naturally aligned pieces only. */
	p.count = 0;
	assert_true(space_io_read(&s, 0x1001, 4) == 0x12121212);
	assert_int_equal(p.count, 3);
	assert_int_equal(p.bytes[0], 1);
	assert_int_equal(p.bytes[1], 2);
	assert_int_equal(p.bytes[2], 1);
}

static void newest_wins(void **state)
{
	struct probe old = {.fill = 1}, new = {.fill = 2};

	(void)state;
	assert_int_equal(space_map_io(&s, "old", 0x2000, 0x10, &ops4, &old), 0);
	assert_int_equal(space_map_io(&s, "new", 0x2002, 1, &ops4, &new), 0);
	/* The newer one sits in the middle of the access. */
	assert_true(space_io_read(&s, 0x2000, 4) == 0x01020101);
	space_io_place(&s, space_find_io(&s, "new"), 0, false);
	assert_true(space_io_read(&s, 0x2000, 4) == 0x01010101);
	assert_null(space_find_io(&s, "newer"));
}

static void holes_and_ram(void **state)
{
	struct probe p = {.fill = 9};

	(void)state;
	assert_true(space_io_read(&s, 0x5000, 8) == ~0ull);
	assert_true(space_io_read(&s, 0x5000, 2) == 0xffff);
	space_io_write(&s, 0x5000, 1, 8);
	space_io_write(&s, 0x100010, 0x55aa, 2); /* falls on RAM */
	assert_int_equal(ram[0x10], 0xaa);
	assert_int_equal(space_io_read(&s, 0x100010, 2), 0x55aa);
	/* Half in RAM, half beyond its end. */
	ram[0xffff] = 0x77;
	assert_true(space_io_read(&s, 0x10ffff, 2) == 0xff77);
	/* RAM beside a device in the same page still answers the dispatcher. */
	assert_int_equal(space_map_io(&s, "over", 0x100000, 4, &ops4, &p), 0);
	assert_int_equal(space_io_read(&s, 0x100010, 2), 0x55aa);
	assert_true(space_io_read(&s, 0x100000, 4) == 0x09090909);
}

static void ram_lookup(void **state)
{
	struct probe p = {.fill = 9};
	bool ro;

	(void)state;
	assert_ptr_equal(space_ram_page(&s, 0x101234, &ro), ram + 0x1000);
	assert_false(ro);
	assert_null(space_ram_page(&s, 0xfffff, &ro));
	assert_null(space_ram_page(&s, 0x110000, &ro));
	assert_ptr_equal(space_ram_range(&s, 0x10fff0, 0x10), ram + 0xfff0);
	assert_null(space_ram_range(&s, 0x10fff0, 0x11));
	assert_null(space_ram_range(&s, 0x10fff0, ~0ull));
	assert_int_equal(space_map_io(&s, "over", 0x101ff0, 4, &ops4, &p), 0);
	assert_null(space_ram_page(&s, 0x101000, &ro));
	space_io_place(&s, space_find_io(&s, "over"), 0, false);
	assert_non_null(space_ram_page(&s, 0x101000, &ro));
}

static void bulk_copies(void **state)
{
	uint8_t buf[0x3000];

	(void)state;
	memset(buf, 0x5a, sizeof(buf));
	assert_true(space_write(&s, 0x100800, buf, sizeof(buf)));
	assert_int_equal(ram[0x7ff], 0);
	assert_int_equal(ram[0x800], 0x5a);
	assert_int_equal(ram[0x37ff], 0x5a);
	assert_int_equal(ram[0x3800], 0);
	assert_false(space_write(&s, 0x10f000, buf, 0x1001));
	assert_false(space_read(&s, 0xff000, buf, 0x2000));
	assert_true(space_read(&s, 0x110000, buf, 0));
	assert_int_equal(space_page_flags(&s, 0x100800), PAGE_DIRTY);
	assert_int_equal(space_page_flags(&s, 0x104000), 0);
}

static void rom_swallows_writes(void **state)
{
	uint8_t *rom = host_ram_map(0x1000), b = 1;
	bool ro;

	(void)state;
	rom[5] = 0x42;
	assert_int_equal(space_map_ram(&s, 0xf0000, 0x1000, rom, true), 0);
	assert_true(space_write(&s, 0xf0005, &b, 1));
	space_io_write(&s, 0xf0005, 7, 1);
	assert_int_equal(rom[5], 0x42);
	assert_true(space_read(&s, 0xf0005, &b, 1));
	assert_int_equal(b, 0x42);
	assert_non_null(space_ram_page(&s, 0xf0005, &ro));
	assert_true(ro);
	assert_null(space_ram_range(&s, 0xf0000, 1));
	host_ram_unmap(rom, 0x1000);
}

struct heard {
	unsigned count;
	uint64_t gpa;
	size_t len;
};

static void hear(void *opaque, uint64_t gpa, size_t len)
{
	struct heard *h = opaque;

	h->count++;
	h->gpa = gpa;
	h->len = len;
}

static void code_pages_are_announced(void **state)
{
	struct heard h = {0};
	uint8_t buf[0x20] = {0};

	(void)state;
	assert_int_equal(space_listen(&s, hear, &h), 0);
	assert_int_equal(space_page_flags_set(&s, 0x101000, PAGE_CODE), 0);
	assert_int_equal(space_page_flags_set(&s, 0x101fff, PAGE_CODE), PAGE_CODE);
	space_write(&s, 0x100000, buf, 8);
	assert_int_equal(h.count, 0);
	space_code_mark(&s, 0x101000, 0x80);
	space_write(&s, 0x100ff0, buf, 0x20); /* only its second half is in the code page */
	assert_int_equal(h.count, 1);
	assert_int_equal(h.gpa, 0x101000);
	assert_int_equal(h.len, 0x10);
	space_write(&s, 0x101080, buf, 0x20); /* data beside the code */
	assert_int_equal(h.count, 1);
	space_page_flags_clear(&s, 0x101000, PAGE_CODE);
	space_write(&s, 0x101000, buf, 8);
	assert_int_equal(h.count, 1);
	assert_int_equal(space_page_flags(&s, 0x101000), PAGE_DIRTY);
	assert_int_equal(space_page_flags_set(&s, 0x900000, PAGE_CODE), 0);
	assert_int_equal(space_page_flags(&s, 0x900000), 0);
}

/* What a device writes is looked at by lines, as CPUs' stores are, also over several pages. */
static void devices_write_beside_code(void **state)
{
	struct heard h = {0};

	(void)state;
	assert_int_equal(space_listen(&s, hear, &h), 0);
	assert_true(space_code_hold(&s, 0x101000) && space_code_hold(&s, 0x103000));
	space_code_mark(&s, 0x101100, 0x40);
	space_code_mark(&s, 0x103ff0, 0x10);
	space_ram_written(&s, 0x101000, 0x100);
	space_ram_written(&s, 0x101140, 0x2e80); /* to the last bytes before the code */
	assert_int_equal(h.count, 0);
	assert_int_equal(space_page_flags(&s, 0x102000), PAGE_DIRTY);
	assert_int_equal(space_page_flags(&s, 0x103000), PAGE_DIRTY | PAGE_CODE);
	space_ram_written(&s, 0x101140, 0x2e81);
	assert_true(h.count == 1 && h.gpa == 0x103000 && h.len == 0xfc1);
	space_ram_written(&s, 0x101000, 0x2000);
	assert_true(h.count == 2 && h.gpa == 0x101000 && h.len == 0x1000);
	space_code_read(&s, 0x101000, 1);
	space_ram_written(&s, 0x101800, 8);
	assert_int_equal(h.count, 3);
	space_code_read(&s, 0x101000, -1);
	space_code_release(&s, 0x101000);
	space_code_release(&s, 0x103000);
}

/* Stores beside the code of a page are nobody's business. */
static void code_and_data_in_one_page(void **state)
{
	struct heard h = {0};
	unsigned n = 0;

	(void)state;
	space_listen(&s, hear, &h);
	assert_false(space_code_stored(&s, 0x101100, 4));
	for (unsigned i = 0; i < 200; i++) /* as many engines as there may be, and more */
		assert_int_equal(space_code_hold(&s, 0x101000), i == 0);
	space_code_read(&s, 0x101000, 1);
	assert_true(space_code_near(&s, 0x101ff8, 8)); /* it is not known yet what is read */
	space_code_mark(&s, 0x1010f0, 0x20);
	space_code_read(&s, 0x101000, -1);
	assert_true(space_code_near(&s, 0x1010c0, 1) && space_code_near(&s, 0x10113f, 1));
	assert_false(space_code_near(&s, 0x1010bf, 1) || space_code_near(&s, 0x101140, 0xec0));
	assert_false(space_code_near(&s, 0x102100, 1));
	assert_false(space_code_stored(&s, 0x101000, 0xc0));
	assert_int_equal(h.count, 0);
	assert_true(space_code_stored(&s, 0x1010bc, 8));
	assert_true(h.count == 1 && h.gpa == 0x1010bc && h.len == 8);
	while (h.count == 1 && n++ < 100000) /* it must be data now */
		assert_false(space_code_stored(&s, 0x101800, 8));
	assert_true(h.count == 2 && h.gpa == 0x101000 && h.len == PAGE_BYTES);
	for (unsigned i = 0; i < 200; i++) {
		assert_true(space_page_flags(&s, 0x101000) & PAGE_CODE);
		space_code_release(&s, 0x101000);
	}
	assert_false(space_page_flags(&s, 0x101000) & PAGE_CODE);
	assert_true(space_code_hold(&s, 0x101000));
	assert_false(space_code_near(&s, 0x101100, 1));
	space_code_release(&s, 0x101000);
}

static void hash_sees_every_word(void **state)
{
	uint64_t h = space_hash(&s);

	(void)state;
	ram[0xffff] ^= 0x80;
	assert_true(space_hash(&s) != h);
	ram[0xffff] ^= 0x80;
	assert_true(space_hash(&s) == h);
}

static void windows(void **state)
{
	struct ram_window w = {.len = 1};

	(void)state;
	assert_true(space_ram_window(&s, 0x104567, &w));
	assert_true(w.base == 0x100000 && w.len == 0x10000 && w.hva == ram);
	assert_false(space_ram_window(&s, 0x110000, &w));
	assert_int_equal(space_map_io(&s, "low", 0x102ff0, 0x20, &ops1, NULL), 0);
	assert_int_equal(space_map_io(&s, "high", 0x108000, 0x1000, &ops1, NULL), 0);
	assert_int_equal(space_map_io(&s, "off", 0x106000, 0x1000, &ops1, NULL), 0);
	space_io_place(&s, space_find_io(&s, "off"), 0, false);
	space_page_flags_set(&s, 0x105000, PAGE_DIRTY);
	assert_true(space_ram_window(&s, 0x107fff, &w));
	assert_true(w.base == 0x104000 && w.len == 0x4000 && w.hva == ram + 0x4000);
	assert_int_equal(w.flags[1], PAGE_DIRTY);
	assert_true(space_ram_window(&s, 0x10f000, &w));
	assert_true(w.base == 0x109000 && w.len == 0x7000 && w.hva == ram + 0x9000);
	assert_true(space_ram_window(&s, 0x100000, &w));
	assert_true(w.base == 0x100000 && w.len == 0x2000 && w.hva == ram);
	/* Every byte of a page that a device covers in part is outside. */
	assert_false(space_ram_window(&s, 0x102000, &w));
	assert_false(space_ram_window(&s, 0x103fff, &w));
	assert_false(space_ram_window(&s, 0x108800, &w));
	assert_true(w.len == 0x2000); /* unchanged */
	assert_int_equal(space_map_ram(&s, 0x200000, 0x1000, ram, true), 0);
	assert_false(space_ram_window(&s, 0x200000, &w)); /* not writable */
}

/* Placing regions by random, against the rule said in the header, asked one by one. */
static void moving_regions(void **state)
{
	enum { REGIONS = 24, SPAN = 256 };
	struct probe p[REGIONS] = {0};
	uint32_t seed = 1;

	(void)state;
	for (unsigned i = 0; i < REGIONS; i++) {
		p[i].fill = (uint8_t)(i + 1);
		assert_int_equal(space_map_io(&s, "r", i, i % 7 + 1, &ops1, &p[i]), 0);
	}
	for (unsigned step = 0; step < 500; step++) {
		struct io_region *r = &s.io[(seed >> 8) % REGIONS];

		seed = seed * 1664525 + 1013904223;
		assert_false(space_io_place(&s, r, (seed >> 16) % SPAN, seed >> 12 & 3));
		for (uint64_t at = 0; at < SPAN + 8; at++) {
			unsigned want = 0xff;

			for (unsigned i = 0; i < REGIONS; i++) {
				p[i].count = 0;
				if (s.io[i].enabled && at - s.io[i].base < s.io[i].len)
					want = i + 1;
			}
			assert_int_equal(space_io_read(&s, at, 1), want);
		}
	}
}

static void moving_over_ram(void **state)
{
	struct probe p = {.fill = 3};
	struct io_region *r;

	(void)state;
	assert_int_equal(space_map_io(&s, "bar", 0x8000000, 0x100, &ops4, &p), 0);
	r = space_find_io(&s, "bar");
	assert_false(space_io_place(&s, r, 0x8000000, true)); /* as it was */
	assert_false(space_io_place(&s, r, 0x9000000, true));
	assert_non_null(space_ram_page(&s, 0x102000, NULL));
	assert_true(space_io_place(&s, r, 0x102800, true));
	assert_null(space_ram_page(&s, 0x102000, NULL));
	assert_true(space_io_read(&s, 0x102800, 4) == 0x03030303);
	assert_true(space_io_place(&s, r, 0x9000000, true));
	assert_non_null(space_ram_page(&s, 0x102000, NULL));
	assert_false(space_io_place(&s, r, ~0xfull, true)); /* would wrap: nowhere */
	assert_false(r->enabled);
	assert_true(space_io_read(&s, ~0xfull, 4) == 0xffffffff);
}

enum { FILL_PAGES = SPACE_FILL_BYTES / PAGE_BYTES, FILLS = 4 };

static unsigned pages_there(const uint8_t *memory, unsigned fill)
{
	unsigned char there[FILL_PAGES];
	unsigned n = 0;

	assert_int_equal(mincore((void *)(uintptr_t)(memory + fill * SPACE_FILL_BYTES),
				 SPACE_FILL_BYTES, there),
			 0);
	for (unsigned k = 0; k < FILL_PAGES; k++)
		n += there[k] & 1;
	return n;
}

/* A first write brings its neighbours, once; not where memory was written or given back before. */
static void first_writes_fill(void **state)
{
	enum { BYTES = FILLS * SPACE_FILL_BYTES - PAGE_BYTES };
	uint8_t *memory = host_ram_map(FILLS * SPACE_FILL_BYTES);
	unsigned all;

	(void)state;
	host_ram_fill(memory, SPACE_FILL_BYTES);
	all = pages_there(memory, 0); /* none where the host cannot */
	assert_true(all == FILL_PAGES || all == 0);
	host_ram_discard(memory, SPACE_FILL_BYTES);
	assert_int_equal(space_map_ram(&s, 0x10000000, BYTES, memory, false), 0);
	space_ram_fill(&s, 0x10003000);
	assert_int_equal(pages_there(memory, 0), all);
	assert_int_equal(pages_there(memory, 1), 0);
	assert_int_equal(space_page_flags(&s, 0x10003000) & PAGE_DIRTY, 0);
	host_ram_discard(memory, SPACE_FILL_BYTES);
	space_ram_fill(&s, 0x10005000);
	assert_int_equal(pages_there(memory, 0), 0);
	assert_true(space_discard(&s, 0x10011000, PAGE_BYTES));
	space_ram_fill(&s, 0x10010000);
	assert_int_equal(pages_there(memory, 1), 0);
	space_ram_fill(&s, 0x10000000 + BYTES - 1);
	assert_int_equal(pages_there(memory, 3), all ? FILL_PAGES - 1 : 0);
	space_ram_fill(&s, 0x20000000); /* nothing there */
}

enum { AHEAD_FILLS = SPACE_AHEAD_BYTES / SPACE_FILL_BYTES };

static bool asked_ahead(int fill)
{
	return space_page_flags(&s, 0x10000000 + (uint64_t)fill * SPACE_FILL_BYTES) & PAGE_AHEAD;
}

/* Fills side by side have those that come next asked for, upwards and downwards, but for what was
 * written or filled before; and nothing outside of memory. */
static void fills_in_a_row_ask_ahead(void **state)
{
	enum { ALL = 3 * AHEAD_FILLS, BASE = 0x10000000 };
	uint8_t *memory = host_ram_map(ALL * SPACE_FILL_BYTES);

	(void)state;
	s.ahead = ahead_create();
	assert_non_null(s.ahead);
	assert_int_equal(space_map_ram(&s, BASE, ALL * SPACE_FILL_BYTES, memory, false), 0);
	memory[9 * SPACE_FILL_BYTES + 5] = 7;
	space_page_flags_set(&s, BASE + (AHEAD_FILLS + 2) * SPACE_FILL_BYTES, PAGE_DIRTY);
	space_ram_fill(&s, BASE + 4 * SPACE_FILL_BYTES);
	for (int k = 0; k < ALL; k++)
		assert_false(asked_ahead(k));
	space_ram_fill(&s, BASE + 5 * SPACE_FILL_BYTES);
	for (int k = 0; k < ALL; k++)
		assert_int_equal(asked_ahead(k), k > 5 && k < AHEAD_FILLS + 2);
	space_ram_fill(&s, BASE + 3 * SPACE_FILL_BYTES);
	for (int k = 0; k < 3; k++)
		assert_true(asked_ahead(k));
	space_ram_fill(&s, BASE + (uint64_t)(ALL - 2) * SPACE_FILL_BYTES);
	space_ram_fill(&s, BASE + (uint64_t)(ALL - 1) * SPACE_FILL_BYTES);
	space_ram_fill(&s, BASE + (uint64_t)(ALL - 3) * SPACE_FILL_BYTES);
	assert_true(asked_ahead(ALL - 4));
	for (int k = 0; k < 100; k++) /* more than it takes in */
		ahead_ask(s.ahead, memory, SPACE_FILL_BYTES);
	ahead_destroy(s.ahead);
	assert_int_equal(memory[9 * SPACE_FILL_BYTES + 5], 7);
	host_ram_unmap(memory, ALL * SPACE_FILL_BYTES);
	s.ahead = NULL;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(map_checks),
		TEST(windows),
		TEST(splits_to_device_width),
		TEST(straddles_the_end),
		TEST(newest_wins),
		TEST(moving_regions),
		TEST(moving_over_ram),
		TEST(holes_and_ram),
		TEST(ram_lookup),
		TEST(bulk_copies),
		TEST(rom_swallows_writes),
		TEST(code_pages_are_announced),
		TEST(devices_write_beside_code),
		TEST(code_and_data_in_one_page),
		TEST(hash_sees_every_word),
		TEST(first_writes_fill),
		TEST(fills_in_a_row_ask_ahead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
