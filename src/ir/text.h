/* What the printer and the parser must agree on: which operand forms an operation has. */
#ifndef IR_TEXT_H
#define IR_TEXT_H

#include "ir/ir.h"

/* What follows the operation's name after a dot. */
enum ir_suffix {
	IR_SUFFIX_NONE,
	IR_SUFFIX_TYPE,	     /* .i32: insn->type */
	IR_SUFFIX_IMM_TYPE,  /* .i32: imm, the operand type of a comparison */
	IR_SUFFIX_KIND_TYPE, /* .sub.i32: IR_FLAGS_KEY */
	IR_SUFFIX_COND,	     /* .ne */
	IR_SUFFIX_VOP,	     /* .paddb */
};

static inline enum ir_suffix ir_text_suffix(enum ir_op op)
{
	if (op >= IR_EQ && op <= IR_LES)
		return IR_SUFFIX_IMM_TYPE;
	switch (op) {
	case IR_MAKE_FLAGS:
		return IR_SUFFIX_KIND_TYPE;
	case IR_COND:
		return IR_SUFFIX_COND;
	case IR_VOP:
		return IR_SUFFIX_VOP;
	case IR_CALL:
		return IR_SUFFIX_NONE;
	case IR_PUT:
	case IR_STORE:
		return IR_SUFFIX_TYPE;
	default:
		return ir_ops[op].result == IR_RESULT_TYPE ? IR_SUFFIX_TYPE : IR_SUFFIX_NONE;
	}
}

/* Operations whose arguments may be fewer than the table's, or have gaps (written _). */
static inline bool ir_text_args_vary(enum ir_op op)
{
	return op == IR_MAKE_FLAGS || op == IR_VOP || op == IR_CALL;
}

/* How imm is written: before the arguments, or (deltas of conditional exits) after them. */
enum ir_imm_form { IR_IMM_NONE, IR_IMM_CONST, IR_IMM_STATE, IR_IMM_DELTA, IR_IMM_HELPER };

static inline enum ir_imm_form ir_text_imm(enum ir_op op)
{
	switch (op) {
	case IR_CONST:
		return IR_IMM_CONST;
	case IR_GET:
	case IR_PUT:
		return IR_IMM_STATE;
	case IR_PC:
	case IR_GUEST:
	case IR_EXIT:
	case IR_EXIT_IF:
	case IR_EXIT_UNLESS:
	case IR_EXIT_MOVED:
		return IR_IMM_DELTA;
	case IR_CALL:
		return IR_IMM_HELPER;
	default:
		return IR_IMM_NONE;
	}
}

static inline bool ir_text_imm_last(enum ir_op op)
{
	return op == IR_EXIT_IF || op == IR_EXIT_UNLESS;
}

static inline bool ir_text_is_memory(enum ir_op op)
{
	return op >= IR_LOAD && op <= IR_ATOMIC_CMPXCHG;
}

#endif
