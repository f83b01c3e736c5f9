/*
 * A virtio device apart from what carries it: status, feature negotiation, queues, configuration
 * change, interrupts. Virtio 1.2, chapters 2 and 3; modern only. virtio_pci.c and virtio_mmio.c are
 * the transports, one file of this directory each device type (struct virtio_model).
 *
 * Locks: register accesses come from CPU threads under the machine lock, queues are served on the
 * I/O thread (device/worker.h). lock guards a device's queues and its model's state; it may be
 * taken with the machine lock held, never the other way round. virtio_enter and virtio_leave take
 * it on the I/O thread; leaving raises the interrupts that are due, with the machine lock and
 * without this one.
 */
#ifndef DEVICE_VIRTIO_VIRTIO_H
#define DEVICE_VIRTIO_VIRTIO_H

#include "base/trace.h"
#include "device/device.h"
#include "device/virtio/virtqueue.h"
#include "device/worker.h"
#include "host/host.h"

/* Device IDs, virtio 1.2 chapter 5. */
enum virtio_id {
	VIRTIO_ID_NET = 1,
	VIRTIO_ID_BLOCK = 2,
	VIRTIO_ID_CONSOLE = 3,
	VIRTIO_ID_ENTROPY = 4,
	VIRTIO_ID_BALLOON = 5,
	VIRTIO_ID_9P = 9,
	VIRTIO_ID_VSOCK = 19,
};

/* Status bits, 2.1 */
enum {
	VIRTIO_ACKNOWLEDGE = 1,
	VIRTIO_DRIVER = 2,
	VIRTIO_DRIVER_OK = 4,
	VIRTIO_FEATURES_OK = 8,
	VIRTIO_NEEDS_RESET = 64,
	VIRTIO_FAILED = 128,
};

/* Features of every device, chapter 6 */
#define VIRTIO_F_INDIRECT_DESC (1ull << 28)
#define VIRTIO_F_EVENT_IDX     (1ull << 29)
#define VIRTIO_F_VERSION_1     (1ull << 32)
#define VIRTIO_F_RING_PACKED   (1ull << 34)
#define VIRTIO_F_IN_ORDER      (1ull << 35)
#define VIRTIO_F_RING_RESET    (1ull << 40)

/* Interrupt causes (ISR status, 4.1.4.5) */
enum { VIRTIO_ISR_QUEUE = 1, VIRTIO_ISR_CONFIG = 2 };

enum { VIRTIO_QUEUES_MAX = 64, VIRTIO_NO_VECTOR = 0xffff };

/* A device type. All functions are called with the device's lock held; any may be NULL. */
struct virtio_model {
	enum virtio_id id;
	const char *name; /* "virtio-block" */
	uint32_t config_bytes;
	const struct device_desc *state; /* the model's own fields, reset NULL; may be NULL */
	/* Back to power-on; nothing is in flight. */
	void (*reset)(void *model);
	/* The driver chose these features; false refuses them. */
	bool (*features)(void *model, uint64_t accepted);
	/* DRIVER_OK was set: on the I/O thread. */
	void (*started)(void *model);
	/* Configuration space; offset + bytes <= config_bytes. Writes NULL: read-only. */
	void (*config_read)(void *model, uint32_t offset, uint8_t *buf, uint32_t bytes);
	void (*config_write)(void *model, uint32_t offset, const uint8_t *buf, uint32_t bytes);
	/* Queue n may have chains: on the I/O thread, or in its place if prompt. */
	void (*serve)(void *model, unsigned n);
	bool prompt; /* kicks are work for worker_post_prompt */
};

/* What carries it. */
struct virtio_transport {
	/* Interrupt the driver: cause VIRTIO_ISR_QUEUE (of this queue) or VIRTIO_ISR_CONFIG. Under
	 * the machine lock. */
	void (*interrupt)(void *opaque, unsigned cause, unsigned queue);
	void *opaque;
};

struct virtio_device {
	/* state */
	uint8_t status;
	uint8_t resetting;	  /* the driver wrote 0 to status, requests are still in flight */
	uint8_t config_interrupt; /* a configuration change is to be announced */
	uint32_t generation;	  /* of the configuration space */
	uint64_t accepted;	  /* features */
	uint64_t kicked;	  /* bit n: queue n is to be served; atomic */
	/* fixed at creation */
	uint64_t offered;
	unsigned queues;
	struct virtqueue queue[VIRTIO_QUEUES_MAX];
	/* Requests that the host works on: a reset waits for them. Changed under the lock. */
	unsigned in_flight;
	bool start_due; /* DRIVER_OK was set and the model is to be told */
	struct host_mutex lock;
	/* wiring */
	const struct virtio_model *type;
	void *model;
	const char *name;     /* of the instance, for traces */
	struct space *memory; /* set by virtio_connect */
	struct host_mutex *machine_lock;
	struct worker worker;
	struct work work;
	struct virtio_transport transport;
	const struct trace *trace;
};

/* State and reset of what all devices have (struct virtio_device, its queues apart). */
extern const struct device_desc virtio_device_desc;

/* Power-on state, no queues yet. features: of the type; those every device has are added. */
void virtio_init(struct virtio_device *d, const struct virtio_model *type, void *model,
		 const char *name, uint64_t features);
/* Add a queue of at most size_max entries (a power of two); returns its number. */
unsigned virtio_add_queue(struct virtio_device *d, uint16_t size_max);
/* What the vm and the machine give it, before anything runs. */
void virtio_connect(struct virtio_device *d, struct space *memory, struct host_mutex *machine_lock,
		    const struct worker *worker, const struct trace *trace);
void virtio_destroy(struct virtio_device *d); /* the lock; frees nothing else */

/* For models, on the I/O thread: take the lock; leave it and raise what interrupts are due. */
void virtio_enter(struct virtio_device *d);
void virtio_leave(struct virtio_device *d);
/* The configuration space changed; lock held (the interrupt comes with virtio_leave). */
void virtio_config_changed(struct virtio_device *d);
/* The driver broke a rule that leaves no way to go on: NEEDS_RESET. Lock held. A queue that is
 * broken has the same effect by itself when the lock is left. */
void virtio_broken(struct virtio_device *d, const char *why);
/* One request more or less in flight; lock held. */
void virtio_begin(struct virtio_device *d);
void virtio_end(struct virtio_device *d);
/* Have queue n served again soon. Lock held or not. */
void virtio_serve_again(struct virtio_device *d, unsigned n);
static inline bool virtio_has(const struct virtio_device *d, uint64_t feature)
{
	return (d->accepted & feature) == feature;
}
static inline bool virtio_running(const struct virtio_device *d)
{
	return (d->status & VIRTIO_DRIVER_OK) && !(d->status & VIRTIO_NEEDS_RESET) && !d->resetting;
}

/* For transports, under the machine lock. */
uint8_t virtio_status_read(struct virtio_device *d);
void virtio_status_write(struct virtio_device *d, uint8_t status);
uint32_t virtio_features_read(struct virtio_device *d, unsigned word); /* word 0 or 1 */
void virtio_features_write(struct virtio_device *d, unsigned word, uint32_t value);
/* Queue n to set size, desc, driver and device of; NULL if there is none, it is enabled, or a reset
 * waits for its requests. */
struct virtqueue *virtio_queue_setup(struct virtio_device *d, unsigned n);
void virtio_queue_enable(struct virtio_device *d, unsigned n);
/* What QueueReady = 0 does (4.2.2); as virtio_queue_reset. */
void virtio_queue_disable(struct virtio_device *d, unsigned n);
/* VIRTIO_F_RING_RESET; resetting: it has been asked for and waits for requests. */
void virtio_queue_reset(struct virtio_device *d, unsigned n);
bool virtio_queue_resetting(struct virtio_device *d, unsigned n);
bool virtio_queue_enabled(struct virtio_device *d, unsigned n);
uint16_t virtio_queue_size_max(const struct virtio_device *d, unsigned n); /* 0: there is none */
void virtio_kick(struct virtio_device *d, unsigned n);
uint32_t virtio_generation(struct virtio_device *d);
void virtio_config_read(struct virtio_device *d, uint32_t offset, uint8_t *buf, uint32_t bytes);
void virtio_config_write(struct virtio_device *d, uint32_t offset, const uint8_t *buf,
			 uint32_t bytes);
/* Machine reset, CPUs and I/O thread at rest, nothing in flight. */
void virtio_reset(struct virtio_device *d);

#endif
