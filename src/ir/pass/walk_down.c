/*
 * The walk down: forward-state, fold-conditions and fold-values for a block that was built without
 * them. It is written anew from a copy, through a folder.
 */
#include <string.h>

#include "ir/pass/folder_add.h"

static void fold_into(struct ir_block *b, struct ir_folder *f, unsigned what)
{
	b->folder = f;
	f->what = what;
	f->room = b->cap < IR_BLOCK_MAX ? b->cap : IR_BLOCK_MAX;
	f->later = 0;
	ir_known_init(&f->known, b->isa);
	ir_values_init(&f->values);
}

void ir_block_fold(struct ir_block *b, struct ir_folder *f, uint64_t disabled)
{
	if (!(disabled & IR_DOWN_ALL))
		fold_into(b, f, IR_DOWN_ALL);
}

void ir_walk_down(struct ir_block *b, unsigned what)
{
	struct ir_insn old[IR_BLOCK_MAX];
	ir_ref is[IR_BLOCK_MAX];
	struct ir_folder f;
	uint32_t count = b->count;

	memcpy(old, b->insn, count * sizeof *old);
	b->count = 0;
	fold_into(b, &f, what);
	for (uint32_t i = 0; i < count; i++) {
		struct ir_insn *n = &old[i];

		ir_insn_rename(n, is);
		f.later = count - i;
		is[i] = ir_folder_add(b, (enum ir_op)n->op, n);
	}
	b->folder = NULL;
}
