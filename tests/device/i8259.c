/* 8259A pair: initialization, priorities, cascade, end of interrupt, special modes. */
#include "test.h"

#include "device/i8259.h"
#include "fake.h"

struct board {
	struct fake f;
	struct i8259_pair p;
};

static void out(struct board *b, unsigned chip, unsigned port, uint8_t v)
{
	i8259_io_ops.write(&b->p.chip[chip], port, v, 1);
}

static uint8_t in(struct board *b, unsigned chip, unsigned port)
{
	return (uint8_t)i8259_io_ops.read(&b->p.chip[chip], port, 1);
}

static void setup(struct board *b, uint8_t icw4)
{
	memset(b, 0, sizeof(*b));
	fake_init(&b->f);
	i8259_init(&b->p, fake_line(&b->f, 0));
	for (unsigned c = 0; c < 2; c++) {
		out(b, c, 0, 0x11);
		out(b, c, 1, c ? 0x28 : 0x20);
		out(b, c, 1, c ? 2 : 4);
		out(b, c, 1, icw4);
		out(b, c, 1, 0);
	}
}

static void priorities(void **state)
{
	struct board b;

	(void)state;
	setup(&b, 1);
	i8259_irq(&b.p, 4, 1);
	i8259_irq(&b.p, 1, 1);
	assert_int_equal(b.f.level[0], 1);
	assert_int_equal(in(&b, 0, 0), 0x12);
	assert_int_equal(i8259_ack(&b.p), 0x21);
	assert_int_equal(b.f.level[0], 0);
	out(&b, 0, 0, 0x0b);
	assert_int_equal(in(&b, 0, 0), 0x02); /* ISR */
	out(&b, 0, 0, 0x0a);
	assert_int_equal(in(&b, 0, 0), 0x10); /* IRR */
	i8259_irq(&b.p, 0, 1);		      /* higher: interrupts the other */
	assert_int_equal(i8259_ack(&b.p), 0x20);
	out(&b, 0, 0, 0x20);
	out(&b, 0, 0, 0x20);
	assert_int_equal(i8259_ack(&b.p), 0x24);
	out(&b, 0, 0, 0x64); /* specific EOI of 4 */
	assert_int_equal(b.f.level[0], 0);
	out(&b, 0, 1, 0x10);
	assert_int_equal(in(&b, 0, 1), 0x10);
	i8259_irq(&b.p, 4, 0);
	i8259_irq(&b.p, 4, 1);
	assert_int_equal(b.f.level[0], 0);
	out(&b, 0, 1, 0);
	assert_int_equal(b.f.level[0], 1);
}

static void cascade(void **state)
{
	struct board b;

	(void)state;
	setup(&b, 1);
	i8259_irq(&b.p, 8, 1);
	i8259_irq(&b.p, 12, 1);
	assert_int_equal(in(&b, 0, 0), 0x04);
	assert_int_equal(i8259_ack(&b.p), 0x28);
	assert_int_equal(b.f.level[0], 0);
	out(&b, 1, 0, 0x20);
	out(&b, 0, 0, 0x20);
	assert_int_equal(b.f.level[0], 1);
	assert_int_equal(i8259_ack(&b.p), 0x2c);
	/* not special fully nested: a higher slave input waits for the master's EOI */
	i8259_irq(&b.p, 9, 1);
	assert_int_equal(b.f.level[0], 0);
	out(&b, 0, 0, 0x20);
	assert_int_equal(i8259_ack(&b.p), 0x29);
	i8259_irq(&b.p, 2, 1); /* the cascade input is not a pin */
	assert_int_equal(b.f.level[0], 0);
}

static void special_fully_nested(void **state)
{
	struct board b;

	(void)state;
	setup(&b, 0x11);
	i8259_irq(&b.p, 12, 1);
	assert_int_equal(i8259_ack(&b.p), 0x2c);
	i8259_irq(&b.p, 9, 1);
	assert_int_equal(b.f.level[0], 1);
	assert_int_equal(i8259_ack(&b.p), 0x29);
}

static void spurious(void **state)
{
	struct board b;

	(void)state;
	setup(&b, 1);
	i8259_irq(&b.p, 3, 1);
	i8259_irq(&b.p, 3, 0); /* withdrawn before the acknowledge */
	assert_int_equal(b.f.level[0], 0);
	assert_int_equal(i8259_ack(&b.p), 0x27);
	out(&b, 0, 0, 0x0b);
	assert_int_equal(in(&b, 0, 0), 0);
}

static void automatic_eoi_and_rotation(void **state)
{
	struct board b;

	(void)state;
	setup(&b, 3);
	i8259_irq(&b.p, 5, 1);
	assert_int_equal(i8259_ack(&b.p), 0x25);
	out(&b, 0, 0, 0x0b);
	assert_int_equal(in(&b, 0, 0), 0);
	setup(&b, 1);
	i8259_irq(&b.p, 3, 1);
	assert_int_equal(i8259_ack(&b.p), 0x23);
	out(&b, 0, 0, 0xa0); /* EOI and rotate: 3 is the lowest now, 4 the highest */
	i8259_irq(&b.p, 0, 1);
	i8259_irq(&b.p, 6, 1);
	assert_int_equal(i8259_ack(&b.p), 0x26);
	out(&b, 0, 0, 0x20);
	out(&b, 0, 0, 0xc7); /* back to 7 lowest */
	assert_int_equal(i8259_ack(&b.p), 0x20);
}

static void level_triggered(void **state)
{
	struct board b;

	(void)state;
	setup(&b, 1);
	i8259_elcr_io_ops.write(&b.p, 0, 0xff, 1);
	i8259_elcr_io_ops.write(&b.p, 1, 0xff, 1);
	assert_int_equal(i8259_elcr_io_ops.read(&b.p, 0, 1), 0xf8);
	assert_int_equal(i8259_elcr_io_ops.read(&b.p, 1, 1), 0xde);
	i8259_irq(&b.p, 5, 1);
	assert_int_equal(i8259_ack(&b.p), 0x25);
	assert_int_equal(b.f.level[0], 0);
	out(&b, 0, 0, 0x20);
	assert_int_equal(b.f.level[0], 1); /* still held */
	assert_int_equal(i8259_ack(&b.p), 0x25);
	i8259_irq(&b.p, 5, 0);
	out(&b, 0, 0, 0x20);
	assert_int_equal(b.f.level[0], 0);
}

static void poll_and_special_mask(void **state)
{
	struct board b;

	(void)state;
	setup(&b, 1);
	out(&b, 0, 0, 0x0c);
	assert_int_equal(in(&b, 0, 0), 0);
	i8259_irq(&b.p, 6, 1);
	out(&b, 0, 0, 0x0c);
	assert_int_equal(in(&b, 0, 0), 0x86);
	assert_int_equal(b.f.level[0], 0);
	i8259_irq(&b.p, 7, 1); /* lower than 6, which is in service */
	assert_int_equal(b.f.level[0], 0);
	out(&b, 0, 1, 0x40);
	assert_int_equal(b.f.level[0], 0);
	out(&b, 0, 0, 0x68); /* special mask mode: masked 6 holds nobody back */
	assert_int_equal(b.f.level[0], 1);
	assert_int_equal(i8259_ack(&b.p), 0x27);
}

static void edges_lost_by_reinitialization(void **state)
{
	struct board b;

	(void)state;
	setup(&b, 1);
	i8259_irq(&b.p, 3, 1);
	out(&b, 0, 0, 0x13); /* single: no ICW3 */
	out(&b, 0, 1, 0x40);
	out(&b, 0, 1, 0x01);
	assert_int_equal(b.f.level[0], 0);
	out(&b, 0, 1, 0xfe);
	assert_int_equal(in(&b, 0, 1), 0xfe);
	i8259_irq(&b.p, 0, 1);
	assert_int_equal(i8259_ack(&b.p), 0x40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(priorities),
		cmocka_unit_test(cascade),
		cmocka_unit_test(special_fully_nested),
		cmocka_unit_test(spurious),
		cmocka_unit_test(automatic_eoi_and_rotation),
		cmocka_unit_test(level_triggered),
		cmocka_unit_test(poll_and_special_mask),
		cmocka_unit_test(edges_lost_by_reinitialization),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
