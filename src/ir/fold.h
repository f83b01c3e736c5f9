/*
 * Local simplification of one operation: constants, identities, narrowing and widening chains.
 * Shared by the builder, which folds as it appends, and the fold-values pass.
 */
#ifndef IR_FOLD_H
#define IR_FOLD_H

#include "ir/ir.h"

/* Looks only at n, whose operation is op, and at what its arguments are. Returns the ref of an
 * earlier value that n always equals, or IR_NONE with n perhaps rewritten to a simpler operation of
 * the same type (a constant, a copy of an argument's own arguments). n may be an entry of b. */
static inline ir_ref ir_fold(const struct ir_block *b, enum ir_op op, struct ir_insn *n);

/* By operation; ir_fold chooses. Of the first two the type is an integer's. */
ir_ref ir_fold_bin(const struct ir_block *b, struct ir_insn *n);
ir_ref ir_fold_un(const struct ir_block *b, struct ir_insn *n);
ir_ref ir_fold_cmp(const struct ir_block *b, struct ir_insn *n);
ir_ref ir_fold_select(const struct ir_block *b, struct ir_insn *n);
ir_ref ir_fold_extend(const struct ir_block *b, struct ir_insn *n);
ir_ref ir_fold_trunc(const struct ir_block *b, struct ir_insn *n);
ir_ref ir_fold_flags_use(const struct ir_block *b, struct ir_insn *n);

/* The value of a two-operand integer operation IR_ADD..IR_MULHS on operands cut to t; and of
 * IR_NOT..IR_POPCNT; and of IR_EQ..IR_LES (0 or 1). What each means, in one place. */
uint64_t ir_eval_bin(enum ir_op op, enum ir_type t, uint64_t x, uint64_t y);
uint64_t ir_eval_un(enum ir_op op, enum ir_type t, uint64_t x);
bool ir_eval_cmp(enum ir_op op, enum ir_type t, uint64_t x, uint64_t y);

static inline bool ir_is_int(unsigned t)
{
	return t >= IR_I8 && t <= IR_I64;
}

static inline ir_ref ir_fold(const struct ir_block *b, enum ir_op op, struct ir_insn *n)
{
	if (op >= IR_ADD && op <= IR_MULHS)
		return ir_is_int(n->type) ? ir_fold_bin(b, n) : IR_NONE;
	if (op >= IR_NOT && op <= IR_POPCNT)
		return ir_is_int(n->type) ? ir_fold_un(b, n) : IR_NONE;
	if (op >= IR_EQ && op <= IR_LES)
		return ir_fold_cmp(b, n);
	switch (op) {
	case IR_SELECT:
		return ir_fold_select(b, n);
	case IR_ZEXT:
	case IR_SEXT:
		return ir_is_int(n->type) || n->type == IR_V256 ? ir_fold_extend(b, n) : IR_NONE;
	case IR_TRUNC:
		return ir_is_int(n->type) || n->type == IR_V128 ? ir_fold_trunc(b, n) : IR_NONE;
	case IR_COND:
	case IR_PACK_FLAGS:
		return ir_fold_flags_use(b, n);
	default:
		return IR_NONE;
	}
}

#endif
