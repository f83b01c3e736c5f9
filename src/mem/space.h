/*
 * Guest-physical space and port space: RAM, device regions, and which RAM pages hold code that an
 * engine has cached or have been written. Everything a guest reaches by physical address goes
 * through here, checked; a device model never sees a host pointer.
 *
 * The map is built before CPUs start; regions are never added while they run. A device may enable,
 * disable or move its own region (space_io_place) under the machine lock if the CPUs' TLBs are
 * flushed after it.
 * Device callbacks run under that lock, which the dispatch functions take.
 */
#ifndef MEM_SPACE_H
#define MEM_SPACE_H

#include <stdint.h>
#include <stddef.h>
#include <stdbool.h>

#include "base/trace.h"

struct host_mutex;

#define PAGE_BITS	 12
#define PAGE_BYTES	 (1ull << PAGE_BITS)
#define PAGE_OFFSET_MASK (PAGE_BYTES - 1)

/* What a device answers. offset is from the region's start; bytes is 1, 2, 4 or 8, and never more
 * than the region's max_bytes: the dispatcher splits wider and widens nothing. */
struct io_ops {
	uint64_t (*read)(void *opaque, uint64_t offset, unsigned bytes);
	void (*write)(void *opaque, uint64_t offset, uint64_t value, unsigned bytes);
	unsigned max_bytes; /* 1, 2, 4 or 8 */
};

struct io_region {
	const char *name;
	const struct io_ops *ops;
	void *opaque;
	uint64_t base, len;
	bool enabled; /* a disabled region is passed over (PCI BARs) */
};

/* Addresses that one region answers at, or none: where a look-up ends. */
struct io_range {
	uint64_t base, last;
	unsigned region; /* its place in space.io, plus 1; 0: nothing answers */
};

/* RAM or ROM. Pages of a ROM read as RAM and swallow writes. */
struct ram_region {
	uint64_t base, len;
	uint8_t *hva;
	bool readonly;
};

/* Per RAM page flags, changed atomically. */
enum {
	PAGE_CODE = 1,	 /* an engine holds blocks of this page: writes must be announced */
	PAGE_DIRTY = 2,	 /* written since the flag was last cleared */
	PAGE_FILLED = 4, /* first of SPACE_FILL_BYTES: space_ram_fill has been there */
	PAGE_AHEAD = 8,	 /* the same: and has asked for it before */
};
enum { SPACE_FILL_BYTES = 64 << 10, SPACE_AHEAD_BYTES = 1 << 20 };

/* Where the code is in a page. */
struct code_page {
	uint64_t lines;	  /* a bit for each 64 bytes that blocks were made from */
	uint32_t holders; /* engines that hold blocks of it; under space.code_lock */
	uint16_t readers; /* engines that are making one: any byte may be part of it */
	uint16_t misses;  /* writes beside the lines */
};

enum { SPACE_RAM_MAX = 16, SPACE_IO_MAX = 160, SPACE_LISTENER_MAX = 64 };

/* Called after bytes of a PAGE_CODE page were written, by whichever thread wrote them. */
struct code_listener {
	void (*written)(void *opaque, uint64_t gpa, size_t len);
	void *opaque;
};

struct space {
	struct ram_region ram[SPACE_RAM_MAX];
	unsigned ram_count;
	uint8_t *page_flags[SPACE_RAM_MAX];
	struct code_page *code[SPACE_RAM_MAX]; /* host memory only where there is code */
	bool code_lock;
	struct io_region io[SPACE_IO_MAX];
	unsigned io_count;
	struct io_range range[2 * SPACE_IO_MAX + 1]; /* all addresses, in order */
	unsigned range_count;
	unsigned range_last; /* found last */
	unsigned overlays;   /* enabled regions that lie on RAM; changed atomically */
	struct code_listener listener[SPACE_LISTENER_MAX];
	unsigned listener_count;
	struct ahead *ahead;	   /* for memory soon to be written; may be NULL */
	struct host_mutex *lock;   /* the machine lock; may be NULL in tests */
	const struct trace *trace; /* may be NULL */
	enum trace_event io_event; /* TRACE_MMIO or TRACE_PIO */
	/* Told after every space_write, for who keeps a copy of RAM; may be NULL. */
	void (*wrote)(void *opaque, uint64_t gpa, size_t len);
	void *wrote_opaque;
	/* Called after every space_io_write, the machine lock left: for what a device has set off
	 * that no lock may be held for. On the CPU's thread; may be NULL. */
	void (*io_written)(void *opaque);
	void *io_written_opaque;
};

/* An empty space. lock may be NULL (single-threaded tests). */
void space_init(struct space *s, struct host_mutex *lock, const struct trace *trace,
		enum trace_event io_event);
/* Frees page flags; RAM itself belongs to the caller. */
void space_destroy(struct space *s);

/* Add RAM (page-aligned, not overlapping) or a device region. Device regions win over RAM, later
 * over earlier. 0 or -errno (-EINVAL, -ENOSPC, -ENOMEM). */
int space_map_ram(struct space *s, uint64_t base, uint64_t len, uint8_t *hva, bool readonly);
int space_map_io(struct space *s, const char *name, uint64_t base, uint64_t len,
		 const struct io_ops *ops, void *opaque);
/* By name; NULL if there is none. */
struct io_region *space_find_io(struct space *s, const char *name);
/* The region answers at base from now on, or nowhere; code there is announced as written. Under the
 * machine lock, or before CPUs run. True if it lies or lay on RAM: then the CPUs' TLBs are to be flushed. */
bool space_io_place(struct space *s, struct io_region *r, uint64_t base, bool enabled);

/* The RAM or ROM region holding gpa, or -1; device regions on top are not looked at. */
static inline int space_ram_index(const struct space *s, uint64_t gpa)
{
	for (unsigned i = 0; i < s->ram_count; i++)
		if (gpa - s->ram[i].base < s->ram[i].len)
			return (int)i;
	return -1;
}

/* Host address of the RAM page holding gpa (any offset in it), or NULL for device or hole.
 * *readonly is set for ROM. Pages overlaid by an enabled device region return NULL. */
uint8_t *space_ram_page(const struct space *s, uint64_t gpa, bool *readonly);

/* Pages of writable RAM around some address with no device region on them. */
struct ram_window {
	uint64_t base, len; /* len 0: nothing */
	uint8_t *hva;
	const uint8_t *flags; /* a byte for each page: see space_page_flags */
};
/* The largest window that holds gpa; false, and *w unchanged, where there is none. It is good as
 * long as a TLB entry would be: until the map changes. */
bool space_ram_window(const struct space *s, uint64_t gpa, struct ram_window *w);

/* Host address of len bytes of RAM (not ROM), or NULL unless all lie in one RAM region. Bulk access
 * for loaders and device models (which must use space_read/space_write unless they checked); what
 * is written through it is announced by space_ram_written. */
uint8_t *space_ram_range(const struct space *s, uint64_t gpa, uint64_t len);

/* Device access, 1 to 8 bytes, split to what the device takes. Unanswered reads are all ones.
 * Each piece a device sees is naturally aligned. Takes the machine lock. Accesses that fall on RAM
 * go to RAM. */
uint64_t space_io_read(struct space *s, uint64_t gpa, unsigned bytes);
void space_io_write(struct space *s, uint64_t gpa, uint64_t value, unsigned bytes);

/* Copy to or from guest-physical memory; only RAM is touched, and writes near code are
 * announced. Returns false (nothing further done) where a byte is not RAM. */
bool space_read(struct space *s, uint64_t gpa, void *buf, size_t len);
bool space_write(struct space *s, uint64_t gpa, const void *buf, size_t len);

/* The page of RAM at gpa is about to be written for the first time. So are its neighbours soon, in
 * most guests: the host gives memory to all of them at once, unless one was written or discarded
 * before. Where the ones on one side have been given some, those on the other are asked of s->ahead.
 * Any thread. */
void space_ram_fill(struct space *s, uint64_t gpa);
/* Give RAM back to the host: whole pages of [gpa, gpa+len), which read as zeroes afterwards. False,
 * and nothing done, unless all of it is RAM that can be written, page-aligned. */
bool space_discard(struct space *s, uint64_t gpa, uint64_t len);

/* Page flags. set returns the flags before. Pages outside RAM have none. */
unsigned space_page_flags(const struct space *s, uint64_t gpa);
unsigned space_page_flags_set(struct space *s, uint64_t gpa, unsigned flags);
void space_page_flags_clear(struct space *s, uint64_t gpa, unsigned flags);

/* Count the engines that hold blocks of a page: PAGE_CODE is set while any does. hold returns true
 * when it set the flag, so that the caller must take fast write access away from every CPU. */
bool space_code_hold(struct space *s, uint64_t gpa);
void space_code_release(struct space *s, uint64_t gpa);
/* A holder begins (1) or ends (-1) to make a block from bytes of the page. Before it ends, it marks
 * those that it read; [gpa, gpa+len) is in one page. Marks stay until nobody holds the page. */
void space_code_read(struct space *s, uint64_t gpa, int more);
void space_code_mark(struct space *s, uint64_t gpa, size_t len);
/* May blocks have been made from what lies here? (In one page; a few bytes around count, too.) */
bool space_code_near(const struct space *s, uint64_t gpa, size_t len);
/* A CPU or a device has stored these bytes: if some are near code, tell the listeners; true then.
 * A page where nothing but data is written is given up after a while. */
bool space_code_stored(struct space *s, uint64_t gpa, uint64_t len);

/* Tell the listeners that [gpa, gpa+len) was written, page by page, where pages hold code. */
void space_code_written(struct space *s, uint64_t gpa, size_t len);
/* [gpa, gpa+len) of RAM was written through a host address (space_ram_range): mark the pages dirty,
 * and tell all who would have been told by space_write. */
void space_ram_written(struct space *s, uint64_t gpa, uint64_t len);
/* Before CPUs run; 0 or -ENOSPC. */
int space_listen(struct space *s, void (*written)(void *, uint64_t, size_t), void *opaque);

/* A hash in the manner of FNV-1a over all of RAM, 8 bytes at a time: to compare counted runs. */
uint64_t space_hash(const struct space *s);

#endif
