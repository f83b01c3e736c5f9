/* ACPI fixed hardware: PM timer, events, S5, SMI commands; and the reset register. */
#include "test.h"

#include "device/acpi_pm.h"
#include "device/reset_port.h"
#include "fake.h"

struct board {
	struct fake f;
	struct acpi_pm pm;
};

static void setup(struct board *b)
{
	memset(b, 0, sizeof(*b));
	fake_init(&b->f);
	acpi_pm_init(&b->pm, fake_line(&b->f, 9), &b->f.clock, &b->f.timerq, fake_call, &b->f);
}

static void out(struct board *b, unsigned port, uint32_t v, unsigned bytes)
{
	acpi_pm_io_ops.write(&b->pm, port, v, bytes);
}

static uint32_t in(struct board *b, unsigned port, unsigned bytes)
{
	return (uint32_t)acpi_pm_io_ops.read(&b->pm, port, bytes);
}

static void timer(void **state)
{
	struct board b;

	(void)state;
	setup(&b);
	acpi_pm_enable(&b.pm);
	fake_advance(&b.f, 1000000000);
	assert_int_equal(in(&b, 8, 4), 3579545);
	out(&b, 2, 1, 2);		/* TMR_EN */
	fake_advance(&b.f, 1343000000); /* bit 23 changes at 2.343 s */
	assert_int_equal(b.f.level[9], 0);
	fake_advance(&b.f, 1000000);
	assert_int_equal(b.f.level[9], 1);
	assert_int_equal(in(&b, 0, 2), 1);
	out(&b, 0, 1, 2);
	assert_int_equal(b.f.level[9], 0);
	assert_int_equal(in(&b, 0, 2), 0);
	fake_advance(&b.f, 2400000000ull);
	assert_int_equal(in(&b, 8, 4) >> 24, 0);
	assert_int_equal(in(&b, 0, 2), 1);
	b.pm.timer_32bit = true;
	assert_int_equal(in(&b, 8, 4), clock_ns_to_ticks(b.f.now, 3579545));
}

static void events(void **state)
{
	struct board b;

	(void)state;
	setup(&b);
	acpi_pm_power_button(&b.pm);
	out(&b, 3, 1, 1); /* PWRBTN_EN by its byte */
	assert_int_equal(b.f.level[9], 0);
	acpi_smi_io_ops.write(&b.pm, 0, ACPI_SMI_ENABLE, 1);
	assert_int_equal(in(&b, 4, 2), 1);
	assert_int_equal(b.f.level[9], 1);
	out(&b, 0, 0x100, 2);
	assert_int_equal(b.f.level[9], 0);
	acpi_pm_gpe(&b.pm, 3);
	assert_int_equal(b.f.level[9], 0);
	out(&b, 14, 8, 2);
	assert_int_equal(b.f.level[9], 1);
	assert_int_equal(in(&b, 12, 4), 0x00080008);
	out(&b, 12, 0xffff, 2);
	assert_int_equal(b.f.level[9], 0);
	acpi_smi_io_ops.write(&b.pm, 0, ACPI_SMI_DISABLE, 1);
	assert_int_equal(in(&b, 4, 2), 0);
}

static void soft_off(void **state)
{
	struct board b;

	(void)state;
	setup(&b);
	out(&b, 4, 5 << 10, 2);		  /* type only */
	out(&b, 4, 1 << 13 | 3 << 10, 2); /* another state */
	assert_int_equal(b.f.calls, 0);
	out(&b, 4, 1 << 13 | 5 << 10, 2);
	assert_int_equal(b.f.calls, 1);
	assert_int_equal(in(&b, 4, 2), 5 << 10); /* SLP_EN reads 0 */
	out(&b, 5, 0x34, 1);
	assert_int_equal(b.f.calls, 2);
}

static void reset_register(void **state)
{
	struct fake f;
	struct reset_port r;

	(void)state;
	fake_init(&f);
	reset_port_init(&r, fake_call, &f);
	reset_port_io_ops.write(&r, 0, 2, 1);
	assert_int_equal(f.calls, 0);
	assert_int_equal(reset_port_io_ops.read(&r, 0, 1), 2);
	reset_port_io_ops.write(&r, 0, 6, 1);
	reset_port_io_ops.write(&r, 0, 6, 1);
	assert_int_equal(f.calls, 1);
	reset_port_reset(&r);
	reset_port_io_ops.write(&r, 0, 0xff, 1);
	assert_int_equal(f.calls, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timer),
		cmocka_unit_test(events),
		cmocka_unit_test(soft_off),
		cmocka_unit_test(reset_register),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
