/*
 * Changing a qcow2 image: what is in a cluster of its own is written in place; all else gets new
 * clusters, whole ones, with what was there before around what is written. The data is in the file
 * before a table points to it. Discarding and zeroing whole clusters changes tables only.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/block/qcow2.h"

enum { ZEROES = 65536 };

/* ---- L2 tables */

/* A table in a new cluster: a copy of `from`, or empty. The L1 table points to it from now on. */
static int l2_new(struct qcow2 *q, uint64_t l1, struct qcow2_table *from, struct qcow2_table **out)
{
	uint64_t cluster, got;
	struct qcow2_table *t;
	bool fresh;
	int r = qcow2_allocate(q, 1, &cluster, &got, &fresh);

	if (r)
		return r;
	pthread_mutex_lock(&q->lock);
	r = qcow2_cache_get(q, &q->l2, cluster << q->cluster_bits, false, &t);
	if (r == 0) {
		if (from)
			memcpy(t->data, from->data, q->cluster_bytes);
		qcow2_table_dirty(&q->l2, t, 0, q->cluster_bytes);
		q->l1[l1] = cluster << q->cluster_bits | QCOW2_COPIED;
		if (q->l1_from == q->l1_to)
			q->l1_from = q->l1_to = (uint32_t)l1;
		q->l1_from = l1 < q->l1_from ? (uint32_t)l1 : q->l1_from;
		q->l1_to = l1 + 1 > q->l1_to ? (uint32_t)l1 + 1 : q->l1_to;
		*out = t;
	}
	pthread_mutex_unlock(&q->lock);
	if (r)
		qcow2_refcount_add(q, cluster, -1);
	return r;
}

static void l2_put(struct qcow2 *q, struct qcow2_table *t)
{
	pthread_mutex_lock(&q->lock);
	qcow2_cache_put(q, t);
	pthread_mutex_unlock(&q->lock);
}

int qcow2_l2_for_writing(struct qcow2 *q, uint64_t at, struct qcow2_table **out)
{
	uint64_t index = qcow2_l2_of(q, at), l1 = q->l1[index], old = l1 & QCOW2_OFFSET;
	struct qcow2_table *t;
	int r;

	if (!old)
		return l2_new(q, index, NULL, out);
	if ((old & (q->cluster_bytes - 1)) || old >= q->end)
		return qcow2_damaged(q, "an entry of the L1 table, for", at);
	pthread_mutex_lock(&q->lock);
	r = qcow2_cache_get(q, &q->l2, old, true, &t);
	pthread_mutex_unlock(&q->lock);
	if (r)
		return r;
	if (l1 & QCOW2_COPIED) {
		*out = t;
		return 0;
	}
	r = l2_new(q, index, t, out); /* a snapshot has this one, too */
	l2_put(q, t);
	if (r == 0)
		qcow2_free(q, old >> q->cluster_bits, 1);
	return r;
}

/* The same, with what it may take reserved before. */
static int l2_to_change(struct qcow2 *q, uint64_t at, struct qcow2_table **out)
{
	int r = qcow2_reserve(q);

	return r ? r : qcow2_l2_for_writing(q, at, out);
}

void qcow2_entry_set(struct qcow2 *q, struct qcow2_table *t, uint32_t index, uint64_t entry,
		     uint64_t bitmap)
{
	uint32_t at = index << q->entry_bits;

	pthread_mutex_lock(&q->lock);
	store_be64(t->data + at, entry);
	if (qcow2_extended(q))
		store_be64(t->data + at + 8, bitmap);
	qcow2_table_dirty(&q->l2, t, at, at + (1u << q->entry_bits));
	pthread_mutex_unlock(&q->lock);
}

/* ---- new clusters */

/*
 * Why clusters are written to where nothing may be written in place. EMPTY: there is none, so of
 * one with subclusters only those are filled that are written to. SHARED: it has to be copied, all
 * of it. IN_PLACE: there is one of our own, marked to read as zeroes or, with subclusters, not used
 * in this part.
 */
enum reason { EMPTY, SHARED, IN_PLACE, WRONG };

/* Clusters to write anew: n at disk address `first`, at `at` in the file. */
struct fresh {
	uint64_t first, at, n;
	uint64_t from, to; /* disk addresses, within these: to be filled */
	enum reason reason;
	bool reads_zero; /* it is zeroes in the file */
};

static enum reason reason_of(const struct qcow2 *q, const struct qcow2_table *t, uint32_t index)
{
	struct qcow2_place p = qcow2_decode(q, qcow2_entry(q, t, index));

	if (p.kind == QCOW2_BAD || (p.kind == QCOW2_DATA && p.copied && !qcow2_extended(q)))
		return WRONG;
	if (p.at && p.copied)
		return IN_PLACE;
	return p.at || !qcow2_extended(q) ? SHARED : EMPTY;
}

/* How many clusters from `at` on need a new place for that reason, of the few that one goes for. */
static uint64_t count_new(const struct qcow2 *q, const struct qcow2_table *t, uint64_t at,
			  uint64_t bytes, enum reason reason)
{
	uint64_t in = at & (q->cluster_bytes - 1), n = 0, max = QCOW2_RUN_BYTES >> q->cluster_bits;
	uint32_t index = qcow2_l2_index(q, at);

	max = max ? max : 1;
	while (n < max && index + n < 1u << q->l2_bits && n << q->cluster_bits < in + bytes &&
	       reason_of(q, t, index + (uint32_t)n) == reason)
		n++;
	return n;
}

/* Of the cluster at `first`, from disk address `at` on: where what is in use already goes on, or
 * its end. */
static uint64_t unused_end(const struct qcow2 *q, const struct qcow2_table *t, uint64_t first,
			   uint64_t at)
{
	unsigned sub = (unsigned)((at - first) >> q->unit_bits);
	uint32_t there = qcow2_there(qcow2_bitmap(q, t, qcow2_l2_index(q, at))) >> sub;

	return there ? first + ((uint64_t)(sub + (unsigned)__builtin_ctz(there)) << q->unit_bits)
		     : first + q->cluster_bytes;
}

/* What is to be filled: whole clusters, or the units of what is written. */
static void set_bounds(const struct qcow2 *q, struct fresh *f, uint64_t at, uint64_t bytes,
		       uint64_t unused)
{
	uint64_t unit = (1ull << q->unit_bits) - 1, end = (at + bytes + unit) & ~unit;

	f->from = f->first;
	f->to = f->first + (f->n << q->cluster_bits);
	if (f->reason == SHARED)
		return;
	f->from = at & ~unit;
	f->to = end < f->to ? end : f->to;
	if (f->reason == IN_PLACE)
		f->to = unused < f->to ? unused : f->to;
}

static int find_room(struct qcow2 *q, uint64_t at, uint64_t bytes, struct fresh *f)
{
	struct qcow2_table *t;
	uint64_t cluster, want, unused;
	uint32_t index = qcow2_l2_index(q, at);
	int r = l2_to_change(q, at, &t);

	if (r)
		return r;
	*f = (struct fresh){.first = at & ~(uint64_t)(q->cluster_bytes - 1)};
	f->reason = reason_of(q, t, index);
	want = count_new(q, t, at, bytes, f->reason);
	unused = unused_end(q, t, f->first, at);
	f->at = qcow2_decode(q, qcow2_entry(q, t, index)).at;
	f->n = 1;
	l2_put(q, t);
	if (f->reason == WRONG || (f->reason == IN_PLACE && unused <= at))
		return qcow2_damaged(q, "an entry of an L2 table, for", at);
	if (f->reason != IN_PLACE) {
		r = qcow2_allocate(q, want, &cluster, &f->n, &f->reads_zero);
		f->at = cluster << q->cluster_bits;
	}
	set_bounds(q, f, at, bytes, unused);
	return r;
}

/* What is on the disk from `at` on, as it was; NULL in *out if it is zeroes and that is what the
 * file has. */
static int read_old(struct qcow2 *q, uint64_t at, uint64_t bytes, bool reads_zero, uint8_t **out)
{
	uint64_t there = at < q->m->bytes ? q->m->bytes - at : 0;
	int64_t alike;
	int r = 0;

	*out = NULL;
	there = there < bytes ? there : bytes;
	alike = (int64_t)there;
	if (bytes == 0)
		return 0;
	if (there && image_status(q->m, at, &alike) == IMAGE_STATUS_ZERO && alike == (int64_t)there)
		there = 0;
	if (!there && reads_zero)
		return 0;
	*out = calloc(1, bytes);
	if (!*out)
		return -ENOMEM;
	if (there) {
		struct io_piece p = {*out, there};

		r = qcow2_readv(q->m, at, &p, 1, there);
	}
	if (r) {
		free(*out);
		*out = NULL;
	}
	return r;
}

static int write_around(struct qcow2 *q, const struct fresh *f, uint64_t at,
			const struct io_piece *piece, unsigned pieces, uint64_t bytes)
{
	struct io_piece all[BLOCK_PIECES_MAX + 2];
	uint64_t head = at - f->from, tail = f->to - (at + bytes);
	uint8_t *before = NULL, *after = NULL;
	unsigned n = 0;
	int r = read_old(q, f->from, head, f->reads_zero, &before);

	if (r == 0)
		r = read_old(q, at + bytes, tail, f->reads_zero, &after);
	if (r == 0) {
		if (before)
			all[n++] = (struct io_piece){before, head};
		memcpy(&all[n], piece, pieces * sizeof(*piece));
		n += pieces;
		if (after)
			all[n++] = (struct io_piece){after, tail};
		r = image_file_writev(q->m->file,
				      f->at + (f->from - f->first) + (before ? 0 : head), all, n);
	}
	free(before);
	free(after);
	return r;
}

/* The subclusters of the cluster at disk address `at` that [from, to) holds. */
static uint32_t sub_mask(const struct qcow2 *q, uint64_t at, uint64_t from, uint64_t to)
{
	uint64_t first = from > at ? (from - at) >> q->unit_bits : 0;
	uint64_t end = to - at < q->cluster_bytes ? (to - at) >> q->unit_bits : QCOW2_SUBCLUSTERS;

	return (uint32_t)((1ull << end) - (1ull << first));
}

/* An entry's bitmap with what was filled. */
static uint64_t filled(const struct qcow2 *q, const struct fresh *f, uint64_t at, uint64_t bitmap)
{
	uint64_t mask = sub_mask(q, at, f->from, f->to);

	return f->reason == SHARED ? mask : (bitmap & ~(mask << 32)) | mask;
}

static int link_new(struct qcow2 *q, const struct fresh *f)
{
	uint32_t index = qcow2_l2_index(q, f->first);
	struct qcow2_table *t;
	int r = qcow2_l2_for_writing(q, f->first, &t);

	if (r)
		return r;
	for (uint32_t i = 0; i < f->n; i++) {
		uint64_t more = (uint64_t)i << q->cluster_bits;

		if (f->reason == SHARED)
			qcow2_free_entry(q, qcow2_entry(q, t, index + i));
		qcow2_entry_set(q, t, index + i, (f->at + more) | QCOW2_COPIED,
				filled(q, f, f->first + more, qcow2_bitmap(q, t, index + i)));
	}
	l2_put(q, t);
	return 0;
}

/* Write from `at` on, as much as goes into one run of new clusters: *bytes becomes how much. */
static int write_new(struct qcow2 *q, uint64_t at, const struct io_piece *piece, unsigned pieces,
		     uint64_t *bytes)
{
	struct io_piece part[BLOCK_PIECES_MAX];
	struct fresh f = {0};
	uint64_t room;
	unsigned n;
	int r;

	pthread_mutex_lock(&q->alloc);
	r = find_room(q, at, *bytes, &f);
	pthread_mutex_unlock(&q->alloc);
	if (r)
		return r;
	room = f.to - at;
	*bytes = room < *bytes ? room : *bytes;
	n = image_pieces_cut(part, piece, pieces, 0, *bytes);
	r = write_around(q, &f, at, part, n, *bytes);

	pthread_mutex_lock(&q->alloc);
	if (r == 0)
		r = link_new(q, &f);
	if (r && f.reason != IN_PLACE)
		for (uint64_t i = 0; i < f.n; i++)
			qcow2_refcount_add(q, (f.at >> q->cluster_bits) + i, -1);
	pthread_mutex_unlock(&q->alloc);
	return r;
}

int qcow2_writev(struct image *m, uint64_t at, const struct io_piece *piece, unsigned pieces,
		 uint64_t bytes)
{
	struct qcow2 *q = m->state;
	struct io_piece part[BLOCK_PIECES_MAX];
	unsigned token = qcow2_enter(m);
	uint64_t done = 0;
	int r = 0;

	while (r == 0 && done < bytes) {
		struct qcow2_place p;
		uint64_t n = bytes - done;
		unsigned parts;

		r = qcow2_find(q, at + done, n, &p);
		if (r)
			break;
		if (p.kind == QCOW2_DATA && p.copied) {
			n = p.bytes;
			parts = image_pieces_cut(part, piece, pieces, done, n);
			r = image_file_writev(m->file,
					      p.at + ((at + done) & (q->cluster_bytes - 1)), part,
					      parts);
		} else {
			parts = image_pieces_cut(part, piece, pieces, done, n);
			r = write_new(q, at + done, part, parts, &n);
		}
		done += n;
	}
	qcow2_leave(m, token);
	return r;
}

/* ---- zeroing and discarding */

enum clear { CLEAR_DISCARD, CLEAR_ZERO, CLEAR_ZERO_KEEP };

static int write_zeroes(struct qcow2 *q, uint64_t at, uint64_t bytes)
{
	uint8_t *zeroes = calloc(1, ZEROES);
	int r = zeroes ? 0 : -ENOMEM;

	while (r == 0 && bytes) {
		struct io_piece p = {zeroes, bytes < ZEROES ? bytes : ZEROES};

		r = qcow2_writev(q->m, at, &p, 1, p.len);
		at += p.len;
		bytes -= p.len;
	}
	free(zeroes);
	return r;
}

/* Part of a cluster, unless it reads as zeroes. */
static int zero_part(struct qcow2 *q, uint64_t at, uint64_t bytes)
{
	int64_t alike = (int64_t)bytes;

	if (bytes == 0 ||
	    (image_status(q->m, at, &alike) == IMAGE_STATUS_ZERO && alike == (int64_t)bytes))
		return 0;
	return write_zeroes(q, at, bytes);
}

/* What an entry and its bitmap become. */
static void cleared(const struct qcow2 *q, uint64_t *entry, uint64_t *bitmap, enum clear how)
{
	const uint64_t all = 0xffffffffull << 32;
	struct qcow2_place p = qcow2_decode(q, *entry);
	bool sub = qcow2_extended(q);

	if (p.kind == QCOW2_BAD)
		return;
	if (how == CLEAR_ZERO_KEEP && q->h.version >= 3 && p.at && p.copied) {
		*entry |= sub ? 0 : QCOW2_ZERO;
		*bitmap = all;
	} else {
		*entry = q->m->backing && !sub ? QCOW2_ZERO : 0;
		*bitmap = q->m->backing ? all : 0;
	}
}

/* Clusters of one L2 table. */
static int clear_entries(struct qcow2 *q, uint64_t at, uint32_t n, enum clear how)
{
	uint32_t index = qcow2_l2_index(q, at);
	struct qcow2_table *t;
	int r = l2_to_change(q, at, &t);

	if (r)
		return r;
	for (uint32_t i = index; i < index + n; i++) {
		uint64_t old = qcow2_entry(q, t, i), new = old;
		uint64_t old_bitmap = qcow2_bitmap(q, t, i), bitmap = old_bitmap;

		cleared(q, &new, &bitmap, how);
		if (new == old && (bitmap == old_bitmap || !qcow2_extended(q)))
			continue;
		if (!(new &QCOW2_OFFSET))
			qcow2_free_entry(q, old);
		qcow2_entry_set(q, t, i, new, bitmap);
	}
	l2_put(q, t);
	return 0;
}

/* Subclusters of one cluster: [at, end). -ENOTSUP: it has none, being compressed. */
static int zero_subclusters(struct qcow2 *q, uint64_t at, uint64_t end)
{
	uint64_t first = at & ~(uint64_t)(q->cluster_bytes - 1), entry, bitmap;
	uint32_t mask = sub_mask(q, first, at, end), index = qcow2_l2_index(q, at);
	struct qcow2_table *t;
	int r = l2_to_change(q, at, &t);

	if (r)
		return r;
	entry = qcow2_entry(q, t, index);
	bitmap = qcow2_bitmap(q, t, index);
	if (entry & QCOW2_COMPRESSED)
		r = -ENOTSUP;
	else if (entry || bitmap || q->m->backing)
		qcow2_entry_set(q, t, index, entry,
				(bitmap & ~(uint64_t)mask) | (uint64_t)mask << 32);
	l2_put(q, t);
	return r;
}

/* A part of a cluster, of whole subclusters where there are some. */
static int zero_units(struct qcow2 *q, uint64_t at, uint64_t end)
{
	uint64_t unit = (1ull << q->unit_bits) - 1, first = (at + unit) & ~unit;
	uint64_t last = end == q->m->bytes ? end : end & ~unit;
	int r;

	if (!qcow2_extended(q) || first >= last)
		return zero_part(q, at, end - at);
	r = 0;
	pthread_mutex_lock(&q->alloc);
	if (q->l1[qcow2_l2_of(q, at)] & QCOW2_OFFSET || q->m->backing)
		r = zero_subclusters(q, first, (last + unit) & ~unit);
	pthread_mutex_unlock(&q->alloc);
	if (r == -ENOTSUP)
		return zero_part(q, at, end - at);
	if (r == 0)
		r = zero_part(q, at, first - at);
	return r ? r : zero_part(q, last, end - last);
}

/* Whole clusters, [at, end). */
static int clear(struct qcow2 *q, uint64_t at, uint64_t end, enum clear how)
{
	uint64_t table = 1ull << (q->cluster_bits + q->l2_bits);
	int r = 0;

	if (q->h.version < 3 && q->m->backing) /* it cannot say that something is zero */
		return how == CLEAR_DISCARD ? 0 : write_zeroes(q, at, end - at);
	while (r == 0 && at < end) {
		uint64_t next = (at & ~(table - 1)) + table, n;

		next = next < end ? next : end;
		n = (next - at + q->cluster_bytes - 1) >> q->cluster_bits;
		pthread_mutex_lock(&q->alloc);
		if (q->l1[qcow2_l2_of(q, at)] & QCOW2_OFFSET || q->m->backing)
			r = clear_entries(q, at, (uint32_t)n, how);
		pthread_mutex_unlock(&q->alloc);
		at = next;
	}
	return r;
}

int qcow2_zero(struct image *m, uint64_t at, uint64_t bytes, bool unmap)
{
	struct qcow2 *q = m->state;
	uint64_t mask = q->cluster_bytes - 1, end = at + bytes;
	uint64_t first = (at + mask) & ~mask, last = end == m->bytes ? end : end & ~mask;
	int r;

	if (first >= last && (at & ~mask) == ((end - 1) & ~mask))
		return zero_units(q, at, end);
	r = zero_units(q, at, first);
	if (r == 0 && first < last)
		r = clear(q, first, last, unmap ? CLEAR_ZERO : CLEAR_ZERO_KEEP);
	return r ? r : zero_units(q, last, end);
}

int qcow2_discard(struct image *m, uint64_t at, uint64_t bytes)
{
	struct qcow2 *q = m->state;
	uint64_t mask = q->cluster_bytes - 1, end = at + bytes;
	uint64_t first = (at + mask) & ~mask, last = end == m->bytes ? end : end & ~mask;

	return first < last ? clear(q, first, last, CLEAR_DISCARD) : 0;
}
