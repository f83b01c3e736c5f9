/* I/O APIC: registers, edge and level delivery, remote IRR, EOI both ways. */
#include "test.h"

#include "device/ioapic.h"
#include "fake.h"

struct board {
	struct fake f;
	struct lapic_bus bus;
	struct lapic lapic;
	struct ioapic io;
};

static void request(void *opaque, enum lapic_signal s, unsigned value)
{
}

static const struct lapic_cpu_ops cpu_ops = {request};

static void board_init(struct board *b)
{
	memset(b, 0, sizeof(*b));
	fake_init(&b->f);
	lapic_init(&b->lapic, &b->bus, 0, true, &cpu_ops, NULL, &b->f.clock, &b->f.timerq);
	lapic_write(&b->lapic, LAPIC_SVR, 0x1ff);
	ioapic_init(&b->io, 1, &b->bus);
	b->bus.eoi = ioapic_eoi;
	b->bus.eoi_opaque = &b->io;
}

static uint32_t reg_read(struct board *b, unsigned reg)
{
	ioapic_io_ops.write(&b->io, 0, reg, 4);
	return (uint32_t)ioapic_io_ops.read(&b->io, 0x10, 4);
}

static void reg_write(struct board *b, unsigned reg, uint32_t v)
{
	ioapic_io_ops.write(&b->io, 0, reg, 4);
	ioapic_io_ops.write(&b->io, 0x10, v, 4);
}

static void eoi(struct board *b)
{
	lapic_write(&b->lapic, LAPIC_EOI, 0);
}

static void registers(void **state)
{
	struct board b;

	(void)state;
	board_init(&b);
	assert_int_equal(reg_read(&b, 0), 0x01000000);
	assert_int_equal(reg_read(&b, 1), 0x00170020);
	reg_write(&b, 0, 0xff000000);
	assert_int_equal(reg_read(&b, 0), 0x0f000000);
	assert_int_equal(reg_read(&b, 0x10), 0x10000);
	reg_write(&b, 0x3f, 0xffffffff); /* pin 23, upper half */
	reg_write(&b, 0x3e, 0xffffffff);
	assert_int_equal(reg_read(&b, 0x3f), 0xff000000);
	assert_int_equal(reg_read(&b, 0x3e), 0x1afff); /* remote IRR, pending: read-only */
	reg_write(&b, 0x40, 0xffffffff);	       /* no such pin */
	assert_int_equal(reg_read(&b, 0x40), 0);
	assert_int_equal(reg_read(&b, 0xff), 0);
}

static void edge(void **state)
{
	struct board b;

	(void)state;
	board_init(&b);
	ioapic_irq(&b.io, 4, 1); /* masked: lost */
	reg_write(&b, 0x18, 0x44);
	assert_int_equal(lapic_ack(&b.lapic), -1);
	ioapic_irq(&b.io, 4, 1);
	assert_int_equal(lapic_ack(&b.lapic), -1);
	ioapic_irq(&b.io, 4, 0);
	ioapic_irq(&b.io, 4, 1);
	assert_int_equal(lapic_ack(&b.lapic), 0x44);
	eoi(&b);
	assert_int_equal(lapic_ack(&b.lapic), -1);
	ioapic_irq(&b.io, 24, 1);
	ioapic_irq(&b.io, 1000, 1);
}

static void level(void **state)
{
	struct board b;

	(void)state;
	board_init(&b);
	ioapic_irq(&b.io, 10, 1);
	reg_write(&b, 0x24, 0x8055); /* unmask with the pin high: at once */
	assert_int_equal(reg_read(&b, 0x24), 0xc055);
	assert_int_equal(lapic_ack(&b.lapic), 0x55);
	eoi(&b); /* still high: again */
	assert_int_equal(lapic_ack(&b.lapic), 0x55);
	ioapic_irq(&b.io, 10, 0);
	eoi(&b);
	assert_int_equal(reg_read(&b, 0x24), 0x8055);
	assert_int_equal(lapic_ack(&b.lapic), -1);
	/* a system that masks, turns edge, and back: remote IRR goes, the pin speaks again */
	ioapic_irq(&b.io, 10, 1);
	reg_write(&b, 0x24, 0x10055);
	assert_int_equal(reg_read(&b, 0x24), 0x10055);
	reg_write(&b, 0x24, 0x8055);
	assert_int_equal(reg_read(&b, 0x24), 0xc055);
	/* the EOI register */
	ioapic_irq(&b.io, 10, 0);
	ioapic_io_ops.write(&b.io, 0x40, 0x54, 4);
	assert_int_equal(reg_read(&b, 0x24), 0xc055);
	ioapic_io_ops.write(&b.io, 0x40, 0x55, 4);
	assert_int_equal(reg_read(&b, 0x24), 0x8055);
}

static void nobody_accepts(void **state)
{
	struct board b;

	(void)state;
	board_init(&b);
	reg_write(&b, 0x25, 7u << 24); /* no CPU 7 */
	reg_write(&b, 0x24, 0x8055);
	ioapic_irq(&b.io, 10, 1);
	assert_int_equal(reg_read(&b, 0x24), 0x8055);
	reg_write(&b, 0x25, 0);
	assert_int_equal(lapic_ack(&b.lapic), 0x55);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers),
		cmocka_unit_test(edge),
		cmocka_unit_test(level),
		cmocka_unit_test(nobody_accepts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
