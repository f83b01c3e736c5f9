/*
 * dead-puts: a put (or put_flags) whose bytes a later put of the block overwrites before anyone can
 * see them is taken out. While the block is built, the puts that nobody has seen yet are kept in a
 * chain for the granule they begin in; what may leave the block (a fault, an exit) sees them all,
 * what reads state takes those it reads out of their chains.
 */
#ifndef IR_PASS_DEAD_PUTS_H
#define IR_PASS_DEAD_PUTS_H

#include "base/bits.h"
#include "ir/folder.h"
#include "ir/pass/edit.h"
#include "ir/pass/state.h"

/* The put that entry e (its number plus one, 0 is none) of granule g's chain means, or NULL if it
 * is none of this block that has not been seen. */
static inline const struct ir_insn *ir_unseen_at(const struct ir_block *b,
						 const struct ir_unseen *u, uint64_t g, ir_ref e)
{
	const struct ir_insn *n = &b->insn[e - 1];

	if (e <= u->since || e > b->count || n->op != IR_PUT || (uint64_t)n->imm / 8 != g)
		return NULL;
	return n;
}

/* Keep of granule g's chain what has no byte in [offset, offset + bytes). With kill those that have
 * no byte outside of it are dead, and others stay. */
static inline void ir_unseen_filter(struct ir_block *b, struct ir_unseen *u, uint64_t g,
				    uint64_t offset, unsigned bytes, bool kill)
{
	ir_ref kept = 0;
	const struct ir_insn *n;

	for (ir_ref e = u->last[g], next; e && (n = ir_unseen_at(b, u, g, e)); e = next) {
		uint64_t at = (uint64_t)n->imm, end = at + ir_type_bytes((enum ir_type)n->type);

		next = u->before[e - 1];
		if (kill && at >= offset && end <= offset + bytes) {
			b->folder->live[e - 1] = 0;
		} else if (kill || at >= offset + bytes || offset >= end) {
			u->before[e - 1] = kept;
			kept = e;
		}
	}
	u->last[g] = kept;
}

/* [offset, offset + bytes) is read, or with kill overwritten. */
static inline void ir_unseen_range(struct ir_block *b, struct ir_unseen *u, uint64_t offset,
				   unsigned bytes, bool kill)
{
	uint64_t first = offset / 8, last = (offset + bytes - 1) / 8;

	if (!kill && u->wide) /* vectors begin up to three granules before */
		first = first > 3 ? first - 3 : 0;
	for (uint64_t g = first; g <= last && g < IR_GRANULES; g++)
		if (u->last[g])
			ir_unseen_filter(b, u, g, offset, bytes, kill);
}

/* The put that comes next in b. */
static inline void ir_unseen_put(struct ir_block *b, struct ir_unseen *u, uint64_t offset,
				 unsigned bytes)
{
	uint64_t g = offset / 8;

	if (g >= IR_GRANULES)
		return;
	ir_unseen_range(b, u, offset, bytes, true);
	u->before[b->count] = u->last[g];
	u->last[g] = (ir_ref)(b->count + 1);
	u->wide |= bytes > 8;
}

static inline void ir_unseen_put_flags(struct ir_block *b, struct ir_unseen *u)
{
	if (u->flags > u->since)
		b->folder->live[u->flags - 1] = 0;
	u->flags = b->count + 1;
}

static inline bool ir_state_is_flags(const struct ir_isa *isa, uint64_t offset, unsigned bytes)
{
	return ir_state_overlap(offset, bytes, isa->cc_a_offset, 8) ||
	       ir_state_overlap(offset, bytes, isa->cc_b_offset, 8) ||
	       ir_state_overlap(offset, bytes, isa->cc_c_offset, 8) ||
	       ir_state_overlap(offset, bytes, isa->cc_kind_offset, 4);
}

static inline void ir_unseen_get(struct ir_block *b, struct ir_unseen *u, uint64_t offset,
				 unsigned bytes)
{
	ir_unseen_range(b, u, offset, bytes, false);
	if (ir_state_is_flags(b->isa, offset, bytes))
		u->flags = 0;
}

/* Reads all four fields, however they were written. */
static inline void ir_unseen_get_flags(struct ir_block *b, struct ir_unseen *u)
{
	u->flags = 0;
	ir_unseen_range(b, u, b->isa->cc_a_offset, 8, false);
	ir_unseen_range(b, u, b->isa->cc_b_offset, 8, false);
	ir_unseen_range(b, u, b->isa->cc_c_offset, 8, false);
	ir_unseen_range(b, u, b->isa->cc_kind_offset, 4, false);
}

/* Everything is seen by what comes next in b, or came last. */
static inline void ir_unseen_none(const struct ir_block *b, struct ir_unseen *u)
{
	u->since = b->count;
}

static inline void ir_unseen_call(struct ir_block *b, struct ir_unseen *u,
				  const struct ir_helper *h)
{
	if (h->flags & (IR_HELPER_FAULTS | IR_HELPER_MEMORY | IR_HELPER_SETS_PC)) {
		ir_unseen_none(b, u);
		return;
	}
	if (h->reads & b->isa->flags_group)
		u->flags = 0;
	for (const struct ir_state_reg *r = b->isa->regs; h->reads && r->name; r++)
		if (r->group & h->reads)
			ir_unseen_range(b, u, r->offset, r->bytes, false);
}

#endif
