/*
 * The interpreter's main loop: find the block at CS:RIP, lifting and lowering it if need be, carry
 * it and those linked to it out, and deal with what made it stop: faults, requests from other
 * threads, stores into its own code, locked accesses the host cannot do, an empty budget.
 */
#include "engine/interpret/interpret.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "engine/interpret/cache.h"
#include "engine/interpret/interpret_private.h"
#include "host/host.h"
#include "isa/x86/decode.h"
#include "isa/x86/fault.h"
#include "isa/x86/fpu.h"
#include "isa/x86/mode.h"

enum {
	CACHE_LIMIT_BYTES = 96 << 20,
	PENDING_WRITES = 64,
};

/* Bytes of code other threads (or we) wrote, to be dropped at the next block boundary. */
struct written {
	struct host_mutex lock;
	unsigned count;
	bool overflow;
	struct {
		uint64_t gpa;
		size_t len;
	} range[PENDING_WRITES];
};

struct engine_cpu {
	struct interp_hot hot; /* first: operations find it through cpu->engine */
	struct x86_cpu *cpu;
	struct engine_group *group;
	struct translator *translator;
	struct cache *cache;
	struct written written;
};

static void code_written(void *opaque, uint64_t gpa, size_t len)
{
	struct engine_cpu *e = opaque;
	struct written *w = &e->written;

	host_mutex_lock(&w->lock);
	if (w->count < PENDING_WRITES) {
		w->range[w->count].gpa = gpa;
		w->range[w->count++].len = len;
	} else {
		w->overflow = true;
	}
	host_mutex_unlock(&w->lock);
	x86_request(e->cpu, X86_REQ_CODE);
}

static void clear_jumps(struct engine_cpu *e)
{
	memset(e->hot.jump, 0, sizeof(e->hot.jump));
	e->hot.jump_gen[0] = e->hot.jump_gen[1] = 1;
}

static void flush_jumps(void *opaque, bool global)
{
	struct engine_cpu *e = opaque;

	/* a generation that wraps would make old entries match again */
	if (!++e->hot.jump_gen[0] || (global && !++e->hot.jump_gen[1]))
		clear_jumps(e);
}

static void flush_cache(struct engine_cpu *e)
{
	cache_flush(e->cache);
	clear_jumps(e); /* its blocks are no more */
	e->hot.link = NULL;
	e->hot.block = NULL;
}

static void drop_written(struct engine_cpu *e)
{
	struct written *w = &e->written;
	unsigned dropped = 0;

	host_mutex_lock(&w->lock);
	for (unsigned i = 0; i < w->count && !w->overflow; i++)
		dropped += cache_drop(e->cache, w->range[i].gpa, w->range[i].len);
	if (w->overflow)
		flush_cache(e);
	w->count = 0;
	w->overflow = false;
	host_mutex_unlock(&w->lock);
	if (dropped) {
		flush_jumps(e, true);
		e->hot.link = NULL;
		e->cpu->counter[COUNTER_BLOCKS_DROPPED] += dropped;
		TRACE(e->cpu->trace, TRACE_SMC, "cpu %u: %u blocks dropped", e->cpu->index,
		      dropped);
	}
}

/* ---- finding blocks */
/* Instruction fetch at cs:rip, all pages of `need` bytes translated; false: cpu->fault is set. */
static bool fetch(struct x86_cpu *cpu, struct code_bytes *code)
{
	const struct x86_seg *cs = &cpu->seg[X86_CS];
	uint64_t lin = cpu->rip;

	if (!(cpu->mode & X86_MODE_CODE64)) {
		if (cpu->rip > cs->limit)
			return x86_fault_raise_error(cpu, X86_FAULT_GP, 0);
		lin = (uint32_t)(cs->base + cpu->rip);
	}
	code->lin = lin;
	code->gpa2 = ~0ull;
	code->hva2 = NULL;
	if (!x86_mmu_fetch_page(cpu, lin, &code->gpa, &code->hva))
		return false;
	code->gpa |= lin & PAGE_OFFSET_MASK;
	return true;
}

static bool near_page_end(const struct code_bytes *code)
{
	return (code->gpa & PAGE_OFFSET_MASK) > PAGE_BYTES - X86_INSN_MAX;
}

/* Blocks that cross into the next page are keyed by both pages: try those first near a page's end,
 * if the next page can be fetched at all. */
static struct iblock *find_straddling(struct engine_cpu *e, struct code_bytes *code)
{
	struct x86_cpu *cpu = e->cpu;
	uint64_t next = align_down(code->lin, PAGE_BYTES) + PAGE_BYTES;

	if (!(cpu->mode & X86_MODE_CODE64))
		next = (uint32_t)next;
	if (!x86_mmu_fetch_page(cpu, next, &code->gpa2, &code->hva2)) {
		cpu->fault.vector = -1;
		cpu->exit_code = X86_EXIT_NONE;
		code->gpa2 = ~0ull;
		return NULL;
	}
	return cache_find(e->cache, code->gpa, code->gpa2, cpu->mode);
}

static void hold(struct engine_cpu *e, uint64_t gpa, const uint8_t *hva)
{
	bool fresh;

	if (!hva || cache_holds_page(e->cache, gpa))
		return;
	if (cache_hold_page(e->cache, gpa, &fresh)) {
		flush_cache(e); /* frees page records */
		if (cache_hold_page(e->cache, gpa, &fresh))
			BUG_ON(true, "no memory for one page record");
	}
	if (fresh)
		engine_group_protect(e->group, e->cpu, align_down(gpa, PAGE_BYTES));
}

/* A jump cache entry from before a TLB flush: its block serves again if its page is still mapped
 * there. Dropped blocks stay readable until the cache is flushed, which clears all entries. */
static struct iblock *block_again(struct engine_cpu *e, const struct code_bytes *code)
{
	const struct x86_cpu *cpu = e->cpu;
	const struct interp_jump *j = &e->hot.jump[interp_jump_index(cpu->rip)];

	if (!j->block || j->rip != cpu->rip || j->mode != cpu->mode || j->block->dead ||
	    j->block->gpa != code->gpa || j->block->gpa2 != ~0ull)
		return NULL;
	return j->block;
}

/* The block at cs:rip of at most max_insns instructions; NULL with a fault recorded. alone: not
 * cached, for one use now. */
static struct iblock *block_get(struct engine_cpu *e, unsigned max_insns, bool alone)
{
	struct x86_cpu *cpu = e->cpu;
	struct code_bytes code;
	struct iblock *b;

	cpu->counter[COUNTER_BLOCK_LOOKUPS]++;
	if (!fetch(cpu, &code))
		return NULL;
	if (!alone) {
		b = block_again(e, &code);
		if (!b)
			b = cache_find(e->cache, code.gpa, ~0ull, cpu->mode);
		if (!b && near_page_end(&code))
			b = find_straddling(e, &code);
		if (b)
			return b;
	} else if (near_page_end(&code)) {
		find_straddling(e, &code);
	}
	hold(e, code.gpa, code.hva);
	if (code.gpa2 != ~0ull)
		hold(e, code.gpa2, code.hva2);
	if (!translator_lift(e->translator, &code, max_insns))
		return NULL; /* the rest of the instruction cannot be fetched */
	b = translator_place(e->translator, e->cache, alone);
	if (!b) {
		flush_cache(e);
		hold(e, code.gpa, code.hva);
		if (code.gpa2 != ~0ull)
			hold(e, code.gpa2, code.hva2);
		b = translator_place(e->translator, e->cache, alone);
		BUG_ON(!b, "a block does not fit an empty cache");
	}
	return b;
}

/* May a block of this mode be entered straight from another? */
static bool mode_chains(x86_mode_t mode)
{
	return !(mode & X86_MODE_POLLS);
}

static bool mode_has_jumps(x86_mode_t mode)
{
	return mode_chains(mode) && (mode & (X86_MODE_CODE64 | X86_MODE_FLAT));
}

/* A direct exit stays linked to its target while both lie in one page: the mapping that led from
 * one to the other then cannot change without a look-up. */
static void link_try(struct engine_cpu *e, struct ilink *link, struct iblock *to)
{
	const struct iblock *from = e->hot.block;

	if (from && !from->dead && from->gpa >> PAGE_BITS == to->gpa >> PAGE_BITS &&
	    from->mode == to->mode && mode_chains(to->mode) && from->gpa2 == ~0ull &&
	    to->gpa2 == ~0ull)
		cache_link(link, to);
}

static bool fetched_globally(const struct x86_cpu *cpu)
{
	const struct x86_itlb_entry *i =
		&cpu->itlb[cpu->rip >> PAGE_BITS & (X86_ITLB_SIZE - 1)];

	return cpu->rip >> 63 && (i->gpa & X86_TLB_GLOBAL);
}

static void jump_remember(struct engine_cpu *e, struct iblock *b)
{
	const struct x86_cpu *cpu = e->cpu;
	uint64_t global = fetched_globally(cpu) && b->gpa2 == ~0ull;

	e->hot.jump[interp_jump_index(cpu->rip)] = (struct interp_jump){
		cpu->rip, cpu->mode, e->hot.jump_gen[global], b, global};
}

static struct iblock *block_find(struct engine_cpu *e)
{
	struct x86_cpu *cpu = e->cpu;
	const struct interp_jump *j = &e->hot.jump[interp_jump_index(cpu->rip)];
	struct ilink *link = e->hot.link;
	struct iblock *b;

	e->hot.link = NULL;
	if (j->rip == cpu->rip && j->mode == cpu->mode && j->gen == e->hot.jump_gen[j->global]) {
		b = j->block;
	} else {
		b = block_get(e, 0, false);
		if (b && mode_has_jumps(cpu->mode))
			jump_remember(e, b);
	}
	if (b && link)
		link_try(e, link, b);
	return b;
}

/* ---- running */
static void exec(struct engine_cpu *e, const struct iblock *b)
{
	const struct iop *op;

	e->hot.block = NULL;
	op = iop_enter(e->cpu, b);
	while (op)
		op = op->fn(e->cpu, op);
}

/* The instructions of the running block from g on were not carried out: give them back. */
static void give_back(struct engine_cpu *e, unsigned g)
{
	e->cpu->budget += e->hot.block->insns - g;
	e->cpu->block_insns = 0;
}

static unsigned stopped_insn(const struct engine_cpu *e)
{
	const struct iblock *b = e->hot.block;

	return b->op_guest[e->hot.stop_op - b->ops];
}

static void run_alone(struct engine_cpu *e, bool exclusive);

/* Deliver cpu->fault, found at cpu->rip. */
static void deliver(struct engine_cpu *e, uint64_t next_rip)
{
	e->cpu->exit_code = X86_EXIT_NONE;
	x86_fault_deliver(e->cpu, next_rip);
	e->cpu->exit_code = X86_EXIT_NONE; /* faults met on the way have been dealt with */
}

static uint64_t wrap(const struct x86_cpu *cpu, uint64_t rip)
{
	return cpu->mode & X86_MODE_CODE64 ? rip : (uint32_t)rip;
}

static void handle_abort(struct engine_cpu *e)
{
	struct x86_cpu *cpu = e->cpu;
	const struct iblock *b = e->hot.block;
	unsigned g = stopped_insn(e), code = cpu->exit_code;
	uint64_t next = wrap(cpu, cpu->rip + b->guest_offset[g + 1]);

	cpu->rip = wrap(cpu, cpu->rip + b->guest_offset[g]);
	/* INT n has retired when it raises its interrupt; a faulting instruction has not */
	give_back(e, code == X86_EXIT_FAULT && cpu->fault.soft ? g + 1 : g);
	e->hot.link = NULL;
	cpu->exit_code = X86_EXIT_NONE;
	if (code == X86_EXIT_FAULT)
		deliver(e, next);
	else
		run_alone(e, code == X86_EXIT_EXCLUSIVE);
}

/* Run b and nothing after it: no other block fits the budget meanwhile. True if it ran to its end.
 */
static bool exec_alone(struct engine_cpu *e, struct iblock *b)
{
	struct x86_cpu *cpu = e->cpu;
	int64_t rest = cpu->budget - b->insns;
	const struct iop *op = b->ops;

	cpu->budget -= b->insns + rest;
	cpu->run_budget -= rest;
	cpu->block_insns = b->insns;
	e->hot.block = b;
	cpu->code_lo = b->gpa;
	cpu->code_hi = b->gpa + b->bytes;
	while (op)
		op = op->fn(cpu, op);
	cpu->budget += rest;
	cpu->run_budget += rest;
	e->hot.link = NULL;
	return e->hot.stop != INTERP_ABORT;
}

/* One instruction in a block of its own that is not cached, so that its stores may change its own
 * code; with all other CPUs stopped if it must be atomic beyond what the host can do. */
static void run_alone(struct engine_cpu *e, bool exclusive)
{
	struct x86_cpu *cpu = e->cpu;
	x86_mode_t mode = cpu->mode;
	struct iblock *b = block_get(e, 1, true);
	bool done = false;

	if (!b) {
		deliver(e, cpu->rip);
		return;
	}
	cpu->alone = true;
	if (exclusive)
		engine_group_exclusive_begin(e->group, cpu);
	done = exec_alone(e, b);
	if (exclusive)
		engine_group_exclusive_end(e->group, cpu);
	cpu->alone = false;
	if (!done)
		handle_abort(e);
	else if (mode & X86_MODE_STEPS)
		x86_step_done(cpu, mode);
}

/* Requests that are the engine's own, at a block boundary. Returns a reason to leave, or -1. */
static int own_requests(struct engine_cpu *e)
{
	struct x86_cpu *cpu = e->cpu;
	uint32_t mine =
		X86_REQ_STOP | X86_REQ_FLUSH_TLB | X86_REQ_CODE | X86_REQ_SYNC | X86_REQ_RESET;
	uint32_t r = cpu->request & mine;

	if (!r)
		return -1;
	__atomic_fetch_and((uint32_t *)&cpu->request, ~r, __ATOMIC_SEQ_CST);
	if (r & X86_REQ_CODE)
		drop_written(e);
	if (r & X86_REQ_FLUSH_TLB)
		x86_tlb_flush_all(cpu);
	if (r & X86_REQ_SYNC) {
		engine_group_leave(e->group, cpu);
		engine_group_enter(e->group, cpu);
	}
	if (r & X86_REQ_RESET)
		return ENGINE_EXIT_RESET;
	return r & X86_REQ_STOP ? ENGINE_EXIT_STOP : -1;
}

/* Requests that stay set because they cannot be acted on now: an instruction that could change that
 * ends its block with IR_EXIT_STATE, which comes back here. */
static void ignore_requests(struct x86_cpu *cpu)
{
	cpu->request_ignored = 0;
	if (!(cpu->rflags & X86_IF) || cpu->interrupt_shadow)
		cpu->request_ignored |= X86_REQ_INTR;
	if (cpu->nmi_blocked || (cpu->interrupt_shadow & X86_SHADOW_SS))
		cpu->request_ignored |= X86_REQ_NMI;
	cpu->request_ignored &= cpu->request;
}

/* At a block boundary: -1 to go on, or why to leave run(). */
static int boundary(struct engine_cpu *e)
{
	struct x86_cpu *cpu = e->cpu;
	int r;

	cpu->block_insns = 0;
	r = own_requests(e);
	if (r >= 0)
		return r;
	cpu->request_ignored = 0;
	if (!cpu->request && !cpu->pending_db && !(cpu->mode & X86_MODE_POLLS) &&
	    cpu->activity == X86_RUNNING)
		return -1;
	e->hot.link = NULL;
	if (x86_poll(cpu)) {
		ignore_requests(cpu);
		return -1;
	}
	return cpu->activity == X86_SHUTDOWN ? ENGINE_EXIT_SHUTDOWN : ENGINE_EXIT_HALT;
}

static void step(struct engine_cpu *e)
{
	struct x86_cpu *cpu = e->cpu;
	x86_mode_t mode = cpu->mode;
	struct iblock *b = block_find(e);
	bool done = true;

	if (b && cpu->budget < b->insns) { /* the last few of an exact budget */
		b = block_get(e, (unsigned)cpu->budget, true);
		if (b)
			done = exec_alone(e, b);
	} else if (b) {
		exec(e, b);
		done = e->hot.stop != INTERP_ABORT;
		if (e->hot.block != b && (mode & X86_MODE_STEPS))
			return; /* a request came first: nothing has run */
	}
	if (!b)
		deliver(e, cpu->rip);
	else if (!done)
		handle_abort(e);
	else if (mode & X86_MODE_STEPS)
		x86_step_done(cpu, mode);
}

/* Bring the retired-instruction count up to date. */
static void account(struct x86_cpu *cpu)
{
	cpu->insns += (uint64_t)(cpu->run_budget - cpu->budget);
	cpu->counter[COUNTER_INSNS] = cpu->insns;
	cpu->run_budget = cpu->budget;
}

static enum engine_exit run(struct engine_cpu *e, uint64_t insns)
{
	struct x86_cpu *cpu = e->cpu;
	int why;

	cpu->budget = insns > INT64_MAX ? INT64_MAX : (int64_t)insns;
	cpu->run_budget = cpu->budget;
	e->hot.link = NULL;
	cpu->exit_code = X86_EXIT_NONE;
	x86_mxcsr_enter(cpu);
	while ((why = boundary(e)) < 0) {
		if (cpu->budget <= 0) {
			why = ENGINE_EXIT_BUDGET;
			break;
		}
		step(e);
	}
	cpu->block_insns = 0;
	x86_mxcsr_leave(cpu);
	account(cpu);
	return (enum engine_exit)why;
}

/* ---- life */
static void probe(struct engine_info *out)
{
	*out = (struct engine_info){
		.works = true,
		.why = "needs nothing of the host",
		.cost = "about 10 to 40 times slower than the host's own processor",
	};
}

static void cpu_destroy(struct engine_cpu *e)
{
	if (!e)
		return;
	cache_destroy(e->cache);
	translator_destroy(e->translator);
	host_mutex_destroy(&e->written.lock);
	host_free(e);
}

static int cpu_create(struct engine_cpu **out, struct engine_group *g, struct x86_cpu *cpu,
		      const struct engine_config *cfg, struct error *err)
{
	struct engine_cpu *e = host_alloc(sizeof(*e));

	if (!e)
		return error_set(err, -ENOMEM, "out of memory for the interpreter");
	host_mutex_init(&e->written.lock);
	e->cpu = cpu;
	e->group = g;
	clear_jumps(e);
	e->translator = translator_create(cpu, cfg);
	e->cache = cache_create(cpu->space, CACHE_LIMIT_BYTES);
	if (!e->translator || !e->cache || space_listen(cpu->space, code_written, e)) {
		cpu_destroy(e);
		return error_set(err, -ENOMEM, "out of memory for the interpreter");
	}
	cpu->engine = e;
	cpu->flush_jumps = flush_jumps;
	*out = e;
	return 0;
}

const struct engine engine_interpret = {
	.name = "interpret",
	.text = "carries out the intermediate representation one operation at a time",
	.probe = probe,
	.cpu_create = cpu_create,
	.cpu_destroy = cpu_destroy,
	.run = run,
};
