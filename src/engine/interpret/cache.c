#include "engine/interpret/cache.h"

#include <errno.h>
#include <string.h>

enum {
	CACHE_BUCKETS = 1 << 15,
	CACHE_PAGE_BUCKETS = 1 << 12,
	CACHE_CHUNK_BYTES = 1 << 20,
	CACHE_MISSES_MAX = 16, /* writes to a page that miss all blocks, before it is given up */
};

struct code_page {
	struct code_page *next; /* in its bucket, or in the free list */
	uint64_t gpa;
	struct iblock_ref *blocks;
	unsigned misses;
};

struct cache {
	struct space *space;
	uint32_t heat; /* of new blocks */
	uint8_t **chunk;
	unsigned chunk_count, chunk_used;
	size_t fill; /* in the last used chunk */
	struct iblock *bucket[CACHE_BUCKETS];
	struct code_page *page[CACHE_PAGE_BUCKETS];
	struct code_page *free_page;
};

struct cache *cache_create(struct space *space, size_t limit_bytes, uint32_t heat)
{
	struct cache *c = host_alloc(sizeof(*c));

	if (!c)
		return NULL;
	c->space = space;
	c->heat = heat;
	c->chunk_count = (unsigned)(limit_bytes / CACHE_CHUNK_BYTES);
	c->chunk = host_alloc(c->chunk_count * sizeof(c->chunk[0]));
	if (!c->chunk) {
		host_free(c);
		return NULL;
	}
	return c;
}

void cache_destroy(struct cache *c)
{
	if (!c)
		return;
	cache_flush(c);
	for (unsigned i = 0; i < c->chunk_count; i++)
		host_free(c->chunk[i]);
	while (c->free_page) {
		struct code_page *p = c->free_page;
		c->free_page = p->next;
		host_free(p);
	}
	host_free(c->chunk);
	host_free(c);
}

static void *take(struct cache *c, size_t bytes)
{
	uint8_t *p;

	bytes = align_up(bytes, 16);
	if (!c->chunk_used || c->fill + bytes > CACHE_CHUNK_BYTES) {
		if (bytes > CACHE_CHUNK_BYTES || c->chunk_used == c->chunk_count)
			return NULL;
		if (!c->chunk[c->chunk_used])
			c->chunk[c->chunk_used] = host_alloc(CACHE_CHUNK_BYTES);
		if (!c->chunk[c->chunk_used])
			return NULL;
		c->chunk_used++;
		c->fill = 0;
	}
	p = c->chunk[c->chunk_used - 1] + c->fill;
	c->fill += bytes;
	return p;
}

static unsigned block_bucket(uint64_t gpa, x86_mode_t mode)
{
	uint64_t h = (gpa ^ (uint64_t)mode << 32) * 0x9e3779b97f4a7c15ull;

	return (unsigned)(h >> 40 & (CACHE_BUCKETS - 1));
}

static unsigned page_bucket(uint64_t gpa)
{
	return (unsigned)(gpa >> PAGE_BITS & (CACHE_PAGE_BUCKETS - 1));
}

static struct code_page *page_find(const struct cache *c, uint64_t gpa)
{
	struct code_page *p = c->page[page_bucket(gpa)];

	gpa = align_down(gpa, PAGE_BYTES);
	while (p && p->gpa != gpa)
		p = p->next;
	return p;
}

bool cache_holds_page(const struct cache *c, uint64_t gpa)
{
	return page_find(c, gpa);
}

int cache_hold_page(struct cache *c, uint64_t gpa, bool *fresh)
{
	struct code_page *p = c->free_page, **at = &c->page[page_bucket(gpa)];

	if (p)
		c->free_page = p->next;
	else
		p = host_alloc(sizeof(*p));
	if (!p)
		return -ENOMEM;
	*p = (struct code_page){.gpa = align_down(gpa, PAGE_BYTES), .next = *at};
	*at = p;
	*fresh = space_code_hold(c->space, gpa);
	return 0;
}

static void page_release(struct cache *c, struct code_page *p)
{
	struct code_page **at = &c->page[page_bucket(p->gpa)];

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	space_code_release(c->space, p->gpa);
	p->next = c->free_page;
	c->free_page = p;
}

struct iblock *cache_find(struct cache *c, uint64_t gpa, uint64_t gpa2, x86_mode_t mode)
{
	struct iblock *b = c->bucket[block_bucket(gpa, mode)];

	while (b && (b->gpa != gpa || b->mode != mode || b->gpa2 != gpa2))
		b = b->hash_next;
	return b;
}

/* Turn indices into pointers, and record which operation belongs to which instruction. */
static void place_ops(const struct lowered *low, struct iop *ops, struct icall *calls,
		      struct ilink *links)
{
	memcpy(ops, low->op, low->op_count * sizeof(ops[0]));
	memcpy(calls, low->call, low->call_count * sizeof(calls[0]));
	for (unsigned i = 0; i < low->op_count; i++) {
		if (low->op_pointer[i] == LOWERED_CALL)
			ops[i].imm = (int32_t)((uint8_t *)&calls[ops[i].imm] - (uint8_t *)&ops[i]);
		else if (low->op_pointer[i] == LOWERED_LINK)
			ops[i].d = (uint16_t)(((uint8_t *)&links[ops[i].d] - (uint8_t *)&ops[i]) /
					      sizeof(uint64_t));
	}
	for (unsigned i = 0; i < low->link_count; i++)
		links[i] = (struct ilink){.delta = low->link_delta[i],
					  .unretired = low->guest_count - low->link_guests[i]};
}

static void page_add(struct cache *c, uint64_t gpa, struct iblock *b, struct iblock_ref *ref)
{
	struct code_page *p = page_find(c, gpa);

	if (!p)
		return; /* code in a device region or ROM: nobody can write it */
	*ref = (struct iblock_ref){.block = b, .next = p->blocks};
	p->blocks = ref;
	p->misses = 0;
}

struct iblock *cache_insert(struct cache *c, const struct lowered *low, uint64_t gpa, uint64_t gpa2,
			    x86_mode_t mode, uint32_t bytes)
{
	size_t ops = low->op_count * sizeof(struct iop);
	size_t calls = low->call_count * sizeof(struct icall);
	size_t links = low->link_count * sizeof(struct ilink);
	size_t offsets = low->guest_count * sizeof(int16_t);
	uint8_t *m = take(c, sizeof(struct iblock) + ops + calls + links + offsets +
				     low->guest_count + low->op_count);
	struct iblock *b = (struct iblock *)m, **at = &c->bucket[block_bucket(gpa, mode)];

	if (!m)
		return NULL;
	m += sizeof(*b);
	*b = (struct iblock){.ops = (struct iop *)m,
			     .gpa = gpa,
			     .gpa2 = gpa2,
			     .mode = mode,
			     .bytes = bytes,
			     .insns = (uint16_t)low->guest_count,
			     .op_count = (uint16_t)low->op_count,
			     .link = (struct ilink *)(m + ops + calls),
			     .link_count = low->link_count,
			     .heat = c->heat,
			     .hash_next = *at};
	place_ops(low, (struct iop *)m, (struct icall *)(m + ops), b->link);
	m += ops + calls + links;
	b->guest_offset = memcpy(m, low->guest_offset, offsets);
	b->guest_len = memcpy(m + offsets, low->guest_len, low->guest_count);
	b->op_guest = memcpy(m + offsets + low->guest_count, low->op_guest, low->op_count);
	*at = b;
	page_add(c, gpa, b, &b->in_page[0]);
	if (gpa2 != ~0ull)
		page_add(c, gpa2, b, &b->in_page[1]);
	return b;
}

void cache_link(struct ilink *from, struct iblock *to)
{
	if (from->target)
		return;
	from->target = to;
	from->next = to->incoming;
	from->prev = &to->incoming;
	if (from->next)
		from->next->prev = &from->next;
	to->incoming = from;
}

static void link_cut(struct ilink *l)
{
	if (!l->target)
		return;
	*l->prev = l->next;
	if (l->next)
		l->next->prev = l->prev;
	l->target = NULL;
}

static void block_drop(struct cache *c, struct iblock *b)
{
	struct iblock **at = &c->bucket[block_bucket(b->gpa, b->mode)];

	while (*at != b)
		at = &(*at)->hash_next;
	*at = b->hash_next;
	for (unsigned i = 0; i < b->link_count; i++)
		link_cut(&b->link[i]);
	while (b->incoming)
		link_cut(b->incoming);
	b->dead = true;
}

static bool block_overlaps(const struct iblock *b, uint64_t gpa, size_t len)
{
	uint64_t first = b->bytes; /* bytes in the block's first page */

	if (b->gpa2 != ~0ull) {
		first = PAGE_BYTES - (b->gpa & PAGE_OFFSET_MASK);
		if (gpa < b->gpa2 + (b->bytes - first) && gpa + len > b->gpa2)
			return true;
	}
	return gpa < b->gpa + first && gpa + len > b->gpa;
}

static unsigned page_drop(struct cache *c, struct code_page *p, uint64_t gpa, size_t len)
{
	struct iblock_ref **at = &p->blocks;
	unsigned dropped = 0;
	bool all = ++p->misses > CACHE_MISSES_MAX; /* data now, it seems */

	while (*at) {
		struct iblock *b = (*at)->block;
		if (!b->dead && (all || block_overlaps(b, gpa, len))) {
			block_drop(c, b);
			dropped++;
		}
		if (b->dead)
			*at = (*at)->next;
		else
			at = &(*at)->next;
	}
	if (!p->blocks)
		page_release(c, p);
	return dropped;
}

unsigned cache_drop(struct cache *c, uint64_t gpa, size_t len)
{
	unsigned dropped = 0;

	for (uint64_t at = align_down(gpa, PAGE_BYTES); at < gpa + len; at += PAGE_BYTES) {
		struct code_page *p = page_find(c, at);
		if (p)
			dropped += page_drop(c, p, gpa, len);
	}
	return dropped;
}

void cache_flush(struct cache *c)
{
	for (unsigned i = 0; i < CACHE_PAGE_BUCKETS; i++)
		while (c->page[i])
			page_release(c, c->page[i]);
	memset(c->bucket, 0, sizeof(c->bucket));
	c->chunk_used = 0;
	c->fill = 0;
}
