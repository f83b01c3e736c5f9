/*
 * Blocks of random instructions from the decode rows. Memory operands are made to point into the
 * data pages by way of registers that still hold what they started with; relative jumps go to
 * instructions of the block or to the faulting bytes around it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "oracle.h"

enum { EMIT_MAX = 40, TRIES = 200 };

struct gen {
	const struct generator *g;
	struct oracle_case *c;
	uint64_t r;
	uint32_t known; /* registers that still have their start value */
	uint32_t used;	/* registers whose start value others rely on */
	uint32_t undefined, ever_undefined;
};

x86_mode_t case_mode(const struct oracle_case *c)
{
	x86_mode_t user = X86_MODE_PE | X86_MODE_LONG | 3u << X86_MODE_CPL_SHIFT;

	if (c->code16)
		return user;
	return user | X86_MODE_FLAT |
	       (c->code64 ? X86_MODE_CODE64 : X86_MODE_CODE32 | X86_MODE_STACK32);
}

bool generator_init(struct generator *g, const struct x86_decoder *d,
		    const struct x86_cpuid_model *model, const char *name)
{
	*g = (struct generator){.decoder = d, .model = model, .max_insns = CASE_INSNS_MAX};
	g->enc = malloc(d->enc_count * sizeof(*g->enc));
	for (unsigned i = 0; i < d->enc_count; i++) {
		const struct x86_enc *e = &d->enc[i];

		if (exclude_row(e->row) || !x86_has(model, e->row->feature))
			continue;
		if (name && strcmp(e->row->text, name) != 0)
			continue;
		g->enc[g->count++] = e;
	}
	return g->count > 0;
}

static unsigned pick(struct gen *n, unsigned below)
{
	return (unsigned)(random_next(&n->r) >> 16) % below;
}

/* ---- memory operands */

static uint32_t data_base(const struct oracle_case *c)
{
	return c->code16 ? DATA_BASE : 0;
}

static uint64_t pick_pointer(struct gen *n)
{
	return random_pointer(&n->r) - data_base(n->c);
}

static bool is_pointer(const struct gen *n, uint64_t v)
{
	return v + data_base(n->c) - DATA_BASE < DATA_BYTES + 0x1000;
}

/* A register whose value is known and good for the purpose, or any. */
static unsigned pick_register(struct gen *n, bool pointer, bool index)
{
	unsigned regs = n->c->code64 ? 16 : 8;

	for (unsigned try = 0; try < 40; try++) {
		unsigned reg = pick(n, regs);
		int64_t v = (int64_t)n->c->start.gpr[reg];

		if (index && reg == X86_RSP)
			continue;
		if (!(n->known >> reg & 1))
			continue;
		if (pointer ? is_pointer(n, (uint64_t)v) : (v < 0x2000 && v > -0x2000))
			return reg;
	}
	return index ? (unsigned)X86_RCX : pick(n, regs);
}

struct emit {
	uint8_t b[EMIT_MAX];
	unsigned len;
	unsigned rip_disp; /* where a RIP-relative displacement lies, or 0 */
	uint64_t target;
};

static void put(struct emit *e, unsigned bytes, uint64_t v)
{
	for (unsigned i = 0; i < bytes; i++)
		e->b[e->len++] = (uint8_t)(v >> 8 * i);
}

/* The displacement that makes base + index reach a good address, if there is one of 32 bits. */
static int64_t pick_disp(struct gen *n, unsigned base, int index, unsigned scale, bool wide)
{
	uint64_t b = base < 16 ? n->c->start.gpr[base] : 0;
	uint64_t x = index >= 0 ? n->c->start.gpr[index] << scale : 0;
	int64_t d = (int64_t)(pick_pointer(n) - b - x);

	if (base < 16 && is_pointer(n, b + x) && random_chance(&n->r, 50))
		d = (int8_t)random_next(&n->r) & (random_chance(&n->r, 60) ? ~15 : ~0);
	if (!wide || d == (int32_t)d)
		return (int32_t)d;
	return (int8_t)random_next(&n->r);
}

/* modrm, SIB and displacement; rex gets its bits. */
static void emit_memory(struct gen *n, struct emit *e, unsigned reg, unsigned addrsize,
			uint8_t *rex)
{
	unsigned base = pick_register(n, true, false), scale = pick(n, 4), mod;
	int index = -1;
	int64_t disp;

	if (addrsize == 2) {
		mod = pick(n, 3);
		base = pick(n, 8);
		put(e, 1, mod << 6 | reg << 3 | base);
		put(e, mod == 0 ? (base == 6 ? 2 : 0) : mod, random_next(&n->r));
		return;
	}
	if (random_chance(&n->r, 12)) { /* absolute, in 64-bit code RIP-relative */
		put(e, 1, reg << 3 | 5);
		e->target = pick_pointer(n);
		if (n->c->code64)
			e->rip_disp = e->len;
		put(e, 4, e->target);
		return;
	}
	if (random_chance(&n->r, 35))
		index = (int)pick_register(n, false, true);
	if (index >= 0 && random_chance(&n->r, 10))
		base = 16; /* none: disp32 */
	disp = pick_disp(n, base, index, scale, addrsize == 8);
	if (base < 16)
		n->used |= 1u << base;
	if (index >= 0)
		n->used |= 1u << index;
	mod = disp == (int8_t)disp ? 1 : 2;
	if (disp == 0 && (base & 7) != 5 && random_chance(&n->r, 70))
		mod = 0;
	if (base == 16)
		mod = 0;
	if (base < 16)
		*rex |= base >> 3;
	if (index >= 0 || base == 16 || (base & 7) == 4 || random_chance(&n->r, 4)) {
		unsigned x = index >= 0 ? (unsigned)index : 4;

		put(e, 1, mod << 6 | reg << 3 | 4);
		put(e, 1, scale << 6 | (x & 7) << 3 | (base == 16 ? 5 : (base & 7)));
		*rex |= (x >> 3) << 1;
	} else {
		put(e, 1, mod << 6 | reg << 3 | (base & 7));
	}
	put(e, base == 16 ? 4 : mod == 2 ? 4 : mod, (uint64_t)disp);
}

/* ---- one instruction */

/* Small steps in the index register as it is at the start: they do no harm if it changes. */
static void set_index_vector(struct gen *n, unsigned reg, unsigned bytes)
{
	for (unsigned k = 0; k < 32 / bytes; k++) {
		uint64_t v = (uint64_t)pick(n, 256) * 4 - 256;

		if (random_chance(&n->r, 3))
			v = random_next(&n->r) % 0x8000 - 0x4000;
		if (random_chance(&n->r, 20))
			v += pick(n, 16);
		memcpy((uint8_t *)n->c->start.vec[reg] + k * bytes, &v, bytes);
	}
}

/* A base that points to data, a vector as the index. */
static void emit_vsib(struct gen *n, struct emit *e, const struct x86_row *row, unsigned reg,
		      unsigned addrsize, uint8_t *rex)
{
	unsigned base = pick_register(n, true, false), index = pick(n, n->c->code64 ? 16 : 8);
	unsigned scale = random_chance(&n->r, 50) ? 0 : pick(n, 4);
	int64_t disp = pick_disp(n, base, -1, 0, addrsize == 8);

	if (random_chance(&n->r, 95))
		set_index_vector(n, index, row->arg >> 4);
	n->used |= 1u << base;
	put(e, 1, 0x80 | reg << 3 | 4);
	put(e, 1, scale << 6 | (index & 7) << 3 | (base & 7));
	put(e, 4, (uint64_t)disp);
	*rex |= (uint8_t)((index >> 3) << 1 | base >> 3);
}

static bool wants_memory(struct gen *n, const struct x86_enc *enc)
{
	if (enc->modrm_kind == X86_MODRM_NONE || enc->modrm_kind == X86_MODRM_I ||
	    enc->modrm_kind == X86_MODRM_EXACT || enc->mod == X86_MOD_REG || enc->mod_ignored)
		return false;
	return enc->mod == X86_MOD_MEM || random_chance(&n->r, 45);
}

static unsigned emit_prefixes(struct gen *n, const struct x86_enc *enc, bool memory, struct emit *e)
{
	static const uint8_t mandatory[] = {0, 0, 0x66, 0xf3, 0xf2},
			     segs[] = {0x2e, 0x36, 0x3e, 0x26};
	unsigned addrsize = n->c->code64 ? 8 : n->c->code16 ? 2 : 4;

	if (enc->prefix == X86_PREFIX_ANY && random_chance(&n->r, 25))
		put(e, 1, 0x66);
	if (random_chance(&n->r, memory ? (n->c->code16 ? 40 : 10) : 4)) {
		put(e, 1, 0x67);
		addrsize = n->c->code64 || n->c->code16 ? 4 : 2;
	}
	if (random_chance(&n->r, 5))
		put(e, 1, segs[pick(n, 4)]);
	else if (n->c->code64 && memory && random_chance(&n->r, 3))
		put(e, 1, 0x65);
	if ((enc->row->attr & X86_LOCKABLE) && random_chance(&n->r, memory ? 25 : 2))
		put(e, 1, 0xf0);
	if ((enc->row->attr & X86_REPPABLE) && random_chance(&n->r, 60))
		put(e, 1, random_chance(&n->r, 50) ? 0xf3 : 0xf2);
	else if (enc->prefix == X86_PREFIX_ANY && random_chance(&n->r, 1))
		put(e, 1, random_chance(&n->r, 50) ? 0xf3 : 0xf2);
	if (enc->prefix > X86_PREFIX_NP)
		put(e, 1, mandatory[enc->prefix]);
	return addrsize;
}

static uint8_t pick_rex(struct gen *n, const struct x86_enc *enc)
{
	uint8_t rex = 0;

	if (!n->c->code64)
		return 0;
	if (enc->w == X86_W_1 || (enc->w == X86_W_ANY && random_chance(&n->r, 40)))
		rex |= 0x48;
	if (random_chance(&n->r, 40))
		rex |= (uint8_t)(0x40 | (pick(n, 2) << 2));
	return rex;
}

/* The bits after modrm's operands: an immediate, or the next bytes' worth of chance. */
static void emit_tail(struct gen *n, struct emit *e)
{
	unsigned at = e->len;

	put(e, 8, random_edge(&n->r, random_chance(&n->r, 50) ? 4 : 8));
	if (at + 8 <= EMIT_MAX - 8)
		put(e, 8, random_next(&n->r));
}

/* The VEX prefix for b, the bits that REX would have, in two bytes where that can be. */
static void put_vex(struct gen *n, const struct x86_enc *enc, unsigned b, struct emit *e)
{
	static const uint8_t pp[] = {0, 0, 1, 2, 3};
	unsigned l = enc->vex == X86_VEX_L_ANY ? pick(n, 2) : enc->vex == X86_VEX_256;
	unsigned v = enc->uses_vvvv ? pick(n, n->c->code64 ? 16 : 8) : 0;
	unsigned last = (~v & 15) << 3 | l << 2 | pp[enc->prefix], r = ~b << 5 & 0x80;

	if (random_chance(&n->r, 1)) /* what must be otherwise */
		last ^= 1u << (2 + pick(n, 5));
	if (enc->map == X86_MAP_0F && !(b & 0xb) && random_chance(&n->r, 70)) {
		put(e, 1, 0xc5);
		put(e, 1, r | last);
		return;
	}
	put(e, 1, 0xc4);
	put(e, 1, r | (~b << 5 & 0x40) | (~b << 5 & 0x20) | enc->map);
	put(e, 1, (b & 8) << 4 | last);
}

/* A row with VEX: first the operands, whose register numbers the prefix has the fourth bits of. */
static void emit_vex(struct gen *n, const struct x86_enc *enc, struct emit *e)
{
	bool memory = wants_memory(n, enc), code64 = n->c->code64;
	unsigned reg = enc->modrm_kind == X86_MODRM_DIGIT ? enc->modrm : pick(n, 8);
	unsigned addrsize = code64 ? 8 : n->c->code16 ? 2 : 4;
	struct emit m = {.len = 0};
	uint8_t b = 0;

	if (memory && random_chance(&n->r, 10)) {
		put(e, 1, 0x67);
		addrsize = code64 || n->c->code16 ? 4 : 2;
	}
	if (memory && code64 && random_chance(&n->r, 3))
		put(e, 1, 0x65);
	if (memory && (enc->row->attr & X86_VSIB))
		emit_vsib(n, &m, enc->row, reg, addrsize, &b);
	else if (memory)
		emit_memory(n, &m, reg, addrsize, &b);
	else if (enc->modrm_kind == X86_MODRM_EXACT)
		put(&m, 1, enc->modrm);
	else if (enc->modrm_kind != X86_MODRM_NONE)
		put(&m, 1, 0xc0 | reg << 3 | pick(n, 8));
	if (code64 && !memory)
		b |= (uint8_t)pick(n, 2);
	if (code64)
		b |= (uint8_t)(pick(n, 2) << 2);
	if (enc->w == X86_W_1 || (enc->w == X86_W_ANY && random_chance(&n->r, 40)))
		b |= 8;
	put_vex(n, enc, b, e);
	put(e, 1, enc->opcode + pick(n, enc->opcode_span));
	if (m.rip_disp) {
		e->rip_disp = e->len + m.rip_disp;
		e->target = m.target;
	}
	memcpy(e->b + e->len, m.b, m.len);
	e->len += m.len;
	emit_tail(n, e);
}

/* Bytes of one instruction of the row; immediates are whatever comes. */
static void emit_insn(struct gen *n, const struct x86_enc *enc, struct emit *e)
{
	bool memory = wants_memory(n, enc);
	unsigned addrsize = emit_prefixes(n, enc, memory, e);
	unsigned reg = enc->modrm_kind == X86_MODRM_DIGIT ? enc->modrm : pick(n, 8);
	uint8_t rex = pick_rex(n, enc), extra = 0;
	unsigned rex_at = e->len;

	if (rex || n->c->code64)
		put(e, 1, 0x40); /* placed at the end, or taken out again */
	if (enc->map != X86_MAP_1)
		put(e, 1, 0x0f);
	if (enc->map > X86_MAP_0F)
		put(e, 1, enc->map == X86_MAP_0F38 ? 0x38 : 0x3a);
	put(e, 1, enc->opcode + pick(n, enc->opcode_span));
	if (enc->modrm_kind == X86_MODRM_EXACT)
		put(e, 1, enc->modrm);
	else if (enc->modrm_kind == X86_MODRM_I)
		put(e, 1, enc->modrm | pick(n, 8));
	else if (memory)
		emit_memory(n, e, reg, addrsize, &extra);
	else if (enc->modrm_kind != X86_MODRM_NONE)
		put(e, 1, 0xc0 | reg << 3 | pick(n, 8));
	if (n->c->code64) {
		if (extra)
			rex |= 0x40 | extra;
		else if (!memory && rex)
			rex |= (uint8_t)(pick(n, 2));
		if (rex) {
			e->b[rex_at] = rex;
		} else {
			memmove(e->b + rex_at, e->b + rex_at + 1, e->len - rex_at - 1);
			e->len--;
			if (e->rip_disp)
				e->rip_disp--;
		}
	}
	emit_tail(n, e);
}

/* ---- where jumps go */

static void aim_jump(struct gen *n, const struct x86_insn *i, struct emit *e)
{
	unsigned bytes = i->opcode == 0xe8 || i->opcode == 0xe9 || (i->opcode & 0xf0) == 0x80
				 ? (!n->c->code64 && i->opsize == 2 ? 2 : 4)
				 : 1;
	unsigned pos = n->c->len + i->len, k = pick(n, 16);
	int64_t to; /* from the start of the block */

	if (k < 8 || (bytes == 1 && pos > 0x70))
		to = pos;
	else if (k < 10 && !n->ever_undefined) /* back: a loop */
		to = n->c->insns ? n->c->insn[pick(n, n->c->insns)].at : pos;
	else if (k < 13 && pos < 0x60)
		to = -(int64_t)pick(n, 0x1f) - 1;
	else
		to = (int64_t)pos + 0x7f - pick(n, 4);
	if (bytes > 1 && k == 15)
		to = (int32_t)random_next(&n->r) % 0x180 - 0x200;
	for (unsigned b = 0; b < bytes; b++)
		e->b[i->len - bytes + b] = (uint8_t)((to - pos) >> 8 * b);
}

/* ---- what is known after it */

static bool starts_with(const char *s, const char *p)
{
	return strncmp(s, p, strlen(p)) == 0;
}

static bool is_shift(const char *t)
{
	static const char *const shifts[] = {"shl", "shr", "sar", "sal",  "rol",
					     "ror", "rcl", "rcr", "shld", "shrd"};

	for (unsigned i = 0; i < ARRAY_LEN(shifts); i++)
		if (strcmp(t, shifts[i]) == 0)
			return true;
	return false;
}

static uint32_t clobbers(const struct x86_insn *i)
{
	const char *t = i->row->text;
	uint32_t m = 0;

	for (unsigned k = 0; k < i->op_count; k++)
		if (i->op[k].kind == X86_OPND_GPR &&
		    (k == 0 || t[0] == 'x' || starts_with(t, "mulx")))
			m |= 1u << i->op[k].reg;
	if (i->row->attr & X86_REPPABLE)
		m |= 1u << X86_RSI | 1u << X86_RDI | 1u << X86_RCX;
	if (starts_with(t, "mul") || starts_with(t, "imul") || starts_with(t, "div") ||
	    starts_with(t, "idiv") || starts_with(t, "cwd") || starts_with(t, "cmpxchg"))
		m |= 1u << X86_RAX | 1u << X86_RDX;
	if (starts_with(t, "cbw") || starts_with(t, "xlat") || starts_with(t, "aa") ||
	    t[0] == 'd' || starts_with(t, "lahf") || starts_with(t, "salc"))
		m |= 1u << X86_RAX;
	if (starts_with(t, "loop"))
		m |= 1u << X86_RCX;
	if (starts_with(t, "push") || starts_with(t, "pop") || starts_with(t, "call") ||
	    starts_with(t, "ret"))
		m |= 1u << X86_RSP;
	if (starts_with(t, "popa"))
		m |= 0xff;
	if (starts_with(t, "enter") || starts_with(t, "leave"))
		m |= 1u << X86_RSP | 1u << X86_RBP;
	return m;
}

/* Undefined flags after the instruction, given those before. */
static uint32_t undefined_after(uint32_t before, const struct x86_insn *i)
{
	const struct x86_row *r = i->row;
	uint32_t written = r->flags_written, undefined = r->flags_undefined;
	bool by_one = i->opcode == 0xd0 || i->opcode == 0xd1;

	if (is_shift(r->text) && !by_one)
		written = 0; /* a count of 0 leaves them alone */
	if (i->rep || i->repne)
		written = 0;
	return (before & ~written) | undefined | exclude_undefined(r);
}

static bool acceptable(struct gen *n, const struct x86_insn *i)
{
	if (exclude_row(i->row) || exclude_insn(i))
		return false;
	if ((i->row->flags_read | exclude_reads(i->row)) & n->undefined)
		return false;
	if (i->seg_override == X86_FS || i->seg_override == X86_GS)
		if (!n->c->code64 || i->seg_override == X86_FS)
			return false;
	return true;
}

/* Start values that make sense for the instruction, where nothing relies on others. */
static void prepare(struct gen *n, const struct x86_insn *i)
{
	uint64_t *gpr = n->c->start.gpr;
	uint32_t free = n->known & ~n->used;
	const char *t = i->row->text;

	if ((i->row->attr & X86_REPPABLE) || starts_with(t, "loop")) {
		if (free >> X86_RCX & 1 && random_chance(&n->r, 90))
			gpr[X86_RCX] = random_chance(&n->r, 80) ? pick(n, 20) : pick(n, 3000);
		if (free >> X86_RSI & 1 && random_chance(&n->r, 80))
			gpr[X86_RSI] = pick_pointer(n);
		if (free >> X86_RDI & 1 && random_chance(&n->r, 80))
			gpr[X86_RDI] = random_chance(&n->r, 70)
					       ? pick_pointer(n)
					       : gpr[X86_RSI] + (int64_t)(pick(n, 17)) - 8;
	}
	if (strstr(t, "div") && free >> X86_RDX & 1 && random_chance(&n->r, 60))
		gpr[X86_RDX] = random_chance(&n->r, 60) ? 0 : (n->c->code64 ? ~0ull : 0xffffffff);
	if (starts_with(t, "xlat") && free >> X86_RBX & 1)
		gpr[X86_RBX] = pick_pointer(n);
	if (starts_with(t, "leave") && free >> X86_RBP & 1)
		gpr[X86_RBP] = pick_pointer(n);
	if ((starts_with(t, "jmp") || starts_with(t, "call")) && i->op[0].kind == X86_OPND_GPR &&
	    free >> i->op[0].reg & 1 && i->op[0].reg != X86_RSP && random_chance(&n->r, 70))
		gpr[i->op[0].reg] = case_pc(n->c) + 0x100 + pick(n, 64);
	for (unsigned k = 0; k < i->op_count; k++)
		if (i->op[k].kind == X86_OPND_GPR)
			n->used |= 1u << i->op[k].reg;
	n->used |= clobbers(i);
}

static bool add_insn(struct gen *n, const struct x86_enc *enc)
{
	struct oracle_case *c = n->c;
	struct emit e = {.len = 0};
	struct x86_insn i;
	uint32_t used = n->used;
	struct case_insn *ci = &c->insn[c->insns];

	if (enc->vex != X86_VEX_NONE)
		emit_vex(n, enc, &e);
	else
		emit_insn(n, enc, &e);
	if (x86_decode(n->g->decoder, e.b, e.len, case_mode(c), n->g->model, &i) != X86_DECODE_OK ||
	    !acceptable(n, &i) || c->len + i.len > CASE_BYTES_MAX - 8) {
		n->used = used;
		return false;
	}
	if (n->g->max_insns > 1 && (clobbers(&i) & n->used) && random_chance(&n->r, 60)) {
		n->used = used;
		return false;
	}
	if (e.rip_disp) {
		struct emit d = {.len = 0};

		put(&d, 4, e.target - (c->code_at + c->len + i.len));
		memcpy(e.b + e.rip_disp, d.b, 4);
	}
	if (i.op_count && i.op[0].kind == X86_OPND_REL)
		aim_jump(n, &i, &e);
	prepare(n, &i);
	memcpy(c->bytes + c->len, e.b, i.len);
	n->undefined = undefined_after(n->undefined, &i);
	n->ever_undefined |= n->undefined;
	*ci = (struct case_insn){(uint8_t)c->len, i.len, i.row, n->undefined};
	n->known &= ~clobbers(&i);
	c->len += i.len;
	c->insns++;
	return true;
}

void case_annotate(const struct generator *g, struct oracle_case *c)
{
	uint32_t undefined = 0;
	unsigned at = 0, k = 0;

	while (at < c->len && k < CASE_INSNS_MAX) {
		struct x86_insn i;

		if (x86_decode(g->decoder, c->bytes + at, c->len - at, case_mode(c), g->model,
			       &i) != X86_DECODE_OK)
			break;
		undefined = undefined_after(undefined, &i);
		c->insn[k++] = (struct case_insn){(uint8_t)at, i.len, i.row, undefined};
		at += i.len;
	}
	c->insns = k;
}

void generator_case(const struct generator *g, uint64_t seed, uint64_t number,
		    struct oracle_case *c)
{
	struct gen n = {.g = g, .c = c, .r = seed * 0x2545f4914f6cdd1dull + number};
	unsigned want, tries = 0;

	memset(c, 0, sizeof(*c));
	random_next(&n.r);
	n.r = random_next(&n.r);
	c->seed = seed;
	c->number = number;
	c->code64 = g->bits ? g->bits == 64 : random_chance(&n.r, 65);
	c->code16 = g->bits ? g->bits == 16 : !c->code64 && random_chance(&n.r, 30);
	c->code_at = CODE_BASE + 0x400 + pick(&n, 0x600);
	if (random_chance(&n.r, 4))
		c->code_at = CODE_BASE + 0x1000 - pick(&n, 40);
	random_state(&n.r, c->code64, data_base(c), x86_has(g->model, X86_FEAT_AVX), &c->start);
	n.known = 0xffff;
	want = g->max_insns == 1 || random_chance(&n.r, 40) ? 1 : 2 + pick(&n, g->max_insns - 1);
	while (c->insns < want && tries++ < TRIES &&
	       !(c->insns && exclude_more(c->insn[c->insns - 1].row)))
		add_insn(&n, g->enc[pick(&n, g->count)]);
	if (random_chance(&n.r, 2)) /* up to the end of the code pages */
		c->code_at = CODE_BASE + CODE_BYTES - c->len;
}
