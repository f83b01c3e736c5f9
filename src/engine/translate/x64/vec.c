/*
 * Rules for vectors: guest vector registers, and vector operations by the table of vop.c, or by a
 * call of their reference function where the host has no instruction for them.
 *
 * Legacy SSE encodings leave the upper half of a YMM register alone, which is what a 128-bit put of
 * a guest register asks for. On a host without AVX only the lower halves of pinned registers are in
 * host registers; blocks with 256-bit values are left to the interpreter.
 */
#include "engine/translate/x64/gen.h"
#include "ir/vop.h"

static const struct x64_enc movss = {2, 1, 0x10, 0}, movsd = {3, 1, 0x10, 0}, movlhps = {0, 1, 0x16, 0},
			    vmovaps = {0, 1, 0x28, 0};

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
		from = x64_at(X64_RBP, (int32_t)i->imm); /* upper halves are in memory */
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

	if (i->type == IR_V256 && g->vec_bytes < 32)
		g->failed = true;
	if (n < 16) { /* a vector from elsewhere in the state */
		x64_movv_rm(&g->a, bytes, gen_def_vec(g, v, 0), x64_at(X64_RBP, (int32_t)offset));
	} else if (pin != X64_NO_REG && !is_whole(i, low)) {
		get_part(g, i, v, pin, low);
	} else if (pin != X64_NO_REG) {
		gen_state_equals(g, v, offset, pin);
	} else if (is_whole(i, low)) {
		gen_state_equals(g, v, offset, X64_NO_REG);
	} else if (bytes >= 16) {
		x64_movv_rm(&g->a, bytes, gen_def_vec(g, v, 0), x64_at(X64_RBP, (int32_t)offset));
	} else if (bytes >= 4) {
		x64_mov_rm(&g->a, bytes, gen_def(g, v, 0), x64_at(X64_RBP, (int32_t)offset));
	} else {
		x64_movzx_rm(&g->a, gen_def(g, v, 0), x64_at(X64_RBP, (int32_t)offset), bytes);
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
			x64_sse_rr(&g->a, low ? movlhps : i->type == IR_I32 ? movss : movsd, pin, t, -1);
			return;
		}
	}
	if (low >= 16 && g->vec_bytes == 16) {
		store_value(g, (enum ir_type)i->type, x64_at(X64_RBP, (int32_t)i->imm), v);
		return;
	}
	x64_movv_mr(&g->a, g->vec_bytes, x64_at(X64_RBP, FRAME(value)), pin);
	store_value(g, (enum ir_type)i->type, x64_at(X64_RBP, FRAME(value) + (int32_t)low), v);
	x64_movv_rm(&g->a, g->vec_bytes, pin, x64_at(X64_RBP, FRAME(value)));
}

static void put_whole(struct gen *g, const struct ir_insn *i, unsigned pin)
{
	ir_ref v = gen_rep(g, i->arg[0]);
	unsigned r;

	if (g->val[v].reg == pin && (g->val[v].flags & VAL_ALIAS) && i->type == IR_V128)
		return;
	r = gen_use_vec(g, v);
	gen_state_written(g, (uint32_t)i->imm, 32);
	r = gen_use_vec(g, v);
	x64_movv_rr(&g->a, ir_type_bytes((enum ir_type)i->type), pin, r);
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
	if (i->type == IR_V256 && g->vec_bytes < 32)
		g->failed = true;
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
	store_value(g, (enum ir_type)i->type, x64_at(X64_RBP, (int32_t)offset), v);
	if (n >= 16 && is_whole(i, low) && g->b->insn[v].type == i->type)
		gen_state_equals(g, v, offset, X64_NO_REG);
}

void emit_extend_vec(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	unsigned r = gen_use_vec(g, i->arg[0]);

	if (g->vec_bytes < 32)
		g->failed = true;
	else
		x64_vex_rr(&g->a, vmovaps, 0, gen_def_vec(g, v, 0), X64_NO_REG, r, -1);
}

/* ---- operations */
bool gen_keeps_upper(const struct ir_insn *i)
{
	(void)i;
	return true;
}

/* By the reference function, through memory. */
static void vop_call(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	const struct vop_info *info = &vop_table[i->imm & 0xffff];
	int32_t arg = FRAME(vec_arg[0]);

	for (unsigned k = 0; k < 3; k++) {
		struct x64_mem m = x64_at(X64_RBP, arg + 32 * (int32_t)k);
		if (i->arg[k] == IR_NONE)
			continue;
		if (g->val[gen_rep(g, i->arg[k])].flags & VAL_VEC)
			x64_movv_mr(&g->a, 16, m, gen_use_vec(g, i->arg[k]));
		else
			x64_mov_mr(&g->a, 8, m, gen_use(g, i->arg[k]));
	}
	x64_mov_mi(&g->a, 4, x64_at(X64_RBP, FRAME(access)), (int32_t)(i->imm >> 16 & 0xff));
	gen_take(g, X64_RAX);
	x64_mov_ri(&g->a, X64_RAX, (uint64_t)(uintptr_t)info->fn);
	x64_call(&g->a, g->thunks.vop);
	gen_release(g, X64_RAX);
	if (info->result >= IR_V128)
		x64_movv_rm(&g->a, 16, gen_def_vec(g, v, 0), x64_at(X64_RBP, FRAME(vec_result)));
	else if (ir_type_bytes((enum ir_type)info->result) >= 4)
		x64_mov_rm(&g->a, ir_type_bytes((enum ir_type)info->result), gen_def(g, v, 0),
			   x64_at(X64_RBP, FRAME(vec_result)));
	else
		x64_movzx_rm(&g->a, gen_def(g, v, 0), x64_at(X64_RBP, FRAME(vec_result)),
			     ir_type_bytes((enum ir_type)info->result));
}

void emit_vop(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	if (g->val[v].rep != v)
		return; /* loaded into a vector register */
	vop_call(g, i, v);
}
