/* What the parts of a virtqueue share: virtqueue.c, virtqueue_split.c, virtqueue_packed.c. */
#ifndef DEVICE_VIRTIO_VIRTQUEUE_PRIVATE_H
#define DEVICE_VIRTIO_VIRTQUEUE_PRIVATE_H

#include "base/bits.h"
#include "device/virtio/virtqueue.h"

/* Descriptor flags; AVAIL and USED in packed rings only. */
enum {
	VIRTQ_NEXT = 1,
	VIRTQ_WRITE = 2,
	VIRTQ_INDIRECT = 4,
	VIRTQ_AVAIL = 1 << 7,
	VIRTQ_USED = 1 << 15,
};

enum { VIRTQ_DESC_BYTES = 16 };

/* A descriptor of either kind of ring, read once. tail is its last four bytes. */
struct virtq_desc {
	uint64_t addr;
	uint32_t len, tail;
};

/* Tables of descriptors may lie anywhere, and change while they are read. */
static inline struct virtq_desc virtq_desc_load(const uint8_t *p)
{
	uint64_t addr = *(const volatile u64_any *)p;
	uint64_t rest = *(const volatile u64_any *)(p + 8);

	return (struct virtq_desc){addr, (uint32_t)rest, (uint32_t)(rest >> 32)};
}

/* The rings' indices and flags: naturally aligned, shared with CPUs that run. */
static inline uint16_t virtq_load(const uint8_t *p)
{
	return __atomic_load_n((const uint16_t *)(const void *)p, __ATOMIC_ACQUIRE);
}

static inline void virtq_store(uint8_t *p, uint16_t v)
{
	__atomic_store_n((uint16_t *)(void *)p, v, __ATOMIC_RELEASE);
}

/* Between what was written and what is read next: the driver does the same the other way round. */
static inline void virtq_fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* Whether going from old to new passed event: 2.7.10.1. */
static inline bool virtq_passed(uint16_t event, uint16_t new, uint16_t old)
{
	return (uint16_t)(new - event - 1) < (uint16_t)(new - old);
}

/* The ring breaks the rules: returns -EINVAL. */
int virtq_break(struct virtqueue *q);
/* Begin a chain; add a segment as a descriptor of these flags gives it. 0 or -EINVAL. */
void virtq_chain_begin(struct virtq_chain *c);
int virtq_chain_add(struct virtqueue *q, struct virtq_chain *c, uint64_t gpa, uint32_t len,
		    uint16_t flags);
/* Host address of an indirect table, or NULL if it is none. */
const uint8_t *virtq_table(const struct virtqueue *q, const struct virtq_desc *d);

/* One kind of ring. pop: the ring is enabled and sound. */
struct virtq_kind {
	uint32_t align[VIRTQ_AREAS];
	uint32_t (*area_bytes)(enum virtq_area a, uint16_t size);
	void (*start)(struct virtqueue *q);
	bool (*available)(const struct virtqueue *q);
	int (*pop)(struct virtqueue *q, struct virtq_chain *c);
	/* n of them, at least 1, which become visible at once. */
	void (*push)(struct virtqueue *q, const struct virtq_chain *c, const uint32_t *written,
		     unsigned n);
	/* Whether the driver wants to hear of slots that were just given back. */
	bool (*wanted)(const struct virtqueue *q, uint16_t slots);
	void (*kicks)(struct virtqueue *q, bool on);
};
extern const struct virtq_kind virtq_split, virtq_packed;

/* Bytes of an area of the ring were written. */
static inline void virtq_wrote(struct virtqueue *q, enum virtq_area a, uint64_t gpa_offset,
			       uint32_t len)
{
	uint64_t base = a == VIRTQ_DESC ? q->desc : a == VIRTQ_DRIVER ? q->driver : q->device;

	space_ram_written(q->memory, base + gpa_offset, len);
}

#endif
