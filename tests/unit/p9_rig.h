/* A 9P client for tests: puts requests together, has a share answer them here and now, and takes
 * the answers apart. The folder is a temporary one, with something beside it that must stay out of
 * reach. */
#ifndef TESTS_UNIT_P9_RIG_H
#define TESTS_UNIT_P9_RIG_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/p9/p9.h"
#include "backend/p9/wire.h"

enum { RIG_BYTES = 256 << 10, RIG_MSIZE = 128 << 10, RIG_ROOT = 1, RIG_DIR = 0 };

struct rig {
	char top[64];	 /* the temporary folder */
	char folder[80]; /* what is shared: top/share */
	struct p9_share *share;
	uint8_t message[RIG_BYTES], answer[RIG_BYTES];
	struct p9_out out;
	struct p9_in in; /* of the last answer, after its header */
	size_t out_bytes, in_bytes;
};

static inline char *rig_path(struct rig *g, const char *name)
{
	static char path[2][256];
	static unsigned n;

	n = !n;
	snprintf(path[n], sizeof(path[n]), "%s/%s", g->folder, name);
	return path[n];
}

static inline void rig_file(struct rig *g, const char *name, const char *text)
{
	FILE *f = fopen(rig_path(g, name), "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* Contents of a file of the host, or "-" if there is none. */
static inline const char *rig_contents(struct rig *g, const char *name)
{
	static char text[256];
	FILE *f = fopen(rig_path(g, name), "r");
	size_t n;

	if (!f)
		return "-";
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = 0;
	return text;
}

static inline bool rig_exists(struct rig *g, const char *name)
{
	struct stat st;

	return lstat(rig_path(g, name), &st) == 0;
}

/* ---- messages */

static inline void rig_begin(struct rig *g, uint8_t type)
{
	g->out = (struct p9_out){.buf = g->message, .room = RIG_BYTES};
	p9_put(&g->out, 0, 4);
	p9_put(&g->out, type, 1);
	p9_put(&g->out, 0x1234, 2);
}

static inline void rig_string(struct rig *g, const char *s)
{
	p9_put_string(&g->out, s, strlen(s));
}

/* Send what is there, as it is: the errno of Rlerror, or 0. */
static inline int rig_send_raw(struct rig *g, size_t in_bytes)
{
	struct io_piece out[2] = {{g->message, 5}, {g->message + 5, 0}},
			in[3] = {{g->answer, 9}, {g->answer + 9, 0}, {g->answer + 4096, 0}};
	struct p9_request r = {.out = out, .outs = 2, .in = in, .ins = 3};
	uint8_t type;

	/* Pieces that cut fields in two. */
	out[0].len = g->out.len < 5 ? g->out.len : 5;
	out[1].len = g->out.len - out[0].len;
	in[0].len = in_bytes < 9 ? in_bytes : 9;
	in[1].len = in_bytes - in[0].len < 4096 - 9 ? in_bytes - in[0].len : 4096 - 9;
	in[2].len = in_bytes - in[0].len - in[1].len;
	r.out_bytes = g->out.len;
	r.in_bytes = in_bytes;
	memset(g->answer, 0xee, sizeof(g->answer));
	g->in_bytes = p9_share_answer(g->share, &r);
	assert_true(g->in_bytes <= in_bytes);
	for (size_t i = g->in_bytes; i < g->in_bytes + 64 && i < sizeof(g->answer); i++)
		if (g->in_bytes && g->answer[4] != P9_TREAD + 1)
			assert_int_equal(g->answer[i], 0xee);
	g->in = (struct p9_in){.at = g->answer, .end = g->answer + g->in_bytes};
	if (!g->in_bytes)
		return -1;
	assert_int_equal(p9_take32(&g->in), g->in_bytes);
	type = p9_take8(&g->in);
	p9_take16(&g->in);
	if (type == P9_RLERROR)
		return (int)p9_take32(&g->in);
	if (g->out.len > 4)
		assert_int_equal(type, g->message[4] + 1);
	return 0;
}

static inline int rig_send(struct rig *g)
{
	struct p9_out size = {.buf = g->message, .room = 4};

	p9_put(&size, g->out.len, 4);
	return rig_send_raw(g, RIG_MSIZE);
}

static inline int rig_version(struct rig *g, uint32_t msize, const char *version)
{
	rig_begin(g, P9_TVERSION);
	p9_put(&g->out, msize, 4);
	rig_string(g, version);
	return rig_send(g);
}

static inline int rig_attach(struct rig *g, uint32_t fid)
{
	rig_begin(g, P9_TATTACH);
	p9_put(&g->out, fid, 4);
	p9_put(&g->out, P9_NOFID, 4);
	rig_string(g, "user");
	rig_string(g, "");
	p9_put(&g->out, 0, 4);
	return rig_send(g);
}

/* path: steps separated by '/', "" for none. Fewer steps than asked for are ENOENT. */
static inline int rig_walk(struct rig *g, uint32_t fid, uint32_t newfid, const char *path)
{
	unsigned names = 0, r;
	size_t at;

	rig_begin(g, P9_TWALK);
	p9_put(&g->out, fid, 4);
	p9_put(&g->out, newfid, 4);
	at = g->out.len;
	p9_put(&g->out, 0, 2);
	while (*path) {
		size_t n = strcspn(path, "/");

		p9_put_string(&g->out, path, n);
		names++;
		path += n + (path[n] == '/');
	}
	g->message[at] = (uint8_t)names;
	r = (unsigned)rig_send(g);
	if (r)
		return (int)r;
	return p9_take16(&g->in) == names ? 0 : ENOENT;
}

static inline int rig_fid(struct rig *g, uint8_t type, uint32_t fid)
{
	rig_begin(g, type);
	p9_put(&g->out, fid, 4);
	return rig_send(g);
}

static inline int rig_clunk(struct rig *g, uint32_t fid)
{
	return rig_fid(g, P9_TCLUNK, fid);
}

static inline int rig_open(struct rig *g, uint32_t fid, uint32_t flags)
{
	rig_begin(g, P9_TLOPEN);
	p9_put(&g->out, fid, 4);
	p9_put(&g->out, flags, 4);
	return rig_send(g);
}

static inline int rig_create(struct rig *g, uint32_t fid, const char *name, uint32_t flags,
			     uint32_t mode)
{
	rig_begin(g, P9_TLCREATE);
	p9_put(&g->out, fid, 4);
	rig_string(g, name);
	p9_put(&g->out, flags, 4);
	p9_put(&g->out, mode, 4);
	p9_put(&g->out, 0, 4);
	return rig_send(g);
}

static inline int rig_mkdir(struct rig *g, uint32_t dir, const char *name)
{
	rig_begin(g, P9_TMKDIR);
	p9_put(&g->out, dir, 4);
	rig_string(g, name);
	p9_put(&g->out, 0755, 4);
	p9_put(&g->out, 0, 4);
	return rig_send(g);
}

static inline int rig_mknod(struct rig *g, uint32_t dir, const char *name, uint32_t mode)
{
	rig_begin(g, P9_TMKNOD);
	p9_put(&g->out, dir, 4);
	rig_string(g, name);
	p9_put(&g->out, mode, 4);
	p9_put(&g->out, 1, 4);
	p9_put(&g->out, 3, 4);
	p9_put(&g->out, 0, 4);
	return rig_send(g);
}

static inline int rig_symlink(struct rig *g, uint32_t dir, const char *name, const char *target)
{
	rig_begin(g, P9_TSYMLINK);
	p9_put(&g->out, dir, 4);
	rig_string(g, name);
	rig_string(g, target);
	p9_put(&g->out, 0, 4);
	return rig_send(g);
}

static inline int rig_link(struct rig *g, uint32_t dir, uint32_t fid, const char *name)
{
	rig_begin(g, P9_TLINK);
	p9_put(&g->out, dir, 4);
	p9_put(&g->out, fid, 4);
	rig_string(g, name);
	return rig_send(g);
}

static inline int rig_rename(struct rig *g, uint32_t fid, uint32_t dir, const char *name)
{
	rig_begin(g, P9_TRENAME);
	p9_put(&g->out, fid, 4);
	p9_put(&g->out, dir, 4);
	rig_string(g, name);
	return rig_send(g);
}

static inline int rig_renameat(struct rig *g, uint32_t from, const char *name, uint32_t to,
			       const char *new_name)
{
	rig_begin(g, P9_TRENAMEAT);
	p9_put(&g->out, from, 4);
	rig_string(g, name);
	p9_put(&g->out, to, 4);
	rig_string(g, new_name);
	return rig_send(g);
}

static inline int rig_unlink(struct rig *g, uint32_t dir, const char *name, uint32_t flags)
{
	rig_begin(g, P9_TUNLINKAT);
	p9_put(&g->out, dir, 4);
	rig_string(g, name);
	p9_put(&g->out, flags, 4);
	return rig_send(g);
}

/* The number of bytes, or -errno; they begin at g->in.at. */
static inline int rig_read(struct rig *g, uint32_t fid, uint64_t offset, uint32_t count)
{
	int r;

	rig_begin(g, P9_TREAD);
	p9_put(&g->out, fid, 4);
	p9_put(&g->out, offset, 8);
	p9_put(&g->out, count, 4);
	r = rig_send(g);
	return r ? -r : (int)p9_take32(&g->in);
}

static inline int rig_write(struct rig *g, uint32_t fid, uint64_t offset, const char *text)
{
	int r;

	rig_begin(g, P9_TWRITE);
	p9_put(&g->out, fid, 4);
	p9_put(&g->out, offset, 8);
	p9_put(&g->out, strlen(text), 4);
	p9_put_bytes(&g->out, text, strlen(text));
	r = rig_send(g);
	return r ? -r : (int)p9_take32(&g->in);
}

struct rig_attr {
	uint32_t valid, mode, uid, gid;
	uint64_t size, atime, mtime;
};

static inline int rig_setattr(struct rig *g, uint32_t fid, struct rig_attr a)
{
	rig_begin(g, P9_TSETATTR);
	p9_put(&g->out, fid, 4);
	p9_put(&g->out, a.valid, 4);
	p9_put(&g->out, a.mode, 4);
	p9_put(&g->out, a.uid, 4);
	p9_put(&g->out, a.gid, 4);
	p9_put(&g->out, a.size, 8);
	p9_put(&g->out, a.atime, 8);
	p9_put(&g->out, 0, 8);
	p9_put(&g->out, a.mtime, 8);
	p9_put(&g->out, 0, 8);
	return rig_send(g);
}

static inline int rig_getattr(struct rig *g, uint32_t fid, struct p9_qid *qid, uint32_t *mode,
			      uint64_t *size)
{
	int r;

	rig_begin(g, P9_TGETATTR);
	p9_put(&g->out, fid, 4);
	p9_put(&g->out, ~0ull, 8);
	r = rig_send(g);
	if (r)
		return r;
	assert_int_equal(p9_take64(&g->in), 0x7ff);
	qid->type = p9_take8(&g->in);
	qid->version = p9_take32(&g->in);
	qid->path = p9_take64(&g->in);
	*mode = p9_take32(&g->in);
	p9_take64(&g->in);
	p9_take64(&g->in);
	p9_take64(&g->in);
	*size = p9_take64(&g->in);
	assert_false(g->in.bad);
	return 0;
}

static inline int rig_xattrwalk(struct rig *g, uint32_t fid, uint32_t newfid, const char *name)
{
	int r;

	rig_begin(g, P9_TXATTRWALK);
	p9_put(&g->out, fid, 4);
	p9_put(&g->out, newfid, 4);
	rig_string(g, name);
	r = rig_send(g);
	return r ? -r : (int)p9_take64(&g->in);
}

static inline int rig_xattrcreate(struct rig *g, uint32_t fid, const char *name, uint64_t bytes)
{
	rig_begin(g, P9_TXATTRCREATE);
	p9_put(&g->out, fid, 4);
	rig_string(g, name);
	p9_put(&g->out, bytes, 8);
	p9_put(&g->out, 0, 4);
	return rig_send(g);
}

static inline int rig_lock(struct rig *g, uint32_t fid, uint8_t type, uint64_t start, uint64_t len)
{
	int r;

	rig_begin(g, P9_TLOCK);
	p9_put(&g->out, fid, 4);
	p9_put(&g->out, type, 1);
	p9_put(&g->out, 0, 4);
	p9_put(&g->out, start, 8);
	p9_put(&g->out, len, 8);
	p9_put(&g->out, 77, 4);
	rig_string(g, "guest");
	r = rig_send(g);
	return r ? -r : p9_take8(&g->in);
}

/* ---- the folder */

static inline int rig_open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static inline int rig_rm(const char *path, const struct stat *st, int flag, struct FTW *f)
{
	return remove(path);
}

static inline void rig_folder(struct rig *g)
{
	memset(g, 0, sizeof(*g));
	strcpy(g->top, "/tmp/doppel-p9-XXXXXX");
	assert_non_null(mkdtemp(g->top));
	snprintf(g->folder, sizeof(g->folder), "%s/share", g->top);
	assert_int_equal(mkdir(g->folder, 0755), 0);
	rig_file(g, "../secret", "out of reach");
	rig_file(g, "hello", "hello, host");
	assert_int_equal(mkdir(rig_path(g, "sub"), 0755), 0);
	rig_file(g, "sub/inner", "inside");
}

static inline void rig_share(struct rig *g, bool readonly)
{
	struct error err;

	assert_int_equal(p9_share_create(&g->share, NULL, g->folder, readonly, &err), 0);
	assert_int_equal(rig_version(g, RIG_MSIZE, "9P2000.L"), 0);
	assert_int_equal(rig_attach(g, RIG_ROOT), 0);
}

static inline struct rig *rig_new(bool readonly)
{
	struct rig *g = malloc(sizeof(*g));

	rig_folder(g);
	rig_share(g, readonly);
	return g;
}

static inline void rig_free(struct rig *g)
{
	p9_share_destroy(g->share);
	assert_int_equal(nftw(g->top, rig_rm, 16, FTW_DEPTH | FTW_PHYS), 0);
	free(g);
}

#endif
