/* HPET: counter, one-shot and periodic comparators, edge and level, 32-bit wrap, legacy routing. */
#include "test.h"

#include "device/hpet.h"
#include "fake.h"

struct board {
	struct fake f, legacy;
	struct hpet h;
};

static void setup(struct board *b)
{
	memset(b, 0, sizeof(*b));
	fake_init(&b->f);
	fake_init(&b->legacy);
	hpet_init(&b->h, fake_line(&b->f, 0), fake_line(&b->legacy, 0), fake_line(&b->legacy, 8),
		  &b->f.clock, &b->f.timerq);
}

static void out(struct board *b, unsigned reg, uint64_t v, unsigned bytes)
{
	hpet_io_ops.write(&b->h, reg, v, bytes);
}

static uint64_t in(struct board *b, unsigned reg, unsigned bytes)
{
	uint64_t v = hpet_io_ops.read(&b->h, reg, bytes);

	return bytes == 8 ? v : v & 0xffffffff;
}

static void counter(void **state)
{
	struct board b;

	(void)state;
	setup(&b);
	assert_true(in(&b, 0, 8) == 0x009896808086a201);
	assert_int_equal(in(&b, 4, 4), 10000000);
	fake_advance(&b.f, 1000);
	assert_int_equal(in(&b, 0xf0, 8), 0);
	out(&b, 0x10, 1, 4);
	fake_advance(&b.f, 1000);
	assert_int_equal(in(&b, 0xf0, 8), 100);
	out(&b, 0x10, 0, 4);
	fake_advance(&b.f, 1000);
	assert_int_equal(in(&b, 0xf0, 8), 100);
	out(&b, 0xf4, 5, 4);
	assert_true(in(&b, 0xf0, 8) == 0x500000064);
	assert_int_equal(in(&b, 0xf4, 4), 5);
}

static void one_shot(void **state)
{
	struct board b;

	(void)state;
	setup(&b);
	out(&b, 0x10, 1, 8);
	out(&b, 0x140, 20 << 9 | 4, 4); /* timer 2, pin 20, edge */
	out(&b, 0x148, 50, 8);
	fake_advance(&b.f, 499);
	assert_int_equal(b.f.rises[20], 0);
	fake_advance(&b.f, 1);
	assert_int_equal(b.f.rises[20], 1);
	fake_advance(&b.f, 1000000);
	assert_int_equal(b.f.rises[20], 1);
	/* 32-bit: matches again as the counter wraps */
	out(&b, 0x140, 20 << 9 | 4 | 0x100, 4);
	out(&b, 0x148, 0x7000, 8);
	fake_advance(&b.f, 50000000000ull);
	assert_int_equal(b.f.rises[20], 2);
	/* level: until the status bit is cleared */
	out(&b, 0x140, 21 << 9 | 6, 4);
	assert_int_equal(b.f.level[20], 0);
	out(&b, 0x148, in(&b, 0xf0, 8) + 10, 8);
	fake_advance(&b.f, 100);
	assert_int_equal(b.f.level[21], 1);
	assert_int_equal(in(&b, 0x20, 4), 4);
	out(&b, 0x20, 3, 4);
	assert_int_equal(b.f.level[21], 1);
	out(&b, 0x20, 4, 4);
	assert_int_equal(b.f.level[21], 0);
	/* pin 5 cannot be routed to */
	out(&b, 0x140, 5 << 9 | 4, 4);
	out(&b, 0x148, in(&b, 0xf0, 8) + 10, 8);
	fake_advance(&b.f, 100);
	assert_int_equal(b.f.rises[5], 0);
}

static void periodic_legacy(void **state)
{
	struct board b;

	(void)state;
	setup(&b);
	assert_false(hpet_legacy_active(&b.h));
	out(&b, 0x100, 0x4c, 4); /* periodic, set value */
	out(&b, 0x108, 150, 8);
	out(&b, 0x108, 100, 8);
	out(&b, 0x10, 3, 4);
	assert_true(hpet_legacy_active(&b.h));
	fake_advance(&b.f, 1499);
	assert_int_equal(b.legacy.rises[0], 0);
	fake_advance(&b.f, 1);
	assert_int_equal(b.legacy.rises[0], 1);
	fake_advance(&b.f, 10000);
	assert_int_equal(b.legacy.rises[0], 11);
	assert_int_equal(in(&b, 0x108, 8), 1250);
	b.f.now += 100000; /* late: one interrupt, then in step again */
	timerq_run(&b.f.timerq, b.f.now);
	assert_int_equal(b.legacy.rises[0], 12);
	assert_int_equal(timerq_next(&b.f.timerq), 112500);
	/* timer 1 is IRQ 8 */
	out(&b, 0x120, 4, 4);
	out(&b, 0x128, in(&b, 0xf0, 8) + 1, 8);
	fake_advance(&b.f, 10);
	assert_int_equal(b.legacy.rises[8], 1);
	/* without interrupts nothing wakes the host, and nobody can tell */
	out(&b, 0x120, 0, 4);
	out(&b, 0x100, 0xa, 4); /* level: sets its status bit */
	assert_true(timerq_next(&b.f.timerq) == TIMER_NEVER);
	fake_advance(&b.f, 10000);
	assert_int_equal(b.legacy.rises[0], 12);
	assert_int_equal(in(&b, 0x108, 8), 12250);
	assert_int_equal(in(&b, 0x20, 4), 1);
	out(&b, 0x20, 1, 4);
	out(&b, 0x100, 0xc, 4);
	fake_advance(&b.f, 1000);
	assert_int_equal(b.legacy.rises[0], 13);
	hpet_reset(&b.h);
	assert_int_equal(b.legacy.level[0] + b.legacy.level[8], 0);
	assert_true(timerq_next(&b.f.timerq) == TIMER_NEVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counter),
		cmocka_unit_test(one_shot),
		cmocka_unit_test(periodic_legacy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
