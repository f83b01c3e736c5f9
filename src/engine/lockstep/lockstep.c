/* The engine's row and its run loop: slices of the first engine, each followed by the shadow. */
#include "engine/lockstep/lockstep.h"

#include <errno.h>

#include "engine/lockstep/lockstep_private.h"
#include "isa/x86/fault.h"
#include "isa/x86/mmu.h"

/* Long enough that comparing costs little beside running, short enough to narrow down at once. */
enum { SLICE_INSNS = 1 << 14 };

static uint32_t requests_of(const struct x86_cpu *cpu)
{
	return __atomic_load_n((const uint32_t *)&cpu->request, __ATOMIC_SEQ_CST);
}

/* The shadow becomes what the machine's CPU is: at the beginning, and when somebody else changed
 * that one, with a debugger or by a reset. */
static void adopt(struct engine_cpu *t)
{
	struct side *a = &t->side[LOCKSTEP_FIRST], *b = &t->side[LOCKSTEP_SECOND];

	field_save(x86_cpu_fields, a->cpu, b->start);
	field_restore(x86_cpu_fields, b->cpu, b->start);
	b->cpu->random_state = a->cpu->random_state;
	b->cpu->exit_code = X86_EXIT_NONE;
	x86_mode_update(b->cpu);
	x86_tlb_flush_all(b->cpu);
}

/* Pending requests, and what other CPUs may do to a CPU, are the same on both sides. */
static void share_requests(struct engine_cpu *t)
{
	struct x86_cpu *a = t->side[LOCKSTEP_FIRST].cpu, *b = t->side[LOCKSTEP_SECOND].cpu;
	uint32_t r = requests_of(a) & (ASK_REQUESTS | X86_REQ_FLUSH_TLB);

	__atomic_fetch_and((uint32_t *)&b->request, ~(ASK_REQUESTS | (uint32_t)X86_REQ_STOP),
			   __ATOMIC_SEQ_CST);
	x86_request(b, r);
	b->sipi_vector = a->sipi_vector;
	if (b->apic_page != a->apic_page) {
		b->apic_page = a->apic_page;
		x86_tlb_flush_all(b);
	}
}

static void slice_begin(struct engine_cpu *t)
{
	struct x86_cpu *a = t->side[LOCKSTEP_FIRST].cpu, *b = t->side[LOCKSTEP_SECOND].cpu;

	share_requests(t);
	/* A reset loads its images past everyone, and counts from 0 again. */
	if (!t->synced || a->insns < t->last_insns)
		mirror_copy_all(t->all);
	if (!t->synced || !twins_equal(t))
		adopt(t);
	t->synced = true;
	tap_follow(t->all);
	x86_tlb_forget_writes(a);
	x86_tlb_forget_writes(b);
	side_save(&t->side[LOCKSTEP_FIRST]);
	side_save(&t->side[LOCKSTEP_SECOND]);
	log_clear(&t->all->log);
	t->held = 0;
	t->stop = t->stopped = false;
}

/* The first engine, on the machine itself, for at most insns more. What is due behind the last
 * instruction is always done: the shadow, which is not told to stop, does it too. */
static enum engine_exit record_run(struct engine_cpu *t, uint64_t insns)
{
	struct side *a = &t->side[LOCKSTEP_FIRST];
	enum engine_exit exit, rest;

	t->real = a->cpu->platform;
	tap_fill(&a->tap, t, LOCKSTEP_FIRST, t->real);
	a->cpu->platform = &a->tap.platform;
	t->all->running = t;
	exit = rest = a->engine->run(a->e, insns);
	while (rest == ENGINE_EXIT_STOP)
		rest = a->engine->run(a->e, 0);
	t->all->running = NULL;
	a->cpu->platform = t->real;
	a->next_ask = t->all->log.asks;
	t->last_insns = a->cpu->insns;
	return rest == ENGINE_EXIT_RESET ? rest : exit;
}

/* How far the shadow must be let run to be where the first one is after insns: a halt or a shutdown
 * is found by trying to go on. */
static uint64_t shadow_budget(const struct engine_cpu *t, uint64_t insns)
{
	return insns + (t->side[LOCKSTEP_FIRST].cpu->activity != X86_RUNNING);
}

/* An exception that follows the last instruction has been delivered or not, depending on when the
 * first engine saw that it was to stop. One instruction more, and it has on both sides. */
static bool one_more(struct engine_cpu *t, uint64_t start)
{
	struct side *b = &t->side[LOCKSTEP_SECOND];

	if (record_run(t, 1) == ENGINE_EXIT_RESET)
		return false;
	mirror_restore_copy(t->all);
	side_restore(b);
	replay_run(t, b, shadow_budget(t, t->side[LOCKSTEP_FIRST].cpu->insns - start));
	return twins_agree(t);
}

static enum engine_exit differs(struct engine_cpu *t, uint64_t done)
{
	void *before = host_alloc(field_size(x86_cpu_fields));
	struct parting p;

	if (before) {
		narrow(t, shadow_budget(t, done), &p, before);
		report_write(t, &p, before);
	}
	host_free(before);
	if (!t->report)
		t->report = host_alloc(1); /* out of memory: no words, but not to be run on */
	return ENGINE_EXIT_DIFFER;
}

static enum engine_exit slice(struct engine_cpu *t, uint64_t insns, uint64_t *done)
{
	struct x86_cpu *cpu = t->side[LOCKSTEP_FIRST].cpu;
	uint64_t start;
	enum engine_exit exit;
	bool equal;

	slice_begin(t);
	start = cpu->insns;
	exit = record_run(t, insns);
	*done = cpu->insns - start;
	if (exit == ENGINE_EXIT_RESET || t->all->log.full) {
		t->synced = false;
		x86_request(cpu, t->held);
		return exit;
	}
	replay_run(t, &t->side[LOCKSTEP_SECOND], shadow_budget(t, *done));
	equal = twins_agree(t);
	if (!equal && exit == ENGINE_EXIT_STOP && *done < insns)
		equal = one_more(t, start);
	*done = cpu->insns - start;
	if (equal)
		mirror_keep(t->all);
	else
		exit = differs(t, *done);
	x86_request(cpu, t->held);
	return exit;
}

static enum engine_exit run(struct engine_cpu *t, uint64_t insns)
{
	enum engine_exit exit;
	bool again;

	if (t->report)
		return ENGINE_EXIT_DIFFER;
	do {
		uint64_t done;

		exit = slice(t, insns < SLICE_INSNS ? insns : SLICE_INSNS, &done);
		insns -= done < insns ? done : insns;
		again = exit == ENGINE_EXIT_STOP ? t->stopped && !t->stop
						 : exit == ENGINE_EXIT_BUDGET && insns;
	} while (again);
	return exit;
}

static const char *report(const struct engine_cpu *t)
{
	return t->report ? t->report : "";
}

/* ---- life */

static void probe(struct engine_info *out)
{
	*out = (struct engine_info){
		.works = true,
		.why = "for finding bugs: lockstep=A,B runs engine B beside engine A; needs "
		       "--clock counted",
		.cost = "both engines one after the other, and RAM three times",
	};
}

static void all_release(struct engine_group *g, struct lockstep *all)
{
	if (!all || --all->cpus)
		return;
	tap_remove(all);
	mirror_destroy(all);
	engine_group_destroy(all->group);
	log_free(&all->log);
	host_free(all);
	*engine_group_slot(g) = NULL;
}

/* What the CPUs share: made by the first of them. */
static int all_get(struct lockstep **out, struct engine_group *g, struct x86_cpu *cpu)
{
	void **slot = engine_group_slot(g);
	struct lockstep *all = *slot;
	int r = -ENOMEM;

	if (!all) {
		all = host_alloc(sizeof(*all));
		if (!all)
			return r;
		*slot = all;
		all->group = engine_group_create(1);
		if (all->group)
			r = mirror_create(all, cpu->space, cpu->ports);
		if (r == 0)
			r = tap_regions(all);
		if (r) {
			all->cpus = 1;
			all_release(g, all);
			return r;
		}
	}
	all->cpus++;
	*out = all;
	return 0;
}

static void cpu_destroy(struct engine_cpu *t)
{
	struct engine_group *g;

	if (!t)
		return;
	g = t->side[LOCKSTEP_FIRST].group;
	for (unsigned i = 0; i < 2; i++) {
		struct side *s = &t->side[i];

		if (s->e)
			s->engine->cpu_destroy(s->e);
		if (s->fresh)
			s->engine->cpu_destroy(s->fresh);
		host_free(s->start);
	}
	host_ram_unmap(t->side[LOCKSTEP_SECOND].cpu, sizeof(struct x86_cpu));
	host_free(t->report);
	all_release(g, t->all);
	host_free(t);
}

/* A CPU beside the machine's: what it is wired to is the copy. */
static struct x86_cpu *shadow_create(struct engine_cpu *t, const struct x86_cpu *of)
{
	struct x86_cpu *cpu = host_ram_map(sizeof(*cpu));
	struct side *s = &t->side[LOCKSTEP_SECOND];

	if (!cpu)
		return NULL;
	cpu->index = of->index;
	cpu->apic_id = of->apic_id;
	cpu->cpuid = of->cpuid;
	cpu->devices_alone = of->devices_alone;
	cpu->space = &t->all->copy;
	cpu->ports = &t->all->copy_ports;
	tap_fill(&s->tap, t, LOCKSTEP_SECOND, of->platform);
	cpu->platform = &s->tap.platform;
	x86_cpu_reset(cpu);
	engine_group_add(t->all->group, cpu);
	return cpu;
}

static int sides_create(struct engine_cpu *t, const struct engine_config *cfg, struct error *err)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < 2; i++) {
		struct side *s = &t->side[i];
		struct engine_config c = *cfg;

		if (i == LOCKSTEP_FIRST) {
			/* the one to measure by: no optimizations, and no dumps from it */
			c.disabled_passes = ~0ull;
			c.dump = 0;
		}
		c.pair[0] = c.pair[1] = NULL;
		s->engine = cfg->pair[i];
		s->start = host_alloc(field_size(x86_cpu_fields));
		if (!s->start)
			return error_set(err, -ENOMEM, "out of memory for lockstep");
		r = s->engine->cpu_create(&s->e, s->group, s->cpu, &c, err);
	}
	return r;
}

static int cpu_create(struct engine_cpu **out, struct engine_group *g, struct x86_cpu *cpu,
		      const struct engine_config *cfg, struct error *err)
{
	struct engine_cpu *t = host_alloc(sizeof(*t));
	int r;

	if (!cfg->pair[0] || !cfg->pair[1]) {
		host_free(t);
		return error_set(err, -EINVAL, "lockstep: two engines are needed");
	}
	if (!t)
		return error_set(err, -ENOMEM, "out of memory for lockstep");
	t->cfg = *cfg;
	t->side[LOCKSTEP_FIRST].group = g;
	t->side[LOCKSTEP_FIRST].cpu = cpu;
	r = all_get(&t->all, g, cpu);
	if (r) {
		cpu_destroy(t);
		return error_set(err, r, "lockstep: no memory for two copies of the machine's RAM");
	}
	t->side[LOCKSTEP_SECOND].group = t->all->group;
	t->side[LOCKSTEP_SECOND].cpu = shadow_create(t, cpu);
	if (t->side[LOCKSTEP_SECOND].cpu)
		r = sides_create(t, cfg, err);
	else
		r = error_set(err, -ENOMEM, "out of memory for lockstep");
	if (r) {
		cpu_destroy(t);
		return r;
	}
	*out = t;
	return 0;
}

const struct engine engine_lockstep = {
	.name = "lockstep",
	.text = "runs two engines side by side and stops where they differ",
	.probe = probe,
	.cpu_create = cpu_create,
	.cpu_destroy = cpu_destroy,
	.run = run,
	.report = report,
};
