/*
 * The interpreter's main loop: find the block at CS:RIP, lifting and lowering it if need be, carry
 * it and those linked to it out, and deal with what made it stop: faults, requests from other
 * threads, stores into its own code, locked accesses the host cannot do, an empty budget.
 */
#include "engine/interpret/interpret.h"

#include <errno.h>

#include "engine/interpret/interpret_private.h"
#include "isa/x86/fpu.h"
#include "isa/x86/mode.h"

static void exec(struct engine_cpu *e, struct iblock *b)
{
	const struct iop *op;

	e->hot.block = NULL;
	op = iop_enter(e->cpu, b);
	iop_run(e->cpu, op);
}

/* The instructions of the running block from g on were not carried out: give them back. */
static void give_back(struct engine_cpu *e, unsigned g)
{
	e->cpu->budget += e->hot.block->head.insns - g;
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

uint64_t interp_wrap(const struct x86_cpu *cpu, uint64_t rip)
{
	return cpu->mode & X86_MODE_CODE64 ? rip : (uint32_t)rip;
}

void interp_abort(struct engine_cpu *e)
{
	struct x86_cpu *cpu = e->cpu;
	const struct iblock *b = e->hot.block;
	unsigned g = stopped_insn(e), code = cpu->exit_code;
	uint64_t rip = cpu->rip + (uint64_t)(int64_t)b->guest_offset[g];
	uint64_t next = interp_wrap(cpu, rip + b->guest_len[g]);

	cpu->rip = interp_wrap(cpu, rip);
	/* INT n has retired when it raises its interrupt; a faulting instruction has not */
	give_back(e, code == X86_EXIT_FAULT && cpu->fault.soft ? g + 1 : g);
	e->hot.link = NULL;
	interp_leave_insn(e, code, next);
}

void interp_leave_insn(struct engine_cpu *e, uint32_t code, uint64_t next_rip)
{
	e->cpu->exit_code = X86_EXIT_NONE;
	if (code == X86_EXIT_FAULT)
		deliver(e, next_rip);
	else
		run_alone(e, code == X86_EXIT_EXCLUSIVE);
}

/* No other block fits the budget meanwhile. */
bool interp_exec_alone(struct engine_cpu *e, struct iblock *b)
{
	struct x86_cpu *cpu = e->cpu;
	int64_t rest = cpu->budget - b->head.insns;
	const struct iop *op = b->ops;

	cpu->budget -= b->head.insns + rest;
	cpu->run_budget -= rest;
	cpu->block_insns = b->head.insns;
	e->hot.block = b;
	cpu->code_lo = b->head.gpa;
	cpu->code_hi = b->head.gpa + b->bytes;
	iop_run(cpu, op);
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
	struct iblock *b = find_block_alone(e, 1);
	bool done = false;

	if (!b) {
		deliver(e, cpu->rip);
		return;
	}
	cpu->alone = true;
	if (exclusive)
		engine_group_exclusive_begin(e->group, cpu);
	done = interp_exec_alone(e, b);
	if (exclusive)
		engine_group_exclusive_end(e->group, cpu);
	cpu->alone = false;
	if (!done)
		interp_abort(e);
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
		find_drop_written(e);
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

int interp_boundary(struct engine_cpu *e)
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

void interp_step(struct engine_cpu *e, struct iblock *b)
{
	struct x86_cpu *cpu = e->cpu;
	x86_mode_t mode = cpu->mode;
	bool done = true;

	if (b && cpu->budget < b->head.insns) { /* the last few of an exact budget */
		b = find_block_alone(e, (unsigned)cpu->budget);
		if (b)
			done = interp_exec_alone(e, b);
		find_alone_done(e);
	} else if (b) {
		exec(e, b);
		done = e->hot.stop != INTERP_ABORT;
		if (!e->hot.block)
			return; /* a request came first, or it is hot: nothing has run */
	}
	if (!b)
		deliver(e, cpu->rip);
	else if (!done)
		interp_abort(e);
	else if (mode & X86_MODE_STEPS)
		x86_step_done(cpu, mode);
}

void interp_account(struct x86_cpu *cpu)
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
	while ((why = interp_boundary(e)) < 0) {
		if (cpu->budget <= 0) {
			why = ENGINE_EXIT_BUDGET;
			break;
		}
		interp_step(e, find_block(e));
	}
	cpu->block_insns = 0;
	x86_mxcsr_leave(cpu);
	interp_account(cpu);
	return (enum engine_exit)why;
}

/* ---- life */
static void probe(struct engine_info *out)
{
	struct host_cpu host = host_cpu_detect();

	*out = (struct engine_info){
		.works = host_cpu_check(&host, NULL) == 0,
		.why = "needs nothing of the host but x86-64-v2",
		.cost = "15 to 30 times slower than the host on integer code, 40 to 100 on "
			"floating-point and vector code",
	};
}

void interp_destroy(struct engine_cpu *e)
{
	if (!e)
		return;
	blocks_destroy(e->blocks);
	translator_destroy(e->translator);
	host_mutex_destroy(&e->written.lock);
	host_free(e);
}

int interp_create(struct engine_cpu **out, struct engine_group *g, struct x86_cpu *cpu,
		  const struct engine_config *cfg, size_t cache_bytes, uint32_t heat,
		  struct error *err)
{
	struct host_cpu host = engine_host(cfg);
	struct engine_cpu *e;

	if (host_cpu_check(&host, err))
		return -ENOTSUP;
	e = host_alloc(sizeof(*e));
	if (!e)
		return error_set(err, -ENOMEM, "out of memory for the interpreter");
	host_mutex_init(&e->written.lock);
	e->cpu = cpu;
	e->group = g;
	find_clear_jumps(e);
	e->translator = translator_create(cpu, cfg);
	e->heat = heat;
	e->alone.gpa = ~0ull;
	e->blocks = find_blocks_create(e, cache_bytes);
	if (!e->translator || !e->blocks || space_listen(cpu->space, find_code_written, e)) {
		interp_destroy(e);
		return error_set(err, -ENOMEM, "out of memory for the interpreter");
	}
	cpu->engine = e;
	cpu->flush_jumps = find_flush_jumps;
	*out = e;
	return 0;
}

static int cpu_create(struct engine_cpu **out, struct engine_group *g, struct x86_cpu *cpu,
		      const struct engine_config *cfg, struct error *err)
{
	return interp_create(out, g, cpu, cfg, engine_cache_bytes(cfg), UINT32_MAX, err);
}

const struct engine engine_interpret = {
	.name = "interpret",
	.text = "carries out the intermediate representation one operation at a time",
	.probe = probe,
	.cpu_create = cpu_create,
	.cpu_destroy = interp_destroy,
	.run = run,
};
