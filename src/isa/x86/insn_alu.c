/*
 * Integer addition, subtraction, comparison and logic, in all their forms. SDM vol. 2.
 * Locked forms use the atomics of the IR; NEG, ADC and SBB go through the locked_rmw helper.
 */
#include "isa/x86/families.h"
#include "isa/x86/lift.h"
#include "isa/x86/lift_helpers.h"

/* row->arg; the order is that of the opcodes */
enum alu { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP };

static const struct {
	enum ir_op op;
	enum ir_flags_kind flags;
	bool carry, logic;
} alus[] = {
	[ALU_ADD] = {IR_ADD, IR_FLAGS_ADD, false, false},
	[ALU_OR] = {IR_OR, IR_FLAGS_LOGIC, false, true},
	[ALU_ADC] = {IR_ADD, IR_FLAGS_ADC, true, false},
	[ALU_SBB] = {IR_SUB, IR_FLAGS_SBB, true, false},
	[ALU_AND] = {IR_AND, IR_FLAGS_LOGIC, false, true},
	[ALU_SUB] = {IR_SUB, IR_FLAGS_SUB, false, false},
	[ALU_XOR] = {IR_XOR, IR_FLAGS_LOGIC, false, true},
	[ALU_CMP] = {IR_SUB, IR_FLAGS_SUB, false, false},
};

static enum ir_type operand_type(const struct x86_insn *i)
{
	return ir_int_type(i->op[0].bytes);
}

static ir_ref alu_result(struct lift *l, enum alu k, ir_ref a, ir_ref b, ir_ref carry)
{
	ir_ref r = ir_bin(l->b, alus[k].op, a, b);

	return alus[k].carry ? ir_bin(l->b, alus[k].op, r, carry) : r;
}

static void alu_flags(struct lift *l, enum alu k, enum ir_type t, ir_ref a, ir_ref b, ir_ref carry,
		      ir_ref result)
{
	if (alus[k].logic)
		lift_flags(l, IR_FLAGS_LOGIC, t, result, IR_NONE, IR_NONE);
	else
		lift_flags(l, alus[k].flags, t, a, b, carry);
}

/* The old value of memory, after a helper replaced it atomically. */
static ir_ref locked_helper(struct lift *l, const struct x86_insn *i, enum lift_locked kind,
			    ir_ref addr, ir_ref v)
{
	unsigned bytes = i->op[0].bytes;
	ir_ref what = lift_imm(l, IR_I64,
			       (uint64_t)kind | (uint64_t)bytes << 8 | (uint64_t)l->mmu << 16 |
				       (uint64_t)lift_mem_flags(i, bytes) << 24);
	ir_ref old = lift_call(l, &x86_helpers_lift[LIFT_HELPER_LOCKED_RMW], addr,
			       ir_zext(l->b, IR_I64, v), what);

	return ir_trunc(l->b, operand_type(i), old);
}

/* Memory plus b, atomically: ADD and, with b negated, SUB; ADC and SBB with the carry in b. */
static ir_ref alu_locked_old(struct lift *l, const struct x86_insn *i, enum alu k, ir_ref addr,
			     ir_ref b, ir_ref carry)
{
	unsigned flags = lift_mem_flags(i, i->op[0].bytes);

	switch (k) {
	case ALU_OR:
		return ir_atomic(l->b, IR_ATOMIC_OR, addr, b, IR_NONE, l->mmu, flags);
	case ALU_AND:
		return ir_atomic(l->b, IR_ATOMIC_AND, addr, b, IR_NONE, l->mmu, flags);
	case ALU_XOR:
		return ir_atomic(l->b, IR_ATOMIC_XOR, addr, b, IR_NONE, l->mmu, flags);
	case ALU_ADC:
		b = ir_bin(l->b, IR_ADD, b, carry);
		break;
	case ALU_SBB:
		b = ir_un(l->b, IR_NEG, ir_bin(l->b, IR_ADD, b, carry));
		break;
	case ALU_SUB:
		b = ir_un(l->b, IR_NEG, b);
		break;
	default:
		break;
	}
	return ir_atomic(l->b, IR_ATOMIC_ADD, addr, b, IR_NONE, l->mmu, flags);
}

static void lift_alu(struct lift *l, const struct x86_insn *i)
{
	enum alu k = (enum alu)i->row->arg;
	enum ir_type t = operand_type(i);
	ir_ref b = lift_read(l, i, 1);
	ir_ref carry = alus[k].carry ? lift_carry(l, t) : IR_NONE;
	ir_ref a, result;

	if (i->lock) {
		a = alu_locked_old(l, i, k, lift_linear(l, i, i->op[0].bytes, X86_WRITE), b, carry);
		result = alu_result(l, k, a, b, carry);
	} else {
		struct lift_rmw m = lift_rmw_begin(l, i, 0);

		a = m.old;
		result = alu_result(l, k, a, b, carry);
		lift_rmw_end(l, i, 0, m, result);
	}
	alu_flags(l, k, t, a, b, carry, result);
}

static void lift_cmp(struct lift *l, const struct x86_insn *i)
{
	ir_ref a = lift_read(l, i, 0), b = lift_read(l, i, 1);

	lift_flags(l, IR_FLAGS_SUB, operand_type(i), a, b, IR_NONE);
}

static void lift_test(struct lift *l, const struct x86_insn *i)
{
	ir_ref a = lift_read(l, i, 0), b = lift_read(l, i, 1);

	lift_flags(l, IR_FLAGS_LOGIC, operand_type(i), ir_bin(l->b, IR_AND, a, b), IR_NONE,
		   IR_NONE);
}

/* INC and DEC: row->arg is 1 or -1; CF is kept. */
static void lift_inc(struct lift *l, const struct x86_insn *i)
{
	enum ir_type t = operand_type(i);
	bool inc = i->row->arg == 1;
	ir_ref one = lift_imm(l, t, (uint64_t)(int64_t)(int32_t)i->row->arg);
	ir_ref old, carry = lift_carry(l, t);

	if (i->lock) {
		ir_ref addr = lift_linear(l, i, i->op[0].bytes, X86_WRITE);

		old = ir_atomic(l->b, IR_ATOMIC_ADD, addr, one, IR_NONE, l->mmu,
				lift_mem_flags(i, i->op[0].bytes));
	} else {
		struct lift_rmw m = lift_rmw_begin(l, i, 0);

		old = m.old;
		lift_rmw_end(l, i, 0, m, ir_bin(l->b, IR_ADD, old, one));
	}
	lift_flags(l, inc ? IR_FLAGS_INC : IR_FLAGS_DEC, t, old, IR_NONE, carry);
}

static void lift_neg(struct lift *l, const struct x86_insn *i)
{
	enum ir_type t = operand_type(i);
	ir_ref zero = lift_imm(l, t, 0), old;

	if (i->lock) {
		ir_ref addr = lift_linear(l, i, i->op[0].bytes, X86_WRITE);

		old = locked_helper(l, i, LIFT_LOCKED_NEG, addr, zero);
	} else {
		struct lift_rmw m = lift_rmw_begin(l, i, 0);

		old = m.old;
		lift_rmw_end(l, i, 0, m, ir_un(l->b, IR_NEG, old));
	}
	lift_flags(l, IR_FLAGS_SUB, t, zero, old, IR_NONE);
}

static void lift_not(struct lift *l, const struct x86_insn *i)
{
	struct lift_rmw m;

	if (i->lock) {
		ir_ref addr = lift_linear(l, i, i->op[0].bytes, X86_WRITE);

		ir_atomic(l->b, IR_ATOMIC_XOR, addr, lift_imm(l, operand_type(i), ~0ull), IR_NONE,
			  l->mmu, lift_mem_flags(i, i->op[0].bytes));
		return;
	}
	m = lift_rmw_begin(l, i, 0);
	lift_rmw_end(l, i, 0, m, ir_un(l->b, IR_NOT, m.old));
}

#define ARITH	X86_ARITH_FLAGS
#define KEEP_CF (X86_ARITH_FLAGS & ~X86_CF)
#define LOGIC	(X86_ARITH_FLAGS & ~X86_AF)

/* clang-format off */
const struct x86_row x86_rows_alu[] = {
	X86("00 /r", "Eb, Gb", X86_FEAT_BASE, 0, ARITH, 0, lift_alu, "add", X86_LOCKABLE, ALU_ADD),
	X86("01 /r", "Ev, Gv", X86_FEAT_BASE, 0, ARITH, 0, lift_alu, "add", X86_LOCKABLE, ALU_ADD),
	X86("02 /r", "Gb, Eb", X86_FEAT_BASE, 0, ARITH, 0, lift_alu, "add", 0, ALU_ADD),
	X86("03 /r", "Gv, Ev", X86_FEAT_BASE, 0, ARITH, 0, lift_alu, "add", 0, ALU_ADD),
	X86("04", "AL, Ib", X86_FEAT_BASE, 0, ARITH, 0, lift_alu, "add", 0, ALU_ADD),
	X86("05", "RAX_v, Iz", X86_FEAT_BASE, 0, ARITH, 0, lift_alu, "add", 0, ALU_ADD),
	X86("80 /0", "Eb, Ib", X86_FEAT_BASE, 0, ARITH, 0, lift_alu, "add", X86_LOCKABLE, ALU_ADD),
	X86("81 /0", "Ev, Iz", X86_FEAT_BASE, 0, ARITH, 0, lift_alu, "add", X86_LOCKABLE, ALU_ADD),
	X86("82 /0", "Eb, Ib", X86_FEAT_BASE, 0, ARITH, 0, lift_alu, "add", X86_LOCKABLE | X86_NO64, ALU_ADD),
	X86("83 /0", "Ev, Isb", X86_FEAT_BASE, 0, ARITH, 0, lift_alu, "add", X86_LOCKABLE, ALU_ADD),

	X86("08 /r", "Eb, Gb", X86_FEAT_BASE, 0, LOGIC, X86_AF, lift_alu, "or", X86_LOCKABLE, ALU_OR),
	X86("09 /r", "Ev, Gv", X86_FEAT_BASE, 0, LOGIC, X86_AF, lift_alu, "or", X86_LOCKABLE, ALU_OR),
	X86("0A /r", "Gb, Eb", X86_FEAT_BASE, 0, LOGIC, X86_AF, lift_alu, "or", 0, ALU_OR),
	X86("0B /r", "Gv, Ev", X86_FEAT_BASE, 0, LOGIC, X86_AF, lift_alu, "or", 0, ALU_OR),
	X86("0C", "AL, Ib", X86_FEAT_BASE, 0, LOGIC, X86_AF, lift_alu, "or", 0, ALU_OR),
	X86("0D", "RAX_v, Iz", X86_FEAT_BASE, 0, LOGIC, X86_AF, lift_alu, "or", 0, ALU_OR),
	X86("80 /1", "Eb, Ib", X86_FEAT_BASE, 0, LOGIC, X86_AF, lift_alu, "or", X86_LOCKABLE, ALU_OR),
	X86("81 /1", "Ev, Iz", X86_FEAT_BASE, 0, LOGIC, X86_AF, lift_alu, "or", X86_LOCKABLE, ALU_OR),
	X86("82 /1", "Eb, Ib", X86_FEAT_BASE, 0, LOGIC, X86_AF, lift_alu, "or", X86_LOCKABLE | X86_NO64, ALU_OR),
	X86("83 /1", "Ev, Isb", X86_FEAT_BASE, 0, LOGIC, X86_AF, lift_alu, "or", X86_LOCKABLE, ALU_OR),

	X86("10 /r", "Eb, Gb", X86_FEAT_BASE, X86_CF, ARITH, 0, lift_alu, "adc", X86_LOCKABLE, ALU_ADC),
	X86("11 /r", "Ev, Gv", X86_FEAT_BASE, X86_CF, ARITH, 0, lift_alu, "adc", X86_LOCKABLE, ALU_ADC),
	X86("12 /r", "Gb, Eb", X86_FEAT_BASE, X86_CF, ARITH, 0, lift_alu, "adc", 0, ALU_ADC),
	X86("13 /r", "Gv, Ev", X86_FEAT_BASE, X86_CF, ARITH, 0, lift_alu, "adc", 0, ALU_ADC),
	X86("14", "AL, Ib", X86_FEAT_BASE, X86_CF, ARITH, 0, lift_alu, "adc", 0, ALU_ADC),
	X86("15", "RAX_v, Iz", X86_FEAT_BASE, X86_CF, ARITH, 0, lift_alu, "adc", 0, ALU_ADC),
	X86("80 /2", "Eb, Ib", X86_FEAT_BASE, X86_CF, ARITH, 0, lift_alu, "adc", X86_LOCKABLE, ALU_ADC),
	X86("81 /2", "Ev, Iz", X86_FEAT_BASE, X86_CF, ARITH, 0, lift_alu, "adc", X86_LOCKABLE, ALU_ADC),
	X86("82 /2", "Eb, Ib", X86_FEAT_BASE, X86_CF, ARITH, 0, lift_alu, "adc", X86_LOCKABLE | X86_NO64, ALU_ADC),
	X86("83 /2", "Ev, Isb", X86_FEAT_BASE, X86_CF, ARITH, 0, lift_alu, "adc", X86_LOCKABLE, ALU_ADC),

	X86("18 /r", "Eb, Gb", X86_FEAT_BASE, X86_CF, ARITH, 0, lift_alu, "sbb", X86_LOCKABLE, ALU_SBB),
	X86("19 /r", "Ev, Gv", X86_FEAT_BASE, X86_CF, ARITH, 0, lift_alu, "sbb", X86_LOCKABLE, ALU_SBB),
	X86("1A /r", "Gb, Eb", X86_FEAT_BASE, X86_CF, ARITH, 0, lift_alu, "sbb", 0, ALU_SBB),
	X86("1B /r", "Gv, Ev", X86_FEAT_BASE, X86_CF, ARITH, 0, lift_alu, "sbb", 0, ALU_SBB),
	X86("1C", "AL, Ib", X86_FEAT_BASE, X86_CF, ARITH, 0, lift_alu, "sbb", 0, ALU_SBB),
	X86("1D", "RAX_v, Iz", X86_FEAT_BASE, X86_CF, ARITH, 0, lift_alu, "sbb", 0, ALU_SBB),
	X86("80 /3", "Eb, Ib", X86_FEAT_BASE, X86_CF, ARITH, 0, lift_alu, "sbb", X86_LOCKABLE, ALU_SBB),
	X86("81 /3", "Ev, Iz", X86_FEAT_BASE, X86_CF, ARITH, 0, lift_alu, "sbb", X86_LOCKABLE, ALU_SBB),
	X86("82 /3", "Eb, Ib", X86_FEAT_BASE, X86_CF, ARITH, 0, lift_alu, "sbb", X86_LOCKABLE | X86_NO64, ALU_SBB),
	X86("83 /3", "Ev, Isb", X86_FEAT_BASE, X86_CF, ARITH, 0, lift_alu, "sbb", X86_LOCKABLE, ALU_SBB),

	X86("20 /r", "Eb, Gb", X86_FEAT_BASE, 0, LOGIC, X86_AF, lift_alu, "and", X86_LOCKABLE, ALU_AND),
	X86("21 /r", "Ev, Gv", X86_FEAT_BASE, 0, LOGIC, X86_AF, lift_alu, "and", X86_LOCKABLE, ALU_AND),
	X86("22 /r", "Gb, Eb", X86_FEAT_BASE, 0, LOGIC, X86_AF, lift_alu, "and", 0, ALU_AND),
	X86("23 /r", "Gv, Ev", X86_FEAT_BASE, 0, LOGIC, X86_AF, lift_alu, "and", 0, ALU_AND),
	X86("24", "AL, Ib", X86_FEAT_BASE, 0, LOGIC, X86_AF, lift_alu, "and", 0, ALU_AND),
	X86("25", "RAX_v, Iz", X86_FEAT_BASE, 0, LOGIC, X86_AF, lift_alu, "and", 0, ALU_AND),
	X86("80 /4", "Eb, Ib", X86_FEAT_BASE, 0, LOGIC, X86_AF, lift_alu, "and", X86_LOCKABLE, ALU_AND),
	X86("81 /4", "Ev, Iz", X86_FEAT_BASE, 0, LOGIC, X86_AF, lift_alu, "and", X86_LOCKABLE, ALU_AND),
	X86("82 /4", "Eb, Ib", X86_FEAT_BASE, 0, LOGIC, X86_AF, lift_alu, "and", X86_LOCKABLE | X86_NO64, ALU_AND),
	X86("83 /4", "Ev, Isb", X86_FEAT_BASE, 0, LOGIC, X86_AF, lift_alu, "and", X86_LOCKABLE, ALU_AND),

	X86("28 /r", "Eb, Gb", X86_FEAT_BASE, 0, ARITH, 0, lift_alu, "sub", X86_LOCKABLE, ALU_SUB),
	X86("29 /r", "Ev, Gv", X86_FEAT_BASE, 0, ARITH, 0, lift_alu, "sub", X86_LOCKABLE, ALU_SUB),
	X86("2A /r", "Gb, Eb", X86_FEAT_BASE, 0, ARITH, 0, lift_alu, "sub", 0, ALU_SUB),
	X86("2B /r", "Gv, Ev", X86_FEAT_BASE, 0, ARITH, 0, lift_alu, "sub", 0, ALU_SUB),
	X86("2C", "AL, Ib", X86_FEAT_BASE, 0, ARITH, 0, lift_alu, "sub", 0, ALU_SUB),
	X86("2D", "RAX_v, Iz", X86_FEAT_BASE, 0, ARITH, 0, lift_alu, "sub", 0, ALU_SUB),
	X86("80 /5", "Eb, Ib", X86_FEAT_BASE, 0, ARITH, 0, lift_alu, "sub", X86_LOCKABLE, ALU_SUB),
	X86("81 /5", "Ev, Iz", X86_FEAT_BASE, 0, ARITH, 0, lift_alu, "sub", X86_LOCKABLE, ALU_SUB),
	X86("82 /5", "Eb, Ib", X86_FEAT_BASE, 0, ARITH, 0, lift_alu, "sub", X86_LOCKABLE | X86_NO64, ALU_SUB),
	X86("83 /5", "Ev, Isb", X86_FEAT_BASE, 0, ARITH, 0, lift_alu, "sub", X86_LOCKABLE, ALU_SUB),

	X86("30 /r", "Eb, Gb", X86_FEAT_BASE, 0, LOGIC, X86_AF, lift_alu, "xor", X86_LOCKABLE, ALU_XOR),
	X86("31 /r", "Ev, Gv", X86_FEAT_BASE, 0, LOGIC, X86_AF, lift_alu, "xor", X86_LOCKABLE, ALU_XOR),
	X86("32 /r", "Gb, Eb", X86_FEAT_BASE, 0, LOGIC, X86_AF, lift_alu, "xor", 0, ALU_XOR),
	X86("33 /r", "Gv, Ev", X86_FEAT_BASE, 0, LOGIC, X86_AF, lift_alu, "xor", 0, ALU_XOR),
	X86("34", "AL, Ib", X86_FEAT_BASE, 0, LOGIC, X86_AF, lift_alu, "xor", 0, ALU_XOR),
	X86("35", "RAX_v, Iz", X86_FEAT_BASE, 0, LOGIC, X86_AF, lift_alu, "xor", 0, ALU_XOR),
	X86("80 /6", "Eb, Ib", X86_FEAT_BASE, 0, LOGIC, X86_AF, lift_alu, "xor", X86_LOCKABLE, ALU_XOR),
	X86("81 /6", "Ev, Iz", X86_FEAT_BASE, 0, LOGIC, X86_AF, lift_alu, "xor", X86_LOCKABLE, ALU_XOR),
	X86("82 /6", "Eb, Ib", X86_FEAT_BASE, 0, LOGIC, X86_AF, lift_alu, "xor", X86_LOCKABLE | X86_NO64, ALU_XOR),
	X86("83 /6", "Ev, Isb", X86_FEAT_BASE, 0, LOGIC, X86_AF, lift_alu, "xor", X86_LOCKABLE, ALU_XOR),

	X86("38 /r", "Eb, Gb", X86_FEAT_BASE, 0, ARITH, 0, lift_cmp, "cmp", 0, ALU_CMP),
	X86("39 /r", "Ev, Gv", X86_FEAT_BASE, 0, ARITH, 0, lift_cmp, "cmp", 0, ALU_CMP),
	X86("3A /r", "Gb, Eb", X86_FEAT_BASE, 0, ARITH, 0, lift_cmp, "cmp", 0, ALU_CMP),
	X86("3B /r", "Gv, Ev", X86_FEAT_BASE, 0, ARITH, 0, lift_cmp, "cmp", 0, ALU_CMP),
	X86("3C", "AL, Ib", X86_FEAT_BASE, 0, ARITH, 0, lift_cmp, "cmp", 0, ALU_CMP),
	X86("3D", "RAX_v, Iz", X86_FEAT_BASE, 0, ARITH, 0, lift_cmp, "cmp", 0, ALU_CMP),
	X86("80 /7", "Eb, Ib", X86_FEAT_BASE, 0, ARITH, 0, lift_cmp, "cmp", 0, ALU_CMP),
	X86("81 /7", "Ev, Iz", X86_FEAT_BASE, 0, ARITH, 0, lift_cmp, "cmp", 0, ALU_CMP),
	X86("82 /7", "Eb, Ib", X86_FEAT_BASE, 0, ARITH, 0, lift_cmp, "cmp", X86_NO64, ALU_CMP),
	X86("83 /7", "Ev, Isb", X86_FEAT_BASE, 0, ARITH, 0, lift_cmp, "cmp", 0, ALU_CMP),

	X86("84 /r", "Eb, Gb", X86_FEAT_BASE, 0, LOGIC, X86_AF, lift_test, "test"),
	X86("85 /r", "Ev, Gv", X86_FEAT_BASE, 0, LOGIC, X86_AF, lift_test, "test"),
	X86("A8", "AL, Ib", X86_FEAT_BASE, 0, LOGIC, X86_AF, lift_test, "test"),
	X86("A9", "RAX_v, Iz", X86_FEAT_BASE, 0, LOGIC, X86_AF, lift_test, "test"),
	X86("F6 /0", "Eb, Ib", X86_FEAT_BASE, 0, LOGIC, X86_AF, lift_test, "test"),
	X86("F6 /1", "Eb, Ib", X86_FEAT_BASE, 0, LOGIC, X86_AF, lift_test, "test"),
	X86("F7 /0", "Ev, Iz", X86_FEAT_BASE, 0, LOGIC, X86_AF, lift_test, "test"),
	X86("F7 /1", "Ev, Iz", X86_FEAT_BASE, 0, LOGIC, X86_AF, lift_test, "test"),

	X86("FE /0", "Eb", X86_FEAT_BASE, 0, KEEP_CF, 0, lift_inc, "inc", X86_LOCKABLE, 1),
	X86("FF /0", "Ev", X86_FEAT_BASE, 0, KEEP_CF, 0, lift_inc, "inc", X86_LOCKABLE, 1),
	X86("40+r", "Zv", X86_FEAT_BASE, 0, KEEP_CF, 0, lift_inc, "inc", X86_NO64, 1),
	X86("FE /1", "Eb", X86_FEAT_BASE, 0, KEEP_CF, 0, lift_inc, "dec", X86_LOCKABLE, (uint32_t)-1),
	X86("FF /1", "Ev", X86_FEAT_BASE, 0, KEEP_CF, 0, lift_inc, "dec", X86_LOCKABLE, (uint32_t)-1),
	X86("48+r", "Zv", X86_FEAT_BASE, 0, KEEP_CF, 0, lift_inc, "dec", X86_NO64, (uint32_t)-1),
	X86("F6 /3", "Eb", X86_FEAT_BASE, 0, ARITH, 0, lift_neg, "neg", X86_LOCKABLE),
	X86("F7 /3", "Ev", X86_FEAT_BASE, 0, ARITH, 0, lift_neg, "neg", X86_LOCKABLE),
	X86("F6 /2", "Eb", X86_FEAT_BASE, 0, 0, 0, lift_not, "not", X86_LOCKABLE),
	X86("F7 /2", "Ev", X86_FEAT_BASE, 0, 0, 0, lift_not, "not", X86_LOCKABLE),
	X86_ROWS_END,
};
