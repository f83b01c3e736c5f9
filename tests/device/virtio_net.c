/* The network card with a network that records: frames both ways, offloads done here or left to
 * others, buffers put together, filters, queue pairs, and drivers that ask for nonsense. */
#include "test.h"

#include "device/net_offload.h"
#include "device/virtio/net.h"
#include "fake_virtio.h"

#define CSUM	   (1ull << 0)
#define GUEST_CSUM (1ull << 1)
#define OFFLOADS   (1ull << 2)
#define GUEST_TSO4 (1ull << 7)
#define HOST_TSO4  (1ull << 11)
#define MRG	   (1ull << 15)
#define CTRL_VQ	   (1ull << 17)
#define CTRL_RX	   (1ull << 18)
#define MQ	   (1ull << 22)

enum { HEADER = 12, RX = 0, TX = 1, CONTROL = 2, FRAMES = 64 };

struct sent {
	unsigned queue;
	size_t len;
	struct net_offload o;
	uint8_t bytes[NET_FRAME_MAX];
};

static const uint8_t mac[6] = {0x52, 0x54, 0, 1, 2, 3};
static struct net_network net;
static struct virtio_net card;
static struct fake_virtio v;
static struct sent sent[FRAMES];
static unsigned sents, resumes, features_told;
static bool echo;

static void on_send(void *opaque, unsigned queue, const struct io_piece *piece, unsigned pieces,
		    const struct net_offload *o)
{
	struct sent *s = &sent[sents++];

	assert_true(sents <= FRAMES);
	*s = (struct sent){.queue = queue};
	for (unsigned i = 0; i < pieces; i++) {
		memcpy(s->bytes + s->len, piece[i].base, piece[i].len);
		s->len += piece[i].len;
	}
	if (o)
		s->o = *o;
	if (echo) /* answers before it returns, as user-mode networks do */
		net.card.receive(net.card.opaque, piece, pieces, NULL);
}

static void on_resume(void *opaque)
{
	resumes++;
}

static void on_features(void *opaque, unsigned features)
{
	features_told = features;
}

static void begin(uint64_t driver, unsigned network_takes, unsigned queues, uint16_t size)
{
	net = (struct net_network){.send = on_send,
				   .resume = on_resume,
				   .card_features = on_features,
				   .features = network_takes,
				   .queues = queues};
	sents = resumes = features_told = 0;
	echo = false;
	virtio_net_init(&card, "net0", mac, &net);
	fake_virtio_connect(&v, &card.device);
	fake_virtio_start(&v, driver, size);
	assert_true(virtio_running(&card.device));
	resumes = 0;
}

static void end(void)
{
	fake_virtio_free(&v);
}

static bool receive(const void *frame, size_t len, const struct net_offload *o)
{
	struct io_piece p[2] = {{(void *)(uintptr_t)frame, 20},
				{(uint8_t *)(uintptr_t)frame + 20, len - 20}};

	return net.card.receive(net.card.opaque, p, 2, o);
}

/* A frame of n bytes from the driver, in two buffers behind the header. */
static void transmit(unsigned pair, const struct net_offload *o, const uint8_t *frame, uint32_t n)
{
	unsigned q = 2 * pair + TX;
	uint8_t *to = fake_virtio_data(&v, q, 0);
	uint64_t gpa = fake_virtio_gpa(&v, q, 0);
	struct fake_seg s[3] = {{gpa, HEADER, 0}, {gpa + 0x1000, 30, 0}, {gpa + 0x2000, n - 30, 0}};
	uint32_t id, len;

	memset(to, 0, HEADER);
	if (o)
		memcpy(to, o, sizeof(*o));
	memcpy(to + 0x1000, frame, 30);
	memcpy(to + 0x2000, frame + 30, n - 30);
	fake_add(&v.queue[q], s, 3);
	virtio_kick(v.d, q);
	fake_virtio_run(&v);
	assert_true(fake_used(&v.queue[q], &id, &len));
	assert_int_equal(len, 0);
}

static uint8_t frame[40000];

static void make_frame(size_t n)
{
	for (size_t i = 0; i < n; i++)
		frame[i] = (uint8_t)(i * 3 + (i >> 8));
	memcpy(frame, mac, 6);
	net_store16(frame + 12, 0x88b5);
}

/* TCP over IPv4, its checksum begun only. */
static struct net_offload make_tcp(size_t data)
{
	struct net_headers h;
	uint16_t sum;

	make_frame(54 + data);
	net_store16(frame + 12, 0x0800);
	memcpy(frame + 14, "\x45\0\0\0\x12\x34\x40\0\x40\6\0\0\12\0\2\2\12\0\2\17", 20);
	net_store16(frame + 16, (unsigned)(40 + data));
	frame[46] = 0x50;
	frame[47] = NET_TCP_ACK;
	assert_true(net_headers_parse(frame, 54 + data, &h));
	sum = (uint16_t)~net_sum_fold(net_sum_pseudo(frame, &h, (uint32_t)(20 + data)));
	memcpy(frame + 50, &sum, 2);
	return (struct net_offload){.flags = NET_NEEDS_CSUM,
				    .gso_type = data > 1460 ? NET_GSO_TCP4 : 0,
				    .gso_bytes = 1460,
				    .header_bytes = 54,
				    .csum_start = 34,
				    .csum_offset = 16};
}

/* ---- from the guest */

static void sends(void **state)
{
	make_frame(1514);
	begin(0, 0, 1, 16);
	for (unsigned i = 0; i < 40; i++)
		transmit(0, NULL, frame, 60 + 30 * i);
	assert_int_equal(sents, 40);
	assert_int_equal(sent[39].len, 60 + 30 * 39);
	assert_memory_equal(sent[39].bytes, frame, sent[39].len);
	end();
}

static void leaves_to_network(void **state)
{
	struct net_offload o = make_tcp(30000);

	begin(CSUM | HOST_TSO4, NET_TAKES_CSUM | NET_TAKES_TSO4, 1, 16);
	transmit(0, &o, frame, 30054);
	assert_int_equal(sents, 1);
	assert_int_equal(sent[0].len, 30054);
	assert_memory_equal(&sent[0].o, &o, sizeof(o));
	end();
}

static void does_itself(void **state)
{
	struct net_offload o = make_tcp(30000);
	size_t bytes = 0;

	begin(CSUM | HOST_TSO4, 0, 1, 16);
	transmit(0, &o, frame, 30054);
	assert_int_equal(sents, 21);
	for (unsigned i = 0; i < sents; i++) {
		struct net_headers h;
		const uint8_t *f = sent[i].bytes;

		assert_true(sent[i].len <= 1514);
		assert_true(net_headers_parse(f, sent[i].len, &h));
		assert_int_equal(net_sum_fold(net_sum(f + h.l4, h.end - h.l4,
						      net_sum_pseudo(f, &h, h.end - h.l4))),
				 0);
		assert_int_equal(sent[i].o.gso_type, NET_GSO_NONE);
		bytes += h.end - h.data;
	}
	assert_int_equal(bytes, 30000);
	end();
}

static void not_agreed_on(void **state)
{
	struct net_offload o = make_tcp(30000);

	begin(CSUM, NET_TAKES_CSUM | NET_TAKES_TSO4, 1, 16);
	transmit(0, &o, frame, 30054); /* TSO was not accepted */
	assert_int_equal(sents, 0);
	o.gso_type = 77;
	transmit(0, &o, frame, 30054);
	assert_int_equal(sents, 0);
	end();
	begin(0, NET_TAKES_CSUM, 1, 16);
	o = make_tcp(100);
	transmit(0, &o, frame, 154); /* nor checksums */
	assert_int_equal(sents, 0);
	end();
}

/* ---- to the guest */

static void add_buffers(unsigned queue, unsigned count, uint32_t each)
{
	for (unsigned i = 0; i < count; i++)
		fake_virtio_add(&v, queue, (size_t)i * 0x1000, each, FAKE_WRITE);
}

static void receives(void **state)
{
	uint32_t id, len;

	make_frame(1514);
	begin(VIRTIO_F_EVENT_IDX, 0, 1, 16);
	assert_false(receive(frame, 1514, NULL)); /* no buffer */
	assert_int_equal(resumes, 0);
	add_buffers(RX, 2, 1526);
	assert_int_equal(resumes, 1); /* now there is */
	assert_true(receive(frame, 1514, NULL));
	assert_true(fake_used(&v.queue[RX], &id, &len));
	assert_int_equal(len, 1526);
	assert_memory_equal(fake_virtio_data(&v, RX, HEADER), frame, 1514);
	assert_int_equal(load_le16(fake_virtio_data(&v, RX, 10)), 1);
	assert_true(v.queue_interrupts & 1u << RX);
	/* One that does not fit is lost, and its buffer is not. */
	assert_true(receive(frame, 1515, NULL));
	assert_false(fake_used(&v.queue[RX], &id, &len));
	assert_true(receive(frame, 60, NULL));
	assert_true(fake_used(&v.queue[RX], &id, &len));
	assert_int_equal(len, 72);
	end();
}

static void merges(bool packed)
{
	struct net_offload o;
	uint8_t back[32000];
	uint32_t id, len;
	size_t at = 0;

	begin(MRG | GUEST_CSUM | GUEST_TSO4 | (packed ? VIRTIO_F_RING_PACKED : 0), 0, 1, 64);
	assert_int_equal(features_told, NET_TAKES_CSUM | NET_TAKES_TSO4);
	o = make_tcp(30000);
	add_buffers(RX, 20, 1500);
	assert_false(receive(frame, 30054, &o)); /* 20 are too few */
	assert_false(fake_used(&v.queue[RX], &id, &len));
	for (unsigned i = 20; i < 30; i++)
		fake_virtio_add(&v, RX, (size_t)i * 0x1000, 1500, FAKE_WRITE);
	assert_true(resumes > 0);
	assert_true(receive(frame, 30054, &o));
	for (unsigned i = 0; fake_used(&v.queue[RX], &id, &len); i++) {
		assert_int_equal(len, i < 20 ? 1500 : 30066 - 20 * 1500);
		memcpy(back + at, fake_virtio_data(&v, RX, (size_t)i * 0x1000), len);
		at += len;
	}
	assert_int_equal(at, 30066);
	assert_memory_equal(back, &o, sizeof(o));
	assert_int_equal(load_le16(back + 10), 21);
	assert_memory_equal(back + HEADER, frame, 30054);
	end();
}

static void merges_split(void **state)
{
	merges(false);
}

static void merges_packed(void **state)
{
	merges(true);
}

/* Buffers that can never hold it: the frame is lost, not waited for. */
static void small_buffers(void **state)
{
	struct net_offload o = make_tcp(30000);

	begin(MRG | GUEST_CSUM | GUEST_TSO4, 0, 1, 16);
	add_buffers(RX, 16, 1500);
	assert_true(receive(frame, 30054, &o));
	end();
	begin(MRG | GUEST_CSUM | GUEST_TSO4, 0, 1, 128);
	add_buffers(RX, 100, 100);
	assert_true(receive(frame, 30054, &o));
	end();
}

static void answers_at_once(void **state)
{
	uint32_t id, len;

	make_frame(200);
	begin(0, 0, 1, 16);
	add_buffers(RX, 4, 1526);
	echo = true;
	transmit(0, NULL, frame, 200);
	assert_true(fake_used(&v.queue[RX], &id, &len));
	assert_memory_equal(fake_virtio_data(&v, RX, HEADER), frame, 200);
	end();
}

/* ---- control queue */

static uint8_t control(unsigned queue, unsigned class, unsigned what, const void *data, uint32_t n)
{
	uint8_t *m = fake_virtio_data(&v, queue, 0);
	struct fake_seg s[2] = {{fake_virtio_gpa(&v, queue, 0), 2 + n, 0},
				{fake_virtio_gpa(&v, queue, 0x8000), 1, FAKE_WRITE}};
	uint32_t id, len;

	m[0] = (uint8_t) class;
	m[1] = (uint8_t)what;
	memcpy(m + 2, data, n);
	m[0x8000] = 77;
	fake_add(&v.queue[queue], s, 2);
	virtio_kick(v.d, queue);
	fake_virtio_run(&v);
	assert_true(fake_used(&v.queue[queue], &id, &len));
	assert_int_equal(len, 1);
	return m[0x8000];
}

static bool comes(const char *to)
{
	uint32_t id, len;
	uint8_t f[60] = {0};

	memcpy(f, to, 6);
	add_buffers(RX, 1, 1526);
	while (fake_used(&v.queue[RX], &id, &len)) {
	}
	assert_true(receive(f, sizeof(f), NULL));
	return fake_used(&v.queue[RX], &id, &len);
}

static void filters(void **state)
{
	static const char me[] = "\x52\x54\0\1\2\3", other[] = "\x52\x54\0\1\2\4",
			  many[] = "\1\0\x5e\0\0\1", all[] = "\xff\xff\xff\xff\xff\xff";
	uint8_t table[8 + 12], big[4 + 6 * 100 + 4] = {100}, on = 1, off = 0;

	begin(CTRL_VQ | CTRL_RX, 0, 1, 16);
	assert_true(comes(other)); /* nothing was said */
	assert_int_equal(control(CONTROL, 0, 0, &off, 1), 0);
	assert_true(comes(me));
	assert_true(comes(all));
	assert_false(comes(other));
	assert_false(comes(many));
	assert_int_equal(control(CONTROL, 0, 1, &on, 1), 0);
	assert_true(comes(many));
	assert_int_equal(control(CONTROL, 0, 1, &off, 1), 0);
	store_le32(table, 1);
	memcpy(table + 4, other, 6);
	store_le32(table + 10, 1);
	memcpy(table + 14, many, 6);
	assert_int_equal(control(CONTROL, 1, 0, table, sizeof(table)), 0);
	assert_true(comes(other));
	assert_true(comes(many));
	assert_false(comes("\1\0\x5e\0\0\2"));
	assert_int_equal(control(CONTROL, 0, 5, &on, 1), 0);
	assert_false(comes(all));
	/* A list that is longer than kept lets all of its kind through; one cut short changes
	 * nothing. */
	assert_int_equal(control(CONTROL, 1, 0, table, 19), 1);
	assert_int_equal(control(CONTROL, 1, 0, big, sizeof(big)), 0);
	assert_true(comes("\2\2\2\2\2\2"));
	assert_false(comes(many));
	/* Another address. */
	assert_int_equal(control(CONTROL, 1, 0, "\0\0\0\0\0\0\0\0", 8), 0);
	assert_int_equal(control(CONTROL, 1, 1, other, 6), 0);
	assert_true(comes(other));
	assert_false(comes(me));
	assert_int_equal(control(CONTROL, 0, 6, &on, 1), 1);
	assert_int_equal(control(CONTROL, 9, 0, &on, 1), 1);
	end();
}

static void changes_offloads(void **state)
{
	struct net_offload o;
	uint64_t bits = GUEST_CSUM;
	uint32_t id, len;

	begin(CTRL_VQ | OFFLOADS | MRG | GUEST_CSUM | GUEST_TSO4, 0, 1, 64);
	o = make_tcp(3000);
	add_buffers(RX, 8, 1500);
	assert_int_equal(control(CONTROL, 5, 0, &bits, 8), 0);
	assert_int_equal(features_told, NET_TAKES_CSUM);
	assert_true(receive(frame, 3054, &o)); /* one that was under way: lost */
	assert_false(fake_used(&v.queue[RX], &id, &len));
	bits |= 1 << 8; /* TSO6 was not accepted */
	assert_int_equal(control(CONTROL, 5, 0, &bits, 8), 1);
	end();
}

/* What comes in goes where its flow went out; as many pairs as the driver says. */
static void pairs(void **state)
{
	uint16_t two = 2, five = 5;
	uint32_t id, len;
	struct net_offload o = make_tcp(100);
	uint8_t back[154];

	begin(CTRL_VQ | MQ | CSUM, NET_TAKES_CSUM, 4, 16);
	assert_int_equal(card.device.queues, 9);
	assert_int_equal(control(8, 4, 0, &five, 2), 1);
	assert_int_equal(control(8, 4, 0, &two, 2), 0);
	add_buffers(0, 2, 1526);
	add_buffers(2, 2, 1526);
	memcpy(back, frame, sizeof(back));
	memcpy(back + 26, frame + 30, 4); /* addresses and ports the other way round */
	memcpy(back + 30, frame + 26, 4);
	memcpy(back + 34, frame + 36, 2);
	memcpy(back + 36, frame + 34, 2);
	transmit(1, &o, frame, 154);
	assert_int_equal(sent[0].queue, 1);
	assert_true(receive(back, sizeof(back), NULL));
	assert_true(fake_used(&v.queue[2], &id, &len));
	transmit(0, &o, frame, 154);
	assert_true(receive(back, sizeof(back), NULL));
	assert_true(fake_used(&v.queue[0], &id, &len));
	end();
}

static void link_changes(void **state)
{
	uint8_t config[17];

	begin(1ull << 16, 0, 1, 16);
	virtio_config_read(v.d, 0, config, sizeof(config));
	assert_memory_equal(config, mac, 6);
	assert_int_equal(load_le16(config + 6), 1);
	net.unplugged = true;
	net.card.link(net.card.opaque, false);
	assert_int_equal(v.config_interrupts, 1);
	virtio_config_read(v.d, 6, config, 2);
	assert_int_equal(load_le16(config), 0);
	end();
}

/* A feature without the one it rests on is refused. */
static void contradictions(void **state)
{
	begin(0, 0, 1, 16);
	virtio_status_write(v.d, 0);
	fake_virtio_start(&v, HOST_TSO4, 16);
	assert_false(virtio_running(v.d));
	assert_true(receive(frame, 60, NULL)); /* to nobody */
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sends),
		cmocka_unit_test(leaves_to_network),
		cmocka_unit_test(does_itself),
		cmocka_unit_test(not_agreed_on),
		cmocka_unit_test(receives),
		cmocka_unit_test(merges_split),
		cmocka_unit_test(merges_packed),
		cmocka_unit_test(small_buffers),
		cmocka_unit_test(answers_at_once),
		cmocka_unit_test(filters),
		cmocka_unit_test(changes_offloads),
		cmocka_unit_test(pairs),
		cmocka_unit_test(link_changes),
		cmocka_unit_test(contradictions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
