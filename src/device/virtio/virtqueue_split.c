/*
 * Split virtqueues: virtio 1.2, 2.7. Descriptor table; the driver's ring of heads, with the index
 * up to which it wants no interrupt; the device's ring of ids and lengths, with the index up to
 * which it wants no kick.
 */
#include "device/virtio/virtqueue_private.h"

enum {
	RING_FLAGS = 0,
	RING_INDEX = 2,
	RING_ENTRIES = 4,
	AVAIL_BYTES = 2,
	USED_BYTES = 8,
	QUIET = 1, /* in the flags: no interrupt, no kick */
};

static uint32_t area_bytes(enum virtq_area a, uint16_t size)
{
	switch (a) {
	case VIRTQ_DESC:
		return VIRTQ_DESC_BYTES * (uint32_t)size;
	case VIRTQ_DRIVER:
		return RING_ENTRIES + AVAIL_BYTES * (uint32_t)size + 2;
	default:
		return RING_ENTRIES + USED_BYTES * (uint32_t)size + 2;
	}
}

static void start(struct virtqueue *q)
{
	q->avail_index = q->used_index = 0;
}

static uint16_t avail_index(const struct virtqueue *q)
{
	return virtq_load(q->ring[VIRTQ_DRIVER] + RING_INDEX);
}

static bool available(const struct virtqueue *q)
{
	return avail_index(q) != q->avail_index;
}

/* All descriptors from entry n of a table on. In a table of its own there is no further one. */
static int walk(struct virtqueue *q, struct virtq_chain *c, const uint8_t *table, uint32_t size,
		uint32_t n)
{
	bool nested = false;

	for (;;) {
		if (n >= size)
			return virtq_break(q);
		struct virtq_desc d = virtq_desc_load(table + n * VIRTQ_DESC_BYTES);
		uint16_t flags = (uint16_t)d.tail;
		if (flags & VIRTQ_INDIRECT) {
			table = virtq_table(q, &d);
			if (nested || (flags & VIRTQ_NEXT) || !table)
				return virtq_break(q);
			nested = true;
			size = d.len / VIRTQ_DESC_BYTES;
			n = 0;
			continue;
		}
		/* Loops end here: a chain has so many segments at most. */
		if (virtq_chain_add(q, c, d.addr, d.len, flags))
			return virtq_break(q);
		if (!(flags & VIRTQ_NEXT))
			return 0;
		n = d.tail >> 16;
	}
}

static int pop(struct virtqueue *q, struct virtq_chain *c)
{
	uint16_t slot = q->avail_index & (q->size - 1), head;
	uint16_t waiting = (uint16_t)(avail_index(q) - q->avail_index);
	int r;

	if (waiting > q->size)
		return virtq_break(q);
	head = virtq_load(q->ring[VIRTQ_DRIVER] + RING_ENTRIES + AVAIL_BYTES * slot);
	virtq_chain_begin(c);
	c->id = head;
	r = walk(q, c, q->ring[VIRTQ_DESC], q->size, head);
	if (r)
		return r;
	q->avail_index++;
	return 1;
}

static void push(struct virtqueue *q, const struct virtq_chain *c, const uint32_t *written,
		 unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint32_t at = RING_ENTRIES + USED_BYTES * (q->used_index & (q->size - 1u));

		store_le32(q->ring[VIRTQ_DEVICE] + at, c[i].id);
		store_le32(q->ring[VIRTQ_DEVICE] + at + 4, written[i]);
		q->used_index++;
		virtq_wrote(q, VIRTQ_DEVICE, at, USED_BYTES);
	}
	virtq_store(q->ring[VIRTQ_DEVICE] + RING_INDEX, q->used_index);
	virtq_wrote(q, VIRTQ_DEVICE, RING_INDEX, 2);
}

static bool wanted(const struct virtqueue *q, uint16_t slots)
{
	const uint8_t *avail = q->ring[VIRTQ_DRIVER];

	if (!q->event_idx)
		return !(virtq_load(avail + RING_FLAGS) & QUIET);
	return virtq_passed(virtq_load(avail + RING_ENTRIES + AVAIL_BYTES * q->size), q->used_index,
			    (uint16_t)(q->used_index - slots));
}

static void kicks(struct virtqueue *q, bool on)
{
	uint32_t at = q->event_idx ? RING_ENTRIES + USED_BYTES * (uint32_t)q->size : RING_FLAGS;
	uint16_t v = q->event_idx ? q->avail_index : on ? 0 : QUIET;

	/* With an event index, the driver stays quiet once it has passed it. */
	if (q->event_idx && !on)
		return;
	virtq_store(q->ring[VIRTQ_DEVICE] + at, v);
	virtq_wrote(q, VIRTQ_DEVICE, at, 2);
}

const struct virtq_kind virtq_split = {
	.align = {16, 2, 4},
	.area_bytes = area_bytes,
	.start = start,
	.available = available,
	.pop = pop,
	.push = push,
	.wanted = wanted,
	.kicks = kicks,
};
