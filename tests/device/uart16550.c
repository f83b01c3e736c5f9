/* 16550A: output, FIFOs, interrupt priorities, timeout, loopback, modem lines. */
#include "test.h"

#include "device/uart16550.h"
#include "fake.h"

struct board {
	struct fake f;
	struct uart u;
};

static void setup(struct board *b)
{
	memset(b, 0, sizeof(*b));
	fake_init(&b->f);
	uart_init(&b->u, fake_line(&b->f, 4), &b->f.clock, &b->f.timerq, fake_sink(&b->f));
}

static void out(struct board *b, unsigned reg, uint8_t v)
{
	uart_io_ops.write(&b->u, reg, v, 1);
}

static uint8_t in(struct board *b, unsigned reg)
{
	return (uint8_t)uart_io_ops.read(&b->u, reg, 1);
}

static void output_and_thre(void **state)
{
	struct board b;
	unsigned rises;

	(void)state;
	setup(&b);
	assert_int_equal(in(&b, 5), 0x60);
	assert_int_equal(in(&b, 2), 0x01);
	out(&b, 0, 'h');
	out(&b, 0, 'i');
	assert_int_equal(b.f.byte_count, 2);
	assert_memory_equal(b.f.bytes, "hi", 2);
	out(&b, 4, 0x08); /* OUT2 */
	assert_int_equal(b.f.level[4], 0);
	out(&b, 1, 2);
	assert_int_equal(b.f.level[4], 1); /* empty as it is enabled */
	assert_int_equal(in(&b, 2), 0x02);
	assert_int_equal(b.f.level[4], 0);
	assert_int_equal(in(&b, 2), 0x01);
	rises = b.f.rises[4];
	out(&b, 0, '!');
	out(&b, 0, '!');
	assert_int_equal(b.f.rises[4], rises + 2);
	out(&b, 4, 0); /* OUT2 off: cut from the bus */
	assert_int_equal(b.f.level[4], 0);
	out(&b, 3, 0x83);
	out(&b, 0, 0x34);
	out(&b, 1, 0x12);
	assert_int_equal(in(&b, 0), 0x34);
	assert_int_equal(in(&b, 1), 0x12);
	out(&b, 3, 0x03);
	assert_int_equal(in(&b, 1), 2);
	out(&b, 7, 0x5a);
	assert_int_equal(in(&b, 7), 0x5a);
}

static void input_fifo(void **state)
{
	static const uint8_t text[] = "0123456789abcdefXYZ";
	struct board b;

	(void)state;
	setup(&b);
	assert_int_equal(uart_input(&b.u, text, 5), 1); /* no FIFO yet */
	assert_int_equal(in(&b, 0), '0');
	out(&b, 3, 0x03);
	out(&b, 2, 0x81); /* FIFOs, trigger 8 */
	out(&b, 4, 0x08);
	out(&b, 1, 1);
	assert_int_equal(uart_input(&b.u, text, 7), 7);
	assert_int_equal(b.f.level[4], 0);
	assert_int_equal(in(&b, 5), 0x61);
	/* 4 characters of 10 bits at 9600 baud: 4.17 ms */
	fake_advance(&b.f, 3700000);
	assert_int_equal(b.f.level[4], 0);
	fake_advance(&b.f, 1000000);
	assert_int_equal(in(&b, 2), 0xcc);
	assert_int_equal(b.f.level[4], 1);
	assert_int_equal(in(&b, 0), '0');
	assert_int_equal(b.f.level[4], 0);
	assert_int_equal(uart_input(&b.u, text + 7, 12), 10);
	assert_int_equal(in(&b, 2), 0xc4);
	assert_int_equal(uart_input(&b.u, text, 1), 0);
	for (unsigned i = 1; i < 17; i++)
		assert_int_equal(in(&b, 0), text[i]);
	assert_int_equal(in(&b, 5), 0x60);
	assert_int_equal(in(&b, 2), 0xc1);
	assert_true(timerq_next(&b.f.timerq) == TIMER_NEVER);
	uart_input(&b.u, text, 3);
	out(&b, 2, 0x83); /* clear receiver */
	assert_int_equal(in(&b, 5), 0x60);
}

static void refill(void *opaque)
{
	struct board *b = opaque;

	if (b->f.value++ < 3)
		uart_input(&b->u, (const uint8_t *)"x", 1);
}

static void asks_for_input(void **state)
{
	struct board b;

	(void)state;
	setup(&b);
	b.u.input_wanted = refill;
	b.u.input_opaque = &b;
	uart_input(&b.u, (const uint8_t *)"a", 1);
	assert_int_equal(in(&b, 0), 'a');
	assert_int_equal(in(&b, 0), 'x');
	assert_int_equal(in(&b, 5) & 1, 1);
}

static void loopback(void **state)
{
	struct board b;

	(void)state;
	setup(&b);
	assert_int_equal(in(&b, 6), 0xb0);
	out(&b, 4, 0x10); /* loop, all outputs off */
	assert_int_equal(in(&b, 6), 0x0b);
	assert_int_equal(in(&b, 6), 0);
	out(&b, 4, 0x1a); /* RTS, OUT2 */
	assert_int_equal(in(&b, 6), 0x99);
	out(&b, 4, 0x14); /* OUT1: ring begins; no RI delta */
	assert_int_equal(in(&b, 6), 0x49);
	out(&b, 4, 0x10);
	assert_int_equal(in(&b, 6), 0x04);
	out(&b, 0, 0xa5);
	assert_int_equal(b.f.byte_count, 0);
	assert_int_equal(in(&b, 5), 0x61);
	out(&b, 1, 0x0d);
	out(&b, 0, 0xa6); /* overrun */
	assert_int_equal(in(&b, 2), 0x06);
	assert_int_equal(in(&b, 5), 0x63);
	assert_int_equal(in(&b, 2), 0x04);
	assert_int_equal(in(&b, 0), 0xa5);
	out(&b, 4, 0x11);
	assert_int_equal(in(&b, 2), 0x00); /* modem status */
	in(&b, 6);
	assert_int_equal(in(&b, 2), 0x01);
	assert_int_equal(uart_input(&b.u, (const uint8_t *)"a", 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(output_and_thre),
		cmocka_unit_test(input_fifo),
		cmocka_unit_test(asks_for_input),
		cmocka_unit_test(loopback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
