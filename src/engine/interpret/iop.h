/*
 * The interpreter's form of a block: IR lowered to a list of small operations, each with a pointer
 * to the function that carries it out. Operands are byte offsets from the CPU struct: guest state
 * is used in place, and temporaries live in cpu->scratch.
 *
 * Calling convention: a function does its work and hands on to the next (NEXT). In optimized
 * builds that is a tail call; otherwise it returns the next operation to a loop. NULL leaves.
 */
#ifndef ENGINE_INTERPRET_IOP_H
#define ENGINE_INTERPRET_IOP_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/blocks.h"
#include "host/host.h"
#include "ir/ir.h"
#include "isa/x86/cpu.h"
#include "isa/x86/mmu.h"

struct iop;
struct iblock;
typedef const struct iop *(*iop_fn)(struct x86_cpu *cpu, const struct iop *op);

/* A direct exit. Its head.to is an iblock. */
struct ilink {
	struct block_link head;
	int64_t delta;	    /* new rip - block's rip */
	uint32_t unretired; /* instructions of the block behind this exit */
};

/* Arguments of a helper call: value = (slot & mask) | k, or the slot's address for vectors. */
struct icall_arg {
	uint64_t mask, k;
	uint32_t slot;
	bool pointer;
};
struct icall {
	struct icall_arg arg[3];
	uint64_t (*fn)(void *cpu, uint64_t a, uint64_t b, uint64_t c);
};

/*
 * 16 bytes: what a guest's kernel runs through once is soon larger than the host's caches. Slots
 * are byte offsets from the CPU struct. Memory operations: c = IOP_ACCESS. Links and calls lie in
 * the block's own allocation, at an offset from the operation.
 */
struct iop {
	int32_t fn; /* offset of the function from iop_leave */
	uint16_t d, a;
	union {
		struct {
			uint16_t b, c;
			int32_t imm;
		};
		uint64_t wide;
	};
};
_Static_assert(sizeof(struct iop) == 16, "operations are packed");

#define IOP_ACCESS(mmu, flags, scale) ((uint16_t)((mmu) | (flags) << 2 | (scale) << 7))

/* One lifted block of guest code. head.link is an array of struct ilink. */
struct iblock {
	struct block head;
	const struct iop *ops;
	uint32_t heat;		     /* entries until it is hot */
	uint32_t bytes;		     /* of guest code */
	uint16_t op_count;
	const uint8_t *op_guest;     /* per op: which guest instruction */
	const int16_t *guest_offset; /* per guest instruction, from the first PC */
	const uint8_t *guest_len;    /* per guest instruction, in bytes */
};

#define IOP_FN(name) const struct iop *name(struct x86_cpu *cpu, const struct iop *op)
/* Take the direct exit whose link op->d names. */
__attribute__((visibility("hidden"))) IOP_FN(iop_leave);

static inline iop_fn iop_function(const struct iop *op)
{
	return (iop_fn)((uintptr_t)iop_leave + (uintptr_t)(intptr_t)op->fn);
}

static inline void iop_set_function(struct iop *op, iop_fn fn)
{
	op->fn = (int32_t)((intptr_t)(uintptr_t)fn - (intptr_t)(uintptr_t)iop_leave);
}

static inline struct ilink *iop_link(const struct iop *op)
{
	return (struct ilink *)((uintptr_t)op + op->d * sizeof(uint64_t));
}

static inline const struct icall *iop_icall(const struct iop *op)
{
	return (const struct icall *)((uintptr_t)op + (uintptr_t)(intptr_t)op->imm);
}

#define SLOT(off) ((void *)((uint8_t *)cpu + (off)))

#if defined(__OPTIMIZE__) && !defined(DOPPEL_NO_TAIL_CALLS) /* see meson.build */
#define GOTO(next) return iop_function(next)(cpu, (next))
#else
#define GOTO(next) return (next)
#endif
#define NEXT GOTO(op + 1)

/* A conditional exit. What mostly follows is the other exit: no need to go through a pointer. */
static inline const struct iop *iop_leave_if(struct x86_cpu *cpu, const struct iop *op, bool taken)
{
	if (taken)
		return iop_leave(cpu, op);
	if (LIKELY(!op[1].fn))
		return iop_leave(cpu, op + 1);
	NEXT;
}

/* Why exec came back. */
enum interp_stop {
	INTERP_LOOKUP, /* cpu->rip is set: find the next block (and link it if .link is set) */
	INTERP_POLL,   /* the same, and look at requests and mode first */
	INTERP_BUDGET, /* the next block does not fit the budget */
	INTERP_ABORT,  /* cpu->exit_code is set by the operation .stop_op of the current block */
	INTERP_HOT,    /* the next block has run often enough to be translated (or is) */
};

/*
 * Jump cache: rip and mode to block, without looking at page tables. Stale when gen is not the
 * generation of its kind: cpu->context, or, as global pages in the upper half outlive switches of
 * address space, a count for those. Only modes in which the linear address is rip and nothing is
 * due between instructions stand in it. A block that was dropped stays readable, and is of no use.
 */
enum { INTERP_JUMP_BITS = 14, INTERP_JUMP_SIZE = 1 << INTERP_JUMP_BITS };
struct interp_jump {
	uint64_t rip;
	uint64_t gen; /* 0: empty */
	struct iblock *block;
	uint32_t mode;
	uint32_t global; /* 0 or 1: index into jump_gen */
};

/* The interpreter's per-CPU object (struct engine_cpu begins with it) as operations see it. */
struct interp_hot {
	enum interp_stop stop;
	const struct iop *stop_op;
	struct ilink *link;
	const struct iblock *block; /* running */
	uint64_t jump_gen[2];
	struct interp_jump jump[INTERP_JUMP_SIZE];
};

/* Carry operations out from op until one leaves. */
static inline void iop_run(struct x86_cpu *cpu, const struct iop *op)
{
	while (op)
		op = iop_function(op)(cpu, op);
}

static inline struct interp_hot *interp_hot(struct x86_cpu *cpu)
{
	return cpu->engine;
}

/* Processes share addresses: their entries lie apart. The upper half is one for all. */
static inline unsigned interp_jump_index(uint64_t rip, uint64_t context)
{
	uint64_t apart = context << 5 & ~(uint64_t)((int64_t)rip >> 63);

	return (unsigned)((rip ^ rip >> INTERP_JUMP_BITS ^ apart) & (INTERP_JUMP_SIZE - 1));
}

/* The block at cpu->rip in the present mode, or NULL. */
static inline struct iblock *interp_jump_find(const struct x86_cpu *cpu, const struct interp_hot *h)
{
	const struct interp_jump *j = &h->jump[interp_jump_index(cpu->rip, cpu->context)];

	if (LIKELY(j->rip == cpu->rip && j->mode == cpu->mode && j->gen == h->jump_gen[j->global] &&
		   !j->block->head.dead))
		return j->block;
	return NULL;
}

/* Enter a block: account for its instructions, or leave if it does not fit. */
const struct iop *iop_enter(struct x86_cpu *cpu, struct iblock *b);
/* Abandon the block at op; cpu->exit_code says why. */
const struct iop *iop_abort(struct x86_cpu *cpu, const struct iop *op);

/* Finding the function for an operation (exec_int.c). */
iop_fn iop_find_binary(enum ir_op op, enum ir_type t, bool immediate);
iop_fn iop_find_binary_flags(enum ir_op op, enum ir_type t, bool immediate);
iop_fn iop_find_compare(enum ir_op op, enum ir_type t, bool immediate);
iop_fn iop_find_branch(enum ir_op op, enum ir_type t, bool immediate);
iop_fn iop_find_unary(enum ir_op op, enum ir_type t);
iop_fn iop_find_extend(bool is_signed, enum ir_type from, enum ir_type to);
IOP_FN(iop_zext_vector); /* V128 to V256 */

/* Memory (exec_mem.c). indexed: address is a + (b << scale) + imm, else a + imm. wide: zero-extend
 * the value to 64 bits. */
iop_fn iop_find_load(enum ir_type t, bool indexed, bool wide);
iop_fn iop_find_store(enum ir_type t, bool indexed);
iop_fn iop_find_store_imm(enum ir_type t); /* address a + imm, value d | b << 16, sign-extended */
IOP_FN(iop_load_checked); /* b: bytes; always the slow path (alignment checking is on) */
IOP_FN(iop_store_checked);
iop_fn iop_find_atomic(enum ir_op op); /* imm: enum ir_type | slot of the new value << 16 */
IOP_FN(iop_fence);

/* Moves, constants, selects, flags, calls, exits (exec_misc.c). */
iop_fn iop_find_copy(enum ir_type t);	/* a -> d */
iop_fn iop_find_const(enum ir_type t);	/* wide -> d, exactly the type's bytes */
iop_fn iop_find_select(enum ir_type t); /* a ? b : c */
IOP_FN(iop_pc);				/* d = rip + wide */
IOP_FN(iop_lea);			/* d = a + (b << c) + imm */
IOP_FN(iop_set_flags_a);		/* imm = key */
IOP_FN(iop_set_flags_ab);		/* imm = key */
IOP_FN(iop_set_flags_ai);		/* c = key, imm = b */
IOP_FN(iop_set_flags_abc);		/* d = key */
IOP_FN(iop_cond_state);			/* imm = condition, from the guest's flags */
IOP_FN(iop_cond_tuple);			/* imm = condition | key << 8; a, b, c */
IOP_FN(iop_pack_state);
IOP_FN(iop_pack_tuple); /* imm = key */
IOP_FN(iop_if_state);	/* leave if condition imm holds for the guest's flags */
IOP_FN(iop_if);		/* leave if the byte a is nonzero */
IOP_FN(iop_unless);	/* leave for a unless that is rip + the link's delta */
IOP_FN(iop_vop);	/* imm = vop id | imm8 << 16 */
IOP_FN(iop_vop_soft);	/* the same, by what runs on any host */
IOP_FN(iop_vop_twin);	/* the 256-bit twin */
IOP_FN(iop_vop_twin_soft);
iop_fn iop_find_vop(unsigned vop, enum ir_type result, const struct host_cpu *host);
IOP_FN(iop_call);
IOP_FN(iop_call_fault); /* and look at exit_code */
IOP_FN(iop_exit_indirect);
IOP_FN(iop_exit_state);

#endif
