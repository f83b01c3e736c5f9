/* Virtio over MMIO, on the entropy device: a driver's whole way by registers alone, the interrupt's
 * rise and fall, odd accesses; and the sleep registers of machines without PCI. */
#include "test.h"

#include "device/acpi_sleep.h"
#include "device/virtio/entropy.h"
#include "device/virtio/virtio_mmio.h"
#include "fake.h"
#include "fake_driver.h"
#include "fake_worker.h"

static struct fake wires;
static struct fake_driver f;
static struct virtio_entropy e;
static struct virtio_mmio t;
static struct fake_worker io;

static void turn(void)
{
	fake_worker_run(&io, 1);
}

static void on_random(void *opaque, void *buf, size_t len)
{
	memset(buf, 0x5a, len);
}

static void begin(void)
{
	fake_worker_init(&io);
	fake_init(&wires);
	fake_driver_ram(&f);
	virtio_entropy_init(&e, "rng0", on_random, NULL);
	virtio_connect(&e.device, &f.memory, NULL, &io.worker, NULL);
	virtio_mmio_init(&t, &e.device, fake_line(&wires, 5));
}

static void end(void)
{
	virtio_destroy(&e.device);
	fake_driver_free(&f);
}

static uint32_t rd(uint64_t reg)
{
	return (uint32_t)virtio_mmio_io_ops.read(&t, reg, 4);
}

static void wr(uint64_t reg, uint32_t v)
{
	virtio_mmio_io_ops.write(&t, reg, v, 4);
}

static void start(void)
{
	wr(0x70, 0);
	wr(0x70, 1);
	wr(0x70, 3);
	wr(0x24, 1);
	wr(0x20, 1); /* VERSION_1 */
	wr(0x24, 0);
	wr(0x20, 0);
	wr(0x70, 11);
	assert_int_equal(rd(0x70), 11);
	fake_driver_start(&f, false, false, 8);
	wr(0x30, 0);
	assert_int_equal(rd(0x34), VIRTIO_ENTROPY_QUEUE_SIZE);
	assert_int_equal(rd(0x44), 0);
	wr(0x38, 8);
	wr(0x80, FAKE_DESC);
	wr(0x84, 0);
	wr(0x90, FAKE_DRIVER);
	wr(0x94, 0);
	wr(0xa0, FAKE_DEVICE);
	wr(0xa4, 0);
	wr(0x44, 1);
	assert_int_equal(rd(0x44), 1);
	wr(0x70, 15);
}

static void test_identity(void **state)
{
	begin();
	assert_int_equal(rd(0x00), 0x74726976);
	assert_int_equal(rd(0x04), 2);
	assert_int_equal(rd(0x08), VIRTIO_ID_ENTROPY);
	wr(0x14, 1);
	assert_int_equal(rd(0x10) & 1, 1);
	wr(0x14, 0xffffffff);
	assert_int_equal(rd(0x10), 0);
	assert_int_equal(rd(0xb0), 0xffffffff);
	assert_int_equal(virtio_mmio_io_ops.read(&t, 0, 1), 0); /* registers are 32 bits wide */
	end();
}

static void test_request(void **state)
{
	const struct fake_seg buffer = {FAKE_DATA, 10, FAKE_WRITE};
	uint32_t id, len;

	begin();
	start();
	fake_add(&f, &buffer, 1);
	wr(0x50, 0);
	assert_int_equal(wires.level[5], 0);
	turn();
	assert_true(fake_used(&f, &id, &len));
	assert_int_equal(f.ram[FAKE_DATA + 9], 0x5a);
	assert_int_equal(wires.level[5], 1);
	assert_int_equal(rd(0x60), VIRTIO_ISR_QUEUE);
	wr(0x64, VIRTIO_ISR_CONFIG);
	assert_int_equal(wires.level[5], 1);
	wr(0x64, VIRTIO_ISR_QUEUE);
	assert_int_equal(wires.level[5], 0);
	assert_int_equal(rd(0x60), 0);
	end();
}

static void test_reset_lowers_the_line(void **state)
{
	const struct fake_seg buffer = {FAKE_DATA, 10, FAKE_WRITE};

	begin();
	start();
	fake_add(&f, &buffer, 1);
	wr(0x50, 0);
	turn();
	assert_int_equal(wires.level[5], 1);
	wr(0x70, 0);
	assert_int_equal(wires.level[5], 0);
	assert_int_equal(rd(0x70), 0);
	assert_int_equal(rd(0x44), 0);
	start();
	end();
}

static void test_queue_ready(void **state)
{
	begin();
	start();
	wr(0x38, 4); /* a queue that runs keeps its place */
	wr(0x80, 0);
	assert_int_equal(e.device.queue[0].size, 8);
	assert_int_equal(e.device.queue[0].desc, FAKE_DESC);
	wr(0x44, 0);
	assert_int_equal(rd(0x44), 0);
	wr(0x38, 0x10008); /* not 8 */
	wr(0x44, 1);
	assert_int_equal(rd(0x44), 0);
	wr(0x30, 1); /* no such queue */
	assert_int_equal(rd(0x34), 0);
	wr(0x38, 8);
	wr(0x44, 1);
	assert_int_equal(rd(0x44), 0);
	wr(0x50, 1);
	wr(0x50, 0xffffffff);
	turn();
	end();
}

static void test_restore(void **state)
{
	const struct fake_seg buffer = {FAKE_DATA, 10, FAKE_WRITE};
	uint8_t saved[64];

	begin();
	start();
	fake_add(&f, &buffer, 1);
	wr(0x50, 0);
	turn();
	assert_true(field_size(virtio_mmio_desc.fields) <= sizeof(saved));
	field_save(virtio_mmio_desc.fields, &t, saved);
	virtio_mmio_desc.reset(&t);
	assert_int_equal(wires.level[5], 0);
	field_restore(virtio_mmio_desc.fields, &t, saved);
	virtio_mmio_desc.after_restore(&t);
	assert_int_equal(wires.level[5], 1);
	end();
}

static void test_sleep_registers(void **state)
{
	struct acpi_sleep s;

	fake_init(&wires);
	acpi_sleep_init(&s, fake_call, &wires);
	acpi_sleep_io_ops.write(&s, ACPI_SLEEP_CONTROL, 5 << 2, 1);
	assert_int_equal(acpi_sleep_io_ops.read(&s, ACPI_SLEEP_CONTROL, 1), 5 << 2);
	acpi_sleep_io_ops.write(&s, ACPI_SLEEP_CONTROL, ACPI_SLEEP_ENABLE | 3 << 2, 1);
	acpi_sleep_io_ops.write(&s, ACPI_SLEEP_STATUS, 0xff, 1);
	assert_int_equal(wires.calls, 0);
	assert_int_equal(acpi_sleep_io_ops.read(&s, ACPI_SLEEP_STATUS, 1), 0);
	acpi_sleep_io_ops.write(&s, ACPI_SLEEP_CONTROL, ACPI_SLEEP_ENABLE | 5 << 2, 1);
	assert_int_equal(wires.calls, 1);
	acpi_sleep_desc.reset(&s);
	assert_int_equal(acpi_sleep_io_ops.read(&s, ACPI_SLEEP_CONTROL, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_reset_lowers_the_line),
		cmocka_unit_test(test_queue_ready),
		cmocka_unit_test(test_restore),
		cmocka_unit_test(test_sleep_registers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
