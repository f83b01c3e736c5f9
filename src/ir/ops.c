/* The table of operations: everything the printer, parser, verifier, passes and engines ask about
 * one. docs/ir.md shows it with the rules; docs/add-an-ir-op.md lists what a new row needs. */
#include "ir/vop.h"

#define NONE  IR_RESULT_NONE
#define TYPE  IR_RESULT_TYPE
#define I8    IR_RESULT_I8
#define I64   IR_RESULT_I64
#define FLAGS IR_RESULT_FLAGS

/* clang-format off */
const struct ir_op_info ir_ops[IR_OP_COUNT] = {
	/*                     name    args result imm aux fault effect terminal commutes leaves text */
	[IR_CONST]         = {"const",         0, TYPE,  1, 0, 0, 0, 0, 0, 0, "the constant imm, cut to the type"},
	[IR_GET]           = {"get",           0, TYPE,  1, 0, 0, 0, 0, 0, 0, "read guest state"},
	[IR_PUT]           = {"put",           1, NONE,  1, 0, 0, 1, 0, 0, 0, "write a to guest state"},
	[IR_GET_FLAGS]     = {"get_flags",     0, FLAGS, 0, 0, 0, 0, 0, 0, 0, "read the guest's lazy flags"},
	[IR_PUT_FLAGS]     = {"put_flags",     1, NONE,  0, 0, 0, 1, 0, 0, 0, "write the guest's lazy flags"},
	[IR_PC]            = {"pc",            0, I64,   1, 0, 0, 0, 0, 0, 0, "the block's first PC + imm"},
	[IR_ADD]           = {"add",           2, TYPE,  0, 0, 0, 0, 0, 1, 0, "a + b"},
	[IR_SUB]           = {"sub",           2, TYPE,  0, 0, 0, 0, 0, 0, 0, "a - b"},
	[IR_MUL]           = {"mul",           2, TYPE,  0, 0, 0, 0, 0, 1, 0, "low half of a * b"},
	[IR_AND]           = {"and",           2, TYPE,  0, 0, 0, 0, 0, 1, 0, "a & b"},
	[IR_OR]            = {"or",            2, TYPE,  0, 0, 0, 0, 0, 1, 0, "a | b"},
	[IR_XOR]           = {"xor",           2, TYPE,  0, 0, 0, 0, 0, 1, 0, "a ^ b"},
	[IR_SHL]           = {"shl",           2, TYPE,  0, 0, 0, 0, 0, 0, 0, "a << (b modulo width)"},
	[IR_SHR]           = {"shr",           2, TYPE,  0, 0, 0, 0, 0, 0, 0, "a >> (b modulo width), zeros in"},
	[IR_SAR]           = {"sar",           2, TYPE,  0, 0, 0, 0, 0, 0, 0, "a >> (b modulo width), sign in"},
	[IR_ROL]           = {"rol",           2, TYPE,  0, 0, 0, 0, 0, 0, 0, "a rotated left by b modulo width"},
	[IR_ROR]           = {"ror",           2, TYPE,  0, 0, 0, 0, 0, 0, 0, "a rotated right by b modulo width"},
	[IR_MULHU]         = {"mulhu",         2, TYPE,  0, 0, 0, 0, 0, 1, 0, "high half of the unsigned product"},
	[IR_MULHS]         = {"mulhs",         2, TYPE,  0, 0, 0, 0, 0, 1, 0, "high half of the signed product"},
	[IR_NOT]           = {"not",           1, TYPE,  0, 0, 0, 0, 0, 0, 0, "~a"},
	[IR_NEG]           = {"neg",           1, TYPE,  0, 0, 0, 0, 0, 0, 0, "-a"},
	[IR_BSWAP]         = {"bswap",         1, TYPE,  0, 0, 0, 0, 0, 0, 0, "a with its bytes reversed"},
	[IR_CLZ]           = {"clz",           1, TYPE,  0, 0, 0, 0, 0, 0, 0, "leading zeros of a; width if a is 0"},
	[IR_CTZ]           = {"ctz",           1, TYPE,  0, 0, 0, 0, 0, 0, 0, "trailing zeros of a; width if a is 0"},
	[IR_POPCNT]        = {"popcnt",        1, TYPE,  0, 0, 0, 0, 0, 0, 0, "number of ones in a"},
	[IR_EQ]            = {"eq",            2, I8,    1, 0, 0, 0, 0, 1, 0, "a == b, operands of type imm"},
	[IR_NE]            = {"ne",            2, I8,    1, 0, 0, 0, 0, 1, 0, "a != b"},
	[IR_LTU]           = {"ltu",           2, I8,    1, 0, 0, 0, 0, 0, 0, "a < b, unsigned"},
	[IR_LEU]           = {"leu",           2, I8,    1, 0, 0, 0, 0, 0, 0, "a <= b, unsigned"},
	[IR_LTS]           = {"lts",           2, I8,    1, 0, 0, 0, 0, 0, 0, "a < b, signed"},
	[IR_LES]           = {"les",           2, I8,    1, 0, 0, 0, 0, 0, 0, "a <= b, signed"},
	[IR_SELECT]        = {"select",        3, TYPE,  0, 0, 0, 0, 0, 0, 0, "a ? b : c; a is i8"},
	[IR_ZEXT]          = {"zext",          1, TYPE,  0, 0, 0, 0, 0, 0, 0, "a widened with zeros"},
	[IR_SEXT]          = {"sext",          1, TYPE,  0, 0, 0, 0, 0, 0, 0, "a widened with its sign"},
	[IR_TRUNC]         = {"trunc",         1, TYPE,  0, 0, 0, 0, 0, 0, 0, "low part of a"},
	[IR_MAKE_FLAGS]    = {"flags",         3, FLAGS, 1, 0, 0, 0, 0, 0, 0, "a lazy flags value; imm = kind and type"},
	[IR_COND]          = {"cond",          1, I8,    1, 0, 0, 0, 0, 0, 0, "whether condition imm holds for flags a"},
	[IR_PACK_FLAGS]    = {"pack_flags",    1, I64,   0, 0, 0, 0, 0, 0, 0, "flags a as RFLAGS bits"},
	[IR_LOAD]          = {"load",          1, TYPE,  0, 1, 1, 1, 0, 0, 0, "read guest memory at a"},
	[IR_STORE]         = {"store",         2, NONE,  0, 1, 1, 1, 0, 0, 0, "write b to guest memory at a"},
	[IR_ATOMIC_XCHG]   = {"atomic_xchg",   2, TYPE,  0, 1, 1, 1, 0, 0, 0, "memory at a = b; old value"},
	[IR_ATOMIC_ADD]    = {"atomic_add",    2, TYPE,  0, 1, 1, 1, 0, 0, 0, "memory at a += b; old value"},
	[IR_ATOMIC_AND]    = {"atomic_and",    2, TYPE,  0, 1, 1, 1, 0, 0, 0, "memory at a &= b; old value"},
	[IR_ATOMIC_OR]     = {"atomic_or",     2, TYPE,  0, 1, 1, 1, 0, 0, 0, "memory at a |= b; old value"},
	[IR_ATOMIC_XOR]    = {"atomic_xor",    2, TYPE,  0, 1, 1, 1, 0, 0, 0, "memory at a ^= b; old value"},
	[IR_ATOMIC_CMPXCHG] = {"atomic_cmpxchg", 3, TYPE, 0, 1, 1, 1, 0, 0, 0, "if memory at a == b, write c; old value"},
	[IR_FENCE]         = {"fence",         0, NONE,  0, 0, 0, 1, 0, 0, 0, "order memory accesses before and after"},
	[IR_VOP]           = {"vop",           3, TYPE,  1, 0, 0, 0, 0, 0, 0, "vector operation imm & 0xffff, imm8 above"},
	[IR_CALL]          = {"call",          3, TYPE,  1, 0, 1, 1, 0, 0, 0, "helper imm with up to three arguments"},
	[IR_GUEST]         = {"guest",         0, NONE,  1, 1, 0, 1, 0, 0, 0, "a guest instruction starts: offset imm, aux bytes"},
	[IR_EXIT_IF]       = {"exit_if",       1, NONE,  1, 0, 0, 1, 0, 0, 1, "if a, leave for first PC + imm"},
	[IR_EXIT_UNLESS]   = {"exit_unless",   1, NONE,  1, 0, 0, 1, 0, 0, 1, "leave for PC a unless it is first PC + imm"},
	[IR_EXIT_MOVED]    = {"exit_moved",    0, NONE,  1, 0, 0, 1, 0, 0, 1, "leave for first PC + imm if that page was mapped elsewhere"},
	[IR_EXIT]          = {"exit",          0, NONE,  1, 0, 0, 1, 1, 0, 1, "leave for first PC + imm"},
	[IR_EXIT_INDIRECT] = {"exit_indirect", 1, NONE,  0, 0, 0, 1, 1, 0, 1, "leave for PC a"},
	[IR_EXIT_STATE]    = {"exit_state",    0, NONE,  0, 0, 0, 1, 1, 0, 1, "leave for the PC in guest state"},
};
/* clang-format on */

const char *ir_type_name(enum ir_type t)
{
	static const char *const names[IR_TYPES] = {"void", "i8",   "i16",  "i32",
						    "i64",  "v128", "v256", "flags"};

	return (unsigned)t < IR_TYPES ? names[t] : "?";
}

bool ir_insn_may_fault(const struct ir_insn *i)
{
	if (i->op == IR_CALL)
		return ir_helper_of(i)->flags & (IR_HELPER_FAULTS | IR_HELPER_MEMORY);
	return ir_ops[i->op].may_fault;
}

bool ir_insn_side_effect(const struct ir_insn *i)
{
	if (i->op == IR_CALL)
		return !(ir_helper_of(i)->flags & IR_HELPER_PURE) || ir_insn_may_fault(i);
	if (i->op == IR_VOP) /* exception flags stay set */
		return vop_table[i->imm & 0xffff].uses_mxcsr;
	return ir_ops[i->op].side_effect;
}

const struct ir_state_reg *ir_reg_at(const struct ir_isa *isa, uint64_t offset, unsigned bytes)
{
	for (const struct ir_state_reg *r = isa->regs; r->name; r++)
		if (bytes <= r->bytes && offset >= r->offset &&
		    offset - r->offset <= r->bytes - bytes)
			return r;
	return NULL;
}
