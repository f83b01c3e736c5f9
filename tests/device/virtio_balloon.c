/* The memory balloon: pages given back, hostile page numbers, statistics, reports of free pages. */
#include "test.h"

#include <sys/mman.h>

#include "device/virtio/balloon.h"
#include "fake_virtio.h"

#define STATS	  (1ull << 1)
#define REPORTING (1ull << 5)

static struct virtio_balloon balloon;
static struct fake_virtio v;

static void begin(uint64_t features)
{
	virtio_balloon_init(&balloon, "balloon0");
	fake_virtio_connect(&v, &balloon.device);
	fake_virtio_start(&v, features | VIRTIO_F_EVENT_IDX, 16);
}

/* A page of the memory that no queue uses. */
static uint8_t *page(unsigned n)
{
	return v.queue[0].ram + 11u * FAKE_RAM + n * PAGE_BYTES;
}
static uint32_t pfn(unsigned n)
{
	return (uint32_t)((11u * FAKE_RAM >> PAGE_BITS) + n);
}

static void inflates(void **state)
{
	static const uint32_t order[] = {3, 4, 5, 1, 0, 9};
	uint32_t chain, len;

	begin(STATS | REPORTING);
	for (unsigned i = 0; i < 10; i++)
		memset(page(i), 0xaa, PAGE_BYTES);
	for (unsigned i = 0; i < 6; i++)
		store_le32(fake_virtio_data(&v, 0, 4 * i), pfn(order[i]));
	/* beyond memory, and an odd byte at the end */
	store_le32(fake_virtio_data(&v, 0, 24), 0xffffffff);
	store_le32(fake_virtio_data(&v, 0, 28), pfn(FAKE_RAM >> PAGE_BITS));
	fake_virtio_add(&v, 0, 0, 33, 0);
	assert_true(fake_used(&v.queue[0], &chain, &len));
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(page(i)[100],
				 i == 0 || i == 1 || (i >= 3 && i <= 5) || i == 9 ? 0 : 0xaa);
	fake_virtio_add(&v, 1, 0, 24, 0); /* deflate: nothing to do but to give the chain back */
	assert_true(fake_used(&v.queue[1], &chain, &len));
	fake_virtio_free(&v);
}

static void target(void **state)
{
	uint8_t config[8];

	begin(STATS);
	virtio_balloon_set(&balloon, 1234);
	fake_virtio_run(&v);
	assert_int_equal(v.config_interrupts, 1);
	virtio_config_read(v.d, 0, config, 8);
	assert_int_equal(load_le32(config), 1234);
	store_le32(config, 99);
	virtio_config_write(v.d, 4, config, 4);
	assert_int_equal(balloon.actual, 99);
	virtio_config_write(v.d, 0, config, 4); /* the target is ours */
	assert_int_equal(balloon.pages, 1234);
	fake_virtio_free(&v);
}

static void one_stat(unsigned n, uint16_t tag, uint64_t value)
{
	store_le16(fake_virtio_data(&v, 2, n * 10), tag);
	store_le64(fake_virtio_data(&v, 2, n * 10 + 2), value);
}

static void statistics(void **state)
{
	uint32_t chain, len;

	begin(STATS | REPORTING);
	assert_int_equal(balloon.stat[4], UINT64_MAX);
	one_stat(0, 4, 1000);
	one_stat(1, 5, 2000);
	one_stat(2, 0xffff, 1);
	fake_virtio_add(&v, 2, 0, 35, 0);
	assert_int_equal(balloon.stat[4], 1000);
	assert_int_equal(balloon.stat[5], 2000);
	assert_false(fake_used(&v.queue[2], &chain, &len)); /* kept until more is wanted */
	for (uint64_t round = 1; round < 40; round++) {
		virtio_balloon_ask(&balloon);
		fake_virtio_run(&v);
		assert_true(fake_used(&v.queue[2], &chain, &len));
		one_stat(0, 4, round);
		fake_virtio_add(&v, 2, 0, 30, 0);
		assert_int_equal(balloon.stat[4], round);
		assert_false(fake_used(&v.queue[2], &chain, &len));
	}
	fake_virtio_free(&v);
}

/* Asked before the driver has a buffer there: given back as soon as it comes. */
static void statistics_asked_early(void **state)
{
	uint32_t chain, len;

	begin(STATS);
	virtio_balloon_ask(&balloon);
	fake_virtio_run(&v);
	one_stat(0, 4, 5);
	fake_virtio_add(&v, 2, 0, 10, 0);
	assert_true(fake_used(&v.queue[2], &chain, &len));
	assert_int_equal(balloon.stat[4], 5);
	fake_virtio_free(&v);
}

static void report(unsigned queue)
{
	const uint64_t at = 11u * (uint64_t)FAKE_RAM;
	const struct fake_seg s[] = {
		{at, 2 * PAGE_BYTES, FAKE_WRITE},
		{at + 4 * PAGE_BYTES + 1, PAGE_BYTES, FAKE_WRITE}, /* not whole pages: left alone */
		{at + 6 * PAGE_BYTES, PAGE_BYTES, FAKE_WRITE},
	};
	uint32_t chain, len;

	for (unsigned i = 0; i < 8; i++)
		memset(page(i), 0x55, PAGE_BYTES);
	fake_add(&v.queue[queue], s, 3);
	virtio_kick(v.d, queue);
	fake_virtio_run(&v);
	assert_true(fake_used(&v.queue[queue], &chain, &len));
	assert_int_equal(balloon.reported_bytes, 3 * PAGE_BYTES);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(page(i)[7], i < 2 || i == 6 ? 0 : 0x55);
}

static void reports(void **state)
{
	begin(STATS | REPORTING);
	report(3);
	fake_virtio_free(&v);
	begin(REPORTING); /* without statistics its queue has their number */
	report(2);
	fake_virtio_free(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inflates),   cmocka_unit_test(target),
		cmocka_unit_test(statistics), cmocka_unit_test(statistics_asked_early),
		cmocka_unit_test(reports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
