/*
 * Values to registers: linear, on the fly, with the uses counted beforehand. Temporaries are given
 * out as operations need them; when none is free, the value whose last use is farthest goes to
 * memory. Values that stand for guest registers (aliases of a pin, or in their home) are saved
 * before the guest register is overwritten.
 */
#include <string.h>

#include "engine/translate/x64/gen.h"

struct bank {
	ir_ref *owner;
	uint32_t *locked;
	const uint8_t *temp;
	unsigned temp_count;
	bool vec;
};

static struct bank bank_of(struct gen *g, bool vec)
{
	if (vec)
		return (struct bank){g->vec_owner, &g->vec_locked, g->pins.vec_temp,
				     g->pins.vec_temp_count, true};
	return (struct bank){g->owner, &g->locked, g->pins.temp, g->pins.temp_count, false};
}

void gen_reset(struct gen *g)
{
	for (unsigned i = 0; i < 16; i++) {
		g->owner[i] = g->vec_owner[i] = IR_NONE;
		g->distance_of[i] = 0;
	}
	for (unsigned i = 0; i < FRAME_INT_SLOTS; i++)
		g->slot_owner[i] = IR_NONE;
	for (unsigned i = 0; i < FRAME_VEC_SLOTS; i++)
		g->vec_slot_owner[i] = IR_NONE;
	for (unsigned i = 0; i < 32; i++)
		g->state_list[i] = IR_NONE;
	g->locked = g->vec_locked = 0;
	g->pending = (struct pending){0};
	g->flags_at = g->packed_at = NULL;
	g->rmw_address = IR_NONE;
	g->address.base = X64_NO_REG;
}

int gen_state_reg(uint32_t offset)
{
	if (offset < 16 * 8)
		return (int)(offset / 8);
	if (offset - X86_OFF_VEC(0) < 16 * 32)
		return 16 + (int)((offset - X86_OFF_VEC(0)) / 32);
	return -1;
}

bool gen_const(const struct gen *g, ir_ref v, uint64_t *out)
{
	if (v == IR_NONE)
		return false;
	v = gen_rep(g, v);
	if (g->b->insn[v].op != IR_CONST)
		return false;
	*out = (uint64_t)g->b->insn[v].imm;
	return true;
}

bool gen_const32(const struct gen *g, ir_ref v, int32_t *out)
{
	unsigned bits = ir_type_bits(ir_type_of(g->b, v));
	uint64_t c;
	int64_t s;

	if (!gen_const(g, v, &c))
		return false;
	s = (int64_t)(c << (64 - bits)) >> (64 - bits);
	*out = (int32_t)s;
	return s == (int32_t)s;
}

bool gen_dies(const struct gen *g, ir_ref v)
{
	return g->val[v].real <= g->index && !gen_flags_hold(g, v);
}

/* ---- moving */
static void move(struct gen *g, bool vec, ir_ref v, unsigned dst, unsigned src)
{
	if (dst == src)
		return;
	if (vec)
		gen_movv_rr(g, gen_vec_bytes(g, v), dst, src);
	else
		x64_mov_rr(&g->a, 8, dst, src);
}

static struct x64_mem slot_mem(const struct val *x)
{
	if (x->flags & VAL_VEC)
		return x64_at(X64_RBP, FRAME(vec_slot) + 32 * (int32_t)x->slot);
	return x64_at(X64_RBP, FRAME(slot) + 8 * (int32_t)x->slot);
}

static void load_home(struct gen *g, ir_ref v, unsigned reg)
{
	struct x64_mem m = x64_at(X64_RBP, STATE(g->val[v].home));
	unsigned bytes = ir_type_bytes(ir_type_of(g->b, v));

	if (g->val[v].flags & VAL_VEC)
		gen_movv_rm(g, gen_vec_bytes(g, v), reg, m);
	else if (bytes >= 4)
		x64_mov_rm(&g->a, bytes, reg, m);
	else
		x64_movzx_rm(&g->a, reg, m, bytes);
}

/* Bring v, which is in no register, into reg. */
static void load(struct gen *g, ir_ref v, unsigned reg)
{
	const struct val *x = &g->val[v];
	uint64_t c;

	if (gen_const(g, v, &c)) {
		x64_mov_ri(&g->a, reg, c);
	} else if (x->flags & VAL_SPILLED) {
		if (x->flags & VAL_VEC)
			gen_movv_rm(g, gen_vec_bytes(g, v), reg, slot_mem(x));
		else
			x64_mov_rm(&g->a, 8, reg, slot_mem(x));
	} else {
		BUG_ON(!(x->flags & VAL_HOME), "a value is nowhere");
		load_home(g, v, reg);
	}
}

/* ---- spilling */
static unsigned free_slot(struct gen *g, ir_ref *owners, unsigned count, ir_ref v)
{
	for (unsigned i = 0; i < count; i++) {
		if (owners[i] == IR_NONE || g->val[owners[i]].last < g->index) {
			owners[i] = v;
			return i;
		}
	}
	g->failed = true;
	return 0;
}

static void spill(struct gen *g, ir_ref v)
{
	struct val *x = &g->val[v];
	uint64_t c;

	if ((x->flags & (VAL_SPILLED | VAL_HOME)) || gen_const(g, v, &c))
		return;
	if (x->flags & VAL_VEC) {
		x->slot = (uint16_t)free_slot(g, g->vec_slot_owner, FRAME_VEC_SLOTS, v);
		gen_movv_mr(g, gen_vec_bytes(g, v), slot_mem(x), x->reg);
	} else {
		x->slot = (uint16_t)free_slot(g, g->slot_owner, FRAME_INT_SLOTS, v);
		x64_mov_mr(&g->a, 8, slot_mem(x), x->reg);
	}
	x->flags |= VAL_SPILLED;
}

/* v leaves its temporary. */
static void evict(struct gen *g, struct bank *k, unsigned reg)
{
	ir_ref v = k->owner[reg];

	if (!k->vec)
		g->distance_of[reg] = 0;
	k->owner[reg] = IR_NONE;
	if (v == IR_NONE)
		return;
	if (gen_flags_hold(g, v))
		gen_flags_retire(g, v);
	if (g->val[v].real >= g->index)
		spill(g, v);
	g->val[v].reg = X64_NO_REG;
}

static bool clean(const struct gen *g, ir_ref v)
{
	uint64_t c;

	return (g->val[v].flags & (VAL_SPILLED | VAL_HOME)) || gen_const(g, v, &c);
}

static unsigned evict_cost(const struct gen *g, ir_ref v)
{
	const struct val *x = &g->val[v];
	unsigned far = x->last - g->index < 200 ? 200 - (x->last - g->index) : 0;

	if (x->real < g->index) /* for pending flags only, if at all */
		return gen_flags_hold(g, v) ? far : 0;
	return clean(g, v) ? 200 + far : 400 + far;
}

/* A free temporary, made free if need be; locked. */
static unsigned take_any(struct gen *g, struct bank *k)
{
	unsigned best = X64_NO_REG, cost = ~0u;

	for (unsigned i = 0; i < k->temp_count; i++) {
		unsigned r = k->temp[i], c;
		if (*k->locked & gen_bit(r))
			continue;
		if (k->owner[r] != IR_NONE)
			c = 2 + evict_cost(g, k->owner[r]);
		else
			c = !k->vec && g->distance_of[r];
		if (c < cost) {
			cost = c;
			best = r;
		}
	}
	if (best == X64_NO_REG && !k->vec && g->rmw_address != IR_NONE) {
		gen_rmw_cancel(g);
		return take_any(g, k);
	}
	if (best == X64_NO_REG) { /* the block is left to the interpreter */
		g->failed = true;
		return k->temp[0];
	}
	evict(g, k, best);
	*k->locked |= gen_bit(best);
	return best;
}

static void take(struct gen *g, struct bank *k, unsigned reg)
{
	ir_ref v = k->owner[reg];

	if (!k->vec && g->rmw_address != IR_NONE && g->rmw_reg == reg)
		gen_rmw_cancel(g);
	if (v != IR_NONE && g->val[v].real > g->index && !clean(g, v) && !gen_flags_hold(g, v)) {
		/* rather move it than store it */
		for (unsigned i = 0; i < k->temp_count; i++) {
			unsigned r = k->temp[i];
			if (k->owner[r] == IR_NONE && !(*k->locked & gen_bit(r)) && r != reg) {
				move(g, k->vec, v, r, reg);
				k->owner[r] = v;
				k->owner[reg] = IR_NONE;
				g->val[v].reg = (uint8_t)r;
				if (!k->vec)
					g->distance_of[r] = 0;
				break;
			}
		}
	}
	evict(g, k, reg);
	*k->locked |= gen_bit(reg);
}

/* ---- using */
static unsigned use(struct gen *g, ir_ref v, bool vec)
{
	struct bank k = bank_of(g, vec);
	struct val *x;

	v = gen_rep(g, v);
	x = &g->val[v];
	if (x->reg == X64_NO_REG) {
		unsigned r = take_any(g, &k);
		load(g, v, r);
		x->reg = (uint8_t)r;
		k.owner[r] = v;
	}
	*k.locked |= gen_bit(x->reg);
	return x->reg;
}

static void bind(struct gen *g, struct bank *k, ir_ref v, unsigned reg)
{
	if (!k->vec)
		g->distance_of[reg] = 0;
	k->owner[reg] = v;
	*k->locked |= gen_bit(reg);
	g->val[v].reg = (uint8_t)reg;
}

/* Values that stand for guest register n are about to lose their place; those that live on after
 * this operation (or still are read by it, with keep_now) find another. */
static void rescue(struct gen *g, int n, bool keep_now)
{
	ir_ref v = g->state_list[n], next;
	struct bank k = bank_of(g, n >= 16);

	g->state_list[n] = IR_NONE;
	for (; v != IR_NONE; v = next) {
		struct val *x = &g->val[v];
		bool used = x->real > g->index || (x->real == g->index && keep_now);
		bool needed = used || gen_flags_hold(g, v);
		bool alias = x->flags & VAL_ALIAS;
		unsigned pin = x->reg;

		next = x->next;
		if (needed && alias && gen_flags_hold(g, v)) {
			gen_flags_retire(g, v);
			needed = used;
		}
		if (alias) {
			x->reg = X64_NO_REG;
			x->flags &= (uint16_t)~VAL_ALIAS;
			if (needed && !(x->flags & VAL_SPILLED)) {
				unsigned r = take_any(g, &k);
				move(g, k.vec, v, r, pin);
				k.owner[r] = v;
				x->reg = (uint8_t)r;
				*k.locked &= ~gen_bit(r);
			}
		} else if (needed && x->reg == X64_NO_REG && !(x->flags & VAL_SPILLED) &&
			   (x->flags & VAL_HOME)) {
			unsigned r = take_any(g, &k);
			load_home(g, v, r);
			k.owner[r] = v;
			x->reg = (uint8_t)r;
			*k.locked &= ~gen_bit(r);
		}
		x->flags &= (uint16_t)~VAL_HOME;
	}
}

void gen_state_written(struct gen *g, uint32_t offset, unsigned bytes)
{
	int n = gen_state_reg(offset);

	(void)bytes;
	if (n >= 0)
		rescue(g, n, true);
}

static void join_list(struct gen *g, ir_ref v, int n)
{
	g->val[v].next = g->state_list[n];
	g->state_list[n] = v;
}

void gen_state_equals(struct gen *g, ir_ref v, uint32_t offset, unsigned reg)
{
	int n = gen_state_reg(offset);
	struct val *x;
	uint64_t c;

	v = gen_rep(g, v);
	x = &g->val[v];
	if (n < 0 || (x->flags & (VAL_ALIAS | VAL_HOME)) || gen_const(g, v, &c))
		return;
	if (reg != X64_NO_REG) {
		struct bank k = bank_of(g, n >= 16);
		if (x->reg != X64_NO_REG) {
			k.owner[x->reg] = IR_NONE;
			*k.locked &= ~gen_bit(x->reg);
		}
		x->reg = (uint8_t)reg;
		x->flags |= VAL_ALIAS;
	} else {
		x->home = offset;
		x->flags |= VAL_HOME;
	}
	join_list(g, v, n);
}

/* ---- defining */

/* Make v in the pin it is hinted to, if nothing that must survive is there. */
static bool def_hinted(struct gen *g, ir_ref v, uint32_t keep, bool vec)
{
	struct val *x = &g->val[v];
	const uint8_t *pins = vec ? g->pins.vec : g->pins.gpr;
	int n = x->hint; /* guest register */
	unsigned p;

	if (x->hint == X64_NO_REG)
		return false;
	p = pins[n];
	if (keep & gen_bit(p))
		return false;
	rescue(g, n + (vec ? 16 : 0), false);
	x->reg = (uint8_t)p;
	x->flags |= VAL_ALIAS;
	join_list(g, v, n + (vec ? 16 : 0));
	return true;
}

static unsigned def(struct gen *g, ir_ref v, uint32_t keep, bool vec)
{
	struct bank k = bank_of(g, vec);
	unsigned r;

	if (def_hinted(g, v, keep, vec))
		return g->val[v].reg;
	for (unsigned i = 0; i < k.temp_count; i++) {
		r = k.temp[i];
		if (k.owner[r] == IR_NONE || (keep & gen_bit(r)) || !gen_dies(g, k.owner[r]))
			continue;
		g->val[k.owner[r]].reg = X64_NO_REG;
		bind(g, &k, v, r);
		return r;
	}
	r = take_any(g, &k);
	bind(g, &k, v, r);
	return r;
}

static unsigned def_copy(struct gen *g, ir_ref v, ir_ref a, uint32_t keep, bool vec)
{
	struct bank k = bank_of(g, vec);
	struct val *x = &g->val[v], *y;
	unsigned from, r;
	bool wide;

	a = gen_rep(g, a);
	y = &g->val[a];
	/* of what is wider only the low half: the pin's upper one may have to stay */
	wide = vec && gen_vec_bytes(g, v) < gen_vec_bytes(g, a);
	if (x->hint != X64_NO_REG) {
		unsigned p = vec ? g->pins.vec[x->hint] : g->pins.gpr[x->hint];
		from = wide ? use(g, a, vec) : y->reg;
		if ((from == p && (y->flags & VAL_ALIAS)) || !(keep & gen_bit(p))) {
			if (from != p && from != X64_NO_REG)
				*k.locked |= gen_bit(from);
			/* a may itself be rescued from the pin; the pin still has its bits */
			def_hinted(g, v, keep & ~gen_bit(p), vec);
			if (from == X64_NO_REG)
				load(g, a, p);
			else
				move(g, vec, wide ? v : a, p, from);
			return p;
		}
	}
	from = use(g, a, vec);
	if (!(y->flags & VAL_ALIAS) && gen_dies(g, a) && !(keep & gen_bit(from))) {
		y->reg = X64_NO_REG;
		bind(g, &k, v, from);
		return from;
	}
	r = take_any(g, &k);
	move(g, vec, wide ? v : a, r, from);
	bind(g, &k, v, r);
	return r;
}

/* ---- the two banks */
unsigned gen_use(struct gen *g, ir_ref v)
{
	return use(g, v, false);
}

unsigned gen_use_vec(struct gen *g, ir_ref v)
{
	return use(g, v, true);
}

unsigned gen_temp(struct gen *g)
{
	struct bank k = bank_of(g, false);

	return take_any(g, &k);
}

unsigned gen_temp_vec(struct gen *g)
{
	struct bank k = bank_of(g, true);

	return take_any(g, &k);
}

void gen_take(struct gen *g, unsigned reg)
{
	struct bank k = bank_of(g, false);

	take(g, &k, reg);
}

void gen_take_vec(struct gen *g, unsigned reg)
{
	struct bank k = bank_of(g, true);

	take(g, &k, reg);
}

void gen_release(struct gen *g, unsigned reg)
{
	if (g->owner[reg] == IR_NONE)
		g->locked &= ~gen_bit(reg);
}

unsigned gen_def(struct gen *g, ir_ref v, uint32_t keep)
{
	return def(g, v, keep, false);
}

unsigned gen_def_vec(struct gen *g, ir_ref v, uint32_t keep)
{
	return def(g, v, keep, true);
}

unsigned gen_def_copy(struct gen *g, ir_ref v, ir_ref a, uint32_t keep)
{
	return def_copy(g, v, a, keep, false);
}

unsigned gen_def_copy_vec(struct gen *g, ir_ref v, ir_ref a, uint32_t keep)
{
	return def_copy(g, v, a, keep, true);
}

void gen_bind(struct gen *g, ir_ref v, unsigned reg)
{
	struct bank k = bank_of(g, false);

	bind(g, &k, v, reg);
}

void gen_bind_vec(struct gen *g, ir_ref v, unsigned reg)
{
	struct bank k = bank_of(g, true);

	bind(g, &k, v, reg);
}

static void end_bank(struct gen *g, struct bank k)
{
	*k.locked = 0;
	for (unsigned i = 0; i < k.temp_count; i++) {
		unsigned r = k.temp[i];
		ir_ref v = k.owner[r];
		if (v != IR_NONE && gen_dies(g, v)) {
			k.owner[r] = IR_NONE;
			g->val[v].reg = X64_NO_REG;
		}
	}
}

/* Cold code of this operation comes back to where these are kept. */
static void note_distances(struct gen *g)
{
	uint16_t mask = 0;

	for (unsigned r = 0; r < 16; r++)
		if (g->distance_of[r])
			mask |= (uint16_t)gen_bit(r);
	for (; g->cold_done < g->cold_count; g->cold_done++)
		g->cold[g->cold_done].distances = mask;
}

void gen_end_op(struct gen *g)
{
	end_bank(g, bank_of(g, false));
	end_bank(g, bank_of(g, true));
	if (g->rmw_address != IR_NONE)
		g->locked |= gen_bit(g->rmw_reg);
	note_distances(g);
	g->address.base = X64_NO_REG;
}

static void spill_bank(struct gen *g, struct bank k)
{
	for (unsigned i = 0; i < k.temp_count; i++)
		if (k.owner[k.temp[i]] != IR_NONE)
			evict(g, &k, k.temp[i]);
}

void gen_rmw_cancel(struct gen *g)
{
	if (g->rmw_address != IR_NONE)
		g->locked &= ~gen_bit(g->rmw_reg);
	g->rmw_address = IR_NONE;
}

void gen_spill_temps(struct gen *g)
{
	gen_rmw_cancel(g);
	spill_bank(g, bank_of(g, false));
	spill_bank(g, bank_of(g, true));
	memset(g->distance_of, 0, sizeof(g->distance_of)); /* for what clobbers them all */
}

struct place gen_place(struct gen *g, ir_ref v)
{
	const struct val *x = &g->val[gen_rep(g, v)];
	uint64_t c;

	if (gen_const(g, v, &c))
		return (struct place){.kind = PLACE_CONST, .imm = c};
	if (x->reg != X64_NO_REG)
		return (struct place){.kind = PLACE_REG, .reg = x->reg};
	if (x->flags & VAL_SPILLED)
		return (struct place){.kind = PLACE_MEM, .disp = slot_mem(x).disp};
	BUG_ON(!(x->flags & VAL_HOME), "an operand of flags is nowhere");
	return (struct place){.kind = PLACE_MEM, .disp = STATE(x->home)};
}
