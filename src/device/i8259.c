/*
 * 8259A pair: see i8259.h. Names follow the datasheet: IRR, ISR, IMR; ICW1-4 initialize, OCW1-3
 * operate. The slave's INT output is the master's input 2; there is no other cascade.
 */
#include "device/i8259.h"

#include <string.h>

enum {
	ICW1_SELECT = 1 << 4, /* in a write to port 0 */
	ICW1_ICW4 = 1 << 0,
	ICW1_SINGLE = 1 << 1,
	ICW1_LEVEL = 1 << 3,
	ICW4_AUTO_EOI = 1 << 1,
	ICW4_SPECIAL_NESTED = 1 << 4,
	OCW3_SELECT = 1 << 3,
	OCW3_POLL = 1 << 2,
	CASCADE_INPUT = 2,
	SPURIOUS_INPUT = 7,
};

/* How far input n is from the highest priority; 0 = highest. */
static unsigned i8259_rank(const struct i8259 *c, unsigned n)
{
	return (n - c->lowest - 1) & 7;
}

/* The input of highest priority in the set, or -1. */
static int i8259_first(const struct i8259 *c, uint8_t set)
{
	for (unsigned rank = 0; rank < 8; rank++) {
		unsigned n = (c->lowest + 1 + rank) & 7;
		if (set >> n & 1)
			return (int)n;
	}
	return -1;
}

static bool i8259_is_master(const struct i8259 *c)
{
	return c == &c->pair->chip[0];
}

/* The input that may interrupt now, or -1: requests in service hold back their own and lower
 * priorities, except masked ones in special mask mode, and except the cascade input of a master in
 * special fully nested mode. */
static int i8259_candidate(const struct i8259 *c)
{
	int n = i8259_first(c, c->irr & ~c->imr);
	uint8_t holding = c->isr;
	int served;

	if (n < 0)
		return -1;
	if (c->special_mask)
		holding &= ~c->imr;
	if (c->fully_nested_special && i8259_is_master(c) && n == CASCADE_INPUT)
		holding &= (uint8_t) ~(1u << CASCADE_INPUT);
	served = i8259_first(c, holding);
	if (served >= 0 && i8259_rank(c, (unsigned)served) <= i8259_rank(c, (unsigned)n))
		return -1;
	return n;
}

static void i8259_update(struct i8259 *c);

static bool i8259_is_level(const struct i8259 *c, unsigned n)
{
	return c->level_all || (c->elcr >> n & 1);
}

static void i8259_input(struct i8259 *c, unsigned n, bool level)
{
	uint8_t bit = (uint8_t)(1u << n);

	if (level && (i8259_is_level(c, n) || !(c->line & bit)))
		c->irr |= bit;
	/* An edge-triggered request must hold its line until acknowledged, too (datasheet, figure
	 * 9): a withdrawn one becomes spurious. */
	if (!level)
		c->irr &= (uint8_t)~bit;
	c->line = level ? c->line | bit : c->line & (uint8_t)~bit;
	i8259_update(c);
}

static void i8259_update(struct i8259 *c)
{
	c->out = i8259_candidate(c) >= 0;
	if (i8259_is_master(c))
		irq_line_set(&c->pair->intr, c->out);
	else
		i8259_input(&c->pair->chip[0], CASCADE_INPUT, c->out);
}

void i8259_irq(void *pair, unsigned n, int level)
{
	struct i8259_pair *p = pair;

	if (n > 15 || n == CASCADE_INPUT)
		return;
	TRACE(p->trace, TRACE_IRQ, "i8259: input %u = %d", n, level);
	i8259_input(&p->chip[n >> 3], n & 7, level != 0);
}

/* Acknowledge input n: it goes in service (unless EOI is automatic). */
static void i8259_take(struct i8259 *c, unsigned n)
{
	uint8_t bit = (uint8_t)(1u << n);

	if (!c->auto_eoi)
		c->isr |= bit;
	else if (c->rotate_auto)
		c->lowest = (uint8_t)n;
	/* A level-triggered request is there as long as its line is. */
	if (!i8259_is_level(c, n) || !(c->line & bit))
		c->irr &= (uint8_t)~bit;
}

static unsigned i8259_ack_chip(struct i8259 *c)
{
	int n = i8259_candidate(c);

	if (n < 0)
		return SPURIOUS_INPUT;
	i8259_take(c, (unsigned)n);
	return (unsigned)n;
}

int i8259_ack(void *pair)
{
	struct i8259_pair *p = pair;
	struct i8259 *master = &p->chip[0], *slave = &p->chip[1];
	bool spurious = i8259_candidate(master) < 0;
	unsigned n = i8259_ack_chip(master);
	unsigned vector = master->base + n;

	/* INT falls with the acknowledge and rises again for the next request, so that
	 * edge-triggered receivers (an I/O APIC's ExtINT pin) see each one. */
	irq_line_set(&p->intr, 0);
	if (!spurious && n == CASCADE_INPUT) {
		vector = slave->base + i8259_ack_chip(slave);
		/* the slave's INT pulses the same way: a further request is a new edge */
		i8259_input(master, CASCADE_INPUT, false);
		i8259_update(slave);
	}
	i8259_update(master);
	TRACE(p->trace, TRACE_IRQ, "i8259: ack vector %u", vector);
	return (int)vector;
}

/* ---- programming */

static void i8259_icw1(struct i8259 *c, uint8_t v)
{
	c->icw_next = 2;
	c->icw4_needed = v & ICW1_ICW4;
	c->single = (v & ICW1_SINGLE) != 0;
	c->level_all = (v & ICW1_LEVEL) != 0;
	c->imr = c->isr = 0;
	c->lowest = 7;
	c->special_mask = c->read_isr = c->poll = 0;
	c->auto_eoi = c->rotate_auto = c->fully_nested_special = 0;
	/* The edge sense circuit is reset: only level inputs still ask. */
	c->irr = c->level_all ? c->line : c->line & c->elcr;
}

static void i8259_icw(struct i8259 *c, uint8_t v)
{
	switch (c->icw_next) {
	case 2:
		c->base = v & 0xf8;
		c->icw_next = c->single ? (c->icw4_needed ? 4 : 0) : 3;
		break;
	case 3: /* the cascade is wired, whatever it says */
		c->icw_next = c->icw4_needed ? 4 : 0;
		break;
	case 4:
		c->auto_eoi = (v & ICW4_AUTO_EOI) != 0;
		c->fully_nested_special = (v & ICW4_SPECIAL_NESTED) != 0;
		c->icw_next = 0;
		break;
	}
}

/* OCW2: end of interrupt and priority rotation. Bits: rotate, specific, EOI, 0, 0, level. */
static void i8259_ocw2(struct i8259 *c, uint8_t v)
{
	unsigned n = v & 7;
	uint8_t open = c->special_mask ? c->isr & ~c->imr : c->isr;
	int served = i8259_first(c, open);

	switch (v >> 5) {
	case 0: /* automatic rotation off, on */
	case 4:
		c->rotate_auto = v >> 7;
		break;
	case 1: /* non-specific EOI; 5: and rotate */
	case 5:
		if (served < 0)
			break;
		c->isr &= (uint8_t) ~(1u << served);
		if (v >> 7)
			c->lowest = (uint8_t)served;
		break;
	case 3: /* specific EOI; 7: and rotate */
	case 7:
		c->isr &= (uint8_t) ~(1u << n);
		if (v >> 7)
			c->lowest = (uint8_t)n;
		break;
	case 6: /* set priority */
		c->lowest = (uint8_t)n;
		break;
	}
}

static void i8259_ocw3(struct i8259 *c, uint8_t v)
{
	if (v & 0x40)
		c->special_mask = v >> 5 & 1;
	if (v & OCW3_POLL)
		c->poll = 1;
	else if (v & 2)
		c->read_isr = v & 1;
}

static void i8259_write(void *opaque, uint64_t offset, uint64_t value, unsigned bytes)
{
	struct i8259 *c = opaque;
	uint8_t v = (uint8_t)value;

	if (offset == 0 && (v & ICW1_SELECT))
		i8259_icw1(c, v);
	else if (offset == 0 && (v & OCW3_SELECT))
		i8259_ocw3(c, v);
	else if (offset == 0)
		i8259_ocw2(c, v);
	else if (c->icw_next)
		i8259_icw(c, v);
	else
		c->imr = v;
	i8259_update(c);
}

/* A poll acknowledges like INTA and reads 80h | input, or 0. */
static uint8_t i8259_poll(struct i8259 *c)
{
	int n = i8259_candidate(c);

	c->poll = 0;
	if (n < 0)
		return 0;
	i8259_take(c, (unsigned)n);
	i8259_update(c);
	return (uint8_t)(0x80 | n);
}

static uint64_t i8259_read(void *opaque, uint64_t offset, unsigned bytes)
{
	struct i8259 *c = opaque;

	if (c->poll)
		return i8259_poll(c);
	if (offset)
		return c->imr;
	return c->read_isr ? c->isr : c->irr;
}

/* Inputs 0, 1, 2, 8 and 13 are always edge-triggered. */
static uint64_t i8259_elcr_read(void *opaque, uint64_t offset, unsigned bytes)
{
	struct i8259_pair *p = opaque;

	return p->chip[offset & 1].elcr;
}

static void i8259_elcr_write(void *opaque, uint64_t offset, uint64_t value, unsigned bytes)
{
	struct i8259_pair *p = opaque;
	struct i8259 *c = &p->chip[offset & 1];

	c->elcr = (uint8_t)value & (offset & 1 ? 0xde : 0xf8);
	c->irr |= c->elcr & c->line;
	i8259_update(c);
}

void i8259_reset(void *pair)
{
	struct i8259_pair *p = pair;

	for (unsigned i = 0; i < 2; i++) {
		struct i8259 *c = &p->chip[i];
		uint8_t line = c->line;

		memset(c, 0, sizeof(*c));
		c->pair = p;
		c->line = i ? line : line & (uint8_t) ~(1u << CASCADE_INPUT);
		c->lowest = 7;
		c->base = 0;
		c->imr = 0xff; /* undefined on the chip; quiet until somebody programs it */
	}
	irq_line_set(&p->intr, 0);
}

void i8259_init(struct i8259_pair *p, struct irq_line intr)
{
	memset(p, 0, sizeof(*p));
	p->intr = intr;
	i8259_reset(p);
}

static void i8259_after_restore(void *pair)
{
	struct i8259_pair *p = pair;

	irq_line_set(&p->intr, p->chip[0].out);
}

const struct io_ops i8259_io_ops = {i8259_read, i8259_write, 1};
const struct io_ops i8259_elcr_io_ops = {i8259_elcr_read, i8259_elcr_write, 1};

/* Both chips lie in one struct; each row takes the bytes from its first member to `out`. */
#define I8259_CHIP_BYTES (offsetof(struct i8259, out) + 1)

static const struct field i8259_fields[] = {
	{"master", offsetof(struct i8259_pair, chip[0]), 1, I8259_CHIP_BYTES, 0},
	{"slave", offsetof(struct i8259_pair, chip[1]), 1, I8259_CHIP_BYTES, 0},
	FIELD_END,
};

const struct device_desc i8259_desc = {
	.name = "i8259",
	.text = "interrupt controller pair",
	.state_bytes = sizeof(struct i8259_pair),
	.fields = i8259_fields,
	.reset = i8259_reset,
	.after_restore = i8259_after_restore,
};
