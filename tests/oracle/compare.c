/* Two outcomes of one case: equal but for what is undefined, and shown side by side if not. */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "oracle.h"

static const char *const gpr_names[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
					  "r8",	 "r9",	"r10", "r11", "r12", "r13", "r14", "r15"};

struct diff {
	void (*say)(void *opaque, const char *name, uint64_t start, uint64_t native,
		    uint64_t engine, bool differ);
	void *opaque;
	bool all; /* those that only changed, too */
	bool found;
};

/* What is undefined where the block stopped: after the last instruction before rip. */
static uint32_t undefined_flags(const struct oracle_case *c, uint64_t rip)
{
	uint32_t all = 0, last = 0;

	for (unsigned i = 0; i < c->insns; i++) {
		uint64_t at = case_pc(c) + c->insn[i].at;

		if (rip == at)
			return last;
		last = c->insn[i].undefined;
		all |= last;
	}
	return rip == case_pc(c) + c->len ? last : all;
}

static void field(struct diff *d, const char *name, uint64_t start, uint64_t native,
		  uint64_t engine)
{
	bool differ = native != engine;

	d->found |= differ;
	if (d->say && (differ || (d->all && start != native)))
		d->say(d->opaque, name, start, native, engine, differ);
}

static void compare_integer(struct diff *d, const struct oracle_case *c,
			    const struct oracle_state *n, const struct oracle_state *e)
{
	uint64_t mask = c->code64 ? ~0ull : 0xffffffff;
	uint64_t flags = FLAGS_COMPARED & ~(uint64_t)undefined_flags(c, n->rip);
	uint64_t kernel = n->cr2 >= 0x7ffffffff000 ? 1 : 0; /* Linux hides what is mapped there */
	const struct oracle_state *s = &c->start;

	for (int i = 0; i < 16; i++)
		field(d, gpr_names[i], s->gpr[i] & mask, n->gpr[i] & mask, e->gpr[i] & mask);
	field(d, "rip", case_pc(c), n->rip, e->rip);
	field(d, "rflags", s->rflags & flags, n->rflags & flags, e->rflags & flags);
	field(d, "vector", 0, (uint64_t)n->vector, (uint64_t)e->vector);
	if (n->vector != e->vector)
		return;
	if (n->vector == X86_FAULT_PF)
		field(d, "cr2", 0, n->cr2, e->cr2);
	field(d, "error", 0, n->error | kernel, e->error | kernel);
}

static void compare_fpu(struct diff *d, const struct oracle_state *s, const struct oracle_state *n,
			const struct oracle_state *e)
{
	char name[16];

	field(d, "mxcsr", s->mxcsr, n->mxcsr, e->mxcsr);
	field(d, "fcw", s->fcw, n->fcw, e->fcw);
	field(d, "fsw", s->fsw, n->fsw, e->fsw);
	field(d, "ftag", s->ftag, n->ftag, e->ftag);
	for (int i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "st%d.mant", i);
		field(d, name, s->st[i].mant, n->st[i].mant, e->st[i].mant);
		snprintf(name, sizeof(name), "st%d.sexp", i);
		field(d, name, s->st[i].sexp, n->st[i].sexp, e->st[i].sexp);
	}
	for (int i = 0; i < 16; i++) {
		for (int q = 0; q < 4; q++) {
			snprintf(name, sizeof(name), "ymm%d.%d", i, q);
			field(d, name, s->vec[i][q], n->vec[i][q], e->vec[i][q]);
		}
	}
}

static void compare_all(struct diff *d, const struct oracle_case *c, const struct outcome *n,
			const struct outcome *e)
{
	compare_integer(d, c, &n->end, &e->end);
	compare_fpu(d, &c->start, &n->end, &e->end);
}

bool outcome_equal(const struct oracle_case *c, const struct outcome *n, const struct outcome *e)
{
	struct diff d = {0};

	compare_all(&d, c, n, e);
	return !d.found && memcmp(n->data, e->data, DATA_BYTES) == 0;
}

struct words {
	char *buf;
	size_t len, at;
};

static void add_word(void *opaque, const char *name, uint64_t start, uint64_t native,
		     uint64_t engine, bool differ)
{
	struct words *w = opaque;
	int n = snprintf(w->buf + w->at, w->len - w->at, " %s", name);

	if (n > 0 && (size_t)n < w->len - w->at)
		w->at += (size_t)n;
}

void outcome_summary(const struct oracle_case *c, const struct outcome *n, const struct outcome *e,
		     char *buf, size_t len)
{
	struct words w = {buf, len, 0};
	struct diff d = {.say = add_word, .opaque = &w};

	buf[0] = 0;
	compare_all(&d, c, n, e);
	if (memcmp(n->data, e->data, DATA_BYTES) != 0)
		add_word(&w, "memory", 0, 0, 0, true);
}

static void print_field(void *opaque, const char *name, uint64_t start, uint64_t native,
			uint64_t engine, bool differ)
{
	fprintf(opaque, "  %c %-9s %016" PRIx64 " -> native %016" PRIx64 " engine %016" PRIx64 "\n",
		differ ? '*' : ' ', name, start, native, engine);
}

static void print_memory(const uint8_t *data, const struct outcome *n, const struct outcome *e,
			 FILE *f)
{
	unsigned lines = 0;

	for (unsigned at = 0; at < DATA_BYTES && lines < 24; at += 8) {
		uint64_t s, a, b;
		char name[16];

		memcpy(&s, data + at, 8);
		memcpy(&a, n->data + at, 8);
		memcpy(&b, e->data + at, 8);
		if (a == b && s == a)
			continue;
		snprintf(name, sizeof(name), "%x", DATA_BASE + at);
		print_field(f, name, s, a, b, a != b);
		lines++;
	}
}

void outcome_print(const struct oracle_case *c, const uint8_t data[DATA_BYTES],
		   const struct outcome *n, const struct outcome *e, FILE *f)
{
	struct diff d = {.say = print_field, .opaque = f, .all = true};

	compare_all(&d, c, n, e);
	print_memory(data, n, e, f);
}

void case_print(const struct oracle_case *c, const struct x86_decoder *d, FILE *f)
{
	const struct oracle_state *s = &c->start;

	for (unsigned at = 0; at < c->len;) {
		struct x86_insn i;
		char text[128] = "?";
		unsigned len = 1;

		if (x86_decode(d, c->bytes + at, c->len - at, case_mode(c), NULL, &i) ==
		    X86_DECODE_OK) {
			len = i.len;
			x86_insn_print(&i, case_pc(c) + at, text, sizeof(text));
		}
		fprintf(f, "  %08x ", c->code_at + at);
		for (unsigned n = 0; n < len; n++)
			fprintf(f, " %02x", c->bytes[at + n]);
		fprintf(f, "%*s %s\n", 3 * (int)(len < 12 ? 12 - len : 0), "", text);
		at += len;
	}
	for (int i = 0; i < (c->code64 ? 16 : 8); i++)
		fprintf(f, "  %-5s %016" PRIx64 "%s", gpr_names[i], s->gpr[i],
			i % 4 == 3 ? "\n" : "");
	fprintf(f, "  rflags %" PRIx64 " mxcsr %x fcw %x fsw %x ftag %x\n", s->rflags, s->mxcsr,
		s->fcw, s->fsw, s->ftag);
}
