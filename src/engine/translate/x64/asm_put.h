/*
 * The pieces of an instruction, for asm.c and asm_vec.c: prefixes, opcode, ModRM with SIB and
 * displacement, immediates (Intel SDM vol. 2, chapter 2). Whoever starts an instruction asks
 * x64_room first; the pieces then write without looking.
 */
#ifndef ENGINE_TRANSLATE_X64_ASM_PUT_H
#define ENGINE_TRANSLATE_X64_ASM_PUT_H

#include "base/bits.h"
#include "engine/translate/x64/asm.h"

/* No instruction is longer than 15 bytes. */
#define X64_ROOM 15

/* True if one more instruction fits for certain; sets overflow otherwise. */
static inline bool x64_room(struct x64_asm *a)
{
	if (a->end - a->at >= X64_ROOM)
		return true;
	a->overflow = true;
	return false;
}

/* A displacement from RIP is about to stand at `place`. */
void x64_note_relative(struct x64_asm *a, const uint8_t *place);

static inline void x64_put8(struct x64_asm *a, unsigned byte)
{
	*a->at++ = (uint8_t)byte;
}

static inline void x64_put16(struct x64_asm *a, unsigned v)
{
	*(u16_any *)a->at = (uint16_t)v;
	a->at += 2;
}

static inline void x64_put32(struct x64_asm *a, uint32_t v)
{
	*(u32_any *)a->at = v;
	a->at += 4;
}

static inline void x64_put64(struct x64_asm *a, uint64_t v)
{
	*(u64_any *)a->at = v;
	a->at += 8;
}

static inline bool x64_fits8(int64_t v)
{
	return v == (int8_t)v;
}

/* Bit 3 of a register number, 0 for no register. */
static inline unsigned x64_high(unsigned reg)
{
	return reg == X64_NO_REG ? 0 : reg >> 3 & 1;
}

/* REX.R, X and B, in their places. */
static inline unsigned x64_rxb_r(unsigned reg, unsigned rm)
{
	return x64_high(reg) << 2 | x64_high(rm);
}

static inline unsigned x64_rxb_m(unsigned reg, struct x64_mem m)
{
	return x64_high(reg) << 2 | x64_high(m.index) << 1 | x64_high(m.base);
}

/* An index that is not scaled is as good as a base, and shorter; twice an index is base + index. */
static inline struct x64_mem x64_mem_short(struct x64_mem m)
{
	if (m.base != X64_NO_REG || m.index == X64_NO_REG || m.scale > 1)
		return m;
	m.base = m.index;
	if (m.scale == 0)
		m.index = X64_NO_REG;
	m.scale = 0;
	return m;
}

/* Mandatory prefix, REX if it says anything or `rex` demands one, escape bytes and opcode. */
void x64_put_opcode(struct x64_asm *a, struct x64_enc e, unsigned rxb, bool rex);
void x64_put_modrm_r(struct x64_asm *a, unsigned reg, unsigned rm);
void x64_put_modrm_m(struct x64_asm *a, unsigned reg, struct x64_mem m);

#endif
