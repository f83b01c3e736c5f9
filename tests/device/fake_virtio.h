/* A virtio device with all its queues driven by fake drivers, and a worker that does what is posted
 * when told to. */
#ifndef TESTS_DEVICE_FAKE_VIRTIO_H
#define TESTS_DEVICE_FAKE_VIRTIO_H

#include "device/virtio/virtio.h"
#include "fake_driver.h"
#include "fake_worker.h"

enum { FAKE_QUEUES = 12 };

struct fake_virtio {
	struct virtio_device *d;
	struct fake_driver queue[FAKE_QUEUES]; /* the first has the memory */
	struct fake_worker io;
	unsigned queue_interrupts, config_interrupts;
};

static inline void fake_virtio_interrupt(void *opaque, unsigned cause, unsigned queue)
{
	struct fake_virtio *v = opaque;

	if (cause == VIRTIO_ISR_CONFIG)
		v->config_interrupts++;
	else
		v->queue_interrupts |= 1u << queue;
}

/* Carry out what was posted, and what that posts. */
static inline void fake_virtio_run(struct fake_virtio *v)
{
	fake_worker_run(&v->io, UINT_MAX);
}

/* A driver that accepts features (and VERSION_1), with size entries in each queue. */
static inline void fake_virtio_start(struct fake_virtio *v, uint64_t features, uint16_t size)
{
	bool packed = features & VIRTIO_F_RING_PACKED, event_idx = features & VIRTIO_F_EVENT_IDX;

	features |= VIRTIO_F_VERSION_1;
	virtio_status_write(v->d, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
	virtio_features_write(v->d, 0, (uint32_t)features);
	virtio_features_write(v->d, 1, (uint32_t)(features >> 32));
	virtio_status_write(v->d, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
	for (unsigned i = 0; i < v->d->queues && i < FAKE_QUEUES; i++) {
		fake_driver_start(&v->queue[i], packed, event_idx, size);
		fake_driver_place(&v->queue[i], &v->d->queue[i]);
		virtio_queue_enable(v->d, i);
	}
	virtio_status_write(v->d, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK |
					  VIRTIO_DRIVER_OK);
	fake_virtio_run(v);
}

static inline void fake_virtio_connect(struct fake_virtio *v, struct virtio_device *d)
{
	memset(v, 0, sizeof(*v));
	v->d = d;
	fake_worker_init(&v->io);
	fake_driver_ram_for(&v->queue[0], FAKE_QUEUES);
	for (unsigned i = 1; i < FAKE_QUEUES; i++)
		fake_driver_beside(&v->queue[i], &v->queue[0], i);
	virtio_connect(d, &v->queue[0].memory, NULL, &v->io.worker, NULL);
	d->transport = (struct virtio_transport){fake_virtio_interrupt, v};
}

static inline void fake_virtio_free(struct fake_virtio *v)
{
	virtio_destroy(v->d);
	fake_driver_free(&v->queue[0]);
}

/* Where chains of queue n may have their data, and the same as the device names it. */
static inline uint8_t *fake_virtio_data(struct fake_virtio *v, unsigned n, size_t offset)
{
	return v->queue[n].ram + FAKE_DATA + offset;
}
static inline uint64_t fake_virtio_gpa(struct fake_virtio *v, unsigned n, size_t offset)
{
	return v->queue[n].gpa + FAKE_DATA + offset;
}

/* A chain of one buffer; kicks, and has the device do its work. */
static inline void fake_virtio_add(struct fake_virtio *v, unsigned n, size_t offset, uint32_t len,
				   uint16_t flags)
{
	struct fake_seg s = {fake_virtio_gpa(v, n, offset), len, flags};

	fake_add(&v->queue[n], &s, 1);
	virtio_kick(v->d, n);
	fake_virtio_run(v);
}

#endif
