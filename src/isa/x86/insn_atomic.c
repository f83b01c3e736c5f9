/*
 * CMPXCHG, CMPXCHG8B, CMPXCHG16B, XADD. SDM vol. 2.
 *
 * A failed comparison writes the old value back, so the destination is always checked for writing.
 * With LOCK they become the IR's atomic operations; CMPXCHG16B is a helper in both forms.
 */
#include "isa/x86/families.h"
#include "isa/x86/lift.h"
#include "isa/x86/mmu.h"

enum { CX16_LOCKED = 1 << 8 };

static uint64_t cx16_finish(struct x86_cpu *cpu, bool equal, uint64_t lo, uint64_t hi)
{
	if (!equal) {
		cpu->gpr[X86_RAX] = lo;
		cpu->gpr[X86_RDX] = hi;
	}
	return equal;
}

/* Memory the host cannot lock: plain accesses, with the other CPUs stopped if LOCK asks for it. */
static uint64_t cx16_slow(struct x86_cpu *cpu, uint64_t lin, bool locked, unsigned flags)
{
	enum x86_mmu_index mmu = x86_mode_mmu(cpu->mode);
	uint64_t old[2], new[2];
	bool equal;

	if (locked && !cpu->exclusive) {
		cpu->exit_code = X86_EXIT_EXCLUSIVE;
		return 0;
	}
	if (!x86_mem_read(cpu, lin, old, sizeof(old), mmu, flags))
		return 0;
	equal = old[0] == cpu->gpr[X86_RAX] && old[1] == cpu->gpr[X86_RDX];
	new[0] = equal ? cpu->gpr[X86_RBX] : old[0];
	new[1] = equal ? cpu->gpr[X86_RCX] : old[1];
	if (!x86_mem_write(cpu, lin, new, sizeof(new), mmu, flags))
		return 0;
	return cx16_finish(cpu, equal, old[0], old[1]);
}

/* a = linear address, b = memory flags | CX16_LOCKED; returns ZF as 0 or 1. */
static uint64_t x86_cmpxchg16b(void *opaque, uint64_t a, uint64_t b, uint64_t c)
{
	struct x86_cpu *cpu = opaque;
	unsigned flags = (b & 0xff) | X86_MEM_RMW | X86_MEM_ALIGN16;
	uint64_t lo = cpu->gpr[X86_RAX], hi = cpu->gpr[X86_RDX];
	bool slow = false, equal;
	unsigned __int128 *p;

	if (a & 15)
		return x86_fault_raise_error(cpu, X86_FAULT_GP, 0);
	p = x86_mem_atomic_ptr(cpu, a, 16, x86_mode_mmu(cpu->mode), flags, &slow);
	if (!p)
		return slow ? cx16_slow(cpu, a, b & CX16_LOCKED, flags) : 0;
	__asm__ volatile("lock cmpxchg16b %[m]"
			 : "=@ccz"(equal), [m] "+m"(*p), "+a"(lo), "+d"(hi)
			 : "b"(cpu->gpr[X86_RBX]), "c"(cpu->gpr[X86_RCX])
			 : "memory");
	return cx16_finish(cpu, equal, lo, hi);
}

#define CX16_WRITES (X86_ST_GPR(X86_RAX) | X86_ST_GPR(X86_RDX))
#define CX16_READS  (CX16_WRITES | X86_ST_GPR(X86_RBX) | X86_ST_GPR(X86_RCX))

/* clang-format off */
const struct ir_helper x86_helpers_atomic[] = {
	{"cmpxchg16b", x86_cmpxchg16b, 2, IR_I64, IR_HELPER_FAULTS | IR_HELPER_MEMORY, CX16_READS, CX16_WRITES},
	{NULL},
};
/* clang-format on */

/* Full 64-bit register, or what a write of the 32-bit v leaves in it. */
static ir_ref keep_or_set32(struct lift *l, ir_ref keep, unsigned reg, ir_ref v)
{
	ir_ref all = lift_gpr(l, reg, 8);

	return ir_select(l->b, keep, all, ir_zext(l->b, IR_I64, v));
}

/* The accumulator takes the old value unless it was equal; then even its upper half stays. */
static void accumulator_update(struct lift *l, ir_ref equal, ir_ref acc, ir_ref old)
{
	if (ir_type_of(l->b, old) == IR_I32)
		lift_set_gpr(l, X86_RAX, keep_or_set32(l, equal, X86_RAX, old));
	else
		lift_set_gpr(l, X86_RAX, ir_select(l->b, equal, acc, old));
}

/* Register destination. A 32-bit one that differs keeps its upper half, as the silicon does. */
static void cmpxchg_reg(struct lift *l, const struct x86_insn *i, ir_ref acc, ir_ref src)
{
	struct ir_block *b = l->b;
	ir_ref old = lift_read(l, i, 0), equal = ir_cmp(b, IR_EQ, acc, old), v;
	unsigned dst = i->op[0].reg;

	if (ir_type_of(b, old) == IR_I32) {
		v = ir_zext(b, IR_I64, src);
		v = ir_select(b, equal, v, lift_gpr(l, dst, 8));
	} else {
		v = ir_select(b, equal, src, old);
	}
	accumulator_update(l, equal, acc, old);
	if (ir_type_of(b, v) == IR_I64)
		lift_set_gpr(l, dst, v);
	else
		lift_write(l, i, 0, v);
	lift_flags(l, IR_FLAGS_SUB, ir_type_of(b, old), acc, old, IR_NONE);
}

static void lift_cmpxchg(struct lift *l, const struct x86_insn *i)
{
	struct ir_block *b = l->b;
	unsigned bytes = i->op[0].bytes;
	ir_ref acc = lift_gpr(l, X86_RAX, bytes), src = lift_read(l, i, 1), equal, addr;
	struct lift_rmw m;

	if (i->op[0].kind != X86_OPND_MEM) {
		cmpxchg_reg(l, i, acc, src);
		return;
	}
	if (i->lock) {
		addr = lift_linear(l, i, bytes, X86_WRITE);
		m.old = ir_atomic(b, IR_ATOMIC_CMPXCHG, addr, acc, src, l->mmu,
				  lift_mem_flags(i, bytes));
		equal = ir_cmp(b, IR_EQ, acc, m.old);
	} else {
		m = lift_rmw_begin(l, i, 0);
		equal = ir_cmp(b, IR_EQ, acc, m.old);
		lift_rmw_end(l, i, 0, m, ir_select(b, equal, src, m.old));
	}
	accumulator_update(l, equal, acc, m.old);
	lift_flags(l, IR_FLAGS_SUB, ir_type_of(b, acc), acc, m.old, IR_NONE);
}

/* high:low of two 32-bit registers */
static ir_ref gpr_pair(struct lift *l, unsigned high, unsigned low)
{
	ir_ref h = ir_zext(l->b, IR_I64, lift_gpr(l, high, 4));
	ir_ref v = ir_zext(l->b, IR_I64, lift_gpr(l, low, 4));

	return ir_bin(l->b, IR_OR, ir_bin_imm(l->b, IR_SHL, h, 32), v);
}

static void set_zf(struct lift *l, ir_ref equal)
{
	ir_ref f = ir_bin_imm(l->b, IR_AND, lift_packed_flags(l), ~(uint64_t)X86_ZF);
	ir_ref zf = ir_bin_imm(l->b, IR_SHL, ir_zext(l->b, IR_I64, equal), 6);

	lift_set_packed_flags(l, ir_bin(l->b, IR_OR, f, zf));
}

static void lift_cmpxchg8b(struct lift *l, const struct x86_insn *i)
{
	struct ir_block *b = l->b;
	ir_ref want = gpr_pair(l, X86_RDX, X86_RAX), new = gpr_pair(l, X86_RCX, X86_RBX);
	ir_ref addr = lift_linear(l, i, 8, X86_WRITE), old, equal, high;
	unsigned flags = lift_mem_flags(i, 8);

	if (i->lock) {
		old = ir_atomic(b, IR_ATOMIC_CMPXCHG, addr, want, new, l->mmu, flags);
		equal = ir_cmp(b, IR_EQ, want, old);
	} else {
		old = ir_load(b, IR_I64, addr, l->mmu, flags | X86_MEM_RMW);
		equal = ir_cmp(b, IR_EQ, want, old);
		ir_store(b, addr, ir_select(b, equal, new, old), l->mmu, flags);
	}
	high = ir_trunc(b, IR_I32, ir_bin_imm(b, IR_SHR, old, 32));
	lift_set_gpr(l, X86_RAX, keep_or_set32(l, equal, X86_RAX, ir_trunc(b, IR_I32, old)));
	lift_set_gpr(l, X86_RDX, keep_or_set32(l, equal, X86_RDX, high));
	set_zf(l, equal);
}

static void lift_cmpxchg16b(struct lift *l, const struct x86_insn *i)
{
	ir_ref addr = lift_linear(l, i, 16, X86_WRITE), zf;
	unsigned what = (lift_mem_flags(i, 8) & X86_MEM_STACK) | (i->lock ? CX16_LOCKED : 0);

	zf = lift_call(l, &x86_helpers_atomic[0], addr, lift_imm(l, IR_I64, what), IR_NONE);
	set_zf(l, zf);
}

static void lift_xadd(struct lift *l, const struct x86_insn *i)
{
	struct ir_block *b = l->b;
	ir_ref src = lift_read(l, i, 1), sum;
	struct lift_rmw m;

	if (i->lock) {
		ir_ref addr = lift_linear(l, i, i->op[0].bytes, X86_WRITE);

		m.old = ir_atomic(b, IR_ATOMIC_ADD, addr, src, IR_NONE, l->mmu,
				  lift_mem_flags(i, i->op[0].bytes));
		lift_write(l, i, 1, m.old);
	} else {
		m = lift_rmw_begin(l, i, 0);
		sum = ir_bin(b, IR_ADD, m.old, src);
		if (m.addr != IR_NONE)
			lift_rmw_end(l, i, 0, m, sum);
		lift_write(l, i, 1, m.old);
		if (m.addr == IR_NONE) /* last: the sum wins if both are one register */
			lift_rmw_end(l, i, 0, m, sum);
	}
	lift_flags(l, IR_FLAGS_ADD, ir_type_of(b, src), m.old, src, IR_NONE);
}

#define ALL X86_ARITH_FLAGS

/* clang-format off */
const struct x86_row x86_rows_atomic[] = {
	X86("0F B0 /r", "Eb,Gb", X86_FEAT_BASE, 0, ALL, 0, lift_cmpxchg, "cmpxchg", X86_LOCKABLE, 0),
	X86("0F B1 /r", "Ev,Gv", X86_FEAT_BASE, 0, ALL, 0, lift_cmpxchg, "cmpxchg", X86_LOCKABLE, 0),
	X86("0F C0 /r", "Eb,Gb", X86_FEAT_BASE, 0, ALL, 0, lift_xadd, "xadd", X86_LOCKABLE, 0),
	X86("0F C1 /r", "Ev,Gv", X86_FEAT_BASE, 0, ALL, 0, lift_xadd, "xadd", X86_LOCKABLE, 0),
	X86("W0 0F C7 /1 mem", "Mq", X86_FEAT_CX8, 0, X86_ZF, 0, lift_cmpxchg8b, "cmpxchg8b", X86_LOCKABLE, 0),
	X86("W1 0F C7 /1 mem", "Mdq", X86_FEAT_CX16, 0, X86_ZF, 0, lift_cmpxchg16b, "cmpxchg16b", X86_LOCKABLE | X86_ONLY64, 0),
	X86_ROWS_END,
};
/* clang-format on */
