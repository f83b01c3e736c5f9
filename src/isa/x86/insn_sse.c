/*
 * SSE, SSE2 and SSE3 floating point: moves, arithmetic, compares, conversions; and how unmasked
 * SIMD exceptions are found. SDM vol. 2, chapters 3 to 5; vol. 1, 10.4 and 11.4 to 11.5.
 *
 * Left out: when an unmasked overflow or underflow is reported, whether PE is set beside it is
 * decided by the rounded result, not by one of unbounded exponent; and DPPS and DPPD report the
 * flags of all their steps although silicon stops after the first step that faults.
 */
#include "isa/x86/families.h"
#include "isa/x86/fpu.h"
#include "isa/x86/insn_sse.h"
#include "isa/x86/lift_vec.h"
#include "isa/x86/mode.h"

/* ---- unmasked exceptions */

/* Lanes of a result that come from arithmetic and may be tiny. */
enum tiny_lanes { TINY_NONE, TINY_SS, TINY_PS, TINY_SD, TINY_PD, TINY_PS_256, TINY_PD_256,
		  TINY_PH, TINY_PH_256 };

/* The flags put aside were guest state already: this is not counted as writing any. */
static uint64_t sse_begin(void *p, uint64_t a, uint64_t b, uint64_t c)
{
	struct x86_cpu *cpu = p;

	cpu->mxcsr |= x86_mxcsr_take_flags();
	return 0;
}

/* Raise what is newly raised and unmasked; 0: nothing was. Invalid, denormal and divide-by-zero are found before
 * the operation: if one of them is unmasked nothing is computed, so nothing else is raised. */
static uint64_t sse_raise(struct x86_cpu *cpu, uint32_t raised)
{
	uint32_t unmasked = raised & ~(cpu->mxcsr >> X86_MXCSR_MASKS_SHIFT);
	uint32_t before = X86_MXCSR_IE | X86_MXCSR_DE | X86_MXCSR_ZE;

	if (unmasked & before)
		raised &= before;
	cpu->mxcsr |= raised;
	if (unmasked)
		x86_fault_raise(cpu, cpu->cr4 & X86_CR4_OSXMMEXCPT ? X86_FAULT_XM : X86_FAULT_UD);
	return unmasked;
}

static uint64_t sse_check(void *p, uint64_t a, uint64_t b, uint64_t c)
{
	return sse_raise(p, x86_mxcsr_take_flags());
}

static bool tiny16(uint16_t v)
{
	return !(v & 0x7c00) && (v & 0x03ff);
}

static bool tiny32(uint32_t v)
{
	return !(v & 0x7f800000) && (v & 0x007fffff);
}

static bool tiny64(uint64_t v)
{
	return !(v & 0x7ff0000000000000) && (v & 0x000fffffffffffff);
}

static bool any_tiny(const union ir_vec *v, enum tiny_lanes lanes)
{
	switch (lanes) {
	case TINY_SS:
		return tiny32(v->u32[0]);
	case TINY_PS:
		return tiny32(v->u32[0]) || tiny32(v->u32[1]) || tiny32(v->u32[2]) ||
		       tiny32(v->u32[3]);
	case TINY_SD:
		return tiny64(v->u64[0]);
	case TINY_PD:
		return tiny64(v->u64[0]) || tiny64(v->u64[1]);
	case TINY_PS_256:
		return any_tiny(v, TINY_PS) || tiny32(v->u32[4]) || tiny32(v->u32[5]) ||
		       tiny32(v->u32[6]) || tiny32(v->u32[7]);
	case TINY_PH_256:
		if (tiny16(v->u16[4]) || tiny16(v->u16[5]) || tiny16(v->u16[6]) ||
		    tiny16(v->u16[7]))
			return true;
		/* fall through */
	case TINY_PH:
		return tiny16(v->u16[0]) || tiny16(v->u16[1]) || tiny16(v->u16[2]) ||
		       tiny16(v->u16[3]);
	case TINY_PD_256:
		return any_tiny(v, TINY_PD) || tiny64(v->u64[2]) || tiny64(v->u64[3]);
	default:
		return false;
	}
}

/* An unmasked underflow is raised by any tiny result, a masked one only by an inexact one, and the
 * host runs masked: the result tells. */
static uint64_t sse_check_tiny(void *p, uint64_t result, uint64_t lanes, uint64_t c)
{
	struct x86_cpu *cpu = p;
	uint32_t raised = x86_mxcsr_take_flags();

	if (!(cpu->mxcsr & X86_MXCSR_UM) &&
	    any_tiny((const union ir_vec *)(uintptr_t)result, (enum tiny_lanes)lanes))
		raised |= X86_MXCSR_UE;
	return sse_raise(cpu, raised);
}

/* As sse_check_tiny on half-precision numbers, and then to memory that was found writable. */
static uint64_t sse_check_store(void *p, uint64_t result, uint64_t lin, uint64_t bytes)
{
	struct x86_cpu *cpu = p;
	const union ir_vec *v = (const union ir_vec *)(uintptr_t)result;
	uint32_t raised = x86_mxcsr_take_flags();

	if (!(cpu->mxcsr & X86_MXCSR_UM) && any_tiny(v, bytes == 8 ? TINY_PH : TINY_PH_256))
		raised |= X86_MXCSR_UE;
	if (!sse_raise(cpu, raised))
		x86_mem_write(cpu, lin, v, (unsigned)bytes, x86_mode_mmu(cpu->mode), 0);
	return 0;
}

enum { HELPER_BEGIN, HELPER_CHECK, HELPER_CHECK_TINY, HELPER_CHECK_STORE };

/* clang-format off */
const struct ir_helper x86_helpers_sse[] = {
	[HELPER_BEGIN] = {"sse_begin", sse_begin, 0, IR_VOID, 0, X86_ST_MXCSR, 0},
	[HELPER_CHECK] = {"sse_check", sse_check, 0, IR_VOID, IR_HELPER_FAULTS,
			  X86_ST_MXCSR | X86_ST_SYS, X86_ST_MXCSR},
	[HELPER_CHECK_TINY] = {"sse_check_tiny", sse_check_tiny, 2, IR_VOID, IR_HELPER_FAULTS,
			       X86_ST_MXCSR | X86_ST_SYS, X86_ST_MXCSR},
	[HELPER_CHECK_STORE] = {"sse_check_store", sse_check_store, 3, IR_VOID,
				IR_HELPER_FAULTS | IR_HELPER_MEMORY, X86_ST_MXCSR | X86_ST_SYS,
				X86_ST_MXCSR},
	{NULL},
};
/* clang-format on */

static enum tiny_lanes vop_tiny_lanes(unsigned vop)
{
	switch (vop) {
	case VOP_ADDSS:
	case VOP_SUBSS:
	case VOP_MULSS:
	case VOP_DIVSS:
	case VOP_CVTSD2SS:
	case VOP_FMADDSS:
	case VOP_FMSUBSS:
	case VOP_FNMADDSS:
	case VOP_FNMSUBSS:
		return TINY_SS;
	case VOP_ADDPS:
	case VOP_SUBPS:
	case VOP_MULPS:
	case VOP_DIVPS:
	case VOP_HADDPS:
	case VOP_HSUBPS:
	case VOP_ADDSUBPS:
	case VOP_CVTPD2PS:
	case VOP_CVTPD2PS_256:
	case VOP_DPPS:
	case VOP_FMADDPS:
	case VOP_FMSUBPS:
	case VOP_FNMADDPS:
	case VOP_FNMSUBPS:
	case VOP_FMADDSUBPS:
	case VOP_FMSUBADDPS:
		return TINY_PS;
	case VOP_ADDSD:
	case VOP_SUBSD:
	case VOP_MULSD:
	case VOP_DIVSD:
	case VOP_FMADDSD:
	case VOP_FMSUBSD:
	case VOP_FNMADDSD:
	case VOP_FNMSUBSD:
		return TINY_SD;
	case VOP_ADDPD:
	case VOP_SUBPD:
	case VOP_MULPD:
	case VOP_DIVPD:
	case VOP_HADDPD:
	case VOP_HSUBPD:
	case VOP_ADDSUBPD:
	case VOP_DPPD:
	case VOP_FMADDPD:
	case VOP_FMSUBPD:
	case VOP_FNMADDPD:
	case VOP_FNMSUBPD:
	case VOP_FMADDSUBPD:
	case VOP_FMSUBADDPD:
		return TINY_PD;
	case VOP_CVTPS2PH:
		return TINY_PH;
	case VOP_CVTPS2PH_256:
		return TINY_PH_256;
	default:
		return TINY_NONE;
	}
}

void lift_sse_begin(struct lift *l)
{
	lift_call(l, &x86_helpers_sse[HELPER_BEGIN], IR_NONE, IR_NONE, IR_NONE);
}

void lift_sse_check_store(struct lift *l, ir_ref result, ir_ref addr, unsigned bytes)
{
	lift_call(l, &x86_helpers_sse[HELPER_CHECK_STORE], result, addr,
		  lift_imm(l, IR_I64, bytes));
}

void lift_sse_check(struct lift *l, unsigned vop, ir_ref result)
{
	enum tiny_lanes lanes = vop_tiny_lanes(vop);

	if (lanes != TINY_NONE && ir_type_of(l->b, result) == IR_V256)
		lanes = lanes == TINY_PS ? TINY_PS_256 : TINY_PD_256;

	if (lanes == TINY_NONE)
		lift_call(l, &x86_helpers_sse[HELPER_CHECK], IR_NONE, IR_NONE, IR_NONE);
	else
		lift_call(l, &x86_helpers_sse[HELPER_CHECK_TINY], result,
			  lift_imm(l, IR_I64, lanes), IR_NONE);
}

/* ---- lift functions that only these instructions need */

/* MOVSS, MOVSD: a load clears the rest of the register, a register source keeps it. */
static void lift_mov_scalar(struct lift *l, const struct x86_insn *i)
{
	unsigned n = lift_first_source(i);
	ir_ref v;

	if (i->op[1].kind == X86_OPND_VEC)
		v = ir_vop(l->b, i->row->arg, 0, lift_read(l, i, n), lift_read(l, i, n + 1),
			   IR_NONE);
	else
		v = lift_read(l, i, 1);
	lift_write(l, i, 0, v);
}

static void lift_mov_scalar_to(struct lift *l, const struct x86_insn *i)
{
	unsigned n = lift_first_source(i);
	ir_ref v;

	if (i->op[0].kind == X86_OPND_VEC)
		v = ir_vop(l->b, i->row->arg, 0, lift_read(l, i, n), lift_read(l, i, n + 1),
			   IR_NONE);
	else
		v = lift_read(l, i, 1);
	lift_write(l, i, 0, v);
}

/* Half a register to memory. */
static void lift_mov_part(struct lift *l, const struct x86_insn *i)
{
	ir_ref v = lift_vec(l, i->op[1].reg);

	lift_write(l, i, 0, ir_vop(l->b, i->row->arg, 0, v, IR_NONE, IR_NONE));
}

/* MOVDDUP, MOVSLDUP, MOVSHDUP are PSHUFD with a fixed order, which is the row's argument. */
static void lift_mov_dup(struct lift *l, const struct x86_insn *i)
{
	ir_ref v = lift_read(l, i, 1);

	v = ir_vop(l->b, VOP_PSHUFD, i->row->arg, v, IR_NONE, IR_NONE);
	lift_write(l, i, 0, v);
}

/* From a general register or memory of 4 or 8 bytes. */
static void lift_cvt_int(struct lift *l, const struct x86_insn *i)
{
	unsigned n = lift_first_source(i);
	ir_ref b = lift_read(l, i, n + 1);
	ir_ref a = lift_read(l, i, n);

	lift_write(l, i, 0, lift_vop(l, i, lift_row_vop(i, n + 1), a, b, IR_NONE));
}

/* clang-format off */
const struct x86_row x86_rows_sse[] = {
	/* moves */
	X86("NP 0F 10 /r",          "Vx, Wx",           X86_FEAT_SSE,    0, 0, 0, lift_vec_load,    "movups",      X86_IS_SSE | X86_UNALIGNED, 0),
	X86("NP 0F 11 /r",          "Wx, Vx",           X86_FEAT_SSE,    0, 0, 0, lift_vec_move_to, "movups",      X86_IS_SSE | X86_UNALIGNED, 0),
	X86("66 0F 10 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vec_load,    "movupd",      X86_IS_SSE | X86_UNALIGNED, 0),
	X86("66 0F 11 /r",          "Wx, Vx",           X86_FEAT_SSE2,   0, 0, 0, lift_vec_move_to, "movupd",      X86_IS_SSE | X86_UNALIGNED, 0),
	X86("NP 0F 28 /r",          "Vx, Wx",           X86_FEAT_SSE,    0, 0, 0, lift_vec_load,    "movaps",      X86_IS_SSE, 0),
	X86("NP 0F 29 /r",          "Wx, Vx",           X86_FEAT_SSE,    0, 0, 0, lift_vec_move_to, "movaps",      X86_IS_SSE, 0),
	X86("66 0F 28 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vec_load,    "movapd",      X86_IS_SSE, 0),
	X86("66 0F 29 /r",          "Wx, Vx",           X86_FEAT_SSE2,   0, 0, 0, lift_vec_move_to, "movapd",      X86_IS_SSE, 0),
	X86("F3 0F 10 /r",          "Vx, Wss",          X86_FEAT_SSE,    0, 0, 0, lift_mov_scalar,  "movss",       X86_IS_SSE, VOP_MOVSS),
	X86("F3 0F 11 /r",          "Wss, Vx",          X86_FEAT_SSE,    0, 0, 0, lift_mov_scalar_to,"movss",       X86_IS_SSE, VOP_MOVSS),
	X86("F2 0F 10 /r",          "Vx, Wsd",          X86_FEAT_SSE2,   0, 0, 0, lift_mov_scalar,  "movsd",       X86_IS_SSE, VOP_MOVSD),
	X86("F2 0F 11 /r",          "Wsd, Vx",          X86_FEAT_SSE2,   0, 0, 0, lift_mov_scalar_to,"movsd",       X86_IS_SSE, VOP_MOVSD),
	X86("NP 0F 12 /r reg",      "Vx, Ux",           X86_FEAT_SSE,    0, 0, 0, lift_vop_vw,      "movhlps",     X86_IS_SSE, VOP_MOVHLPS),
	X86("NP 0F 16 /r reg",      "Vx, Ux",           X86_FEAT_SSE,    0, 0, 0, lift_vop_vw,      "movlhps",     X86_IS_SSE, VOP_MOVLHPS),
	X86("NP 0F 12 /r mem",      "Vx, Wq",           X86_FEAT_SSE,    0, 0, 0, lift_vop_vw,      "movlps",      X86_IS_SSE, VOP_MOVSD),
	X86("NP 0F 13 /r mem",      "Mq, Vx",           X86_FEAT_SSE,    0, 0, 0, lift_mov_part,    "movlps",      X86_IS_SSE, VOP_TO64),
	X86("NP 0F 16 /r mem",      "Vx, Wq",           X86_FEAT_SSE,    0, 0, 0, lift_vop_vw,      "movhps",      X86_IS_SSE, VOP_MOVLHPS),
	X86("NP 0F 17 /r mem",      "Mq, Vx",           X86_FEAT_SSE,    0, 0, 0, lift_mov_part,    "movhps",      X86_IS_SSE, VOP_TOHI64),
	X86("NP 0F 2B /r mem",      "Mdq, Vx",          X86_FEAT_SSE,    0, 0, 0, lift_vec_move_to, "movntps",     X86_IS_SSE, 0),
	X86("NP 0F 50 /r reg",      "Gd, Ux",           X86_FEAT_SSE,    0, 0, 0, lift_vop_ru,      "movmskps",    X86_IS_SSE, VOP_MOVMSKPS),
	X86("66 0F 12 /r mem",      "Vx, Wq",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "movlpd",      X86_IS_SSE, VOP_MOVSD),
	X86("66 0F 13 /r mem",      "Mq, Vx",           X86_FEAT_SSE2,   0, 0, 0, lift_mov_part,    "movlpd",      X86_IS_SSE, VOP_TO64),
	X86("66 0F 16 /r mem",      "Vx, Wq",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "movhpd",      X86_IS_SSE, VOP_MOVLHPS),
	X86("66 0F 17 /r mem",      "Mq, Vx",           X86_FEAT_SSE2,   0, 0, 0, lift_mov_part,    "movhpd",      X86_IS_SSE, VOP_TOHI64),
	X86("66 0F 2B /r mem",      "Mdq, Vx",          X86_FEAT_SSE2,   0, 0, 0, lift_vec_move_to, "movntpd",     X86_IS_SSE, 0),
	X86("66 0F 50 /r reg",      "Gd, Ux",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_ru,      "movmskpd",    X86_IS_SSE, VOP_MOVMSKPD),
	X86("F2 0F 12 /r",          "Vx, Wsd",          X86_FEAT_SSE3,   0, 0, 0, lift_mov_dup,     "movddup",     X86_IS_SSE, 0x44),
	X86("F3 0F 12 /r",          "Vx, Wx",           X86_FEAT_SSE3,   0, 0, 0, lift_mov_dup,     "movsldup",    X86_IS_SSE, 0xa0),
	X86("F3 0F 16 /r",          "Vx, Wx",           X86_FEAT_SSE3,   0, 0, 0, lift_mov_dup,     "movshdup",    X86_IS_SSE, 0xf5),
	/* logic and shuffles: the integer operations move the same bits */
	X86("NP 0F 54 /r",          "Vx, Wx",           X86_FEAT_SSE,    0, 0, 0, lift_vop_vw,      "andps",       X86_IS_SSE, VOP_PAND),
	X86("66 0F 54 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "andpd",       X86_IS_SSE, VOP_PAND),
	X86("NP 0F 55 /r",          "Vx, Wx",           X86_FEAT_SSE,    0, 0, 0, lift_vop_vw,      "andnps",      X86_IS_SSE, VOP_PANDN),
	X86("66 0F 55 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "andnpd",      X86_IS_SSE, VOP_PANDN),
	X86("NP 0F 56 /r",          "Vx, Wx",           X86_FEAT_SSE,    0, 0, 0, lift_vop_vw,      "orps",        X86_IS_SSE, VOP_POR),
	X86("66 0F 56 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "orpd",        X86_IS_SSE, VOP_POR),
	X86("NP 0F 57 /r",          "Vx, Wx",           X86_FEAT_SSE,    0, 0, 0, lift_vop_vw,      "xorps",       X86_IS_SSE, VOP_PXOR),
	X86("66 0F 57 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "xorpd",       X86_IS_SSE, VOP_PXOR),
	X86("NP 0F 14 /r",          "Vx, Wx",           X86_FEAT_SSE,    0, 0, 0, lift_vop_vw,      "unpcklps",    X86_IS_SSE, VOP_PUNPCKLDQ),
	X86("66 0F 14 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "unpcklpd",    X86_IS_SSE, VOP_PUNPCKLQDQ),
	X86("NP 0F 15 /r",          "Vx, Wx",           X86_FEAT_SSE,    0, 0, 0, lift_vop_vw,      "unpckhps",    X86_IS_SSE, VOP_PUNPCKHDQ),
	X86("66 0F 15 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "unpckhpd",    X86_IS_SSE, VOP_PUNPCKHQDQ),
	X86("NP 0F C6 /r",          "Vx, Wx, Ib",       X86_FEAT_SSE,    0, 0, 0, lift_vop_vw,      "shufps",      X86_IS_SSE, VOP_SHUFPS),
	X86("66 0F C6 /r",          "Vx, Wx, Ib",       X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "shufpd",      X86_IS_SSE, VOP_SHUFPD),
	/* arithmetic */
	X86("NP 0F 58 /r",          "Vx, Wx",           X86_FEAT_SSE,    0, 0, 0, lift_vop_vw,      "addps",       X86_IS_SSE | X86_FP_EXC, VOP_ADDPS),
	X86("66 0F 58 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "addpd",       X86_IS_SSE | X86_FP_EXC, VOP_ADDPD),
	X86("F3 0F 58 /r",          "Vx, Wss",          X86_FEAT_SSE,    0, 0, 0, lift_vop_vw,      "addss",       X86_IS_SSE | X86_FP_EXC, VOP_ADDSS),
	X86("F2 0F 58 /r",          "Vx, Wsd",          X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "addsd",       X86_IS_SSE | X86_FP_EXC, VOP_ADDSD),
	X86("NP 0F 59 /r",          "Vx, Wx",           X86_FEAT_SSE,    0, 0, 0, lift_vop_vw,      "mulps",       X86_IS_SSE | X86_FP_EXC, VOP_MULPS),
	X86("66 0F 59 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "mulpd",       X86_IS_SSE | X86_FP_EXC, VOP_MULPD),
	X86("F3 0F 59 /r",          "Vx, Wss",          X86_FEAT_SSE,    0, 0, 0, lift_vop_vw,      "mulss",       X86_IS_SSE | X86_FP_EXC, VOP_MULSS),
	X86("F2 0F 59 /r",          "Vx, Wsd",          X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "mulsd",       X86_IS_SSE | X86_FP_EXC, VOP_MULSD),
	X86("NP 0F 5C /r",          "Vx, Wx",           X86_FEAT_SSE,    0, 0, 0, lift_vop_vw,      "subps",       X86_IS_SSE | X86_FP_EXC, VOP_SUBPS),
	X86("66 0F 5C /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "subpd",       X86_IS_SSE | X86_FP_EXC, VOP_SUBPD),
	X86("F3 0F 5C /r",          "Vx, Wss",          X86_FEAT_SSE,    0, 0, 0, lift_vop_vw,      "subss",       X86_IS_SSE | X86_FP_EXC, VOP_SUBSS),
	X86("F2 0F 5C /r",          "Vx, Wsd",          X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "subsd",       X86_IS_SSE | X86_FP_EXC, VOP_SUBSD),
	X86("NP 0F 5D /r",          "Vx, Wx",           X86_FEAT_SSE,    0, 0, 0, lift_vop_vw,      "minps",       X86_IS_SSE | X86_FP_EXC, VOP_MINPS),
	X86("66 0F 5D /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "minpd",       X86_IS_SSE | X86_FP_EXC, VOP_MINPD),
	X86("F3 0F 5D /r",          "Vx, Wss",          X86_FEAT_SSE,    0, 0, 0, lift_vop_vw,      "minss",       X86_IS_SSE | X86_FP_EXC, VOP_MINSS),
	X86("F2 0F 5D /r",          "Vx, Wsd",          X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "minsd",       X86_IS_SSE | X86_FP_EXC, VOP_MINSD),
	X86("NP 0F 5E /r",          "Vx, Wx",           X86_FEAT_SSE,    0, 0, 0, lift_vop_vw,      "divps",       X86_IS_SSE | X86_FP_EXC, VOP_DIVPS),
	X86("66 0F 5E /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "divpd",       X86_IS_SSE | X86_FP_EXC, VOP_DIVPD),
	X86("F3 0F 5E /r",          "Vx, Wss",          X86_FEAT_SSE,    0, 0, 0, lift_vop_vw,      "divss",       X86_IS_SSE | X86_FP_EXC, VOP_DIVSS),
	X86("F2 0F 5E /r",          "Vx, Wsd",          X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "divsd",       X86_IS_SSE | X86_FP_EXC, VOP_DIVSD),
	X86("NP 0F 5F /r",          "Vx, Wx",           X86_FEAT_SSE,    0, 0, 0, lift_vop_vw,      "maxps",       X86_IS_SSE | X86_FP_EXC, VOP_MAXPS),
	X86("66 0F 5F /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "maxpd",       X86_IS_SSE | X86_FP_EXC, VOP_MAXPD),
	X86("F3 0F 5F /r",          "Vx, Wss",          X86_FEAT_SSE,    0, 0, 0, lift_vop_vw,      "maxss",       X86_IS_SSE | X86_FP_EXC, VOP_MAXSS),
	X86("F2 0F 5F /r",          "Vx, Wsd",          X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "maxsd",       X86_IS_SSE | X86_FP_EXC, VOP_MAXSD),
	X86("NP 0F 51 /r",          "Vx, Wx",           X86_FEAT_SSE,    0, 0, 0, lift_vop_w,       "sqrtps",      X86_IS_SSE | X86_FP_EXC, VOP_SQRTPS),
	X86("66 0F 51 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_w,       "sqrtpd",      X86_IS_SSE | X86_FP_EXC, VOP_SQRTPD),
	X86("F3 0F 51 /r",          "Vx, Wss",          X86_FEAT_SSE,    0, 0, 0, lift_vop_vw,      "sqrtss",      X86_IS_SSE | X86_FP_EXC, VOP_SQRTSS),
	X86("F2 0F 51 /r",          "Vx, Wsd",          X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "sqrtsd",      X86_IS_SSE | X86_FP_EXC, VOP_SQRTSD),
	X86("NP 0F 52 /r",          "Vx, Wx",           X86_FEAT_SSE,    0, 0, 0, lift_vop_w,       "rsqrtps",     X86_IS_SSE, VOP_RSQRTPS),
	X86("F3 0F 52 /r",          "Vx, Wss",          X86_FEAT_SSE,    0, 0, 0, lift_vop_vw,      "rsqrtss",     X86_IS_SSE, VOP_RSQRTSS),
	X86("NP 0F 53 /r",          "Vx, Wx",           X86_FEAT_SSE,    0, 0, 0, lift_vop_w,       "rcpps",       X86_IS_SSE, VOP_RCPPS),
	X86("F3 0F 53 /r",          "Vx, Wss",          X86_FEAT_SSE,    0, 0, 0, lift_vop_vw,      "rcpss",       X86_IS_SSE, VOP_RCPSS),
	X86("NP 0F C2 /r",          "Vx, Wx, Ib",       X86_FEAT_SSE,    0, 0, 0, lift_vop_vw,      "cmpps",       X86_IS_SSE | X86_FP_EXC, VOP_CMPPS),
	X86("66 0F C2 /r",          "Vx, Wx, Ib",       X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "cmppd",       X86_IS_SSE | X86_FP_EXC, VOP_CMPPD),
	X86("F3 0F C2 /r",          "Vx, Wss, Ib",      X86_FEAT_SSE,    0, 0, 0, lift_vop_vw,      "cmpss",       X86_IS_SSE | X86_FP_EXC, VOP_CMPSS),
	X86("F2 0F C2 /r",          "Vx, Wsd, Ib",      X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "cmpsd",       X86_IS_SSE | X86_FP_EXC, VOP_CMPSD),
	X86("NP 0F 2E /r",          "Vx, Wss",          X86_FEAT_SSE,    0, X86_ARITH_FLAGS, 0, lift_vop_flags,   "ucomiss",     X86_IS_SSE | X86_FP_EXC, VOP_UCOMISS),
	X86("66 0F 2E /r",          "Vx, Wsd",          X86_FEAT_SSE2,   0, X86_ARITH_FLAGS, 0, lift_vop_flags,   "ucomisd",     X86_IS_SSE | X86_FP_EXC, VOP_UCOMISD),
	X86("NP 0F 2F /r",          "Vx, Wss",          X86_FEAT_SSE,    0, X86_ARITH_FLAGS, 0, lift_vop_flags,   "comiss",      X86_IS_SSE | X86_FP_EXC, VOP_COMISS),
	X86("66 0F 2F /r",          "Vx, Wsd",          X86_FEAT_SSE2,   0, X86_ARITH_FLAGS, 0, lift_vop_flags,   "comisd",      X86_IS_SSE | X86_FP_EXC, VOP_COMISD),
	X86("66 0F 7C /r",          "Vx, Wx",           X86_FEAT_SSE3,   0, 0, 0, lift_vop_vw,      "haddpd",      X86_IS_SSE | X86_FP_EXC, VOP_HADDPD),
	X86("F2 0F 7C /r",          "Vx, Wx",           X86_FEAT_SSE3,   0, 0, 0, lift_vop_vw,      "haddps",      X86_IS_SSE | X86_FP_EXC, VOP_HADDPS),
	X86("66 0F 7D /r",          "Vx, Wx",           X86_FEAT_SSE3,   0, 0, 0, lift_vop_vw,      "hsubpd",      X86_IS_SSE | X86_FP_EXC, VOP_HSUBPD),
	X86("F2 0F 7D /r",          "Vx, Wx",           X86_FEAT_SSE3,   0, 0, 0, lift_vop_vw,      "hsubps",      X86_IS_SSE | X86_FP_EXC, VOP_HSUBPS),
	X86("66 0F D0 /r",          "Vx, Wx",           X86_FEAT_SSE3,   0, 0, 0, lift_vop_vw,      "addsubpd",    X86_IS_SSE | X86_FP_EXC, VOP_ADDSUBPD),
	X86("F2 0F D0 /r",          "Vx, Wx",           X86_FEAT_SSE3,   0, 0, 0, lift_vop_vw,      "addsubps",    X86_IS_SSE | X86_FP_EXC, VOP_ADDSUBPS),
	/* conversions */
	X86("NP 0F 5A /r",          "Vx, Wq",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_w,       "cvtps2pd",    X86_IS_SSE | X86_FP_EXC, VOP_CVTPS2PD),
	X86("66 0F 5A /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_w,       "cvtpd2ps",    X86_IS_SSE | X86_FP_EXC, VOP_CVTPD2PS),
	X86("F3 0F 5A /r",          "Vx, Wss",          X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "cvtss2sd",    X86_IS_SSE | X86_FP_EXC, VOP_CVTSS2SD),
	X86("F2 0F 5A /r",          "Vx, Wsd",          X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "cvtsd2ss",    X86_IS_SSE | X86_FP_EXC, VOP_CVTSD2SS),
	X86("NP 0F 5B /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_w,       "cvtdq2ps",    X86_IS_SSE | X86_FP_EXC, VOP_CVTDQ2PS),
	X86("66 0F 5B /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_w,       "cvtps2dq",    X86_IS_SSE | X86_FP_EXC, VOP_CVTPS2DQ),
	X86("F3 0F 5B /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_w,       "cvttps2dq",   X86_IS_SSE | X86_FP_EXC, VOP_CVTTPS2DQ),
	X86("66 0F E6 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_w,       "cvttpd2dq",   X86_IS_SSE | X86_FP_EXC, VOP_CVTTPD2DQ),
	X86("F3 0F E6 /r",          "Vx, Wq",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_w,       "cvtdq2pd",    X86_IS_SSE, VOP_CVTDQ2PD),
	X86("F2 0F E6 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_w,       "cvtpd2dq",    X86_IS_SSE | X86_FP_EXC, VOP_CVTPD2DQ),
	X86("F3 W0 0F 2A /r",       "Vx, Ed",           X86_FEAT_SSE,    0, 0, 0, lift_cvt_int,     "cvtsi2ss",    X86_IS_SSE | X86_FP_EXC, VOP_CVTSI2SS32),
	X86("F3 W1 0F 2A /r",       "Vx, Ey",           X86_FEAT_SSE,    0, 0, 0, lift_cvt_int,     "cvtsi2ss",    X86_IS_SSE | X86_FP_EXC, VOP_CVTSI2SS64),
	X86("F3 W0 0F 2C /r",       "Gd, Wss",          X86_FEAT_SSE,    0, 0, 0, lift_vop_ru,      "cvttss2si",   X86_IS_SSE | X86_FP_EXC, VOP_CVTTSS2SI32),
	X86("F3 W1 0F 2C /r",       "Gy, Wss",          X86_FEAT_SSE,    0, 0, 0, lift_vop_ru,      "cvttss2si",   X86_IS_SSE | X86_FP_EXC, VOP_CVTTSS2SI64),
	X86("F3 W0 0F 2D /r",       "Gd, Wss",          X86_FEAT_SSE,    0, 0, 0, lift_vop_ru,      "cvtss2si",    X86_IS_SSE | X86_FP_EXC, VOP_CVTSS2SI32),
	X86("F3 W1 0F 2D /r",       "Gy, Wss",          X86_FEAT_SSE,    0, 0, 0, lift_vop_ru,      "cvtss2si",    X86_IS_SSE | X86_FP_EXC, VOP_CVTSS2SI64),
	X86("F2 W0 0F 2A /r",       "Vx, Ed",           X86_FEAT_SSE2,   0, 0, 0, lift_cvt_int,     "cvtsi2sd",    X86_IS_SSE, VOP_CVTSI2SD32),
	X86("F2 W1 0F 2A /r",       "Vx, Ey",           X86_FEAT_SSE2,   0, 0, 0, lift_cvt_int,     "cvtsi2sd",    X86_IS_SSE | X86_FP_EXC, VOP_CVTSI2SD64),
	X86("F2 W0 0F 2C /r",       "Gd, Wsd",          X86_FEAT_SSE2,   0, 0, 0, lift_vop_ru,      "cvttsd2si",   X86_IS_SSE | X86_FP_EXC, VOP_CVTTSD2SI32),
	X86("F2 W1 0F 2C /r",       "Gy, Wsd",          X86_FEAT_SSE2,   0, 0, 0, lift_vop_ru,      "cvttsd2si",   X86_IS_SSE | X86_FP_EXC, VOP_CVTTSD2SI64),
	X86("F2 W0 0F 2D /r",       "Gd, Wsd",          X86_FEAT_SSE2,   0, 0, 0, lift_vop_ru,      "cvtsd2si",    X86_IS_SSE | X86_FP_EXC, VOP_CVTSD2SI32),
	X86("F2 W1 0F 2D /r",       "Gy, Wsd",          X86_FEAT_SSE2,   0, 0, 0, lift_vop_ru,      "cvtsd2si",    X86_IS_SSE | X86_FP_EXC, VOP_CVTSD2SI64),
	/* VEX forms: the same functions */
	X86("VEX.L* NP 0F 10 /r",       "Vx, Wx",           X86_FEAT_AVX,   0, 0, 0, lift_vec_load,     "vmovups",         X86_IS_SSE, 0),
	X86("VEX.L* NP 0F 11 /r",       "Wx, Vx",           X86_FEAT_AVX,   0, 0, 0, lift_vec_move_to,  "vmovups",         X86_IS_SSE, 0),
	X86("VEX.L* 66 0F 10 /r",       "Vx, Wx",           X86_FEAT_AVX,   0, 0, 0, lift_vec_load,     "vmovupd",         X86_IS_SSE, 0),
	X86("VEX.L* 66 0F 11 /r",       "Wx, Vx",           X86_FEAT_AVX,   0, 0, 0, lift_vec_move_to,  "vmovupd",         X86_IS_SSE, 0),
	X86("VEX.L* NP 0F 28 /r",       "Vx, Wx",           X86_FEAT_AVX,   0, 0, 0, lift_vec_load,     "vmovaps",         X86_IS_SSE | X86_ALIGNED, 0),
	X86("VEX.L* NP 0F 29 /r",       "Wx, Vx",           X86_FEAT_AVX,   0, 0, 0, lift_vec_move_to,  "vmovaps",         X86_IS_SSE | X86_ALIGNED, 0),
	X86("VEX.L* 66 0F 28 /r",       "Vx, Wx",           X86_FEAT_AVX,   0, 0, 0, lift_vec_load,     "vmovapd",         X86_IS_SSE | X86_ALIGNED, 0),
	X86("VEX.L* 66 0F 29 /r",       "Wx, Vx",           X86_FEAT_AVX,   0, 0, 0, lift_vec_move_to,  "vmovapd",         X86_IS_SSE | X86_ALIGNED, 0),
	X86("VEX.L* F3 0F 10 /r mem",   "Vdq, Wss",         X86_FEAT_AVX,   0, 0, 0, lift_mov_scalar,   "vmovss",          X86_IS_SSE, VOP_MOVSS),
	X86("VEX.L* F3 0F 10 /r reg",   "Vdq, Hdq, Udq",    X86_FEAT_AVX,   0, 0, 0, lift_mov_scalar,   "vmovss",          X86_IS_SSE, VOP_MOVSS),
	X86("VEX.L* F3 0F 11 /r mem",   "Wss, Vdq",         X86_FEAT_AVX,   0, 0, 0, lift_mov_scalar_to, "vmovss",          X86_IS_SSE, VOP_MOVSS),
	X86("VEX.L* F3 0F 11 /r reg",   "Udq, Hdq, Vdq",    X86_FEAT_AVX,   0, 0, 0, lift_mov_scalar_to, "vmovss",          X86_IS_SSE, VOP_MOVSS),
	X86("VEX.L* F2 0F 10 /r mem",   "Vdq, Wsd",         X86_FEAT_AVX,   0, 0, 0, lift_mov_scalar,   "vmovsd",          X86_IS_SSE, VOP_MOVSD),
	X86("VEX.L* F2 0F 10 /r reg",   "Vdq, Hdq, Udq",    X86_FEAT_AVX,   0, 0, 0, lift_mov_scalar,   "vmovsd",          X86_IS_SSE, VOP_MOVSD),
	X86("VEX.L* F2 0F 11 /r mem",   "Wsd, Vdq",         X86_FEAT_AVX,   0, 0, 0, lift_mov_scalar_to, "vmovsd",          X86_IS_SSE, VOP_MOVSD),
	X86("VEX.L* F2 0F 11 /r reg",   "Udq, Hdq, Vdq",    X86_FEAT_AVX,   0, 0, 0, lift_mov_scalar_to, "vmovsd",          X86_IS_SSE, VOP_MOVSD),
	X86("VEX.128 NP 0F 12 /r reg",  "Vdq, Hdq, Udq",    X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vmovhlps",        X86_IS_SSE, VOP_MOVHLPS),
	X86("VEX.128 NP 0F 16 /r reg",  "Vdq, Hdq, Udq",    X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vmovlhps",        X86_IS_SSE, VOP_MOVLHPS),
	X86("VEX.128 NP 0F 12 /r mem",  "Vdq, Hdq, Wq",     X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vmovlps",         X86_IS_SSE, VOP_MOVSD),
	X86("VEX.128 NP 0F 13 /r mem",  "Mq, Vdq",          X86_FEAT_AVX,   0, 0, 0, lift_mov_part,     "vmovlps",         X86_IS_SSE, VOP_TO64),
	X86("VEX.128 NP 0F 16 /r mem",  "Vdq, Hdq, Wq",     X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vmovhps",         X86_IS_SSE, VOP_MOVLHPS),
	X86("VEX.128 NP 0F 17 /r mem",  "Mq, Vdq",          X86_FEAT_AVX,   0, 0, 0, lift_mov_part,     "vmovhps",         X86_IS_SSE, VOP_TOHI64),
	X86("VEX.L* NP 0F 2B /r mem",   "Mx, Vx",           X86_FEAT_AVX,   0, 0, 0, lift_vec_move_to,  "vmovntps",        X86_IS_SSE | X86_ALIGNED, 0),
	X86("VEX.128 NP 0F 50 /r reg",  "Gd, Udq",          X86_FEAT_AVX,   0, 0, 0, lift_vop_ru,       "vmovmskps",       X86_IS_SSE, VOP_MOVMSKPS),
	X86("VEX.256 NP 0F 50 /r reg",  "Gd, Uqq",          X86_FEAT_AVX,   0, 0, 0, lift_vop_ru,       "vmovmskps",       X86_IS_SSE, VOP_MOVMSKPS_256),
	X86("VEX.128 66 0F 12 /r mem",  "Vdq, Hdq, Wq",     X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vmovlpd",         X86_IS_SSE, VOP_MOVSD),
	X86("VEX.128 66 0F 13 /r mem",  "Mq, Vdq",          X86_FEAT_AVX,   0, 0, 0, lift_mov_part,     "vmovlpd",         X86_IS_SSE, VOP_TO64),
	X86("VEX.128 66 0F 16 /r mem",  "Vdq, Hdq, Wq",     X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vmovhpd",         X86_IS_SSE, VOP_MOVLHPS),
	X86("VEX.128 66 0F 17 /r mem",  "Mq, Vdq",          X86_FEAT_AVX,   0, 0, 0, lift_mov_part,     "vmovhpd",         X86_IS_SSE, VOP_TOHI64),
	X86("VEX.L* 66 0F 2B /r mem",   "Mx, Vx",           X86_FEAT_AVX,   0, 0, 0, lift_vec_move_to,  "vmovntpd",        X86_IS_SSE | X86_ALIGNED, 0),
	X86("VEX.128 66 0F 50 /r reg",  "Gd, Udq",          X86_FEAT_AVX,   0, 0, 0, lift_vop_ru,       "vmovmskpd",       X86_IS_SSE, VOP_MOVMSKPD),
	X86("VEX.256 66 0F 50 /r reg",  "Gd, Uqq",          X86_FEAT_AVX,   0, 0, 0, lift_vop_ru,       "vmovmskpd",       X86_IS_SSE, VOP_MOVMSKPD_256),
	X86("VEX.128 F2 0F 12 /r",      "Vdq, Wsd",         X86_FEAT_AVX,   0, 0, 0, lift_mov_dup,      "vmovddup",        X86_IS_SSE, 0x44),
	X86("VEX.256 F2 0F 12 /r",      "Vqq, Wqq",         X86_FEAT_AVX,   0, 0, 0, lift_mov_dup,      "vmovddup",        X86_IS_SSE, 0x44),
	X86("VEX.L* F3 0F 12 /r",       "Vx, Wx",           X86_FEAT_AVX,   0, 0, 0, lift_mov_dup,      "vmovsldup",       X86_IS_SSE, 0xa0),
	X86("VEX.L* F3 0F 16 /r",       "Vx, Wx",           X86_FEAT_AVX,   0, 0, 0, lift_mov_dup,      "vmovshdup",       X86_IS_SSE, 0xf5),
	X86("VEX.L* NP 0F 54 /r",       "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vandps",          X86_IS_SSE, VOP_PAND),
	X86("VEX.L* 66 0F 54 /r",       "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vandpd",          X86_IS_SSE, VOP_PAND),
	X86("VEX.L* NP 0F 55 /r",       "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vandnps",         X86_IS_SSE, VOP_PANDN),
	X86("VEX.L* 66 0F 55 /r",       "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vandnpd",         X86_IS_SSE, VOP_PANDN),
	X86("VEX.L* NP 0F 56 /r",       "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vorps",           X86_IS_SSE, VOP_POR),
	X86("VEX.L* 66 0F 56 /r",       "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vorpd",           X86_IS_SSE, VOP_POR),
	X86("VEX.L* NP 0F 57 /r",       "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vxorps",          X86_IS_SSE, VOP_PXOR),
	X86("VEX.L* 66 0F 57 /r",       "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vxorpd",          X86_IS_SSE, VOP_PXOR),
	X86("VEX.L* NP 0F 14 /r",       "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vunpcklps",       X86_IS_SSE, VOP_PUNPCKLDQ),
	X86("VEX.L* 66 0F 14 /r",       "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vunpcklpd",       X86_IS_SSE, VOP_PUNPCKLQDQ),
	X86("VEX.L* NP 0F 15 /r",       "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vunpckhps",       X86_IS_SSE, VOP_PUNPCKHDQ),
	X86("VEX.L* 66 0F 15 /r",       "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vunpckhpd",       X86_IS_SSE, VOP_PUNPCKHQDQ),
	X86("VEX.L* NP 0F C6 /r",       "Vx, Hx, Wx, Ib",   X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vshufps",         X86_IS_SSE, VOP_SHUFPS),
	X86("VEX.L* 66 0F C6 /r",       "Vx, Hx, Wx, Ib",   X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vshufpd",         X86_IS_SSE, VOP_SHUFPD),
	X86("VEX.L* NP 0F 58 /r",       "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vaddps",          X86_IS_SSE | X86_FP_EXC, VOP_ADDPS),
	X86("VEX.L* 66 0F 58 /r",       "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vaddpd",          X86_IS_SSE | X86_FP_EXC, VOP_ADDPD),
	X86("VEX.L* F3 0F 58 /r",       "Vdq, Hdq, Wss",    X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vaddss",          X86_IS_SSE | X86_FP_EXC, VOP_ADDSS),
	X86("VEX.L* F2 0F 58 /r",       "Vdq, Hdq, Wsd",    X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vaddsd",          X86_IS_SSE | X86_FP_EXC, VOP_ADDSD),
	X86("VEX.L* NP 0F 59 /r",       "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vmulps",          X86_IS_SSE | X86_FP_EXC, VOP_MULPS),
	X86("VEX.L* 66 0F 59 /r",       "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vmulpd",          X86_IS_SSE | X86_FP_EXC, VOP_MULPD),
	X86("VEX.L* F3 0F 59 /r",       "Vdq, Hdq, Wss",    X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vmulss",          X86_IS_SSE | X86_FP_EXC, VOP_MULSS),
	X86("VEX.L* F2 0F 59 /r",       "Vdq, Hdq, Wsd",    X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vmulsd",          X86_IS_SSE | X86_FP_EXC, VOP_MULSD),
	X86("VEX.L* NP 0F 5C /r",       "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vsubps",          X86_IS_SSE | X86_FP_EXC, VOP_SUBPS),
	X86("VEX.L* 66 0F 5C /r",       "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vsubpd",          X86_IS_SSE | X86_FP_EXC, VOP_SUBPD),
	X86("VEX.L* F3 0F 5C /r",       "Vdq, Hdq, Wss",    X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vsubss",          X86_IS_SSE | X86_FP_EXC, VOP_SUBSS),
	X86("VEX.L* F2 0F 5C /r",       "Vdq, Hdq, Wsd",    X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vsubsd",          X86_IS_SSE | X86_FP_EXC, VOP_SUBSD),
	X86("VEX.L* NP 0F 5D /r",       "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vminps",          X86_IS_SSE | X86_FP_EXC, VOP_MINPS),
	X86("VEX.L* 66 0F 5D /r",       "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vminpd",          X86_IS_SSE | X86_FP_EXC, VOP_MINPD),
	X86("VEX.L* F3 0F 5D /r",       "Vdq, Hdq, Wss",    X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vminss",          X86_IS_SSE | X86_FP_EXC, VOP_MINSS),
	X86("VEX.L* F2 0F 5D /r",       "Vdq, Hdq, Wsd",    X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vminsd",          X86_IS_SSE | X86_FP_EXC, VOP_MINSD),
	X86("VEX.L* NP 0F 5E /r",       "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vdivps",          X86_IS_SSE | X86_FP_EXC, VOP_DIVPS),
	X86("VEX.L* 66 0F 5E /r",       "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vdivpd",          X86_IS_SSE | X86_FP_EXC, VOP_DIVPD),
	X86("VEX.L* F3 0F 5E /r",       "Vdq, Hdq, Wss",    X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vdivss",          X86_IS_SSE | X86_FP_EXC, VOP_DIVSS),
	X86("VEX.L* F2 0F 5E /r",       "Vdq, Hdq, Wsd",    X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vdivsd",          X86_IS_SSE | X86_FP_EXC, VOP_DIVSD),
	X86("VEX.L* NP 0F 5F /r",       "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vmaxps",          X86_IS_SSE | X86_FP_EXC, VOP_MAXPS),
	X86("VEX.L* 66 0F 5F /r",       "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vmaxpd",          X86_IS_SSE | X86_FP_EXC, VOP_MAXPD),
	X86("VEX.L* F3 0F 5F /r",       "Vdq, Hdq, Wss",    X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vmaxss",          X86_IS_SSE | X86_FP_EXC, VOP_MAXSS),
	X86("VEX.L* F2 0F 5F /r",       "Vdq, Hdq, Wsd",    X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vmaxsd",          X86_IS_SSE | X86_FP_EXC, VOP_MAXSD),
	X86("VEX.L* NP 0F 51 /r",       "Vx, Wx",           X86_FEAT_AVX,   0, 0, 0, lift_vop_w,        "vsqrtps",         X86_IS_SSE | X86_FP_EXC, VOP_SQRTPS),
	X86("VEX.L* 66 0F 51 /r",       "Vx, Wx",           X86_FEAT_AVX,   0, 0, 0, lift_vop_w,        "vsqrtpd",         X86_IS_SSE | X86_FP_EXC, VOP_SQRTPD),
	X86("VEX.L* F3 0F 51 /r",       "Vdq, Hdq, Wss",    X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vsqrtss",         X86_IS_SSE | X86_FP_EXC, VOP_SQRTSS),
	X86("VEX.L* F2 0F 51 /r",       "Vdq, Hdq, Wsd",    X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vsqrtsd",         X86_IS_SSE | X86_FP_EXC, VOP_SQRTSD),
	X86("VEX.L* NP 0F 52 /r",       "Vx, Wx",           X86_FEAT_AVX,   0, 0, 0, lift_vop_w,        "vrsqrtps",        X86_IS_SSE, VOP_RSQRTPS),
	X86("VEX.L* F3 0F 52 /r",       "Vdq, Hdq, Wss",    X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vrsqrtss",        X86_IS_SSE, VOP_RSQRTSS),
	X86("VEX.L* NP 0F 53 /r",       "Vx, Wx",           X86_FEAT_AVX,   0, 0, 0, lift_vop_w,        "vrcpps",          X86_IS_SSE, VOP_RCPPS),
	X86("VEX.L* F3 0F 53 /r",       "Vdq, Hdq, Wss",    X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vrcpss",          X86_IS_SSE, VOP_RCPSS),
	X86("VEX.L* NP 0F C2 /r",       "Vx, Hx, Wx, Ib",   X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vcmpps",          X86_IS_SSE | X86_FP_EXC, VOP_CMPPS),
	X86("VEX.L* 66 0F C2 /r",       "Vx, Hx, Wx, Ib",   X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vcmppd",          X86_IS_SSE | X86_FP_EXC, VOP_CMPPD),
	X86("VEX.L* F3 0F C2 /r",       "Vdq, Hdq, Wss, Ib", X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vcmpss",          X86_IS_SSE | X86_FP_EXC, VOP_CMPSS),
	X86("VEX.L* F2 0F C2 /r",       "Vdq, Hdq, Wsd, Ib", X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vcmpsd",          X86_IS_SSE | X86_FP_EXC, VOP_CMPSD),
	X86("VEX.L* NP 0F 2E /r",       "Vdq, Wss",         X86_FEAT_AVX,   0, X86_ARITH_FLAGS, 0, lift_vop_flags,    "vucomiss",        X86_IS_SSE | X86_FP_EXC, VOP_UCOMISS),
	X86("VEX.L* 66 0F 2E /r",       "Vdq, Wsd",         X86_FEAT_AVX,   0, X86_ARITH_FLAGS, 0, lift_vop_flags,    "vucomisd",        X86_IS_SSE | X86_FP_EXC, VOP_UCOMISD),
	X86("VEX.L* NP 0F 2F /r",       "Vdq, Wss",         X86_FEAT_AVX,   0, X86_ARITH_FLAGS, 0, lift_vop_flags,    "vcomiss",         X86_IS_SSE | X86_FP_EXC, VOP_COMISS),
	X86("VEX.L* 66 0F 2F /r",       "Vdq, Wsd",         X86_FEAT_AVX,   0, X86_ARITH_FLAGS, 0, lift_vop_flags,    "vcomisd",         X86_IS_SSE | X86_FP_EXC, VOP_COMISD),
	X86("VEX.L* 66 0F 7C /r",       "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vhaddpd",         X86_IS_SSE | X86_FP_EXC, VOP_HADDPD),
	X86("VEX.L* F2 0F 7C /r",       "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vhaddps",         X86_IS_SSE | X86_FP_EXC, VOP_HADDPS),
	X86("VEX.L* 66 0F 7D /r",       "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vhsubpd",         X86_IS_SSE | X86_FP_EXC, VOP_HSUBPD),
	X86("VEX.L* F2 0F 7D /r",       "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vhsubps",         X86_IS_SSE | X86_FP_EXC, VOP_HSUBPS),
	X86("VEX.L* 66 0F D0 /r",       "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vaddsubpd",       X86_IS_SSE | X86_FP_EXC, VOP_ADDSUBPD),
	X86("VEX.L* F2 0F D0 /r",       "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vaddsubps",       X86_IS_SSE | X86_FP_EXC, VOP_ADDSUBPS),
	X86("VEX.128 NP 0F 5A /r",      "Vdq, Wq",          X86_FEAT_AVX,   0, 0, 0, lift_vop_w,        "vcvtps2pd",       X86_IS_SSE | X86_FP_EXC, VOP_CVTPS2PD),
	X86("VEX.256 NP 0F 5A /r",      "Vqq, Wdq",         X86_FEAT_AVX,   0, 0, 0, lift_vop_w,        "vcvtps2pd",       X86_IS_SSE | X86_FP_EXC, VOP_CVTPS2PD_256),
	X86("VEX.128 66 0F 5A /r",      "Vdq, Wdq",         X86_FEAT_AVX,   0, 0, 0, lift_vop_w,        "vcvtpd2ps",       X86_IS_SSE | X86_FP_EXC, VOP_CVTPD2PS),
	X86("VEX.256 66 0F 5A /r",      "Vdq, Wqq",         X86_FEAT_AVX,   0, 0, 0, lift_vop_w,        "vcvtpd2ps",       X86_IS_SSE | X86_FP_EXC, VOP_CVTPD2PS_256),
	X86("VEX.L* F3 0F 5A /r",       "Vdq, Hdq, Wss",    X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vcvtss2sd",       X86_IS_SSE | X86_FP_EXC, VOP_CVTSS2SD),
	X86("VEX.L* F2 0F 5A /r",       "Vdq, Hdq, Wsd",    X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vcvtsd2ss",       X86_IS_SSE | X86_FP_EXC, VOP_CVTSD2SS),
	X86("VEX.L* NP 0F 5B /r",       "Vx, Wx",           X86_FEAT_AVX,   0, 0, 0, lift_vop_w,        "vcvtdq2ps",       X86_IS_SSE | X86_FP_EXC, VOP_CVTDQ2PS),
	X86("VEX.L* 66 0F 5B /r",       "Vx, Wx",           X86_FEAT_AVX,   0, 0, 0, lift_vop_w,        "vcvtps2dq",       X86_IS_SSE | X86_FP_EXC, VOP_CVTPS2DQ),
	X86("VEX.L* F3 0F 5B /r",       "Vx, Wx",           X86_FEAT_AVX,   0, 0, 0, lift_vop_w,        "vcvttps2dq",      X86_IS_SSE | X86_FP_EXC, VOP_CVTTPS2DQ),
	X86("VEX.128 66 0F E6 /r",      "Vdq, Wdq",         X86_FEAT_AVX,   0, 0, 0, lift_vop_w,        "vcvttpd2dq",      X86_IS_SSE | X86_FP_EXC, VOP_CVTTPD2DQ),
	X86("VEX.256 66 0F E6 /r",      "Vdq, Wqq",         X86_FEAT_AVX,   0, 0, 0, lift_vop_w,        "vcvttpd2dq",      X86_IS_SSE | X86_FP_EXC, VOP_CVTTPD2DQ_256),
	X86("VEX.128 F3 0F E6 /r",      "Vdq, Wq",          X86_FEAT_AVX,   0, 0, 0, lift_vop_w,        "vcvtdq2pd",       X86_IS_SSE, VOP_CVTDQ2PD),
	X86("VEX.256 F3 0F E6 /r",      "Vqq, Wdq",         X86_FEAT_AVX,   0, 0, 0, lift_vop_w,        "vcvtdq2pd",       X86_IS_SSE, VOP_CVTDQ2PD_256),
	X86("VEX.128 F2 0F E6 /r",      "Vdq, Wdq",         X86_FEAT_AVX,   0, 0, 0, lift_vop_w,        "vcvtpd2dq",       X86_IS_SSE | X86_FP_EXC, VOP_CVTPD2DQ),
	X86("VEX.256 F2 0F E6 /r",      "Vdq, Wqq",         X86_FEAT_AVX,   0, 0, 0, lift_vop_w,        "vcvtpd2dq",       X86_IS_SSE | X86_FP_EXC, VOP_CVTPD2DQ_256),
	X86("VEX.L* F3 0F 2A /r",       "Vdq, Hdq, Ey",     X86_FEAT_AVX,   0, 0, 0, lift_cvt_int,      "vcvtsi2ss",       X86_IS_SSE | X86_FP_EXC, X86_VOP_BY_SIZE(VOP_CVTSI2SS32, VOP_CVTSI2SS64)),
	X86("VEX.L* F3 0F 2C /r",       "Gy, Wss",          X86_FEAT_AVX,   0, 0, 0, lift_vop_ru,       "vcvttss2si",      X86_IS_SSE | X86_FP_EXC, X86_VOP_BY_SIZE(VOP_CVTTSS2SI32, VOP_CVTTSS2SI64)),
	X86("VEX.L* F3 0F 2D /r",       "Gy, Wss",          X86_FEAT_AVX,   0, 0, 0, lift_vop_ru,       "vcvtss2si",       X86_IS_SSE | X86_FP_EXC, X86_VOP_BY_SIZE(VOP_CVTSS2SI32, VOP_CVTSS2SI64)),
	X86("VEX.L* F2 0F 2A /r",       "Vdq, Hdq, Ey",     X86_FEAT_AVX,   0, 0, 0, lift_cvt_int,      "vcvtsi2sd",       X86_IS_SSE | X86_FP_EXC, X86_VOP_BY_SIZE(VOP_CVTSI2SD32, VOP_CVTSI2SD64)),
	X86("VEX.L* F2 0F 2C /r",       "Gy, Wsd",          X86_FEAT_AVX,   0, 0, 0, lift_vop_ru,       "vcvttsd2si",      X86_IS_SSE | X86_FP_EXC, X86_VOP_BY_SIZE(VOP_CVTTSD2SI32, VOP_CVTTSD2SI64)),
	X86("VEX.L* F2 0F 2D /r",       "Gy, Wsd",          X86_FEAT_AVX,   0, 0, 0, lift_vop_ru,       "vcvtsd2si",       X86_IS_SSE | X86_FP_EXC, X86_VOP_BY_SIZE(VOP_CVTSD2SI32, VOP_CVTSD2SI64)),
	X86_ROWS_END
};
/* clang-format on */
