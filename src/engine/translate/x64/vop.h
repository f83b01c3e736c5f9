/*
 * Vector operations (ir/vop.h) as host instructions: how each is encoded and where its operands go.
 * What has no row here, or needs more than the host has, is carried out by its function.
 *
 * a, b and c are the operation's arguments, d its result. Legacy encodings destroy a where the
 * instruction has it as first operand: d must then be the same register. VEX encodings do not, but
 * clear the upper half of d's YMM register, which legacy ones keep.
 */
#ifndef ENGINE_TRANSLATE_X64_VOP_H
#define ENGINE_TRANSLATE_X64_VOP_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/translate/x64/asm.h"
#include "host/host.h"
#include "ir/vop.h"

enum x64_vop_shape {
	X64_VOP_CALL = 0,    /* no instruction: call the function */
	X64_VOP_BINARY,	     /* d = op(a, b), destroys a; b may be memory */
	X64_VOP_UNARY,	     /* d = op(a), whatever d was; a may be memory */
	X64_VOP_UNARY_RM,    /* the same with a in ModRM.reg and d in ModRM.rm */
	X64_VOP_SHIFT_IMM,   /* d = op(a) by /digit with an immediate, destroys a */
	X64_VOP_BINARY_XMM0, /* as BINARY; c in XMM0, or in VEX form any register (`is4`) */
	X64_VOP_TWICE,	     /* d = op(a, a), as BINARY */
	X64_VOP_TO_GPR,	     /* d is a general register, a a vector, or memory if it loads */
	X64_VOP_TO_GPR_RM,   /* the same with a in ModRM.reg and d in ModRM.rm */
	X64_VOP_UNARY_GPR,   /* as UNARY; a is a general register or memory */
	X64_VOP_FROM_GPR,    /* as BINARY; b is a general register or memory */
	X64_VOP_FLAGS,	     /* op(a, b) gives host flags that are the result, packed as RFLAGS */
	X64_VOP_FLAGS_ECX,   /* the same, and destroys ECX */
	X64_VOP_INDEX_ECX,   /* op(a, b) gives d in ECX; host flags are lost */
	X64_VOP_MASK_XMM0,   /* op(a, b) gives d in XMM0; host flags are lost */
	X64_VOP_CRC32,	 /* d = op(a, b), destroys a; all general registers, b of `digit` bytes */
	X64_VOP_GPR_VEX, /* d = op(a, b); all general registers */
	/*
	 * d = a * b + c or its kin, as the form that destroys the one of them whose register d is:
	 * c (231: what the row says), b (213) or a (132). Of NaNs all of them prefer a's, then b's.
	 * Scalars have c's other lanes: d = c only. b may be memory if d = c.
	 */
	X64_VOP_FMA_231,
	/*
	 * MMX operations on 64-bit integers: the SSE instruction does the same to the low halves of
	 * vectors that hold the arguments, zeros above, as MOVQ puts them there.
	 */
	X64_VOP_MMX_BINARY,    /* as BINARY; d is the low half of the result */
	X64_VOP_MMX_UNARY,     /* as UNARY */
	X64_VOP_MMX_SHIFT_IMM, /* as SHIFT_IMM */
	X64_VOP_MMX_TO_GPR,    /* as TO_GPR */
	X64_VOP_MMX_HIGH,      /* as BINARY; d is the high half of the result */
	X64_VOP_MMX_PAIR,      /* as BINARY with both operands = a in the low half, b in the high */
};

/* Lengths of the VEX form. The 256-bit form of what has both is the twin (ir/vop.h). */
enum x64_vop_vex {
	X64_VEX_NONE,
	X64_VEX_128,
	X64_VEX_256,
	X64_VEX_AVX,  /* both, of AVX */
	X64_VEX_AVX2, /* both; 256 bits with AVX2 */
};

struct x64_vop {
	struct x64_enc enc;
	uint8_t shape; /* enum x64_vop_shape */
	uint8_t digit;
	uint32_t needs; /* HOST_CPU_*, for the legacy form; if vex_only for the VEX form */
	uint8_t vex;	/* enum x64_vop_vex */
	bool vex_only;	/* there is no legacy form */
	bool commutes;	/* op(a, b) = op(b, a), bit for bit */
	/*
	 * Bytes that the operand in ModRM.rm reads if it is memory; 0: no memory form, or it does
	 * something else. The twin's form reads twice that, but for shifts by b, whose count it
	 * is. Where it is 16, the legacy form wants them aligned, but for PCMPISTRx.
	 */
	uint8_t load_bytes;
	uint8_t is4; /* BINARY_XMM0: opcode of the VEX form, in map 0F3A, with c in the immediate */
};

extern const struct x64_vop x64_vops[VOP_COUNT];

/* The immediate to emit for an operation with imm8; -1 if none follows. */
int x64_vop_imm(unsigned vop, unsigned imm8);
/* Whether the operation with this imm8 has a legacy form. (Of compares only VEX knows more than
 * eight predicates.) */
bool x64_vop_is_legacy(unsigned vop, unsigned imm8);
/* Whether it has a VEX form of 128 (l = 0) or 256 (l = 1) bits; and what the host must have for
 * that, HOST_CPU_*. */
bool x64_vop_is_vex(unsigned vop, unsigned l);
uint32_t x64_vop_vex_needs(unsigned vop, unsigned l);

/*
 * One instruction. Registers by their meaning, those that the shape has; d = a where the legacy
 * form destroys a. In the second of each pair the operand in ModRM.rm (a where there is no b, or b)
 * is memory of load_bytes.
 */
struct x64_vop_regs {
	uint8_t d, a, b, c;
};
void x64_vop_sse(struct x64_asm *a, unsigned vop, struct x64_vop_regs r, unsigned imm8);
void x64_vop_sse_m(struct x64_asm *a, unsigned vop, struct x64_vop_regs r, struct x64_mem m,
		   unsigned imm8);
void x64_vop_vex(struct x64_asm *a, unsigned vop, unsigned l, struct x64_vop_regs r, unsigned imm8);
void x64_vop_vex_m(struct x64_asm *a, unsigned vop, unsigned l, struct x64_vop_regs r,
		   struct x64_mem m, unsigned imm8);

#endif
