/*
 * The local APIC's registers as a page (xAPIC, SDM vol. 3, table 11-1) and as MSRs (x2APIC, table
 * 11-6). Both come down to one read and one write by page offset.
 */
#include "device/lapic_parts.h"

#include "base/bits.h"

enum { LAPIC_VERSION_VALUE = (LAPIC_LVT_COUNT - 1) << 16 | 0x15, LAPIC_ICR_READONLY = 1 << 12 };

struct lvt_reg {
	uint16_t offset;
	uint8_t index;
	uint32_t writable;
};

static const struct lvt_reg lvt_regs[] = {
	{LAPIC_LVT_CMCI, LVT_CMCI, 0x107ff},	   {LAPIC_LVT_TIMER, LVT_TIMER, 0x700ff},
	{LAPIC_LVT_THERMAL, LVT_THERMAL, 0x107ff}, {LAPIC_LVT_PERF, LVT_PERF, 0x107ff},
	{LAPIC_LVT_LINT0, LVT_LINT0, 0x1a7ff},	   {LAPIC_LVT_LINT1, LVT_LINT1, 0x1a7ff},
	{LAPIC_LVT_ERROR, LVT_ERROR, 0x100ff},
};

static const struct lvt_reg *lvt_find(uint32_t offset)
{
	for (unsigned i = 0; i < ARRAY_LEN(lvt_regs); i++)
		if (lvt_regs[i].offset == offset)
			return &lvt_regs[i];
	return NULL;
}

static uint32_t lapic_reg_read(struct lapic *l, uint32_t offset)
{
	const struct lvt_reg *lvt = lvt_find(offset);

	if (lvt)
		return l->lvt[lvt->index];
	if (offset >= LAPIC_ISR && offset < LAPIC_ESR) {
		unsigned i = (offset - LAPIC_ISR) / 16;
		return i < 8 ? l->isr[i] : i < 16 ? l->tmr[i - 8] : l->irr[i - 16];
	}
	switch (offset) {
	case LAPIC_ID:
		return lapic_x2apic(l) ? l->id : l->xapic_id;
	case LAPIC_VERSION:
		return LAPIC_VERSION_VALUE;
	case LAPIC_TPR:
		return l->tpr;
	case LAPIC_APR:
	case LAPIC_PPR:
		return lapic_ppr(l);
	case LAPIC_LDR:
		return lapic_ldr(l);
	case LAPIC_DFR:
		return l->dfr;
	case LAPIC_SVR:
		return l->svr;
	case LAPIC_ESR:
		return l->esr;
	case LAPIC_ICR_LOW:
		return (uint32_t)l->icr;
	case LAPIC_ICR_HIGH:
		return (uint32_t)(l->icr >> 32);
	case LAPIC_TIMER_INITIAL:
		return l->timer_initial;
	case LAPIC_TIMER_CURRENT:
		return lapic_timer_current(l);
	case LAPIC_TIMER_DIVIDE:
		return l->timer_divide;
	case LAPIC_EOI:
		return 0;
	}
	lapic_error(l, LAPIC_ESR_REGISTER);
	return 0;
}

static void lapic_write_lvt(struct lapic *l, const struct lvt_reg *r, uint32_t value)
{
	uint32_t keep = l->lvt[r->index] & LAPIC_LVT_REMOTE_IRR;

	value &= r->writable;
	if (!lapic_sw_enabled(l))
		value |= LAPIC_LVT_MASK;
	if (r->index == LVT_TIMER) {
		lapic_timer_set_lvt(l, value);
		return;
	}
	/* An edge-triggered pin has no remote IRR. */
	l->lvt[r->index] = value | (value & LAPIC_LVT_LEVEL ? keep : 0);
	if (r->index == LVT_LINT0 || r->index == LVT_LINT1)
		lapic_lint_check(l, r->index - LVT_LINT0);
}

static void lapic_write_svr(struct lapic *l, uint32_t value)
{
	l->svr = value & 0x3ff;
	if (!lapic_sw_enabled(l))
		for (unsigned i = 0; i < LAPIC_LVT_COUNT; i++)
			l->lvt[i] |= LAPIC_LVT_MASK;
}

static void lapic_reg_write(struct lapic *l, uint32_t offset, uint32_t value)
{
	const struct lvt_reg *lvt = lvt_find(offset);

	if (lvt) {
		lapic_write_lvt(l, lvt, value);
		lapic_update(l); /* LINT0 may let an ExtINT through now, or no more */
		return;
	}
	switch (offset) {
	case LAPIC_ID:
		l->xapic_id = value & 0xff000000;
		break;
	case LAPIC_TPR:
		l->tpr = value & 0xff;
		break;
	case LAPIC_EOI:
		lapic_end_interrupt(l);
		break;
	case LAPIC_LDR:
		l->ldr = value & 0xff000000;
		break;
	case LAPIC_DFR:
		l->dfr = value | 0x0fffffff;
		break;
	case LAPIC_SVR:
		lapic_write_svr(l, value);
		break;
	case LAPIC_ESR:
		l->esr = l->esr_new;
		l->esr_new = 0;
		break;
	case LAPIC_ICR_LOW:
		l->icr = (l->icr & ~0xffffffffull) | (value & ~(uint32_t)LAPIC_ICR_READONLY);
		lapic_send(l, value, (uint32_t)(l->icr >> 56));
		break;
	case LAPIC_ICR_HIGH:
		l->icr = (l->icr & 0xffffffff) | (uint64_t)(value & 0xff000000) << 32;
		break;
	case LAPIC_TIMER_INITIAL:
		lapic_timer_start(l, value);
		break;
	case LAPIC_TIMER_DIVIDE:
		lapic_timer_set_divide(l, value);
		break;
	case LAPIC_VERSION:
	case LAPIC_APR:
	case LAPIC_PPR:
	case LAPIC_TIMER_CURRENT:
		break;
	default:
		if (offset < LAPIC_ISR || offset >= LAPIC_ESR)
			lapic_error(l, LAPIC_ESR_REGISTER);
	}
	lapic_update(l);
}

uint32_t lapic_read(struct lapic *l, uint32_t offset)
{
	return offset & 15 ? 0 : lapic_reg_read(l, offset & 0xff0);
}

void lapic_write(struct lapic *l, uint32_t offset, uint32_t value)
{
	TRACE(l->trace, TRACE_APIC, "lapic %u: write %#x = %#x", l->id, offset, value);
	if (!(offset & 15))
		lapic_reg_write(l, offset & 0xff0, value);
}

/* ---- x2APIC */

enum { X2_READ = 1, X2_WRITE = 2 };

/* Which MSRs exist, and how they may be used (SDM table 11-6). */
static unsigned lapic_msr_access(uint32_t offset)
{
	if (lvt_find(offset))
		return X2_READ | X2_WRITE;
	if (offset >= LAPIC_ISR && offset < LAPIC_ESR)
		return X2_READ;
	switch (offset) {
	case LAPIC_ID:
	case LAPIC_VERSION:
	case LAPIC_PPR:
	case LAPIC_LDR:
	case LAPIC_TIMER_CURRENT:
		return X2_READ;
	case LAPIC_TPR:
	case LAPIC_SVR:
	case LAPIC_ESR:
	case LAPIC_ICR_LOW:
	case LAPIC_TIMER_INITIAL:
	case LAPIC_TIMER_DIVIDE:
		return X2_READ | X2_WRITE;
	case LAPIC_EOI:
	case LAPIC_SELF_IPI:
		return X2_WRITE;
	}
	return 0;
}

/* Bits that may be set in a write. */
static uint64_t lapic_msr_writable(uint32_t offset)
{
	const struct lvt_reg *lvt = lvt_find(offset);

	if (lvt)
		return lvt->writable | LAPIC_ICR_READONLY | LAPIC_LVT_REMOTE_IRR;
	switch (offset) {
	case LAPIC_TPR:
	case LAPIC_SELF_IPI:
		return 0xff;
	case LAPIC_SVR:
		return 0x3ff;
	case LAPIC_ICR_LOW:
		return 0xffffffff000cdfff;
	case LAPIC_TIMER_INITIAL:
		return 0xffffffff;
	case LAPIC_TIMER_DIVIDE:
		return 0xb;
	}
	return 0; /* EOI, ESR: only zero may be written */
}

bool lapic_msr_read(struct lapic *l, uint32_t msr, uint64_t *value)
{
	uint32_t offset = (msr - 0x800) << 4;

	if (!lapic_hw_enabled(l) || !lapic_x2apic(l) || msr < 0x800 || msr > 0x8ff ||
	    !(lapic_msr_access(offset) & X2_READ))
		return false;
	*value = offset == LAPIC_ICR_LOW ? l->icr : lapic_reg_read(l, offset);
	return true;
}

bool lapic_msr_write(struct lapic *l, uint32_t msr, uint64_t value)
{
	uint32_t offset = (msr - 0x800) << 4;

	if (!lapic_hw_enabled(l) || !lapic_x2apic(l) || msr < 0x800 || msr > 0x8ff ||
	    !(lapic_msr_access(offset) & X2_WRITE) || (value & ~lapic_msr_writable(offset)))
		return false;
	TRACE(l->trace, TRACE_APIC, "lapic %u: write %#x = %#llx", l->id, offset,
	      (unsigned long long)value);
	if (offset == LAPIC_ICR_LOW) {
		l->icr = value & ~(uint64_t)LAPIC_ICR_READONLY;
		lapic_send(l, (uint32_t)value, (uint32_t)(value >> 32));
	} else if (offset == LAPIC_SELF_IPI) {
		lapic_send(l, 1u << 18 | (uint32_t)value, 0);
	} else {
		lapic_reg_write(l, offset, (uint32_t)value);
	}
	return true;
}
