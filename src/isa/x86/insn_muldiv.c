/*
 * MUL, IMUL (one, two and three operands), DIV, IDIV. SDM vol. 2.
 *
 * Products are IR: narrow ones in a type twice as wide, 64-bit ones with the high-half operations.
 * Division is a helper, since it may raise #DE on a zero divisor or a quotient that does not fit.
 * After a multiplication SF ZF AF PF, after a division all six flags are undefined.
 */
#include "isa/x86/families.h"
#include "isa/x86/lift.h"

/* The double-width dividend is divided by the host; the caller has made sure that it fits. */
static uint64_t host_div(uint64_t high, uint64_t low, uint64_t divisor, uint64_t *rem)
{
	uint64_t q, r;

	__asm__("divq %[d]" : "=a"(q), "=d"(r) : [d] "rm"(divisor), "0"(low), "1"(high) : "cc");
	*rem = r;
	return q;
}

static uint64_t gpr_part(const struct x86_cpu *cpu, unsigned reg, unsigned bytes)
{
	return cpu->gpr[reg] & bits_mask(bytes * 8);
}

static void gpr_set_part(struct x86_cpu *cpu, unsigned reg, unsigned bytes, uint64_t v)
{
	if (bytes == 4)
		cpu->gpr[reg] = (uint32_t)v;
	else
		cpu->gpr[reg] = (cpu->gpr[reg] & ~bits_mask(bytes * 8)) | v;
}

/* Dividend: AX, or rDX:rAX as two halves of bytes each. */
static void dividend_get(const struct x86_cpu *cpu, unsigned bytes, uint64_t *high, uint64_t *low)
{
	if (bytes == 1) {
		*low = cpu->gpr[X86_RAX] & 0xff;
		*high = cpu->gpr[X86_RAX] >> 8 & 0xff;
		return;
	}
	*low = gpr_part(cpu, X86_RAX, bytes);
	*high = gpr_part(cpu, X86_RDX, bytes);
}

static void quotient_set(struct x86_cpu *cpu, unsigned bytes, uint64_t q, uint64_t r)
{
	uint64_t mask = bits_mask(bytes * 8);

	if (bytes == 1) {
		gpr_set_part(cpu, X86_RAX, 2, (r & mask) << 8 | (q & mask));
		return;
	}
	gpr_set_part(cpu, X86_RAX, bytes, q & mask);
	gpr_set_part(cpu, X86_RDX, bytes, r & mask);
}

/* Divide high:low (halves of width bits) by divisor; false if the quotient needs more bits. */
static bool divide(uint64_t high, uint64_t low, uint64_t divisor, unsigned width, uint64_t *q,
		   uint64_t *r)
{
	if (high >= divisor) /* a zero divisor too */
		return false;
	if (width == 64) {
		*q = host_div(high, low, divisor, r);
		return true;
	}
	low |= high << width;
	*q = low / divisor;
	*r = low % divisor;
	return true;
}

/* a = divisor, b = operand bytes. */
static uint64_t x86_div(void *opaque, uint64_t a, uint64_t b, uint64_t c)
{
	struct x86_cpu *cpu = opaque;
	unsigned bytes = (unsigned)b;
	uint64_t high, low, q, r;

	dividend_get(cpu, bytes, &high, &low);
	if (!divide(high, low, a, bytes * 8, &q, &r))
		return x86_fault_raise(cpu, X86_FAULT_DE);
	quotient_set(cpu, bytes, q, r);
	return 0;
}

/* Negate the double-width number *high:*low, halves of width bits. */
static void negate_pair(uint64_t *high, uint64_t *low, unsigned width)
{
	uint64_t mask = bits_mask(width);

	*low = -*low & mask;
	*high = (~*high + (*low == 0)) & mask;
}

static uint64_t x86_idiv(void *opaque, uint64_t a, uint64_t b, uint64_t c)
{
	struct x86_cpu *cpu = opaque;
	unsigned bytes = (unsigned)b, width = bytes * 8;
	uint64_t high, low, q, r, sign = 1ull << (width - 1);
	bool minus_n, minus_d = a & sign;

	dividend_get(cpu, bytes, &high, &low);
	minus_n = high & sign;
	if (minus_n)
		negate_pair(&high, &low, width);
	if (minus_d)
		a = -a & bits_mask(width);
	if (!divide(high, low, a, width, &q, &r))
		return x86_fault_raise(cpu, X86_FAULT_DE);
	if (q > sign || (q == sign && minus_n == minus_d))
		return x86_fault_raise(cpu, X86_FAULT_DE);
	quotient_set(cpu, bytes, minus_n != minus_d ? -q : q, minus_n ? -r : r);
	return 0;
}

#define DIV_STATE (X86_ST_GPR(X86_RAX) | X86_ST_GPR(X86_RDX))

enum { H_DIV, H_IDIV };

/* clang-format off */
const struct ir_helper x86_helpers_muldiv[] = {
	[H_DIV]  = {"div",  x86_div,  2, IR_VOID, IR_HELPER_FAULTS, DIV_STATE, DIV_STATE},
	[H_IDIV] = {"idiv", x86_idiv, 2, IR_VOID, IR_HELPER_FAULTS, DIV_STATE, DIV_STATE},
	{NULL},
};
/* clang-format on */

static void lift_divide(struct lift *l, const struct x86_insn *i)
{
	ir_ref d = lift_read_zext(l, i, 0, IR_I64);

	lift_call(l, &x86_helpers_muldiv[i->row->arg], d, lift_imm(l, IR_I64, i->op[0].bytes),
		  IR_NONE);
}

struct product {
	ir_ref low, high;
	ir_ref overflow; /* i8: the high half says more than the low one */
};

static ir_ref widen(struct ir_block *b, enum ir_type t, ir_ref x, bool is_signed)
{
	return is_signed ? ir_sext(b, t, x) : ir_zext(b, t, x);
}

/* Product of x and y, of one type narrower than 64 bits, by way of the next wider one. */
static struct product multiply_narrow(struct lift *l, ir_ref x, ir_ref y, bool is_signed)
{
	struct ir_block *b = l->b;
	enum ir_type t = ir_type_of(b, x), wide = (enum ir_type)(t + 1);
	ir_ref wide_x = widen(b, wide, x, is_signed), wide_y = widen(b, wide, y, is_signed);
	ir_ref p = ir_bin(b, IR_MUL, wide_x, wide_y);
	struct product r;

	r.low = ir_trunc(b, t, p);
	r.high = ir_trunc(b, t, ir_bin_imm(b, IR_SHR, p, ir_type_bits(t)));
	r.overflow = ir_cmp(b, IR_NE, p, widen(b, wide, r.low, is_signed));
	return r;
}

static struct product multiply(struct lift *l, ir_ref x, ir_ref y, bool is_signed)
{
	struct ir_block *b = l->b;
	struct product r;

	if (ir_type_of(b, x) != IR_I64)
		return multiply_narrow(l, x, y, is_signed);
	r.low = ir_bin(b, IR_MUL, x, y);
	r.high = ir_bin(b, is_signed ? IR_MULHS : IR_MULHU, x, y);
	r.overflow = ir_cmp(b, IR_NE, r.high,
			    is_signed ? ir_bin_imm(b, IR_SAR, r.low, 63) : lift_imm(l, IR_I64, 0));
	return r;
}

static void multiply_flags(struct lift *l, struct product p)
{
	enum ir_type t = ir_type_of(l->b, p.low);

	lift_flags(l, IR_FLAGS_MUL, t, p.low, ir_zext(l->b, t, p.overflow), IR_NONE);
}

/* rDX:rAX = rAX * operand; AX for bytes. arg: signed. */
static void lift_multiply(struct lift *l, const struct x86_insn *i)
{
	struct ir_block *b = l->b;
	ir_ref x = lift_read(l, i, 0), ax;
	unsigned bytes = i->op[0].bytes;
	struct product p = multiply(l, lift_gpr(l, X86_RAX, bytes), x, i->row->arg);

	if (bytes == 1) {
		ax = ir_bin_imm(b, IR_SHL, ir_zext(b, IR_I16, p.high), 8);
		ax = ir_bin(b, IR_OR, ax, ir_zext(b, IR_I16, p.low));
		lift_set_gpr(l, X86_RAX, ax);
	} else {
		lift_set_gpr(l, X86_RAX, p.low);
		lift_set_gpr(l, X86_RDX, p.high);
	}
	multiply_flags(l, p);
}

/* Gv = Gv * Ev, or Gv = Ev * imm. */
static void lift_imul_reg(struct lift *l, const struct x86_insn *i)
{
	ir_ref x = lift_read(l, i, 1), y;
	struct product p;

	if (i->op_count > 2)
		y = lift_imm(l, ir_type_of(l->b, x), (uint64_t)i->imm);
	else
		y = lift_read(l, i, 0);
	p = multiply(l, x, y, true);
	lift_write(l, i, 0, p.low);
	multiply_flags(l, p);
}

#define MUL_FLAGS (X86_CF | X86_OF)
#define MUL_UNDEF (X86_SF | X86_ZF | X86_AF | X86_PF)
#define ALL	  X86_ARITH_FLAGS

/* clang-format off */
const struct x86_row x86_rows_muldiv[] = {
	X86("F6 /4", "Eb", X86_FEAT_BASE, 0, MUL_FLAGS, MUL_UNDEF, lift_multiply, "mul", 0, false),
	X86("F7 /4", "Ev", X86_FEAT_BASE, 0, MUL_FLAGS, MUL_UNDEF, lift_multiply, "mul", 0, false),
	X86("F6 /5", "Eb", X86_FEAT_BASE, 0, MUL_FLAGS, MUL_UNDEF, lift_multiply, "imul", 0, true),
	X86("F7 /5", "Ev", X86_FEAT_BASE, 0, MUL_FLAGS, MUL_UNDEF, lift_multiply, "imul", 0, true),
	X86("F6 /6", "Eb", X86_FEAT_BASE, 0, 0, ALL, lift_divide, "div", 0, H_DIV),
	X86("F7 /6", "Ev", X86_FEAT_BASE, 0, 0, ALL, lift_divide, "div", 0, H_DIV),
	X86("F6 /7", "Eb", X86_FEAT_BASE, 0, 0, ALL, lift_divide, "idiv", 0, H_IDIV),
	X86("F7 /7", "Ev", X86_FEAT_BASE, 0, 0, ALL, lift_divide, "idiv", 0, H_IDIV),
	X86("0F AF /r", "Gv,Ev", X86_FEAT_BASE, 0, MUL_FLAGS, MUL_UNDEF, lift_imul_reg, "imul", 0, 0),
	X86("69 /r", "Gv,Ev,Iz", X86_FEAT_BASE, 0, MUL_FLAGS, MUL_UNDEF, lift_imul_reg, "imul", 0, 0),
	X86("6B /r", "Gv,Ev,Isb", X86_FEAT_BASE, 0, MUL_FLAGS, MUL_UNDEF, lift_imul_reg, "imul", 0, 0),
	X86_ROWS_END,
};
/* clang-format on */
