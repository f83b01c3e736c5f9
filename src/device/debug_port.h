/* Two ports for test programs and firmware: debug exit (F4h, any width: ends the machine with the
 * value written) and debug console (E9h: reads E9h, writes go to a byte sink). No real chip: the
 * conventions of Bochs and other monitors, so that existing guests find them. */
#ifndef DEVICE_DEBUG_PORT_H
#define DEVICE_DEBUG_PORT_H

#include "device/device.h"

struct debug_exit {
	uint32_t code; /* last value written */
	/* wiring */
	void (*exit)(void *opaque, uint32_t code);
	void *opaque;
};

struct debug_console {
	uint8_t last;
	/* wiring */
	struct byte_sink sink;
};

extern const struct io_ops debug_exit_io_ops;	 /* 4 ports */
extern const struct io_ops debug_console_io_ops; /* 1 port */
extern const struct device_desc debug_exit_desc, debug_console_desc;

void debug_exit_init(struct debug_exit *d, void (*exit)(void *opaque, uint32_t code), void *opaque);
void debug_console_init(struct debug_console *d, struct byte_sink sink);

#endif
