/* 9P messages about contents: lopen, lcreate, read, write, fsync. Data goes between the file and
 * the client's memory without a copy. */
#define _GNU_SOURCE /* O_PATH, preadv */
#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "backend/p9/share.h"
#include "base/bits.h"
#include "host/host.h"

_Static_assert(sizeof(struct io_piece) == sizeof(struct iovec) &&
		       offsetof(struct io_piece, len) == offsetof(struct iovec, iov_len),
	       "laid out alike");

/* flags[4] of Tlopen and Tlcreate: Linux's, as on most of its architectures. Others do not concern
 * the server. */
enum {
	P9_O_ACCMODE = 03,
	P9_O_CREATE = 0100,
	P9_O_EXCL = 0200,
	P9_O_TRUNC = 01000,
	P9_O_APPEND = 02000,
	P9_O_DSYNC = 010000,
	P9_O_DIRECTORY = 0200000,
	P9_O_SYNC = 04000000,
};

enum { PIECES_MAX = VIRTQ_SEGS_MAX };
enum { WRITE_SLOW_NS = 2000000, WRITE_PENALTY_NS = 500000000 };

static int host_flags(uint32_t flags)
{
	int f = (int)(flags & P9_O_ACCMODE);

	if (f == P9_O_ACCMODE)
		return -EINVAL;
	f |= flags & P9_O_TRUNC ? O_TRUNC : 0;
	f |= flags & P9_O_APPEND ? O_APPEND : 0;
	f |= flags & P9_O_DSYNC ? O_DSYNC : 0;
	f |= (flags & (P9_O_SYNC | P9_O_DSYNC)) == (P9_O_SYNC | P9_O_DSYNC) ? O_SYNC : 0;
	return f;
}

static bool flags_write(int flags)
{
	return (flags & O_ACCMODE) != O_RDONLY;
}

static void put_opened(struct p9_call *c, const struct stat *st)
{
	p9_put_qid(&c->out, p9_qid(c->share, st));
	p9_put(&c->out, 0, 4); /* iounit: as much as msize allows */
}

static int open_node(struct p9_call *c, struct p9_fid *f, struct p9_node *n, int flags,
		     struct p9_node *becomes)
{
	struct stat st;
	int fd = p9_reopen(c->share, n, flags), r;

	if (fd < 0) {
		p9_node_put(c->share, becomes);
		return fd;
	}
	r = fstat(fd, &st) < 0 ? -errno : 0;
	if (r == 0)
		put_opened(c, &st);
	if (r == 0)
		return p9_fid_open(c->share, f, fd, flags_write(flags), becomes);
	close(fd);
	p9_descriptor_give(c->share);
	p9_node_put(c->share, becomes);
	return r;
}

/* size[4] Tlopen tag[2] fid[4] flags[4] */
int p9_lopen(struct p9_call *c)
{
	uint32_t fid = p9_take32(&c->in), asked = p9_take32(&c->in);
	int flags = host_flags(asked), r;
	struct p9_held h;

	if (c->in.bad)
		return -EINVAL;
	if (flags < 0)
		return flags;
	if (c->share->readonly && (flags_write(flags) || flags & O_TRUNC))
		return -EROFS;
	r = p9_hold_path(c->share, fid, &h);
	if (r)
		return r;
	if (asked & P9_O_DIRECTORY && !S_ISDIR(h.node->type))
		r = -ENOTDIR;
	else
		r = open_node(c, h.fid, h.node, flags, NULL);
	p9_release(c->share, &h);
	return r;
}

/* Make a file that is not there, and open it. */
static int create_new(struct p9_call *c, struct p9_held *dir, const char *name, int flags,
		      mode_t mode)
{
	struct p9_share *s = c->share;
	struct p9_node *n;
	struct stat st;
	int fd, path, r = p9_descriptor_take(s);

	if (r)
		return r;
	fd = openat(dir->node->fd, name,
		    flags | O_CREAT | O_EXCL | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
		    mode & 0777);
	if (fd < 0) {
		r = -errno;
		p9_descriptor_give(s);
		return r;
	}
	path = openat(s->proc, p9_fd_name(fd).text, O_PATH | O_CLOEXEC);
	r = path < 0 ? -errno : p9_node_make(s, &n, dir->node, name, path, &st);
	if (r) {
		close(fd);
		p9_descriptor_give(s);
		return r;
	}
	p9_fix_mode(s, n, &st, mode); /* the file is there and open, whatever comes of it */
	put_opened(c, &st);
	return p9_fid_open(s, dir->fid, fd, flags_write(flags), n);
}

/* The name is taken: open what is there, unless it must be new. */
static int create_existing(struct p9_call *c, struct p9_held *dir, const char *name, int flags)
{
	struct p9_node *n;
	int r = p9_child(c->share, dir->node, name, &n, NULL);

	if (r)
		return r;
	if (S_ISDIR(n->type)) {
		p9_node_put(c->share, n);
		return -EISDIR;
	}
	return open_node(c, dir->fid, n, flags, n);
}

/* size[4] Tlcreate tag[2] fid[4] name[s] flags[4] mode[4] gid[4]. The fid of the folder becomes the
 * file's. */
int p9_lcreate(struct p9_call *c)
{
	uint32_t fid = p9_take32(&c->in), asked, mode;
	char name[NAME_MAX + 1];
	int r = p9_take_name(&c->in, name), flags;
	struct p9_held h;

	if (r)
		return r;
	asked = p9_take32(&c->in);
	mode = p9_take32(&c->in);
	p9_take32(&c->in);
	flags = host_flags(asked);
	if (c->in.bad || flags < 0)
		return -EINVAL;
	r = p9_hold_path(c->share, fid, &h);
	if (r)
		return r;
	if (!S_ISDIR(h.node->type)) {
		r = -ENOTDIR;
	} else {
		r = create_new(c, &h, name, flags, mode);
		if (r == -EEXIST && !(asked & P9_O_EXCL))
			r = create_existing(c, &h, name, flags);
	}
	p9_release(c->share, &h);
	return r;
}

/* ---- data */

/* The part [skip, skip + len) of some pieces, fewer bytes where they end; returns how many pieces.
 */
static int pieces_cut(const struct io_piece *from, unsigned n, size_t skip, size_t len,
		      struct iovec *to)
{
	int made = 0;

	for (unsigned i = 0; i < n && i < PIECES_MAX && len; i++) {
		size_t bytes = from[i].len;

		if (skip >= bytes) {
			skip -= bytes;
			continue;
		}
		bytes = bytes - skip < len ? bytes - skip : len;
		to[made++] = (struct iovec){(char *)from[i].base + skip, bytes};
		skip = 0;
		len -= bytes;
	}
	return made;
}

static int opened(struct p9_share *s, const struct p9_held *h, bool write)
{
	int fd;

	pthread_mutex_lock(&s->lock);
	fd = !write || h->fid->writable ? h->fid->fd : -1;
	pthread_mutex_unlock(&s->lock);
	return fd < 0 ? -EBADF : fd;
}

/* What the page cache has; -EAGAIN unless that is all there is to read. */
static ssize_t read_now(int fd, const struct iovec *piece, int n, uint64_t offset, size_t count)
{
	ssize_t got = preadv2(fd, piece, n, (off_t)offset, RWF_NOWAIT);
	struct stat st;

	if (got == (ssize_t)count)
		return got;
	if (got >= 0 && fstat(fd, &st) == 0 && offset + (uint64_t)got >= (uint64_t)st.st_size)
		return got;
	errno = EAGAIN; /* a real error will be met again */
	return -1;
}

static int read_file(struct p9_call *c, const struct p9_held *h, uint64_t offset, size_t count)
{
	struct iovec piece[PIECES_MAX];
	int fd = opened(c->share, h, false), n;
	ssize_t got;

	if (fd < 0)
		return fd;
	if (S_ISDIR(h->node->type))
		return -EISDIR;
	if (offset > INT64_MAX)
		return -EINVAL;
	n = pieces_cut(c->request->in, c->request->ins, P9_READ_HEADER, count, piece);
	do {
		got = c->now ? read_now(fd, piece, n, offset, count)
			     : preadv(fd, piece, n, (off_t)offset);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	c->data = (size_t)got;
	p9_put(&c->out, (uint64_t)got, 4);
	return 0;
}

/* size[4] Tread tag[2] fid[4] offset[8] count[4] */
int p9_read(struct p9_call *c)
{
	uint32_t fid = p9_take32(&c->in);
	uint64_t offset = p9_take64(&c->in);
	size_t count = p9_take32(&c->in), room = c->request->in_bytes;
	struct p9_held h;
	int r;

	if (c->in.bad || room < P9_READ_HEADER)
		return -EINVAL;
	room = (room < c->msize ? room : c->msize) - P9_READ_HEADER;
	count = count < room ? count : room;
	r = p9_hold(c->share, fid, &h);
	if (r)
		return r;
	if (p9_fid_use(h.fid) == P9_FID_PATH)
		r = read_file(c, &h, offset, count);
	else if (c->now)
		r = -EAGAIN;
	else
		r = p9_xattr_read(c, h.fid, offset, count);
	p9_release(c->share, &h);
	return r;
}

/* The page cache takes microseconds, unless the host is short of clean pages or there is none: one
 * that does not sends the next ones to threads. */
static ssize_t write_now(struct p9_share *s, int fd, const struct iovec *piece, int n,
			 uint64_t offset)
{
	uint64_t begin = host_time_ns(), end;
	int flags = fcntl(fd, F_GETFL);
	ssize_t put;

	if (begin < s->slow_until_ns || flags < 0 || (flags & (O_DSYNC | O_SYNC))) {
		errno = EAGAIN;
		return -1;
	}
	put = pwritev(fd, piece, n, (off_t)offset);
	end = host_time_ns();
	if (end - begin > WRITE_SLOW_NS)
		s->slow_until_ns = end + WRITE_PENALTY_NS;
	return put;
}

static int write_file(struct p9_call *c, const struct p9_held *h, uint64_t offset, size_t count)
{
	struct iovec piece[PIECES_MAX];
	int fd = opened(c->share, h, true), n;
	ssize_t put;

	if (fd < 0)
		return fd;
	if (offset > INT64_MAX)
		return -EINVAL;
	n = pieces_cut(c->request->out, c->request->outs, P9_WRITE_HEADER, count, piece);
	do {
		put = c->now ? write_now(c->share, fd, piece, n, offset)
			     : pwritev(fd, piece, n, (off_t)offset);
	} while (put < 0 && errno == EINTR);
	if (put < 0)
		return -errno;
	p9_put(&c->out, (uint64_t)put, 4);
	return 0;
}

/* size[4] Twrite tag[2] fid[4] offset[8] count[4] data[count]. Clients older than Linux 5.1 leave
 * the data out of size. */
int p9_write(struct p9_call *c)
{
	uint32_t fid = p9_take32(&c->in);
	uint64_t offset = p9_take64(&c->in);
	size_t count = p9_take32(&c->in);
	struct p9_held h;
	int r;

	if (c->in.bad || count > c->request->out_bytes - P9_WRITE_HEADER ||
	    count > c->msize - P9_WRITE_HEADER)
		return -EINVAL;
	r = p9_hold(c->share, fid, &h);
	if (r)
		return r;
	if (p9_fid_use(h.fid) == P9_FID_PATH)
		r = write_file(c, &h, offset, count);
	else if (c->now)
		r = -EAGAIN;
	else
		r = p9_xattr_write(c, h.fid, offset, count);
	p9_release(c->share, &h);
	return r;
}

/* size[4] Tfsync tag[2] fid[4] datasync[4]; older clients leave the last out. */
int p9_fsync(struct p9_call *c)
{
	uint32_t fid = p9_take32(&c->in);
	bool only_data;
	struct p9_held h;
	int r, fd;

	if (c->in.bad)
		return -EINVAL;
	only_data = p9_take32(&c->in) != 0;
	r = p9_hold_path(c->share, fid, &h);
	if (r)
		return r;
	fd = opened(c->share, &h, false);
	if (fd < 0)
		r = fd;
	else
		r = (only_data ? fdatasync(fd) : fsync(fd)) < 0 ? -errno : 0;
	p9_release(c->share, &h);
	return r;
}
