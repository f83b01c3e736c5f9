/*
 * Integer operations of the interpreter: one short function per operation, width and operand form
 * (rr: both in slots, ri: the second an immediate). See iop.h for the calling convention. 32-bit
 * results are written zero-extended to 64 bits, so that a zero-extension costs nothing.
 */
#include "engine/interpret/iop.h"

/* clang-format off */
#define BINARY_RR(name, type, wide, expr)                                                          \
	static IOP_FN(name)                                                                        \
	{                                                                                          \
		type x = *(const type *)SLOT(op->a), y = *(const type *)SLOT(op->b);               \
		*(wide *)SLOT(op->d) = (type)(expr);                                               \
		NEXT;                                                                              \
	}
#define BINARY_RI(name, type, wide, expr)                                                          \
	static IOP_FN(name)                                                                        \
	{                                                                                          \
		type x = *(const type *)SLOT(op->a), y = (type)op->imm;                            \
		*(wide *)SLOT(op->d) = (type)(expr);                                               \
		NEXT;                                                                              \
	}
/* The same, and the lazy flags: kind, both operands (or, for logic, the result). */
#define FLAGS_RR(name, type, wide, key, expr)                                                      \
	static IOP_FN(name)                                                                        \
	{                                                                                          \
		type x = *(const type *)SLOT(op->a), y = *(const type *)SLOT(op->b);               \
		cpu->cc_a = x;                                                                     \
		cpu->cc_b = y;                                                                     \
		cpu->cc_kind = (key);                                                              \
		*(wide *)SLOT(op->d) = (type)(expr);                                               \
		NEXT;                                                                              \
	}
#define FLAGS_RI(name, type, wide, key, expr)                                                      \
	static IOP_FN(name)                                                                        \
	{                                                                                          \
		type x = *(const type *)SLOT(op->a), y = (type)op->imm;                            \
		cpu->cc_a = x;                                                                     \
		cpu->cc_b = y;                                                                     \
		cpu->cc_kind = (key);                                                              \
		*(wide *)SLOT(op->d) = (type)(expr);                                               \
		NEXT;                                                                              \
	}
#define LOGIC_RR(name, type, wide, key, expr)                                                      \
	static IOP_FN(name)                                                                        \
	{                                                                                          \
		type x = *(const type *)SLOT(op->a), y = *(const type *)SLOT(op->b);               \
		type r = (type)(expr);                                                             \
		cpu->cc_a = r;                                                                     \
		cpu->cc_kind = (key);                                                              \
		*(wide *)SLOT(op->d) = r;                                                          \
		NEXT;                                                                              \
	}
#define LOGIC_RI(name, type, wide, key, expr)                                                      \
	static IOP_FN(name)                                                                        \
	{                                                                                          \
		type x = *(const type *)SLOT(op->a), y = (type)op->imm;                            \
		type r = (type)(expr);                                                             \
		cpu->cc_a = r;                                                                     \
		cpu->cc_kind = (key);                                                              \
		*(wide *)SLOT(op->d) = r;                                                          \
		NEXT;                                                                              \
	}
#define COMPARE_RR(name, type, expr)                                                               \
	static IOP_FN(name)                                                                        \
	{                                                                                          \
		type x = *(const type *)SLOT(op->a), y = *(const type *)SLOT(op->b);               \
		*(uint8_t *)SLOT(op->d) = (expr);                                                  \
		NEXT;                                                                              \
	}
#define COMPARE_RI(name, type, expr)                                                               \
	static IOP_FN(name)                                                                        \
	{                                                                                          \
		type x = *(const type *)SLOT(op->a), y = (type)op->imm;                            \
		*(uint8_t *)SLOT(op->d) = (expr);                                                  \
		NEXT;                                                                              \
	}
#define BRANCH_RR(name, type, expr)                                                                \
	static IOP_FN(name)                                                                        \
	{                                                                                          \
		type x = *(const type *)SLOT(op->a), y = *(const type *)SLOT(op->b);               \
		return iop_leave_if(cpu, op, expr);                                                \
	}
#define BRANCH_RI(name, type, expr)                                                                \
	static IOP_FN(name)                                                                        \
	{                                                                                          \
		type x = *(const type *)SLOT(op->a), y = (type)op->imm;                            \
		return iop_leave_if(cpu, op, expr);                                                \
	}
#define UNARY(name, type, wide, expr)                                                              \
	static IOP_FN(name)                                                                        \
	{                                                                                          \
		type x = *(const type *)SLOT(op->a);                                               \
		*(wide *)SLOT(op->d) = (type)(expr);                                               \
		NEXT;                                                                              \
	}
#define SEXT32(name, type, wide, expr)                                                             \
	static IOP_FN(name)                                                                        \
	{                                                                                          \
		type x = *(const type *)SLOT(op->a);                                               \
		*(wide *)SLOT(op->d) = (expr);                                                     \
		NEXT;                                                                              \
	}
#define CONVERT(name, from, to)                                                                    \
	static IOP_FN(name)                                                                        \
	{                                                                                          \
		*(to *)SLOT(op->d) = (to)*(const from *)SLOT(op->a);                               \
		NEXT;                                                                              \
	}

BINARY_RR(iop_add8_rr, uint8_t, uint8_t, x + y)
BINARY_RI(iop_add8_ri, uint8_t, uint8_t, x + y)
BINARY_RR(iop_add16_rr, uint16_t, uint16_t, x + y)
BINARY_RI(iop_add16_ri, uint16_t, uint16_t, x + y)
BINARY_RR(iop_add32_rr, uint32_t, uint64_t, x + y)
BINARY_RI(iop_add32_ri, uint32_t, uint64_t, x + y)
BINARY_RR(iop_add64_rr, uint64_t, uint64_t, x + y)
BINARY_RI(iop_add64_ri, uint64_t, uint64_t, x + y)
BINARY_RR(iop_sub8_rr, uint8_t, uint8_t, x - y)
BINARY_RI(iop_sub8_ri, uint8_t, uint8_t, x - y)
BINARY_RR(iop_sub16_rr, uint16_t, uint16_t, x - y)
BINARY_RI(iop_sub16_ri, uint16_t, uint16_t, x - y)
BINARY_RR(iop_sub32_rr, uint32_t, uint64_t, x - y)
BINARY_RI(iop_sub32_ri, uint32_t, uint64_t, x - y)
BINARY_RR(iop_sub64_rr, uint64_t, uint64_t, x - y)
BINARY_RI(iop_sub64_ri, uint64_t, uint64_t, x - y)
BINARY_RR(iop_mul8_rr, uint8_t, uint8_t, (uint64_t)x * y)
BINARY_RI(iop_mul8_ri, uint8_t, uint8_t, (uint64_t)x * y)
BINARY_RR(iop_mul16_rr, uint16_t, uint16_t, (uint64_t)x * y)
BINARY_RI(iop_mul16_ri, uint16_t, uint16_t, (uint64_t)x * y)
BINARY_RR(iop_mul32_rr, uint32_t, uint64_t, (uint64_t)x * y)
BINARY_RI(iop_mul32_ri, uint32_t, uint64_t, (uint64_t)x * y)
BINARY_RR(iop_mul64_rr, uint64_t, uint64_t, x * y)
BINARY_RI(iop_mul64_ri, uint64_t, uint64_t, x * y)
BINARY_RR(iop_and8_rr, uint8_t, uint8_t, x & y)
BINARY_RI(iop_and8_ri, uint8_t, uint8_t, x & y)
BINARY_RR(iop_and16_rr, uint16_t, uint16_t, x & y)
BINARY_RI(iop_and16_ri, uint16_t, uint16_t, x & y)
BINARY_RR(iop_and32_rr, uint32_t, uint64_t, x & y)
BINARY_RI(iop_and32_ri, uint32_t, uint64_t, x & y)
BINARY_RR(iop_and64_rr, uint64_t, uint64_t, x & y)
BINARY_RI(iop_and64_ri, uint64_t, uint64_t, x & y)
BINARY_RR(iop_or8_rr, uint8_t, uint8_t, x | y)
BINARY_RI(iop_or8_ri, uint8_t, uint8_t, x | y)
BINARY_RR(iop_or16_rr, uint16_t, uint16_t, x | y)
BINARY_RI(iop_or16_ri, uint16_t, uint16_t, x | y)
BINARY_RR(iop_or32_rr, uint32_t, uint64_t, x | y)
BINARY_RI(iop_or32_ri, uint32_t, uint64_t, x | y)
BINARY_RR(iop_or64_rr, uint64_t, uint64_t, x | y)
BINARY_RI(iop_or64_ri, uint64_t, uint64_t, x | y)
BINARY_RR(iop_xor8_rr, uint8_t, uint8_t, x ^ y)
BINARY_RI(iop_xor8_ri, uint8_t, uint8_t, x ^ y)
BINARY_RR(iop_xor16_rr, uint16_t, uint16_t, x ^ y)
BINARY_RI(iop_xor16_ri, uint16_t, uint16_t, x ^ y)
BINARY_RR(iop_xor32_rr, uint32_t, uint64_t, x ^ y)
BINARY_RI(iop_xor32_ri, uint32_t, uint64_t, x ^ y)
BINARY_RR(iop_xor64_rr, uint64_t, uint64_t, x ^ y)
BINARY_RI(iop_xor64_ri, uint64_t, uint64_t, x ^ y)
BINARY_RR(iop_shl8_rr, uint8_t, uint8_t, (uint64_t)x << (y & 7))
BINARY_RI(iop_shl8_ri, uint8_t, uint8_t, (uint64_t)x << (y & 7))
BINARY_RR(iop_shl16_rr, uint16_t, uint16_t, (uint64_t)x << (y & 15))
BINARY_RI(iop_shl16_ri, uint16_t, uint16_t, (uint64_t)x << (y & 15))
BINARY_RR(iop_shl32_rr, uint32_t, uint64_t, (uint64_t)x << (y & 31))
BINARY_RI(iop_shl32_ri, uint32_t, uint64_t, (uint64_t)x << (y & 31))
BINARY_RR(iop_shl64_rr, uint64_t, uint64_t, (uint64_t)x << (y & 63))
BINARY_RI(iop_shl64_ri, uint64_t, uint64_t, (uint64_t)x << (y & 63))
BINARY_RR(iop_shr8_rr, uint8_t, uint8_t, x >> (y & 7))
BINARY_RI(iop_shr8_ri, uint8_t, uint8_t, x >> (y & 7))
BINARY_RR(iop_shr16_rr, uint16_t, uint16_t, x >> (y & 15))
BINARY_RI(iop_shr16_ri, uint16_t, uint16_t, x >> (y & 15))
BINARY_RR(iop_shr32_rr, uint32_t, uint64_t, x >> (y & 31))
BINARY_RI(iop_shr32_ri, uint32_t, uint64_t, x >> (y & 31))
BINARY_RR(iop_shr64_rr, uint64_t, uint64_t, x >> (y & 63))
BINARY_RI(iop_shr64_ri, uint64_t, uint64_t, x >> (y & 63))
BINARY_RR(iop_sar8_rr, uint8_t, uint8_t, (int8_t)x >> (y & 7))
BINARY_RI(iop_sar8_ri, uint8_t, uint8_t, (int8_t)x >> (y & 7))
BINARY_RR(iop_sar16_rr, uint16_t, uint16_t, (int16_t)x >> (y & 15))
BINARY_RI(iop_sar16_ri, uint16_t, uint16_t, (int16_t)x >> (y & 15))
BINARY_RR(iop_sar32_rr, uint32_t, uint64_t, (int32_t)x >> (y & 31))
BINARY_RI(iop_sar32_ri, uint32_t, uint64_t, (int32_t)x >> (y & 31))
BINARY_RR(iop_sar64_rr, uint64_t, uint64_t, (int64_t)x >> (y & 63))
BINARY_RI(iop_sar64_ri, uint64_t, uint64_t, (int64_t)x >> (y & 63))
BINARY_RR(iop_rol8_rr, uint8_t, uint8_t, (uint64_t)x << (y & 7) | (uint64_t)x >> (-y & 7))
BINARY_RI(iop_rol8_ri, uint8_t, uint8_t, (uint64_t)x << (y & 7) | (uint64_t)x >> (-y & 7))
BINARY_RR(iop_rol16_rr, uint16_t, uint16_t, (uint64_t)x << (y & 15) | (uint64_t)x >> (-y & 15))
BINARY_RI(iop_rol16_ri, uint16_t, uint16_t, (uint64_t)x << (y & 15) | (uint64_t)x >> (-y & 15))
BINARY_RR(iop_rol32_rr, uint32_t, uint64_t, (uint64_t)x << (y & 31) | (uint64_t)x >> (-y & 31))
BINARY_RI(iop_rol32_ri, uint32_t, uint64_t, (uint64_t)x << (y & 31) | (uint64_t)x >> (-y & 31))
BINARY_RR(iop_rol64_rr, uint64_t, uint64_t, (uint64_t)x << (y & 63) | (uint64_t)x >> (-y & 63))
BINARY_RI(iop_rol64_ri, uint64_t, uint64_t, (uint64_t)x << (y & 63) | (uint64_t)x >> (-y & 63))
BINARY_RR(iop_ror8_rr, uint8_t, uint8_t, (uint64_t)x >> (y & 7) | (uint64_t)x << (-y & 7))
BINARY_RI(iop_ror8_ri, uint8_t, uint8_t, (uint64_t)x >> (y & 7) | (uint64_t)x << (-y & 7))
BINARY_RR(iop_ror16_rr, uint16_t, uint16_t, (uint64_t)x >> (y & 15) | (uint64_t)x << (-y & 15))
BINARY_RI(iop_ror16_ri, uint16_t, uint16_t, (uint64_t)x >> (y & 15) | (uint64_t)x << (-y & 15))
BINARY_RR(iop_ror32_rr, uint32_t, uint64_t, (uint64_t)x >> (y & 31) | (uint64_t)x << (-y & 31))
BINARY_RI(iop_ror32_ri, uint32_t, uint64_t, (uint64_t)x >> (y & 31) | (uint64_t)x << (-y & 31))
BINARY_RR(iop_ror64_rr, uint64_t, uint64_t, (uint64_t)x >> (y & 63) | (uint64_t)x << (-y & 63))
BINARY_RI(iop_ror64_ri, uint64_t, uint64_t, (uint64_t)x >> (y & 63) | (uint64_t)x << (-y & 63))
BINARY_RR(iop_mulhu8_rr, uint8_t, uint8_t, (uint64_t)x * y >> 8)
BINARY_RI(iop_mulhu8_ri, uint8_t, uint8_t, (uint64_t)x * y >> 8)
BINARY_RR(iop_mulhu16_rr, uint16_t, uint16_t, (uint64_t)x * y >> 16)
BINARY_RI(iop_mulhu16_ri, uint16_t, uint16_t, (uint64_t)x * y >> 16)
BINARY_RR(iop_mulhu32_rr, uint32_t, uint64_t, (uint64_t)x * y >> 32)
BINARY_RI(iop_mulhu32_ri, uint32_t, uint64_t, (uint64_t)x * y >> 32)
BINARY_RR(iop_mulhu64_rr, uint64_t, uint64_t, (unsigned __int128)x * y >> 64)
BINARY_RI(iop_mulhu64_ri, uint64_t, uint64_t, (unsigned __int128)x * y >> 64)
BINARY_RR(iop_mulhs8_rr, uint8_t, uint8_t, (int64_t)(int8_t)x * (int8_t)y >> 8)
BINARY_RI(iop_mulhs8_ri, uint8_t, uint8_t, (int64_t)(int8_t)x * (int8_t)y >> 8)
BINARY_RR(iop_mulhs16_rr, uint16_t, uint16_t, (int64_t)(int16_t)x * (int16_t)y >> 16)
BINARY_RI(iop_mulhs16_ri, uint16_t, uint16_t, (int64_t)(int16_t)x * (int16_t)y >> 16)
BINARY_RR(iop_mulhs32_rr, uint32_t, uint64_t, (int64_t)(int32_t)x * (int32_t)y >> 32)
BINARY_RI(iop_mulhs32_ri, uint32_t, uint64_t, (int64_t)(int32_t)x * (int32_t)y >> 32)
BINARY_RR(iop_mulhs64_rr, uint64_t, uint64_t, (__int128)(int64_t)x * (int64_t)y >> 64)
BINARY_RI(iop_mulhs64_ri, uint64_t, uint64_t, (__int128)(int64_t)x * (int64_t)y >> 64)
FLAGS_RR(iop_add8_flags_rr, uint8_t, uint8_t, IR_FLAGS_KEY(IR_FLAGS_ADD, 0), x + y)
FLAGS_RI(iop_add8_flags_ri, uint8_t, uint8_t, IR_FLAGS_KEY(IR_FLAGS_ADD, 0), x + y)
FLAGS_RR(iop_add16_flags_rr, uint16_t, uint16_t, IR_FLAGS_KEY(IR_FLAGS_ADD, 1), x + y)
FLAGS_RI(iop_add16_flags_ri, uint16_t, uint16_t, IR_FLAGS_KEY(IR_FLAGS_ADD, 1), x + y)
FLAGS_RR(iop_add32_flags_rr, uint32_t, uint64_t, IR_FLAGS_KEY(IR_FLAGS_ADD, 2), x + y)
FLAGS_RI(iop_add32_flags_ri, uint32_t, uint64_t, IR_FLAGS_KEY(IR_FLAGS_ADD, 2), x + y)
FLAGS_RR(iop_add64_flags_rr, uint64_t, uint64_t, IR_FLAGS_KEY(IR_FLAGS_ADD, 3), x + y)
FLAGS_RI(iop_add64_flags_ri, uint64_t, uint64_t, IR_FLAGS_KEY(IR_FLAGS_ADD, 3), x + y)
FLAGS_RR(iop_sub8_flags_rr, uint8_t, uint8_t, IR_FLAGS_KEY(IR_FLAGS_SUB, 0), x - y)
FLAGS_RI(iop_sub8_flags_ri, uint8_t, uint8_t, IR_FLAGS_KEY(IR_FLAGS_SUB, 0), x - y)
FLAGS_RR(iop_sub16_flags_rr, uint16_t, uint16_t, IR_FLAGS_KEY(IR_FLAGS_SUB, 1), x - y)
FLAGS_RI(iop_sub16_flags_ri, uint16_t, uint16_t, IR_FLAGS_KEY(IR_FLAGS_SUB, 1), x - y)
FLAGS_RR(iop_sub32_flags_rr, uint32_t, uint64_t, IR_FLAGS_KEY(IR_FLAGS_SUB, 2), x - y)
FLAGS_RI(iop_sub32_flags_ri, uint32_t, uint64_t, IR_FLAGS_KEY(IR_FLAGS_SUB, 2), x - y)
FLAGS_RR(iop_sub64_flags_rr, uint64_t, uint64_t, IR_FLAGS_KEY(IR_FLAGS_SUB, 3), x - y)
FLAGS_RI(iop_sub64_flags_ri, uint64_t, uint64_t, IR_FLAGS_KEY(IR_FLAGS_SUB, 3), x - y)
LOGIC_RR(iop_and8_flags_rr, uint8_t, uint8_t, IR_FLAGS_KEY(IR_FLAGS_LOGIC, 0), x & y)
LOGIC_RI(iop_and8_flags_ri, uint8_t, uint8_t, IR_FLAGS_KEY(IR_FLAGS_LOGIC, 0), x & y)
LOGIC_RR(iop_and16_flags_rr, uint16_t, uint16_t, IR_FLAGS_KEY(IR_FLAGS_LOGIC, 1), x & y)
LOGIC_RI(iop_and16_flags_ri, uint16_t, uint16_t, IR_FLAGS_KEY(IR_FLAGS_LOGIC, 1), x & y)
LOGIC_RR(iop_and32_flags_rr, uint32_t, uint64_t, IR_FLAGS_KEY(IR_FLAGS_LOGIC, 2), x & y)
LOGIC_RI(iop_and32_flags_ri, uint32_t, uint64_t, IR_FLAGS_KEY(IR_FLAGS_LOGIC, 2), x & y)
LOGIC_RR(iop_and64_flags_rr, uint64_t, uint64_t, IR_FLAGS_KEY(IR_FLAGS_LOGIC, 3), x & y)
LOGIC_RI(iop_and64_flags_ri, uint64_t, uint64_t, IR_FLAGS_KEY(IR_FLAGS_LOGIC, 3), x & y)
LOGIC_RR(iop_or8_flags_rr, uint8_t, uint8_t, IR_FLAGS_KEY(IR_FLAGS_LOGIC, 0), x | y)
LOGIC_RI(iop_or8_flags_ri, uint8_t, uint8_t, IR_FLAGS_KEY(IR_FLAGS_LOGIC, 0), x | y)
LOGIC_RR(iop_or16_flags_rr, uint16_t, uint16_t, IR_FLAGS_KEY(IR_FLAGS_LOGIC, 1), x | y)
LOGIC_RI(iop_or16_flags_ri, uint16_t, uint16_t, IR_FLAGS_KEY(IR_FLAGS_LOGIC, 1), x | y)
LOGIC_RR(iop_or32_flags_rr, uint32_t, uint64_t, IR_FLAGS_KEY(IR_FLAGS_LOGIC, 2), x | y)
LOGIC_RI(iop_or32_flags_ri, uint32_t, uint64_t, IR_FLAGS_KEY(IR_FLAGS_LOGIC, 2), x | y)
LOGIC_RR(iop_or64_flags_rr, uint64_t, uint64_t, IR_FLAGS_KEY(IR_FLAGS_LOGIC, 3), x | y)
LOGIC_RI(iop_or64_flags_ri, uint64_t, uint64_t, IR_FLAGS_KEY(IR_FLAGS_LOGIC, 3), x | y)
LOGIC_RR(iop_xor8_flags_rr, uint8_t, uint8_t, IR_FLAGS_KEY(IR_FLAGS_LOGIC, 0), x ^ y)
LOGIC_RI(iop_xor8_flags_ri, uint8_t, uint8_t, IR_FLAGS_KEY(IR_FLAGS_LOGIC, 0), x ^ y)
LOGIC_RR(iop_xor16_flags_rr, uint16_t, uint16_t, IR_FLAGS_KEY(IR_FLAGS_LOGIC, 1), x ^ y)
LOGIC_RI(iop_xor16_flags_ri, uint16_t, uint16_t, IR_FLAGS_KEY(IR_FLAGS_LOGIC, 1), x ^ y)
LOGIC_RR(iop_xor32_flags_rr, uint32_t, uint64_t, IR_FLAGS_KEY(IR_FLAGS_LOGIC, 2), x ^ y)
LOGIC_RI(iop_xor32_flags_ri, uint32_t, uint64_t, IR_FLAGS_KEY(IR_FLAGS_LOGIC, 2), x ^ y)
LOGIC_RR(iop_xor64_flags_rr, uint64_t, uint64_t, IR_FLAGS_KEY(IR_FLAGS_LOGIC, 3), x ^ y)
LOGIC_RI(iop_xor64_flags_ri, uint64_t, uint64_t, IR_FLAGS_KEY(IR_FLAGS_LOGIC, 3), x ^ y)
COMPARE_RR(iop_eq8_rr, uint8_t, x == y)
COMPARE_RI(iop_eq8_ri, uint8_t, x == y)
COMPARE_RR(iop_eq16_rr, uint16_t, x == y)
COMPARE_RI(iop_eq16_ri, uint16_t, x == y)
COMPARE_RR(iop_eq32_rr, uint32_t, x == y)
COMPARE_RI(iop_eq32_ri, uint32_t, x == y)
COMPARE_RR(iop_eq64_rr, uint64_t, x == y)
COMPARE_RI(iop_eq64_ri, uint64_t, x == y)
COMPARE_RR(iop_ne8_rr, uint8_t, x != y)
COMPARE_RI(iop_ne8_ri, uint8_t, x != y)
COMPARE_RR(iop_ne16_rr, uint16_t, x != y)
COMPARE_RI(iop_ne16_ri, uint16_t, x != y)
COMPARE_RR(iop_ne32_rr, uint32_t, x != y)
COMPARE_RI(iop_ne32_ri, uint32_t, x != y)
COMPARE_RR(iop_ne64_rr, uint64_t, x != y)
COMPARE_RI(iop_ne64_ri, uint64_t, x != y)
COMPARE_RR(iop_ltu8_rr, uint8_t, x < y)
COMPARE_RI(iop_ltu8_ri, uint8_t, x < y)
COMPARE_RR(iop_ltu16_rr, uint16_t, x < y)
COMPARE_RI(iop_ltu16_ri, uint16_t, x < y)
COMPARE_RR(iop_ltu32_rr, uint32_t, x < y)
COMPARE_RI(iop_ltu32_ri, uint32_t, x < y)
COMPARE_RR(iop_ltu64_rr, uint64_t, x < y)
COMPARE_RI(iop_ltu64_ri, uint64_t, x < y)
COMPARE_RR(iop_leu8_rr, uint8_t, x <= y)
COMPARE_RI(iop_leu8_ri, uint8_t, x <= y)
COMPARE_RR(iop_leu16_rr, uint16_t, x <= y)
COMPARE_RI(iop_leu16_ri, uint16_t, x <= y)
COMPARE_RR(iop_leu32_rr, uint32_t, x <= y)
COMPARE_RI(iop_leu32_ri, uint32_t, x <= y)
COMPARE_RR(iop_leu64_rr, uint64_t, x <= y)
COMPARE_RI(iop_leu64_ri, uint64_t, x <= y)
COMPARE_RR(iop_lts8_rr, uint8_t, (int8_t)x < (int8_t)y)
COMPARE_RI(iop_lts8_ri, uint8_t, (int8_t)x < (int8_t)y)
COMPARE_RR(iop_lts16_rr, uint16_t, (int16_t)x < (int16_t)y)
COMPARE_RI(iop_lts16_ri, uint16_t, (int16_t)x < (int16_t)y)
COMPARE_RR(iop_lts32_rr, uint32_t, (int32_t)x < (int32_t)y)
COMPARE_RI(iop_lts32_ri, uint32_t, (int32_t)x < (int32_t)y)
COMPARE_RR(iop_lts64_rr, uint64_t, (int64_t)x < (int64_t)y)
COMPARE_RI(iop_lts64_ri, uint64_t, (int64_t)x < (int64_t)y)
COMPARE_RR(iop_les8_rr, uint8_t, (int8_t)x <= (int8_t)y)
COMPARE_RI(iop_les8_ri, uint8_t, (int8_t)x <= (int8_t)y)
COMPARE_RR(iop_les16_rr, uint16_t, (int16_t)x <= (int16_t)y)
COMPARE_RI(iop_les16_ri, uint16_t, (int16_t)x <= (int16_t)y)
COMPARE_RR(iop_les32_rr, uint32_t, (int32_t)x <= (int32_t)y)
COMPARE_RI(iop_les32_ri, uint32_t, (int32_t)x <= (int32_t)y)
COMPARE_RR(iop_les64_rr, uint64_t, (int64_t)x <= (int64_t)y)
COMPARE_RI(iop_les64_ri, uint64_t, (int64_t)x <= (int64_t)y)
BRANCH_RR(iop_if_eq8_rr, uint8_t, x == y)
BRANCH_RI(iop_if_eq8_ri, uint8_t, x == y)
BRANCH_RR(iop_if_eq16_rr, uint16_t, x == y)
BRANCH_RI(iop_if_eq16_ri, uint16_t, x == y)
BRANCH_RR(iop_if_eq32_rr, uint32_t, x == y)
BRANCH_RI(iop_if_eq32_ri, uint32_t, x == y)
BRANCH_RR(iop_if_eq64_rr, uint64_t, x == y)
BRANCH_RI(iop_if_eq64_ri, uint64_t, x == y)
BRANCH_RR(iop_if_ne8_rr, uint8_t, x != y)
BRANCH_RI(iop_if_ne8_ri, uint8_t, x != y)
BRANCH_RR(iop_if_ne16_rr, uint16_t, x != y)
BRANCH_RI(iop_if_ne16_ri, uint16_t, x != y)
BRANCH_RR(iop_if_ne32_rr, uint32_t, x != y)
BRANCH_RI(iop_if_ne32_ri, uint32_t, x != y)
BRANCH_RR(iop_if_ne64_rr, uint64_t, x != y)
BRANCH_RI(iop_if_ne64_ri, uint64_t, x != y)
BRANCH_RR(iop_if_ltu8_rr, uint8_t, x < y)
BRANCH_RI(iop_if_ltu8_ri, uint8_t, x < y)
BRANCH_RR(iop_if_ltu16_rr, uint16_t, x < y)
BRANCH_RI(iop_if_ltu16_ri, uint16_t, x < y)
BRANCH_RR(iop_if_ltu32_rr, uint32_t, x < y)
BRANCH_RI(iop_if_ltu32_ri, uint32_t, x < y)
BRANCH_RR(iop_if_ltu64_rr, uint64_t, x < y)
BRANCH_RI(iop_if_ltu64_ri, uint64_t, x < y)
BRANCH_RR(iop_if_leu8_rr, uint8_t, x <= y)
BRANCH_RI(iop_if_leu8_ri, uint8_t, x <= y)
BRANCH_RR(iop_if_leu16_rr, uint16_t, x <= y)
BRANCH_RI(iop_if_leu16_ri, uint16_t, x <= y)
BRANCH_RR(iop_if_leu32_rr, uint32_t, x <= y)
BRANCH_RI(iop_if_leu32_ri, uint32_t, x <= y)
BRANCH_RR(iop_if_leu64_rr, uint64_t, x <= y)
BRANCH_RI(iop_if_leu64_ri, uint64_t, x <= y)
BRANCH_RR(iop_if_lts8_rr, uint8_t, (int8_t)x < (int8_t)y)
BRANCH_RI(iop_if_lts8_ri, uint8_t, (int8_t)x < (int8_t)y)
BRANCH_RR(iop_if_lts16_rr, uint16_t, (int16_t)x < (int16_t)y)
BRANCH_RI(iop_if_lts16_ri, uint16_t, (int16_t)x < (int16_t)y)
BRANCH_RR(iop_if_lts32_rr, uint32_t, (int32_t)x < (int32_t)y)
BRANCH_RI(iop_if_lts32_ri, uint32_t, (int32_t)x < (int32_t)y)
BRANCH_RR(iop_if_lts64_rr, uint64_t, (int64_t)x < (int64_t)y)
BRANCH_RI(iop_if_lts64_ri, uint64_t, (int64_t)x < (int64_t)y)
BRANCH_RR(iop_if_les8_rr, uint8_t, (int8_t)x <= (int8_t)y)
BRANCH_RI(iop_if_les8_ri, uint8_t, (int8_t)x <= (int8_t)y)
BRANCH_RR(iop_if_les16_rr, uint16_t, (int16_t)x <= (int16_t)y)
BRANCH_RI(iop_if_les16_ri, uint16_t, (int16_t)x <= (int16_t)y)
BRANCH_RR(iop_if_les32_rr, uint32_t, (int32_t)x <= (int32_t)y)
BRANCH_RI(iop_if_les32_ri, uint32_t, (int32_t)x <= (int32_t)y)
BRANCH_RR(iop_if_les64_rr, uint64_t, (int64_t)x <= (int64_t)y)
BRANCH_RI(iop_if_les64_ri, uint64_t, (int64_t)x <= (int64_t)y)
UNARY(iop_not8, uint8_t, uint8_t, ~x)
UNARY(iop_not16, uint16_t, uint16_t, ~x)
UNARY(iop_not32, uint32_t, uint64_t, ~x)
UNARY(iop_not64, uint64_t, uint64_t, ~x)
UNARY(iop_neg8, uint8_t, uint8_t, -x)
UNARY(iop_neg16, uint16_t, uint16_t, -x)
UNARY(iop_neg32, uint32_t, uint64_t, -x)
UNARY(iop_neg64, uint64_t, uint64_t, -x)
UNARY(iop_bswap8, uint8_t, uint8_t, x)
UNARY(iop_bswap16, uint16_t, uint16_t, __builtin_bswap16(x))
UNARY(iop_bswap32, uint32_t, uint64_t, __builtin_bswap32(x))
UNARY(iop_bswap64, uint64_t, uint64_t, __builtin_bswap64(x))
UNARY(iop_clz8, uint8_t, uint8_t, x ? __builtin_clzll(x) - 56 : 8)
UNARY(iop_clz16, uint16_t, uint16_t, x ? __builtin_clzll(x) - 48 : 16)
UNARY(iop_clz32, uint32_t, uint64_t, x ? __builtin_clzll(x) - 32 : 32)
UNARY(iop_clz64, uint64_t, uint64_t, x ? __builtin_clzll(x) - 0 : 64)
UNARY(iop_ctz8, uint8_t, uint8_t, x ? __builtin_ctzll(x) : 8)
UNARY(iop_ctz16, uint16_t, uint16_t, x ? __builtin_ctzll(x) : 16)
UNARY(iop_ctz32, uint32_t, uint64_t, x ? __builtin_ctzll(x) : 32)
UNARY(iop_ctz64, uint64_t, uint64_t, x ? __builtin_ctzll(x) : 64)
UNARY(iop_popcnt8, uint8_t, uint8_t, __builtin_popcountll(x))
UNARY(iop_popcnt16, uint16_t, uint16_t, __builtin_popcountll(x))
UNARY(iop_popcnt32, uint32_t, uint64_t, __builtin_popcountll(x))
UNARY(iop_popcnt64, uint64_t, uint64_t, __builtin_popcountll(x))
CONVERT(iop_zext8_16, uint8_t, uint16_t)
CONVERT(iop_sext8_16, int8_t, uint16_t)
CONVERT(iop_zext8_32, uint8_t, uint64_t)
SEXT32(iop_sext8_32, uint8_t, uint64_t, (uint32_t)(int32_t)(int8_t)x)
CONVERT(iop_zext8_64, uint8_t, uint64_t)
CONVERT(iop_sext8_64, int8_t, uint64_t)
CONVERT(iop_zext16_32, uint16_t, uint64_t)
SEXT32(iop_sext16_32, uint16_t, uint64_t, (uint32_t)(int32_t)(int16_t)x)
CONVERT(iop_zext16_64, uint16_t, uint64_t)
CONVERT(iop_sext16_64, int16_t, uint64_t)
CONVERT(iop_zext32_64, uint32_t, uint64_t)
CONVERT(iop_sext32_64, int32_t, uint64_t)

static const iop_fn binary[][4][2] = {
	[IR_ADD - IR_ADD] = {{iop_add8_rr, iop_add8_ri}, {iop_add16_rr, iop_add16_ri}, {iop_add32_rr, iop_add32_ri}, {iop_add64_rr, iop_add64_ri}},
	[IR_SUB - IR_ADD] = {{iop_sub8_rr, iop_sub8_ri}, {iop_sub16_rr, iop_sub16_ri}, {iop_sub32_rr, iop_sub32_ri}, {iop_sub64_rr, iop_sub64_ri}},
	[IR_MUL - IR_ADD] = {{iop_mul8_rr, iop_mul8_ri}, {iop_mul16_rr, iop_mul16_ri}, {iop_mul32_rr, iop_mul32_ri}, {iop_mul64_rr, iop_mul64_ri}},
	[IR_AND - IR_ADD] = {{iop_and8_rr, iop_and8_ri}, {iop_and16_rr, iop_and16_ri}, {iop_and32_rr, iop_and32_ri}, {iop_and64_rr, iop_and64_ri}},
	[IR_OR - IR_ADD] = {{iop_or8_rr, iop_or8_ri}, {iop_or16_rr, iop_or16_ri}, {iop_or32_rr, iop_or32_ri}, {iop_or64_rr, iop_or64_ri}},
	[IR_XOR - IR_ADD] = {{iop_xor8_rr, iop_xor8_ri}, {iop_xor16_rr, iop_xor16_ri}, {iop_xor32_rr, iop_xor32_ri}, {iop_xor64_rr, iop_xor64_ri}},
	[IR_SHL - IR_ADD] = {{iop_shl8_rr, iop_shl8_ri}, {iop_shl16_rr, iop_shl16_ri}, {iop_shl32_rr, iop_shl32_ri}, {iop_shl64_rr, iop_shl64_ri}},
	[IR_SHR - IR_ADD] = {{iop_shr8_rr, iop_shr8_ri}, {iop_shr16_rr, iop_shr16_ri}, {iop_shr32_rr, iop_shr32_ri}, {iop_shr64_rr, iop_shr64_ri}},
	[IR_SAR - IR_ADD] = {{iop_sar8_rr, iop_sar8_ri}, {iop_sar16_rr, iop_sar16_ri}, {iop_sar32_rr, iop_sar32_ri}, {iop_sar64_rr, iop_sar64_ri}},
	[IR_ROL - IR_ADD] = {{iop_rol8_rr, iop_rol8_ri}, {iop_rol16_rr, iop_rol16_ri}, {iop_rol32_rr, iop_rol32_ri}, {iop_rol64_rr, iop_rol64_ri}},
	[IR_ROR - IR_ADD] = {{iop_ror8_rr, iop_ror8_ri}, {iop_ror16_rr, iop_ror16_ri}, {iop_ror32_rr, iop_ror32_ri}, {iop_ror64_rr, iop_ror64_ri}},
	[IR_MULHU - IR_ADD] = {{iop_mulhu8_rr, iop_mulhu8_ri}, {iop_mulhu16_rr, iop_mulhu16_ri}, {iop_mulhu32_rr, iop_mulhu32_ri}, {iop_mulhu64_rr, iop_mulhu64_ri}},
	[IR_MULHS - IR_ADD] = {{iop_mulhs8_rr, iop_mulhs8_ri}, {iop_mulhs16_rr, iop_mulhs16_ri}, {iop_mulhs32_rr, iop_mulhs32_ri}, {iop_mulhs64_rr, iop_mulhs64_ri}},
};
static const iop_fn binary_flags[][4][2] = {
	[IR_ADD - IR_ADD] = {{iop_add8_flags_rr, iop_add8_flags_ri}, {iop_add16_flags_rr, iop_add16_flags_ri}, {iop_add32_flags_rr, iop_add32_flags_ri}, {iop_add64_flags_rr, iop_add64_flags_ri}},
	[IR_SUB - IR_ADD] = {{iop_sub8_flags_rr, iop_sub8_flags_ri}, {iop_sub16_flags_rr, iop_sub16_flags_ri}, {iop_sub32_flags_rr, iop_sub32_flags_ri}, {iop_sub64_flags_rr, iop_sub64_flags_ri}},
	[IR_AND - IR_ADD] = {{iop_and8_flags_rr, iop_and8_flags_ri}, {iop_and16_flags_rr, iop_and16_flags_ri}, {iop_and32_flags_rr, iop_and32_flags_ri}, {iop_and64_flags_rr, iop_and64_flags_ri}},
	[IR_OR - IR_ADD] = {{iop_or8_flags_rr, iop_or8_flags_ri}, {iop_or16_flags_rr, iop_or16_flags_ri}, {iop_or32_flags_rr, iop_or32_flags_ri}, {iop_or64_flags_rr, iop_or64_flags_ri}},
	[IR_XOR - IR_ADD] = {{iop_xor8_flags_rr, iop_xor8_flags_ri}, {iop_xor16_flags_rr, iop_xor16_flags_ri}, {iop_xor32_flags_rr, iop_xor32_flags_ri}, {iop_xor64_flags_rr, iop_xor64_flags_ri}},
};
static const iop_fn compare[][4][2] = {
	[IR_EQ - IR_EQ] = {{iop_eq8_rr, iop_eq8_ri}, {iop_eq16_rr, iop_eq16_ri}, {iop_eq32_rr, iop_eq32_ri}, {iop_eq64_rr, iop_eq64_ri}},
	[IR_NE - IR_EQ] = {{iop_ne8_rr, iop_ne8_ri}, {iop_ne16_rr, iop_ne16_ri}, {iop_ne32_rr, iop_ne32_ri}, {iop_ne64_rr, iop_ne64_ri}},
	[IR_LTU - IR_EQ] = {{iop_ltu8_rr, iop_ltu8_ri}, {iop_ltu16_rr, iop_ltu16_ri}, {iop_ltu32_rr, iop_ltu32_ri}, {iop_ltu64_rr, iop_ltu64_ri}},
	[IR_LEU - IR_EQ] = {{iop_leu8_rr, iop_leu8_ri}, {iop_leu16_rr, iop_leu16_ri}, {iop_leu32_rr, iop_leu32_ri}, {iop_leu64_rr, iop_leu64_ri}},
	[IR_LTS - IR_EQ] = {{iop_lts8_rr, iop_lts8_ri}, {iop_lts16_rr, iop_lts16_ri}, {iop_lts32_rr, iop_lts32_ri}, {iop_lts64_rr, iop_lts64_ri}},
	[IR_LES - IR_EQ] = {{iop_les8_rr, iop_les8_ri}, {iop_les16_rr, iop_les16_ri}, {iop_les32_rr, iop_les32_ri}, {iop_les64_rr, iop_les64_ri}},
};
static const iop_fn branch[][4][2] = {
	[IR_EQ - IR_EQ] = {{iop_if_eq8_rr, iop_if_eq8_ri}, {iop_if_eq16_rr, iop_if_eq16_ri}, {iop_if_eq32_rr, iop_if_eq32_ri}, {iop_if_eq64_rr, iop_if_eq64_ri}},
	[IR_NE - IR_EQ] = {{iop_if_ne8_rr, iop_if_ne8_ri}, {iop_if_ne16_rr, iop_if_ne16_ri}, {iop_if_ne32_rr, iop_if_ne32_ri}, {iop_if_ne64_rr, iop_if_ne64_ri}},
	[IR_LTU - IR_EQ] = {{iop_if_ltu8_rr, iop_if_ltu8_ri}, {iop_if_ltu16_rr, iop_if_ltu16_ri}, {iop_if_ltu32_rr, iop_if_ltu32_ri}, {iop_if_ltu64_rr, iop_if_ltu64_ri}},
	[IR_LEU - IR_EQ] = {{iop_if_leu8_rr, iop_if_leu8_ri}, {iop_if_leu16_rr, iop_if_leu16_ri}, {iop_if_leu32_rr, iop_if_leu32_ri}, {iop_if_leu64_rr, iop_if_leu64_ri}},
	[IR_LTS - IR_EQ] = {{iop_if_lts8_rr, iop_if_lts8_ri}, {iop_if_lts16_rr, iop_if_lts16_ri}, {iop_if_lts32_rr, iop_if_lts32_ri}, {iop_if_lts64_rr, iop_if_lts64_ri}},
	[IR_LES - IR_EQ] = {{iop_if_les8_rr, iop_if_les8_ri}, {iop_if_les16_rr, iop_if_les16_ri}, {iop_if_les32_rr, iop_if_les32_ri}, {iop_if_les64_rr, iop_if_les64_ri}},
};
static const iop_fn unary[][4] = {
	[IR_NOT - IR_NOT] = {iop_not8, iop_not16, iop_not32, iop_not64},
	[IR_NEG - IR_NOT] = {iop_neg8, iop_neg16, iop_neg32, iop_neg64},
	[IR_BSWAP - IR_NOT] = {iop_bswap8, iop_bswap16, iop_bswap32, iop_bswap64},
	[IR_CLZ - IR_NOT] = {iop_clz8, iop_clz16, iop_clz32, iop_clz64},
	[IR_CTZ - IR_NOT] = {iop_ctz8, iop_ctz16, iop_ctz32, iop_ctz64},
	[IR_POPCNT - IR_NOT] = {iop_popcnt8, iop_popcnt16, iop_popcnt32, iop_popcnt64},
};
static const iop_fn zext[4][4] = {
	[0][1] = iop_zext8_16,
	[0][2] = iop_zext8_32,
	[0][3] = iop_zext8_64,
	[1][2] = iop_zext16_32,
	[1][3] = iop_zext16_64,
	[2][3] = iop_zext32_64,
};
static const iop_fn sext[4][4] = {
	[0][1] = iop_sext8_16,
	[0][2] = iop_sext8_32,
	[0][3] = iop_sext8_64,
	[1][2] = iop_sext16_32,
	[1][3] = iop_sext16_64,
	[2][3] = iop_sext32_64,
};
/* clang-format on */

iop_fn iop_find_binary(enum ir_op op, enum ir_type t, bool immediate)
{
	return binary[op - IR_ADD][ir_type_log2(t)][immediate];
}

iop_fn iop_find_binary_flags(enum ir_op op, enum ir_type t, bool immediate)
{
	return binary_flags[op - IR_ADD][ir_type_log2(t)][immediate];
}

iop_fn iop_find_compare(enum ir_op op, enum ir_type t, bool immediate)
{
	return compare[op - IR_EQ][ir_type_log2(t)][immediate];
}

iop_fn iop_find_branch(enum ir_op op, enum ir_type t, bool immediate)
{
	return branch[op - IR_EQ][ir_type_log2(t)][immediate];
}

iop_fn iop_find_unary(enum ir_op op, enum ir_type t)
{
	return unary[op - IR_NOT][ir_type_log2(t)];
}

iop_fn iop_find_extend(bool is_signed, enum ir_type from, enum ir_type to)
{
	return (is_signed ? sext : zext)[ir_type_log2(from)][ir_type_log2(to)];
}
