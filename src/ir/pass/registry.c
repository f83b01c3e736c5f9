/* The passes, as they are left out one by one; ir_optimize runs them together. */
#include "ir/pass.h"

#include "base/error.h"
#include "ir/pass/edit.h"

/* One pass alone. */
static void forward_state(struct ir_block *b)
{
	ir_block_refold(b, IR_DOES_FORWARD_STATE);
}

static void fold_conditions(struct ir_block *b)
{
	ir_block_refold(b, IR_DOES_FOLD_CONDITIONS);
}

static void fold_values(struct ir_block *b)
{
	ir_block_refold(b, IR_DOES_FOLD_VALUES);
}

static void dead_puts(struct ir_block *b)
{
	ir_block_refold(b, IR_DOES_DEAD_PUTS);
}

static void dead_values(struct ir_block *b)
{
	ir_block_refold(b, IR_DOES_DEAD_VALUES);
}

static void known_returns(struct ir_block *b)
{
	ir_block_refold(b, IR_DOES_KNOWN_RETURNS);
}

/* In the order of enum ir_does. */
const struct ir_pass ir_passes[] = {
	{"forward-state", "use what the block has put or got instead of getting it again",
	 forward_state},
	{"fold-conditions", "turn conditions of known flags into compares", fold_conditions},
	{"fold-values", "fold constants and identities, merge equal values", fold_values},
	{"dead-puts", "remove state writes that are overwritten unseen", dead_puts},
	{"dead-values", "remove values nobody uses", dead_values},
	{"known-returns", "take a return address from the call in the block that stored it",
	 known_returns},
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
	unsigned what = ~disabled & IR_DOES_ALL;

	if (b->overflow)
		return;
	check(b);
	if (b->folder)
		ir_folder_finish(b);
	else if (what)
		ir_block_refold(b, what);
	check(b);
}
