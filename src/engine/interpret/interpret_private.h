/* Shared by the files of the interpreter's main loop only: interpret.c (running), find.c (finding
 * blocks and dropping those whose code was written) and translator.c (from bytes to a block). */
#ifndef ENGINE_INTERPRET_INTERPRET_PRIVATE_H
#define ENGINE_INTERPRET_INTERPRET_PRIVATE_H

#include "engine/engine.h"
#include "engine/interpret/place.h"
#include "host/host.h"
#include "isa/x86/fault.h"

/* Where the code at cs:rip lies. hva NULL: not RAM. gpa2 ~0: the next page is not needed or cannot
 * be fetched. */
struct code_bytes {
	uint64_t lin, gpa, gpa2;
	const uint8_t *hva, *hva2; /* of the page */
};

struct translator;
struct translator *translator_create(struct x86_cpu *cpu, const struct engine_config *cfg);
void translator_destroy(struct translator *t);

/* Decode, lift, optimize and lower the code; max_insns 0 = as configured. False, with the fault
 * recorded, if the first instruction goes on in a page that cannot be fetched. */
bool translator_lift(struct translator *t, const struct code_bytes *code, unsigned max_insns);
/* Make the result a block of s, whose current region has no room for it if NULL comes back; or, if
 * s is NULL, one for a single use. Its heat is to be set. */
struct iblock *translator_place(struct translator *t, struct blocks *s);

/* Bytes of code other threads (or we) wrote, to be dropped at the next block boundary: disks fill
 * many pages at once. Where there is no room for more, the last range takes in what comes, and all
 * that lies between. */
enum { INTERP_WRITTEN_MAX = 1024 };
struct written_range {
	uint64_t gpa;
	size_t len;
};
struct written {
	struct host_mutex lock;
	unsigned count;
	struct written_range range[INTERP_WRITTEN_MAX];
};

/* What an engine that leaves cold code to the interpreter adds to it. All NULL in the interpreter
 * proper. */
struct interp_client {
	void *opaque;
	/* Code in the range was written; returns blocks dropped. */
	unsigned (*dropped)(void *opaque, uint64_t gpa, size_t len);
	/* As x86_cpu.flush_jumps. */
	void (*flush_jumps)(void *opaque, bool global);
};

struct engine_cpu {
	struct interp_hot hot; /* first: operations find it through cpu->engine */
	struct interp_client client;
	struct x86_cpu *cpu;
	struct engine_group *group;
	struct translator *translator;
	struct blocks *blocks;
	uint32_t heat;	    /* of new blocks */
	unsigned evictions; /* of regions of blocks: blocks found before one may be no more */
	struct written written;
	struct code_bytes alone; /* pages held for find_block_alone; gpa ~0: none */
};

/* ---- find.c */
/* The block at cs:rip, for running now and for linking the exit that led here; NULL with a fault
 * recorded. */
struct iblock *find_block(struct engine_cpu *e);
/* The same if that can be told at once, and it is not hot; else NULL, and no fault. */
struct iblock *find_cold(struct engine_cpu *e);
/* As find_block, not cached: at most max_insns instructions, for one use. If they may be several,
 * writes to their pages are announced until find_alone_done. */
struct iblock *find_block_alone(struct engine_cpu *e, unsigned max_insns);
void find_alone_done(struct engine_cpu *e);
/* The memory that blocks come to be in. NULL: none is to be had. */
struct blocks *find_blocks_create(struct engine_cpu *e, size_t bytes);
/* At a block boundary: drop the blocks whose code was written. */
void find_drop_written(struct engine_cpu *e);
/* For struct space (any thread) and struct x86_cpu: code was written; linear addresses are stale.
 */
void find_code_written(void *engine_cpu, uint64_t gpa, size_t len);
void find_flush_jumps(void *engine_cpu, bool global);
void find_clear_jumps(struct engine_cpu *e);
/* Whether lin lies in a page of the upper half that was fetched from as a global one. */
bool find_page_is_global(const struct x86_cpu *cpu, uint64_t lin);

/* ---- interpret.c: the parts of run() */
int interp_create(struct engine_cpu **out, struct engine_group *g, struct x86_cpu *cpu,
		  const struct engine_config *cfg, size_t cache_bytes, uint32_t heat,
		  struct error *err);
void interp_destroy(struct engine_cpu *e);
/* At a block boundary: -1 to go on, or why to leave run(). */
int interp_boundary(struct engine_cpu *e);
/* Run b, found at cs:rip (NULL: a fault is recorded), and blocks linked to it. */
void interp_step(struct engine_cpu *e, struct iblock *b);
/* Run b and nothing after it. True if it ran to its end; else interp_abort is to follow. */
bool interp_exec_alone(struct engine_cpu *e, struct iblock *b);
void interp_abort(struct engine_cpu *e);
/* Leave in the middle of a block: `code` from cpu->exit_code; rip at the instruction. */
void interp_leave_insn(struct engine_cpu *e, uint32_t code, uint64_t next_rip);
/* Bring the retired-instruction count up to date. */
void interp_account(struct x86_cpu *cpu);
uint64_t interp_wrap(const struct x86_cpu *cpu, uint64_t rip);

#endif
