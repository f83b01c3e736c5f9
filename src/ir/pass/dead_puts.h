/*
 * dead-puts: a put (or put_flags) whose bytes later puts of the block overwrite before anyone can
 * see them is taken out. Going up, what will be overwritten is kept by granule; whatever may leave
 * the block (a fault, an exit) or read the state empties what it can see. Values that nobody uses
 * do not count as readers.
 */
#ifndef IR_PASS_DEAD_PUTS_H
#define IR_PASS_DEAD_PUTS_H

#include <string.h>

#include "base/bits.h"
#include "ir/folder.h"
#include "ir/pass/state.h"

struct ir_cover {
	const struct ir_isa *isa;
	bool flags; /* the lazy flags will be overwritten */
	uint64_t valid[IR_GRANULES / 64];
	uint8_t bytes[IR_GRANULES]; /* of a granule that is valid: which will be overwritten */
};

static inline void ir_cover_clear(struct ir_cover *c)
{
	c->flags = false;
	memset(c->valid, 0, sizeof c->valid);
}

static inline unsigned ir_cover_at(const struct ir_cover *c, uint64_t g)
{
	return g < IR_GRANULES && c->valid[g / 64] >> g % 64 & 1 ? c->bytes[g] : 0;
}

static inline void ir_cover_set(struct ir_cover *c, uint64_t g, unsigned bytes)
{
	if (g >= IR_GRANULES)
		return;
	c->bytes[g] = (uint8_t)bytes;
	c->valid[g / 64] |= 1ull << g % 64;
}

static inline void ir_cover_read(struct ir_cover *c, uint64_t offset, unsigned bytes)
{
	for (uint64_t end = offset + bytes; offset < end; offset = (offset | 7) + 1) {
		unsigned now = ir_cover_at(c, offset / 8);

		if (now)
			ir_cover_set(c, offset / 8,
				     now & ~ir_granule_bytes(offset, (unsigned)(end - offset)));
	}
}

static inline void ir_cover_read_groups(struct ir_cover *c, uint64_t groups)
{
	if (!groups)
		return;
	if (groups & c->isa->flags_group)
		c->flags = false;
	for (const struct ir_state_reg *r = c->isa->regs; r->name; r++)
		if (r->group & groups)
			ir_cover_read(c, r->offset, r->bytes);
}

static inline bool ir_cover_touches_flags(const struct ir_isa *isa, uint64_t offset, unsigned bytes)
{
	return ir_state_overlap(offset, bytes, isa->cc_a_offset, 8) ||
	       ir_state_overlap(offset, bytes, isa->cc_b_offset, 8) ||
	       ir_state_overlap(offset, bytes, isa->cc_c_offset, 8) ||
	       ir_state_overlap(offset, bytes, isa->cc_kind_offset, 4);
}

/* True if the put is dead; else it covers its bytes for those above it. */
static inline bool ir_cover_put(struct ir_cover *c, uint64_t offset, unsigned bytes)
{
	uint64_t end = offset + bytes;
	bool dead = true;

	if (LIKELY(bytes == 8 && offset % 8 == 0)) {
		dead = ir_cover_at(c, offset / 8) == 0xff;
		ir_cover_set(c, offset / 8, 0xff);
		return dead;
	}
	for (uint64_t at = offset; at < end; at = (at | 7) + 1) {
		unsigned now = ir_cover_at(c, at / 8);
		unsigned all = now | ir_granule_bytes(at, (unsigned)(end - at));

		if (now != all) {
			dead = false;
			ir_cover_set(c, at / 8, all);
		}
	}
	return dead;
}

static inline bool ir_cover_put_flags(struct ir_cover *c)
{
	bool dead = c->flags;

	c->flags = true;
	return dead;
}

static inline void ir_cover_get(struct ir_cover *c, uint64_t offset, unsigned bytes)
{
	ir_cover_read(c, offset, bytes);
	if (c->flags && ir_cover_touches_flags(c->isa, offset, bytes))
		c->flags = false;
}

/* Reads all four fields, however they were written. */
static inline void ir_cover_get_flags(struct ir_cover *c)
{
	c->flags = false;
	ir_cover_read(c, c->isa->cc_a_offset, 8);
	ir_cover_read(c, c->isa->cc_b_offset, 8);
	ir_cover_read(c, c->isa->cc_c_offset, 8);
	ir_cover_read(c, c->isa->cc_kind_offset, 4);
}

static inline void ir_cover_call(struct ir_cover *c, const struct ir_helper *h)
{
	if (h->flags & (IR_HELPER_FAULTS | IR_HELPER_MEMORY | IR_HELPER_SETS_PC))
		ir_cover_clear(c);
	else
		ir_cover_read_groups(c, h->reads);
}

#endif
