/* A cascaded pair of 8259A interrupt controllers with the ELCR of EISA chipsets. Intel 8259A
 * datasheet; 82371AB, 4.1.2 for ports 4D0h/4D1h. Left out: the 8080 mode, buffered mode. */
#ifndef DEVICE_I8259_H
#define DEVICE_I8259_H

#include "device/device.h"

struct i8259_pair;

struct i8259 {
	uint8_t irr, isr, imr;
	uint8_t line;	  /* input levels */
	uint8_t elcr;	  /* 1 = level-triggered input */
	uint8_t base;	  /* vector of input 0 (ICW2) */
	uint8_t lowest;	  /* input that has the lowest priority (7 after reset) */
	uint8_t icw_next; /* initialization word expected next: 0 none, 2, 3, 4 */
	uint8_t icw4_needed, single, level_all;
	uint8_t auto_eoi, rotate_auto, fully_nested_special, special_mask;
	uint8_t read_isr, poll;
	uint8_t out; /* INT output */
	/* wiring */
	struct i8259_pair *pair;
};

struct i8259_pair {
	struct i8259 chip[2]; /* 0 = master, 1 = slave on the master's input 2 */
	struct irq_line intr; /* the master's INT output */
	const struct trace *trace;
};

extern const struct io_ops i8259_io_ops;      /* opaque: struct i8259; 2 ports (20h, A0h) */
extern const struct io_ops i8259_elcr_io_ops; /* opaque: struct i8259_pair; 2 ports (4D0h) */
extern const struct device_desc i8259_desc;   /* state: struct i8259_pair */

void i8259_init(struct i8259_pair *p, struct irq_line intr);
void i8259_reset(void *pair);
/* Input n, 0-15; usable as struct irq_line. Input 2 is the cascade and ignored. */
void i8259_irq(void *pair, unsigned n, int level);
/* Interrupt acknowledge: the vector; the spurious vector (input 7) if nothing is waiting. */
int i8259_ack(void *pair);

#endif
