/*
 * CLC STC CMC, CLD STD, CLI STI. SDM vol. 2, and vol. 3, 21.3 (VME) and 21.4 (PVI).
 *
 * At CPL 0 CLI is plain IR. Behind STI runs one instruction in the interrupt shadow (if IF was clear
 * before). At CPL 0 it is in STI's own block where possible, which ends behind it for interrupts to
 * get in: nothing else can tell that there was a shadow. Otherwise STI ends its block.
 */
#include "isa/x86/families.h"
#include "isa/x86/lift.h"

/* Who may change IF: itself, only the virtual VIF, or nobody. */
enum if_right { IF_REAL, IF_VIRTUAL, IF_NONE };

static enum if_right if_right(const struct x86_cpu *cpu)
{
	unsigned iopl = (unsigned)(cpu->rflags & X86_IOPL) >> 12;

	if (x86_cpl(cpu) <= iopl)
		return IF_REAL;
	if (cpu->rflags & X86_VM)
		return cpu->cr4 & X86_CR4_VME ? IF_VIRTUAL : IF_NONE;
	return x86_cpl(cpu) == 3 && (cpu->cr4 & X86_CR4_PVI) ? IF_VIRTUAL : IF_NONE;
}

static uint64_t x86_cli(void *opaque, uint64_t a, uint64_t b, uint64_t c)
{
	struct x86_cpu *cpu = opaque;

	switch (if_right(cpu)) {
	case IF_REAL:
		cpu->rflags &= ~(uint64_t)X86_IF;
		return 0;
	case IF_VIRTUAL:
		cpu->rflags &= ~(uint64_t)X86_VIF;
		return 0;
	default:
		return x86_fault_raise_error(cpu, X86_FAULT_GP, 0);
	}
}

static uint64_t x86_sti(void *opaque, uint64_t a, uint64_t b, uint64_t c)
{
	struct x86_cpu *cpu = opaque;
	enum if_right right = if_right(cpu);

	if (right == IF_NONE || (right == IF_VIRTUAL && (cpu->rflags & X86_VIP)))
		return x86_fault_raise_error(cpu, X86_FAULT_GP, 0);
	if (right == IF_VIRTUAL) {
		cpu->rflags |= X86_VIF;
		return 0;
	}
	if (!(cpu->rflags & X86_IF)) {
		cpu->rflags |= X86_IF;
		cpu->interrupt_shadow = 1;
		x86_mode_update(cpu);
	}
	return 0;
}

#define IF_READS (X86_ST_RFLAGS | X86_ST_SEGS | X86_ST_SYS)

enum { H_CLI, H_STI };

/* clang-format off */
const struct ir_helper x86_helpers_flagops[] = {
	[H_CLI] = {"cli", x86_cli, 0, IR_VOID, IR_HELPER_FAULTS, IF_READS, X86_ST_RFLAGS},
	[H_STI] = {"sti", x86_sti, 0, IR_VOID, IR_HELPER_FAULTS, IF_READS, X86_ST_RFLAGS | X86_ST_SYS},
	{NULL},
};
/* clang-format on */

static void rflags_change(struct lift *l, uint64_t clear, uint64_t set)
{
	ir_ref f = ir_get(l->b, IR_I64, X86_OFF(rflags));

	f = clear ? ir_bin_imm(l->b, IR_AND, f, ~clear) : ir_bin_imm(l->b, IR_OR, f, set);
	ir_put(l->b, X86_OFF(rflags), f);
}

static void lift_cld(struct lift *l, const struct x86_insn *i)
{
	rflags_change(l, X86_DF, 0);
}

static void lift_std(struct lift *l, const struct x86_insn *i)
{
	rflags_change(l, 0, X86_DF);
}

static void lift_cli(struct lift *l, const struct x86_insn *i)
{
	if (x86_mode_cpl(l->mode) == 0)
		rflags_change(l, X86_IF, 0);
	else
		lift_call(l, &x86_helpers_flagops[H_CLI], IR_NONE, IR_NONE, IR_NONE);
}

static void lift_sti(struct lift *l, const struct x86_insn *i)
{
	if (x86_mode_cpl(l->mode) == 0 && lift_next_fits_shadow(l)) {
		rflags_change(l, 0, X86_IF);
		l->in_shadow = true;
		return;
	}
	lift_call(l, &x86_helpers_flagops[H_STI], IR_NONE, IR_NONE, IR_NONE);
	lift_end_next(l, i);
}

static void lift_clc(struct lift *l, const struct x86_insn *i)
{
	ir_ref f = lift_packed_flags(l);

	lift_set_packed_flags(l, ir_bin_imm(l->b, IR_AND, f, ~(uint64_t)X86_CF));
}

static void lift_stc(struct lift *l, const struct x86_insn *i)
{
	lift_set_packed_flags(l, ir_bin_imm(l->b, IR_OR, lift_packed_flags(l), X86_CF));
}

static void lift_cmc(struct lift *l, const struct x86_insn *i)
{
	lift_set_packed_flags(l, ir_bin_imm(l->b, IR_XOR, lift_packed_flags(l), X86_CF));
}

/* clang-format off */
const struct x86_row x86_rows_flagops[] = {
	X86("F8", "", X86_FEAT_BASE, 0, X86_CF, 0, lift_clc, "clc", 0, 0),
	X86("F9", "", X86_FEAT_BASE, 0, X86_CF, 0, lift_stc, "stc", 0, 0),
	X86("F5", "", X86_FEAT_BASE, X86_CF, X86_CF, 0, lift_cmc, "cmc", 0, 0),
	X86("FC", "", X86_FEAT_BASE, 0, X86_DF, 0, lift_cld, "cld", 0, 0),
	X86("FD", "", X86_FEAT_BASE, 0, X86_DF, 0, lift_std, "std", 0, 0),
	X86("FA", "", X86_FEAT_BASE, 0, X86_IF, 0, lift_cli, "cli", X86_ORACLE_NO, 0),
	X86("FB", "", X86_FEAT_BASE, 0, X86_IF, 0, lift_sti, "sti", X86_ORACLE_NO, 0),
	X86_ROWS_END,
};
/* clang-format on */
