/*
 * The blocks that one CPU's engine has made from guest code, and what keeps them true: which block
 * is for which guest-physical address and mode, which pages its bytes came from, which blocks jump
 * straight to which. What a block is beyond its head is its engine's business.
 *
 * All memory is one piece of a size that is given, tables included. Blocks lie in regions that are
 * filled one after the other; when the last is full the oldest is emptied, and only that. Blocks
 * are dropped precisely when their bytes are written. A dropped block stays readable until its
 * region is emptied. Owned and used by the CPU's thread only.
 */
#ifndef ENGINE_BLOCKS_H
#define ENGINE_BLOCKS_H

#include "isa/x86/cpu.h"
#include "mem/space.h"

struct block;
struct blocks;

enum {
	BLOCKS_REGIONS = 8,
	BLOCKS_BYTES_MIN = 128 << 10,
};

/* A direct exit: what each link of an engine begins with. */
struct block_link {
	struct block *to;		 /* NULL while not linked */
	struct block_link *next, **prev; /* in to->incoming */
};

/* Bytes of one page that a block was made from. */
struct block_bytes {
	uint64_t gpa;	 /* of the page */
	uint32_t lo, hi; /* offsets: [lo, hi) */
};

/* A block in the list of a page that holds some of its bytes. */
struct block_ref {
	struct block *block;
	struct block_ref *next, **prev;
	struct block_bytes bytes;
};

/* What each block of an engine begins with. */
struct block {
	uint64_t gpa;  /* of its first instruction */
	uint64_t gpa2; /* page of its tail, when its only instruction crosses a page; or ~0 */
	struct block *hash_next;
	x86_mode_t mode;
	uint16_t insns;
	bool dead; /* dropped */
	uint16_t link_count;
	uint16_t more_count;
	void *link; /* array of what begins with a struct block_link */
	struct block_link *incoming;
	struct block_ref in_page; /* that of gpa */
	struct block_ref *more;	  /* others: an array of more_count; perhaps of the same page */
};

/* The k-th page that b has bytes of; k <= more_count. */
static inline struct block_ref *block_page(const struct block *b, unsigned k)
{
	return k ? &b->more[k - 1] : (struct block_ref *)&b->in_page;
}

struct blocks_owner {
	size_t link_bytes; /* of each link in block.link */
	void *opaque;
	/* A page is about to be read for the first time: writes to it must be announced from now
	 * on, so take fast write access to it away from every CPU. */
	void (*protect)(void *opaque, uint64_t gpa_page);
	/* l, of a block that lives, leads nowhere any more. NULL: nothing is to be done. */
	void (*unlinked)(void *opaque, struct block_link *l);
	/* The blocks of a region are dropped and their memory is about to be used again: forget all
	 * pointers to them. */
	void (*evicted)(void *opaque, unsigned region);
	/* b was dropped, and stays readable until its region is emptied. May be NULL. */
	void (*dropped)(void *opaque, struct block *b);
};

/* NULL: out of memory, or bytes is less than BLOCKS_BYTES_MIN. owner is copied. */
struct blocks *blocks_create(struct space *space, size_t bytes, const struct blocks_owner *owner);
/* Gives up the holds on pages and frees everything; nobody is told. NULL is fine. */
void blocks_destroy(struct blocks *s);

/* gpa2: page of the tail of an instruction that crosses pages, or ~0. NULL if there is none. */
struct block *blocks_find(const struct blocks *s, uint64_t gpa, uint64_t gpa2, x86_mode_t mode);

/* Hold the page of RAM or ROM at gpa: from here on writes to it are announced. To be done before
 * the bytes are read that a block is made from, and until it is added or given up; then the page
 * stays held as long as it has blocks. May empty regions. */
void blocks_hold(struct blocks *s, uint64_t gpa);
void blocks_let_go(struct blocks *s, uint64_t gpa);

/* Memory for a block and what belongs to it, in the current region, until that is emptied. Aligned
 * to 16 bytes, not cleared. NULL: full. */
void *blocks_take(struct blocks *s, size_t bytes);
/* How much blocks_take can still give. */
size_t blocks_room(const struct blocks *s);
/* Go on in the next region, which is emptied. */
void blocks_next_region(struct blocks *s);
/* The current region's number. */
unsigned blocks_region(const struct blocks *s);
/* The blocks added to a region, the newest first. */
struct block *const *blocks_of_region(const struct blocks *s, unsigned region, unsigned *count);

/* b and what it points to came from blocks_take of the current region, with a head that is filled in
 * but for the lists it is in; of references to pages that is all but the bytes. Its pages are
 * held. */
void blocks_add(struct blocks *s, struct block *b);

/* l, which is not linked, leads to `to`. */
void blocks_link(struct block_link *l, struct block *to);

/* The bytes [gpa, gpa+len) were written: drop the blocks made from them; how many. Pages without
 * blocks are released. */
unsigned blocks_drop(struct blocks *s, uint64_t gpa, size_t len);
/* Drop one block. */
void blocks_drop_one(struct blocks *s, struct block *b);

#endif
