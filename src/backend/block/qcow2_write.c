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

static void set_entry(struct qcow2 *q, struct qcow2_table *t, uint32_t index, uint64_t entry)
{
	pthread_mutex_lock(&q->lock);
	store_be64(t->data + 8 * (size_t)index, entry);
	qcow2_table_dirty(&q->l2, t, 8 * index, 8 * index + 8);
	pthread_mutex_unlock(&q->lock);
}

/* ---- new clusters */

/* Clusters to write anew: n at disk address `first`, at `at` in the file. */
struct fresh {
	uint64_t first, at, n;
	bool reads_zero; /* it is zeroes in the file */
	bool in_place;	 /* it was there, marked to read as zeroes */
};

/* How many clusters from `at` on need a new place, of the few that one goes for. */
static uint64_t count_new(const struct qcow2 *q, const struct qcow2_table *t, uint64_t at,
			  uint64_t bytes)
{
	uint64_t in = at & (q->cluster_bytes - 1), n = 0, max = QCOW2_RUN_BYTES >> q->cluster_bits;
	uint32_t index = qcow2_l2_index(q, at);

	max = max ? max : 1;
	while (n < max && index + n < 1u << q->l2_bits && n << q->cluster_bits < in + bytes) {
		struct qcow2_place p = qcow2_decode(q, qcow2_entry(t, index + (uint32_t)n));

		if (p.kind == QCOW2_BAD || (p.kind == QCOW2_DATA && p.copied) ||
		    (n && p.kind == QCOW2_ZEROES && p.at && p.copied))
			break;
		n++;
	}
	return n;
}

static int find_room(struct qcow2 *q, uint64_t at, uint64_t bytes, struct fresh *f)
{
	struct qcow2_table *t;
	struct qcow2_place p;
	uint64_t cluster, want;
	int r = qcow2_reserve(q);

	if (r == 0)
		r = qcow2_l2_for_writing(q, at, &t);
	if (r)
		return r;
	*f = (struct fresh){.first = at & ~(uint64_t)(q->cluster_bytes - 1)};
	want = count_new(q, t, at, bytes);
	p = qcow2_decode(q, qcow2_entry(t, qcow2_l2_index(q, at)));
	l2_put(q, t);
	if (want == 0)
		return qcow2_damaged(q, "an entry of an L2 table, for", at);
	if (p.kind == QCOW2_ZEROES && p.at && p.copied) {
		f->at = p.at;
		f->n = 1;
		f->in_place = true;
		return 0;
	}
	r = qcow2_allocate(q, want, &cluster, &f->n, &f->reads_zero);
	f->at = cluster << q->cluster_bits;
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
	uint64_t head = at - f->first, end = f->first + (f->n << q->cluster_bits);
	uint64_t tail = end - (at + bytes);
	uint8_t *before = NULL, *after = NULL;
	unsigned n = 0;
	int r = read_old(q, f->first, head, f->reads_zero, &before);

	if (r == 0)
		r = read_old(q, at + bytes, tail, f->reads_zero, &after);
	if (r == 0) {
		if (before)
			all[n++] = (struct io_piece){before, head};
		memcpy(&all[n], piece, pieces * sizeof(*piece));
		n += pieces;
		if (after)
			all[n++] = (struct io_piece){after, tail};
		r = image_file_writev(q->m->file, f->at + (before ? 0 : head), all, n);
	}
	free(before);
	free(after);
	return r;
}

static int link_new(struct qcow2 *q, const struct fresh *f)
{
	uint32_t index = qcow2_l2_index(q, f->first);
	struct qcow2_table *t;
	int r = qcow2_l2_for_writing(q, f->first, &t);

	if (r)
		return r;
	for (uint32_t i = 0; i < f->n; i++) {
		if (!f->in_place)
			qcow2_free_entry(q, qcow2_entry(t, index + i));
		set_entry(q, t, index + i,
			  (f->at + ((uint64_t)i << q->cluster_bits)) | QCOW2_COPIED);
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
	room = f.first + (f.n << q->cluster_bits) - at;
	*bytes = room < *bytes ? room : *bytes;
	n = image_pieces_cut(part, piece, pieces, 0, *bytes);
	r = write_around(q, &f, at, part, n, *bytes);

	pthread_mutex_lock(&q->alloc);
	if (r == 0)
		r = link_new(q, &f);
	if (r && !f.in_place)
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

/* What an entry becomes. */
static uint64_t cleared(const struct qcow2 *q, uint64_t entry, enum clear how)
{
	struct qcow2_place p = qcow2_decode(q, entry);

	if (p.kind == QCOW2_BAD || (p.kind == QCOW2_NOWHERE && !q->m->backing))
		return entry;
	if (how == CLEAR_ZERO_KEEP && q->h.version >= 3 && p.at && p.copied)
		return entry | QCOW2_ZERO;
	return q->m->backing ? QCOW2_ZERO : 0;
}

/* Clusters of one L2 table. */
static int clear_entries(struct qcow2 *q, uint64_t at, uint32_t n, enum clear how)
{
	uint32_t index = qcow2_l2_index(q, at);
	struct qcow2_table *t;
	int r = qcow2_reserve(q);

	if (r == 0)
		r = qcow2_l2_for_writing(q, at, &t);
	if (r)
		return r;
	for (uint32_t i = index; i < index + n; i++) {
		uint64_t old = qcow2_entry(t, i), new = cleared(q, old, how);

		if (new == old)
			continue;
		if (!(new &QCOW2_OFFSET))
			qcow2_free_entry(q, old);
		set_entry(q, t, i, new);
	}
	l2_put(q, t);
	return 0;
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

	if (first >= last)
		return zero_part(q, at, bytes);
	r = zero_part(q, at, first - at);
	if (r == 0)
		r = clear(q, first, last, unmap ? CLEAR_ZERO : CLEAR_ZERO_KEEP);
	return r ? r : zero_part(q, last, end - last);
}

int qcow2_discard(struct image *m, uint64_t at, uint64_t bytes)
{
	struct qcow2 *q = m->state;
	uint64_t mask = q->cluster_bytes - 1, end = at + bytes;
	uint64_t first = (at + mask) & ~mask, last = end == m->bytes ? end : end & ~mask;

	return first < last ? clear(q, first, last, CLEAR_DISCARD) : 0;
}
