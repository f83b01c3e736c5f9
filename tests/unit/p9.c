/* The 9P server, message by message, against a folder of the host. */
#define _GNU_SOURCE
#include "test.h"

#include <sys/file.h>
#include <sys/xattr.h>

#include "p9_rig.h"

enum {
	RDONLY = 0,
	WRONLY = 1,
	RDWR = 2,
	CREATE = 0100,
	EXCL = 0200,
	TRUNC = 01000,
	APPEND = 02000
};

static void test_version(void **state)
{
	struct rig *g = rig_new(false);

	assert_int_equal(rig_version(g, 9000, "9P2000.L"), 0);
	assert_int_equal(p9_take32(&g->in), 9000);
	/* What was attached is gone. */
	assert_int_equal(rig_walk(g, RIG_ROOT, 2, ""), EBADF);
	assert_int_equal(rig_version(g, 0xffffffff, "9P2000.L"), 0);
	assert_true(p9_take32(&g->in) >= 512 << 10);
	assert_int_equal(rig_version(g, 9000, "9P2000.u"), 0);
	p9_take32(&g->in);
	assert_memory_equal(g->in.at, "\7\0unknown", 9);
	assert_int_equal(rig_attach(g, RIG_ROOT), EPROTO);
	assert_int_equal(rig_version(g, 100, "9P2000.L"), EMSGSIZE);
	rig_free(g);
}

static void test_auth_and_attach(void **state)
{
	struct rig *g = rig_new(false);

	rig_begin(g, P9_TAUTH);
	p9_put(&g->out, 3, 4);
	rig_string(g, "user");
	rig_string(g, "");
	p9_put(&g->out, 0, 4);
	assert_int_equal(rig_send(g), EOPNOTSUPP);
	assert_int_equal(rig_attach(g, RIG_ROOT), EINVAL); /* in use */
	assert_int_equal(rig_attach(g, P9_NOFID), EINVAL);
	assert_int_equal(rig_attach(g, 2), 0);
	assert_int_equal(p9_take8(&g->in), P9_QID_DIR);
	rig_free(g);
}

static void test_walk(void **state)
{
	struct rig *g = rig_new(false);

	assert_int_equal(rig_walk(g, RIG_ROOT, 2, "sub/inner"), 0);
	assert_int_equal(p9_take8(&g->in), P9_QID_DIR);
	p9_take32(&g->in);
	p9_take64(&g->in);
	assert_int_equal(p9_take8(&g->in), P9_QID_FILE);
	assert_int_equal(rig_walk(g, RIG_ROOT, 2, ""), EINVAL); /* in use */
	assert_int_equal(rig_walk(g, RIG_ROOT, 3, "nothing"), ENOENT);
	assert_int_equal(rig_walk(g, RIG_ROOT, 3, "sub/nothing"), ENOENT);
	assert_int_equal(g->answer[4], P9_TWALK + 1); /* as far as it went, but no fid */
	assert_int_equal(rig_clunk(g, 3), EBADF);
	assert_int_equal(rig_walk(g, RIG_ROOT, 3, "hello/x"), ENOENT);
	assert_int_equal(rig_walk(g, 2, 3, ".."), ENOTDIR);
	assert_int_equal(rig_walk(g, RIG_ROOT, 3, "sub"), 0);
	assert_int_equal(rig_walk(g, 3, 3, "inner"), 0); /* in place */
	assert_int_equal(rig_open(g, 3, RDONLY), 0);
	assert_int_equal(rig_walk(g, 3, 3, ""), EBUSY);
	assert_int_equal(rig_walk(g, RIG_ROOT, 4, "sub/../sub/inner"), 0);
	assert_int_equal(rig_clunk(g, 4), 0);
	assert_int_equal(rig_clunk(g, 4), EBADF);
	rig_free(g);
}

static void test_attributes(void **state)
{
	struct rig *g = rig_new(false);
	struct p9_qid q = {0}, again = {0};
	uint32_t mode;
	uint64_t size;
	struct stat st;

	assert_int_equal(rig_walk(g, RIG_ROOT, 2, "hello"), 0);
	assert_int_equal(rig_getattr(g, 2, &q, &mode, &size), 0);
	assert_int_equal(size, 11);
	assert_true(S_ISREG(mode));
	assert_int_equal(rig_setattr(g, 2, (struct rig_attr){.valid = 1, .mode = 06640}), 0);
	assert_int_equal(rig_getattr(g, 2, &again, &mode, &size), 0);
	assert_int_equal(mode, S_IFREG | 0640); /* no set-ID bits */
	assert_int_equal(q.path, again.path);
	assert_int_equal(rig_setattr(g, 2, (struct rig_attr){.valid = 8, .size = 5}), 0);
	assert_string_equal(rig_contents(g, "hello"), "hello");
	assert_int_equal(rig_setattr(g, 2, (struct rig_attr){.valid = 8, .size = 1ull << 63}),
			 EFBIG);
	assert_int_equal(rig_setattr(g, 2, (struct rig_attr){.valid = 0x120, .mtime = 1000}), 0);
	assert_int_equal(stat(rig_path(g, "hello"), &st), 0);
	assert_int_equal(st.st_mtime, 1000);
	assert_int_equal(rig_getattr(g, 2, &again, &mode, &size), 0);
	assert_int_not_equal(q.version, again.version);
	assert_int_equal(
		rig_setattr(g, 2, (struct rig_attr){.valid = 6, .uid = getuid(), .gid = getgid()}),
		0);
	assert_int_equal(rig_setattr(g, RIG_ROOT, (struct rig_attr){.valid = 8}), EISDIR);
	assert_int_equal(rig_getattr(g, 9, &q, &mode, &size), EBADF);
	assert_int_equal(rig_fid(g, P9_TSTATFS, 2), 0);
	assert_int_equal(p9_take32(&g->in), 0x01021997);
	rig_free(g);
}

static void test_create_read_write(void **state)
{
	struct rig *g = rig_new(false);
	struct stat st;

	umask(077);
	assert_int_equal(rig_walk(g, RIG_ROOT, 2, ""), 0);
	assert_int_equal(rig_create(g, 2, "new", RDWR | EXCL, 04755), 0);
	assert_int_equal(stat(rig_path(g, "new"), &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0755); /* whatever the umask is */
	assert_int_equal(rig_write(g, 2, 0, "hello from the guest"), 20);
	assert_int_equal(rig_write(g, 2, 6, "FROM"), 4);
	assert_string_equal(rig_contents(g, "new"), "hello FROM the guest");
	assert_int_equal(rig_read(g, 2, 6, 100000), 14);
	assert_memory_equal(g->in.at, "FROM the guest", 14);
	assert_int_equal(rig_read(g, 2, 100, 10), 0);
	assert_int_equal(rig_read(g, 2, 1ull << 63, 10), -EINVAL);
	assert_int_equal(rig_write(g, 2, 1ull << 63, "x"), -EINVAL);
	rig_begin(g, P9_TFSYNC);
	p9_put(&g->out, 2, 4);
	p9_put(&g->out, 1, 4);
	assert_int_equal(rig_send(g), 0);
	assert_int_equal(rig_fid(g, P9_TFSYNC, 2), 0);
	assert_int_equal(rig_fid(g, P9_TFSYNC, RIG_ROOT), EBADF);
	assert_int_equal(rig_open(g, 2, RDONLY), EBUSY);
	/* It may be cut although its mode forbids writing by now. */
	assert_int_equal(rig_setattr(g, 2, (struct rig_attr){.valid = 9, .mode = 0400, .size = 3}),
			 0);
	assert_string_equal(rig_contents(g, "new"), "hel");
	umask(022);
	rig_free(g);
}

static void test_open_flags(void **state)
{
	struct rig *g = rig_new(false);

	assert_int_equal(rig_walk(g, RIG_ROOT, 2, ""), 0);
	assert_int_equal(rig_create(g, 2, "hello", RDWR | EXCL, 0644), EEXIST);
	assert_int_equal(rig_create(g, 2, "sub", RDWR, 0644), EISDIR);
	assert_int_equal(rig_create(g, 2, "hello", RDWR | TRUNC, 0644), 0);
	assert_string_equal(rig_contents(g, "hello"), "");
	assert_int_equal(rig_walk(g, RIG_ROOT, 3, "hello"), 0);
	assert_int_equal(rig_open(g, 3, WRONLY | APPEND), 0);
	assert_int_equal(rig_write(g, 3, 0, "one"), 3);
	assert_int_equal(rig_write(g, 3, 0, "two"), 3);
	assert_string_equal(rig_contents(g, "hello"), "onetwo");
	assert_int_equal(rig_read(g, 3, 0, 10), -EBADF);
	assert_int_equal(rig_walk(g, RIG_ROOT, 4, "hello"), 0);
	assert_int_equal(rig_read(g, 4, 0, 10), -EBADF);
	assert_int_equal(rig_open(g, 4, 3), EINVAL);
	assert_int_equal(rig_open(g, 4, RDONLY), 0);
	assert_int_equal(rig_write(g, 4, 0, "no"), -EBADF);
	assert_int_equal(rig_create(g, 4, "x", RDWR, 0644), ENOTDIR);
	rig_free(g);
}

/* All names of a folder, read in small answers; how many. */
static unsigned list(struct rig *g, uint32_t fid, uint32_t count, bool (*seen)(const char *name))
{
	uint64_t offset = 0;
	unsigned n = 0;

	for (;;) {
		uint32_t bytes;

		rig_begin(g, P9_TREADDIR);
		p9_put(&g->out, fid, 4);
		p9_put(&g->out, offset, 8);
		p9_put(&g->out, count, 4);
		assert_int_equal(rig_send(g), 0);
		bytes = p9_take32(&g->in);
		assert_true(bytes <= count);
		assert_int_equal(bytes, g->in.end - g->in.at);
		if (!bytes)
			return n;
		while (g->in.at < g->in.end) {
			char name[NAME_MAX + 1];

			p9_take8(&g->in);
			p9_take32(&g->in);
			p9_take64(&g->in);
			offset = p9_take64(&g->in);
			p9_take8(&g->in);
			assert_int_equal(p9_take_string(&g->in, name, sizeof(name)), 0);
			n += seen(name);
		}
	}
}

static bool any(const char *name)
{
	return true;
}

static bool numbered(const char *name)
{
	return strncmp(name, "number-", 7) == 0;
}

static void test_readdir(void **state)
{
	struct rig *g = rig_new(false);
	char name[32];

	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "sub/number-%u", i);
		rig_file(g, name, "");
	}
	assert_int_equal(rig_walk(g, RIG_ROOT, 2, "sub"), 0);
	rig_begin(g, P9_TREADDIR);
	p9_put(&g->out, 2, 4);
	p9_put(&g->out, 0, 8);
	p9_put(&g->out, 4096, 4);
	assert_int_equal(rig_send(g), EBADF);
	assert_int_equal(rig_open(g, 2, RDONLY), 0);
	assert_int_equal(list(g, 2, 300, numbered), 1000);
	assert_int_equal(list(g, 2, 8192, any), 1003);
	assert_int_equal(list(g, 2, 1 << 20, numbered), 1000);
	assert_int_equal(rig_read(g, 2, 0, 100), -EISDIR);
	assert_int_equal(rig_walk(g, RIG_ROOT, 3, "sub"), 0);
	assert_int_equal(rig_open(g, 3, WRONLY), EISDIR);
	rig_free(g);
}

static void test_making(void **state)
{
	struct rig *g = rig_new(false);
	struct stat st;

	assert_int_equal(rig_mkdir(g, RIG_ROOT, "dir"), 0);
	assert_int_equal(p9_take8(&g->in), P9_QID_DIR);
	assert_int_equal(rig_mkdir(g, RIG_ROOT, "dir"), EEXIST);
	assert_int_equal(rig_symlink(g, RIG_ROOT, "link", "../../etc/passwd"), 0);
	assert_int_equal(p9_take8(&g->in), P9_QID_SYMLINK);
	assert_int_equal(rig_walk(g, RIG_ROOT, 2, "link"), 0);
	assert_int_equal(rig_fid(g, P9_TREADLINK, 2), 0);
	assert_memory_equal(g->in.at, "\x10\0../../etc/passwd", 18);
	assert_int_equal(rig_fid(g, P9_TREADLINK, RIG_ROOT), EINVAL);
	assert_int_equal(rig_mknod(g, RIG_ROOT, "fifo", S_IFIFO | 0600), 0);
	assert_int_equal(lstat(rig_path(g, "fifo"), &st), 0);
	assert_int_equal(st.st_mode, S_IFIFO | 0600);
	assert_int_equal(rig_mknod(g, RIG_ROOT, "null", S_IFCHR | 0666), EPERM);
	assert_int_equal(rig_mknod(g, RIG_ROOT, "sda", S_IFBLK | 0666), EPERM);
	assert_int_equal(rig_walk(g, RIG_ROOT, 3, "hello"), 0);
	assert_int_equal(rig_link(g, RIG_ROOT, 3, "again"), 0);
	assert_string_equal(rig_contents(g, "again"), "hello, host");
	assert_int_equal(rig_link(g, RIG_ROOT, 2, "link2"), 0); /* the link itself */
	assert_int_equal(lstat(rig_path(g, "link2"), &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(rig_mkdir(g, 3, "x"), ENOTDIR);
	rig_free(g);
}

static void test_moving_and_removing(void **state)
{
	struct rig *g = rig_new(false);
	struct p9_qid q = {0};
	uint32_t mode;
	uint64_t size;

	assert_int_equal(rig_walk(g, RIG_ROOT, 2, "sub"), 0);
	assert_int_equal(rig_renameat(g, RIG_ROOT, "hello", 2, "moved"), 0);
	assert_string_equal(rig_contents(g, "sub/moved"), "hello, host");
	assert_int_equal(rig_walk(g, 2, 3, "moved"), 0);
	assert_int_equal(rig_rename(g, 3, RIG_ROOT, "back"), 0);
	assert_string_equal(rig_contents(g, "back"), "hello, host");
	assert_int_equal(rig_fid(g, P9_TREMOVE, 3), 0); /* found at its new place */
	assert_false(rig_exists(g, "back"));
	assert_int_equal(rig_clunk(g, 3), EBADF);
	assert_int_equal(rig_rename(g, RIG_ROOT, 2, "root"), EBUSY);
	assert_int_equal(rig_unlink(g, RIG_ROOT, "sub", 0x200), ENOTEMPTY);
	assert_int_equal(rig_unlink(g, RIG_ROOT, "sub", 0), EISDIR);
	assert_int_equal(rig_unlink(g, RIG_ROOT, "sub", 0x1000), EINVAL);
	/* A file that is gone lives as long as a fid. */
	assert_int_equal(rig_walk(g, 2, 4, "inner"), 0);
	assert_int_equal(rig_walk(g, 2, 5, "inner"), 0);
	assert_int_equal(rig_open(g, 4, RDONLY), 0);
	assert_int_equal(rig_unlink(g, 2, "inner", 0), 0);
	assert_int_equal(rig_read(g, 4, 0, 10), 6);
	assert_int_equal(rig_getattr(g, 4, &q, &mode, &size), 0);
	assert_int_equal(rig_fid(g, P9_TREMOVE, 5), ENOENT);
	assert_int_equal(rig_clunk(g, 5), EBADF); /* gone all the same */
	assert_int_equal(rig_unlink(g, RIG_ROOT, "sub", 0x200), 0);
	/* A fid whose name has come to mean another file does not remove that. */
	rig_file(g, "a", "a");
	rig_file(g, "b", "b");
	assert_int_equal(rig_walk(g, RIG_ROOT, 6, "a"), 0);
	assert_int_equal(rename(rig_path(g, "b"), rig_path(g, "a")), 0);
	assert_int_equal(rig_fid(g, P9_TREMOVE, 6), ESTALE);
	assert_string_equal(rig_contents(g, "a"), "b");
	assert_int_equal(rig_fid(g, P9_TREMOVE, RIG_ROOT), EBUSY);
	rig_free(g);
}

/* Folders that are moved into what was below them: references of nodes must not form a ring. */
static void test_folders_swap_places(void **state)
{
	int before = rig_open_fds();
	struct rig *g = rig_new(false);

	assert_int_equal(rig_mkdir(g, RIG_ROOT, "a"), 0);
	assert_int_equal(rig_walk(g, RIG_ROOT, 2, "a"), 0);
	assert_int_equal(rig_mkdir(g, 2, "b"), 0);
	assert_int_equal(rig_walk(g, 2, 3, "b"), 0);
	assert_int_equal(rig_rename(g, 2, 3, "a"), EINVAL);
	assert_int_equal(rig_renameat(g, 2, "b", RIG_ROOT, "b"), 0);
	assert_int_equal(rig_rename(g, 2, 3, "a"), 0);
	assert_true(rig_exists(g, "b/a"));
	assert_int_equal(rig_walk(g, 3, 4, ".."),
			 ESTALE); /* it came from a, and is not there now */
	assert_int_equal(rig_walk(g, 2, 4, ".."), 0);
	assert_int_equal(rig_walk(g, RIG_ROOT, 5, "b/a/../.."), 0);
	rig_free(g);
	assert_int_equal(rig_open_fds(), before);
}

static void test_locks(void **state)
{
	struct rig *g = rig_new(false);
	struct flock l = {.l_type = F_WRLCK, .l_start = 0, .l_len = 10};
	int fd = open(rig_path(g, "hello"), O_RDWR);

	assert_int_equal(rig_walk(g, RIG_ROOT, 2, "hello"), 0);
	assert_int_equal(rig_lock(g, 2, F_RDLCK, 0, 0), -EBADF);
	assert_int_equal(rig_open(g, 2, RDWR), 0);
	assert_int_equal(rig_lock(g, 2, 1, 5, 5), 0);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &l), -1); /* the host sees it */
	assert_int_equal(rig_lock(g, 2, 2, 0, 0), 0);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &l), 0);
	assert_int_equal(rig_lock(g, 2, 1, 5, 5), 1); /* blocked */
	assert_int_equal(rig_lock(g, 2, 1, 10, 5), 0);
	assert_int_equal(rig_lock(g, 2, 7, 0, 0), -EINVAL);
	assert_int_equal(rig_lock(g, 2, 1, ~0ull, 0), -EINVAL);
	rig_begin(g, P9_TGETLOCK);
	p9_put(&g->out, 2, 4);
	p9_put(&g->out, 1, 1);
	p9_put(&g->out, 0, 8);
	p9_put(&g->out, 0, 8);
	p9_put(&g->out, 77, 4);
	rig_string(g, "guest");
	assert_int_equal(rig_send(g), 0);
	assert_int_equal(p9_take8(&g->in), 1);
	assert_int_equal(p9_take64(&g->in), 0);
	assert_int_equal(p9_take64(&g->in), 10);
	close(fd);
	rig_free(g);
}

static void test_attributes_of_the_user(void **state)
{
	struct rig *g = rig_new(false);
	char value[16];

	if (setxattr(rig_path(g, "hello"), "user.color", "blue", 4, 0) < 0) {
		rig_free(g);
		skip(); /* the file system has none */
	}
	assert_int_equal(rig_walk(g, RIG_ROOT, 2, "hello"), 0);
	assert_int_equal(rig_xattrwalk(g, 2, 3, "user.color"), 4);
	assert_int_equal(rig_read(g, 3, 0, 100), 4);
	assert_memory_equal(g->in.at, "blue", 4);
	assert_int_equal(rig_read(g, 3, 5, 100), -EINVAL);
	assert_int_equal(rig_write(g, 3, 0, "x"), -EINVAL);
	assert_int_equal(rig_open(g, 3, RDONLY), EBADF);
	assert_int_equal(rig_xattrwalk(g, 2, 4, ""), 11);
	assert_int_equal(rig_read(g, 4, 0, 100), 11);
	assert_string_equal((const char *)g->in.at, "user.color");
	assert_int_equal(rig_xattrwalk(g, 2, 5, "user.none"), -ENODATA);
	assert_int_equal(rig_xattrwalk(g, 2, 5, "security.capability"), -EOPNOTSUPP);
	assert_int_equal(rig_xattrwalk(g, 2, 5, "system.posix_acl_access"), -EOPNOTSUPP);
	assert_int_equal(rig_walk(g, 2, 6, ""), 0);
	assert_int_equal(rig_xattrcreate(g, 6, "security.capability", 4), EOPNOTSUPP);
	assert_int_equal(rig_xattrcreate(g, 6, "user.size", 1 << 20), E2BIG);
	assert_int_equal(rig_xattrcreate(g, 6, "user.size", 5), 0);
	assert_int_equal(rig_write(g, 6, 0, "lar"), 3);
	assert_int_equal(rig_write(g, 6, 0, "lar"), -EINVAL);
	assert_int_equal(rig_write(g, 6, 3, "large"), -ENOSPC);
	assert_int_equal(rig_write(g, 6, 3, "ge"), 2);
	assert_int_equal(rig_clunk(g, 6), 0);
	assert_int_equal(getxattr(rig_path(g, "hello"), "user.size", value, sizeof(value)), 5);
	assert_memory_equal(value, "large", 5);
	assert_int_equal(rig_walk(g, 2, 6, ""), 0);
	assert_int_equal(rig_xattrcreate(g, 6, "user.size", 0), 0);
	assert_int_equal(rig_clunk(g, 6), 0);
	assert_int_equal(getxattr(rig_path(g, "hello"), "user.size", value, sizeof(value)), -1);
	rig_free(g);
}

static void test_read_only(void **state)
{
	struct rig *g = rig_new(true);

	assert_int_equal(rig_walk(g, RIG_ROOT, 2, "hello"), 0);
	assert_int_equal(rig_open(g, 2, WRONLY), EROFS);
	assert_int_equal(rig_open(g, 2, RDWR), EROFS);
	assert_int_equal(rig_open(g, 2, RDONLY | TRUNC), EROFS);
	assert_int_equal(rig_open(g, 2, RDONLY), 0);
	assert_int_equal(rig_read(g, 2, 0, 100), 11);
	assert_int_equal(rig_write(g, 2, 0, "x"), -EROFS);
	assert_int_equal(rig_setattr(g, 2, (struct rig_attr){.valid = 1, .mode = 0777}), EROFS);
	assert_int_equal(rig_create(g, RIG_ROOT, "x", RDWR, 0644), EROFS);
	assert_int_equal(rig_mkdir(g, RIG_ROOT, "x"), EROFS);
	assert_int_equal(rig_mknod(g, RIG_ROOT, "x", S_IFIFO), EROFS);
	assert_int_equal(rig_symlink(g, RIG_ROOT, "x", "y"), EROFS);
	assert_int_equal(rig_link(g, RIG_ROOT, 2, "x"), EROFS);
	assert_int_equal(rig_rename(g, 2, RIG_ROOT, "x"), EROFS);
	assert_int_equal(rig_renameat(g, RIG_ROOT, "hello", RIG_ROOT, "x"), EROFS);
	assert_int_equal(rig_unlink(g, RIG_ROOT, "hello", 0), EROFS);
	assert_int_equal(rig_xattrcreate(g, 2, "user.x", 1), EROFS);
	assert_int_equal(rig_fid(g, P9_TREMOVE, 2), EROFS);
	assert_string_equal(rig_contents(g, "hello"), "hello, host");
	assert_false(rig_exists(g, "x"));
	rig_free(g);
}

static void test_no_descriptor_stays(void **state)
{
	int before = rig_open_fds();
	struct rig *g = rig_new(false);
	int some = rig_open_fds();

	for (uint32_t i = 0; i < 50; i++) {
		assert_int_equal(rig_walk(g, RIG_ROOT, 100 + i, "sub/inner"), 0);
		assert_int_equal(rig_open(g, 100 + i, RDWR), 0);
		assert_int_equal(rig_walk(g, RIG_ROOT, 200 + i, "sub/../sub/nothing"), ENOENT);
		assert_int_equal(rig_walk(g, RIG_ROOT, 200 + i, ""), 0);
		assert_int_equal(rig_create(g, 200 + i, "made", RDWR, 0600), 0);
		assert_int_equal(rig_open(g, 200 + i, RDWR), EBUSY);
	}
	for (uint32_t i = 0; i < 50; i++) {
		assert_int_equal(rig_clunk(g, 100 + i), 0);
		assert_int_equal(rig_clunk(g, 200 + i), 0);
	}
	assert_int_equal(rig_open_fds(), some);
	rig_free(g);
	assert_int_equal(rig_open_fds(), before);
}

static void test_not_a_folder(void **state)
{
	struct rig *g = rig_new(false);
	struct p9_share *s;
	struct error err;

	assert_int_equal(p9_share_create(&s, NULL, "/no/such/folder", false, &err), -ENOENT);
	assert_string_equal(err.text, "share /no/such/folder: no such folder");
	assert_int_equal(p9_share_create(&s, NULL, rig_path(g, "hello"), false, &err), -ENOTDIR);
	assert_non_null(strstr(err.text, "not a folder"));
	rig_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_auth_and_attach),
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_create_read_write),
		cmocka_unit_test(test_open_flags),
		cmocka_unit_test(test_readdir),
		cmocka_unit_test(test_making),
		cmocka_unit_test(test_moving_and_removing),
		cmocka_unit_test(test_folders_swap_places),
		cmocka_unit_test(test_locks),
		cmocka_unit_test(test_attributes_of_the_user),
		cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_no_descriptor_stays),
		cmocka_unit_test(test_not_a_folder),
	};

	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
