/*
 * Condition codes of a lazy flags value (Intel SDM vol. 1, 3.4.3.1; vol. 2, the "Flags Affected" of
 * each instruction). Where the manual leaves a flag undefined: AF is 0 after logic, shifts and
 * multiplication; OF of a right shift by more than one is what a shift by one at a time leaves (as
 * the silicon does); ZF, SF and PF of a multiplication follow its low half.
 */
#include "ir/flags.h"

#include "base/bits.h"

enum {
	CF = 1 << 0,
	PF = 1 << 2,
	AF = 1 << 4,
	ZF = 1 << 6,
	SF = 1 << 7,
	OF = 1 << 11,
	ALL = CF | PF | AF | ZF | SF | OF
};

static inline unsigned key_bits(uint32_t key)
{
	return 8u << (key & 3);
}

static inline enum ir_flags_kind key_kind(uint32_t key)
{
	return (enum ir_flags_kind)(key >> 2);
}

static inline uint32_t parity(uint64_t r)
{
	unsigned nibble = (r ^ r >> 4) & 15;

	return (0x9669u >> nibble & 1) * PF;
}

/* ZF, SF and PF of a result already cut to its width. */
static inline uint32_t result_flags(uint64_t r, unsigned bits)
{
	return parity(r) | (r == 0) * ZF | (uint32_t)(r >> (bits - 1) & 1) * SF;
}

/* CF, AF and OF of r = a + b (+ carry), from the carries out of each bit. */
static inline uint32_t add_flags(uint64_t a, uint64_t b, uint64_t r, unsigned bits)
{
	uint64_t carry = (a & b) | ((a | b) & ~r);
	uint64_t over = (a ^ r) & (b ^ r);

	return (uint32_t)(carry >> (bits - 1) & 1) | ((uint32_t)(a ^ b ^ r) & AF) |
	       (uint32_t)(over >> (bits - 1) & 1) * OF;
}

static inline uint32_t sub_flags(uint64_t a, uint64_t b, uint64_t r, unsigned bits)
{
	uint64_t borrow = (~a & b) | ((~a | b) & r);
	uint64_t over = (a ^ b) & (a ^ r);

	return (uint32_t)(borrow >> (bits - 1) & 1) | ((uint32_t)(a ^ b ^ r) & AF) |
	       (uint32_t)(over >> (bits - 1) & 1) * OF;
}

/* A shift of v that may reach or pass the width of the host's. */
static inline uint64_t shift_left(uint64_t v, uint64_t n)
{
	return n < 64 ? v << n : 0;
}

static inline uint64_t shift_right(uint64_t v, uint64_t n)
{
	return n < 64 ? v >> n : 0;
}

static inline uint64_t shift_right_signed(uint64_t v, uint64_t n)
{
	return (uint64_t)((int64_t)v >> (n < 64 ? n : 63));
}

static uint64_t kind_result(enum ir_flags_kind kind, unsigned bits, uint64_t a, uint64_t b,
			    uint64_t c)
{
	uint64_t mask = bits_mask(bits);

	switch (kind) {
	case IR_FLAGS_ADD:
		return (a + b) & mask;
	case IR_FLAGS_ADC:
		return (a + b + (c & 1)) & mask;
	case IR_FLAGS_SUB:
		return (a - b) & mask;
	case IR_FLAGS_SBB:
		return (a - b - (c & 1)) & mask;
	case IR_FLAGS_INC:
		return (a + 1) & mask;
	case IR_FLAGS_DEC:
		return (a - 1) & mask;
	case IR_FLAGS_SHL:
		return shift_left(a, b) & mask;
	case IR_FLAGS_SHR:
		return shift_right(a & mask, b);
	case IR_FLAGS_SAR:
		return shift_right_signed((uint64_t)bits_sext(a, bits), b) & mask;
	default: /* LOGIC, MUL: a is the result */
		return a & mask;
	}
}

/* CF and OF of a shift by b that gave r. A count of 0 never gets here by the contract; it reads as
 * no bit shifted out. */
static uint32_t shift_flags(enum ir_flags_kind kind, unsigned bits, uint64_t a, uint64_t b,
			    uint64_t r)
{
	uint64_t sa = (uint64_t)bits_sext(a, bits), ua = a & bits_mask(bits);
	uint32_t last, top;

	if (b == 0)
		return 0;
	switch (kind) {
	case IR_FLAGS_SHL:
		last = shift_left(ua, b - 1) >> (bits - 1) & 1;
		top = r >> (bits - 1) & 1;
		return last | (last ^ top) * OF;
	case IR_FLAGS_SHR:
		last = shift_right(ua, b - 1) & 1;
		top = shift_right(ua, b - 1) >> (bits - 1) & 1;
		return last | top * OF;
	default:
		return (uint32_t)shift_right_signed(sa, b - 1) & 1;
	}
}

/* CF is the bit that went round, OF tells whether the top bit changed last. */
static uint32_t rotate_flags(enum ir_flags_kind kind, unsigned bits, uint64_t a, uint64_t before)
{
	uint32_t msb = a >> (bits - 1) & 1, next = a >> (bits - 2) & 1;
	uint32_t cf = kind == IR_FLAGS_ROL ? a & 1 : msb,
		 of = msb ^ (kind == IR_FLAGS_ROL ? cf : next);

	return ((uint32_t)before & (ALL & ~(CF | OF))) | cf | of * OF;
}

uint32_t ir_flags_eval(uint32_t key, uint64_t a, uint64_t b, uint64_t c)
{
	enum ir_flags_kind kind = key_kind(key);
	unsigned bits = key_bits(key);
	uint64_t r = kind_result(kind, bits, a, b, c);
	uint32_t common = result_flags(r, bits);

	switch (kind) {
	case IR_FLAGS_RAW:
		return (uint32_t)a & ALL;
	case IR_FLAGS_ROL:
	case IR_FLAGS_ROR:
		return rotate_flags(kind, bits, a, b);
	case IR_FLAGS_ADD:
	case IR_FLAGS_ADC:
		return common | add_flags(a, b, r, bits);
	case IR_FLAGS_SUB:
	case IR_FLAGS_SBB:
		return common | sub_flags(a, b, r, bits);
	case IR_FLAGS_INC:
		return common | (add_flags(a, 1, r, bits) & ~CF) | (c & 1);
	case IR_FLAGS_DEC:
		return common | (sub_flags(a, 1, r, bits) & ~CF) | (c & 1);
	case IR_FLAGS_SHL:
	case IR_FLAGS_SHR:
	case IR_FLAGS_SAR:
		return common | shift_flags(kind, bits, a, b, r);
	case IR_FLAGS_MUL:
		return common | (b & bits_mask(bits) ? CF | OF : 0);
	default:
		return common;
	}
}

bool ir_cond_packed(enum ir_cond cond, uint32_t f)
{
	bool less = !(f & SF) != !(f & OF), yes;

	switch (cond >> 1) {
	case IR_COND_O >> 1:
		yes = f & OF;
		break;
	case IR_COND_B >> 1:
		yes = f & CF;
		break;
	case IR_COND_E >> 1:
		yes = f & ZF;
		break;
	case IR_COND_BE >> 1:
		yes = f & (CF | ZF);
		break;
	case IR_COND_S >> 1:
		yes = f & SF;
		break;
	case IR_COND_P >> 1:
		yes = f & PF;
		break;
	case IR_COND_L >> 1:
		yes = less;
		break;
	default:
		yes = less || (f & ZF);
		break;
	}
	return yes != (cond & 1);
}

/* A compare: most conditions are one host compare. False if this one is not. */
static bool cond_of_sub(enum ir_cond cond, unsigned bits, uint64_t a, uint64_t b, bool *yes)
{
	int64_t sa = bits_sext(a, bits), sb = bits_sext(b, bits);

	switch (cond >> 1) {
	case IR_COND_B >> 1: /* sign extension keeps the unsigned order */
		*yes = (uint64_t)sa < (uint64_t)sb;
		break;
	case IR_COND_E >> 1:
		*yes = sa == sb;
		break;
	case IR_COND_BE >> 1:
		*yes = (uint64_t)sa <= (uint64_t)sb;
		break;
	case IR_COND_S >> 1:
		*yes = (a - b) >> (bits - 1) & 1;
		break;
	case IR_COND_L >> 1:
		*yes = sa < sb;
		break;
	case IR_COND_LE >> 1:
		*yes = sa <= sb;
		break;
	default:
		return false;
	}
	*yes ^= cond & 1;
	return true;
}

static bool cond_of_logic(enum ir_cond cond, unsigned bits, uint64_t a)
{
	int64_t r = bits_sext(a, bits);
	bool yes;

	switch (cond >> 1) {
	case IR_COND_O >> 1:
	case IR_COND_B >> 1:
		yes = false;
		break;
	case IR_COND_E >> 1:
	case IR_COND_BE >> 1:
		yes = r == 0;
		break;
	case IR_COND_P >> 1:
		yes = parity((uint64_t)r);
		break;
	case IR_COND_LE >> 1:
		yes = r <= 0;
		break;
	default:
		yes = r < 0;
		break;
	}
	return yes != (cond & 1);
}

bool ir_cond_eval(enum ir_cond cond, uint32_t key, uint64_t a, uint64_t b, uint64_t c)
{
	enum ir_flags_kind kind = key_kind(key);
	unsigned bits = key_bits(key);
	bool yes;

	if (kind == IR_FLAGS_SUB && cond_of_sub(cond, bits, a, b, &yes))
		return yes;
	if (kind == IR_FLAGS_LOGIC)
		return cond_of_logic(cond, bits, a);
	if (kind == IR_FLAGS_RAW)
		return ir_cond_packed(cond, (uint32_t)a);
	if (kind == IR_FLAGS_ROL || kind == IR_FLAGS_ROR)
		return ir_cond_packed(cond, rotate_flags(kind, bits, a, b));
	/* ZF and SF come from the result alone, whatever the operation. */
	if (cond >> 1 == IR_COND_E >> 1)
		return (kind_result(kind, bits, a, b, c) == 0) != (cond & 1);
	if (cond >> 1 == IR_COND_S >> 1)
		return (kind_result(kind, bits, a, b, c) >> (bits - 1) & 1) != (cond & 1);
	return ir_cond_packed(cond, ir_flags_eval(key, a, b, c));
}

const char *ir_flags_kind_name(enum ir_flags_kind k)
{
	static const char *const names[IR_FLAGS_KINDS] = {
		[IR_FLAGS_RAW] = "raw", [IR_FLAGS_ADD] = "add", [IR_FLAGS_ADC] = "adc",
		[IR_FLAGS_SUB] = "sub", [IR_FLAGS_SBB] = "sbb", [IR_FLAGS_LOGIC] = "logic",
		[IR_FLAGS_INC] = "inc", [IR_FLAGS_DEC] = "dec", [IR_FLAGS_SHL] = "shl",
		[IR_FLAGS_SHR] = "shr", [IR_FLAGS_SAR] = "sar", [IR_FLAGS_MUL] = "mul",
		[IR_FLAGS_ROL] = "rol", [IR_FLAGS_ROR] = "ror",
	};

	return (unsigned)k < IR_FLAGS_KINDS ? names[k] : "?";
}

const char *ir_cond_name(enum ir_cond c)
{
	static const char *const names[16] = {"o", "no", "b", "ae", "e", "ne", "be", "a",
					      "s", "ns", "p", "np", "l", "ge", "le", "g"};

	return names[c & 15];
}
