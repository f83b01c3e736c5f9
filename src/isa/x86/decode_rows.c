/*
 * The grammar of decode rows (decode.h): encoding tokens and operand codes, parsed once when the
 * decoder is built. Operand codes follow SDM vol. 2, appendix A.2.
 */
#include <string.h>

#include "base/bits.h"
#include "isa/x86/decode_rows.h"

struct word {
	const char *p;
	size_t len;
};

static bool word_is(struct word w, const char *text)
{
	return strlen(text) == w.len && memcmp(w.p, text, w.len) == 0;
}

/* The next word of *p, words being separated by any of `seps`; false at the end. */
static bool word_next(const char **p, const char *seps, struct word *out)
{
	*p += strspn(*p, seps);
	out->p = *p;
	out->len = strcspn(*p, seps);
	*p += out->len;
	return out->len != 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Two hex digits at the start of w, or -1. */
static int word_byte(struct word w)
{
	if (w.len < 2 || hex_digit(w.p[0]) < 0 || hex_digit(w.p[1]) < 0)
		return -1;
	return hex_digit(w.p[0]) << 4 | hex_digit(w.p[1]);
}

static const struct {
	const char *text;
	uint8_t value;
} vex_words[] = {{"VEX.128", X86_VEX_128}, {"VEX.256", X86_VEX_256}, {"VEX.L*", X86_VEX_L_ANY}},
  prefix_words[] = {{"NP", X86_PREFIX_NP},
		    {"66", X86_PREFIX_66},
		    {"F3", X86_PREFIX_F3},
		    {"F2", X86_PREFIX_F2}},
  map_words[] = {{"0F", X86_MAP_0F}, {"0F38", X86_MAP_0F38}, {"0F3A", X86_MAP_0F3A}},
  w_words[] = {{"W0", X86_W_0}, {"W1", X86_W_1}};

#define WORD_FIND(table, w, field)                                                                 \
	do {                                                                                       \
		for (size_t k_ = 0; k_ < ARRAY_LEN(table); k_++) {                                 \
			if ((field) == 0 && word_is(w, (table)[k_].text)) {                        \
				(field) = (table)[k_].value;                                       \
				return true;                                                       \
			}                                                                          \
		}                                                                                  \
	} while (0)

/* Words before the opcode. "66", "F3" and "F2" are prefixes only before the map. */
static bool parse_before_opcode(struct word w, struct x86_enc *e)
{
	WORD_FIND(vex_words, w, e->vex);
	if (e->map == X86_MAP_1)
		WORD_FIND(prefix_words, w, e->prefix);
	WORD_FIND(map_words, w, e->map);
	WORD_FIND(w_words, w, e->w);
	return false;
}

static bool parse_opcode(struct word w, struct x86_enc *e)
{
	int byte = word_byte(w);

	if (byte < 0)
		return false;
	e->opcode = (uint8_t)byte;
	e->opcode_span = 1;
	if (w.len == 4 && memcmp(w.p + 2, "+r", 2) == 0)
		e->opcode_span = 8;
	else if (w.len == 4 && memcmp(w.p + 2, "+c", 2) == 0)
		e->opcode_span = 16;
	else
		return w.len == 2;
	return true;
}

static bool parse_after_opcode(struct word w, struct x86_enc *e)
{
	int byte = word_byte(w);

	if (word_is(w, "mem") || word_is(w, "reg")) {
		e->mod = w.p[0] == 'm' ? X86_MOD_MEM : X86_MOD_REG;
		return true;
	}
	if (e->modrm_kind != X86_MODRM_NONE)
		return false;
	if (word_is(w, "/r")) {
		e->modrm_kind = X86_MODRM_R;
	} else if (w.len == 2 && w.p[0] == '/' && w.p[1] >= '0' && w.p[1] <= '7') {
		e->modrm_kind = X86_MODRM_DIGIT;
		e->modrm = (uint8_t)(w.p[1] - '0');
	} else if (byte >= 0 && (w.len == 2 || (w.len == 4 && memcmp(w.p + 2, "+i", 2) == 0))) {
		e->modrm_kind = w.len == 2 ? X86_MODRM_EXACT : X86_MODRM_I;
		e->modrm = (uint8_t)byte;
	} else {
		return false;
	}
	return true;
}

static bool parse_enc(const char *text, struct x86_enc *e)
{
	bool opcode_seen = false;
	struct word w;

	while (word_next(&text, " ", &w)) {
		if (opcode_seen) {
			if (!parse_after_opcode(w, e))
				return false;
		} else if (!parse_before_opcode(w, e)) {
			if (!parse_opcode(w, e))
				return false;
			opcode_seen = true;
		}
	}
	return opcode_seen;
}

/* clang-format off */
static const struct {
	const char *text;
	uint8_t size;
} size_words[] = {
	{"", 0}, {"b", 1}, {"w", 2}, {"d", 4}, {"q", 8}, {"t", 10}, {"dq", 16}, {"qq", 32},
	{"x", X86_SIZE_X}, {"ss", 4}, {"sd", 8},
	{"v", X86_SIZE_V}, {"y", X86_SIZE_Y}, {"z", X86_SIZE_Z}, {"p", X86_SIZE_P}, {"s", X86_SIZE_S},
};

/* The letter of an operand code; size and memory size come from its suffix. */
static const struct {
	char letter;
	uint8_t src, kind, mod;
} letters[] = {
	{'E', X86_SRC_RM,     X86_OPND_GPR,    X86_MOD_ANY},
	{'R', X86_SRC_RM,     X86_OPND_GPR,    X86_MOD_REG},
	{'M', X86_SRC_RM,     X86_OPND_MEM,    X86_MOD_MEM},
	{'W', X86_SRC_RM,     X86_OPND_VEC,    X86_MOD_ANY},
	{'U', X86_SRC_RM,     X86_OPND_VEC,    X86_MOD_REG},
	{'Q', X86_SRC_RM,     X86_OPND_MMX,    X86_MOD_ANY},
	{'N', X86_SRC_RM,     X86_OPND_MMX,    X86_MOD_REG},
	{'G', X86_SRC_REG,    X86_OPND_GPR,    X86_MOD_ANY},
	{'V', X86_SRC_REG,    X86_OPND_VEC,    X86_MOD_ANY},
	{'P', X86_SRC_REG,    X86_OPND_MMX,    X86_MOD_ANY},
	{'S', X86_SRC_REG,    X86_OPND_SEG,    X86_MOD_ANY},
	{'C', X86_SRC_REG,    X86_OPND_CR,     X86_MOD_ANY},
	{'D', X86_SRC_REG,    X86_OPND_DR,     X86_MOD_ANY},
	{'Z', X86_SRC_OPCODE, X86_OPND_GPR,    X86_MOD_ANY},
	{'H', X86_SRC_VVVV,   X86_OPND_VEC,    X86_MOD_ANY},
	{'L', X86_SRC_IS4,    X86_OPND_VEC,    X86_MOD_ANY},
	{'B', X86_SRC_VVVV,   X86_OPND_GPR,    X86_MOD_ANY},
	{'I', X86_SRC_IMM,    X86_OPND_IMM,    X86_MOD_ANY},
	{'J', X86_SRC_REL,    X86_OPND_REL,    X86_MOD_ANY},
	{'A', X86_SRC_FAR,    X86_OPND_FAR,    X86_MOD_ANY},
	{'O', X86_SRC_MOFFS,  X86_OPND_MEM,    X86_MOD_ANY},
	{'X', X86_SRC_STRING, X86_OPND_STRING, X86_MOD_ANY},
	{'Y', X86_SRC_STRING, X86_OPND_STRING, X86_MOD_ANY},
};

static const struct {
	const char *text;
	struct x86_opnd_code code;
} fixed_words[] = {
	{"ST0", {X86_SRC_FIXED, X86_OPND_ST, 10, 0, 0}},
	{"STi", {X86_SRC_STI, X86_OPND_ST, 10, 0, 0}},
	{"AL", {X86_SRC_FIXED, X86_OPND_GPR, 1, 0, X86_RAX}},
	{"AX", {X86_SRC_FIXED, X86_OPND_GPR, 2, 0, X86_RAX}},
	{"EAX", {X86_SRC_FIXED, X86_OPND_GPR, 4, 0, X86_RAX}},
	{"RAX_v", {X86_SRC_FIXED, X86_OPND_GPR, X86_SIZE_V, 0, X86_RAX}},
	{"RAX_z", {X86_SRC_FIXED, X86_OPND_GPR, X86_SIZE_Z, 0, X86_RAX}},
	{"CL", {X86_SRC_FIXED, X86_OPND_GPR, 1, 0, X86_RCX}},
	{"DX", {X86_SRC_FIXED, X86_OPND_GPR, 2, 0, X86_RDX}},
	{"XMM0", {X86_SRC_FIXED, X86_OPND_VEC, 16, 0, 0}},
	{"ES", {X86_SRC_FIXED, X86_OPND_SEG, 2, 0, X86_ES}},
	{"CS", {X86_SRC_FIXED, X86_OPND_SEG, 2, 0, X86_CS}},
	{"SS", {X86_SRC_FIXED, X86_OPND_SEG, 2, 0, X86_SS}},
	{"DS", {X86_SRC_FIXED, X86_OPND_SEG, 2, 0, X86_DS}},
	{"FS", {X86_SRC_FIXED, X86_OPND_SEG, 2, 0, X86_FS}},
	{"GS", {X86_SRC_FIXED, X86_OPND_SEG, 2, 0, X86_GS}},
	{"Isb", {X86_SRC_IMM_SX, X86_OPND_IMM, 1, 0, 0}},
	{"Iz", {X86_SRC_IMM_SX, X86_OPND_IMM, X86_SIZE_Z, 0, 0}},
	{"Sw", {X86_SRC_REG, X86_OPND_SEG, 2, 0, 0}},
	{"1", {X86_SRC_ONE, X86_OPND_IMM, 1, 0, 0}},
};
/* clang-format on */

static bool parse_size(struct word w, uint8_t *size)
{
	for (size_t k = 0; k < ARRAY_LEN(size_words); k++) {
		if (word_is(w, size_words[k].text)) {
			*size = size_words[k].size;
			return true;
		}
	}
	return false;
}

/* "Mw_Rv": memory of one size or a register of another. */
static bool parse_mixed(struct word w, const char *bar, struct x86_opnd_code *o)
{
	struct word mem = {w.p + 1, (size_t)(bar - w.p) - 1};
	struct word reg = {bar + 2, w.len - (size_t)(bar - w.p) - 2};
	char letter = bar[1];

	if (w.p[0] != 'M' || !parse_size(mem, &o->mem_size) || !parse_size(reg, &o->size))
		return false;
	o->src = X86_SRC_RM;
	o->kind = letter == 'U' ? X86_OPND_VEC : letter == 'N' ? X86_OPND_MMX : X86_OPND_GPR;
	return letter == 'R' || letter == 'U' || letter == 'N';
}

static bool parse_letter(struct word w, struct x86_enc *e, struct x86_opnd_code *o)
{
	struct word suffix = {w.p + 1, w.len - 1};

	for (size_t k = 0; k < ARRAY_LEN(letters); k++) {
		if (w.p[0] != letters[k].letter)
			continue;
		o->src = letters[k].src;
		o->kind = letters[k].kind;
		if (letters[k].mod != X86_MOD_ANY)
			e->mod = letters[k].mod;
		if (o->src == X86_SRC_STRING)
			o->reg = w.p[0] == 'X' ? X86_RSI : X86_RDI;
		if (!parse_size(suffix, &o->size))
			return false;
		if (o->kind == X86_OPND_CR || o->kind == X86_OPND_DR) {
			o->size = X86_SIZE_CR;
			e->mod_ignored = true;
		}
		if (o->src == X86_SRC_VVVV)
			e->uses_vvvv = true;
		o->mem_size = o->size;
		return true;
	}
	return false;
}

static bool parse_operand(struct word w, struct x86_enc *e, struct x86_opnd_code *o)
{
	const char *bar = memchr(w.p, '_', w.len);

	for (size_t k = 0; k < ARRAY_LEN(fixed_words); k++) {
		if (word_is(w, fixed_words[k].text)) {
			*o = fixed_words[k].code;
			return true;
		}
	}
	if (bar && bar + 1 < w.p + w.len)
		return parse_mixed(w, bar, o);
	return parse_letter(w, e, o);
}

static bool parse_ops(const char *text, struct x86_enc *e)
{
	struct word w;

	while (word_next(&text, ", ", &w)) {
		if (e->op_count == X86_OPND_MAX || !parse_operand(w, e, &e->op[e->op_count]))
			return false;
		e->op_count++;
	}
	return true;
}

/* A row with a mandatory prefix goes before one without, exact modrm before a digit, and so on. */
static uint8_t enc_rank(const struct x86_enc *e)
{
	return (uint8_t)((e->prefix != X86_PREFIX_ANY) << 6 | e->modrm_kind << 3 |
			 (e->w != X86_W_ANY) << 2 | (e->mod != X86_MOD_ANY) << 1 |
			 (e->opcode_span == 1));
}

static bool uses_modrm(const struct x86_enc *e)
{
	for (unsigned k = 0; k < e->op_count; k++) {
		if (e->op[k].src == X86_SRC_RM || e->op[k].src == X86_SRC_REG ||
		    e->op[k].src == X86_SRC_STI)
			return true;
	}
	return false;
}

bool x86_enc_parse(const struct x86_row *row, struct x86_enc *out, const char **why)
{
	memset(out, 0, sizeof(*out));
	out->row = row;
	out->attr = row->attr;
	*why = "bad encoding";
	if (!parse_enc(row->enc, out))
		return false;
	*why = "bad operands";
	if (row->ops && !parse_ops(row->ops, out))
		return false;
	*why = "operands need a modrm byte";
	if (out->modrm_kind == X86_MODRM_NONE && (uses_modrm(out) || out->mod != X86_MOD_ANY))
		return false;
	*why = "no text or lift function";
	if (!row->text || !row->lift)
		return false;
	if (out->mod_ignored)
		out->mod = X86_MOD_ANY;
	out->rank = enc_rank(out);
	return true;
}
