/* Virtio over memory-mapped registers: see virtio_mmio.h. */
#include "device/virtio/virtio_mmio.h"

#include <string.h>

#include "base/bits.h"

/* Registers, 4.2.2; 32 bits each */
enum {
	REG_MAGIC = 0x000,
	REG_VERSION = 0x004,
	REG_DEVICE_ID = 0x008,
	REG_VENDOR_ID = 0x00c,
	REG_DEVICE_FEATURES = 0x010,
	REG_DEVICE_FEATURES_SEL = 0x014,
	REG_DRIVER_FEATURES = 0x020,
	REG_DRIVER_FEATURES_SEL = 0x024,
	REG_QUEUE_SEL = 0x030,
	REG_QUEUE_SIZE_MAX = 0x034,
	REG_QUEUE_SIZE = 0x038,
	REG_QUEUE_READY = 0x044,
	REG_QUEUE_NOTIFY = 0x050,
	REG_INTERRUPT_STATUS = 0x060,
	REG_INTERRUPT_ACK = 0x064,
	REG_STATUS = 0x070,
	REG_QUEUE_DESC = 0x080, /* low, high */
	REG_QUEUE_DRIVER = 0x090,
	REG_QUEUE_DEVICE = 0x0a0,
	REG_SHM_LEN_LOW = 0x0b0,
	REG_SHM_LEN_HIGH = 0x0b4,
	REG_SHM_BASE_LOW = 0x0b8,
	REG_SHM_BASE_HIGH = 0x0bc,
	REG_QUEUE_RESET = 0x0c0,
	REG_CONFIG_GENERATION = 0x0fc,
	REG_CONFIG = 0x100,
};

enum {
	MAGIC = 0x74726976, /* "virt" */
	VERSION = 2,
	VENDOR = 0x4c505044, /* "DPPL" */
};

static void drive(struct virtio_mmio *t)
{
	irq_line_set(&t->irq, t->interrupt_status != 0);
}

static void interrupt(void *opaque, unsigned cause, unsigned queue)
{
	struct virtio_mmio *t = opaque;

	t->interrupt_status |= cause;
	drive(t);
}

static uint32_t read_register(struct virtio_mmio *t, uint32_t reg)
{
	struct virtio_device *d = t->device;

	switch (reg) {
	case REG_MAGIC:
		return MAGIC;
	case REG_VERSION:
		return VERSION;
	case REG_DEVICE_ID:
		return d->type->id;
	case REG_VENDOR_ID:
		return VENDOR;
	case REG_DEVICE_FEATURES:
		return virtio_features_read(d, t->device_features_sel);
	case REG_QUEUE_SIZE_MAX:
		return virtio_queue_size_max(d, t->queue_sel);
	case REG_QUEUE_READY:
		return virtio_queue_enabled(d, t->queue_sel);
	case REG_QUEUE_RESET:
		return virtio_queue_resetting(d, t->queue_sel);
	case REG_INTERRUPT_STATUS:
		return t->interrupt_status;
	case REG_STATUS:
		return virtio_status_read(d);
	case REG_SHM_LEN_LOW:
	case REG_SHM_LEN_HIGH:
	case REG_SHM_BASE_LOW:
	case REG_SHM_BASE_HIGH:
		return 0xffffffff; /* no such region */
	case REG_CONFIG_GENERATION:
		return virtio_generation(d);
	default:
		return 0;
	}
}

static uint64_t mmio_read(void *opaque, uint64_t offset, unsigned bytes)
{
	struct virtio_mmio *t = opaque;
	uint8_t buf[8] = {0};

	if (offset >= REG_CONFIG) {
		virtio_config_read(t->device, (uint32_t)offset - REG_CONFIG, buf, bytes);
		return load_le64(buf);
	}
	return bytes == 4 ? read_register(t, (uint32_t)offset) : 0;
}

static void set_half(uint64_t *v, bool high, uint32_t to)
{
	unsigned shift = high ? 32 : 0;

	*v = (*v & ~(0xffffffffull << shift)) | (uint64_t)to << shift;
}

/* Size and addresses of the selected queue, as long as it does not run. */
static void write_queue(struct virtio_mmio *t, uint32_t reg, uint32_t value)
{
	struct virtqueue *q = virtio_queue_setup(t->device, t->queue_sel);

	if (!q)
		return;
	switch (reg & ~4u) {
	case REG_QUEUE_SIZE & ~4u:
		q->size = value <= q->size_max ? (uint16_t)value : 0;
		break;
	case REG_QUEUE_DESC:
		set_half(&q->desc, reg & 4, value);
		break;
	case REG_QUEUE_DRIVER:
		set_half(&q->driver, reg & 4, value);
		break;
	case REG_QUEUE_DEVICE:
		set_half(&q->device, reg & 4, value);
		break;
	}
}

static void write_ready(struct virtio_mmio *t, bool ready)
{
	if (ready)
		virtio_queue_enable(t->device, t->queue_sel);
	else
		virtio_queue_disable(t->device, t->queue_sel);
}

static void write_status(struct virtio_mmio *t, uint32_t value)
{
	virtio_status_write(t->device, (uint8_t)value);
	if ((uint8_t)value == 0)
		virtio_mmio_reset(t);
}

static void write_register(struct virtio_mmio *t, uint32_t reg, uint32_t value)
{
	switch (reg) {
	case REG_DEVICE_FEATURES_SEL:
		t->device_features_sel = value;
		break;
	case REG_DRIVER_FEATURES:
		virtio_features_write(t->device, t->driver_features_sel, value);
		break;
	case REG_DRIVER_FEATURES_SEL:
		t->driver_features_sel = value;
		break;
	case REG_QUEUE_SEL:
		t->queue_sel = value;
		break;
	case REG_QUEUE_SIZE:
	case REG_QUEUE_DESC:
	case REG_QUEUE_DESC + 4:
	case REG_QUEUE_DRIVER:
	case REG_QUEUE_DRIVER + 4:
	case REG_QUEUE_DEVICE:
	case REG_QUEUE_DEVICE + 4:
		write_queue(t, reg, value);
		break;
	case REG_QUEUE_READY:
		write_ready(t, value & 1);
		break;
	case REG_QUEUE_RESET:
		if (value & 1)
			virtio_queue_reset(t->device, t->queue_sel);
		break;
	case REG_QUEUE_NOTIFY:
		virtio_kick(t->device, value & 0xffff);
		break;
	case REG_INTERRUPT_ACK:
		t->interrupt_status &= ~value;
		drive(t);
		break;
	case REG_STATUS:
		write_status(t, value);
		break;
	}
}

static void mmio_write(void *opaque, uint64_t offset, uint64_t value, unsigned bytes)
{
	struct virtio_mmio *t = opaque;
	uint8_t buf[8];

	if (offset >= REG_CONFIG) {
		store_le64(buf, value);
		virtio_config_write(t->device, (uint32_t)offset - REG_CONFIG, buf, bytes);
	} else if (bytes == 4) {
		write_register(t, (uint32_t)offset, (uint32_t)value);
	}
}

void virtio_mmio_reset(void *virtio_mmio)
{
	struct virtio_mmio *t = virtio_mmio;

	t->interrupt_status = 0;
	t->device_features_sel = t->driver_features_sel = t->queue_sel = 0;
	drive(t);
}

void virtio_mmio_init(struct virtio_mmio *t, struct virtio_device *d, struct irq_line irq)
{
	memset(t, 0, sizeof(*t));
	t->device = d;
	t->irq = irq;
	d->transport = (struct virtio_transport){interrupt, t};
}

static void after_restore(void *virtio_mmio)
{
	drive(virtio_mmio);
}

const struct io_ops virtio_mmio_io_ops = {mmio_read, mmio_write, 4};

static const struct field fields[] = {
	FIELD(struct virtio_mmio, interrupt_status),
	FIELD(struct virtio_mmio, device_features_sel),
	FIELD(struct virtio_mmio, driver_features_sel),
	FIELD(struct virtio_mmio, queue_sel),
	FIELD_END,
};

const struct device_desc virtio_mmio_desc = {
	.name = "virtio-mmio",
	.text = "virtio over memory-mapped registers",
	.state_bytes = sizeof(struct virtio_mmio),
	.fields = fields,
	.reset = virtio_mmio_reset,
	.after_restore = after_restore,
};
