/* Virtqueues of both kinds with a driver that keeps the rules: order, wrap-around, indirect tables,
 * interrupts and kicks wanted and not, mark and rewind, reset with chains in use, restoring. */
#include "test.h"

#include "fake_driver.h"

static struct virtq_chain chain;

struct kind {
	bool packed, event_idx;
};
static const struct kind kinds[] = {{false, false}, {false, true}, {true, false}, {true, true}};

static void begin(struct fake_driver *f, struct virtqueue *q, const struct kind *k, uint16_t size)
{
	fake_driver_ram(f);
	fake_driver_start(f, k->packed, k->event_idx, size);
	memset(q, 0, sizeof(*q));
	q->size_max = 256;
	q->memory = &f->memory;
	virtqueue_reset(q);
	assert_int_equal(q->size, 256);
	fake_driver_place(f, q);
	assert_true(virtqueue_enable(q, k->packed, k->event_idx));
}

static const struct fake_seg three[] = {
	{FAKE_DATA, 16, 0},
	{FAKE_DATA + 0x1000, 100, FAKE_WRITE},
	{FAKE_DATA + 0x2000, 28, FAKE_WRITE},
};

static void check_three(const struct virtq_chain *c, uint16_t id)
{
	assert_int_equal(c->id, id);
	assert_int_equal(c->out, 1);
	assert_int_equal(c->in, 2);
	assert_int_equal(c->out_bytes, 16);
	assert_int_equal(c->in_bytes, 128);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(c->seg[i].gpa, three[i].gpa);
		assert_int_equal(c->seg[i].len, three[i].len);
	}
}

/* Many times around a small ring, direct and indirect in turn. */
static void goes_around(const struct kind *k)
{
	struct fake_driver f;
	struct virtqueue q;
	uint32_t id, len;

	begin(&f, &q, k, 8);
	assert_int_equal(virtqueue_pop(&q, &chain), 0);
	for (unsigned i = 0; i < 1000; i++) {
		uint16_t mine = i % 3 ? fake_add(&f, three, 3) : fake_add_indirect(&f, three, 3);
		assert_int_equal(virtqueue_pop(&q, &chain), 1);
		check_three(&chain, mine);
		assert_int_equal(virtqueue_pop(&q, &chain), 0);
		assert_false(fake_used(&f, &id, &len));
		virtqueue_push(&q, &chain, 77);
		assert_true(fake_used(&f, &id, &len));
		assert_int_equal(id, mine);
		assert_int_equal(len, 77);
		assert_false(fake_used(&f, &id, &len));
	}
	assert_int_equal(q.in_use, 0);
	fake_driver_free(&f);
}

static void out_of_order(const struct kind *k)
{
	static struct virtq_chain c[4];
	struct fake_driver f;
	struct virtqueue q;
	uint16_t ids[4];
	uint32_t id, len;

	begin(&f, &q, k, 16);
	for (unsigned i = 0; i < 4; i++)
		ids[i] = fake_add(&f, three, i % 2 ? 1 : 3);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(virtqueue_pop(&q, &c[i]), 1);
	assert_int_equal(q.in_use, 4);
	for (unsigned i = 4; i-- > 0;) {
		virtqueue_push(&q, &c[i], i);
		assert_true(fake_used(&f, &id, &len));
		assert_int_equal(id, ids[i]);
		assert_int_equal(len, i);
	}
	fake_driver_free(&f);
}

static void interrupts(const struct kind *k)
{
	struct fake_driver f;
	struct virtqueue q;
	uint32_t id, len;

	begin(&f, &q, k, 4);
	for (unsigned i = 0; i < 50; i++) {
		bool want = i % 3 != 0;
		enum fake_interrupts yes = k->event_idx ? FAKE_NEXT_USED : FAKE_ALWAYS;
		fake_interrupts(&f, want ? yes : FAKE_NEVER);
		fake_add(&f, three, 1);
		assert_int_equal(virtqueue_pop(&q, &chain), 1);
		virtqueue_push(&q, &chain, 0);
		assert_int_equal(q.interrupt, want);
		q.interrupt = 0;
		assert_true(fake_used(&f, &id, &len));
	}
	fake_driver_free(&f);
}

static void kicks(const struct kind *k)
{
	struct fake_driver f;
	struct virtqueue q;
	uint32_t id, len;

	begin(&f, &q, k, 4);
	for (unsigned i = 0; i < 50; i++) {
		assert_false(virtqueue_kicks_on(&q));
		fake_add(&f, three, 1);
		assert_true(fake_kick_wanted(&f, 1));
		virtqueue_kicks_off(&q);
		assert_int_equal(virtqueue_pop(&q, &chain), 1);
		virtqueue_push(&q, &chain, 0);
		fake_add(&f, three, 1);
		assert_false(fake_kick_wanted(&f, 1));
		assert_true(virtqueue_kicks_on(&q)); /* there is one already */
		assert_int_equal(virtqueue_pop(&q, &chain), 1);
		virtqueue_push(&q, &chain, 0);
		assert_true(fake_used(&f, &id, &len));
		assert_true(fake_used(&f, &id, &len));
	}
	fake_driver_free(&f);
}

static void rewinds(const struct kind *k)
{
	struct fake_driver f;
	struct virtqueue q;

	begin(&f, &q, k, 8);
	for (unsigned round = 0; round < 10; round++) {
		uint32_t id, len;
		uint16_t first = fake_add(&f, three, 3), second = fake_add_indirect(&f, three, 3);
		struct virtq_mark m = virtqueue_mark(&q);
		assert_int_equal(virtqueue_pop(&q, &chain), 1);
		assert_int_equal(virtqueue_pop(&q, &chain), 1);
		virtqueue_rewind(&q, m);
		assert_int_equal(q.in_use, 0);
		assert_int_equal(virtqueue_pop(&q, &chain), 1);
		check_three(&chain, first);
		virtqueue_push(&q, &chain, 0);
		assert_int_equal(virtqueue_pop(&q, &chain), 1);
		check_three(&chain, second);
		virtqueue_push(&q, &chain, 0);
		assert_true(fake_used(&f, &id, &len) && fake_used(&f, &id, &len));
	}
	fake_driver_free(&f);
}

static void stops_when_unused(const struct kind *k)
{
	struct fake_driver f;
	struct virtqueue q;
	uint32_t id, len;

	begin(&f, &q, k, 8);
	fake_add(&f, three, 3);
	fake_add(&f, three, 3);
	assert_int_equal(virtqueue_pop(&q, &chain), 1);
	virtqueue_stop(&q);
	assert_true(q.resetting && q.enabled);
	static struct virtq_chain other;
	assert_int_equal(virtqueue_pop(&q, &other), 0);
	virtqueue_push(&q, &chain, 5);
	assert_false(q.resetting || q.enabled || q.interrupt);
	assert_false(fake_used(&f, &id, &len));
	fake_driver_start(&f, k->packed, k->event_idx, 4);
	fake_driver_place(&f, &q);
	assert_true(virtqueue_enable(&q, k->packed, k->event_idx));
	fake_add(&f, three, 3);
	assert_int_equal(virtqueue_pop(&q, &chain), 1);
	fake_driver_free(&f);
}

/* What is written to rings and data is marked, for who copies or caches RAM. */
static void marks_pages(const struct kind *k)
{
	struct fake_driver f;
	struct virtqueue q;
	uint64_t used_page = k->packed ? FAKE_DESC : FAKE_DEVICE;

	begin(&f, &q, k, 8);
	fake_add(&f, three, 3);
	assert_int_equal(virtqueue_pop(&q, &chain), 1);
	assert_int_equal(space_page_flags(&f.memory, used_page), 0);
	assert_int_equal(virtq_chain_write(&q, &chain, 0, "abc", 3), 3);
	assert_int_equal(space_page_flags(&f.memory, FAKE_DATA + 0x1000), PAGE_DIRTY);
	assert_int_equal(space_page_flags(&f.memory, FAKE_DATA + 0x2000), 0);
	virtq_chain_wrote(&q, &chain, 100, 1);
	assert_int_equal(space_page_flags(&f.memory, FAKE_DATA + 0x2000), PAGE_DIRTY);
	virtqueue_push(&q, &chain, 3);
	assert_int_equal(space_page_flags(&f.memory, used_page), PAGE_DIRTY);
	fake_driver_free(&f);
}

static void copies(const struct kind *k)
{
	struct fake_driver f;
	struct virtqueue q;
	struct io_piece piece[4];
	char buf[200];

	begin(&f, &q, k, 8);
	memcpy(f.ram + FAKE_DATA, "0123456789abcdef", 16);
	fake_add(&f, three, 3);
	assert_int_equal(virtqueue_pop(&q, &chain), 1);
	assert_int_equal(virtq_chain_read(&q, &chain, 4, buf, sizeof(buf)), 12);
	assert_memory_equal(buf, "456789abcdef", 12);
	assert_int_equal(virtq_chain_read(&q, &chain, 16, buf, 1), 0);
	memset(buf, 'x', sizeof(buf));
	assert_int_equal(virtq_chain_write(&q, &chain, 90, buf, sizeof(buf)), 38);
	assert_int_equal(f.ram[FAKE_DATA + 0x1000 + 89], 0);
	assert_int_equal(f.ram[FAKE_DATA + 0x1000 + 99], 'x');
	assert_int_equal(f.ram[FAKE_DATA + 0x1000 + 100], 0);
	assert_int_equal(f.ram[FAKE_DATA + 0x2000 + 27], 'x');
	assert_int_equal(f.ram[FAKE_DATA + 0x2000 + 28], 0);

	assert_int_equal(virtq_chain_pieces(&q, &chain, true, 99, 20, piece, 4), 2);
	assert_ptr_equal(piece[0].base, f.ram + FAKE_DATA + 0x1000 + 99);
	assert_int_equal(piece[0].len, 1);
	assert_ptr_equal(piece[1].base, f.ram + FAKE_DATA + 0x2000);
	assert_int_equal(piece[1].len, 19);
	assert_int_equal(virtq_chain_pieces(&q, &chain, true, 99, 20, piece, 1), -ENOSPC);
	assert_int_equal(virtq_chain_pieces(&q, &chain, true, 100, 29, piece, 4), -EINVAL);
	assert_int_equal(virtq_chain_pieces(&q, &chain, false, 17, 0, piece, 4), -EINVAL);
	assert_int_equal(virtq_chain_pieces(&q, &chain, false, 16, 0, piece, 4), 0);
	fake_driver_free(&f);
}

/* Saved, wiped and restored in the middle of things. */
static void restores(const struct kind *k)
{
	struct fake_driver f;
	struct virtqueue q;
	uint8_t saved[256];
	uint32_t id, len;

	begin(&f, &q, k, 8);
	for (unsigned i = 0; i < 11; i++) {
		fake_add(&f, three, 1);
		assert_int_equal(virtqueue_pop(&q, &chain), 1);
		virtqueue_push(&q, &chain, 0);
		assert_true(fake_used(&f, &id, &len));
	}
	assert_true(field_size(virtqueue_desc.fields) <= sizeof(saved));
	field_save(virtqueue_desc.fields, &q, saved);
	virtqueue_desc.reset(&q);
	assert_false(q.enabled);
	field_restore(virtqueue_desc.fields, &q, saved);
	virtqueue_desc.after_restore(&q);
	uint16_t mine = fake_add(&f, three, 3);
	assert_int_equal(virtqueue_pop(&q, &chain), 1);
	check_three(&chain, mine);
	virtqueue_push(&q, &chain, 9);
	assert_true(fake_used(&f, &id, &len));
	assert_int_equal(id, mine);
	q.desc = FAKE_RAM;
	virtqueue_desc.after_restore(&q);
	assert_int_equal(virtqueue_pop(&q, &chain), -EINVAL);
	fake_driver_free(&f);
}

static void for_all(void (*fn)(const struct kind *k))
{
	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++)
		fn(&kinds[i]);
}

static void test_around(void **state)
{
	for_all(goes_around);
}

static void test_out_of_order(void **state)
{
	for_all(out_of_order);
}

static void test_interrupts(void **state)
{
	for_all(interrupts);
}

static void test_kicks(void **state)
{
	for_all(kicks);
}

static void test_rewind(void **state)
{
	for_all(rewinds);
}

static void test_stop(void **state)
{
	for_all(stops_when_unused);
}

static void test_marks(void **state)
{
	for_all(marks_pages);
}

static void test_copies(void **state)
{
	for_all(copies);
}

static void test_restore(void **state)
{
	for_all(restores);
}

/* A packed ring interrupts when a chain of several entries passes the event, across the end too. */
static void test_packed_event_inside_chain(void **state)
{
	const struct kind k = {true, true};
	struct fake_driver f;
	struct virtqueue q;
	uint32_t id, len;

	begin(&f, &q, &k, 8);
	for (unsigned i = 0; i < 40; i++) {
		uint16_t event = (uint16_t)(f.used + 1 + i % 3), wrap = f.used_wrap;
		if (event >= 8) {
			event -= 8;
			wrap ^= 1;
		}
		store_le16(f.ram + FAKE_DRIVER, (uint16_t)(event | (uint16_t)(wrap << 15)));
		store_le16(f.ram + FAKE_DRIVER + 2, 2);
		fake_add(&f, three, 3);
		assert_int_equal(virtqueue_pop(&q, &chain), 1);
		q.interrupt = 0;
		virtqueue_push(&q, &chain, 0);
		assert_int_equal(q.interrupt, i % 3 != 2);
		assert_true(fake_used(&f, &id, &len));
	}
	fake_driver_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_around),	   cmocka_unit_test(test_out_of_order),
		cmocka_unit_test(test_interrupts), cmocka_unit_test(test_kicks),
		cmocka_unit_test(test_rewind),	   cmocka_unit_test(test_stop),
		cmocka_unit_test(test_marks),	   cmocka_unit_test(test_copies),
		cmocka_unit_test(test_restore),	   cmocka_unit_test(test_packed_event_inside_chain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
