/*
 * Page walks: none, 32-bit (4 KiB and 4 MiB pages, PSE-36), PAE, and 4-level paging with 2 MiB and
 * 1 GiB pages. Rights, reserved bits, error codes, accessed and dirty bits: SDM vol. 3, 4.3 to 4.8.
 *
 * Left out on purpose: 5-level paging (not offered), protection keys, caches of upper-level
 * entries. Entries that lie outside RAM read as all ones. An accessed bit is set only by a walk
 * that succeeds.
 */
#include "isa/x86/mmu.h"

#include "isa/x86/cpuid.h"
#include "isa/x86/mode.h"

enum {
	PTE_P = 1 << 0,
	PTE_W = 1 << 1,
	PTE_U = 1 << 2,
	PTE_A = 1 << 5,
	PTE_D = 1 << 6,
	PTE_PS = 1 << 7,
	PTE_G = 1 << 8,
};
#define PTE_NX	      BIT(63)
#define PTE_ADDR      0x000ffffffffff000ull /* bits 51-12 */
#define PHYS_RESERVED (PTE_ADDR & ~bits_mask(X86_PHYS_BITS))

enum { /* #PF error code */
       PF_P = 1 << 0,
       PF_W = 1 << 1,
       PF_U = 1 << 2,
       PF_RSVD = 1 << 3,
       PF_I = 1 << 4,
};

enum { WALK_LEVELS_MAX = 4 };

/* One walk in progress. */
struct walk {
	struct x86_cpu *cpu;
	uint64_t lin;
	enum x86_access access;
	bool user, smap;
	bool wide;  /* 8-byte entries */
	bool long4; /* 4-level: upper bits 62-52 ignored, 1 GiB pages */
	unsigned count;
	struct {
		uint64_t gpa, value;
		uint8_t *hva; /* NULL outside writable RAM */
	} entry[WALK_LEVELS_MAX];
	uint64_t rights; /* PTE_W and PTE_U of all levels; PTE_NX of any */
	uint64_t page_bytes, page_gpa;
};

static bool cpu_has(const struct x86_cpu *cpu, enum x86_feat f)
{
	return !cpu->cpuid || x86_has(cpu->cpuid, f);
}

static bool nx_on(const struct x86_cpu *cpu)
{
	return (cpu->efer & X86_EFER_NXE) && (cpu->cr4 & X86_CR4_PAE);
}

/* Access type bits of the error code; P and RSVD are the caller's. */
static uint32_t error_bits(const struct walk *w)
{
	uint32_t e = 0;

	if (w->access == X86_WRITE)
		e |= PF_W;
	if (w->user)
		e |= PF_U;
	if (w->access == X86_EXEC && (nx_on(w->cpu) || (w->cpu->cr4 & X86_CR4_SMEP)))
		e |= PF_I;
	return e;
}

static uint64_t entry_read(struct walk *w, uint64_t gpa)
{
	const struct space *s = w->cpu->space;
	int i = space_ram_index(s, gpa);
	unsigned n = w->count++;
	uint64_t v = w->wide ? ~0ull : 0xffffffff;

	w->entry[n].gpa = gpa;
	w->entry[n].hva = NULL;
	if (i >= 0) {
		uint8_t *p = s->ram[i].hva + (gpa - s->ram[i].base);
		v = w->wide ? __atomic_load_n((uint64_t *)p, __ATOMIC_RELAXED)
			    : __atomic_load_n((uint32_t *)p, __ATOMIC_RELAXED);
		if (!s->ram[i].readonly)
			w->entry[n].hva = p;
	}
	w->entry[n].value = v;
	return v;
}

static uint64_t reserved_bits(const struct walk *w, bool leaf_large, uint64_t page_bytes)
{
	uint64_t r = PHYS_RESERVED;

	if (!w->wide) {
		if (!leaf_large)
			return 0;
		/* PSE-36: bits 20-13 are address bits 39-32. */
		return cpu_has(w->cpu, X86_FEAT_PSE36) ? BIT(21) : 0x3fe000;
	}
	if (!w->long4)
		r |= 0x7ff0000000000000ull;
	if (!(w->cpu->efer & X86_EFER_NXE))
		r |= PTE_NX;
	if (leaf_large)
		r |= (page_bytes - 1) & ~0x1fffull;
	return r;
}

/* Is this non-last level's entry a page itself? *reserved is set if its PS bit may not be. */
static bool is_large(const struct walk *w, uint64_t e, unsigned shift, bool *reserved)
{
	*reserved = false;
	if (!(e & PTE_PS))
		return false;
	if (!w->wide)
		return w->cpu->cr4 & X86_CR4_PSE;
	if (shift == 21)
		return true;
	if (shift == 30 && cpu_has(w->cpu, X86_FEAT_PDPE1GB))
		return true;
	*reserved = true;
	return false;
}

static void leaf(struct walk *w, uint64_t e, unsigned shift)
{
	uint64_t base;

	w->page_bytes = 1ull << shift;
	base = e & (w->wide ? PTE_ADDR : 0xfffff000) & ~(w->page_bytes - 1);
	if (!w->wide && shift == 22)
		base |= bits_get(e, 20, 13) << 32;
	w->page_gpa = base + (w->lin & (w->page_bytes - 1));
}

/* Walk from a table at gpa `table`, the first level indexed at bit `shift`. */
static bool walk_levels(struct walk *w, uint64_t table, unsigned shift, uint32_t *err)
{
	unsigned bits = w->wide ? 9 : 10, bytes = w->wide ? 8 : 4;

	for (;; shift -= bits) {
		uint64_t e =
			entry_read(w, table + bits_get(w->lin, shift + bits - 1, shift) * bytes);
		bool bad = false, large = shift > PAGE_BITS && is_large(w, e, shift, &bad);
		if (!(e & PTE_P)) {
			*err = error_bits(w);
			return false;
		}
		if (bad || (e & reserved_bits(w, large, 1ull << shift))) {
			*err = error_bits(w) | PF_P | PF_RSVD;
			return false;
		}
		w->rights = (w->rights & e & (PTE_W | PTE_U)) | ((w->rights | e) & PTE_NX);
		if (large || shift == PAGE_BITS) {
			leaf(w, e, shift);
			return true;
		}
		table = e & (w->wide ? PTE_ADDR : 0xfffff000);
	}
}

static bool walk_tables(struct walk *w, uint32_t *err)
{
	const struct x86_cpu *cpu = w->cpu;

	w->count = 0;
	w->rights = PTE_W | PTE_U;
	w->wide = cpu->cr4 & X86_CR4_PAE;
	w->long4 = x86_long_mode(cpu);
	if (w->long4)
		return walk_levels(w, cpu->cr3 & PTE_ADDR, 39, err);
	w->lin &= 0xffffffff;
	if (!w->wide)
		return walk_levels(w, cpu->cr3 & 0xfffff000, 22, err);
	uint64_t pdpte = cpu->pdpte[w->lin >> 30];
	if (!(pdpte & PTE_P)) {
		*err = error_bits(w);
		return false;
	}
	return walk_levels(w, pdpte & PTE_ADDR & bits_mask(X86_PHYS_BITS), 21, err);
}

static bool may_write(const struct walk *w)
{
	return (w->rights & PTE_W) || (!w->user && !(w->cpu->cr0 & X86_CR0_WP));
}

static bool may_execute(const struct walk *w)
{
	if ((w->rights & PTE_NX) && nx_on(w->cpu))
		return false;
	return w->user || !(w->rights & PTE_U) || !(w->cpu->cr4 & X86_CR4_SMEP);
}

static bool allowed(const struct walk *w)
{
	if (w->user && !(w->rights & PTE_U))
		return false;
	if (w->access == X86_EXEC)
		return may_execute(w);
	if (w->smap && (w->rights & PTE_U))
		return false;
	return w->access == X86_READ || may_write(w);
}

/* Set bits in entry n if it is still what was read. False: another CPU changed it, walk again. */
static bool entry_mark(struct walk *w, unsigned n, uint64_t set)
{
	struct space *s = w->cpu->space;
	uint64_t old = w->entry[n].value, now = old | set;
	uint8_t *p = w->entry[n].hva;

	if (old == now || !p)
		return true;
	if (w->wide) {
		if (!__atomic_compare_exchange_n((uint64_t *)p, &old, now, false, __ATOMIC_SEQ_CST,
						 __ATOMIC_SEQ_CST))
			return false;
	} else {
		uint32_t old32 = (uint32_t)old;
		if (!__atomic_compare_exchange_n((uint32_t *)p, &old32, (uint32_t)now, false,
						 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			return false;
	}
	w->entry[n].value = now;
	unsigned flags = space_page_flags(s, w->entry[n].gpa);
	if (!(flags & PAGE_DIRTY))
		space_page_flags_set(s, w->entry[n].gpa, PAGE_DIRTY);
	if (flags & PAGE_CODE)
		space_code_written(s, w->entry[n].gpa, w->wide ? 8 : 4);
	return true;
}

static bool mark_used(struct walk *w)
{
	for (unsigned n = 0; n < w->count; n++) {
		bool last = n == w->count - 1;
		uint64_t set = PTE_A | (last && w->access == X86_WRITE ? PTE_D : 0);
		if (!entry_mark(w, n, set))
			return false;
	}
	return true;
}

static void walk_result(const struct walk *w, struct x86_walk *out)
{
	uint64_t e = w->entry[w->count - 1].value;

	out->gpa = w->page_gpa;
	out->page_bytes = w->page_bytes;
	out->writable = may_write(w) && !(w->smap && (w->rights & PTE_U));
	out->user = w->rights & PTE_U;
	out->executable = may_execute(w);
	out->global = (e & PTE_G) && (w->cpu->cr4 & X86_CR4_PGE);
	out->dirty = e & PTE_D;
}

/* The walk that is nearly all walks: 4-level paging, tables in plain RAM, allowed, with nothing
 * left to mark. False: take the long way, which does all of it and finds what is wrong. */
static bool walk_quick(struct walk *w)
{
	struct x86_cpu *cpu = w->cpu;
	uint64_t e, table = cpu->cr3 & PTE_ADDR;
	uint64_t bad = PHYS_RESERVED | (cpu->efer & X86_EFER_NXE ? 0 : PTE_NX);
	unsigned shift = 39;

	w->rights = PTE_W | PTE_U;
	for (;; shift -= 9) {
		if (!x86_ram_window(cpu, table))
			return false;
		e = __atomic_load_n((uint64_t *)(cpu->ram.hva + (table - cpu->ram.base)) +
					    bits_get(w->lin, shift + 8, shift),
				    __ATOMIC_RELAXED);
		if ((e & (PTE_P | PTE_A | bad)) != (PTE_P | PTE_A))
			return false;
		w->rights = (w->rights & e & (PTE_W | PTE_U)) | ((w->rights | e) & PTE_NX);
		if (shift == PAGE_BITS)
			break;
		if (e & PTE_PS) {
			bool good = shift == 21 || (shift == 30 && cpu_has(cpu, X86_FEAT_PDPE1GB));
			if (!good || (e & bits_mask(shift) & ~0x1fffull))
				return false;
			break;
		}
		table = e & PTE_ADDR;
	}
	if (!allowed(w) || (w->access == X86_WRITE && !(e & PTE_D)))
		return false;
	w->wide = true;
	w->count = 1;
	w->entry[0].value = e;
	leaf(w, e, shift);
	return true;
}

bool x86_mmu_walk(struct x86_cpu *cpu, uint64_t lin, enum x86_access a, enum x86_mmu_index mmu,
		  struct x86_walk *out)
{
	struct walk w;
	uint32_t err;

	w.cpu = cpu;
	w.lin = lin;
	w.access = a;
	w.user = mmu == X86_MMU_USER;
	w.smap = mmu == X86_MMU_KERNEL_SMAP;
	if (x86_long_mode(cpu) && walk_quick(&w)) {
		walk_result(&w, out);
		return true;
	}

	if (!(cpu->cr0 & X86_CR0_PG)) {
		*out = (struct x86_walk){.gpa = lin & 0xffffffff,
					 .page_bytes = PAGE_BYTES,
					 .writable = true,
					 .user = true,
					 .executable = true,
					 .dirty = true};
		return true;
	}
	do {
		if (!walk_tables(&w, &err))
			goto fault;
		if (!allowed(&w)) {
			err = error_bits(&w) | PF_P;
			goto fault;
		}
	} while (!mark_used(&w));
	walk_result(&w, out);
	return true;
fault:
	x86_fault_raise_error(cpu, X86_FAULT_PF, err);
	cpu->fault.cr2 = lin;
	return false;
}

bool x86_mmu_probe(struct x86_cpu *cpu, uint64_t lin, uint64_t *gpa)
{
	struct walk w = {.cpu = cpu, .lin = lin, .access = X86_READ};
	uint32_t err;

	if (!(cpu->cr0 & X86_CR0_PG)) {
		*gpa = lin & 0xffffffff;
		return true;
	}
	if (x86_long_mode(cpu) && !x86_canonical(lin))
		return false;
	if (!walk_tables(&w, &err))
		return false;
	*gpa = w.page_gpa;
	return true;
}

bool x86_pdpte_load(struct x86_cpu *cpu, uint64_t cr3)
{
	const uint64_t reserved = 0x1e6 | ~bits_mask(X86_PHYS_BITS);
	uint64_t e[4];

	/* The table is 32-byte aligned: it lies in one page. Outside RAM it reads as all ones. */
	if (!space_read(cpu->space, cr3 & 0xffffffe0, e, sizeof(e)))
		return x86_fault_raise_error(cpu, X86_FAULT_GP, 0);
	for (unsigned i = 0; i < 4; i++)
		if ((e[i] & PTE_P) && (e[i] & reserved))
			return x86_fault_raise_error(cpu, X86_FAULT_GP, 0);
	for (unsigned i = 0; i < 4; i++)
		cpu->pdpte[i] = e[i];
	return true;
}
