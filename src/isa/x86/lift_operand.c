/*
 * Operands and addresses. Linear addresses are final i64 values: in 64-bit code base + index *
 * scale + disp with the FS or GS base; elsewhere the offset itself when the mode is flat, else what
 * the seg_linear helper makes of it (bases, limits, rights; SDM vol. 3, 5.3).
 */
#include "isa/x86/lift.h"

#include "isa/x86/lift_helpers.h"

/* The offset at the width of the address size, not yet extended. */
static ir_ref offset_narrow(struct lift *l, const struct x86_insn *i, int64_t delta)
{
	enum ir_type t = ir_int_type(i->addrsize);
	uint64_t disp = (uint64_t)i->disp + (uint64_t)delta;
	ir_ref sum = IR_NONE;

	if (i->base == X86_GPR_RIP) {
		disp += (uint64_t)((int64_t)i->pc_offset + i->len);
		return ir_trunc(l->b, t, ir_pc(l->b, (int64_t)disp));
	}
	if (i->index != X86_GPR_NONE) {
		sum = lift_gpr(l, i->index, i->addrsize);
		if (i->scale)
			sum = ir_bin_imm(l->b, IR_SHL, sum, i->scale);
	}
	if (i->base != X86_GPR_NONE) {
		ir_ref base = lift_gpr(l, i->base, i->addrsize);

		sum = sum == IR_NONE ? base : ir_bin(l->b, IR_ADD, base, sum);
	}
	if (sum == IR_NONE)
		return lift_imm(l, t, disp);
	return disp ? ir_bin_imm(l->b, IR_ADD, sum, disp) : sum;
}

static ir_ref offset_at(struct lift *l, const struct x86_insn *i, int64_t delta)
{
	return ir_zext(l->b, IR_I64, offset_narrow(l, i, delta));
}

ir_ref lift_offset(struct lift *l, const struct x86_insn *i)
{
	return offset_at(l, i, 0);
}

static bool needs_segment_check(const struct lift *l, enum x86_seg_index s, enum x86_access a)
{
	if (!(l->mode & X86_MODE_FLAT) || s >= X86_FS)
		return true;
	return s == X86_CS && a == X86_WRITE; /* flat, but never writable */
}

ir_ref lift_seg_linear(struct lift *l, enum x86_seg_index s, ir_ref off, unsigned bytes,
		       enum x86_access a)
{
	ir_ref what;

	if (l->mode & X86_MODE_CODE64) {
		if (s < X86_FS)
			return off;
		return ir_bin(l->b, IR_ADD, off, ir_get(l->b, IR_I64, X86_OFF_SEG_BASE(s)));
	}
	if (!needs_segment_check(l, s, a))
		return off;
	what = lift_imm(l, IR_I64, (uint64_t)s | (uint64_t)a << 8 | (uint64_t)bytes << 16);
	return lift_call(l, &x86_helpers_lift[LIFT_HELPER_SEG_LINEAR], what, off, IR_NONE);
}

ir_ref lift_linear_at(struct lift *l, const struct x86_insn *i, int64_t delta, unsigned bytes,
		      enum x86_access a)
{
	return lift_seg_linear(l, (enum x86_seg_index)i->seg, offset_at(l, i, delta), bytes, a);
}

ir_ref lift_linear(struct lift *l, const struct x86_insn *i, unsigned bytes, enum x86_access a)
{
	return lift_linear_at(l, i, 0, bytes, a);
}

unsigned lift_mem_flags(const struct x86_insn *i, unsigned bytes)
{
	unsigned flags = i->seg == X86_SS ? X86_MEM_STACK : 0;

	if (i->has_vex ? i->row->attr & X86_ALIGNED
		       : bytes == 16 && !(i->row->attr & X86_UNALIGNED))
		flags |= bytes == 32 ? X86_MEM_ALIGN32 : X86_MEM_ALIGN16;
	return flags;
}

static enum ir_type type_of_bytes(unsigned bytes)
{
	return bytes == 16 ? IR_V128 : bytes == 32 ? IR_V256 : ir_int_type(bytes);
}

/* A value just loaded, as its register kind wants it: see lift_read. */
static ir_ref widen_loaded(struct lift *l, const struct x86_opnd *o, ir_ref v)
{
	if (o->reg == X86_OPND_MMX)
		return ir_zext(l->b, IR_I64, v);
	if (o->reg != X86_OPND_VEC || o->bytes >= 16)
		return v;
	if (o->bytes == 8)
		return ir_vop(l->b, VOP_FROM64, 0, v, IR_NONE, IR_NONE);
	return ir_vop(l->b, VOP_FROM32, 0, ir_zext(l->b, IR_I32, v), IR_NONE, IR_NONE);
}

static ir_ref read_memory(struct lift *l, const struct x86_insn *i, const struct x86_opnd *o)
{
	ir_ref addr = lift_linear(l, i, o->bytes, X86_READ);

	return widen_loaded(
		l, o,
		ir_load(l->b, type_of_bytes(o->bytes), addr, l->mmu, lift_mem_flags(i, o->bytes)));
}

ir_ref lift_read(struct lift *l, const struct x86_insn *i, unsigned n)
{
	const struct x86_opnd *o = &i->op[n];

	switch (o->kind) {
	case X86_OPND_GPR:
		return ir_get(l->b, ir_int_type(o->bytes), X86_OFF_GPR(o->reg) + o->high8);
	case X86_OPND_MEM:
		return read_memory(l, i, o);
	case X86_OPND_IMM:
		return lift_imm(l, ir_int_type(o->bytes), (uint64_t)(o->reg ? i->imm2 : i->imm));
	case X86_OPND_VEC:
		return o->bytes == 32 ? ir_get(l->b, IR_V256, X86_OFF_VEC(o->reg))
				      : lift_vec(l, o->reg);
	case X86_OPND_MMX:
		return lift_mmx(l, o->reg);
	case X86_OPND_SEG:
		return ir_get(l->b, IR_I16,
			      X86_OFF(seg) + (uint32_t)(sizeof(struct x86_seg) * o->reg));
	}
	return lift_imm(l, IR_I64, 0); /* other kinds have no value here */
}

/* An integer v as type t. */
static ir_ref convert(struct lift *l, enum ir_type t, ir_ref v, bool is_signed)
{
	if (ir_type_of(l->b, v) > t)
		return ir_trunc(l->b, t, v);
	return is_signed ? ir_sext(l->b, t, v) : ir_zext(l->b, t, v);
}

ir_ref lift_read_zext(struct lift *l, const struct x86_insn *i, unsigned n, enum ir_type t)
{
	return convert(l, t, lift_read(l, i, n), false);
}

ir_ref lift_read_sext(struct lift *l, const struct x86_insn *i, unsigned n, enum ir_type t)
{
	return convert(l, t, lift_read(l, i, n), true);
}

static void write_memory(struct lift *l, const struct x86_insn *i, const struct x86_opnd *o,
			 ir_ref addr, ir_ref v)
{
	if (ir_type_of(l->b, v) == IR_V128 && o->bytes == 8)
		v = ir_vop(l->b, VOP_TO64, 0, v, IR_NONE, IR_NONE);
	else if (ir_type_of(l->b, v) == IR_V128 && o->bytes < 8)
		v = ir_vop(l->b, VOP_TO32, 0, v, IR_NONE, IR_NONE);
	if (o->bytes < 8)
		v = ir_trunc(l->b, ir_int_type(o->bytes), v);
	ir_store(l->b, addr, v, l->mmu, lift_mem_flags(i, o->bytes));
}

static void write_register(struct lift *l, const struct x86_insn *i, const struct x86_opnd *o,
			   ir_ref v)
{
	switch (o->kind) {
	case X86_OPND_GPR:
		if (o->high8)
			ir_put(l->b, X86_OFF_GPR(o->reg) + 1, v);
		else
			lift_set_gpr(l, o->reg, v);
		break;
	case X86_OPND_VEC:
		lift_set_vec_of(l, i, o->reg, v);
		break;
	case X86_OPND_MMX:
		lift_set_mmx(l, o->reg, v);
		break;
	}
}

void lift_write(struct lift *l, const struct x86_insn *i, unsigned n, ir_ref v)
{
	const struct x86_opnd *o = &i->op[n];

	if (o->kind == X86_OPND_MEM)
		write_memory(l, i, o, lift_linear(l, i, o->bytes, X86_WRITE), v);
	else
		write_register(l, i, o, v);
}

struct lift_rmw lift_rmw_begin(struct lift *l, const struct x86_insn *i, unsigned n)
{
	const struct x86_opnd *o = &i->op[n];
	struct lift_rmw m = {.addr = IR_NONE};

	if (o->kind != X86_OPND_MEM) {
		m.old = lift_read(l, i, n);
		return m;
	}
	m.addr = lift_linear(l, i, o->bytes, X86_WRITE);
	m.old = widen_loaded(l, o,
			     ir_load(l->b, type_of_bytes(o->bytes), m.addr, l->mmu,
				     lift_mem_flags(i, o->bytes) | X86_MEM_RMW));
	return m;
}

void lift_rmw_end(struct lift *l, const struct x86_insn *i, unsigned n, struct lift_rmw m, ir_ref v)
{
	if (m.addr == IR_NONE)
		write_register(l, i, &i->op[n], v);
	else
		write_memory(l, i, &i->op[n], m.addr, v);
}
