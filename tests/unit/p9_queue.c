/* Requests of a 9P share on its threads: many at once, Tflush, and the synchronous loop. */
#define _GNU_SOURCE
#include "test.h"

#include <pthread.h>
#include <sys/uio.h>
#include <time.h>

#include "backend/loop.h"
#include "backend/p9/share.h"
#include "p9_rig.h"

enum { MANY = 64 };

/* One request with memory of its own. */
struct job {
	struct p9_request request;
	struct io_piece out, in;
	uint8_t message[256], answer[4096];
	size_t bytes;
	unsigned order; /* in which it was done; 0: not yet */
	struct jobs *all;
};

struct jobs {
	struct rig rig;
	struct io_loop *loop;
	struct job job[MANY];
	unsigned begun, done;
};

static void job_done(struct p9_request *r, size_t bytes)
{
	struct job *j = r->opaque;

	j->bytes = bytes;
	__atomic_store_n(&j->order, __atomic_add_fetch(&j->all->done, 1, __ATOMIC_RELAXED),
			 __ATOMIC_RELEASE);
}

/* Takes the message that the rig put together. */
static struct job *job_new(struct jobs *all, uint16_t tag)
{
	struct job *j = &all->job[all->begun++];
	size_t len = all->rig.out.len;

	memcpy(j->message, all->rig.message, len);
	j->message[0] = (uint8_t)len;
	j->message[5] = (uint8_t)tag;
	j->message[6] = (uint8_t)(tag >> 8);
	j->out = (struct io_piece){j->message, len};
	j->in = (struct io_piece){j->answer, sizeof(j->answer)};
	j->request = (struct p9_request){.out = &j->out,
					 .outs = 1,
					 .out_bytes = len,
					 .in = &j->in,
					 .ins = 1,
					 .in_bytes = sizeof(j->answer),
					 .done = job_done,
					 .opaque = j};
	j->all = all;
	return j;
}

static void submit(void *opaque)
{
	struct job *j = opaque;
	const struct p9_server *s = p9_share_server(j->all->rig.share);

	s->submit(s->opaque, &j->request);
}

static struct job *job_go(struct jobs *all, uint16_t tag)
{
	struct job *j = job_new(all, tag);

	io_loop_call(all->loop, submit, j);
	return j;
}

static struct jobs *jobs_new(bool synchronous)
{
	struct jobs *all = calloc(1, sizeof(*all));
	struct error err;

	assert_int_equal(io_loop_create(&all->loop, synchronous, &err), 0);
	rig_folder(&all->rig);
	assert_int_equal(p9_share_create(&all->rig.share, all->loop, all->rig.folder, false, &err),
			 0);
	assert_int_equal(rig_version(&all->rig, RIG_MSIZE, "9P2000.L"), 0);
	assert_int_equal(rig_attach(&all->rig, RIG_ROOT), 0);
	assert_int_equal(io_loop_start(all->loop, &err), 0);
	return all;
}

static void jobs_free(struct jobs *all)
{
	io_loop_settle(all->loop);
	io_loop_stop(all->loop);
	p9_share_destroy(all->rig.share);
	io_loop_destroy(all->loop);
	assert_int_equal(nftw(all->rig.top, rig_rm, 16, FTW_DEPTH | FTW_PHYS), 0);
	free(all);
}

static void put_getattr(struct jobs *all)
{
	rig_begin(&all->rig, P9_TGETATTR);
	p9_put(&all->rig.out, RIG_ROOT, 4);
	p9_put(&all->rig.out, ~0ull, 8);
}

static void many(bool synchronous)
{
	struct jobs *all = jobs_new(synchronous);

	for (unsigned i = 0; i < MANY; i++) {
		put_getattr(all);
		job_go(all, (uint16_t)i);
	}
	io_loop_settle(all->loop);
	assert_int_equal(all->done, MANY);
	for (unsigned i = 0; i < MANY; i++) {
		assert_int_equal(all->job[i].bytes, 160);
		assert_int_equal(all->job[i].answer[4], P9_TGETATTR + 1);
		assert_int_equal(all->job[i].answer[5], i);
	}
	jobs_free(all);
}

static void test_many_at_once(void **state)
{
	many(false);
}

static void test_synchronous(void **state)
{
	many(true);
}

static void nap(void)
{
	nanosleep(&(struct timespec){0, 2000000}, NULL);
}

static unsigned order(struct job *j)
{
	return __atomic_load_n(&j->order, __ATOMIC_ACQUIRE);
}

static void wait_running(struct p9_share *s, unsigned n)
{
	for (unsigned have = 0; have != n; nap()) {
		pthread_mutex_lock(&s->queue_lock);
		have = 0;
		for (struct p9_request *r = s->running; r; r = r->next)
			have += r->type != 0;
		pthread_mutex_unlock(&s->queue_lock);
	}
}

/* Fids kept busy from outside stand for slow files: the requests wait in the threads. */
static struct p9_held block(struct jobs *all, uint32_t fid)
{
	struct p9_held h;

	assert_int_equal(rig_walk(&all->rig, RIG_ROOT, fid, ""), 0);
	assert_int_equal(rig_open(&all->rig, fid, 0), 0);
	assert_int_equal(p9_hold(all->rig.share, fid, &h), 0);
	pthread_mutex_lock(&h.fid->busy);
	return h;
}

static struct job *go_readdir(struct jobs *all, uint32_t fid, uint16_t tag)
{
	rig_begin(&all->rig, P9_TREADDIR);
	p9_put(&all->rig.out, fid, 4);
	p9_put(&all->rig.out, 0, 8);
	p9_put(&all->rig.out, 1000, 4);
	return job_go(all, tag);
}

static struct job *go_flush(struct jobs *all, uint16_t old, uint16_t tag)
{
	rig_begin(&all->rig, P9_TFLUSH);
	p9_put(&all->rig.out, old, 2);
	return job_go(all, tag);
}

static struct job *go_read(struct jobs *all, uint32_t fid, uint64_t offset, uint16_t tag)
{
	rig_begin(&all->rig, P9_TREAD);
	p9_put(&all->rig.out, fid, 4);
	p9_put(&all->rig.out, offset, 8);
	p9_put(&all->rig.out, 1000, 4);
	return job_go(all, tag);
}

static void test_one_that_blocks_holds_up_no_other(void **state)
{
	struct jobs *all = jobs_new(false);
	struct p9_held h = block(all, 5);
	struct job *slow = go_readdir(all, 5, 1), *quick;

	wait_running(all->rig.share, 1);
	put_getattr(all);
	quick = job_go(all, 2);
	while (!order(quick))
		nap();
	assert_int_equal(order(slow), 0);
	pthread_mutex_unlock(&h.fid->busy);
	p9_release(all->rig.share, &h);
	io_loop_settle(all->loop);
	assert_int_equal(slow->answer[4], P9_TREADDIR + 1);
	jobs_free(all);
}

static void test_flush(void **state)
{
	struct jobs *all = jobs_new(false);
	struct p9_held h = block(all, 5);
	struct job *slow = go_readdir(all, 5, 1), *flush, *other, *twice, *none, *ring;

	wait_running(all->rig.share, 1);
	flush = go_flush(all, 1, 2);
	other = go_flush(all, 1, 3);
	none = go_flush(all, 99, 4);
	while (!order(none))
		nap();
	/* A flush of a flush waits for nothing. */
	twice = go_flush(all, 2, 5);
	ring = go_flush(all, 6, 6);
	while (!order(twice) || !order(ring))
		nap();
	assert_int_equal(order(slow), 0);
	assert_int_equal(order(flush), 0);
	assert_int_equal(order(other), 0);
	pthread_mutex_unlock(&h.fid->busy);
	p9_release(all->rig.share, &h);
	io_loop_settle(all->loop);
	assert_int_equal(slow->answer[4], P9_TREADDIR + 1);
	assert_true(order(flush) > order(slow) && order(other) > order(slow));
	assert_int_equal(flush->answer[4], P9_TFLUSH + 1);
	assert_int_equal(flush->answer[5], 2);
	assert_int_equal(flush->bytes, 7);
	jobs_free(all);
}

/* All threads are busy: what is queued is dropped by a flush as soon as one gets to it. */
static void test_flush_of_what_is_queued(void **state)
{
	struct jobs *all = jobs_new(false);
	struct job *slow[P9_THREADS], *queued, *flush;
	struct p9_held h[P9_THREADS];

	for (uint32_t i = 0; i < P9_THREADS; i++) {
		h[i] = block(all, 10 + i);
		slow[i] = go_readdir(all, 10 + i, (uint16_t)i);
	}
	wait_running(all->rig.share, P9_THREADS);
	flush = go_flush(all, 51, 50);
	queued = go_readdir(all, RIG_ROOT, 51);
	for (uint32_t i = 0; i < P9_THREADS; i++) {
		pthread_mutex_unlock(&h[i].fid->busy);
		p9_release(all->rig.share, &h[i]);
		if (i == 0) {
			while (!order(flush))
				nap();
			assert_int_equal(queued->answer[4], P9_RLERROR);
			assert_true(order(queued) < order(flush));
		}
	}
	io_loop_settle(all->loop);
	for (unsigned i = 0; i < P9_THREADS; i++)
		assert_int_equal(slow[i]->answer[4], P9_TREADDIR + 1);
	jobs_free(all);
}

static bool reads_without_waiting(struct jobs *all, const char *name)
{
	int fd = open(rig_path(&all->rig, name), O_RDONLY);
	char byte;
	struct iovec v = {&byte, 1};
	bool yes = fd >= 0 && preadv2(fd, &v, 1, 0, RWF_NOWAIT) == 1;

	close(fd);
	return yes;
}

/* What is in the page cache needs no thread, and so none that is free. */
static void test_data_needs_no_thread(void **state)
{
	struct jobs *all = jobs_new(false);
	struct job *slow[P9_THREADS], *put, *got, *past;
	struct p9_held h[P9_THREADS];

	rig_file(&all->rig, "file", "old contents");
	assert_int_equal(rig_walk(&all->rig, RIG_ROOT, 5, "file"), 0);
	assert_int_equal(rig_open(&all->rig, 5, O_RDWR), 0);
	for (uint32_t i = 0; i < P9_THREADS; i++) {
		h[i] = block(all, 10 + i);
		slow[i] = go_readdir(all, 10 + i, (uint16_t)i);
	}
	wait_running(all->rig.share, P9_THREADS);
	rig_begin(&all->rig, P9_TWRITE);
	p9_put(&all->rig.out, 5, 4);
	p9_put(&all->rig.out, 0, 8);
	p9_put(&all->rig.out, 3, 4);
	p9_put_bytes(&all->rig.out, "new", 3);
	put = job_go(all, 50);
	while (!order(put))
		nap();
	assert_int_equal(put->answer[4], P9_TWRITE + 1);
	assert_int_equal(put->answer[7], 3);
	got = go_read(all, 5, 0, 51);
	past = go_read(all, 5, 100, 52);
	while (reads_without_waiting(all, "file") && (!order(got) || !order(past)))
		nap();
	for (uint32_t i = 0; i < P9_THREADS; i++) {
		assert_int_equal(order(slow[i]), 0);
		pthread_mutex_unlock(&h[i].fid->busy);
		p9_release(all->rig.share, &h[i]);
	}
	io_loop_settle(all->loop);
	assert_int_equal(got->bytes, 11 + 12);
	assert_memory_equal(got->answer + 11, "new contents", 12);
	assert_int_equal(past->bytes, 11);
	assert_int_equal(past->answer[4], P9_TREAD + 1);
	jobs_free(all);
}

/* Tversion in the middle: what runs ends on the fids it holds. */
static void test_version_while_one_runs(void **state)
{
	struct jobs *all = jobs_new(false);
	struct p9_held h = block(all, 5);
	struct job *slow = go_readdir(all, 5, 1);

	wait_running(all->rig.share, 1);
	assert_int_equal(rig_version(&all->rig, RIG_MSIZE, "9P2000.L"), 0);
	assert_int_equal(rig_clunk(&all->rig, 5), EBADF);
	pthread_mutex_unlock(&h.fid->busy);
	p9_release(all->rig.share, &h);
	io_loop_settle(all->loop);
	assert_int_equal(slow->answer[4], P9_TREADDIR + 1);
	jobs_free(all);
}

/* ---- hostile and in parallel: for sanitizers */

static void *storm(void *opaque)
{
	struct rig *shared = opaque, *g = malloc(sizeof(*g));
	uint64_t s = (uintptr_t)&g;

	memcpy(g->top, shared->top, sizeof(g->top));
	memcpy(g->folder, shared->folder, sizeof(g->folder));
	g->share = shared->share;
	for (unsigned i = 0; i < 3000; i++) {
		uint32_t a, b;

		s = s * 6364136223846793005ull + 1442695040888963407ull;
		a = 2 + (s >> 33) % 6;
		b = 2 + (s >> 40) % 6;
		switch ((s >> 50) % 12) {
		case 0:
			rig_walk(g, RIG_ROOT, a, "sub/inner");
			break;
		case 1:
			rig_walk(g, a, b, "");
			break;
		case 2:
			rig_clunk(g, a);
			break;
		case 3:
			rig_open(g, a, 2);
			break;
		case 4:
			rig_walk(g, RIG_ROOT, a, "sub");
			break;
		case 5:
			rig_create(g, a, "made", 2, 0644);
			break;
		case 6:
			rig_fid(g, P9_TREMOVE, a);
			break;
		case 7:
			rig_rename(g, a, RIG_ROOT, "made");
			break;
		case 8:
			rig_walk(g, a, a, "..");
			break;
		case 9:
			rig_xattrcreate(g, a, "user.x", 3);
			break;
		case 10:
			rig_write(g, a, 0, "abc");
			break;
		case 11:
			rig_read(g, a, 0, 10);
			break;
		}
	}
	free(g);
	return NULL;
}

static void test_storm(void **state)
{
	int before = rig_open_fds();
	struct rig *g = rig_new(false);
	pthread_t t[4];

	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, storm, g), 0);
	for (unsigned i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	assert_string_equal(rig_contents(g, "../secret"), "out of reach");
	rig_free(g);
	assert_int_equal(rig_open_fds(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_at_once),
		cmocka_unit_test(test_synchronous),
		cmocka_unit_test(test_one_that_blocks_holds_up_no_other),
		cmocka_unit_test(test_flush),
		cmocka_unit_test(test_flush_of_what_is_queued),
		cmocka_unit_test(test_data_needs_no_thread),
		cmocka_unit_test(test_version_while_one_runs),
		cmocka_unit_test(test_storm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
