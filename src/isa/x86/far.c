/*
 * Far jumps, calls and returns: direct, through call gates, and to tasks. SDM vol. 2, JMP, CALL,
 * RET; vol. 3, 5.8. Every check and memory access comes before the first change of CPU state.
 */
#include "isa/x86/segment.h"

#include "isa/x86/descriptor.h"
#include "isa/x86/mode.h"
#include "isa/x86/stack.h"

/* Where a transfer goes, once checked: the code segment as it will be loaded, and its offset. */
struct target {
	struct x86_seg cs;
	uint64_t rip;
};

static uint64_t offset_wrap(uint64_t off, unsigned opsize)
{
	return off & bits_mask(opsize * 8);
}

static void target_commit(struct x86_cpu *cpu, const struct target *t)
{
	cpu->seg[X86_CS] = t->cs;
	cpu->rip = t->rip;
	x86_mode_update(cpu);
}

/* Real and virtual-8086 mode. */
static bool jump_real(struct x86_cpu *cpu, uint16_t sel, uint64_t off, unsigned opsize)
{
	off = offset_wrap(off, opsize);
	if (off > cpu->seg[X86_CS].limit)
		return x86_fault_raise_error(cpu, X86_FAULT_GP, 0);
	x86_seg_load_real(cpu, X86_CS, sel);
	cpu->rip = off;
	x86_mode_update(cpu);
	return true;
}

/* Finish checking code segment e for running at cpl from off, and fill t. */
static bool target_make(struct x86_cpu *cpu, struct x86_entry *e, uint64_t off, unsigned cpl,
			struct target *t)
{
	if (!x86_desc_present(e->d))
		return x86_fault_sel(cpu, X86_FAULT_NP, e->sel);
	t->cs = x86_entry_seg(e);
	t->cs.attr |= X86_SEG_ACCESSED;
	t->cs.sel = (e->sel & ~3u) | cpl;
	t->rip = off;
	return x86_code_offset_check(cpu, &t->cs, off) && x86_entry_access(cpu, e);
}

/* A code segment named directly: the CPL stays. */
static bool target_direct(struct x86_cpu *cpu, struct x86_entry *e, uint64_t off, struct target *t)
{
	unsigned cpl = x86_cpl(cpu), dpl = x86_desc_dpl(e->d);
	bool allowed = x86_desc_conforming(e->d) ? dpl <= cpl : dpl == cpl && (e->sel & 3u) <= cpl;

	if (!x86_entry_is_code(cpu, e) || !allowed)
		return x86_fault_sel(cpu, X86_FAULT_GP, e->sel);
	return target_make(cpu, e, off, cpl, t);
}

/* A system descriptor may be used: privilege and presence. */
static bool gate_usable(struct x86_cpu *cpu, const struct x86_entry *e)
{
	unsigned dpl = x86_desc_dpl(e->d);

	if (dpl < x86_cpl(cpu) || dpl < (e->sel & 3u))
		return x86_fault_sel(cpu, X86_FAULT_GP, e->sel);
	return x86_desc_present(e->d) ? true : x86_fault_sel(cpu, X86_FAULT_NP, e->sel);
}

/* The code segment and offset a call gate names; *code is its entry. */
static bool gate_target(struct x86_cpu *cpu, struct x86_entry *gate, struct x86_entry *code,
			uint64_t *off)
{
	bool wide = x86_desc_type(gate->d) == X86_TYPE_CALL32;

	if (!gate_usable(cpu, gate))
		return false;
	if (x86_long_mode(cpu) && !x86_entry_read_high(cpu, X86_FAULT_GP, gate))
		return false;
	*off = x86_gate_offset(gate->d, wide) | (uint64_t)gate->high.lo << 32;
	if (!x86_entry_read(cpu, x86_gate_sel(gate->d), X86_FAULT_GP, code))
		return false;
	if (!x86_entry_is_code(cpu, code) || x86_desc_dpl(code->d) > x86_cpl(cpu) ||
	    (x86_long_mode(cpu) && !x86_desc_long(code->d)))
		return x86_fault_sel(cpu, X86_FAULT_GP, code->sel);
	return true;
}

static bool jump_gate(struct x86_cpu *cpu, struct x86_entry *gate)
{
	struct x86_entry code;
	struct target t;
	uint64_t off;

	if (!gate_target(cpu, gate, &code, &off))
		return false;
	if (!x86_desc_conforming(code.d) && x86_desc_dpl(code.d) != x86_cpl(cpu))
		return x86_fault_sel(cpu, X86_FAULT_GP, code.sel);
	if (!target_make(cpu, &code, off, x86_cpl(cpu), &t))
		return false;
	target_commit(cpu, &t);
	return true;
}

/* Push the return address with words of size bytes. */
static bool push_return(struct x86_stack *s, unsigned bytes, uint64_t next_rip)
{
	return x86_stack_push(s, bytes, s->cpu->seg[X86_CS].sel) &&
	       x86_stack_push(s, bytes, next_rip);
}

/* Call to more privilege: new stack with the old one's pointer and the gate's parameters. */
static bool call_inner(struct x86_cpu *cpu, struct x86_entry *gate, struct x86_entry *code,
		       uint64_t off, unsigned bytes, uint64_t next_rip)
{
	unsigned cpl = x86_desc_dpl(code->d), params = bytes == 8 ? 0 : gate->d.hi & 31;
	struct x86_stack old, s;
	struct target t;
	uint64_t v;

	x86_stack_current(&old, cpu);
	if (!target_make(cpu, code, off, cpl, &t) || !x86_stack_inner(&s, cpu, cpl, 0) ||
	    !x86_stack_push(&s, bytes, cpu->seg[X86_SS].sel) ||
	    !x86_stack_push(&s, bytes, cpu->gpr[X86_RSP]))
		return false;
	while (params--) {
		if (!x86_stack_peek(&old, (uint64_t)params * bytes, bytes, &v) ||
		    !x86_stack_push(&s, bytes, v))
			return false;
	}
	if (!push_return(&s, bytes, next_rip))
		return false;
	x86_stack_enter(&s);
	target_commit(cpu, &t);
	return true;
}

static bool call_same(struct x86_cpu *cpu, const struct target *t, unsigned bytes,
		      uint64_t next_rip)
{
	struct x86_stack s;

	x86_stack_current(&s, cpu);
	/* A gate from compatibility mode into 64-bit code pushes on a 64-bit stack. */
	if (x86_long_mode(cpu) && (t->cs.attr & X86_SEG_L)) {
		s.wide = true;
		s.mask = ~0ull;
	}
	if (!push_return(&s, bytes, next_rip))
		return false;
	x86_stack_commit(&s);
	target_commit(cpu, t);
	return true;
}

static bool call_gate(struct x86_cpu *cpu, struct x86_entry *gate, uint64_t next_rip)
{
	unsigned bytes = x86_long_mode(cpu) ? 8 : x86_desc_type(gate->d) == X86_TYPE_CALL32 ? 4 : 2;
	struct x86_entry code;
	struct target t;
	uint64_t off;

	if (!gate_target(cpu, gate, &code, &off))
		return false;
	if (!x86_desc_conforming(code.d) && x86_desc_dpl(code.d) < x86_cpl(cpu))
		return call_inner(cpu, gate, &code, off, bytes, next_rip);
	return target_make(cpu, &code, off, x86_cpl(cpu), &t) &&
	       call_same(cpu, &t, bytes, next_rip);
}

/* Jump or call to a system descriptor: call gate, task gate or TSS. */
static bool transfer_system(struct x86_cpu *cpu, struct x86_entry *e, bool call, uint64_t next_rip)
{
	enum x86_task_reason why = call ? X86_TASK_CALL : X86_TASK_JMP;
	unsigned type = x86_desc_type(e->d);

	if (type == X86_TYPE_CALL32 || (type == X86_TYPE_CALL16 && !x86_long_mode(cpu)))
		return call ? call_gate(cpu, e, next_rip) : jump_gate(cpu, e);
	if (x86_long_mode(cpu))
		return x86_fault_sel(cpu, X86_FAULT_GP, e->sel);
	switch (type) {
	case X86_TYPE_TASK_GATE:
		return gate_usable(cpu, e) &&
		       x86_task_switch(cpu, x86_gate_sel(e->d), why, next_rip, false, 0);
	case X86_TYPE_TSS16:
	case X86_TYPE_TSS32:
		return gate_usable(cpu, e) && x86_task_switch(cpu, e->sel, why, next_rip, false, 0);
	default:
		return x86_fault_sel(cpu, X86_FAULT_GP, e->sel);
	}
}

bool x86_far_jump(struct x86_cpu *cpu, uint16_t sel, uint64_t off, unsigned opsize,
		  uint64_t next_rip)
{
	struct x86_entry e;
	struct target t;

	if (!x86_protected(cpu))
		return jump_real(cpu, sel, off, opsize);
	if (!x86_entry_read(cpu, sel, X86_FAULT_GP, &e))
		return false;
	if (!x86_desc_is_segment(e.d))
		return transfer_system(cpu, &e, false, next_rip);
	if (!target_direct(cpu, &e, offset_wrap(off, opsize), &t))
		return false;
	target_commit(cpu, &t);
	return true;
}

static bool call_real(struct x86_cpu *cpu, uint16_t sel, uint64_t off, unsigned opsize,
		      uint64_t next_rip)
{
	struct x86_stack s;

	x86_stack_current(&s, cpu);
	if (!push_return(&s, opsize, next_rip) || !jump_real(cpu, sel, off, opsize))
		return false;
	x86_stack_commit(&s);
	return true;
}

bool x86_far_call(struct x86_cpu *cpu, uint16_t sel, uint64_t off, unsigned opsize,
		  uint64_t next_rip)
{
	struct x86_stack s;
	struct x86_entry e;
	struct target t;

	if (!x86_protected(cpu))
		return call_real(cpu, sel, off, opsize, next_rip);
	if (!x86_entry_read(cpu, sel, X86_FAULT_GP, &e))
		return false;
	if (!x86_desc_is_segment(e.d))
		return transfer_system(cpu, &e, true, next_rip);
	x86_stack_current(&s, cpu);
	if (!target_direct(cpu, &e, offset_wrap(off, opsize), &t) ||
	    !push_return(&s, opsize, next_rip))
		return false;
	x86_stack_commit(&s);
	target_commit(cpu, &t);
	return true;
}

bool x86_return_target(struct x86_cpu *cpu, uint16_t sel, uint64_t off, struct x86_seg *cs)
{
	unsigned rpl = sel & 3, dpl;
	struct x86_entry e;
	struct target t;

	/* A null selector is #GP(0), which entry_read gives. */
	if (!x86_entry_read(cpu, sel, X86_FAULT_GP, &e))
		return false;
	dpl = x86_desc_dpl(e.d);
	if (!x86_entry_is_code(cpu, &e) || rpl < x86_cpl(cpu) ||
	    (x86_desc_conforming(e.d) ? dpl > rpl : dpl != rpl))
		return x86_fault_sel(cpu, X86_FAULT_GP, sel);
	if (!target_make(cpu, &e, off, rpl, &t))
		return false;
	*cs = t.cs;
	return true;
}

bool x86_return_stack(struct x86_cpu *cpu, uint16_t sel, const struct x86_seg *cs,
		      struct x86_seg *ss)
{
	unsigned rpl = cs->sel & 3;
	struct x86_entry e;

	if (x86_sel_null(sel)) {
		if (!x86_long_mode(cpu) || !(cs->attr & X86_SEG_L) || rpl == 3 || (sel & 3u) != rpl)
			return x86_fault_raise_error(cpu, X86_FAULT_GP, 0);
		*ss = (struct x86_seg){.sel = sel, .attr = rpl << 5};
		return true;
	}
	if (!x86_entry_read(cpu, sel, X86_FAULT_GP, &e) ||
	    !x86_entry_check_stack(cpu, &e, rpl, X86_FAULT_GP) || !x86_entry_access(cpu, &e))
		return false;
	*ss = x86_entry_seg(&e);
	return true;
}

void x86_return_sp(struct x86_cpu *cpu, uint64_t sp, int64_t add)
{
	struct x86_stack s;

	x86_stack_make(&s, cpu, &cpu->seg[X86_SS], sp, x86_cpl(cpu), x86_code64(cpu));
	x86_stack_move(&s, add);
	x86_stack_commit(&s);
}

void x86_segs_drop_inner(struct x86_cpu *cpu)
{
	static const uint8_t data[] = {X86_ES, X86_DS, X86_FS, X86_GS};
	unsigned cpl = x86_cpl(cpu);

	for (unsigned k = 0; k < ARRAY_LEN(data); k++) {
		struct x86_seg *s = &cpu->seg[data[k]];
		bool conforming =
			(s->attr & (X86_SEG_CODE | X86_SEG_DOWN)) == (X86_SEG_CODE | X86_SEG_DOWN);

		if (!(s->attr & X86_SEG_P) || conforming || (s->attr >> 5 & 3u) >= cpl)
			continue;
		s->sel = 0;
		s->attr = 0;
		s->limit = 0;
	}
}

static bool ret_real(struct x86_cpu *cpu, unsigned opsize, unsigned pop_bytes)
{
	struct x86_stack s;
	uint64_t off, sel;

	x86_stack_current(&s, cpu);
	if (!x86_stack_pop(&s, opsize, &off) || !x86_stack_pop(&s, opsize, &sel) ||
	    !jump_real(cpu, sel, off, opsize))
		return false;
	x86_stack_move(&s, pop_bytes);
	x86_stack_commit(&s);
	return true;
}

static bool ret_outer(struct x86_cpu *cpu, struct x86_stack *s, unsigned opsize, unsigned pop_bytes,
		      const struct target *t)
{
	uint64_t sp, sel;
	struct x86_seg ss;

	x86_stack_move(s, pop_bytes);
	if (!x86_stack_pop(s, opsize, &sp) || !x86_stack_pop(s, opsize, &sel) ||
	    !x86_return_stack(cpu, sel, &t->cs, &ss))
		return false;
	cpu->seg[X86_SS] = ss;
	target_commit(cpu, t);
	x86_return_sp(cpu, sp, pop_bytes);
	x86_segs_drop_inner(cpu);
	x86_mode_update(cpu);
	return true;
}

bool x86_far_ret(struct x86_cpu *cpu, unsigned opsize, unsigned pop_bytes)
{
	struct x86_stack s;
	struct target t;
	uint64_t sel;

	if (!x86_protected(cpu))
		return ret_real(cpu, opsize, pop_bytes);
	x86_stack_current(&s, cpu);
	if (!x86_stack_pop(&s, opsize, &t.rip) || !x86_stack_pop(&s, opsize, &sel) ||
	    !x86_return_target(cpu, sel, t.rip, &t.cs))
		return false;
	if ((t.cs.sel & 3u) > x86_cpl(cpu))
		return ret_outer(cpu, &s, opsize, pop_bytes, &t);
	x86_stack_move(&s, pop_bytes);
	x86_stack_commit(&s);
	target_commit(cpu, &t);
	return true;
}
