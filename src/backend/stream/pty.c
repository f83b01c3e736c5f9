/* A stream at a pseudo-terminal. Its terminal end is kept open here too, so that people can come
 * and go. */
#define _GNU_SOURCE /* posix_openpt and its like */
#include "backend/stream/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

struct pty_stream {
	struct fd_stream fd;
	int terminal_fd;
	char name[64];
	char *link;
};

static void pty_destroy(struct fd_stream *f)
{
	struct pty_stream *p = (struct pty_stream *)f;

	if (p->terminal_fd >= 0)
		close(p->terminal_fd);
	if (p->link)
		unlink(p->link);
	free(p->link);
	free(p);
}

/* As the guest writes it: no echo, no translation of newlines. */
static void make_raw(int fd)
{
	struct termios t;

	if (tcgetattr(fd, &t) == 0) {
		cfmakeraw(&t);
		tcsetattr(fd, TCSANOW, &t);
	}
}

static int open_ends(struct pty_stream *p)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	if (grantpt(fd) < 0 || unlockpt(fd) < 0 || ptsname_r(fd, p->name, sizeof(p->name)) ||
	    (p->terminal_fd = open(p->name, O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	make_raw(p->terminal_fd);
	return fd_stream_attach(&p->fd, fd, true);
}

static int make_link(struct pty_stream *p, const char *link, struct error *err)
{
	if (symlink(p->name, link) < 0)
		return error_set(err, -errno, "console pty=%s: cannot make the link: %s", link,
				 strerror(errno));
	p->link = strdup(link);
	return 0;
}

int stream_pty_open(struct stream **out, struct io_loop *l, const char *link, const char **name,
		    struct error *err)
{
	struct pty_stream *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return error_set(err, -ENOMEM, "out of memory");
	fd_stream_init(&p->fd, l);
	p->fd.destroy = pty_destroy;
	p->terminal_fd = -1;
	r = open_ends(p);
	if (r)
		error_set(err, r, "console pty: %s", strerror(-r));
	if (r == 0 && link)
		r = make_link(p, link, err);
	if (r) {
		stream_close(&p->fd.stream);
		return r;
	}
	*out = &p->fd.stream;
	*name = p->name;
	return 0;
}
