/* What the parts of the 9P server share: the share, its fids, and a request being carried out. */
#ifndef BACKEND_P9_SHARE_H
#define BACKEND_P9_SHARE_H

#include <pthread.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "backend/p9/p9.h"
#include "backend/p9/wire.h"
#include "device/worker.h"

enum {
	P9_MSIZE_MAX = 1 << 20,
	P9_MSIZE_MIN = 4096,
	P9_THREADS = 4,
	P9_FIDS_MAX = 1 << 16, /* of one share */
	P9_FID_BUCKETS = 1 << 12,
	P9_MESSAGE_MAX = 16 << 10, /* of any message but Twrite: 16 names of 255 bytes fit */
	P9_ANSWER_MAX = 64 << 10,  /* of any answer but Rread */
	P9_XATTR_MAX = 64 << 10,   /* one value, as on Linux */
	P9_XATTRS_MAX = 4 << 20,   /* all that fids hold */
};

/* Something in the shared folder, held by an O_PATH descriptor. Immutable but for refs, which is
 * under the share's lock. */
struct p9_node {
	unsigned refs;
	int fd;
	mode_t type; /* S_IFMT bits */
	dev_t dev;
	ino_t ino;
	struct p9_node *parent; /* it was reached through, a reference; NULL: the root */
	char name[];
};

enum p9_fid_use { P9_FID_PATH, P9_FID_XATTR_READ, P9_FID_XATTR_WRITE };

struct p9_fid {
	uint32_t number;
	unsigned refs; /* under the share's lock, as are the next four */
	struct p9_fid *next;
	struct p9_node *node;
	int fd; /* what Tlopen or Tlcreate opened, once; -1 */
	bool writable;
	pthread_mutex_t busy; /* what needs an order: folder position, attribute's bytes */
	enum p9_fid_use use;  /* changes once, after what follows: p9_fid_use */
	uint8_t *xattr;
	size_t xattr_bytes, xattr_filled;
	uint32_t xattr_flags;
	char *xattr_name;
};

static inline enum p9_fid_use p9_fid_use(const struct p9_fid *f)
{
	return __atomic_load_n(&f->use, __ATOMIC_ACQUIRE);
}

/* Where a thread puts messages together. */
struct p9_scratch {
	uint8_t message[P9_MESSAGE_MAX];
	uint8_t answer[P9_ANSWER_MAX];
	uint8_t entries[P9_ANSWER_MAX] __attribute__((aligned(8)));
};

struct p9_share {
	/* fixed */
	struct io_loop *loop;
	char *dir;
	bool readonly;
	bool openat2; /* the kernel has it and allows it */
	int proc;     /* /proc/self/fd, to reopen O_PATH descriptors through */
	struct p9_node *root;
	struct p9_server server;
	unsigned descriptors_max;
	/* the session */
	pthread_mutex_t lock; /* guards all up to xattr_bytes; nothing blocks under it */
	uint32_t msize;	      /* 0 before Tversion */
	unsigned fids;
	unsigned descriptors;
	size_t xattr_bytes;
	struct p9_fid *fid[P9_FID_BUCKETS];
	/* requests; queue.c */
	pthread_mutex_t queue_lock;
	pthread_cond_t queue_more;
	struct p9_request *queued, **queued_end;
	struct p9_request *running;
	struct p9_request *finished, **finished_end;
	struct work finish;
	bool stop;
	unsigned threads;
	pthread_t thread[P9_THREADS];
	struct p9_scratch *scratch[P9_THREADS + 1]; /* of the loop, then of each thread */
	unsigned scratches;			    /* taken by threads */
	uint64_t slow_until_ns; /* writes took long: have threads do them until then; the I/O
				   thread's */
};

/* A request being carried out. */
struct p9_call {
	struct p9_share *share;
	struct p9_request *request;
	struct p9_scratch *scratch;
	struct p9_in in;
	struct p9_out out; /* header first */
	size_t data;	   /* Rread: bytes put straight into the client's memory */
	bool now;	   /* -EAGAIN rather than wait for the host's disk */
	uint32_t msize;
};

/* One kind of message. */
struct p9_handler {
	const char *name;
	int (*handle)(struct p9_call *c); /* 0, or -errno for Rlerror */
	bool changes;			  /* refused with EROFS on a read-only share */
};
const struct p9_handler *p9_handler(uint8_t type); /* NULL: unknown */

/* serve.c: the answer's length, or P9_LATER: the request waits for another (Tflush). */
#define P9_LATER SIZE_MAX
size_t p9_serve(struct p9_share *s, struct p9_scratch *scratch, struct p9_request *r);
/* On the I/O thread: the same for a Tread or Twrite, if it need not wait for the host's disk; else
 * P9_LATER, and nothing is done. */
size_t p9_serve_now(struct p9_share *s, struct p9_scratch *scratch, struct p9_request *r);
size_t p9_serve_error(struct p9_request *r, uint16_t tag, int error);
/* Copy [skip, skip + len) out of pieces; how much there was. */
size_t p9_gather(const struct io_piece *piece, unsigned pieces, size_t skip, void *buf, size_t len);

/* queue.c */
int p9_queue_start(struct p9_share *s, struct error *err);
void p9_queue_stop(struct p9_share *s);
void p9_queue_submit(void *share, struct p9_request *r);
/* What type and tag it has, read for good. */
void p9_queue_begun(struct p9_share *s, struct p9_request *r, uint8_t type, uint16_t tag);
/* Drop what is queued with this tag; true if r is now to wait for one that runs. */
bool p9_queue_flush(struct p9_share *s, struct p9_request *r, uint16_t tag);

/* fid.c: references, and what fids are made of. A held fid and node stay until p9_release. */
struct p9_held {
	struct p9_fid *fid;
	struct p9_node *node;
};
int p9_hold(struct p9_share *s, uint32_t number, struct p9_held *h); /* -EBADF */
/* The same, of a fid that stands for a file, not for an attribute. */
int p9_hold_path(struct p9_share *s, uint32_t number, struct p9_held *h);
void p9_release(struct p9_share *s, struct p9_held *h);
/* Takes over the caller's reference to node, also if it fails: -EINVAL in use, -ENFILE. */
int p9_fid_add(struct p9_share *s, uint32_t number, struct p9_node *node, struct p9_held *h);
/* Let a fid that is not open stand for something else. Takes over node. -EBUSY */
int p9_fid_move(struct p9_share *s, struct p9_fid *f, struct p9_node *node);
/* Give it what was opened, and what node it now stands for if not NULL. Takes over both; -EBUSY if
 * it is open already. */
int p9_fid_open(struct p9_share *s, struct p9_fid *f, int fd, bool writable, struct p9_node *node);
/* The number means nothing any more. Returns the fid for the caller to release. */
int p9_fid_take(struct p9_share *s, uint32_t number, struct p9_held *h);
void p9_fid_clear(struct p9_share *s); /* all */

/* Makes a node of fd, which it takes over, also if it fails. */
int p9_node_make(struct p9_share *s, struct p9_node **out, struct p9_node *parent, const char *name,
		 int fd, struct stat *st);
struct p9_node *p9_node_get(struct p9_share *s, struct p9_node *n);
void p9_node_put(struct p9_share *s, struct p9_node *n);

/* Count a descriptor before opening it: -ENFILE. */
int p9_descriptor_take(struct p9_share *s);
void p9_descriptor_give(struct p9_share *s);

/* path.c */
int p9_open_root(struct p9_share *s, struct error *err);
/* What name is in a folder, as a node; st may be NULL. name: one that p9_take_name took. */
int p9_child(struct p9_share *s, struct p9_node *dir, const char *name, struct p9_node **out,
	     struct stat *st);
/* Where it came from; -ESTALE if it was moved elsewhere since. */
int p9_parent(struct p9_share *s, struct p9_node *n, struct p9_node **out, struct stat *st);
/* Open a regular file or folder for reading or writing; counted as a descriptor. Others: -ELOOP for
 * links, -ENXIO. */
int p9_reopen(struct p9_share *s, const struct p9_node *n, int flags);
/* The name of fd under share->proc, to act on what an O_PATH descriptor stands for. */
struct p9_fd_name {
	char text[16];
};
struct p9_fd_name p9_fd_name(int fd);
struct p9_qid p9_qid(const struct p9_share *s, const struct stat *st);
uint64_t p9_qid_path(const struct p9_share *s, dev_t dev, ino_t ino);
uint8_t p9_qid_type(mode_t mode);
/* Give it these permissions, set-ID bits of files apart. */
int p9_set_mode(struct p9_share *s, const struct p9_node *n, mode_t mode);
/* As above, if st says it has others (the monitor's umask took some away). */
int p9_fix_mode(struct p9_share *s, const struct p9_node *n, const struct stat *st, mode_t mode);

/* Handlers, by file. attr.c */
int p9_statfs(struct p9_call *c);
int p9_getattr(struct p9_call *c);
int p9_setattr(struct p9_call *c);
/* dir.c */
int p9_readdir(struct p9_call *c);
int p9_mkdir(struct p9_call *c);
int p9_mknod(struct p9_call *c);
int p9_symlink(struct p9_call *c);
int p9_readlink(struct p9_call *c);
int p9_link(struct p9_call *c);
int p9_rename(struct p9_call *c);
int p9_renameat(struct p9_call *c);
int p9_unlinkat(struct p9_call *c);
int p9_remove(struct p9_call *c);
/* io.c */
int p9_lopen(struct p9_call *c);
int p9_lcreate(struct p9_call *c);
int p9_read(struct p9_call *c);
int p9_write(struct p9_call *c);
int p9_fsync(struct p9_call *c);
/* lock.c */
int p9_lock(struct p9_call *c);
int p9_getlock(struct p9_call *c);
/* session.c */
int p9_version(struct p9_call *c);
int p9_auth(struct p9_call *c);
int p9_attach(struct p9_call *c);
int p9_walk(struct p9_call *c);
int p9_clunk(struct p9_call *c);
/* xattr.c */
int p9_xattrwalk(struct p9_call *c);
int p9_xattrcreate(struct p9_call *c);
int p9_xattr_read(struct p9_call *c, struct p9_fid *f, uint64_t offset, size_t count);
int p9_xattr_write(struct p9_call *c, struct p9_fid *f, uint64_t offset, size_t count);
/* Set what was written; 0 or -errno. */
int p9_xattr_commit(struct p9_share *s, struct p9_held *h);
void p9_xattr_free(struct p9_share *s, struct p9_fid *f); /* share's lock held */

#endif
