/* From guest bytes to host code: lift, optimize, generate. */
#include "engine/translate/compile.h"

#include <string.h>

#include "ir/pass.h"
#include "isa/x86/lift.h"
#include "isa/x86/mode.h"

static bool crosses(const struct compile_job *job)
{
	return job->gpa2 != ~0ull;
}

static unsigned start_of(const struct compile_job *job)
{
	return job->gpa & PAGE_OFFSET_MASK;
}

/* Bytes from gpa on that may be decoded. */
static unsigned bytes_of(const struct compile_job *job)
{
	return (unsigned)PAGE_BYTES - start_of(job) + (crosses(job) ? X86_INSN_MAX : 0);
}

static bool lift_crossing(struct compiler *c, const struct compile_job *job)
{
	unsigned start = start_of(job);

	return x86_lift_block(c->cfg->decoder, job->bytes[0] + start, bytes_of(job), job->mode,
			      c->cpu->cpuid, 1, &c->ir) == X86_DECODE_OK &&
	       c->ir.guest_bytes > PAGE_BYTES - start && !c->ir.overflow;
}

/* Which instructions would cross the page's end, see gen_source. */
static uint32_t crossing(const struct compiler *c, const struct compile_job *job)
{
	struct x86_insn i;
	uint32_t bits = 0;

	for (unsigned k = 1; k < X86_INSN_MAX; k++)
		if (x86_decode(c->cfg->decoder, job->bytes[0] + PAGE_BYTES - k, k, job->mode,
			       c->cpu->cpuid, &i) == X86_DECODE_MORE)
			bits |= 1u << k;
	return bits;
}

/* Lift at most max instructions; page: of the trace. */
static bool lift(struct compiler *c, const struct compile_job *job, unsigned max,
		 struct x86_trace_page *page)
{
	struct x86_trace trace = {.page = page,
				  .page_count = job->page_count,
				  .start = start_of(job),
				  .path = job->path,
				  .path_len = job->path_len};

	ir_block_init(&c->ir, &x86_isa, c->insn, IR_BLOCK_MAX);
	if (!(c->cfg->dump & ENGINE_DUMP_IR)) /* that is: as lifted */
		ir_block_fold(&c->ir, &c->folder, c->cfg->disabled_passes);
	if (crosses(job))
		return lift_crossing(c, job);
	return x86_lift_trace(c->cfg->decoder, &trace, job->mode, c->cpu->cpuid, max, &c->ir) !=
		       X86_DECODE_MORE &&
	       !c->ir.overflow;
}

static void optimize(struct compiler *c, const struct compile_job *job,
		     const struct x86_trace_page *page)
{
	struct dump_code code = {.kind = job->path_len ? "trace" : "block",
				 .lin = job->rip,
				 .gpa = job->gpa,
				 .mode = job->mode,
				 .page = page,
				 .page_count = job->page_count,
				 .start = start_of(job),
				 .end = start_of(job) + bytes_of(job)};

	dump_begin(&c->dump, c->cpu, &code, &c->ir);
	dump_ir(&c->dump, ENGINE_DUMP_IR, &c->ir);
	ir_optimize(&c->ir, c->cfg->disabled_passes);
	dump_ir(&c->dump, ENGINE_DUMP_OPT, &c->ir);
}

/* What bytes it was made from. */
static void note_bytes(const struct compiler *c, const struct compile_job *job,
		       const struct x86_trace_page *page, struct code_made *m)
{
	uint32_t start = start_of(job);

	if (crosses(job)) {
		m->from[0] = (struct block_bytes){job->page[0].gpa, start, PAGE_BYTES};
		m->from[1] = (struct block_bytes){job->page[1].gpa, 0,
						  start + c->ir.guest_bytes - (uint32_t)PAGE_BYTES};
		m->from_count = 2;
		return;
	}
	for (unsigned k = 0; k < job->page_count; k++)
		if (page[k].hi)
			m->from[m->from_count++] =
				(struct block_bytes){job->page[k].gpa, page[k].lo, page[k].hi};
}

/* What gen_compile left in its own tables. */
static void take_over(const struct gen *g, struct compile_job *job, size_t bytes)
{
	struct code_made *m = &job->made;

	*m = (struct code_made){.gpa = job->gpa,
				.gpa2 = job->gpa2,
				.mode = job->mode,
				.insns = (uint16_t)g->b->guest_count,
				.loop = g->src->loop,
				.code = job->code,
				.bytes = bytes,
				.hot_bytes = g->hot_bytes,
				.relative = job->relative,
				.relative_count = g->a.relative_count,
				.link = job->link,
				.link_count = g->link_count,
				.fault = job->fault,
				.fault_count = g->fault_count};
	job->site_count = g->site_count;
	memcpy(job->relative, g->relative, m->relative_count * sizeof(*g->relative));
	memcpy(job->link, g->link, m->link_count * sizeof(*g->link));
	memcpy(job->fault, g->fault, m->fault_count * sizeof(*g->fault));
	memcpy(job->site, g->site, job->site_count * sizeof(*g->site));
}

/* Where the interpreter's blocks end elsewhere in each round, a loop is known for one only when it
 * is lifted. */
static bool comes_back(const struct ir_block *b)
{
	const struct ir_insn *last = &b->insn[b->count - 1];

	return last->op == IR_EXIT && last->imm == 0;
}

static bool generate(struct compiler *c, struct compile_job *job)
{
	size_t room = c->max_bytes < sizeof(job->code) ? c->max_bytes : sizeof(job->code);
	struct gen_source src = {
		.b = &c->ir,
		.mode = job->mode,
		.gpa = job->gpa,
		.page = job->page,
		.page_count = job->page_count,
		.tag = job->tag,
		.loop = job->loop || comes_back(&c->ir),
		.wanderers = job->wanderers,
		.apart = job->apart,
		.cc_kind = job->cc_kind,
		.crossing = crossing(c, job),
	};
	size_t bytes = gen_compile(&c->gen, &src, job->code, job->code + room);

	if (bytes)
		take_over(&c->gen, job, bytes);
	return bytes != 0;
}

void compile(struct compiler *c, struct compile_job *job)
{
	uint64_t began = host_time_ns();
	struct x86_trace_page page[GEN_PAGES_MAX];

	if (job->settles)
		host_code_settle(&job->settle.memory, job->settle.at);
	for (unsigned k = 0; k < job->page_count; k++)
		page[k] = (struct x86_trace_page){.at = job->page[k].at, .bytes = job->bytes[k]};
	job->failed = true;
	for (unsigned max = job->path_len ? c->max_trace : c->max_insns; job->failed && max;
	     max /= 2) {
		if (!lift(c, job, max, page))
			continue;
		optimize(c, job, page);
		job->failed = !generate(c, job);
	}
	if (!job->failed)
		note_bytes(c, job, page, &job->made);
	job->ns = host_time_ns() - began;
}
