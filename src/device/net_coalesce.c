/* Joining TCP frames: see net_coalesce.h. */
#include "device/net_coalesce.h"

#include <string.h>

enum {
	IP_BYTES_MAX = 65535,
	IP4_BYTES = 20,
	IP6_BYTES = 40,
};

static bool sums_right(const uint8_t *f, const struct net_headers *h)
{
	unsigned tcp = h->end - h->l4;

	if (h->ip == 4 && net_sum_fold(net_sum(f + h->l3, IP4_BYTES, 0)) != 0)
		return false;
	return net_sum_fold(net_sum(f + h->l4, tcp, net_sum_pseudo(f, h, tcp))) == 0;
}

/* Data of an established connection, and nothing out of the way in its headers. */
static bool suits(const uint8_t *f, const struct net_headers *h)
{
	return h->proto == NET_PROTO_TCP && h->end > h->data && h->data <= NET_COALESCE_HEADER &&
	       h->l4 - h->l3 == (h->ip == 4 ? IP4_BYTES : IP6_BYTES) &&
	       (f[h->l4 + 13] & ~(NET_TCP_PSH | NET_TCP_FIN)) == NET_TCP_ACK;
}

static unsigned needed(const struct net_headers *h)
{
	return NET_TAKES_CSUM | (h->ip == 4 ? NET_TAKES_TSO4 : NET_TAKES_TSO6);
}

void net_coalesce_begin(struct net_coalesce *c, const uint8_t *frame, size_t len, unsigned features)
{
	c->piece[0] = (struct io_piece){(void *)(uintptr_t)frame, len};
	c->pieces = 1;
	c->joined = c->full = false;
	c->first = frame;
	if (!net_headers_parse(frame, len, &c->h) || !suits(frame, &c->h) ||
	    (features & needed(&c->h)) != needed(&c->h) ||
	    (frame[c->h.l4 + 13] & (NET_TCP_PSH | NET_TCP_FIN))) {
		c->h.ip = 0;
		return;
	}
	c->segment = c->bytes = c->h.end - c->h.data;
	c->next = net_load32(frame + c->h.l4 + 4) + c->segment;
}

/* The same but for what two segments of one stream differ in. */
static bool same_headers(const uint8_t *a, const uint8_t *b, const struct net_headers *h)
{
	const uint8_t *i = a + h->l3, *j = b + h->l3, *s = a + h->l4, *t = b + h->l4;

	if (memcmp(a, b, h->l3)) /* Ethernet */
		return false;
	if (h->ip == 4 && (memcmp(i, j, 2) || memcmp(i + 6, j + 6, 4) || memcmp(i + 12, j + 12, 8)))
		return false; /* type, fragmenting, lifetime, protocol, addresses */
	if (h->ip == 6 && (memcmp(i, j, 4) || memcmp(i + 6, j + 6, 34)))
		return false;
	/* Ports; acknowledgement; header length; window; urgent pointer and options. */
	return !memcmp(s, t, 4) && !memcmp(s + 8, t + 8, 4) && s[12] == t[12] &&
	       !memcmp(s + 14, t + 14, 2) && !memcmp(s + 18, t + 18, h->data - h->l4 - 18u);
}

bool net_coalesce_add(struct net_coalesce *c, const uint8_t *frame, size_t len)
{
	struct net_headers h;
	unsigned n;

	if (!c->h.ip || c->full || c->pieces >= NET_PIECES_MAX - 1)
		return false;
	if (!net_headers_parse(frame, len, &h) || h.ip != c->h.ip || h.l3 != c->h.l3 ||
	    h.l4 != c->h.l4 || h.data != c->h.data || !suits(frame, &h))
		return false;
	n = h.end - h.data;
	if (n > c->segment || net_load32(frame + h.l4 + 4) != c->next ||
	    c->h.data - c->h.l3 + c->bytes + n > IP_BYTES_MAX ||
	    !same_headers(c->first, frame, &h) || !sums_right(frame, &h))
		return false;
	if (!c->joined && !sums_right(c->first, &c->h)) {
		c->h.ip = 0;
		return false;
	}
	if (!c->joined) {
		/* Header and data of the first apart; padding of either is left out. */
		c->piece[1] = (struct io_piece){(void *)(uintptr_t)(c->first + h.data), c->segment};
		c->pieces = 2;
		c->joined = true;
	}
	c->piece[c->pieces++] = (struct io_piece){(void *)(uintptr_t)(frame + h.data), n};
	c->bytes += n;
	c->next += n;
	c->last_flags = frame[h.l4 + 13];
	if (n < c->segment || (c->last_flags & (NET_TCP_PSH | NET_TCP_FIN)))
		c->full = true;
	return true;
}

void net_coalesce_end(struct net_coalesce *c)
{
	const struct net_headers *h = &c->h;
	unsigned tcp = h->data - h->l4 + c->bytes;
	uint8_t *ip = c->header + h->l3, *t = c->header + h->l4;
	uint16_t sum;

	if (!c->joined)
		return;
	memcpy(c->header, c->first, h->data);
	if (h->ip == 4) {
		net_store16(ip + 2, IP4_BYTES + tcp);
		net_store16(ip + 10, 0);
		sum = net_sum_fold(net_sum(ip, IP4_BYTES, 0));
		memcpy(ip + 10, &sum, 2);
	} else {
		net_store16(ip + 4, tcp);
	}
	t[13] = c->last_flags;
	/* What segmentation would begin with: the pseudo header's sum. */
	sum = (uint16_t)~net_sum_fold(net_sum_pseudo(c->header, h, tcp));
	memcpy(t + NET_TCP_CSUM, &sum, 2);
	c->piece[0] = (struct io_piece){c->header, h->data};
	c->offload = (struct net_offload){
		.flags = NET_NEEDS_CSUM,
		.gso_type = h->ip == 4 ? NET_GSO_TCP4 : NET_GSO_TCP6,
		.header_bytes = h->data,
		.gso_bytes = (uint16_t)c->segment,
		.csum_start = h->l4,
		.csum_offset = NET_TCP_CSUM,
	};
}
