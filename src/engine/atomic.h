/* The IR's atomic operations on guest memory, for all engines. */
#ifndef ENGINE_ATOMIC_H
#define ENGINE_ATOMIC_H

#include "ir/ir.h"
#include "isa/x86/mmu.h"

struct atomic {
	enum ir_op op; /* IR_ATOMIC_* */
	unsigned bytes;
	uint64_t lin;
	uint64_t x, y; /* operand; for compare-exchange expected and new */
	enum x86_mmu_index mmu;
	unsigned flags; /* X86_MEM_* */
};

/* Carry it out; *old is zero-extended. False: cpu->exit_code says why: a fault, or
 * X86_EXIT_EXCLUSIVE if the host cannot do it atomically and other CPUs are not stopped. */
bool atomic_do(struct x86_cpu *cpu, const struct atomic *a, uint64_t *old);

#endif
