/*
 * What happens between two instructions: pending traps, breakpoints, NMI, interrupts, INIT and
 * SIPI, in the order of SDM vol. 3, table 6-2; and the one-instruction states (single-step, shadow,
 * RF), whose scheme is in fault.h.
 */
#include "isa/x86/fault.h"

#include "isa/x86/mode.h"

static void request_clear(struct x86_cpu *cpu, uint32_t bits)
{
	__atomic_fetch_and((uint32_t *)&cpu->request, ~bits, __ATOMIC_SEQ_CST);
}

static uint32_t request_get(const struct x86_cpu *cpu)
{
	return __atomic_load_n((const uint32_t *)&cpu->request, __ATOMIC_SEQ_CST);
}

void x86_step_done(struct x86_cpu *cpu, x86_mode_t ran)
{
	if ((ran & X86_MODE_TF) && !(cpu->pending_db & X86_PENDING_NO_STEP))
		cpu->pending_db |= X86_DR6_BS;
	cpu->pending_db &= ~X86_PENDING_NO_STEP;
	if (ran & X86_MODE_SHADOW)
		cpu->interrupt_shadow = 0;
	if (ran & X86_MODE_RF)
		cpu->rflags &= ~(uint64_t)X86_RF;
	x86_mode_update(cpu);
}

static void debug_fault(struct x86_cpu *cpu, uint64_t dr6)
{
	cpu->fault = (struct x86_fault){.vector = X86_FAULT_DB, .dr6 = dr6};
	x86_fault_deliver(cpu, cpu->rip);
}

/* DR6 bits of the execute breakpoints at the current instruction. */
static uint64_t breakpoints_here(const struct x86_cpu *cpu)
{
	uint64_t dr7 = cpu->dr[7], hits = 0;
	uint64_t pc = x86_code64(cpu) ? cpu->rip : (uint32_t)(cpu->seg[X86_CS].base + cpu->rip);

	for (unsigned k = 0; k < 4; k++) {
		bool enabled = dr7 >> (2 * k) & 3;

		if (enabled && (dr7 >> (16 + 4 * k) & 15) == 0 && cpu->dr[k] == pc)
			hits |= BIT(k);
	}
	return hits;
}

static void poll_start_signals(struct x86_cpu *cpu, uint32_t request)
{
	if (request & X86_REQ_INIT) {
		request_clear(cpu, X86_REQ_INIT);
		x86_cpu_init_signal(cpu);
		TRACE(cpu->trace, TRACE_CPU, "cpu %u: INIT", cpu->index);
	}
	if (request & X86_REQ_SIPI) {
		unsigned vector;

		request_clear(cpu, X86_REQ_SIPI);
		if (cpu->activity != X86_WAIT_SIPI)
			return;
		vector = __atomic_load_n(&cpu->sipi_vector, __ATOMIC_RELAXED);
		cpu->seg[X86_CS].sel = (uint16_t)(vector << 8);
		cpu->seg[X86_CS].base = (uint64_t)vector << 12;
		cpu->rip = 0;
		cpu->activity = X86_RUNNING;
		x86_mode_update(cpu);
		TRACE(cpu->trace, TRACE_CPU, "cpu %u: SIPI %#x", cpu->index, vector);
	}
}

static void poll_interrupts(struct x86_cpu *cpu, uint32_t request)
{
	int vector;

	if ((request & X86_REQ_NMI) && !cpu->nmi_blocked &&
	    !(cpu->interrupt_shadow & X86_SHADOW_SS)) {
		request_clear(cpu, X86_REQ_NMI);
		cpu->nmi_blocked = 1;
		x86_interrupt_deliver(cpu, X86_FAULT_NMI);
	}
	if (!(request & X86_REQ_INTR) || !(cpu->rflags & X86_IF) || cpu->interrupt_shadow)
		return;
	vector = cpu->platform->intr_ack(cpu->platform->opaque, cpu);
	if (vector >= 0)
		x86_interrupt_deliver(cpu, (unsigned)vector);
}

bool x86_poll(struct x86_cpu *cpu)
{
	uint32_t request = request_get(cpu);
	uint64_t pending;

	if (request & (X86_REQ_INIT | X86_REQ_SIPI))
		poll_start_signals(cpu, request);
	if (cpu->activity == X86_WAIT_SIPI || cpu->activity == X86_SHUTDOWN)
		return false;
	pending = cpu->pending_db & ~X86_PENDING_NO_STEP;
	if (pending && !(cpu->interrupt_shadow & X86_SHADOW_SS)) {
		cpu->pending_db = 0;
		debug_fault(cpu, pending & ~X86_PENDING_INT1);
	}
	if (cpu->activity != X86_SHUTDOWN && (request & (X86_REQ_NMI | X86_REQ_INTR)))
		poll_interrupts(cpu, request);
	if (cpu->activity == X86_RUNNING && (cpu->mode & X86_MODE_BREAK) &&
	    !(cpu->rflags & X86_RF) && !(cpu->interrupt_shadow & X86_SHADOW_SS)) {
		uint64_t hits = breakpoints_here(cpu);

		if (hits)
			debug_fault(cpu, hits);
	}
	return cpu->activity == X86_RUNNING;
}

bool x86_can_wake(const struct x86_cpu *cpu)
{
	uint32_t request = request_get(cpu);

	if (request & X86_REQ_INIT)
		return true;
	switch (cpu->activity) {
	case X86_WAIT_SIPI:
		return request & X86_REQ_SIPI;
	case X86_SHUTDOWN:
		return false;
	default:
		return cpu->pending_db || ((request & X86_REQ_NMI) && !cpu->nmi_blocked) ||
		       ((request & X86_REQ_INTR) && (cpu->rflags & X86_IF));
	}
}
