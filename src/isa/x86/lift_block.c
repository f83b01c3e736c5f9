/*
 * The loop from bytes to a block or a trace: decode, the checks that depend only on row and mode,
 * lift. The order of checks follows SDM vol. 3, table 6-2: #UD before #NM, #MF and #GP. CR0.NE = 0
 * (x87 errors through IRQ 13) is taken as NE = 1: #MF.
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

static bool mode_is_nm(x86_mode_t mode, uint32_t attr)
{
	if (!(attr & (X86_IS_X87 | X86_IS_MMX | X86_IS_SSE)))
		return false;
	return (mode & X86_MODE_FPU_TRAP) || ((attr & X86_IS_X87) && (mode & X86_MODE_MMX_UD));
}

/* Raise what row and mode alone decide; true if something was raised. */
static bool gate(struct lift *l, const struct x86_insn *i)
{
	uint32_t attr = i->row->attr;

	if (mode_is_ud(l->mode, i)) {
		lift_fault(l, X86_FAULT_UD);
	} else if ((attr & X86_PRIV) && x86_mode_cpl(l->mode) != 0) {
		lift_fault_error(l, X86_FAULT_GP, 0);
	} else if (mode_is_nm(l->mode, attr)) {
		lift_fault(l, X86_FAULT_NM);
	} else if ((attr & (X86_IS_X87 | X86_IS_MMX)) && !(attr & X86_NOWAIT) &&
		   (l->mode & X86_MODE_X87_PENDING)) {
		lift_fault(l, X86_FAULT_MF);
	} else {
		return false;
	}
	return true;
}

static bool block_has_room(const struct ir_block *b, unsigned ops)
{
	return !b->overflow && b->count + ops <= b->cap && b->count + ops <= IR_BLOCK_MAX;
}

static bool fits_shadow(uint32_t attr)
{
	if (attr & (X86_STARTS | X86_REPPABLE))
		return false;
	return !(attr & X86_ENDS) || (attr & X86_JUMPS);
}

bool lift_next_fits_shadow(const struct lift *l)
{
	struct x86_insn i;

	return l->left && block_has_room(l->b, 2 * BLOCK_RESERVE) &&
	       x86_decode(l->decoder, l->page->bytes + l->pos, l->end - l->pos, l->mode, l->model,
			  &i) == X86_DECODE_OK &&
	       fits_shadow(i.row->attr);
}

static void lift_one(struct lift *l, const struct x86_insn *i, enum x86_decode_result r)
{
	ir_guest(l->b, i->pc_offset, i->len);
	if (r == X86_DECODE_UD)
		lift_fault(l, X86_FAULT_UD);
	else if (r == X86_DECODE_TOO_LONG)
		lift_fault_error(l, X86_FAULT_GP, 0);
	else if (!gate(l, i))
		i->row->lift(l, i);
}

static void note_bytes(struct x86_trace_page *p, unsigned from, unsigned to)
{
	p->lo = from < p->lo || !p->hi ? from : p->lo;
	p->hi = to > p->hi ? to : p->hi;
}

/* Offset of what comes next from the block's first PC. */
static int64_t delta_of(const struct lift *l)
{
	return (int64_t)l->page->at + l->pos - l->trace->start;
}

/* Nothing of the path is left to say what follows the trace's start. */
static bool back_at_start(const struct lift *l)
{
	return delta_of(l) == 0 && l->trace->used >= l->trace->path_len;
}

/* The instructions of t, of whose pages `end` bytes are there. */
static enum x86_decode_result lift_all(const struct x86_decoder *d, struct x86_trace *t,
				       unsigned end, x86_mode_t mode,
				       const struct x86_cpuid_model *model, unsigned max_guest,
				       struct ir_block *out)
{
	struct lift l = {.b = out,
			 .mode = mode,
			 .model = model,
			 .mmu = x86_mode_mmu(mode),
			 .trace = t,
			 .page = t->page,
			 .pos = t->start,
			 .end = end,
			 .decoder = d};
	unsigned n = 0;
	struct x86_insn i;

	do {
		enum x86_decode_result r;

		if (l.pos == PAGE_BYTES && n > 0 && !lift_go_on(&l, delta_of(&l)))
			break;
		r = x86_decode(d, l.page->bytes + l.pos, end - l.pos, mode, model, &i);
		if (r == X86_DECODE_MORE && n == 0)
			return r;
		if (r == X86_DECODE_MORE ||
		    (r == X86_DECODE_OK && n > 0 && (i.row->attr & X86_STARTS)))
			break;
		i.pc_offset = (int32_t)delta_of(&l);
		note_bytes(l.page, l.pos, l.pos + i.len);
		l.pos += i.len;
		l.left = max_guest - ++n;
		bool in_shadow = l.in_shadow;
		lift_one(&l, &i, r);
		if (in_shadow && !l.ended)
			lift_end_next(&l, &i);
	} while (!l.ended && (l.in_shadow || (n < max_guest && block_has_room(out, BLOCK_RESERVE) &&
					      !back_at_start(&l))));
	if (!l.ended)
		ir_exit(out, delta_of(&l));
	return X86_DECODE_OK;
}

static unsigned limit_guest(unsigned max_guest, x86_mode_t mode)
{
	if (mode & MODE_SINGLE)
		return 1;
	return max_guest < IR_BLOCK_GUEST_MAX ? max_guest : IR_BLOCK_GUEST_MAX;
}

enum x86_decode_result x86_lift_block(const struct x86_decoder *d, const uint8_t *bytes,
				      unsigned avail, x86_mode_t mode,
				      const struct x86_cpuid_model *model, unsigned max_guest,
				      struct ir_block *out)
{
	struct x86_trace_page page = {.bytes = bytes};
	struct x86_trace t = {.page = &page, .page_count = 1};

	return lift_all(d, &t, avail, mode, model, limit_guest(max_guest, mode), out);
}

enum x86_decode_result x86_lift_trace(const struct x86_decoder *d, struct x86_trace *trace,
				      x86_mode_t mode, const struct x86_cpuid_model *model,
				      unsigned max_guest, struct ir_block *out)
{
	unsigned path_len = trace->path_len;
	enum x86_decode_result r;

	if (mode & MODE_SINGLE)
		trace->path_len = 0;
	trace->used = 0;
	for (unsigned k = 0; k < trace->page_count; k++)
		trace->page[k].lo = trace->page[k].hi = 0;
	r = lift_all(d, trace, PAGE_BYTES, mode, model, limit_guest(max_guest, mode), out);
	trace->path_len = path_len;
	return r;
}
