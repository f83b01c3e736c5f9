/*
 * Virtio socket device: virtio 1.2, 5.10. Streams, of bytes or of messages (seqpacket), between
 * programs of the guest and the host's end (struct vsock_host; backend/vsock_unix.h), with flow
 * control by credit each way. Left out: datagrams (refused), marks inside a message (MSG_EOR), the
 * event queue's transport reset (nothing migrates a machine).
 *
 * What the guest sends goes to the host's end at once as far as that has room; the rest is kept in
 * the connection's ring, which is as large as the credit the guest has. What the host sends waits
 * at the host's end until the guest has buffers and credit for it. Of messages, only whole ones
 * leave the ring.
 */
#ifndef DEVICE_VIRTIO_VSOCK_H
#define DEVICE_VIRTIO_VSOCK_H

#include "device/stream.h"
#include "device/virtio/virtio.h"

enum {
	VSOCK_CID_HOST = 2,
	VSOCK_CID_MIN = 3, /* of a guest */
	VSOCK_CONNECTIONS_MAX = 256,
	VSOCK_RING_BYTES = 128 << 10, /* the guest's credit */
	VSOCK_RESETS_MAX = 64,	      /* answers to nonsense that wait for a buffer */
	VSOCK_QUEUE_SIZE = 256,
};

/* The host's end of a connection; made by the host, which must not call the device from within any
 * of these. All calls are on the I/O thread. */
struct vsock_end {
	/* write, resume: the host's; client.input, client.writable: the device's, and
	 * client.connected(false): the host sends no more. Of messages, write is given one, and
	 * takes all or nothing; input is given one, or what it has not taken of it yet. */
	struct stream stream;
	bool messages; /* the host's: what it is an end of */
	/* The guest took the connection that the host began; port: its number at the host. */
	void (*opened)(void *opaque, uint32_t port);
	/* The guest sends no more. */
	void (*finish)(void *opaque);
	/* The device has forgotten it: the connection has ended, or was refused. */
	void (*close)(void *opaque);
};

struct vsock_host {
	/* The guest connects to this port of the host: the host's end, or NULL to refuse. */
	struct vsock_end *(*connect)(void *opaque, uint32_t port, bool messages);
	void *opaque;
};

struct vsock_conn {
	struct virtio_vsock *owner;
	uint8_t state;	    /* enum vsock_state */
	uint8_t to_send;    /* packets that wait for a buffer, likewise */
	uint8_t guest_shut; /* flags of the guest's SHUTDOWN */
	uint8_t host_shut;  /* of ours */
	bool stalled;	    /* the host's end has bytes for which there was no room */
	bool asked;	    /* for credit, since it was used up */
	bool finished;	    /* end->finish was called */
	uint32_t guest_port, host_port;
	struct vsock_end *end;		  /* NULL: gone */
	uint32_t sent;			  /* bytes to the guest */
	uint32_t guest_room, guest_taken; /* what it said: buf_alloc, fwd_cnt */
	uint32_t taken, told; /* bytes that left the ring, and how many of them it knows of */
	uint32_t head, used;  /* of the ring */
	uint8_t *ring;	      /* VSOCK_RING_BYTES of the device's */
	uint16_t type;	      /* as in packets */
	uint32_t whole;	      /* messages in the ring that are complete */
	uint64_t *ends;	      /* a bit for each byte of the ring: a message's last */
};

/* A connection that is none: what to answer with RST. */
struct vsock_reset {
	uint64_t cid; /* that it was sent to */
	uint32_t guest_port, host_port;
	uint16_t type;
};

struct virtio_vsock {
	struct virtio_device device;
	uint32_t next_port; /* of connections that the host begins */
	struct vsock_reset reset[VSOCK_RESETS_MAX];
	unsigned resets;
	unsigned turn;	   /* the connection to be looked at first for packets to send */
	struct work clean; /* after a reset: ends are closed on the I/O thread */
	/* wiring */
	uint64_t cid;
	const struct vsock_host *host;
	struct vsock_conn conn[VSOCK_CONNECTIONS_MAX];
	uint8_t ring[VSOCK_CONNECTIONS_MAX][VSOCK_RING_BYTES];
	uint64_t ends[VSOCK_CONNECTIONS_MAX][VSOCK_RING_BYTES / 64];
	uint8_t message[VSOCK_RING_BYTES]; /* one that lies across a ring's end */
};

/* name and host are kept. */
void virtio_vsock_init(struct virtio_vsock *v, const char *name, uint32_t cid,
		       const struct vsock_host *host);

/* For the host's end, on the I/O thread and not from within its own functions. Connect to a port of
 * the guest: false if there is nobody to ask or no room. The answer is end->opened or end->close.
 */
bool virtio_vsock_connect(struct virtio_vsock *v, uint32_t port, struct vsock_end *end);
/* The end is gone, both ways; the device forgets it without calling close. */
void virtio_vsock_gone(struct virtio_vsock *v, struct vsock_end *end);

#endif
