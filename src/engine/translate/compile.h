/*
 * From guest bytes to host code that can be put anywhere. A job says all that this needs and takes
 * in all that comes of it, so it makes no difference whether the CPU's thread carries it out at
 * once or another one later (background.h).
 */
#ifndef ENGINE_TRANSLATE_COMPILE_H
#define ENGINE_TRANSLATE_COMPILE_H

#include "engine/dump.h"
#include "engine/translate/code.h"
#include "ir/folder.h"
#include "isa/x86/decode.h"

struct iblock;

enum { COMPILE_PATH_MAX = 64, COMPILE_CODE_MAX = 256 << 10 };

struct compile_job {
	/* ---- What is to be compiled: the code at gpa, and where it goes on after each control
	 * transfer, as offsets from its page's start. */
	uint64_t rip, gpa;
	uint64_t gpa2; /* ~0, or page of the rest of the instruction at gpa, which is alone then */
	x86_mode_t mode;
	uint64_t tag; /* of the mode in the jump table */
	uint32_t cc_kind; /* see gen_source */
	int32_t path[COMPILE_PATH_MAX];
	unsigned path_len;
	bool loop;
	/* Where it goes through, gpa's page first; then, if there is one, gpa2. */
	struct gen_page page[GEN_PAGES_MAX];
	unsigned page_count;
	uint8_t bytes[GEN_PAGES_MAX][PAGE_BYTES]; /* what is there */
	bool settles; /* beside that: see code_settling */
	struct code_settle settle;
	uint64_t wanderers[GEN_MARKS / 64], apart[GEN_MARKS / 64]; /* see gen_source */

	/* ---- What came of it. Pointers lead into the job. */
	bool failed; /* left to the interpreter */
	uint64_t ns; /* host time */
	struct code_made made;
	struct gen_link link[GEN_LINKS_MAX];
	struct gen_fault fault[GEN_FAULTS_MAX];
	struct gen_site site[GEN_SITES_MAX];
	unsigned site_count;
	uint32_t relative[GEN_RELATIVE_MAX];
	uint8_t code[COMPILE_CODE_MAX];

	/* ---- Of who asked (trace.c). */
	struct iblock *head;
	unsigned evictions;
};

/* The tools for it: one thread's at a time. */
struct compiler {
	const struct engine_config *cfg;
	struct x86_cpu *cpu;	       /* what it advertises; whom to name in dumps and traces */
	unsigned max_insns, max_trace; /* of a block, a trace; max_trace 0: no traces */
	size_t max_bytes;	       /* of a block's code */
	struct dump dump;
	struct ir_block ir;
	struct ir_insn insn[IR_BLOCK_MAX];
	struct ir_folder folder;
	struct gen gen;
};

void compile(struct compiler *c, struct compile_job *job);

#endif
