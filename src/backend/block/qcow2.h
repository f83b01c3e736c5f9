/*
 * qcow2 images, versions 2 and 3, as docs/interop/qcow2 of the QEMU project describes them; for the
 * files of this directory. Numbers in the file are big-endian.
 *
 * A disk is cut into clusters. An L1 table points to L2 tables, whose entries say where in the file
 * a cluster is. Refcounts say how often each cluster of the file is used; a refcount table points
 * to blocks of them. An entry with COPIED points to what is used once and may be written in place.
 *
 * Whoever changes tables holds `alloc`, also while the host is waited for. `lock` is held for
 * moments only and guards what readers look at: the L1 table, the caches' slots and what the slots
 * hold. To change those takes both locks, to look one of them. alloc comes before lock.
 *
 * Tables are written back in an order (qcow2_commit) that leaves at worst clusters that nobody uses
 * but that are counted, wherever it is cut short: first refcounts that went up, then L2 tables,
 * then the L1 table, each on the host's disk before the next begins; refcounts go down only after
 * what pointed there is gone from the host's disk.
 *
 * Extended L2 entries cut a cluster into 32 subclusters: behind the entry a bitmap says of each
 * whether it is in the cluster, reads as zeroes, or is left to the backing image. To map is done by
 * units: subclusters, or else clusters.
 *
 * Not supported, and refused: encryption, external data files.
 */
#ifndef BACKEND_BLOCK_QCOW2_H
#define BACKEND_BLOCK_QCOW2_H

#include <pthread.h>

#include "backend/block/format.h"
#include "backend/block/info.h"

#define QCOW2_MAGIC 0x514649fbu /* "QFI\xfb" */

#define QCOW2_COPIED	 (1ull << 63)
#define QCOW2_COMPRESSED (1ull << 62)
#define QCOW2_ZERO	 1ull
#define QCOW2_OFFSET	 0x00fffffffffffe00ull

/* Incompatible features */
#define QCOW2_DIRTY	  (1ull << 0)
#define QCOW2_CORRUPT	  (1ull << 1)
#define QCOW2_DATA_FILE	  (1ull << 2)
#define QCOW2_COMPRESSION (1ull << 3)
#define QCOW2_EXTENDED_L2 (1ull << 4)
/* Compatible features */
#define QCOW2_LAZY_REFCOUNTS (1ull << 0)
/* Autoclear features */
#define QCOW2_BITMAPS (1ull << 0)

/* Header offsets */
enum {
	QCOW2_H_BACKING_AT = 8,
	QCOW2_H_BACKING_LEN = 16,
	QCOW2_H_CLUSTER_BITS = 20,
	QCOW2_H_SIZE = 24,
	QCOW2_H_CRYPT = 32,
	QCOW2_H_L1_ENTRIES = 36,
	QCOW2_H_L1_AT = 40,
	QCOW2_H_REFTABLE_AT = 48,
	QCOW2_H_REFTABLE_CLUSTERS = 56,
	QCOW2_H_SNAPSHOTS = 60,
	QCOW2_H_SNAPSHOTS_AT = 64,
	QCOW2_H_V2_BYTES = 72,
	QCOW2_H_INCOMPATIBLE = 72,
	QCOW2_H_COMPATIBLE = 80,
	QCOW2_H_AUTOCLEAR = 88,
	QCOW2_H_REFCOUNT_ORDER = 96,
	QCOW2_H_BYTES = 100,
	QCOW2_H_COMPRESSION = 104,
	QCOW2_H_V3_BYTES = 104,
	QCOW2_H_NEW_BYTES = 112, /* what we write */
};

enum {
	QCOW2_EXT_END = 0,
	QCOW2_EXT_FEATURES = 0x6803f857,
	QCOW2_EXT_BITMAPS = 0x23852875,
};
#define QCOW2_EXT_BACKING_FORMAT 0xe2792acau

enum {
	QCOW2_CLUSTER_BITS_MIN = 9,
	QCOW2_CLUSTER_BITS_MAX = 21,
	QCOW2_EXTENDED_CLUSTER_BITS_MIN = 14,
	QCOW2_SUBCLUSTERS = 32,
	QCOW2_L1_BYTES_MAX = 32 << 20,
	QCOW2_REFTABLE_BYTES_MAX = 8 << 20,
	QCOW2_RUN_BYTES = 2 << 20, /* allocated at once, or a cluster */
	QCOW2_INFLATED = 4,	   /* clusters kept inflated */
};

static inline uint32_t load_be32(const void *p)
{
	uint32_t v;

	__builtin_memcpy(&v, p, sizeof(v));
	return __builtin_bswap32(v);
}

static inline uint64_t load_be64(const void *p)
{
	uint64_t v;

	__builtin_memcpy(&v, p, sizeof(v));
	return __builtin_bswap64(v);
}

static inline void store_be32(void *p, uint32_t v)
{
	v = __builtin_bswap32(v);
	__builtin_memcpy(p, &v, sizeof(v));
}

static inline void store_be64(void *p, uint64_t v)
{
	v = __builtin_bswap64(v);
	__builtin_memcpy(p, &v, sizeof(v));
}

struct qcow2_header {
	unsigned version, cluster_bits, refcount_order;
	uint64_t bytes, l1_at, reftable_at, snapshots_at;
	uint32_t l1_entries, reftable_clusters, snapshots, crypt;
	uint64_t incompatible, compatible, autoclear;
	bool zstd;
	bool has_bitmaps;
	uint32_t bitmaps;
	uint64_t bitmaps_at, bitmaps_bytes; /* their directory */
	char backing[IMAGE_NAME_MAX], backing_format[16];
};

/* A table in memory: an L2 table or a refcount block. */
struct qcow2_table {
	uint64_t at;   /* 0: a free slot */
	uint8_t *data; /* a cluster, allocated at first use */
	unsigned pins; /* 0: may be dropped, if it is not dirty */
	bool loading, recent;
	uint32_t dirty_from, dirty_to; /* bytes to be written back */
	struct qcow2_table *next;      /* of the same hash */
};

struct qcow2_cache {
	struct qcow2_table *slot, **bucket;
	unsigned slots, buckets, hand, dirty;
};

struct qcow2_run {
	uint64_t cluster, count;
};

struct qcow2_frees {
	struct qcow2_run *run;
	unsigned runs, room;
};

struct qcow2 {
	struct image *m;
	struct qcow2_header h;
	unsigned cluster_bits;
	uint32_t cluster_bytes;
	unsigned entry_bits; /* log2 of bytes of an L2 entry: 3, extended 4 */
	unsigned unit_bits;  /* log2 of bytes of a subcluster, or else of a cluster */
	unsigned l2_bits;    /* log2 of entries of an L2 table */
	unsigned ref_bits;   /* log2 of refcounts in a block */

	pthread_mutex_t alloc, lock;
	pthread_cond_t loaded; /* with lock: a slot was loaded or let go of */

	/* lock and alloc */
	uint64_t *l1;
	uint32_t l1_from, l1_to; /* entries to be written back */
	struct qcow2_cache l2;

	/* alloc (the refcount cache's slots: lock, too) */
	struct qcow2_cache ref;
	uint64_t *reftable;
	uint32_t reftable_entries, reftable_from, reftable_to;
	uint64_t hint;	  /* no free cluster before this one */
	bool broken;	  /* nothing may be written back any more */
	uint64_t pack_at; /* where the next compressed cluster goes; 0: into a new cluster */

	uint64_t end; /* lock and alloc: no cluster at or past it was ever used */

	/* Clusters that nothing points to any more. pending: tables that say so are not written
	 * yet. waiting: they are; somebody who entered before may still be using them. */
	struct qcow2_frees pending, waiting; /* alloc */
	unsigned phase, inside[2];	     /* lock: who entered in which phase */

	pthread_mutex_t inflated_lock;
	struct {
		uint64_t entry;
		uint8_t *data;
	} inflated[QCOW2_INFLATED];
	unsigned inflated_next;
};

/* Of a bitmap of subclusters. */
static inline uint32_t qcow2_there(uint64_t bitmap)
{
	return (uint32_t)bitmap;
}
static inline uint32_t qcow2_zero_bits(uint64_t bitmap)
{
	return (uint32_t)(bitmap >> 32);
}

/* What an L2 entry says. */
enum qcow2_kind { QCOW2_NOWHERE, QCOW2_ZEROES, QCOW2_DATA, QCOW2_PACKED, QCOW2_BAD };
struct qcow2_place {
	enum qcow2_kind kind;
	bool copied;
	uint64_t entry, at; /* at: 0 if there is none */
	uint64_t bytes;	    /* from the address asked for, all alike and in a row */
};

/* qcow2_header.c */
int qcow2_header_read(struct qcow2_header *h, struct image_file *f, struct error *err);
/* Refuse what cannot be used, by name. */
int qcow2_header_check(const struct qcow2_header *h, struct image_file *f, bool write,
		       struct error *err);
int qcow2_header_set32(struct image_file *f, unsigned at, uint32_t v);
int qcow2_header_set64(struct image_file *f, unsigned at, uint64_t v);
uint64_t qcow2_l1_needed(uint64_t bytes, unsigned cluster_bits, bool extended);

/* qcow2_cache.c; lock is held. get may let go of it while it waits. What it gives is pinned. */
int qcow2_cache_init(struct qcow2_cache *c, uint32_t table_bytes, uint32_t cache_bytes);
void qcow2_cache_clear(struct qcow2_cache *c);
struct qcow2_table *qcow2_cache_peek(struct qcow2_cache *c, uint64_t at);
int qcow2_cache_get(struct qcow2 *q, struct qcow2_cache *c, uint64_t at, bool read,
		    struct qcow2_table **out);
void qcow2_cache_put(struct qcow2 *q, struct qcow2_table *t);
/* Under both locks. */
void qcow2_table_dirty(struct qcow2_cache *c, struct qcow2_table *t, uint32_t from, uint32_t to);
/* Write all dirty ones back; alloc is held, lock is not. */
int qcow2_cache_write(struct qcow2 *q, struct qcow2_cache *c);

/* qcow2_map.c */
/* Of a whole cluster: with subclusters, of what is behind it. */
struct qcow2_place qcow2_decode(const struct qcow2 *q, uint64_t entry);
/* Where `at` is; waits for the host if it must. 0 or -errno. No lock is held. */
int qcow2_find(struct qcow2 *q, uint64_t at, uint64_t bytes, struct qcow2_place *out);
int qcow2_readv(struct image *m, uint64_t at, const struct io_piece *piece, unsigned pieces,
		uint64_t bytes);
void qcow2_map(struct image *m, uint64_t at, uint64_t bytes, bool write, struct image_extent *out);
enum image_status qcow2_status(struct image *m, uint64_t at, int64_t *bytes);
unsigned qcow2_enter(struct image *m);
void qcow2_leave(struct image *m, unsigned token);
/* The clusters of the file that a packed cluster is in. */
void qcow2_packed_range(const struct qcow2 *q, uint64_t entry, uint64_t *at, uint64_t *bytes);

/* qcow2_refcount.c; alloc is held. */
int qcow2_refcount_get(struct qcow2 *q, uint64_t cluster, uint64_t *count);
/* Up to want clusters in a row; fresh: they read as zeroes. Cluster numbers. */
int qcow2_allocate(struct qcow2 *q, uint64_t want, uint64_t *cluster, uint64_t *got, bool *fresh);
/* add: 1 or -1 */
int qcow2_refcount_add(struct qcow2 *q, uint64_t cluster, int add);
uint64_t qcow2_refcount_max(const struct qcow2 *q);
void qcow2_refcount_store(uint8_t *block, unsigned order, uint64_t index, uint64_t v);
uint64_t qcow2_refcount_load(const uint8_t *block, unsigned order, uint64_t index);
int qcow2_reftable_load(struct qcow2 *q);

/* qcow2_commit.c; alloc is held. */
int qcow2_commit(struct qcow2 *q);
/* Room in the caches for what one operation changes. */
int qcow2_reserve(struct qcow2 *q);
/* What the entry points to is not pointed to from there any more. */
void qcow2_free_entry(struct qcow2 *q, uint64_t entry);
void qcow2_free(struct qcow2 *q, uint64_t cluster, uint64_t count);
int qcow2_flush(struct image *m);

/* qcow2_write.c */
int qcow2_writev(struct image *m, uint64_t at, const struct io_piece *piece, unsigned pieces,
		 uint64_t bytes);
int qcow2_zero(struct image *m, uint64_t at, uint64_t bytes, bool unmap);
int qcow2_discard(struct image *m, uint64_t at, uint64_t bytes);
/* Change an entry of a table that is for writing; bitmap: of subclusters, if there are any. */
void qcow2_entry_set(struct qcow2 *q, struct qcow2_table *t, uint32_t index, uint64_t entry,
		     uint64_t bitmap);
/* The L2 table for `at`, in a cluster of its own, pinned. alloc is held. */
int qcow2_l2_for_writing(struct qcow2 *q, uint64_t at, struct qcow2_table **out);

/* qcow2_pack.c: compressed clusters. */
int qcow2_packed_read(struct qcow2 *q, uint64_t entry, uint64_t skip, const struct io_piece *piece,
		      unsigned pieces, uint64_t bytes);
void qcow2_packed_forget(struct qcow2 *q);
/* A whole cluster, compressed if that makes it smaller. For an image nobody else uses. */
int qcow2_write_packed(struct image *m, uint64_t at, const void *buf, uint64_t bytes);

/* qcow2_check.c, qcow2_repair.c */
int qcow2_check(struct image *m, bool repair, struct image_check *out, struct error *err);
int qcow2_repair(struct qcow2 *q, struct error *err);

/* qcow2_create.c */
int qcow2_create(struct image_file *f, const struct image_create *o, struct error *err);

/* Damaged: say so once. Returns -EIO. */
int qcow2_damaged(struct qcow2 *q, const char *what, uint64_t at);

static inline uint64_t qcow2_l2_of(const struct qcow2 *q, uint64_t at)
{
	return at >> (q->cluster_bits + q->l2_bits);
}

static inline uint32_t qcow2_l2_index(const struct qcow2 *q, uint64_t at)
{
	return (uint32_t)(at >> q->cluster_bits) & ((1u << q->l2_bits) - 1);
}

static inline bool qcow2_extended(const struct qcow2 *q)
{
	return q->entry_bits == 4;
}

static inline uint64_t qcow2_entry(const struct qcow2 *q, const struct qcow2_table *t,
				   uint32_t index)
{
	return load_be64(t->data + ((size_t)index << q->entry_bits));
}

/* 0 if there are no subclusters. */
static inline uint64_t qcow2_bitmap(const struct qcow2 *q, const struct qcow2_table *t,
				    uint32_t index)
{
	return qcow2_extended(q) ? load_be64(t->data + 16 * (size_t)index + 8) : 0;
}

#endif
