/*
 * IDE as in the 82371SB (PIIX3): an ISA bridge, and beside it a function with two channels of two
 * ATA disks at the legacy ports, with bus mastering. For guests without virtio drivers. ATA/ATAPI-6
 * (T13 1410D), 82371FB/SB datasheet (290550), Programming Interface for Bus Master IDE 1.0.
 *
 * Registers are guarded by the machine lock. Data goes through a buffer of each channel, which is
 * the I/O thread's while a request of it is in flight. Left out on purpose: ATAPI, timing (the
 * registers keep what is written), Ultra DMA, power states beyond answering for them, SMART and
 * security; registers do not count along while a command runs.
 */
#ifndef DEVICE_IDE_H
#define DEVICE_IDE_H

#include "device/block.h"
#include "device/device.h"
#include "device/pci/pci.h"
#include "device/worker.h"

enum {
	IDE_CHANNELS = 2,
	IDE_DRIVES = 2, /* of a channel */
	IDE_BUFFER_SECTORS = 256,
	IDE_BUFFER_BYTES = IDE_BUFFER_SECTORS * BLOCK_SECTOR,
	IDE_BUS_MASTER_BYTES = 16, /* BAR 4 */
};

enum ide_phase {
	IDE_IDLE,  /* waits for the CPU: a command, or data at the data port */
	IDE_READ,  /* the next piece is to be read from the disk */
	IDE_WRITE, /* the buffer is to be written to the disk */
	IDE_FLUSH,
	IDE_DMA,    /* between buffer and memory, as soon as the bus master is started */
	IDE_FLIGHT, /* a request of the disk's is out */
};

struct ide_drive {
	/* state */
	uint8_t multiple;	/* sectors per block of the MULTIPLE commands; 0: not set */
	uint8_t heads, sectors; /* as addressed by cylinder */
	uint8_t mode;		/* of multiword DMA, 0-2 */
	uint8_t cache;		/* write cache is on */
	/* wiring */
	struct block_disk *disk; /* NULL: not there */
};

/* Registers, with what was in them before, as 48-bit addresses use. */
struct ide_registers {
	uint8_t feature[2], count[2], lba[3][2];
	uint8_t device, status, error, control, command;
	uint8_t bm_command, bm_status;
	uint32_t bm_table;
	/* the command being carried out */
	uint8_t phase, writes, dma, resetting, irq;
	uint8_t prd_last; /* the table's last entry has been taken */
	uint32_t at, block_end,
		end; /* in the buffer: next byte, end of the block, of what is valid */
	uint32_t block_bytes;
	uint32_t left; /* sectors still to be moved between disk and buffer */
	uint32_t prd_at, prd_base, prd_left;
	uint64_t next; /* sector */
};

struct ide;

struct ide_channel {
	struct ide_registers r;
	struct ide_drive drive[IDE_DRIVES];
	uint8_t buffer[IDE_BUFFER_BYTES];
	/* parts and wiring */
	struct ide *ide;
	struct irq_line irq;
	struct work work;
	struct block_request request;
	struct io_piece piece;
};

struct ide {
	struct ide_channel channel[IDE_CHANNELS];
	struct pci_function bridge, pci;
	struct pci_wiring wiring;
	struct worker worker;
};

extern const struct io_ops
	ide_command_io_ops; /* opaque: struct ide_channel; 8 ports (1F0h, 170h) */
extern const struct io_ops ide_control_io_ops; /* the same; 1 port (3F6h, 376h) */
extern const struct device_desc ide_desc;

/* No disks yet. The machine puts bridge and pci on its bus as two functions of one device. */
void ide_init(struct ide *ide, struct irq_line primary, struct irq_line secondary,
	      const struct pci_wiring *w);
/* Drive n of 4, in order of channels, before anything runs. False if there is no such place. */
bool ide_attach(struct ide *ide, unsigned n, struct block_disk *disk);
void ide_reset(void *ide);

#endif
