/* kvmclock: the page that turns a TSC into nanoseconds, and the wall clock. */
#include "test.h"

#include "base/bits.h"
#include "device/kvmclock.h"
#include "fake.h"

static uint8_t ram[8192] __attribute__((aligned(4096)));

/* What a guest computes from the page. */
static uint64_t guest_ns(const uint8_t *page, uint64_t tsc)
{
	uint64_t delta = (tsc - load_le64(page + 8)) << page[28];

	return load_le64(page + 16) +
	       (uint64_t)((unsigned __int128)delta * load_le32(page + 24) >> 32);
}

static void pages(void **state)
{
	struct fake f;
	struct space s;
	struct kvmclock k;
	uint64_t v;

	(void)state;
	fake_init(&f);
	f.clock.epoch_wall_ns = 1234567890123456789ull;
	f.now = 5000;
	memset(ram, 0, sizeof(ram));
	space_init(&s, NULL, NULL, TRACE_MMIO);
	assert_int_equal(space_map_ram(&s, 0, sizeof(ram), ram, false), 0);
	kvmclock_init(&k, &s, &f.clock);
	assert_true(kvmclock_msr_write(&k, 1, KVMCLOCK_MSR_SYSTEM, 0x101, 777));
	assert_int_equal(load_le32(ram + 0x100), 2);
	assert_int_equal(ram[0x100 + 29], 1);
	assert_int_equal(guest_ns(ram + 0x100, 777), 5000);
	assert_int_equal(guest_ns(ram + 0x100, 777 + 123456789), 5000 + 123456789);
	f.now = 9000;
	kvmclock_update(&k, 1, 100);
	assert_int_equal(load_le32(ram + 0x100), 4);
	assert_int_equal(guest_ns(ram + 0x100, 101), 9001);
	assert_true(kvmclock_msr_read(&k, 1, KVMCLOCK_MSR_SYSTEM_OLD, &v));
	assert_int_equal(v, 0x101);
	assert_true(kvmclock_msr_read(&k, 0, KVMCLOCK_MSR_SYSTEM, &v));
	assert_int_equal(v, 0);
	/* not enabled: not written */
	assert_true(kvmclock_msr_write(&k, 0, KVMCLOCK_MSR_SYSTEM_OLD, 0x200, 1));
	assert_int_equal(load_le32(ram + 0x200), 0);
	assert_true(kvmclock_msr_write(&k, 0, KVMCLOCK_MSR_WALL, 0x300, 1));
	assert_int_equal(load_le32(ram + 0x300), 2);
	assert_int_equal(load_le32(ram + 0x304), 1234567890);
	assert_int_equal(load_le32(ram + 0x308), 123456789);
	/* no such memory, no such CPU, no such MSR */
	assert_true(kvmclock_msr_write(&k, 2, KVMCLOCK_MSR_SYSTEM, ~0ull, 1));
	assert_true(kvmclock_msr_write(&k, 2, KVMCLOCK_MSR_SYSTEM, 0x1fff, 1));
	assert_false(kvmclock_msr_write(&k, 64, KVMCLOCK_MSR_SYSTEM, 1, 1));
	assert_false(kvmclock_msr_read(&k, 0, 0x10, &v));
	space_destroy(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(pages)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
