/*
 * Compressed clusters of a qcow2 image: read by inflating (raw deflate or zstd), with the last few
 * kept, since guests read them in pieces; written only one after the other into an image that is
 * being made. Guests' writes are not compressed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "backend/block/qcow2.h"
#include "base/bits.h"

enum { ZSTD_WINDOW_BITS_MAX = 24, DEFLATE_WINDOW_BITS = 12 };

static int inflate_deflate(const uint8_t *in, uint32_t in_bytes, uint8_t *out, uint32_t out_bytes)
{
	z_stream z = {.next_in = (uint8_t *)in,
		      .avail_in = in_bytes,
		      .next_out = out,
		      .avail_out = out_bytes};
	int r;

	if (inflateInit2(&z, -15) != Z_OK)
		return -ENOMEM;
	r = inflate(&z, Z_FINISH);
	inflateEnd(&z);
	/* What follows up to the sector's end is not part of the stream. */
	return (r == Z_STREAM_END || r == Z_BUF_ERROR) && z.avail_out == 0 ? 0 : -EIO;
}

static int inflate_zstd(const uint8_t *in, uint32_t in_bytes, uint8_t *out, uint32_t out_bytes)
{
	ZSTD_inBuffer i = {in, in_bytes, 0};
	ZSTD_outBuffer o = {out, out_bytes, 0};
	ZSTD_DCtx *d = ZSTD_createDCtx();
	size_t r = 1;

	if (!d)
		return -ENOMEM;
	ZSTD_DCtx_setParameter(d, ZSTD_d_windowLogMax, ZSTD_WINDOW_BITS_MAX);
	while (r && !ZSTD_isError(r) && o.pos < o.size) {
		size_t before_in = i.pos, before_out = o.pos;

		r = ZSTD_decompressStream(d, &o, &i);
		if (i.pos == before_in && o.pos == before_out)
			break;
	}
	ZSTD_freeDCtx(d);
	return o.pos == o.size ? 0 : -EIO;
}

static int inflate_cluster(struct qcow2 *q, uint64_t entry, uint8_t *out)
{
	uint64_t at, bytes;
	uint8_t *in;
	int r;

	qcow2_packed_range(q, entry, &at, &bytes); /* at most two clusters */
	in = malloc(bytes);
	if (!in)
		return -ENOMEM;
	r = image_file_read(q->m->file, at, in, bytes);
	if (r == 0)
		r = q->h.zstd ? inflate_zstd(in, (uint32_t)bytes, out, q->cluster_bytes)
			      : inflate_deflate(in, (uint32_t)bytes, out, q->cluster_bytes);
	free(in);
	return r == -EIO ? qcow2_damaged(q, "compressed data", at) : r;
}

static bool read_kept(struct qcow2 *q, uint64_t entry, uint64_t skip, const struct io_piece *piece,
		      unsigned pieces, uint64_t bytes)
{
	bool found = false;

	pthread_mutex_lock(&q->inflated_lock);
	for (unsigned i = 0; !found && i < QCOW2_INFLATED; i++) {
		if (!q->inflated[i].data || q->inflated[i].entry != entry)
			continue;
		image_pieces_fill(piece, pieces, 0, q->inflated[i].data + skip, bytes);
		found = true;
	}
	pthread_mutex_unlock(&q->inflated_lock);
	return found;
}

static void keep(struct qcow2 *q, uint64_t entry, uint8_t *data)
{
	unsigned i;

	pthread_mutex_lock(&q->inflated_lock);
	i = q->inflated_next++ % QCOW2_INFLATED;
	free(q->inflated[i].data);
	q->inflated[i].entry = entry;
	q->inflated[i].data = data;
	pthread_mutex_unlock(&q->inflated_lock);
}

void qcow2_packed_forget(struct qcow2 *q)
{
	pthread_mutex_lock(&q->inflated_lock);
	for (unsigned i = 0; i < QCOW2_INFLATED; i++) {
		free(q->inflated[i].data);
		q->inflated[i].data = NULL;
	}
	pthread_mutex_unlock(&q->inflated_lock);
}

int qcow2_packed_read(struct qcow2 *q, uint64_t entry, uint64_t skip, const struct io_piece *piece,
		      unsigned pieces, uint64_t bytes)
{
	uint8_t *out;
	int r;

	if (read_kept(q, entry, skip, piece, pieces, bytes))
		return 0;
	out = malloc(q->cluster_bytes);
	if (!out)
		return -ENOMEM;
	r = inflate_cluster(q, entry, out);
	if (r) {
		free(out);
		return r;
	}
	image_pieces_fill(piece, pieces, 0, out + skip, bytes);
	keep(q, entry, out);
	return 0;
}

/* ---- writing */

/* Compressed bytes, 0 if they are not fewer, or -errno. */
static int64_t deflate_cluster(struct qcow2 *q, const uint8_t *in, uint8_t *out)
{
	z_stream z = {.next_in = (uint8_t *)in,
		      .avail_in = q->cluster_bytes,
		      .next_out = out,
		      .avail_out = q->cluster_bytes - 1};
	size_t n;
	int r;

	if (q->h.zstd) {
		n = ZSTD_compress(out, q->cluster_bytes - 1, in, q->cluster_bytes, 3);
		return ZSTD_isError(n) ? 0 : (int64_t)n;
	}
	/* Others inflate with this window. */
	if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -DEFLATE_WINDOW_BITS, 9,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	r = deflate(&z, Z_FINISH);
	n = q->cluster_bytes - 1 - z.avail_out;
	deflateEnd(&z);
	return r == Z_STREAM_END ? (int64_t)n : 0;
}

/* Room for n bytes, right behind the last if they fit there or the next cluster is free. Counts the
 * clusters they are in. */
static int pack_place(struct qcow2 *q, uint64_t n, uint64_t *at)
{
	uint64_t in = q->pack_at & (q->cluster_bytes - 1), count = 0, cluster, got;
	bool fresh;
	int r;

	if (in) {
		r = qcow2_refcount_get(q, q->pack_at >> q->cluster_bits, &count);
		if (r)
			return r;
	}
	if (!in || count == qcow2_refcount_max(q))
		in = 0;
	if (!in || q->cluster_bytes - in < n) {
		r = qcow2_allocate(q, 1, &cluster, &got, &fresh);
		if (r)
			return r;
		if (in && cluster == (q->pack_at >> q->cluster_bits) + 1)
			r = qcow2_refcount_add(q, cluster - 1, 1);
		else
			q->pack_at = cluster << q->cluster_bits;
	} else {
		r = qcow2_refcount_add(q, q->pack_at >> q->cluster_bits, 1);
	}
	*at = q->pack_at;
	q->pack_at += n;
	return r;
}

static int link_packed(struct qcow2 *q, uint64_t disk_at, uint64_t at, uint64_t n)
{
	unsigned shift = 62 - (q->cluster_bits - 8);
	uint64_t sectors = ((at & 511) + n + 511) / 512 - 1;
	uint32_t index = qcow2_l2_index(q, disk_at);
	struct qcow2_table *t;
	int r = qcow2_l2_for_writing(q, disk_at, &t);

	if (r)
		return r;
	qcow2_free_entry(q, qcow2_entry(q, t, index));
	qcow2_entry_set(q, t, index, QCOW2_COMPRESSED | sectors << shift | at, 0);
	pthread_mutex_lock(&q->lock);
	qcow2_cache_put(q, t);
	pthread_mutex_unlock(&q->lock);
	return 0;
}

static int write_packed(struct qcow2 *q, uint64_t disk_at, const uint8_t *data, uint64_t n)
{
	uint64_t at;
	int r;

	pthread_mutex_lock(&q->alloc);
	r = qcow2_reserve(q);
	if (r == 0)
		r = pack_place(q, n, &at);
	if (r == 0)
		r = image_file_write(q->m->file, at, data, n);
	if (r == 0)
		r = link_packed(q, disk_at, at, n);
	pthread_mutex_unlock(&q->alloc);
	return r;
}

int qcow2_write_packed(struct image *m, uint64_t at, const void *buf, uint64_t bytes)
{
	struct qcow2 *q = m->state;
	uint8_t *out, *padded = NULL;
	int64_t n;
	int r;

	out = malloc(q->cluster_bytes);
	if (bytes < q->cluster_bytes) { /* the disk ends in it */
		padded = calloc(1, q->cluster_bytes);
		if (padded)
			memcpy(padded, buf, bytes);
	}
	if (!out || (bytes < q->cluster_bytes && !padded))
		n = -ENOMEM;
	else
		n = deflate_cluster(q, padded ? padded : buf, out);
	if (n < 0)
		r = (int)n;
	else if (n == 0)
		r = image_write(m, at, buf, bytes);
	else
		r = write_packed(q, at, out, (uint64_t)n);
	free(padded);
	free(out);
	return r;
}
