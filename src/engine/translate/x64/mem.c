/*
 * Rules for guest memory: the inline TLB probe described in isa/x86/cpu.h, with the call for what it
 * does not serve out of line. Alignment that an instruction or a locked access asks for is part of
 * the tag compare. A read that is written back keeps its host address for the write.
 */
#include "engine/translate/x64/gen.h"
#include "isa/x86/mmu.h"

static unsigned bytes_of(const struct ir_insn *i)
{
	return ir_type_bytes((enum ir_type)i->type);
}

static bool folded(const struct gen *g, ir_ref v, unsigned op)
{
	return (g->val[v].flags & VAL_FOLDED) && g->b->insn[v].op == op;
}

static bool displacement(const struct gen *g, ir_ref v, int32_t *disp)
{
	const struct ir_insn *i = &g->b->insn[v], *c;

	if (!folded(g, v, IR_ADD))
		return false;
	c = &g->b->insn[i->arg[1]];
	*disp = (int32_t)c->imm;
	return c->op == IR_CONST && c->imm >= -0x7fffffff && c->imm <= 0x7fffffff;
}

/* The base's temporary may become the address's, if nothing else of the operation needs it. */
static bool reusable(const struct gen *g, const struct ir_insn *i, ir_ref base)
{
	const struct val *x = &g->val[base];

	if ((x->flags & VAL_ALIAS) || x->reg == X64_NO_REG || x->last > g->index ||
	    gen_flags_hold(g, base))
		return false;
	for (unsigned k = 1; k < 3; k++)
		if (i->arg[k] != IR_NONE && gen_rep(g, i->arg[k]) == base)
			return false;
	return true;
}

unsigned gen_address(struct gen *g, const struct ir_insn *i, bool *temp)
{
	ir_ref v = i->arg[0];
	struct x64_mem m = {.index = X64_NO_REG};
	unsigned t;
	int32_t disp = 0;

	*temp = false;
	if (displacement(g, v, &disp))
		v = g->b->insn[v].arg[0];
	else
		disp = 0;
	m.disp = disp;
	if (folded(g, v, IR_ADD)) {
		ir_ref x = g->b->insn[v].arg[1];
		v = g->b->insn[v].arg[0];
		if (folded(g, v, IR_SHL)) {
			ir_ref y = x;
			x = v;
			v = y;
		}
		if (folded(g, x, IR_SHL)) {
			m.scale = (uint8_t)g->b->insn[g->b->insn[x].arg[1]].imm;
			x = g->b->insn[x].arg[0];
		}
		m.index = (uint8_t)gen_use(g, x);
	}
	v = gen_rep(g, v);
	m.base = (uint8_t)gen_use(g, v);
	if (m.index == X64_NO_REG && !disp)
		return m.base;
	*temp = true;
	if (reusable(g, i, v)) {
		t = m.base;
		g->owner[t] = IR_NONE;
		g->val[v].reg = X64_NO_REG;
	} else {
		t = gen_temp(g);
	}
	x64_lea(&g->a, 8, t, m);
	return t;
}

/* What of the address's low bits must be 0. */
static unsigned alignment(const struct ir_insn *i)
{
	if (i->op >= IR_ATOMIC_XCHG && i->op <= IR_ATOMIC_CMPXCHG)
		return bytes_of(i) - 1;
	if (i->aux & X86_MEM_ALIGN16)
		return 15;
	return i->aux & X86_MEM_ALIGN32 ? 31 : 0;
}

/* Compare the TLB entry for linear address ra; leaves the entry's index in t1, clobbers t2. Returns
 * the jump taken on a miss. */
static uint8_t *probe(struct gen *g, const struct ir_insn *i, unsigned ra, unsigned t1, unsigned t2,
		      bool write)
{
	int32_t tags = CPU(tlb) + (int32_t)(i->mmu * sizeof(struct x86_tlb)) +
		       (int32_t)(write ? offsetof(struct x86_tlb, tag_write)
				       : offsetof(struct x86_tlb, tag_read));
	unsigned align = alignment(i), bytes = bytes_of(i);

	x64_mov_rr(&g->a, 4, t1, ra);
	x64_shift_ri(&g->a, X64_SHR, 4, t1, PAGE_BITS);
	x64_alu_ri(&g->a, X64_AND, 4, t1, X86_TLB_SIZE - 1);
	if (align || bytes == 1)
		x64_mov_rr(&g->a, 8, t2, ra);
	else
		x64_lea(&g->a, 8, t2, x64_at(ra, (int32_t)bytes - 1));
	x64_alu_ri(&g->a, X64_AND, 8, t2, (int32_t)(-(int32_t)PAGE_BYTES | (int32_t)align));
	x64_alu_rm(&g->a, X64_CMP, 8, t2, x64_at_index(X64_RBP, t1, 3, tags));
	return x64_jcc(&g->a, X64_NE, NULL);
}

static struct x64_mem addend(const struct ir_insn *i, unsigned t1)
{
	int32_t at = CPU(tlb) + (int32_t)(i->mmu * sizeof(struct x86_tlb)) +
		     (int32_t)offsetof(struct x86_tlb, addend);

	return x64_at_index(X64_RBP, t1, 3, at);
}

static struct cold *cold_access(struct gen *g, unsigned kind, const struct ir_insn *i, unsigned ra,
				uint8_t *from)
{
	struct cold *c = gen_cold(g, kind);

	c->reg = (uint8_t)ra;
	c->reg2 = X64_NO_REG;
	c->rmw = X64_NO_REG;
	c->type = (enum ir_type)i->type;
	c->access = FRAME_ACCESS(i->type, i->op, i->mmu, i->aux);
	c->from[0] = from;
	return c;
}

/* Is the value read here written back to the same place by this instruction? */
static bool is_rmw(const struct gen *g, const struct ir_insn *i)
{
	return (i->aux & X86_MEM_RMW) && i->type <= IR_I64 && !(g->val[i->arg[0]].flags & VAL_FOLDED);
}

static void load_from(struct gen *g, const struct ir_insn *i, ir_ref v, unsigned d, struct x64_mem m)
{
	unsigned bytes = bytes_of(i);

	if (g->val[v].flags & VAL_VEX)
		gen_load_vex(g, bytes, d, m);
	else if (g->val[v].flags & VAL_VEC)
		gen_movv_rm(g, bytes, d, m);
	else if (bytes >= 4)
		x64_mov_rm(&g->a, bytes, d, m);
	else
		x64_movzx_rm(&g->a, d, m, bytes);
}

void emit_load(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	bool vec = g->val[v].flags & VAL_VEC, temp, rmw = is_rmw(g, i), pinned;
	unsigned ra, d, t1, t2;
	struct cold *c;
	uint8_t *from;

	gen_rmw_cancel(g);
	ra = gen_address(g, i, &temp);
	d = vec ? gen_def_vec(g, v, 0) : gen_def(g, v, 0);
	pinned = g->val[v].flags & VAL_ALIAS;
	t1 = gen_temp(g);
	t2 = vec || pinned || d == ra ? gen_temp(g) : d;
	from = probe(g, i, ra, t1, t2, i->aux & X86_MEM_RMW);
	c = cold_access(g, COLD_LOAD, i, ra, from);
	c->reg2 = (uint8_t)d;
	c->vec = vec;
	c->vex = g->val[v].flags & VAL_VEX;
	x64_mov_rm(&g->a, 8, t1, addend(i, t1));
	if (rmw) {
		x64_alu_rr(&g->a, X64_ADD, 8, t1, ra);
		load_from(g, i, v, d, x64_at(t1, 0));
		c->rmw = (uint8_t)t1;
	} else {
		load_from(g, i, v, d, x64_at_index(ra, t1, 0, 0));
	}
	c->back = g->a.at;
	if (t2 != d)
		gen_release(g, t2);
	if (temp)
		gen_release(g, ra);
	if (rmw) {
		g->rmw_address = gen_rep(g, i->arg[0]);
		g->rmw_reg = (uint8_t)t1;
		g->rmw_type = (enum ir_type)i->type;
	}
}

static void store_to(struct gen *g, const struct ir_insn *i, const struct cold *c, struct x64_mem m)
{
	if (c->vec)
		gen_movv_mr(g, bytes_of(i), m, c->reg2);
	else if (c->is_const)
		x64_mov_mi(&g->a, bytes_of(i), m, c->imm);
	else
		x64_mov_mr(&g->a, bytes_of(i), m, c->reg2);
}

static bool store_again(struct gen *g, const struct ir_insn *i, bool is_const, int32_t imm, unsigned r)
{
	unsigned h = g->rmw_reg;
	struct cold *c;
	uint8_t *from;

	if (g->rmw_address != gen_rep(g, i->arg[0]) || g->rmw_type != i->type)
		return false;
	x64_test_rr(&g->a, 8, h, h);
	from = x64_jcc(&g->a, X64_E, NULL);
	c = cold_access(g, COLD_STORE_AGAIN, i, X64_NO_REG, from);
	c->place = gen_place(g, i->arg[0]);
	c->reg2 = (uint8_t)r;
	c->is_const = is_const;
	c->imm = imm;
	store_to(g, i, c, x64_at(h, 0));
	c->back = g->a.at;
	return true;
}

void emit_store(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	ir_ref x = gen_rep(g, i->arg[1]);
	bool vec = g->val[x].flags & VAL_VEC, temp, is_const;
	unsigned ra, r = X64_NO_REG, t1, t2;
	int32_t imm = 0;
	struct cold *c;
	uint8_t *from;

	(void)v;
	is_const = !vec && gen_const32(g, x, &imm);
	if (g->rmw_address != IR_NONE && g->rmw_address == gen_rep(g, i->arg[0]) && !vec) {
		if (!is_const)
			r = gen_use(g, x);
		if (store_again(g, i, is_const, imm, r)) {
			gen_rmw_cancel(g);
			return;
		}
	}
	gen_rmw_cancel(g);
	ra = gen_address(g, i, &temp);
	if (vec)
		r = gen_use_vec(g, x);
	else if (!is_const)
		r = gen_use(g, x);
	t1 = gen_temp(g);
	t2 = gen_temp(g);
	from = probe(g, i, ra, t1, t2, true);
	c = cold_access(g, COLD_STORE, i, ra, from);
	c->reg2 = (uint8_t)r;
	c->vec = vec;
	c->is_const = is_const;
	c->imm = imm;
	x64_mov_rm(&g->a, 8, t1, addend(i, t1));
	store_to(g, i, c, x64_at_index(ra, t1, 0, 0));
	c->back = g->a.at;
}

/* ---- atomics */
static void narrow_result(struct gen *g, unsigned bytes, unsigned d)
{
	if (bytes < 4)
		x64_movzx_rr(&g->a, d, d, bytes);
}

static void cold_atomic(struct gen *g, const struct ir_insn *i, unsigned ra, unsigned x, unsigned d,
			uint8_t *from, struct cold **out)
{
	struct cold *c = cold_access(g, COLD_ATOMIC, i, ra, from);

	c->reg2 = (uint8_t)d;
	c->rmw = (uint8_t)x; /* operand, or X64_NO_REG: in frame.arg[1] already */
	*out = c;
}

static void atomic_exchange(struct gen *g, const struct ir_insn *i, ir_ref v)
{
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
	from = probe(g, i, ra, t1, t2, true);
	cold_atomic(g, i, ra, d, d, from, &c);
	x64_mov_rm(&g->a, 8, t1, addend(i, t1));
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
	from = probe(g, i, ra, t1, X64_RAX, true);
	cold_atomic(g, i, ra, X64_NO_REG, X64_RAX, from, &c);
	x64_mov_rm(&g->a, 8, t1, addend(i, t1));
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

/* AND, OR, XOR: in one locked instruction if nobody wants the old value, else in a loop. The operand's
 * register holds the new value for a moment: there may be no other. */
static void atomic_logic(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	bool temp, unused = g->val[v].uses == 0;
	unsigned ra, rb, t1, bytes = bytes_of(i);
	struct cold *c;
	uint8_t *from, *loop;

	gen_take(g, X64_RAX);
	ra = gen_address(g, i, &temp);
	rb = gen_use(g, i->arg[1]);
	t1 = gen_temp(g);
	from = probe(g, i, ra, t1, X64_RAX, true);
	cold_atomic(g, i, ra, rb, X64_RAX, from, &c);
	x64_mov_rm(&g->a, 8, t1, addend(i, t1));
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
