/* Encodings made from decode rows, for the tests that go over all rows. */
#ifndef TESTS_INSN_SYNTH_H
#define TESTS_INSN_SYNTH_H

#include "isa/x86/decode_rows.h"

enum { SYNTH_TAIL = 16 };

static const x86_mode_t synth_code64 =
	X86_MODE_CODE64 | X86_MODE_PE | X86_MODE_LONG | X86_MODE_FLAT;
static const x86_mode_t synth_code32 =
	X86_MODE_CODE32 | X86_MODE_STACK32 | X86_MODE_PE | X86_MODE_FLAT;
static const x86_mode_t synth_code16 = X86_MODE_PE;
static const x86_mode_t synth_real = 0;
static const x86_mode_t synth_vm86 = X86_MODE_PE | X86_MODE_VM | 3u << X86_MODE_CPL_SHIFT;

static inline bool synth_row_in_mode(const struct x86_row *r, x86_mode_t mode)
{
	return !(r->attr & (mode & X86_MODE_CODE64 ? X86_NO64 : X86_ONLY64));
}

/* modrm with what the row prescribes put in its place. */
static inline uint8_t synth_modrm(const struct x86_enc *e, unsigned modrm)
{
	if (e->modrm_kind == X86_MODRM_EXACT)
		return e->modrm;
	if (e->modrm_kind == X86_MODRM_I)
		return (uint8_t)(e->modrm | (modrm & 7));
	if (e->modrm_kind == X86_MODRM_DIGIT)
		modrm = (modrm & 0xc7) | (unsigned)e->modrm << 3;
	if (e->mod == X86_MOD_REG)
		modrm |= 0xc0;
	if (e->mod == X86_MOD_MEM && modrm >= 0xc0)
		modrm &= 0x3f;
	return (uint8_t)modrm;
}

/* The row's opcode plus `low`, with modrm byte `modrm` where the row leaves it open, followed by
 * `tail` bytes. False if the row or mode does not allow that. out holds 2 * SYNTH_TAIL bytes;
 * returns all used. */
static inline bool synth(const struct x86_enc *e, x86_mode_t mode, unsigned low, unsigned modrm,
			 const uint8_t tail[SYNTH_TAIL], uint8_t *out, unsigned *len)
{
	static const uint8_t prefix[] = {0, 0, 0x66, 0xf3, 0xf2};
	static const uint8_t pp[] = {0, 0, 1, 2, 3};
	unsigned n = 0;

	if (!synth_row_in_mode(e->row, mode) || low >= e->opcode_span)
		return false;
	if (e->vex != X86_VEX_NONE) {
		out[n++] = 0xc4;
		out[n++] = (uint8_t)(0xe0 | e->map);
		out[n++] = (uint8_t)((e->w == X86_W_1) << 7 | 0x78 | (e->vex == X86_VEX_256) << 2 |
				     pp[e->prefix]);
	} else {
		if (e->prefix > X86_PREFIX_NP)
			out[n++] = prefix[e->prefix];
		if (e->w == X86_W_1) {
			if (!(mode & X86_MODE_CODE64))
				return false;
			out[n++] = 0x48;
		}
		if (e->map != X86_MAP_1)
			out[n++] = 0x0f;
		if (e->map > X86_MAP_0F)
			out[n++] = e->map == X86_MAP_0F38 ? 0x38 : 0x3a;
	}
	out[n++] = (uint8_t)(e->opcode + low);
	if (e->modrm_kind != X86_MODRM_NONE)
		out[n++] = synth_modrm(e, modrm);
	memcpy(out + n, tail, SYNTH_TAIL);
	*len = n + SYNTH_TAIL;
	return true;
}

#endif
