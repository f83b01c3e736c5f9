/*
 * SYSCALL, SYSRET, SYSENTER, SYSEXIT. SDM vol. 2; AMD APM vol. 3 for the legacy and compatibility
 * forms of SYSCALL, which Intel's parts lack and this CPU has. A non-canonical return address of
 * SYSRET is #GP at CPL 0, Intel's way. A fixed flat CS and SS is loaded: no descriptor is read.
 */
#include "isa/x86/segment.h"

#include "isa/x86/fault.h"
#include "isa/x86/mode.h"

static void load_flat(struct x86_cpu *cpu, uint16_t cs, uint16_t ss, unsigned cpl, bool wide)
{
	uint16_t common =
		X86_SEG_P | X86_SEG_S | X86_SEG_G | X86_SEG_ACCESSED | X86_SEG_WRITE | cpl << 5;

	cpu->seg[X86_CS] = (struct x86_seg){
		.sel = (cs & 0xfffc) | cpl,
		.attr = common | X86_SEG_CODE | (wide ? X86_SEG_L : X86_SEG_DB),
		.limit = 0xffffffffu,
	};
	cpu->seg[X86_SS] = (struct x86_seg){
		.sel = (ss & 0xfffc) | cpl,
		.attr = common | X86_SEG_DB,
		.limit = 0xffffffffu,
	};
}

static bool gp(struct x86_cpu *cpu)
{
	return x86_fault_raise_error(cpu, X86_FAULT_GP, 0);
}

/* A trap after this instruction obeys the new TF, not the old one. */
static void step_follows_new_tf(struct x86_cpu *cpu, uint64_t old)
{
	if ((old & X86_TF) && !(cpu->rflags & X86_TF))
		cpu->pending_db |= X86_PENDING_NO_STEP;
}

bool x86_syscall(struct x86_cpu *cpu, uint64_t next_rip)
{
	uint64_t flags = x86_rflags_read(cpu);
	uint16_t cs = cpu->star >> 32;

	if (!(cpu->efer & X86_EFER_SCE) || !x86_protected(cpu))
		return x86_fault_raise(cpu, X86_FAULT_UD);
	if (x86_long_mode(cpu)) {
		cpu->gpr[X86_RCX] = next_rip;
		cpu->gpr[X86_R11] = flags & ~(uint64_t)X86_RF;
		cpu->rip = x86_code64(cpu) ? cpu->lstar : cpu->cstar;
		x86_rflags_write(cpu, (flags & ~(cpu->sfmask | X86_RF)) | 2);
	} else {
		cpu->gpr[X86_RCX] = (uint32_t)next_rip;
		cpu->rip = (uint32_t)cpu->star;
		x86_rflags_write(cpu, flags & ~(uint64_t)(X86_IF | X86_RF | X86_VM));
	}
	load_flat(cpu, cs, cs + 8, 0, x86_long_mode(cpu));
	step_follows_new_tf(cpu, flags);
	cpu->counter[COUNTER_SYSCALLS]++;
	x86_mode_update(cpu);
	return true;
}

bool x86_sysret(struct x86_cpu *cpu, unsigned opsize)
{
	uint16_t sel = cpu->star >> 48;

	if (!(cpu->efer & X86_EFER_SCE) || !x86_protected(cpu))
		return x86_fault_raise(cpu, X86_FAULT_UD);
	if (x86_cpl(cpu) != 0)
		return gp(cpu);
	if (opsize == 8 && !x86_canonical(cpu->gpr[X86_RCX]))
		return gp(cpu);
	cpu->rip = opsize == 8 ? cpu->gpr[X86_RCX] : (uint32_t)cpu->gpr[X86_RCX];
	if (x86_long_mode(cpu))
		x86_rflags_write(cpu, (cpu->gpr[X86_R11] & 0x3c7fd7) | 2);
	else
		x86_rflags_write(cpu, x86_rflags_read(cpu) | X86_IF);
	load_flat(cpu, opsize == 8 ? sel + 16 : sel, sel + 8, 3, opsize == 8);
	x86_mode_update(cpu);
	return true;
}

bool x86_sysenter(struct x86_cpu *cpu)
{
	bool wide = x86_long_mode(cpu);

	if (!(cpu->cr0 & X86_CR0_PE) || !(cpu->sysenter_cs & 0xfffc))
		return gp(cpu);
	x86_rflags_write(cpu, x86_rflags_read(cpu) & ~(uint64_t)(X86_VM | X86_IF | X86_RF));
	cpu->gpr[X86_RSP] = wide ? cpu->sysenter_esp : (uint32_t)cpu->sysenter_esp;
	cpu->rip = wide ? cpu->sysenter_eip : (uint32_t)cpu->sysenter_eip;
	load_flat(cpu, cpu->sysenter_cs, cpu->sysenter_cs + 8, 0, wide);
	cpu->counter[COUNTER_SYSCALLS]++;
	x86_mode_update(cpu);
	return true;
}

bool x86_sysexit(struct x86_cpu *cpu, unsigned opsize)
{
	uint16_t sel = cpu->sysenter_cs + (opsize == 8 ? 32 : 16);
	uint64_t rip = cpu->gpr[X86_RDX], rsp = cpu->gpr[X86_RCX];

	if (!x86_protected(cpu) || x86_cpl(cpu) != 0 || !(cpu->sysenter_cs & 0xfffc))
		return gp(cpu);
	if (opsize == 8 && (!x86_canonical(rip) || !x86_canonical(rsp)))
		return gp(cpu);
	cpu->rip = opsize == 8 ? rip : (uint32_t)rip;
	cpu->gpr[X86_RSP] = opsize == 8 ? rsp : (uint32_t)rsp;
	load_flat(cpu, sel, sel + 8, 3, opsize == 8);
	x86_mode_update(cpu);
	return true;
}
