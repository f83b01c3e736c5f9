/* 82540EM: EEPROM, PHY, filters, both rings, checksums and segmentation, interrupts. */
#include "test.h"

#include <stdlib.h>

#include "base/bits.h"
#include "device/e1000_parts.h"
#include "device/net_offload.h"
#include "fake.h"
#include "fake_worker.h"

enum {
	RAM = 1 << 20,
	TX_RING = 0x1000,
	RX_RING = 0x2000,
	TX_DATA = 0x10000,
	RX_DATA = 0x40000,
	RING = 8, /* entries */
	LINE = 5,
	HEADERS = 54,
};

struct board {
	struct fake f;
	struct e1000 e;
	struct net_network network;
	struct space memory;
	struct fake_worker io;
	uint8_t *ram;
	unsigned sent, resumed, features;
	uint8_t frame[NET_FRAME_MAX];
	size_t frame_bytes, all_bytes;
	struct net_offload offload;
};

static const uint8_t mac[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};

static void on_send(void *opaque, unsigned queue, const struct io_piece *piece, unsigned pieces,
		    const struct net_offload *o)
{
	struct board *b = opaque;

	assert_int_equal(queue, 0);
	b->sent++;
	b->frame_bytes = 0;
	for (unsigned i = 0; i < pieces; i++) {
		memcpy(b->frame + b->frame_bytes, piece[i].base, piece[i].len);
		b->frame_bytes += piece[i].len;
	}
	b->all_bytes += b->frame_bytes;
	b->offload = o ? *o : (struct net_offload){0};
}

static void on_resume(void *opaque)
{
	((struct board *)opaque)->resumed++;
}

static void on_features(void *opaque, unsigned features)
{
	((struct board *)opaque)->features = features;
}

static void run(struct board *b)
{
	fake_worker_run(&b->io, UINT_MAX);
}

static void out(struct board *b, unsigned offset, uint32_t v)
{
	b->e.pci.bar_ops[0]->write(b->e.pci.bar_opaque, offset, v, 4);
}

static uint32_t in(struct board *b, unsigned offset)
{
	return (uint32_t)b->e.pci.bar_ops[0]->read(b->e.pci.bar_opaque, offset, 4);
}

static int setup(void **state)
{
	struct board *b = calloc(1, sizeof(*b));

	fake_init(&b->f);
	b->ram = aligned_alloc(4096, RAM);
	memset(b->ram, 0, RAM);
	space_init(&b->memory, NULL, NULL, TRACE_MMIO);
	space_map_ram(&b->memory, 0, RAM, b->ram, false);
	b->network = (struct net_network){
		.send = on_send, .resume = on_resume, .card_features = on_features, .opaque = b};
	fake_worker_init(&b->io);
	e1000_init(&b->e, mac, &b->network);
	b->e.pci.ops->connect(b->e.pci.opaque,
			      &(struct pci_wiring){&b->memory, NULL, &b->io.worker, &b->f.clock,
						   &b->f.timerq, NULL});
	b->e.pci.irq = fake_line(&b->f, LINE);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct board *b = *state;

	space_destroy(&b->memory);
	free(b->ram);
	free(b);
	return 0;
}

static void start(struct board *b)
{
	out(b, E1000_TDBAL, TX_RING);
	out(b, E1000_TDLEN, RING * E1000_DESCRIPTOR_BYTES);
	out(b, E1000_TCTL, E1000_TX_ENABLE | E1000_TX_PAD);
	out(b, E1000_RDBAL, RX_RING);
	out(b, E1000_RDLEN, RING * E1000_DESCRIPTOR_BYTES);
	for (unsigned i = 0; i < RING; i++)
		store_le64(b->ram + RX_RING + 16 * i, RX_DATA + 0x1000 * i);
	out(b, E1000_RDT, RING - 1);
	out(b, E1000_RCTL, E1000_RX_ENABLE | E1000_RX_BROADCAST);
	run(b);
}

/* EEPROM words one after the other, by the wires as Linux does it. */
static uint16_t wire_word(struct board *b, unsigned address)
{
	unsigned command = 6u << 6 | address, v = 0;

	out(b, E1000_EECD, 0x40); /* request */
	assert_int_equal(in(b, E1000_EECD) & 0x1c0, 0x1c0);
	out(b, E1000_EECD, 0x42);
	for (int i = 8; i >= 0; i--) {
		uint32_t di = command >> i & 1 ? 4 : 0;

		out(b, E1000_EECD, 0x42 | di);
		out(b, E1000_EECD, 0x43 | di);
		out(b, E1000_EECD, 0x42 | di);
	}
	for (int i = 0; i < 16; i++) {
		out(b, E1000_EECD, 0x43);
		v = v << 1 | (in(b, E1000_EECD) >> 3 & 1);
		out(b, E1000_EECD, 0x42);
	}
	out(b, E1000_EECD, 0);
	return (uint16_t)v;
}

static void eeprom(void **state)
{
	struct board *b = *state;
	uint16_t sum = 0;

	for (unsigned i = 0; i < E1000_EEPROM_WORDS; i++) {
		uint16_t v = wire_word(b, i);

		out(b, E1000_EERD, i << 8 | 1);
		assert_int_equal(in(b, E1000_EERD), (uint32_t)v << 16 | i << 8 | 0x10);
		sum = (uint16_t)(sum + v);
	}
	assert_int_equal(sum, 0xbaba);
	assert_int_equal(wire_word(b, 0), 0x5452);
	assert_int_equal(in(b, E1000_RAL), 0x12005452);
	assert_int_equal(in(b, E1000_RAL + 4), 0x80005634);
	assert_int_equal(b->features, NET_TAKES_CSUM);
}

static uint16_t phy(struct board *b, unsigned reg)
{
	out(b, E1000_MDIC, 2u << 26 | 1u << 21 | reg << 16);
	assert_int_equal(in(b, E1000_MDIC) >> 28, 1);
	return (uint16_t)in(b, E1000_MDIC);
}

static void link_and_phy(void **state)
{
	struct board *b = *state;

	assert_int_equal(phy(b, 2), 0x0141);
	assert_int_equal(phy(b, 3), 0x0c20);
	assert_int_equal(phy(b, 1) & 0x24, 0x24);
	assert_int_equal(in(b, E1000_STATUS) & 3, 3);
	out(b, E1000_MDIC, 2u << 26 | 2u << 21); /* no such PHY */
	assert_int_equal(in(b, E1000_MDIC) >> 28, 5);
	out(b, E1000_IMS, E1000_INT_LINK);
	b->network.card.link(b->network.card.opaque, false);
	assert_int_equal(b->f.level[LINE], 1);
	assert_int_equal(in(b, E1000_ICR), E1000_INT_LINK);
	assert_int_equal(b->f.level[LINE], 0);
	assert_int_equal(in(b, E1000_STATUS) & 3, 1);
	assert_int_equal(phy(b, 1) & 0x24, 0);
	b->network.card.link(b->network.card.opaque, true);
	assert_int_equal(in(b, E1000_STATUS) & 3, 3);
	out(b, E1000_CTRL, E1000_CTRL_RESET);
	assert_int_equal(b->f.level[LINE], 0);
	assert_int_equal(in(b, E1000_IMS), 0);
	assert_int_equal(in(b, E1000_STATUS) & 3, 3);
}

/* The registers through two I/O ports. */
static void ports(void **state)
{
	struct board *b = *state;
	const struct io_ops *ops = b->e.pci.bar_ops[1];

	ops->write(b->e.pci.bar_opaque, 0, E1000_RDBAL, 4);
	ops->write(b->e.pci.bar_opaque, 4, 0x12345678, 4);
	assert_int_equal(in(b, E1000_RDBAL), 0x12345670);
	assert_int_equal(ops->read(b->e.pci.bar_opaque, 4, 4), 0x12345670);
	ops->write(b->e.pci.bar_opaque, 0, 0xffffffff, 4);
	assert_int_equal(ops->read(b->e.pci.bar_opaque, 4, 4), 0);
	ops->write(b->e.pci.bar_opaque, 4, 1, 4);
}

static void descriptor(struct board *b, unsigned n, uint64_t address, uint32_t command,
		       uint32_t status)
{
	uint8_t *d = b->ram + TX_RING + 16 * n;

	store_le64(d, address);
	store_le32(d + 8, command);
	store_le32(d + 12, status);
}

static void transmit(void **state)
{
	struct board *b = *state;

	start(b);
	out(b, E1000_IMS, E1000_INT_TX_DONE);
	memset(b->ram + TX_DATA, 0x11, 100);
	memset(b->ram + TX_DATA + 100, 0x22, 100);
	descriptor(b, 0, TX_DATA, 40, 0);
	out(b, E1000_TDT, 1);
	run(b);
	assert_int_equal(b->sent, 0); /* no end yet */
	descriptor(b, 1, TX_DATA + 100, 60 | 9u << 24, 0);
	out(b, E1000_TDT, 2);
	run(b);
	assert_int_equal(b->sent, 1);
	assert_int_equal(b->frame_bytes, 100);
	assert_int_equal(b->frame[39], 0x11);
	assert_int_equal(b->frame[40], 0x22);
	assert_int_equal(b->ram[TX_RING + 12], 0);
	assert_int_equal(b->ram[TX_RING + 16 + 12], 1);
	assert_int_equal(in(b, E1000_TDH), 2);
	assert_int_equal(b->f.level[LINE], 1);
	assert_int_equal(in(b, E1000_ICR) & E1000_INT_TX_DONE, E1000_INT_TX_DONE);
	/* short ones are padded; a checksum as old cards insert it, over bytes 10 to the end at 4
	 */
	descriptor(b, 2, TX_DATA, 20 | 4 << 16 | 5u << 24, 10 << 8);
	out(b, E1000_TDT, 3);
	run(b);
	assert_int_equal(b->frame_bytes, 60);
	assert_int_equal(net_load16(b->frame + 4), 0xffff & ~(5 * 0x1111));
	assert_int_equal(in(b, E1000_GPTC), 2);
	assert_int_equal(in(b, E1000_GPTC), 0);
}

/* An IPv4 TCP packet of bytes of data, lengths and checksums as for segmentation. */
static void tcp(uint8_t *f, size_t bytes)
{
	memset(f, 0, HEADERS);
	memcpy(f + 6, mac, 6);
	net_store16(f + 12, 0x0800);
	f[14] = 0x45;
	f[22] = 64;
	f[23] = NET_PROTO_TCP;
	net_store32(f + 26, 0x0a000001);
	net_store32(f + 30, 0x0a000002);
	f[46] = 0x50;
	f[47] = NET_TCP_ACK;
	for (size_t i = 0; i < bytes; i++)
		f[HEADERS + i] = (uint8_t)(i * 7);
}

static void check_sums(const uint8_t *f, size_t len)
{
	struct net_headers h;

	assert_true(net_headers_parse(f, len, &h));
	assert_int_equal(h.end, len);
	assert_int_equal(net_sum_fold(net_sum(f + 14, 20, 0)), 0);
	assert_int_equal(
		net_sum_fold(net_sum(f + h.l4, h.end - h.l4, net_sum_pseudo(f, &h, h.end - h.l4))),
		0);
}

static void segmentation(void **state)
{
	struct board *b = *state;
	uint64_t context = 14 | 24 << 8 | 33 << 16 | 34ull << 32 | 50ull << 40;
	struct net_offload o;

	start(b);
	tcp(b->ram + TX_DATA, 4000);
	descriptor(b, 0, context, 4000 | 0x27u << 24, HEADERS << 8 | 1460u << 16);
	descriptor(b, 1, TX_DATA, HEADERS | 1 << 20 | 0x24u << 24, 3 << 8);
	descriptor(b, 2, TX_DATA + HEADERS, 4000 | 1 << 20 | 0x2du << 24, 3 << 8);
	out(b, E1000_TDT, 3);
	run(b);
	assert_int_equal(b->sent, 3);
	assert_int_equal(b->all_bytes, 3 * HEADERS + 4000);
	assert_int_equal(b->frame_bytes, HEADERS + 1080);
	check_sums(b->frame, b->frame_bytes);
	/* the same for a network that does it itself: one frame, and what is to be done */
	b->network.features = NET_TAKES_CSUM | NET_TAKES_TSO4;
	descriptor(b, 3, TX_DATA, (HEADERS + 4000) | 1 << 20 | 0x2du << 24, 3 << 8);
	out(b, E1000_TDT, 4);
	run(b);
	assert_int_equal(b->sent, 4);
	assert_int_equal(b->frame_bytes, HEADERS + 4000);
	assert_int_equal(net_load16(b->frame + 16), 4040);
	o = b->offload;
	assert_int_equal(o.gso_type, NET_GSO_TCP4);
	assert_int_equal(o.gso_bytes, 1460);
	assert_int_equal(o.header_bytes, HEADERS);
	assert_int_equal(o.csum_start, 34);
	assert_int_equal(o.csum_offset, 16);
	assert_true(net_checksum_fill(b->frame, b->frame_bytes, &o));
	check_sums(b->frame, b->frame_bytes);
	/* nonsense is dropped: headers beyond the packet, segments of nothing */
	descriptor(b, 4, context, 0x27u << 24, 255 << 8 | 1460u << 16);
	descriptor(b, 5, TX_DATA, HEADERS | 1 << 20 | 0x2du << 24, 3 << 8);
	descriptor(b, 6, context, 0x27u << 24, HEADERS << 8);
	descriptor(b, 7, TX_DATA, 200 | 1 << 20 | 0x2du << 24, 3 << 8);
	out(b, E1000_TDT, 0);
	run(b);
	assert_int_equal(b->sent, 4);
	assert_int_equal(in(b, E1000_TDH), 0);
}

static void hostile_rings(void **state)
{
	struct board *b = *state;

	start(b);
	for (unsigned i = 0; i < RING; i++)
		descriptor(b, i, 0xfffffffff000, 0xffff, 0);
	out(b, E1000_TDT, RING - 1); /* full, and no end */
	run(b);
	assert_int_equal(in(b, E1000_TDH), RING - 1);
	for (unsigned i = 0; i < RING; i++)
		descriptor(b, i, TX_DATA, 0xffff, 0);
	descriptor(b, 2, TX_DATA, 0xffff | 9u << 24, 0); /* too long */
	out(b, E1000_TDT, 3);
	run(b);
	assert_int_equal(b->sent, 0);
	assert_int_equal(in(b, E1000_TDH), 3);
	out(b, E1000_TDT, 0xffff);
	run(b);
	out(b, E1000_TDH, 0xffff);
	out(b, E1000_TDBAH, 0xffffffff);
	out(b, E1000_TDT, 1);
	run(b);
	assert_int_equal(b->sent, 0);
}

static bool receive(struct board *b, uint8_t *f, size_t len, const struct net_offload *o)
{
	struct io_piece piece[2] = {{f, 10}, {f + 10, len - 10}};

	return b->network.card.receive(b->network.card.opaque, piece, 2, o);
}

static const uint8_t *rx(struct board *b, unsigned n)
{
	return b->ram + RX_RING + 16 * n;
}

static void reception(void **state)
{
	struct net_offload o = {.flags = NET_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16};
	struct board *b = *state;
	struct net_headers h;
	uint8_t f[3000];
	uint16_t pseudo;

	memset(f, 0xff, 64);
	assert_true(receive(b, f, 64, NULL)); /* not enabled: dropped */
	start(b);
	out(b, E1000_IMS, E1000_INT_RX);
	assert_true(receive(b, f, 64, NULL));
	assert_int_equal(in(b, E1000_RDH), 1);
	assert_int_equal(load_le16(rx(b, 0) + 8), 68); /* with room for a CRC */
	assert_int_equal(rx(b, 0)[12], 7);
	assert_memory_equal(b->ram + RX_DATA, f, 64);
	assert_int_equal(b->f.level[LINE], 1);
	in(b, E1000_ICR);
	tcp(f, 100);
	net_store16(f + 16, 140);
	memcpy(f, mac, 6);
	assert_true(receive(b, f, HEADERS + 100, NULL)); /* bad checksums */
	assert_int_equal(rx(b, 1)[12], 0x63);
	assert_int_equal(rx(b, 1)[13], 0x60);
	store_le16(f + 24, net_sum_fold(net_sum(f + 14, 20, 0)));
	assert_true(net_headers_parse(f, HEADERS + 100, &h));
	pseudo = (uint16_t)~net_sum_fold(net_sum_pseudo(f, &h, 120));
	memcpy(f + 50, &pseudo, 2);
	assert_true(receive(b, f, HEADERS + 100, &o)); /* filled in, and so it is right */
	assert_int_equal(rx(b, 2)[12], 0x63);
	assert_int_equal(rx(b, 2)[13], 0);
	check_sums(b->ram + RX_DATA + 2 * 0x1000, HEADERS + 100);
	f[5]++; /* for somebody else */
	assert_true(receive(b, f, HEADERS + 100, NULL));
	assert_int_equal(in(b, E1000_RDH), 3);
	/* multicast by hash: bits 47-36 of the address */
	f[0] = 1, f[4] = 0x50, f[5] = 0x12;
	assert_true(receive(b, f, 100, NULL));
	assert_int_equal(in(b, E1000_RDH), 3);
	out(b, E1000_MTA + 0x125 / 32 * 4, 1u << 0x125 % 32);
	assert_true(receive(b, f, 100, NULL));
	assert_int_equal(in(b, E1000_RDH), 4);
	/* long ones only if the driver wants them; then over two buffers */
	memset(f, 0xff, sizeof(f));
	assert_true(receive(b, f, 2500, NULL));
	assert_int_equal(in(b, E1000_RDH), 4);
	out(b, E1000_RCTL,
	    E1000_RX_ENABLE | E1000_RX_BROADCAST | E1000_RX_LONG | E1000_RX_KEEP_CRC);
	assert_true(receive(b, f, 2500, NULL));
	assert_int_equal(in(b, E1000_RDH), 6);
	assert_int_equal(load_le16(rx(b, 4) + 8), 2048);
	assert_int_equal(rx(b, 4)[12], 1);
	assert_int_equal(load_le16(rx(b, 5) + 8), 452);
	assert_int_equal(rx(b, 5)[12], 7);
	/* one left: no room, until the driver gives more */
	assert_false(receive(b, f, 2500, NULL));
	run(b);
	assert_int_equal(b->resumed, 0);
	out(b, E1000_RDT, 2);
	run(b);
	assert_int_equal(b->resumed, 1);
	assert_true(receive(b, f, 2500, NULL));
	assert_int_equal(in(b, E1000_RDH), 0);
}

static void throttling(void **state)
{
	struct board *b = *state;

	out(b, E1000_ITR, 1000); /* 256 us */
	out(b, E1000_IMS, E1000_INT_RX);
	out(b, E1000_ICS, E1000_INT_RX);
	assert_int_equal(b->f.level[LINE], 1);
	in(b, E1000_ICR);
	fake_advance(&b->f, 100000);
	out(b, E1000_ICS, E1000_INT_RX);
	assert_int_equal(b->f.level[LINE], 0);
	fake_advance(&b->f, 155000);
	assert_int_equal(b->f.level[LINE], 0);
	fake_advance(&b->f, 2000);
	assert_int_equal(b->f.level[LINE], 1);
	out(b, E1000_IMC, E1000_INT_RX);
	assert_int_equal(b->f.level[LINE], 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(eeprom),	    TEST(link_and_phy),	 TEST(ports),	  TEST(transmit),
		TEST(segmentation), TEST(hostile_rings), TEST(reception), TEST(throttling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
