/* Stack accesses: at the stack-address size (SDM vol. 1, 6.2.5), RSP changed only at the end. */
#include "isa/x86/lift.h"

static unsigned stack_bytes(const struct lift *l)
{
	if (l->mode & X86_MODE_CODE64)
		return 8;
	return l->mode & X86_MODE_STACK32 ? 4 : 2;
}

ir_ref lift_sp(struct lift *l)
{
	return ir_zext(l->b, IR_I64, lift_gpr(l, X86_RSP, stack_bytes(l)));
}

ir_ref lift_push(struct lift *l, ir_ref sp, ir_ref v)
{
	unsigned bytes = ir_type_bytes(ir_type_of(l->b, v));
	ir_ref top = lift_wrap(l, ir_bin_imm(l->b, IR_SUB, sp, bytes), stack_bytes(l));

	ir_store(l->b, lift_seg_linear(l, X86_SS, top, bytes, X86_WRITE), v, l->mmu, X86_MEM_STACK);
	return top;
}

ir_ref lift_pop(struct lift *l, ir_ref sp, enum ir_type t, ir_ref *new_sp)
{
	unsigned bytes = ir_type_bytes(t);
	ir_ref addr = lift_seg_linear(l, X86_SS, sp, bytes, X86_READ);
	ir_ref v = ir_load(l->b, t, addr, l->mmu, X86_MEM_STACK);

	*new_sp = lift_wrap(l, ir_bin_imm(l->b, IR_ADD, sp, bytes), stack_bytes(l));
	return v;
}

void lift_set_sp(struct lift *l, ir_ref sp)
{
	lift_set_gpr(l, X86_RSP, ir_trunc(l->b, ir_int_type(stack_bytes(l)), sp));
}
