/* Virtqueues with a driver that breaks the rules: the queue stops, nothing outside RAM is touched.
 */
#include "test.h"

#include "fake_driver.h"

static struct virtq_chain chain;
static struct fake_driver f;
static struct virtqueue q;

static void begin(bool packed, uint16_t size)
{
	fake_driver_ram(&f);
	fake_driver_start(&f, packed, true, size);
	memset(&q, 0, sizeof(q));
	q.size_max = 1024;
	q.memory = &f.memory;
	virtqueue_reset(&q);
	fake_driver_place(&f, &q);
	assert_true(virtqueue_enable(&q, packed, true));
}

/* The next chain breaks the queue, for good. */
static void ends_broken(void)
{
	assert_int_equal(virtqueue_pop(&q, &chain), -EINVAL);
	assert_true(q.broken);
	assert_int_equal(virtqueue_pop(&q, &chain), -EINVAL);
	assert_false(virtqueue_kicks_on(&q));
	virtqueue_kicks_off(&q);
	virtqueue_push(&q, &chain, 0);
	virtqueue_reset(&q);
	assert_int_equal(virtqueue_pop(&q, &chain), 0);
	fake_driver_free(&f);
}

static void one(bool packed, struct fake_seg s)
{
	begin(packed, 8);
	fake_add(&f, &s, 1);
	ends_broken();
}

static void test_addresses(void **state)
{
	for (int packed = 0; packed < 2; packed++) {
		one(packed, (struct fake_seg){FAKE_RAM, 1, 0});
		one(packed, (struct fake_seg){FAKE_RAM - 1, 2, FAKE_WRITE});
		one(packed, (struct fake_seg){~0ull, 1, 0});
		one(packed, (struct fake_seg){~0ull - 7, 16, FAKE_WRITE});
		one(packed, (struct fake_seg){0, 0xffffffff, 0});
		one(packed, (struct fake_seg){FAKE_DATA, 0x80000001, 0});
	}
}

static void test_zero_length_segment_is_nothing(void **state)
{
	for (int packed = 0; packed < 2; packed++) {
		const struct fake_seg s[] = {{~0ull, 0, 0}, {FAKE_DATA, 4, 0}};
		struct io_piece piece[2];
		begin(packed, 8);
		fake_add(&f, s, 2);
		assert_int_equal(virtqueue_pop(&q, &chain), 1);
		assert_int_equal(chain.out_bytes, 4);
		assert_int_equal(virtq_chain_pieces(&q, &chain, false, 0, 4, piece, 2), 1);
		fake_driver_free(&f);
	}
}

static void test_tables(void **state)
{
	for (int packed = 0; packed < 2; packed++) {
		one(packed, (struct fake_seg){FAKE_TABLES, 0, FAKE_INDIRECT});
		one(packed, (struct fake_seg){FAKE_TABLES, 8, FAKE_INDIRECT});
		one(packed, (struct fake_seg){FAKE_TABLES, 40, FAKE_INDIRECT});
		one(packed, (struct fake_seg){FAKE_RAM - 16, 32, FAKE_INDIRECT});
		one(packed, (struct fake_seg){~0xfull, 16, FAKE_INDIRECT});
		one(packed, (struct fake_seg){FAKE_TABLES, 0xfffffff0, FAKE_INDIRECT});
		one(packed, (struct fake_seg){FAKE_TABLES, 16, FAKE_INDIRECT | FAKE_NEXT});
	}
}

static void test_nested_table(void **state)
{
	for (int packed = 0; packed < 2; packed++) {
		const struct fake_seg s[] = {{FAKE_DATA, 4, 0},
					     {FAKE_TABLES + 0x8000, 16, FAKE_INDIRECT}};
		begin(packed, 8);
		fake_add_indirect(&f, s, 2);
		ends_broken();
	}
}

/* Descriptors, and then a table: allowed. */
static void test_table_at_the_end(void **state)
{
	for (int packed = 0; packed < 2; packed++) {
		const struct fake_seg inner = {FAKE_DATA, 4, FAKE_WRITE};
		const struct fake_seg s[] = {{FAKE_DATA, 8, 0},
					     {FAKE_TABLES + 0x8000, 16, FAKE_INDIRECT}};
		begin(packed, 8);
		fake_desc(&f, FAKE_TABLES + 0x8000, &inner, 0, packed ? inner.flags : 0);
		fake_add(&f, s, 2);
		assert_int_equal(virtqueue_pop(&q, &chain), 1);
		assert_int_equal(chain.out, 1);
		assert_int_equal(chain.in, 1);
		fake_driver_free(&f);
	}
}

static void test_readable_after_writable(void **state)
{
	for (int packed = 0; packed < 2; packed++) {
		const struct fake_seg s[] = {{FAKE_DATA, 4, FAKE_WRITE}, {FAKE_DATA, 4, 0}};
		begin(packed, 8);
		fake_add(&f, s, 2);
		ends_broken();
		begin(packed, 8);
		fake_add_indirect(&f, s, 2);
		ends_broken();
	}
}

static void test_loop(void **state)
{
	struct fake_seg s = {FAKE_DATA, 1, FAKE_NEXT};

	begin(false, 8);
	fake_desc(&f, FAKE_DESC + 16 * 3, &s, 0, 3);
	fake_avail(&f, 3);
	ends_broken();
	begin(false, 8);
	fake_desc(&f, FAKE_DESC, &s, 0, 5);
	fake_desc(&f, FAKE_DESC + 16 * 5, &s, 0, 0);
	fake_avail(&f, 0);
	ends_broken();
	/* in a table: entry 1 goes back to 0 */
	begin(false, 8);
	fake_desc(&f, FAKE_TABLES, &s, 0, 1);
	fake_desc(&f, FAKE_TABLES + 16, &s, 0, 0);
	s = (struct fake_seg){FAKE_TABLES, 32, FAKE_INDIRECT};
	fake_add(&f, &s, 1);
	ends_broken();
	/* packed: all entries of the ring go on to the next */
	begin(true, 8);
	for (unsigned i = 0; i < 8; i++) {
		s = (struct fake_seg){FAKE_DATA, 1, 0};
		fake_desc(&f, FAKE_DESC + 16 * i, &s, 0, FAKE_NEXT | 1 << 7);
	}
	ends_broken();
}

static void test_next_outside(void **state)
{
	struct fake_seg s = {FAKE_DATA, 1, FAKE_NEXT};

	begin(false, 8);
	fake_desc(&f, FAKE_DESC, &s, 0, 8);
	fake_avail(&f, 0);
	ends_broken();
	begin(false, 8);
	fake_desc(&f, FAKE_TABLES, &s, 0, 1);
	s = (struct fake_seg){FAKE_TABLES, 16, FAKE_INDIRECT};
	fake_add(&f, &s, 1);
	ends_broken();
	begin(false, 8);
	fake_avail(&f, 8);
	ends_broken();
	begin(false, 8);
	fake_avail(&f, 0xffff);
	ends_broken();
}

static void test_index_jumps(void **state)
{
	begin(false, 8);
	store_le16(f.ram + FAKE_DRIVER + 2, 9);
	ends_broken();
	/* backwards */
	begin(false, 8);
	fake_add(&f, (struct fake_seg[]){{FAKE_DATA, 1, 0}}, 1);
	assert_int_equal(virtqueue_pop(&q, &chain), 1);
	virtqueue_push(&q, &chain, 0);
	store_le16(f.ram + FAKE_DRIVER + 2, 0);
	ends_broken();
}

/* The same chain again and again, none given back. */
static void test_more_in_use_than_entries(void **state)
{
	const struct fake_seg s = {FAKE_DATA, 1, 0};

	for (int packed = 0; packed < 2; packed++) {
		begin(packed, 4);
		for (unsigned i = 0; i < 4; i++) {
			fake_add(&f, &s, 1);
			assert_int_equal(virtqueue_pop(&q, &chain), 1);
		}
		fake_add(&f, &s, 1);
		ends_broken();
	}
}

static void test_long_chain(void **state)
{
	static struct fake_seg s[VIRTQ_SEGS_MAX + 1];

	for (unsigned i = 0; i < ARRAY_LEN(s); i++)
		s[i] = (struct fake_seg){FAKE_DATA + i, 1, 0};
	for (int packed = 0; packed < 2; packed++) {
		for (int indirect = 0; indirect < 2; indirect++) {
			begin(packed, 1024);
			indirect ? fake_add_indirect(&f, s, VIRTQ_SEGS_MAX)
				 : fake_add(&f, s, VIRTQ_SEGS_MAX);
			assert_int_equal(virtqueue_pop(&q, &chain), 1);
			assert_int_equal(chain.out, VIRTQ_SEGS_MAX);
			virtqueue_push(&q, &chain, 0);
			indirect ? fake_add_indirect(&f, s, VIRTQ_SEGS_MAX + 1)
				 : fake_add(&f, s, VIRTQ_SEGS_MAX + 1);
			ends_broken();
		}
	}
}

static bool enables(bool packed, uint16_t size, uint64_t desc, uint64_t driver, uint64_t device)
{
	virtqueue_reset(&q);
	q.size = size;
	q.desc = desc;
	q.driver = driver;
	q.device = device;
	return virtqueue_enable(&q, packed, false);
}

static void test_refuses_to_enable(void **state)
{
	begin(false, 8);
	for (int packed = 0; packed < 2; packed++) {
		assert_true(enables(packed, 8, FAKE_DESC, FAKE_DRIVER, FAKE_DEVICE));
		assert_true(enables(packed, 1024, FAKE_DESC, FAKE_DRIVER, FAKE_DEVICE));
		assert_false(enables(packed, 0, FAKE_DESC, FAKE_DRIVER, FAKE_DEVICE));
		assert_false(enables(packed, 7, FAKE_DESC, FAKE_DRIVER, FAKE_DEVICE));
		assert_false(enables(packed, 2048, FAKE_DESC, FAKE_DRIVER, FAKE_DEVICE));
		assert_false(enables(packed, 8, FAKE_DESC + 8, FAKE_DRIVER, FAKE_DEVICE));
		assert_false(enables(packed, 8, FAKE_DESC, FAKE_DRIVER + 1, FAKE_DEVICE));
		assert_false(enables(packed, 8, FAKE_DESC, FAKE_DRIVER, FAKE_DEVICE + 2));
		assert_false(enables(packed, 8, FAKE_RAM - 16, FAKE_DRIVER, FAKE_DEVICE));
		assert_false(enables(packed, 8, ~0ull - 15, FAKE_DRIVER, FAKE_DEVICE));
		assert_false(enables(packed, 8, FAKE_DESC, FAKE_RAM, FAKE_DEVICE));
		assert_false(enables(packed, 8, FAKE_DESC, FAKE_DRIVER, 1ull << 40));
	}
	assert_true(enables(true, 8, FAKE_DESC, FAKE_RAM - 4, FAKE_DEVICE));
	assert_false(enables(false, 8, FAKE_DESC, FAKE_RAM - 4, FAKE_DEVICE));
	fake_driver_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_zero_length_segment_is_nothing),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_nested_table),
		cmocka_unit_test(test_table_at_the_end),
		cmocka_unit_test(test_readable_after_writable),
		cmocka_unit_test(test_loop),
		cmocka_unit_test(test_next_outside),
		cmocka_unit_test(test_index_jumps),
		cmocka_unit_test(test_more_in_use_than_entries),
		cmocka_unit_test(test_long_chain),
		cmocka_unit_test(test_refuses_to_enable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
