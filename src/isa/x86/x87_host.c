/*
 * The host's x87 instructions behind the guest's (x87_host.h).
 *
 * The guest's control word is loaded as it is, unmasked exceptions included: results are then what
 * the hardware gives (none after an unmasked invalid operation, a biased exponent after an unmasked
 * overflow). An unmasked exception would trap only at the next waiting instruction; the status is
 * taken, and exceptions are cleared, before there is one.
 */
#include "isa/x86/x87_host.h"

static const uint16_t host_fcw = 0x37f;

/* Take the status into AX; clear exceptions if there are any. */
#define STATUS                                                                                     \
	"fnstsw %%ax\n\t"                                                                          \
	"testb $0xbf, %%al\n\t"                                                                    \
	"jz 1f\n\t"                                                                                \
	"fnclex\n"                                                                                 \
	"1:\tfldcw %[host]\n\t"

/* For what leaves the stack at another depth when an unmasked exception stops it. */
#define RESET_IF_PENDING                                                                           \
	"testb $0x80, %%al\n\t"                                                                    \
	"jz 2f\n\t"                                                                                \
	"fninit\n"                                                                                 \
	"2:\n\t"

#define LOAD_X	"fldt %[x]\n\t"
#define LOAD_XY "fldt %[y]\n\tfldt %[x]\n\t"
#define KEEP_X	"fstpt %[x]\n\t"
#define KEEP_Y	"fstpt %[y]\n\t"
#define DROP	"fstp %%st(0)\n\t"
#define RESET	"fninit\n\t"

#define HOST_FN(name, load, op, keep)                                                              \
	static uint16_t name(uint16_t fcw, struct x86_fpr *x, struct x86_fpr *y)                   \
	{                                                                                          \
		uint16_t sw;                                                                       \
                                                                                                   \
		__asm__ volatile("fldcw %[fcw]\n\t" load op "\n\t" STATUS keep                     \
				 : "=&a"(sw), [x] "+m"(*x), [y] "+m"(*y)                           \
				 : [fcw] "m"(fcw), [host] "m"(host_fcw)                            \
				 : "cc", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)",        \
				   "st(6)", "st(7)");                                              \
		return sw;                                                                         \
	}

/* ---- arithmetic */

HOST_FN(reg_add, LOAD_XY, "fadd %%st(1), %%st", KEEP_X DROP)
HOST_FN(reg_mul, LOAD_XY, "fmul %%st(1), %%st", KEEP_X DROP)
HOST_FN(reg_com, LOAD_XY, "fcom %%st(1)", KEEP_X DROP)
HOST_FN(reg_ucom, LOAD_XY, "fucom %%st(1)", KEEP_X DROP)
HOST_FN(reg_sub, LOAD_XY, "fsub %%st(1), %%st", KEEP_X DROP)
HOST_FN(reg_subr, LOAD_XY, "fsubr %%st(1), %%st", KEEP_X DROP)
HOST_FN(reg_div, LOAD_XY, "fdiv %%st(1), %%st", KEEP_X DROP)
HOST_FN(reg_divr, LOAD_XY, "fdivr %%st(1), %%st", KEEP_X DROP)

const x87_host_fn x87_host_arith[X87_ARITHS] = {
	reg_add, reg_mul, reg_com, reg_ucom, reg_sub, reg_subr, reg_div, reg_divr,
};

HOST_FN(m32_add, LOAD_X, "fadds %[y]", KEEP_X)
HOST_FN(m32_mul, LOAD_X, "fmuls %[y]", KEEP_X)
HOST_FN(m32_com, LOAD_X, "fcoms %[y]", KEEP_X)
HOST_FN(m32_sub, LOAD_X, "fsubs %[y]", KEEP_X)
HOST_FN(m32_subr, LOAD_X, "fsubrs %[y]", KEEP_X)
HOST_FN(m32_div, LOAD_X, "fdivs %[y]", KEEP_X)
HOST_FN(m32_divr, LOAD_X, "fdivrs %[y]", KEEP_X)

HOST_FN(m64_add, LOAD_X, "faddl %[y]", KEEP_X)
HOST_FN(m64_mul, LOAD_X, "fmull %[y]", KEEP_X)
HOST_FN(m64_com, LOAD_X, "fcoml %[y]", KEEP_X)
HOST_FN(m64_sub, LOAD_X, "fsubl %[y]", KEEP_X)
HOST_FN(m64_subr, LOAD_X, "fsubrl %[y]", KEEP_X)
HOST_FN(m64_div, LOAD_X, "fdivl %[y]", KEEP_X)
HOST_FN(m64_divr, LOAD_X, "fdivrl %[y]", KEEP_X)

HOST_FN(i16_add, LOAD_X, "fiadds %[y]", KEEP_X)
HOST_FN(i16_mul, LOAD_X, "fimuls %[y]", KEEP_X)
HOST_FN(i16_com, LOAD_X, "ficoms %[y]", KEEP_X)
HOST_FN(i16_sub, LOAD_X, "fisubs %[y]", KEEP_X)
HOST_FN(i16_subr, LOAD_X, "fisubrs %[y]", KEEP_X)
HOST_FN(i16_div, LOAD_X, "fidivs %[y]", KEEP_X)
HOST_FN(i16_divr, LOAD_X, "fidivrs %[y]", KEEP_X)

HOST_FN(i32_add, LOAD_X, "fiaddl %[y]", KEEP_X)
HOST_FN(i32_mul, LOAD_X, "fimull %[y]", KEEP_X)
HOST_FN(i32_com, LOAD_X, "ficoml %[y]", KEEP_X)
HOST_FN(i32_sub, LOAD_X, "fisubl %[y]", KEEP_X)
HOST_FN(i32_subr, LOAD_X, "fisubrl %[y]", KEEP_X)
HOST_FN(i32_div, LOAD_X, "fidivl %[y]", KEEP_X)
HOST_FN(i32_divr, LOAD_X, "fidivrl %[y]", KEEP_X)

/* There is no FUCOM with memory: its place, the opcodes' FCOMP, is FCOM again. */
const x87_host_fn x87_host_arith_mem[X87_VALUES][X87_ARITHS] = {
	[X87_M32] = {m32_add, m32_mul, m32_com, m32_com, m32_sub, m32_subr, m32_div, m32_divr},
	[X87_M64] = {m64_add, m64_mul, m64_com, m64_com, m64_sub, m64_subr, m64_div, m64_divr},
	[X87_I16] = {i16_add, i16_mul, i16_com, i16_com, i16_sub, i16_subr, i16_div, i16_divr},
	[X87_I32] = {i32_add, i32_mul, i32_com, i32_com, i32_sub, i32_subr, i32_div, i32_divr},
};

/* ---- loads and stores */

HOST_FN(load_m32, "", "flds %[y]", KEEP_X RESET_IF_PENDING)
HOST_FN(load_m64, "", "fldl %[y]", KEEP_X RESET_IF_PENDING)
HOST_FN(load_i16, "", "filds %[y]", KEEP_X)
HOST_FN(load_i32, "", "fildl %[y]", KEEP_X)
HOST_FN(load_i64, "", "fildll %[y]", KEEP_X)
HOST_FN(load_bcd, "", "fbld %[y]", KEEP_X)

const x87_host_fn x87_host_load[X87_I64 + 1] = {
	[X87_M32] = load_m32, [X87_M64] = load_m64, [X87_I16] = load_i16,
	[X87_I32] = load_i32, [X87_I64] = load_i64,
};
const x87_host_fn x87_host_load_bcd = load_bcd;

HOST_FN(const_one, "", "fld1", KEEP_X)
HOST_FN(const_l2t, "", "fldl2t", KEEP_X)
HOST_FN(const_l2e, "", "fldl2e", KEEP_X)
HOST_FN(const_pi, "", "fldpi", KEEP_X)
HOST_FN(const_lg2, "", "fldlg2", KEEP_X)
HOST_FN(const_ln2, "", "fldln2", KEEP_X)
HOST_FN(const_zero, "", "fldz", KEEP_X)

const x87_host_fn x87_host_const[X87_ZERO + 1] = {
	const_one, const_l2t, const_l2e, const_pi, const_lg2, const_ln2, const_zero,
};

HOST_FN(store_m32, LOAD_X, "fsts %[y]", DROP)
HOST_FN(store_m64, LOAD_X, "fstl %[y]", DROP)
HOST_FN(store_i16, LOAD_X, "fists %[y]", DROP)
HOST_FN(store_i32, LOAD_X, "fistl %[y]", DROP)
HOST_FN(store_i64, LOAD_X, "fistpll %[y]", RESET_IF_PENDING)
HOST_FN(store_tt16, LOAD_X, "fisttps %[y]", RESET_IF_PENDING)
HOST_FN(store_tt32, LOAD_X, "fisttpl %[y]", RESET_IF_PENDING)
HOST_FN(store_tt64, LOAD_X, "fisttpll %[y]", RESET_IF_PENDING)
HOST_FN(store_bcd, LOAD_X, "fbstp %[y]", RESET_IF_PENDING)

const x87_host_fn x87_host_store[X87_ST_BCD + 1] = {
	[X87_ST_M32] = store_m32,   [X87_ST_M64] = store_m64,	[X87_ST_I16] = store_i16,
	[X87_ST_I32] = store_i32,   [X87_ST_I64] = store_i64,	[X87_ST_TT16] = store_tt16,
	[X87_ST_TT32] = store_tt32, [X87_ST_TT64] = store_tt64, [X87_ST_BCD] = store_bcd,
};

/* ---- functions */

HOST_FN(func_tst, LOAD_X, "ftst", KEEP_X)
HOST_FN(func_xam, LOAD_X, "fxam", KEEP_X)
HOST_FN(func_sqrt, LOAD_X, "fsqrt", KEEP_X)
HOST_FN(func_rndint, LOAD_X, "frndint", KEEP_X)
HOST_FN(func_2xm1, LOAD_X, "f2xm1", KEEP_X)
HOST_FN(func_sin, LOAD_X, "fsin", KEEP_X)
HOST_FN(func_cos, LOAD_X, "fcos", KEEP_X)
HOST_FN(func_scale, LOAD_XY, "fscale", KEEP_X DROP)
HOST_FN(func_prem, LOAD_XY, "fprem", KEEP_X DROP)
HOST_FN(func_prem1, LOAD_XY, "fprem1", KEEP_X DROP)
HOST_FN(func_yl2x, LOAD_XY, "fyl2x", KEEP_Y RESET)
HOST_FN(func_yl2xp1, LOAD_XY, "fyl2xp1", KEEP_Y RESET)
HOST_FN(func_patan, LOAD_XY, "fpatan", KEEP_Y RESET)
HOST_FN(func_ptan, LOAD_X, "fptan", KEEP_Y KEEP_X RESET)
HOST_FN(func_sincos, LOAD_X, "fsincos", KEEP_Y KEEP_X RESET)
HOST_FN(func_xtract, LOAD_X, "fxtract", KEEP_Y KEEP_X RESET)

const x87_host_fn x87_host_func[X87_FUNCS] = {
	[X87_TST] = func_tst,	    [X87_XAM] = func_xam,     [X87_SQRT] = func_sqrt,
	[X87_RNDINT] = func_rndint, [X87_2XM1] = func_2xm1,   [X87_SIN] = func_sin,
	[X87_COS] = func_cos,	    [X87_SCALE] = func_scale, [X87_PREM] = func_prem,
	[X87_PREM1] = func_prem1,   [X87_YL2X] = func_yl2x,   [X87_YL2XP1] = func_yl2xp1,
	[X87_PATAN] = func_patan,   [X87_PTAN] = func_ptan,   [X87_SINCOS] = func_sincos,
	[X87_XTRACT] = func_xtract,
};
