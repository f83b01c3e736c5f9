/* What both kinds of virtqueue have: where the areas lie, taking and giving back. See virtqueue.h.
 */
#include "device/virtio/virtqueue_private.h"

#include <errno.h>
#include <string.h>

static const struct virtq_kind *kind(const struct virtqueue *q)
{
	return q->packed ? &virtq_packed : &virtq_split;
}

static bool usable(const struct virtqueue *q)
{
	return q->enabled && !q->broken;
}

void virtqueue_reset(struct virtqueue *q)
{
	struct virtqueue power_on = {.size = q->size_max,
				     .size_max = q->size_max,
				     .memory = q->memory,
				     .avail_wrap = 1,
				     .used_wrap = 1};

	*q = power_on;
}

/* Find the areas in RAM. False: a size, an alignment or an address is wrong. */
static bool map_areas(struct virtqueue *q)
{
	const uint64_t base[VIRTQ_AREAS] = {q->desc, q->driver, q->device};

	if (!q->memory || !q->size || q->size > q->size_max || (q->size & (q->size - 1)))
		return false;
	for (unsigned a = 0; a < VIRTQ_AREAS; a++) {
		if (base[a] & (kind(q)->align[a] - 1))
			return false;
		q->ring[a] = space_ram_range(q->memory, base[a], kind(q)->area_bytes(a, q->size));
		if (!q->ring[a])
			return false;
	}
	return true;
}

bool virtqueue_enable(struct virtqueue *q, bool packed, bool event_idx)
{
	if (q->enabled || q->resetting)
		return q->enabled;
	q->packed = packed;
	q->event_idx = event_idx;
	if (!map_areas(q)) {
		q->packed = q->event_idx = 0;
		memset(q->ring, 0, sizeof(q->ring));
		return false;
	}
	q->enabled = 1;
	kind(q)->start(q);
	return true;
}

void virtqueue_stop(struct virtqueue *q)
{
	if (q->in_use)
		q->resetting = 1;
	else
		virtqueue_reset(q);
}

int virtq_break(struct virtqueue *q)
{
	q->broken = 1;
	return -EINVAL;
}

int virtqueue_pop(struct virtqueue *q, struct virtq_chain *c)
{
	if (q->broken)
		return -EINVAL;
	if (!q->enabled || q->resetting)
		return 0;
	if (!kind(q)->available(q))
		return 0;
	/* A chain is a descriptor at least, so a ring cannot have more in use. */
	if (q->in_use >= q->size)
		return virtq_break(q);
	int r = kind(q)->pop(q, c);
	if (r > 0)
		q->in_use++;
	return r;
}

void virtqueue_push(struct virtqueue *q, const struct virtq_chain *c, uint32_t written)
{
	virtqueue_push_all(q, c, &written, 1);
}

void virtqueue_push_all(struct virtqueue *q, const struct virtq_chain *c, const uint32_t *written,
			unsigned n)
{
	unsigned slots = 0;

	q->in_use -= (uint16_t)(n < q->in_use ? n : q->in_use);
	if (q->resetting) {
		if (!q->in_use)
			virtqueue_reset(q);
		return;
	}
	if (!usable(q) || !n)
		return;
	for (unsigned i = 0; i < n; i++)
		slots += c[i].slots;
	kind(q)->push(q, c, written, n);
	virtq_fence();
	if (kind(q)->wanted(q, (uint16_t)slots))
		q->interrupt = 1;
}

struct virtq_mark virtqueue_mark(const struct virtqueue *q)
{
	return (struct virtq_mark){q->avail_index, q->in_use, q->avail_wrap};
}

void virtqueue_rewind(struct virtqueue *q, struct virtq_mark m)
{
	q->avail_index = m.avail_index;
	q->in_use = m.in_use;
	q->avail_wrap = m.avail_wrap;
}

bool virtqueue_kicks_on(struct virtqueue *q)
{
	if (!usable(q) || q->resetting)
		return false;
	kind(q)->kicks(q, true);
	virtq_fence();
	return kind(q)->available(q);
}

void virtqueue_kicks_off(struct virtqueue *q)
{
	if (usable(q) && !q->resetting)
		kind(q)->kicks(q, false);
}

int virtqueue_pop_or_wait(struct virtqueue *q, struct virtq_chain *c)
{
	int r = virtqueue_pop(q, c);

	while (r == 0 && virtqueue_kicks_on(q))
		r = virtqueue_pop(q, c);
	return r;
}

/* ---- state */

static void reset(void *virtqueue)
{
	virtqueue_reset(virtqueue);
}

/* Addresses are of this process; what cannot be ours any more is broken. */
static void after_restore(void *virtqueue)
{
	struct virtqueue *q = virtqueue;

	memset(q->ring, 0, sizeof(q->ring));
	if (!q->enabled)
		return;
	if (!map_areas(q) || (q->packed && (q->avail_index >= q->size || q->used_index >= q->size)))
		q->broken = 1;
}

static const struct field fields[] = {
	FIELD(struct virtqueue, size),	     FIELD(struct virtqueue, enabled),
	FIELD(struct virtqueue, broken),     FIELD(struct virtqueue, packed),
	FIELD(struct virtqueue, event_idx),  FIELD(struct virtqueue, interrupt),
	FIELD(struct virtqueue, desc),	     FIELD(struct virtqueue, driver),
	FIELD(struct virtqueue, device),     FIELD(struct virtqueue, avail_index),
	FIELD(struct virtqueue, used_index), FIELD(struct virtqueue, avail_wrap),
	FIELD(struct virtqueue, used_wrap),  FIELD(struct virtqueue, in_use),
	FIELD(struct virtqueue, resetting),  FIELD_END,
};

const struct device_desc virtqueue_desc = {
	.name = "virtqueue",
	.text = "a queue of a virtio device",
	.state_bytes = sizeof(struct virtqueue),
	.fields = fields,
	.reset = reset,
	.after_restore = after_restore,
};
