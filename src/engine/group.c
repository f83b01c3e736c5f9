/*
 * Stopping the other CPUs of a machine for a moment. One CPU at a time is exclusive; the others
 * are outside guest code, or come to a block boundary (X86_REQ_SYNC) and wait there.
 */
#include "engine/engine.h"
#include "host/host.h"
#include "isa/x86/fault.h"
#include "isa/x86/mmu.h"

enum { GROUP_CPUS_MAX = 64 };

struct member {
	struct x86_cpu *cpu;
	bool inside;		/* under lock */
	struct host_event wake; /* exclusive ended, or (for the exclusive one) somebody left */
};

struct engine_group {
	struct host_mutex lock;
	unsigned count;
	struct member *exclusive; /* under lock; NULL if none */
	struct member member[GROUP_CPUS_MAX];
	void *slot;
};

struct engine_group *engine_group_create(unsigned cpus)
{
	struct engine_group *g = host_alloc(sizeof(*g));

	if (!g)
		return NULL;
	host_mutex_init(&g->lock);
	for (unsigned i = 0; i < GROUP_CPUS_MAX; i++)
		host_event_init(&g->member[i].wake);
	return g;
}

void engine_group_destroy(struct engine_group *g)
{
	if (!g)
		return;
	for (unsigned i = 0; i < GROUP_CPUS_MAX; i++)
		host_event_destroy(&g->member[i].wake);
	host_mutex_destroy(&g->lock);
	host_free(g);
}

void **engine_group_slot(struct engine_group *g)
{
	return &g->slot;
}

void engine_group_add(struct engine_group *g, struct x86_cpu *cpu)
{
	if (g->count < GROUP_CPUS_MAX)
		g->member[g->count++].cpu = cpu;
}

static struct member *find(struct engine_group *g, const struct x86_cpu *cpu)
{
	for (unsigned i = 0; i < g->count; i++)
		if (g->member[i].cpu == cpu)
			return &g->member[i];
	return NULL;
}

void engine_group_enter(struct engine_group *g, struct x86_cpu *cpu)
{
	struct member *m = find(g, cpu);

	if (g->count <= 1 || !m)
		return;
	host_mutex_lock(&g->lock);
	while (g->exclusive) {
		host_mutex_unlock(&g->lock);
		host_event_wait(&m->wake, UINT64_MAX);
		host_mutex_lock(&g->lock);
	}
	m->inside = true;
	host_mutex_unlock(&g->lock);
}

void engine_group_leave(struct engine_group *g, struct x86_cpu *cpu)
{
	struct member *m = find(g, cpu);

	if (g->count <= 1 || !m)
		return;
	host_mutex_lock(&g->lock);
	m->inside = false;
	if (g->exclusive)
		host_event_signal(&g->exclusive->wake);
	host_mutex_unlock(&g->lock);
}

static bool others_inside(const struct engine_group *g, const struct member *m)
{
	for (unsigned i = 0; i < g->count; i++)
		if (&g->member[i] != m && g->member[i].inside)
			return true;
	return false;
}

void engine_group_exclusive_begin(struct engine_group *g, struct x86_cpu *cpu)
{
	struct member *m = find(g, cpu);

	cpu->exclusive = true;
	if (g->count <= 1 || !m)
		return;
	host_mutex_lock(&g->lock);
	m->inside = false;
	while (g->exclusive) {
		host_event_signal(&g->exclusive->wake);
		host_mutex_unlock(&g->lock);
		host_event_wait(&m->wake, UINT64_MAX);
		host_mutex_lock(&g->lock);
	}
	g->exclusive = m;
	for (unsigned i = 0; i < g->count; i++)
		if (&g->member[i] != m && g->member[i].inside)
			x86_request(g->member[i].cpu, X86_REQ_SYNC);
	while (others_inside(g, m)) {
		host_mutex_unlock(&g->lock);
		host_event_wait(&m->wake, UINT64_MAX);
		host_mutex_lock(&g->lock);
	}
	host_mutex_unlock(&g->lock);
}

void engine_group_exclusive_end(struct engine_group *g, struct x86_cpu *cpu)
{
	struct member *m = find(g, cpu);

	cpu->exclusive = false;
	if (g->count <= 1 || !m)
		return;
	host_mutex_lock(&g->lock);
	g->exclusive = NULL;
	m->inside = true;
	for (unsigned i = 0; i < g->count; i++)
		if (&g->member[i] != m)
			host_event_signal(&g->member[i].wake);
	host_mutex_unlock(&g->lock);
}

void engine_group_protect(struct engine_group *g, struct x86_cpu *cpu, uint64_t gpa_page)
{
	engine_group_exclusive_begin(g, cpu);
	for (unsigned i = 0; i < g->count; i++)
		x86_tlb_protect_gpa(g->member[i].cpu, gpa_page);
	engine_group_exclusive_end(g, cpu);
}
