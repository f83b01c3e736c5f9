/*
 * The guest's x87 on the host's own: while frame.x87_live is set, the host's registers, stack top,
 * tags, control and status word are the guest's, and an x87 instruction is itself. So results,
 * rounding, condition codes and stack faults are exact without anybody looking. That holds as long
 * as all exceptions are masked and none is pending (the mode says so); other code calls the
 * helpers.
 *
 * Like vector registers (gen_vec_ensure), the x87 is brought in by the first block that wants it
 * and taken home before C code runs. Blocks that touch x87 state in memory (MMX) take it home
 * first.
 *
 * Instruction, opcode and operand pointers are the guest's business: what the last instruction left
 * is `pending`, and stored where somebody may look, as flags are. Left to the helpers: BCD, the
 * images in memory, FNINIT, FNCLEX and FWAIT, an FLDCW that unmasks. SDM vol. 1, chapter 8.
 */
#include "engine/translate/x64/gen.h"
#include "isa/x86/x87.h"

enum kind { OTHER, REGISTERS, COMPARE, CMOV, VALUE, LOAD80, STORE, FLDCW };

static enum kind kind_of(const struct gen *g, const struct ir_insn *i)
{
	const void *fn = ir_helper_of(i)->fn;
	uint64_t what;

	if (g->src->mode & (X86_MODE_X87_PENDING | X86_MODE_X87_UNMASKED))
		return OTHER;
	if (fn == (const void *)x87_arith || fn == (const void *)x87_move ||
	    fn == (const void *)x87_func || fn == (const void *)x87_load_const)
		return REGISTERS;
	if (fn == (const void *)x87_arith_mem || fn == (const void *)x87_load_value)
		return VALUE;
	if (fn == (const void *)x87_compare_flags)
		return COMPARE;
	if (fn == (const void *)x87_cmov)
		return CMOV;
	if (fn == (const void *)x87_load80)
		return LOAD80;
	if (fn == (const void *)x87_store && gen_const(g, i->arg[1], &what) &&
	    (what & X87_WHAT_OP) != X87_ST_BCD)
		return STORE;
	return fn == (const void *)x87_fldcw ? FLDCW : OTHER;
}

static uint64_t what_of(const struct gen *g, const struct ir_insn *i, enum kind k)
{
	uint64_t what = 0;

	gen_const(g, i->arg[k == REGISTERS ? 0 : 1], &what);
	return what;
}

static bool in_memory(const struct ir_insn *i)
{
	uint64_t at = (uint64_t)i->imm;

	if (i->op != IR_GET && i->op != IR_PUT)
		return false;
	if (i->op == IR_GET && at == X86_OFF(fsw))
		return false;
	return at - X86_OFF(fpr) < sizeof(((struct x86_cpu *)0)->fpr) || at == X86_OFF(fsw) ||
	       at == X86_OFF(ftag) || (i->op == IR_PUT && at == X86_OFF(fcw));
}

void gen_x87_analyze(struct gen *g)
{
	g->x87 = X87_UNTOUCHED;
	g->x87_last = 0;
	g->x87_note.active = false;
	for (unsigned n = 0; n < g->b->count; n++) {
		const struct ir_insn *i = &g->b->insn[n];

		if (in_memory(i)) {
			g->x87 = X87_IN_MEMORY;
			return;
		}
		if (i->op != IR_CALL || kind_of(g, i) == OTHER)
			continue;
		g->x87 = X87_LIVE;
		g->x87_last = n;
	}
	for (unsigned n = 0; g->x87 == X87_LIVE && n < g->b->count; n++) {
		const struct ir_insn *i = &g->b->insn[n];

		/* the flags before are for the helper's sake */
		if (i->op == IR_CALL && kind_of(g, i) == COMPARE)
			g->val[gen_rep(g, i->arg[0])].uses--;
	}
}

void gen_x87_ensure(struct gen *g)
{
	struct cold *c;

	if (g->x87 == X87_UNTOUCHED || (g->x87 == X87_LIVE && g->index > g->x87_last) ||
	    (g->x87 == X87_IN_MEMORY && g->index)) /* nothing brings it in behind the start */
		return;
	x64_alu_mi(&g->a, X64_CMP, 4, x64_at(X64_RBP, FRAME(x87_live)), 0);
	c = gen_cold(g, COLD_X87);
	c->from[0] = x64_jcc(&g->a, g->x87 == X87_LIVE ? X64_E : X64_NE, NULL);
	c->back = g->a.at;
}

void gen_cold_x87(struct gen *g, const struct cold *c)
{
	x64_call(&g->a, g->x87 == X87_LIVE ? g->thunks.x87_load : g->thunks.x87_home);
}

/* ---- pointers */
static void store_note(struct gen *g, const struct x87_note *n, unsigned t)
{
	if (!n->active)
		return;
	x64_mov_rm(&g->a, 8, t, x64_at(X64_RBP, CPU(rip)));
	x64_lea(&g->a, g->src->mode & X86_MODE_CODE64 ? 8 : 4, t, x64_at(t, n->offset));
	x64_mov_mr(&g->a, 8, x64_at(X64_RBP, CPU(fip)), t);
	x64_movzx_rm(&g->a, t, x64_at(X64_RBP, CPU(seg[X86_CS].sel)), 2);
	x64_mov_mr(&g->a, 2, x64_at(X64_RBP, CPU(fcs)), t);
	x64_mov_ri(&g->a, t, n->fop);
	x64_mov_mr(&g->a, 2, x64_at(X64_RBP, CPU(fop)), t);
	if (n->seg >= X87_WHAT_SEG_NONE)
		return;
	x64_movzx_rm(&g->a, t,
		     x64_at(X64_RBP, CPU(seg) + (int32_t)(n->seg * sizeof(struct x86_seg) +
							  offsetof(struct x86_seg, sel))),
		     2);
	x64_mov_mr(&g->a, 2, x64_at(X64_RBP, CPU(fds)), t);
}

/* In cold code, where all registers may be in use. */
void gen_cold_x87_note(struct gen *g, const struct x87_note *n)
{
	if (!n->active)
		return;
	x64_mov_mr(&g->a, 8, x64_at(X64_RBP, FRAME(kept)), X64_RAX);
	store_note(g, n, X64_RAX);
	x64_mov_rm(&g->a, 8, X64_RAX, x64_at(X64_RBP, FRAME(kept)));
}

void gen_x87_flush(struct gen *g)
{
	unsigned t;

	if (!g->x87_note.active)
		return;
	t = gen_temp(g);
	store_note(g, &g->x87_note, t);
	gen_release(g, t);
	g->x87_note.active = false;
}

static void note(struct gen *g, uint64_t what)
{
	unsigned seg = g->x87_note.active ? g->x87_note.seg : X87_WHAT_SEG_NONE;

	if (x87_seg(what) != X87_WHAT_SEG_NONE)
		seg = x87_seg(what);
	g->x87_note = (struct x87_note){
		.active = true,
		.seg = (uint8_t)seg,
		.fop = what >> X87_WHAT_FOP_SHIFT & 0x7ff,
		.offset = g->page_offset + (int32_t)((int64_t)what >> X87_WHAT_PC_SHIFT),
	};
}

static void note_data(struct gen *g, ir_ref fdp)
{
	x64_mov_mr(&g->a, 8, x64_at(X64_RBP, CPU(fdp)), gen_use(g, fdp));
}

/* ---- instructions */
static unsigned fop_of(uint64_t what)
{
	return what >> X87_WHAT_FOP_SHIFT & 0x7ff;
}

static void registers(struct gen *g, uint64_t what)
{
	x64_x87_r(&g->a, fop_of(what));
	note(g, what);
}

/* The host's EFLAGS are the result. */
static void compare(struct gen *g, uint64_t what, ir_ref v)
{
	registers(g, what);
	gen_take(g, X64_RAX);
	x64_lahf(&g->a);
	x64_movzx_ah(&g->a);
	x64_alu_ri(&g->a, X64_AND, 4, X64_RAX, X86_CF | X86_PF | X86_ZF);
	gen_bind(g, v, X64_RAX);
}

static void cmov(struct gen *g, const struct ir_insn *i, uint64_t what)
{
	enum { FCMOVNE = 0x3c8 }; /* DB C8 */
	unsigned r = gen_use(g, i->arg[0]);

	x64_test_rr(&g->a, 4, r, r);
	x64_x87_r(&g->a, FCMOVNE | x87_sti(what));
	note(g, what);
}

static void value(struct gen *g, const struct ir_insn *i, uint64_t what)
{
	struct x64_mem at = x64_at(X64_RBP, FRAME(value));

	x64_mov_mr(&g->a, 8, at, gen_use(g, i->arg[0]));
	x64_x87_m(&g->a, fop_of(what), at);
	note_data(g, i->arg[2]);
	note(g, what);
}

static unsigned bytes_of(uint64_t what, enum kind k)
{
	static const uint8_t bytes[] = {
		[X87_ST_M32] = 4,  [X87_ST_M64] = 8,  [X87_ST_M80] = 10,
		[X87_ST_I16] = 2,  [X87_ST_I32] = 4,  [X87_ST_I64] = 8,
		[X87_ST_TT16] = 2, [X87_ST_TT32] = 4, [X87_ST_TT64] = 8,
	};

	return k == LOAD80 ? 10 : bytes[what & X87_WHAT_OP];
}

/* Straight from or to guest memory if the probe finds it, so that a store that faults has changed
 * nothing; else the helper does all. */
static void access(struct gen *g, const struct ir_insn *i, uint64_t what, enum kind k)
{
	unsigned lin = gen_use(g, i->arg[0]), data = gen_use(g, i->arg[2]);
	unsigned t1 = gen_temp(g), t2 = gen_temp(g);
	struct gen_range r = {.hi = (int32_t)bytes_of(what, k) - 1,
			      .mmu = x86_mode_mmu(g->src->mode),
			      .write = k == STORE};
	struct cold *c = gen_cold(g, COLD_X87_ACCESS);

	c->reg = (uint8_t)lin;
	c->reg2 = (uint8_t)data;
	c->access = k == STORE;
	c->from[0] = gen_probe(g, &r, lin, t1, t2);
	x64_mov_rm(&g->a, 8, t1, gen_addend(r.mmu, t1));
	x64_x87_m(&g->a, fop_of(what), x64_at_index(lin, t1, 0, 0));
	note_data(g, i->arg[2]);
	c->back = g->a.at;
	note(g, what);
}

void gen_cold_x87_access(struct gen *g, const struct cold *c)
{
	uint64_t what = 0;

	gen_const(g, g->b->insn[c->index].arg[1], &what);
	x64_mov_mr(&g->a, 8, x64_at(X64_RBP, FRAME(address)), c->reg);
	x64_mov_mr(&g->a, 8, x64_at(X64_RBP, FRAME(arg[2])), c->reg2);
	x64_mov_mi(&g->a, 4, x64_at(X64_RBP, FRAME(arg[1])), (int32_t)what);
	x64_mov_mi(&g->a, 4, x64_at(X64_RBP, FRAME(arg[1]) + 4), (int32_t)(what >> 32));
	gen_helper_place(g);
}

static void fldcw(struct gen *g, const struct ir_insn *i)
{
	struct x64_mem fcw = x64_at(X64_RBP, CPU(fcw));
	unsigned v = gen_use(g, i->arg[0]), t = gen_temp(g);
	struct cold *c = gen_cold(g, COLD_X87_FLDCW);

	c->reg = (uint8_t)v;
	x64_mov_rr(&g->a, 4, t, v);
	x64_alu_ri(&g->a, X64_AND, 4, t, X87_EXCEPTIONS);
	x64_alu_ri(&g->a, X64_CMP, 4, t, X87_EXCEPTIONS);
	c->from[0] = x64_jcc(&g->a, X64_NE, NULL);
	x64_mov_rr(&g->a, 4, t, v);
	x64_alu_ri(&g->a, X64_AND, 4, t, X87_FCW_BITS);
	x64_alu_ri(&g->a, X64_OR, 4, t, X87_FCW_ONE);
	x64_mov_mr(&g->a, 2, fcw, t);
	x64_x87_m(&g->a, X64_FLDCW, fcw);
}

bool gen_x87(struct gen *g, const struct ir_insn *i, ir_ref v)
{
	enum kind k = g->x87 == X87_LIVE ? kind_of(g, i) : OTHER;
	uint64_t what = what_of(g, i, k);

	if (k == OTHER)
		return false;
	gen_rmw_cancel(g);
	switch (k) {
	case REGISTERS:
		registers(g, what);
		break;
	case COMPARE:
		compare(g, what, v);
		break;
	case CMOV:
		cmov(g, i, what);
		break;
	case VALUE:
		value(g, i, what);
		break;
	case FLDCW:
		fldcw(g, i);
		break;
	default:
		access(g, i, what, k);
	}
	return true;
}

void gen_x87_status(struct gen *g)
{
	struct x64_mem fsw = x64_at(X64_RBP, CPU(fsw));
	uint8_t *over;

	if (g->x87 == X87_IN_MEMORY)
		return;
	x64_alu_mi(&g->a, X64_CMP, 4, x64_at(X64_RBP, FRAME(x87_live)), 0);
	over = x64_jcc_short(&g->a, X64_E);
	x64_x87_m(&g->a, X64_FNSTSW, fsw);
	x64_land_short(&g->a, over);
}
