/*
 * fold-values: constants and identities (ir/fold.h), and common subexpressions: pure operations on
 * the same arguments are merged through a small direct-mapped table. Loads never are, nor what
 * reads guest state or leaves flags behind.
 */
#ifndef IR_PASS_FOLD_VALUES_H
#define IR_PASS_FOLD_VALUES_H

#include "ir/fold.h"
#include "ir/folder.h"
#include "ir/pass/edit.h"
#include "ir/pass/state.h"

/* Slots are one more than the value, so that zero is none. */
static inline void ir_values_init(struct ir_values *t)
{
	ir_state_clear(t->slot, sizeof t->slot);
}

static inline unsigned ir_values_hash(uint64_t head, const struct ir_insn *n)
{
	uint64_t h = (head ^ n->arg[2]) * 0x9e3779b97f4a7c15;

	h = (h ^ h >> 32 ^ (uint64_t)n->imm) * 0xd6e8feb86659fd93;
	return (unsigned)(h >> 56);
}

/* The earlier value that n equals, or IR_NONE: then n, which must come next in b, is remembered.
 * One order for the arguments where it does not matter; constants are on the right already. A slot
 * may be out of date, but then what stands there is not the same. */
static inline ir_ref ir_values_find(struct ir_values *t, const struct ir_block *b,
				    struct ir_insn *n)
{
	uint64_t head = ir_insn_word(n, 0);
	ir_ref *slot, x = n->arg[0], y = n->arg[1];
	const struct ir_insn *was;

	if (ir_ops[n->op].commutative && x > y && b->insn[y].op != IR_CONST) {
		head = (uint32_t)head | (uint64_t)y << 32 | (uint64_t)x << 48;
		ir_insn_set(n, head, ir_insn_word(n, 1), (uint64_t)n->imm);
	}
	slot = &t->slot[ir_values_hash(head, n)];
	was = &b->insn[*slot ? *slot - 1 : 0];
	if (*slot && *slot <= b->count && ir_insn_word(was, 0) == head &&
	    was->arg[2] == n->arg[2] && was->imm == n->imm)
		return *slot - 1;
	*slot = (ir_ref)(b->count + 1);
	return IR_NONE;
}

#endif
