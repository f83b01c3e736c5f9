/*
 * The network card under a driver that writes what it likes into its rings, buffers and registers,
 * with a network that answers and is full at random; and what is done to frames in software.
 * Nothing may crash, hang or reach outside its memory; frames that come out are of sane length.
 */
#include <string.h>

#include "base/bits.h"
#include "device/net_coalesce.h"
#include "device/virtio/net.h"
#include "fake_worker.h"
#include "fuzz.h"

enum { RAM_BYTES = 0x10000, STEPS = 200, WORKS = 20, FRAME_BYTES = 4096 };

struct rig {
	struct virtio_net card;
	struct net_network net;
	struct space memory;
	struct fake_worker io;
	struct fuzz_input *in;
	unsigned emitted;
	uint8_t ram[RAM_BYTES] __attribute__((aligned(4096)));
	uint8_t frame[FRAME_BYTES];
};

static void on_interrupt(void *opaque, unsigned cause, unsigned queue)
{
}

static size_t length(const struct io_piece *piece, unsigned pieces)
{
	size_t len = 0;

	FUZZ_CHECK(pieces <= NET_PIECES_MAX, "%u pieces", pieces);
	for (unsigned i = 0; i < pieces; i++)
		len += piece[i].len;
	return len;
}

static void on_send(void *opaque, unsigned queue, const struct io_piece *piece, unsigned pieces,
		    const struct net_offload *o)
{
	struct rig *r = opaque;
	size_t len = length(piece, pieces);

	FUZZ_CHECK(len <= NET_FRAME_MAX && queue < r->net.queues, "%zu bytes, queue %u", len,
		   queue);
	if (o && o->gso_type)
		FUZZ_CHECK(r->net.features != 0, "gso %u", o->gso_type);
	if (fuzz_take(r->in, 1) & 1)
		r->net.card.receive(r->net.card.opaque, piece, pieces, o);
}

static void on_resume(void *opaque)
{
}

static void on_features(void *opaque, unsigned features)
{
}

/* ---- frames: one that makes some sense, spoiled in places */

static size_t make_frame(struct rig *r)
{
	uint8_t *f = r->frame;
	unsigned kind = (unsigned)fuzz_take(r->in, 1), at = 14, l4;
	size_t len = fuzz_take(r->in, 2) % FRAME_BYTES, n;

	len = len < 80 ? 80 : len;
	memset(f, 0x41, len);
	if (kind & 1) {
		net_store32(f + 12, 0x81000001);
		at = 18;
	}
	net_store16(f + at - 2, kind & 2 ? 0x86dd : 0x0800);
	l4 = at + (kind & 2 ? 40 : 20);
	if (kind & 2) {
		f[at] = 0x60;
		net_store16(f + at + 4, (unsigned)(len - at - 40));
		f[at + 6] = kind & 4 ? NET_PROTO_TCP : NET_PROTO_UDP;
	} else {
		memset(f + at, 0, 20);
		f[at] = 0x45;
		net_store16(f + at + 2, (unsigned)(len - at));
		f[at + 9] = kind & 4 ? NET_PROTO_TCP : NET_PROTO_UDP;
	}
	f[l4 + 12] = 0x50;
	f[l4 + 13] = NET_TCP_ACK;
	for (n = fuzz_take(r->in, 1) % 8; n; n--)
		f[fuzz_take(r->in, 1) % 80] = (uint8_t)fuzz_take(r->in, 1);
	return fuzz_take(r->in, 1) & 1 ? len : fuzz_take(r->in, 1) % len;
}

static struct net_offload make_offload(struct fuzz_input *in)
{
	struct net_offload o = {(uint8_t)fuzz_take(in, 1),  (uint8_t)(fuzz_take(in, 1) % 8),
				(uint16_t)fuzz_take(in, 2), (uint16_t)fuzz_take(in, 2),
				(uint16_t)fuzz_take(in, 1), (uint16_t)fuzz_take(in, 1)};

	return o;
}

static void on_emit(void *opaque, const struct io_piece *piece, unsigned pieces,
		    const struct net_offload *o)
{
	struct rig *r = opaque;

	FUZZ_CHECK(length(piece, pieces) <= FRAME_BYTES + 8, "longer than what it was made of");
	FUZZ_CHECK(++r->emitted <= 5000, "without end");
}

static void software(struct rig *r)
{
	struct net_offload o = make_offload(r->in);
	struct net_coalesce c;
	size_t len = make_frame(r);
	uint8_t again[FRAME_BYTES];

	net_coalesce_begin(&c, r->frame, len, 7);
	memcpy(again, r->frame, len);
	if (len > 60)
		net_store32(again + 38, net_load32(again + 38) + (uint32_t)len - 54);
	net_coalesce_add(&c, again, len);
	net_coalesce_end(&c);
	FUZZ_CHECK(length(c.piece, c.pieces) <= 2 * len, "more than came");
	r->emitted = 0;
	net_offload_apply(r->frame, len, &o, (unsigned)fuzz_take(r->in, 1) & 15, on_emit, r);
	net_fragment(r->frame, len, (unsigned)fuzz_take(r->in, 2), on_emit, r);
}

/* ---- the driver */

static void set_queue(struct rig *r, unsigned n)
{
	struct virtqueue *q = virtio_queue_setup(&r->card.device, n);

	if (!q)
		return;
	q->size = (uint16_t)(1u << fuzz_take(r->in, 1) % 9);
	q->desc = fuzz_take(r->in, 2) & ~15u;
	q->driver = fuzz_take(r->in, 2) & ~3u;
	q->device = fuzz_take(r->in, 2) & ~3u;
	virtio_queue_enable(&r->card.device, n);
}

static void start(struct rig *r)
{
	struct virtio_device *d = &r->card.device;
	uint64_t features = fuzz_take(r->in, 8) | VIRTIO_F_VERSION_1;

	virtio_status_write(d, 0);
	virtio_status_write(d, 3);
	virtio_features_write(d, 0, (uint32_t)(features & d->offered));
	virtio_features_write(d, 1, (uint32_t)((features & d->offered) >> 32));
	virtio_status_write(d, 11);
	for (unsigned i = 0; i < d->queues; i++)
		set_queue(r, i);
	virtio_status_write(d, 15);
}

/* A descriptor that makes sense, made available in a split ring; else rings hold noise only. */
static void add_chain(struct rig *r, unsigned n)
{
	const struct virtqueue *q = &r->card.device.queue[n];
	uint64_t slot = fuzz_take(r->in, 1) & (q->size - 1u), at = q->desc + 16 * slot;

	if (!q->size || at + 16 > RAM_BYTES || q->driver + 4 + 2ull * q->size > RAM_BYTES)
		return;
	store_le64(r->ram + at, fuzz_take(r->in, 2));
	store_le32(r->ram + at + 8, (uint32_t)fuzz_take(r->in, 2) & 0x1fff);
	store_le16(r->ram + at + 12, (uint16_t)fuzz_take(r->in, 1) & (n & 1 ? 5 : 7));
	store_le16(r->ram + at + 14, (uint16_t)fuzz_take(r->in, 1));
	uint16_t index = load_le16(r->ram + q->driver + 2);
	store_le16(r->ram + q->driver + 4 + 2 * (index & (q->size - 1u)), (uint16_t)slot);
	store_le16(r->ram + q->driver + 2, (uint16_t)(index + 1));
}

static void work(struct rig *r)
{
	fake_worker_run(&r->io, WORKS);
}

static void step(struct rig *r)
{
	struct virtio_device *d = &r->card.device;
	unsigned what = (unsigned)fuzz_take(r->in, 1),
		 n = (unsigned)fuzz_take(r->in, 1) % d->queues;
	struct net_offload o;
	struct io_piece p;
	uint8_t config[8];

	switch (what % 10) {
	case 0:
		start(r);
		break;
	case 1:
		software(r);
		break;
	case 2:
		store_le32(r->ram + (fuzz_take(r->in, 2) & 0xfffc), (uint32_t)fuzz_take(r->in, 4));
		break;
	case 3:
	case 4:
		o = make_offload(r->in);
		p = (struct io_piece){r->frame, make_frame(r)};
		r->net.card.receive(r->net.card.opaque, &p, 1, what & 16 ? &o : NULL);
		break;
	case 5:
		virtio_config_read(d, (uint32_t)fuzz_take(r->in, 1), config, 1 + n % 8);
		r->net.card.link(r->net.card.opaque, n & 1);
		break;
	case 6:
		virtio_queue_reset(d, n);
		set_queue(r, n);
		break;
	default:
		add_chain(r, n);
		virtio_kick(d, n);
	}
	work(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint8_t mac[6] = {0x52, 0x54};
	struct fuzz_input in = {data, data + len};
	struct rig *r = aligned_alloc(4096, (sizeof(*r) + 4095) & ~4095ul);

	memset(r, 0, sizeof(*r));
	fake_worker_init(&r->io);
	r->in = &in;
	r->net = (struct net_network){
		.send = on_send, .resume = on_resume, .card_features = on_features, .opaque = r};
	r->net.features = (unsigned)fuzz_take(&in, 1) & 15;
	r->net.queues = 1 + (unsigned)fuzz_take(&in, 1) % 3;
	space_init(&r->memory, NULL, NULL, TRACE_MMIO);
	FUZZ_CHECK(!space_map_ram(&r->memory, 0, RAM_BYTES, r->ram, false), "no RAM");
	virtio_net_init(&r->card, "net0", mac, &r->net);
	virtio_connect(&r->card.device, &r->memory, NULL, &r->io.worker, NULL);
	r->card.device.transport = (struct virtio_transport){on_interrupt, r};
	start(r);
	for (unsigned i = 0; i < STEPS && in.at < in.end; i++)
		step(r);
	virtio_destroy(&r->card.device);
	space_destroy(&r->memory);
	free(r);
	return 0;
}
