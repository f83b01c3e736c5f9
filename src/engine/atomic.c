/*
 * Atomics on host atomics, or, where the host has none (across a page boundary, device memory, pages
 * with code), a read and a write while all other CPUs are stopped. SDM vol. 3, 8.1.2.
 */
#include "engine/atomic.h"

#include "base/bits.h"

static uint64_t combine(const struct atomic *a, uint64_t old)
{
	switch (a->op) {
	case IR_ATOMIC_XCHG:
		return a->x;
	case IR_ATOMIC_ADD:
		return old + a->x;
	case IR_ATOMIC_AND:
		return old & a->x;
	case IR_ATOMIC_OR:
		return old | a->x;
	case IR_ATOMIC_XOR:
		return old ^ a->x;
	default:
		return ((old ^ a->x) & bits_mask(a->bytes * 8)) == 0 ? a->y : old;
	}
}

/* One compare-and-swap loop for every operation, at the operand's width. Misaligned operands
 * inside a page are fine: the host locks them as the guest's processor would. */
#define ATOMIC_LOOP(type, p)                                                                       \
	do {                                                                                       \
		type seen = __atomic_load_n((type *)(p), __ATOMIC_SEQ_CST);                        \
		while (!__atomic_compare_exchange_n((type *)(p), &seen, (type)combine(a, seen),    \
						    false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))    \
			;                                                                          \
		return seen;                                                                       \
	} while (0)

__attribute__((no_sanitize("alignment"))) static uint64_t on_host(const struct atomic *a, void *p)
{
	switch (a->bytes) {
	case 1:
		ATOMIC_LOOP(uint8_t, p);
	case 2:
		ATOMIC_LOOP(uint16_t, p);
	case 4:
		ATOMIC_LOOP(uint32_t, p);
	default:
		ATOMIC_LOOP(uint64_t, p);
	}
}

/* With all other CPUs stopped, or for device memory: a checked read and a write. */
static bool plain(struct x86_cpu *cpu, const struct atomic *a, uint64_t *old)
{
	uint64_t v;

	*old = 0;
	if (!x86_mem_read(cpu, a->lin, old, a->bytes, a->mmu, a->flags | X86_MEM_RMW))
		return false;
	v = combine(a, *old);
	return x86_mem_write(cpu, a->lin, &v, a->bytes, a->mmu, a->flags);
}

bool atomic_do(struct x86_cpu *cpu, const struct atomic *a, uint64_t *old)
{
	bool slow = false;
	void *p = x86_mem_atomic_ptr(cpu, a->lin, a->bytes, a->mmu, a->flags, &slow);

	if (p) {
		*old = on_host(a, p);
		return true;
	}
	if (!slow)
		return false;
	if (cpu->exclusive)
		return plain(cpu, a, old);
	cpu->exit_code = X86_EXIT_EXCLUSIVE;
	return false;
}
