/*
 * The interpreter's block cache, one per CPU: blocks by guest-physical address and mode, dropped
 * precisely when their bytes are written, all at once when the cache is full.
 */
#ifndef ENGINE_INTERPRET_CACHE_H
#define ENGINE_INTERPRET_CACHE_H

#include "engine/interpret/lower.h"
#include "host/host.h"

struct cache;

/* heat: how often a block is entered until it is hot. */
struct cache *cache_create(struct space *space, size_t limit_bytes, uint32_t heat);
/* Gives up the cache's hold on code pages and frees it. NULL is fine. */
void cache_destroy(struct cache *c);

/* gpa2: page of the tail of an instruction that crosses pages, or ~0. NULL if there is none. */
struct iblock *cache_find(struct cache *c, uint64_t gpa, uint64_t gpa2, x86_mode_t mode);

/* Copy a lowered block in. NULL when the cache is full: flush and try again. The pages must be
 * marked as code before their bytes are read for lifting (cache_hold_page). */
struct iblock *cache_insert(struct cache *c, const struct lowered *low, uint64_t gpa, uint64_t gpa2,
			    x86_mode_t mode, uint32_t bytes);

/* True if the cache already holds blocks of the page, so that writes to it are announced. */
bool cache_holds_page(const struct cache *c, uint64_t gpa);
/* Take a hold on the page. 0, or -ENOMEM; *fresh: no engine held it before, so every CPU's fast
 * write access to it must be taken away before its bytes are read. */
int cache_hold_page(struct cache *c, uint64_t gpa, bool *fresh);

void cache_link(struct ilink *from, struct iblock *to);

/* Drop all blocks whose bytes overlap [gpa, gpa+len); returns how many. Pages without blocks are
 * released. */
unsigned cache_drop(struct cache *c, uint64_t gpa, size_t len);
/* Drop everything and reuse the memory; nothing of the cache may be running. */
void cache_flush(struct cache *c);

#endif
