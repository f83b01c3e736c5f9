/* The console device: ports announced, bytes both ways with little room on either side, sizes. */
#include "test.h"

#include "device/virtio/console.h"
#include "fake_virtio.h"

#define MULTIPORT (1ull << 1)

struct end {
	struct stream stream;
	char got[4096];
	size_t len, room;
	unsigned resumes;
};

static struct virtio_console console;
static struct fake_virtio v;
static struct end ends[2];

static size_t end_write(void *opaque, const uint8_t *bytes, size_t len)
{
	struct end *e = opaque;

	len = len < e->room ? len : e->room;
	memcpy(e->got + e->len, bytes, len);
	e->len += len;
	e->room -= len;
	return len;
}

static void end_resume(void *opaque)
{
	((struct end *)opaque)->resumes++;
}

static int begin(void **state)
{
	memset(ends, 0, sizeof(ends));
	for (int i = 0; i < 2; i++) {
		ends[i].stream = (struct stream){.write = end_write, .resume = end_resume};
		ends[i].stream.opaque = &ends[i];
		ends[i].room = sizeof(ends[i].got);
	}
	virtio_console_init(&console, "console0");
	assert_true(virtio_console_add_port(&console, &ends[0].stream, NULL, true));
	assert_true(virtio_console_add_port(&console, &ends[1].stream, "log", false));
	fake_virtio_connect(&v, &console.device);
	fake_virtio_start(&v, MULTIPORT | VIRTIO_F_EVENT_IDX, 16);
	return 0;
}

static int end(void **state)
{
	fake_virtio_free(&v);
	return 0;
}

static void control(uint32_t id, unsigned event, unsigned value)
{
	uint8_t *m = fake_virtio_data(&v, 3, 0);

	store_le32(m, id);
	store_le16(m + 4, (uint16_t)event);
	store_le16(m + 6, (uint16_t)value);
	fake_virtio_add(&v, 3, 0, 8, 0);
}

/* Offer a buffer for a control message and read what came: id, event, value. */
static void expect(uint32_t id, unsigned event, unsigned value, const char *name)
{
	uint8_t *m = fake_virtio_data(&v, 2, 0);
	uint32_t chain, len;

	fake_virtio_add(&v, 2, 0, 64, FAKE_WRITE);
	assert_true(fake_used(&v.queue[2], &chain, &len));
	assert_int_equal(load_le32(m), id);
	assert_int_equal(load_le16(m + 4), event);
	assert_int_equal(load_le16(m + 6), value);
	assert_int_equal(len, 8 + strlen(name));
	assert_memory_equal(m + 8, name, strlen(name));
}

static void ports_are_announced(void **state)
{
	uint8_t config[12];

	virtio_config_read(&console.device, 0, config, sizeof(config));
	assert_int_equal(load_le32(config + 4), 2);
	control(0, 0, 1);    /* DEVICE_READY */
	expect(0, 1, 1, ""); /* PORT_ADD */
	expect(1, 1, 1, "");
	control(0, 3, 1);    /* PORT_READY */
	expect(0, 4, 1, ""); /* CONSOLE_PORT */
	expect(0, 6, 1, ""); /* PORT_OPEN: somebody is there */
	control(1, 3, 1);
	expect(1, 7, 1, "log"); /* PORT_NAME */
	ends[1].stream.client.connected(ends[1].stream.client.opaque, true);
	expect(1, 6, 1, "");
	ends[1].stream.client.connected(ends[1].stream.client.opaque, false);
	expect(1, 6, 0, "");
	control(77, 3, 1); /* no such port */
	control(0, 999, 1);
}

static void sizes(void **state)
{
	uint8_t config[12], *m = fake_virtio_data(&v, 2, 0);
	uint32_t chain, len;

	control(0, 0, 1);
	expect(0, 1, 1, "");
	expect(1, 1, 1, "");
	control(0, 3, 1);
	expect(0, 4, 1, "");
	expect(0, 6, 1, "");
	ends[0].stream.client.resized(ends[0].stream.client.opaque, 132, 43);
	fake_virtio_add(&v, 2, 0, 64, FAKE_WRITE);
	assert_true(fake_used(&v.queue[2], &chain, &len));
	assert_int_equal(len, 12);
	assert_int_equal(load_le16(m + 4), 5); /* RESIZE */
	assert_int_equal(load_le16(m + 8), 132);
	assert_int_equal(load_le16(m + 10), 43);
	virtio_config_read(&console.device, 0, config, sizeof(config));
	assert_int_equal(load_le16(config), 132);
	assert_int_equal(load_le16(config + 2), 43);
}

static void guest_writes(void **state)
{
	uint32_t chain, len;

	memcpy(fake_virtio_data(&v, 1, 0), "hello, world", 12);
	ends[0].room = 5;
	fake_virtio_add(&v, 1, 0, 12, 0);
	assert_false(fake_used(&v.queue[1], &chain, &len)); /* still ours */
	assert_int_equal(ends[0].len, 5);
	ends[0].room = 3;
	ends[0].stream.client.writable(ends[0].stream.client.opaque);
	assert_int_equal(ends[0].len, 8);
	ends[0].room = 100;
	ends[0].stream.client.writable(ends[0].stream.client.opaque);
	assert_memory_equal(ends[0].got, "hello, world", 12);
	assert_int_equal(ends[0].len, 12);
	assert_true(fake_used(&v.queue[1], &chain, &len));
	assert_true(v.queue_interrupts & 2);
	/* and after it goes on as ever */
	fake_virtio_add(&v, 1, 0, 12, 0);
	assert_int_equal(ends[0].len, 24);
}

static size_t type(unsigned port, const char *text)
{
	const struct stream_client *c = &ends[port].stream.client;

	return c->input(c->opaque, (const uint8_t *)text, strlen(text));
}

static void host_writes(void **state)
{
	uint32_t chain, len;

	assert_int_equal(type(0, "abcdef"), 0); /* no buffers yet */
	fake_virtio_add(&v, 0, 0, 4, FAKE_WRITE);
	assert_int_equal(ends[0].resumes, 1);
	assert_int_equal(type(0, "abcdef"), 4);
	assert_true(fake_used(&v.queue[0], &chain, &len));
	assert_int_equal(len, 4);
	assert_memory_equal(fake_virtio_data(&v, 0, 0), "abcd", 4);
	fake_virtio_add(&v, 0, 64, 100, FAKE_WRITE);
	assert_int_equal(ends[0].resumes, 2);
	assert_int_equal(type(0, "ef"), 2);
	assert_true(fake_used(&v.queue[0], &chain, &len));
	assert_int_equal(len, 2);
}

/* A port with a name keeps what is typed until somebody in the guest has it open. */
static void named_port_waits(void **state)
{
	uint32_t chain, len;

	control(1, 3, 1);
	fake_virtio_add(&v, 4, 0, 64, FAKE_WRITE);
	assert_int_equal(type(1, "x"), 0);
	control(1, 6, 1); /* PORT_OPEN */
	assert_int_equal(ends[1].resumes, 1);
	assert_int_equal(type(1, "x"), 1);
	assert_true(fake_used(&v.queue[4], &chain, &len));
	control(1, 6, 0);
	fake_virtio_add(&v, 4, 0, 64, FAKE_WRITE);
	assert_int_equal(type(1, "y"), 0);
}

static void reset_forgets(void **state)
{
	ends[0].room = 5;
	memcpy(fake_virtio_data(&v, 1, 0), "hello, world", 12);
	fake_virtio_add(&v, 1, 0, 12, 0);
	control(1, 6, 1);
	virtio_status_write(v.d, 0);
	assert_int_equal(virtio_status_read(v.d), 0);
	assert_int_equal(type(0, "lost?"), 0);
	ends[0].room = 100;
	ends[0].stream.client.writable(ends[0].stream.client.opaque);
	assert_int_equal(ends[0].len, 5);
	fake_virtio_start(&v, MULTIPORT | VIRTIO_F_RING_PACKED, 16);
	fake_virtio_add(&v, 1, 0, 12, 0);
	assert_int_equal(ends[0].len, 17);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(ports_are_announced, begin, end),
		cmocka_unit_test_setup_teardown(sizes, begin, end),
		cmocka_unit_test_setup_teardown(guest_writes, begin, end),
		cmocka_unit_test_setup_teardown(host_writes, begin, end),
		cmocka_unit_test_setup_teardown(named_port_waits, begin, end),
		cmocka_unit_test_setup_teardown(reset_forgets, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
