/*
 * From guest bytes to a block: the decoder and lifter of isa/x86, the passes of ir/, lowering, with
 * a dump of each stage.
 */
#include <string.h>

#include "base/error.h"
#include "engine/dump.h"
#include "engine/interpret/interpret_private.h"
#include "host/host.h"
#include "ir/folder.h"
#include "ir/pass.h"
#include "isa/x86/lift.h"

enum { BLOCK_INSNS = 32 };

struct translator {
	struct x86_cpu *cpu;
	struct engine_config cfg;
	uint64_t disabled; /* passes */
	struct lower *lower;
	struct ir_block ir;
	struct ir_insn insn[IR_BLOCK_MAX];
	struct ir_folder folder;
	struct lowered low;
	/* what translator_place puts in */
	uint64_t gpa, gpa2, lin;
	x86_mode_t mode;
	struct dump dump;
	/* a block for a single use */
	_Alignas(16) uint8_t alone[PLACE_BYTES_MAX + sizeof(struct block_ref)];
};

struct translator *translator_create(struct x86_cpu *cpu, const struct engine_config *cfg)
{
	struct translator *t = host_alloc(sizeof(*t));
	struct host_cpu host = engine_host(cfg);

	if (!t)
		return NULL;
	t->cpu = cpu;
	t->cfg = *cfg;
	t->disabled = cfg->disabled_passes | BIT(IR_PASS_KNOWN_RETURNS);
	t->dump.cfg = &t->cfg;
	if (!t->cfg.max_block_insns || t->cfg.max_block_insns > IR_BLOCK_GUEST_MAX)
		t->cfg.max_block_insns = BLOCK_INSNS;
	t->lower = lower_create(&host);
	if (!t->lower) {
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
	host_free(t);
}

static enum x86_decode_result lift(struct translator *t, const uint8_t *bytes, unsigned avail,
				   unsigned max)
{
	enum x86_decode_result r;

	for (;; max /= 2) {
		ir_block_init(&t->ir, &x86_isa, t->insn, IR_BLOCK_MAX);
		if (!(t->cfg.dump & ENGINE_DUMP_IR)) /* that is: as lifted */
			ir_block_fold(&t->ir, &t->folder, t->disabled);
		r = x86_lift_block(t->cfg.decoder, bytes, avail, t->mode, t->cpu->cpuid, max,
				   &t->ir);
		if (r == X86_DECODE_MORE)
			return r;
		if (!t->ir.overflow) {
			dump_begin(&t->dump, t->cpu,
				   &(struct dump_code){
					   .kind = "block",
					   .lin = t->lin,
					   .gpa = t->gpa,
					   .mode = t->mode,
					   .page = &(struct x86_trace_page){0, bytes, 0, 0},
					   .page_count = 1,
					   .end = avail},
				   &t->ir);
			dump_ir(&t->dump, ENGINE_DUMP_IR, &t->ir);
			ir_optimize(&t->ir, t->disabled);
			dump_ir(&t->dump, ENGINE_DUMP_OPT, &t->ir);
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

/* Key and range, with room for a second page at `more`. */
static void describe(const struct translator *t, struct block *head, struct block_ref *more)
{
	uint64_t page = align_down(t->gpa, PAGE_BYTES);
	uint32_t lo = t->gpa & PAGE_OFFSET_MASK, hi = lo + t->ir.guest_bytes;
	bool crosses = t->gpa2 != ~0ull;

	head->gpa = t->gpa;
	head->gpa2 = t->gpa2;
	head->mode = t->mode;
	head->in_page.bytes = (struct block_bytes){page, lo, crosses ? PAGE_BYTES : hi};
	head->more = more;
	head->more_count = crosses;
	if (crosses)
		more->bytes = (struct block_bytes){t->gpa2, 0, hi - (uint32_t)PAGE_BYTES};
}

struct iblock *translator_place(struct translator *t, struct blocks *s)
{
	size_t bytes = align_up(place_bytes(&t->low), 8),
	       more = t->gpa2 == ~0ull ? 0 : sizeof(struct block_ref);
	uint8_t *m = s ? blocks_take(s, bytes + more) : t->alone;
	struct iblock *b;

	if (!m)
		return NULL;
	b = place_block(m, &t->low);
	b->bytes = t->ir.guest_bytes;
	describe(t, &b->head, (struct block_ref *)(m + bytes));
	if (s)
		blocks_add(s, &b->head);
	return b;
}
