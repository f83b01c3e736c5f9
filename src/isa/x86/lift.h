/*
 * Lifting: guest instructions to IR. One lift function per opcode family member, found in the
 * decode row. What is here is what they share: operand access, addresses, flags, traps.
 *
 * Program counters: outside 64-bit code EIP is 32 bits wide, while IR exits are relative to the
 * block's first PC at 64 bits: the engine truncates every new rip to 32 bits unless the mode it
 * runs in is CODE64. Near jumps with 16-bit operand size also truncate to 16 bits, which lift_jump
 * and its kin do with an indirect exit. The limit of CS is checked by the engine, when it looks a
 * block up: one that ends inside a page is not seen between linked blocks, nor inside a block.
 */
#ifndef ISA_X86_LIFT_H
#define ISA_X86_LIFT_H

#include "ir/ir.h"
#include "ir/vop.h"
#include "isa/x86/decode.h"
#include "isa/x86/mmu.h"
#include "isa/x86/regs.h"

/* A page that a trace may go through. Offsets are distances of linear addresses. */
struct x86_trace_page {
	int32_t at;	      /* its start, from the first page's */
	const uint8_t *bytes; /* PAGE_BYTES */
	unsigned lo, hi;      /* out: the bytes that were lifted, [lo, hi); hi 0: none */
};

/* What to lift as one block: guest code in the order in which it runs. */
struct x86_trace {
	struct x86_trace_page *page; /* the first holds the first instruction, at 0 */
	unsigned page_count;
	unsigned start; /* offset of the first instruction */
	/* path[k]: the offset, from the first page's start, at which execution goes on after the k-th
	 * control transfer (jump, call, return, conditional or not; REP does not count). Only a guess:
	 * code that goes another way leaves the block. An entry that the transfer cannot go to, or that
	 * is in no page of the trace, ends the trace there. */
	const int32_t *path;
	unsigned path_len;
	unsigned used; /* out: how many entries of path were followed */
};

/* State of one block's lifting. */
struct lift {
	struct ir_block *b;
	x86_mode_t mode;
	const struct x86_cpuid_model *model;
	bool ended;   /* a terminal op was emitted */
	unsigned mmu; /* for memory ops: x86_mode_mmu(mode) */
	struct x86_trace *trace;
	struct x86_trace_page *page; /* of the present instruction */
	unsigned pos; /* offset in it at which lifting goes on */
	unsigned end; /* bytes of the page that are there */
	unsigned left; /* instructions that may follow the present one */
	const struct x86_decoder *decoder;
	bool in_shadow; /* the next instruction is STI's shadow: interrupts get in behind it */
};

/* Decode and lift a block into `out`, which ir_block_init made, starting at bytes[0] (avail bytes
 * up to the page end, or more when the caller stitched a second page for a straddling first
 * instruction; it then passes max_guest 1).
 * Stops at a control transfer, after max_guest instructions (one, if the mode has TF, SHADOW, BREAK
 * or RF), before an instruction that must start its block (X86_STARTS) and before one that does not
 * fit in avail. Returns
 * X86_DECODE_OK, or X86_DECODE_MORE when not even the first instruction fits. An invalid
 * instruction lifts to the fault it raises. */
enum x86_decode_result x86_lift_block(const struct x86_decoder *d, const uint8_t *bytes,
				      unsigned avail, x86_mode_t mode,
				      const struct x86_cpuid_model *model, unsigned max_guest,
				      struct ir_block *out);

/* Decode and lift a trace into `out`, which ir_block_init made: one block that follows trace->path
 * through the trace's pages, with conditional exits where execution may go another way. The block's first
 * PC is that of trace->start; all offsets in it are relative to that, also backwards.
 * Direct transfers that the path follows leave nothing behind, conditional ones an exit_if,
 * indirect ones an exit_unless; before the first instruction of each page but the first comes an
 * exit_moved. Behind a page's last byte it goes on in the next page, if that is one of the trace. It stops where x86_lift_block does, but that a control transfer
 * ends it only when the path is used up or goes elsewhere; and when it comes back to its start with
 * the path used up, with `exit +0`. A path that goes on there unrolls the loop. Returns
 * X86_DECODE_OK, or X86_DECODE_MORE when the first instruction crosses the page's end. */
enum x86_decode_result x86_lift_trace(const struct x86_decoder *d, struct x86_trace *trace,
				      x86_mode_t mode, const struct x86_cpuid_model *model,
				      unsigned max_guest, struct ir_block *out);

/* ---- operands. n is the operand's number in the row. */
/* Value of a register, memory or immediate operand, at the operand's size. Vectors are V128, or V256 at 32 bytes: a Wss,
 * Wsd.. memory operand is loaded into the low lane, the others are 0. MMX operands are I64: Qd memory
 * is zero-extended. Segment registers: I16. */
ir_ref lift_read(struct lift *l, const struct x86_insn *i, unsigned n);
/* As lift_read, zero- or sign-extended or truncated to t. */
ir_ref lift_read_zext(struct lift *l, const struct x86_insn *i, unsigned n, enum ir_type t);
ir_ref lift_read_sext(struct lift *l, const struct x86_insn *i, unsigned n, enum ir_type t);
/* Write v (of the operand's size; a V128 to smaller memory stores its low lane) to a register or
 * memory operand. 32-bit register and VEX vector
 * register writes zero-extend. Memory destinations: call before any put. */
void lift_write(struct lift *l, const struct x86_insn *i, unsigned n, ir_ref v);

/* Read-modify-write of operand n: for memory the address is computed once and the load checks for
 * writing; `begin` gives the old value, `end` stores the new. */
struct lift_rmw {
	ir_ref addr; /* IR_NONE for a register */
	ir_ref old;
};
struct lift_rmw lift_rmw_begin(struct lift *l, const struct x86_insn *i, unsigned n);
void lift_rmw_end(struct lift *l, const struct x86_insn *i, unsigned n, struct lift_rmw m,
		  ir_ref v);

/* Effective address (offset) of the memory operand, i64; and its linear address, segment checks
 * for an access of bytes included when the mode needs them. delta is added to the offset. */
ir_ref lift_offset(struct lift *l, const struct x86_insn *i);
ir_ref lift_linear(struct lift *l, const struct x86_insn *i, unsigned bytes, enum x86_access a);
ir_ref lift_linear_at(struct lift *l, const struct x86_insn *i, int64_t delta, unsigned bytes,
		      enum x86_access a);
/* An i64 truncated to bytes (2, 4, 8) and zero-extended again: for offsets and stack pointers. */
ir_ref lift_wrap(struct lift *l, ir_ref x, unsigned bytes);
/* seg:off for implicit operands; off is i64 already wrapped to the address size. */
ir_ref lift_seg_linear(struct lift *l, enum x86_seg_index s, ir_ref off, unsigned bytes,
		       enum x86_access a);

/* X86_MEM_* for a load or store through lift_linear of `bytes`: SS, and 16-byte alignment. */
unsigned lift_mem_flags(const struct x86_insn *i, unsigned bytes);

/* Registers by number and size; high8 registers through lift_read/lift_write only. */
ir_ref lift_gpr(struct lift *l, unsigned reg, unsigned bytes);
void lift_set_gpr(struct lift *l, unsigned reg, ir_ref v);
ir_ref lift_vec(struct lift *l, unsigned reg);		       /* V128 */
void lift_set_vec(struct lift *l, unsigned reg, ir_ref v);    /* V128: upper half kept; V256 */
/* V128, or V256 with VEX, which clears what is above the result; legacy encodings keep it. */
void lift_set_vec_of(struct lift *l, const struct x86_insn *i, unsigned reg, ir_ref v);
ir_ref lift_mmx(struct lift *l, unsigned reg);		       /* I64 */
void lift_set_mmx(struct lift *l, unsigned reg, ir_ref v);    /* I64; sets exponent to all ones */

/* ---- stack: push computes and stores but leaves RSP for the caller to commit with
 * lift_set_sp(l, *new_sp) after everything that can fault. */
ir_ref lift_sp(struct lift *l); /* at stack-address size, i64 zero-extended */
ir_ref lift_push(struct lift *l, ir_ref sp, ir_ref v); /* returns new sp */
ir_ref lift_pop(struct lift *l, ir_ref sp, enum ir_type t, ir_ref *new_sp);
void lift_set_sp(struct lift *l, ir_ref sp);

/* ---- flags */
void lift_flags(struct lift *l, enum ir_flags_kind k, enum ir_type t, ir_ref a, ir_ref b, ir_ref c);
ir_ref lift_cond(struct lift *l, unsigned cond);   /* i8 */
ir_ref lift_carry(struct lift *l, enum ir_type t); /* CF as 0/1 of type t */
/* Packed arithmetic flags now; and setting all six from packed bits (i64). */
ir_ref lift_packed_flags(struct lift *l);
void lift_set_packed_flags(struct lift *l, ir_ref packed);

/* ---- ends and traps */
ir_ref lift_next_pc(struct lift *l, const struct x86_insn *i); /* i64, wrapped to the code size */
/* Control transfers end the block, or the trace's path is followed and lifting goes on there. */
void lift_jump(struct lift *l, const struct x86_insn *i, int64_t rel); /* direct */
/* If cond (i8) then jump, else go on behind the instruction. */
void lift_jump_if(struct lift *l, const struct x86_insn *i, ir_ref cond, int64_t rel);
/* pc: i64, already of the operand's size (zero-extended). */
void lift_jump_indirect(struct lift *l, ir_ref pc);
/* Go on at delta from the block's first PC, if that is in a page of the trace. */
bool lift_go_on(struct lift *l, int64_t delta);
/* End the block after this instruction: state such as segments or CRx changed (mode may differ). */
void lift_end_next(struct lift *l, const struct x86_insn *i);
/* Is the next instruction one that may follow in the same block as STI's shadow: if it does not
 * fault, it goes on with the one behind it, ends by lift_end_next, or always jumps? */
bool lift_next_fits_shadow(const struct lift *l);
/* Call a helper that may fault / that finishes the instruction and sets rip (ends the block). */
ir_ref lift_call(struct lift *l, const struct ir_helper *h, ir_ref a, ir_ref b, ir_ref c);
void lift_call_end(struct lift *l, const struct ir_helper *h, ir_ref a, ir_ref b, ir_ref c);
/* Raise an exception unconditionally here (ends the block). */
void lift_fault(struct lift *l, enum x86_vector v); /* no error code */
void lift_fault_error(struct lift *l, enum x86_vector v, uint32_t error);

static inline ir_ref lift_imm(struct lift *l, enum ir_type t, uint64_t v)
{
	return ir_const(l->b, t, v);
}

#endif
