/*
 * 9P messages about extended attributes: xattrwalk, xattrcreate. Attributes of the user's name
 * space
 * ("user.") of files and folders are the host's; those of others (security, trusted, access lists)
 * mean something to the host's kernel and are neither shown nor taken.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "backend/p9/share.h"

static const char user_space[] = "user.";

/* Attributes have no call that takes an O_PATH descriptor. */
struct proc_path {
	char text[40];
};

static struct proc_path proc_path(const struct p9_node *n)
{
	struct proc_path p;

	snprintf(p.text, sizeof(p.text), "/proc/self/fd/%d", n->fd);
	return p;
}

static bool name_fine(const struct p9_node *n, const char *name)
{
	return strncmp(name, user_space, sizeof(user_space) - 1) == 0 &&
	       (S_ISREG(n->type) || S_ISDIR(n->type));
}

/* Leave only the names that are shown; returns the new length. */
static size_t list_filter(char *list, size_t len)
{
	size_t kept = 0;

	for (size_t at = 0; at < len;) {
		size_t bytes = strnlen(list + at, len - at) + 1;

		if (bytes > len - at)
			break;
		if (strncmp(list + at, user_space, sizeof(user_space) - 1) == 0) {
			memmove(list + kept, list + at, bytes);
			kept += bytes;
		}
		at += bytes;
	}
	return kept;
}

/* The value of an attribute, or with name "" the list of their names. The caller frees it. */
static ssize_t fetch(const struct p9_node *n, const char *name, uint8_t **out)
{
	struct proc_path p = proc_path(n);
	uint8_t *buf;
	ssize_t len;

	*out = NULL;
	if (name[0] && !name_fine(n, name))
		return -EOPNOTSUPP;
	if (!name[0] && !S_ISREG(n->type) && !S_ISDIR(n->type))
		return 0;
	buf = malloc(P9_XATTR_MAX);
	if (!buf)
		return -ENOMEM;
	len = name[0] ? getxattr(p.text, name, buf, P9_XATTR_MAX)
		      : listxattr(p.text, (char *)buf, P9_XATTR_MAX);
	if (len < 0) {
		len = -errno;
		free(buf);
		return len;
	}
	if (!name[0])
		len = (ssize_t)list_filter((char *)buf, (size_t)len);
	*out = realloc(buf, (size_t)len + 1);
	if (!*out)
		*out = buf;
	return len;
}

/* Bytes that a fid is to hold, counted; false when there are too many. Share's lock held. */
static bool account(struct p9_share *s, size_t bytes)
{
	if (bytes > P9_XATTRS_MAX - s->xattr_bytes)
		return false;
	s->xattr_bytes += bytes;
	return true;
}

void p9_xattr_free(struct p9_share *s, struct p9_fid *f)
{
	s->xattr_bytes -= f->xattr_bytes;
	free(f->xattr);
	free(f->xattr_name);
	f->xattr = NULL;
	f->xattr_name = NULL;
	f->xattr_bytes = 0;
}

/* Make newfid stand for the value. */
static int value_fid(struct p9_share *s, uint32_t newfid, struct p9_node *node, uint8_t *value,
		     size_t len)
{
	struct p9_held h;
	int r = p9_fid_add(s, newfid, p9_node_get(s, node), &h);
	bool room;

	if (r) {
		free(value);
		return r;
	}
	pthread_mutex_lock(&s->lock);
	room = account(s, len);
	if (room) {
		h.fid->xattr = value;
		h.fid->xattr_bytes = h.fid->xattr_filled = len;
		__atomic_store_n(&h.fid->use, P9_FID_XATTR_READ, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&s->lock);
	p9_release(s, &h);
	if (room)
		return 0;
	free(value);
	if (p9_fid_take(s, newfid, &h) == 0)
		p9_release(s, &h);
	return -ENOSPC;
}

/* size[4] Txattrwalk tag[2] fid[4] newfid[4] name[s] */
int p9_xattrwalk(struct p9_call *c)
{
	uint32_t fid = p9_take32(&c->in), newfid = p9_take32(&c->in);
	char name[XATTR_NAME_MAX + 1];
	struct p9_held h;
	uint8_t *value;
	ssize_t len;
	int r = p9_take_string(&c->in, name, sizeof(name));

	if (r)
		return r == -ENAMETOOLONG ? -ERANGE : r;
	r = p9_hold_path(c->share, fid, &h);
	if (r)
		return r;
	len = fetch(h.node, name, &value);
	r = len < 0 ? (int)len : value_fid(c->share, newfid, h.node, value, (size_t)len);
	p9_release(c->share, &h);
	if (r == 0)
		p9_put(&c->out, (uint64_t)len, 8);
	return r;
}

static int become_writer(struct p9_share *s, struct p9_fid *f, const char *name, size_t bytes,
			 uint32_t flags)
{
	uint8_t *value = malloc(bytes + 1);
	char *copy = strdup(name);
	int r = value && copy ? 0 : -ENOMEM;

	pthread_mutex_lock(&s->lock);
	if (r == 0 && (f->fd >= 0 || f->use != P9_FID_PATH))
		r = -EBUSY;
	if (r == 0 && !account(s, bytes))
		r = -ENOSPC;
	if (r == 0) {
		f->xattr = value;
		f->xattr_name = copy;
		f->xattr_bytes = bytes;
		f->xattr_flags = flags;
		__atomic_store_n(&f->use, P9_FID_XATTR_WRITE, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&s->lock);
	if (r) {
		free(value);
		free(copy);
	}
	return r;
}

/* size[4] Txattrcreate tag[2] fid[4] name[s] attr_size[8] flags[4]. Writes follow, and Tclunk sets
 * it; no bytes remove it. */
int p9_xattrcreate(struct p9_call *c)
{
	uint32_t fid = p9_take32(&c->in), flags;
	char name[XATTR_NAME_MAX + 1];
	struct p9_held h;
	uint64_t bytes;
	int r = p9_take_string(&c->in, name, sizeof(name));

	bytes = p9_take64(&c->in);
	flags = p9_take32(&c->in);
	if (r)
		return r == -ENAMETOOLONG ? -ERANGE : r;
	if (c->in.bad || flags & ~(uint32_t)(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	if (bytes > P9_XATTR_MAX)
		return -E2BIG;
	r = p9_hold_path(c->share, fid, &h);
	if (r)
		return r;
	if (!name_fine(h.node, name))
		r = -EOPNOTSUPP;
	else
		r = become_writer(c->share, h.fid, name, bytes, flags);
	p9_release(c->share, &h);
	return r;
}

int p9_xattr_read(struct p9_call *c, struct p9_fid *f, uint64_t offset, size_t count)
{
	size_t room = c->out.room - c->out.len - 4;

	if (p9_fid_use(f) != P9_FID_XATTR_READ || offset > f->xattr_bytes)
		return -EINVAL;
	if (count > f->xattr_bytes - offset)
		count = f->xattr_bytes - (size_t)offset;
	if (count > room)
		count = room;
	p9_put(&c->out, count, 4);
	if (count)
		p9_put_bytes(&c->out, f->xattr + offset, count);
	return 0;
}

/* The data is after the header in the client's memory. */
int p9_xattr_write(struct p9_call *c, struct p9_fid *f, uint64_t offset, size_t count)
{
	const struct p9_request *q = c->request;
	int r = 0;

	pthread_mutex_lock(&f->busy);
	if (p9_fid_use(f) != P9_FID_XATTR_WRITE || offset != f->xattr_filled)
		r = -EINVAL;
	else if (count > f->xattr_bytes - f->xattr_filled)
		r = -ENOSPC;
	else
		f->xattr_filled +=
			p9_gather(q->out, q->outs, P9_WRITE_HEADER, f->xattr + offset, count);
	pthread_mutex_unlock(&f->busy);
	if (r == 0)
		p9_put(&c->out, count, 4);
	return r;
}

int p9_xattr_commit(struct p9_share *s, struct p9_held *h)
{
	struct proc_path p = proc_path(h->node);
	struct p9_fid *f = h->fid;
	int r = 0;

	pthread_mutex_lock(&f->busy);
	if (f->xattr_filled != f->xattr_bytes)
		r = -EINVAL;
	else if (f->xattr_bytes)
		r = setxattr(p.text, f->xattr_name, f->xattr, f->xattr_bytes, (int)f->xattr_flags);
	else
		r = removexattr(p.text, f->xattr_name);
	pthread_mutex_unlock(&f->busy);
	return r == -1 ? -errno : r;
}
