/*
 * The library as a program uses it, on whole machines: pausing, looking in, patching, resetting and
 * stopping in the middle of everything, several machines at once, calls at the wrong time. Flat
 * images are in $IMAGES; with $KERNEL and $INITRD the same is done to a booting Linux.
 */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "doppel/doppel.h"
#include "engine_choice.h"

struct guest {
	struct doppel_vm *vm;
	char path[512];
	_Atomic unsigned long bytes;
};

static void count_bytes(void *opaque, const uint8_t *bytes, size_t len)
{
	((struct guest *)opaque)->bytes += len;
}

static void nap_us(unsigned us)
{
	nanosleep(&(struct timespec){us / 1000000, us % 1000000 * 1000}, NULL);
}

static void create(struct guest *g, struct doppel_config *cfg)
{
	struct doppel_error err = {{0}};

	g->bytes = 0;
	cfg->console_output = count_bytes;
	cfg->opaque = g;
	if (doppel_create(&g->vm, cfg, &err) < 0)
		fail_msg("%s", err.text);
}

static void create_flat(struct guest *g, const char *name, unsigned cpus, enum doppel_clock clock)
{
	struct doppel_config cfg;

	doppel_config_default(&cfg);
	cfg.engine = engine_choice()->name;
	snprintf(g->path, sizeof(g->path), "%s/%s", getenv("IMAGES"), name);
	cfg.kernel = g->path;
	cfg.cpus = cpus;
	cfg.memory_bytes = 64 << 20;
	cfg.clock = clock;
	create(g, &cfg);
}

static void start(struct guest *g)
{
	struct doppel_error err = {{0}};

	if (doppel_start(g->vm, &err) < 0)
		fail_msg("%s", err.text);
}

static void wait_output(struct guest *g, unsigned long bytes)
{
	while (g->bytes < bytes)
		nap_us(200);
}

static void wrong_times(void **state)
{
	struct doppel_result r;
	struct guest g;
	uint64_t v;
	char text[8];

	for (unsigned i = 0; i < 2; i++) {
		create_flat(&g, "dead", 2, i);
		assert_int_equal(doppel_pause(g.vm), -ESRCH);
		assert_int_equal(doppel_resume(g.vm), -ESRCH);
		assert_int_equal(doppel_reset(g.vm), -ESRCH);
		assert_int_equal(doppel_wait(g.vm, 0, &r), -EINVAL);
		assert_int_equal(doppel_register_read(g.vm, 0, "rip", &v), 0);
		assert_int_equal(v, 0x7c00);
		start(&g);
		assert_int_equal(doppel_start(g.vm, NULL), -EINVAL);
		wait_output(&g, 1);
		assert_int_equal(doppel_wait(g.vm, 1, &r), -ETIMEDOUT);
		assert_int_equal(doppel_register_read(g.vm, 0, "rip", &v), -EBUSY);
		assert_int_equal(doppel_register_read(g.vm, 2, "rip", &v), -EINVAL);
		assert_int_equal(doppel_pause(g.vm), 0);
		assert_int_equal(doppel_pause(g.vm), 0);
		assert_int_equal(doppel_register_read(g.vm, 1, "nothing", &v), -ENOENT);
		assert_true(doppel_register_dump(g.vm, 0, text, sizeof(text)) > 500);
		assert_int_equal(doppel_memory_read(g.vm, (64 << 20) - 4, text, 8), -EFAULT);
		assert_int_equal(doppel_memory_read(g.vm, UINT64_MAX - 3, text, 8), -EFAULT);
		assert_int_equal(doppel_memory_write(g.vm, 0xfee00000, text, 4), -EFAULT);
		v = doppel_time_ns(g.vm);
		nap_us(2000);
		assert_true(doppel_time_ns(g.vm) == v);
		assert_int_equal(doppel_stop(g.vm), 0);
		assert_int_equal(doppel_stop(g.vm), 0);
		assert_int_equal(doppel_wait(g.vm, -1, &r), 0);
		assert_int_equal(r.end, DOPPEL_END_STOPPED);
		assert_int_equal(doppel_pause(g.vm), -ESRCH);
		assert_int_equal(doppel_reset(g.vm), -ESRCH);
		doppel_destroy(g.vm);
	}
	create_flat(&g, "dead", 1, 0);
	assert_int_equal(doppel_stop(g.vm), 0);
	assert_int_equal(doppel_start(g.vm, NULL), -EINVAL);
	doppel_destroy(g.vm);
	doppel_destroy(NULL);
}

/* Code patched while paused is the code that runs. */
static void patched(void **state)
{
	static const uint8_t exit_five[] = {0xb0, 0x05, 0xe6, 0xf4};
	struct doppel_result r;
	struct guest g;
	uint64_t rip;

	for (unsigned i = 0; i < 2; i++) {
		create_flat(&g, "spin", 4, i);
		start(&g);
		wait_output(&g, 1);
		for (unsigned cpu = 0; cpu < 4; cpu++) {
			assert_int_equal(doppel_pause(g.vm), 0);
			assert_int_equal(doppel_register_read(g.vm, cpu, "rip", &rip), 0);
			assert_int_equal(doppel_resume(g.vm), 0);
			nap_us(500);
		}
		assert_int_equal(doppel_pause(g.vm), 0);
		assert_int_equal(doppel_register_read(g.vm, 0, "rip", &rip), 0);
		assert_int_equal(doppel_memory_write(g.vm, rip, exit_five, sizeof(exit_five)), 0);
		assert_int_equal(doppel_resume(g.vm), 0);
		assert_int_equal(doppel_wait(g.vm, 120000, &r), 0);
		assert_int_equal(r.end, DOPPEL_END_DEBUG_EXIT);
		assert_int_equal(r.code, 5);
		doppel_destroy(g.vm);

		create_flat(&g, "spin", 4, i);
		start(&g);
		wait_output(&g, 1);
		assert_int_equal(doppel_pause(g.vm), 0);
		assert_int_equal(doppel_memory_write(g.vm, 0x6000, exit_five, sizeof(exit_five)),
				 0);
		assert_int_equal(doppel_register_write(g.vm, 0, "rip", 0x6000), 0);
		assert_int_equal(doppel_resume(g.vm), 0);
		assert_int_equal(doppel_wait(g.vm, 120000, &r), 0);
		assert_int_equal(r.code, 5);
		doppel_destroy(g.vm);
	}
}

/* What a user may do to a running machine, many times and out of step with it. */
static void harass(struct guest *g, unsigned times, unsigned us, bool resets)
{
	char text[4096];
	uint64_t v, hash;

	for (unsigned i = 0; i < times; i++) {
		assert_int_equal(doppel_pause(g->vm), 0);
		assert_int_equal(doppel_register_read(g->vm, 0, "insns", &v), 0);
		assert_true(doppel_register_dump(g->vm, 0, text, sizeof(text)) > 500);
		if (i % 64 == 0) {
			hash = doppel_memory_hash(g->vm);
			nap_us(100);
			assert_true(doppel_memory_hash(g->vm) == hash);
		}
		if (resets && i % 8 == 3)
			assert_int_equal(doppel_reset(g->vm), 0);
		assert_int_equal(doppel_resume(g->vm), 0);
		nap_us(us);
		if (resets && i % 8 == 7)
			assert_int_equal(doppel_reset(g->vm), 0);
	}
}

static void harassed(void **state)
{
	static const char *const guests[] = {"spin", "flood", "dead", "reset"};
	struct guest g;

	for (unsigned i = 0; i < 4; i++)
		for (unsigned cpus = 1; cpus <= 4; cpus += 3)
			for (unsigned clock = 0; clock < 2; clock++) {
				create_flat(&g, guests[i], cpus, clock);
				start(&g);
				harass(&g, 24, 300, true);
				if (i & 1)
					doppel_pause(g.vm);
				doppel_destroy(g.vm); /* in the middle of it */
			}
}

static void several_at_once(void **state)
{
	struct doppel_result r;
	struct guest g[4];

	for (unsigned i = 0; i < 4; i++)
		create_flat(&g[i], i & 1 ? "msrs" : "flood", 2, i >> 1);
	for (unsigned i = 0; i < 4; i++)
		start(&g[i]);
	for (unsigned i = 1; i < 4; i += 2) {
		assert_int_equal(doppel_wait(g[i].vm, 600000, &r), 0);
		assert_int_equal(r.end, DOPPEL_END_DEBUG_EXIT);
		assert_int_equal(r.code, 2);
	}
	for (unsigned i = 0; i < 4; i++)
		doppel_destroy(g[i].vm);
	assert_true(g[0].bytes > 0 && g[2].bytes > 0);
}

/* ---- Linux */

static void create_linux(struct guest *g, unsigned cpus, enum doppel_clock clock)
{
	struct doppel_config cfg;

	doppel_config_default(&cfg);
	cfg.engine = engine_choice()->name;
	cfg.kernel = getenv("KERNEL");
	cfg.initrd = getenv("INITRD");
	cfg.append = "console=ttyS0 doppel.run=\"true\"";
	cfg.cpus = cpus;
	cfg.clock = clock;
	cfg.memory_bytes = 256 << 20;
	create(g, &cfg);
}

static void linux_harassed(void **state)
{
	struct doppel_result r;
	struct guest g[2];

	if (!getenv("KERNEL"))
		skip();
	for (unsigned i = 0; i < 2; i++) {
		create_linux(&g[i], i ? 4 : 1, DOPPEL_CLOCK_REAL);
		start(&g[i]);
	}
	for (unsigned i = 0; i < 12; i++) { /* resets farther and farther into the boot */
		nap_us(150000 * i);
		assert_int_equal(doppel_reset(g[i & 1].vm), 0);
	}
	for (unsigned i = 0; i < 2; i++)
		harass(&g[i], 300, 3000, false);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(doppel_wait(g[i].vm, 300000, &r), 0);
		if (r.end != DOPPEL_END_POWEROFF)
			fail_msg("end %d %s", r.end, r.text);
		doppel_destroy(g[i].vm);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_times),	  cmocka_unit_test(patched),
		cmocka_unit_test(harassed),	  cmocka_unit_test(several_at_once),
		cmocka_unit_test(linux_harassed),
	};

	if (!engine_choice())
		return TEST_SKIPPED;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
