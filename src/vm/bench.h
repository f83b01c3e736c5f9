/* A workbench for single instructions: one CPU in a known state, 2 MiB of RAM mapped onto itself,
 * no devices. What doppel explain runs on. */
#ifndef VM_BENCH_H
#define VM_BENCH_H

#include "vm/vm.h"

enum {
	BENCH_RAM = 2 << 20,
	BENCH_CODE = 0x1000,
	BENCH_CODE_MAX = 64,
	BENCH_STACK = 0x8000,
	BENCH_TABLES = 0x10000, /* page tables, 64-bit mode only */
	BENCH_TABLES_END = 0x13000,
};

struct bench {
	struct x86_cpuid_model model;
	struct x86_decoder *decoder;
	struct space space, ports;
	uint8_t *ram;
	struct x86_cpu *cpu;
};

/* mode: 16 (real), 32 (flat, no paging) or 64. bench_destroy is right after a failure too. */
int bench_create(struct bench *b, unsigned mode, struct error *err);
void bench_destroy(struct bench *b);
/* Carry out insns instructions from cpu->rip. how->decoder is not looked at: it is the bench's. */
int bench_run(struct bench *b, const struct engine *engine, const struct engine_config *how,
	      uint64_t insns, enum engine_exit *exit, struct error *err);

#endif
