/*
 * Conditions of flags, or all of them packed, that are in guest state, made by code that ran
 * before: of what kind they are is seen when the code is made and taken for what they mostly are
 * (gen_source.cc_kind). If they are, the host's own instruction on the operands in memory gives the
 * condition; else cold code asks the one definition in ir/flags.c, without disturbing any register.
 */
#include "engine/translate/x64/gen.h"
#include "ir/flags.h"

static struct x64_mem operand(int32_t disp)
{
	return x64_at(X64_RBP, disp);
}

static void load_a(struct gen *g, unsigned bytes, unsigned r)
{
	if (bytes < 4)
		x64_movzx_rm(&g->a, r, operand(CPU(cc_a)), bytes);
	else
		x64_mov_rm(&g->a, bytes, r, operand(CPU(cc_a)));
}

static bool serves(uint32_t key, enum ir_cond c)
{
	switch ((enum ir_flags_kind)(key >> 2)) {
	case IR_FLAGS_SUB:
	case IR_FLAGS_ADD:
	case IR_FLAGS_LOGIC:
	case IR_FLAGS_ADC:
	case IR_FLAGS_SBB:
		return true;
	case IR_FLAGS_INC:
	case IR_FLAGS_DEC:
		return (c & ~1) != IR_COND_BE; /* CF and ZF are of two operations */
	default:
		return false;
	}
}

/* Host flags that say c of flags `key`, r being free: by which condition. */
static enum x64_cc test(struct gen *g, uint32_t key, enum ir_cond c, unsigned r)
{
	unsigned bytes = 1u << (key & 3), kind = key >> 2;

	switch (kind) {
	case IR_FLAGS_SUB:
	case IR_FLAGS_ADD:
		load_a(g, bytes, r);
		x64_alu_rm(&g->a, kind == IR_FLAGS_SUB ? X64_CMP : X64_ADD, bytes, r,
			   operand(CPU(cc_b)));
		break;
	case IR_FLAGS_LOGIC:
		load_a(g, bytes, r);
		x64_test_rr(&g->a, bytes, r, r);
		break;
	case IR_FLAGS_ADC:
	case IR_FLAGS_SBB:
		x64_mov_rm(&g->a, 4, r, operand(CPU(cc_c)));
		x64_bt_ri(&g->a, 4, r, 0);
		load_a(g, bytes, r); /* a move: the carry stays */
		x64_alu_rm(&g->a, kind == IR_FLAGS_ADC ? X64_ADC : X64_SBB, bytes, r,
			   operand(CPU(cc_b)));
		break;
	default: /* INC, DEC */
		if ((c & ~1) == IR_COND_B) {
			x64_test_mi(&g->a, 1, operand(CPU(cc_c)), 1);
			return c == IR_COND_B ? X64_NE : X64_E;
		}
		load_a(g, bytes, r);
		x64_alu_ri(&g->a, kind == IR_FLAGS_INC ? X64_ADD : X64_SUB, bytes, r, 1);
	}
	return (enum x64_cc)c;
}

/* By the definition; c: a condition, or GEN_ALL_FLAGS. Keeps all registers but r. */
static void ask(struct gen *g, unsigned c, unsigned r)
{
	x64_mov_mi(&g->a, 4, x64_at(X64_RBP, FRAME(access)), (int32_t)c);
	x64_call(&g->a, g->thunks.cond);
	x64_mov_rm(&g->a, 4, r, x64_at(X64_RBP, FRAME(value)));
}

void gen_guess(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	enum ir_cond c = (enum ir_cond)i->imm;
	uint32_t key = g->src->cc_kind;
	unsigned r = gen_temp(g);
	struct cold *k;

	gen_bind(g, v, r);
	g->flags_at = NULL;
	if (!serves(key, c)) {
		ask(g, c, r);
		return;
	}
	x64_alu_mi(&g->a, X64_CMP, 4, operand(CPU(cc_kind)), (int32_t)key);
	k = gen_cold(g, COLD_COND);
	k->from[0] = x64_jcc(&g->a, X64_NE, NULL);
	k->reg = (uint8_t)r;
	k->access = c;
	x64_setcc(&g->a, test(g, key, c, r), r);
	x64_movzx_rr(&g->a, r, r, 1);
	k->back = g->a.at;
}

void gen_guess_packed(struct gen *g, ir_ref v)
{
	uint32_t key = g->src->cc_kind;
	unsigned kind = key >> 2, t;
	struct cold *k;

	gen_take(g, X64_RAX);
	g->flags_at = NULL;
	if (kind != IR_FLAGS_SUB && kind != IR_FLAGS_ADD && kind != IR_FLAGS_LOGIC) {
		ask(g, GEN_ALL_FLAGS, X64_RAX);
		gen_bind(g, v, X64_RAX);
		return;
	}
	t = gen_pack_temp(g, kind, v); /* what it held is to be saved on both ways */
	x64_alu_mi(&g->a, X64_CMP, 4, operand(CPU(cc_kind)), (int32_t)key);
	k = gen_cold(g, COLD_COND);
	k->from[0] = x64_jcc(&g->a, X64_NE, NULL);
	k->reg = X64_RAX;
	k->access = GEN_ALL_FLAGS;
	test(g, key, IR_COND_E, X64_RAX);
	gen_pack_host(g, kind, t);
	gen_bind(g, v, X64_RAX);
	k->back = g->a.at;
}

void gen_cold_cond(struct gen *g, const struct cold *c)
{
	ask(g, c->access, c->reg);
}

void gen_cond_state(struct x86_cpu *cpu)
{
	struct frame *f = cpu_frame(cpu);

	if (f->access == GEN_ALL_FLAGS) {
		f->value.u64[0] = ir_flags_eval(cpu->cc_kind, cpu->cc_a, cpu->cc_b, cpu->cc_c);
		return;
	}
	f->value.u64[0] = ir_cond_eval((enum ir_cond)f->access, cpu->cc_kind, cpu->cc_a, cpu->cc_b,
				       cpu->cc_c);
}
