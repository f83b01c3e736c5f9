/*
 * What a disk controller asks of the disk behind it. backend/block/ implements it on image files.
 * Requests are made and finished on the I/O thread or in its place (device/worker.h).
 */
#ifndef DEVICE_BLOCK_H
#define DEVICE_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "device/iovec.h"

enum block_op {
	BLOCK_READ,
	BLOCK_WRITE,
	BLOCK_FLUSH,   /* all writes finished before it are on stable storage when it is done */
	BLOCK_DISCARD, /* contents are not needed any more: reads as zeroes or as before */
	BLOCK_ZERO,    /* reads as zeroes afterwards */
};

enum { BLOCK_SECTOR = 512, BLOCK_PIECES_MAX = 512 };

/* One request; belongs to the controller, which keeps it and the memory it points to until done. */
struct block_request {
	enum block_op op;
	bool unmap;	 /* BLOCK_ZERO: may give the space back to the host */
	uint64_t offset; /* bytes, a multiple of 512; inside the disk (the disk checks) */
	uint64_t bytes;	 /* a multiple of 512; READ and WRITE: the sum of the pieces */
	struct io_piece *piece;
	unsigned pieces;
	/* error: 0 or -errno (-EINVAL: outside the disk or misshapen, -ENOSPC, -EROFS, -EIO).
	 * Called on the I/O thread or in its place, never from within submit. */
	void (*done)(struct block_request *r, int error);
	void *opaque;		    /* the controller's */
	void *disk_use;		    /* the disk's while it has the request */
	struct block_request *next; /* of whoever has it */
};

struct block_disk {
	void (*submit)(void *opaque, struct block_request *r);
	void *opaque;
	uint64_t bytes;		/* size, a multiple of 512 */
	uint32_t block_bytes;	/* what the disk likes requests to be aligned to: 512 or 4096 */
	uint32_t discard_bytes; /* granularity of discard; 0: it cannot */
	bool readonly;
	char serial[21]; /* at most 20 characters, "" for none */
};

static inline void block_submit(const struct block_disk *d, struct block_request *r)
{
	d->submit(d->opaque, r);
}

#endif
