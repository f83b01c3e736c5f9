/*
 * Growing traces: when a block is hot, what runs next is taken for what mostly runs next ("next
 * executing tail"). The interpreter carries the blocks out one by one until they come back to the
 * start, leave the page, run through code that has been translated, or are enough; the path they
 * took is compiled as one. Short loops are unrolled.
 */
#include "engine/translate/translate_private.h"
#include "isa/x86/mode.h"

enum {
	UNROLL_INSNS = 48,
	UNROLL_MAX = 4,
	RECORD_BLOCKS_MAX = 24,
	RECORD_KNOWN_MAX = 4, /* blocks that have code already: a copy knows where it came from */
};

struct recording {
	uint16_t path[TRACE_PATH_MAX];
	unsigned len;
	unsigned insns;
	bool loop;
};

/* Did the block end because it was long enough, and not with a jump? */
static bool falls_through(const struct iblock *b)
{
	return b->link_count == 1 && b->link[0].delta == (int64_t)b->bytes;
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

	if (cpu->budget < b->insns)
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

static bool goes_on(const struct translate *t, const struct iblock *head, const struct iblock *next,
		    const struct recording *r)
{
	return next && !next->dead && !head->dead && next->gpa2 == ~0ull &&
	       next->mode == head->mode && (next->gpa ^ head->gpa) >> PAGE_BITS == 0 &&
	       r->len < TRACE_PATH_MAX && r->insns + next->insns <= t->max_trace;
}

static void record(struct translate *t, struct iblock *head, struct recording *r)
{
	struct iblock *b = head, *next;
	unsigned known = 0;

	unsigned flushes = t->interp->flushes;

	for (unsigned n = 0; n < RECORD_BLOCKS_MAX; n++) {
		bool jumped = !falls_through(b);

		r->insns += b->insns;
		if (!run_one(t, b))
			return;
		next = find_block(t->interp);
		if (!next) { /* the fetch faults: let it happen */
			interp_step(t->interp, NULL);
			return;
		}
		if (t->interp->flushes != flushes || (!goes_on(t, head, next, r) && next != head))
			return;
		if (jumped)
			r->path[r->len++] = next->gpa & PAGE_OFFSET_MASK;
		if (next == head) {
			r->loop = true;
			return;
		}
		if (code_find(t->code, next->gpa, ~0ull, next->mode) && ++known > RECORD_KNOWN_MAX)
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
	for (unsigned k = 1; k < times && r->len + round <= TRACE_PATH_MAX; k++)
		for (unsigned i = 0; i < round; i++)
			r->path[r->len++] = r->path[i];
}

void trace_hot(struct translate *t, struct iblock *b)
{
	struct x86_cpu *cpu = t->cpu;
	struct compile_at at = {.rip = cpu->rip, .gpa = b->gpa, .mode = b->mode};
	struct recording r = {.len = 0};
	unsigned flushes = t->interp->flushes;
	bool rom;

	at.page = space_ram_page(cpu->space, b->gpa, &rom);
	at.gpa2 = b->gpa2;
	at.page2 = b->gpa2 == ~0ull ? at.page : space_ram_page(cpu->space, b->gpa2, &rom);
	if (!at.page || !at.page2) {
		b->heat = UINT32_MAX;
		return;
	}
	b->heat = 2;
	if (t->max_trace && b->gpa2 == ~0ull) {
		record(t, b, &r);
		unroll(&r);
		at.path = r.path;
		at.path_len = r.len;
		at.loop = r.loop;
	}
	if (t->interp->flushes != flushes || b->dead)
		return;
	b->heat = compile(t, &at) ? 1 : UINT32_MAX;
}
