/*
 * Paging and linear memory: rights, error codes and accessed/dirty bits of every table format
 * against a plain restatement of SDM vol. 3, 4.6 and 4.7; TLB flushes; crossings, devices, code
 * pages.
 */
#include "test.h"

#include "base/bits.h"
#include "host/host.h"
#include "isa/x86/control.h"
#include "isa/x86/cpuid.h"
#include "isa/x86/mmu.h"
#include "isa/x86/mode.h"

enum {
	P = 1,
	W = 2,
	U = 4,
	A = 0x20,
	D = 0x40,
	PS = 0x80,
	G = 0x100,
	RAM_BYTES = 0x800000,
	LIN = 0x40603000, /* 4-level: 0, 1, 3, 3; PAE: 1, 3, 3; 32-bit: 0x101, 0x203 */
	ROOT = 0x1000,
	T2 = 0x2000,
	T3 = 0x3000,
	T4 = 0x4000,
	PAGE = 0x400000,
};
#define NX BIT(63)

enum form { LEGACY_4K, LEGACY_4M, PAE_4K, PAE_2M, LONG_4K, LONG_2M, LONG_1G, FORMS };

static struct space s;
static struct x86_cpuid_model model;
static struct x86_cpu cpu;
static uint8_t *ram;

static int setup(void **state)
{
	(void)state;
	ram = host_ram_map(RAM_BYTES);
	space_init(&s, NULL, NULL, TRACE_MMIO);
	memset(&cpu, 0, sizeof(cpu));
	cpu.space = &s;
	cpu.cpuid = &model;
	cpu.apic_page = ~0ull;
	x86_cpu_reset(&cpu);
	return space_map_ram(&s, 0, RAM_BYTES, ram, false) ||
	       x86_cpuid_model_parse(&model, "max", 1, NULL);
}

static int teardown(void **state)
{
	(void)state;
	space_destroy(&s);
	host_ram_unmap(ram, RAM_BYTES);
	return 0;
}

static void put64(uint64_t gpa, uint64_t v)
{
	store_le64(ram + gpa, v);
}

static uint64_t get64(uint64_t gpa)
{
	return load_le64(ram + gpa);
}

static void put32(uint64_t gpa, uint32_t v)
{
	store_le32(ram + gpa, v);
}

/* Where the leaf entry for LIN lies, by form; and the gpa LIN maps to. */
static const struct {
	uint64_t leaf, gpa;
	bool wide;
} forms[FORMS] = {
	[LEGACY_4K] = {T2 + 0x203 * 4, PAGE, false},
	[LEGACY_4M] = {ROOT + 0x101 * 4, PAGE + 0x203000, false},
	[PAE_4K] = {T3 + 3 * 8, PAGE, true},
	[PAE_2M] = {T2 + 3 * 8, PAGE + 0x3000, true},
	[LONG_4K] = {T4 + 3 * 8, PAGE, true},
	[LONG_2M] = {T3 + 3 * 8, PAGE + 0x3000, true},
	[LONG_1G] = {T2 + 1 * 8, 0x603000, true},
};

static void set_leaf(enum form f, uint64_t flags)
{
	uint64_t large = f == LEGACY_4M || f == PAE_2M || f == LONG_2M || f == LONG_1G ? PS : 0;
	uint64_t e = flags | large | (f == LONG_1G ? 0 : PAGE);

	if (forms[f].wide)
		put64(forms[f].leaf, e);
	else
		put32(forms[f].leaf, (uint32_t)e);
}

static uint64_t get_leaf(enum form f)
{
	return forms[f].wide ? get64(forms[f].leaf) : load_le32(ram + forms[f].leaf);
}

static void enter(enum form f)
{
	memset(ram, 0, 0x5000);
	cpu.cr0 = X86_CR0_PE | X86_CR0_PG | X86_CR0_WP;
	cpu.cr3 = ROOT;
	cpu.cr4 = X86_CR4_PSE | X86_CR4_PGE | (forms[f].wide ? X86_CR4_PAE : 0);
	cpu.efer = f >= LONG_4K ? X86_EFER_LME | X86_EFER_LMA : 0;
	cpu.seg[X86_CS].attr = f >= LONG_4K ? 0x209b : 0x409b;
	if (f == LEGACY_4K) {
		put32(ROOT + 0x101 * 4, T2 | P | W | U);
	} else if (f == PAE_4K || f == PAE_2M) {
		put64(ROOT + 8, T2 | P);
		put64(T2 + 3 * 8, T3 | P | W | U);
		assert_true(x86_pdpte_load(&cpu, ROOT));
	} else if (f >= LONG_4K) {
		put64(ROOT, T2 | P | W | U);
		put64(T2 + 8, T3 | P | W | U);
		put64(T3 + 3 * 8, T4 | P | W | U);
	}
	set_leaf(f, P | W | U);
	x86_mode_update(&cpu);
	x86_tlb_flush_all(&cpu);
}

/* ---- rights */

struct want {
	bool ok;
	uint32_t err;
};

static struct want expect(uint64_t e, enum x86_access a, enum x86_mmu_index mmu, bool wide)
{
	bool user = mmu == X86_MMU_USER, nxe = wide && (cpu.efer & X86_EFER_NXE);
	bool smep = cpu.cr4 & X86_CR4_SMEP, wp = cpu.cr0 & X86_CR0_WP;
	struct want w = {true, (a == X86_WRITE ? 2u : 0) | (user ? 4u : 0) |
				       (a == X86_EXEC && (nxe || smep) ? 16u : 0)};

	if (!(e & P)) {
		w.ok = false;
		return w;
	}
	w.err |= 1;
	if ((e & NX) && !nxe) {
		w.err |= 8;
		w.ok = false;
		return w;
	}
	if (user && !(e & U))
		w.ok = false;
	if (a == X86_WRITE && !(e & W) && (user || wp))
		w.ok = false;
	if (a == X86_EXEC && ((e & NX) || (smep && !user && (e & U))))
		w.ok = false;
	if (a != X86_EXEC && mmu == X86_MMU_KERNEL_SMAP && (e & U))
		w.ok = false;
	return w;
}

static void try_one(enum form f, uint64_t flags, enum x86_access a, enum x86_mmu_index mmu)
{
	struct want want = expect(flags, a, mmu, forms[f].wide);
	struct x86_walk out;

	set_leaf(f, flags);
	cpu.fault.vector = -1;
	bool ok = x86_mmu_walk(&cpu, LIN + 0x123, a, mmu, &out);
	assert_int_equal(ok, want.ok);
	uint64_t leaf = get_leaf(f);
	if (ok) {
		assert_int_equal(out.gpa, forms[f].gpa + 0x123);
		assert_true(leaf & A);
		assert_int_equal(!!(leaf & D), a == X86_WRITE);
		assert_int_equal(out.user, !!(flags & U));
		return;
	}
	assert_int_equal(cpu.fault.vector, X86_FAULT_PF);
	assert_true(cpu.fault.has_error);
	assert_int_equal(cpu.fault.error, want.err);
	assert_int_equal(cpu.fault.cr2, LIN + 0x123);
	assert_false(leaf & (A | D)); /* only a permitted access marks */
}

/* The same with every mark already there, which is the walker's short way: nothing changes. */
static void try_marked(enum form f, uint64_t flags, enum x86_access a, enum x86_mmu_index mmu)
{
	struct want want = expect(flags, a, mmu, forms[f].wide);
	struct x86_walk out;

	set_leaf(f, flags | A | D);
	uint64_t leaf = get_leaf(f);
	cpu.fault.vector = -1;
	assert_int_equal(x86_mmu_walk(&cpu, LIN + 0x123, a, mmu, &out), want.ok);
	assert_true(get_leaf(f) == leaf);
	if (want.ok) {
		assert_int_equal(out.gpa, forms[f].gpa + 0x123);
		assert_true(out.dirty);
		assert_int_equal(out.user, !!(flags & U));
		assert_int_equal(cpu.fault.vector, -1);
	} else {
		assert_int_equal(cpu.fault.error, want.err);
	}
}

static void rights_matrix(void **state)
{
	(void)state;
	for (enum form f = 0; f < FORMS; f++) {
		enter(f);
		uint64_t cr0 = cpu.cr0, cr4 = cpu.cr4, efer = cpu.efer;
		for (unsigned k = 0; k < 1u << 7; k++) {
			uint64_t flags = (k & 7) | (k & 8 && forms[f].wide ? NX : 0);
			cpu.cr0 = k & 16 ? cr0 : cr0 & ~(uint64_t)X86_CR0_WP;
			cpu.cr4 = cr4 | (k & 32 ? X86_CR4_SMEP | X86_CR4_SMAP : 0);
			cpu.efer = efer | (k & 64 ? X86_EFER_NXE : 0);
			for (enum x86_access a = X86_READ; a <= X86_EXEC; a++)
				for (enum x86_mmu_index m = 0; m < X86_MMU_COUNT; m++)
					if (a != X86_EXEC || m != X86_MMU_KERNEL_SMAP) {
						try_one(f, flags, a, m);
						try_marked(f, flags, a, m);
					}
		}
	}
}

/* Rights are those that every level gives; NX is what any level takes. */
static void rights_combine(void **state)
{
	struct x86_walk out;

	(void)state;
	enter(LONG_4K);
	cpu.efer |= X86_EFER_NXE;
	put64(T2 + 8, T3 | P | U); /* not writable */
	assert_false(x86_mmu_walk(&cpu, LIN, X86_WRITE, X86_MMU_USER, &out));
	assert_int_equal(cpu.fault.error, 7);
	assert_false(get64(ROOT) & A);
	assert_true(x86_mmu_walk(&cpu, LIN, X86_READ, X86_MMU_USER, &out));
	assert_false(out.writable);
	assert_true(get64(ROOT) & A && get64(T2 + 8) & A && get64(T3 + 24) & A);
	put64(T3 + 3 * 8, T4 | P | W); /* supervisor */
	assert_false(x86_mmu_walk(&cpu, LIN, X86_READ, X86_MMU_USER, &out));
	assert_int_equal(cpu.fault.error, 5);
	put64(T3 + 3 * 8, T4 | P | W | U | NX);
	assert_false(x86_mmu_walk(&cpu, LIN, X86_EXEC, X86_MMU_USER, &out));
	assert_int_equal(cpu.fault.error, 0x15);
	put64(ROOT, 0);
	assert_false(x86_mmu_walk(&cpu, LIN, X86_READ, X86_MMU_KERNEL, &out));
	assert_int_equal(cpu.fault.error, 0);
}

static void reserved(enum form f, uint64_t gpa, uint64_t bit, bool bad)
{
	struct x86_walk out;
	uint64_t old = get64(gpa);

	for (uint64_t e = ROOT; e < 0x5000; e += 8) /* marked: the short way must see it too */
		if (get64(e) && forms[f].wide && f >= LONG_4K)
			put64(e, get64(e) | A | D);
	put64(gpa, get64(gpa) | bit);
	bool ok = x86_mmu_walk(&cpu, LIN, X86_READ, X86_MMU_USER, &out);
	if (ok == bad)
		fail_msg("form %d entry %llx bit %llx", (int)f, (unsigned long long)gpa,
			 (unsigned long long)bit);
	if (bad)
		assert_int_equal(cpu.fault.error, 0xd);
	put64(gpa, old);
}

static void reserved_bits(void **state)
{
	(void)state;
	enter(LONG_4K);
	reserved(LONG_4K, forms[LONG_4K].leaf, BIT(40), true);
	reserved(LONG_4K, forms[LONG_4K].leaf, BIT(51), true);
	reserved(LONG_4K, forms[LONG_4K].leaf, BIT(52), false); /* ignored */
	reserved(LONG_4K, forms[LONG_4K].leaf, NX, true);	/* NXE off */
	reserved(LONG_4K, forms[LONG_4K].leaf, PS, false);	/* PAT */
	reserved(LONG_4K, ROOT, PS, true);
	reserved(LONG_4K, T2 + 8, BIT(45), true);
	enter(LONG_2M);
	reserved(LONG_2M, forms[LONG_2M].leaf, BIT(13), true);
	reserved(LONG_2M, forms[LONG_2M].leaf, BIT(12), false); /* PAT */
	enter(LONG_1G);
	reserved(LONG_1G, forms[LONG_1G].leaf, BIT(29), true);
	assert_int_equal(x86_cpuid_model_parse(&model, "max,-pdpe1gb", 1, NULL), 0);
	reserved(LONG_1G, forms[LONG_1G].leaf, 0, true);
	enter(PAE_4K);
	reserved(PAE_4K, forms[PAE_4K].leaf, BIT(52), true);
	enter(LEGACY_4M);
	reserved(LEGACY_4M, forms[LEGACY_4M].leaf, BIT(21), true);
	reserved(LEGACY_4M, forms[LEGACY_4M].leaf, BIT(12), false);
}

static void pse_forms(void **state)
{
	struct x86_walk out;

	(void)state;
	enter(LEGACY_4M); /* PSE-36: bits 20-13 are address bits 39-32 */
	put32(forms[LEGACY_4M].leaf, P | PS | PAGE | 0x12 << 13);
	assert_true(x86_mmu_walk(&cpu, LIN, X86_READ, X86_MMU_KERNEL, &out));
	assert_true(out.gpa == 0x1200000000ull + PAGE + 0x203000);
	cpu.cr4 &= ~(uint64_t)X86_CR4_PSE; /* without PSE the bit is ignored */
	put32(forms[LEGACY_4M].leaf, P | PS | T2);
	put32(T2 + 0x203 * 4, P | PAGE);
	assert_true(x86_mmu_walk(&cpu, LIN, X86_READ, X86_MMU_KERNEL, &out));
	assert_int_equal(out.gpa, PAGE);
}

static void pdpte_checks(void **state)
{
	struct x86_walk out;

	(void)state;
	enter(PAE_4K);
	put64(ROOT + 16, P | 0x5000 | W); /* W is reserved here */
	assert_false(x86_pdpte_load(&cpu, ROOT));
	assert_int_equal(cpu.fault.vector, X86_FAULT_GP);
	put64(ROOT + 16, 0x5000 | W); /* not present: anything goes */
	assert_true(x86_pdpte_load(&cpu, ROOT));
	put64(ROOT + 8, 0); /* changed in memory, not reloaded: still in force */
	assert_true(x86_mmu_walk(&cpu, LIN, X86_READ, X86_MMU_USER, &out));
	assert_true(x86_pdpte_load(&cpu, ROOT));
	assert_false(x86_mmu_walk(&cpu, LIN, X86_READ, X86_MMU_USER, &out));
	assert_int_equal(cpu.fault.error, 4);
	assert_false(x86_pdpte_load(&cpu, 0xfff00000)); /* no RAM there */
}

static void tables_in_holes(void **state)
{
	struct x86_walk out;

	(void)state;
	for (enum form f = 0; f < FORMS; f++) {
		enter(f);
		if (f == PAE_4K || f == PAE_2M)
			continue;
		cpu.cr3 = 0xfffff000;
		assert_false(x86_mmu_walk(&cpu, LIN, X86_READ, X86_MMU_KERNEL, &out));
		assert_int_equal(cpu.fault.error, 9);
	}
}

static void probe_changes_nothing(void **state)
{
	uint64_t gpa;

	(void)state;
	enter(LONG_4K);
	set_leaf(LONG_4K, P);
	assert_true(x86_mmu_probe(&cpu, LIN + 5, &gpa));
	assert_int_equal(gpa, PAGE + 5);
	assert_false(get_leaf(LONG_4K) & A);
	assert_false(x86_mmu_probe(&cpu, LIN + 0x1000, &gpa));
	assert_false(x86_mmu_probe(&cpu, 0x800000000000, &gpa));
	assert_int_equal(cpu.fault.vector, -1);
}

/* ---- access */

static bool rd(uint64_t lin, void *buf, unsigned n)
{
	return x86_mem_read(&cpu, lin, buf, n, X86_MMU_KERNEL, 0);
}

static bool wr(uint64_t lin, const void *buf, unsigned n)
{
	return x86_mem_write(&cpu, lin, buf, n, X86_MMU_KERNEL, 0);
}

static uint64_t tag_read(uint64_t lin)
{
	return cpu.tlb[X86_MMU_KERNEL].entry[x86_tlb_index(lin)].tag_read;
}

static uint64_t tag_write(uint64_t lin)
{
	return cpu.tlb[X86_MMU_KERNEL].entry[x86_tlb_index(lin)].tag_write;
}

static uint64_t addend(uint64_t lin)
{
	return cpu.tlb[X86_MMU_KERNEL].entry[x86_tlb_index(lin)].addend;
}

static void tlb_fill_rules(void **state)
{
	uint64_t v = 0;

	(void)state;
	enter(LONG_4K);
	assert_true(rd(LIN, &v, 8));
	assert_int_equal(tag_read(LIN), LIN);
	assert_int_equal(tag_write(LIN), X86_TLB_INVALID); /* not dirty yet */
	assert_true(wr(LIN, &v, 8));
	assert_int_equal(tag_write(LIN), LIN);
	assert_ptr_equal((uint8_t *)(uintptr_t)(LIN + addend(LIN)), ram + PAGE);
	assert_true(get_leaf(LONG_4K) & D);
	uint64_t fills = cpu.counter[COUNTER_TLB_FILLS];
	assert_true(wr(LIN + 8, &v, 8));
	assert_int_equal(cpu.counter[COUNTER_TLB_FILLS], fills);
	/* Marked as code: no fast writes; and back. */
	space_page_flags_set(&s, PAGE, PAGE_CODE);
	x86_tlb_protect_gpa(&cpu, PAGE);
	assert_int_equal(tag_write(LIN), LIN | X86_TLB_SLOW);
	assert_int_equal(tag_read(LIN), LIN);
	x86_tlb_flush_all(&cpu);
	assert_true(wr(LIN, &v, 8));
	assert_int_equal(tag_write(LIN), LIN | X86_TLB_SLOW);
	space_page_flags_clear(&s, PAGE, PAGE_CODE);
	assert_true(wr(LIN, &v, 8));
	assert_int_equal(tag_write(LIN), LIN);
}

/* Pages of every size and reach: whoever clears PAGE_DIRTY is told of the next write. */
static void writes_forgotten(void **state)
{
	uint64_t v = 0;

	(void)state;
	for (enum form f = LONG_4K; f <= LONG_1G; f++) {
		for (unsigned global = 0; global < 2; global++) {
			uint64_t gpa = forms[f].gpa;

			enter(f);
			set_leaf(f, P | W | U | (global ? G : 0));
			assert_true(wr(LIN, &v, 8));
			space_page_flags_clear(&s, gpa, PAGE_DIRTY);
			x86_tlb_forget_writes(&cpu);
			assert_int_equal(tag_write(LIN), X86_TLB_INVALID);
			assert_true(wr(LIN, &v, 8));
			assert_true(space_page_flags(&s, gpa) & PAGE_DIRTY);
		}
	}
}

/* One page after another, each after looking at all that others may be written through. */
static void tlb_protects_each(void **state)
{
	const uint64_t alias =
		PAGE + X86_TLB_WRITES * 64 * PAGE_BYTES; /* looks the same at first */
	uint8_t b = 1;

	(void)state;
	enter(LONG_4K);
	put64(T4 + 4 * 8, (PAGE + 0x1000) | P | W | U | G);
	assert_true(wr(LIN, &b, 1) && wr(LIN + 0x1000, &b, 1));
	x86_tlb_protect_gpa(&cpu, alias);
	x86_tlb_protect_gpa(&cpu, PAGE + 0x2000);
	assert_int_equal(tag_write(LIN), LIN);
	assert_int_equal(tag_write(LIN + 0x1000), LIN + 0x1000);
	x86_tlb_protect_gpa(&cpu, PAGE);
	assert_int_equal(tag_write(LIN), LIN | X86_TLB_SLOW);
	assert_int_equal(tag_write(LIN + 0x1000), LIN + 0x1000);
	assert_true(wr(LIN, &b, 1)); /* no code yet: filled again */
	assert_int_equal(tag_write(LIN), LIN);
	x86_tlb_protect_gpa(&cpu, PAGE + 0x1000);
	assert_int_equal(tag_write(LIN + 0x1000), (LIN + 0x1000) | X86_TLB_SLOW);
	x86_tlb_protect_gpa(&cpu, PAGE);
	assert_int_equal(tag_write(LIN), LIN | X86_TLB_SLOW);
}

static void tlb_flushes(void **state)
{
	uint64_t gpa;
	uint8_t b;
	const uint8_t *hva;

	(void)state;
	enter(LONG_4K);
	put64(T4 + 4 * 8, (PAGE + 0x1000) | P | W | U | G);
	assert_true(rd(LIN, &b, 1) && rd(LIN + 0x1000, &b, 1));
	assert_true(x86_mmu_fetch_page(&cpu, LIN, &gpa, &hva));
	assert_int_equal(gpa, PAGE);
	assert_ptr_equal(hva, ram + PAGE);
	x86_tlb_flush_nonglobal(&cpu);
	assert_int_equal(tag_read(LIN), X86_TLB_INVALID);
	assert_int_equal(tag_read(LIN + 0x1000), LIN + 0x1000);
	/* What is kept must still go with the next full flush. */
	x86_tlb_flush_all(&cpu);
	assert_int_equal(tag_read(LIN + 0x1000), X86_TLB_INVALID);
	/* A changed entry is seen after INVLPG, for data and fetch. */
	assert_true(rd(LIN, &b, 1) && x86_mmu_fetch_page(&cpu, LIN, &gpa, &hva));
	ram[PAGE + 0x2000] = 0x99;
	put64(T4 + 3 * 8, (PAGE + 0x2000) | P | W | U);
	x86_tlb_flush_page(&cpu, LIN + 0x1000);
	assert_true(rd(LIN, &b, 1) && b != 0x99);
	x86_tlb_flush_page(&cpu, LIN + 0xabc);
	assert_true(rd(LIN, &b, 1) && b == 0x99);
	assert_true(x86_mmu_fetch_page(&cpu, LIN, &gpa, &hva));
	assert_int_equal(gpa, PAGE + 0x2000);
}

static void invlpg_of_large_page(void **state)
{
	uint64_t gpa;
	uint8_t b;
	const uint8_t *hva;

	(void)state;
	enter(LONG_2M);
	assert_true(rd(LIN, &b, 1) && rd(LIN + 0x5000, &b, 1));
	assert_true(x86_mmu_fetch_page(&cpu, LIN + 0x5000, &gpa, &hva));
	put64(forms[LONG_2M].leaf, 0);
	x86_tlb_flush_page(&cpu, LIN - 0x3000); /* any address of the page will do */
	assert_false(rd(LIN, &b, 1));
	assert_false(rd(LIN + 0x5000, &b, 1));
	assert_false(x86_mmu_fetch_page(&cpu, LIN + 0x5000, &gpa, &hva));
}

static unsigned jump_flushes;

static void count_flush(void *engine, bool global)
{
	(void)engine, (void)global;
	jump_flushes++;
}

static void flushed(uint64_t lin, unsigned want)
{
	jump_flushes = 0;
	x86_tlb_flush_page(&cpu, lin);
	assert_int_equal(jump_flushes, want);
}

/* An engine's jump caches hear of INVLPG only where code has been fetched since they last did. */
static void invlpg_of_data(void **state)
{
	uint64_t gpa;
	uint8_t b;
	const uint8_t *hva;

	(void)state;
	enter(LONG_4K);
	put64(T4 + 4 * 8, (PAGE + 0x1000) | P | W | U);
	cpu.flush_jumps = count_flush;
	x86_tlb_flush_all(&cpu);
	assert_true(rd(LIN, &b, 1) && rd(LIN + 0x1000, &b, 1));
	flushed(LIN, 0);
	assert_true(x86_mmu_fetch_page(&cpu, LIN + 4, &gpa, &hva));
	flushed(LIN + 0x1000, 0);
	flushed(LIN + 8, 1);
	flushed(LIN, 0); /* nothing fetched since */
	assert_true(x86_mmu_fetch_page(&cpu, LIN, &gpa, &hva));
	assert_true(x86_mmu_fetch_page(&cpu, LIN + 0x1000, &gpa, &hva));
	flushed(LIN, 1);
	/* Told of one, caches forget all; a fetch that the TLB itself answers counts again. */
	assert_true(x86_mmu_fetch_page(&cpu, LIN + 0x1000, &gpa, &hva));
	flushed(LIN + 0x1000, 1);
	flushed(0xffffffff80000000, 1); /* the upper half is not told apart */
	enter(LONG_2M);
	assert_true(x86_mmu_fetch_page(&cpu, LIN + 0x5000, &gpa, &hva));
	flushed(LIN, 1);
	flushed(LIN, 0);
}

/* The number that names an address space comes back exactly when what was cached may be kept. */
static void contexts(void **state)
{
	uint64_t first, second;

	(void)state;
	enter(LONG_4K);
	first = cpu.context;
	assert_true(first);
	assert_true(x86_cr3_write(&cpu, ROOT));
	assert_true(cpu.context != first); /* no PCIDs: never */
	assert_true(x86_cr4_write(&cpu, cpu.cr4 | X86_CR4_PCIDE));
	assert_true(x86_cr3_write(&cpu, ROOT | 1));
	first = cpu.context;
	assert_true(x86_cr3_write(&cpu, ROOT | 2 | BIT(63)));
	second = cpu.context; /* nothing was kept of 2 */
	assert_true(second != first);
	assert_true(x86_cr3_write(&cpu, ROOT | 1 | BIT(63)));
	assert_true(cpu.context == first);
	assert_true(x86_cr3_write(&cpu, ROOT | 2));
	assert_true(cpu.context != second && cpu.context != first);
	second = cpu.context;
	x86_tlb_drop_pcid(&cpu, 1);
	assert_true(x86_cr3_write(&cpu, ROOT | 1 | BIT(63)));
	assert_true(cpu.context > second);
	x86_tlb_flush_page(&cpu, LIN); /* no code was fetched there */
	assert_true(x86_cr3_write(&cpu, ROOT | 2 | BIT(63)));
	assert_true(cpu.context == second);
	x86_jumps_forget(&cpu);
	assert_true(cpu.context > second);
	second = cpu.context;
	assert_true(x86_cr3_write(&cpu, ROOT | 1 | BIT(63)));
	assert_true(cpu.context > second);
	/* Entries of the TLB itself are never another context's. */
	uint8_t b;
	assert_true(rd(LIN, &b, 1));
	assert_true(x86_cr3_write(&cpu, ROOT | 2 | BIT(63)));
	assert_int_equal(tag_read(LIN), X86_TLB_INVALID);
}

/* Large pages and small ones, global and not, in one entry after the other. */
static void kinds_of_entries(void **state)
{
	uint64_t small = LIN + ((uint64_t)X86_TLB_SIZE << 12);
	uint8_t b;

	(void)state;
	for (unsigned k = 0; k < 4; k++) {
		enter(LONG_2M);
		assert_true(x86_tlb_index(small) == x86_tlb_index(LIN));
		put64(T3 + bits_get(small, 29, 21) * 8, T4 | P | W | U);
		put64(T4 + bits_get(small, 20, 12) * 8, PAGE | P | W | U | (k & 1 ? G : 0));
		set_leaf(LONG_2M, P | W | U | (k & 2 ? G : 0));
		assert_true(rd(small, &b, 1) && rd(LIN, &b, 1));
		x86_tlb_flush_nonglobal(&cpu);
		assert_int_equal(tag_read(LIN), k & 2 ? LIN : X86_TLB_INVALID);
		assert_true(rd(LIN, &b, 1) && rd(small, &b, 1));
		x86_tlb_flush_nonglobal(&cpu);
		assert_int_equal(tag_read(small), k & 1 ? small : X86_TLB_INVALID);
		assert_true(rd(LIN, &b, 1));
		x86_tlb_flush_page(&cpu, small); /* not within the range of large pages */
		assert_int_equal(tag_read(LIN), LIN);
		assert_true(rd(LIN, &b, 1));
		x86_tlb_flush_page(&cpu, LIN + 0x1000);
		assert_int_equal(tag_read(LIN), X86_TLB_INVALID);
		assert_true(rd(small, &b, 1));
		x86_tlb_flush_page(&cpu, LIN);
		assert_int_equal(tag_read(small), small);
		x86_tlb_flush_all(&cpu);
		assert_int_equal(tag_read(small), X86_TLB_INVALID);
	}
}

static void crossing_pages(void **state)
{
	uint8_t out[32], in[32];

	(void)state;
	enter(LONG_4K);
	put64(T4 + 4 * 8, (PAGE + 0x5000) | P | W | U); /* not adjacent in RAM */
	for (unsigned i = 0; i < 32; i++)
		in[i] = (uint8_t)(i + 1);
	for (unsigned n = 2; n <= 32; n++)
		for (unsigned first = 1; first < n; first++) {
			memset(out, 0, sizeof(out));
			assert_true(wr(LIN + 0x1000 - first, in, n));
			assert_true(rd(LIN + 0x1000 - first, out, n));
			assert_memory_equal(in, out, n);
			assert_int_equal(ram[PAGE + 0xfff], first);
			assert_int_equal(ram[PAGE + 0x5000], first + 1);
		}
	/* Second page read-only: nothing is written, cr2 is its start. */
	put64(T4 + 4 * 8, (PAGE + 0x5000) | P | U);
	x86_tlb_flush_all(&cpu);
	ram[PAGE + 0xfff] = 0x77;
	assert_false(wr(LIN + 0xffe, in, 4));
	assert_int_equal(ram[PAGE + 0xfff], 0x77);
	assert_int_equal(cpu.fault.cr2, LIN + 0x1000);
	assert_int_equal(cpu.fault.error, 3);
	assert_false(x86_mem_check_write(&cpu, LIN + 0xffe, 4, X86_MMU_KERNEL, 0));
	assert_true(x86_mem_check_write(&cpu, LIN + 0xffc, 4, X86_MMU_KERNEL, 0));
	/* A read that will be written back faults as a write. */
	assert_false(x86_mem_read(&cpu, LIN + 0x1000, out, 4, X86_MMU_KERNEL, X86_MEM_RMW));
	assert_int_equal(cpu.fault.error, 3);
}

static void addresses(void **state)
{
	uint64_t v;

	(void)state;
	enter(LONG_4K);
	assert_false(rd(0x7fffffffffff, &v, 2));
	assert_int_equal(cpu.fault.vector, X86_FAULT_GP);
	assert_false(x86_mem_read(&cpu, 0x800000000000, &v, 8, X86_MMU_KERNEL, X86_MEM_STACK));
	assert_int_equal(cpu.fault.vector, X86_FAULT_SS);
	assert_int_equal(cpu.fault.error, 0);
	assert_false(x86_mem_read(&cpu, LIN + 8, &v, 16, X86_MMU_KERNEL, X86_MEM_ALIGN16));
	assert_int_equal(cpu.fault.vector, X86_FAULT_GP);
	/* No paging: 4 GiB and around. */
	x86_cpu_reset(&cpu);
	ram[0] = 0x5a;
	assert_true(rd(0xffffffff, &v, 2));
	assert_int_equal((uint8_t)(v >> 8), 0x5a);
	assert_true(rd(0x100000000, &v, 1));
	assert_int_equal((uint8_t)v, 0x5a);
}

static void alignment_check(void **state)
{
	uint64_t v = 0;

	(void)state;
	enter(LONG_4K);
	cpu.cr0 |= X86_CR0_AM;
	cpu.rflags |= X86_AC;
	cpu.seg[X86_SS].attr |= X86_SEG_DPL;
	x86_mode_update(&cpu);
	assert_false(x86_mem_read(&cpu, LIN + 1, &v, 2, X86_MMU_USER, 0));
	assert_int_equal(cpu.fault.vector, X86_FAULT_AC);
	assert_true(x86_mem_read(&cpu, LIN + 1, &v, 2, X86_MMU_USER, X86_MEM_NOAC));
	assert_true(x86_mem_read(&cpu, LIN + 1, &v, 2, X86_MMU_KERNEL, 0));
	assert_true(x86_mem_read(&cpu, LIN + 8, &v, 8, X86_MMU_USER, 0));
	assert_false(x86_mem_read(&cpu, LIN + 4, &v, 8, X86_MMU_USER, 0));
	/* Nothing was filled that the fast path could match. */
	assert_int_equal(cpu.tlb[X86_MMU_USER].entry[x86_tlb_index(LIN)].tag_read,
			 LIN | X86_TLB_SLOW);
}

static void data_breakpoints(void **state)
{
	uint64_t v = 0;

	(void)state;
	enter(LONG_4K);
	cpu.dr[0] = LIN + 8;
	cpu.dr[1] = LIN + 0x20;
	cpu.dr[7] = 0x1 | 0x4 | 0xd0000 /* 0: write, 4 bytes */ | 0xb00000 /* 1: any, 8 bytes */;
	x86_mode_update(&cpu);
	assert_true(rd(LIN + 8, &v, 8));
	assert_int_equal(cpu.pending_db, 0);
	assert_true(wr(LIN + 4, &v, 4));
	assert_int_equal(cpu.pending_db, 0);
	assert_true(wr(LIN + 11, &v, 1));
	assert_int_equal(cpu.pending_db, 1);
	assert_true(rd(LIN + 0x27, &v, 1));
	assert_int_equal(cpu.pending_db, 3);
	uint64_t run;
	assert_null(x86_mem_direct(&cpu, LIN, X86_READ, X86_MMU_KERNEL, &run));
	cpu.dr[7] = 0;
	x86_mode_update(&cpu);
	assert_non_null(x86_mem_direct(&cpu, LIN, X86_READ, X86_MMU_KERNEL, &run));
}

/* ---- what is not plain RAM */

static uint64_t last_value;
static unsigned io_count;

static uint64_t dev_read(void *opaque, uint64_t offset, unsigned bytes)
{
	(void)opaque;
	io_count++;
	return 0x8877665544332211ull >> (offset % 8 * 8) & bits_mask(bytes * 8);
}

static void dev_write(void *opaque, uint64_t offset, uint64_t value, unsigned bytes)
{
	(void)opaque, (void)offset, (void)bytes;
	io_count++;
	last_value = value;
}

static const struct io_ops dev_ops = {dev_read, dev_write, 8};

static uint32_t apic_read(void *opaque, struct x86_cpu *c, uint32_t offset)
{
	(void)opaque, (void)c;
	return 0x11000000 | offset;
}

static void apic_write(void *opaque, struct x86_cpu *c, uint32_t offset, uint32_t value)
{
	(void)opaque, (void)c, (void)offset;
	last_value = value;
}

static void devices_and_apic(void **state)
{
	static const struct x86_platform platform = {.apic_read = apic_read,
						     .apic_write = apic_write};
	uint64_t v[2], run;
	bool slow;

	(void)state;
	assert_int_equal(space_map_io(&s, "dev", 0xf0000000, 0x1000, &dev_ops, NULL), 0);
	io_count = 0;
	assert_true(rd(0xf0000000, v, 16));
	assert_true(v[1] == 0x8877665544332211ull);
	assert_int_equal(io_count, 2);
	assert_int_equal(tag_read(0xf0000000), 0xf0000000 | X86_TLB_SLOW);
	v[0] = 0x1234;
	assert_true(wr(0xf0000000, v, 4));
	assert_int_equal(last_value, 0x1234);
	assert_int_equal(cpu.counter[COUNTER_MMIO_READS], 1);
	assert_null(x86_mem_atomic_ptr(&cpu, 0xf0000000, 4, X86_MMU_KERNEL, 0, &slow));
	assert_true(slow);
	assert_null(x86_mem_direct(&cpu, 0xf0000000, X86_READ, X86_MMU_KERNEL, &run));
	cpu.platform = &platform;
	cpu.apic_page = 0xfee00000;
	v[0] = 0;
	assert_true(rd(0xfee00021, v, 1));
	assert_int_equal(v[0], 0x00);
	assert_true(rd(0xfee00020, v, 4));
	assert_int_equal(v[0], 0x11000020);
	assert_true(wr(0xfee000b0, v, 4));
	assert_int_equal(last_value, 0x11000020);
}

static struct {
	unsigned count;
	uint64_t gpa;
} heard;

static void hear(void *opaque, uint64_t gpa, size_t len)
{
	(void)opaque, (void)len;
	heard.count++;
	heard.gpa = gpa;
}

static void code_pages(void **state)
{
	uint64_t v = 0x1234, run;
	bool slow;

	(void)state;
	heard.count = 0;
	space_listen(&s, hear, NULL);
	space_code_hold(&s, PAGE);
	space_code_mark(&s, PAGE + 0x100, 0x20);
	cpu.code_lo = PAGE + 0x100;
	cpu.code_hi = PAGE + 0x120;
	cpu.exit_code = 0;
	/* Into the running block: restart, nothing written. */
	assert_false(wr(PAGE + 0xff, &v, 2));
	assert_int_equal(cpu.exit_code, X86_EXIT_RESTART);
	assert_int_equal(ram[PAGE + 0xff], 0);
	cpu.exit_code = 0;
	assert_false(x86_mem_check_write(&cpu, PAGE + 0x11f, 1, X86_MMU_KERNEL, 0));
	assert_int_equal(cpu.exit_code, X86_EXIT_RESTART);
	cpu.exit_code = 0;
	assert_int_equal(heard.count, 0);
	/* Beside it: written and announced. */
	assert_true(wr(PAGE + 0x120, &v, 2));
	assert_int_equal(heard.count, 1);
	assert_int_equal(heard.gpa, PAGE + 0x120);
	assert_int_equal(cpu.counter[COUNTER_SELF_MODIFY], 1);
	/* In another line: written, and nobody need know. */
	assert_true(wr(PAGE + 0x140, &v, 2));
	assert_int_equal(ram[PAGE + 0x140], 0x34);
	assert_int_equal(heard.count, 1);
	assert_null(x86_mem_direct(&cpu, PAGE, X86_WRITE, X86_MMU_KERNEL, &run));
	assert_non_null(x86_mem_direct(&cpu, PAGE + 8, X86_READ, X86_MMU_KERNEL, &run));
	assert_int_equal(run, 0xff8);
	assert_null(x86_mem_atomic_ptr(&cpu, PAGE, 4, X86_MMU_KERNEL, 0, &slow));
	assert_true(slow);
	cpu.alone = true;
	assert_true(wr(PAGE + 0x100, &v, 2));
	assert_int_equal(ram[PAGE + 0x100], 0x34);
}

/* A device region that comes or goes is seen after a flush, by the data and by the tables. */
static void changed_map(void **state)
{
	uint8_t b = 1;

	(void)state;
	enter(LONG_4K);
	ram[PAGE] = 0x21;
	assert_true(wr(LIN + 1, &b, 1) && rd(LIN, &b, 1));
	assert_int_equal(b, 0x21);
	assert_int_equal(space_map_io(&s, "hole", PAGE, 0x1000, &dev_ops, NULL), 0);
	x86_tlb_flush_all(&cpu);
	assert_true(rd(LIN, &b, 1));
	assert_true(tag_read(LIN) & X86_TLB_SLOW);
	space_io_place(&s, space_find_io(&s, "hole"), 0, false);
	x86_tlb_flush_all(&cpu);
	assert_true(rd(LIN, &b, 1));
	assert_int_equal(b, 0x21);
}

static void atomic_pointers(void **state)
{
	bool slow = true;

	(void)state;
	enter(LONG_4K);
	assert_ptr_equal(x86_mem_atomic_ptr(&cpu, LIN + 8, 8, X86_MMU_KERNEL, 0, &slow),
			 ram + PAGE + 8);
	assert_true(get_leaf(LONG_4K) & D);
	assert_null(x86_mem_atomic_ptr(&cpu, LIN + 9, 8, X86_MMU_KERNEL, 0, &slow));
	assert_true(slow);
	assert_null(x86_mem_atomic_ptr(&cpu, LIN + 0x9000, 8, X86_MMU_KERNEL, 0, &slow));
	assert_false(slow);
	assert_int_equal(cpu.fault.error, 2);
}

/* Hardware marking of a table that holds cached code is announced, and only then. */
static void marks_announce_code(void **state)
{
	uint8_t b;

	(void)state;
	enter(LONG_4K);
	heard.count = 0;
	space_listen(&s, hear, NULL);
	space_page_flags_set(&s, T4, PAGE_CODE);
	assert_true(rd(LIN, &b, 1));
	assert_int_equal(heard.count, 1);
	assert_int_equal(heard.gpa, forms[LONG_4K].leaf);
	x86_tlb_flush_all(&cpu);
	assert_true(rd(LIN, &b, 1)); /* nothing left to mark */
	assert_int_equal(heard.count, 1);
}

static void rom_and_system(void **state)
{
	uint8_t *rom = host_ram_map(0x1000), b = 1;

	(void)state;
	assert_int_equal(space_map_ram(&s, 0xffff0000, 0x1000, rom, true), 0);
	assert_true(wr(0xffff0000, &b, 1));
	assert_int_equal(rom[0], 0);
	assert_int_equal(tag_read(0xffff0000), 0xffff0000);
	assert_true(tag_write(0xffff0000) & X86_TLB_SLOW);
	/* System structures: supervisor rights at CPL 3, SMAP always. */
	enter(LONG_4K);
	set_leaf(LONG_4K, P | W);
	cpu.seg[X86_SS].attr |= X86_SEG_DPL;
	cpu.cr4 |= X86_CR4_SMAP;
	cpu.rflags |= X86_AC;
	x86_mode_update(&cpu);
	assert_true(x86_sys_read(&cpu, LIN + 3, &b, 1));
	assert_true(x86_sys_write(&cpu, LIN + 3, &b, 1));
	set_leaf(LONG_4K, P | W | U);
	x86_tlb_flush_all(&cpu);
	assert_false(x86_sys_read(&cpu, LIN, &b, 1));
	assert_int_equal(cpu.fault.error, 1);
	x86_tlb_flush_all(&cpu);
	host_ram_unmap(rom, 0x1000);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rights_matrix),
		TEST(rights_combine),
		TEST(reserved_bits),
		TEST(pse_forms),
		TEST(pdpte_checks),
		TEST(tables_in_holes),
		TEST(probe_changes_nothing),
		TEST(tlb_fill_rules),
		TEST(writes_forgotten),
		TEST(tlb_protects_each),
		TEST(tlb_flushes),
		TEST(invlpg_of_large_page),
		TEST(invlpg_of_data),
		TEST(contexts),
		TEST(kinds_of_entries),
		TEST(crossing_pages),
		TEST(addresses),
		TEST(alignment_check),
		TEST(data_breakpoints),
		TEST(devices_and_apic),
		TEST(code_pages),
		TEST(changed_map),
		TEST(atomic_pointers),
		TEST(marks_announce_code),
		TEST(rom_and_system),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
