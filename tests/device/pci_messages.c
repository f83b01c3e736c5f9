/* PCI: MSI and MSI-X with masks and pending bits, and configuration space in memory (ECAM). */
#include "test.h"

#include "base/bits.h"
#include "device/pci/msi.h"
#include "device/pci/msix.h"
#include "fake.h"

enum { CONTROL = 2, VECTORS = 5 };

struct board {
	struct fake f;
	struct pci_bus bus;
	struct pci_host host;
	struct pci_function fn;
	struct msix msix;
	unsigned sent;
	uint64_t address;
	uint32_t data;
	unsigned moves;
	uint64_t base;
	bool enabled;
};

static void on_message(void *opaque, uint64_t address, uint32_t data)
{
	struct board *b = opaque;

	b->sent++;
	b->address = address;
	b->data = data;
}

static void on_bar(void *opaque, struct pci_function *f, unsigned bar, uint64_t base, bool enabled)
{
	struct board *b = opaque;

	assert_ptr_equal(f, &b->fn);
	assert_int_equal(bar, 1);
	b->moves++;
	b->base = base;
	b->enabled = enabled;
}

static void setup(struct board *b)
{
	memset(b, 0, sizeof(*b));
	fake_init(&b->f);
	pci_host_init(&b->host, &b->bus, NULL);
	pci_function_init(&b->fn, 0x1af4, 0x1042, 0x018000, 1, NULL, NULL);
	b->fn.irq = fake_line(&b->f, 10);
	b->fn.messages = (struct pci_messages){on_message, b};
	b->fn.bar_moved = on_bar;
	b->fn.machine = b;
	assert_true(pci_function_bar(&b->fn, 1, 0x2000, 0));
}

static void write_config(struct board *b, unsigned at, uint32_t v, unsigned bytes)
{
	pci_config_write(&b->fn, at, v, bytes);
}

static void msi(void **state)
{
	struct board b;
	unsigned at;

	(void)state;
	setup(&b);
	assert_true(msi_init(&b.fn, 4));
	assert_true(pci_bus_add(&b.bus, &b.fn, 3, 0));
	at = b.fn.config[PCI_CAPABILITIES];
	assert_int_equal(b.fn.config[at], PCI_CAP_MSI);
	assert_int_equal(load_le16(b.fn.config + at + CONTROL), 0x0184);
	pci_function_intx(&b.fn, 1);
	assert_int_equal(b.f.level[10], 1);
	msi_send(&b.fn, 0); /* not enabled */
	assert_int_equal(b.sent, 0);
	write_config(&b, at + 4, 0xfee01003, 4);
	write_config(&b, at + 8, 1, 4);
	write_config(&b, at + 12, 0x4043, 2);
	write_config(&b, at + CONTROL, 0xffff, 2); /* enabled; 128 vectors asked for: 4 it is */
	assert_int_equal(b.f.level[10], 0);
	msi_send(&b.fn, 6);
	assert_int_equal(b.sent, 1);
	assert_true(b.address == 0x1fee01000 && b.data == 0x4042);
	write_config(&b, at + 16, 4, 4);
	msi_send(&b.fn, 2);
	msi_send(&b.fn, 2);
	assert_int_equal(b.sent, 1);
	assert_int_equal(load_le32(b.fn.config + at + 20), 4);
	write_config(&b, at + 20, 0, 4); /* read-only */
	assert_int_equal(load_le32(b.fn.config + at + 20), 4);
	write_config(&b, at + 16, 0, 4);
	assert_int_equal(b.sent, 2);
	assert_int_equal(load_le32(b.fn.config + at + 20), 0);
	write_config(&b, at + CONTROL, 0x11, 2); /* two vectors: 3 counts as 1 */
	msi_send(&b.fn, 3);
	assert_int_equal(b.data, 0x4043);
	write_config(&b, at + CONTROL, 0, 2);
	assert_int_equal(b.f.level[10], 1);
}

static void entry(struct board *b, unsigned n, uint32_t address, uint32_t data, uint32_t control)
{
	msix_table_write(&b->msix, 16 * n, address, 4);
	msix_table_write(&b->msix, 16 * n + 4, 0, 4);
	msix_table_write(&b->msix, 16 * n + 8, data, 4);
	msix_table_write(&b->msix, 16 * n + 12, control, 4);
}

static void msix(void **state)
{
	struct board b;
	unsigned at;

	(void)state;
	setup(&b);
	assert_false(msix_init(&b.msix, &b.fn, MSIX_VECTORS_MAX + 1, 1, 0, 0x1000));
	assert_true(msix_init(&b.msix, &b.fn, VECTORS, 1, 0, 0x1000));
	assert_true(pci_bus_add(&b.bus, &b.fn, 3, 0));
	at = b.fn.config[PCI_CAPABILITIES];
	assert_int_equal(b.fn.config[at], PCI_CAP_MSIX);
	assert_int_equal(load_le32(b.fn.config + at), 0x00040011);
	assert_int_equal(load_le32(b.fn.config + at + 4), 1);
	assert_int_equal(load_le32(b.fn.config + at + 8), 0x1001);
	assert_int_equal(msix_table_read(&b.msix, 12, 4), 1); /* masked at first */
	entry(&b, 0, 0xfee00003, 0x31, 0);
	entry(&b, 4, 0xfee02000, 0x32, 0xffffffff);
	assert_int_equal(msix_table_read(&b.msix, 0, 4), 0xfee00000);
	assert_int_equal(msix_table_read(&b.msix, 4 * 16 + 12, 4), 1);
	pci_function_intx(&b.fn, 1);
	msix_send(&b.msix, 0);
	assert_int_equal(b.sent, 0);
	write_config(&b, at + CONTROL, 0xc000, 2); /* enabled, all masked */
	assert_int_equal(b.f.level[10], 0);
	msix_send(&b.msix, 0);
	msix_send(&b.msix, 4);
	msix_send(&b.msix, VECTORS);
	msix_send(&b.msix, 0xffff);
	assert_int_equal(b.sent, 0);
	assert_int_equal(msix_pending_read(&b.msix, 0, 4), 0x11);
	write_config(&b, at + CONTROL, 0x8000, 2);
	assert_int_equal(b.sent, 1);
	assert_true(b.address == 0xfee00000 && b.data == 0x31);
	assert_int_equal(msix_pending_read(&b.msix, 0, 4), 0x10);
	msix_table_write(&b.msix, 4 * 16 + 12, 0, 4);
	assert_int_equal(b.sent, 2);
	assert_true(b.address == 0xfee02000 && b.data == 0x32);
	assert_int_equal(msix_pending_read(&b.msix, 0, 4), 0);
	/* outside, and of other widths: nothing */
	msix_table_write(&b.msix, 16 * VECTORS, 1, 4);
	msix_table_write(&b.msix, 0, 1, 1);
	assert_int_equal(msix_table_read(&b.msix, 16 * VECTORS, 4), 0);
	assert_int_equal(msix_table_read(&b.msix, 0, 4), 0xfee00000);
	assert_int_equal(msix_pending_read(&b.msix, 4096, 4), 0);
	pci_function_reset(&b.fn);
	assert_int_equal(b.f.level[10], 0);
	assert_false(msix_enabled(&b.msix));
	assert_int_equal(msix_table_read(&b.msix, 8, 4), 0);
}

static uint32_t ecam(struct board *b, uint64_t offset, unsigned bytes)
{
	return (uint32_t)pci_ecam_io_ops.read(&b->host, offset, bytes) &
	       (uint32_t)bits_mask(8 * bytes);
}

static void memory_mapped(void **state)
{
	enum { FN = 3 << 15 };
	struct board b;

	(void)state;
	setup(&b);
	assert_true(pci_bus_add(&b.bus, &b.fn, 3, 0));
	assert_int_equal(ecam(&b, 0, 4), 0x12378086);
	assert_int_equal(ecam(&b, FN + 2, 2), 0x1042);
	assert_int_equal(ecam(&b, FN + 0x100, 4), 0xffffffff);	/* no extended capabilities */
	assert_int_equal(ecam(&b, FN + 0x1000, 4), 0xffffffff); /* no function 1 */
	pci_ecam_io_ops.write(&b.host, FN + 0x1000, 0, 4);
	pci_ecam_io_ops.write(&b.host, FN + 0xffc, 0, 4);
	pci_ecam_io_ops.write(&b.host, FN + PCI_BAR0 + 4, 0xf0001fff, 4);
	assert_int_equal(ecam(&b, FN + PCI_BAR0 + 4, 4), 0xf0000000);
	assert_int_equal(b.moves, 0);
	pci_ecam_io_ops.write(&b.host, FN + PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	assert_int_equal(b.moves, 1);
	assert_true(b.base == 0xf0000000 && b.enabled);
	pci_function_reset(&b.fn);
	assert_int_equal(b.moves, 2);
	assert_false(b.enabled);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(msi),
		cmocka_unit_test(msix),
		cmocka_unit_test(memory_mapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
