/*
 * Local simplification of one operation: constants, identities, narrowing and widening chains.
 * Shared by the builder, which folds as it appends, and the fold-values pass.
 */
#ifndef IR_FOLD_H
#define IR_FOLD_H

#include "ir/ir.h"

/* Looks only at n and at what its arguments are. Returns the ref of an earlier value that n always
 * equals, or IR_NONE with n perhaps rewritten to a simpler operation of the same type (a constant,
 * a copy of an argument's own arguments). n may be an entry of b. */
ir_ref ir_fold(const struct ir_block *b, struct ir_insn *n);

/* The value of a two-operand integer operation IR_ADD..IR_MULHS on operands cut to t; and of
 * IR_NOT..IR_POPCNT; and of IR_EQ..IR_LES (0 or 1). What each means, in one place. */
uint64_t ir_eval_bin(enum ir_op op, enum ir_type t, uint64_t x, uint64_t y);
uint64_t ir_eval_un(enum ir_op op, enum ir_type t, uint64_t x);
bool ir_eval_cmp(enum ir_op op, enum ir_type t, uint64_t x, uint64_t y);

#endif
