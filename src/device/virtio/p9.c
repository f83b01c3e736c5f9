/* The 9P transport over virtio: see p9.h. Chains go to the server as they come, and back to the
 * ring in the order it is done with them. */
#include "device/virtio/p9.h"

#include <string.h>

#include "base/bits.h"

static void request_done(struct p9_request *r, size_t bytes)
{
	struct virtio_p9_slot *slot = r->opaque;
	struct virtio_p9 *p = slot->owner;
	struct virtqueue *q = &p->device.queue[0];

	if (bytes > slot->chain.in_bytes)
		bytes = (size_t)slot->chain.in_bytes;
	virtio_enter(&p->device);
	if (bytes)
		virtq_chain_wrote(q, &slot->chain, 0, bytes);
	virtqueue_push(q, &slot->chain, (uint32_t)bytes);
	if (!p->free) /* the ring may hold chains there was no slot for */
		virtio_serve_again(&p->device, 0);
	slot->next = p->free;
	p->free = slot;
	virtio_end(&p->device);
	virtio_leave(&p->device);
}

/* Find the chain's memory; false if it cannot be used. */
static bool slot_prepare(struct virtqueue *q, struct virtio_p9_slot *slot)
{
	struct virtq_chain *c = &slot->chain;
	struct p9_request *r = &slot->request;
	int outs, ins;

	outs = virtq_chain_pieces(q, c, false, 0, c->out_bytes, slot->piece,
				  ARRAY_LEN(slot->piece));
	if (outs < 0)
		return false;
	ins = virtq_chain_pieces(q, c, true, 0, c->in_bytes, slot->piece + outs,
				 (unsigned)(ARRAY_LEN(slot->piece) - (size_t)outs));
	if (ins < 0)
		return false;
	*r = (struct p9_request){
		.out = slot->piece,
		.outs = (unsigned)outs,
		.out_bytes = (size_t)c->out_bytes,
		.in = slot->piece + outs,
		.ins = (unsigned)ins,
		.in_bytes = (size_t)c->in_bytes,
		.done = request_done,
		.opaque = slot,
	};
	return true;
}

static void p9_serve(void *model, unsigned n)
{
	struct virtio_p9 *p = model;
	struct virtqueue *q = &p->device.queue[0];
	struct virtio_p9_slot *slot;

	while ((slot = p->free)) {
		if (virtqueue_pop_or_wait(q, &slot->chain) <= 0)
			return;
		if (!slot_prepare(q, slot)) {
			virtqueue_push(q, &slot->chain, 0);
			continue;
		}
		p->free = slot->next;
		virtio_begin(&p->device);
		p->server->submit(p->server->opaque, &slot->request);
	}
}

static void p9_reset(void *model)
{
	struct virtio_p9 *p = model;

	p->server->reset(p->server->opaque);
}

/* struct virtio_9p_config: le16 tag_len, then the tag. */
static void p9_config_read(void *model, uint32_t offset, uint8_t *buf, uint32_t bytes)
{
	const struct virtio_p9 *p = model;
	uint8_t config[2 + VIRTIO_P9_TAG_MAX] = {0};

	store_le16(config, p->tag_bytes);
	memcpy(config + 2, p->tag, p->tag_bytes);
	memcpy(buf, config + offset, bytes);
}

const struct virtio_model virtio_p9_model = {
	.id = VIRTIO_ID_9P,
	.name = "virtio-9p",
	.config_bytes = 2 + VIRTIO_P9_TAG_MAX,
	.reset = p9_reset,
	.config_read = p9_config_read,
	.serve = p9_serve,
};

void virtio_p9_init(struct virtio_p9 *p, const char *name, const char *tag,
		    const struct p9_server *server)
{
	size_t len = strlen(tag);

	memset(p, 0, sizeof(*p));
	p->server = server;
	p->tag_bytes = (uint16_t)(len < VIRTIO_P9_TAG_MAX ? len : VIRTIO_P9_TAG_MAX);
	memcpy(p->tag, tag, p->tag_bytes);
	for (unsigned i = VIRTIO_P9_REQUESTS; i--;) {
		p->slot[i].owner = p;
		p->slot[i].next = p->free;
		p->free = &p->slot[i];
	}
	virtio_init(&p->device, &virtio_p9_model, p, name, VIRTIO_P9_F_MOUNT_TAG);
	virtio_add_queue(&p->device, VIRTIO_P9_REQUESTS);
}
