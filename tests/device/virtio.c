/* What all virtio devices have, on the entropy device: status, features, queues, service,
 * interrupts, reset with requests in flight, a queue's own reset, a driver that breaks the rules.
 */
#include "test.h"

#include "device/virtio/entropy.h"
#include "fake_driver.h"
#include "fake_worker.h"

static struct fake_driver f;
static struct virtio_entropy e;
static struct virtio_device *d = &e.device;
static struct fake_worker io;
static unsigned queue_interrupts, config_interrupts;

static void on_interrupt(void *opaque, unsigned cause, unsigned queue)
{
	if (cause == VIRTIO_ISR_QUEUE)
		queue_interrupts++;
	else
		config_interrupts++;
}

/* What the I/O thread does. */
static void turn(void)
{
	fake_worker_run(&io, 100);
}

static void on_random(void *opaque, void *buf, size_t len)
{
	memset(buf, 0x5a, len);
}

static void begin(void)
{
	fake_worker_init(&io);
	queue_interrupts = config_interrupts = 0;
	fake_driver_ram(&f);
	virtio_entropy_init(&e, "rng0", on_random, NULL);
	virtio_connect(d, &f.memory, NULL, &io.worker, NULL);
	d->transport.interrupt = on_interrupt;
}

static void end(void)
{
	virtio_destroy(d);
	fake_driver_free(&f);
}

static void features(uint64_t v)
{
	virtio_features_write(d, 0, (uint32_t)v);
	virtio_features_write(d, 1, (uint32_t)(v >> 32));
}

static void status(uint8_t bit)
{
	virtio_status_write(d, virtio_status_read(d) | bit);
}

static void queue(bool packed)
{
	fake_driver_start(&f, packed, false, 16);
	fake_driver_place(&f, virtio_queue_setup(d, 0));
	virtio_queue_enable(d, 0);
}

static void start(uint64_t extra)
{
	status(VIRTIO_ACKNOWLEDGE);
	status(VIRTIO_DRIVER);
	features(VIRTIO_F_VERSION_1 | extra);
	status(VIRTIO_FEATURES_OK);
	assert_true(virtio_status_read(d) & VIRTIO_FEATURES_OK);
	queue(extra & VIRTIO_F_RING_PACKED);
	assert_true(virtio_queue_enabled(d, 0));
	status(VIRTIO_DRIVER_OK);
	assert_int_equal(virtio_status_read(d), 15);
}

static const struct fake_seg buffer = {FAKE_DATA, 300, FAKE_WRITE};

static void test_fills_buffers(void **state)
{
	for (int packed = 0; packed < 2; packed++) {
		uint32_t id, len;
		begin();
		start(packed ? VIRTIO_F_RING_PACKED : 0);
		uint16_t mine = fake_add(&f, &buffer, 1);
		virtio_kick(d, 0);
		assert_false(fake_used(&f, &id, &len)); /* not on the CPU's thread */
		turn();
		assert_true(fake_used(&f, &id, &len));
		assert_int_equal(id, mine);
		assert_int_equal(len, 300);
		assert_int_equal(f.ram[FAKE_DATA + 299], 0x5a);
		assert_int_equal(f.ram[FAKE_DATA + 300], 0);
		assert_int_equal(queue_interrupts, 1);
		fake_interrupts(&f, FAKE_NEVER);
		fake_add(&f, &buffer, 1);
		virtio_kick(d, 0);
		turn();
		assert_int_equal(queue_interrupts, 1);
		end();
	}
}

static void test_nothing_before_driver_ok(void **state)
{
	uint32_t id, len;

	begin();
	features(VIRTIO_F_VERSION_1);
	queue(false);
	assert_false(virtio_queue_enabled(d, 0)); /* features not agreed on */
	status(VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_DRIVER_OK);
	assert_int_equal(virtio_status_read(d), VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
	status(VIRTIO_FEATURES_OK);
	queue(false);
	fake_add(&f, &buffer, 1);
	virtio_kick(d, 0);
	turn();
	assert_false(fake_used(&f, &id, &len));
	status(VIRTIO_DRIVER_OK);
	turn(); /* the kick before is made up for */
	assert_true(fake_used(&f, &id, &len));
	end();
}

static void test_features(void **state)
{
	begin();
	assert_int_equal(virtio_features_read(d, 1) & 1, 1);
	assert_int_equal(virtio_features_read(d, 2), 0);
	features(0);
	status(VIRTIO_FEATURES_OK);
	assert_int_equal(virtio_status_read(d), 0); /* not without VERSION_1 */
	features(VIRTIO_F_VERSION_1 | 1);
	status(VIRTIO_FEATURES_OK);
	assert_int_equal(virtio_status_read(d), 0); /* not what was not offered */
	features(VIRTIO_F_VERSION_1);
	status(VIRTIO_FEATURES_OK);
	assert_int_equal(virtio_status_read(d), VIRTIO_FEATURES_OK);
	features(0);
	assert_int_equal(d->accepted, VIRTIO_F_VERSION_1); /* settled */
	end();
}

static void test_reset_waits_for_requests(void **state)
{
	begin();
	start(0);
	virtio_enter(d);
	virtio_begin(d);
	virtio_begin(d);
	virtio_leave(d);
	virtio_status_write(d, 0);
	assert_int_not_equal(virtio_status_read(d), 0);
	assert_false(virtio_running(d));
	assert_null(virtio_queue_setup(d, 0));
	status(VIRTIO_DRIVER_OK); /* too early: not heard */
	virtio_enter(d);
	virtio_end(d);
	virtio_leave(d);
	assert_int_not_equal(virtio_status_read(d), 0);
	virtio_enter(d);
	virtio_end(d);
	virtio_leave(d);
	assert_int_equal(virtio_status_read(d), 0);
	assert_false(virtio_queue_enabled(d, 0));
	assert_int_equal(queue_interrupts + config_interrupts, 0);
	start(0);
	end();
}

static void test_queue_reset(void **state)
{
	static struct virtq_chain c;
	uint32_t id, len;

	begin();
	start(0);
	virtio_queue_reset(d, 0);
	assert_true(virtio_queue_enabled(d, 0)); /* not agreed on */
	virtio_status_write(d, 0);
	start(VIRTIO_F_RING_RESET);
	turn();
	fake_add(&f, &buffer, 1);
	virtio_enter(d);
	assert_int_equal(virtqueue_pop(&d->queue[0], &c), 1);
	virtio_leave(d);
	virtio_queue_reset(d, 0);
	assert_true(virtio_queue_resetting(d, 0));
	assert_null(virtio_queue_setup(d, 0));
	virtio_enter(d);
	virtqueue_push(&d->queue[0], &c, 1);
	virtio_leave(d);
	assert_int_equal(queue_interrupts, 0);
	assert_false(virtio_queue_resetting(d, 0) || virtio_queue_enabled(d, 0));
	queue(false);
	fake_add(&f, &buffer, 1);
	virtio_kick(d, 0);
	turn();
	assert_true(fake_used(&f, &id, &len));
	assert_int_equal(queue_interrupts, 1);
	end();
}

static void test_broken_ring_needs_reset(void **state)
{
	const struct fake_seg bad = {FAKE_RAM, 1, FAKE_WRITE};
	uint32_t id, len;

	begin();
	start(0);
	fake_add(&f, &bad, 1);
	virtio_kick(d, 0);
	turn();
	assert_int_equal(virtio_status_read(d), 15 | VIRTIO_NEEDS_RESET);
	assert_int_equal(config_interrupts, 1);
	fake_add(&f, &buffer, 1);
	virtio_kick(d, 0);
	turn();
	assert_int_equal(config_interrupts, 1);
	assert_false(fake_used(&f, &id, &len));
	virtio_status_write(d, 0);
	assert_int_equal(virtio_status_read(d), 0);
	start(0);
	fake_add(&f, &buffer, 1);
	virtio_kick(d, 0);
	turn();
	assert_true(fake_used(&f, &id, &len));
	end();
}

static void test_config_space_ends(void **state)
{
	uint8_t buf[8];

	begin();
	for (uint64_t offset = 0; offset < 1ull << 32; offset = offset * 2 + 1) {
		memset(buf, 0xff, sizeof(buf));
		virtio_config_read(d, (uint32_t)offset, buf, 4);
		assert_int_equal(load_le32(buf), 0);
		virtio_config_write(d, (uint32_t)offset, buf, 4);
	}
	virtio_enter(d);
	virtio_config_changed(d);
	virtio_leave(d);
	assert_int_equal(config_interrupts, 0); /* nobody to tell yet */
	start(0);
	virtio_enter(d);
	virtio_config_changed(d);
	virtio_leave(d);
	assert_int_equal(config_interrupts, 1);
	end();
}

static void test_restore(void **state)
{
	uint8_t device[64], queue0[256];
	uint32_t id, len;

	begin();
	start(0);
	assert_true(field_size(virtio_device_desc.fields) <= sizeof(device));
	assert_true(field_size(virtqueue_desc.fields) <= sizeof(queue0));
	field_save(virtio_device_desc.fields, d, device);
	field_save(virtqueue_desc.fields, &d->queue[0], queue0);
	virtio_reset(d);
	io.posted = NULL;
	d->work.posted = false;
	fake_add(&f, &buffer, 1);
	field_restore(virtqueue_desc.fields, &d->queue[0], queue0);
	virtqueue_desc.after_restore(&d->queue[0]);
	field_restore(virtio_device_desc.fields, d, device);
	virtio_device_desc.after_restore(d);
	turn();
	assert_true(fake_used(&f, &id, &len));
	assert_int_equal(queue_interrupts, 1);
	end();
}

/* A buffer of 4 GiB less one: as much as there is sense in. */
static void test_large_buffers(void **state)
{
	static struct fake_seg s[200];
	uint32_t id, len;

	begin();
	start(0);
	for (unsigned i = 0; i < 200; i++)
		s[i] = (struct fake_seg){FAKE_DATA, 0x10000, FAKE_WRITE};
	fake_add_indirect(&f, s, 200);
	virtio_kick(d, 0);
	turn();
	assert_true(fake_used(&f, &id, &len));
	assert_int_equal(len, VIRTIO_ENTROPY_CHAIN_MAX);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fills_buffers),
		cmocka_unit_test(test_nothing_before_driver_ok),
		cmocka_unit_test(test_features),
		cmocka_unit_test(test_reset_waits_for_requests),
		cmocka_unit_test(test_queue_reset),
		cmocka_unit_test(test_broken_ring_needs_reset),
		cmocka_unit_test(test_config_space_ends),
		cmocka_unit_test(test_restore),
		cmocka_unit_test(test_large_buffers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
