/*
 * Segment registers, far transfers, software interrupts, descriptor tables, fast system calls. SDM
 * vol. 2. What they mean is in segment.c, far.c, iret.c, fault.c, syscall.c; this is how they are
 * decoded and lifted. SGDT stores the whole base whatever the operand size, as processors do.
 */
#include "isa/x86/families.h"
#include "isa/x86/fault.h"
#include "isa/x86/lift.h"
#include "isa/x86/segment.h"

/* ---- helpers */

static uint64_t helper_seg_load(void *opaque, uint64_t s, uint64_t sel, uint64_t unused)
{
	struct x86_cpu *cpu = opaque;

	(void)unused;
	if (x86_seg_load(cpu, (enum x86_seg_index)s, (uint16_t)sel) && s == X86_SS) {
		cpu->interrupt_shadow |= X86_SHADOW_SS;
		x86_mode_update(cpu);
	}
	return 0;
}

/* what: selector | operand size << 16 */
static uint64_t helper_far_jump(void *opaque, uint64_t what, uint64_t off, uint64_t next)
{
	x86_far_jump(opaque, (uint16_t)what, off, (unsigned)(what >> 16), next);
	return 0;
}

static uint64_t helper_far_call(void *opaque, uint64_t what, uint64_t off, uint64_t next)
{
	x86_far_call(opaque, (uint16_t)what, off, (unsigned)(what >> 16), next);
	return 0;
}

static uint64_t helper_far_ret(void *opaque, uint64_t opsize, uint64_t pop, uint64_t unused)
{
	(void)unused;
	x86_far_ret(opaque, (unsigned)opsize, (unsigned)pop);
	return 0;
}

static uint64_t helper_iret(void *opaque, uint64_t opsize, uint64_t next, uint64_t unused)
{
	(void)unused;
	x86_iret(opaque, (unsigned)opsize, next);
	return 0;
}

static uint64_t helper_int(void *opaque, uint64_t vector, uint64_t int_n, uint64_t next)
{
	x86_soft_interrupt(opaque, (unsigned)vector, int_n, next);
	return 0;
}

static uint64_t helper_into(void *opaque, uint64_t overflow, uint64_t next, uint64_t unused)
{
	(void)unused;
	if (overflow)
		x86_soft_interrupt(opaque, X86_FAULT_OF, false, next);
	return 0;
}

static uint64_t helper_int1(void *opaque, uint64_t a, uint64_t b, uint64_t c)
{
	struct x86_cpu *cpu = opaque;

	(void)a, (void)b, (void)c;
	cpu->pending_db |= X86_PENDING_INT1;
	return 0;
}

/* LAR, LSL: the value, and bit 32 if it is valid. */
static uint64_t helper_lar(void *opaque, uint64_t sel, uint64_t b, uint64_t c)
{
	uint32_t v = 0;
	bool ok;

	(void)b, (void)c;
	return x86_lar(opaque, (uint16_t)sel, &v, &ok) ? v | BIT(32) : 0;
}

static uint64_t helper_lsl(void *opaque, uint64_t sel, uint64_t b, uint64_t c)
{
	uint32_t v = 0;
	bool ok;

	(void)b, (void)c;
	return x86_lsl(opaque, (uint16_t)sel, &v, &ok) ? v | BIT(32) : 0;
}

static uint64_t helper_verify(void *opaque, uint64_t sel, uint64_t write, uint64_t c)
{
	bool ok;

	(void)c;
	return x86_verify(opaque, (uint16_t)sel, write, &ok);
}

static uint64_t helper_lldt(void *opaque, uint64_t sel, uint64_t b, uint64_t c)
{
	(void)b, (void)c;
	x86_lldt(opaque, (uint16_t)sel);
	return 0;
}

static uint64_t helper_ltr(void *opaque, uint64_t sel, uint64_t b, uint64_t c)
{
	(void)b, (void)c;
	x86_ltr(opaque, (uint16_t)sel);
	return 0;
}

/* which: 0 GDTR, 1 IDTR */
static uint64_t helper_table_load(void *opaque, uint64_t which, uint64_t limit, uint64_t base)
{
	struct x86_cpu *cpu = opaque;
	struct x86_table *t = which ? &cpu->idtr : &cpu->gdtr;

	if (x86_code64(cpu) && !x86_canonical(base)) {
		x86_fault_raise_error(cpu, X86_FAULT_GP, 0);
		return 0;
	}
	t->limit = (uint16_t)limit;
	t->base = base;
	return 0;
}

/* #GP(0) where UMIP hides system registers from programs. */
static uint64_t helper_umip(void *opaque, uint64_t a, uint64_t b, uint64_t c)
{
	struct x86_cpu *cpu = opaque;

	(void)a, (void)b, (void)c;
	if ((cpu->cr4 & X86_CR4_UMIP) && x86_cpl(cpu) > 0)
		x86_fault_raise_error(cpu, X86_FAULT_GP, 0);
	return 0;
}

/* RDFSBASE and kin: #UD unless enabled, #GP(0) if the new base is not canonical. */
static uint64_t helper_fsgsbase(void *opaque, uint64_t base, uint64_t b, uint64_t c)
{
	struct x86_cpu *cpu = opaque;

	(void)b, (void)c;
	if (!(cpu->cr4 & X86_CR4_FSGSBASE))
		x86_fault_raise(cpu, X86_FAULT_UD);
	else if (!x86_canonical(base))
		x86_fault_raise_error(cpu, X86_FAULT_GP, 0);
	return 0;
}

static uint64_t helper_syscall(void *opaque, uint64_t next, uint64_t b, uint64_t c)
{
	(void)b, (void)c;
	x86_syscall(opaque, next);
	return 0;
}

static uint64_t helper_sysret(void *opaque, uint64_t opsize, uint64_t b, uint64_t c)
{
	(void)b, (void)c;
	x86_sysret(opaque, (unsigned)opsize);
	return 0;
}

static uint64_t helper_sysenter(void *opaque, uint64_t a, uint64_t b, uint64_t c)
{
	(void)a, (void)b, (void)c;
	x86_sysenter(opaque);
	return 0;
}

static uint64_t helper_sysexit(void *opaque, uint64_t opsize, uint64_t b, uint64_t c)
{
	(void)b, (void)c;
	x86_sysexit(opaque, (unsigned)opsize);
	return 0;
}

enum {
	H_SEG_LOAD,
	H_FAR_JUMP,
	H_FAR_CALL,
	H_FAR_RET,
	H_IRET,
	H_INT,
	H_INTO,
	H_INT1,
	H_LAR,
	H_LSL,
	H_VERIFY,
	H_LLDT,
	H_LTR,
	H_TABLE_LOAD,
	H_UMIP,
	H_FSGSBASE,
	H_SYSCALL,
	H_SYSRET,
	H_SYSENTER,
	H_SYSEXIT,
	H_COUNT
};

#define TRANSFER  (IR_HELPER_FAULTS | IR_HELPER_MEMORY | IR_HELPER_SETS_PC)
#define CHECK	  (IR_HELPER_FAULTS | IR_HELPER_MEMORY)
#define SYS_STATE (X86_ST_SEGS | X86_ST_RFLAGS | X86_ST_SYS)

/* clang-format off */
const struct ir_helper x86_helpers_segment[] = {
	[H_SEG_LOAD] = {"seg_load", (void *)helper_seg_load, 2, IR_VOID, CHECK, SYS_STATE, SYS_STATE},
	[H_FAR_JUMP] = {"far_jump", (void *)helper_far_jump, 3, IR_VOID, TRANSFER, X86_ST_ALL, X86_ST_ALL},
	[H_FAR_CALL] = {"far_call", (void *)helper_far_call, 3, IR_VOID, TRANSFER, X86_ST_ALL, X86_ST_ALL},
	[H_FAR_RET] = {"far_ret", (void *)helper_far_ret, 2, IR_VOID, TRANSFER, X86_ST_ALL, X86_ST_ALL},
	[H_IRET] = {"iret", (void *)helper_iret, 2, IR_VOID, TRANSFER, X86_ST_ALL, X86_ST_ALL},
	[H_INT] = {"int", (void *)helper_int, 3, IR_VOID, TRANSFER, X86_ST_ALL, X86_ST_ALL},
	[H_INTO] = {"into", (void *)helper_into, 2, IR_VOID, CHECK, SYS_STATE, SYS_STATE},
	[H_INT1] = {"int1", (void *)helper_int1, 0, IR_VOID, 0, X86_ST_SYS, X86_ST_SYS},
	[H_LAR] = {"lar", (void *)helper_lar, 1, IR_I64, CHECK, SYS_STATE, 0},
	[H_LSL] = {"lsl", (void *)helper_lsl, 1, IR_I64, CHECK, SYS_STATE, 0},
	[H_VERIFY] = {"verify", (void *)helper_verify, 2, IR_I64, CHECK, SYS_STATE, 0},
	[H_LLDT] = {"lldt", (void *)helper_lldt, 1, IR_VOID, CHECK, SYS_STATE, SYS_STATE},
	[H_LTR] = {"ltr", (void *)helper_ltr, 1, IR_VOID, CHECK, SYS_STATE, SYS_STATE},
	[H_TABLE_LOAD] = {"table_load", (void *)helper_table_load, 3, IR_VOID, IR_HELPER_FAULTS, SYS_STATE, X86_ST_SYS},
	[H_UMIP] = {"umip", (void *)helper_umip, 0, IR_VOID, IR_HELPER_FAULTS, SYS_STATE, 0},
	[H_FSGSBASE] = {"fsgsbase", (void *)helper_fsgsbase, 1, IR_VOID, IR_HELPER_FAULTS, SYS_STATE, 0},
	[H_SYSCALL] = {"syscall", (void *)helper_syscall, 1, IR_VOID, TRANSFER, X86_ST_ALL, X86_ST_ALL},
	[H_SYSRET] = {"sysret", (void *)helper_sysret, 1, IR_VOID, TRANSFER, X86_ST_ALL, X86_ST_ALL},
	[H_SYSENTER] = {"sysenter", (void *)helper_sysenter, 0, IR_VOID, TRANSFER, X86_ST_ALL, X86_ST_ALL},
	[H_SYSEXIT] = {"sysexit", (void *)helper_sysexit, 1, IR_VOID, TRANSFER, X86_ST_ALL, X86_ST_ALL},
	[H_COUNT] = {.name = NULL},
};
/* clang-format on */

#define HELPER(h) (&x86_helpers_segment[h])

/* ---- segment registers */

static ir_ref imm64(struct lift *l, uint64_t v)
{
	return lift_imm(l, IR_I64, v);
}

/* Load segment register s. In 64-bit code only SS can change what code means. */
static void load_seg(struct lift *l, unsigned s, ir_ref sel)
{
	lift_call(l, HELPER(H_SEG_LOAD), imm64(l, s), ir_zext(l->b, IR_I64, sel), IR_NONE);
}

static void end_after_seg(struct lift *l, const struct x86_insn *i, unsigned s)
{
	if (!(l->mode & X86_MODE_CODE64) || s == X86_SS)
		lift_end_next(l, i);
}

static void lift_mov_to_seg(struct lift *l, const struct x86_insn *i)
{
	unsigned s = i->op[0].reg;

	if (s == X86_CS) {
		lift_fault(l, X86_FAULT_UD);
		return;
	}
	load_seg(l, s, lift_read(l, i, 1));
	end_after_seg(l, i, s);
}

static void lift_mov_from_seg(struct lift *l, const struct x86_insn *i)
{
	lift_write(l, i, 0, lift_read_zext(l, i, 1, ir_int_type(i->op[0].bytes)));
}

static void lift_push_seg(struct lift *l, const struct x86_insn *i)
{
	ir_ref v = lift_read_zext(l, i, 0, ir_int_type(i->opsize));

	lift_set_sp(l, lift_push(l, lift_sp(l), v));
}

static void lift_pop_seg(struct lift *l, const struct x86_insn *i)
{
	unsigned s = i->op[0].reg;
	ir_ref sp, v = lift_pop(l, lift_sp(l), ir_int_type(i->opsize), &sp);

	load_seg(l, s, ir_trunc(l->b, IR_I16, v));
	lift_set_sp(l, sp);
	end_after_seg(l, i, s);
}

/* The far pointer in memory: *sel as i16, the offset at operand size. */
static ir_ref far_pointer(struct lift *l, const struct x86_insn *i, ir_ref *sel)
{
	unsigned n = i->opsize, flags = lift_mem_flags(i, n);
	ir_ref lo = lift_linear(l, i, n, X86_READ);
	ir_ref hi = lift_linear_at(l, i, n, 2, X86_READ);
	ir_ref off = ir_load(l->b, ir_int_type(n), lo, l->mmu, flags);

	*sel = ir_load(l->b, IR_I16, hi, l->mmu, flags);
	return off;
}

/* LDS, LES, LSS, LFS, LGS: arg is the segment register. */
static void lift_load_far(struct lift *l, const struct x86_insn *i)
{
	unsigned s = i->row->arg;
	ir_ref sel, off = far_pointer(l, i, &sel);

	load_seg(l, s, sel);
	lift_write(l, i, 0, off);
	end_after_seg(l, i, s);
}

/* ---- far transfers; arg is H_FAR_JUMP or H_FAR_CALL */

static void far_transfer(struct lift *l, const struct x86_insn *i, ir_ref sel, ir_ref off)
{
	ir_ref what =
		ir_bin_imm(l->b, IR_OR, ir_zext(l->b, IR_I64, sel), (uint64_t)i->opsize << 16);

	lift_call_end(l, HELPER(i->row->arg), what, ir_zext(l->b, IR_I64, off), lift_next_pc(l, i));
}

static void lift_far_direct(struct lift *l, const struct x86_insn *i)
{
	far_transfer(l, i, lift_imm(l, IR_I16, (uint64_t)i->imm2 & 0xffff),
		     imm64(l, (uint64_t)i->imm & bits_mask(i->opsize * 8)));
}

static void lift_far_indirect(struct lift *l, const struct x86_insn *i)
{
	ir_ref sel, off = far_pointer(l, i, &sel);

	far_transfer(l, i, sel, off);
}

static void lift_far_ret(struct lift *l, const struct x86_insn *i)
{
	uint64_t pop = i->op_count ? (uint64_t)i->imm & 0xffff : 0;

	lift_call_end(l, HELPER(H_FAR_RET), imm64(l, i->opsize), imm64(l, pop), IR_NONE);
}

static void lift_iret(struct lift *l, const struct x86_insn *i)
{
	lift_call_end(l, HELPER(H_IRET), imm64(l, i->opsize), lift_next_pc(l, i), IR_NONE);
}

/* ---- interrupts */

static void lift_int(struct lift *l, const struct x86_insn *i)
{
	lift_call_end(l, HELPER(H_INT), imm64(l, (uint64_t)i->imm & 0xff), imm64(l, 1),
		      lift_next_pc(l, i));
}

static void lift_int3(struct lift *l, const struct x86_insn *i)
{
	lift_call_end(l, HELPER(H_INT), imm64(l, X86_FAULT_BP), imm64(l, 0), lift_next_pc(l, i));
}

static void lift_int1(struct lift *l, const struct x86_insn *i)
{
	lift_call(l, HELPER(H_INT1), IR_NONE, IR_NONE, IR_NONE);
	lift_end_next(l, i);
}

static void lift_into(struct lift *l, const struct x86_insn *i)
{
	ir_ref of = ir_zext(l->b, IR_I64, lift_cond(l, IR_COND_O));

	lift_call(l, HELPER(H_INTO), of, lift_next_pc(l, i), IR_NONE);
}

/* ---- looking at descriptors */

static void put_zf(struct lift *l, ir_ref zf) /* i64, 0 or 1 */
{
	ir_ref rest =
		ir_bin_imm(l->b, IR_AND, lift_packed_flags(l), X86_ARITH_FLAGS & ~(uint64_t)X86_ZF);
	ir_ref bit = ir_bin_imm(l->b, IR_SHL, zf, 6);

	lift_set_packed_flags(l, ir_bin(l->b, IR_OR, rest, bit));
}

/* LAR, LSL (arg is the helper): the register changes only if ZF is set. */
static void lift_lar(struct lift *l, const struct x86_insn *i)
{
	enum ir_type t = i->opsize == 2 ? IR_I16 : IR_I64;
	ir_ref r = lift_call(l, HELPER(i->row->arg), lift_read_zext(l, i, 1, IR_I64), IR_NONE,
			     IR_NONE);
	ir_ref zf = ir_bin_imm(l->b, IR_SHR, r, 32);
	ir_ref v = ir_bin_imm(l->b, IR_AND, r, 0xffffffffu);
	ir_ref old = lift_gpr(l, i->op[0].reg, ir_type_bytes(t));

	if (t == IR_I16)
		v = ir_trunc(l->b, t, v);
	lift_set_gpr(l, i->op[0].reg, ir_select(l->b, ir_trunc(l->b, IR_I8, zf), v, old));
	put_zf(l, zf);
}

/* VERR, VERW: arg is 1 for writing. */
static void lift_verify(struct lift *l, const struct x86_insn *i)
{
	ir_ref sel = lift_read_zext(l, i, 0, IR_I64);

	put_zf(l, lift_call(l, HELPER(H_VERIFY), sel, imm64(l, i->row->arg), IR_NONE));
}

static void lift_arpl(struct lift *l, const struct x86_insn *i)
{
	struct lift_rmw m = lift_rmw_begin(l, i, 0);
	ir_ref rpl = ir_bin_imm(l->b, IR_AND, lift_read(l, i, 1), 3);
	ir_ref low = ir_cmp(l->b, IR_LTU, ir_bin_imm(l->b, IR_AND, m.old, 3), rpl);
	ir_ref raised = ir_bin(l->b, IR_OR, ir_bin_imm(l->b, IR_AND, m.old, 0xfffc), rpl);

	lift_rmw_end(l, i, 0, m, ir_select(l->b, low, raised, m.old));
	put_zf(l, ir_zext(l->b, IR_I64, low));
}

/* ---- system tables */

static void check_umip(struct lift *l)
{
	if (x86_mode_cpl(l->mode) > 0)
		lift_call(l, HELPER(H_UMIP), IR_NONE, IR_NONE, IR_NONE);
}

/* SLDT, STR, SMSW: arg is the offset of what they show, at operand size. */
static void lift_store_system(struct lift *l, const struct x86_insn *i)
{
	enum ir_type t = ir_int_type(i->op[0].bytes);
	ir_ref v;

	check_umip(l);
	v = ir_get(l->b, IR_I16, i->row->arg);
	lift_write(l, i, 0, ir_zext(l->b, t, v));
}

/* SMSW to a register shows all of CR0. */
static void lift_smsw(struct lift *l, const struct x86_insn *i)
{
	check_umip(l);
	lift_write(l, i, 0, ir_get(l->b, ir_int_type(i->op[0].bytes), X86_OFF(cr0)));
}

/* LLDT, LTR: arg is the helper. */
static void lift_load_system(struct lift *l, const struct x86_insn *i)
{
	lift_call(l, HELPER(i->row->arg), lift_read_zext(l, i, 0, IR_I64), IR_NONE, IR_NONE);
	lift_end_next(l, i);
}

/* SGDT, SIDT: arg is the offset of the register. */
static void lift_store_table(struct lift *l, const struct x86_insn *i)
{
	unsigned bytes = l->mode & X86_MODE_CODE64 ? 8 : 4, flags = lift_mem_flags(i, bytes);
	uint32_t at = i->row->arg;
	ir_ref lo, hi;

	check_umip(l);
	lo = lift_linear(l, i, 2, X86_WRITE);
	hi = lift_linear_at(l, i, 2, bytes, X86_WRITE);
	ir_store(l->b, lo, ir_get(l->b, IR_I16, at + (uint32_t)offsetof(struct x86_table, limit)),
		 l->mmu, flags);
	ir_store(l->b, hi,
		 ir_get(l->b, ir_int_type(bytes), at + (uint32_t)offsetof(struct x86_table, base)),
		 l->mmu, flags);
}

/* LGDT, LIDT: arg is 0 or 1. With a 16-bit operand the base has 24 bits. */
static void lift_load_table(struct lift *l, const struct x86_insn *i)
{
	unsigned bytes = l->mode & X86_MODE_CODE64 ? 8 : 4, flags = lift_mem_flags(i, bytes);
	ir_ref lo = lift_linear(l, i, 2, X86_READ);
	ir_ref hi = lift_linear_at(l, i, 2, bytes, X86_READ);
	ir_ref limit = ir_load(l->b, IR_I16, lo, l->mmu, flags);
	ir_ref base = ir_load(l->b, ir_int_type(bytes), hi, l->mmu, flags);

	if (bytes == 4 && i->opsize == 2)
		base = ir_bin_imm(l->b, IR_AND, base, 0xffffff);
	lift_call(l, HELPER(H_TABLE_LOAD), imm64(l, i->row->arg), ir_zext(l->b, IR_I64, limit),
		  ir_zext(l->b, IR_I64, base));
	lift_end_next(l, i);
}

/* ---- 64-bit bases */

static void lift_swapgs(struct lift *l, const struct x86_insn *i)
{
	ir_ref gs = ir_get(l->b, IR_I64, X86_OFF_SEG_BASE(X86_GS));
	ir_ref kernel = ir_get(l->b, IR_I64, X86_OFF(kernel_gs_base));

	(void)i;
	ir_put(l->b, X86_OFF_SEG_BASE(X86_GS), kernel);
	ir_put(l->b, X86_OFF(kernel_gs_base), gs);
}

/* RDFSBASE..: arg is X86_FS or X86_GS. */
static void lift_read_base(struct lift *l, const struct x86_insn *i)
{
	enum ir_type t = ir_int_type(i->op[0].bytes);

	lift_call(l, HELPER(H_FSGSBASE), imm64(l, 0), IR_NONE, IR_NONE);
	lift_write(l, i, 0, ir_get(l->b, t, X86_OFF_SEG_BASE(i->row->arg)));
}

static void lift_write_base(struct lift *l, const struct x86_insn *i)
{
	ir_ref v = lift_read_zext(l, i, 0, IR_I64);

	lift_call(l, HELPER(H_FSGSBASE), v, IR_NONE, IR_NONE);
	ir_put(l->b, X86_OFF_SEG_BASE(i->row->arg), v);
}

/* ---- fast system calls */

static void lift_syscall(struct lift *l, const struct x86_insn *i)
{
	lift_call_end(l, HELPER(H_SYSCALL), lift_next_pc(l, i), IR_NONE, IR_NONE);
}

static void lift_sysenter(struct lift *l, const struct x86_insn *i)
{
	(void)i;
	lift_call_end(l, HELPER(H_SYSENTER), IR_NONE, IR_NONE, IR_NONE);
}

/* SYSRET, SYSEXIT: arg is the helper; REX.W returns to 64-bit code. */
static void lift_sysret(struct lift *l, const struct x86_insn *i)
{
	lift_call_end(l, HELPER(i->row->arg), imm64(l, i->rex_w ? 8 : 4), IR_NONE, IR_NONE);
}

#define FL X86_ARITH_FLAGS
#define NO X86_ORACLE_NO /* what they show is the machine's */

/* clang-format off */
const struct x86_row x86_rows_segment[] = {
	X86("8C /r", "Mw_Rv, Sw", X86_FEAT_BASE, 0, 0, 0, lift_mov_from_seg, "mov", NO),
	X86("8E /r", "Sw, Ew", X86_FEAT_BASE, 0, 0, 0, lift_mov_to_seg, "mov", NO),
	X86("06", "ES", X86_FEAT_BASE, 0, 0, 0, lift_push_seg, "push", NO | X86_NO64),
	X86("0E", "CS", X86_FEAT_BASE, 0, 0, 0, lift_push_seg, "push", NO | X86_NO64),
	X86("16", "SS", X86_FEAT_BASE, 0, 0, 0, lift_push_seg, "push", NO | X86_NO64),
	X86("1E", "DS", X86_FEAT_BASE, 0, 0, 0, lift_push_seg, "push", NO | X86_NO64),
	X86("0F A0", "FS", X86_FEAT_BASE, 0, 0, 0, lift_push_seg, "push", NO | X86_DEF64),
	X86("0F A8", "GS", X86_FEAT_BASE, 0, 0, 0, lift_push_seg, "push", NO | X86_DEF64),
	X86("07", "ES", X86_FEAT_BASE, 0, 0, 0, lift_pop_seg, "pop", NO | X86_NO64),
	X86("17", "SS", X86_FEAT_BASE, 0, 0, 0, lift_pop_seg, "pop", NO | X86_NO64),
	X86("1F", "DS", X86_FEAT_BASE, 0, 0, 0, lift_pop_seg, "pop", NO | X86_NO64),
	X86("0F A1", "FS", X86_FEAT_BASE, 0, 0, 0, lift_pop_seg, "pop", NO | X86_DEF64),
	X86("0F A9", "GS", X86_FEAT_BASE, 0, 0, 0, lift_pop_seg, "pop", NO | X86_DEF64),
	X86("C4 /r mem", "Gv, Mp", X86_FEAT_BASE, 0, 0, 0, lift_load_far, "les", NO | X86_NO64, X86_ES),
	X86("C5 /r mem", "Gv, Mp", X86_FEAT_BASE, 0, 0, 0, lift_load_far, "lds", NO | X86_NO64, X86_DS),
	X86("0F B2 /r mem", "Gv, Mp", X86_FEAT_BASE, 0, 0, 0, lift_load_far, "lss", NO, X86_SS),
	X86("0F B4 /r mem", "Gv, Mp", X86_FEAT_BASE, 0, 0, 0, lift_load_far, "lfs", NO, X86_FS),
	X86("0F B5 /r mem", "Gv, Mp", X86_FEAT_BASE, 0, 0, 0, lift_load_far, "lgs", NO, X86_GS),

	X86("EA", "Ap", X86_FEAT_BASE, 0, 0, 0, lift_far_direct, "jmp", NO | X86_NO64 | X86_ENDS, H_FAR_JUMP),
	X86("9A", "Ap", X86_FEAT_BASE, 0, 0, 0, lift_far_direct, "call", NO | X86_NO64 | X86_ENDS, H_FAR_CALL),
	X86("FF /5 mem", "Mp", X86_FEAT_BASE, 0, 0, 0, lift_far_indirect, "jmp", NO | X86_ENDS, H_FAR_JUMP),
	X86("FF /3 mem", "Mp", X86_FEAT_BASE, 0, 0, 0, lift_far_indirect, "call", NO | X86_ENDS, H_FAR_CALL),
	X86("CB", "", X86_FEAT_BASE, 0, 0, 0, lift_far_ret, "retf", NO | X86_ENDS),
	X86("CA", "Iw", X86_FEAT_BASE, 0, 0, 0, lift_far_ret, "retf", NO | X86_ENDS),
	X86("CF", "", X86_FEAT_BASE, 0, FL, 0, lift_iret, "iret|iretd|iretq", NO | X86_ENDS),
	X86("CD", "Ib", X86_FEAT_BASE, 0, 0, 0, lift_int, "int", NO | X86_ENDS),
	X86("CC", "", X86_FEAT_BASE, 0, 0, 0, lift_int3, "int3", NO | X86_ENDS),
	X86("F1", "", X86_FEAT_BASE, 0, 0, 0, lift_int1, "int1", NO | X86_ENDS),
	X86("CE", "", X86_FEAT_BASE, X86_OF, 0, 0, lift_into, "into", NO | X86_NO64),

	X86("63 /r", "Ew, Gw", X86_FEAT_BASE, 0, X86_ZF, 0, lift_arpl, "arpl", NO | X86_NO64 | X86_NOT_REAL),
	X86("0F 02 /r", "Gv, Ew", X86_FEAT_BASE, 0, X86_ZF, 0, lift_lar, "lar", NO | X86_NOT_REAL, H_LAR),
	X86("0F 03 /r", "Gv, Ew", X86_FEAT_BASE, 0, X86_ZF, 0, lift_lar, "lsl", NO | X86_NOT_REAL, H_LSL),
	X86("0F 00 /4", "Ew", X86_FEAT_BASE, 0, X86_ZF, 0, lift_verify, "verr", NO | X86_NOT_REAL, 0),
	X86("0F 00 /5", "Ew", X86_FEAT_BASE, 0, X86_ZF, 0, lift_verify, "verw", NO | X86_NOT_REAL, 1),
	X86("0F 00 /0", "Mw_Rv", X86_FEAT_BASE, 0, 0, 0, lift_store_system, "sldt", NO | X86_NOT_REAL, X86_OFF(ldtr)),
	X86("0F 00 /1", "Mw_Rv", X86_FEAT_BASE, 0, 0, 0, lift_store_system, "str", NO | X86_NOT_REAL, X86_OFF(tr)),
	X86("0F 00 /2", "Ew", X86_FEAT_BASE, 0, 0, 0, lift_load_system, "lldt", NO | X86_NOT_REAL | X86_PRIV, H_LLDT),
	X86("0F 00 /3", "Ew", X86_FEAT_BASE, 0, 0, 0, lift_load_system, "ltr", NO | X86_NOT_REAL | X86_PRIV, H_LTR),
	X86("0F 01 /0 mem", "Ms", X86_FEAT_BASE, 0, 0, 0, lift_store_table, "sgdt", NO, X86_OFF(gdtr)),
	X86("0F 01 /1 mem", "Ms", X86_FEAT_BASE, 0, 0, 0, lift_store_table, "sidt", NO, X86_OFF(idtr)),
	X86("0F 01 /2 mem", "Ms", X86_FEAT_BASE, 0, 0, 0, lift_load_table, "lgdt", NO | X86_PRIV, 0),
	X86("0F 01 /3 mem", "Ms", X86_FEAT_BASE, 0, 0, 0, lift_load_table, "lidt", NO | X86_PRIV, 1),
	X86("0F 01 /4", "Mw_Rv", X86_FEAT_BASE, 0, 0, 0, lift_smsw, "smsw", NO),

	X86("0F 01 F8", "", X86_FEAT_LM, 0, 0, 0, lift_swapgs, "swapgs", NO | X86_ONLY64 | X86_PRIV),
	X86("F3 0F AE /0 reg", "Ry", X86_FEAT_FSGSBASE, 0, 0, 0, lift_read_base, "rdfsbase", NO | X86_ONLY64, X86_FS),
	X86("F3 0F AE /1 reg", "Ry", X86_FEAT_FSGSBASE, 0, 0, 0, lift_read_base, "rdgsbase", NO | X86_ONLY64, X86_GS),
	X86("F3 0F AE /2 reg", "Ry", X86_FEAT_FSGSBASE, 0, 0, 0, lift_write_base, "wrfsbase", NO | X86_ONLY64, X86_FS),
	X86("F3 0F AE /3 reg", "Ry", X86_FEAT_FSGSBASE, 0, 0, 0, lift_write_base, "wrgsbase", NO | X86_ONLY64, X86_GS),

	X86("0F 05", "", X86_FEAT_SYSCALL, 0, 0, 0, lift_syscall, "syscall", NO | X86_ENDS),
	X86("0F 07", "", X86_FEAT_SYSCALL, 0, FL, 0, lift_sysret, "sysret", NO | X86_ENDS, H_SYSRET),
	X86("0F 34", "", X86_FEAT_SEP, 0, 0, 0, lift_sysenter, "sysenter", NO | X86_ENDS),
	X86("0F 35", "", X86_FEAT_SEP, 0, 0, 0, lift_sysret, "sysexit", NO | X86_ENDS, H_SYSEXIT),
	X86_ROWS_END,
};
