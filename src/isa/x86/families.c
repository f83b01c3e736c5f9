/* The registry of instruction families and of helper tables. The order is free: the decoder sorts
 * rows by exactness. */
#include "isa/x86/families.h"

#include "isa/x86/lift_helpers.h"

const struct x86_row *const x86_families[] = {
	x86_rows_move,
	x86_rows_alu,
	x86_rows_mmx,
	x86_rows_sse,
	x86_rows_sse_int,
	x86_rows_sse4,
	x86_rows_crypto,
	x86_rows_xsave,
	x86_rows_segment,
	x86_rows_system,
	x86_rows_io,
	NULL,
};

const struct ir_helper *const x86_helper_families[] = {
	x86_helpers_lift,
	x86_helpers_vec,
	x86_helpers_sse,
	x86_helpers_xsave,
	x86_helpers_segment,
	x86_helpers_system,
	x86_helpers_io,
	NULL,
};
