/*
 * PUSH POP PUSHA POPA ENTER LEAVE PUSHF POPF. SDM vol. 2; vol. 3, 21.2.1 and 21.3 for flags in
 * virtual-8086 mode. Segment registers are pushed and popped elsewhere.
 *
 * PUSH rSP pushes the value before (286 and later); POP to memory computes an rSP-based address
 * with rSP already incremented.
 */
#include "isa/x86/families.h"
#include "isa/x86/lift.h"
#include "isa/x86/mmu.h"
#include "isa/x86/segment.h"

/* ---- flags */

static unsigned rflags_iopl(const struct x86_cpu *cpu)
{
	return (unsigned)(cpu->rflags & X86_IOPL) >> 12;
}

/* Virtual-8086 mode below IOPL 3: only 16-bit forms under VME, which see VIF for IF. */
static bool vm86_flags_virtual(const struct x86_cpu *cpu)
{
	return (cpu->rflags & X86_VM) && rflags_iopl(cpu) < 3;
}

static bool vm86_flags_refused(const struct x86_cpu *cpu, unsigned bytes)
{
	return vm86_flags_virtual(cpu) && (bytes != 2 || !(cpu->cr4 & X86_CR4_VME));
}

/* a = operand bytes; returns the image to push. Only for virtual-8086 mode. */
static uint64_t x86_pushf_vm86(void *opaque, uint64_t a, uint64_t b, uint64_t c)
{
	struct x86_cpu *cpu = opaque;
	uint64_t f = x86_rflags_read(cpu) & ~(uint64_t)(X86_VM | X86_RF);

	if (vm86_flags_refused(cpu, (unsigned)a))
		return x86_fault_raise_error(cpu, X86_FAULT_GP, 0);
	if (!vm86_flags_virtual(cpu))
		return f;
	f &= ~(uint64_t)X86_IF;
	return f | X86_IOPL | (cpu->rflags & X86_VIF ? X86_IF : 0);
}

/* a = operand bytes; before the stack is touched. Only for virtual-8086 mode. */
static uint64_t x86_popf_check(void *opaque, uint64_t a, uint64_t b, uint64_t c)
{
	struct x86_cpu *cpu = opaque;

	if (vm86_flags_refused(cpu, (unsigned)a))
		return x86_fault_raise_error(cpu, X86_FAULT_GP, 0);
	return 0;
}

static bool popf_virtual(struct x86_cpu *cpu, uint64_t value)
{
	uint64_t change = X86_ARITH_FLAGS | X86_DF | X86_NT;
	uint64_t f = x86_rflags_read(cpu);

	if ((value & X86_TF) || ((value & X86_IF) && (f & X86_VIP)))
		return x86_fault_raise_error(cpu, X86_FAULT_GP, 0);
	f = (f & ~(change | X86_TF | X86_VIF | X86_RF)) | (value & change);
	x86_rflags_write(cpu, f | (value & X86_IF ? X86_VIF : 0));
	x86_mode_update(cpu);
	return true;
}

/* a = value popped, b = operand bytes. */
static uint64_t x86_popf(void *opaque, uint64_t a, uint64_t b, uint64_t c)
{
	struct x86_cpu *cpu = opaque;
	uint64_t change = X86_ARITH_FLAGS | X86_TF | X86_DF | X86_NT, f = x86_rflags_read(cpu);
	unsigned cpl = x86_cpl(cpu);

	if (vm86_flags_virtual(cpu))
		return popf_virtual(cpu, a);
	if (b != 2)
		change |= X86_AC | X86_ID;
	if (cpl <= rflags_iopl(cpu))
		change |= X86_IF;
	if (cpl == 0)
		change |= X86_IOPL;
	f = (f & ~(change | X86_RF)) | (a & change);
	x86_rflags_write(cpu, f);
	x86_mode_update(cpu);
	return 0;
}

/* ---- ENTER with nesting levels */

struct frame {
	struct x86_cpu *cpu;
	uint64_t sp;
	unsigned stack_bytes, opsize;
};

static bool frame_linear(const struct frame *f, uint64_t off, enum x86_access a, uint64_t *lin)
{
	if (f->cpu->mode & (X86_MODE_CODE64 | X86_MODE_FLAT)) {
		*lin = off;
		return true;
	}
	return x86_seg_linear(f->cpu, X86_SS, off, f->opsize, a, lin);
}

static bool frame_push(struct frame *f, uint64_t v)
{
	uint64_t sp = (f->sp - f->opsize) & bits_mask(f->stack_bytes * 8), lin;

	if (!frame_linear(f, sp, X86_WRITE, &lin) ||
	    !x86_mem_write(f->cpu, lin, &v, f->opsize, x86_mode_mmu(f->cpu->mode), X86_MEM_STACK))
		return false;
	f->sp = sp;
	return true;
}

static bool frame_copy_display(struct frame *f, unsigned levels)
{
	uint64_t bp = f->cpu->gpr[X86_RBP], lin, v = 0;

	for (; levels; levels--) {
		bp -= f->opsize;
		if (!frame_linear(f, bp & bits_mask(f->stack_bytes * 8), X86_READ, &lin) ||
		    !x86_mem_read(f->cpu, lin, &v, f->opsize, x86_mode_mmu(f->cpu->mode),
				  X86_MEM_STACK) ||
		    !frame_push(f, v))
			return false;
	}
	return true;
}

static uint64_t gpr_merge(uint64_t old, uint64_t v, unsigned bytes)
{
	return bytes == 4 ? (uint32_t)v
			  : (old & ~bits_mask(bytes * 8)) | (v & bits_mask(bytes * 8));
}

/* a = bytes of locals, b = level (1..31), c = operand bytes | stack-address bytes << 8. */
static uint64_t x86_enter(void *opaque, uint64_t a, uint64_t b, uint64_t c)
{
	struct x86_cpu *cpu = opaque;
	struct frame f = {.cpu = cpu, .opsize = c & 0xff, .stack_bytes = c >> 8 & 0xff};
	uint64_t mask = bits_mask(f.stack_bytes * 8), frame, lin;

	f.sp = cpu->gpr[X86_RSP] & mask;
	if (!frame_push(&f, cpu->gpr[X86_RBP]))
		return 0;
	frame = f.sp;
	if (!frame_copy_display(&f, (unsigned)b - 1) || !frame_push(&f, frame))
		return 0;
	f.sp = (f.sp - a) & mask;
	if (!frame_linear(&f, f.sp, X86_WRITE, &lin) ||
	    !x86_mem_check_write(cpu, lin, f.opsize, x86_mode_mmu(cpu->mode), X86_MEM_STACK))
		return 0;
	cpu->gpr[X86_RBP] = gpr_merge(cpu->gpr[X86_RBP], frame, f.opsize);
	cpu->gpr[X86_RSP] = gpr_merge(cpu->gpr[X86_RSP], f.sp, f.stack_bytes);
	return 0;
}

#define FLAGS_READS  (X86_ST_FLAGS | X86_ST_RFLAGS | X86_ST_SEGS | X86_ST_SYS)
#define FLAGS_WRITES (X86_ST_FLAGS | X86_ST_RFLAGS | X86_ST_SYS)
#define ENTER_WRITES (X86_ST_GPR(X86_RSP) | X86_ST_GPR(X86_RBP))
#define ENTER_READS  (ENTER_WRITES | X86_ST_SEGS | X86_ST_SYS)

enum { H_PUSHF_VM86, H_POPF_CHECK, H_POPF, H_ENTER };

/* clang-format off */
const struct ir_helper x86_helpers_stack[] = {
	[H_PUSHF_VM86] = {"pushf_vm86", x86_pushf_vm86, 1, IR_I64,  IR_HELPER_FAULTS, FLAGS_READS, 0},
	[H_POPF_CHECK] = {"popf_check", x86_popf_check, 1, IR_VOID, IR_HELPER_FAULTS, FLAGS_READS, 0},
	[H_POPF]       = {"popf",       x86_popf,       2, IR_VOID, IR_HELPER_FAULTS, FLAGS_READS, FLAGS_WRITES},
	[H_ENTER]      = {"enter",      x86_enter,      3, IR_VOID, IR_HELPER_FAULTS | IR_HELPER_MEMORY, ENTER_READS, ENTER_WRITES},
	{NULL},
};
/* clang-format on */

static void lift_pushf(struct lift *l, const struct x86_insn *i)
{
	struct ir_block *b = l->b;
	ir_ref f;

	if (l->mode & X86_MODE_VM) {
		f = lift_call(l, &x86_helpers_stack[H_PUSHF_VM86], lift_imm(l, IR_I64, i->opsize),
			      IR_NONE, IR_NONE);
	} else {
		f = ir_bin_imm(b, IR_AND, ir_get(b, IR_I64, X86_OFF(rflags)),
			       ~(uint64_t)(X86_VM | X86_RF));
		f = ir_bin(b, IR_OR, f, lift_packed_flags(l));
	}
	f = ir_trunc(b, ir_int_type(i->opsize), f);
	lift_set_sp(l, lift_push(l, lift_sp(l), f));
}

/* IF, TF, AC, NT may change: interrupts and the mode are looked at before the next instruction. */
static void lift_popf(struct lift *l, const struct x86_insn *i)
{
	ir_ref size = lift_imm(l, IR_I64, i->opsize), sp, f;

	if (l->mode & X86_MODE_VM)
		lift_call(l, &x86_helpers_stack[H_POPF_CHECK], size, IR_NONE, IR_NONE);
	f = lift_pop(l, lift_sp(l), ir_int_type(i->opsize), &sp);
	lift_call(l, &x86_helpers_stack[H_POPF], ir_zext(l->b, IR_I64, f), size, IR_NONE);
	lift_set_sp(l, sp);
	lift_end_next(l, i);
}

/* ---- PUSH and POP */

static void lift_push_value(struct lift *l, const struct x86_insn *i)
{
	ir_ref v = lift_read(l, i, 0);

	lift_set_sp(l, lift_push(l, lift_sp(l), v));
}

static void lift_push_imm(struct lift *l, const struct x86_insn *i)
{
	ir_ref v = lift_imm(l, ir_int_type(i->opsize), (uint64_t)i->imm);

	lift_set_sp(l, lift_push(l, lift_sp(l), v));
}

static void lift_pop_value(struct lift *l, const struct x86_insn *i)
{
	ir_ref sp, v = lift_pop(l, lift_sp(l), ir_int_type(i->opsize), &sp);

	if (i->op[0].kind == X86_OPND_MEM) {
		int64_t delta = i->base == X86_RSP ? i->opsize : 0;
		ir_ref addr = lift_linear_at(l, i, delta, i->opsize, X86_WRITE);

		ir_store(l->b, addr, v, l->mmu, lift_mem_flags(i, i->opsize));
		lift_set_sp(l, sp);
		return;
	}
	lift_set_sp(l, sp); /* first: POP rSP keeps what it popped */
	lift_set_gpr(l, i->op[0].reg, v);
}

static void lift_pusha(struct lift *l, const struct x86_insn *i)
{
	ir_ref sp = lift_sp(l);

	for (unsigned r = X86_RAX; r <= X86_RDI; r++)
		sp = lift_push(l, sp, lift_gpr(l, r, i->opsize));
	lift_set_sp(l, sp);
}

static void lift_popa(struct lift *l, const struct x86_insn *i)
{
	ir_ref sp = lift_sp(l), v[8];

	for (unsigned r = X86_RDI + 1; r-- > X86_RAX;)
		v[r] = lift_pop(l, sp, ir_int_type(i->opsize), &sp);
	for (unsigned r = X86_RAX; r <= X86_RDI; r++) {
		if (r != X86_RSP)
			lift_set_gpr(l, r, v[r]);
	}
	lift_set_sp(l, sp);
}

/* ---- frames */

static unsigned stack_bytes(const struct lift *l)
{
	return l->mode & X86_MODE_CODE64 ? 8 : l->mode & X86_MODE_STACK32 ? 4 : 2;
}

static void lift_enter(struct lift *l, const struct x86_insn *i)
{
	uint64_t size = (uint64_t)i->imm & 0xffff, level = (uint64_t)i->imm2 & 31;
	ir_ref frame, sp, top;

	if (level) {
		lift_call(l, &x86_helpers_stack[H_ENTER], lift_imm(l, IR_I64, size),
			  lift_imm(l, IR_I64, level),
			  lift_imm(l, IR_I64, i->opsize | stack_bytes(l) << 8));
		return;
	}
	frame = lift_push(l, lift_sp(l), lift_gpr(l, X86_RBP, i->opsize));
	sp = lift_wrap(l, ir_bin_imm(l->b, IR_SUB, frame, size), stack_bytes(l));
	/* The new top of stack must be writable, though nothing is written. */
	top = lift_seg_linear(l, X86_SS, sp, i->opsize, X86_WRITE);
	ir_load(l->b, ir_int_type(i->opsize), top, l->mmu, X86_MEM_STACK | X86_MEM_RMW);
	lift_set_gpr(l, X86_RBP, ir_trunc(l->b, ir_int_type(i->opsize), frame));
	lift_set_sp(l, sp);
}

static void lift_leave(struct lift *l, const struct x86_insn *i)
{
	ir_ref bp = ir_zext(l->b, IR_I64, lift_gpr(l, X86_RBP, stack_bytes(l))), sp;
	ir_ref v = lift_pop(l, bp, ir_int_type(i->opsize), &sp);

	lift_set_sp(l, sp);
	lift_set_gpr(l, X86_RBP, v);
}

#define POPF_FLAGS (X86_ARITH_FLAGS | X86_TF | X86_IF | X86_DF | X86_IOPL | X86_NT)
#define DEF64	   X86_DEF64

/* clang-format off */
const struct x86_row x86_rows_stack[] = {
	X86("50+r", "Zv", X86_FEAT_BASE, 0, 0, 0, lift_push_value, "push", DEF64, 0),
	X86("FF /6", "Ev", X86_FEAT_BASE, 0, 0, 0, lift_push_value, "push", DEF64, 0),
	X86("68", "Iz", X86_FEAT_BASE, 0, 0, 0, lift_push_imm, "push", DEF64, 0),
	X86("6A", "Isb", X86_FEAT_BASE, 0, 0, 0, lift_push_imm, "push", DEF64, 0),
	X86("58+r", "Zv", X86_FEAT_BASE, 0, 0, 0, lift_pop_value, "pop", DEF64, 0),
	X86("8F /0", "Ev", X86_FEAT_BASE, 0, 0, 0, lift_pop_value, "pop", DEF64, 0),
	X86("60", "", X86_FEAT_BASE, 0, 0, 0, lift_pusha, "pusha", X86_NO64, 0),
	X86("61", "", X86_FEAT_BASE, 0, 0, 0, lift_popa, "popa", X86_NO64, 0),
	X86("C8", "Iw,Ib", X86_FEAT_BASE, 0, 0, 0, lift_enter, "enter", DEF64, 0),
	X86("C9", "", X86_FEAT_BASE, 0, 0, 0, lift_leave, "leave", DEF64, 0),
	X86("9C", "", X86_FEAT_BASE, 0xffff, 0, 0, lift_pushf, "pushf", DEF64, 0),
	X86("9D", "", X86_FEAT_BASE, 0, POPF_FLAGS, 0, lift_popf, "popf", DEF64 | X86_ENDS, 0),
	X86_ROWS_END,
};
/* clang-format on */
