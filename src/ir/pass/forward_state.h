/*
 * forward-state: a get of guest state that an earlier put or get of the block already holds becomes
 * that value, or a truncation of a wider one.
 *
 * What is known is kept by granule: a value for each of the forms in which registers are used, and
 * one for any other range inside a granule. Vectors are kept where they begin.
 */
#ifndef IR_PASS_FORWARD_STATE_H
#define IR_PASS_FORWARD_STATE_H

#include <string.h>

#include "base/bits.h"
#include "ir/folder.h"
#include "ir/pass/state.h"

enum ir_form {
	IR_FORM_8,
	IR_FORM_16,
	IR_FORM_32,
	IR_FORM_64,
	IR_FORM_HIGH8, /* byte 1 */
	IR_FORM_V128,
	IR_FORM_V256,
	IR_FORM_OTHER,
	IR_FORM_WIDE = 1 << IR_FORM_V128 | 1 << IR_FORM_V256,
};

static inline void ir_known_init(struct ir_known *k, const struct ir_isa *isa)
{
	const uint32_t cc[] = {isa->cc_a_offset, isa->cc_b_offset, isa->cc_c_offset,
			       isa->cc_kind_offset};

	k->isa = isa;
	k->flags = IR_NONE;
	k->wide = false;
	k->cc_low = k->cc_high = cc[0];
	for (unsigned i = 1; i < 4; i++) {
		k->cc_low = cc[i] < k->cc_low ? cc[i] : k->cc_low;
		k->cc_high = cc[i] > k->cc_high ? cc[i] : k->cc_high;
	}
	k->cc_high += 8;
	ir_state_clear(k->have, sizeof k->have);
}

/* The form of an access; IR_FORMS if it has none: then nothing is remembered of it. */
static inline unsigned ir_form_of(uint64_t offset, enum ir_type t)
{
	static const uint8_t aligned[IR_TYPES] = {
		[IR_I8] = IR_FORM_8,   [IR_I16] = IR_FORM_16,	 [IR_I32] = IR_FORM_32,
		[IR_I64] = IR_FORM_64, [IR_V128] = IR_FORM_V128, [IR_V256] = IR_FORM_V256};

	if (offset / 8 >= IR_GRANULES)
		return IR_FORMS;
	if (offset % 8 == 0)
		return aligned[t];
	if (offset % 8 == 1 && t == IR_I8)
		return IR_FORM_HIGH8;
	return offset % 8 + ir_type_bytes(t) <= 8 ? IR_FORM_OTHER : IR_FORMS;
}

/* The bytes of granule g given by mask change. */
static inline void ir_known_spoil(struct ir_known *k, uint64_t g, unsigned mask)
{
	unsigned have = k->have[g], kill = IR_FORM_WIDE;

	if (!have)
		return;
	if (mask & 0x01)
		kill |= 1 << IR_FORM_8 | 1 << IR_FORM_16 | 1 << IR_FORM_32 | 1 << IR_FORM_64;
	if (mask & 0x02)
		kill |= 1 << IR_FORM_HIGH8 | 1 << IR_FORM_16 | 1 << IR_FORM_32 | 1 << IR_FORM_64;
	if (mask & 0x0c)
		kill |= 1 << IR_FORM_32 | 1 << IR_FORM_64;
	if (mask & 0xf0)
		kill |= 1 << IR_FORM_64;
	if ((have >> IR_FORM_OTHER & 1) && (k->other[g] & mask))
		kill |= 1 << IR_FORM_OTHER;
	k->have[g] = (uint8_t)(have & ~kill);
}

static inline void ir_known_forget(struct ir_known *k, uint64_t offset, unsigned bytes)
{
	uint64_t first = offset / 8, last = (offset + bytes - 1) / 8;

	if (last >= IR_GRANULES)
		last = IR_GRANULES - 1;
	for (uint64_t g = first; g <= last; g++)
		ir_known_spoil(k, g,
			       g == first
				       ? ir_granule_bytes(offset, bytes)
				       : ir_granule_bytes(0, (unsigned)(offset + bytes - 8 * g)));
	if (!k->wide || first >= IR_GRANULES)
		return;
	for (unsigned back = 1; back <= 3 && back <= first; back++) /* vectors that begin before */
		k->have[first - back] &= (uint8_t) ~(back == 1 ? IR_FORM_WIDE : 1 << IR_FORM_V256);
}

static inline void ir_known_forget_groups(struct ir_known *k, uint64_t groups)
{
	if (!groups)
		return;
	if (groups & k->isa->flags_group)
		k->flags = IR_NONE;
	for (const struct ir_state_reg *r = k->isa->regs; r->name; r++)
		if (r->group & groups)
			ir_known_forget(k, r->offset, r->bytes);
}

static inline void ir_known_forget_all(struct ir_known *k)
{
	k->flags = IR_NONE;
	ir_state_clear(k->have, sizeof k->have);
}

static inline void ir_known_remember(struct ir_known *k, uint64_t offset, enum ir_type t, ir_ref v)
{
	unsigned f = ir_form_of(offset, t);

	if (f == IR_FORMS)
		return;
	k->have[offset / 8] |= (uint8_t)(1 << f);
	k->value[offset / 8][f] = v;
	if (f == IR_FORM_OTHER)
		k->other[offset / 8] = (uint8_t)ir_granule_bytes(offset, ir_type_bytes(t));
	else if (f >= IR_FORM_V128)
		k->wide = true;
}

/* What a get reads, if it is known; *wider: only more than that is, in the value's low part. */
static inline ir_ref ir_known_get(const struct ir_known *k, uint64_t offset, enum ir_type t,
				  bool *wider)
{
	/* No integer of a vector: that would be no truncation. */
	static const uint8_t wider_forms[IR_FORMS] = {
		[IR_FORM_8] = 1 << IR_FORM_16 | 1 << IR_FORM_32 | 1 << IR_FORM_64,
		[IR_FORM_16] = 1 << IR_FORM_32 | 1 << IR_FORM_64,
		[IR_FORM_32] = 1 << IR_FORM_64,
		[IR_FORM_V128] = 1 << IR_FORM_V256,
	};
	unsigned f = ir_form_of(offset, t);
	unsigned have;

	*wider = false;
	if (f == IR_FORMS)
		return IR_NONE;
	have = k->have[offset / 8];
	if (have >> f & 1 && (f != IR_FORM_OTHER ||
			      k->other[offset / 8] == ir_granule_bytes(offset, ir_type_bytes(t))))
		return k->value[offset / 8][f];
	have &= wider_forms[f];
	if (!have)
		return IR_NONE;
	*wider = true;
	return k->value[offset / 8][__builtin_ctz(have)];
}

static inline void ir_known_put(struct ir_known *k, uint64_t offset, enum ir_type t, ir_ref v)
{
	unsigned bytes = ir_type_bytes(t);

	if (LIKELY(t == IR_I64 && offset % 8 == 0 && offset / 8 < IR_GRANULES && !k->wide))
		k->have[offset / 8] = 0;
	else
		ir_known_forget(k, offset, bytes);
	if (ir_state_overlap(offset, bytes, k->cc_low, (unsigned)(k->cc_high - k->cc_low)))
		k->flags = IR_NONE;
	ir_known_remember(k, offset, t, v);
}

static inline void ir_known_put_flags(struct ir_known *k, ir_ref f)
{
	for (uint64_t g = k->cc_low / 8; g < (k->cc_high + 7) / 8 && g < IR_GRANULES; g++)
		k->have[g] = 0;
	k->flags = f;
}

#endif
