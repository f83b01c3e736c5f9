/* What the controller (i8042.c) and the devices on its serial lines (ps2.c) share. */
#ifndef DEVICE_I8042_PARTS_H
#define DEVICE_I8042_PARTS_H

#include "device/i8042.h"

/* Append a byte a peer sends; a full queue drops it. */
bool ps2_put(struct i8042_peer *p, uint8_t byte);
bool ps2_room(const struct i8042_peer *p, unsigned bytes);
/* The next byte a peer has sent; only if count is not 0. */
uint8_t ps2_take(struct i8042_peer *p);
/* A byte sent to the keyboard or the mouse: it queues its answer. */
void ps2_keyboard_command(struct i8042_peer *p, uint8_t byte);
void ps2_mouse_command(struct i8042_peer *p, uint8_t byte);
void ps2_keyboard_reset(struct i8042_peer *p);
void ps2_mouse_reset(struct i8042_peer *p);
/* Scan code set 2 to set 1, as the controller translates. */
uint8_t ps2_translate(uint8_t code);

#endif
