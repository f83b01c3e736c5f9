/*
 * Repairing a qcow2 image. The refcounts are counted anew and written behind all that is used, with
 * a new table; then the header is made to point there. So it can be cut short at any point: before
 * that the old ones are in force. Entries that cannot be right become empty.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/block/qcow2_check.h"

/* New refcount blocks and their table, at the end of the file. */
struct anew {
	uint64_t first, blocks, table, all; /* clusters; all: that are counted */
};

static struct anew plan(const struct qcow2_checking *c)
{
	const struct qcow2 *q = c->q;
	struct anew a = {.first = c->clusters};
	uint64_t before;

	do {
		before = a.all;
		a.all = a.first + a.blocks + a.table;
		a.blocks = (a.all + (1ull << q->ref_bits) - 1) >> q->ref_bits;
		a.table = (8 * a.blocks + q->cluster_bytes - 1) >> q->cluster_bits;
	} while (a.all != before);
	return a;
}

static uint64_t count_of(const struct qcow2_checking *c, const struct anew *a, uint64_t cluster)
{
	uint64_t max = qcow2_refcount_max(c->q), n;

	if (cluster >= a->all)
		return 0;
	n = cluster < a->first ? c->count[cluster] : 1;
	return n < max ? n : max;
}

static int write_anew(struct qcow2_checking *c, const struct anew *a)
{
	struct qcow2 *q = c->q;
	uint64_t per_block = 1ull << q->ref_bits;
	uint8_t entry[8];
	int r = 0;

	for (uint64_t b = 0; r == 0 && b < a->blocks; b++) {
		uint64_t at = (a->first + b) << q->cluster_bits;

		memset(c->table, 0, q->cluster_bytes);
		for (uint64_t i = 0; i < per_block; i++)
			qcow2_refcount_store(c->table, q->h.refcount_order, i,
					     count_of(c, a, b * per_block + i));
		r = image_file_write(q->m->file, at, c->table, q->cluster_bytes);
		store_be64(entry, at);
		if (r == 0)
			r = image_file_write(q->m->file,
					     ((a->first + a->blocks) << q->cluster_bits) + 8 * b,
					     entry, sizeof(entry));
	}
	/* The table to its end, so that it is inside the file. */
	if (r == 0)
		r = image_file_resize(q->m->file, a->all << q->cluster_bits);
	return r;
}

static int switch_to(struct qcow2 *q, const struct anew *a)
{
	uint8_t field[12];
	int r = image_file_sync(q->m->file);

	store_be64(field, (a->first + a->blocks) << q->cluster_bits);
	store_be32(field + 8, (uint32_t)a->table);
	if (r == 0)
		r = image_file_write(q->m->file, QCOW2_H_REFTABLE_AT, field, sizeof(field));
	if (r == 0)
		r = image_file_sync(q->m->file);
	if (r)
		return r;
	q->h.reftable_at = (a->first + a->blocks) << q->cluster_bits;
	q->h.reftable_clusters = (uint32_t)a->table;
	q->end = a->all << q->cluster_bits;
	q->hint = 0;
	return qcow2_reftable_load(q);
}

static int count_anew(struct qcow2_checking *c)
{
	struct anew a;
	int r = qcow2_count_used(c);

	if (r)
		return r;
	a = plan(c);
	if (a.table << c->q->cluster_bits > QCOW2_REFTABLE_BYTES_MAX)
		return -EFBIG;
	r = write_anew(c, &a);
	return r ? r : switch_to(c->q, &a);
}

static int mark_good(struct qcow2 *q)
{
	uint64_t good = q->h.incompatible & ~(QCOW2_DIRTY | QCOW2_CORRUPT);
	int r = image_file_sync(q->m->file);

	if (r || q->h.version < 3 || good == q->h.incompatible)
		return r;
	r = qcow2_header_set64(q->m->file, QCOW2_H_INCOMPATIBLE, good);
	if (r == 0)
		r = image_file_sync(q->m->file);
	if (r == 0)
		q->h.incompatible = good;
	return r;
}

static int reload_l1(struct qcow2 *q)
{
	uint64_t bytes = 8ull * q->h.l1_entries;
	int r = image_file_read(q->m->file, q->h.l1_at, q->l1, bytes);

	for (uint32_t i = 0; r == 0 && i < q->h.l1_entries; i++)
		q->l1[i] = __builtin_bswap64(q->l1[i]);
	return r;
}

static int repair(struct qcow2 *q, struct image_check *out, struct error *err)
{
	struct qcow2_checking c;
	int r = qcow2_checking_init(&c, q, out, err);

	if (r)
		return r;
	c.fix = true;
	r = count_anew(&c);
	if (r == 0)
		r = qcow2_check_copied(&c);
	if (r == 0)
		r = reload_l1(q);
	if (r == 0)
		r = mark_good(q);
	qcow2_checking_clear(&c);
	return r ? error_set(err, r, "disk %s: cannot repair it: %s", q->m->file->path,
			     strerror(-r))
		 : 0;
}

int qcow2_repair(struct qcow2 *q, struct error *err)
{
	struct image_check out = {0};

	return repair(q, &out, err);
}

static int look(struct qcow2 *q, struct image_check *out, struct error *err)
{
	struct qcow2_checking c;
	int r = qcow2_checking_init(&c, q, out, err);

	if (r)
		return r;
	out->clusters = (q->m->bytes + q->cluster_bytes - 1) >> q->cluster_bits;
	r = qcow2_count_used(&c);
	if (r == 0)
		r = qcow2_count_refcounts(&c);
	if (r == 0)
		r = qcow2_check_copied(&c);
	if (r == 0 && (q->h.incompatible & QCOW2_CORRUPT))
		qcow2_corruption(&c, "it is marked corrupt");
	qcow2_checking_clear(&c);
	return r ? error_set(err, r, "disk %s: cannot check it: %s", q->m->file->path, strerror(-r))
		 : 0;
}

int qcow2_check(struct image *m, bool fix, struct image_check *out, struct error *err)
{
	struct qcow2 *q = m->state;
	struct image_check after = {0}, dirty = {0};
	int r = look(q, out, err);

	if (r || !fix || (!out->corruptions && !out->leaks && !(q->h.incompatible & QCOW2_DIRTY)))
		return r;
	r = repair(q, &dirty, err);
	if (r == 0)
		r = look(q, &after, err);
	if (r == 0) {
		out->corruptions_fixed = out->corruptions - (after.corruptions < out->corruptions
								     ? after.corruptions
								     : out->corruptions);
		out->leaks_fixed =
			out->leaks - (after.leaks < out->leaks ? after.leaks : out->leaks);
	}
	return r;
}
