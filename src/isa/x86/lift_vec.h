/*
 * Lifting of vector instructions: operand access and the few shapes that nearly all of MMX and SSE
 * have. The row's `arg` is the vop. Letters in names are the row's operand codes: v = Vx, w = Wx
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

/* ---- lift functions; a vop that takes an immediate gets the row's Ib */
void lift_vop_vw(struct lift *l, const struct x86_insn *i);	 /* V = vop(V, W) */
void lift_vop_vw_xmm0(struct lift *l, const struct x86_insn *i); /* V = vop(V, W, XMM0) */
void lift_vop_w(struct lift *l, const struct x86_insn *i);	 /* V = vop(W) */
void lift_vop_ui(struct lift *l, const struct x86_insn *i);	 /* U = vop(U, imm8) */
void lift_vop_ru(struct lift *l, const struct x86_insn *i);	 /* G = vop(U) */
void lift_vop_flags(struct lift *l, const struct x86_insn *i);	 /* RFLAGS = vop(V, W) */
void lift_vec_load(struct lift *l, const struct x86_insn *i);	 /* V = W */
void lift_vec_move_to(struct lift *l, const struct x86_insn *i); /* W = V */

#endif
