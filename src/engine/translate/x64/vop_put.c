/* Vector operations into code: operands of x64_vops' shapes to the places of the encoding. */
#include "engine/translate/x64/vop.h"

enum { FMA_231_TO_213 = 0x10, FMA_231_TO_132 = 0x20 }; /* less in the opcode */

/* Registers by place in the encoding. */
struct places {
	unsigned reg, vvvv, rm;
};

static struct places places_of(const struct x64_vop *v, struct x64_vop_regs r)
{
	switch (v->shape) {
	case X64_VOP_UNARY:
	case X64_VOP_UNARY_GPR:
	case X64_VOP_TO_GPR:
	case X64_VOP_MMX_UNARY:
	case X64_VOP_MMX_TO_GPR:
		return (struct places){r.d, X64_NO_REG, r.a};
	case X64_VOP_UNARY_RM:
	case X64_VOP_TO_GPR_RM:
		return (struct places){r.a, X64_NO_REG, r.d};
	case X64_VOP_SHIFT_IMM:
	case X64_VOP_MMX_SHIFT_IMM:
		return (struct places){v->digit, r.d, r.a};
	case X64_VOP_TWICE:
		return (struct places){r.d, r.a, r.a};
	case X64_VOP_FLAGS:
	case X64_VOP_FLAGS_ECX:
	case X64_VOP_INDEX_ECX:
	case X64_VOP_MASK_XMM0:
		return (struct places){r.a, X64_NO_REG, r.b};
	case X64_VOP_FMA_231:
		if (r.d == r.c)
			return (struct places){r.d, r.a, r.b};
		return r.d == r.b ? (struct places){r.d, r.a, r.c} : (struct places){r.d, r.c, r.b};
	default:
		return (struct places){r.d, r.a, r.b};
	}
}

static bool is_compare(const struct x64_vop *v)
{
	return v->enc.map == 1 && v->enc.opcode == 0xc2;
}

int x64_vop_imm(unsigned vop, unsigned imm8)
{
	if (vop == VOP_TOHI64 || vop == VOP_BROADCAST128)
		return 1; /* the upper half; b as upper half */
	if (vop == VOP_MMX_PEXTRW)
		return imm8 & 3;
	if (is_compare(&x64_vops[vop]))
		return imm8 & 31;
	return vop_table[vop].has_imm8 ? (int)(imm8 & 0xff) : -1;
}

bool x64_vop_is_legacy(unsigned vop, unsigned imm8)
{
	const struct x64_vop *v = &x64_vops[vop];

	return v->shape != X64_VOP_CALL && !v->vex_only && !(is_compare(v) && (imm8 & 0x18));
}

bool x64_vop_is_vex(unsigned vop, unsigned l)
{
	uint8_t vex = x64_vops[vop].vex;

	return vex >= X64_VEX_AVX || vex == (l ? X64_VEX_256 : X64_VEX_128);
}

uint32_t x64_vop_vex_needs(unsigned vop, unsigned l)
{
	const struct x64_vop *v = &x64_vops[vop];

	if (v->vex_only)
		return v->needs;
	return v->needs | HOST_CPU_AVX | (l && v->vex == X64_VEX_AVX2 ? HOST_CPU_AVX2 : 0);
}

void x64_vop_sse(struct x64_asm *a, unsigned vop, struct x64_vop_regs r, unsigned imm8)
{
	const struct x64_vop *v = &x64_vops[vop];
	struct places p = places_of(v, r);

	if (v->shape == X64_VOP_CRC32)
		x64_crc32_rr(a, v->digit, p.reg, p.rm);
	else
		x64_sse_rr(a, v->enc, p.reg, p.rm, x64_vop_imm(vop, imm8));
}

void x64_vop_sse_m(struct x64_asm *a, unsigned vop, struct x64_vop_regs r, struct x64_mem m,
		   unsigned imm8)
{
	const struct x64_vop *v = &x64_vops[vop];
	struct places p = places_of(v, r);

	if (v->shape == X64_VOP_CRC32)
		x64_crc32_rm(a, v->digit, p.reg, m);
	else
		x64_sse_rm(a, v->enc, p.reg, m, x64_vop_imm(vop, imm8));
}

/* The VEX form's encoding where it is not the legacy one's, and its immediate. */
static struct x64_enc vex_enc(const struct x64_vop *v, struct x64_vop_regs r, int *imm)
{
	struct x64_enc e = v->enc;

	if (v->is4) {
		e.map = 3;
		e.opcode = v->is4;
		*imm = r.c << 4;
	}
	if (v->shape == X64_VOP_FMA_231 && r.d != r.c)
		e.opcode -= r.d == r.b ? FMA_231_TO_213 : FMA_231_TO_132;
	return e;
}

void x64_vop_vex(struct x64_asm *a, unsigned vop, unsigned l, struct x64_vop_regs r, unsigned imm8)
{
	const struct x64_vop *v = &x64_vops[vop];
	struct places p = places_of(v, r);
	int imm = x64_vop_imm(vop, imm8);
	struct x64_enc e = vex_enc(v, r, &imm);

	x64_vex_rr(a, e, l, p.reg, p.vvvv, p.rm, imm);
}

void x64_vop_vex_m(struct x64_asm *a, unsigned vop, unsigned l, struct x64_vop_regs r,
		   struct x64_mem m, unsigned imm8)
{
	const struct x64_vop *v = &x64_vops[vop];
	struct places p = places_of(v, r);
	int imm = x64_vop_imm(vop, imm8);
	struct x64_enc e = vex_enc(v, r, &imm);

	x64_vex_rm(a, e, l, p.reg, p.vvvv, m, imm);
}
