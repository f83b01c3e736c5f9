/*
 * Checking a qcow2 image: count every cluster of the file by what points to it, compare with the
 * refcounts. What is less than counted may be overwritten one day: corruption. What is more is
 * lost space.
 */
#include "backend/block/qcow2_check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"

enum { COUNT_MAX = UINT16_MAX, CLUSTERS_MAX = 1 << 28, SNAPSHOT_BYTES = 40 };

void qcow2_corruption(struct qcow2_checking *c, const char *fmt, ...)
{
	va_list ap;

	if (c->out->corruptions++)
		return;
	va_start(ap, fmt);
	vsnprintf(c->out->first, sizeof(c->out->first), fmt, ap);
	va_end(ap);
}

int qcow2_checking_init(struct qcow2_checking *c, struct qcow2 *q, struct image_check *out,
			struct error *err)
{
	*c = (struct qcow2_checking){.q = q, .out = out, .clusters = q->end >> q->cluster_bits};
	if (c->clusters > CLUSTERS_MAX)
		return error_set(err, -EFBIG, "disk %s: too large a file to check: %llu clusters",
				 q->m->file->path, (unsigned long long)c->clusters);
	c->count = calloc(c->clusters + 1, sizeof(*c->count));
	c->table = malloc(q->cluster_bytes);
	c->other = malloc(q->cluster_bytes);
	if (c->count && c->table && c->other)
		return 0;
	qcow2_checking_clear(c);
	return error_set(err, -ENOMEM, "out of memory");
}

void qcow2_checking_clear(struct qcow2_checking *c)
{
	free(c->count);
	free(c->table);
	free(c->other);
	c->count = NULL;
	c->table = c->other = NULL;
}

bool qcow2_use(struct qcow2_checking *c, uint64_t at, uint64_t bytes, const char *what)
{
	if (at >= c->q->end || bytes > c->q->end - at) {
		qcow2_corruption(c, "%s at 0x%llx is not inside the file", what,
				 (unsigned long long)at);
		return false;
	}
	if (bytes == 0)
		return true;
	for (uint64_t i = at >> c->q->cluster_bits; i <= (at + bytes - 1) >> c->q->cluster_bits;
	     i++)
		if (c->count[i] < COUNT_MAX)
			c->count[i]++;
	return true;
}

static bool aligned(struct qcow2_checking *c, uint64_t at, const char *what)
{
	if (!(at & (c->q->cluster_bytes - 1)))
		return true;
	qcow2_corruption(c, "%s at 0x%llx does not begin a cluster", what, (unsigned long long)at);
	return false;
}

/* ---- what is used */

/* May a cluster have this bitmap of subclusters? */
static bool bitmap_is_right(struct qcow2_checking *c, uint64_t entry, uint64_t bitmap)
{
	bool there = (entry & QCOW2_OFFSET) && !(entry & QCOW2_COMPRESSED);

	if (!(qcow2_there(bitmap) & qcow2_zero_bits(bitmap)) && (there || !qcow2_there(bitmap)) &&
	    !((entry & QCOW2_COMPRESSED) && bitmap))
		return true;
	qcow2_corruption(c, "a bitmap of subclusters of 0x%llx for a cluster at 0x%llx",
			 (unsigned long long)bitmap, (unsigned long long)(entry & QCOW2_OFFSET));
	return false;
}

static bool use_entry(struct qcow2_checking *c, uint64_t entry, uint64_t bitmap, bool active)
{
	struct qcow2 *q = c->q;
	uint64_t at = entry & QCOW2_OFFSET, bytes;

	if (entry & QCOW2_COMPRESSED) {
		qcow2_packed_range(q, entry, &at, &bytes);
		/* Only its first byte has to be there: sectors are counted in full. */
		if (at < q->end && bytes > q->end - at)
			bytes = q->end - at;
		c->out->used += active;
		c->out->packed += active;
		if (entry & QCOW2_COPIED) {
			qcow2_corruption(c, "a compressed cluster at 0x%llx is marked as copied",
					 (unsigned long long)at);
			return false;
		}
		return qcow2_use(c, at, bytes, "compressed data");
	}
	if ((entry & QCOW2_ZERO) && (q->h.version < 3 || qcow2_extended(q))) {
		qcow2_corruption(c, "a zero cluster in an image %s",
				 q->h.version < 3 ? "of version 2" : "with subclusters");
		return false;
	}
	if (!at)
		return true;
	c->out->used += active && (qcow2_extended(q) ? qcow2_there(bitmap) : !(entry & QCOW2_ZERO));
	return aligned(c, at, "data") && qcow2_use(c, at, q->cluster_bytes, "data");
}

static int use_l2(struct qcow2_checking *c, uint64_t at, bool active)
{
	struct qcow2 *q = c->q;
	bool changed = false;
	int r = image_file_read(q->m->file, at, c->table, q->cluster_bytes);

	for (uint32_t i = 0; r == 0 && i < 1u << q->l2_bits; i++) {
		uint8_t *p = c->table + ((size_t)i << q->entry_bits);
		uint64_t entry = load_be64(p), bitmap = qcow2_extended(q) ? load_be64(p + 8) : 0;

		bool right = bitmap_is_right(c, entry, bitmap);

		if (right || !c->fix)
			right &= use_entry(c, entry, bitmap, active);
		if (right || !c->fix)
			continue;
		memset(p, 0, 1u << q->entry_bits);
		c->out->corruptions_fixed++;
		changed = true;
	}
	if (r == 0 && changed)
		r = image_file_write(q->m->file, at, c->table, q->cluster_bytes);
	return r;
}

/* l1: entries as they are in the file. */
static int use_l1(struct qcow2_checking *c, const uint64_t *l1, uint32_t entries, bool active)
{
	struct qcow2 *q = c->q;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < entries; i++) {
		uint64_t at = __builtin_bswap64(l1[i]) & QCOW2_OFFSET;

		if (!at)
			continue;
		if (aligned(c, at, "an L2 table") &&
		    qcow2_use(c, at, q->cluster_bytes, "an L2 table"))
			r = use_l2(c, at, active);
	}
	return r;
}

static int use_l1_at(struct qcow2_checking *c, uint64_t at, uint32_t entries, bool active)
{
	uint64_t bytes = 8ull * entries, *l1;
	int r;

	if (bytes > QCOW2_L1_BYTES_MAX) {
		qcow2_corruption(c, "an L1 table of %u entries", entries);
		return 0;
	}
	if (!bytes || !aligned(c, at, "an L1 table") || !qcow2_use(c, at, bytes, "an L1 table"))
		return 0;
	l1 = malloc(bytes);
	if (!l1)
		return -ENOMEM;
	r = image_file_read(c->q->m->file, at, l1, bytes);
	if (r == 0)
		r = use_l1(c, l1, entries, active);
	free(l1);
	return r;
}

/* The table of snapshots: its length is known at its end only. */
static int use_snapshots(struct qcow2_checking *c)
{
	const struct qcow2_header *h = &c->q->h;
	uint64_t at = h->snapshots_at;
	int r = 0;

	if (!h->snapshots || !aligned(c, at, "the table of snapshots"))
		return 0;
	for (uint32_t i = 0; r == 0 && i < h->snapshots; i++) {
		uint8_t p[SNAPSHOT_BYTES];
		uint64_t len;

		if (at >= c->q->end) {
			qcow2_corruption(c, "the table of snapshots is not inside the file");
			return 0;
		}
		r = image_file_read(c->q->m->file, at, p, sizeof(p));
		if (r)
			return r;
		len = SNAPSHOT_BYTES + (uint64_t)load_be32(p + 36) +
		      (uint64_t)(p[12] << 8 | p[13]) + (uint64_t)(p[14] << 8 | p[15]);
		at += (len + 7) & ~7ull;
		r = use_l1_at(c, load_be64(p), load_be32(p + 8), false);
	}
	if (r == 0)
		qcow2_use(c, h->snapshots_at, at - h->snapshots_at, "the table of snapshots");
	return r;
}

static int use_bitmap(struct qcow2_checking *c, uint64_t at, uint32_t entries)
{
	int r = 0;

	if (!aligned(c, at, "a bitmap") || !qcow2_use(c, at, 8ull * entries, "a bitmap"))
		return 0;
	for (uint32_t i = 0; r == 0 && i < entries; i++) {
		uint8_t p[8];
		uint64_t data;

		r = image_file_read(c->q->m->file, at + 8ull * i, p, sizeof(p));
		data = load_be64(p) & QCOW2_OFFSET;
		if (r == 0 && data)
			qcow2_use(c, data, c->q->cluster_bytes, "a bitmap");
	}
	return r;
}

/* Dirty bitmaps: we do not keep them up, but they are somebody's as long as they are valid. */
static int use_bitmaps(struct qcow2_checking *c)
{
	const struct qcow2_header *h = &c->q->h;
	uint64_t at = h->bitmaps_at, end = at + h->bitmaps_bytes;
	int r = 0;

	if (!h->has_bitmaps || !(h->autoclear & QCOW2_BITMAPS) ||
	    !qcow2_use(c, at, h->bitmaps_bytes, "the directory of bitmaps"))
		return 0;
	for (uint32_t i = 0; r == 0 && i < h->bitmaps && at + 24 <= end; i++) {
		uint8_t p[24];

		r = image_file_read(c->q->m->file, at, p, sizeof(p));
		if (r == 0)
			r = use_bitmap(c, load_be64(p), load_be32(p + 8));
		at += (24 + (uint64_t)(p[18] << 8 | p[19]) + load_be32(p + 20) + 7) & ~7ull;
	}
	return r;
}

int qcow2_count_used(struct qcow2_checking *c)
{
	const struct qcow2_header *h = &c->q->h;
	int r;

	qcow2_use(c, 0, c->q->cluster_bytes, "the header");
	r = use_l1_at(c, h->l1_at, h->l1_entries, true);
	if (r == 0)
		r = use_snapshots(c);
	if (r == 0)
		r = use_bitmaps(c);
	return r;
}

/* ---- refcounts */

static void compare(struct qcow2_checking *c, uint64_t cluster, uint64_t counted)
{
	uint64_t used = cluster < c->clusters ? c->count[cluster] : 0;

	if (counted < used)
		qcow2_corruption(c, "the cluster at 0x%llx is used %llu times and counted as %llu",
				 (unsigned long long)cluster << c->q->cluster_bits,
				 (unsigned long long)used, (unsigned long long)counted);
	else if (counted > used && (used < COUNT_MAX || !used))
		c->out->leaks++;
}

static int compare_block(struct qcow2_checking *c, uint64_t first, uint64_t at)
{
	struct qcow2 *q = c->q;
	uint64_t n = 1ull << q->ref_bits;
	int r = 0;

	if (at)
		r = image_file_read(q->m->file, at, c->other, q->cluster_bytes);
	else if (first >= c->clusters)
		return 0;
	else
		memset(c->other, 0, q->cluster_bytes);
	for (uint64_t i = 0; r == 0 && i < n; i++)
		compare(c, first + i, qcow2_refcount_load(c->other, q->h.refcount_order, i));
	return r;
}

int qcow2_count_refcounts(struct qcow2_checking *c)
{
	struct qcow2 *q = c->q;
	uint64_t needed = (c->clusters + (1ull << q->ref_bits) - 1) >> q->ref_bits;
	int r = 0;

	if (!aligned(c, q->h.reftable_at, "the refcount table") ||
	    !qcow2_use(c, q->h.reftable_at, (uint64_t)q->h.reftable_clusters << q->cluster_bits,
		       "the refcount table"))
		return 0;
	r = qcow2_reftable_load(q);
	for (uint32_t i = 0; r == 0 && i < q->reftable_entries; i++) {
		uint64_t at = q->reftable[i];

		if (at && (!aligned(c, at, "a block of refcounts") ||
			   !qcow2_use(c, at, q->cluster_bytes, "a block of refcounts")))
			q->reftable[i] = 0;
	}
	for (uint64_t i = 0; r == 0 && (i < q->reftable_entries || i < needed); i++)
		r = compare_block(c, i << q->ref_bits,
				  i < q->reftable_entries ? q->reftable[i] : 0);
	return r;
}

/* ---- COPIED */

/* Right for what is at `at`? An entry is given as it is in the file. */
static bool copied_is_right(struct qcow2_checking *c, uint64_t *entry)
{
	uint64_t e = __builtin_bswap64(*entry), at = e & QCOW2_OFFSET;
	uint64_t cluster = at >> c->q->cluster_bits;
	bool one;

	if (!at || (e & QCOW2_COMPRESSED) || cluster >= c->clusters)
		return true;
	one = c->count[cluster] == 1;
	if (one == ((e & QCOW2_COPIED) != 0))
		return true;
	qcow2_corruption(c, "the cluster at 0x%llx is used %u times and marked as %s",
			 (unsigned long long)at, c->count[cluster], one ? "shared" : "used once");
	*entry = __builtin_bswap64(e ^ QCOW2_COPIED);
	return false;
}

/* words: 64 bits each, of which every step-th is an entry's first */
static int copied_in_table(struct qcow2_checking *c, uint64_t at, uint64_t *table, uint64_t words,
			   unsigned step)
{
	bool changed = false;

	for (uint64_t i = 0; i < words; i += step)
		if (!copied_is_right(c, &table[i])) {
			changed = true;
			c->out->corruptions_fixed += c->fix;
		}
	return changed && c->fix ? image_file_write(c->q->m->file, at, table, 8 * words) : 0;
}

int qcow2_check_copied(struct qcow2_checking *c)
{
	struct qcow2 *q = c->q;
	uint64_t bytes = 8ull * q->h.l1_entries, *l1 = malloc(bytes ? bytes : 8);
	int r = l1 ? image_file_read(q->m->file, q->h.l1_at, l1, bytes) : -ENOMEM;

	if (r == 0)
		r = copied_in_table(c, q->h.l1_at, l1, q->h.l1_entries, 1);
	for (uint32_t i = 0; r == 0 && i < q->h.l1_entries; i++) {
		uint64_t at = __builtin_bswap64(l1[i]) & QCOW2_OFFSET;

		if (!at || (at & (q->cluster_bytes - 1)) || at >= q->end)
			continue;
		r = image_file_read(q->m->file, at, c->table, q->cluster_bytes);
		if (r == 0)
			r = copied_in_table(c, at, (uint64_t *)(void *)c->table,
					    q->cluster_bytes / 8, qcow2_extended(q) ? 2 : 1);
	}
	free(l1);
	return r;
}
