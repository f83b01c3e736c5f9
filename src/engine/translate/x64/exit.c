/*
 * In and out of a block: the checks at its start, helper calls, exits, and everything out of the
 * way (cold) of what usually happens.
 *
 * A direct exit is a jump that first leads to a call of thunks.link; the engine patches it to lead
 * to the target once that exists. Exits to another page look at the instruction TLB before they
 * jump: the target's page must still be mapped where it was when the link was made.
 */
#include "engine/translate/x64/gen.h"
#include "isa/x86/mode.h"

struct cold *gen_cold(struct gen *g, unsigned kind)
{
	struct cold *c;

	if (g->cold_count == GEN_COLD_MAX) {
		g->failed = true;
		g->cold_count = 0;
	}
	c = &g->cold[g->cold_count++];
	*c = (struct cold){
		.kind = (uint8_t)kind, .index = (uint16_t)g->index, .guest = (int16_t)g->guest};
	c->offset = g->guest_offset;
	c->len = g->guest_len;
	if (kind == COLD_LOAD || kind == COLD_STORE || kind == COLD_STORE_AGAIN ||
	    kind == COLD_ATOMIC || kind == COLD_DIVIDE || kind == COLD_EXIT ||
	    kind == COLD_INDIRECT || kind == COLD_X87_ACCESS || kind == COLD_X87_FLDCW) {
		gen_flags_snapshot(g, &c->flush);
		c->note = g->x87_note;
	}
	return c;
}

static uint32_t here(const struct gen *g)
{
	return (uint32_t)(g->a.at - g->start);
}

void gen_fault_here(struct gen *g, unsigned index, int32_t offset, unsigned len)
{
	if (g->fault_count == GEN_FAULTS_MAX) {
		g->failed = true;
		return;
	}
	g->fault[g->fault_count++] = (struct gen_fault){
		.place = here(g), .offset = offset, .index = (uint16_t)index, .len = (uint8_t)len};
}

void gen_call(struct gen *g, uint8_t *thunk, bool may_abort)
{
	x64_call(&g->a, thunk);
	if (may_abort)
		gen_fault_here(g, (unsigned)g->guest, g->guest_offset, g->guest_len);
}

void gen_vec_ensure(struct gen *g)
{
	struct cold *c;

	if (!g->uses_vec)
		return;
	x64_alu_mi(&g->a, X64_CMP, 4, x64_at(X64_RBP, FRAME(vec_live)), 0);
	c = gen_cold(g, COLD_VEC);
	c->from[0] = x64_jcc(&g->a, X64_E, NULL);
	c->back = g->a.at;
}

void gen_prologue(struct gen *g)
{
	struct x64_mem budget = x64_at(X64_RBP, CPU(budget));
	struct cold *c;

	x64_mov_rm(&g->a, 4, X64_RAX, x64_at(X64_RBP, CPU(request)));
	x64_alu_rm(&g->a, X64_CMP, 4, X64_RAX, x64_at(X64_RBP, CPU(request_ignored)));
	c = gen_cold(g, COLD_POLL);
	c->from[0] = x64_jcc(&g->a, X64_NE, NULL);
	x64_alu_mi(&g->a, X64_SUB, 8, budget, (int32_t)g->b->guest_count);
	c = gen_cold(g, COLD_BUDGET);
	c->from[0] = x64_jcc(&g->a, X64_S, NULL);
	gen_vec_ensure(g);
	gen_x87_ensure(g);
}

/* ---- helpers */
static void helper_args(struct gen *g, const struct ir_insn *i)
{
	for (unsigned k = 0; k < 3; k++) {
		struct x64_mem arg = x64_at(X64_RBP, FRAME(arg[0]) + 8 * (int32_t)k);
		ir_ref v = i->arg[k];
		int32_t imm;

		if (v == IR_NONE)
			continue;
		if (g->val[gen_rep(g, v)].flags & VAL_VEC) {
			int32_t at = FRAME(vec_arg[0]) + 32 * (int32_t)k;
			unsigned t = gen_temp(g);
			gen_movv_mr(g, ir_type_of(g->b, v) == IR_V256 ? 32 : 16,
				    x64_at(X64_RBP, at), gen_use_vec(g, v));
			x64_lea(&g->a, 8, t, x64_at(X64_RBP, at));
			x64_mov_mr(&g->a, 8, arg, t);
			gen_release(g, t);
		} else if (gen_const32(g, v, &imm) && (g->b->insn[v].type == IR_I64 || imm >= 0)) {
			x64_mov_mi(&g->a, 8, arg, imm);
		} else {
			enum ir_type t = ir_type_of(g->b, v);
			unsigned r = gen_use(g, v);
			if (t != IR_I64 && !((g->val[gen_rep(g, v)].flags & VAL_ZX) &&
					     ir_type_of(g->b, gen_rep(g, v)) <= t)) {
				unsigned e = gen_temp(g);
				if (t == IR_I32)
					x64_mov_rr(&g->a, 4, e, r);
				else
					x64_movzx_rr(&g->a, e, r, ir_type_bytes(t));
				gen_release(g, e);
				r = e;
			}
			x64_mov_mr(&g->a, 8, arg, r);
		}
		g->locked = g->vec_locked = 0;
	}
}

/* State in memory that the helper writes is not what values stood for any more. */
static void state_lost(struct gen *g, uint64_t groups)
{
	for (unsigned n = 0; n < 16; n++)
		if (groups & X86_ST_GPR(n))
			gen_state_written(g, X86_OFF_GPR(n), 8);
	for (unsigned n = 0; (groups & X86_ST_VEC) && n < 16; n++)
		gen_state_written(g, X86_OFF_VEC(n), 32);
	/* rescued values are in temporaries: to memory with them too */
	gen_spill_temps(g);
}

void gen_helper_place(struct gen *g)
{
	x64_mov_mi(&g->a, 4, x64_at(X64_RBP, CPU(block_insns)), (int32_t)g->b->guest_count);
	x64_mov_mi(&g->a, 4, x64_at(X64_RBP, CPU(rip_offset)), g->page_offset);
}

/* The helper whose arguments are in place; FLDCW's does not come back. */
static void cold_helper(struct gen *g, const struct cold *c)
{
	const struct ir_helper *h = ir_helper_of(&g->b->insn[c->index]);

	gen_helper_place(g);
	x64_mov_ri(&g->a, X64_RAX, (uint64_t)(uintptr_t)h->fn);
	x64_call(&g->a, g->thunks.helper_fault);
	gen_fault_here(g, (unsigned)c->guest, c->offset, c->len);
}

void emit_call(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	const struct ir_helper *h = ir_helper_of(i);
	bool aborts = h->flags & (IR_HELPER_FAULTS | IR_HELPER_MEMORY);
	bool divides = gen_is_divide(g, i);

	if (gen_x87(g, i, v))
		return;
	gen_rmw_cancel(g);
	helper_args(g, i);
	if (gen_is_sync_point(i) && !divides)
		gen_flags_flush(g);
	if (h->writes & X86_ST_FLAGS)
		g->pending.active = false;
	if (!divides)
		gen_x87_flush(g);
	gen_spill_temps(g);
	state_lost(g, h->writes);
	if (divides) {
		gen_divide(g, i);
		return;
	}
	if (!(h->flags & IR_HELPER_PURE))
		gen_helper_place(g);
	gen_take(g, X64_RAX);
	x64_mov_ri(&g->a, X64_RAX, (uint64_t)(uintptr_t)h->fn);
	gen_call(g, aborts ? g->thunks.helper_fault : g->thunks.helper, aborts);
	if (h->result != IR_VOID)
		gen_bind(g, v, X64_RAX);
	g->flags_at = NULL;
	if (h->flags & IR_HELPER_SETS_PC)
		return;
	gen_vec_ensure(g);
	gen_x87_ensure(g);
}

/* ---- exits */
static bool rip_is_linear(const struct gen *g)
{
	return g->src->mode & (X86_MODE_CODE64 | X86_MODE_FLAT);
}

static void add_rip(struct gen *g, int64_t delta)
{
	bool wide = g->src->mode & X86_MODE_CODE64;
	struct x64_mem rip = x64_at(X64_RBP, CPU(rip));

	if (wide && delta == (int32_t)delta) {
		x64_alu_mi(&g->a, X64_ADD, 8, rip, (int32_t)delta);
		return;
	}
	x64_mov_ri(&g->a, X64_RAX, (uint64_t)delta);
	x64_alu_rm(&g->a, X64_ADD, 8, X64_RAX, rip);
	if (!wide)
		x64_mov_rr(&g->a, 4, X64_RAX, X64_RAX);
	x64_mov_mr(&g->a, 8, rip, X64_RAX);
}

/* Blocks of one instruction that crosses into the next page are not linked to: where both pages are
 * must be known. */
static bool crosses(const struct gen *g, int64_t target)
{
	int64_t k = (int64_t)PAGE_BYTES - target;

	return k > 0 && k < 32 && (g->src->crossing >> k & 1);
}

static void exit_by_table(struct gen *g, int64_t target)
{
	x64_mov_rm(&g->a, 8, X64_RAX, x64_at(X64_RBP, CPU(rip)));
	x64_alu_ri(&g->a, X64_ADD, g->src->mode & X86_MODE_CODE64 ? 8 : 4, X64_RAX,
		   (int32_t)target);
	gen_emit_jump(g);
}

static bool is_user(const struct gen *g)
{
	return (g->src->mode & X86_MODE_CPL) == X86_MODE_CPL;
}

/* RIP of the start of target's page to register rip, with bit 0 set for user code; to c unless the
 * instruction TLB has that page as number gpa_page. Where that number stands; t is lost. */
static uint32_t check_page(struct gen *g, struct cold *c, int64_t target, uint32_t gpa_page,
			   unsigned rip, unsigned t)
{
	int32_t page = (int32_t)(target & ~(int64_t)PAGE_OFFSET_MASK);
	uint32_t expect;

	x64_mov_rm(&g->a, 8, rip, x64_at(X64_RBP, CPU(rip)));
	x64_alu_ri(&g->a, X64_ADD, g->src->mode & X86_MODE_CODE64 ? 8 : 4, rip, page + is_user(g));
	x64_mov_rr(&g->a, 4, t, rip);
	x64_shift_ri(&g->a, X64_SHR, 4, t, PAGE_BITS);
	x64_alu_ri(&g->a, X64_AND, 4, t, X86_ITLB_SIZE - 1);
	x64_alu_rm(&g->a, X64_CMP, 8, rip, x64_at_index(X64_RBP, t, 3, CPU(itlb.tag)));
	c->from[0] = x64_jcc(&g->a, X64_NE, NULL);
	x64_mov_rm(&g->a, 8, t, x64_at_index(X64_RBP, t, 3, CPU(itlb.gpa)));
	x64_shift_ri(&g->a, X64_SHR, 8, t, PAGE_BITS);
	x64_alu_ri(&g->a, X64_CMP, 4, t, (int32_t)gpa_page);
	expect = here(g) - 4;
	c->from[1] = x64_jcc(&g->a, X64_NE, NULL);
	return expect;
}

/* A direct exit's code, wherever it stands: no registers are in use but the pinned ones. */
static void exit_code(struct gen *g, int64_t delta)
{
	int64_t target = g->page_offset + delta;
	struct gen_link *l;
	struct cold *c;

	if (crosses(g, target)) {
		exit_by_table(g, target);
		return;
	}
	if (g->link_count == GEN_LINKS_MAX || target != (int32_t)target) {
		if (g->link_count == GEN_LINKS_MAX)
			g->failed = true;
		add_rip(g, target);
		x64_jmp(&g->a, g->thunks.indirect_miss);
		return;
	}
	l = &g->link[g->link_count];
	*l = (struct gen_link){.target = (int32_t)target};
	c = gen_cold(g, COLD_LINK);
	c->link = (uint16_t)g->link_count++;
	c->flush.count = 0;
	if (target < 0 || target >= (int64_t)PAGE_BYTES) {
		if (!rip_is_linear(g)) {
			c->from[0] = x64_jmp(&g->a, NULL);
			l->jump = 0; /* never linked */
			return;
		}
		l->expect = check_page(g, c, target, GEN_NO_PAGE, X64_RAX, X64_RCX);
		if (is_user(g))
			x64_alu_ri(&g->a, X64_SUB, 8, X64_RAX, 1);
		x64_mov_mr(&g->a, 8, x64_at(X64_RBP, CPU(rip)), X64_RAX);
	}
	{
		uint8_t *jump = x64_jmp(&g->a, NULL);
		if (jump)
			l->jump = (uint32_t)(jump - g->start);
		if (!c->from[0])
			c->from[0] = jump;
	}
}

static unsigned unretired(const struct gen *g)
{
	return g->b->guest_count - (unsigned)(g->guest + 1);
}

static void give_back(struct gen *g, unsigned insns)
{
	if (insns)
		x64_alu_mi(&g->a, X64_ADD, 8, x64_at(X64_RBP, CPU(budget)), (int32_t)insns);
}

void emit_exit_if(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	enum x64_cc cc = gen_test(g, i->arg[0]);
	bool packed = g->packed_at == g->a.at;
	uint8_t *from = x64_jcc(&g->a, cc, NULL);
	struct cold *c;

	(void)v;
	if (packed)
		g->packed_at = g->a.at; /* a jump leaves flags alone */
	c = gen_cold(g, COLD_EXIT);
	c->from[0] = from;
	c->delta = i->imm;
	c->unretired = unretired(g);
}

void emit_exit(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	(void)v;
	gen_flags_flush(g);
	gen_x87_flush(g);
	give_back(g, unretired(g));
	exit_code(g, i->imm);
}

/* The jump table: { page of RIP + tag, code } pairs. The miss goes on with the RIP in RAX. */
void gen_emit_jump(struct gen *g)
{
	struct x64_asm *a = &g->a;

	if (!rip_is_linear(g) || g->no_chain || g->src->tag >= PAGE_BYTES) {
		x64_jmp(a, g->thunks.indirect);
		return;
	}
	gen_jump_entry(a);
	x64_lea(a, 8, X64_R8, x64_at(X64_RDX, (int32_t)g->src->tag));
	x64_alu_rm(a, X64_CMP, 8, X64_R8, x64_at(X64_RCX, 0));
	x64_jcc(a, X64_NE, g->thunks.second);
	x64_mov_mr(a, 8, x64_at(X64_RBP, CPU(rip)), X64_RDX);
	x64_jmp_m(a, x64_at(X64_RCX, 8));
}

static void pc_to_rax(struct gen *g, ir_ref pc)
{
	unsigned r = gen_use(g, pc);

	if (!(g->src->mode & X86_MODE_CODE64))
		x64_mov_rr(&g->a, 4, X64_RAX, r);
	else
		x64_mov_rr(&g->a, 8, X64_RAX, r);
}

void emit_exit_indirect(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	(void)v;
	gen_flags_flush(g);
	gen_x87_flush(g);
	give_back(g, unretired(g));
	pc_to_rax(g, i->arg[0]);
	gen_emit_jump(g);
}

void emit_exit_unless(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	unsigned r = gen_use(g, i->arg[0]), t = gen_temp(g);
	int64_t delta = i->imm + g->page_offset;
	struct cold *c;

	(void)v;
	x64_lea(&g->a, g->src->mode & X86_MODE_CODE64 ? 8 : 4, t, x64_at(r, (int32_t)-delta));
	x64_alu_rm(&g->a, X64_CMP, 8, t, x64_at(X64_RBP, CPU(rip)));
	c = gen_cold(g, COLD_INDIRECT);
	c->from[0] = x64_jcc(&g->a, X64_NE, NULL);
	c->reg = (uint8_t)r;
	c->unretired = unretired(g);
}

void emit_exit_moved(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	int64_t target = i->imm + g->page_offset;
	unsigned rip = gen_temp(g), t = gen_temp(g);
	struct cold *c = gen_cold(g, COLD_EXIT);

	(void)v;
	check_page(g, c, target, (uint32_t)(gen_insn_gpa(g, (int32_t)target) >> PAGE_BITS), rip, t);
	c->delta = i->imm;
	c->unretired = unretired(g);
}

void emit_exit_state(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	(void)i;
	(void)v;
	gen_flags_flush(g);
	gen_x87_flush(g);
	x64_jmp(&g->a, g->thunks.state);
}

/* ---- cold code */
static void cold_call(struct gen *g, const struct cold *c, uint8_t *thunk)
{
	x64_mov_mi(&g->a, 4, x64_at(X64_RBP, FRAME(access)), (int32_t)c->access);
	x64_call(&g->a, thunk);
	gen_fault_here(g, (unsigned)c->guest, c->offset, c->len);
}

static void cold_load(struct gen *g, const struct cold *c)
{
	struct x64_mem value = x64_at(X64_RBP, FRAME(value));

	x64_mov_mr(&g->a, 8, x64_at(X64_RBP, FRAME(address)), c->reg);
	cold_call(g, c, g->thunks.load);
	if (c->vex)
		gen_load_vex(g, 16, c->reg2, value);
	else if (c->vec)
		gen_movv_rm(g, c->type == IR_V256 ? 32 : 16, c->reg2, value);
	else
		x64_mov_rm(&g->a, 8, c->reg2, value);
	if (c->rmw != X64_NO_REG)
		x64_mov_ri(&g->a, c->rmw, 0);
}

static void cold_address(struct gen *g, const struct cold *c)
{
	struct x64_mem address = x64_at(X64_RBP, FRAME(address));
	const struct place *p = &c->place;

	if (c->kind != COLD_STORE_AGAIN) {
		x64_mov_mr(&g->a, 8, address, c->reg);
	} else if (p->kind == PLACE_REG) {
		x64_mov_mr(&g->a, 8, address, p->reg);
	} else if (p->kind == PLACE_CONST) {
		x64_mov_mi(&g->a, 4, address, (int32_t)p->imm);
		address.disp += 4;
		x64_mov_mi(&g->a, 4, address, (int32_t)(p->imm >> 32));
	} else {
		x64_mov_mr(&g->a, 8, x64_at(X64_RBP, FRAME(kept)), X64_RAX);
		x64_mov_rm(&g->a, 8, X64_RAX, x64_at(X64_RBP, p->disp));
		x64_mov_mr(&g->a, 8, address, X64_RAX);
		x64_mov_rm(&g->a, 8, X64_RAX, x64_at(X64_RBP, FRAME(kept)));
	}
}

static void cold_store(struct gen *g, const struct cold *c)
{
	struct x64_mem value = x64_at(X64_RBP, FRAME(value));

	cold_address(g, c);
	if (c->vec)
		gen_movv_mr(g, c->type == IR_V256 ? 32 : 16, value, c->reg2);
	else if (c->is_const)
		x64_mov_mi(&g->a, 8, value, c->imm);
	else
		x64_mov_mr(&g->a, 8, value, c->reg2);
	cold_call(g, c, g->thunks.store);
}

static void cold_atomic(struct gen *g, const struct cold *c)
{
	x64_mov_mr(&g->a, 8, x64_at(X64_RBP, FRAME(address)), c->reg);
	if (c->rmw != X64_NO_REG)
		x64_mov_mr(&g->a, 8, x64_at(X64_RBP, FRAME(arg[1])), c->rmw);
	cold_call(g, c, g->thunks.atomic);
	x64_mov_rm(&g->a, 8, c->reg2, x64_at(X64_RBP, FRAME(value)));
}

static void cold_link(struct gen *g, const struct cold *c)
{
	struct gen_link *l = &g->link[c->link];

	l->stub = here(g);
	x64_lea_rip(&g->a, X64_RDX, g->start);
	x64_call(&g->a, g->thunks.link);
	l->place = here(g);
}

static void cold_one(struct gen *g, const struct cold *c)
{
	x64_patch(c->from[0], g->a.at);
	x64_patch(c->from[1], g->a.at);
	x64_patch(c->from[2], g->a.at);
	if (c->site)
		gen_cold_site(g, c);
	if (c->alone)
		gen_cold_alone(g, c);
	if (c->kind != COLD_VEC && c->kind != COLD_X87)
		gen_flags_store(g, &c->flush);
	gen_cold_x87_note(g, &c->note);
	switch (c->kind) {
	case COLD_LOAD:
		cold_load(g, c);
		gen_cold_distances(g, c);
		break;
	case COLD_STORE:
	case COLD_STORE_AGAIN:
		cold_store(g, c);
		gen_cold_distances(g, c);
		break;
	case COLD_ATOMIC:
		cold_atomic(g, c);
		gen_cold_distances(g, c);
		break;
	case COLD_DIVIDE:
		cold_helper(g, c);
		break;
	case COLD_VEC:
		x64_call(&g->a, g->thunks.vec_load);
		break;
	case COLD_X87:
		gen_cold_x87(g, c);
		break;
	case COLD_X87_ACCESS:
		gen_cold_x87_access(g, c);
		cold_call(g, c, g->thunks.x87_access);
		gen_cold_distances(g, c);
		break;
	case COLD_X87_FLDCW:
		x64_mov_mr(&g->a, 8, x64_at(X64_RBP, FRAME(arg[0])), c->reg);
		cold_helper(g, c);
		break;
	case COLD_COND:
		gen_cold_cond(g, c);
		break;
	case COLD_EXIT:
		give_back(g, c->unretired);
		exit_code(g, c->delta);
		return;
	case COLD_INDIRECT:
		give_back(g, c->unretired);
		x64_mov_rr(&g->a, g->src->mode & X86_MODE_CODE64 ? 8 : 4, X64_RAX, c->reg);
		gen_emit_jump(g);
		return;
	case COLD_LINK:
		cold_link(g, c);
		return;
	case COLD_POLL:
		add_rip(g, g->page_offset);
		x64_jmp(&g->a, g->thunks.poll);
		return;
	case COLD_BUDGET:
		give_back(g, g->b->guest_count);
		add_rip(g, g->page_offset);
		x64_jmp(&g->a, g->thunks.budget);
		return;
	}
	x64_jmp(&g->a, c->back);
}

void gen_cold_emit(struct gen *g)
{
	for (unsigned k = 0; k < g->cold_count; k++) { /* grows meanwhile */
		struct cold c = g->cold[k];
		cold_one(g, &c);
	}
}
