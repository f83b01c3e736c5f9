/*
 * The intermediate representation: one block of guest code as a list of typed operations in
 * single-assignment form. See docs/ir.md for the language and its text form.
 *
 * - An operation's result is named by its index (ir_ref). Arguments always come earlier.
 * - Guest state is read with `get` and written with `put` at a byte offset in the ISA's CPU struct,
 *   1, 2, 4, 8, 16 or 32 bytes wide; a narrow put writes only its bytes.
 * - `guest` marks the start of each guest instruction. Within an instruction every operation that
 *   may fault comes before its first put, so a fault needs only the guest PC.
 * - `rip` in guest state is the block's first PC while the block runs; PCs inside are relative to
 *   it, so a block does not depend on where its page is mapped.
 * - A block ends with exactly one terminal operation. Its guest instructions need not lie one behind
 *   the other: a block may follow the jumps of hot code through a page (a trace).
 */
#ifndef IR_IR_H
#define IR_IR_H

#include <stdint.h>
#include <stddef.h>
#include <stdbool.h>

#include "ir/flags.h"

enum ir_type { IR_VOID, IR_I8, IR_I16, IR_I32, IR_I64, IR_V128, IR_V256, IR_FLAGS, IR_TYPES };

typedef uint16_t ir_ref;
#define IR_NONE ((ir_ref)0xffff)

enum ir_op {
	/* values */
	IR_CONST,	/* imm */
	IR_GET,		/* imm = state offset */
	IR_PUT,		/* imm = state offset; a = value; type = width */
	IR_GET_FLAGS,	/* the guest's lazy flags */
	IR_PUT_FLAGS,	/* a: IR_FLAGS */
	IR_PC,		/* i64: block's first PC + imm (sign-extended) */
	/* integer arithmetic, type = operand and result type */
	IR_ADD, IR_SUB, IR_MUL, IR_AND, IR_OR, IR_XOR,
	IR_SHL, IR_SHR, IR_SAR, IR_ROL, IR_ROR, /* count in b (same type), taken modulo width */
	IR_MULHU, IR_MULHS,			/* high half of the double-width product */
	IR_NOT, IR_NEG, IR_BSWAP,
	IR_CLZ, IR_CTZ, IR_POPCNT,		/* clz, ctz of 0 = width */
	IR_EQ, IR_NE, IR_LTU, IR_LEU, IR_LTS, IR_LES, /* operands of imm (enum ir_type); i8 0 or 1 */
	IR_SELECT,	/* a ? b : c; a is i8 */
	IR_ZEXT, IR_SEXT, /* from a's narrower type; ZEXT also V128 to V256 */
	IR_TRUNC,	/* to narrower type; also V256 to V128 */
	/* flags */
	IR_MAKE_FLAGS,	/* imm = IR_FLAGS_KEY; a, b, c */
	IR_COND,	/* imm = enum ir_cond; a: flags; i8 0 or 1 */
	IR_PACK_FLAGS,	/* a: flags; i64 packed RFLAGS bits */
	/* memory: a = linear address (i64); flags = X86_MEM_* in aux */
	IR_LOAD,	/* type */
	IR_STORE,	/* a, b = value; type = value's */
	IR_ATOMIC_XCHG, IR_ATOMIC_ADD, IR_ATOMIC_AND, IR_ATOMIC_OR, IR_ATOMIC_XOR, /* old value */
	IR_ATOMIC_CMPXCHG, /* a, b = expected, c = new; old value */
	IR_FENCE,
	/* vectors: imm = vop id | imm8 << 16; type V256 where the row says V128 is its 256-bit twin;
	 * see vop.h */
	IR_VOP,
	/* everything else: imm = the helper's descriptor (const struct ir_helper *) */
	IR_CALL,
	/* structure */
	IR_GUEST,	/* imm = offset of this instruction from the block's first PC, perhaps negative
			   (32 bits); aux = its length */
	IR_EXIT_IF,	/* a: i8; leave to first PC + imm if nonzero; not terminal */
	IR_EXIT_UNLESS,	/* a: i64; leave to PC a unless it is first PC + imm; not terminal */
	IR_EXIT_MOVED,	/* leave to first PC + imm if the page of that is not mapped, to run, where it was
			   when the block was made; not terminal */
	IR_EXIT,	/* terminal: to first PC + imm */
	IR_EXIT_INDIRECT, /* terminal: a = new PC (i64) */
	IR_EXIT_STATE,	/* terminal: guest rip was set by a helper; mode may have changed */
	IR_OP_COUNT
};

/* All properties of an operation: the one table behind printer, parser, verifier, passes and
 * engines (ops.c). */
struct ir_op_info {
	const char *name;
	uint8_t args;		/* 0..3 value arguments (IR_CALL: up to 3) */
	uint8_t result;		/* enum ir_result */
	bool has_imm;
	bool has_aux;
	bool may_fault;
	bool side_effect;	/* never removed though unused */
	bool terminal;
	bool commutative;
	bool leaves;		/* may leave the block, or is terminal */
	const char *text;
};
enum ir_result { IR_RESULT_NONE, IR_RESULT_TYPE /* insn->type */, IR_RESULT_I8, IR_RESULT_I64,
		 IR_RESULT_FLAGS };

extern const struct ir_op_info ir_ops[IR_OP_COUNT];

struct ir_insn {
	uint8_t op;	/* enum ir_op */
	uint8_t type;	/* enum ir_type: of the result, or of the value stored/put */
	uint8_t aux;	/* memory flags; length for guest */
	uint8_t mmu;	/* memory: address-space index (x86: enum x86_mmu_index) */
	ir_ref arg[3];	/* IR_NONE where absent */
	int64_t imm;
};

/* Beside an ISA's own flags of a memory access, in aux: the value is used by the block as if it were
 * loaded again. Where a load would not give it back, the access is to be carried out alone. */
enum { IR_MEM_KEPT = 0x80 };

enum { IR_BLOCK_MAX = 4096, IR_BLOCK_GUEST_MAX = 128 };

/* A helper: C code called by IR, shared by all engines. One row each, in the table of the file that
 * implements it; tables end with name NULL and are listed in the ISA's helper families. */
struct ir_helper {
	const char *name;
	void *fn;	/* uint64_t fn(void *cpu, uint64_t a, uint64_t b, uint64_t c); vector
			   arguments arrive as const union ir_vec *; helpers with vector results
			   write guest state instead */
	uint8_t args;
	uint8_t result; /* enum ir_type */
	uint8_t flags;	/* IR_HELPER_* */
	uint64_t reads, writes; /* ISA state groups (isa/x86/regs.h) */
};
enum {
	IR_HELPER_PURE = 1,	 /* no side effects: may be removed or merged */
	IR_HELPER_FAULTS = 2,	 /* may set exit_code; checked after the call */
	IR_HELPER_MEMORY = 4,	 /* touches guest memory */
	IR_HELPER_SETS_PC = 8,	 /* changes rip: only before IR_EXIT_STATE */
};

/* A state register the printer and parser know by name. */
struct ir_state_reg {
	const char *name; /* "rax" */
	uint32_t offset;
	uint32_t bytes;
	uint64_t group;	  /* one bit */
};

/* What the IR must know of a guest ISA; one const object per ISA. */
struct ir_isa {
	const char *name;
	const struct ir_state_reg *regs; /* ends with name NULL */
	const struct ir_helper *const *helper_families; /* NULL-terminated, for the parser */
	uint32_t rip_offset;
	uint32_t cc_a_offset, cc_b_offset, cc_c_offset, cc_kind_offset;
	uint64_t flags_group;
};

/* Caller owns the storage; insn is an array of cap entries, at least 1. */
struct ir_block {
	const struct ir_isa *isa;
	struct ir_insn *insn;
	uint32_t count, cap;
	uint32_t guest_count;	/* guest instructions */
	uint32_t guest_bytes;	/* from the first PC to the highest byte lifted */
	bool overflow;		/* more than cap were appended: discard the block */
	struct ir_folder *folder; /* folds what is appended; NULL: built as it comes (folder.h) */
};

/* The block has the bytes [offset, offset + len), from its first PC. */
static inline void ir_block_grow(struct ir_block *b, int32_t offset, unsigned len)
{
	int64_t end = (int64_t)offset + len;

	if (end > b->guest_bytes)
		b->guest_bytes = (uint32_t)end;
}

void ir_block_init(struct ir_block *b, const struct ir_isa *isa, struct ir_insn *storage,
		   uint32_t cap);

static inline unsigned ir_type_bytes(enum ir_type t)
{
	static const uint8_t bytes[IR_TYPES] = {0, 1, 2, 4, 8, 16, 32, 0};
	return bytes[t];
}

static inline unsigned ir_type_bits(enum ir_type t)
{
	return ir_type_bytes(t) * 8;
}

static inline enum ir_type ir_int_type(unsigned bytes)
{
	return bytes == 1 ? IR_I8 : bytes == 2 ? IR_I16 : bytes == 4 ? IR_I32 : IR_I64;
}

static inline unsigned ir_type_log2(enum ir_type t) /* of integer types */
{
	return (unsigned)t - IR_I8;
}

const char *ir_type_name(enum ir_type t); /* "i32" */

/* Whether this operation may leave the block by a fault; for calls as the helper declares. */
bool ir_insn_may_fault(const struct ir_insn *i);
/* Whether it must stay though nobody uses its result. */
bool ir_insn_side_effect(const struct ir_insn *i);
/* The register that holds state bytes [offset, offset + bytes), or NULL. */
const struct ir_state_reg *ir_reg_at(const struct ir_isa *isa, uint64_t offset, unsigned bytes);

/* ---- builder (build.c): append and return the result's ref. Constants fold as they are built. */
ir_ref ir_const(struct ir_block *b, enum ir_type t, uint64_t v);
ir_ref ir_get(struct ir_block *b, enum ir_type t, uint32_t offset);
void ir_put(struct ir_block *b, uint32_t offset, ir_ref v); /* width from v's type */
ir_ref ir_get_flags(struct ir_block *b);
void ir_put_flags(struct ir_block *b, ir_ref f);
ir_ref ir_pc(struct ir_block *b, int64_t delta);
ir_ref ir_bin(struct ir_block *b, enum ir_op op, ir_ref x, ir_ref y);  /* ADD..MULHS */
ir_ref ir_bin_imm(struct ir_block *b, enum ir_op op, ir_ref x, uint64_t imm);
ir_ref ir_un(struct ir_block *b, enum ir_op op, ir_ref x);		/* NOT..POPCNT */
ir_ref ir_cmp(struct ir_block *b, enum ir_op op, ir_ref x, ir_ref y);
ir_ref ir_select(struct ir_block *b, ir_ref cond, ir_ref x, ir_ref y);
ir_ref ir_zext(struct ir_block *b, enum ir_type t, ir_ref x);	/* x itself if same type */
ir_ref ir_sext(struct ir_block *b, enum ir_type t, ir_ref x);
ir_ref ir_trunc(struct ir_block *b, enum ir_type t, ir_ref x);
ir_ref ir_make_flags(struct ir_block *b, enum ir_flags_kind k, enum ir_type t, ir_ref x, ir_ref y,
		     ir_ref z);
ir_ref ir_cond(struct ir_block *b, enum ir_cond c, ir_ref flags);
ir_ref ir_pack_flags(struct ir_block *b, ir_ref flags);
ir_ref ir_load(struct ir_block *b, enum ir_type t, ir_ref addr, unsigned mmu, unsigned flags);
void ir_store(struct ir_block *b, ir_ref addr, ir_ref v, unsigned mmu, unsigned flags);
ir_ref ir_atomic(struct ir_block *b, enum ir_op op, ir_ref addr, ir_ref x, ir_ref y, unsigned mmu,
		 unsigned flags);
void ir_fence(struct ir_block *b);
/* The 256-bit twin if x is V256 and the row says V128. */
ir_ref ir_vop(struct ir_block *b, unsigned vop, unsigned imm8, ir_ref x, ir_ref y, ir_ref z);
ir_ref ir_call(struct ir_block *b, const struct ir_helper *h, ir_ref x, ir_ref y, ir_ref z);
/* The helper of an IR_CALL. */
static inline const struct ir_helper *ir_helper_of(const struct ir_insn *i)
{
	return (const struct ir_helper *)(uintptr_t)i->imm;
}
void ir_guest(struct ir_block *b, int32_t offset, unsigned len);
void ir_exit_if(struct ir_block *b, ir_ref cond, int64_t delta);
void ir_exit_unless(struct ir_block *b, ir_ref pc, int64_t delta);
void ir_exit_moved(struct ir_block *b, int64_t delta);
void ir_exit(struct ir_block *b, int64_t delta);
void ir_exit_indirect(struct ir_block *b, ir_ref pc);
void ir_exit_state(struct ir_block *b);

static inline enum ir_type ir_type_of(const struct ir_block *b, ir_ref r)
{
	return (enum ir_type)b->insn[r].type;
}

/* True and *v if r is a constant. */
bool ir_is_const(const struct ir_block *b, ir_ref r, uint64_t *v);

/* ---- text (print.c, parse.c), checks (verify.c) */
/* Prints the block; returns length as snprintf does. */
int ir_print(const struct ir_block *b, char *buf, size_t len);
/* Parses what ir_print writes. 0, or -1 with a message "line N: ..." */
int ir_parse(struct ir_block *b, const char *text, char *msg, size_t msg_len);
/* Checks every rule of docs/ir.md. 0, or -1 with a message. Runs after every pass in debug builds. */
int ir_verify(const struct ir_block *b, char *msg, size_t msg_len);

#endif
