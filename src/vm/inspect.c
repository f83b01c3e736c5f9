/* Looking into a machine from outside: memory, registers, counters, time, console input. */
#include "vm/vm.h"

#include <errno.h>
#include <limits.h>

#include "isa/x86/mmu.h"

static struct space *space_of(struct doppel_vm *vm)
{
	return vm->cfg.machine->memory(vm->machine);
}

size_t doppel_console_input(struct doppel_vm *vm, const uint8_t *bytes, size_t len)
{
	size_t n = console_queue_put(&vm->input, bytes, len);

	if (vm->console)
		vm_console_kick(vm);
	host_event_signal(&vm->event);
	return n;
}

int doppel_memory_read(struct doppel_vm *vm, uint64_t gpa, void *buf, size_t len)
{
	return space_read(space_of(vm), gpa, buf, len) ? 0 : -EFAULT;
}

int doppel_memory_write(struct doppel_vm *vm, uint64_t gpa, const void *buf, size_t len)
{
	return space_write(space_of(vm), gpa, buf, len) ? 0 : -EFAULT;
}

uint64_t doppel_memory_hash(struct doppel_vm *vm)
{
	return space_hash(space_of(vm));
}

/* Do all CPUs stand still? */
static bool stands(struct doppel_vm *vm)
{
	bool r;

	pthread_mutex_lock(&vm->control);
	r = !vm->started || vm->ended ||
	    (vm->paused && vm->parked == vm->runners && vm->action == VM_ACTION_NONE);
	pthread_mutex_unlock(&vm->control);
	return r;
}

int doppel_register_read(struct doppel_vm *vm, unsigned cpu, const char *name, uint64_t *value)
{
	if (cpu >= vm->cfg.cpus)
		return -EINVAL;
	return stands(vm) ? vm_register_get(vm->cpu[cpu].x86, name, value) : -EBUSY;
}

int doppel_register_write(struct doppel_vm *vm, unsigned cpu, const char *name, uint64_t value)
{
	if (cpu >= vm->cfg.cpus)
		return -EINVAL;
	return stands(vm) ? vm_register_set(vm->cpu[cpu].x86, name, value) : -EBUSY;
}

int doppel_register_dump(struct doppel_vm *vm, unsigned cpu, char *buf, size_t len)
{
	if (cpu >= vm->cfg.cpus)
		return -EINVAL;
	return stands(vm) ? x86_cpu_dump(vm->cpu[cpu].x86, buf, len) : -EBUSY;
}

/* Counters are written by their CPU's thread only; a reader beside it may see the last but one. */
static uint64_t counter_of(const struct vm_cpu *c, unsigned index)
{
	return __atomic_load_n(&c->x86->counter[index], __ATOMIC_RELAXED);
}

bool doppel_counter(struct doppel_vm *vm, unsigned cpu, unsigned index, struct doppel_counter *out)
{
	if (index >= COUNTER_COUNT || (cpu >= vm->cfg.cpus && cpu != UINT_MAX))
		return false;
	*out = (struct doppel_counter){counter_name((enum counter)index),
				       counter_text((enum counter)index), 0};
	for (unsigned i = 0; i < vm->cfg.cpus; i++)
		if (cpu == UINT_MAX || cpu == i)
			out->value += counter_of(&vm->cpu[i], index);
	return true;
}

uint64_t doppel_time_ns(struct doppel_vm *vm)
{
	return vm->cfg.counted ? atomic_load(&vm->published_ns) : clock_now(&vm->clock);
}

const char *doppel_engine_name(const struct doppel_vm *vm)
{
	return vm->cfg.engine->name;
}
