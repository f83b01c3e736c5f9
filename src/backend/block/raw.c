/*
 * Raw images: the disk is the file, byte for byte; also block devices. Sparse: zeroes and discarded
 * stretches become holes where the host's file system has them. A file that does not end at a
 * sector is taken as if zeroes followed, and grows to the sector's end when that is written.
 */
#include "backend/block/format.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/block/info.h"
#include "base/bits.h"

enum { ZERO_BUFFER = 65536 };

static int raw_open(struct image *m, const struct image_options *o, struct error *err)
{
	if (m->file->bytes > INT64_MAX - BLOCK_SECTOR)
		return error_set(err, -EFBIG, "disk %s: too large", m->file->path);
	m->unit_bytes = 4096;
	m->bytes = align_up(m->file->bytes, BLOCK_SECTOR);
	return 0;
}

static int raw_create(struct image_file *f, const struct image_create *c, struct error *err)
{
	int r;

	if (c->backing)
		return error_set(err, -EINVAL, "disk %s: a raw image has no backing file", f->path);
	r = image_file_resize(f, c->bytes);
	if (r == 0 && f->block_device)
		r = image_file_zero(f, 0, c->bytes, true);
	return r ? error_set(err, r, "disk %s: cannot make it as large: %s", f->path, strerror(-r))
		 : 0;
}

static int raw_flush(struct image *m)
{
	return image_file_sync(m->file);
}

static int raw_close(struct image *m)
{
	return 0;
}

static int raw_readv(struct image *m, uint64_t at, const struct io_piece *piece, unsigned pieces,
		     uint64_t bytes)
{
	return image_file_readv(m->file, at, piece, pieces);
}

static int raw_writev(struct image *m, uint64_t at, const struct io_piece *piece, unsigned pieces,
		      uint64_t bytes)
{
	return image_file_writev(m->file, at, piece, pieces);
}

static int write_zeroes(struct image *m, uint64_t at, uint64_t bytes)
{
	uint8_t *zeroes = calloc(1, ZERO_BUFFER);
	int r = zeroes ? 0 : -ENOMEM;

	while (r == 0 && bytes) {
		uint64_t n = bytes < ZERO_BUFFER ? bytes : ZERO_BUFFER;

		r = image_file_write(m->file, at, zeroes, n);
		at += n;
		bytes -= n;
	}
	free(zeroes);
	return r;
}

static int raw_zero(struct image *m, uint64_t at, uint64_t bytes, bool unmap)
{
	int r = bytes ? image_file_zero(m->file, at, bytes, unmap) : 0;

	return r == -ENOTSUP ? write_zeroes(m, at, bytes) : r;
}

static int raw_discard(struct image *m, uint64_t at, uint64_t bytes)
{
	if (bytes)
		image_file_discard(m->file, at, bytes);
	return 0;
}

static enum image_status raw_status(struct image *m, uint64_t at, int64_t *bytes)
{
	uint64_t n = (uint64_t)*bytes;
	bool hole = image_file_is_hole(m->file, at, &n);

	*bytes = (int64_t)n;
	return hole ? IMAGE_STATUS_ZERO : IMAGE_STATUS_DATA;
}

static void raw_map(struct image *m, uint64_t at, uint64_t bytes, bool write,
		    struct image_extent *out)
{
	*out = (struct image_extent){EXTENT_DATA, m->file, at, bytes};
}

const struct image_format image_raw = {
	.name = "raw",
	.text = "the disk byte for byte, or a block device",
	.open = raw_open,
	.close = raw_close,
	.create = raw_create,
	.readv = raw_readv,
	.writev = raw_writev,
	.zero = raw_zero,
	.discard = raw_discard,
	.flush = raw_flush,
	.status = raw_status,
	.map = raw_map,
};
