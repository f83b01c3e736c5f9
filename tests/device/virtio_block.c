/* The block device on a fake disk: requests good and bad, many at once, errors, reset on the way.
 */
#include "test.h"

#include "device/virtio/block.h"
#include "fake_virtio.h"

enum { DISK_BYTES = 1 << 20, IN = 0, OUT = 1, FLUSH = 4, GET_ID = 8, DISCARD = 11, ZEROES = 13 };
#define F_FLUSH (1ull << 9)
#define F_WCE	(1ull << 11)
#define F_ALL	(F_FLUSH | F_WCE | 1ull << 12 | 1ull << 13 | 1ull << 14)

/* A disk in memory that finishes requests when told to. */
static struct {
	struct block_disk disk;
	uint8_t bytes[DISK_BYTES];
	struct block_request *waiting[1000];
	unsigned count, flushes, discards;
	int error;
} fake;

static struct virtio_block block;
static struct fake_virtio v;

static void submit(void *opaque, struct block_request *r)
{
	assert_true(fake.count < 1000);
	fake.waiting[fake.count++] = r;
}

static int carry_out(struct block_request *r)
{
	uint64_t at = r->offset;

	if (fake.error)
		return fake.error;
	if (at > DISK_BYTES || r->bytes > DISK_BYTES - at)
		return -EINVAL;
	fake.flushes += r->op == BLOCK_FLUSH;
	fake.discards += r->op == BLOCK_DISCARD;
	if (r->op == BLOCK_ZERO)
		memset(fake.bytes + at, 0, r->bytes);
	for (unsigned i = 0; i < r->pieces; i++) {
		if (r->op == BLOCK_READ)
			memcpy(r->piece[i].base, fake.bytes + at, r->piece[i].len);
		else if (r->op == BLOCK_WRITE)
			memcpy(fake.bytes + at, r->piece[i].base, r->piece[i].len);
		at += r->piece[i].len;
	}
	return 0;
}

/* The last first, so that order is not relied on. */
static void finish_all(void)
{
	while (fake.count) {
		struct block_request *r = fake.waiting[--fake.count];

		r->done(r, carry_out(r));
		fake_virtio_run(&v);
	}
}

static void begin_with(uint64_t features, unsigned queues, bool readonly)
{
	memset(&fake, 0, sizeof(fake));
	fake.disk = (struct block_disk){.submit = submit,
					.bytes = DISK_BYTES,
					.block_bytes = 4096,
					.discard_bytes = 4096,
					.readonly = readonly,
					.serial = "d-1"};
	for (unsigned i = 0; i < DISK_BYTES; i++)
		fake.bytes[i] = (uint8_t)(i / 512);
	virtio_block_init(&block, "disk0", &fake.disk, queues);
	fake_virtio_connect(&v, &block.device);
	fake_virtio_start(&v, features | VIRTIO_F_EVENT_IDX, 256);
}

static int begin(void **state)
{
	begin_with(F_ALL, 1, false);
	return 0;
}

static int end(void **state)
{
	fake_virtio_free(&v);
	return 0;
}

/* Slots of the data area: header at 0, status at 32, data from 512. */
enum { SLOT = 8192 };
static uint8_t *slot(unsigned n)
{
	return fake_virtio_data(&v, 0, (size_t)n * SLOT);
}

static void add(unsigned queue, unsigned n, uint32_t type, uint64_t sector, uint32_t len)
{
	uint64_t at = fake_virtio_gpa(&v, 0, (size_t)n * SLOT);
	bool in = type == IN || type == GET_ID;
	const struct fake_seg s[] = {
		{at, 10, 0},
		{at + 10, 6, 0}, /* the header need not be in one piece */
		{at + 512, len, in ? FAKE_WRITE : 0},
		{at + 32, 1, FAKE_WRITE},
	};

	store_le32(slot(n), type);
	store_le32(slot(n) + 4, 0);
	store_le64(slot(n) + 8, sector);
	slot(n)[32] = 0xee;
	if (len) {
		fake_add(&v.queue[queue], s, 4);
	} else {
		const struct fake_seg t[] = {s[0], s[1], s[3]};

		fake_add(&v.queue[queue], t, 3);
	}
	virtio_kick(v.d, queue);
	fake_virtio_run(&v);
}

static void expect(unsigned queue, unsigned n, uint8_t status, uint32_t written)
{
	uint32_t id, len;

	assert_true(fake_used(&v.queue[queue], &id, &len));
	assert_int_equal(slot(n)[32], status);
	assert_int_equal(len, written);
}

static void reads_and_writes(void **state)
{
	uint32_t id, len;

	add(0, 0, IN, 3, 1024);
	assert_false(fake_used(&v.queue[0], &id, &len));
	finish_all();
	expect(0, 0, 0, 1025);
	assert_int_equal(slot(0)[512], 3);
	assert_int_equal(slot(0)[1535], 4);
	assert_true(v.queue_interrupts & 1);
	memset(slot(1) + 512, 0x77, 512);
	add(0, 1, OUT, 2047, 512);
	finish_all();
	expect(0, 1, 0, 1);
	assert_int_equal(fake.bytes[DISK_BYTES - 1], 0x77);
	assert_int_equal(fake.flushes, 0);
	add(0, 1, FLUSH, 0, 0);
	finish_all();
	expect(0, 1, 0, 1);
	assert_int_equal(fake.flushes, 1);
	add(0, 2, GET_ID, 0, 20);
	expect(0, 2, 0, 21);
	assert_string_equal((char *)slot(2) + 512, "d-1");
}

static void bad_requests(void **state)
{
	const struct fake_seg lone[] = {{fake_virtio_gpa(&v, 0, 0), 16, 0}};
	uint32_t id, len;

	add(0, 0, IN, 2048, 512); /* behind the end */
	expect(0, 0, 1, 513);
	add(0, 0, IN, 2047, 1024);
	expect(0, 0, 1, 1025);
	add(0, 0, OUT, UINT64_MAX / 512, 1024);
	expect(0, 0, 1, 1);
	add(0, 0, IN, 0, 100); /* no whole sectors */
	expect(0, 0, 1, 101);
	add(0, 0, 99, 0, 512);
	expect(0, 0, 2, 1);
	add(0, 0, DISCARD, 0, 17);
	expect(0, 0, 1, 1);
	assert_int_equal(fake.count, 0);
	fake_add(&v.queue[0], lone, 1); /* nowhere to put a status */
	virtio_kick(v.d, 0);
	fake_virtio_run(&v);
	assert_true(fake_used(&v.queue[0], &id, &len));
	assert_int_equal(len, 0);
	assert_int_equal(v.d->in_flight, 0);
}

static void errors_arrive(void **state)
{
	fake.error = -ENOSPC;
	add(0, 0, OUT, 0, 512);
	finish_all();
	expect(0, 0, 1, 1);
	fake.error = -EOPNOTSUPP;
	add(0, 0, ZEROES, 0, 16);
	finish_all();
	expect(0, 0, 2, 1);
}

static void put_range(unsigned n, unsigned i, uint64_t sector, uint32_t sectors, uint32_t flags)
{
	store_le64(slot(n) + 512 + 16 * i, sector);
	store_le32(slot(n) + 512 + 16 * i + 8, sectors);
	store_le32(slot(n) + 512 + 16 * i + 12, flags);
}

static void ranges(void **state)
{
	put_range(0, 0, 8, 8, 0);
	put_range(0, 1, 32, 1, 1);
	add(0, 0, ZEROES, 0, 32);
	finish_all();
	expect(0, 0, 0, 1);
	assert_int_equal(fake.bytes[8 * 512], 0);
	assert_int_equal(fake.bytes[16 * 512], 16);
	assert_int_equal(fake.bytes[32 * 512], 0);
	assert_int_equal(fake.bytes[33 * 512], 33);
	put_range(1, 0, 8, 8, 0);
	put_range(1, 1, 16, 8, 0);
	put_range(1, 2, 24, 8, 0);
	add(0, 1, DISCARD, 0, 48);
	finish_all();
	expect(0, 1, 0, 1);
	assert_int_equal(fake.discards, 3);
	put_range(1, 1, 16, 8, 1); /* a flag that discard does not have */
	add(0, 1, DISCARD, 0, 48);
	finish_all();
	expect(0, 1, 2, 1);
	put_range(1, 0, 0, 0xffffffff, 0);
	add(0, 1, DISCARD, 0, 16);
	expect(0, 1, 1, 1);
	put_range(1, 0, 2047, 2, 0); /* over the end */
	add(0, 1, ZEROES, 0, 16);
	expect(0, 1, 1, 1);
	put_range(1, 0, UINT64_MAX, 1, 0);
	add(0, 1, ZEROES, 0, 16);
	expect(0, 1, 1, 1);
}

/* More than there are requests for: the rest waits and comes. */
static void many(void **state)
{
	uint64_t at = fake_virtio_gpa(&v, 0, 0);
	uint32_t id, len;
	unsigned used = 0;

	store_le32(slot(0), IN);
	store_le64(slot(0) + 8, 5);
	fake_driver_start(&v.queue[0], false, true, 256);
	virtio_status_write(v.d, 0);
	fake_virtio_start(&v, F_ALL | VIRTIO_F_INDIRECT_DESC, 256);
	for (unsigned i = 0; i < 200; i++) {
		const struct fake_seg s[] = {
			{at, 16, 0}, {at + 512, 512, FAKE_WRITE}, {at + 32, 1, FAKE_WRITE}};

		fake_add_indirect(&v.queue[0], s, 3);
		virtio_kick(v.d, 0);
		fake_virtio_run(&v);
	}
	assert_int_equal(fake.count, VIRTIO_BLOCK_REQUESTS);
	finish_all();
	while (fake_used(&v.queue[0], &id, &len))
		used++;
	assert_int_equal(used, 200);
	assert_int_equal(slot(0)[512], 5);
}

static void reset_waits(void **state)
{
	add(0, 0, OUT, 0, 512);
	assert_int_equal(fake.count, 1);
	virtio_status_write(v.d, 0);
	assert_int_not_equal(virtio_status_read(v.d), 0);
	finish_all();
	assert_int_equal(virtio_status_read(v.d), 0);
	fake_virtio_start(&v, F_ALL | VIRTIO_F_RING_PACKED, 64);
	add(0, 0, IN, 9, 512);
	finish_all();
	expect(0, 0, 0, 513);
	assert_int_equal(slot(0)[512], 9);
}

static void no_write_cache(void **state)
{
	uint8_t off = 0;

	virtio_config_write(v.d, 32, &off, 1);
	add(0, 0, OUT, 0, 512);
	finish_all();
	expect(0, 0, 0, 1);
	assert_int_equal(fake.flushes, 1);
	fake_virtio_free(&v);
	begin_with(0, 1, false); /* a driver that knows no flush */
	add(0, 0, OUT, 0, 512);
	finish_all();
	expect(0, 0, 0, 1);
	assert_int_equal(fake.flushes, 1);
}

static void readonly_and_queues(void **state)
{
	uint8_t config[60];

	fake_virtio_free(&v);
	begin_with(F_ALL, 4, true);
	assert_true(virtio_features_read(v.d, 0) & 1 << 5);
	virtio_config_read(v.d, 0, config, sizeof(config));
	assert_int_equal(load_le64(config), DISK_BYTES / 512);
	assert_int_equal(load_le16(config + 34), 4);
	add(3, 0, OUT, 0, 512);
	expect(3, 0, 1, 1);
	put_range(0, 0, 0, 8, 0);
	add(3, 0, ZEROES, 0, 16);
	expect(3, 0, 1, 1);
	add(2, 1, IN, 1, 512);
	finish_all();
	expect(2, 1, 0, 513);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads_and_writes, begin, end),
		cmocka_unit_test_setup_teardown(bad_requests, begin, end),
		cmocka_unit_test_setup_teardown(errors_arrive, begin, end),
		cmocka_unit_test_setup_teardown(ranges, begin, end),
		cmocka_unit_test_setup_teardown(many, begin, end),
		cmocka_unit_test_setup_teardown(reset_waits, begin, end),
		cmocka_unit_test_setup_teardown(no_write_cache, begin, end),
		cmocka_unit_test_setup_teardown(readonly_and_queues, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
