/*
 * Stopping runners and letting them go on. A runner that sees hold parks in vm_gate; whoever set
 * hold has also raised X86_REQ_STOP and the CPU's wake event, so that it sees hold soon.
 */
#include "vm/vm.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "isa/x86/fault.h"

/* Make every runner come to vm_gate. Control lock held. */
static void stop_runners(struct doppel_vm *vm)
{
	atomic_store_explicit(&vm->hold, true, memory_order_release);
	for (unsigned i = 0; i < vm->cfg.cpus; i++) {
		x86_request(vm->cpu[i].x86, X86_REQ_STOP);
		host_event_signal(&vm->cpu[i].wake);
	}
	host_event_signal(&vm->event);
	pthread_cond_broadcast(&vm->changed);
}

/* Control lock held. */
static void update_hold(struct doppel_vm *vm)
{
	if (vm->paused || vm->action != VM_ACTION_NONE) {
		stop_runners(vm);
		return;
	}
	atomic_store_explicit(&vm->hold, false, memory_order_release);
	pthread_cond_broadcast(&vm->changed);
	host_event_signal(&vm->event);
}

void vm_act(struct doppel_vm *vm, enum vm_action a)
{
	pthread_mutex_lock(&vm->control);
	if (a > vm->action)
		vm->action = a;
	update_hold(vm);
	pthread_mutex_unlock(&vm->control);
}

void vm_finish(struct doppel_vm *vm, enum doppel_end end, uint32_t code, const char *text)
{
	pthread_mutex_lock(&vm->control);
	if (vm->result.end == DOPPEL_END_NONE) {
		vm->result.end = end;
		vm->result.code = code;
		snprintf(vm->result.text, sizeof(vm->result.text), "%s", text ? text : "");
	}
	vm->action = VM_ACTION_END;
	update_hold(vm);
	pthread_mutex_unlock(&vm->control);
}

bool vm_gate(struct doppel_vm *vm, bool serves)
{
	bool go_on;

	if (!vm_held(vm))
		return true;
	pthread_mutex_lock(&vm->control);
	vm->parked++;
	pthread_cond_broadcast(&vm->changed);
	host_event_signal(&vm->event);
	while (vm->action != VM_ACTION_END && vm_held(vm) &&
	       !(serves && vm->action == VM_ACTION_RESET))
		pthread_cond_wait(&vm->changed, &vm->control);
	vm->parked--;
	go_on = vm->action != VM_ACTION_END;
	pthread_mutex_unlock(&vm->control);
	return go_on;
}

/* Wait until all runners but `without` stand, or an end comes between. Control lock held. */
static void wait_parked(struct doppel_vm *vm, unsigned without)
{
	while (vm->action != VM_ACTION_END && vm->parked + without < vm->runners)
		pthread_cond_wait(&vm->changed, &vm->control);
}

bool vm_serve(struct doppel_vm *vm, bool is_runner)
{
	enum vm_action action;
	struct error err = {{0}};
	int r;

	pthread_mutex_lock(&vm->control);
	if (vm->action == VM_ACTION_RESET)
		wait_parked(vm, is_runner);
	action = vm->action;
	pthread_mutex_unlock(&vm->control);
	if (action == VM_ACTION_END)
		return false;
	if (action == VM_ACTION_NONE)
		return true;

	r = vm_boot(vm, &err);
	if (r) {
		vm_finish(vm, DOPPEL_END_CRASH, 0, err.text);
		return false;
	}
	pthread_mutex_lock(&vm->control);
	if (vm->action == VM_ACTION_RESET)
		vm->action = VM_ACTION_NONE;
	update_hold(vm);
	pthread_mutex_unlock(&vm->control);
	return true;
}

bool vm_acting(struct doppel_vm *vm)
{
	bool acting;

	if (!vm_held(vm))
		return false;
	pthread_mutex_lock(&vm->control);
	acting = vm->action != VM_ACTION_NONE;
	pthread_mutex_unlock(&vm->control);
	return acting;
}

void vm_thread_gone(struct doppel_vm *vm)
{
	pthread_mutex_lock(&vm->control);
	if (--vm->live == 0)
		vm->ended = true;
	pthread_cond_broadcast(&vm->changed);
	pthread_mutex_unlock(&vm->control);
}

static bool running(const struct doppel_vm *vm)
{
	return vm->started && !vm->ended && vm->action != VM_ACTION_END;
}

int doppel_pause(struct doppel_vm *vm)
{
	int r = 0;

	pthread_mutex_lock(&vm->api);
	pthread_mutex_lock(&vm->control);
	if (running(vm)) {
		vm->paused = true;
		update_hold(vm);
		/* A reset under way finishes first: it leaves the runners parked. */
		while (running(vm) && (vm->parked < vm->runners || vm->action != VM_ACTION_NONE))
			pthread_cond_wait(&vm->changed, &vm->control);
	}
	if (!running(vm))
		r = -ESRCH;
	pthread_mutex_unlock(&vm->control);
	if (r == 0) /* no CPU adds requests any more; the last ones' interrupts wait for the CPUs */
		io_loop_hold(vm->io);
	if (r == 0 && !vm->cfg.counted)
		vm_real_freeze(vm, true);
	pthread_mutex_unlock(&vm->api);
	return r;
}

int doppel_resume(struct doppel_vm *vm)
{
	bool was;

	pthread_mutex_lock(&vm->api);
	pthread_mutex_lock(&vm->control);
	was = vm->paused;
	pthread_mutex_unlock(&vm->control);
	if (was && !vm->cfg.counted)
		vm_real_freeze(vm, false);
	if (was)
		io_loop_release(vm->io);
	pthread_mutex_lock(&vm->control);
	vm->paused = false;
	update_hold(vm);
	int r = running(vm) ? 0 : -ESRCH;
	pthread_mutex_unlock(&vm->control);
	pthread_mutex_unlock(&vm->api);
	return r;
}

int doppel_reset(struct doppel_vm *vm)
{
	int r;

	pthread_mutex_lock(&vm->api);
	pthread_mutex_lock(&vm->control);
	if (running(vm)) {
		vm->action = VM_ACTION_RESET;
		update_hold(vm);
		while (running(vm) &&
		       (vm->action == VM_ACTION_RESET || (vm->paused && vm->parked < vm->runners)))
			pthread_cond_wait(&vm->changed, &vm->control);
	}
	r = running(vm) ? 0 : -ESRCH;
	pthread_mutex_unlock(&vm->control);
	pthread_mutex_unlock(&vm->api);
	return r;
}

int doppel_stop(struct doppel_vm *vm)
{
	bool started;

	pthread_mutex_lock(&vm->control);
	started = vm->started;
	if (!started && vm->result.end == DOPPEL_END_NONE) {
		vm->result.end = DOPPEL_END_STOPPED;
		vm->ended = true;
	}
	pthread_mutex_unlock(&vm->control);
	if (!started)
		return 0;
	vm_finish(vm, DOPPEL_END_STOPPED, 0, NULL);
	pthread_mutex_lock(&vm->control);
	while (!vm->ended)
		pthread_cond_wait(&vm->changed, &vm->control);
	pthread_mutex_unlock(&vm->control);
	return 0;
}

static struct timespec after_ms(int ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts); /* as set for the condition in life.c */
	ts.tv_sec += ms / 1000;
	ts.tv_nsec += (long)(ms % 1000) * 1000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_nsec -= 1000000000;
		ts.tv_sec++;
	}
	return ts;
}

int doppel_wait(struct doppel_vm *vm, int timeout_ms, struct doppel_result *out)
{
	struct timespec until = after_ms(timeout_ms < 0 ? 0 : timeout_ms);
	int r = 0;

	pthread_mutex_lock(&vm->control);
	if (!vm->started && !vm->ended)
		r = -EINVAL;
	while (!vm->ended && r == 0) {
		if (timeout_ms < 0)
			pthread_cond_wait(&vm->changed, &vm->control);
		else
			r = -pthread_cond_timedwait(&vm->changed, &vm->control, &until);
	}
	if (vm->ended)
		r = 0;
	if (out)
		*out = vm->result;
	pthread_mutex_unlock(&vm->control);
	return r;
}
