/*
 * The machine's timers: a list in deadline order, and arithmetic between nanoseconds and ticks.
 * Timers are few (some tens), so a sorted list beats anything cleverer.
 */
#include "device/device.h"

enum { NS_PER_S = 1000000000 };

void timer_init(struct timer *t, void (*fire)(void *, uint64_t), void *opaque)
{
	t->next = NULL;
	t->due_ns = TIMER_NEVER;
	t->armed = false;
	t->run = 0;
	t->fire = fire;
	t->opaque = opaque;
}

static void timer_unlink(struct timerq *q, struct timer *t)
{
	struct timer **at = &q->head;

	while (*at && *at != t)
		at = &(*at)->next;
	if (*at)
		*at = t->next;
	t->next = NULL;
	t->armed = false;
}

void timer_set(struct timerq *q, struct timer *t, uint64_t due_ns)
{
	uint64_t earliest = timerq_next(q);
	struct timer **at = &q->head;

	if (t->armed)
		timer_unlink(q, t);
	t->due_ns = due_ns;
	if (due_ns == TIMER_NEVER)
		return;
	/* Equal deadlines fire in the order in which they were set: runs must repeat exactly. */
	while (*at && (*at)->due_ns <= due_ns)
		at = &(*at)->next;
	t->next = *at;
	*at = t;
	t->armed = true;
	t->run = q->running ? q->runs : 0;
	if (due_ns < earliest && q->kick)
		q->kick(q->opaque);
}

void timer_cancel(struct timerq *q, struct timer *t)
{
	if (t->armed)
		timer_unlink(q, t);
	t->due_ns = TIMER_NEVER;
}

uint64_t timerq_next(const struct timerq *q)
{
	return q->head ? q->head->due_ns : TIMER_NEVER;
}

static struct timer *timerq_due(const struct timerq *q, uint64_t now_ns)
{
	for (struct timer *t = q->head; t && t->due_ns <= now_ns; t = t->next)
		if (t->run != q->runs)
			return t;
	return NULL;
}

void timerq_run(struct timerq *q, uint64_t now_ns)
{
	struct timer *t;

	if (q->running)
		return;
	q->running = true;
	q->runs++;
	while ((t = timerq_due(q, now_ns)) != NULL) {
		timer_unlink(q, t);
		t->fire(t->opaque, now_ns);
	}
	q->running = false;
}

/* The products stay below 2^64 for any hz up to 18 GHz: no 128-bit division (and no compiler
 * library call) needed. */
uint64_t clock_ns_to_ticks(uint64_t ns, uint64_t hz)
{
	return ns / NS_PER_S * hz + ns % NS_PER_S * hz / NS_PER_S;
}

uint64_t clock_ticks_to_ns(uint64_t ticks, uint64_t hz)
{
	if (ticks / hz >= UINT64_MAX / NS_PER_S)
		return UINT64_MAX;
	return ticks / hz * NS_PER_S + (ticks % hz * NS_PER_S + hz - 1) / hz;
}
