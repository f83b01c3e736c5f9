/* Virtio over PCI: capabilities, common configuration, notifications, MSI-X and INTx, the window in
 * configuration space. */
#include "test.h"

#include <stdlib.h>

#include "device/virtio/virtio_pci.h"
#include "fake.h"
#include "fake_virtio.h"

enum {
	QUEUES = 3,
	SIZE = 8,
	LINE = 7,
	STATUS = 0x14,
	CONFIG_VECTOR = 0x10,
	QUEUE_SELECT = 0x16,
	QUEUE_SIZE = 0x18,
	QUEUE_VECTOR = 0x1a,
	QUEUE_ENABLE = 0x1c,
	QUEUE_DESC = 0x20,
	QUEUE_RESET = 0x3a,
};

struct board {
	struct fake f;
	struct virtio_device d;
	struct virtio_pci pci;
	struct fake_virtio driver;
	struct pci_bus bus;
	uint8_t config[8];
	unsigned served, resets, messages;
	uint32_t data;
};

static void model_config_read(void *model, uint32_t offset, uint8_t *buf, uint32_t bytes)
{
	memcpy(buf, ((struct board *)model)->config + offset, bytes);
}

static void model_config_write(void *model, uint32_t offset, const uint8_t *buf, uint32_t bytes)
{
	memcpy(((struct board *)model)->config + offset, buf, bytes);
}

static void model_reset(void *model)
{
	((struct board *)model)->resets++;
}

/* Gives everything back. */
static void model_serve(void *model, unsigned n)
{
	static struct virtq_chain c;
	struct board *b = model;

	b->served |= 1u << n;
	while (virtqueue_pop(&b->d.queue[n], &c) > 0)
		virtqueue_push(&b->d.queue[n], &c, 0);
}

static const struct virtio_model model = {
	.id = VIRTIO_ID_ENTROPY,
	.name = "test",
	.config_bytes = 8,
	.reset = model_reset,
	.config_read = model_config_read,
	.config_write = model_config_write,
	.serve = model_serve,
};

static void on_message(void *opaque, uint64_t address, uint32_t data)
{
	struct board *b = opaque;

	assert_true(address == 0xfee00000);
	b->messages++;
	b->data = data;
}

static int setup(void **state)
{
	struct board *b = calloc(1, sizeof(*b));

	fake_init(&b->f);
	virtio_init(&b->d, &model, b, "test0", 1);
	for (unsigned i = 0; i < QUEUES; i++)
		virtio_add_queue(&b->d, SIZE);
	fake_virtio_connect(&b->driver, &b->d);
	virtio_pci_init(&b->pci, &b->d);
	b->pci.pci.irq = fake_line(&b->f, LINE);
	b->pci.pci.messages = (struct pci_messages){on_message, b};
	assert_true(pci_bus_add(&b->bus, &b->pci.pci, 2, 0));
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct board *b = *state;

	fake_virtio_free(&b->driver);
	free(b);
	return 0;
}

static uint32_t in(struct board *b, unsigned offset, unsigned bytes)
{
	return (uint32_t)virtio_pci_io_ops.read(&b->pci, offset, bytes);
}

static void out(struct board *b, unsigned offset, uint32_t v, unsigned bytes)
{
	virtio_pci_io_ops.write(&b->pci, offset, v, bytes);
}

/* Offset of the capability with this id, and type if it is a vendor's. */
static unsigned capability(struct board *b, uint8_t id, uint8_t type)
{
	const uint8_t *config = b->pci.pci.config;

	for (unsigned at = config[PCI_CAPABILITIES]; at; at = config[at + 1])
		if (config[at] == id && (id != PCI_CAP_VENDOR || config[at + 3] == type))
			return at;
	return 0;
}

static void identity(void **state)
{
	static const uint32_t want[6][2] = {{0, 0},	 {0, 0x40},   {0x3000, 64 * 4},
					    {0x1000, 4}, {0x2000, 8}, {0, 0}};
	struct board *b = *state;
	const uint8_t *config = b->pci.pci.config;

	assert_int_equal(load_le32(config), 0x10441af4);
	assert_int_equal(config[PCI_REVISION], 1);
	for (uint8_t type = 1; type <= 5; type++) {
		unsigned at = capability(b, PCI_CAP_VENDOR, type);

		assert_true(at >= 0x40);
		assert_int_equal(config[at + 4], 0);
		assert_int_equal(load_le32(config + at + 8), want[type][0]);
		assert_int_equal(load_le32(config + at + 12), want[type][1]);
	}
	assert_int_equal(load_le32(config + capability(b, PCI_CAP_VENDOR, 2) + 16), 4);
	assert_int_equal(load_le16(config + capability(b, PCI_CAP_MSIX, 0) + 2), QUEUES);
}

/* As Linux brings a device up; queues with vectors queue + 1 if they are to have some. */
static void start(struct board *b, bool vectors)
{
	out(b, STATUS, 0, 1);
	out(b, STATUS, 3, 1);
	out(b, 0x08, 1, 4);
	out(b, 0x0c, 1, 4); /* VERSION_1 */
	out(b, STATUS, 11, 1);
	assert_int_equal(in(b, STATUS, 1), 11);
	if (vectors)
		out(b, CONFIG_VECTOR, 0, 2);
	for (unsigned i = 0; i < QUEUES; i++) {
		uint64_t base = b->driver.queue[i].gpa;

		fake_driver_start(&b->driver.queue[i], false, false, SIZE);
		out(b, QUEUE_SELECT, i, 2);
		out(b, QUEUE_DESC, (uint32_t)base + FAKE_DESC, 4);
		out(b, QUEUE_DESC + 4, (uint32_t)(base >> 32), 4);
		out(b, QUEUE_DESC + 8, (uint32_t)base + FAKE_DRIVER, 4);
		out(b, QUEUE_DESC + 16, (uint32_t)base + FAKE_DEVICE, 4);
		if (vectors)
			out(b, QUEUE_VECTOR, i + 1, 2);
		out(b, QUEUE_ENABLE, 1, 2);
		assert_int_equal(in(b, QUEUE_ENABLE, 2), 1);
		assert_int_equal(in(b, QUEUE_DESC, 4), (uint32_t)base + FAKE_DESC);
	}
	out(b, STATUS, 15, 1);
	fake_virtio_run(&b->driver);
	b->served = 0;
}

static void common(void **state)
{
	struct board *b = *state;

	assert_int_equal(in(b, 0x12, 2), QUEUES);
	assert_int_equal(in(b, 0x10, 4), QUEUES << 16 | 0xffff);
	assert_int_equal(in(b, 0x04, 4) & 1, 1);
	out(b, 0, 1, 4);
	assert_int_equal(in(b, 0x04, 4) & 1, 1);
	out(b, 0, 2, 4);
	assert_int_equal(in(b, 0x04, 4), 0);
	out(b, QUEUE_SELECT, 1, 2);
	assert_int_equal(in(b, QUEUE_SIZE, 2), SIZE);
	assert_int_equal(in(b, 0x1e, 2), 1);
	out(b, QUEUE_VECTOR, QUEUES + 1, 2); /* no such vector */
	assert_int_equal(in(b, QUEUE_VECTOR, 2), 0xffff);
	out(b, QUEUE_VECTOR, QUEUES, 2);
	assert_int_equal(in(b, QUEUE_VECTOR, 2), QUEUES);
	out(b, QUEUE_SIZE, 4, 2);
	assert_int_equal(in(b, QUEUE_SIZE, 4), QUEUES << 16 | 4);
	out(b, QUEUE_SIZE, 2, 1); /* half a field */
	assert_int_equal(in(b, QUEUE_SIZE, 2), 4);
	out(b, QUEUE_SELECT, 60000, 2);
	assert_int_equal(in(b, QUEUE_SIZE, 2), 0);
	out(b, QUEUE_VECTOR, 0, 2);
	out(b, QUEUE_ENABLE, 1, 2);
	start(b, true);
	out(b, QUEUE_SIZE, 2, 2); /* not while it is enabled */
	assert_int_equal(in(b, QUEUE_SIZE, 2), SIZE);
	b->config[4] = 0x55;
	assert_int_equal(in(b, 0x2004, 4), 0x55);
	assert_int_equal(in(b, 0x2008, 4), 0);
	out(b, 0x2001, 0xaa, 1);
	assert_int_equal(b->config[1], 0xaa);
	out(b, STATUS, 0, 1);
	assert_int_equal(in(b, QUEUE_VECTOR, 2), 0xffff);
	assert_true(b->resets > 1);
}

static void add_and_notify(struct board *b, unsigned queue)
{
	struct fake_seg s = {fake_virtio_gpa(&b->driver, queue, 0), 16, FAKE_WRITE};

	fake_add(&b->driver.queue[queue], &s, 1);
	out(b, 0x3000 + 4 * queue, queue, 2);
	fake_virtio_run(&b->driver);
	assert_true(b->served & 1u << queue);
}

static void interrupts(void **state)
{
	struct board *b = *state;
	unsigned msix = capability(b, PCI_CAP_MSIX, 0);

	start(b, false);
	add_and_notify(b, 1);
	assert_int_equal(b->f.level[LINE], 1);
	assert_int_equal(in(b, 0x1000, 1), VIRTIO_ISR_QUEUE);
	assert_int_equal(b->f.level[LINE], 0);
	assert_int_equal(in(b, 0x1000, 1), 0);
	virtio_enter(&b->d);
	virtio_config_changed(&b->d);
	virtio_leave(&b->d);
	assert_int_equal(in(b, 0x1000, 1), VIRTIO_ISR_CONFIG);
	assert_int_equal(b->messages, 0);
	/* the same by messages */
	pci_config_write(&b->pci.pci, msix + 2, 0x8000, 2);
	for (unsigned i = 0; i <= QUEUES; i++) {
		out(b, 0x4000 + 16 * i, 0xfee00000, 4);
		out(b, 0x4000 + 16 * i + 8, 0x40 + i, 4);
		out(b, 0x4000 + 16 * i + 12, 0, 4);
	}
	assert_int_equal(in(b, 0x4000 + 16 + 8, 4), 0x41);
	start(b, true);
	add_and_notify(b, 2);
	assert_int_equal(b->messages, 1);
	assert_int_equal(b->data, 0x43);
	assert_int_equal(b->f.level[LINE], 0);
	virtio_enter(&b->d);
	virtio_config_changed(&b->d);
	virtio_leave(&b->d);
	assert_int_equal(b->data, 0x40);
	out(b, 0x4000 + 16 * 3 + 12, 1, 4); /* masked: pending */
	add_and_notify(b, 2);
	assert_int_equal(b->messages, 2);
	assert_int_equal(in(b, 0x5000, 4), 8);
	out(b, 0x4000 + 16 * 3 + 12, 0, 4);
	assert_int_equal(b->messages, 3);
	out(b, QUEUE_SELECT, 2, 2);
	out(b, QUEUE_VECTOR, 0xffff, 2); /* wants to hear nothing */
	add_and_notify(b, 2);
	assert_int_equal(b->messages, 3);
	out(b, 0x3000 + 4 * 63, 0, 4); /* no such queue */
	fake_virtio_run(&b->driver);
}

static void window(void **state)
{
	struct board *b = *state;
	unsigned at = capability(b, PCI_CAP_VENDOR, 5);
	struct pci_function *f = &b->pci.pci;

	pci_config_write(f, at + 8, 0x12, 4);
	pci_config_write(f, at + 12, 2, 4);
	assert_int_equal(pci_config_read(f, at + 16, 4), QUEUES);
	pci_config_write(f, at + 8, QUEUE_SELECT, 4);
	pci_config_write(f, at + 16, 2, 2);
	assert_int_equal(in(b, QUEUE_SELECT, 2), 2);
	/* outside the BAR, of odd width, another BAR: nothing */
	pci_config_write(f, at + 8, VIRTIO_PCI_BAR_BYTES, 4);
	pci_config_write(f, at + 16, 1, 2);
	pci_config_write(f, at + 8, 0xffffffff, 4);
	pci_config_read(f, at + 16, 4);
	pci_config_write(f, at + 8, QUEUE_SELECT, 4);
	pci_config_write(f, at + 12, 3, 4);
	pci_config_write(f, at + 16, 1, 4);
	pci_config_write(f, at + 12, 2, 4);
	pci_config_write(f, at + 4, 1, 1);
	pci_config_write(f, at + 16, 1, 2);
	assert_int_equal(in(b, QUEUE_SELECT, 2), 2);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(identity),
		TEST(common),
		TEST(interrupts),
		TEST(window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
