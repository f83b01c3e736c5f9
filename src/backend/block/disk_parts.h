/* The disk in two files: disk.c has requests and what becomes of them, disk_now.c transfers of what
 * can be found without waiting. */
#ifndef BACKEND_BLOCK_DISK_PARTS_H
#define BACKEND_BLOCK_DISK_PARTS_H

#include <pthread.h>

#include "backend/block/block.h"
#include "backend/block/format.h"
#include "backend/block/uring.h"
#include "backend/loop.h"

enum {
	EXTENTS_MAX = 16,
	NOW_BYTES_MAX = 1 << 20, /* more is io_uring's */
};

struct part {
	struct uring_op op;
	struct image_file *file;
	uint64_t bytes;
	bool unfinished;
};

struct job {
	struct disk *disk;
	struct block_request *r;
	uv_work_t work;
	int error;
	/* waiting, and changing something: the clusters it is about, and who wants them next */
	bool listed;
	uint64_t first, last;
	struct block_request *parked, **parked_end;
	struct job *next;
	/* at once: what is left to transfer */
	bool entered;
	unsigned token;
	unsigned parts, left;
	struct io_piece *piece; /* of the parts, owned */
	struct part part[EXTENTS_MAX];
};

struct disk {
	struct block_disk face;
	struct io_loop *loop;
	struct image *image;
	struct uring *ring;
	struct job *waiting;  /* that change something */
	pthread_mutex_t lock; /* guards what follows, up to put_off */
	struct block_request *finished, **finished_end;
	unsigned untold; /* of finished ones */
	struct block_request *large, **large_end;
	unsigned moving; /* taken from there and not yet transferred */
	unsigned alone;	 /* CPUs are not asked to help with so many */
	struct block_request *put_off;
	struct work deliver, take, move, help;
	uv_prepare_t *prepare;
	uv_check_t *check;
};

/* Do it here and now as far as the page cache allows, and have the rest done. False: somebody has
 * to wait for its place, and nothing is under way. whole: also if something would be left for
 * io_uring or a thread, which are the I/O thread's. */
bool disk_try_now(struct disk *d, struct block_request *r, bool whole);

/* Done, but the controller is told later: we may be in its submit. */
void disk_finish_later(struct disk *d, struct block_request *r, int error);

/* NULL without memory. done: of libuv's pool, for what has used its work. */
struct job *disk_job_new(struct disk *d, struct block_request *r);
void disk_job_end(struct job *j);
void disk_job_done(uv_work_t *w, int status);

#endif
