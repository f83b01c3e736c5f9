/*
 * Intel-syntax text of a decoded instruction, made from its row: mnemonic and operands. For dumps;
 * it does not try to be what any assembler accepts.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bits.h"
#include "ir/flags.h"
#include "isa/x86/decode.h"

struct out {
	char *buf;
	size_t len;
	int pos; /* what a large enough buffer would hold */
};

static void __attribute__((format(printf, 2, 3))) add(struct out *o, const char *fmt, ...)
{
	size_t at = (size_t)o->pos < o->len ? (size_t)o->pos : o->len;
	va_list ap;

	va_start(ap, fmt);
	o->pos += vsnprintf(o->len > at ? o->buf + at : NULL, o->len - at, fmt, ap);
	va_end(ap);
}

static const char *const gpr8[] = {"al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil"};
static const char *const gpr8_high[] = {"ah", "ch", "dh", "bh"};
static const char *const gpr_low[] = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"};
static const char *const segs[] = {"es", "cs", "ss", "ds", "fs", "gs"};

static void add_gpr(struct out *o, unsigned reg, unsigned bytes)
{
	if (reg >= 8)
		add(o, "r%u%s", reg, bytes == 1 ? "b" : bytes == 2 ? "w" : bytes == 4 ? "d" : "");
	else if (bytes == 1)
		add(o, "%s", gpr8[reg]);
	else
		add(o, "%s%s", bytes == 2 ? "" : bytes == 4 ? "e" : "r", gpr_low[reg]);
}

static const char *size_word(unsigned bytes)
{
	switch (bytes) {
	case 1:
		return "byte ptr ";
	case 2:
		return "word ptr ";
	case 4:
		return "dword ptr ";
	case 6:
		return "fword ptr ";
	case 8:
		return "qword ptr ";
	case 10:
		return "tbyte ptr ";
	case 16:
		return "xmmword ptr ";
	case 32:
		return "ymmword ptr ";
	}
	return "";
}

static uint64_t mask_bytes(uint64_t v, unsigned bytes)
{
	return bytes == 0 || bytes >= 8 ? v : v & bits_mask(bytes * 8);
}

static void add_disp(struct out *o, int64_t v)
{
	if (v < 0)
		add(o, "-0x%" PRIx64, 0 - (uint64_t)v);
	else
		add(o, "+0x%" PRIx64, (uint64_t)v);
}

static void add_memory(struct out *o, const struct x86_insn *i, const struct x86_opnd *op)
{
	bool first = true;

	add(o, "%s", size_word(op->bytes));
	if (i->seg_override != X86_SEG_NONE)
		add(o, "%s:", segs[i->seg_override]);
	add(o, "[");
	if (i->base == X86_GPR_RIP)
		add(o, "%s", i->addrsize == 8 ? "rip" : "eip");
	else if (i->base != X86_GPR_NONE)
		add_gpr(o, i->base, i->addrsize);
	if (i->base != X86_GPR_NONE)
		first = false;
	if (i->index != X86_GPR_NONE) {
		add(o, "%s", first ? "" : "+");
		if (i->row->attr & X86_VSIB)
			add(o, "%cmm%u", i->vex_l ? 'y' : 'x', i->index);
		else
			add_gpr(o, i->index, i->addrsize);
		if (i->scale)
			add(o, "*%u", 1u << i->scale);
		first = false;
	}
	if (first)
		add(o, "0x%" PRIx64, mask_bytes((uint64_t)i->disp, i->addrsize));
	else if (i->disp)
		add_disp(o, i->disp);
	add(o, "]");
}

static void add_string(struct out *o, const struct x86_insn *i, const struct x86_opnd *op)
{
	unsigned seg = op->reg == X86_RDI ? X86_ES : i->seg;

	add(o, "%s%s:[", size_word(op->bytes), segs[seg]);
	add_gpr(o, op->reg, i->addrsize);
	add(o, "]");
}

static void add_operand(struct out *o, const struct x86_insn *i, const struct x86_opnd *op,
			uint64_t next_pc)
{
	switch (op->kind) {
	case X86_OPND_GPR:
		if (op->high8)
			add(o, "%s", gpr8_high[op->reg]);
		else
			add_gpr(o, op->reg, op->bytes);
		break;
	case X86_OPND_MEM:
		add_memory(o, i, op);
		break;
	case X86_OPND_IMM:
		add(o, "0x%" PRIx64, mask_bytes((uint64_t)(op->reg ? i->imm2 : i->imm), op->bytes));
		break;
	case X86_OPND_REL:
		add(o, "0x%" PRIx64, mask_bytes(next_pc + (uint64_t)i->imm, op->bytes));
		break;
	case X86_OPND_SEG:
		add(o, "%s", segs[op->reg]);
		break;
	case X86_OPND_CR:
		add(o, "cr%u", op->reg);
		break;
	case X86_OPND_DR:
		add(o, "dr%u", op->reg);
		break;
	case X86_OPND_VEC:
		add(o, "%cmm%u", op->bytes == 32 ? 'y' : 'x', op->reg);
		break;
	case X86_OPND_MMX:
		add(o, "mm%u", op->reg);
		break;
	case X86_OPND_ST:
		add(o, "st(%u)", op->reg);
		break;
	case X86_OPND_FAR:
		add(o, "0x%" PRIx64 ":0x%" PRIx64, (uint64_t)i->imm2, (uint64_t)i->imm);
		break;
	case X86_OPND_STRING:
		add_string(o, i, op);
		break;
	}
}

/* The row's text: "a|b|c" by operand size, "%c" the condition. */
static void add_mnemonic(struct out *o, const struct x86_insn *i)
{
	const char *p = i->row->text, *end, *cond;

	if (strchr(p, '|')) {
		for (unsigned n = i->opsize == 2 ? 0 : i->opsize == 4 ? 1 : 2; n > 0; n--)
			p = strchr(p, '|') ? strchr(p, '|') + 1 : p;
	}
	end = p + strcspn(p, "|");
	cond = strstr(p, "%c");
	if (!cond || cond > end)
		add(o, "%.*s", (int)(end - p), p);
	else
		add(o, "%.*s%s%.*s", (int)(cond - p), p, ir_cond_name((enum ir_cond)i->cond),
		    (int)(end - cond - 2), cond + 2);
}

int x86_insn_print(const struct x86_insn *i, uint64_t pc, char *buf, size_t len)
{
	struct out o = {buf, len, 0};

	if (len)
		buf[0] = '\0';
	if (!i->row) {
		add(&o, "(bad)");
		return o.pos;
	}
	if (i->lock)
		add(&o, "lock ");
	if (i->row->attr & X86_REPPABLE)
		add(&o, "%s", i->rep ? "rep " : i->repne ? "repne " : "");
	add_mnemonic(&o, i);
	for (unsigned k = 0; k < i->op_count; k++) {
		add(&o, "%s", k ? ", " : " ");
		add_operand(&o, i, &i->op[k], pc + i->len);
	}
	return o.pos;
}
