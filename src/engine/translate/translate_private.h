/* Shared by the translator's files: translate.c (running), compile.c (from guest bytes to code),
 * jumps.c (where to go on), slow.c (what generated code calls). */
#ifndef ENGINE_TRANSLATE_TRANSLATE_PRIVATE_H
#define ENGINE_TRANSLATE_TRANSLATE_PRIVATE_H

#include "engine/dump.h"
#include "engine/interpret/interpret_private.h"
#include "engine/translate/code.h"
#include "ir/folder.h"

enum { TRACE_PATH_MAX = 64, MODES_MAX = 256 };

struct translate {
	struct gen_jumps jumps;
	uint64_t jump_used[2][GEN_JUMP_SIZE / 64]; /* [1]: of global pages */
	struct engine_cpu *interp;
	struct x86_cpu *cpu;
	struct engine_config cfg;
	struct code *code;
	bool short_budget;	    /* the block at RIP does not fit the budget */
	struct tlink *link;	    /* the exit that led here, to be linked; or NULL */
	x86_mode_t mode[MODES_MAX]; /* of the numbers in tags */
	unsigned mode_count;
	bool straight;		       /* nothing needs a look at the block boundary */
	unsigned max_insns, max_trace; /* of a block, a trace; max_trace 0: no traces */
	uint64_t wanderers[GEN_MARKS / 64], apart[GEN_MARKS / 64]; /* see gen_source */
	struct { /* of the instruction that was given the entry last */
		uint64_t gpa;
		bool group;
	} site[X86_SITES];
	struct dump dump;
	struct ir_block ir;
	struct ir_insn insn[IR_BLOCK_MAX];
	struct ir_folder folder;
	struct gen gen;
};

/* ---- compile.c */
/* What is to be compiled: the code at gpa, and where it goes on after each control transfer, as
 * offsets in its page. */
struct compile_at {
	uint64_t rip, gpa;
	x86_mode_t mode;
	const uint8_t *page;
	uint64_t gpa2; /* ~0, or page of the rest of the instruction at gpa, which is alone then */
	const uint8_t *page2;
	const uint16_t *path;
	unsigned path_len;
	bool loop;
};
/* NULL: left to the interpreter. */
struct tblock *compile(struct translate *t, const struct compile_at *at);

/* ---- trace.c */
/* b, at cs:rip, is hot: carry it and what follows it out by the interpreter, and compile what was
 * seen. RIP is then somewhere else. */
void trace_hot(struct translate *t, struct iblock *b);

/* ---- jumps.c */
void jumps_init(struct translate *t);
/* A number for the mode, see gen_jump_tag; ~0 if RIPs of this mode are not in the jump table. */
uint64_t jumps_tag(struct translate *t, x86_mode_t mode);
/* Code for cpu->rip in the present mode, or NULL. */
const uint8_t *jumps_find(struct translate *t);
/* The block at RIP and gpa from an entry that a flush emptied, or NULL. */
struct tblock *jumps_again(const struct translate *t, uint64_t gpa);
void jumps_remember(struct translate *t, const struct tblock *b);
void jumps_flush(struct translate *t, bool global);
/* Blocks are about to be freed: forget what flushes left behind, too. */
void jumps_clear(struct translate *t);

/* ---- sites.c */
/* The code just compiled has entries of cpu->site: note of what instructions. */
void sites_note(struct translate *t, uint64_t page);
/* If an entry was found to serve badly, have the code made anew without it. */
void sites_settle(struct translate *t);

/* ---- slow.c */
extern const struct frame_calls slow_calls;

#endif
