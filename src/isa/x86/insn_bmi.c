/*
 * Bit manipulation on general registers: LZCNT, BMI1 and BMI2 (SDM vol. 2; AMD APM vol. 3). But for
 * LZCNT and TZCNT, which are BSR and BSF where the model lacks them, all are VEX-encoded; without
 * vector registers they need neither CR4.OSXSAVE nor XCR0. Outside 64-bit code the operand size is
 * 32 whatever the code segment and VEX.W say.
 */
#include "isa/x86/families.h"
#include "isa/x86/lift.h"

enum { ZF_BIT = 6, START_MASK = 0xff };

/* SF and ZF of result r, OF clear and CF the i8 cf. */
static void bmi_flags(struct lift *l, ir_ref r, ir_ref cf)
{
	struct ir_block *b = l->b;
	ir_ref f = ir_make_flags(b, IR_FLAGS_LOGIC, ir_type_of(b, r), r, IR_NONE, IR_NONE);

	f = ir_bin(b, IR_OR, ir_pack_flags(b, f), ir_zext(b, IR_I64, cf));
	lift_set_packed_flags(l, f);
}

static ir_ref is_zero(struct lift *l, ir_ref v)
{
	return ir_cmp(l->b, IR_EQ, v, lift_imm(l, ir_type_of(l->b, v), 0));
}

/* arg: IR_CTZ or IR_CLZ. */
static void lift_count(struct lift *l, const struct x86_insn *i)
{
	struct ir_block *b = l->b;
	ir_ref src = lift_read(l, i, 1), r = ir_un(b, (enum ir_op)i->row->arg, src);
	ir_ref cf = ir_zext(b, IR_I64, is_zero(l, src)), zf = ir_zext(b, IR_I64, is_zero(l, r));

	lift_write(l, i, 0, r);
	lift_set_packed_flags(l, ir_bin(b, IR_OR, cf, ir_bin_imm(b, IR_SHL, zf, ZF_BIT)));
}

static void lift_andn(struct lift *l, const struct x86_insn *i)
{
	ir_ref y = lift_read(l, i, 2), x = lift_read(l, i, 1);
	ir_ref r = ir_bin(l->b, IR_AND, ir_un(l->b, IR_NOT, x), y);

	lift_write(l, i, 0, r);
	lift_flags(l, IR_FLAGS_LOGIC, ir_type_of(l->b, r), r, IR_NONE, IR_NONE);
}

enum { LOWEST_RESET, LOWEST_MASK, LOWEST_ISOLATE };

/* BLSR, BLSMSK, BLSI: what v - 1 or -v has to do with v. CF: v is zero; for BLSI: it is not. */
static void lift_lowest(struct lift *l, const struct x86_insn *i)
{
	struct ir_block *b = l->b;
	ir_ref v = lift_read(l, i, 1), cf = is_zero(l, v), r;

	if (i->row->arg == LOWEST_ISOLATE) {
		r = ir_bin(b, IR_AND, v, ir_un(b, IR_NEG, v));
		cf = ir_bin_imm(b, IR_XOR, cf, 1);
	} else {
		r = ir_bin_imm(b, IR_ADD, v, ~0ull);
		r = ir_bin(b, i->row->arg == LOWEST_RESET ? IR_AND : IR_XOR, v, r);
	}
	lift_write(l, i, 0, r);
	bmi_flags(l, r, cf);
}

/* The low n bits set, n being i64 and any number: all of them from 64 on. */
static ir_ref low_mask(struct lift *l, ir_ref n)
{
	struct ir_block *b = l->b;
	ir_ref one = ir_bin(b, IR_SHL, lift_imm(l, IR_I64, 1), n);
	ir_ref fits = ir_cmp(b, IR_LTU, n, lift_imm(l, IR_I64, 64));

	return ir_select(b, fits, ir_bin_imm(b, IR_ADD, one, ~0ull), lift_imm(l, IR_I64, ~0ull));
}

/* Bits 7-0 of the control say where the field starts, bits 15-8 how long it is. */
static void lift_bextr(struct lift *l, const struct x86_insn *i)
{
	struct ir_block *b = l->b;
	ir_ref v = lift_read(l, i, 1), ctl = lift_read_zext(l, i, 2, IR_I64), start, len, r;
	enum ir_type t = ir_type_of(b, v);

	start = ir_bin_imm(b, IR_AND, ctl, START_MASK);
	len = ir_bin_imm(b, IR_AND, ir_bin_imm(b, IR_SHR, ctl, 8), 0xff);
	r = ir_select(b, ir_cmp(b, IR_LTU, start, lift_imm(l, IR_I64, 64)),
		      ir_bin(b, IR_SHR, ir_zext(b, IR_I64, v), start), lift_imm(l, IR_I64, 0));
	r = ir_trunc(b, t, ir_bin(b, IR_AND, r, low_mask(l, len)));
	lift_write(l, i, 0, r);
	lift_flags(l, IR_FLAGS_LOGIC, t, r, IR_NONE, IR_NONE);
}

static void lift_bzhi(struct lift *l, const struct x86_insn *i)
{
	struct ir_block *b = l->b;
	ir_ref v = lift_read(l, i, 1), n, r, cf;
	enum ir_type t = ir_type_of(b, v);

	n = ir_bin_imm(b, IR_AND, lift_read_zext(l, i, 2, IR_I64), START_MASK);
	cf = ir_cmp(b, IR_LTU, lift_imm(l, IR_I64, ir_type_bits(t) - 1), n);
	r = ir_bin(b, IR_AND, v, ir_trunc(b, t, low_mask(l, n)));
	lift_write(l, i, 0, r);
	bmi_flags(l, r, cf);
}

/* Both halves of rDX * source; the high one stays if both go to one register. */
static void lift_mulx(struct lift *l, const struct x86_insn *i)
{
	struct ir_block *b = l->b;
	ir_ref y = lift_read(l, i, 2), x = lift_gpr(l, X86_RDX, i->op[2].bytes), low, high;

	low = ir_bin(b, IR_MUL, x, y);
	high = ir_bin(b, IR_MULHU, x, y);
	lift_write(l, i, 1, low);
	lift_write(l, i, 0, high);
}

/* arg: VOP_PDEP or VOP_PEXT. Zero-extended operands give a zero-extended result. */
static void lift_deposit(struct lift *l, const struct x86_insn *i)
{
	ir_ref mask = lift_read_zext(l, i, 2, IR_I64), v = lift_read_zext(l, i, 1, IR_I64);
	ir_ref r = ir_vop(l->b, i->row->arg, 0, v, mask, IR_NONE);

	lift_write(l, i, 0, ir_trunc(l->b, ir_int_type(i->op[0].bytes), r));
}

/* RORX, SARX, SHLX, SHRX; arg: the IR operation, whose count is modulo the width too. */
static void lift_shift_x(struct lift *l, const struct x86_insn *i)
{
	ir_ref v = lift_read(l, i, 1);
	enum ir_type t = ir_type_of(l->b, v);
	ir_ref n = i->op[2].kind == X86_OPND_IMM ? lift_imm(l, t, (uint64_t)i->imm)
						 : lift_read(l, i, 2);

	lift_write(l, i, 0, ir_bin(l->b, (enum ir_op)i->row->arg, v, n));
}

#define COUNT	    (X86_CF | X86_ZF)
#define COUNT_UNDEF (X86_OF | X86_SF | X86_PF | X86_AF)
#define LOGIC	    (X86_CF | X86_OF | X86_SF | X86_ZF)
#define LOGIC_UNDEF (X86_PF | X86_AF)
#define BITS	    (X86_CF | X86_OF | X86_ZF)
#define BITS_UNDEF  (X86_SF | X86_PF | X86_AF)
#define LZ	    X86_FEAT_LZCNT
#define BMI1	    X86_FEAT_BMI1
#define BMI2	    X86_FEAT_BMI2

/* clang-format off */
const struct x86_row x86_rows_bmi[] = {
	X86("F3 0F BC /r",            "Gv,Ev",    BMI1, 0, COUNT, COUNT_UNDEF, lift_count,  "tzcnt",  0, IR_CTZ),
	X86("F3 0F BD /r",            "Gv,Ev",    LZ,   0, COUNT, COUNT_UNDEF, lift_count,  "lzcnt",  0, IR_CLZ),
	X86("VEX.128 NP 0F38 F2 /r",  "Gy,By,Ey", BMI1, 0, LOGIC, LOGIC_UNDEF, lift_andn,   "andn",   0, 0),
	X86("VEX.128 NP 0F38 F3 /1",  "By,Ey",    BMI1, 0, LOGIC, LOGIC_UNDEF, lift_lowest, "blsr",   0, LOWEST_RESET),
	X86("VEX.128 NP 0F38 F3 /2",  "By,Ey",    BMI1, 0, LOGIC, LOGIC_UNDEF, lift_lowest, "blsmsk", 0, LOWEST_MASK),
	X86("VEX.128 NP 0F38 F3 /3",  "By,Ey",    BMI1, 0, LOGIC, LOGIC_UNDEF, lift_lowest, "blsi",   0, LOWEST_ISOLATE),
	X86("VEX.128 NP 0F38 F7 /r",  "Gy,Ey,By", BMI1, 0, BITS,  BITS_UNDEF, lift_bextr,  "bextr",  0, 0),
	X86("VEX.128 NP 0F38 F5 /r",  "Gy,Ey,By", BMI2, 0, LOGIC, LOGIC_UNDEF, lift_bzhi,   "bzhi",   0, 0),
	X86("VEX.128 F2 0F38 F6 /r",  "Gy,By,Ey", BMI2, 0, 0, 0, lift_mulx,    "mulx", 0, 0),
	X86("VEX.128 F2 0F38 F5 /r",  "Gy,By,Ey", BMI2, 0, 0, 0, lift_deposit, "pdep", 0, VOP_PDEP),
	X86("VEX.128 F3 0F38 F5 /r",  "Gy,By,Ey", BMI2, 0, 0, 0, lift_deposit, "pext", 0, VOP_PEXT),
	X86("VEX.128 F2 0F3A F0 /r",  "Gy,Ey,Ib", BMI2, 0, 0, 0, lift_shift_x, "rorx", 0, IR_ROR),
	X86("VEX.128 F3 0F38 F7 /r",  "Gy,Ey,By", BMI2, 0, 0, 0, lift_shift_x, "sarx", 0, IR_SAR),
	X86("VEX.128 66 0F38 F7 /r",  "Gy,Ey,By", BMI2, 0, 0, 0, lift_shift_x, "shlx", 0, IR_SHL),
	X86("VEX.128 F2 0F38 F7 /r",  "Gy,Ey,By", BMI2, 0, 0, 0, lift_shift_x, "shrx", 0, IR_SHR),
	X86_ROWS_END,
};
/* clang-format on */
