/* ir_flags_eval against the host CPU's own flags, and ir_cond_eval against ir_flags_eval. */
#include "test.h"

#include "base/bits.h"
#include "ir/flags.h"
#include "xorshift.h"

/* Flags after one instruction; carry in is set by negating 0 or 1. Steps over the red zone. */
#define OVER "lea -128(%%rsp), %%rsp\n\t"
#define BACK "\n\tpushfq\n\tpopq %0\n\tlea 128(%%rsp), %%rsp"

enum { CF = 1, PF = 1 << 2, AF = 1 << 4, ZF = 1 << 6, SF = 1 << 7, OF = 1 << 11, SIX = 0x8d5 };

#define TWO_OPERANDS(name, op, type)                                                               \
	static uint64_t name(uint64_t a, uint64_t b, unsigned carry)                               \
	{                                                                                          \
		type x = (type)a, y = (type)b;                                                     \
		uint64_t f;                                                                        \
		__asm__ volatile(OVER "neg %k2\n\t" op " %3, %1" BACK                              \
				 : "=&r"(f), "+r"(x), "+r"(carry)                                  \
				 : "r"(y)                                                          \
				 : "cc", "memory");                                                \
		return f;                                                                          \
	}
#define ONE_OPERAND(name, op, type)                                                                \
	static uint64_t name(uint64_t a, uint64_t b, unsigned carry)                               \
	{                                                                                          \
		type x = (type)a;                                                                  \
		uint64_t f;                                                                        \
		__asm__ volatile(OVER "neg %k2\n\t" op " %1" BACK                                  \
				 : "=&r"(f), "+r"(x), "+r"(carry)                                  \
				 :                                                                 \
				 : "cc", "memory");                                                \
		return f;                                                                          \
	}
#define SHIFT(name, op, type)                                                                      \
	static uint64_t name(uint64_t a, uint64_t b, unsigned carry)                               \
	{                                                                                          \
		type x = (type)a;                                                                  \
		uint64_t f;                                                                        \
		__asm__ volatile(OVER "neg %k2\n\t" op " %%cl, %1" BACK                            \
				 : "=&r"(f), "+r"(x), "+r"(carry)                                  \
				 : "c"(b)                                                          \
				 : "cc", "memory");                                                \
		return f;                                                                          \
	}

/* clang-format off */
TWO_OPERANDS(add8, "addb", uint8_t)   TWO_OPERANDS(add16, "addw", uint16_t)
TWO_OPERANDS(add32, "addl", uint32_t) TWO_OPERANDS(add64, "addq", uint64_t)
TWO_OPERANDS(adc8, "adcb", uint8_t)   TWO_OPERANDS(adc16, "adcw", uint16_t)
TWO_OPERANDS(adc32, "adcl", uint32_t) TWO_OPERANDS(adc64, "adcq", uint64_t)
TWO_OPERANDS(sub8, "subb", uint8_t)   TWO_OPERANDS(sub16, "subw", uint16_t)
TWO_OPERANDS(sub32, "subl", uint32_t) TWO_OPERANDS(sub64, "subq", uint64_t)
TWO_OPERANDS(sbb8, "sbbb", uint8_t)   TWO_OPERANDS(sbb16, "sbbw", uint16_t)
TWO_OPERANDS(sbb32, "sbbl", uint32_t) TWO_OPERANDS(sbb64, "sbbq", uint64_t)
TWO_OPERANDS(and8, "andb", uint8_t)   TWO_OPERANDS(and16, "andw", uint16_t)
TWO_OPERANDS(and32, "andl", uint32_t) TWO_OPERANDS(and64, "andq", uint64_t)
ONE_OPERAND(inc8, "incb", uint8_t)    ONE_OPERAND(inc16, "incw", uint16_t)
ONE_OPERAND(inc32, "incl", uint32_t)  ONE_OPERAND(inc64, "incq", uint64_t)
ONE_OPERAND(dec8, "decb", uint8_t)    ONE_OPERAND(dec16, "decw", uint16_t)
ONE_OPERAND(dec32, "decl", uint32_t)  ONE_OPERAND(dec64, "decq", uint64_t)
ONE_OPERAND(neg8, "negb", uint8_t)    ONE_OPERAND(neg16, "negw", uint16_t)
ONE_OPERAND(neg32, "negl", uint32_t)  ONE_OPERAND(neg64, "negq", uint64_t)
SHIFT(shl8, "shlb", uint8_t)          SHIFT(shl16, "shlw", uint16_t)
SHIFT(shl32, "shll", uint32_t)        SHIFT(shl64, "shlq", uint64_t)
SHIFT(shr8, "shrb", uint8_t)          SHIFT(shr16, "shrw", uint16_t)
SHIFT(shr32, "shrl", uint32_t)        SHIFT(shr64, "shrq", uint64_t)
SHIFT(sar8, "sarb", uint8_t)          SHIFT(sar16, "sarw", uint16_t)
SHIFT(sar32, "sarl", uint32_t)        SHIFT(sar64, "sarq", uint64_t)
SHIFT(rol8, "rolb", uint8_t)          SHIFT(rol16, "rolw", uint16_t)
SHIFT(rol32, "roll", uint32_t)        SHIFT(rol64, "rolq", uint64_t)
SHIFT(ror8, "rorb", uint8_t)          SHIFT(ror16, "rorw", uint16_t)
SHIFT(ror32, "rorl", uint32_t)        SHIFT(ror64, "rorq", uint64_t)
TWO_OPERANDS(imul16, "imulw", uint16_t)
TWO_OPERANDS(imul32, "imull", uint32_t)
TWO_OPERANDS(imul64, "imulq", uint64_t)

enum shape { PLAIN, NEGATE, RESULT_AND, COUNT, ROTATE, RESULT_MUL };

static const struct {
	const char *name;
	enum ir_flags_kind kind;
	enum shape shape;
	uint32_t defined; /* flags the manual defines; OF of a shift only for a count of 1 */
	uint64_t (*host[4])(uint64_t a, uint64_t b, unsigned carry);
} rows[] = {
	{"add", IR_FLAGS_ADD, PLAIN, SIX, {add8, add16, add32, add64}},
	{"adc", IR_FLAGS_ADC, PLAIN, SIX, {adc8, adc16, adc32, adc64}},
	{"sub", IR_FLAGS_SUB, PLAIN, SIX, {sub8, sub16, sub32, sub64}},
	{"sbb", IR_FLAGS_SBB, PLAIN, SIX, {sbb8, sbb16, sbb32, sbb64}},
	{"and", IR_FLAGS_LOGIC, RESULT_AND, SIX & ~AF, {and8, and16, and32, and64}},
	{"inc", IR_FLAGS_INC, PLAIN, SIX, {inc8, inc16, inc32, inc64}},
	{"dec", IR_FLAGS_DEC, PLAIN, SIX, {dec8, dec16, dec32, dec64}},
	{"neg", IR_FLAGS_SUB, NEGATE, SIX, {neg8, neg16, neg32, neg64}},
	{"shl", IR_FLAGS_SHL, COUNT, SIX & ~AF, {shl8, shl16, shl32, shl64}},
	{"shr", IR_FLAGS_SHR, COUNT, SIX & ~AF, {shr8, shr16, shr32, shr64}},
	{"sar", IR_FLAGS_SAR, COUNT, SIX & ~AF, {sar8, sar16, sar32, sar64}},
	{"rol", IR_FLAGS_ROL, ROTATE, SIX, {rol8, rol16, rol32, rol64}},
	{"ror", IR_FLAGS_ROR, ROTATE, SIX, {ror8, ror16, ror32, ror64}},
	{"imul", IR_FLAGS_MUL, RESULT_MUL, CF | OF, {NULL, imul16, imul32, imul64}},
};
/* clang-format on */

static uint64_t random_state = 0x9e3779b97f4a7c15;

static uint64_t random64(void)
{
	return xorshift(&random_state);
}

static uint64_t random_operand(void)
{
	static const uint64_t edges[] = {
		0,	1,	     2,		 0x7f,	     0x80,	 0xff,
		0x7fff, 0x8000,	     0xffff,	 0x7fffffff, 0x80000000, 0xffffffff,
		15,	16,	     INT64_MAX,	 1ull << 63, UINT64_MAX, UINT64_MAX - 1,
		0x100,	0x100000000, 0xfffffffe, 0xaaaaaaaa};
	uint64_t r = random64();

	return r & 3 ? edges[(r >> 8) % ARRAY_LEN(edges)] : random64();
}

static bool mul_overflows(uint64_t a, uint64_t b, unsigned bits)
{
	__int128 p = (__int128)bits_sext(a, bits) * bits_sext(b, bits);

	return p != bits_sext((uint64_t)p, bits);
}

static void check_conds(uint32_t key, uint64_t a, uint64_t b, uint64_t c)
{
	uint32_t packed = ir_flags_eval(key, a, b, c);

	for (unsigned cc = 0; cc < 16; cc++)
		if (ir_cond_eval(cc, key, a, b, c) != ir_cond_packed(cc, packed))
			fail_msg("cond %s of %s key %u: %llx %llx %llx", ir_cond_name(cc),
				 ir_flags_kind_name(key >> 2), key, (unsigned long long)a,
				 (unsigned long long)b, (unsigned long long)c);
}

static uint64_t rotated(enum ir_flags_kind kind, uint64_t a, unsigned n, unsigned bits)
{
	a &= bits_mask(bits);
	n = (kind == IR_FLAGS_ROL ? n : bits - n % bits) % bits;
	return n ? (a << n | a >> (bits - n)) & bits_mask(bits) : a;
}

static void check_row(unsigned row, unsigned log2)
{
	unsigned bits = 8u << log2, carry = random64() & 1;
	uint64_t a = random_operand(), b = random_operand(), x = a, y = b;
	uint32_t key = IR_FLAGS_KEY(rows[row].kind, log2), host, ours;
	uint32_t defined = rows[row].defined;

	if (rows[row].shape == COUNT) {
		b = y = 1 + random64() % (bits == 64 ? 63 : bits == 32 ? 31 : bits);
		defined &= b == 1 ? SIX : ~OF;
	} else if (rows[row].shape == ROTATE) {
		b = 1 + random64() % (bits == 64 ? 63 : 31);
		defined &= b == 1 ? SIX : ~OF;
		x = rotated(rows[row].kind, a, (unsigned)b, bits);
		x |= bits < 64 ? random64() << bits : 0;
		y = carry ? SF | PF | AF : ZF | PF; /* of the negated carry */
		y |= random64() & (CF | OF);
	} else if (rows[row].shape == NEGATE) {
		x = 0;
		y = a;
	} else if (rows[row].shape == RESULT_AND) {
		x = a & b;
	} else if (rows[row].shape == RESULT_MUL) {
		x = a * b;
		y = mul_overflows(a, b, bits);
	}
	host = (uint32_t)rows[row].host[log2](a, b, carry) & defined;
	ours = ir_flags_eval(key, x, y, carry) & defined;
	if (host != ours)
		fail_msg("%s%u %llx, %llx, carry %u: host %x, ours %x", rows[row].name, bits,
			 (unsigned long long)a, (unsigned long long)b, carry, host, ours);
	check_conds(key, x, y, carry);
}

static void flags_match_host(void **state)
{
	for (unsigned row = 0; row < ARRAY_LEN(rows); row++)
		for (unsigned log2 = 0; log2 < 4; log2++)
			for (unsigned i = 0; rows[row].host[log2] && i < 20000; i++)
				check_row(row, log2);
}

static void conds_match_flags(void **state)
{
	for (unsigned i = 0; i < 200000; i++)
		check_conds(IR_FLAGS_KEY(i % IR_FLAGS_KINDS, i >> 8 & 3), random_operand(),
			    i & 1 ? random64() % 70 : random_operand(), random64());
}

static void packed_conds(void **state)
{
	assert_true(ir_cond_packed(IR_COND_O, 0x800));
	assert_true(ir_cond_packed(IR_COND_B, 1));
	assert_true(ir_cond_packed(IR_COND_E, 0x40));
	assert_true(ir_cond_packed(IR_COND_BE, 1) && ir_cond_packed(IR_COND_BE, 0x40));
	assert_true(ir_cond_packed(IR_COND_S, 0x80));
	assert_true(ir_cond_packed(IR_COND_P, 4));
	assert_true(ir_cond_packed(IR_COND_L, 0x80) && ir_cond_packed(IR_COND_L, 0x800));
	assert_false(ir_cond_packed(IR_COND_L, 0x880));
	assert_true(ir_cond_packed(IR_COND_LE, 0x8c0) && ir_cond_packed(IR_COND_G, 0x880));
	for (unsigned cc = 0; cc < 16; cc++)
		for (unsigned f = 0; f < 4096; f++)
			assert_int_equal(ir_cond_packed(cc, f), !ir_cond_packed(cc ^ 1, f));
}

/* A width-sized shift count, and raw flags with other bits around them. */
static void flags_corners(void **state)
{
	assert_int_equal(ir_flags_eval(IR_FLAGS_KEY(IR_FLAGS_SHL, 3), 1, 64, 0), CF | 0x44 | OF);
	assert_int_equal(ir_flags_eval(IR_FLAGS_KEY(IR_FLAGS_SHR, 0), 0x80, 8, 0), CF | 0x44);
	assert_int_equal(ir_flags_eval(IR_FLAGS_KEY(IR_FLAGS_SAR, 0), 0x80, 8, 0), CF | 0x84);
	assert_int_equal(ir_flags_eval(IR_FLAGS_KEY(IR_FLAGS_RAW, 3), ~0ull, 0, 0), SIX);
	assert_int_equal(ir_flags_eval(IR_FLAGS_KEY(IR_FLAGS_MUL, 2), 0x80, 5, 0), CF | 0x800);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_match_host), cmocka_unit_test(conds_match_flags),
		cmocka_unit_test(packed_conds), cmocka_unit_test(flags_corners)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
