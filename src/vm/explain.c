/*
 * One instruction through every stage, as text: decoded, lifted, optimized, and carried out by an
 * engine, whose host code is shown if it makes some, on a machine of one CPU and 2 MiB of RAM: ring
 * 0, flat segments, memory mapped onto itself, no devices. The instruction is at 0x1000, the stack
 * ends at 0x8000.
 */
#include "vm/vm.h"

#include <errno.h>
#include <string.h>

#include "ir/pass.h"
#include "isa/x86/decode.h"
#include "isa/x86/lift.h"
#include "isa/x86/mode.h"
#include "vm/bench.h"
#include "vm/text.h"

enum { FAULT_TEXT_BYTES = 256, FLAGS_SHOWN = X86_ARITH_FLAGS | X86_TF | X86_IF | X86_DF };

static const struct {
	unsigned flag;
	const char *name;
} flag_names[] = {
	{X86_CF, "CF"}, {X86_PF, "PF"}, {X86_AF, "AF"}, {X86_ZF, "ZF"}, {X86_SF, "SF"},
	{X86_TF, "TF"}, {X86_IF, "IF"}, {X86_DF, "DF"}, {X86_OF, "OF"},
};

static void add_flags(struct text *t, const char *what, uint64_t flags)
{
	if (!flags)
		return;
	text_add(t, "  %s", what);
	for (unsigned i = 0; i < ARRAY_LEN(flag_names); i++)
		if (flags & flag_names[i].flag)
			text_add(t, " %s", flag_names[i].name);
	text_add(t, "\n");
}

static void add_decoded(struct text *t, const struct x86_insn *i, const uint8_t *bytes)
{
	size_t room;
	char *at;

	text_add(t, "decoded\n  ");
	for (unsigned k = 0; k < i->len; k++)
		text_add(t, "%02x ", bytes[k]);
	at = text_room(t, &room);
	text_grew(t, x86_insn_print(i, BENCH_CODE, at, room));
	text_add(t, "\n  row \"%s\"  operands \"%s\"\n", i->row->enc, i->row->ops);
	if (i->row->feature != X86_FEAT_BASE)
		text_add(t, "  needs %s\n", x86_feat_rows[i->row->feature].name);
	add_flags(t, "flags read:     ", i->row->flags_read);
	add_flags(t, "flags written:  ", i->row->flags_written);
	add_flags(t, "flags undefined:", i->row->flags_undefined);
}

static void add_ir(struct text *t, const char *title, const struct ir_block *b)
{
	size_t room;
	char *at;

	text_add(t, "\n%s\n", title);
	at = text_room(t, &room);
	text_grew(t, ir_print(b, at, room));
}

static int add_lifted(struct text *t, struct bench *b, unsigned len, struct error *err)
{
	struct ir_insn *storage = host_alloc(IR_BLOCK_MAX * sizeof(*storage));
	struct ir_block block;
	enum x86_decode_result r;

	if (!storage)
		return error_set(err, -ENOMEM, "out of memory");
	ir_block_init(&block, &x86_isa, storage, IR_BLOCK_MAX);
	r = x86_lift_block(b->decoder, b->ram + BENCH_CODE, len, b->cpu->mode, &b->model, 1,
			   &block);
	if (r == X86_DECODE_OK) {
		add_ir(t, "lifted", &block);
		ir_optimize(&block, 0);
		add_ir(t, "optimized", &block);
	}
	host_free(storage);
	return r == X86_DECODE_OK ? 0 : error_set(err, -EINVAL, "the instruction cannot be lifted");
}

static void add_vectors(struct text *t, const struct x86_cpu *before, const struct x86_cpu *after)
{
	for (unsigned i = 0; i < ARRAY_LEN(after->vec); i++)
		if (memcmp(&before->vec[i], &after->vec[i], sizeof(after->vec[i])) != 0)
			text_add(t, "  xmm%-9u %016llx%016llx -> %016llx%016llx\n", i,
				 (unsigned long long)before->vec[i].u64[1],
				 (unsigned long long)before->vec[i].u64[0],
				 (unsigned long long)after->vec[i].u64[1],
				 (unsigned long long)after->vec[i].u64[0]);
	for (unsigned i = 0; i < ARRAY_LEN(after->fpr); i++)
		if (memcmp(&before->fpr[i], &after->fpr[i], sizeof(after->fpr[i])) != 0)
			text_add(t, "  fpr%-9u %04x:%016llx -> %04x:%016llx\n", i,
				 before->fpr[i].sexp, (unsigned long long)before->fpr[i].mant,
				 after->fpr[i].sexp, (unsigned long long)after->fpr[i].mant);
}

static void add_changes(struct text *t, const struct x86_cpu *before, const struct x86_cpu *after)
{
	const char *name;

	for (unsigned i = 0; (name = vm_register_name(i)); i++) {
		uint64_t a, b;

		vm_register_get(before, name, &a);
		vm_register_get(after, name, &b);
		if (a != b && strcmp(name, "insns") != 0)
			text_add(t, "  %-12s %llx -> %llx\n", name, (unsigned long long)a,
				 (unsigned long long)b);
	}
	add_flags(t, "flags now set:", x86_rflags_read(after) & FLAGS_SHOWN);
	add_vectors(t, before, after);
}

/* Bytes that differ, but for the page tables' accessed and dirty bits; a few runs are enough. */
static void add_memory(struct text *t, const uint8_t *before, const uint8_t *after)
{
	unsigned runs = 0;

	for (size_t i = 0; i < BENCH_RAM && runs < 8; i++) {
		if (before[i] == after[i] || (i >= BENCH_TABLES && i < BENCH_TABLES_END))
			continue;
		text_add(t, "  [%zx]%*s", i, i < 0x1000 ? 8 : 6, "");
		for (unsigned n = 0; n < 32 && i < BENCH_RAM && before[i] != after[i]; n++)
			text_add(t, " %02x", after[i++]);
		text_add(t, "\n");
		runs++;
	}
}

static const char *exit_text(enum engine_exit e)
{
	switch (e) {
	case ENGINE_EXIT_HALT:
		return "  the CPU halts\n";
	case ENGINE_EXIT_SHUTDOWN:
		return "  nothing handles the exception here, so a triple fault follows\n";
	default:
		return "";
	}
}

/* The first exception, as the trace prints it. */
static void catch_fault(void *opaque, const char *line)
{
	char *first = opaque;

	if (!first[0])
		strncpy(first, line, FAULT_TEXT_BYTES - 1);
}

/* The lines of the engine's own dump, without the block's head. */
static void add_host_line(void *opaque, const char *line)
{
	struct text *t = opaque;

	if (strncmp(line, "; host code", 11) == 0)
		text_add(t, "\nhost code\n");
	else if (line[0] == ' ')
		text_add(t, "%s\n", line);
}

static int add_run(struct text *t, struct bench *b, const struct engine *engine, struct error *err)
{
	const struct engine_config how = {
		.max_block_insns = 1,
		.hot_threshold = 1,
		.dump = ENGINE_DUMP_HOST,
		.has_dump_addr = true,
		.dump_addr = BENCH_CODE,
		.dump_line = add_host_line,
		.dump_host = vm_dump_host,
		.dump_opaque = t,
	};
	char fault[FAULT_TEXT_BYTES] = "";
	struct trace trace = {BIT(TRACE_FAULT), catch_fault, fault};
	struct x86_cpu *before = host_ram_map(sizeof(*before));
	uint8_t *ram = host_ram_map(BENCH_RAM);
	enum engine_exit exit = ENGINE_EXIT_BUDGET;
	int r = 0;

	if (!before || !ram) {
		r = error_set(err, -ENOMEM, "out of memory");
	} else {
		memcpy(before, b->cpu, sizeof(*before));
		memcpy(ram, b->ram, BENCH_RAM);
		b->cpu->trace = &trace;
		r = bench_run(b, engine, &how, 1, &exit, err);
		b->cpu->trace = NULL;
	}
	if (r == 0) {
		text_add(t, "\nrun by %s\n", engine->name);
		if (fault[0])
			text_add(t, "  raises: %s\n", fault);
		text_add(t, "%s", exit_text(exit));
		/* What delivery of an unhandled fault left behind explains nothing. */
		if (exit != ENGINE_EXIT_SHUTDOWN) {
			add_changes(t, before, b->cpu);
			add_memory(t, ram, b->ram);
		}
	}
	host_ram_unmap(ram, BENCH_RAM);
	host_ram_unmap(before, sizeof(*before));
	return r;
}

static int explain(struct text *t, struct bench *b, const uint8_t *bytes, size_t len,
		   const struct engine *engine, struct error *err)
{
	struct x86_insn insn;
	int r;

	switch (x86_decode(b->decoder, bytes, (unsigned)len, b->cpu->mode, &b->model, &insn)) {
	case X86_DECODE_MORE:
		return error_set(err, -EINVAL, "the instruction needs more than these %zu bytes",
				 len);
	case X86_DECODE_UD:
		text_add(t, "decoded\n  no instruction of this CPU in this mode: #UD\n");
		break;
	case X86_DECODE_TOO_LONG:
		text_add(t, "decoded\n  longer than 15 bytes: #GP\n");
		break;
	case X86_DECODE_OK:
		add_decoded(t, &insn, bytes);
		break;
	}
	r = add_lifted(t, b, (unsigned)len, err);
	return r ? r : add_run(t, b, engine, err);
}

int doppel_explain(const uint8_t *bytes, size_t len, unsigned mode, const char *engine,
		   const char *registers, char *buf, size_t buf_len, struct doppel_error *err)
{
	struct text t = {buf, buf_len, 0};
	struct error *e = (struct error *)err;
	const struct engine *how, *pair[2];
	struct bench b;
	int r;

	if (mode != 16 && mode != 32 && mode != 64)
		return error_set(e, -EINVAL, "mode %u: must be 16, 32 or 64", mode);
	if (len == 0 || len > BENCH_CODE_MAX)
		return error_set(e, -EINVAL, "%zu bytes: must be 1 to %d", len, BENCH_CODE_MAX);
	r = vm_engine_choose(engine ? engine : "auto", &how, pair, e);
	if (r)
		return r;
	if (pair[0])
		return error_set(e, -EINVAL, "engine: an instruction is explained under one engine");
	r = bench_create(&b, mode, e);
	if (r == 0) {
		memcpy(b.ram + BENCH_CODE, bytes, len);
		r = vm_register_list(b.cpu, registers ? registers : "", e);
	}
	if (r == 0)
		r = explain(&t, &b, bytes, len, how, e);
	bench_destroy(&b);
	return r ? r : (int)t.len;
}
