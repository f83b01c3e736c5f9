/*
 * Exceptions and interrupts: delivery through the IVT or IDT, double and triple fault, and the
 * check for pending work at an instruction boundary. SDM vol. 3, chapter 6.
 */
#ifndef ISA_X86_FAULT_H
#define ISA_X86_FAULT_H

#include "isa/x86/cpu.h"
#include "isa/x86/mode.h"

/* Deliver cpu->fault (vector, error, soft...), with cpu->rip at the faulting instruction (or, for
 * traps and soft interrupts, next_rip). Handles contributory and double faults; a triple fault sets
 * activity X86_SHUTDOWN. Clears cpu->fault. RIP, stack and mode are changed. */
void x86_fault_deliver(struct x86_cpu *cpu, uint64_t next_rip);

/* Deliver an external interrupt or NMI at an instruction boundary. */
void x86_interrupt_deliver(struct x86_cpu *cpu, unsigned vector);

/* INT vector (int_n), INT3, INTO: raises cpu->fault with soft set and returns false, or #GP where a
 * virtual-8086 program may not; true where VME carried it out inside the program (rip is set). */
bool x86_soft_interrupt(struct x86_cpu *cpu, unsigned vector, bool int_n, uint64_t next_rip);

/* DR6 bits beside B0-B3, as used in x86_fault.dr6 and x86_cpu.pending_db. */
enum { X86_DR6_BD = 1 << 13, X86_DR6_BS = 1 << 14, X86_DR6_BT = 1 << 15 };
/* In pending_db only: the instruction just run is not followed by a single-step trap (SYSCALL that
 * masks TF). Consumed by x86_step_done. */
#define X86_PENDING_NO_STEP BIT(63)
/* In pending_db only: INT1 has run; #DB as a trap without a DR6 bit. */
#define X86_PENDING_INT1 BIT(62)

/* cpu->interrupt_shadow: STI holds back interrupts, a stack segment load debug traps and NMI too. */
enum { X86_SHADOW_STI = 1, X86_SHADOW_SS = 2 };

/*
 * Single-step, interrupt shadow and RF last exactly one instruction. The scheme:
 * - a block lifted for a mode with any X86_MODE_STEPS bit holds one instruction;
 * - when that block has run to its end (no fault, no restart), the engine calls
 *   x86_step_done(cpu, mode the block was lifted for), which makes the single-step trap pending,
 *   ends the shadow, clears RF and updates cpu->mode;
 * - before every block whose mode has an X86_MODE_POLLS bit, and whenever cpu->request or
 *   cpu->pending_db is nonzero, it calls x86_poll. Polling twice without running does no harm.
 * A soft interrupt (INT n) raises cpu->fault with soft set: it has retired, but no x86_step_done.
 */
#define X86_MODE_STEPS (X86_MODE_TF | X86_MODE_SHADOW | X86_MODE_RF)
#define X86_MODE_POLLS (X86_MODE_STEPS | X86_MODE_BREAK)
void x86_step_done(struct x86_cpu *cpu, x86_mode_t ran);

/*
 * At a block boundary, with cpu->rip exact: act on pending debug traps, instruction breakpoints and
 * cpu->request (INIT, SIPI, NMI, INTR if RFLAGS.IF and no shadow). Returns true if the CPU can run
 * guest code, false if it is halted, waits for SIPI, or is shut down. X86_REQ_STOP, _FLUSH_TLB,
 * _CODE, _SYNC and _RESET are the engine's and are left alone.
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
