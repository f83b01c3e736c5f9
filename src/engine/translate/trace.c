/*
 * Growing traces: when a block is hot, what runs next is taken for what mostly runs next ("next
 * executing tail"). The interpreter carries the blocks out one by one until they come back to the
 * start, go through too many pages, run through code that has been translated, or are enough; the
 * path they took is compiled as one. Short loops are unrolled. What is no loop ends in the page it
 * began in: with each function it calls there would be a copy of that in each of its callers.
 */
#include <string.h>

#include "engine/translate/translate_private.h"
#include "isa/x86/mode.h"

#define TRACE_REACH (1ll << 30) /* in both directions, so that distances fit 32 bits */

enum {
	UNROLL_INSNS = 48,
	UNROLL_MAX = 4,
	AWAY_INSNS = 16, /* in other pages, of what is no loop */
	RECORD_BLOCKS_MAX = 24,
	RECORD_KNOWN_MAX = 4, /* blocks that have code already: a copy knows where it came from */
	/* Entries until a block is looked at again: that is being compiled; that nobody had time
	   for. */
	HEAT_PENDING = 64,
	HEAT_BUSY = 48,
};

struct recording {
	uint64_t rip; /* of the start's page */
	struct gen_page page[GEN_PAGES_MAX];
	unsigned page_count;
	int32_t path[COMPILE_PATH_MAX];
	unsigned len;
	unsigned insns;
	unsigned away;		       /* of them, outside of its first page */
	unsigned home_len, home_pages; /* up to where it may end if it is no loop */
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

/* Pages that would put each other out of the instruction TLB are not for one trace. */
static bool fits_itlb(const struct recording *r, uint64_t rip)
{
	for (unsigned k = 0; k < r->page_count; k++)
		if (x86_itlb_index(r->rip + (uint64_t)(int64_t)r->page[k].at) ==
		    x86_itlb_index(rip))
			return false;
	return true;
}

/* The page at rip, with code at gpa, is one that the trace goes through. */
static bool take_page(const struct translate *t, struct recording *r, uint64_t rip, uint64_t gpa)
{
	int64_t at = (int64_t)(align_down(rip, PAGE_BYTES) - r->rip);
	bool rom;

	gpa = align_down(gpa, PAGE_BYTES);
	for (unsigned k = 0; k < r->page_count; k++)
		if (r->page[k].at == at)
			return r->page[k].gpa == gpa;
	if (r->page_count == GEN_PAGES_MAX || at < -TRACE_REACH || at > TRACE_REACH ||
	    !has_addresses(t->cpu->mode) || !fits_itlb(r, rip) ||
	    !space_ram_page(t->cpu->space, gpa, &rom))
		return false;
	r->page[r->page_count++] = (struct gen_page){(int32_t)at, gpa};
	return true;
}

static bool goes_on(const struct translate *t, const struct iblock *first,
		    const struct iblock *next, struct recording *r)
{
	return next && !next->head.dead && !first->head.dead && next->head.gpa2 == ~0ull &&
	       next->head.mode == first->head.mode && r->len < COMPILE_PATH_MAX &&
	       r->insns + next->head.insns <= t->compiler.max_trace &&
	       take_page(t, r, t->cpu->rip, next->head.gpa);
}

/* The path has come to rip, where the next block is: may it end there if it is no loop? */
static void note_home(struct recording *r, uint64_t rip, const struct iblock *next)
{
	if (rip - r->rip >= PAGE_BYTES) {
		r->away += next->head.insns;
	} else if (r->away <= AWAY_INSNS) {
		r->home_len = r->len;
		r->home_pages = r->page_count;
	}
}

static void end_at_home(struct recording *r)
{
	if (r->loop)
		return;
	r->len = r->home_len;
	r->page_count = r->home_pages;
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
		if (t->background && r->page_count == 1 && next->heat > 1 &&
		    next->heat < HEAT_PENDING)
			next->heat = HEAT_PENDING; /* soon part of this one */
		if (jumped)
			r->path[r->len++] = (int32_t)(t->cpu->rip - r->rip);
		note_home(r, t->cpu->rip, next);
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

/* False: what was recorded has changed where there is memory. */
static bool copy_pages(const struct translate *t, struct compile_job *job)
{
	bool rom;

	for (unsigned k = 0; k < job->page_count; k++) {
		const uint8_t *page = space_ram_page(t->cpu->space, job->page[k].gpa, &rom);

		if (!page)
			return false;
		memcpy(job->bytes[k], page, PAGE_BYTES);
	}
	return true;
}

static bool job_fill(struct translate *t, struct compile_job *job, uint64_t rip, struct iblock *b,
		     const struct recording *r)
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
	memcpy(job->page, r->page, r->page_count * sizeof(*r->page));
	job->page_count = r->page_count;
	if (!copy_pages(t, job))
		return false;
	memcpy(job->wanderers, t->wanderers, sizeof(job->wanderers));
	memcpy(job->apart, t->apart, sizeof(job->apart));
	job->settles = code_settling(t->code, &job->settle);
	job->head = b;
	job->evictions = t->interp->evictions;
	return true;
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

/* A recording that begins with b, the block at RIP. False: it is not in memory. */
static bool begin(const struct translate *t, const struct iblock *b, struct recording *r)
{
	bool rom;

	*r = (struct recording){.rip = align_down(t->cpu->rip, PAGE_BYTES),
				.page = {{0, align_down(b->head.gpa, PAGE_BYTES)}},
				.page_count = 1,
				.home_pages = 1,
				.cc_kind = t->cpu->cc_kind};
	if (b->head.gpa2 != ~0ull)
		r->page[r->page_count++] = (struct gen_page){PAGE_BYTES, b->head.gpa2};
	for (unsigned k = 0; k < r->page_count; k++)
		if (!space_ram_page(t->cpu->space, r->page[k].gpa, &rom))
			return false;
	return true;
}

void trace_hot(struct translate *t, struct iblock *b)
{
	struct compile_job *job = t->job;
	struct recording r;
	uint64_t rip = t->cpu->rip;
	unsigned evictions = t->interp->evictions;

	if (must_wait(t, b))
		return;
	t->link = NULL; /* its block may be evicted */
	if (!begin(t, b, &r)) {
		b->heat = UINT32_MAX;
		return;
	}
	b->heat = 2;
	if (t->compiler.max_trace && b->head.gpa2 == ~0ull) {
		record(t, b, &r);
		end_at_home(&r);
		unroll(&r);
	}
	if (t->interp->evictions != evictions || b->head.dead)
		return;
	if (t->background) {
		job = background_job(t->background);
		if (!job_fill(t, job, rip, b, &r))
			return;
		b->heat = HEAT_PENDING;
		background_submit(t->background);
	} else {
		code_hold(t->code, r.page, r.page_count);
		if (job_fill(t, job, rip, b, &r)) {
			compile(&t->compiler, job);
			b->heat = keep(t, job) ? 1 : UINT32_MAX;
		}
		code_let_go(t->code, r.page, r.page_count);
	}
}
