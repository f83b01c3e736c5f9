/* The qcow2 format's row: opening, closing, and what is known about an image. See qcow2.h. */
#include "backend/block/qcow2.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/block/info.h"
#include "base/bits.h"

enum { L2_CACHE_BYTES = 4 << 20, REF_CACHE_BYTES = 1 << 20 };

static bool qcow2_probe(const uint8_t *head, size_t len)
{
	return load_be32(head) == QCOW2_MAGIC;
}

static void qcow2_free_state(struct qcow2 *q)
{
	qcow2_cache_clear(&q->l2);
	qcow2_cache_clear(&q->ref);
	qcow2_packed_forget(q);
	free(q->pending.run);
	free(q->waiting.run);
	free(q->reftable);
	free(q->l1);
	pthread_mutex_destroy(&q->alloc);
	pthread_mutex_destroy(&q->lock);
	pthread_mutex_destroy(&q->inflated_lock);
	pthread_cond_destroy(&q->loaded);
	free(q);
}

static struct qcow2 *new_state(struct image *m)
{
	struct qcow2 *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->m = m;
	pthread_mutex_init(&q->alloc, NULL);
	pthread_mutex_init(&q->lock, NULL);
	pthread_mutex_init(&q->inflated_lock, NULL);
	pthread_cond_init(&q->loaded, NULL);
	return q;
}

static int load_l1(struct qcow2 *q)
{
	uint64_t bytes = 8ull * q->h.l1_entries;
	int r;

	q->l1 = malloc(bytes ? bytes : 8);
	if (!q->l1)
		return -ENOMEM;
	r = image_file_read(q->m->file, q->h.l1_at, q->l1, bytes);
	for (uint32_t i = 0; r == 0 && i < q->h.l1_entries; i++)
		q->l1[i] = __builtin_bswap64(q->l1[i]);
	return r;
}

/* From the header on; what backs it is not looked at. */
static int load_tables(struct qcow2 *q, struct error *err)
{
	struct image *m = q->m;
	int r;

	q->cluster_bits = q->h.cluster_bits;
	q->cluster_bytes = 1u << q->cluster_bits;
	q->entry_bits = q->h.incompatible & QCOW2_EXTENDED_L2 ? 4 : 3;
	q->unit_bits = q->cluster_bits - (qcow2_extended(q) ? 5 : 0);
	q->l2_bits = q->cluster_bits - q->entry_bits;
	q->ref_bits = q->cluster_bits + 3 - q->h.refcount_order;
	q->end = align_up(m->file->bytes, q->cluster_bytes);
	m->bytes = align_up(q->h.bytes, BLOCK_SECTOR);
	m->unit_bytes = q->cluster_bytes;
	r = qcow2_cache_init(&q->l2, q->cluster_bytes, L2_CACHE_BYTES);
	if (r == 0)
		r = qcow2_cache_init(&q->ref, q->cluster_bytes, REF_CACHE_BYTES);
	if (r == 0)
		r = load_l1(q);
	if (r == 0 && !m->readonly)
		r = qcow2_reftable_load(q);
	return r ? error_set(err, r, "disk %s: cannot read its tables: %s", m->file->path,
			     strerror(-r))
		 : 0;
}

/* What its last user left undone, and what we do not keep up. */
static int make_writable(struct qcow2 *q, struct error *err)
{
	struct image_file *f = q->m->file;
	int r = 0;

	if (q->h.incompatible & QCOW2_DIRTY)
		r = qcow2_repair(q, err);
	if (r == 0 && q->h.autoclear) {
		r = qcow2_header_set64(f, QCOW2_H_AUTOCLEAR, 0);
		if (r)
			return error_set(err, r, "disk %s: cannot write: %s", f->path,
					 strerror(-r));
		q->h.autoclear = 0;
	}
	return r;
}

static int qcow2_open(struct image *m, const struct image_options *o, struct error *err)
{
	struct qcow2 *q = new_state(m);
	int r;

	if (!q)
		return error_set(err, -ENOMEM, "out of memory");
	m->state = q;
	r = qcow2_header_read(&q->h, m->file, err);
	if (r == 0)
		r = qcow2_header_check(&q->h, m->file, o->write && !o->repair, err);
	if (r == 0)
		r = load_tables(q, err);
	if (r == 0 && q->h.backing[0] && !o->alone)
		r = image_open_backing(m, q->h.backing,
				       q->h.backing_format[0] ? q->h.backing_format : NULL, err);
	if (r == 0 && o->write && !o->repair)
		r = make_writable(q, err);
	if (r) {
		image_close(m->backing);
		m->backing = NULL;
		qcow2_free_state(q);
		m->state = NULL;
	}
	return r;
}

static int write_back(struct qcow2 *q)
{
	int r;

	pthread_mutex_lock(&q->alloc);
	do /* once more for what is given back; each time there is less of that */
		r = qcow2_commit(q);
	while (r == 0 && (q->ref.dirty || q->pending.runs || q->waiting.runs));
	pthread_mutex_unlock(&q->alloc);
	return r ? r : image_file_sync(q->m->file);
}

static int qcow2_close(struct image *m)
{
	struct qcow2 *q = m->state;
	int r = m->readonly || m->file->temporary ? 0 : write_back(q);

	qcow2_free_state(q);
	return r;
}

int image_qcow2_overlay(struct image *m, struct image *base, struct error *err)
{
	struct image_create c = {.bytes = m->bytes, .cluster_bits = 14, .refcount_order = 4};
	struct image_options o = {.write = true};
	int r = qcow2_create(m->file, &c, err);

	if (r == 0)
		r = qcow2_open(m, &o, err);
	if (r == 0)
		m->backing = base;
	return r;
}

static void qcow2_info(struct image *m, struct image_info *out)
{
	const struct qcow2_header *h = &((struct qcow2 *)m->state)->h;

	out->version = h->version;
	out->cluster_bytes = 1u << h->cluster_bits;
	out->refcount_bits = 1u << h->refcount_order;
	out->snapshots = h->snapshots;
	out->zstd = h->zstd;
	out->extended_l2 = h->incompatible & QCOW2_EXTENDED_L2;
	out->lazy_refcounts = h->compatible & QCOW2_LAZY_REFCOUNTS;
	out->dirty = h->incompatible & QCOW2_DIRTY;
	out->corrupt = h->incompatible & QCOW2_CORRUPT;
	memcpy(out->backing, h->backing, sizeof(out->backing));
	memcpy(out->backing_format, h->backing_format, sizeof(out->backing_format));
}

const struct image_format image_qcow2 = {
	.name = "qcow2",
	.text = "grows as it is written; backing images, snapshots, compressed clusters",
	.probe = qcow2_probe,
	.open = qcow2_open,
	.close = qcow2_close,
	.create = qcow2_create,
	.readv = qcow2_readv,
	.writev = qcow2_writev,
	.write_packed = qcow2_write_packed,
	.zero = qcow2_zero,
	.discard = qcow2_discard,
	.flush = qcow2_flush,
	.status = qcow2_status,
	.map = qcow2_map,
	.enter = qcow2_enter,
	.leave = qcow2_leave,
	.info = qcow2_info,
	.check = qcow2_check,
};
