/*
 * x87 instructions on ST(0), or ST(0) and ST(1), alone. SDM vol. 2: FCHS, FABS, FTST, FXAM, FSQRT,
 * FRNDINT, F2XM1, FSIN, FCOS, FSCALE, FPREM, FPREM1, FYL2X, FYL2XP1, FPATAN, FPTAN, FSINCOS,
 * FXTRACT. Transcendental results are the host's, last bit included.
 */
#include "isa/x86/x87.h"
#include "isa/x86/x87_host.h"

enum func_shape {
	FUNC_X,	   /* ST(0) = f(ST(0)) */
	FUNC_XY,   /* ST(0) = f(ST(0), ST(1)) */
	FUNC_POP,  /* ST(1) = f(ST(0), ST(1)), then pop */
	FUNC_PUSH, /* ST(0) = f(ST(0)), then push another result */
	FUNC_TEST, /* only the condition codes */
};

static const struct {
	uint8_t shape;
	uint16_t codes; /* that it sets */
} funcs[X87_FUNCS] = {
	[X87_TST] = {FUNC_TEST, X87_CODES},
	[X87_XAM] = {FUNC_TEST, X87_CODES},
	[X87_SQRT] = {FUNC_X, X87_C1},
	[X87_RNDINT] = {FUNC_X, X87_C1},
	[X87_2XM1] = {FUNC_X, X87_C1},
	[X87_SIN] = {FUNC_X, X87_C1 | X87_C2},
	[X87_COS] = {FUNC_X, X87_C1 | X87_C2},
	[X87_SCALE] = {FUNC_XY, X87_C1},
	[X87_PREM] = {FUNC_XY, X87_CODES},
	[X87_PREM1] = {FUNC_XY, X87_CODES},
	[X87_YL2X] = {FUNC_POP, X87_C1},
	[X87_YL2XP1] = {FUNC_POP, X87_C1},
	[X87_PATAN] = {FUNC_POP, X87_C1},
	[X87_PTAN] = {FUNC_PUSH, X87_C1 | X87_C2},
	[X87_SINCOS] = {FUNC_PUSH, X87_C1 | X87_C2},
	[X87_XTRACT] = {FUNC_PUSH, X87_C1},
};

/* The response to a masked stack fault. */
static void fault_result(struct x86_cpu *cpu, unsigned shape)
{
	switch (shape) {
	case FUNC_TEST:
		return;
	case FUNC_POP:
		x87_set(cpu, 1, x87_indefinite);
		x87_pop(cpu);
		return;
	case FUNC_PUSH:
		x87_set(cpu, 0, x87_indefinite);
		x87_push(cpu, x87_indefinite);
		return;
	}
	x87_set(cpu, 0, x87_indefinite);
}

/* True if a register that must be there is empty, or one that must be free is not: all done. */
static bool stack_fault(struct x86_cpu *cpu, unsigned op)
{
	unsigned shape = funcs[op].shape;
	bool masked;

	if (x87_empty(cpu, 0) || ((shape == FUNC_XY || shape == FUNC_POP) && x87_empty(cpu, 1)))
		masked = x87_underflow(cpu);
	else if (shape == FUNC_PUSH && !x87_empty(cpu, 7))
		masked = x87_overflow(cpu);
	else
		return false;
	if (shape == FUNC_TEST)
		x87_status(cpu, X87_C0 | X87_C2 | X87_C3, X87_C0 | X87_C2 | X87_C3);
	else
		x87_status(cpu, 0, funcs[op].codes & X87_C2);
	if (masked)
		fault_result(cpu, shape);
	return true;
}

/* FPREM without a quotient, for an exception or a NaN, leaves the bits of one alone. */
static unsigned codes_set(const struct x86_cpu *cpu, unsigned op, uint16_t sw,
			  const struct x86_fpr *result)
{
	bool prem = op == X87_PREM || op == X87_PREM1;

	if (prem && ((sw & X87_IE) || !x87_computed(cpu, sw) || (result->sexp & 0x7fff) == 0x7fff))
		return X87_C1 | X87_C2;
	return funcs[op].codes;
}

static void compute(struct x86_cpu *cpu, unsigned op)
{
	struct x86_fpr x = *x87_st(cpu, 0), y = *x87_st(cpu, 1);
	uint16_t sw = x87_host_func[op](cpu->fcw, &x, &y);
	unsigned depth = sw & X87_HOST_TOP;

	if (x87_restart(cpu, sw))
		return;
	x87_status(cpu, sw, codes_set(cpu, op, sw, &x));
	switch (funcs[op].shape) {
	case FUNC_X:
	case FUNC_XY:
		x87_set(cpu, 0, x);
		break;
	case FUNC_POP:
		if (depth != X87_HOST_ONE)
			break;
		x87_set(cpu, 1, y);
		x87_pop(cpu);
		break;
	case FUNC_PUSH:
		if (depth != X87_HOST_TWO)
			break;
		x87_set(cpu, 0, x);
		x87_push(cpu, y);
		break;
	}
}

static void change_sign(struct x86_cpu *cpu, unsigned op)
{
	struct x86_fpr *x = x87_st(cpu, 0);

	x->sexp = (uint16_t)(op == X87_CHS ? x->sexp ^ 0x8000 : x->sexp & 0x7fff);
	x87_status(cpu, 0, X87_C1);
}

/* Empty is a class of its own to FXAM; the sign is what the register holds. */
static void examine_empty(struct x86_cpu *cpu)
{
	unsigned sign = x87_st(cpu, 0)->sexp & 0x8000 ? X87_C1 : 0;

	x87_status(cpu, (uint16_t)(X87_C3 | X87_C0 | sign), X87_CODES);
}

uint64_t x87_func(void *p, uint64_t what, uint64_t b, uint64_t c)
{
	struct x86_cpu *cpu = p;
	unsigned op = what & X87_WHAT_OP;

	x87_note(cpu, what, 0);
	if (op == X87_XAM && x87_empty(cpu, 0))
		examine_empty(cpu);
	else if (stack_fault(cpu, op))
		;
	else if (op == X87_CHS || op == X87_ABS)
		change_sign(cpu, op);
	else
		compute(cpu, op);
	return x87_finish(cpu);
}
