/* What a disk does at once: finding all of a request's data without waiting, moving what the page
 * cache has, and leaving the rest to io_uring, or to libuv's pool where there is none. */
#include <errno.h>
#include <stdlib.h>

#include "backend/block/disk_parts.h"
#include "base/bits.h"

/* Where all of it is; 0 if that cannot be told or it is in too many places. */
static unsigned find_extents(struct image *m, const struct block_request *r,
			     struct image_extent e[EXTENTS_MAX])
{
	bool write = r->op == BLOCK_WRITE;
	uint64_t done = 0;
	unsigned n = 0;

	while (done < r->bytes) {
		struct image_extent *to = &e[n], *before = n ? &e[n - 1] : NULL;

		if (n == EXTENTS_MAX)
			return 0;
		m->format->map(m, r->offset + done, r->bytes - done, write, to);
		if (to->kind == EXTENT_WAIT)
			return 0;
		done += to->bytes;
		if (before && before->kind == to->kind &&
		    (to->kind == EXTENT_ZERO ||
		     (before->file == to->file && before->at + before->bytes == to->at)))
			before->bytes += to->bytes;
		else
			n++;
	}
	return n;
}

/* Transfer what can be now. Returns the bytes done from the beginning on, or -errno. */
static int64_t transfer_now(const struct block_request *r, const struct image_extent *e, unsigned n)
{
	struct io_piece part[BLOCK_PIECES_MAX];
	uint64_t done = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct io_piece *piece = r->piece;
		unsigned pieces = r->pieces;
		int64_t got;

		if (e[i].kind == EXTENT_ZERO) {
			image_pieces_zero(r->piece, r->pieces, done, e[i].bytes);
			done += e[i].bytes;
			continue;
		}
		if (n > 1) {
			pieces = image_pieces_cut(part, piece, pieces, done, e[i].bytes);
			piece = part;
		}
		if (r->op == BLOCK_READ)
			got = image_file_read_now(e[i].file, e[i].at, piece, pieces);
		else
			got = image_file_write_now(e[i].file, e[i].at, piece, pieces);
		if (got < 0 && got != -EAGAIN)
			return got;
		done += got > 0 ? (uint64_t)got : 0;
		if (got != (int64_t)e[i].bytes)
			break;
	}
	return (int64_t)done;
}

static void parts_work(uv_work_t *w)
{
	struct job *j = w->data;

	for (unsigned i = 0; i < j->parts && !j->error; i++) {
		struct part *p = &j->part[i];

		if (!p->unfinished)
			continue;
		j->error = p->op.write
				   ? image_file_writev(p->file, p->op.at, p->op.piece, p->op.pieces)
				   : image_file_readv(p->file, p->op.at, p->op.piece, p->op.pieces);
	}
}

static void part_done(struct uring_op *op, int result)
{
	struct job *j = op->opaque;
	struct part *p = CONTAINER_OF(op, struct part, op);

	if (result >= 0 || result == -EAGAIN || result == -EINTR)
		p->unfinished = (uint64_t)(result < 0 ? 0 : result) != p->bytes;
	else
		j->error = result;
	if (--j->left)
		return;
	for (unsigned i = 0; i < j->parts && !j->error; i++)
		if (j->part[i]
			    .unfinished) { /* cut short: once more, by a thread that stays at it */
			uv_queue_work(io_loop_uv(j->disk->loop), &j->work, parts_work,
				      disk_job_done);
			return;
		}
	disk_job_end(j);
}

/* What lies after the first `done` bytes, as parts. False without memory. */
static bool cut_parts(struct job *j, const struct image_extent *e, unsigned n, uint64_t done)
{
	const struct block_request *r = j->r;
	struct io_piece *piece = malloc((r->pieces + n) * sizeof(*piece));
	uint64_t at = 0;

	j->piece = piece;
	for (unsigned i = 0; piece && i < n; at += e[i++].bytes) {
		uint64_t skip = done > at ? done - at : 0;
		struct part *p = &j->part[j->parts];

		if (skip >= e[i].bytes)
			continue;
		if (e[i].kind == EXTENT_ZERO) {
			image_pieces_zero(r->piece, r->pieces, at + skip, e[i].bytes - skip);
			continue;
		}
		p->file = e[i].file;
		p->bytes = e[i].bytes - skip;
		p->unfinished = true;
		p->op = (struct uring_op){
			e[i].file->fd,
			r->op == BLOCK_WRITE,
			e[i].at + skip,
			piece,
			image_pieces_cut(piece, r->piece, r->pieces, at + skip, p->bytes),
			part_done,
			j,
			NULL};
		piece += p->op.pieces;
		j->parts++;
	}
	return piece != NULL;
}

static void transfer_rest(struct disk *d, struct block_request *r, const struct image_extent *e,
			  unsigned n, uint64_t done, unsigned token)
{
	struct job *j = disk_job_new(d, r);

	if (!j || !cut_parts(j, e, n, done)) {
		free(j);
		image_leave(d->image, token);
		disk_finish_later(d, r, -ENOMEM);
		return;
	}
	j->entered = true;
	j->token = token;
	j->left = j->parts;
	if (!d->ring) {
		uv_queue_work(io_loop_uv(d->loop), &j->work, parts_work, disk_job_done);
		return;
	}
	for (unsigned i = 0; i < j->parts; i++)
		uring_put(d->ring, &j->part[i].op);
}

bool disk_try_now(struct disk *d, struct block_request *r, bool whole)
{
	struct image_extent e[EXTENTS_MAX];
	unsigned token = image_enter(d->image), n = find_extents(d->image, r, e);
	int64_t done = 0;

	if (n && r->bytes <= NOW_BYTES_MAX)
		done = transfer_now(r, e, n);
	if (n == 0 || (whole && done >= 0 && (uint64_t)done < r->bytes)) {
		image_leave(d->image, token);
		return false;
	}
	if (done >= 0 && (uint64_t)done < r->bytes) {
		transfer_rest(d, r, e, n, (uint64_t)done, token);
		return true;
	}
	image_leave(d->image, token);
	disk_finish_later(d, r, done < 0 ? (int)done : 0);
	return true;
}
