/*
 * The x86-64 guest CPU: its whole architectural state, its TLB, and what it asks of the platform.
 * Owned by one CPU thread; fields marked "any thread" are atomics that others may touch.
 * IR `get`/`put` address this struct by byte offset (isa/x86/regs.c names the offsets).
 */
#ifndef ISA_X86_CPU_H
#define ISA_X86_CPU_H

#include <stdint.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/bits.h"
#include "base/counter.h"
#include "base/field.h"
#include "base/trace.h"
#include "mem/space.h"

enum x86_gpr {
	X86_RAX, X86_RCX, X86_RDX, X86_RBX, X86_RSP, X86_RBP, X86_RSI, X86_RDI,
	X86_R8, X86_R9, X86_R10, X86_R11, X86_R12, X86_R13, X86_R14, X86_R15,
};

enum x86_seg_index { X86_ES, X86_CS, X86_SS, X86_DS, X86_FS, X86_GS, X86_SEG_NONE };

/* RFLAGS (SDM vol. 1, 3.4.3) */
enum {
	X86_CF = 1u << 0, X86_PF = 1u << 2, X86_AF = 1u << 4, X86_ZF = 1u << 6, X86_SF = 1u << 7,
	X86_TF = 1u << 8, X86_IF = 1u << 9, X86_DF = 1u << 10, X86_OF = 1u << 11,
	X86_IOPL = 3u << 12, X86_NT = 1u << 14, X86_RF = 1u << 16, X86_VM = 1u << 17,
	X86_AC = 1u << 18, X86_VIF = 1u << 19, X86_VIP = 1u << 20, X86_ID = 1u << 21,
};
#define X86_ARITH_FLAGS (X86_CF | X86_PF | X86_AF | X86_ZF | X86_SF | X86_OF)

enum {
	X86_CR0_PE = 1u << 0, X86_CR0_MP = 1u << 1, X86_CR0_EM = 1u << 2, X86_CR0_TS = 1u << 3,
	X86_CR0_ET = 1u << 4, X86_CR0_NE = 1u << 5, X86_CR0_WP = 1u << 16, X86_CR0_AM = 1u << 18,
	X86_CR0_NW = 1u << 29, X86_CR0_CD = 1u << 30, X86_CR0_PG = 1u << 31,
};
enum {
	X86_CR4_VME = 1u << 0, X86_CR4_PVI = 1u << 1, X86_CR4_TSD = 1u << 2, X86_CR4_DE = 1u << 3,
	X86_CR4_PSE = 1u << 4, X86_CR4_PAE = 1u << 5, X86_CR4_MCE = 1u << 6, X86_CR4_PGE = 1u << 7,
	X86_CR4_PCE = 1u << 8, X86_CR4_OSFXSR = 1u << 9, X86_CR4_OSXMMEXCPT = 1u << 10,
	X86_CR4_UMIP = 1u << 11, X86_CR4_LA57 = 1u << 12, X86_CR4_FSGSBASE = 1u << 16,
	X86_CR4_PCIDE = 1u << 17, X86_CR4_OSXSAVE = 1u << 18, X86_CR4_SMEP = 1u << 20,
	X86_CR4_SMAP = 1u << 21,
};
enum {
	X86_EFER_SCE = 1u << 0, X86_EFER_LME = 1u << 8, X86_EFER_LMA = 1u << 10,
	X86_EFER_NXE = 1u << 11,
};

/* Exception vectors (SDM vol. 3, 6.15) */
enum x86_vector {
	X86_FAULT_DE = 0, X86_FAULT_DB = 1, X86_FAULT_NMI = 2, X86_FAULT_BP = 3, X86_FAULT_OF = 4,
	X86_FAULT_BR = 5, X86_FAULT_UD = 6, X86_FAULT_NM = 7, X86_FAULT_DF = 8, X86_FAULT_TS = 10,
	X86_FAULT_NP = 11, X86_FAULT_SS = 12, X86_FAULT_GP = 13, X86_FAULT_PF = 14,
	X86_FAULT_MF = 16, X86_FAULT_AC = 17, X86_FAULT_MC = 18, X86_FAULT_XM = 19,
};

/*
 * A segment register with its hidden part. attr has the layout of bytes 5-6 of a descriptor
 * (bits 8-23 of its second dword, shifted down by 8): type 0-3, S 4, DPL 5-6, P 7, AVL 12, L 13,
 * D/B 14, G 15. limit is expanded to bytes. A null selector loaded in protected mode has P clear.
 */
struct x86_seg {
	uint16_t sel;
	uint16_t attr;
	uint32_t limit;
	uint64_t base;
};
enum {
	X86_SEG_TYPE = 0xf, X86_SEG_ACCESSED = 1, X86_SEG_WRITE = 2 /* data: writable; code: readable */,
	X86_SEG_DOWN = 4 /* data: expand-down; code: conforming */, X86_SEG_CODE = 8,
	X86_SEG_S = 1 << 4, X86_SEG_DPL = 3 << 5, X86_SEG_P = 1 << 7, X86_SEG_L = 1 << 13,
	X86_SEG_DB = 1 << 14, X86_SEG_G = 1 << 15,
};

struct x86_table { /* GDTR, IDTR */
	uint64_t base;
	uint32_t limit;
};

/* An x87 register: 80-bit value; MMX register i is fpr[i].mant of physical register i. */
struct x86_fpr {
	uint64_t mant;
	uint16_t sexp;
	uint16_t pad[3];
};

union x86_vec { /* one YMM register; the XMM register is its low half */
	uint8_t u8[32];
	uint16_t u16[16];
	uint32_t u32[8];
	uint64_t u64[4];
} __attribute__((aligned(32)));

/*
 * Lazy arithmetic flags: operation kind and operands (ir/flags.h). cc_kind is IR_FLAGS_KEY(kind,
 * type); the six arithmetic flags are ir_flags_eval(cc_kind, cc_a, cc_b, cc_c). The other bits of
 * RFLAGS are in `rflags`, in which the six arithmetic bits are always 0 and bit 1 is always 1.
 */

/* What a block's meaning depends on beside its bytes; part of the block key. See mode.h. */
typedef uint32_t x86_mode_t;

enum { X86_TLB_BITS = 12, X86_TLB_SIZE = 1 << X86_TLB_BITS, X86_ITLB_SIZE = X86_TLB_SIZE };
enum { X86_TLB_WRITES = 256 };
/* MMU index: who is asking. SMAP: supervisor with user pages forbidden. */
enum x86_mmu_index { X86_MMU_USER, X86_MMU_KERNEL, X86_MMU_KERNEL_SMAP, X86_MMU_COUNT };

/*
 * The TLB of one MMU index. Fast path for an access of n bytes at linear address a:
 *   e = &tlb[mmu].entry[x86_tlb_index(a)];
 *   if (((a + n - 1) & ~0xfffull) == e->tag_read) host = (uint8_t *)(a + e->addend);
 * (an access that crosses the page never matches). Entries that need the slow path (device
 * memory, pages with cached code for writes) have X86_TLB_SLOW in the tag, so they never match.
 */
struct x86_tlb_entry {
	uint64_t tag_read, tag_write; /* linear page, or X86_TLB_INVALID */
	uint64_t addend;
	uint64_t gpa_global; /* page gpa | X86_TLB_GLOBAL and the like */
} __attribute__((aligned(32))); /* in one line of the host's cache */
struct x86_tlb {
	struct x86_tlb_entry entry[X86_TLB_SIZE];
};
#define X86_TLB_INVALID 0xfffull
/* In a tag's low bits: the translation and the right are good, but the fast path must not match
 * (device memory, ROM or code page writes, breakpoints, alignment checks). Above the bits of any
 * alignment, which a probe may leave in what it compares. */
#define X86_TLB_SLOW 0x800ull
/* In the low bits of gpa_global. */
#define X86_TLB_GLOBAL 1ull
#define X86_TLB_IO 2ull	   /* not RAM: addend has no meaning */
#define X86_TLB_ROM 4ull   /* writes are swallowed */
#define X86_TLB_LARGE 8ull /* part of a page larger than 4 KiB */

struct x86_itlb {
	uint64_t tag[X86_ITLB_SIZE];	   /* linear page | who (bit 0: user), or X86_TLB_INVALID */
	uint64_t gpa[X86_ITLB_SIZE];	   /* page | X86_TLB_GLOBAL and the like */
	const uint8_t *hva[X86_ITLB_SIZE]; /* NULL: code is fetched from a device region */
};

/* Which entries hold something, one bit each, so that a flush costs what was filled. By kind, so that
 * a context switch does not look at global ones, nor INVLPG at all that is not of a large page. `any`
 * has a bit for each word that may be nonzero. */
enum { X86_TLB_KIND_GLOBAL = 1, X86_TLB_KIND_LARGE = 2, X86_TLB_KINDS = 4 };
struct x86_tlb_used {
	uint64_t any[X86_TLB_KINDS];
	uint64_t word[X86_TLB_KINDS][X86_TLB_SIZE / 64];
};

/*
 * Where single accesses of generated code found their page last, so that an access in a loop need not
 * look it up. A row of entries for each MMU index, and in it for reads and writes; more than one access
 * may go by an entry. What is in here has been in the TLB with that right, and goes when anything
 * of the TLB goes. Generated code fills entries and notes them in site_used.
 */
enum { X86_SITE_ROW = 256, X86_SITES = 2 * X86_MMU_COUNT * X86_SITE_ROW };
struct x86_site {
	uint64_t tag;	 /* linear page, or X86_TLB_INVALID */
	uint64_t addend; /* 0: nothing is known */
	int64_t budget;	 /* cpu->budget when it was filled last */
	uint32_t used;	 /* it is in site_used */
	uint32_t strikes; /* times in a row that this was soon after the time before */
};

static inline unsigned x86_tlb_index(uint64_t lin)
{
	return (unsigned)(lin >> PAGE_BITS) & (X86_TLB_SIZE - 1);
}

static inline unsigned x86_itlb_index(uint64_t lin)
{
	return (unsigned)(lin >> PAGE_BITS) & (X86_ITLB_SIZE - 1);
}

/* An exception on its way. vector < 0: none. */
struct x86_fault {
	int32_t vector;
	uint32_t error;
	bool has_error;
	bool soft;	  /* INT n, INT3, INTO: pushes the next rip, checks gate DPL */
	uint64_t cr2;	  /* for #PF */
	uint64_t dr6;	  /* bits to set in DR6, for #DB */
};

/* Reasons to leave guest code, checked at every block boundary ("any thread"). */
enum {
	X86_REQ_INTR = 1 << 0,	  /* an external interrupt is waiting (level: platform clears) */
	X86_REQ_NMI = 1 << 1,
	X86_REQ_INIT = 1 << 2,
	X86_REQ_SIPI = 1 << 3,
	X86_REQ_STOP = 1 << 4,	  /* leave run() (pause, stop, timer work in counted mode) */
	X86_REQ_FLUSH_TLB = 1 << 5,  /* whole TLB: the space's map changed */
	X86_REQ_CODE = 1 << 6,	  /* engine: code invalidations queued by another thread */
	X86_REQ_RESET = 1 << 7,
	X86_REQ_SYNC = 1 << 8,	  /* engine: another CPU waits for us to pass a block boundary */
};

/* cpu->exit_code: why a helper or memory access abandoned the running block. Guest state is that
 * of the start of the guest instruction. */
enum {
	X86_EXIT_NONE,
	X86_EXIT_FAULT,	    /* cpu->fault is set */
	X86_EXIT_RESTART,   /* the rest of the block would be wrong (a store into it, an x87
			     * exception now pending, see also devices_alone): run this instruction
			     * alone */
	X86_EXIT_EXCLUSIVE, /* a locked access that host atomics cannot do: run alone, others stopped */
};

enum x86_activity { X86_RUNNING, X86_HALTED, X86_WAIT_SIPI, X86_SHUTDOWN };

struct x86_cpu;

/* What the CPU asks of the machine. All take the machine lock themselves where they need it. */
struct x86_platform {
	void *opaque;
	/* Highest pending vector, now acknowledged, or -1 (spurious). Clears X86_REQ_INTR if no more. */
	int (*intr_ack)(void *opaque, struct x86_cpu *cpu);
	/* Local APIC page and x2APIC MSRs (0x800-0x8ff); msr functions return false for #GP. */
	uint32_t (*apic_read)(void *opaque, struct x86_cpu *cpu, uint32_t offset);
	void (*apic_write)(void *opaque, struct x86_cpu *cpu, uint32_t offset, uint32_t value);
	bool (*apic_msr_read)(void *opaque, struct x86_cpu *cpu, uint32_t msr, uint64_t *value);
	bool (*apic_msr_write)(void *opaque, struct x86_cpu *cpu, uint32_t msr, uint64_t value);
	/* MSR_IA32_APICBASE; set returns false for an illegal transition (#GP). */
	uint64_t (*apic_base_get)(void *opaque, struct x86_cpu *cpu);
	bool (*apic_base_set)(void *opaque, struct x86_cpu *cpu, uint64_t value);
	/* CR8 <-> TPR bits 7-4. */
	unsigned (*tpr_get)(void *opaque, struct x86_cpu *cpu);
	void (*tpr_set)(void *opaque, struct x86_cpu *cpu, unsigned value);
	/* Virtual nanoseconds since power-on; the TSC runs at X86_TSC_HZ from it. */
	uint64_t (*now_ns)(void *opaque, struct x86_cpu *cpu);
	uint64_t (*tsc_deadline_get)(void *opaque, struct x86_cpu *cpu);
	void (*tsc_deadline_set)(void *opaque, struct x86_cpu *cpu, uint64_t tsc);
	/* kvmclock MSRs (0x11, 0x12, 0x4b564d00, 0x4b564d01); false: not there. */
	bool (*pv_msr_read)(void *opaque, struct x86_cpu *cpu, uint32_t msr, uint64_t *value);
	bool (*pv_msr_write)(void *opaque, struct x86_cpu *cpu, uint32_t msr, uint64_t value);
};

#define X86_TSC_HZ 1000000000ull /* one tick a nanosecond: stated in CPUID leaf 0x15 */
#define X86_APIC_BUS_HZ 1000000000ull /* local APIC timer input: the crystal of leaf 0x15 */
#define X86_PHYS_BITS 40	      /* physical address width, CPUID leaf 0x80000008 */

enum { X86_SCRATCH_BYTES = 8192 };

struct x86_cpuid_model; /* cpuid.h: what this CPU advertises */

struct x86_cpu {
	/* --- hot: at small offsets */
	uint64_t gpr[16];
	uint64_t rip;	   /* of the running block's first instruction while a block runs */
	uint64_t cc_a, cc_b, cc_c;
	uint32_t cc_kind;
	x86_mode_t mode;   /* derived: x86_mode_update() */
	uint64_t rflags;
	_Atomic uint32_t request; /* any thread: X86_REQ_* */
	uint32_t request_ignored; /* requests that cannot be acted on now (interrupts disabled) */
	uint32_t exit_code;	  /* X86_EXIT_*; nonzero after a helper: leave the block */
	int64_t budget;	   /* instructions this CPU may still run before it must return */
	struct x86_seg seg[6];

	/* --- vector and x87 */
	union x86_vec vec[16];
	uint32_t mxcsr;	   /* current only when the engine has synced: see fpu.h */
	struct x86_fpr fpr[8];
	uint16_t fcw, fsw;   /* fsw.TOP (11-13) is the top of stack */
	uint8_t ftag;	   /* abridged tag word: bit i set = physical register i in use */
	uint16_t fop, fcs, fds;
	uint64_t fip, fdp;

	/* --- system */
	struct x86_seg ldtr, tr;
	struct x86_table gdtr, idtr;
	uint64_t cr0, cr2, cr3, cr4, efer, xcr0;
	uint64_t dr[8];
	uint64_t pdpte[4];  /* PAE: loaded with CR3 */
	uint64_t star, lstar, cstar, sfmask, kernel_gs_base;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
	uint64_t tsc_offset, tsc_aux, pat, misc_enable;
	uint64_t mtrr_def_type, mtrr_fixed[11], mtrr_var[16];
	uint64_t mcg_status, mc_ctl[4];
	uint8_t activity;	   /* enum x86_activity */
	uint8_t nmi_blocked;	   /* until IRET */
	uint8_t interrupt_shadow;  /* STI, MOV SS, POP SS: the next instruction runs uninterrupted */
	uint8_t sipi_vector;	   /* any thread, before X86_REQ_SIPI */
	uint64_t pending_db;	   /* DR6 bits to report at the next instruction boundary */
	uint64_t insns;	   /* instructions retired when run() was entered; x86_insns_now() while it runs */

	/* --- not state: wiring and caches */
	unsigned index;	   /* 0 = boot processor */
	unsigned apic_id;
	int64_t run_budget;	   /* budget at the last point where insns was brought up to date */
	uint32_t block_insns;	   /* instructions of the running block, already off the budget; or 0 */
	union x86_vec scratch[X86_SCRATCH_BYTES / 32]; /* the interpreter's temporaries */
	bool exclusive;		   /* all other CPUs are stopped: atomics may be plain accesses */
	bool alone;		   /* an uncached one-instruction block runs: stores need no restart */
	uint32_t pauses;	   /* PAUSEs carried out, modulo 2^32 */
	bool devices_alone;	   /* counted clock: an access to device memory asks to be run alone */
	uint64_t code_lo, code_hi; /* gpa range of the running block, for X86_EXIT_RESTART */
	uint64_t apic_page;	   /* gpa of the local APIC page, or ~0 when disabled or x2APIC */
	struct x86_fault fault;	   /* set by a helper that returns failure */
	struct space *space, *ports;
	const struct x86_platform *platform;
	const struct x86_cpuid_model *cpuid;
	const struct trace *trace;
	uint64_t random_state;	   /* of RDRAND under the counted clock; 0: ask the host */
	void *engine;		   /* the engine's own per-CPU object */
	void *jump_table;	   /* ... and what its generated code looks jumps up in */
	uint32_t rip_offset;	   /* rip + this: the running block's first instruction. Not 0 only
				    * in translated code, where rip is its page's start */
	/* Engine hook, may be NULL: caches keyed by the linear address of code are stale, except what is
	 * tagged with the number that is now in `context`, and, unless `global`, global pages in the
	 * upper half. Not called for INVLPG of a page in the lower half that x86_mmu_fetch_page has
	 * not been asked for: what such a cache holds must have been fetched that way since the last
	 * call. An engine that forgets all it has calls x86_jumps_forget. */
	void (*flush_jumps)(void *engine, bool global);
	/* The address space as the processor may remember it: a number, never 0, that comes back when
	 * the guest goes back to a PCID and keeps what it cached for it. */
	uint64_t context;
	uint64_t counter[COUNTER_COUNT];
	struct ram_window ram; /* where pages and page tables were found last; for as long as the TLB */
	struct x86_tlb_used tlb_used[X86_MMU_COUNT];
	struct x86_tlb_used itlb_used;
	struct {
		uint64_t lo, hi;
	} tlb_large[2];	      /* linear range of large pages in either TLB, [1]: global; lo > hi: none */
	uint64_t fetched[64]; /* a bit for each fetched page, by bits 12-17 and 18-23 of its address */
	bool fetched_large;   /* a large page of the lower half has been fetched from */
	uint64_t context_last, context_floor; /* numbers up to the floor are no longer good */
	uint64_t pcid_context[4096];
	struct x86_itlb itlb;
	struct x86_tlb tlb[X86_MMU_COUNT];
	struct x86_site *site_wanders; /* set by generated code: serves its access badly */
	uint64_t site_count;
	struct x86_site *site_used[X86_SITES];
	struct x86_site site[X86_SITES];
	uint64_t tlb_writes[X86_TLB_WRITES]; /* see x86_tlb_note_write */
};

extern const struct field x86_cpu_fields[]; /* regs.c: all of the architectural state */

/* Instructions retired before the running block (exact for instructions that begin one). */
static inline uint64_t x86_insns_now(const struct x86_cpu *cpu)
{
	return cpu->insns + (uint64_t)(cpu->run_budget - cpu->budget) - cpu->block_insns;
}

/* Power-on/reset or INIT state (SDM vol. 3, 9.1.1, table 9-1). Wiring is kept. */
void x86_cpu_reset(struct x86_cpu *cpu);
void x86_cpu_init_signal(struct x86_cpu *cpu);

/* RFLAGS with the lazy arithmetic flags evaluated; and the way back. write takes all bits: callers
 * mask what may change (POPF, IRET) first. Neither updates cpu->mode; write does not check. */
uint64_t x86_rflags_read(const struct x86_cpu *cpu);
void x86_rflags_write(struct x86_cpu *cpu, uint64_t rflags);

/* CPL: SS.DPL is kept equal to it in every mode (real mode 0, virtual-8086 mode 3). */
static inline unsigned x86_cpl(const struct x86_cpu *cpu)
{
	return (cpu->seg[X86_SS].attr >> 5) & 3;
}

static inline bool x86_long_mode(const struct x86_cpu *cpu)
{
	return cpu->efer & X86_EFER_LMA;
}

static inline bool x86_code64(const struct x86_cpu *cpu)
{
	return x86_long_mode(cpu) && (cpu->seg[X86_CS].attr & X86_SEG_L);
}

static inline bool x86_protected(const struct x86_cpu *cpu)
{
	return (cpu->cr0 & X86_CR0_PE) && !(cpu->rflags & X86_VM);
}

/* Record a fault in cpu->fault and exit_code; always returns false, for "return x86_fault_raise(...)". */
bool x86_fault_raise(struct x86_cpu *cpu, enum x86_vector v);	     /* no error code */
bool x86_fault_raise_error(struct x86_cpu *cpu, enum x86_vector v, uint32_t error);

/* Multi-line register dump as people expect it after a triple fault; returns length as snprintf. */
int x86_cpu_dump(const struct x86_cpu *cpu, char *buf, size_t len);

#endif
