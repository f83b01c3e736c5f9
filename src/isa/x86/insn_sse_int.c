/*
 * SSE2 and SSSE3 integer instructions on XMM registers, and the moves that go with them. SDM vol.
 * 2, chapters 4 and 5; vol. 1, 11.4.2 and 12.7. Non-temporal stores are plain stores.
 */
#include "isa/x86/families.h"
#include "isa/x86/lift_vec.h"

/* MOVD, MOVQ between a general register or memory and the low lane. */
static void lift_movd_from(struct lift *l, const struct x86_insn *i)
{
	unsigned vop = i->op[1].bytes == 8 ? VOP_FROM64 : VOP_FROM32;
	ir_ref v = lift_read(l, i, 1);

	lift_set_vec(l, i->op[0].reg, ir_vop(l->b, vop, 0, v, IR_NONE, IR_NONE));
}

static void lift_movd_to(struct lift *l, const struct x86_insn *i)
{
	unsigned vop = i->op[0].bytes == 8 ? VOP_TO64 : VOP_TO32;
	ir_ref v = lift_vec(l, i->op[1].reg);

	lift_write(l, i, 0, ir_vop(l->b, vop, 0, v, IR_NONE, IR_NONE));
}

static void lift_movq_to(struct lift *l, const struct x86_insn *i)
{
	ir_ref v = lift_vec(l, i->op[1].reg);

	if (i->op[0].kind == X86_OPND_VEC)
		v = ir_vop(l->b, VOP_MOVQ, 0, v, IR_NONE, IR_NONE);
	lift_write(l, i, 0, v);
}

static void lift_maskmovdqu(struct lift *l, const struct x86_insn *i)
{
	lift_mask_move(l, i, lift_vec(l, i->op[0].reg), lift_vec(l, i->op[1].reg));
}

static void lift_pinsr(struct lift *l, const struct x86_insn *i)
{
	ir_ref src = lift_read_zext(l, i, 1, IR_I32);
	ir_ref dst = lift_vec(l, i->op[0].reg);

	lift_set_vec(l, i->op[0].reg, lift_vop(l, i, i->row->arg, dst, src, IR_NONE));
}

/* clang-format off */
const struct x86_row x86_rows_sse_int[] = {
	/* moves */
	X86("66 0F 6E /r",          "Vx, Ey",           X86_FEAT_SSE2,   0, 0, 0, lift_movd_from,   "movd",        X86_IS_SSE, 0),
	X86("66 0F 7E /r",          "Ey, Vx",           X86_FEAT_SSE2,   0, 0, 0, lift_movd_to,     "movd",        X86_IS_SSE, 0),
	X86("F3 0F 7E /r",          "Vx, Wq",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_w,       "movq",        X86_IS_SSE, VOP_MOVQ),
	X86("66 0F D6 /r",          "Wq, Vx",           X86_FEAT_SSE2,   0, 0, 0, lift_movq_to,     "movq",        X86_IS_SSE, 0),
	X86("66 0F 6F /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vec_load,    "movdqa",      X86_IS_SSE, 0),
	X86("66 0F 7F /r",          "Wx, Vx",           X86_FEAT_SSE2,   0, 0, 0, lift_vec_move_to, "movdqa",      X86_IS_SSE, 0),
	X86("F3 0F 6F /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vec_load,    "movdqu",      X86_IS_SSE | X86_UNALIGNED, 0),
	X86("F3 0F 7F /r",          "Wx, Vx",           X86_FEAT_SSE2,   0, 0, 0, lift_vec_move_to, "movdqu",      X86_IS_SSE | X86_UNALIGNED, 0),
	X86("F2 0F F0 /r mem",      "Vx, Mdq",          X86_FEAT_SSE3,   0, 0, 0, lift_vec_load,    "lddqu",       X86_IS_SSE | X86_UNALIGNED, 0),
	X86("66 0F E7 /r mem",      "Mdq, Vx",          X86_FEAT_SSE2,   0, 0, 0, lift_vec_move_to, "movntdq",     X86_IS_SSE, 0),
	X86("66 0F F7 /r reg",      "Vx, Ux",           X86_FEAT_SSE2,   0, 0, 0, lift_maskmovdqu,  "maskmovdqu",  X86_IS_SSE | X86_UNALIGNED, 0),
	X86("66 0F D7 /r reg",      "Gd, Ux",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_ru,      "pmovmskb",    X86_IS_SSE, VOP_PMOVMSKB),
	X86("66 0F C4 /r",          "Vx, Mw_Rd, Ib",    X86_FEAT_SSE2,   0, 0, 0, lift_pinsr,       "pinsrw",      X86_IS_SSE, VOP_PINSRW),
	X86("66 0F C5 /r reg",      "Gd, Ux, Ib",       X86_FEAT_SSE2,   0, 0, 0, lift_vop_ru,      "pextrw",      X86_IS_SSE, VOP_PEXTRW),
	/* shuffles and shifts by an immediate */
	X86("66 0F 70 /r",          "Vx, Wx, Ib",       X86_FEAT_SSE2,   0, 0, 0, lift_vop_w,       "pshufd",      X86_IS_SSE, VOP_PSHUFD),
	X86("F3 0F 70 /r",          "Vx, Wx, Ib",       X86_FEAT_SSE2,   0, 0, 0, lift_vop_w,       "pshufhw",     X86_IS_SSE, VOP_PSHUFHW),
	X86("F2 0F 70 /r",          "Vx, Wx, Ib",       X86_FEAT_SSE2,   0, 0, 0, lift_vop_w,       "pshuflw",     X86_IS_SSE, VOP_PSHUFLW),
	X86("66 0F 71 /2 reg",      "Ux, Ib",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_ui,      "psrlw",       X86_IS_SSE, VOP_PSRLW_I),
	X86("66 0F 71 /4 reg",      "Ux, Ib",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_ui,      "psraw",       X86_IS_SSE, VOP_PSRAW_I),
	X86("66 0F 71 /6 reg",      "Ux, Ib",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_ui,      "psllw",       X86_IS_SSE, VOP_PSLLW_I),
	X86("66 0F 72 /2 reg",      "Ux, Ib",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_ui,      "psrld",       X86_IS_SSE, VOP_PSRLD_I),
	X86("66 0F 72 /4 reg",      "Ux, Ib",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_ui,      "psrad",       X86_IS_SSE, VOP_PSRAD_I),
	X86("66 0F 72 /6 reg",      "Ux, Ib",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_ui,      "pslld",       X86_IS_SSE, VOP_PSLLD_I),
	X86("66 0F 73 /2 reg",      "Ux, Ib",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_ui,      "psrlq",       X86_IS_SSE, VOP_PSRLQ_I),
	X86("66 0F 73 /6 reg",      "Ux, Ib",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_ui,      "psllq",       X86_IS_SSE, VOP_PSLLQ_I),
	X86("66 0F 73 /3 reg",      "Ux, Ib",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_ui,      "psrldq",      X86_IS_SSE, VOP_PSRLDQ),
	X86("66 0F 73 /7 reg",      "Ux, Ib",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_ui,      "pslldq",      X86_IS_SSE, VOP_PSLLDQ),
	/* arithmetic, logic, compares, packing */
	X86("66 0F 6C /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "punpcklqdq",  X86_IS_SSE, VOP_PUNPCKLQDQ),
	X86("66 0F 6D /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "punpckhqdq",  X86_IS_SSE, VOP_PUNPCKHQDQ),
	X86("66 0F 60 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "punpcklbw",   X86_IS_SSE, VOP_PUNPCKLBW),
	X86("66 0F 61 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "punpcklwd",   X86_IS_SSE, VOP_PUNPCKLWD),
	X86("66 0F 62 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "punpckldq",   X86_IS_SSE, VOP_PUNPCKLDQ),
	X86("66 0F 63 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "packsswb",    X86_IS_SSE, VOP_PACKSSWB),
	X86("66 0F 64 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "pcmpgtb",     X86_IS_SSE, VOP_PCMPGTB),
	X86("66 0F 65 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "pcmpgtw",     X86_IS_SSE, VOP_PCMPGTW),
	X86("66 0F 66 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "pcmpgtd",     X86_IS_SSE, VOP_PCMPGTD),
	X86("66 0F 67 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "packuswb",    X86_IS_SSE, VOP_PACKUSWB),
	X86("66 0F 68 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "punpckhbw",   X86_IS_SSE, VOP_PUNPCKHBW),
	X86("66 0F 69 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "punpckhwd",   X86_IS_SSE, VOP_PUNPCKHWD),
	X86("66 0F 6A /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "punpckhdq",   X86_IS_SSE, VOP_PUNPCKHDQ),
	X86("66 0F 6B /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "packssdw",    X86_IS_SSE, VOP_PACKSSDW),
	X86("66 0F 74 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "pcmpeqb",     X86_IS_SSE, VOP_PCMPEQB),
	X86("66 0F 75 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "pcmpeqw",     X86_IS_SSE, VOP_PCMPEQW),
	X86("66 0F 76 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "pcmpeqd",     X86_IS_SSE, VOP_PCMPEQD),
	X86("66 0F D1 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "psrlw",       X86_IS_SSE, VOP_PSRLW),
	X86("66 0F D2 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "psrld",       X86_IS_SSE, VOP_PSRLD),
	X86("66 0F D3 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "psrlq",       X86_IS_SSE, VOP_PSRLQ),
	X86("66 0F D4 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "paddq",       X86_IS_SSE, VOP_PADDQ),
	X86("66 0F D5 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "pmullw",      X86_IS_SSE, VOP_PMULLW),
	X86("66 0F D8 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "psubusb",     X86_IS_SSE, VOP_PSUBUSB),
	X86("66 0F D9 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "psubusw",     X86_IS_SSE, VOP_PSUBUSW),
	X86("66 0F DA /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "pminub",      X86_IS_SSE, VOP_PMINUB),
	X86("66 0F DB /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "pand",        X86_IS_SSE, VOP_PAND),
	X86("66 0F DC /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "paddusb",     X86_IS_SSE, VOP_PADDUSB),
	X86("66 0F DD /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "paddusw",     X86_IS_SSE, VOP_PADDUSW),
	X86("66 0F DE /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "pmaxub",      X86_IS_SSE, VOP_PMAXUB),
	X86("66 0F DF /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "pandn",       X86_IS_SSE, VOP_PANDN),
	X86("66 0F E0 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "pavgb",       X86_IS_SSE, VOP_PAVGB),
	X86("66 0F E1 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "psraw",       X86_IS_SSE, VOP_PSRAW),
	X86("66 0F E2 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "psrad",       X86_IS_SSE, VOP_PSRAD),
	X86("66 0F E3 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "pavgw",       X86_IS_SSE, VOP_PAVGW),
	X86("66 0F E4 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "pmulhuw",     X86_IS_SSE, VOP_PMULHUW),
	X86("66 0F E5 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "pmulhw",      X86_IS_SSE, VOP_PMULHW),
	X86("66 0F E8 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "psubsb",      X86_IS_SSE, VOP_PSUBSB),
	X86("66 0F E9 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "psubsw",      X86_IS_SSE, VOP_PSUBSW),
	X86("66 0F EA /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "pminsw",      X86_IS_SSE, VOP_PMINSW),
	X86("66 0F EB /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "por",         X86_IS_SSE, VOP_POR),
	X86("66 0F EC /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "paddsb",      X86_IS_SSE, VOP_PADDSB),
	X86("66 0F ED /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "paddsw",      X86_IS_SSE, VOP_PADDSW),
	X86("66 0F EE /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "pmaxsw",      X86_IS_SSE, VOP_PMAXSW),
	X86("66 0F EF /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "pxor",        X86_IS_SSE, VOP_PXOR),
	X86("66 0F F1 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "psllw",       X86_IS_SSE, VOP_PSLLW),
	X86("66 0F F2 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "pslld",       X86_IS_SSE, VOP_PSLLD),
	X86("66 0F F3 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "psllq",       X86_IS_SSE, VOP_PSLLQ),
	X86("66 0F F4 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "pmuludq",     X86_IS_SSE, VOP_PMULUDQ),
	X86("66 0F F5 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "pmaddwd",     X86_IS_SSE, VOP_PMADDWD),
	X86("66 0F F6 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "psadbw",      X86_IS_SSE, VOP_PSADBW),
	X86("66 0F F8 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "psubb",       X86_IS_SSE, VOP_PSUBB),
	X86("66 0F F9 /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "psubw",       X86_IS_SSE, VOP_PSUBW),
	X86("66 0F FA /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "psubd",       X86_IS_SSE, VOP_PSUBD),
	X86("66 0F FB /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "psubq",       X86_IS_SSE, VOP_PSUBQ),
	X86("66 0F FC /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "paddb",       X86_IS_SSE, VOP_PADDB),
	X86("66 0F FD /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "paddw",       X86_IS_SSE, VOP_PADDW),
	X86("66 0F FE /r",          "Vx, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_vop_vw,      "paddd",       X86_IS_SSE, VOP_PADDD),
	/* SSSE3 */
	X86("66 0F38 00 /r",        "Vx, Wx",           X86_FEAT_SSSE3,  0, 0, 0, lift_vop_vw,      "pshufb",      X86_IS_SSE, VOP_PSHUFB),
	X86("66 0F38 01 /r",        "Vx, Wx",           X86_FEAT_SSSE3,  0, 0, 0, lift_vop_vw,      "phaddw",      X86_IS_SSE, VOP_PHADDW),
	X86("66 0F38 02 /r",        "Vx, Wx",           X86_FEAT_SSSE3,  0, 0, 0, lift_vop_vw,      "phaddd",      X86_IS_SSE, VOP_PHADDD),
	X86("66 0F38 03 /r",        "Vx, Wx",           X86_FEAT_SSSE3,  0, 0, 0, lift_vop_vw,      "phaddsw",     X86_IS_SSE, VOP_PHADDSW),
	X86("66 0F38 04 /r",        "Vx, Wx",           X86_FEAT_SSSE3,  0, 0, 0, lift_vop_vw,      "pmaddubsw",   X86_IS_SSE, VOP_PMADDUBSW),
	X86("66 0F38 05 /r",        "Vx, Wx",           X86_FEAT_SSSE3,  0, 0, 0, lift_vop_vw,      "phsubw",      X86_IS_SSE, VOP_PHSUBW),
	X86("66 0F38 06 /r",        "Vx, Wx",           X86_FEAT_SSSE3,  0, 0, 0, lift_vop_vw,      "phsubd",      X86_IS_SSE, VOP_PHSUBD),
	X86("66 0F38 07 /r",        "Vx, Wx",           X86_FEAT_SSSE3,  0, 0, 0, lift_vop_vw,      "phsubsw",     X86_IS_SSE, VOP_PHSUBSW),
	X86("66 0F38 08 /r",        "Vx, Wx",           X86_FEAT_SSSE3,  0, 0, 0, lift_vop_vw,      "psignb",      X86_IS_SSE, VOP_PSIGNB),
	X86("66 0F38 09 /r",        "Vx, Wx",           X86_FEAT_SSSE3,  0, 0, 0, lift_vop_vw,      "psignw",      X86_IS_SSE, VOP_PSIGNW),
	X86("66 0F38 0A /r",        "Vx, Wx",           X86_FEAT_SSSE3,  0, 0, 0, lift_vop_vw,      "psignd",      X86_IS_SSE, VOP_PSIGND),
	X86("66 0F38 0B /r",        "Vx, Wx",           X86_FEAT_SSSE3,  0, 0, 0, lift_vop_vw,      "pmulhrsw",    X86_IS_SSE, VOP_PMULHRSW),
	X86("66 0F38 1C /r",        "Vx, Wx",           X86_FEAT_SSSE3,  0, 0, 0, lift_vop_w,       "pabsb",       X86_IS_SSE, VOP_PABSB),
	X86("66 0F38 1D /r",        "Vx, Wx",           X86_FEAT_SSSE3,  0, 0, 0, lift_vop_w,       "pabsw",       X86_IS_SSE, VOP_PABSW),
	X86("66 0F38 1E /r",        "Vx, Wx",           X86_FEAT_SSSE3,  0, 0, 0, lift_vop_w,       "pabsd",       X86_IS_SSE, VOP_PABSD),
	X86("66 0F3A 0F /r",        "Vx, Wx, Ib",       X86_FEAT_SSSE3,  0, 0, 0, lift_vop_vw,      "palignr",     X86_IS_SSE, VOP_PALIGNR),
	X86_ROWS_END
};
/* clang-format on */
