/* What the passes share: renaming values, finding the used ones, taking operations out. */
#ifndef IR_PASS_EDIT_H
#define IR_PASS_EDIT_H

#include <string.h>

#include "ir/ir.h"

/* The operation of an entry that a pass has taken out; only between the mark and the compaction. */
enum { IR_DEAD = IR_OP_COUNT };

/* Take every IR_DEAD entry out and renumber what follows. No living entry may use a dead one. */
void ir_block_compact(struct ir_block *b);

/* Replace every argument of n by what it is known to be. */
static inline void ir_insn_rename(struct ir_insn *n, const ir_ref *known)
{
	for (unsigned k = 0; k < 3; k++)
		if (n->arg[k] != IR_NONE)
			n->arg[k] = known[n->arg[k]];
}

/* A set of values of one block. Valid from 0 to the count it was cleared for. */
struct ir_ref_set {
	uint64_t bits[IR_BLOCK_MAX / 64];
};

static inline void ir_ref_set_clear(struct ir_ref_set *s, uint32_t count)
{
	memset(s->bits, 0, (count + 63) / 64 * 8);
}

static inline void ir_ref_set_add_args(struct ir_ref_set *s, const struct ir_insn *n)
{
	for (unsigned k = 0; k < 3; k++)
		if (n->arg[k] != IR_NONE)
			s->bits[n->arg[k] / 64] |= 1ull << (n->arg[k] % 64);
}

static inline bool ir_ref_set_has(const struct ir_ref_set *s, uint32_t r)
{
	return s->bits[r / 64] >> (r % 64) & 1;
}

/* Whether two ranges of state bytes have a byte in common. */
static inline bool ir_state_overlap(uint64_t a, unsigned a_bytes, uint64_t b, unsigned b_bytes)
{
	return a < b + b_bytes && b < a + a_bytes;
}

/* The groups that hold state bytes [offset, offset + bytes); all if no register is known there. */
static inline uint64_t ir_state_group(const struct ir_isa *isa, uint64_t offset, unsigned bytes)
{
	const struct ir_state_reg *r = ir_reg_at(isa, offset, bytes);

	return r ? r->group : ~0ull;
}

/* The passes; their rows are in registry.c. */
void ir_pass_forward_state(struct ir_block *b);
void ir_pass_fold_conditions(struct ir_block *b);
void ir_pass_fold_values(struct ir_block *b);
void ir_pass_dead_puts(struct ir_block *b);
void ir_pass_dead_values(struct ir_block *b);

#endif
