/*
 * A machine's life. struct doppel_vm owns everything of one machine: configuration, images, CPUs,
 * devices, threads. Locks, outermost first:
 *
 *   api      one pause, resume or reset at a time
 *   lock     the machine lock: devices, timers, the clock's base (host_mutex, as devices see it)
 *   control  the fields from `paused` to `result`; waited on with `changed`
 *
 * A runner is a thread that carries out guest code: one per CPU under the real clock (real.c), one
 * for all CPUs under the counted clock (counted.c). hold is how runners are stopped: while it is
 * set they park in vm_gate, each between two instructions.
 */
#ifndef VM_VM_H
#define VM_VM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "backend/console.h"
#include "backend/files.h"
#include "backend/loop.h"
#include "base/error.h"
#include "base/trace.h"
#include "device/device.h"
#include "doppel/doppel.h"
#include "engine/engine.h"
#include "host/host.h"
#include "isa/x86/cpu.h"
#include "isa/x86/cpuid.h"
#include "machine/machine.h"
#include "vm/attach.h"

enum { VM_CPUS_MAX = 64 };

/* doppel_config after checking: words resolved, strings owned. */
struct vm_config {
	const struct machine_desc *machine;
	const struct engine *engine;
	const struct engine *pair[2]; /* of lockstep */
	unsigned cpus;
	uint64_t memory_bytes;
	bool counted;
	char *kernel, *initrd, *append;
	uint64_t trace;
	unsigned dump; /* ENGINE_DUMP_* */
	uint64_t disabled_passes;
	bool has_dump_addr;
	uint64_t dump_addr;
	unsigned max_block_insns, hot_threshold;
	uint32_t stress; /* ENGINE_STRESS_* */
	uint64_t stress_seed;
	size_t code_cache_bytes; /* of one CPU */
	bool perf_map, gdb_jit;
	struct x86_cpuid_model model;
	struct host_cpu host;
};

/* One guest CPU. */
struct vm_cpu {
	struct doppel_vm *vm;
	struct x86_cpu *x86;
	struct engine_cpu *engine;
	struct host_event wake; /* real clock: for its thread asleep in HLT */
	struct host_thread thread;
	uint64_t at_ns; /* counted clock: virtual time this CPU has been run to */
};

/* What is to be done once the runners have stopped; a higher one replaces a lower one. */
enum vm_action { VM_ACTION_NONE, VM_ACTION_RESET, VM_ACTION_END };

struct doppel_vm {
	struct vm_config cfg;
	void (*console_output)(void *opaque, const uint8_t *bytes, size_t len);
	void (*debug_output)(void *opaque, const uint8_t *bytes, size_t len);
	void (*log_line)(void *opaque, const char *line);
	void *opaque;

	struct file_image kernel, initrd; /* kept: a reset boots them again */
	struct x86_decoder *decoder;
	struct engine_group *group;
	struct ahead *ahead; /* NULL: nobody has time for it */
	struct x86_cpu *x86; /* array of cfg.cpus, page-aligned */
	struct vm_cpu *cpu;  /* array of cfg.cpus */
	struct machine *machine;
	struct trace trace;
	struct clock clock;
	struct timerq timers;
	struct console_queue input;

	struct io_loop *io;
	struct vm_attached attached;
	struct virtio_console *consoles; /* the device that --console adds ports to; NULL: none yet */
	struct stream *console; /* console_output and input are this one's; NULL: a serial port's */
	struct work console_feed, console_resized;
	_Atomic uint32_t console_size; /* columns << 16 | rows */
	struct virtio_balloon *balloon; /* NULL: none */
	pthread_mutex_t output; /* innermost: calls of console_output */

	struct host_perf_map perf_map;

	pthread_mutex_t api;
	struct host_mutex lock;

	/* real clock: virtual time = host time - base_ns, or stands at frozen_ns */
	_Atomic uint64_t base_ns;
	_Atomic bool frozen;
	_Atomic uint64_t frozen_ns;
	/* counted clock: owned by its one thread, see counted.c; published_ns: any thread */
	uint64_t round_ns, round_end_ns, seen_ns, run_insns;
	struct vm_cpu *running;
	_Atomic uint64_t published_ns;
	/* counted clock, host time: when idle() last returned; spent between idle times since the
	 * console was last used; owed as sleep */
	uint64_t idle_host_ns, idle_spent_ns, idle_owed_ns;

	struct host_event event; /* wakes the event thread, or the counted clock's idle thread */
	struct host_thread event_thread;
	bool settled; /* event thread: RAM was */

	_Atomic bool hold; /* runners must park: paused, or an action waits */
	pthread_mutex_t control;
	pthread_cond_t changed;
	bool started, ended, paused;
	bool event_started; /* to be joined: the event thread, and the first `threads` CPUs' */
	unsigned threads;
	unsigned runners, parked, live; /* live: runners and the event thread, not yet gone */
	enum vm_action action;
	struct doppel_result result;
};

/* config.c: check the user's configuration and resolve its words. Frees nothing on failure:
 * vm_config_clear does, and is harmless on a zeroed struct. 0 or -errno. */
int vm_config_resolve(struct vm_config *out, const struct doppel_config *in, struct error *err);
void vm_config_clear(struct vm_config *c);

/* words.c: engine choice and word lists. */
const struct engine *vm_engine_auto(void);
/* "auto", a name, or "lockstep=A,B", which fills pair. */
int vm_engine_choose(const char *name, const struct engine **out, const struct engine *pair[2],
		     struct error *err);
int vm_machine_choose(const char *name, const struct machine_desc **out, struct error *err);
int vm_trace_words(const char *list, uint64_t *bits, struct error *err);
int vm_dump_words(const char *list, struct vm_config *out, struct error *err);
int vm_stress_words(const char *list, struct vm_config *out, struct error *err);
int vm_pass_words(const char *list, uint64_t *bits, struct error *err);

/* stress.c: one word of --stress. 0, -ENOENT without a message if there is no such word, -EINVAL. */
const char *vm_stress_name(unsigned index, const char **text); /* NULL past the last */
int vm_stress_set(struct vm_config *c, const char *name, const char *value, struct error *err);

/* generated.c: what engines say about the code they make. 0 or -errno. */
int vm_generated_init(struct doppel_vm *vm, struct engine_config *ec, struct error *err);
/* engine_config.dump_host */
void vm_dump_host(void *opaque, const uint8_t *code, size_t bytes, uint64_t addr,
		  void (*line)(void *opaque, const char *text));

/* boot.c: reset all devices and CPUs and place the images. Runners parked. 0 or -errno. */
int vm_boot(struct doppel_vm *vm, struct error *err);

/* control.c */
/* Ask for something to be done with the runners stopped. From any thread, with or without the
 * machine lock. */
void vm_act(struct doppel_vm *vm, enum vm_action a);
/* End the machine; the first caller's reason stands. text may be NULL. */
void vm_finish(struct doppel_vm *vm, enum doppel_end end, uint32_t code, const char *text);
/* A runner passes here between two runs: parks while held. A runner that serves actions itself is
 * let out for a reset. False: the machine ends. */
bool vm_gate(struct doppel_vm *vm, bool serves);
/* The event thread (or the counted runner): carry out a pending action, all runners stopped but
 * the caller if it is one. False: the machine ends. */
bool vm_serve(struct doppel_vm *vm, bool is_runner);
/* An action waits. */
bool vm_acting(struct doppel_vm *vm);
/* A thread of the machine is about to return. */
void vm_thread_gone(struct doppel_vm *vm);
static inline bool vm_held(struct doppel_vm *vm)
{
	return atomic_load_explicit(&vm->hold, memory_order_acquire);
}

/* One line of trace or dump output, to the callback or to standard error. */
void vm_log(void *opaque, const char *line);

/* real.c and counted.c: set up vm->clock and vm->timers; thread bodies. Each thread body takes
 * the object named. */
void vm_real_init(struct doppel_vm *vm);
void vm_real_cpu_thread(void *vm_cpu);
void vm_real_event_thread(void *vm);
void vm_real_freeze(struct doppel_vm *vm, bool freeze); /* stop and go on with virtual time */
void vm_counted_init(struct doppel_vm *vm);
void vm_counted_thread(void *vm);

/* Offer queued console bytes to the guest; machine lock held. True if some still wait. */
bool vm_feed_console(struct doppel_vm *vm);

/* life.c: bytes of the guest for the console, from any thread, any lock held. */
void vm_console_write(void *vm, const uint8_t *bytes, size_t len);
/* attach_console.c: bytes wait in vm->input for vm->console. */
void vm_console_kick(struct doppel_vm *vm);

/* crash.c: what a triple fault is reported with: registers, and code around RIP disassembled. */
void vm_crash_text(struct x86_cpu *cpu, char *buf, size_t len);

/* registers.c: registers by name; 0 or -ENOENT. */
const char *vm_register_name(unsigned index); /* NULL past the last */
int vm_register_get(const struct x86_cpu *cpu, const char *name, uint64_t *value);
int vm_register_set(struct x86_cpu *cpu, const char *name, uint64_t value);
/* "rax=1,rbx=0x20": 0 or -EINVAL. */
int vm_register_list(struct x86_cpu *cpu, const char *list, struct error *err);

#endif
