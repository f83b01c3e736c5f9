/* What net.c and net_control.c share. Section numbers are of virtio 1.2. */
#ifndef DEVICE_VIRTIO_NET_PARTS_H
#define DEVICE_VIRTIO_NET_PARTS_H

#include "device/virtio/net.h"

/* Features, 5.1.3 */
#define VIRTIO_NET_F_CSUM		 (1ull << 0)
#define VIRTIO_NET_F_GUEST_CSUM		 (1ull << 1)
#define VIRTIO_NET_F_CTRL_GUEST_OFFLOADS (1ull << 2)
#define VIRTIO_NET_F_MTU		 (1ull << 3)
#define VIRTIO_NET_F_MAC		 (1ull << 5)
#define VIRTIO_NET_F_GUEST_TSO4		 (1ull << 7)
#define VIRTIO_NET_F_GUEST_TSO6		 (1ull << 8)
#define VIRTIO_NET_F_GUEST_ECN		 (1ull << 9)
#define VIRTIO_NET_F_GUEST_UFO		 (1ull << 10)
#define VIRTIO_NET_F_HOST_TSO4		 (1ull << 11)
#define VIRTIO_NET_F_HOST_TSO6		 (1ull << 12)
#define VIRTIO_NET_F_HOST_ECN		 (1ull << 13)
#define VIRTIO_NET_F_HOST_UFO		 (1ull << 14)
#define VIRTIO_NET_F_MRG_RXBUF		 (1ull << 15)
#define VIRTIO_NET_F_STATUS		 (1ull << 16)
#define VIRTIO_NET_F_CTRL_VQ		 (1ull << 17)
#define VIRTIO_NET_F_CTRL_RX		 (1ull << 18)
#define VIRTIO_NET_F_CTRL_RX_EXTRA	 (1ull << 20)
#define VIRTIO_NET_F_MQ			 (1ull << 22)
#define VIRTIO_NET_F_CTRL_MAC_ADDR	 (1ull << 23)
#define VIRTIO_NET_F_SPEED_DUPLEX	 (1ull << 63)

/* What the driver can change while it runs. */
#define VIRTIO_NET_GUEST_OFFLOADS                                                                  \
	(VIRTIO_NET_F_GUEST_CSUM | VIRTIO_NET_F_GUEST_TSO4 | VIRTIO_NET_F_GUEST_TSO6 |             \
	 VIRTIO_NET_F_GUEST_ECN | VIRTIO_NET_F_GUEST_UFO)

/* The control queue has chains (lock held). */
void virtio_net_control(struct virtio_net *n, struct virtqueue *q);
/* Whether the driver wants a frame for this address. */
bool virtio_net_wants(const struct virtio_net *n, const uint8_t to[6]);
/* Tell the network what n->offloads says. */
void virtio_net_tell_offloads(struct virtio_net *n);

#endif
