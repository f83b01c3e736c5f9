/*
 * What device models are made of: interrupt lines, the machine's clock, timers and byte streams.
 * A chip knows its registers and these; where it sits on which bus is the machine's business.
 *
 * All device code runs under the machine lock, on whichever thread got there. Devices never block,
 * never allocate after creation, and never trust a register write or guest memory.
 */
#ifndef DEVICE_DEVICE_H
#define DEVICE_DEVICE_H

#include <stdint.h>
#include <stddef.h>
#include <stdbool.h>

#include "base/field.h"
#include "base/trace.h"
#include "mem/space.h"

/* One wire. level 1 = asserted. set may be called with an unchanged level. */
struct irq_line {
	void (*set)(void *opaque, unsigned n, int level);
	void *opaque;
	unsigned n;
};

static inline void irq_line_set(const struct irq_line *l, int level)
{
	if (l && l->set)
		l->set(l->opaque, l->n, level);
}

/* The machine's one clock: nanoseconds of virtual time since power-on, real or counted; and the
 * wall-clock time (ns since 1970 UTC) that virtual time 0 stands for. */
struct clock {
	uint64_t (*now_ns)(void *opaque);
	void *opaque;
	uint64_t epoch_wall_ns;
};

static inline uint64_t clock_now(const struct clock *c)
{
	return c->now_ns(c->opaque);
}

/* One-shot timers, kept by the machine in deadline order (sorted list inside struct timerq). */
struct timer {
	struct timer *next;
	uint64_t due_ns; /* virtual time */
	bool armed;
	uint64_t run; /* the timerq_run it was armed in, which will not fire it; 0 = none */
	void (*fire)(void *opaque, uint64_t now_ns); /* under the machine lock; may re-arm */
	void *opaque;
};

#define TIMER_NEVER UINT64_MAX

struct timerq {
	struct timer *head;
	const struct clock *clock;
	/* Called when the earliest deadline became earlier, so that a sleeper can wake sooner. */
	void (*kick)(void *opaque);
	void *opaque;
	uint64_t runs; /* timerq_run calls so far */
	bool running;
};

void timer_init(struct timer *t, void (*fire)(void *, uint64_t), void *opaque);
/* Arm (or move) t to fire at due_ns; a due time in the past fires at the next run. TIMER_NEVER
 * cancels. */
void timer_set(struct timerq *q, struct timer *t, uint64_t due_ns);
void timer_cancel(struct timerq *q, struct timer *t);
/* Earliest deadline, or TIMER_NEVER. */
uint64_t timerq_next(const struct timerq *q);
/* Fire all timers due at now_ns, in deadline order; timers armed meanwhile wait for the next run,
 * so a run always ends. Caller holds the machine lock. */
void timerq_run(struct timerq *q, uint64_t now_ns);

/* Whole ticks of a clock of hz that fit in ns, and the earliest ns at which that many have passed.
 */
uint64_t clock_ns_to_ticks(uint64_t ns, uint64_t hz);
uint64_t clock_ticks_to_ns(uint64_t ticks, uint64_t hz);

/* Where a device's bytes go (serial output, debug console). Must not block for long. */
struct byte_sink {
	void (*write)(void *opaque, const uint8_t *bytes, size_t len);
	void *opaque;
};

/*
 * One row per device model, in the model's own file, listed in device/registry.c. `state` is the
 * model's struct; generic code (reset, the fuzzers, whatever saves or compares state) works from
 * this.
 */
struct device_desc {
	const char *name; /* "i8254" */
	const char *text; /* "programmable interval timer" */
	size_t state_bytes;
	const struct field *fields;
	void (*reset)(void *state);	    /* power-on and reset state; wiring is kept */
	void (*after_restore)(void *state); /* re-arm timers, re-drive lines; may be NULL */
};

extern const struct device_desc *const device_registry[]; /* NULL-terminated */

#endif
