/*
 * Condition codes: pending flags and how they reach guest state, conditions as host flags, packing.
 * Where the host's own instruction, done again, gives the flags, it does; the odd ones go to the one
 * definition in ir/flags.c.
 */
#include "engine/translate/x64/gen.h"

/* ---- pending */
static int32_t cc_disp(unsigned target)
{
	static const int32_t disp[4] = {CPU(cc_a), CPU(cc_b), CPU(cc_c), CPU(cc_kind)};

	return disp[target];
}

static unsigned operands(uint32_t key)
{
	switch (key >> 2) {
	case IR_FLAGS_RAW: case IR_FLAGS_LOGIC:
		return 1;
	case IR_FLAGS_INC: case IR_FLAGS_DEC:
		return 5; /* a and c */
	case IR_FLAGS_ADC: case IR_FLAGS_SBB:
		return 7;
	default:
		return 3;
	}
}

bool gen_flags_hold(const struct gen *g, ir_ref v)
{
	const struct pending *p = &g->pending;

	for (unsigned k = 0; p->active && k < 3; k++)
		if (p->arg[k] == v && !p->stored[k])
			return true;
	return false;
}

static void store_place(struct gen *g, const struct place *p)
{
	struct x64_mem to = x64_at(X64_RBP, cc_disp(p->target));

	if (p->kind == PLACE_REG) {
		x64_mov_mr(&g->a, p->target == 3 ? 4 : 8, to, p->reg);
	} else if (p->kind == PLACE_CONST && p->target == 3) {
		x64_mov_mi(&g->a, 4, to, (int32_t)p->imm);
	} else if (p->kind == PLACE_CONST && (int64_t)p->imm == (int32_t)p->imm) {
		x64_mov_mi(&g->a, 8, to, (int32_t)p->imm);
	} else if (p->kind == PLACE_CONST) {
		x64_mov_mi(&g->a, 4, to, (int32_t)p->imm);
		to.disp += 4;
		x64_mov_mi(&g->a, 4, to, (int32_t)(p->imm >> 32));
	} else {
		/* no register is free for certain here */
		x64_mov_mr(&g->a, 8, x64_at(X64_RBP, FRAME(kept)), X64_RAX);
		x64_mov_rm(&g->a, 8, X64_RAX, x64_at(X64_RBP, p->disp));
		x64_mov_mr(&g->a, 8, to, X64_RAX);
		x64_mov_rm(&g->a, 8, X64_RAX, x64_at(X64_RBP, FRAME(kept)));
	}
}

void gen_flags_retire(struct gen *g, ir_ref v)
{
	struct pending *p = &g->pending;

	for (unsigned k = 0; k < 3; k++) {
		struct place at;
		if (p->arg[k] != v || p->stored[k])
			continue;
		at = gen_place(g, v);
		at.target = (uint8_t)k;
		store_place(g, &at);
		p->stored[k] = true;
	}
}

void gen_flags_snapshot(struct gen *g, struct flush *f)
{
	const struct pending *p = &g->pending;

	f->count = 0;
	if (!p->active)
		return;
	for (unsigned k = 0; k < 3; k++) {
		if (p->stored[k])
			continue;
		f->place[f->count] = gen_place(g, p->arg[k]);
		f->place[f->count++].target = (uint8_t)k;
	}
	if (!p->stored[3])
		f->place[f->count++] = (struct place){.kind = PLACE_CONST, .target = 3, .imm = p->key};
}

void gen_flags_store(struct gen *g, const struct flush *f)
{
	for (unsigned k = 0; k < f->count; k++)
		store_place(g, &f->place[k]);
}

void gen_flags_flush(struct gen *g)
{
	struct flush f;

	gen_flags_snapshot(g, &f);
	gen_flags_store(g, &f);
	for (unsigned k = 0; k < 4; k++)
		g->pending.stored[k] = true;
}

void gen_put_flags(struct gen *g, ir_ref f)
{
	const struct ir_insn *i = &g->b->insn[f];
	struct pending p = {.active = true, .key = (uint32_t)i->imm};
	unsigned need;

	if (i->op == IR_GET_FLAGS)
		return; /* they are what they were: no put came between (checked by gen_compile) */
	need = operands(p.key);
	for (unsigned k = 0; k < 3; k++) {
		p.stored[k] = !(need >> k & 1) || i->arg[k] == IR_NONE;
		p.arg[k] = i->arg[k] == IR_NONE ? IR_NONE : gen_rep(g, i->arg[k]);
	}
	g->pending = p;
}

/* ---- conditions */
static unsigned type_bytes(const struct gen *g, ir_ref v)
{
	return ir_type_bytes(ir_type_of(g->b, v));
}

static void compare(struct gen *g, unsigned bytes, ir_ref a, ir_ref b)
{
	int32_t imm;
	unsigned ra = gen_use(g, a);

	if (gen_const32(g, b, &imm)) {
		if (bytes < 4)
			imm = bytes == 1 ? (int8_t)imm : (int16_t)imm;
		if (imm == 0 && g->flags_at == g->a.at && g->flags_val == gen_rep(g, a) &&
		    type_bytes(g, g->flags_val) == bytes)
			return; /* (only asked for conditions that do not need CF or OF) */
		if (imm == 0)
			x64_test_rr(&g->a, bytes, ra, ra);
		else
			x64_alu_ri(&g->a, X64_CMP, bytes, ra, imm);
	} else {
		x64_alu_rr(&g->a, X64_CMP, bytes, ra, gen_use(g, b));
	}
}

static enum x64_cc compare_cc(enum ir_op op)
{
	switch (op) {
	case IR_EQ: return X64_E;
	case IR_NE: return X64_NE;
	case IR_LTU: return X64_B;
	case IR_LEU: return X64_BE;
	case IR_LTS: return X64_L;
	default: return X64_LE;
	}
}

static enum x64_cc swapped_cc(enum x64_cc cc)
{
	switch (cc) {
	case X64_B: return X64_A;
	case X64_BE: return X64_AE;
	case X64_L: return X64_G;
	case X64_LE: return X64_GE;
	default: return cc;
	}
}

bool gen_asks_flags(const struct gen *g, const struct ir_insn *i, ir_ref *of, enum x64_cc *cc)
{
	static const uint16_t mask[] = {X86_OF, X86_CF, X86_ZF, X86_CF | X86_ZF, X86_SF, X86_PF};
	const struct ir_insn *bits;
	uint64_t c;

	if ((i->op != IR_EQ && i->op != IR_NE) || !gen_const(g, i->arg[1], &c) || c)
		return false;
	bits = &g->b->insn[i->arg[0]];
	if (bits->op != IR_AND || !gen_const(g, bits->arg[1], &c) ||
	    !gen_makes_flags(&g->b->insn[gen_rep(g, bits->arg[0])]))
		return false;
	*of = gen_rep(g, bits->arg[0]);
	for (unsigned k = 0; k < 6; k++) {
		*cc = (enum x64_cc)(2 * k + (i->op == IR_EQ));
		if (mask[k] == c)
			return true;
	}
	return false;
}

/* The flags that a vector operation just left are those of v. */
static bool flags_are_packed(const struct gen *g, ir_ref v)
{
	return g->packed_at == g->a.at && g->packed_val == gen_rep(g, v);
}

static enum x64_cc test_flag_bits(struct gen *g, const struct ir_insn *i, ir_ref of, enum x64_cc cc)
{
	uint64_t mask;

	if (flags_are_packed(g, of))
		return cc;
	gen_const(g, g->b->insn[i->arg[0]].arg[1], &mask);
	x64_test_ri(&g->a, 4, gen_use(g, of), (int32_t)mask);
	return i->op == IR_NE ? X64_NE : X64_E;
}

static enum x64_cc test_compare(struct gen *g, const struct ir_insn *i)
{
	enum x64_cc cc = compare_cc((enum ir_op)i->op);
	enum ir_type t = (enum ir_type)i->imm;
	ir_ref a = i->arg[0], b = i->arg[1], of;
	uint64_t c;

	if ((g->val[a].flags & VAL_FOLDED) && gen_asks_flags(g, i, &of, &cc))
		return test_flag_bits(g, i, of, cc);
	if (gen_const(g, a, &c) && !gen_const(g, b, &c)) {
		ir_ref x = a;
		a = b;
		b = x;
		cc = swapped_cc(cc);
	}
	if (cc != X64_E && cc != X64_NE)
		g->flags_at = NULL; /* flags at hand serve for zero or not only */
	compare(g, ir_type_bytes(t), a, b);
	return cc;
}

/* Do the operation again on a copy, for its flags. */
static unsigned copy_of(struct gen *g, ir_ref a)
{
	unsigned t = gen_temp(g), ra = gen_use(g, a);

	x64_mov_rr(&g->a, 8, t, ra);
	g->locked &= ~gen_bit(ra);
	return t;
}

static void again_binary(struct gen *g, enum x64_alu op, unsigned bytes, ir_ref a, ir_ref b)
{
	unsigned rb = gen_use(g, b), t = copy_of(g, a);

	x64_alu_rr(&g->a, op, bytes, t, rb);
}

static void again_shift(struct gen *g, enum x64_shift op, unsigned bytes, ir_ref a, ir_ref b)
{
	unsigned t, rb;
	uint64_t n;

	if (gen_const(g, b, &n)) {
		t = copy_of(g, a);
		x64_shift_ri(&g->a, op, bytes, t, (unsigned)n & 63);
		return;
	}
	rb = gen_use(g, b);
	if (rb != X64_RCX) {
		gen_take(g, X64_RCX);
		x64_mov_rr(&g->a, 4, X64_RCX, rb);
		g->locked &= ~gen_bit(rb);
	}
	t = copy_of(g, a);
	x64_shift_cl(&g->a, op, bytes, t);
}

/* Host flags = those of the six that the host's instruction leaves right. Which are not: AF of
 * logic and shifts; OF of shifts by more than one. */
static bool again(struct gen *g, const struct ir_insn *f)
{
	unsigned bytes = 1u << (f->imm & 3);
	unsigned rc, t;

	switch ((enum ir_flags_kind)(f->imm >> 2)) {
	case IR_FLAGS_SUB:
		compare(g, bytes, f->arg[0], f->arg[1]);
		return true;
	case IR_FLAGS_ADD:
		again_binary(g, X64_ADD, bytes, f->arg[0], f->arg[1]);
		return true;
	case IR_FLAGS_LOGIC:
		t = gen_use(g, f->arg[0]);
		x64_test_rr(&g->a, bytes, t, t);
		return true;
	case IR_FLAGS_INC: case IR_FLAGS_DEC:
		t = copy_of(g, f->arg[0]);
		x64_alu_ri(&g->a, (f->imm >> 2) == IR_FLAGS_INC ? X64_ADD : X64_SUB, bytes, t, 1);
		return true;
	case IR_FLAGS_ADC: case IR_FLAGS_SBB:
		rc = gen_use(g, f->arg[2]);
		gen_use(g, f->arg[1]);
		t = copy_of(g, f->arg[0]);
		x64_bt_ri(&g->a, 4, rc, 0);
		x64_alu_rr(&g->a, (f->imm >> 2) == IR_FLAGS_ADC ? X64_ADC : X64_SBB, bytes, t,
			   gen_use(g, f->arg[1]));
		return true;
	case IR_FLAGS_SHL:
		again_shift(g, X64_SHL, bytes, f->arg[0], f->arg[1]);
		return true;
	case IR_FLAGS_SHR:
		again_shift(g, X64_SHR, bytes, f->arg[0], f->arg[1]);
		return true;
	case IR_FLAGS_SAR:
		again_shift(g, X64_SAR, bytes, f->arg[0], f->arg[1]);
		return true;
	default:
		return false;
	}
}

enum { USES_C = 1, USES_O = 2, USES_OTHER = 4 };

static unsigned cond_uses(enum ir_cond c)
{
	switch (c & ~1) {
	case IR_COND_O: return USES_O;
	case IR_COND_B: return USES_C;
	case IR_COND_BE: return USES_C | USES_OTHER;
	case IR_COND_L: case IR_COND_LE: return USES_O | USES_OTHER;
	default: return USES_OTHER;
	}
}

/* Packed flags in `reg`, whose bits tell the condition. */
static enum x64_cc test_packed(struct gen *g, unsigned reg, enum ir_cond c)
{
	static const uint16_t mask[8] = {X86_OF, X86_CF, X86_ZF, X86_CF | X86_ZF, X86_SF, X86_PF};
	bool not = c & 1;
	unsigned t;

	if ((c & ~1) != IR_COND_L && (c & ~1) != IR_COND_LE) {
		x64_test_ri(&g->a, 4, reg, mask[c >> 1]);
		return not ? X64_E : X64_NE;
	}
	t = gen_temp(g); /* SF != OF: bit 7 after XOR; ZF, bit 6, beside it */
	x64_mov_rr(&g->a, 4, t, reg);
	x64_shift_ri(&g->a, X64_SHR, 4, t, 4);
	if ((c & ~1) == IR_COND_L) {
		x64_alu_rr(&g->a, X64_XOR, 4, t, reg);
		x64_test_ri(&g->a, 4, t, X86_SF);
	} else {
		x64_alu_ri(&g->a, X64_AND, 4, t, X86_SF);
		x64_alu_rr(&g->a, X64_XOR, 4, t, reg);
		x64_test_ri(&g->a, 4, t, X86_SF | X86_ZF);
	}
	return not ? X64_E : X64_NE;
}

/* Store the operands where the evaluating function finds them, as frame.arg, and call it: packed
 * flags in RAX. */
static void eval_call(struct gen *g, const struct ir_insn *f)
{
	for (unsigned k = 0; k < 3; k++)
		if (f->arg[k] != IR_NONE)
			x64_mov_mr(&g->a, 8, x64_at(X64_RBP, FRAME(arg[0]) + 8 * (int32_t)k),
				   gen_use(g, f->arg[k]));
	x64_mov_mi(&g->a, 4, x64_at(X64_RBP, FRAME(access)), (int32_t)f->imm);
	g->locked = 0;
	gen_spill_temps(g);
	gen_take(g, X64_RAX);
	x64_mov_ri(&g->a, X64_RAX, (uint64_t)(uintptr_t)gen_eval_tuple);
	gen_call(g, g->thunks.helper, false);
	gen_vec_ensure(g);
	gen_x87_ensure(g);
}

static bool host_op_serves(const struct ir_insn *f, enum ir_cond c)
{
	unsigned uses = cond_uses(c);

	switch ((enum ir_flags_kind)(f->imm >> 2)) {
	case IR_FLAGS_SUB: case IR_FLAGS_ADD: case IR_FLAGS_LOGIC: case IR_FLAGS_ADC:
	case IR_FLAGS_SBB:
		return true;
	case IR_FLAGS_INC: case IR_FLAGS_DEC:
		return !(uses & USES_C);
	case IR_FLAGS_SHL: case IR_FLAGS_SHR: case IR_FLAGS_SAR:
		return !(uses & USES_O);
	default:
		return false;
	}
}

static enum x64_cc test_cond(struct gen *g, const struct ir_insn *i)
{
	const struct ir_insn *f = &g->b->insn[i->arg[0]];
	enum ir_cond c = (enum ir_cond)i->imm;

	if (f->op == IR_MAKE_FLAGS && host_op_serves(f, c)) {
		g->flags_at = NULL;
		again(g, f);
		return (enum x64_cc)c;
	}
	if (f->op == IR_MAKE_FLAGS && (f->imm >> 2) == IR_FLAGS_RAW &&
	    flags_are_packed(g, f->arg[0]))
		return (enum x64_cc)c;
	if (f->op == IR_MAKE_FLAGS && (f->imm >> 2) == IR_FLAGS_RAW)
		return test_packed(g, gen_use(g, f->arg[0]), c);
	if (f->op == IR_MAKE_FLAGS && cond_uses(c) == USES_C && f->arg[2] != IR_NONE) {
		x64_test_ri(&g->a, 1, gen_use(g, f->arg[2]), 1); /* inc, dec */
		return c & 1 ? X64_E : X64_NE;
	}
	eval_call(g, f);
	return test_packed(g, X64_RAX, c);
}

enum x64_cc gen_test(struct gen *g, ir_ref v)
{
	const struct ir_insn *i = &g->b->insn[v];
	unsigned r;

	if (g->val[v].flags & VAL_FUSED)
		return i->op == IR_COND ? test_cond(g, i) : test_compare(g, i);
	r = gen_use(g, v);
	x64_test_rr(&g->a, 1, r, r);
	return X64_NE;
}

void emit_compare(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	enum x64_cc cc;
	unsigned r;

	if (g->val[v].flags & VAL_FUSED)
		return;
	if (i->op == IR_COND && g->b->insn[i->arg[0]].op == IR_GET_FLAGS) {
		gen_guess(g, i, v);
		return;
	}
	cc = i->op == IR_COND ? test_cond(g, i) : test_compare(g, i);
	r = gen_def(g, v, 0);
	x64_setcc(&g->a, cc, r);
	x64_movzx_rr(&g->a, r, r, 1);
}

static bool host_op_packs(unsigned kind)
{
	return kind == IR_FLAGS_SUB || kind == IR_FLAGS_ADD || kind == IR_FLAGS_LOGIC ||
	       kind == IR_FLAGS_SHL || kind == IR_FLAGS_SHR || kind == IR_FLAGS_SAR;
}

unsigned gen_pack_temp(struct gen *g, unsigned kind, ir_ref v)
{
	bool of = kind != IR_FLAGS_LOGIC && !(g->val[v].flags & VAL_NO_CARRY);

	return of ? gen_temp(g) : X64_NO_REG;
}

void gen_pack_host(struct gen *g, unsigned kind, unsigned t)
{
	bool of = t != X64_NO_REG, af = kind == IR_FLAGS_ADD || kind == IR_FLAGS_SUB;

	if (of)
		x64_setcc(&g->a, X64_O, t);
	x64_lahf(&g->a);
	x64_movzx_ah(&g->a);
	if (of || !af) /* who wants no OF looks at bits that are flags only */
		x64_alu_ri(&g->a, X64_AND, 4, X64_RAX,
			   X86_CF | X86_PF | X86_ZF | X86_SF | (af ? X86_AF : 0));
	if (of) {
		x64_movzx_rr(&g->a, t, t, 1);
		x64_shift_ri(&g->a, X64_SHL, 4, t, 11);
		x64_alu_rr(&g->a, X64_OR, 4, X64_RAX, t);
	}
}

void emit_pack_flags(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	const struct ir_insn *f = &g->b->insn[i->arg[0]];
	unsigned kind = (unsigned)f->imm >> 2, d;

	if (f->op == IR_GET_FLAGS) {
		gen_guess_packed(g, v);
		return;
	}
	if (f->op == IR_MAKE_FLAGS && kind == IR_FLAGS_RAW) {
		d = gen_def_copy(g, v, f->arg[0], 0);
		x64_alu_ri(&g->a, X64_AND, 4, d, X86_ARITH_FLAGS);
		return;
	}
	if (f->op == IR_MAKE_FLAGS && host_op_packs(kind)) {
		gen_take(g, X64_RAX);
		g->flags_at = NULL;
		again(g, f);
		g->locked = gen_bit(X64_RAX); /* the operands have been read */
		if (g->rmw_address != IR_NONE)
			g->locked |= gen_bit(g->rmw_reg);
		gen_pack_host(g, kind, gen_pack_temp(g, kind, v));
		gen_bind(g, v, X64_RAX);
		return;
	}
	eval_call(g, f);
	gen_bind(g, v, X64_RAX);
}
