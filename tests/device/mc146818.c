/* Real-time clock: calendar, formats, setting, update and alarm and periodic interrupts. */
#include "test.h"

#include "device/mc146818.h"
#include "fake.h"

#define S 1000000000ull

struct board {
	struct fake f;
	struct mc146818 r;
};

static uint8_t in(struct board *b, unsigned i)
{
	mc146818_io_ops.write(&b->r, 0, i, 1);
	return (uint8_t)mc146818_io_ops.read(&b->r, 1, 1);
}

static void out(struct board *b, unsigned i, uint8_t v)
{
	mc146818_io_ops.write(&b->r, 0, i | 0x80, 1);
	mc146818_io_ops.write(&b->r, 1, v, 1);
}

static void setup(struct board *b, uint64_t epoch_s)
{
	memset(b, 0, sizeof(*b));
	fake_init(&b->f);
	b->f.clock.epoch_wall_ns = epoch_s * S;
	mc146818_init(&b->r, fake_line(&b->f, 8), &b->f.clock, &b->f.timerq);
}

static void check_date(struct board *b, unsigned century, unsigned year, unsigned month,
		       unsigned day, unsigned hour, unsigned minute, unsigned second)
{
	assert_int_equal(in(b, MC146818_CENTURY), century);
	assert_int_equal(in(b, MC146818_YEAR), year);
	assert_int_equal(in(b, MC146818_MONTH), month);
	assert_int_equal(in(b, MC146818_DAY), day);
	assert_int_equal(in(b, MC146818_HOURS), hour);
	assert_int_equal(in(b, MC146818_MINUTES), minute);
	assert_int_equal(in(b, MC146818_SECONDS), second);
}

static void calendar(void **state)
{
	struct board b;

	(void)state;
	setup(&b, 951782399); /* 2000-02-28 23:59:59, a Monday */
	check_date(&b, 0x20, 0x00, 0x02, 0x28, 0x23, 0x59, 0x59);
	assert_int_equal(in(&b, MC146818_WEEKDAY), 2);
	fake_advance(&b.f, S);
	check_date(&b, 0x20, 0x00, 0x02, 0x29, 0, 0, 0);
	fake_advance(&b.f, 86400 * S);
	check_date(&b, 0x20, 0x00, 0x03, 0x01, 0, 0, 0);
	fake_advance(&b.f, (306ull * 86400 - 1) * S);
	check_date(&b, 0x20, 0x00, 0x12, 0x31, 0x23, 0x59, 0x59);
	/* binary, 12 hours */
	out(&b, MC146818_B, 0x04);
	check_date(&b, 20, 0, 12, 31, 0x80 | 11, 59, 59);
	fake_advance(&b.f, S);
	check_date(&b, 20, 1, 1, 1, 12, 0, 0);
	assert_int_equal(in(&b, MC146818_D), 0x80);
	assert_int_equal(in(&b, MC146818_A), 0x26);
	b.f.now += S - 1000;
	assert_int_equal(in(&b, MC146818_A), 0xa6); /* update in progress */
}

static void setting(void **state)
{
	struct board b;

	(void)state;
	setup(&b, 1000000000);
	out(&b, MC146818_B, 0x82);
	out(&b, MC146818_CENTURY, 0x19);
	out(&b, MC146818_YEAR, 0x99);
	out(&b, MC146818_MONTH, 0x12);
	out(&b, MC146818_DAY, 0x31);
	out(&b, MC146818_HOURS, 0x23);
	out(&b, MC146818_MINUTES, 0x59);
	out(&b, MC146818_SECONDS, 0x58);
	fake_advance(&b.f, 5 * S); /* stands still */
	check_date(&b, 0x19, 0x99, 0x12, 0x31, 0x23, 0x59, 0x58);
	out(&b, MC146818_B, 0x02);
	check_date(&b, 0x19, 0x99, 0x12, 0x31, 0x23, 0x59, 0x58);
	fake_advance(&b.f, 2 * S);
	check_date(&b, 0x20, 0x00, 0x01, 0x01, 0, 0, 0);
	mc146818_reset(&b.r);
	check_date(&b, 0x20, 0x00, 0x01, 0x01, 0, 0, 0);
	/* nonsense does no harm */
	for (unsigned i = 0; i < 128; i++)
		out(&b, i, 0xff);
	for (unsigned i = 0; i < 128; i++)
		in(&b, i);
	fake_advance(&b.f, 10 * S);
}

static void update_and_alarm(void **state)
{
	struct board b;

	(void)state;
	setup(&b, 86400 * 365 + 50);
	b.f.now = S / 2;
	in(&b, MC146818_C);
	out(&b, MC146818_B, 0x12); /* update-ended */
	fake_advance(&b.f, S / 2 - 1);
	assert_int_equal(b.f.level[8], 0);
	fake_advance(&b.f, 1);
	assert_int_equal(b.f.level[8], 1);
	assert_int_equal(in(&b, MC146818_C) & 0xb0, 0x90);
	assert_int_equal(b.f.level[8], 0);
	assert_int_equal(in(&b, MC146818_C), 0);
	/* alarm at xx:xx:05 */
	out(&b, MC146818_HOURS_ALARM, 0xff);
	out(&b, MC146818_MINUTES_ALARM, 0xc0);
	out(&b, MC146818_SECONDS_ALARM, 0x05);
	out(&b, MC146818_B, 0x22);
	fake_advance(&b.f, 13 * S);
	assert_int_equal(b.f.level[8], 0);
	fake_advance(&b.f, S);
	assert_int_equal(b.f.level[8], 1);
	assert_int_equal(in(&b, MC146818_C) & 0xb0, 0xb0);
	/* once a day at 01:00:00 */
	out(&b, MC146818_HOURS_ALARM, 0x01);
	out(&b, MC146818_MINUTES_ALARM, 0);
	out(&b, MC146818_SECONDS_ALARM, 0);
	assert_int_equal(timerq_next(&b.f.timerq), (3600 - 50) * S);
}

static void periodic(void **state)
{
	struct board b;
	unsigned n = 0;

	(void)state;
	setup(&b, 0);
	out(&b, MC146818_A, 0x26); /* 1024 Hz */
	out(&b, MC146818_B, 0x42);
	in(&b, MC146818_C);
	while (b.f.now < S) {
		uint64_t next = timerq_next(&b.f.timerq);
		assert_true(next != TIMER_NEVER);
		fake_advance(&b.f, next - b.f.now);
		assert_int_equal(b.f.level[8], 1);
		assert_int_equal(in(&b, MC146818_C) & 0xc0, 0xc0);
		n++;
	}
	assert_int_equal(n, 1024);
	/* not read: no further interrupt, no timer */
	fake_advance(&b.f, S);
	assert_true(timerq_next(&b.f.timerq) == TIMER_NEVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calendar),
		cmocka_unit_test(setting),
		cmocka_unit_test(update_and_alarm),
		cmocka_unit_test(periodic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
