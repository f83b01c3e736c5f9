/*
 * BT BTS BTR BTC, BSF BSR, POPCNT. SDM vol. 2.
 *
 * With a register bit number and a memory operand the number is a signed bit-string index: it moves
 * the address. BSF and BSR of zero leave the whole destination register alone, as AMD documents and
 * Intel does. F3 0F BC/BD is TZCNT and LZCNT where the model has them (insn_bmi.c), BSF and BSR
 * where not.
 */
#include "isa/x86/families.h"
#include "isa/x86/lift.h"
#include "isa/x86/mmu.h"

enum { BIT_TEST, BIT_SET, BIT_RESET, BIT_COMPLEMENT };

struct bit_operand {
	struct lift_rmw m;
	ir_ref bit; /* number within the operand, of the operand's type */
	bool memory;
};

static unsigned bit_mem_flags(const struct x86_insn *i, unsigned op)
{
	return lift_mem_flags(i, i->op[0].bytes) | (op == BIT_TEST ? 0 : X86_MEM_RMW);
}

/* Linear address of the operand-sized word that holds bit src of the string at the operand. */
static ir_ref bit_string_addr(struct lift *l, const struct x86_insn *i, ir_ref src, unsigned bytes,
			      unsigned op)
{
	struct ir_block *b = l->b;
	unsigned log2_bits = ir_type_log2(ir_int_type(bytes)) + 3;
	ir_ref off = ir_bin_imm(b, IR_SAR, ir_sext(b, IR_I64, src), log2_bits);

	off = ir_bin_imm(b, IR_SHL, off, log2_bits - 3);
	off = lift_wrap(l, ir_bin(b, IR_ADD, off, lift_offset(l, i)), i->addrsize);
	return lift_seg_linear(l, (enum x86_seg_index)i->seg, off, bytes,
			       op == BIT_TEST ? X86_READ : X86_WRITE);
}

static struct bit_operand bit_begin(struct lift *l, const struct x86_insn *i, unsigned op)
{
	unsigned bytes = i->op[0].bytes;
	enum ir_type t = ir_int_type(bytes);
	struct bit_operand o = {.memory = i->op[0].kind == X86_OPND_MEM};
	bool imm = i->op[1].kind == X86_OPND_IMM;
	ir_ref src = imm ? lift_imm(l, t, (uint64_t)i->imm) : lift_read(l, i, 1);

	o.bit = ir_bin_imm(l->b, IR_AND, src, bytes * 8 - 1);
	o.m.addr = IR_NONE;
	if (!o.memory) {
		o.m.old = lift_read(l, i, 0);
		return o;
	}
	if (imm)
		o.m.addr = lift_linear(l, i, bytes, op == BIT_TEST ? X86_READ : X86_WRITE);
	else
		o.m.addr = bit_string_addr(l, i, src, bytes, op);
	if (!i->lock)
		o.m.old = ir_load(l->b, t, o.m.addr, l->mmu, bit_mem_flags(i, op));
	return o;
}

static ir_ref bit_modify(struct lift *l, unsigned op, ir_ref v, ir_ref mask)
{
	switch (op) {
	case BIT_SET:
		return ir_bin(l->b, IR_OR, v, mask);
	case BIT_RESET:
		return ir_bin(l->b, IR_AND, v, ir_un(l->b, IR_NOT, mask));
	default:
		return ir_bin(l->b, IR_XOR, v, mask);
	}
}

static ir_ref bit_modify_locked(struct lift *l, unsigned op, ir_ref addr, ir_ref mask,
				unsigned flags)
{
	enum ir_op atomic = op == BIT_SET     ? IR_ATOMIC_OR
			    : op == BIT_RESET ? IR_ATOMIC_AND
					      : IR_ATOMIC_XOR;

	if (op == BIT_RESET)
		mask = ir_un(l->b, IR_NOT, mask);
	return ir_atomic(l->b, atomic, addr, mask, IR_NONE, l->mmu, flags);
}

static void lift_bit_test(struct lift *l, const struct x86_insn *i)
{
	unsigned op = i->row->arg;
	struct bit_operand o = bit_begin(l, i, op);
	enum ir_type t = ir_type_of(l->b, o.bit);
	ir_ref mask = ir_bin(l->b, IR_SHL, lift_imm(l, t, 1), o.bit), cf, packed;

	if (i->lock)
		o.m.old =
			bit_modify_locked(l, op, o.m.addr, mask, lift_mem_flags(i, i->op[0].bytes));
	else if (op != BIT_TEST && o.memory)
		ir_store(l->b, o.m.addr, bit_modify(l, op, o.m.old, mask), l->mmu,
			 bit_mem_flags(i, op));
	else if (op != BIT_TEST)
		lift_write(l, i, 0, bit_modify(l, op, o.m.old, mask));

	cf = ir_bin_imm(l->b, IR_AND, ir_bin(l->b, IR_SHR, o.m.old, o.bit), 1);
	packed = ir_bin_imm(l->b, IR_AND, lift_packed_flags(l), ~(uint64_t)X86_CF);
	lift_set_packed_flags(l, ir_bin(l->b, IR_OR, packed, ir_zext(l->b, IR_I64, cf)));
}

/* arg: IR_CTZ for BSF, IR_CLZ for BSR. */
static void lift_bit_scan(struct lift *l, const struct x86_insn *i)
{
	struct ir_block *b = l->b;
	ir_ref src = lift_read(l, i, 1), r = ir_un(b, (enum ir_op)i->row->arg, src), zero;
	enum ir_type t = ir_type_of(b, src);

	if (i->row->arg == IR_CLZ)
		r = ir_bin_imm(b, IR_XOR, r, ir_type_bits(t) - 1);
	zero = ir_cmp(b, IR_EQ, src, lift_imm(l, t, 0));
	if (t == IR_I32)
		r = ir_zext(b, IR_I64, r);
	r = ir_select(b, zero, lift_gpr(l, i->op[0].reg, ir_type_bytes(ir_type_of(b, r))), r);
	lift_set_gpr(l, i->op[0].reg, r);
	lift_flags(l, IR_FLAGS_LOGIC, t, src, IR_NONE, IR_NONE);
}

static void lift_popcnt(struct lift *l, const struct x86_insn *i)
{
	struct ir_block *b = l->b;
	ir_ref src = lift_read(l, i, 1), zero;

	zero = ir_cmp(b, IR_EQ, src, lift_imm(l, ir_type_of(b, src), 0));
	lift_write(l, i, 0, ir_un(b, IR_POPCNT, src));
	lift_set_packed_flags(l, ir_bin_imm(b, IR_SHL, ir_zext(b, IR_I64, zero), 6));
}

#define BT_UNDEF (X86_OF | X86_SF | X86_AF | X86_PF)
#define BS_UNDEF (X86_CF | X86_OF | X86_SF | X86_AF | X86_PF)
#define ALL	 X86_ARITH_FLAGS

/* clang-format off */
const struct x86_row x86_rows_bit[] = {
	X86("0F A3 /r", "Ev,Gv", X86_FEAT_BASE, 0, X86_CF, BT_UNDEF, lift_bit_test, "bt", 0, BIT_TEST),
	X86("0F AB /r", "Ev,Gv", X86_FEAT_BASE, 0, X86_CF, BT_UNDEF, lift_bit_test, "bts", X86_LOCKABLE, BIT_SET),
	X86("0F B3 /r", "Ev,Gv", X86_FEAT_BASE, 0, X86_CF, BT_UNDEF, lift_bit_test, "btr", X86_LOCKABLE, BIT_RESET),
	X86("0F BB /r", "Ev,Gv", X86_FEAT_BASE, 0, X86_CF, BT_UNDEF, lift_bit_test, "btc", X86_LOCKABLE, BIT_COMPLEMENT),
	X86("0F BA /4", "Ev,Ib", X86_FEAT_BASE, 0, X86_CF, BT_UNDEF, lift_bit_test, "bt", 0, BIT_TEST),
	X86("0F BA /5", "Ev,Ib", X86_FEAT_BASE, 0, X86_CF, BT_UNDEF, lift_bit_test, "bts", X86_LOCKABLE, BIT_SET),
	X86("0F BA /6", "Ev,Ib", X86_FEAT_BASE, 0, X86_CF, BT_UNDEF, lift_bit_test, "btr", X86_LOCKABLE, BIT_RESET),
	X86("0F BA /7", "Ev,Ib", X86_FEAT_BASE, 0, X86_CF, BT_UNDEF, lift_bit_test, "btc", X86_LOCKABLE, BIT_COMPLEMENT),
	X86("0F BC /r", "Gv,Ev", X86_FEAT_BASE, 0, X86_ZF, BS_UNDEF, lift_bit_scan, "bsf", 0, IR_CTZ),
	X86("0F BD /r", "Gv,Ev", X86_FEAT_BASE, 0, X86_ZF, BS_UNDEF, lift_bit_scan, "bsr", 0, IR_CLZ),
	X86("F3 0F B8 /r", "Gv,Ev", X86_FEAT_POPCNT, 0, ALL, 0, lift_popcnt, "popcnt", 0, 0),
	X86_ROWS_END,
};
/* clang-format on */
