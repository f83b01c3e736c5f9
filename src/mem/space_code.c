/*
 * Which pages hold code that engines have cached, and where in them. Writes to such a page take the
 * slow path; those that are not near code stop there, so that code and data may share a page.
 *
 * A writer looks after its bytes are in, an engine marks before it reads: one of the two sees the
 * other. Hence the fence, and `readers` while it is not known yet which lines will be read.
 */
#include "mem/space.h"

#include "base/bits.h"

enum {
	LINE_BITS = 6,
	MISSES_MAX = 4096, /* writes beside the lines, before all blocks of the page are given up */
};

static struct code_page *page_at(const struct space *s, uint64_t gpa)
{
	int i = space_ram_index(s, gpa);

	return i < 0 ? NULL : &s->code[i][(gpa - s->ram[i].base) >> PAGE_BITS];
}

static void lock(struct space *s)
{
	while (__atomic_test_and_set(&s->code_lock, __ATOMIC_ACQUIRE))
		;
}

static void unlock(struct space *s)
{
	__atomic_clear(&s->code_lock, __ATOMIC_RELEASE);
}

bool space_code_hold(struct space *s, uint64_t gpa)
{
	struct code_page *p = page_at(s, gpa);
	bool first;

	if (!p)
		return false;
	lock(s);
	first = p->holders++ == 0;
	if (first)
		space_page_flags_set(s, gpa, PAGE_CODE);
	unlock(s);
	return first;
}

void space_code_release(struct space *s, uint64_t gpa)
{
	struct code_page *p = page_at(s, gpa);

	if (!p)
		return;
	lock(s);
	if (--p->holders == 0) {
		space_page_flags_clear(s, gpa, PAGE_CODE);
		__atomic_store_n(&p->lines, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&p->misses, 0, __ATOMIC_RELAXED);
	}
	unlock(s);
}

void space_code_read(struct space *s, uint64_t gpa, int more)
{
	struct code_page *p = page_at(s, gpa);

	if (p)
		__atomic_fetch_add(&p->readers, (uint16_t)more, __ATOMIC_SEQ_CST);
}

/* The lines of [gpa, gpa+len), which is in one page. */
static uint64_t lines_of(uint64_t gpa, size_t len)
{
	unsigned lo = (gpa & PAGE_OFFSET_MASK) >> LINE_BITS;
	unsigned hi = ((gpa & PAGE_OFFSET_MASK) + len - 1) >> LINE_BITS;

	return ~0ull << lo & ~0ull >> (63 - hi);
}

void space_code_mark(struct space *s, uint64_t gpa, size_t len)
{
	struct code_page *p = page_at(s, gpa);

	if (!p || !len)
		return;
	lock(s);
	__atomic_fetch_or(&p->lines, lines_of(gpa, len), __ATOMIC_SEQ_CST);
	unlock(s);
}

static bool is_code(const struct code_page *p, uint64_t gpa, size_t len)
{
	return __atomic_load_n(&p->readers, __ATOMIC_ACQUIRE) ||
	       (__atomic_load_n(&p->lines, __ATOMIC_ACQUIRE) & lines_of(gpa, len));
}

bool space_code_near(const struct space *s, uint64_t gpa, size_t len)
{
	return (space_page_flags(s, gpa) & PAGE_CODE) && is_code(page_at(s, gpa), gpa, len);
}

/* The bytes, in one page, are in and everybody can see them. */
static bool stored_in_page(struct space *s, uint64_t gpa, size_t len)
{
	struct code_page *p;

	if (!(space_page_flags(s, gpa) & PAGE_CODE))
		return false;
	p = page_at(s, gpa);
	if (is_code(p, gpa, len)) {
		space_code_written(s, gpa, len);
		return true;
	}
	if (__atomic_add_fetch(&p->misses, 1, __ATOMIC_RELAXED) >= MISSES_MAX) {
		__atomic_store_n(&p->misses, 0, __ATOMIC_RELAXED);
		space_code_written(s, align_down(gpa, PAGE_BYTES), PAGE_BYTES);
	}
	return false;
}

bool space_code_stored(struct space *s, uint64_t gpa, uint64_t len)
{
	bool near = false;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	while (len) {
		uint64_t room = PAGE_BYTES - (gpa & PAGE_OFFSET_MASK);
		uint64_t n = len < room ? len : room;

		near |= stored_in_page(s, gpa, n);
		gpa += n;
		len -= n;
	}
	return near;
}
