/*
 * MC146818A: see mc146818.h. Nothing ticks: the time is computed when it is read, and flags are
 * worked out from how much time went by. Register names as in the datasheet.
 */
#include "device/mc146818.h"

#include <string.h>

enum {
	A_UIP = 1 << 7,
	A_DIVIDER = 7 << 4, /* 010 runs; 11x holds the divider in reset */
	A_RATE = 15,
	A_DEFAULT = 0x26, /* 32.768 kHz, 1024 Hz */
	B_SET = 1 << 7,
	B_PIE = 1 << 6,
	B_AIE = 1 << 5,
	B_UIE = 1 << 4,
	B_SQWE = 1 << 3,
	B_BINARY = 1 << 2,
	B_24H = 1 << 1,
	B_DEFAULT = B_24H,
	C_IRQF = 1 << 7,
	C_PF = 1 << 6,
	C_AF = 1 << 5,
	C_UF = 1 << 4,
	D_VALID = 1 << 7,
	HOUR_PM = 0x80,
	ALARM_ANY = 0xc0, /* two high bits set: matches every value */
	CRYSTAL_HZ = 32768,
	UIP_NS = 244141, /* update in progress is announced this long before */
	DAY_S = 86400,
};
#define NS_PER_S 1000000000ull

struct calendar {
	int64_t year;					    /* 1970 */
	unsigned month, day, hour, minute, second, weekday; /* month, day, weekday from 1 */
};

/* Day number (0 = 1970-01-01) to and from the Gregorian calendar, years counted from March. */
static int64_t days_from_civil(int64_t y, unsigned m, unsigned d)
{
	int64_t era;
	unsigned yoe, doy;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = (unsigned)(y - era * 400);
	doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
	return era * 146097 + (int64_t)(yoe * 365 + yoe / 4 - yoe / 100 + doy) - 719468;
}

static void civil_from_days(int64_t z, struct calendar *c)
{
	int64_t era;
	unsigned doe, yoe, doy, mp;

	z += 719468;
	era = (z >= 0 ? z : z - 146096) / 146097;
	doe = (unsigned)(z - era * 146097);
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	c->day = doy - (153 * mp + 2) / 5 + 1;
	c->month = mp < 10 ? mp + 3 : mp - 9;
	c->year = (int64_t)yoe + era * 400 + (c->month <= 2);
}

static void calendar_from_seconds(int64_t s, struct calendar *c)
{
	int64_t days = s / DAY_S - (s % DAY_S < 0);
	unsigned rest = (unsigned)(s - days * DAY_S);

	civil_from_days(days, c);
	c->hour = rest / 3600;
	c->minute = rest / 60 % 60;
	c->second = rest % 60;
	c->weekday = (unsigned)(((days + 4) % 7 + 7) % 7) + 1;
}

/* ---- the guest's representation: BCD or binary, 12 or 24 hours */

static uint8_t mc146818_encode(const struct mc146818 *r, unsigned v)
{
	return (uint8_t)(r->ram[MC146818_B] & B_BINARY ? v : v / 10 % 10 << 4 | v % 10);
}

static unsigned mc146818_decode(const struct mc146818 *r, uint8_t v)
{
	return r->ram[MC146818_B] & B_BINARY ? v : (v >> 4) * 10u + (v & 15);
}

static uint8_t mc146818_encode_hour(const struct mc146818 *r, unsigned hour)
{
	if (r->ram[MC146818_B] & B_24H)
		return mc146818_encode(r, hour);
	return mc146818_encode(r, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? HOUR_PM : 0);
}

static unsigned mc146818_decode_hour(const struct mc146818 *r, uint8_t v)
{
	if (r->ram[MC146818_B] & B_24H)
		return mc146818_decode(r, v);
	return mc146818_decode(r, v & (uint8_t)~HOUR_PM) % 12 + (v & HOUR_PM ? 12 : 0);
}

/* ---- time */

/* Wall-clock nanoseconds since 1970 at a virtual time. */
static uint64_t mc146818_wall_ns(const struct mc146818 *r, uint64_t now_ns)
{
	return r->clock->epoch_wall_ns + now_ns;
}

/* The guest's seconds since 1970. */
static int64_t mc146818_seconds(const struct mc146818 *r, uint64_t now_ns)
{
	return (int64_t)(mc146818_wall_ns(r, now_ns) / NS_PER_S) + r->offset_s;
}

static bool mc146818_running(const struct mc146818 *r)
{
	return !(r->ram[MC146818_B] & B_SET) && (r->ram[MC146818_A] & 0x60) != 0x60;
}

static bool mc146818_is_time(unsigned i)
{
	return i == MC146818_SECONDS || i == MC146818_MINUTES || i == MC146818_HOURS ||
	       (i >= MC146818_WEEKDAY && i <= MC146818_YEAR) || i == MC146818_CENTURY;
}

/* Put the time of now into the time bytes. */
static void mc146818_latch(struct mc146818 *r, uint64_t now_ns)
{
	struct calendar c;

	calendar_from_seconds(mc146818_seconds(r, now_ns), &c);
	r->ram[MC146818_SECONDS] = mc146818_encode(r, c.second);
	r->ram[MC146818_MINUTES] = mc146818_encode(r, c.minute);
	r->ram[MC146818_HOURS] = mc146818_encode_hour(r, c.hour);
	r->ram[MC146818_WEEKDAY] = mc146818_encode(r, c.weekday);
	r->ram[MC146818_DAY] = mc146818_encode(r, c.day);
	r->ram[MC146818_MONTH] = mc146818_encode(r, c.month);
	r->ram[MC146818_YEAR] = mc146818_encode(r, (unsigned)(c.year % 100));
	r->ram[MC146818_CENTURY] = mc146818_encode(r, (unsigned)(c.year / 100 % 100));
}

/* The time bytes are the guest's idea of now. Impossible values count on from possible ones. */
static void mc146818_adopt(struct mc146818 *r, uint64_t now_ns)
{
	unsigned month = mc146818_decode(r, r->ram[MC146818_MONTH]);
	unsigned day = mc146818_decode(r, r->ram[MC146818_DAY]);
	int64_t year = mc146818_decode(r, r->ram[MC146818_CENTURY]) * 100 +
		       mc146818_decode(r, r->ram[MC146818_YEAR]);
	int64_t s = days_from_civil(year, month < 1 ? 1 : month > 12 ? 12 : month, day ? day : 1);

	s = s * DAY_S + mc146818_decode_hour(r, r->ram[MC146818_HOURS]) * 3600 +
	    mc146818_decode(r, r->ram[MC146818_MINUTES]) * 60 +
	    mc146818_decode(r, r->ram[MC146818_SECONDS]);
	r->offset_s = s - (int64_t)(mc146818_wall_ns(r, now_ns) / NS_PER_S);
}

/* ---- flags and interrupts */

/* Crystal ticks between periodic interrupts, or 0. */
static unsigned mc146818_period(const struct mc146818 *r)
{
	unsigned rate = r->ram[MC146818_A] & A_RATE;

	if (!rate || (r->ram[MC146818_A] & 0x60) == 0x60)
		return 0;
	return rate <= 2 ? 64u << rate : 1u << (rate - 1);
}

/* The first second after s at which the alarm goes off. At most a day away, or never (-1). */
static int64_t mc146818_next_alarm(const struct mc146818 *r, int64_t s)
{
	uint8_t ah = r->ram[MC146818_HOURS_ALARM], am = r->ram[MC146818_MINUTES_ALARM],
		as = r->ram[MC146818_SECONDS_ALARM];
	bool any_h = (ah & ALARM_ANY) == ALARM_ANY, any_m = (am & ALARM_ANY) == ALARM_ANY,
	     any_s = (as & ALARM_ANY) == ALARM_ANY;
	struct calendar c;

	s++;
	for (unsigned step = 0; step < 200; step++) {
		calendar_from_seconds(s, &c);
		if (!any_h && c.hour != mc146818_decode_hour(r, ah))
			s += 3600 - (int64_t)(c.minute * 60 + c.second);
		else if (!any_m && c.minute != mc146818_decode(r, am))
			s += 60 - (int64_t)c.second;
		else if (!any_s && c.second != mc146818_decode(r, as))
			s++;
		else
			return s;
	}
	return -1;
}

/* Virtual time at which the guest's second s begins. */
static uint64_t mc146818_second_start(const struct mc146818 *r, int64_t s)
{
	return (uint64_t)(s - r->offset_s) * NS_PER_S - r->clock->epoch_wall_ns;
}

/* Set the flags of all that happened up to now. */
static void mc146818_settle(struct mc146818 *r, uint64_t now_ns)
{
	unsigned period = mc146818_period(r);
	int64_t was = mc146818_seconds(r, r->update_ns), is = mc146818_seconds(r, now_ns);

	if (period && clock_ns_to_ticks(now_ns, CRYSTAL_HZ) / period >
			      clock_ns_to_ticks(r->periodic_ns, CRYSTAL_HZ) / period)
		r->ram[MC146818_C] |= C_PF;
	if (mc146818_running(r) && is > was) {
		int64_t alarm = mc146818_next_alarm(r, was);

		r->ram[MC146818_C] |= C_UF;
		if (alarm >= 0 && alarm <= is)
			r->ram[MC146818_C] |= C_AF;
	}
	r->periodic_ns = r->update_ns = now_ns;
}

static uint64_t mc146818_next_due(const struct mc146818 *r, uint64_t now_ns)
{
	uint8_t waiting = r->ram[MC146818_B] & ~r->ram[MC146818_C];
	unsigned period = mc146818_period(r);
	uint64_t due = TIMER_NEVER, at;
	int64_t alarm, second = mc146818_seconds(r, now_ns);

	if ((waiting & B_PIE) && period) {
		at = clock_ns_to_ticks(now_ns, CRYSTAL_HZ) / period * period + period;
		due = clock_ticks_to_ns(at, CRYSTAL_HZ);
	}
	if (!mc146818_running(r))
		return due;
	if (waiting & B_UIE) {
		at = mc146818_second_start(r, second + 1);
		due = at < due ? at : due;
	}
	if (waiting & B_AIE) {
		alarm = mc146818_next_alarm(r, second);
		at = alarm < 0 ? TIMER_NEVER : mc146818_second_start(r, alarm);
		due = at < due ? at : due;
	}
	return due;
}

/* After any change of registers or flags. */
static void mc146818_update(struct mc146818 *r, uint64_t now_ns)
{
	bool irq = r->ram[MC146818_B] & r->ram[MC146818_C] & (C_PF | C_AF | C_UF);

	r->ram[MC146818_C] &= (uint8_t)~C_IRQF;
	if (irq)
		r->ram[MC146818_C] |= C_IRQF;
	irq_line_set(&r->irq, irq);
	/* Nothing can be raised that is not raised already: sleep until the guest reads C. */
	r->due_ns = irq ? TIMER_NEVER : mc146818_next_due(r, now_ns);
	timer_set(r->timerq, &r->timer, r->due_ns);
}

static void mc146818_fire(void *opaque, uint64_t now_ns)
{
	struct mc146818 *r = opaque;

	mc146818_settle(r, now_ns);
	mc146818_update(r, now_ns);
}

/* ---- registers */

static bool mc146818_uip(const struct mc146818 *r, uint64_t now_ns)
{
	return mc146818_running(r) && mc146818_wall_ns(r, now_ns) % NS_PER_S >= NS_PER_S - UIP_NS;
}

static uint8_t mc146818_reg_read(struct mc146818 *r, unsigned i)
{
	uint64_t now = clock_now(r->clock);
	uint8_t v;

	if (mc146818_is_time(i) && mc146818_running(r))
		mc146818_latch(r, now);
	switch (i) {
	case MC146818_A:
		return r->ram[i] | (mc146818_uip(r, now) ? A_UIP : 0);
	case MC146818_C:
		mc146818_settle(r, now);
		mc146818_update(r, now);
		v = r->ram[i];
		r->ram[i] = 0;
		mc146818_update(r, now);
		return v;
	case MC146818_D:
		return D_VALID;
	}
	return r->ram[i];
}

/* Registers A and B: the clock may stop (keeping what it showed) or go on from what is written. */
static void mc146818_control(struct mc146818 *r, unsigned i, uint8_t v, uint64_t now)
{
	bool was = mc146818_running(r);
	uint8_t b = r->ram[MC146818_B];

	if (was)
		mc146818_latch(r, now);
	if (i == MC146818_A)
		v &= (uint8_t)~A_UIP;
	else if (v & B_SET)
		v &= (uint8_t)~B_UIE;
	r->ram[i] = v;
	if (!was && mc146818_running(r))
		mc146818_adopt(r, now);
	else if (was && ((b ^ r->ram[MC146818_B]) & (B_BINARY | B_24H)))
		mc146818_latch(r, now);
}

static void mc146818_reg_write(struct mc146818 *r, unsigned i, uint8_t v)
{
	uint64_t now = clock_now(r->clock);

	mc146818_settle(r, now);
	if (i == MC146818_A || i == MC146818_B) {
		mc146818_control(r, i, v, now);
	} else if (mc146818_is_time(i) && mc146818_running(r)) {
		mc146818_latch(r, now);
		r->ram[i] = v;
		mc146818_adopt(r, now);
	} else if (i != MC146818_C && i != MC146818_D) {
		r->ram[i] = v;
	}
	mc146818_update(r, now);
}

static uint64_t mc146818_read(void *opaque, uint64_t offset, unsigned bytes)
{
	struct mc146818 *r = opaque;

	return offset & 1 ? mc146818_reg_read(r, r->index) : 0xff;
}

static void mc146818_write(void *opaque, uint64_t offset, uint64_t value, unsigned bytes)
{
	struct mc146818 *r = opaque;

	if (offset & 1)
		mc146818_reg_write(r, r->index, (uint8_t)value);
	else
		r->index = value & (MC146818_BYTES - 1); /* bit 7 masks NMI on the board */
}

void mc146818_set(struct mc146818 *r, unsigned index, uint8_t value)
{
	if (index < MC146818_BYTES)
		r->ram[index] = value;
}

void mc146818_reset(void *mc146818)
{
	struct mc146818 *r = mc146818;
	uint64_t now = clock_now(r->clock);

	r->index = 0;
	mc146818_settle(r, now);
	r->ram[MC146818_B] &= (uint8_t) ~(B_PIE | B_AIE | B_UIE | B_SQWE);
	r->ram[MC146818_C] = 0;
	mc146818_update(r, now);
}

void mc146818_init(struct mc146818 *r, struct irq_line irq, const struct clock *clock,
		   struct timerq *timerq)
{
	memset(r, 0, sizeof(*r));
	r->irq = irq;
	r->clock = clock;
	r->timerq = timerq;
	timer_init(&r->timer, mc146818_fire, r);
	r->ram[MC146818_A] = A_DEFAULT;
	r->ram[MC146818_B] = B_DEFAULT;
	mc146818_reset(r);
}

static void mc146818_after_restore(void *mc146818)
{
	struct mc146818 *r = mc146818;

	r->index &= MC146818_BYTES - 1;
	irq_line_set(&r->irq, r->ram[MC146818_C] >> 7);
	timer_set(r->timerq, &r->timer, r->due_ns);
}

const struct io_ops mc146818_io_ops = {mc146818_read, mc146818_write, 1};

static const struct field mc146818_fields[] = {
	FIELD(struct mc146818, index),
	FIELD_ARRAY(struct mc146818, ram),
	FIELD(struct mc146818, offset_s),
	FIELD(struct mc146818, periodic_ns),
	FIELD(struct mc146818, update_ns),
	FIELD(struct mc146818, due_ns),
	FIELD_END,
};

const struct device_desc mc146818_desc = {
	.name = "mc146818",
	.text = "real-time clock and CMOS memory",
	.state_bytes = sizeof(struct mc146818),
	.fields = mc146818_fields,
	.reset = mc146818_reset,
	.after_restore = mc146818_after_restore,
};
