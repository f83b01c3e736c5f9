/* Creating, starting and destroying a machine: what struct doppel_vm owns, in order. */
#include "vm/vm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "isa/x86/decode.h"
#include "mem/ahead.h"

_Static_assert(sizeof(struct error) == sizeof(struct doppel_error), "the same sentence");

void vm_log(void *opaque, const char *line)
{
	struct doppel_vm *vm = opaque;

	if (vm->log_line)
		vm->log_line(vm->opaque, line);
	else
		fprintf(stderr, "%s\n", line);
}

void vm_console_write(void *opaque, const uint8_t *bytes, size_t len)
{
	struct doppel_vm *vm = opaque;

	vm->idle_spent_ns = 0; /* what talks is not idle; counted clock only, one thread */
	pthread_mutex_lock(&vm->output);
	if (vm->console_output)
		vm->console_output(vm->opaque, bytes, len);
	pthread_mutex_unlock(&vm->output);
}

static void debug_write(void *opaque, const uint8_t *bytes, size_t len)
{
	struct doppel_vm *vm = opaque;

	vm->debug_output(vm->opaque, bytes, len);
}

static void on_event(void *opaque, enum machine_event e, uint32_t code)
{
	struct doppel_vm *vm = opaque;

	switch (e) {
	case MACHINE_POWEROFF:
		vm_finish(vm, DOPPEL_END_POWEROFF, 0, NULL);
		break;
	case MACHINE_RESET:
		vm_act(vm, VM_ACTION_RESET);
		break;
	case MACHINE_DEBUG_EXIT:
		vm_finish(vm, DOPPEL_END_DEBUG_EXIT, code, NULL);
		break;
	}
}

static void on_cpu_wake(void *opaque, unsigned cpu)
{
	struct doppel_vm *vm = opaque;

	host_event_signal(&vm->cpu[cpu].wake);
}

static void init_locks(struct doppel_vm *vm)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&vm->api, NULL);
	pthread_mutex_init(&vm->control, NULL);
	pthread_mutex_init(&vm->output, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&vm->changed, &attr);
	pthread_condattr_destroy(&attr);
	host_mutex_init(&vm->lock);
	host_event_init(&vm->event);
	console_queue_init(&vm->input);
}

static void destroy_locks(struct doppel_vm *vm)
{
	console_queue_destroy(&vm->input);
	host_event_destroy(&vm->event);
	host_mutex_destroy(&vm->lock);
	pthread_cond_destroy(&vm->changed);
	pthread_mutex_destroy(&vm->output);
	pthread_mutex_destroy(&vm->control);
	pthread_mutex_destroy(&vm->api);
}

static int load_images(struct doppel_vm *vm, struct error *err)
{
	uint64_t max = vm->cfg.memory_bytes;
	int r = file_load(&vm->kernel, "kernel", vm->cfg.kernel, max, err);

	if (r == 0 && vm->cfg.initrd)
		r = file_load(&vm->initrd, "initrd", vm->cfg.initrd, max, err);
	return r;
}

/* The CPUs' memory comes from the page allocator: struct x86_cpu wants more alignment than the
 * heap gives. */
static int create_cpus(struct doppel_vm *vm, struct error *err)
{
	vm->x86 = host_ram_map(vm->cfg.cpus * sizeof(*vm->x86));
	vm->cpu = host_alloc(vm->cfg.cpus * sizeof(*vm->cpu));
	if (!vm->x86 || !vm->cpu)
		return error_set(err, -ENOMEM, "out of memory for %u CPUs", vm->cfg.cpus);
	for (unsigned i = 0; i < vm->cfg.cpus; i++) {
		struct vm_cpu *c = &vm->cpu[i];

		c->vm = vm;
		c->x86 = &vm->x86[i];
		host_event_init(&c->wake);
		c->x86->index = c->x86->apic_id = i;
		c->x86->cpuid = &vm->cfg.model;
		c->x86->trace = &vm->trace;
		/* Counted runs repeat, so their random numbers do: never seed keys in one. */
		c->x86->random_state = vm->cfg.counted ? i + 1 : 0;
		c->x86->devices_alone = vm->cfg.counted;
	}
	return 0;
}

/* A write to a register may be followed by what the I/O thread would do: see io_loop_lend. */
static void lend_io(struct doppel_vm *vm)
{
	struct space *spaces[] = {vm->x86->space, vm->x86->ports};

	for (unsigned i = 0; i < ARRAY_LEN(spaces); i++) {
		if (!spaces[i])
			return;
		spaces[i]->io_written_opaque = vm->io;
		spaces[i]->io_written = io_loop_lend;
	}
	io_loop_lend_allow(vm->io);
}

static int create_machine(struct doppel_vm *vm, struct error *err)
{
	struct machine_config mc = {
		.cpus = vm->cfg.cpus,
		.memory_bytes = vm->cfg.memory_bytes,
		.cpuid = &vm->cfg.model,
		.clock = &vm->clock,
		.timers = &vm->timers,
		.lock = &vm->lock,
		.trace = &vm->trace,
		.worker = io_loop_worker(vm->io),
		.device = vm->attached.device,
		.devices = vm->attached.devices,
		.event = on_event,
		.cpu_wake = on_cpu_wake,
		.opaque = vm,
	};

	if (vm->console_output)
		mc.serial[0] = (struct byte_sink){vm_console_write, vm};
	if (vm->debug_output)
		mc.debugcon = (struct byte_sink){debug_write, vm};
	return vm->cfg.machine->create(&vm->machine, &mc, vm->x86, err);
}

/* Where a CPU has nothing else to do, and nothing that is to be repeated or looked at depends on
 * when code is ready. */
static bool compiles_in_background(const struct vm_config *c)
{
	return !c->counted && !c->stress && !c->dump && host_cpu_count() > 1;
}

/* One CPU of the host more than it has of ours. */
static void create_ahead(struct doppel_vm *vm)
{
	if (vm->cfg.counted || !vm->x86->space || host_cpu_count() <= vm->cfg.cpus)
		return;
	vm->ahead = ahead_create();
	vm->x86->space->ahead = vm->ahead;
}

static int create_engine(struct doppel_vm *vm, struct error *err)
{
	struct engine_config ec = {
		.pair = {vm->cfg.pair[0], vm->cfg.pair[1]},
		.max_block_insns = vm->cfg.max_block_insns,
		.disabled_passes = vm->cfg.disabled_passes,
		.host = &vm->cfg.host,
		.code_cache_bytes = vm->cfg.code_cache_bytes,
		.hot_threshold = vm->cfg.hot_threshold,
		.background = compiles_in_background(&vm->cfg),
		.stress = vm->cfg.stress,
		.stress_seed = vm->cfg.stress_seed,
		.dump = vm->cfg.dump,
		.has_dump_addr = vm->cfg.has_dump_addr,
		.dump_addr = vm->cfg.dump_addr,
		.dump_line = vm_log,
		.dump_host = vm_dump_host,
		.dump_opaque = vm,
	};
	int r = vm_generated_init(vm, &ec, err);

	if (r)
		return r;

	vm->decoder = x86_decoder_create();
	vm->group = engine_group_create(vm->cfg.cpus);
	if (!vm->decoder || !vm->group)
		return error_set(err, -ENOMEM, "out of memory for the engine");
	ec.decoder = vm->decoder;
	for (unsigned i = 0; i < vm->cfg.cpus; i++) {
		struct vm_cpu *c = &vm->cpu[i];

		r = vm->cfg.engine->cpu_create(&c->engine, vm->group, c->x86, &ec, err);

		if (r)
			return r;
		engine_group_add(vm->group, c->x86);
	}
	return 0;
}

static void destroy_cpus(struct doppel_vm *vm)
{
	ahead_destroy(vm->ahead); /* all that it writes to is still there */
	for (unsigned i = 0; vm->cpu && i < vm->cfg.cpus; i++) {
		if (vm->cpu[i].engine)
			vm->cfg.engine->cpu_destroy(vm->cpu[i].engine);
		if (vm->cpu[i].vm)
			host_event_destroy(&vm->cpu[i].wake);
	}
	if (vm->group)
		engine_group_destroy(vm->group);
	if (vm->decoder)
		x86_decoder_destroy(vm->decoder);
	if (vm->machine)
		vm->cfg.machine->destroy(vm->machine);
	host_ram_unmap(vm->x86, vm->cfg.cpus * sizeof(*vm->x86));
	host_free(vm->cpu);
}

static int build(struct doppel_vm *vm, const struct doppel_config *cfg, struct error *err)
{
	int r = vm_config_resolve(&vm->cfg, cfg, err);

	if (r)
		return r;
	vm->console_output = cfg->console_output;
	vm->debug_output = cfg->debug_output;
	vm->log_line = cfg->log_line;
	vm->opaque = cfg->opaque;
	vm->trace = (struct trace){vm->cfg.trace, vm_log, vm};
	if (vm->cfg.counted)
		vm_counted_init(vm);
	else
		vm_real_init(vm);
	vm->timers.clock = &vm->clock;
	r = io_loop_create(&vm->io, vm->cfg.counted, err);
	if (r == 0)
		r = load_images(vm, err);
	if (r == 0)
		r = vm_attach_all(vm, cfg->device, cfg->devices, err);
	if (r == 0)
		r = create_cpus(vm, err);
	if (r == 0)
		r = create_machine(vm, err);
	if (r == 0 && !vm->cfg.counted)
		lend_io(vm);
	if (r == 0)
		create_ahead(vm);
	if (r == 0)
		r = create_engine(vm, err);
	return r ? r : vm_boot(vm, err);
}

int doppel_create(struct doppel_vm **out, const struct doppel_config *cfg, struct doppel_error *err)
{
	struct doppel_vm *vm = host_alloc(sizeof(*vm));
	int r;

	*out = NULL;
	if (!vm)
		return error_set((struct error *)err, -ENOMEM, "out of memory");
	init_locks(vm);
	vm->perf_map.fd = -1;
	r = build(vm, cfg, (struct error *)err);
	if (r) {
		doppel_destroy(vm);
		return r;
	}
	*out = vm;
	return 0;
}

static int start_thread(struct doppel_vm *vm, struct host_thread *t, const char *name,
			void (*fn)(void *), void *arg)
{
	int r;

	pthread_mutex_lock(&vm->control);
	vm->live++;
	pthread_mutex_unlock(&vm->control);
	r = host_thread_start(t, name, fn, arg);
	if (r)
		vm_thread_gone(vm);
	return r;
}

/* Under the counted clock the event thread's place is taken by the one runner. */
static int start_threads(struct doppel_vm *vm)
{
	char name[32];
	int r;

	if (vm->cfg.counted)
		r = start_thread(vm, &vm->event_thread, "cpus", vm_counted_thread, vm);
	else
		r = start_thread(vm, &vm->event_thread, "events", vm_real_event_thread, vm);
	vm->event_started = r == 0;
	if (vm->cfg.counted)
		return r;
	for (unsigned i = 0; r == 0 && i < vm->cfg.cpus; i++) {
		snprintf(name, sizeof(name), "cpu%u", i);
		r = start_thread(vm, &vm->cpu[i].thread, name, vm_real_cpu_thread, &vm->cpu[i]);
		if (r == 0)
			vm->threads++;
	}
	return r;
}

int doppel_start(struct doppel_vm *vm, struct doppel_error *err)
{
	int r;

	pthread_mutex_lock(&vm->control);
	if (vm->started || vm->ended) {
		pthread_mutex_unlock(&vm->control);
		return error_set((struct error *)err, -EINVAL, "the machine was started before");
	}
	vm->started = true;
	vm->runners = vm->cfg.counted ? 1 : vm->cfg.cpus;
	vm->live = 1; /* this function: the machine cannot end before all threads are there */
	pthread_mutex_unlock(&vm->control);
	if (!vm->cfg.counted)
		vm_real_freeze(vm, false);
	r = io_loop_start(vm->io, (struct error *)err);
	if (r == 0 && (r = start_threads(vm)))
		error_set((struct error *)err, r, "cannot start a thread: %s", strerror(-r));
	if (r)
		vm_finish(vm, DOPPEL_END_STOPPED, 0, NULL);
	vm_thread_gone(vm);
	return r;
}

static void join_threads(struct doppel_vm *vm)
{
	if (vm->event_started)
		host_thread_join(&vm->event_thread);
	for (unsigned i = 0; i < vm->threads; i++)
		host_thread_join(&vm->cpu[i].thread);
}

void doppel_destroy(struct doppel_vm *vm)
{
	if (!vm)
		return;
	if (vm->started)
		doppel_stop(vm);
	join_threads(vm);
	if (vm->io)
		io_loop_stop(vm->io);
	destroy_cpus(vm);
	vm_attach_clear(vm);
	io_loop_destroy(vm->io);
	host_perf_map_close(&vm->perf_map);
	file_unload(&vm->kernel);
	file_unload(&vm->initrd);
	vm_config_clear(&vm->cfg);
	destroy_locks(vm);
	host_free(vm);
}
