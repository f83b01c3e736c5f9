/*
 * Near control transfers: JMP CALL RET Jcc LOOPcc JrCXZ, and the opcodes kept undefined (UD0 UD1
 * UD2). SDM vol. 2; far transfers are segment loads and elsewhere.
 *
 * In 64-bit code the operand size is 64 whatever the prefixes (Intel's choice; AMD lets 66
 * truncate). A target that is not canonical or beyond the CS limit faults when it is fetched, with
 * RIP already at the target and the stack push or pop before it done. Processors fault at the branch;
 * the check would cost every indirect branch something, and only the reported RIP tells.
 */
#include "isa/x86/families.h"
#include "isa/x86/lift.h"

static void lift_near_jump(struct lift *l, const struct x86_insn *i)
{
	lift_jump(l, i, i->imm);
}

static void lift_near_jump_to(struct lift *l, const struct x86_insn *i)
{
	lift_jump_indirect(l, lift_read_zext(l, i, 0, IR_I64));
}

static void push_return(struct lift *l, const struct x86_insn *i)
{
	ir_ref next = ir_trunc(l->b, ir_int_type(i->opsize), lift_next_pc(l, i));

	lift_set_sp(l, lift_push(l, lift_sp(l), next));
}

static void lift_near_call(struct lift *l, const struct x86_insn *i)
{
	push_return(l, i);
	lift_jump(l, i, i->imm);
}

static void lift_near_call_to(struct lift *l, const struct x86_insn *i)
{
	ir_ref to = lift_read_zext(l, i, 0, IR_I64);

	push_return(l, i);
	lift_jump_indirect(l, to);
}

static void lift_near_ret(struct lift *l, const struct x86_insn *i)
{
	ir_ref sp, to = lift_pop(l, lift_sp(l), ir_int_type(i->opsize), &sp);

	if (i->op_count)
		sp = ir_bin_imm(l->b, IR_ADD, sp, (uint64_t)i->imm & 0xffff);
	lift_set_sp(l, sp);
	lift_jump_indirect(l, ir_zext(l->b, IR_I64, to));
}

static void lift_jcc(struct lift *l, const struct x86_insn *i)
{
	lift_jump_if(l, i, lift_cond(l, i->cond), i->imm);
}

static void lift_jrcxz(struct lift *l, const struct x86_insn *i)
{
	ir_ref count = lift_gpr(l, X86_RCX, i->addrsize);

	lift_jump_if(l, i, ir_cmp(l->b, IR_EQ, count, lift_imm(l, ir_int_type(i->addrsize), 0)),
		     i->imm);
}

enum { LOOP_NE = IR_COND_NE, LOOP_E = IR_COND_E, LOOP_ALWAYS = 16 };

static void lift_loop(struct lift *l, const struct x86_insn *i)
{
	ir_ref count = ir_bin_imm(l->b, IR_SUB, lift_gpr(l, X86_RCX, i->addrsize), 1), again;

	again = ir_cmp(l->b, IR_NE, count, lift_imm(l, ir_int_type(i->addrsize), 0));
	if (i->row->arg != LOOP_ALWAYS)
		again = ir_bin(l->b, IR_AND, again, lift_cond(l, i->row->arg));
	lift_set_gpr(l, X86_RCX, count);
	lift_jump_if(l, i, again, i->imm);
}

static void lift_undefined(struct lift *l, const struct x86_insn *i)
{
	lift_fault(l, X86_FAULT_UD);
}

#define NEAR	   (X86_FORCE64 | X86_ENDS)
#define ALWAYS	   (NEAR | X86_JUMPS)
#define COND_FLAGS (X86_CF | X86_PF | X86_ZF | X86_SF | X86_OF)

/* clang-format off */
const struct x86_row x86_rows_control[] = {
	X86("EB", "Jb", X86_FEAT_BASE, 0, 0, 0, lift_near_jump, "jmp", ALWAYS, 0),
	X86("E9", "Jz", X86_FEAT_BASE, 0, 0, 0, lift_near_jump, "jmp", ALWAYS, 0),
	X86("FF /4", "Ev", X86_FEAT_BASE, 0, 0, 0, lift_near_jump_to, "jmp", ALWAYS, 0),
	X86("E8", "Jz", X86_FEAT_BASE, 0, 0, 0, lift_near_call, "call", ALWAYS, 0),
	X86("FF /2", "Ev", X86_FEAT_BASE, 0, 0, 0, lift_near_call_to, "call", ALWAYS, 0),
	X86("C3", "", X86_FEAT_BASE, 0, 0, 0, lift_near_ret, "ret", ALWAYS, 0),
	X86("C2", "Iw", X86_FEAT_BASE, 0, 0, 0, lift_near_ret, "ret", ALWAYS, 0),
	X86("70+c", "Jb", X86_FEAT_BASE, COND_FLAGS, 0, 0, lift_jcc, "j%c", NEAR, 0),
	X86("0F 80+c", "Jz", X86_FEAT_BASE, COND_FLAGS, 0, 0, lift_jcc, "j%c", NEAR, 0),
	X86("E0", "Jb", X86_FEAT_BASE, X86_ZF, 0, 0, lift_loop, "loopne", NEAR, LOOP_NE),
	X86("E1", "Jb", X86_FEAT_BASE, X86_ZF, 0, 0, lift_loop, "loope", NEAR, LOOP_E),
	X86("E2", "Jb", X86_FEAT_BASE, 0, 0, 0, lift_loop, "loop", NEAR, LOOP_ALWAYS),
	X86("E3", "Jb", X86_FEAT_BASE, 0, 0, 0, lift_jrcxz, "jrcxz", NEAR, 0),
	X86("0F 0B", "", X86_FEAT_BASE, 0, 0, 0, lift_undefined, "ud2", X86_ENDS, 0),
	X86("0F B9 /r", "Gv,Ev", X86_FEAT_BASE, 0, 0, 0, lift_undefined, "ud1", X86_ENDS, 0),
	X86("0F FF /r", "Gv,Ev", X86_FEAT_BASE, 0, 0, 0, lift_undefined, "ud0", X86_ENDS, 0),
	X86_ROWS_END,
};
/* clang-format on */
