/*
 * The 9P transport over virtio: device ID 9, one queue, a mount tag in the configuration space.
 * Each chain is one message of the client and room for its answer. As Linux's and QEMU's
 * include/uapi/linux/virtio_9p.h have it; virtio 1.2 keeps the ID (chapter 5) without a section.
 *
 * What the messages say is the server's business (struct p9_server; backend/p9/ is one).
 */
#ifndef DEVICE_VIRTIO_P9_H
#define DEVICE_VIRTIO_P9_H

#include "device/iovec.h"
#include "device/virtio/virtio.h"

/* A message and its answer; belongs to the device, which keeps it until done. The memory is the
 * guest's, which may change it at any moment. */
struct p9_request {
	const struct io_piece *out; /* the message */
	unsigned outs;
	size_t out_bytes;
	const struct io_piece *in; /* room for the answer */
	unsigned ins;
	size_t in_bytes;
	/* bytes: the length of the answer. On the I/O thread, never from within submit. */
	void (*done)(struct p9_request *r, size_t bytes);
	void *opaque; /* the device's */
	/* the server's while it has the request */
	struct p9_request *next, *waiting;
	size_t answer;
	uint16_t tag;
	uint8_t type;
};

struct p9_server {
	/* On the I/O thread; must not block. */
	void (*submit)(void *opaque, struct p9_request *r);
	/* The client is gone; a new one begins with Tversion. Nothing is in flight; must not block.
	 */
	void (*reset)(void *opaque);
	void *opaque;
};

enum { VIRTIO_P9_REQUESTS = 128, VIRTIO_P9_TAG_MAX = 128 };

#define VIRTIO_P9_F_MOUNT_TAG 1ull

struct virtio_p9_slot {
	struct p9_request request;
	struct virtio_p9 *owner;
	struct virtio_p9_slot *next; /* of the free ones */
	struct virtq_chain chain;
	struct io_piece piece[VIRTQ_SEGS_MAX];
};

struct virtio_p9 {
	struct virtio_device device;
	/* wiring */
	const struct p9_server *server;
	uint16_t tag_bytes;
	char tag[VIRTIO_P9_TAG_MAX];
	struct virtio_p9_slot *free;
	struct virtio_p9_slot slot[VIRTIO_P9_REQUESTS];
};

extern const struct virtio_model virtio_p9_model;

/* tag: 1 to VIRTIO_P9_TAG_MAX bytes, more are cut. name and server are kept. */
void virtio_p9_init(struct virtio_p9 *p, const char *name, const char *tag,
		    const struct p9_server *server);

#endif
