/*
 * MMX, its SSE, SSE2 and SSSE3 extensions, and the conversions between MMX and XMM registers. SDM
 * vol. 2, chapters 3 and 4; vol. 1, chapter 9. Every one of them but EMMS, whatever it does, makes
 * the x87 stack full with its top at 0 (vol. 1, 9.5.1).
 */
#include "isa/x86/families.h"
#include "isa/x86/lift_vec.h"

static void set_mmx(struct lift *l, unsigned reg, ir_ref v)
{
	lift_mmx_enter(l);
	lift_set_mmx(l, reg, v);
}

/* P = vop(P, Q), with the immediate if there is one. */
static void lift_mmx_vop_pq(struct lift *l, const struct x86_insn *i)
{
	ir_ref src = lift_read(l, i, 1);
	ir_ref dst = lift_mmx(l, i->op[0].reg);

	set_mmx(l, i->op[0].reg, lift_vop(l, i, i->row->arg, dst, src, IR_NONE));
}

static void lift_mmx_vop_q(struct lift *l, const struct x86_insn *i)
{
	ir_ref src = lift_read(l, i, 1);

	set_mmx(l, i->op[0].reg, lift_vop(l, i, i->row->arg, src, IR_NONE, IR_NONE));
}

static void lift_mmx_vop_ni(struct lift *l, const struct x86_insn *i)
{
	ir_ref v = lift_mmx(l, i->op[0].reg);

	set_mmx(l, i->op[0].reg, lift_vop(l, i, i->row->arg, v, IR_NONE, IR_NONE));
}

/* G = vop(N), with the immediate if there is one. */
static void lift_mmx_vop_rn(struct lift *l, const struct x86_insn *i)
{
	ir_ref v = lift_vop(l, i, i->row->arg, lift_mmx(l, i->op[1].reg), IR_NONE, IR_NONE);

	lift_mmx_enter(l);
	lift_set_gpr(l, i->op[0].reg, v);
}

/* P = P op Q, as one integer operation. */
static void lift_mmx_ir(struct lift *l, const struct x86_insn *i)
{
	ir_ref src = lift_read(l, i, 1);
	ir_ref dst = lift_mmx(l, i->op[0].reg);

	set_mmx(l, i->op[0].reg, ir_bin(l->b, (enum ir_op)i->row->arg, dst, src));
}

static void lift_mmx_pandn(struct lift *l, const struct x86_insn *i)
{
	ir_ref src = lift_read(l, i, 1);
	ir_ref dst = ir_un(l->b, IR_NOT, lift_mmx(l, i->op[0].reg));

	set_mmx(l, i->op[0].reg, ir_bin(l->b, IR_AND, dst, src));
}

static void lift_mmx_movd_from(struct lift *l, const struct x86_insn *i)
{
	set_mmx(l, i->op[0].reg, lift_read_zext(l, i, 1, IR_I64));
}

static void lift_mmx_movd_to(struct lift *l, const struct x86_insn *i)
{
	ir_ref v = lift_mmx(l, i->op[1].reg);

	if (i->op[0].bytes == 4)
		v = ir_trunc(l->b, IR_I32, v);
	lift_write(l, i, 0, v);
	lift_mmx_enter(l);
}

static void lift_mmx_load(struct lift *l, const struct x86_insn *i)
{
	set_mmx(l, i->op[0].reg, lift_read(l, i, 1));
}

static void lift_mmx_move_to(struct lift *l, const struct x86_insn *i)
{
	ir_ref v = lift_mmx(l, i->op[1].reg);

	lift_write(l, i, 0, v);
	lift_mmx_enter(l);
}

static void lift_movdq2q(struct lift *l, const struct x86_insn *i)
{
	ir_ref v = lift_vec(l, i->op[1].reg);

	set_mmx(l, i->op[0].reg, ir_vop(l->b, VOP_TO64, 0, v, IR_NONE, IR_NONE));
}

static void lift_movq2dq(struct lift *l, const struct x86_insn *i)
{
	ir_ref v = lift_mmx(l, i->op[1].reg);

	lift_mmx_enter(l);
	lift_set_vec(l, i->op[0].reg, ir_vop(l->b, VOP_FROM64, 0, v, IR_NONE, IR_NONE));
}

static void lift_maskmovq(struct lift *l, const struct x86_insn *i)
{
	lift_mask_move(l, i, lift_mmx(l, i->op[0].reg), lift_mmx(l, i->op[1].reg));
	lift_mmx_enter(l);
}

static void lift_mmx_pinsrw(struct lift *l, const struct x86_insn *i)
{
	ir_ref src = lift_read_zext(l, i, 1, IR_I32);
	ir_ref dst = lift_mmx(l, i->op[0].reg);

	set_mmx(l, i->op[0].reg, lift_vop(l, i, i->row->arg, dst, src, IR_NONE));
}

/* Empties the registers; the top of the stack becomes 0 as with the others (seen on silicon). */
static void lift_emms(struct lift *l, const struct x86_insn *i)
{
	lift_mmx_enter(l);
	ir_put(l->b, X86_OFF(ftag), ir_const(l->b, IR_I8, 0));
}

static void lift_cvtpi2ps(struct lift *l, const struct x86_insn *i)
{
	ir_ref src = lift_read(l, i, 1);
	ir_ref dst = lift_vec(l, i->op[0].reg);
	ir_ref v = lift_vop(l, i, VOP_CVTPI2PS, dst, src, IR_NONE);

	if (i->op[1].kind == X86_OPND_MMX)
		lift_mmx_enter(l);
	lift_set_vec(l, i->op[0].reg, v);
}

static void lift_cvtpi2pd(struct lift *l, const struct x86_insn *i)
{
	ir_ref v = lift_vop(l, i, VOP_CVTPI2PD, lift_read(l, i, 1), IR_NONE, IR_NONE);

	if (i->op[1].kind == X86_OPND_MMX)
		lift_mmx_enter(l);
	lift_set_vec(l, i->op[0].reg, v);
}

/* P = vop(W) */
static void lift_cvt_pi(struct lift *l, const struct x86_insn *i)
{
	ir_ref src = lift_read(l, i, 1);

	set_mmx(l, i->op[0].reg, lift_vop(l, i, i->row->arg, src, IR_NONE, IR_NONE));
}

/* clang-format off */
const struct x86_row x86_rows_mmx[] = {
	/* moves */
	X86("NP 0F 6E /r",          "Pq, Ey",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_movd_from,"movd",        X86_IS_MMX, 0),
	X86("NP 0F 7E /r",          "Ey, Pq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_movd_to, "movd",        X86_IS_MMX, 0),
	X86("NP 0F 6F /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_load,    "movq",        X86_IS_MMX, 0),
	X86("NP 0F 7F /r",          "Qq, Pq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_move_to, "movq",        X86_IS_MMX, 0),
	X86("NP 0F E7 /r mem",      "Mq, Pq",           X86_FEAT_SSE,    0, 0, 0, lift_mmx_move_to, "movntq",      X86_IS_MMX, 0),
	X86("F2 0F D6 /r reg",      "Pq, Ux",           X86_FEAT_SSE2,   0, 0, 0, lift_movdq2q,     "movdq2q",     X86_IS_MMX | X86_IS_SSE, 0),
	X86("F3 0F D6 /r reg",      "Vx, Nq",           X86_FEAT_SSE2,   0, 0, 0, lift_movq2dq,     "movq2dq",     X86_IS_MMX | X86_IS_SSE, 0),
	X86("NP 0F F7 /r reg",      "Pq, Nq",           X86_FEAT_SSE,    0, 0, 0, lift_maskmovq,    "maskmovq",    X86_IS_MMX, 0),
	X86("NP 0F D7 /r reg",      "Gd, Nq",           X86_FEAT_SSE,    0, 0, 0, lift_mmx_vop_rn,  "pmovmskb",    X86_IS_MMX, VOP_MMX_PMOVMSKB),
	X86("NP 0F C4 /r",          "Pq, Mw_Rd, Ib",    X86_FEAT_SSE,    0, 0, 0, lift_mmx_pinsrw,  "pinsrw",      X86_IS_MMX, VOP_MMX_PINSRW),
	X86("NP 0F C5 /r reg",      "Gd, Nq, Ib",       X86_FEAT_SSE,    0, 0, 0, lift_mmx_vop_rn,  "pextrw",      X86_IS_MMX, VOP_MMX_PEXTRW),
	X86("NP 0F 77",             "",                 X86_FEAT_MMX,    0, 0, 0, lift_emms,        "emms",        X86_IS_MMX, 0),
	/* shuffles and shifts by an immediate */
	X86("NP 0F 70 /r",          "Pq, Qq, Ib",       X86_FEAT_SSE,    0, 0, 0, lift_mmx_vop_q,   "pshufw",      X86_IS_MMX, VOP_MMX_PSHUFW),
	X86("NP 0F 71 /2 reg",      "Nq, Ib",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_ni,  "psrlw",       X86_IS_MMX, VOP_MMX_PSRLW_I),
	X86("NP 0F 71 /4 reg",      "Nq, Ib",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_ni,  "psraw",       X86_IS_MMX, VOP_MMX_PSRAW_I),
	X86("NP 0F 71 /6 reg",      "Nq, Ib",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_ni,  "psllw",       X86_IS_MMX, VOP_MMX_PSLLW_I),
	X86("NP 0F 72 /2 reg",      "Nq, Ib",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_ni,  "psrld",       X86_IS_MMX, VOP_MMX_PSRLD_I),
	X86("NP 0F 72 /4 reg",      "Nq, Ib",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_ni,  "psrad",       X86_IS_MMX, VOP_MMX_PSRAD_I),
	X86("NP 0F 72 /6 reg",      "Nq, Ib",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_ni,  "pslld",       X86_IS_MMX, VOP_MMX_PSLLD_I),
	X86("NP 0F 73 /2 reg",      "Nq, Ib",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_ni,  "psrlq",       X86_IS_MMX, VOP_MMX_PSRLQ_I),
	X86("NP 0F 73 /6 reg",      "Nq, Ib",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_ni,  "psllq",       X86_IS_MMX, VOP_MMX_PSLLQ_I),
	/* arithmetic, logic, compares, packing */
	X86("NP 0F 60 /r",          "Pq, Qd",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_pq,  "punpcklbw",   X86_IS_MMX, VOP_MMX_PUNPCKLBW),
	X86("NP 0F 61 /r",          "Pq, Qd",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_pq,  "punpcklwd",   X86_IS_MMX, VOP_MMX_PUNPCKLWD),
	X86("NP 0F 62 /r",          "Pq, Qd",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_pq,  "punpckldq",   X86_IS_MMX, VOP_MMX_PUNPCKLDQ),
	X86("NP 0F 63 /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_pq,  "packsswb",    X86_IS_MMX, VOP_MMX_PACKSSWB),
	X86("NP 0F 64 /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_pq,  "pcmpgtb",     X86_IS_MMX, VOP_MMX_PCMPGTB),
	X86("NP 0F 65 /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_pq,  "pcmpgtw",     X86_IS_MMX, VOP_MMX_PCMPGTW),
	X86("NP 0F 66 /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_pq,  "pcmpgtd",     X86_IS_MMX, VOP_MMX_PCMPGTD),
	X86("NP 0F 67 /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_pq,  "packuswb",    X86_IS_MMX, VOP_MMX_PACKUSWB),
	X86("NP 0F 68 /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_pq,  "punpckhbw",   X86_IS_MMX, VOP_MMX_PUNPCKHBW),
	X86("NP 0F 69 /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_pq,  "punpckhwd",   X86_IS_MMX, VOP_MMX_PUNPCKHWD),
	X86("NP 0F 6A /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_pq,  "punpckhdq",   X86_IS_MMX, VOP_MMX_PUNPCKHDQ),
	X86("NP 0F 6B /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_pq,  "packssdw",    X86_IS_MMX, VOP_MMX_PACKSSDW),
	X86("NP 0F 74 /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_pq,  "pcmpeqb",     X86_IS_MMX, VOP_MMX_PCMPEQB),
	X86("NP 0F 75 /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_pq,  "pcmpeqw",     X86_IS_MMX, VOP_MMX_PCMPEQW),
	X86("NP 0F 76 /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_pq,  "pcmpeqd",     X86_IS_MMX, VOP_MMX_PCMPEQD),
	X86("NP 0F D1 /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_pq,  "psrlw",       X86_IS_MMX, VOP_MMX_PSRLW),
	X86("NP 0F D2 /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_pq,  "psrld",       X86_IS_MMX, VOP_MMX_PSRLD),
	X86("NP 0F D3 /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_pq,  "psrlq",       X86_IS_MMX, VOP_MMX_PSRLQ),
	X86("NP 0F D4 /r",          "Pq, Qq",           X86_FEAT_SSE2,   0, 0, 0, lift_mmx_ir,      "paddq",       X86_IS_MMX, IR_ADD),
	X86("NP 0F D5 /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_pq,  "pmullw",      X86_IS_MMX, VOP_MMX_PMULLW),
	X86("NP 0F D8 /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_pq,  "psubusb",     X86_IS_MMX, VOP_MMX_PSUBUSB),
	X86("NP 0F D9 /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_pq,  "psubusw",     X86_IS_MMX, VOP_MMX_PSUBUSW),
	X86("NP 0F DA /r",          "Pq, Qq",           X86_FEAT_SSE,    0, 0, 0, lift_mmx_vop_pq,  "pminub",      X86_IS_MMX, VOP_MMX_PMINUB),
	X86("NP 0F DB /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_ir,      "pand",        X86_IS_MMX, IR_AND),
	X86("NP 0F DC /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_pq,  "paddusb",     X86_IS_MMX, VOP_MMX_PADDUSB),
	X86("NP 0F DD /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_pq,  "paddusw",     X86_IS_MMX, VOP_MMX_PADDUSW),
	X86("NP 0F DE /r",          "Pq, Qq",           X86_FEAT_SSE,    0, 0, 0, lift_mmx_vop_pq,  "pmaxub",      X86_IS_MMX, VOP_MMX_PMAXUB),
	X86("NP 0F DF /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_pandn,   "pandn",       X86_IS_MMX, 0),
	X86("NP 0F E0 /r",          "Pq, Qq",           X86_FEAT_SSE,    0, 0, 0, lift_mmx_vop_pq,  "pavgb",       X86_IS_MMX, VOP_MMX_PAVGB),
	X86("NP 0F E1 /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_pq,  "psraw",       X86_IS_MMX, VOP_MMX_PSRAW),
	X86("NP 0F E2 /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_pq,  "psrad",       X86_IS_MMX, VOP_MMX_PSRAD),
	X86("NP 0F E3 /r",          "Pq, Qq",           X86_FEAT_SSE,    0, 0, 0, lift_mmx_vop_pq,  "pavgw",       X86_IS_MMX, VOP_MMX_PAVGW),
	X86("NP 0F E4 /r",          "Pq, Qq",           X86_FEAT_SSE,    0, 0, 0, lift_mmx_vop_pq,  "pmulhuw",     X86_IS_MMX, VOP_MMX_PMULHUW),
	X86("NP 0F E5 /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_pq,  "pmulhw",      X86_IS_MMX, VOP_MMX_PMULHW),
	X86("NP 0F E8 /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_pq,  "psubsb",      X86_IS_MMX, VOP_MMX_PSUBSB),
	X86("NP 0F E9 /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_pq,  "psubsw",      X86_IS_MMX, VOP_MMX_PSUBSW),
	X86("NP 0F EA /r",          "Pq, Qq",           X86_FEAT_SSE,    0, 0, 0, lift_mmx_vop_pq,  "pminsw",      X86_IS_MMX, VOP_MMX_PMINSW),
	X86("NP 0F EB /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_ir,      "por",         X86_IS_MMX, IR_OR),
	X86("NP 0F EC /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_pq,  "paddsb",      X86_IS_MMX, VOP_MMX_PADDSB),
	X86("NP 0F ED /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_pq,  "paddsw",      X86_IS_MMX, VOP_MMX_PADDSW),
	X86("NP 0F EE /r",          "Pq, Qq",           X86_FEAT_SSE,    0, 0, 0, lift_mmx_vop_pq,  "pmaxsw",      X86_IS_MMX, VOP_MMX_PMAXSW),
	X86("NP 0F EF /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_ir,      "pxor",        X86_IS_MMX, IR_XOR),
	X86("NP 0F F1 /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_pq,  "psllw",       X86_IS_MMX, VOP_MMX_PSLLW),
	X86("NP 0F F2 /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_pq,  "pslld",       X86_IS_MMX, VOP_MMX_PSLLD),
	X86("NP 0F F3 /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_pq,  "psllq",       X86_IS_MMX, VOP_MMX_PSLLQ),
	X86("NP 0F F4 /r",          "Pq, Qq",           X86_FEAT_SSE2,   0, 0, 0, lift_mmx_vop_pq,  "pmuludq",     X86_IS_MMX, VOP_MMX_PMULUDQ),
	X86("NP 0F F5 /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_pq,  "pmaddwd",     X86_IS_MMX, VOP_MMX_PMADDWD),
	X86("NP 0F F6 /r",          "Pq, Qq",           X86_FEAT_SSE,    0, 0, 0, lift_mmx_vop_pq,  "psadbw",      X86_IS_MMX, VOP_MMX_PSADBW),
	X86("NP 0F F8 /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_pq,  "psubb",       X86_IS_MMX, VOP_MMX_PSUBB),
	X86("NP 0F F9 /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_pq,  "psubw",       X86_IS_MMX, VOP_MMX_PSUBW),
	X86("NP 0F FA /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_pq,  "psubd",       X86_IS_MMX, VOP_MMX_PSUBD),
	X86("NP 0F FB /r",          "Pq, Qq",           X86_FEAT_SSE2,   0, 0, 0, lift_mmx_ir,      "psubq",       X86_IS_MMX, IR_SUB),
	X86("NP 0F FC /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_pq,  "paddb",       X86_IS_MMX, VOP_MMX_PADDB),
	X86("NP 0F FD /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_pq,  "paddw",       X86_IS_MMX, VOP_MMX_PADDW),
	X86("NP 0F FE /r",          "Pq, Qq",           X86_FEAT_MMX,    0, 0, 0, lift_mmx_vop_pq,  "paddd",       X86_IS_MMX, VOP_MMX_PADDD),
	/* SSSE3 */
	X86("NP 0F38 00 /r",        "Pq, Qq",           X86_FEAT_SSSE3,  0, 0, 0, lift_mmx_vop_pq,  "pshufb",      X86_IS_MMX, VOP_MMX_PSHUFB),
	X86("NP 0F38 01 /r",        "Pq, Qq",           X86_FEAT_SSSE3,  0, 0, 0, lift_mmx_vop_pq,  "phaddw",      X86_IS_MMX, VOP_MMX_PHADDW),
	X86("NP 0F38 02 /r",        "Pq, Qq",           X86_FEAT_SSSE3,  0, 0, 0, lift_mmx_vop_pq,  "phaddd",      X86_IS_MMX, VOP_MMX_PHADDD),
	X86("NP 0F38 03 /r",        "Pq, Qq",           X86_FEAT_SSSE3,  0, 0, 0, lift_mmx_vop_pq,  "phaddsw",     X86_IS_MMX, VOP_MMX_PHADDSW),
	X86("NP 0F38 04 /r",        "Pq, Qq",           X86_FEAT_SSSE3,  0, 0, 0, lift_mmx_vop_pq,  "pmaddubsw",   X86_IS_MMX, VOP_MMX_PMADDUBSW),
	X86("NP 0F38 05 /r",        "Pq, Qq",           X86_FEAT_SSSE3,  0, 0, 0, lift_mmx_vop_pq,  "phsubw",      X86_IS_MMX, VOP_MMX_PHSUBW),
	X86("NP 0F38 06 /r",        "Pq, Qq",           X86_FEAT_SSSE3,  0, 0, 0, lift_mmx_vop_pq,  "phsubd",      X86_IS_MMX, VOP_MMX_PHSUBD),
	X86("NP 0F38 07 /r",        "Pq, Qq",           X86_FEAT_SSSE3,  0, 0, 0, lift_mmx_vop_pq,  "phsubsw",     X86_IS_MMX, VOP_MMX_PHSUBSW),
	X86("NP 0F38 08 /r",        "Pq, Qq",           X86_FEAT_SSSE3,  0, 0, 0, lift_mmx_vop_pq,  "psignb",      X86_IS_MMX, VOP_MMX_PSIGNB),
	X86("NP 0F38 09 /r",        "Pq, Qq",           X86_FEAT_SSSE3,  0, 0, 0, lift_mmx_vop_pq,  "psignw",      X86_IS_MMX, VOP_MMX_PSIGNW),
	X86("NP 0F38 0A /r",        "Pq, Qq",           X86_FEAT_SSSE3,  0, 0, 0, lift_mmx_vop_pq,  "psignd",      X86_IS_MMX, VOP_MMX_PSIGND),
	X86("NP 0F38 0B /r",        "Pq, Qq",           X86_FEAT_SSSE3,  0, 0, 0, lift_mmx_vop_pq,  "pmulhrsw",    X86_IS_MMX, VOP_MMX_PMULHRSW),
	X86("NP 0F38 1C /r",        "Pq, Qq",           X86_FEAT_SSSE3,  0, 0, 0, lift_mmx_vop_q,   "pabsb",       X86_IS_MMX, VOP_MMX_PABSB),
	X86("NP 0F38 1D /r",        "Pq, Qq",           X86_FEAT_SSSE3,  0, 0, 0, lift_mmx_vop_q,   "pabsw",       X86_IS_MMX, VOP_MMX_PABSW),
	X86("NP 0F38 1E /r",        "Pq, Qq",           X86_FEAT_SSSE3,  0, 0, 0, lift_mmx_vop_q,   "pabsd",       X86_IS_MMX, VOP_MMX_PABSD),
	X86("NP 0F3A 0F /r",        "Pq, Qq, Ib",       X86_FEAT_SSSE3,  0, 0, 0, lift_mmx_vop_pq,  "palignr",     X86_IS_MMX, VOP_MMX_PALIGNR),
	/* conversions; with a memory source the x87 state is left alone */
	X86("NP 0F 2A /r reg",      "Vx, Nq",           X86_FEAT_SSE,    0, 0, 0, lift_cvtpi2ps,    "cvtpi2ps",    X86_IS_MMX | X86_IS_SSE | X86_FP_EXC, 0),
	X86("NP 0F 2A /r mem",      "Vx, Qq",           X86_FEAT_SSE,    0, 0, 0, lift_cvtpi2ps,    "cvtpi2ps",    X86_IS_SSE | X86_FP_EXC, 0),
	X86("66 0F 2A /r reg",      "Vx, Nq",           X86_FEAT_SSE2,   0, 0, 0, lift_cvtpi2pd,    "cvtpi2pd",    X86_IS_MMX | X86_IS_SSE, 0),
	X86("66 0F 2A /r mem",      "Vx, Qq",           X86_FEAT_SSE2,   0, 0, 0, lift_cvtpi2pd,    "cvtpi2pd",    X86_IS_SSE, 0),
	X86("NP 0F 2C /r",          "Pq, Wq",           X86_FEAT_SSE,    0, 0, 0, lift_cvt_pi,      "cvttps2pi",   X86_IS_MMX | X86_IS_SSE | X86_FP_EXC, VOP_CVTTPS2PI),
	X86("66 0F 2C /r",          "Pq, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_cvt_pi,      "cvttpd2pi",   X86_IS_MMX | X86_IS_SSE | X86_FP_EXC, VOP_CVTTPD2PI),
	X86("NP 0F 2D /r",          "Pq, Wq",           X86_FEAT_SSE,    0, 0, 0, lift_cvt_pi,      "cvtps2pi",    X86_IS_MMX | X86_IS_SSE | X86_FP_EXC, VOP_CVTPS2PI),
	X86("66 0F 2D /r",          "Pq, Wx",           X86_FEAT_SSE2,   0, 0, 0, lift_cvt_pi,      "cvtpd2pi",    X86_IS_MMX | X86_IS_SSE | X86_FP_EXC, VOP_CVTPD2PI),
	X86_ROWS_END
};
/* clang-format on */
