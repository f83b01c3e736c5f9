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
};

uint64_t x86_cursor_fail(struct x86_cursor *c)
{
	if (c->status != X86_DECODE_OK)
		return 0;
	if (c->avail >= X86_INSN_MAX) {
		c->status = X86_DECODE_TOO_LONG;
		c->pos = X86_INSN_MAX;
	} else {
		c->status = X86_DECODE_MORE;
		c->pos = c->avail;
	}
	c->limit = 0;
	return 0;
}

/* Legacy prefixes. */
enum prefix {
	PREFIX_NONE,
	PREFIX_SEG, /* and the segment's number */
	PREFIX_OPSIZE = PREFIX_SEG + X86_GS + 1,
	PREFIX_ADDRSIZE,
	PREFIX_LOCK,
	PREFIX_REPNE,
	PREFIX_REP,
};

static const uint8_t prefixes[256] = {
	[0x26] = PREFIX_SEG + X86_ES, [0x2e] = PREFIX_SEG + X86_CS, [0x36] = PREFIX_SEG + X86_SS,
	[0x3e] = PREFIX_SEG + X86_DS, [0x64] = PREFIX_SEG + X86_FS, [0x65] = PREFIX_SEG + X86_GS,
	[0x66] = PREFIX_OPSIZE,	      [0x67] = PREFIX_ADDRSIZE,	    [0xf0] = PREFIX_LOCK,
	[0xf2] = PREFIX_REPNE,	      [0xf3] = PREFIX_REP,
};

/* Take note of a prefix. Of F2 and F3 the last one counts. */
static void prefix_apply(unsigned prefix, bool code64, bool *addr_prefix, struct x86_insn *out)
{
	switch (prefix) {
	case PREFIX_OPSIZE:
		out->opsize_prefix = true;
		break;
	case PREFIX_ADDRSIZE:
		*addr_prefix = true;
		break;
	case PREFIX_LOCK:
		out->lock = true;
		break;
	case PREFIX_REPNE:
	case PREFIX_REP:
		out->repne = prefix == PREFIX_REPNE;
		out->rep = prefix == PREFIX_REP;
		break;
	default:
		if (!code64 || prefix - PREFIX_SEG >= X86_FS)
			out->seg_override = (uint8_t)(prefix - PREFIX_SEG);
	}
}

/* All prefixes; returns the first byte after them. A REX counts only right before the opcode. */
static unsigned scan_prefixes(struct x86_cursor *c, bool code64, struct x86_insn *out)
{
	bool addr_prefix = false;
	unsigned b, rex = 0;

	for (;;) {
		b = (unsigned)x86_cursor_take(c, 1);
		if (code64 && (b & 0xf0) == 0x40) {
			rex = b;
		} else if (LIKELY(!prefixes[b])) {
			break;
		} else {
			prefix_apply(prefixes[b], code64, &addr_prefix, out);
			rex = 0;
		}
	}
	if (UNLIKELY(c->status != X86_DECODE_OK))
		return 0;
	out->rex = (uint8_t)rex;
	out->has_rex = rex != 0;
	out->rex_w = rex & 8;
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

static uint32_t probe_key(const struct probe *p, const struct x86_insn *i)
{
	return i->modrm | (uint32_t)(i->modrm >= 0xc0) << 8 | (uint32_t)i->rex_w << 9 |
	       (uint32_t)i->vex_l << 10 | (uint32_t)p->code64 << 11 |
	       (uint32_t)(i->vex_v != 0) << 12 | (uint32_t)(i->rex & 1) << 13 |
	       (uint32_t)p->prefix << X86_KEY_PREFIX_SHIFT;
}

static const struct x86_enc *find(const struct x86_decoder *d, unsigned slot, const struct probe *p,
				  const struct x86_insn *i)
{
	const struct x86_candidate *end = &d->list[d->slot[slot + 1].first];
	uint32_t key = probe_key(p, i);

	for (const struct x86_candidate *k = &d->list[d->slot[slot].first]; k < end; k++) {
		if ((key & k->key_mask) != k->key)
			continue;
		if (k->feature == X86_FEAT_BASE || !p->model ||
		    x86_has(p->model, (enum x86_feat)k->feature))
			return &d->enc[k->enc];
	}
	return NULL;
}

static uint8_t operand_size(const struct x86_enc *e, x86_mode_t mode, const struct x86_insn *i)
{
	bool prefix = i->opsize_prefix && e->prefix != X86_PREFIX_66;

	if (mode & X86_MODE_CODE64) {
		if ((e->attr & X86_FORCE64) || i->rex_w)
			return 8;
		return prefix ? 2 : e->attr & X86_DEF64 ? 8 : 4;
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
	    !x86_decode_memory(c, e->attr & X86_VSIB, out))
		return false;
	if (!x86_decode_operands(c, e, out))
		return false;
	return !out->lock || ((e->attr & X86_LOCKABLE) && out->op[0].kind == X86_OPND_MEM);
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
	if (d->slot[slot].has_modrm) {
		out->has_modrm = true;
		out->modrm = (uint8_t)x86_cursor_take(c, 1);
		if (c->status != X86_DECODE_OK)
			return true;
	}
	e = find(d, slot, p, out);
	return e && finish(c, e, out);
}

/* In two pieces: compilers clear small ones by plain stores, what is larger by something slower. */
static inline void insn_clear(struct x86_insn *i)
{
	memset(i, 0, 64);
	memset((char *)i + 64, 0, sizeof(*i) - 64);
}

enum x86_decode_result x86_decode(const struct x86_decoder *d, const uint8_t *bytes, unsigned avail,
				  x86_mode_t mode, const struct x86_cpuid_model *model,
				  struct x86_insn *out)
{
	struct x86_cursor c = {.bytes = bytes,
			       .avail = avail,
			       .limit = avail < X86_INSN_MAX ? avail : X86_INSN_MAX,
			       .mode = mode};
	struct probe p = {.model = model, .code64 = mode & X86_MODE_CODE64};
	bool known;

	insn_clear(out);
	out->seg = X86_DS;
	out->seg_override = X86_SEG_NONE;
	out->base = out->index = X86_GPR_NONE;
	known = decode(d, &c, &p, out);
	out->len = (uint8_t)c.pos;
	if (c.status != X86_DECODE_OK)
		return c.status;
	return known ? X86_DECODE_OK : X86_DECODE_UD;
}
