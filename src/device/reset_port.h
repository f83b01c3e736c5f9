/* Reset control register, port CF9h. Intel 82371AB, 4.3.3 (and the ACPI reset register). */
#ifndef DEVICE_RESET_PORT_H
#define DEVICE_RESET_PORT_H

#include "device/device.h"

enum { RESET_PORT_SYSTEM = 1 << 1, RESET_PORT_CPU = 1 << 2 };

struct reset_port {
	uint8_t value;
	/* wiring */
	void (*reset)(void *opaque);
	void *opaque;
};

extern const struct io_ops reset_port_io_ops; /* 1 port */
extern const struct device_desc reset_port_desc;

void reset_port_init(struct reset_port *r, void (*reset)(void *opaque), void *opaque);
void reset_port_reset(void *reset_port);

#endif
