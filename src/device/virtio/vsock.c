/* Virtio socket device: see vsock.h. Section numbers are of virtio 1.2. */
#include "device/virtio/vsock_private.h"

#include <string.h>

#include "base/bits.h"

static void packet_load(struct vsock_packet *p, const uint8_t *h)
{
	*p = (struct vsock_packet){
		.src_cid = load_le64(h + HDR_SRC_CID),
		.dst_cid = load_le64(h + HDR_DST_CID),
		.src_port = load_le32(h + HDR_SRC_PORT),
		.dst_port = load_le32(h + HDR_DST_PORT),
		.len = load_le32(h + HDR_LEN),
		.type = load_le16(h + HDR_TYPE),
		.op = load_le16(h + HDR_OP),
		.flags = load_le32(h + HDR_FLAGS),
		.buf_alloc = load_le32(h + HDR_BUF_ALLOC),
		.fwd_cnt = load_le32(h + HDR_FWD_CNT),
	};
}

/* ---- connections */

static struct vsock_conn *conn_find(struct virtio_vsock *v, uint32_t guest_port, uint32_t host_port,
				    uint16_t type)
{
	for (unsigned i = 0; i < VSOCK_CONNECTIONS_MAX; i++) {
		struct vsock_conn *c = &v->conn[i];

		if ((c->state == CONN_ASKED || c->state == CONN_OPEN) &&
		    c->guest_port == guest_port && c->host_port == host_port && c->type == type)
			return c;
	}
	return NULL;
}

static void end_close(struct vsock_conn *c)
{
	struct vsock_end *end = c->end;

	c->end = NULL;
	if (!end)
		return;
	end->stream.client = (struct stream_client){NULL};
	end->close(end->stream.opaque);
}

/* The guest sends no more: the beginning of a message has no end. */
static void drop_unfinished(struct vsock_conn *c)
{
	if (c->type == TYPE_SEQPACKET && (c->guest_shut & SHUT_SEND) && !c->whole)
		c->used = 0;
}

/* It is over for the guest, which knows; what it sent before may still be on its way. */
static void conn_left(struct vsock_conn *c)
{
	drop_unfinished(c);
	c->to_send = 0;
	c->state = CONN_FREE;
	if (c->end && c->used && (c->guest_shut & SHUT_SEND))
		c->state = CONN_LEFT;
	else
		end_close(c);
}

/* End it and tell the guest. */
static void conn_reset(struct vsock_conn *c)
{
	end_close(c);
	c->state = CONN_RESET;
	c->to_send = 0;
	vsock_conn_send(c, SEND_RST);
}

/* What follows once the ring is empty: the host hears of the end of what the guest sends. */
static void conn_drained(struct vsock_conn *c)
{
	drop_unfinished(c);
	if (c->used)
		return;
	if (c->state == CONN_LEFT) {
		end_close(c);
		c->state = CONN_FREE;
	} else if (c->guest_shut == SHUT_BOTH) {
		conn_reset(c);
	} else if ((c->guest_shut & SHUT_SEND) && !c->finished && c->end) {
		c->finished = true;
		c->end->finish(c->end->stream.opaque);
	}
}

/* Tell the guest of room it does not know of, once that is worth a packet. */
static void conn_tell_credit(struct vsock_conn *c)
{
	if (c->state == CONN_OPEN && c->taken - c->told >= VSOCK_RING_BYTES / 4)
		vsock_conn_send(c, SEND_CREDIT);
}

/* ---- the host's side */

/* n bytes left the ring. */
static void ring_take(struct vsock_conn *c, uint32_t n)
{
	c->head = (c->head + n) % VSOCK_RING_BYTES;
	c->used -= n;
	c->taken += n;
}

static bool end_at(const struct vsock_conn *c, uint32_t at)
{
	return c->ends[at / 64] >> at % 64 & 1;
}

/* Of the first message in the ring, which is complete. */
static uint32_t message_bytes(const struct vsock_conn *c)
{
	uint32_t n = 0, at;

	do
		at = (c->head + n++) % VSOCK_RING_BYTES;
	while (!end_at(c, at));
	return n;
}

static const uint8_t *message_at_once(struct vsock_conn *c, uint32_t bytes)
{
	uint32_t first = VSOCK_RING_BYTES - c->head;

	if (bytes <= first)
		return c->ring + c->head;
	memcpy(c->owner->message, c->ring + c->head, first);
	memcpy(c->owner->message + first, c->ring, bytes - first);
	return c->owner->message;
}

static void messages_drain(struct vsock_conn *c)
{
	while (c->whole) {
		uint32_t n = message_bytes(c), last = (c->head + n - 1) % VSOCK_RING_BYTES;
		const uint8_t *bytes = message_at_once(c, n);

		if (c->end->stream.write(c->end->stream.opaque, bytes, n) < n)
			return;
		c->ends[last / 64] &= ~(1ull << last % 64);
		c->whole--;
		ring_take(c, n);
	}
}

static void ring_drain(struct vsock_conn *c)
{
	if (c->type == TYPE_SEQPACKET && c->end) {
		messages_drain(c);
		return;
	}
	while (c->used) {
		size_t n = VSOCK_RING_BYTES - c->head, took;

		if (n > c->used)
			n = c->used;
		took = c->end ? c->end->stream.write(c->end->stream.opaque, c->ring + c->head, n)
			      : n;
		if (took > n)
			took = n;
		ring_take(c, (uint32_t)took);
		if (took < n)
			return;
	}
}

static void conn_writable(void *opaque)
{
	struct vsock_conn *c = opaque;
	struct virtio_device *d = &c->owner->device;

	virtio_enter(d);
	if (c->state == CONN_OPEN || c->state == CONN_LEFT) {
		ring_drain(c);
		if (virtio_running(d))
			conn_tell_credit(c);
		conn_drained(c);
	}
	virtio_leave(d);
}

/* The guest reads whole messages only, and will not have room for this one. */
static bool never_fits(const struct vsock_conn *c, size_t len)
{
	return c->type == TYPE_SEQPACKET && c->state == CONN_OPEN && len > c->guest_room &&
	       virtio_running(&c->owner->device);
}

static size_t conn_input(void *opaque, const uint8_t *bytes, size_t len)
{
	struct vsock_conn *c = opaque;
	struct virtio_device *d = &c->owner->device;
	size_t done = 0, n = 1;

	virtio_enter(d);
	if (c->guest_shut & SHUT_RECEIVE)
		done = len; /* nobody reads it */
	if (done < len && never_fits(c, len)) {
		conn_reset(c);
		done = len;
	}
	while (done < len && n && virtio_running(d) && c->state == CONN_OPEN &&
	       vsock_conn_credit(c)) {
		n = vsock_conn_data(c, bytes + done, len - done);
		done += n;
	}
	c->stalled = done < len;
	if (c->stalled && c->state == CONN_OPEN && virtio_running(d) && !vsock_conn_credit(c) &&
	    !c->asked) {
		c->asked = true;
		vsock_conn_send(c, SEND_ASK_CREDIT);
	}
	virtio_leave(d);
	return done;
}

static void conn_connected(void *opaque, bool yes)
{
	struct vsock_conn *c = opaque;
	struct virtio_device *d = &c->owner->device;

	virtio_enter(d);
	if (!yes && c->state == CONN_OPEN && virtio_running(d)) {
		c->host_shut |= SHUT_SEND;
		vsock_conn_send(c, SEND_SHUTDOWN);
	}
	virtio_leave(d);
}

void virtio_vsock_gone(struct virtio_vsock *v, struct vsock_end *end)
{
	virtio_enter(&v->device);
	for (unsigned i = 0; i < VSOCK_CONNECTIONS_MAX; i++) {
		struct vsock_conn *c = &v->conn[i];

		if (c->state == CONN_FREE || c->end != end)
			continue;
		c->end = NULL;
		end->stream.client = (struct stream_client){NULL};
		ring_drain(c); /* to nobody */
		if (c->state == CONN_ASKED) {
			conn_reset(c);
		} else if (c->state == CONN_OPEN) {
			c->host_shut = SHUT_BOTH;
			vsock_conn_send(c, SEND_SHUTDOWN);
			conn_drained(c);
		} else if (c->state == CONN_LEFT) {
			c->state = CONN_FREE;
		}
	}
	virtio_leave(&v->device);
}

/* Is this type of socket one that the driver knows? */
static bool can(const struct virtio_vsock *v, uint16_t type)
{
	return type == TYPE_STREAM ||
	       (type == TYPE_SEQPACKET && virtio_has(&v->device, VIRTIO_VSOCK_F_SEQPACKET));
}

/* A free connection for these ports; NULL if there is none. */
static struct vsock_conn *conn_new(struct virtio_vsock *v, uint32_t guest_port, uint32_t host_port,
				   uint16_t type)
{
	for (unsigned i = 0; i < VSOCK_CONNECTIONS_MAX; i++) {
		if (v->conn[i].state != CONN_FREE)
			continue;
		v->conn[i] = (struct vsock_conn){.owner = v,
						 .guest_port = guest_port,
						 .host_port = host_port,
						 .type = type,
						 .ring = v->ring[i],
						 .ends = v->ends[i]};
		if (type == TYPE_SEQPACKET)
			memset(v->ends[i], 0, sizeof(v->ends[i]));
		return &v->conn[i];
	}
	return NULL;
}

static void conn_begin(struct vsock_conn *c, struct vsock_end *end, enum vsock_state state)
{
	c->state = (uint8_t)state;
	c->end = end;
	end->stream.client = (struct stream_client){.input = conn_input,
						    .writable = conn_writable,
						    .connected = conn_connected,
						    .opaque = c};
}

bool virtio_vsock_connect(struct virtio_vsock *v, uint32_t port, struct vsock_end *end)
{
	uint16_t type = end->messages ? TYPE_SEQPACKET : TYPE_STREAM;
	struct vsock_conn *c = NULL;

	virtio_enter(&v->device);
	if (virtio_running(&v->device) && can(v, type)) {
		do {
			v->next_port =
				v->next_port < UINT32_MAX - 1 ? v->next_port + 1 : HOST_PORT_FIRST;
		} while (conn_find(v, port, v->next_port, type));
		c = conn_new(v, port, v->next_port, type);
	}
	if (c) {
		conn_begin(c, end, CONN_ASKED);
		vsock_conn_send(c, SEND_REQUEST);
	}
	virtio_leave(&v->device);
	return c != NULL;
}

/* ---- from the guest */

static void guest_connects(struct virtio_vsock *v, const struct vsock_packet *p)
{
	struct vsock_conn *c = conn_new(v, p->src_port, p->dst_port, p->type);
	struct vsock_end *end =
		c ? v->host->connect(v->host->opaque, p->dst_port, p->type == TYPE_SEQPACKET)
		  : NULL;

	if (!end) {
		vsock_refuse(v, p);
		return;
	}
	conn_begin(c, end, CONN_OPEN);
	c->guest_room = p->buf_alloc;
	c->guest_taken = p->fwd_cnt;
	vsock_conn_send(c, SEND_RESPONSE);
}

static void ring_add(struct vsock_conn *c, const struct virtqueue *q,
		     const struct virtq_chain *chain, uint64_t from, uint32_t len)
{
	while (len) {
		uint32_t at = (c->head + c->used) % VSOCK_RING_BYTES, n = VSOCK_RING_BYTES - at;

		n = n < len ? n : len;
		virtq_chain_read(q, chain, from, c->ring + at, n);
		c->used += n;
		from += n;
		len -= n;
	}
}

/* Hand bytes straight from the guest's memory to the host; how many it took. */
static uint32_t pass_on(struct vsock_conn *c, const struct virtqueue *q,
			const struct virtq_chain *chain, uint32_t len)
{
	struct io_piece piece[8];
	uint32_t done = 0;
	int n;

	if (c->used || !c->end || !len)
		return 0;
	n = virtq_chain_pieces(q, chain, false, HDR_BYTES, len, piece, ARRAY_LEN(piece));
	for (int i = 0; i < n; i++) {
		size_t took =
			c->end->stream.write(c->end->stream.opaque, piece[i].base, piece[i].len);

		done += (uint32_t)(took < piece[i].len ? took : piece[i].len);
		if (took < piece[i].len)
			break;
	}
	return done;
}

/* Part of a message, or the end of one. */
static void guest_sends_message(struct vsock_conn *c, const struct vsock_packet *p,
				const struct virtq_chain *chain)
{
	uint32_t last;

	ring_add(c, &c->owner->device.queue[QUEUE_TX], chain, HDR_BYTES, p->len);
	last = (c->head + c->used - 1) % VSOCK_RING_BYTES;
	if ((p->flags & SEQ_EOM) && c->used && !end_at(c, last)) {
		c->ends[last / 64] |= 1ull << last % 64;
		c->whole++;
	}
	messages_drain(c);
	if (!c->whole && c->used == VSOCK_RING_BYTES)
		conn_reset(c); /* it would wait for credit for ever */
	else
		conn_tell_credit(c);
}

static void guest_sends(struct vsock_conn *c, const struct vsock_packet *p,
			const struct virtq_chain *chain)
{
	const struct virtqueue *q = &c->owner->device.queue[QUEUE_TX];
	uint32_t done;

	if (p->len > VSOCK_RING_BYTES - c->used || (c->guest_shut & SHUT_SEND)) {
		conn_reset(c); /* more than it has credit for */
		return;
	}
	if (c->type == TYPE_SEQPACKET && c->end) {
		guest_sends_message(c, p, chain);
		return;
	}
	done = c->end ? pass_on(c, q, chain, p->len) : p->len;
	c->taken += done;
	ring_add(c, q, chain, HDR_BYTES + done, p->len - done);
	conn_tell_credit(c);
}

static void guest_has_credit(struct vsock_conn *c, const struct vsock_packet *p)
{
	c->guest_room = p->buf_alloc;
	c->guest_taken = p->fwd_cnt;
	if (!vsock_conn_credit(c))
		return;
	c->asked = false;
	if (c->stalled && c->end && c->state == CONN_OPEN) {
		c->stalled = false;
		c->end->stream.resume(c->end->stream.opaque);
	}
}

static void asked_packet(struct vsock_conn *c, const struct vsock_packet *p)
{
	if (p->op == OP_RST) {
		conn_left(c);
	} else if (p->op == OP_RESPONSE) {
		c->state = CONN_OPEN;
		guest_has_credit(c, p);
		if (c->end)
			c->end->opened(c->end->stream.opaque, c->host_port);
	} else {
		conn_reset(c);
	}
}

static void open_packet(struct vsock_conn *c, const struct vsock_packet *p,
			const struct virtq_chain *chain)
{
	guest_has_credit(c, p);
	switch (p->op) {
	case OP_RW:
		guest_sends(c, p, chain);
		break;
	case OP_CREDIT_UPDATE:
		break;
	case OP_CREDIT_REQUEST:
		vsock_conn_send(c, SEND_CREDIT);
		break;
	case OP_SHUTDOWN:
		c->guest_shut |= (uint8_t)(p->flags & SHUT_BOTH);
		conn_drained(c);
		break;
	case OP_RST:
		conn_left(c);
		break;
	default:
		conn_reset(c);
	}
}

static void tx_packet(struct virtio_vsock *v, const struct virtq_chain *chain)
{
	const struct virtqueue *q = &v->device.queue[QUEUE_TX];
	uint8_t header[HDR_BYTES];
	struct vsock_conn *c;
	struct vsock_packet p;

	if (virtq_chain_read(q, chain, 0, header, HDR_BYTES) < HDR_BYTES)
		return;
	packet_load(&p, header);
	if (p.src_cid != v->cid || p.len > chain->out_bytes - HDR_BYTES)
		return;
	c = p.dst_cid == VSOCK_CID_HOST ? conn_find(v, p.src_port, p.dst_port, p.type) : NULL;
	if (c && c->state == CONN_ASKED)
		asked_packet(c, &p);
	else if (c)
		open_packet(c, &p, chain);
	else if (p.op == OP_REQUEST && p.dst_cid == VSOCK_CID_HOST && can(v, p.type))
		guest_connects(v, &p);
	else
		vsock_refuse(v, &p);
}

static void tx_serve(struct virtio_vsock *v)
{
	struct virtqueue *q = &v->device.queue[QUEUE_TX];
	struct virtq_chain chain;

	/* No more than a ringful at once: other devices have their turn. */
	for (unsigned left = q->size; virtqueue_pop_or_wait(q, &chain) > 0;) {
		tx_packet(v, &chain);
		virtqueue_push(q, &chain, 0);
		if (--left == 0) {
			virtio_serve_again(&v->device, QUEUE_TX);
			return;
		}
	}
}

static void vsock_serve(void *model, unsigned n)
{
	if (n == QUEUE_TX)
		tx_serve(model);
	else if (n == QUEUE_RX)
		vsock_rx_serve(model);
}

/* ---- the driver comes and goes */

static void clean(void *opaque)
{
	struct virtio_vsock *v = opaque;

	virtio_enter(&v->device);
	for (unsigned i = 0; i < VSOCK_CONNECTIONS_MAX; i++) {
		if (v->conn[i].state != CONN_DEAD)
			continue;
		end_close(&v->conn[i]);
		v->conn[i].state = CONN_FREE;
	}
	virtio_leave(&v->device);
}

static void vsock_reset(void *model)
{
	struct virtio_vsock *v = model;
	bool any = false;

	v->resets = 0;
	v->turn = 0;
	for (unsigned i = 0; i < VSOCK_CONNECTIONS_MAX; i++) {
		struct vsock_conn *c = &v->conn[i];

		if (c->state == CONN_FREE)
			continue;
		c->state = c->end ? CONN_DEAD : CONN_FREE;
		c->to_send = 0;
		any |= c->end != NULL;
	}
	if (any && v->device.worker.post)
		worker_post(&v->device.worker, &v->clean);
}

static void vsock_config_read(void *model, uint32_t offset, uint8_t *buf, uint32_t bytes)
{
	const struct virtio_vsock *v = model;
	uint8_t config[8];

	store_le64(config, v->cid);
	memcpy(buf, config + offset, bytes);
}

static const struct virtio_model vsock_model = {
	.id = VIRTIO_ID_VSOCK,
	.name = "virtio-vsock",
	.config_bytes = 8,
	.reset = vsock_reset,
	.config_read = vsock_config_read,
	.serve = vsock_serve,
};

void virtio_vsock_init(struct virtio_vsock *v, const char *name, uint32_t cid,
		       const struct vsock_host *host)
{
	memset(v, 0, offsetof(struct virtio_vsock, ring)); /* rings are not read before written */
	v->cid = cid;
	v->host = host;
	v->next_port = HOST_PORT_FIRST;
	v->clean = (struct work){.run = clean, .opaque = v};
	virtio_init(&v->device, &vsock_model, v, name,
		    VIRTIO_VSOCK_F_STREAM | VIRTIO_VSOCK_F_SEQPACKET);
	virtio_add_queue(&v->device, VSOCK_QUEUE_SIZE);
	virtio_add_queue(&v->device, VSOCK_QUEUE_SIZE);
	virtio_add_queue(&v->device, VSOCK_QUEUE_SIZE);
}
