/*
 * The local APIC's timer: one-shot, periodic and TSC-deadline. SDM vol. 3, 11.5.4. Nothing ticks:
 * the current count is computed from the clock. A tick is one nanosecond times the divisor.
 */
#include "device/lapic_parts.h"

static unsigned lapic_timer_shift(const struct lapic *l)
{
	unsigned code = (l->timer_divide & 3) | (l->timer_divide & 8) >> 1;

	return (code + 1) & 7;
}

static bool lapic_timer_deadline_mode(const struct lapic *l)
{
	return (l->lvt[LVT_TIMER] & LAPIC_LVT_TIMER_MODE) == LAPIC_LVT_TSC_DEADLINE;
}

static void lapic_timer_arm(struct lapic *l, uint64_t due_ns)
{
	l->timer_due_ns = due_ns;
	timer_set(l->timerq, &l->timer, due_ns);
}

void lapic_timer_stop(struct lapic *l)
{
	l->timer_due_ns = TIMER_NEVER;
	timer_cancel(l->timerq, &l->timer);
}

/* Ticks still to go. The first period is timer_count long, all later ones timer_initial; when
 * the interrupt of a period is late, the count has gone on without it. */
uint32_t lapic_timer_current(const struct lapic *l)
{
	uint64_t ticks;

	if (l->timer_due_ns == TIMER_NEVER || lapic_timer_deadline_mode(l))
		return 0;
	ticks = (clock_now(l->clock) - l->timer_start_ns) >> lapic_timer_shift(l);
	if (ticks < l->timer_count)
		return (uint32_t)(l->timer_count - ticks);
	if (!(l->lvt[LVT_TIMER] & LAPIC_LVT_PERIODIC) || !l->timer_initial)
		return 0;
	return l->timer_initial - (uint32_t)((ticks - l->timer_count) % l->timer_initial);
}

/* Count down from count, beginning now. */
static void lapic_timer_run(struct lapic *l, uint32_t count)
{
	l->timer_count = count;
	l->timer_start_ns = clock_now(l->clock);
	if (!count)
		lapic_timer_stop(l);
	else
		lapic_timer_arm(l, l->timer_start_ns + ((uint64_t)count << lapic_timer_shift(l)));
}

void lapic_timer_start(struct lapic *l, uint32_t initial)
{
	if (lapic_timer_deadline_mode(l))
		return;
	l->timer_initial = initial;
	lapic_timer_run(l, initial);
}

void lapic_timer_set_divide(struct lapic *l, uint32_t divide)
{
	uint32_t left = lapic_timer_current(l);

	l->timer_divide = divide & 0xb;
	if (left)
		lapic_timer_run(l, left);
}

void lapic_timer_set_lvt(struct lapic *l, uint32_t lvt)
{
	bool was = lapic_timer_deadline_mode(l);

	l->lvt[LVT_TIMER] = lvt;
	if (was == lapic_timer_deadline_mode(l))
		return;
	l->tsc_deadline = 0;
	l->timer_initial = l->timer_count = 0;
	lapic_timer_stop(l);
}

/* The next period after now: a guest that cannot keep up gets one interrupt, not a backlog. */
static void lapic_timer_next_period(struct lapic *l, uint64_t now_ns)
{
	uint64_t period = (uint64_t)l->timer_initial << lapic_timer_shift(l);
	uint64_t start = l->timer_start_ns + ((uint64_t)l->timer_count << lapic_timer_shift(l));

	if (now_ns > start)
		start += (now_ns - start) / period * period;
	l->timer_start_ns = start;
	l->timer_count = l->timer_initial;
	lapic_timer_arm(l, start + period);
}

void lapic_timer_fire(void *lapic, uint64_t now_ns)
{
	struct lapic *l = lapic;
	uint32_t lvt = l->lvt[LVT_TIMER];

	l->timer_due_ns = TIMER_NEVER;
	l->tsc_deadline = 0;
	if ((lvt & LAPIC_LVT_TIMER_MODE) == LAPIC_LVT_PERIODIC && l->timer_initial)
		lapic_timer_next_period(l, now_ns);
	if (!(lvt & LAPIC_LVT_MASK))
		lapic_accept(l, LAPIC_FIXED, lvt & 0xff, false);
}

uint64_t lapic_tsc_deadline_get(const struct lapic *l)
{
	return lapic_timer_deadline_mode(l) ? l->tsc_deadline : 0;
}

void lapic_tsc_deadline_set(struct lapic *l, uint64_t tsc, uint64_t tsc_offset)
{
	uint64_t now = clock_now(l->clock), tsc_now = now + tsc_offset;

	if (!lapic_timer_deadline_mode(l))
		return;
	l->tsc_deadline = tsc;
	lapic_timer_stop(l);
	if (!tsc)
		return;
	if (tsc <= tsc_now)
		lapic_timer_fire(l, now);
	else if (tsc - tsc_now < TIMER_NEVER - now)
		lapic_timer_arm(l, now + (tsc - tsc_now));
}
