/* AT keyboard and PS/2 mouse as the 8042 sees them: commands and answers. IBM PS/2 Hardware
 * Interface Technical Reference, "Keyboards" and "Mouse". */
#include <string.h>

#include "device/i8042_parts.h"

enum {
	PS2_ACK = 0xfa,
	PS2_RESEND = 0xfe,
	PS2_SELF_TEST_OK = 0xaa,
	KBD_LEDS = 0xed,
	KBD_ECHO = 0xee,
	KBD_SET = 0xf0,
	PS2_ID = 0xf2,
	PS2_RATE = 0xf3,
	PS2_ENABLE = 0xf4,
	PS2_DISABLE = 0xf5,
	PS2_DEFAULTS = 0xf6,
	PS2_REPEAT_LAST = 0xfe,
	PS2_RESET = 0xff,
	MOUSE_SCALE_1 = 0xe6,
	MOUSE_SCALE_2 = 0xe7,
	MOUSE_RESOLUTION = 0xe8,
	MOUSE_STATUS = 0xe9,
	MOUSE_STREAM = 0xea,
	MOUSE_READ = 0xeb,
	MOUSE_REMOTE = 0xf0,
};

bool ps2_room(const struct i8042_peer *p, unsigned bytes)
{
	return p->count + bytes <= I8042_QUEUE;
}

bool ps2_put(struct i8042_peer *p, uint8_t byte)
{
	if (!ps2_room(p, 1))
		return false;
	p->queue[(p->head + p->count++) % I8042_QUEUE] = byte;
	return true;
}

uint8_t ps2_take(struct i8042_peer *p)
{
	uint8_t byte = p->queue[p->head % I8042_QUEUE];

	p->head = (p->head + 1) % I8042_QUEUE;
	if (p->count)
		p->count--;
	p->last = byte;
	return byte;
}

static void ps2_answer(struct i8042_peer *p, const uint8_t *bytes, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		ps2_put(p, bytes[i]);
}

static void ps2_drop(struct i8042_peer *p)
{
	p->head = p->count = 0;
}

static void keyboard_defaults(struct i8042_peer *p)
{
	p->set = 2;
	p->rate = 0x2b;
}

void ps2_keyboard_reset(struct i8042_peer *p)
{
	memset(p, 0, sizeof(*p));
	keyboard_defaults(p);
	p->enabled = 1;
}

static void keyboard_param(struct i8042_peer *p, uint8_t command, uint8_t v)
{
	ps2_put(p, PS2_ACK);
	if (command == KBD_LEDS)
		p->leds = v & 7;
	else if (command == PS2_RATE)
		p->rate = v & 0x7f;
	else if (v == 0)
		ps2_put(p, p->set);
	else if (v <= 3)
		p->set = v;
}

void ps2_keyboard_command(struct i8042_peer *p, uint8_t byte)
{
	static const uint8_t reset[] = {PS2_ACK, PS2_SELF_TEST_OK}, id[] = {PS2_ACK, 0xab, 0x83};
	uint8_t param = p->param;

	p->param = 0;
	if (param && byte < 0x80) {
		keyboard_param(p, param, byte);
		return;
	}
	switch (byte) {
	case KBD_LEDS:
	case KBD_SET:
	case PS2_RATE:
		p->param = byte;
		ps2_put(p, PS2_ACK);
		break;
	case KBD_ECHO:
		ps2_put(p, KBD_ECHO);
		break;
	case PS2_ID:
		ps2_answer(p, id, sizeof(id));
		break;
	case PS2_ENABLE:
		ps2_drop(p);
		p->enabled = 1;
		ps2_put(p, PS2_ACK);
		break;
	case PS2_DISABLE:
	case PS2_DEFAULTS:
		ps2_drop(p);
		keyboard_defaults(p);
		p->enabled = byte == PS2_DEFAULTS;
		ps2_put(p, PS2_ACK);
		break;
	case PS2_REPEAT_LAST:
		ps2_put(p, p->last);
		break;
	case PS2_RESET:
		ps2_keyboard_reset(p);
		ps2_answer(p, reset, sizeof(reset));
		break;
	default:
		ps2_put(p, PS2_RESEND);
	}
}

static void mouse_defaults(struct i8042_peer *p)
{
	p->rate = 100;
	p->resolution = 2;
	p->scaling = p->remote = p->enabled = 0;
}

void ps2_mouse_reset(struct i8042_peer *p)
{
	memset(p, 0, sizeof(*p));
	mouse_defaults(p);
}

static void mouse_status(struct i8042_peer *p)
{
	ps2_put(p, PS2_ACK);
	ps2_put(p, (uint8_t)(p->remote << 6 | p->enabled << 5 | p->scaling << 4 |
			     (p->buttons & 1) << 2 | (p->buttons & 2) >> 1));
	ps2_put(p, p->resolution);
	ps2_put(p, p->rate);
}

/* Commands that only set something and are acknowledged; false: not one of them. */
static bool mouse_simple(struct i8042_peer *p, uint8_t byte)
{
	switch (byte) {
	case MOUSE_SCALE_1:
	case MOUSE_SCALE_2:
		p->scaling = byte == MOUSE_SCALE_2;
		break;
	case MOUSE_STREAM:
	case MOUSE_REMOTE:
		p->remote = byte == MOUSE_REMOTE;
		break;
	case PS2_ENABLE:
	case PS2_DISABLE:
		p->enabled = byte == PS2_ENABLE;
		break;
	case PS2_DEFAULTS:
		mouse_defaults(p);
		break;
	case PS2_RATE:
	case MOUSE_RESOLUTION:
		p->param = byte;
		break;
	default:
		return false;
	}
	ps2_put(p, PS2_ACK);
	return true;
}

void ps2_mouse_command(struct i8042_peer *p, uint8_t byte)
{
	static const uint8_t reset[] = {PS2_ACK, PS2_SELF_TEST_OK, 0}, id[] = {PS2_ACK, 0};
	static const uint8_t still[] = {PS2_ACK, 0x08, 0, 0};
	uint8_t param = p->param;

	p->param = 0;
	if (param && byte < 0xe6) {
		ps2_put(p, PS2_ACK);
		if (param == PS2_RATE)
			p->rate = byte;
		else
			p->resolution = byte & 3;
		return;
	}
	if (byte != PS2_REPEAT_LAST)
		ps2_drop(p);
	if (mouse_simple(p, byte))
		return;
	switch (byte) {
	case MOUSE_STATUS:
		mouse_status(p);
		break;
	case MOUSE_READ:
		ps2_answer(p, still, sizeof(still));
		break;
	case PS2_ID:
		ps2_answer(p, id, sizeof(id));
		break;
	case PS2_REPEAT_LAST:
		ps2_put(p, p->last);
		break;
	case PS2_RESET:
		ps2_mouse_reset(p);
		ps2_answer(p, reset, sizeof(reset));
		break;
	default:
		ps2_put(p, PS2_RESEND);
	}
}

uint8_t ps2_translate(uint8_t code)
{
	/* clang-format off */
	static const uint8_t set1[0x80] = {
		0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
		0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
		0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
		0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,
		0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,
		0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,
		0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,
		0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
	};
	/* clang-format on */

	if (code < 0x80)
		return set1[code];
	return code == 0x83 ? 0x41 : code == 0x84 ? 0x54 : code;
}
