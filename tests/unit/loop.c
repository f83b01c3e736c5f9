/* The I/O loop: posted work, calls, requests in flight, with a thread and without. */
#include "test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend/loop.h"

struct count {
	struct work work;
	struct worker worker;
	_Atomic int runs;
	int again; /* post itself this often */
	pthread_t thread;
};

static void count_run(void *opaque)
{
	struct count *c = opaque;

	atomic_fetch_add(&c->runs, 1);
	c->thread = pthread_self();
	if (c->again-- > 0)
		worker_post(&c->worker, &c->work);
}

static struct io_loop *make(bool synchronous)
{
	struct io_loop *l;
	struct error err;

	assert_int_equal(io_loop_create(&l, synchronous, &err), 0);
	assert_int_equal(io_loop_start(l, &err), 0);
	return l;
}

static void count_init(struct count *c, struct io_loop *l, int again)
{
	*c = (struct count){
		.work = {.run = count_run}, .worker = io_loop_worker(l), .again = again};
	c->work.opaque = c;
}

static void posted(void **state)
{
	struct io_loop *l = make(false);
	struct count c;

	count_init(&c, l, 10);
	worker_post(&c.worker, &c.work);
	io_loop_settle(l);
	assert_int_equal(c.runs, 11);
	assert_false(pthread_equal(c.thread, pthread_self()));
	io_loop_destroy(l);
}

static void posted_before_stop(void **state)
{
	struct io_loop *l = make(false);
	struct count c[100];

	for (int i = 0; i < 100; i++) {
		count_init(&c[i], l, 3);
		worker_post(&c[i].worker, &c[i].work);
	}
	io_loop_stop(l);
	for (int i = 0; i < 100; i++)
		assert_int_equal(c[i].runs, 4);
	io_loop_destroy(l);
}

static void synchronous(void **state)
{
	struct io_loop *l = make(true);
	struct count c;

	count_init(&c, l, 2);
	assert_false(io_loop_turn(l));
	worker_post(&c.worker, &c.work);
	worker_post(&c.worker, &c.work); /* once: it has not begun */
	assert_int_equal(c.runs, 0);
	assert_true(io_loop_turn(l));
	assert_int_equal(c.runs, 3);
	assert_true(pthread_equal(c.thread, pthread_self()));
	io_loop_destroy(l);
}

static void called(void **state)
{
	struct io_loop *l = make(false);
	struct count c;

	count_init(&c, l, 0);
	io_loop_call(l, count_run, &c);
	assert_int_equal(c.runs, 1);
	assert_false(pthread_equal(c.thread, pthread_self()));
	io_loop_stop(l);
	count_init(&c, l, 0);
	io_loop_call(l, count_run, &c);
	assert_true(pthread_equal(c.thread, pthread_self()));
	io_loop_destroy(l);
}

/* A request: begun on the loop, ended by a timer of libuv's a little later. */
struct request {
	uv_timer_t *timer;
	struct io_loop *loop;
	_Atomic bool done;
};

static void request_end(uv_timer_t *t)
{
	struct request *r = t->data;

	atomic_store(&r->done, true);
	io_loop_close((uv_handle_t *)t);
	io_loop_end(r->loop);
}

static void request_begin(void *opaque)
{
	struct request *r = opaque;

	r->timer = calloc(1, sizeof(*r->timer));
	uv_timer_init(io_loop_uv(r->loop), r->timer);
	r->timer->data = r;
	uv_timer_start(r->timer, request_end, 30, 0);
	io_loop_begin(r->loop);
}

static void settles(void **state)
{
	for (int sync = 0; sync < 2; sync++) {
		struct io_loop *l = make(sync);
		struct request r = {.loop = l};

		io_loop_call(l, request_begin, &r);
		assert_false(r.done);
		io_loop_settle(l);
		assert_true(r.done);
		r.done = false;
		io_loop_call(l, request_begin, &r);
		if (sync)
			io_loop_turn(l);
		io_loop_stop(l); /* waits for it too */
		assert_true(r.done);
		io_loop_destroy(l);
	}
}

/* Requests end before it stands; what is posted waits, and a reset need not wait for that. */
static void held(void **state)
{
	struct io_loop *l = make(false);
	struct request r = {.loop = l};
	struct count c, endless;

	count_init(&endless, l, 1 << 30);
	worker_post(&endless.worker, &endless.work);
	io_loop_call(l, request_begin, &r);
	io_loop_hold(l);
	assert_true(r.done);
	int before = endless.runs;
	count_init(&c, l, 0);
	worker_post(&c.worker, &c.work);
	usleep(10000);
	assert_int_equal(c.runs, 0);
	assert_int_equal(endless.runs, before);
	io_loop_settle(l);
	io_loop_hold(l); /* once more makes no difference */
	endless.again = 0;
	io_loop_release(l);
	io_loop_settle(l);
	assert_int_equal(c.runs, 1);
	assert_true(endless.runs > before);
	for (int i = 0; i < 1000; i++) {
		io_loop_hold(l);
		worker_post(&c.worker, &c.work);
		io_loop_release(l);
	}
	io_loop_hold(l);
	before = c.runs;
	worker_post(&c.worker, &c.work);
	io_loop_stop(l); /* a thread that stands ends, too */
	assert_int_equal(c.runs, before + 1);
	io_loop_destroy(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(posted),      cmocka_unit_test(posted_before_stop),
		cmocka_unit_test(synchronous), cmocka_unit_test(called),
		cmocka_unit_test(settles),     cmocka_unit_test(held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
