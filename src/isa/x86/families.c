/* The registry of instruction families and of helper tables. The order is free: the decoder sorts
 * rows by exactness. */
#include "isa/x86/families.h"

#include "isa/x86/lift_helpers.h"
#include "isa/x86/string.h"

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
	x86_rows_shift,
	x86_rows_muldiv,
	x86_rows_bit,
	x86_rows_avx,
	x86_rows_bmi,
	x86_rows_fma,
	x86_rows_string,
	x86_rows_bcd,
	x86_rows_atomic,
	x86_rows_control,
	x86_rows_stack,
	x86_rows_flagops,
	x86_rows_misc,
	x86_rows_x87,
	NULL,
};

const struct ir_helper *const x86_helper_families[] = {
	x86_helpers_lift,
	x86_helpers_vec,
	x86_helpers_sse,
	x86_helpers_fma,
	x86_helpers_avx,
	x86_helpers_xsave,
	x86_helpers_segment,
	x86_helpers_system,
	x86_helpers_io,
	x86_helpers_shift,
	x86_helpers_muldiv,
	x86_helpers_string,
	x86_helpers_bcd,
	x86_helpers_atomic,
	x86_helpers_stack,
	x86_helpers_flagops,
	x86_helpers_misc,
	x86_helpers_x87,
	NULL,
};
