/*
 * Virtio devices behind MMIO registers under random register accesses, random and half-sane rings,
 * host ends that answer late, badly or not at all, and resets at any time. Nothing may crash, hang,
 * or write where no RAM is; a queue never has more chains in use than entries; state saved and
 * restored must stay the same.
 */
#include <errno.h>
#include <string.h>

#include "base/bits.h"
#include "device/virtio/balloon.h"
#include "device/virtio/block.h"
#include "device/virtio/console.h"
#include "device/virtio/entropy.h"
#include "device/virtio/virtio_mmio.h"
#include "fake_worker.h"
#include "fuzz.h"

enum {
	RAM_A = 0xc000, /* RAM is [0, RAM_A) and [RAM_B, RAM_END); no RAM between */
	RAM_B = 0x10000,
	RAM_END = 0x20000,
	GUARD = 0xa5,
	RINGS = 0x1000, /* of queue n: at n % 5 times this */
	QUEUES = 5,
	DATA = 0x8000,
	TABLES = 0x10000,
	DEVICES = 4,
	DISK_BYTES = 1 << 20,
	PENDING_MAX = VIRTIO_BLOCK_REQUESTS,
	TURNS_MAX = 64,
};

struct rig {
	struct fuzz_input *in;
	struct space memory;
	struct virtio_entropy entropy;
	struct virtio_block block;
	struct virtio_console console;
	struct virtio_balloon balloon;
	struct virtio_mmio mmio[DEVICES];
	struct fake_worker io;
	struct block_disk disk;
	struct block_request *pending[PENDING_MAX];
	unsigned pendings;
	struct stream stream;
	uint8_t saved[1 << 12], again[1 << 12];
};

static uint8_t ram[RAM_END] __attribute__((aligned(4096)));

/* ---- host ends */

static void turn(struct rig *r)
{
	fake_worker_run(&r->io, TURNS_MAX);
}

static void on_submit(void *opaque, struct block_request *q)
{
	struct rig *r = opaque;
	uint64_t sum = 0;

	FUZZ_CHECK(r->pendings < PENDING_MAX, "more requests than the device has");
	for (unsigned i = 0; i < q->pieces; i++) {
		uint8_t *at = q->piece[i].base;
		FUZZ_CHECK(at >= ram && q->piece[i].len <= (size_t)(ram + RAM_END - at),
			   "outside RAM");
		sum += q->piece[i].len;
	}
	if (q->op == BLOCK_READ || q->op == BLOCK_WRITE)
		FUZZ_CHECK(sum == q->bytes, "pieces that are not the request");
	r->pending[r->pendings++] = q;
}

static void finish_one(struct rig *r, unsigned which, int error)
{
	struct block_request *q;

	if (!r->pendings)
		return;
	which %= r->pendings;
	q = r->pending[which];
	r->pending[which] = r->pending[--r->pendings];
	/* the disk checks */
	if (q->op != BLOCK_FLUSH && (q->offset > DISK_BYTES || q->bytes > DISK_BYTES - q->offset))
		error = -EINVAL;
	for (unsigned i = 0; q->op == BLOCK_READ && !error && i < q->pieces; i++)
		memset(q->piece[i].base, 0x11, q->piece[i].len);
	q->done(q, error);
}

static void on_random(void *opaque, void *buf, size_t len)
{
	memset(buf, 0x22, len);
}

static size_t on_stream(void *opaque, const uint8_t *bytes, size_t len)
{
	struct rig *r = opaque;

	return fuzz_take(r->in, 1) & 1 ? len : len / 2;
}

static void on_resume(void *opaque)
{
}

static void on_irq(void *opaque, unsigned n, int level)
{
}

/* ---- the driver */

static void write32(struct rig *r, unsigned d, uint32_t reg, uint32_t v)
{
	virtio_mmio_io_ops.write(&r->mmio[d], reg, v, 4);
}

static void random_access(struct rig *r, unsigned d, bool write)
{
	uint64_t offset = fuzz_take(r->in, 2) % VIRTIO_MMIO_BYTES;
	unsigned bytes = 1u << fuzz_take(r->in, 1) % 3;

	offset = offset / bytes * bytes;
	if (write)
		virtio_mmio_io_ops.write(&r->mmio[d], offset, fuzz_take(r->in, bytes), bytes);
	else
		virtio_mmio_io_ops.read(&r->mmio[d], offset, bytes);
}

/* As drivers do it; the input chooses features, sizes and now and then a bad address. */
static void start(struct rig *r, unsigned d)
{
	struct virtio_device *v = r->mmio[d].device;
	uint64_t accepted = v->offered & (fuzz_take(r->in, 8) | VIRTIO_F_VERSION_1);

	write32(r, d, 0x70, 0);
	write32(r, d, 0x70, 3);
	for (unsigned i = 0; i < 2; i++) {
		write32(r, d, 0x24, i);
		write32(r, d, 0x20, (uint32_t)(accepted >> 32 * i));
	}
	write32(r, d, 0x70, 11);
	memset(ram, 0, QUEUES * RINGS);
	for (unsigned n = 0; n < v->queues; n++) {
		uint32_t base = n % QUEUES * RINGS, odd = (uint32_t)fuzz_take(r->in, 1);
		write32(r, d, 0x30, n);
		write32(r, d, 0x38, 1u << odd % 6);
		write32(r, d, 0x80, odd == 255 ? 0xfffffff0 : base);
		write32(r, d, 0x84, odd == 254);
		write32(r, d, 0x90, base + 0x800);
		write32(r, d, 0xa0, odd == 253 ? RAM_A - 4 : base + 0xa00);
		write32(r, d, 0x44, 1);
	}
	write32(r, d, 0x70, 15);
}

static void put_desc(struct rig *r, bool packed, uint64_t at, uint64_t gpa, uint32_t len,
		     uint16_t flags, uint16_t other)
{
	store_le64(ram + at, gpa);
	store_le32(ram + at + 8, len);
	store_le16(ram + at + (packed ? 14 : 12), flags);
	store_le16(ram + at + (packed ? 12 : 14), other);
}

/* A header as block, console control and others might want one. */
static void put_data(struct rig *r, uint64_t gpa)
{
	if (gpa + 32 > RAM_A)
		return;
	store_le32(ram + gpa, (uint32_t)fuzz_take(r->in, 1) % 14);
	store_le32(ram + gpa + 4, (uint32_t)fuzz_take(r->in, 1));
	store_le64(ram + gpa + 8, fuzz_take(r->in, 1) * 8);
	store_le64(ram + gpa + 16, fuzz_take(r->in, 1) * 8);
	store_le64(ram + gpa + 24, fuzz_take(r->in, 1));
}

/* A chain of up to 7 descriptors in queue n, mostly with addresses in RAM, made available. */
static void add_chain(struct rig *r, unsigned d, unsigned n)
{
	struct virtqueue *q = &r->mmio[d].device->queue[n];
	unsigned count = 1 + (unsigned)fuzz_take(r->in, 1) % 7, outs = fuzz_take(r->in, 1) % 4;
	uint64_t base = n % QUEUES * RINGS;
	uint16_t size = q->size && q->size <= 32 ? q->size : 1, slot = q->avail_index % size;
	uint8_t wrap = q->avail_wrap;

	if (count > size)
		count = size;
	for (unsigned i = 0; i < count; i++) {
		unsigned odd = (unsigned)fuzz_take(r->in, 1);
		uint64_t gpa = DATA + odd * 64;
		uint32_t len = odd & 3 ? 512u << odd % 4 : odd;
		uint16_t flags = (i >= outs ? 2 : 0) | (i + 1 < count ? 1 : 0);
		unsigned at = (slot + i) % size;

		if (i == 0 && outs)
			len = 16, put_data(r, gpa);
		else if (i + 1 == count && odd & 7)
			len = 1; /* a status byte */
		if (odd == 250)
			flags |= 4, gpa = TABLES, len = 16 * 4;
		if (odd == 251)
			gpa = RAM_A - 8;
		if (odd == 252)
			gpa = ~0ull - 3;
		if (q->packed)
			flags |= wrap ^ (slot + i >= size) ? 1 << 7 : 1 << 15;
		put_desc(r, q->packed, base + at * 16u, gpa, len, flags,
			 q->packed ? (uint16_t)i : (uint16_t)((at + 1) % size));
	}
	if (!q->packed) {
		store_le16(ram + base + 0x804 + 2 * slot, slot);
		store_le16(ram + base + 0x802, (uint16_t)(q->avail_index + 1));
	}
	virtio_mmio_io_ops.write(&r->mmio[d], 0x50, n, 4);
}

static void scribble(struct rig *r)
{
	uint64_t at = fuzz_take(r->in, 2) % (RAM_END - 8);

	for (unsigned i = 0; i < 4; i++, at++)
		if (at < RAM_A || at >= RAM_B)
			ram[at] = (uint8_t)fuzz_take(r->in, 1);
}

static void save_restore(struct rig *r, const struct device_desc *desc, void *state)
{
	size_t n = field_size(desc->fields);

	FUZZ_CHECK(n <= sizeof(r->saved), "%s: %zu bytes of state", desc->name, n);
	field_save(desc->fields, state, r->saved);
	field_restore(desc->fields, state, r->saved);
	if (desc->after_restore)
		desc->after_restore(state);
	field_save(desc->fields, state, r->again);
	FUZZ_CHECK(!memcmp(r->saved, r->again, n), "%s: restoring changed the state", desc->name);
}

static void save_restore_all(struct rig *r, unsigned d)
{
	struct virtio_device *v = r->mmio[d].device;

	save_restore(r, &virtio_mmio_desc, &r->mmio[d]);
	for (unsigned n = 0; n < v->queues; n++)
		save_restore(r, &virtqueue_desc, &v->queue[n]);
	if (v->type->state)
		save_restore(r, v->type->state, v->model);
	save_restore(r, &virtio_device_desc, v);
}

static void host_side(struct rig *r)
{
	unsigned what = (unsigned)fuzz_take(r->in, 1);
	uint8_t bytes[64] = {1};

	switch (what % 4) {
	case 0:
	case 1:
		finish_one(r, what, what & 4 ? 0 : what & 8 ? -EIO : -ENOSPC);
		break;
	case 2:
		if (r->stream.client.input)
			r->stream.client.input(r->stream.client.opaque, bytes, what % 64);
		break;
	case 3:
		virtio_balloon_set(&r->balloon, what);
		break;
	}
}

static void step(struct rig *r)
{
	unsigned op = (unsigned)fuzz_take(r->in, 1), d = (unsigned)fuzz_take(r->in, 1) % DEVICES;

	switch (op % 16) {
	case 0:
	case 1:
		random_access(r, d, true);
		break;
	case 2:
		random_access(r, d, false);
		break;
	case 3:
	case 4:
		start(r, d);
		break;
	case 5 ... 9:
		add_chain(r, d, (unsigned)fuzz_take(r->in, 1) % r->mmio[d].device->queues);
		break;
	case 10:
		scribble(r);
		break;
	case 11:
	case 12:
		host_side(r);
		break;
	case 13:
		save_restore_all(r, d);
		break;
	default:
		turn(r);
	}
}

static void check(struct rig *r)
{
	for (unsigned d = 0; d < DEVICES; d++) {
		const struct virtio_device *v = r->mmio[d].device;
		for (unsigned n = 0; n < v->queues; n++)
			FUZZ_CHECK(v->queue[n].in_use <= VIRTQ_SIZE_MAX, "%u in use",
				   v->queue[n].in_use);
	}
	for (unsigned at = RAM_A; at < RAM_B; at++)
		FUZZ_CHECK(ram[at] == GUARD, "wrote to %#x, where no RAM is", at);
}

static void connect(struct rig *r, unsigned n, struct virtio_device *d)
{
	virtio_connect(d, &r->memory, NULL, &r->io.worker, NULL);
	virtio_mmio_init(&r->mmio[n], d, (struct irq_line){on_irq, r, n});
}

static void rig_init(struct rig *r, struct fuzz_input *in)
{
	memset(r, 0, sizeof(*r));
	fake_worker_init(&r->io);
	memset(ram, 0, sizeof(ram));
	memset(ram + RAM_A, GUARD, RAM_B - RAM_A);
	r->in = in;
	space_init(&r->memory, NULL, NULL, TRACE_MMIO);
	FUZZ_CHECK(!space_map_ram(&r->memory, 0, RAM_A, ram, false), "no RAM");
	FUZZ_CHECK(!space_map_ram(&r->memory, RAM_B, RAM_END - RAM_B, ram + RAM_B, false),
		   "no RAM");
	r->disk = (struct block_disk){.submit = on_submit,
				      .opaque = r,
				      .bytes = DISK_BYTES,
				      .block_bytes = 4096,
				      .discard_bytes = 4096,
				      .serial = "0123456789abcdefghij"};
	r->stream = (struct stream){.write = on_stream, .resume = on_resume, .opaque = r};
	virtio_entropy_init(&r->entropy, "rng0", on_random, r);
	virtio_block_init(&r->block, "disk0", &r->disk, 2);
	virtio_console_init(&r->console, "console0");
	virtio_console_add_port(&r->console, &r->stream, NULL, true);
	virtio_balloon_init(&r->balloon, "balloon0");
	connect(r, 0, &r->entropy.device);
	connect(r, 1, &r->block.device);
	connect(r, 2, &r->console.device);
	connect(r, 3, &r->balloon.device);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct rig r;
	struct fuzz_input in = {data, data + len};

	rig_init(&r, &in);
	while (in.at < in.end)
		step(&r);
	turn(&r);
	while (r.pendings)
		finish_one(&r, 0, 0);
	check(&r);
	for (unsigned d = 0; d < DEVICES; d++)
		virtio_destroy(r.mmio[d].device);
	space_destroy(&r.memory);
	return 0;
}
