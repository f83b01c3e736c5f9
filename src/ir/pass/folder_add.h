/*
 * Appending an operation to a block that has a folder: all passes in one. Inlined where the
 * operation is known, so that nothing has to be found out again about it.
 */
#ifndef IR_PASS_FOLDER_ADD_H
#define IR_PASS_FOLDER_ADD_H

#include <string.h>

#include "ir/pass/dead_puts.h"
#include "ir/pass/fold_values.h"
#include "ir/pass/forward_state.h"
#include "ir/pass/known_returns.h"

/* Nothing is known of n. live: it stays though nobody uses its result. */
static inline ir_ref ir_block_append(struct ir_block *b, const struct ir_insn *n, bool live)
{
	if (UNLIKELY(b->count >= b->cap || b->count >= IR_BLOCK_MAX)) {
		b->overflow = true;
		return 0;
	}
	if (b->folder)
		b->folder->live[b->count] = live;
	ir_insn_copy(&b->insn[b->count], n);
	return (ir_ref)b->count++;
}

/* A pure operation: append it, or return the value that it turns out to be. */
static inline ir_ref ir_folder_value(struct ir_block *b, enum ir_op op, struct ir_insn *n)
{
	bool merge = b->folder->what & IR_DOES_FOLD_VALUES;
	ir_ref r = merge || b->folder->folds ? ir_fold(b, op, n) : IR_NONE;

	if (r == IR_NONE && merge)
		r = ir_values_find(&b->folder->values, b, n);
	return r != IR_NONE ? r : ir_block_append(b, n, false);
}

static inline ir_ref ir_folder_get(struct ir_block *b, struct ir_insn *n)
{
	struct ir_folder *f = b->folder;
	uint64_t offset = (uint64_t)n->imm;
	enum ir_type t = (enum ir_type)n->type;
	bool forward = f->what & IR_DOES_FORWARD_STATE, wider = false;
	ir_ref r = forward ? ir_known_get(&f->known, offset, t, &wider) : IR_NONE;

	if (wider) {
		ir_insn_set(n, ir_insn_head(IR_TRUNC, t, r, IR_NONE), IR_NONE, 0);
		r = ir_folder_value(b, IR_TRUNC, n);
	} else if (r != IR_NONE) {
		return r;
	} else {
		ir_unseen_get(b, &f->unseen, offset, ir_type_bytes(t));
		r = ir_block_append(b, n, false);
	}
	if (forward)
		ir_known_remember(&f->known, offset, t, r);
	return r;
}

/* A put of what is there already is dropped. */
static inline ir_ref ir_folder_put(struct ir_block *b, struct ir_insn *n)
{
	struct ir_folder *f = b->folder;
	uint64_t offset = (uint64_t)n->imm;
	enum ir_type t = (enum ir_type)n->type;
	bool wider;

	if ((f->what & IR_DOES_FORWARD_STATE) && (f->what & IR_DOES_DEAD_PUTS) &&
	    ir_known_get(&f->known, offset, t, &wider) == n->arg[0] && !wider)
		return IR_NONE;
	if (f->what & IR_DOES_FORWARD_STATE)
		ir_known_put(&f->known, offset, t, n->arg[0]);
	if (f->what & IR_DOES_DEAD_PUTS)
		ir_unseen_put(b, &f->unseen, offset, ir_type_bytes(t));
	return ir_block_append(b, n, true);
}

static inline ir_ref ir_folder_get_flags(struct ir_block *b, struct ir_insn *n)
{
	struct ir_folder *f = b->folder;
	bool forward = f->what & IR_DOES_FORWARD_STATE;
	ir_ref r;

	if (forward && f->known.flags != IR_NONE)
		return f->known.flags;
	ir_unseen_get_flags(b, &f->unseen);
	r = ir_block_append(b, n, false);
	if (forward)
		f->known.flags = r;
	return r;
}

static inline ir_ref ir_folder_put_flags(struct ir_block *b, struct ir_insn *n)
{
	struct ir_folder *f = b->folder;

	if ((f->what & IR_DOES_FORWARD_STATE) && (f->what & IR_DOES_DEAD_PUTS) &&
	    f->known.flags == n->arg[0])
		return IR_NONE;
	if (f->what & IR_DOES_FORWARD_STATE)
		ir_known_put_flags(&f->known, n->arg[0]);
	if (f->what & IR_DOES_DEAD_PUTS)
		ir_unseen_put_flags(b, &f->unseen);
	return ir_block_append(b, n, true);
}

static inline ir_ref ir_folder_call(struct ir_block *b, struct ir_insn *n)
{
	const struct ir_helper *h = ir_helper_of(n);
	struct ir_folder *f = b->folder;
	bool live = ir_insn_side_effect(n);

	if (f->what & IR_DOES_FORWARD_STATE) {
		if (h->flags & IR_HELPER_SETS_PC)
			ir_known_forget_all(&f->known);
		else
			ir_known_forget_groups(&f->known, h->writes);
	}
	ir_unseen_call(b, &f->unseen, h);
	if (live || h->reads) /* what reads state may give another result each time */
		return ir_block_append(b, n, live);
	return ir_folder_value(b, IR_CALL, n);
}

/* Without fold-values what the condition comes to is built as without a folder. */
static inline ir_ref ir_folder_condition(struct ir_block *b, enum ir_op op, struct ir_insn *n)
{
	struct ir_folder *f = b->folder;
	uint32_t first = b->count;
	ir_ref r;

	if (!(f->what & IR_DOES_FOLD_CONDITIONS) ||
	    b->count + f->later + IR_CONDITION_GROWTH > f->room || !ir_condition_folds(b, n))
		return ir_folder_value(b, op, n);
	if (f->what & IR_DOES_FOLD_VALUES)
		return ir_condition_fold(b, n);
	b->folder = NULL;
	r = ir_condition_fold(b, n);
	b->folder = f;
	memset(f->live + first, 0, b->count - first);
	return r;
}

/* What may leave the block. An exit that is never taken is none. */
static inline ir_ref ir_folder_observer(struct ir_block *b, enum ir_op op, const struct ir_insn *n)
{
	if ((op == IR_EXIT_IF || op == IR_EXIT_UNLESS) && (b->folder->what & IR_DOES_FOLD_VALUES)) {
		const struct ir_insn *a = &b->insn[n->arg[0]];

		if (a->op == (op == IR_EXIT_IF ? IR_CONST : IR_PC) &&
		    a->imm == (op == IR_EXIT_IF ? 0 : n->imm))
			return IR_NONE;
	}
	if (op == IR_LOAD && (b->folder->what & IR_DOES_KNOWN_RETURNS)) {
		ir_ref r = ir_return_known(b, n);

		if (r != IR_NONE)
			return r;
	}
	ir_unseen_none(b, &b->folder->unseen);
	return ir_block_append(b, n, true);
}

/* n->op is op, and n is the caller's to lose. */
static inline ir_ref ir_folder_add(struct ir_block *b, enum ir_op op, struct ir_insn *n)
{
	switch (op) {
	case IR_GET:
		return ir_folder_get(b, n);
	case IR_PUT:
		return ir_folder_put(b, n);
	case IR_GET_FLAGS:
		return ir_folder_get_flags(b, n);
	case IR_PUT_FLAGS:
		return ir_folder_put_flags(b, n);
	case IR_CALL:
		return ir_folder_call(b, n);
	case IR_COND:
	case IR_PACK_FLAGS:
		return ir_folder_condition(b, op, n);
	case IR_VOP:
		if (vop_table[n->imm & 0xffff].uses_mxcsr) /* exception flags stay set */
			return ir_block_append(b, n, true);
		return ir_folder_value(b, op, n);
	default:
		if (!ir_ops[op].side_effect)
			return ir_folder_value(b, op, n);
		if (ir_ops[op].may_fault || ir_ops[op].leaves)
			return ir_folder_observer(b, op, n);
		return ir_block_append(b, n, true);
	}
}

#endif
