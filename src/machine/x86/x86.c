/* What all x86 machines do alike to come to life and to be reset: see x86.h. */
#include "machine/x86/x86.h"

#include <errno.h>

#include "base/bits.h"
#include "device/virtio/virtio.h"
#include "host/host.h"
#include "isa/x86/fault.h"

/* Memory smaller than this cannot hold the PC's holes and a loader. */
#define MEMORY_MIN (2ull << 20)

static void wire_cpus(struct machine *m)
{
	platform_init(m);
	for (unsigned i = 0; i < m->cfg.cpus; i++) {
		struct x86_cpu *c = &m->cpus[i];
		c->index = c->apic_id = i;
		c->space = &m->memory;
		c->ports = &m->ports;
		c->platform = &m->platform;
		c->cpuid = m->cfg.cpuid;
		c->trace = m->cfg.trace;
		c->apic_page = LAPIC_BASE_DEFAULT;
	}
}

static void on_eoi(void *opaque, unsigned vector)
{
	ioapic_eoi(&((struct machine *)opaque)->ioapic, vector);
}

static void create_apics(struct machine *m)
{
	m->lapic_bus.eoi = on_eoi;
	m->lapic_bus.eoi_opaque = m;
	for (unsigned i = 0; i < m->cfg.cpus; i++) {
		lapic_init(&m->lapic[i], &m->lapic_bus, i, i == 0, &platform_lapic_ops, &m->cpus[i],
			   m->cfg.clock, m->cfg.timers);
		m->lapic[i].trace = m->cfg.trace;
	}
	ioapic_init(&m->ioapic, 0, &m->lapic_bus);
	kvmclock_init(&m->kvmclock, &m->memory, m->cfg.clock);
	m->ioapic.trace = m->kvmclock.trace = m->cfg.trace;
}

int x86_machine_init(struct machine *m, const struct machine_config *cfg, struct x86_cpu *cpus,
		     struct error *err)
{
	if (cfg->memory_bytes < MEMORY_MIN || (cfg->memory_bytes & PAGE_OFFSET_MASK))
		return error_set(
			err, -EINVAL,
			"memory: %llu bytes: a machine needs at least 2 MiB, in whole pages",
			(unsigned long long)cfg->memory_bytes);
	m->cfg = *cfg;
	m->cpus = cpus;
	m->low_end = cfg->memory_bytes < PC_LOW_END_MAX ? cfg->memory_bytes : PC_LOW_END_MAX;
	m->lapic = host_alloc(cfg->cpus * sizeof(m->lapic[0]));
	m->ram = host_ram_map(cfg->memory_bytes);
	if (!m->lapic || !m->ram)
		return error_set(err, -ENOMEM, "memory: the host refuses %llu MiB",
				 (unsigned long long)(cfg->memory_bytes >> 20));
	space_init(&m->memory, cfg->lock, cfg->trace, TRACE_MMIO);
	space_init(&m->ports, cfg->lock, cfg->trace, TRACE_PIO);
	wire_cpus(m); /* first: the APICs speak to their CPUs from the start */
	create_apics(m);
	return 0;
}

void x86_machine_clear(struct machine *m)
{
	space_destroy(&m->memory);
	space_destroy(&m->ports);
	if (m->ram)
		host_ram_unmap(m->ram, m->cfg.memory_bytes);
	host_free(m->lapic);
}

void x86_reset_asked(void *machine)
{
	struct machine *m = machine;

	m->cfg.event(m->cfg.opaque, MACHINE_RESET, 0);
}

void x86_poweroff_asked(void *machine)
{
	struct machine *m = machine;

	m->cfg.event(m->cfg.opaque, MACHINE_POWEROFF, 0);
}

void x86_debug_exit_asked(void *machine, uint32_t code)
{
	struct machine *m = machine;

	m->cfg.event(m->cfg.opaque, MACHINE_DEBUG_EXIT, code);
}

int x86_map_all(struct space *s, const struct x86_mapping *t, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		int r = space_map_io(s, t[i].name, t[i].base, t[i].len, t[i].ops, t[i].opaque);
		if (r)
			return r;
	}
	return 0;
}

int x86_machine_map(struct machine *m)
{
	uint64_t rest = m->cfg.memory_bytes - m->low_end;
	int r = space_map_ram(&m->memory, 0, PC_VIDEO, m->ram, false);

	if (!r)
		r = space_map_ram(&m->memory, PC_ROM, m->low_end - PC_ROM, m->ram + PC_ROM, false);
	if (!r && rest) {
		m->high_end = PC_HIGH + rest;
		r = space_map_ram(&m->memory, PC_HIGH, rest, m->ram + m->low_end, false);
	}
	return r ? r
		 : space_map_io(&m->memory, "ioapic", IOAPIC_BASE_DEFAULT, IOAPIC_LEN,
				&ioapic_io_ops, &m->ioapic);
}

static void reset_cpus(struct machine *m)
{
	for (unsigned i = 0; i < m->cfg.cpus; i++) {
		x86_cpu_reset(&m->cpus[i]);
		m->cpus[i].apic_page = lapic_page(&m->lapic[i]);
		if (i)
			m->cpus[i].activity = X86_WAIT_SIPI;
	}
}

void x86_machine_reset(struct machine *m,
		       const struct device_desc *(*device)(struct machine *m, unsigned k,
							   void **state, const char **name))
{
	const struct device_desc *d;
	const char *name;
	void *state;

	for (unsigned k = 0; (d = device(m, k, &state, &name)); k++)
		if (d->reset)
			d->reset(state);
	reset_cpus(m);
}

const struct device_desc *x86_part(const struct x86_part *t, unsigned n, unsigned *k, void **state,
				   const char **name)
{
	for (unsigned i = 0; i < n; i++) {
		if (!t[i].desc || (*k)--)
			continue;
		*state = t[i].state;
		*name = t[i].name;
		return t[i].desc;
	}
	return NULL;
}

const struct device_desc *x86_machine_part(struct machine *m, const struct x86_part *t, unsigned n,
					   unsigned *k, void **state, const char **name)
{
	const struct device_desc *part = x86_part(t, n, k, state, name);

	if (part)
		return part;
	if (*k >= m->cfg.cpus) {
		*k -= m->cfg.cpus;
		return NULL;
	}
	*state = &m->lapic[*k];
	*name = "lapic";
	return &lapic_desc;
}

const struct device_desc *x86_virtio_part(struct virtio_device *d, const struct x86_part *t,
					  unsigned n, unsigned *k, void **state, const char **name)
{
	const struct x86_part own[] = {
		{&virtio_device_desc, d, t->name},
		{d->type->state, d->model, t->name},
	};
	const struct device_desc *part = x86_part(t, n, k, state, name);

	if (!part)
		part = x86_part(own, ARRAY_LEN(own), k, state, name);
	if (part)
		return part;
	if (*k >= d->queues) {
		*k -= d->queues;
		return NULL;
	}
	*state = &d->queue[*k];
	*name = t->name;
	return &virtqueue_desc;
}

struct space *x86_machine_memory(struct machine *m)
{
	return &m->memory;
}
