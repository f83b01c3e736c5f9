/*
 * 82540EM transmission: 317453, 3.3 to 3.5. Whole packets are gathered from their descriptors into
 * one buffer before they are looked at, so that the guest cannot change headers meanwhile; what the
 * contexts ask for is done by the network or by net_offload.
 */
#include <string.h>

#include "base/bits.h"
#include "device/e1000_parts.h"
#include "device/net_offload.h"

enum {
	/* third word of a descriptor */
	TX_EOP = 1 << 24,
	TX_INSERT = 1 << 26,  /* legacy: insert a checksum */
	TX_SEGMENT = 1 << 26, /* extended: cut into segments */
	TX_REPORT = 1 << 27,
	TX_EXTENDED = 1 << 29,
	TX_TYPE_DATA = 1, /* bits 23-20 of an extended one */
	CONTEXT_TCP = 1 << 24,
	CONTEXT_IP4 = 1 << 25,
	/* fourth word */
	TX_DONE = 1 << 0,
	TX_SUM_IP = 1 << 8,
	TX_SUM_L4 = 1 << 9,
	TX_STATUS_OFFSET = 12,
	FRAME_MIN = 60,
	PACKETS_PER_TURN = 256,
};

struct descriptor {
	uint64_t address;
	uint32_t command, status;
};

/* One packet: descriptors [first, next) of the ring, the first one's words, and its bytes. */
struct packet {
	unsigned first, next;
	uint32_t command, status;
	struct e1000_context context; /* what holds for it */
	size_t len;
	bool too_long;
};

static unsigned ring_entries(struct e1000 *e)
{
	return *e1000_reg(e, E1000_TDLEN) / E1000_DESCRIPTOR_BYTES;
}

static uint64_t descriptor_at(struct e1000 *e, unsigned n)
{
	uint64_t base = (uint64_t)*e1000_reg(e, E1000_TDBAH) << 32 | *e1000_reg(e, E1000_TDBAL);

	return base + (uint64_t)n * E1000_DESCRIPTOR_BYTES;
}

static bool descriptor_read(struct e1000 *e, unsigned n, struct descriptor *d)
{
	uint8_t b[E1000_DESCRIPTOR_BYTES];

	if (!space_read(e->wiring.memory, descriptor_at(e, n), b, sizeof(b)))
		return false;
	d->address = load_le64(b);
	d->command = load_le32(b + 8);
	d->status = load_le32(b + 12);
	return true;
}

static bool is_context(const struct descriptor *d)
{
	return (d->command & TX_EXTENDED) && (d->command >> 20 & 15) != TX_TYPE_DATA;
}

static void context_set(struct e1000 *e, const struct descriptor *d)
{
	struct e1000_context *c = &e->context[d->command & TX_SEGMENT ? 1 : 0];

	c->ip_start = d->address & 0xff;
	c->ip_at = d->address >> 8 & 0xff;
	c->ip_end = d->address >> 16 & 0xffff;
	c->l4_start = d->address >> 32 & 0xff;
	c->l4_at = d->address >> 40 & 0xff;
	c->l4_end = d->address >> 48 & 0xffff;
	c->payload_bytes = d->command & 0xfffff;
	c->header_bytes = d->status >> 8 & 0xff;
	c->mss = d->status >> 16;
	c->is_tcp = (d->command & CONTEXT_TCP) != 0;
	c->is_ip4 = (d->command & CONTEXT_IP4) != 0;
}

/* Append a descriptor's bytes to the packet. */
static void gather(struct e1000 *e, struct packet *p, const struct descriptor *d)
{
	size_t len = d->command & (d->command & TX_EXTENDED ? 0xfffff : 0xffff);

	if (p->too_long || len > sizeof(e->packet) - p->len ||
	    !space_read(e->wiring.memory, d->address, e->packet + p->len, len))
		p->too_long = true;
	else
		p->len += len;
}

/* The next whole packet. False: there is none yet. A ring that is full of a packet without end is
 * passed over. */
static bool packet_take(struct e1000 *e, struct packet *p)
{
	unsigned n = ring_entries(e), tail = *e1000_reg(e, E1000_TDT), begun = 0;
	unsigned at = *e1000_reg(e, E1000_TDH);
	struct descriptor d;

	*p = (struct packet){.first = at};
	if (at >= n || tail >= n || !(*e1000_reg(e, E1000_TCTL) & E1000_TX_ENABLE))
		return false;
	while (at != tail && descriptor_read(e, at, &d)) {
		at = at + 1 < n ? at + 1 : 0;
		p->next = at;
		if (is_context(&d)) {
			context_set(e, &d);
			if (begun++)
				continue;
			return true; /* alone, with no bytes */
		}
		if (!begun++) {
			p->command = d.command;
			p->status = d.status;
			p->context = e->context[d.command & TX_SEGMENT ? 1 : 0];
		}
		gather(e, p, &d);
		if (d.command & TX_EOP)
			return true;
	}
	p->too_long = true;
	return begun && begun + 1 >= n;
}

/* ---- what the contexts ask for */

static void sum_ip(struct e1000 *e, const struct packet *p, const struct e1000_context *c)
{
	size_t end = c->ip_end && c->ip_end < p->len ? c->ip_end + 1u : p->len;
	uint16_t v;

	if (c->ip_start >= end || c->ip_at < c->ip_start || c->ip_at + 2u > end)
		return;
	memset(e->packet + c->ip_at, 0, 2);
	v = net_sum_fold(net_sum(e->packet + c->ip_start, end - c->ip_start, 0));
	memcpy(e->packet + c->ip_at, &v, 2);
}

/* The driver left lengths out of the headers, as the card puts in each segment's own. */
static bool prepare_segments(struct e1000 *e, const struct packet *p, const struct e1000_context *c,
			     struct net_offload *o)
{
	size_t ip_bytes = p->len - c->ip_start, ip6_header = 40;
	struct net_headers h;
	uint16_t pseudo;

	if (!c->mss || !c->is_tcp || c->ip_start + 4u > p->len || c->header_bytes > p->len ||
	    c->l4_at < c->l4_start || c->l4_at + 2u > c->header_bytes || ip_bytes > 0xffff)
		return false;
	if (c->is_ip4)
		net_store16(e->packet + c->ip_start + 2, (unsigned)ip_bytes);
	else if (ip_bytes >= ip6_header)
		net_store16(e->packet + c->ip_start + 4, (unsigned)(ip_bytes - ip6_header));
	if (!net_headers_parse(e->packet, p->len, &h) || h.l4 != c->l4_start ||
	    h.proto != NET_PROTO_TCP)
		return false;
	pseudo = (uint16_t)~net_sum_fold(
		net_sum_pseudo(e->packet, &h, (uint32_t)(p->len - c->l4_start)));
	memcpy(e->packet + c->l4_at, &pseudo, 2);
	o->gso_type = h.ip == 4 ? NET_GSO_TCP4 : NET_GSO_TCP6;
	o->gso_bytes = (uint16_t)c->mss;
	o->header_bytes = (uint16_t)c->header_bytes;
	return true;
}

static void insert_legacy(struct e1000 *e, const struct packet *p)
{
	unsigned start = p->status >> 8 & 0xff, at = p->command >> 16 & 0xff;
	uint16_t v;

	if (start >= p->len || at + 2u > p->len)
		return;
	v = net_sum_fold(net_sum(e->packet + start, p->len - start, 0));
	memcpy(e->packet + at, &v, 2);
}

static void emit(void *opaque, const struct io_piece *piece, unsigned pieces,
		 const struct net_offload *offload)
{
	struct e1000 *e = opaque;

	e->network->send(e->network->opaque, 0, piece, pieces, offload);
}

/* Without the lock. */
static void packet_send(struct e1000 *e, const struct packet *p)
{
	bool segment = (p->command & TX_EXTENDED) && (p->command & TX_SEGMENT);
	const struct e1000_context *c = &p->context;
	struct net_offload o = {0};

	if (!(p->command & TX_EXTENDED)) {
		if (p->command & TX_INSERT)
			insert_legacy(e, p);
	} else {
		if (segment && !prepare_segments(e, p, c, &o))
			return;
		if (segment ? c->is_ip4 : p->status & TX_SUM_IP)
			sum_ip(e, p, c);
		if ((segment || (p->status & TX_SUM_L4)) && c->l4_at >= c->l4_start) {
			o.flags = NET_NEEDS_CSUM;
			o.csum_start = (uint16_t)c->l4_start;
			o.csum_offset = (uint16_t)(c->l4_at - c->l4_start);
		}
	}
	net_offload_apply(e->packet, p->len, &o, e->network->features, emit, e);
}

/* ---- the ring */

static void report(struct e1000 *e, const struct packet *p, uint32_t *causes)
{
	unsigned n = ring_entries(e), left = n;
	struct descriptor d;

	for (unsigned at = p->first; at != p->next && at < n && left--;
	     at = at + 1 < n ? at + 1 : 0) {
		if (!descriptor_read(e, at, &d) || !(d.command & TX_REPORT))
			continue;
		d.status |= TX_DONE;
		space_write(e->wiring.memory, descriptor_at(e, at) + TX_STATUS_OFFSET, &d.status,
			    1);
		*causes |= E1000_INT_TX_DONE;
	}
	*e1000_reg(e, E1000_TDH) = p->next;
	if (p->next == *e1000_reg(e, E1000_TDT))
		*causes |= E1000_INT_TX_EMPTY;
	if (!p->len)
		return;
	e1000_count(e, E1000_GPTC, 1);
	e1000_count(e, E1000_TPT, 1);
	e1000_count(e, E1000_GOTCL, p->len);
	e1000_count(e, E1000_TOTL, p->len);
}

bool e1000_transmit(struct e1000 *e)
{
	uint32_t causes = 0, resets;
	struct packet p;
	unsigned turn;

	e1000_lock(e);
	resets = e->resets;
	for (turn = 0; turn < PACKETS_PER_TURN && packet_take(e, &p); turn++) {
		if (p.len && p.len < FRAME_MIN && (*e1000_reg(e, E1000_TCTL) & E1000_TX_PAD)) {
			memset(e->packet + p.len, 0, FRAME_MIN - p.len);
			p.len = FRAME_MIN;
		}
		if (!p.too_long && p.len >= NET_ETHERNET_BYTES &&
		    (*e1000_reg(e, E1000_STATUS) & E1000_STATUS_LINK)) {
			e1000_unlock(e);
			packet_send(e, &p);
			e1000_lock(e);
			if (e->resets != resets)
				break;
		}
		report(e, &p, &causes);
	}
	if (causes && e->resets == resets)
		e1000_interrupt(e, causes);
	e1000_unlock(e);
	return turn == PACKETS_PER_TURN;
}
