/*
 * One virtqueue, split or packed: virtio 1.2, 2.6 to 2.8. Used by every virtio device, over PCI and
 * MMIO, with event index and indirect descriptors. The driver's memory is hostile: every address,
 * length and index is checked when it is read, read once, and a queue that breaks the rules stops
 * (broken) until the device is reset.
 *
 * Guarded by the lock of the device it belongs to (virtio.h).
 */
#ifndef DEVICE_VIRTIO_VIRTQUEUE_H
#define DEVICE_VIRTIO_VIRTQUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device/device.h"
#include "device/iovec.h"
#include "mem/space.h"

enum {
	VIRTQ_SIZE_MAX = 1024, /* entries; powers of two only */
	VIRTQ_SEGS_MAX = 512,  /* segments of one chain; a longer one breaks the queue */
};

enum virtq_area { VIRTQ_DESC, VIRTQ_DRIVER, VIRTQ_DEVICE, VIRTQ_AREAS };

struct virtqueue {
	/* state */
	uint16_t size; /* as the driver set it; 0 = does not exist */
	uint8_t enabled;
	uint8_t broken;
	uint8_t packed;	   /* VIRTIO_F_RING_PACKED was accepted */
	uint8_t event_idx; /* VIRTIO_F_EVENT_IDX */
	uint8_t interrupt; /* used buffers were pushed that the driver wants to hear of */
	uint64_t desc, driver,
		device;	      /* guest-physical: descriptor area, driver area, device area */
	uint16_t avail_index; /* next to take: free-running (split) or slot (packed) */
	uint16_t used_index;  /* next to give back, likewise */
	uint8_t avail_wrap, used_wrap; /* packed: wrap counters */
	uint16_t in_use;	       /* chains taken and not given back */
	uint8_t resetting;	       /* VIRTIO_F_RING_RESET: waits until none is in use */
	/* wiring */
	uint16_t size_max; /* what the device offers */
	struct space *memory;
	uint8_t *ring[VIRTQ_AREAS]; /* host addresses of the areas while it is enabled */
};

struct virtq_seg {
	uint64_t gpa;
	uint32_t len;
};

/* A request: segments the device reads, then segments it writes. All lie in RAM. */
struct virtq_chain {
	uint16_t id;	  /* what the driver calls it */
	uint16_t slots;	  /* ring entries it took: 1 in a split ring */
	uint16_t out, in; /* how many segments of each kind; out come first */
	uint64_t out_bytes, in_bytes;
	struct virtq_seg seg[VIRTQ_SEGS_MAX];
};

/* Power-on state: no ring, size is size_max. size_max and memory are kept. */
void virtqueue_reset(struct virtqueue *q);
/* The driver enables it: checks size, alignment (2.7, 2.8) and that the rings lie in RAM. False:
 * the queue stays disabled. */
bool virtqueue_enable(struct virtqueue *q, bool packed, bool event_idx);
/* Disable it as soon as no chain is in use; until then nothing is popped, and resetting is set. */
void virtqueue_stop(struct virtqueue *q);

/* Take the next chain: 1, or 0 if there is none, or -EINVAL when the ring is broken (now or
 * before). Every chain taken is to be given back by virtqueue_push, in any order. */
int virtqueue_pop(struct virtqueue *q, struct virtq_chain *c);
/* Give back; written: how many bytes were written from the start of its device-writable part. Sets
 * q->interrupt if the driver wants to hear of it. */
void virtqueue_push(struct virtqueue *q, const struct virtq_chain *c, uint32_t written);
/* The same for n of them (up to VIRTQ_SIZE_MAX) that belong together: the driver sees all or none.
 */
void virtqueue_push_all(struct virtqueue *q, const struct virtq_chain *c, const uint32_t *written,
			unsigned n);

/* Untake: a place in the ring to go back to, for devices that take several chains and may find
 * that they are not enough. Nothing may be pushed between mark and rewind. */
struct virtq_mark {
	uint16_t avail_index, in_use;
	uint8_t avail_wrap;
};
struct virtq_mark virtqueue_mark(const struct virtqueue *q);
void virtqueue_rewind(struct virtqueue *q, struct virtq_mark m);

/* Whether the driver should kick when it adds chains. Turning it on returns true if there are
 * chains already, which no kick will tell of: look again. */
bool virtqueue_kicks_on(struct virtqueue *q);
void virtqueue_kicks_off(struct virtqueue *q);
/* virtqueue_pop, but where it would return 0 kicks are on, so that the next chain is told of. */
int virtqueue_pop_or_wait(struct virtqueue *q, struct virtq_chain *c);

/* Copy from the device-readable part, or to the device-writable part, from offset on: returns how
 * many bytes, fewer than len where the part ends. */
size_t virtq_chain_read(const struct virtqueue *q, const struct virtq_chain *c, uint64_t offset,
			void *buf, size_t len);
size_t virtq_chain_write(struct virtqueue *q, const struct virtq_chain *c, uint64_t offset,
			 const void *buf, size_t len);
/* Host memory of bytes [offset, offset+len) of a part, for I/O without copying: returns the number
 * of pieces, or -EINVAL if the part is shorter, -ENOSPC if max are too few. What is written there
 * is to be announced by virtq_chain_wrote when done. */
int virtq_chain_pieces(const struct virtqueue *q, const struct virtq_chain *c, bool in,
		       uint64_t offset, uint64_t len, struct io_piece *piece, unsigned max);
void virtq_chain_wrote(struct virtqueue *q, const struct virtq_chain *c, uint64_t offset,
		       uint64_t len);

/* State and reset of one queue (struct virtqueue). */
extern const struct device_desc virtqueue_desc;

#endif
