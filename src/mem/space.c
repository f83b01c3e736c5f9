/*
 * Guest-physical and port space. Which device answers where is kept as a list of ranges without
 * gaps, made anew whenever a region moves: looking up is halving, and the last hit comes first.
 * Device pieces are naturally aligned powers of two, as a bus would split them.
 *
 * Left out on purpose: changing the map under running CPUs. A device may enable, disable or move
 * its own region under the machine lock; the machine then asks the CPUs to flush their TLBs.
 */
#include "mem/space.h"

#include <errno.h>
#include <string.h>

#include "base/bits.h"
#include "host/host.h"
#include "mem/ahead.h"

static bool range_wraps(uint64_t base, uint64_t len)
{
	return len == 0 || base + (len - 1) < base;
}

/* ---- which device answers where */

static uint64_t region_last(const struct io_region *r)
{
	return r->base + (r->len - 1);
}

/* The newest enabled region at gpa, and where its range ends: at its own end, or before the next
 * region that wins over it. */
static struct io_range range_at(const struct space *s, uint64_t gpa)
{
	struct io_range range = {gpa, UINT64_MAX, 0};

	for (unsigned i = s->io_count; i-- > 0;) {
		const struct io_region *r = &s->io[i];

		if (!r->enabled)
			continue;
		if (gpa - r->base < r->len) {
			range.region = i + 1;
			if (region_last(r) < range.last)
				range.last = region_last(r);
			break;
		}
		if (r->base > gpa && r->base - 1 < range.last)
			range.last = r->base - 1;
	}
	return range;
}

static bool region_on_ram(const struct space *s, const struct io_region *r)
{
	uint64_t first = r->base & ~PAGE_OFFSET_MASK, last = region_last(r) | PAGE_OFFSET_MASK;

	for (unsigned i = 0; r->enabled && i < s->ram_count; i++)
		if (s->ram[i].base <= last && first <= s->ram[i].base + (s->ram[i].len - 1))
			return true;
	return false;
}

/* Each range begins where the one before ended; a region's begin or end makes at most one border,
 * so that there is always room. */
static void ranges_make(struct space *s)
{
	uint64_t at = 0;
	unsigned n = 0, overlays = 0;

	do {
		s->range[n] = range_at(s, at);
		at = s->range[n++].last + 1;
	} while (at);
	s->range_count = n;
	s->range_last = 0;
	for (unsigned i = 0; i < s->io_count; i++)
		overlays += region_on_ram(s, &s->io[i]);
	__atomic_store_n(&s->overlays, overlays, __ATOMIC_RELEASE);
}

static void announce(struct space *s, uint64_t gpa, size_t len)
{
	for (unsigned i = 0; i < s->listener_count; i++)
		s->listener[i].written(s->listener[i].opaque, gpa, len);
}

bool space_io_place(struct space *s, struct io_region *r, uint64_t base, bool enabled)
{
	bool on_ram = region_on_ram(s, r);
	uint64_t was = r->enabled ? r->base : base;

	enabled = enabled && !range_wraps(base, r->len);
	if (enabled == r->enabled && (base == r->base || !enabled))
		return false;
	/* Looked at without the lock by space_ram_page. */
	if (enabled)
		__atomic_store_n(&r->base, base, __ATOMIC_RELAXED);
	__atomic_store_n(&r->enabled, enabled, __ATOMIC_RELAXED);
	ranges_make(s);
	announce(s, was, r->len); /* other code may be there now */
	if (enabled && base != was)
		announce(s, base, r->len);
	return on_ram || region_on_ram(s, r);
}

void space_init(struct space *s, struct host_mutex *lock, const struct trace *trace,
		enum trace_event io_event)
{
	memset(s, 0, sizeof(*s));
	s->lock = lock;
	s->trace = trace;
	s->io_event = io_event;
	ranges_make(s);
}

/* Of the array for so much RAM. */
static size_t code_bytes(uint64_t len)
{
	return align_up((len >> PAGE_BITS) * sizeof(struct code_page), PAGE_BYTES);
}

void space_destroy(struct space *s)
{
	for (unsigned i = 0; i < s->ram_count; i++) {
		host_free(s->page_flags[i]);
		s->page_flags[i] = NULL;
		host_ram_unmap(s->code[i], code_bytes(s->ram[i].len));
		s->code[i] = NULL;
	}
	s->ram_count = 0;
	s->io_count = 0;
	s->listener_count = 0;
	ranges_make(s);
}

int space_map_ram(struct space *s, uint64_t base, uint64_t len, uint8_t *hva, bool readonly)
{
	if (!hva || ((base | len) & PAGE_OFFSET_MASK) || range_wraps(base, len))
		return -EINVAL;
	for (unsigned i = 0; i < s->ram_count; i++) {
		const struct ram_region *r = &s->ram[i];
		if (base <= r->base + (r->len - 1) && r->base <= base + (len - 1))
			return -EINVAL;
	}
	if (s->ram_count == SPACE_RAM_MAX)
		return -ENOSPC;
	uint8_t *flags = host_alloc(len >> PAGE_BITS);
	struct code_page *code = host_ram_map(code_bytes(len));
	if (!flags || !code) {
		host_free(flags);
		if (code)
			host_ram_unmap(code, code_bytes(len));
		return -ENOMEM;
	}
	s->page_flags[s->ram_count] = flags;
	s->code[s->ram_count] = code;
	s->ram[s->ram_count++] = (struct ram_region){base, len, hva, readonly};
	ranges_make(s);
	return 0;
}

int space_map_io(struct space *s, const char *name, uint64_t base, uint64_t len,
		 const struct io_ops *ops, void *opaque)
{
	unsigned max = ops ? ops->max_bytes : 0;

	if (range_wraps(base, len) || (max != 1 && max != 2 && max != 4 && max != 8))
		return -EINVAL;
	if (s->io_count == SPACE_IO_MAX)
		return -ENOSPC;
	s->io[s->io_count++] = (struct io_region){name, ops, opaque, base, len, true};
	ranges_make(s);
	return 0;
}

struct io_region *space_find_io(struct space *s, const char *name)
{
	for (unsigned i = 0; i < s->io_count; i++)
		if (strcmp(s->io[i].name, name) == 0)
			return &s->io[i];
	return NULL;
}

/* ---- RAM */

static bool page_overlaid(const struct space *s, uint64_t page)
{
	if (!__atomic_load_n(&s->overlays, __ATOMIC_ACQUIRE))
		return false;
	for (unsigned i = 0; i < s->io_count; i++) {
		const struct io_region *r = &s->io[i];
		uint64_t base = __atomic_load_n(&r->base, __ATOMIC_RELAXED);

		if (__atomic_load_n(&r->enabled, __ATOMIC_RELAXED) &&
		    base <= (page | PAGE_OFFSET_MASK) && page <= base + (r->len - 1))
			return true;
	}
	return false;
}

uint8_t *space_ram_page(const struct space *s, uint64_t gpa, bool *readonly)
{
	int i = space_ram_index(s, gpa);
	uint64_t page = gpa & ~PAGE_OFFSET_MASK;

	if (readonly)
		*readonly = false;
	if (i < 0 || page_overlaid(s, page))
		return NULL;
	if (readonly)
		*readonly = s->ram[i].readonly;
	return s->ram[i].hva + (page - s->ram[i].base);
}

bool space_ram_window(const struct space *s, uint64_t gpa, struct ram_window *w)
{
	int i = space_ram_index(s, gpa);

	if (i < 0 || s->ram[i].readonly)
		return false;
	const struct ram_region *ram = &s->ram[i];
	uint64_t first = ram->base, last = ram->base + (ram->len - 1);
	for (unsigned k = 0; k < s->io_count; k++) {
		const struct io_region *r = &s->io[k];
		uint64_t base = __atomic_load_n(&r->base, __ATOMIC_RELAXED);
		uint64_t r_first = base & ~PAGE_OFFSET_MASK;
		uint64_t r_last = (base + (r->len - 1)) | PAGE_OFFSET_MASK;
		if (!__atomic_load_n(&r->enabled, __ATOMIC_RELAXED) || r_last < first ||
		    r_first > last)
			continue;
		if (gpa >= r_first && gpa <= r_last)
			return false;
		if (r_last < gpa)
			first = r_last + 1;
		else
			last = r_first - 1;
	}
	*w = (struct ram_window){first, last - first + 1, ram->hva + (first - ram->base),
				 s->page_flags[i] + ((first - ram->base) >> PAGE_BITS)};
	return true;
}

uint8_t *space_ram_range(const struct space *s, uint64_t gpa, uint64_t len)
{
	int i = space_ram_index(s, gpa);

	if (i < 0 || s->ram[i].readonly || len > s->ram[i].len - (gpa - s->ram[i].base))
		return NULL;
	return s->ram[i].hva + (gpa - s->ram[i].base);
}

/* Aligned words are copied by one access, so that a ring index shared with a CPU never tears. */
static void copy_whole(void *to, const void *from, size_t len)
{
	uintptr_t both = (uintptr_t)to | (uintptr_t)from;

	if (len == 2 && !(both & 1))
		*(volatile uint16_t *)to = *(const volatile uint16_t *)from;
	else if (len == 4 && !(both & 3))
		*(volatile uint32_t *)to = *(const volatile uint32_t *)from;
	else if (len == 8 && !(both & 7))
		*(volatile uint64_t *)to = *(const volatile uint64_t *)from;
	else
		memcpy(to, from, len);
}

static size_t page_piece(uint64_t gpa, size_t len)
{
	size_t room = PAGE_BYTES - (gpa & PAGE_OFFSET_MASK);

	return len < room ? len : room;
}

bool space_read(struct space *s, uint64_t gpa, void *buf, size_t len)
{
	uint8_t *to = buf;

	while (len) {
		size_t n = page_piece(gpa, len);
		const uint8_t *page = space_ram_page(s, gpa, NULL);
		if (!page)
			return false;
		copy_whole(to, page + (gpa & PAGE_OFFSET_MASK), n);
		gpa += n;
		to += n;
		len -= n;
	}
	return true;
}

static void page_write(struct space *s, uint64_t gpa, uint8_t *hva, const void *from, size_t n)
{
	copy_whole(hva, from, n);
	if (!(space_page_flags(s, gpa) & PAGE_DIRTY))
		space_page_flags_set(s, gpa, PAGE_DIRTY);
	space_code_stored(s, gpa, n);
}

bool space_write(struct space *s, uint64_t gpa, const void *buf, size_t len)
{
	const uint8_t *from = buf;

	while (len) {
		bool readonly;
		size_t n = page_piece(gpa, len);
		uint8_t *page = space_ram_page(s, gpa, &readonly);
		if (!page)
			return false;
		if (!readonly) {
			page_write(s, gpa, page + (gpa & PAGE_OFFSET_MASK), from, n);
			if (s->wrote)
				s->wrote(s->wrote_opaque, gpa, n);
		}
		gpa += n;
		from += n;
		len -= n;
	}
	return true;
}

/* ---- page flags */

static uint8_t *page_flags_at(const struct space *s, uint64_t gpa)
{
	int i = space_ram_index(s, gpa);

	return i < 0 ? NULL : &s->page_flags[i][(gpa - s->ram[i].base) >> PAGE_BITS];
}

unsigned space_page_flags(const struct space *s, uint64_t gpa)
{
	uint8_t *f = page_flags_at(s, gpa);

	return f ? __atomic_load_n(f, __ATOMIC_ACQUIRE) : 0;
}

unsigned space_page_flags_set(struct space *s, uint64_t gpa, unsigned flags)
{
	uint8_t *f = page_flags_at(s, gpa);

	return f ? __atomic_fetch_or(f, (uint8_t)flags, __ATOMIC_ACQ_REL) : 0;
}

void space_page_flags_clear(struct space *s, uint64_t gpa, unsigned flags)
{
	uint8_t *f = page_flags_at(s, gpa);

	if (f)
		__atomic_fetch_and(f, (uint8_t)~flags, __ATOMIC_ACQ_REL);
}

void space_code_written(struct space *s, uint64_t gpa, size_t len)
{
	while (len) {
		size_t n = page_piece(gpa, len);
		if (space_page_flags(s, gpa) & PAGE_CODE)
			announce(s, gpa, n);
		gpa += n;
		len -= n;
	}
}

void space_ram_written(struct space *s, uint64_t gpa, uint64_t len)
{
	space_code_stored(s, gpa, len);
	while (len) {
		size_t n = page_piece(gpa, len);
		if (!(space_page_flags(s, gpa) & PAGE_DIRTY))
			space_page_flags_set(s, gpa, PAGE_DIRTY);
		if (s->wrote)
			s->wrote(s->wrote_opaque, gpa, n);
		gpa += n;
		len -= n;
	}
}

enum { AHEAD = SPACE_AHEAD_BYTES / SPACE_FILL_BYTES };

/* Pieces of SPACE_FILL_BYTES in region i. */
static int64_t fill_pieces(const struct space *s, int i)
{
	return (int64_t)(s->ram[i].len / SPACE_FILL_BYTES);
}

static uint8_t *fill_flags(const struct space *s, int i, int64_t piece)
{
	return &s->page_flags[i][piece * (SPACE_FILL_BYTES >> PAGE_BITS)];
}

static bool fill_is(const struct space *s, int i, int64_t piece, unsigned flags)
{
	return piece >= 0 && piece < fill_pieces(s, i) &&
	       (__atomic_load_n(fill_flags(s, i, piece), __ATOMIC_RELAXED) & flags);
}

/* Ask for what is before or behind `piece`, so that there always is half of AHEAD at least. */
static void fill_ahead(struct space *s, int i, int64_t piece, int step)
{
	const unsigned had = PAGE_FILLED | PAGE_AHEAD | PAGE_DIRTY;
	int64_t end = piece + step * (AHEAD + 1), k = piece + step, n = 0, low;

	if (fill_is(s, i, piece + step * AHEAD / 2, had))
		return;
	while (k != end && fill_is(s, i, k, had))
		k += step;
	low = k;
	for (; k != end && k >= 0 && k < fill_pieces(s, i) && !fill_is(s, i, k, had); k += step) {
		__atomic_fetch_or(fill_flags(s, i, k), PAGE_AHEAD, __ATOMIC_RELAXED);
		low = k < low ? k : low;
		n++;
	}
	ahead_ask(s->ahead, s->ram[i].hva + low * SPACE_FILL_BYTES, (size_t)n * SPACE_FILL_BYTES);
}

void space_ram_fill(struct space *s, uint64_t gpa)
{
	int i = space_ram_index(s, gpa);
	uint64_t at, pages;
	int64_t piece;
	uint8_t *flags;

	if (i < 0)
		return;
	at = align_down(gpa - s->ram[i].base, SPACE_FILL_BYTES);
	piece = (int64_t)(at / SPACE_FILL_BYTES);
	pages = (s->ram[i].len - at) >> PAGE_BITS;
	if (pages > SPACE_FILL_BYTES >> PAGE_BITS)
		pages = SPACE_FILL_BYTES >> PAGE_BITS;
	flags = &s->page_flags[i][at >> PAGE_BITS];
	if (__atomic_fetch_or(flags, PAGE_FILLED, __ATOMIC_ACQ_REL) & PAGE_FILLED)
		return;
	for (uint64_t k = 0; k < pages; k++)
		if (__atomic_load_n(&flags[k], __ATOMIC_RELAXED) & PAGE_DIRTY)
			return;
	if (s->ahead && fill_is(s, i, piece - 1, PAGE_FILLED))
		fill_ahead(s, i, piece, 1);
	else if (s->ahead && fill_is(s, i, piece + 1, PAGE_FILLED))
		fill_ahead(s, i, piece, -1);
	host_ram_fill(s->ram[i].hva + at, pages << PAGE_BITS);
}

int space_listen(struct space *s, void (*written)(void *, uint64_t, size_t), void *opaque)
{
	if (s->listener_count == SPACE_LISTENER_MAX)
		return -ENOSPC;
	s->listener[s->listener_count++] = (struct code_listener){written, opaque};
	return 0;
}

bool space_discard(struct space *s, uint64_t gpa, uint64_t len)
{
	uint8_t *hva = space_ram_range(s, gpa, len);

	if (!hva || (gpa | len) & PAGE_OFFSET_MASK)
		return false;
	host_ram_discard(hva, len);
	for (uint64_t at = 0; at < len; at += PAGE_BYTES)
		space_page_flags_set(s, gpa + at, PAGE_DIRTY);
	space_code_written(s, gpa, len);
	if (s->wrote)
		s->wrote(s->wrote_opaque, gpa, len);
	return true;
}

/* ---- devices */

/* The range that holds gpa. */
static const struct io_range *range_find(struct space *s, uint64_t gpa)
{
	const struct io_range *hit = &s->range[s->range_last];
	unsigned low = 0, high = s->range_count;

	if (gpa >= hit->base && gpa <= hit->last)
		return hit;
	while (high - low > 1) {
		unsigned middle = (low + high) / 2;

		if (s->range[middle].base <= gpa)
			low = middle;
		else
			high = middle;
	}
	s->range_last = low;
	return &s->range[low];
}

/* The device region that answers at gpa, or NULL. *bytes shrinks to what this owner (or hole)
 * covers, as a naturally aligned power of two. */
static const struct io_region *io_find(struct space *s, uint64_t gpa, unsigned *bytes)
{
	const struct io_range *range = range_find(s, gpa);
	const struct io_region *r = range->region ? &s->io[range->region - 1] : NULL;
	uint64_t n = *bytes, left = range->last - gpa;

	if (r && r->ops->max_bytes < n)
		n = r->ops->max_bytes;
	if (left < n)
		n = left + 1;
	while (gpa & (n - 1) || n & (n - 1))
		n = n & (n - 1) ? n & (n - 1) : n / 2;
	*bytes = (unsigned)n;
	return r;
}

/* RAM where no device answers, even in a page that a device covers in part. */
static uint8_t *ram_under(const struct space *s, uint64_t gpa, bool *readonly)
{
	int i = space_ram_index(s, gpa);

	if (i < 0)
		return NULL;
	*readonly = s->ram[i].readonly;
	return s->ram[i].hva + (gpa - s->ram[i].base);
}

static uint64_t piece_read(struct space *s, const struct io_region *r, uint64_t gpa, unsigned n)
{
	uint64_t v = ~0ull;
	bool readonly;

	if (r) {
		if (r->ops->read)
			v = r->ops->read(r->opaque, gpa - r->base, n);
		v &= bits_mask(n * 8);
		TRACE(s->trace, s->io_event, "read  %-12s %#llx/%u = %#llx", r->name,
		      (unsigned long long)gpa, n, (unsigned long long)v);
		return v;
	}
	const uint8_t *ram = ram_under(s, gpa, &readonly);
	if (ram)
		copy_whole(&v, ram, n);
	else
		TRACE(s->trace, TRACE_UNASSIGNED, "%s read  %#llx/%u", trace_name(s->io_event),
		      (unsigned long long)gpa, n);
	return v & bits_mask(n * 8);
}

static void piece_write(struct space *s, const struct io_region *r, uint64_t gpa, uint64_t v,
			unsigned n)
{
	bool readonly;

	v &= bits_mask(n * 8);
	if (r) {
		TRACE(s->trace, s->io_event, "write %-12s %#llx/%u = %#llx", r->name,
		      (unsigned long long)gpa, n, (unsigned long long)v);
		if (r->ops->write)
			r->ops->write(r->opaque, gpa - r->base, v, n);
		return;
	}
	uint8_t *ram = ram_under(s, gpa, &readonly);
	if (ram && !readonly)
		page_write(s, gpa, ram, &v, n);
	else if (!ram)
		TRACE(s->trace, TRACE_UNASSIGNED, "%s write %#llx/%u = %#llx",
		      trace_name(s->io_event), (unsigned long long)gpa, n, (unsigned long long)v);
}

uint64_t space_io_read(struct space *s, uint64_t gpa, unsigned bytes)
{
	uint64_t v = 0;

	if (s->lock)
		host_mutex_lock(s->lock);
	for (unsigned done = 0, n; done < bytes; done += n) {
		n = bytes - done;
		const struct io_region *r = io_find(s, gpa + done, &n);
		v |= piece_read(s, r, gpa + done, n) << (done * 8);
	}
	if (s->lock)
		host_mutex_unlock(s->lock);
	return v;
}

void space_io_write(struct space *s, uint64_t gpa, uint64_t value, unsigned bytes)
{
	if (s->lock)
		host_mutex_lock(s->lock);
	for (unsigned done = 0, n; done < bytes; done += n) {
		n = bytes - done;
		const struct io_region *r = io_find(s, gpa + done, &n);
		piece_write(s, r, gpa + done, value >> (done * 8), n);
	}
	if (s->lock)
		host_mutex_unlock(s->lock);
	if (s->io_written)
		s->io_written(s->io_written_opaque);
}

/* FNV-1a over 8-byte words, rotated so that high bits spread too. */
uint64_t space_hash(const struct space *s)
{
	uint64_t h = 0xcbf29ce484222325ull;

	for (unsigned i = 0; i < s->ram_count; i++) {
		const uint8_t *p = s->ram[i].hva;
		for (uint64_t k = 0; k < s->ram[i].len; k += 8) {
			h = (h ^ load_le64(p + k)) * 0x100000001b3ull;
			h = h << 29 | h >> 35;
		}
	}
	return h;
}
