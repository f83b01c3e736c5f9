/*
 * An assembler for the host, x86-64: one function per shape of instruction, each appends one
 * instruction. Intel SDM vol. 2, chapter 2. It never fails: when the buffer is full (there is no
 * room for the longest instruction, 15 bytes) it sets `overflow` and writes nothing more.
 *
 * Code is written through `at` and will run elsewhere: what is relative to the program counter is
 * given as addresses in the writable mapping too, which is the same distance apart.
 */
#ifndef ENGINE_TRANSLATE_X64_ASM_H
#define ENGINE_TRANSLATE_X64_ASM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum x64_reg {
	X64_RAX, X64_RCX, X64_RDX, X64_RBX, X64_RSP, X64_RBP, X64_RSI, X64_RDI,
	X64_R8, X64_R9, X64_R10, X64_R11, X64_R12, X64_R13, X64_R14, X64_R15,
	X64_NO_REG = 0xff,
};

/* base + (index << scale) + disp; base or index may be X64_NO_REG; index is never RSP. */
struct x64_mem {
	uint8_t base, index, scale;
	int32_t disp;
};

struct x64_asm {
	uint8_t *at, *end;
	bool overflow;
	/* Code that will be moved, begun at `start`: where its displacements from RIP are, as offsets from
	 * start. x64_move puts them right. NULL: it stays where it is, relative to its targets. */
	const uint8_t *start;
	uint32_t *relative;
	unsigned relative_count, relative_max;
};

enum x64_alu { X64_ADD, X64_OR, X64_ADC, X64_SBB, X64_AND, X64_SUB, X64_XOR, X64_CMP };
enum x64_shift { X64_ROL, X64_ROR, X64_RCL, X64_RCR, X64_SHL, X64_SHR, X64_SAR = 7 };
enum x64_unary { X64_NOT = 2, X64_NEG, X64_MUL, X64_IMUL, X64_DIV, X64_IDIV };
enum x64_cc { X64_O, X64_NO, X64_B, X64_AE, X64_E, X64_NE, X64_BE, X64_A, X64_S, X64_NS, X64_P,
	      X64_NP, X64_L, X64_GE, X64_LE, X64_G };

static inline struct x64_mem x64_at(unsigned base, int32_t disp)
{
	return (struct x64_mem){(uint8_t)base, X64_NO_REG, 0, disp};
}

static inline struct x64_mem x64_at_index(unsigned base, unsigned index, unsigned scale, int32_t disp)
{
	return (struct x64_mem){(uint8_t)base, (uint8_t)index, (uint8_t)scale, disp};
}

/* `bytes` is the operand size: 1, 2, 4 or 8. Byte registers are always the low ones (SIL, DIL, SPL,
 * BPL, never AH). Immediates are sign-extended from 32 bits at 8 bytes; the shortest form is used. */
void x64_alu_rr(struct x64_asm *a, enum x64_alu op, unsigned bytes, unsigned dst, unsigned src);
void x64_alu_ri(struct x64_asm *a, enum x64_alu op, unsigned bytes, unsigned dst, int32_t imm);
void x64_alu_rm(struct x64_asm *a, enum x64_alu op, unsigned bytes, unsigned dst, struct x64_mem m);
void x64_alu_mr(struct x64_asm *a, enum x64_alu op, unsigned bytes, struct x64_mem m, unsigned src);
void x64_alu_mi(struct x64_asm *a, enum x64_alu op, unsigned bytes, struct x64_mem m, int32_t imm);
void x64_test_rr(struct x64_asm *a, unsigned bytes, unsigned x, unsigned y);
void x64_test_ri(struct x64_asm *a, unsigned bytes, unsigned x, int32_t imm);
void x64_test_mi(struct x64_asm *a, unsigned bytes, struct x64_mem m, int32_t imm);

void x64_mov_rr(struct x64_asm *a, unsigned bytes, unsigned dst, unsigned src); /* 4 or 8 */
/* Any 64-bit constant in the shortest form; flags are kept. */
void x64_mov_ri(struct x64_asm *a, unsigned dst, uint64_t imm);
void x64_mov_rm(struct x64_asm *a, unsigned bytes, unsigned dst, struct x64_mem m); /* 4 or 8 */
void x64_mov_mr(struct x64_asm *a, unsigned bytes, struct x64_mem m, unsigned src);
void x64_mov_mi(struct x64_asm *a, unsigned bytes, struct x64_mem m, int32_t imm);
void x64_mov_low_rr(struct x64_asm *a, unsigned bytes, unsigned dst, unsigned src); /* 1 or 2: the rest stays */
/* From `from` bytes (1, 2; movsx also 4) to 4 bytes (movzx) or `bytes` (movsx: 4 or 8). */
void x64_movzx_rr(struct x64_asm *a, unsigned dst, unsigned src, unsigned from);
void x64_movzx_rm(struct x64_asm *a, unsigned dst, struct x64_mem m, unsigned from);
void x64_movsx_rr(struct x64_asm *a, unsigned bytes, unsigned dst, unsigned src, unsigned from);
void x64_movsx_rm(struct x64_asm *a, unsigned bytes, unsigned dst, struct x64_mem m, unsigned from);
void x64_lea(struct x64_asm *a, unsigned bytes, unsigned dst, struct x64_mem m);	/* 4 or 8 */
/* Address of `target` (in this buffer's mapping). */
void x64_lea_rip(struct x64_asm *a, unsigned dst, const void *target);
void x64_lahf(struct x64_asm *a);
void x64_movzx_ah(struct x64_asm *a); /* AH to EAX */
void x64_xchg_rr(struct x64_asm *a, unsigned bytes, unsigned x, unsigned y);

void x64_shift_ri(struct x64_asm *a, enum x64_shift op, unsigned bytes, unsigned dst, unsigned count);
void x64_shift_cl(struct x64_asm *a, enum x64_shift op, unsigned bytes, unsigned dst);
/* BMI2, 4 or 8 bytes: SHLX, SHRX, SARX; RORX. */
void x64_shiftx(struct x64_asm *a, enum x64_shift op, unsigned bytes, unsigned dst, unsigned src,
		unsigned count);
void x64_rorx(struct x64_asm *a, unsigned bytes, unsigned dst, unsigned src, unsigned count);
/* NOT, NEG; MUL.. IDIV work on RAX and RDX. */
void x64_unary_r(struct x64_asm *a, enum x64_unary op, unsigned bytes, unsigned r);
void x64_imul_rr(struct x64_asm *a, unsigned bytes, unsigned dst, unsigned src); /* 2, 4, 8 */
void x64_imul_rri(struct x64_asm *a, unsigned bytes, unsigned dst, unsigned src, int32_t imm);
void x64_bswap(struct x64_asm *a, unsigned bytes, unsigned r);		      /* 4, 8 */
/* 2, 4 or 8 bytes. BSF and BSR everywhere; the others where the host has them. */
void x64_bsf_rr(struct x64_asm *a, unsigned bytes, unsigned dst, unsigned src);
void x64_bsr_rr(struct x64_asm *a, unsigned bytes, unsigned dst, unsigned src);
void x64_tzcnt_rr(struct x64_asm *a, unsigned bytes, unsigned dst, unsigned src);
void x64_lzcnt_rr(struct x64_asm *a, unsigned bytes, unsigned dst, unsigned src);
void x64_popcnt_rr(struct x64_asm *a, unsigned bytes, unsigned dst, unsigned src);
/* CRC32 of 1, 2, 4 or 8 bytes into a 32-bit register. */
void x64_crc32_rr(struct x64_asm *a, unsigned bytes, unsigned dst, unsigned src);
void x64_crc32_rm(struct x64_asm *a, unsigned bytes, unsigned dst, struct x64_mem m);
void x64_bt_ri(struct x64_asm *a, unsigned bytes, unsigned r, unsigned bit); /* 4, 8 */
void x64_setcc(struct x64_asm *a, enum x64_cc cc, unsigned r8);
void x64_cmov_rr(struct x64_asm *a, enum x64_cc cc, unsigned bytes, unsigned dst, unsigned src); /* 4, 8 */

/* Locked: xadd, cmpxchg (with RAX), xchg; ALU. */
void x64_lock_xadd(struct x64_asm *a, unsigned bytes, struct x64_mem m, unsigned r);
void x64_lock_cmpxchg(struct x64_asm *a, unsigned bytes, struct x64_mem m, unsigned r);
void x64_xchg_mr(struct x64_asm *a, unsigned bytes, struct x64_mem m, unsigned r);
void x64_lock_alu_mr(struct x64_asm *a, enum x64_alu op, unsigned bytes, struct x64_mem m, unsigned r);
void x64_mfence(struct x64_asm *a);

/* Jumps and calls with a 32-bit displacement. They return the place of the displacement, for
 * x64_patch; target may be NULL when it is not known yet. NULL on overflow. */
uint8_t *x64_jcc(struct x64_asm *a, enum x64_cc cc, const void *target);
uint8_t *x64_jmp(struct x64_asm *a, const void *target);
uint8_t *x64_call(struct x64_asm *a, const void *target);
/* Let the displacement at `place` lead to target. Nothing if place is NULL. */
void x64_patch(uint8_t *place, const void *target);
/* Copy code made at `from`, its first `split` bytes to `to` and the rest to `to2`; what leads from
 * one to the other, or out of both, leads there afterwards. relative: of the struct x64_asm. */
struct x64_moving {
	const uint8_t *from;
	size_t bytes, split;
	uint8_t *to, *to2;
};
void x64_move(const struct x64_moving *m, const uint32_t *relative, unsigned count);
/* A short forward jump over code that is about to follow, and its landing (at most 127 bytes on). */
uint8_t *x64_jcc_short(struct x64_asm *a, enum x64_cc cc);
uint8_t *x64_jmp_short(struct x64_asm *a);
void x64_land_short(struct x64_asm *a, uint8_t *place);
void x64_jmp_r(struct x64_asm *a, unsigned r);
void x64_jmp_m(struct x64_asm *a, struct x64_mem m);
void x64_call_r(struct x64_asm *a, unsigned r);
void x64_ret(struct x64_asm *a);
void x64_push(struct x64_asm *a, unsigned r);
void x64_pop(struct x64_asm *a, unsigned r);
void x64_ud2(struct x64_asm *a);
/* Bytes of multi-byte NOPs until `at` is a multiple of `to`. */
void x64_align(struct x64_asm *a, unsigned to);

/*
 * Vector instructions by encoding. pp: 0 none, 1 = 66, 2 = F3, 3 = F2; map: 1 = 0F, 2 = 0F38,
 * 3 = 0F3A; w: REX.W/VEX.W. reg is the ModRM.reg operand (a register number, or /digit). Where an
 * immediate follows, imm >= 0. x64_vex: l = 1 for 256 bits, vvvv = X64_NO_REG if unused.
 */
struct x64_enc {
	uint8_t pp, map, opcode, w;
};
void x64_sse_rr(struct x64_asm *a, struct x64_enc e, unsigned reg, unsigned rm, int imm);
void x64_sse_rm(struct x64_asm *a, struct x64_enc e, unsigned reg, struct x64_mem m, int imm);
void x64_vex_rr(struct x64_asm *a, struct x64_enc e, unsigned l, unsigned reg, unsigned vvvv,
		unsigned rm, int imm);
void x64_vex_rm(struct x64_asm *a, struct x64_enc e, unsigned l, unsigned reg, unsigned vvvv,
		struct x64_mem m, int imm);
void x64_vzeroupper(struct x64_asm *a);
enum { /* opcode's low bits, ModRM.reg */
	X64_FLDENV = 1 << 8 | 4 << 3,
	X64_FLDCW = 1 << 8 | 5 << 3,
	X64_FNSTENV = 1 << 8 | 6 << 3,
	X64_FLD80 = 3 << 8 | 5 << 3,
	X64_FSTP80 = 3 << 8 | 7 << 3,
	X64_FNSTSW = 5 << 8 | 7 << 3,
	X64_FNINIT = 3 << 8 | 0xe3,
};
/* x87 instructions by their 11 bits as in FOP: registers, or the memory form with operand m. */
void x64_x87_r(struct x64_asm *a, unsigned fop);
void x64_x87_m(struct x64_asm *a, unsigned fop, struct x64_mem m);
/* Moves of 16 or 32 bytes (32: VEX), unaligned; and 4 or 8 bytes between memory and a low lane
 * (loads clear the rest of the 128 bits). */
void x64_movv_rr(struct x64_asm *a, unsigned bytes, unsigned dst, unsigned src);
void x64_movv_rm(struct x64_asm *a, unsigned bytes, unsigned dst, struct x64_mem m);
void x64_movv_mr(struct x64_asm *a, unsigned bytes, struct x64_mem m, unsigned src);
/* MOVD/MOVQ between general and vector registers, 4 or 8 bytes. */
void x64_movd_xr(struct x64_asm *a, unsigned bytes, unsigned xmm, unsigned r);
void x64_movd_rx(struct x64_asm *a, unsigned bytes, unsigned r, unsigned xmm);

#endif
