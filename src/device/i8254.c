/*
 * 8254: see i8254.h. A channel is a count, the tick at which it was loaded, and a mode; count and
 * output at any moment follow from these. Datasheet "Mode definitions". Simplified: in mode 3 a new
 * count waits for the end of the whole period instead of the half.
 */
#include "device/i8254.h"

#include <string.h>

enum {
	ACCESS_LATCH = 0,
	ACCESS_LOW = 1,
	ACCESS_HIGH = 2,
	ACCESS_BOTH = 3,
	READ_BACK = 3,
	PORT61_GATE2 = 1 << 0,
	PORT61_WRITABLE = 0x0f,
	PORT61_REFRESH = 1 << 4,
	PORT61_OUT2 = 1 << 5,
	REFRESH_TICKS = 18, /* memory refresh, as channel 1 of the first PCs asked for it */
};

static uint64_t i8254_tick(const struct i8254 *p)
{
	return clock_ns_to_ticks(clock_now(p->clock), I8254_HZ);
}

static bool i8254_triggered_mode(const struct i8254_channel *c)
{
	return c->mode == 1 || c->mode == 5;
}

static bool i8254_periodic_mode(const struct i8254_channel *c)
{
	return c->mode == 2 || c->mode == 3;
}

/* Input clocks since the counter was loaded. */
static uint64_t i8254_elapsed(const struct i8254_channel *c, uint64_t tick)
{
	if (!c->counting)
		return 0;
	if (!c->gate && !i8254_triggered_mode(c))
		return i8254_periodic_mode(c) ? 0 : c->frozen_ticks;
	return tick > c->start_tick ? tick - c->start_tick : 0;
}

/* Periodic modes: let finished periods go by, and a waiting new count take over. */
static void i8254_settle(struct i8254_channel *c, uint64_t tick)
{
	uint64_t e = i8254_elapsed(c, tick);

	if (!i8254_periodic_mode(c) || !c->reload_next || e < c->reload)
		return;
	c->start_tick += e / c->reload * c->reload; /* the end of some period: good enough */
	c->reload = c->reload_next;
	c->reload_next = 0;
}

static bool i8254_out(const struct i8254_channel *c, uint64_t tick)
{
	uint64_t e = i8254_elapsed(c, tick);

	switch (c->mode) {
	case 0:
		return c->counting && e >= c->reload;
	case 1:
		return !c->counting || e >= c->reload;
	case 2:
		return !c->counting || !c->gate || e % c->reload != c->reload - 1;
	case 3:
		return !c->counting || !c->gate || e % c->reload < (c->reload + 1) / 2;
	default:
		return !c->counting || e != c->reload;
	}
}

static uint16_t i8254_count(const struct i8254_channel *c, uint64_t tick)
{
	uint64_t e = i8254_elapsed(c, tick), wrap = c->bcd ? 10000 : 0x10000, v;

	if (c->mode == 2) {
		v = c->reload - e % c->reload;
	} else if (c->mode == 3) {
		uint64_t half = (c->reload + 1) / 2, in = e % c->reload;
		v = (c->reload - 2 * (in < half ? in : in - half)) & ~1ull;
	} else {
		v = c->reload + wrap - e % wrap;
	}
	v %= wrap;
	if (!c->bcd)
		return (uint16_t)v;
	return (uint16_t)(v / 1000 << 12 | v / 100 % 10 << 8 | v / 10 % 10 << 4 | v % 10);
}

/* ---- channel 0's line */

/* Did the output rise between e0 and e1 elapsed ticks? */
static bool i8254_rose(const struct i8254_channel *c, uint64_t e0, uint64_t e1)
{
	switch (c->mode) {
	case 2:
	case 3:
		return e1 / c->reload > e0 / c->reload;
	case 0:
	case 1:
		return e0 < c->reload && e1 >= c->reload;
	default:
		return e0 <= c->reload && e1 > c->reload;
	}
}

/* The elapsed tick of the next change worth a timer; 0 if there will be none. The one-tick low
 * pulses of modes 2, 4 and 5 are made when they end. */
static uint64_t i8254_next_change(const struct i8254_channel *c, uint64_t e)
{
	uint64_t period = e / c->reload * c->reload, half = (c->reload + 1) / 2;

	switch (c->mode) {
	case 2:
		return period + c->reload;
	case 3:
		return e - period < half ? period + half : period + c->reload;
	case 0:
	case 1:
		return e < c->reload ? c->reload : 0;
	default:
		return e <= c->reload ? c->reload + 1 : 0;
	}
}

static void i8254_arm(struct i8254 *p, uint64_t e)
{
	struct i8254_channel *c = &p->ch[0];
	uint64_t next = c->counting ? i8254_next_change(c, e) : 0;

	p->seen_ticks = e;
	p->due_ns = next ? clock_ticks_to_ns(c->start_tick + next, I8254_HZ) : TIMER_NEVER;
	timer_set(p->timerq, &p->timer, p->due_ns);
}

/* Programming changed: the line shows the output as it is now. */
static void i8254_restart(struct i8254 *p)
{
	uint64_t tick = i8254_tick(p);

	irq_line_set(&p->irq, i8254_out(&p->ch[0], tick));
	i8254_arm(p, i8254_elapsed(&p->ch[0], tick));
}

static void i8254_fire(void *opaque, uint64_t now_ns)
{
	struct i8254 *p = opaque;
	struct i8254_channel *c = &p->ch[0];
	uint64_t tick = clock_ns_to_ticks(now_ns, I8254_HZ), e = i8254_elapsed(c, tick);

	if (i8254_rose(c, p->seen_ticks, e)) {
		/* Edge receivers must see it, however late we are: a high left over from the last
		 * period goes low first, and it stays high until the next change. */
		irq_line_set(&p->irq, 0);
		irq_line_set(&p->irq, 1);
	} else {
		irq_line_set(&p->irq, i8254_out(c, tick));
	}
	i8254_settle(c, tick);
	i8254_arm(p, i8254_elapsed(c, tick));
}

/* A CPU may look before the timer that is due got to run. */
static void i8254_catch_up(struct i8254 *p)
{
	uint64_t now = clock_now(p->clock);

	if (p->due_ns <= now)
		i8254_fire(p, now);
}

/* ---- programming */

static void i8254_load(struct i8254 *p, struct i8254_channel *c, uint16_t value)
{
	uint64_t tick = i8254_tick(p);
	uint32_t n = value;

	if (c->bcd)
		n = (value >> 12) * 1000 + (value >> 8 & 15) * 100 + (value >> 4 & 15) * 10 +
		    (value & 15);
	if (!n)
		n = c->bcd ? 10000 : 0x10000;
	i8254_settle(c, tick);
	if (c->loaded && c->counting && (i8254_periodic_mode(c) || i8254_triggered_mode(c))) {
		/* In force from the end of the present period, or the next trigger. */
		if (i8254_periodic_mode(c))
			c->start_tick += i8254_elapsed(c, tick) / c->reload * c->reload;
		c->reload_next = n;
	} else {
		c->reload = n;
		c->reload_next = 0;
		c->start_tick = tick + 1; /* the next clock loads the counter */
		c->frozen_ticks = 0;
		c->counting = !i8254_triggered_mode(c);
	}
	c->loaded = 1;
	if (c == &p->ch[0])
		i8254_restart(p);
}

static void i8254_write_count(struct i8254 *p, struct i8254_channel *c, uint8_t v)
{
	switch (c->access) {
	case ACCESS_LOW:
		i8254_load(p, c, v);
		break;
	case ACCESS_HIGH:
		i8254_load(p, c, (uint16_t)(v << 8));
		break;
	default:
		c->write_high = !c->write_high;
		if (!c->write_high) {
			i8254_load(p, c, (uint16_t)(v << 8 | c->write_low));
			break;
		}
		c->write_low = v;
		if (c->mode == 0) { /* the first byte stops the count */
			c->counting = 0;
			if (c == &p->ch[0])
				i8254_restart(p);
		}
	}
}

static void i8254_latch_count(struct i8254 *p, struct i8254_channel *c)
{
	uint64_t tick = i8254_tick(p);

	if (c->latched)
		return;
	i8254_settle(c, tick);
	c->latch = i8254_count(c, tick);
	c->latched = c->access == ACCESS_BOTH ? 2 : 1;
}

static void i8254_latch_status(struct i8254 *p, struct i8254_channel *c)
{
	uint64_t tick = i8254_tick(p);
	bool null_count;

	if (c->status_latched)
		return;
	i8254_settle(c, tick);
	null_count = !c->counting || c->reload_next || tick < c->start_tick;
	c->status = (uint8_t)(i8254_out(c, tick) << 7 | null_count << 6 | c->access << 4 |
			      c->mode << 1 | c->bcd);
	c->status_latched = 1;
}

static void i8254_control(struct i8254 *p, uint8_t v)
{
	struct i8254_channel *c;

	if (v >> 6 == READ_BACK) {
		for (unsigned i = 0; i < 3; i++) {
			if (!(v & 2u << i))
				continue;
			if (!(v & 0x20))
				i8254_latch_count(p, &p->ch[i]);
			if (!(v & 0x10))
				i8254_latch_status(p, &p->ch[i]);
		}
		return;
	}
	c = &p->ch[v >> 6];
	if ((v >> 4 & 3) == ACCESS_LATCH) {
		i8254_latch_count(p, c);
		return;
	}
	c->access = v >> 4 & 3;
	c->mode = v >> 1 & 7;
	if (c->mode > 5)
		c->mode -= 4; /* x10 is mode 2, x11 mode 3 */
	c->bcd = v & 1;
	c->write_high = c->read_high = 0;
	c->latched = c->status_latched = 0;
	c->loaded = c->counting = 0;
	c->reload_next = 0;
	if (c == &p->ch[0])
		i8254_restart(p);
}

static void i8254_write(void *opaque, uint64_t offset, uint64_t value, unsigned bytes)
{
	struct i8254 *p = opaque;

	TRACE(p->trace, TRACE_TIMER, "i8254: write %u = %#x", (unsigned)(offset & 3),
	      (unsigned)(value & 0xff));
	i8254_catch_up(p);
	if ((offset & 3) == 3)
		i8254_control(p, (uint8_t)value);
	else
		i8254_write_count(p, &p->ch[offset & 3], (uint8_t)value);
}

static uint64_t i8254_read(void *opaque, uint64_t offset, unsigned bytes)
{
	struct i8254 *p = opaque;
	struct i8254_channel *c = &p->ch[offset & 3];
	uint16_t v;
	bool high;

	i8254_catch_up(p);
	if ((offset & 3) == 3)
		return 0xff;
	if (c->status_latched) {
		c->status_latched = 0;
		return c->status;
	}
	i8254_settle(c, i8254_tick(p));
	v = c->latched ? c->latch : i8254_count(c, i8254_tick(p));
	if (c->access == ACCESS_BOTH) {
		high = c->read_high;
		c->read_high = !c->read_high;
	} else {
		high = c->access == ACCESS_HIGH;
	}
	if (c->latched)
		c->latched--;
	return high ? v >> 8 : v & 0xff;
}

/* ---- port 61h */

static void i8254_gate(struct i8254 *p, struct i8254_channel *c, bool gate)
{
	uint64_t tick = i8254_tick(p);

	if (c->gate == gate)
		return;
	i8254_settle(c, tick);
	if (!gate)
		c->frozen_ticks = i8254_elapsed(c, tick);
	c->gate = gate;
	if (!gate || !c->loaded)
		return;
	if (c->mode == 0 || c->mode == 4) {
		c->start_tick = tick - c->frozen_ticks;
		return;
	}
	/* A rising gate loads the counter: trigger (1, 5) or start of a period (2, 3). */
	if (c->reload_next) {
		c->reload = c->reload_next;
		c->reload_next = 0;
	}
	c->counting = 1;
	c->start_tick = tick + 1;
}

static uint64_t i8254_port61_read(void *opaque, uint64_t offset, unsigned bytes)
{
	struct i8254 *p = opaque;
	uint64_t tick = i8254_tick(p);

	i8254_settle(&p->ch[2], tick);
	return p->port61 | (tick / REFRESH_TICKS & 1 ? PORT61_REFRESH : 0) |
	       (i8254_out(&p->ch[2], tick) ? PORT61_OUT2 : 0);
}

static void i8254_port61_write(void *opaque, uint64_t offset, uint64_t value, unsigned bytes)
{
	struct i8254 *p = opaque;

	p->port61 = value & PORT61_WRITABLE;
	i8254_gate(p, &p->ch[2], p->port61 & PORT61_GATE2);
}

/* ---- life */

void i8254_reset(void *i8254)
{
	struct i8254 *p = i8254;

	memset(p->ch, 0, sizeof(p->ch));
	for (unsigned i = 0; i < 3; i++) {
		/* Undefined on the chip until programmed; here a stopped 65536. */
		p->ch[i].access = ACCESS_BOTH;
		p->ch[i].mode = 3;
		p->ch[i].reload = 0x10000;
		p->ch[i].gate = i != 2;
	}
	p->port61 = 0;
	i8254_restart(p);
}

void i8254_init(struct i8254 *p, struct irq_line irq, const struct clock *clock,
		struct timerq *timerq)
{
	memset(p, 0, sizeof(*p));
	p->irq = irq;
	p->clock = clock;
	p->timerq = timerq;
	timer_init(&p->timer, i8254_fire, p);
	i8254_reset(p);
}

static void i8254_after_restore(void *i8254)
{
	struct i8254 *p = i8254;

	/* A bad snapshot must not divide by zero. */
	for (unsigned i = 0; i < 3; i++)
		if (!p->ch[i].reload)
			p->ch[i].reload = 0x10000;
	irq_line_set(&p->irq, i8254_out(&p->ch[0], i8254_tick(p)));
	timer_set(p->timerq, &p->timer, p->due_ns);
}

const struct io_ops i8254_io_ops = {i8254_read, i8254_write, 1};
const struct io_ops i8254_port61_io_ops = {i8254_port61_read, i8254_port61_write, 1};

static const struct field i8254_fields[] = {
	FIELD_ARRAY(struct i8254, ch),
	FIELD(struct i8254, port61),
	FIELD(struct i8254, seen_ticks),
	FIELD(struct i8254, due_ns),
	FIELD_END,
};

const struct device_desc i8254_desc = {
	.name = "i8254",
	.text = "programmable interval timer",
	.state_bytes = sizeof(struct i8254),
	.fields = i8254_fields,
	.reset = i8254_reset,
	.after_restore = i8254_after_restore,
};
