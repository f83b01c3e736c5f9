/*
 * Network card: virtio 1.2, 5.1. Checksum and segmentation offloads both ways, mergeable receive
 * buffers, several queue pairs where the network behind it has them, filters set over the control
 * queue. What the network does not take is done here (device/net_offload.h).
 *
 * Left out: VLAN filtering, announcing, receive-side scaling by hash, hash reports, UDP
 * segmentation (USO), notification coalescing.
 */
#ifndef DEVICE_VIRTIO_NET_H
#define DEVICE_VIRTIO_NET_H

#include "device/net.h"
#include "device/virtio/virtio.h"

enum {
	VIRTIO_NET_PAIRS_MAX = 8,
	VIRTIO_NET_CHAINS_MAX = 64, /* buffers of one frame */
	VIRTIO_NET_MACS_MAX = 64,
	VIRTIO_NET_FLOWS = 256,
};

/* One list of the MAC filter; full: it was longer, so everything of its kind passes. */
struct virtio_net_macs {
	uint32_t count;
	uint8_t full;
	uint8_t mac[VIRTIO_NET_MACS_MAX][6];
};

/* What is let through to the driver. filters: it has said so; before that everything is. */
struct virtio_net_filter {
	uint8_t filters, promiscuous, all_multicast, all_unicast, no_multicast, no_unicast,
		no_broadcast;
	struct virtio_net_macs unicast, multicast;
};

struct virtio_net {
	struct virtio_device device;
	/* state */
	uint8_t mac[6];
	uint16_t pairs;	   /* that the driver uses */
	uint64_t offloads; /* VIRTIO_NET_F_GUEST_* that it wants now */
	struct virtio_net_filter filter;
	uint8_t flow_pair[VIRTIO_NET_FLOWS]; /* where the last frame of a flow was sent */
	uint8_t stalled;		     /* the network has frames that found no room */
	/* wiring */
	uint8_t own_mac[6]; /* after reset */
	struct net_network *network;
	unsigned pairs_max;
	bool link_down; /* what CPUs read of network->unplugged, which is the I/O thread's */
	bool entered; /* the I/O thread is in here, with the lock: frames may come back at once */
	/* scratch */
	struct virtq_chain sending;
	struct virtq_chain chain[VIRTIO_NET_CHAINS_MAX];
	uint32_t written[VIRTIO_NET_CHAINS_MAX];
	uint8_t frame[NET_FRAME_MAX];
};

/* Power-on state; sets network->card. name lives as long as the device. */
void virtio_net_init(struct virtio_net *n, const char *name, const uint8_t mac[6],
		     struct net_network *network);

#endif
