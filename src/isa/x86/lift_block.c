/*
 * The loop from bytes to a block: decode, the checks that depend only on row and mode, lift.
 * The order of checks follows SDM vol. 3, table 6-2: #UD before #NM, #MF and #GP.
 * CR0.NE = 0 (x87 errors through IRQ 13) is taken as NE = 1: #MF.
 */
#include "isa/x86/lift.h"

enum {
	/* Stop a block when fewer operations than this are free: no instruction needs more. */
	BLOCK_RESERVE = 256,
	MODE_SINGLE = X86_MODE_TF | X86_MODE_SHADOW | X86_MODE_BREAK | X86_MODE_RF,
};

static bool mode_is_ud(x86_mode_t mode, const struct x86_insn *i)
{
	uint32_t attr = i->row->attr;

	if ((attr & X86_NOT_REAL) && (!(mode & X86_MODE_PE) || (mode & X86_MODE_VM)))
		return true;
	if ((attr & X86_IS_MMX) && (mode & X86_MODE_MMX_UD))
		return true;
	if (i->has_vex)
		return (attr & X86_IS_SSE) && (mode & X86_MODE_AVX_UD);
	return (attr & X86_IS_SSE) && (mode & X86_MODE_SSE_UD);
}

/* Raise what row and mode alone decide; true if something was raised. */
static bool gate(struct lift *l, const struct x86_insn *i)
{
	uint32_t attr = i->row->attr;

	if (mode_is_ud(l->mode, i)) {
		lift_fault(l, X86_FAULT_UD);
	} else if ((attr & X86_PRIV) && x86_mode_cpl(l->mode) != 0) {
		lift_fault_error(l, X86_FAULT_GP, 0);
	} else if ((attr & (X86_IS_X87 | X86_IS_MMX | X86_IS_SSE)) &&
		   (l->mode & X86_MODE_FPU_TRAP)) {
		lift_fault(l, X86_FAULT_NM);
	} else if ((attr & (X86_IS_X87 | X86_IS_MMX)) && !(attr & X86_NOWAIT) &&
		   (l->mode & X86_MODE_X87_PENDING)) {
		lift_fault(l, X86_FAULT_MF);
	} else {
		return false;
	}
	return true;
}

static void lift_one(struct lift *l, const struct x86_insn *i, enum x86_decode_result r)
{
	ir_guest(l->b, (uint32_t)i->pc_offset, i->len);
	if (r == X86_DECODE_UD)
		lift_fault(l, X86_FAULT_UD);
	else if (r == X86_DECODE_TOO_LONG)
		lift_fault_error(l, X86_FAULT_GP, 0);
	else if (!gate(l, i))
		i->row->lift(l, i);
}

static bool block_is_full(const struct ir_block *b)
{
	return b->overflow || b->count + BLOCK_RESERVE > b->cap ||
	       b->count + BLOCK_RESERVE > IR_BLOCK_MAX;
}

enum x86_decode_result x86_lift_block(const struct x86_decoder *d, const uint8_t *bytes,
				      unsigned avail, x86_mode_t mode,
				      const struct x86_cpuid_model *model, unsigned max_guest,
				      struct ir_block *out)
{
	struct lift l = {.b = out, .mode = mode, .model = model, .mmu = x86_mode_mmu(mode)};
	unsigned pos = 0, n = 0;
	struct x86_insn i;

	if (max_guest > IR_BLOCK_GUEST_MAX)
		max_guest = IR_BLOCK_GUEST_MAX;
	if (mode & MODE_SINGLE)
		max_guest = 1;
	do {
		enum x86_decode_result r = x86_decode(d, bytes + pos, avail - pos, mode, model, &i);

		if (r == X86_DECODE_MORE && n == 0)
			return r;
		if (r == X86_DECODE_MORE ||
		    (r == X86_DECODE_OK && n > 0 && (i.row->attr & X86_STARTS)))
			break;
		i.pc_offset = pos;
		lift_one(&l, &i, r);
		pos += i.len;
		n++;
	} while (!l.ended && n < max_guest && !block_is_full(out));
	if (!l.ended)
		ir_exit(out, pos);
	return X86_DECODE_OK;
}
