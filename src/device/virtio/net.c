/* Network card: see net.h. Section numbers are of virtio 1.2. */
#include "device/virtio/net.h"

#include <string.h>

#include "base/bits.h"
#include "device/net_offload.h"
#include "device/virtio/net_parts.h"

/* Configuration space, 5.1.4 */
enum {
	CONFIG_MAC = 0,
	CONFIG_STATUS = 6,
	CONFIG_PAIRS = 8,
	CONFIG_MTU = 10,
	CONFIG_SPEED = 12,
	CONFIG_DUPLEX = 16,
	CONFIG_BYTES = 17,
	STATUS_LINK_UP = 1,
	SPEED_MBITS = 10000,
	DUPLEX_FULL = 1,
};

/* The header of each frame, 5.1.6: struct net_offload, then how many buffers the frame fills. */
enum { HEADER_BUFFERS = 10, HEADER_BYTES = 12 };

enum {
	QUEUE_ENTRIES = 256,
	CONTROL_ENTRIES = 64,
	FRAMES_PER_TURN = 256, /* then others have their turn */
	FLOW_BYTES = NET_ETHERNET_BYTES + 8 + 40 + 4,
};

_Static_assert(sizeof(struct net_offload) == HEADER_BUFFERS, "as on the wire");

static unsigned control_queue(const struct virtio_net *n)
{
	return virtio_has(&n->device, VIRTIO_NET_F_MQ) ? 2 * n->pairs_max : 2;
}

/* The I/O thread comes in: by a kick, or by the network, which may be in the middle of our own call
 * of it. Returns whether it was in already. */
static bool enter(struct virtio_net *n)
{
	bool nested = n->entered;

	if (!nested)
		virtio_enter(&n->device);
	n->entered = true;
	return nested;
}

static void leave(struct virtio_net *n, bool nested)
{
	n->entered = nested;
	if (!nested)
		virtio_leave(&n->device);
}

/* ---- which pair: a flow comes in where it went out (5.1.6.5.6) */

static uint8_t flow_of(const struct io_piece *piece, unsigned pieces)
{
	uint8_t head[FLOW_BYTES] = {0};
	size_t len = 0;
	uint32_t v;

	for (unsigned i = 0; i < pieces && len < sizeof(head); i++) {
		size_t part = piece[i].len < sizeof(head) - len ? piece[i].len : sizeof(head) - len;

		memcpy(head + len, piece[i].base, part);
		len += part;
	}
	/* Addresses and ports, the same for both ways. What is no TCP or UDP is one flow. */
	if (net_load16(head + 12) == 0x0800 && (head[14] & 15) == 5)
		v = net_load32(head + 26) ^ net_load32(head + 30) ^ net_load16(head + 34) ^
		    net_load16(head + 36);
	else if (net_load16(head + 12) == 0x86dd)
		v = net_load32(head + 34) ^ net_load32(head + 50) ^ net_load16(head + 54) ^
		    net_load16(head + 56);
	else
		return 0;
	v *= 0x9e3779b1u;
	return (uint8_t)(v >> 24);
}

/* ---- from the guest */

static void hand_on(void *opaque, const struct io_piece *piece, unsigned pieces,
		    const struct net_offload *o)
{
	struct virtio_net *n = opaque;

	n->network->send(n->network->opaque, 0, piece, pieces, o);
}

static unsigned gso_feature(unsigned type, uint64_t *of_card)
{
	switch (type & ~(unsigned)NET_GSO_ECN) {
	case NET_GSO_TCP4:
		*of_card = VIRTIO_NET_F_HOST_TSO4;
		return NET_TAKES_TSO4;
	case NET_GSO_TCP6:
		*of_card = VIRTIO_NET_F_HOST_TSO6;
		return NET_TAKES_TSO6;
	case NET_GSO_UDP:
		*of_card = VIRTIO_NET_F_HOST_UFO;
		return NET_TAKES_UFO;
	}
	*of_card = ~0ull; /* none has that */
	return 0;
}

/* What the network has to take for this; false: the driver asks for what it did not accept. */
static bool needs(const struct virtio_net *n, const struct net_offload *o, unsigned *features)
{
	uint64_t of_card;

	*features = 0;
	if (o->flags & NET_NEEDS_CSUM) {
		if (!virtio_has(&n->device, VIRTIO_NET_F_CSUM))
			return false;
		*features |= NET_TAKES_CSUM;
	}
	if (o->gso_type != NET_GSO_NONE) {
		*features |= gso_feature(o->gso_type, &of_card);
		return virtio_has(&n->device, of_card) && (o->flags & NET_NEEDS_CSUM);
	}
	return true;
}

static void send_chain(struct virtio_net *n, struct virtqueue *q, unsigned pair)
{
	const struct virtq_chain *c = &n->sending;
	struct io_piece piece[NET_PIECES_MAX];
	struct net_network *net = n->network;
	struct net_offload o;
	unsigned features;
	uint64_t len;
	int pieces;

	if (c->out_bytes < HEADER_BYTES + NET_ETHERNET_BYTES ||
	    c->out_bytes > HEADER_BYTES + NET_FRAME_MAX ||
	    virtq_chain_read(q, c, 0, &o, sizeof(o)) != sizeof(o) || !needs(n, &o, &features))
		return;
	len = c->out_bytes - HEADER_BYTES;
	o.flags &= NET_NEEDS_CSUM;
	pieces = virtq_chain_pieces(q, c, false, HEADER_BYTES, len, piece, NET_PIECES_MAX);
	if (n->pairs > 1 && pieces > 0)
		n->flow_pair[flow_of(piece, (unsigned)pieces)] = (uint8_t)pair;
	if (pieces > 0 && (net->features & features) == features) {
		net->send(net->opaque, pair % net->queues, piece, (unsigned)pieces, &o);
		return;
	}
	if (virtq_chain_read(q, c, HEADER_BYTES, n->frame, len) == len)
		net_offload_apply(n->frame, len, &o, net->features, hand_on, n);
}

static void transmit(struct virtio_net *n, unsigned pair)
{
	unsigned number = 2 * pair + 1;
	struct virtqueue *q = &n->device.queue[number];

	virtqueue_kicks_off(q);
	for (unsigned i = 0; i < FRAMES_PER_TURN; i++) {
		if (virtqueue_pop_or_wait(q, &n->sending) <= 0)
			return;
		send_chain(n, q, pair);
		virtqueue_push(q, &n->sending, 0);
	}
	virtio_serve_again(&n->device, number);
}

/* ---- to the guest */

/* Whether the driver takes frames like this. */
static bool takes(const struct virtio_net *n, const struct net_offload *o)
{
	uint64_t need = 0;

	if (!o)
		return true;
	if (o->flags & NET_NEEDS_CSUM)
		need |= VIRTIO_NET_F_GUEST_CSUM;
	switch (o->gso_type & ~(unsigned)NET_GSO_ECN) {
	case NET_GSO_NONE:
		break;
	case NET_GSO_TCP4:
		need |= VIRTIO_NET_F_GUEST_TSO4;
		break;
	case NET_GSO_TCP6:
		need |= VIRTIO_NET_F_GUEST_TSO6;
		break;
	case NET_GSO_UDP:
		need |= VIRTIO_NET_F_GUEST_UFO;
		break;
	default:
		return false;
	}
	if (o->gso_type & NET_GSO_ECN)
		need |= VIRTIO_NET_F_GUEST_ECN;
	return (n->offloads & need) == need;
}

/* Chains with room for total bytes in n->chain: how many; 0 none now, -1 never. */
static int find_room(struct virtio_net *n, struct virtqueue *q, uint64_t total)
{
	bool merge = virtio_has(&n->device, VIRTIO_NET_F_MRG_RXBUF);
	struct virtq_mark mark = virtqueue_mark(q);
	unsigned max = merge ? VIRTIO_NET_CHAINS_MAX : 1;
	uint64_t room = 0;
	unsigned segs = 0;
	int r = 1, count = 0;

	while (room < total && count < (int)max) {
		r = virtqueue_pop_or_wait(q, &n->chain[count]);
		if (r <= 0)
			break;
		segs += n->chain[count].out + n->chain[count].in;
		room += n->chain[count++].in_bytes;
	}
	if (room >= total)
		return count;
	if (r >= 0)
		virtqueue_rewind(q, mark);
	return r == 0 && segs < q->size ? 0 : -1; /* more than the ring holds will not come */
}

struct source {
	const struct io_piece *piece;
	unsigned pieces;
	size_t done; /* of the first */
};

/* Fill a chain from its start, or with what is left; returns how many bytes. */
static uint32_t fill(struct virtqueue *q, const struct virtq_chain *c, struct source *s)
{
	uint64_t at = 0;

	while (at < c->in_bytes && s->pieces) {
		const uint8_t *from = (const uint8_t *)s->piece->base + s->done;
		size_t len = s->piece->len - s->done, room = c->in_bytes - at;
		size_t n = virtq_chain_write(q, c, at, from, len < room ? len : room);

		at += n;
		s->done += n;
		if (s->done < s->piece->len)
			break;
		s->piece++;
		s->pieces--;
		s->done = 0;
	}
	return (uint32_t)at;
}

static void put_frame(struct virtio_net *n, struct virtqueue *q, int chains,
		      const struct io_piece *piece, unsigned pieces, const struct net_offload *o)
{
	struct io_piece all[NET_PIECES_MAX + 1];
	uint8_t header[HEADER_BYTES] = {0};
	struct source s = {all, pieces + 1, 0};

	if (o)
		memcpy(header, o, sizeof(*o));
	if (!(n->offloads & VIRTIO_NET_F_GUEST_CSUM))
		header[0] = 0;
	store_le16(header + HEADER_BUFFERS, (uint16_t)chains);
	all[0] = (struct io_piece){header, sizeof(header)};
	memcpy(all + 1, piece, pieces * sizeof(*piece));
	for (int i = 0; i < chains; i++)
		n->written[i] = fill(q, &n->chain[i], &s);
	virtqueue_push_all(q, n->chain, n->written, (unsigned)chains);
}

static uint64_t length(const struct io_piece *piece, unsigned pieces)
{
	uint64_t len = 0;

	for (unsigned i = 0; i < pieces; i++)
		len += piece[i].len;
	return len;
}

/* False: no room. */
static bool take_frame(struct virtio_net *n, const struct io_piece *piece, unsigned pieces,
		       const struct net_offload *o)
{
	uint64_t len = length(piece, pieces);
	struct virtqueue *q;
	unsigned pair = 0;
	int chains;

	if (!virtio_running(&n->device) || pieces == 0 || pieces > NET_PIECES_MAX ||
	    piece[0].len < NET_ETHERNET_BYTES || len > NET_FRAME_MAX || !takes(n, o) ||
	    !virtio_net_wants(n, piece[0].base))
		return true;
	if (n->pairs > 1)
		pair = n->flow_pair[flow_of(piece, pieces)] % n->pairs;
	q = &n->device.queue[2 * pair];
	if (!q->enabled)
		return true;
	chains = find_room(n, q, HEADER_BYTES + len);
	if (chains > 0)
		put_frame(n, q, chains, piece, pieces, o);
	return chains != 0;
}

static bool receive(void *opaque, const struct io_piece *piece, unsigned pieces,
		    const struct net_offload *o)
{
	struct virtio_net *n = opaque;
	bool nested = enter(n), taken = take_frame(n, piece, pieces, o);

	n->stalled |= !taken;
	leave(n, nested);
	return taken;
}

static void on_link(void *opaque, bool up)
{
	struct virtio_net *n = opaque;
	bool nested = enter(n);

	n->link_down = !up;
	virtio_config_changed(&n->device);
	leave(n, nested);
}

static void resume(struct virtio_net *n)
{
	if (!n->stalled)
		return;
	n->stalled = 0;
	n->network->resume(n->network->opaque);
}

/* ---- the device */

static void net_serve(void *opaque, unsigned number)
{
	struct virtio_net *n = opaque;

	n->entered = true;
	if (number == control_queue(n) && virtio_has(&n->device, VIRTIO_NET_F_CTRL_VQ))
		virtio_net_control(n, &n->device.queue[number]);
	else if (number / 2 < n->pairs_max && (number & 1))
		transmit(n, number / 2);
	else
		resume(n);
	n->entered = false;
}

void virtio_net_tell_offloads(struct virtio_net *n)
{
	static const struct {
		uint64_t of_card;
		unsigned takes;
	} rows[] = {
		{VIRTIO_NET_F_GUEST_CSUM, NET_TAKES_CSUM},
		{VIRTIO_NET_F_GUEST_TSO4, NET_TAKES_TSO4},
		{VIRTIO_NET_F_GUEST_TSO6, NET_TAKES_TSO6},
		{VIRTIO_NET_F_GUEST_UFO, NET_TAKES_UFO},
	};
	unsigned features = 0;

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (n->offloads & rows[i].of_card)
			features |= rows[i].takes;
	n->network->card_features(n->network->opaque, features);
}

static void net_started(void *opaque)
{
	struct virtio_net *n = opaque;

	n->entered = true;
	virtio_net_tell_offloads(n);
	n->stalled = 1; /* what came before may still be waiting */
	resume(n);
	n->entered = false;
}

/* What a feature needs of others, 5.1.3.1 */
static bool net_features(void *opaque, uint64_t accepted)
{
	static const uint64_t needs_of[][2] = {
		{VIRTIO_NET_F_GUEST_TSO4, VIRTIO_NET_F_GUEST_CSUM},
		{VIRTIO_NET_F_GUEST_TSO6, VIRTIO_NET_F_GUEST_CSUM},
		{VIRTIO_NET_F_GUEST_UFO, VIRTIO_NET_F_GUEST_CSUM},
		{VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_CSUM},
		{VIRTIO_NET_F_HOST_TSO6, VIRTIO_NET_F_CSUM},
		{VIRTIO_NET_F_HOST_UFO, VIRTIO_NET_F_CSUM},
		{VIRTIO_NET_F_CTRL_RX, VIRTIO_NET_F_CTRL_VQ},
		{VIRTIO_NET_F_CTRL_MAC_ADDR, VIRTIO_NET_F_CTRL_VQ},
		{VIRTIO_NET_F_MQ, VIRTIO_NET_F_CTRL_VQ},
		{VIRTIO_NET_F_CTRL_GUEST_OFFLOADS, VIRTIO_NET_F_CTRL_VQ},
	};
	struct virtio_net *n = opaque;

	for (unsigned i = 0; i < ARRAY_LEN(needs_of); i++)
		if ((accepted & needs_of[i][0]) && !(accepted & needs_of[i][1]))
			return false;
	n->offloads = accepted & VIRTIO_NET_GUEST_OFFLOADS;
	return true;
}

static void net_reset(void *opaque)
{
	struct virtio_net *n = opaque;

	memcpy(n->mac, n->own_mac, sizeof(n->mac));
	memset(&n->filter, 0, sizeof(n->filter));
	memset(n->flow_pair, 0, sizeof(n->flow_pair));
	n->pairs = 1;
	n->offloads = 0;
	n->stalled = 0;
}

static void net_config_read(void *opaque, uint32_t offset, uint8_t *buf, uint32_t bytes)
{
	const struct virtio_net *n = opaque;
	uint8_t config[CONFIG_BYTES] = {0};

	memcpy(config + CONFIG_MAC, n->mac, sizeof(n->mac));
	store_le16(config + CONFIG_STATUS, n->link_down ? 0 : STATUS_LINK_UP);
	store_le16(config + CONFIG_PAIRS, (uint16_t)n->pairs_max);
	store_le16(config + CONFIG_MTU, (uint16_t)n->network->mtu);
	store_le32(config + CONFIG_SPEED, SPEED_MBITS);
	config[CONFIG_DUPLEX] = DUPLEX_FULL;
	memcpy(buf, config + offset, bytes);
}

/* What counts as an index. */
static void net_after_restore(void *opaque)
{
	struct virtio_net *n = opaque;

	if (n->pairs < 1 || n->pairs > n->pairs_max)
		n->pairs = 1;
	if (n->filter.unicast.count > VIRTIO_NET_MACS_MAX)
		n->filter.unicast.count = VIRTIO_NET_MACS_MAX;
	if (n->filter.multicast.count > VIRTIO_NET_MACS_MAX)
		n->filter.multicast.count = VIRTIO_NET_MACS_MAX;
}

static const struct field net_fields[] = {
	FIELD_ARRAY(struct virtio_net, mac),
	FIELD(struct virtio_net, pairs),
	FIELD(struct virtio_net, offloads),
	FIELD(struct virtio_net, filter.filters),
	FIELD(struct virtio_net, filter.promiscuous),
	FIELD(struct virtio_net, filter.all_multicast),
	FIELD(struct virtio_net, filter.all_unicast),
	FIELD(struct virtio_net, filter.no_multicast),
	FIELD(struct virtio_net, filter.no_unicast),
	FIELD(struct virtio_net, filter.no_broadcast),
	FIELD(struct virtio_net, filter.unicast.count),
	FIELD(struct virtio_net, filter.unicast.full),
	FIELD_ARRAY(struct virtio_net, filter.unicast.mac),
	FIELD(struct virtio_net, filter.multicast.count),
	FIELD(struct virtio_net, filter.multicast.full),
	FIELD_ARRAY(struct virtio_net, filter.multicast.mac),
	FIELD_ARRAY(struct virtio_net, flow_pair),
	FIELD(struct virtio_net, stalled),
	FIELD_END,
};

static const struct device_desc net_state = {
	.name = "virtio-net",
	.text = "network card",
	.state_bytes = sizeof(struct virtio_net),
	.fields = net_fields,
	.after_restore = net_after_restore,
};

static const struct virtio_model net_model = {
	.id = VIRTIO_ID_NET,
	.name = "virtio-net",
	.config_bytes = CONFIG_BYTES,
	.state = &net_state,
	.reset = net_reset,
	.features = net_features,
	.started = net_started,
	.config_read = net_config_read,
	.serve = net_serve,
};

#define OFFERED                                                                                    \
	(VIRTIO_NET_F_CSUM | VIRTIO_NET_F_HOST_TSO4 | VIRTIO_NET_F_HOST_TSO6 |                     \
	 VIRTIO_NET_F_HOST_ECN | VIRTIO_NET_F_HOST_UFO | VIRTIO_NET_GUEST_OFFLOADS |               \
	 VIRTIO_NET_F_CTRL_GUEST_OFFLOADS | VIRTIO_NET_F_MAC | VIRTIO_NET_F_MRG_RXBUF |            \
	 VIRTIO_NET_F_STATUS | VIRTIO_NET_F_CTRL_VQ | VIRTIO_NET_F_CTRL_RX |                       \
	 VIRTIO_NET_F_CTRL_RX_EXTRA | VIRTIO_NET_F_CTRL_MAC_ADDR | VIRTIO_NET_F_SPEED_DUPLEX)

void virtio_net_init(struct virtio_net *n, const char *name, const uint8_t mac[6],
		     struct net_network *network)
{
	unsigned pairs = network->queues;

	memset(n, 0, sizeof(*n));
	n->network = network;
	n->link_down = network->unplugged;
	n->pairs_max = pairs < 1 ? 1 : pairs > VIRTIO_NET_PAIRS_MAX ? VIRTIO_NET_PAIRS_MAX : pairs;
	memcpy(n->own_mac, mac, sizeof(n->own_mac));
	virtio_init(&n->device, &net_model, n, name,
		    OFFERED | (n->pairs_max > 1 ? VIRTIO_NET_F_MQ : 0) |
			    (network->mtu ? VIRTIO_NET_F_MTU : 0));
	for (unsigned i = 0; i < 2 * n->pairs_max; i++)
		virtio_add_queue(&n->device, QUEUE_ENTRIES);
	virtio_add_queue(&n->device, CONTROL_ENTRIES);
	net_reset(n);
	network->card = (struct net_card){receive, on_link, n};
}
