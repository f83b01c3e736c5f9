/*
 * What the passes share. They run together, operation by operation while the block is built or
 * built again; each is a bit of what a folder does, and can be left out.
 */
#ifndef IR_PASS_EDIT_H
#define IR_PASS_EDIT_H

#include "base/bits.h"
#include "ir/vop.h"

enum ir_does { /* bits in the order of ir_passes */
	       IR_DOES_FORWARD_STATE = 1,
	       IR_DOES_FOLD_CONDITIONS = 2,
	       IR_DOES_FOLD_VALUES = 4,
	       IR_DOES_DEAD_PUTS = 8,
	       IR_DOES_DEAD_VALUES = 16,
	       IR_DOES_KNOWN_RETURNS = 32,
	       IR_DOES_ALL = 63,
};

/* folder.c: take out what is dead; b is without its folder then. */
void ir_folder_finish(struct ir_block *b);
/* Build b, which was built without a folder, again with one that does what; and finish it. */
void ir_block_refold(struct ir_block *b, unsigned what);

/* fold_conditions.c: whether n reads flags made in the block in a way that is worth folding; and
 * then: append what it comes to, at most IR_CONDITION_GROWTH operations, and return it. */
enum { IR_CONDITION_GROWTH = 18 };
bool ir_condition_folds(const struct ir_block *b, const struct ir_insn *n);
ir_ref ir_condition_fold(struct ir_block *b, const struct ir_insn *n);

/*
 * Operations go through memory a word at a time: what was written as bytes cannot be read as a word
 * at once, nor words as vectors.
 */
_Static_assert(offsetof(struct ir_insn, type) == 1 && offsetof(struct ir_insn, aux) == 2 &&
		       offsetof(struct ir_insn, mmu) == 3 && offsetof(struct ir_insn, arg) == 4 &&
		       offsetof(struct ir_insn, imm) == 16 && sizeof(struct ir_insn) == 24,
	       "words of an operation");

static inline uint64_t ir_insn_word(const struct ir_insn *n, unsigned w)
{
	return ((const u64_any *)n)[w];
}

static inline void ir_insn_set(struct ir_insn *n, uint64_t w0, uint64_t w1, uint64_t w2)
{
	u64_any *w = (u64_any *)n;

	w[0] = w0;
	w[1] = w1;
	w[2] = w2;
}

/* The first word: operation, type, and two arguments. */
static inline uint64_t ir_insn_head(enum ir_op op, enum ir_type t, ir_ref x, ir_ref y)
{
	return (uint64_t)op | (uint64_t)t << 8 | (uint64_t)x << 32 | (uint64_t)y << 48;
}

static inline void ir_insn_copy(struct ir_insn *to, const struct ir_insn *from)
{
	ir_insn_set(to, ir_insn_word(from, 0), ir_insn_word(from, 1), ir_insn_word(from, 2));
}

/* Replace every argument of n by what it is known to be. */
static inline void ir_insn_rename(struct ir_insn *n, const ir_ref *known)
{
	for (unsigned k = 0; k < 3; k++)
		if (n->arg[k] != IR_NONE)
			n->arg[k] = known[n->arg[k]];
}

#endif
