/*
 * Counters: every reason for leaving guest code, by kind, per CPU. One table; `doppel run --stats`
 * prints it, doppel_counter() reads it. Each counter has one writer, its CPU thread.
 */
#ifndef BASE_COUNTER_H
#define BASE_COUNTER_H

#include <stdint.h>

enum counter {
	COUNTER_INSNS,		/* guest instructions retired */
	COUNTER_BLOCKS_LIFTED,	/* blocks decoded and lifted */
	COUNTER_BLOCKS_DROPPED, /* blocks dropped because their code was written or evicted */
	COUNTER_BLOCK_LOOKUPS,	/* times the main loop looked a block up */
	COUNTER_TLB_FILLS,	/* page walks that filled the TLB */
	COUNTER_TLB_FLUSHES,	/* full or single-page TLB flushes */
	COUNTER_MMIO_READS,
	COUNTER_MMIO_WRITES,
	COUNTER_PIO_READS,
	COUNTER_PIO_WRITES,
	COUNTER_FAULTS,		 /* exceptions delivered (all vectors) */
	COUNTER_PAGE_FAULTS,	 /* #PF among them */
	COUNTER_INTERRUPTS,	 /* external interrupts delivered */
	COUNTER_SOFT_INTERRUPTS, /* INT n, INT3, INTO */
	COUNTER_HALTS,
	COUNTER_SYSCALLS,
	COUNTER_CR_ACCESSES,
	COUNTER_MSR_READS,
	COUNTER_MSR_WRITES,
	COUNTER_MSR_UNKNOWN, /* accesses to MSRs that do not exist: #GP */
	COUNTER_CPUIDS,
	COUNTER_TASK_SWITCHES,
	COUNTER_HYPERCALLS,
	COUNTER_SELF_MODIFY, /* stores that hit cached code */
	/* translated code only */
	COUNTER_TRANSLATE_BLOCKS,	 /* blocks translated to host code */
	COUNTER_TRANSLATE_TRACES,	 /* traces of hot blocks translated */
	COUNTER_TRANSLATE_HOST_BYTES,	 /* bytes of host code emitted */
	COUNTER_TRANSLATE_EVICTIONS,	 /* translations thrown out for want of room */
	COUNTER_TRANSLATE_NS,		 /* host time spent translating, ns */
	COUNTER_TRANSLATE_LINKS,	 /* jumps linked from block to block */
	COUNTER_TRANSLATE_EXIT_LINK,	 /* exits at a jump not linked yet */
	COUNTER_TRANSLATE_EXIT_INDIRECT, /* exits at an indirect jump not predicted */
	COUNTER_TRANSLATE_EXIT_BUDGET,	 /* exits for the end of the budget */
	COUNTER_TRANSLATE_EXIT_POLL,	 /* exits for a request or an interrupt */
	COUNTER_TRANSLATE_EXIT_ABORT,	 /* exits in the middle of a block: faults and the like */
	COUNTER_TRANSLATE_SLOW_LOADS,	 /* loads that missed the inline probe */
	COUNTER_TRANSLATE_SLOW_STORES,	 /* stores that missed the inline probe */
	COUNTER_TRANSLATE_REMADE,	 /* accesses that served badly, their code made anew */
	COUNTER_COUNT
};

/* Short name as printed, e.g. "insns"; and one line of what it counts. */
const char *counter_name(enum counter c);
const char *counter_text(enum counter c);

#endif
