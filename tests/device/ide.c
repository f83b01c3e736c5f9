/* IDE: identification, PIO and DMA both ways, addresses, errors, resets, absent drives. */
#include "test.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bits.h"
#include "device/ide.h"
#include "fake.h"
#include "fake_worker.h"

enum {
	RAM = 1 << 20,
	SECTORS = 1000,
	TABLE = 0x800,
	DATA = 0x10000,
	DATA_PORT = 0,
	COUNT = 2,
	LBA = 3,
	DEVICE = 6,
	STATUS = 7,
	LINE = 14,
};

struct board {
	struct fake f;
	struct ide ide;
	struct space memory;
	struct fake_worker io;
	struct block_disk disk;
	struct block_request *request;
	uint8_t *ram, content[SECTORS * BLOCK_SECTOR];
	unsigned flushes;
	int error;
};

static void on_submit(void *opaque, struct block_request *r)
{
	struct board *b = opaque;

	assert_null(b->request);
	b->request = r;
}

static void finish(struct board *b)
{
	struct block_request *r = b->request;

	b->request = NULL;
	if (!b->error && r->op == BLOCK_FLUSH) {
		b->flushes++;
	} else if (!b->error) {
		assert_true(r->offset + r->bytes <= sizeof(b->content));
		assert_int_equal(r->bytes, r->piece->len);
		if (r->op == BLOCK_READ)
			memcpy(r->piece->base, b->content + r->offset, r->bytes);
		else
			memcpy(b->content + r->offset, r->piece->base, r->bytes);
	}
	r->done(r, b->error);
}

/* The I/O thread, until it has nothing to do. */
static void run(struct board *b)
{
	while (b->io.posted || b->request)
		if (!fake_worker_run(&b->io, 1))
			finish(b);
}

static int setup(void **state)
{
	struct board *b = calloc(1, sizeof(*b));

	fake_init(&b->f);
	b->ram = aligned_alloc(4096, RAM);
	memset(b->ram, 0, RAM);
	space_init(&b->memory, NULL, NULL, TRACE_MMIO);
	space_map_ram(&b->memory, 0, RAM, b->ram, false);
	fake_worker_init(&b->io);
	b->disk = (struct block_disk){
		.submit = on_submit, .opaque = b, .bytes = sizeof(b->content), .serial = "S1"};
	for (size_t i = 0; i < sizeof(b->content); i++)
		b->content[i] = (uint8_t)(i / BLOCK_SECTOR + i);
	ide_init(&b->ide, fake_line(&b->f, 14), fake_line(&b->f, 15),
		 &(struct pci_wiring){&b->memory, NULL, &b->io.worker, &b->f.clock, &b->f.timerq,
				      NULL});
	assert_true(ide_attach(&b->ide, 0, &b->disk));
	assert_false(ide_attach(&b->ide, 4, &b->disk));
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

static void out(struct board *b, unsigned reg, uint32_t v, unsigned bytes)
{
	ide_command_io_ops.write(&b->ide.channel[0], reg, v, bytes);
}

static uint32_t in(struct board *b, unsigned reg, unsigned bytes)
{
	return (uint32_t)ide_command_io_ops.read(&b->ide.channel[0], reg, bytes);
}

static void bm_out(struct board *b, unsigned reg, uint32_t v, unsigned bytes)
{
	b->ide.pci.bar_ops[4]->write(b->ide.pci.bar_opaque, reg, v, bytes);
}

static uint32_t bm_in(struct board *b, unsigned reg, unsigned bytes)
{
	return (uint32_t)b->ide.pci.bar_ops[4]->read(b->ide.pci.bar_opaque, reg, bytes);
}

static void command(struct board *b, uint8_t op, uint32_t lba, unsigned count)
{
	out(b, COUNT, count, 1);
	out(b, LBA, lba, 1);
	out(b, LBA + 1, lba >> 8, 1);
	out(b, LBA + 2, lba >> 16, 1);
	out(b, DEVICE, 0x40 | lba >> 24, 1);
	out(b, STATUS, op, 1);
}

static void identify(void **state)
{
	struct board *b = *state;
	uint16_t id[256];

	command(b, 0xec, 0, 0);
	assert_int_equal(b->f.level[LINE], 1);
	assert_int_equal(in(b, STATUS, 1), 0x58);
	assert_int_equal(b->f.level[LINE], 0);
	for (unsigned i = 0; i < 256; i++)
		id[i] = (uint16_t)in(b, DATA_PORT, 2);
	assert_int_equal(in(b, STATUS, 1), 0x50);
	assert_int_equal(in(b, DATA_PORT, 2), 0);
	assert_int_equal(id[60] | (uint32_t)id[61] << 16, SECTORS);
	assert_int_equal(id[100], SECTORS);
	assert_int_equal(id[10], 'S' << 8 | '1');
	assert_int_equal(id[63], 0x0407);
	/* the second drive is not there; ATAPI neither */
	out(b, DEVICE, 0x10, 1);
	assert_int_equal(in(b, STATUS, 1), 0);
	out(b, STATUS, 0xec, 1);
	assert_int_equal(b->f.level[LINE], 0);
	command(b, 0xa1, 0, 0);
	assert_int_equal(in(b, STATUS, 1), 0x51);
	assert_int_equal(in(b, 1, 1), 4);
	/* the second channel is empty */
	assert_int_equal(ide_command_io_ops.read(&b->ide.channel[1], STATUS, 1), 0xff);
}

static void pio(void **state)
{
	struct board *b = *state;

	command(b, 0x20, 10, 2);
	assert_int_equal(in(b, STATUS, 1), 0x80);
	run(b);
	for (unsigned s = 10; s < 12; s++) {
		assert_int_equal(b->f.level[LINE], 1); /* for each sector */
		assert_int_equal(in(b, STATUS, 1), 0x58);
		for (unsigned i = 0; i < BLOCK_SECTOR; i += 4)
			assert_int_equal(in(b, DATA_PORT, 4),
					 load_le32(b->content + s * BLOCK_SECTOR + i));
	}
	assert_int_equal(b->f.level[LINE], 0);
	assert_int_equal(in(b, STATUS, 1), 0x50);
	/* 48 bits: the sector's high part is what was in the registers before */
	out(b, COUNT, 0, 1);
	out(b, LBA, 0, 1);
	command(b, 0x34, 500, 1);
	assert_int_equal(in(b, STATUS, 1), 0x58); /* no interrupt for the first */
	assert_int_equal(b->f.level[LINE], 0);
	for (unsigned i = 0; i < BLOCK_SECTOR; i += 2)
		out(b, DATA_PORT, 0xbeef, 2);
	assert_int_equal(in(b, STATUS, 1), 0x80);
	run(b);
	assert_int_equal(b->f.level[LINE], 1);
	assert_int_equal(load_le16(b->content + 500 * BLOCK_SECTOR + 510), 0xbeef);
	assert_true(load_le16(b->content + 501 * BLOCK_SECTOR) != 0xbeef);
	/* MULTIPLE: once its size is set, an interrupt for each block */
	command(b, 0xc4, 0, 5);
	assert_int_equal(in(b, STATUS, 1), 0x51);
	command(b, 0xc6, 0, 4);
	assert_int_equal(in(b, STATUS, 1), 0x50);
	command(b, 0xc4, 0, 5);
	run(b);
	in(b, STATUS, 1);
	for (unsigned i = 0; i < 4 * BLOCK_SECTOR; i += 4) {
		assert_int_equal(b->f.level[LINE], 0);
		in(b, DATA_PORT, 4);
	}
	assert_int_equal(b->f.level[LINE], 1);
}

/* As many pieces of memory as bytes has entries. */
static void table(struct board *b, const uint32_t *bytes, unsigned n)
{
	uint32_t at = DATA;

	for (unsigned i = 0; i < n; i++) {
		store_le32(b->ram + TABLE + 8 * i, at);
		store_le32(b->ram + TABLE + 8 * i + 4, (bytes[i] & 0xffff) | (uint32_t)(i == n - 1)
										     << 31);
		at += bytes[i];
	}
	bm_out(b, 4, TABLE, 4);
	bm_out(b, 2, 6, 1);
}

static void dma(void **state)
{
	const uint32_t four[] = {100, 0x10000, 0x10000, 300 * 512 - 0x20000 - 100},
		       exact[] = {0x8000}, half[] = {512};
	struct board *b = *state;

	table(b, four, 4); /* more than the buffer holds */
	out(b, COUNT, 1, 1);
	out(b, LBA, 0, 1);
	command(b, 0x25, 20, 300 & 0xff);
	bm_out(b, 0, 9, 1);
	assert_int_equal(bm_in(b, 2, 1), 1);
	run(b);
	assert_int_equal(b->f.level[LINE], 1);
	assert_int_equal(bm_in(b, 2, 1), 4);
	assert_int_equal(in(b, STATUS, 1), 0x50);
	assert_memory_equal(b->ram + DATA, b->content + 20 * BLOCK_SECTOR, 300 * BLOCK_SECTOR);
	bm_out(b, 0, 0, 1);
	/* a write, started after the command */
	table(b, exact, 1);
	memset(b->ram + DATA, 0x77, 0x8000);
	command(b, 0xca, 100, 64);
	run(b);
	assert_int_equal(in(b, STATUS, 1), 0x80);
	bm_out(b, 0, 1, 1);
	run(b);
	assert_int_equal(bm_in(b, 2, 1), 4);
	assert_int_equal(b->content[164 * BLOCK_SECTOR - 1], 0x77);
	assert_true(b->content[164 * BLOCK_SECTOR] != 0x77);
	bm_out(b, 0, 0, 1);
	/* a table that is too short, and one outside memory */
	table(b, half, 1);
	command(b, 0xc8, 0, 2);
	bm_out(b, 0, 9, 1);
	run(b);
	assert_int_equal(bm_in(b, 2, 1), 6);
	assert_int_equal(in(b, STATUS, 1), 0x51);
	bm_out(b, 0, 0, 1);
	bm_out(b, 4, 0xfffffff0, 4);
	bm_out(b, 2, 6, 1);
	command(b, 0xc8, 0, 2);
	bm_out(b, 0, 9, 1);
	run(b);
	assert_int_equal(bm_in(b, 2, 1), 6);
	assert_int_equal(in(b, STATUS, 1), 0x51);
}

static void errors(void **state)
{
	struct board *b = *state;

	command(b, 0x20, SECTORS - 1, 2); /* beyond the end */
	assert_int_equal(in(b, STATUS, 1), 0x51);
	assert_int_equal(in(b, 1, 1), 0x10);
	b->error = -EIO;
	command(b, 0x20, 0, 1);
	run(b);
	assert_int_equal(in(b, STATUS, 1), 0x51);
	assert_int_equal(in(b, 1, 1), 0x40);
	command(b, 0xe7, 0, 0);
	run(b);
	assert_int_equal(in(b, STATUS, 1), 0x51);
	b->error = 0;
	command(b, 0xea, 0, 0);
	run(b);
	assert_int_equal(in(b, STATUS, 1), 0x50);
	assert_int_equal(b->flushes, 1);
	b->disk.readonly = true;
	command(b, 0x30, 0, 1);
	assert_int_equal(in(b, STATUS, 1), 0x51);
	/* by cylinder: sector 0 does not exist, the last one does */
	command(b, 0x20, 0, 1);
	run(b);
	out(b, DEVICE, 0, 1);
	out(b, STATUS, 0x20, 1);
	assert_int_equal(in(b, STATUS, 1) & 0x80, 0);
}

static void resets(void **state)
{
	struct board *b = *state;

	command(b, 0x20, 0, 1);
	fake_worker_run(&b->io, 1);
	assert_non_null(b->request);
	ide_control_io_ops.write(&b->ide.channel[0], 0, 4, 1);
	ide_control_io_ops.write(&b->ide.channel[0], 0, 0, 1);
	assert_int_equal(ide_control_io_ops.read(&b->ide.channel[0], 0, 1), 0x80);
	run(b); /* the request that was out comes back first */
	assert_int_equal(in(b, STATUS, 1), 0x50);
	assert_int_equal(b->f.level[LINE], 0);
	assert_int_equal(in(b, COUNT, 1), 1);
	assert_int_equal(in(b, LBA, 1), 1);
	assert_int_equal(in(b, LBA + 1, 1), 0);
	ide_control_io_ops.write(&b->ide.channel[0], 0, 2, 1); /* no interrupts */
	command(b, 0xec, 0, 0);
	assert_int_equal(b->f.level[LINE], 0);
	ide_control_io_ops.write(&b->ide.channel[0], 0, 0, 1);
	assert_int_equal(b->f.level[LINE], 1);
	ide_reset(&b->ide);
	assert_int_equal(b->f.level[LINE], 0);
	assert_int_equal(in(b, STATUS, 1), 0x50);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(identify), TEST(pio), TEST(dma), TEST(errors), TEST(resets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
