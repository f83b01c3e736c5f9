/*
 * What code generation wants to know before it starts: how often and until when each value is
 * used, which values are another's bits, which operations are emitted as part of others, and which
 * results can be made right in the register they will be put into.
 */
#include "engine/translate/x64/gen.h"
#include "ir/vop.h"

enum { HINT_REACH = 24 };

/* May the operation look at or leave with the guest's flags as they are in memory? */
bool gen_is_sync_point(const struct ir_insn *i)
{
	const struct ir_op_info *info = &ir_ops[i->op];

	if (i->op == IR_CALL) {
		const struct ir_helper *h = ir_helper_of(i);
		return (h->flags & (IR_HELPER_FAULTS | IR_HELPER_MEMORY)) ||
		       ((h->reads | h->writes) & X86_ST_FLAGS) || !(h->flags & IR_HELPER_PURE);
	}
	return info->may_fault || info->leaves || i->op == IR_GET_FLAGS;
}

static bool is_int(unsigned type)
{
	return type >= IR_I8 && type <= IR_I64;
}

/* Does the host instruction that makes this value clear what is above its type? */
static bool makes_zx(const struct gen *g, const struct ir_insn *i)
{
	if (i->type == IR_I64)
		return true;
	switch (i->op) {
	case IR_CONST:
	case IR_LOAD:
	case IR_ZEXT:
	case IR_COND:
	case IR_EQ:
	case IR_NE:
	case IR_LTU:
	case IR_LEU:
	case IR_LTS:
	case IR_LES:
	case IR_ATOMIC_XCHG:
	case IR_ATOMIC_ADD:
	case IR_ATOMIC_AND:
	case IR_ATOMIC_OR:
	case IR_ATOMIC_XOR:
	case IR_ATOMIC_CMPXCHG:
		return true;
	case IR_TRUNC:
	case IR_CALL:
		return false;
	case IR_GET: {
		int n = gen_state_reg((uint32_t)i->imm);
		return n < 0 || n >= 16 || g->pins.gpr[n] == X64_NO_REG;
	}
	default:
		return i->type == IR_I32;
	}
}

static void set_rep(struct gen *g, ir_ref v, const struct ir_insn *i)
{
	struct val *x = &g->val[v];
	ir_ref a;

	x->rep = v;
	if (i->op != IR_ZEXT && i->op != IR_TRUNC)
		return;
	a = g->val[i->arg[0]].rep;
	if (i->type == IR_V128) {
		x->rep = a; /* the low half of a V256 */
		return;
	}
	if (i->type == IR_V256 && gen_can_clear_upper(g, &g->b->insn[a])) {
		g->val[a].flags |= VAL_VEX;
		x->rep = a;
		return;
	}
	if (!is_int(i->type) || (g->val[a].flags & VAL_VEC))
		return;
	if (g->b->insn[a].op == IR_CONST)
		return; /* the constant's own bits differ */
	if (i->op == IR_TRUNC)
		x->rep = a;
	/* the representative may be wider than the value that is extended */
	else if ((g->val[a].flags & VAL_ZX) && g->b->insn[a].type <= g->b->insn[i->arg[0]].type)
		x->rep = a;
}

static void used(struct gen *g, ir_ref v, unsigned at)
{
	struct val *x;

	if (v == IR_NONE)
		return;
	x = &g->val[g->val[v].rep];
	x->uses++;
	if (x->last < at)
		x->last = (uint16_t)at;
	if (x->real < at)
		x->real = (uint16_t)at;
}

static void needed_until(struct gen *g, ir_ref v, unsigned at)
{
	struct val *x;

	if (v == IR_NONE)
		return;
	x = &g->val[g->val[v].rep];
	if (x->last < at)
		x->last = (uint16_t)at;
}

static void needed_really(struct gen *g, ir_ref v, unsigned at)
{
	if (v == IR_NONE)
		return;
	needed_until(g, v, at);
	if (g->val[g->val[v].rep].real < at)
		g->val[g->val[v].rep].real = (uint16_t)at;
}

static bool is_compare(unsigned op)
{
	return op >= IR_EQ && op <= IR_LES;
}

/* A value that is emitted by whoever uses it keeps its operands alive until then. */
static void extend_operands(struct gen *g, ir_ref v, unsigned at)
{
	const struct ir_insn *i = &g->b->insn[v];

	if (i->op == IR_COND)
		i = &g->b->insn[i->arg[0]];
	for (unsigned k = 0; k < 3; k++) {
		ir_ref a = i->arg[k];
		needed_really(g, a, at);
		if (a != IR_NONE && (g->val[a].flags & VAL_FOLDED))
			needed_really(g, g->b->insn[a].arg[0], at);
	}
}

static bool is_access(unsigned op)
{
	return op == IR_LOAD || op == IR_STORE || (op >= IR_ATOMIC_XCHG && op <= IR_ATOMIC_CMPXCHG);
}

static bool small_const(const struct gen *g, ir_ref v, int64_t max)
{
	const struct ir_insn *i = &g->b->insn[v];

	return i->op == IR_CONST && i->imm >= -max && i->imm <= max;
}

/* Used once, by the access at `at`: can it become part of the address? */
static bool foldable(const struct gen *g, ir_ref v, unsigned op)
{
	const struct ir_insn *i = &g->b->insn[v];
	const struct val *x = &g->val[v];

	return i->op == op && i->type == IR_I64 && x->rep == v && x->uses == 1;
}

static bool fold_index(struct gen *g, ir_ref v, unsigned at)
{
	const struct ir_insn *i = &g->b->insn[v];

	if (!foldable(g, v, IR_SHL) || !small_const(g, i->arg[1], 3) ||
	    g->b->insn[i->arg[1]].imm < 0)
		return false;
	g->val[v].flags |= VAL_FOLDED;
	needed_really(g, i->arg[0], at);
	return true;
}

/* Marks the address arithmetic of the access at `at` that an x86 address can do by itself. */
static void fold_address(struct gen *g, ir_ref v, unsigned at)
{
	const struct ir_insn *i;

	if (foldable(g, v, IR_ADD) && small_const(g, g->b->insn[v].arg[1], 0x7fffffff)) {
		g->val[v].flags |= VAL_FOLDED;
		v = g->b->insn[v].arg[0];
	}
	if (g->val[v].rep == v && foldable(g, v, IR_ADD)) {
		i = &g->b->insn[v];
		g->val[v].flags |= VAL_FOLDED;
		if (fold_index(g, i->arg[1], at)) {
			needed_really(g, i->arg[0], at);
		} else {
			needed_really(g, i->arg[1], at);
			if (!fold_index(g, i->arg[0], at))
				needed_really(g, i->arg[0], at);
		}
		return;
	}
	needed_really(g, v, at);
}

/* A sum with a shifted value that nothing else uses: one instruction. */
static void fold_sum(struct gen *g, unsigned n)
{
	const struct ir_insn *i = &g->b->insn[n];

	if (i->op != IR_ADD || i->type < IR_I32 || g->val[n].rep != n ||
	    (g->val[n].flags & VAL_FOLDED))
		return;
	for (unsigned k = 2; k-- > 0;) {
		ir_ref v = i->arg[k];
		const struct ir_insn *s = &g->b->insn[v];

		if (s->op != IR_SHL || s->type != i->type || g->val[v].rep != v ||
		    g->val[v].uses != 1 || !small_const(g, s->arg[1], 3) ||
		    g->b->insn[s->arg[1]].imm < 0 || g->b->insn[i->arg[!k]].op == IR_CONST)
			continue;
		g->val[v].flags |= VAL_FOLDED;
		needed_really(g, s->arg[0], n);
		return;
	}
}

/* A pure load-and-move into a vector register, or out of one. */
static void mark_vec_load(struct gen *g, ir_ref v, const struct ir_insn *i)
{
	unsigned id = (unsigned)i->imm & 0xffff;
	ir_ref a = i->arg[0];

	if (i->op != IR_VOP || (id != VOP_FROM32 && id != VOP_FROM64) || i->type != IR_V128)
		return;
	if (g->val[a].rep == a && g->b->insn[a].op == IR_LOAD && g->val[a].uses == 1) {
		g->val[a].flags |= VAL_VEC | VAL_VEC_LOAD | (g->val[v].flags & VAL_VEX);
		g->val[v].rep = a;
		g->val[a].last = g->val[v].last > g->val[a].last ? g->val[v].last : g->val[a].last;
		g->val[a].real = g->val[v].real > g->val[a].real ? g->val[v].real : g->val[a].real;
		g->val[a].uses = g->val[v].uses;
	}
}

static void count_uses(struct gen *g)
{
	const struct ir_block *b = g->b;

	for (unsigned n = 0; n < b->count; n++) {
		const struct ir_insn *i = &b->insn[n];
		struct val *x = &g->val[n];

		*x = (struct val){.reg = X64_NO_REG, .hint = X64_NO_REG, .next = IR_NONE};
		if (i->type == IR_V128 || i->type == IR_V256)
			x->flags |= VAL_VEC;
		if (makes_zx(g, i))
			x->flags |= VAL_ZX;
		set_rep(g, (ir_ref)n, i);
		x->real = x->last = (uint16_t)n;
		if (x->rep != n)
			continue;
		if (i->op == IR_MAKE_FLAGS)
			continue; /* used by who uses the flags */
		for (unsigned k = 0; k < 3; k++) {
			ir_ref a = i->arg[k];
			if (a == IR_NONE)
				continue;
			used(g, a, n);
			if (b->insn[a].op == IR_MAKE_FLAGS)
				for (unsigned j = 0; j < 3; j++)
					used(g, b->insn[a].arg[j], n);
		}
	}
}

/* Flags put at p stay pending until the next put_flags: who may look at them in between? */
static void extend_pending(struct gen *g)
{
	const struct ir_block *b = g->b;
	unsigned last_sync = 0; /* below, and above the next put_flags; or 0 */

	for (unsigned n = b->count; n-- > 0;) {
		const struct ir_insn *i = &b->insn[n];

		if (i->op == IR_PUT_FLAGS) {
			const struct ir_insn *f = &b->insn[i->arg[0]];
			for (unsigned k = 0; last_sync && f->op == IR_MAKE_FLAGS && k < 3; k++)
				needed_until(g, f->arg[k], last_sync);
			last_sync = 0;
		}
		if (!last_sync && gen_is_sync_point(i))
			last_sync = n;
	}
}

static void fuse(struct gen *g)
{
	const struct ir_block *b = g->b;

	for (unsigned n = 0; n < b->count; n++) {
		const struct ir_insn *i = &b->insn[n];
		ir_ref c;

		if (i->op != IR_EXIT_IF && i->op != IR_SELECT)
			continue;
		c = i->arg[0];
		if (g->val[c].rep != c || g->val[c].uses != 1)
			continue;
		if (!is_compare(b->insn[c].op) &&
		    !(b->insn[c].op == IR_COND && b->insn[b->insn[c].arg[0]].op == IR_MAKE_FLAGS))
			continue;
		g->val[c].flags |= VAL_FUSED;
		extend_operands(g, c, n);
	}
}

static void fold(struct gen *g)
{
	const struct ir_block *b = g->b;

	for (unsigned n = 0; n < b->count; n++)
		if (is_access(b->insn[n].op) && g->val[b->insn[n].arg[0]].rep == b->insn[n].arg[0])
			fold_address(g, b->insn[n].arg[0], n);
	for (unsigned n = 0; n < b->count; n++)
		fold_sum(g, n);
	for (unsigned n = b->count; n-- > 0;)
		mark_vec_load(g, (ir_ref)n, &b->insn[n]);
	for (unsigned n = 0; n < b->count; n++)
		g->val[n].rep = g->val[g->val[n].rep].rep;
}

/* Bits asked of packed flags that an operation made: by a test of the bits at the compare, or by
 * the host's flags if they are still there. */
static void fold_flag_bits(struct gen *g)
{
	for (unsigned n = 0; n < g->b->count; n++) {
		const struct ir_insn *i = &g->b->insn[n];
		enum x64_cc cc;
		ir_ref of;

		if (!gen_asks_flags(g, i, &of, &cc) || g->val[i->arg[0]].uses != 1)
			continue;
		g->val[i->arg[0]].flags |= VAL_FOLDED;
		needed_really(g, of, n);
	}
}

/* Packed flags that only rotates want, which set CF and OF. */
static void mark_no_carry(struct gen *g)
{
	const struct ir_block *b = g->b;

	for (unsigned n = 0; n < b->count; n++)
		if (b->insn[n].op == IR_PACK_FLAGS)
			g->val[n].flags |= VAL_NO_CARRY;
	for (unsigned n = 0; n < b->count; n++) {
		const struct ir_insn *i = &b->insn[n];
		bool rotate = i->op == IR_MAKE_FLAGS &&
			      (i->imm >> 2 == IR_FLAGS_ROL || i->imm >> 2 == IR_FLAGS_ROR);

		for (unsigned k = 0; k < 3; k++)
			if (i->arg[k] != IR_NONE && !(rotate && k == 1))
				g->val[g->val[i->arg[k]].rep].flags &= (uint16_t)~VAL_NO_CARRY;
	}
}

/* ---- hints */
static bool emits_into(const struct ir_insn *i)
{
	switch (i->op) {
	case IR_ADD:
	case IR_SUB:
	case IR_MUL:
	case IR_AND:
	case IR_OR:
	case IR_XOR:
	case IR_SHL:
	case IR_SHR:
	case IR_SAR:
	case IR_ROL:
	case IR_ROR:
	case IR_NOT:
	case IR_NEG:
	case IR_BSWAP:
	case IR_CLZ:
	case IR_CTZ:
	case IR_POPCNT:
	case IR_SELECT:
	case IR_ZEXT:
	case IR_SEXT:
	case IR_LOAD:
	case IR_PC:
	case IR_VOP:
		return true;
	default:
		return false;
	}
}

/* Between def (exclusive) and put (exclusive): nothing may leave or look at the register. */
static bool hint_ok(const struct gen *g, unsigned def, unsigned put, int reg)
{
	const struct ir_block *b = g->b;

	for (unsigned n = def + 1; n < put; n++) {
		const struct ir_insn *i = &b->insn[n];

		if (i->op == IR_GET || i->op == IR_PUT) {
			if (gen_state_reg((uint32_t)i->imm) == reg)
				return false;
		} else if (i->op == IR_CALL || ir_ops[i->op].leaves ||
			   ir_ops[i->op].may_fault || i->op == IR_GUEST) {
			return false;
		}
	}
	return true;
}

static void hint(struct gen *g, unsigned put)
{
	const struct ir_insn *i = &g->b->insn[put];
	int n = gen_state_reg((uint32_t)i->imm);
	ir_ref v = g->val[i->arg[0]].rep;
	struct val *x = &g->val[v];
	bool vec = n >= 16;

	if (n < 0 || gen_pin(g, n) == X64_NO_REG || x->hint != X64_NO_REG)
		return;
	if (vec ? i->type < IR_V128 || i->imm != X86_OFF_VEC(n - 16) : i->type != IR_I64)
		return;
	if (vec != !!(x->flags & VAL_VEC) || !emits_into(&g->b->insn[v]) || put - v > HINT_REACH)
		return;
	if (x->flags & (VAL_FUSED | VAL_FOLDED))
		return;
	if (vec && gen_vec_bytes(g, v) != ir_type_bytes((enum ir_type)i->type))
		return;
	if (vec && i->type == IR_V128 && !gen_keeps_upper(g, &g->b->insn[v]))
		return;
	if (hint_ok(g, v, put, n))
		x->hint = (uint8_t)(vec ? n - 16 : n);
}

static bool touches_vec(const struct gen *g, unsigned n)
{
	const struct ir_insn *i = &g->b->insn[n];

	if (g->val[n].flags & VAL_VEC)
		return true;
	return i->op == IR_PUT && gen_state_reg((uint32_t)i->imm) >= 16;
}

void gen_analyze(struct gen *g)
{
	g->uses_vec = false;
	count_uses(g);
	fold(g);
	fold_flag_bits(g);
	fuse(g);
	mark_no_carry(g);
	extend_pending(g);
	gen_group_accesses(g);
	gen_x87_analyze(g);
	for (unsigned n = 0; n < g->b->count; n++) {
		if (g->b->insn[n].op == IR_PUT)
			hint(g, n);
		g->uses_vec |= touches_vec(g, n);
		g->failed |= g->b->insn[n].type == IR_V256 && g->vec_bytes < 32;
	}
}
