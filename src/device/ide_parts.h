/* Parts of the IDE model that its files share; see ide.h. Under the machine lock. */
#ifndef DEVICE_IDE_PARTS_H
#define DEVICE_IDE_PARTS_H

#include "device/ide.h"

enum {
	/* status */
	IDE_BUSY = 0x80,
	IDE_READY = 0x40,
	IDE_SEEK_DONE = 0x10,
	IDE_REQUEST = 0x08,
	IDE_ERROR = 0x01,
	/* error */
	IDE_ABORTED = 0x04,
	IDE_NOT_FOUND = 0x10,
	IDE_UNCORRECTABLE = 0x40,
	/* control */
	IDE_NO_IRQ = 0x02,
	IDE_SOFT_RESET = 0x04,
	IDE_HIGH_ORDER = 0x80,
	/* device */
	IDE_LBA = 0x40,
	IDE_SECOND = 0x10,
	IDE_MULTIPLE_MAX = 16,
	/* bus master: command and status */
	IDE_BM_START = 0x01,
	IDE_BM_TO_MEMORY = 0x08,
	IDE_BM_ACTIVE = 0x01,
	IDE_BM_ERROR = 0x02,
	IDE_BM_IRQ = 0x04,
};

static inline struct ide_drive *ide_selected(struct ide_channel *c)
{
	return &c->drive[c->r.device & IDE_SECOND ? 1 : 0];
}

/* ide.c */
void ide_raise(struct ide_channel *c);
/* The command is over, with or without an error (IDE_ABORTED, ...): status, interrupt. */
void ide_finish(struct ide_channel *c, uint8_t error);
/* What was asked for while a request was in flight. */
void ide_reset_end(struct ide_channel *c);

/* ide_command.c: the command register was written. */
void ide_command(struct ide_channel *c, uint8_t command);
/* A sector or block passed the data port completely: go on. */
void ide_block_done(struct ide_channel *c);

/* ide_identify.c: the 512 bytes of IDENTIFY DEVICE. */
void ide_identify(const struct ide_drive *d, uint8_t *out);
void ide_geometry(const struct ide_drive *d, uint32_t *cylinders, uint32_t *heads,
		  uint32_t *sectors);

/* ide_transfer.c: the I/O thread is to do what the phase says. */
void ide_go(struct ide_channel *c, enum ide_phase phase);
/* Offer the next block at the data port. */
void ide_block_offer(struct ide_channel *c);
uint8_t ide_bus_master_read(struct ide_channel *c, unsigned offset);
void ide_bus_master_write(struct ide_channel *c, unsigned offset, uint8_t value);
void ide_transfer_init(struct ide_channel *c);

#endif
