/* A virtio driver for tests: a small RAM, one queue of either kind in it, chains added and taken
 * back as a guest does. It can also be told to write nonsense. */
#ifndef TESTS_DEVICE_FAKE_DRIVER_H
#define TESTS_DEVICE_FAKE_DRIVER_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "device/virtio/virtqueue.h"

enum {
	FAKE_RAM = 1 << 20,
	FAKE_DESC = 0x1000,
	FAKE_DRIVER = 0x8000,
	FAKE_DEVICE = 0xc000,
	FAKE_TABLES = 0x10000, /* indirect tables, 0x1000 each, by slot */
	FAKE_DATA = 0x80000,
	FAKE_NEXT = 1,
	FAKE_WRITE = 2,
	FAKE_INDIRECT = 4,
};

struct fake_seg {
	uint64_t gpa;
	uint32_t len;
	uint16_t flags;
};

struct fake_driver {
	uint8_t *ram;
	uint64_t gpa; /* of ram */
	struct space memory;
	bool packed, event_idx;
	uint16_t size;
	/* split: next free descriptor (never reused while few chains are out), packed: slot */
	uint16_t next, avail, used;
	uint8_t avail_wrap, used_wrap;
	uint16_t slots_of[1024]; /* packed: by id */
	uint16_t ids;
};

/* One more queue, with the next FAKE_RAM bytes of what fake_driver_ram_for made for several. */
static inline void fake_driver_beside(struct fake_driver *f, const struct fake_driver *first,
				      unsigned n)
{
	memset(f, 0, sizeof(*f));
	f->ram = first->ram + (size_t)n * FAKE_RAM;
	f->gpa = (uint64_t)n * FAKE_RAM;
}

static inline void fake_driver_ram_for(struct fake_driver *f, unsigned queues)
{
	memset(f, 0, sizeof(*f));
	f->ram = aligned_alloc(4096, (size_t)queues * FAKE_RAM);
	memset(f->ram, 0, (size_t)queues * FAKE_RAM);
	space_init(&f->memory, NULL, NULL, TRACE_MMIO);
	space_map_ram(&f->memory, 0, (uint64_t)queues * FAKE_RAM, f->ram, false);
}

static inline void fake_driver_ram(struct fake_driver *f)
{
	fake_driver_ram_for(f, 1);
}

static inline void fake_driver_free(struct fake_driver *f)
{
	space_destroy(&f->memory);
	free(f->ram);
}

/* Forget all chains; clears the rings. */
static inline void fake_driver_start(struct fake_driver *f, bool packed, bool event_idx,
				     uint16_t size)
{
	f->packed = packed;
	f->event_idx = event_idx;
	f->size = size;
	f->next = f->avail = f->used = f->ids = 0;
	f->avail_wrap = f->used_wrap = 1;
	memset(f->ram + FAKE_DESC, 0, FAKE_DATA - FAKE_DESC);
}

static inline void fake_driver_place(const struct fake_driver *f, struct virtqueue *q)
{
	q->size = f->size;
	q->desc = f->gpa + FAKE_DESC;
	q->driver = f->gpa + FAKE_DRIVER;
	q->device = f->gpa + FAKE_DEVICE;
}

static inline void fake_desc(struct fake_driver *f, uint64_t at, const struct fake_seg *s,
			     uint16_t id, uint16_t next_or_flags)
{
	store_le64(f->ram + at, s->gpa);
	store_le32(f->ram + at + 8, s->len);
	if (f->packed) {
		store_le16(f->ram + at + 12, id);
		store_le16(f->ram + at + 14, next_or_flags);
	} else {
		store_le16(f->ram + at + 12, s->flags);
		store_le16(f->ram + at + 14, next_or_flags);
	}
}

static inline void fake_avail(struct fake_driver *f, uint16_t head)
{
	store_le16(f->ram + FAKE_DRIVER + 4 + 2 * (f->avail % f->size), head);
	f->avail++;
	store_le16(f->ram + FAKE_DRIVER + 2, f->avail);
}

static inline uint16_t fake_add_split(struct fake_driver *f, const struct fake_seg *s, unsigned n)
{
	uint16_t head = f->next;

	for (unsigned i = 0; i < n; i++) {
		struct fake_seg d = s[i];
		uint16_t at = f->next;
		f->next = (uint16_t)((f->next + 1) % f->size);
		d.flags |= i + 1 < n ? FAKE_NEXT : 0;
		fake_desc(f, FAKE_DESC + 16ull * at, &d, 0, f->next);
	}
	fake_avail(f, head);
	return head;
}

static inline uint16_t fake_add_packed(struct fake_driver *f, const struct fake_seg *s, unsigned n)
{
	uint16_t id = f->ids++ % f->size, first = f->avail, first_flags = 0;

	f->slots_of[id] = (uint16_t)n;
	for (unsigned i = 0; i < n; i++) {
		uint16_t flags = s[i].flags | (i + 1 < n ? FAKE_NEXT : 0) |
				 (f->avail_wrap ? 1 << 7 : 1 << 15);
		if (i == 0)
			first_flags = flags;
		fake_desc(f, FAKE_DESC + 16ull * f->avail, &s[i], id,
			  i ? flags : (uint16_t)(flags ^ (1 << 7 | 1 << 15)));
		if (++f->avail == f->size) {
			f->avail = 0;
			f->avail_wrap ^= 1;
		}
	}
	store_le16(f->ram + FAKE_DESC + 16 * first + 14, first_flags);
	return id;
}

/* Make a chain available; returns what the device will call it. */
static inline uint16_t fake_add(struct fake_driver *f, const struct fake_seg *s, unsigned n)
{
	return f->packed ? fake_add_packed(f, s, n) : fake_add_split(f, s, n);
}

/* The same as one descriptor, with the segments in a table. */
static inline uint16_t fake_add_indirect(struct fake_driver *f, const struct fake_seg *s,
					 unsigned n)
{
	uint64_t table = FAKE_TABLES + 0x1000ull * ((f->packed ? f->avail : f->next) % 0x60);
	struct fake_seg one = {f->gpa + table, 16 * n, FAKE_INDIRECT};

	for (unsigned i = 0; i < n; i++) {
		struct fake_seg d = s[i];
		d.flags |= !f->packed && i + 1 < n ? FAKE_NEXT : 0;
		fake_desc(f, table + 16 * i, &d, 0, f->packed ? d.flags : (uint16_t)(i + 1));
	}
	return fake_add(f, &one, 1);
}

/* Take back a chain: false if there is none. */
static inline bool fake_used(struct fake_driver *f, uint32_t *id, uint32_t *len)
{
	if (!f->packed) {
		if (load_le16(f->ram + FAKE_DEVICE + 2) == f->used)
			return false;
		const uint8_t *e = f->ram + FAKE_DEVICE + 4 + 8 * (f->used % f->size);
		*id = load_le32(e);
		*len = load_le32(e + 4);
		f->used++;
		return true;
	}
	const uint8_t *d = f->ram + FAKE_DESC + 16 * f->used;
	uint16_t flags = load_le16(d + 14);
	if ((flags >> 7 & 1) != f->used_wrap || (flags >> 15 & 1) != f->used_wrap)
		return false;
	*len = load_le32(d + 8);
	*id = load_le16(d + 12);
	f->used += f->slots_of[*id % 1024];
	if (f->used >= f->size) {
		f->used -= f->size;
		f->used_wrap ^= 1;
	}
	return true;
}

/* Ask for an interrupt when the next chain is given back (event index), always, or never. */
enum fake_interrupts { FAKE_ALWAYS, FAKE_NEVER, FAKE_NEXT_USED };
static inline void fake_interrupts(struct fake_driver *f, enum fake_interrupts how)
{
	if (f->packed) {
		store_le16(f->ram + FAKE_DRIVER,
			   (uint16_t)(f->used | (uint16_t)(f->used_wrap << 15)));
		store_le16(f->ram + FAKE_DRIVER + 2, (uint16_t)how);
	} else if (f->event_idx) {
		store_le16(f->ram + FAKE_DRIVER + 4 + 2 * f->size,
			   (uint16_t)(f->used - (how == FAKE_NEVER)));
	} else {
		store_le16(f->ram + FAKE_DRIVER, how == FAKE_NEVER);
	}
}

/* Whether the device wants a kick for the chain added last (of slots entries). */
static inline bool fake_kick_wanted(const struct fake_driver *f, uint16_t slots)
{
	const uint8_t *device = f->ram + FAKE_DEVICE;
	uint16_t event, flags = load_le16(device + 2);

	if (f->packed) {
		event = load_le16(device) & 0x7fff;
		if (flags != 2)
			return flags == 0;
		if (load_le16(device) >> 15 != f->avail_wrap)
			event -= f->size;
	} else {
		if (!f->event_idx)
			return !(load_le16(device) & 1);
		event = load_le16(device + 4 + 8 * f->size);
	}
	return (uint16_t)(f->avail - event - 1) < slots;
}

#endif
