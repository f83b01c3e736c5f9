/* High precision event timer: 64-bit counter at 100 MHz, 3 comparators, legacy replacement. IA-PC
 * HPET specification 1.0a. Left out: FSB (MSI) delivery. */
#ifndef DEVICE_HPET_H
#define DEVICE_HPET_H

#include "device/device.h"

#define HPET_BASE_DEFAULT 0xfed00000ull
enum { HPET_LEN = 0x400, HPET_TIMERS = 3, HPET_TICK_NS = 10 };

struct hpet_timer {
	uint64_t config, comparator, period;
	uint64_t due_ns;
};

struct hpet {
	/* state */
	uint64_t config, status;
	uint64_t counter; /* value at start_ns, or while stopped */
	uint64_t start_ns;
	struct hpet_timer t[HPET_TIMERS];
	/* wiring */
	struct irq_line gsi;	   /* set is called with n = I/O APIC pin */
	struct irq_line legacy[2]; /* IRQ 0 and IRQ 8 in legacy replacement mode */
	const struct clock *clock;
	struct timerq *timerq;
	struct timer timer[HPET_TIMERS];
	struct hpet_timer_ref {
		struct hpet *hpet;
		unsigned n;
	} ref[HPET_TIMERS];
	const struct trace *trace;
};

extern const struct io_ops hpet_io_ops; /* HPET_LEN bytes, max 8 */
extern const struct device_desc hpet_desc;

void hpet_init(struct hpet *h, struct irq_line gsi, struct irq_line legacy0,
	       struct irq_line legacy8, const struct clock *clock, struct timerq *timerq);
void hpet_reset(void *hpet);
/* True while comparators 0 and 1 stand in for the 8254 and the RTC: the machine then keeps those
 * chips' lines away from IRQ 0 and 8. */
bool hpet_legacy_active(const struct hpet *h);

#endif
