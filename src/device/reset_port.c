/* Reset control register: see reset_port.h. A reset happens as the CPU bit goes from 0 to 1. */
#include "device/reset_port.h"

static uint64_t reset_port_read(void *opaque, uint64_t offset, unsigned bytes)
{
	struct reset_port *r = opaque;

	return r->value;
}

static void reset_port_write(void *opaque, uint64_t offset, uint64_t value, unsigned bytes)
{
	struct reset_port *r = opaque;
	bool rise = (value & RESET_PORT_CPU) && !(r->value & RESET_PORT_CPU);

	r->value = value & (RESET_PORT_SYSTEM | RESET_PORT_CPU);
	if (rise && r->reset)
		r->reset(r->opaque);
}

void reset_port_reset(void *reset_port)
{
	struct reset_port *r = reset_port;

	r->value = 0;
}

void reset_port_init(struct reset_port *r, void (*reset)(void *opaque), void *opaque)
{
	r->reset = reset;
	r->opaque = opaque;
	reset_port_reset(r);
}

const struct io_ops reset_port_io_ops = {reset_port_read, reset_port_write, 1};

static const struct field reset_port_fields[] = {
	FIELD(struct reset_port, value),
	FIELD_END,
};

const struct device_desc reset_port_desc = {
	.name = "reset-port",
	.text = "reset control register",
	.state_bytes = sizeof(struct reset_port),
	.fields = reset_port_fields,
	.reset = reset_port_reset,
};
