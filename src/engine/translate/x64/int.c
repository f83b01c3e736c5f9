/* Rules for integer operations. Results narrower than 32 bits have anything above their type. */
#include "engine/translate/x64/gen.h"

static unsigned bytes_of(const struct ir_insn *i)
{
	return ir_type_bytes((enum ir_type)i->type);
}

/* Operations whose low bits do not depend on high bits are done at 32 bits at least. */
static unsigned wide(const struct ir_insn *i)
{
	return i->type == IR_I64 ? 8 : 4;
}

static void flags_are_of(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	if (bytes_of(i) < 4)
		return;
	g->flags_at = g->a.at;
	g->flags_val = v;
}

static enum x64_alu alu_of(unsigned op)
{
	switch (op) {
	case IR_ADD:
		return X64_ADD;
	case IR_SUB:
		return X64_SUB;
	case IR_AND:
		return X64_AND;
	case IR_OR:
		return X64_OR;
	default:
		return X64_XOR;
	}
}

static bool same(const struct gen *g, ir_ref a, ir_ref b)
{
	return gen_rep(g, a) == gen_rep(g, b);
}

/* a + b into a register that is neither's: LEA does it in one. */
static bool add_by_lea(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	ir_ref a = gen_rep(g, i->arg[0]);
	const struct val *x = &g->val[a];
	unsigned ra, rb, d;
	int32_t imm;

	if (i->op != IR_ADD || x->reg == X64_NO_REG)
		return false;
	if (x->last <= g->index && !(x->flags & VAL_ALIAS) && g->val[v].hint == X64_NO_REG)
		return false; /* in place is shorter */
	if (g->val[v].hint != X64_NO_REG && g->pins.gpr[g->val[v].hint] == x->reg)
		return false;
	ra = gen_use(g, a);
	if (gen_const32(g, i->arg[1], &imm)) {
		d = gen_def(g, v, 0);
		x64_lea(&g->a, wide(i), d, x64_at(ra, imm));
		return true;
	}
	rb = gen_use(g, i->arg[1]);
	d = gen_def(g, v, 0);
	x64_lea(&g->a, wide(i), d, x64_at_index(ra, rb, 0, 0));
	return true;
}

/* The sum with a shifted value: see fold_sum. */
static bool add_scaled(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	for (unsigned k = 2; i->op == IR_ADD && k-- > 0;) {
		const struct ir_insn *s = &g->b->insn[i->arg[k]];
		unsigned ra, rx, d;

		if (s->op != IR_SHL || !(g->val[i->arg[k]].flags & VAL_FOLDED))
			continue;
		ra = gen_use(g, i->arg[!k]);
		rx = gen_use(g, s->arg[0]);
		d = gen_def(g, v, 0);
		x64_lea(&g->a, wide(i), d,
			x64_at_index(ra, rx, (unsigned)g->b->insn[s->arg[1]].imm, 0));
		return true;
	}
	return false;
}

void emit_binary(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	ir_ref a = i->arg[0], b = i->arg[1];
	enum x64_alu op = alu_of(i->op);
	struct val *x = &g->val[v];
	unsigned d, rb;
	int32_t imm;
	uint64_t c;

	if (add_scaled(g, i, v))
		return;
	if (gen_const(g, a, &c) && ir_ops[i->op].commutative) {
		a = i->arg[1];
		b = i->arg[0];
	}
	if (i->op == IR_ADD && !gen_const(g, b, &c) && x->hint != X64_NO_REG &&
	    g->val[gen_rep(g, b)].reg == g->pins.gpr[x->hint] && !same(g, a, b)) {
		ir_ref t = a; /* the sum is to be made where b is */
		a = b;
		b = t;
	}
	if (add_by_lea(g, i, v))
		return;
	if (gen_const32(g, b, &imm)) {
		d = gen_def_copy(g, v, a, 0);
		x64_alu_ri(&g->a, op, wide(i), d, imm);
		flags_are_of(g, i, v);
		return;
	}
	if (ir_ops[i->op].commutative && g->val[gen_rep(g, a)].last > g->index &&
	    g->val[gen_rep(g, b)].last <= g->index && x->hint == X64_NO_REG) {
		ir_ref t = a; /* overwrite the one that dies */
		a = b;
		b = t;
	}
	if (ir_ops[i->op].commutative && x->hint != X64_NO_REG &&
	    g->val[gen_rep(g, b)].reg == g->pins.gpr[x->hint]) {
		ir_ref t = a;
		a = b;
		b = t;
	}
	rb = gen_use(g, b);
	d = gen_def_copy(g, v, a, gen_bit(rb));
	x64_alu_rr(&g->a, op, wide(i), d, rb);
	flags_are_of(g, i, v);
}

static enum x64_shift shift_of(unsigned op)
{
	switch (op) {
	case IR_SHL:
		return X64_SHL;
	case IR_SHR:
		return X64_SHR;
	case IR_SAR:
		return X64_SAR;
	case IR_ROL:
		return X64_ROL;
	default:
		return X64_ROR;
	}
}

/* Right shifts and rotations of narrow values use the narrow instruction. */
static unsigned shift_bytes(const struct ir_insn *i)
{
	return i->op == IR_SHL ? wide(i) : bytes_of(i);
}

/* RORX rotates on the way to another register. */
static bool rotated_by_copy(struct gen *g, const struct ir_insn *i, ir_ref v, unsigned n)
{
	unsigned bits = ir_type_bits((enum ir_type)i->type), ra;

	if ((i->op != IR_ROL && i->op != IR_ROR) || bits < 32 || !n ||
	    !host_cpu_has(&g->cpu, HOST_CPU_BMI2))
		return false;
	ra = gen_use(g, i->arg[0]);
	x64_rorx(&g->a, wide(i), gen_def(g, v, 0), ra, i->op == IR_ROR ? n : bits - n);
	return true;
}

void emit_shift(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	unsigned bits = ir_type_bits((enum ir_type)i->type), d, rb;
	enum x64_shift op = shift_of(i->op);
	uint64_t n;

	if (gen_const(g, i->arg[1], &n)) {
		if (rotated_by_copy(g, i, v, (unsigned)n & (bits - 1)))
			return;
		d = gen_def_copy(g, v, i->arg[0], 0);
		if (n & (bits - 1))
			x64_shift_ri(&g->a, op, shift_bytes(i), d, (unsigned)n & (bits - 1));
		else if (i->type == IR_I32)
			x64_mov_rr(&g->a, 4, d, d);
		return;
	}
	if (host_cpu_has(&g->cpu, HOST_CPU_BMI2) && bits >= 32 && i->op != IR_ROL &&
	    i->op != IR_ROR) {
		unsigned ra = gen_use(g, i->arg[0]);
		rb = gen_use(g, i->arg[1]);
		d = gen_def(g, v, 0);
		x64_shiftx(&g->a, op, wide(i), d, ra, rb);
		return;
	}
	rb = gen_use(g, i->arg[1]);
	if (bits < 32) { /* the count is taken modulo the width */
		unsigned t = gen_temp(g);
		x64_mov_rr(&g->a, 4, t, rb);
		x64_alu_ri(&g->a, X64_AND, 4, t, (int32_t)bits - 1);
		gen_take(g, X64_RCX);
		if (t != X64_RCX) {
			x64_mov_rr(&g->a, 4, X64_RCX, t);
			gen_release(g, t);
		}
	} else if (rb != X64_RCX) {
		gen_take(g, X64_RCX);
		x64_mov_rr(&g->a, 4, X64_RCX, rb);
	}
	d = gen_def_copy(g, v, i->arg[0], gen_bit(X64_RCX));
	if (i->type == IR_I32)
		x64_mov_rr(&g->a, 4, d, d); /* a count of 0 would leave the upper half */
	x64_shift_cl(&g->a, op, shift_bytes(i), d);
}

void emit_mul(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	int32_t imm;
	unsigned ra, rb, d;

	if (gen_const32(g, i->arg[1], &imm)) {
		ra = gen_use(g, i->arg[0]);
		d = gen_def(g, v, 0);
		x64_imul_rri(&g->a, wide(i), d, ra, imm);
		return;
	}
	rb = gen_use(g, i->arg[1]);
	d = gen_def_copy(g, v, i->arg[0], gen_bit(rb));
	x64_imul_rr(&g->a, wide(i), d, rb);
}

/* v extended to 32 bits in a temporary */
static unsigned extended(struct gen *g, ir_ref v, unsigned bytes, bool is_signed)
{
	unsigned r = gen_use(g, v), t = gen_temp(g);

	if (is_signed)
		x64_movsx_rr(&g->a, 4, t, r, bytes);
	else
		x64_movzx_rr(&g->a, t, r, bytes);
	return t;
}

void emit_mul_high(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	bool is_signed = i->op == IR_MULHS;
	unsigned bytes = bytes_of(i), x, y;

	if (bytes < 4) {
		x = extended(g, i->arg[0], bytes, is_signed);
		y = extended(g, i->arg[1], bytes, is_signed);
		x64_imul_rr(&g->a, 4, x, y);
		x64_shift_ri(&g->a, X64_SHR, 4, x, bytes * 8);
		gen_release(g, y);
		gen_bind(g, v, x);
		return;
	}
	/* operands anywhere but RAX and RDX, which MUL takes */
	gen_take(g, X64_RAX);
	gen_take(g, X64_RDX);
	x = gen_use(g, i->arg[0]);
	y = gen_use(g, i->arg[1]);
	x64_mov_rr(&g->a, 8, X64_RAX, x);
	x64_unary_r(&g->a, is_signed ? X64_IMUL : X64_MUL, bytes, y);
	gen_release(g, X64_RAX);
	gen_bind(g, v, X64_RDX);
}

void emit_unary(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	unsigned d = gen_def_copy(g, v, i->arg[0], 0);

	if (i->op == IR_NOT) {
		x64_unary_r(&g->a, X64_NOT, wide(i), d);
	} else if (i->op == IR_NEG) {
		x64_unary_r(&g->a, X64_NEG, wide(i), d);
		flags_are_of(g, i, v);
	} else if (i->type == IR_I16) {
		x64_shift_ri(&g->a, X64_ROL, 2, d, 8);
	} else if (i->type >= IR_I32) {
		x64_bswap(&g->a, wide(i), d);
	}
}

/* clz, ctz, popcnt */
void emit_count(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	unsigned bytes = bytes_of(i), r, d, t;

	r = gen_use(g, i->arg[0]);
	t = gen_temp(g);
	if (bytes < 4)
		x64_movzx_rr(&g->a, t, r, bytes);
	else
		x64_mov_rr(&g->a, bytes, t, r);
	d = gen_temp(g);
	if (i->op == IR_POPCNT) {
		x64_popcnt_rr(&g->a, wide(i), d, t);
	} else if (i->op == IR_CTZ) {
		if (bytes < 4)
			x64_alu_ri(&g->a, X64_OR, 4, t, 1 << (bytes * 8)); /* 0 gives the width */
		x64_mov_ri(&g->a, d, bytes * 8);
		x64_bsf_rr(&g->a, wide(i), t, t);
		x64_cmov_rr(&g->a, X64_NE, 8, d, t);
	} else {
		/* width - 1 - bsr; for 0: width */
		x64_mov_ri(&g->a, d, 2 * bytes * 8 - 1);
		x64_bsr_rr(&g->a, wide(i), t, t);
		x64_cmov_rr(&g->a, X64_E, 8, t, d);
		x64_mov_ri(&g->a, d, bytes * 8 - 1);
		x64_alu_rr(&g->a, X64_SUB, 4, d, t);
		if (bytes == 8 || bytes <= 4)
			x64_alu_ri(&g->a, X64_AND, 4, d, (int32_t)(2 * bytes * 8 - 1));
	}
	gen_release(g, t);
	if (g->val[v].hint != X64_NO_REG) {
		unsigned p = gen_def(g, v, gen_bit(d));
		x64_mov_rr(&g->a, 8, p, d);
		gen_release(g, d);
	} else {
		gen_bind(g, v, d);
	}
}

void emit_select(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	enum x64_cc cc;
	unsigned rb, d;

	if (i->type >= IR_V128) {
		uint8_t *over;
		cc = gen_test(g, i->arg[0]);
		rb = gen_use_vec(g, i->arg[1]);
		d = gen_def_copy_vec(g, v, i->arg[2], gen_bit(rb));
		over = x64_jcc_short(&g->a, (enum x64_cc)(cc ^ 1));
		gen_movv_rr(g, ir_type_bytes((enum ir_type)i->type), d, rb);
		x64_land_short(&g->a, over);
		return;
	}
	cc = gen_test(g, i->arg[0]);
	rb = gen_use(g, i->arg[1]);
	d = gen_def_copy(g, v, i->arg[2], gen_bit(rb));
	x64_cmov_rr(&g->a, cc, wide(i), d, rb);
}

void emit_extend(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	enum ir_type from = ir_type_of(g->b, i->arg[0]);
	unsigned r, d, bytes = ir_type_bytes(from);

	if (g->val[v].rep != v)
		return;
	if (i->type >= IR_V128 || from >= IR_V128) {
		emit_extend_vec(g, i, v);
		return;
	}
	r = gen_use(g, i->arg[0]);
	d = gen_def(g, v, 0);
	if (i->op == IR_SEXT)
		x64_movsx_rr(&g->a, wide(i), d, r, bytes);
	else if (i->op == IR_ZEXT && bytes < 4)
		x64_movzx_rr(&g->a, d, r, bytes);
	else
		x64_mov_rr(&g->a, i->op == IR_TRUNC ? 8 : 4, d, r);
}

void emit_pc(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	int64_t delta = i->imm + g->page_offset;
	unsigned d = gen_def(g, v, 0);

	x64_mov_rm(&g->a, 8, d, x64_at(X64_RBP, CPU(rip)));
	if (delta == (int32_t)delta) {
		x64_lea(&g->a, 8, d, x64_at(d, (int32_t)delta));
	} else {
		unsigned t = gen_temp(g);
		x64_mov_ri(&g->a, t, (uint64_t)delta);
		x64_alu_rr(&g->a, X64_ADD, 8, d, t);
	}
}

/* ---- guest state */
static struct x64_mem state(const struct ir_insn *i)
{
	return x64_at(X64_RBP, STATE(i->imm));
}

void emit_get(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	uint32_t offset = (uint32_t)i->imm;
	int n = gen_state_reg(offset);
	unsigned pin = gen_pin(g, n), low, d, bytes = bytes_of(i);

	if (g->val[v].flags & VAL_VEC || n >= 16) {
		emit_get_vec(g, i, v);
		return;
	}
	if (n < 0) { /* state that is not a register we track: read now */
		if (offset == X86_OFF(fsw))
			gen_x87_status(g);
		d = gen_def(g, v, 0);
		if (bytes >= 4)
			x64_mov_rm(&g->a, bytes, d, state(i));
		else
			x64_movzx_rm(&g->a, d, state(i), bytes);
		return;
	}
	low = offset - (uint32_t)n * 8;
	if (pin == X64_NO_REG) {
		gen_state_equals(g, v, offset, X64_NO_REG);
	} else if (!low) {
		gen_state_equals(g, v, offset, pin);
	} else {
		d = gen_def(g, v, 0);
		x64_mov_rr(&g->a, 8, d, pin);
		x64_shift_ri(&g->a, X64_SHR, 8, d, low * 8);
	}
}

static void put_pinned(struct gen *g, const struct ir_insn *i, int n, unsigned pin)
{
	ir_ref v = gen_rep(g, i->arg[0]);
	unsigned low = (uint32_t)i->imm - (uint32_t)n * 8, r;
	uint64_t c;

	if (i->type == IR_I64) {
		if (g->val[v].reg == pin && (g->val[v].flags & VAL_ALIAS))
			return; /* made in place */
		if (gen_const(g, v, &c)) {
			gen_state_written(g, (uint32_t)i->imm, 8);
			x64_mov_ri(&g->a, pin, c);
			return;
		}
		r = gen_use(g, v);
		gen_state_written(g, (uint32_t)i->imm, 8);
		x64_mov_rr(&g->a, 8, pin, r);
		gen_state_equals(g, v, (uint32_t)i->imm, pin);
		return;
	}
	r = gen_use(g, v);
	gen_state_written(g, (uint32_t)i->imm, 8);
	r = gen_use(g, v);	 /* it may have been saved from the pin just now */
	if (i->type == IR_I32) { /* rare: the upper half stays */
		unsigned t = gen_temp(g);
		x64_mov_rr(&g->a, 4, t, r);
		x64_shift_ri(&g->a, X64_SHR, 8, pin, 32);
		x64_shift_ri(&g->a, X64_SHL, 8, pin, 32);
		x64_alu_rr(&g->a, X64_OR, 8, pin, t);
		return;
	}
	if (low)
		x64_shift_ri(&g->a, X64_ROR, 8, pin, low * 8);
	x64_mov_low_rr(&g->a, bytes_of(i), pin, r);
	if (low)
		x64_shift_ri(&g->a, X64_ROL, 8, pin, low * 8);
}

void emit_put(struct gen *g, const struct ir_insn *i, ir_ref ref)
{
	uint32_t offset = (uint32_t)i->imm;
	int n = gen_state_reg(offset);
	unsigned pin = gen_pin(g, n), bytes = bytes_of(i);
	ir_ref v = gen_rep(g, i->arg[0]);
	int32_t imm;

	(void)ref;
	if (i->type >= IR_V128 || n >= 16) {
		emit_put_vec(g, i, ref);
		return;
	}
	if (pin != X64_NO_REG) {
		put_pinned(g, i, n, pin);
		return;
	}
	if (gen_const32(g, v, &imm)) {
		gen_state_written(g, offset, bytes);
		x64_mov_mi(&g->a, bytes, state(i), imm);
		return;
	}
	gen_use(g, v);
	if (n >= 0)
		gen_state_written(g, offset, bytes);
	x64_mov_mr(&g->a, bytes, state(i), gen_use(g, v));
	if (n >= 0 && ir_type_bytes(ir_type_of(g->b, v)) <= bytes && !(offset & 7))
		gen_state_equals(g, v, offset, X64_NO_REG);
}
