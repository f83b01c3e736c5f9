/*
 * Virtio over memory-mapped registers: virtio 1.2, 4.2, register layout version 2. One device, one
 * interrupt line. Left out: the legacy layout, shared memory regions.
 */
#ifndef DEVICE_VIRTIO_VIRTIO_MMIO_H
#define DEVICE_VIRTIO_VIRTIO_MMIO_H

#include "device/virtio/virtio.h"

enum { VIRTIO_MMIO_BYTES = 0x200 }; /* registers, and 256 bytes of configuration space */

struct virtio_mmio {
	uint32_t interrupt_status; /* VIRTIO_ISR_*: the line is up while it is not 0 */
	uint32_t device_features_sel, driver_features_sel, queue_sel;
	/* wiring */
	struct virtio_device *device;
	struct irq_line irq;
};

extern const struct io_ops virtio_mmio_io_ops; /* opaque: struct virtio_mmio */
extern const struct device_desc virtio_mmio_desc;

/* Becomes the transport of d, which the machine connects (virtio_connect). */
void virtio_mmio_init(struct virtio_mmio *t, struct virtio_device *d, struct irq_line irq);
/* The registers alone; the device has a reset of its own. */
void virtio_mmio_reset(void *virtio_mmio);

#endif
