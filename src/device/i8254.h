/* Programmable interval timer 8254, with the port 61h that gates channel 2 and the speaker. Intel
 * 8254 datasheet; port 61h as in the 82371AB. Outputs are computed from the clock; only channel
 * 0 drives a line, and only it keeps a timer. */
#ifndef DEVICE_I8254_H
#define DEVICE_I8254_H

#include "device/device.h"

#define I8254_HZ 1193182ull

struct i8254_channel {
	uint8_t mode; /* 0-5 */
	uint8_t bcd;
	uint8_t access; /* 1 low, 2 high, 3 low then high */
	uint8_t gate;
	uint8_t write_high, read_high; /* next byte of a two-byte access is the high one */
	uint8_t loaded;		       /* a count was written since the control word */
	uint8_t counting;	       /* started (modes 1, 5: triggered) */
	uint8_t latched;	       /* bytes of latch left to read */
	uint8_t status_latched, status;
	uint8_t write_low;
	uint16_t latch;
	uint32_t reload;       /* 1-65536, in force */
	uint32_t reload_next;  /* takes over at the end of the period or with the trigger; 0 none */
	uint64_t start_tick;   /* input clock tick at which the counter was loaded */
	uint64_t frozen_ticks; /* modes 0, 4 with the gate low: ticks that had run */
};

struct i8254 {
	struct i8254_channel ch[3];
	uint8_t port61;	     /* bits 0 (gate of channel 2), 1 (speaker), 2, 3 as written */
	uint64_t seen_ticks; /* channel 0: ticks run when its output was last looked at */
	uint64_t due_ns;
	/* wiring */
	struct irq_line irq; /* channel 0's output */
	const struct clock *clock;
	struct timerq *timerq;
	struct timer timer;
	const struct trace *trace;
};

extern const struct io_ops i8254_io_ops;	/* 4 ports (40h) */
extern const struct io_ops i8254_port61_io_ops; /* 1 port (61h); opaque: struct i8254 */
extern const struct device_desc i8254_desc;

void i8254_init(struct i8254 *p, struct irq_line irq, const struct clock *clock,
		struct timerq *timerq);
void i8254_reset(void *i8254);

#endif
