/*
 * The parser of the text form: any text in, a structurally sound block or one message out. It
 * checks names, forms and that a value is defined before it is used; types are the verifier's
 * business. Values may have any number (below IR_BLOCK_MAX) as name, printed blocks number them by
 * position. '#' starts a comment.
 */
#include "ir/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bits.h"
#include "ir/vop.h"

struct parser {
	struct ir_block *b;
	const char *p;
	unsigned line;
	char *msg;
	size_t msg_len;
	ir_ref label[IR_BLOCK_MAX];
};

struct word {
	const char *s;
	size_t len;
};

__attribute__((format(printf, 2, 3))) static bool fail(struct parser *ps, const char *fmt, ...)
{
	int n = snprintf(ps->msg, ps->msg_len, "line %u: ", ps->line);
	va_list ap;

	va_start(ap, fmt);
	if (n > 0 && (size_t)n < ps->msg_len)
		vsnprintf(ps->msg + n, ps->msg_len - (size_t)n, fmt, ap);
	va_end(ap);
	return false;
}

/* A word for a message: not too long. */
#define SHOW(w) (int)((w).len < 40 ? (w).len : 40), (w).s

static void skip_blanks(struct parser *ps)
{
	while (*ps->p == ' ' || *ps->p == '\t' || *ps->p == '\r')
		ps->p++;
}

static bool at_end_of_line(struct parser *ps)
{
	skip_blanks(ps);
	return *ps->p == 0 || *ps->p == '\n' || *ps->p == '#';
}

static bool is_word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '.' || c == '@';
}

static struct word next_word(struct parser *ps)
{
	struct word w;

	skip_blanks(ps);
	w.s = ps->p;
	while (is_word_char(*ps->p))
		ps->p++;
	w.len = (size_t)(ps->p - w.s);
	return w;
}

static bool take(struct parser *ps, char c)
{
	skip_blanks(ps);
	if (*ps->p != c)
		return false;
	ps->p++;
	return true;
}

static bool expect(struct parser *ps, char c)
{
	return take(ps, c) || fail(ps, "'%c' expected", c);
}

static bool word_is(struct word w, const char *s)
{
	return strlen(s) == w.len && !memcmp(w.s, s, w.len);
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
}

/* Decimal, or hexadecimal after 0x. False if not a number or more than 64 bits. */
static bool word_number(struct word w, uint64_t *v)
{
	int base = w.len > 2 && w.s[0] == '0' && (w.s[1] == 'x' || w.s[1] == 'X') ? 16 : 10;
	size_t i = base == 16 ? 2 : 0;

	*v = 0;
	if (w.len == 0)
		return false;
	for (; i < w.len; i++) {
		int d = digit_of(w.s[i]);

		if (d >= base || __builtin_mul_overflow(*v, (uint64_t)base, v) ||
		    __builtin_add_overflow(*v, (uint64_t)d, v))
			return false;
	}
	return true;
}

static bool parse_number(struct parser *ps, uint64_t max, uint64_t *v)
{
	struct word w = next_word(ps);

	if (!word_number(w, v))
		return fail(ps, "number expected, not '%.*s'", SHOW(w));
	return *v <= max || fail(ps, "%.*s is too large", SHOW(w));
}

/* +16, -3 */
static bool parse_delta(struct parser *ps, int64_t *delta)
{
	bool minus = take(ps, '-');
	uint64_t v;

	if (!minus && !take(ps, '+'))
		return fail(ps, "'+' or '-' and a number expected");
	if (!parse_number(ps, minus ? 1ull << 63 : INT64_MAX, &v))
		return false;
	*delta = (int64_t)(minus ? 0 - v : v);
	return true;
}

/* v12 or f3: the number, and which of the two. */
static bool word_label(struct word w, unsigned *n, bool *flags)
{
	struct word digits = {w.s + 1, w.len - 1};
	uint64_t v;

	if (w.len < 2 || (w.s[0] != 'v' && w.s[0] != 'f') || digit_of(digits.s[0]) > 9 ||
	    !word_number(digits, &v) || v >= IR_BLOCK_MAX)
		return false;
	*n = (unsigned)v;
	*flags = w.s[0] == 'f';
	return true;
}

static bool parse_ref(struct parser *ps, bool may_lack, ir_ref *r)
{
	struct word w = next_word(ps);
	unsigned n;
	bool flags;

	if (may_lack && word_is(w, "_")) {
		*r = IR_NONE;
		return true;
	}
	if (!word_label(w, &n, &flags))
		return fail(ps, "value expected, not '%.*s'", SHOW(w));
	*r = ps->label[n];
	if (*r == IR_NONE)
		return fail(ps, "%.*s is not defined", SHOW(w));
	if (flags != (ir_type_of(ps->b, *r) == IR_FLAGS))
		return fail(ps, "%.*s has another type: f names flags, v anything else", SHOW(w));
	return true;
}

static bool word_type(struct word w, enum ir_type *t)
{
	for (*t = IR_I8; *t <= IR_V256; (*t)++)
		if (word_is(w, ir_type_name(*t)))
			return true;
	return false;
}

static bool parse_kind_type(struct parser *ps, struct ir_insn *i, struct word w)
{
	const char *dot = memchr(w.s, '.', w.len);
	struct word kind = {w.s, dot ? (size_t)(dot - w.s) : w.len};
	struct word type = {dot ? dot + 1 : w.s, dot ? w.len - kind.len - 1 : 0};
	enum ir_type t;
	unsigned k = 0;

	while (k < IR_FLAGS_KINDS && !word_is(kind, ir_flags_kind_name((enum ir_flags_kind)k)))
		k++;
	if (k == IR_FLAGS_KINDS || !word_type(type, &t) || t > IR_I64)
		return fail(ps, "flags kind and type expected, not '%.*s'", SHOW(w));
	i->imm = IR_FLAGS_KEY(k, ir_type_log2(t));
	return true;
}

static bool parse_cond(struct parser *ps, struct ir_insn *i, struct word w)
{
	for (unsigned c = 0; c < 16; c++)
		if (word_is(w, ir_cond_name((enum ir_cond)c))) {
			i->imm = c;
			return true;
		}
	return fail(ps, "unknown condition '%.*s'", SHOW(w));
}

/* name, or name.v256 for the twin of an operation on v128 */
static bool parse_vop(struct parser *ps, struct ir_insn *i, struct word w)
{
	const char *dot = memchr(w.s, '.', w.len);
	struct word type = {dot ? dot + 1 : w.s, dot ? (size_t)(w.s + w.len - dot - 1) : 0};
	enum ir_type t = IR_VOID;

	if (dot) {
		w.len = (size_t)(dot - w.s);
		if (!word_type(type, &t))
			return fail(ps, "type expected, not '%.*s'", SHOW(type));
	}
	for (unsigned v = 0; v < VOP_COUNT; v++)
		if (word_is(w, vop_table[v].name)) {
			i->imm = v;
			i->type = dot ? (uint8_t)t : vop_table[v].result;
			return true;
		}
	return fail(ps, "unknown vector operation '%.*s'", SHOW(w));
}

static bool parse_suffix(struct parser *ps, struct ir_insn *i, struct word w)
{
	enum ir_suffix form = ir_text_suffix((enum ir_op)i->op);
	enum ir_type t;

	switch (form) {
	case IR_SUFFIX_NONE:
		return w.len == 0 || fail(ps, "%s takes no suffix", ir_ops[i->op].name);
	case IR_SUFFIX_KIND_TYPE:
		return parse_kind_type(ps, i, w);
	case IR_SUFFIX_COND:
		return parse_cond(ps, i, w);
	case IR_SUFFIX_VOP:
		return parse_vop(ps, i, w);
	default:
		if (!word_type(w, &t))
			return fail(ps, "type expected, not '%.*s'", SHOW(w));
		if (form == IR_SUFFIX_IMM_TYPE)
			i->imm = t;
		else
			i->type = (uint8_t)t;
		return true;
	}
}

static uint8_t fixed_type(const struct ir_insn *i)
{
	switch (ir_ops[i->op].result) {
	case IR_RESULT_I8:
		return IR_I8;
	case IR_RESULT_I64:
		return IR_I64;
	case IR_RESULT_FLAGS:
		return IR_FLAGS;
	default:
		return i->op == IR_PUT_FLAGS ? IR_FLAGS : IR_VOID;
	}
}

/* name[.suffix] */
static bool parse_op(struct parser *ps, struct ir_insn *i)
{
	struct word w = next_word(ps), name = w, suffix = {w.s, 0};
	const char *dot = memchr(w.s, '.', w.len);
	unsigned op = 0;

	if (dot) {
		name.len = (size_t)(dot - w.s);
		suffix = (struct word){dot + 1, w.len - name.len - 1};
	}
	while (op < IR_OP_COUNT && !word_is(name, ir_ops[op].name))
		op++;
	if (op == IR_OP_COUNT)
		return fail(ps, "unknown operation '%.*s'", SHOW(name));
	*i = (struct ir_insn){.op = (uint8_t)op, .arg = {IR_NONE, IR_NONE, IR_NONE}};
	i->type = fixed_type(i);
	return parse_suffix(ps, i, suffix);
}

static bool parse_const(struct parser *ps, struct ir_insn *i)
{
	uint64_t v;

	if (!parse_number(ps, bits_mask(ir_type_bits((enum ir_type)i->type)), &v))
		return false;
	i->imm = (int64_t)v;
	return true;
}

/* rax, rax+1, @40 */
static bool parse_state(struct parser *ps, struct ir_insn *i)
{
	struct word w = next_word(ps);
	const struct ir_state_reg *r = ps->b->isa ? ps->b->isa->regs : NULL;
	uint64_t v = 0;

	if (w.len && w.s[0] == '@') {
		if (!word_number((struct word){w.s + 1, w.len - 1}, &v))
			return fail(ps, "state offset expected, not '%.*s'", SHOW(w));
		i->imm = (int64_t)v;
		return true;
	}
	while (r && r->name && !word_is(w, r->name))
		r++;
	if (!r || !r->name)
		return fail(ps, "unknown register '%.*s'", SHOW(w));
	if (take(ps, '+') && !parse_number(ps, r->bytes, &v))
		return false;
	i->imm = (int64_t)(r->offset + v);
	return true;
}

static bool parse_helper(struct parser *ps, struct ir_insn *i)
{
	const struct ir_helper *const *family = ps->b->isa ? ps->b->isa->helper_families : NULL;
	struct word w = next_word(ps);

	for (; family && *family; family++)
		for (const struct ir_helper *h = *family; h->name; h++)
			if (word_is(w, h->name)) {
				i->imm = (int64_t)(uintptr_t)h;
				i->type = h->result;
				return true;
			}
	return fail(ps, "unknown helper '%.*s'", SHOW(w));
}

static bool parse_imm(struct parser *ps, struct ir_insn *i)
{
	switch (ir_text_imm((enum ir_op)i->op)) {
	case IR_IMM_CONST:
		return parse_const(ps, i);
	case IR_IMM_STATE:
		return parse_state(ps, i);
	case IR_IMM_DELTA:
		return parse_delta(ps, &i->imm);
	case IR_IMM_HELPER:
		return parse_helper(ps, i);
	default:
		return true;
	}
}

/* A named number after the arguments: mmu=0, flags=3, imm8=7. */
static bool parse_setting(struct parser *ps, struct ir_insn *i, struct word key)
{
	bool memory = ir_text_is_memory((enum ir_op)i->op);
	uint64_t v;

	if (!parse_number(ps, 255, &v))
		return false;
	if (memory && word_is(key, "mmu"))
		i->mmu = (uint8_t)v;
	else if (memory && word_is(key, "flags"))
		i->aux = (uint8_t)v;
	else if (i->op == IR_VOP && word_is(key, "imm8"))
		i->imm = (i->imm & 0xffff) | (int64_t)v << 16;
	else
		return fail(ps, "%s has no '%.*s'", ir_ops[i->op].name, SHOW(key));
	return true;
}

/* A setting ahead ("word ="): take it. */
static bool next_setting(struct parser *ps, struct word *key)
{
	const char *start = ps->p;

	*key = next_word(ps);
	if (key->len && take(ps, '='))
		return true;
	ps->p = start;
	return false;
}

/* The comma-separated list of arguments, then settings. */
static bool parse_list(struct parser *ps, struct ir_insn *i, bool comma_first)
{
	const struct ir_op_info *info = &ir_ops[i->op];
	bool vary = ir_text_args_vary((enum ir_op)i->op), settings = false;
	unsigned n = 0;
	struct word key;

	for (bool first = true; !at_end_of_line(ps); first = false) {
		if ((!first || comma_first) && !expect(ps, ','))
			return false;
		if (next_setting(ps, &key)) {
			settings = true;
			if (!parse_setting(ps, i, key))
				return false;
		} else if (settings || n == info->args) {
			break; /* a conditional exit's delta, guest's length, or too much */
		} else if (!parse_ref(ps, vary, &i->arg[n++])) {
			return false;
		}
	}
	if (n < info->args && !vary)
		return fail(ps, "%s needs %u argument%s", info->name, info->args,
			    info->args == 1 ? "" : "s");
	return true;
}

static bool parse_operands(struct parser *ps, struct ir_insn *i)
{
	bool imm_last = ir_text_imm_last((enum ir_op)i->op);
	bool imm_first = ir_text_imm((enum ir_op)i->op) != IR_IMM_NONE && !imm_last;
	uint64_t v;

	if (imm_first && !parse_imm(ps, i))
		return false;
	if (!parse_list(ps, i, imm_first && i->op != IR_CALL))
		return false;
	if (imm_last)
		return parse_delta(ps, &i->imm);
	if (i->op != IR_GUEST)
		return true;
	if (i->imm != (int32_t)i->imm)
		return fail(ps, "guest offset out of range");
	if (!parse_number(ps, 255, &v))
		return false;
	i->aux = (uint8_t)v;
	return true;
}

/* "v3 =" ahead: take it, and remember the name in *n. */
static bool parse_definition(struct parser *ps, bool *named, unsigned *n, bool *flags)
{
	struct word w;

	*named = next_setting(ps, &w);
	if (!*named)
		return true;
	if (!word_label(w, n, flags))
		return fail(ps, "value name expected, not '%.*s'", SHOW(w));
	if (ps->label[*n] != IR_NONE)
		return fail(ps, "%.*s is defined twice", SHOW(w));
	return true;
}

static bool append(struct parser *ps, const struct ir_insn *i)
{
	struct ir_block *b = ps->b;

	if (b->count >= b->cap || b->count >= IR_BLOCK_MAX)
		return fail(ps, "more than %u operations", b->count);
	if (i->op == IR_GUEST) {
		b->guest_count++;
		ir_block_grow(b, (int32_t)i->imm, i->aux);
	}
	b->insn[b->count++] = *i;
	return true;
}

static bool parse_line(struct parser *ps)
{
	struct ir_insn i;
	bool named, flags = false;
	unsigned n = 0;

	if (at_end_of_line(ps))
		return true;
	if (!parse_definition(ps, &named, &n, &flags) || !parse_op(ps, &i) ||
	    !parse_operands(ps, &i))
		return false;
	if (!at_end_of_line(ps))
		return fail(ps, "too much after %s", ir_ops[i.op].name);
	if (named != (ir_ops[i.op].result != IR_RESULT_NONE && i.type != IR_VOID))
		return fail(ps, "%s has %s", ir_ops[i.op].name,
			    named ? "no result to name" : "a result and needs a name for it");
	if (named && flags != (i.type == IR_FLAGS))
		return fail(ps, "f names flags, v anything else");
	if (!append(ps, &i))
		return false;
	if (named)
		ps->label[n] = (ir_ref)(ps->b->count - 1);
	return true;
}

int ir_parse(struct ir_block *b, const char *text, char *msg, size_t msg_len)
{
	struct parser ps = {.b = b, .p = text, .line = 1, .msg = msg, .msg_len = msg_len};

	memset(ps.label, 0xff, sizeof ps.label);
	ir_block_init(b, b->isa, b->insn, b->cap);
	for (;; ps.line++) {
		if (!parse_line(&ps))
			return -1;
		while (*ps.p && *ps.p != '\n')
			ps.p++;
		if (!*ps.p++)
			return 0;
	}
}
