/*
 * Conversions between integers and floating point, SSE and SSE2, the MMX forms included. Rounding
 * and exception flags are the host's, under the guest's MXCSR. SDM vol. 1, 11.4.1.6 and 4.8.4.
 */
#include "ir/vop_asm.h"

VOP_V(vop_cvtdq2pd, "cvtdq2pd")
VOP_V(vop_cvtdq2ps, "cvtdq2ps")
VOP_V(vop_cvtps2dq, "cvtps2dq")
VOP_V(vop_cvttps2dq, "cvttps2dq")
VOP_V(vop_cvtpd2dq, "cvtpd2dq")
VOP_V(vop_cvttpd2dq, "cvttpd2dq")
VOP_V(vop_cvtps2pd, "cvtps2pd")
VOP_V(vop_cvtpd2ps, "cvtpd2ps")
VOP_VV(vop_cvtss2sd, "cvtss2sd")
VOP_VV(vop_cvtsd2ss, "cvtsd2ss")

/* From a general register into the low lane. */
#define VOP_FROM_INT(name, insn, member)                                                           \
	void name(VOP_ARGS)                                                                        \
	{                                                                                          \
		vop_v x = vop_load(a);                                                             \
		__asm__ volatile(insn " %1, %0" : "+x"(x) : "r"(b->member[0]));                    \
		vop_store(d, x);                                                                   \
	}

VOP_FROM_INT(vop_cvtsi2ss32, "cvtsi2ssl", u32)
VOP_FROM_INT(vop_cvtsi2sd32, "cvtsi2sdl", u32)
VOP_FROM_INT(vop_cvtsi2ss64, "cvtsi2ssq", u64)
VOP_FROM_INT(vop_cvtsi2sd64, "cvtsi2sdq", u64)

/* From the low lane to a general register; its size chooses the form. */
#define VOP_TO_INT(name, insn, int_type, member)                                                   \
	void name(VOP_ARGS)                                                                        \
	{                                                                                          \
		int_type r;                                                                        \
		__asm__ volatile(insn " %1, %0" : "=r"(r) : "x"(vop_load(a)));                     \
		d->member[0] = r;                                                                  \
	}

VOP_TO_INT(vop_cvtss2si32, "cvtss2si", uint32_t, u32)
VOP_TO_INT(vop_cvttss2si32, "cvttss2si", uint32_t, u32)
VOP_TO_INT(vop_cvtsd2si32, "cvtsd2si", uint32_t, u32)
VOP_TO_INT(vop_cvttsd2si32, "cvttsd2si", uint32_t, u32)
VOP_TO_INT(vop_cvtss2si64, "cvtss2si", uint64_t, u64)
VOP_TO_INT(vop_cvttss2si64, "cvttss2si", uint64_t, u64)
VOP_TO_INT(vop_cvtsd2si64, "cvtsd2si", uint64_t, u64)
VOP_TO_INT(vop_cvttsd2si64, "cvttsd2si", uint64_t, u64)

/* MMX forms. The unused upper lanes hold zeros, which convert without raising anything. */
void vop_cvtpi2ps(VOP_ARGS)
{
	vop_v x = {(long long)b->u64[0], 0};
	uint64_t high = a->u64[1];

	__asm__ volatile("cvtdq2ps %0, %0" : "+x"(x));
	d->u64[0] = (uint64_t)x[0];
	d->u64[1] = high;
}

void vop_cvtpi2pd(VOP_ARGS)
{
	vop_v x = {(long long)a->u64[0], 0};

	__asm__ volatile("cvtdq2pd %0, %0" : "+x"(x));
	vop_store(d, x);
}

#define VOP_TO_MMX(name, insn, high)                                                               \
	void name(VOP_ARGS)                                                                        \
	{                                                                                          \
		vop_v x = {(long long)a->u64[0], (long long)(high)};                               \
		__asm__ volatile(insn " %0, %0" : "+x"(x));                                        \
		d->u64[0] = (uint64_t)x[0];                                                        \
	}

VOP_TO_MMX(vop_cvtps2pi, "cvtps2dq", 0)
VOP_TO_MMX(vop_cvttps2pi, "cvttps2dq", 0)
VOP_TO_MMX(vop_cvtpd2pi, "cvtpd2dq", a->u64[1])
VOP_TO_MMX(vop_cvttpd2pi, "cvttpd2dq", a->u64[1])
