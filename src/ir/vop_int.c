/*
 * Integer vector operations of SSE2, SSSE3, SSE4.1 and SSE4.2 on 128 bits: one host instruction
 * each.
 */
#include "ir/vop_asm.h"

/* SSE2 */
VOP_VV(vop_paddb, "paddb")
VOP_VV(vop_paddw, "paddw")
VOP_VV(vop_paddd, "paddd")
VOP_VV(vop_paddq, "paddq")
VOP_VV(vop_paddsb, "paddsb")
VOP_VV(vop_paddsw, "paddsw")
VOP_VV(vop_paddusb, "paddusb")
VOP_VV(vop_paddusw, "paddusw")
VOP_VV(vop_psubb, "psubb")
VOP_VV(vop_psubw, "psubw")
VOP_VV(vop_psubd, "psubd")
VOP_VV(vop_psubq, "psubq")
VOP_VV(vop_psubsb, "psubsb")
VOP_VV(vop_psubsw, "psubsw")
VOP_VV(vop_psubusb, "psubusb")
VOP_VV(vop_psubusw, "psubusw")
VOP_VV(vop_pand, "pand")
VOP_VV(vop_pandn, "pandn")
VOP_VV(vop_por, "por")
VOP_VV(vop_pxor, "pxor")
VOP_VV(vop_pcmpeqb, "pcmpeqb")
VOP_VV(vop_pcmpeqw, "pcmpeqw")
VOP_VV(vop_pcmpeqd, "pcmpeqd")
VOP_VV(vop_pcmpgtb, "pcmpgtb")
VOP_VV(vop_pcmpgtw, "pcmpgtw")
VOP_VV(vop_pcmpgtd, "pcmpgtd")
VOP_VV(vop_pmullw, "pmullw")
VOP_VV(vop_pmulhw, "pmulhw")
VOP_VV(vop_pmulhuw, "pmulhuw")
VOP_VV(vop_pmuludq, "pmuludq")
VOP_VV(vop_pmaddwd, "pmaddwd")
VOP_VV(vop_pavgb, "pavgb")
VOP_VV(vop_pavgw, "pavgw")
VOP_VV(vop_pminub, "pminub")
VOP_VV(vop_pminsw, "pminsw")
VOP_VV(vop_pmaxub, "pmaxub")
VOP_VV(vop_pmaxsw, "pmaxsw")
VOP_VV(vop_psadbw, "psadbw")
VOP_VV(vop_psllw, "psllw")
VOP_VV(vop_pslld, "pslld")
VOP_VV(vop_psllq, "psllq")
VOP_VV(vop_psrlw, "psrlw")
VOP_VV(vop_psrld, "psrld")
VOP_VV(vop_psrlq, "psrlq")
VOP_VV(vop_psraw, "psraw")
VOP_VV(vop_psrad, "psrad")
VOP_VV(vop_packsswb, "packsswb")
VOP_VV(vop_packssdw, "packssdw")
VOP_VV(vop_packuswb, "packuswb")
VOP_VV(vop_punpcklbw, "punpcklbw")
VOP_VV(vop_punpcklwd, "punpcklwd")
VOP_VV(vop_punpckldq, "punpckldq")
VOP_VV(vop_punpcklqdq, "punpcklqdq")
VOP_VV(vop_punpckhbw, "punpckhbw")
VOP_VV(vop_punpckhwd, "punpckhwd")
VOP_VV(vop_punpckhdq, "punpckhdq")
VOP_VV(vop_punpckhqdq, "punpckhqdq")

/* Shifts by an immediate: the host's form with the count in a vector has the same meaning. */
VOP_SHIFT_IMM(vop_psllw_i, "psllw")
VOP_SHIFT_IMM(vop_pslld_i, "pslld")
VOP_SHIFT_IMM(vop_psllq_i, "psllq")
VOP_SHIFT_IMM(vop_psrlw_i, "psrlw")
VOP_SHIFT_IMM(vop_psrld_i, "psrld")
VOP_SHIFT_IMM(vop_psrlq_i, "psrlq")
VOP_SHIFT_IMM(vop_psraw_i, "psraw")
VOP_SHIFT_IMM(vop_psrad_i, "psrad")

/* SSSE3 */
VOP_VV(vop_pshufb, "pshufb")
VOP_VV(vop_phaddw, "phaddw")
VOP_VV(vop_phaddd, "phaddd")
VOP_VV(vop_phaddsw, "phaddsw")
VOP_VV(vop_phsubw, "phsubw")
VOP_VV(vop_phsubd, "phsubd")
VOP_VV(vop_phsubsw, "phsubsw")
VOP_VV(vop_pmaddubsw, "pmaddubsw")
VOP_VV(vop_pmulhrsw, "pmulhrsw")
VOP_VV(vop_psignb, "psignb")
VOP_VV(vop_psignw, "psignw")
VOP_VV(vop_psignd, "psignd")
VOP_V(vop_pabsb, "pabsb")
VOP_V(vop_pabsw, "pabsw")
VOP_V(vop_pabsd, "pabsd")

/* SSE4.1, SSE4.2 */
VOP_VV(vop_pmuldq, "pmuldq")
VOP_VV(vop_pmulld, "pmulld")
VOP_VV(vop_packusdw, "packusdw")
VOP_VV(vop_pcmpeqq, "pcmpeqq")
VOP_VV(vop_pcmpgtq, "pcmpgtq")
VOP_VV(vop_pminsb, "pminsb")
VOP_VV(vop_pminuw, "pminuw")
VOP_VV(vop_pminud, "pminud")
VOP_VV(vop_pminsd, "pminsd")
VOP_VV(vop_pmaxsb, "pmaxsb")
VOP_VV(vop_pmaxuw, "pmaxuw")
VOP_VV(vop_pmaxud, "pmaxud")
VOP_VV(vop_pmaxsd, "pmaxsd")
VOP_V(vop_phminposuw, "phminposuw")
VOP_V(vop_pmovsxbw, "pmovsxbw")
VOP_V(vop_pmovsxbd, "pmovsxbd")
VOP_V(vop_pmovsxbq, "pmovsxbq")
VOP_V(vop_pmovsxwd, "pmovsxwd")
VOP_V(vop_pmovsxwq, "pmovsxwq")
VOP_V(vop_pmovsxdq, "pmovsxdq")
VOP_V(vop_pmovzxbw, "pmovzxbw")
VOP_V(vop_pmovzxbd, "pmovzxbd")
VOP_V(vop_pmovzxbq, "pmovzxbq")
VOP_V(vop_pmovzxwd, "pmovzxwd")
VOP_V(vop_pmovzxwq, "pmovzxwq")
VOP_V(vop_pmovzxdq, "pmovzxdq")

#define MPSADBW_CASE(n)                                                                            \
	case n:                                                                                    \
		__asm__("mpsadbw %2, %1, %0" : "+x"(x) : "x"(y), "i"(n));                          \
		break;

void vop_mpsadbw(VOP_ARGS)
{
	vop_v x = vop_load(a), y = vop_load(b);

	switch (imm8 & 7) {
		VOP_IMM_8(MPSADBW_CASE, 0)
	}
	vop_store(d, x);
}

void vop_ptest(VOP_ARGS)
{
	bool zf, cf;

	__asm__("ptest %3, %2" : "=@ccz"(zf), "=@ccc"(cf) : "x"(vop_load(a)), "x"(vop_load(b)));
	d->u64[0] = zf * VOP_ZF | cf * VOP_CF;
}
