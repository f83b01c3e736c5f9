/*
 * Virtio entropy device: virtio 1.2, 5.4. One queue of buffers to fill with random bytes, which
 * come from whoever made the device.
 */
#ifndef DEVICE_VIRTIO_ENTROPY_H
#define DEVICE_VIRTIO_ENTROPY_H

#include "device/virtio/virtio.h"

enum {
	VIRTIO_ENTROPY_QUEUE_SIZE = 64,
	VIRTIO_ENTROPY_CHAIN_MAX = 65536, /* bytes given for one buffer; it may be larger */
};

struct virtio_entropy {
	struct virtio_device device;
	/* wiring */
	void (*random)(void *opaque, void *buf, size_t len);
	void *opaque;
};

/* name stays the caller's. random: called on the I/O thread, fills buf. */
void virtio_entropy_init(struct virtio_entropy *e, const char *name,
			 void (*random)(void *opaque, void *buf, size_t len), void *opaque);

#endif
