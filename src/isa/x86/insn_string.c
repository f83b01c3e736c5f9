/*
 * MOVS CMPS STOS LODS SCAS, alone and repeated. SDM vol. 2 and vol. 1, 7.3.9.
 *
 * A single one is IR. A repeated one is a call of a helper (string.c) that does a bounded amount of
 * work; unfinished, the block is left for the same instruction again, so that interrupts get in.
 */
#include "isa/x86/families.h"
#include "isa/x86/lift.h"
#include "isa/x86/mmu.h"
#include "isa/x86/string.h"

static unsigned elem_bytes(const struct x86_insn *i)
{
	return i->opcode & 1 ? i->opsize : 1;
}

/* The source's segment can be overridden, the destination's is always ES. */
static enum x86_seg_index source_seg(const struct x86_insn *i)
{
	return (enum x86_seg_index)(i->seg_override == X86_SEG_NONE ? X86_DS : i->seg_override);
}

static ir_ref string_linear(struct lift *l, const struct x86_insn *i, unsigned reg,
			    enum x86_access a)
{
	enum x86_seg_index s = reg == X86_RDI ? X86_ES : source_seg(i);
	ir_ref off = ir_zext(l->b, IR_I64, lift_gpr(l, reg, i->addrsize));

	return lift_seg_linear(l, s, off, elem_bytes(i), a);
}

static ir_ref string_load(struct lift *l, const struct x86_insn *i, unsigned reg)
{
	ir_ref addr = string_linear(l, i, reg, X86_READ);
	unsigned flags = reg == X86_RSI && source_seg(i) == X86_SS ? X86_MEM_STACK : 0;

	return ir_load(l->b, ir_int_type(elem_bytes(i)), addr, l->mmu, flags);
}

/* Move an index register by one element, up or down as DF says. */
static void string_step(struct lift *l, const struct x86_insn *i, unsigned reg)
{
	struct ir_block *b = l->b;
	enum ir_type t = ir_int_type(i->addrsize);
	ir_ref df = ir_bin_imm(b, IR_AND, ir_get(b, IR_I64, X86_OFF(rflags)), X86_DF);
	ir_ref is_down = ir_cmp(b, IR_NE, df, lift_imm(l, IR_I64, 0));
	ir_ref down = lift_imm(l, t, -(uint64_t)elem_bytes(i));
	ir_ref step = ir_select(b, is_down, down, lift_imm(l, t, elem_bytes(i)));

	lift_set_gpr(l, reg, ir_bin(b, IR_ADD, lift_gpr(l, reg, i->addrsize), step));
}

static void string_repeat(struct lift *l, const struct x86_insn *i)
{
	uint64_t arg = x86_string_arg(elem_bytes(i), i->addrsize, source_seg(i), i->repne);
	ir_ref done = lift_call(l, &x86_helpers_string[i->row->arg], lift_imm(l, IR_I64, arg),
				IR_NONE, IR_NONE);

	ir_exit_if(l->b, ir_cmp(l->b, IR_EQ, done, lift_imm(l, IR_I64, 0)), i->pc_offset);
}

static void string_once(struct lift *l, const struct x86_insn *i)
{
	unsigned bytes = elem_bytes(i);
	enum ir_type t = ir_int_type(bytes);
	ir_ref x, y;

	switch (i->row->arg) {
	case X86_STRING_MOVS:
		x = string_load(l, i, X86_RSI);
		ir_store(l->b, string_linear(l, i, X86_RDI, X86_WRITE), x, l->mmu, 0);
		break;
	case X86_STRING_CMPS:
		x = string_load(l, i, X86_RSI);
		y = string_load(l, i, X86_RDI);
		lift_flags(l, IR_FLAGS_SUB, t, x, y, IR_NONE);
		break;
	case X86_STRING_STOS:
		x = lift_gpr(l, X86_RAX, bytes);
		ir_store(l->b, string_linear(l, i, X86_RDI, X86_WRITE), x, l->mmu, 0);
		break;
	case X86_STRING_LODS:
		lift_set_gpr(l, X86_RAX, string_load(l, i, X86_RSI));
		break;
	case X86_STRING_SCAS:
		x = lift_gpr(l, X86_RAX, bytes);
		y = string_load(l, i, X86_RDI);
		lift_flags(l, IR_FLAGS_SUB, t, x, y, IR_NONE);
		break;
	}
}

static void lift_string(struct lift *l, const struct x86_insn *i)
{
	unsigned op = i->row->arg;

	if (i->rep || i->repne) {
		string_repeat(l, i);
		return;
	}
	string_once(l, i);
	if (op != X86_STRING_STOS && op != X86_STRING_SCAS)
		string_step(l, i, X86_RSI);
	if (op != X86_STRING_LODS)
		string_step(l, i, X86_RDI);
}

#define ALL X86_ARITH_FLAGS
#define REP X86_REPPABLE

/* clang-format off */
const struct x86_row x86_rows_string[] = {
	X86("A4", "Yb,Xb", X86_FEAT_BASE, X86_DF, 0, 0, lift_string, "movs", REP, X86_STRING_MOVS),
	X86("A5", "Yv,Xv", X86_FEAT_BASE, X86_DF, 0, 0, lift_string, "movs", REP, X86_STRING_MOVS),
	X86("A6", "Xb,Yb", X86_FEAT_BASE, X86_DF, ALL, 0, lift_string, "cmps", REP, X86_STRING_CMPS),
	X86("A7", "Xv,Yv", X86_FEAT_BASE, X86_DF, ALL, 0, lift_string, "cmps", REP, X86_STRING_CMPS),
	X86("AA", "Yb,AL", X86_FEAT_BASE, X86_DF, 0, 0, lift_string, "stos", REP, X86_STRING_STOS),
	X86("AB", "Yv,RAX_v", X86_FEAT_BASE, X86_DF, 0, 0, lift_string, "stos", REP, X86_STRING_STOS),
	X86("AC", "AL,Xb", X86_FEAT_BASE, X86_DF, 0, 0, lift_string, "lods", REP, X86_STRING_LODS),
	X86("AD", "RAX_v,Xv", X86_FEAT_BASE, X86_DF, 0, 0, lift_string, "lods", REP, X86_STRING_LODS),
	X86("AE", "AL,Yb", X86_FEAT_BASE, X86_DF, ALL, 0, lift_string, "scas", REP, X86_STRING_SCAS),
	X86("AF", "RAX_v,Yv", X86_FEAT_BASE, X86_DF, ALL, 0, lift_string, "scas", REP, X86_STRING_SCAS),
	X86_ROWS_END,
};
/* clang-format on */
