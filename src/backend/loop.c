/* The I/O thread on libuv: see loop.h. */
#define _GNU_SOURCE /* pthread_setname_np */
#include "backend/loop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

enum {
	ROUNDS_MAX = 8,
	LEND_AFTER = 8,	 /* kicks that the CPU slept after */
	LEND_TURNS = 32, /* before it has to show again that it would sleep */
};

/* What is lent, and to whom; under the loop's lock. */
struct lending {
	bool allowed;
	pthread_t kicker; /* the last thread that posted something prompt */
	bool kicked;	  /* there was one */
	bool slept;	  /* it has, since */
	bool last;	  /* and it was lent what it posted */
	unsigned begun;	  /* requests, since */
	unsigned streak, turns;
	struct work *work;	     /* lent and not yet begun; also looked at without the lock */
	bool active;		     /* the kicker is at it */
	struct work *own, **own_end; /* what it has posted meanwhile */
};

struct io_loop {
	uv_loop_t uv;
	uv_async_t wake; /* posted, or stop */
	bool synchronous, running, stop;
	pthread_t thread;
	pthread_mutex_t lock; /* guards what follows, and stop */
	pthread_cond_t settled;
	struct work *posted, **posted_end;
	unsigned busy;	   /* requests, and the list being carried out */
	bool held, parked; /* asked to stand; stands */
	bool looks;	   /* the thread will see what is posted without being woken */
	struct lending lending;
	struct work *shared; /* also looked at without the lock */
};

static void run_all(struct work *w)
{
	struct work *next;

	for (; w; w = next) {
		next = w->next; /* w may be posted again at once */
		__atomic_store_n(&w->posted, false, __ATOMIC_RELEASE);
		w->run(w->opaque);
	}
}

/* looks: the caller will look for more by itself. */
static void carry_out(struct io_loop *l, bool looks)
{
	struct work *w;

	pthread_mutex_lock(&l->lock);
	w = l->posted;
	l->posted = NULL;
	l->posted_end = &l->posted;
	l->busy++;
	l->looks = looks;
	pthread_mutex_unlock(&l->lock);
	run_all(w);
	io_loop_end(l);
}

/* Lock held. What is posted may wait, requests may not: they write to the guest's memory. */
static void park(struct io_loop *l)
{
	if (!l->held || l->busy)
		return;
	l->parked = true;
	pthread_cond_broadcast(&l->settled);
	while (l->held && !l->stop)
		pthread_cond_wait(&l->settled, &l->lock);
	l->parked = false;
}

/* Rounds of what is posted until nothing is, but not for ever: descriptors have their turn. While
 * it looks by itself, nobody need wake it. */
static void on_wake(uv_async_t *a)
{
	struct io_loop *l = a->data;
	bool more = true;

	for (unsigned i = 0; more && i < ROUNDS_MAX; i++) {
		carry_out(l, i + 1 < ROUNDS_MAX);
		pthread_mutex_lock(&l->lock);
		more = l->posted != NULL && !l->held;
		l->looks = l->looks && more;
		pthread_mutex_unlock(&l->lock);
	}
	pthread_mutex_lock(&l->lock);
	park(l);
	if (l->posted)
		uv_async_send(&l->wake);
	else if (l->stop && !l->busy)
		uv_stop(&l->uv);
	pthread_mutex_unlock(&l->lock);
}

/* Lock held. True if the thread is to be woken. */
static bool append(struct io_loop *l, struct work *w)
{
	bool first = l->posted == NULL && !l->looks;

	w->next = NULL;
	*l->posted_end = w;
	l->posted_end = &w->next;
	return first;
}

/* Lock held. */
static bool is_lender(const struct io_loop *l)
{
	return l->lending.active && pthread_equal(l->lending.kicker, pthread_self());
}

static void post(void *opaque, struct work *w)
{
	struct io_loop *l = opaque;
	bool wake = false;

	pthread_mutex_lock(&l->lock);
	if (is_lender(l)) {
		w->next = NULL;
		*l->lending.own_end = w;
		l->lending.own_end = &w->next;
	} else {
		wake = append(l, w);
	}
	pthread_mutex_unlock(&l->lock);
	if (wake)
		uv_async_send(&l->wake);
}

/* ---- lending */

/* Lock held: this thread kicks. Is it to do the work itself? */
static bool lends(struct io_loop *l)
{
	struct lending *g = &l->lending;
	bool same = g->kicked && pthread_equal(g->kicker, pthread_self());
	bool quiet = !l->busy && !l->posted && !l->held && !l->stop && g->begun <= 1;

	if (!g->last)
		g->streak = g->slept ? g->streak + 1 : 0;
	if (!same || !quiet)
		g->streak = g->turns = 0;
	if (!g->last && g->streak >= LEND_AFTER) {
		g->streak = LEND_AFTER - 1;
		g->turns = LEND_TURNS;
	}
	g->last = g->turns > 0;
	g->turns -= g->last;
	g->kicker = pthread_self();
	g->kicked = true;
	g->slept = false;
	g->begun = 0;
	return g->last;
}

static void prompt(void *opaque, struct work *w)
{
	struct io_loop *l = opaque;
	struct lending *g = &l->lending;
	bool wake = false;

	pthread_mutex_lock(&l->lock);
	if (g->allowed && !g->work && !g->active && lends(l)) {
		w->next = NULL;
		l->busy++;
		__atomic_store_n(&g->work, w, __ATOMIC_RELEASE);
	} else {
		wake = append(l, w);
	}
	pthread_mutex_unlock(&l->lock);
	if (wake)
		uv_async_send(&l->wake);
}

/* What the lender has posted since; NULL at the end. What it leaves then is the thread's. */
static struct work *lent_next(struct io_loop *l, bool end)
{
	struct lending *g = &l->lending;
	struct work *w, *next;
	bool wake = false;

	pthread_mutex_lock(&l->lock);
	w = g->own;
	g->own = NULL;
	g->own_end = &g->own;
	g->active = w && !end;
	for (; w && end; w = next) {
		next = w->next;
		wake |= append(l, w);
	}
	pthread_mutex_unlock(&l->lock);
	if (wake)
		uv_async_send(&l->wake);
	return w;
}

void io_loop_lend(void *loop)
{
	struct io_loop *l = loop;
	struct lending *g = &l->lending;
	struct work *w = NULL;

	if (!__atomic_load_n(&g->work, __ATOMIC_ACQUIRE))
		return;
	pthread_mutex_lock(&l->lock);
	if (g->work && pthread_equal(g->kicker, pthread_self())) {
		w = g->work;
		__atomic_store_n(&g->work, NULL, __ATOMIC_RELAXED);
		g->active = true;
	}
	pthread_mutex_unlock(&l->lock);
	if (!w)
		return;
	for (unsigned i = 0; w; i++) {
		run_all(w);
		w = lent_next(l, i + 1 >= ROUNDS_MAX);
	}
	io_loop_end(l);
}

void io_loop_lend_allow(struct io_loop *l)
{
	l->lending.allowed = !l->synchronous;
}

void io_loop_idle(struct io_loop *l)
{
	struct lending *g = &l->lending;

	pthread_mutex_lock(&l->lock);
	g->slept |= g->kicked && pthread_equal(g->kicker, pthread_self());
	pthread_mutex_unlock(&l->lock);
}

bool io_loop_lending(struct io_loop *l)
{
	bool yes;

	pthread_mutex_lock(&l->lock);
	yes = is_lender(l);
	pthread_mutex_unlock(&l->lock);
	return yes;
}

void io_loop_hand_over(struct io_loop *l, struct work *w)
{
	bool wake;

	if (__atomic_exchange_n(&w->posted, true, __ATOMIC_ACQ_REL))
		return;
	pthread_mutex_lock(&l->lock);
	l->lending.streak = l->lending.turns = 0; /* the host's disk is to be waited for */
	wake = append(l, w);
	pthread_mutex_unlock(&l->lock);
	if (wake)
		uv_async_send(&l->wake);
}

/* ---- sharing */

void io_loop_share(struct io_loop *l, struct work *w)
{
	if (__atomic_exchange_n(&w->posted, true, __ATOMIC_ACQ_REL))
		return;
	pthread_mutex_lock(&l->lock);
	w->next = l->shared;
	__atomic_store_n(&l->shared, w, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&l->lock);
}

void io_loop_unshare(struct io_loop *l, struct work *w)
{
	pthread_mutex_lock(&l->lock);
	for (struct work **at = &l->shared; *at; at = &(*at)->next)
		if (*at == w) {
			__atomic_store_n(at, w->next, __ATOMIC_RELAXED);
			__atomic_store_n(&w->posted, false, __ATOMIC_RELEASE);
			break;
		}
	pthread_mutex_unlock(&l->lock);
}

bool io_loop_help(struct io_loop *l)
{
	struct work *w;

	if (!__atomic_load_n(&l->shared, __ATOMIC_ACQUIRE))
		return false;
	pthread_mutex_lock(&l->lock);
	w = l->shared;
	if (w) {
		__atomic_store_n(&l->shared, w->next, __ATOMIC_RELAXED);
		l->busy++;
		w->next = NULL;
	}
	pthread_mutex_unlock(&l->lock);
	if (!w)
		return false;
	run_all(w);
	io_loop_end(l);
	return true;
}

/* ---- made and destroyed */

int io_loop_create(struct io_loop **out, bool synchronous, struct error *err)
{
	struct io_loop *l = calloc(1, sizeof(*l));
	int r = l ? uv_loop_init(&l->uv) : -ENOMEM;

	if (r < 0) {
		free(l);
		return error_set(err, r, "cannot make an event loop: %s", uv_strerror(r));
	}
	r = uv_async_init(&l->uv, &l->wake, on_wake);
	if (r < 0) {
		uv_loop_close(&l->uv);
		free(l);
		return error_set(err, r, "cannot make an event loop: %s", uv_strerror(r));
	}
	l->wake.data = l;
	l->synchronous = synchronous;
	l->posted_end = &l->posted;
	l->lending.own_end = &l->lending.own;
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->settled, NULL);
	*out = l;
	return 0;
}

static void free_handle(uv_handle_t *h)
{
	free(h);
}

void io_loop_close(uv_handle_t *h)
{
	uv_close(h, free_handle);
}

void io_loop_destroy(struct io_loop *l)
{
	if (!l)
		return;
	io_loop_stop(l);
	uv_close((uv_handle_t *)&l->wake, NULL);
	while (uv_loop_close(&l->uv) == UV_EBUSY)
		uv_run(&l->uv, UV_RUN_NOWAIT);
	pthread_cond_destroy(&l->settled);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

bool io_loop_synchronous(const struct io_loop *l)
{
	return l->synchronous;
}

uv_loop_t *io_loop_uv(struct io_loop *l)
{
	return &l->uv;
}

struct worker io_loop_worker(struct io_loop *l)
{
	return (struct worker){.post = post, .prompt = prompt, .opaque = l};
}

/* ---- the thread */

static void *thread(void *opaque)
{
	struct io_loop *l = opaque;

	pthread_setname_np(pthread_self(), "io");
	uv_run(&l->uv, UV_RUN_DEFAULT);
	return NULL;
}

int io_loop_start(struct io_loop *l, struct error *err)
{
	sigset_t all, before;
	int r;

	if (l->synchronous || l->running)
		return 0;
	l->stop = false;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main program's */
	r = pthread_create(&l->thread, NULL, thread, l);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r)
		return error_set(err, -r, "cannot start the I/O thread: %s", uv_strerror(-r));
	l->running = true;
	return 0;
}

void io_loop_stop(struct io_loop *l)
{
	if (!l->running)
		return;
	pthread_mutex_lock(&l->lock);
	l->stop = true;
	pthread_cond_broadcast(&l->settled);
	pthread_mutex_unlock(&l->lock);
	uv_async_send(&l->wake);
	pthread_join(l->thread, NULL);
	l->running = false;
}

/* ---- calls and requests */

struct call {
	struct work work;
	struct io_loop *loop;
	void (*fn)(void *arg);
	void *arg;
	bool done; /* under the loop's lock */
};

static void call_run(void *opaque)
{
	struct call *c = opaque;

	c->fn(c->arg);
	pthread_mutex_lock(&c->loop->lock);
	c->done = true;
	pthread_cond_broadcast(&c->loop->settled);
	pthread_mutex_unlock(&c->loop->lock);
}

void io_loop_call(struct io_loop *l, void (*fn)(void *arg), void *arg)
{
	struct call c = {.loop = l, .fn = fn, .arg = arg};
	struct worker k = io_loop_worker(l);

	if (!l->running || pthread_equal(l->thread, pthread_self())) {
		fn(arg);
		return;
	}
	c.work = (struct work){.run = call_run, .opaque = &c};
	worker_post(&k, &c.work);
	pthread_mutex_lock(&l->lock);
	while (!c.done)
		pthread_cond_wait(&l->settled, &l->lock);
	pthread_mutex_unlock(&l->lock);
}

void io_loop_begin(struct io_loop *l)
{
	pthread_mutex_lock(&l->lock);
	l->busy++;
	l->lending.begun++;
	pthread_mutex_unlock(&l->lock);
}

void io_loop_end(struct io_loop *l)
{
	pthread_mutex_lock(&l->lock);
	l->busy--;
	if (!l->busy && !l->posted)
		pthread_cond_broadcast(&l->settled);
	if (!l->busy && (l->stop || l->held))
		uv_async_send(&l->wake);
	pthread_mutex_unlock(&l->lock);
}

static bool unsettled(struct io_loop *l)
{
	bool yes;

	pthread_mutex_lock(&l->lock);
	yes = l->busy || l->posted;
	pthread_mutex_unlock(&l->lock);
	return yes;
}

void io_loop_settle(struct io_loop *l)
{
	if (!l->running) {
		io_loop_turn(l);
		return;
	}
	pthread_mutex_lock(&l->lock);
	while (l->busy || (l->posted && !(l->held && l->parked)))
		pthread_cond_wait(&l->settled, &l->lock);
	pthread_mutex_unlock(&l->lock);
}

void io_loop_hold(struct io_loop *l)
{
	if (!l->running)
		return;
	pthread_mutex_lock(&l->lock);
	l->held = true;
	uv_async_send(&l->wake);
	while (!l->parked)
		pthread_cond_wait(&l->settled, &l->lock);
	pthread_mutex_unlock(&l->lock);
}

void io_loop_release(struct io_loop *l)
{
	pthread_mutex_lock(&l->lock);
	l->held = false;
	pthread_cond_broadcast(&l->settled);
	pthread_mutex_unlock(&l->lock);
}

bool io_loop_turn(struct io_loop *l)
{
	bool any = false;

	while (unsettled(l)) {
		any = true;
		carry_out(l, false);
		/* Only a request can be waited for; what is posted is carried out at once. */
		uv_run(&l->uv, l->busy && !l->posted ? UV_RUN_ONCE : UV_RUN_NOWAIT);
	}
	uv_run(&l->uv, UV_RUN_NOWAIT);
	return any;
}
