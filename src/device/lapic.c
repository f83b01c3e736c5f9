/*
 * Local APIC: life, pending and in-service vectors, LINT pins. SDM vol. 3, 11.4, 11.5 and 11.8.
 */
#include "device/lapic.h"

#include <string.h>

#include "device/lapic_parts.h"

static int vector_highest(const uint32_t *set)
{
	for (int i = 7; i >= 0; i--)
		if (set[i])
			return i * 32 + 31 - __builtin_clz(set[i]);
	return -1;
}

static void vector_put(uint32_t *set, unsigned vector, bool on)
{
	uint32_t bit = 1u << (vector & 31);

	if (on)
		set[vector >> 5 & 7] |= bit;
	else
		set[vector >> 5 & 7] &= ~bit;
}

static bool vector_has(const uint32_t *set, unsigned vector)
{
	return set[vector >> 5 & 7] >> (vector & 31) & 1;
}

unsigned lapic_ppr(const struct lapic *l)
{
	int isr = vector_highest(l->isr);
	unsigned served = isr < 0 ? 0 : (unsigned)isr & 0xf0;

	return (l->tpr & 0xf0) >= served ? l->tpr : served;
}

/* An ExtINT waits: the 8259s' line through LINT0, or a message from an I/O APIC. */
static bool lapic_extint_waits(const struct lapic *l)
{
	uint32_t lint0 = l->lvt[LVT_LINT0];

	if (!lapic_hw_enabled(l))
		return l->lint[0]; /* the pin is plain INTR then (SDM 11.4.3) */
	return l->extint ||
	       (l->lint[0] && !(lint0 & LAPIC_LVT_MASK) && lapic_lvt_mode(lint0) == LAPIC_EXTINT);
}

static int lapic_pending(const struct lapic *l)
{
	int irr = vector_highest(l->irr);

	return irr >= 0 && ((unsigned)irr & 0xf0) > (lapic_ppr(l) & 0xf0) ? irr : -1;
}

bool lapic_has_interrupt(const struct lapic *l)
{
	return lapic_extint_waits(l) || lapic_pending(l) >= 0;
}

void lapic_update(struct lapic *l)
{
	uint8_t intr = lapic_has_interrupt(l);

	if (intr == l->intr)
		return;
	l->intr = intr;
	l->cpu_ops->request(l->cpu, LAPIC_SIGNAL_INTR, intr);
}

int lapic_ack(struct lapic *l)
{
	int vector = -1;

	if (lapic_extint_waits(l)) {
		l->extint = 0;
		if (l->bus->pic_ack)
			vector = l->bus->pic_ack(l->bus->pic_opaque);
	} else if ((vector = lapic_pending(l)) >= 0) {
		vector_put(l->irr, (unsigned)vector, false);
		vector_put(l->isr, (unsigned)vector, true);
	}
	TRACE(l->trace, TRACE_APIC, "lapic %u: ack vector %d", l->id, vector);
	lapic_update(l);
	return vector;
}

void lapic_error(struct lapic *l, uint32_t esr_bits)
{
	uint32_t lvt = l->lvt[LVT_ERROR];
	bool news = esr_bits & ~l->esr_new;

	l->esr_new |= esr_bits;
	if (news && !(lvt & LAPIC_LVT_MASK))
		lapic_accept(l, LAPIC_FIXED, lvt & 0xff, false);
}

static bool lapic_accept_vector(struct lapic *l, unsigned vector, bool level)
{
	if (!lapic_sw_enabled(l))
		return false;
	if (vector < 16) {
		lapic_error(l, LAPIC_ESR_RECEIVE_VECTOR);
		return false;
	}
	vector_put(l->irr, vector, true);
	vector_put(l->tmr, vector, level);
	lapic_update(l);
	return true;
}

bool lapic_accept(struct lapic *l, enum lapic_mode mode, unsigned vector, bool level)
{
	vector &= 0xff;
	if (!lapic_hw_enabled(l))
		return false;
	TRACE(l->trace, TRACE_APIC, "lapic %u: message mode %d vector %u%s", l->id, (int)mode,
	      vector, level ? " level" : "");
	switch (mode) {
	case LAPIC_FIXED:
	case LAPIC_LOWEST:
		return lapic_accept_vector(l, vector, level);
	case LAPIC_NMI:
		l->cpu_ops->request(l->cpu, LAPIC_SIGNAL_NMI, 0);
		return true;
	case LAPIC_INIT:
		lapic_init_signal(l);
		l->cpu_ops->request(l->cpu, LAPIC_SIGNAL_INIT, 0);
		return true;
	case LAPIC_SIPI:
		l->cpu_ops->request(l->cpu, LAPIC_SIGNAL_SIPI, vector);
		return true;
	case LAPIC_EXTINT:
		l->extint = 1;
		lapic_update(l);
		return true;
	default:
		return false;
	}
}

void lapic_end_interrupt(struct lapic *l)
{
	int vector = vector_highest(l->isr);

	if (vector < 0)
		return;
	vector_put(l->isr, (unsigned)vector, false);
	if (vector_has(l->tmr, (unsigned)vector)) {
		for (unsigned n = 0; n < 2; n++)
			if ((l->lvt[LVT_LINT0 + n] & 0xff) == (uint32_t)vector)
				l->lvt[LVT_LINT0 + n] &= ~(uint32_t)LAPIC_LVT_REMOTE_IRR;
		if (l->bus->eoi)
			l->bus->eoi(l->bus->eoi_opaque, (unsigned)vector);
		lapic_lint_check(l, 0);
		lapic_lint_check(l, 1);
	}
	lapic_update(l);
}

/* A pin that is high and level-triggered delivers whenever nothing of it is in flight. */
void lapic_lint_check(struct lapic *l, unsigned n)
{
	uint32_t lvt = l->lvt[LVT_LINT0 + n];

	if (!lapic_hw_enabled(l) || !l->lint[n] || (lvt & LAPIC_LVT_MASK) ||
	    lapic_lvt_mode(lvt) != LAPIC_FIXED || !(lvt & LAPIC_LVT_LEVEL) ||
	    (lvt & LAPIC_LVT_REMOTE_IRR))
		return;
	if (lapic_accept(l, LAPIC_FIXED, lvt & 0xff, true))
		l->lvt[LVT_LINT0 + n] |= LAPIC_LVT_REMOTE_IRR;
}

static void lapic_lint_edge(struct lapic *l, unsigned n)
{
	uint32_t lvt = l->lvt[LVT_LINT0 + n];

	if (!lapic_hw_enabled(l)) {
		if (n == 1)
			l->cpu_ops->request(l->cpu, LAPIC_SIGNAL_NMI, 0);
		return;
	}
	if (lvt & LAPIC_LVT_MASK)
		return;
	switch (lapic_lvt_mode(lvt)) {
	case LAPIC_FIXED:
		if (!(lvt & LAPIC_LVT_LEVEL))
			lapic_accept(l, LAPIC_FIXED, lvt & 0xff, false);
		break;
	case LAPIC_NMI:
		lapic_accept(l, LAPIC_NMI, 0, false);
		break;
	case LAPIC_INIT:
		lapic_accept(l, LAPIC_INIT, 0, false);
		break;
	}
}

void lapic_lint(void *lapic, unsigned n, int level)
{
	struct lapic *l = lapic;
	bool rise;

	if (n > 1)
		return;
	rise = level && !l->lint[n];
	l->lint[n] = level != 0;
	if (rise)
		lapic_lint_edge(l, n);
	lapic_lint_check(l, n);
	lapic_update(l);
}

/* ---- life */

/* State after power-up or INIT (SDM 11.4.7.1); the ID, the base and the pins stay. */
static void lapic_clear(struct lapic *l)
{
	memset(l->isr, 0, sizeof(l->isr));
	memset(l->irr, 0, sizeof(l->irr));
	memset(l->tmr, 0, sizeof(l->tmr));
	for (unsigned i = 0; i < LAPIC_LVT_COUNT; i++)
		l->lvt[i] = LAPIC_LVT_MASK;
	l->tpr = l->ldr = l->esr = l->esr_new = 0;
	l->dfr = 0xffffffff;
	l->svr = 0xff;
	l->icr = 0;
	l->extint = 0;
	l->timer_initial = l->timer_count = l->timer_divide = 0;
	l->timer_start_ns = 0;
	l->tsc_deadline = 0;
	lapic_timer_stop(l);
}

void lapic_init_signal(struct lapic *l)
{
	lapic_clear(l);
	lapic_update(l);
}

void lapic_reset(struct lapic *l)
{
	l->base = LAPIC_BASE_DEFAULT | LAPIC_BASE_ENABLE | (l->boot ? LAPIC_BASE_BSP : 0);
	l->xapic_id = l->id << 24;
	lapic_clear(l);
	l->intr = 0;
	l->cpu_ops->request(l->cpu, LAPIC_SIGNAL_INTR, 0);
}

void lapic_init(struct lapic *l, struct lapic_bus *bus, uint32_t id, bool boot,
		const struct lapic_cpu_ops *ops, void *cpu, const struct clock *clock,
		struct timerq *timerq)
{
	memset(l, 0, sizeof(*l));
	l->id = id;
	l->boot = boot;
	l->bus = bus;
	l->cpu_ops = ops;
	l->cpu = cpu;
	l->clock = clock;
	l->timerq = timerq;
	timer_init(&l->timer, lapic_timer_fire, l);
	if (bus->count < LAPIC_MAX)
		bus->lapic[bus->count++] = l;
	lapic_reset(l);
}

void lapic_virtual_wire(struct lapic *l)
{
	l->svr = LAPIC_SVR_ENABLE | 0x0f;
	l->lvt[LVT_LINT0] = LAPIC_EXTINT << 8;
	l->lvt[LVT_LINT1] = LAPIC_NMI << 8;
	lapic_update(l);
}

uint64_t lapic_base_get(const struct lapic *l)
{
	return l->base;
}

bool lapic_base_set(struct lapic *l, uint64_t value)
{
	uint64_t mode = LAPIC_BASE_ENABLE | LAPIC_BASE_X2APIC;
	uint64_t from = l->base & mode, to = value & mode;

	if (value & (0xfff0000000000000ull | 0x2ff))
		return false;
	if (to == LAPIC_BASE_X2APIC || (from == mode && to == LAPIC_BASE_ENABLE) ||
	    (from == 0 && to == mode))
		return false;
	l->base = value;
	if (from && !to) {
		lapic_clear(l);
		l->xapic_id = l->id << 24;
	}
	if (to == mode && from != mode)
		l->icr &= 0xffffffff;
	lapic_update(l);
	return true;
}

uint64_t lapic_page(const struct lapic *l)
{
	return lapic_hw_enabled(l) && !lapic_x2apic(l) ? l->base & ~0xfffull : ~0ull;
}

unsigned lapic_cr8_get(const struct lapic *l)
{
	return l->tpr >> 4;
}

void lapic_cr8_set(struct lapic *l, unsigned value)
{
	l->tpr = (value & 15) << 4;
	lapic_update(l);
}

static void lapic_desc_reset(void *lapic)
{
	lapic_reset(lapic);
}

static void lapic_after_restore(void *lapic)
{
	struct lapic *l = lapic;

	timer_set(l->timerq, &l->timer, l->timer_due_ns);
	l->cpu_ops->request(l->cpu, LAPIC_SIGNAL_INTR, l->intr);
}

static const struct field lapic_fields[] = {
	FIELD(struct lapic, base),
	FIELD(struct lapic, id),
	FIELD(struct lapic, xapic_id),
	FIELD(struct lapic, tpr),
	FIELD(struct lapic, ldr),
	FIELD(struct lapic, dfr),
	FIELD(struct lapic, svr),
	FIELD(struct lapic, esr),
	FIELD(struct lapic, esr_new),
	FIELD_ARRAY(struct lapic, isr),
	FIELD_ARRAY(struct lapic, irr),
	FIELD_ARRAY(struct lapic, tmr),
	FIELD_ARRAY(struct lapic, lvt),
	FIELD(struct lapic, icr),
	FIELD(struct lapic, timer_initial),
	FIELD(struct lapic, timer_count),
	FIELD(struct lapic, timer_divide),
	FIELD(struct lapic, timer_start_ns),
	FIELD(struct lapic, timer_due_ns),
	FIELD(struct lapic, tsc_deadline),
	FIELD_ARRAY(struct lapic, lint),
	FIELD(struct lapic, extint),
	FIELD(struct lapic, intr),
	FIELD(struct lapic, boot),
	FIELD_END,
};

const struct device_desc lapic_desc = {
	.name = "lapic",
	.text = "local interrupt controller",
	.state_bytes = sizeof(struct lapic),
	.fields = lapic_fields,
	.reset = lapic_desc_reset,
	.after_restore = lapic_after_restore,
};
