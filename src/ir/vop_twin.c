/* 256-bit twins: a 128-bit operation on each half. vop.h says what is different in the upper one.
 */
#include <string.h>

#include "ir/vop.h"

enum ir_type vop_arg_type(unsigned vop, enum ir_type result, unsigned k)
{
	const struct vop_info *v = &vop_table[vop];
	bool wide = result == IR_V256 && v->result == IR_V128 && v->arg[k] == IR_V128;

	return wide && !(v->twin == VOP_TWIN_COUNT && k == 1) ? IR_V256 : (enum ir_type)v->arg[k];
}

bool vop_result_ok(unsigned vop, enum ir_type result)
{
	const struct vop_info *v = &vop_table[vop];

	return result == v->result || (v->twin != VOP_TWIN_NONE && result == IR_V256);
}

static unsigned upper_imm(enum vop_twin twin, unsigned imm8)
{
	switch (twin) {
	case VOP_TWIN_IMM2:
		return imm8 >> 2;
	case VOP_TWIN_IMM3:
		return imm8 >> 3;
	case VOP_TWIN_IMM4:
		return imm8 >> 4;
	default:
		return imm8;
	}
}

static const union ir_vec *upper(const union ir_vec *v)
{
	return v ? (const union ir_vec *)(v->u8 + 16) : NULL;
}

void vop_run_twin(unsigned vop, vop_fn *fn, union ir_vec *d, const union ir_vec *a,
		  const union ir_vec *b, const union ir_vec *c, unsigned imm8)
{
	const struct vop_info *v = &vop_table[vop];
	uint8_t r[32];

	fn((union ir_vec *)r, a, b, c, imm8);
	fn((union ir_vec *)(r + 16), upper(a), v->twin == VOP_TWIN_COUNT ? b : upper(b), upper(c),
	   upper_imm((enum vop_twin)v->twin, imm8));
	memcpy(d, r, 32);
}
