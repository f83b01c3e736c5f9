/*
 * known-returns: a load of what the block stored there is that value, if it is a `pc`: the return
 * address of a call whose return is in the same block. What was stored in between may not be the
 * same place: only other distances from the same address, by less than a page, certainly are not,
 * whatever is mapped where. The store is marked IR_MEM_KEPT: it has to be to memory that gives back
 * what is stored.
 */
#ifndef IR_PASS_KNOWN_RETURNS_H
#define IR_PASS_KNOWN_RETURNS_H

#include "ir/ir.h"

enum { IR_RETURN_REACH = 1024 }; /* the farthest distance, and operations that are looked at */

/* v without the constants added to it, which go to *disp. */
static inline ir_ref ir_place_of(const struct ir_block *b, ir_ref v, int64_t *disp)
{
	const struct ir_insn *i = &b->insn[v];

	for (*disp = 0; i->type == IR_I64 && (i->op == IR_ADD || i->op == IR_SUB);
	     i = &b->insn[v]) {
		const struct ir_insn *c = &b->insn[i->arg[1]];

		if (c->op != IR_CONST || c->imm < -IR_RETURN_REACH || c->imm > IR_RETURN_REACH)
			break;
		*disp += i->op == IR_ADD ? c->imm : -c->imm;
		v = i->arg[0];
	}
	return v;
}

/* The value that load n of b, not yet appended, reads; or IR_NONE. */
static inline ir_ref ir_return_known(struct ir_block *b, const struct ir_insn *n)
{
	unsigned bytes = ir_type_bytes((enum ir_type)n->type);
	int64_t disp, at;
	ir_ref base;

	if (n->type != IR_I64 || n->aux & ~1)
		return IR_NONE;
	base = ir_place_of(b, n->arg[0], &disp);
	for (uint32_t k = b->count; k > 0 && b->count - k < IR_RETURN_REACH; k--) {
		struct ir_insn *s = &b->insn[k - 1];

		if (s->op == IR_CALL ? ir_insn_side_effect(s) || ir_helper_of(s)->reads
				     : (s->op >= IR_ATOMIC_XCHG && s->op <= IR_FENCE))
			return IR_NONE;
		if (s->op != IR_STORE)
			continue;
		if (ir_place_of(b, s->arg[0], &at) != base)
			return IR_NONE;
		at -= disp;
		if (at == 0 && s->type == IR_I64 && s->mmu == n->mmu &&
		    b->insn[s->arg[1]].op == IR_PC) {
			s->aux |= IR_MEM_KEPT;
			return s->arg[1];
		}
		if (at < -IR_RETURN_REACH || at > IR_RETURN_REACH ||
		    (at < bytes && at + ir_type_bytes((enum ir_type)s->type) > 0))
			return IR_NONE;
	}
	return IR_NONE;
}

#endif
