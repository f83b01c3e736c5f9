/*
 * The user-mode network from the guest's side: a card that is an array of frames, and as much of
 * ARP, DHCP, TCP and UDP as it takes to hold libslirp's hand. The loop has no thread; turn() lets
 * it do what is due.
 */
#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "backend/net/net.h"
#include "device/net_offload.h"

enum { FRAMES = 512, ALL = NET_TAKES_CSUM | NET_TAKES_TSO4 | NET_TAKES_TSO6 | NET_TAKES_UFO };

struct frame {
	size_t len;
	struct net_offload o;
	uint8_t bytes[33000];
};

struct rig {
	struct io_loop *loop;
	struct net_network *net;
	const char *const *options; /* key, value, ..., NULL */
	bool full;		    /* the card takes nothing */
	unsigned count, used;
	struct frame frame[FRAMES];
};

static const uint8_t mac[6] = {0x52, 0x54, 0, 1, 2, 3};

static const char *get(void *opaque, const char *key, unsigned index)
{
	const char *const *o = ((struct rig *)opaque)->options;

	for (; o && *o; o += 2)
		if (strcmp(*o, key) == 0 && index-- == 0)
			return o[1];
	return NULL;
}

static bool receive(void *opaque, const struct io_piece *piece, unsigned pieces,
		    const struct net_offload *o)
{
	struct rig *r = opaque;
	struct frame *f = &r->frame[r->count];

	if (r->full || r->count == FRAMES)
		return false;
	f->len = 0;
	f->o = o ? *o : (struct net_offload){0};
	for (unsigned i = 0; i < pieces; i++) {
		assert_true(f->len + piece[i].len <= sizeof(f->bytes));
		memcpy(f->bytes + f->len, piece[i].base, piece[i].len);
		f->len += piece[i].len;
	}
	r->count++;
	return true;
}

static int try_open(struct rig *r, const char *const *options, struct error *err)
{
	struct net_options o = {.get = get, .opaque = r, .queues = 1};

	r->options = options;
	return net_user.open(&r->net, r->loop, &o, err);
}

static void begin(struct rig *r, const char *const *options, unsigned features)
{
	struct error err;

	memset(r, 0, sizeof(*r));
	assert_int_equal(io_loop_create(&r->loop, true, &err), 0);
	if (try_open(r, options, &err))
		fail_msg("%s", err.text);
	r->net->card = (struct net_card){receive, NULL, r};
	r->net->card_features(r->net->opaque, features);
}

static void end(struct rig *r)
{
	net_user.close(r->net);
	io_loop_destroy(r->loop);
}

static void turn(struct rig *r)
{
	const struct timespec ms = {.tv_nsec = 1000000};

	io_loop_turn(r->loop);
	nanosleep(&ms, NULL);
}

static void out(struct rig *r, const void *frame, size_t len, const struct net_offload *o)
{
	struct io_piece p[2] = {{(void *)(uintptr_t)frame, 9},
				{(uint8_t *)(uintptr_t)frame + 9, len - 9}};

	r->net->send(r->net->opaque, 0, p, 2, o);
}

/* The next frame of this protocol; others are looked over. */
static struct frame *next(struct rig *r, unsigned proto, struct net_headers *h)
{
	for (unsigned i = 0; i < 3000; i++) {
		while (r->used < r->count) {
			struct frame *f = &r->frame[r->used++];
			if (net_headers_parse(f->bytes, f->len, h) && h->proto == proto)
				return f;
			if (proto == 0xfe && net_load16(f->bytes + 12) == 0x0806)
				return f;
		}
		r->used = r->count = 0;
		turn(r);
	}
	fail_msg("no frame of protocol %u", proto);
	return NULL;
}

/* ---- frames of the guest */

static uint8_t buf[66000];

/* Ethernet and IPv4 around n bytes of something at buf + 34. */
static size_t ip4(uint8_t proto, const char *from, const char *to, size_t n)
{
	uint16_t sum;

	memcpy(buf, "\x52\x55\12\0\2\2", 6);
	memcpy(buf + 6, mac, 6);
	net_store16(buf + 12, 0x0800);
	memcpy(buf + 14, "\x45\0\0\0\0\1\0\0\x40\0\0\0", 12);
	net_store16(buf + 16, (unsigned)(20 + n));
	buf[23] = proto;
	inet_pton(AF_INET, from, buf + 26);
	inet_pton(AF_INET, to, buf + 30);
	sum = net_sum_fold(net_sum(buf + 14, 20, 0));
	memcpy(buf + 24, &sum, 2);
	return 34 + n;
}

static void arp(struct rig *r)
{
	memset(buf, 0, 60);
	memset(buf, 0xff, 6);
	memcpy(buf + 6, mac, 6);
	memcpy(buf + 12, "\x08\x06\0\1\x08\0\6\4\0\1", 10);
	memcpy(buf + 22, mac, 6);
	inet_pton(AF_INET, "10.0.2.15", buf + 28);
	inet_pton(AF_INET, "10.0.2.2", buf + 38);
	out(r, buf, 60, NULL);
}

struct tcp {
	struct rig *r;
	uint16_t port, peer;
	uint32_t seq, ack; /* next of ours, next of theirs */
};

/* One segment with what is in buf + 54 (58 with the option), its checksum left to others. */
static void tcp_out(struct tcp *t, uint8_t flags, size_t n, unsigned mss)
{
	struct net_offload o = {.flags = NET_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16};
	size_t len, header = mss ? 24 : 20;
	struct net_headers h;
	uint16_t sum;

	len = ip4(NET_PROTO_TCP, "10.0.2.15", "10.0.2.2", header + n);
	net_store16(buf + 34, t->port);
	net_store16(buf + 36, t->peer);
	net_store32(buf + 38, t->seq);
	net_store32(buf + 42, t->ack);
	buf[46] = (uint8_t)(header << 2);
	buf[47] = flags;
	net_store16(buf + 48, 65535);
	net_store32(buf + 50, 0);
	if (mss)
		net_store32(buf + 54, 2u << 24 | 4 << 16 | mss);
	assert_true(net_headers_parse(buf, len, &h));
	sum = net_sum_fold(net_sum_pseudo(buf, &h, (uint32_t)(header + n)));
	sum = (uint16_t)~sum;
	memcpy(buf + 50, &sum, 2);
	if (n > 1460) {
		o.gso_type = NET_GSO_TCP4;
		o.gso_bytes = 1460;
	}
	out(t->r, buf, len, &o);
	t->seq += (uint32_t)n + !!(flags & (NET_TCP_SYN | NET_TCP_FIN));
}

static uint8_t pattern(uint32_t at)
{
	return (uint8_t)(at * 7 + (at >> 8) * 3);
}

/* ---- the host's side */

static int host_socket(int type, uint16_t *port, bool hears)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
	if (hears && type == SOCK_STREAM)
		assert_int_equal(listen(fd, 4), 0);
	getsockname(fd, (struct sockaddr *)&a, &len);
	*port = ntohs(a.sin_port);
	return fd;
}

static uint16_t free_port(int type)
{
	uint16_t port;

	close(host_socket(type, &port, false));
	return port;
}

static int host_connect(int type, uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons(port),
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

/* ---- tests */

static void dhcp_and_arp(void **state)
{
	static const char *const options[] = {"hostname", "boxy", NULL};
	struct rig *r = malloc(sizeof(*r));
	struct net_headers h;
	struct frame *f;
	size_t len;
	bool name = false;

	begin(r, options, 0);
	memset(buf, 0, 400);
	net_store16(buf + 34, 68);
	net_store16(buf + 36, 67);
	net_store16(buf + 38, 8 + 250);
	buf[42] = 1; /* request, Ethernet */
	buf[43] = 1;
	buf[44] = 6;
	net_store32(buf + 46, 0x12345678);
	memcpy(buf + 70, mac, 6);
	memcpy(buf + 278, "\x63\x82\x53\x63\x35\1\1\xff", 8); /* discover */
	len = ip4(NET_PROTO_UDP, "0.0.0.0", "255.255.255.255", 8 + 250);
	out(r, buf, len, NULL);
	f = next(r, NET_PROTO_UDP, &h);
	assert_int_equal(net_load32(f->bytes + h.data + 4), 0x12345678);
	assert_memory_equal(f->bytes + h.data + 16, "\12\0\2\17", 4);
	for (size_t i = h.data; i + 4 < f->len; i++)
		name |= memcmp(f->bytes + i, "boxy", 4) == 0;
	assert_true(name);
	arp(r);
	f = next(r, 0xfe, &h);
	assert_memory_equal(f->bytes + 22, "\x52\x55\12\0\2\2", 6);
	end(r);
	free(r);
}

/* Bytes of the host's, through a forwarded port, until all came; checks what the frames are like.
 */
static void take_stream(struct tcp *t, int fd, uint32_t bytes, unsigned features)
{
	uint32_t sent = 0, got = 0;
	uint8_t chunk[8192];
	bool large = false;

	while (got < bytes) {
		struct pollfd p = {.fd = fd, .events = POLLOUT};
		struct net_headers h;
		struct frame *f;
		uint32_t n = bytes - sent < sizeof(chunk) ? bytes - sent : sizeof(chunk);

		for (uint32_t i = 0; i < n; i++)
			chunk[i] = pattern(sent + i);
		if (n && poll(&p, 1, 0) == 1) {
			ssize_t w = send(fd, chunk, n, MSG_DONTWAIT);
			sent += w > 0 ? (uint32_t)w : 0;
			if (sent < bytes)
				continue;
		}
		f = next(t->r, NET_PROTO_TCP, &h);
		n = h.end - h.data;
		if (!n)
			continue;
		assert_int_equal(net_load32(f->bytes + h.l4 + 4), t->ack);
		for (uint32_t i = 0; i < n; i++)
			if (f->bytes[h.data + i] != pattern(got + i))
				fail_msg("byte %u is wrong", got + i);
		if (features) {
			large |= n > 1460;
			assert_true(n <= 1460 || (f->o.gso_type == NET_GSO_TCP4 &&
						  f->o.gso_bytes == 1460 && f->o.flags == 1));
		} else {
			assert_true(f->len <= 1514);
		}
		if (!(f->o.flags & NET_NEEDS_CSUM))
			assert_int_equal(
				net_sum_fold(net_sum(f->bytes + h.l4, h.end - h.l4,
						     net_sum_pseudo(f->bytes, &h, h.end - h.l4))),
				0);
		got += n;
		t->ack += n;
		tcp_out(t, NET_TCP_ACK, 0, 0);
	}
	assert_int_equal(large, features != 0);
}

static void forwarded(unsigned features)
{
	struct rig *r = malloc(sizeof(*r));
	char text[64];
	const char *const options[] = {"forward", text, NULL};
	struct tcp t = {.r = r, .port = 22, .seq = 9000};
	uint16_t port = free_port(SOCK_STREAM);
	struct net_headers h;
	struct frame *f;
	int fd;

	snprintf(text, sizeof(text), "tcp:127.0.0.1:%u:22", port);
	begin(r, options, features);
	arp(r);
	fd = host_connect(SOCK_STREAM, port);
	f = next(r, NET_PROTO_TCP, &h);
	assert_int_equal(f->bytes[h.l4 + 13], NET_TCP_SYN);
	assert_int_equal(net_load16(f->bytes + h.l4 + 2), 22);
	t.peer = net_load16(f->bytes + h.l4);
	t.ack = net_load32(f->bytes + h.l4 + 4) + 1;
	tcp_out(&t, NET_TCP_SYN | NET_TCP_ACK, 0, 1460);
	next(r, NET_PROTO_TCP, &h);
	take_stream(&t, fd, 300000, features);
	close(fd);
	end(r);
	free(r);
}

static void large_to_guest(void **state)
{
	forwarded(ALL);
}

static void plain_to_guest(void **state)
{
	forwarded(0);
}

static void large_from_guest(void **state)
{
	enum { BYTES = 300000, EACH = 60000 };
	struct rig *r = malloc(sizeof(*r));
	uint8_t *got = malloc(BYTES);
	struct tcp t = {.r = r, .port = 4000, .seq = 1};
	struct net_headers h;
	int listener = host_socket(SOCK_STREAM, &t.peer, true), fd;
	uint32_t at = 0, have = 0;
	struct frame *f;

	begin(r, NULL, ALL);
	arp(r);
	tcp_out(&t, NET_TCP_SYN, 0, 1460);
	f = next(r, NET_PROTO_TCP, &h);
	assert_int_equal(f->bytes[h.l4 + 13], NET_TCP_SYN | NET_TCP_ACK);
	t.ack = net_load32(f->bytes + h.l4 + 4) + 1;
	tcp_out(&t, NET_TCP_ACK, 0, 0);
	fd = accept(listener, NULL, NULL);
	assert_true(fd >= 0);
	while (have < BYTES) {
		ssize_t n;

		if (at < BYTES) {
			for (uint32_t i = 0; i < EACH; i++)
				buf[54 + i] = pattern(at + i);
			tcp_out(&t, NET_TCP_ACK | NET_TCP_PSH, EACH, 0);
			at += EACH;
		}
		do { /* all of it acknowledged: nothing was cut off */
			turn(r);
			n = recv(fd, got + have, BYTES - have, MSG_DONTWAIT);
			have += n > 0 ? (uint32_t)n : 0;
			f = next(r, NET_PROTO_TCP, &h);
		} while (net_load32(f->bytes + h.l4 + 8) != t.seq);
		n = recv(fd, got + have, BYTES - have, MSG_DONTWAIT);
		have += n > 0 ? (uint32_t)n : 0;
	}
	for (uint32_t i = 0; i < BYTES; i++)
		if (got[i] != pattern(i))
			fail_msg("byte %u is wrong", i);
	close(fd);
	close(listener);
	end(r);
	free(got);
	free(r);
}

static void datagram_in_fragments(void **state)
{
	struct rig *r = malloc(sizeof(*r));
	char text[64];
	const char *const options[] = {"forward", text, NULL};
	uint16_t port = free_port(SOCK_DGRAM);
	uint8_t data[4000], back[4096] = {0};
	size_t end_at = 0, have = 0;
	int fd;

	snprintf(text, sizeof(text), "udp:127.0.0.1:%u:10.0.2.15:53", port);
	begin(r, options, ALL);
	arp(r);
	for (uint32_t i = 0; i < sizeof(data); i++)
		data[i] = pattern(i);
	fd = host_connect(SOCK_DGRAM, port);
	assert_int_equal(send(fd, data, sizeof(data), 0), sizeof(data));
	while (!end_at || have < end_at) {
		struct net_headers h;
		struct frame *f = next(r, 0, &h);
		unsigned at = (net_load16(f->bytes + h.l3 + 6) & 0x1fffu) * 8, n = h.end - h.l4;

		assert_true(f->len <= 1514 && at + n <= sizeof(back));
		memcpy(back + at, f->bytes + h.l4, n);
		have += n;
		if (!(net_load16(f->bytes + h.l3 + 6) & 0x2000))
			end_at = at + n;
	}
	assert_int_equal(end_at, 4008);
	assert_memory_equal(back + 8, data, sizeof(data));
	close(fd);
	end(r);
	free(r);
}

static void card_without_room(void **state)
{
	struct rig *r = malloc(sizeof(*r));

	begin(r, NULL, ALL);
	r->full = true;
	arp(r);
	arp(r);
	assert_int_equal(r->count, 0);
	r->full = false;
	r->net->resume(r->net->opaque);
	assert_int_equal(r->count, 2);
	end(r);
	free(r);
}

/* Nothing to do: the loop would sleep until the next router advertisement, minutes from now. */
static void idle(void **state)
{
	struct rig *r = malloc(sizeof(*r));
	int ms;

	begin(r, NULL, ALL);
	for (unsigned i = 0; i < 20; i++)
		turn(r);
	ms = uv_backend_timeout(io_loop_uv(r->loop));
	assert_true(ms < 0 || ms > 3000);
	end(r);
	free(r);
}

/* ---- what is refused */

static void refuse(const char *key, const char *value, const char *said)
{
	const char *const options[] = {key, value, NULL};
	struct rig *r = malloc(sizeof(*r));
	struct error err;

	memset(r, 0, sizeof(*r));
	assert_int_equal(io_loop_create(&r->loop, true, &err), 0);
	err.text[0] = 0;
	assert_true(try_open(r, options, &err) < 0);
	if (!strstr(err.text, said))
		fail_msg("%s=%s: %s", key, value, err.text);
	io_loop_destroy(r->loop);
	free(r);
}

static void refusals(void **state)
{
	char text[64], said[128];
	uint16_t port;
	int fd = host_socket(SOCK_STREAM, &port, true);

	snprintf(text, sizeof(text), "tcp:127.0.0.1:%u:22", port);
	snprintf(said, sizeof(said),
		 "net user: cannot listen on tcp port %u of 127.0.0.1: Address already in use",
		 port);
	refuse("forward", text, said);
	snprintf(text, sizeof(text), "tcp:%u:22", port);
	snprintf(said, sizeof(said),
		 "net user: cannot listen on tcp port %u: Address already in use", port);
	refuse("forward", text, said);
	close(fd);
	refuse("forward", "tcp:22", "too short");
	refuse("forward", "icmp:1:2", "neither tcp nor udp");
	refuse("forward", "tcp:70000:2", "port of the host");
	refuse("forward", "tcp:1:x", "port of the guest");
	refuse("forward", "tcp:1.2.3:1:10.0.2.15:3", "port of the host");
	refuse("forward", "tcp:[::1:1:2", "too short");
	refuse("forward", "tcp:1:2:3:4:5:6", "too short");
	refuse("net", "10.0.2.0/33", "ADDRESS/BITS");
	refuse("host", "10.0.3.2", "an address of the guest's network");
	refuse("restrict", "maybe", "yes or no");
	refuse("mtu", "99", "1280");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dhcp_and_arp),
		cmocka_unit_test(large_to_guest),
		cmocka_unit_test(plain_to_guest),
		cmocka_unit_test(large_from_guest),
		cmocka_unit_test(datagram_in_fragments),
		cmocka_unit_test(card_without_room),
		cmocka_unit_test(idle),
		cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
