/*
 * Accesses of one block that share a probe of the TLB: those whose addresses differ by constants
 * only and are near each other. The first of a group probes for all of them, from the lowest byte
 * to the highest, and leaves the distance to host memory in the frame; the others find it there, or
 * 0: then each looks for itself, in cold code. It is 0 if the bytes are not in one page or the page
 * is not to be had without a second look, and after everything that may change what a page is
 * (slow.c). A group never reaches over a call that could.
 */
#include <string.h>

#include "engine/translate/x64/gen.h"
#include "isa/x86/mmu.h"

enum {
	GROUP_SPAN = 512, /* bytes from the first to the last: seldom in two pages */
	BASE_PC = 0xfffe, /* in place of a value: what `pc` gives; no value at all */
	BASE_NONE = 0xfffd,
};

/* A linear address: base + (index << scale) + disp. */
struct form {
	ir_ref base, index;
	uint8_t scale;
	int64_t disp;
};

static bool constant(const struct gen *g, ir_ref v, int64_t *imm)
{
	const struct ir_insn *i = &g->b->insn[gen_rep(g, v)];

	if (i->op != IR_CONST || i->type != IR_I64)
		return false;
	*imm = i->imm;
	return true;
}

/* v without the constants that are added to it, which go to *disp. */
static ir_ref strip(const struct gen *g, ir_ref v, unsigned scale, int64_t *disp)
{
	for (;;) {
		const struct ir_insn *i;
		int64_t imm;

		v = gen_rep(g, v);
		i = &g->b->insn[v];
		if (i->type != IR_I64 || (i->op != IR_ADD && i->op != IR_SUB) ||
		    !constant(g, i->arg[1], &imm))
			return v;
		if (i->op == IR_SUB)
			imm = (int64_t)(0 - (uint64_t)imm);
		*disp = (int64_t)((uint64_t)*disp + ((uint64_t)imm << scale));
		v = i->arg[0];
	}
}

static bool scaled(const struct gen *g, ir_ref v, struct form *f)
{
	const struct ir_insn *i = &g->b->insn[v];
	int64_t n;

	if (i->op != IR_SHL || i->type != IR_I64 || !constant(g, i->arg[1], &n) || n < 0 || n > 3)
		return false;
	f->scale = (uint8_t)n;
	f->index = strip(g, i->arg[0], f->scale, &f->disp);
	return true;
}

static struct form form_of(const struct gen *g, ir_ref v)
{
	struct form f = {.index = IR_NONE};
	const struct ir_insn *i;
	ir_ref x, y;

	v = strip(g, v, 0, &f.disp);
	i = &g->b->insn[v];
	f.base = v;
	if (i->op == IR_PC || i->op == IR_CONST) {
		f.base = i->op == IR_PC ? BASE_PC : BASE_NONE;
		f.disp = (int64_t)((uint64_t)f.disp + (uint64_t)i->imm);
	} else if (i->op == IR_ADD && i->type == IR_I64) {
		x = strip(g, i->arg[0], 0, &f.disp);
		y = strip(g, i->arg[1], 0, &f.disp);
		if (!scaled(g, y, &f)) {
			ir_ref t = x;
			x = y;
			y = t;
			if (!scaled(g, y, &f))
				f.index = y;
		}
		f.base = x;
		if (!f.scale && f.index < f.base) {
			f.base = f.index;
			f.index = x;
		}
	}
	return f;
}

static unsigned alignment(const struct ir_insn *i)
{
	return i->aux & X86_MEM_ALIGN16 ? 15 : i->aux & X86_MEM_ALIGN32 ? 31 : 0;
}

/* Let access n, `at` bytes from the group's first, belong to p if it is near enough. The first
 * tests alignment for all of them, which the distance must not matter to. */
static bool join(struct gen *g, struct gen_group *p, unsigned n, int64_t at)
{
	const struct ir_insn *i = &g->b->insn[n];
	int64_t end = at + (int64_t)ir_type_bytes((enum ir_type)i->type);
	int64_t lo = at < p->lo ? at : p->lo, hi = end > p->hi ? end : p->hi;
	unsigned align = alignment(i);

	if (at < -GROUP_SPAN || at > GROUP_SPAN || hi - lo > GROUP_SPAN || (at & align))
		return false;
	p->lo = (int32_t)lo;
	p->hi = (int32_t)hi;
	if (align > p->align)
		p->align = align;
	p->write |= i->op == IR_STORE || (i->aux & X86_MEM_RMW);
	p->members++;
	return true;
}

struct open {
	struct form form;
	uint16_t group; /* number + 1, or 0 */
	uint16_t used;
};

static bool same_place(const struct form *a, const struct form *b)
{
	return a->base == b->base && a->index == b->index && a->scale == b->scale;
}

static struct open *oldest(struct open *o)
{
	struct open *best = o;

	for (unsigned k = 0; k < FRAME_GROUPS; k++) {
		if (!o[k].group)
			return &o[k];
		if (o[k].used < best->used)
			best = &o[k];
	}
	return best;
}

static void add(struct gen *g, struct open *o, unsigned n, uint64_t gpa)
{
	const struct ir_insn *i = &g->b->insn[n];
	struct form f = form_of(g, i->arg[0]);
	struct open *e;

	for (unsigned k = 0; k < FRAME_GROUPS; k++) {
		struct gen_group *p = o[k].group ? &g->group[o[k].group - 1] : NULL;

		if (!p || p->mmu != i->mmu || !same_place(&o[k].form, &f) ||
		    !join(g, p, n, (int64_t)((uint64_t)f.disp - (uint64_t)o[k].form.disp)))
			continue;
		o[k].used = (uint16_t)n;
		g->group_of[n] = o[k].group;
		return;
	}
	if (g->group_count == GEN_GROUPS_MAX)
		return;
	e = oldest(o);
	*e = (struct open){f, (uint16_t)++g->group_count, (uint16_t)n};
	g->group[g->group_count - 1] = (struct gen_group){
		.first = (uint16_t)n,
		.hi = (int32_t)ir_type_bytes((enum ir_type)i->type),
		.mmu = i->mmu,
		.slot = FRAME(group) + 8 * (int32_t)(e - o),
		.align = alignment(i),
		.members = 1,
		.write = i->op == IR_STORE || (i->aux & X86_MEM_RMW),
		.apart = gen_marked(g->src->apart, gpa),
	};
	g->group_of[n] = e->group;
}

/* A read that is written back and nothing else has a way of its own. */
static bool worth_it(const struct gen *g, const struct gen_group *p)
{
	const struct ir_insn *i = &g->b->insn[p->first];

	return !p->apart && (p->members > 2 || (p->members == 2 && !gen_is_rmw(g, i)));
}

void gen_group_accesses(struct gen *g)
{
	uint64_t gpa = g->src->gpa;
	struct open open[FRAME_GROUPS] = {{.group = 0}};

	g->group_count = 0;
	for (unsigned n = 0; n < g->b->count; n++) {
		const struct ir_insn *i = &g->b->insn[n];

		g->group_of[n] = 0;
		if (i->op == IR_LOAD || i->op == IR_STORE)
			add(g, open, n, gpa);
		else if (i->op == IR_GUEST)
			gpa = gen_insn_gpa(g, g->page_offset + (int32_t)i->imm);
		else if (i->op == IR_CALL && !(ir_helper_of(i)->flags & IR_HELPER_PURE))
			memset(open, 0, sizeof(open));
	}
	for (unsigned n = 0; n < g->b->count; n++)
		if (g->group_of[n] && !worth_it(g, &g->group[g->group_of[n] - 1]))
			g->group_of[n] = 0;
}
