/*
 * Privileged and system instructions: control and debug registers, MSRs, CPUID, time, TLB and cache
 * control, HLT, hypercalls. SDM vol. 2. Left out, so #UD: MONITOR/MWAIT, RSM, VMX, SMX. There are
 * no performance counters: RDPMC is #GP. Caches need no writing back.
 */
#include "isa/x86/control.h"
#include "isa/x86/cpuid.h"
#include "isa/x86/families.h"
#include "isa/x86/lift.h"
#include "isa/x86/segment.h"

/* ---- helpers */

static uint64_t helper_cr_read(void *opaque, uint64_t n, uint64_t b, uint64_t c)
{
	(void)b, (void)c;
	return x86_cr_read(opaque, (unsigned)n);
}

static uint64_t helper_cr_write(void *opaque, uint64_t n, uint64_t v, uint64_t c)
{
	(void)c;
	x86_cr_write(opaque, (unsigned)n, v);
	return 0;
}

static uint64_t helper_dr_read(void *opaque, uint64_t n, uint64_t b, uint64_t c)
{
	uint64_t v = 0;

	(void)b, (void)c;
	x86_dr_read(opaque, (unsigned)n, &v);
	return v;
}

static uint64_t helper_dr_write(void *opaque, uint64_t n, uint64_t v, uint64_t c)
{
	(void)c;
	x86_dr_write(opaque, (unsigned)n, v);
	return 0;
}

/* LMSW reaches MP, EM, TS, and can set PE but not clear it. */
static uint64_t helper_lmsw(void *opaque, uint64_t v, uint64_t b, uint64_t c)
{
	struct x86_cpu *cpu = opaque;
	uint64_t keep = cpu->cr0 & ~(uint64_t)(X86_CR0_MP | X86_CR0_EM | X86_CR0_TS);

	(void)b, (void)c;
	x86_cr_write(cpu, 0, keep | (v & 15));
	return 0;
}

static uint64_t helper_clts(void *opaque, uint64_t a, uint64_t b, uint64_t c)
{
	struct x86_cpu *cpu = opaque;

	(void)a, (void)b, (void)c;
	cpu->counter[COUNTER_CR_ACCESSES]++;
	cpu->cr0 &= ~(uint64_t)X86_CR0_TS;
	x86_mode_update(cpu);
	return 0;
}

static uint64_t helper_hlt(void *opaque, uint64_t next, uint64_t b, uint64_t c)
{
	struct x86_cpu *cpu = opaque;

	(void)b, (void)c;
	cpu->counter[COUNTER_HALTS]++;
	cpu->activity = X86_HALTED;
	cpu->rip = next;
	return 0;
}

/* No segment or canonical check: an address that cannot be cached needs no dropping. */
static uint64_t helper_invlpg(void *opaque, uint64_t off, uint64_t seg, uint64_t c)
{
	struct x86_cpu *cpu = opaque;
	bool has_base = !x86_code64(cpu) || seg >= X86_FS;
	uint64_t lin = off + (has_base ? cpu->seg[seg].base : 0);

	(void)c;
	x86_tlb_flush_page(cpu, x86_code64(cpu) ? lin : (uint32_t)lin);
	return 0;
}

/* The TLB holds the current context and global entries; of others there is only cpu->context. */
static void invpcid(struct x86_cpu *cpu, uint64_t type, unsigned pcid, uint64_t lin)
{
	if (type == 2)
		x86_tlb_flush_all(cpu);
	else if (type == 3)
		x86_tlb_flush_nonglobal(cpu);
	else if (pcid != x86_pcid(cpu))
		x86_tlb_drop_pcid(cpu, pcid);
	else if (type == 0)
		x86_tlb_flush_page(cpu, lin);
	else
		x86_tlb_switch(cpu, false);
}

static uint64_t helper_invpcid(void *opaque, uint64_t type, uint64_t pcid, uint64_t lin)
{
	struct x86_cpu *cpu = opaque;
	bool bad = type > 3 || (type < 2 && pcid >> 12) ||
		   (type < 2 && pcid && !(cpu->cr4 & X86_CR4_PCIDE)) ||
		   (type == 0 && !x86_canonical(lin));

	if (bad)
		x86_fault_raise_error(cpu, X86_FAULT_GP, 0);
	else
		invpcid(cpu, type, (unsigned)pcid, lin);
	return 0;
}

static uint64_t helper_rdmsr(void *opaque, uint64_t msr, uint64_t b, uint64_t c)
{
	uint64_t v = 0;

	(void)b, (void)c;
	x86_msr_read(opaque, (uint32_t)msr, &v);
	return v;
}

static uint64_t helper_wrmsr(void *opaque, uint64_t msr, uint64_t v, uint64_t c)
{
	(void)c;
	x86_msr_write(opaque, (uint32_t)msr, v);
	return 0;
}

static uint64_t helper_cpuid(void *opaque, uint64_t a, uint64_t b, uint64_t c)
{
	(void)a, (void)b, (void)c;
	x86_cpuid(opaque);
	return 0;
}

static uint64_t helper_rdtsc(void *opaque, uint64_t a, uint64_t b, uint64_t c)
{
	struct x86_cpu *cpu = opaque;

	(void)a, (void)b, (void)c;
	if ((cpu->cr4 & X86_CR4_TSD) && x86_cpl(cpu) > 0) {
		x86_fault_raise_error(cpu, X86_FAULT_GP, 0);
		return 0;
	}
	return x86_rdtsc(cpu);
}

static uint64_t helper_set_ac(void *opaque, uint64_t on, uint64_t b, uint64_t c)
{
	struct x86_cpu *cpu = opaque;

	(void)b, (void)c;
	cpu->rflags = (cpu->rflags & ~(uint64_t)X86_AC) | (on ? X86_AC : 0);
	x86_mode_update(cpu);
	return 0;
}

/* KVM's hypercall interface, in which nothing is offered: -ENOSYS, and -EPERM to programs. */
static uint64_t helper_hypercall(void *opaque, uint64_t a, uint64_t b, uint64_t c)
{
	enum { KVM_ENOSYS = 1000, KVM_EPERM = 1 };
	struct x86_cpu *cpu = opaque;
	int64_t r = x86_cpl(cpu) == 0 ? -KVM_ENOSYS : -KVM_EPERM;

	(void)a, (void)b, (void)c;
	cpu->counter[COUNTER_HYPERCALLS]++;
	return x86_code64(cpu) ? (uint64_t)r : (uint32_t)r;
}

enum {
	H_CR_READ,
	H_CR_WRITE,
	H_DR_READ,
	H_DR_WRITE,
	H_LMSW,
	H_CLTS,
	H_HLT,
	H_INVLPG,
	H_INVPCID,
	H_RDMSR,
	H_WRMSR,
	H_CPUID,
	H_RDTSC,
	H_SET_AC,
	H_HYPERCALL,
	H_COUNT
};

#define F	  IR_HELPER_FAULTS
#define SYS_STATE (X86_ST_SEGS | X86_ST_RFLAGS | X86_ST_SYS)
#define CPUID_REGS                                                                                 \
	(X86_ST_GPR(X86_RAX) | X86_ST_GPR(X86_RBX) | X86_ST_GPR(X86_RCX) | X86_ST_GPR(X86_RDX))

/* clang-format off */
const struct ir_helper x86_helpers_system[] = {
	[H_CR_READ] = {"cr_read", (void *)helper_cr_read, 1, IR_I64, 0, SYS_STATE, X86_ST_SYS},
	[H_CR_WRITE] = {"cr_write", (void *)helper_cr_write, 2, IR_VOID, F | IR_HELPER_MEMORY, X86_ST_ALL, SYS_STATE},
	[H_DR_READ] = {"dr_read", (void *)helper_dr_read, 1, IR_I64, F, SYS_STATE, X86_ST_SYS},
	[H_DR_WRITE] = {"dr_write", (void *)helper_dr_write, 2, IR_VOID, F, X86_ST_ALL, SYS_STATE},
	[H_LMSW] = {"lmsw", (void *)helper_lmsw, 1, IR_VOID, F | IR_HELPER_MEMORY, X86_ST_ALL, SYS_STATE},
	[H_CLTS] = {"clts", (void *)helper_clts, 0, IR_VOID, 0, X86_ST_ALL, SYS_STATE},
	[H_HLT] = {"hlt", (void *)helper_hlt, 1, IR_VOID, IR_HELPER_SETS_PC, SYS_STATE, SYS_STATE | X86_ST_RIP},
	[H_INVLPG] = {"invlpg", (void *)helper_invlpg, 2, IR_VOID, 0, SYS_STATE, X86_ST_SYS},
	[H_INVPCID] = {"invpcid", (void *)helper_invpcid, 3, IR_VOID, F, SYS_STATE, X86_ST_SYS},
	[H_RDMSR] = {"rdmsr", (void *)helper_rdmsr, 1, IR_I64, F, X86_ST_ALL, X86_ST_SYS},
	[H_WRMSR] = {"wrmsr", (void *)helper_wrmsr, 2, IR_VOID, F, X86_ST_ALL, SYS_STATE},
	[H_CPUID] = {"cpuid", (void *)helper_cpuid, 0, IR_VOID, 0, CPUID_REGS | SYS_STATE, CPUID_REGS | X86_ST_SYS},
	[H_RDTSC] = {"rdtsc", (void *)helper_rdtsc, 0, IR_I64, F, SYS_STATE, X86_ST_SYS},
	[H_SET_AC] = {"set_ac", (void *)helper_set_ac, 1, IR_VOID, 0, X86_ST_ALL, SYS_STATE},
	[H_HYPERCALL] = {"hypercall", (void *)helper_hypercall, 0, IR_I64, 0, X86_ST_ALL, X86_ST_SYS},
	[H_COUNT] = {.name = NULL},
};
/* clang-format on */

static ir_ref call(struct lift *l, unsigned h, ir_ref a, ir_ref b, ir_ref c)
{
	return lift_call(l, &x86_helpers_system[h], a, b, c);
}

static ir_ref imm64(struct lift *l, uint64_t v)
{
	return lift_imm(l, IR_I64, v);
}

/* ---- control and debug registers; arg is the helper */

static void lift_mov_from_special(struct lift *l, const struct x86_insn *i)
{
	ir_ref v = call(l, i->row->arg, imm64(l, i->op[1].reg), IR_NONE, IR_NONE);

	lift_write(l, i, 0, ir_trunc(l->b, ir_int_type(i->op[0].bytes), v));
}

static void lift_mov_to_special(struct lift *l, const struct x86_insn *i)
{
	call(l, i->row->arg, imm64(l, i->op[0].reg), lift_read_zext(l, i, 1, IR_I64), IR_NONE);
	lift_end_next(l, i);
}

static void lift_lmsw(struct lift *l, const struct x86_insn *i)
{
	call(l, H_LMSW, lift_read_zext(l, i, 0, IR_I64), IR_NONE, IR_NONE);
	lift_end_next(l, i);
}

static void lift_clts(struct lift *l, const struct x86_insn *i)
{
	call(l, H_CLTS, IR_NONE, IR_NONE, IR_NONE);
	lift_end_next(l, i);
}

/* ---- TLB, caches, halting */

static void lift_hlt(struct lift *l, const struct x86_insn *i)
{
	lift_call_end(l, &x86_helpers_system[H_HLT], lift_next_pc(l, i), IR_NONE, IR_NONE);
}

static void lift_invlpg(struct lift *l, const struct x86_insn *i)
{
	call(l, H_INVLPG, lift_offset(l, i), imm64(l, i->seg), IR_NONE);
	lift_end_next(l, i);
}

static void lift_invpcid(struct lift *l, const struct x86_insn *i)
{
	unsigned flags = lift_mem_flags(i, 8);
	ir_ref lo = lift_linear(l, i, 8, X86_READ), hi = lift_linear_at(l, i, 8, 8, X86_READ);
	ir_ref pcid = ir_load(l->b, IR_I64, lo, l->mmu, flags);
	ir_ref lin = ir_load(l->b, IR_I64, hi, l->mmu, flags);

	call(l, H_INVPCID, lift_read_zext(l, i, 0, IR_I64), pcid, lin);
	lift_end_next(l, i);
}

/* ---- what answers in EDX:EAX */

static void put_edx_eax(struct lift *l, ir_ref v)
{
	lift_set_gpr(l, X86_RAX, ir_trunc(l->b, IR_I32, v));
	lift_set_gpr(l, X86_RDX, ir_trunc(l->b, IR_I32, ir_bin_imm(l->b, IR_SHR, v, 32)));
}

static ir_ref ecx(struct lift *l)
{
	return ir_zext(l->b, IR_I64, lift_gpr(l, X86_RCX, 4));
}

static void lift_rdmsr(struct lift *l, const struct x86_insn *i)
{
	(void)i;
	put_edx_eax(l, call(l, H_RDMSR, ecx(l), IR_NONE, IR_NONE));
}

static void lift_wrmsr(struct lift *l, const struct x86_insn *i)
{
	ir_ref lo = ir_zext(l->b, IR_I64, lift_gpr(l, X86_RAX, 4));
	ir_ref hi = ir_zext(l->b, IR_I64, lift_gpr(l, X86_RDX, 4));

	call(l, H_WRMSR, ecx(l), ir_bin(l->b, IR_OR, lo, ir_bin_imm(l->b, IR_SHL, hi, 32)),
	     IR_NONE);
	lift_end_next(l, i);
}

/* Serializing instructions end the block: code that another CPU has changed may follow (SDM vol. 3,
 * 8.1.3). */
static void lift_cpuid(struct lift *l, const struct x86_insn *i)
{
	call(l, H_CPUID, IR_NONE, IR_NONE, IR_NONE);
	lift_end_next(l, i);
}

static void lift_invd(struct lift *l, const struct x86_insn *i)
{
	lift_end_next(l, i);
}

static void lift_rdtsc(struct lift *l, const struct x86_insn *i)
{
	(void)i;
	put_edx_eax(l, call(l, H_RDTSC, IR_NONE, IR_NONE, IR_NONE));
}

static void lift_rdtscp(struct lift *l, const struct x86_insn *i)
{
	(void)i;
	put_edx_eax(l, call(l, H_RDTSC, IR_NONE, IR_NONE, IR_NONE));
	lift_set_gpr(l, X86_RCX, ir_get(l->b, IR_I32, X86_OFF(tsc_aux)));
}

static void lift_rdpmc(struct lift *l, const struct x86_insn *i)
{
	(void)i;
	lift_fault_error(l, X86_FAULT_GP, 0);
}

/* CLAC, STAC: arg is the new AC. */
static void lift_set_ac(struct lift *l, const struct x86_insn *i)
{
	if (x86_mode_cpl(l->mode) != 0) {
		lift_fault(l, X86_FAULT_UD);
		return;
	}
	call(l, H_SET_AC, imm64(l, i->row->arg), IR_NONE, IR_NONE);
	lift_end_next(l, i);
}

static void lift_hypercall(struct lift *l, const struct x86_insn *i)
{
	(void)i;
	lift_set_gpr(l, X86_RAX, call(l, H_HYPERCALL, IR_NONE, IR_NONE, IR_NONE));
}

#define NO X86_ORACLE_NO

/* clang-format off */
const struct x86_row x86_rows_system[] = {
	X86("0F 20 /r", "Ry, Cy", X86_FEAT_BASE, 0, 0, 0, lift_mov_from_special, "mov", NO | X86_PRIV | X86_FORCE64, H_CR_READ),
	X86("0F 21 /r", "Ry, Dy", X86_FEAT_BASE, 0, 0, 0, lift_mov_from_special, "mov", NO | X86_PRIV | X86_FORCE64, H_DR_READ),
	X86("0F 22 /r", "Cy, Ry", X86_FEAT_BASE, 0, 0, 0, lift_mov_to_special, "mov", NO | X86_PRIV | X86_FORCE64 | X86_ENDS, H_CR_WRITE),
	X86("0F 23 /r", "Dy, Ry", X86_FEAT_BASE, 0, 0, 0, lift_mov_to_special, "mov", NO | X86_PRIV | X86_FORCE64 | X86_ENDS, H_DR_WRITE),
	X86("0F 01 /6", "Ew", X86_FEAT_BASE, 0, 0, 0, lift_lmsw, "lmsw", NO | X86_PRIV | X86_ENDS),
	X86("0F 06", "", X86_FEAT_BASE, 0, 0, 0, lift_clts, "clts", NO | X86_PRIV | X86_ENDS),

	X86("F4", "", X86_FEAT_BASE, 0, 0, 0, lift_hlt, "hlt", NO | X86_PRIV | X86_ENDS),
	X86("0F 01 /7 mem", "Mb", X86_FEAT_BASE, 0, 0, 0, lift_invlpg, "invlpg", NO | X86_PRIV | X86_ENDS),
	X86("66 0F38 82 /r mem", "Gy, Mdq", X86_FEAT_INVPCID, 0, 0, 0, lift_invpcid, "invpcid", NO | X86_PRIV | X86_FORCE64 | X86_ENDS),
	X86("0F 08", "", X86_FEAT_BASE, 0, 0, 0, lift_invd, "invd", NO | X86_PRIV | X86_ENDS),
	X86("0F 09", "", X86_FEAT_BASE, 0, 0, 0, lift_invd, "wbinvd", NO | X86_PRIV | X86_ENDS),

	X86("0F 32", "", X86_FEAT_MSR, 0, 0, 0, lift_rdmsr, "rdmsr", NO | X86_PRIV | X86_STARTS),
	X86("0F 30", "", X86_FEAT_MSR, 0, 0, 0, lift_wrmsr, "wrmsr", NO | X86_PRIV | X86_STARTS | X86_ENDS),
	X86("0F A2", "", X86_FEAT_BASE, 0, 0, 0, lift_cpuid, "cpuid", NO | X86_ENDS),
	X86("0F 31", "", X86_FEAT_TSC, 0, 0, 0, lift_rdtsc, "rdtsc", NO | X86_STARTS),
	X86("0F 01 F9", "", X86_FEAT_RDTSCP, 0, 0, 0, lift_rdtscp, "rdtscp", NO | X86_STARTS),
	X86("0F 33", "", X86_FEAT_MMX, 0, 0, 0, lift_rdpmc, "rdpmc", NO | X86_ENDS),

	X86("NP 0F 01 CA", "", X86_FEAT_SMAP, 0, 0, 0, lift_set_ac, "clac", NO | X86_ENDS, 0),
	X86("NP 0F 01 CB", "", X86_FEAT_SMAP, 0, 0, 0, lift_set_ac, "stac", NO | X86_ENDS, 1),
	X86("0F 01 C1", "", X86_FEAT_HYPERVISOR, 0, 0, 0, lift_hypercall, "vmcall", NO | X86_NOT_REAL),
	X86("0F 01 D9", "", X86_FEAT_HYPERVISOR, 0, 0, 0, lift_hypercall, "vmmcall", NO | X86_NOT_REAL),
	X86_ROWS_END,
};
