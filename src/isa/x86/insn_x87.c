/*
 * The x87 instruction set: opcodes D8 to DF and FWAIT. SDM vol. 2, chapter 3; appendix B.17. Every
 * instruction is one helper (x87.h). The undocumented aliases of FCOM, FCOMP, FXCH and FSTP decode
 * as what they do; FNENI, FNDISI and FNSETPM do nothing, as on any processor since the 80387.
 */
#include "isa/x86/families.h"
#include "isa/x86/lift.h"
#include "isa/x86/x87.h"

enum {
	HELPER_ARITH,
	HELPER_ARITH_MEM,
	HELPER_COMPARE_FLAGS,
	HELPER_LOAD_VALUE,
	HELPER_LOAD_CONST,
	HELPER_LOAD80,
	HELPER_LOAD_BCD,
	HELPER_STORE,
	HELPER_MOVE,
	HELPER_CMOV,
	HELPER_FUNC,
	HELPER_FNINIT,
	HELPER_FNCLEX,
	HELPER_FLDCW,
	HELPER_FWAIT,
	HELPER_FNSTENV,
	HELPER_FLDENV,
	HELPER_FNSAVE,
	HELPER_FRSTOR,
};

#define READS  (X86_ST_X87 | X86_ST_RIP | X86_ST_SEGS | X86_ST_SYS | X86_ST_RFLAGS | X86_ST_MXCSR)
#define WRITES (X86_ST_X87 | X86_ST_SYS)
#define MEMORY (IR_HELPER_FAULTS | IR_HELPER_MEMORY)

/* clang-format off */
const struct ir_helper x86_helpers_x87[] = {
	[HELPER_ARITH] = {"x87_arith", x87_arith, 1, IR_VOID, IR_HELPER_FAULTS, READS, WRITES},
	[HELPER_ARITH_MEM] = {"x87_arith_mem", x87_arith_mem, 3, IR_VOID, IR_HELPER_FAULTS, READS, WRITES},
	[HELPER_COMPARE_FLAGS] = {"x87_compare_flags", x87_compare_flags, 2, IR_I64, IR_HELPER_FAULTS, READS, WRITES},
	[HELPER_LOAD_VALUE] = {"x87_load_value", x87_load_value, 3, IR_VOID, IR_HELPER_FAULTS, READS, WRITES},
	[HELPER_LOAD_CONST] = {"x87_load_const", x87_load_const, 1, IR_VOID, IR_HELPER_FAULTS, READS, WRITES},
	[HELPER_LOAD80] = {"x87_load80", x87_load80, 3, IR_VOID, MEMORY, READS, WRITES},
	[HELPER_LOAD_BCD] = {"x87_load_bcd", x87_load_bcd, 3, IR_VOID, MEMORY, READS, WRITES},
	[HELPER_STORE] = {"x87_store", x87_store, 3, IR_VOID, MEMORY, READS, WRITES},
	[HELPER_MOVE] = {"x87_move", x87_move, 1, IR_VOID, IR_HELPER_FAULTS, READS, WRITES},
	[HELPER_CMOV] = {"x87_cmov", x87_cmov, 2, IR_VOID, IR_HELPER_FAULTS, READS, WRITES},
	[HELPER_FUNC] = {"x87_func", x87_func, 1, IR_VOID, IR_HELPER_FAULTS, READS, WRITES},
	[HELPER_FNINIT] = {"x87_fninit", x87_fninit, 0, IR_VOID, 0, READS, WRITES},
	[HELPER_FNCLEX] = {"x87_fnclex", x87_fnclex, 0, IR_VOID, 0, READS, WRITES},
	[HELPER_FLDCW] = {"x87_fldcw", x87_fldcw, 1, IR_VOID, IR_HELPER_FAULTS, READS, WRITES},
	[HELPER_FWAIT] = {"x87_fwait", x87_fwait, 0, IR_VOID, IR_HELPER_FAULTS, X86_ST_X87 | X86_ST_SYS, 0},
	[HELPER_FNSTENV] = {"x87_fnstenv", x87_fnstenv, 2, IR_VOID, MEMORY, READS, WRITES},
	[HELPER_FLDENV] = {"x87_fldenv", x87_fldenv, 2, IR_VOID, MEMORY, READS, WRITES},
	[HELPER_FNSAVE] = {"x87_fnsave", x87_fnsave, 2, IR_VOID, MEMORY, READS, WRITES},
	[HELPER_FRSTOR] = {"x87_frstor", x87_frstor, 2, IR_VOID, MEMORY, READS, WRITES},
	{NULL},
};
/* clang-format on */

/* ---- lift functions */

static ir_ref what(struct lift *l, const struct x86_insn *i)
{
	bool memory = i->modrm < 0xc0;
	uint64_t w = i->row->arg;

	w |= (uint64_t)(i->modrm & 7) << X87_WHAT_STI_SHIFT;
	w |= (uint64_t)(memory ? i->seg : X87_WHAT_SEG_NONE) << X87_WHAT_SEG_SHIFT;
	w |= ((i->opcode & 7ull) << 8 | i->modrm) << X87_WHAT_FOP_SHIFT;
	return lift_imm(l, IR_I64, w | (uint64_t)(uint32_t)i->pc_offset << X87_WHAT_PC_SHIFT);
}

/* Helpers of `what` alone. */
static void lift_x87(struct lift *l, const struct x86_insn *i, unsigned helper)
{
	lift_call(l, &x86_helpers_x87[helper], what(l, i), IR_NONE, IR_NONE);
}

/* Helpers of a value from memory. */
static void lift_x87_value(struct lift *l, const struct x86_insn *i, unsigned helper)
{
	ir_ref v = lift_read_zext(l, i, 0, IR_I64);

	lift_call(l, &x86_helpers_x87[helper], v, what(l, i), lift_offset(l, i));
}

/* Helpers that access memory themselves. */
static void lift_x87_memory(struct lift *l, const struct x86_insn *i, unsigned helper,
			    enum x86_access a)
{
	ir_ref lin = lift_linear(l, i, i->op[0].bytes, a);

	lift_call(l, &x86_helpers_x87[helper], lin, what(l, i), lift_offset(l, i));
}

static void lift_arith(struct lift *l, const struct x86_insn *i)
{
	lift_x87(l, i, HELPER_ARITH);
}

static void lift_arith_mem(struct lift *l, const struct x86_insn *i)
{
	lift_x87_value(l, i, HELPER_ARITH_MEM);
}

static void lift_load_value(struct lift *l, const struct x86_insn *i)
{
	lift_x87_value(l, i, HELPER_LOAD_VALUE);
}

static void lift_load_const(struct lift *l, const struct x86_insn *i)
{
	lift_x87(l, i, HELPER_LOAD_CONST);
}

static void lift_load80(struct lift *l, const struct x86_insn *i)
{
	lift_x87_memory(l, i, HELPER_LOAD80, X86_READ);
}

static void lift_load_bcd(struct lift *l, const struct x86_insn *i)
{
	lift_x87_memory(l, i, HELPER_LOAD_BCD, X86_READ);
}

static void lift_store(struct lift *l, const struct x86_insn *i)
{
	lift_x87_memory(l, i, HELPER_STORE, X86_WRITE);
}

static void lift_move(struct lift *l, const struct x86_insn *i)
{
	lift_x87(l, i, HELPER_MOVE);
}

static void lift_func(struct lift *l, const struct x86_insn *i)
{
	lift_x87(l, i, HELPER_FUNC);
}

/* The row's arg has the condition in the place of an operation. */
static void lift_cmov(struct lift *l, const struct x86_insn *i)
{
	ir_ref cond = ir_zext(l->b, IR_I64, lift_cond(l, i->row->arg & X87_WHAT_OP));

	lift_call(l, &x86_helpers_x87[HELPER_CMOV], cond, what(l, i), IR_NONE);
}

static void lift_compare_flags(struct lift *l, const struct x86_insn *i)
{
	ir_ref r = lift_call(l, &x86_helpers_x87[HELPER_COMPARE_FLAGS], lift_packed_flags(l),
			     what(l, i), IR_NONE);

	lift_set_packed_flags(l, r);
}

static void lift_fnstsw(struct lift *l, const struct x86_insn *i)
{
	lift_write(l, i, 0, ir_get(l->b, IR_I16, X86_OFF(fsw)));
}

static void lift_fnstcw(struct lift *l, const struct x86_insn *i)
{
	lift_write(l, i, 0, ir_get(l->b, IR_I16, X86_OFF(fcw)));
}

static void lift_fldcw(struct lift *l, const struct x86_insn *i)
{
	lift_call(l, &x86_helpers_x87[HELPER_FLDCW], lift_read_zext(l, i, 0, IR_I64), IR_NONE,
		  IR_NONE);
}

static void lift_fwait(struct lift *l, const struct x86_insn *i)
{
	lift_call(l, &x86_helpers_x87[HELPER_FWAIT], IR_NONE, IR_NONE, IR_NONE);
}

static void lift_nothing(struct lift *l, const struct x86_insn *i)
{
}

/* FNINIT and FNCLEX; the row's arg is the helper. */
static void lift_clear(struct lift *l, const struct x86_insn *i)
{
	lift_call(l, &x86_helpers_x87[i->row->arg], IR_NONE, IR_NONE, IR_NONE);
	lift_end_next(l, i);
}

/* Environment and state images; the row's arg is the helper. */
static void lift_image(struct lift *l, const struct x86_insn *i)
{
	unsigned helper = i->row->arg, bytes;
	unsigned how = (i->opsize == 2 ? 0 : X87_ENV_WIDE) | (i->seg == X86_SS ? X87_ENV_STACK : 0);
	bool writes = helper == HELPER_FNSTENV || helper == HELPER_FNSAVE;
	bool env = helper == HELPER_FNSTENV || helper == HELPER_FLDENV;
	ir_ref lin;

	bytes = env ? x87_env_bytes(how) : x87_save_bytes(how);
	lin = lift_linear(l, i, bytes, writes ? X86_WRITE : X86_READ);
	lift_call(l, &x86_helpers_x87[helper], lin, lift_imm(l, IR_I64, how), IR_NONE);
	lift_end_next(l, i);
}

#define FPU	    X86_FEAT_FPU
#define CMOV	    X86_FEAT_CMOV
#define X87	    X86_IS_X87
#define NOWAIT	    (X86_IS_X87 | X86_NOWAIT)
#define ENDS	    (X86_IS_X87 | X86_ENDS)
#define MEM(v, op)  ((v) << X87_ARITH_VALUE_SHIFT | (op))
#define TO_STI	    X87_WHAT_TO_STI
#define POP	    X87_WHAT_POP
#define POP2	    X87_WHAT_POP2
#define ARITH_FLAGS X86_ARITH_FLAGS

/* clang-format off */
const struct x86_row x86_rows_x87[] = {
	/* arithmetic and comparisons with memory */
	X86("D8 /0 mem", "Md", FPU, 0, 0, 0, lift_arith_mem, "fadd", X87, MEM(X87_M32, X87_ADD)),
	X86("D8 /1 mem", "Md", FPU, 0, 0, 0, lift_arith_mem, "fmul", X87, MEM(X87_M32, X87_MUL)),
	X86("D8 /2 mem", "Md", FPU, 0, 0, 0, lift_arith_mem, "fcom", X87, MEM(X87_M32, X87_COM)),
	X86("D8 /3 mem", "Md", FPU, 0, 0, 0, lift_arith_mem, "fcomp", X87, MEM(X87_M32, X87_COM) | POP),
	X86("D8 /4 mem", "Md", FPU, 0, 0, 0, lift_arith_mem, "fsub", X87, MEM(X87_M32, X87_SUB)),
	X86("D8 /5 mem", "Md", FPU, 0, 0, 0, lift_arith_mem, "fsubr", X87, MEM(X87_M32, X87_SUBR)),
	X86("D8 /6 mem", "Md", FPU, 0, 0, 0, lift_arith_mem, "fdiv", X87, MEM(X87_M32, X87_DIV)),
	X86("D8 /7 mem", "Md", FPU, 0, 0, 0, lift_arith_mem, "fdivr", X87, MEM(X87_M32, X87_DIVR)),
	X86("DC /0 mem", "Mq", FPU, 0, 0, 0, lift_arith_mem, "fadd", X87, MEM(X87_M64, X87_ADD)),
	X86("DC /1 mem", "Mq", FPU, 0, 0, 0, lift_arith_mem, "fmul", X87, MEM(X87_M64, X87_MUL)),
	X86("DC /2 mem", "Mq", FPU, 0, 0, 0, lift_arith_mem, "fcom", X87, MEM(X87_M64, X87_COM)),
	X86("DC /3 mem", "Mq", FPU, 0, 0, 0, lift_arith_mem, "fcomp", X87, MEM(X87_M64, X87_COM) | POP),
	X86("DC /4 mem", "Mq", FPU, 0, 0, 0, lift_arith_mem, "fsub", X87, MEM(X87_M64, X87_SUB)),
	X86("DC /5 mem", "Mq", FPU, 0, 0, 0, lift_arith_mem, "fsubr", X87, MEM(X87_M64, X87_SUBR)),
	X86("DC /6 mem", "Mq", FPU, 0, 0, 0, lift_arith_mem, "fdiv", X87, MEM(X87_M64, X87_DIV)),
	X86("DC /7 mem", "Mq", FPU, 0, 0, 0, lift_arith_mem, "fdivr", X87, MEM(X87_M64, X87_DIVR)),
	X86("DA /0 mem", "Md", FPU, 0, 0, 0, lift_arith_mem, "fiadd", X87, MEM(X87_I32, X87_ADD)),
	X86("DA /1 mem", "Md", FPU, 0, 0, 0, lift_arith_mem, "fimul", X87, MEM(X87_I32, X87_MUL)),
	X86("DA /2 mem", "Md", FPU, 0, 0, 0, lift_arith_mem, "ficom", X87, MEM(X87_I32, X87_COM)),
	X86("DA /3 mem", "Md", FPU, 0, 0, 0, lift_arith_mem, "ficomp", X87, MEM(X87_I32, X87_COM) | POP),
	X86("DA /4 mem", "Md", FPU, 0, 0, 0, lift_arith_mem, "fisub", X87, MEM(X87_I32, X87_SUB)),
	X86("DA /5 mem", "Md", FPU, 0, 0, 0, lift_arith_mem, "fisubr", X87, MEM(X87_I32, X87_SUBR)),
	X86("DA /6 mem", "Md", FPU, 0, 0, 0, lift_arith_mem, "fidiv", X87, MEM(X87_I32, X87_DIV)),
	X86("DA /7 mem", "Md", FPU, 0, 0, 0, lift_arith_mem, "fidivr", X87, MEM(X87_I32, X87_DIVR)),
	X86("DE /0 mem", "Mw", FPU, 0, 0, 0, lift_arith_mem, "fiadd", X87, MEM(X87_I16, X87_ADD)),
	X86("DE /1 mem", "Mw", FPU, 0, 0, 0, lift_arith_mem, "fimul", X87, MEM(X87_I16, X87_MUL)),
	X86("DE /2 mem", "Mw", FPU, 0, 0, 0, lift_arith_mem, "ficom", X87, MEM(X87_I16, X87_COM)),
	X86("DE /3 mem", "Mw", FPU, 0, 0, 0, lift_arith_mem, "ficomp", X87, MEM(X87_I16, X87_COM) | POP),
	X86("DE /4 mem", "Mw", FPU, 0, 0, 0, lift_arith_mem, "fisub", X87, MEM(X87_I16, X87_SUB)),
	X86("DE /5 mem", "Mw", FPU, 0, 0, 0, lift_arith_mem, "fisubr", X87, MEM(X87_I16, X87_SUBR)),
	X86("DE /6 mem", "Mw", FPU, 0, 0, 0, lift_arith_mem, "fidiv", X87, MEM(X87_I16, X87_DIV)),
	X86("DE /7 mem", "Mw", FPU, 0, 0, 0, lift_arith_mem, "fidivr", X87, MEM(X87_I16, X87_DIVR)),
	/* arithmetic and comparisons of registers */
	X86("D8 C0+i", "ST0,STi", FPU, 0, 0, 0, lift_arith, "fadd", X87, X87_ADD),
	X86("D8 C8+i", "ST0,STi", FPU, 0, 0, 0, lift_arith, "fmul", X87, X87_MUL),
	X86("D8 D0+i", "STi", FPU, 0, 0, 0, lift_arith, "fcom", X87, X87_COM),
	X86("D8 D8+i", "STi", FPU, 0, 0, 0, lift_arith, "fcomp", X87, X87_COM | POP),
	X86("D8 E0+i", "ST0,STi", FPU, 0, 0, 0, lift_arith, "fsub", X87, X87_SUB),
	X86("D8 E8+i", "ST0,STi", FPU, 0, 0, 0, lift_arith, "fsubr", X87, X87_SUBR),
	X86("D8 F0+i", "ST0,STi", FPU, 0, 0, 0, lift_arith, "fdiv", X87, X87_DIV),
	X86("D8 F8+i", "ST0,STi", FPU, 0, 0, 0, lift_arith, "fdivr", X87, X87_DIVR),
	X86("DC C0+i", "STi,ST0", FPU, 0, 0, 0, lift_arith, "fadd", X87, X87_ADD | TO_STI),
	X86("DC C8+i", "STi,ST0", FPU, 0, 0, 0, lift_arith, "fmul", X87, X87_MUL | TO_STI),
	X86("DC D0+i", "STi", FPU, 0, 0, 0, lift_arith, "fcom", X87, X87_COM),
	X86("DC D8+i", "STi", FPU, 0, 0, 0, lift_arith, "fcomp", X87, X87_COM | POP),
	X86("DC E0+i", "STi,ST0", FPU, 0, 0, 0, lift_arith, "fsubr", X87, X87_SUBR | TO_STI),
	X86("DC E8+i", "STi,ST0", FPU, 0, 0, 0, lift_arith, "fsub", X87, X87_SUB | TO_STI),
	X86("DC F0+i", "STi,ST0", FPU, 0, 0, 0, lift_arith, "fdivr", X87, X87_DIVR | TO_STI),
	X86("DC F8+i", "STi,ST0", FPU, 0, 0, 0, lift_arith, "fdiv", X87, X87_DIV | TO_STI),
	X86("DE C0+i", "STi,ST0", FPU, 0, 0, 0, lift_arith, "faddp", X87, X87_ADD | TO_STI | POP),
	X86("DE C8+i", "STi,ST0", FPU, 0, 0, 0, lift_arith, "fmulp", X87, X87_MUL | TO_STI | POP),
	X86("DE D0+i", "STi", FPU, 0, 0, 0, lift_arith, "fcomp", X87, X87_COM | POP),
	X86("DE D9", "", FPU, 0, 0, 0, lift_arith, "fcompp", X87, X87_COM | POP2),
	X86("DE E0+i", "STi,ST0", FPU, 0, 0, 0, lift_arith, "fsubrp", X87, X87_SUBR | TO_STI | POP),
	X86("DE E8+i", "STi,ST0", FPU, 0, 0, 0, lift_arith, "fsubp", X87, X87_SUB | TO_STI | POP),
	X86("DE F0+i", "STi,ST0", FPU, 0, 0, 0, lift_arith, "fdivrp", X87, X87_DIVR | TO_STI | POP),
	X86("DE F8+i", "STi,ST0", FPU, 0, 0, 0, lift_arith, "fdivp", X87, X87_DIV | TO_STI | POP),
	X86("DD E0+i", "STi", FPU, 0, 0, 0, lift_arith, "fucom", X87, X87_UCOM),
	X86("DD E8+i", "STi", FPU, 0, 0, 0, lift_arith, "fucomp", X87, X87_UCOM | POP),
	X86("DA E9", "", FPU, 0, 0, 0, lift_arith, "fucompp", X87, X87_UCOM | POP2),
	X86("DB E8+i", "ST0,STi", CMOV, 0, ARITH_FLAGS, 0, lift_compare_flags, "fucomi", X87, X87_UCOM),
	X86("DB F0+i", "ST0,STi", CMOV, 0, ARITH_FLAGS, 0, lift_compare_flags, "fcomi", X87, X87_COM),
	X86("DF E8+i", "ST0,STi", CMOV, 0, ARITH_FLAGS, 0, lift_compare_flags, "fucompi", X87, X87_UCOM | POP),
	X86("DF F0+i", "ST0,STi", CMOV, 0, ARITH_FLAGS, 0, lift_compare_flags, "fcompi", X87, X87_COM | POP),
	/* loads */
	X86("D9 /0 mem", "Md", FPU, 0, 0, 0, lift_load_value, "fld", X87, X87_M32),
	X86("DD /0 mem", "Mq", FPU, 0, 0, 0, lift_load_value, "fld", X87, X87_M64),
	X86("DB /5 mem", "Mt", FPU, 0, 0, 0, lift_load80, "fld", X87, 0),
	X86("DF /0 mem", "Mw", FPU, 0, 0, 0, lift_load_value, "fild", X87, X87_I16),
	X86("DB /0 mem", "Md", FPU, 0, 0, 0, lift_load_value, "fild", X87, X87_I32),
	X86("DF /5 mem", "Mq", FPU, 0, 0, 0, lift_load_value, "fild", X87, X87_I64),
	X86("DF /4 mem", "Mt", FPU, 0, 0, 0, lift_load_bcd, "fbld", X87, 0),
	X86("D9 E8", "", FPU, 0, 0, 0, lift_load_const, "fld1", X87, X87_ONE),
	X86("D9 E9", "", FPU, 0, 0, 0, lift_load_const, "fldl2t", X87, X87_L2T),
	X86("D9 EA", "", FPU, 0, 0, 0, lift_load_const, "fldl2e", X87, X87_L2E),
	X86("D9 EB", "", FPU, 0, 0, 0, lift_load_const, "fldpi", X87, X87_PI),
	X86("D9 EC", "", FPU, 0, 0, 0, lift_load_const, "fldlg2", X87, X87_LG2),
	X86("D9 ED", "", FPU, 0, 0, 0, lift_load_const, "fldln2", X87, X87_LN2),
	X86("D9 EE", "", FPU, 0, 0, 0, lift_load_const, "fldz", X87, X87_ZERO),
	/* stores */
	X86("D9 /2 mem", "Md", FPU, 0, 0, 0, lift_store, "fst", X87, X87_ST_M32),
	X86("D9 /3 mem", "Md", FPU, 0, 0, 0, lift_store, "fstp", X87, X87_ST_M32 | POP),
	X86("DD /2 mem", "Mq", FPU, 0, 0, 0, lift_store, "fst", X87, X87_ST_M64),
	X86("DD /3 mem", "Mq", FPU, 0, 0, 0, lift_store, "fstp", X87, X87_ST_M64 | POP),
	X86("DB /7 mem", "Mt", FPU, 0, 0, 0, lift_store, "fstp", X87, X87_ST_M80 | POP),
	X86("DF /2 mem", "Mw", FPU, 0, 0, 0, lift_store, "fist", X87, X87_ST_I16),
	X86("DF /3 mem", "Mw", FPU, 0, 0, 0, lift_store, "fistp", X87, X87_ST_I16 | POP),
	X86("DB /2 mem", "Md", FPU, 0, 0, 0, lift_store, "fist", X87, X87_ST_I32),
	X86("DB /3 mem", "Md", FPU, 0, 0, 0, lift_store, "fistp", X87, X87_ST_I32 | POP),
	X86("DF /7 mem", "Mq", FPU, 0, 0, 0, lift_store, "fistp", X87, X87_ST_I64 | POP),
	X86("DF /6 mem", "Mt", FPU, 0, 0, 0, lift_store, "fbstp", X87, X87_ST_BCD | POP),
	X86("DF /1 mem", "Mw", X86_FEAT_SSE3, 0, 0, 0, lift_store, "fisttp", X87, X87_ST_TT16 | POP),
	X86("DB /1 mem", "Md", X86_FEAT_SSE3, 0, 0, 0, lift_store, "fisttp", X87, X87_ST_TT32 | POP),
	X86("DD /1 mem", "Mq", X86_FEAT_SSE3, 0, 0, 0, lift_store, "fisttp", X87, X87_ST_TT64 | POP),
	/* between registers; the stack */
	X86("D9 C0+i", "STi", FPU, 0, 0, 0, lift_move, "fld", X87, X87_FLD),
	X86("D9 C8+i", "STi", FPU, 0, 0, 0, lift_move, "fxch", X87, X87_FXCH),
	X86("DD C8+i", "STi", FPU, 0, 0, 0, lift_move, "fxch", X87, X87_FXCH),
	X86("DF C8+i", "STi", FPU, 0, 0, 0, lift_move, "fxch", X87, X87_FXCH),
	X86("DD D0+i", "STi", FPU, 0, 0, 0, lift_move, "fst", X87, X87_FST),
	X86("DD D8+i", "STi", FPU, 0, 0, 0, lift_move, "fstp", X87, X87_FST | POP),
	X86("D9 D8+i", "STi", FPU, 0, 0, 0, lift_move, "fstpnce", X87, X87_FSTPNCE),
	X86("DF D0+i", "STi", FPU, 0, 0, 0, lift_move, "fstp", X87, X87_FST | POP),
	X86("DF D8+i", "STi", FPU, 0, 0, 0, lift_move, "fstp", X87, X87_FST | POP),
	X86("DD C0+i", "STi", FPU, 0, 0, 0, lift_move, "ffree", X87, X87_FFREE),
	X86("DF C0+i", "STi", FPU, 0, 0, 0, lift_move, "ffreep", X87, X87_FFREE | POP),
	X86("D9 D0", "", FPU, 0, 0, 0, lift_move, "fnop", X87, X87_NOP),
	X86("D9 F6", "", FPU, 0, 0, 0, lift_move, "fdecstp", X87, X87_DECSTP),
	X86("D9 F7", "", FPU, 0, 0, 0, lift_move, "fincstp", X87, X87_INCSTP),
	X86("DA C0+i", "ST0,STi", CMOV, X86_CF, 0, 0, lift_cmov, "fcmovb", X87, IR_COND_B),
	X86("DA C8+i", "ST0,STi", CMOV, X86_ZF, 0, 0, lift_cmov, "fcmove", X87, IR_COND_E),
	X86("DA D0+i", "ST0,STi", CMOV, X86_CF | X86_ZF, 0, 0, lift_cmov, "fcmovbe", X87, IR_COND_BE),
	X86("DA D8+i", "ST0,STi", CMOV, X86_PF, 0, 0, lift_cmov, "fcmovu", X87, IR_COND_P),
	X86("DB C0+i", "ST0,STi", CMOV, X86_CF, 0, 0, lift_cmov, "fcmovnb", X87, IR_COND_AE),
	X86("DB C8+i", "ST0,STi", CMOV, X86_ZF, 0, 0, lift_cmov, "fcmovne", X87, IR_COND_NE),
	X86("DB D0+i", "ST0,STi", CMOV, X86_CF | X86_ZF, 0, 0, lift_cmov, "fcmovnbe", X87, IR_COND_A),
	X86("DB D8+i", "ST0,STi", CMOV, X86_PF, 0, 0, lift_cmov, "fcmovnu", X87, IR_COND_NP),
	/* functions */
	X86("D9 E0", "", FPU, 0, 0, 0, lift_func, "fchs", X87, X87_CHS),
	X86("D9 E1", "", FPU, 0, 0, 0, lift_func, "fabs", X87, X87_ABS),
	X86("D9 E4", "", FPU, 0, 0, 0, lift_func, "ftst", X87, X87_TST),
	X86("D9 E5", "", FPU, 0, 0, 0, lift_func, "fxam", X87, X87_XAM),
	X86("D9 F0", "", FPU, 0, 0, 0, lift_func, "f2xm1", X87, X87_2XM1),
	X86("D9 F1", "", FPU, 0, 0, 0, lift_func, "fyl2x", X87, X87_YL2X),
	X86("D9 F2", "", FPU, 0, 0, 0, lift_func, "fptan", X87, X87_PTAN),
	X86("D9 F3", "", FPU, 0, 0, 0, lift_func, "fpatan", X87, X87_PATAN),
	X86("D9 F4", "", FPU, 0, 0, 0, lift_func, "fxtract", X87, X87_XTRACT),
	X86("D9 F5", "", FPU, 0, 0, 0, lift_func, "fprem1", X87, X87_PREM1),
	X86("D9 F8", "", FPU, 0, 0, 0, lift_func, "fprem", X87, X87_PREM),
	X86("D9 F9", "", FPU, 0, 0, 0, lift_func, "fyl2xp1", X87, X87_YL2XP1),
	X86("D9 FA", "", FPU, 0, 0, 0, lift_func, "fsqrt", X87, X87_SQRT),
	X86("D9 FB", "", FPU, 0, 0, 0, lift_func, "fsincos", X87, X87_SINCOS),
	X86("D9 FC", "", FPU, 0, 0, 0, lift_func, "frndint", X87, X87_RNDINT),
	X86("D9 FD", "", FPU, 0, 0, 0, lift_func, "fscale", X87, X87_SCALE),
	X86("D9 FE", "", FPU, 0, 0, 0, lift_func, "fsin", X87, X87_SIN),
	X86("D9 FF", "", FPU, 0, 0, 0, lift_func, "fcos", X87, X87_COS),
	/* control */
	X86("9B", "", X86_FEAT_BASE, 0, 0, 0, lift_fwait, "wait", 0, 0),
	X86("DB E3", "", FPU, 0, 0, 0, lift_clear, "fninit", NOWAIT | X86_ENDS, HELPER_FNINIT),
	X86("DB E2", "", FPU, 0, 0, 0, lift_clear, "fnclex", NOWAIT | X86_ENDS, HELPER_FNCLEX),
	X86("DB E0", "", FPU, 0, 0, 0, lift_nothing, "fneni", NOWAIT, 0),
	X86("DB E1", "", FPU, 0, 0, 0, lift_nothing, "fndisi", NOWAIT, 0),
	X86("DB E4", "", FPU, 0, 0, 0, lift_nothing, "fnsetpm", NOWAIT, 0),
	X86("DF E0", "AX", FPU, 0, 0, 0, lift_fnstsw, "fnstsw", NOWAIT, 0),
	X86("DD /7 mem", "Mw", FPU, 0, 0, 0, lift_fnstsw, "fnstsw", NOWAIT, 0),
	X86("D9 /7 mem", "Mw", FPU, 0, 0, 0, lift_fnstcw, "fnstcw", NOWAIT, 0),
	X86("D9 /5 mem", "Mw", FPU, 0, 0, 0, lift_fldcw, "fldcw", X87, 0),
	X86("D9 /6 mem", "M", FPU, 0, 0, 0, lift_image, "fnstenv", NOWAIT | X86_ENDS, HELPER_FNSTENV),
	X86("D9 /4 mem", "M", FPU, 0, 0, 0, lift_image, "fldenv", ENDS, HELPER_FLDENV),
	X86("DD /6 mem", "M", FPU, 0, 0, 0, lift_image, "fnsave", NOWAIT | X86_ENDS, HELPER_FNSAVE),
	X86("DD /4 mem", "M", FPU, 0, 0, 0, lift_image, "frstor", ENDS, HELPER_FRSTOR),
	X86_ROWS_END,
};
/* clang-format on */
