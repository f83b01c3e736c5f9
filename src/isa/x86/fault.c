/*
 * Exceptions and interrupts: which gate, which stack, what is pushed; double and triple fault. SDM
 * vol. 3, chapter 6; virtual-8086 and VME, chapter 20; real mode, 20.1.4. A delivery either happens
 * whole or leaves the CPU as it was with the next fault recorded.
 */
#include "isa/x86/fault.h"

#include "isa/x86/descriptor.h"
#include "isa/x86/mode.h"
#include "isa/x86/segment.h"
#include "isa/x86/stack.h"

/* One delivery: what, and where to return to. */
struct event {
	unsigned vector;
	bool soft; /* INT n, INT3, INTO: gate DPL counts, no EXT */
	bool has_error;
	uint32_t error;
	uint64_t rip;	/* to push */
	uint64_t flags; /* to push, RF included */
};

/* Outcome of one attempt. MOVED: the fault is in the context that a task gate has entered. */
enum outcome { DELIVERED, FAULTED, MOVED };

enum { IDT_ERROR = 2 }; /* error code bit: the index is a vector */

static bool idt_fault(struct x86_cpu *cpu, enum x86_vector v, unsigned vector)
{
	return x86_fault_raise_error(cpu, v, vector * 8 + IDT_ERROR);
}

/* Real mode, or virtual-8086 mode through its interrupt vectors at linear 0. */
static bool vector_real(struct x86_cpu *cpu, uint64_t table, const struct event *e)
{
	struct x86_stack s;
	uint16_t to[2]; /* IP, CS */

	x86_stack_current(&s, cpu);
	if (!x86_sys_read(cpu, x86_sys_linear(cpu, table, e->vector * 4), to, 4) ||
	    !x86_stack_push(&s, 2, e->flags) || !x86_stack_push(&s, 2, cpu->seg[X86_CS].sel) ||
	    !x86_stack_push(&s, 2, e->rip))
		return false;
	if (to[0] > cpu->seg[X86_CS].limit)
		return x86_fault_raise_error(cpu, X86_FAULT_GP, 0);
	x86_seg_load_real(cpu, X86_CS, to[1]);
	cpu->rip = to[0];
	x86_stack_commit(&s);
	return true;
}

static bool deliver_real(struct x86_cpu *cpu, const struct event *e)
{
	if (e->vector * 4 + 3 > cpu->idtr.limit)
		return idt_fault(cpu, X86_FAULT_GP, e->vector);
	if (!vector_real(cpu, cpu->idtr.base, e))
		return false;
	cpu->rflags &= ~(uint64_t)(X86_IF | X86_TF | X86_AC | X86_RF);
	return true;
}

/* The IDT entry, checked as far as its kind allows. */
static bool gate_read(struct x86_cpu *cpu, const struct event *e, struct x86_entry *gate)
{
	bool wide = x86_long_mode(cpu);
	uint32_t at = e->vector * (wide ? 16 : 8), last = at + (wide ? 15 : 7);
	unsigned type;

	*gate = (struct x86_entry){.sel = 0};
	if (last > cpu->idtr.limit)
		return idt_fault(cpu, X86_FAULT_GP, e->vector);
	if (!x86_sys_read(cpu, x86_sys_linear(cpu, cpu->idtr.base, at), &gate->d, 8) ||
	    (wide && !x86_sys_read(cpu, cpu->idtr.base + at + 8, &gate->high, 8)))
		return false;
	type = x86_desc_type(gate->d);
	if (x86_desc_is_segment(gate->d) ||
	    !(type == X86_TYPE_INT32 || type == X86_TYPE_TRAP32 ||
	      (!wide && type >= X86_TYPE_TASK_GATE && type <= X86_TYPE_TRAP16)) ||
	    (e->soft && x86_desc_dpl(gate->d) < x86_cpl(cpu)))
		return idt_fault(cpu, X86_FAULT_GP, e->vector);
	return x86_desc_present(gate->d) ? true : idt_fault(cpu, X86_FAULT_NP, e->vector);
}

/* The handler's code segment as it will be loaded, CPL in its selector. */
static bool handler_code(struct x86_cpu *cpu, const struct x86_entry *gate, struct x86_seg *cs)
{
	unsigned cpl = x86_cpl(cpu), dpl;
	bool vm = cpu->rflags & X86_VM;
	struct x86_entry code;

	if (!x86_entry_read(cpu, x86_gate_sel(gate->d), X86_FAULT_GP, &code))
		return false;
	dpl = x86_desc_dpl(code.d);
	if (!x86_entry_is_code(cpu, &code) || dpl > cpl ||
	    (x86_long_mode(cpu) && !x86_desc_long(code.d)) ||
	    (vm && (dpl != 0 || x86_desc_conforming(code.d))))
		return x86_fault_sel(cpu, X86_FAULT_GP, code.sel);
	if (!x86_desc_present(code.d))
		return x86_fault_sel(cpu, X86_FAULT_NP, code.sel);
	if (!x86_entry_access(cpu, &code))
		return false;
	*cs = x86_entry_seg(&code);
	cs->sel = (cs->sel & ~3u) | (x86_desc_conforming(code.d) ? cpl : dpl);
	return true;
}

static bool push_all(struct x86_stack *s, unsigned bytes, const uint64_t *v, unsigned n)
{
	for (unsigned k = 0; k < n; k++) {
		if (!x86_stack_push(s, bytes, v[k]))
			return false;
	}
	return true;
}

/* The frame: [GS FS DS ES] [SS SP] FLAGS CS IP [error]. */
static bool push_frame(struct x86_cpu *cpu, struct x86_stack *s, const struct event *e,
		       unsigned bytes, bool with_stack)
{
	const uint64_t vm[] = {cpu->seg[X86_GS].sel, cpu->seg[X86_FS].sel, cpu->seg[X86_DS].sel,
			       cpu->seg[X86_ES].sel};
	const uint64_t outer[] = {cpu->seg[X86_SS].sel, cpu->gpr[X86_RSP]};
	const uint64_t ret[] = {e->flags, cpu->seg[X86_CS].sel, e->rip};

	if ((cpu->rflags & X86_VM) && !push_all(s, bytes, vm, 4))
		return false;
	if (with_stack && !push_all(s, bytes, outer, 2))
		return false;
	return push_all(s, bytes, ret, 3) && (!e->has_error || x86_stack_push(s, bytes, e->error));
}

/* Choose the handler's stack; *with_stack: the old SS:SP is pushed. */
static bool handler_stack(struct x86_cpu *cpu, const struct x86_entry *gate,
			  const struct x86_seg *cs, struct x86_stack *s, bool *with_stack)
{
	bool wide = x86_long_mode(cpu), inner = (cs->sel & 3u) < x86_cpl(cpu);
	unsigned ist = wide ? gate->d.hi & 7 : 0;

	*with_stack = wide || inner;
	if (inner || ist) {
		if (!x86_stack_inner(s, cpu, cs->sel & 3u, ist))
			return false;
		if (!inner) /* an IST switch alone leaves SS as it is */
			s->ss = cpu->seg[X86_SS];
	} else {
		x86_stack_current(s, cpu);
		s->wide = wide;
		if (wide)
			s->mask = ~0ull;
	}
	if (wide)
		s->sp &= ~15ull;
	return true;
}

static void drop_vm_segments(struct x86_cpu *cpu)
{
	static const uint8_t data[] = {X86_ES, X86_DS, X86_FS, X86_GS};

	for (unsigned k = 0; k < ARRAY_LEN(data); k++)
		cpu->seg[data[k]] = (struct x86_seg){.sel = 0};
}

static bool deliver_gate(struct x86_cpu *cpu, const struct event *e, const struct x86_entry *gate)
{
	unsigned type = x86_desc_type(gate->d);
	unsigned bytes = x86_long_mode(cpu) ? 8 : type & 8 ? 4 : 2;
	uint64_t off = x86_gate_offset(gate->d, type & 8) | (uint64_t)gate->high.lo << 32;
	bool with_stack;
	struct x86_stack s;
	struct x86_seg cs;

	if (!handler_code(cpu, gate, &cs) || !x86_code_offset_check(cpu, &cs, off) ||
	    !handler_stack(cpu, gate, &cs, &s, &with_stack) ||
	    !push_frame(cpu, &s, e, bytes, with_stack))
		return false;
	if (cpu->rflags & X86_VM)
		drop_vm_segments(cpu);
	if (with_stack)
		x86_stack_enter(&s);
	else
		x86_stack_commit(&s);
	cpu->seg[X86_CS] = cs;
	cpu->rip = off;
	cpu->rflags &= ~(uint64_t)(X86_TF | X86_NT | X86_RF | X86_VM);
	if (!(type & 1))
		cpu->rflags &= ~(uint64_t)X86_IF;
	return true;
}

static enum outcome deliver_task(struct x86_cpu *cpu, const struct event *e, uint16_t sel)
{
	uint64_t rflags = cpu->rflags;
	enum x86_task_result r;

	cpu->rflags |= e->flags & X86_RF; /* into the saved image */
	r = x86_task_enter(cpu, sel, X86_TASK_GATE, e->rip, e->has_error, e->error);
	if (r == X86_TASK_REFUSED)
		cpu->rflags = rflags;
	return r == X86_TASK_DONE ? DELIVERED : r == X86_TASK_REFUSED ? FAULTED : MOVED;
}

static enum outcome deliver_once(struct x86_cpu *cpu, const struct event *e)
{
	enum outcome r = FAULTED;
	struct x86_entry gate;

	cpu->exit_code = X86_EXIT_NONE;
	if (!(cpu->cr0 & X86_CR0_PE))
		r = deliver_real(cpu, e) ? DELIVERED : FAULTED;
	else if (!gate_read(cpu, e, &gate))
		r = FAULTED;
	else if (x86_desc_type(gate.d) == X86_TYPE_TASK_GATE)
		r = deliver_task(cpu, e, x86_gate_sel(gate.d));
	else
		r = deliver_gate(cpu, e, &gate) ? DELIVERED : FAULTED;
	/* What went wrong is the fault of an event, not of the program: EXT. */
	if (r != DELIVERED && !e->soft && cpu->fault.vector >= X86_FAULT_TS &&
	    cpu->fault.vector <= X86_FAULT_GP)
		cpu->fault.error |= 1;
	return r;
}

enum fault_class { BENIGN, CONTRIBUTORY, PAGE };

static enum fault_class fault_class(unsigned vector)
{
	switch (vector) {
	case X86_FAULT_DE:
	case X86_FAULT_TS:
	case X86_FAULT_NP:
	case X86_FAULT_SS:
	case X86_FAULT_GP:
		return CONTRIBUTORY;
	case X86_FAULT_PF:
		return PAGE;
	default:
		return BENIGN;
	}
}

/* SDM vol. 3, table 6-5. */
static bool makes_double(enum fault_class first, enum fault_class second)
{
	return (first == CONTRIBUTORY && second == CONTRIBUTORY) ||
	       (first == PAGE && second != BENIGN);
}

/* Faults that restart their instruction push RF set; #DB does not, nor do traps and aborts. */
static bool pushes_rf(unsigned vector)
{
	const uint32_t faults = BIT(X86_FAULT_DE) | BIT(X86_FAULT_BR) | BIT(X86_FAULT_UD) |
				BIT(X86_FAULT_NM) | BIT(X86_FAULT_TS) | BIT(X86_FAULT_NP) |
				BIT(X86_FAULT_SS) | BIT(X86_FAULT_GP) | BIT(X86_FAULT_PF) |
				BIT(X86_FAULT_MF) | BIT(X86_FAULT_AC) | BIT(X86_FAULT_XM);

	return vector < 32 && (faults >> vector & 1);
}

static void debug_registers(struct x86_cpu *cpu, const struct x86_fault *f)
{
	enum { DR6_HITS = 15, DR7_GD = 1 << 13 };

	if (f->dr6)
		cpu->dr[6] = (cpu->dr[6] & ~(uint64_t)DR6_HITS) | f->dr6;
	cpu->dr[7] &= ~(uint64_t)DR7_GD;
}

static struct event event_of(struct x86_cpu *cpu, const struct x86_fault *f, uint64_t next_rip)
{
	struct event e = {
		.vector = (unsigned)f->vector & 0xff,
		.soft = f->soft,
		.has_error = f->has_error,
		.error = f->error,
		.rip = f->soft ? next_rip : cpu->rip,
		.flags = x86_rflags_read(cpu),
	};

	if (!f->soft && pushes_rf(e.vector))
		e.flags |= X86_RF;
	return e;
}

static void fault_count(struct x86_cpu *cpu, const struct x86_fault *f)
{
	TRACE(cpu->trace, TRACE_FAULT, "cpu %u: %s %d error %#x cr2 %#llx at %04x:%#llx cpl %u",
	      cpu->index, f->soft ? "int" : "exception", f->vector, f->has_error ? f->error : 0,
	      (unsigned long long)(f->vector == X86_FAULT_PF ? f->cr2 : 0), cpu->seg[X86_CS].sel,
	      (unsigned long long)cpu->rip, x86_cpl(cpu));
	if (f->soft) {
		cpu->counter[COUNTER_SOFT_INTERRUPTS]++;
		return;
	}
	cpu->counter[COUNTER_FAULTS]++;
	if (f->vector == X86_FAULT_PF)
		cpu->counter[COUNTER_PAGE_FAULTS]++;
}

static void shut_down(struct x86_cpu *cpu)
{
	TRACE(cpu->trace, TRACE_FAULT, "cpu %u: triple fault at %04x:%#llx", cpu->index,
	      cpu->seg[X86_CS].sel, (unsigned long long)cpu->rip);
	cpu->activity = X86_SHUTDOWN;
}

/* Deliver cpu->fault and whatever comes of it, until one is in its handler. */
static void fault_loop(struct x86_cpu *cpu, uint64_t next_rip)
{
	enum fault_class first = BENIGN;
	bool is_double = false;

	for (;;) {
		struct x86_fault f = cpu->fault;
		enum fault_class second = fault_class((unsigned)f.vector);
		struct event e;

		if (f.vector == X86_FAULT_PF)
			cpu->cr2 = f.cr2;
		if (is_double && second != BENIGN) {
			shut_down(cpu);
			return;
		}
		if (makes_double(first, second)) {
			is_double = true;
			f = (struct x86_fault){.vector = X86_FAULT_DF, .has_error = true};
		}
		if (f.vector == X86_FAULT_DB && !f.soft)
			debug_registers(cpu, &f);
		fault_count(cpu, &f);
		e = event_of(cpu, &f, next_rip);
		if (deliver_once(cpu, &e) == DELIVERED)
			return;
		/* INT n in the place of an exception's vector is no exception. */
		first = f.soft ? BENIGN : fault_class((unsigned)f.vector);
	}
}

/* A delivery writes outside any block: no store of it can hurt running code. */
static bool delivery_begin(struct x86_cpu *cpu)
{
	bool alone = cpu->alone;

	cpu->alone = true;
	cpu->exit_code = X86_EXIT_NONE;
	return alone;
}

static void delivery_end(struct x86_cpu *cpu, bool alone)
{
	cpu->alone = alone;
	cpu->exit_code = X86_EXIT_NONE;
	cpu->fault = (struct x86_fault){.vector = -1};
	cpu->interrupt_shadow = 0;
	if (cpu->activity == X86_HALTED)
		cpu->activity = X86_RUNNING;
	x86_mode_update(cpu);
}

void x86_fault_deliver(struct x86_cpu *cpu, uint64_t next_rip)
{
	bool alone = delivery_begin(cpu);

	fault_loop(cpu, next_rip);
	delivery_end(cpu, alone);
}

void x86_interrupt_deliver(struct x86_cpu *cpu, unsigned vector)
{
	bool alone = delivery_begin(cpu);
	struct event e = {.vector = vector & 0xff, .rip = cpu->rip, .flags = x86_rflags_read(cpu)};

	TRACE(cpu->trace, TRACE_FAULT, "cpu %u: interrupt %#x at %04x:%#llx", cpu->index, e.vector,
	      cpu->seg[X86_CS].sel, (unsigned long long)cpu->rip);
	cpu->counter[COUNTER_INTERRUPTS]++;
	if (deliver_once(cpu, &e) != DELIVERED)
		fault_loop(cpu, cpu->rip);
	delivery_end(cpu, alone);
}

/* VME: does the redirection bitmap send INT vector to the virtual-8086 program's own table? */
static bool vme_redirects(struct x86_cpu *cpu, unsigned vector, bool *redirect)
{
	uint16_t io_base;
	uint32_t at;
	uint8_t map;

	*redirect = false;
	if (!(cpu->tr.attr & 8) || cpu->tr.limit < 103)
		return x86_fault_raise_error(cpu, X86_FAULT_GP, 0);
	if (!x86_sys_read(cpu, x86_sys_linear(cpu, cpu->tr.base, 102), &io_base, 2))
		return false;
	/* The 32 bytes before the I/O bitmap. */
	at = (uint32_t)io_base - 32 + vector / 8;
	if (io_base < 32 || at > cpu->tr.limit)
		return x86_fault_raise_error(cpu, X86_FAULT_GP, 0);
	if (!x86_sys_read(cpu, x86_sys_linear(cpu, cpu->tr.base, at), &map, 1))
		return false;
	*redirect = !(map >> (vector & 7) & 1);
	return true;
}

/* INT vector inside virtual-8086 mode, the monitor left alone. */
static bool vme_interrupt(struct x86_cpu *cpu, unsigned vector, uint64_t next_rip)
{
	struct event e = {.vector = vector, .rip = next_rip, .flags = x86_rflags_read(cpu)};
	bool own_if = (cpu->rflags & X86_IOPL) == X86_IOPL;

	if (!own_if) {
		e.flags = (e.flags & ~(uint64_t)X86_IF) | X86_IOPL;
		if (cpu->rflags & X86_VIF)
			e.flags |= X86_IF;
	}
	if (!vector_real(cpu, 0, &e))
		return false;
	cpu->rflags &= ~(uint64_t)(X86_TF | X86_RF | X86_NT | (own_if ? X86_IF : X86_VIF));
	cpu->counter[COUNTER_SOFT_INTERRUPTS]++;
	x86_mode_update(cpu);
	return true;
}

bool x86_soft_interrupt(struct x86_cpu *cpu, unsigned vector, bool int_n, uint64_t next_rip)
{
	bool redirect = false;

	if (int_n && (cpu->cr0 & X86_CR0_PE) && (cpu->rflags & X86_VM)) {
		if ((cpu->cr4 & X86_CR4_VME) && !vme_redirects(cpu, vector, &redirect))
			return false;
		if (redirect)
			return vme_interrupt(cpu, vector, next_rip);
		if ((cpu->rflags & X86_IOPL) != X86_IOPL)
			return x86_fault_raise_error(cpu, X86_FAULT_GP, 0);
	}
	cpu->fault = (struct x86_fault){.vector = (int32_t)vector, .soft = true};
	cpu->exit_code = X86_EXIT_FAULT;
	return false;
}
