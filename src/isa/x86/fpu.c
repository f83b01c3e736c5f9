/*
 * The SSE control and status register, kept in the host's own MXCSR while guest code runs, and the
 * x87 reset state. SDM vol. 1, 10.2.3 and 11.5; vol. 3, table 9-1.
 *
 * The host always runs with all exceptions masked: unmasked ones are found by looking (insn_sse.c).
 * Flush-to-zero has no effect while underflow is unmasked, so it is then kept off in the host.
 */
#include "isa/x86/fpu.h"

static void host_mxcsr_set(uint32_t v)
{
	__asm__ volatile("ldmxcsr %0" : : "m"(v));
}

static uint32_t host_mxcsr_get(void)
{
	uint32_t v;

	__asm__ volatile("stmxcsr %0" : "=m"(v));
	return v;
}

void x86_mxcsr_enter(const struct x86_cpu *cpu)
{
	uint32_t v = (cpu->mxcsr & X86_MXCSR_MASK) | X86_MXCSR_MASKS;

	if (!(cpu->mxcsr & X86_MXCSR_UM))
		v &= ~(uint32_t)X86_MXCSR_FTZ;
	host_mxcsr_set(v);
}

void x86_mxcsr_sync(struct x86_cpu *cpu)
{
	cpu->mxcsr |= host_mxcsr_get() & X86_MXCSR_FLAGS;
}

void x86_mxcsr_leave(struct x86_cpu *cpu)
{
	x86_mxcsr_sync(cpu);
	host_mxcsr_set(X86_MXCSR_DEFAULT);
}

uint32_t x86_mxcsr_take_flags(void)
{
	uint32_t host = host_mxcsr_get();

	host_mxcsr_set(host & ~(uint32_t)X86_MXCSR_FLAGS);
	return host & X86_MXCSR_FLAGS;
}

void x86_fpu_init(struct x86_cpu *cpu)
{
	cpu->fcw = X86_FCW_DEFAULT;
	cpu->fsw = 0;
	cpu->ftag = 0;
	cpu->fop = 0;
	cpu->fcs = 0;
	cpu->fds = 0;
	cpu->fip = 0;
	cpu->fdp = 0;
}
