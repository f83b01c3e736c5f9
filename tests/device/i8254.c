/* 8254: counts, outputs, latches and channel 0's interrupt in the modes systems use. */
#include "test.h"

#include "device/i8254.h"
#include "fake.h"

struct board {
	struct fake f;
	struct i8254 p;
};

static void setup(struct board *b)
{
	memset(b, 0, sizeof(*b));
	fake_init(&b->f);
	i8254_init(&b->p, fake_line(&b->f, 0), &b->f.clock, &b->f.timerq);
}

static void out(struct board *b, unsigned port, uint8_t v)
{
	i8254_io_ops.write(&b->p, port, v, 1);
}

static uint8_t in(struct board *b, unsigned port)
{
	return (uint8_t)i8254_io_ops.read(&b->p, port, 1);
}

static unsigned in16(struct board *b, unsigned port)
{
	unsigned low = in(b, port);

	return low | (unsigned)in(b, port) << 8;
}

static void to_tick(struct board *b, uint64_t tick)
{
	uint64_t ns = clock_ticks_to_ns(tick, I8254_HZ);

	fake_advance(&b->f, ns - b->f.now);
}

static void rate_generator(void **state)
{
	struct board b;

	(void)state;
	setup(&b);
	out(&b, 3, 0x34);
	assert_int_equal(b.f.level[0], 1);
	out(&b, 0, 0x9c);
	out(&b, 0, 0x2e); /* 11932: 100 Hz; the period starts at tick 1 */
	to_tick(&b, 11932);
	assert_int_equal(b.f.rises[0], 1); /* high since the control word */
	assert_int_equal(in16(&b, 0), 1);
	to_tick(&b, 11933);
	assert_int_equal(b.f.rises[0], 2);
	assert_int_equal(in16(&b, 0), 11932);
	to_tick(&b, 11933 + 11932 * 9);
	assert_int_equal(b.f.rises[0], 11);
	/* a new count begins after the present period */
	out(&b, 0, 100);
	out(&b, 0, 0);
	to_tick(&b, 11933 + 11932 * 10);
	assert_int_equal(b.f.rises[0], 12);
	assert_int_equal(in16(&b, 0), 100);
	to_tick(&b, 11933 + 11932 * 10 + 1000);
	assert_int_equal(b.f.rises[0], 22);
}

static void square_wave(void **state)
{
	struct board b;

	(void)state;
	setup(&b);
	out(&b, 3, 0x36);
	out(&b, 0, 5);
	out(&b, 0, 0);
	to_tick(&b, 1 + 2);
	assert_int_equal(b.f.level[0], 1);
	to_tick(&b, 1 + 3);
	assert_int_equal(b.f.level[0], 0);
	to_tick(&b, 1 + 5);
	assert_int_equal(b.f.level[0], 1);
	to_tick(&b, 1 + 500);
	assert_int_equal(b.f.rises[0], 1 + 100);
	out(&b, 3, 0x36);
	out(&b, 0, 0);
	out(&b, 0, 0); /* 65536 */
	to_tick(&b, 502 + 100);
	assert_int_equal(in16(&b, 0), 65536 - 200);
}

static void one_shot(void **state)
{
	struct board b;

	(void)state;
	setup(&b);
	out(&b, 3, 0x30);
	assert_int_equal(b.f.level[0], 0);
	out(&b, 0, 0xe8);
	out(&b, 0, 0x03);
	to_tick(&b, 1000);
	assert_int_equal(b.f.level[0], 0);
	to_tick(&b, 1001);
	assert_int_equal(b.f.level[0], 1);
	to_tick(&b, 1011);
	assert_int_equal(in16(&b, 0), 0xfff6); /* goes on below zero */
	assert_true(timerq_next(&b.f.timerq) == TIMER_NEVER);
	out(&b, 0, 1); /* first byte: stops, output low */
	assert_int_equal(b.f.level[0], 0);
	out(&b, 3, 0x38); /* strobe */
	assert_int_equal(b.f.level[0], 1);
	out(&b, 0, 10);
	out(&b, 0, 0);
	to_tick(&b, 1100);
	assert_int_equal(b.f.rises[0], 4);
}

static void latch_and_read_back(void **state)
{
	struct board b;

	(void)state;
	setup(&b);
	out(&b, 3, 0x34);
	out(&b, 3, 0xe2);		   /* read back: status of channel 0 */
	assert_int_equal(in(&b, 0), 0xf4); /* out high, null count, both bytes, mode 2 */
	out(&b, 0, 0);
	out(&b, 0, 0x10);
	to_tick(&b, 1 + 0x123);
	out(&b, 3, 0x00);
	to_tick(&b, 1 + 0x200);
	out(&b, 3, 0x00); /* already latched: kept */
	assert_int_equal(in16(&b, 0), 0x1000 - 0x123);
	assert_int_equal(in16(&b, 0), 0x1000 - 0x200);
	out(&b, 3, 0xc2); /* status and count: status first */
	assert_int_equal(in(&b, 0), 0xb4);
	assert_int_equal(in16(&b, 0), 0x1000 - 0x200);
	/* BCD */
	out(&b, 3, 0x35);
	out(&b, 0, 0x00);
	out(&b, 0, 0x10);
	to_tick(&b, 514 + 1);
	assert_int_equal(in16(&b, 0), 0x0999);
}

static void speaker_port(void **state)
{
	struct board b;
	unsigned toggles = 0, last = 0;

	(void)state;
	setup(&b);
	/* how systems calibrate: channel 2, mode 0, gate, wait for bit 5 */
	i8254_port61_io_ops.write(&b.p, 0, 0x01, 1);
	out(&b, 3, 0xb0);
	out(&b, 2, 0xff);
	out(&b, 2, 0x00);
	assert_int_equal(i8254_port61_io_ops.read(&b.p, 0, 1) & 0x2f, 1);
	to_tick(&b, 100);
	i8254_port61_io_ops.write(&b.p, 0, 0x02, 1); /* gate low: the count waits */
	to_tick(&b, 300);
	assert_int_equal(in16(&b, 2), 255 - 99);
	i8254_port61_io_ops.write(&b.p, 0, 0x01, 1);
	to_tick(&b, 300 + 155);
	assert_int_equal(i8254_port61_io_ops.read(&b.p, 0, 1) & 0x20, 0);
	to_tick(&b, 300 + 156);
	assert_int_equal(i8254_port61_io_ops.read(&b.p, 0, 1) & 0x20, 0x20);
	for (unsigned i = 0; i < 100; i++) {
		unsigned now = i8254_port61_io_ops.read(&b.p, 0, 1) & 0x10;
		toggles += now != last;
		last = now;
		fake_advance(&b.f, 15086);
	}
	assert_in_range(toggles, 98, 100);
	/* mode 1: the gate's rise triggers */
	i8254_port61_io_ops.write(&b.p, 0, 0x00, 1);
	out(&b, 3, 0xb2);
	out(&b, 2, 50);
	out(&b, 2, 0);
	assert_int_equal(i8254_port61_io_ops.read(&b.p, 0, 1) & 0x20, 0x20);
	i8254_port61_io_ops.write(&b.p, 0, 0x01, 1);
	assert_int_equal(i8254_port61_io_ops.read(&b.p, 0, 1) & 0x20, 0);
	fake_advance(&b.f, 1000000);
	assert_int_equal(i8254_port61_io_ops.read(&b.p, 0, 1) & 0x20, 0x20);
}

static void late_timers_lose_no_edge(void **state)
{
	struct board b;

	(void)state;
	setup(&b);
	out(&b, 3, 0x34);
	out(&b, 0, 100);
	out(&b, 0, 0);
	b.f.now = clock_ticks_to_ns(1051, I8254_HZ);
	in(&b, 0); /* sees the time before the timer ran */
	assert_int_equal(b.f.rises[0], 2);
	timerq_run(&b.f.timerq, b.f.now);
	assert_int_equal(b.f.rises[0], 2);
	to_tick(&b, 1101);
	assert_int_equal(b.f.rises[0], 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rate_generator), cmocka_unit_test(square_wave),
		cmocka_unit_test(one_shot),	  cmocka_unit_test(latch_and_read_back),
		cmocka_unit_test(speaker_port),	  cmocka_unit_test(late_timers_lose_no_edge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
