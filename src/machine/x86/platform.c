/* What the CPUs of a machine ask of it: interrupts, APIC registers, time. On CPU threads; each
 * function takes the machine lock itself. */
#include "host/host.h"
#include "isa/x86/fault.h"
#include "isa/x86/mmu.h"
#include "machine/x86/x86.h"

/* A local APIC's signal to its CPU; under the machine lock, from any thread. */
static void cpu_request(void *opaque, enum lapic_signal s, unsigned value)
{
	struct x86_cpu *cpu = opaque;
	struct machine *m = cpu->platform->opaque;

	switch (s) {
	case LAPIC_SIGNAL_INTR:
		if (!value) {
			__atomic_fetch_and((uint32_t *)&cpu->request, ~(uint32_t)X86_REQ_INTR,
					   __ATOMIC_SEQ_CST);
			return;
		}
		x86_request(cpu, X86_REQ_INTR);
		break;
	case LAPIC_SIGNAL_NMI:
		x86_request(cpu, X86_REQ_NMI);
		break;
	case LAPIC_SIGNAL_INIT:
		x86_request(cpu, X86_REQ_INIT);
		break;
	case LAPIC_SIGNAL_SIPI:
		/* The CPU may be looking at the vector of the one before. */
		__atomic_store_n(&cpu->sipi_vector, (uint8_t)value, __ATOMIC_RELAXED);
		x86_request(cpu, X86_REQ_SIPI);
		break;
	}
	m->cfg.cpu_wake(m->cfg.opaque, cpu->index);
}

const struct lapic_cpu_ops platform_lapic_ops = {.request = cpu_request};

static struct lapic *lapic_of(struct machine *m, const struct x86_cpu *cpu)
{
	return &m->lapic[cpu->index];
}

static int intr_ack(void *opaque, struct x86_cpu *cpu)
{
	struct machine *m = opaque;

	host_mutex_lock(m->cfg.lock);
	int vector = lapic_ack(lapic_of(m, cpu));
	host_mutex_unlock(m->cfg.lock);
	return vector;
}

static uint32_t apic_read(void *opaque, struct x86_cpu *cpu, uint32_t offset)
{
	struct machine *m = opaque;

	host_mutex_lock(m->cfg.lock);
	uint32_t v = lapic_read(lapic_of(m, cpu), offset);
	host_mutex_unlock(m->cfg.lock);
	return v;
}

static void apic_write(void *opaque, struct x86_cpu *cpu, uint32_t offset, uint32_t value)
{
	struct machine *m = opaque;

	host_mutex_lock(m->cfg.lock);
	lapic_write(lapic_of(m, cpu), offset, value);
	host_mutex_unlock(m->cfg.lock);
}

static bool apic_msr_read(void *opaque, struct x86_cpu *cpu, uint32_t msr, uint64_t *value)
{
	struct machine *m = opaque;

	host_mutex_lock(m->cfg.lock);
	bool ok = lapic_msr_read(lapic_of(m, cpu), msr, value);
	host_mutex_unlock(m->cfg.lock);
	return ok;
}

static bool apic_msr_write(void *opaque, struct x86_cpu *cpu, uint32_t msr, uint64_t value)
{
	struct machine *m = opaque;

	host_mutex_lock(m->cfg.lock);
	bool ok = lapic_msr_write(lapic_of(m, cpu), msr, value);
	host_mutex_unlock(m->cfg.lock);
	return ok;
}

static uint64_t apic_base_get(void *opaque, struct x86_cpu *cpu)
{
	return lapic_base_get(lapic_of(opaque, cpu));
}

static bool apic_base_set(void *opaque, struct x86_cpu *cpu, uint64_t value)
{
	struct machine *m = opaque;

	host_mutex_lock(m->cfg.lock);
	bool ok = lapic_base_set(lapic_of(m, cpu), value);
	cpu->apic_page = lapic_page(lapic_of(m, cpu));
	host_mutex_unlock(m->cfg.lock);
	x86_tlb_flush_all(cpu); /* what was RAM or a hole may be the APIC now */
	return ok;
}

static unsigned tpr_get(void *opaque, struct x86_cpu *cpu)
{
	return lapic_cr8_get(lapic_of(opaque, cpu));
}

static void tpr_set(void *opaque, struct x86_cpu *cpu, unsigned value)
{
	struct machine *m = opaque;

	host_mutex_lock(m->cfg.lock);
	lapic_cr8_set(lapic_of(m, cpu), value);
	host_mutex_unlock(m->cfg.lock);
}

static uint64_t now_ns(void *opaque, struct x86_cpu *cpu)
{
	return clock_now(((struct machine *)opaque)->cfg.clock);
}

static uint64_t tsc_deadline_get(void *opaque, struct x86_cpu *cpu)
{
	struct machine *m = opaque;

	host_mutex_lock(m->cfg.lock);
	uint64_t v = lapic_tsc_deadline_get(lapic_of(m, cpu));
	host_mutex_unlock(m->cfg.lock);
	return v;
}

static void tsc_deadline_set(void *opaque, struct x86_cpu *cpu, uint64_t tsc)
{
	struct machine *m = opaque;

	host_mutex_lock(m->cfg.lock);
	lapic_tsc_deadline_set(lapic_of(m, cpu), tsc, cpu->tsc_offset);
	host_mutex_unlock(m->cfg.lock);
}

static bool pv_msr_read(void *opaque, struct x86_cpu *cpu, uint32_t msr, uint64_t *value)
{
	struct machine *m = opaque;

	host_mutex_lock(m->cfg.lock);
	bool ok = kvmclock_msr_read(&m->kvmclock, cpu->index, msr, value);
	host_mutex_unlock(m->cfg.lock);
	return ok;
}

static bool pv_msr_write(void *opaque, struct x86_cpu *cpu, uint32_t msr, uint64_t value)
{
	struct machine *m = opaque;

	host_mutex_lock(m->cfg.lock);
	bool ok = kvmclock_msr_write(&m->kvmclock, cpu->index, msr, value,
				     clock_now(m->cfg.clock) + cpu->tsc_offset);
	host_mutex_unlock(m->cfg.lock);
	return ok;
}

void platform_init(struct machine *m)
{
	m->platform = (struct x86_platform){
		.opaque = m,
		.intr_ack = intr_ack,
		.apic_read = apic_read,
		.apic_write = apic_write,
		.apic_msr_read = apic_msr_read,
		.apic_msr_write = apic_msr_write,
		.apic_base_get = apic_base_get,
		.apic_base_set = apic_base_set,
		.tpr_get = tpr_get,
		.tpr_set = tpr_set,
		.now_ns = now_ns,
		.tsc_deadline_get = tsc_deadline_get,
		.tsc_deadline_set = tsc_deadline_set,
		.pv_msr_read = pv_msr_read,
		.pv_msr_write = pv_msr_write,
	};
}
