/*
 * Operands of a decoded instruction: modrm and SIB addressing, immediates, registers.
 * SDM vol. 2, 2.1.5 (tables 2-1 to 2-3) and 2.2.1 for 64-bit code.
 */
#include "base/bits.h"
#include "isa/x86/decode_rows.h"

static int64_t take_signed(struct x86_cursor *c, unsigned bytes)
{
	return bits_sext(x86_cursor_take(c, bytes), bytes * 8);
}

static void take_memory16(struct x86_cursor *c, struct x86_insn *out)
{
	static const uint8_t base[8] = {X86_RBX, X86_RBX, X86_RBP, X86_RBP,
					X86_RSI, X86_RDI, X86_RBP, X86_RBX};
	static const uint8_t index[8] = {X86_RSI,      X86_RDI,	     X86_RSI,	   X86_RDI,
					 X86_GPR_NONE, X86_GPR_NONE, X86_GPR_NONE, X86_GPR_NONE};
	unsigned mod = out->modrm >> 6, rm = out->modrm & 7;

	out->base = base[rm];
	out->index = index[rm];
	if (mod == 0 && rm == 6) {
		out->base = X86_GPR_NONE;
		out->disp = take_signed(c, 2);
	} else if (mod != 0) {
		out->disp = take_signed(c, mod);
	}
}

/* The SIB byte; true if its base is absent and a disp32 stands for it. */
static bool take_sib(struct x86_cursor *c, bool vsib, struct x86_insn *out)
{
	unsigned sib = (unsigned)x86_cursor_take(c, 1);
	unsigned index = (sib >> 3 & 7) | (out->rex & 2 ? 8 : 0);

	out->scale = (uint8_t)(sib >> 6);
	out->index = index == X86_RSP && !vsib ? X86_GPR_NONE : (uint8_t)index;
	out->base = (uint8_t)((sib & 7) | (out->rex & 1 ? 8 : 0));
	if ((sib & 7) != 5 || out->modrm >> 6 != 0)
		return false;
	out->base = X86_GPR_NONE;
	return true;
}

static void take_memory32(struct x86_cursor *c, bool vsib, struct x86_insn *out)
{
	unsigned mod = out->modrm >> 6, rm = out->modrm & 7;
	bool disp32 = mod == 2;

	if (rm == 4) {
		disp32 |= take_sib(c, vsib, out);
	} else if (mod == 0 && rm == 5) {
		out->base = c->mode & X86_MODE_CODE64 ? X86_GPR_RIP : X86_GPR_NONE;
		disp32 = true;
	} else {
		out->base = (uint8_t)(rm | (out->rex & 1 ? 8 : 0));
	}
	if (disp32)
		out->disp = take_signed(c, 4);
	else if (mod == 1)
		out->disp = take_signed(c, 1);
}

bool x86_decode_memory(struct x86_cursor *c, bool vsib, struct x86_insn *out)
{
	if (vsib && (out->addrsize == 2 || (out->modrm & 7) != 4))
		return false;
	if (out->addrsize == 2)
		take_memory16(c, out);
	else
		take_memory32(c, vsib, out);
	if (out->base == X86_RSP || out->base == X86_RBP)
		out->seg = X86_SS;
	return true;
}

/* By operand size (1: 2, 2: 4, 4: 8 bytes), 64-bit code, VEX.L; then enum x86_opnd_size from V. */
#define SIZES(v, code64)                                                                           \
	{                                                                                          \
		{v, v == 8 ? 8 : 4, v == 2 ? 2 : 4, v + 2, code64 ? 10 : 6, 16, code64 ? 8 : 4},   \
		{                                                                                  \
			v, v == 8 ? 8 : 4, v == 2 ? 2 : 4, v + 2, code64 ? 10 : 6, 32,             \
				code64 ? 8 : 4                                                     \
		}                                                                                  \
	}
static const uint8_t sizes[5][2][2][8] = {
	[1] = {SIZES(2, 0), SIZES(2, 1)},
	[2] = {SIZES(4, 0), SIZES(4, 1)},
	[4] = {SIZES(8, 0), SIZES(8, 1)},
};

static inline uint8_t size_resolve(unsigned size, x86_mode_t mode, const struct x86_insn *i)
{
	if (size < X86_SIZE_V)
		return (uint8_t)size;
	return sizes[i->opsize / 2][!!(mode & X86_MODE_CODE64)][i->vex_l][size - X86_SIZE_V];
}

static bool set_other_reg(struct x86_opnd *o, unsigned kind, unsigned low)
{
	switch (kind) {
	case X86_OPND_MMX:
		o->reg = (uint8_t)low;
		return true;
	case X86_OPND_SEG:
		o->reg = (uint8_t)low;
		return low <= X86_GS;
	case X86_OPND_DR:
		return o->reg < 8;
	case X86_OPND_CR:
		return o->reg == 0 || (o->reg >= 2 && o->reg <= 4) || o->reg == 8;
	}
	return true;
}

/* A register number out of modrm, opcode or VEX; ext is the REX bit that extends it. */
static inline bool set_reg(struct x86_opnd *o, unsigned kind, unsigned low, bool ext, bool has_rex)
{
	o->kind = (uint8_t)kind;
	o->reg = (uint8_t)(low | (unsigned)ext << 3);
	if (LIKELY(kind == X86_OPND_GPR)) {
		if (UNLIKELY(o->bytes == 1 && !has_rex && low >= 4)) {
			o->high8 = true;
			o->reg = (uint8_t)(low - 4);
		}
		return true;
	}
	return set_other_reg(o, kind, low);
}

/* The first immediate goes to imm, a second one to imm2; o->reg tells which. */
static void set_imm(struct x86_opnd *o, int64_t v, bool *first_used, struct x86_insn *out)
{
	o->kind = X86_OPND_IMM;
	o->reg = *first_used;
	if (*first_used)
		out->imm2 = v;
	else
		out->imm = v;
	*first_used = true;
}

static void take_far(struct x86_cursor *c, struct x86_opnd *o, struct x86_insn *out)
{
	o->kind = X86_OPND_FAR;
	o->bytes = out->opsize;
	out->imm = (int64_t)x86_cursor_take(c, out->opsize == 2 ? 2 : 4);
	out->imm2 = (int64_t)x86_cursor_take(c, 2);
}

static void take_moffs(struct x86_cursor *c, struct x86_opnd *o, struct x86_insn *out)
{
	o->kind = X86_OPND_MEM;
	o->reg = X86_OPND_GPR;
	out->disp = (int64_t)x86_cursor_take(c, out->addrsize);
}

static bool take_rm(const struct x86_enc *e, const struct x86_opnd_code *code, struct x86_opnd *o,
		    x86_mode_t mode, const struct x86_insn *out)
{
	if (out->modrm >= 0xc0 || e->mod_ignored)
		return set_reg(o, code->kind, out->modrm & 7, out->rex & 1, out->has_rex);
	o->kind = X86_OPND_MEM;
	o->reg = code->kind;
	o->bytes = size_resolve(code->mem_size, mode, out);
	return true;
}

static bool take_operand(struct x86_cursor *c, const struct x86_enc *e,
			 const struct x86_opnd_code *code, struct x86_opnd *o, bool *imm_used,
			 struct x86_insn *out)
{
	unsigned v;

	o->bytes = size_resolve(code->size, c->mode, out);
	if (LIKELY(code->src == X86_SRC_RM))
		return take_rm(e, code, o, c->mode, out);
	if (LIKELY(code->src == X86_SRC_REG))
		return set_reg(o, code->kind, out->modrm >> 3 & 7, out->rex & 4, out->has_rex);
	switch (code->src) {
	case X86_SRC_OPCODE:
		return set_reg(o, code->kind, out->opcode & 7, out->rex & 1, out->has_rex);
	case X86_SRC_VVVV:
		/* Outside 64-bit code the fourth bit is ignored. */
		return set_reg(o, code->kind, out->vex_v & 7,
			       (out->vex_v & 8) && (c->mode & X86_MODE_CODE64), true);
	case X86_SRC_IS4:
		v = (unsigned)x86_cursor_take(c, 1);
		return set_reg(o, code->kind, v >> 4 & 7, v >> 7 && (c->mode & X86_MODE_CODE64),
			       true);
	case X86_SRC_IMM:
		set_imm(o, (int64_t)x86_cursor_take(c, o->bytes), imm_used, out);
		break;
	case X86_SRC_IMM_SX:
		set_imm(o, take_signed(c, o->bytes), imm_used, out);
		o->bytes = out->opsize;
		break;
	case X86_SRC_REL:
		o->kind = X86_OPND_REL;
		out->imm = take_signed(c, o->bytes);
		o->bytes = out->opsize;
		break;
	case X86_SRC_FAR:
		take_far(c, o, out);
		break;
	case X86_SRC_MOFFS:
		take_moffs(c, o, out);
		break;
	case X86_SRC_ONE:
		set_imm(o, 1, imm_used, out);
		break;
	case X86_SRC_STI:
		o->kind = code->kind;
		o->reg = out->modrm & 7;
		break;
	default: /* X86_SRC_FIXED, X86_SRC_STRING */
		o->kind = code->kind;
		o->reg = code->reg;
		break;
	}
	return true;
}

bool x86_decode_operands(struct x86_cursor *c, const struct x86_enc *e, struct x86_insn *out)
{
	bool imm_used = false, ok = true;

	if (out->seg_override != X86_SEG_NONE)
		out->seg = out->seg_override;
	out->op_count = e->op_count;
	for (unsigned k = 0; k < e->op_count; k++)
		ok &= take_operand(c, e, &e->op[k], &out->op[k], &imm_used, out);
	return ok;
}
