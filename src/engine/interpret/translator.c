/*
 * From guest bytes to a block: the decoder and lifter of isa/x86, the passes of ir/, lowering, and
 * the dumps that show each stage.
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "engine/interpret/interpret_private.h"
#include "host/host.h"
#include "ir/pass.h"
#include "isa/x86/lift.h"

enum { BLOCK_INSNS = 32, DUMP_BYTES = 64 << 10 };

struct translator {
	struct x86_cpu *cpu;
	struct engine_config cfg;
	struct lower *lower;
	struct ir_block ir;
	struct ir_insn insn[IR_BLOCK_MAX];
	struct lowered low;
	/* what translator_place puts in */
	uint64_t gpa, gpa2, lin;
	x86_mode_t mode;
	struct cache *alone; /* a cache of one block */
	char dump[DUMP_BYTES];
};

struct translator *translator_create(struct x86_cpu *cpu, const struct engine_config *cfg)
{
	struct translator *t = host_alloc(sizeof(*t));

	if (!t)
		return NULL;
	t->cpu = cpu;
	t->cfg = *cfg;
	if (!t->cfg.max_block_insns || t->cfg.max_block_insns > IR_BLOCK_GUEST_MAX)
		t->cfg.max_block_insns = BLOCK_INSNS;
	t->lower = lower_create();
	t->alone = cache_create(cpu->space, 1 << 20);
	if (!t->lower || !t->alone) {
		translator_destroy(t);
		return NULL;
	}
	return t;
}

void translator_destroy(struct translator *t)
{
	if (!t)
		return;
	lower_destroy(t->lower);
	cache_destroy(t->alone);
	host_free(t);
}

static void dump_lines(struct translator *t)
{
	char *line = t->dump, *end;

	while ((end = strchr(line, '\n'))) {
		*end = 0;
		t->cfg.dump_line(t->cfg.dump_opaque, line);
		line = end + 1;
	}
}

static void dump_guest(struct translator *t, const uint8_t *bytes, unsigned avail, uint64_t lin)
{
	unsigned at = 0;

	for (unsigned n = 0; n < t->ir.guest_count && at < avail; n++) {
		struct x86_insn i;
		char text[128];
		if (x86_decode(t->cfg.decoder, bytes + at, avail - at, t->mode, t->cpu->cpuid, &i))
			break;
		x86_insn_print(&i, t->cpu->rip + at, text, sizeof(text));
		snprintf(t->dump, sizeof(t->dump), "  %012llx: %s\n",
			 (unsigned long long)(lin + at), text);
		dump_lines(t);
		at += i.len;
	}
}

static void dump_ir(struct translator *t, const char *when)
{
	int n;

	if (!(t->cfg.dump & ENGINE_DUMP_IR) || !t->cfg.dump_line)
		return;
	n = snprintf(t->dump, sizeof(t->dump), "; %s\n", when);
	ir_print(&t->ir, t->dump + n, sizeof(t->dump) - (size_t)n);
	dump_lines(t);
}

static void dump_block(struct translator *t, const uint8_t *bytes, unsigned avail)
{
	TRACE(t->cpu->trace, TRACE_BLOCK, "cpu %u: block %#llx gpa %#llx mode %x: %u instructions",
	      t->cpu->index, (unsigned long long)t->lin, (unsigned long long)t->gpa, t->mode,
	      t->ir.guest_count);
	if (!t->cfg.dump || !t->cfg.dump_line)
		return;
	snprintf(t->dump, sizeof(t->dump), "block %012llx gpa %09llx mode %x: %u instructions\n",
		 (unsigned long long)t->lin, (unsigned long long)t->gpa, t->mode, t->ir.guest_count);
	dump_lines(t);
	if (t->cfg.dump & ENGINE_DUMP_GUEST)
		dump_guest(t, bytes, avail, t->lin);
}

static enum x86_decode_result lift(struct translator *t, const uint8_t *bytes, unsigned avail,
				   unsigned max)
{
	enum x86_decode_result r;

	for (;; max /= 2) {
		ir_block_init(&t->ir, &x86_isa, t->insn, IR_BLOCK_MAX);
		r = x86_lift_block(t->cfg.decoder, bytes, avail, t->mode, t->cpu->cpuid, max,
				   &t->ir);
		if (r == X86_DECODE_MORE)
			return r;
		if (!t->ir.overflow) {
			dump_block(t, bytes, avail);
			dump_ir(t, "as lifted");
			ir_optimize(&t->ir, t->cfg.disabled_passes);
			dump_ir(t, "as optimized");
			if (lower_block(t->lower, &t->ir, t->mode, &t->low))
				return r;
		}
		BUG_ON(max <= 1, "one instruction overflows the lowering buffers");
	}
}

/* Bytes of device memory are read one by one; code there is rare and never cached for long. */
static void read_device_code(struct translator *t, uint64_t gpa, uint8_t *buf, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		buf[i] = (uint8_t)space_io_read(t->cpu->space, gpa + i, 1);
}

bool translator_lift(struct translator *t, const struct code_bytes *code, unsigned max_insns)
{
	unsigned at = code->gpa & PAGE_OFFSET_MASK, avail = (unsigned)PAGE_BYTES - at;
	uint8_t buf[2 * X86_INSN_MAX];
	const uint8_t *bytes = code->hva ? code->hva + at : buf;

	if (!max_insns || max_insns > t->cfg.max_block_insns)
		max_insns = t->cfg.max_block_insns;
	t->mode = t->cpu->mode;
	t->gpa = code->gpa;
	t->lin = code->lin;
	t->gpa2 = ~0ull;
	if (!code->hva) {
		avail = avail < X86_INSN_MAX ? avail : X86_INSN_MAX;
		read_device_code(t, code->gpa, buf, avail);
		max_insns = 1;
	}
	if (lift(t, bytes, avail, max_insns) == X86_DECODE_MORE) {
		uint64_t next = align_down(code->lin, PAGE_BYTES) + PAGE_BYTES, gpa2;
		const uint8_t *hva2;
		if (!(t->mode & X86_MODE_CODE64))
			next = (uint32_t)next;
		if (!x86_mmu_fetch_page(t->cpu, next, &gpa2, &hva2))
			return false;
		memmove(buf, bytes, avail);
		if (hva2)
			memcpy(buf + avail, hva2, X86_INSN_MAX);
		else
			read_device_code(t, gpa2, buf + avail, X86_INSN_MAX);
		bytes = buf;
		avail += X86_INSN_MAX;
		t->gpa2 = gpa2;
		lift(t, bytes, avail, 1);
	}
	t->cpu->counter[COUNTER_BLOCKS_LIFTED]++;
	return true;
}

struct iblock *translator_place(struct translator *t, struct cache *c, bool alone)
{
	if (alone) {
		c = t->alone;
		cache_flush(c);
	}
	return cache_insert(c, &t->low, t->gpa, t->gpa2, t->mode, t->ir.guest_bytes);
}
