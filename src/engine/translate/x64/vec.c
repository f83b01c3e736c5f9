/*
 * Rules for guest vector registers. Operations are in vec_ops.c.
 *
 * Legacy SSE encodings leave the upper half of a YMM register alone, which is what a 128-bit put of
 * a guest register asks for. On a host without AVX only the lower halves of pinned registers are in
 * host registers; blocks with 256-bit values are left to the interpreter.
 */
#include "engine/translate/x64/gen.h"

static const struct x64_enc movss = {2, 1, 0x10, 0}, movsd = {3, 1, 0x10, 0},
			    movlhps = {0, 1, 0x16, 0}, vmovaps = {0, 1, 0x28, 0};

static bool is_whole(const struct ir_insn *i, uint32_t low)
{
	return i->type >= IR_V128 && !low;
}

/* ---- guest registers */
static void get_part(struct gen *g, const struct ir_insn *i, ir_ref v, unsigned pin, uint32_t low)
{
	struct x64_mem from = x64_at(X64_RBP, FRAME(value) + (int32_t)low);
	unsigned bytes = ir_type_bytes((enum ir_type)i->type);

	if (!low && (i->type == IR_I64 || i->type == IR_I32)) {
		x64_movd_rx(&g->a, bytes, gen_def(g, v, 0), pin);
		return;
	}
	if (low >= 16 && g->vec_bytes == 16)
		from = x64_at(X64_RBP, STATE(i->imm)); /* upper halves are in memory */
	else
		x64_movv_mr(&g->a, g->vec_bytes, x64_at(X64_RBP, FRAME(value)), pin);
	if (bytes >= 16)
		x64_movv_rm(&g->a, bytes, gen_def_vec(g, v, 0), from);
	else if (bytes >= 4)
		x64_mov_rm(&g->a, bytes, gen_def(g, v, 0), from);
	else
		x64_movzx_rm(&g->a, gen_def(g, v, 0), from, bytes);
}

void emit_get_vec(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	uint32_t offset = (uint32_t)i->imm;
	int n = gen_state_reg(offset);
	unsigned pin = gen_pin(g, n), bytes = ir_type_bytes((enum ir_type)i->type);
	uint32_t low = n >= 16 ? offset - X86_OFF_VEC(n - 16) : 0;

	if (n < 16) { /* a vector from elsewhere in the state */
		x64_movv_rm(&g->a, bytes, gen_def_vec(g, v, 0), x64_at(X64_RBP, STATE(offset)));
	} else if (pin != X64_NO_REG && !is_whole(i, low)) {
		get_part(g, i, v, pin, low);
	} else if (pin != X64_NO_REG) {
		gen_state_equals(g, v, offset, pin);
	} else if (is_whole(i, low)) {
		gen_state_equals(g, v, offset, X64_NO_REG);
	} else if (bytes >= 16) {
		x64_movv_rm(&g->a, bytes, gen_def_vec(g, v, 0), x64_at(X64_RBP, STATE(offset)));
	} else if (bytes >= 4) {
		x64_mov_rm(&g->a, bytes, gen_def(g, v, 0), x64_at(X64_RBP, STATE(offset)));
	} else {
		x64_movzx_rm(&g->a, gen_def(g, v, 0), x64_at(X64_RBP, STATE(offset)), bytes);
	}
}

static void store_value(struct gen *g, enum ir_type type, struct x64_mem m, ir_ref v)
{
	unsigned bytes = ir_type_bytes(type);

	if (g->val[gen_rep(g, v)].flags & VAL_VEC)
		x64_movv_mr(&g->a, bytes, m, gen_use_vec(g, v));
	else
		x64_mov_mr(&g->a, bytes, m, gen_use(g, v));
}

static void put_part(struct gen *g, const struct ir_insn *i, unsigned pin, uint32_t low)
{
	ir_ref v = i->arg[0];
	unsigned t;

	gen_state_written(g, (uint32_t)i->imm, 1);
	if (i->type == IR_I64 || (i->type == IR_I32 && !low)) {
		unsigned bytes = ir_type_bytes((enum ir_type)i->type);
		if (low == 0 || low == 8) {
			t = gen_temp_vec(g);
			x64_movd_xr(&g->a, bytes, t, gen_use(g, v));
			x64_sse_rr(&g->a,
				   low		       ? movlhps
				   : i->type == IR_I32 ? movss
						       : movsd,
				   pin, t, -1);
			return;
		}
	}
	if (low >= 16 && g->vec_bytes == 16) {
		store_value(g, (enum ir_type)i->type, x64_at(X64_RBP, STATE(i->imm)), v);
		return;
	}
	x64_movv_mr(&g->a, g->vec_bytes, x64_at(X64_RBP, FRAME(value)), pin);
	store_value(g, (enum ir_type)i->type, x64_at(X64_RBP, FRAME(value) + (int32_t)low), v);
	x64_movv_rm(&g->a, g->vec_bytes, pin, x64_at(X64_RBP, FRAME(value)));
}

static void put_whole(struct gen *g, const struct ir_insn *i, unsigned pin)
{
	unsigned r, bytes = ir_type_bytes((enum ir_type)i->type);
	ir_ref v = gen_rep(g, i->arg[0]);

	if (g->val[v].reg == pin && (g->val[v].flags & VAL_ALIAS))
		return;
	r = gen_use_vec(g, v);
	gen_state_written(g, (uint32_t)i->imm, 32);
	r = gen_use_vec(g, v);
	x64_movv_rr(&g->a, bytes, pin, r);
	if (gen_vec_bytes(g, v) == bytes)
		gen_state_equals(g, v, (uint32_t)i->imm, pin);
}

void emit_put_vec(struct gen *g, const struct ir_insn *i, ir_ref ref)
{
	uint32_t offset = (uint32_t)i->imm;
	int n = gen_state_reg(offset);
	unsigned pin = gen_pin(g, n);
	uint32_t low = n >= 16 ? offset - X86_OFF_VEC(n - 16) : 0;
	ir_ref v = gen_rep(g, i->arg[0]);

	(void)ref;
	if (pin != X64_NO_REG && is_whole(i, low)) {
		put_whole(g, i, pin);
		return;
	}
	if (pin != X64_NO_REG) {
		put_part(g, i, pin, low);
		return;
	}
	if (n >= 0)
		gen_state_written(g, offset, 1);
	store_value(g, (enum ir_type)i->type, x64_at(X64_RBP, STATE(offset)), v);
	if (n >= 16 && is_whole(i, low) &&
	    gen_vec_bytes(g, v) == ir_type_bytes((enum ir_type)i->type))
		gen_state_equals(g, v, offset, X64_NO_REG);
}

void emit_extend_vec(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	unsigned r = gen_use_vec(g, i->arg[0]);

	if (g->vec_bytes == 32)
		x64_vex_rr(&g->a, vmovaps, 0, gen_def_vec(g, v, 0), X64_NO_REG, r, -1);
}

void gen_load_vex(struct gen *g, unsigned bytes, unsigned reg, struct x64_mem m)
{
	struct x64_enc e = {bytes == 4 ? 2 : bytes == 8 ? 3 : 0, 1, 0x10, 0};

	x64_vex_rm(&g->a, e, 0, reg, X64_NO_REG, m, -1);
}
