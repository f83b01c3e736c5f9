/*
 * A new qcow2 image: header, refcount table, refcount blocks, L1 table, one after the other; no L2
 * table yet. Version 3 unless told otherwise.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/block/qcow2.h"

struct layout {
	unsigned bits;
	uint64_t table, blocks, l1; /* clusters each; the header is one */
	uint64_t all;
};

static uint64_t clusters(uint64_t bytes, unsigned bits)
{
	return (bytes + (1ull << bits) - 1) >> bits;
}

static struct layout plan(const struct image_create *c)
{
	struct layout l = {.bits = c->cluster_bits, .table = 1, .blocks = 1};
	unsigned per_block = c->cluster_bits + 3 - c->refcount_order;
	uint64_t before;

	l.l1 = clusters(8 * qcow2_l1_needed(c->bytes, c->cluster_bits, c->extended_l2),
			c->cluster_bits);
	do {
		before = l.all;
		l.all = 1 + l.table + l.blocks + l.l1;
		l.blocks = (l.all + (1ull << per_block) - 1) >> per_block;
		l.table = clusters(8 * l.blocks, c->cluster_bits);
	} while (l.all != before);
	return l;
}

static uint32_t put_extension(uint8_t *p, uint32_t at, uint32_t type, const void *data,
			      uint32_t len)
{
	store_be32(p + at, type);
	store_be32(p + at + 4, len);
	memcpy(p + at + 8, data, len);
	return at + 8 + ((len + 7) & ~7u);
}

/* Names of the features, for those who do not know them. */
static uint32_t put_features(uint8_t *p, uint32_t at)
{
	static const struct {
		uint8_t type, bit;
		char name[46];
	} names[] = {
		{0, 0, "dirty bit"},	       {0, 1, "corrupt bit"},	 {0, 3, "compression type"},
		{0, 4, "extended L2 entries"}, {1, 0, "lazy refcounts"},
	};

	_Static_assert(sizeof(names[0]) == 48, "as the file has it");
	return put_extension(p, at, QCOW2_EXT_FEATURES, names, sizeof(names));
}

static void put_fields(uint8_t *p, const struct image_create *c, const struct layout *l)
{
	uint64_t table_at = 1ull << l->bits;

	store_be32(p, QCOW2_MAGIC);
	store_be32(p + 4, c->v2 ? 2 : 3);
	store_be32(p + QCOW2_H_CLUSTER_BITS, l->bits);
	store_be64(p + QCOW2_H_SIZE, c->bytes);
	store_be32(p + QCOW2_H_L1_ENTRIES,
		   (uint32_t)qcow2_l1_needed(c->bytes, l->bits, c->extended_l2));
	store_be64(p + QCOW2_H_L1_AT, (1 + l->table + l->blocks) << l->bits);
	store_be64(p + QCOW2_H_REFTABLE_AT, table_at);
	store_be32(p + QCOW2_H_REFTABLE_CLUSTERS, (uint32_t)l->table);
	if (c->v2)
		return;
	store_be64(p + QCOW2_H_INCOMPATIBLE,
		   (c->zstd ? QCOW2_COMPRESSION : 0) | (c->extended_l2 ? QCOW2_EXTENDED_L2 : 0));
	store_be64(p + QCOW2_H_COMPATIBLE, c->lazy_refcounts ? QCOW2_LAZY_REFCOUNTS : 0);
	store_be32(p + QCOW2_H_REFCOUNT_ORDER, c->refcount_order);
	store_be32(p + QCOW2_H_BYTES, QCOW2_H_NEW_BYTES);
	p[QCOW2_H_COMPRESSION] = c->zstd;
}

/* The first cluster. */
static int put_header(uint8_t *p, const struct image_create *c, const struct layout *l)
{
	uint32_t at = c->v2 ? QCOW2_H_V2_BYTES : QCOW2_H_NEW_BYTES, room = 1u << l->bits, len;

	put_fields(p, c, l);
	if (c->backing_format && c->backing)
		at = put_extension(p, at, QCOW2_EXT_BACKING_FORMAT, c->backing_format,
				   (uint32_t)strlen(c->backing_format));
	if (!c->v2 && at + 300 < room) /* it helps people, but is not needed */
		at = put_features(p, at);
	at = put_extension(p, at, QCOW2_EXT_END, "", 0);
	if (!c->backing)
		return 0;
	len = (uint32_t)strlen(c->backing);
	if (len >= IMAGE_NAME_MAX || at + len > room)
		return -ENAMETOOLONG;
	memcpy(p + at, c->backing, len);
	store_be64(p + QCOW2_H_BACKING_AT, at);
	store_be32(p + QCOW2_H_BACKING_LEN, len);
	return 0;
}

static int write_refcounts(struct image_file *f, const struct image_create *c,
			   const struct layout *l, uint8_t *p)
{
	uint64_t per_block = 1ull << (l->bits + 3 - c->refcount_order);
	int r = 0;

	for (uint64_t b = 0; r == 0 && b < l->blocks; b++) {
		memset(p, 0, 1ull << l->bits);
		for (uint64_t i = 0; i < per_block && b * per_block + i < l->all; i++)
			qcow2_refcount_store(p, c->refcount_order, i, 1);
		r = image_file_write(f, (1 + l->table + b) << l->bits, p, 1ull << l->bits);
		store_be64(p, (1 + l->table + b) << l->bits);
		if (r == 0)
			r = image_file_write(f, (1ull << l->bits) + 8 * b, p, 8);
	}
	return r;
}

int qcow2_create(struct image_file *f, const struct image_create *c, struct error *err)
{
	struct layout l = plan(c);
	uint8_t *p;
	int r;

	if (qcow2_l1_needed(c->bytes, c->cluster_bits, c->extended_l2) > QCOW2_L1_BYTES_MAX / 8)
		return error_set(err, -EFBIG,
				 "disk %s: too large for clusters of %u bytes; take larger ones",
				 f->path, 1u << c->cluster_bits);
	p = calloc(1, 1ull << l.bits);
	if (!p)
		return error_set(err, -ENOMEM, "out of memory");
	r = put_header(p, c, &l);
	if (r == -ENAMETOOLONG) {
		free(p);
		return error_set(err, r, "disk %s: the name of the backing file does not fit",
				 f->path);
	}
	/* Zeroes up to the end of the L1 table; the header last, when it is a whole image. */
	if (r == 0)
		r = image_file_resize(f, l.all << l.bits);
	if (r == 0)
		r = image_file_write(f, 0, p, 1ull << l.bits);
	if (r == 0)
		r = write_refcounts(f, c, &l, p);
	free(p);
	return r ? error_set(err, r, "disk %s: cannot write: %s", f->path, strerror(-r)) : 0;
}
