/*
 * MMX operations (SDM vol. 1, chapter 9) on 64-bit integers, through the SSE forms of the same
 * instructions so that the host's own x87 and MMX state is never touched.
 */
#include "ir/vop_asm.h"

/* Low half of the 128-bit operation on zero-extended arguments. */
#define VOP_MM(name, insn)                                                                         \
	void name(VOP_ARGS)                                                                        \
	{                                                                                          \
		vop_v x = {(long long)a->u64[0], 0}, y = {(long long)b->u64[0], 0};                \
		__asm__(insn " %1, %0" : "+x"(x) : "x"(y));                                        \
		d->u64[0] = (uint64_t)x[0];                                                        \
	}

/* Operations that join their arguments' halves: both arguments in one vector. */
#define VOP_MM_PAIR(name, insn)                                                                    \
	void name(VOP_ARGS)                                                                        \
	{                                                                                          \
		vop_v x = {(long long)a->u64[0], (long long)b->u64[0]}, y = x;                     \
		__asm__(insn " %1, %0" : "+x"(x) : "x"(y));                                        \
		d->u64[0] = (uint64_t)x[0];                                                        \
	}

/* Interleaving of the high halves is the upper half of the whole interleaving. */
#define VOP_MM_HIGH(name, insn)                                                                    \
	void name(VOP_ARGS)                                                                        \
	{                                                                                          \
		vop_v x = {(long long)a->u64[0], 0}, y = {(long long)b->u64[0], 0};                \
		__asm__(insn " %1, %0" : "+x"(x) : "x"(y));                                        \
		d->u64[0] = (uint64_t)x[1];                                                        \
	}

#define VOP_MM_SHIFT_IMM(name, insn)                                                               \
	void name(VOP_ARGS)                                                                        \
	{                                                                                          \
		vop_v x = {(long long)a->u64[0], 0}, y = {imm8, 0};                                \
		__asm__(insn " %1, %0" : "+x"(x) : "x"(y));                                        \
		d->u64[0] = (uint64_t)x[0];                                                        \
	}

#define VOP_M(name, insn)                                                                          \
	void name(VOP_ARGS)                                                                        \
	{                                                                                          \
		vop_v x = {(long long)a->u64[0], 0};                                               \
		__asm__(insn " %0, %0" : "+x"(x));                                                 \
		d->u64[0] = (uint64_t)x[0];                                                        \
	}

VOP_MM(vop_mmx_paddb, "paddb")
VOP_MM(vop_mmx_paddw, "paddw")
VOP_MM(vop_mmx_paddd, "paddd")
VOP_MM(vop_mmx_paddsb, "paddsb")
VOP_MM(vop_mmx_paddsw, "paddsw")
VOP_MM(vop_mmx_paddusb, "paddusb")
VOP_MM(vop_mmx_paddusw, "paddusw")
VOP_MM(vop_mmx_psubb, "psubb")
VOP_MM(vop_mmx_psubw, "psubw")
VOP_MM(vop_mmx_psubd, "psubd")
VOP_MM(vop_mmx_psubsb, "psubsb")
VOP_MM(vop_mmx_psubsw, "psubsw")
VOP_MM(vop_mmx_psubusb, "psubusb")
VOP_MM(vop_mmx_psubusw, "psubusw")
VOP_MM(vop_mmx_pcmpeqb, "pcmpeqb")
VOP_MM(vop_mmx_pcmpeqw, "pcmpeqw")
VOP_MM(vop_mmx_pcmpeqd, "pcmpeqd")
VOP_MM(vop_mmx_pcmpgtb, "pcmpgtb")
VOP_MM(vop_mmx_pcmpgtw, "pcmpgtw")
VOP_MM(vop_mmx_pcmpgtd, "pcmpgtd")
VOP_MM(vop_mmx_pmullw, "pmullw")
VOP_MM(vop_mmx_pmulhw, "pmulhw")
VOP_MM(vop_mmx_pmulhuw, "pmulhuw")
VOP_MM(vop_mmx_pmuludq, "pmuludq")
VOP_MM(vop_mmx_pmaddwd, "pmaddwd")
VOP_MM(vop_mmx_pavgb, "pavgb")
VOP_MM(vop_mmx_pavgw, "pavgw")
VOP_MM(vop_mmx_pminub, "pminub")
VOP_MM(vop_mmx_pminsw, "pminsw")
VOP_MM(vop_mmx_pmaxub, "pmaxub")
VOP_MM(vop_mmx_pmaxsw, "pmaxsw")
VOP_MM(vop_mmx_psadbw, "psadbw")
VOP_MM(vop_mmx_psllw, "psllw")
VOP_MM(vop_mmx_pslld, "pslld")
VOP_MM(vop_mmx_psllq, "psllq")
VOP_MM(vop_mmx_psrlw, "psrlw")
VOP_MM(vop_mmx_psrld, "psrld")
VOP_MM(vop_mmx_psrlq, "psrlq")
VOP_MM(vop_mmx_psraw, "psraw")
VOP_MM(vop_mmx_psrad, "psrad")
VOP_MM(vop_mmx_punpcklbw, "punpcklbw")
VOP_MM(vop_mmx_punpcklwd, "punpcklwd")
VOP_MM(vop_mmx_punpckldq, "punpckldq")
VOP_MM(vop_mmx_pmaddubsw, "pmaddubsw")
VOP_MM(vop_mmx_pmulhrsw, "pmulhrsw")
VOP_MM(vop_mmx_psignb, "psignb")
VOP_MM(vop_mmx_psignw, "psignw")
VOP_MM(vop_mmx_psignd, "psignd")
VOP_MM_HIGH(vop_mmx_punpckhbw, "punpcklbw")
VOP_MM_HIGH(vop_mmx_punpckhwd, "punpcklwd")
VOP_MM_HIGH(vop_mmx_punpckhdq, "punpckldq")
VOP_MM_PAIR(vop_mmx_packsswb, "packsswb")
VOP_MM_PAIR(vop_mmx_packssdw, "packssdw")
VOP_MM_PAIR(vop_mmx_packuswb, "packuswb")
VOP_MM_PAIR(vop_mmx_phaddw, "phaddw")
VOP_MM_PAIR(vop_mmx_phaddd, "phaddd")
VOP_MM_PAIR(vop_mmx_phaddsw, "phaddsw")
VOP_MM_PAIR(vop_mmx_phsubw, "phsubw")
VOP_MM_PAIR(vop_mmx_phsubd, "phsubd")
VOP_MM_PAIR(vop_mmx_phsubsw, "phsubsw")
VOP_M(vop_mmx_pabsb, "pabsb")
VOP_M(vop_mmx_pabsw, "pabsw")
VOP_M(vop_mmx_pabsd, "pabsd")
VOP_MM_SHIFT_IMM(vop_mmx_psllw_i, "psllw")
VOP_MM_SHIFT_IMM(vop_mmx_pslld_i, "pslld")
VOP_MM_SHIFT_IMM(vop_mmx_psllq_i, "psllq")
VOP_MM_SHIFT_IMM(vop_mmx_psrlw_i, "psrlw")
VOP_MM_SHIFT_IMM(vop_mmx_psrld_i, "psrld")
VOP_MM_SHIFT_IMM(vop_mmx_psrlq_i, "psrlq")
VOP_MM_SHIFT_IMM(vop_mmx_psraw_i, "psraw")
VOP_MM_SHIFT_IMM(vop_mmx_psrad_i, "psrad")

void vop_mmx_pshufb(VOP_ARGS)
{
	uint64_t r = 0;

	for (unsigned k = 0; k < 8; k++) {
		uint8_t sel = b->u8[k];
		uint64_t byte = sel & 0x80 ? 0 : a->u8[sel & 7];

		r |= byte << (8 * k);
	}
	d->u64[0] = r;
}

void vop_mmx_pshufw(VOP_ARGS)
{
	uint64_t r = 0;

	for (unsigned k = 0; k < 4; k++)
		r |= (uint64_t)a->u16[imm8 >> (2 * k) & 3] << (16 * k);
	d->u64[0] = r;
}

void vop_mmx_palignr(VOP_ARGS)
{
	unsigned n = (imm8 & 0xff) * 8;
	uint64_t hi = a->u64[0], lo = b->u64[0];

	if (n == 0)
		d->u64[0] = lo;
	else if (n < 64)
		d->u64[0] = lo >> n | hi << (64 - n);
	else
		d->u64[0] = n < 128 ? hi >> (n - 64) : 0;
}

void vop_mmx_pinsrw(VOP_ARGS)
{
	unsigned at = (imm8 & 3) * 16;

	d->u64[0] = (a->u64[0] & ~(0xffffull << at)) | (uint64_t)b->u16[0] << at;
}

void vop_mmx_pextrw(VOP_ARGS)
{
	d->u32[0] = a->u16[imm8 & 3];
}

void vop_mmx_pmovmskb(VOP_ARGS)
{
	uint32_t r = 0;

	for (unsigned k = 0; k < 8; k++)
		r |= (uint32_t)(a->u8[k] >> 7) << k;
	d->u32[0] = r;
}
