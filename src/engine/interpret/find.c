/*
 * Finding blocks: by the jump cache, by physical address, by lifting; linking exits to them; and
 * forgetting them when their code is written or the TLB is flushed.
 */
#include <string.h>

#include "base/error.h"
#include "engine/interpret/interpret_private.h"
#include "isa/x86/decode.h"
#include "isa/x86/mode.h"

void find_code_written(void *opaque, uint64_t gpa, size_t len)
{
	struct engine_cpu *e = opaque;
	struct written *w = &e->written;

	host_mutex_lock(&w->lock);
	if (w->count && w->range[w->count - 1].gpa + w->range[w->count - 1].len == gpa) {
		w->range[w->count - 1].len += len; /* a device that fills page after page */
	} else if (w->count < INTERP_WRITTEN_MAX) {
		w->range[w->count].gpa = gpa;
		w->range[w->count++].len = len;
	} else {
		w->overflow = true;
	}
	host_mutex_unlock(&w->lock);
	x86_request(e->cpu, X86_REQ_CODE);
}

void find_clear_jumps(struct engine_cpu *e)
{
	memset(e->hot.jump, 0, sizeof(e->hot.jump));
	x86_jumps_forget(e->cpu); /* a context that no entry has */
	e->hot.jump_gen[0] = e->cpu->context;
	e->hot.jump_gen[1]++;
}

void find_flush_jumps(void *opaque, bool global)
{
	struct engine_cpu *e = opaque;

	if (e->client.flush_jumps)
		e->client.flush_jumps(e->client.opaque, global);
	e->hot.jump_gen[0] = e->cpu->context;
	e->hot.jump_gen[1] += global;
}

static void flush_cache(struct engine_cpu *e)
{
	cache_flush(e->cache);
	e->flushes++;
	find_clear_jumps(e); /* its blocks are no more */
	e->hot.link = NULL;
	e->hot.block = NULL;
}

void find_drop_written(struct engine_cpu *e)
{
	struct written *w = &e->written;
	unsigned dropped = 0;

	host_mutex_lock(&w->lock);
	for (unsigned i = 0; i < w->count && !w->overflow; i++) {
		dropped += cache_drop(e->cache, w->range[i].gpa, w->range[i].len);
		if (e->client.dropped)
			dropped += e->client.dropped(e->client.opaque, w->range[i].gpa,
						     w->range[i].len);
	}
	if (w->overflow) {
		flush_cache(e);
		if (e->client.dropped_all)
			e->client.dropped_all(e->client.opaque);
	}
	w->count = 0;
	w->overflow = false;
	host_mutex_unlock(&w->lock);
	if (dropped) {
		x86_jumps_forget(e->cpu);
		e->hot.link = NULL;
		e->cpu->counter[COUNTER_BLOCKS_DROPPED] += dropped;
		TRACE(e->cpu->trace, TRACE_SMC, "cpu %u: %u blocks dropped", e->cpu->index,
		      dropped);
	}
}

/* Instruction fetch at cs:rip, all pages of `need` bytes translated; false: cpu->fault is set. */
static bool fetch(struct x86_cpu *cpu, struct code_bytes *code)
{
	const struct x86_seg *cs = &cpu->seg[X86_CS];
	uint64_t lin = cpu->rip;

	if (!(cpu->mode & X86_MODE_CODE64)) {
		if (cpu->rip > cs->limit)
			return x86_fault_raise_error(cpu, X86_FAULT_GP, 0);
		lin = (uint32_t)(cs->base + cpu->rip);
	}
	code->lin = lin;
	code->gpa2 = ~0ull;
	code->hva2 = NULL;
	if (!x86_mmu_fetch_page(cpu, lin, &code->gpa, &code->hva))
		return false;
	code->gpa |= lin & PAGE_OFFSET_MASK;
	return true;
}

static bool near_page_end(const struct code_bytes *code)
{
	return (code->gpa & PAGE_OFFSET_MASK) > PAGE_BYTES - X86_INSN_MAX;
}

/* Blocks that cross into the next page are keyed by both pages: try those first near a page's end,
 * if the next page can be fetched at all. */
static struct iblock *find_straddling(struct engine_cpu *e, struct code_bytes *code)
{
	struct x86_cpu *cpu = e->cpu;
	uint64_t next = align_down(code->lin, PAGE_BYTES) + PAGE_BYTES;

	if (!(cpu->mode & X86_MODE_CODE64))
		next = (uint32_t)next;
	if (!x86_mmu_fetch_page(cpu, next, &code->gpa2, &code->hva2)) {
		cpu->fault.vector = -1;
		cpu->exit_code = X86_EXIT_NONE;
		code->gpa2 = ~0ull;
		return NULL;
	}
	return cache_find(e->cache, code->gpa, code->gpa2, cpu->mode);
}

static void hold(struct engine_cpu *e, uint64_t gpa, const uint8_t *hva)
{
	bool fresh;

	if (!hva || cache_holds_page(e->cache, gpa))
		return;
	if (cache_hold_page(e->cache, gpa, &fresh)) {
		flush_cache(e); /* frees page records */
		if (cache_hold_page(e->cache, gpa, &fresh))
			BUG_ON(true, "no memory for one page record");
	}
	if (fresh)
		engine_group_protect(e->group, e->cpu, align_down(gpa, PAGE_BYTES));
}

/* A jump cache entry from before a TLB flush: its block serves again if its page is still mapped
 * there. Dropped blocks stay readable until the cache is flushed, which clears all entries. */
static struct iblock *block_again(struct engine_cpu *e, const struct code_bytes *code)
{
	const struct x86_cpu *cpu = e->cpu;
	const struct interp_jump *j = &e->hot.jump[interp_jump_index(cpu->rip, cpu->context)];

	if (!j->block || j->rip != cpu->rip || j->mode != cpu->mode || j->block->dead ||
	    j->block->gpa != code->gpa || j->block->gpa2 != ~0ull)
		return NULL;
	return j->block;
}

/* The block at cs:rip of at most max_insns instructions; NULL with a fault recorded. alone: not
 * cached, for one use now. */
static struct iblock *block_get(struct engine_cpu *e, unsigned max_insns, bool alone)
{
	struct x86_cpu *cpu = e->cpu;
	struct code_bytes code;
	struct iblock *b;

	cpu->counter[COUNTER_BLOCK_LOOKUPS]++;
	if (!fetch(cpu, &code))
		return NULL;
	if (!alone) {
		b = block_again(e, &code);
		if (!b)
			b = cache_find(e->cache, code.gpa, ~0ull, cpu->mode);
		if (!b && near_page_end(&code))
			b = find_straddling(e, &code);
		if (b)
			return b;
	} else if (near_page_end(&code)) {
		find_straddling(e, &code);
	}
	hold(e, code.gpa, code.hva);
	if (code.gpa2 != ~0ull)
		hold(e, code.gpa2, code.hva2);
	if (!translator_lift(e->translator, &code, max_insns))
		return NULL; /* the rest of the instruction cannot be fetched */
	b = translator_place(e->translator, e->cache, alone);
	if (!b) {
		flush_cache(e);
		hold(e, code.gpa, code.hva);
		if (code.gpa2 != ~0ull)
			hold(e, code.gpa2, code.hva2);
		b = translator_place(e->translator, e->cache, alone);
		BUG_ON(!b, "a block does not fit an empty cache");
	}
	return b;
}

/* May a block of this mode be entered straight from another? */
static bool mode_chains(x86_mode_t mode)
{
	return !(mode & X86_MODE_POLLS);
}

static bool mode_has_jumps(x86_mode_t mode)
{
	return mode_chains(mode) && (mode & (X86_MODE_CODE64 | X86_MODE_FLAT));
}

/* A direct exit stays linked to its target while both lie in one page: the mapping that led from
 * one to the other then cannot change without a look-up. */
static void link_try(struct engine_cpu *e, struct ilink *link, struct iblock *to)
{
	const struct iblock *from = e->hot.block;

	if (from && !from->dead && from->gpa >> PAGE_BITS == to->gpa >> PAGE_BITS &&
	    from->mode == to->mode && mode_chains(to->mode) && from->gpa2 == ~0ull &&
	    to->gpa2 == ~0ull)
		cache_link(link, to);
}

bool find_page_is_global(const struct x86_cpu *cpu, uint64_t lin)
{
	unsigned i = x86_itlb_index(lin);

	return lin >> 63 && (cpu->itlb.tag[i] ^ lin) >> PAGE_BITS == 0 &&
	       (cpu->itlb.gpa[i] & X86_TLB_GLOBAL);
}

static void jump_remember(struct engine_cpu *e, struct iblock *b)
{
	const struct x86_cpu *cpu = e->cpu;
	uint32_t global = find_page_is_global(cpu, cpu->rip) &&
			  (b->gpa2 == ~0ull || find_page_is_global(cpu, cpu->rip + PAGE_BYTES));

	e->hot.jump[interp_jump_index(cpu->rip, cpu->context)] =
		(struct interp_jump){cpu->rip, e->hot.jump_gen[global], b, cpu->mode, global};
}

struct iblock *find_block_alone(struct engine_cpu *e, unsigned max_insns)
{
	return block_get(e, max_insns, true);
}

struct iblock *find_block(struct engine_cpu *e)
{
	struct x86_cpu *cpu = e->cpu;
	const struct interp_jump *j = &e->hot.jump[interp_jump_index(cpu->rip, cpu->context)];
	struct ilink *link = e->hot.link;
	struct iblock *b;

	e->hot.link = NULL;
	if (j->rip == cpu->rip && j->mode == cpu->mode && j->gen == e->hot.jump_gen[j->global]) {
		b = j->block;
	} else {
		b = block_get(e, 0, false);
		if (b && mode_has_jumps(cpu->mode))
			jump_remember(e, b);
	}
	if (b && link)
		link_try(e, link, b);
	return b;
}
