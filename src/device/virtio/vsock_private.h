/* What the two parts of the socket device share: packets, states, sending. Lock held. */
#ifndef DEVICE_VIRTIO_VSOCK_PRIVATE_H
#define DEVICE_VIRTIO_VSOCK_PRIVATE_H

#include "device/virtio/vsock.h"

enum { QUEUE_RX = 0, QUEUE_TX = 1, QUEUE_EVENT = 2 };

/* struct virtio_vsock_hdr, 5.10.6 */
enum {
	HDR_SRC_CID = 0,
	HDR_DST_CID = 8,
	HDR_SRC_PORT = 16,
	HDR_DST_PORT = 20,
	HDR_LEN = 24,
	HDR_TYPE = 28,
	HDR_OP = 30,
	HDR_FLAGS = 32,
	HDR_BUF_ALLOC = 36,
	HDR_FWD_CNT = 40,
	HDR_BYTES = 44,
};

enum { TYPE_STREAM = 1, TYPE_SEQPACKET = 2 };

/* Features, 5.10.3. Without any, streams are meant. */
#define VIRTIO_VSOCK_F_STREAM	 (1ull << 0)
#define VIRTIO_VSOCK_F_SEQPACKET (1ull << 1)

enum {
	OP_REQUEST = 1,
	OP_RESPONSE = 2,
	OP_RST = 3,
	OP_SHUTDOWN = 4,
	OP_RW = 5,
	OP_CREDIT_UPDATE = 6,
	OP_CREDIT_REQUEST = 7,
};

/* Flag of OP_RW: a message ends here. */
enum { SEQ_EOM = 1 };

/* Flags of OP_SHUTDOWN: the sender will not receive, will not send. */
enum { SHUT_RECEIVE = 1, SHUT_SEND = 2, SHUT_BOTH = 3 };

enum vsock_state {
	CONN_FREE,
	CONN_ASKED, /* the host began it, the guest has not answered */
	CONN_OPEN,
	CONN_LEFT,  /* over for the guest; what it sent still goes to the host */
	CONN_RESET, /* over for both once the guest has been told */
	CONN_DEAD,  /* the driver is gone; the end is to be closed on the I/O thread */
};

/* Bits of to_send, in the order in which they go. */
enum {
	SEND_REQUEST = 1,
	SEND_RESPONSE = 2,
	SEND_CREDIT = 4,
	SEND_ASK_CREDIT = 8,
	SEND_SHUTDOWN = 16,
	SEND_RST = 32,
};

/* Ports of connections that the host begins: above those that programs choose. */
enum { HOST_PORT_FIRST = 1 << 30 };

struct vsock_packet {
	uint64_t src_cid, dst_cid;
	uint32_t src_port, dst_port, len, flags, buf_alloc, fwd_cnt;
	uint16_t type, op;
};

/* vsock_send.c */
/* Send these now or when there are buffers. */
void vsock_conn_send(struct vsock_conn *c, unsigned bits);
/* Send what waits for this connection; false when there are no buffers. */
bool vsock_conn_flush(struct vsock_conn *c);
/* Send a packet with as many bytes as it and the guest's credit hold; how many. */
size_t vsock_conn_data(struct vsock_conn *c, const uint8_t *bytes, size_t len);
/* How many bytes the guest has room for. */
uint32_t vsock_conn_credit(const struct vsock_conn *c);
/* Answer what belongs to no connection. */
void vsock_refuse(struct virtio_vsock *v, const struct vsock_packet *p);
/* The driver has buffers again. */
void vsock_rx_serve(struct virtio_vsock *v);

#endif
