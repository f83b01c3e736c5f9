/* 8042: probing as systems do it, keys with and without translation, the mouse, A20 and reset. */
#include "test.h"

#include "device/i8042.h"
#include "fake.h"

struct board {
	struct fake f;
	struct i8042 k;
	int a20;
};

static void on_reset(void *opaque)
{
	((struct board *)opaque)->f.calls++;
}

static void on_a20(void *opaque, int enabled)
{
	((struct board *)opaque)->a20 = enabled;
}

static const struct i8042_ops ops = {on_reset, on_a20};

static void setup(struct board *b)
{
	memset(b, 0, sizeof(*b));
	fake_init(&b->f);
	i8042_init(&b->k, fake_line(&b->f, 1), fake_line(&b->f, 12), &ops, b);
}

static void command(struct board *b, uint8_t v)
{
	i8042_command_io_ops.write(&b->k, 0, v, 1);
}

static void data(struct board *b, uint8_t v)
{
	i8042_data_io_ops.write(&b->k, 0, v, 1);
}

static uint8_t status(struct board *b)
{
	return (uint8_t)i8042_command_io_ops.read(&b->k, 0, 1);
}

static void expect(struct board *b, const char *hex, size_t n, unsigned aux)
{
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(status(b) & 0x21, 1 | aux);
		assert_int_equal(i8042_data_io_ops.read(&b->k, 0, 1), (uint8_t)hex[i]);
	}
	assert_int_equal(status(b) & 1, 0);
}

static void controller(void **state)
{
	struct board b;

	(void)state;
	setup(&b);
	assert_int_equal(status(&b), 0x14);
	command(&b, 0xaa);
	expect(&b, "\x55", 1, 0);
	command(&b, 0xab);
	expect(&b, "\x00", 1, 0);
	command(&b, 0xa9);
	expect(&b, "\x00", 1, 0);
	command(&b, 0x60);
	assert_int_equal(status(&b) & 8, 8);
	data(&b, 0x47);
	assert_int_equal(status(&b) & 8, 0);
	command(&b, 0x20);
	expect(&b, "\x47", 1, 0);
	command(&b, 0xa7);
	command(&b, 0xad);
	command(&b, 0x20);
	expect(&b, "\x77", 1, 0);
	command(&b, 0xa8);
	command(&b, 0xae);
	command(&b, 0x20);
	expect(&b, "\x47", 1, 0);
	command(&b, 0x65);
	data(&b, 0x99);
	command(&b, 0x25);
	expect(&b, "\x99", 1, 0);
	command(&b, 0xd3); /* loop back as the mouse: how its IRQ is probed */
	data(&b, 0x5a);
	assert_int_equal(b.f.level[12], 1);
	expect(&b, "\x5a", 1, 0x20);
	assert_int_equal(b.f.level[12], 0);
}

static void keyboard(void **state)
{
	struct board b;

	(void)state;
	setup(&b);
	command(&b, 0x60);
	data(&b, 0x01); /* no translation */
	data(&b, 0xff);
	assert_int_equal(b.f.level[1], 1);
	expect(&b, "\xfa\xaa", 2, 0);
	data(&b, 0xf2);
	expect(&b, "\xfa\xab\x83", 3, 0);
	data(&b, 0xed);
	data(&b, 0x07);
	expect(&b, "\xfa\xfa", 2, 0);
	assert_int_equal(b.k.kbd.leds, 7);
	data(&b, 0xf0);
	data(&b, 0x00);
	expect(&b, "\xfa\xfa\x02", 3, 0);
	data(&b, 0xee);
	expect(&b, "\xee", 1, 0);
	data(&b, 0x42);
	expect(&b, "\xfe", 1, 0);
	assert_true(i8042_key(&b.k, 0x1c));
	assert_true(i8042_key(&b.k, 0xf0));
	assert_true(i8042_key(&b.k, 0x1c));
	expect(&b, "\x1c\xf0\x1c", 3, 0);
	data(&b, 0xf5);
	expect(&b, "\xfa", 1, 0);
	assert_false(i8042_key(&b.k, 0x1c));
	data(&b, 0xf4);
	expect(&b, "\xfa", 1, 0);
	/* translated: A down, A up, keypad enter up */
	command(&b, 0x60);
	data(&b, 0x41);
	i8042_key(&b.k, 0x1c);
	i8042_key(&b.k, 0xf0);
	i8042_key(&b.k, 0x1c);
	i8042_key(&b.k, 0xe0);
	i8042_key(&b.k, 0xf0);
	i8042_key(&b.k, 0x5a);
	expect(&b, "\x1e\x9e\xe0\x9c", 4, 0);
	/* interface off: kept until it is on again */
	command(&b, 0xad);
	i8042_key(&b.k, 0x1c);
	assert_int_equal(status(&b) & 1, 0);
	command(&b, 0xae);
	expect(&b, "\x1e", 1, 0);
	for (unsigned i = 0; i < 100; i++)
		i8042_key(&b.k, 0x1c);
	assert_int_equal(b.k.kbd.count, I8042_QUEUE - 3);
}

static void mouse(void **state)
{
	struct board b;

	(void)state;
	setup(&b);
	command(&b, 0x60);
	data(&b, 0x03);
	command(&b, 0xd4);
	data(&b, 0xff);
	assert_int_equal(b.f.level[12], 1);
	expect(&b, "\xfa\xaa\x00", 3, 0x20);
	command(&b, 0xd4);
	data(&b, 0xf2);
	expect(&b, "\xfa\x00", 2, 0x20);
	assert_false(i8042_mouse_move(&b.k, 1, 1, 0));
	command(&b, 0xd4);
	data(&b, 0xf3);
	command(&b, 0xd4);
	data(&b, 40);
	expect(&b, "\xfa\xfa", 2, 0x20);
	command(&b, 0xd4);
	data(&b, 0xf4);
	expect(&b, "\xfa", 1, 0x20);
	command(&b, 0xd4);
	data(&b, 0xe9);
	expect(&b, "\xfa\x20\x02\x28", 4, 0x20);
	assert_true(i8042_mouse_move(&b.k, 5, -3, 1));
	expect(&b, "\x29\x05\xfd", 3, 0x20);
}

static void a20_and_reset(void **state)
{
	struct board b;

	(void)state;
	setup(&b);
	assert_int_equal(b.a20, 1);
	command(&b, 0xd1);
	data(&b, 0xdd);
	assert_int_equal(b.a20, 0);
	i8042_port92_io_ops.write(&b.k, 0, 2, 1);
	assert_int_equal(b.a20, 1);
	assert_int_equal(i8042_port92_io_ops.read(&b.k, 0, 1), 2);
	i8042_port92_io_ops.write(&b.k, 0, 0, 1);
	assert_int_equal(b.a20, 0);
	command(&b, 0xd1);
	data(&b, 0xdf);
	assert_int_equal(b.a20, 1);
	command(&b, 0xd0);
	expect(&b, "\xcf", 1, 0);
	assert_int_equal(b.f.calls, 0);
	command(&b, 0xff);
	assert_int_equal(b.f.calls, 0);
	command(&b, 0xfe);
	assert_int_equal(b.f.calls, 1);
	i8042_port92_io_ops.write(&b.k, 0, 1, 1);
	assert_int_equal(b.f.calls, 2);
	command(&b, 0xd1);
	data(&b, 0xde);
	assert_int_equal(b.f.calls, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(controller),
		cmocka_unit_test(keyboard),
		cmocka_unit_test(mouse),
		cmocka_unit_test(a20_and_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
