/* A `pc` without a vm around it, to boot images on and look at what they find; and small images. */
#ifndef TESTS_BOOTBOX_H
#define TESTS_BOOTBOX_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/unpack.h"
#include "host/host.h"
#include "isa/x86/fault.h"
#include "machine/pc/pc.h"

enum { BOOTBOX_CPUS_MAX = 4 };

struct bootbox {
	struct machine *m;
	struct x86_cpu *cpus; /* cpus[0] boots */
	struct x86_cpuid_model cpuid;
	struct clock clock;
	struct timerq timers;
	struct host_mutex *lock;
	struct error err;
	int scratch; /* buffers of the loader not given back yet */
};

static inline uint64_t bootbox_now(void *opaque)
{
	return 0;
}

static inline void bootbox_event(void *opaque, enum machine_event e, uint32_t code)
{
}

static inline void bootbox_wake(void *opaque, unsigned cpu)
{
}

static inline void bootbox_open(struct bootbox *b, uint64_t memory_bytes, unsigned cpus)
{
	struct machine_config cfg = {.cpus = cpus, .memory_bytes = memory_bytes};

	memset(b, 0, sizeof(*b));
	b->clock = (struct clock){bootbox_now, b, 1700000000000000000ull};
	b->timers.clock = &b->clock;
	b->cpus = host_alloc(cpus * sizeof(b->cpus[0]));
	cfg.cpuid = &b->cpuid;
	cfg.clock = &b->clock;
	cfg.timers = &b->timers;
	cfg.lock = NULL;
	cfg.event = bootbox_event;
	cfg.cpu_wake = bootbox_wake;
	if (machine_pc.create(&b->m, &cfg, b->cpus, &b->err)) {
		fprintf(stderr, "%s\n", b->err.text);
		abort();
	}
}

static inline void bootbox_close(struct bootbox *b)
{
	machine_pc.destroy(b->m);
	host_free(b->cpus);
}

/* Reset and boot; 0 or -errno with b->err. */
static inline int bootbox_boot(struct bootbox *b, const void *kernel, size_t kernel_len,
			       const void *initrd, size_t initrd_len, const char *cmdline)
{
	const struct boot_config c = {
		.kernel = {kernel, kernel_len, "k"},
		.initrd = {initrd, initrd_len, "i"},
		.cmdline = cmdline,
		.unpack = unpack,
		.unpack_pieces = unpack_pieces,
		.alloc = host_alloc,
		.free = host_free,
	};

	b->err.text[0] = 0;
	machine_pc.reset(b->m);
	return machine_pc.boot(b->m, &c, &b->err);
}

/* ---- images: each is written to out, which has room for BOOTBOX_IMAGE bytes; returns its length.
 */
enum { BOOTBOX_IMAGE = 0x3000, BOOTBOX_ENTRY = 0x100010, BOOTBOX_TEXT = 0x1000 };

/* An ELF with one segment of 64 bytes at BOOTBOX_TEXT, loaded at 1 MiB and 0x2000 long there, and a
 * PVH note if note_entry is not 0. */
static inline size_t bootbox_elf(uint8_t *out, bool is64, uint32_t note_entry)
{
	unsigned head = is64 ? 64 : 52, entry = is64 ? 56 : 32;
	uint8_t *p = out + head;

	memset(out, 0, BOOTBOX_IMAGE);
	memcpy(out, "\177ELF", 4);
	out[4] = is64 ? 2 : 1;
	out[5] = out[6] = 1;
	store_le16(out + 16, 2);
	store_le16(out + 18, is64 ? 62 : 3);
	store_le32(out + 24, 0xc0100010); /* a virtual address */
	store_le32(out + (is64 ? 32 : 28), head);
	store_le16(out + (is64 ? 54 : 42), (uint16_t)entry);
	store_le16(out + (is64 ? 56 : 44), note_entry ? 2 : 1);
	for (int i = 0; i < 2; i++, p += entry) {
		const uint32_t v[6] = {i ? 4 : 1,	   i ? 0x800 : BOOTBOX_TEXT,
				       i ? 0 : 0xc0100000, i ? 0 : 0x100000,
				       i ? 20 : 64,	   i ? 20 : 0x2000};
		store_le32(p, v[0]);
		for (unsigned k = 1; k < 6; k++)
			store_le32(p + (is64 ? 8 * k : 4 * k), v[k]);
	}
	memcpy(out + 0x800, "\4\0\0\0\4\0\0\0\22\0\0\0Xen", 16);
	store_le32(out + 0x810, note_entry);
	memset(out + BOOTBOX_TEXT, 0xf4, 64);
	return BOOTBOX_TEXT + 64;
}

/* A Multiboot header; with addresses it says that the file is loaded whole at 1 MiB. */
static inline void bootbox_multiboot(uint8_t *out, size_t at, uint32_t flags)
{
	const uint32_t fields[8] = {0x1badb002,
				    flags,
				    0u - 0x1badb002 - flags,
				    0x100000 + (uint32_t)at,
				    0x100000,
				    0,
				    0x102000,
				    BOOTBOX_ENTRY};

	memcpy(out + at, fields, flags & 1 << 16 ? 32 : 12);
}

/* A Multiboot 2 header with one more tag of n bytes. */
static inline void bootbox_multiboot2(uint8_t *out, size_t at, const void *tag, size_t n)
{
	uint32_t len = 16 + (uint32_t)((n + 7) & ~(size_t)7) + 8;
	const uint32_t fields[4] = {0xe85250d6, 0, len, 0u - 0xe85250d6 - len};
	const uint32_t end[2] = {0, 8};

	memcpy(out + at, fields, 16);
	if (n)
		memcpy(out + at + 16, tag, n);
	memcpy(out + at + len - 8, end, 8);
}

/* A bzImage whose payload is packed[0..n), which unpacks to size bytes. */
static inline size_t bootbox_bzimage(uint8_t *out, const void *packed, size_t n, uint32_t size)
{
	memset(out, 0, 1024);
	out[0x1f1] = 1;
	out[0x1fe] = 0x55;
	out[0x1ff] = 0xaa;
	memcpy(out + 0x200, "\xeb\x66HdrS", 6);
	store_le16(out + 0x206, 0x20f);
	store_le32(out + 0x214, 0x100000);
	store_le32(out + 0x22c, 0x7fffffff);
	store_le32(out + 0x238, 255);
	store_le32(out + 0x24c, (uint32_t)n + 4);
	memcpy(out + 1024, packed, n);
	store_le32(out + 1024 + n, size);
	return 1024 + n + 4;
}

#endif
