/* 9P messages about folder entries: readdir, mkdir, mknod, symlink, readlink, link, rename,
 * renameat, unlinkat, remove. */
#define _GNU_SOURCE /* getdents64, O_PATH */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backend/p9/share.h"

enum { P9_AT_REMOVEDIR = 0x200 };

/* ---- reading */

/* The qid of an entry, from what the entry says; only where that is not enough the file is asked.
 */
static struct p9_qid entry_qid(struct p9_share *s, const struct p9_node *dir, int fd,
			       struct dirent64 *e)
{
	struct stat st;

	if (dir == s->root && strcmp(e->d_name, "..") == 0)
		return (struct p9_qid){P9_QID_DIR, 0, p9_qid_path(s, dir->dev, dir->ino)};
	if (e->d_type == DT_UNKNOWN && fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		e->d_type = IFTODT(st.st_mode);
	return (struct p9_qid){p9_qid_type(DTTOIF(e->d_type)), 0,
			       p9_qid_path(s, dir->dev, e->d_ino)};
}

/* Put entries while they fit; false when one did not. */
static bool put_entries(struct p9_call *c, const struct p9_node *dir, int fd, size_t len)
{
	uint8_t *at = c->scratch->entries, *end = at + len;

	while (at < end) {
		struct dirent64 *e = (struct dirent64 *)(void *)at;
		size_t name = strlen(e->d_name);

		if (c->out.room - c->out.len < P9_QID_BYTES + 8 + 1 + 2 + name)
			return false;
		p9_put_qid(&c->out, entry_qid(c->share, dir, fd, e));
		p9_put(&c->out, (uint64_t)e->d_off, 8);
		p9_put(&c->out, e->d_type, 1);
		p9_put_string(&c->out, e->d_name, name);
		at += e->d_reclen;
	}
	return true;
}

static int readdir_fill(struct p9_call *c, const struct p9_node *dir, int fd, uint64_t offset)
{
	size_t first = c->out.len;

	if (offset > INT64_MAX || lseek(fd, (off_t)offset, SEEK_SET) < 0)
		return -EINVAL;
	for (;;) {
		ssize_t n = getdents64(fd, c->scratch->entries, sizeof(c->scratch->entries));

		if (n < 0)
			return c->out.len > first ? 0 : -errno;
		if (n == 0 || !put_entries(c, dir, fd, (size_t)n))
			return 0;
	}
}

/* size[4] Treaddir tag[2] fid[4] offset[8] count[4]. Offsets are the host's cookies. */
int p9_readdir(struct p9_call *c)
{
	uint32_t fid = p9_take32(&c->in);
	uint64_t offset = p9_take64(&c->in);
	uint32_t count = p9_take32(&c->in);
	size_t at = c->out.len, room = c->out.room;
	struct p9_out count_out = {.room = 4};
	struct p9_held h;
	int r, fd;

	if (c->in.bad)
		return -EINVAL;
	r = p9_hold_path(c->share, fid, &h);
	if (r)
		return r;
	p9_put(&c->out, 0, 4);
	if (c->out.room - c->out.len > count)
		c->out.room = c->out.len + count;
	pthread_mutex_lock(&h.fid->busy);
	pthread_mutex_lock(&c->share->lock);
	fd = h.fid->fd;
	pthread_mutex_unlock(&c->share->lock);
	if (fd < 0)
		r = -EBADF;
	else
		r = S_ISDIR(h.node->type) ? readdir_fill(c, h.node, fd, offset) : -ENOTDIR;
	pthread_mutex_unlock(&h.fid->busy);
	p9_release(c->share, &h);
	c->out.room = room;
	count_out.buf = c->out.buf + at;
	p9_put(&count_out, c->out.len - at - 4, 4);
	return r;
}

/* size[4] Treadlink tag[2] fid[4] */
int p9_readlink(struct p9_call *c)
{
	uint32_t fid = p9_take32(&c->in);
	char target[PATH_MAX];
	struct p9_held h;
	ssize_t n = 0;
	int r;

	if (c->in.bad)
		return -EINVAL;
	r = p9_hold_path(c->share, fid, &h);
	if (r)
		return r;
	if (!S_ISLNK(h.node->type))
		r = -EINVAL;
	else if ((n = readlinkat(h.node->fd, "", target, sizeof(target))) < 0)
		r = -errno;
	p9_release(c->share, &h);
	if (r == 0)
		p9_put_string(&c->out, target, (size_t)n);
	return r;
}

/* ---- making */

/* Hold a folder and take a name in it. */
static int folder_and_name(struct p9_call *c, struct p9_held *h, char name[NAME_MAX + 1])
{
	uint32_t fid = p9_take32(&c->in);
	int r = p9_take_name(&c->in, name);

	*h = (struct p9_held){NULL, NULL};
	if (r)
		return r;
	r = p9_hold_path(c->share, fid, h);
	if (r == 0 && !S_ISDIR(h->node->type)) {
		p9_release(c->share, h);
		r = -ENOTDIR;
	}
	return r;
}

/* Answer with the qid of what was made, after giving it the mode it was asked to have. */
static int made(struct p9_call *c, struct p9_node *dir, const char *name, mode_t type, mode_t mode)
{
	struct p9_node *n;
	struct stat st;
	int r = p9_child(c->share, dir, name, &n, &st);

	if (r)
		return r;
	if (type != S_IFLNK && n->type == type)
		r = p9_fix_mode(c->share, n, &st, mode);
	p9_node_put(c->share, n);
	p9_put_qid(&c->out, p9_qid(c->share, &st));
	return r;
}

/* size[4] Tmkdir tag[2] dfid[4] name[s] mode[4] gid[4] */
int p9_mkdir(struct p9_call *c)
{
	char name[NAME_MAX + 1];
	struct p9_held h;
	uint32_t mode;
	int r = folder_and_name(c, &h, name);

	if (r)
		return r;
	mode = p9_take32(&c->in) & 01777;
	p9_take32(&c->in);
	if (c->in.bad)
		r = -EINVAL;
	else if (mkdirat(h.node->fd, name, mode) < 0)
		r = -errno;
	else
		r = made(c, h.node, name, S_IFDIR, mode);
	p9_release(c->share, &h);
	return r;
}

/* size[4] Tmknod tag[2] dfid[4] name[s] mode[4] major[4] minor[4] gid[4]. Device files are not
 * made: on the host they would be doors to its devices. */
int p9_mknod(struct p9_call *c)
{
	char name[NAME_MAX + 1];
	struct p9_held h;
	uint32_t mode, type;
	int r = folder_and_name(c, &h, name);

	if (r)
		return r;
	mode = p9_take32(&c->in);
	p9_take64(&c->in);
	p9_take32(&c->in);
	type = mode & S_IFMT;
	if (c->in.bad)
		r = -EINVAL;
	else if (type != S_IFIFO && type != S_IFSOCK && type != S_IFREG)
		r = -EPERM;
	else if (mknodat(h.node->fd, name, type | (mode & 0777), 0) < 0)
		r = -errno;
	else
		r = made(c, h.node, name, type, mode & 0777);
	p9_release(c->share, &h);
	return r;
}

/* size[4] Tsymlink tag[2] fid[4] name[s] symtgt[s] gid[4] */
int p9_symlink(struct p9_call *c)
{
	char name[NAME_MAX + 1], target[PATH_MAX];
	struct p9_held h;
	int r = folder_and_name(c, &h, name);

	if (r)
		return r;
	r = p9_take_string(&c->in, target, sizeof(target));
	p9_take32(&c->in);
	if (r == 0 && c->in.bad)
		r = -EINVAL;
	if (r == 0 && symlinkat(target, h.node->fd, name) < 0)
		r = -errno;
	if (r == 0)
		r = made(c, h.node, name, S_IFLNK, 0);
	p9_release(c->share, &h);
	return r;
}

/* size[4] Tlink tag[2] dfid[4] fid[4] name[s]. Through /proc the descriptor itself is linked, a
 * symbolic link as such. */
int p9_link(struct p9_call *c)
{
	uint32_t dfid = p9_take32(&c->in), fid = p9_take32(&c->in);
	struct p9_held dir, file;
	char name[NAME_MAX + 1];
	int r = p9_take_name(&c->in, name);

	if (r)
		return r;
	r = p9_hold_path(c->share, dfid, &dir);
	if (r)
		return r;
	r = p9_hold_path(c->share, fid, &file);
	if (r == 0 && linkat(c->share->proc, p9_fd_name(file.node->fd).text, dir.node->fd, name,
			     AT_SYMLINK_FOLLOW) < 0)
		r = -errno;
	p9_release(c->share, &file);
	p9_release(c->share, &dir);
	return r;
}

/* ---- moving and removing */

/* Whether what n was found as still is n: -ESTALE, or -EBUSY for the root. */
static int still_there(const struct p9_node *n)
{
	struct stat st;

	if (!n->parent)
		return -EBUSY;
	if (fstatat(n->parent->fd, n->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return st.st_dev == n->dev && st.st_ino == n->ino ? 0 : -ESTALE;
}

/* The fid stands for the same file at its new place: a new node, for others may have the old one as
 * their parent, and parents must never come to form a ring. */
static int fid_moved(struct p9_share *s, struct p9_fid *f, struct p9_node *dir, const char *name)
{
	struct p9_node *n, *old;
	int r = p9_child(s, dir, name, &n, NULL);

	if (r)
		return r;
	pthread_mutex_lock(&s->lock);
	old = f->node;
	if (n->dev == old->dev && n->ino == old->ino)
		f->node = n;
	else
		old = n;
	pthread_mutex_unlock(&s->lock);
	p9_node_put(s, old);
	return 0;
}

/* size[4] Trename tag[2] fid[4] dfid[4] name[s] */
int p9_rename(struct p9_call *c)
{
	uint32_t fid = p9_take32(&c->in), dfid = p9_take32(&c->in);
	struct p9_held file, dir;
	char name[NAME_MAX + 1];
	int r = p9_take_name(&c->in, name);

	if (r)
		return r;
	r = p9_hold_path(c->share, fid, &file);
	if (r)
		return r;
	r = p9_hold_path(c->share, dfid, &dir);
	if (r == 0)
		r = still_there(file.node);
	if (r == 0 && renameat(file.node->parent->fd, file.node->name, dir.node->fd, name) < 0)
		r = -errno;
	if (r == 0)
		r = fid_moved(c->share, file.fid, dir.node, name);
	p9_release(c->share, &dir);
	p9_release(c->share, &file);
	return r;
}

/* size[4] Trenameat tag[2] olddirfid[4] oldname[s] newdirfid[4] newname[s] */
int p9_renameat(struct p9_call *c)
{
	char from_name[NAME_MAX + 1], to_name[NAME_MAX + 1];
	struct p9_held from, to;
	int r = folder_and_name(c, &from, from_name);

	if (r)
		return r;
	r = folder_and_name(c, &to, to_name);
	if (r == 0 && renameat(from.node->fd, from_name, to.node->fd, to_name) < 0)
		r = -errno;
	p9_release(c->share, &to);
	p9_release(c->share, &from);
	return r;
}

/* size[4] Tunlinkat tag[2] dirfd[4] name[s] flags[4] */
int p9_unlinkat(struct p9_call *c)
{
	char name[NAME_MAX + 1];
	struct p9_held h;
	uint32_t flags;
	int r = folder_and_name(c, &h, name);

	if (r)
		return r;
	flags = p9_take32(&c->in);
	if (c->in.bad || flags & ~(uint32_t)P9_AT_REMOVEDIR)
		r = -EINVAL;
	else if (unlinkat(h.node->fd, name, flags & P9_AT_REMOVEDIR ? AT_REMOVEDIR : 0) < 0)
		r = -errno;
	p9_release(c->share, &h);
	return r;
}

/* size[4] Tremove tag[2] fid[4]. The fid is gone whatever the answer is. */
int p9_remove(struct p9_call *c)
{
	uint32_t fid = p9_take32(&c->in);
	struct p9_held h;
	int r;

	if (c->in.bad)
		return -EINVAL;
	r = p9_fid_take(c->share, fid, &h);
	if (r)
		return r;
	r = p9_fid_use(h.fid) == P9_FID_PATH ? still_there(h.node) : -EBADF;
	if (r == 0 && unlinkat(h.node->parent->fd, h.node->name,
			       S_ISDIR(h.node->type) ? AT_REMOVEDIR : 0) < 0)
		r = -errno;
	p9_release(c->share, &h);
	return r;
}
