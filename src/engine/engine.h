/*
 * An engine carries out a guest CPU. One const row per engine, listed in engine/registry.c.
 * CPU state is engine-neutral: it is all in struct x86_cpu between calls of run().
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include <stdint.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "host/host.h"
#include "isa/x86/cpu.h"

struct x86_decoder;
struct engine_group;
struct engine_cpu;

enum engine_exit {
	ENGINE_EXIT_BUDGET,   /* the given number of instructions has run */
	ENGINE_EXIT_STOP,     /* X86_REQ_STOP was seen and cleared */
	ENGINE_EXIT_HALT,     /* HLT or waiting for SIPI: sleep until x86_can_wake() */
	ENGINE_EXIT_SHUTDOWN, /* triple fault */
	ENGINE_EXIT_RESET,    /* X86_REQ_RESET was seen and cleared */
	ENGINE_EXIT_DIFFER,   /* lockstep: its two engines do not agree; report() says where */
};

/* Text dumps of what is translated (--dump): instructions, IR as lifted, IR after the passes, host
 * code. */
enum {
	ENGINE_DUMP_GUEST = 1,
	ENGINE_DUMP_IR = 2,
	ENGINE_DUMP_OPT = 4,
	ENGINE_DUMP_HOST = 8,
};

/* Legal choices made badly on purpose, to find bugs (--stress). An engine ignores what it does not
 * have. */
enum {
	ENGINE_STRESS_NO_CHAIN = 1,    /* blocks never jump to each other */
	ENGINE_STRESS_RANDOM_REGS = 2, /* host registers are chosen at random, from stress_seed */
	ENGINE_STRESS_NO_TRACE = 4,    /* blocks never grow into traces */
	ENGINE_STRESS_TINY_CACHE = 8,  /* code memory that is full again and again */
};

struct engine;

struct engine_config {
	const struct x86_decoder *decoder;
	const struct host_cpu *host;  /* use only this of the host's CPU; NULL: all of it */
	const struct engine *pair[2]; /* lockstep: the engines it compares */
	unsigned max_block_insns;     /* 0, or more than an engine can: its default */
	uint64_t disabled_passes;     /* bit per index in ir_passes */

	size_t code_cache_bytes; /* of one CPU's blocks and code; 0: ENGINE_CACHE_BYTES */
	unsigned hot_threshold;	 /* translate a block at its n-th execution; 0: its default */
	bool background;	 /* compile on a thread of its own: when is left to chance */
	uint32_t stress;	 /* ENGINE_STRESS_* */
	uint64_t stress_seed;

	unsigned dump;	    /* ENGINE_DUMP_* */
	bool has_dump_addr; /* dump only blocks that hold the linear address dump_addr */
	uint64_t dump_addr;
	/* Called with whole lines, from the CPUs' threads. NULL: nothing is dumped. */
	void (*dump_line)(void *opaque, const char *line);
	/* Disassemble host code that will run at addr: calls line(opaque, text) for each
	 * instruction, and uses opaque for nothing else. NULL: host code is not dumped. */
	void (*dump_host)(void *opaque, const uint8_t *code, size_t bytes, uint64_t addr,
			  void (*line)(void *opaque, const char *text));
	void *dump_opaque; /* of both */

	/* Generated code came to be at rx, for profilers and debuggers; a name such as
	 * "guest_ffffffff81000000_trace". Then: all code of a range is gone. From any CPU's thread.
	 * Either may be NULL. */
	void (*code_added)(void *opaque, const void *rx, size_t bytes, const char *name);
	void (*code_removed)(void *opaque, const void *rx, size_t bytes);
	void *code_opaque;
};

static inline struct host_cpu engine_host(const struct engine_config *cfg)
{
	return cfg->host ? *cfg->host : host_cpu_detect();
}

enum {
	ENGINE_CACHE_BYTES = 64 << 20,
	ENGINE_CACHE_BYTES_MIN = 1 << 20,
	ENGINE_CACHE_BYTES_TINY = 2 << 20,
};

/* What all that one CPU's engine makes from guest code may take. */
static inline size_t engine_cache_bytes(const struct engine_config *cfg)
{
	if (cfg->stress & ENGINE_STRESS_TINY_CACHE)
		return ENGINE_CACHE_BYTES_TINY;
	return cfg->code_cache_bytes ? cfg->code_cache_bytes : ENGINE_CACHE_BYTES;
}

struct engine_info { /* for doctor */
	bool works;
	char why[200];
	char cost[200];
};

struct engine {
	const char *name; /* "interpret" */
	const char *text;
	/* Does it work on this host, why, at what cost? Changes nothing. */
	void (*probe)(struct engine_info *out);
	/* One object per guest CPU; the group is what the machine's CPUs share. 0 or -errno. */
	int (*cpu_create)(struct engine_cpu **out, struct engine_group *g, struct x86_cpu *cpu,
			  const struct engine_config *cfg, struct error *err);
	void (*cpu_destroy)(struct engine_cpu *e); /* NULL is fine */
	/* Run until a reason to stop, or exactly `insns` instructions (UINT64_MAX: no limit). What
	 * is due between two instructions is done before it returns for an empty budget, too. */
	enum engine_exit (*run)(struct engine_cpu *e, uint64_t insns);
	/* After ENGINE_EXIT_DIFFER, the report, whose first line is a summary; valid until
	 * cpu_destroy. NULL for engines that never return that. */
	const char *(*report)(const struct engine_cpu *e);
};

extern const struct engine *const engine_registry[]; /* NULL-terminated, best first */
const struct engine *engine_find(const char *name);

/*
 * What the CPUs of one machine share: the way to stop the others for a moment. Used for locked
 * accesses the host cannot do atomically and when a page first holds cached code.
 */
struct engine_group *engine_group_create(unsigned cpus); /* NULL: out of memory */
void engine_group_destroy(struct engine_group *g);	 /* NULL is fine */
/* What an engine's CPUs share beside that: NULL at first, the engine's to set and to clear. */
void **engine_group_slot(struct engine_group *g);
/* All CPUs are added before any runs. */
void engine_group_add(struct engine_group *g, struct x86_cpu *cpu);
/* Around run(): a CPU is inside guest code between enter and leave. enter waits while another CPU
 * holds the group exclusively. */
void engine_group_enter(struct engine_group *g, struct x86_cpu *cpu);
void engine_group_leave(struct engine_group *g, struct x86_cpu *cpu);
/* From inside: wait until all others are at a block boundary; resume them. Between the two
 * cpu->exclusive is set. On X86_REQ_SYNC a running CPU calls leave and enter. */
void engine_group_exclusive_begin(struct engine_group *g, struct x86_cpu *cpu);
void engine_group_exclusive_end(struct engine_group *g, struct x86_cpu *cpu);

/* Take fast write access to a physical page away from every CPU: it is about to hold cached code.
 */
void engine_group_protect(struct engine_group *g, struct x86_cpu *cpu, uint64_t gpa_page);

#endif
