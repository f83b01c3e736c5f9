/*
 * What all lift functions share: registers, flags, program counters, traps. Operands and addresses
 * are in lift_operand.c, the stack in lift_stack.c, the loop over instructions in lift_block.c.
 */
#include "isa/x86/lift.h"

#include "isa/x86/lift_helpers.h"

ir_ref lift_gpr(struct lift *l, unsigned reg, unsigned bytes)
{
	return ir_get(l->b, ir_int_type(bytes), X86_OFF_GPR(reg));
}

void lift_set_gpr(struct lift *l, unsigned reg, ir_ref v)
{
	if (ir_type_of(l->b, v) == IR_I32)
		v = ir_zext(l->b, IR_I64, v);
	ir_put(l->b, X86_OFF_GPR(reg), v);
}

ir_ref lift_vec(struct lift *l, unsigned reg)
{
	return ir_get(l->b, IR_V128, X86_OFF_VEC(reg));
}

void lift_set_vec(struct lift *l, unsigned reg, ir_ref v)
{
	ir_put(l->b, X86_OFF_VEC(reg), v);
}

void lift_set_vec_of(struct lift *l, const struct x86_insn *i, unsigned reg, ir_ref v)
{
	lift_set_vec(l, reg, i->has_vex ? ir_zext(l->b, IR_V256, v) : v);
}

ir_ref lift_mmx(struct lift *l, unsigned reg)
{
	return ir_get(l->b, IR_I64, X86_OFF_MMX(reg));
}

void lift_set_mmx(struct lift *l, unsigned reg, ir_ref v)
{
	ir_put(l->b, X86_OFF_MMX(reg), v);
	ir_put(l->b, X86_OFF_MMX(reg) + (uint32_t)offsetof(struct x86_fpr, sexp),
	       lift_imm(l, IR_I16, 0xffff));
}

void lift_flags(struct lift *l, enum ir_flags_kind k, enum ir_type t, ir_ref a, ir_ref b, ir_ref c)
{
	ir_put_flags(l->b, ir_make_flags(l->b, k, t, a, b, c));
}

ir_ref lift_cond(struct lift *l, unsigned cond)
{
	return ir_cond(l->b, (enum ir_cond)cond, ir_get_flags(l->b));
}

ir_ref lift_carry(struct lift *l, enum ir_type t)
{
	return ir_zext(l->b, t, lift_cond(l, IR_COND_B));
}

ir_ref lift_packed_flags(struct lift *l)
{
	return ir_pack_flags(l->b, ir_get_flags(l->b));
}

void lift_set_packed_flags(struct lift *l, ir_ref packed)
{
	lift_flags(l, IR_FLAGS_RAW, IR_I64, packed, IR_NONE, IR_NONE);
}

ir_ref lift_wrap(struct lift *l, ir_ref x, unsigned bytes)
{
	if (bytes == 8)
		return x;
	return ir_zext(l->b, IR_I64, ir_trunc(l->b, ir_int_type(bytes), x));
}

/* Offset of the instruction behind i from the block's first PC. */
static int64_t next_delta(const struct x86_insn *i)
{
	return (int64_t)i->pc_offset + i->len;
}

static unsigned pc_bytes(const struct lift *l)
{
	return l->mode & X86_MODE_CODE64 ? 8 : 4;
}

ir_ref lift_next_pc(struct lift *l, const struct x86_insn *i)
{
	return lift_wrap(l, ir_pc(l->b, next_delta(i)), pc_bytes(l));
}

/* Outside 64-bit code a near jump with 16-bit operand size leaves a 16-bit EIP. */
static bool jumps_to_16(const struct lift *l, const struct x86_insn *i)
{
	return i->opsize == 2 && !(l->mode & X86_MODE_CODE64);
}

/* The trace's page that holds this offset, or NULL. */
static struct x86_trace_page *page_at(const struct x86_trace *t, int64_t offset)
{
	for (unsigned k = 0; k < t->page_count; k++)
		if ((uint64_t)(offset - t->page[k].at) < PAGE_BYTES)
			return &t->page[k];
	return NULL;
}

/* Where the path goes at this transfer, from the block's first PC; false if it is used up. */
static bool path_delta(const struct lift *l, int64_t *delta)
{
	const struct x86_trace *t = l->trace;

	if (t->used >= t->path_len || !page_at(t, t->path[t->used]))
		return false;
	*delta = (int64_t)t->path[t->used] - t->start;
	return true;
}

static bool path_goes_to(const struct lift *l, int64_t delta)
{
	int64_t want;

	return path_delta(l, &want) && want == delta;
}

bool lift_go_on(struct lift *l, int64_t delta)
{
	struct x86_trace_page *page = page_at(l->trace, l->trace->start + delta);

	if (!page)
		return false;
	if (page != l->trace->page && !page->hi)
		ir_exit_moved(l->b, delta);
	l->page = page;
	l->pos = (unsigned)(l->trace->start + delta - page->at);
	return true;
}

/* Go on at delta, where the path goes: at the trace's start only if the path knows how from there.
 */
static void path_follow(struct lift *l, int64_t delta)
{
	struct x86_trace *t = l->trace;

	t->used++;
	lift_go_on(l, delta);
	if (delta == 0 && t->used == t->path_len) {
		ir_exit(l->b, 0);
		l->ended = true;
	}
}

/* What waits is looked for there: interrupts, another mode. */
static void end_at(struct lift *l, ir_ref pc)
{
	ir_put(l->b, X86_OFF(rip), pc);
	ir_exit_state(l->b);
	l->ended = true;
}

void lift_jump(struct lift *l, const struct x86_insn *i, int64_t rel)
{
	int64_t delta = (int64_t)((uint64_t)next_delta(i) + (uint64_t)rel);

	if (jumps_to_16(l, i)) {
		lift_jump_indirect(l, lift_wrap(l, ir_pc(l->b, delta), 2));
	} else if (l->in_shadow) {
		end_at(l, lift_wrap(l, ir_pc(l->b, delta), pc_bytes(l)));
	} else if (path_goes_to(l, delta)) {
		path_follow(l, delta);
	} else {
		ir_exit(l->b, delta);
		l->ended = true;
	}
}

void lift_jump_if(struct lift *l, const struct x86_insn *i, ir_ref cond, int64_t rel)
{
	int64_t next = next_delta(i), delta = (int64_t)((uint64_t)next + (uint64_t)rel);

	if (jumps_to_16(l, i)) {
		ir_ref to = lift_wrap(l, ir_pc(l->b, delta), 2);

		lift_jump_indirect(l, ir_select(l->b, cond, to, lift_next_pc(l, i)));
	} else if (path_goes_to(l, delta)) {
		ir_exit_if(l->b, ir_bin_imm(l->b, IR_XOR, cond, 1), next);
		path_follow(l, delta);
	} else if (path_goes_to(l, next)) {
		ir_exit_if(l->b, cond, delta);
		path_follow(l, next);
	} else {
		ir_exit_if(l->b, cond, delta);
		ir_exit(l->b, next);
		l->ended = true;
	}
}

void lift_jump_indirect(struct lift *l, ir_ref pc)
{
	int64_t delta;

	if (l->in_shadow) {
		end_at(l, pc);
	} else if (path_delta(l, &delta)) {
		ir_exit_unless(l->b, pc, delta);
		path_follow(l, delta);
	} else {
		ir_exit_indirect(l->b, pc);
		l->ended = true;
	}
}

void lift_end_next(struct lift *l, const struct x86_insn *i)
{
	end_at(l, lift_next_pc(l, i));
}

ir_ref lift_call(struct lift *l, const struct ir_helper *h, ir_ref a, ir_ref b, ir_ref c)
{
	return ir_call(l->b, h, a, b, c);
}

void lift_call_end(struct lift *l, const struct ir_helper *h, ir_ref a, ir_ref b, ir_ref c)
{
	ir_call(l->b, h, a, b, c);
	ir_exit_state(l->b);
	l->ended = true;
}

static void lift_raise(struct lift *l, enum x86_vector v, bool has_error, uint32_t error)
{
	ir_ref what = lift_imm(l, IR_I64, (uint64_t)v | (uint64_t)has_error << 8);

	lift_call_end(l, &x86_helpers_lift[LIFT_HELPER_RAISE], what, lift_imm(l, IR_I64, error),
		      IR_NONE);
}

void lift_fault(struct lift *l, enum x86_vector v)
{
	lift_raise(l, v, false, 0);
}

void lift_fault_error(struct lift *l, enum x86_vector v, uint32_t error)
{
	lift_raise(l, v, true, error);
}
