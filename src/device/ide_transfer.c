/* IDE: data on its way between disk, buffer and memory; the bus master. Programming Interface for
 * Bus Master IDE 1.0. */
#include <string.h>

#include "base/bits.h"
#include "device/ide_parts.h"
#include "host/host.h"

enum {
	PRD_BYTES = 8,
	PRD_LAST = 0x80, /* in byte 7 */
	BM_COMMAND = 0,
	BM_STATUS = 2,
	BM_TABLE = 4,
	BM_CAPABLE = 0x60, /* what software says about the drives */
};

static void lock(struct ide_channel *c)
{
	if (c->ide->wiring.lock)
		host_mutex_lock(c->ide->wiring.lock);
}

static void unlock(struct ide_channel *c)
{
	if (c->ide->wiring.lock)
		host_mutex_unlock(c->ide->wiring.lock);
}

void ide_go(struct ide_channel *c, enum ide_phase phase)
{
	c->r.phase = (uint8_t)phase;
	c->r.status = IDE_BUSY;
	if (c->ide->worker.post)
		worker_post(&c->ide->worker, &c->work);
}

void ide_block_offer(struct ide_channel *c)
{
	struct ide_registers *r = &c->r;

	r->phase = IDE_IDLE;
	r->block_end = r->end - r->at < r->block_bytes ? r->end : r->at + r->block_bytes;
	r->status = IDE_READY | IDE_SEEK_DONE | IDE_REQUEST;
}

/* ---- between buffer and memory */

/* The next piece of memory the table names; false at its end, or where it is no memory. */
static bool prd_next(struct ide_channel *c)
{
	struct ide_registers *r = &c->r;
	uint8_t b[PRD_BYTES];

	if (r->prd_last || !space_read(c->ide->wiring.memory, r->prd_at, b, sizeof(b)))
		return false;
	r->prd_at += PRD_BYTES;
	r->prd_base = load_le32(b) & ~1u;
	r->prd_left = load_le16(b + 4) & ~1u;
	if (!r->prd_left)
		r->prd_left = 0x10000;
	r->prd_last = (b[7] & PRD_LAST) != 0;
	return true;
}

/* All of the buffer that is valid. */
static bool dma_move(struct ide_channel *c)
{
	struct ide_registers *r = &c->r;
	struct space *memory = c->ide->wiring.memory;

	if (((r->bm_command & IDE_BM_TO_MEMORY) != 0) == (r->writes != 0))
		return false;
	for (r->at = 0; r->at < r->end;) {
		uint32_t n = r->end - r->at;
		bool ok;

		if (!r->prd_left && !prd_next(c))
			return false;
		n = r->prd_left < n ? r->prd_left : n;
		if (r->writes)
			ok = space_read(memory, r->prd_base, c->buffer + r->at, n);
		else
			ok = space_write(memory, r->prd_base, c->buffer + r->at, n);
		if (!ok)
			return false;
		r->at += n;
		r->prd_base += n;
		r->prd_left -= n;
	}
	return true;
}

/* The transfer is complete, or broke off. */
static void dma_end(struct ide_channel *c, uint8_t error)
{
	struct ide_registers *r = &c->r;

	if (error || (!r->prd_left && r->prd_last))
		r->bm_status &= (uint8_t)~IDE_BM_ACTIVE;
	ide_finish(c, error);
}

/* The bus master has been started: what follows. */
static void dma_step(struct ide_channel *c)
{
	struct ide_registers *r = &c->r;

	if (!dma_move(c)) {
		r->bm_status |= IDE_BM_ERROR;
		dma_end(c, IDE_ABORTED);
	} else if (r->writes) {
		r->phase = IDE_WRITE;
	} else if (r->left) {
		r->phase = IDE_READ;
	} else {
		dma_end(c, 0);
	}
}

/* ---- between disk and buffer; on the I/O thread */

static void request_make(struct ide_channel *c)
{
	struct ide_registers *r = &c->r;
	struct block_request *q = &c->request;
	uint32_t n = r->left < IDE_BUFFER_SECTORS ? r->left : IDE_BUFFER_SECTORS;

	q->op = r->phase == IDE_READ	? BLOCK_READ
		: r->phase == IDE_WRITE ? BLOCK_WRITE
					: BLOCK_FLUSH;
	if (q->op == BLOCK_FLUSH)
		n = 0;
	c->piece = (struct io_piece){c->buffer, n * BLOCK_SECTOR};
	q->offset = q->op == BLOCK_FLUSH ? 0 : r->next * BLOCK_SECTOR;
	q->bytes = c->piece.len;
	q->piece = &c->piece;
	q->pieces = n ? 1 : 0;
	r->phase = IDE_FLIGHT;
}

/* Do what can be done without waiting; ends with a request, or waiting for the CPU. */
static void step(void *opaque)
{
	struct ide_channel *c = opaque;
	struct block_disk *disk = NULL;

	lock(c);
	if (c->r.phase == IDE_DMA && (c->r.bm_command & IDE_BM_START))
		dma_step(c);
	if (c->r.phase == IDE_READ || c->r.phase == IDE_WRITE || c->r.phase == IDE_FLUSH) {
		disk = ide_selected(c)->disk;
		request_make(c);
	}
	unlock(c);
	if (disk)
		block_submit(disk, &c->request);
}

/* A read or write of the buffer is done. */
static void piece_done(struct ide_channel *c)
{
	struct ide_registers *r = &c->r;
	uint32_t n = (uint32_t)(c->request.bytes / BLOCK_SECTOR);

	r->next += n;
	r->left -= n;
	r->at = 0;
	if (r->writes)
		n = r->left < IDE_BUFFER_SECTORS ? r->left : IDE_BUFFER_SECTORS;
	r->end = n * BLOCK_SECTOR;
	if (!n && r->dma) {
		dma_end(c, 0);
	} else if (!n) {
		ide_finish(c, 0);
	} else if (r->dma) {
		r->phase = IDE_DMA;
	} else {
		ide_block_offer(c);
		ide_raise(c);
	}
}

static void done(struct block_request *q, int error)
{
	struct ide_channel *c = q->opaque;

	lock(c);
	c->r.phase = IDE_IDLE;
	if (c->r.resetting)
		ide_reset_end(c);
	else if (error && c->r.dma && q->op != BLOCK_FLUSH)
		dma_end(c, q->op == BLOCK_READ ? IDE_UNCORRECTABLE : IDE_ABORTED);
	else if (error)
		ide_finish(c, q->op == BLOCK_READ ? IDE_UNCORRECTABLE : IDE_ABORTED);
	else if (q->op == BLOCK_FLUSH)
		ide_finish(c, 0);
	else
		piece_done(c);
	unlock(c);
	step(c);
}

void ide_transfer_init(struct ide_channel *c)
{
	c->work = (struct work){.run = step, .opaque = c};
	c->request.done = done;
	c->request.opaque = c;
}

/* ---- bus master registers */

uint8_t ide_bus_master_read(struct ide_channel *c, unsigned offset)
{
	switch (offset) {
	case BM_COMMAND:
		return c->r.bm_command;
	case BM_STATUS:
		return c->r.bm_status;
	}
	return offset >= BM_TABLE ? (uint8_t)(c->r.bm_table >> 8 * (offset - BM_TABLE)) : 0;
}

static void bm_command_write(struct ide_channel *c, uint8_t value)
{
	struct ide_registers *r = &c->r;
	uint8_t was = r->bm_command;

	r->bm_command = value & (IDE_BM_START | IDE_BM_TO_MEMORY);
	if (!(value & IDE_BM_START)) {
		r->bm_status &= (uint8_t)~IDE_BM_ACTIVE;
		return;
	}
	if (was & IDE_BM_START)
		return;
	r->bm_status |= IDE_BM_ACTIVE;
	r->prd_at = r->bm_table;
	r->prd_left = 0;
	r->prd_last = 0;
	if (r->phase == IDE_DMA)
		ide_go(c, IDE_DMA);
}

void ide_bus_master_write(struct ide_channel *c, unsigned offset, uint8_t value)
{
	struct ide_registers *r = &c->r;
	unsigned shift;

	if (offset == BM_COMMAND) {
		bm_command_write(c, value);
	} else if (offset == BM_STATUS) {
		r->bm_status &= (uint8_t) ~(value & (IDE_BM_ERROR | IDE_BM_IRQ));
		r->bm_status = (r->bm_status & (uint8_t)~BM_CAPABLE) | (value & BM_CAPABLE);
	} else if (offset >= BM_TABLE) {
		shift = 8 * (offset - BM_TABLE);
		r->bm_table &= ~(0xffu << shift);
		r->bm_table |= (uint32_t)value << shift & ~3u;
	}
}
