/*
 * The assembler's vector instructions, by encoding: legacy (prefix, REX, escape) and VEX, whose
 * two-byte form is taken where it can say everything. Intel SDM vol. 2, section 2.3.
 */
#include "engine/translate/x64/asm_put.h"

static void put_imm8(struct x64_asm *a, int imm)
{
	if (imm >= 0)
		x64_put8(a, (unsigned)imm);
}

void x64_sse_rr(struct x64_asm *a, struct x64_enc e, unsigned reg, unsigned rm, int imm)
{
	if (!x64_room(a))
		return;
	x64_put_opcode(a, e, x64_rxb_r(reg, rm), false);
	x64_put_modrm_r(a, reg, rm);
	put_imm8(a, imm);
}

void x64_sse_rm(struct x64_asm *a, struct x64_enc e, unsigned reg, struct x64_mem m, int imm)
{
	if (!x64_room(a))
		return;
	m = x64_mem_short(m);
	x64_put_opcode(a, e, x64_rxb_m(reg, m), false);
	x64_put_modrm_m(a, reg, m);
	put_imm8(a, imm);
}

/* The VEX prefix, in which R, X, B and vvvv are inverted, and the opcode. */
static void put_vex(struct x64_asm *a, struct x64_enc e, unsigned l, unsigned rxb, unsigned vvvv)
{
	unsigned tail = (vvvv == X64_NO_REG ? 0xf : ~vvvv & 0xf) << 3 | l << 2 | e.pp;

	rxb = ~rxb & 7;
	if (e.map == 1 && !e.w && (rxb & 3) == 3) {
		x64_put8(a, 0xc5);
		x64_put8(a, (rxb & 4) << 5 | tail);
	} else {
		x64_put8(a, 0xc4);
		x64_put8(a, rxb << 5 | e.map);
		x64_put8(a, (unsigned)e.w << 7 | tail);
	}
	x64_put8(a, e.opcode);
}

void x64_vex_rr(struct x64_asm *a, struct x64_enc e, unsigned l, unsigned reg, unsigned vvvv,
		unsigned rm, int imm)
{
	if (!x64_room(a))
		return;
	put_vex(a, e, l, x64_rxb_r(reg, rm), vvvv);
	x64_put_modrm_r(a, reg, rm);
	put_imm8(a, imm);
}

void x64_vex_rm(struct x64_asm *a, struct x64_enc e, unsigned l, unsigned reg, unsigned vvvv,
		struct x64_mem m, int imm)
{
	if (!x64_room(a))
		return;
	m = x64_mem_short(m);
	put_vex(a, e, l, x64_rxb_m(reg, m), vvvv);
	x64_put_modrm_m(a, reg, m);
	put_imm8(a, imm);
}

void x64_movv_rr(struct x64_asm *a, unsigned bytes, unsigned dst, unsigned src)
{
	static const struct x64_enc load = {.map = 1, .opcode = 0x28}; /* MOVAPS */
	static const struct x64_enc store = {.map = 1, .opcode = 0x29};

	if (dst == src)
		return;
	if (bytes == 16)
		x64_sse_rr(a, load, dst, src, -1);
	else if (src >= 8 && dst < 8)
		x64_vex_rr(a, store, 1, src, X64_NO_REG, dst, -1); /* the shorter VEX */
	else
		x64_vex_rr(a, load, 1, dst, X64_NO_REG, src, -1);
}

void x64_movv_rm(struct x64_asm *a, unsigned bytes, unsigned dst, struct x64_mem m)
{
	struct x64_enc e = {.map = 1, .opcode = 0x10}; /* MOVUPS, MOVSS, MOVSD */

	if (bytes == 32) {
		x64_vex_rm(a, e, 1, dst, X64_NO_REG, m, -1);
		return;
	}
	e.pp = bytes == 4 ? 2 : bytes == 8 ? 3 : 0;
	x64_sse_rm(a, e, dst, m, -1);
}

void x64_movv_mr(struct x64_asm *a, unsigned bytes, struct x64_mem m, unsigned src)
{
	struct x64_enc e = {.map = 1, .opcode = 0x11}; /* MOVUPS, MOVSS */

	if (bytes == 32) {
		x64_vex_rm(a, e, 1, src, X64_NO_REG, m, -1);
		return;
	}
	e.pp = bytes == 4 ? 2 : 0;
	if (bytes == 8)
		e.opcode = 0x13; /* MOVLPS: needs no prefix */
	x64_sse_rm(a, e, src, m, -1);
}

void x64_movd_xr(struct x64_asm *a, unsigned bytes, unsigned xmm, unsigned r)
{
	struct x64_enc e = {.pp = 1, .map = 1, .opcode = 0x6e, .w = bytes == 8};

	x64_sse_rr(a, e, xmm, r, -1);
}

void x64_movd_rx(struct x64_asm *a, unsigned bytes, unsigned r, unsigned xmm)
{
	struct x64_enc e = {.pp = 1, .map = 1, .opcode = 0x7e, .w = bytes == 8};

	x64_sse_rr(a, e, xmm, r, -1);
}

void x64_x87_r(struct x64_asm *a, unsigned fop)
{
	if (!x64_room(a))
		return;
	x64_put8(a, 0xd8 | (fop >> 8 & 7));
	x64_put8(a, 0xc0 | (fop & 0x3f));
}

void x64_x87_m(struct x64_asm *a, unsigned fop, struct x64_mem m)
{
	struct x64_enc e = {.opcode = (uint8_t)(0xd8 | (fop >> 8 & 7))};

	if (!x64_room(a))
		return;
	m = x64_mem_short(m);
	x64_put_opcode(a, e, x64_rxb_m(0, m), false);
	x64_put_modrm_m(a, fop >> 3 & 7, m);
}
