/*
 * Emptying the TLB, whole and in part (SDM vol. 3, 4.10.4). A bit per group of entries says where
 * fills happened since the last flush, so a context switch pays for what was used. Large pages lie
 * in here as 4 KiB pieces; INVLPG within the range where such pieces were filled drops all pieces
 * of that gigabyte. Filling is in mem.c.
 */
#include "isa/x86/mmu.h"

static void flush_begin(struct x86_cpu *cpu, bool global)
{
	cpu->counter[COUNTER_TLB_FLUSHES]++;
	if (cpu->flush_jumps)
		cpu->flush_jumps(cpu->engine, global);
}

static void drop(struct x86_tlb_entry *e)
{
	e->tag_read = X86_TLB_INVALID;
	e->tag_write = X86_TLB_INVALID;
}

static bool entry_live(const struct x86_tlb_entry *e)
{
	return e->tag_read != X86_TLB_INVALID || e->tag_write != X86_TLB_INVALID;
}

/* Drop the entries of the used groups that have none of the keep bits; returns the groups that
 * still hold something. */
static uint64_t flush_table(struct x86_tlb_entry *tlb, uint64_t used, uint64_t keep)
{
	uint64_t left = 0;

	for (; used; used &= used - 1) {
		unsigned group = (unsigned)__builtin_ctzll(used);
		struct x86_tlb_entry *e = &tlb[group * X86_TLB_GROUP];
		for (unsigned i = 0; i < X86_TLB_GROUP; i++) {
			if (!(e[i].gpa_global & keep))
				drop(&e[i]);
			else if (entry_live(&e[i]))
				left |= 1ull << group;
		}
	}
	return left;
}

static uint64_t flush_itable(struct x86_itlb_entry *itlb, uint64_t used, uint64_t keep)
{
	uint64_t left = 0;

	for (; used; used &= used - 1) {
		unsigned group = (unsigned)__builtin_ctzll(used);
		struct x86_itlb_entry *e = &itlb[group * X86_ITLB_GROUP];
		for (unsigned i = 0; i < X86_ITLB_GROUP; i++) {
			if (!(e[i].gpa & keep))
				e[i].tag = X86_TLB_INVALID;
			else if (e[i].tag != X86_TLB_INVALID)
				left |= 1ull << group;
		}
	}
	return left;
}

static void flush_keeping(struct x86_cpu *cpu, uint64_t keep)
{
	flush_begin(cpu, !keep);
	for (unsigned m = 0; m < X86_MMU_COUNT; m++)
		cpu->tlb_used[m] = flush_table(cpu->tlb[m], cpu->tlb_used[m], keep);
	cpu->itlb_used = flush_itable(cpu->itlb, cpu->itlb_used, keep);
}

void x86_tlb_flush_all(struct x86_cpu *cpu)
{
	flush_keeping(cpu, 0);
	cpu->tlb_large_lo = UINT64_MAX;
	cpu->tlb_large_hi = 0;
}

void x86_tlb_flush_nonglobal(struct x86_cpu *cpu)
{
	flush_keeping(cpu, X86_TLB_GLOBAL);
}

/* Drop every piece of a large page in the same gigabyte: the largest page there is. */
static void flush_large(struct x86_cpu *cpu, uint64_t lin)
{
	for (unsigned m = 0; m < X86_MMU_COUNT; m++) {
		for (uint64_t used = cpu->tlb_used[m]; used; used &= used - 1) {
			unsigned at = (unsigned)__builtin_ctzll(used) * X86_TLB_GROUP;
			struct x86_tlb_entry *e = &cpu->tlb[m][at];
			for (unsigned i = 0; i < X86_TLB_GROUP; i++) {
				uint64_t tag = e[i].tag_read != X86_TLB_INVALID ? e[i].tag_read
										: e[i].tag_write;
				if ((e[i].gpa_global & X86_TLB_LARGE) && (tag ^ lin) >> 30 == 0)
					drop(&e[i]);
			}
		}
	}
	for (uint64_t used = cpu->itlb_used; used; used &= used - 1) {
		struct x86_itlb_entry *e =
			&cpu->itlb[(unsigned)__builtin_ctzll(used) * X86_ITLB_GROUP];
		for (unsigned i = 0; i < X86_ITLB_GROUP; i++)
			if ((e[i].gpa & X86_TLB_LARGE) && (e[i].tag ^ lin) >> 30 == 0)
				e[i].tag = X86_TLB_INVALID;
	}
}

void x86_tlb_flush_page(struct x86_cpu *cpu, uint64_t lin)
{
	uint64_t page = lin & ~PAGE_OFFSET_MASK;

	flush_begin(cpu, lin >> 63);
	for (unsigned m = 0; m < X86_MMU_COUNT; m++) {
		struct x86_tlb_entry *e = &cpu->tlb[m][(lin >> PAGE_BITS) & (X86_TLB_SIZE - 1)];
		if ((e->tag_read & ~PAGE_OFFSET_MASK) == page ||
		    (e->tag_write & ~PAGE_OFFSET_MASK) == page)
			drop(e);
	}
	struct x86_itlb_entry *i = &cpu->itlb[(lin >> PAGE_BITS) & (X86_ITLB_SIZE - 1)];
	if ((i->tag & ~PAGE_OFFSET_MASK) == page)
		i->tag = X86_TLB_INVALID;
	if (lin >= cpu->tlb_large_lo && lin <= cpu->tlb_large_hi)
		flush_large(cpu, lin);
}

void x86_tlb_protect_gpa(struct x86_cpu *cpu, uint64_t gpa_page)
{
	for (unsigned m = 0; m < X86_MMU_COUNT; m++) {
		for (uint64_t used = cpu->tlb_used[m]; used; used &= used - 1) {
			unsigned at = (unsigned)__builtin_ctzll(used) * X86_TLB_GROUP;
			struct x86_tlb_entry *e = &cpu->tlb[m][at];
			for (unsigned i = 0; i < X86_TLB_GROUP; i++)
				if ((e[i].gpa_global & ~PAGE_OFFSET_MASK) == gpa_page &&
				    !(e[i].tag_write & PAGE_OFFSET_MASK))
					e[i].tag_write |= X86_TLB_SLOW;
		}
	}
}
