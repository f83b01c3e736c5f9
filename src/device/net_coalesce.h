/*
 * TCP frames that follow each other made one frame for the guest, with the size they had as its
 * segment size: one trip through the guest's network stack instead of many. No data is moved; the
 * frame is a list of pieces. Only frames with right checksums that differ in nothing but place and
 * data are joined, so that the guest's stack could cut the result into what arrived.
 */
#ifndef DEVICE_NET_COALESCE_H
#define DEVICE_NET_COALESCE_H

#include "device/net_offload.h"

enum { NET_COALESCE_HEADER = 134 }; /* Ethernet, IP and TCP at their longest */

struct net_coalesce {
	/* The frame; if not joined it is the first as it came. */
	struct io_piece piece[NET_PIECES_MAX];
	unsigned pieces;
	bool joined;
	struct net_offload offload; /* if joined */
	/* the rest is its own */
	const uint8_t *first;
	struct net_headers h;	 /* of first; ip 0: nothing can be added */
	uint32_t next;		 /* sequence number of what may follow */
	unsigned segment, bytes; /* of data: in the first, in all */
	uint8_t last_flags;
	bool full; /* nothing goes behind the last */
	uint8_t header[NET_COALESCE_HEADER];
};

/* features: what the card takes. Frames stay where they are until the result was used. */
void net_coalesce_begin(struct net_coalesce *c, const uint8_t *frame, size_t len,
			unsigned features);
/* False: this one does not belong to it; nor does any after it. */
bool net_coalesce_add(struct net_coalesce *c, const uint8_t *frame, size_t len);
/* Now piece, pieces and joined say what became of it. */
void net_coalesce_end(struct net_coalesce *c);

#endif
