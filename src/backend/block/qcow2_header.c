/* The header of a qcow2 image with its extensions: reading, refusing, changing a field. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/block/qcow2.h"

enum { READ_MAX = 65536, FEATURE_BYTES = 48, FEATURE_NAME = 46 };

static void parse_fields(struct qcow2_header *h, const uint8_t *p)
{
	h->version = load_be32(p + 4);
	h->cluster_bits = load_be32(p + QCOW2_H_CLUSTER_BITS);
	h->bytes = load_be64(p + QCOW2_H_SIZE);
	h->crypt = load_be32(p + QCOW2_H_CRYPT);
	h->l1_entries = load_be32(p + QCOW2_H_L1_ENTRIES);
	h->l1_at = load_be64(p + QCOW2_H_L1_AT);
	h->reftable_at = load_be64(p + QCOW2_H_REFTABLE_AT);
	h->reftable_clusters = load_be32(p + QCOW2_H_REFTABLE_CLUSTERS);
	h->snapshots = load_be32(p + QCOW2_H_SNAPSHOTS);
	h->snapshots_at = load_be64(p + QCOW2_H_SNAPSHOTS_AT);
	h->refcount_order = 4;
	if (h->version < 3)
		return;
	h->incompatible = load_be64(p + QCOW2_H_INCOMPATIBLE);
	h->compatible = load_be64(p + QCOW2_H_COMPATIBLE);
	h->autoclear = load_be64(p + QCOW2_H_AUTOCLEAR);
	h->refcount_order = load_be32(p + QCOW2_H_REFCOUNT_ORDER);
}

/* The image's own words for a feature it needs, or ours. */
static void feature_name(const uint8_t *table, uint32_t bytes, unsigned bit, char name[64])
{
	snprintf(name, 64, "bit %u", bit);
	for (uint32_t i = 0; table && bytes - i >= FEATURE_BYTES; i += FEATURE_BYTES)
		if (table[i] == 0 && table[i + 1] == bit)
			snprintf(name, 64, "%.*s (bit %u)", FEATURE_NAME,
				 (const char *)table + i + 2, bit);
	for (char *c = name; *c; c++) /* a stranger's text, for a terminal */
		if (*c < ' ' || *c > '~')
			*c = '?';
}

static int check_features(const struct qcow2_header *h, const char *path, const uint8_t *table,
			  uint32_t bytes, struct error *err)
{
	uint64_t known = QCOW2_DIRTY | QCOW2_CORRUPT | QCOW2_DATA_FILE | QCOW2_COMPRESSION |
			 QCOW2_EXTENDED_L2;
	uint64_t unknown = h->incompatible & ~known;
	char name[64];

	if (!unknown)
		return 0;
	feature_name(table, bytes, (unsigned)__builtin_ctzll(unknown), name);
	return error_set(err, -ENOTSUP, "disk %s: needs a feature that is not supported: %s", path,
			 name);
}

static void parse_bitmaps(struct qcow2_header *h, const uint8_t *p, uint32_t len)
{
	if (len < 24)
		return;
	h->has_bitmaps = true;
	h->bitmaps = load_be32(p);
	h->bitmaps_bytes = load_be64(p + 8);
	h->bitmaps_at = load_be64(p + 16);
}

/* p: the first `have` bytes, at most the first cluster. */
static int parse_extensions(struct qcow2_header *h, const char *path, const uint8_t *p,
			    uint32_t have, uint32_t at, struct error *err)
{
	const uint8_t *features = NULL;
	uint32_t feature_bytes = 0;

	while (at <= have && have - at >= 8) {
		uint32_t type = load_be32(p + at), len = load_be32(p + at + 4);

		at += 8;
		if (type == QCOW2_EXT_END)
			break;
		if (len > have - at)
			return error_set(err, -EINVAL,
					 "disk %s: a header extension is longer than the header",
					 path);
		if (type == QCOW2_EXT_BACKING_FORMAT)
			snprintf(h->backing_format, sizeof(h->backing_format), "%.*s", (int)len,
				 (const char *)p + at);
		else if (type == QCOW2_EXT_BITMAPS)
			parse_bitmaps(h, p + at, len);
		else if (type == QCOW2_EXT_FEATURES) {
			features = p + at;
			feature_bytes = len;
		}
		at += len > UINT32_MAX - 7 ? len : (len + 7) & ~7u;
	}
	return check_features(h, path, features, feature_bytes, err);
}

static int parse_backing(struct qcow2_header *h, const char *path, const uint8_t *p, uint32_t have,
			 struct error *err)
{
	uint64_t at = load_be64(p + QCOW2_H_BACKING_AT);
	uint32_t len = load_be32(p + QCOW2_H_BACKING_LEN);

	if (!at || !len)
		return 0;
	if (len >= IMAGE_NAME_MAX || at > have || len > have - at)
		return error_set(err, -EINVAL,
				 "disk %s: the name of its backing file is not in the header",
				 path);
	memcpy(h->backing, p + at, len);
	h->backing[len] = 0;
	if (strlen(h->backing) != len)
		return error_set(err, -EINVAL,
				 "disk %s: the name of its backing file has a NUL in it", path);
	return 0;
}

static int parse(struct qcow2_header *h, struct image_file *f, const uint8_t *p, struct error *err)
{
	uint32_t have, bytes = QCOW2_H_V2_BYTES;
	int r;

	if (load_be32(p) != QCOW2_MAGIC)
		return error_set(err, -EINVAL, "disk %s: not a qcow2 image: bad magic 0x%08x",
				 f->path, load_be32(p));
	parse_fields(h, p);
	if (h->version < 2 || h->version > 3)
		return error_set(err, -ENOTSUP, "disk %s: qcow version %u is not supported",
				 f->path, h->version);
	if (h->cluster_bits < QCOW2_CLUSTER_BITS_MIN || h->cluster_bits > QCOW2_CLUSTER_BITS_MAX)
		return error_set(err, -EINVAL,
				 "disk %s: clusters of 2^%u bytes; must be 2^9 to 2^21", f->path,
				 h->cluster_bits);
	have = 1u << h->cluster_bits;
	have = have < READ_MAX ? have : READ_MAX;
	if (h->version >= 3) {
		bytes = load_be32(p + QCOW2_H_BYTES);
		if (bytes < QCOW2_H_V3_BYTES || bytes > have || bytes % 8)
			return error_set(err, -EINVAL, "disk %s: a header of %u bytes", f->path,
					 bytes);
	}
	if ((h->incompatible & QCOW2_COMPRESSION) && bytes > QCOW2_H_COMPRESSION) {
		if (p[QCOW2_H_COMPRESSION] > 1)
			return error_set(err, -ENOTSUP,
					 "disk %s: compression type %u is not supported", f->path,
					 p[QCOW2_H_COMPRESSION]);
		h->zstd = p[QCOW2_H_COMPRESSION] == 1;
	}
	r = parse_extensions(h, f->path, p, have, bytes, err);
	return r ? r : parse_backing(h, f->path, p, have, err);
}

int qcow2_header_read(struct qcow2_header *h, struct image_file *f, struct error *err)
{
	uint8_t *p = calloc(1, READ_MAX);
	int r;

	*h = (struct qcow2_header){0};
	if (!p)
		return error_set(err, -ENOMEM, "out of memory");
	r = image_file_read(f, 0, p, READ_MAX);
	if (r)
		error_set(err, r, "disk %s: cannot read: %s", f->path, strerror(-r));
	else
		r = parse(h, f, p, err);
	free(p);
	return r;
}

uint64_t qcow2_l1_needed(uint64_t bytes, unsigned cluster_bits, bool extended)
{
	unsigned shift = 2 * cluster_bits - (extended ? 4 : 3);

	return (bytes >> shift) + ((bytes & ((1ull << shift) - 1)) != 0);
}

static int check_tables(const struct qcow2_header *h, struct image_file *f, struct error *err)
{
	uint64_t mask = (1ull << h->cluster_bits) - 1, l1_bytes = 8ull * h->l1_entries;
	uint64_t end = (f->bytes + mask) & ~mask;

	if (h->bytes > INT64_MAX - BLOCK_SECTOR)
		return error_set(err, -EFBIG, "disk %s: a disk of %llu bytes is too large", f->path,
				 (unsigned long long)h->bytes);
	if (l1_bytes > QCOW2_L1_BYTES_MAX ||
	    qcow2_l1_needed(h->bytes, h->cluster_bits, h->incompatible & QCOW2_EXTENDED_L2) >
		    h->l1_entries)
		return error_set(err, -EINVAL, "disk %s: an L1 table of %u entries for %llu bytes",
				 f->path, h->l1_entries, (unsigned long long)h->bytes);
	if ((h->l1_at & mask) || h->l1_at > end || l1_bytes > end - h->l1_at)
		return error_set(err, -EINVAL, "disk %s: its L1 table is not inside the file",
				 f->path);
	if (h->refcount_order > 6)
		return error_set(err, -EINVAL, "disk %s: refcounts of 2^%u bits; must be 1 to 64",
				 f->path, h->refcount_order);
	if ((uint64_t)h->reftable_clusters << h->cluster_bits > QCOW2_REFTABLE_BYTES_MAX)
		return error_set(err, -EINVAL, "disk %s: a refcount table of %u clusters", f->path,
				 h->reftable_clusters);
	return 0;
}

int qcow2_header_check(const struct qcow2_header *h, struct image_file *f, bool write,
		       struct error *err)
{
	uint64_t mask = (1ull << h->cluster_bits) - 1, end = (f->bytes + mask) & ~mask;
	uint64_t reftable = (uint64_t)h->reftable_clusters << h->cluster_bits;

	if (h->crypt)
		return error_set(err, -ENOTSUP, "disk %s: is encrypted, which is not supported",
				 f->path);
	if (h->incompatible & QCOW2_DATA_FILE)
		return error_set(err, -ENOTSUP,
				 "disk %s: has its data in another file, which is not supported",
				 f->path);
	if ((h->incompatible & QCOW2_EXTENDED_L2) &&
	    h->cluster_bits < QCOW2_EXTENDED_CLUSTER_BITS_MIN)
		return error_set(err, -EINVAL,
				 "disk %s: extended L2 entries (subclusters) with clusters of 2^%u "
				 "bytes; must be 2^14 to 2^21",
				 f->path, h->cluster_bits);
	if (write && (h->incompatible & QCOW2_CORRUPT))
		return error_set(err, -EROFS,
				 "disk %s: is marked corrupt; repair it with: doppel disk check "
				 "--repair, or open it readonly",
				 f->path);
	if (write && (!reftable || (h->reftable_at & mask) || h->reftable_at > end ||
		      reftable > end - h->reftable_at))
		return error_set(err, -EINVAL, "disk %s: its refcount table is not inside the file",
				 f->path);
	return check_tables(h, f, err);
}

int qcow2_header_set32(struct image_file *f, unsigned at, uint32_t v)
{
	uint8_t b[4];

	store_be32(b, v);
	return image_file_write(f, at, b, sizeof(b));
}

int qcow2_header_set64(struct image_file *f, unsigned at, uint64_t v)
{
	uint8_t b[8];

	store_be64(b, v);
	return image_file_write(f, at, b, sizeof(b));
}
