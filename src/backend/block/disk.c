/*
 * The disk a controller sees, on an image. A request goes one of two ways:
 *
 *   at once   the format knows where the data lies without waiting: the transfer is done here and
 *             now as far as the page cache allows, and what is left by io_uring, many at a time
 *             (disk_now.c);
 *   waiting   a thread of libuv's pool calls the image's functions, which may wait for the host:
 *             tables to be read, clusters to be allocated or inflated, flushes.
 *
 * Large ones queue for the I/O thread first, so that copying many of them keeps nobody from it;
 * CPUs that would sleep do reads of that queue, too (io_loop_share).
 *
 * Two waiting requests that change the same cluster are never under way together: the later is
 * parked until the earlier is done, and then tried again from the start; mostly it can go at once
 * by then. A synchronous loop has no threads: all is done in submit, and only told later.
 *
 * Submit may be called in the I/O thread's place (io_loop_lend). What cannot be done to its end at
 * once is put off then, for that thread.
 */
#include "backend/block/disk_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"

enum {
	LARGE_BYTES_MIN = 1 << 17,
	TOLD_AT_ONCE = 8, /* large ones */
	ALONE_AFTER = 64, /* large reads after one that had to wait */
};

static void go(struct disk *d, struct block_request *r);

/* ---- ends */

void disk_finish_later(struct disk *d, struct block_request *r, int error)
{
	struct worker k = io_loop_worker(d->loop);

	r->disk_use = (void *)(intptr_t)error;
	r->next = NULL;
	pthread_mutex_lock(&d->lock);
	*d->finished_end = r;
	d->finished_end = &r->next;
	d->untold++;
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
	d->untold = 0;
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

void disk_job_end(struct job *j)
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
		go(d, parked);
	}
}

static void wait_work(uv_work_t *w)
{
	struct job *j = w->data;

	j->error = carry_out(j->disk->image, j->r);
}

void disk_job_done(uv_work_t *w, int status)
{
	disk_job_end(w->data);
}

struct job *disk_job_new(struct disk *d, struct block_request *r)
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
	j = disk_job_new(d, r);
	if (!j) {
		disk_finish_later(d, r, -ENOMEM);
		return;
	}
	if (changes) {
		j->listed = true;
		j->first = first;
		j->last = last;
		j->next = d->waiting;
		d->waiting = j;
	}
	uv_queue_work(io_loop_uv(d->loop), &j->work, wait_work, disk_job_done);
}

/* On the I/O thread. */
static void go(struct disk *d, struct block_request *r)
{
	bool transfers = r->op == BLOCK_READ || r->op == BLOCK_WRITE;

	if (!transfers || !disk_try_now(d, r, false))
		wait_for(d, r);
}

/* ---- put off: for the I/O thread, by whoever is not that */

static void put_off(struct disk *d, struct block_request *r)
{
	pthread_mutex_lock(&d->lock);
	r->next = d->put_off;
	d->put_off = r;
	pthread_mutex_unlock(&d->lock);
	io_loop_hand_over(d->loop, &d->take);
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
		go(d, r);
	}
}

/* ---- large ones: by the I/O thread one at a time, with others' work and kicks in between */

static bool is_large(const struct block_request *r)
{
	return (r->op == BLOCK_READ || r->op == BLOCK_WRITE) && r->bytes >= LARGE_BYTES_MIN &&
	       r->bytes <= NOW_BYTES_MAX;
}

static void queue_large(struct disk *d, struct block_request *r)
{
	struct worker k = io_loop_worker(d->loop);
	bool share = false;

	r->next = NULL;
	pthread_mutex_lock(&d->lock);
	*d->large_end = r;
	d->large_end = &r->next;
	if (r->op == BLOCK_READ) {
		share = !d->alone;
		d->alone -= !share;
	}
	pthread_mutex_unlock(&d->lock);
	worker_post(&k, &d->move);
	if (share)
		io_loop_share(d->loop, &d->help);
}

/* The first, or the first read; more: it was not the last. */
static struct block_request *take_large(struct disk *d, bool read, bool *more)
{
	struct block_request **at = &d->large, *r;

	pthread_mutex_lock(&d->lock);
	while (read && *at && (*at)->op != BLOCK_READ)
		at = &(*at)->next;
	r = *at;
	if (r) {
		*at = r->next;
		if (!r->next)
			d->large_end = at;
		d->moving++;
	}
	*more = d->large != NULL;
	pthread_mutex_unlock(&d->lock);
	return r;
}

/* Is the controller to be told? Of some at a time: each time the guest is interrupted. */
static bool moved_large(struct disk *d)
{
	bool tell;

	pthread_mutex_lock(&d->lock);
	d->moving--;
	tell = d->untold >= TOLD_AT_ONCE || (!d->moving && !d->large);
	pthread_mutex_unlock(&d->lock);
	return tell;
}

static void move(void *opaque)
{
	struct disk *d = opaque;
	struct worker k = io_loop_worker(d->loop);
	bool more;
	struct block_request *r = take_large(d, false, &more);

	if (!r)
		return;
	if (more)
		worker_post(&k, &d->move);
	go(d, r);
	if (d->ring)
		uring_submit(d->ring);
	if (moved_large(d))
		deliver(d);
}

/* In a CPU's thread that would sleep. Only reads, since writes of one file wait for each other. The
 * I/O thread tells of it: a controller may go on with another request. */
static void help(void *opaque)
{
	struct disk *d = opaque;
	struct worker k = io_loop_worker(d->loop);
	bool more;
	struct block_request *r = take_large(d, true, &more);

	if (!r)
		return;
	if (more)
		io_loop_share(d->loop, &d->help);
	if (!disk_try_now(d, r, true)) {
		pthread_mutex_lock(&d->lock);
		d->alone = ALONE_AFTER;
		pthread_mutex_unlock(&d->lock);
		put_off(d, r);
	}
	if (moved_large(d))
		worker_post(&k, &d->deliver);
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

static void dispatch(struct disk *d, struct block_request *r)
{
	bool transfers = r->op == BLOCK_READ || r->op == BLOCK_WRITE;

	if (!io_loop_lending(d->loop)) {
		if (is_large(r))
			queue_large(d, r);
		else
			go(d, r);
	} else if (!transfers || !disk_try_now(d, r, true)) {
		put_off(d, r);
	}
}

static void submit(void *opaque, struct block_request *r)
{
	struct disk *d = opaque;
	int error = check(d, r);

	io_loop_begin(d->loop);
	if (error || (r->op != BLOCK_FLUSH && !r->bytes))
		disk_finish_later(d, r, error);
	else if (io_loop_synchronous(d->loop))
		disk_finish_later(d, r, carry_out(d->image, r));
	else
		dispatch(d, r);
}

/* ---- made and destroyed */

static int start_handles(struct disk *d, struct error *err)
{
	uv_loop_t *uv = io_loop_uv(d->loop);

	d->deliver = (struct work){.run = deliver, .opaque = d};
	d->take = (struct work){.run = take, .opaque = d};
	d->move = (struct work){.run = move, .opaque = d};
	d->help = (struct work){.run = help, .opaque = d};
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
	d->large_end = &d->large;
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
	io_loop_unshare(d->loop, &d->help);
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
