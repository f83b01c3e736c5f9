/*
 * Packed virtqueues: virtio 1.2, 2.8. One ring of descriptors that both sides write; flags AVAIL
 * and USED, compared with a wrap counter, say whose an entry is. Two event suppression structures.
 */
#include "device/virtio/virtqueue_private.h"

enum {
	DESC_ID = 12,
	DESC_FLAGS = 14,
	EVENT_BYTES = 4,
	EVENT_INDEX = 0, /* offset, and wrap counter in bit 15 */
	EVENT_FLAGS = 2,
	EVENT_ALWAYS = 0,
	EVENT_NEVER = 1,
	EVENT_AT_INDEX = 2,
};

static uint32_t area_bytes(enum virtq_area a, uint16_t size)
{
	return a == VIRTQ_DESC ? VIRTQ_DESC_BYTES * (uint32_t)size : EVENT_BYTES;
}

static void start(struct virtqueue *q)
{
	q->avail_index = q->used_index = 0;
	q->avail_wrap = q->used_wrap = 1;
}

static bool available(const struct virtqueue *q)
{
	uint16_t flags =
		virtq_load(q->ring[VIRTQ_DESC] + q->avail_index * VIRTQ_DESC_BYTES + DESC_FLAGS);
	bool avail = flags & VIRTQ_AVAIL, used = flags & VIRTQ_USED;

	return avail == q->avail_wrap && used != q->avail_wrap;
}

/* All entries of a table of its own; they are in order, and only their WRITE flag counts. */
static int add_table(struct virtqueue *q, struct virtq_chain *c, const struct virtq_desc *d)
{
	const uint8_t *table = virtq_table(q, d);

	if (!table)
		return virtq_break(q);
	for (uint32_t n = 0; n < d->len / VIRTQ_DESC_BYTES; n++) {
		struct virtq_desc e = virtq_desc_load(table + n * VIRTQ_DESC_BYTES);
		uint16_t flags = (uint16_t)(e.tail >> 16);
		if ((flags & VIRTQ_INDIRECT) || virtq_chain_add(q, c, e.addr, e.len, flags))
			return virtq_break(q);
	}
	return 0;
}

static int add(struct virtqueue *q, struct virtq_chain *c, const struct virtq_desc *d,
	       uint16_t flags)
{
	if (!(flags & VIRTQ_INDIRECT))
		return virtq_chain_add(q, c, d->addr, d->len, flags) ? virtq_break(q) : 0;
	return flags & VIRTQ_NEXT ? virtq_break(q) : add_table(q, c, d);
}

static int pop(struct virtqueue *q, struct virtq_chain *c)
{
	uint16_t at = q->avail_index, flags;
	uint8_t wrap = q->avail_wrap;

	virtq_chain_begin(c);
	c->slots = 0;
	do {
		struct virtq_desc d = virtq_desc_load(q->ring[VIRTQ_DESC] + at * VIRTQ_DESC_BYTES);
		flags = (uint16_t)(d.tail >> 16);
		if (c->slots == q->size || add(q, c, &d, flags))
			return virtq_break(q);
		c->id = (uint16_t)d.tail; /* the last one's counts */
		c->slots++;
		if (++at == q->size) {
			at = 0;
			wrap ^= 1;
		}
	} while (flags & VIRTQ_NEXT);
	q->avail_index = at;
	q->avail_wrap = wrap;
	return 1;
}

/* The driver looks at one entry after another: the first one's flags, written last, show all. */
static void push(struct virtqueue *q, const struct virtq_chain *c, const uint32_t *written,
		 unsigned n)
{
	uint32_t first = q->used_index * VIRTQ_DESC_BYTES;
	uint16_t first_flags = 0;

	for (unsigned i = 0; i < n; i++) {
		uint32_t at = q->used_index * VIRTQ_DESC_BYTES;
		uint8_t *d = q->ring[VIRTQ_DESC] + at;
		uint16_t flags = (uint16_t)((q->used_wrap ? VIRTQ_AVAIL | VIRTQ_USED : 0) |
					    (written[i] ? VIRTQ_WRITE : 0));

		store_le32(d + 8, written[i]);
		store_le16(d + DESC_ID, c[i].id);
		if (i)
			virtq_store(d + DESC_FLAGS, flags);
		else
			first_flags = flags;
		virtq_wrote(q, VIRTQ_DESC, at + 8, 8);
		q->used_index += c[i].slots;
		if (q->used_index >= q->size) {
			q->used_index -= q->size;
			q->used_wrap ^= 1;
		}
	}
	virtq_store(q->ring[VIRTQ_DESC] + first + DESC_FLAGS, first_flags);
	virtq_wrote(q, VIRTQ_DESC, first + 8, 8);
}

static bool wanted(const struct virtqueue *q, uint16_t slots)
{
	uint16_t flags = virtq_load(q->ring[VIRTQ_DRIVER] + EVENT_FLAGS);
	uint16_t index = virtq_load(q->ring[VIRTQ_DRIVER] + EVENT_INDEX);
	uint16_t event = index & 0x7fff;

	if (!q->event_idx || flags != EVENT_AT_INDEX)
		return flags != EVENT_NEVER;
	if (index >> 15 != q->used_wrap)
		event -= q->size;
	return virtq_passed(event, q->used_index, (uint16_t)(q->used_index - slots));
}

static void kicks(struct virtqueue *q, bool on)
{
	uint8_t *event = q->ring[VIRTQ_DEVICE];
	uint16_t flags = !on ? EVENT_NEVER : q->event_idx ? EVENT_AT_INDEX : EVENT_ALWAYS;

	if (flags == EVENT_AT_INDEX)
		virtq_store(event + EVENT_INDEX,
			    (uint16_t)(q->avail_index | (uint16_t)(q->avail_wrap << 15)));
	virtq_store(event + EVENT_FLAGS, flags);
	virtq_wrote(q, VIRTQ_DEVICE, 0, EVENT_BYTES);
}

const struct virtq_kind virtq_packed = {
	.align = {16, 4, 4},
	.area_bytes = area_bytes,
	.start = start,
	.available = available,
	.pop = pop,
	.push = push,
	.wanted = wanted,
	.kicks = kicks,
};
