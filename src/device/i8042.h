/* Keyboard controller 8042 with an AT keyboard and a PS/2 mouse behind it, and port 92h (fast A20
 * and reset). IBM PS/2 Hardware Interface Technical Reference, "Keyboard and auxiliary device
 * controller". Answers are immediate. Left out: typematic repeat, scan code set 3 per-key modes,
 * mouse wheel extensions. */
#ifndef DEVICE_I8042_H
#define DEVICE_I8042_H

#include "device/device.h"

enum { I8042_QUEUE = 32 };

/* What the controller's output pins drive; members may be NULL. */
struct i8042_ops {
	void (*reset)(void *opaque);		/* CPU reset line pulsed */
	void (*a20)(void *opaque, int enabled); /* address line 20 gate changed */
};

/* A serial device behind the controller: keyboard or mouse. */
struct i8042_peer {
	uint8_t queue[I8042_QUEUE];
	uint8_t head, count;
	uint8_t param;	 /* command whose parameter byte comes next; 0 none */
	uint8_t enabled; /* scanning / reporting */
	uint8_t last;	 /* last byte sent, for resend */
	uint8_t leds, rate, set, resolution, scaling, remote, buttons;
};

struct i8042 {
	/* state */
	uint8_t config;	 /* command byte */
	uint8_t status;	 /* OBF, IBF, system flag, last was command, AUX OBF */
	uint8_t out;	 /* output buffer */
	uint8_t param;	 /* controller command waiting for its data byte; 0 none */
	uint8_t outport; /* output port P2 */
	uint8_t port92;
	uint8_t ram[32];
	struct i8042_peer kbd, mouse;
	uint8_t release; /* translation: F0h seen, the next code is a release */
	/* wiring */
	struct irq_line irq_kbd, irq_mouse;
	const struct i8042_ops *ops;
	void *opaque;
	const struct trace *trace;
};

/* opaque: struct i8042; one port each */
extern const struct io_ops i8042_data_io_ops;	 /* 60h */
extern const struct io_ops i8042_command_io_ops; /* 64h */
extern const struct io_ops i8042_port92_io_ops;	 /* 92h */
extern const struct device_desc i8042_desc;

void i8042_init(struct i8042 *k, struct irq_line irq_kbd, struct irq_line irq_mouse,
		const struct i8042_ops *ops, void *opaque);
void i8042_reset(void *i8042);
/* One byte of scan code set 2 as the keyboard sends it (F0h prefix for release, E0h extended).
 * false if the keyboard's queue is full or scanning is off. */
bool i8042_key(struct i8042 *k, uint8_t scancode);
/* Mouse movement and buttons (bit 0 left, 1 right, 2 middle). false if it could not be queued. */
bool i8042_mouse_move(struct i8042 *k, int dx, int dy, unsigned buttons);

#endif
