/*
 * libslirp wants to be called around poll(): before, to say which descriptors and how long; after,
 * to hear what is ready. Here that is a prepare and a check handle of libuv, which do something
 * only if libslirp was called since, and a poll handle for each descriptor. With no connections no
 * timer runs.
 */
#include <errno.h>
#include <stdlib.h>

#include "backend/net/user.h"

enum {
	/* What libslirp says if it waits for no time at all. */
	IDLE_MS = 1000,
	OLD_NS = 50 * 1000 * 1000,
};

/* ---- descriptors */

static void on_ready(uv_poll_t *p, int status, int events)
{
	struct user_watch *w = (struct user_watch *)p;
	struct user *u = p->data;

	u->ready = true;
	if (status < 0) { /* libuv has stopped watching it */
		w->events = 0;
		w->ready |= SLIRP_POLL_ERR | SLIRP_POLL_HUP;
		return;
	}
	if (events & UV_READABLE)
		w->ready |= SLIRP_POLL_IN;
	if (events & UV_WRITABLE)
		w->ready |= SLIRP_POLL_OUT;
	if (events & UV_PRIORITIZED)
		w->ready |= SLIRP_POLL_PRI;
}

void user_poll_forget(int fd, void *user)
{
	struct user *u = user;

	u->changed = true;
	if (fd < 0 || fd >= u->watches || !u->watch[fd])
		return;
	io_loop_close((uv_handle_t *)&u->watch[fd]->uv);
	u->watch[fd] = NULL;
}

static bool grow(struct user *u, int fd)
{
	int n = u->watches ? u->watches : 64;
	struct user_watch **to;

	while (n <= fd)
		n *= 2;
	to = realloc(u->watch, (size_t)n * sizeof(*to));
	if (!to)
		return false;
	for (int i = u->watches; i < n; i++)
		to[i] = NULL;
	u->watch = to;
	u->watches = n;
	return true;
}

static struct user_watch *watch(struct user *u, int fd)
{
	struct user_watch *w;

	if (fd < 0 || (fd >= u->watches && !grow(u, fd)))
		return NULL;
	if (u->watch[fd])
		return u->watch[fd];
	w = calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	if (uv_poll_init(io_loop_uv(u->loop), &w->uv, fd) < 0) {
		free(w);
		return NULL;
	}
	w->uv.data = u;
	u->watch[fd] = w;
	return w;
}

static void watch_for(struct user_watch *w)
{
	int uv = 0;

	if (w->wanted == w->events)
		return;
	w->events = w->wanted;
	if (w->events & (SLIRP_POLL_IN | SLIRP_POLL_HUP))
		uv |= UV_READABLE;
	if (w->events & SLIRP_POLL_OUT)
		uv |= UV_WRITABLE;
	if (w->events & SLIRP_POLL_PRI)
		uv |= UV_PRIORITIZED;
	if (uv)
		uv_poll_start(&w->uv, uv, on_ready);
	else
		uv_poll_stop(&w->uv);
}

static int ask(int fd, int events, void *user)
{
	struct user *u = user;
	struct user_watch *w;

	if (u->asks == u->asks_max) {
		int n = u->asks_max ? 2 * u->asks_max : 64;
		int *to = realloc(u->asked, (size_t)n * sizeof(*to));

		if (!to)
			return -1;
		u->asked = to;
		u->asks_max = n;
	}
	w = watch(u, fd);
	if (w)
		w->wanted |= events;
	u->asked[u->asks] = fd;
	return u->asks++;
}

static int answer(int index, void *user)
{
	struct user *u = user;
	int fd = index >= 0 && index < u->asks ? u->asked[index] : -1;

	return fd >= 0 && fd < u->watches && u->watch[fd] ? u->watch[fd]->ready : 0;
}

/* ---- around the poll */

static void on_time(uv_timer_t *t)
{
	struct user *u = t->data;

	u->ready = true;
	u->changed = true;
}

static void before(uv_prepare_t *p)
{
	struct user *u = p->data;
	uint32_t wait_ms = UINT32_MAX;

	if (!u->changed)
		return;
	u->changed = false;
	for (int i = 0; i < u->watches; i++)
		if (u->watch[i])
			u->watch[i]->wanted = 0;
	u->asks = 0;
	slirp_pollfds_fill(u->slirp, &wait_ms, ask, u);
	for (int i = 0; i < u->watches; i++)
		if (u->watch[i])
			watch_for(u->watch[i]);
	if (wait_ms < IDLE_MS)
		uv_timer_start(u->timer, on_time, wait_ms, 0);
	else
		uv_timer_stop(u->timer);
}

static void tell(struct user *u)
{
	u->told_ns = uv_hrtime();
	u->ready = false;
	u->changed = true;
	slirp_pollfds_poll(u->slirp, 0, answer, u);
	for (int i = 0; i < u->watches; i++)
		if (u->watch[i])
			u->watch[i]->ready = 0;
}

static void after(uv_check_t *c)
{
	struct user *u = c->data;

	if (u->ready)
		tell(u);
}

void user_poll_time(struct user *u)
{
	u->changed = true;
	if (uv_hrtime() - u->told_ns > OLD_NS)
		tell(u);
}

void user_poll_changed(void *user)
{
	((struct user *)user)->changed = true;
}

/* ---- libslirp's own timers */

struct timer {
	uv_timer_t uv; /* first: freed with it */
	SlirpTimerCb cb;
	void *opaque;
};

static void on_timer(uv_timer_t *uv)
{
	struct timer *t = (struct timer *)uv;
	struct user *u = uv->data;

	u->changed = true;
	t->cb(t->opaque);
}

void *user_timer_new(SlirpTimerCb cb, void *cb_opaque, void *user)
{
	struct user *u = user;
	struct timer *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	uv_timer_init(io_loop_uv(u->loop), &t->uv);
	t->uv.data = u;
	t->cb = cb;
	t->opaque = cb_opaque;
	return t;
}

void user_timer_free(void *timer, void *user)
{
	if (timer)
		io_loop_close(timer);
}

void user_timer_mod(void *timer, int64_t due_ms, void *user)
{
	struct timer *t = timer;
	int64_t now_ms = user_clock(user) / 1000000;

	if (t)
		uv_timer_start(&t->uv, on_timer, due_ms > now_ms ? (uint64_t)(due_ms - now_ms) : 0,
			       0);
}

int64_t user_clock(void *user)
{
	return (int64_t)uv_hrtime();
}

/* ---- begin and end */

int user_poll_begin(struct user *u, struct error *err)
{
	uv_loop_t *uv = io_loop_uv(u->loop);

	u->prepare = calloc(1, sizeof(*u->prepare));
	u->check = calloc(1, sizeof(*u->check));
	u->timer = calloc(1, sizeof(*u->timer));
	if (!u->prepare || !u->check || !u->timer) {
		free(u->prepare);
		free(u->check);
		free(u->timer);
		u->prepare = NULL;
		return error_set(err, -ENOMEM, "out of memory");
	}
	uv_prepare_init(uv, u->prepare);
	uv_check_init(uv, u->check);
	uv_timer_init(uv, u->timer);
	u->prepare->data = u->check->data = u->timer->data = u;
	uv_prepare_start(u->prepare, before);
	uv_check_start(u->check, after);
	u->changed = true;
	return 0;
}

void user_poll_end(struct user *u)
{
	for (int i = 0; i < u->watches; i++)
		user_poll_forget(i, u);
	free(u->watch);
	free(u->asked);
	if (!u->prepare)
		return;
	io_loop_close((uv_handle_t *)u->prepare);
	io_loop_close((uv_handle_t *)u->check);
	io_loop_close((uv_handle_t *)u->timer);
}
