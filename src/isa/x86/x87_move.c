/*
 * x87 loads, stores, exchanges, conditional moves and stack control. SDM vol. 2: FLD, FILD, FBLD,
 * FLD1 and its kin, FST, FIST, FISTTP, FBSTP, FXCH, FCMOVcc, FFREE, FINCSTP, FDECSTP.
 */
#include "isa/x86/mmu.h"
#include "isa/x86/mode.h"
#include "isa/x86/x87.h"
#include "isa/x86/x87_host.h"

/* Push v; a full stack gets the indefinite value instead. */
static void push_checked(struct x86_cpu *cpu, struct x86_fpr v)
{
	if (x87_empty(cpu, 7)) {
		x87_push(cpu, v);
		x87_status(cpu, 0, X87_C1);
	} else if (x87_overflow(cpu)) {
		x87_push(cpu, x87_indefinite);
	}
}

/* Push what fn makes of y. */
static uint64_t push_converted(struct x86_cpu *cpu, x87_host_fn fn, struct x86_fpr y)
{
	struct x86_fpr x = {0};
	uint16_t sw;

	if (!x87_empty(cpu, 7)) {
		if (x87_overflow(cpu))
			x87_push(cpu, x87_indefinite);
		return x87_finish(cpu);
	}
	sw = fn(cpu->fcw, &x, &y);
	if (x87_restart(cpu, sw))
		return 0;
	x87_status(cpu, sw, X87_C1);
	if ((sw & X87_HOST_TOP) == X87_HOST_ONE)
		x87_push(cpu, x);
	return x87_finish(cpu);
}

uint64_t x87_load_value(void *p, uint64_t value, uint64_t what, uint64_t fdp)
{
	struct x86_fpr y = {.mant = value};

	x87_note(p, what, fdp);
	return push_converted(p, x87_host_load[what & X87_WHAT_OP], y);
}

uint64_t x87_load_const(void *p, uint64_t what, uint64_t b, uint64_t c)
{
	struct x86_fpr unused = {0};

	x87_note(p, what, 0);
	return push_converted(p, x87_host_const[what & X87_WHAT_OP], unused);
}

static bool read80(struct x86_cpu *cpu, uint64_t lin, uint64_t what, struct x86_fpr *out)
{
	uint8_t b[10];

	if (!x86_mem_read(cpu, lin, b, sizeof(b), x86_mode_mmu(cpu->mode), x87_mem_flags(what)))
		return false;
	*out = (struct x86_fpr){.mant = load_le64(b), .sexp = load_le16(b + 8)};
	return true;
}

uint64_t x87_load80(void *p, uint64_t lin, uint64_t what, uint64_t fdp)
{
	struct x86_fpr v;

	if (!read80(p, lin, what, &v))
		return 0;
	x87_note(p, what, fdp);
	push_checked(p, v);
	return x87_finish(p);
}

uint64_t x87_load_bcd(void *p, uint64_t lin, uint64_t what, uint64_t fdp)
{
	struct x86_fpr v;

	if (!read80(p, lin, what, &v))
		return 0;
	x87_note(p, what, fdp);
	return push_converted(p, x87_host_load_bcd, v);
}

/* Size in memory, and the value stored for what has none. */
static const struct {
	uint8_t bytes;
	uint64_t indefinite;
} stores[X87_ST_BCD + 1] = {
	[X87_ST_M32] = {4, 0xffc00000},
	[X87_ST_M64] = {8, 0xfff8000000000000},
	[X87_ST_M80] = {10, 0xc000000000000000},
	[X87_ST_I16] = {2, 0x8000},
	[X87_ST_I32] = {4, 0x80000000},
	[X87_ST_I64] = {8, 0x8000000000000000},
	[X87_ST_TT16] = {2, 0x8000},
	[X87_ST_TT32] = {4, 0x80000000},
	[X87_ST_TT64] = {8, 0x8000000000000000},
	[X87_ST_BCD] = {10, 0xc000000000000000},
};

/* ST(0) as it goes to memory; returns the exceptions of the conversion. */
static uint16_t convert_st0(struct x86_cpu *cpu, unsigned op, struct x86_fpr *out)
{
	struct x86_fpr x = *x87_st(cpu, 0);

	*out = (struct x86_fpr){.mant = stores[op].indefinite, .sexp = 0xffff};
	if (x87_empty(cpu, 0))
		return X87_IE | X87_SF;
	if (x87_host_store[op])
		return x87_host_store[op](cpu->fcw, &x, out);
	*out = x;
	return 0;
}

uint64_t x87_store(void *p, uint64_t lin, uint64_t what, uint64_t fdp)
{
	struct x86_cpu *cpu = p;
	unsigned op = what & X87_WHAT_OP, bytes = stores[op].bytes, flags = x87_mem_flags(what);
	enum x86_mmu_index mmu = x86_mode_mmu(cpu->mode);
	struct x86_fpr v;
	uint16_t sw = convert_st0(cpu, op, &v);
	bool stored = !(sw & ~(unsigned)cpu->fcw & (X87_EXCEPTIONS & ~X87_PE));
	uint8_t b[10];

	if (x87_restart(cpu, sw))
		return 0;
	store_le64(b, v.mant);
	store_le16(b + 8, v.sexp);
	if (stored ? !x86_mem_write(cpu, lin, b, bytes, mmu, flags)
		   : !x86_mem_check_write(cpu, lin, bytes, mmu, flags))
		return 0;
	x87_note(cpu, what, fdp);
	x87_status(cpu, sw, X87_C1);
	if (stored)
		x87_pop_as(cpu, what);
	return x87_finish(cpu);
}

static void fst(struct x86_cpu *cpu, unsigned sti, uint64_t what)
{
	struct x86_fpr v = *x87_st(cpu, 0);

	if (x87_empty(cpu, 0)) {
		if (!x87_underflow(cpu))
			return;
		v = x87_indefinite;
	} else {
		x87_status(cpu, 0, X87_C1);
	}
	x87_set(cpu, sti, v);
	x87_pop_as(cpu, what);
}

/* D9 D8+i: FSTP without stack check; an empty ST(0) is not copied. */
static void fstpnce(struct x86_cpu *cpu, unsigned sti)
{
	if (!x87_empty(cpu, 0))
		x87_set(cpu, sti, *x87_st(cpu, 0));
	x87_status(cpu, 0, X87_C1);
	x87_pop(cpu);
}

static void fxch(struct x86_cpu *cpu, unsigned sti)
{
	struct x86_fpr v;

	x87_status(cpu, 0, X87_C1);
	if (x87_empty(cpu, 0) || x87_empty(cpu, sti)) {
		if (!x87_underflow(cpu))
			return;
		if (x87_empty(cpu, 0))
			x87_set(cpu, 0, x87_indefinite);
		if (x87_empty(cpu, sti))
			x87_set(cpu, sti, x87_indefinite);
	}
	v = *x87_st(cpu, 0);
	x87_set(cpu, 0, *x87_st(cpu, sti));
	x87_set(cpu, sti, v);
}

static void fld_sti(struct x86_cpu *cpu, unsigned sti)
{
	struct x86_fpr v = *x87_st(cpu, sti);

	if (!x87_empty(cpu, sti))
		push_checked(cpu, v);
	else if (x87_underflow(cpu))
		x87_push(cpu, x87_indefinite);
}

uint64_t x87_move(void *p, uint64_t what, uint64_t b, uint64_t c)
{
	struct x86_cpu *cpu = p;
	unsigned sti = x87_sti(what);

	x87_note(cpu, what, 0);
	switch (what & X87_WHAT_OP) {
	case X87_FLD:
		fld_sti(cpu, sti);
		break;
	case X87_FST:
		fst(cpu, sti, what);
		break;
	case X87_FSTPNCE:
		fstpnce(cpu, sti);
		break;
	case X87_FXCH:
		fxch(cpu, sti);
		break;
	case X87_FFREE:
		x87_free(cpu, sti);
		x87_pop_as(cpu, what);
		x87_status(cpu, 0, X87_C1);
		break;
	case X87_INCSTP:
	case X87_DECSTP:
		x87_move_top(cpu, (what & X87_WHAT_OP) == X87_INCSTP ? 1 : -1);
		x87_status(cpu, 0, X87_C1);
		break;
	}
	return x87_finish(cpu);
}

uint64_t x87_cmov(void *p, uint64_t cond, uint64_t what, uint64_t c)
{
	struct x86_cpu *cpu = p;
	unsigned sti = x87_sti(what);

	x87_note(cpu, what, 0);
	if (x87_empty(cpu, 0) || x87_empty(cpu, sti)) {
		if (x87_underflow(cpu))
			x87_set(cpu, 0, x87_indefinite);
	} else if (cond) {
		x87_set(cpu, 0, *x87_st(cpu, sti));
	}
	return x87_finish(cpu);
}
