/* Block device: see block.h. Section numbers are of virtio 1.2. */
#include "device/virtio/block.h"

#include <errno.h>
#include <string.h>

#include "base/bits.h"

/* Features, 5.2.3 */
#define VIRTIO_BLK_F_SEG_MAX	  (1ull << 2)
#define VIRTIO_BLK_F_RO		  (1ull << 5)
#define VIRTIO_BLK_F_BLK_SIZE	  (1ull << 6)
#define VIRTIO_BLK_F_FLUSH	  (1ull << 9)
#define VIRTIO_BLK_F_TOPOLOGY	  (1ull << 10)
#define VIRTIO_BLK_F_CONFIG_WCE	  (1ull << 11)
#define VIRTIO_BLK_F_MQ		  (1ull << 12)
#define VIRTIO_BLK_F_DISCARD	  (1ull << 13)
#define VIRTIO_BLK_F_WRITE_ZEROES (1ull << 14)

/* Configuration space, 5.2.4 */
enum {
	CONFIG_CAPACITY = 0,
	CONFIG_SEG_MAX = 12,
	CONFIG_BLK_SIZE = 20,
	CONFIG_PHYSICAL_EXP = 24,
	CONFIG_MIN_IO = 26,
	CONFIG_OPT_IO = 28,
	CONFIG_WRITEBACK = 32,
	CONFIG_QUEUES = 34,
	CONFIG_DISCARD_SECTORS = 36,
	CONFIG_DISCARD_RANGES = 40,
	CONFIG_DISCARD_ALIGNMENT = 44,
	CONFIG_ZERO_SECTORS = 48,
	CONFIG_ZERO_RANGES = 52,
	CONFIG_ZERO_UNMAP = 56,
	CONFIG_BYTES = 60,
};

/* Requests, 5.2.6: a header of type and sector, data, a status byte. */
enum {
	TYPE_IN = 0,
	TYPE_OUT = 1,
	TYPE_FLUSH = 4,
	TYPE_GET_ID = 8,
	TYPE_DISCARD = 11,
	TYPE_WRITE_ZEROES = 13,
	HEADER_BYTES = 16,
	ID_BYTES = 20,
	RANGE_BYTES = 16, /* sector, number of sectors, flags */
	RANGE_UNMAP = 1,
	STATUS_OK = 0,
	STATUS_ERROR = 1,
	STATUS_UNSUPPORTED = 2,
};

enum {
	QUEUE_ENTRIES = 512,
	SEGS_MAX = VIRTQ_SEGS_MAX - 2, /* beside header and status */
	RANGE_SECTORS_MAX = 1 << 22,   /* 2 GiB */
};

static struct virtqueue *request_queue(struct virtio_block_request *r)
{
	return &r->block->device.queue[r->queue];
}

/* ---- the end of a request; lock held */

static void request_free(struct virtio_block_request *r)
{
	r->next = r->block->free;
	r->block->free = r;
}

/* data: bytes written to the guest before the status byte. */
static void request_end(struct virtio_block_request *r, uint8_t status, uint64_t data)
{
	struct virtqueue *q = request_queue(r);
	uint64_t in = r->chain.in_bytes;

	if (in)
		virtq_chain_write(q, &r->chain, in - 1, &status, 1);
	virtqueue_push(q, &r->chain, in ? (uint32_t)(status == STATUS_OK ? data + 1 : in) : 0);
	request_free(r);
}

static uint8_t status_of(int error)
{
	if (error == -EOPNOTSUPP)
		return STATUS_UNSUPPORTED;
	return error ? STATUS_ERROR : STATUS_OK;
}

/* ---- what the disk does */

static void request_done(struct block_request *io, int error);

/* Hand it to the disk; lock held. The core waits with a reset until it is done. */
static void request_submit(struct virtio_block_request *r, enum block_op op, uint64_t offset,
			   uint64_t bytes)
{
	r->io.op = op;
	r->io.offset = offset;
	r->io.bytes = bytes;
	r->io.done = request_done;
	r->io.opaque = r;
	virtio_begin(&r->block->device);
	block_submit(r->block->disk, &r->io);
}

/* The next range of a discard or write-zeroes request: false, and *error, if it is wrong. */
static bool range_next(struct virtio_block_request *r, int *error)
{
	uint8_t b[RANGE_BYTES];
	uint64_t all = r->block->disk->bytes / BLOCK_SECTOR;
	uint32_t sectors, flags;
	bool zero = r->io.op == BLOCK_ZERO;

	virtq_chain_read(request_queue(r), &r->chain,
			 HEADER_BYTES + (uint64_t)r->range * RANGE_BYTES, b, sizeof(b));
	sectors = load_le32(b + 8);
	flags = load_le32(b + 12);
	*error = 0;
	if ((flags & ~(uint32_t)RANGE_UNMAP) || (flags && !zero))
		*error = -EOPNOTSUPP;
	else if (sectors > RANGE_SECTORS_MAX || load_le64(b) > all || sectors > all - load_le64(b))
		*error = -EINVAL;
	if (*error)
		return false;
	r->range++;
	r->io.unmap = flags & RANGE_UNMAP;
	request_submit(r, r->io.op, load_le64(b) * BLOCK_SECTOR, (uint64_t)sectors * BLOCK_SECTOR);
	return true;
}

/* A part is done: go on with the next, if there is one. */
static bool request_goes_on(struct virtio_block_request *r, int *error)
{
	if (*error)
		return false;
	if (r->range < r->ranges)
		return range_next(r, error);
	if (!r->flush_follows)
		return false;
	r->flush_follows = false;
	request_submit(r, BLOCK_FLUSH, 0, 0);
	return true;
}

/* Queues that found no free request before. */
static void feed_starved(struct virtio_block *b)
{
	uint64_t queues = b->starved;

	b->starved = 0;
	for (unsigned i = 0; queues >> i; i++)
		if (queues >> i & 1)
			virtio_serve_again(&b->device, i);
}

static void request_done(struct block_request *io, int error)
{
	struct virtio_block_request *r = io->opaque;
	struct virtio_block *b = r->block;
	uint64_t data = io->op == BLOCK_READ && !error ? io->bytes : 0;

	virtio_enter(&b->device);
	if (io->op == BLOCK_READ)
		virtq_chain_wrote(request_queue(r), &r->chain, 0, io->bytes);
	if (!request_goes_on(r, &error))
		request_end(r, status_of(error), data);
	virtio_end(&b->device);
	if (b->starved)
		feed_starved(b);
	virtio_leave(&b->device);
}

/* ---- the beginning; each returns false if it has ended the request */

static bool start_transfer(struct virtio_block_request *r, bool in, uint64_t sector)
{
	struct virtio_block *b = r->block;
	uint64_t at = in ? 0 : HEADER_BYTES;
	uint64_t bytes = in ? r->chain.in_bytes - 1 : r->chain.out_bytes - HEADER_BYTES;
	int n;

	if (bytes % BLOCK_SECTOR || sector > b->disk->bytes / BLOCK_SECTOR ||
	    bytes > b->disk->bytes - sector * BLOCK_SECTOR || (!in && b->disk->readonly))
		return false;
	n = virtq_chain_pieces(request_queue(r), &r->chain, in, at, bytes, r->piece,
			       BLOCK_PIECES_MAX);
	if (n < 0)
		return false;
	r->io.piece = r->piece;
	r->io.pieces = (unsigned)n;
	r->flush_follows = !in && !b->writeback;
	request_submit(r, in ? BLOCK_READ : BLOCK_WRITE, sector * BLOCK_SECTOR, bytes);
	return true;
}

static bool start_ranges(struct virtio_block_request *r, enum block_op op, int *error)
{
	uint64_t bytes = r->chain.out_bytes - HEADER_BYTES;

	*error = -EINVAL;
	if (bytes == 0 || bytes % RANGE_BYTES || bytes / RANGE_BYTES > VIRTIO_BLOCK_RANGES_MAX ||
	    r->block->disk->readonly)
		return false;
	r->ranges = (unsigned)(bytes / RANGE_BYTES);
	r->io.op = op;
	return range_next(r, error);
}

static void get_id(struct virtio_block_request *r)
{
	char id[ID_BYTES] = {0};
	uint64_t len = r->chain.in_bytes - 1;

	memcpy(id, r->block->disk->serial, strnlen(r->block->disk->serial, ID_BYTES));
	len = len < ID_BYTES ? len : ID_BYTES;
	virtq_chain_write(request_queue(r), &r->chain, 0, id, len);
	request_end(r, STATUS_OK, len);
}

static bool discards(const struct virtio_block *b)
{
	return b->disk->discard_bytes != 0;
}

static void request_start(struct virtio_block_request *r)
{
	uint8_t header[HEADER_BYTES];
	int error = -EINVAL;
	bool going = false;

	r->io = (struct block_request){0};
	r->range = r->ranges = 0;
	r->flush_follows = false;
	if (!r->chain.in_bytes || virtq_chain_read(request_queue(r), &r->chain, 0, header,
						   sizeof(header)) < sizeof(header)) {
		request_end(r, STATUS_ERROR, 0);
		return;
	}
	switch (load_le32(header)) {
	case TYPE_IN:
	case TYPE_OUT:
		going = start_transfer(r, load_le32(header) == TYPE_IN, load_le64(header + 8));
		break;
	case TYPE_FLUSH:
		request_submit(r, BLOCK_FLUSH, 0, 0);
		going = true;
		break;
	case TYPE_GET_ID:
		get_id(r);
		going = true;
		break;
	case TYPE_DISCARD:
		error = -EOPNOTSUPP;
		going = discards(r->block) && start_ranges(r, BLOCK_DISCARD, &error);
		break;
	case TYPE_WRITE_ZEROES:
		going = start_ranges(r, BLOCK_ZERO, &error);
		break;
	default:
		error = -EOPNOTSUPP;
	}
	if (!going)
		request_end(r, status_of(error), 0);
}

static void block_serve(void *opaque, unsigned n)
{
	struct virtio_block *b = opaque;
	struct virtqueue *q = &b->device.queue[n];

	virtqueue_kicks_off(q);
	/* What is answered at once frees its request: a driver that keeps adding such must not keep
	 * the I/O thread. */
	for (unsigned left = q->size; b->free; left--) {
		struct virtio_block_request *r = b->free;

		if (!left) {
			virtio_serve_again(&b->device, n);
			return;
		}
		if (virtqueue_pop_or_wait(q, &r->chain) <= 0)
			return;
		b->free = r->next;
		r->queue = n;
		request_start(r);
	}
	b->starved |= 1ull << n;
}

/* ---- configuration space */

static void block_config_read(void *opaque, uint32_t offset, uint8_t *buf, uint32_t bytes)
{
	const struct virtio_block *b = opaque;
	const struct block_disk *d = b->disk;
	uint8_t c[CONFIG_BYTES] = {0};
	unsigned exp = 0;

	while (BLOCK_SECTOR << exp < (int)d->block_bytes)
		exp++;
	store_le64(c + CONFIG_CAPACITY, d->bytes / BLOCK_SECTOR);
	store_le32(c + CONFIG_SEG_MAX, SEGS_MAX);
	store_le32(c + CONFIG_BLK_SIZE, BLOCK_SECTOR);
	c[CONFIG_PHYSICAL_EXP] = (uint8_t)exp;
	store_le16(c + CONFIG_MIN_IO, (uint16_t)(1u << exp));
	c[CONFIG_WRITEBACK] = b->writeback;
	store_le16(c + CONFIG_QUEUES, (uint16_t)b->device.queues);
	store_le32(c + CONFIG_DISCARD_SECTORS, RANGE_SECTORS_MAX);
	store_le32(c + CONFIG_DISCARD_RANGES, VIRTIO_BLOCK_RANGES_MAX);
	store_le32(c + CONFIG_DISCARD_ALIGNMENT, d->discard_bytes / BLOCK_SECTOR);
	store_le32(c + CONFIG_ZERO_SECTORS, RANGE_SECTORS_MAX);
	store_le32(c + CONFIG_ZERO_RANGES, VIRTIO_BLOCK_RANGES_MAX);
	c[CONFIG_ZERO_UNMAP] = discards(b);
	memcpy(buf, c + offset, bytes);
}

static void block_config_write(void *opaque, uint32_t offset, const uint8_t *buf, uint32_t bytes)
{
	struct virtio_block *b = opaque;

	if (offset == CONFIG_WRITEBACK && bytes == 1 && buf[0] <= 1 &&
	    virtio_has(&b->device, VIRTIO_BLK_F_CONFIG_WCE))
		b->writeback = buf[0];
}

/* A driver that cannot flush must not be made to (5.2.5.2). */
static bool block_features(void *opaque, uint64_t accepted)
{
	struct virtio_block *b = opaque;

	b->writeback = (accepted & VIRTIO_BLK_F_FLUSH) != 0;
	return true;
}

static void block_reset(void *opaque)
{
	struct virtio_block *b = opaque;

	b->writeback = 1;
	b->starved = 0;
	b->free = NULL;
	for (unsigned i = VIRTIO_BLOCK_REQUESTS; i-- > 0;) {
		b->request[i].block = b;
		request_free(&b->request[i]);
	}
}

static const struct field block_fields[] = {
	FIELD(struct virtio_block, writeback),
	FIELD_END,
};

static const struct device_desc block_state = {
	.name = "virtio-block",
	.text = "disk",
	.state_bytes = sizeof(struct virtio_block),
	.fields = block_fields,
};

static const struct virtio_model block_model = {
	.id = VIRTIO_ID_BLOCK,
	.name = "virtio-block",
	.config_bytes = CONFIG_BYTES,
	.state = &block_state,
	.reset = block_reset,
	.features = block_features,
	.config_read = block_config_read,
	.config_write = block_config_write,
	.serve = block_serve,
	.prompt = true,
};

void virtio_block_init(struct virtio_block *b, const char *name, struct block_disk *disk,
		       unsigned queues)
{
	uint64_t features = VIRTIO_BLK_F_SEG_MAX | VIRTIO_BLK_F_BLK_SIZE | VIRTIO_BLK_F_FLUSH |
			    VIRTIO_BLK_F_TOPOLOGY | VIRTIO_BLK_F_CONFIG_WCE | VIRTIO_BLK_F_MQ |
			    VIRTIO_BLK_F_WRITE_ZEROES;

	memset(b, 0, sizeof(*b));
	b->disk = disk;
	features |= disk->readonly ? VIRTIO_BLK_F_RO : 0;
	features |= discards(b) ? VIRTIO_BLK_F_DISCARD : 0;
	virtio_init(&b->device, &block_model, b, name, features);
	for (unsigned i = 0; i < queues && i < VIRTIO_BLOCK_QUEUES_MAX; i++)
		virtio_add_queue(&b->device, QUEUE_ENTRIES);
	block_reset(b);
}
