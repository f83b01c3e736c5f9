/* The socket device: connections from either side, credit, ends of all kinds, nonsense. */
#include "test.h"

#include "device/virtio/vsock_private.h"
#include "vsock_rig.h"

enum { RX = QUEUE_RX, TX = QUEUE_TX };
enum { REQUEST = 1, RESPONSE, RST, SHUTDOWN, RW, CREDIT_UPDATE, CREDIT_REQUEST };
enum { HDR = 44, RX_BYTES = 512, GUEST_ROOM = 1000 };

static struct vsock_rig g;
static unsigned rx_used;

static int begin(void **state)
{
	rig_init(&g);
	fake_virtio_start(&g.f, VIRTIO_F_EVENT_IDX, 16);
	rx_used = 0;
	return 0;
}

static int end(void **state)
{
	fake_virtio_free(&g.f);
	return 0;
}

static int begin_messages(void **state)
{
	rig_init(&g);
	fake_virtio_start(&g.f, VIRTIO_F_EVENT_IDX | VIRTIO_VSOCK_F_SEQPACKET, 16);
	rx_used = 0;
	return 0;
}

struct packet {
	uint64_t src_cid, dst_cid;
	uint32_t src_port, dst_port;
	uint16_t type, op;
	uint32_t flags, room, taken, len;
};

static void send_packet(struct packet p, const char *bytes)
{
	uint8_t *h = fake_virtio_data(&g.f, TX, 0);
	uint32_t id, len;

	store_le64(h, p.src_cid);
	store_le64(h + 8, p.dst_cid);
	store_le32(h + 16, p.src_port);
	store_le32(h + 20, p.dst_port);
	store_le32(h + 24, p.len);
	store_le16(h + 28, p.type);
	store_le16(h + 30, p.op);
	store_le32(h + 32, p.flags);
	store_le32(h + 36, p.room);
	store_le32(h + 40, p.taken);
	if (bytes)
		memcpy(h + HDR, bytes, p.len);
	fake_virtio_add(&g.f, TX, 0, HDR + p.len, 0);
	assert_true(fake_used(&g.f.queue[TX], &id, &len));
	assert_int_equal(len, 0);
}

/* From port 100 of the guest to port 52 of the host, or what `to` says. */
static void tx(uint16_t op, uint32_t to, const char *bytes, uint32_t flags, uint32_t taken)
{
	send_packet((struct packet){.src_cid = 7,
				    .dst_cid = 2,
				    .src_port = 100,
				    .dst_port = to,
				    .type = 1,
				    .op = op,
				    .flags = flags,
				    .room = GUEST_ROOM,
				    .taken = taken,
				    .len = bytes ? (uint32_t)strlen(bytes) : 0},
		    bytes);
}

static void rx_offer(void)
{
	fake_virtio_add(&g.f, RX, 0, RX_BYTES, FAKE_WRITE);
}

/* The packet in the buffer that was offered last. */
static const uint8_t *rx_packet(uint16_t op, uint32_t to)
{
	const uint8_t *h = fake_virtio_data(&g.f, RX, 0);
	uint32_t id, len;

	assert_true(fake_used(&g.f.queue[RX], &id, &len));
	assert_int_equal(load_le16(h + 30), op);
	assert_int_equal(load_le64(h), 2);
	assert_int_equal(load_le64(h + 8), 7);
	assert_int_equal(load_le32(h + 20), to);
	assert_int_equal(len, HDR + load_le32(h + 24));
	return h;
}

static const uint8_t *expect(uint16_t op)
{
	rx_offer();
	return rx_packet(op, 100);
}

static void expect_none(void)
{
	uint32_t id, len;

	rx_offer(); /* stays for what comes next */
	assert_false(fake_used(&g.f.queue[RX], &id, &len));
}

static struct rig_end *guest_connects(void)
{
	struct rig_end *e = &g.end[g.ends];

	tx(REQUEST, 52, NULL, 0, 0);
	assert_int_equal(load_le32(expect(RESPONSE) + 36), VSOCK_RING_BYTES);
	return e;
}

static size_t input(struct rig_end *e, const char *bytes)
{
	const struct stream_client *c = &e->end.stream.client;

	return c->input(c->opaque, (const uint8_t *)bytes, strlen(bytes));
}

static void cid(void **state)
{
	uint8_t config[8];

	virtio_config_read(&g.v.device, 0, config, 8);
	assert_int_equal(load_le64(config), 7);
}

static void guest_begins(void **state)
{
	struct rig_end *e = guest_connects();
	const uint8_t *h;

	tx(RW, 52, "hello", 0, 0);
	assert_memory_equal(e->got, "hello", 5);
	rx_offer();
	assert_int_equal(input(e, "welcome"), 7);
	h = rx_packet(RW, 100);
	assert_memory_equal(h + HDR, "welcome", 7);
	assert_int_equal(load_le32(h + 40), 5); /* taken */
	tx(CREDIT_REQUEST, 52, NULL, 0, 0);
	expect(CREDIT_UPDATE);
	tx(SHUTDOWN, 52, NULL, 2, 0); /* sends no more */
	assert_int_equal(e->finishes, 1);
	rx_offer();
	assert_int_equal(input(e, "bye"), 3);
	rx_packet(RW, 100);
	rx_offer();
	e->end.stream.client.connected(e->end.stream.client.opaque, false);
	assert_int_equal(load_le32(rx_packet(SHUTDOWN, 100) + 32), 2);
	tx(SHUTDOWN, 52, NULL, 3, 0);
	expect(RST);
	assert_int_equal(e->closes, 1);
	assert_int_equal(e->finishes, 1);
	guest_connects(); /* the ports are free again */
}

static void guest_is_refused(void **state)
{
	g.refuse = true;
	tx(REQUEST, 52, NULL, 0, 0);
	expect(RST);
	tx(RW, 52, "x", 0, 0);
	expect(RST);
	tx(RST, 52, NULL, 0, 0);
	expect_none();
}

static void host_begins(void **state)
{
	struct rig_end *e = rig_end(&g);
	uint32_t port;

	rx_offer();
	assert_true(virtio_vsock_connect(&g.v, 100, &e->end));
	port = load_le32(rx_packet(REQUEST, 100) + 16);
	tx(RESPONSE, port, NULL, 0, 0);
	assert_int_equal(e->opens, 1);
	assert_int_equal(e->port, port);
	rx_offer();
	assert_int_equal(input(e, "question"), 8);
	rx_packet(RW, 100);
	tx(RW, port, "answer", 0, 8);
	assert_memory_equal(e->got, "answer", 6);
	rx_offer();
	virtio_vsock_gone(&g.v, &e->end);
	assert_int_equal(load_le32(rx_packet(SHUTDOWN, 100) + 32), 3);
	tx(RW, port, "more", 0, 8); /* to nobody */
	tx(RST, port, NULL, 0, 8);
	assert_int_equal(e->closes, 0);
	tx(RW, port, "more", 0, 8);
	expect(RST);
}

static void host_is_refused(void **state)
{
	struct rig_end *e = rig_end(&g);
	uint32_t port;

	rx_offer();
	assert_true(virtio_vsock_connect(&g.v, 100, &e->end));
	port = load_le32(rx_packet(REQUEST, 100) + 16);
	tx(RST, port, NULL, 0, 0);
	assert_int_equal(e->closes, 1);
	assert_int_equal(e->opens, 0);
	virtio_status_write(&g.v.device, 0);
	assert_false(virtio_vsock_connect(&g.v, 100, &e->end));
}

/* The host is slow: the ring keeps what it does not take, and the guest hears of room later. */
static void slow_host(void **state)
{
	struct rig_end *e = guest_connects();
	unsigned in_ring = 0;
	char bytes[5000];

	memset(bytes, 'a', sizeof(bytes));
	bytes[sizeof(bytes) - 1] = 0;
	e->room = 100;
	while (in_ring + 4999 <= VSOCK_RING_BYTES) {
		tx(RW, 52, bytes, 0, 0);
		in_ring += 4999;
		if (in_ring == 4999)
			in_ring -= 100;
	}
	assert_int_equal(e->len, 100);
	expect_none();
	e->room = 1000;
	e->end.stream.client.writable(e->end.stream.client.opaque);
	assert_int_equal(e->len, 1100);
	e->room = SIZE_MAX;
	e->end.stream.client.writable(e->end.stream.client.opaque);
	assert_int_equal(e->len, in_ring + 100);
	assert_int_equal(load_le32(rx_packet(CREDIT_UPDATE, 100) + 40), in_ring + 100);
}

static void guest_sends_more_than_it_may(void **state)
{
	struct rig_end *e = guest_connects();
	char bytes[5000];

	memset(bytes, 'a', sizeof(bytes));
	bytes[sizeof(bytes) - 1] = 0;
	e->room = 0;
	for (unsigned i = 0; i < VSOCK_RING_BYTES / 4999; i++)
		tx(RW, 52, bytes, 0, 0);
	assert_int_equal(e->closes, 0);
	tx(RW, 52, bytes, 0, 0);
	expect(RST);
	assert_int_equal(e->closes, 1);
}

/* What the guest sent before it left still reaches the host. */
static void guest_leaves(void **state)
{
	struct rig_end *e = guest_connects();

	e->room = 1;
	tx(RW, 52, "hello", 0, 0);
	tx(SHUTDOWN, 52, NULL, 3, 0);
	assert_int_equal(e->closes, 0);
	tx(RST, 52, NULL, 0, 0);
	assert_int_equal(e->closes, 0);
	guest_connects(); /* the same ports meanwhile */
	e->room = 100;
	e->end.stream.client.writable(e->end.stream.client.opaque);
	assert_memory_equal(e->got, "hello", 5);
	assert_int_equal(e->closes, 1);
}

/* No buffers, no credit: the host's bytes wait, and it is told when to go on. */
static void slow_guest(void **state)
{
	struct rig_end *e = guest_connects();
	char bytes[GUEST_ROOM + 500];

	memset(bytes, 'b', sizeof(bytes));
	bytes[sizeof(bytes) - 1] = 0;
	assert_int_equal(input(e, bytes), 0);
	rx_offer();
	assert_int_equal(e->resumes, 1);
	assert_int_equal(input(e, bytes), RX_BYTES - HDR);
	rx_packet(RW, 100);
	rx_offer();
	assert_int_equal(input(e, bytes), RX_BYTES - HDR);
	rx_packet(RW, 100);
	rx_offer();
	assert_int_equal(input(e, bytes), GUEST_ROOM - 2 * (RX_BYTES - HDR));
	rx_packet(RW, 100);
	expect(CREDIT_REQUEST);
	assert_int_equal(input(e, bytes), 0);
	e->resumes = 0;
	tx(CREDIT_UPDATE, 52, NULL, 0, 10);
	assert_int_equal(e->resumes, 1);
	rx_offer();
	assert_int_equal(input(e, bytes), 10);
	rx_packet(RW, 100);
	/* It will receive no more: the rest goes nowhere. */
	tx(SHUTDOWN, 52, NULL, 1, 10);
	assert_int_equal(input(e, "x"), 1);
}

static void nonsense(void **state)
{
	struct packet p = {.src_cid = 7, .dst_cid = 2, .src_port = 100, .dst_port = 52, .type = 1};
	struct rig_end *e;
	uint32_t id, len;

	fake_virtio_add(&g.f, TX, 0, 10, 0); /* no header */
	assert_true(fake_used(&g.f.queue[TX], &id, &len));
	p.op = REQUEST;
	p.src_cid = 8;
	send_packet(p, NULL); /* not its own */
	p.src_cid = 7;
	p.type = 2;
	send_packet(p, NULL); /* seqpacket */
	assert_int_equal(load_le16(expect(RST) + 28), 2);
	p.type = 1;
	p.dst_cid = 9;
	send_packet(p, NULL); /* another guest */
	rx_offer();
	assert_true(fake_used(&g.f.queue[RX], &id, &len));
	assert_int_equal(load_le64(fake_virtio_data(&g.f, RX, 0)), 9);
	e = guest_connects();
	tx(77, 52, NULL, 0, 0);
	expect(RST);
	assert_int_equal(e->closes, 1);
	e = guest_connects();
	tx(REQUEST, 52, NULL, 0, 0);
	expect(RST);
	assert_int_equal(e->closes, 1);
	/* A length that the chain does not hold. */
	e = guest_connects();
	store_le32(fake_virtio_data(&g.f, TX, 24), 100);
	store_le16(fake_virtio_data(&g.f, TX, 30), RW);
	fake_virtio_add(&g.f, TX, 0, HDR + 99, 0);
	assert_true(fake_used(&g.f.queue[TX], &id, &len));
	assert_int_equal(e->len, 0);
	/* A buffer too small for a header goes back empty. */
	tx(CREDIT_REQUEST, 52, NULL, 0, 0);
	fake_virtio_add(&g.f, RX, 0, 10, FAKE_WRITE);
	assert_true(fake_used(&g.f.queue[RX], &id, &len));
	assert_int_equal(len, 0);
	expect(CREDIT_UPDATE);
}

/* ---- messages */

static void message(uint16_t op, const char *bytes, uint32_t len, uint32_t flags)
{
	send_packet((struct packet){.src_cid = 7,
				    .dst_cid = 2,
				    .src_port = 100,
				    .dst_port = 52,
				    .type = TYPE_SEQPACKET,
				    .op = op,
				    .flags = flags,
				    .room = GUEST_ROOM,
				    .len = len},
		    bytes);
}

static struct rig_end *guest_connects_for_messages(void)
{
	struct rig_end *e = &g.end[g.ends];

	message(OP_REQUEST, NULL, 0, 0);
	assert_int_equal(load_le16(expect(RESPONSE) + HDR_TYPE), TYPE_SEQPACKET);
	assert_true(e->end.messages);
	return e;
}

/* A message reaches the host in one piece, however many packets it came in. */
static void messages_to_the_host(void **state)
{
	struct rig_end *e = guest_connects_for_messages();

	message(OP_RW, "one", 3, SEQ_EOM);
	assert_true(e->writes == 1 && e->last == 3);
	message(OP_RW, "two", 3, 0);
	message(OP_RW, " and", 4, 0);
	assert_int_equal(e->writes, 1);
	message(OP_RW, " three", 6, SEQ_EOM);
	assert_true(e->writes == 2 && e->last == 13);
	assert_memory_equal(e->got, "onetwo and three", 16);
	message(OP_RW, NULL, 0, SEQ_EOM); /* an empty one is none */
	message(OP_RW, "x", 1, 0);
	message(OP_RW, NULL, 0, SEQ_EOM); /* an end by itself */
	message(OP_RW, NULL, 0, SEQ_EOM);
	assert_true(e->writes == 3 && e->last == 1);
	/* The host is busy: they wait, and do not run together. */
	e->room = 0;
	message(OP_RW, "four", 4, SEQ_EOM);
	message(OP_RW, "fiver", 5, SEQ_EOM);
	message(OP_RW, "si", 2, 0);
	assert_int_equal(e->writes, 3);
	e->room = 6; /* for the first, not for both */
	e->end.stream.client.writable(e->end.stream.client.opaque);
	assert_true(e->writes == 4 && e->last == 4);
	e->room = SIZE_MAX;
	e->end.stream.client.writable(e->end.stream.client.opaque);
	assert_true(e->writes == 5 && e->last == 5);
	message(OP_RW, "x", 1, SEQ_EOM);
	assert_true(e->writes == 6 && e->last == 3);
	/* The beginning of one is not handed on when there will be no more. */
	message(OP_RW, "lost", 4, 0);
	message(OP_SHUTDOWN, NULL, 0, SHUT_SEND);
	assert_true(e->writes == 6 && e->finishes == 1);
	expect_none();
}

/* Across the end of the ring, again and again. */
static void messages_wrap(void **state)
{
	enum { ROUNDS = 100, PART = 2500 };
	struct rig_end *e = guest_connects_for_messages();
	static char part[PART];
	uint32_t id, len;

	rx_offer();
	memset(part, 'p', sizeof(part));
	for (unsigned i = 1; i <= ROUNDS; i++) {
		for (unsigned k = 0; k < 4; k++)
			message(OP_RW, part, PART - i, k == 3 ? SEQ_EOM : 0);
		assert_true(e->writes == i && e->last == 4 * (PART - i));
		if (fake_used(&g.f.queue[RX], &id, &len)) /* credit */
			rx_offer();
	}
}

static void message_without_end(void **state)
{
	struct rig_end *e = guest_connects_for_messages();
	static char part[4096];

	for (unsigned i = 0; i < VSOCK_RING_BYTES / sizeof(part); i++) {
		assert_int_equal(e->closes, 0);
		message(OP_RW, part, sizeof(part), 0);
	}
	assert_true(e->closes == 1 && e->writes == 0);
	expect(RST);
}

static void messages_to_the_guest(void **state)
{
	struct rig_end *e = guest_connects_for_messages();
	char bytes[GUEST_ROOM + 2];
	const uint8_t *h;

	memset(bytes, 'b', sizeof(bytes));
	bytes[600] = 0;
	rx_offer();
	assert_int_equal(input(e, bytes), RX_BYTES - HDR);
	assert_int_equal(load_le32(rx_packet(RW, 100) + HDR_FLAGS), 0);
	rx_offer();
	assert_int_equal(input(e, bytes + RX_BYTES - HDR), 600 - (RX_BYTES - HDR));
	h = rx_packet(RW, 100);
	assert_int_equal(load_le32(h + HDR_FLAGS), SEQ_EOM);
	assert_int_equal(load_le16(h + HDR_TYPE), TYPE_SEQPACKET);
	/* More than it will ever have room for. */
	bytes[600] = 'b';
	bytes[sizeof(bytes) - 1] = 0;
	assert_int_equal(input(e, bytes), sizeof(bytes) - 1);
	assert_int_equal(e->closes, 1);
	expect(RST);
}

static void both_types_at_the_same_ports(void **state)
{
	struct rig_end *m = guest_connects_for_messages(), *s = guest_connects();

	tx(RW, 52, "stream", 0, 0);
	message(OP_RW, "message", 7, SEQ_EOM);
	assert_memory_equal(s->got, "stream", 6);
	assert_memory_equal(m->got, "message", 7);
	tx(RST, 52, NULL, 0, 0);
	assert_true(s->closes == 1 && m->closes == 0);
}

/* From the host, and only with a driver that knows of it. */
static void host_begins_with_messages(void **state)
{
	struct rig_end *e = rig_end(&g);

	e->end.messages = true;
	assert_true(virtio_vsock_connect(&g.v, 5, &e->end));
	rx_offer();
	assert_int_equal(load_le16(rx_packet(REQUEST, 5) + HDR_TYPE), TYPE_SEQPACKET);
	virtio_status_write(&g.v.device, 0);
	fake_virtio_run(&g.f);
	assert_int_equal(e->closes, 1);
	fake_virtio_start(&g.f, VIRTIO_F_EVENT_IDX, 16);
	e = rig_end(&g);
	e->end.messages = true;
	assert_false(virtio_vsock_connect(&g.v, 5, &e->end));
}

static void table_is_bounded(void **state)
{
	struct packet p = {.src_cid = 7, .dst_cid = 2, .dst_port = 52, .type = 1, .op = REQUEST};
	struct rig_end *e;

	for (unsigned i = 0; i < VSOCK_CONNECTIONS_MAX; i++) {
		p.src_port = i + 1000;
		send_packet(p, NULL);
		rx_offer();
		rx_packet(RESPONSE, p.src_port);
	}
	p.src_port = 1;
	send_packet(p, NULL);
	rx_offer();
	rx_packet(RST, 1);
	e = rig_end(&g);
	assert_false(virtio_vsock_connect(&g.v, 5, &e->end));
	/* Answers to nonsense that nobody takes are bounded, too. */
	for (unsigned i = 0; i < 3 * VSOCK_RESETS_MAX; i++)
		send_packet(p, NULL);
	assert_int_equal(g.v.resets, VSOCK_RESETS_MAX);
}

static void reset_ends_all(void **state)
{
	struct rig_end *e = guest_connects(), *other;

	e->room = 0;
	tx(RW, 52, "kept", 0, 0);
	virtio_status_write(&g.v.device, 0);
	assert_int_equal(e->closes, 0); /* on the I/O thread only */
	fake_virtio_run(&g.f);
	assert_int_equal(e->closes, 1);
	fake_virtio_start(&g.f, 0, 16);
	other = guest_connects();
	tx(RW, 52, "new", 0, 0);
	assert_memory_equal(other->got, "new", 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(cid, begin, end),
		cmocka_unit_test_setup_teardown(guest_begins, begin, end),
		cmocka_unit_test_setup_teardown(guest_is_refused, begin, end),
		cmocka_unit_test_setup_teardown(host_begins, begin, end),
		cmocka_unit_test_setup_teardown(host_is_refused, begin, end),
		cmocka_unit_test_setup_teardown(slow_host, begin, end),
		cmocka_unit_test_setup_teardown(guest_sends_more_than_it_may, begin, end),
		cmocka_unit_test_setup_teardown(guest_leaves, begin, end),
		cmocka_unit_test_setup_teardown(slow_guest, begin, end),
		cmocka_unit_test_setup_teardown(nonsense, begin, end),
		cmocka_unit_test_setup_teardown(table_is_bounded, begin, end),
		cmocka_unit_test_setup_teardown(reset_ends_all, begin, end),
		cmocka_unit_test_setup_teardown(messages_to_the_host, begin_messages, end),
		cmocka_unit_test_setup_teardown(messages_wrap, begin_messages, end),
		cmocka_unit_test_setup_teardown(message_without_end, begin_messages, end),
		cmocka_unit_test_setup_teardown(messages_to_the_guest, begin_messages, end),
		cmocka_unit_test_setup_teardown(both_types_at_the_same_ports, begin_messages, end),
		cmocka_unit_test_setup_teardown(host_begins_with_messages, begin_messages, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
