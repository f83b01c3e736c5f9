/*
 * A cable to another process: a Unix stream socket, on which each frame follows its length in four
 * bytes, highest first, as QEMU's `-netdev stream` and passt have it. Whoever comes first listens;
 * a cable that was cut is plugged in again when somebody is there. The guest sees the link go down
 * and up.
 *
 * There are no offloads on this wire, so the card does them; what arrives is put together again
 * where it is one stream (device/net_coalesce.h).
 */
#define _GNU_SOURCE /* accept4 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "backend/net/net.h"
#include "device/net_coalesce.h"
#include "device/net_offload.h"

enum {
	LENGTH_BYTES = 4,
	OUT_BYTES = 1 << 20, /* frames beyond are lost */
	FLUSH_BYTES = 1 << 16,
	IN_BYTES = 1 << 18,
	AGAIN_MS = 500,
};

enum mode { CONNECT_OR_LISTEN, CONNECT, LISTEN };

struct net_socket {
	struct net_network network;
	struct io_loop *loop;
	struct sockaddr_un address;
	enum mode mode;
	bool listens;	  /* the path is ours */
	int listener, fd; /* -1: none */
	uv_poll_t *listener_poll, *poll;
	int events; /* what poll watches for */
	uv_timer_t *again;
	uv_prepare_t *flush;
	unsigned card_features;
	bool waiting; /* the card had no room */
	size_t out_from, out_to, in_from, in_to;
	uint8_t out[OUT_BYTES], in[IN_BYTES];
};

static void plug(struct net_socket *s, int fd);
static void on_event(uv_poll_t *p, int status, int events);

static void link_is(struct net_socket *s, bool up)
{
	const struct net_card *c = &s->network.card;

	s->network.unplugged = !up;
	if (c->link)
		c->link(c->opaque, up);
}

static int nonblocking_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static void watch(struct net_socket *s)
{
	int events = (s->waiting ? 0 : UV_READABLE) | (s->out_to > s->out_from ? UV_WRITABLE : 0);

	if (!s->poll || events == s->events)
		return;
	s->events = events;
	if (events)
		uv_poll_start(s->poll, events, on_event);
	else
		uv_poll_stop(s->poll);
}

/* ---- connection */

static void try_again(uv_timer_t *t)
{
	struct net_socket *s = t->data;
	int fd = nonblocking_socket();

	if (fd < 0)
		return;
	if (connect(fd, (struct sockaddr *)&s->address, sizeof(s->address)) == 0) {
		uv_timer_stop(s->again);
		plug(s, fd);
		return;
	}
	close(fd);
}

static void unplug(struct net_socket *s)
{
	if (s->fd < 0)
		return;
	io_loop_close((uv_handle_t *)s->poll);
	s->poll = NULL;
	close(s->fd);
	s->fd = -1;
	s->waiting = false;
	s->in_from = s->in_to = s->out_from = s->out_to = 0;
	link_is(s, false);
	if (!s->listens)
		uv_timer_start(s->again, try_again, AGAIN_MS, AGAIN_MS);
}

static void plug(struct net_socket *s, int fd)
{
	uv_poll_t *p = calloc(1, sizeof(*p));
	int bytes = OUT_BYTES;

	if (!p || uv_poll_init(io_loop_uv(s->loop), p, fd) < 0) {
		free(p);
		close(fd);
		return;
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	p->data = s;
	s->poll = p;
	s->fd = fd;
	s->events = 0;
	watch(s);
	link_is(s, true);
}

static void on_caller(uv_poll_t *p, int status, int events)
{
	struct net_socket *s = p->data;
	int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0 && s->fd >= 0)
		close(fd); /* there is one plug */
	else if (fd >= 0)
		plug(s, fd);
}

/* ---- to the wire */

static void write_out(struct net_socket *s)
{
	while (s->out_from < s->out_to) {
		ssize_t n =
			send(s->fd, s->out + s->out_from, s->out_to - s->out_from, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n < 0) {
			unplug(s);
			return;
		}
		s->out_from += (size_t)n;
	}
	s->out_from = s->out_to = 0;
}

static void on_flush(uv_prepare_t *p)
{
	struct net_socket *s = p->data;

	uv_prepare_stop(p);
	if (s->fd < 0)
		return;
	write_out(s);
	watch(s);
}

static bool make_room(struct net_socket *s, size_t bytes)
{
	if (bytes > sizeof(s->out) - s->out_to && s->out_from) {
		memmove(s->out, s->out + s->out_from, s->out_to - s->out_from);
		s->out_to -= s->out_from;
		s->out_from = 0;
	}
	return bytes <= sizeof(s->out) - s->out_to;
}

static void net_send(void *opaque, unsigned queue, const struct io_piece *piece, unsigned pieces,
		     const struct net_offload *offload)
{
	struct net_socket *s = opaque;
	size_t len = 0;

	for (unsigned i = 0; i < pieces; i++)
		len += piece[i].len;
	if (s->fd < 0 || len > NET_FRAME_MAX || !make_room(s, LENGTH_BYTES + len))
		return;
	net_store32(s->out + s->out_to, (uint32_t)len);
	s->out_to += LENGTH_BYTES;
	for (unsigned i = 0; i < pieces; i++) {
		memcpy(s->out + s->out_to, piece[i].base, piece[i].len);
		s->out_to += piece[i].len;
	}
	/* The rest goes when all that is under way has been looked at, in one call. */
	if (s->out_to - s->out_from >= FLUSH_BYTES && !(s->events & UV_WRITABLE))
		write_out(s);
	uv_prepare_start(s->flush, on_flush);
}

/* ---- from the wire */

/* The frame at *at, if all of it is there: moves *at behind it. -EPROTO: not a frame. */
static int next_frame(const struct net_socket *s, size_t *at, struct io_piece *piece)
{
	uint32_t len;

	if (s->in_to - *at < LENGTH_BYTES)
		return 0;
	len = net_load32(s->in + *at);
	if (len == 0 || len > NET_FRAME_MAX)
		return -EPROTO;
	if (s->in_to - *at < LENGTH_BYTES + len)
		return 0;
	*piece = (struct io_piece){(void *)(uintptr_t)(s->in + *at + LENGTH_BYTES), len};
	*at += LENGTH_BYTES + len;
	return 1;
}

/* One frame, or several put together: 1, 0 nothing whole, -EPROTO, -ENOSPC no room. */
static int give_one(struct net_socket *s)
{
	const struct net_card *c = &s->network.card;
	struct net_coalesce join;
	struct io_piece piece;
	size_t at = s->in_from, end;
	int r = next_frame(s, &at, &piece);

	if (r <= 0)
		return r;
	net_coalesce_begin(&join, piece.base, piece.len, s->card_features);
	for (end = at; next_frame(s, &at, &piece) > 0; end = at)
		if (!net_coalesce_add(&join, piece.base, piece.len))
			break;
	net_coalesce_end(&join);
	if (c->receive &&
	    !c->receive(c->opaque, join.piece, join.pieces, join.joined ? &join.offload : NULL))
		return -ENOSPC;
	s->in_from = end;
	return 1;
}

static void give_all(struct net_socket *s)
{
	int r;

	do
		r = give_one(s);
	while (r > 0);
	s->waiting = r == -ENOSPC;
	if (r == -EPROTO)
		unplug(s);
}

static void read_in(struct net_socket *s)
{
	ssize_t n;

	if (s->in_from) {
		memmove(s->in, s->in + s->in_from, s->in_to - s->in_from);
		s->in_to -= s->in_from;
		s->in_from = 0;
	}
	n = recv(s->fd, s->in + s->in_to, sizeof(s->in) - s->in_to, 0);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	if (n <= 0) {
		unplug(s);
		return;
	}
	s->in_to += (size_t)n;
	give_all(s);
}

static void on_event(uv_poll_t *p, int status, int events)
{
	struct net_socket *s = p->data;

	if (status < 0)
		unplug(s);
	if (s->fd >= 0 && (events & UV_WRITABLE))
		write_out(s);
	if (s->fd >= 0 && (events & UV_READABLE) && !s->waiting)
		read_in(s);
	watch(s);
}

static void resume(void *opaque)
{
	struct net_socket *s = opaque;

	if (!s->waiting)
		return;
	give_all(s);
	watch(s);
}

static void card_features(void *opaque, unsigned features)
{
	struct net_socket *s = opaque;

	s->card_features = features;
}

/* ---- begin and end */

static int wait_for_callers(struct net_socket *s, struct error *err)
{
	const char *path = s->address.sun_path;
	struct stat st;
	int r;

	/* What nobody answers at was left behind. */
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(path);
	s->listener = nonblocking_socket();
	if (s->listener < 0 ||
	    bind(s->listener, (struct sockaddr *)&s->address, sizeof(s->address)) < 0)
		return error_set(err, -errno, "net socket: cannot listen at %s: %s", path,
				 strerror(errno));
	s->listens = true;
	s->listener_poll = calloc(1, sizeof(*s->listener_poll));
	r = listen(s->listener, 1) < 0 ? -errno
	    : !s->listener_poll	       ? -ENOMEM
				: uv_poll_init(io_loop_uv(s->loop), s->listener_poll, s->listener);
	if (r < 0) {
		free(s->listener_poll);
		s->listener_poll = NULL;
		return error_set(err, r, "net socket: cannot listen at %s: %s", path, strerror(-r));
	}
	s->listener_poll->data = s;
	uv_poll_start(s->listener_poll, UV_READABLE, on_caller);
	return 0;
}

static int connect_or_listen(struct net_socket *s, struct error *err)
{
	int fd = nonblocking_socket(), e;

	if (fd < 0)
		return error_set(err, -errno, "net socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&s->address, sizeof(s->address)) == 0) {
		if (s->mode == LISTEN) {
			close(fd);
			return error_set(err, -EADDRINUSE, "net socket: somebody listens at %s",
					 s->address.sun_path);
		}
		plug(s, fd);
		return 0;
	}
	e = errno;
	close(fd);
	if (e != ENOENT && e != ECONNREFUSED)
		return error_set(err, -e, "net socket: cannot connect to %s: %s",
				 s->address.sun_path, strerror(e));
	if (s->mode != CONNECT)
		return wait_for_callers(s, err);
	uv_timer_start(s->again, try_again, AGAIN_MS, AGAIN_MS);
	return 0;
}

static void socket_close(struct net_network *n)
{
	struct net_socket *s = (struct net_socket *)n;

	if (s->poll)
		io_loop_close((uv_handle_t *)s->poll);
	if (s->listener_poll)
		io_loop_close((uv_handle_t *)s->listener_poll);
	if (s->again)
		io_loop_close((uv_handle_t *)s->again);
	if (s->flush)
		io_loop_close((uv_handle_t *)s->flush);
	if (s->fd >= 0)
		close(s->fd);
	if (s->listener >= 0)
		close(s->listener);
	if (s->listens)
		unlink(s->address.sun_path);
	free(s);
}

static int handles(struct net_socket *s)
{
	s->again = calloc(1, sizeof(*s->again));
	if (!s->again)
		return -ENOMEM;
	uv_timer_init(io_loop_uv(s->loop), s->again);
	s->again->data = s;
	s->flush = calloc(1, sizeof(*s->flush));
	if (!s->flush)
		return -ENOMEM;
	uv_prepare_init(io_loop_uv(s->loop), s->flush);
	s->flush->data = s;
	return 0;
}

static int socket_open(struct net_network **out, struct io_loop *loop, const struct net_options *o,
		       struct error *err)
{
	struct net_socket *s;
	int r;

	if (!*o->value || strlen(o->value) >= sizeof(s->address.sun_path))
		return error_set(err, -EINVAL, "net socket: the path must have 1 to %zu bytes: %s",
				 sizeof(s->address.sun_path) - 1, o->value);
	s = calloc(1, sizeof(*s));
	if (!s)
		return error_set(err, -ENOMEM, "out of memory");
	s->loop = loop;
	s->fd = s->listener = -1;
	s->address.sun_family = AF_UNIX;
	memcpy(s->address.sun_path, o->value, strlen(o->value) + 1);
	s->mode = net_option(o, "listen", 0)	? LISTEN
		  : net_option(o, "connect", 0) ? CONNECT
						: CONNECT_OR_LISTEN;
	s->network = (struct net_network){
		.send = net_send,
		.resume = resume,
		.card_features = card_features,
		.opaque = s,
		.queues = 1,
		.unplugged = true,
	};
	r = handles(s);
	if (r < 0)
		error_set(err, r, "out of memory");
	else
		r = connect_or_listen(s, err);
	if (r < 0) {
		socket_close(&s->network);
		return r;
	}
	*out = &s->network;
	return 0;
}

const struct net_backend net_socket = {
	.name = "socket",
	.spec = "socket=PATH[,listen|,connect]",
	.text = "a Unix socket to another machine, passt or QEMU (-netdev stream)",
	.valued = true,
	.open = socket_open,
	.close = socket_close,
};
