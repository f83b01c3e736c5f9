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
	ir_ref moved[IR_BLOCK_MAX];
	uint32_t to = first, span = b->count - first;

	for (uint32_t from = first; from < b->count; from++) {
		const struct ir_insn *n = &b->insn[from];
		ir_ref arg[3];

		if (n->op == DEAD)
			continue;
		moved[from - first] = (ir_ref)to;
		for (unsigned k = 0; k < 3; k++) {
			uint32_t back = (uint32_t)n->arg[k] - first; /* IR_NONE is out of span */

			arg[k] = back < span ? moved[back] : n->arg[k];
		}
		ir_insn_set(&b->insn[to++],
			    (uint32_t)ir_insn_word(n, 0) | (uint64_t)arg[0] << 32 |
				    (uint64_t)arg[1] << 48,
			    arg[2], (uint64_t)n->imm);
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

/* Note that n's arguments are used; used has an entry more for those that are not there. */
static inline void use_args(uint8_t *used, const struct ir_insn *n)
{
	for (unsigned k = 0; k < 3; k++)
		used[n->arg[k] == IR_NONE ? IR_BLOCK_MAX : n->arg[k]] = 1;
}

void ir_walk_up(struct ir_block *b, unsigned what)
{
	uint8_t used[IR_BLOCK_MAX + 1];
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
		} else {
			use_args(used, n);
		}
	}
	if (first < b->count)
		compact(b, first);
}
