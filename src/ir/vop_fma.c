/*
 * Fused multiply-add (FMA3) and half-precision conversion (F16C) by the host's instructions, under
 * the host's MXCSR, which is the guest's. SDM vol. 1, 14.4 and 14.5. fma: a * b + c, in the order
 * that decides among NaNs; scalars leave c's other lanes. VEX encodings of 128 bits: the upper
 * halves of the host's YMM registers stay clear, so that legacy SSE around them does not wait.
 */
#include "ir/vop_asm.h"

#define VOP_FMA(name, insn)                                                                        \
	void name(VOP_ARGS)                                                                        \
	{                                                                                          \
		vop_v x = vop_load(c);                                                             \
		__asm__ volatile(insn " %2, %1, %0"                                                \
				 : "+x"(x)                                                         \
				 : "x"(vop_load(a)), "x"(vop_load(b)));                            \
		vop_store(d, x);                                                                   \
	}

VOP_FMA(vop_fmaddps, "vfmadd231ps")
VOP_FMA(vop_fmaddpd, "vfmadd231pd")
VOP_FMA(vop_fmaddss, "vfmadd231ss")
VOP_FMA(vop_fmaddsd, "vfmadd231sd")
VOP_FMA(vop_fmsubps, "vfmsub231ps")
VOP_FMA(vop_fmsubpd, "vfmsub231pd")
VOP_FMA(vop_fmsubss, "vfmsub231ss")
VOP_FMA(vop_fmsubsd, "vfmsub231sd")
VOP_FMA(vop_fnmaddps, "vfnmadd231ps")
VOP_FMA(vop_fnmaddpd, "vfnmadd231pd")
VOP_FMA(vop_fnmaddss, "vfnmadd231ss")
VOP_FMA(vop_fnmaddsd, "vfnmadd231sd")
VOP_FMA(vop_fnmsubps, "vfnmsub231ps")
VOP_FMA(vop_fnmsubpd, "vfnmsub231pd")
VOP_FMA(vop_fnmsubss, "vfnmsub231ss")
VOP_FMA(vop_fnmsubsd, "vfnmsub231sd")
VOP_FMA(vop_fmaddsubps, "vfmaddsub231ps")
VOP_FMA(vop_fmaddsubpd, "vfmaddsub231pd")
VOP_FMA(vop_fmsubaddps, "vfmsubadd231ps")
VOP_FMA(vop_fmsubaddpd, "vfmsubadd231pd")

VOP_V(vop_cvtph2ps, "vcvtph2ps")

void vop_cvtph2ps_256(VOP_ARGS)
{
	const vop_v high = {(long long)a->u64[1], 0};
	vop_v lo, hi;

	__asm__ volatile("vcvtph2ps %1, %0" : "=x"(lo) : "x"(vop_load(a)));
	__asm__ volatile("vcvtph2ps %1, %0" : "=x"(hi) : "x"(high));
	vop_store(d, lo);
	vop_store((union ir_vec *)(d->u8 + 16), hi);
}

#define CVTPS2PH_CASE(n)                                                                           \
	case n:                                                                                    \
		__asm__ volatile("vcvtps2ph %2, %1, %0" : "=x"(r) : "x"(x), "i"(n));               \
		break;

static vop_v cvtps2ph(vop_v x, unsigned imm8)
{
	vop_v r = x;

	switch (imm8 & 7) {
		VOP_IMM_8(CVTPS2PH_CASE, 0)
	}
	return r;
}

void vop_cvtps2ph(VOP_ARGS)
{
	vop_store(d, cvtps2ph(vop_load(a), imm8));
}

void vop_cvtps2ph_256(VOP_ARGS)
{
	vop_v lo = cvtps2ph(vop_load(a), imm8);
	vop_v hi = cvtps2ph(vop_load((const union ir_vec *)(a->u8 + 16)), imm8);
	vop_v r = {lo[0], hi[0]};

	vop_store(d, r);
}
