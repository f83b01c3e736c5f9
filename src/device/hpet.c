/*
 * HPET: see hpet.h. IA-PC HPET specification 1.0a, section 2.3. The counter is computed from the
 * clock; a comparator keeps one timer for its next match. Matches missed because a timer ran late
 * make one interrupt, and a periodic comparator moves past the counter.
 */
#include "device/hpet.h"

#include <string.h>

#include "base/bits.h"

enum {
	REG_CAPABILITIES = 0x00,
	REG_CONFIG = 0x10,
	REG_STATUS = 0x20,
	REG_COUNTER = 0xf0,
	REG_TIMER = 0x100, /* 0x20 bytes each */
	TIMER_CONFIG = 0x00,
	TIMER_COMPARATOR = 0x08,
	CONFIG_ENABLE = 1 << 0,
	CONFIG_LEGACY = 1 << 1,
	T_LEVEL = 1 << 1,
	T_ENABLE = 1 << 2,
	T_PERIODIC = 1 << 3,
	T_PERIODIC_CAP = 1 << 4,
	T_64BIT_CAP = 1 << 5,
	T_SET_VALUE = 1 << 6,
	T_32BIT = 1 << 8,
	T_ROUTE_SHIFT = 9,
	T_WRITABLE =
		T_LEVEL | T_ENABLE | T_PERIODIC | T_SET_VALUE | T_32BIT | 0x1f << T_ROUTE_SHIFT,
};
/* Revision 1, three 64-bit timers, legacy routing, period in femtoseconds. */
#define HPET_CAPABILITIES                                                                          \
	(1ull | (HPET_TIMERS - 1) << 8 | 1 << 13 | 1 << 15 | 0x8086ull << 16 |                     \
	 HPET_TICK_NS * 1000000ull << 32)
/* I/O APIC pins 16-23 and 2, the old timer's. */
#define HPET_ROUTES (0x00ff0004ull << 32)

static bool hpet_enabled(const struct hpet *h)
{
	return h->config & CONFIG_ENABLE;
}

static uint64_t hpet_counter(const struct hpet *h, uint64_t now_ns)
{
	return hpet_enabled(h) ? h->counter + (now_ns - h->start_ns) / HPET_TICK_NS : h->counter;
}

bool hpet_legacy_active(const struct hpet *h)
{
	return h->config & CONFIG_LEGACY;
}

/* ---- interrupts */

static void hpet_line(struct hpet *h, unsigned n, int level)
{
	unsigned pin = h->t[n].config >> T_ROUTE_SHIFT & 0x1f;

	if (hpet_legacy_active(h) && n < 2)
		irq_line_set(&h->legacy[n], level);
	else if (h->gsi.set && (HPET_ROUTES >> 32 >> pin & 1))
		h->gsi.set(h->gsi.opaque, pin, level);
}

static void hpet_raise(struct hpet *h, unsigned n)
{
	const struct hpet_timer *t = &h->t[n];

	if (t->config & T_LEVEL)
		h->status |= 1u << n;
	if (!(t->config & T_ENABLE))
		return;
	if (!(t->config & T_LEVEL)) /* a new edge; the line stays up for receivers that look back */
		hpet_line(h, n, 0);
	hpet_line(h, n, 1);
}

/* ---- comparators */

static uint64_t hpet_mask(const struct hpet_timer *t)
{
	return t->config & T_32BIT ? 0xffffffffull : ~0ull;
}

/* Arm timer n for its next match at or after the counter's value from. */
static void hpet_arm(struct hpet *h, unsigned n, uint64_t from)
{
	struct hpet_timer *t = &h->t[n];
	uint64_t run = from - h->counter, ahead = (t->comparator - from) & hpet_mask(t);
	uint64_t most = (TIMER_NEVER - h->start_ns) / HPET_TICK_NS;

	t->due_ns = TIMER_NEVER;
	if (hpet_enabled(h) && run < most && ahead < most - run)
		t->due_ns = h->start_ns + (run + ahead) * HPET_TICK_NS;
	/* Without an interrupt a match shows in registers only: reading them catches up. */
	timer_set(h->timerq, &h->timer[n], t->config & T_ENABLE ? t->due_ns : TIMER_NEVER);
}

static void hpet_arm_all(struct hpet *h)
{
	uint64_t counter = hpet_counter(h, clock_now(h->clock));

	for (unsigned n = 0; n < HPET_TIMERS; n++)
		hpet_arm(h, n, counter);
}

static void hpet_fire(void *opaque, uint64_t now_ns)
{
	struct hpet_timer_ref *ref = opaque;
	struct hpet *h = ref->hpet;
	struct hpet_timer *t = &h->t[ref->n];
	uint64_t counter = hpet_counter(h, now_ns), late;

	if ((t->config & T_PERIODIC) && t->period) {
		late = (counter - t->comparator) & hpet_mask(t);
		t->comparator += (late / t->period + 1) * t->period;
		t->comparator &= hpet_mask(t);
	}
	/* A one-shot comparator matches again when the counter has wrapped. */
	hpet_arm(h, ref->n, counter + 1);
	hpet_raise(h, ref->n);
}

/* ---- registers */

static uint64_t hpet_reg_read(struct hpet *h, uint64_t reg)
{
	unsigned n = (unsigned)(reg - REG_TIMER) / 0x20;

	if (reg >= REG_TIMER) {
		if (n >= HPET_TIMERS)
			return 0;
		if ((reg & 0x18) == TIMER_CONFIG)
			return h->t[n].config | T_PERIODIC_CAP | T_64BIT_CAP | HPET_ROUTES;
		return (reg & 0x18) == TIMER_COMPARATOR ? h->t[n].comparator : 0;
	}
	switch (reg) {
	case REG_CAPABILITIES:
		return HPET_CAPABILITIES;
	case REG_CONFIG:
		return h->config;
	case REG_STATUS:
		return h->status;
	case REG_COUNTER:
		return hpet_counter(h, clock_now(h->clock));
	}
	return 0;
}

static void hpet_write_config(struct hpet *h, uint64_t v)
{
	uint64_t now = clock_now(h->clock);

	h->counter = hpet_counter(h, now);
	h->start_ns = now;
	if ((h->config ^ v) & CONFIG_LEGACY)
		for (unsigned n = 0; n < 2; n++)
			hpet_line(h, n, 0);
	h->config = v & (CONFIG_ENABLE | CONFIG_LEGACY);
	hpet_arm_all(h);
}

static void hpet_write_status(struct hpet *h, uint64_t v)
{
	for (unsigned n = 0; n < HPET_TIMERS; n++)
		if ((v & h->status) >> n & 1)
			hpet_line(h, n, 0);
	h->status &= ~v;
}

static void hpet_write_timer_config(struct hpet *h, unsigned n, uint64_t v)
{
	struct hpet_timer *t = &h->t[n];
	uint64_t changed = (t->config ^ v) & T_WRITABLE;

	/* Rerouting or switching off takes the old line down. */
	if (changed & (T_LEVEL | T_ENABLE | 0x1f << T_ROUTE_SHIFT))
		hpet_line(h, n, 0);
	t->config = v & T_WRITABLE;
	if (!(t->config & T_PERIODIC))
		t->config &= ~(uint64_t)T_SET_VALUE;
	if (t->config & T_32BIT) {
		t->comparator &= 0xffffffff;
		t->period &= 0xffffffff;
	}
	if ((t->config & T_ENABLE) && (t->config & T_LEVEL) && (h->status >> n & 1))
		hpet_line(h, n, 1);
	hpet_arm(h, n, hpet_counter(h, clock_now(h->clock)));
}

/* Periodic: the first write after T_SET_VALUE gives the first match (and the period, for systems
 * that write once); a write without it gives the period. */
static void hpet_write_comparator(struct hpet *h, unsigned n, uint64_t v)
{
	struct hpet_timer *t = &h->t[n];

	v &= hpet_mask(t);
	if (t->config & T_PERIODIC)
		t->period = v;
	if (!(t->config & T_PERIODIC) || (t->config & T_SET_VALUE))
		t->comparator = v;
	t->config &= ~(uint64_t)T_SET_VALUE;
	hpet_arm(h, n, hpet_counter(h, clock_now(h->clock)));
}

static void hpet_reg_write(struct hpet *h, uint64_t reg, uint64_t v)
{
	unsigned n = (unsigned)(reg - REG_TIMER) / 0x20;

	if (reg >= REG_TIMER) {
		if (n < HPET_TIMERS && (reg & 0x18) == TIMER_CONFIG)
			hpet_write_timer_config(h, n, v);
		else if (n < HPET_TIMERS && (reg & 0x18) == TIMER_COMPARATOR)
			hpet_write_comparator(h, n, v);
		return;
	}
	switch (reg) {
	case REG_CONFIG:
		hpet_write_config(h, v);
		break;
	case REG_STATUS:
		hpet_write_status(h, v);
		break;
	case REG_COUNTER:
		h->counter = v;
		h->start_ns = clock_now(h->clock);
		hpet_arm_all(h);
		break;
	}
}

/* A CPU may look before the timers that are due got to run. */
static void hpet_catch_up(struct hpet *h)
{
	uint64_t now = clock_now(h->clock);

	for (unsigned n = 0; n < HPET_TIMERS; n++)
		if (h->t[n].due_ns <= now)
			hpet_fire(&h->ref[n], now);
}

static uint64_t hpet_read(void *opaque, uint64_t offset, unsigned bytes)
{
	struct hpet *h = opaque;

	hpet_catch_up(h);
	return hpet_reg_read(h, offset & 0x3f8) >> (offset & 7) * 8;
}

static void hpet_write(void *opaque, uint64_t offset, uint64_t value, unsigned bytes)
{
	struct hpet *h = opaque;
	uint64_t reg = offset & 0x3f8, old, mask;
	unsigned shift = (offset & 7) * 8;

	hpet_catch_up(h);
	mask = bits_mask(bytes * 8) << shift;
	/* Status bits not written must not be cleared; everything else keeps its other half. */
	old = reg == REG_STATUS ? 0 : hpet_reg_read(h, reg);
	hpet_reg_write(h, reg, (old & ~mask) | (value << shift & mask));
}

void hpet_reset(void *hpet)
{
	struct hpet *h = hpet;

	for (unsigned n = 0; n < HPET_TIMERS; n++) {
		hpet_line(h, n, 0);
		h->t[n].config = h->t[n].period = 0;
		h->t[n].comparator = ~0ull;
	}
	h->config = h->status = h->counter = 0;
	h->start_ns = clock_now(h->clock);
	hpet_arm_all(h);
}

void hpet_init(struct hpet *h, struct irq_line gsi, struct irq_line legacy0,
	       struct irq_line legacy8, const struct clock *clock, struct timerq *timerq)
{
	memset(h, 0, sizeof(*h));
	h->gsi = gsi;
	h->legacy[0] = legacy0;
	h->legacy[1] = legacy8;
	h->clock = clock;
	h->timerq = timerq;
	for (unsigned n = 0; n < HPET_TIMERS; n++) {
		h->ref[n].hpet = h;
		h->ref[n].n = n;
		timer_init(&h->timer[n], hpet_fire, &h->ref[n]);
	}
	hpet_reset(h);
}

static void hpet_after_restore(void *hpet)
{
	struct hpet *h = hpet;

	for (unsigned n = 0; n < HPET_TIMERS; n++) {
		timer_set(h->timerq, &h->timer[n], h->t[n].due_ns);
		if ((h->status >> n & 1) && (h->t[n].config & T_ENABLE))
			hpet_line(h, n, 1);
	}
}

const struct io_ops hpet_io_ops = {hpet_read, hpet_write, 8};

static const struct field hpet_fields[] = {
	FIELD(struct hpet, config),   FIELD(struct hpet, status),  FIELD(struct hpet, counter),
	FIELD(struct hpet, start_ns), FIELD_ARRAY(struct hpet, t), FIELD_END,
};

const struct device_desc hpet_desc = {
	.name = "hpet",
	.text = "high precision event timer",
	.state_bytes = sizeof(struct hpet),
	.fields = hpet_fields,
	.reset = hpet_reset,
	.after_restore = hpet_after_restore,
};
