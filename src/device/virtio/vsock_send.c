/* The socket device's packets to the guest, which wait for buffers and credit: see vsock.h. */
#include "device/virtio/vsock_private.h"

#include "base/bits.h"

static void packet_store(const struct vsock_packet *p, uint8_t *h)
{
	store_le64(h + HDR_SRC_CID, p->src_cid);
	store_le64(h + HDR_DST_CID, p->dst_cid);
	store_le32(h + HDR_SRC_PORT, p->src_port);
	store_le32(h + HDR_DST_PORT, p->dst_port);
	store_le32(h + HDR_LEN, p->len);
	store_le16(h + HDR_TYPE, p->type);
	store_le16(h + HDR_OP, p->op);
	store_le32(h + HDR_FLAGS, p->flags);
	store_le32(h + HDR_BUF_ALLOC, p->buf_alloc);
	store_le32(h + HDR_FWD_CNT, p->fwd_cnt);
}

/* A header that tells how much room the connection has. */
static struct vsock_packet conn_packet(struct vsock_conn *c, uint16_t op)
{
	c->told = c->taken;
	return (struct vsock_packet){
		.src_cid = VSOCK_CID_HOST,
		.dst_cid = c->owner->cid,
		.src_port = c->host_port,
		.dst_port = c->guest_port,
		.type = c->type,
		.op = op,
		.flags = op == OP_SHUTDOWN ? c->host_shut : 0,
		.buf_alloc = VSOCK_RING_BYTES,
		.fwd_cnt = c->taken,
	};
}

/* Take a buffer that a header fits; too small ones go back empty. */
static bool rx_take(struct virtio_vsock *v, struct virtq_chain *chain)
{
	struct virtqueue *q = &v->device.queue[QUEUE_RX];

	while (virtqueue_pop_or_wait(q, chain) > 0) {
		if (chain->in_bytes >= HDR_BYTES)
			return true;
		virtqueue_push(q, chain, 0);
	}
	return false;
}

static void rx_give(struct virtio_vsock *v, const struct virtq_chain *chain,
		    const struct vsock_packet *p, const uint8_t *bytes)
{
	struct virtqueue *q = &v->device.queue[QUEUE_RX];
	uint8_t header[HDR_BYTES];

	packet_store(p, header);
	virtq_chain_write(q, chain, 0, header, HDR_BYTES);
	if (p->len)
		virtq_chain_write(q, chain, HDR_BYTES, bytes, p->len);
	virtqueue_push(q, chain, HDR_BYTES + p->len);
}

static uint16_t op_of(unsigned bit)
{
	switch (bit) {
	case SEND_REQUEST:
		return OP_REQUEST;
	case SEND_RESPONSE:
		return OP_RESPONSE;
	case SEND_CREDIT:
		return OP_CREDIT_UPDATE;
	case SEND_ASK_CREDIT:
		return OP_CREDIT_REQUEST;
	case SEND_SHUTDOWN:
		return OP_SHUTDOWN;
	default:
		return OP_RST;
	}
}

/* Send what waits for this connection; false when there are no buffers. */
bool vsock_conn_flush(struct vsock_conn *c)
{
	struct virtio_vsock *v = c->owner;
	struct virtq_chain chain;

	while (c->to_send) {
		unsigned bit = c->to_send & (unsigned)-c->to_send;
		struct vsock_packet p;

		if (!rx_take(v, &chain))
			return false;
		p = conn_packet(c, op_of(bit));
		rx_give(v, &chain, &p, NULL);
		c->to_send &= (uint8_t)~bit;
	}
	if (c->state == CONN_RESET)
		c->state = CONN_FREE;
	return true;
}

static bool resets_flush(struct virtio_vsock *v)
{
	struct virtq_chain chain;

	while (v->resets) {
		const struct vsock_reset *r = &v->reset[v->resets - 1];
		struct vsock_packet p = {.src_cid = r->cid,
					 .dst_cid = v->cid,
					 .src_port = r->host_port,
					 .dst_port = r->guest_port,
					 .type = r->type,
					 .op = OP_RST};

		if (!rx_take(v, &chain))
			return false;
		rx_give(v, &chain, &p, NULL);
		v->resets--;
	}
	return true;
}

void vsock_conn_send(struct vsock_conn *c, unsigned bits)
{
	c->to_send |= (uint8_t)bits;
	vsock_conn_flush(c);
}

/* The driver has buffers again: in turn, so that none is forgotten. */
void vsock_rx_serve(struct virtio_vsock *v)
{
	if (!resets_flush(v))
		return;
	for (unsigned n = 0; n < VSOCK_CONNECTIONS_MAX; n++) {
		struct vsock_conn *c = &v->conn[(v->turn + n) % VSOCK_CONNECTIONS_MAX];

		if (c->state == CONN_FREE || c->state == CONN_DEAD)
			continue;
		if (!vsock_conn_flush(c)) {
			v->turn = (v->turn + n) % VSOCK_CONNECTIONS_MAX;
			return;
		}
		if (c->stalled && c->end && c->state == CONN_OPEN) {
			c->stalled = false;
			c->end->stream.resume(c->end->stream.opaque);
		}
	}
	v->turn = (v->turn + 1) % VSOCK_CONNECTIONS_MAX; /* who came last comes earlier */
}

/* Answer what belongs to no connection. An RST gets no answer, or two could go on for ever. */
void vsock_refuse(struct virtio_vsock *v, const struct vsock_packet *p)
{
	if (p->op == OP_RST || v->resets == VSOCK_RESETS_MAX)
		return;
	v->reset[v->resets++] = (struct vsock_reset){p->dst_cid, p->src_port, p->dst_port, p->type};
	resets_flush(v);
}

/* How many bytes the guest has room for. */
uint32_t vsock_conn_credit(const struct vsock_conn *c)
{
	uint32_t in_flight = c->sent - c->guest_taken;

	return in_flight < c->guest_room ? c->guest_room - in_flight : 0;
}

size_t vsock_conn_data(struct vsock_conn *c, const uint8_t *bytes, size_t len)
{
	struct virtio_vsock *v = c->owner;
	struct virtq_chain chain;
	struct vsock_packet p;

	if (!vsock_conn_flush(c) || !rx_take(v, &chain))
		return 0;
	p = conn_packet(c, OP_RW);
	p.len = vsock_conn_credit(c);
	if (p.len > len)
		p.len = (uint32_t)len;
	if (p.len > chain.in_bytes - HDR_BYTES)
		p.len = (uint32_t)(chain.in_bytes - HDR_BYTES);
	if (c->type == TYPE_SEQPACKET && p.len == len)
		p.flags = SEQ_EOM;
	rx_give(v, &chain, &p, bytes);
	c->sent += p.len;
	return p.len;
}
