/*
 * Finding blocks: by the jump cache, by physical address, by lifting; linking exits to them; and
 * forgetting them when their code is written or the TLB is flushed.
 */
#include <string.h>

#include "base/error.h"
#include "engine/interpret/interpret_private.h"
#include "isa/x86/decode.h"
#include "isa/x86/mode.h"

static void written_add(struct written *w, uint64_t gpa, size_t len)
{
	struct written_range *last = w->count ? &w->range[w->count - 1] : NULL;

	if (last && last->gpa + last->len == gpa) {
		last->len += len; /* a device that fills page after page */
	} else if (w->count < INTERP_WRITTEN_MAX) {
		w->range[w->count++] = (struct written_range){gpa, len};
	} else { /* all that lies between */
		uint64_t end = last->gpa + last->len;
		end = end > gpa + len ? end : gpa + len;
		last->gpa = last->gpa < gpa ? last->gpa : gpa;
		last->len = end - last->gpa;
	}
}

void find_code_written(void *opaque, uint64_t gpa, size_t len)
{
	struct engine_cpu *e = opaque;
	struct written *w = &e->written;

	host_mutex_lock(&w->lock);
	written_add(w, gpa, len);
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

static void evicted(void *engine_cpu, unsigned region)
{
	struct engine_cpu *e = engine_cpu;

	(void)region;
	e->evictions++;
	find_clear_jumps(e);
	e->hot.link = NULL;
	e->hot.block = NULL;
}

static void protect(void *engine_cpu, uint64_t gpa_page)
{
	struct engine_cpu *e = engine_cpu;

	engine_group_protect(e->group, e->cpu, gpa_page);
}

struct blocks *find_blocks_create(struct engine_cpu *e, size_t bytes)
{
	struct blocks_owner owner = {.link_bytes = sizeof(struct ilink),
				     .opaque = e,
				     .protect = protect,
				     .evicted = evicted};

	return blocks_create(e->cpu->space, bytes, &owner);
}

void find_drop_written(struct engine_cpu *e)
{
	struct written *w = &e->written;
	unsigned dropped = 0;

	host_mutex_lock(&w->lock);
	for (unsigned i = 0; i < w->count; i++) {
		dropped += blocks_drop(e->blocks, w->range[i].gpa, w->range[i].len);
		if (e->client.dropped)
			dropped += e->client.dropped(e->client.opaque, w->range[i].gpa,
						     w->range[i].len);
	}
	w->count = 0;
	host_mutex_unlock(&w->lock);
	if (dropped) {
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
	return (struct iblock *)blocks_find(e->blocks, code->gpa, code->gpa2, cpu->mode);
}

/* A jump cache entry from before a TLB flush: its block serves again if its page is still mapped
 * there. Dropped blocks stay readable until their region is emptied, which clears all entries. */
static struct iblock *block_again(struct engine_cpu *e, const struct code_bytes *code)
{
	const struct x86_cpu *cpu = e->cpu;
	const struct interp_jump *j = &e->hot.jump[interp_jump_index(cpu->rip, cpu->context)];

	if (!j->block || j->rip != cpu->rip || j->mode != cpu->mode || j->block->head.dead ||
	    j->block->head.gpa != code->gpa || j->block->head.gpa2 != ~0ull)
		return NULL;
	return j->block;
}

static struct iblock *find_made(struct engine_cpu *e, struct code_bytes *code)
{
	struct iblock *b = block_again(e, code);

	if (!b)
		b = (struct iblock *)blocks_find(e->blocks, code->gpa, ~0ull, e->cpu->mode);
	if (!b && near_page_end(code))
		b = find_straddling(e, code);
	return b;
}

/* Insns of a block that did not fit, the first time. */
enum { MAKE_INSNS_RETRY = 8 };

/* Lift, and place in s, or in a buffer of its own if that is NULL. */
static struct iblock *make(struct engine_cpu *e, const struct code_bytes *code, unsigned max_insns,
			   struct blocks *s)
{
	struct iblock *b;
	bool emptied = false;

	while (translator_lift(e->translator, code, max_insns)) {
		b = translator_place(e->translator, s);
		if (b) {
			b->heat = s ? e->heat : UINT32_MAX;
			return b;
		}
		if (!emptied) {
			blocks_next_region(s);
		} else { /* larger than a region */
			BUG_ON(max_insns == 1, "one instruction does not fit a region");
			max_insns = max_insns ? max_insns / 2 : MAKE_INSNS_RETRY;
		}
		emptied = true;
	}
	return NULL; /* the rest of the instruction cannot be fetched */
}

static void hold(struct engine_cpu *e, const struct code_bytes *code)
{
	blocks_hold(e->blocks, code->gpa);
	if (code->gpa2 != ~0ull)
		blocks_hold(e->blocks, code->gpa2);
}

static void let_go(struct engine_cpu *e, const struct code_bytes *code)
{
	blocks_let_go(e->blocks, code->gpa);
	if (code->gpa2 != ~0ull)
		blocks_let_go(e->blocks, code->gpa2);
}

/* The block at cs:rip; NULL with a fault recorded. */
static struct iblock *block_get(struct engine_cpu *e)
{
	struct code_bytes code;
	struct iblock *b;

	e->cpu->counter[COUNTER_BLOCK_LOOKUPS]++;
	if (!fetch(e->cpu, &code))
		return NULL;
	b = find_made(e, &code);
	if (b)
		return b;
	hold(e, &code);
	b = make(e, &code, 0, e->blocks);
	let_go(e, &code);
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

	if (from && !from->head.dead && !link->head.to &&
	    (from->head.gpa ^ to->head.gpa) >> PAGE_BITS == 0 && from->head.mode == to->head.mode &&
	    mode_chains(to->head.mode) && from->head.gpa2 == ~0ull && to->head.gpa2 == ~0ull)
		blocks_link(&link->head, &to->head);
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
	uint32_t global =
		find_page_is_global(cpu, cpu->rip) &&
		(b->head.gpa2 == ~0ull || find_page_is_global(cpu, cpu->rip + PAGE_BYTES));

	e->hot.jump[interp_jump_index(cpu->rip, cpu->context)] =
		(struct interp_jump){cpu->rip, e->hot.jump_gen[global], b, cpu->mode, global};
}

struct iblock *find_block_alone(struct engine_cpu *e, unsigned max_insns)
{
	struct code_bytes code;

	if (!fetch(e->cpu, &code))
		return NULL;
	if (max_insns == 1) /* nothing behind its store that it could change */
		return make(e, &code, 1, NULL);
	if (near_page_end(&code))
		find_straddling(e, &code);
	hold(e, &code);
	e->alone = code;
	return make(e, &code, max_insns, NULL);
}

void find_alone_done(struct engine_cpu *e)
{
	if (e->alone.gpa != ~0ull)
		let_go(e, &e->alone);
	e->alone.gpa = ~0ull;
}

struct iblock *find_cold(struct engine_cpu *e)
{
	struct iblock *b = interp_jump_find(e->cpu, &e->hot);

	if (!b || b->heat <= 1)
		return NULL;
	if (e->hot.link)
		link_try(e, e->hot.link, b);
	e->hot.link = NULL;
	return b;
}

struct iblock *find_block(struct engine_cpu *e)
{
	struct x86_cpu *cpu = e->cpu;
	struct ilink *link = e->hot.link;
	struct iblock *b = interp_jump_find(cpu, &e->hot);

	e->hot.link = NULL;
	if (!b) {
		b = block_get(e);
		if (b && mode_has_jumps(cpu->mode))
			jump_remember(e, b);
	}
	if (b && link)
		link_try(e, link, b);
	return b;
}
