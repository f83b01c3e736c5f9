/* Debug exit and debug console: see debug_port.h. */
#include "device/debug_port.h"

enum { DEBUG_CONSOLE_PRESENT = 0xe9 };

static uint64_t debug_exit_read(void *opaque, uint64_t offset, unsigned bytes)
{
	return 0;
}

static void debug_exit_write(void *opaque, uint64_t offset, uint64_t value, unsigned bytes)
{
	struct debug_exit *d = opaque;

	if (offset)
		return;
	d->code = (uint32_t)value;
	if (d->exit)
		d->exit(d->opaque, d->code);
}

static void debug_exit_reset(void *debug_exit)
{
	struct debug_exit *d = debug_exit;

	d->code = 0;
}

void debug_exit_init(struct debug_exit *d, void (*exit)(void *opaque, uint32_t code), void *opaque)
{
	d->exit = exit;
	d->opaque = opaque;
	debug_exit_reset(d);
}

static uint64_t debug_console_read(void *opaque, uint64_t offset, unsigned bytes)
{
	return DEBUG_CONSOLE_PRESENT;
}

static void debug_console_write(void *opaque, uint64_t offset, uint64_t value, unsigned bytes)
{
	struct debug_console *d = opaque;

	d->last = (uint8_t)value;
	if (d->sink.write)
		d->sink.write(d->sink.opaque, &d->last, 1);
}

static void debug_console_reset(void *debug_console)
{
	struct debug_console *d = debug_console;

	d->last = 0;
}

void debug_console_init(struct debug_console *d, struct byte_sink sink)
{
	d->sink = sink;
	debug_console_reset(d);
}

const struct io_ops debug_exit_io_ops = {debug_exit_read, debug_exit_write, 4};
const struct io_ops debug_console_io_ops = {debug_console_read, debug_console_write, 1};

static const struct field debug_exit_fields[] = {
	FIELD(struct debug_exit, code),
	FIELD_END,
};

static const struct field debug_console_fields[] = {
	FIELD(struct debug_console, last),
	FIELD_END,
};

const struct device_desc debug_exit_desc = {
	.name = "debug-exit",
	.text = "port that ends the machine",
	.state_bytes = sizeof(struct debug_exit),
	.fields = debug_exit_fields,
	.reset = debug_exit_reset,
};

const struct device_desc debug_console_desc = {
	.name = "debug-console",
	.text = "port that prints a byte",
	.state_bytes = sizeof(struct debug_console),
	.fields = debug_console_fields,
	.reset = debug_console_reset,
};
