/* io_uring on the I/O loop: see uring.h. Completions are noticed by polling the ring's descriptor.
 */
#include "backend/block/uring.h"

#include <liburing.h>
#include <stdlib.h>

enum { URING_DEPTH = 128 };

struct uring {
	struct io_uring ring;
	uv_poll_t *poll;
	unsigned busy; /* with the host or ready for it, at most URING_DEPTH */
	bool unsubmitted;
	struct uring_op *waiting, **waiting_end;
};

static void prepare(struct uring *u, struct uring_op *op)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

	if (!sqe) { /* what is ready fills it: busy counts what the host took, too */
		io_uring_submit(&u->ring);
		sqe = io_uring_get_sqe(&u->ring);
	}
	if (op->write)
		io_uring_prep_writev(sqe, op->fd, (const struct iovec *)op->piece, op->pieces,
				     op->at);
	else
		io_uring_prep_readv(sqe, op->fd, (const struct iovec *)op->piece, op->pieces,
				    op->at);
	io_uring_sqe_set_data(sqe, op);
	u->busy++;
	u->unsubmitted = true;
}

void uring_put(struct uring *u, struct uring_op *op)
{
	if (u->busy < URING_DEPTH && !u->waiting) {
		prepare(u, op);
		return;
	}
	op->next = NULL;
	*u->waiting_end = op;
	u->waiting_end = &op->next;
}

static void prepare_waiting(struct uring *u)
{
	while (u->waiting && u->busy < URING_DEPTH) {
		struct uring_op *op = u->waiting;

		u->waiting = op->next;
		if (!u->waiting)
			u->waiting_end = &u->waiting;
		prepare(u, op);
	}
}

void uring_submit(struct uring *u)
{
	if (!u->unsubmitted)
		return;
	u->unsubmitted = io_uring_submit(&u->ring) < 0; /* again at the next turn */
}

static void on_poll(uv_poll_t *p, int status, int events)
{
	struct uring *u = p->data;
	struct io_uring_cqe *cqe;

	while (io_uring_peek_cqe(&u->ring, &cqe) == 0) {
		struct uring_op *op = io_uring_cqe_get_data(cqe);
		int result = cqe->res;

		io_uring_cqe_seen(&u->ring, cqe);
		u->busy--;
		op->done(op, result);
	}
	prepare_waiting(u);
	uring_submit(u);
}

struct uring *uring_create(struct io_loop *l)
{
	struct uring *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->waiting_end = &u->waiting;
	u->poll = malloc(sizeof(*u->poll));
	if (!u->poll || io_uring_queue_init(URING_DEPTH, &u->ring, 0) < 0)
		goto fail;
	if (uv_poll_init(io_loop_uv(l), u->poll, u->ring.ring_fd) < 0) {
		io_uring_queue_exit(&u->ring);
		goto fail;
	}
	u->poll->data = u;
	uv_poll_start(u->poll, UV_READABLE, on_poll);
	return u;
fail:
	free(u->poll);
	free(u);
	return NULL;
}

void uring_destroy(struct uring *u)
{
	if (!u)
		return;
	uv_poll_stop(u->poll); /* before its descriptor is gone */
	io_loop_close((uv_handle_t *)u->poll);
	io_uring_queue_exit(&u->ring);
	free(u);
}
