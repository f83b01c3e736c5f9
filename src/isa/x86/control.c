/*
 * Control and debug registers: SDM vol. 2, MOV CR and MOV DR; vol.
 * 3, 2.5, 4.1, 4.10.4, 9.8.5, 17.2. The TLB has no process-context tags, so only a CR3 write that
 * changes nothing keeps it; see x86_tlb_switch for what PCIDs keep.
 */
#include "isa/x86/control.h"

#include "isa/x86/cpuid.h"
#include "isa/x86/fault.h"
#include "isa/x86/mmu.h"
#include "isa/x86/mode.h"

#define CR0_KNOWN                                                                                  \
	(X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS | X86_CR0_ET | X86_CR0_NE |             \
	 X86_CR0_WP | X86_CR0_AM | X86_CR0_NW | X86_CR0_CD | X86_CR0_PG)
#define CR3_NO_FLUSH BIT(63)

static bool gp(struct x86_cpu *cpu)
{
	return x86_fault_raise_error(cpu, X86_FAULT_GP, 0);
}

/* PAE paging outside long mode, which keeps its top level in registers. */
static bool uses_pdptes(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
	return (cr0 & X86_CR0_PG) && (cr4 & X86_CR4_PAE) && !(efer & X86_EFER_LMA);
}

/* May paging be switched on or off? */
static bool paging_switch_ok(const struct x86_cpu *cpu, bool on)
{
	bool code64 = cpu->seg[X86_CS].attr & X86_SEG_L;

	if (on)
		return !(cpu->efer & X86_EFER_LME) || ((cpu->cr4 & X86_CR4_PAE) && !code64);
	return !(cpu->cr4 & X86_CR4_PCIDE) && !x86_code64(cpu);
}

bool x86_cr0_write(struct x86_cpu *cpu, uint64_t v)
{
	uint64_t changed, efer = cpu->efer;

	if (v >> 32)
		return gp(cpu);
	v = (v & CR0_KNOWN) | X86_CR0_ET;
	changed = v ^ cpu->cr0;
	if (((v & X86_CR0_PG) && !(v & X86_CR0_PE)) || ((v & X86_CR0_NW) && !(v & X86_CR0_CD)))
		return gp(cpu);
	if ((changed & X86_CR0_PG) && !paging_switch_ok(cpu, v & X86_CR0_PG))
		return gp(cpu);
	if (changed & X86_CR0_PG)
		efer = (v & X86_CR0_PG) && (efer & X86_EFER_LME) ? efer | X86_EFER_LMA
								 : efer & ~(uint64_t)X86_EFER_LMA;
	if ((changed & (X86_CR0_PG | X86_CR0_CD | X86_CR0_NW)) && uses_pdptes(v, cpu->cr4, efer) &&
	    !x86_pdpte_load(cpu, cpu->cr3))
		return false;
	cpu->cr0 = v;
	cpu->efer = efer;
	if (changed & (X86_CR0_PG | X86_CR0_WP | X86_CR0_PE))
		x86_tlb_flush_all(cpu);
	x86_mode_update(cpu);
	return true;
}

bool x86_cr3_write(struct x86_cpu *cpu, uint64_t v)
{
	bool keep = false;

	if (x86_long_mode(cpu)) {
		if (cpu->cr4 & X86_CR4_PCIDE) {
			keep = v & CR3_NO_FLUSH;
			v &= ~CR3_NO_FLUSH;
		}
		if (v >> X86_PHYS_BITS)
			return gp(cpu);
	} else {
		v = (uint32_t)v;
	}
	if (uses_pdptes(cpu->cr0, cpu->cr4, cpu->efer) && !x86_pdpte_load(cpu, v))
		return false;
	if (keep && v == cpu->cr3)
		return true;
	cpu->cr3 = v;
	x86_tlb_switch(cpu, keep);
	return true;
}

/* The bits of CR4 that this model has. */
static uint64_t cr4_known(const struct x86_cpuid_model *m)
{
	static const struct {
		uint32_t bits;
		uint16_t feature;
	} rows[] = {
		{X86_CR4_VME | X86_CR4_PVI, X86_FEAT_VME},
		{X86_CR4_TSD, X86_FEAT_TSC},
		{X86_CR4_DE, X86_FEAT_DE},
		{X86_CR4_PSE, X86_FEAT_PSE},
		{X86_CR4_PAE, X86_FEAT_PAE},
		{X86_CR4_MCE, X86_FEAT_MCE},
		{X86_CR4_PGE, X86_FEAT_PGE},
		{X86_CR4_PCE, X86_FEAT_MMX},
		{X86_CR4_OSFXSR, X86_FEAT_FXSR},
		{X86_CR4_OSXMMEXCPT, X86_FEAT_SSE},
		{X86_CR4_UMIP, X86_FEAT_UMIP},
		{X86_CR4_FSGSBASE, X86_FEAT_FSGSBASE},
		{X86_CR4_PCIDE, X86_FEAT_PCID},
		{X86_CR4_OSXSAVE, X86_FEAT_XSAVE},
		{X86_CR4_SMEP, X86_FEAT_SMEP},
		{X86_CR4_SMAP, X86_FEAT_SMAP},
	};
	uint64_t known = 0;

	for (unsigned k = 0; k < ARRAY_LEN(rows); k++) {
		if (x86_has(m, (enum x86_feat)rows[k].feature))
			known |= rows[k].bits;
	}
	return known;
}

bool x86_cr4_write(struct x86_cpu *cpu, uint64_t v)
{
	const uint64_t paging = X86_CR4_PSE | X86_CR4_PAE | X86_CR4_PGE | X86_CR4_PCIDE |
				X86_CR4_SMEP | X86_CR4_SMAP;
	const uint64_t pdpte = X86_CR4_PSE | X86_CR4_PAE | X86_CR4_PGE | X86_CR4_SMEP;
	uint64_t changed = v ^ cpu->cr4;

	if (v & ~cr4_known(cpu->cpuid))
		return gp(cpu);
	if (x86_long_mode(cpu) && !(v & X86_CR4_PAE))
		return gp(cpu);
	if ((changed & v & X86_CR4_PCIDE) && (!x86_long_mode(cpu) || (cpu->cr3 & 0xfff)))
		return gp(cpu);
	if ((changed & pdpte) && uses_pdptes(cpu->cr0, v, cpu->efer) &&
	    !x86_pdpte_load(cpu, cpu->cr3))
		return false;
	cpu->cr4 = v;
	if (changed & paging)
		x86_tlb_flush_all(cpu);
	x86_mode_update(cpu);
	return true;
}

bool x86_cr_write(struct x86_cpu *cpu, unsigned n, uint64_t v)
{
	cpu->counter[COUNTER_CR_ACCESSES]++;
	TRACE(cpu->trace, TRACE_MODE, "cpu %u: cr%u = %#llx", cpu->index, n, (unsigned long long)v);
	switch (n) {
	case 0:
		return x86_cr0_write(cpu, v);
	case 2:
		cpu->cr2 = v;
		return true;
	case 3:
		return x86_cr3_write(cpu, v);
	case 4:
		return x86_cr4_write(cpu, v);
	default:
		if (v & ~15ull)
			return gp(cpu);
		cpu->platform->tpr_set(cpu->platform->opaque, cpu, (unsigned)v);
		return true;
	}
}

uint64_t x86_cr_read(struct x86_cpu *cpu, unsigned n)
{
	cpu->counter[COUNTER_CR_ACCESSES]++;
	switch (n) {
	case 0:
		return cpu->cr0;
	case 2:
		return cpu->cr2;
	case 3:
		return cpu->cr3;
	case 4:
		return cpu->cr4;
	default:
		return cpu->platform->tpr_get(cpu->platform->opaque, cpu);
	}
}

enum { DR7_GD = 1 << 13 };

/* DR4 and DR5 are other names of DR6 and DR7, or #UD with CR4.DE; DR7.GD traps every access. */
static bool dr_access(struct x86_cpu *cpu, unsigned *n)
{
	if (*n == 4 || *n == 5) {
		if (cpu->cr4 & X86_CR4_DE)
			return x86_fault_raise(cpu, X86_FAULT_UD);
		*n += 2;
	}
	if (!(cpu->dr[7] & DR7_GD))
		return true;
	x86_fault_raise(cpu, X86_FAULT_DB);
	cpu->fault.dr6 = X86_DR6_BD;
	return false;
}

bool x86_dr_write(struct x86_cpu *cpu, unsigned n, uint64_t v)
{
	if (!dr_access(cpu, &n))
		return false;
	if (n >= 6 && v >> 32)
		return gp(cpu);
	if (n == 6) {
		cpu->dr[6] = (v & 0xe00f) | 0xffff0ff0;
		return true;
	}
	cpu->dr[n] = n == 7 ? (v & 0xffff23ff) | 0x400 : v;
	/* Accesses are checked against breakpoints only off the TLB's fast path. */
	x86_tlb_flush_all(cpu);
	x86_mode_update(cpu);
	return true;
}

bool x86_dr_read(struct x86_cpu *cpu, unsigned n, uint64_t *v)
{
	if (!dr_access(cpu, &n))
		return false;
	*v = cpu->dr[n];
	return true;
}
