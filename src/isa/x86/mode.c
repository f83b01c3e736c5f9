/*
 * cpu->mode from the registers it summarises. Bits that cannot matter are left 0, so that blocks
 * are not lifted twice: STACK32 and FLAT in 64-bit code, RF while no breakpoint is set.
 */
#include "isa/x86/mode.h"

#include "isa/x86/mmu.h"

static bool seg_is_flat(const struct x86_seg *s)
{
	if (s->base != 0 || s->limit != 0xffffffff || !(s->attr & X86_SEG_P))
		return false;
	if (s->attr & X86_SEG_CODE)
		return s->attr & X86_SEG_WRITE; /* readable */
	return (s->attr & (X86_SEG_WRITE | X86_SEG_DOWN)) == X86_SEG_WRITE;
}

static bool all_flat(const struct x86_cpu *cpu)
{
	/* Only CS may be a code segment: writes through the others need no check. */
	return seg_is_flat(&cpu->seg[X86_CS]) && seg_is_flat(&cpu->seg[X86_SS]) &&
	       seg_is_flat(&cpu->seg[X86_DS]) && seg_is_flat(&cpu->seg[X86_ES]) &&
	       !((cpu->seg[X86_SS].attr | cpu->seg[X86_DS].attr | cpu->seg[X86_ES].attr) &
		 X86_SEG_CODE);
}

static x86_mode_t mode_code(const struct x86_cpu *cpu)
{
	x86_mode_t m = 0;

	if (cpu->cr0 & X86_CR0_PE)
		m |= X86_MODE_PE;
	if (x86_long_mode(cpu))
		m |= X86_MODE_LONG;
	if (x86_code64(cpu))
		return m | X86_MODE_CODE64;
	if (cpu->rflags & X86_VM)
		m |= X86_MODE_VM;
	if (cpu->seg[X86_CS].attr & X86_SEG_DB)
		m |= X86_MODE_CODE32;
	if (cpu->seg[X86_SS].attr & X86_SEG_DB)
		m |= X86_MODE_STACK32;
	if (x86_protected(cpu) && all_flat(cpu))
		m |= X86_MODE_FLAT;
	return m;
}

static x86_mode_t mode_float(const struct x86_cpu *cpu)
{
	x86_mode_t m = 0;

	if (cpu->cr0 & X86_CR0_TS)
		m |= X86_MODE_FPU_TRAP;
	if (cpu->cr0 & X86_CR0_EM)
		m |= X86_MODE_MMX_UD;
	if ((cpu->cr0 & X86_CR0_EM) || !(cpu->cr4 & X86_CR4_OSFXSR))
		m |= X86_MODE_SSE_UD;
	if (!(cpu->cr4 & X86_CR4_OSXSAVE) || (cpu->xcr0 & 6) != 6)
		m |= X86_MODE_AVX_UD;
	if ((cpu->mxcsr & 0x1f80) != 0x1f80)
		m |= X86_MODE_SSE_UNMASKED;
	if (cpu->fsw & 0x80)
		m |= X86_MODE_X87_PENDING;
	if ((cpu->fcw & 0x3f) != 0x3f && !(m & X86_MODE_FPU_TRAP))
		m |= X86_MODE_X87_UNMASKED;
	return m;
}

static x86_mode_t mode_privilege(const struct x86_cpu *cpu)
{
	unsigned cpl = x86_cpl(cpu);
	bool ac = cpu->rflags & X86_AC;
	x86_mode_t m = (x86_mode_t)cpl << X86_MODE_CPL_SHIFT;
	enum x86_mmu_index mmu = X86_MMU_KERNEL;

	if (cpl == 3)
		mmu = X86_MMU_USER;
	else if ((cpu->cr4 & X86_CR4_SMAP) && !ac)
		mmu = X86_MMU_KERNEL_SMAP;
	if (cpl == 3 && ac && (cpu->cr0 & X86_CR0_AM))
		m |= X86_MODE_AC;
	return m | (x86_mode_t)mmu << X86_MODE_MMU_SHIFT;
}

static x86_mode_t mode_debug(struct x86_cpu *cpu)
{
	x86_mode_t m = 0;

	if (cpu->rflags & X86_TF)
		m |= X86_MODE_TF;
	if (cpu->interrupt_shadow)
		m |= X86_MODE_SHADOW;
	if (cpu->dr[7] & 0xff) {
		m |= X86_MODE_BREAK;
		if (cpu->rflags & X86_RF)
			m |= X86_MODE_RF;
	} else {
		/* Nothing to suppress: the next instruction would clear it unseen. */
		cpu->rflags &= ~(uint64_t)X86_RF;
	}
	return m;
}

void x86_mode_update(struct x86_cpu *cpu)
{
	x86_mode_t old = cpu->mode;

	cpu->mode = mode_code(cpu) | mode_float(cpu) | mode_privilege(cpu) | mode_debug(cpu);
	/* These need every access on the slow path: drop what the fast path could match. Entries
	 * filled from now on are marked slow, and harmless when the bits go off again. */
	if (cpu->mode & ~old & (X86_MODE_BREAK | X86_MODE_AC))
		x86_tlb_flush_all(cpu);
	if ((cpu->mode ^ old) & (X86_MODE_PE | X86_MODE_LONG | X86_MODE_VM))
		TRACE(cpu->trace, TRACE_MODE, "cpu %u: %s%s cr0 %#llx cr4 %#llx efer %#llx",
		      cpu->index, cpu->mode & X86_MODE_PE ? "protected" : "real",
		      cpu->mode & X86_MODE_LONG ? ", long"
		      : cpu->mode & X86_MODE_VM ? ", virtual-8086"
						: "",
		      (unsigned long long)cpu->cr0, (unsigned long long)cpu->cr4,
		      (unsigned long long)cpu->efer);
}
