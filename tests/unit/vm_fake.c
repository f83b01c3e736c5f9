/*
 * A machine and an engine small enough to reason about, in place of the real registries: the guest
 * is a program of one-letter instructions at address 0, the machine a serial port, one timer, and
 * power. What is tested with them is the vm's own: threads, clocks, pause, reset, end.
 *
 *	.   nothing                         oX  write X to the serial port
 *	h   halt until an interrupt         tN  timer interrupt in (N - '0') * 1000 ns
 *	p   power off                       r   ask for a reset
 *	dC  debug exit with C - '0'         c   triple fault
 *	j   jump to 0                       e   write received bytes, then 'p' if one was '!'
 *	T   write the time in hex           mX  store X at 0x1000 + CPU number
 *	x   lockstep: the engines differ     w   have a device count at 0x1010 until 0x1014 is set
 */
#include "test.h"

#include <stdlib.h>

#include "engine/engine.h"
#include "host/host.h"
#include "ir/pass.h"
#include "isa/x86/fault.h"
#include "machine/machine.h"

struct machine {
	struct machine_config cfg;
	struct space space;
	uint8_t *ram;
	struct x86_cpu *cpus;
	struct timer timer;
	uint8_t rx[4];
	size_t rx_len;
	unsigned resets;
	struct work counting;
};

struct engine_cpu {
	struct x86_cpu *cpu;
};

static void fire(void *opaque, uint64_t now)
{
	struct machine *m = opaque;

	for (unsigned i = 0; i < m->cfg.cpus; i++) {
		x86_request(&m->cpus[i], X86_REQ_INTR);
		m->cfg.cpu_wake(m->cfg.opaque, i);
	}
}

static struct machine *machine_of(struct x86_cpu *cpu)
{
	return cpu->platform->opaque;
}

static void emit(struct machine *m, const char *s, size_t len)
{
	m->cfg.serial[0].write(m->cfg.serial[0].opaque, (const uint8_t *)s, len);
}

static void echo(struct machine *m)
{
	bool bang = memchr(m->rx, '!', m->rx_len) != NULL;

	emit(m, (char *)m->rx, m->rx_len);
	m->rx_len = 0;
	if (bang)
		m->cfg.event(m->cfg.opaque, MACHINE_POWEROFF, 0);
}

static void print_time(struct machine *m)
{
	char s[32];
	int n = snprintf(s, sizeof(s), "%llx ", (unsigned long long)clock_now(m->cfg.clock));

	emit(m, s, (size_t)n);
}

static void count(void *opaque)
{
	struct machine *m = opaque;

	++*(volatile uint32_t *)&m->ram[0x1010];
	if (!*(volatile uint8_t *)&m->ram[0x1014])
		worker_post(&m->cfg.worker, &m->counting);
}

/* One instruction, under the machine lock. */
static void step(struct machine *m, struct x86_cpu *cpu)
{
	const uint8_t *p = m->ram + cpu->rip;

	cpu->rip++;
	switch (*p) {
	case 'o':
		emit(m, (const char *)p + 1, 1);
		cpu->rip++;
		break;
	case 'h':
		cpu->activity = X86_HALTED;
		break;
	case 't':
		timer_set(m->cfg.timers, &m->timer, clock_now(m->cfg.clock) + (p[1] - '0') * 1000u);
		cpu->rip++;
		break;
	case 'p':
		m->cfg.event(m->cfg.opaque, MACHINE_POWEROFF, 0);
		break;
	case 'r':
		m->cfg.event(m->cfg.opaque, MACHINE_RESET, 0);
		break;
	case 'd':
		m->cfg.event(m->cfg.opaque, MACHINE_DEBUG_EXIT, p[1] - '0');
		cpu->rip++;
		break;
	case 'c':
		cpu->activity = X86_SHUTDOWN;
		break;
	case 'j':
		cpu->rip = 0;
		break;
	case 'e':
		echo(m);
		break;
	case 'T':
		print_time(m);
		break;
	case 'm':
		m->ram[0x1000 + cpu->index] = p[1];
		cpu->rip++;
		break;
	case 'w':
		worker_post(&m->cfg.worker, &m->counting);
		break;
	}
}

static bool wake(struct x86_cpu *cpu)
{
	if (cpu->activity == X86_HALTED && (cpu->request & X86_REQ_INTR)) {
		cpu->activity = X86_RUNNING;
		cpu->request &= ~(uint32_t)X86_REQ_INTR;
	}
	return cpu->activity == X86_RUNNING;
}

static enum engine_exit run(struct engine_cpu *e, uint64_t insns)
{
	struct x86_cpu *cpu = e->cpu;
	struct machine *m = machine_of(cpu);

	for (uint64_t i = 0; i < insns; i++) {
		if (cpu->request & X86_REQ_STOP) {
			cpu->request &= ~(uint32_t)X86_REQ_STOP;
			return ENGINE_EXIT_STOP;
		}
		if (cpu->activity == X86_SHUTDOWN)
			return ENGINE_EXIT_SHUTDOWN;
		if (!wake(cpu))
			return ENGINE_EXIT_HALT;
		if (m->ram[cpu->rip] == 'x')
			return ENGINE_EXIT_DIFFER;
		host_mutex_lock(m->cfg.lock);
		step(m, cpu);
		host_mutex_unlock(m->cfg.lock);
		cpu->insns++;
	}
	return ENGINE_EXIT_BUDGET;
}

static int cpu_create(struct engine_cpu **out, struct engine_group *g, struct x86_cpu *cpu,
		      const struct engine_config *cfg, struct error *err)
{
	*out = calloc(1, sizeof(**out));
	(*out)->cpu = cpu;
	return 0;
}

static void cpu_destroy(struct engine_cpu *e)
{
	free(e);
}

static void probe(struct engine_info *out)
{
	out->works = true;
	snprintf(out->why, sizeof(out->why), "it is a fake");
}

static const struct engine fake_engine = {"interpret", "fake", probe, cpu_create, cpu_destroy, run};
static const char *report(const struct engine_cpu *e)
{
	return "the fakes differ\nin all they do\n";
}

static const struct engine fake_lockstep = {"lockstep",	 "two fakes", probe, cpu_create,
					    cpu_destroy, run,	      report};
const struct engine *const engine_registry[] = {&fake_engine, &fake_lockstep, NULL};

const struct engine *engine_find(const char *name)
{
	for (unsigned i = 0; engine_registry[i]; i++)
		if (strcmp(engine_registry[i]->name, name) == 0)
			return engine_registry[i];
	return NULL;
}

struct engine_group {
	int unused;
};

struct engine_group *engine_group_create(unsigned cpus)
{
	return calloc(1, sizeof(struct engine_group));
}

void engine_group_destroy(struct engine_group *g)
{
	free(g);
}

void engine_group_add(struct engine_group *g, struct x86_cpu *cpu)
{
}

void engine_group_enter(struct engine_group *g, struct x86_cpu *cpu)
{
}

void engine_group_leave(struct engine_group *g, struct x86_cpu *cpu)
{
}

void engine_group_exclusive_begin(struct engine_group *g, struct x86_cpu *cpu)
{
}

void engine_group_exclusive_end(struct engine_group *g, struct x86_cpu *cpu)
{
}

static int create(struct machine **out, const struct machine_config *cfg, struct x86_cpu *cpus,
		  struct error *err)
{
	struct machine *m = calloc(1, sizeof(*m));
	struct x86_platform *platform = calloc(1, sizeof(*platform));

	m->cfg = *cfg;
	m->cpus = cpus;
	m->counting = (struct work){.run = count, .opaque = m};
	m->ram = host_ram_map(cfg->memory_bytes);
	space_init(&m->space, cfg->lock, cfg->trace, TRACE_MMIO);
	space_map_ram(&m->space, 0, cfg->memory_bytes, m->ram, false);
	timer_init(&m->timer, fire, m);
	platform->opaque = m;
	for (unsigned i = 0; i < cfg->cpus; i++) {
		cpus[i].platform = platform;
		cpus[i].space = &m->space;
	}
	*out = m;
	return 0;
}

static void destroy(struct machine *m)
{
	space_destroy(&m->space);
	host_ram_unmap(m->ram, m->cfg.memory_bytes);
	free((void *)m->cpus[0].platform);
	free(m);
}

static void reset(struct machine *m)
{
	timer_cancel(m->cfg.timers, &m->timer);
	for (unsigned i = 0; i < m->cfg.cpus; i++) {
		m->cpus[i].rip = 0;
		m->cpus[i].activity = X86_RUNNING;
		m->cpus[i].rflags = X86_IF | 2;
	}
	m->resets++;
}

/* Every boot after the first starts with what is behind the image's '|', if there is one. */
static int boot(struct machine *m, const struct boot_config *b, struct error *err)
{
	const uint8_t *bar = memchr(b->kernel.bytes, '|', b->kernel.len);
	size_t skip = bar && m->resets > 1 ? (size_t)(bar - b->kernel.bytes) + 1 : 0;

	memcpy(m->ram, b->kernel.bytes + skip, b->kernel.len - skip);
	return 0;
}

static size_t serial_input(struct machine *m, unsigned n, const uint8_t *bytes, size_t len)
{
	size_t room = sizeof(m->rx) - m->rx_len;

	if (len > room)
		len = room;
	memcpy(m->rx + m->rx_len, bytes, len);
	m->rx_len += len;
	return len;
}

static struct space *memory(struct machine *m)
{
	return &m->space;
}

static const struct machine_desc fake_machine = {
	"pc", "fake", create, destroy, reset, boot, serial_input, memory, NULL,
};
const struct machine_desc *const machine_registry[] = {&fake_machine, NULL};

const struct machine_desc *machine_find(const char *name)
{
	return strcmp(name, "pc") == 0 ? &fake_machine : NULL;
}
