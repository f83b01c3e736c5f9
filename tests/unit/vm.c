/* The machine's life, on the fake machine and engine of vm_fake.c. */
#include "test.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "doppel/doppel.h"

struct guest {
	struct doppel_vm *vm;
	char out[65536];
	_Atomic size_t out_len;
	char path[64];
};

static void output(void *opaque, const uint8_t *bytes, size_t len)
{
	struct guest *g = opaque;

	for (size_t i = 0; i < len && g->out_len < sizeof(g->out) - 1; i++)
		g->out[g->out_len++] = (char)bytes[i];
}

static void log_line(void *opaque, const char *line)
{
	struct guest *g = opaque;

	output(g, (const uint8_t *)line, strlen(line));
	output(g, (const uint8_t *)"|", 1);
}

static void create_under(struct guest *g, const char *engine, const char *program, unsigned cpus,
			 enum doppel_clock clock)
{
	struct doppel_config cfg;
	struct doppel_error err = {{0}};
	int fd;

	memset(g, 0, sizeof(*g));
	strcpy(g->path, "/tmp/doppel-test-XXXXXX");
	fd = mkstemp(g->path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, program, strlen(program)), strlen(program));
	close(fd);
	doppel_config_default(&cfg);
	cfg.kernel = g->path;
	cfg.memory_bytes = 1 << 20;
	cfg.cpus = cpus;
	cfg.engine = engine;
	cfg.clock = clock;
	cfg.console_output = output;
	cfg.log_line = log_line;
	cfg.opaque = g;
	if (doppel_create(&g->vm, &cfg, &err) < 0)
		fail_msg("%s", err.text);
}

static void create(struct guest *g, const char *program, unsigned cpus, enum doppel_clock clock)
{
	create_under(g, "auto", program, cpus, clock);
}

static struct doppel_result finish(struct guest *g)
{
	struct doppel_result r = {0};

	assert_int_equal(doppel_wait(g->vm, 120000, &r), 0);
	return r;
}

/* A busy host may take its time to let the machine's threads run. */
static void wait_output(const struct guest *g, size_t len)
{
	for (unsigned i = 0; g->out_len < len && i < 60000; i++)
		usleep(1000);
	assert_true(g->out_len >= len);
}

static void destroy(struct guest *g)
{
	doppel_destroy(g->vm);
	unlink(g->path);
}

static void ends(void **state)
{
	static const struct {
		const char *program;
		enum doppel_end end;
		uint32_t code;
	} rows[] = {
		{"...p", DOPPEL_END_POWEROFF, 0},
		{"..d5", DOPPEL_END_DEBUG_EXIT, 5},
		{"c", DOPPEL_END_CRASH, 0},
	};
	struct guest g;

	for (unsigned i = 0; i < 6; i++) {
		create(&g, rows[i / 2].program, 1, i % 2);
		assert_int_equal(doppel_start(g.vm, NULL), 0);
		assert_int_equal(doppel_start(g.vm, NULL), -EINVAL);
		struct doppel_result r = finish(&g);
		assert_int_equal(r.end, rows[i / 2].end);
		assert_int_equal(r.code, rows[i / 2].code);
		if (r.end == DOPPEL_END_CRASH)
			assert_non_null(strstr(r.text, "triple fault"));
		assert_int_equal(doppel_pause(g.vm), -ESRCH);
		destroy(&g);
	}
}

/* The report goes to the log line by line, its first line into the result. */
static void lockstep_difference(void **state)
{
	struct doppel_result r;
	struct guest g;

	create_under(&g, "lockstep=interpret,interpret", "..x", 1, DOPPEL_CLOCK_COUNTED);
	assert_int_equal(doppel_start(g.vm, NULL), 0);
	r = finish(&g);
	assert_int_equal(r.end, DOPPEL_END_DIFFER);
	assert_string_equal(r.text, "the fakes differ");
	assert_string_equal(g.out, "the fakes differ|in all they do|");
	destroy(&g);
}

static void stop_and_destroy(void **state)
{
	struct guest g;

	for (unsigned i = 0; i < 4; i++) {
		create(&g, i < 2 ? "j" : "h", 3, i % 2);
		assert_int_equal(doppel_wait(g.vm, 1, NULL), -EINVAL);
		assert_int_equal(doppel_start(g.vm, NULL), 0);
		assert_int_equal(doppel_wait(g.vm, 5, NULL), -ETIMEDOUT);
		if (i & 1) {
			struct doppel_result r;
			assert_int_equal(doppel_stop(g.vm), 0);
			assert_int_equal(doppel_wait(g.vm, -1, &r), 0);
			assert_int_equal(r.end, DOPPEL_END_STOPPED);
		}
		destroy(&g);
	}
	create(&g, "j", 1, DOPPEL_CLOCK_REAL);
	destroy(&g); /* never started */
	doppel_destroy(NULL);
}

static uint64_t insns(struct guest *g, unsigned cpu)
{
	uint64_t v = 0;

	assert_int_equal(doppel_register_read(g->vm, cpu, "insns", &v), 0);
	return v;
}

static void pause_stands(void **state)
{
	struct guest g;
	uint64_t v;

	for (unsigned i = 0; i < 2; i++) {
		create(&g, "j", 2, i);
		doppel_start(g.vm, NULL);
		for (int n = 0; n < 50; n++) {
			assert_int_equal(doppel_pause(g.vm), 0);
			uint64_t a = insns(&g, 0), b = insns(&g, 1), t = doppel_time_ns(g.vm);
			if (n % 10 == 0)
				usleep(1000);
			assert_int_equal(insns(&g, 0), a);
			assert_int_equal(insns(&g, 1), b);
			assert_int_equal(doppel_time_ns(g.vm), t);
			assert_int_equal(doppel_resume(g.vm), 0);
		}
		assert_int_equal(doppel_register_read(g.vm, 0, "rip", &v), -EBUSY);
		doppel_pause(g.vm);
		assert_int_equal(doppel_register_read(g.vm, 0, "nonsense", &v), -ENOENT);
		assert_int_equal(doppel_register_read(g.vm, 2, "rip", &v), -EINVAL);
		assert_int_equal(doppel_register_write(g.vm, 1, "rbx", 77), 0);
		assert_int_equal(doppel_register_read(g.vm, 1, "rbx", &v), 0);
		assert_int_equal(v, 77);
		destroy(&g); /* paused machines end too */
	}
}

static uint32_t count_of(struct guest *g)
{
	uint32_t v;

	assert_int_equal(doppel_memory_read(g->vm, 0x1010, &v, sizeof(v)), 0);
	return v;
}

/* Devices stand, too: no thread of the machine writes to its memory while it is paused. */
static void pause_stops_devices(void **state)
{
	struct guest g;
	uint32_t before = 0, enough = 1;

	create(&g, "wj", 1, DOPPEL_CLOCK_REAL);
	doppel_start(g.vm, NULL);
	for (int n = 0; n < 20; n++) {
		usleep(1000);
		assert_int_equal(doppel_pause(g.vm), 0);
		before = count_of(&g);
		usleep(1000);
		assert_int_equal(count_of(&g), before);
		if (n == 10)
			assert_int_equal(doppel_reset(g.vm), 0);
		assert_int_equal(doppel_resume(g.vm), 0);
	}
	usleep(10000);
	doppel_pause(g.vm);
	assert_int_not_equal(count_of(&g), before);
	assert_int_equal(doppel_memory_write(g.vm, 0x1014, &enough, sizeof(enough)), 0);
	destroy(&g);
}

static void reset_boots_again(void **state)
{
	struct guest g;

	for (unsigned i = 0; i < 2; i++) {
		create(&g, "oarh|obp", 1, i); /* the guest resets itself */
		doppel_start(g.vm, NULL);
		assert_int_equal(finish(&g).end, DOPPEL_END_POWEROFF);
		assert_string_equal(g.out, "ab");
		destroy(&g);

		create(&g, "oah|obh", 2, i); /* the user resets it, running and paused */
		doppel_start(g.vm, NULL);
		usleep(2000);
		assert_int_equal(doppel_reset(g.vm), 0);
		usleep(2000);
		assert_int_equal(doppel_pause(g.vm), 0);
		assert_int_equal(doppel_reset(g.vm), 0);
		g.out_len = 0;
		memset(g.out, 0, sizeof(g.out));
		usleep(2000);
		assert_int_equal(g.out_len, 0);
		assert_int_equal(doppel_resume(g.vm), 0);
		wait_output(&g, 2);
		doppel_stop(g.vm);
		assert_string_equal(g.out, "bb");
		assert_int_equal(doppel_reset(g.vm), -ESRCH);
		destroy(&g);
	}
}

static void input_reaches_guest(void **state)
{
	static uint8_t big[65536 + 100];
	struct guest g;

	for (unsigned i = 0; i < 2; i++) {
		create(&g, "t2ehj", 1, i);
		doppel_start(g.vm, NULL);
		usleep(1000);
		assert_int_equal(doppel_console_input(g.vm, (const uint8_t *)"hello", 5), 5);
		assert_int_equal(doppel_console_input(g.vm, (const uint8_t *)" world!", 7), 7);
		assert_int_equal(finish(&g).end, DOPPEL_END_POWEROFF);
		assert_string_equal(g.out, "hello world!");
		destroy(&g);
	}
	create(&g, "h", 1, DOPPEL_CLOCK_REAL);
	assert_int_equal(doppel_console_input(g.vm, big, sizeof(big)), 65536);
	assert_int_equal(doppel_console_input(g.vm, big, 1), 0);
	destroy(&g);
}

static void idle_costs_nothing(void **state)
{
	struct timespec before, after;
	struct guest g;
	int64_t ns = INT64_MAX;

	create(&g, "h", 4, DOPPEL_CLOCK_REAL);
	doppel_start(g.vm, NULL);
	for (unsigned i = 0; i < 50 && ns >= 10000000; i++) { /* threads may still be starting */
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
		usleep(100000);
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
		ns = (after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec;
	}
	destroy(&g);
	assert_true(ns < 10000000);
}

static void real_timers_fire(void **state)
{
	struct guest g;

	create(&g,
	       "t9hob"
	       "t9hob"
	       "p",
	       1, DOPPEL_CLOCK_REAL);
	doppel_start(g.vm, NULL);
	assert_int_equal(finish(&g).end, DOPPEL_END_POWEROFF);
	assert_string_equal(g.out, "bb");
	assert_true(doppel_time_ns(g.vm) >= 18000);
	destroy(&g);
}

/* Two counted runs are one run: same output, times included, however often they are paused. */
static void counted_repeats(void **state)
{
	const char *program = "T..mat5hT...t3mbhTt9..j";
	static struct guest g[2];
	uint64_t n[2][3], t[2];

	for (unsigned i = 0; i < 2; i++) {
		create(&g[i], program, 3, DOPPEL_CLOCK_COUNTED);
		doppel_console_input(g[i].vm, (const uint8_t *)"x", 1);
		doppel_start(g[i].vm, NULL);
		while (doppel_time_ns(g[i].vm) < 2000000) {
			usleep(200 * (i + 1));
			doppel_pause(g[i].vm);
			doppel_resume(g[i].vm);
		}
		doppel_stop(g[i].vm);
		for (unsigned c = 0; c < 3; c++)
			n[i][c] = insns(&g[i], c);
		t[i] = doppel_time_ns(g[i].vm);
		destroy(&g[i]);
	}
	/* They were stopped at different times, so the shorter output begins the longer. */
	size_t shorter = g[0].out_len < g[1].out_len ? g[0].out_len : g[1].out_len;
	assert_true(shorter > 1000);
	assert_memory_equal(g[0].out, g[1].out, shorter);
	assert_true(n[0][0] > 0 && n[0][1] > 0 && n[0][2] > 0 && t[0] > 0);
}

/* The same to the end: exact counts and memory. */
static void counted_ends_exactly(void **state)
{
	uint64_t count[2] = {0, 0}, when[2], hash[2];
	struct guest g;

	for (unsigned i = 0; i < 2; i++) {
		create(&g, "t7....hoamzt9hTmyp", 2, DOPPEL_CLOCK_COUNTED);
		doppel_start(g.vm, NULL);
		assert_int_equal(finish(&g).end, DOPPEL_END_POWEROFF);
		when[i] = doppel_time_ns(g.vm);
		hash[i] = doppel_memory_hash(g.vm);
		count[i] = insns(&g, 0) * 1000 + insns(&g, 1);
		destroy(&g);
	}
	assert_int_equal(count[0], count[1]);
	assert_int_equal(when[0], when[1]);
	assert_true(hash[0] == hash[1]);
}

/* A machine that sleeps for long by its own clock does not keep the host waiting. */
static void counted_jumps_when_idle(void **state)
{
	char program[4000] = "";
	struct guest g;

	for (int i = 0; i < 1000; i++)
		strcat(program, "t9h");
	strcat(program, "p");
	create(&g, program, 1, DOPPEL_CLOCK_COUNTED);
	doppel_start(g.vm, NULL);
	assert_int_equal(finish(&g).end, DOPPEL_END_POWEROFF);
	assert_in_range(doppel_time_ns(g.vm), 9000000, 9100000);
	destroy(&g);
}

static void memory_and_counters(void **state)
{
	struct doppel_counter c;
	struct guest g;
	uint8_t b[4];

	create(&g, "mzj", 1, DOPPEL_CLOCK_COUNTED);
	assert_int_equal(doppel_memory_read(g.vm, 0, b, 3), 0);
	assert_memory_equal(b, "mzj", 3);
	assert_int_equal(doppel_memory_read(g.vm, (1 << 20) - 2, b, 4), -EFAULT);
	uint64_t h = doppel_memory_hash(g.vm);
	assert_int_equal(doppel_memory_write(g.vm, 0x5000, "q", 1), 0);
	assert_true(h != doppel_memory_hash(g.vm));
	assert_true(doppel_counter(g.vm, UINT_MAX, 0, &c));
	assert_string_equal(c.name, "insns");
	assert_false(doppel_counter(g.vm, 1, 0, &c));
	assert_false(doppel_counter(g.vm, 0, 100000, &c));
	destroy(&g);
}

/* Two machines in one process do not know of each other. */
static void two_machines(void **state)
{
	static struct guest a, b;

	create(&a, "oaj", 2, DOPPEL_CLOCK_REAL);
	create(&b, "obt9hj", 2, DOPPEL_CLOCK_COUNTED);
	doppel_start(a.vm, NULL);
	doppel_start(b.vm, NULL);
	wait_output(&a, 1);
	wait_output(&b, 1);
	destroy(&a);
	destroy(&b);
	assert_true(a.out_len > 0 && b.out_len > 0);
	assert_null(strchr(a.out, 'b'));
	assert_null(strchr(b.out, 'a'));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends),
		cmocka_unit_test(lockstep_difference),
		cmocka_unit_test(stop_and_destroy),
		cmocka_unit_test(pause_stands),
		cmocka_unit_test(pause_stops_devices),
		cmocka_unit_test(reset_boots_again),
		cmocka_unit_test(input_reaches_guest),
		cmocka_unit_test(idle_costs_nothing),
		cmocka_unit_test(real_timers_fire),
		cmocka_unit_test(counted_repeats),
		cmocka_unit_test(counted_ends_exactly),
		cmocka_unit_test(counted_jumps_when_idle),
		cmocka_unit_test(memory_and_counters),
		cmocka_unit_test(two_machines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
