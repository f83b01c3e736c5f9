/* kvmclock: see kvmclock.h. */
#include "device/kvmclock.h"

#include <string.h>

#include "base/bits.h"

enum {
	PAGE_BYTES_WRITTEN = 32, /* struct pvclock_vcpu_time_info */
	PAGE_TSC_TIMESTAMP = 8,
	PAGE_SYSTEM_TIME = 16,
	PAGE_MUL = 24,
	PAGE_SHIFT = 28,
	PAGE_FLAGS = 29,
	FLAG_TSC_STABLE = 1,
	SYSTEM_ENABLE = 1,
	NS_PER_S = 1000000000,
};

/* Version odd while the rest is being written: readers on other CPUs try again. */
static void kvmclock_store(struct kvmclock *k, uint64_t gpa, uint32_t *version, uint8_t *page,
			   size_t len)
{
	uint32_t v = ++*version | 1;

	store_le32(page, v);
	if (!space_write(k->memory, gpa, page, 4))
		return;
	space_write(k->memory, gpa + 4, page + 4, len - 4);
	*version = v + 1;
	store_le32(page, *version);
	space_write(k->memory, gpa, page, 4);
}

void kvmclock_update(struct kvmclock *k, unsigned cpu, uint64_t tsc)
{
	uint8_t page[PAGE_BYTES_WRITTEN] = {0};

	if (cpu >= KVMCLOCK_CPUS || !(k->system_msr[cpu] & SYSTEM_ENABLE))
		return;
	store_le64(page + PAGE_TSC_TIMESTAMP, tsc);
	store_le64(page + PAGE_SYSTEM_TIME, clock_now(k->clock));
	/* ns = (ticks << 1) * 2^31 >> 32: one to one */
	store_le32(page + PAGE_MUL, 0x80000000);
	page[PAGE_SHIFT] = 1;
	page[PAGE_FLAGS] = FLAG_TSC_STABLE;
	kvmclock_store(k, k->system_msr[cpu] & ~(uint64_t)SYSTEM_ENABLE, &k->version[cpu], page,
		       sizeof(page));
}

/* The wall-clock time at which virtual time was 0. */
static void kvmclock_wall(struct kvmclock *k)
{
	uint8_t page[12] = {0};
	uint64_t epoch = k->clock->epoch_wall_ns;

	store_le32(page + 4, (uint32_t)(epoch / NS_PER_S));
	store_le32(page + 8, (uint32_t)(epoch % NS_PER_S));
	kvmclock_store(k, k->wall_msr, &k->wall_version, page, sizeof(page));
}

bool kvmclock_msr_read(struct kvmclock *k, unsigned cpu, uint32_t msr, uint64_t *value)
{
	if (cpu >= KVMCLOCK_CPUS)
		return false;
	switch (msr) {
	case KVMCLOCK_MSR_WALL:
	case KVMCLOCK_MSR_WALL_OLD:
		*value = k->wall_msr;
		return true;
	case KVMCLOCK_MSR_SYSTEM:
	case KVMCLOCK_MSR_SYSTEM_OLD:
		*value = k->system_msr[cpu];
		return true;
	}
	return false;
}

bool kvmclock_msr_write(struct kvmclock *k, unsigned cpu, uint32_t msr, uint64_t value,
			uint64_t tsc)
{
	if (cpu >= KVMCLOCK_CPUS)
		return false;
	switch (msr) {
	case KVMCLOCK_MSR_WALL:
	case KVMCLOCK_MSR_WALL_OLD:
		k->wall_msr = value;
		kvmclock_wall(k);
		return true;
	case KVMCLOCK_MSR_SYSTEM:
	case KVMCLOCK_MSR_SYSTEM_OLD:
		k->system_msr[cpu] = value;
		kvmclock_update(k, cpu, tsc);
		return true;
	}
	return false;
}

void kvmclock_reset(void *kvmclock)
{
	struct kvmclock *k = kvmclock;

	k->wall_msr = 0;
	memset(k->system_msr, 0, sizeof(k->system_msr));
	memset(k->version, 0, sizeof(k->version));
	k->wall_version = 0;
}

void kvmclock_init(struct kvmclock *k, struct space *memory, const struct clock *clock)
{
	memset(k, 0, sizeof(*k));
	k->memory = memory;
	k->clock = clock;
}

static const struct field kvmclock_fields[] = {
	FIELD(struct kvmclock, wall_msr),
	FIELD_ARRAY(struct kvmclock, system_msr),
	FIELD_ARRAY(struct kvmclock, version),
	FIELD(struct kvmclock, wall_version),
	FIELD_END,
};

const struct device_desc kvmclock_desc = {
	.name = "kvmclock",
	.text = "paravirtual clock",
	.state_bytes = sizeof(struct kvmclock),
	.fields = kvmclock_fields,
	.reset = kvmclock_reset,
};
