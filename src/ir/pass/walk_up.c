/*
 * The walk up: dead-puts and dead-values. The latter: operations without side effects whose results
 * nobody uses are taken out; loads may fault and stay.
 */
#include <string.h>

#include "ir/pass/dead_puts.h"
#include "ir/pass/edit.h"

/* The operation of an entry that is taken out, until the block is compacted. */
enum { DEAD = IR_OP_COUNT };

/* Take every DEAD entry from first on out and renumber what follows. No living entry uses one. */
static void compact(struct ir_block *b, uint32_t first)
{
	ir_ref moved[IR_BLOCK_MAX]; /* by how much */
	uint32_t to = first;

	for (uint32_t from = first; from < b->count; from++) {
		struct ir_insn *n = &b->insn[from];

		if (n->op == DEAD)
			continue;
		moved[from] = (ir_ref)to;
		for (unsigned k = 0; k < 3; k++)
			if (n->arg[k] != IR_NONE && n->arg[k] >= first)
				n->arg[k] = moved[n->arg[k]];
		b->insn[to++] = *n;
	}
	b->count = to;
}

/* Take n, which stays so far, into account; true if it is a dead put. */
static bool see(struct ir_cover *c, const struct ir_insn *n)
{
	switch (n->op) {
	case IR_PUT:
		return ir_cover_put(c, (uint64_t)n->imm, ir_type_bytes((enum ir_type)n->type));
	case IR_PUT_FLAGS:
		return ir_cover_put_flags(c);
	case IR_GET:
		ir_cover_get(c, (uint64_t)n->imm, ir_type_bytes((enum ir_type)n->type));
		break;
	case IR_GET_FLAGS:
		ir_cover_get_flags(c);
		break;
	case IR_CALL:
		ir_cover_call(c, ir_helper_of(n));
		break;
	default:
		if (ir_ops[n->op].may_fault || ir_ops[n->op].leaves)
			ir_cover_clear(c);
		break;
	}
	return false;
}

void ir_walk_up(struct ir_block *b, unsigned what)
{
	uint8_t used[IR_BLOCK_MAX];
	uint32_t first = b->count;
	struct ir_cover c;

	c.isa = b->isa;
	ir_cover_clear(&c);
	memset(used, 0, b->count);
	for (uint32_t i = b->count; i-- > 0;) {
		struct ir_insn *n = &b->insn[i];
		bool dead;

		if (!used[i] && !ir_insn_has_effect(n)) {
			if (!(what & IR_UP_DEAD_VALUES))
				continue;
			dead = true;
		} else {
			dead = (what & IR_UP_DEAD_PUTS) && see(&c, n);
		}
		if (dead) {
			n->op = DEAD;
			first = i;
			continue;
		}
		for (unsigned k = 0; k < 3; k++)
			if (n->arg[k] != IR_NONE)
				used[n->arg[k]] = 1;
	}
	if (first < b->count)
		compact(b, first);
}
