/*
 * Lifting of vector instructions: operand access and the few shapes that nearly all of MMX, SSE and
 * AVX have. An SSE instruction and its VEX form share the lift function: operands have their sizes,
 * vops their 256-bit twins, and lift_write clears what VEX clears. The row's `arg` is the vop. Letters in names are the row's operand codes: v = Vx, w = Wx
 * and its narrower kin, p = Pq, q = Qq, i = Ib, r = a general register.
 */
#ifndef ISA_X86_LIFT_VEC_H
#define ISA_X86_LIFT_VEC_H

#include "isa/x86/lift.h"

/* Bytes of src (V128, or I64 for MMX) whose mask bytes have the top bit set, to DS:rDI: MASKMOVDQU
 * and MASKMOVQ. */
void lift_mask_move(struct lift *l, const struct x86_insn *i, ir_ref src, ir_ref mask);

/* What every MMX instruction does to x87 state: TOP = 0, all registers in use. Among the puts. */
void lift_mmx_enter(struct lift *l);

/* A vop as this row's operation, with the checks around it that unmasked SIMD exceptions need. All
 * loads come before, all puts after. */
ir_ref lift_vop(struct lift *l, const struct x86_insn *i, unsigned vop, ir_ref a, ir_ref b,
		ir_ref c);

/* Number of the operand that is the first source: the destination, or with VEX what follows it. */
static inline unsigned lift_first_source(const struct x86_insn *i)
{
	return i->has_vex;
}

/* The row's vop; where arg has two (X86_VOP_BY_SIZE), by whether operand n has 8 bytes. */
#define X86_VOP_BY_SIZE(vop32, vop64) ((vop32) | (vop64) << 16)
static inline unsigned lift_row_vop(const struct x86_insn *i, unsigned n)
{
	uint32_t arg = i->row->arg;

	return arg >> 16 && i->op[n].bytes == 8 ? arg >> 16 : arg & 0xffff;
}

/* ---- lift functions; a vop that takes an immediate gets the row's Ib */
void lift_vop_vw(struct lift *l, const struct x86_insn *i);	 /* V = vop(V, W) */
void lift_vop_vw_xmm0(struct lift *l, const struct x86_insn *i); /* V = vop(V, W, XMM0) */
void lift_vop_vwl(struct lift *l, const struct x86_insn *i);	 /* V = vop(H, W, L), VEX only */
void lift_vop_w(struct lift *l, const struct x86_insn *i);	 /* V = vop(W) */
void lift_vop_ui(struct lift *l, const struct x86_insn *i);	 /* U = vop(U, imm8) */
void lift_vop_ru(struct lift *l, const struct x86_insn *i);	 /* G = vop(U) */
void lift_vop_flags(struct lift *l, const struct x86_insn *i);	 /* RFLAGS = vop(V, W) */
void lift_vec_load(struct lift *l, const struct x86_insn *i);	 /* V = W */
void lift_vec_move_to(struct lift *l, const struct x86_insn *i); /* W = V */

#endif
