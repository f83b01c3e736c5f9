/*
 * 9P messages about record locks: lock, getlock. The client's kernel settles what its own programs
 * lock against each other; what remains are the host's programs and other machines, for whom a fid
 * that opened the file is one owner ("open file description locks" of fcntl(2)). Nothing waits:
 * where the client would, it asks again.
 */
#define _GNU_SOURCE /* F_OFD_SETLK */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "backend/p9/share.h"

/* type[1], as Linux's; and status[1] */
enum { P9_RDLCK = 0, P9_WRLCK = 1, P9_UNLCK = 2 };
enum { P9_LOCK_SUCCESS = 0, P9_LOCK_BLOCKED = 1, P9_LOCK_ERROR = 2 };

struct lock {
	struct p9_held h;
	struct flock range;
	uint32_t proc_id;
	char client_id[NAME_MAX + 1];
	int fd;
	bool writable;
};

/* type[1] flags[4, Tlock only] start[8] length[8] proc_id[4] client_id[s] */
static int lock_parse(struct p9_call *c, struct lock *l, bool flags)
{
	static const short types[] = {F_RDLCK, F_WRLCK, F_UNLCK};
	uint32_t fid = p9_take32(&c->in);
	uint8_t type = p9_take8(&c->in);
	uint64_t start, len;
	int r;

	if (flags)
		p9_take32(&c->in);
	start = p9_take64(&c->in);
	len = p9_take64(&c->in);
	l->proc_id = p9_take32(&c->in);
	r = p9_take_string(&c->in, l->client_id, sizeof(l->client_id));
	if (r || c->in.bad || type > P9_UNLCK || start > INT64_MAX || len > INT64_MAX)
		return -EINVAL;
	l->range = (struct flock){.l_type = types[type],
				  .l_whence = SEEK_SET,
				  .l_start = (off_t)start,
				  .l_len = (off_t)len};
	r = p9_hold_path(c->share, fid, &l->h);
	if (r)
		return r;
	pthread_mutex_lock(&c->share->lock);
	l->fd = l->h.fid->fd;
	l->writable = l->h.fid->writable;
	pthread_mutex_unlock(&c->share->lock);
	if (l->fd >= 0)
		return 0;
	p9_release(c->share, &l->h);
	return -EBADF;
}

/* A file opened for reading only can be locked for itself by flock(2) on the client, but not by a
 * record lock: that stays among the client's programs. */
static uint8_t lock_set(struct lock *l)
{
	if (l->range.l_type == F_WRLCK && !l->writable)
		return P9_LOCK_SUCCESS;
	if (fcntl(l->fd, F_OFD_SETLK, &l->range) == 0)
		return P9_LOCK_SUCCESS;
	return errno == EAGAIN || errno == EACCES ? P9_LOCK_BLOCKED : P9_LOCK_ERROR;
}

int p9_lock(struct p9_call *c)
{
	struct lock l;
	int r = lock_parse(c, &l, true);

	if (r)
		return r;
	p9_put(&c->out, lock_set(&l), 1);
	p9_release(c->share, &l.h);
	return 0;
}

/* Answers with the lock that is in the way, or with type P9_UNLCK. */
int p9_getlock(struct p9_call *c)
{
	struct lock l;
	int r = lock_parse(c, &l, false);
	uint8_t type = P9_UNLCK;

	if (r)
		return r;
	if (l.range.l_type != F_UNLCK && fcntl(l.fd, F_OFD_GETLK, &l.range) < 0)
		r = -errno;
	p9_release(c->share, &l.h);
	if (r)
		return r;
	if (l.range.l_type != F_UNLCK)
		type = l.range.l_type == F_WRLCK ? P9_WRLCK : P9_RDLCK;
	p9_put(&c->out, type, 1);
	p9_put(&c->out, (uint64_t)l.range.l_start, 8);
	p9_put(&c->out, (uint64_t)l.range.l_len, 8);
	p9_put(&c->out, l.proc_id, 4);
	p9_put_string(&c->out, l.client_id, strlen(l.client_id));
	return 0;
}
