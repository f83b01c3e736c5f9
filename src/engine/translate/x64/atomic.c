/*
 * Rules for locked operations: the host's own, at the host address that a probe of the TLB gives.
 * Those that do not lie in plain memory are done in cold code.
 */
#include "engine/translate/x64/gen.h"

static unsigned bytes_of(const struct ir_insn *i)
{
	return ir_type_bytes((enum ir_type)i->type);
}

static void narrow_result(struct gen *g, unsigned bytes, unsigned d)
{
	if (bytes < 4)
		x64_movzx_rr(&g->a, d, d, bytes);
}

static void cold_atomic(struct gen *g, const struct ir_insn *i, unsigned ra, unsigned x, unsigned d,
			uint8_t *from, struct cold **out)
{
	struct cold *c = gen_cold_access(g, COLD_ATOMIC, i, ra, from);

	c->reg2 = (uint8_t)d;
	c->rmw = (uint8_t)x; /* operand, or X64_NO_REG: in frame.arg[1] already */
	*out = c;
}

static void atomic_exchange(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	struct gen_range range = gen_range_of(i, true);
	bool temp;
	unsigned ra = gen_address(g, i, &temp), rb, d, t1, t2, bytes = bytes_of(i);
	struct cold *c;
	uint8_t *from;

	rb = gen_use(g, i->arg[1]);
	d = gen_temp(g);
	x64_mov_rr(&g->a, 8, d, rb);
	if (!(g->val[gen_rep(g, i->arg[1])].flags & VAL_ALIAS))
		g->locked &= ~gen_bit(rb);
	t1 = gen_temp(g);
	t2 = gen_temp(g);
	from = gen_probe(g, &range, ra, t1, t2);
	cold_atomic(g, i, ra, d, d, from, &c);
	x64_mov_rm(&g->a, 8, t1, gen_addend(i->mmu, t1));
	if (i->op == IR_ATOMIC_XCHG)
		x64_xchg_mr(&g->a, bytes, x64_at_index(ra, t1, 0, 0), d);
	else
		x64_lock_xadd(&g->a, bytes, x64_at_index(ra, t1, 0, 0), d);
	narrow_result(g, bytes, d);
	c->back = g->a.at;
	gen_bind(g, v, d);
}

static void atomic_compare(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	struct gen_range range = gen_range_of(i, true);
	bool temp;
	unsigned ra, rn, t1, bytes = bytes_of(i);
	struct cold *c;
	uint8_t *from;

	gen_take(g, X64_RAX);
	x64_mov_mr(&g->a, 8, x64_at(X64_RBP, FRAME(arg[1])), gen_use(g, i->arg[1]));
	g->locked = gen_bit(X64_RAX);
	ra = gen_address(g, i, &temp);
	rn = gen_use(g, i->arg[2]);
	x64_mov_mr(&g->a, 8, x64_at(X64_RBP, FRAME(arg[2])), rn);
	t1 = gen_temp(g);
	from = gen_probe(g, &range, ra, t1, X64_RAX);
	cold_atomic(g, i, ra, X64_NO_REG, X64_RAX, from, &c);
	x64_mov_rm(&g->a, 8, t1, gen_addend(i->mmu, t1));
	x64_mov_rm(&g->a, bytes == 8 ? 8 : 4, X64_RAX, x64_at(X64_RBP, FRAME(arg[1])));
	x64_lock_cmpxchg(&g->a, bytes, x64_at_index(ra, t1, 0, 0), rn);
	narrow_result(g, bytes, X64_RAX);
	c->back = g->a.at;
	gen_bind(g, v, X64_RAX);
}

static enum x64_alu atomic_alu(unsigned op)
{
	return op == IR_ATOMIC_AND ? X64_AND : op == IR_ATOMIC_OR ? X64_OR : X64_XOR;
}

/* AND, OR, XOR: in one locked instruction if nobody wants the old value, else in a loop. The
 * operand's register holds the new value for a moment: there may be no other. */
static void atomic_logic(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	struct gen_range range = gen_range_of(i, true);
	bool temp, unused = g->val[v].uses == 0;
	unsigned ra, rb, t1, bytes = bytes_of(i);
	struct cold *c;
	uint8_t *from, *loop;

	gen_take(g, X64_RAX);
	ra = gen_address(g, i, &temp);
	rb = gen_use(g, i->arg[1]);
	t1 = gen_temp(g);
	from = gen_probe(g, &range, ra, t1, X64_RAX);
	cold_atomic(g, i, ra, rb, X64_RAX, from, &c);
	x64_mov_rm(&g->a, 8, t1, gen_addend(i->mmu, t1));
	if (unused) {
		x64_lock_alu_mr(&g->a, atomic_alu(i->op), bytes, x64_at_index(ra, t1, 0, 0), rb);
		c->back = g->a.at;
		return;
	}
	x64_alu_rr(&g->a, X64_ADD, 8, t1, ra);
	if (bytes >= 4)
		x64_mov_rm(&g->a, bytes, X64_RAX, x64_at(t1, 0));
	else
		x64_movzx_rm(&g->a, X64_RAX, x64_at(t1, 0), bytes);
	loop = g->a.at;
	x64_push(&g->a, rb);
	x64_alu_rr(&g->a, atomic_alu(i->op), bytes == 8 ? 8 : 4, rb, X64_RAX);
	x64_lock_cmpxchg(&g->a, bytes, x64_at(t1, 0), rb);
	x64_pop(&g->a, rb);
	x64_jcc(&g->a, X64_NE, loop);
	narrow_result(g, bytes, X64_RAX);
	c->back = g->a.at;
	gen_bind(g, v, X64_RAX);
}

void emit_atomic(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	gen_rmw_cancel(g);
	if (i->op == IR_ATOMIC_CMPXCHG)
		atomic_compare(g, i, v);
	else if (i->op == IR_ATOMIC_XCHG || i->op == IR_ATOMIC_ADD)
		atomic_exchange(g, i, v);
	else
		atomic_logic(g, i, v);
}

void emit_fence(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	(void)i;
	(void)v;
	x64_mfence(&g->a);
}
