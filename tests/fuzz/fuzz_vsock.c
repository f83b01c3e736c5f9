/*
 * The socket device under random packets, descriptors and behaviour of the host's ends. An end must
 * not be called once it was closed, and each is closed once; the ring must never hold more than it
 * may.
 */
#include "fuzz.h"

#include "../device/vsock_rig.h"
#include "device/virtio/vsock_private.h"

enum { RX = QUEUE_RX, TX = QUEUE_TX, HDR = HDR_BYTES, QUEUE = 16, STEPS_MAX = 400 };

static struct vsock_rig g;

static void put_packet(struct fuzz_input *in, uint8_t *h, uint32_t len)
{
	unsigned how = (unsigned)fuzz_take(in, 1);

	store_le64(h, how == 0 ? fuzz_take(in, 8) : 7);
	store_le64(h + 8, how == 1 ? fuzz_take(in, 8) : 2);
	store_le32(h + 16, fuzz_take(in, 1) % 4);
	store_le32(h + 20, fuzz_take(in, 1) % 8 < 4 ? 52 : g.v.next_port);
	store_le32(h + 24, how == 2 ? (uint32_t)fuzz_take(in, 4) : len);
	store_le16(h + 28, how == 3 ? (uint16_t)fuzz_take(in, 2) : 1 + how / 128);
	store_le16(h + 30, how % 4 ? 5 : fuzz_take(in, 1) % 9);
	store_le32(h + 32, fuzz_take(in, 1) % 5);
	store_le32(h + 36, how == 4 ? (uint32_t)fuzz_take(in, 4) : 1 << 16);
	store_le32(h + 40, how == 5 ? (uint32_t)fuzz_take(in, 4) : 0);
}

static void add_tx(struct fuzz_input *in)
{
	uint32_t len = (uint32_t)fuzz_take(in, 2) % 6000;
	uint16_t flags = fuzz_take(in, 1) == 0 ? FAKE_WRITE : 0;

	put_packet(in, fake_virtio_data(&g.f, TX, 0), len);
	fake_virtio_add(&g.f, TX, fuzz_take(in, 1) == 0 ? 1 : 0,
			fuzz_take(in, 1) == 0 ? (uint32_t)fuzz_take(in, 4) : HDR + len, flags);
}

static void host_does(struct fuzz_input *in)
{
	struct rig_end *e = &g.end[fuzz_take(in, 1) % (g.ends ? g.ends : 1) % RIG_ENDS];
	const struct stream_client *c = &e->end.stream.client;
	uint8_t bytes[700];
	size_t n;

	if (e->closes || !c->input)
		return;
	memset(bytes, 'x', sizeof(bytes));
	switch (fuzz_take(in, 1) % 5) {
	case 0:
	case 1:
		n = c->input(c->opaque, bytes, sizeof(bytes));
		FUZZ_CHECK(n <= sizeof(bytes), "took %zu", n);
		break;
	case 2:
		e->room = fuzz_take(in, 2);
		c->writable(c->opaque);
		break;
	case 3:
		c->connected(c->opaque, false);
		break;
	case 4:
		virtio_vsock_gone(&g.v, &e->end);
		FUZZ_CHECK(!e->closes, "closed one that is gone");
		e->closes = 1;
		break;
	}
}

static unsigned ends_in_ring(const struct vsock_conn *c)
{
	unsigned n = 0;

	for (unsigned i = 0; i < VSOCK_RING_BYTES / 64; i++)
		n += (unsigned)__builtin_popcountll(c->ends[i]);
	return n;
}

static void check(void)
{
	for (unsigned i = 0; i < g.ends && i < RIG_ENDS; i++)
		FUZZ_CHECK(g.end[i].closes <= 1 && g.end[i].opens <= 1 && g.end[i].finishes <= 1,
			   "end %u: opened %u, finished %u, closed %u times", i, g.end[i].opens,
			   g.end[i].finishes, g.end[i].closes);
	for (unsigned i = 0; i < VSOCK_CONNECTIONS_MAX; i++) {
		const struct vsock_conn *c = &g.v.conn[i];

		FUZZ_CHECK(c->used <= VSOCK_RING_BYTES && c->head < VSOCK_RING_BYTES,
			   "ring of %u at %u", c->used, c->head);
		FUZZ_CHECK(!c->end || c->type != TYPE_SEQPACKET || c->whole == ends_in_ring(c),
			   "%u messages in the ring, not %u", ends_in_ring(c), c->whole);
		FUZZ_CHECK(!c->state || !c->end ||
				   !CONTAINER_OF(c->end, struct rig_end, end)->closes,
			   "connection %u keeps a closed end", i);
	}
	FUZZ_CHECK(g.v.resets <= VSOCK_RESETS_MAX, "%u resets", g.v.resets);
}

static void step(struct fuzz_input *in, uint64_t features)
{
	struct rig_end *e;
	uint32_t id, len;

	switch (fuzz_take(in, 1) % 16) {
	case 0:
		virtio_status_write(&g.v.device, 0);
		fake_virtio_run(&g.f);
		fake_virtio_start(&g.f, features, QUEUE);
		break;
	case 1:
		if (g.ends >= RIG_ENDS)
			break;
		e = rig_end(&g);
		e->end.messages = fuzz_take(in, 1) & 1;
		if (!virtio_vsock_connect(&g.v, (uint32_t)fuzz_take(in, 1) % 4, &e->end))
			e->closes = 1;
		break;
	case 2:
	case 3:
	case 4:
	case 5:
		fake_virtio_add(&g.f, RX, 0, (uint32_t)fuzz_take(in, 1) * 8, FAKE_WRITE);
		break;
	case 6:
		host_does(in);
		break;
	case 7:
		g.refuse = fuzz_take(in, 1) < 32 || g.ends >= RIG_ENDS;
		break;
	case 8:
	case 9:
		host_does(in);
		break;
	default:
		g.refuse |= g.ends >= RIG_ENDS;
		add_tx(in);
	}
	while (fake_used(&g.f.queue[TX], &id, &len))
		;
	while (fake_used(&g.f.queue[RX], &id, &len))
		FUZZ_CHECK(len <= 255 * 8, "%u bytes", len);
	check();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_input in = {data, data + len};
	uint64_t features = VIRTIO_F_EVENT_IDX, bits = fuzz_take(&in, 1);

	if (bits & 1)
		features |= VIRTIO_F_RING_PACKED;
	if (bits & 2)
		features |= VIRTIO_VSOCK_F_SEQPACKET;
	if (!g.f.d) /* once: its memory is large */
		rig_init(&g);
	g.ends = 0;
	g.refuse = false;
	fake_virtio_start(&g.f, features, QUEUE);
	for (unsigned i = 0; i < STEPS_MAX && in.at < in.end; i++)
		step(&in, features);
	virtio_status_write(&g.v.device, 0);
	fake_virtio_run(&g.f);
	for (unsigned i = 0; i < g.ends && i < RIG_ENDS; i++)
		FUZZ_CHECK(g.end[i].closes == 1, "end %u was closed %u times", i, g.end[i].closes);
	return 0;
}
