/*
 * RAM three times: the machine's, which the first engine writes; the shadows', which the second one
 * writes; and both as they were at the start of the slice. Which pages a slice wrote is known from
 * PAGE_DIRTY, which is cleared between slices; nothing else may clear or rely on it meanwhile.
 */
#include <errno.h>
#include <string.h>

#include "engine/lockstep/lockstep_private.h"

#define DIRTY_8_PAGES (0x0101010101010101ull * PAGE_DIRTY)

/* Calls back for every page of writable RAM that either side has written. */
typedef void (*page_fn)(struct lockstep *all, unsigned region, uint64_t at, void *arg);

/* Of 64 pages: this is looked at after every slice, for all of RAM. */
static bool any_dirty(const uint8_t *a, const uint8_t *b)
{
	uint64_t bits = 0;

	for (unsigned i = 0; i < 64; i += 8)
		bits |= load_le64(a + i) | load_le64(b + i);
	return bits & DIRTY_8_PAGES;
}

static void each_dirty(struct lockstep *all, page_fn fn, void *arg)
{
	for (unsigned r = 0; r < all->real->ram_count; r++) {
		const uint8_t *a = all->real->page_flags[r], *b = all->copy.page_flags[r];
		uint64_t pages = all->real->ram[r].len >> PAGE_BITS;

		for (uint64_t i = 0; i < pages; i += 64) {
			uint64_t n = pages - i < 64 ? pages - i : 64;

			if (n == 64 && !any_dirty(a + i, b + i))
				continue;
			for (uint64_t k = i; k < i + n; k++)
				if ((a[k] | b[k]) & PAGE_DIRTY)
					fn(all, r, k << PAGE_BITS, arg);
		}
	}
}

static void clean(struct lockstep *all, uint64_t gpa)
{
	space_page_flags_clear(all->real, gpa, PAGE_DIRTY);
	space_page_flags_clear(&all->copy, gpa, PAGE_DIRTY);
}

static void page_compare(struct lockstep *all, unsigned region, uint64_t at, void *arg)
{
	bool *equal = arg;

	if (*equal)
		*equal = memcmp(all->real->ram[region].hva + at, all->copy.ram[region].hva + at,
				PAGE_BYTES) == 0;
}

bool mirror_equal(struct lockstep *all)
{
	bool equal = true;

	each_dirty(all, page_compare, &equal);
	return equal;
}

static void page_keep(struct lockstep *all, unsigned region, uint64_t at, void *arg)
{
	memcpy(all->start[region] + at, all->real->ram[region].hva + at, PAGE_BYTES);
	clean(all, all->real->ram[region].base + at);
}

void mirror_keep(struct lockstep *all)
{
	each_dirty(all, page_keep, NULL);
}

/* Make a page of either space what it is in `from`. */
static void page_set(struct space *s, unsigned region, uint64_t at, const uint8_t *from)
{
	if (memcmp(s->ram[region].hva + at, from, PAGE_BYTES) == 0)
		return;
	memcpy(s->ram[region].hva + at, from, PAGE_BYTES);
	space_code_written(s, s->ram[region].base + at, PAGE_BYTES);
}

static void page_restore(struct lockstep *all, unsigned region, uint64_t at, void *arg)
{
	page_set(all->real, region, at, all->start[region] + at);
	page_set(&all->copy, region, at, all->start[region] + at);
	clean(all, all->real->ram[region].base + at);
}

void mirror_restore(struct lockstep *all)
{
	each_dirty(all, page_restore, NULL);
}

static void page_restore_copy(struct lockstep *all, unsigned region, uint64_t at, void *arg)
{
	page_set(&all->copy, region, at, all->start[region] + at);
}

void mirror_restore_copy(struct lockstep *all)
{
	each_dirty(all, page_restore_copy, NULL);
}

void mirror_copy_all(struct lockstep *all)
{
	for (unsigned r = 0; r < all->real->ram_count; r++) {
		const struct ram_region *ram = &all->real->ram[r];

		for (uint64_t at = 0; at < ram->len; at += PAGE_BYTES) {
			if (memcmp(all->start[r] + at, ram->hva + at, PAGE_BYTES) != 0)
				memcpy(all->start[r] + at, ram->hva + at, PAGE_BYTES);
			page_set(&all->copy, r, at, ram->hva + at);
			if ((all->real->page_flags[r][at >> PAGE_BITS] |
			     all->copy.page_flags[r][at >> PAGE_BITS]) &
			    PAGE_DIRTY)
				clean(all, ram->base + at);
		}
	}
}

void mirror_wrote(struct lockstep *all, uint64_t gpa, size_t len)
{
	int r = space_ram_index(all->real, gpa);
	uint64_t at;

	if (r < 0)
		return;
	at = gpa - all->real->ram[r].base;
	memcpy(all->start[r] + at, all->real->ram[r].hva + at, len);
	space_write(&all->copy, gpa, all->real->ram[r].hva + at, len);
}

static int map_copy(struct lockstep *all, const struct ram_region *ram, unsigned r)
{
	uint8_t *hva = host_ram_map(ram->len);
	int e;

	all->start[r] = host_ram_map(ram->len);
	if (!hva || !all->start[r]) {
		host_ram_unmap(hva, ram->len);
		return -ENOMEM;
	}
	e = space_map_ram(&all->copy, ram->base, ram->len, hva, ram->readonly);
	if (e)
		host_ram_unmap(hva, ram->len);
	return e;
}

int mirror_create(struct lockstep *all, struct space *real, struct space *real_ports)
{
	int r = 0;

	all->real = real;
	all->real_ports = real_ports;
	space_init(&all->copy, NULL, NULL, TRACE_MMIO);
	space_init(&all->copy_ports, NULL, NULL, TRACE_PIO);
	for (unsigned i = 0; r == 0 && i < real->ram_count; i++)
		r = map_copy(all, &real->ram[i], i);
	if (r)
		return r;
	real->wrote = tap_wrote;
	real->wrote_opaque = all;
	return 0;
}

void mirror_destroy(struct lockstep *all)
{
	if (!all->real)
		return;
	for (unsigned i = 0; i < all->real->ram_count; i++) {
		host_ram_unmap(all->start[i], all->real->ram[i].len);
		if (i < all->copy.ram_count)
			host_ram_unmap(all->copy.ram[i].hva, all->copy.ram[i].len);
	}
	space_destroy(&all->copy);
	space_destroy(&all->copy_ports);
	all->real->wrote = NULL;
}
