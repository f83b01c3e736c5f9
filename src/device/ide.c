/* IDE: registers, resets and the PCI functions. See ide.h. */
#include "device/ide.h"

#include <string.h>

#include "base/bits.h"
#include "device/ide_parts.h"

enum {
	REG_DATA = 0,
	REG_ERROR = 1, /* feature when written */
	REG_COUNT = 2,
	REG_LBA = 3, /* to 5 */
	REG_DEVICE = 6,
	REG_STATUS = 7, /* command when written */
	DEVICE_ONES = 0xa0,
	PIIX_VENDOR = 0x8086,
	PIIX_BRIDGE = 0x7000,
	PIIX_IDE = 0x7010,
	PIIX_TIMING = 0x40, /* 2 bytes a channel; bit 15: its ports are decoded */
	HEADER_MANY = 0x80, /* a device of several functions */
};

static void irq_update(struct ide_channel *c)
{
	irq_line_set(&c->irq, c->r.irq && !(c->r.control & IDE_NO_IRQ));
}

void ide_raise(struct ide_channel *c)
{
	c->r.irq = 1;
	c->r.bm_status |= IDE_BM_IRQ;
	irq_update(c);
}

void ide_finish(struct ide_channel *c, uint8_t error)
{
	c->r.phase = IDE_IDLE;
	c->r.error = error;
	c->r.status = IDE_READY | IDE_SEEK_DONE | (error ? IDE_ERROR : 0);
	ide_raise(c);
}

/* ---- resets */

/* What a disk leaves in the registers: that it is one. */
static void signature(struct ide_channel *c)
{
	c->r.count[0] = c->r.lba[0][0] = 1;
	c->r.lba[1][0] = c->r.lba[2][0] = 0;
	c->r.device = 0;
	c->r.error = 1; /* diagnostics passed */
	c->r.status = IDE_READY | IDE_SEEK_DONE;
}

void ide_reset_end(struct ide_channel *c)
{
	struct ide_registers *r = &c->r;

	r->resetting = 0;
	r->phase = IDE_IDLE;
	r->at = r->block_end = r->end = r->left = 0;
	r->irq = 0;
	irq_update(c);
	signature(c);
	if (r->control & IDE_SOFT_RESET)
		r->status = IDE_BUSY;
}

static void control_write(struct ide_channel *c, uint8_t v)
{
	uint8_t was = c->r.control;

	c->r.control = v;
	irq_update(c);
	if (!((was ^ v) & IDE_SOFT_RESET))
		return;
	if (c->r.phase == IDE_FLIGHT || c->r.resetting) {
		c->r.resetting = 1;
		c->r.status = IDE_BUSY;
		return;
	}
	ide_reset_end(c);
}

static void drive_reset(struct ide_drive *d)
{
	uint32_t cylinders, heads, sectors;

	d->multiple = 0;
	d->mode = 2;
	d->cache = 1;
	d->heads = d->sectors = 0;
	if (!d->disk)
		return;
	ide_geometry(d, &cylinders, &heads, &sectors);
	d->heads = (uint8_t)heads;
	d->sectors = (uint8_t)sectors;
}

void ide_reset(void *opaque)
{
	struct ide *ide = opaque;

	for (unsigned i = 0; i < IDE_CHANNELS; i++) {
		struct ide_channel *c = &ide->channel[i];

		memset(&c->r, 0, sizeof(c->r));
		for (unsigned k = 0; k < IDE_DRIVES; k++)
			drive_reset(&c->drive[k]);
		ide_reset_end(c);
	}
}

/* ---- the data port */

static uint32_t data_read(struct ide_channel *c, unsigned bytes)
{
	struct ide_registers *r = &c->r;
	uint32_t v = 0;

	if (!(r->status & IDE_REQUEST) || r->writes || r->dma || bytes > r->block_end - r->at)
		return 0;
	memcpy(&v, c->buffer + r->at, bytes);
	r->at += bytes;
	if (r->at == r->block_end)
		ide_block_done(c);
	return v;
}

static void data_write(struct ide_channel *c, uint32_t value, unsigned bytes)
{
	struct ide_registers *r = &c->r;

	if (!(r->status & IDE_REQUEST) || !r->writes || r->dma || bytes > r->block_end - r->at)
		return;
	memcpy(c->buffer + r->at, &value, bytes);
	r->at += bytes;
	if (r->at == r->block_end)
		ide_block_done(c);
}

/* ---- registers */

static bool empty(const struct ide_channel *c)
{
	return !c->drive[0].disk && !c->drive[1].disk;
}

static uint8_t register_read(struct ide_channel *c, unsigned n)
{
	struct ide_registers *r = &c->r;
	unsigned old = r->control & IDE_HIGH_ORDER ? 1 : 0;

	if (empty(c))
		return 0xff;
	switch (n) {
	case REG_ERROR:
		return r->error;
	case REG_COUNT:
		return r->count[old];
	case REG_DEVICE:
		return r->device | DEVICE_ONES;
	case REG_STATUS:
		r->irq = 0;
		irq_update(c);
		return ide_selected(c)->disk ? r->status : 0;
	}
	return r->lba[n - REG_LBA][old];
}

static void register_push(uint8_t reg[2], uint8_t v)
{
	reg[1] = reg[0];
	reg[0] = v;
}

static void register_write(struct ide_channel *c, unsigned n, uint8_t v)
{
	struct ide_registers *r = &c->r;

	r->control &= (uint8_t)~IDE_HIGH_ORDER;
	if (empty(c) || (r->status & (IDE_BUSY | IDE_REQUEST)))
		return;
	switch (n) {
	case REG_ERROR:
		register_push(r->feature, v);
		break;
	case REG_COUNT:
		register_push(r->count, v);
		break;
	case REG_DEVICE:
		r->device = v;
		break;
	case REG_STATUS:
		r->irq = 0;
		irq_update(c);
		if (ide_selected(c)->disk)
			ide_command(c, v);
		break;
	default:
		register_push(r->lba[n - REG_LBA], v);
	}
}

static uint64_t command_read(void *opaque, uint64_t offset, unsigned bytes)
{
	uint32_t v = 0;

	if (offset == REG_DATA)
		return data_read(opaque, bytes);
	for (unsigned i = 0; i < bytes; i++)
		v |= (uint32_t)register_read(opaque, (unsigned)offset + i) << 8 * i;
	return v;
}

static void command_write(void *opaque, uint64_t offset, uint64_t value, unsigned bytes)
{
	if (offset == REG_DATA) {
		data_write(opaque, (uint32_t)value, bytes);
		return;
	}
	for (unsigned i = 0; i < bytes; i++)
		register_write(opaque, (unsigned)offset + i, (uint8_t)(value >> 8 * i));
}

/* The status without its effect on the interrupt. */
static uint64_t control_port_read(void *opaque, uint64_t offset, unsigned bytes)
{
	struct ide_channel *c = opaque;

	if (empty(c))
		return 0xff;
	return ide_selected(c)->disk ? c->r.status : 0;
}

static void control_port_write(void *opaque, uint64_t offset, uint64_t value, unsigned bytes)
{
	struct ide_channel *c = opaque;

	if (!empty(c))
		control_write(c, (uint8_t)value);
}

static uint64_t bus_master_read(void *opaque, uint64_t offset, unsigned bytes)
{
	struct ide *ide = opaque;
	uint32_t v = 0;

	for (unsigned i = 0; i < bytes; i++, offset++)
		v |= (uint32_t)ide_bus_master_read(&ide->channel[offset >> 3 & 1], offset & 7)
		     << 8 * i;
	return v;
}

static void bus_master_write(void *opaque, uint64_t offset, uint64_t value, unsigned bytes)
{
	struct ide *ide = opaque;

	for (unsigned i = 0; i < bytes; i++, offset++)
		ide_bus_master_write(&ide->channel[offset >> 3 & 1], offset & 7,
				     (uint8_t)(value >> 8 * i));
}

const struct io_ops ide_command_io_ops = {command_read, command_write, 4};
const struct io_ops ide_control_io_ops = {control_port_read, control_port_write, 1};
static const struct io_ops bus_master_ops = {bus_master_read, bus_master_write, 4};

/* ---- creation */

bool ide_attach(struct ide *ide, unsigned n, struct block_disk *disk)
{
	struct ide_drive *d;

	if (n >= IDE_CHANNELS * IDE_DRIVES)
		return false;
	d = &ide->channel[n / IDE_DRIVES].drive[n % IDE_DRIVES];
	d->disk = disk;
	drive_reset(d);
	return true;
}

static void init_functions(struct ide *ide)
{
	struct pci_function *f = &ide->pci;

	pci_function_init(&ide->bridge, PIIX_VENDOR, PIIX_BRIDGE, 0x060100, 0, NULL, NULL);
	ide->bridge.config[PCI_HEADER] = HEADER_MANY;
	pci_function_init(f, PIIX_VENDOR, PIIX_IDE, 0x010180, 0, NULL, NULL);
	pci_function_bar(f, 4, IDE_BUS_MASTER_BYTES, PCI_BAR_IO);
	f->bar_ops[4] = &bus_master_ops;
	f->bar_opaque = ide;
	for (unsigned i = 0; i < IDE_CHANNELS; i++) {
		store_le16(f->config + PIIX_TIMING + 2 * i, 0x8000);
		store_le16(f->writable + PIIX_TIMING + 2 * i, 0xffff);
	}
	f->writable[PIIX_TIMING + 4] = 0xff;
}

void ide_init(struct ide *ide, struct irq_line primary, struct irq_line secondary,
	      const struct pci_wiring *w)
{
	memset(ide, 0, sizeof(*ide));
	ide->wiring = *w;
	ide->worker = *w->worker;
	ide->wiring.worker = &ide->worker;
	for (unsigned i = 0; i < IDE_CHANNELS; i++) {
		ide->channel[i].ide = ide;
		ide->channel[i].irq = i ? secondary : primary;
		ide_transfer_init(&ide->channel[i]);
	}
	init_functions(ide);
	ide_reset(ide);
}

static void ide_after_restore(void *opaque)
{
	struct ide *ide = opaque;

	for (unsigned i = 0; i < IDE_CHANNELS; i++) {
		struct ide_channel *c = &ide->channel[i];
		struct ide_registers *r = &c->r;

		if (r->end > IDE_BUFFER_BYTES || r->block_end > r->end || r->at > r->block_end)
			r->at = r->block_end = r->end = 0;
		irq_update(c);
		if (r->phase != IDE_IDLE)
			ide_go(c, r->phase);
	}
}

/* clang-format off */
static const struct field ide_fields[] = {
	{"primary", offsetof(struct ide, channel[0].r), 1, sizeof(struct ide_registers), 0},
	{"secondary", offsetof(struct ide, channel[1].r), 1, sizeof(struct ide_registers), 0},
	{"drive0", offsetof(struct ide, channel[0].drive[0]), 1, offsetof(struct ide_drive, disk), 0},
	{"drive1", offsetof(struct ide, channel[0].drive[1]), 1, offsetof(struct ide_drive, disk), 0},
	{"drive2", offsetof(struct ide, channel[1].drive[0]), 1, offsetof(struct ide_drive, disk), 0},
	{"drive3", offsetof(struct ide, channel[1].drive[1]), 1, offsetof(struct ide_drive, disk), 0},
	{"buffer0", offsetof(struct ide, channel[0].buffer), 1, IDE_BUFFER_BYTES, 0},
	{"buffer1", offsetof(struct ide, channel[1].buffer), 1, IDE_BUFFER_BYTES, 0},
	FIELD_END,
};
/* clang-format on */

const struct device_desc ide_desc = {
	.name = "ide",
	.text = "IDE controller with ATA disks",
	.state_bytes = sizeof(struct ide),
	.fields = ide_fields,
	.reset = ide_reset,
	.after_restore = ide_after_restore,
};
