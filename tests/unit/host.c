/* The host layer: memory is zeroed, events are never lost, threads run and join. */
#define _GNU_SOURCE
#include "test.h"

#include <errno.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/error.h"
#include "host/host.h"

static void memory(void **state)
{
	unsigned char *p = host_alloc(1000);
	size_t len = 64u << 20;
	unsigned char *ram = host_ram_map(len);

	(void)state;
	assert_non_null(p);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(p[i], 0);
	host_free(p);
	host_free(NULL);
	assert_non_null(ram);
	assert_int_equal((uintptr_t)ram & 4095, 0);
	assert_int_equal(ram[0] | ram[len - 1], 0);
	ram[len - 1] = 1;
	host_ram_settle(ram, len);
	assert_int_equal(ram[0], 0);
	assert_int_equal(ram[len - 1], 1);
	host_ram_unmap(ram, len);
	assert_null(host_ram_map((size_t)1 << 60));
}

/* Written through one mapping, run through the other; neither is both. */
static void code(void **state)
{
	static const uint8_t answer[] = {0xb8, 42, 0, 0, 0, 0xc3}; /* mov eax, 42; ret */
	struct host_code c = {0};
	size_t len = 64u << 20;
	char why[200] = "", line[256];
	int (*fn)(void), seen = 0;
	FILE *maps;

	(void)state;
	host_code_unmap(&c);
	assert_int_equal(host_code_map(&c, 0), -EINVAL);
	assert_int_not_equal(host_code_map(&c, SIZE_MAX), 0);
	host_code_unmap(&c);
	assert_int_equal(host_code_probe(why, sizeof(why)), 0);
	assert_non_null(strstr(why, "code memory"));
	assert_int_equal(host_code_map(&c, len - 1), 0);
	assert_int_equal(c.bytes, len);
	assert_int_equal(((uintptr_t)c.rw | (uintptr_t)c.rx) & 4095, 0);
	memcpy(c.rw + len - sizeof(answer), answer, sizeof(answer));
	assert_memory_equal(c.rx + len - sizeof(answer), answer, sizeof(answer));
	fn = (int (*)(void))(uintptr_t)(c.rx + len - sizeof(answer));
	assert_int_equal(fn(), 42);
	host_code_settle(&c, len - HOST_LARGE_PAGE);
	host_code_settle(&c, 0); /* nothing there */
	host_code_settle(&c, len); /* nor here */
	assert_int_equal(fn(), 42);
	c.rw[len - 5] = 43;
	assert_int_equal(fn(), 43);
	assert_true((uintptr_t)c.rx - (uintptr_t)&host_code_map + 0x7fffffff - len <
		    0xfffffffe - len);
	maps = fopen("/proc/self/maps", "r");
	while (maps && fgets(line, sizeof(line), maps)) {
		unsigned long long from = 0;
		char how[8] = "";

		sscanf(line, "%llx-%*x %7s", &from, how);
		if (from == (uintptr_t)c.rw)
			assert_string_equal(how, "rw-s");
		if (from == (uintptr_t)c.rx)
			assert_string_equal(how, "r-xs");
		seen += from == (uintptr_t)c.rw || from == (uintptr_t)c.rx;
	}
	assert_int_equal(seen, 2);
	fclose(maps);
	host_code_unmap(&c);
	assert_null(c.rx);
}

static void perf_map(void **state)
{
	struct host_perf_map m, other;
	char path[64], text[200] = "";
	FILE *f;

	(void)state;
	snprintf(path, sizeof(path), "/tmp/perf-%ld.map", (long)getpid());
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "of an earlier process of this number\n");
	fclose(f);
	assert_int_equal(utimes(path, (struct timeval[2]){{1, 0}, {1, 0}}), 0);
	assert_int_equal(host_perf_map_open(&m), 0);
	host_perf_map_add(&m, (void *)0x1000, 0x20, "guest_a");
	assert_int_equal(host_perf_map_open(&other), 0); /* another machine: adds to it */
	host_perf_map_add(&other, (void *)0x2000, 0x30, "guest_b");
	host_perf_map_close(&m);
	host_perf_map_close(&other);
	host_perf_map_add(&m, (void *)0x3000, 0x30, "nowhere");
	f = fopen(path, "r");
	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = 0;
	fclose(f);
	unlink(path);
	assert_string_equal(text, "1000 20 guest_a\n2000 30 guest_b\n");
	assert_int_equal(symlink("/tmp/doppel-test-elsewhere", path), 0);
	assert_int_not_equal(host_perf_map_open(&m), 0); /* somebody's trap */
	unlink(path);
}

/* As gdb sees it: its manual, "JIT Compilation Interface". */
struct gdb_entry {
	struct gdb_entry *next, *prev;
	const char *file;
	uint64_t len;
};
extern struct {
	uint32_t version, action;
	struct gdb_entry *relevant, *first;
} __jit_debug_descriptor;

static void gdb(void **state)
{
	const struct gdb_entry *e;
	unsigned n = 0;

	(void)state;
	assert_int_equal(__jit_debug_descriptor.version, 1);
	assert_int_equal(host_gdb_add((void *)0x1000, 0x10, "guest_1000"), 0);
	assert_int_equal(host_gdb_add((void *)0x2000, 0x10, "guest_2000"), 0);
	assert_int_equal(host_gdb_add((void *)0x3000, 0x10, "guest_3000"), 0);
	for (e = __jit_debug_descriptor.first; e; e = e->next, n++)
		assert_memory_equal(e->file, "\177ELF", 4);
	assert_int_equal(n, 3);
	host_gdb_remove((void *)0x2000, 0x1000);
	e = __jit_debug_descriptor.first;
	assert_non_null(memmem(e->file, e->len, "guest_3000", 11));
	assert_null(e->prev);
	e = e->next;
	assert_non_null(memmem(e->file, e->len, "guest_1000", 11));
	assert_null(e->next);
	host_gdb_remove(NULL, SIZE_MAX);
	assert_null(__jit_debug_descriptor.first);
}

static void times(void **state)
{
	uint64_t a = host_time_ns(), b = host_time_ns();
	uint64_t r[2] = {0, 0};

	(void)state;
	assert_true(b >= a);
	assert_true(host_wall_ns() > 1500000000ull * 1000000000ull);
	host_random(r, sizeof(r));
	assert_true(r[0] != r[1]);
}

static void cpu_levels(void **state)
{
	struct host_cpu all, v2, c;

	(void)state;
	all = host_cpu_detect();
	assert_int_equal(host_cpu_parse(&c, NULL, NULL), 0);
	assert_int_equal(c.features, all.features);
	assert_int_equal(host_cpu_parse(&c, "max", NULL), 0);
	assert_int_equal(c.features, all.features);
	assert_int_equal(host_cpu_parse(&v2, "x86-64-v2", NULL), 0);
	assert_int_equal(v2.features, all.features & HOST_CPU_V2);
	assert_int_equal(host_cpu_parse(&c, "x86-64-v3,-sse4_2", NULL), 0); /* and so no AVX */
	assert_int_equal(c.features & (HOST_CPU_SSE42 | HOST_CPU_AVX | HOST_CPU_AVX2 |
				       HOST_CPU_FMA | HOST_CPU_F16C),
			 0);
	assert_int_equal(c.features & HOST_CPU_SSE41, all.features & HOST_CPU_SSE41);
	assert_int_equal(host_cpu_parse(&c, "-bmi2,-abm", NULL), 0);
	assert_int_equal(c.features, all.features & ~(HOST_CPU_BMI2 | HOST_CPU_LZCNT));
	assert_int_equal(host_cpu_parse(&c, "x86-64-v1", NULL), 0);
	assert_int_equal(c.features, 0);
	assert_string_equal(host_cpu_level(&c), "x86-64-v1");
}

static void cpu_mistakes(void **state)
{
	struct host_cpu c;
	struct error err;

	(void)state;
	assert_int_equal(host_cpu_parse(&c, "x86-64-v4", &err), -EINVAL);
	assert_non_null(strstr(err.text, "x86-64-v4"));
	assert_int_equal(host_cpu_parse(&c, "max,fma", &err), -EINVAL);
	assert_int_equal(host_cpu_parse(&c, "max,+fma", &err), -EINVAL);
	assert_int_equal(host_cpu_parse(&c, "max,-fma4", &err), -EINVAL);
	assert_non_null(strstr(err.text, "\"fma4\""));
	c.features = HOST_CPU_REQUIRED;
	assert_int_equal(host_cpu_check(&c, &err), 0);
	c.features &= ~HOST_CPU_SSE41;
	assert_int_equal(host_cpu_check(&c, &err), -ENOTSUP);
	assert_non_null(strstr(err.text, "sse4.1"));
}

static void event_alone(void **state)
{
	struct host_event e;
	uint64_t t0;

	(void)state;
	host_event_init(&e);
	host_event_signal(&e);
	assert_true(host_event_wait(&e, UINT64_MAX)); /* the signal came before the wait */
	t0 = host_time_ns();
	assert_false(host_event_wait(&e, 3000000)); /* and only once */
	assert_true(host_time_ns() - t0 >= 3000000);
	assert_false(host_event_wait(&e, 0));
	host_event_destroy(&e);
}

struct pair {
	struct host_event ping, pong;
	struct host_mutex lock;
	unsigned count;
};

static void echo(void *arg)
{
	struct pair *p = arg;

	for (int i = 0; i < 500; i++) {
		host_event_wait(&p->ping, UINT64_MAX);
		host_mutex_lock(&p->lock);
		p->count++;
		host_mutex_unlock(&p->lock);
		host_event_signal(&p->pong);
	}
}

static void threads(void **state)
{
	struct pair p = {0};
	struct host_thread t;

	(void)state;
	host_event_init(&p.ping);
	host_event_init(&p.pong);
	host_mutex_init(&p.lock);
	assert_int_equal(host_thread_start(&t, "a-rather-long-thread-name", echo, &p), 0);
	for (int i = 0; i < 500; i++) {
		host_event_signal(&p.ping);
		assert_true(host_event_wait(&p.pong, UINT64_MAX));
	}
	host_thread_join(&t);
	assert_int_equal(p.count, 500);
	host_mutex_destroy(&p.lock);
	host_event_destroy(&p.ping);
	host_event_destroy(&p.pong);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cpu_levels), cmocka_unit_test(cpu_mistakes),
		cmocka_unit_test(memory),  cmocka_unit_test(code),  cmocka_unit_test(perf_map),
		cmocka_unit_test(gdb),	   cmocka_unit_test(times), cmocka_unit_test(event_alone),
		cmocka_unit_test(threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
