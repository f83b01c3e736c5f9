/*
 * Constants, identities and common subexpressions: what the builder could not see because values
 * met only after another pass. Pure operations on the same arguments are merged through a small
 * direct-mapped table; loads never are.
 */
#include "ir/pass/edit.h"

#include "ir/fold.h"

enum { TABLE_SIZE = 256 };

static bool can_merge(const struct ir_insn *n)
{
	if (n->op == IR_CALL) /* pure by its side effects below; reading state is not */
		return !ir_insn_side_effect(n) && ir_helper_of(n)->reads == 0;
	return ir_ops[n->op].result != IR_RESULT_NONE && n->op != IR_GET && n->op != IR_GET_FLAGS &&
	       !ir_insn_side_effect(n);
}

static bool same(const struct ir_insn *x, const struct ir_insn *y)
{
	return x->op == y->op && x->type == y->type && x->imm == y->imm && x->arg[0] == y->arg[0] &&
	       x->arg[1] == y->arg[1] && x->arg[2] == y->arg[2];
}

static unsigned hash(const struct ir_insn *n)
{
	uint64_t h = (uint64_t)n->imm * 0x9e3779b97f4a7c15;

	h ^= (uint64_t)n->op << 56 | (uint64_t)n->type << 48 | (uint64_t)n->arg[0] << 32 |
	     (uint64_t)n->arg[1] << 16 | n->arg[2];
	return (unsigned)(h * 0x9e3779b97f4a7c15 >> 56);
}

/* One order for the arguments where it does not matter; constants are on the right already. */
static void order_args(const struct ir_block *b, struct ir_insn *n)
{
	ir_ref x = n->arg[0], y = n->arg[1];

	if (ir_ops[n->op].commutative && x > y && b->insn[y].op != IR_CONST) {
		n->arg[0] = y;
		n->arg[1] = x;
	}
}

void ir_pass_fold_values(struct ir_block *b)
{
	ir_ref value[IR_BLOCK_MAX], table[TABLE_SIZE];

	memset(table, 0xff, sizeof table);
	for (uint32_t i = 0; i < b->count; i++) {
		struct ir_insn *n = &b->insn[i];
		ir_ref *slot;

		ir_insn_rename(n, value);
		value[i] = ir_fold(b, n);
		if (value[i] != IR_NONE)
			continue;
		value[i] = (ir_ref)i;
		if (!can_merge(n))
			continue;
		order_args(b, n);
		slot = &table[hash(n)];
		if (*slot != IR_NONE && same(&b->insn[*slot], n))
			value[i] = *slot;
		else
			*slot = (ir_ref)i;
	}
}
