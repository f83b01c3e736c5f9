/*
 * The paravirtual clock known as kvmclock: a page per CPU that turns the TSC into nanoseconds, and
 * the wall clock at boot. Linux Documentation/virt/kvm/x86/msr.rst and cpuid.rst. The TSC runs at
 * 1 GHz and never drifts, so the page is written when the guest registers it and when the relation
 * changes (kvmclock_update), and is then good for ever. Left out: steal time, async page faults.
 */
#ifndef DEVICE_KVMCLOCK_H
#define DEVICE_KVMCLOCK_H

#include "device/device.h"

enum {
	KVMCLOCK_CPUS = 64,
	KVMCLOCK_MSR_WALL_OLD = 0x11,
	KVMCLOCK_MSR_SYSTEM_OLD = 0x12,
	KVMCLOCK_MSR_WALL = 0x4b564d00,
	KVMCLOCK_MSR_SYSTEM = 0x4b564d01,
};

struct kvmclock {
	/* state */
	uint64_t wall_msr;
	uint64_t system_msr[KVMCLOCK_CPUS]; /* guest-physical address, bit 0 enables */
	uint32_t version[KVMCLOCK_CPUS];
	uint32_t wall_version;
	/* wiring */
	struct space *memory;
	const struct clock *clock;
	const struct trace *trace;
};

extern const struct device_desc kvmclock_desc;

void kvmclock_init(struct kvmclock *k, struct space *memory, const struct clock *clock);
void kvmclock_reset(void *kvmclock);
/* The four MSRs; false: not ours, or cpu out of range. tsc: that CPU's TSC now. */
bool kvmclock_msr_read(struct kvmclock *k, unsigned cpu, uint32_t msr, uint64_t *value);
bool kvmclock_msr_write(struct kvmclock *k, unsigned cpu, uint32_t msr, uint64_t value,
			uint64_t tsc);
/* Write the CPU's page again: its TSC was set, or the machine was restored. */
void kvmclock_update(struct kvmclock *k, unsigned cpu, uint64_t tsc);

#endif
