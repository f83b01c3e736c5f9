/*
 * Rules for guest vector registers. Operations are in vec_ops.c.
 *
 * Legacy SSE encodings leave the upper half of a YMM register alone, which is what a 128-bit put of
 * a guest register asks for. On a host without AVX only the lower halves of pinned registers are in
 * host registers; blocks with 256-bit values are left to the interpreter.
 */
#include "engine/translate/x64/gen.h"
#include "ir/vop.h"

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
		gen_movv_mr(g, g->vec_bytes, x64_at(X64_RBP, FRAME(value)), pin);
	if (bytes >= 16)
		gen_movv_rm(g, bytes, gen_def_vec(g, v, 0), from);
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
		gen_movv_rm(g, bytes, gen_def_vec(g, v, 0), x64_at(X64_RBP, STATE(offset)));
	} else if (pin != X64_NO_REG && !is_whole(i, low)) {
		get_part(g, i, v, pin, low);
	} else if (pin != X64_NO_REG) {
		gen_state_equals(g, v, offset, pin);
	} else if (is_whole(i, low)) {
		gen_state_equals(g, v, offset, X64_NO_REG);
	} else if (bytes >= 16) {
		gen_movv_rm(g, bytes, gen_def_vec(g, v, 0), x64_at(X64_RBP, STATE(offset)));
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
		gen_movv_mr(g, bytes, m, gen_use_vec(g, v));
	else
		x64_mov_mr(&g->a, bytes, m, gen_use(g, v));
}

static bool is_zero(const struct gen *g, ir_ref v)
{
	const struct ir_insn *i = &g->b->insn[gen_rep(g, v)];
	uint64_t c;

	return i->op == IR_VOP && (i->imm & 0xffff) == VOP_FROM64 && gen_const(g, i->arg[0], &c) &&
	       !c;
}

/* The upper halves of all sixteen registers have just been cleared: VZEROUPPER. The host's own
 * clears those of the temporaries too, beside which legacy SSE instructions would be slow from then
 * on. */
static bool all_uppers_cleared(const struct gen *g)
{
	for (unsigned n = 0; n < 16; n++) {
		const struct ir_insn *i = &g->b->insn[g->index - n];
		if (n > g->index || i->op != IR_PUT || i->type != IR_V128 ||
		    i->imm != X86_OFF_VEC(15 - n) + 16 || !is_zero(g, i->arg[0]))
			return false;
	}
	for (unsigned k = 0; k < g->pins.vec_temp_count; k++) {
		ir_ref v = g->vec_owner[g->pins.vec_temp[k]];
		if (v != IR_NONE && ir_type_of(g->b, v) == IR_V256)
			return false;
	}
	return true;
}

static void clear_upper(struct gen *g, unsigned pin)
{
	x64_vex_rr(&g->a, vmovaps, 0, pin, X64_NO_REG, pin, -1);
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
	if (i->type == IR_V128 && low == 16 && g->vec_bytes == 32 && is_zero(g, v)) {
		clear_upper(g, pin);
		return;
	}
	if (low >= 16 && g->vec_bytes == 16) {
		store_value(g, (enum ir_type)i->type, x64_at(X64_RBP, STATE(i->imm)), v);
		return;
	}
	gen_movv_mr(g, g->vec_bytes, x64_at(X64_RBP, FRAME(value)), pin);
	store_value(g, (enum ir_type)i->type, x64_at(X64_RBP, FRAME(value) + (int32_t)low), v);
	gen_movv_rm(g, g->vec_bytes, pin, x64_at(X64_RBP, FRAME(value)));
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
	gen_movv_rr(g, bytes, pin, r);
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
	if (offset == X86_OFF_VEC(15) + 16 && g->vec_bytes == 32 && all_uppers_cleared(g))
		x64_vzeroupper(&g->a);
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

static bool is_temp(const struct gen *g, unsigned reg)
{
	for (unsigned n = 0; n < 16; n++)
		if (g->pins.vec[n] == reg)
			return false;
	return true;
}

static struct x64_enc move_enc(unsigned bytes, unsigned opcode)
{
	return (struct x64_enc){bytes == 4 ? 2 : bytes == 8 ? 3 : 0, 1, (uint8_t)opcode, 0};
}

void gen_movv_rr(struct gen *g, unsigned bytes, unsigned dst, unsigned src)
{
	if (bytes == 16 && g->vec_bytes == 32 && dst != src && is_temp(g, dst))
		x64_vex_rr(&g->a, vmovaps, 0, dst, X64_NO_REG, src, -1);
	else
		x64_movv_rr(&g->a, bytes, dst, src);
}

void gen_movv_rm(struct gen *g, unsigned bytes, unsigned dst, struct x64_mem m)
{
	if (bytes <= 16 && g->vec_bytes == 32 && is_temp(g, dst))
		x64_vex_rm(&g->a, move_enc(bytes, 0x10), 0, dst, X64_NO_REG, m, -1);
	else
		x64_movv_rm(&g->a, bytes, dst, m);
}

void gen_movv_mr(struct gen *g, unsigned bytes, struct x64_mem m, unsigned src)
{
	if (bytes <= 16 && g->vec_bytes == 32)
		x64_vex_rm(&g->a,
			   bytes == 8 ? (struct x64_enc){1, 1, 0xd6, 0} : move_enc(bytes, 0x11), 0,
			   src, X64_NO_REG, m, -1);
	else
		x64_movv_mr(&g->a, bytes, m, src);
}

void gen_load_vex(struct gen *g, unsigned bytes, unsigned reg, struct x64_mem m)
{
	struct x64_enc e = {bytes == 4 ? 2 : bytes == 8 ? 3 : 0, 1, 0x10, 0};

	x64_vex_rm(&g->a, e, 0, reg, X64_NO_REG, m, -1);
}
