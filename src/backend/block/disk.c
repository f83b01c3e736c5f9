/*
 * The disk a controller sees, on an image. A request goes one of two ways:
 *
 *   at once   the format knows where the data lies without waiting: the transfer is done here and
 *             now as far as the page cache allows, and what is left by io_uring, many at a time;
 *   waiting   a thread of libuv's pool calls the image's functions, which may wait for the host:
 *             tables to be read, clusters to be allocated or inflated, flushes.
 *
 * Two waiting requests that change the same cluster are never under way together: the later is
 * parked until the earlier is done, and then tried again from the start; mostly it can go at once
 * by then. A synchronous loop has no threads: all is done in submit, and only told later.
 *
 * Submit may be called in the I/O thread's place (io_loop_lend). What cannot be done to its end at
 * once is put off then, for that thread.
 */
#include "backend/block/block.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "backend/block/format.h"
#include "backend/block/uring.h"
#include "backend/loop.h"
#include "base/bits.h"

enum { EXTENTS_MAX = 16, NOW_BYTES_MAX = 1 << 20 };

struct part {
	struct uring_op op;
	struct image_file *file;
	uint64_t bytes;
	bool unfinished;
};

struct job {
	struct disk *disk;
	struct block_request *r;
	uv_work_t work;
	int error;
	/* waiting, and changing something: the clusters it is about, and who wants them next */
	bool listed;
	uint64_t first, last;
	struct block_request *parked, **parked_end;
	struct job *next;
	/* at once: what is left to transfer */
	bool entered;
	unsigned token;
	unsigned parts, left;
	struct io_piece *piece; /* of the parts, owned */
	struct part part[EXTENTS_MAX];
};

struct disk {
	struct block_disk face;
	struct io_loop *loop;
	struct image *image;
	struct uring *ring;
	struct job *waiting;  /* that change something */
	pthread_mutex_t lock; /* guards the two lists */
	struct block_request *finished, **finished_end;
	struct block_request *put_off;
	struct work deliver, take;
	uv_prepare_t *prepare;
	uv_check_t *check;
};

static void dispatch(struct disk *d, struct block_request *r);

/* ---- ends */

/* Done, but the controller is told later: we may be in its submit. */
static void finish_later(struct disk *d, struct block_request *r, int error)
{
	struct worker k = io_loop_worker(d->loop);

	r->disk_use = (void *)(intptr_t)error;
	r->next = NULL;
	pthread_mutex_lock(&d->lock);
	*d->finished_end = r;
	d->finished_end = &r->next;
	pthread_mutex_unlock(&d->lock);
	if (io_loop_synchronous(d->loop) || io_loop_lending(d->loop))
		worker_post(&k, &d->deliver);
}

/* The guest sees an I/O error, and people at the host why. Damage has been told of. */
static void tell(struct disk *d, const struct block_request *r, int error)
{
	if (error == -ENOSPC || error == -EDQUOT || error == -EFBIG || error == -EIO)
		image_warn(d->image, "cannot %s: %s; the guest sees I/O errors",
			   r->op == BLOCK_READ ? "read" : "write", strerror(-error));
}

static void finish(struct disk *d, struct block_request *r, int error)
{
	tell(d, r, error);
	r->done(r, error);
	io_loop_end(d->loop);
}

static void deliver(void *opaque)
{
	struct disk *d = opaque;
	struct block_request *r, *next;

	pthread_mutex_lock(&d->lock);
	r = d->finished;
	d->finished = NULL;
	d->finished_end = &d->finished;
	pthread_mutex_unlock(&d->lock);
	for (; r; r = next) {
		next = r->next;
		finish(d, r, (int)(intptr_t)r->disk_use);
	}
}

/* Right after descriptors were served, which is when requests come. */
static void on_check(uv_check_t *h)
{
	struct disk *d = h->data;

	if (d->ring)
		uring_submit(d->ring);
	deliver(d);
}

/* Before the loop sleeps: requests that came otherwise. */
static void on_prepare(uv_prepare_t *h)
{
	struct disk *d = h->data;
	struct worker k = io_loop_worker(d->loop);
	bool any;

	if (d->ring)
		uring_submit(d->ring);
	pthread_mutex_lock(&d->lock);
	any = d->finished != NULL;
	pthread_mutex_unlock(&d->lock);
	if (any)
		worker_post(&k, &d->deliver);
}

/* ---- waiting */

static int carry_out(struct image *m, const struct block_request *r)
{
	switch (r->op) {
	case BLOCK_READ:
		return image_readv(m, r->offset, r->piece, r->pieces, r->bytes);
	case BLOCK_WRITE:
		return image_writev(m, r->offset, r->piece, r->pieces, r->bytes);
	case BLOCK_FLUSH:
		return image_flush(m);
	case BLOCK_DISCARD:
		return image_discard(m, r->offset, r->bytes);
	case BLOCK_ZERO:
		return image_zero(m, r->offset, r->bytes, r->unmap);
	}
	return -EINVAL;
}

static void job_unlist(struct job *j)
{
	struct job **at = &j->disk->waiting;

	while (*at != j)
		at = &(*at)->next;
	*at = j->next;
}

static void job_end(struct job *j)
{
	struct disk *d = j->disk;
	struct block_request *r = j->r, *parked = j->parked, *next;
	int error = j->error;

	if (j->listed)
		job_unlist(j);
	if (j->entered)
		image_leave(d->image, j->token);
	free(j->piece);
	free(j);
	finish(d, r, error);
	for (; parked; parked = next) {
		next = parked->next;
		dispatch(d, parked);
	}
}

static void wait_work(uv_work_t *w)
{
	struct job *j = w->data;

	j->error = carry_out(j->disk->image, j->r);
}

static void wait_done(uv_work_t *w, int status)
{
	job_end(w->data);
}

static struct job *job_new(struct disk *d, struct block_request *r)
{
	struct job *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	j->disk = d;
	j->r = r;
	j->work.data = j;
	j->parked_end = &j->parked;
	return j;
}

static bool park(struct disk *d, struct block_request *r, uint64_t first, uint64_t last)
{
	for (struct job *j = d->waiting; j; j = j->next) {
		if (last < j->first || first > j->last)
			continue;
		r->next = NULL;
		*j->parked_end = r;
		j->parked_end = &r->next;
		return true;
	}
	return false;
}

static void wait_for(struct disk *d, struct block_request *r)
{
	bool changes = r->op != BLOCK_READ && r->op != BLOCK_FLUSH && r->bytes;
	uint64_t first = r->offset / d->image->unit_bytes;
	uint64_t last = (r->offset + r->bytes - 1) / d->image->unit_bytes;
	struct job *j;

	if (changes && park(d, r, first, last))
		return;
	j = job_new(d, r);
	if (!j) {
		finish_later(d, r, -ENOMEM);
		return;
	}
	if (changes) {
		j->listed = true;
		j->first = first;
		j->last = last;
		j->next = d->waiting;
		d->waiting = j;
	}
	uv_queue_work(io_loop_uv(d->loop), &j->work, wait_work, wait_done);
}

/* ---- at once */

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
			uv_queue_work(io_loop_uv(j->disk->loop), &j->work, parts_work, wait_done);
			return;
		}
	job_end(j);
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
	struct job *j = job_new(d, r);

	if (!j || !cut_parts(j, e, n, done)) {
		free(j);
		image_leave(d->image, token);
		finish_later(d, r, -ENOMEM);
		return;
	}
	j->entered = true;
	j->token = token;
	j->left = j->parts;
	if (!d->ring) {
		uv_queue_work(io_loop_uv(d->loop), &j->work, parts_work, wait_done);
		return;
	}
	for (unsigned i = 0; i < j->parts; i++)
		uring_put(d->ring, &j->part[i].op);
}

/* whole: nothing may be left for io_uring or a thread. */
static bool try_at_once(struct disk *d, struct block_request *r, bool whole)
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
	finish_later(d, r, done < 0 ? (int)done : 0);
	return true;
}

/* ---- requests */

static int check(const struct disk *d, const struct block_request *r)
{
	bool transfers = r->op == BLOCK_READ || r->op == BLOCK_WRITE;
	uint64_t bytes = 0;

	if (r->op == BLOCK_FLUSH)
		return 0;
	if (r->op != BLOCK_READ && d->face.readonly)
		return -EROFS;
	if ((r->offset | r->bytes) % BLOCK_SECTOR || r->offset > d->face.bytes ||
	    r->bytes > d->face.bytes - r->offset)
		return -EINVAL;
	if (!transfers)
		return 0;
	if (r->pieces > BLOCK_PIECES_MAX)
		return -EINVAL;
	for (unsigned i = 0; i < r->pieces; i++)
		bytes += r->piece[i].len;
	if (bytes != r->bytes)
		return -EINVAL;
	return r->op == BLOCK_WRITE ? image_guard(d->image, r->offset, r->piece, r->pieces) : 0;
}

static void put_off(struct disk *d, struct block_request *r)
{
	pthread_mutex_lock(&d->lock);
	r->next = d->put_off;
	d->put_off = r;
	pthread_mutex_unlock(&d->lock);
	io_loop_hand_over(d->loop, &d->take);
}

static void dispatch(struct disk *d, struct block_request *r)
{
	bool transfers = r->op == BLOCK_READ || r->op == BLOCK_WRITE;
	bool lent = io_loop_lending(d->loop);

	if (transfers && try_at_once(d, r, lent))
		return;
	if (lent)
		put_off(d, r);
	else
		wait_for(d, r);
}

static void take(void *opaque)
{
	struct disk *d = opaque;
	struct block_request *r, *next;

	pthread_mutex_lock(&d->lock);
	r = d->put_off;
	d->put_off = NULL;
	pthread_mutex_unlock(&d->lock);
	for (; r; r = next) {
		next = r->next;
		dispatch(d, r);
	}
}

static void submit(void *opaque, struct block_request *r)
{
	struct disk *d = opaque;
	int error = check(d, r);

	io_loop_begin(d->loop);
	if (error || (r->op != BLOCK_FLUSH && !r->bytes))
		finish_later(d, r, error);
	else if (io_loop_synchronous(d->loop))
		finish_later(d, r, carry_out(d->image, r));
	else
		dispatch(d, r);
}

/* ---- made and destroyed */

static int start_handles(struct disk *d, struct error *err)
{
	uv_loop_t *uv = io_loop_uv(d->loop);

	d->deliver = (struct work){.run = deliver, .opaque = d};
	d->take = (struct work){.run = take, .opaque = d};
	if (io_loop_synchronous(d->loop))
		return 0;
	d->prepare = malloc(sizeof(*d->prepare));
	d->check = malloc(sizeof(*d->check));
	if (!d->prepare || !d->check) {
		free(d->prepare);
		free(d->check);
		return error_set(err, -ENOMEM, "out of memory");
	}
	uv_prepare_init(uv, d->prepare);
	uv_check_init(uv, d->check);
	d->prepare->data = d->check->data = d;
	uv_prepare_start(d->prepare, on_prepare);
	uv_check_start(d->check, on_check);
	d->ring = uring_create(d->loop);
	return 0;
}

int disk_create(struct disk **out, struct io_loop *l, struct image *m, struct error *err)
{
	struct disk *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return error_set(err, -ENOMEM, "out of memory");
	d->loop = l;
	d->image = m;
	d->finished_end = &d->finished;
	pthread_mutex_init(&d->lock, NULL);
	d->face = (struct block_disk){
		.submit = submit,
		.opaque = d,
		.bytes = m->bytes,
		.block_bytes = m->bytes % 4096 || m->unit_bytes % 4096 ? 512 : 4096,
		.discard_bytes = m->readonly ? 0 : m->unit_bytes,
		.readonly = m->readonly,
	};
	r = start_handles(d, err);
	if (r) {
		pthread_mutex_destroy(&d->lock);
		free(d);
		return r;
	}
	*out = d;
	return 0;
}

void disk_destroy(struct disk *d)
{
	if (!d)
		return;
	uring_destroy(d->ring);
	if (d->prepare)
		io_loop_close((uv_handle_t *)d->prepare);
	if (d->check)
		io_loop_close((uv_handle_t *)d->check);
	image_close(d->image);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

struct block_disk *disk_face(struct disk *d)
{
	return &d->face;
}
