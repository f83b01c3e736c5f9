/*
 * FXSAVE, FXRSTOR, LDMXCSR, STMXCSR, the XSAVE family, XGETBV, XSETBV. SDM vol. 2, chapters 3 to 6;
 * the formats are in xsave.c. XSAVES, XRSTORS and XGETBV of register 1 are not advertised.
 */
#include "isa/x86/families.h"
#include "isa/x86/fpu.h"
#include "isa/x86/lift.h"
#include "isa/x86/xsave.h"

/* ---- helpers */

/* MXCSR = value; reserved bits fault. */
static uint64_t ldmxcsr(void *p, uint64_t value, uint64_t b, uint64_t c)
{
	struct x86_cpu *cpu = p;

	if (value & ~(uint64_t)X86_MXCSR_MASK) {
		x86_fault_raise_error(cpu, X86_FAULT_GP, 0);
		return 0;
	}
	cpu->mxcsr = (uint32_t)value;
	x86_mxcsr_enter(cpu);
	x86_mode_update(cpu);
	return 0;
}

static uint64_t stmxcsr(void *p, uint64_t a, uint64_t b, uint64_t c)
{
	struct x86_cpu *cpu = p;

	x86_mxcsr_sync(cpu);
	return cpu->mxcsr;
}

static uint64_t fxsave(void *cpu, uint64_t lin, uint64_t how, uint64_t c)
{
	x86_fxsave(cpu, lin, (unsigned)how);
	return 0;
}

static uint64_t fxrstor(void *cpu, uint64_t lin, uint64_t how, uint64_t c)
{
	x86_fxrstor(cpu, lin, (unsigned)how);
	return 0;
}

/* What all of the XSAVE family asks before it looks at its operand. */
static uint64_t xsave_check(void *p, uint64_t a, uint64_t b, uint64_t c)
{
	struct x86_cpu *cpu = p;

	if (!(cpu->cr4 & X86_CR4_OSXSAVE))
		x86_fault_raise(cpu, X86_FAULT_UD);
	else if (cpu->cr0 & X86_CR0_TS)
		x86_fault_raise(cpu, X86_FAULT_NM);
	return 0;
}

static uint64_t edx_eax(const struct x86_cpu *cpu)
{
	return cpu->gpr[X86_RDX] << 32 | (uint32_t)cpu->gpr[X86_RAX];
}

static uint64_t xsave(void *p, uint64_t lin, uint64_t how, uint64_t form)
{
	struct x86_cpu *cpu = p;

	x86_xsave(cpu, lin, edx_eax(cpu), (enum x86_xsave_form)form, (unsigned)how);
	return 0;
}

static uint64_t xrstor(void *p, uint64_t lin, uint64_t how, uint64_t c)
{
	struct x86_cpu *cpu = p;

	x86_xrstor(cpu, lin, edx_eax(cpu), (unsigned)how);
	return 0;
}

static uint64_t xgetbv(void *p, uint64_t a, uint64_t b, uint64_t c)
{
	struct x86_cpu *cpu = p;

	if (!(cpu->cr4 & X86_CR4_OSXSAVE))
		x86_fault_raise(cpu, X86_FAULT_UD);
	else if ((uint32_t)cpu->gpr[X86_RCX] != 0)
		x86_fault_raise_error(cpu, X86_FAULT_GP, 0);
	return cpu->xcr0;
}

/* x87 cannot be switched off, AVX state needs SSE state, and unknown components do not exist. */
static bool xcr0_valid(const struct x86_cpu *cpu, uint64_t v)
{
	return (v & X86_XCR0_X87) && !(v & ~x86_xcr0_supported(cpu)) &&
	       (!(v & X86_XCR0_AVX) || (v & X86_XCR0_SSE));
}

static uint64_t xsetbv(void *p, uint64_t a, uint64_t b, uint64_t c)
{
	struct x86_cpu *cpu = p;

	if (!(cpu->cr4 & X86_CR4_OSXSAVE)) {
		x86_fault_raise(cpu, X86_FAULT_UD);
	} else if (x86_cpl(cpu) != 0 || (uint32_t)cpu->gpr[X86_RCX] != 0 ||
		   !xcr0_valid(cpu, edx_eax(cpu))) {
		x86_fault_raise_error(cpu, X86_FAULT_GP, 0);
	} else {
		cpu->xcr0 = edx_eax(cpu);
		x86_mode_update(cpu);
	}
	return 0;
}

enum {
	HELPER_LDMXCSR,
	HELPER_STMXCSR,
	HELPER_FXSAVE,
	HELPER_FXRSTOR,
	HELPER_XSAVE_CHECK,
	HELPER_XSAVE,
	HELPER_XRSTOR,
	HELPER_XGETBV,
	HELPER_XSETBV,
};

#define EXTENDED  (X86_ST_VEC | X86_ST_X87 | X86_ST_MXCSR)
#define MASK_REGS (X86_ST_GPR(X86_RAX) | X86_ST_GPR(X86_RDX))
#define MEMORY	  (IR_HELPER_FAULTS | IR_HELPER_MEMORY)

/* clang-format off */
const struct ir_helper x86_helpers_xsave[] = {
	[HELPER_LDMXCSR] = {"ldmxcsr", ldmxcsr, 1, IR_VOID, IR_HELPER_FAULTS, X86_ST_SYS, X86_ST_MXCSR | X86_ST_SYS},
	[HELPER_STMXCSR] = {"stmxcsr", stmxcsr, 0, IR_I32, 0, X86_ST_MXCSR, 0},
	[HELPER_FXSAVE] = {"fxsave", fxsave, 2, IR_VOID, MEMORY, EXTENDED | X86_ST_SYS, 0},
	[HELPER_FXRSTOR] = {"fxrstor", fxrstor, 2, IR_VOID, MEMORY, X86_ST_SYS, EXTENDED | X86_ST_SYS},
	[HELPER_XSAVE_CHECK] = {"xsave_check", xsave_check, 0, IR_VOID, IR_HELPER_FAULTS, X86_ST_SYS, 0},
	[HELPER_XSAVE] = {"xsave", xsave, 3, IR_VOID, MEMORY, EXTENDED | X86_ST_SYS | MASK_REGS, 0},
	[HELPER_XRSTOR] = {"xrstor", xrstor, 2, IR_VOID, MEMORY, EXTENDED | X86_ST_SYS | MASK_REGS, EXTENDED | X86_ST_SYS},
	[HELPER_XGETBV] = {"xgetbv", xgetbv, 0, IR_I64, IR_HELPER_FAULTS, X86_ST_SYS | X86_ST_GPR(X86_RCX), 0},
	[HELPER_XSETBV] = {"xsetbv", xsetbv, 0, IR_VOID, IR_HELPER_FAULTS, X86_ST_SYS | MASK_REGS | X86_ST_GPR(X86_RCX) | X86_ST_SEGS, X86_ST_SYS},
	{NULL},
};
/* clang-format on */

/* ---- lift functions */

enum { FXSAVE_BYTES = 512, XSAVE_BYTES = 576 };

static ir_ref lift_how(struct lift *l, const struct x86_insn *i)
{
	unsigned how = (i->rex_w ? X86_XSAVE_WIDE : 0) | (i->seg == X86_SS ? X86_XSAVE_STACK : 0);

	return lift_imm(l, IR_I64, how);
}

static void lift_ldmxcsr(struct lift *l, const struct x86_insn *i)
{
	lift_call(l, &x86_helpers_xsave[HELPER_LDMXCSR], lift_read_zext(l, i, 0, IR_I64), IR_NONE,
		  IR_NONE);
	lift_end_next(l, i);
}

static void lift_stmxcsr(struct lift *l, const struct x86_insn *i)
{
	lift_write(l, i, 0,
		   lift_call(l, &x86_helpers_xsave[HELPER_STMXCSR], IR_NONE, IR_NONE, IR_NONE));
}

static void lift_fxsave(struct lift *l, const struct x86_insn *i)
{
	ir_ref lin = lift_linear(l, i, FXSAVE_BYTES, X86_WRITE);

	lift_call(l, &x86_helpers_xsave[HELPER_FXSAVE], lin, lift_how(l, i), IR_NONE);
}

static void lift_fxrstor(struct lift *l, const struct x86_insn *i)
{
	ir_ref lin = lift_linear(l, i, FXSAVE_BYTES, X86_READ);

	lift_call(l, &x86_helpers_xsave[HELPER_FXRSTOR], lin, lift_how(l, i), IR_NONE);
	lift_end_next(l, i);
}

static void lift_xsave(struct lift *l, const struct x86_insn *i)
{
	ir_ref lin;

	lift_call(l, &x86_helpers_xsave[HELPER_XSAVE_CHECK], IR_NONE, IR_NONE, IR_NONE);
	lin = lift_linear(l, i, XSAVE_BYTES, X86_WRITE);
	lift_call(l, &x86_helpers_xsave[HELPER_XSAVE], lin, lift_how(l, i),
		  lift_imm(l, IR_I64, i->row->arg));
}

static void lift_xrstor(struct lift *l, const struct x86_insn *i)
{
	ir_ref lin;

	lift_call(l, &x86_helpers_xsave[HELPER_XSAVE_CHECK], IR_NONE, IR_NONE, IR_NONE);
	lin = lift_linear(l, i, XSAVE_BYTES, X86_READ);
	lift_call(l, &x86_helpers_xsave[HELPER_XRSTOR], lin, lift_how(l, i), IR_NONE);
	lift_end_next(l, i);
}

static void lift_xgetbv(struct lift *l, const struct x86_insn *i)
{
	ir_ref v = lift_call(l, &x86_helpers_xsave[HELPER_XGETBV], IR_NONE, IR_NONE, IR_NONE);

	lift_set_gpr(l, X86_RAX, ir_trunc(l->b, IR_I32, v));
	lift_set_gpr(l, X86_RDX, ir_trunc(l->b, IR_I32, ir_bin_imm(l->b, IR_SHR, v, 32)));
}

static void lift_xsetbv(struct lift *l, const struct x86_insn *i)
{
	lift_call(l, &x86_helpers_xsave[HELPER_XSETBV], IR_NONE, IR_NONE, IR_NONE);
	lift_end_next(l, i);
}

/* clang-format off */
const struct x86_row x86_rows_xsave[] = {
	X86("NP W0 0F AE /0 mem",   "M",                X86_FEAT_FXSR,   0, 0, 0, lift_fxsave,      "fxsave",      X86_IS_X87 | X86_NOWAIT, 0),
	X86("NP W0 0F AE /1 mem",   "M",                X86_FEAT_FXSR,   0, 0, 0, lift_fxrstor,     "fxrstor",     X86_IS_X87 | X86_NOWAIT | X86_ENDS, 0),
	X86("NP W1 0F AE /0 mem",   "M",                X86_FEAT_FXSR,   0, 0, 0, lift_fxsave,      "fxsave64",    X86_IS_X87 | X86_NOWAIT, 0),
	X86("NP W1 0F AE /1 mem",   "M",                X86_FEAT_FXSR,   0, 0, 0, lift_fxrstor,     "fxrstor64",   X86_IS_X87 | X86_NOWAIT | X86_ENDS, 0),
	X86("NP 0F AE /2 mem",      "Md",               X86_FEAT_SSE,    0, 0, 0, lift_ldmxcsr,     "ldmxcsr",     X86_IS_SSE | X86_ENDS, 0),
	X86("NP 0F AE /3 mem",      "Md",               X86_FEAT_SSE,    0, 0, 0, lift_stmxcsr,     "stmxcsr",     X86_IS_SSE, 0),
	X86("VEX.128 NP 0F AE /2 mem", "Md",            X86_FEAT_AVX,    0, 0, 0, lift_ldmxcsr,     "vldmxcsr",    X86_IS_SSE | X86_ENDS, 0),
	X86("VEX.128 NP 0F AE /3 mem", "Md",            X86_FEAT_AVX,    0, 0, 0, lift_stmxcsr,     "vstmxcsr",    X86_IS_SSE, 0),
	X86("NP W0 0F AE /4 mem",   "M",                X86_FEAT_XSAVE,  0, 0, 0, lift_xsave,       "xsave",       0, X86_XSAVE_PLAIN),
	X86("NP W0 0F AE /6 mem",   "M",                X86_FEAT_XSAVEOPT,0, 0, 0, lift_xsave,       "xsaveopt",    0, X86_XSAVE_OPT),
	X86("NP W0 0F C7 /4 mem",   "M",                X86_FEAT_XSAVEC, 0, 0, 0, lift_xsave,       "xsavec",      0, X86_XSAVE_COMPACT),
	X86("NP W0 0F AE /5 mem",   "M",                X86_FEAT_XSAVE,  0, 0, 0, lift_xrstor,      "xrstor",      X86_ENDS, 0),
	X86("NP W1 0F AE /4 mem",   "M",                X86_FEAT_XSAVE,  0, 0, 0, lift_xsave,       "xsave64",     0, X86_XSAVE_PLAIN),
	X86("NP W1 0F AE /6 mem",   "M",                X86_FEAT_XSAVEOPT,0, 0, 0, lift_xsave,       "xsaveopt64",  0, X86_XSAVE_OPT),
	X86("NP W1 0F C7 /4 mem",   "M",                X86_FEAT_XSAVEC, 0, 0, 0, lift_xsave,       "xsavec64",    0, X86_XSAVE_COMPACT),
	X86("NP W1 0F AE /5 mem",   "M",                X86_FEAT_XSAVE,  0, 0, 0, lift_xrstor,      "xrstor64",    X86_ENDS, 0),
	X86("NP 0F 01 D0",          "",                 X86_FEAT_XSAVE,  0, 0, 0, lift_xgetbv,      "xgetbv",      0, 0),
	X86("NP 0F 01 D1",          "",                 X86_FEAT_XSAVE,  0, 0, 0, lift_xsetbv,      "xsetbv",      X86_ENDS | X86_ORACLE_NO, 0),
	X86_ROWS_END
};
/* clang-format on */
