/* A stream over a file descriptor on the I/O loop: see stream.h. */
#include "backend/stream/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void poll_update(struct fd_stream *f);

void fd_stream_detach(struct fd_stream *f)
{
	if (f->poll) {
		uv_poll_stop(f->poll);
		io_loop_close((uv_handle_t *)f->poll);
		f->poll = NULL;
	}
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
	f->head = f->used = 0;
}

static void lost(struct fd_stream *f)
{
	fd_stream_detach(f);
	if (f->gone)
		f->gone(f);
}

/* Offer what was read; true if all of it was taken. */
static bool offer(struct fd_stream *f)
{
	size_t n;

	if (f->used == 0)
		return true;
	n = f->stream.client.input
		    ? f->stream.client.input(f->stream.client.opaque, f->buf + f->head, f->used)
		    : f->used;
	f->head += n;
	f->used -= n;
	f->stopped = f->used > 0;
	return !f->stopped;
}

static void readable(struct fd_stream *f)
{
	ssize_t n;

	if (!offer(f))
		return;
	n = read(f->fd, f->buf, sizeof(f->buf));
	if (n > 0) {
		f->head = 0;
		f->used = (size_t)n;
		offer(f);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		lost(f);
	}
}

static void on_poll(uv_poll_t *p, int status, int events)
{
	struct fd_stream *f = p->data;

	if (status < 0) {
		lost(f);
		return;
	}
	if ((events & UV_WRITABLE) && f->want_write) {
		f->want_write = false;
		if (f->stream.client.writable)
			f->stream.client.writable(f->stream.client.opaque);
	}
	if (f->fd >= 0 && (events & (UV_READABLE | UV_DISCONNECT)))
		readable(f);
	poll_update(f);
}

static void poll_update(struct fd_stream *f)
{
	int events = (f->stopped ? 0 : UV_READABLE) | (f->want_write ? UV_WRITABLE : 0);

	if (!f->poll)
		return;
	if (events)
		uv_poll_start(f->poll, events, on_poll);
	else
		uv_poll_stop(f->poll);
}

static size_t fd_write(void *opaque, const uint8_t *bytes, size_t len)
{
	struct fd_stream *f = opaque;
	size_t done = 0;

	while (f->fd >= 0 && done < len) {
		ssize_t n = f->socket ? send(f->fd, bytes + done, len - done, MSG_NOSIGNAL)
				      : write(f->fd, bytes + done, len - done);

		if (n > 0)
			done += (size_t)n;
		else if (errno == EAGAIN && f->poll) {
			f->want_write = true;
			poll_update(f);
			return done;
		} else if (errno != EINTR)
			break; /* reading tells that the other end is gone */
	}
	return len;
}

/* The client has room: what waits here is offered by the loop, not from within this call. */
static void fd_resume(void *opaque)
{
	struct fd_stream *f = opaque;
	struct worker k = io_loop_worker(f->loop);

	worker_post(&k, &f->offer);
}

static void offer_again(void *opaque)
{
	struct fd_stream *f = opaque;

	if (offer(f))
		poll_update(f);
}

void fd_stream_init(struct fd_stream *f, struct io_loop *l)
{
	f->loop = l;
	f->fd = -1;
	f->offer = (struct work){.run = offer_again, .opaque = f};
	f->stream = (struct stream){.write = fd_write, .resume = fd_resume, .opaque = f};
}

int fd_stream_attach(struct fd_stream *f, int fd, bool can_poll)
{
	int r;

	f->fd = fd;
	f->stopped = f->want_write = false;
	if (!can_poll)
		return 0;
	f->poll = calloc(1, sizeof(*f->poll));
	r = f->poll ? uv_poll_init(io_loop_uv(f->loop), f->poll, fd) : -ENOMEM;
	if (r < 0) {
		free(f->poll);
		f->poll = NULL;
		fd_stream_detach(f);
		return r;
	}
	f->poll->data = f;
	poll_update(f);
	return 0;
}

void stream_close(struct stream *s)
{
	struct fd_stream *f = s->opaque;

	fd_stream_detach(f);
	if (f->destroy)
		f->destroy(f);
	else
		free(f);
}
