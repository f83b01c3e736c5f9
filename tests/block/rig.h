/* A disk on an image in a directory of its own, with requests that are waited for. */
#ifndef TESTS_BLOCK_RIG_H
#define TESTS_BLOCK_RIG_H

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/block/block.h"
#include "backend/loop.h"

struct rig {
	char dir[64], path[128];
	struct io_loop *loop;
	struct disk *disk;
	struct block_disk *face;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned done;
	char warning[512];
};

struct ask {
	struct block_request r;
	struct io_piece piece[4];
	struct rig *rig;
	int error;
	bool done;
};

static inline void rig_warn(void *opaque, const char *text)
{
	snprintf(((struct rig *)opaque)->warning, 512, "%s", text);
}

static inline void rig_done(struct block_request *r, int error)
{
	struct ask *a = r->opaque;

	pthread_mutex_lock(&a->rig->lock);
	assert_false(a->done);
	a->done = true;
	a->error = error;
	a->rig->done++;
	pthread_cond_broadcast(&a->rig->changed);
	pthread_mutex_unlock(&a->rig->lock);
}

static inline void rig_submit(void *opaque)
{
	struct ask *a = opaque;

	block_submit(a->rig->face, &a->r);
}

static inline void rig_prepare(struct rig *g, struct ask *a, enum block_op op, uint64_t at,
			       uint64_t bytes, void *buf)
{
	a->rig = g;
	a->done = false;
	a->piece[0] = (struct io_piece){buf, bytes};
	a->r = (struct block_request){.op = op,
				      .offset = at,
				      .bytes = bytes,
				      .piece = a->piece,
				      .pieces = buf ? 1 : 0,
				      .unmap = true,
				      .done = rig_done,
				      .opaque = a};
}

static inline void rig_put(struct rig *g, struct ask *a, enum block_op op, uint64_t at,
			   uint64_t bytes, void *buf)
{
	rig_prepare(g, a, op, at, bytes, buf);
	io_loop_call(g->loop, rig_submit, a);
}

static inline int rig_wait(struct ask *a)
{
	struct rig *g = a->rig;

	if (io_loop_synchronous(g->loop))
		io_loop_turn(g->loop);
	pthread_mutex_lock(&g->lock);
	while (!a->done)
		pthread_cond_wait(&g->changed, &g->lock);
	pthread_mutex_unlock(&g->lock);
	return a->error;
}

static inline int rig_do(struct rig *g, enum block_op op, uint64_t at, uint64_t bytes, void *buf)
{
	struct ask a;

	rig_put(g, &a, op, at, bytes, buf);
	return rig_wait(&a);
}

static inline void rig_init(struct rig *g, const char *name)
{
	memset(g, 0, sizeof(*g));
	snprintf(g->dir, sizeof(g->dir), "/tmp/doppel-block-XXXXXX");
	assert_non_null(mkdtemp(g->dir));
	snprintf(g->path, sizeof(g->path), "%s/%s", g->dir, name);
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->changed, NULL);
}

static inline void rig_file(struct rig *g, uint64_t bytes)
{
	int fd = open(g->path, O_CREAT | O_RDWR | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	close(fd);
}

static inline int rig_open(struct rig *g, struct image_options o, bool synchronous)
{
	struct error err = {{0}};
	struct image *m;
	int r;

	o.warn = rig_warn;
	o.opaque = g;
	r = image_open(&m, g->path, &o, &err);
	if (r) {
		snprintf(g->warning, sizeof(g->warning), "%s", err.text);
		return r;
	}
	assert_int_equal(io_loop_create(&g->loop, synchronous, &err), 0);
	assert_int_equal(disk_create(&g->disk, g->loop, m, &err), 0);
	assert_int_equal(io_loop_start(g->loop, &err), 0);
	g->face = disk_face(g->disk);
	return 0;
}

static inline void rig_close(struct rig *g)
{
	if (!g->loop)
		return;
	io_loop_stop(g->loop);
	disk_destroy(g->disk);
	io_loop_destroy(g->loop);
	g->loop = NULL;
}

static inline void rig_clear(struct rig *g)
{
	char command[128];

	rig_close(g);
	snprintf(command, sizeof(command), "rm -rf %s", g->dir);
	assert_int_equal(system(command), 0);
}

#endif
