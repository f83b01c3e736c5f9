/*
 * x87 arithmetic with two operands, and comparisons. SDM vol. 2: FADD, FSUB, FMUL, FDIV and their
 * reversed, popping and integer forms; FCOM, FUCOM, FICOM, FCOMI, FUCOMI.
 */
#include "isa/x86/x87.h"
#include "isa/x86/x87_host.h"

static bool is_compare(unsigned op)
{
	return op == X87_COM || op == X87_UCOM;
}

static const unsigned unordered = X87_C0 | X87_C2 | X87_C3;

/* A result that is not there for lack of an operand: to ST(dst), or "unordered". */
static void missing_operand(struct x86_cpu *cpu, unsigned op, unsigned dst, uint64_t what)
{
	bool masked = x87_underflow(cpu);

	if (is_compare(op))
		x87_status(cpu, (uint16_t)unordered, unordered);
	if (!masked)
		return;
	if (!is_compare(op))
		x87_set(cpu, dst, x87_indefinite);
	x87_pop_as(cpu, what);
}

/* ST(dst) = ST(dst) op y, or compare the two. */
static void operate(struct x86_cpu *cpu, x87_host_fn fn, unsigned op, unsigned dst,
		    struct x86_fpr y, uint64_t what)
{
	struct x86_fpr x = *x87_st(cpu, dst);
	uint16_t sw = fn(cpu->fcw, &x, &y);

	if (x87_restart(cpu, sw))
		return;
	x87_status(cpu, sw, is_compare(op) ? X87_CODES : X87_C1);
	if (!x87_computed(cpu, sw))
		return;
	if (!is_compare(op))
		x87_set(cpu, dst, x);
	x87_pop_as(cpu, what);
}

uint64_t x87_arith(void *p, uint64_t what, uint64_t b, uint64_t c)
{
	struct x86_cpu *cpu = p;
	unsigned op = what & X87_WHAT_OP, sti = x87_sti(what);
	unsigned dst = what & X87_WHAT_TO_STI ? sti : 0, src = what & X87_WHAT_TO_STI ? 0 : sti;

	x87_note(cpu, what, 0);
	if (x87_empty(cpu, 0) || x87_empty(cpu, sti))
		missing_operand(cpu, op, dst, what);
	else
		operate(cpu, x87_host_arith[op], op, dst, *x87_st(cpu, src), what);
	return x87_finish(cpu);
}

uint64_t x87_arith_mem(void *p, uint64_t value, uint64_t what, uint64_t fdp)
{
	struct x86_cpu *cpu = p;
	unsigned op = what & (X87_ARITHS - 1);
	unsigned type = (what & X87_WHAT_OP) >> X87_ARITH_VALUE_SHIFT;
	struct x86_fpr y = {.mant = value};

	x87_note(cpu, what, fdp);
	if (x87_empty(cpu, 0))
		missing_operand(cpu, op, 0, what);
	else
		operate(cpu, x87_host_arith_mem[type][op], op, 0, y, what);
	return x87_finish(cpu);
}

/* CF, PF and ZF as FCOMI sets them, from the condition codes; OF, SF and AF are cleared. */
static uint64_t flags_of_codes(unsigned sw)
{
	return (sw & X87_C0 ? X86_CF : 0u) | (sw & X87_C2 ? X86_PF : 0u) |
	       (sw & X87_C3 ? X86_ZF : 0u);
}

uint64_t x87_compare_flags(void *p, uint64_t flags, uint64_t what, uint64_t c)
{
	struct x86_cpu *cpu = p;
	unsigned sti = x87_sti(what);
	unsigned codes = 0; /* that are set: seen on silicon, the manual has C1 cleared */
	uint16_t sw;

	x87_note(cpu, what, 0);
	if (x87_empty(cpu, 0) || x87_empty(cpu, sti)) {
		sw = (uint16_t)(X87_IE | X87_SF | unordered);
		codes = X87_C1;
	} else {
		struct x86_fpr x = *x87_st(cpu, 0), y = *x87_st(cpu, sti);

		sw = x87_host_arith[what & X87_WHAT_OP](cpu->fcw, &x, &y);
	}
	if (x87_restart(cpu, sw))
		return flags;
	x87_status(cpu, sw, codes);
	if (x87_computed(cpu, sw))
		x87_pop_as(cpu, what);
	x87_finish(cpu);
	return flags_of_codes(sw);
}
