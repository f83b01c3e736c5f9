#include "engine/translate/code.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mem/ahead.h"

enum {
	CODE_THUNK_BYTES = 16 << 10,
	CODE_HEADER_BYTES = 16, /* before each block: its record's address */
	CODE_ALIGN = 16,	/* of hot code; cold code is packed */
	CODE_AHEAD_BYTES = 256 << 10,
};

struct segment {
	uint8_t *rw, *end;
	uint8_t *fill, *cold;	     /* free is what is between */
	uint8_t *asked, *asked_cold; /* what has not been asked of space.ahead is between */
};

struct code {
	struct x86_cpu *cpu;
	const struct engine_config *cfg;
	struct code_owner owner;
	struct host_code memory;
	uint64_t settled; /* a bit for each large page */
	struct blocks *blocks;
	struct segment segment[BLOCKS_REGIONS]; /* of code, for the region of the same number */
};

static void segment_reset(struct segment *s)
{
	s->fill = s->rw;
	s->cold = s->end;
}

/* ---- as the blocks' owner */

static void protect(void *opaque, uint64_t gpa_page)
{
	struct code *c = opaque;

	c->owner.protect(c->owner.opaque, gpa_page);
}

static void unlinked(void *opaque, struct block_link *link)
{
	static const uint32_t nowhere = GEN_NO_PAGE;
	struct tlink *l = (struct tlink *)link;

	(void)opaque;
	if (l->expect)
		memcpy(l->from->rw + l->expect, &nowhere, sizeof(nowhere));
	x64_patch(l->from->rw + l->jump, l->from->rw + l->stub);
}

static void evicted(void *opaque, unsigned region)
{
	struct code *c = opaque;
	struct segment *s = &c->segment[region];

	c->cpu->counter[COUNTER_TRANSLATE_EVICTIONS]++;
	if (c->cfg->code_removed)
		c->cfg->code_removed(c->cfg->code_opaque, code_rx(c, s->rw),
				     (size_t)(s->end - s->rw));
	segment_reset(s);
	c->owner.evicted(c->owner.opaque);
}

static void dropped(void *opaque, struct block *b)
{
	struct code *c = opaque;

	c->owner.dropped(c->owner.opaque, (struct tblock *)b);
}

/* ---- life */

int code_create(struct code **out, struct x86_cpu *cpu, size_t bytes,
		const struct engine_config *cfg, const struct code_owner *owner, struct error *err)
{
	size_t code_bytes = align_down(bytes / 8 * 5, PAGE_BYTES), each;
	struct code *c = host_alloc(sizeof(*c));
	struct blocks_owner mine = {.link_bytes = sizeof(struct tlink),
				    .opaque = c,
				    .protect = protect,
				    .unlinked = unlinked,
				    .evicted = evicted,
				    .dropped = dropped};
	int r;

	if (!c)
		return error_set(err, -ENOMEM, "out of memory for the code cache");
	c->cpu = cpu;
	c->cfg = cfg;
	c->owner = *owner;
	r = host_code_map(&c->memory, code_bytes);
	c->blocks = r ? NULL : blocks_create(cpu->space, bytes - code_bytes, &mine);
	if (!c->blocks) {
		code_destroy(c);
		return error_set(err, r ? r : -ENOMEM,
				 "cannot map %zu KiB of code memory, once to write and once to run",
				 code_bytes >> 10);
	}
	each = align_down((code_bytes - CODE_THUNK_BYTES) / BLOCKS_REGIONS, 64);
	for (unsigned i = 0; i < BLOCKS_REGIONS; i++) {
		struct segment *s = &c->segment[i];
		s->rw = c->memory.rw + CODE_THUNK_BYTES + i * each;
		s->end = s->rw + each;
		s->asked = s->rw;
		s->asked_cold = s->end;
		segment_reset(s);
	}
	*out = c;
	return 0;
}

void code_destroy(struct code *c)
{
	if (!c)
		return;
	blocks_destroy(c->blocks);
	if (c->cfg->code_removed && c->memory.rw)
		c->cfg->code_removed(c->cfg->code_opaque, c->memory.rx,
				     (size_t)(c->segment[BLOCKS_REGIONS - 1].end - c->memory.rw));
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

struct tblock *code_find(const struct code *c, uint64_t gpa, uint64_t gpa2, x86_mode_t mode)
{
	return (struct tblock *)blocks_find(c->blocks, gpa, gpa2, mode);
}

struct tblock *code_of(const uint8_t *start)
{
	struct tblock *b;

	memcpy(&b, start - sizeof(b), sizeof(b));
	return b;
}

/* Blocks were added in order of address: the newest is the last, and its cold code the first. */
static struct tblock *find_in_region(const struct code *c, unsigned region, const uint8_t *rw)
{
	bool cold = rw >= c->segment[region].cold;
	unsigned count, lo = 0, hi;
	struct block *const *newest = blocks_of_region(c->blocks, region, &count);

	for (hi = count; hi - lo > 1;) {
		unsigned mid = (lo + hi) / 2;
		const struct tblock *b = (struct tblock *)newest[cold ? mid : count - 1 - mid];
		if ((cold ? b->cold : b->rw) <= rw)
			lo = mid;
		else
			hi = mid;
	}
	return (struct tblock *)newest[cold ? lo : count - 1 - lo];
}

struct tblock *code_at(const struct code *c, const uint8_t *rx)
{
	const uint8_t *rw = c->memory.rw + (rx - c->memory.rx);

	for (unsigned i = 0; i < BLOCKS_REGIONS; i++)
		if (rw >= c->segment[i].rw && rw < c->segment[i].end)
			return find_in_region(c, i, rw);
	BUG_ON(true, "code address outside the code memory");
}

/* ---- links */

void code_link(struct tlink *l, struct tblock *to)
{
	struct tblock *from = l->from;

	if (l->head.to || !l->jump)
		return;
	blocks_link(&l->head, &to->head);
	if (l->expect) {
		uint32_t page = (uint32_t)(to->head.gpa >> PAGE_BITS);
		memcpy(from->rw + l->expect, &page, sizeof(page));
	}
	x64_patch(from->rw + l->jump, to->rw);
}

/* ---- dropping */

unsigned code_drop(struct code *c, uint64_t gpa, size_t len)
{
	return blocks_drop(c->blocks, gpa, len);
}

/* ---- adding */
size_t code_bytes_max(const struct code *c)
{
	return (size_t)(c->segment[0].end - c->segment[0].rw) - CODE_HEADER_BYTES - CODE_ALIGN;
}

void code_hold(struct code *c, const struct gen_page *page, unsigned count)
{
	for (unsigned k = 0; k < count; k++)
		blocks_hold(c->blocks, page[k].gpa);
}

void code_let_go(struct code *c, const struct gen_page *page, unsigned count)
{
	for (unsigned k = 0; k < count; k++)
		blocks_let_go(c->blocks, page[k].gpa);
}

static struct segment *segment_now(struct code *c)
{
	return &c->segment[blocks_region(c->blocks)];
}

static size_t record_bytes(const struct code_made *m)
{
	return align_up(sizeof(struct tblock), 16) +
	       align_up(m->link_count * sizeof(struct tlink), 16) +
	       align_up(m->fault_count * sizeof(*m->fault), 16) +
	       align_up(m->from_count * sizeof(struct block_ref), 16);
}

static bool fits(struct code *c, const struct code_made *m)
{
	const struct segment *s = segment_now(c);

	return (size_t)(s->cold - s->fill) >= CODE_HEADER_BYTES + m->bytes + CODE_ALIGN &&
	       blocks_room(c->blocks) >= record_bytes(m);
}

/* From an offset in code as it was made. */
static uint32_t offset_of(const struct tblock *b, uint32_t made)
{
	return made < b->bytes ? made : (uint32_t)(b->cold - b->rw) + (made - b->bytes);
}

static void place_links(struct tblock *b, const struct code_made *m)
{
	for (unsigned i = 0; i < m->link_count; i++) {
		const struct gen_link *l = &m->link[i];
		*tblock_link(b, i) = (struct tlink){.from = b,
						    .jump = offset_of(b, l->jump),
						    .stub = offset_of(b, l->stub),
						    .place = offset_of(b, l->place),
						    .expect = offset_of(b, l->expect),
						    .target = l->target};
	}
}

static void place_pages(struct tblock *b, const struct code_made *m)
{
	for (unsigned k = 0; k < m->from_count; k++)
		block_page(&b->head, k)->bytes = m->from[k];
}

static void place_faults(struct tblock *b, const struct code_made *m)
{
	for (unsigned i = 0; i < m->fault_count; i++) {
		b->fault[i] = m->fault[i];
		b->fault[i].place = offset_of(b, m->fault[i].place);
	}
}

static void place_code(struct tblock *b, const struct code_made *m)
{
	const struct x64_moving moving = {.from = m->code,
					  .bytes = m->bytes,
					  .split = m->hot_bytes,
					  .to = b->rw,
					  .to2 = b->cold};

	memcpy(b->rw - sizeof(b), &b, sizeof(b)); /* see code_of */
	x64_move(&moving, m->relative, m->relative_count);
}

bool code_settling(struct code *c, struct code_settle *s)
{
	size_t at = (size_t)(segment_now(c)->fill - c->memory.rw), n = at / HOST_LARGE_PAGE;

	if (n >= 64 || (c->settled >> n & 1) || at % HOST_LARGE_PAGE < HOST_LARGE_PAGE / 4)
		return false;
	c->settled |= 1ull << n;
	*s = (struct code_settle){c->memory, n * HOST_LARGE_PAGE};
	return true;
}

/* Have what comes next ready to be written, at either end. */
static void ask_ahead(const struct code *c, struct segment *s)
{
	size_t left = (size_t)(s->asked_cold - s->asked);
	size_t bytes = left < CODE_AHEAD_BYTES ? left : CODE_AHEAD_BYTES;

	if (s->asked < s->fill + CODE_AHEAD_BYTES / 2) {
		ahead_ask(c->cpu->space->ahead, s->asked, bytes);
		s->asked += bytes;
	} else if (s->asked_cold > s->cold - CODE_AHEAD_BYTES / 2) {
		s->asked_cold -= bytes;
		ahead_ask(c->cpu->space->ahead, s->asked_cold, bytes);
	}
}

/* A block of the current segment, its code in place but for where it leads. There is room. */
static struct tblock *place(struct code *c, const struct code_made *m)
{
	struct segment *s = segment_now(c);
	struct tblock *b = blocks_take(c->blocks, sizeof(*b));
	struct tlink *links = blocks_take(c->blocks, m->link_count * sizeof(*links));
	struct gen_fault *faults = blocks_take(c->blocks, m->fault_count * sizeof(*faults));
	struct block_ref *more = blocks_take(c->blocks, (m->from_count - 1) * sizeof(*more));
	uint8_t *rw = s->fill + CODE_HEADER_BYTES;

	*b = (struct tblock){.head = {.gpa = m->gpa,
				      .gpa2 = m->gpa2,
				      .mode = m->mode,
				      .insns = m->insns,
				      .link = links,
				      .link_count = (uint16_t)m->link_count,
				      .more = more,
				      .more_count = (uint16_t)(m->from_count - 1)},
			     .loop = m->loop,
			     .rw = rw,
			     .rx = code_rx(c, rw),
			     .cold = s->cold - (m->bytes - m->hot_bytes),
			     .bytes = (uint32_t)m->hot_bytes,
			     .cold_bytes = (uint32_t)(m->bytes - m->hot_bytes),
			     .fault = faults,
			     .fault_count = m->fault_count};
	place_links(b, m);
	place_pages(b, m);
	place_faults(b, m);
	place_code(b, m);
	s->fill = rw + align_up(m->hot_bytes, CODE_ALIGN);
	s->cold = b->cold;
	ask_ahead(c, s);
	return b;
}

struct tblock *code_insert(struct code *c, const struct code_made *m)
{
	struct tblock *b;

	if (!fits(c, m)) {
		blocks_next_region(c->blocks);
		if (!fits(c, m))
			return NULL;
	}
	b = place(c, m);
	blocks_add(c->blocks, &b->head);
	return b;
}
