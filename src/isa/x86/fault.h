/*
 * Exceptions and interrupts: delivery through the IVT or IDT, double and triple fault, and the
 * check for pending work at an instruction boundary. SDM vol. 3, chapter 6.
 */
#ifndef ISA_X86_FAULT_H
#define ISA_X86_FAULT_H

#include "isa/x86/cpu.h"

/* Deliver cpu->fault (vector, error, soft...), with cpu->rip at the faulting instruction (or, for
 * traps and soft interrupts, next_rip). Handles contributory and double faults; a triple fault sets
 * activity X86_SHUTDOWN. Clears cpu->fault. RIP, stack and mode are changed. */
void x86_fault_deliver(struct x86_cpu *cpu, uint64_t next_rip);

/* Deliver an external interrupt or NMI at an instruction boundary. */
void x86_interrupt_deliver(struct x86_cpu *cpu, unsigned vector);

/*
 * At a block boundary, with cpu->rip exact: act on pending debug traps and cpu->request (INIT, SIPI,
 * NMI, INTR if RFLAGS.IF and no shadow; reset). Clears a finished interrupt shadow. Returns true
 * if the CPU can run guest code, false if it is halted, waits for SIPI, or is shut down.
 * X86_REQ_STOP, _FLUSH_TLB, _CODE and _SYNC are the engine's and are left alone.
 */
bool x86_poll(struct x86_cpu *cpu);

/* Wake-up from HLT: is there something x86_poll would deliver? Any thread. */
bool x86_can_wake(const struct x86_cpu *cpu);

/* Set request bits from any thread. The machine wakes a sleeping CPU itself. */
static inline void x86_request(struct x86_cpu *cpu, uint32_t bits)
{
	__atomic_fetch_or((uint32_t *)&cpu->request, bits, __ATOMIC_SEQ_CST);
}

#endif
