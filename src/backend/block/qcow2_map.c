/* From a disk's addresses to places in a qcow2 file, and reading. */
#include <errno.h>
#include <string.h>

#include "backend/block/qcow2.h"
#include "base/bits.h"

int qcow2_damaged(struct qcow2 *q, const char *what, uint64_t at)
{
	image_warn(q->m, "is damaged: %s at 0x%llx; see doppel disk check", what,
		   (unsigned long long)at);
	return -EIO;
}

void qcow2_packed_range(const struct qcow2 *q, uint64_t entry, uint64_t *at, uint64_t *bytes)
{
	unsigned shift = 62 - (q->cluster_bits - 8);

	*at = entry & bits_mask(shift);
	*bytes = (bits_get(entry, 61, shift) + 1) * 512 - (*at & 511);
}

struct qcow2_place qcow2_decode(const struct qcow2 *q, uint64_t entry)
{
	struct qcow2_place p = {.kind = QCOW2_DATA, .entry = entry};
	uint64_t bytes;

	if (entry & QCOW2_COMPRESSED) {
		p.kind = QCOW2_PACKED;
		qcow2_packed_range(q, entry, &p.at, &bytes);
		if (p.at >= q->end || (entry & QCOW2_COPIED))
			p.kind = QCOW2_BAD;
		return p;
	}
	p.at = entry & QCOW2_OFFSET;
	p.copied = (entry & QCOW2_COPIED) != 0;
	if ((p.at & (q->cluster_bytes - 1)) || (p.at && p.at >= q->end) ||
	    ((entry & QCOW2_ZERO) && (q->h.version < 3 || qcow2_extended(q))))
		p.kind = QCOW2_BAD;
	else if (entry & QCOW2_ZERO)
		p.kind = QCOW2_ZEROES;
	else if (!p.at)
		p.kind = QCOW2_NOWHERE;
	return p;
}

/* The same of a subcluster, and how many from there on in the cluster are alike. */
static struct qcow2_place decode_unit(const struct qcow2 *q, const struct qcow2_table *t,
				      uint32_t index, unsigned sub, uint32_t *alike)
{
	struct qcow2_place p = qcow2_decode(q, qcow2_entry(q, t, index));
	uint64_t bitmap = qcow2_bitmap(q, t, index);
	uint32_t there = qcow2_there(bitmap) >> sub, zero = qcow2_zero_bits(bitmap) >> sub, differ;

	*alike = 1;
	if (!qcow2_extended(q))
		return p;
	*alike = QCOW2_SUBCLUSTERS - sub;
	if (p.kind == QCOW2_PACKED || p.kind == QCOW2_BAD)
		return p;
	differ = (there ^ (0 - (there & 1))) | (zero ^ (0 - (zero & 1)));
	if (differ && (unsigned)__builtin_ctz(differ) < *alike)
		*alike = (unsigned)__builtin_ctz(differ);
	if (there & 1)
		p.kind = (zero & 1) || !p.at ? QCOW2_BAD : QCOW2_DATA;
	else
		p.kind = zero & 1 ? QCOW2_ZEROES : QCOW2_NOWHERE;
	return p;
}

/* Do they go on from each other? n clusters after the first. */
static bool in_a_row(const struct qcow2 *q, const struct qcow2_place *first,
		     const struct qcow2_place *next, uint64_t n)
{
	if (first->kind != next->kind || first->kind == QCOW2_PACKED || first->kind == QCOW2_BAD)
		return false;
	if (first->kind == QCOW2_DATA)
		return next->copied == first->copied &&
		       next->at == first->at + (n << q->cluster_bits);
	return true;
}

static struct qcow2_place place_in(const struct qcow2 *q, const struct qcow2_table *t, uint64_t at,
				   uint64_t bytes)
{
	unsigned per_bits = q->cluster_bits - q->unit_bits;
	uint32_t index = qcow2_l2_index(q, at), first, n, end = 1u << (q->l2_bits + per_bits);
	uint32_t sub = (uint32_t)(at >> q->unit_bits) & ((1u << per_bits) - 1), alike;
	struct qcow2_place p = decode_unit(q, t, index, sub, &alike);
	uint64_t in = at & ((1ull << q->unit_bits) - 1);

	first = index << per_bits | sub;
	for (n = alike; first + n < end && ((uint64_t)n << q->unit_bits) - in < bytes; n += alike) {
		uint32_t i = (first + n) >> per_bits;
		struct qcow2_place next =
			decode_unit(q, t, i, (first + n) & ((1u << per_bits) - 1), &alike);

		if (!in_a_row(q, &p, &next, i - index))
			break;
	}
	p.bytes = ((uint64_t)n << q->unit_bits) - in;
	p.bytes = p.bytes < bytes ? p.bytes : bytes;
	return p;
}

/* The part of the disk without an L2 table. */
static struct qcow2_place no_table(const struct qcow2 *q, uint64_t at, uint64_t bytes)
{
	uint64_t all = 1ull << (q->cluster_bits + q->l2_bits), left = all - (at & (all - 1));

	return (struct qcow2_place){.kind = QCOW2_NOWHERE, .bytes = left < bytes ? left : bytes};
}

static bool l2_is_bad(const struct qcow2 *q, uint64_t l1)
{
	uint64_t at = l1 & QCOW2_OFFSET;

	return (at & (q->cluster_bytes - 1)) || at >= q->end;
}

int qcow2_find(struct qcow2 *q, uint64_t at, uint64_t bytes, struct qcow2_place *out)
{
	struct qcow2_table *t;
	uint64_t l1;
	int r = 0;

	pthread_mutex_lock(&q->lock);
	l1 = q->l1[qcow2_l2_of(q, at)];
	if (!(l1 & QCOW2_OFFSET)) {
		*out = no_table(q, at, bytes);
	} else if (l2_is_bad(q, l1)) {
		r = -EUCLEAN;
	} else {
		r = qcow2_cache_get(q, &q->l2, l1 & QCOW2_OFFSET, true, &t);
		if (r == 0) {
			*out = place_in(q, t, at, bytes);
			qcow2_cache_put(q, t);
		}
	}
	pthread_mutex_unlock(&q->lock);
	if (r == -EUCLEAN)
		return qcow2_damaged(q, "an entry of the L1 table, for", at);
	if (r == 0 && out->kind == QCOW2_BAD)
		return qcow2_damaged(q, "an entry of an L2 table, for", at);
	return r;
}

static int read_place(struct qcow2 *q, const struct qcow2_place *p, uint64_t at,
		      const struct io_piece *piece, unsigned pieces)
{
	uint64_t in = at & (q->cluster_bytes - 1);

	switch (p->kind) {
	case QCOW2_DATA:
		return image_file_readv(q->m->file, p->at + in, piece, pieces);
	case QCOW2_PACKED:
		return qcow2_packed_read(q, p->entry, in, piece, pieces, p->bytes);
	case QCOW2_NOWHERE:
		return image_read_backing(q->m, at, piece, pieces, p->bytes);
	case QCOW2_ZEROES:
		image_pieces_zero(piece, pieces, 0, p->bytes);
		return 0;
	case QCOW2_BAD:
		break;
	}
	return -EIO;
}

int qcow2_readv(struct image *m, uint64_t at, const struct io_piece *piece, unsigned pieces,
		uint64_t bytes)
{
	struct qcow2 *q = m->state;
	struct io_piece part[BLOCK_PIECES_MAX];
	unsigned token = qcow2_enter(m);
	uint64_t done = 0;
	int r = 0;

	while (r == 0 && done < bytes) {
		struct qcow2_place p;
		unsigned n;

		r = qcow2_find(q, at + done, bytes - done, &p);
		if (r)
			break;
		n = image_pieces_cut(part, piece, pieces, done, p.bytes);
		r = read_place(q, &p, at + done, part, n);
		done += p.bytes;
	}
	qcow2_leave(m, token);
	return r;
}

/* ---- without waiting */

static void map_backing(struct image *m, uint64_t at, uint64_t bytes, struct image_extent *out)
{
	struct image *b = m->backing;

	if (!b || at >= b->bytes) {
		*out = (struct image_extent){EXTENT_ZERO, NULL, 0, bytes};
		return;
	}
	bytes = bytes < b->bytes - at ? bytes : b->bytes - at;
	b->format->map(b, at, bytes, false, out);
}

void qcow2_map(struct image *m, uint64_t at, uint64_t bytes, bool write, struct image_extent *out)
{
	struct qcow2 *q = m->state;
	struct qcow2_place p = {.kind = QCOW2_BAD};
	struct qcow2_table *t;
	uint64_t l1;

	pthread_mutex_lock(&q->lock);
	l1 = q->l1[qcow2_l2_of(q, at)] & QCOW2_OFFSET;
	if (!l1)
		p = no_table(q, at, bytes);
	else if ((t = qcow2_cache_peek(&q->l2, l1)))
		p = place_in(q, t, at, bytes);
	pthread_mutex_unlock(&q->lock);

	*out = (struct image_extent){EXTENT_WAIT, NULL, 0, p.bytes};
	if (p.kind == QCOW2_DATA && (p.copied || !write))
		*out = (struct image_extent){EXTENT_DATA, m->file,
					     p.at + (at & (q->cluster_bytes - 1)), p.bytes};
	else if (p.kind == QCOW2_ZEROES && !write)
		out->kind = EXTENT_ZERO;
	else if (p.kind == QCOW2_NOWHERE && !write)
		map_backing(m, at, p.bytes, out);
}

enum image_status qcow2_status(struct image *m, uint64_t at, int64_t *bytes)
{
	struct qcow2 *q = m->state;
	struct image *b = m->backing;
	struct qcow2_place p;
	int r = qcow2_find(q, at, (uint64_t)*bytes, &p);

	if (r) {
		*bytes = r;
		return IMAGE_STATUS_ERROR;
	}
	*bytes = (int64_t)p.bytes;
	if (p.kind == QCOW2_NOWHERE && b && at < b->bytes)
		return image_status(b, at, bytes);
	return p.kind == QCOW2_DATA || p.kind == QCOW2_PACKED ? IMAGE_STATUS_DATA
							      : IMAGE_STATUS_ZERO;
}

unsigned qcow2_enter(struct image *m)
{
	struct qcow2 *q = m->state;
	unsigned token;

	pthread_mutex_lock(&q->lock);
	token = q->phase;
	q->inside[token]++;
	pthread_mutex_unlock(&q->lock);
	return token;
}

void qcow2_leave(struct image *m, unsigned token)
{
	struct qcow2 *q = m->state;

	pthread_mutex_lock(&q->lock);
	q->inside[token]--;
	pthread_mutex_unlock(&q->lock);
}
