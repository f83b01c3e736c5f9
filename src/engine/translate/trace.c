/*
 * Growing traces: when a block is hot, what runs next is taken for what mostly runs next ("next
 * executing tail"). The interpreter carries the blocks out one by one until they come back to the
 * start, leave the page, run through code that has been translated, or are enough; the path they
 * took is compiled as one. Short loops are unrolled.
 */
#include <string.h>

#include "engine/translate/translate_private.h"
#include "isa/x86/mode.h"

enum {
	UNROLL_INSNS = 48,
	UNROLL_MAX = 4,
	RECORD_BLOCKS_MAX = 24,
	RECORD_KNOWN_MAX = 4, /* blocks that have code already: a copy knows where it came from */
	/* Entries until a block is looked at again: that is being compiled; that nobody had time
	   for. */
	HEAT_PENDING = 64,
	HEAT_BUSY = 48,
};

struct recording {
	uint16_t path[COMPILE_PATH_MAX];
	unsigned len;
	unsigned insns;
	bool loop;
	uint32_t cc_kind; /* of the flags it begins with, of a loop the second time */
};

/* Did the block end because it was long enough, and not with a jump? */
static bool falls_through(const struct iblock *b)
{
	const struct ilink *l = b->head.link;

	return b->head.link_count == 1 && l->delta == (int64_t)b->bytes;
}

/* Must a request that waited at the last boundary be looked at again? */
static bool may_stop_waiting(const struct x86_cpu *cpu)
{
	uint32_t waits = cpu->request_ignored;

	return ((waits & X86_REQ_INTR) && (cpu->rflags & X86_IF)) ||
	       ((waits & X86_REQ_NMI) && !cpu->nmi_blocked);
}

/* Carry b out; true if the next instruction may be recorded. */
static bool run_one(struct translate *t, struct iblock *b)
{
	struct x86_cpu *cpu = t->cpu;
	x86_mode_t mode = cpu->mode;

	if (cpu->budget < b->head.insns)
		return false;
	if (!interp_exec_alone(t->interp, b)) {
		interp_abort(t->interp);
		return false;
	}
	cpu->block_insns = 0;
	return cpu->mode == mode && cpu->request == cpu->request_ignored &&
	       !may_stop_waiting(cpu) && !cpu->pending_db && cpu->activity == X86_RUNNING &&
	       cpu->budget > 0;
}

static bool goes_on(const struct translate *t, const struct iblock *first,
		    const struct iblock *next, const struct recording *r)
{
	return next && !next->head.dead && !first->head.dead && next->head.gpa2 == ~0ull &&
	       next->head.mode == first->head.mode &&
	       (next->head.gpa ^ first->head.gpa) >> PAGE_BITS == 0 && r->len < COMPILE_PATH_MAX &&
	       r->insns + next->head.insns <= t->compiler.max_trace;
}

static void record(struct translate *t, struct iblock *first, struct recording *r)
{
	struct iblock *b = first, *next;
	unsigned known = 0, loop_at = 0, evictions = t->interp->evictions;
	const struct tblock *to, *loop = NULL;

	for (unsigned n = 0; n < RECORD_BLOCKS_MAX; n++) {
		bool jumped = !falls_through(b);

		r->insns += b->head.insns;
		if (!run_one(t, b))
			return;
		next = find_block(t->interp);
		if (!next) { /* the fetch faults: let it happen */
			interp_step(t->interp, NULL);
			return;
		}
		if (t->interp->evictions != evictions ||
		    (!goes_on(t, first, next, r) && next != first))
			return;
		to = code_find(t->code, next->head.gpa, ~0ull, next->head.mode);
		if (to && to == loop && to->head.insns % (r->insns - loop_at) == 0)
			return; /* another round of it: its own code is the better one for that */
		if (to && to->loop) {
			loop = to;
			loop_at = r->insns;
		}
		if (t->background && next->heat > 1 && next->heat < HEAT_PENDING)
			next->heat = HEAT_PENDING; /* soon part of this one */
		if (jumped)
			r->path[r->len++] = next->head.gpa & PAGE_OFFSET_MASK;
		if (next == first) {
			r->loop = true;
			r->cc_kind = t->cpu->cc_kind;
			return;
		}
		if (to && ++known > RECORD_KNOWN_MAX)
			return;
		b = next;
	}
}

/* Several rounds of a short loop in one: what is done once a round is done less often. */
static void unroll(struct recording *r)
{
	unsigned round = r->len, times = UNROLL_INSNS / r->insns;

	if (!r->loop || !round)
		return;
	times = times < UNROLL_MAX ? times : UNROLL_MAX;
	for (unsigned k = 1; k < times && r->len + round <= COMPILE_PATH_MAX; k++)
		for (unsigned i = 0; i < round; i++)
			r->path[r->len++] = r->path[i];
}

static void job_fill(struct translate *t, struct compile_job *job, uint64_t rip, struct iblock *b,
		     const struct recording *r, const uint8_t *page, const uint8_t *page2)
{
	job->rip = rip;
	job->gpa = b->head.gpa;
	job->gpa2 = b->head.gpa2;
	job->mode = b->head.mode;
	job->tag = jumps_tag(t, b->head.mode);
	memcpy(job->path, r->path, r->len * sizeof(*r->path));
	job->path_len = r->len;
	job->loop = r->loop;
	job->cc_kind = r->cc_kind;
	memcpy(job->page, page, PAGE_BYTES);
	if (b->head.gpa2 != ~0ull)
		memcpy(job->page + PAGE_BYTES, page2, X86_INSN_MAX);
	memcpy(job->wanderers, t->wanderers, sizeof(job->wanderers));
	memcpy(job->apart, t->apart, sizeof(job->apart));
	job->settles = code_settling(t->code, &job->settle);
	job->head = b;
	job->evictions = t->interp->evictions;
}

/* Is it a matter of waiting? Then the interpreter goes on with it. */
static bool must_wait(struct translate *t, struct iblock *b)
{
	if (!t->background)
		return false;
	if (background_has(t->background, b->head.gpa, b->head.gpa2, b->head.mode))
		b->heat = HEAT_PENDING;
	else if (!background_job(t->background))
		b->heat = HEAT_BUSY;
	else
		return false;
	t->link = NULL;
	interp_step(t->interp, b);
	return true;
}

void trace_hot(struct translate *t, struct iblock *b)
{
	struct x86_cpu *cpu = t->cpu;
	struct compile_job *job = t->job;
	struct recording r = {.cc_kind = cpu->cc_kind};
	uint64_t rip = cpu->rip;
	unsigned evictions = t->interp->evictions;
	const uint8_t *page, *page2 = NULL;
	bool rom;

	if (must_wait(t, b))
		return;
	t->link = NULL; /* its block may be evicted */
	page = space_ram_page(cpu->space, b->head.gpa, &rom);
	if (b->head.gpa2 != ~0ull)
		page2 = space_ram_page(cpu->space, b->head.gpa2, &rom);
	if (!page || (b->head.gpa2 != ~0ull && !page2)) {
		b->heat = UINT32_MAX;
		return;
	}
	b->heat = 2;
	if (t->compiler.max_trace && b->head.gpa2 == ~0ull) {
		record(t, b, &r);
		unroll(&r);
	}
	if (t->interp->evictions != evictions || b->head.dead)
		return;
	if (t->background) {
		job = background_job(t->background);
		job_fill(t, job, rip, b, &r, page, page2);
		b->heat = HEAT_PENDING;
		background_submit(t->background);
	} else {
		code_hold(t->code, b->head.gpa, b->head.gpa2);
		job_fill(t, job, rip, b, &r, page, page2);
		compile(&t->compiler, job);
		b->heat = keep(t, job) ? 1 : UINT32_MAX;
		code_let_go(t->code, b->head.gpa, b->head.gpa2);
	}
}
