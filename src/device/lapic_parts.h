/* What the files of the local APIC share: vectors in (lapic.c), timer (lapic_timer.c), messages
 * between APICs (lapic_bus.c), the register page (lapic_regs.c). */
#ifndef DEVICE_LAPIC_PARTS_H
#define DEVICE_LAPIC_PARTS_H

#include "device/lapic.h"

enum {
	LAPIC_SVR_ENABLE = 1 << 8,
	LAPIC_LVT_MASK = 1 << 16,
	LAPIC_LVT_LEVEL = 1 << 15,
	LAPIC_LVT_REMOTE_IRR = 1 << 14,
	LAPIC_LVT_TIMER_MODE = 3 << 17,
	LAPIC_LVT_PERIODIC = 1 << 17,
	LAPIC_LVT_TSC_DEADLINE = 2 << 17,
	LAPIC_ESR_SEND_VECTOR = 1 << 5,
	LAPIC_ESR_RECEIVE_VECTOR = 1 << 6,
	LAPIC_ESR_REGISTER = 1 << 7,
};

/* Indices into lvt[] */
enum { LVT_CMCI, LVT_TIMER, LVT_THERMAL, LVT_PERF, LVT_LINT0, LVT_LINT1, LVT_ERROR };

static inline bool lapic_hw_enabled(const struct lapic *l)
{
	return l->base & LAPIC_BASE_ENABLE;
}

static inline bool lapic_x2apic(const struct lapic *l)
{
	return l->base & LAPIC_BASE_X2APIC;
}

static inline bool lapic_sw_enabled(const struct lapic *l)
{
	return l->svr & LAPIC_SVR_ENABLE;
}

static inline unsigned lapic_lvt_mode(uint32_t lvt)
{
	return lvt >> 8 & 7;
}

/* A message for this APIC: true if it was accepted. */
bool lapic_accept(struct lapic *l, enum lapic_mode mode, unsigned vector, bool level);
/* Report the INTR level to the CPU if it changed. */
void lapic_update(struct lapic *l);
/* Record errors (ESR bits) and raise the error vector. */
void lapic_error(struct lapic *l, uint32_t esr_bits);
unsigned lapic_ppr(const struct lapic *l);
void lapic_end_interrupt(struct lapic *l);
/* LINT0/1's local vector changed: level-triggered pins may deliver now. */
void lapic_lint_check(struct lapic *l, unsigned n);
/* The logical ID register as read: derived from the ID in x2APIC mode. */
uint32_t lapic_ldr(const struct lapic *l);

/* Carry out an ICR write; dest as in its upper half for the mode the APIC is in. */
void lapic_send(struct lapic *l, uint32_t icr_low, uint32_t dest);

uint32_t lapic_timer_current(const struct lapic *l);
void lapic_timer_start(struct lapic *l, uint32_t initial);
void lapic_timer_set_divide(struct lapic *l, uint32_t divide);
void lapic_timer_set_lvt(struct lapic *l, uint32_t lvt);
void lapic_timer_stop(struct lapic *l);
void lapic_timer_fire(void *lapic, uint64_t now_ns);

#endif
