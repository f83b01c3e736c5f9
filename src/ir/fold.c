/* Local simplification: see fold.h. Nothing here appends, so every rule ends in an existing value,
 * a constant, or the same operation on other earlier values. */
#include "ir/fold.h"

#include "base/bits.h"

static ir_ref become_const(struct ir_insn *n, enum ir_type t, uint64_t v)
{
	*n = (struct ir_insn){.op = IR_CONST,
			      .type = (uint8_t)t,
			      .arg = {IR_NONE, IR_NONE, IR_NONE},
			      .imm = (int64_t)(v & bits_mask(ir_type_bits(t)))};
	return IR_NONE;
}

static inline const struct ir_insn *def(const struct ir_block *b, ir_ref r)
{
	return &b->insn[r];
}

/* The bits of r that may be set, as far as a short look tells. */
static uint64_t possible_bits(const struct ir_block *b, ir_ref r)
{
	const struct ir_insn *d = def(b, r);
	uint64_t all = bits_mask(ir_type_bits(d->type));

	switch (d->op) {
	case IR_ZEXT:
		return possible_bits(b, d->arg[0]);
	case IR_CONST:
		return (uint64_t)d->imm;
	case IR_COND:
	case IR_EQ:
	case IR_NE:
	case IR_LTU:
	case IR_LEU:
	case IR_LTS:
	case IR_LES:
		return 1;
	default:
		return all;
	}
}

/* x op x */
static ir_ref fold_same(struct ir_insn *n)
{
	switch (n->op) {
	case IR_AND:
	case IR_OR:
		return n->arg[0];
	case IR_SUB:
	case IR_XOR:
		return become_const(n, n->type, 0);
	default:
		return IR_NONE;
	}
}

/* Turn n into the opposite of the comparison or condition d; false if d is neither. */
static bool become_opposite(struct ir_insn *n, const struct ir_insn *d)
{
	static const uint8_t opposite[] = {IR_NE, IR_EQ, IR_LEU, IR_LTU, IR_LES, IR_LTS};
	struct ir_insn r = *d;

	if (d->op == IR_COND) {
		r.imm ^= 1;
	} else if (d->op >= IR_EQ && d->op <= IR_LES) {
		r.op = opposite[d->op - IR_EQ];
		if (d->op >= IR_LTU) {
			r.arg[0] = d->arg[1];
			r.arg[1] = d->arg[0];
		}
	} else {
		return false;
	}
	*n = r;
	return true;
}

/* x op constant y */
static ir_ref fold_right_const(const struct ir_block *b, struct ir_insn *n, uint64_t y)
{
	uint64_t all = bits_mask(ir_type_bits(n->type));

	switch (n->op) {
	case IR_ADD:
	case IR_SUB:
		return y == 0 ? n->arg[0] : IR_NONE;
	case IR_XOR:
		if (y == 1 && n->type == IR_I8 && possible_bits(b, n->arg[0]) == 1)
			become_opposite(n, def(b, n->arg[0]));
		return y == 0 ? n->arg[0] : IR_NONE;
	case IR_OR:
		if (y == all)
			return n->arg[1];
		return y == 0 ? n->arg[0] : IR_NONE;
	case IR_AND:
		if (y == 0)
			return n->arg[1];
		return possible_bits(b, n->arg[0]) & ~y ? IR_NONE : n->arg[0];
	case IR_MUL:
		if (y == 0)
			return n->arg[1];
		return y == 1 ? n->arg[0] : IR_NONE;
	case IR_MULHU:
		return y <= 1 ? become_const(n, n->type, 0) : IR_NONE;
	case IR_MULHS:
		return y == 0 ? n->arg[1] : IR_NONE;
	default: /* shifts and rotates */
		return y & (ir_type_bits(n->type) - 1) ? IR_NONE : n->arg[0];
	}
}

/* 0 op y, where that is not commutative */
static ir_ref fold_left_zero(struct ir_insn *n)
{
	if (n->op >= IR_SHL && n->op <= IR_ROR)
		return n->arg[0];
	if (n->op == IR_SUB) {
		n->op = IR_NEG;
		n->arg[0] = n->arg[1];
		n->arg[1] = IR_NONE;
	}
	return IR_NONE;
}

static void swap_args(struct ir_insn *n)
{
	ir_ref t = n->arg[0];

	n->arg[0] = n->arg[1];
	n->arg[1] = t;
}

ir_ref ir_fold_bin(const struct ir_block *b, struct ir_insn *n)
{
	uint64_t x = 0, y = 0;
	bool cx = ir_is_const(b, n->arg[0], &x), cy = ir_is_const(b, n->arg[1], &y);

	if (cx && cy)
		return become_const(n, n->type, ir_eval_bin(n->op, n->type, x, y));
	if (n->arg[0] == n->arg[1])
		return fold_same(n);
	if (cx && ir_ops[n->op].commutative) {
		swap_args(n);
		return fold_right_const(b, n, x);
	}
	if (cx && x == 0)
		return fold_left_zero(n);
	return cy ? fold_right_const(b, n, y) : IR_NONE;
}

ir_ref ir_fold_un(const struct ir_block *b, struct ir_insn *n)
{
	const struct ir_insn *d = def(b, n->arg[0]);

	if (d->op == IR_CONST)
		return become_const(n, n->type, ir_eval_un(n->op, n->type, (uint64_t)d->imm));
	if (n->op == d->op && (n->op == IR_NOT || n->op == IR_NEG || n->op == IR_BSWAP))
		return d->arg[0];
	return IR_NONE;
}

/* Comparison of a truth value, widened or not, with 0 or 1: itself or its opposite. */
static ir_ref fold_cmp_truth(const struct ir_block *b, struct ir_insn *n, uint64_t y)
{
	ir_ref x = n->arg[0];

	if (def(b, x)->op == IR_ZEXT)
		x = def(b, x)->arg[0];
	if (def(b, x)->op == IR_CONST || possible_bits(b, x) != 1 || ir_type_of(b, x) != IR_I8)
		return IR_NONE;
	if ((n->op == IR_NE) == (y == 0))
		return x;
	become_opposite(n, def(b, x));
	return IR_NONE;
}

ir_ref ir_fold_cmp(const struct ir_block *b, struct ir_insn *n)
{
	enum ir_type t = (enum ir_type)n->imm;
	uint64_t x = 0, y = 0;
	bool cx = ir_is_const(b, n->arg[0], &x), cy = ir_is_const(b, n->arg[1], &y);

	if (!ir_is_int(t))
		return IR_NONE;
	if (cx && cy)
		return become_const(n, IR_I8, ir_eval_cmp(n->op, t, x, y));
	if (n->arg[0] == n->arg[1])
		return become_const(n, IR_I8, n->op == IR_EQ || n->op == IR_LEU || n->op == IR_LES);
	if (cx && ir_ops[n->op].commutative) {
		swap_args(n);
		cy = true;
		y = x;
	}
	if (n->op == IR_LTU && cy && y == 0)
		return become_const(n, IR_I8, 0);
	if (n->op == IR_LEU && cx && x == 0)
		return become_const(n, IR_I8, 1);
	if (n->op == IR_LTU && cx && x == 0) { /* 0 < y */
		n->op = IR_NE;
		swap_args(n);
		return ir_fold_cmp(b, n);
	}
	if (n->op == IR_LEU && cy && y == 0) {
		n->op = IR_EQ;
		return ir_fold_cmp(b, n);
	}
	if (cy && y <= 1 && (n->op == IR_EQ || n->op == IR_NE))
		return fold_cmp_truth(b, n, y);
	return IR_NONE;
}

ir_ref ir_fold_select(const struct ir_block *b, struct ir_insn *n)
{
	uint64_t c;

	if (n->arg[1] == n->arg[2])
		return n->arg[1];
	if (ir_is_const(b, n->arg[0], &c))
		return c ? n->arg[1] : n->arg[2];
	return IR_NONE;
}

ir_ref ir_fold_extend(const struct ir_block *b, struct ir_insn *n)
{
	const struct ir_insn *d = def(b, n->arg[0]);

	if (d->type == n->type)
		return n->arg[0];
	if (d->op == IR_CONST && n->op == IR_ZEXT)
		return become_const(n, n->type, (uint64_t)d->imm);
	if (d->op == IR_CONST)
		return become_const(n, n->type,
				    (uint64_t)bits_sext((uint64_t)d->imm, ir_type_bits(d->type)));
	if (d->op != n->op && d->op != IR_ZEXT)
		return IR_NONE;
	n->op = d->op; /* the sign of a zero-extended value is 0 */
	n->arg[0] = d->arg[0];
	return ir_fold_extend(b, n);
}

ir_ref ir_fold_trunc(const struct ir_block *b, struct ir_insn *n)
{
	const struct ir_insn *d = def(b, n->arg[0]);
	enum ir_type inner;

	if (d->type == n->type)
		return n->arg[0];
	if (d->op == IR_CONST)
		return become_const(n, n->type, (uint64_t)d->imm);
	if (d->op != IR_TRUNC && d->op != IR_ZEXT && d->op != IR_SEXT)
		return IR_NONE;
	inner = ir_type_of(b, d->arg[0]);
	n->arg[0] = d->arg[0];
	if (inner >= n->type)
		return ir_fold_trunc(b, n);
	n->op = d->op;
	return ir_fold_extend(b, n);
}

/* The operands of a flags value if all are constants. */
static bool const_flags(const struct ir_block *b, const struct ir_insn *d, uint64_t v[3])
{
	if (d->op != IR_MAKE_FLAGS)
		return false;
	for (int i = 0; i < 3; i++) {
		v[i] = 0;
		if (d->arg[i] != IR_NONE && !ir_is_const(b, d->arg[i], &v[i]))
			return false;
	}
	return true;
}

ir_ref ir_fold_flags_use(const struct ir_block *b, struct ir_insn *n)
{
	const struct ir_insn *d = def(b, n->arg[0]);
	uint64_t v[3];

	if (!const_flags(b, d, v))
		return IR_NONE;
	if (n->op == IR_PACK_FLAGS)
		return become_const(n, IR_I64, ir_flags_eval((uint32_t)d->imm, v[0], v[1], v[2]));
	return become_const(n, IR_I8,
			    ir_cond_eval((enum ir_cond)n->imm, (uint32_t)d->imm, v[0], v[1], v[2]));
}
