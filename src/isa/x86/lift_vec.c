/*
 * Operand access and common shapes of vector instructions: see lift_vec.h. Legacy SSE writes leave
 * the upper half of a YMM register alone: puts are 16 bytes wide; VEX.128 writes clear it (SDM vol.
 * 1, 14.3).
 */
#include "isa/x86/families.h"
#include "isa/x86/fpu.h"
#include "isa/x86/insn_sse.h"
#include "isa/x86/lift_vec.h"
#include "isa/x86/mmu.h"

void lift_mmx_enter(struct lift *l)
{
	ir_ref fsw = ir_get(l->b, IR_I16, X86_OFF(fsw));

	ir_put(l->b, X86_OFF(fsw), ir_bin_imm(l->b, IR_AND, fsw, 0xffff & ~X86_FSW_TOP));
	ir_put(l->b, X86_OFF(ftag), ir_const(l->b, IR_I8, 0xff));
}

/* Legacy SSE compares look at three bits of the predicate, VEX at five (SDM vol. 2, CMPPS). */
static unsigned vop_imm8(const struct x86_insn *i, unsigned vop)
{
	bool compare = vop == VOP_CMPPS || vop == VOP_CMPPD || vop == VOP_CMPSS || vop == VOP_CMPSD;

	if (!vop_table[vop].has_imm8)
		return 0;
	return (unsigned)i->imm & (compare ? i->has_vex ? 31 : 7 : 0xff);
}

ir_ref lift_vop(struct lift *l, const struct x86_insn *i, unsigned vop, ir_ref a, ir_ref b,
		ir_ref c)
{
	bool check = (i->row->attr & X86_FP_EXC) && (l->mode & X86_MODE_SSE_UNMASKED);
	ir_ref r;

	if (check)
		lift_sse_begin(l);
	r = ir_vop(l->b, vop, vop_imm8(i, vop), a, b, c);
	if (check)
		lift_sse_check(l, vop, r);
	return r;
}

void lift_vop_vw(struct lift *l, const struct x86_insn *i)
{
	unsigned n = lift_first_source(i);
	ir_ref b = lift_read(l, i, n + 1);
	ir_ref a = lift_read(l, i, n);

	lift_write(l, i, 0, lift_vop(l, i, i->row->arg, a, b, IR_NONE));
}

void lift_vop_vw_xmm0(struct lift *l, const struct x86_insn *i)
{
	ir_ref src = lift_read(l, i, 1);
	ir_ref dst = lift_vec(l, i->op[0].reg);

	lift_set_vec(l, i->op[0].reg, lift_vop(l, i, i->row->arg, dst, src, lift_vec(l, 0)));
}

void lift_vop_vwl(struct lift *l, const struct x86_insn *i)
{
	ir_ref b = lift_read(l, i, 2);
	ir_ref a = lift_read(l, i, 1);

	lift_write(l, i, 0, lift_vop(l, i, i->row->arg, a, b, lift_read(l, i, 3)));
}

void lift_vop_w(struct lift *l, const struct x86_insn *i)
{
	ir_ref src = lift_read(l, i, 1);

	lift_write(l, i, 0, lift_vop(l, i, i->row->arg, src, IR_NONE, IR_NONE));
}

void lift_vop_ui(struct lift *l, const struct x86_insn *i)
{
	ir_ref v = lift_read(l, i, lift_first_source(i));

	lift_write(l, i, 0, lift_vop(l, i, i->row->arg, v, IR_NONE, IR_NONE));
}

void lift_vop_ru(struct lift *l, const struct x86_insn *i)
{
	ir_ref v = lift_read(l, i, 1);

	lift_set_gpr(l, i->op[0].reg, lift_vop(l, i, lift_row_vop(i, 0), v, IR_NONE, IR_NONE));
}

void lift_vop_flags(struct lift *l, const struct x86_insn *i)
{
	ir_ref src = lift_read(l, i, 1);
	ir_ref dst = lift_read(l, i, 0);

	lift_set_packed_flags(l, lift_vop(l, i, i->row->arg, dst, src, IR_NONE));
}

void lift_vec_load(struct lift *l, const struct x86_insn *i)
{
	lift_write(l, i, 0, lift_read(l, i, 1));
}

void lift_vec_move_to(struct lift *l, const struct x86_insn *i)
{
	lift_write(l, i, 0, lift_read(l, i, 1));
}

/* ---- masked stores */

/* Only selected bytes are written, but all of the operand must be writable: whether unselected
 * bytes fault is left to the implementation (SDM vol. 2, MASKMOVDQU), and processors differ. */
static uint64_t mask_move(struct x86_cpu *cpu, uint64_t lin, const uint8_t *src,
			  const uint8_t *mask, unsigned bytes)
{
	enum x86_mmu_index mmu = x86_mode_mmu(cpu->mode);

	for (unsigned k = 0; k < bytes; k += 8) /* aligned to 8, if that is checked */
		if (!x86_mem_check_write(cpu, lin + k, 8, mmu, 0))
			return 0;
	for (unsigned k = 0; k < bytes; k++)
		if (mask[k] & 0x80 && !x86_mem_write(cpu, lin + k, src + k, 1, mmu, 0))
			return 0;
	return 0;
}

static uint64_t mask_move_16(void *cpu, uint64_t lin, uint64_t src, uint64_t mask)
{
	return mask_move(cpu, lin, ((const union ir_vec *)(uintptr_t)src)->u8,
			 ((const union ir_vec *)(uintptr_t)mask)->u8, 16);
}

static uint64_t mask_move_8(void *cpu, uint64_t lin, uint64_t src, uint64_t mask)
{
	return mask_move(cpu, lin, (const uint8_t *)&src, (const uint8_t *)&mask, 8);
}

enum { HELPER_MASK_MOVE_16, HELPER_MASK_MOVE_8 };

const struct ir_helper x86_helpers_vec[] = {
	[HELPER_MASK_MOVE_16] = {"mask_move_16", mask_move_16, 3, IR_VOID,
				 IR_HELPER_FAULTS | IR_HELPER_MEMORY, X86_ST_SYS, 0},
	[HELPER_MASK_MOVE_8] = {"mask_move_8", mask_move_8, 3, IR_VOID,
				IR_HELPER_FAULTS | IR_HELPER_MEMORY, X86_ST_SYS, 0},
	{NULL},
};

void lift_mask_move(struct lift *l, const struct x86_insn *i, ir_ref src, ir_ref mask)
{
	bool wide = ir_type_of(l->b, src) == IR_V128;
	enum x86_seg_index seg = i->seg_override != X86_SEG_NONE ? i->seg_override : X86_DS;
	ir_ref off = lift_wrap(l, lift_gpr(l, X86_RDI, 8), i->addrsize);
	ir_ref lin = lift_seg_linear(l, seg, off, wide ? 16 : 8, X86_WRITE);

	lift_call(l, &x86_helpers_vec[wide ? HELPER_MASK_MOVE_16 : HELPER_MASK_MOVE_8], lin, src,
		  mask);
}
