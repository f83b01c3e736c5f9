/* 9P messages about attributes: statfs, getattr, setattr. */
#define _GNU_SOURCE /* AT_EMPTY_PATH */
#include <errno.h>
#include <fcntl.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "backend/p9/share.h"

enum {
	P9_FS_MAGIC = 0x01021997,
	P9_GETATTR_BASIC = 0x7ff,
};

/* valid[4] of Tsetattr */
enum {
	SET_MODE = 0x001,
	SET_UID = 0x002,
	SET_GID = 0x004,
	SET_SIZE = 0x008,
	SET_ATIME = 0x010,
	SET_MTIME = 0x020,
	SET_ATIME_TO = 0x080, /* else to now */
	SET_MTIME_TO = 0x100,
};

/* size[4] Tstatfs tag[2] fid[4] */
int p9_statfs(struct p9_call *c)
{
	uint32_t fid = p9_take32(&c->in);
	struct p9_held h;
	struct statfs f;
	int r;

	if (c->in.bad)
		return -EINVAL;
	r = p9_hold(c->share, fid, &h);
	if (r)
		return r;
	r = fstatfs(h.node->fd, &f) < 0 ? -errno : 0;
	p9_release(c->share, &h);
	if (r)
		return r;
	p9_put(&c->out, P9_FS_MAGIC, 4);
	p9_put(&c->out, (uint64_t)f.f_bsize, 4);
	p9_put(&c->out, f.f_blocks, 8);
	p9_put(&c->out, f.f_bfree, 8);
	p9_put(&c->out, f.f_bavail, 8);
	p9_put(&c->out, f.f_files, 8);
	p9_put(&c->out, f.f_ffree, 8);
	p9_put(&c->out, (uint32_t)f.f_fsid.__val[0] | (uint64_t)(uint32_t)f.f_fsid.__val[1] << 32,
	       8);
	p9_put(&c->out, (uint64_t)f.f_namelen, 4);
	return 0;
}

static void put_time(struct p9_out *out, struct timespec t)
{
	p9_put(out, (uint64_t)t.tv_sec, 8);
	p9_put(out, (uint64_t)t.tv_nsec, 8);
}

/* size[4] Tgetattr tag[2] fid[4] request_mask[8]. All basic fields are given, whatever is asked
 * for; there is no birth time, generation or data version. */
int p9_getattr(struct p9_call *c)
{
	uint32_t fid = p9_take32(&c->in);
	struct p9_held h;
	struct stat st;
	int r;

	p9_take64(&c->in);
	if (c->in.bad)
		return -EINVAL;
	r = p9_hold(c->share, fid, &h);
	if (r)
		return r;
	r = fstat(h.node->fd, &st) < 0 ? -errno : 0;
	p9_release(c->share, &h);
	if (r)
		return r;
	p9_put(&c->out, P9_GETATTR_BASIC, 8);
	p9_put_qid(&c->out, p9_qid(c->share, &st));
	p9_put(&c->out, st.st_mode, 4);
	p9_put(&c->out, st.st_uid, 4);
	p9_put(&c->out, st.st_gid, 4);
	p9_put(&c->out, st.st_nlink, 8);
	p9_put(&c->out, st.st_rdev, 8);
	p9_put(&c->out, (uint64_t)st.st_size, 8);
	p9_put(&c->out, (uint64_t)st.st_blksize, 8);
	p9_put(&c->out, (uint64_t)st.st_blocks, 8);
	put_time(&c->out, st.st_atim);
	put_time(&c->out, st.st_mtim);
	put_time(&c->out, st.st_ctim);
	for (unsigned i = 0; i < 4; i++) /* btime, gen, data_version */
		p9_put(&c->out, 0, 8);
	return 0;
}

struct setattr {
	uint32_t valid, mode, uid, gid;
	uint64_t size;
	struct timespec time[2]; /* access, modification */
};

static void setattr_parse(struct p9_in *in, struct setattr *a)
{
	a->valid = p9_take32(in);
	a->mode = p9_take32(in);
	a->uid = p9_take32(in);
	a->gid = p9_take32(in);
	a->size = p9_take64(in);
	for (unsigned i = 0; i < 2; i++) {
		a->time[i].tv_sec = (time_t)p9_take64(in);
		a->time[i].tv_nsec = (long)p9_take64(in);
	}
}

/* A file opened for writing is cut through what opened it, whatever its mode says now. */
static int set_size(struct p9_share *s, struct p9_held *h, uint64_t size)
{
	int fd, r;

	if (size > INT64_MAX)
		return -EFBIG;
	if (!S_ISREG(h->node->type))
		return S_ISDIR(h->node->type) ? -EISDIR : -EINVAL;
	pthread_mutex_lock(&s->lock);
	fd = h->fid->writable ? h->fid->fd : -1; /* open as long as the fid is held */
	pthread_mutex_unlock(&s->lock);
	if (fd >= 0)
		return ftruncate(fd, (off_t)size) < 0 ? -errno : 0;
	fd = p9_reopen(s, h->node, O_WRONLY);
	if (fd < 0)
		return fd;
	r = ftruncate(fd, (off_t)size) < 0 ? -errno : 0;
	close(fd);
	p9_descriptor_give(s);
	return r;
}

static void pick_time(struct timespec *t, uint32_t valid, uint32_t set, uint32_t to)
{
	if (!(valid & set))
		*t = (struct timespec){0, UTIME_OMIT};
	else if (!(valid & to))
		*t = (struct timespec){0, UTIME_NOW};
	else if (t->tv_nsec < 0 || t->tv_nsec > 999999999)
		t->tv_nsec = 0; /* UTIME_NOW and UTIME_OMIT are numbers, too */
}

static int set_times(struct p9_share *s, const struct p9_node *n, struct setattr *a)
{
	pick_time(&a->time[0], a->valid, SET_ATIME, SET_ATIME_TO);
	pick_time(&a->time[1], a->valid, SET_MTIME, SET_MTIME_TO);
	return utimensat(s->proc, p9_fd_name(n->fd).text, a->time, 0) < 0 ? -errno : 0;
}

/* Owner before mode: a change of owner takes bits of the mode away. Size before times. */
static int setattr_apply(struct p9_share *s, struct p9_held *h, struct setattr *a)
{
	int r = 0;

	if (a->valid & (SET_UID | SET_GID)) {
		uid_t uid = a->valid & SET_UID ? a->uid : (uid_t)-1;
		gid_t gid = a->valid & SET_GID ? a->gid : (gid_t)-1;

		r = fchownat(h->node->fd, "", uid, gid, AT_EMPTY_PATH) < 0 ? -errno : 0;
	}
	if (r == 0 && a->valid & SET_MODE)
		r = p9_set_mode(s, h->node, a->mode);
	if (r == 0 && a->valid & SET_SIZE)
		r = set_size(s, h, a->size);
	if (r == 0 && a->valid & (SET_ATIME | SET_MTIME))
		r = set_times(s, h->node, a);
	return r;
}

/* size[4] Tsetattr tag[2] fid[4] valid[4] mode[4] uid[4] gid[4] size[8] atime_sec[8] atime_nsec[8]
 * mtime_sec[8] mtime_nsec[8] */
int p9_setattr(struct p9_call *c)
{
	uint32_t fid = p9_take32(&c->in);
	struct setattr a;
	struct p9_held h;
	int r;

	setattr_parse(&c->in, &a);
	if (c->in.bad)
		return -EINVAL;
	r = p9_hold_path(c->share, fid, &h);
	if (r)
		return r;
	r = setattr_apply(c->share, &h, &a);
	p9_release(c->share, &h);
	return r;
}
