/*
 * SSE4.1 and SSE4.2. SDM vol. 2, chapters 3 and 4; the string compares are in section 4.1.
 */
#include "isa/x86/families.h"
#include "isa/x86/lift_vec.h"

/* To a register (32 or 64 bits, zero-extended) or a lane-sized piece of memory. */
static void lift_pextr(struct lift *l, const struct x86_insn *i)
{
	ir_ref v = lift_vop(l, i, i->row->arg, lift_read(l, i, 1), IR_NONE, IR_NONE);

	lift_write(l, i, 0, v);
}

static void lift_pinsr(struct lift *l, const struct x86_insn *i)
{
	unsigned n = lift_first_source(i), vop = i->row->arg;
	ir_ref b = lift_read_zext(l, i, n + 1, vop == VOP_PINSRQ ? IR_I64 : IR_I32);
	ir_ref a = lift_read(l, i, n);

	lift_write(l, i, 0, lift_vop(l, i, vop, a, b, IR_NONE));
}

/* A memory source is one lane: the immediate's choice of source lane does not count. */
static void lift_insertps(struct lift *l, const struct x86_insn *i)
{
	unsigned n = lift_first_source(i);
	unsigned imm = (unsigned)i->imm & (i->op[n + 1].kind == X86_OPND_VEC ? 0xff : 0x3f);
	ir_ref b = lift_read(l, i, n + 1);
	ir_ref a = lift_read(l, i, n);

	lift_write(l, i, 0, ir_vop(l->b, VOP_INSERTPS, imm, a, b, IR_NONE));
}

/* The result of a string compare: an index in ECX, or a mask in XMM0. */
static void set_string_result(struct lift *l, const struct x86_insn *i, ir_ref r)
{
	if (vop_table[i->row->arg].result == IR_V128)
		lift_set_vec_of(l, i, 0, r);
	else
		lift_set_gpr(l, X86_RCX, r);
}

static void lift_pcmpistr(struct lift *l, const struct x86_insn *i)
{
	unsigned imm = (unsigned)i->imm & 0xff;
	ir_ref b = lift_read(l, i, 1);
	ir_ref a = lift_vec(l, i->op[0].reg);
	ir_ref r = ir_vop(l->b, i->row->arg, imm, a, b, IR_NONE);
	ir_ref flags = ir_vop(l->b, VOP_PCMPISTR_FLAGS, imm, a, b, IR_NONE);

	set_string_result(l, i, r);
	lift_set_packed_flags(l, flags);
}

/* The explicit lengths are in EAX and EDX, or with REX.W in RAX and RDX. */
static ir_ref string_len(struct lift *l, const struct x86_insn *i, unsigned reg)
{
	return ir_sext(l->b, IR_I64, lift_gpr(l, reg, i->opsize == 8 ? 8 : 4));
}

static void lift_pcmpestr(struct lift *l, const struct x86_insn *i)
{
	unsigned imm = (unsigned)i->imm & 0xff;
	ir_ref b = lift_read(l, i, 1);
	ir_ref a = lift_vec(l, i->op[0].reg);
	ir_ref lens = ir_vop(l->b, VOP_PCMPESTR_LENS, 0, string_len(l, i, X86_RAX),
			     string_len(l, i, X86_RDX), IR_NONE);
	ir_ref r = ir_vop(l->b, i->row->arg, imm, a, b, lens);
	ir_ref flags = ir_vop(l->b, VOP_PCMPESTR_FLAGS, imm, a, b, lens);

	set_string_result(l, i, r);
	lift_set_packed_flags(l, flags);
}

/* The destination is 32 bits, zero-extended, whatever REX.W says. */
static void lift_crc32(struct lift *l, const struct x86_insn *i)
{
	static const uint16_t vop[] = {VOP_CRC32_8, VOP_CRC32_16, VOP_CRC32_32, VOP_CRC32_64};
	ir_ref src = lift_read(l, i, 1);
	ir_ref crc = lift_gpr(l, i->op[0].reg, 4);
	unsigned n = vop[ir_type_log2(ir_type_of(l->b, src))];

	lift_set_gpr(l, i->op[0].reg, ir_vop(l->b, n, 0, crc, src, IR_NONE));
}

/* clang-format off */
const struct x86_row x86_rows_sse4[] = {
	/* SSE4.1 integer */
	X86("66 0F38 20 /r",        "Vx, Wq",           X86_FEAT_SSE41,  0, 0, 0, lift_vop_w,       "pmovsxbw",    X86_IS_SSE, VOP_PMOVSXBW),
	X86("66 0F38 30 /r",        "Vx, Wq",           X86_FEAT_SSE41,  0, 0, 0, lift_vop_w,       "pmovzxbw",    X86_IS_SSE, VOP_PMOVZXBW),
	X86("66 0F38 21 /r",        "Vx, Wd",           X86_FEAT_SSE41,  0, 0, 0, lift_vop_w,       "pmovsxbd",    X86_IS_SSE, VOP_PMOVSXBD),
	X86("66 0F38 31 /r",        "Vx, Wd",           X86_FEAT_SSE41,  0, 0, 0, lift_vop_w,       "pmovzxbd",    X86_IS_SSE, VOP_PMOVZXBD),
	X86("66 0F38 22 /r",        "Vx, Ww",           X86_FEAT_SSE41,  0, 0, 0, lift_vop_w,       "pmovsxbq",    X86_IS_SSE, VOP_PMOVSXBQ),
	X86("66 0F38 32 /r",        "Vx, Ww",           X86_FEAT_SSE41,  0, 0, 0, lift_vop_w,       "pmovzxbq",    X86_IS_SSE, VOP_PMOVZXBQ),
	X86("66 0F38 23 /r",        "Vx, Wq",           X86_FEAT_SSE41,  0, 0, 0, lift_vop_w,       "pmovsxwd",    X86_IS_SSE, VOP_PMOVSXWD),
	X86("66 0F38 33 /r",        "Vx, Wq",           X86_FEAT_SSE41,  0, 0, 0, lift_vop_w,       "pmovzxwd",    X86_IS_SSE, VOP_PMOVZXWD),
	X86("66 0F38 24 /r",        "Vx, Wd",           X86_FEAT_SSE41,  0, 0, 0, lift_vop_w,       "pmovsxwq",    X86_IS_SSE, VOP_PMOVSXWQ),
	X86("66 0F38 34 /r",        "Vx, Wd",           X86_FEAT_SSE41,  0, 0, 0, lift_vop_w,       "pmovzxwq",    X86_IS_SSE, VOP_PMOVZXWQ),
	X86("66 0F38 25 /r",        "Vx, Wq",           X86_FEAT_SSE41,  0, 0, 0, lift_vop_w,       "pmovsxdq",    X86_IS_SSE, VOP_PMOVSXDQ),
	X86("66 0F38 35 /r",        "Vx, Wq",           X86_FEAT_SSE41,  0, 0, 0, lift_vop_w,       "pmovzxdq",    X86_IS_SSE, VOP_PMOVZXDQ),
	X86("66 0F38 28 /r",        "Vx, Wx",           X86_FEAT_SSE41,  0, 0, 0, lift_vop_vw,      "pmuldq",      X86_IS_SSE, VOP_PMULDQ),
	X86("66 0F38 29 /r",        "Vx, Wx",           X86_FEAT_SSE41,  0, 0, 0, lift_vop_vw,      "pcmpeqq",     X86_IS_SSE, VOP_PCMPEQQ),
	X86("66 0F38 2B /r",        "Vx, Wx",           X86_FEAT_SSE41,  0, 0, 0, lift_vop_vw,      "packusdw",    X86_IS_SSE, VOP_PACKUSDW),
	X86("66 0F38 38 /r",        "Vx, Wx",           X86_FEAT_SSE41,  0, 0, 0, lift_vop_vw,      "pminsb",      X86_IS_SSE, VOP_PMINSB),
	X86("66 0F38 39 /r",        "Vx, Wx",           X86_FEAT_SSE41,  0, 0, 0, lift_vop_vw,      "pminsd",      X86_IS_SSE, VOP_PMINSD),
	X86("66 0F38 3A /r",        "Vx, Wx",           X86_FEAT_SSE41,  0, 0, 0, lift_vop_vw,      "pminuw",      X86_IS_SSE, VOP_PMINUW),
	X86("66 0F38 3B /r",        "Vx, Wx",           X86_FEAT_SSE41,  0, 0, 0, lift_vop_vw,      "pminud",      X86_IS_SSE, VOP_PMINUD),
	X86("66 0F38 3C /r",        "Vx, Wx",           X86_FEAT_SSE41,  0, 0, 0, lift_vop_vw,      "pmaxsb",      X86_IS_SSE, VOP_PMAXSB),
	X86("66 0F38 3D /r",        "Vx, Wx",           X86_FEAT_SSE41,  0, 0, 0, lift_vop_vw,      "pmaxsd",      X86_IS_SSE, VOP_PMAXSD),
	X86("66 0F38 3E /r",        "Vx, Wx",           X86_FEAT_SSE41,  0, 0, 0, lift_vop_vw,      "pmaxuw",      X86_IS_SSE, VOP_PMAXUW),
	X86("66 0F38 3F /r",        "Vx, Wx",           X86_FEAT_SSE41,  0, 0, 0, lift_vop_vw,      "pmaxud",      X86_IS_SSE, VOP_PMAXUD),
	X86("66 0F38 40 /r",        "Vx, Wx",           X86_FEAT_SSE41,  0, 0, 0, lift_vop_vw,      "pmulld",      X86_IS_SSE, VOP_PMULLD),
	X86("66 0F38 41 /r",        "Vx, Wx",           X86_FEAT_SSE41,  0, 0, 0, lift_vop_w,       "phminposuw",  X86_IS_SSE, VOP_PHMINPOSUW),
	X86("66 0F38 17 /r",        "Vx, Wx",           X86_FEAT_SSE41,  0, X86_ARITH_FLAGS, 0, lift_vop_flags,   "ptest",       X86_IS_SSE, VOP_PTEST),
	X86("66 0F38 2A /r mem",    "Vx, Mdq",          X86_FEAT_SSE41,  0, 0, 0, lift_vec_load,    "movntdqa",    X86_IS_SSE, 0),
	X86("66 0F3A 42 /r",        "Vx, Wx, Ib",       X86_FEAT_SSE41,  0, 0, 0, lift_vop_vw,      "mpsadbw",     X86_IS_SSE, VOP_MPSADBW),
	/* SSE4.1 blends, inserts, extracts */
	X86("66 0F38 10 /r",        "Vx, Wx",           X86_FEAT_SSE41,  0, 0, 0, lift_vop_vw_xmm0, "pblendvb",    X86_IS_SSE, VOP_PBLENDVB),
	X86("66 0F38 14 /r",        "Vx, Wx",           X86_FEAT_SSE41,  0, 0, 0, lift_vop_vw_xmm0, "blendvps",    X86_IS_SSE, VOP_BLENDVPS),
	X86("66 0F38 15 /r",        "Vx, Wx",           X86_FEAT_SSE41,  0, 0, 0, lift_vop_vw_xmm0, "blendvpd",    X86_IS_SSE, VOP_BLENDVPD),
	X86("66 0F3A 0C /r",        "Vx, Wx, Ib",       X86_FEAT_SSE41,  0, 0, 0, lift_vop_vw,      "blendps",     X86_IS_SSE, VOP_BLENDPS),
	X86("66 0F3A 0D /r",        "Vx, Wx, Ib",       X86_FEAT_SSE41,  0, 0, 0, lift_vop_vw,      "blendpd",     X86_IS_SSE, VOP_BLENDPD),
	X86("66 0F3A 0E /r",        "Vx, Wx, Ib",       X86_FEAT_SSE41,  0, 0, 0, lift_vop_vw,      "pblendw",     X86_IS_SSE, VOP_PBLENDW),
	X86("66 0F3A 14 /r",        "Mb_Rd, Vx, Ib",    X86_FEAT_SSE41,  0, 0, 0, lift_pextr,       "pextrb",      X86_IS_SSE, VOP_PEXTRB),
	X86("66 0F3A 15 /r",        "Mw_Rd, Vx, Ib",    X86_FEAT_SSE41,  0, 0, 0, lift_pextr,       "pextrw",      X86_IS_SSE, VOP_PEXTRW),
	X86("66 W0 0F3A 16 /r",     "Ed, Vx, Ib",       X86_FEAT_SSE41,  0, 0, 0, lift_pextr,       "pextrd",      X86_IS_SSE, VOP_PEXTRD),
	X86("66 W1 0F3A 16 /r",     "Ey, Vx, Ib",       X86_FEAT_SSE41,  0, 0, 0, lift_pextr,       "pextrq",      X86_IS_SSE, VOP_PEXTRQ),
	X86("66 0F3A 17 /r",        "Ed, Vx, Ib",       X86_FEAT_SSE41,  0, 0, 0, lift_pextr,       "extractps",   X86_IS_SSE, VOP_PEXTRD),
	X86("66 0F3A 20 /r",        "Vx, Mb_Rd, Ib",    X86_FEAT_SSE41,  0, 0, 0, lift_pinsr,       "pinsrb",      X86_IS_SSE, VOP_PINSRB),
	X86("66 0F3A 21 /r",        "Vx, Wss, Ib",      X86_FEAT_SSE41,  0, 0, 0, lift_insertps,    "insertps",    X86_IS_SSE, VOP_INSERTPS),
	X86("66 W0 0F3A 22 /r",     "Vx, Ed, Ib",       X86_FEAT_SSE41,  0, 0, 0, lift_pinsr,       "pinsrd",      X86_IS_SSE, VOP_PINSRD),
	X86("66 W1 0F3A 22 /r",     "Vx, Ey, Ib",       X86_FEAT_SSE41,  0, 0, 0, lift_pinsr,       "pinsrq",      X86_IS_SSE, VOP_PINSRQ),
	/* SSE4.1 floating point */
	X86("66 0F3A 08 /r",        "Vx, Wx, Ib",       X86_FEAT_SSE41,  0, 0, 0, lift_vop_w,       "roundps",     X86_IS_SSE | X86_FP_EXC, VOP_ROUNDPS),
	X86("66 0F3A 09 /r",        "Vx, Wx, Ib",       X86_FEAT_SSE41,  0, 0, 0, lift_vop_w,       "roundpd",     X86_IS_SSE | X86_FP_EXC, VOP_ROUNDPD),
	X86("66 0F3A 0A /r",        "Vx, Wss, Ib",      X86_FEAT_SSE41,  0, 0, 0, lift_vop_vw,      "roundss",     X86_IS_SSE | X86_FP_EXC, VOP_ROUNDSS),
	X86("66 0F3A 0B /r",        "Vx, Wsd, Ib",      X86_FEAT_SSE41,  0, 0, 0, lift_vop_vw,      "roundsd",     X86_IS_SSE | X86_FP_EXC, VOP_ROUNDSD),
	X86("66 0F3A 40 /r",        "Vx, Wx, Ib",       X86_FEAT_SSE41,  0, 0, 0, lift_vop_vw,      "dpps",        X86_IS_SSE | X86_FP_EXC, VOP_DPPS),
	X86("66 0F3A 41 /r",        "Vx, Wx, Ib",       X86_FEAT_SSE41,  0, 0, 0, lift_vop_vw,      "dppd",        X86_IS_SSE | X86_FP_EXC, VOP_DPPD),
	/* SSE4.2 */
	X86("66 0F38 37 /r",        "Vx, Wx",           X86_FEAT_SSE42,  0, 0, 0, lift_vop_vw,      "pcmpgtq",     X86_IS_SSE, VOP_PCMPGTQ),
	X86("66 0F3A 60 /r",        "Vx, Wx, Ib",       X86_FEAT_SSE42,  0, X86_ARITH_FLAGS, 0, lift_pcmpestr,    "pcmpestrm",   X86_IS_SSE | X86_UNALIGNED, VOP_PCMPESTRM),
	X86("66 0F3A 61 /r",        "Vx, Wx, Ib",       X86_FEAT_SSE42,  0, X86_ARITH_FLAGS, 0, lift_pcmpestr,    "pcmpestri",   X86_IS_SSE | X86_UNALIGNED, VOP_PCMPESTRI),
	X86("66 0F3A 62 /r",        "Vx, Wx, Ib",       X86_FEAT_SSE42,  0, X86_ARITH_FLAGS, 0, lift_pcmpistr,    "pcmpistrm",   X86_IS_SSE | X86_UNALIGNED, VOP_PCMPISTRM),
	X86("66 0F3A 63 /r",        "Vx, Wx, Ib",       X86_FEAT_SSE42,  0, X86_ARITH_FLAGS, 0, lift_pcmpistr,    "pcmpistri",   X86_IS_SSE | X86_UNALIGNED, VOP_PCMPISTRI),
	X86("F2 0F38 F0 /r",        "Gd, Eb",           X86_FEAT_SSE42,  0, 0, 0, lift_crc32,       "crc32",       0, 0),
	X86("F2 0F38 F1 /r",        "Gd, Ev",           X86_FEAT_SSE42,  0, 0, 0, lift_crc32,       "crc32",       0, 0),
	/* VEX forms: the same functions */
	X86("VEX.128 66 0F38 20 /r",    "Vdq, Wq",          X86_FEAT_AVX,   0, 0, 0, lift_vop_w,        "vpmovsxbw",       X86_IS_SSE, VOP_PMOVSXBW),
	X86("VEX.256 66 0F38 20 /r",    "Vqq, Wdq",         X86_FEAT_AVX2,  0, 0, 0, lift_vop_w,        "vpmovsxbw",       X86_IS_SSE, VOP_PMOVSXBW_256),
	X86("VEX.128 66 0F38 30 /r",    "Vdq, Wq",          X86_FEAT_AVX,   0, 0, 0, lift_vop_w,        "vpmovzxbw",       X86_IS_SSE, VOP_PMOVZXBW),
	X86("VEX.256 66 0F38 30 /r",    "Vqq, Wdq",         X86_FEAT_AVX2,  0, 0, 0, lift_vop_w,        "vpmovzxbw",       X86_IS_SSE, VOP_PMOVZXBW_256),
	X86("VEX.128 66 0F38 21 /r",    "Vdq, Wd",          X86_FEAT_AVX,   0, 0, 0, lift_vop_w,        "vpmovsxbd",       X86_IS_SSE, VOP_PMOVSXBD),
	X86("VEX.256 66 0F38 21 /r",    "Vqq, Wq",          X86_FEAT_AVX2,  0, 0, 0, lift_vop_w,        "vpmovsxbd",       X86_IS_SSE, VOP_PMOVSXBD_256),
	X86("VEX.128 66 0F38 31 /r",    "Vdq, Wd",          X86_FEAT_AVX,   0, 0, 0, lift_vop_w,        "vpmovzxbd",       X86_IS_SSE, VOP_PMOVZXBD),
	X86("VEX.256 66 0F38 31 /r",    "Vqq, Wq",          X86_FEAT_AVX2,  0, 0, 0, lift_vop_w,        "vpmovzxbd",       X86_IS_SSE, VOP_PMOVZXBD_256),
	X86("VEX.128 66 0F38 22 /r",    "Vdq, Ww",          X86_FEAT_AVX,   0, 0, 0, lift_vop_w,        "vpmovsxbq",       X86_IS_SSE, VOP_PMOVSXBQ),
	X86("VEX.256 66 0F38 22 /r",    "Vqq, Wd",          X86_FEAT_AVX2,  0, 0, 0, lift_vop_w,        "vpmovsxbq",       X86_IS_SSE, VOP_PMOVSXBQ_256),
	X86("VEX.128 66 0F38 32 /r",    "Vdq, Ww",          X86_FEAT_AVX,   0, 0, 0, lift_vop_w,        "vpmovzxbq",       X86_IS_SSE, VOP_PMOVZXBQ),
	X86("VEX.256 66 0F38 32 /r",    "Vqq, Wd",          X86_FEAT_AVX2,  0, 0, 0, lift_vop_w,        "vpmovzxbq",       X86_IS_SSE, VOP_PMOVZXBQ_256),
	X86("VEX.128 66 0F38 23 /r",    "Vdq, Wq",          X86_FEAT_AVX,   0, 0, 0, lift_vop_w,        "vpmovsxwd",       X86_IS_SSE, VOP_PMOVSXWD),
	X86("VEX.256 66 0F38 23 /r",    "Vqq, Wdq",         X86_FEAT_AVX2,  0, 0, 0, lift_vop_w,        "vpmovsxwd",       X86_IS_SSE, VOP_PMOVSXWD_256),
	X86("VEX.128 66 0F38 33 /r",    "Vdq, Wq",          X86_FEAT_AVX,   0, 0, 0, lift_vop_w,        "vpmovzxwd",       X86_IS_SSE, VOP_PMOVZXWD),
	X86("VEX.256 66 0F38 33 /r",    "Vqq, Wdq",         X86_FEAT_AVX2,  0, 0, 0, lift_vop_w,        "vpmovzxwd",       X86_IS_SSE, VOP_PMOVZXWD_256),
	X86("VEX.128 66 0F38 24 /r",    "Vdq, Wd",          X86_FEAT_AVX,   0, 0, 0, lift_vop_w,        "vpmovsxwq",       X86_IS_SSE, VOP_PMOVSXWQ),
	X86("VEX.256 66 0F38 24 /r",    "Vqq, Wq",          X86_FEAT_AVX2,  0, 0, 0, lift_vop_w,        "vpmovsxwq",       X86_IS_SSE, VOP_PMOVSXWQ_256),
	X86("VEX.128 66 0F38 34 /r",    "Vdq, Wd",          X86_FEAT_AVX,   0, 0, 0, lift_vop_w,        "vpmovzxwq",       X86_IS_SSE, VOP_PMOVZXWQ),
	X86("VEX.256 66 0F38 34 /r",    "Vqq, Wq",          X86_FEAT_AVX2,  0, 0, 0, lift_vop_w,        "vpmovzxwq",       X86_IS_SSE, VOP_PMOVZXWQ_256),
	X86("VEX.128 66 0F38 25 /r",    "Vdq, Wq",          X86_FEAT_AVX,   0, 0, 0, lift_vop_w,        "vpmovsxdq",       X86_IS_SSE, VOP_PMOVSXDQ),
	X86("VEX.256 66 0F38 25 /r",    "Vqq, Wdq",         X86_FEAT_AVX2,  0, 0, 0, lift_vop_w,        "vpmovsxdq",       X86_IS_SSE, VOP_PMOVSXDQ_256),
	X86("VEX.128 66 0F38 35 /r",    "Vdq, Wq",          X86_FEAT_AVX,   0, 0, 0, lift_vop_w,        "vpmovzxdq",       X86_IS_SSE, VOP_PMOVZXDQ),
	X86("VEX.256 66 0F38 35 /r",    "Vqq, Wdq",         X86_FEAT_AVX2,  0, 0, 0, lift_vop_w,        "vpmovzxdq",       X86_IS_SSE, VOP_PMOVZXDQ_256),
	X86("VEX.128 66 0F38 28 /r",    "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vpmuldq",         X86_IS_SSE, VOP_PMULDQ),
	X86("VEX.256 66 0F38 28 /r",    "Vx, Hx, Wx",       X86_FEAT_AVX2,  0, 0, 0, lift_vop_vw,       "vpmuldq",         X86_IS_SSE, VOP_PMULDQ),
	X86("VEX.128 66 0F38 29 /r",    "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vpcmpeqq",        X86_IS_SSE, VOP_PCMPEQQ),
	X86("VEX.256 66 0F38 29 /r",    "Vx, Hx, Wx",       X86_FEAT_AVX2,  0, 0, 0, lift_vop_vw,       "vpcmpeqq",        X86_IS_SSE, VOP_PCMPEQQ),
	X86("VEX.128 66 0F38 2B /r",    "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vpackusdw",       X86_IS_SSE, VOP_PACKUSDW),
	X86("VEX.256 66 0F38 2B /r",    "Vx, Hx, Wx",       X86_FEAT_AVX2,  0, 0, 0, lift_vop_vw,       "vpackusdw",       X86_IS_SSE, VOP_PACKUSDW),
	X86("VEX.128 66 0F38 38 /r",    "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vpminsb",         X86_IS_SSE, VOP_PMINSB),
	X86("VEX.256 66 0F38 38 /r",    "Vx, Hx, Wx",       X86_FEAT_AVX2,  0, 0, 0, lift_vop_vw,       "vpminsb",         X86_IS_SSE, VOP_PMINSB),
	X86("VEX.128 66 0F38 39 /r",    "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vpminsd",         X86_IS_SSE, VOP_PMINSD),
	X86("VEX.256 66 0F38 39 /r",    "Vx, Hx, Wx",       X86_FEAT_AVX2,  0, 0, 0, lift_vop_vw,       "vpminsd",         X86_IS_SSE, VOP_PMINSD),
	X86("VEX.128 66 0F38 3A /r",    "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vpminuw",         X86_IS_SSE, VOP_PMINUW),
	X86("VEX.256 66 0F38 3A /r",    "Vx, Hx, Wx",       X86_FEAT_AVX2,  0, 0, 0, lift_vop_vw,       "vpminuw",         X86_IS_SSE, VOP_PMINUW),
	X86("VEX.128 66 0F38 3B /r",    "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vpminud",         X86_IS_SSE, VOP_PMINUD),
	X86("VEX.256 66 0F38 3B /r",    "Vx, Hx, Wx",       X86_FEAT_AVX2,  0, 0, 0, lift_vop_vw,       "vpminud",         X86_IS_SSE, VOP_PMINUD),
	X86("VEX.128 66 0F38 3C /r",    "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vpmaxsb",         X86_IS_SSE, VOP_PMAXSB),
	X86("VEX.256 66 0F38 3C /r",    "Vx, Hx, Wx",       X86_FEAT_AVX2,  0, 0, 0, lift_vop_vw,       "vpmaxsb",         X86_IS_SSE, VOP_PMAXSB),
	X86("VEX.128 66 0F38 3D /r",    "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vpmaxsd",         X86_IS_SSE, VOP_PMAXSD),
	X86("VEX.256 66 0F38 3D /r",    "Vx, Hx, Wx",       X86_FEAT_AVX2,  0, 0, 0, lift_vop_vw,       "vpmaxsd",         X86_IS_SSE, VOP_PMAXSD),
	X86("VEX.128 66 0F38 3E /r",    "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vpmaxuw",         X86_IS_SSE, VOP_PMAXUW),
	X86("VEX.256 66 0F38 3E /r",    "Vx, Hx, Wx",       X86_FEAT_AVX2,  0, 0, 0, lift_vop_vw,       "vpmaxuw",         X86_IS_SSE, VOP_PMAXUW),
	X86("VEX.128 66 0F38 3F /r",    "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vpmaxud",         X86_IS_SSE, VOP_PMAXUD),
	X86("VEX.256 66 0F38 3F /r",    "Vx, Hx, Wx",       X86_FEAT_AVX2,  0, 0, 0, lift_vop_vw,       "vpmaxud",         X86_IS_SSE, VOP_PMAXUD),
	X86("VEX.128 66 0F38 40 /r",    "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vpmulld",         X86_IS_SSE, VOP_PMULLD),
	X86("VEX.256 66 0F38 40 /r",    "Vx, Hx, Wx",       X86_FEAT_AVX2,  0, 0, 0, lift_vop_vw,       "vpmulld",         X86_IS_SSE, VOP_PMULLD),
	X86("VEX.128 66 0F38 41 /r",    "Vdq, Wdq",         X86_FEAT_AVX,   0, 0, 0, lift_vop_w,        "vphminposuw",     X86_IS_SSE, VOP_PHMINPOSUW),
	X86("VEX.128 66 0F38 17 /r",    "Vdq, Wdq",         X86_FEAT_AVX,   0, X86_ARITH_FLAGS, 0, lift_vop_flags,    "vptest",          X86_IS_SSE, VOP_PTEST),
	X86("VEX.256 66 0F38 17 /r",    "Vqq, Wqq",         X86_FEAT_AVX,   0, X86_ARITH_FLAGS, 0, lift_vop_flags,    "vptest",          X86_IS_SSE, VOP_PTEST_256),
	X86("VEX.128 66 0F38 2A /r mem", "Vx, Mx",           X86_FEAT_AVX,   0, 0, 0, lift_vec_load,     "vmovntdqa",       X86_IS_SSE | X86_ALIGNED, 0),
	X86("VEX.256 66 0F38 2A /r mem", "Vx, Mx",           X86_FEAT_AVX2,  0, 0, 0, lift_vec_load,     "vmovntdqa",       X86_IS_SSE | X86_ALIGNED, 0),
	X86("VEX.128 66 0F3A 42 /r",    "Vx, Hx, Wx, Ib",   X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vmpsadbw",        X86_IS_SSE, VOP_MPSADBW),
	X86("VEX.256 66 0F3A 42 /r",    "Vx, Hx, Wx, Ib",   X86_FEAT_AVX2,  0, 0, 0, lift_vop_vw,       "vmpsadbw",        X86_IS_SSE, VOP_MPSADBW),
	X86("VEX.L* 66 0F3A 0C /r",     "Vx, Hx, Wx, Ib",   X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vblendps",        X86_IS_SSE, VOP_BLENDPS),
	X86("VEX.L* 66 0F3A 0D /r",     "Vx, Hx, Wx, Ib",   X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vblendpd",        X86_IS_SSE, VOP_BLENDPD),
	X86("VEX.128 66 0F3A 0E /r",    "Vx, Hx, Wx, Ib",   X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vpblendw",        X86_IS_SSE, VOP_PBLENDW),
	X86("VEX.256 66 0F3A 0E /r",    "Vx, Hx, Wx, Ib",   X86_FEAT_AVX2,  0, 0, 0, lift_vop_vw,       "vpblendw",        X86_IS_SSE, VOP_PBLENDW),
	X86("VEX.128 66 0F3A 14 /r",    "Mb_Rd, Vdq, Ib",   X86_FEAT_AVX,   0, 0, 0, lift_pextr,        "vpextrb",         X86_IS_SSE, VOP_PEXTRB),
	X86("VEX.128 66 0F3A 15 /r",    "Mw_Rd, Vdq, Ib",   X86_FEAT_AVX,   0, 0, 0, lift_pextr,        "vpextrw",         X86_IS_SSE, VOP_PEXTRW),
	X86("VEX.128 66 W0 0F3A 16 /r",    "Ed, Vdq, Ib",      X86_FEAT_AVX,   0, 0, 0, lift_pextr,        "vpextrd",         X86_IS_SSE, VOP_PEXTRD),
	X86("VEX.128 66 W1 0F3A 16 /r",    "Ey, Vdq, Ib",      X86_FEAT_AVX,   0, 0, 0, lift_pextr,        "vpextrq",         X86_IS_SSE | X86_ONLY64, VOP_PEXTRQ),
	X86("VEX.128 66 0F3A 17 /r",    "Ed, Vdq, Ib",      X86_FEAT_AVX,   0, 0, 0, lift_pextr,        "vextractps",      X86_IS_SSE, VOP_PEXTRD),
	X86("VEX.128 66 0F3A 20 /r",    "Vdq, Hdq, Mb_Rd, Ib", X86_FEAT_AVX,   0, 0, 0, lift_pinsr,        "vpinsrb",         X86_IS_SSE, VOP_PINSRB),
	X86("VEX.128 66 0F3A 21 /r",    "Vdq, Hdq, Wss, Ib", X86_FEAT_AVX,   0, 0, 0, lift_insertps,     "vinsertps",       X86_IS_SSE, VOP_INSERTPS),
	X86("VEX.128 66 W0 0F3A 22 /r",    "Vdq, Hdq, Ed, Ib", X86_FEAT_AVX,   0, 0, 0, lift_pinsr,        "vpinsrd",         X86_IS_SSE, VOP_PINSRD),
	X86("VEX.128 66 W1 0F3A 22 /r",    "Vdq, Hdq, Ey, Ib", X86_FEAT_AVX,   0, 0, 0, lift_pinsr,        "vpinsrq",         X86_IS_SSE | X86_ONLY64, VOP_PINSRQ),
	X86("VEX.L* 66 0F3A 08 /r",     "Vx, Wx, Ib",       X86_FEAT_AVX,   0, 0, 0, lift_vop_w,        "vroundps",        X86_IS_SSE | X86_FP_EXC, VOP_ROUNDPS),
	X86("VEX.L* 66 0F3A 09 /r",     "Vx, Wx, Ib",       X86_FEAT_AVX,   0, 0, 0, lift_vop_w,        "vroundpd",        X86_IS_SSE | X86_FP_EXC, VOP_ROUNDPD),
	X86("VEX.L* 66 0F3A 0A /r",     "Vdq, Hdq, Wss, Ib", X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vroundss",        X86_IS_SSE | X86_FP_EXC, VOP_ROUNDSS),
	X86("VEX.L* 66 0F3A 0B /r",     "Vdq, Hdq, Wsd, Ib", X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vroundsd",        X86_IS_SSE | X86_FP_EXC, VOP_ROUNDSD),
	X86("VEX.L* 66 0F3A 40 /r",     "Vx, Hx, Wx, Ib",   X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vdpps",           X86_IS_SSE | X86_FP_EXC, VOP_DPPS),
	X86("VEX.128 66 0F3A 41 /r",    "Vdq, Hdq, Wdq, Ib", X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vdppd",           X86_IS_SSE | X86_FP_EXC, VOP_DPPD),
	X86("VEX.128 66 0F38 37 /r",    "Vx, Hx, Wx",       X86_FEAT_AVX,   0, 0, 0, lift_vop_vw,       "vpcmpgtq",        X86_IS_SSE, VOP_PCMPGTQ),
	X86("VEX.256 66 0F38 37 /r",    "Vx, Hx, Wx",       X86_FEAT_AVX2,  0, 0, 0, lift_vop_vw,       "vpcmpgtq",        X86_IS_SSE, VOP_PCMPGTQ),
	X86("VEX.128 66 0F3A 60 /r",    "Vdq, Wdq, Ib",     X86_FEAT_AVX,   0, X86_ARITH_FLAGS, 0, lift_pcmpestr,     "vpcmpestrm",      X86_IS_SSE, VOP_PCMPESTRM),
	X86("VEX.128 66 0F3A 61 /r",    "Vdq, Wdq, Ib",     X86_FEAT_AVX,   0, X86_ARITH_FLAGS, 0, lift_pcmpestr,     "vpcmpestri",      X86_IS_SSE, VOP_PCMPESTRI),
	X86("VEX.128 66 0F3A 62 /r",    "Vdq, Wdq, Ib",     X86_FEAT_AVX,   0, X86_ARITH_FLAGS, 0, lift_pcmpistr,     "vpcmpistrm",      X86_IS_SSE, VOP_PCMPISTRM),
	X86("VEX.128 66 0F3A 63 /r",    "Vdq, Wdq, Ib",     X86_FEAT_AVX,   0, X86_ARITH_FLAGS, 0, lift_pcmpistr,     "vpcmpistri",      X86_IS_SSE, VOP_PCMPISTRI),
	X86("VEX.128 66 W0 0F3A 4C /r", "Vx, Hx, Wx, Lx",   X86_FEAT_AVX,   0, 0, 0, lift_vop_vwl,      "vpblendvb",       X86_IS_SSE, VOP_PBLENDVB),
	X86("VEX.256 66 W0 0F3A 4C /r", "Vx, Hx, Wx, Lx",   X86_FEAT_AVX2,  0, 0, 0, lift_vop_vwl,      "vpblendvb",       X86_IS_SSE, VOP_PBLENDVB),
	X86("VEX.L* 66 W0 0F3A 4A /r",  "Vx, Hx, Wx, Lx",   X86_FEAT_AVX,   0, 0, 0, lift_vop_vwl,      "vblendvps",       X86_IS_SSE, VOP_BLENDVPS),
	X86("VEX.L* 66 W0 0F3A 4B /r",  "Vx, Hx, Wx, Lx",   X86_FEAT_AVX,   0, 0, 0, lift_vop_vwl,      "vblendvpd",       X86_IS_SSE, VOP_BLENDVPD),
	X86_ROWS_END
};
/* clang-format on */
