/*
 * Vector and floating-point operations: one row each (vop.c), with its types, whether it uses the
 * rounding mode and exception flags, and a reference implementation that uses the host's own
 * instruction, so that results are bit-exact. A translator adds its encoding to the row.
 */
#ifndef IR_VOP_H
#define IR_VOP_H

#include <stdint.h>
#include <stdbool.h>

#include "base/bits.h"
#include "ir/ir.h"

/* A value slot, wide enough for any type; scalars use u64[0] (upper bits undefined above type). A
 * pointer to one may point to less, a place only as large as its value's type and at any alignment
 * (a register in guest state): operations touch nothing else. */
union ir_vec {
	uint8_t u8[32];
	u16_any u16[16];
	u32_any u32[8];
	u64_any u64[4];
};

struct vop_info {
	const char *name;	/* "paddb" */
	uint8_t result;		/* enum ir_type */
	uint8_t arg[3];		/* enum ir_type, IR_VOID where absent */
	bool has_imm8;
	bool uses_mxcsr;	/* rounds, or sets exception flags, by the host MXCSR */
	/* d may be the same object as a, b or c. Only result-type bytes of d are written. */
	void (*fn)(union ir_vec *d, const union ir_vec *a, const union ir_vec *b,
		   const union ir_vec *c, unsigned imm8);
};

#include "ir/vop_list.h" /* enum vop: VOP_PADDB, ... VOP_COUNT */

extern const struct vop_info vop_table[];

#endif
