/* From guest bytes to host code: lift, optimize, generate, keep. */
#include <stdio.h>
#include <string.h>

#include "engine/translate/translate_private.h"
#include "ir/pass.h"
#include "isa/x86/lift.h"
#include "isa/x86/mode.h"

static void announce(struct translate *t, const struct tblock *b, uint64_t rip, const char *kind)
{
	char name[64];

	if (!t->cfg.code_added)
		return;
	snprintf(name, sizeof(name), "guest_%llx_%s", (unsigned long long)rip, kind);
	t->cfg.code_added(t->cfg.code_opaque, b->rx, b->bytes, name);
}

/* The bytes at gpa and those that follow in the next page. */
static unsigned stitch(const struct compile_at *at, uint8_t bytes[static 2 * X86_INSN_MAX])
{
	unsigned start = at->gpa & PAGE_OFFSET_MASK, n = (unsigned)PAGE_BYTES - start;

	memcpy(bytes, at->page + start, n);
	memcpy(bytes + n, at->page2, X86_INSN_MAX);
	return n + X86_INSN_MAX;
}

static bool lift_crossing(struct translate *t, const struct compile_at *at, unsigned *lo,
			  unsigned *hi)
{
	uint8_t bytes[2 * X86_INSN_MAX];
	unsigned n = stitch(at, bytes);

	*lo = at->gpa & PAGE_OFFSET_MASK;
	*hi = PAGE_BYTES;
	return x86_lift_block(t->cfg.decoder, bytes, n, at->mode, t->cpu->cpuid, 1, &t->ir) ==
		       X86_DECODE_OK &&
	       t->ir.guest_bytes > *hi - *lo && !t->ir.overflow;
}

/* Which instructions would cross the page's end, see gen_source. */
static uint32_t crossing(const struct translate *t, const struct compile_at *at)
{
	struct x86_insn i;
	uint32_t bits = 0;

	for (unsigned k = 1; k < X86_INSN_MAX; k++)
		if (x86_decode(t->cfg.decoder, at->page + PAGE_BYTES - k, k, at->mode,
			       t->cpu->cpuid, &i) == X86_DECODE_MORE)
			bits |= 1u << k;
	return bits;
}

/* Lift at most max instructions. The code's range comes back as offsets in the page. */
static bool lift(struct translate *t, const struct compile_at *at, unsigned max, unsigned *lo,
		 unsigned *hi)
{
	struct x86_trace trace = {.page = at->page,
				  .start = at->gpa & PAGE_OFFSET_MASK,
				  .path = at->path,
				  .path_len = at->path_len};

	ir_block_init(&t->ir, &x86_isa, t->insn, IR_BLOCK_MAX);
	if (!(t->cfg.dump & ENGINE_DUMP_IR)) /* that is: as lifted */
		ir_block_fold(&t->ir, &t->folder, t->cfg.disabled_passes);
	if (at->gpa2 != ~0ull)
		return lift_crossing(t, at, lo, hi);
	if (x86_lift_trace(t->cfg.decoder, &trace, at->mode, t->cpu->cpuid, max, &t->ir) ==
		    X86_DECODE_MORE ||
	    t->ir.overflow)
		return false;
	*lo = trace.lo;
	*hi = trace.hi;
	return true;
}

static void optimize(struct translate *t, const struct compile_at *at, const char *kind)
{
	unsigned start = at->gpa & PAGE_OFFSET_MASK;
	struct dump_code code = {kind,	   at->rip,	     at->gpa,
				 at->mode, at->page + start, (unsigned)PAGE_BYTES - start};
	uint8_t both[2 * X86_INSN_MAX];

	if (at->gpa2 != ~0ull) {
		code.len = stitch(at, both);
		code.bytes = both;
	}
	dump_begin(&t->dump, t->cpu, &code, &t->ir);
	dump_ir(&t->dump, ENGINE_DUMP_IR, &t->ir);
	ir_optimize(&t->ir, t->cfg.disabled_passes);
	dump_ir(&t->dump, ENGINE_DUMP_OPT, &t->ir);
}

static struct tblock *generate(struct translate *t, const struct gen_source *src, uint64_t gpa2)
{
	uint8_t *at, *end;
	bool evicted;

	for (int tries = 0; tries < 2; tries++) {
		struct tblock *b = NULL;
		size_t bytes;

		code_room(t->code, &at, &end, &evicted);
		if (evicted)
			jumps_clear(t);
		bytes = gen_compile(&t->gen, src, at, end);
		if (bytes)
			b = code_insert(t->code, &t->gen, bytes, gpa2);
		if (b || !t->gen.a.overflow)
			return b;
		code_next_segment(t->code);
		jumps_clear(t);
	}
	return NULL;
}

struct tblock *compile(struct translate *t, const struct compile_at *at)
{
	struct x86_cpu *cpu = t->cpu;
	const char *kind = at->path_len ? "trace" : "block";
	uint64_t began = host_time_ns(), page = align_down(at->gpa, PAGE_BYTES);
	unsigned lo, hi, max = at->path_len ? t->max_trace : t->max_insns;
	struct tblock *b = NULL;

	t->link = NULL; /* its block may be evicted */
	for (; !b && max; max /= 2) {
		if (!lift(t, at, max, &lo, &hi))
			continue;
		optimize(t, at, kind);
		b = generate(t,
			     &(struct gen_source){
				     .b = &t->ir,
				     .mode = at->mode,
				     .gpa = at->gpa,
				     .lo = page + lo,
				     .hi = page + hi,
				     .tag = jumps_tag(t, at->mode),
				     .loop = at->loop,
				     .wanderers = t->wanderers,
				     .apart = t->apart,
				     .crossing = crossing(t, at),
			     },
			     at->gpa2);
	}
	cpu->counter[COUNTER_TRANSLATE_NS] += host_time_ns() - began;
	if (!b)
		return NULL;
	sites_note(t, page);
	cpu->counter[at->path_len ? COUNTER_TRANSLATE_TRACES : COUNTER_TRANSLATE_BLOCKS]++;
	cpu->counter[COUNTER_TRANSLATE_HOST_BYTES] += b->bytes;
	dump_host(&t->dump, b->rw, b->bytes, (uint64_t)(uintptr_t)b->rx);
	announce(t, b, at->rip, kind);
	return b;
}
