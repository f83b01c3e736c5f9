/*
 * What the implementations of vector operations share: vectors in and out of slots, and functions
 * that are one host instruction. Legacy SSE encodings in inline assembly, so that neither compiler
 * flags nor constant folding stand between the guest and the host's own arithmetic.
 */
#ifndef IR_VOP_ASM_H
#define IR_VOP_ASM_H

#include "ir/vop_impl.h"

typedef long long vop_v __attribute__((vector_size(16)));
typedef long long vop_v_any __attribute__((vector_size(16), aligned(1), may_alias));

enum { VOP_CF = 1 << 0, VOP_PF = 1 << 2, VOP_ZF = 1 << 6, VOP_SF = 1 << 7, VOP_OF = 1 << 11 };

#define VOP_ARGS                                                                                   \
	union ir_vec *d, const union ir_vec *a, const union ir_vec *b, const union ir_vec *c,      \
		unsigned imm8

static inline vop_v vop_load(const union ir_vec *p)
{
	return *(const vop_v_any *)p;
}

static inline void vop_store(union ir_vec *d, vop_v v)
{
	*(vop_v_any *)d = v;
}

/* d = insn(a, b), the instruction's destination being a. */
#define VOP_VV(name, insn)                                                                         \
	void name(VOP_ARGS)                                                                        \
	{                                                                                          \
		vop_v x = vop_load(a);                                                             \
		__asm__ volatile(insn " %1, %0" : "+x"(x) : "x"(vop_load(b)));                     \
		vop_store(d, x);                                                                   \
	}

/* d = insn(a). */
#define VOP_V(name, insn)                                                                          \
	void name(VOP_ARGS)                                                                        \
	{                                                                                          \
		vop_v x;                                                                           \
		__asm__ volatile(insn " %1, %0" : "=x"(x) : "x"(vop_load(a)));                     \
		vop_store(d, x);                                                                   \
	}

/* d = a shifted by the immediate. */
#define VOP_SHIFT_IMM(name, insn)                                                                  \
	void name(VOP_ARGS)                                                                        \
	{                                                                                          \
		vop_v x = vop_load(a), count = {imm8 & 0xff, 0};                                   \
		__asm__(insn " %1, %0" : "+x"(x) : "x"(count));                                    \
		vop_store(d, x);                                                                   \
	}

/* All values of an immediate, for instructions that take it in their encoding. CASE(n) is a case.
 */
#define VOP_IMM_4(CASE, n)  CASE((n) + 0) CASE((n) + 1) CASE((n) + 2) CASE((n) + 3)
#define VOP_IMM_8(CASE, n)  VOP_IMM_4(CASE, n) VOP_IMM_4(CASE, (n) + 4)
#define VOP_IMM_16(CASE, n) VOP_IMM_8(CASE, n) VOP_IMM_8(CASE, (n) + 8)
#define VOP_IMM_64(CASE, n)                                                                        \
	VOP_IMM_16(CASE, n)                                                                        \
	VOP_IMM_16(CASE, (n) + 16) VOP_IMM_16(CASE, (n) + 32) VOP_IMM_16(CASE, (n) + 48)
#define VOP_IMM_128(CASE) VOP_IMM_64(CASE, 0) VOP_IMM_64(CASE, 64)
#define VOP_IMM_256(CASE) VOP_IMM_128(CASE) VOP_IMM_64(CASE, 128) VOP_IMM_64(CASE, 192)

/* One such case: insn with immediate n, x op= y. */
#define VOP_IMM_CASE(n, insn)                                                                      \
	case n:                                                                                    \
		__asm__ volatile(insn " %2, %1, %0" : "+x"(x) : "x"(y), "i"(n));                   \
		break;

#endif
