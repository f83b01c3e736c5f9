/* A request's segments in guest memory: checked as they are gathered, then copied to and from, or
 * handed out as host memory. See virtqueue.h. */
#include <errno.h>
#include <string.h>

#include "device/virtio/virtqueue_private.h"

void virtq_chain_begin(struct virtq_chain *c)
{
	c->slots = 1;
	c->out = c->in = 0;
	c->out_bytes = c->in_bytes = 0;
}

const uint8_t *virtq_table(const struct virtqueue *q, const struct virtq_desc *d)
{
	if (!d->len || d->len % VIRTQ_DESC_BYTES)
		return NULL;
	return space_ram_range(q->memory, d->addr, d->len);
}

int virtq_chain_add(struct virtqueue *q, struct virtq_chain *c, uint64_t gpa, uint32_t len,
		    uint16_t flags)
{
	unsigned n = c->out + c->in;
	bool in = flags & VIRTQ_WRITE;

	if (n == VIRTQ_SEGS_MAX || (!in && c->in))
		return -EINVAL;
	if (len && !space_ram_range(q->memory, gpa, len))
		return -EINVAL;
	c->seg[n] = (struct virtq_seg){gpa, len};
	if (in) {
		c->in++;
		c->in_bytes += len;
	} else {
		c->out++;
		c->out_bytes += len;
	}
	return 0;
}

/* A walk over part of a chain. */
struct walk {
	const struct virtq_seg *at, *end;
	uint64_t skip;
};

static struct walk walk_begin(const struct virtq_chain *c, bool in, uint64_t offset)
{
	const struct virtq_seg *first = in ? c->seg + c->out : c->seg;

	return (struct walk){first, first + (in ? c->in : c->out), offset};
}

/* The next piece, of at most max bytes; 0 at the end. */
static uint32_t walk_next(struct walk *w, uint64_t max, uint64_t *gpa)
{
	for (; w->at < w->end; w->at++) {
		if (w->skip < w->at->len) {
			uint32_t n = w->at->len - (uint32_t)w->skip;
			*gpa = w->at->gpa + w->skip;
			if (n > max)
				n = (uint32_t)max;
			w->skip += n;
			return n;
		}
		w->skip -= w->at->len;
	}
	return 0;
}

size_t virtq_chain_read(const struct virtqueue *q, const struct virtq_chain *c, uint64_t offset,
			void *buf, size_t len)
{
	struct walk w = walk_begin(c, false, offset);
	uint8_t *to = buf;
	uint64_t gpa;
	size_t done = 0;
	uint32_t n;

	while (done < len && (n = walk_next(&w, len - done, &gpa))) {
		const uint8_t *from = space_ram_range(q->memory, gpa, n);
		if (!from)
			break;
		memcpy(to + done, from, n);
		done += n;
	}
	return done;
}

size_t virtq_chain_write(struct virtqueue *q, const struct virtq_chain *c, uint64_t offset,
			 const void *buf, size_t len)
{
	struct walk w = walk_begin(c, true, offset);
	const uint8_t *from = buf;
	uint64_t gpa;
	size_t done = 0;
	uint32_t n;

	while (done < len && (n = walk_next(&w, len - done, &gpa))) {
		uint8_t *to = space_ram_range(q->memory, gpa, n);
		if (!to)
			break;
		memcpy(to, from + done, n);
		space_ram_written(q->memory, gpa, n);
		done += n;
	}
	return done;
}

int virtq_chain_pieces(const struct virtqueue *q, const struct virtq_chain *c, bool in,
		       uint64_t offset, uint64_t len, struct io_piece *piece, unsigned max)
{
	uint64_t all = in ? c->in_bytes : c->out_bytes, gpa;
	struct walk w = walk_begin(c, in, offset);
	unsigned n = 0;

	if (offset > all || len > all - offset)
		return -EINVAL;
	while (len) {
		if (n == max)
			return -ENOSPC;
		uint32_t bytes = walk_next(&w, len, &gpa);
		uint8_t *hva = bytes ? space_ram_range(q->memory, gpa, bytes) : NULL;
		if (!hva)
			return -EINVAL;
		piece[n++] = (struct io_piece){hva, bytes};
		len -= bytes;
	}
	return (int)n;
}

void virtq_chain_wrote(struct virtqueue *q, const struct virtq_chain *c, uint64_t offset,
		       uint64_t len)
{
	struct walk w = walk_begin(c, true, offset);
	uint64_t gpa;
	uint32_t n;

	for (; len && (n = walk_next(&w, len, &gpa)); len -= n)
		space_ram_written(q->memory, gpa, n);
}
