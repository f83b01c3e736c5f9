/*
 * Rules for guest memory: the inline TLB probe described in isa/x86/cpu.h, with the call for what
 * it does not serve out of line. Alignment that an instruction or a locked access asks for is part
 * of the tag compare. A read that is written back keeps its host address for the write.
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

static bool is_temp(const struct gen *g, unsigned reg)
{
	for (unsigned k = 0; k < g->pins.temp_count; k++)
		if (g->pins.temp[k] == reg)
			return true;
	return false;
}

/* The base's temporary may become the address's, if nothing else of the operation needs it. */
static bool reusable(const struct gen *g, const struct ir_insn *i, ir_ref base)
{
	const struct val *x = &g->val[base];

	if ((x->flags & VAL_ALIAS) || x->reg == X64_NO_REG || !gen_dies(g, base))
		return false;
	for (unsigned k = 1; k < 3; k++)
		if (i->arg[k] != IR_NONE && gen_rep(g, i->arg[k]) == base)
			return false;
	return true;
}

/* The address as an operand of a host instruction, but for the distance to host memory. *base: the
 * value in its base register. */
static struct x64_mem operand(struct gen *g, const struct ir_insn *i, ir_ref *base)
{
	ir_ref v = i->arg[0];
	struct x64_mem m = {.index = X64_NO_REG};
	int32_t disp = 0;

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
	*base = gen_rep(g, v);
	m.base = (uint8_t)gen_use(g, *base);
	return m;
}

unsigned gen_address(struct gen *g, const struct ir_insn *i, bool *temp)
{
	ir_ref v;
	struct x64_mem m = operand(g, i, &v);
	unsigned t;

	*temp = false;
	if (m.index == X64_NO_REG && !m.disp)
		return m.base;
	*temp = true;
	if (reusable(g, i, v)) {
		t = m.base;
		g->owner[t] = IR_NONE;
		g->val[v].reg = X64_NO_REG;
	} else {
		t = gen_temp(g);
		g->locked &= ~gen_bit(m.base);
	}
	if (m.index != t) /* they may be all the temporaries there are */
		g->locked &= ~gen_bit(m.index);
	x64_lea(&g->a, 8, t, m);
	g->address.reg = (uint8_t)t;
	g->address.disp = m.disp;
	g->address.base = m.index == X64_NO_REG && !is_temp(g, m.base) ? m.base : X64_NO_REG;
	return t;
}

/* The same, but if the address is made of others in registers that can be kept until the access, *m
 * is these and the access need not wait for the sum. Otherwise m->base is the address. */
static unsigned address_beside(struct gen *g, const struct ir_insn *i, bool *temp,
			       struct x64_mem *m)
{
	unsigned ra;
	ir_ref v;

	*m = operand(g, i, &v);
	if ((m->index == X64_NO_REG && !m->disp) || is_temp(g, m->base) || is_temp(g, m->index)) {
		ra = gen_address(g, i, temp);
		*m = x64_at(ra, 0);
		return ra;
	}
	*temp = true;
	ra = gen_temp(g);
	x64_lea(&g->a, 8, ra, *m);
	return ra;
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

struct gen_range gen_range_of(const struct ir_insn *i, bool write)
{
	unsigned align = alignment(i);

	return (struct gen_range){0, align ? 0 : (int32_t)bytes_of(i) - 1, align, i->mmu, write};
}

/* The same of all accesses of a group, for its first. What is aligned crosses no page after its
 * last aligned byte. */
static struct gen_range range_of_group(const struct gen_group *p)
{
	return (struct gen_range){p->lo, (p->hi - 1) & ~(int32_t)p->align, p->align, p->mmu,
				  p->write};
}

static int32_t tlb_at(unsigned mmu, size_t part)
{
	return CPU(tlb) + (int32_t)(mmu * sizeof(struct x86_tlb) + part);
}

static void mov_or_lea(struct gen *g, unsigned bytes, unsigned dst, unsigned src, int32_t disp)
{
	if (disp)
		x64_lea(&g->a, bytes, dst, x64_at(src, disp));
	else
		x64_mov_rr(&g->a, bytes, dst, src);
}

uint8_t *gen_probe(struct gen *g, const struct gen_range *r, unsigned ra, unsigned t1, unsigned t2)
{
	int32_t tags = tlb_at(r->mmu, r->write ? offsetof(struct x86_tlb_entry, tag_write)
					       : offsetof(struct x86_tlb_entry, tag_read));
	int32_t lo = r->lo;
	unsigned first = ra;

	if (lo && g->address.reg == ra && g->address.base != X64_NO_REG && g->address.disp == -lo) {
		first = g->address.base; /* without waiting for the sum */
		lo = 0;
	}
	if (!lo && host_cpu_has(&g->cpu, HOST_CPU_BMI2)) {
		x64_rorx(&g->a, 4, t1, first, GEN_TLB_SHIFT);
	} else {
		mov_or_lea(g, 4, t1, first, lo);
		x64_shift_ri(&g->a, X64_SHR, 4, t1, GEN_TLB_SHIFT);
	}
	x64_alu_ri(&g->a, X64_AND, 4, t1, GEN_TLB_MASK);
	mov_or_lea(g, 8, t2, ra, r->hi);
	x64_alu_ri(&g->a, X64_AND, 8, t2, (int32_t)(-(int32_t)PAGE_BYTES | (int32_t)r->align));
	x64_alu_rm(&g->a, X64_CMP, 8, t2, x64_at_index(X64_RBP, t1, 0, tags));
	return x64_jcc(&g->a, X64_NE, NULL);
}

struct x64_mem gen_addend(unsigned mmu, unsigned t1)
{
	return x64_at_index(X64_RBP, t1, 0, tlb_at(mmu, offsetof(struct x86_tlb_entry, addend)));
}

struct cold *gen_cold_access(struct gen *g, unsigned kind, const struct ir_insn *i, unsigned ra,
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

bool gen_is_rmw(const struct gen *g, const struct ir_insn *i)
{
	return i->op == IR_LOAD && (i->aux & X86_MEM_RMW) && i->type <= IR_I64 &&
	       !(g->val[i->arg[0]].flags & VAL_FOLDED);
}

static void load_from(struct gen *g, const struct ir_insn *i, ir_ref v, unsigned d,
		      struct x64_mem m)
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

/* ---- groups */
static struct gen_group *group_of(struct gen *g, ir_ref v)
{
	return g->group_of[v] ? &g->group[g->group_of[v] - 1] : NULL;
}

static struct x64_mem slot_of(const struct gen_group *p)
{
	return x64_at(X64_RBP, p->slot);
}

/* ---- sites */
/* Vectors are not waited for, and run through memory from page to page. */
static bool has_site(const struct gen *g, const struct ir_insn *i)
{
	uint64_t gpa = gen_insn_gpa(g, g->guest_offset);

	return ((g->src->loop && i->type <= IR_I64) || g->sites_always) &&
	       g->site_count < GEN_SITES_MAX && !gen_marked(g->src->wanderers, gpa);
}

static struct x64_mem site_part(const struct cold *c, size_t part)
{
	return x64_at(X64_RBP, c->entry + (int32_t)part);
}

/* Give the access of c an entry of its own. */
static void site_take(struct gen *g, struct cold *c, const struct gen_range *r)
{
	unsigned row = r->mmu * 2 + r->write;
	unsigned n = row * X86_SITE_ROW + g->site_next[row]++ % X86_SITE_ROW;

	g->site[g->site_count++] = (struct gen_site){.index = (uint16_t)n,
						     .group = c->alone,
						     .gpa = gen_insn_gpa(g, g->guest_offset)};
	c->site = true;
	c->range = *r;
	c->entry = CPU(site) + (int32_t)(n * sizeof(struct x86_site));
}

/* Is it the page of the time before? The distance to host memory comes from a place that does not
 * depend on the address, so the access need not wait for it. An entry that was cleared has no
 * distance, and a tag that the first form never finds. */
static void site_find(struct gen *g, struct cold *c, unsigned ra, unsigned t1, unsigned t2)
{
	const struct gen_range *r = &c->range;
	int32_t bytes = r->hi - r->lo + 1;

	c->linear = (uint8_t)ra;
	c->addend = (uint8_t)t1;
	if (bytes == 1 && !r->lo) {
		x64_mov_rr(&g->a, 8, t2, ra);
		x64_alu_ri(&g->a, X64_AND, 8, t2, -(int32_t)PAGE_BYTES | (int32_t)r->align);
		x64_alu_rm(&g->a, X64_CMP, 8, t2, site_part(c, offsetof(struct x86_site, tag)));
		c->from[0] = x64_jcc(&g->a, X64_NE, NULL);
		x64_mov_rm(&g->a, 8, t1, site_part(c, offsetof(struct x86_site, addend)));
	} else {
		if (r->align) {
			x64_test_ri(&g->a, 4, ra, (int32_t)r->align);
			c->from[2] = x64_jcc(&g->a, X64_NE, NULL);
		}
		mov_or_lea(g, 8, t2, ra, r->lo);
		x64_alu_rm(&g->a, X64_XOR, 8, t2, site_part(c, offsetof(struct x86_site, tag)));
		x64_alu_ri(&g->a, X64_CMP, 8, t2, (int32_t)PAGE_BYTES - bytes);
		c->from[0] = x64_jcc(&g->a, X64_A, NULL);
		x64_mov_rm(&g->a, 8, t1, site_part(c, offsetof(struct x86_site, addend)));
		x64_test_rr(&g->a, 8, t1, t1);
		c->from[1] = x64_jcc(&g->a, X64_E, NULL);
	}
	c->found = g->a.at;
}

void gen_cold_site(struct gen *g, const struct cold *c)
{
	const struct gen_range *r = &c->range;
	unsigned ra = c->linear;

	x64_push(&g->a, X64_RAX);
	x64_push(&g->a, X64_RCX);
	x64_push(&g->a, X64_RDX);
	if (ra == X64_RCX)
		x64_lea(&g->a, 8, X64_RAX, x64_at(ra, r->lo));
	x64_lea(&g->a, 8, X64_RCX, x64_at(ra, r->hi));
	if (ra != X64_RCX)
		x64_lea(&g->a, 8, X64_RAX, x64_at(ra, r->lo));
	x64_alu_ri(&g->a, X64_AND, 8, X64_RCX, -(int32_t)PAGE_BYTES | (int32_t)r->align);
	x64_lea(&g->a, 8, X64_RDX, x64_at(X64_RBP, c->entry));
	x64_call(&g->a, g->thunks.fill[r->mmu * 2 + r->write]);
	x64_mov_mr(&g->a, 8, x64_at(X64_RBP, FRAME(kept)), X64_RAX);
	x64_pop(&g->a, X64_RDX);
	x64_pop(&g->a, X64_RCX);
	x64_pop(&g->a, X64_RAX);
	x64_mov_rm(&g->a, 8, c->addend, x64_at(X64_RBP, FRAME(kept)));
	x64_jcc(&g->a, X64_E, c->found);
}

/* Find the page of the access of c, at ra, and of all in its group p (or NULL) if it is the first:
 * t1 becomes the distance to host memory, for the others too. If that fails, the first tries alone.
 */
static void find(struct gen *g, struct cold *c, struct gen_group *p, const struct gen_range *r,
		 unsigned ra, unsigned t1, unsigned t2)
{
	if (p) {
		c->alone = true;
		c->address = x64_at(ra, 0);
		c->reg = (uint8_t)t1;
	}
	if (has_site(g, &g->b->insn[c->index])) {
		site_take(g, c, r);
		site_find(g, c, ra, t1, t2);
		if (p)
			p->slot = c->entry + (int32_t)offsetof(struct x86_site, addend);
		return;
	}
	c->from[0] = gen_probe(g, r, ra, t1, t2);
	x64_mov_rm(&g->a, 8, t1, gen_addend(r->mmu, t1));
	if (p) {
		c->zero = p->slot;
		x64_mov_mr(&g->a, 8, slot_of(p), t1);
	}
}

static unsigned group_number(const struct gen *g, const struct gen_group *p)
{
	return (unsigned)(p - g->group) + 1;
}

/* The distance of group p, or NULL, in temporary t1 is left there for the others. */
static void distance_keep(struct gen *g, const struct gen_group *p, unsigned t1)
{
	if (p && g->owner[t1] == IR_NONE)
		g->distance_of[t1] = (uint16_t)group_number(g, p);
}

/* The register, locked, that still has the distance of group p; or X64_NO_REG. */
static unsigned distance_kept(struct gen *g, const struct gen_group *p)
{
	for (unsigned k = 0; k < g->pins.temp_count; k++) {
		unsigned r = g->pins.temp[k];

		if (g->distance_of[r] == group_number(g, p) && !(g->locked & gen_bit(r))) {
			g->locked |= gen_bit(r);
			return r;
		}
	}
	return X64_NO_REG;
}

/* Another access of group p: t1 becomes the distance, or is it, if it was kept. Returns the jump if
 * there is none. */
static uint8_t *group_test(struct gen *g, const struct gen_group *p, unsigned t1, bool kept)
{
	if (!kept)
		x64_mov_rm(&g->a, 8, t1, slot_of(p));
	x64_test_rr(&g->a, 8, t1, t1);
	return x64_jcc(&g->a, X64_E, NULL);
}

/* Operand m in host memory: t1, the distance, may become part of the address, and is not to be kept
 * then. */
static struct x64_mem group_operand(struct gen *g, struct x64_mem m, unsigned t1)
{
	if (m.index == X64_NO_REG)
		return x64_at_index(m.base, t1, 0, m.disp);
	g->distance_of[t1] = 0;
	x64_alu_rr(&g->a, X64_ADD, 8, t1, m.base);
	return x64_at_index(t1, m.index, m.scale, m.disp);
}

void gen_cold_distances(struct gen *g, const struct cold *c)
{
	for (unsigned r = 0; r < 16; r++)
		if (c->distances >> r & 1)
			x64_mov_ri(&g->a, r, 0);
}

static struct cold *cold_alone(struct gen *g, unsigned kind, const struct ir_insn *i,
			       struct x64_mem m, unsigned t1, uint8_t *from)
{
	struct cold *c = gen_cold_access(g, kind, i, t1, from);

	c->alone = true;
	c->address = m;
	return c;
}

static void load_again(struct gen *g, const struct ir_insn *i, ir_ref v, const struct gen_group *p)
{
	bool vec = g->val[v].flags & VAL_VEC;
	unsigned d, t1;
	ir_ref base;
	struct x64_mem m = operand(g, i, &base);
	struct cold *c;
	uint8_t *from;
	bool kept;

	t1 = distance_kept(g, p);
	kept = t1 != X64_NO_REG;
	d = vec ? gen_def_vec(g, v, 0) : gen_def(g, v, 0);
	if (!kept)
		t1 = vec || (g->val[v].flags & VAL_ALIAS) || d == m.base || d == m.index
			     ? gen_temp(g)
			     : d;
	from = group_test(g, p, t1, kept);
	c = cold_alone(g, COLD_LOAD, i, m, t1, from);
	c->reg2 = (uint8_t)d;
	c->vec = vec;
	c->vex = g->val[v].flags & VAL_VEX;
	if (!kept && t1 != d)
		distance_keep(g, p, t1);
	load_from(g, i, v, d, group_operand(g, m, t1));
	c->back = g->a.at;
}

void emit_load(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	struct gen_group *p = group_of(g, v);
	bool vec = g->val[v].flags & VAL_VEC, temp, rmw = !p && gen_is_rmw(g, i), pinned;
	struct gen_range range = gen_range_of(i, i->aux & X86_MEM_RMW);
	unsigned ra, d, t1, t2;
	struct x64_mem m;
	struct cold *c;

	gen_rmw_cancel(g);
	if (p && p->first != v) {
		load_again(g, i, v, p);
		return;
	}
	if (p)
		range = range_of_group(p);
	if (has_site(g, i) && !rmw) {
		ra = address_beside(g, i, &temp, &m);
	} else {
		ra = gen_address(g, i, &temp);
		m = x64_at(ra, 0);
	}
	d = vec ? gen_def_vec(g, v, 0) : gen_def(g, v, 0);
	pinned = g->val[v].flags & VAL_ALIAS;
	t1 = gen_temp(g);
	t2 = vec || pinned || d == ra ? gen_temp(g) : d;
	c = gen_cold_access(g, COLD_LOAD, i, ra, NULL);
	find(g, c, p, &range, ra, t1, t2);
	distance_keep(g, p, t1);
	c->reg2 = (uint8_t)d;
	c->vec = vec;
	c->vex = g->val[v].flags & VAL_VEX;
	if (rmw) {
		x64_alu_rr(&g->a, X64_ADD, 8, t1, ra);
		load_from(g, i, v, d, x64_at(t1, 0));
		c->rmw = (uint8_t)t1;
	} else {
		load_from(g, i, v, d, group_operand(g, m, t1));
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

static bool store_again(struct gen *g, const struct ir_insn *i, bool is_const, int32_t imm,
			unsigned r)
{
	unsigned h = g->rmw_reg;
	struct cold *c;
	uint8_t *from;

	if (g->rmw_address != gen_rep(g, i->arg[0]) || g->rmw_type != i->type)
		return false;
	x64_test_rr(&g->a, 8, h, h);
	from = x64_jcc(&g->a, X64_E, NULL);
	c = gen_cold_access(g, COLD_STORE_AGAIN, i, X64_NO_REG, from);
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
	struct gen_group *p = group_of(g, v);
	ir_ref x = gen_rep(g, i->arg[1]), base;
	bool vec = g->val[x].flags & VAL_VEC, temp, is_const, again = p && p->first != v, kept;
	struct gen_range range = p ? range_of_group(p) : gen_range_of(i, true);
	unsigned ra = X64_NO_REG, r = X64_NO_REG, t1, t2;
	int32_t imm = 0;
	struct x64_mem m;
	struct cold *c;
	uint8_t *from;

	is_const = !vec && gen_const32(g, x, &imm);
	if (!p && g->rmw_address != IR_NONE && g->rmw_address == gen_rep(g, i->arg[0]) && !vec) {
		if (!is_const)
			r = gen_use(g, x);
		if (store_again(g, i, is_const, imm, r)) {
			gen_rmw_cancel(g);
			return;
		}
	}
	gen_rmw_cancel(g);
	if (again)
		m = operand(g, i, &base);
	else
		ra = gen_address(g, i, &temp);
	if (vec)
		r = gen_use_vec(g, x);
	else if (!is_const)
		r = gen_use(g, x);
	t1 = again ? distance_kept(g, p) : X64_NO_REG;
	kept = t1 != X64_NO_REG;
	if (!kept)
		t1 = gen_temp(g);
	if (again) {
		from = group_test(g, p, t1, kept);
		distance_keep(g, p, t1);
		c = cold_alone(g, COLD_STORE, i, m, t1, from);
		m = group_operand(g, m, t1);
	} else {
		t2 = gen_temp(g);
		c = gen_cold_access(g, COLD_STORE, i, ra, NULL);
		find(g, c, p, &range, ra, t1, t2);
		distance_keep(g, p, t1);
		m = x64_at_index(ra, t1, 0, 0);
	}
	c->reg2 = (uint8_t)r;
	c->vec = vec;
	c->is_const = is_const;
	c->imm = imm;
	store_to(g, i, c, m);
	c->back = g->a.at;
}

/* A register that is none of three, to be borrowed. */
static unsigned other_than(unsigned x, unsigned y, unsigned z)
{
	unsigned r = X64_RAX;

	while (r == x || r == y || r == z || r == X64_RSP || r == X64_RBP)
		r++;
	return r;
}

void gen_cold_alone(struct gen *g, const struct cold *c)
{
	const struct ir_insn *i = &g->b->insn[c->index];
	bool store = c->kind == COLD_STORE;
	struct gen_range range = gen_range_of(i, store || (i->aux & X86_MEM_RMW));
	unsigned value = store && !c->vec ? c->reg2 : X64_NO_REG;
	unsigned x = other_than(c->reg, value, value), y = other_than(c->reg, value, x);
	uint8_t *miss;

	if (c->zero)
		x64_mov_mi(&g->a, 8, x64_at(X64_RBP, c->zero), 0);
	x64_lea(&g->a, 8, c->reg, c->address);
	x64_push(&g->a, x);
	x64_push(&g->a, y);
	miss = gen_probe(g, &range, c->reg, x, y);
	x64_alu_rm(&g->a, X64_ADD, 8, c->reg, gen_addend(i->mmu, x));
	x64_pop(&g->a, y);
	x64_pop(&g->a, x);
	if (store)
		store_to(g, i, c, x64_at(c->reg, 0));
	else
		load_from(g, i, (ir_ref)c->index, c->reg2, x64_at(c->reg, 0));
	gen_cold_distances(g, c);
	x64_jmp(&g->a, c->back);
	x64_patch(miss, g->a.at);
	x64_pop(&g->a, y);
	x64_pop(&g->a, x);
}
