/* Disk images for programs: doppel_disk_create and its like, on backend/block/. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backend/block/info.h"
#include "base/bits.h"
#include "doppel/doppel.h"
#include "vm/keys.h"

static int read_cluster(struct keys *k, struct image_create *c, struct error *err)
{
	uint64_t bytes = 65536;
	int r = keys_size(k, "cluster_size", 512, 2 << 20, &bytes, err);

	if (r)
		return r;
	if (bytes & (bytes - 1))
		return error_set(err, -EINVAL, "option %s: cluster_size: must be a power of 2",
				 k->spec);
	c->cluster_bits = (unsigned)__builtin_ctzll(bytes);
	return 0;
}

static int read_options(struct keys *k, struct image_create *c, struct error *err)
{
	static const char *const compressions[] = {"zlib", "zstd", NULL};
	static const char *const versions[] = {"1.1", "v3", "0.10", "v2", NULL};
	uint64_t bits = 16;
	unsigned compression = 0, version = 0;
	int r = read_cluster(k, c, err);

	if (r == 0)
		r = keys_number(k, "refcount_bits", 1, 64, &bits, err);
	if (r == 0)
		r = keys_word(k, "compat", versions, &version, err);
	if (r == 0)
		r = keys_word(k, "compression_type", compressions, &compression, err);
	if (r == 0)
		r = keys_flag(k, "lazy_refcounts", &c->lazy_refcounts, err);
	if (r == 0)
		r = keys_flag(k, "extended_l2", &c->extended_l2, err);
	if (r == 0)
		r = keys_done(k, err);
	if (r)
		return r;
	if (bits & (bits - 1))
		return error_set(err, -EINVAL, "option %s: refcount_bits: must be a power of 2",
				 k->spec);
	c->refcount_order = (unsigned)__builtin_ctzll(bits);
	c->v2 = version >= 2;
	c->zstd = compression == 1;
	if (c->v2 && (c->zstd || c->lazy_refcounts || c->extended_l2 || bits != 16))
		return error_set(
			err, -EINVAL,
			"option %s: compat=v2 has zlib, refcounts of 16 bits, no lazy ones, "
			"and no extended_l2",
			k->spec);
	if (c->extended_l2 && c->cluster_bits < 14)
		return error_set(err, -EINVAL,
				 "option %s: extended_l2 needs a cluster_size of at least 16K",
				 k->spec);
	return 0;
}

static int read_create(const struct doppel_disk_options *o, struct image_create *c,
		       struct error *err)
{
	struct keys k;
	int r;

	*c = (struct image_create){.format = o && o->format ? o->format : "qcow2",
				   .cluster_bits = 16,
				   .refcount_order = 4};
	if (!o)
		return 0;
	c->backing = o->backing;
	c->backing_format = o->backing_format;
	c->overwrite = o->overwrite;
	if (!o->options)
		return 0;
	if (strcmp(c->format, "qcow2") != 0)
		return error_set(err, -EINVAL, "option %s: only qcow2 images have options",
				 o->options);
	r = keys_parse(&k, "option", o->options, false, err);
	if (r == 0)
		r = read_options(&k, c, err);
	keys_clear(&k);
	return r;
}

int doppel_disk_create(const char *path, uint64_t bytes, const struct doppel_disk_options *o,
		       struct doppel_error *err)
{
	struct error *e = (struct error *)err;
	struct image_create c;
	int r = read_create(o, &c, e);

	c.bytes = bytes;
	return r ? r : image_create(path, &c, e);
}

int doppel_disk_info(const char *path, const char *format, struct doppel_disk_info *out,
		     struct doppel_error *err)
{
	struct image_info i;
	int r = image_info_read(path, format, &i, (struct error *)err);

	*out = (struct doppel_disk_info){0};
	if (r)
		return r;
	*out = (struct doppel_disk_info){
		.bytes = i.bytes,
		.file_bytes = i.file_bytes,
		.space_bytes = i.space_bytes,
		.version = i.version,
		.cluster_bytes = i.cluster_bytes,
		.refcount_bits = i.refcount_bits,
		.snapshots = i.snapshots,
		.zstd = i.zstd,
		.lazy_refcounts = i.lazy_refcounts,
		.extended_l2 = i.extended_l2,
		.dirty = i.dirty,
		.corrupt = i.corrupt,
	};
	snprintf(out->format, sizeof(out->format), "%s", i.format);
	memcpy(out->backing, i.backing, sizeof(out->backing));
	memcpy(out->backing_format, i.backing_format, sizeof(out->backing_format));
	return 0;
}

/* from is open; make `to` and fill it. */
static int copy_to(struct image *from, const char *path, const struct image_create *c,
		   bool compress, bool (*progress)(void *opaque, uint64_t done, uint64_t total),
		   void *opaque, struct error *err)
{
	struct image_options o = {.format = c->format, .write = true};
	bool was_there = access(path, F_OK) == 0;
	struct image *to;
	int r = image_create(path, c, err), closed;

	if (r)
		return r;
	r = image_open(&to, path, &o, err);
	if (r)
		return r;
	r = image_copy(from, to, compress, progress, opaque);
	closed = image_close(to);
	r = r ? r : closed;
	if (r && !was_there)
		unlink(path);
	return r ? error_set(err, r, "disk %s: cannot copy to it: %s", path, strerror(-r)) : 0;
}

int doppel_disk_convert(const char *from, const char *from_format, const char *to,
			const struct doppel_disk_options *o,
			bool (*progress)(void *opaque, uint64_t done, uint64_t total), void *opaque,
			struct doppel_error *err)
{
	struct image_options read = {.format = from_format};
	struct error *e = (struct error *)err;
	struct image_create c;
	struct image *m;
	int r = read_create(o, &c, e);

	if (r == 0 && c.backing)
		r = error_set(e, -EINVAL, "disk %s: a copy holds all; it has no backing image", to);
	if (r == 0 && o && o->compress && strcmp(c.format, "qcow2") != 0)
		r = error_set(e, -EINVAL, "disk %s: only qcow2 images can be compressed", to);
	if (r == 0)
		r = image_open(&m, from, &read, e);
	if (r)
		return r;
	c.bytes = image_bytes(m);
	r = copy_to(m, to, &c, o && o->compress, progress, opaque, e);
	image_close(m);
	return r;
}

int doppel_disk_check(const char *path, const char *format, bool repair,
		      struct doppel_disk_check *out, struct doppel_error *err)
{
	struct image_check c = {0};
	int r = image_check(path, format, repair, &c, (struct error *)err);

	*out = (struct doppel_disk_check){
		.clusters = c.clusters,
		.used = c.used,
		.compressed = c.packed,
		.corruptions = c.corruptions,
		.leaks = c.leaks,
		.corruptions_fixed = c.corruptions_fixed,
		.leaks_fixed = c.leaks_fixed,
	};
	memcpy(out->first, c.first, sizeof(out->first));
	return r;
}
