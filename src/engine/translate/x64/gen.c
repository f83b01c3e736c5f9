/* The walk over a block: one rule per operation, then the code out of the way. */
#include "engine/translate/x64/gen.h"

static void emit_nothing(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	(void)g;
	(void)i;
	(void)v;
}

/* What follows reads them from guest state. */
static void emit_get_flags(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	(void)i;
	(void)v;
	gen_flags_flush(g);
}

static void emit_put_flags(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	(void)v;
	gen_put_flags(g, i->arg[0]);
}

static void emit_guest(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	(void)v;
	g->guest++;
	g->guest_offset = g->page_offset + (int32_t)i->imm;
	g->guest_len = i->aux;
}

const gen_rule gen_rules[IR_OP_COUNT] = {
	[IR_CONST] = emit_nothing, /* where it is used */
	[IR_GET] = emit_get,
	[IR_PUT] = emit_put,
	[IR_GET_FLAGS] = emit_get_flags,
	[IR_PUT_FLAGS] = emit_put_flags,
	[IR_PC] = emit_pc,
	[IR_ADD] = emit_binary,
	[IR_SUB] = emit_binary,
	[IR_MUL] = emit_mul,
	[IR_AND] = emit_binary,
	[IR_OR] = emit_binary,
	[IR_XOR] = emit_binary,
	[IR_SHL] = emit_shift,
	[IR_SHR] = emit_shift,
	[IR_SAR] = emit_shift,
	[IR_ROL] = emit_shift,
	[IR_ROR] = emit_shift,
	[IR_MULHU] = emit_mul_high,
	[IR_MULHS] = emit_mul_high,
	[IR_NOT] = emit_unary,
	[IR_NEG] = emit_unary,
	[IR_BSWAP] = emit_unary,
	[IR_CLZ] = emit_count,
	[IR_CTZ] = emit_count,
	[IR_POPCNT] = emit_count,
	[IR_EQ] = emit_compare,
	[IR_NE] = emit_compare,
	[IR_LTU] = emit_compare,
	[IR_LEU] = emit_compare,
	[IR_LTS] = emit_compare,
	[IR_LES] = emit_compare,
	[IR_SELECT] = emit_select,
	[IR_ZEXT] = emit_extend,
	[IR_SEXT] = emit_extend,
	[IR_TRUNC] = emit_extend,
	[IR_MAKE_FLAGS] = emit_nothing, /* where they are used */
	[IR_COND] = emit_compare,
	[IR_PACK_FLAGS] = emit_pack_flags,
	[IR_LOAD] = emit_load,
	[IR_STORE] = emit_store,
	[IR_ATOMIC_XCHG] = emit_atomic,
	[IR_ATOMIC_ADD] = emit_atomic,
	[IR_ATOMIC_AND] = emit_atomic,
	[IR_ATOMIC_OR] = emit_atomic,
	[IR_ATOMIC_XOR] = emit_atomic,
	[IR_ATOMIC_CMPXCHG] = emit_atomic,
	[IR_FENCE] = emit_fence,
	[IR_VOP] = emit_vop,
	[IR_CALL] = emit_call,
	[IR_GUEST] = emit_guest,
	[IR_EXIT_IF] = emit_exit_if,
	[IR_EXIT_UNLESS] = emit_exit_unless,
	[IR_EXIT_MOVED] = emit_exit_moved,
	[IR_EXIT] = emit_exit,
	[IR_EXIT_INDIRECT] = emit_exit_indirect,
	[IR_EXIT_STATE] = emit_exit_state,
};

/* Flags read from guest state must be used before others are put: what is made of them later would
 * see the others. */
static bool flags_are_simple(const struct ir_block *b)
{
	unsigned put = 0;

	for (unsigned n = 0; n < b->count; n++) {
		const struct ir_insn *i = &b->insn[n];

		if (i->op == IR_PUT_FLAGS || i->op == IR_CALL)
			put = n;
		if ((i->op == IR_COND || i->op == IR_PACK_FLAGS || i->op == IR_PUT_FLAGS) &&
		    b->insn[i->arg[0]].op == IR_GET_FLAGS && i->arg[0] < put && put != n)
			return false;
	}
	return true;
}

size_t gen_compile(struct gen *g, const struct gen_source *src, uint8_t *at, uint8_t *end)
{
	const struct ir_block *b = src->b;

	if (!flags_are_simple(b))
		return 0;
	g->src = src;
	g->b = b;
	g->a = (struct x64_asm){.at = at,
				.end = end,
				.start = at,
				.relative = g->relative,
				.relative_max = GEN_RELATIVE_MAX};
	g->start = at;
	g->page_offset = (int32_t)(src->gpa & PAGE_OFFSET_MASK);
	g->index = 0;
	g->guest = -1;
	g->guest_offset = g->page_offset;
	g->guest_len = 0;
	g->failed = false;
	g->cold_count = g->cold_done = g->link_count = g->fault_count = g->site_count = 0;
	gen_reset(g);
	gen_analyze(g);
	gen_prologue(g);
	for (unsigned n = 0; n < b->count && !g->failed; n++) {
		const struct ir_insn *i = &b->insn[n];

		g->index = n;
		if (g->val[n].flags & VAL_FOLDED)
			continue;
		if (ir_ops[i->op].result != IR_RESULT_NONE && !g->val[n].uses &&
		    !ir_insn_side_effect(i) && i->op != IR_LOAD)
			continue; /* dead */
		gen_rules[i->op](g, i, (ir_ref)n);
		gen_end_op(g);
	}
	g->pending.active = false;
	g->hot_bytes = (size_t)(g->a.at - at);
	if (!g->failed)
		gen_cold_emit(g);
	return g->failed || g->a.overflow ? 0 : (size_t)(g->a.at - at);
}

uint64_t gen_eval_tuple(void *opaque, uint64_t a, uint64_t b, uint64_t c)
{
	struct x86_cpu *cpu = opaque;

	return ir_flags_eval(cpu_frame(cpu)->access, a, b, c);
}
