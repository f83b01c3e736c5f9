/*
 * Finding files of a 9P share: one step at a time from a folder's descriptor, never through a
 * symbolic link, never above the root. openat2 says so to the kernel; without it, a single name
 * that is not ".." and O_NOFOLLOW come to the same.
 */
#define _GNU_SOURCE /* O_PATH */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "backend/p9/share.h"
#include "base/bits.h"

enum { PATH_FLAGS = O_PATH | O_NOFOLLOW | O_CLOEXEC };

static int open_beneath(int dir, const char *name)
{
	struct open_how how = {.flags = PATH_FLAGS,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
					  RESOLVE_NO_MAGICLINKS};

	return (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
}

int p9_open_root(struct p9_share *s, struct error *err)
{
	struct stat st;
	int fd = open(s->dir, O_PATH | O_DIRECTORY | O_CLOEXEC), probe, r;

	if (fd < 0 && errno == ENOTDIR)
		return error_set(err, -ENOTDIR, "share %s: not a folder", s->dir);
	if (fd < 0)
		return error_set(err, -errno, "share %s: %s", s->dir,
				 errno == ENOENT ? "no such folder" : strerror(errno));
	if (faccessat(fd, ".", R_OK | X_OK, AT_EACCESS) < 0) {
		r = -errno;
		close(fd);
		return error_set(err, r, "share %s: %s", s->dir,
				 r == -EACCES ? "this user may not read it" : strerror(-r));
	}
	probe = open_beneath(fd, ".");
	s->openat2 = probe >= 0;
	if (probe >= 0)
		close(probe);
	r = p9_node_make(s, &s->root, NULL, "", fd, &st);
	if (r)
		return error_set(err, r, "share %s: %s", s->dir, strerror(-r));
	s->proc = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->proc < 0)
		return error_set(err, -errno, "share %s: a share needs /proc: %s", s->dir,
				 strerror(errno));
	return 0;
}

int p9_child(struct p9_share *s, struct p9_node *dir, const char *name, struct p9_node **out,
	     struct stat *st)
{
	int fd;

	if (!S_ISDIR(dir->type))
		return -ENOTDIR;
	fd = s->openat2 ? open_beneath(dir->fd, name) : openat(dir->fd, name, PATH_FLAGS);
	if (fd < 0)
		return -errno;
	return p9_node_make(s, out, dir, name, fd, st);
}

int p9_parent(struct p9_share *s, struct p9_node *n, struct p9_node **out, struct stat *st)
{
	struct p9_node *up = n->parent ? n->parent : n;

	if (!S_ISDIR(n->type))
		return -ENOTDIR;
	if (n->parent) {
		if (fstatat(n->fd, "..", st, 0) < 0)
			return -errno;
		if (st->st_dev != up->dev || st->st_ino != up->ino)
			return -ESTALE;
	}
	if (fstat(up->fd, st) < 0)
		return -errno;
	*out = p9_node_get(s, up);
	return 0;
}

struct p9_fd_name p9_fd_name(int fd)
{
	struct p9_fd_name n;

	snprintf(n.text, sizeof(n.text), "%d", fd);
	return n;
}

int p9_reopen(struct p9_share *s, const struct p9_node *n, int flags)
{
	int fd, r;

	if (S_ISLNK(n->type))
		return -ELOOP;
	if (!S_ISREG(n->type) && !S_ISDIR(n->type))
		return -ENXIO;
	r = p9_descriptor_take(s);
	if (r)
		return r;
	fd = openat(s->proc, p9_fd_name(n->fd).text, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	r = -errno;
	p9_descriptor_give(s);
	return r;
}

/* Unique and lasting: the inode's number, and on other file systems than the root's something of
 * the device's number in the upper half. */
uint64_t p9_qid_path(const struct p9_share *s, dev_t dev, ino_t ino)
{
	if (dev == s->root->dev)
		return ino;
	return ino ^ ((uint64_t)dev * 0x9e3779b97f4a7c15ull & ~bits_mask(32));
}

uint8_t p9_qid_type(mode_t mode)
{
	if (S_ISDIR(mode))
		return P9_QID_DIR;
	return S_ISLNK(mode) ? P9_QID_SYMLINK : P9_QID_FILE;
}

struct p9_qid p9_qid(const struct p9_share *s, const struct stat *st)
{
	return (struct p9_qid){.type = p9_qid_type(st->st_mode),
			       .version = (uint32_t)((uint64_t)st->st_mtim.tv_sec ^
						     (uint64_t)st->st_mtim.tv_nsec ^
						     (uint64_t)st->st_size << 8),
			       .path = p9_qid_path(s, st->st_dev, st->st_ino)};
}

int p9_set_mode(struct p9_share *s, const struct p9_node *n, mode_t mode)
{
	mode &= 07777;
	if (S_ISLNK(n->type))
		return -EOPNOTSUPP;
	if (!S_ISDIR(n->type)) /* no programs that run with the monitor's rights */
		mode &= (mode_t) ~(S_ISUID | S_ISGID);
	return fchmodat(s->proc, p9_fd_name(n->fd).text, mode, 0) < 0 ? -errno : 0;
}

int p9_fix_mode(struct p9_share *s, const struct p9_node *n, const struct stat *st, mode_t mode)
{
	if ((st->st_mode & 0777) == (mode & 0777))
		return 0;
	return p9_set_mode(s, n, (st->st_mode & 07000) | (mode & 0777));
}
