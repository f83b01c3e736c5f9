/*
 * Memory balloon: virtio 1.2, 5.5, with statistics and free page reporting. What the guest puts
 * into the balloon or reports as free is given back to the host at once. Left out: free page hints
 * (5.5.6.6, for migration), page poison.
 */
#ifndef DEVICE_VIRTIO_BALLOON_H
#define DEVICE_VIRTIO_BALLOON_H

#include "device/virtio/virtio.h"

enum { VIRTIO_BALLOON_STATS = 10 };

struct virtio_balloon {
	struct virtio_device device;
	/* state; of the last two: the device's lock */
	uint32_t pages;	    /* asked for, of 4 KiB */
	uint32_t actual;    /* as the driver says */
	uint8_t stats_held; /* the driver's buffer for statistics is here */
	uint8_t stats_wanted;
	uint64_t reported_bytes;	     /* given back by reports */
	uint64_t stat[VIRTIO_BALLOON_STATS]; /* by tag, 5.5.6.4; UINT64_MAX: not said */

	struct work ask;     /* hand the buffer for statistics back */
	struct work changed; /* tell the driver of the new target */
};

void virtio_balloon_init(struct virtio_balloon *b, const char *name);
/* From any thread: have the balloon grow or shrink to this many pages of 4 KiB. */
void virtio_balloon_set(struct virtio_balloon *b, uint32_t pages);
/* From any thread: have the driver renew stat. */
void virtio_balloon_ask(struct virtio_balloon *b);

#endif
