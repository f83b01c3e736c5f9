/*
 * The counted clock: virtual time follows instructions, so two runs of the same inputs are the same
 * run. One thread carries out all CPUs in turn.
 *
 * An instruction takes one nanosecond, and CPUs run side by side in virtual time: a round goes from
 * round_ns to round_end_ns, and each CPU in turn is run until it has got there. Timers fire between
 * rounds; a round ends at the next deadline, and a deadline set while a round is under way shortens
 * it. A CPU that had already gone farther stands still until the round's time catches up with it.
 * Time never runs backwards from one CPU to the next: seen_ns is the latest time anyone has read.
 * When all CPUs are halted, time jumps to the next deadline. A guest that has nothing to do but its
 * own clock ticks would jump for ever and keep the host busy: after a while it is made to sleep,
 * never longer than it would under the real clock. That changes when things happen on the host
 * only.
 *
 * Console bytes reach the guest between rounds only; which round depends on when they were queued,
 * so runs repeat exactly when input is queued before doppel_start.
 */
#include "vm/vm.h"

#include <stdio.h>
#include <string.h>

#include "isa/x86/fault.h"

enum { ROUND_NS = 10000 };

/* 2020-01-01 00:00:00 UTC: every counted machine is switched on at the same moment. */
#define COUNTED_EPOCH_NS (1577836800ull * 1000000000ull)

/* How long to let the host sleep while the guest, halted without timers, has no room for input. */
#define FEED_RETRY_NS 1000000u

/* An idle guest gets this much host time at full speed, then one part in IDLE_SHARE of a CPU, in
 * sleeps of at least IDLE_SLEEP_NS. */
#define IDLE_FREE_NS  500000000u
#define IDLE_SLEEP_NS 2000000u
#define IDLE_SHARE    100

/* Virtual time of the machine's own thread. */
static uint64_t now_ns(void *opaque)
{
	struct doppel_vm *vm = opaque;
	uint64_t t = vm->round_ns;

	if (vm->running)
		t = vm->running->at_ns + (x86_insns_now(vm->running->x86) - vm->run_insns);
	if (t < vm->seen_ns)
		return vm->seen_ns;
	vm->seen_ns = t;
	return t;
}

/* A nearer deadline while a CPU runs: end the round there. */
static void kick(void *opaque)
{
	struct doppel_vm *vm = opaque;
	uint64_t next = timerq_next(&vm->timers);

	if (next >= vm->round_end_ns)
		return;
	vm->round_end_ns = next > vm->round_ns ? next : vm->round_ns + 1;
	if (vm->running)
		x86_request(vm->running->x86, X86_REQ_STOP);
}

void vm_counted_init(struct doppel_vm *vm)
{
	vm->clock.now_ns = now_ns;
	vm->clock.opaque = vm;
	vm->clock.epoch_wall_ns = COUNTED_EPOCH_NS;
	vm->timers.kick = kick;
	vm->timers.opaque = vm;
}

/* Lockstep found its two engines to differ: the report to the log, its first line to the caller. */
static void report_difference(struct doppel_vm *vm, struct vm_cpu *c)
{
	const char *line = vm->cfg.engine->report(c->engine);
	char text[sizeof(vm->result.text)];

	snprintf(text, sizeof(text), "%.*s", (int)strcspn(line, "\n"), line);
	while (*line) {
		char out[512];
		size_t len = strcspn(line, "\n");

		snprintf(out, sizeof(out), "%.*s", (int)len, line);
		vm_log(vm, out);
		line += len + (line[len] == '\n');
	}
	vm_finish(vm, DOPPEL_END_DIFFER, 0, text);
}

/* Run one CPU until it reaches the end of the round. */
static void run_cpu(struct doppel_vm *vm, struct vm_cpu *c)
{
	enum engine_exit exit = ENGINE_EXIT_STOP;

	if (c->at_ns < vm->round_ns)
		c->at_ns = vm->round_ns;
	while (exit == ENGINE_EXIT_STOP && c->at_ns < vm->round_end_ns) {
		if (vm_acting(vm))
			return; /* a mere pause waits for the end of the round */
		vm->running = c;
		vm->run_insns = c->x86->insns;
		engine_group_enter(vm->group, c->x86);
		exit = vm->cfg.engine->run(c->engine, vm->round_end_ns - c->at_ns);
		engine_group_leave(vm->group, c->x86);
		vm->running = NULL;
		c->at_ns += c->x86->insns - vm->run_insns;
	}
	if (exit == ENGINE_EXIT_SHUTDOWN) {
		char text[sizeof(vm->result.text)];

		vm_crash_text(c->x86, text, sizeof(text));
		vm_finish(vm, DOPPEL_END_CRASH, 0, text);
	} else if (exit == ENGINE_EXIT_RESET) {
		vm_act(vm, VM_ACTION_RESET);
	} else if (exit == ENGINE_EXIT_DIFFER) {
		report_difference(vm, c);
	}
}

static bool can_run(const struct x86_cpu *cpu)
{
	return cpu->activity == X86_RUNNING || x86_can_wake(cpu) ||
	       (atomic_load(&cpu->request) & X86_REQ_RESET);
}

/* One round of all CPUs that have something to do. False if none had. */
static bool run_round(struct doppel_vm *vm)
{
	uint64_t next = timerq_next(&vm->timers);
	bool any = false;

	vm->round_end_ns = vm->round_ns + ROUND_NS;
	if (next < vm->round_end_ns)
		vm->round_end_ns = next > vm->round_ns ? next : vm->round_ns + 1;
	for (unsigned i = 0; i < vm->cfg.cpus; i++) {
		if (!can_run(vm->cpu[i].x86))
			continue;
		any = true;
		run_cpu(vm, &vm->cpu[i]);
	}
	if (any)
		vm->round_ns = vm->round_end_ns;
	return any;
}

/* Time is about to jump by jump_ns: sleep now and then if this has gone on for long. */
static void idle_pace(struct doppel_vm *vm, uint64_t jump_ns)
{
	uint64_t worked = host_time_ns() - vm->idle_host_ns, rest = worked * (IDLE_SHARE - 1);

	if (worked > IDLE_SLEEP_NS) /* no mere tick: the guest was at work */
		worked = rest = 0;
	vm->idle_spent_ns += worked;
	if (vm->idle_spent_ns > IDLE_FREE_NS)
		vm->idle_owed_ns += rest < jump_ns ? rest : jump_ns;
	if (vm->idle_owed_ns >= IDLE_SLEEP_NS) {
		host_event_wait(&vm->event, vm->idle_owed_ns);
		vm->idle_owed_ns = 0;
	}
	vm->idle_host_ns = host_time_ns();
}

/* Nothing to run: jump to the next deadline, or wait on the host for input when there is none. */
static void idle(struct doppel_vm *vm, bool input_waits)
{
	host_mutex_lock(&vm->lock);
	uint64_t next = timerq_next(&vm->timers);
	host_mutex_unlock(&vm->lock);

	if (next == TIMER_NEVER) {
		host_event_wait(&vm->event, input_waits || vm->attached.devices ? FEED_RETRY_NS : UINT64_MAX);
	} else if (next > vm->round_ns) {
		idle_pace(vm, next - vm->round_ns);
		vm->round_ns = next;
	}
}

void vm_counted_thread(void *opaque)
{
	struct doppel_vm *vm = opaque;

	while (vm_serve(vm, true)) {
		bool input_waits;

		if (vm_held(vm)) {
			vm_gate(vm, true);
			continue;
		}
		host_mutex_lock(&vm->lock);
		timerq_run(&vm->timers, now_ns(vm));
		input_waits = vm_feed_console(vm);
		host_mutex_unlock(&vm->lock);
		if (!run_round(vm) && !io_loop_turn(vm->io))
			idle(vm, input_waits);
		else
			io_loop_turn(vm->io);
		atomic_store(&vm->published_ns, vm->round_ns);
	}
	vm_thread_gone(vm);
}
