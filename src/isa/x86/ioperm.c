/* The I/O permission bitmap of the TSS. SDM vol. 1, 18.5. */
#include "isa/x86/segment.h"

#include "isa/x86/descriptor.h"

static bool refuse(struct x86_cpu *cpu)
{
	return x86_fault_raise_error(cpu, X86_FAULT_GP, 0);
}

bool x86_io_allowed(struct x86_cpu *cpu, uint16_t port, unsigned bytes)
{
	enum { TSS_IO_BASE = 102 };
	uint16_t base, map;
	uint32_t at;

	if (!(cpu->cr0 & X86_CR0_PE))
		return true;
	if (!(cpu->rflags & X86_VM) && x86_cpl(cpu) <= (cpu->rflags >> 12 & 3))
		return true;
	if (!(cpu->tr.attr & X86_SEG_P) || !(cpu->tr.attr & 8) || cpu->tr.limit < TSS_IO_BASE + 1)
		return refuse(cpu);
	if (!x86_sys_read(cpu, x86_sys_linear(cpu, cpu->tr.base, TSS_IO_BASE), &base, 2))
		return false;
	/* Two bytes are read always, so that a run of four ports needs no second look. */
	at = (uint32_t)base + port / 8;
	if (at + 1 > cpu->tr.limit)
		return refuse(cpu);
	if (!x86_sys_read(cpu, x86_sys_linear(cpu, cpu->tr.base, at), &map, 2))
		return false;
	return (map >> (port & 7) & bits_mask(bytes)) ? refuse(cpu) : true;
}
