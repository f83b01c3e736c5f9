/* Fake wiring for device tests: a clock that stands still until told, lines and sinks that record.
 */
#ifndef TESTS_DEVICE_FAKE_H
#define TESTS_DEVICE_FAKE_H

#include "device/device.h"

struct fake {
	uint64_t now;
	struct clock clock;
	struct timerq timerq;
	unsigned kicks;
	int level[32];	     /* of each line */
	unsigned rises[32];  /* 0 to 1 changes */
	uint8_t bytes[4096]; /* what a sink got */
	size_t byte_count;
	unsigned calls; /* of plain callbacks */
	uint32_t value; /* last value a callback got */
};

static inline uint64_t fake_now(void *opaque)
{
	return ((struct fake *)opaque)->now;
}

static inline void fake_kick(void *opaque)
{
	((struct fake *)opaque)->kicks++;
}

static inline void fake_init(struct fake *f)
{
	memset(f, 0, sizeof(*f));
	f->clock = (struct clock){fake_now, f, 0};
	f->timerq.clock = &f->clock;
	f->timerq.kick = fake_kick;
	f->timerq.opaque = f;
}

static inline void fake_set(void *opaque, unsigned n, int level)
{
	struct fake *f = opaque;

	n &= 31;
	if (level && !f->level[n])
		f->rises[n]++;
	f->level[n] = level;
}

static inline struct irq_line fake_line(struct fake *f, unsigned n)
{
	return (struct irq_line){fake_set, f, n};
}

static inline void fake_write(void *opaque, const uint8_t *bytes, size_t len)
{
	struct fake *f = opaque;

	for (size_t i = 0; i < len && f->byte_count < sizeof(f->bytes); i++)
		f->bytes[f->byte_count++] = bytes[i];
}

static inline struct byte_sink fake_sink(struct fake *f)
{
	return (struct byte_sink){fake_write, f};
}

/* Let time pass, firing each timer at its deadline (at most 10000 of them). */
static inline void fake_advance(struct fake *f, uint64_t ns)
{
	uint64_t end = f->now + ns;

	for (unsigned i = 0; i < 10000 && timerq_next(&f->timerq) <= end; i++) {
		if (timerq_next(&f->timerq) > f->now)
			f->now = timerq_next(&f->timerq);
		timerq_run(&f->timerq, f->now);
	}
	f->now = end;
}

static inline void fake_call(void *opaque)
{
	((struct fake *)opaque)->calls++;
}

static inline void fake_call_value(void *opaque, uint32_t value)
{
	struct fake *f = opaque;

	f->calls++;
	f->value = value;
}

#endif
