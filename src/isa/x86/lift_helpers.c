/*
 * Helpers behind lift.c: segmented addresses when the mode is not flat, raising a fault, and the
 * locked operations that no single atomic of the IR does (NEG; ADC and SBB add a computed number).
 */
#include "isa/x86/lift_helpers.h"

#include "isa/x86/mmu.h"
#include "isa/x86/regs.h"
#include "isa/x86/segment.h"

static uint64_t helper_seg_linear(void *opaque, uint64_t what, uint64_t off, uint64_t unused)
{
	uint64_t lin = 0;

	(void)unused;
	x86_seg_linear(opaque, (enum x86_seg_index)(what & 0xff), off,
		       (unsigned)(what >> 16 & 0xffff), (enum x86_access)(what >> 8 & 0xff), &lin);
	return lin;
}

static uint64_t helper_raise(void *opaque, uint64_t what, uint64_t error, uint64_t unused)
{
	enum x86_vector v = (enum x86_vector)(what & 0xff);

	(void)unused;
	if (what >> 8)
		x86_fault_raise_error(opaque, v, (uint32_t)error);
	else
		x86_fault_raise(opaque, v);
	return 0;
}

static uint64_t locked_result(enum lift_locked kind, uint64_t old, uint64_t v)
{
	return kind == LIFT_LOCKED_NEG ? 0 - old : old + v;
}

/* One try at replacing *old in memory. On failure *old is what is there now. */
static bool locked_try(void *p, unsigned bytes, uint64_t *old, uint64_t next)
{
	uint8_t o8 = (uint8_t)*old;
	uint16_t o16 = (uint16_t)*old;
	uint32_t o32 = (uint32_t)*old;
	bool done;

	switch (bytes) {
	case 1:
		done = __atomic_compare_exchange_n((uint8_t *)p, &o8, (uint8_t)next, false,
						   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
		*old = o8;
		return done;
	case 2:
		done = __atomic_compare_exchange_n((uint16_t *)p, &o16, (uint16_t)next, false,
						   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
		*old = o16;
		return done;
	case 4:
		done = __atomic_compare_exchange_n((uint32_t *)p, &o32, (uint32_t)next, false,
						   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
		*old = o32;
		return done;
	}
	return __atomic_compare_exchange_n((uint64_t *)p, old, next, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

/* With all other CPUs stopped a locked access may be a read and a write. */
static uint64_t locked_alone(struct x86_cpu *cpu, uint64_t lin, uint64_t v, uint64_t what)
{
	unsigned bytes = what >> 8 & 0xff, flags = what >> 24 & 0xff;
	enum x86_mmu_index mmu = (enum x86_mmu_index)(what >> 16 & 0xff);
	uint64_t old = 0, next;

	if (!cpu->exclusive) {
		cpu->exit_code = X86_EXIT_EXCLUSIVE;
		return 0;
	}
	if (!x86_mem_read(cpu, lin, &old, bytes, mmu, flags | X86_MEM_RMW))
		return 0;
	next = locked_result((enum lift_locked)(what & 0xff), old, v);
	x86_mem_write(cpu, lin, &next, bytes, mmu, flags);
	return old;
}

static uint64_t helper_locked_rmw(void *opaque, uint64_t lin, uint64_t v, uint64_t what)
{
	enum lift_locked kind = (enum lift_locked)(what & 0xff);
	unsigned bytes = what >> 8 & 0xff;
	struct x86_cpu *cpu = opaque;
	bool slow = false;
	uint64_t old = 0;
	void *p = x86_mem_atomic_ptr(cpu, lin, bytes, (enum x86_mmu_index)(what >> 16 & 0xff),
				     what >> 24 & 0xff, &slow);

	if (!p)
		return slow ? locked_alone(cpu, lin, v, what) : 0;
	while (!locked_try(p, bytes, &old, locked_result(kind, old, v)))
		;
	return old;
}

const struct ir_helper x86_helpers_lift[] = {
	[LIFT_HELPER_SEG_LINEAR] = {.name = "seg_linear",
				    .fn = (void *)helper_seg_linear,
				    .args = 2,
				    .result = IR_I64,
				    .flags = IR_HELPER_FAULTS,
				    .reads = X86_ST_SEGS | X86_ST_SYS},
	[LIFT_HELPER_RAISE] = {.name = "raise",
			       .fn = (void *)helper_raise,
			       .args = 2,
			       .result = IR_VOID,
			       .flags = IR_HELPER_FAULTS},
	[LIFT_HELPER_LOCKED_RMW] = {.name = "locked_rmw",
				    .fn = (void *)helper_locked_rmw,
				    .args = 3,
				    .result = IR_I64,
				    .flags = IR_HELPER_FAULTS | IR_HELPER_MEMORY,
				    .reads = X86_ST_SYS},
	[LIFT_HELPER_COUNT] = {.name = NULL},
};
