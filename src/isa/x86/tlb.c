/*
 * Emptying the TLB, whole and in part (SDM vol. 3, 4.10.4). A bit per entry says where something
 * was filled, so a context switch pays for what was used since the last one. Large pages lie in
 * here as 4 KiB pieces; INVLPG within the range where such pieces were filled drops all pieces of
 * that gigabyte. Filling is in mem.c.
 */
#include "isa/x86/mmu.h"

#include <string.h>

static void flush_begin(struct x86_cpu *cpu, bool global)
{
	cpu->counter[COUNTER_TLB_FLUSHES]++;
	if (cpu->flush_jumps)
		cpu->flush_jumps(cpu->engine, global);
}

static void tlb_drop(struct x86_tlb *t, unsigned i)
{
	t->tag_read[i] = X86_TLB_INVALID;
	t->tag_write[i] = X86_TLB_INVALID;
}

/* ---- which entries are in use */

void x86_tlb_use(struct x86_tlb_used *used, unsigned i, bool global)
{
	uint64_t bit = 1ull << (i & 63);

	used->word[!global][i >> 6] &= ~bit;
	used->word[global][i >> 6] |= bit;
	used->any[global] |= 1ull << (i >> 6);
}

static void unuse(struct x86_tlb_used *used, unsigned i)
{
	used->word[0][i >> 6] &= ~(1ull << (i & 63));
	used->word[1][i >> 6] &= ~(1ull << (i & 63));
}

/* Walks the set bits, of the entries that are global or of the others. */
struct used_walk {
	const uint64_t *word;
	uint64_t words, bits;
	unsigned base;
};

static struct used_walk used_first(const struct x86_tlb_used *used, unsigned global)
{
	return (struct used_walk){.word = used->word[global], .words = used->any[global]};
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

static void used_clear(struct x86_tlb_used *used, unsigned global)
{
	for (uint64_t words = used->any[global]; words; words &= words - 1)
		used->word[global][__builtin_ctzll(words)] = 0;
	used->any[global] = 0;
}

/* ---- flushes */

static void flush_kind(struct x86_cpu *cpu, unsigned global)
{
	unsigned i;

	for (unsigned m = 0; m < X86_MMU_COUNT; m++) {
		struct used_walk w = used_first(&cpu->tlb_used[m], global);
		while (used_next(&w, &i))
			tlb_drop(&cpu->tlb[m], i);
		used_clear(&cpu->tlb_used[m], global);
	}
	struct used_walk w = used_first(&cpu->itlb_used, global);
	while (used_next(&w, &i))
		cpu->itlb.tag[i] = X86_TLB_INVALID;
	used_clear(&cpu->itlb_used, global);
}

void x86_tlb_flush_all(struct x86_cpu *cpu)
{
	flush_begin(cpu, true);
	flush_kind(cpu, 0);
	flush_kind(cpu, 1);
	cpu->tlb_large_lo = UINT64_MAX;
	cpu->tlb_large_hi = 0;
	cpu->ram.len = 0;
}

void x86_tlb_flush_nonglobal(struct x86_cpu *cpu)
{
	flush_begin(cpu, false);
	flush_kind(cpu, 0);
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
}

/* Drop every piece of a large page in the same gigabyte: the largest page there is. */
static void flush_large(struct x86_cpu *cpu, uint64_t lin, unsigned global)
{
	unsigned i;

	for (unsigned m = 0; m < X86_MMU_COUNT; m++) {
		struct x86_tlb *t = &cpu->tlb[m];
		struct used_walk w = used_first(&cpu->tlb_used[m], global);
		while (used_next(&w, &i)) {
			if ((t->gpa_global[i] & X86_TLB_LARGE) &&
			    (t->tag_read[i] ^ lin) >> 30 == 0) {
				tlb_drop(t, i);
				unuse(&cpu->tlb_used[m], i);
			}
		}
	}
	struct used_walk w = used_first(&cpu->itlb_used, global);
	while (used_next(&w, &i)) {
		if ((cpu->itlb.gpa[i] & X86_TLB_LARGE) && (cpu->itlb.tag[i] ^ lin) >> 30 == 0) {
			cpu->itlb.tag[i] = X86_TLB_INVALID;
			unuse(&cpu->itlb_used, i);
		}
	}
}

void x86_tlb_flush_page(struct x86_cpu *cpu, uint64_t lin)
{
	uint64_t page = lin & ~PAGE_OFFSET_MASK;
	unsigned i = x86_tlb_index(lin), n = x86_itlb_index(lin);

	flush_begin(cpu, lin >> 63);
	for (unsigned m = 0; m < X86_MMU_COUNT; m++) {
		if ((cpu->tlb[m].tag_read[i] & ~X86_TLB_SLOW) == page) {
			tlb_drop(&cpu->tlb[m], i);
			unuse(&cpu->tlb_used[m], i);
		}
	}
	if ((cpu->itlb.tag[n] & ~1ull) == page) {
		cpu->itlb.tag[n] = X86_TLB_INVALID;
		unuse(&cpu->itlb_used, n);
	}
	if (lin >= cpu->tlb_large_lo && lin <= cpu->tlb_large_hi) {
		flush_large(cpu, lin, 0);
		flush_large(cpu, lin, 1);
	}
}

static void protect_kind(struct x86_tlb *t, const struct x86_tlb_used *used, unsigned global,
			 uint64_t gpa_page)
{
	struct used_walk w = used_first(used, global);
	unsigned i;

	while (used_next(&w, &i))
		if ((t->gpa_global[i] & ~PAGE_OFFSET_MASK) == gpa_page &&
		    !(t->tag_write[i] & PAGE_OFFSET_MASK))
			t->tag_write[i] |= X86_TLB_SLOW;
}

void x86_tlb_protect_gpa(struct x86_cpu *cpu, uint64_t gpa_page)
{
	for (unsigned m = 0; m < X86_MMU_COUNT; m++) {
		protect_kind(&cpu->tlb[m], &cpu->tlb_used[m], 0, gpa_page);
		protect_kind(&cpu->tlb[m], &cpu->tlb_used[m], 1, gpa_page);
	}
}
