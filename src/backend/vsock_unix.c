/* The host's ends of a guest's sockets: see vsock_unix.h. All of it is on the I/O thread. */
#define _GNU_SOURCE /* accept4 */
#include "backend/vsock_unix.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "backend/loop.h"
#include "backend/stream/stream.h"

enum {
	BUF_BYTES = 64 << 10,
	MESSAGE_MAX = 1 << 20, /* larger ones end the connection */
	LINE_MAX_BYTES = 32,
	CONNS_MAX = 2 * VSOCK_CONNECTIONS_MAX,
};

enum conn_state {
	CONN_LINE, /* "CONNECT PORT" is to come */
	CONN_WAIT, /* for the guest */
	CONN_OPEN,
	CONN_CLOSED, /* libuv has not let go of it yet */
};

struct vsock_unix_conn {
	uv_poll_t poll; /* first: freed with it (io_loop_close) */
	struct vsock_unix *owner;
	struct vsock_unix_conn *next;
	enum conn_state state;
	int fd;
	struct vsock_end end;
	bool eof;	 /* the program sends no more */
	bool want_write; /* the device has more */
	bool deaf;	 /* the program reads no more */
	size_t line;	 /* bytes of "CONNECT PORT" in buf so far */
	struct work offer;
	size_t head, used;
	uint8_t *large; /* a message that buf is too small for, else NULL */
	uint8_t buf[BUF_BYTES];
};

struct vsock_unix {
	struct io_loop *loop;
	struct virtio_vsock *device;
	struct vsock_host host;
	char *path;
	int fd;
	uv_poll_t *listener;
	struct vsock_unix_conn *conns;
	unsigned count;
	struct work again; /* take those that wait, now that there is room */
};

static void on_ready(uv_poll_t *poll, int status, int events);

/* Wait for what is of use now. */
static void conn_watch(struct vsock_unix_conn *c)
{
	int events = 0;

	if (c->state == CONN_CLOSED)
		return;
	if (c->state != CONN_WAIT && !c->used && !c->eof)
		events |= UV_READABLE;
	if (c->want_write)
		events |= UV_WRITABLE;
	if (events)
		uv_poll_start(&c->poll, events, on_ready);
	else
		uv_poll_stop(&c->poll);
}

/* The memory stays until libuv has let go of it, after those who call this have returned. */
static void conn_free(struct vsock_unix_conn *c)
{
	struct vsock_unix *u = c->owner;
	struct vsock_unix_conn **at = &u->conns;
	struct worker k = io_loop_worker(u->loop);

	if (c->state == CONN_CLOSED)
		return;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->state = CONN_CLOSED;
	uv_poll_stop(&c->poll);
	close(c->fd);
	c->fd = -1;
	free(c->large);
	c->large = NULL;
	c->used = 0;
	if (u->count-- == CONNS_MAX && u->listener)
		worker_post(&k, &u->again);
	/* An offer that is posted still has to run. */
	if (!__atomic_load_n(&c->offer.posted, __ATOMIC_ACQUIRE))
		io_loop_close((uv_handle_t *)&c->poll);
}

/* The program has gone away. */
static void conn_gone(struct vsock_unix_conn *c)
{
	if (c->state == CONN_WAIT || c->state == CONN_OPEN)
		virtio_vsock_gone(c->owner->device, &c->end);
	conn_free(c);
}

/* ---- what the device calls */

static size_t end_write(void *opaque, const uint8_t *bytes, size_t len)
{
	struct vsock_unix_conn *c = opaque;
	struct worker k = io_loop_worker(c->owner->loop);
	ssize_t n;

	if (c->state == CONN_CLOSED || c->deaf)
		return len;
	do {
		n = send(c->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN) {
		c->deaf = true;
		worker_post(&k, &c->offer); /* maybe that is the end of it */
		return len;
	}
	n = n < 0 ? 0 : n;
	c->want_write |= (size_t)n < len;
	conn_watch(c);
	return (size_t)n;
}

static void end_resume(void *opaque)
{
	struct vsock_unix_conn *c = opaque;
	struct worker k = io_loop_worker(c->owner->loop);

	if (c->state != CONN_CLOSED)
		worker_post(&k, &c->offer);
}

static void end_opened(void *opaque, uint32_t port)
{
	struct vsock_unix_conn *c = opaque;
	char line[LINE_MAX_BYTES];
	int n = snprintf(line, sizeof(line), "OK %u\n", port);

	if (c->state != CONN_WAIT)
		return;
	c->state = CONN_OPEN;
	if (send(c->fd, line, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) != n)
		c->deaf = true; /* gone already: reading says so */
	conn_watch(c);
}

static void end_finish(void *opaque)
{
	struct vsock_unix_conn *c = opaque;

	if (c->state != CONN_CLOSED)
		shutdown(c->fd, SHUT_WR);
}

static void end_close(void *opaque)
{
	conn_free(opaque);
}

/* ---- events */

/* Give the device what there is; true if it took all. */
static bool conn_offer(struct vsock_unix_conn *c)
{
	const struct stream_client *client = &c->end.stream.client;
	size_t n;

	if (c->used && client->input) {
		n = client->input(client->opaque, (c->large ? c->large : c->buf) + c->head,
				  c->used);
		if (c->state == CONN_CLOSED)
			return false;
		c->head += n;
		c->used -= n;
	}
	if (!c->used) {
		free(c->large);
		c->large = NULL;
	}
	return !c->used;
}

static void conn_eof(struct vsock_unix_conn *c)
{
	const struct stream_client *client = &c->end.stream.client;
	struct pollfd p = {.fd = c->fd, .events = POLLRDHUP};

	if (poll(&p, 1, 0) != 1)
		p.revents = 0;
	if (c->end.messages && !(p.revents & (POLLHUP | POLLERR | POLLRDHUP)))
		return; /* an empty message, which Linux guests cannot be sent */
	c->eof = true;
	if (p.revents & (POLLHUP | POLLERR))
		conn_gone(c); /* closed, not only shut down for writing */
	else if (client->connected)
		client->connected(client->opaque, false);
}

/* All of what is there, or the next message. As recv. */
static ssize_t receive(struct vsock_unix_conn *c)
{
	ssize_t n = BUF_BYTES;

	if (c->end.messages)
		n = recv(c->fd, NULL, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
	if (n > BUF_BYTES) {
		c->large = n <= MESSAGE_MAX ? malloc((size_t)n) : NULL;
		if (!c->large) {
			errno = EMSGSIZE;
			return -1;
		}
	}
	return n < 0 ? n : recv(c->fd, c->large ? c->large : c->buf, (size_t)n, MSG_DONTWAIT);
}

static void conn_read(struct vsock_unix_conn *c)
{
	ssize_t n;

	if (c->used || c->eof)
		return;
	n = receive(c);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		conn_gone(c);
	} else if (n == 0) {
		conn_eof(c);
	} else {
		c->head = 0;
		c->used = (size_t)n;
		conn_offer(c);
	}
}

static void offer_again(void *opaque)
{
	struct vsock_unix_conn *c = opaque;

	if (c->state == CONN_CLOSED) {
		io_loop_close((uv_handle_t *)&c->poll);
		return;
	}
	if (c->state == CONN_OPEN)
		conn_offer(c);
	if (c->state == CONN_OPEN && (c->eof || c->end.messages) && c->deaf && !c->used)
		conn_gone(c);
	conn_watch(c);
}

/* "CONNECT PORT\n" and nothing else: the port, or -1. */
static int64_t parse_line(const char *line)
{
	static const char word[] = "CONNECT ";
	unsigned long port;
	char *end;

	if (strncmp(line, word, sizeof(word) - 1) || line[sizeof(word) - 1] < '0' ||
	    line[sizeof(word) - 1] > '9')
		return -1;
	port = strtoul(line + sizeof(word) - 1, &end, 10);
	return *end || port >= UINT32_MAX ? -1 : (int64_t)port;
}

/* Take the line, and no byte of what may follow it. */
static void conn_line(struct vsock_unix_conn *c)
{
	char peek[LINE_MAX_BYTES];
	ssize_t n = recv(c->fd, peek, sizeof(peek) - c->line, MSG_PEEK | MSG_DONTWAIT);
	char *end = n > 0 ? memchr(peek, '\n', (size_t)n) : NULL;
	int64_t port;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (end)
		n = end - peek + 1;
	if (n <= 0 || recv(c->fd, c->buf + c->line, (size_t)n, MSG_DONTWAIT) != n) {
		conn_free(c);
		return;
	}
	c->line += (size_t)n;
	if (!end) {
		if (c->line == sizeof(peek))
			conn_free(c);
		return;
	}
	c->buf[c->line - 1] = 0;
	port = parse_line((char *)c->buf);
	c->state = CONN_WAIT;
	if (port < 0 || !virtio_vsock_connect(c->owner->device, (uint32_t)port, &c->end))
		conn_free(c);
}

static void conn_write(struct vsock_unix_conn *c)
{
	const struct stream_client *client = &c->end.stream.client;

	c->want_write = false;
	if (client->writable)
		client->writable(client->opaque);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct vsock_unix_conn *c = (struct vsock_unix_conn *)poll;

	if (status < 0) {
		conn_gone(c);
		return;
	}
	if (c->state == CONN_LINE)
		conn_line(c);
	else if ((events & UV_READABLE) && c->state == CONN_OPEN)
		conn_read(c);
	if ((events & UV_WRITABLE) && c->state == CONN_OPEN)
		conn_write(c);
	conn_watch(c);
}

/* ---- connections */

/* Takes over fd; NULL (and fd closed) if it cannot be had. */
static struct vsock_unix_conn *conn_new(struct vsock_unix *u, int fd, enum conn_state state,
					bool messages)
{
	struct vsock_unix_conn *c = u->count < CONNS_MAX ? malloc(sizeof(*c)) : NULL;

	if (!c) {
		close(fd);
		return NULL;
	}
	memset(c, 0, offsetof(struct vsock_unix_conn, buf));
	if (uv_poll_init(io_loop_uv(u->loop), &c->poll, fd) < 0) {
		close(fd);
		free(c);
		return NULL;
	}
	c->owner = u;
	c->state = state;
	c->fd = fd;
	c->offer = (struct work){.run = offer_again, .opaque = c};
	c->end = (struct vsock_end){
		.stream = {.write = end_write, .resume = end_resume, .opaque = c},
		.messages = messages,
		.opened = end_opened,
		.finish = end_finish,
		.close = end_close,
	};
	c->next = u->conns;
	u->conns = c;
	u->count++;
	conn_watch(c);
	return c;
}

static void accept_all(void *opaque)
{
	struct vsock_unix *u = opaque;
	int fd;

	while (u->count < CONNS_MAX) {
		fd = accept4(u->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0)
			return;
		conn_new(u, fd, CONN_LINE, false);
	}
	uv_poll_stop(u->listener); /* others wait in the socket's backlog */
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
	accept_all(poll->data);
}

static void accept_again(void *opaque)
{
	struct vsock_unix *u = opaque;

	uv_poll_start(u->listener, UV_READABLE, on_connection);
	accept_all(u);
}

/* The guest connects: at once, as Unix sockets do, or not at all. */
static struct vsock_end *host_connect(void *opaque, uint32_t port, bool messages)
{
	struct vsock_unix *u = opaque;
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct vsock_unix_conn *c;
	int n = snprintf(a.sun_path, sizeof(a.sun_path), "%s_%u", u->path, port), fd;

	if (n < 0 || (size_t)n >= sizeof(a.sun_path))
		return NULL;
	fd = socket(AF_UNIX,
		    (messages ? SOCK_SEQPACKET : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return NULL;
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		close(fd);
		return NULL;
	}
	c = conn_new(u, fd, CONN_OPEN, messages);
	return c ? &c->end : NULL;
}

int vsock_unix_create(struct vsock_unix **out, struct io_loop *loop, const char *path,
		      struct error *err)
{
	struct vsock_unix *u = calloc(1, sizeof(*u));
	int r;

	if (!u || !(u->path = strdup(path)) || !(u->listener = calloc(1, sizeof(uv_poll_t)))) {
		if (u)
			free(u->path);
		free(u);
		return error_set(err, -ENOMEM, "vsock %s: out of memory", path);
	}
	u->loop = loop;
	u->host = (struct vsock_host){host_connect, u};
	u->again = (struct work){.run = accept_again, .opaque = u};
	u->fd = unix_listen("vsock", path, err);
	r = u->fd < 0 ? u->fd : uv_poll_init(io_loop_uv(loop), u->listener, u->fd);
	if (r < 0) {
		if (u->fd >= 0) {
			error_set(err, r, "vsock %s: %s", path, uv_strerror(r));
			close(u->fd);
			unlink(path);
		}
		free(u->listener);
		free(u->path);
		free(u);
		return r;
	}
	u->listener->data = u;
	uv_poll_start(u->listener, UV_READABLE, on_connection);
	*out = u;
	return 0;
}

void vsock_unix_destroy(struct vsock_unix *u)
{
	if (!u)
		return;
	uv_poll_stop(u->listener);
	io_loop_close((uv_handle_t *)u->listener);
	u->listener = NULL;
	close(u->fd);
	unlink(u->path);
	while (u->conns)
		conn_free(u->conns);
	free(u->path);
	free(u);
}

const struct vsock_host *vsock_unix_host(struct vsock_unix *u)
{
	return &u->host;
}

void vsock_unix_device(struct vsock_unix *u, struct virtio_vsock *v)
{
	u->device = v;
}
