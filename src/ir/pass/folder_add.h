/*
 * Appending an operation to a block that has a folder: forward-state, fold-conditions and
 * fold-values in one. Inlined where the operation is known, so that nothing has to be found out
 * again about it.
 */
#ifndef IR_PASS_FOLDER_ADD_H
#define IR_PASS_FOLDER_ADD_H

#include "base/bits.h"
#include "ir/pass/fold_values.h"
#include "ir/pass/forward_state.h"

static inline ir_ref ir_block_append(struct ir_block *b, const struct ir_insn *n)
{
	if (UNLIKELY(b->count >= b->cap || b->count >= IR_BLOCK_MAX)) {
		b->overflow = true;
		return 0;
	}
	ir_insn_copy(&b->insn[b->count], n);
	return (ir_ref)b->count++;
}

/* A pure operation: append it, or return the value that it turns out to be. */
static inline ir_ref ir_folder_value(struct ir_block *b, enum ir_op op, struct ir_insn *n)
{
	ir_ref r;

	if (!(b->folder->what & IR_DOWN_FOLD_VALUES))
		return ir_block_append(b, n);
	r = ir_fold(b, op, n);
	if (r == IR_NONE)
		r = ir_values_find(&b->folder->values, b, n);
	return r != IR_NONE ? r : ir_block_append(b, n);
}

static inline ir_ref ir_folder_get(struct ir_block *b, struct ir_insn *n)
{
	struct ir_known *k = &b->folder->known;
	uint64_t offset = (uint64_t)n->imm;
	enum ir_type t = (enum ir_type)n->type;
	bool wider;
	ir_ref r = ir_known_get(k, offset, t, &wider);

	if (r != IR_NONE && !wider)
		return r;
	if (wider) {
		n->op = IR_TRUNC;
		n->arg[0] = r;
		n->imm = 0;
		r = ir_folder_value(b, IR_TRUNC, n);
	} else {
		r = ir_block_append(b, n);
	}
	ir_known_remember(k, offset, t, r);
	return r;
}

static inline void ir_folder_call(struct ir_known *k, const struct ir_helper *h)
{
	if (h->flags & IR_HELPER_SETS_PC)
		ir_known_forget_all(k);
	else
		ir_known_forget_groups(k, h->writes);
}

/* Without fold-values what the condition comes to is built as without a folder. */
static inline ir_ref ir_folder_condition(struct ir_block *b, const struct ir_insn *n)
{
	struct ir_folder *f = b->folder;
	ir_ref r;

	b->folder = f->what & IR_DOWN_FOLD_VALUES ? f : NULL;
	r = ir_condition_fold(b, n);
	b->folder = f;
	return r;
}

/* n->op is op, and n is the caller's to lose. */
static inline ir_ref ir_folder_add(struct ir_block *b, enum ir_op op, struct ir_insn *n)
{
	struct ir_folder *f = b->folder;
	struct ir_known *k = &f->known;
	bool state = f->what & IR_DOWN_FORWARD_STATE;

	switch (op) {
	case IR_GET:
		return state ? ir_folder_get(b, n) : ir_block_append(b, n);
	case IR_PUT:
		if (state)
			ir_known_put(k, (uint64_t)n->imm, (enum ir_type)n->type, n->arg[0]);
		return ir_block_append(b, n);
	case IR_GET_FLAGS:
		if (!state)
			return ir_block_append(b, n);
		if (k->flags == IR_NONE)
			k->flags = ir_block_append(b, n);
		return k->flags;
	case IR_PUT_FLAGS:
		if (state)
			ir_known_put_flags(k, n->arg[0]);
		return ir_block_append(b, n);
	case IR_CALL:
		if (state)
			ir_folder_call(k, ir_helper_of(n));
		if (ir_insn_has_effect(n) || ir_helper_of(n)->reads)
			return ir_block_append(b, n);
		return ir_folder_value(b, op, n);
	case IR_COND:
	case IR_PACK_FLAGS:
		if ((f->what & IR_DOWN_FOLD_CONDITIONS) &&
		    b->count + f->later + IR_CONDITION_GROWTH <= f->room &&
		    ir_condition_folds(b, n))
			return ir_folder_condition(b, n);
		return ir_folder_value(b, op, n);
	case IR_VOP:
		if (ir_insn_has_effect(n))
			return ir_block_append(b, n);
		return ir_folder_value(b, op, n);
	default:
		if (ir_ops[op].side_effect)
			return ir_block_append(b, n);
		return ir_folder_value(b, op, n);
	}
}

#endif
