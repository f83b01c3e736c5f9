/*
 * The code memory of one CPU: translated blocks by guest-physical address and mode, in segments
 * that are filled one after the other; when all are full the oldest is emptied. Blocks are dropped
 * precisely when their bytes are written. Owned and used by the CPU's thread only.
 */
#ifndef ENGINE_TRANSLATE_CODE_H
#define ENGINE_TRANSLATE_CODE_H

#include "engine/engine.h"
#include "engine/translate/x64/gen.h"
#include "host/host.h"
#include "mem/space.h"

struct tblock;

/* A direct exit. jump, expect: offsets in the block's code, see struct gen_link. */
struct tlink {
	struct tblock *from, *to;   /* to: NULL while not linked */
	struct tlink *next, **prev; /* in to->incoming */
	uint32_t jump, stub, place, expect;
	int32_t target; /* from the start of the page */
};

struct tblock_ref {
	struct tblock *block;
	struct tblock_ref *next;
};

struct tblock {
	uint64_t gpa, gpa2; /* first byte; page of the tail or ~0 */
	uint64_t lo, hi;    /* gpa range of the code it was made from, in its first page */
	uint32_t tail;	    /* bytes in the second page */
	x86_mode_t mode;
	uint16_t insns;
	bool loop; /* rounds of one */
	bool dead;
	uint8_t *rw;
	const uint8_t *rx;
	uint32_t bytes;
	struct tblock *hash_next;
	struct tblock_ref in_page[2];
	struct tlink *link, *incoming;
	unsigned link_count;
	struct gen_fault *fault;
	unsigned fault_count;
};

/* Code that was made from a source, wherever it was made; whoever fills it in owns what it points
 * to. */
struct code_made {
	uint64_t gpa, gpa2, lo, hi; /* as in struct tblock */
	uint32_t tail;
	x86_mode_t mode;
	uint16_t insns;
	bool loop;
	const uint8_t *code;
	size_t bytes;
	const uint32_t *outside; /* displacements that lead out of it, see x64_move */
	unsigned outside_count;
	const struct gen_link *link;
	unsigned link_count;
	const struct gen_fault *fault;
	unsigned fault_count;
};

struct code;

/* bytes: of everything, code and tables. 0 or -errno. */
int code_create(struct code **out, struct space *space, size_t bytes, struct x86_cpu *cpu,
		const struct engine_config *cfg, struct error *err);
void code_destroy(struct code *c); /* NULL is fine */

/* Room for code before the first block, for thunks: [*at, *end). */
void code_thunk_room(struct code *c, uint8_t **at, uint8_t **end);
const uint8_t *code_rx(const struct code *c, const uint8_t *rw);

struct tblock *code_find(const struct code *c, uint64_t gpa, uint64_t gpa2, x86_mode_t mode);
/* The most bytes that a block's code may have. */
size_t code_bytes_max(const struct code *c);
/* Keep a copy of it; the pages it was made from are watched already. May empty the oldest segment
 * (*evicted: jump tables are stale). NULL: there is no room for it at all. */
struct tblock *code_insert(struct code *c, const struct code_made *m, bool *evicted);
/* Is a quarter of the large page that is being filled full, for the first time? Then host_code_settle is
 * to be called with this, from any thread: it takes the host some milliseconds. */
struct code_settle {
	struct host_code memory;
	size_t at;
};
bool code_settling(struct code *c, struct code_settle *s);
/* The block that holds executable address rx, which is in one. */
struct tblock *code_at(const struct code *c, const uint8_t *rx);

/* The block whose code starts at this executable address. */
struct tblock *code_of(const uint8_t *start);

void code_link(struct tlink *l, struct tblock *to);
/* Drop the blocks made from bytes in the range; how many. */
unsigned code_drop(struct code *c, uint64_t gpa, size_t len);
void code_drop_all(struct code *c);

#endif
