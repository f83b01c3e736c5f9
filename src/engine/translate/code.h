/*
 * The code memory of one CPU. Translated blocks are kept as all blocks are (engine/blocks.h), with
 * a segment of code to each of their regions: both fill up side by side, and are emptied together.
 * Hot code fills a segment from its start, and what goes with it cold from its end, so that much hot
 * code shares few lines and pages of the host's caches.
 * Owned and used by the CPU's thread only.
 */
#ifndef ENGINE_TRANSLATE_CODE_H
#define ENGINE_TRANSLATE_CODE_H

#include "engine/blocks.h"
#include "engine/engine.h"
#include "engine/translate/x64/gen.h"
#include "host/host.h"

struct tblock;

/* A direct exit; head.to is a tblock. jump, expect: offsets in the block's code, see struct
 * gen_link. */
struct tlink {
	struct block_link head;
	struct tblock *from;
	uint32_t jump, stub, place, expect;
	int32_t target; /* from the start of the page */
};

/* Where a block was put into the jump table: nowhere, at `jump` or its second place, at several. */
enum tblock_jumps { TBLOCK_NO_JUMP, TBLOCK_ONE_JUMP, TBLOCK_JUMPS };

/* head.link is an array of struct tlink. */
struct tblock {
	struct block head;
	bool loop;     /* rounds of one */
	uint8_t jumps; /* enum tblock_jumps */
	uint16_t jump;
	/* Its code, and further on in the segment what of it is cold. Offsets count from rw or rx. */
	uint8_t *rw, *cold;
	const uint8_t *rx;
	uint32_t bytes, cold_bytes;
	unsigned fault_count;
	struct gen_fault *fault;
};

static inline struct tlink *tblock_link(const struct tblock *b, unsigned i)
{
	return (struct tlink *)b->head.link + i;
}

/* Code that was made from a source, wherever it was made; whoever fills it in owns what it points
 * to. */
struct code_made {
	uint64_t gpa, gpa2;
	struct block_bytes from[GEN_PAGES_MAX]; /* gpa's page first */
	unsigned from_count;
	x86_mode_t mode;
	uint16_t insns;
	bool loop;
	const uint8_t *code;
	size_t bytes, hot_bytes; /* hot ones first */
	const uint32_t *relative; /* see x64_move */
	unsigned relative_count;
	const struct gen_link *link;
	unsigned link_count;
	const struct gen_fault *fault;
	unsigned fault_count;
};

struct code;

struct code_owner {
	void *opaque;
	/* See struct blocks_owner. */
	void (*protect)(void *opaque, uint64_t gpa_page);
	void (*evicted)(void *opaque);
	void (*dropped)(void *opaque, struct tblock *b);
};

/* bytes: of everything, code and tables. 0 or -errno. */
int code_create(struct code **out, struct x86_cpu *cpu, size_t bytes,
		const struct engine_config *cfg, const struct code_owner *owner, struct error *err);
void code_destroy(struct code *c); /* NULL is fine */

/* Room for code before the first block, for thunks: [*at, *end). */
void code_thunk_room(struct code *c, uint8_t **at, uint8_t **end);
const uint8_t *code_rx(const struct code *c, const uint8_t *rw);

struct tblock *code_find(const struct code *c, uint64_t gpa, uint64_t gpa2, x86_mode_t mode);
/* Before the bytes are read that a block is made from, and until it is inserted or given up: see
 * blocks_hold. */
void code_hold(struct code *c, const struct gen_page *page, unsigned count);
void code_let_go(struct code *c, const struct gen_page *page, unsigned count);
/* The most bytes that a block's code may have. */
size_t code_bytes_max(const struct code *c);
/* Keep a copy of it; its pages are held. May empty the oldest segment. NULL: there is no room for
 * it at all. */
struct tblock *code_insert(struct code *c, const struct code_made *m);
/* Is a quarter of the large page that is being filled full, for the first time? Then
 * host_code_settle is to be called with this, from any thread: it takes the host some milliseconds.
 */
struct code_settle {
	struct host_code memory;
	size_t at;
};
bool code_settling(struct code *c, struct code_settle *s);
/* The block that holds executable address rx, which is in one. */
struct tblock *code_at(const struct code *c, const uint8_t *rx);

/* The block whose code starts at this executable address. */
struct tblock *code_of(const uint8_t *start);

/* Patch the jump, if it is one that can lead to the block and is not linked. */
void code_link(struct tlink *l, struct tblock *to);
/* Drop the blocks made from bytes in the range; how many. */
unsigned code_drop(struct code *c, uint64_t gpa, size_t len);

#endif
