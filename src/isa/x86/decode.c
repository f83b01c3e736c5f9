/*
 * x86 instruction decoding: prefixes, opcode, choice of the row. SDM vol. 2, chapter 2.
 * F2/F3 select a row with that prefix before 66 does; a prefix no row asks for keeps its legacy
 * meaning. VEX prefixes are decoded; EVEX (62 in 64-bit code) and XOP are not known: #UD.
 */
#include <string.h>

#include "isa/x86/decode_rows.h"

/* What, beside the modrm byte, chooses the row. */
struct probe {
	const struct x86_cpuid_model *model;
	bool vex, code64;
	uint8_t prefix; /* enum x86_enc_prefix, never ANY */
	uint8_t map;
	uint8_t vex_pp;
};

uint64_t x86_cursor_take(struct x86_cursor *c, unsigned n)
{
	uint64_t v = 0;

	if (c->status != X86_DECODE_OK)
		return 0;
	for (unsigned k = 0; k < n; k++) {
		if (c->pos >= X86_INSN_MAX) {
			c->status = X86_DECODE_TOO_LONG;
			return 0;
		}
		if (c->pos >= c->avail) {
			c->status = X86_DECODE_MORE;
			return 0;
		}
		v |= (uint64_t)c->bytes[c->pos++] << (8 * k);
	}
	return v;
}

/* Segment of an override prefix, or X86_SEG_NONE. */
static unsigned prefix_segment(unsigned b)
{
	switch (b) {
	case 0x26:
		return X86_ES;
	case 0x2e:
		return X86_CS;
	case 0x36:
		return X86_SS;
	case 0x3e:
		return X86_DS;
	case 0x64:
		return X86_FS;
	case 0x65:
		return X86_GS;
	}
	return X86_SEG_NONE;
}

/* Take note of b if it is a legacy prefix. Of F2 and F3 the last one counts. */
static bool prefix_apply(unsigned b, bool code64, bool *addr_prefix, struct x86_insn *out)
{
	unsigned seg = prefix_segment(b);

	if (seg != X86_SEG_NONE) {
		if (!code64 || seg >= X86_FS)
			out->seg_override = (uint8_t)seg;
		return true;
	}
	switch (b) {
	case 0x66:
		out->opsize_prefix = true;
		return true;
	case 0x67:
		*addr_prefix = true;
		return true;
	case 0xf0:
		out->lock = true;
		return true;
	case 0xf2:
	case 0xf3:
		out->repne = b == 0xf2;
		out->rep = b == 0xf3;
		return true;
	}
	return false;
}

/* All prefixes; returns the first byte after them. A REX counts only right before the opcode. */
static unsigned scan_prefixes(struct x86_cursor *c, bool code64, struct x86_insn *out)
{
	bool addr_prefix = false;
	unsigned b;

	for (;;) {
		b = (unsigned)x86_cursor_take(c, 1);
		if (c->status != X86_DECODE_OK)
			return 0;
		if (code64 && (b & 0xf0) == 0x40) {
			out->rex = (uint8_t)b;
			continue;
		}
		if (!prefix_apply(b, code64, &addr_prefix, out))
			break;
		out->rex = 0;
	}
	out->has_rex = out->rex != 0;
	out->rex_w = out->rex & 8;
	if (code64)
		out->addrsize = addr_prefix ? 4 : 8;
	else
		out->addrsize = !(c->mode & X86_MODE_CODE32) == addr_prefix ? 4 : 2;
	return b;
}

/* C4 and C5 are LES and LDS outside 64-bit code unless followed by what would be a register. */
static bool is_vex(const struct x86_cursor *c, unsigned b, bool code64, bool *more)
{
	*more = false;
	if (b != 0xc4 && b != 0xc5)
		return false;
	if (code64)
		return true;
	if (!(c->mode & X86_MODE_PE) || (c->mode & X86_MODE_VM))
		return false;
	if (c->pos >= c->avail || c->pos >= X86_INSN_MAX) {
		*more = true;
		return false;
	}
	return c->bytes[c->pos] >= 0xc0;
}

/* The rest of a VEX prefix and the opcode. False: #UD. */
static bool take_vex(struct x86_cursor *c, unsigned b, struct probe *p, struct x86_insn *out)
{
	static const uint8_t pp[4] = {X86_PREFIX_NP, X86_PREFIX_66, X86_PREFIX_F3, X86_PREFIX_F2};
	unsigned b1 = (unsigned)x86_cursor_take(c, 1), b2 = b1, map = X86_MAP_0F;
	bool bad = out->opsize_prefix || out->rep || out->repne || out->lock || out->has_rex;

	out->rex = b1 & 0x80 ? 0 : 4;
	if (b == 0xc4) {
		b2 = (unsigned)x86_cursor_take(c, 1);
		out->rex |= (b1 & 0x40 ? 0 : 2) | (b1 & 0x20 ? 0 : 1) | (b2 & 0x80 ? 8 : 0);
		map = b1 & 0x1f;
	}
	if (!p->code64)
		out->rex &= 8;
	out->has_vex = true;
	out->rex_w = out->rex & 8;
	out->vex_l = b2 >> 2 & 1;
	out->vex_v = ~(b2 >> 3) & 15;
	p->vex = true;
	p->prefix = pp[b2 & 3];
	p->map = (uint8_t)map;
	out->opcode = (uint8_t)x86_cursor_take(c, 1);
	return !bad && map >= X86_MAP_0F && map <= X86_MAP_0F3A;
}

static void take_opcode(struct x86_cursor *c, unsigned b, struct probe *p, struct x86_insn *out)
{
	p->prefix = out->repne		 ? X86_PREFIX_F2
		    : out->rep		 ? X86_PREFIX_F3
		    : out->opsize_prefix ? X86_PREFIX_66
					 : X86_PREFIX_NP;
	p->map = X86_MAP_1;
	if (b == 0x0f) {
		p->map = X86_MAP_0F;
		b = (unsigned)x86_cursor_take(c, 1);
		if (b == 0x38 || b == 0x3a) {
			p->map = b == 0x38 ? X86_MAP_0F38 : X86_MAP_0F3A;
			b = (unsigned)x86_cursor_take(c, 1);
		}
	}
	out->opcode = (uint8_t)b;
}

static bool match_modrm(const struct x86_enc *e, unsigned modrm)
{
	if (e->mod != X86_MOD_ANY && (modrm >= 0xc0) != (e->mod == X86_MOD_REG))
		return false;
	switch (e->modrm_kind) {
	case X86_MODRM_DIGIT:
		return (modrm >> 3 & 7) == e->modrm;
	case X86_MODRM_I:
		return (modrm & 0xf8) == e->modrm;
	case X86_MODRM_EXACT:
		return modrm == e->modrm;
	}
	return true;
}

static bool match(const struct x86_enc *e, const struct probe *p, const struct x86_insn *i)
{
	const struct x86_row *r = e->row;

	if (r->attr & (p->code64 ? X86_NO64 : X86_ONLY64))
		return false;
	if (e->prefix != X86_PREFIX_ANY && e->prefix != p->prefix)
		return false;
	if (e->w != X86_W_ANY && (e->w == X86_W_1) != i->rex_w)
		return false;
	if ((e->vex == X86_VEX_128 && i->vex_l) || (e->vex == X86_VEX_256 && !i->vex_l))
		return false;
	if (p->vex && !e->uses_vvvv && i->vex_v)
		return false;
	/* 90 is NOP or PAUSE only as long as it does not name R8 */
	if (p->map == X86_MAP_1 && e->opcode == 0x90 && e->opcode_span == 1 && (i->rex & 1))
		return false;
	if (!match_modrm(e, i->modrm))
		return false;
	return r->feature == X86_FEAT_BASE || !p->model ||
	       x86_has(p->model, (enum x86_feat)r->feature);
}

static const struct x86_enc *find(const struct x86_decoder *d, unsigned slot, const struct probe *p,
				  const struct x86_insn *i)
{
	for (uint32_t k = d->first[slot]; k < d->first[slot + 1]; k++) {
		const struct x86_enc *e = &d->enc[d->list[k]];

		if (match(e, p, i))
			return e;
	}
	return NULL;
}

static uint8_t operand_size(const struct x86_enc *e, x86_mode_t mode, const struct x86_insn *i)
{
	bool prefix = i->opsize_prefix && e->prefix != X86_PREFIX_66;

	if (mode & X86_MODE_CODE64) {
		if ((e->row->attr & X86_FORCE64) || i->rex_w)
			return 8;
		return prefix ? 2 : e->row->attr & X86_DEF64 ? 8 : 4;
	}
	return !(mode & X86_MODE_CODE32) == prefix ? 4 : 2;
}

/* The row is known: operands, then LOCK, which only some rows allow and only on memory. */
static bool finish(struct x86_cursor *c, const struct x86_enc *e, struct x86_insn *out)
{
	out->row = e->row;
	out->opsize = operand_size(e, c->mode, out);
	if (e->opcode_span == 16)
		out->cond = out->opcode & 15;
	else if (e->opcode_span == 8)
		out->cond = out->opcode & 7;
	else if (e->modrm_kind == X86_MODRM_I)
		out->cond = out->modrm & 7;
	if (out->has_modrm && out->modrm < 0xc0 && !e->mod_ignored &&
	    !x86_decode_memory(c, e->row->attr & X86_VSIB, out))
		return false;
	if (!x86_decode_operands(c, e, out))
		return false;
	return !out->lock || ((e->row->attr & X86_LOCKABLE) && out->op[0].kind == X86_OPND_MEM);
}

static bool decode(const struct x86_decoder *d, struct x86_cursor *c, struct probe *p,
		   struct x86_insn *out)
{
	unsigned b = scan_prefixes(c, p->code64, out), slot;
	const struct x86_enc *e;
	bool more;

	if (is_vex(c, b, p->code64, &more)) {
		if (!take_vex(c, b, p, out))
			return false;
	} else {
		take_opcode(c, b, p, out);
	}
	if (more || c->status != X86_DECODE_OK) {
		x86_cursor_take(c, 1);
		return true;
	}
	slot = x86_slot(p->vex, p->map, out->opcode);
	if (d->has_modrm[slot]) {
		out->has_modrm = true;
		out->modrm = (uint8_t)x86_cursor_take(c, 1);
		if (c->status != X86_DECODE_OK)
			return true;
	}
	e = find(d, slot, p, out);
	return e && finish(c, e, out);
}

enum x86_decode_result x86_decode(const struct x86_decoder *d, const uint8_t *bytes, unsigned avail,
				  x86_mode_t mode, const struct x86_cpuid_model *model,
				  struct x86_insn *out)
{
	struct x86_cursor c = {bytes, 0, avail, X86_DECODE_OK, mode};
	struct probe p = {.model = model, .code64 = mode & X86_MODE_CODE64};
	bool known;

	memset(out, 0, sizeof(*out));
	out->seg = X86_DS;
	out->seg_override = X86_SEG_NONE;
	out->base = out->index = X86_GPR_NONE;
	known = decode(d, &c, &p, out);
	out->len = (uint8_t)c.pos;
	if (c.status != X86_DECODE_OK)
		return c.status;
	return known ? X86_DECODE_OK : X86_DECODE_UD;
}
