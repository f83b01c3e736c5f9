/*
 * The translator's main loop: code that has run often enough is compiled and from then on runs as
 * host code, from block to block without coming back here; all else is the interpreter's, whose
 * parts this uses: finding blocks, requests at block boundaries, faults, the end of a budget,
 * locked accesses the host cannot do.
 */
#include "engine/translate/translate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/translate/translate_private.h"
#include "isa/x86/cpuid.h"
#include "isa/x86/decode.h"
#include "isa/x86/fpu.h"
#include "isa/x86/mode.h"

enum {
	DEFAULT_HOT = 24,
	INTERP_EIGHTHS = 3, /* of the code cache */
	BLOCK_INSNS = 64,
	TRACE_INSNS = 96,
};

static struct tblock *block_at(struct translate *t, uint64_t place)
{
	return code_at(t->code, (const uint8_t *)(uintptr_t)place - 1); /* a call ends there */
}

/* Came back at a direct exit that is not linked: RIP becomes its target. */
static void left_at_link(struct translate *t)
{
	struct x86_cpu *cpu = t->cpu;
	uint64_t start = cpu_frame(cpu)->start;
	struct tblock *b = code_of((const uint8_t *)(uintptr_t)start);
	uint32_t offset = (uint32_t)(cpu_frame(cpu)->place - start);

	cpu->counter[COUNTER_TRANSLATE_EXIT_LINK]++;
	for (unsigned i = 0; i < b->head.link_count; i++) {
		struct tlink *l = tblock_link(b, i);
		if (l->place != offset)
			continue;
		cpu->rip = interp_wrap(cpu, cpu->rip + (uint64_t)(int64_t)l->target);
		t->link = l;
		return;
	}
	BUG_ON(true, "an exit without a link");
}

/* A fault or the like in the middle of a block. */
static void aborted(struct translate *t)
{
	struct x86_cpu *cpu = t->cpu;
	uint64_t place = cpu_frame(cpu)->place, next;
	struct tblock *b = block_at(t, place);
	uint32_t offset = (uint32_t)(place - (uintptr_t)b->rx), code = cpu->exit_code;
	unsigned k = 0, done;

	cpu->counter[COUNTER_TRANSLATE_EXIT_ABORT]++;
	while (k < b->fault_count && b->fault[k].place != offset)
		k++;
	BUG_ON(k == b->fault_count, "no instruction is known for an address of a block");
	cpu->rip = interp_wrap(cpu, cpu->rip + (uint64_t)(int64_t)b->fault[k].offset);
	next = interp_wrap(cpu, cpu->rip + b->fault[k].len);
	done = b->fault[k].index;
	if (code == X86_EXIT_FAULT && cpu->fault.soft)
		done++; /* INT n has retired */
	cpu->budget += b->head.insns - done;
	interp_leave_insn(t->interp, code, next);
}

static void run_code(struct translate *t, const uint8_t *rx, uint64_t page_offset)
{
	struct x86_cpu *cpu = t->cpu;
	unsigned (*enter)(struct x86_cpu *, const uint8_t *) =
		(unsigned (*)(struct x86_cpu *, const uint8_t *))(uintptr_t)code_rx(
			t->code, t->compiler.gen.thunks.enter);
	enum leave why;

	t->link = NULL;
	t->interp->hot.link = NULL;
	cpu->rip -= page_offset;
	cpu->code_lo = 0; /* see slow.c */
	cpu->code_hi = UINT64_MAX;
	why = (enum leave)enter(cpu, rx);
	cpu->block_insns = 0;
	cpu->rip_offset = 0;
	switch (why) {
	case LEAVE_LINK:
		left_at_link(t);
		t->straight = true;
		break;
	case LEAVE_INDIRECT:
		cpu->counter[COUNTER_TRANSLATE_EXIT_INDIRECT]++;
		t->straight = true;
		t->no_jump = true;
		break;
	case LEAVE_STATE:
		break;
	case LEAVE_POLL:
		cpu->counter[COUNTER_TRANSLATE_EXIT_POLL]++;
		break;
	case LEAVE_BUDGET:
		cpu->counter[COUNTER_TRANSLATE_EXIT_BUDGET]++;
		t->short_budget = true;
		break;
	case LEAVE_ABORT:
		aborted(t);
		break;
	}
	sites_settle(t);
}

/* Links stay within what the target's key says about them: see code.h. */
static void try_link(struct translate *t, struct tblock *to)
{
	struct tlink *l = t->link;

	if (!l || l->from->head.dead || l->from->head.mode != to->head.mode ||
	    to->head.gpa2 != ~0ull || (t->cfg.stress & ENGINE_STRESS_NO_CHAIN))
		return;
	if (!l->head.to) {
		code_link(l, to);
		t->cpu->counter[COUNTER_TRANSLATE_LINKS]++;
	}
}

/* The block of the one instruction at RIP and gpa that goes on in the next page. */
static struct tblock *code_crossing(struct translate *t, uint64_t gpa)
{
	struct x86_cpu *cpu = t->cpu;
	uint64_t next = align_down(cpu->rip, PAGE_BYTES) + PAGE_BYTES, gpa2;
	const uint8_t *hva;

	if (x86_mmu_fetch_page(cpu, interp_wrap(cpu, next), &gpa2, &hva))
		return code_find(t->code, gpa, gpa2, cpu->mode);
	cpu->fault.vector = -1;
	cpu->exit_code = X86_EXIT_NONE;
	return NULL;
}

/* The code at RIP, found without the interpreter; NULL: it may have to find a block, or a fault.
 * Fetches the page: exits to another page look for it in the instruction TLB, and what stands in
 * the jump table must have been fetched (x86_cpu.flush_jumps). */
static struct tblock *code_here(struct translate *t)
{
	struct x86_cpu *cpu = t->cpu;
	const uint8_t *hva;
	struct tblock *b;
	uint64_t gpa;

	if (!has_addresses(cpu->mode))
		return NULL;
	if (!x86_mmu_fetch_page(cpu, cpu->rip, &gpa, &hva)) {
		cpu->fault.vector = -1;
		cpu->exit_code = X86_EXIT_NONE;
		return NULL;
	}
	gpa |= cpu->rip & PAGE_OFFSET_MASK;
	if (t->link && t->link->head.to && t->link->head.to->gpa == gpa)
		return (struct tblock *)t->link->head.to;
	b = jumps_again(t, gpa);
	if (!b)
		b = code_find(t->code, gpa, ~0ull, cpu->mode);
	if (!b && (gpa & PAGE_OFFSET_MASK) > PAGE_BYTES - X86_INSN_MAX)
		b = code_crossing(t, gpa);
	return b;
}

static void run_block(struct translate *t, struct tblock *b)
{
	try_link(t, b);
	jumps_remember(t, b);
	run_code(t, b->rx, b->head.gpa & PAGE_OFFSET_MASK);
}

/* No translated code is to be had, or it does not fit the budget. looked: code_here has looked for
 * it. */
static void step_interpreter(struct translate *t, struct tblock *to, bool looked)
{
	struct x86_cpu *cpu = t->cpu;
	struct engine_cpu *e = t->interp;
	struct iblock *b = find_block(e);
	unsigned evictions;

	if (b && (cpu->mode & X86_MODE_POLLS))
		b->heat = UINT32_MAX; /* one instruction at a time */
	if (!b || b->heat > 1) {
		t->link = NULL;
		interp_step(e, b);
		return;
	}
	if (!to && !looked)
		to = code_find(t->code, b->head.gpa, b->head.gpa2, b->head.mode);
	if (!to) {
		trace_hot(t, b);
	} else if (cpu->budget < to->head.insns) {
		t->link = NULL;
		b->heat = 2; /* not hot for once: the interpreter does the last few */
		evictions = e->evictions;
		interp_step(e, b);
		if (e->evictions == evictions)
			b->heat = 1;
	} else {
		try_link(t, to);
		run_code(t, to->rx, to->head.gpa & PAGE_OFFSET_MASK);
	}
}

static void step(struct translate *t)
{
	struct x86_cpu *cpu = t->cpu;
	struct tblock *to = NULL;
	bool look = !t->short_budget, no_jump = t->no_jump;
	struct iblock *b;
	const uint8_t *rx;

	t->no_jump = false;
	if (t->background)
		keep_finished(t);
	rx = t->link || !look || no_jump ? NULL : jumps_find(t);
	if (rx) {
		run_code(t, rx, cpu->rip & PAGE_OFFSET_MASK);
		return;
	}
	if (look) {
		b = find_cold(t->interp);
		if (b) { /* nothing has been compiled for it */
			t->link = NULL;
			interp_step(t->interp, b);
			return;
		}
		to = code_here(t);
	}
	t->short_budget = false;
	if (to && cpu->budget >= to->head.insns)
		run_block(t, to);
	else
		step_interpreter(t, to, look && has_addresses(cpu->mode));
}

/* What is delivered here leads elsewhere than the exit that is to be linked. */
static int boundary(struct translate *t)
{
	const struct x86_cpu *cpu = t->cpu;
	uint64_t rip = cpu->rip;
	x86_mode_t mode = cpu->mode;
	int why = interp_boundary(t->interp);

	if (cpu->rip != rip || cpu->mode != mode)
		t->link = NULL;
	return why;
}

static enum engine_exit run(struct engine_cpu *e, uint64_t insns)
{
	struct translate *t = e->client.opaque;
	struct x86_cpu *cpu = e->cpu;
	int why;

	cpu->budget = insns > INT64_MAX ? INT64_MAX : (int64_t)insns;
	cpu->run_budget = cpu->budget;
	e->hot.link = NULL;
	t->link = NULL;
	cpu->exit_code = X86_EXIT_NONE;
	x86_mxcsr_enter(cpu);
	t->straight = false;
	while ((t->straight && cpu->request == cpu->request_ignored) || (why = boundary(t)) < 0) {
		t->straight = false;
		if (cpu->budget <= 0) {
			why = ENGINE_EXIT_BUDGET;
			break;
		}
		step(t);
	}
	cpu->block_insns = 0;
	x86_mxcsr_leave(cpu);
	interp_account(cpu);
	return (enum engine_exit)why;
}

/* ---- as the owner of code, and the interpreter's client */
static void protect(void *opaque, uint64_t gpa_page)
{
	struct translate *t = opaque;

	engine_group_protect(t->interp->group, t->cpu, gpa_page);
}

static void evicted(void *opaque)
{
	struct translate *t = opaque;

	t->link = NULL;
	jumps_clear(t);
}

static void block_dropped(void *opaque, struct tblock *b)
{
	jumps_forget(opaque, b);
}

static unsigned dropped(void *opaque, uint64_t gpa, size_t len)
{
	struct translate *t = opaque;

	t->link = NULL;
	return code_drop(t->code, gpa, len);
}

static void flush_jumps(void *opaque, bool global)
{
	jumps_flush(opaque, global);
}

/* ---- life */
static void probe(struct engine_info *out)
{
	char why[sizeof(out->why)];

	out->works = host_code_probe(why, sizeof(why)) == 0;
	memcpy(out->why, why, sizeof(why));
	snprintf(out->cost, sizeof(out->cost),
		 "1.2 to 5 times slower than the host on integer code");
}

static void translate_destroy(struct translate *t)
{
	background_destroy(t->background);
	code_destroy(t->code);
	if (t->job)
		host_ram_unmap(t->job, sizeof(*t->job));
	host_free(t);
}

static void cpu_destroy(struct engine_cpu *e)
{
	struct translate *t = e ? e->client.opaque : NULL;

	if (t)
		translate_destroy(t);
	interp_destroy(e);
}

static void make_thunks(struct translate *t, struct gen *g)
{
	struct x64_asm a = {0};

	pins_choose(&g->pins, t->cfg.stress & ENGINE_STRESS_RANDOM_REGS
				      ? t->cfg.stress_seed * 2 + 1 + t->cpu->index * 2
				      : 0);
	g->cpu = engine_host(&t->cfg);
	g->vec_bytes = host_cpu_has(&g->cpu, HOST_CPU_AVX) && t->cpu->cpuid &&
				       x86_has(t->cpu->cpuid, X86_FEAT_AVX)
			       ? 32
			       : 16;
	code_thunk_room(t->code, &a.at, &a.end);
	thunks_emit(&a, &g->thunks, &g->pins, g->vec_bytes, &slow_calls);
	BUG_ON(a.overflow, "the thunks do not fit");
}

static void make_compiler(struct translate *t)
{
	struct compiler *c = &t->compiler;
	const struct engine_config *cfg = &t->cfg;
	unsigned max = cfg->max_block_insns;

	c->cfg = cfg;
	c->cpu = t->cpu;
	c->dump.cfg = cfg;
	c->max_insns = max && max < BLOCK_INSNS ? max : BLOCK_INSNS;
	c->max_trace = (cfg->stress & ENGINE_STRESS_NO_TRACE) || max == 1 ? 0 : TRACE_INSNS;
	c->max_bytes = code_bytes_max(t->code);
	c->gen.no_chain = cfg->stress & ENGINE_STRESS_NO_CHAIN;
	c->gen.sites_always = cfg->stress & ENGINE_STRESS_RANDOM_REGS;
	make_thunks(t, &c->gen);
}

/* What is to compile. Without a thread for it, it is done in place. */
static int make_job(struct translate *t, struct error *err)
{
	if (t->cfg.background)
		t->background = background_create(&t->compiler);
	if (!t->background)
		t->job = host_ram_map(sizeof(*t->job));
	return t->background || t->job ? 0 : error_set(err, -ENOMEM, "out of memory");
}

static int cpu_create(struct engine_cpu **out, struct engine_group *g, struct x86_cpu *cpu,
		      const struct engine_config *cfg, struct error *err)
{
	struct translate *t = host_alloc(sizeof(*t));
	size_t bytes = engine_cache_bytes(cfg);
	size_t interp_bytes = align_down(bytes / 8 * INTERP_EIGHTHS, PAGE_BYTES);
	uint32_t hot = cfg->hot_threshold ? cfg->hot_threshold : DEFAULT_HOT;
	struct engine_cpu *e;
	int r;

	if (!t)
		return error_set(err, -ENOMEM, "out of memory for the translator");
	t->cfg = *cfg;
	t->cpu = cpu;
	r = code_create(&t->code, cpu, bytes - interp_bytes, &t->cfg,
			&(struct code_owner){t, protect, evicted, block_dropped}, err);
	if (!r) {
		make_compiler(t);
		r = make_job(t, err);
	}
	if (!r)
		r = interp_create(&e, g, cpu, cfg, interp_bytes, hot, err);
	if (r) {
		translate_destroy(t);
		return r;
	}
	e->client = (struct interp_client){t, dropped, flush_jumps};
	t->interp = e;
	jumps_init(t);
	*out = e;
	return 0;
}

const struct engine engine_translate = {
	.name = "translate",
	.text = "compiles hot code to host code; the interpreter does the rest",
	.probe = probe,
	.cpu_create = cpu_create,
	.cpu_destroy = cpu_destroy,
	.run = run,
};
