/*
 * Linear memory: paging in all its forms, the TLB, and memory access for helpers.
 * SDM vol. 3, chapter 4. All functions that can fault return false with cpu->fault set and no
 * state changed (an access that crosses a page checks both pages before it touches either).
 */
#ifndef ISA_X86_MMU_H
#define ISA_X86_MMU_H

#include "isa/x86/cpu.h"

enum x86_access { X86_READ = 0, X86_WRITE = 1, X86_EXEC = 2 };

/* Extra facts of an access; they travel in the IR memory op's flags. */
enum {
	X86_MEM_STACK = 1 << 0,	  /* a non-canonical address is #SS, not #GP */
	X86_MEM_RMW = 1 << 1,	  /* a read that will be written back: check as a write */
	X86_MEM_ALIGN16 = 1 << 2, /* #GP(0) unless 16-byte aligned (SSE operands) */
	X86_MEM_ALIGN32 = 1 << 3,
	X86_MEM_NOAC = 1 << 4, /* exempt from alignment checking */
};

/* Translate without a TLB: *gpa, and the page's rights. For fetch, debuggers and explain. */
struct x86_walk {
	uint64_t gpa;
	uint64_t page_bytes;
	bool writable, user, executable, global, dirty;
};
bool x86_mmu_walk(struct x86_cpu *cpu, uint64_t lin, enum x86_access a, enum x86_mmu_index mmu,
		  struct x86_walk *out);
/* As above for a debugger: no fault recorded, no accessed or dirty bits set. */
bool x86_mmu_probe(struct x86_cpu *cpu, uint64_t lin, uint64_t *gpa);

/* PAE paging: read the four page-directory-pointer entries that cr3 points to into cpu->pdpte. For
 * MOV to CR3, CR0 and CR4, as the last check before they commit: #GP(0) and nothing changed if a
 * present entry has reserved bits set (SDM vol. 3, 4.4.1). */
bool x86_pdpte_load(struct x86_cpu *cpu, uint64_t cr3);

/* Physical page for an instruction fetch at lin with the CPU's current privilege; *hva is the
 * page's host address or NULL when it is not RAM. */
bool x86_mmu_fetch_page(struct x86_cpu *cpu, uint64_t lin, uint64_t *gpa_page, const uint8_t **hva);

/* The slow path behind an engine's inline TLB probe: any size 1..32, any alignment, devices, code
 * pages, faults. Fills the TLB. flags: X86_MEM_*. */
bool x86_mem_read(struct x86_cpu *cpu, uint64_t lin, void *buf, unsigned bytes,
		  enum x86_mmu_index mmu, unsigned flags);
bool x86_mem_write(struct x86_cpu *cpu, uint64_t lin, const void *buf, unsigned bytes,
		   enum x86_mmu_index mmu, unsigned flags);
/* Check that a write of bytes at lin would succeed, changing nothing but accessed/dirty bits. Also
 * false, with X86_EXIT_RESTART, where the write itself would say so. */
bool x86_mem_check_write(struct x86_cpu *cpu, uint64_t lin, unsigned bytes, enum x86_mmu_index mmu,
			 unsigned flags);
/* Host pointer for a locked operation of bytes at lin (aligned, in one writable RAM page without
 * cached code), or NULL with *slow: true = take the slow way under engine exclusion (set exit_code
 * X86_EXIT_EXCLUSIVE; when cpu->exclusive is already set: x86_mem_read with X86_MEM_RMW, then
 * x86_mem_write); false = fault or restart, exit_code is set. */
void *x86_mem_atomic_ptr(struct x86_cpu *cpu, uint64_t lin, unsigned bytes, enum x86_mmu_index mmu,
			 unsigned flags, bool *slow);

/* Host pointer to [lin, lin+*run) where *run bytes up to the page end are plain RAM with the right
 * access (and, for writes, hold no cached code); NULL if not plain (no fault recorded). For string
 * instructions that work a page at a time. Fills the TLB. */
uint8_t *x86_mem_direct(struct x86_cpu *cpu, uint64_t lin, enum x86_access a,
			enum x86_mmu_index mmu, uint64_t *run);

/* After that found nothing for writing: the same for a page of plain RAM that does hold code,
 * unless the running block may lie in it. *gpa is the byte's; what was written is told to
 * x86_mem_stored before anything else is done. */
uint8_t *x86_mem_direct_code(struct x86_cpu *cpu, uint64_t lin, enum x86_mmu_index mmu,
			     uint64_t *gpa);
void x86_mem_stored(struct x86_cpu *cpu, uint64_t gpa, size_t len);

/* System-structure access (descriptor tables, TSS): supervisor rights whatever the CPL. */
bool x86_sys_read(struct x86_cpu *cpu, uint64_t lin, void *buf, unsigned bytes);
bool x86_sys_write(struct x86_cpu *cpu, uint64_t lin, const void *buf, unsigned bytes);

/* An empty TLB in fresh memory. */
void x86_tlb_init(struct x86_cpu *cpu);
/* For what fills the TLB: note that entry i was filled with a piece of such a page. */
void x86_tlb_use(struct x86_cpu *cpu, struct x86_tlb_used *used, unsigned i, uint64_t lin,
		 const struct x86_walk *w);

/* The same: note that some entry gives the right to write to gpa's page of RAM right away. */
void x86_tlb_note_write(struct x86_cpu *cpu, uint64_t gpa);

/* TLB maintenance. flush_page drops both data and instruction entries for lin. */
void x86_tlb_flush_all(struct x86_cpu *cpu); /* global entries too */
void x86_tlb_flush_nonglobal(struct x86_cpu *cpu);
void x86_tlb_flush_page(struct x86_cpu *cpu, uint64_t lin);
/* After a write of CR3: go over to the address space in it. The TLB itself knows no PCIDs and is
 * emptied but for global entries; keep (PCIDs only) has what cpu->context names be good again. */
void x86_tlb_switch(struct x86_cpu *cpu, bool keep);
/* Forget what is remembered of a PCID other than the current one. */
void x86_tlb_drop_pcid(struct x86_cpu *cpu, unsigned pcid);
/* Have all caches keyed by the linear address of code be stale, in all contexts. */
void x86_jumps_forget(struct x86_cpu *cpu);
/* Drop write rights for a physical page in this CPU's TLB (it now holds cached code). */
void x86_tlb_protect_gpa(struct x86_cpu *cpu, uint64_t gpa_page);
/* Drop write rights for all RAM: the next write to each page sets PAGE_DIRTY again. */
void x86_tlb_forget_writes(struct x86_cpu *cpu);

/* Have cpu->ram hold gpa; false where there is no plain RAM. */
static inline bool x86_ram_window(struct x86_cpu *cpu, uint64_t gpa)
{
	return LIKELY(gpa - cpu->ram.base < cpu->ram.len) ||
	       space_ram_window(cpu->space, gpa, &cpu->ram);
}

static inline unsigned x86_pcid(const struct x86_cpu *cpu)
{
	return cpu->cr4 & X86_CR4_PCIDE ? cpu->cr3 & 0xfff : 0;
}

static inline bool x86_canonical(uint64_t lin)
{
	return (uint64_t)bits_sext(lin, 48) == lin;
}

#endif
