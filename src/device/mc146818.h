/* Real-time clock MC146818A with 128 bytes of battery-backed memory, as on the PC/AT; the century
 * is in byte 32h. Motorola MC146818A datasheet. The time is UTC from the machine's clock; a guest
 * that sets it changes an offset. Left out: square-wave output, daylight
 * saving, restarting the second by the divider (seconds begin with those of the wall clock). */
#ifndef DEVICE_MC146818_H
#define DEVICE_MC146818_H

#include "device/device.h"

enum { MC146818_BYTES = 128 };

/* Registers */
enum {
	MC146818_SECONDS = 0,
	MC146818_SECONDS_ALARM = 1,
	MC146818_MINUTES = 2,
	MC146818_MINUTES_ALARM = 3,
	MC146818_HOURS = 4,
	MC146818_HOURS_ALARM = 5,
	MC146818_WEEKDAY = 6,
	MC146818_DAY = 7,
	MC146818_MONTH = 8,
	MC146818_YEAR = 9,
	MC146818_A = 10,
	MC146818_B = 11,
	MC146818_C = 12,
	MC146818_D = 13,
	MC146818_CENTURY = 0x32,
};

struct mc146818 {
	/* state */
	uint8_t index;
	uint8_t ram[MC146818_BYTES]; /* time bytes hold what was last latched while SET is on */
	int64_t offset_s;	     /* guest's time minus the machine's wall clock, seconds */
	uint64_t periodic_ns;	     /* virtual time up to which periodic interrupts were seen */
	uint64_t update_ns;	     /* same for update-ended and alarm */
	uint64_t due_ns;
	/* wiring */
	struct irq_line irq;
	const struct clock *clock;
	struct timerq *timerq;
	struct timer timer;
	const struct trace *trace;
};

extern const struct io_ops mc146818_io_ops; /* 2 ports (70h, 71h) */
extern const struct device_desc mc146818_desc;

void mc146818_init(struct mc146818 *r, struct irq_line irq, const struct clock *clock,
		   struct timerq *timerq);
/* RESET keeps time and memory, clears interrupt enables and flags. */
void mc146818_reset(void *mc146818);
/* Battery-backed bytes, for the machine's firmware tables (memory size, boot order...). */
void mc146818_set(struct mc146818 *r, unsigned index, uint8_t value);

#endif
