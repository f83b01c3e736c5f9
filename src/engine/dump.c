/* Printing blocks for --dump; see dump.h. Whoever lifts calls, in the order of the stages. */
#include "engine/dump.h"

#include <stdio.h>
#include <string.h>

#include "isa/x86/decode.h"
#include "isa/x86/mode.h"

static void print_lines(struct dump *d)
{
	char *line = d->text, *end;

	while ((end = strchr(line, '\n'))) {
		*end = 0;
		d->cfg->dump_line(d->cfg->dump_opaque, line);
		line = end + 1;
	}
}

static uint64_t rip_of(const struct x86_cpu *cpu, const struct dump_code *code)
{
	if (code->mode & X86_MODE_CODE64)
		return code->lin;
	return (uint32_t)(code->lin - cpu->seg[X86_CS].base);
}

/* The instruction of a guest mark. */
static bool decode(const struct dump *d, const struct x86_cpu *cpu, const struct dump_code *code,
		   const struct ir_insn *mark, struct x86_insn *out)
{
	int64_t at = (int64_t)code->start + (int32_t)mark->imm;

	for (unsigned k = 0; k < code->page_count; k++) {
		uint64_t offset = (uint64_t)(at - code->page[k].at);

		if (offset < code->end)
			return x86_decode(d->cfg->decoder, code->page[k].bytes + offset,
					  code->end - (unsigned)offset, code->mode, cpu->cpuid,
					  out) == X86_DECODE_OK;
	}
	return false;
}

static void print_guest(struct dump *d, const struct x86_cpu *cpu, const struct dump_code *code,
			const struct ir_block *ir)
{
	for (unsigned n = 0; n < ir->count; n++) {
		uint64_t offset = (uint64_t)(int64_t)(int32_t)ir->insn[n].imm;
		struct x86_insn i;
		char text[128];

		if (ir->insn[n].op != IR_GUEST || !decode(d, cpu, code, &ir->insn[n], &i))
			continue;
		x86_insn_print(&i, rip_of(cpu, code) + offset, text, sizeof(text));
		snprintf(d->text, sizeof(d->text), "  %012llx: %s\n",
			 (unsigned long long)(code->lin + offset), text);
		print_lines(d);
	}
}

static bool has_address(const struct ir_block *ir, uint64_t delta)
{
	for (unsigned n = 0; n < ir->count; n++)
		if (ir->insn[n].op == IR_GUEST &&
		    delta - (uint64_t)(int64_t)(int32_t)ir->insn[n].imm < ir->insn[n].aux)
			return true;
	return false;
}

void dump_begin(struct dump *d, struct x86_cpu *cpu, const struct dump_code *code,
		const struct ir_block *ir)
{
	const struct engine_config *c = d->cfg;

	TRACE(cpu->trace, TRACE_BLOCK, "cpu %u: %s %#llx gpa %#llx mode %x: %u instructions",
	      cpu->index, code->kind, (unsigned long long)code->lin, (unsigned long long)code->gpa,
	      code->mode, ir->guest_count);
	d->wanted = c->dump && c->dump_line &&
		    (!c->has_dump_addr || has_address(ir, c->dump_addr - code->lin));
	if (!d->wanted)
		return;
	snprintf(d->text, sizeof(d->text), "%s %012llx gpa %09llx mode %x: %u instructions\n",
		 code->kind, (unsigned long long)code->lin, (unsigned long long)code->gpa,
		 code->mode, ir->guest_count);
	print_lines(d);
	if (c->dump & ENGINE_DUMP_GUEST)
		print_guest(d, cpu, code, ir);
}

void dump_ir(struct dump *d, unsigned stage, const struct ir_block *ir)
{
	int n;

	if (!d->wanted || !(d->cfg->dump & stage))
		return;
	n = snprintf(d->text, sizeof(d->text), "; %s\n",
		     stage == ENGINE_DUMP_IR ? "as lifted" : "as optimized");
	ir_print(ir, d->text + n, sizeof(d->text) - (size_t)n);
	print_lines(d);
}

void dump_host(struct dump *d, const uint8_t *code, size_t bytes, uint64_t addr)
{
	const struct engine_config *c = d->cfg;

	if (!d->wanted || !(c->dump & ENGINE_DUMP_HOST) || !c->dump_host)
		return;
	snprintf(d->text, sizeof(d->text), "; host code, %zu bytes at %#llx\n", bytes,
		 (unsigned long long)addr);
	print_lines(d);
	c->dump_host(c->dump_opaque, code, bytes, addr, c->dump_line);
}
