#include "base/counter.h"

static const struct {
	const char *name, *text;
} rows[COUNTER_COUNT] = {
	[COUNTER_INSNS] = {"insns", "guest instructions retired"},
	[COUNTER_BLOCKS_LIFTED] = {"blocks_lifted", "blocks decoded and lifted to IR"},
	[COUNTER_BLOCKS_DROPPED] = {"blocks_dropped", "blocks dropped, code written or evicted"},
	[COUNTER_BLOCK_LOOKUPS] = {"block_lookups", "blocks looked up by the main loop"},
	[COUNTER_TLB_FILLS] = {"tlb_fills", "page walks that filled the TLB"},
	[COUNTER_TLB_FLUSHES] = {"tlb_flushes", "TLB flushes, whole or one page"},
	[COUNTER_MMIO_READS] = {"mmio_reads", "device reads through memory"},
	[COUNTER_MMIO_WRITES] = {"mmio_writes", "device writes through memory"},
	[COUNTER_PIO_READS] = {"pio_reads", "port reads"},
	[COUNTER_PIO_WRITES] = {"pio_writes", "port writes"},
	[COUNTER_FAULTS] = {"faults", "exceptions delivered"},
	[COUNTER_PAGE_FAULTS] = {"page_faults", "page faults delivered"},
	[COUNTER_INTERRUPTS] = {"interrupts", "external interrupts delivered"},
	[COUNTER_SOFT_INTERRUPTS] = {"soft_interrupts", "INT n, INT3 and INTO"},
	[COUNTER_HALTS] = {"halts", "HLT"},
	[COUNTER_SYSCALLS] = {"syscalls", "SYSCALL and SYSENTER"},
	[COUNTER_CR_ACCESSES] = {"cr_accesses", "control register moves"},
	[COUNTER_MSR_READS] = {"msr_reads", "RDMSR"},
	[COUNTER_MSR_WRITES] = {"msr_writes", "WRMSR"},
	[COUNTER_MSR_UNKNOWN] = {"msr_unknown", "accesses to absent MSRs (#GP)"},
	[COUNTER_CPUIDS] = {"cpuids", "CPUID"},
	[COUNTER_TASK_SWITCHES] = {"task_switches", "hardware task switches"},
	[COUNTER_HYPERCALLS] = {"hypercalls", "VMCALL and VMMCALL"},
	[COUNTER_SELF_MODIFY] = {"self_modify", "stores that hit cached code"},
	[COUNTER_TRANSLATE_BLOCKS] = {"translate_blocks", "blocks translated to host code"},
	[COUNTER_TRANSLATE_TRACES] = {"translate_traces", "traces of hot blocks translated"},
	[COUNTER_TRANSLATE_HOST_BYTES] = {"translate_host_bytes", "bytes of host code emitted"},
	[COUNTER_TRANSLATE_EVICTIONS] = {"translate_evictions",
					 "translations thrown out for want of room"},
	[COUNTER_TRANSLATE_NS] = {"translate_ns", "host time spent translating, ns"},
	[COUNTER_TRANSLATE_LINKS] = {"translate_links", "jumps linked from block to block"},
	[COUNTER_TRANSLATE_EXIT_LINK] = {"translate_exit_link", "exits at a jump not linked yet"},
	[COUNTER_TRANSLATE_EXIT_INDIRECT] = {"translate_exit_indirect",
					     "exits at an indirect jump not predicted"},
	[COUNTER_TRANSLATE_EXIT_BUDGET] = {"translate_exit_budget",
					   "exits for the end of the budget"},
	[COUNTER_TRANSLATE_EXIT_POLL] = {"translate_exit_poll",
					 "exits for a request or an interrupt"},
	[COUNTER_TRANSLATE_EXIT_ABORT] = {"translate_exit_abort",
					  "exits in the middle of a block: faults and the like"},
	[COUNTER_TRANSLATE_SLOW_LOADS] = {"translate_slow_loads",
					  "loads that missed the inline probe"},
	[COUNTER_TRANSLATE_SLOW_STORES] = {"translate_slow_stores",
					   "stores that missed the inline probe"},
	[COUNTER_TRANSLATE_REMADE] = {"translate_remade",
				      "accesses that served badly, their code made anew"},
};

const char *counter_name(enum counter c)
{
	return rows[c].name;
}

const char *counter_text(enum counter c)
{
	return rows[c].text;
}
