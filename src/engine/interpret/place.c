#include "engine/interpret/place.h"

#include <string.h>

_Static_assert(sizeof(struct iblock) <= 256, "PLACE_BYTES_MAX counts on it");

size_t place_bytes(const struct lowered *low)
{
	return sizeof(struct iblock) + low->op_count * sizeof(struct iop) +
	       low->call_count * sizeof(struct icall) + low->link_count * sizeof(struct ilink) +
	       low->guest_count * (sizeof(int16_t) + 1) + low->op_count;
}

/* Turn indices into distances. */
static void place_ops(const struct lowered *low, struct iop *ops, struct icall *calls,
		      struct ilink *links)
{
	memcpy(ops, low->op, low->op_count * sizeof(ops[0]));
	memcpy(calls, low->call, low->call_count * sizeof(calls[0]));
	for (unsigned i = 0; i < low->op_count; i++) {
		if (low->op_pointer[i] == LOWERED_CALL)
			ops[i].imm = (int32_t)((uint8_t *)&calls[ops[i].imm] - (uint8_t *)&ops[i]);
		else if (low->op_pointer[i] == LOWERED_LINK)
			ops[i].d = (uint16_t)(((uint8_t *)&links[ops[i].d] - (uint8_t *)&ops[i]) /
					      sizeof(uint64_t));
	}
	for (unsigned i = 0; i < low->link_count; i++)
		links[i] = (struct ilink){.delta = low->link_delta[i],
					  .unretired = low->guest_count - low->link_guests[i]};
}

struct iblock *place_block(uint8_t *m, const struct lowered *low)
{
	size_t ops = low->op_count * sizeof(struct iop);
	size_t calls = low->call_count * sizeof(struct icall);
	size_t links = low->link_count * sizeof(struct ilink);
	size_t offsets = low->guest_count * sizeof(int16_t);
	struct iblock *b = (struct iblock *)m;

	m += sizeof(*b);
	*b = (struct iblock){.ops = (struct iop *)m, .op_count = (uint16_t)low->op_count};
	b->head.insns = (uint16_t)low->guest_count;
	b->head.link = m + ops + calls;
	b->head.link_count = (uint16_t)low->link_count;
	place_ops(low, (struct iop *)m, (struct icall *)(m + ops), b->head.link);
	m += ops + calls + links;
	b->guest_offset = memcpy(m, low->guest_offset, offsets);
	b->guest_len = memcpy(m + offsets, low->guest_len, low->guest_count);
	b->op_guest = memcpy(m + offsets + low->guest_count, low->op_guest, low->op_count);
	return b;
}
