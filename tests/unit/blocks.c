/* What keeps an engine's blocks true: finding, links, pages that are written, regions that are
 * emptied, and all of it against a plain list under random use. */
#include "test.h"

#include <stdlib.h>

#include "engine/blocks.h"
#include "host/host.h"

enum { PAGES = 256, BYTES = BLOCKS_BYTES_MIN };

struct link {
	struct block_link head;
	unsigned from;
};

/* Every block ever made is in the list; a shadow of what must be true of it. */
enum { MADE_MAX = 4000 };
struct model {
	struct block *b;
	uint64_t gpa, gpa2;
	unsigned bytes, tail, region;
	bool dead;
};

struct rig {
	struct space space;
	uint8_t *ram;
	struct blocks *blocks;
	unsigned protects, unlinks, evictions, drops;
	uint64_t protected;
	struct block_link *unlinked;
	unsigned evicted;
	struct model *model;
	unsigned models;
};

static void protect(void *opaque, uint64_t gpa_page)
{
	struct rig *r = opaque;

	r->protects++;
	r->protected = gpa_page;
	assert_true(space_page_flags(&r->space, gpa_page) & PAGE_CODE);
}

static void unlinked(void *opaque, struct block_link *l)
{
	struct rig *r = opaque;

	r->unlinks++;
	r->unlinked = l;
}

static void evicted(void *opaque, unsigned region)
{
	struct rig *r = opaque;

	r->evictions++;
	r->evicted = region;
	for (unsigned i = 0; i < r->models; i++)
		r->model[i].dead |= r->model[i].region == region;
}

static void dropped(void *opaque, struct block *b)
{
	struct rig *r = opaque;

	assert_true(b->dead);
	r->drops++;
}

static int setup(void **state)
{
	struct rig *r = host_alloc(sizeof(*r));
	struct blocks_owner owner = {sizeof(struct link), r, protect, unlinked, evicted, dropped};

	r->ram = host_ram_map(PAGES * PAGE_BYTES);
	space_init(&r->space, NULL, NULL, TRACE_MMIO);
	space_map_ram(&r->space, 0, PAGES * PAGE_BYTES, r->ram, false);
	assert_null(blocks_create(&r->space, BYTES - 1, &owner));
	r->blocks = blocks_create(&r->space, BYTES, &owner);
	assert_non_null(r->blocks);
	*state = r;
	return 0;
}

static bool is_code(const struct rig *r, uint64_t gpa)
{
	return space_page_flags(&r->space, gpa) & PAGE_CODE;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	blocks_destroy(r->blocks);
	for (uint64_t page = 0; page < PAGES; page++)
		assert_false(is_code(r, page << PAGE_BITS));
	space_destroy(&r->space);
	host_ram_unmap(r->ram, PAGES * PAGE_BYTES);
	host_free(r);
	return 0;
}

/* A block of `bytes` from gpa on, of which `tail` are in gpa2; NULL: full. */
static struct block *try_block(struct rig *r, uint64_t gpa, unsigned bytes, uint64_t gpa2,
			       unsigned tail, unsigned links)
{
	struct block *b, *added = NULL;
	struct block_ref *more;
	struct link *l;
	uint32_t lo = gpa & PAGE_OFFSET_MASK;

	blocks_hold(r->blocks, gpa);
	if (gpa2 != ~0ull)
		blocks_hold(r->blocks, gpa2);
	b = blocks_take(r->blocks, sizeof(*b));
	l = blocks_take(r->blocks, links * sizeof(*l));
	more = blocks_take(r->blocks, sizeof(*more));
	if (b && l && more) {
		memset(l, 0, links * sizeof(*l));
		*b = (struct block){.gpa = gpa,
				    .gpa2 = gpa2,
				    .mode = 7,
				    .more = more,
				    .more_count = gpa2 != ~0ull,
				    .link = l,
				    .link_count = (uint16_t)links};
		b->in_page.bytes = (struct block_bytes){align_down(gpa, PAGE_BYTES), lo, lo + bytes};
		more->bytes = (struct block_bytes){gpa2, 0, tail};
		blocks_add(r->blocks, b);
		added = b;
	}
	blocks_let_go(r->blocks, gpa);
	if (gpa2 != ~0ull)
		blocks_let_go(r->blocks, gpa2);
	return added;
}

static struct block *block(struct rig *r, uint64_t gpa, unsigned bytes)
{
	struct block *b = try_block(r, gpa, bytes, ~0ull, 0, 2);

	if (!b) {
		blocks_next_region(r->blocks);
		b = try_block(r, gpa, bytes, ~0ull, 0, 2);
	}
	assert_non_null(b);
	return b;
}

static struct block_link *link_of(const struct block *b, unsigned i)
{
	return &((struct link *)b->link)[i].head;
}

static struct block *find(const struct rig *r, uint64_t gpa)
{
	return blocks_find(r->blocks, gpa, ~0ull, 7);
}

static void found_by_address_and_mode(void **state)
{
	struct rig *r = *state;
	struct block *a = block(r, 0x1010, 16), *c = block(r, 0x1020, 16);
	struct block *d = try_block(r, 0x1ff8, 8, 0x3000, 4, 0);

	assert_ptr_equal(find(r, 0x1010), a);
	assert_ptr_equal(find(r, 0x1020), c);
	assert_null(find(r, 0x1011));
	assert_null(blocks_find(r->blocks, 0x1010, ~0ull, 8));
	assert_null(find(r, 0x1ff8));
	assert_null(blocks_find(r->blocks, 0x1ff8, 0x4000, 7));
	assert_ptr_equal(blocks_find(r->blocks, 0x1ff8, 0x3000, 7), d);
	assert_int_equal(r->protects, 2);
	assert_int_equal(r->protected, 0x3000);
}

static void held_until_let_go(void **state)
{
	struct rig *r = *state;

	blocks_hold(r->blocks, 0x1234);
	assert_true(is_code(r, 0x1000));
	blocks_hold(r->blocks, 0x1000);
	blocks_let_go(r->blocks, 0x1fff);
	assert_int_equal(blocks_drop(r->blocks, 0x1000, PAGE_BYTES), 0);
	assert_true(is_code(r, 0x1000));
	blocks_let_go(r->blocks, 0x1000);
	assert_false(is_code(r, 0x1000));
	assert_int_equal(r->protects, 1);
}

static void written_bytes_drop_what_they_hit(void **state)
{
	struct rig *r = *state;
	struct block *a = block(r, 0x1010, 16), *c = block(r, 0x1020, 16), *d = block(r, 0x1018, 8);

	assert_int_equal(blocks_drop(r->blocks, 0x1000, 16), 0);
	assert_int_equal(blocks_drop(r->blocks, 0x1030, 16), 0);
	assert_int_equal(blocks_drop(r->blocks, 0x101f, 1), 2);
	assert_true(a->dead && d->dead && !c->dead);
	assert_int_equal(r->drops, 2);
	assert_null(find(r, 0x1010));
	assert_true(is_code(r, 0x1000));
	assert_int_equal(blocks_drop(r->blocks, 0xfff, 0x22), 1);
	assert_false(is_code(r, 0x1000));
	assert_int_equal(blocks_drop(r->blocks, 0, PAGES * PAGE_BYTES), 0);
}

static void crossing_blocks_are_in_both_pages(void **state)
{
	struct rig *r = *state;

	for (unsigned second = 0; second < 2; second++) {
		try_block(r, 0x1ff8, 8, 0x3000, 4, 0);
		assert_int_equal(blocks_drop(r->blocks, 0x3004, 4), 0);
		assert_int_equal(blocks_drop(r->blocks, second ? 0x3003 : 0x1fff, 1), 1);
		assert_null(blocks_find(r->blocks, 0x1ff8, 0x3000, 7));
		assert_false(is_code(r, 0x1000) || is_code(r, 0x3000));
	}
	/* two linear pages, one physical */
	try_block(r, 0x1ff8, 8, 0x1000, 4, 0);
	block(r, 0x1002, 8);
	assert_int_equal(blocks_drop(r->blocks, 0x1000, PAGE_BYTES), 2);
	assert_false(is_code(r, 0x1000));
}

static void links_are_cut_at_either_end(void **state)
{
	struct rig *r = *state;
	struct block *a = block(r, 0x1000, 8), *c = block(r, 0x2000, 8), *d = block(r, 0x3000, 8);

	blocks_link(link_of(a, 0), c);
	blocks_link(link_of(a, 1), a);
	blocks_link(link_of(d, 0), c);
	blocks_drop(r->blocks, 0x3000, 1); /* outgoing: nobody need know */
	assert_int_equal(r->unlinks, 0);
	blocks_drop(r->blocks, 0x2000, 1);
	assert_int_equal(r->unlinks, 1);
	assert_ptr_equal(r->unlinked, link_of(a, 0));
	assert_null(link_of(a, 0)->to);
	blocks_drop(r->blocks, 0x1000, 1); /* to itself */
	assert_int_equal(r->unlinks, 1);
	assert_null(a->incoming);
}

static void the_oldest_region_is_emptied_and_no_more(void **state)
{
	struct rig *r = *state;
	struct block *first = block(r, 0x1000, 8), *b;
	unsigned start = blocks_region(r->blocks), n = 1, count, all = 0;

	while (r->evictions == 0) {
		b = try_block(r, 0x1000 + 16 * n, 8, ~0ull, 0, 2);
		if (b)
			n++;
		else
			blocks_next_region(r->blocks);
	}
	assert_int_equal(r->evicted, start);
	assert_int_equal(blocks_region(r->blocks), start);
	assert_null(find(r, first->gpa));
	for (unsigned i = 0; i < BLOCKS_REGIONS; i++) {
		struct block *const *newest = blocks_of_region(r->blocks, i, &count);
		for (unsigned k = 0; k < count; k++)
			assert_ptr_equal(find(r, newest[k]->gpa), newest[k]);
		all += count;
	}
	assert_in_range(all, n - n / BLOCKS_REGIONS - 2, n - n / BLOCKS_REGIONS + 2);
}

/* There are fewer records of pages than pages: blocks make room for others. */
static void pages_are_bounded(void **state)
{
	struct rig *r = *state;
	unsigned held = 0;

	for (uint64_t page = 0; page < PAGES; page++)
		block(r, page << PAGE_BITS, 8);
	assert_true(r->evictions > 0);
	for (uint64_t page = 0; page < PAGES; page++)
		held += is_code(r, page << PAGE_BITS);
	assert_true(held < PAGES && held > 0);
	assert_non_null(find(r, (PAGES - 1) * PAGE_BYTES));
}

static bool hit(const struct model *m, uint64_t at, uint64_t len)
{
	return (at < m->gpa + m->bytes && at + len > m->gpa) ||
	       (m->gpa2 != ~0ull && at < m->gpa2 + m->tail && at + len > m->gpa2);
}

static void check(const struct rig *r, const struct model *m, unsigned count)
{
	bool code[PAGES] = {0};

	for (unsigned i = 0; i < count; i++) {
		if (m[i].dead)
			continue;
		assert_ptr_equal(blocks_find(r->blocks, m[i].gpa, m[i].gpa2, 7), m[i].b);
		code[m[i].gpa >> PAGE_BITS] = true;
		if (m[i].gpa2 != ~0ull)
			code[m[i].gpa2 >> PAGE_BITS] = true;
		for (unsigned k = 0; k < m[i].b->link_count; k++)
			assert_true(!link_of(m[i].b, k)->to || !link_of(m[i].b, k)->to->dead);
	}
	for (uint64_t page = 0; page < PAGES; page++)
		assert_int_equal(is_code(r, page << PAGE_BITS), code[page]);
}

static struct model *some(struct model *m, unsigned count, unsigned random)
{
	return count && !m[random % count].dead ? &m[random % count] : NULL;
}

/* At a random place, perhaps across pages, unless there is one already. */
static void random_block(struct rig *r)
{
	struct model *m = &r->model[r->models];
	uint64_t gpa = (uint64_t)rand() % (PAGES * PAGE_BYTES), gpa2 = ~0ull;
	unsigned bytes = 1 + (unsigned)rand() % 64, tail = 0;
	unsigned left = (unsigned)(PAGE_BYTES - (gpa & PAGE_OFFSET_MASK));
	struct block *b;

	if (left < bytes) {
		gpa2 = (uint64_t)rand() % PAGES << PAGE_BITS;
		tail = bytes - left;
		bytes = left;
	}
	if (blocks_find(r->blocks, gpa, gpa2, 7))
		return;
	b = try_block(r, gpa, bytes, gpa2, tail, 3);
	if (b) {
		*m = (struct model){b, gpa, gpa2, bytes, tail, blocks_region(r->blocks), false};
		r->models++;
	} else {
		blocks_next_region(r->blocks);
	}
}

static void random_write(struct rig *r)
{
	uint64_t at = (uint64_t)rand() % (PAGES * PAGE_BYTES), len = 1 + (uint64_t)rand() % 32;
	unsigned expect = 0;

	for (struct model *m = r->model; m < r->model + r->models; m++) {
		if (m->dead || !hit(m, at, len))
			continue;
		m->dead = true;
		expect++;
	}
	assert_int_equal(blocks_drop(r->blocks, at, len), expect);
}

static void random_use(void **state)
{
	struct rig *r = *state;
	struct model *p, *q;

	srand(5);
	r->model = host_alloc((MADE_MAX + 1) * sizeof(*r->model));
	while (r->models < MADE_MAX) {
		random_block(r);
		p = some(r->model, r->models, (unsigned)rand());
		q = some(r->model, r->models, (unsigned)rand());
		if (p && q && !link_of(p->b, 1)->to)
			blocks_link(link_of(p->b, 1), q->b);
		if (rand() % 4 == 0)
			random_write(r);
		if (rand() % 64 == 0)
			check(r, r->model, r->models);
	}
	assert_true(r->evictions > BLOCKS_REGIONS);
	host_free(r->model);
	r->models = 0;
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(found_by_address_and_mode),
		T(held_until_let_go),
		T(written_bytes_drop_what_they_hit),
		T(crossing_blocks_are_in_both_pages),
		T(links_are_cut_at_either_end),
		T(the_oldest_region_is_emptied_and_no_more),
		T(pages_are_bounded),
		T(random_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
