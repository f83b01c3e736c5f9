/*
 * What a network card and the network behind it ask of each other. backend/net/ implements the
 * network's side. All calls are made on the I/O thread (device/worker.h).
 */
#ifndef DEVICE_NET_H
#define DEVICE_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "device/iovec.h"

enum {
	NET_FRAME_MAX = 65535 + 18 + 4, /* with segmentation offload; else 1514 or 1518 */
	NET_PIECES_MAX = 64,
};

/* What the sender left for others to do. Numbers and meaning are those of struct virtio_net_hdr
 * (virtio 1.2, 5.1.6), which TAP devices speak too. */
struct net_offload {
	uint8_t flags;	  /* NET_NEEDS_CSUM, NET_CSUM_VALID */
	uint8_t gso_type; /* NET_GSO_* */
	uint16_t header_bytes, gso_bytes;
	uint16_t csum_start, csum_offset;
};
enum {
	NET_NEEDS_CSUM = 1,
	NET_CSUM_VALID = 2,
	NET_GSO_NONE = 0,
	NET_GSO_TCP4 = 1,
	NET_GSO_UDP = 3,
	NET_GSO_TCP6 = 4,
	NET_GSO_UDP_L4 = 5,
	NET_GSO_ECN = 0x80,
};
/* What an end takes without having it done first. */
enum net_features {
	NET_TAKES_CSUM = 1,
	NET_TAKES_TSO4 = 2,
	NET_TAKES_TSO6 = 4,
	NET_TAKES_UFO = 8,
};

/* The card's side, set by the card. */
struct net_card {
	/* A frame for the guest. False: no room; the network keeps it and offers it again after
	 * net_network.resume was called. offload may be NULL. */
	bool (*receive)(void *opaque, const struct io_piece *piece, unsigned pieces,
			const struct net_offload *offload);
	/* The cable was plugged in or pulled. */
	void (*link)(void *opaque, bool up);
	void *opaque;
};

/* The network's side. */
struct net_network {
	/* A frame from the guest, whole; copied or sent before it returns, dropped if there is no
	 * room. offload may be NULL. queue: which of the card's, less than queues. */
	void (*send)(void *opaque, unsigned queue, const struct io_piece *piece, unsigned pieces,
		     const struct net_offload *offload);
	/* The card has room again. */
	void (*resume)(void *opaque);
	/* What the card takes, once the guest's driver has said it; before that nothing. */
	void (*card_features)(void *opaque, unsigned features);
	void *opaque;
	unsigned features;    /* what the network takes: enum net_features */
	unsigned queues;      /* pairs it can use, at least 1 */
	unsigned mtu;	      /* 0: not known */
	bool unplugged;	      /* no cable now; card.link tells of changes */
	struct net_card card; /* set by the card when it is created */
};

#endif
