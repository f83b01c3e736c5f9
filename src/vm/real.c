/*
 * The real clock: virtual time follows the host's monotonic clock, standing still while paused. One
 * thread per CPU, and one event thread that sleeps until the next timer is due.
 */
#include "vm/vm.h"

#include "isa/x86/fault.h"

/* How often queued console input is offered again to a guest that had no room. */
#define FEED_RETRY_NS 1000000u
/* After booting. */
#define SETTLE_NS 10000000000ull

static uint64_t now_ns(void *opaque)
{
	struct doppel_vm *vm = opaque;

	if (atomic_load(&vm->frozen))
		return atomic_load(&vm->frozen_ns);
	return host_time_ns() - atomic_load(&vm->base_ns);
}

/* An earlier deadline: the event thread must look again. */
static void kick(void *opaque)
{
	host_event_signal(&((struct doppel_vm *)opaque)->event);
}

void vm_real_init(struct doppel_vm *vm)
{
	vm->clock.now_ns = now_ns;
	vm->clock.opaque = vm;
	vm->clock.epoch_wall_ns = host_wall_ns();
	vm->timers.kick = kick;
	vm->timers.opaque = vm;
	atomic_store(&vm->frozen, true); /* power-on is doppel_start */
}

void vm_real_freeze(struct doppel_vm *vm, bool freeze)
{
	host_mutex_lock(&vm->lock);
	if (freeze && !atomic_load(&vm->frozen)) {
		atomic_store(&vm->frozen_ns, now_ns(vm));
		atomic_store(&vm->frozen, true);
	} else if (!freeze && atomic_load(&vm->frozen)) {
		atomic_store(&vm->base_ns, host_time_ns() - atomic_load(&vm->frozen_ns));
		atomic_store(&vm->frozen, false);
	}
	host_mutex_unlock(&vm->lock);
}

/* Asleep in HLT until there is something to do; costs the host nothing. */
static void cpu_sleep(struct vm_cpu *c)
{
	while (!vm_held(c->vm) && !x86_can_wake(c->x86) &&
	       !(atomic_load(&c->x86->request) & (X86_REQ_STOP | X86_REQ_RESET))) {
		if (io_loop_help(c->vm->io))
			continue;
		io_loop_idle(c->vm->io);
		host_event_wait(&c->wake, UINT64_MAX);
	}
}

static void cpu_crashed(struct vm_cpu *c)
{
	char text[sizeof(((struct doppel_result *)0)->text)];

	vm_crash_text(c->x86, text, sizeof(text));
	vm_finish(c->vm, DOPPEL_END_CRASH, 0, text);
}

static enum engine_exit cpu_run(struct vm_cpu *c)
{
	struct engine_group *g = c->vm->group;
	enum engine_exit exit;

	engine_group_enter(g, c->x86);
	exit = c->vm->cfg.engine->run(c->engine, UINT64_MAX);
	engine_group_leave(g, c->x86);
	return exit;
}

void vm_real_cpu_thread(void *vm_cpu)
{
	struct vm_cpu *c = vm_cpu;

	while (vm_gate(c->vm, false)) {
		switch (cpu_run(c)) {
		case ENGINE_EXIT_HALT:
			cpu_sleep(c);
			break;
		case ENGINE_EXIT_SHUTDOWN:
			cpu_crashed(c);
			break;
		case ENGINE_EXIT_RESET:
			vm_act(c->vm, VM_ACTION_RESET);
			break;
		case ENGINE_EXIT_DIFFER: /* lockstep is refused under this clock */
		case ENGINE_EXIT_STOP:
		case ENGINE_EXIT_BUDGET:
			break;
		}
	}
	vm_thread_gone(c->vm);
}

bool vm_feed_console(struct doppel_vm *vm)
{
	uint8_t bytes[64];
	size_t n = vm->console ? 0 : console_queue_peek(&vm->input, bytes, sizeof(bytes));

	if (n == 0)
		return false;
	n = vm->cfg.machine->serial_input(vm->machine, 0, bytes, n);
	console_queue_drop(&vm->input, n);
	return console_queue_used(&vm->input) > 0;
}

/* Fire what is due and say how long to sleep. */
static uint64_t run_timers(struct doppel_vm *vm)
{
	uint64_t now, next, wait;
	bool retry;

	host_mutex_lock(&vm->lock);
	if (vm_held(vm)) {
		host_mutex_unlock(&vm->lock);
		return UINT64_MAX;
	}
	now = now_ns(vm);
	timerq_run(&vm->timers, now);
	retry = vm_feed_console(vm);
	next = timerq_next(&vm->timers);
	now = now_ns(vm);
	host_mutex_unlock(&vm->lock);
	if (next == TIMER_NEVER)
		wait = UINT64_MAX;
	else
		wait = next > now ? next - now : 0;
	return retry && wait > FEED_RETRY_NS ? FEED_RETRY_NS : wait;
}

/* A machine that has run for a while will go on: its RAM is worth the host's larger pages. Returns
 * how long to sleep of wait_ns. */
static uint64_t settle(struct doppel_vm *vm, uint64_t wait_ns)
{
	const struct space *s = vm->cfg.machine->memory(vm->machine);
	uint64_t now = now_ns(vm);

	if (vm->settled || wait_ns == UINT64_MAX)
		return wait_ns;
	if (now < SETTLE_NS)
		return wait_ns < SETTLE_NS - now ? wait_ns : SETTLE_NS - now;
	for (unsigned i = 0; i < s->ram_count; i++)
		if (!s->ram[i].readonly)
			host_ram_settle(s->ram[i].hva, s->ram[i].len);
	vm->settled = true;
	return wait_ns;
}

void vm_real_event_thread(void *opaque)
{
	struct doppel_vm *vm = opaque;

	while (vm_serve(vm, false))
		host_event_wait(&vm->event, settle(vm, run_timers(vm)));
	vm_thread_gone(vm);
}
