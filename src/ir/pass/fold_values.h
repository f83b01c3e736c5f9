/*
 * fold-values: constants and identities (ir/fold.h), and common subexpressions: pure operations on
 * the same arguments are merged through a small direct-mapped table; loads never are.
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

static inline bool ir_values_can_merge(const struct ir_insn *n)
{
	if (n->op == IR_CALL) /* pure by its side effects below; reading state is not */
		return !ir_insn_has_effect(n) && ir_helper_of(n)->reads == 0;
	return ir_ops[n->op].result != IR_RESULT_NONE && n->op != IR_GET && n->op != IR_GET_FLAGS &&
	       !ir_insn_has_effect(n);
}

/* Operation, type, and the first two arguments at once. */
static inline uint64_t ir_values_head(const struct ir_insn *n)
{
	uint64_t head;

	_Static_assert(offsetof(struct ir_insn, arg[2]) == sizeof head, "what comes before");
	memcpy(&head, n, sizeof head);
	return head;
}

static inline bool ir_values_same(const struct ir_insn *x, const struct ir_insn *y)
{
	return ir_values_head(x) == ir_values_head(y) && x->arg[2] == y->arg[2] && x->imm == y->imm;
}

static inline unsigned ir_values_hash(const struct ir_insn *n)
{
	uint64_t h = (ir_values_head(n) ^ n->arg[2]) * 0x9e3779b97f4a7c15;

	h = (h ^ h >> 32 ^ (uint64_t)n->imm) * 0xd6e8feb86659fd93;
	return (unsigned)(h >> 56);
}

/* The earlier value that n equals, or IR_NONE: then n, which must come next in b, is remembered.
 * One order for the arguments where it does not matter; constants are on the right already. A slot
 * may be out of date, but then what stands there is not the same. */
static inline ir_ref ir_values_find(struct ir_values *t, const struct ir_block *b,
				    struct ir_insn *n)
{
	ir_ref *slot, x = n->arg[0], y = n->arg[1];

	if (ir_ops[n->op].commutative && x > y && b->insn[y].op != IR_CONST) {
		n->arg[0] = y;
		n->arg[1] = x;
	}
	slot = &t->slot[ir_values_hash(n)];
	if (*slot && *slot <= b->count && ir_values_same(&b->insn[*slot - 1], n))
		return *slot - 1;
	*slot = (ir_ref)(b->count + 1);
	return IR_NONE;
}

#endif
