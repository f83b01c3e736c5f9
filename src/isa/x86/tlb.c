/*
 * Emptying the TLB, whole and in part (SDM vol. 3, 4.10.4). A bit per entry says where something
 * was filled, so a context switch pays for what was used since the last one. Large pages lie in
 * here as 4 KiB pieces; INVLPG within the range where such pieces were filled drops all pieces of
 * that gigabyte. Filling is in mem.c.
 */
#include "isa/x86/mmu.h"

#include <string.h>

enum { KIND_GLOBAL = X86_TLB_KIND_GLOBAL, KIND_LARGE = X86_TLB_KIND_LARGE };

/* ---- contexts */

static void context_renew(struct x86_cpu *cpu)
{
	cpu->context = ++cpu->context_last;
	cpu->pcid_context[x86_pcid(cpu)] = cpu->context;
}

static void jumps_forget(struct x86_cpu *cpu, bool global)
{
	cpu->context_floor = cpu->context_last;
	context_renew(cpu);
	if (cpu->flush_jumps)
		cpu->flush_jumps(cpu->engine, global);
}

/* The engine may be about to remember what it has fetched: that is still noted. */
void x86_jumps_forget(struct x86_cpu *cpu)
{
	jumps_forget(cpu, true);
}

static void jumps_flush(struct x86_cpu *cpu, bool global)
{
	memset(cpu->fetched, 0, sizeof(cpu->fetched));
	cpu->fetched_large = false;
	jumps_forget(cpu, global);
}

void x86_tlb_drop_pcid(struct x86_cpu *cpu, unsigned pcid)
{
	cpu->pcid_context[pcid & 0xfff] = 0;
}

/* ---- entries */

static void tlb_drop(struct x86_tlb *t, unsigned i)
{
	t->entry[i].tag_read = X86_TLB_INVALID;
	t->entry[i].tag_write = X86_TLB_INVALID;
}

static void sites_flush(struct x86_cpu *cpu)
{
	for (uint64_t k = 0; k < cpu->site_count; k++) {
		struct x86_site *s = cpu->site_used[k];

		s->tag = X86_TLB_INVALID;
		s->addend = 0;
		s->used = 0;
	}
	cpu->site_count = 0;
}

static void unuse(struct x86_tlb_used *used, unsigned i)
{
	for (unsigned kind = 0; kind < X86_TLB_KINDS; kind++)
		used->word[kind][i >> 6] &= ~(1ull << (i & 63));
}

static void note_large(struct x86_cpu *cpu, uint64_t lin, const struct x86_walk *w)
{
	uint64_t lo = lin & ~(w->page_bytes - 1), hi = lin | (w->page_bytes - 1);

	if (lo < cpu->tlb_large[w->global].lo)
		cpu->tlb_large[w->global].lo = lo;
	if (hi > cpu->tlb_large[w->global].hi)
		cpu->tlb_large[w->global].hi = hi;
}

void x86_tlb_use(struct x86_cpu *cpu, struct x86_tlb_used *used, unsigned i, uint64_t lin,
		 const struct x86_walk *w)
{
	unsigned kind = w->global ? KIND_GLOBAL : 0;

	if (w->page_bytes > PAGE_BYTES) {
		kind |= KIND_LARGE;
		note_large(cpu, lin, w);
	}
	unuse(used, i);
	used->word[kind][i >> 6] |= 1ull << (i & 63);
	used->any[kind] |= 1ull << (i >> 6);
}

/* Walks the set bits of one kind. */
struct used_walk {
	const uint64_t *word;
	uint64_t words, bits;
	unsigned base;
};

static struct used_walk used_first(const struct x86_tlb_used *used, unsigned kind)
{
	return (struct used_walk){.word = used->word[kind], .words = used->any[kind]};
}

static bool used_next(struct used_walk *w, unsigned *i)
{
	while (!w->bits) {
		if (!w->words)
			return false;
		unsigned n = (unsigned)__builtin_ctzll(w->words);
		w->words &= w->words - 1;
		w->bits = w->word[n];
		w->base = n * 64;
	}
	*i = w->base + (unsigned)__builtin_ctzll(w->bits);
	w->bits &= w->bits - 1;
	return true;
}

static void used_clear(struct x86_tlb_used *used, unsigned kind)
{
	for (uint64_t words = used->any[kind]; words; words &= words - 1)
		used->word[kind][__builtin_ctzll(words)] = 0;
	used->any[kind] = 0;
}

/* ---- flushes */

static void flush_kind(struct x86_cpu *cpu, unsigned kind)
{
	unsigned i;

	for (unsigned m = 0; m < X86_MMU_COUNT; m++) {
		struct used_walk w = used_first(&cpu->tlb_used[m], kind);
		while (used_next(&w, &i))
			tlb_drop(&cpu->tlb[m], i);
		used_clear(&cpu->tlb_used[m], kind);
	}
	struct used_walk w = used_first(&cpu->itlb_used, kind);
	while (used_next(&w, &i))
		cpu->itlb.tag[i] = X86_TLB_INVALID;
	used_clear(&cpu->itlb_used, kind);
}

static void flush_globals(struct x86_cpu *cpu, unsigned global)
{
	flush_kind(cpu, global);
	flush_kind(cpu, global | KIND_LARGE);
	cpu->tlb_large[global].lo = UINT64_MAX;
	cpu->tlb_large[global].hi = 0;
}

void x86_tlb_flush_all(struct x86_cpu *cpu)
{
	cpu->counter[COUNTER_TLB_FLUSHES]++;
	sites_flush(cpu);
	flush_globals(cpu, 0);
	flush_globals(cpu, KIND_GLOBAL);
	cpu->ram.len = 0;
	jumps_flush(cpu, true);
}

void x86_tlb_flush_nonglobal(struct x86_cpu *cpu)
{
	cpu->counter[COUNTER_TLB_FLUSHES]++;
	sites_flush(cpu);
	flush_globals(cpu, 0);
	jumps_flush(cpu, false);
}

void x86_tlb_switch(struct x86_cpu *cpu, bool keep)
{
	uint64_t old = cpu->pcid_context[x86_pcid(cpu)];

	if (!(cpu->cr4 & X86_CR4_PCIDE)) {
		x86_tlb_flush_nonglobal(cpu);
		return;
	}
	cpu->counter[COUNTER_TLB_FLUSHES]++;
	sites_flush(cpu);
	flush_globals(cpu, 0);
	if (keep && old > cpu->context_floor)
		cpu->context = old;
	else
		context_renew(cpu);
	if (cpu->flush_jumps)
		cpu->flush_jumps(cpu->engine, false);
}

void x86_tlb_init(struct x86_cpu *cpu)
{
	for (unsigned m = 0; m < X86_MMU_COUNT; m++)
		for (unsigned i = 0; i < X86_TLB_SIZE; i++)
			tlb_drop(&cpu->tlb[m], i);
	for (unsigned i = 0; i < X86_ITLB_SIZE; i++)
		cpu->itlb.tag[i] = X86_TLB_INVALID;
	memset(cpu->tlb_used, 0, sizeof(cpu->tlb_used));
	memset(&cpu->itlb_used, 0, sizeof(cpu->itlb_used));
	for (unsigned k = 0; k < X86_SITES; k++)
		cpu->site[k] = (struct x86_site){.tag = X86_TLB_INVALID};
	cpu->site_count = 0;
}

/* Drop every piece of a large page in the same gigabyte: the largest page there is. */
static void flush_large(struct x86_cpu *cpu, uint64_t lin, unsigned kind)
{
	unsigned i;

	for (unsigned m = 0; m < X86_MMU_COUNT; m++) {
		struct used_walk w = used_first(&cpu->tlb_used[m], kind);
		while (used_next(&w, &i)) {
			if ((cpu->tlb[m].entry[i].tag_read ^ lin) >> 30 == 0) {
				tlb_drop(&cpu->tlb[m], i);
				unuse(&cpu->tlb_used[m], i);
			}
		}
	}
	struct used_walk w = used_first(&cpu->itlb_used, kind);
	while (used_next(&w, &i)) {
		if ((cpu->itlb.tag[i] ^ lin) >> 30 == 0) {
			cpu->itlb.tag[i] = X86_TLB_INVALID;
			unuse(&cpu->itlb_used, i);
		}
	}
}

static bool may_have_jumps(const struct x86_cpu *cpu, uint64_t lin)
{
	return lin >> 63 || cpu->fetched_large ||
	       (cpu->fetched[lin >> 18 & 63] >> (lin >> 12 & 63) & 1);
}

void x86_tlb_flush_page(struct x86_cpu *cpu, uint64_t lin)
{
	uint64_t page = lin & ~PAGE_OFFSET_MASK;
	unsigned i = x86_tlb_index(lin), n = x86_itlb_index(lin);

	cpu->counter[COUNTER_TLB_FLUSHES]++;
	sites_flush(cpu);
	for (unsigned m = 0; m < X86_MMU_COUNT; m++) {
		if ((cpu->tlb[m].entry[i].tag_read & ~X86_TLB_SLOW) == page) {
			tlb_drop(&cpu->tlb[m], i);
			unuse(&cpu->tlb_used[m], i);
		}
	}
	if ((cpu->itlb.tag[n] & ~1ull) == page) {
		cpu->itlb.tag[n] = X86_TLB_INVALID;
		unuse(&cpu->itlb_used, n);
	}
	for (unsigned g = 0; g <= KIND_GLOBAL; g++)
		if (lin >= cpu->tlb_large[g].lo && lin <= cpu->tlb_large[g].hi)
			flush_large(cpu, lin, g | KIND_LARGE);
	if (may_have_jumps(cpu, lin))
		jumps_flush(cpu, lin >> 63);
}

/* Most pages that get code are not written through any entry. Which are is kept as a bit for each
 * of some thousand remainders of page numbers, so that it may say yes wrongly. */
static bool writes_has(const struct x86_cpu *cpu, uint64_t gpa)
{
	uint64_t page = gpa >> PAGE_BITS;

	return cpu->tlb_writes[page / 64 % X86_TLB_WRITES] >> page % 64 & 1;
}

void x86_tlb_note_write(struct x86_cpu *cpu, uint64_t gpa)
{
	uint64_t page = gpa >> PAGE_BITS;

	cpu->tlb_writes[page / 64 % X86_TLB_WRITES] |= 1ull << page % 64;
}

static void protect_kind(struct x86_cpu *cpu, unsigned mmu, unsigned kind, uint64_t gpa_page)
{
	struct used_walk w = used_first(&cpu->tlb_used[mmu], kind);
	unsigned i;

	while (used_next(&w, &i)) {
		struct x86_tlb_entry *e = &cpu->tlb[mmu].entry[i];

		if (e->tag_write & PAGE_OFFSET_MASK)
			continue;
		if ((e->gpa_global & ~PAGE_OFFSET_MASK) == gpa_page)
			e->tag_write |= X86_TLB_SLOW;
		else
			x86_tlb_note_write(cpu, e->gpa_global);
	}
}

void x86_tlb_protect_gpa(struct x86_cpu *cpu, uint64_t gpa_page)
{
	if (!writes_has(cpu, gpa_page))
		return;
	sites_flush(cpu);
	memset(cpu->tlb_writes, 0, sizeof(cpu->tlb_writes));
	for (unsigned m = 0; m < X86_MMU_COUNT; m++)
		for (unsigned kind = 0; kind < X86_TLB_KINDS; kind++)
			protect_kind(cpu, m, kind, gpa_page);
}

void x86_tlb_forget_writes(struct x86_cpu *cpu)
{
	unsigned i;

	sites_flush(cpu);
	for (unsigned m = 0; m < X86_TLB_KINDS * X86_MMU_COUNT; m++) {
		struct x86_tlb *t = &cpu->tlb[m / X86_TLB_KINDS];
		struct used_walk w =
			used_first(&cpu->tlb_used[m / X86_TLB_KINDS], m % X86_TLB_KINDS);

		while (used_next(&w, &i))
			if (!(t->entry[i].gpa_global & (X86_TLB_IO | X86_TLB_ROM)))
				t->entry[i].tag_write = X86_TLB_INVALID;
	}
}
