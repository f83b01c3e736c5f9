/* Checksums, segmentation and fragmentation in software: see net_offload.h. */
#include "device/net_offload.h"

#include <string.h>

#include "base/bits.h"

enum {
	TYPE_IP4 = 0x0800,
	TYPE_IP6 = 0x86dd,
	TYPE_VLAN = 0x8100,
	TYPE_VLAN_OUTER = 0x88a8,
	IP4_BYTES = 20,
	IP6_BYTES = 40,
	TCP_BYTES = 20,
	UDP_BYTES = 8,
	IP4_MORE = 0x2000, /* fragments follow */
	IP4_DONT = 0x4000, /* do not fragment */
	IP4_OFFSET = 0x1fff,
	IP6_FRAGMENT = 44,
	IP6_FRAGMENT_BYTES = 8,
	PROTO_FRAGMENT = 0,
	PROTO_UNKNOWN = 255,
	/* Two VLAN tags, IPv6 with this many extension headers' bytes, TCP with all options. */
	EXTENSIONS_MAX = 256,
	SEGMENTS_MAX = 2048, /* a frame that would be more is none a driver sends */
	HEADERS_MAX = NET_ETHERNET_BYTES + 8 + IP6_BYTES + EXTENSIONS_MAX + 60,
};

/* ---- where things are */

static bool parse_ip4(const uint8_t *f, size_t len, struct net_headers *h)
{
	const uint8_t *ip = f + h->l3;
	unsigned header, total;

	if (len < h->l3 + (size_t)IP4_BYTES || ip[0] >> 4 != 4)
		return false;
	header = (ip[0] & 15u) * 4;
	total = net_load16(ip + 2);
	if (header < IP4_BYTES || total < header || h->l3 + (size_t)total > len)
		return false;
	h->ip = 4;
	h->l4 = (uint16_t)(h->l3 + header);
	h->end = h->l3 + total;
	h->proto = net_load16(ip + 6) & (IP4_MORE | IP4_OFFSET) ? PROTO_FRAGMENT : ip[9];
	return true;
}

/* Extension headers that may stand before TCP and UDP: hop by hop, routing, destination. */
static bool parse_ip6(const uint8_t *f, size_t len, struct net_headers *h)
{
	const uint8_t *ip = f + h->l3;
	unsigned next, at = IP6_BYTES, name = 6, total;

	if (len < h->l3 + (size_t)IP6_BYTES || ip[0] >> 4 != 6)
		return false;
	total = IP6_BYTES + net_load16(ip + 4);
	if (h->l3 + (size_t)total > len)
		return false;
	for (next = ip[6]; next == 0 || next == 43 || next == 60; at += (ip[at + 1] + 1u) * 8) {
		if (at + 8 > total || at + (ip[at + 1] + 1u) * 8 > total ||
		    at + (ip[at + 1] + 1u) * 8 > IP6_BYTES + EXTENSIONS_MAX)
			return false;
		next = ip[name = at];
	}
	h->ip = 6;
	h->l4 = (uint16_t)(h->l3 + at);
	h->end = h->l3 + total;
	h->proto = (uint8_t)(next == IP6_FRAGMENT ? PROTO_FRAGMENT : next);
	h->next = (uint16_t)name;
	return true;
}

static bool parse_l4(const uint8_t *f, struct net_headers *h)
{
	unsigned room = h->end - h->l4, header;

	h->data = h->l4;
	if (h->proto == NET_PROTO_TCP) {
		if (room < TCP_BYTES)
			return false;
		header = (f[h->l4 + 12] >> 4) * 4u;
		if (header < TCP_BYTES || header > room)
			return false;
		h->data = (uint16_t)(h->l4 + header);
	} else if (h->proto == NET_PROTO_UDP) {
		if (room < UDP_BYTES)
			return false;
		h->data = h->l4 + UDP_BYTES;
	}
	return true;
}

bool net_headers_parse(const uint8_t *frame, size_t len, struct net_headers *h)
{
	unsigned type, at = 12;
	bool ok;

	*h = (struct net_headers){0};
	for (unsigned tags = 0;; tags++, at += 4) {
		if (len < at + 2)
			return false;
		type = net_load16(frame + at);
		if ((type != TYPE_VLAN && type != TYPE_VLAN_OUTER) || tags == 2)
			break;
	}
	h->l3 = (uint16_t)(at + 2);
	if (type == TYPE_IP4)
		ok = parse_ip4(frame, len, h);
	else if (type == TYPE_IP6)
		ok = parse_ip6(frame, len, h);
	else
		return false;
	return ok && parse_l4(frame, h);
}

/* ---- checksums */

uint64_t net_sum(const void *p, size_t len, uint64_t sum)
{
	const uint8_t *at = p;
	uint64_t a = sum & 0xffffffff, b = sum >> 32;
	uint16_t last = 0;

	/* Carries of 32-bit words pile up in the upper halves; a frame is too short to fill them.
	 */
	for (; len >= 16; len -= 16, at += 16) {
		uint64_t v = load_le64(at), w = load_le64(at + 8);

		a += (v & 0xffffffff) + (w & 0xffffffff);
		b += (v >> 32) + (w >> 32);
	}
	for (; len >= 2; len -= 2, at += 2)
		a += load_le16(at);
	memcpy(&last, at, len);
	a += last;
	a = (a & 0xffffffff) + (a >> 32);
	b = (b & 0xffffffff) + (b >> 32);
	return a + b;
}

uint16_t net_sum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

uint64_t net_sum_pseudo(const uint8_t *frame, const struct net_headers *h, uint32_t bytes)
{
	const uint8_t *ip = frame + h->l3;
	uint8_t rest[8] = {0};

	net_store32(rest, bytes);
	rest[7] = h->proto;
	return h->ip == 4 ? net_sum(ip + 12, 8, net_sum(rest, 8, 0))
			  : net_sum(ip + 8, 32, net_sum(rest, 8, 0));
}

bool net_checksum_fill(uint8_t *frame, size_t len, const struct net_offload *o)
{
	size_t start = o->csum_start, at = start + o->csum_offset;
	uint16_t v;

	if (!(o->flags & NET_NEEDS_CSUM))
		return true;
	if (start >= len || at + 2 > len)
		return false;
	/* What is in the field counts: the pseudo header's sum. */
	v = net_sum_fold(net_sum(frame + start, len - start, 0));
	if (v == 0)
		v = 0xffff; /* as UDP wants it, and all the same to TCP */
	memcpy(frame + at, &v, 2);
	return true;
}

static void store_sum(uint8_t *at, uint64_t sum)
{
	uint16_t v = net_sum_fold(sum);

	memcpy(at, &v, 2);
}

/* The IP header says how long the packet is: bytes behind the IP header of l4 - l3. */
static void set_length(uint8_t *f, const struct net_headers *h, unsigned bytes)
{
	uint8_t *ip = f + h->l3;
	unsigned header = h->l4 - h->l3;

	if (h->ip == 6) {
		net_store16(ip + 4, header - IP6_BYTES + bytes);
		return;
	}
	net_store16(ip + 2, header + bytes);
	net_store16(ip + 10, 0);
	store_sum(ip + 10, net_sum(ip, header, 0));
}

/* ---- segmentation */

bool net_segment(const uint8_t *frame, size_t len, unsigned segment, net_emit emit, void *opaque)
{
	uint8_t copy[HEADERS_MAX];
	struct net_headers h;
	struct net_offload done = {.flags = NET_CSUM_VALID};
	unsigned left, first = 1;

	if (!segment || !net_headers_parse(frame, len, &h) || h.proto != NET_PROTO_TCP ||
	    h.data > sizeof(copy))
		return false;
	left = h.end - h.data;
	if (left / segment >= SEGMENTS_MAX)
		return false;
	for (const uint8_t *at = frame + h.data; left || first; first = 0) {
		unsigned n = left < segment ? left : segment, tcp = h.data - h.l4;
		uint8_t *t = copy + h.l4;
		uint64_t sum;

		memcpy(copy, frame, h.data);
		if (h.ip == 4)
			net_store16(copy + h.l3 + 4,
				    net_load16(copy + h.l3 + 4) +
					    (unsigned)(at - frame - h.data) / segment);
		set_length(copy, &h, tcp + n);
		net_store32(t + 4, net_load32(t + 4) + (uint32_t)(at - frame - h.data));
		if (n < left)
			t[13] &= (uint8_t) ~(NET_TCP_FIN | NET_TCP_PSH);
		if (!first)
			t[13] &= (uint8_t)~NET_TCP_CWR;
		net_store16(t + NET_TCP_CSUM, 0);
		sum = net_sum(t, tcp, net_sum_pseudo(copy, &h, tcp + n));
		store_sum(t + NET_TCP_CSUM, net_sum(at, n, sum));
		struct io_piece piece[2] = {{copy, h.data}, {(void *)(uintptr_t)at, n}};
		emit(opaque, piece, n ? 2 : 1, &done);
		at += n;
		left -= n;
	}
	return true;
}

/* ---- fragmentation */

/* The header of one fragment, from offset on; returns its length. IPv6 needs one more header. */
static unsigned fragment_header(uint8_t *copy, const uint8_t *frame, const struct net_headers *h,
				unsigned offset, unsigned n, bool more)
{
	uint8_t *ip = copy + h->l3, *extra = copy + h->l4;

	memcpy(copy, frame, h->l4);
	if (h->ip == 4) {
		net_store16(ip + 6, offset / 8 | (more ? IP4_MORE : 0));
		set_length(copy, h, n);
		return h->l4;
	}
	extra[0] = ip[h->next];
	extra[1] = 0;
	net_store16(extra + 2, offset | more);
	/* Something that differs between packets: ports and checksum of what is carried. */
	net_store32(extra + 4, net_load32(frame + h->l4) ^ (uint32_t)net_load16(frame + h->l4 + 6));
	ip[h->next] = IP6_FRAGMENT;
	set_length(copy, h, IP6_FRAGMENT_BYTES + n);
	return h->l4 + IP6_FRAGMENT_BYTES;
}

bool net_fragment(const uint8_t *frame, size_t len, unsigned part, net_emit emit, void *opaque)
{
	uint8_t copy[HEADERS_MAX];
	struct net_headers h;
	unsigned left, offset = 0;

	if (!net_headers_parse(frame, len, &h) || h.proto == PROTO_FRAGMENT ||
	    h.l4 + (size_t)IP6_FRAGMENT_BYTES > sizeof(copy) || h.end - h.l4 < 8)
		return false;
	if (h.ip == 6)
		part = part > IP6_FRAGMENT_BYTES ? part - IP6_FRAGMENT_BYTES : 0;
	part &= ~7u;
	if (!part)
		return false;
	for (left = h.end - h.l4; left;) {
		unsigned n = left < part ? left : part;
		unsigned header = fragment_header(copy, frame, &h, offset, n, n < left);
		struct io_piece piece[2] = {{copy, header},
					    {(void *)(uintptr_t)(frame + h.l4 + offset), n}};

		emit(opaque, piece, 2, NULL);
		offset += n;
		left -= n;
	}
	return true;
}

/* ---- what the receiver does not do itself */

static unsigned feature_of(unsigned gso_type)
{
	switch (gso_type & ~(unsigned)NET_GSO_ECN) {
	case NET_GSO_TCP4:
		return NET_TAKES_TSO4;
	case NET_GSO_TCP6:
		return NET_TAKES_TSO6;
	case NET_GSO_UDP:
		return NET_TAKES_UFO;
	}
	return 0;
}

void net_offload_apply(uint8_t *frame, size_t len, const struct net_offload *o, unsigned features,
		       net_emit emit, void *opaque)
{
	struct io_piece piece = {frame, len};
	unsigned gso = o ? o->gso_type & ~(unsigned)NET_GSO_ECN : NET_GSO_NONE;
	struct net_offload plain = {0};

	if (gso != NET_GSO_NONE && !(features & feature_of(gso))) {
		if (gso == NET_GSO_TCP4 || gso == NET_GSO_TCP6)
			net_segment(frame, len, o->gso_bytes, emit, opaque);
		else if (gso == NET_GSO_UDP && net_checksum_fill(frame, len, o))
			net_fragment(frame, len, o->gso_bytes, emit, opaque);
		return;
	}
	if (o && (o->flags & NET_NEEDS_CSUM) && !(features & NET_TAKES_CSUM)) {
		plain.flags = NET_CSUM_VALID;
		if (net_checksum_fill(frame, len, o))
			emit(opaque, &piece, 1, &plain);
		return;
	}
	emit(opaque, &piece, 1, o);
}
