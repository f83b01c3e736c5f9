/*
 * What network cards leave to others, done in software: checksums (RFC 1071), segmentation of TCP
 * (a frame of up to 64 KiB becomes frames of the receiver's size), fragmentation of IP (RFC 791,
 * RFC 8200 4.5). Works on Ethernet frames with IPv4 or IPv6, with or without VLAN tags; a frame
 * that is neither passes unchanged or is dropped where it asks for what cannot be done.
 */
#ifndef DEVICE_NET_OFFLOAD_H
#define DEVICE_NET_OFFLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device/net.h"

enum {
	NET_ETHERNET_BYTES = 14,
	NET_PROTO_ICMP = 1,
	NET_PROTO_TCP = 6,
	NET_PROTO_UDP = 17,
	NET_TCP_FIN = 1,
	NET_TCP_SYN = 2,
	NET_TCP_RST = 4,
	NET_TCP_PSH = 8,
	NET_TCP_ACK = 16,
	NET_TCP_URG = 32,
	NET_TCP_ECE = 64,
	NET_TCP_CWR = 128,
	NET_TCP_CSUM = 16, /* where the checksum is in the header */
	NET_UDP_CSUM = 6,
};

/* Numbers as they are on the wire. */
static inline uint16_t net_load16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}
static inline uint32_t net_load32(const uint8_t *p)
{
	return (uint32_t)net_load16(p) << 16 | net_load16(p + 2);
}
static inline void net_store16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}
static inline void net_store32(uint8_t *p, uint32_t v)
{
	net_store16(p, v >> 16);
	net_store16(p + 2, v & 0xffff);
}

/* Where things are in a frame. */
struct net_headers {
	uint8_t ip;	 /* 4, 6, or 0: the rest does not count */
	uint8_t proto;	 /* what IP carries; 0 in a fragment, 255 where that is not known */
	uint16_t l3, l4; /* offsets in the frame */
	uint16_t next;	 /* IPv6: offset from l3 of the field that names proto */
	uint16_t data;	 /* TCP, UDP: what they carry begins here, else as l4 */
	uint32_t end;	 /* where the IP packet ends; what follows is padding */
};
/* False: no IP, or a header that does not fit in len or contradicts itself. */
bool net_headers_parse(const uint8_t *frame, size_t len, struct net_headers *h);

/* One's complement sums in memory's byte order: add len bytes, which begin at an even place; fold
 * to what a checksum field takes by memcpy. */
uint64_t net_sum(const void *p, size_t len, uint64_t sum);
uint16_t net_sum_fold(uint64_t sum);
/* Of the pseudo header (RFC 793, RFC 8200 8.1) of a packet with bytes behind its IP headers. */
uint64_t net_sum_pseudo(const uint8_t *frame, const struct net_headers *h, uint32_t bytes);

/* Fill in the checksum that o->flags asks for. False: o points outside the frame. */
bool net_checksum_fill(uint8_t *frame, size_t len, const struct net_offload *o);

typedef void (*net_emit)(void *opaque, const struct io_piece *piece, unsigned pieces,
			 const struct net_offload *offload);

/* Do for a frame what its receiver does not: features as in enum net_features. Emits the frame,
 * several, or none if its headers make no sense. frame may be changed; o may be NULL. */
void net_offload_apply(uint8_t *frame, size_t len, const struct net_offload *o, unsigned features,
		       net_emit emit, void *opaque);

/* Cut a TCP frame into frames with at most segment bytes of data each, checksums complete.
 * net_fragment: any IP packet, into fragments with at most part bytes behind the IP header. Both
 * false if it cannot be done; then nothing was emitted. */
bool net_segment(const uint8_t *frame, size_t len, unsigned segment, net_emit emit, void *opaque);
bool net_fragment(const uint8_t *frame, size_t len, unsigned part, net_emit emit, void *opaque);

#endif
