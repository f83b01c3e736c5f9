/* Shared by the translator's files: translate.c (running), trace.c (what to compile), keep.c (what
 * was compiled), jumps.c (where to go on), slow.c (what generated code calls). */
#ifndef ENGINE_TRANSLATE_TRANSLATE_PRIVATE_H
#define ENGINE_TRANSLATE_TRANSLATE_PRIVATE_H

#include "engine/interpret/interpret_private.h"
#include "engine/translate/background.h"
#include "engine/translate/code.h"
#include "engine/translate/compile.h"

enum { MODES_MAX = 256 };

struct translate {
	struct gen_jumps jumps;
	uint64_t jump_used[2][GEN_JUMP_SIZE / 64];     /* [1]: of global pages */
	uint64_t jump_any[2][GEN_JUMP_SIZE / 64 / 64]; /* a bit for each word of them */
	struct engine_cpu *interp;
	struct x86_cpu *cpu;
	struct engine_config cfg;
	struct code *code;
	bool short_budget;	    /* the block at RIP does not fit the budget */
	struct tlink *link;	    /* the exit that led here, to be linked; or NULL */
	x86_mode_t mode[MODES_MAX]; /* of the numbers in tags */
	unsigned mode_count;
	bool straight; /* nothing needs a look at the block boundary */
	bool no_jump;  /* generated code has just looked in the jump table */
	uint64_t wanderers[GEN_MARKS / 64], apart[GEN_MARKS / 64]; /* see gen_source */
	struct { /* of the instruction that was given the entry last */
		uint64_t gpa;
		bool group;
	} site[X86_SITES];
	struct compiler compiler;      /* the background's thread's, if there is one */
	struct compile_job *job;       /* for compiling in place */
	struct background *background; /* or NULL: all is compiled in place */
};

/* Are linear addresses RIPs, and is nothing due between instructions? */
static inline bool has_addresses(x86_mode_t mode)
{
	return !(mode & X86_MODE_POLLS) && (mode & (X86_MODE_CODE64 | X86_MODE_FLAT));
}

/* ---- keep.c */
/* Put code that was just compiled where it can run. NULL: it is left to the interpreter. */
struct tblock *keep(struct translate *t, const struct compile_job *job);
/* What was compiled meanwhile: keep it if the code is still what it was. */
void keep_finished(struct translate *t);

/* ---- trace.c */
/* b, at cs:rip, is hot: carry it and what follows it out by the interpreter, and compile what was
 * seen, or have it compiled. RIP is then somewhere else. */
void trace_hot(struct translate *t, struct iblock *b);

/* ---- jumps.c */
void jumps_init(struct translate *t);
/* A number for the mode, see gen_jump_tag; ~0 if RIPs of this mode are not in the jump table. */
uint64_t jumps_tag(struct translate *t, x86_mode_t mode);
/* Code for cpu->rip in the present mode, or NULL. */
const uint8_t *jumps_find(struct translate *t);
/* The block at RIP and gpa from an entry that a flush emptied, or NULL. */
struct tblock *jumps_again(const struct translate *t, uint64_t gpa);
void jumps_remember(struct translate *t, struct tblock *b);
/* b is no more to be found. */
void jumps_forget(struct translate *t, const struct tblock *b);
void jumps_flush(struct translate *t, bool global);
/* Blocks are about to be freed: forget what flushes left behind, too. */
void jumps_clear(struct translate *t);

/* ---- sites.c */
/* The code just compiled has entries of cpu->site: note of what instructions. */
void sites_note(struct translate *t, const struct compile_job *job);
/* If an access was found to go from page to page, have its code made anew without an entry for it.
 */
void sites_settle(struct translate *t);

/* ---- slow.c */
extern const struct frame_calls slow_calls;

#endif
