/*
 * The vm and a real engine together, on a machine of RAM and two ports (0xf4: debug exit,
 * 0xe9: output) that starts 16-bit programs at 0x7c00. What is tested: counted runs repeat to the
 * instruction, RDTSC and RDRAND included; pauses do not disturb them; a triple fault is reported.
 */
#include "test.h"

#include <stdlib.h>
#include <unistd.h>

#include "doppel/doppel.h"
#include "engine_choice.h"
#include "host/host.h"
#include "isa/x86/mode.h"
#include "machine/machine.h"

struct machine {
	struct machine_config cfg;
	struct space space, ports;
	struct x86_platform platform;
	struct x86_cpu *cpus;
	uint8_t *ram;
};

static uint64_t port_read(void *opaque, uint64_t offset, unsigned bytes)
{
	return 0xff;
}

static void port_exit(void *opaque, uint64_t offset, uint64_t value, unsigned bytes)
{
	struct machine *m = opaque;

	m->cfg.event(m->cfg.opaque, MACHINE_DEBUG_EXIT, (uint32_t)value);
}

static void port_out(void *opaque, uint64_t offset, uint64_t value, unsigned bytes)
{
	struct machine *m = opaque;
	uint8_t b = (uint8_t)value;

	m->cfg.serial[0].write(m->cfg.serial[0].opaque, &b, 1);
}

static uint64_t now_ns(void *opaque, struct x86_cpu *cpu)
{
	struct machine *m = opaque;

	return clock_now(m->cfg.clock);
}

static int create(struct machine **out, const struct machine_config *cfg, struct x86_cpu *cpus,
		  struct error *err)
{
	static const struct io_ops exit_ops = {port_read, port_exit, 4};
	static const struct io_ops out_ops = {port_read, port_out, 1};
	struct machine *m = calloc(1, sizeof(*m));

	m->cfg = *cfg;
	m->cpus = cpus;
	m->ram = host_ram_map(cfg->memory_bytes);
	space_init(&m->space, cfg->lock, cfg->trace, TRACE_MMIO);
	space_init(&m->ports, cfg->lock, cfg->trace, TRACE_PIO);
	space_map_ram(&m->space, 0, cfg->memory_bytes, m->ram, false);
	space_map_io(&m->ports, "exit", 0xf4, 4, &exit_ops, m);
	space_map_io(&m->ports, "out", 0xe9, 1, &out_ops, m);
	m->platform.opaque = m;
	m->platform.now_ns = now_ns;
	for (unsigned i = 0; i < cfg->cpus; i++) {
		cpus[i].space = &m->space;
		cpus[i].ports = &m->ports;
		cpus[i].platform = &m->platform;
	}
	*out = m;
	return 0;
}

static void destroy(struct machine *m)
{
	space_destroy(&m->space);
	space_destroy(&m->ports);
	host_ram_unmap(m->ram, m->cfg.memory_bytes);
	free(m);
}

/* All CPUs start at once, each with its number in BX. */
static void reset(struct machine *m)
{
	for (unsigned i = 0; i < m->cfg.cpus; i++) {
		struct x86_cpu *c = &m->cpus[i];

		x86_cpu_reset(c);
		c->activity = X86_RUNNING;
		c->seg[X86_CS].sel = 0;
		c->seg[X86_CS].base = 0;
		c->rip = 0x7c00;
		c->gpr[X86_RBX] = i;
		c->gpr[X86_RSP] = 0x7000 - 0x400 * i;
		x86_mode_update(c);
	}
}

static int boot(struct machine *m, const struct boot_config *b, struct error *err)
{
	memcpy(m->ram + 0x7c00, b->kernel.bytes, b->kernel.len);
	return 0;
}

static size_t serial_input(struct machine *m, unsigned n, const uint8_t *bytes, size_t len)
{
	return len;
}

static struct space *memory(struct machine *m)
{
	return &m->space;
}

static const struct machine_desc flat = {
	"pc", "RAM and two ports", create, destroy, reset, boot, serial_input, memory, NULL,
};
const struct machine_desc *const machine_registry[] = {&flat, NULL};

const struct machine_desc *machine_find(const char *name)
{
	return &flat;
}

struct guest {
	struct doppel_vm *vm;
	char out[4096];
	size_t out_len;
	char path[32];
};

static void output(void *opaque, const uint8_t *bytes, size_t len)
{
	struct guest *g = opaque;

	for (size_t i = 0; i < len && g->out_len < sizeof(g->out); i++)
		g->out[g->out_len++] = (char)bytes[i];
}

static void start(struct guest *g, const void *code, size_t len, unsigned cpus,
		  enum doppel_clock clock)
{
	struct doppel_config cfg;
	struct doppel_error err = {{0}};
	int fd;

	memset(g, 0, sizeof(*g));
	strcpy(g->path, "/tmp/doppel-test-XXXXXX");
	fd = mkstemp(g->path);
	assert_int_equal(write(fd, code, len), len);
	close(fd);
	doppel_config_default(&cfg);
	cfg.engine = engine_choice()->name;
	cfg.kernel = g->path;
	cfg.memory_bytes = 1 << 20;
	cfg.cpus = cpus;
	cfg.clock = clock;
	cfg.console_output = output;
	cfg.opaque = g;
	if (doppel_create(&g->vm, &cfg, &err) < 0 || doppel_start(g->vm, &err) < 0)
		fail_msg("%s", err.text);
	unlink(g->path);
}

/* clang-format off */
static const uint8_t print_and_exit[] = {
	0xb0, 'h', 0xe6, 0xe9, 0xb0, 'i', 0xe6, 0xe9,	/* out 0xe9, 'h', 'i' */
	0xb8, 42, 0, 0xe7, 0xf4,			/* out 0xf4, 42 */
	0xf4, 0xeb, 0xfd,				/* hlt; jmp */
};

/* Each CPU adds random numbers and the time into its own 16 bytes at 0x1000; CPU 0 ends it. */
static const uint8_t busy[] = {
	0x89, 0xde, 0xc1, 0xe6, 0x04, 0x81, 0xc6, 0x00, 0x10, /* si = bx * 16 + 0x1000 */
	0x66, 0xb9, 0x00, 0x20, 0x00, 0x00,		/* mov ecx, 0x2000 */
	0x0f, 0x31,					/* loop: rdtsc */
	0x66, 0x01, 0x04,				/* add [si], eax */
	0x66, 0x0f, 0xc7, 0xf7,				/* rdrand edi */
	0x66, 0x01, 0x7c, 0x04,				/* add [si+4], edi */
	0xf0, 0x66, 0xff, 0x06, 0x00, 0x20,		/* lock inc dword [0x2000] */
	0x66, 0x49, 0x75, 0xe9,				/* dec ecx; jnz loop */
	0x85, 0xdb, 0x75, 0x04,				/* bx: skip */
	0xb0, 0x05, 0xe6, 0xf4,				/* out 0xf4, 5 */
	0xf4, 0xeb, 0xfd,				/* hlt; jmp */
};

static const uint8_t crash[] = {
	0x0f, 0x01, 0x1e, 0x00, 0x30,			/* lidt [0x3000]: limit 0 */
	0x0f, 0x0b,					/* ud2 */
};
/* clang-format on */

static void exits(void **state)
{
	struct doppel_result r;
	struct guest g;

	for (unsigned i = 0; i < 2; i++) {
		start(&g, print_and_exit, sizeof(print_and_exit), 1, i);
		assert_int_equal(doppel_wait(g.vm, 20000, &r), 0);
		assert_int_equal(r.end, DOPPEL_END_DEBUG_EXIT);
		assert_int_equal(r.code, 42);
		assert_int_equal(g.out_len, 2);
		assert_memory_equal(g.out, "hi", 2);
		doppel_destroy(g.vm);
	}
}

static void counted_repeats(void **state)
{
	uint64_t insns[2] = {0, 0}, hash[2], time[2];
	struct doppel_result r;
	struct guest g;

	for (unsigned i = 0; i < 2; i++) {
		start(&g, busy, sizeof(busy), 3, DOPPEL_CLOCK_COUNTED);
		while (doppel_wait(g.vm, 0, &r) != 0 && i == 1) {
			doppel_pause(g.vm);
			doppel_resume(g.vm);
		}
		assert_int_equal(doppel_wait(g.vm, 60000, &r), 0);
		assert_int_equal(r.end, DOPPEL_END_DEBUG_EXIT);
		assert_int_equal(r.code, 5);
		for (unsigned c = 0; c < 3; c++) {
			uint64_t v;
			assert_int_equal(doppel_register_read(g.vm, c, "insns", &v), 0);
			insns[i] = insns[i] * 1000003 + v;
		}
		hash[i] = doppel_memory_hash(g.vm);
		time[i] = doppel_time_ns(g.vm);
		doppel_destroy(g.vm);
	}
	assert_true(insns[0] == insns[1]);
	assert_true(hash[0] == hash[1]);
	assert_true(time[0] == time[1]);
}

/* In parallel: locked increments of four CPUs all count, paused now and then or not. */
static void locked_increments(void **state)
{
	struct guest g;
	uint32_t sum = 0;

	start(&g, busy + 0, sizeof(busy), 4, DOPPEL_CLOCK_REAL);
	for (int i = 0; i < 20; i++) {
		doppel_pause(g.vm);
		doppel_resume(g.vm);
	}
	assert_int_equal(doppel_wait(g.vm, 60000, NULL), 0);
	assert_int_equal(doppel_memory_read(g.vm, 0x2000, &sum, 4), 0);
	assert_in_range(sum, 0x2000, 4 * 0x2000);
	doppel_destroy(g.vm);
}

static void triple_fault(void **state)
{
	struct doppel_result r;
	struct guest g;

	for (unsigned i = 0; i < 2; i++) {
		start(&g, crash, sizeof(crash), 1, i);
		assert_int_equal(doppel_wait(g.vm, 20000, &r), 0);
		assert_int_equal(r.end, DOPPEL_END_CRASH);
		assert_non_null(strstr(r.text, "triple fault on CPU 0"));
		assert_non_null(strstr(r.text, "ud2"));
		doppel_destroy(g.vm);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exits),
		cmocka_unit_test(counted_repeats),
		cmocka_unit_test(locked_increments),
		cmocka_unit_test(triple_fault),
	};

	if (!engine_choice())
		return TEST_SKIPPED;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
