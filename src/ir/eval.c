/* The meaning of the integer operations on constants: see the table in ops.c. */
#include "ir/fold.h"

#include "base/bits.h"

static uint64_t eval_mul_high(enum ir_op op, unsigned bits, uint64_t x, uint64_t y)
{
	if (op == IR_MULHU)
		return (uint64_t)((unsigned __int128)x * y >> bits);
	return (uint64_t)((__int128)bits_sext(x, bits) * bits_sext(y, bits) >> bits);
}

static uint64_t eval_rotate(unsigned bits, uint64_t x, unsigned left)
{
	return left ? x << left | x >> (bits - left) : x;
}

uint64_t ir_eval_bin(enum ir_op op, enum ir_type t, uint64_t x, uint64_t y)
{
	unsigned bits = ir_type_bits(t), n = (unsigned)y & (bits - 1);
	uint64_t mask = bits_mask(bits);

	switch (op) {
	case IR_ADD:
		return (x + y) & mask;
	case IR_SUB:
		return (x - y) & mask;
	case IR_MUL:
		return x * y & mask;
	case IR_AND:
		return x & y;
	case IR_OR:
		return x | y;
	case IR_XOR:
		return x ^ y;
	case IR_SHL:
		return x << n & mask;
	case IR_SHR:
		return x >> n;
	case IR_SAR:
		return (uint64_t)(bits_sext(x, bits) >> n) & mask;
	case IR_ROL:
		return eval_rotate(bits, x, n) & mask;
	case IR_ROR:
		return eval_rotate(bits, x, -n & (bits - 1)) & mask;
	default:
		return eval_mul_high(op, bits, x, y) & mask;
	}
}

static uint64_t eval_popcnt(uint64_t x)
{
	x -= x >> 1 & 0x5555555555555555;
	x = (x & 0x3333333333333333) + (x >> 2 & 0x3333333333333333);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0f;
	return x * 0x0101010101010101 >> 56;
}

uint64_t ir_eval_un(enum ir_op op, enum ir_type t, uint64_t x)
{
	unsigned bits = ir_type_bits(t);
	uint64_t mask = bits_mask(bits);

	switch (op) {
	case IR_NOT:
		return ~x & mask;
	case IR_NEG:
		return -x & mask;
	case IR_BSWAP:
		return __builtin_bswap64(x) >> (64 - bits);
	case IR_CLZ:
		return x ? (unsigned)__builtin_clzll(x) - (64 - bits) : bits;
	case IR_CTZ:
		return x ? (unsigned)__builtin_ctzll(x) : bits;
	default:
		return eval_popcnt(x);
	}
}

bool ir_eval_cmp(enum ir_op op, enum ir_type t, uint64_t x, uint64_t y)
{
	unsigned bits = ir_type_bits(t);
	int64_t sx = bits_sext(x, bits), sy = bits_sext(y, bits);

	switch (op) {
	case IR_EQ:
		return x == y;
	case IR_NE:
		return x != y;
	case IR_LTU:
		return x < y;
	case IR_LEU:
		return x <= y;
	case IR_LTS:
		return sx < sy;
	default:
		return sx <= sy;
	}
}
