/* The registry of instruction families and of helper tables. The order is free: the decoder sorts
 * rows by exactness. */
#include "isa/x86/families.h"

#include "isa/x86/lift_helpers.h"

const struct x86_row *const x86_families[] = {
	x86_rows_move,
	x86_rows_alu,
	NULL,
};

const struct ir_helper *const x86_helper_families[] = {
	x86_helpers_lift,
	NULL,
};
