/* A stream at a Unix socket: listens, and serves one connection after the other. */
#define _GNU_SOURCE /* accept4 */
#include "backend/stream/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct socket_stream {
	struct fd_stream fd;
	int listen_fd;
	uv_poll_t *listener;
	char *path;
};

static int address(const char *what, const char *path, struct sockaddr_un *a, struct error *err)
{
	*a = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (!*path || strlen(path) >= sizeof(a->sun_path))
		return error_set(err, -ENAMETOOLONG,
				 "%s %s: a socket's path has 1 to %zu characters", what, path,
				 sizeof(a->sun_path) - 1);
	strcpy(a->sun_path, path);
	return 0;
}

/* Remove a socket that nobody listens at any more. */
static int clear_stale(const char *what, const struct sockaddr_un *a, struct error *err)
{
	struct stat st;
	int fd, r;

	if (lstat(a->sun_path, &st) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return error_set(err, -EEXIST, "%s %s: there is a file that is no socket", what,
				 a->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set(err, -errno, "%s %s: %s", what, a->sun_path, strerror(errno));
	r = connect(fd, (const struct sockaddr *)a, sizeof(*a)) < 0 ? -errno : 0;
	close(fd);
	if (r != -ECONNREFUSED)
		return error_set(err, -EADDRINUSE, "%s %s: another process listens there", what,
				 a->sun_path);
	unlink(a->sun_path);
	return 0;
}

int unix_listen(const char *what, const char *path, struct error *err)
{
	struct sockaddr_un a;
	int fd, r = address(what, path, &a, err);

	if (r == 0)
		r = clear_stale(what, &a, err);
	if (r)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, SOMAXCONN) < 0) {
		r = error_set(err, -errno, "%s %s: %s", what, path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return r;
	}
	return fd;
}

static void on_connection(uv_poll_t *poll, int status, int events);

static void set_connected(struct socket_stream *s, bool yes)
{
	struct stream_client *c = &s->fd.stream.client;

	if (yes)
		uv_poll_stop(s->listener); /* others wait in the socket's backlog */
	else
		uv_poll_start(s->listener, UV_READABLE, on_connection);
	if (c->connected)
		c->connected(c->opaque, yes);
	if (!yes && c->writable)
		c->writable(c->opaque); /* what waited for room is dropped from now on */
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
	struct socket_stream *s = poll->data;
	int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0 && fd_stream_attach(&s->fd, fd, true) == 0)
		set_connected(s, true);
}

static void socket_gone(struct fd_stream *f)
{
	set_connected((struct socket_stream *)f, false);
}

static void socket_destroy(struct fd_stream *f)
{
	struct socket_stream *s = (struct socket_stream *)f;

	if (s->listener) {
		uv_poll_stop(s->listener);
		io_loop_close((uv_handle_t *)s->listener);
	}
	if (s->listen_fd >= 0) {
		close(s->listen_fd);
		unlink(s->path);
	}
	free(s->path);
	free(s);
}

static int start_listening(struct socket_stream *s, struct error *err)
{
	int r;

	s->listen_fd = unix_listen("console", s->path, err);
	if (s->listen_fd < 0)
		return s->listen_fd;
	s->listener = calloc(1, sizeof(*s->listener));
	r = s->listener ? uv_poll_init(io_loop_uv(s->fd.loop), s->listener, s->listen_fd) : -ENOMEM;
	if (r < 0) {
		free(s->listener);
		s->listener = NULL;
		return error_set(err, r, "console %s: %s", s->path, uv_strerror(r));
	}
	s->listener->data = s;
	uv_poll_start(s->listener, UV_READABLE, on_connection);
	return 0;
}

int stream_socket_open(struct stream **out, struct io_loop *l, const char *path, struct error *err)
{
	struct socket_stream *s = calloc(1, sizeof(*s));
	int r;

	if (!s || !(s->path = strdup(path))) {
		free(s);
		return error_set(err, -ENOMEM, "out of memory");
	}
	fd_stream_init(&s->fd, l);
	s->fd.socket = true;
	s->fd.gone = socket_gone;
	s->fd.destroy = socket_destroy;
	s->listen_fd = -1;
	r = start_listening(s, err);
	if (r < 0) {
		stream_close(&s->fd.stream);
		return r;
	}
	*out = &s->fd.stream;
	return 0;
}
