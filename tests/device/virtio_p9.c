/* The 9P transport: messages in pieces go to a server and answers come back, in any order. */
#include "test.h"

#include "device/virtio/p9.h"
#include "fake_virtio.h"

static struct virtio_p9 p9;
static struct fake_virtio v;
static struct p9_request *held[VIRTIO_P9_REQUESTS];
static unsigned holding, resets;

static void submit(void *opaque, struct p9_request *r)
{
	held[holding++] = r;
}

static void reset(void *opaque)
{
	resets++;
}

static const struct p9_server server = {submit, reset, NULL};

static int begin(void **state)
{
	holding = resets = 0;
	virtio_p9_init(&p9, "share0", "work", &server);
	fake_virtio_connect(&v, &p9.device);
	fake_virtio_start(&v, VIRTIO_P9_F_MOUNT_TAG | VIRTIO_F_EVENT_IDX, 16);
	return 0;
}

static int end(void **state)
{
	fake_virtio_free(&v);
	return 0;
}

/* Two buffers to read, two to write. */
static void add(unsigned at)
{
	struct fake_seg s[4] = {{fake_virtio_gpa(&v, 0, at), 7, 0},
				{fake_virtio_gpa(&v, 0, at + 100), 20, 0},
				{fake_virtio_gpa(&v, 0, at + 200), 11, FAKE_WRITE},
				{fake_virtio_gpa(&v, 0, at + 300), 50, FAKE_WRITE}};

	fake_add(&v.queue[0], s, 4);
	virtio_kick(&p9.device, 0);
	fake_virtio_run(&v);
}

static void tag(void **state)
{
	uint8_t config[6], beyond[200];

	assert_int_equal(virtio_features_read(&p9.device, 0) & 1, 1);
	virtio_config_read(&p9.device, 0, config, sizeof(config));
	assert_memory_equal(config, "\4\0work", 6);
	virtio_config_read(&p9.device, 2, config, 2);
	assert_memory_equal(config, "wo", 2);
	virtio_config_read(&p9.device, 100, beyond, sizeof(beyond));
	assert_int_equal(beyond[0], 0);
}

static void messages(void **state)
{
	uint32_t id, len;

	add(0);
	add(1000);
	assert_int_equal(holding, 2);
	assert_int_equal(held[0]->outs, 2);
	assert_int_equal(held[0]->out_bytes, 27);
	assert_int_equal(held[0]->ins, 2);
	assert_int_equal(held[0]->in_bytes, 61);
	assert_ptr_equal(held[0]->in[1].base, fake_virtio_data(&v, 0, 300));
	assert_false(fake_used(&v.queue[0], &id, &len));
	held[1]->done(held[1], 13); /* not in order */
	assert_true(fake_used(&v.queue[0], &id, &len));
	assert_int_equal(len, 13);
	assert_int_equal(id, 4);
	assert_true(v.queue_interrupts & 1);
	held[0]->done(held[0], 5000); /* more than there is room for */
	assert_true(fake_used(&v.queue[0], &id, &len));
	assert_int_equal(len, 61);
	assert_int_equal(p9.device.in_flight, 0);
}

static void goes_round(void **state)
{
	uint32_t id, len;

	for (unsigned i = 0; i < 1000; i++) {
		add(0);
		assert_int_equal(holding, 1);
		holding = 0;
		held[0]->done(held[0], 7);
		assert_true(fake_used(&v.queue[0], &id, &len));
	}
}

static void reset_waits(void **state)
{
	unsigned before = resets;

	add(0);
	virtio_status_write(&p9.device, 0);
	assert_int_not_equal(virtio_status_read(&p9.device), 0);
	assert_int_equal(resets, before);
	held[0]->done(held[0], 7);
	assert_int_equal(virtio_status_read(&p9.device), 0);
	assert_int_equal(resets, before + 1);
	holding = 0;
	fake_virtio_start(&v, VIRTIO_P9_F_MOUNT_TAG, 16);
	add(0);
	assert_int_equal(holding, 1);
	held[0]->done(held[0], 7);
}

/* Nothing to read, nothing to write: the server says what it thinks of it. */
static void odd_chains(void **state)
{
	struct fake_seg s = {fake_virtio_gpa(&v, 0, 0), 9, 0};
	uint32_t id, len;

	fake_virtio_add(&v, 0, 0, 9, FAKE_WRITE);
	assert_int_equal(held[0]->out_bytes, 0);
	held[0]->done(held[0], 0);
	assert_true(fake_used(&v.queue[0], &id, &len));
	fake_add(&v.queue[0], &s, 1);
	virtio_kick(&p9.device, 0);
	fake_virtio_run(&v);
	assert_int_equal(held[1]->in_bytes, 0);
	held[1]->done(held[1], 11);
	assert_true(fake_used(&v.queue[0], &id, &len));
	assert_int_equal(len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(tag, begin, end),
		cmocka_unit_test_setup_teardown(messages, begin, end),
		cmocka_unit_test_setup_teardown(goes_round, begin, end),
		cmocka_unit_test_setup_teardown(reset_waits, begin, end),
		cmocka_unit_test_setup_teardown(odd_chains, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
