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
	struct io_loop *loop;
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
		.work = {.run = count_run}, .worker = io_loop_worker(l), .loop = l, .again = again};
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
		assert_false(sync && r.done); /* a thread may have been there before us */
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

/* ---- lending */

enum { LEND_AFTER = 8, LEND_TURNS = 32 }; /* as in loop.c */

/* A CPU's kick; true if it did the work itself. */
static bool kick(struct io_loop *l, struct count *c)
{
	int before = c->runs;

	worker_post_prompt(&c->worker, &c->work);
	io_loop_lend(l);
	io_loop_settle(l);
	assert_int_equal(c->runs, before + 1);
	return pthread_equal(c->thread, pthread_self());
}

/* The kicks that it sleeps after; the next one is lent. */
static void kick_and_sleep(struct io_loop *l, struct count *c)
{
	for (int i = 0; i < LEND_AFTER; i++) {
		assert_false(kick(l, c));
		io_loop_idle(l);
	}
}

static void lent(void **state)
{
	struct io_loop *l = make(false);
	struct count c;

	io_loop_lend_allow(l);
	count_init(&c, l, 0);
	kick_and_sleep(l, &c);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < LEND_TURNS; i++)
			assert_true(kick(l, &c));
		assert_false(kick(l, &c)); /* would it still sleep? */
		io_loop_idle(l);
	}
	for (int i = 0; i < LEND_TURNS; i++)
		assert_true(kick(l, &c));
	assert_false(kick(l, &c));
	for (int i = 0; i < 100; i++) /* it would not */
		assert_false(kick(l, &c));
	kick_and_sleep(l, &c);
	assert_true(kick(l, &c));
	io_loop_destroy(l);
}

static void not_lent(void **state)
{
	struct io_loop *l = make(false);
	struct count c;

	count_init(&c, l, 0);
	for (int i = 0; i < 50; i++) { /* not allowed */
		assert_false(kick(l, &c));
		io_loop_idle(l);
	}
	io_loop_lend_allow(l);
	for (int i = 0; i < 50; i++) /* it never sleeps */
		assert_false(kick(l, &c));
	for (int i = 0; i < 50; i++) { /* two requests at a time */
		assert_false(kick(l, &c));
		for (int k = 0; k < 2; k++) {
			io_loop_begin(l);
			io_loop_end(l);
		}
		io_loop_idle(l);
	}
	kick_and_sleep(l, &c);
	io_loop_begin(l); /* something else is under way */
	worker_post_prompt(&c.worker, &c.work);
	io_loop_lend(l);
	io_loop_end(l);
	io_loop_settle(l);
	assert_false(pthread_equal(c.thread, pthread_self()));
	io_loop_destroy(l);
}

static void *kick_elsewhere(void *opaque)
{
	struct count *c = opaque;

	worker_post_prompt(&c->worker, &c->work);
	io_loop_lend(c->loop);
	io_loop_idle(c->loop);
	return NULL;
}

/* What is lent to one CPU is no other's, and one that kicks for the first time has to show first.
 */
static void lent_to_one(void **state)
{
	struct io_loop *l = make(false);
	struct count mine, other;
	pthread_t t;

	io_loop_lend_allow(l);
	count_init(&mine, l, 0);
	count_init(&other, l, 0);
	kick_and_sleep(l, &mine);
	worker_post_prompt(&mine.worker, &mine.work);
	pthread_create(&t, NULL, kick_elsewhere, &other);
	pthread_join(t, NULL);
	assert_int_equal(mine.runs, LEND_AFTER);
	io_loop_lend(l);
	assert_int_equal(mine.runs, LEND_AFTER + 1);
	assert_true(pthread_equal(mine.thread, pthread_self()));
	io_loop_settle(l);
	assert_int_equal(other.runs, 1);
	assert_false(pthread_equal(other.thread, t));
	io_loop_destroy(l);
}

/* Posts itself: here for a while, then on the thread. */
static void lent_and_posted_again(void **state)
{
	struct io_loop *l = make(false);
	struct count c;

	io_loop_lend_allow(l);
	count_init(&c, l, 0);
	kick_and_sleep(l, &c);
	c.again = 3;
	worker_post_prompt(&c.worker, &c.work);
	io_loop_lend(l);
	assert_int_equal(c.runs, LEND_AFTER + 4);
	c.again = 100;
	worker_post_prompt(&c.worker, &c.work);
	io_loop_lend(l);
	io_loop_settle(l);
	assert_int_equal(c.runs, LEND_AFTER + 4 + 101);
	assert_false(pthread_equal(c.thread, pthread_self()));
	io_loop_destroy(l);
}

struct giver {
	struct io_loop *loop;
	struct count *to;
	bool lending;
};

static void give(void *opaque)
{
	struct giver *g = opaque;

	g->lending = io_loop_lending(g->loop);
	io_loop_hand_over(g->loop, &g->to->work);
}

static void handed_over(void **state)
{
	struct io_loop *l = make(false);
	struct count c, to;
	struct giver g = {l, &to, false};
	struct work w = {.run = give, .opaque = &g};

	io_loop_lend_allow(l);
	count_init(&c, l, 0);
	count_init(&to, l, 0);
	kick_and_sleep(l, &c);
	assert_false(io_loop_lending(l));
	worker_post_prompt(&c.worker, &w);
	io_loop_lend(l);
	assert_true(g.lending);
	assert_false(io_loop_lending(l));
	io_loop_settle(l);
	assert_int_equal(to.runs, 1);
	assert_false(pthread_equal(to.thread, pthread_self()));
	assert_false(kick(l, &c)); /* who waits for the disk is lent nothing */
	io_loop_destroy(l);
}

static void lent_to_nobody_who_is_held(void **state)
{
	struct io_loop *l = make(false);
	struct count c;

	io_loop_lend_allow(l);
	count_init(&c, l, 0);
	kick_and_sleep(l, &c);
	io_loop_hold(l);
	worker_post_prompt(&c.worker, &c.work);
	io_loop_lend(l);
	assert_int_equal(c.runs, LEND_AFTER);
	io_loop_release(l);
	io_loop_settle(l);
	assert_int_equal(c.runs, LEND_AFTER + 1);
	io_loop_destroy(l);
}

/* ---- sharing */

struct offer {
	struct work work;
	struct io_loop *loop;
	int runs, again; /* offer itself this often */
	pthread_t thread;
};

static void offer_run(void *opaque)
{
	struct offer *o = opaque;

	o->runs++;
	o->thread = pthread_self();
	if (o->again-- > 0)
		io_loop_share(o->loop, &o->work);
}

/* Taken by who asks, as often as offered, and by nobody else. */
static void shared(void **state)
{
	struct io_loop *l = make(false);
	struct offer a = {.work = {.run = offer_run, .opaque = &a}, .loop = l, .again = 2};
	struct offer b = {.work = {.run = offer_run, .opaque = &b}, .loop = l};

	assert_false(io_loop_help(l));
	io_loop_share(l, &a.work);
	io_loop_share(l, &a.work);
	io_loop_share(l, &b.work);
	io_loop_settle(l);
	assert_int_equal(a.runs + b.runs, 0);
	for (int i = 0; i < 4; i++)
		assert_true(io_loop_help(l));
	assert_false(io_loop_help(l));
	assert_int_equal(a.runs, 3);
	assert_int_equal(b.runs, 1);
	assert_true(pthread_equal(a.thread, pthread_self()));
	io_loop_destroy(l);
}

static void withdrawn(void **state)
{
	struct io_loop *l = make(false);
	struct offer a = {.work = {.run = offer_run, .opaque = &a}, .loop = l};
	struct offer b = {.work = {.run = offer_run, .opaque = &b}, .loop = l};

	io_loop_unshare(l, &a.work);
	io_loop_share(l, &a.work);
	io_loop_share(l, &b.work);
	io_loop_unshare(l, &a.work);
	assert_true(io_loop_help(l));
	assert_false(io_loop_help(l));
	assert_int_equal(a.runs, 0);
	assert_int_equal(b.runs, 1);
	io_loop_share(l, &a.work);
	assert_true(io_loop_help(l));
	assert_int_equal(a.runs, 1);
	io_loop_destroy(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shared),      cmocka_unit_test(withdrawn),
		cmocka_unit_test(posted),      cmocka_unit_test(posted_before_stop),
		cmocka_unit_test(synchronous), cmocka_unit_test(called),
		cmocka_unit_test(settles),     cmocka_unit_test(held),
		cmocka_unit_test(lent),	       cmocka_unit_test(not_lent),
		cmocka_unit_test(lent_to_one), cmocka_unit_test(lent_and_posted_again),
		cmocka_unit_test(handed_over), cmocka_unit_test(lent_to_nobody_who_is_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
