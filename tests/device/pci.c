/* PCI: configuration mechanism 1, BAR sizing and moving, capabilities, INTx, the reset port. */
#include "test.h"

#include "device/pci/pci.h"
#include "fake.h"

struct board {
	struct fake f;
	struct pci_bus bus;
	struct reset_port reset;
	struct pci_host host;
	struct pci_function fn;
	unsigned moves, bar, written;
	uint64_t base;
	bool enabled;
};

static void bar_changed(void *opaque, unsigned bar, uint64_t base, bool enabled)
{
	struct board *b = opaque;

	b->moves++;
	b->bar = bar;
	b->base = base;
	b->enabled = enabled;
}

static void config_written(void *opaque, unsigned offset, unsigned bytes)
{
	struct board *b = opaque;

	b->written = offset << 8 | bytes;
}

static const struct pci_function_ops ops = {
	.bar_changed = bar_changed,
	.config_written = config_written,
};

static void setup(struct board *b)
{
	memset(b, 0, sizeof(*b));
	fake_init(&b->f);
	reset_port_init(&b->reset, fake_call, &b->f);
	pci_host_init(&b->host, &b->bus, &b->reset);
	pci_function_init(&b->fn, 0x1af4, 0x1042, 0x018000, 1, &ops, b);
	b->fn.irq = fake_line(&b->f, 10);
	assert_true(pci_function_bar(&b->fn, 0, 0x20, PCI_BAR_IO));
	assert_true(pci_function_bar(&b->fn, 4, 0x4000, PCI_BAR_MEM64 | PCI_BAR_PREFETCH));
	assert_false(pci_function_bar(&b->fn, 5, 0x4000, PCI_BAR_MEM64));
	assert_false(pci_function_bar(&b->fn, 1, 0x30, PCI_BAR_IO));
	assert_int_equal(pci_function_capability(&b->fn, 9, 16), 0x40);
	assert_int_equal(pci_function_capability(&b->fn, 9, 18), 0x50);
	assert_int_equal(pci_function_capability(&b->fn, 9, 200), 0);
	assert_true(pci_bus_add(&b->bus, &b->fn, 3, 0));
	assert_false(pci_bus_add(&b->bus, &b->fn, 3, 0));
}

static void select_reg(struct board *b, unsigned device, unsigned reg)
{
	pci_host_io_ops.write(&b->host, 0, 0x80000000u | device << 11 | (reg & ~3u), 4);
}

static uint32_t in(struct board *b, unsigned device, unsigned reg, unsigned bytes)
{
	select_reg(b, device, reg);
	return (uint32_t)pci_host_io_ops.read(&b->host, 4 + (reg & 3), bytes);
}

static void out(struct board *b, unsigned device, unsigned reg, uint32_t v, unsigned bytes)
{
	select_reg(b, device, reg);
	pci_host_io_ops.write(&b->host, 4 + (reg & 3), v, bytes);
}

static void mechanism(void **state)
{
	struct board b;

	(void)state;
	setup(&b);
	assert_int_equal(in(&b, 0, 0, 4), 0x12378086);
	assert_int_equal(in(&b, 0, 0xa, 2), 0x0600);
	assert_int_equal(in(&b, 3, 2, 2), 0x1042);
	assert_int_equal(in(&b, 3, 8, 4), 0x01800001);
	assert_int_equal(in(&b, 4, 0, 4), 0xffffffff);
	assert_int_equal(pci_host_io_ops.read(&b.host, 0, 4), 0x80002000);
	pci_host_io_ops.write(&b.host, 0, 0x80011800, 4); /* bus 1 */
	assert_int_equal(pci_host_io_ops.read(&b.host, 4, 4), 0xffffffff);
	pci_host_io_ops.write(&b.host, 0, 0x00001800, 4); /* not enabled */
	assert_int_equal(pci_host_io_ops.read(&b.host, 4, 4), 0xffffffff);
	assert_int_equal(pci_host_io_ops.read(&b.host, 7, 4), 0xffffffff);
	/* a byte at CF9h is the reset register, and leaves the address alone */
	pci_host_io_ops.write(&b.host, 1, 6, 1);
	assert_int_equal(b.f.calls, 1);
	assert_int_equal(pci_host_io_ops.read(&b.host, 1, 1), 6);
	assert_int_equal(pci_host_io_ops.read(&b.host, 0, 4), 0x00001800);
	out(&b, 3, 0, 0, 4); /* read-only */
	assert_int_equal(in(&b, 3, 0, 4), 0x10421af4);
	out(&b, 3, 0x3c, 0xffff, 2);
	assert_int_equal(in(&b, 3, 0x3c, 2), 0xff);
	assert_int_equal(b.written, 0x3c02);
}

static void bars(void **state)
{
	struct board b;
	uint64_t base;

	(void)state;
	setup(&b);
	out(&b, 3, 0x10, 0xffffffff, 4);
	assert_int_equal(in(&b, 3, 0x10, 4), 0xffffffe1);
	out(&b, 3, 0x14, 0xffffffff, 4);
	assert_int_equal(in(&b, 3, 0x14, 4), 0);
	out(&b, 3, 0x20, 0xffffffff, 4);
	out(&b, 3, 0x24, 0xffffffff, 4);
	assert_int_equal(in(&b, 3, 0x20, 4), 0xffffc00c);
	assert_int_equal(in(&b, 3, 0x24, 4), 0xffffffff);
	out(&b, 3, 0x20, 0xfe000000, 4);
	out(&b, 3, 0x24, 0x1, 4);
	assert_int_equal(b.moves, 0);
	out(&b, 3, 0x04, 2, 2);
	assert_int_equal(b.moves, 1);
	assert_int_equal(b.bar, 4);
	assert_true(b.base == 0x1fe000000 && b.enabled);
	assert_true(pci_function_bar_base(&b.fn, 4, &base));
	out(&b, 3, 0x10, 0xc000, 4);
	out(&b, 3, 0x04, 3, 2);
	assert_int_equal(b.moves, 2);
	assert_true(b.bar == 0 && b.base == 0xc000 && b.enabled);
	out(&b, 3, 0x10, 0xffffffff, 4); /* sizing while enabled: nowhere */
	assert_false(b.enabled);
	out(&b, 3, 0x10, 0xd000, 4);
	assert_true(b.base == 0xd000 && b.enabled);
	pci_function_reset(&b.fn);
	assert_false(b.enabled);
	assert_int_equal(in(&b, 3, 0x10, 4), 1);
}

static void capabilities_and_intx(void **state)
{
	struct board b;

	(void)state;
	setup(&b);
	assert_int_equal(in(&b, 3, 6, 2) & PCI_STATUS_CAPS, PCI_STATUS_CAPS);
	assert_int_equal(in(&b, 3, 0x34, 1), 0x50);
	assert_int_equal(in(&b, 3, 0x50, 2), 0x4009);
	assert_int_equal(in(&b, 3, 0x40, 2), 0x0009);
	pci_function_intx(&b.fn, 1);
	assert_int_equal(b.f.level[10], 1);
	assert_int_equal(in(&b, 3, 6, 2) & PCI_STATUS_INTX, PCI_STATUS_INTX);
	out(&b, 3, 4, PCI_COMMAND_INTX_OFF, 2);
	assert_int_equal(b.f.level[10], 0);
	out(&b, 3, 4, 0, 2);
	assert_int_equal(b.f.level[10], 1);
	pci_function_intx(&b.fn, 0);
	assert_int_equal(b.f.level[10], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mechanism),
		cmocka_unit_test(bars),
		cmocka_unit_test(capabilities_and_intx),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
