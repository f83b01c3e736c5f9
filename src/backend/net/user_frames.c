/*
 * Frames between the card and libslirp. libslirp knows segments of up to 32 KiB but not
 * segmentation offload. So it is told that the guest's TCP takes segments that large (the MSS
 * option of the guest's SYN is changed on the way), and what it then sends goes to the guest as one
 * frame with the size it is to be understood as made of, or is cut up here if the card does not
 * take that. The other way the guest's frames of 64 KiB are packets like others to libslirp. Either
 * way nobody handles frames of 1500 bytes where there is much to send.
 */
#include <stdlib.h>
#include <string.h>

#include "backend/net/user.h"
#include "base/bits.h"
#include "device/net_offload.h"

enum {
	KEPT_BYTES_MAX = 4 << 20,
	KEEP_MSS = 65495, /* more than libslirp uses */
	TCP_OPTIONS_AT = 20,
	OPTION_END = 0,
	OPTION_NOP = 1,
	OPTION_MSS = 2,
	OPTION_MSS_BYTES = 4,
};

/* ---- to the guest */

static bool receive(struct user *u, const struct io_piece *piece, unsigned pieces,
		    const struct net_offload *o)
{
	const struct net_card *c = &u->network.card;

	return !c->receive || c->receive(c->opaque, piece, pieces, o);
}

static void keep(struct user *u, const struct io_piece *piece, unsigned pieces,
		 const struct net_offload *o)
{
	struct user_kept *k;
	size_t len = 0;

	for (unsigned i = 0; i < pieces; i++)
		len += piece[i].len;
	if (u->kept_bytes + len > KEPT_BYTES_MAX)
		return; /* lost, as on any network that is too fast */
	k = malloc(sizeof(*k) + len);
	if (!k)
		return;
	k->next = NULL;
	k->len = 0;
	k->offload = o ? *o : (struct net_offload){0};
	for (unsigned i = 0; i < pieces; i++) {
		memcpy(k->bytes + k->len, piece[i].base, piece[i].len);
		k->len += piece[i].len;
	}
	*u->kept_end = k;
	u->kept_end = &k->next;
	u->kept_bytes += len;
}

static void give(void *opaque, const struct io_piece *piece, unsigned pieces,
		 const struct net_offload *o)
{
	struct user *u = opaque;

	if (u->kept || !receive(u, piece, pieces, o))
		keep(u, piece, pieces, o);
}

static void resume(void *opaque)
{
	struct user *u = opaque;
	struct user_kept *k;

	while ((k = u->kept)) {
		struct io_piece piece = {k->bytes, k->len};

		if (!receive(u, &piece, 1, &k->offload))
			return;
		u->kept = k->next;
		if (!u->kept)
			u->kept_end = &u->kept;
		u->kept_bytes -= k->len;
		free(k);
	}
}

/* A TCP packet longer than the guest's frames: the guest is to take it as several. */
static void give_large(struct user *u, const uint8_t *frame, const struct net_headers *h)
{
	uint8_t copy[NET_ETHERNET_BYTES + 60 + 60];
	unsigned mss = u->mtu - (h->data - h->l3);
	uint16_t sum = (uint16_t)~net_sum_fold(net_sum_pseudo(frame, h, h->end - h->l4));
	struct io_piece piece[2] = {{copy, h->data},
				    {(void *)(uintptr_t)(frame + h->data), h->end - h->data}};
	struct net_offload o = {
		.flags = NET_NEEDS_CSUM,
		.gso_type = h->ip == 4 ? NET_GSO_TCP4 : NET_GSO_TCP6,
		.header_bytes = h->data,
		.gso_bytes = (uint16_t)mss,
		.csum_start = h->l4,
		.csum_offset = NET_TCP_CSUM,
	};
	unsigned needs = NET_TAKES_CSUM | (h->ip == 4 ? NET_TAKES_TSO4 : NET_TAKES_TSO6);

	if ((u->card_features & needs) != needs || h->data > sizeof(copy)) {
		net_segment(frame, h->end, mss, give, u);
		return;
	}
	memcpy(copy, frame, h->data);
	memcpy(copy + h->l4 + NET_TCP_CSUM, &sum, 2);
	give(u, piece, 2, &o);
}

ssize_t user_frame_out(const void *frame, size_t len, void *user)
{
	struct user *u = user;
	struct io_piece piece = {(void *)(uintptr_t)frame, len};
	struct net_offload o = {.flags = NET_CSUM_VALID}; /* libslirp has made it */
	struct net_headers h;

	if (len <= NET_ETHERNET_BYTES + (size_t)u->mtu)
		give(u, &piece, 1, &o);
	else if (net_headers_parse(frame, len, &h) && h.data - h.l3 + 8u < u->mtu) {
		if (h.proto == NET_PROTO_TCP)
			give_large(u, frame, &h);
		else
			net_fragment(frame, len, u->mtu - (h.l4 - h.l3), give, u);
	}
	return (ssize_t)len;
}

/* ---- from the guest */

/* A 16-bit number at p is now v: its checksum at sum stays as right or wrong as it was. odd: p is
 * at an odd place of what is summed (RFC 1624). */
static void change(uint8_t *p, uint16_t v, bool odd, uint8_t *sum)
{
	uint16_t old, new, s;

	memcpy(&old, p, 2);
	net_store16(p, v);
	memcpy(&new, p, 2);
	memcpy(&s, sum, 2);
	if (odd) {
		old = (uint16_t)(old << 8 | old >> 8);
		new = (uint16_t)(new << 8 | new >> 8);
	}
	s = net_sum_fold((uint64_t)(uint16_t)~s + (uint16_t)~old + new);
	memcpy(sum, &s, 2);
}

/* The guest opens or accepts a connection: have libslirp send it large segments. Only where the
 * guest would take segments that fill its frames: what is cut up, here or in the guest, is cut so.
 */
static void raise_mss(struct user *u, uint8_t *frame, const struct net_headers *h, bool summed)
{
	uint8_t *tcp = frame + h->l4;
	unsigned end = h->data - h->l4, at = TCP_OPTIONS_AT, n;

	for (; at < end && tcp[at] != OPTION_END; at += n) {
		n = tcp[at] == OPTION_NOP ? 1 : at + 1 < end ? tcp[at + 1] : 0;
		if (!n || (n == 1 && tcp[at] != OPTION_NOP) || at + n > end)
			return;
		if (tcp[at] != OPTION_MSS || n != OPTION_MSS_BYTES)
			continue;
		if (net_load16(tcp + at + 2) < u->mtu - (h->ip == 4 ? 40 : 60))
			return;
		if (summed)
			change(tcp + at + 2, KEEP_MSS, at & 1, tcp + NET_TCP_CSUM);
		else
			net_store16(tcp + at + 2, KEEP_MSS);
		return;
	}
}

static void user_send(void *opaque, unsigned queue, const struct io_piece *piece, unsigned pieces,
		      const struct net_offload *o)
{
	struct user *u = opaque;
	bool summed = !o || !(o->flags & NET_NEEDS_CSUM);
	struct net_headers h;
	size_t len = 0;

	for (unsigned i = 0; i < pieces; i++) {
		if (piece[i].len > sizeof(u->frame) - len)
			return;
		memcpy(u->frame + len, piece[i].base, piece[i].len);
		len += piece[i].len;
	}
	if (net_headers_parse(u->frame, len, &h) && h.proto == NET_PROTO_TCP &&
	    (u->frame[h.l4 + 13] & NET_TCP_SYN))
		raise_mss(u, u->frame, &h, summed);
	if (!summed && !net_checksum_fill(u->frame, len, o))
		return;
	user_poll_time(u);
	slirp_input(u->slirp, u->frame, (int)len);
}

static void card_features(void *opaque, unsigned features)
{
	((struct user *)opaque)->card_features = features;
}

void user_frames_init(struct user *u)
{
	u->kept_end = &u->kept;
	u->network.send = user_send;
	u->network.resume = resume;
	u->network.card_features = card_features;
	u->network.opaque = u;
	u->network.features = NET_TAKES_CSUM | NET_TAKES_TSO4 | NET_TAKES_TSO6 | NET_TAKES_UFO;
}

void user_frames_clear(struct user *u)
{
	struct user_kept *k, *next;

	for (k = u->kept; k; k = next) {
		next = k->next;
		free(k);
	}
	u->kept = NULL;
}
