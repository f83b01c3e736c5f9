/*
 * Reset and INIT states (SDM vol. 3, 9.1.1, table 9-1), RFLAGS with lazy flags, raising faults, and
 * the register dump.
 *
 * On purpose: at power-on the x87 tags are empty as after FNINIT (silicon has them zero-valued),
 * and the time-stamp counter is not set back by a warm reset, because the machine's clock is not.
 */
#include "isa/x86/cpu.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ir/flags.h"
#include "isa/x86/cpuid.h"
#include "isa/x86/mmu.h"
#include "isa/x86/mode.h"

static void reset_segments(struct x86_cpu *cpu)
{
	const uint16_t data = X86_SEG_P | X86_SEG_S | X86_SEG_WRITE | X86_SEG_ACCESSED;

	for (unsigned i = 0; i < 6; i++)
		cpu->seg[i] = (struct x86_seg){0, data, 0xffff, 0};
	cpu->seg[X86_CS] = (struct x86_seg){0xf000, data, 0xffff, 0xffff0000};
	cpu->ldtr = (struct x86_seg){0, X86_SEG_P | 2, 0xffff, 0};
	cpu->tr = (struct x86_seg){0, X86_SEG_P | 11, 0xffff, 0};
	cpu->gdtr.base = cpu->idtr.base = 0;
	cpu->gdtr.limit = cpu->idtr.limit = 0xffff;
}

/* What RESET and INIT have in common. */
static void reset_common(struct x86_cpu *cpu, uint64_t cr0)
{
	memset(cpu->gpr, 0, sizeof(cpu->gpr));
	cpu->gpr[X86_RDX] = cpu->cpuid ? cpu->cpuid->signature : 0;
	cpu->rip = 0xfff0;
	x86_rflags_write(cpu, 2);
	reset_segments(cpu);
	cpu->cr0 = cr0;
	cpu->cr2 = cpu->cr3 = cpu->cr4 = 0;
	cpu->efer = 0;
	memset(cpu->pdpte, 0, sizeof(cpu->pdpte));
	memset(cpu->dr, 0, sizeof(cpu->dr));
	cpu->dr[6] = 0xffff0ff0;
	cpu->dr[7] = 0x400;
	cpu->activity = cpu->index == 0 ? X86_RUNNING : X86_WAIT_SIPI;
	cpu->nmi_blocked = 0;
	cpu->interrupt_shadow = 0;
	cpu->pending_db = 0;
	memset(&cpu->fault, 0, sizeof(cpu->fault));
	cpu->fault.vector = -1;
	cpu->exit_code = X86_EXIT_NONE;
	x86_mode_update(cpu);
	x86_tlb_flush_all(cpu);
}

static void reset_float(struct x86_cpu *cpu)
{
	memset(cpu->vec, 0, sizeof(cpu->vec));
	memset(cpu->fpr, 0, sizeof(cpu->fpr));
	cpu->mxcsr = 0x1f80;
	cpu->fcw = 0x40;
	cpu->fsw = cpu->fop = cpu->fcs = cpu->fds = 0;
	cpu->ftag = 0;
	cpu->fip = cpu->fdp = 0;
}

static void reset_msrs(struct x86_cpu *cpu)
{
	cpu->xcr0 = 1;
	cpu->star = cpu->lstar = cpu->cstar = cpu->sfmask = cpu->kernel_gs_base = 0;
	cpu->sysenter_cs = cpu->sysenter_esp = cpu->sysenter_eip = 0;
	cpu->tsc_offset = 0;
	cpu->tsc_aux = 0;
	cpu->pat = 0x0007040600070406;
	cpu->misc_enable = 1u << 0 | 1u << 11 | 1u << 12; /* fast strings; no BTS, no PEBS */
	cpu->mtrr_def_type = 0;
	memset(cpu->mtrr_fixed, 0, sizeof(cpu->mtrr_fixed));
	memset(cpu->mtrr_var, 0, sizeof(cpu->mtrr_var));
	cpu->mcg_status = 0;
	memset(cpu->mc_ctl, 0, sizeof(cpu->mc_ctl));
}

void x86_cpu_reset(struct x86_cpu *cpu)
{
	x86_tlb_init(cpu); /* it may be fresh memory */
	reset_float(cpu);
	reset_msrs(cpu);
	cpu->sipi_vector = 0;
	cpu->insns = 0;
	__atomic_fetch_and((uint32_t *)&cpu->request,
			   ~(uint32_t)(X86_REQ_NMI | X86_REQ_INIT | X86_REQ_SIPI | X86_REQ_RESET),
			   __ATOMIC_SEQ_CST);
	reset_common(cpu, X86_CR0_CD | X86_CR0_NW | X86_CR0_ET);
}

void x86_cpu_init_signal(struct x86_cpu *cpu)
{
	TRACE(cpu->trace, TRACE_CPU, "cpu %u: INIT", cpu->index);
	reset_common(cpu, (cpu->cr0 & (X86_CR0_CD | X86_CR0_NW)) | X86_CR0_ET);
}

uint64_t x86_rflags_read(const struct x86_cpu *cpu)
{
	return cpu->rflags | ir_flags_eval(cpu->cc_kind, cpu->cc_a, cpu->cc_b, cpu->cc_c);
}

void x86_rflags_write(struct x86_cpu *cpu, uint64_t rflags)
{
	cpu->cc_kind = IR_FLAGS_KEY(IR_FLAGS_RAW, 3);
	cpu->cc_a = rflags & X86_ARITH_FLAGS;
	cpu->cc_b = 0;
	cpu->cc_c = 0;
	cpu->rflags = (rflags & 0x3f7fd5 & ~(uint64_t)X86_ARITH_FLAGS) | 2;
}

static bool fault_set(struct x86_cpu *cpu, enum x86_vector v, bool has_error, uint32_t error)
{
	cpu->fault = (struct x86_fault){.vector = v, .error = error, .has_error = has_error};
	cpu->exit_code = X86_EXIT_FAULT;
	return false;
}

bool x86_fault_raise(struct x86_cpu *cpu, enum x86_vector v)
{
	return fault_set(cpu, v, false, 0);
}

bool x86_fault_raise_error(struct x86_cpu *cpu, enum x86_vector v, uint32_t error)
{
	return fault_set(cpu, v, true, error);
}

/* ---- dump */

struct out {
	char *buf;
	size_t len;
	int used;
};

static void __attribute__((format(printf, 2, 3))) out(struct out *o, const char *fmt, ...)
{
	va_list ap;
	size_t at = (size_t)o->used < o->len ? (size_t)o->used : o->len;

	va_start(ap, fmt);
	int n = vsnprintf(o->buf ? o->buf + at : NULL, o->buf ? o->len - at : 0, fmt, ap);
	va_end(ap);
	if (n > 0)
		o->used += n;
}

static const char *mode_text(const struct x86_cpu *cpu)
{
	if (!(cpu->cr0 & X86_CR0_PE))
		return "real mode";
	if (cpu->rflags & X86_VM)
		return "virtual-8086 mode";
	if (x86_code64(cpu))
		return "64-bit mode";
	if (x86_long_mode(cpu))
		return "compatibility mode";
	return cpu->seg[X86_CS].attr & X86_SEG_DB ? "32-bit protected mode"
						  : "16-bit protected mode";
}

static void dump_gprs(struct out *o, const struct x86_cpu *cpu)
{
	static const char names[16][4] = {"RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
					  "R8 ", "R9 ", "R10", "R11", "R12", "R13", "R14", "R15"};
	static const uint8_t order[16] = {X86_RAX, X86_RBX, X86_RCX, X86_RDX, X86_RSI, X86_RDI,
					  X86_RBP, X86_RSP, X86_R8,  X86_R9,  X86_R10, X86_R11,
					  X86_R12, X86_R13, X86_R14, X86_R15};

	for (unsigned i = 0; i < 16; i++)
		out(o, "%s=%016llx%c", names[order[i]], (unsigned long long)cpu->gpr[order[i]],
		    i % 4 == 3 ? '\n' : ' ');
}

static void dump_flags(struct out *o, const struct x86_cpu *cpu)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} rows[] = {{X86_CF, "CF"}, {X86_PF, "PF"}, {X86_AF, "AF"}, {X86_ZF, "ZF"}, {X86_SF, "SF"},
		    {X86_TF, "TF"}, {X86_IF, "IF"}, {X86_DF, "DF"}, {X86_OF, "OF"}, {X86_NT, "NT"},
		    {X86_RF, "RF"}, {X86_VM, "VM"}, {X86_AC, "AC"}};
	uint64_t f = x86_rflags_read(cpu);

	out(o, "RIP=%016llx RFL=%08llx [", (unsigned long long)cpu->rip, (unsigned long long)f);
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (f & rows[i].bit)
			out(o, " %s", rows[i].name);
	out(o, " ] CPL=%u IOPL=%u%s\n", x86_cpl(cpu), (unsigned)(f >> 12 & 3),
	    cpu->activity == X86_HALTED	     ? " halted"
	    : cpu->activity == X86_WAIT_SIPI ? " waiting for SIPI"
	    : cpu->activity == X86_SHUTDOWN  ? " shut down"
					     : "");
}

static void dump_seg(struct out *o, const char *name, const struct x86_seg *s)
{
	out(o, "%-4s=%04x base=%016llx limit=%08x attr=%04x", name, s->sel,
	    (unsigned long long)s->base, s->limit, s->attr);
	if (!(s->attr & X86_SEG_P))
		out(o, " unusable");
	else if (s->attr & X86_SEG_S)
		out(o, " DPL=%u %s%s", s->attr >> 5 & 3, s->attr & X86_SEG_CODE ? "code" : "data",
		    s->attr & X86_SEG_L	   ? "64"
		    : s->attr & X86_SEG_DB ? "32"
					   : "16");
	out(o, "\n");
}

static void dump_system(struct out *o, const struct x86_cpu *cpu)
{
	out(o, "GDT = %016llx %08x\nIDT = %016llx %08x\n", (unsigned long long)cpu->gdtr.base,
	    cpu->gdtr.limit, (unsigned long long)cpu->idtr.base, cpu->idtr.limit);
	out(o, "CR0=%08llx CR2=%016llx CR3=%016llx CR4=%08llx\n", (unsigned long long)cpu->cr0,
	    (unsigned long long)cpu->cr2, (unsigned long long)cpu->cr3,
	    (unsigned long long)cpu->cr4);
	out(o, "DR0=%016llx DR1=%016llx DR2=%016llx DR3=%016llx\n", (unsigned long long)cpu->dr[0],
	    (unsigned long long)cpu->dr[1], (unsigned long long)cpu->dr[2],
	    (unsigned long long)cpu->dr[3]);
	out(o, "DR6=%08llx DR7=%08llx EFER=%08llx XCR0=%llx\n", (unsigned long long)cpu->dr[6],
	    (unsigned long long)cpu->dr[7], (unsigned long long)cpu->efer,
	    (unsigned long long)cpu->xcr0);
}

static void dump_float(struct out *o, const struct x86_cpu *cpu)
{
	out(o, "FCW=%04x FSW=%04x FTAG=%02x MXCSR=%08x\n", cpu->fcw, cpu->fsw, cpu->ftag,
	    cpu->mxcsr);
	for (unsigned i = 0; i < 8; i++)
		out(o, "FPR%u=%04x:%016llx%c", i, cpu->fpr[i].sexp,
		    (unsigned long long)cpu->fpr[i].mant, i % 4 == 3 ? '\n' : ' ');
	for (unsigned i = 0; i < 16; i++)
		out(o, "XMM%02u=%016llx%016llx%c", i, (unsigned long long)cpu->vec[i].u64[1],
		    (unsigned long long)cpu->vec[i].u64[0], i % 2 ? '\n' : ' ');
}

int x86_cpu_dump(const struct x86_cpu *cpu, char *buf, size_t len)
{
	static const char *const names[6] = {"ES", "CS", "SS", "DS", "FS", "GS"};
	struct out o = {buf, len, 0};

	if (buf && len)
		buf[0] = 0;
	out(&o, "CPU %u: %s, %llu instructions\n", cpu->index, mode_text(cpu),
	    (unsigned long long)cpu->insns);
	dump_gprs(&o, cpu);
	dump_flags(&o, cpu);
	for (unsigned i = 0; i < 6; i++)
		dump_seg(&o, names[i], &cpu->seg[i]);
	dump_seg(&o, "LDT", &cpu->ldtr);
	dump_seg(&o, "TR", &cpu->tr);
	dump_system(&o, cpu);
	dump_float(&o, cpu);
	return o.used;
}
