/*
 * What --dump prints of a block on its way from guest bytes to what runs: instructions, IR as
 * lifted, IR after the passes, host code. For every engine that lifts blocks.
 */
#ifndef ENGINE_DUMP_H
#define ENGINE_DUMP_H

#include "engine/engine.h"
#include "ir/ir.h"
#include "isa/x86/lift.h"

enum { DUMP_TEXT_BYTES = 64 << 10 };

struct dump {
	const struct engine_config *cfg; /* its owner's, which outlives this */
	bool wanted;			 /* the block at hand is to be dumped */
	char text[DUMP_TEXT_BYTES];
};

/* Guest code that has been lifted. kind: "block", "trace". */
struct dump_code {
	const char *kind;
	uint64_t lin, gpa;
	x86_mode_t mode;
	const struct x86_trace_page *page; /* as in struct x86_trace */
	unsigned page_count, start;
	unsigned end; /* bytes that are there of a page; may be more than was lifted */
};

/* A block has been lifted into ir, whose guest marks say of what instructions: trace it,
 * see whether it is to be dumped, print its head line and its instructions if they are asked for.
 * The calls after it are about the same block. */
void dump_begin(struct dump *d, struct x86_cpu *cpu, const struct dump_code *code,
		const struct ir_block *ir);
/* stage: ENGINE_DUMP_IR or ENGINE_DUMP_OPT. */
void dump_ir(struct dump *d, unsigned stage, const struct ir_block *ir);
/* code: readable; addr: where it runs. */
void dump_host(struct dump *d, const uint8_t *code, size_t bytes, uint64_t addr);

#endif
