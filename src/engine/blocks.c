#include "engine/blocks.h"

#include "base/error.h"
#include "host/host.h"
#include "mem/ahead.h"

enum {
	/* bytes of blocks to one bucket or record of a table: a small block takes 300. Whatever is
	   looked up is not in the host's caches, nor are those in the same bucket. */
	BYTES_PER_BUCKET = 128,
	BYTES_PER_PAGE_BUCKET = 4096,
	BYTES_PER_PAGE_RECORD = 1024,
	READY_BYTES = 64 << 10,
	AHEAD_BYTES = 1 << 20,
	BUCKETS_AHEAD_MAX = 1 << 18,
	MISSES_MAX = 64, /* writes near code that miss all blocks, before a page is given up */
};

/* A page that is held. */
struct page {
	struct page *next; /* in its bucket, or in the free list */
	uint64_t gpa;
	struct block_ref *blocks;
	unsigned holds; /* of blocks_hold */
	unsigned misses;
};

/* Memory is taken from the start up, and the index of blocks grows from the end down. */
struct region {
	uint8_t *start, *fill, *ready; /* ready: has been asked of the host so far */
	uint8_t *asked;		       /* and of space.ahead */
	struct block **index, **end;
};

struct blocks {
	struct space *space;
	struct blocks_owner owner;
	size_t bytes; /* of all, with this struct */
	struct block **bucket;
	struct page **page_bucket;
	uint64_t bucket_mask, page_mask;
	struct page *record; /* all records of pages */
	unsigned records, records_used, pages;
	struct page *free_page;
	struct region region[BLOCKS_REGIONS];
	unsigned current;
};

static size_t power_of_two(size_t n)
{
	return (size_t)1 << (63 - __builtin_clzll(n | 1));
}

static void region_reset(struct region *r)
{
	r->fill = r->start;
	r->index = r->end;
}

struct blocks *blocks_create(struct space *space, size_t bytes, const struct blocks_owner *owner)
{
	size_t buckets = power_of_two(bytes / BYTES_PER_BUCKET), each;
	size_t page_buckets = power_of_two(bytes / BYTES_PER_PAGE_BUCKET);
	uint8_t *at = bytes < BLOCKS_BYTES_MIN ? NULL : host_ram_map(bytes), *end = at + bytes;
	struct blocks *s = (struct blocks *)at;

	if (!s)
		return NULL;
	*s = (struct blocks){.space = space,
			     .owner = *owner,
			     .bytes = bytes,
			     .bucket_mask = buckets - 1,
			     .page_mask = page_buckets - 1,
			     .records = (unsigned)(bytes / BYTES_PER_PAGE_RECORD)};
	at += align_up(sizeof(*s), 64);
	s->bucket = (struct block **)at;
	at += buckets * sizeof(s->bucket[0]);
	s->page_bucket = (struct page **)at;
	at += page_buckets * sizeof(s->page_bucket[0]);
	s->record = (struct page *)at;
	at += align_up(s->records * sizeof(s->record[0]), 64);
	each = align_down((size_t)(end - at) / BLOCKS_REGIONS, 64);
	for (unsigned i = 0; i < BLOCKS_REGIONS; i++, at += each) {
		s->region[i] = (struct region){
			.start = at, .ready = at, .asked = at, .end = (struct block **)(at + each)};
		region_reset(&s->region[i]);
	}
	if (buckets <= BUCKETS_AHEAD_MAX) /* written here and there from the start */
		ahead_ask(space->ahead, s->bucket, buckets * sizeof(s->bucket[0]));
	return s;
}

void blocks_destroy(struct blocks *s)
{
	if (!s)
		return;
	for (uint64_t i = 0; i <= s->page_mask; i++)
		for (struct page *p = s->page_bucket[i]; p; p = p->next)
			space_code_release(s->space, p->gpa);
	host_ram_unmap(s, s->bytes);
}

/* ---- finding */

static struct block **block_place(const struct blocks *s, uint64_t gpa, x86_mode_t mode)
{
	uint64_t h = (gpa ^ (uint64_t)mode << 32) * 0x9e3779b97f4a7c15ull;

	return &s->bucket[h >> 40 & s->bucket_mask];
}

struct block *blocks_find(const struct blocks *s, uint64_t gpa, uint64_t gpa2, x86_mode_t mode)
{
	struct block *b = *block_place(s, gpa, mode);

	while (b && (b->gpa != gpa || b->mode != mode || b->gpa2 != gpa2))
		b = b->hash_next;
	return b;
}

/* ---- pages */

static struct page **page_place(const struct blocks *s, uint64_t gpa)
{
	return &s->page_bucket[gpa >> PAGE_BITS & s->page_mask];
}

static struct page *page_find(const struct blocks *s, uint64_t gpa)
{
	struct page *p = *page_place(s, gpa);

	gpa = align_down(gpa, PAGE_BYTES);
	while (p && p->gpa != gpa)
		p = p->next;
	return p;
}

static void page_release(struct blocks *s, struct page *p)
{
	struct page **at = page_place(s, p->gpa);

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	space_code_release(s->space, p->gpa);
	p->next = s->free_page;
	s->free_page = p;
	s->pages--;
}

static void release_if_empty(struct blocks *s, uint64_t gpa)
{
	struct page *p = page_find(s, gpa);

	if (p && !p->blocks && !p->holds)
		page_release(s, p);
}

void blocks_hold(struct blocks *s, uint64_t gpa)
{
	struct page *p = page_find(s, gpa), **at = page_place(s, gpa);

	if (p) {
		p->holds++;
		space_code_read(s->space, gpa, 1);
		return;
	}
	for (unsigned i = 0; i < BLOCKS_REGIONS && s->pages == s->records; i++)
		blocks_next_region(s);
	BUG_ON(s->pages == s->records, "more pages are held than there are records for");
	p = s->free_page;
	if (p)
		s->free_page = p->next;
	else
		p = &s->record[s->records_used++];
	*p = (struct page){.gpa = align_down(gpa, PAGE_BYTES), .next = *at, .holds = 1};
	*at = p;
	s->pages++;
	if (space_code_hold(s->space, gpa))
		s->owner.protect(s->owner.opaque, p->gpa);
	space_code_read(s->space, gpa, 1);
}

void blocks_let_go(struct blocks *s, uint64_t gpa)
{
	space_code_read(s->space, gpa, -1);
	page_find(s, gpa)->holds--;
	release_if_empty(s, gpa);
}

static void page_add(struct blocks *s, struct block *b, struct block_ref *ref)
{
	const struct block_bytes *bytes = &ref->bytes;
	struct page *p = page_find(s, bytes->gpa);

	ref->block = b;
	ref->next = NULL;
	ref->prev = NULL;
	if (!p)
		return;
	ref->next = p->blocks;
	ref->prev = &p->blocks;
	if (ref->next)
		ref->next->prev = &ref->next;
	p->blocks = ref;
	p->misses = 0;
	space_code_mark(s->space, bytes->gpa + bytes->lo, bytes->hi - bytes->lo);
}

static void ref_remove(struct block_ref *ref)
{
	if (!ref->prev)
		return;
	*ref->prev = ref->next;
	if (ref->next)
		ref->next->prev = ref->prev;
}

/* ---- links */

void blocks_link(struct block_link *l, struct block *to)
{
	l->to = to;
	l->next = to->incoming;
	l->prev = &to->incoming;
	if (l->next)
		l->next->prev = &l->next;
	to->incoming = l;
}

static void link_cut(struct block_link *l)
{
	*l->prev = l->next;
	if (l->next)
		l->next->prev = l->prev;
	l->to = NULL;
}

/* ---- dropping */

void blocks_drop_one(struct blocks *s, struct block *b)
{
	struct block **at = block_place(s, b->gpa, b->mode);

	while (*at != b)
		at = &(*at)->hash_next;
	*at = b->hash_next;
	b->dead = true;
	for (unsigned k = 0; k <= b->more_count; k++)
		ref_remove(block_page(b, k));
	for (unsigned i = 0; i < b->link_count; i++) {
		struct block_link *l =
			(struct block_link *)((uint8_t *)b->link + i * s->owner.link_bytes);
		if (l->to)
			link_cut(l);
	}
	while (b->incoming) {
		struct block_link *l = b->incoming;
		link_cut(l);
		if (s->owner.unlinked)
			s->owner.unlinked(s->owner.opaque, l);
	}
	if (s->owner.dropped)
		s->owner.dropped(s->owner.opaque, b);
}

static bool overlaps(const struct block_bytes *b, uint64_t gpa, size_t len)
{
	return gpa < b->gpa + b->hi && gpa + len > b->gpa + b->lo;
}

/* Pages that b, which was dropped, had bytes of. */
static void pages_release(struct blocks *s, const struct block *b)
{
	for (unsigned k = 0; k <= b->more_count; k++)
		release_if_empty(s, block_page(b, k)->bytes.gpa);
}

static unsigned page_drop(struct blocks *s, struct page *p, uint64_t gpa, size_t len)
{
	bool all = ++p->misses > MISSES_MAX; /* data now, it seems */
	uint64_t at = p->gpa;
	unsigned dropped = 0;

	p->holds++;
	for (struct block_ref *r = p->blocks, *next; r; r = next) {
		struct block *b = r->block;

		next = r->next;
		if (!all && !overlaps(&r->bytes, gpa, len))
			continue;
		while (next && next->block == b)
			next = next->next;
		blocks_drop_one(s, b);
		pages_release(s, b);
		dropped++;
	}
	p->holds--;
	release_if_empty(s, at);
	return dropped;
}

unsigned blocks_drop(struct blocks *s, uint64_t gpa, size_t len)
{
	unsigned dropped = 0;

	if (len >> PAGE_BITS > s->page_mask) {
		for (unsigned i = 0; i < s->records_used; i++) {
			struct page *p = &s->record[i];
			if (p->gpa < gpa + len && p->gpa + PAGE_BYTES > gpa &&
			    page_find(s, p->gpa) == p)
				dropped += page_drop(s, p, gpa, len);
		}
		return dropped;
	}
	for (uint64_t at = align_down(gpa, PAGE_BYTES); at < gpa + len; at += PAGE_BYTES) {
		struct page *p = page_find(s, at);
		if (p)
			dropped += page_drop(s, p, gpa, len);
	}
	return dropped;
}

/* ---- regions */

static void region_empty(struct blocks *s, unsigned n)
{
	struct region *r = &s->region[n];

	for (struct block **b = r->index; b < r->end; b++) {
		if ((*b)->dead)
			continue;
		blocks_drop_one(s, *b);
		pages_release(s, *b);
	}
	if (r->index != r->end)
		s->owner.evicted(s->owner.opaque, n);
	region_reset(r);
}

void blocks_next_region(struct blocks *s)
{
	s->current = (s->current + 1) % BLOCKS_REGIONS;
	region_empty(s, s->current);
}

unsigned blocks_region(const struct blocks *s)
{
	return s->current;
}

struct block *const *blocks_of_region(const struct blocks *s, unsigned region, unsigned *count)
{
	const struct region *r = &s->region[region];

	*count = (unsigned)(r->end - r->index);
	return r->index;
}

size_t blocks_room(const struct blocks *s)
{
	const struct region *r = &s->region[s->current];
	size_t room = (size_t)((uint8_t *)r->index - r->fill);

	return room < sizeof(r->index[0]) ? 0 : align_down(room - sizeof(r->index[0]), 16);
}

/* ---- adding */
static void ask_ahead(struct blocks *s, struct region *r)
{
	uint8_t *from = r->asked > r->ready ? r->asked : r->ready;
	size_t left = (size_t)((uint8_t *)r->end - from);
	size_t bytes = left < AHEAD_BYTES ? left : AHEAD_BYTES;

	r->asked = from + bytes;
	ahead_ask(s->space->ahead, from, bytes);
}

/* Memory is asked of the host in larger pieces than it gives it by itself. */
static void region_ready(struct blocks *s, struct region *r)
{
	size_t left = (size_t)((uint8_t *)r->end - r->ready);
	size_t bytes = left < READY_BYTES ? left : READY_BYTES;

	host_ram_fill(r->ready, bytes);
	r->ready += bytes;
	if (r->asked < r->ready + AHEAD_BYTES / 2)
		ask_ahead(s, r);
}

void *blocks_take(struct blocks *s, size_t bytes)
{
	struct region *r = &s->region[s->current];
	uint8_t *p = r->fill;

	bytes = align_up(bytes, 16);
	if (bytes > blocks_room(s))
		return NULL;
	r->fill += bytes;
	while (r->fill > r->ready)
		region_ready(s, r);
	return p;
}

void blocks_add(struct blocks *s, struct block *b)
{
	struct region *r = &s->region[s->current];
	struct block **at = block_place(s, b->gpa, b->mode);

	for (unsigned k = 0; k <= b->more_count; k++)
		page_add(s, b, block_page(b, k));
	b->hash_next = *at;
	*at = b;
	*--r->index = b;
}
