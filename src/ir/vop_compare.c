/*
 * Floating-point comparison: the eight predicates of SSE by its instructions, and from them the
 * 24 that VEX adds, so that the host need not have AVX. SDM vol. 2, CMPPD, table 3-1. Under the
 * host's MXCSR, and volatile, as in vop_float.c.
 *
 * A predicate is one of SSE's, perhaps with the operands exchanged, with another result for
 * unordered lanes, or signaling where SSE's is quiet or the other way round. Signaling ones raise
 * invalid for quiet NaNs too: LT is carried out for its flags. Quiet forms of LT and LE see zeros
 * in the lanes that are unordered.
 */
#include "ir/vop_asm.h"

enum { SSE_EQ, SSE_LT, SSE_LE, SSE_UNORD, SSE_NEQ, SSE_NLT, SSE_NLE, SSE_ORD };

#define COMPARE(name, insn)                                                                        \
	static vop_v name(vop_v x, vop_v y, unsigned predicate)                                    \
	{                                                                                          \
		switch (predicate) {                                                               \
		case SSE_EQ:                                                                       \
			__asm__ volatile(insn " $0, %1, %0" : "+x"(x) : "x"(y));                   \
			break;                                                                     \
		case SSE_LT:                                                                       \
			__asm__ volatile(insn " $1, %1, %0" : "+x"(x) : "x"(y));                   \
			break;                                                                     \
		case SSE_LE:                                                                       \
			__asm__ volatile(insn " $2, %1, %0" : "+x"(x) : "x"(y));                   \
			break;                                                                     \
		case SSE_UNORD:                                                                    \
			__asm__ volatile(insn " $3, %1, %0" : "+x"(x) : "x"(y));                   \
			break;                                                                     \
		case SSE_NEQ:                                                                      \
			__asm__ volatile(insn " $4, %1, %0" : "+x"(x) : "x"(y));                   \
			break;                                                                     \
		case SSE_NLT:                                                                      \
			__asm__ volatile(insn " $5, %1, %0" : "+x"(x) : "x"(y));                   \
			break;                                                                     \
		case SSE_NLE:                                                                      \
			__asm__ volatile(insn " $6, %1, %0" : "+x"(x) : "x"(y));                   \
			break;                                                                     \
		default:                                                                           \
			__asm__ volatile(insn " $7, %1, %0" : "+x"(x) : "x"(y));                   \
			break;                                                                     \
		}                                                                                  \
		return x;                                                                          \
	}

COMPARE(compare_ps, "cmpps")
COMPARE(compare_pd, "cmppd")
COMPARE(compare_ss, "cmpss")
COMPARE(compare_sd, "cmpsd")

typedef vop_v compare_fn(vop_v x, vop_v y, unsigned predicate);

/* What the result is made of, and what the flags are those of. */
enum {
	SWAP = 1 << 3,	    /* operands exchanged */
	ORDERED = 1 << 4,   /* false where unordered */
	UNORDERED = 1 << 5, /* true where unordered */
	QUIET = 1 << 6,	    /* although SSE's signals */
	SIGNAL = 1 << 7,    /* although SSE's is quiet */
	NONE = 1 << 8,	    /* false everywhere */
	ALL = 1 << 9,	    /* true everywhere */
};

static const uint16_t predicates[32] = {
	[0x00] = SSE_EQ,
	[0x01] = SSE_LT,
	[0x02] = SSE_LE,
	[0x03] = SSE_UNORD,
	[0x04] = SSE_NEQ,
	[0x05] = SSE_NLT,
	[0x06] = SSE_NLE,
	[0x07] = SSE_ORD,
	[0x08] = SSE_EQ | UNORDERED,		     /* EQ_UQ */
	[0x09] = SSE_NLE | SWAP,		     /* NGE_US */
	[0x0a] = SSE_NLT | SWAP,		     /* NGT_US */
	[0x0b] = SSE_EQ | NONE,			     /* FALSE_OQ */
	[0x0c] = SSE_NEQ | ORDERED,		     /* NEQ_OQ */
	[0x0d] = SSE_LE | SWAP,			     /* GE_OS */
	[0x0e] = SSE_LT | SWAP,			     /* GT_OS */
	[0x0f] = SSE_EQ | ALL,			     /* TRUE_UQ */
	[0x10] = SSE_EQ | SIGNAL,		     /* EQ_OS */
	[0x11] = SSE_LT | QUIET,		     /* LT_OQ */
	[0x12] = SSE_LE | QUIET | ORDERED,	     /* LE_OQ */
	[0x13] = SSE_UNORD | SIGNAL,		     /* UNORD_S */
	[0x14] = SSE_NEQ | SIGNAL,		     /* NEQ_US */
	[0x15] = SSE_NLT | QUIET,		     /* NLT_UQ */
	[0x16] = SSE_NLE | QUIET | UNORDERED,	     /* NLE_UQ */
	[0x17] = SSE_ORD | SIGNAL,		     /* ORD_S */
	[0x18] = SSE_EQ | UNORDERED | SIGNAL,	     /* EQ_US */
	[0x19] = SSE_NLE | SWAP | QUIET | UNORDERED, /* NGE_UQ */
	[0x1a] = SSE_NLT | SWAP | QUIET,	     /* NGT_UQ */
	[0x1b] = SSE_EQ | NONE | SIGNAL,	     /* FALSE_OS */
	[0x1c] = SSE_NEQ | ORDERED | SIGNAL,	     /* NEQ_OS */
	[0x1d] = SSE_LE | SWAP | QUIET | ORDERED,    /* GE_OQ */
	[0x1e] = SSE_LT | SWAP | QUIET,		     /* GT_OQ */
	[0x1f] = SSE_EQ | ALL | SIGNAL,		     /* TRUE_US */
};

static vop_v compare(compare_fn *fn, vop_v x, vop_v y, unsigned how)
{
	vop_v r, unordered = {0, 0};

	if (how & (ORDERED | UNORDERED | QUIET))
		unordered = fn(x, y, SSE_UNORD);
	if (how & SIGNAL)
		fn(x, y, SSE_LT);
	if (how & QUIET) {
		x &= ~unordered;
		y &= ~unordered;
	}
	r = how & SWAP ? fn(y, x, how & 7) : fn(x, y, how & 7);
	if (how & ORDERED)
		r &= ~unordered;
	if (how & UNORDERED)
		r |= unordered;
	if (how & NONE)
		r ^= r;
	return how & ALL ? ~(r ^ r) : r;
}

static void compare_packed(union ir_vec *d, compare_fn *fn, const union ir_vec *a,
			   const union ir_vec *b, unsigned imm8)
{
	vop_store(d, compare(fn, vop_load(a), vop_load(b), predicates[imm8 & 31]));
}

/* The upper lanes are a's, and take no part. */
static void compare_scalar(union ir_vec *d, compare_fn *fn, const union ir_vec *a,
			   const union ir_vec *b, unsigned imm8, vop_v lane)
{
	vop_v x = vop_load(a);
	vop_v r = compare(fn, x & lane, vop_load(b) & lane, predicates[imm8 & 31]);

	vop_store(d, (r & lane) | (x & ~lane));
}

void vop_cmpps(VOP_ARGS)
{
	compare_packed(d, compare_ps, a, b, imm8);
}

void vop_cmppd(VOP_ARGS)
{
	compare_packed(d, compare_pd, a, b, imm8);
}

void vop_cmpss(VOP_ARGS)
{
	compare_scalar(d, compare_ss, a, b, imm8, (vop_v){0xffffffff, 0});
}

void vop_cmpsd(VOP_ARGS)
{
	compare_scalar(d, compare_sd, a, b, imm8, (vop_v){-1, 0});
}

/* ZF, PF, CF as packed RFLAGS bits; the other arithmetic flags are cleared. */
#define VOP_COMPARE(name, insn)                                                                    \
	void name(VOP_ARGS)                                                                        \
	{                                                                                          \
		bool zf, pf, cf;                                                                   \
		__asm__ volatile(insn " %4, %3"                                                    \
				 : "=@ccz"(zf), "=@ccp"(pf), "=@ccc"(cf)                           \
				 : "x"(vop_load(a)), "x"(vop_load(b)));                            \
		d->u64[0] = (uint64_t)(zf * VOP_ZF | pf * VOP_PF | cf * VOP_CF);                   \
	}

VOP_COMPARE(vop_comiss, "comiss")
VOP_COMPARE(vop_comisd, "comisd")
VOP_COMPARE(vop_ucomiss, "ucomiss")
VOP_COMPARE(vop_ucomisd, "ucomisd")
