/*
 * Counters: every reason for leaving guest code, by kind, per CPU. One table; `doppel run --stats`
 * prints it, doppel_counter() reads it. Each counter has one writer, its CPU thread.
 */
#ifndef BASE_COUNTER_H
#define BASE_COUNTER_H

#include <stdint.h>

enum counter {
	COUNTER_INSNS,		 /* guest instructions retired */
	COUNTER_BLOCKS_LIFTED,	 /* blocks decoded and lifted */
	COUNTER_BLOCKS_DROPPED,	 /* blocks dropped because their code was written or evicted */
	COUNTER_BLOCK_LOOKUPS,	 /* times the main loop looked a block up */
	COUNTER_TLB_FILLS,	 /* page walks that filled the TLB */
	COUNTER_TLB_FLUSHES,	 /* full or single-page TLB flushes */
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
	COUNTER_MSR_UNKNOWN,	 /* accesses to MSRs that do not exist: #GP */
	COUNTER_CPUIDS,
	COUNTER_TASK_SWITCHES,
	COUNTER_HYPERCALLS,
	COUNTER_SELF_MODIFY,	 /* stores that hit cached code */
	COUNTER_COUNT
};

/* Short name as printed, e.g. "insns"; and one line of what it counts. */
const char *counter_name(enum counter c);
const char *counter_text(enum counter c);

#endif
