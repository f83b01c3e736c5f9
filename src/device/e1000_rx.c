/* 82540EM reception: address filters, descriptors, checksum verification. 317453, 3.2. */
#include <string.h>

#include "base/bits.h"
#include "device/e1000_parts.h"
#include "device/net_offload.h"

enum {
	CRC_BYTES = 4,
	FRAME_MIN = 60,
	FRAME_MAX = 1518, /* without RCTL.LPE: with a VLAN tag, without CRC */
	/* descriptor: status and errors, bytes 12 and 13 */
	RX_DONE = 1 << 0,
	RX_EOP = 1 << 1,
	RX_NO_SUM = 1 << 2,
	RX_SUM_L4 = 1 << 5,
	RX_SUM_IP = 1 << 6,
	RX_BAD_L4 = 1 << 5,
	RX_BAD_IP = 1 << 6,
	RX_BYTES_OFFSET = 8,
	RECEIVE_ADDRESSES = 16,
};
#define RECEIVE_ADDRESS_VALID (1u << 31)

static unsigned ring_entries(struct e1000 *e)
{
	return *e1000_reg(e, E1000_RDLEN) / E1000_DESCRIPTOR_BYTES;
}

/* Descriptors that the driver gave and that are not used yet. */
static unsigned ring_free(struct e1000 *e)
{
	unsigned n = ring_entries(e), head = *e1000_reg(e, E1000_RDH);
	unsigned tail = *e1000_reg(e, E1000_RDT);

	if (head >= n || tail >= n)
		return 0;
	return tail >= head ? tail - head : tail + n - head;
}

static bool receives(struct e1000 *e)
{
	return (*e1000_reg(e, E1000_RCTL) & E1000_RX_ENABLE) &&
	       (*e1000_reg(e, E1000_STATUS) & E1000_STATUS_LINK);
}

bool e1000_rx_room(struct e1000 *e, unsigned descriptors)
{
	return !receives(e) || ring_free(e) >= descriptors;
}

static unsigned buffer_bytes(uint32_t rctl)
{
	static const uint16_t bytes[2][4] = {{2048, 1024, 512, 256}, {16384, 16384, 8192, 4096}};

	return bytes[rctl >> 25 & 1][rctl >> 16 & 3];
}

static bool multicast_hash(struct e1000 *e, const uint8_t *to)
{
	static const uint8_t shifts[4] = {4, 3, 2, 0};
	unsigned hash = load_le16(to + 4) >> shifts[*e1000_reg(e, E1000_RCTL) >> 12 & 3] & 0xfff;

	return *e1000_reg(e, E1000_MTA + hash / 32 * 4) >> hash % 32 & 1;
}

/* Whether a frame to this address is for the guest. */
static bool wanted(struct e1000 *e, const uint8_t *to)
{
	static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	uint32_t rctl = *e1000_reg(e, E1000_RCTL);

	if (memcmp(to, broadcast, 6) == 0)
		return rctl & (E1000_RX_BROADCAST | E1000_RX_MULTICAST_ALL);
	if (rctl & (to[0] & 1 ? E1000_RX_MULTICAST_ALL : E1000_RX_UNICAST_ALL))
		return true;
	for (unsigned i = 0; i < RECEIVE_ADDRESSES; i++) {
		const uint32_t *ra = e1000_reg(e, E1000_RAL + 8 * i);

		if ((ra[1] & RECEIVE_ADDRESS_VALID) && load_le32(to) == ra[0] &&
		    load_le16(to + 4) == (ra[1] & 0xffff))
			return true;
	}
	return (to[0] & 1) && multicast_hash(e, to);
}

/* Status in the low byte, errors in the high one: what the checksums are like. */
static unsigned verify(struct e1000 *e, const uint8_t *f, size_t len, bool valid)
{
	uint32_t rxcsum = *e1000_reg(e, E1000_RXCSUM);
	unsigned result = 0;
	struct net_headers h;

	if (!(rxcsum & (E1000_RXCSUM_IP | E1000_RXCSUM_L4)) || !net_headers_parse(f, len, &h) ||
	    !h.ip)
		return RX_NO_SUM;
	if (h.ip == 4 && (rxcsum & E1000_RXCSUM_IP)) {
		result |= RX_SUM_IP;
		if (net_sum_fold(net_sum(f + h.l3, (f[h.l3] & 15u) * 4, 0)))
			result |= RX_BAD_IP << 8;
	}
	if (!(rxcsum & E1000_RXCSUM_L4) || (h.proto != NET_PROTO_TCP && h.proto != NET_PROTO_UDP))
		return result ? result : RX_NO_SUM;
	if (h.proto == NET_PROTO_UDP && h.l4 + 8u <= h.end && !net_load16(f + h.l4 + NET_UDP_CSUM))
		return result ? result : RX_NO_SUM; /* it has none */
	result |= RX_SUM_L4;
	if (!valid &&
	    net_sum_fold(net_sum(f + h.l4, h.end - h.l4, net_sum_pseudo(f, &h, h.end - h.l4))))
		result |= RX_BAD_L4 << 8;
	return result;
}

/* Into as many descriptors as it takes; there are enough. */
static void store(struct e1000 *e, const uint8_t *f, size_t len, size_t total, unsigned result)
{
	uint64_t base = (uint64_t)*e1000_reg(e, E1000_RDBAH) << 32 | *e1000_reg(e, E1000_RDBAL);
	unsigned n = ring_entries(e), head = *e1000_reg(e, E1000_RDH);
	unsigned room = buffer_bytes(*e1000_reg(e, E1000_RCTL));

	for (size_t done = 0; done < total;) {
		size_t part = total - done < room ? total - done : room;
		size_t bytes = done >= len ? 0 : len - done < part ? len - done : part;
		uint64_t at = base + (uint64_t)head * E1000_DESCRIPTOR_BYTES, word;
		uint8_t d[8];

		if (space_read(e->wiring.memory, at, d, sizeof(d)))
			space_write(e->wiring.memory, load_le64(d), f + done, bytes);
		done += part;
		word = part | (uint64_t)RX_DONE << 32;
		if (done == total)
			word |= (uint64_t)(RX_EOP | result) << 32;
		space_write(e->wiring.memory, at + RX_BYTES_OFFSET, &word, sizeof(word));
		head = head + 1 < n ? head + 1 : 0;
	}
	*e1000_reg(e, E1000_RDH) = head;
}

static void count(struct e1000 *e, const uint8_t *f, size_t len)
{
	e1000_count(e, E1000_GPRC, 1);
	e1000_count(e, E1000_TPR, 1);
	e1000_count(e, E1000_GORCL, len);
	e1000_count(e, E1000_TORL, len);
	if (f[0] == 0xff)
		e1000_count(e, E1000_BPRC, 1);
	else if (f[0] & 1)
		e1000_count(e, E1000_MPRC, 1);
}

/* A frame that is one piece now. Under the lock. False: no room for it. */
static bool receive(struct e1000 *e, const uint8_t *f, size_t len, bool valid)
{
	uint32_t rctl = *e1000_reg(e, E1000_RCTL), causes = E1000_INT_RX;
	size_t total =
		(len < FRAME_MIN ? FRAME_MIN : len) + (rctl & E1000_RX_KEEP_CRC ? 0 : CRC_BYTES);
	unsigned needed = (unsigned)((total + buffer_bytes(rctl) - 1) / buffer_bytes(rctl));

	if (!receives(e) || !wanted(e, f) || (len > FRAME_MAX && !(rctl & E1000_RX_LONG)))
		return true;
	if (ring_free(e) < needed) {
		if (needed >= ring_entries(e) && ring_entries(e)) {
			e1000_count(e, E1000_MPC, 1);
			return true; /* it never fits */
		}
		e->rx_waits = (uint8_t)needed;
		return false;
	}
	store(e, f, len, total, verify(e, f, len, valid));
	count(e, f, len);
	if (ring_free(e) <= ring_entries(e) >> ((rctl >> 8 & 3) + 1))
		causes |= E1000_INT_RX_LOW;
	e1000_interrupt(e, causes);
	return true;
}

/* All of it at one place: pieces that are several, a checksum that is to be filled in, or padding
 * are reason to copy. NULL if it is no frame that this card could get. */
static const uint8_t *flatten(struct e1000 *e, const struct io_piece *piece, unsigned pieces,
			      const struct net_offload *o, size_t *len)
{
	size_t n = 0;

	if (pieces == 1 && piece->len >= FRAME_MIN && piece->len <= E1000_RX_MAX &&
	    !(o && (o->flags & NET_NEEDS_CSUM))) {
		*len = piece->len;
		return piece->base;
	}
	for (unsigned i = 0; i < pieces; i++) {
		if (piece[i].len > sizeof(e->received) - n)
			return NULL;
		memcpy(e->received + n, piece[i].base, piece[i].len);
		n += piece[i].len;
	}
	if (n < NET_ETHERNET_BYTES || (o && !net_checksum_fill(e->received, n, o)))
		return NULL;
	if (n < FRAME_MIN) {
		memset(e->received + n, 0, FRAME_MIN - n);
		n = FRAME_MIN;
	}
	*len = n;
	return e->received;
}

bool e1000_receive(void *e1000, const struct io_piece *piece, unsigned pieces,
		   const struct net_offload *offload)
{
	struct e1000 *e = e1000;
	const uint8_t *f;
	size_t len;
	bool taken;

	if (offload && offload->gso_type != NET_GSO_NONE)
		return true; /* nobody said that it takes such */
	f = flatten(e, piece, pieces, offload, &len);
	if (!f)
		return true;
	e1000_lock(e);
	taken = receive(e, f, len, offload && offload->flags);
	e1000_unlock(e);
	return taken;
}
