/*
 * The x87 register stack, status and exceptions. SDM vol. 1, 8.1 (registers, pointers), 8.4 and 8.5
 * (exceptions). The pointers are recorded by every instruction that is not a control instruction,
 * whether or not it raises an exception, and so is the opcode (vol. 1, 8.1.8 and 8.1.9). Condition
 * codes that the manual leaves undefined, or that processors disagree on, are as AMD processors
 * have them.
 */
#include "isa/x86/x87.h"

#include "isa/x86/fpu.h"
#include "isa/x86/mmu.h"
#include "isa/x86/mode.h"

const struct x86_fpr x87_indefinite = {.mant = 0xc000000000000000, .sexp = 0xffff};

unsigned x87_mem_flags(uint64_t what)
{
	return x87_seg(what) == X86_SS ? X86_MEM_STACK : 0;
}

static unsigned physical(const struct x86_cpu *cpu, unsigned i)
{
	return (((unsigned)cpu->fsw >> X86_FSW_TOP_SHIFT) + i) & 7;
}

struct x86_fpr *x87_st(struct x86_cpu *cpu, unsigned i)
{
	return &cpu->fpr[physical(cpu, i)];
}

bool x87_empty(const struct x86_cpu *cpu, unsigned i)
{
	return !(cpu->ftag >> physical(cpu, i) & 1);
}

void x87_set(struct x86_cpu *cpu, unsigned i, struct x86_fpr v)
{
	unsigned reg = physical(cpu, i);

	cpu->fpr[reg].mant = v.mant;
	cpu->fpr[reg].sexp = v.sexp;
	cpu->ftag |= (uint8_t)(1u << reg);
}

void x87_free(struct x86_cpu *cpu, unsigned i)
{
	cpu->ftag &= (uint8_t) ~(1u << physical(cpu, i));
}

void x87_move_top(struct x86_cpu *cpu, int by)
{
	unsigned top = physical(cpu, (unsigned)by & 7);

	cpu->fsw = (uint16_t)((cpu->fsw & ~X86_FSW_TOP) | top << X86_FSW_TOP_SHIFT);
}

void x87_pop(struct x86_cpu *cpu)
{
	x87_free(cpu, 0);
	x87_move_top(cpu, 1);
}

void x87_pop_as(struct x86_cpu *cpu, uint64_t what)
{
	if (what & (X87_WHAT_POP | X87_WHAT_POP2))
		x87_pop(cpu);
	if (what & X87_WHAT_POP2)
		x87_pop(cpu);
}

void x87_push(struct x86_cpu *cpu, struct x86_fpr v)
{
	x87_move_top(cpu, -1);
	x87_set(cpu, 0, v);
}

void x87_status(struct x86_cpu *cpu, uint16_t sw, unsigned codes)
{
	cpu->fsw = (uint16_t)((cpu->fsw & ~codes) | (sw & (codes | X87_EXCEPTIONS | X87_SF)));
}

bool x87_restart(struct x86_cpu *cpu, unsigned sw)
{
	if (!(sw & ~(unsigned)cpu->fcw & X87_EXCEPTIONS) || cpu->alone)
		return false;
	cpu->exit_code = X86_EXIT_RESTART;
	return true;
}

static bool stack_fault(struct x86_cpu *cpu, unsigned c1)
{
	if (x87_restart(cpu, X87_IE))
		return false;
	x87_status(cpu, (uint16_t)(X87_IE | X87_SF | c1), X87_C1);
	return cpu->fcw & X87_IE;
}

bool x87_underflow(struct x86_cpu *cpu)
{
	return stack_fault(cpu, 0);
}

bool x87_overflow(struct x86_cpu *cpu)
{
	return stack_fault(cpu, X87_C1);
}

bool x87_computed(const struct x86_cpu *cpu, uint16_t sw)
{
	return !(sw & ~(unsigned)cpu->fcw & (X87_IE | X87_DE | X87_ZE));
}

void x87_summarize(struct x86_cpu *cpu)
{
	if (cpu->fsw & ~(unsigned)cpu->fcw & X87_EXCEPTIONS)
		cpu->fsw |= X87_ES | X87_B;
	else
		cpu->fsw &= (uint16_t) ~(X87_ES | X87_B);
}

void x87_note(struct x86_cpu *cpu, uint64_t what, uint64_t fdp)
{
	unsigned seg = x87_seg(what);

	cpu->fip = cpu->rip + cpu->rip_offset +
		   (uint64_t)((int64_t)what >> X87_WHAT_PC_SHIFT); /* signed */
	if (!(cpu->mode & X86_MODE_CODE64))
		cpu->fip = (uint32_t)cpu->fip;
	cpu->fcs = cpu->seg[X86_CS].sel;
	cpu->fop = (uint16_t)(what >> X87_WHAT_FOP_SHIFT & 0x7ff);
	if (seg < ARRAY_LEN(cpu->seg)) {
		cpu->fdp = fdp;
		cpu->fds = cpu->seg[seg].sel;
	}
}

uint64_t x87_finish(struct x86_cpu *cpu)
{
	if ((cpu->fsw & ~(unsigned)cpu->fcw & X87_EXCEPTIONS) && !(cpu->fsw & X87_ES)) {
		cpu->fsw |= X87_ES | X87_B;
		x86_mode_update(cpu);
	}
	return 0;
}
