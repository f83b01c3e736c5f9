/* Taking dead operations out of a block. */
#include "ir/pass/edit.h"

void ir_block_compact(struct ir_block *b)
{
	ir_ref moved[IR_BLOCK_MAX];
	uint32_t to = 0;

	for (uint32_t from = 0; from < b->count; from++) {
		struct ir_insn *n = &b->insn[from];

		if (n->op == IR_DEAD)
			continue;
		moved[from] = (ir_ref)to;
		if (to != from) {
			ir_insn_rename(n, moved);
			b->insn[to] = *n;
		}
		to++;
	}
	b->count = to;
}
