/*
 * Data movement: MOV in its general forms, extension, exchange, conditional moves, byte swaps, LAHF
 * and SAHF, and the instructions that do nothing here (NOP, hints, prefetches, ENDBR). SDM vol. 2.
 * Moves of segment, control and debug registers belong to their families.
 */
#include "isa/x86/families.h"
#include "isa/x86/lift.h"

static void lift_mov(struct lift *l, const struct x86_insn *i)
{
	lift_write(l, i, 0, lift_read(l, i, 1));
}

static void lift_movzx(struct lift *l, const struct x86_insn *i)
{
	lift_write(l, i, 0, lift_read_zext(l, i, 1, ir_int_type(i->op[0].bytes)));
}

static void lift_movsx(struct lift *l, const struct x86_insn *i)
{
	lift_write(l, i, 0, lift_read_sext(l, i, 1, ir_int_type(i->op[0].bytes)));
}

static void lift_lea(struct lift *l, const struct x86_insn *i)
{
	lift_write(l, i, 0, ir_trunc(l->b, ir_int_type(i->op[0].bytes), lift_offset(l, i)));
}

/* With memory XCHG is atomic, LOCK prefix or not (SDM vol. 3, 9.1.2.1). */
static void lift_xchg(struct lift *l, const struct x86_insn *i)
{
	ir_ref v = lift_read(l, i, 1), old;

	if (i->op[0].kind == X86_OPND_MEM) {
		ir_ref addr = lift_linear(l, i, i->op[0].bytes, X86_WRITE);

		old = ir_atomic(l->b, IR_ATOMIC_XCHG, addr, v, IR_NONE, l->mmu,
				lift_mem_flags(i, i->op[0].bytes));
	} else {
		old = lift_read(l, i, 0);
		lift_write(l, i, 0, v);
	}
	lift_write(l, i, 1, old);
}

/* The source is read and a 32-bit destination zero-extended whatever the condition. */
static void lift_cmov(struct lift *l, const struct x86_insn *i)
{
	ir_ref v = lift_read(l, i, 1);
	ir_ref cond = lift_cond(l, i->cond);

	lift_write(l, i, 0, ir_select(l->b, cond, v, lift_read(l, i, 0)));
}

static void lift_setcc(struct lift *l, const struct x86_insn *i)
{
	lift_write(l, i, 0, lift_cond(l, i->cond));
}

/* With a 16-bit operand the result is undefined; processors give 0. */
static void lift_bswap(struct lift *l, const struct x86_insn *i)
{
	ir_ref v =
		i->opsize == 2 ? lift_imm(l, IR_I16, 0) : ir_un(l->b, IR_BSWAP, lift_read(l, i, 0));

	lift_write(l, i, 0, v);
}

static void lift_movbe(struct lift *l, const struct x86_insn *i)
{
	lift_write(l, i, 0, ir_un(l->b, IR_BSWAP, lift_read(l, i, 1)));
}

/* F2 there is CRC32; F3 is nothing. */
static void lift_movbe_f3(struct lift *l, const struct x86_insn *i)
{
	lift_fault(l, X86_FAULT_UD);
}

static void lift_xlat(struct lift *l, const struct x86_insn *i)
{
	ir_ref base = ir_zext(l->b, IR_I64, lift_gpr(l, X86_RBX, i->addrsize));
	ir_ref al = ir_zext(l->b, IR_I64, lift_gpr(l, X86_RAX, 1));
	ir_ref off = lift_wrap(l, ir_bin(l->b, IR_ADD, base, al), i->addrsize);
	ir_ref addr = lift_seg_linear(l, (enum x86_seg_index)i->seg, off, 1, X86_READ);

	lift_set_gpr(l, X86_RAX, ir_load(l->b, IR_I8, addr, l->mmu, lift_mem_flags(i, 1)));
}

/* CBW, CWDE, CDQE: the lower half of rAX sign-extended into all of it. */
static void lift_cbw(struct lift *l, const struct x86_insn *i)
{
	ir_ref half = lift_gpr(l, X86_RAX, i->opsize / 2);

	lift_set_gpr(l, X86_RAX, ir_sext(l->b, ir_int_type(i->opsize), half));
}

/* CWD, CDQ, CQO: the sign of rAX into all of rDX. */
static void lift_cwd(struct lift *l, const struct x86_insn *i)
{
	ir_ref v = lift_gpr(l, X86_RAX, i->opsize);

	lift_set_gpr(l, X86_RDX, ir_bin_imm(l->b, IR_SAR, v, i->opsize * 8u - 1));
}

static void lift_lahf(struct lift *l, const struct x86_insn *i)
{
	ir_ref f = ir_trunc(l->b, IR_I8, lift_packed_flags(l));

	(void)i;
	f = ir_bin_imm(l->b, IR_AND, f, X86_SF | X86_ZF | X86_AF | X86_PF | X86_CF);
	ir_put(l->b, X86_OFF_GPR(X86_RAX) + 1, ir_bin_imm(l->b, IR_OR, f, 2));
}

static void lift_sahf(struct lift *l, const struct x86_insn *i)
{
	ir_ref of = ir_bin_imm(l->b, IR_AND, lift_packed_flags(l), X86_OF);
	ir_ref ah = ir_zext(l->b, IR_I64, ir_get(l->b, IR_I8, X86_OFF_GPR(X86_RAX) + 1));

	(void)i;
	ah = ir_bin_imm(l->b, IR_AND, ah, X86_SF | X86_ZF | X86_AF | X86_PF | X86_CF);
	lift_set_packed_flags(l, ir_bin(l->b, IR_OR, of, ah));
}

static void lift_nop(struct lift *l, const struct x86_insn *i)
{
	(void)l;
	(void)i;
}

#define LAHF_FLAGS (X86_SF | X86_ZF | X86_AF | X86_PF | X86_CF)

/* clang-format off */
const struct x86_row x86_rows_move[] = {
	X86("88 /r", "Eb, Gb", X86_FEAT_BASE, 0, 0, 0, lift_mov, "mov"),
	X86("89 /r", "Ev, Gv", X86_FEAT_BASE, 0, 0, 0, lift_mov, "mov"),
	X86("NP 0F C3 /r mem", "My, Gy", X86_FEAT_SSE2, 0, 0, 0, lift_mov, "movnti"), /* no CR4.OSFXSR */
	X86("8A /r", "Gb, Eb", X86_FEAT_BASE, 0, 0, 0, lift_mov, "mov"),
	X86("8B /r", "Gv, Ev", X86_FEAT_BASE, 0, 0, 0, lift_mov, "mov"),
	X86("A0", "AL, Ob", X86_FEAT_BASE, 0, 0, 0, lift_mov, "mov"),
	X86("A1", "RAX_v, Ov", X86_FEAT_BASE, 0, 0, 0, lift_mov, "mov"),
	X86("A2", "Ob, AL", X86_FEAT_BASE, 0, 0, 0, lift_mov, "mov"),
	X86("A3", "Ov, RAX_v", X86_FEAT_BASE, 0, 0, 0, lift_mov, "mov"),
	X86("B0+r", "Zb, Ib", X86_FEAT_BASE, 0, 0, 0, lift_mov, "mov"),
	X86("B8+r", "Zv, Iv", X86_FEAT_BASE, 0, 0, 0, lift_mov, "mov"),
	X86("C6 /0", "Eb, Ib", X86_FEAT_BASE, 0, 0, 0, lift_mov, "mov"),
	X86("C7 /0", "Ev, Iz", X86_FEAT_BASE, 0, 0, 0, lift_mov, "mov"),

	X86("0F B6 /r", "Gv, Eb", X86_FEAT_BASE, 0, 0, 0, lift_movzx, "movzx"),
	X86("0F B7 /r", "Gv, Ew", X86_FEAT_BASE, 0, 0, 0, lift_movzx, "movzx"),
	X86("0F BE /r", "Gv, Eb", X86_FEAT_BASE, 0, 0, 0, lift_movsx, "movsx"),
	X86("0F BF /r", "Gv, Ew", X86_FEAT_BASE, 0, 0, 0, lift_movsx, "movsx"),
	X86("63 /r", "Gv, Ez", X86_FEAT_BASE, 0, 0, 0, lift_movsx, "movsxd", X86_ONLY64),

	X86("8D /r", "Gv, M", X86_FEAT_BASE, 0, 0, 0, lift_lea, "lea"),
	X86("86 /r", "Eb, Gb", X86_FEAT_BASE, 0, 0, 0, lift_xchg, "xchg", X86_LOCKABLE),
	X86("87 /r", "Ev, Gv", X86_FEAT_BASE, 0, 0, 0, lift_xchg, "xchg", X86_LOCKABLE),
	X86("90+r", "Zv, RAX_v", X86_FEAT_BASE, 0, 0, 0, lift_xchg, "xchg"),
	X86("0F 40+c /r", "Gv, Ev", X86_FEAT_CMOV, X86_ARITH_FLAGS, 0, 0, lift_cmov, "cmov%c"),
	X86("0F 90+c /r", "Eb", X86_FEAT_BASE, X86_ARITH_FLAGS, 0, 0, lift_setcc, "set%c"),
	X86("0F C8+r", "Zv", X86_FEAT_BASE, 0, 0, 0, lift_bswap, "bswap"),
	X86("0F38 F0 /r", "Gv, Mv", X86_FEAT_MOVBE, 0, 0, 0, lift_movbe, "movbe"),
	X86("0F38 F1 /r", "Mv, Gv", X86_FEAT_MOVBE, 0, 0, 0, lift_movbe, "movbe"),
	X86("F3 0F38 F0 /r", "Gv, Ev", X86_FEAT_MOVBE, 0, 0, 0, lift_movbe_f3, "ud", X86_ENDS),
	X86("F3 0F38 F1 /r", "Ev, Gv", X86_FEAT_MOVBE, 0, 0, 0, lift_movbe_f3, "ud", X86_ENDS),
	X86("D7", "", X86_FEAT_BASE, 0, 0, 0, lift_xlat, "xlatb"),
	X86("98", "", X86_FEAT_BASE, 0, 0, 0, lift_cbw, "cbw|cwde|cdqe"),
	X86("99", "", X86_FEAT_BASE, 0, 0, 0, lift_cwd, "cwd|cdq|cqo"),
	X86("9F", "", X86_FEAT_BASE, LAHF_FLAGS, 0, 0, lift_lahf, "lahf", X86_NO64),
	X86("9F", "", X86_FEAT_LAHF, LAHF_FLAGS, 0, 0, lift_lahf, "lahf", X86_ONLY64),
	X86("9E", "", X86_FEAT_BASE, 0, LAHF_FLAGS, 0, lift_sahf, "sahf", X86_NO64),
	X86("9E", "", X86_FEAT_LAHF, 0, LAHF_FLAGS, 0, lift_sahf, "sahf", X86_ONLY64),

	X86("90", "", X86_FEAT_BASE, 0, 0, 0, lift_nop, "nop"),
	X86("0F 0D /r", "Eb", X86_FEAT_BASE, 0, 0, 0, lift_nop, "prefetchw", X86_RESERVED_NOP),
	X86("0F 18 /0 mem", "Mb", X86_FEAT_BASE, 0, 0, 0, lift_nop, "prefetchnta"),
	X86("0F 18 /1 mem", "Mb", X86_FEAT_BASE, 0, 0, 0, lift_nop, "prefetcht0"),
	X86("0F 18 /2 mem", "Mb", X86_FEAT_BASE, 0, 0, 0, lift_nop, "prefetcht1"),
	X86("0F 18 /3 mem", "Mb", X86_FEAT_BASE, 0, 0, 0, lift_nop, "prefetcht2"),
	X86("0F 18 /r", "Ev", X86_FEAT_BASE, 0, 0, 0, lift_nop, "nop", X86_RESERVED_NOP),
	X86("0F 19 /r", "Ev", X86_FEAT_BASE, 0, 0, 0, lift_nop, "nop", X86_RESERVED_NOP),
	X86("0F 1A /r", "Ev", X86_FEAT_BASE, 0, 0, 0, lift_nop, "nop", X86_RESERVED_NOP),
	X86("0F 1B /r", "Ev", X86_FEAT_BASE, 0, 0, 0, lift_nop, "nop", X86_RESERVED_NOP),
	X86("0F 1C /r", "Ev", X86_FEAT_BASE, 0, 0, 0, lift_nop, "nop", X86_RESERVED_NOP),
	X86("0F 1D /r", "Ev", X86_FEAT_BASE, 0, 0, 0, lift_nop, "nop", X86_RESERVED_NOP),
	X86("0F 1E /r", "Ev", X86_FEAT_BASE, 0, 0, 0, lift_nop, "nop", X86_RESERVED_NOP),
	X86("F3 0F 1E FA", "", X86_FEAT_BASE, 0, 0, 0, lift_nop, "endbr64"),
	X86("F3 0F 1E FB", "", X86_FEAT_BASE, 0, 0, 0, lift_nop, "endbr32"),
	X86("0F 1F /r", "Ev", X86_FEAT_BASE, 0, 0, 0, lift_nop, "nop"),
	X86_ROWS_END,
};
