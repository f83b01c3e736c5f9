/*
 * A condition of flags whose making is in the block becomes a compare of the operands or of the
 * recomputed result. What is not simple (parity, overflow, carries of adc and shifts) stays lazy.
 */
#include "ir/pass/edit.h"

#include "base/bits.h"

enum { CF = 1 << 0, PF = 1 << 2, ZF = 1 << 6, SF = 1 << 7, OF = 1 << 11, ALL = 0x8d5 };

/* A flags value being asked: operands cut to its type on demand. */
struct source {
	struct ir_block *b;
	const struct ir_insn *f;
	enum ir_flags_kind kind;
	enum ir_type type;
};

/* Conditions and their opposites, as a set. */
enum {
	SET_O = 1 << (IR_COND_O >> 1),
	SET_B = 1 << (IR_COND_B >> 1),
	SET_E = 1 << (IR_COND_E >> 1),
	SET_BE = 1 << (IR_COND_BE >> 1),
	SET_S = 1 << (IR_COND_S >> 1),
	SET_P = 1 << (IR_COND_P >> 1),
	SET_L = 1 << (IR_COND_L >> 1),
	SET_LE = 1 << (IR_COND_LE >> 1)
};

/* Which conditions of the flags f are worth it. */
static unsigned simple_conds(const struct ir_block *b, const struct ir_insn *f)
{
	unsigned bits = 8u << (f->imm & 3);
	uint64_t n;

	switch (f->imm >> 2) {
	case IR_FLAGS_RAW:
		return SET_O | SET_B | SET_E | SET_BE | SET_S | SET_P;
	case IR_FLAGS_SUB:
		return SET_B | SET_E | SET_BE | SET_S | SET_L | SET_LE;
	case IR_FLAGS_LOGIC:
		return SET_O | SET_B | SET_E | SET_BE | SET_S | SET_L | SET_LE;
	case IR_FLAGS_ADD:
	case IR_FLAGS_INC:
	case IR_FLAGS_DEC:
		return SET_B | SET_E | SET_S;
	case IR_FLAGS_ROL:
	case IR_FLAGS_ROR:
		return SET_B | SET_E | SET_S | SET_P;
	case IR_FLAGS_MUL:
		return SET_O | SET_B | SET_E | SET_S;
	case IR_FLAGS_SHL:
	case IR_FLAGS_SHR:
	case IR_FLAGS_SAR: /* the operation takes its count modulo width, the flags do not */
		return ir_is_const(b, f->arg[1], &n) && n < bits ? SET_E | SET_S : 0;
	default:
		return SET_E | SET_S;
	}
}

bool ir_condition_folds(const struct ir_block *b, const struct ir_insn *n)
{
	const struct ir_insn *f;

	if (n->op != IR_COND && n->op != IR_PACK_FLAGS)
		return false;
	f = &b->insn[n->arg[0]];
	if (f->op != IR_MAKE_FLAGS)
		return false;
	if (n->op == IR_PACK_FLAGS)
		return f->imm >> 2 == IR_FLAGS_RAW || f->imm >> 2 == IR_FLAGS_ROL ||
		       f->imm >> 2 == IR_FLAGS_ROR;
	return simple_conds(b, f) >> (n->imm >> 1) & 1;
}

/* Operand k as an integer of the flags' type. */
static ir_ref operand(struct source *s, unsigned k)
{
	ir_ref x = s->f->arg[k];

	if (ir_type_of(s->b, x) > s->type)
		return ir_trunc(s->b, s->type, x);
	return ir_zext(s->b, s->type, x);
}

static ir_ref carry_in(struct source *s)
{
	return ir_bin_imm(s->b, IR_AND, operand(s, 2), 1);
}

static ir_ref result(struct source *s)
{
	struct ir_block *b = s->b;
	ir_ref a = operand(s, 0);

	switch (s->kind) {
	case IR_FLAGS_ADD:
		return ir_bin(b, IR_ADD, a, operand(s, 1));
	case IR_FLAGS_SUB:
		return ir_bin(b, IR_SUB, a, operand(s, 1));
	case IR_FLAGS_ADC:
		return ir_bin(b, IR_ADD, ir_bin(b, IR_ADD, a, operand(s, 1)), carry_in(s));
	case IR_FLAGS_SBB:
		return ir_bin(b, IR_SUB, ir_bin(b, IR_SUB, a, operand(s, 1)), carry_in(s));
	case IR_FLAGS_INC:
		return ir_bin_imm(b, IR_ADD, a, 1);
	case IR_FLAGS_DEC:
		return ir_bin_imm(b, IR_SUB, a, 1);
	case IR_FLAGS_SHL:
		return ir_bin(b, IR_SHL, a, operand(s, 1));
	case IR_FLAGS_SHR:
		return ir_bin(b, IR_SHR, a, operand(s, 1));
	case IR_FLAGS_SAR:
		return ir_bin(b, IR_SAR, a, operand(s, 1));
	default:
		return a;
	}
}

/* x op y, or its opposite */
static ir_ref compare(struct ir_block *b, enum ir_op op, ir_ref x, ir_ref y, bool opposite)
{
	switch (op) {
	case IR_LTU:
		return opposite ? ir_cmp(b, IR_LEU, y, x) : ir_cmp(b, op, x, y);
	case IR_LEU:
		return opposite ? ir_cmp(b, IR_LTU, y, x) : ir_cmp(b, op, x, y);
	case IR_LTS:
		return opposite ? ir_cmp(b, IR_LES, y, x) : ir_cmp(b, op, x, y);
	case IR_LES:
		return opposite ? ir_cmp(b, IR_LTS, y, x) : ir_cmp(b, op, x, y);
	default:
		return ir_cmp(b, (op == IR_EQ) != opposite ? IR_EQ : IR_NE, x, y);
	}
}

static ir_ref compare_zero(struct ir_block *b, enum ir_op op, ir_ref x, bool opposite)
{
	return compare(b, op, x, ir_const(b, ir_type_of(b, x), 0), opposite);
}

/* Whether any of the packed bits in mask is set. */
static ir_ref cond_of_raw(struct source *s, ir_ref packed, enum ir_cond base, bool opposite)
{
	static const uint16_t mask[] = {[IR_COND_O >> 1] = OF, [IR_COND_B >> 1] = CF,
					[IR_COND_E >> 1] = ZF, [IR_COND_BE >> 1] = CF | ZF,
					[IR_COND_S >> 1] = SF, [IR_COND_P >> 1] = PF};

	return compare_zero(s->b, IR_NE, ir_bin_imm(s->b, IR_AND, packed, mask[base >> 1]),
			    opposite);
}

static ir_ref cond_of_rotate(struct source *s, enum ir_cond base, bool opposite)
{
	if (base != IR_COND_B)
		return cond_of_raw(s, s->f->arg[1], base, opposite);
	if (s->kind == IR_FLAGS_ROR)
		return compare_zero(s->b, IR_LTS, operand(s, 0), opposite);
	return compare_zero(s->b, IR_NE, ir_bin_imm(s->b, IR_AND, operand(s, 0), 1), opposite);
}

/* All flags of a rotate, packed: see ir_flags_eval. */
static ir_ref pack_rotate(struct source *s)
{
	unsigned bits = 8u << (s->f->imm & 3);
	struct ir_block *b = s->b;
	ir_ref before = ir_zext(b, IR_I64, s->f->arg[1]), x = ir_zext(b, IR_I64, operand(s, 0));
	ir_ref msb = ir_bin_imm(b, IR_SHR, x, bits - 1), other = x, cf, of;

	if (s->kind == IR_FLAGS_ROR)
		other = ir_bin_imm(b, IR_SHR, x, bits - 2);
	other = ir_bin_imm(b, IR_AND, other, 1);
	cf = s->kind == IR_FLAGS_ROL ? other : msb;
	of = ir_bin_imm(b, IR_SHL, ir_bin(b, IR_XOR, msb, other), 11);
	before = ir_bin_imm(b, IR_AND, before, ALL & ~(CF | OF));
	return ir_bin(b, IR_OR, before, ir_bin(b, IR_OR, cf, of));
}

static ir_ref cond_of_sub(struct source *s, enum ir_cond base, bool opposite)
{
	static const uint8_t op[] = {[IR_COND_B >> 1] = IR_LTU,
				     [IR_COND_E >> 1] = IR_EQ,
				     [IR_COND_BE >> 1] = IR_LEU,
				     [IR_COND_L >> 1] = IR_LTS,
				     [IR_COND_LE >> 1] = IR_LES};
	ir_ref x = operand(s, 0), y = operand(s, 1);

	return compare(s->b, (enum ir_op)op[base >> 1], x, y, opposite);
}

static ir_ref cond_of_logic(struct source *s, enum ir_cond base, bool opposite)
{
	switch (base) {
	case IR_COND_O:
	case IR_COND_B:
		return ir_const(s->b, IR_I8, opposite);
	case IR_COND_E:
	case IR_COND_BE:
		return compare_zero(s->b, IR_EQ, operand(s, 0), opposite);
	case IR_COND_LE:
		return compare_zero(s->b, IR_LES, operand(s, 0), opposite);
	default:
		return compare_zero(s->b, IR_LTS, operand(s, 0), opposite);
	}
}

/* CF (and OF of a multiplication) of the other kinds. */
static ir_ref carry_out(struct source *s, bool opposite)
{
	ir_ref c;

	if (s->kind == IR_FLAGS_ADD)
		return compare(s->b, IR_LTU, result(s), operand(s, 0), opposite);
	if (s->kind == IR_FLAGS_MUL)
		return compare_zero(s->b, IR_NE, s->f->arg[1], opposite);
	c = s->f->arg[2]; /* kept by inc and dec */
	if (ir_type_of(s->b, c) != IR_I8)
		c = ir_trunc(s->b, IR_I8, c);
	c = ir_bin_imm(s->b, IR_AND, c, 1);
	return opposite ? ir_bin_imm(s->b, IR_XOR, c, 1) : c;
}

static ir_ref fold_cond(struct source *s, enum ir_cond cond)
{
	enum ir_cond base = (enum ir_cond)(cond & ~1u);
	bool opposite = cond & 1;

	if (s->kind == IR_FLAGS_RAW)
		return cond_of_raw(s, s->f->arg[0], base, opposite);
	if (s->kind == IR_FLAGS_ROL || s->kind == IR_FLAGS_ROR)
		return cond_of_rotate(s, base, opposite);
	if (s->kind == IR_FLAGS_LOGIC)
		return cond_of_logic(s, base, opposite);
	if (base == IR_COND_S)
		return compare_zero(s->b, IR_LTS, result(s), opposite);
	if (s->kind == IR_FLAGS_SUB)
		return cond_of_sub(s, base, opposite);
	if (base == IR_COND_E)
		return compare_zero(s->b, IR_EQ, result(s), opposite);
	return carry_out(s, opposite);
}

ir_ref ir_condition_fold(struct ir_block *b, const struct ir_insn *n)
{
	const struct ir_insn f = b->insn[n->arg[0]];
	struct source s = {b, &f, (enum ir_flags_kind)(f.imm >> 2),
			   (enum ir_type)(IR_I8 + (f.imm & 3))};

	if (n->op == IR_COND)
		return fold_cond(&s, (enum ir_cond)n->imm);
	if (s.kind != IR_FLAGS_RAW)
		return pack_rotate(&s);
	return ir_zext(b, IR_I64, ir_bin_imm(b, IR_AND, f.arg[0], ALL));
}
