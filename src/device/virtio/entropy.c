/* Virtio entropy device: see entropy.h. */
#include "device/virtio/entropy.h"

#include <string.h>

/* Fill a buffer, up to what one chain is worth: the driver comes again for more. */
static uint32_t fill(struct virtio_entropy *e, struct virtqueue *q, const struct virtq_chain *c)
{
	uint8_t bytes[256];
	uint32_t done = 0;

	while (done < VIRTIO_ENTROPY_CHAIN_MAX && done < c->in_bytes) {
		uint64_t n = c->in_bytes - done;
		if (n > sizeof(bytes))
			n = sizeof(bytes);
		e->random(e->opaque, bytes, n);
		done += (uint32_t)virtq_chain_write(q, c, done, bytes, n);
	}
	memset(bytes, 0, sizeof(bytes));
	return done;
}

static void serve(void *model, unsigned n)
{
	struct virtio_entropy *e = model;
	struct virtqueue *q = &e->device.queue[n];
	struct virtq_chain c;

	/* No more than a ringful at once: other devices have their turn. */
	for (unsigned left = q->size; virtqueue_pop(q, &c) > 0;) {
		virtqueue_push(q, &c, fill(e, q, &c));
		if (--left == 0) {
			virtio_serve_again(&e->device, n);
			break;
		}
	}
}

static const struct virtio_model entropy_model = {
	.id = VIRTIO_ID_ENTROPY,
	.name = "virtio-entropy",
	.serve = serve,
};

void virtio_entropy_init(struct virtio_entropy *e, const char *name,
			 void (*random)(void *opaque, void *buf, size_t len), void *opaque)
{
	virtio_init(&e->device, &entropy_model, e, name, 0);
	virtio_add_queue(&e->device, VIRTIO_ENTROPY_QUEUE_SIZE);
	e->random = random;
	e->opaque = opaque;
}
