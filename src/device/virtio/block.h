/*
 * Block device: virtio 1.2, 5.2: read, write, flush, discard, write zeroes, identify; several
 * queues, a write cache that can be turned off. Behind it is a struct block_disk. Left out: secure
 * erase, zones, lifetime (all optional), and the legacy barrier and SCSI requests.
 */
#ifndef DEVICE_VIRTIO_BLOCK_H
#define DEVICE_VIRTIO_BLOCK_H

#include "device/block.h"
#include "device/virtio/virtio.h"

enum {
	VIRTIO_BLOCK_REQUESTS = 128, /* in flight at most; more wait in their queues */
	VIRTIO_BLOCK_QUEUES_MAX = 16,
	VIRTIO_BLOCK_RANGES_MAX = 16, /* of one discard or write-zeroes request */
};

struct virtio_block;

/* A request of the guest, and what it has become. */
struct virtio_block_request {
	struct virtio_block *block;
	struct virtio_block_request *next; /* free ones */
	struct block_request io;
	unsigned queue;
	unsigned range, ranges; /* discard, write zeroes: done and in all */
	bool flush_follows;	/* a write without a write cache */
	struct virtq_chain chain;
	struct io_piece piece[BLOCK_PIECES_MAX];
};

struct virtio_block {
	struct virtio_device device;
	/* state */
	uint8_t writeback; /* the write cache is on */
	/* wiring */
	struct block_disk *disk;
	uint64_t starved; /* queues that wait for a free request */
	struct virtio_block_request *free;
	struct virtio_block_request request[VIRTIO_BLOCK_REQUESTS];
};

/* queues: 1 to VIRTIO_BLOCK_QUEUES_MAX. The disk outlives the device. */
void virtio_block_init(struct virtio_block *b, const char *name, struct block_disk *disk,
		       unsigned queues);

#endif
