/* Operations without side effects whose results nobody uses are taken out. Loads may fault and
 * stay. */
#include "ir/pass/edit.h"

void ir_pass_dead_values(struct ir_block *b)
{
	struct ir_ref_set used;
	bool any = false;

	ir_ref_set_clear(&used, b->count);
	for (uint32_t i = b->count; i-- > 0;) {
		struct ir_insn *n = &b->insn[i];

		if (ir_ref_set_has(&used, i) || ir_insn_side_effect(n)) {
			ir_ref_set_add_args(&used, n);
		} else {
			n->op = IR_DEAD;
			any = true;
		}
	}
	if (any)
		ir_block_compact(b);
}
