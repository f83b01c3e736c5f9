/*
 * Decimal arithmetic: AAA AAS AAM AAD DAA DAS, and SALC (undocumented, D6). SDM vol. 2.
 * Not in 64-bit code. Rare: one pure helper each, from AX and the packed flags to both.
 */
#include "isa/x86/families.h"
#include "isa/x86/lift.h"

/* Helpers get AX in a and packed flags in b, and return AX | packed flags << 16. */
static uint64_t bcd_result(unsigned ax, unsigned flags)
{
	return (ax & 0xffff) | (uint64_t)flags << 16;
}

/* SF ZF PF of a byte. */
static unsigned byte_flags(unsigned al)
{
	return ir_flags_eval(IR_FLAGS_KEY(IR_FLAGS_LOGIC, 0), al, 0, 0);
}

static bool low_digit_over(unsigned al, uint64_t flags)
{
	return (al & 15) > 9 || (flags & X86_AF);
}

/* AAA and AAS differ in sign: step is AL's correction together with AH's. */
static uint64_t ascii_adjust(uint64_t ax, uint64_t flags, unsigned step)
{
	bool adjust = low_digit_over(ax & 0xff, flags);

	if (adjust)
		ax += step;
	return bcd_result(ax & 0xff0f, adjust ? X86_AF | X86_CF : 0);
}

static uint64_t x86_aaa(void *cpu, uint64_t a, uint64_t b, uint64_t c)
{
	return ascii_adjust(a, b, 0x106);
}

static uint64_t x86_aas(void *cpu, uint64_t a, uint64_t b, uint64_t c)
{
	return ascii_adjust(a, b, 0u - 0x106);
}

static uint64_t x86_daa(void *cpu, uint64_t a, uint64_t b, uint64_t c)
{
	unsigned al = a & 0xff, old = al, flags = 0;

	if (low_digit_over(old, b)) {
		al += 6;
		flags |= X86_AF;
	}
	if (old > 0x99 || (b & X86_CF)) {
		al += 0x60;
		flags |= X86_CF;
	}
	al &= 0xff;
	return bcd_result((a & 0xff00) | al, flags | byte_flags(al));
}

static uint64_t x86_das(void *cpu, uint64_t a, uint64_t b, uint64_t c)
{
	unsigned al = a & 0xff, old = al, flags = 0;

	if (low_digit_over(old, b)) {
		flags |= X86_AF | (old < 6 ? X86_CF : 0);
		al -= 6;
	}
	if (old > 0x99 || (b & X86_CF)) {
		al -= 0x60;
		flags |= X86_CF;
	}
	al &= 0xff;
	return bcd_result((a & 0xff00) | al, flags | byte_flags(al));
}

/* b = the base, never 0. */
static uint64_t x86_aam(void *cpu, uint64_t a, uint64_t b, uint64_t c)
{
	unsigned al = a & 0xff, base = b & 0xff;

	if (!base)
		return bcd_result((unsigned)a, 0);
	return bcd_result(al / base << 8 | al % base, byte_flags(al % base));
}

static uint64_t x86_aad(void *cpu, uint64_t a, uint64_t b, uint64_t c)
{
	unsigned al = ((a & 0xff) + (a >> 8 & 0xff) * (b & 0xff)) & 0xff;

	return bcd_result(al, byte_flags(al));
}

enum { H_AAA, H_AAS, H_DAA, H_DAS, H_AAM, H_AAD };

/* clang-format off */
const struct ir_helper x86_helpers_bcd[] = {
	[H_AAA] = {"aaa", x86_aaa, 2, IR_I64, IR_HELPER_PURE},
	[H_AAS] = {"aas", x86_aas, 2, IR_I64, IR_HELPER_PURE},
	[H_DAA] = {"daa", x86_daa, 2, IR_I64, IR_HELPER_PURE},
	[H_DAS] = {"das", x86_das, 2, IR_I64, IR_HELPER_PURE},
	[H_AAM] = {"aam", x86_aam, 2, IR_I64, IR_HELPER_PURE},
	[H_AAD] = {"aad", x86_aad, 2, IR_I64, IR_HELPER_PURE},
	{NULL},
};
/* clang-format on */

static void bcd_call(struct lift *l, const struct x86_insn *i, ir_ref arg)
{
	struct ir_block *b = l->b;
	ir_ref ax = ir_zext(b, IR_I64, lift_gpr(l, X86_RAX, 2)), r;

	r = ir_call(b, &x86_helpers_bcd[i->row->arg], ax, arg, IR_NONE);
	lift_set_gpr(l, X86_RAX, ir_trunc(b, IR_I16, r));
	lift_set_packed_flags(l, ir_bin_imm(b, IR_SHR, r, 16));
}

static void lift_bcd_flags(struct lift *l, const struct x86_insn *i)
{
	bcd_call(l, i, lift_packed_flags(l));
}

static void lift_bcd_base(struct lift *l, const struct x86_insn *i)
{
	uint64_t base = (uint64_t)i->imm & 0xff;

	if (i->row->arg == H_AAM && !base)
		lift_fault(l, X86_FAULT_DE);
	else
		bcd_call(l, i, lift_imm(l, IR_I64, base));
}

/* AL = CF ? FF : 0 */
static void lift_salc(struct lift *l, const struct x86_insn *i)
{
	lift_set_gpr(l, X86_RAX, ir_un(l->b, IR_NEG, lift_carry(l, IR_I8)));
}

#define AA_UNDEF (X86_OF | X86_SF | X86_ZF | X86_PF)
#define AM_UNDEF (X86_OF | X86_AF | X86_CF)
#define ALL	 X86_ARITH_FLAGS

/* clang-format off */
const struct x86_row x86_rows_bcd[] = {
	X86("37", "", X86_FEAT_BASE, X86_AF, ALL & ~AA_UNDEF, AA_UNDEF, lift_bcd_flags, "aaa", X86_NO64, H_AAA),
	X86("3F", "", X86_FEAT_BASE, X86_AF, ALL & ~AA_UNDEF, AA_UNDEF, lift_bcd_flags, "aas", X86_NO64, H_AAS),
	X86("27", "", X86_FEAT_BASE, X86_AF | X86_CF, ALL & ~X86_OF, X86_OF, lift_bcd_flags, "daa", X86_NO64, H_DAA),
	X86("2F", "", X86_FEAT_BASE, X86_AF | X86_CF, ALL & ~X86_OF, X86_OF, lift_bcd_flags, "das", X86_NO64, H_DAS),
	X86("D4", "Ib", X86_FEAT_BASE, 0, ALL & ~AM_UNDEF, AM_UNDEF, lift_bcd_base, "aam", X86_NO64, H_AAM),
	X86("D5", "Ib", X86_FEAT_BASE, 0, ALL & ~AM_UNDEF, AM_UNDEF, lift_bcd_base, "aad", X86_NO64, H_AAD),
	X86("D6", "", X86_FEAT_BASE, X86_CF, 0, 0, lift_salc, "salc", X86_NO64, 0),
	X86_ROWS_END,
};
/* clang-format on */
