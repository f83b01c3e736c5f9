/* The I/O thread on libuv: see loop.h. */
#define _GNU_SOURCE /* pthread_setname_np */
#include "backend/loop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

enum { ROUNDS_MAX = 8 };

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
};

/* looks: the caller will look for more by itself. */
static void carry_out(struct io_loop *l, bool looks)
{
	struct work *w, *next;

	pthread_mutex_lock(&l->lock);
	w = l->posted;
	l->posted = NULL;
	l->posted_end = &l->posted;
	l->busy++;
	l->looks = looks;
	pthread_mutex_unlock(&l->lock);
	for (; w; w = next) {
		next = w->next; /* w may be posted again at once */
		__atomic_store_n(&w->posted, false, __ATOMIC_RELEASE);
		w->run(w->opaque);
	}
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

static void post(void *opaque, struct work *w)
{
	struct io_loop *l = opaque;
	bool first;

	pthread_mutex_lock(&l->lock);
	first = l->posted == NULL && !l->looks;
	w->next = NULL;
	*l->posted_end = w;
	l->posted_end = &w->next;
	pthread_mutex_unlock(&l->lock);
	if (first)
		uv_async_send(&l->wake);
}

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
	return (struct worker){post, l};
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
