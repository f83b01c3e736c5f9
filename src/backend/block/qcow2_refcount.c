/*
 * Refcounts of a qcow2 image and the allocation of clusters: first fit from a hint. The blocks are
 * changed in memory only; qcow2_commit writes them. The one thing written here is a larger refcount
 * table when the old one is full. alloc is held throughout.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/block/qcow2.h"
#include "base/bits.h"

uint64_t qcow2_refcount_load(const uint8_t *block, unsigned order, uint64_t index)
{
	unsigned bits = 1u << order, shift;

	switch (order) {
	case 3:
		return block[index];
	case 4:
		return __builtin_bswap16(load_le16(block + 2 * index));
	case 5:
		return load_be32(block + 4 * index);
	case 6:
		return load_be64(block + 8 * index);
	}
	shift = (unsigned)(index * bits & 7);
	return block[index * bits / 8] >> shift & bits_mask(bits);
}

void qcow2_refcount_store(uint8_t *block, unsigned order, uint64_t index, uint64_t v)
{
	unsigned bits = 1u << order, shift;
	uint8_t *at;

	switch (order) {
	case 3:
		block[index] = (uint8_t)v;
		return;
	case 4:
		store_le16(block + 2 * index, __builtin_bswap16((uint16_t)v));
		return;
	case 5:
		store_be32(block + 4 * index, (uint32_t)v);
		return;
	case 6:
		store_be64(block + 8 * index, v);
		return;
	}
	at = &block[index * bits / 8];
	shift = (unsigned)(index * bits & 7);
	*at = (uint8_t)((*at & ~(bits_mask(bits) << shift)) | v << shift);
}

uint64_t qcow2_refcount_max(const struct qcow2 *q)
{
	return bits_mask(1u << q->h.refcount_order);
}

int qcow2_reftable_load(struct qcow2 *q)
{
	uint64_t bytes = (uint64_t)q->h.reftable_clusters << q->cluster_bits;
	uint64_t *table = malloc(bytes ? bytes : 1);
	int r;

	if (!table)
		return -ENOMEM;
	r = image_file_read(q->m->file, q->h.reftable_at, table, bytes);
	if (r) {
		free(table);
		return r;
	}
	for (uint64_t i = 0; i < bytes / 8; i++)
		table[i] = __builtin_bswap64(table[i]);
	free(q->reftable);
	q->reftable = table;
	q->reftable_entries = (uint32_t)(bytes / 8);
	q->reftable_from = q->reftable_to = 0;
	return 0;
}

/* The block that counts a cluster, pinned; NULL: there is none yet. */
static int block_get(struct qcow2 *q, uint64_t cluster, struct qcow2_table **out)
{
	uint64_t index = cluster >> q->ref_bits, at;
	int r;

	*out = NULL;
	if (index >= q->reftable_entries || !q->reftable[index])
		return 0;
	at = q->reftable[index];
	if ((at & (q->cluster_bytes - 1)) || at >= q->end)
		return qcow2_damaged(q, "an entry of the refcount table", at);
	pthread_mutex_lock(&q->lock);
	r = qcow2_cache_get(q, &q->ref, at, true, out);
	pthread_mutex_unlock(&q->lock);
	return r;
}

static void block_put(struct qcow2 *q, struct qcow2_table *t)
{
	pthread_mutex_lock(&q->lock);
	qcow2_cache_put(q, t);
	pthread_mutex_unlock(&q->lock);
}

static uint64_t block_load(const struct qcow2 *q, const struct qcow2_table *t, uint64_t cluster)
{
	return qcow2_refcount_load(t->data, q->h.refcount_order, cluster & bits_mask(q->ref_bits));
}

static void block_store(struct qcow2 *q, struct qcow2_table *t, uint64_t cluster, uint64_t v)
{
	uint64_t index = cluster & bits_mask(q->ref_bits);
	uint32_t from = (uint32_t)(index << q->h.refcount_order >> 3);
	uint32_t bytes = q->h.refcount_order < 3 ? 1 : 1u << (q->h.refcount_order - 3);

	qcow2_refcount_store(t->data, q->h.refcount_order, index, v);
	pthread_mutex_lock(&q->lock);
	qcow2_table_dirty(&q->ref, t, from, from + bytes);
	pthread_mutex_unlock(&q->lock);
}

int qcow2_refcount_get(struct qcow2 *q, uint64_t cluster, uint64_t *count)
{
	struct qcow2_table *t;
	int r = block_get(q, cluster, &t);

	*count = 0;
	if (r || !t)
		return r;
	*count = block_load(q, t, cluster);
	block_put(q, t);
	return 0;
}

int qcow2_refcount_add(struct qcow2 *q, uint64_t cluster, int add)
{
	struct qcow2_table *t;
	uint64_t count;
	int r = block_get(q, cluster, &t);

	if (r)
		return r;
	count = t ? block_load(q, t, cluster) : 0;
	if (!t || (add < 0 && !count) || (add > 0 && count == qcow2_refcount_max(q)))
		r = qcow2_damaged(q, "a refcount, of the cluster", cluster << q->cluster_bits);
	else
		block_store(q, t, cluster, count + (uint64_t)(int64_t)add);
	if (t)
		block_put(q, t);
	if (r == 0 && add < 0 && count == 1 && cluster < q->hint)
		q->hint = cluster;
	return r;
}

/* ---- new blocks */

static void use_to(struct qcow2 *q, uint64_t cluster)
{
	pthread_mutex_lock(&q->lock);
	if (cluster << q->cluster_bits > q->end)
		q->end = cluster << q->cluster_bits;
	pthread_mutex_unlock(&q->lock);
}

/* Make `cluster`, free, the block for the range it is in; it counts itself. */
static int block_new(struct qcow2 *q, uint64_t cluster)
{
	uint32_t index = (uint32_t)(cluster >> q->ref_bits);
	struct qcow2_table *t;
	int r;

	pthread_mutex_lock(&q->lock);
	r = qcow2_cache_get(q, &q->ref, cluster << q->cluster_bits, false, &t);
	if (r == 0)
		qcow2_table_dirty(&q->ref, t, 0, q->cluster_bytes);
	pthread_mutex_unlock(&q->lock);
	if (r)
		return r;
	use_to(q, cluster + 1);
	block_store(q, t, cluster, 1);
	block_put(q, t);
	if (q->reftable_from == q->reftable_to)
		q->reftable_from = q->reftable_to = index;
	q->reftable[index] = cluster << q->cluster_bits;
	q->reftable_from = index < q->reftable_from ? index : q->reftable_from;
	q->reftable_to = index + 1 > q->reftable_to ? index + 1 : q->reftable_to;
	return 0;
}

static int write_table(struct qcow2 *q, uint64_t at)
{
	uint64_t bytes = 8ull * q->reftable_entries;
	uint64_t *copy = malloc(bytes);
	int r;

	if (!copy)
		return -ENOMEM;
	for (uint32_t i = 0; i < q->reftable_entries; i++)
		copy[i] = __builtin_bswap64(q->reftable[i]);
	r = image_file_write(q->m->file, at, copy, bytes);
	free(copy);
	return r;
}

/* Blocks and table at cluster first are in memory: write them, then have the header say so. */
static int switch_table(struct qcow2 *q, uint64_t at, uint32_t clusters)
{
	uint8_t field[12];
	int r = qcow2_cache_write(q, &q->ref);

	if (r == 0)
		r = write_table(q, at);
	if (r == 0)
		r = image_file_sync(q->m->file);
	if (r)
		return r;
	store_be64(field, at);
	store_be32(field + 8, clusters);
	r = image_file_write(q->m->file, QCOW2_H_REFTABLE_AT, field, sizeof(field));
	if (r == 0)
		r = image_file_sync(q->m->file);
	if (r) {
		q->broken = true; /* nobody knows which of the two tables it has */
		return r;
	}
	q->reftable_from = q->reftable_to = 0;
	qcow2_free(q, q->h.reftable_at >> q->cluster_bits, q->h.reftable_clusters);
	q->h.reftable_at = at;
	q->h.reftable_clusters = clusters;
	return 0;
}

/* Count `clusters` from first on as used once, making the blocks for them at their beginning. */
static int count_new(struct qcow2 *q, uint64_t first, uint64_t blocks, uint64_t clusters)
{
	uint64_t made = 0;
	int r = 0;

	for (uint64_t c = first; r == 0 && c < first + clusters; c++) {
		uint64_t index = c >> q->ref_bits;

		if (q->reftable[index])
			continue;
		/* Which of the first clusters it is does not matter; the others are counted below.
		 */
		pthread_mutex_lock(&q->lock);
		struct qcow2_table *t;
		uint64_t at = (first + made++) << q->cluster_bits;

		r = qcow2_cache_get(q, &q->ref, at, false, &t);
		if (r == 0) {
			qcow2_table_dirty(&q->ref, t, 0, q->cluster_bytes);
			qcow2_cache_put(q, t);
		}
		pthread_mutex_unlock(&q->lock);
		q->reftable[index] = at;
	}
	if (r == 0 && made != blocks)
		r = -EIO;
	for (uint64_t c = first; r == 0 && c < first + clusters; c++)
		r = qcow2_refcount_add(q, c, 1);
	return r;
}

/* Blocks missing for [first, first + blocks + table). */
static uint64_t blocks_for(const struct qcow2 *q, uint64_t first, uint64_t table)
{
	uint64_t blocks = 0, before;

	do {
		uint64_t last = first + blocks + table - 1, missing = 0;

		for (uint64_t i = first >> q->ref_bits; i <= last >> q->ref_bits; i++)
			missing += i >= q->reftable_entries || !q->reftable[i];
		before = blocks;
		blocks = missing;
	} while (blocks != before);
	return blocks;
}

/* The table does not reach `first`, which is free, as is all behind it: a larger one, there. */
static int table_grow(struct qcow2 *q, uint64_t first)
{
	uint64_t need, entries, clusters, blocks, old = q->reftable_entries, *table;
	int r;

	need = (first >> q->ref_bits) + 1;
	entries = need + need / 2 + 64;
	clusters = (entries * 8 + q->cluster_bytes - 1) >> q->cluster_bits;
	blocks = blocks_for(q, first, clusters);
	if (clusters << q->cluster_bits > QCOW2_REFTABLE_BYTES_MAX ||
	    (first + blocks + clusters) >> q->ref_bits >= clusters << (q->cluster_bits - 3))
		return -EFBIG;
	table = calloc(clusters, q->cluster_bytes);
	if (!table)
		return -ENOMEM;
	r = qcow2_cache_write(q, &q->ref); /* makes room, too */
	if (r) {
		free(table);
		return r;
	}
	memcpy(table, q->reftable, old * 8);
	free(q->reftable);
	q->reftable = table;
	q->reftable_entries = (uint32_t)(clusters << (q->cluster_bits - 3));
	use_to(q, first + blocks + clusters);
	r = count_new(q, first, blocks, blocks + clusters);
	if (r == 0)
		r = switch_table(q, (first + blocks) << q->cluster_bits, (uint32_t)clusters);
	if (r) { /* as if nothing had been: what was counted there is past the old table */
		memset(q->reftable + old, 0, (q->reftable_entries - old) * 8);
		q->reftable_entries = (uint32_t)old;
	}
	return r;
}

/* ---- allocation */

static bool overlaps(const struct qcow2 *q, uint64_t at, uint64_t bytes, uint64_t other,
		     uint64_t other_bytes)
{
	return at < other + other_bytes && other < at + bytes;
}

/* What refcounts that are wrong could make us overwrite. */
static bool is_taken(const struct qcow2 *q, uint64_t cluster, uint64_t n)
{
	uint64_t at = cluster << q->cluster_bits, bytes = n << q->cluster_bits;

	return at == 0 || overlaps(q, at, bytes, q->h.l1_at, 8ull * q->h.l1_entries) ||
	       overlaps(q, at, bytes, q->h.reftable_at, 8ull * q->reftable_entries);
}

/* The first free cluster from q->hint on. */
static int find_free(struct qcow2 *q)
{
	uint64_t c = q->hint, last = bits_mask(55 - q->cluster_bits);

	for (; c < last; c++) {
		struct qcow2_table *t;
		uint64_t end = (c >> q->ref_bits) + 1;
		int r = block_get(q, c, &t);

		if (r)
			return r;
		if (!t)
			break;
		end <<= q->ref_bits;
		while (c < end && block_load(q, t, c))
			c++;
		block_put(q, t);
		if (c < end)
			break;
		c--;
	}
	q->hint = c;
	return c < last ? 0 : -EFBIG;
}

/* Count those from q->hint on that are free, up to want. All are in one block's range. */
static int take(struct qcow2 *q, uint64_t want, uint64_t *got)
{
	uint64_t c = q->hint, end = ((c >> q->ref_bits) + 1) << q->ref_bits, n = 0;
	uint64_t border = q->end >> q->cluster_bits;
	struct qcow2_table *t;
	int r = block_get(q, c, &t);

	if (r || !t)
		return r ? r : -EIO;
	if (c < border && border < end)
		end = border; /* all used before, or none */
	while (n < want && c + n < end && block_load(q, t, c + n) == 0)
		n++;
	if (is_taken(q, c, n))
		r = qcow2_damaged(q, "a refcount, of the cluster", c << q->cluster_bits);
	for (uint64_t i = 0; r == 0 && i < n; i++)
		block_store(q, t, c + i, 1);
	block_put(q, t);
	*got = n;
	return r;
}

int qcow2_allocate(struct qcow2 *q, uint64_t want, uint64_t *cluster, uint64_t *got, bool *fresh)
{
	uint64_t index;
	int r;

	for (;;) {
		r = find_free(q);
		if (r)
			return r;
		index = q->hint >> q->ref_bits;
		if (index >= q->reftable_entries)
			r = table_grow(q, q->hint);
		else if (!q->reftable[index])
			r = is_taken(q, q->hint, 1) ? qcow2_damaged(q, "a refcount, of the cluster",
								    q->hint << q->cluster_bits)
						    : block_new(q, q->hint);
		else
			break;
		if (r)
			return r;
	}
	r = take(q, want, got);
	if (r)
		return r;
	*cluster = q->hint;
	*fresh = q->hint << q->cluster_bits >= q->end;
	q->hint += *got;
	use_to(q, *cluster + *got);
	return 0;
}
