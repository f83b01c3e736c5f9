/*
 * Golden host code: what the translator makes of a page of common instructions is kept in
 * golden-host-code.txt, so that a change of the generator shows in review what it does to code.
 * Features, pinned registers and mode are fixed. Nothing is printed that moves: places in
 * struct x86_cpu have names, and so have thunks, helpers and labels.
 *
 *     unit-golden FILE           compare
 *     unit-golden --write FILE   write it anew (make golden)
 */
#include "test.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
/* Capstone has an enum of the name of the decoder's struct. */
#define x86_insn cs_x86_insn
#include <capstone/capstone.h>
#undef x86_insn

#include "engine/translate/x64/gen.h"
#include "ir/folder.h"
#include "ir/pass.h"
#include "isa/x86/decode.h"
#include "isa/x86/lift.h"
#include "vm/bench.h"

#include "golden_cases.h"

enum { TEXT_BYTES = 1 << 20, CODE_BYTES = 1 << 16, LINES_MAX = 400, LINE_BYTES = 320 };

struct line {
	uint64_t at, target; /* target: in the block, or 0 */
	const char *thunk;   /* that it calls or jumps to, or NULL */
	bool ends;	     /* nothing falls through */
	char label[24];	     /* of this place, if something jumps here */
	char text[LINE_BYTES];
};

struct golden {
	struct bench bench;
	struct gen gen;
	struct ir_insn insn[IR_BLOCK_MAX];
	struct ir_folder folder;
	csh cs;
	uint8_t *code; /* thunks, then the block */
	struct line line[LINES_MAX], frame[LINES_MAX];
	unsigned lines, frame_lines;
	char *text;
	size_t len;
};

static void add(struct golden *g, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct golden *g, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	g->len += (size_t)vsnprintf(g->text + g->len, TEXT_BYTES - g->len, format, ap);
	va_end(ap);
	assert_true(g->len < TEXT_BYTES);
}

/* ---- names */
/* clang-format off */
#define PART(member)                                                                               \
	{"cpu." #member, offsetof(struct x86_cpu, member), sizeof(((struct x86_cpu *)0)->member), 0}
#define TLB(name, mmu, member)                                                                     \
	{                                                                                          \
		"tlb." name "." #member,                                                           \
			offsetof(struct x86_cpu, tlb) + mmu * sizeof(struct x86_tlb) +             \
				offsetof(struct x86_tlb_entry, member),                            \
			sizeof(((struct x86_tlb_entry *)0)->member), 0                             \
	}
#define SLOT(member, stride)                                                                       \
	{                                                                                          \
		"frame." #member,                                                                  \
			offsetof(struct x86_cpu, scratch) + offsetof(struct frame, member),        \
			sizeof(((struct frame *)0)->member), stride                                \
	}

static const struct part {
	const char *name;
	size_t offset, bytes, stride;
} parts[] = {
	PART(request),
	PART(request_ignored),
	PART(exit_code),
	PART(budget),
	PART(block_insns),
	PART(rip_offset),
	PART(jump_table),
	PART(itlb.tag),
	PART(itlb.gpa),
	PART(site),
	PART(rip),
	TLB("user", X86_MMU_USER, tag_read),
	TLB("user", X86_MMU_USER, tag_write),
	TLB("user", X86_MMU_USER, addend),
	TLB("kernel", X86_MMU_KERNEL, tag_read),
	TLB("kernel", X86_MMU_KERNEL, tag_write),
	TLB("kernel", X86_MMU_KERNEL, addend),
	SLOT(address, 0),
	SLOT(access, 0),
	SLOT(vec_live, 0),
	SLOT(kept, 0),
	SLOT(x87_live, 0),
	SLOT(group, 8),
	SLOT(arg, 8),
	SLOT(value, 0),
	SLOT(vec_arg, 32),
	SLOT(vec_result, 0),
	SLOT(slot, 8),
	SLOT(vec_slot, 32),
};

/* clang-format on */

static void name_offset(char *out, size_t size, size_t offset)
{
	const struct ir_state_reg *r = x86_isa.regs;

	for (; r->name; r++) {
		if (offset - r->offset >= r->bytes)
			continue;
		snprintf(out, size, offset == r->offset ? "cpu.%s" : "cpu.%s+%zu", r->name,
			 offset - r->offset);
		return;
	}
	for (unsigned n = 0; n < ARRAY_LEN(parts); n++) {
		const struct part *p = &parts[n];
		size_t in = offset - p->offset, k = p->stride ? in / p->stride : 0;

		if (in >= p->bytes)
			continue;
		in -= k * p->stride;
		if (p->stride)
			snprintf(out, size, in ? "%s[%zu]+%zu" : "%s[%zu]", p->name, k, in);
		else
			snprintf(out, size, in ? "%s+%zu" : "%s", p->name, in);
		return;
	}
	fail_msg("offset %zu of struct x86_cpu has no name here: add it to parts[]", offset);
}

static const char *thunk_name(const struct golden *g, uint64_t at)
{
	const struct thunks *t = &g->gen.thunks;
	const struct {
		const char *name;
		const uint8_t *at;
	} names[] = {
		{"load", t->load},
		{"store", t->store},
		{"atomic", t->atomic},
		{"helper", t->helper},
		{"helper_fault", t->helper_fault},
		{"vop", t->vop},
		{"cond", t->cond},
		{"vec_load", t->vec_load},
		{"x87_load", t->x87_load},
		{"x87_home", t->x87_home},
		{"x87_access", t->x87_access},
		{"link", t->link},
		{"poll", t->poll},
		{"budget", t->budget},
		{"state", t->state},
		{"indirect", t->indirect},
		{"indirect_miss", t->indirect_miss},
		{"second", t->second},
	};

	for (unsigned n = 0; n < ARRAY_LEN(names); n++)
		if ((uintptr_t)names[n].at == at)
			return names[n].name;
	return "fill";
}

static const char *function_name(uint64_t fn)
{
	if (fn == (uintptr_t)gen_eval_tuple)
		return "gen_eval_tuple";
	for (const struct ir_helper *const *f = x86_isa.helper_families; *f; f++)
		for (const struct ir_helper *h = *f; h->name; h++)
			if ((uintptr_t)h->fn == fn)
				return h->name;
	return NULL;
}

/* ---- lines of host code */
static void print_memory(const struct golden *g, const cs_insn *i, const x86_op_mem *m, char *out,
			 size_t size)
{
	char index[16] = "", name[64];

	name_offset(name, sizeof(name), (size_t)(m->disp + FRAME_BIAS));
	if (m->index != X86_REG_INVALID)
		snprintf(index, sizeof(index), " + %s*%d", cs_reg_name(g->cs, m->index), m->scale);
	snprintf(out, size, "%s%s", name, index);
}

/* The operands as Capstone has them, but what is in brackets behind RBP by its name. */
static void print_operands(const struct golden *g, const cs_insn *i, struct line *l)
{
	const cs_x86 *x = &i->detail->x86;
	const char *open = strchr(i->op_str, '['), *close = strchr(i->op_str, ']');
	char memory[96];

	for (unsigned n = 0; n < x->op_count; n++) {
		const cs_x86_op *op = &x->operands[n];
		const char *fn = op->type == X86_OP_IMM ? function_name((uint64_t)op->imm) : NULL;

		if (fn) {
			snprintf(l->text, LINE_BYTES, "%-8s %s, &%s", "mov",
				 cs_reg_name(g->cs, x->operands[0].reg), fn);
			return;
		}
		if (op->type != X86_OP_MEM ||
		    (op->mem.base != X86_REG_RBP && op->mem.base != X86_REG_RIP))
			continue;
		if (op->mem.base == X86_REG_RIP)
			snprintf(memory, sizeof(memory), "start");
		else
			print_memory(g, i, &op->mem, memory, sizeof(memory));
		snprintf(l->text, LINE_BYTES, "%-8s %.*s[%s%s", i->mnemonic,
			 (int)(open - i->op_str), i->op_str, memory, close);
		return;
	}
	snprintf(l->text, LINE_BYTES, "%-8s %s", i->mnemonic, i->op_str);
}

static bool branches(const struct golden *g, const cs_insn *i)
{
	return cs_insn_group(g->cs, i, CS_GRP_JUMP) || cs_insn_group(g->cs, i, CS_GRP_CALL);
}

static void add_line(struct golden *g, const cs_insn *i, const uint8_t *start, size_t bytes)
{
	const cs_x86_op *op = i->detail->x86.operands;
	struct line *l = &g->line[g->lines++];

	assert_true(g->lines < LINES_MAX);
	*l = (struct line){.at = i->address};
	l->ends = i->id == X86_INS_JMP;
	if (!branches(g, i) || op->type != X86_OP_IMM) {
		print_operands(g, i, l);
		return;
	}
	if ((uint64_t)op->imm - (uintptr_t)start < bytes)
		l->target = (uint64_t)op->imm;
	else
		l->thunk = thunk_name(g, (uint64_t)op->imm);
	snprintf(l->text, LINE_BYTES, "%-8s ", i->mnemonic);
	l->ends |= l->thunk && strcmp(l->thunk, "link") == 0; /* called, never comes back */
}

/* Code out of the way is called by the thunk it leads to. */
static const char *purpose(const struct golden *g, unsigned n)
{
	if (!n || !g->line[n - 1].ends)
		return "L";
	for (; n < g->lines; n++) {
		if (g->line[n].thunk)
			return g->line[n].thunk;
		if (g->line[n].ends)
			break;
	}
	return "L";
}

static struct line *line_at(struct golden *g, uint64_t at)
{
	for (unsigned n = 0; n < g->lines; n++)
		if (g->line[n].at == at)
			return &g->line[n];
	fail_msg("a jump into an instruction");
	return NULL;
}

static bool label_taken(const struct golden *g, const char *name)
{
	for (unsigned n = 0; n < g->lines; n++)
		if (strcmp(g->line[n].label, name) == 0)
			return true;
	return false;
}

static void name_labels(struct golden *g)
{
	for (unsigned n = 0; n < g->lines; n++)
		if (g->line[n].target)
			strcpy(line_at(g, g->line[n].target)->label, "?");
	for (unsigned n = 0; n < g->lines; n++) {
		char name[24];
		const char *what = purpose(g, n);

		if (!g->line[n].label[0])
			continue;
		snprintf(name, sizeof(name), strcmp(what, "L") ? "%s" : "%s1", what);
		for (unsigned k = 2; label_taken(g, name); k++)
			snprintf(name, sizeof(name), "%s%u", what, k);
		strcpy(g->line[n].label, name);
	}
	for (unsigned n = 0; n < g->lines; n++) {
		struct line *l = &g->line[n];
		size_t at = strlen(l->text);

		if (l->target)
			snprintf(l->text + at, LINE_BYTES - at, "%s", line_at(g, l->target)->label);
		else if (l->thunk)
			snprintf(l->text + at, LINE_BYTES - at, "thunks.%s", l->thunk);
	}
}

static void disassemble(struct golden *g, const uint8_t *start, size_t bytes)
{
	const uint8_t *code = start;
	size_t left = bytes;
	uint64_t at = (uintptr_t)start;
	cs_insn *i = cs_malloc(g->cs);

	g->lines = 0;
	while (cs_disasm_iter(g->cs, &code, &left, &at, i))
		add_line(g, i, start, bytes);
	assert_int_equal(left, 0);
	cs_free(i, 1);
	name_labels(g);
}

/* How many lines begin as the frame does. */
static unsigned same_entry(const struct golden *g)
{
	unsigned n = 0;

	while (n < g->frame_lines && n < g->lines && !g->line[n].ends &&
	       strcmp(g->line[n].text, g->frame[n].text) == 0)
		n++;
	return n;
}

static bool in_frame(const char *label)
{
	return strcmp(label, "poll") == 0 || strcmp(label, "budget") == 0 ||
	       strncmp(label, "link", 4) == 0;
}

static void print_lines(struct golden *g)
{
	bool hide = false;

	for (unsigned n = same_entry(g); n < g->lines; n++) {
		const struct line *l = &g->line[n];

		if (l->label[0]) {
			hide = g->frame_lines && in_frame(l->label);
			if (!hide)
				add(g, "    %s:\n", l->label);
		}
		if (!hide)
			add(g, "        %s\n", l->text);
	}
	add(g, "\n");
	if (g->frame_lines)
		return;
	memcpy(g->frame, g->line, sizeof(g->frame));
	g->frame_lines = g->lines;
}

/* ---- a case */
static void print_guest(struct golden *g, const struct golden_case *c)
{
	struct x86_insn i;
	char text[128];

	for (unsigned at = 0; at < c->len; at += i.len) {
		uint64_t rip = BENCH_CODE + GOLDEN_START + at;

		assert_int_equal(x86_decode(g->bench.decoder, (const uint8_t *)c->code + at,
					    c->len - at, g->bench.cpu->mode, &g->bench.model, &i),
				 X86_DECODE_OK);
		x86_insn_print(&i, rip, text, sizeof(text));
		add(g, "  %llx: %s\n", (unsigned long long)rip, text);
	}
}

static void lift(struct golden *g, const struct golden_case *c, struct ir_block *b)
{
	const uint8_t *page = g->bench.ram + BENCH_CODE;
	struct x86_trace_page one = {.bytes = page};
	struct x86_trace t = {
		.page = &one, .page_count = 1, .start = GOLDEN_START, .path = c->path};
	unsigned insns = 0;
	struct x86_insn i;

	while (t.path_len < ARRAY_LEN(c->path) && c->path[t.path_len])
		t.path_len++;
	memset(g->bench.ram + BENCH_CODE, 0x90, PAGE_BYTES);
	memcpy(g->bench.ram + BENCH_CODE + GOLDEN_START, c->code, c->len);
	for (unsigned at = 0; at < c->len; at += i.len, insns++)
		x86_decode(g->bench.decoder, page + GOLDEN_START + at, 15, g->bench.cpu->mode,
			   &g->bench.model, &i);
	ir_block_init(b, &x86_isa, g->insn, IR_BLOCK_MAX);
	ir_block_fold(b, &g->folder, 0);
	assert_int_equal(
		x86_lift_trace(g->bench.decoder, &t, g->bench.cpu->mode, &g->bench.model, insns, b),
		X86_DECODE_OK);
	ir_optimize(b, 0);
}

static void print_ir(struct golden *g, const struct ir_block *b)
{
	static char text[1 << 16];
	char *line = text, *end;

	ir_print(b, text, sizeof(text));
	for (; (end = strchr(line, '\n')); line = end + 1)
		add(g, "        %.*s\n", (int)(end - line), line);
}

static void print_case(struct golden *g, const struct golden_case *c)
{
	static const uint64_t no_marks[GEN_MARKS / 64];
	uint8_t *start = g->code + CODE_BYTES / 2;
	struct ir_block b;
	struct gen_page page = {0, BENCH_CODE};
	struct gen_source src = {.b = &b,
				 .mode = g->bench.cpu->mode,
				 .gpa = BENCH_CODE + GOLDEN_START,
				 .page = &page,
				 .page_count = 1,
				 .tag = 1,
				 .cc_kind = IR_FLAGS_KEY(IR_FLAGS_SUB, 3),
				 .wanderers = no_marks,
				 .apart = no_marks};
	size_t bytes;

	if (!c->title) {
		add(g, "\n==== %s\n\n", c->code);
		return;
	}
	add(g, "---- %s\n", c->title);
	print_guest(g, c);
	lift(g, c, &b);
	print_ir(g, &b);
	add(g, "  host\n");
	bytes = gen_compile(&g->gen, &src, start, g->code + CODE_BYTES);
	assert_true(bytes);
	disassemble(g, start, bytes);
	print_lines(g);
}

/* ---- all of them */
static void no_call(struct x86_cpu *cpu)
{
}

static struct golden *golden_create(void)
{
	static const struct frame_calls calls = {
		.load = no_call, .store = no_call, .atomic = no_call, .x87_access = no_call};
	struct golden *g = calloc(1, sizeof(*g));
	struct x64_asm a;
	struct error err;

	g->text = malloc(TEXT_BYTES);
	g->code = malloc(CODE_BYTES);
	assert_int_equal(bench_create(&g->bench, 64, &err), 0);
	g->bench.cpu->cr4 |= X86_CR4_OSXSAVE;
	g->bench.cpu->xcr0 = 7;
	g->bench.cpu->fcw = 0x37f;
	x86_mode_update(g->bench.cpu);
	assert_int_equal(cs_open(CS_ARCH_X86, CS_MODE_64, &g->cs), CS_ERR_OK);
	cs_option(g->cs, CS_OPT_DETAIL, CS_OPT_ON);
	pins_choose(&g->gen.pins, 0);
	g->gen.cpu.features = HOST_CPU_V3;
	g->gen.vec_bytes = 32;
	a = (struct x64_asm){.at = g->code, .end = g->code + CODE_BYTES / 2};
	thunks_emit(&a, &g->gen.thunks, &g->gen.pins, g->gen.vec_bytes, &calls);
	assert_false(a.overflow);
	return g;
}

static void golden_destroy(struct golden *g)
{
	bench_destroy(&g->bench);
	cs_close(&g->cs);
	free(g->code);
	free(g->text);
	free(g);
}

static void golden_print(struct golden *g)
{
	add(g, "Host code for common instructions, made by `make golden` (tests/unit/golden.c).\n"
	       "Below each guest instruction: its IR after the passes, and the host code for an\n"
	       "x86-64-v3. RBP points to the guest's CPU; places in it have their names.\n"
	       "RAX RCX RDX RBX RSP RBP RSI RDI R8 R12 of the guest are pinned to\n"
	       "RBX R12 R13 R14 R15 RSI RDI R9 R10 R11, xmm0 to xmm12 to xmm3 to xmm15.\n");
	for (unsigned n = 0; n < ARRAY_LEN(golden_cases); n++)
		print_case(g, &golden_cases[n]);
}

static const char *golden_file;

static void is_as_kept(void **state)
{
	struct golden *g = golden_create();
	char command[4096], name[] = "/tmp/golden-XXXXXX";
	int fd = mkstemp(name), differ;
	FILE *f = fdopen(fd, "w");

	(void)state;
	golden_print(g);
	assert_int_equal(fwrite(g->text, 1, g->len, f), g->len);
	assert_int_equal(fclose(f), 0);
	golden_destroy(g);
	snprintf(command, sizeof(command), "diff -u '%s' %s >&2", golden_file, name);
	differ = system(command);
	unlink(name);
	if (differ)
		fail_msg(
			"host code has changed. If it is meant to, run `make golden`, look at what "
			"`git diff` shows, and commit it with the change.");
}

static int write_file(const char *name)
{
	struct golden *g = golden_create();
	bool done;
	FILE *f;

	golden_print(g);
	f = fopen(name, "w");
	done = f && fwrite(g->text, 1, g->len, f) == g->len;
	done &= f && fclose(f) == 0;
	golden_destroy(g);
	if (!done)
		perror(name);
	return done ? 0 : 1;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(is_as_kept)};

	if (argc == 3 && strcmp(argv[1], "--write") == 0)
		return write_file(argv[2]);
	if (argc != 2) {
		fprintf(stderr, "usage: unit-golden [--write] FILE\n");
		return 2;
	}
	golden_file = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
