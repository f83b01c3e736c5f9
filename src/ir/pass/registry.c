/* The passes in the order they run; ir_optimize runs them. */
#include "ir/pass.h"

#include "base/error.h"
#include "ir/pass/edit.h"

/* One pass alone. */
static void forward_state(struct ir_block *b)
{
	ir_walk_down(b, IR_DOWN_FORWARD_STATE);
}

static void fold_conditions(struct ir_block *b)
{
	ir_walk_down(b, IR_DOWN_FOLD_CONDITIONS);
}

static void fold_values(struct ir_block *b)
{
	ir_walk_down(b, IR_DOWN_FOLD_VALUES);
}

static void dead_puts(struct ir_block *b)
{
	ir_walk_up(b, IR_UP_DEAD_PUTS);
}

static void dead_values(struct ir_block *b)
{
	ir_walk_up(b, IR_UP_DEAD_VALUES);
}

/* Rows 0 to 2 are the bits of enum ir_down, rows 3 and 4 those of enum ir_up. */
const struct ir_pass ir_passes[] = {
	{"forward-state", "use what the block has put or got instead of getting it again",
	 forward_state},
	{"fold-conditions", "turn conditions of known flags into compares", fold_conditions},
	{"fold-values", "fold constants and identities, merge equal values", fold_values},
	{"dead-puts", "remove state writes that are overwritten unseen", dead_puts},
	{"dead-values", "remove values nobody uses", dead_values},
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
	unsigned down = b->folder ? 0 : ~disabled & IR_DOWN_ALL, up = ~disabled >> 3 & 3;

	if (b->overflow)
		return;
	check(b);
	if (down) {
		ir_walk_down(b, down);
		check(b);
	}
	if (up) {
		ir_walk_up(b, up);
		check(b);
	}
}
