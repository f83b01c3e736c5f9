/*
 * Model-specific registers (SDM vol. 4): those that kernels and firmware use. Plain ones are rows
 * of a table; an MSR whose feature the model lacks does not exist. Unknown ones are #GP(0),
 * counted.
 *
 * Left out on purpose: performance counters, thermal and power management, microcode loading,
 * SPEC_CTRL and PRED_CMD. Memory types (PAT, MTRRs) are checked and kept but mean nothing here.
 */
#include "isa/x86/cpuid.h"

#include "isa/x86/mmu.h"
#include "isa/x86/mode.h"
#include "isa/x86/regs.h"

enum {
	MSR_TSC = 0x10,
	MSR_PLATFORM_ID = 0x17,
	MSR_APIC_BASE = 0x1b,
	MSR_EBL_CR_POWERON = 0x2a,
	MSR_TSC_ADJUST = 0x3b,
	MSR_BIOS_SIGN = 0x8b,
	MSR_PLATFORM_INFO = 0xce,
	MSR_MTRR_CAP = 0xfe,
	MSR_ARCH_CAPABILITIES = 0x10a,
	MSR_MCG_CAP = 0x179,
	MSR_PERF_STATUS = 0x198,
	MSR_MISC_ENABLE = 0x1a0,
	MSR_DEBUGCTL = 0x1d9,
	MSR_MC_FIRST = 0x400,
	MSR_TSC_DEADLINE = 0x6e0,
	MSR_X2APIC_FIRST = 0x800,
	MSR_X2APIC_LAST = 0x8ff,
	MSR_KVM_WALL_CLOCK_OLD = 0x11,
	MSR_KVM_SYSTEM_TIME_OLD = 0x12,
	MSR_KVM_WALL_CLOCK = 0x4b564d00,
	MSR_KVM_SYSTEM_TIME = 0x4b564d01,
};
#define MSR_EFER 0xc0000080u

enum { MC_BANKS = 4 };

/* RDCL_NO, SKIP_L1DFL_VMENTRY, SSB_NO, MDS_NO, PSCHANGE_MC_NO, TAA_NO, SBDR_SSDP_NO, FBSDP_NO,
 * PSDP_NO, BHI_NO, PBRSB_NO, GDS_NO, RFDS_NO */
#define ARCH_CAPABILITIES                                                                          \
	(BIT(0) | BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(8) | BIT(13) | BIT(14) | BIT(15) |       \
	 BIT(20) | BIT(24) | BIT(26) | BIT(27))

/* ---- plain registers: stored, read back, checked on write */

enum check {
	CHECK_NONE,
	CHECK_LOW32, /* bits 63-32 reserved */
	CHECK_CANONICAL,
	CHECK_PAT,
	CHECK_MTRR_TYPES, /* eight memory types */
	CHECK_MTRR_DEF,
	CHECK_MTRR_BASE,
	CHECK_MTRR_MASK,
};

struct msr_row {
	uint32_t first, count; /* consecutive MSRs, consecutive uint64_t */
	uint32_t offset;
	uint8_t feature, check;
};

/* clang-format off */
static const struct msr_row rows[] = {
	{0x174, 1, X86_OFF(sysenter_cs), X86_FEAT_SEP, CHECK_NONE},
	{0x175, 1, X86_OFF(sysenter_esp), X86_FEAT_SEP, CHECK_CANONICAL},
	{0x176, 1, X86_OFF(sysenter_eip), X86_FEAT_SEP, CHECK_CANONICAL},
	{0x17a, 1, X86_OFF(mcg_status), X86_FEAT_MCA, CHECK_NONE},
	{0x250, 1, X86_OFF(mtrr_fixed[0]), X86_FEAT_MTRR, CHECK_MTRR_TYPES},
	{0x258, 2, X86_OFF(mtrr_fixed[1]), X86_FEAT_MTRR, CHECK_MTRR_TYPES},
	{0x268, 8, X86_OFF(mtrr_fixed[3]), X86_FEAT_MTRR, CHECK_MTRR_TYPES},
	{0x277, 1, X86_OFF(pat), X86_FEAT_PAT, CHECK_PAT},
	{0x2ff, 1, X86_OFF(mtrr_def_type), X86_FEAT_MTRR, CHECK_MTRR_DEF},
	{0xc0000081, 1, X86_OFF(star), X86_FEAT_SYSCALL, CHECK_NONE},
	{0xc0000082, 1, X86_OFF(lstar), X86_FEAT_LM, CHECK_CANONICAL},
	{0xc0000083, 1, X86_OFF(cstar), X86_FEAT_LM, CHECK_CANONICAL},
	{0xc0000084, 1, X86_OFF(sfmask), X86_FEAT_SYSCALL, CHECK_LOW32},
	{0xc0000100, 1, X86_OFF(seg[X86_FS].base), X86_FEAT_LM, CHECK_CANONICAL},
	{0xc0000101, 1, X86_OFF(seg[X86_GS].base), X86_FEAT_LM, CHECK_CANONICAL},
	{0xc0000102, 1, X86_OFF(kernel_gs_base), X86_FEAT_LM, CHECK_CANONICAL},
	{0xc0000103, 1, X86_OFF(tsc_aux), X86_FEAT_RDTSCP, CHECK_LOW32},
};
/* Base and mask pairs 0x200-0x20f */
static const struct msr_row mtrr_base_row = {0x200, 16, X86_OFF(mtrr_var[0]), X86_FEAT_MTRR,
					     CHECK_MTRR_BASE};
static const struct msr_row mtrr_mask_row = {0x200, 16, X86_OFF(mtrr_var[0]), X86_FEAT_MTRR,
					     CHECK_MTRR_MASK};
/* clang-format on */

static bool has(const struct x86_cpu *cpu, unsigned f)
{
	return !cpu->cpuid || x86_has(cpu->cpuid, (enum x86_feat)f);
}

static const struct msr_row *row_find(const struct x86_cpu *cpu, uint32_t msr)
{
	const struct msr_row *r = NULL;

	if (msr - 0x200 < 16)
		r = msr & 1 ? &mtrr_mask_row : &mtrr_base_row;
	for (unsigned i = 0; i < ARRAY_LEN(rows) && !r; i++)
		if (msr - rows[i].first < rows[i].count)
			r = &rows[i];
	return r && has(cpu, r->feature) ? r : NULL;
}

static uint64_t *row_slot(struct x86_cpu *cpu, const struct msr_row *r, uint32_t msr)
{
	return (uint64_t *)((char *)cpu + r->offset) + (msr - r->first);
}

/* UC, WC, WT, WP, WB; the PAT also knows UC- (7). */
static bool type_ok(unsigned type, bool pat)
{
	return type < 8 && (0x73 | (pat ? 0x80 : 0)) >> type & 1;
}

static bool types_ok(uint64_t v, bool pat)
{
	for (unsigned i = 0; i < 64; i += 8)
		if (!type_ok(v >> i & 0xff, pat))
			return false;
	return true;
}

static bool value_ok(enum check c, uint64_t v)
{
	const uint64_t phys = ~bits_mask(X86_PHYS_BITS);

	switch (c) {
	case CHECK_LOW32:
		return v >> 32 == 0;
	case CHECK_CANONICAL:
		return x86_canonical(v);
	case CHECK_PAT:
		return types_ok(v, true);
	case CHECK_MTRR_TYPES:
		return types_ok(v, false);
	case CHECK_MTRR_DEF:
		return !(v & ~0xcffull) && type_ok(v & 0xff, false);
	case CHECK_MTRR_BASE:
		return !(v & (phys | 0xf00)) && type_ok(v & 0xff, false);
	case CHECK_MTRR_MASK:
		return !(v & (phys | 0x7ff));
	default:
		return true;
	}
}

/* ---- time */

uint64_t x86_rdtsc(struct x86_cpu *cpu)
{
	const struct x86_platform *p = cpu->platform;
	uint64_t now = p && p->now_ns ? p->now_ns(p->opaque, cpu) : 0;

	return now + cpu->tsc_offset;
}

/* An armed deadline is a TSC value: it moves when the counter is set. */
static void tsc_offset_set(struct x86_cpu *cpu, uint64_t offset)
{
	const struct x86_platform *p = cpu->platform;
	uint64_t deadline = 0;

	if (p && p->tsc_deadline_get)
		deadline = p->tsc_deadline_get(p->opaque, cpu);
	cpu->tsc_offset = offset;
	if (deadline && p->tsc_deadline_set)
		p->tsc_deadline_set(p->opaque, cpu, deadline);
}

/* ---- EFER */

static bool efer_exists(const struct x86_cpu *cpu)
{
	return has(cpu, X86_FEAT_SYSCALL) || has(cpu, X86_FEAT_NX) || has(cpu, X86_FEAT_LM);
}

static bool efer_write(struct x86_cpu *cpu, uint64_t v)
{
	uint64_t known = (has(cpu, X86_FEAT_SYSCALL) ? X86_EFER_SCE : 0) |
			 (has(cpu, X86_FEAT_LM) ? X86_EFER_LME | X86_EFER_LMA : 0) |
			 (has(cpu, X86_FEAT_NX) ? X86_EFER_NXE : 0);
	uint64_t changed = v ^ cpu->efer;

	if (!efer_exists(cpu) || (v & ~known))
		return false;
	if ((changed & X86_EFER_LME) && (cpu->cr0 & X86_CR0_PG))
		return false;
	cpu->efer = (v & ~(uint64_t)X86_EFER_LMA) | (cpu->efer & X86_EFER_LMA);
	if (changed & X86_EFER_NXE)
		x86_tlb_flush_all(cpu);
	x86_mode_update(cpu);
	return true;
}

/* ---- machine check: banks that never report anything */

static bool mc_read(struct x86_cpu *cpu, uint32_t msr, uint64_t *v)
{
	unsigned n = msr - MSR_MC_FIRST;

	*v = n % 4 == 0 ? cpu->mc_ctl[n / 4] : 0;
	return true;
}

static bool mc_write(struct x86_cpu *cpu, uint32_t msr, uint64_t v)
{
	unsigned n = msr - MSR_MC_FIRST;

	if (n % 4 == 0)
		cpu->mc_ctl[n / 4] = v;
	return n % 4 == 0 || v == 0;
}

static bool is_mc(const struct x86_cpu *cpu, uint32_t msr)
{
	return msr - MSR_MC_FIRST < 4 * MC_BANKS && has(cpu, X86_FEAT_MCA);
}

/* ---- what the platform keeps */

static bool is_x2apic(const struct x86_cpu *cpu, uint32_t msr)
{
	return msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST && has(cpu, X86_FEAT_X2APIC);
}

static bool is_pv(const struct x86_cpu *cpu, uint32_t msr)
{
	return (msr == MSR_KVM_WALL_CLOCK_OLD || msr == MSR_KVM_SYSTEM_TIME_OLD ||
		msr == MSR_KVM_WALL_CLOCK || msr == MSR_KVM_SYSTEM_TIME) &&
	       has(cpu, X86_FEAT_HYPERVISOR);
}

static bool platform_read(struct x86_cpu *cpu, uint32_t msr, uint64_t *v)
{
	const struct x86_platform *p = cpu->platform;

	if (!p)
		return false;
	if (is_x2apic(cpu, msr) && p->apic_msr_read)
		return p->apic_msr_read(p->opaque, cpu, msr, v);
	if (is_pv(cpu, msr) && p->pv_msr_read)
		return p->pv_msr_read(p->opaque, cpu, msr, v);
	if (msr == MSR_APIC_BASE && has(cpu, X86_FEAT_APIC) && p->apic_base_get) {
		*v = p->apic_base_get(p->opaque, cpu);
		return true;
	}
	if (msr == MSR_TSC_DEADLINE && has(cpu, X86_FEAT_TSC_DEADLINE) && p->tsc_deadline_get) {
		*v = p->tsc_deadline_get(p->opaque, cpu);
		return true;
	}
	return false;
}

static bool apic_base_write(struct x86_cpu *cpu, uint64_t v)
{
	const struct x86_platform *p = cpu->platform;

	if (((v & BIT(10)) && !has(cpu, X86_FEAT_X2APIC)) || v >> X86_PHYS_BITS)
		return false;
	if (!p->apic_base_set(p->opaque, cpu, v))
		return false;
	x86_tlb_flush_all(cpu); /* the register page moved, came or went */
	return true;
}

static bool platform_write(struct x86_cpu *cpu, uint32_t msr, uint64_t v)
{
	const struct x86_platform *p = cpu->platform;

	if (!p)
		return false;
	if (is_x2apic(cpu, msr) && p->apic_msr_write)
		return p->apic_msr_write(p->opaque, cpu, msr, v);
	if (is_pv(cpu, msr) && p->pv_msr_write)
		return p->pv_msr_write(p->opaque, cpu, msr, v);
	if (msr == MSR_APIC_BASE && has(cpu, X86_FEAT_APIC) && p->apic_base_set)
		return apic_base_write(cpu, v);
	if (msr == MSR_TSC_DEADLINE && has(cpu, X86_FEAT_TSC_DEADLINE) && p->tsc_deadline_set) {
		p->tsc_deadline_set(p->opaque, cpu, v);
		return true;
	}
	return false;
}

/* ---- the rest */

static bool special_read(struct x86_cpu *cpu, uint32_t msr, uint64_t *v)
{
	*v = 0;
	switch (msr) {
	case MSR_TSC:
		*v = x86_rdtsc(cpu);
		return has(cpu, X86_FEAT_TSC);
	case MSR_TSC_ADJUST:
		*v = cpu->tsc_offset;
		return has(cpu, X86_FEAT_TSC_ADJUST);
	case MSR_BIOS_SIGN: /* microcode revision */
		*v = 1ull << 32;
		return true;
	case MSR_PLATFORM_INFO: /* base ratio, times 100 MHz */
	case MSR_PERF_STATUS:
		*v = X86_TSC_HZ / 100000000 << 8;
		return true;
	case MSR_MTRR_CAP: /* 8 variable, fixed, write-combining */
		*v = 8 | 1 << 8 | 1 << 10;
		return has(cpu, X86_FEAT_MTRR);
	case MSR_ARCH_CAPABILITIES:
		*v = ARCH_CAPABILITIES;
		return has(cpu, X86_FEAT_ARCH_CAPABILITIES);
	case MSR_MCG_CAP:
		*v = MC_BANKS;
		return has(cpu, X86_FEAT_MCA);
	case MSR_MISC_ENABLE:
		*v = cpu->misc_enable;
		return true;
	case MSR_EFER:
		*v = cpu->efer;
		return efer_exists(cpu);
	case MSR_PLATFORM_ID:
	case MSR_EBL_CR_POWERON:
	case MSR_DEBUGCTL:
		return true;
	default:
		return false;
	}
}

static bool special_write(struct x86_cpu *cpu, uint32_t msr, uint64_t v)
{
	switch (msr) {
	case MSR_TSC:
		if (!has(cpu, X86_FEAT_TSC))
			return false;
		tsc_offset_set(cpu, cpu->tsc_offset + (v - x86_rdtsc(cpu)));
		return true;
	case MSR_TSC_ADJUST:
		if (!has(cpu, X86_FEAT_TSC_ADJUST))
			return false;
		tsc_offset_set(cpu, v);
		return true;
	case MSR_MISC_ENABLE: /* only fast strings can be switched, and that changes nothing */
		cpu->misc_enable = (cpu->misc_enable & ~1ull) | (v & 1);
		return true;
	case MSR_DEBUGCTL: /* LBR and BTF are accepted and do nothing */
		return !(v & ~3ull);
	case MSR_EFER:
		return efer_write(cpu, v);
	case MSR_BIOS_SIGN:
	case MSR_EBL_CR_POWERON:
		return true;
	default:
		return false;
	}
}

static bool unknown(struct x86_cpu *cpu, const char *what, uint32_t msr, uint64_t v)
{
	cpu->counter[COUNTER_MSR_UNKNOWN]++;
	TRACE(cpu->trace, TRACE_MSR, "cpu %u: %s %#x = %#llx: #GP", cpu->index, what, msr,
	      (unsigned long long)v);
	return x86_fault_raise_error(cpu, X86_FAULT_GP, 0);
}

bool x86_msr_read(struct x86_cpu *cpu, uint32_t msr, uint64_t *value)
{
	const struct msr_row *r = row_find(cpu, msr);
	bool ok = true;

	cpu->counter[COUNTER_MSR_READS]++;
	*value = 0;
	if (r)
		*value = *row_slot(cpu, r, msr);
	else if (is_mc(cpu, msr))
		ok = mc_read(cpu, msr, value);
	else
		ok = platform_read(cpu, msr, value) || special_read(cpu, msr, value);
	if (!ok)
		return unknown(cpu, "read ", msr, 0);
	TRACE(cpu->trace, TRACE_MSR, "cpu %u: read  %#x = %#llx", cpu->index, msr,
	      (unsigned long long)*value);
	return true;
}

bool x86_msr_write(struct x86_cpu *cpu, uint32_t msr, uint64_t value)
{
	const struct msr_row *r = row_find(cpu, msr);
	bool ok;

	cpu->counter[COUNTER_MSR_WRITES]++;
	if (r) {
		ok = value_ok((enum check)r->check, value);
		if (ok)
			*row_slot(cpu, r, msr) = value;
	} else if (is_mc(cpu, msr)) {
		ok = mc_write(cpu, msr, value);
	} else {
		ok = platform_write(cpu, msr, value) || special_write(cpu, msr, value);
	}
	if (!ok)
		return unknown(cpu, "write", msr, value);
	TRACE(cpu->trace, TRACE_MSR, "cpu %u: write %#x = %#llx", cpu->index, msr,
	      (unsigned long long)value);
	return true;
}
