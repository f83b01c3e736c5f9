/* IDE: the commands of ATA disks. ATA/ATAPI-6, chapter 8. */
#include <string.h>

#include "base/bits.h"
#include "device/ide_parts.h"

enum {
	FEATURE_CACHE_ON = 0x02,
	FEATURE_MODE = 0x03,
	FEATURE_CACHE_OFF = 0x82,
	POWER_ACTIVE = 0xff,
};

/* How a transfer goes, by command. */
enum {
	WRITES = 1,
	DMA = 2,
	EXT = 4,      /* 48-bit address */
	MULTIPLE = 8, /* blocks of several sectors */
	VERIFY = 16,  /* no data */
};

static const struct {
	uint8_t command, flags;
} transfers[] = {
	{0x20, 0},
	{0x21, 0},
	{0x24, EXT},
	{0x25, DMA | EXT},
	{0x29, MULTIPLE | EXT},
	{0x30, WRITES},
	{0x31, WRITES},
	{0x34, WRITES | EXT},
	{0x35, WRITES | DMA | EXT},
	{0x39, WRITES | MULTIPLE | EXT},
	{0x40, VERIFY},
	{0x41, VERIFY},
	{0x42, VERIFY | EXT},
	{0xc4, MULTIPLE},
	{0xc5, WRITES | MULTIPLE},
	{0xc8, DMA},
	{0xc9, DMA},
	{0xca, WRITES | DMA},
	{0xcb, WRITES | DMA},
};

/* First sector; false for an address by cylinder that makes no sense. */
static bool address(struct ide_channel *c, unsigned flags, uint64_t *sector)
{
	const struct ide_registers *r = &c->r;
	const struct ide_drive *d = ide_selected(c);
	uint32_t low = r->lba[0][0] | (uint32_t)r->lba[1][0] << 8 | (uint32_t)r->lba[2][0] << 16;
	uint32_t head = r->device & 15, cylinder = low >> 8, first = low & 0xff;

	if (flags & EXT) {
		uint32_t high =
			r->lba[0][1] | (uint32_t)r->lba[1][1] << 8 | (uint32_t)r->lba[2][1] << 16;
		*sector = (uint64_t)high << 24 | low;
		return true;
	}
	if (r->device & IDE_LBA) {
		*sector = (uint64_t)head << 24 | low;
		return true;
	}
	*sector = ((uint64_t)cylinder * d->heads + head) * d->sectors + first - 1;
	return first >= 1 && first <= d->sectors && head < d->heads;
}

static uint32_t sectors(const struct ide_registers *r, unsigned flags)
{
	uint32_t n = r->count[0];

	if (!(flags & EXT))
		return n ? n : 256;
	n |= (uint32_t)r->count[1] << 8;
	return n ? n : 65536;
}

/* The first part of a write comes from the CPU, everything else begins on the I/O thread. */
static void transfer(struct ide_channel *c, unsigned flags)
{
	struct ide_registers *r = &c->r;
	const struct ide_drive *d = ide_selected(c);
	uint64_t total = d->disk->bytes / BLOCK_SECTOR, first;
	uint32_t n = sectors(r, flags);

	if (((flags & WRITES) && d->disk->readonly) || ((flags & MULTIPLE) && !d->multiple)) {
		ide_finish(c, IDE_ABORTED);
		return;
	}
	if (!address(c, flags, &first) || first > total || n > total - first) {
		ide_finish(c, IDE_NOT_FOUND);
		return;
	}
	if (flags & VERIFY) {
		ide_finish(c, 0);
		return;
	}
	r->writes = (flags & WRITES) != 0;
	r->dma = (flags & DMA) != 0;
	r->block_bytes = (flags & MULTIPLE ? d->multiple : 1u) * BLOCK_SECTOR;
	r->left = n;
	r->next = first;
	r->at = r->block_end = r->end = 0;
	if (!r->writes) {
		ide_go(c, IDE_READ);
		return;
	}
	r->end = (n < IDE_BUFFER_SECTORS ? n : IDE_BUFFER_SECTORS) * BLOCK_SECTOR;
	if (r->dma)
		ide_go(c, IDE_DMA);
	else
		ide_block_offer(c);
}

void ide_block_done(struct ide_channel *c)
{
	struct ide_registers *r = &c->r;

	if (r->at < r->end) {
		ide_block_offer(c);
		ide_raise(c);
	} else if (r->writes) {
		ide_go(c, IDE_WRITE);
	} else if (r->left) {
		ide_go(c, IDE_READ);
	} else {
		r->status = IDE_READY | IDE_SEEK_DONE;
	}
}

static void identify(struct ide_channel *c)
{
	struct ide_registers *r = &c->r;

	ide_identify(ide_selected(c), c->buffer);
	r->writes = r->dma = 0;
	r->left = r->at = 0;
	r->block_bytes = r->end = BLOCK_SECTOR;
	ide_block_offer(c);
	ide_raise(c);
}

static uint8_t set_features(struct ide_channel *c)
{
	struct ide_drive *d = ide_selected(c);
	uint8_t mode = c->r.count[0];

	switch (c->r.feature[0]) {
	case FEATURE_CACHE_ON:
	case FEATURE_CACHE_OFF:
		d->cache = c->r.feature[0] == FEATURE_CACHE_ON;
		return 0;
	case FEATURE_MODE: /* PIO modes 0-4, with flow control; multiword DMA 0-2 */
		if (mode <= 1 || (mode >= 0x08 && mode <= 0x0c))
			return 0;
		if (mode < 0x20 || mode > 0x22)
			return IDE_ABORTED;
		d->mode = mode & 3;
		return 0;
	case 0xaa: /* read look-ahead */
	case 0x55:
	case 0x66: /* settings kept over a soft reset, or not */
	case 0xcc:
		return 0;
	}
	return IDE_ABORTED;
}

static uint8_t set_multiple(struct ide_channel *c)
{
	uint8_t n = c->r.count[0];

	if (n > IDE_MULTIPLE_MAX || (n & (n - 1)))
		return IDE_ABORTED;
	ide_selected(c)->multiple = n;
	return 0;
}

static uint8_t set_geometry(struct ide_channel *c)
{
	if (!c->r.count[0])
		return IDE_ABORTED;
	ide_selected(c)->sectors = c->r.count[0];
	ide_selected(c)->heads = (c->r.device & 15) + 1;
	return 0;
}

/* Commands that are over at once. */
static uint8_t at_once(struct ide_channel *c, uint8_t command)
{
	switch (command) {
	case 0x10 ... 0x1f: /* RECALIBRATE */
	case 0x70 ... 0x7f: /* SEEK */
	case 0x94 ... 0x97: /* power, as ATA-1 numbered it */
	case 0x99:
	case 0xe0 ... 0xe3: /* STANDBY and IDLE, IMMEDIATE or not */
	case 0xe6:	    /* SLEEP */
		return 0;
	case 0x91:
		return set_geometry(c);
	case 0x98:
	case 0xe5: /* CHECK POWER MODE */
		c->r.count[0] = POWER_ACTIVE;
		return 0;
	case 0xc6:
		return set_multiple(c);
	case 0xef:
		return set_features(c);
	}
	return IDE_ABORTED;
}

static void diagnostic(struct ide_channel *c)
{
	uint8_t control = c->r.control;

	c->r.control = control & (uint8_t)~IDE_SOFT_RESET;
	ide_reset_end(c);
	c->r.control = control;
	ide_raise(c);
}

void ide_command(struct ide_channel *c, uint8_t command)
{
	TRACE(c->ide->wiring.trace, TRACE_PIO, "ide: command %02x to drive %u", command,
	      c->r.device & IDE_SECOND ? 1 : 0);
	c->r.command = command;
	c->r.error = 0;
	for (unsigned i = 0; i < ARRAY_LEN(transfers); i++) {
		if (transfers[i].command == command) {
			transfer(c, transfers[i].flags);
			return;
		}
	}
	switch (command) {
	case 0x90:
		diagnostic(c);
		break;
	case 0xe7: /* FLUSH CACHE */
	case 0xea:
		ide_go(c, IDE_FLUSH);
		break;
	case 0xec:
		identify(c);
		break;
	default:
		ide_finish(c, at_once(c, command));
	}
}
