/*
 * PCI functions under random accesses: a virtio device behind its transport, the IDE controller and
 * the e1000, each with configuration space, BARs, ports and memory that a guest fills with rings
 * and tables. Nothing may crash, hang or reach outside; saved and restored state must stay the
 * same.
 */
#include <string.h>

#include "base/bits.h"
#include "device/e1000.h"
#include "device/ide.h"
#include "device/pci/msi.h"
#include "device/virtio/virtio_pci.h"
#include "fake_worker.h"
#include "fuzz.h"

enum { RAM_BYTES = 1 << 16, DISK_BYTES = 64 * 512, WORK_MAX = 64, FRAME_BYTES = 1600 };

struct board {
	uint64_t now;
	struct clock clock;
	struct timerq timerq;
	struct space memory;
	struct pci_bus bus;
	struct pci_host host;
	struct fake_worker io;
	struct virtio_device virtio;
	struct virtio_pci virtio_pci;
	struct e1000 e1000;
	struct net_network network;
	struct ide ide;
	struct block_disk disk;
	struct block_request *request;
	uint64_t messages;
	size_t sent;
	uint8_t content[DISK_BYTES];
};

static uint64_t on_now(void *opaque)
{
	return ((struct board *)opaque)->now;
}

static void on_line(void *opaque, unsigned n, int level)
{
}

static void on_message(void *opaque, uint64_t address, uint32_t data)
{
	((struct board *)opaque)->messages += address ^ data;
}

static void on_submit(void *opaque, struct block_request *r)
{
	struct board *b = opaque;

	r->next = b->request;
	b->request = r;
}

static void on_send(void *opaque, unsigned queue, const struct io_piece *piece, unsigned pieces,
		    const struct net_offload *offload)
{
	struct board *b = opaque;

	for (unsigned i = 0; i < pieces; i++)
		for (size_t k = 0; k < piece[i].len; k++)
			b->sent += ((const uint8_t *)piece[i].base)[k];
}

/* Answers a request with what is wrong, or with data. */
static void disk_finish(struct board *b)
{
	struct block_request *r = b->request;
	int error = 0;

	if (!r)
		return;
	b->request = r->next;
	if (r->op <= BLOCK_WRITE) {
		FUZZ_CHECK(r->bytes && r->offset + r->bytes <= DISK_BYTES, "%llu at %llu",
			   (unsigned long long)r->bytes, (unsigned long long)r->offset);
		if (r->op == BLOCK_READ)
			memcpy(r->piece->base, b->content + r->offset, r->bytes);
		else
			memcpy(b->content + r->offset, r->piece->base, r->bytes);
		error = b->content[0] == 0x5a ? -5 : 0;
	}
	r->done(r, error);
}

static void work(struct board *b)
{
	fake_worker_run(&b->io, WORK_MAX);
}

static void model_config(void *model, uint32_t offset, uint8_t *buf, uint32_t bytes)
{
	FUZZ_CHECK(offset + bytes <= 24, "%u bytes at %u", bytes, offset);
	memset(buf, 1, bytes);
}

static void model_serve(void *model, unsigned n)
{
	static struct virtq_chain c;
	struct board *b = model;
	uint8_t buf[64];

	for (unsigned i = 0; i < 64 && virtqueue_pop(&b->virtio.queue[n], &c) > 0; i++) {
		size_t got = virtq_chain_read(&b->virtio.queue[n], &c, 0, buf, sizeof(buf));
		size_t put = virtq_chain_write(&b->virtio.queue[n], &c, 0, buf, got);

		virtqueue_push(&b->virtio.queue[n], &c, (uint32_t)put);
	}
}

static const struct virtio_model model = {
	.id = VIRTIO_ID_BLOCK,
	.name = "fuzz",
	.config_bytes = 24,
	.config_read = model_config,
	.serve = model_serve,
};

static void add(struct board *b, struct pci_function *f, unsigned device, unsigned function)
{
	f->irq = (struct irq_line){on_line, b, device};
	f->messages = (struct pci_messages){on_message, b};
	FUZZ_CHECK(pci_bus_add(&b->bus, f, device, function), "slot %u", device);
}

static void board_init(struct board *b, uint8_t *ram)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
	struct pci_wiring w = {&b->memory, NULL, &b->io.worker, &b->clock, &b->timerq, NULL};
	struct irq_line line = {on_line, b, 0};

	memset(b, 0, sizeof(*b));
	memset(ram, 0, RAM_BYTES);
	b->clock = (struct clock){on_now, b, 0};
	b->timerq.clock = &b->clock;
	fake_worker_init(&b->io);
	space_init(&b->memory, NULL, NULL, TRACE_MMIO);
	FUZZ_CHECK(!space_map_ram(&b->memory, 0, RAM_BYTES, ram, false), "no RAM");
	pci_host_init(&b->host, &b->bus, NULL);
	virtio_init(&b->virtio, &model, b, "fuzz", 0);
	for (unsigned i = 0; i < 3; i++)
		virtio_add_queue(&b->virtio, 16);
	virtio_connect(&b->virtio, &b->memory, NULL, &b->io.worker, NULL);
	virtio_pci_init(&b->virtio_pci, &b->virtio);
	add(b, &b->virtio_pci.pci, 2, 0);
	b->network = (struct net_network){.send = on_send, .opaque = b};
	e1000_init(&b->e1000, mac, &b->network);
	b->e1000.pci.ops->connect(&b->e1000, &w);
	FUZZ_CHECK(msi_init(&b->e1000.pci, 4), "no room for MSI");
	add(b, &b->e1000.pci, 3, 0);
	ide_init(&b->ide, line, line, &w);
	b->disk = (struct block_disk){.submit = on_submit, .opaque = b, .bytes = DISK_BYTES};
	ide_attach(&b->ide, 0, &b->disk);
	ide_attach(&b->ide, 3, &b->disk);
	add(b, &b->ide.pci, 1, 1);
}

/* ---- steps */

struct place {
	const struct io_ops *ops;
	void *opaque;
	uint64_t span;
};

/* Registers that matter are found more often than by chance. */
static uint64_t offset_of(struct fuzz_input *in, const struct place *p)
{
	static const uint16_t likely[] = {0x0400, 0x0100, 0x2800, 0x2808, 0x2810, 0x2818, 0x3800,
					  0x3808, 0x3810, 0x3818, 0x0014, 0x0016, 0x001c, 0x0020,
					  0x0028, 0x0030, 0x3000, 0x3004, 0x4000, 0x0010, 0x00d0,
					  0x5400, 0x4008, 0x400c, 0x1000, 0x2000};
	unsigned how = (unsigned)fuzz_take(in, 1);

	if (p->span > 256 && how < 128)
		return likely[how % ARRAY_LEN(likely)];
	return (p->span > 256 ? fuzz_take(in, 3) : how) % p->span;
}

static void access_place(struct board *b, struct fuzz_input *in)
{
	const struct place places[] = {
		{&pci_host_io_ops, &b->host, 8},
		{&pci_ecam_io_ops, &b->host, 4 << 15},
		{b->virtio_pci.pci.bar_ops[0], &b->virtio_pci, VIRTIO_PCI_BAR_BYTES},
		{b->e1000.pci.bar_ops[0], &b->e1000, E1000_MEMORY_BYTES},
		{b->e1000.pci.bar_ops[1], &b->e1000, E1000_PORT_BYTES},
		{&ide_command_io_ops, &b->ide.channel[0], 8},
		{&ide_command_io_ops, &b->ide.channel[1], 8},
		{&ide_control_io_ops, &b->ide.channel[0], 1},
		{b->ide.pci.bar_ops[4], &b->ide, IDE_BUS_MASTER_BYTES},
	};
	unsigned what = (unsigned)fuzz_take(in, 1), bytes = 1u << fuzz_take(in, 1) % 3;
	const struct place *p = &places[what % ARRAY_LEN(places)];
	uint64_t offset = offset_of(in, p);

	if (bytes > p->ops->max_bytes)
		bytes = p->ops->max_bytes;
	offset = offset / bytes * bytes;
	if (what & 0x80)
		p->ops->read(p->opaque, offset, bytes);
	else
		p->ops->write(p->opaque, offset, fuzz_take(in, bytes), bytes);
}

static void access_config(struct board *b, struct fuzz_input *in)
{
	struct pci_function *f[] = {&b->virtio_pci.pci, &b->e1000.pci, &b->ide.pci};
	unsigned which = (unsigned)fuzz_take(in, 1), bytes = 1u << fuzz_take(in, 1) % 3;
	unsigned at = (unsigned)fuzz_take(in, 1) / bytes * bytes;

	if (which & 0x80)
		pci_config_read(f[which % 3], at, bytes);
	else
		pci_config_write(f[which % 3], at, (uint32_t)fuzz_take(in, bytes), bytes);
}

/* Bytes of the guest's: rings, tables, frames. */
static void fill(struct board *b, struct fuzz_input *in)
{
	uint64_t at = fuzz_take(in, 2), v;

	for (unsigned n = fuzz_take(in, 1) % 8 + 1; n--; at += 8) {
		v = fuzz_take(in, 8);
		if (at & 1)
			v &= 0x3f00ffff0000fff0; /* looks more like a descriptor */
		space_write(&b->memory, at & (RAM_BYTES - 8), &v, 8);
	}
}

static void frame_in(struct board *b, struct fuzz_input *in)
{
	uint8_t f[FRAME_BYTES];
	size_t len = fuzz_take(in, 2) % sizeof(f) + 1;
	struct io_piece piece[2] = {{f, len / 2}, {f + len / 2, len - len / 2}};
	struct net_offload o = {.flags = (uint8_t)fuzz_take(in, 1),
				.csum_start = (uint16_t)fuzz_take(in, 1),
				.csum_offset = (uint16_t)fuzz_take(in, 1)};

	memset(f, 0xff, sizeof(f));
	for (unsigned i = 6; i < 60; i++)
		f[i] = (uint8_t)fuzz_take(in, 1);
	b->network.card.receive(b->network.card.opaque, piece, 2, o.flags & 4 ? NULL : &o);
}

static void save_and_restore(struct board *b, struct fuzz_input *in)
{
	static uint8_t buf[512 * 1024], buf2[512 * 1024];
	const struct {
		const struct device_desc *desc;
		void *state;
	} t[] = {
		{&pci_function_desc, &b->virtio_pci.pci},
		{&msix_desc, &b->virtio_pci.msix},
		{&virtio_pci_desc, &b->virtio_pci},
		{&pci_function_desc, &b->e1000.pci},
		{&e1000_desc, &b->e1000},
		{&ide_desc, &b->ide},
	};
	unsigned k = (unsigned)fuzz_take(in, 1) % ARRAY_LEN(t);
	const struct field *fields = t[k].desc->fields;
	size_t n = field_size(fields);

	FUZZ_CHECK(n <= sizeof(buf), "%s: %zu bytes of state", t[k].desc->name, n);
	field_save(fields, t[k].state, buf);
	field_restore(fields, t[k].state, buf);
	if (t[k].desc->after_restore)
		t[k].desc->after_restore(t[k].state);
	field_save(fields, t[k].state, buf2);
	FUZZ_CHECK(!memcmp(buf, buf2, n), "%s: restoring changed the state", t[k].desc->name);
}

static void step(struct board *b, struct fuzz_input *in)
{
	unsigned op = (unsigned)fuzz_take(in, 1);

	switch (op % 16) {
	case 0 ... 6:
		access_place(b, in);
		break;
	case 7:
		access_config(b, in);
		break;
	case 8 ... 10:
		fill(b, in);
		break;
	case 11:
		disk_finish(b);
		break;
	case 12:
		frame_in(b, in);
		break;
	case 13:
		b->now += fuzz_take(in, 3);
		timerq_run(&b->timerq, b->now);
		break;
	case 14:
		work(b);
		break;
	case 15:
		if (op == 0xff) {
			while (b->request) /* as before a reset of the machine */
				disk_finish(b);
			virtio_reset(&b->virtio);
			virtio_pci_reset(&b->virtio_pci);
			pci_function_reset(&b->virtio_pci.pci);
			e1000_reset(&b->e1000);
			ide_reset(&b->ide);
		} else if (!b->request) {
			save_and_restore(b, in);
		}
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t ram[RAM_BYTES] __attribute__((aligned(4096)));
	static struct board b;
	struct fuzz_input in = {data, data + len};

	board_init(&b, ram);
	while (in.at < in.end)
		step(&b, &in);
	virtio_destroy(&b.virtio);
	space_destroy(&b.memory);
	return 0;
}
