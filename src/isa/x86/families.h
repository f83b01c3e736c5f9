/* The decode rows of each family, one file each; families.c lists them, and helper tables. */
#ifndef ISA_X86_FAMILIES_H
#define ISA_X86_FAMILIES_H

#include "ir/ir.h"
#include "isa/x86/decode.h"

extern const struct x86_row x86_rows_move[];
extern const struct x86_row x86_rows_alu[];
extern const struct x86_row x86_rows_shift[];
extern const struct x86_row x86_rows_muldiv[];
extern const struct x86_row x86_rows_bit[];
extern const struct x86_row x86_rows_avx[];
extern const struct x86_row x86_rows_bmi[];
extern const struct x86_row x86_rows_fma[];
extern const struct x86_row x86_rows_string[];
extern const struct x86_row x86_rows_bcd[];
extern const struct x86_row x86_rows_atomic[];
extern const struct x86_row x86_rows_control[];
extern const struct x86_row x86_rows_stack[];
extern const struct x86_row x86_rows_flagops[];
extern const struct x86_row x86_rows_misc[];
extern const struct x86_row x86_rows_system[];
extern const struct x86_row x86_rows_segment[];
extern const struct x86_row x86_rows_io[];
extern const struct x86_row x86_rows_x87[];
extern const struct x86_row x86_rows_mmx[];
extern const struct x86_row x86_rows_sse[];
extern const struct x86_row x86_rows_sse_int[];
extern const struct x86_row x86_rows_sse4[];
extern const struct x86_row x86_rows_crypto[];
extern const struct x86_row x86_rows_xsave[];

/* Helper tables of families whose helpers no other file calls. */
extern const struct ir_helper x86_helpers_sse[];
extern const struct ir_helper x86_helpers_fma[];
extern const struct ir_helper x86_helpers_avx[];
extern const struct ir_helper x86_helpers_vec[];
extern const struct ir_helper x86_helpers_xsave[];
extern const struct ir_helper x86_helpers_segment[];
extern const struct ir_helper x86_helpers_system[];
extern const struct ir_helper x86_helpers_io[];
extern const struct ir_helper x86_helpers_shift[];
extern const struct ir_helper x86_helpers_muldiv[];
extern const struct ir_helper x86_helpers_bcd[];
extern const struct ir_helper x86_helpers_atomic[];
extern const struct ir_helper x86_helpers_stack[];
extern const struct ir_helper x86_helpers_flagops[];
extern const struct ir_helper x86_helpers_misc[];
extern const struct ir_helper x86_helpers_x87[];

/* All tables of helpers, NULL-terminated: for the IR parser. */
extern const struct ir_helper *const x86_helper_families[];

#endif
