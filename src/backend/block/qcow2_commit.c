/*
 * Writing the tables of a qcow2 image back, in the order that qcow2.h promises, and giving back
 * clusters. alloc is held.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/block/qcow2.h"

enum { FREES_MAX = 1 << 20, FREES_MANY = 1 << 14 };

/* ---- giving back */

void qcow2_free(struct qcow2 *q, uint64_t cluster, uint64_t count)
{
	struct qcow2_frees *f = &q->pending;
	struct qcow2_run *last = f->runs ? &f->run[f->runs - 1] : NULL;

	if (last && last->cluster + last->count == cluster) {
		last->count += count;
		return;
	}
	if (f->runs == f->room) {
		unsigned room = f->room ? 2 * f->room : 64;
		struct qcow2_run *run =
			room > FREES_MAX ? NULL : realloc(f->run, room * sizeof(*run));

		if (!run)
			return; /* it stays counted: a leak does no harm */
		f->run = run;
		f->room = room;
	}
	f->run[f->runs++] = (struct qcow2_run){cluster, count};
}

void qcow2_free_entry(struct qcow2 *q, uint64_t entry)
{
	struct qcow2_place p = qcow2_decode(q, entry);
	uint64_t at, bytes, first, last;

	if (p.kind == QCOW2_PACKED) {
		qcow2_packed_range(q, entry, &at, &bytes);
		first = at >> q->cluster_bits;
		last = (at + bytes - 1) >> q->cluster_bits;
		for (; first <= last; first++)
			qcow2_free(q, first, 1);
	} else if (p.kind != QCOW2_BAD && p.at) {
		qcow2_free(q, p.at >> q->cluster_bits, 1);
	}
}

/* Give the host back what is free now, in one call for a run. */
static void discard(struct qcow2 *q, uint64_t cluster, uint64_t count)
{
	if (count)
		image_file_discard(q->m->file, cluster << q->cluster_bits,
				   count << q->cluster_bits);
}

/* n from the beginning of a run. */
static void give_back(struct qcow2 *q, struct qcow2_run *run, uint64_t n)
{
	uint64_t from = run->cluster, end = from + n, count;

	for (uint64_t c = from; c < end; c++) {
		if (qcow2_refcount_add(q, c, -1) == 0 && qcow2_refcount_get(q, c, &count) == 0 &&
		    count == 0)
			continue;
		discard(q, from, c - from);
		from = c + 1;
	}
	discard(q, from, end - from);
	run->cluster += n;
	run->count -= n;
}

static bool all_left(struct qcow2 *q)
{
	bool yes;

	pthread_mutex_lock(&q->lock);
	yes = q->inside[!q->phase] == 0;
	pthread_mutex_unlock(&q->lock);
	return yes;
}

static void give_back_waiting(struct qcow2 *q)
{
	struct qcow2_frees *f = &q->waiting;
	unsigned i = 0;

	if (!f->runs || !all_left(q))
		return;
	qcow2_packed_forget(q);
	while (i < f->runs && q->ref.dirty < q->ref.slots / 2) {
		struct qcow2_run *run = &f->run[i];
		uint64_t block = 1ull << q->ref_bits, n = block - (run->cluster & (block - 1));

		give_back(q, run, n < run->count ? n : run->count);
		i += run->count == 0;
	}
	memmove(f->run, f->run + i, (f->runs - i) * sizeof(*f->run));
	f->runs -= i;
}

/* The tables are on the host's disk: whoever enters from now on cannot find what is pending. */
static void turn_over(struct qcow2 *q)
{
	struct qcow2_frees f = q->waiting;

	if (q->waiting.runs || !q->pending.runs)
		return;
	q->waiting = q->pending;
	q->pending = f;
	pthread_mutex_lock(&q->lock);
	q->phase = !q->phase; /* nobody is left in that one: waiting was empty */
	pthread_mutex_unlock(&q->lock);
}

/* ---- writing */

static int write_entries(struct qcow2 *q, const uint64_t *table, uint64_t at, uint32_t from,
			 uint32_t to)
{
	uint64_t *copy = malloc(8ull * (to - from));
	int r;

	if (!copy)
		return -ENOMEM;
	for (uint32_t i = from; i < to; i++)
		copy[i - from] = __builtin_bswap64(table[i]);
	r = image_file_write(q->m->file, at + 8ull * from, copy, 8ull * (to - from));
	free(copy);
	return r;
}

static int write_refcounts(struct qcow2 *q)
{
	int r = qcow2_cache_write(q, &q->ref);

	if (r || q->reftable_from == q->reftable_to)
		return r;
	r = image_file_sync(q->m->file);
	if (r == 0)
		r = write_entries(q, q->reftable, q->h.reftable_at, q->reftable_from,
				  q->reftable_to);
	if (r == 0)
		q->reftable_from = q->reftable_to = 0;
	return r;
}

static int write_l1(struct qcow2 *q)
{
	int r = image_file_sync(q->m->file);

	if (r == 0)
		r = write_entries(q, q->l1, q->h.l1_at, q->l1_from, q->l1_to);
	if (r == 0)
		q->l1_from = q->l1_to = 0;
	return r;
}

int qcow2_commit(struct qcow2 *q)
{
	int r;

	if (q->broken)
		return -EIO;
	give_back_waiting(q);
	r = write_refcounts(q);
	if (r == 0 && (q->l2.dirty || q->l1_from != q->l1_to)) {
		r = image_file_sync(q->m->file);
		if (r == 0)
			r = qcow2_cache_write(q, &q->l2);
		if (r == 0 && q->l1_from != q->l1_to)
			r = write_l1(q);
	}
	if (r == 0 && q->pending.runs) {
		r = image_file_sync(q->m->file);
		if (r == 0) {
			turn_over(q);
			give_back_waiting(q);
		}
	}
	return r;
}

int qcow2_reserve(struct qcow2 *q)
{
	if (q->l2.dirty >= q->l2.slots / 2 || q->ref.dirty >= q->ref.slots / 2 ||
	    q->pending.runs > FREES_MANY)
		return qcow2_commit(q);
	return 0;
}

int qcow2_flush(struct image *m)
{
	struct qcow2 *q = m->state;
	int r;

	pthread_mutex_lock(&q->alloc);
	r = qcow2_commit(q);
	pthread_mutex_unlock(&q->alloc);
	return r ? r : image_file_sync(m->file);
}
