#include "engine/translate/code.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	CODE_SEGMENTS = 8,
	CODE_THUNK_BYTES = 16 << 10,
	CODE_HEADER_BYTES = 16, /* before each block: its record's address */
	CODE_BUCKETS = 1 << 14,
	CODE_PAGE_BUCKETS = 1 << 12,
	CODE_MISSES_MAX = 64, /* writes to a page that miss all blocks, before it is given up */
	CODE_NO_PAGE = 0x7fffffff,
};

struct tpage {
	struct tpage *next;
	uint64_t gpa;
	struct tblock_ref *blocks;
	unsigned misses;
};

/* Code and the tables about it fill up side by side. */
struct segment {
	uint8_t *rw, *end;
	uint8_t *fill;
	uint8_t *data, *data_end;
	uint8_t *data_fill;
	struct tblock **index; /* in order of address, from data_end down */
	unsigned count;
};

struct code {
	struct space *space;
	struct x86_cpu *cpu;
	const struct engine_config *cfg;
	struct host_code memory;
	uint64_t settled; /* a bit for each large page */
	uint8_t *data;
	size_t data_bytes;
	struct segment segment[CODE_SEGMENTS];
	unsigned current;
	struct tblock *bucket[CODE_BUCKETS];
	struct tpage *page[CODE_PAGE_BUCKETS];
	struct tpage *free_page;
};

static void segment_reset(struct segment *s)
{
	s->fill = s->rw;
	s->data_fill = s->data;
	s->index = (struct tblock **)s->data_end;
	s->count = 0;
}

int code_create(struct code **out, struct space *space, size_t bytes, struct x86_cpu *cpu,
		const struct engine_config *cfg, struct error *err)
{
	size_t code_bytes = align_down(bytes / 8 * 5, PAGE_BYTES), data_bytes, each;
	struct code *c = host_alloc(sizeof(*c));
	int r;

	if (!c)
		return error_set(err, -ENOMEM, "out of memory for the code cache");
	c->space = space;
	c->cpu = cpu;
	c->cfg = cfg;
	r = host_code_map(&c->memory, code_bytes);
	data_bytes = align_down(bytes - code_bytes, PAGE_BYTES);
	c->data = r ? NULL : host_ram_map(data_bytes);
	if (!c->data) {
		code_destroy(c);
		return error_set(err, r ? r : -ENOMEM,
				 "cannot map %zu KiB of code memory, once to write and once to run",
				 code_bytes >> 10);
	}
	c->data_bytes = data_bytes;
	each = align_down((code_bytes - CODE_THUNK_BYTES) / CODE_SEGMENTS, 64);
	for (unsigned i = 0; i < CODE_SEGMENTS; i++) {
		struct segment *s = &c->segment[i];
		s->rw = c->memory.rw + CODE_THUNK_BYTES + i * each;
		s->end = s->rw + each;
		s->data = c->data + i * align_down(data_bytes / CODE_SEGMENTS, 64);
		s->data_end = s->data + align_down(data_bytes / CODE_SEGMENTS, 64);
		segment_reset(s);
	}
	*out = c;
	return 0;
}

void code_destroy(struct code *c)
{
	if (!c)
		return;
	code_drop_all(c);
	while (c->free_page) {
		struct tpage *p = c->free_page;
		c->free_page = p->next;
		host_free(p);
	}
	if (c->data)
		host_ram_unmap(c->data, c->data_bytes);
	if (c->memory.rw)
		host_code_unmap(&c->memory);
	host_free(c);
}

void code_thunk_room(struct code *c, uint8_t **at, uint8_t **end)
{
	*at = c->memory.rw;
	*end = c->memory.rw + CODE_THUNK_BYTES;
}

const uint8_t *code_rx(const struct code *c, const uint8_t *rw)
{
	return c->memory.rx + (rw - c->memory.rw);
}

/* ---- finding */
static unsigned block_bucket(uint64_t gpa, x86_mode_t mode)
{
	uint64_t h = (gpa ^ (uint64_t)mode << 32) * 0x9e3779b97f4a7c15ull;

	return (unsigned)(h >> 40 & (CODE_BUCKETS - 1));
}

struct tblock *code_find(const struct code *c, uint64_t gpa, uint64_t gpa2, x86_mode_t mode)
{
	struct tblock *b = c->bucket[block_bucket(gpa, mode)];

	while (b && (b->gpa != gpa || b->mode != mode || b->gpa2 != gpa2))
		b = b->hash_next;
	return b;
}

struct tblock *code_of(const uint8_t *start)
{
	struct tblock *b;

	memcpy(&b, start - sizeof(b), sizeof(b));
	return b;
}

struct tblock *code_at(const struct code *c, const uint8_t *rx)
{
	const uint8_t *rw = c->memory.rw + (rx - c->memory.rx);

	for (unsigned i = 0; i < CODE_SEGMENTS; i++) {
		const struct segment *s = &c->segment[i];
		unsigned lo = 0, hi = s->count;
		if (rw < s->rw || rw >= s->end)
			continue;
		/* the index grows downwards: entry n is at index[count - 1 - n] */
		while (hi - lo > 1) {
			unsigned mid = (lo + hi) / 2;
			if (s->index[s->count - 1 - mid]->rw <= rw)
				lo = mid;
			else
				hi = mid;
		}
		return s->index[s->count - 1 - lo];
	}
	BUG_ON(true, "code address outside the code memory");
}

/* ---- pages */
static struct tpage **page_place(struct code *c, uint64_t gpa)
{
	return &c->page[gpa >> PAGE_BITS & (CODE_PAGE_BUCKETS - 1)];
}

static struct tpage *page_find(struct code *c, uint64_t gpa)
{
	struct tpage *p = *page_place(c, gpa);

	gpa = align_down(gpa, PAGE_BYTES);
	while (p && p->gpa != gpa)
		p = p->next;
	return p;
}

static struct tpage *page_make(struct code *c, uint64_t gpa)
{
	struct tpage *p = page_find(c, gpa), **at = page_place(c, gpa);

	if (p)
		return p;
	p = c->free_page;
	if (p)
		c->free_page = p->next;
	else
		p = host_alloc(sizeof(*p));
	BUG_ON(!p, "no memory for a page record");
	*p = (struct tpage){.gpa = align_down(gpa, PAGE_BYTES), .next = *at};
	*at = p;
	BUG_ON(space_code_hold(c->space, gpa), "translating from a page that nobody watches");
	return p;
}

static void page_release(struct code *c, struct tpage *p)
{
	struct tpage **at = page_place(c, p->gpa);

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	space_code_release(c->space, p->gpa);
	p->next = c->free_page;
	c->free_page = p;
}

static void page_add(struct code *c, uint64_t gpa, struct tblock *b, struct tblock_ref *ref)
{
	struct tpage *p = page_make(c, gpa);

	*ref = (struct tblock_ref){.block = b, .next = p->blocks};
	p->blocks = ref;
	p->misses = 0;
}

/* ---- links */
void code_link(struct tlink *l, struct tblock *to)
{
	struct tblock *from = l->from;

	if (l->to || !l->jump)
		return;
	l->to = to;
	l->next = to->incoming;
	l->prev = &to->incoming;
	if (l->next)
		l->next->prev = &l->next;
	to->incoming = l;
	if (l->expect) {
		uint32_t page = (uint32_t)(to->gpa >> PAGE_BITS);
		memcpy(from->rw + l->expect, &page, sizeof(page));
	}
	x64_patch(from->rw + l->jump, to->rw);
}

static void link_cut(struct tlink *l)
{
	static const uint32_t nowhere = CODE_NO_PAGE;

	if (!l->to)
		return;
	*l->prev = l->next;
	if (l->next)
		l->next->prev = l->prev;
	l->to = NULL;
	if (l->from->dead)
		return;
	if (l->expect)
		memcpy(l->from->rw + l->expect, &nowhere, sizeof(nowhere));
	x64_patch(l->from->rw + l->jump, l->from->rw + l->stub);
}

/* ---- dropping */
static void block_drop(struct code *c, struct tblock *b)
{
	struct tblock **at = &c->bucket[block_bucket(b->gpa, b->mode)];

	while (*at != b)
		at = &(*at)->hash_next;
	*at = b->hash_next;
	b->dead = true;
	for (unsigned i = 0; i < b->link_count; i++)
		link_cut(&b->link[i]);
	while (b->incoming)
		link_cut(b->incoming);
}

static bool block_overlaps(const struct tblock *b, uint64_t gpa, size_t len)
{
	if (b->gpa2 != ~0ull && gpa < b->gpa2 + b->tail && gpa + len > b->gpa2)
		return true;
	return gpa < b->hi && gpa + len > b->lo;
}

static unsigned page_drop(struct code *c, struct tpage *p, uint64_t gpa, size_t len, bool all)
{
	struct tblock_ref **at = &p->blocks;
	unsigned dropped = 0;

	all |= ++p->misses > CODE_MISSES_MAX; /* data now, it seems */
	while (*at) {
		struct tblock *b = (*at)->block;
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

unsigned code_drop(struct code *c, uint64_t gpa, size_t len)
{
	unsigned dropped = 0;

	for (uint64_t at = align_down(gpa, PAGE_BYTES); at < gpa + len; at += PAGE_BYTES) {
		struct tpage *p = page_find(c, at);
		if (p)
			dropped += page_drop(c, p, gpa, len, false);
	}
	return dropped;
}

static void segment_empty(struct code *c, struct segment *s)
{
	for (unsigned i = 0; i < s->count; i++)
		if (!s->index[i]->dead)
			block_drop(c, s->index[i]);
	/* the records of dropped blocks are about to be reused: take them out of their pages */
	for (unsigned i = 0; i < s->count; i++) {
		for (unsigned k = 0; k < 2; k++) {
			uint64_t gpa = k ? s->index[i]->gpa2 : s->index[i]->gpa;
			struct tpage *p = gpa == ~0ull ? NULL : page_find(c, gpa);
			struct tblock_ref **at = p ? &p->blocks : NULL;
			while (at && *at)
				if ((*at)->block->dead)
					*at = (*at)->next;
				else
					at = &(*at)->next;
			if (p && !p->blocks)
				page_release(c, p);
		}
	}
	if (c->cfg->code_removed && s->count)
		c->cfg->code_removed(c->cfg->code_opaque, code_rx(c, s->rw),
				     (size_t)(s->end - s->rw));
	segment_reset(s);
}

void code_drop_all(struct code *c)
{
	for (unsigned i = 0; i < CODE_SEGMENTS; i++)
		segment_empty(c, &c->segment[i]);
	c->current = 0;
}

/* ---- adding */
size_t code_bytes_max(const struct code *c)
{
	return (size_t)(c->segment[0].end - c->segment[0].rw) - CODE_HEADER_BYTES;
}

static void next_segment(struct code *c)
{
	struct segment *s;

	c->current = (c->current + 1) % CODE_SEGMENTS;
	s = &c->segment[c->current];
	if (s->count) {
		c->cpu->counter[COUNTER_TRANSLATE_EVICTIONS]++;
		segment_empty(c, s);
	}
}

static size_t record_bytes(const struct code_made *m)
{
	return align_up(sizeof(struct tblock), 16) +
	       align_up(m->link_count * sizeof(struct tlink), 16) +
	       align_up(m->fault_count * sizeof(*m->fault), 16) + sizeof(struct tblock *);
}

static bool fits(const struct segment *s, const struct code_made *m)
{
	return (size_t)(s->end - s->fill) >= CODE_HEADER_BYTES + align_up(m->bytes, 16) &&
	       (size_t)((uint8_t *)s->index - s->data_fill) >= record_bytes(m);
}

static void *take(struct segment *s, size_t bytes)
{
	uint8_t *p = s->data_fill;

	s->data_fill += align_up(bytes, 16);
	return p;
}

static void place_links(struct tblock *b, const struct code_made *m)
{
	for (unsigned i = 0; i < m->link_count; i++) {
		const struct gen_link *l = &m->link[i];
		b->link[i] = (struct tlink){.from = b,
					    .jump = l->jump,
					    .stub = l->stub,
					    .place = l->place,
					    .expect = l->expect,
					    .target = l->target};
	}
}

bool code_settling(struct code *c, struct code_settle *s)
{
	size_t at = (size_t)(c->segment[c->current].fill - c->memory.rw), n = at / HOST_LARGE_PAGE;

	if (n >= 64 || (c->settled >> n & 1) || at % HOST_LARGE_PAGE < HOST_LARGE_PAGE / 4)
		return false;
	c->settled |= 1ull << n;
	*s = (struct code_settle){c->memory, n * HOST_LARGE_PAGE};
	return true;
}

/* A block of the segment, its code in place but for where it leads. */
static struct tblock *place(struct code *c, struct segment *s, const struct code_made *m)
{
	struct tblock *b = take(s, sizeof(*b));
	uint8_t *rw = s->fill + CODE_HEADER_BYTES;
	struct tlink *links = take(s, m->link_count * sizeof(*links));
	struct gen_fault *faults = take(s, m->fault_count * sizeof(*faults));

	*b = (struct tblock){.gpa = m->gpa,
			     .gpa2 = m->gpa2,
			     .lo = m->lo,
			     .hi = m->hi,
			     .tail = m->tail,
			     .mode = m->mode,
			     .insns = m->insns,
			     .loop = m->loop,
			     .rw = rw,
			     .rx = code_rx(c, rw),
			     .bytes = (uint32_t)m->bytes,
			     .link = links,
			     .link_count = m->link_count,
			     .fault = faults,
			     .fault_count = m->fault_count};
	memcpy(faults, m->fault, m->fault_count * sizeof(*faults));
	place_links(b, m);
	memcpy(rw - sizeof(b), &b, sizeof(b)); /* see code_of */
	memcpy(rw, m->code, m->bytes);
	x64_move(rw, m->code, m->outside, m->outside_count);
	*--s->index = b;
	s->count++;
	s->fill = rw + align_up(m->bytes, 16);
	return b;
}

struct tblock *code_insert(struct code *c, const struct code_made *m, bool *evicted)
{
	struct tblock *b, **at;

	*evicted = false;
	if (!fits(&c->segment[c->current], m)) {
		next_segment(c);
		*evicted = true;
		if (!fits(&c->segment[c->current], m))
			return NULL;
	}
	b = place(c, &c->segment[c->current], m);
	at = &c->bucket[block_bucket(b->gpa, b->mode)];
	b->hash_next = *at;
	*at = b;
	page_add(c, b->gpa, b, &b->in_page[0]);
	if (b->gpa2 != ~0ull)
		page_add(c, b->gpa2, b, &b->in_page[1]);
	return b;
}
