/* Images that are cut short, lie about themselves or go round in circles, and hosts that are full:
 * one clear error each, or an I/O error of a request, and the image stays consistent. */
#include "test.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "backend/block/info.h"
#include "rig.h"

enum { MIB = 1 << 20, CLUSTER = 65536 };

static void make(struct rig *g, uint64_t bytes, const char *backing)
{
	struct image_create c = {.format = "qcow2",
				 .bytes = bytes,
				 .backing = backing,
				 .backing_format = "qcow2",
				 .cluster_bits = 16,
				 .refcount_order = 4,
				 .overwrite = true};
	struct error err = {{0}};

	if (image_create(g->path, &c, &err))
		fail_msg("%s", err.text);
}

static void patch(struct rig *g, uint64_t at, uint64_t value, unsigned bytes)
{
	uint8_t b[8];
	int fd = open(g->path, O_WRONLY);

	for (unsigned i = 0; i < bytes; i++)
		b[i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
	assert_int_equal(pwrite(fd, b, bytes, (off_t)at), bytes);
	close(fd);
}

static uint64_t peek(struct rig *g, uint64_t at)
{
	uint8_t b[8];
	uint64_t v = 0;
	int fd = open(g->path, O_RDONLY);

	assert_int_equal(pread(fd, b, 8, (off_t)at), 8);
	close(fd);
	for (unsigned i = 0; i < 8; i++)
		v = v << 8 | b[i];
	return v;
}

static const struct lie {
	const char *says;
	unsigned at, bytes;
	uint64_t value;
} lies[] = {
	{"version", 4, 4, 9},
	{"clusters of 2^", 20, 4, 8},
	{"clusters of 2^", 20, 4, 22},
	{"clusters of 2^", 20, 4, UINT32_MAX},
	{"too large", 24, 8, UINT64_MAX},
	{"L1 table", 24, 8, 1ull << 50},
	{"encrypted", 32, 4, 1},
	{"L1 table", 36, 4, UINT32_MAX},
	{"L1 table", 36, 4, 0},
	{"L1 table", 40, 8, 512},
	{"L1 table", 40, 8, 1ull << 40},
	{"refcount table", 48, 8, 512},
	{"refcount table", 48, 8, 1ull << 40},
	{"refcount table", 56, 4, UINT32_MAX},
	{"refcount table", 56, 4, 0},
	{"not supported: bit 40", 72, 8, 1ull << 40},
	{"another file", 72, 8, 4},
	{"marked corrupt", 72, 8, 2},
	{"refcounts of 2^", 96, 4, 7},
	{"a header of", 100, 4, 4},
	{"a header of", 100, 4, 1 << 20},
	{"header extension", 112 + 4, 4, UINT32_MAX},
	{"name of its backing file", 8, 8, 1ull << 40},
};

static void headers_that_lie(void **state)
{
	struct rig g;

	for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		rig_init(&g, "image");
		make(&g, 16 * MIB, NULL);
		patch(&g, 16, 100, 4); /* so that the last one means something */
		patch(&g, lies[i].at, lies[i].value, lies[i].bytes);
		assert_true(rig_open(&g, (struct image_options){.write = true}, true) < 0);
		if (!strstr(g.warning, lies[i].says) || strncmp(g.warning, "disk ", 5))
			fail_msg("%u: \"%s\" does not say \"%s\"", i, g.warning, lies[i].says);
		rig_clear(&g);
	}
}

/* Subclusters: clusters too small for them, and bitmaps that cannot be. */
static void subclusters_that_lie(void **state)
{
	/* there and zero; there but without a cluster; the zero bit of plain entries */
	static const uint64_t bitmaps[] = {1ull << 32 | 1, 1, 0}, entries[] = {0, 0, 1};
	struct image_create c = {.format = "qcow2",
				 .bytes = 16 * MIB,
				 .cluster_bits = 13,
				 .refcount_order = 4,
				 .extended_l2 = true,
				 .overwrite = true};
	struct image_check found;
	struct error err;
	uint8_t buf[4096] = {1};
	struct rig g;

	rig_init(&g, "image");
	assert_int_equal(image_create(g.path, &c, &err), 0);
	assert_true(rig_open(&g, (struct image_options){.write = true}, true) < 0);
	assert_non_null(strstr(g.warning, "must be 2^14"));
	c.cluster_bits = 16;
	for (unsigned i = 0; i < 3; i++) {
		uint64_t l2;

		assert_int_equal(image_create(g.path, &c, &err), 0);
		assert_int_equal(rig_open(&g, (struct image_options){.write = true}, true), 0);
		assert_int_equal(rig_do(&g, BLOCK_WRITE, 0, 4096, buf), 0);
		rig_close(&g);
		l2 = peek(&g, peek(&g, 40)) & ~(1ull << 63);
		assert_int_equal(peek(&g, l2 + 8), 3);
		if (i)
			patch(&g, l2, entries[i], 8);
		patch(&g, l2 + 8, bitmaps[i], 8);
		g.warning[0] = 0;
		assert_int_equal(rig_open(&g, (struct image_options){.write = true}, false), 0);
		assert_int_equal(rig_do(&g, BLOCK_READ, 0, 4096, buf), -EIO);
		assert_int_equal(rig_do(&g, BLOCK_WRITE, 0, 4096, buf), -EIO);
		assert_non_null(strstr(g.warning, "damaged"));
		rig_close(&g);
		assert_int_equal(image_check(g.path, NULL, false, &found, &err), 0);
		assert_true(found.corruptions > 0);
		assert_int_equal(image_check(g.path, NULL, true, &found, &err), 0);
		assert_int_equal(found.corruptions_fixed, found.corruptions);
		assert_int_equal(image_check(g.path, NULL, false, &found, &err), 0);
		assert_int_equal(found.corruptions + found.leaks, 0);
	}
	rig_clear(&g);
}

/* Tables that point anywhere: a request fails, once with a word, and nothing is written there. */
static void tables_that_lie(void **state)
{
	static const uint64_t l1s[] = {1ull << 63 | 512, 1ull << 63 | 1ull << 40};
	static const uint64_t l2s[] = {1ull << 63 | 512, 1ull << 63 | 1ull << 40,
				       1ull << 62 | 1ull << 50, 3ull << 62 | 65536};
	uint8_t buf[4096] = {1};
	struct rig g;

	for (unsigned i = 0; i < 6; i++) {
		uint64_t l1;

		rig_init(&g, "image");
		make(&g, 16 * MIB, NULL);
		assert_int_equal(rig_open(&g, (struct image_options){.write = true}, true), 0);
		assert_int_equal(rig_do(&g, BLOCK_WRITE, 0, 4096, buf), 0);
		rig_close(&g);
		l1 = peek(&g, 40);
		if (i < 2)
			patch(&g, l1, l1s[i], 8);
		else
			patch(&g, peek(&g, l1) & ~(1ull << 63), l2s[i - 2], 8);
		assert_int_equal(rig_open(&g, (struct image_options){.write = true}, false), 0);
		assert_int_equal(rig_do(&g, BLOCK_READ, 0, 4096, buf), -EIO);
		assert_int_equal(rig_do(&g, BLOCK_WRITE, 0, 4096, buf), -EIO);
		assert_non_null(strstr(g.warning, "damaged"));
		rig_do(&g, BLOCK_ZERO, 0, 65536, NULL);
		rig_do(&g, BLOCK_DISCARD, 0, 1 * MIB, NULL);
		rig_do(&g, BLOCK_FLUSH, 0, 0, NULL);
		rig_clear(&g);
	}
}

/* Refcounts that call everything free must not have us overwrite the header and the tables. */
static void refcounts_that_lie(void **state)
{
	uint8_t buf[4096] = {1};
	uint64_t block;
	struct rig g;

	rig_init(&g, "image");
	make(&g, 16 * MIB, NULL);
	block = peek(&g, peek(&g, 48));
	for (unsigned i = 0; i < 16; i++)
		patch(&g, block + 2 * i, 0, 2);
	assert_int_equal(rig_open(&g, (struct image_options){.write = true}, true), 0);
	assert_int_equal(rig_do(&g, BLOCK_WRITE, 0, 4096, buf), -EIO);
	rig_close(&g);
	assert_int_equal(rig_open(&g, (struct image_options){.write = true}, true), 0);
	rig_clear(&g);
}

static void cut_short(void **state)
{
	static uint8_t buf[MIB];
	struct rig g;

	memset(buf, 5, sizeof(buf));
	rig_init(&g, "image");
	make(&g, 16 * MIB, NULL);
	assert_int_equal(rig_open(&g, (struct image_options){.write = true}, true), 0);
	assert_int_equal(rig_do(&g, BLOCK_WRITE, 0, MIB, buf), 0);
	rig_close(&g);
	assert_int_equal(truncate(g.path, 10 * CLUSTER), 0);
	assert_int_equal(rig_open(&g, (struct image_options){0}, false), 0);
	assert_int_equal(rig_do(&g, BLOCK_READ, 0, 4096, buf), 0);
	assert_int_equal(rig_do(&g, BLOCK_READ, MIB - 4096, 4096, buf), -EIO);
	rig_close(&g);
	for (int len = 3 * CLUSTER; len >= 0; len -= 8000) {
		assert_int_equal(truncate(g.path, len), 0);
		if (rig_open(&g, (struct image_options){.format = "qcow2"}, true) == 0) {
			rig_do(&g, BLOCK_READ, 0, MIB, buf);
			rig_close(&g);
		}
	}
	rig_clear(&g);
}

static void in_a_circle(void **state)
{
	struct rig g;
	char other[128];

	rig_init(&g, "a");
	make(&g, MIB, NULL);
	snprintf(other, sizeof(other), "%s", g.path);
	snprintf(g.path, sizeof(g.path), "%s/b", g.dir);
	make(&g, MIB, "a");
	assert_int_equal(rename(other, g.path), 0); /* now make a on b, which is a */
	make(&g, MIB, NULL);
	assert_int_equal(link(g.path, other), 0);
	snprintf(g.path, sizeof(g.path), "%s/c", g.dir);
	make(&g, MIB, "b");
	assert_int_equal(rename(g.path, other), 0);
	snprintf(g.path, sizeof(g.path), "%s/b", g.dir);
	assert_int_equal(unlink(g.path), 0);
	assert_int_equal(symlink("a", g.path), 0);
	assert_int_equal(rig_open(&g, (struct image_options){.write = true}, true), -ELOOP);
	assert_non_null(strstr(g.warning, "its own backing file"));
	rig_clear(&g);
}

static void too_deep(void **state)
{
	struct rig g;
	char name[16] = "";

	rig_init(&g, "0");
	make(&g, MIB, NULL);
	for (unsigned i = 1; i < 40; i++) {
		struct image_create c = {.format = "qcow2",
					 .bytes = MIB,
					 .cluster_bits = 9,
					 .refcount_order = 4,
					 .backing = name};
		struct error err = {{0}};
		int r;

		snprintf(name, sizeof(name), "%u", i - 1);
		snprintf(g.path, sizeof(g.path), "%s/%u", g.dir, i);
		r = image_create(g.path, &c, &err);
		if (i < 32) {
			assert_int_equal(r, 0);
			continue;
		}
		assert_true(r < 0);
		assert_non_null(strstr(err.text, "more than 32 images"));
		break;
	}
	rig_clear(&g);
}

static void backing_is_missing(void **state)
{
	struct rig g;
	char base[128];

	rig_init(&g, "base");
	make(&g, MIB, NULL);
	snprintf(base, sizeof(base), "%s", g.path);
	snprintf(g.path, sizeof(g.path), "%s/image", g.dir);
	make(&g, MIB, "base");
	unlink(base);
	assert_int_equal(rig_open(&g, (struct image_options){.write = true}, true), -ENOENT);
	assert_non_null(strstr(g.warning, "base"));
	assert_non_null(strstr(g.warning, "no such file"));
	rig_clear(&g);
}

/* Two machines on top of one image; nobody may write to that. */
static void backing_is_shared(void **state)
{
	struct image_options write = {.write = true};
	struct image *a, *b, *c;
	struct error err = {{0}};
	struct rig g;
	char top[128];

	rig_init(&g, "base");
	make(&g, MIB, NULL);
	snprintf(g.path, sizeof(g.path), "%s/one", g.dir);
	make(&g, MIB, "base");
	assert_int_equal(image_open(&a, g.path, &write, &err), 0);
	snprintf(g.path, sizeof(g.path), "%s/two", g.dir);
	make(&g, MIB, "base");
	assert_int_equal(image_open(&b, g.path, &write, &err), 0);
	snprintf(top, sizeof(top), "%s/base", g.dir);
	assert_int_equal(image_open(&c, top, &write, &err), -EBUSY);
	image_close(a);
	image_close(b);
	assert_int_equal(image_open(&c, top, &write, &err), 0);
	assert_int_equal(image_open(&b, g.path, &write, &err), -EBUSY);
	image_close(c);
	rig_clear(&g);
}

static void full_host(void **state)
{
	static uint8_t buf[CLUSTER], in[CLUSTER];
	struct rlimit before, low;
	struct image_check c;
	struct error err;
	struct rig g;
	unsigned written = 0;

	signal(SIGXFSZ, SIG_IGN);
	memset(buf, 7, sizeof(buf));
	rig_init(&g, "image");
	make(&g, 16 * MIB, NULL);
	assert_int_equal(rig_open(&g, (struct image_options){.write = true}, false), 0);
	getrlimit(RLIMIT_FSIZE, &before);
	low = before;
	low.rlim_cur = MIB + 1000;
	setrlimit(RLIMIT_FSIZE, &low);
	for (unsigned i = 0; i < 32; i++) {
		int r = rig_do(&g, BLOCK_WRITE, i * CLUSTER, CLUSTER, buf);

		if (r == 0)
			written++;
		else
			assert_int_equal(r, -EFBIG);
	}
	assert_in_range(written, 8, 16);
	assert_int_equal(rig_do(&g, BLOCK_FLUSH, 0, 0, NULL), 0);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_int_equal(image_check(g.path, NULL, false, &c, &err), -EBUSY);
	for (unsigned i = written; i < 32; i++)
		assert_int_equal(rig_do(&g, BLOCK_WRITE, i * CLUSTER, CLUSTER, buf), 0);
	for (unsigned i = 0; i < 32; i++) {
		assert_int_equal(rig_do(&g, BLOCK_READ, i * CLUSTER, CLUSTER, in), 0);
		assert_memory_equal(in, buf, CLUSTER);
	}
	rig_close(&g);
	assert_int_equal(image_check(g.path, NULL, false, &c, &err), 0);
	assert_int_equal(c.corruptions, 0);
	assert_int_equal(c.leaks, 0);
	rig_clear(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_that_lie),
		cmocka_unit_test(tables_that_lie),
		cmocka_unit_test(subclusters_that_lie),
		cmocka_unit_test(refcounts_that_lie),
		cmocka_unit_test(cut_short),
		cmocka_unit_test(in_a_circle),
		cmocka_unit_test(too_deep),
		cmocka_unit_test(backing_is_missing),
		cmocka_unit_test(backing_is_shared),
		cmocka_unit_test(full_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
