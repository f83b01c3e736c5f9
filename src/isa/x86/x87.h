/*
 * The x87 floating-point unit: what its helpers share. SDM vol. 1, chapter 8; vol. 2, FADD and on.
 * For x87*.c and insn_x87.c, and for translators that do some of it themselves.
 *
 * Numbers are the host's business (x87_host.c): the guest's instruction runs on the host's own x87
 * under the guest's control word. Stack, tags, exceptions and pointers are kept here.
 *
 * An unmasked exception only sets FSW.ES; the next waiting instruction raises #MF, which is part of
 * the mode (X86_MODE_X87_PENDING), so the block must not go on. An instruction about to set ES
 * therefore changes nothing and asks to be run alone (X86_EXIT_RESTART); then it does, and the
 * engine finds the next block by the new mode.
 */
#ifndef ISA_X86_X87_H
#define ISA_X86_X87_H

#include "ir/ir.h"
#include "isa/x86/cpu.h"

/* FSW and the low bits of FCW */
enum {
	X87_IE = 1 << 0,
	X87_DE = 1 << 1,
	X87_ZE = 1 << 2,
	X87_OE = 1 << 3,
	X87_UE = 1 << 4,
	X87_PE = 1 << 5,
	X87_EXCEPTIONS = 0x3f,
	X87_SF = 1 << 6,
	X87_ES = 1 << 7,
	X87_C0 = 1 << 8,
	X87_C1 = 1 << 9,
	X87_C2 = 1 << 10,
	X87_C3 = 1 << 14,
	X87_CODES = X87_C0 | X87_C1 | X87_C2 | X87_C3,
	X87_B = 1 << 15,
	X87_FCW_BITS = 0x1f3f, /* the others are constant */
	X87_FCW_ONE = 0x40,
};

/*
 * `what` of a helper: an instruction's constants. The low half, but for ST(i), is its row's arg.
 * FOP and the offset of the instruction from the block's first PC are for the x87 pointers.
 */
enum {
	X87_WHAT_OP = 0xff, /* of the helper's own enumeration */
	X87_WHAT_STI_SHIFT = 8,
	X87_WHAT_POP = 1 << 11,
	X87_WHAT_POP2 = 1 << 12,
	X87_WHAT_TO_STI = 1 << 13, /* the destination is ST(i), not ST(0) */
	X87_WHAT_SEG_SHIFT = 16,   /* segment of the memory operand, or 7 */
	X87_WHAT_SEG_NONE = 7,
	X87_WHAT_FOP_SHIFT = 20,
	X87_WHAT_PC_SHIFT = 32,
};

static inline unsigned x87_sti(uint64_t what)
{
	return what >> X87_WHAT_STI_SHIFT & 7;
}

static inline unsigned x87_seg(uint64_t what)
{
	return what >> X87_WHAT_SEG_SHIFT & 7;
}

/* X86_MEM_* for the memory operand. */
unsigned x87_mem_flags(uint64_t what);

/* ---- the stack (x87.c) */
struct x86_fpr *x87_st(struct x86_cpu *cpu, unsigned i);
bool x87_empty(const struct x86_cpu *cpu, unsigned i);
void x87_set(struct x86_cpu *cpu, unsigned i, struct x86_fpr v); /* value and tag */
void x87_free(struct x86_cpu *cpu, unsigned i);
void x87_move_top(struct x86_cpu *cpu, int by);
void x87_pop(struct x86_cpu *cpu);
void x87_pop_as(struct x86_cpu *cpu, uint64_t what);  /* none, one or two */
void x87_push(struct x86_cpu *cpu, struct x86_fpr v); /* the caller knows that there is room */

extern const struct x86_fpr x87_indefinite; /* the default NaN; also packed BCD's indefinite */

/* ---- status (x87.c) */
/* Before anything changes: true if sw has an unmasked exception and the instruction is not running
 * alone. It is then restarted, and the helper returns at once. */
bool x87_restart(struct x86_cpu *cpu, unsigned sw);
/* Exceptions of sw are added to FSW; of its condition codes those in codes replace FSW's. */
void x87_status(struct x86_cpu *cpu, uint16_t sw, unsigned codes);
/* A stack fault. True if it is masked: the caller then stores the indefinite value. Else it may
 * have called for a restart, which the caller need not know: what it does then would be done again.
 */
bool x87_underflow(struct x86_cpu *cpu);
bool x87_overflow(struct x86_cpu *cpu);
/* Nothing in sw that is unmasked kept the operation from having a result. */
bool x87_computed(const struct x86_cpu *cpu, uint16_t sw);
/* FSW.ES and B as exceptions and masks have it. */
void x87_summarize(struct x86_cpu *cpu);
/* Record instruction and operand pointer and the opcode. */
void x87_note(struct x86_cpu *cpu, uint64_t what, uint64_t fdp);
/* The end of every helper: sets ES if an unmasked exception is now pending. Returns 0. */
uint64_t x87_finish(struct x86_cpu *cpu);

/* ---- helpers, in one table (insn_x87.c); x87_move.c */
enum x87_value { /* sources of x87_load_value and of arithmetic */
		 X87_M32,
		 X87_M64,
		 X87_I16,
		 X87_I32,
		 X87_VALUES,
		 X87_I64 = X87_VALUES,
};
enum x87_store {
	X87_ST_M32,
	X87_ST_M64,
	X87_ST_M80,
	X87_ST_I16,
	X87_ST_I32,
	X87_ST_I64,
	X87_ST_TT16,
	X87_ST_TT32,
	X87_ST_TT64,
	X87_ST_BCD
};
enum x87_const { X87_ONE, X87_L2T, X87_L2E, X87_PI, X87_LG2, X87_LN2, X87_ZERO };
enum x87_move {
	X87_FLD,
	X87_FST,
	X87_FSTPNCE,
	X87_FXCH,
	X87_FFREE,
	X87_INCSTP,
	X87_DECSTP,
	X87_NOP
};
uint64_t x87_load_value(void *cpu, uint64_t value, uint64_t what, uint64_t fdp);
uint64_t x87_load_const(void *cpu, uint64_t what, uint64_t b, uint64_t c);
uint64_t x87_load80(void *cpu, uint64_t lin, uint64_t what, uint64_t fdp);
uint64_t x87_load_bcd(void *cpu, uint64_t lin, uint64_t what, uint64_t fdp);
uint64_t x87_store(void *cpu, uint64_t lin, uint64_t what, uint64_t fdp);
uint64_t x87_move(void *cpu, uint64_t what, uint64_t b, uint64_t c);
uint64_t x87_cmov(void *cpu, uint64_t cond, uint64_t what, uint64_t c);

/* x87_arith.c. Operations have the numbers of opcode D8's modrm.reg: 2 compares, 3 is FUCOM here.
 */
enum x87_arith {
	X87_ADD,
	X87_MUL,
	X87_COM,
	X87_UCOM,
	X87_SUB,
	X87_SUBR,
	X87_DIV,
	X87_DIVR,
	X87_ARITHS
};
enum { X87_ARITH_VALUE_SHIFT = 3 }; /* in op, for arith_mem: enum x87_value */
uint64_t x87_arith(void *cpu, uint64_t what, uint64_t b, uint64_t c);
uint64_t x87_arith_mem(void *cpu, uint64_t value, uint64_t what, uint64_t fdp);
/* flags: packed. Returns the new ones. */
uint64_t x87_compare_flags(void *cpu, uint64_t flags, uint64_t what, uint64_t c);

/* x87_func.c: instructions without operands. */
enum x87_func {
	X87_CHS,
	X87_ABS,
	X87_TST,
	X87_XAM,
	X87_SQRT,
	X87_RNDINT,
	X87_2XM1,
	X87_SIN,
	X87_COS,
	X87_SCALE,
	X87_PREM,
	X87_PREM1,
	X87_YL2X,
	X87_YL2XP1,
	X87_PATAN,
	X87_PTAN,
	X87_SINCOS,
	X87_XTRACT,
	X87_FUNCS
};
uint64_t x87_func(void *cpu, uint64_t what, uint64_t b, uint64_t c);

/* x87_env.c */
enum { X87_ENV_WIDE = 1, X87_ENV_STACK = 2 }; /* how: 32-bit format; through SS */
uint64_t x87_fninit(void *cpu, uint64_t a, uint64_t b, uint64_t c);
uint64_t x87_fnclex(void *cpu, uint64_t a, uint64_t b, uint64_t c);
uint64_t x87_fldcw(void *cpu, uint64_t value, uint64_t b, uint64_t c);
uint64_t x87_fwait(void *cpu, uint64_t a, uint64_t b, uint64_t c);
uint64_t x87_fnstenv(void *cpu, uint64_t lin, uint64_t how, uint64_t c);
uint64_t x87_fldenv(void *cpu, uint64_t lin, uint64_t how, uint64_t c);
uint64_t x87_fnsave(void *cpu, uint64_t lin, uint64_t how, uint64_t c);
uint64_t x87_frstor(void *cpu, uint64_t lin, uint64_t how, uint64_t c);
/* Sizes of what they read or write. */
static inline unsigned x87_env_bytes(unsigned how)
{
	return how & X87_ENV_WIDE ? 28 : 14;
}
static inline unsigned x87_save_bytes(unsigned how)
{
	return x87_env_bytes(how) + 80;
}

#endif
