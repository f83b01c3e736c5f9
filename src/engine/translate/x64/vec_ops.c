/*
 * Rules for vector operations (ir/vop.h), by the table of vop.c; what has no instruction there, or
 * needs more than this host has, is a call of its function.
 *
 * Which encoding: the legacy one keeps the upper half of the register it writes, which is what a
 * 128-bit put of a guest register asks for; the VEX one clears it (VAL_VEX), which is what a
 * 128-bit AVX instruction asks for. It has three operands besides, so it is taken where the upper
 * half is nobody's: for temporaries, and everywhere if only lower halves are in host registers.
 */
#include "engine/translate/x64/gen.h"
#include "engine/translate/x64/vop.h"

static const struct x64_enc movlhps = {0, 1, 0x16, 0}, movhlps = {0, 1, 0x12, 0},
			    xorps = {0, 1, 0x57, 0};

static unsigned vop_of(const struct ir_insn *i)
{
	return (unsigned)i->imm & 0xffff;
}

static unsigned imm8_of(const struct ir_insn *i)
{
	return (unsigned)(i->imm >> 16) & 0xff;
}

static bool is_vec(unsigned type)
{
	return type == IR_V128 || type == IR_V256;
}

/* VEX.L */
static unsigned length(const struct ir_insn *i)
{
	return i->type == IR_V256 || x64_vops[vop_of(i)].vex == X64_VEX_256;
}

static bool can_vex(const struct gen *g, const struct ir_insn *i)
{
	unsigned vop = vop_of(i), l = length(i);

	return x64_vops[vop].shape != X64_VOP_CALL && x64_vop_is_vex(vop, l) &&
	       host_cpu_has(&g->cpu, x64_vop_vex_needs(vop, l));
}

static bool can_sse(const struct gen *g, const struct ir_insn *i)
{
	unsigned vop = vop_of(i);

	return !length(i) && x64_vop_is_legacy(vop, imm8_of(i)) &&
	       host_cpu_has(&g->cpu, x64_vops[vop].needs);
}

bool gen_keeps_upper(const struct gen *g, const struct ir_insn *i)
{
	return i->op != IR_VOP || g->vec_bytes == 16 || can_sse(g, i) || !can_vex(g, i);
}

bool gen_can_clear_upper(const struct gen *g, const struct ir_insn *i)
{
	if (i->type != IR_V128 || g->vec_bytes < 32)
		return false;
	return i->op == IR_LOAD || (i->op == IR_VOP && can_vex(g, i));
}

bool gen_makes_flags(const struct ir_insn *i)
{
	uint8_t shape;

	if (i->op != IR_VOP)
		return false;
	shape = x64_vops[vop_of(i)].shape;
	return shape == X64_VOP_FLAGS || shape == X64_VOP_FLAGS_ECX;
}

/* One operation being emitted. */
struct op {
	struct gen *g;
	const struct ir_insn *i;
	ir_ref v;
	unsigned vop, imm8, l;
	bool vex;
};

static void put(const struct op *o, unsigned d, unsigned a, unsigned b, unsigned c)
{
	struct x64_vop_regs r = {(uint8_t)d, (uint8_t)a, (uint8_t)b, (uint8_t)c};

	if (o->vex)
		x64_vop_vex(&o->g->a, o->vop, o->l, r, o->imm8);
	else
		x64_vop_sse(&o->g->a, o->vop, r, o->imm8);
}

static bool same(const struct gen *g, ir_ref a, ir_ref b)
{
	return gen_rep(g, a) == gen_rep(g, b);
}

/* d = op(a, b) in the legacy form: is it cheaper to make it from b? */
static bool better_from(const struct gen *g, ir_ref v, ir_ref a, ir_ref b)
{
	const struct val *x = &g->val[gen_rep(g, a)], *y = &g->val[gen_rep(g, b)];
	uint8_t hint = g->val[v].hint;

	if (hint != X64_NO_REG)
		return y->reg == g->pins.vec[hint] && x->reg != y->reg;
	return (x->last > g->index || (x->flags & VAL_ALIAS)) && y->last <= g->index &&
	       !(y->flags & VAL_ALIAS);
}

static void emit_vec_binary(const struct op *o)
{
	struct gen *g = o->g;
	ir_ref a = o->i->arg[0], b = o->i->arg[1];
	unsigned d, ra, rb;

	if (o->vex) {
		ra = gen_use_vec(g, a);
		rb = gen_use_vec(g, b);
		put(o, gen_def_vec(g, o->v, 0), ra, rb, 0);
	} else if (same(g, a, b)) {
		d = gen_def_copy_vec(g, o->v, a, 0);
		put(o, d, d, d, 0);
	} else {
		if (x64_vops[o->vop].commutes && better_from(g, o->v, a, b)) {
			ir_ref t = a;
			a = b;
			b = t;
		}
		rb = gen_use_vec(g, b);
		d = gen_def_copy_vec(g, o->v, a, gen_bit(rb));
		put(o, d, d, rb, 0);
	}
}

static void emit_vec_unary(const struct op *o)
{
	unsigned ra = gen_use_vec(o->g, o->i->arg[0]);

	put(o, gen_def_vec(o->g, o->v, 0), ra, 0, 0);
}

static void emit_shift_imm(const struct op *o)
{
	unsigned d;

	if (o->vex) {
		emit_vec_unary(o);
		return;
	}
	d = gen_def_copy_vec(o->g, o->v, o->i->arg[0], 0);
	put(o, d, d, 0, 0);
}

static void emit_binary_xmm0(const struct op *o)
{
	struct gen *g = o->g;
	unsigned d, ra, rb, rc = gen_use_vec(g, o->i->arg[2]);

	if (o->vex) {
		ra = gen_use_vec(g, o->i->arg[0]);
		rb = gen_use_vec(g, o->i->arg[1]);
		put(o, gen_def_vec(g, o->v, 0), ra, rb, rc);
		return;
	}
	if (rc != 0) {
		gen_take_vec(g, 0);
		gen_movv_rr(g, 16, 0, rc);
		g->vec_locked &= ~gen_bit(rc);
	}
	rb = gen_use_vec(g, o->i->arg[1]);
	d = gen_def_copy_vec(g, o->v, o->i->arg[0], gen_bit(rb) | gen_bit(0));
	put(o, d, d, rb, 0);
}

/* Would one more copy be needed to have v made in its register? */
static bool is_cheap_target(const struct gen *g, ir_ref v, ir_ref a)
{
	const struct val *x = &g->val[gen_rep(g, a)];
	uint8_t hint = g->val[v].hint;

	if (hint != X64_NO_REG && x->reg == g->pins.vec[hint])
		return true;
	return hint == X64_NO_REG && x->last <= g->index && !(x->flags & VAL_ALIAS);
}

/* Which argument the result is made from, by the form of the instruction. */
static unsigned fma_target(const struct op *o)
{
	if (vop_table[o->vop].twin == VOP_TWIN_NONE)
		return 2; /* scalars: its other lanes stay */
	for (unsigned k = 3; k-- > 0;)
		if (is_cheap_target(o->g, o->v, o->i->arg[k]))
			return k;
	return 2;
}

static void emit_fma(const struct op *o)
{
	unsigned target = fma_target(o), r[3], d;
	ir_ref from = o->i->arg[target];
	uint32_t keep = 0;

	for (unsigned k = 0; k < 3; k++)
		if (!same(o->g, o->i->arg[k], from)) {
			r[k] = gen_use_vec(o->g, o->i->arg[k]);
			keep |= gen_bit(r[k]);
		}
	d = gen_def_copy_vec(o->g, o->v, from, keep);
	for (unsigned k = 0; k < 3; k++)
		if (same(o->g, o->i->arg[k], from))
			r[k] = d;
	put(o, d, r[0], r[1], r[2]);
}

static void emit_to_gpr(const struct op *o)
{
	unsigned ra = gen_use_vec(o->g, o->i->arg[0]);

	put(o, gen_def(o->g, o->v, 0), ra, 0, 0);
}

static void emit_unary_gpr(const struct op *o)
{
	struct gen *g = o->g;
	unsigned ra, d;
	uint64_t c;

	if (gen_const(g, o->i->arg[0], &c) && !c) {
		d = gen_def_vec(g, o->v, 0);
		if (o->vex)
			x64_vex_rr(&g->a, xorps, 0, d, d, d, -1);
		else
			x64_sse_rr(&g->a, xorps, d, d, -1);
		return;
	}
	ra = gen_use(g, o->i->arg[0]);
	put(o, gen_def_vec(g, o->v, 0), ra, 0, 0);
}

static void emit_from_gpr(const struct op *o)
{
	struct gen *g = o->g;
	unsigned rb = gen_use(g, o->i->arg[1]), ra, d;

	if (o->vex) {
		ra = gen_use_vec(g, o->i->arg[0]);
		put(o, gen_def_vec(g, o->v, 0), ra, rb, 0);
		return;
	}
	d = gen_def_copy_vec(g, o->v, o->i->arg[0], 0);
	put(o, d, d, rb, 0);
}

/* The result is the host's flags, packed. What LAHF gives besides is bit 1, which is nobody's:
 * packed flags are read by mask. The flags themselves stay as they are, for a condition right
 * behind. */
static void emit_flags(const struct op *o, bool ecx)
{
	struct gen *g = o->g;
	unsigned ra, rb, t = X64_NO_REG;

	gen_take(g, X64_RAX);
	if (ecx) {
		gen_take(g, X64_RCX);
		t = gen_temp(g);
		x64_mov_ri(&g->a, t, 0);
	}
	ra = gen_use_vec(g, o->i->arg[0]);
	rb = gen_use_vec(g, o->i->arg[1]);
	put(o, 0, ra, rb, 0);
	if (ecx)
		x64_setcc(&g->a, X64_O, t);
	x64_lahf(&g->a);
	x64_movzx_ah(&g->a);
	gen_bind(g, o->v, X64_RAX);
	if (ecx) {
		x64_shift_ri(&g->a, X64_SHL, 4, t, 11);
		x64_alu_rr(&g->a, X64_OR, 4, X64_RAX, t);
		gen_release(g, t);
		gen_release(g, X64_RCX);
	} else {
		g->packed_at = g->a.at;
		g->packed_val = o->v;
	}
}

static void emit_index_ecx(const struct op *o)
{
	struct gen *g = o->g;
	unsigned ra = gen_use_vec(g, o->i->arg[0]), rb = gen_use_vec(g, o->i->arg[1]);

	gen_take(g, X64_RCX);
	put(o, 0, ra, rb, 0);
	gen_bind(g, o->v, X64_RCX);
}

static void emit_mask_xmm0(const struct op *o)
{
	struct gen *g = o->g;
	unsigned ra, rb;

	gen_take_vec(g, 0);
	ra = gen_use_vec(g, o->i->arg[0]);
	rb = gen_use_vec(g, o->i->arg[1]);
	put(o, 0, ra, rb, 0);
	gen_bind_vec(g, o->v, 0);
}

static void emit_crc32(const struct op *o)
{
	struct gen *g = o->g;
	ir_ref a = o->i->arg[0], b = o->i->arg[1];
	unsigned d, rb;

	if (same(g, a, b)) {
		d = gen_def_copy(g, o->v, a, 0);
		put(o, d, d, d, 0);
		return;
	}
	rb = gen_use(g, b);
	d = gen_def_copy(g, o->v, a, gen_bit(rb));
	put(o, d, d, rb, 0);
}

static void emit_gpr_vex(const struct op *o)
{
	struct gen *g = o->g;
	unsigned ra = gen_use(g, o->i->arg[0]), rb = gen_use(g, o->i->arg[1]);

	put(o, gen_def(g, o->v, 0), ra, rb, 0);
}

/* ---- MMX: in the low halves of temporaries */
static unsigned mmx_use(struct gen *g, ir_ref a)
{
	unsigned t = gen_temp_vec(g);

	x64_movd_xr(&g->a, 8, t, gen_use(g, a));
	return t;
}

static void emit_mmx_one(const struct op *o)
{
	struct gen *g = o->g;
	unsigned t = mmx_use(g, o->i->arg[0]);

	if (x64_vops[o->vop].shape == X64_VOP_MMX_TO_GPR) {
		put(o, gen_def(g, o->v, 0), t, 0, 0);
		return;
	}
	put(o, t, t, 0, 0);
	x64_movd_rx(&g->a, 8, gen_def(g, o->v, 0), t);
}

static void emit_mmx_two(const struct op *o)
{
	struct gen *g = o->g;
	unsigned x = mmx_use(g, o->i->arg[0]), y = mmx_use(g, o->i->arg[1]);
	uint8_t shape = x64_vops[o->vop].shape;

	if (shape == X64_VOP_MMX_PAIR) {
		x64_sse_rr(&g->a, movlhps, x, y, -1);
		put(o, x, x, x, 0);
	} else {
		put(o, x, x, y, 0);
	}
	if (shape == X64_VOP_MMX_HIGH) {
		x64_sse_rr(&g->a, movhlps, y, x, -1);
		x = y;
	}
	x64_movd_rx(&g->a, 8, gen_def(g, o->v, 0), x);
}

/* ---- by function, through memory */

/* The function of a 256-bit twin, called as a plain one: which operation it is comes with imm8. */
enum { TWIN_VOP = 8, TWIN_SOFT = 24 };

static void run_twin(union ir_vec *d, const union ir_vec *a, const union ir_vec *b,
		     const union ir_vec *c, unsigned what)
{
	unsigned vop = what >> TWIN_VOP & 0xffff;

	vop_run_twin(vop, what >> TWIN_SOFT ? vop_hosts[vop].soft : vop_table[vop].fn, d, a, b, c,
		     what & 0xff);
}

static vop_fn *function(struct gen *g, const struct ir_insn *i, unsigned *arg)
{
	unsigned vop = vop_of(i);
	bool soft = vop_needs_soft(vop, &g->cpu);

	*arg = imm8_of(i);
	if (i->type == vop_table[vop].result)
		return soft ? vop_hosts[vop].soft : vop_table[vop].fn;
	*arg |= vop << TWIN_VOP | (unsigned)soft << TWIN_SOFT;
	return run_twin;
}

static void call_arg(struct gen *g, ir_ref v, unsigned k)
{
	struct x64_mem m = x64_at(X64_RBP, FRAME(vec_arg[0]) + 32 * (int32_t)k);

	if (g->val[gen_rep(g, v)].flags & VAL_VEC)
		gen_movv_mr(g, ir_type_of(g->b, v) == IR_V256 ? 32 : 16, m, gen_use_vec(g, v));
	else
		x64_mov_mr(&g->a, 8, m, gen_use(g, v));
	g->locked = g->vec_locked = 0;
}

static void vop_call(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	struct x64_mem result = x64_at(X64_RBP, FRAME(vec_result));
	unsigned bytes = ir_type_bytes((enum ir_type)i->type), arg;
	vop_fn *fn = function(g, i, &arg);

	gen_rmw_cancel(g);
	for (unsigned k = 0; k < 3; k++)
		if (i->arg[k] != IR_NONE)
			call_arg(g, i->arg[k], k);
	x64_mov_mi(&g->a, 4, x64_at(X64_RBP, FRAME(access)), (int32_t)arg);
	gen_take(g, X64_RAX);
	x64_mov_ri(&g->a, X64_RAX, (uint64_t)(uintptr_t)fn);
	x64_call(&g->a, g->thunks.vop);
	gen_release(g, X64_RAX);
	if (bytes >= 16)
		gen_movv_rm(g, bytes, gen_def_vec(g, v, 0), result);
	else if (bytes >= 4)
		x64_mov_rm(&g->a, bytes, gen_def(g, v, 0), result);
	else
		x64_movzx_rm(&g->a, gen_def(g, v, 0), result, bytes);
}

/* ---- */
typedef void (*shape_rule)(const struct op *o);

static void emit_flags_only(const struct op *o)
{
	emit_flags(o, false);
}

static void emit_flags_ecx(const struct op *o)
{
	emit_flags(o, true);
}

static const shape_rule shape_rules[] = {
	[X64_VOP_BINARY] = emit_vec_binary,
	[X64_VOP_UNARY] = emit_vec_unary,
	[X64_VOP_UNARY_RM] = emit_vec_unary,
	[X64_VOP_SHIFT_IMM] = emit_shift_imm,
	[X64_VOP_BINARY_XMM0] = emit_binary_xmm0,
	[X64_VOP_TWICE] = emit_vec_unary, /* has no legacy form */
	[X64_VOP_TO_GPR] = emit_to_gpr,
	[X64_VOP_TO_GPR_RM] = emit_to_gpr,
	[X64_VOP_UNARY_GPR] = emit_unary_gpr,
	[X64_VOP_FROM_GPR] = emit_from_gpr,
	[X64_VOP_FLAGS] = emit_flags_only,
	[X64_VOP_FLAGS_ECX] = emit_flags_ecx,
	[X64_VOP_INDEX_ECX] = emit_index_ecx,
	[X64_VOP_MASK_XMM0] = emit_mask_xmm0,
	[X64_VOP_CRC32] = emit_crc32,
	[X64_VOP_GPR_VEX] = emit_gpr_vex,
	[X64_VOP_FMA_231] = emit_fma,
	[X64_VOP_MMX_BINARY] = emit_mmx_two,
	[X64_VOP_MMX_UNARY] = emit_mmx_one,
	[X64_VOP_MMX_SHIFT_IMM] = emit_mmx_one,
	[X64_VOP_MMX_TO_GPR] = emit_mmx_one,
	[X64_VOP_MMX_HIGH] = emit_mmx_two,
	[X64_VOP_MMX_PAIR] = emit_mmx_two,
};

void emit_vop(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	struct op o = {g, i, v, vop_of(i), imm8_of(i), length(i), false};
	const struct val *x = &g->val[v];
	bool free_upper; /* nobody minds what becomes of the upper half */

	if (x->rep != v)
		return; /* loaded into a vector register */
	if (!can_sse(g, i) && !can_vex(g, i)) {
		vop_call(g, i, v);
		return;
	}
	free_upper = is_vec(i->type) && (g->vec_bytes == 16 || x->hint == X64_NO_REG);
	o.vex = can_vex(g, i) && (!can_sse(g, i) || (x->flags & VAL_VEX) || free_upper);
	shape_rules[x64_vops[o.vop].shape](&o);
}
