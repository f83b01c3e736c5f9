/* 8042 keyboard controller: see i8042.h. The keyboard and the mouse themselves are in ps2.c. */
#include "device/i8042.h"

#include <string.h>

#include "device/i8042_parts.h"

enum {
	STATUS_OBF = 1 << 0,
	STATUS_SYSTEM = 1 << 2,
	STATUS_COMMAND = 1 << 3,
	STATUS_UNLOCKED = 1 << 4,
	STATUS_AUX = 1 << 5,
	CONFIG_KBD_IRQ = 1 << 0,
	CONFIG_AUX_IRQ = 1 << 1,
	CONFIG_SYSTEM = 1 << 2,
	CONFIG_KBD_OFF = 1 << 4,
	CONFIG_AUX_OFF = 1 << 5,
	CONFIG_TRANSLATE = 1 << 6,
	OUTPORT_NO_RESET = 1 << 0,
	OUTPORT_A20 = 1 << 1,
	OUTPORT_KBD = 1 << 4, /* output buffer full, by source */
	OUTPORT_AUX = 1 << 5,
	PORT92_RESET = 1 << 0,
	PORT92_A20 = 1 << 1,
	RELEASE_PREFIX = 0xf0,
	COMMAND_PORT_INPUT = 0xbf, /* unlocked, colour display */
};

static void i8042_reset_cpu(struct i8042 *k)
{
	if (k->ops && k->ops->reset)
		k->ops->reset(k->opaque);
}

/* Either source opens the gate. */
static void i8042_a20(struct i8042 *k)
{
	if (k->ops && k->ops->a20)
		k->ops->a20(k->opaque, (k->outport & OUTPORT_A20) || (k->port92 & PORT92_A20));
}

static void i8042_lines(struct i8042 *k)
{
	bool full = k->status & STATUS_OBF, aux = k->status & STATUS_AUX;

	irq_line_set(&k->irq_kbd, full && !aux && (k->config & CONFIG_KBD_IRQ));
	irq_line_set(&k->irq_mouse, full && aux && (k->config & CONFIG_AUX_IRQ));
}

static void i8042_output(struct i8042 *k, uint8_t byte, bool aux)
{
	k->out = byte;
	k->status |= STATUS_OBF;
	k->status &= (uint8_t)~STATUS_AUX;
	if (aux)
		k->status |= STATUS_AUX;
	i8042_lines(k);
}

/* A byte of the keyboard on its way to the output buffer; false: it only modifies the next one. */
static bool i8042_translate(struct i8042 *k, uint8_t *byte)
{
	if (!(k->config & CONFIG_TRANSLATE)) {
		k->release = 0;
		return true;
	}
	if (*byte == RELEASE_PREFIX) {
		k->release = 0x80;
		return false;
	}
	*byte = ps2_translate(*byte) | k->release;
	k->release = 0;
	return true;
}

/* Fill an empty output buffer from whoever has something; the keyboard first. */
static void i8042_fill(struct i8042 *k)
{
	while (!(k->status & STATUS_OBF) && k->kbd.count && !(k->config & CONFIG_KBD_OFF)) {
		uint8_t byte = ps2_take(&k->kbd);

		if (i8042_translate(k, &byte))
			i8042_output(k, byte, false);
	}
	if (!(k->status & STATUS_OBF) && k->mouse.count && !(k->config & CONFIG_AUX_OFF))
		i8042_output(k, ps2_take(&k->mouse), true);
}

bool i8042_key(struct i8042 *k, uint8_t scancode)
{
	/* Room is kept for the answer to a command. */
	if (!k->kbd.enabled || !ps2_room(&k->kbd, 4) || !ps2_put(&k->kbd, scancode))
		return false;
	TRACE(k->trace, TRACE_KEYBOARD, "keyboard: %#04x", scancode);
	i8042_fill(k);
	return true;
}

bool i8042_mouse_move(struct i8042 *k, int dx, int dy, unsigned buttons)
{
	struct i8042_peer *m = &k->mouse;

	dx = dx < -255 ? -255 : dx > 255 ? 255 : dx;
	dy = dy < -255 ? -255 : dy > 255 ? 255 : dy;
	m->buttons = buttons & 7;
	if (!m->enabled || m->remote || !ps2_room(m, 8))
		return false;
	ps2_put(m, (uint8_t)(0x08 | m->buttons | (dx < 0) << 4 | (dy < 0) << 5));
	ps2_put(m, (uint8_t)dx);
	ps2_put(m, (uint8_t)dy);
	i8042_fill(k);
	return true;
}

/* ---- controller commands */

static void i8042_set_config(struct i8042 *k, uint8_t v)
{
	k->config = v;
	k->status &= (uint8_t)~STATUS_SYSTEM;
	if (v & CONFIG_SYSTEM)
		k->status |= STATUS_SYSTEM;
	i8042_lines(k);
}

static void i8042_set_outport(struct i8042 *k, uint8_t v)
{
	k->outport = v & (uint8_t) ~(OUTPORT_KBD | OUTPORT_AUX);
	i8042_a20(k);
	if (!(v & OUTPORT_NO_RESET))
		i8042_reset_cpu(k);
}

static uint8_t i8042_get_outport(const struct i8042 *k)
{
	if (!(k->status & STATUS_OBF))
		return k->outport;
	return k->outport | (k->status & STATUS_AUX ? OUTPORT_AUX : OUTPORT_KBD);
}

/* Switching interfaces on and off, and A20, without an answer. */
static void i8042_command_switch(struct i8042 *k, uint8_t c)
{
	switch (c) {
	case 0xa7:
		k->config |= CONFIG_AUX_OFF;
		break;
	case 0xa8:
		k->config &= (uint8_t)~CONFIG_AUX_OFF;
		break;
	case 0xad:
		k->config |= CONFIG_KBD_OFF;
		break;
	case 0xae:
		k->config &= (uint8_t)~CONFIG_KBD_OFF;
		break;
	case 0xdd:
		i8042_set_outport(k, k->outport & (uint8_t)~OUTPORT_A20);
		break;
	case 0xdf:
		i8042_set_outport(k, k->outport | OUTPORT_A20);
		break;
	}
}

static void i8042_command(struct i8042 *k, uint8_t c)
{
	k->param = 0;
	if (c >= 0x20 && c < 0x40) {
		i8042_output(k, c == 0x20 ? k->config : k->ram[c & 31], false);
		return;
	}
	if ((c >= 0x60 && c < 0x80) || (c >= 0xd1 && c <= 0xd4)) {
		k->param = c;
		return;
	}
	if (c >= 0xf0) { /* pulse output lines whose bit is 0; only the reset line matters */
		if (!(c & OUTPORT_NO_RESET))
			i8042_reset_cpu(k);
		return;
	}
	switch (c) {
	case 0xa9: /* aux interface test: no error */
	case 0xab: /* keyboard interface test */
	case 0xe0: /* test inputs: clock and data low */
		i8042_output(k, 0, false);
		break;
	case 0xaa: /* self-test */
		k->config |= CONFIG_KBD_OFF | CONFIG_AUX_OFF;
		k->status |= STATUS_SYSTEM;
		i8042_output(k, 0x55, false);
		break;
	case 0xc0:
		i8042_output(k, COMMAND_PORT_INPUT, false);
		break;
	case 0xd0:
		i8042_output(k, i8042_get_outport(k), false);
		break;
	default:
		i8042_command_switch(k, c);
	}
}

/* A data byte: parameter of a controller command, or for the keyboard. */
static void i8042_data(struct i8042 *k, uint8_t v)
{
	uint8_t c = k->param;

	k->param = 0;
	switch (c) {
	case 0:
		ps2_keyboard_command(&k->kbd, v);
		break;
	case 0x60:
		i8042_set_config(k, v);
		break;
	case 0xd1:
		i8042_set_outport(k, v);
		break;
	case 0xd2:
	case 0xd3:
		i8042_output(k, v, c == 0xd3);
		break;
	case 0xd4:
		ps2_mouse_command(&k->mouse, v);
		break;
	default:
		k->ram[c & 31] = v;
	}
}

/* ---- ports */

static uint64_t i8042_data_read(void *opaque, uint64_t offset, unsigned bytes)
{
	struct i8042 *k = opaque;
	uint8_t v = k->out;

	k->status &= (uint8_t) ~(STATUS_OBF | STATUS_AUX);
	i8042_lines(k);
	i8042_fill(k);
	return v;
}

static void i8042_data_write(void *opaque, uint64_t offset, uint64_t value, unsigned bytes)
{
	struct i8042 *k = opaque;

	k->status &= (uint8_t)~STATUS_COMMAND;
	i8042_data(k, (uint8_t)value);
	i8042_fill(k);
}

static uint64_t i8042_status_read(void *opaque, uint64_t offset, unsigned bytes)
{
	struct i8042 *k = opaque;

	return k->status;
}

static void i8042_command_write(void *opaque, uint64_t offset, uint64_t value, unsigned bytes)
{
	struct i8042 *k = opaque;

	TRACE(k->trace, TRACE_KEYBOARD, "i8042: command %#04x", (unsigned)(value & 0xff));
	k->status |= STATUS_COMMAND;
	i8042_command(k, (uint8_t)value);
	i8042_fill(k);
}

static uint64_t i8042_port92_read(void *opaque, uint64_t offset, unsigned bytes)
{
	struct i8042 *k = opaque;

	return k->port92;
}

static void i8042_port92_write(void *opaque, uint64_t offset, uint64_t value, unsigned bytes)
{
	struct i8042 *k = opaque;
	bool rise = (value & PORT92_RESET) && !(k->port92 & PORT92_RESET);

	k->port92 = value & (PORT92_RESET | PORT92_A20);
	i8042_a20(k);
	if (rise)
		i8042_reset_cpu(k);
}

/* ---- life */

void i8042_reset(void *i8042)
{
	struct i8042 *k = i8042;

	/* As firmware leaves it for systems that look before they initialize. */
	k->config = CONFIG_KBD_IRQ | CONFIG_SYSTEM | CONFIG_TRANSLATE | CONFIG_AUX_OFF;
	k->status = STATUS_SYSTEM | STATUS_UNLOCKED;
	k->out = k->param = k->release = k->port92 = 0;
	k->outport = OUTPORT_NO_RESET | OUTPORT_A20 | 0xcc;
	memset(k->ram, 0, sizeof(k->ram));
	ps2_keyboard_reset(&k->kbd);
	ps2_mouse_reset(&k->mouse);
	i8042_a20(k);
	i8042_lines(k);
}

void i8042_init(struct i8042 *k, struct irq_line irq_kbd, struct irq_line irq_mouse,
		const struct i8042_ops *ops, void *opaque)
{
	memset(k, 0, sizeof(*k));
	k->irq_kbd = irq_kbd;
	k->irq_mouse = irq_mouse;
	k->ops = ops;
	k->opaque = opaque;
	i8042_reset(k);
}

static void i8042_after_restore(void *i8042)
{
	struct i8042 *k = i8042;

	if (k->kbd.count > I8042_QUEUE)
		k->kbd.count = I8042_QUEUE;
	if (k->mouse.count > I8042_QUEUE)
		k->mouse.count = I8042_QUEUE;
	i8042_a20(k);
	i8042_lines(k);
}

const struct io_ops i8042_data_io_ops = {i8042_data_read, i8042_data_write, 1};
const struct io_ops i8042_command_io_ops = {i8042_status_read, i8042_command_write, 1};
const struct io_ops i8042_port92_io_ops = {i8042_port92_read, i8042_port92_write, 1};

static const struct field i8042_fields[] = {
	FIELD(struct i8042, config),
	FIELD(struct i8042, status),
	FIELD(struct i8042, out),
	FIELD(struct i8042, param),
	FIELD(struct i8042, outport),
	FIELD(struct i8042, port92),
	FIELD_ARRAY(struct i8042, ram),
	FIELD(struct i8042, kbd),
	FIELD(struct i8042, mouse),
	FIELD(struct i8042, release),
	FIELD_END,
};

const struct device_desc i8042_desc = {
	.name = "i8042",
	.text = "keyboard controller, keyboard and mouse",
	.state_bytes = sizeof(struct i8042),
	.fields = i8042_fields,
	.reset = i8042_reset,
	.after_restore = i8042_after_restore,
};
