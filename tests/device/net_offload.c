/* Checksums, segmentation, fragmentation and joining of frames, against packets written down by
 * hand and against each other. */
#include "test.h"

#include "base/bits.h"
#include "device/net_coalesce.h"
#include "device/net_offload.h"

enum { FRAMES = 64, TCP4 = 14 + 20 + 20, TCP6 = 14 + 40 + 20 };

/* RFC 1071's example is 0001 f203 f4f5 f6f7: the sum is ddf2. */
static void known_sum(void **state)
{
	static const uint8_t words[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
	uint16_t v = net_sum_fold(net_sum(words, 8, 0));

	assert_int_equal(net_load16((uint8_t *)&v), 0xffff & ~0xddf2);
	/* An odd byte counts as the upper half of a word. */
	v = net_sum_fold(net_sum(words + 2, 1, 0));
	assert_int_equal(net_load16((uint8_t *)&v), 0xffff & ~0xf200);
}

/* A datagram of one byte from 10.0.2.15 to 10.0.2.2; its checksums were worked out elsewhere. */
static const uint8_t known_udp[] = {
	0x52, 0x55, 0x0a, 0x00, 0x02, 0x03, 0x52, 0x54, 0x00, 0x12, 0x34, 0x56, 0x08, 0x00, 0x45,
	0x00, 0x00, 0x1d, 0x00, 0x01, 0x00, 0x00, 0x40, 0x11, 0x62, 0xbf, 0x0a, 0x00, 0x02, 0x0f,
	0x0a, 0x00, 0x02, 0x02, 0x04, 0x00, 0x00, 0x35, 0x00, 0x09, 0xa2, 0x96, 0x41,
};

static void known_packet(void **state)
{
	uint8_t f[sizeof(known_udp)];
	struct net_offload o = {.flags = NET_NEEDS_CSUM, .csum_start = 34, .csum_offset = 6};
	struct net_headers h;
	uint16_t sum;

	assert_true(net_headers_parse(known_udp, sizeof(known_udp), &h));
	assert_int_equal(h.ip, 4);
	assert_int_equal(h.proto, NET_PROTO_UDP);
	assert_int_equal(h.data, 42);
	assert_int_equal(h.end, 43);
	assert_int_equal(net_sum_fold(net_sum(known_udp + 14, 20, 0)), 0);
	assert_int_equal(net_sum_fold(net_sum(known_udp + 34, 9, net_sum_pseudo(known_udp, &h, 9))),
			 0);
	/* With the pseudo header's sum in its place, the checksum comes out the same. */
	memcpy(f, known_udp, sizeof(f));
	sum = (uint16_t)~net_sum_fold(net_sum_pseudo(f, &h, 9));
	memcpy(f + 40, &sum, 2);
	assert_true(net_checksum_fill(f, sizeof(f), &o));
	assert_memory_equal(f, known_udp, sizeof(f));
	o.csum_start = 43;
	assert_false(net_checksum_fill(f, sizeof(f), &o));
	o.csum_start = 42;
	o.csum_offset = 0xffff;
	assert_false(net_checksum_fill(f, sizeof(f), &o));
}

/* ---- frames to work with */

static uint8_t big[65549];

/* A TCP frame with n bytes of data and right checksums; returns its length. */
static size_t tcp_frame(uint8_t *f, unsigned ip, unsigned tags, size_t n, uint32_t seq,
			uint8_t flags)
{
	size_t at = 12;
	struct net_headers h;
	uint16_t sum;

	memset(f, 0, 14 + 8 + 60);
	memcpy(f, "\x52\x54\0\1\2\3\x52\x54\0\4\5\6", 12);
	for (unsigned i = 0; i < tags; i++, at += 4)
		net_store32(f + at, i + 1 < tags ? 0x88a80007 : 0x81000005);
	net_store16(f + at, ip == 4 ? 0x0800 : 0x86dd);
	at += 2;
	uint8_t *p = f + at;
	if (ip == 4) {
		memcpy(p, "\x45\0\0\0\x12\x34\x40\0\x40\6\0\0\12\0\2\2\12\0\2\17", 20);
		net_store16(p + 2, (unsigned)(40 + n));
		sum = net_sum_fold(net_sum(p, 20, 0));
		memcpy(p + 10, &sum, 2);
		at += 20;
	} else {
		p[0] = 0x60;
		net_store16(p + 4, (unsigned)(20 + n));
		p[6] = NET_PROTO_TCP;
		p[7] = 64;
		memset(p + 8, 0xfe, 16);
		memset(p + 24, 0xfd, 16);
		at += 40;
	}
	net_store32(f + at, 80u << 16 | 2222);
	net_store32(f + at + 4, seq);
	net_store32(f + at + 8, 777);
	f[at + 12] = 0x50;
	f[at + 13] = flags;
	net_store16(f + at + 14, 65535);
	for (size_t i = 0; i < n; i++)
		f[at + 20 + i] = (uint8_t)((seq + i) * 31 + ((seq + i) >> 8));
	at += 20 + n;
	assert_true(net_headers_parse(f, at, &h));
	sum = net_sum_fold(net_sum(f + h.l4, 20 + n, net_sum_pseudo(f, &h, (uint32_t)(20 + n))));
	memcpy(f + h.l4 + NET_TCP_CSUM, &sum, 2);
	return at;
}

struct got {
	unsigned frames;
	size_t len[FRAMES];
	struct net_offload o[FRAMES];
	uint8_t frame[FRAMES][2048];
};

static void take(void *opaque, const struct io_piece *piece, unsigned pieces,
		 const struct net_offload *o)
{
	struct got *g = opaque;
	size_t len = 0;

	assert_true(g->frames < FRAMES);
	for (unsigned i = 0; i < pieces; i++) {
		assert_true(len + piece[i].len <= sizeof(g->frame[0]));
		memcpy(g->frame[g->frames] + len, piece[i].base, piece[i].len);
		len += piece[i].len;
	}
	g->len[g->frames] = len;
	if (o)
		g->o[g->frames] = *o;
	g->frames++;
}

static void check_sums(const uint8_t *f, const struct net_headers *h)
{
	unsigned n = h->end - h->l4;

	if (h->ip == 4)
		assert_int_equal(net_sum_fold(net_sum(f + h->l3, h->l4 - h->l3, 0)), 0);
	assert_int_equal(net_sum_fold(net_sum(f + h->l4, n, net_sum_pseudo(f, h, n))), 0);
}

static void segments(unsigned ip, unsigned tags)
{
	static struct got g;
	size_t n = 40000, len, at = 0;
	uint32_t seq = 0xfffff000; /* it wraps */
	uint8_t flags = NET_TCP_ACK | NET_TCP_PSH | NET_TCP_FIN | NET_TCP_CWR;

	memset(&g, 0, sizeof(g));
	len = tcp_frame(big, ip, tags, n, seq, flags);
	assert_true(net_segment(big, len, 1440, take, &g));
	assert_int_equal(g.frames, 28);
	for (unsigned i = 0; i < g.frames; i++) {
		struct net_headers h;
		const uint8_t *f = g.frame[i], *tcp;

		assert_true(net_headers_parse(f, g.len[i], &h));
		assert_int_equal(h.end, g.len[i]);
		check_sums(f, &h);
		tcp = f + h.l4;
		assert_int_equal(net_load32(tcp + 4), (uint32_t)(seq + at));
		assert_int_equal(tcp[13], NET_TCP_ACK | (i ? 0 : NET_TCP_CWR) |
						  (i == 27 ? NET_TCP_PSH | NET_TCP_FIN : 0));
		if (ip == 4)
			assert_int_equal(net_load16(f + h.l3 + 4), 0x1234 + i);
		assert_memory_equal(f + h.data, big + h.data + at, h.end - h.data);
		at += h.end - h.data;
	}
	assert_int_equal(at, n);
}

static void segment(void **state)
{
	segments(4, 0);
	segments(6, 0);
	segments(4, 1);
	segments(6, 2);
}

static void odd_requests(void **state)
{
	static struct got g;
	size_t len = tcp_frame(big, 4, 0, 3000, 1, NET_TCP_ACK);
	struct net_offload o = {.gso_type = NET_GSO_TCP4, .gso_bytes = 0};

	memset(&g, 0, sizeof(g));
	net_offload_apply(big, len, &o, 0, take, &g); /* no size */
	o.gso_bytes = 1;
	net_offload_apply(big, len, &o, 0, take, &g); /* 3000 frames */
	o.gso_type = 9;
	net_offload_apply(big, len, &o, ~0u, take, &g); /* no such thing */
	o.gso_type = NET_GSO_TCP4;
	o.gso_bytes = 1460;
	for (size_t cut = 0; cut < 60; cut++) /* headers that are not there */
		net_offload_apply(big, cut, &o, 0, take, &g);
	big[14] = 0x4f; /* a header of 60 bytes: what is TCP is now options */
	net_store16(big + 16, 50);
	net_offload_apply(big, len, &o, 0, take, &g);
	assert_int_equal(g.frames, 0);
}

static void apply(void **state)
{
	static struct got g;
	size_t len = tcp_frame(big, 4, 0, 1000, 1, NET_TCP_ACK);
	struct net_headers h;
	uint8_t right[2];
	uint16_t sum;
	struct net_offload o = {.flags = NET_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16};

	memset(&g, 0, sizeof(g));
	memcpy(right, big + 50, 2);
	net_headers_parse(big, len, &h);
	sum = (uint16_t)~net_sum_fold(net_sum_pseudo(big, &h, 1020));
	memcpy(big + 50, &sum, 2);
	net_offload_apply(big, len, &o, NET_TAKES_CSUM, take, &g); /* left alone */
	assert_memory_equal(g.frame[0] + 50, &sum, 2);
	assert_int_equal(g.o[0].flags, NET_NEEDS_CSUM);
	net_offload_apply(big, len, &o, 0, take, &g);
	assert_memory_equal(g.frame[1] + 50, right, 2);
	assert_int_equal(g.o[1].flags, NET_CSUM_VALID);
	net_offload_apply(big, len, NULL, 0, take, &g);
	assert_int_equal(g.frames, 3);
}

/* ---- fragments, put together again */

static void fragment(void **state)
{
	static struct got g;
	static uint8_t back[8192];

	for (unsigned ip = 4; ip <= 6; ip += 2) {
		size_t len = tcp_frame(big, ip, 0, 5000, 1, NET_TCP_ACK), end = 0;
		unsigned l4 = ip == 4 ? 34 : 54, extra = ip == 4 ? 0 : 8;

		memset(&g, 0, sizeof(g));
		big[ip == 4 ? 23 : 20] =
			NET_PROTO_UDP; /* fragments know nothing of what they carry */
		assert_true(net_fragment(big, len, ip == 4 ? 1480 : 1460, take, &g));
		assert_int_equal(g.frames, 4);
		for (unsigned i = 0; i < g.frames; i++) {
			const uint8_t *f = g.frame[i], *place = ip == 4 ? f + 20 : f + 56;
			unsigned v = net_load16(place), n = (unsigned)g.len[i] - l4 - extra;
			unsigned at = ip == 4 ? (v & 0x1fff) * 8 : v & ~7u;

			assert_true(g.len[i] <= 1514);
			assert_int_equal(!!(v & (ip == 4 ? 0x2000 : 1)), i < 3);
			assert_true(at + n <= sizeof(back));
			memcpy(back + at, f + l4 + extra, n);
			end += n;
			if (ip == 4) {
				assert_int_equal(net_sum_fold(net_sum(f + 14, 20, 0)), 0);
				assert_int_equal(net_load16(f + 16), g.len[i] - 14);
			} else {
				assert_int_equal(f[20], 44);
				assert_int_equal(f[54], NET_PROTO_UDP);
				assert_int_equal(net_load16(f + 18), g.len[i] - 54);
				assert_memory_equal(f + 58, g.frame[0] + 58, 4);
			}
		}
		assert_int_equal(end, len - l4);
		assert_memory_equal(back, big + l4, end);
	}
}

/* ---- joining undoes segmenting */

static size_t gather(const struct net_coalesce *c, uint8_t *to)
{
	size_t n = 0;

	for (unsigned i = 0; i < c->pieces; i++) {
		memcpy(to + n, c->piece[i].base, c->piece[i].len);
		n += c->piece[i].len;
	}
	return n;
}

static void join(void **state)
{
	static struct got g, again;
	static uint8_t out[65549];
	const unsigned all = NET_TAKES_CSUM | NET_TAKES_TSO4 | NET_TAKES_TSO6;

	for (unsigned ip = 4; ip <= 6; ip += 2) {
		size_t len = tcp_frame(big, ip, 0, 30000, 5, NET_TCP_ACK | NET_TCP_PSH);
		struct net_coalesce c;

		memset(&g, 0, sizeof(g));
		memset(&again, 0, sizeof(again));
		assert_true(net_segment(big, len, 1448, take, &g));
		net_coalesce_begin(&c, g.frame[0], g.len[0], all);
		for (unsigned i = 1; i < g.frames; i++)
			assert_true(net_coalesce_add(&c, g.frame[i], g.len[i]));
		assert_false(net_coalesce_add(&c, g.frame[0], g.len[0])); /* PSH ends it */
		net_coalesce_end(&c);
		assert_true(c.joined);
		assert_int_equal(c.offload.gso_bytes, 1448);
		assert_int_equal(gather(&c, out), len);
		/* The same frame but for the checksum, which is begun; and the same segments. */
		net_offload_apply(out, len, &c.offload, 0, take, &again);
		assert_int_equal(again.frames, g.frames);
		for (unsigned i = 0; i < g.frames; i++)
			assert_memory_equal(again.frame[i], g.frame[i], g.len[i]);
	}
}

static void not_joined(void **state)
{
	static uint8_t a[2048], b[2048];
	const unsigned all = NET_TAKES_CSUM | NET_TAKES_TSO4 | NET_TAKES_TSO6;
	size_t la = tcp_frame(a, 4, 0, 1000, 1, NET_TCP_ACK), lb;
	struct net_coalesce c;

	for (unsigned what = 0; what < 9; what++) {
		lb = tcp_frame(b, 4, 0, what == 0 ? 1001 : 1000, what == 1 ? 1002 : 1001,
			       what == 2 ? NET_TCP_ACK | NET_TCP_URG : NET_TCP_ACK);
		if (what == 3)
			b[60]++; /* its checksum is wrong */
		if (what == 4)
			b[34]++; /* another port */
		if (what == 5)
			b[0]++; /* another card */
		if (what == 6)
			lb = 40;
		net_coalesce_begin(&c, a, la, what == 7 ? NET_TAKES_CSUM : all);
		assert_int_equal(net_coalesce_add(&c, b, lb), what == 8);
		net_coalesce_end(&c);
		assert_int_equal(c.joined, what == 8);
		if (what != 8)
			assert_ptr_equal(c.piece[0].base, a);
	}
	/* A first one with a wrong checksum stays alone. */
	a[60]++;
	net_coalesce_begin(&c, a, la, all);
	assert_false(net_coalesce_add(&c, b, lb));
	net_coalesce_end(&c);
	assert_int_equal(c.pieces, 1);
	assert_int_equal(c.piece[0].len, la);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_sum), cmocka_unit_test(known_packet),
		cmocka_unit_test(segment),   cmocka_unit_test(odd_requests),
		cmocka_unit_test(apply),     cmocka_unit_test(fragment),
		cmocka_unit_test(join),	     cmocka_unit_test(not_joined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
