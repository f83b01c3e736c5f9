/*
 * A tiny machine for tests: one CPU with RAM from 0 on, four ports and no devices, on any engine.
 * Time is what has been carried out. The members are the tests' to look into and to change.
 */
#ifndef TESTS_BOX_H
#define TESTS_BOX_H

#include "engine/engine.h"
#include "host/host.h"
#include "isa/x86/cpuid.h"
#include "isa/x86/decode.h"
#include "isa/x86/fault.h"
#include "isa/x86/mmu.h"

struct box {
	struct space space, ports;
	uint8_t *ram;
	size_t ram_bytes;
	struct x86_cpu *cpu;
	struct x86_cpuid_model model;
	struct x86_platform platform;
	struct x86_decoder *decoder;
	struct engine_group *group;
	const struct engine *how;
	struct engine_cpu *engine;
	int vector;	     /* of the next interrupt; -1, a spurious one, at the start */
	uint64_t acked_rip;  /* where it was asked for */
	uint64_t port_value; /* last written to ports 0x80 to 0x83, which read as 0xa0 to 0xa3 */
};

/* With a CPU as after reset. cpuid: what it can do, in the words of --cpu. how: NULL for none, of
 * those who only call functions. with: all but the decoder, or NULL for code that is hot at once.
 * Returns NULL if the engine cannot be made. */
struct box *box_create(size_t ram_bytes, const char *cpuid, const struct engine *how,
		       const struct engine_config *with);
void box_destroy(struct box *b);
/* Flat 32-bit protected mode in ring 0, without descriptor tables and paging. */
void box_enter_flat(struct box *b, uint64_t rip, uint64_t rsp);
/* Bytes into RAM, as a device writes them: code there is noticed. */
void box_put(struct box *b, uint64_t gpa, const void *bytes, size_t len);
enum engine_exit box_run(struct box *b, uint64_t insns);

#endif
