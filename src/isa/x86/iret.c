/*
 * IRET in every mode: real, virtual-8086 (with VME), protected to the same or an outer ring, to
 * virtual-8086 mode, back to an outer task, and long mode. SDM vol. 2, IRET.
 */
#include "isa/x86/segment.h"

#include "isa/x86/descriptor.h"
#include "isa/x86/mode.h"
#include "isa/x86/stack.h"

/* What every IRET pops, in this order. */
struct frame {
	uint64_t rip, cs, flags;
};

static bool frame_pop(struct x86_stack *s, unsigned opsize, struct frame *f)
{
	return x86_stack_pop(s, opsize, &f->rip) && x86_stack_pop(s, opsize, &f->cs) &&
	       x86_stack_pop(s, opsize, &f->flags);
}

/* Replace the flags in mask; a 16-bit pop reaches only the low half. */
static void flags_load(struct x86_cpu *cpu, uint64_t flags, uint64_t mask, unsigned opsize)
{
	if (opsize == 2)
		mask &= 0xffff;
	x86_rflags_write(cpu, (x86_rflags_read(cpu) & ~mask) | (flags & mask) | 2);
}

#define FLAGS_USER                                                                                 \
	(X86_ARITH_FLAGS | X86_TF | X86_DF | X86_NT | X86_RF | X86_AC | X86_ID) /* any CPL */

/* What code at cpl may change. */
static uint64_t flags_mask(const struct x86_cpu *cpu, unsigned cpl)
{
	uint64_t mask = FLAGS_USER;

	if (cpl <= (cpu->rflags >> 12 & 3))
		mask |= X86_IF;
	if (cpl == 0)
		mask |= X86_IOPL | X86_VIF | X86_VIP;
	return mask;
}

/* To the same kind of segment, of which only the selector counts. mask: the flags it may change. */
static bool iret_real(struct x86_cpu *cpu, unsigned opsize, uint64_t mask)
{
	struct x86_stack s;
	struct frame f;

	x86_stack_current(&s, cpu);
	if (!frame_pop(&s, opsize, &f))
		return false;
	if (f.rip > cpu->seg[X86_CS].limit)
		return x86_fault_raise_error(cpu, X86_FAULT_GP, 0);
	x86_seg_load_real(cpu, X86_CS, f.cs);
	cpu->rip = f.rip;
	x86_stack_commit(&s);
	flags_load(cpu, f.flags, mask, opsize);
	x86_mode_update(cpu);
	return true;
}

/* Virtual-8086 with IOPL < 3 under VME: IF is virtual. */
static bool iret_vme(struct x86_cpu *cpu)
{
	struct x86_stack s;
	struct frame f;
	uint64_t vif;

	x86_stack_current(&s, cpu);
	if (!frame_pop(&s, 2, &f))
		return false;
	if ((f.flags & X86_TF) || ((f.flags & X86_IF) && (cpu->rflags & X86_VIP)) || f.rip > 0xffff)
		return x86_fault_raise_error(cpu, X86_FAULT_GP, 0);
	x86_seg_load_real(cpu, X86_CS, f.cs);
	cpu->rip = f.rip;
	x86_stack_commit(&s);
	flags_load(cpu, f.flags, FLAGS_USER, 2);
	vif = f.flags & X86_IF ? X86_VIF : 0;
	cpu->rflags = (cpu->rflags & ~(uint64_t)X86_VIF) | vif;
	x86_mode_update(cpu);
	return true;
}

static bool iret_vm(struct x86_cpu *cpu, unsigned opsize)
{
	if ((cpu->rflags & X86_IOPL) == X86_IOPL)
		return iret_real(cpu, opsize, FLAGS_USER | X86_IF);
	if (opsize == 2 && (cpu->cr4 & X86_CR4_VME))
		return iret_vme(cpu);
	return x86_fault_raise_error(cpu, X86_FAULT_GP, 0);
}

/* NT is set: back to the task whose selector is in the link field of the current TSS. */
static bool iret_task(struct x86_cpu *cpu, uint64_t next_rip)
{
	uint16_t link;

	if (x86_long_mode(cpu))
		return x86_fault_raise_error(cpu, X86_FAULT_GP, 0);
	if (!x86_sys_read(cpu, x86_sys_linear(cpu, cpu->tr.base, 0), &link, 2))
		return false;
	return x86_task_switch(cpu, link, X86_TASK_IRET, next_rip, false, 0);
}

/* Return from CPL 0 to virtual-8086 mode: stack and all data segments are on the stack. */
static bool iret_to_vm(struct x86_cpu *cpu, struct x86_stack *s, const struct frame *f)
{
	static const uint8_t order[] = {X86_SS, X86_ES, X86_DS, X86_FS, X86_GS};
	uint64_t esp, sel[ARRAY_LEN(order)];

	if (!x86_stack_pop(s, 4, &esp))
		return false;
	for (unsigned k = 0; k < ARRAY_LEN(order); k++) {
		if (!x86_stack_pop(s, 4, &sel[k]))
			return false;
	}
	if (f->rip > 0xffff)
		return x86_fault_raise_error(cpu, X86_FAULT_GP, 0);
	flags_load(cpu, f->flags, flags_mask(cpu, 0) | X86_VM, 4);
	cpu->rip = f->rip;
	cpu->gpr[X86_RSP] = esp;
	x86_seg_load_real(cpu, X86_CS, f->cs);
	for (unsigned k = 0; k < ARRAY_LEN(order); k++)
		x86_seg_load_real(cpu, order[k], sel[k]);
	x86_mode_update(cpu);
	return true;
}

static bool iret_protected(struct x86_cpu *cpu, unsigned opsize)
{
	unsigned cpl = x86_cpl(cpu);
	uint64_t mask = flags_mask(cpu, cpl), sp, sel;
	struct x86_seg cs, ss;
	struct x86_stack s;
	struct frame f;
	bool stack;

	x86_stack_current(&s, cpu);
	if (!frame_pop(&s, opsize, &f))
		return false;
	if (opsize == 4 && (f.flags & X86_VM) && cpl == 0 && !x86_long_mode(cpu))
		return iret_to_vm(cpu, &s, &f);
	if (!x86_return_target(cpu, f.cs, f.rip, &cs))
		return false;
	stack = (cs.sel & 3u) > cpl || x86_code64(cpu);
	if (stack && (!x86_stack_pop(&s, opsize, &sp) || !x86_stack_pop(&s, opsize, &sel) ||
		      !x86_return_stack(cpu, sel, &cs, &ss)))
		return false;
	cpu->seg[X86_CS] = cs;
	cpu->rip = f.rip;
	if (stack) {
		cpu->seg[X86_SS] = ss;
		x86_return_sp(cpu, sp, 0);
	} else {
		x86_stack_commit(&s);
	}
	flags_load(cpu, f.flags, mask, opsize);
	if ((cs.sel & 3u) > cpl)
		x86_segs_drop_inner(cpu);
	x86_mode_update(cpu);
	return true;
}

bool x86_iret(struct x86_cpu *cpu, unsigned opsize, uint64_t next_rip)
{
	cpu->nmi_blocked = 0; /* even if the IRET faults (SDM vol. 3, 6.7.1) */
	if (!(cpu->cr0 & X86_CR0_PE))
		return iret_real(cpu, opsize, FLAGS_USER | X86_IF | X86_IOPL);
	if (cpu->rflags & X86_VM)
		return iret_vm(cpu, opsize);
	if (cpu->rflags & X86_NT)
		return iret_task(cpu, next_rip);
	return iret_protected(cpu, opsize);
}
