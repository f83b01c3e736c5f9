/* The network card's control queue, 5.1.6.5, and the filter that it sets. See net.h. */
#include <string.h>

#include "base/bits.h"
#include "device/virtio/net_parts.h"

/* Classes, commands, answers */
enum {
	CLASS_RX = 0,
	CLASS_MAC = 1,
	CLASS_MQ = 4,
	CLASS_OFFLOADS = 5,
	RX_PROMISCUOUS = 0,
	RX_ALL_MULTICAST = 1,
	RX_ALL_UNICAST = 2,
	RX_NO_MULTICAST = 3,
	RX_NO_UNICAST = 4,
	RX_NO_BROADCAST = 5,
	MAC_TABLE_SET = 0,
	MAC_ADDR_SET = 1,
	MQ_PAIRS_SET = 0,
	OFFLOADS_SET = 0,
	HEAD_BYTES = 2,
	MAC_BYTES = 6,
	ANSWER_OK = 0,
	ANSWER_ERROR = 1,
};

struct command {
	const struct virtqueue *q;
	const struct virtq_chain *chain;
};

static bool take(const struct command *c, uint64_t offset, void *to, size_t len)
{
	return virtq_chain_read(c->q, c->chain, HEAD_BYTES + offset, to, len) == len;
}

static bool rx(struct virtio_net *n, const struct command *c, unsigned what)
{
	struct virtio_net_filter *f = &n->filter;
	uint8_t *const flag[] = {&f->promiscuous,  &f->all_multicast, &f->all_unicast,
				 &f->no_multicast, &f->no_unicast,    &f->no_broadcast};
	uint8_t on;

	if (what >= ARRAY_LEN(flag) || !take(c, 0, &on, 1))
		return false;
	*flag[what] = on != 0;
	f->filters = 1;
	return true;
}

/* A list at offset; returns where it ends, 0 if it is cut short. */
static uint64_t macs(struct virtio_net_macs *m, const struct command *c, uint64_t offset)
{
	uint32_t count, keep;

	if (!take(c, offset, &count, 4))
		return 0;
	keep = count < VIRTIO_NET_MACS_MAX ? count : VIRTIO_NET_MACS_MAX;
	if (!take(c, offset + 4, m->mac, keep * (size_t)MAC_BYTES))
		return 0;
	m->count = keep;
	m->full = keep < count;
	return offset + 4 + (uint64_t)count * MAC_BYTES;
}

static bool mac_table(struct virtio_net *n, const struct command *c)
{
	struct virtio_net_macs unicast = {0}, multicast = {0};
	uint64_t at = macs(&unicast, c, 0);

	if (!at || !macs(&multicast, c, at))
		return false;
	n->filter.unicast = unicast;
	n->filter.multicast = multicast;
	n->filter.filters = 1;
	return true;
}

static bool pairs(struct virtio_net *n, const struct command *c)
{
	uint16_t v;

	if (!virtio_has(&n->device, VIRTIO_NET_F_MQ) || !take(c, 0, &v, 2) || v < 1 ||
	    v > n->pairs_max)
		return false;
	n->pairs = v;
	memset(n->flow_pair, 0, sizeof(n->flow_pair));
	return true;
}

static bool offloads(struct virtio_net *n, const struct command *c)
{
	uint64_t v;

	if (!take(c, 0, &v, 8) || (v & ~(n->device.accepted & VIRTIO_NET_GUEST_OFFLOADS)))
		return false;
	n->offloads = v;
	virtio_net_tell_offloads(n);
	return true;
}

static bool carry_out(struct virtio_net *n, const struct command *c, uint8_t class, uint8_t what)
{
	switch (class) {
	case CLASS_RX:
		return rx(n, c, what);
	case CLASS_MAC:
		if (what == MAC_TABLE_SET)
			return mac_table(n, c);
		return what == MAC_ADDR_SET && take(c, 0, n->mac, MAC_BYTES);
	case CLASS_MQ:
		return what == MQ_PAIRS_SET && pairs(n, c);
	case CLASS_OFFLOADS:
		return what == OFFLOADS_SET && offloads(n, c);
	}
	return false;
}

void virtio_net_control(struct virtio_net *n, struct virtqueue *q)
{
	struct virtq_chain chain;
	const struct command c = {q, &chain};

	while (virtqueue_pop_or_wait(q, &chain) > 0) {
		uint8_t head[HEAD_BYTES], answer = ANSWER_ERROR;

		if (virtq_chain_read(q, &chain, 0, head, sizeof(head)) == sizeof(head) &&
		    carry_out(n, &c, head[0], head[1]))
			answer = ANSWER_OK;
		virtqueue_push(q, &chain, (uint32_t)virtq_chain_write(q, &chain, 0, &answer, 1));
	}
}

static bool listed(const struct virtio_net_macs *m, const uint8_t mac[6])
{
	if (m->full)
		return true;
	for (uint32_t i = 0; i < m->count; i++)
		if (memcmp(m->mac[i], mac, MAC_BYTES) == 0)
			return true;
	return false;
}

bool virtio_net_wants(const struct virtio_net *n, const uint8_t to[6])
{
	static const uint8_t broadcast[MAC_BYTES] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	const struct virtio_net_filter *f = &n->filter;

	if (!f->filters || f->promiscuous)
		return true;
	if (memcmp(to, broadcast, MAC_BYTES) == 0)
		return !f->no_broadcast;
	if (to[0] & 1)
		return !f->no_multicast && (f->all_multicast || listed(&f->multicast, to));
	return !f->no_unicast &&
	       (f->all_unicast || memcmp(to, n->mac, MAC_BYTES) == 0 || listed(&f->unicast, to));
}
