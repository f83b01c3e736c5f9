/*
 * What generated code and C agree on. RBP points into the CPU struct; pinned guest registers live in host
 * registers from entry to exit, also across blocks; RAX, RCX, RDX, R8 and the low vector registers
 * are temporaries. Guest vector registers are in host registers only while frame.vec_live is set:
 * blocks that use them see to it at their start, whatever calls C saves them first.
 *
 * `rip` in the CPU struct is the linear start of the page the running block is on (in the terms of
 * RIP: minus the base of CS), so that blocks of one page jump to each other without touching it.
 */
#ifndef ENGINE_TRANSLATE_X64_FRAME_H
#define ENGINE_TRANSLATE_X64_FRAME_H

#include <stddef.h>

#include "engine/translate/x64/asm.h"
#include "ir/ir.h"
#include "isa/x86/cpu.h"

enum { FRAME_INT_SLOTS = 128, FRAME_VEC_SLOTS = 64, FRAME_GROUPS = 8 };

/* Lies in cpu->scratch. */
struct frame {
	uint64_t address;  /* slow memory access: linear address */
	uint32_t access;   /* FRAME_ACCESS */
	uint32_t vec_live; /* guest vector registers are in host registers */
	uint64_t place;	   /* host address (executable) where code was left */
	uint64_t start;	   /* ... and of its block's first byte, at an exit that is not linked */
	uint64_t kept;	   /* RAX, while a store borrows it */
	uint32_t x87_live; /* the guest's x87 is in the host's */
	uint32_t x87_again; /* ... and is to be so again after the call */
	uint32_t x87_env[7]; /* FNSTENV, 32-bit format */
	uint64_t group[FRAME_GROUPS]; /* distance to host memory of accesses that probe once, or 0 */
	uint64_t arg[3];   /* of a helper or atomic operation; arg[2] also: new value */
	union x86_vec value; /* stored or loaded */
	union x86_vec vec_arg[3];
	union x86_vec vec_result;
	union x86_vec saved[16]; /* vector registers around a slow access */
	uint64_t slot[FRAME_INT_SLOTS]; /* spilled values */
	union x86_vec vec_slot[FRAME_VEC_SLOTS];
};
_Static_assert(sizeof(struct frame) <= X86_SCRATCH_BYTES, "the frame fits the CPU's scratch");

/* RBP points this far into the CPU struct, so that what is used most is in reach of 8 bits. */
enum { FRAME_BIAS = 128 };
/* Displacement from RBP of a state offset, and of members. */
#define STATE(offset) ((int32_t)(offset) - FRAME_BIAS)
#define FRAME(member) STATE(offsetof(struct x86_cpu, scratch) + offsetof(struct frame, member))
#define CPU(member) STATE(offsetof(struct x86_cpu, member))

static inline struct frame *cpu_frame(struct x86_cpu *cpu)
{
	return (struct frame *)cpu->scratch;
}

/* A slow access or atomic operation in one word: IR type, operation, mmu index, X86_MEM_* flags. */
#define FRAME_ACCESS(type, op, mmu, flags)                                                         \
	((uint32_t)(type) | (uint32_t)(op) << 4 | (uint32_t)(mmu) << 12 | (uint32_t)(flags) << 16)
static inline enum ir_type frame_type(uint32_t access)
{
	return (enum ir_type)(access & 0xf);
}
static inline enum ir_op frame_op(uint32_t access)
{
	return (enum ir_op)(access >> 4 & 0xff);
}
static inline enum x86_mmu_index frame_mmu(uint32_t access)
{
	return (enum x86_mmu_index)(access >> 12 & 0xf);
}
static inline unsigned frame_flags(uint32_t access)
{
	return access >> 16;
}

/* Why generated code came back to C. */
enum leave {
	LEAVE_LINK,	/* a direct exit that is not linked: frame.place */
	LEAVE_INDIRECT, /* cpu->rip is the new RIP: look it up */
	LEAVE_STATE,	/* the same; state such as the mode may have changed */
	LEAVE_POLL,	/* before a block: a request waits. frame.place */
	LEAVE_BUDGET,	/* before a block: the budget does not hold it. frame.place */
	LEAVE_ABORT,	/* cpu->exit_code is set; frame.place */
};

/* The routines all blocks share, made once at the start of the code memory; addresses in the
 * writable mapping. */
struct thunks {
	uint8_t *enter;	   /* unsigned enter(struct x86_cpu *, const void *code) */
	uint8_t *load, *store, *atomic; /* called: frame.address, access, value, arg */
	uint8_t *helper;   /* called: RAX = function, frame.arg; RAX = result */
	uint8_t *helper_fault; /* the same, and may abort */
	uint8_t *vop;	   /* called: RAX = function, frame.access = imm8, frame.vec_arg, vec_result */
	/* called: RAX = linear address of the first byte, RCX = what to compare with the tag, RDX = entry of
	 * cpu->site: fill it. ZF: RAX = distance to host memory; else it is not to be had like this. RCX and
	 * RDX are lost. By MMU index and right, as in cpu->site. */
	uint8_t *fill[2 * X86_MMU_COUNT];
	uint8_t *cond;	   /* called: frame.access = condition; frame.value; all registers are kept */
	uint8_t *vec_load; /* called: bring guest vector registers into host registers */
	/* called: the guest's x87 into the host's, and back; all registers are kept */
	uint8_t *x87_load, *x87_home;
	uint8_t *x87_access; /* called: frame.address, access (1: store), arg: x87_load80 or x87_store */
	uint8_t *link;			/* called with RDX = start of the block, never comes back */
	uint8_t *poll, *budget, *state; /* jumped to */
	uint8_t *indirect;		/* jumped to: RAX = new RIP */
	uint8_t *indirect_miss;		/* jumped to: RIP is in place */
	uint8_t *second;	/* jumped to: RAX = RIP, the rest as gen_jump_entry and a miss leave it */
};

/* Which host registers hold what; fixed for the life of a CPU's code. */
struct pins {
	uint8_t gpr[16];   /* of guest register n, or X64_NO_REG */
	uint8_t vec[16];
	uint8_t temp[14], temp_count;
	uint8_t vec_temp[16], vec_temp_count;
	uint32_t callee_saved; /* bit per host register that C functions keep */
};

/* seed 0: the good choice; else a random legal one. */
void pins_choose(struct pins *p, uint64_t seed);

/* Emit the thunks at a->at. vec_bytes: 16, or 32 when the guest may use all of YMM. */
struct frame_calls { /* the C functions behind slow accesses; exit_code says whether they failed */
	void (*load)(struct x86_cpu *cpu);
	void (*store)(struct x86_cpu *cpu);
	/* Tried first, with the host's vector and x87 registers still the guest's. False: not done. */
	bool (*load_quick)(struct x86_cpu *cpu);
	bool (*store_quick)(struct x86_cpu *cpu);
	void (*atomic)(struct x86_cpu *cpu);
	void (*x87_access)(struct x86_cpu *cpu);
};
void thunks_emit(struct x64_asm *a, struct thunks *t, const struct pins *p, unsigned vec_bytes,
		 const struct frame_calls *calls);

#endif
