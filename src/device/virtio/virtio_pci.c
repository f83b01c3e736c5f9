/* Virtio over PCI: see virtio_pci.h. */
#include "device/virtio/virtio_pci.h"

#include <string.h>

#include "base/bits.h"

enum {
	VIRTIO_PCI_VENDOR = 0x1af4,
	VIRTIO_PCI_ID = 0x1040, /* + type */
	VIRTIO_PCI_REVISION = 1,
	VIRTIO_PCI_SUBSYSTEM = 0x1100,
};

/* ---- common configuration, 4.1.4.3 */

enum common_field {
	COMMON_OFFERED_SELECT = 0x00,
	COMMON_OFFERED = 0x04,
	COMMON_ACCEPTED_SELECT = 0x08,
	COMMON_ACCEPTED = 0x0c,
	COMMON_CONFIG_VECTOR = 0x10,
	COMMON_QUEUES = 0x12,
	COMMON_STATUS = 0x14,
	COMMON_GENERATION = 0x15,
	COMMON_QUEUE_SELECT = 0x16,
	COMMON_QUEUE_SIZE = 0x18,
	COMMON_QUEUE_VECTOR = 0x1a,
	COMMON_QUEUE_ENABLE = 0x1c,
	COMMON_QUEUE_NOTIFY = 0x1e,
	COMMON_QUEUE_DESC = 0x20, /* each 8 bytes, in halves */
	COMMON_QUEUE_DRIVER = 0x28,
	COMMON_QUEUE_DEVICE = 0x30,
	COMMON_NOTIFY_DATA = 0x38,
	COMMON_QUEUE_RESET = 0x3a,
};

/* Fields in order, so that accesses of other widths come to the ones they cover. */
static const struct {
	uint8_t at, bytes;
} common_fields[] = {
	{COMMON_OFFERED_SELECT, 4},   {COMMON_OFFERED, 4},	    {COMMON_ACCEPTED_SELECT, 4},
	{COMMON_ACCEPTED, 4},	      {COMMON_CONFIG_VECTOR, 2},    {COMMON_QUEUES, 2},
	{COMMON_STATUS, 1},	      {COMMON_GENERATION, 1},	    {COMMON_QUEUE_SELECT, 2},
	{COMMON_QUEUE_SIZE, 2},	      {COMMON_QUEUE_VECTOR, 2},	    {COMMON_QUEUE_ENABLE, 2},
	{COMMON_QUEUE_NOTIFY, 2},     {COMMON_QUEUE_DESC, 4},	    {COMMON_QUEUE_DESC + 4, 4},
	{COMMON_QUEUE_DRIVER, 4},     {COMMON_QUEUE_DRIVER + 4, 4}, {COMMON_QUEUE_DEVICE, 4},
	{COMMON_QUEUE_DEVICE + 4, 4}, {COMMON_NOTIFY_DATA, 2},	    {COMMON_QUEUE_RESET, 2},
};

/* The selected queue, or NULL. */
static const struct virtqueue *selected(const struct virtio_pci *v)
{
	return v->queue < v->device->queues ? &v->device->queue[v->queue] : NULL;
}

static uint32_t half_read(uint64_t address, unsigned at)
{
	return (uint32_t)(address >> 8 * (at & 4));
}

static uint32_t queue_field_read(struct virtio_pci *v, unsigned at)
{
	const struct virtqueue *q = selected(v);

	if (!q)
		return at == COMMON_QUEUE_VECTOR ? VIRTIO_NO_VECTOR : 0;
	switch (at) {
	case COMMON_QUEUE_SIZE:
		return q->size;
	case COMMON_QUEUE_VECTOR:
		return v->queue_vector[v->queue];
	case COMMON_QUEUE_ENABLE:
		return virtio_queue_enabled(v->device, v->queue);
	case COMMON_QUEUE_NOTIFY:
		return v->queue;
	case COMMON_QUEUE_DESC:
	case COMMON_QUEUE_DESC + 4:
		return half_read(q->desc, at);
	case COMMON_QUEUE_DRIVER:
	case COMMON_QUEUE_DRIVER + 4:
		return half_read(q->driver, at);
	case COMMON_QUEUE_DEVICE:
	case COMMON_QUEUE_DEVICE + 4:
		return half_read(q->device, at);
	case COMMON_QUEUE_RESET:
		return virtio_queue_resetting(v->device, v->queue);
	}
	return 0;
}

static uint32_t common_field_read(struct virtio_pci *v, unsigned at)
{
	struct virtio_device *d = v->device;

	switch (at) {
	case COMMON_OFFERED_SELECT:
		return v->offered_word;
	case COMMON_OFFERED:
		return virtio_features_read(d, v->offered_word);
	case COMMON_ACCEPTED_SELECT:
		return v->accepted_word;
	case COMMON_ACCEPTED:
		return v->accepted_word < 2 ? (uint32_t)(d->accepted >> 32 * v->accepted_word) : 0;
	case COMMON_CONFIG_VECTOR:
		return v->config_vector;
	case COMMON_QUEUES:
		return d->queues;
	case COMMON_STATUS:
		return virtio_status_read(d);
	case COMMON_GENERATION:
		return d->generation & 0xff;
	case COMMON_QUEUE_SELECT:
		return v->queue;
	}
	return queue_field_read(v, at);
}

/* What cannot be served reads back as NO_VECTOR (4.1.5.1.2). */
static uint16_t vector_taken(const struct virtio_pci *v, uint32_t value)
{
	return value < v->msix.vectors ? (uint16_t)value : VIRTIO_NO_VECTOR;
}

static void half_write(uint64_t *address, unsigned at, uint32_t value)
{
	unsigned shift = 8 * (at & 4);

	*address = (*address & ~(0xffffffffull << shift)) | (uint64_t)value << shift;
}

/* Size and addresses, while the queue is not enabled. */
static void queue_setup_write(struct virtio_pci *v, unsigned at, uint32_t value)
{
	struct virtqueue *q = virtio_queue_setup(v->device, v->queue);

	if (!q)
		return;
	switch (at) {
	case COMMON_QUEUE_SIZE:
		q->size = (uint16_t)value;
		break;
	case COMMON_QUEUE_DESC:
	case COMMON_QUEUE_DESC + 4:
		half_write(&q->desc, at, value);
		break;
	case COMMON_QUEUE_DRIVER:
	case COMMON_QUEUE_DRIVER + 4:
		half_write(&q->driver, at, value);
		break;
	case COMMON_QUEUE_DEVICE:
	case COMMON_QUEUE_DEVICE + 4:
		half_write(&q->device, at, value);
		break;
	}
}

static void queue_field_write(struct virtio_pci *v, unsigned at, uint32_t value)
{
	if (!selected(v))
		return;
	switch (at) {
	case COMMON_QUEUE_VECTOR:
		v->queue_vector[v->queue] = vector_taken(v, value);
		break;
	case COMMON_QUEUE_ENABLE:
		if (value == 1)
			virtio_queue_enable(v->device, v->queue);
		break;
	case COMMON_QUEUE_RESET:
		if (value == 1)
			virtio_queue_reset(v->device, v->queue);
		break;
	default:
		queue_setup_write(v, at, value);
	}
}

/* The transport's own part of a device reset. */
static void registers_reset(struct virtio_pci *v)
{
	v->offered_word = v->accepted_word = 0;
	v->queue = 0;
	v->config_vector = VIRTIO_NO_VECTOR;
	for (unsigned i = 0; i < VIRTIO_QUEUES_MAX; i++)
		v->queue_vector[i] = VIRTIO_NO_VECTOR;
	v->isr = 0;
	pci_function_intx(&v->pci, 0);
}

static void common_field_write(struct virtio_pci *v, unsigned at, uint32_t value)
{
	switch (at) {
	case COMMON_OFFERED_SELECT:
		v->offered_word = value;
		break;
	case COMMON_ACCEPTED_SELECT:
		v->accepted_word = value;
		break;
	case COMMON_ACCEPTED:
		virtio_features_write(v->device, v->accepted_word, value);
		break;
	case COMMON_CONFIG_VECTOR:
		v->config_vector = vector_taken(v, value);
		break;
	case COMMON_STATUS:
		virtio_status_write(v->device, (uint8_t)value);
		if (value == 0)
			registers_reset(v);
		break;
	case COMMON_QUEUE_SELECT:
		v->queue = (uint16_t)value;
		break;
	default:
		queue_field_write(v, at, value);
	}
}

static uint32_t common_read(struct virtio_pci *v, unsigned offset, unsigned bytes)
{
	uint64_t word = 0;
	unsigned first = offset & ~3u;

	for (unsigned i = 0; i < ARRAY_LEN(common_fields); i++) {
		unsigned at = common_fields[i].at;

		if (at < offset + bytes && at + common_fields[i].bytes > offset)
			word |= (uint64_t)common_field_read(v, at) << 8 * (at - first);
	}
	return (uint32_t)(word >> 8 * (offset - first) & bits_mask(8 * bytes));
}

/* Fields that are covered in part are left alone. */
static void common_write(struct virtio_pci *v, unsigned offset, uint32_t value, unsigned bytes)
{
	for (unsigned i = 0; i < ARRAY_LEN(common_fields); i++) {
		unsigned at = common_fields[i].at, n = common_fields[i].bytes;

		if (at >= offset && at + n <= offset + bytes)
			common_field_write(
				v, at, (uint32_t)(value >> 8 * (at - offset) & bits_mask(8 * n)));
	}
}

/* ---- the BAR */

static uint32_t isr_read(struct virtio_pci *v)
{
	uint8_t isr = v->isr;

	v->isr = 0;
	pci_function_intx(&v->pci, 0);
	return isr;
}

static uint64_t virtio_pci_read(void *opaque, uint64_t offset, unsigned bytes)
{
	struct virtio_pci *v = opaque;
	uint8_t buf[4] = {0};

	switch (offset & ~0xfffull) {
	case VIRTIO_PCI_COMMON:
		return offset + bytes <= VIRTIO_PCI_COMMON_BYTES
			       ? common_read(v, (unsigned)offset, bytes)
			       : 0;
	case VIRTIO_PCI_ISR:
		return offset == VIRTIO_PCI_ISR ? isr_read(v) : 0;
	case VIRTIO_PCI_DEVICE:
		virtio_config_read(v->device, (uint32_t)(offset - VIRTIO_PCI_DEVICE), buf, bytes);
		return load_le32(buf);
	case VIRTIO_PCI_TABLE:
		return msix_table_read(&v->msix, offset - VIRTIO_PCI_TABLE, bytes);
	case VIRTIO_PCI_PENDING:
		return msix_pending_read(&v->msix, offset - VIRTIO_PCI_PENDING, bytes);
	}
	return 0;
}

static void virtio_pci_write(void *opaque, uint64_t offset, uint64_t value, unsigned bytes)
{
	struct virtio_pci *v = opaque;
	uint8_t buf[8];

	switch (offset & ~0xfffull) {
	case VIRTIO_PCI_NOTIFY:
		virtio_kick(v->device,
			    (unsigned)(offset - VIRTIO_PCI_NOTIFY) / VIRTIO_PCI_NOTIFY_STEP);
		break;
	case VIRTIO_PCI_COMMON:
		common_write(v, (unsigned)offset, (uint32_t)value, bytes);
		break;
	case VIRTIO_PCI_DEVICE:
		store_le64(buf, value);
		virtio_config_write(v->device, (uint32_t)(offset - VIRTIO_PCI_DEVICE), buf, bytes);
		break;
	case VIRTIO_PCI_TABLE:
		msix_table_write(&v->msix, offset - VIRTIO_PCI_TABLE, (uint32_t)value, bytes);
		break;
	}
}

/* ---- interrupts, 4.1.5.3 and 4.1.5.4 */

static void interrupt(void *opaque, unsigned cause, unsigned queue)
{
	struct virtio_pci *v = opaque;

	if (msix_enabled(&v->msix)) {
		unsigned vector = cause == VIRTIO_ISR_CONFIG
					  ? v->config_vector
					  : v->queue_vector[queue % VIRTIO_QUEUES_MAX];
		/* NO_VECTOR is more than any table has */
		msix_send(&v->msix, vector);
		return;
	}
	v->isr |= (uint8_t)cause;
	pci_function_intx(&v->pci, 1);
}

/* ---- configuration space */

/* Offsets in a vendor capability, 4.1.4 */
enum {
	CAP_LEN = 2,
	CAP_TYPE = 3,
	CAP_BAR = 4,
	CAP_OFFSET = 8,
	CAP_LENGTH = 12,
	CAP_BYTES = 16,
	CAP_NOTIFY_STEP = 16, /* notification capability only */
	CAP_DATA = 16,	      /* access capability only */
	CAP_BYTES_MORE = 20,
};
enum { CAP_COMMON = 1, CAP_NOTIFY = 2, CAP_ISR = 3, CAP_DEVICE = 4, CAP_ACCESS = 5 };

/* The access capability's window: where in the BAR, or false if it is none. 4.1.4.9 */
static bool access_window(const struct virtio_pci *v, uint32_t *offset, uint32_t *bytes)
{
	const uint8_t *cap = v->pci.config + v->access_at;

	*offset = load_le32(cap + CAP_OFFSET);
	*bytes = load_le32(cap + CAP_LENGTH);
	return cap[CAP_BAR] == VIRTIO_PCI_BAR && (*bytes == 1 || *bytes == 2 || *bytes == 4) &&
	       *offset <= VIRTIO_PCI_BAR_BYTES - *bytes && !(*offset & (*bytes - 1));
}

static bool covers_data(const struct virtio_pci *v, unsigned offset, unsigned bytes)
{
	unsigned data = v->access_at + CAP_DATA;

	return offset < data + 4 && offset + bytes > data;
}

static void config_reading(void *opaque, unsigned offset, unsigned bytes)
{
	struct virtio_pci *v = opaque;
	uint32_t at, n;

	if (covers_data(v, offset, bytes) && access_window(v, &at, &n))
		store_le32(v->pci.config + v->access_at + CAP_DATA,
			   (uint32_t)virtio_pci_read(v, at, n));
}

static void config_written(void *opaque, unsigned offset, unsigned bytes)
{
	struct virtio_pci *v = opaque;
	uint32_t at, n;

	if (covers_data(v, offset, bytes) && access_window(v, &at, &n))
		virtio_pci_write(
			v, at,
			load_le32(v->pci.config + v->access_at + CAP_DATA) & bits_mask(8 * n), n);
}

static const struct pci_function_ops function_ops = {
	.config_written = config_written,
	.config_reading = config_reading,
};

static unsigned add_capability(struct virtio_pci *v, uint8_t type, uint32_t offset, uint32_t bytes,
			       uint8_t len)
{
	unsigned at = pci_function_capability(&v->pci, PCI_CAP_VENDOR, len);
	uint8_t *cap = v->pci.config + at;

	cap[CAP_LEN] = len;
	cap[CAP_TYPE] = type;
	cap[CAP_BAR] = VIRTIO_PCI_BAR;
	store_le32(cap + CAP_OFFSET, offset);
	store_le32(cap + CAP_LENGTH, bytes);
	return at;
}

/* They fit: 16 + 20 + 16 + 16 + 20 bytes, and MSI-X's 12, of 192. */
static void add_capabilities(struct virtio_pci *v)
{
	unsigned at;

	msix_init(&v->msix, &v->pci, v->device->queues + 1, VIRTIO_PCI_BAR, VIRTIO_PCI_TABLE,
		  VIRTIO_PCI_PENDING);
	at = add_capability(v, CAP_ACCESS, 0, 0, CAP_BYTES_MORE);
	v->access_at = (uint8_t)at;
	v->pci.writable[at + CAP_BAR] = 0xff;
	memset(v->pci.writable + at + CAP_OFFSET, 0xff, CAP_BYTES_MORE - CAP_OFFSET);
	at = add_capability(v, CAP_NOTIFY, VIRTIO_PCI_NOTIFY,
			    VIRTIO_QUEUES_MAX * VIRTIO_PCI_NOTIFY_STEP, CAP_BYTES_MORE);
	store_le32(v->pci.config + at + CAP_NOTIFY_STEP, VIRTIO_PCI_NOTIFY_STEP);
	if (v->device->type->config_bytes)
		add_capability(v, CAP_DEVICE, VIRTIO_PCI_DEVICE, v->device->type->config_bytes,
			       CAP_BYTES);
	add_capability(v, CAP_ISR, VIRTIO_PCI_ISR, VIRTIO_PCI_ISR_BYTES, CAP_BYTES);
	add_capability(v, CAP_COMMON, VIRTIO_PCI_COMMON, VIRTIO_PCI_COMMON_BYTES, CAP_BYTES);
}

/* What kind of thing it is to systems that have no driver for it. */
static uint32_t class_of(enum virtio_id id)
{
	switch (id) {
	case VIRTIO_ID_NET:
		return 0x020000; /* Ethernet */
	case VIRTIO_ID_BLOCK:
		return 0x018000; /* mass storage, other */
	case VIRTIO_ID_CONSOLE:
		return 0x078000; /* communication, other */
	default:
		return 0xff0000; /* in no class */
	}
}

void virtio_pci_reset(void *virtio_pci)
{
	registers_reset(virtio_pci);
}

void virtio_pci_init(struct virtio_pci *v, struct virtio_device *d)
{
	enum virtio_id id = d->type->id;
	struct pci_function *f = &v->pci;

	memset(v, 0, sizeof(*v));
	v->device = d;
	pci_function_init(f, VIRTIO_PCI_VENDOR, (uint16_t)(VIRTIO_PCI_ID + id), class_of(id),
			  VIRTIO_PCI_REVISION, &function_ops, v);
	store_le16(f->config + PCI_SUBSYSTEM_VENDOR, VIRTIO_PCI_VENDOR);
	store_le16(f->config + PCI_SUBSYSTEM, VIRTIO_PCI_SUBSYSTEM);
	pci_function_bar(f, VIRTIO_PCI_BAR, VIRTIO_PCI_BAR_BYTES, 0);
	f->bar_ops[VIRTIO_PCI_BAR] = &virtio_pci_io_ops;
	f->bar_opaque = v;
	add_capabilities(v);
	virtio_pci_reset(v);
	d->transport.interrupt = interrupt;
	d->transport.opaque = v;
}

const struct io_ops virtio_pci_io_ops = {virtio_pci_read, virtio_pci_write, 4};

static const struct field virtio_pci_fields[] = {
	FIELD(struct virtio_pci, offered_word),
	FIELD(struct virtio_pci, accepted_word),
	FIELD(struct virtio_pci, queue),
	FIELD(struct virtio_pci, config_vector),
	FIELD_ARRAY(struct virtio_pci, queue_vector),
	FIELD(struct virtio_pci, isr),
	FIELD_END,
};

const struct device_desc virtio_pci_desc = {
	.name = "virtio-pci",
	.text = "virtio over PCI",
	.state_bytes = sizeof(struct virtio_pci),
	.fields = virtio_pci_fields,
	.reset = virtio_pci_reset,
};
