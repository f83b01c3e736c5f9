/* A `pc` without a vm around it, to boot images on and look at what they find. */
#ifndef TESTS_UNIT_BOOTBOX_H
#define TESTS_UNIT_BOOTBOX_H

#include "test.h"

#include <stdlib.h>

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
		.alloc = host_alloc,
		.free = host_free,
	};

	b->err.text[0] = 0;
	machine_pc.reset(b->m);
	return machine_pc.boot(b->m, &c, &b->err);
}

#endif
