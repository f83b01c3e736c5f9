/*
 * Virtio block device: virtio 1.2, 5.2, on a disk that the host provides (device/block.h). Several
 * queues, flush, discard, write zeroes, read-only disks, a serial number; data goes between guest
 * memory and the disk without a copy. Left out: secure erase, lifetime, zones, legacy geometry.
 */
#ifndef DEVICE_VIRTIO_BLOCK_H
#define DEVICE_VIRTIO_BLOCK_H

#include "device/block.h"
#include "device/virtio/virtio.h"

enum {
	VIRTIO_BLOCK_CONFIG_BYTES = 60,
	VIRTIO_BLOCK_QUEUES_MAX = 16,
	VIRTIO_BLOCK_QUEUE_SIZE = 256,
	VIRTIO_BLOCK_REQUESTS = 256, /* worked on at a time, of all queues; others wait */
};

struct virtio_block_request;

struct virtio_block {
	struct virtio_device device;
	/* state: what the driver may write of the configuration */
	uint8_t writeback;
	/* wiring */
	struct block_disk *disk;
	struct virtio_block_request *request;	       /* all of them, owned */
	struct virtio_block_request *free;	       /* list */
	struct virtio_block_request *done, **done_end; /* finished by the disk, to be given back */
	struct work finish;
	uint64_t starved; /* bit n: queue n has chains that found no free request */
};

/* State apart from struct virtio_device's. */
extern const struct device_desc virtio_block_desc;

/* name and disk stay the caller's, and must live as long. queues: at most VIRTIO_BLOCK_QUEUES_MAX.
 * 0 or -ENOMEM. */
int virtio_block_init(struct virtio_block *b, const char *name, struct block_disk *disk,
		      unsigned queues);
void virtio_block_destroy(struct virtio_block *b);
/* The disk's size changed: tell the driver. On the I/O thread. */
void virtio_block_resized(struct virtio_block *b);

#endif
