/*
 * Boot images on a small machine: valid ones of each protocol with bytes changed, cut or replaced,
 * and unpack on changed streams. Every image boots or is refused with one message; buffers are
 * given back; the boot CPU starts with its interrupts off.
 */
#include <string.h>

#include <zlib.h>
#include <zstd.h>

#include "bootbox.h"
#include "fuzz.h"

static int scratch; /* buffers not given back */

static void *scratch_alloc(size_t bytes)
{
	scratch++;
	return malloc(bytes ? bytes : 1);
}

static void scratch_free(void *p)
{
	scratch--;
	free(p);
}

static size_t compress_image(unsigned how, const uint8_t *in, size_t len, uint8_t *out, size_t room)
{
	z_stream z = {.next_in = (uint8_t *)(uintptr_t)in,
		      .avail_in = (uInt)len,
		      .next_out = out,
		      .avail_out = (uInt)room};

	if (how & 1)
		return ZSTD_compress(out, room, in, len, 1);
	deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
	deflate(&z, Z_FINISH);
	deflateEnd(&z);
	return z.total_out;
}

/* Change some bytes, mostly near the start, where headers are. */
static void mutate(struct fuzz_input *in, uint8_t *p, size_t len, unsigned count)
{
	while (count-- && len) {
		uint64_t at = fuzz_take(in, 2);
		unsigned how = (unsigned)fuzz_take(in, 1), bytes = 1u << (how & 3);
		uint64_t v = how & 4 ? fuzz_take(in, bytes) : how & 8 ? ~0ull : 0;

		at = how & 16 ? at % len : at % (len < 160 ? len : 160);
		if (how & 32) /* a Linux setup header */
			at = 0x1f0 + at % 0x80;
		if (how & 64)
			at &= ~3ull;
		for (unsigned i = 0; i < bytes && at + i < len; i++)
			p[at + i] = (uint8_t)(v >> 8 * i);
	}
}

static size_t make_image(struct fuzz_input *in, uint8_t *out)
{
	static uint8_t image[BOOTBOX_IMAGE], small[BOOTBOX_IMAGE];
	unsigned kind = (unsigned)fuzz_take(in, 1), inner = (unsigned)fuzz_take(in, 1) % 4;
	bool is64 = kind & 16;
	uint32_t tag[8] = {(uint32_t)fuzz_take(in, 1) % 16, 8 + (uint32_t)fuzz_take(in, 1) % 24};
	size_t n;

	n = bootbox_elf(image, is64, kind & 32 ? BOOTBOX_ENTRY : 0);
	for (int i = 2; i < 8; i++)
		tag[i] = (uint32_t)fuzz_take(in, 1) << fuzz_take(in, 1) % 25;
	switch (kind % 8) {
	case 0:
		bootbox_multiboot(image, 0x204, 3 | (kind & 64) << 10);
		break;
	case 1:
		bootbox_multiboot2(image, 0x208, tag, tag[1] < 32 ? tag[1] : 32);
		break;
	case 2:
		image[510] = 0x55;
		image[511] = 0xaa;
		break;
	default:
		break;
	}
	mutate(in, image, n, inner);
	if (kind % 8 < 4) {
		memcpy(out, image, n);
		return n;
	}
	n = compress_image(kind >> 5, image, n, small, sizeof(small) / 2);
	if (kind & 128)
		mutate(in, small, n, 1);
	if (kind % 8 < 6)
		return bootbox_bzimage(out, small, n,
				       kind & 64 ? (uint32_t)fuzz_take(in, 3) : BOOTBOX_TEXT + 64);
	memcpy(out, small, n);
	return n;
}

static void check(struct bootbox *b, int r)
{
	const struct x86_cpu *cpu = &b->cpus[0];

	FUZZ_CHECK(scratch == 0, "%d buffers kept", scratch);
	FUZZ_CHECK(r <= 0, "%d", r);
	if (r) {
		FUZZ_CHECK(b->err.text[0] && !strchr(b->err.text, '\n'), "%d: no message", r);
	} else {
		FUZZ_CHECK(!(cpu->rflags & X86_IF), "interrupts on");
		FUZZ_CHECK(cpu->activity == X86_RUNNING, "the boot CPU does not run");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint64_t memory[] = {2 << 20, 3 << 20, 4 << 20, 16 << 20};
	static uint8_t image[2 * BOOTBOX_IMAGE];
	struct fuzz_input in = {data, data + len};
	unsigned how = (unsigned)fuzz_take(&in, 1);
	uint64_t initrd_len = how & 4 ? fuzz_take(&in, 3) % (5 << 20) : 0;
	uint8_t *exact, *initrd = calloc(1, initrd_len + 1);
	struct boot_config c = {.cmdline = how & 8 ? "quiet x=1" : "",
				.unpack = unpack,
				.unpack_pieces = unpack_pieces,
				.alloc = scratch_alloc,
				.free = scratch_free};
	struct bootbox b;
	size_t n;

	bootbox_open(&b, memory[how & 3], 1);
	memset(image, 0, sizeof(image));
	n = make_image(&in, image);
	mutate(&in, image, n, (unsigned)fuzz_take(&in, 1) % 4);
	if (how & 16)
		n = fuzz_take(&in, 2) % (n + 1);
	exact = malloc(n ? n : 1); /* no longer, so that ASan sees a byte too far */
	memcpy(exact, image, n);
	c.kernel = (struct boot_blob){exact, n, "k"};
	c.initrd = (struct boot_blob){initrd_len ? initrd : NULL, initrd_len, "i"};
	machine_pc.reset(b.m);
	check(&b, machine_pc.boot(b.m, &c, &b.err));
	bootbox_close(&b);
	free(exact);
	free(initrd);
	return 0;
}
