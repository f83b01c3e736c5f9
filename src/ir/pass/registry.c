/* The passes in the order they run; ir_optimize runs them. */
#include "ir/pass.h"

#include "base/error.h"
#include "ir/pass/edit.h"

const struct ir_pass ir_passes[] = {
	{"forward-state", "use what the block has put or got instead of getting it again",
	 ir_pass_forward_state},
	{"fold-conditions", "turn conditions of known flags into compares",
	 ir_pass_fold_conditions},
	{"fold-values", "fold constants and identities, merge equal values", ir_pass_fold_values},
	{"dead-puts", "remove state writes that are overwritten unseen", ir_pass_dead_puts},
	{"dead-values", "remove values nobody uses", ir_pass_dead_values},
	{NULL, NULL, NULL},
};

#ifdef NDEBUG
static void check(const struct ir_block *b)
{
	(void)b;
}
#else
static void check(const struct ir_block *b)
{
	char why[200];

	BUG_ON(ir_verify(b, why, sizeof why), why);
}
#endif

void ir_optimize(struct ir_block *b, uint64_t disabled)
{
	if (b->overflow)
		return;
	check(b);
	for (unsigned i = 0; ir_passes[i].name; i++) {
		if (disabled >> i & 1)
			continue;
		ir_passes[i].run(b);
		check(b);
	}
}
