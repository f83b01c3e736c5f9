/*
 * A stack as far transfers, interrupts and task switches use it: pushes and pops move only this
 * object, so nothing of the CPU changes before the whole transfer is known to succeed. SDM vol. 3,
 * 5.8.5, 6.14; vol. 1, 6.2.
 */
#ifndef ISA_X86_STACK_H
#define ISA_X86_STACK_H

#include "isa/x86/segment.h"

struct x86_stack {
	struct x86_cpu *cpu;
	struct x86_seg ss;
	uint64_t sp;   /* the whole RSP; only the bits in mask move */
	uint64_t mask; /* stack address size */
	enum x86_mmu_index mmu;
	unsigned mem_flags; /* X86_MEM_* */
	uint16_t error;	    /* error code of #SS when outside its limits */
	bool wide;	    /* 64-bit: no base, no limit */
	bool checked;	    /* protected mode: the segment's type counts */
};

/* The CPU's current stack. */
void x86_stack_current(struct x86_stack *s, struct x86_cpu *cpu);
/* The stack ss:sp of privilege cpl; wide in 64-bit mode. error: selector for #SS. */
void x86_stack_make(struct x86_stack *s, struct x86_cpu *cpu, const struct x86_seg *ss, uint64_t sp,
		    unsigned cpl, bool wide);
/* The stack that the TSS holds for inner privilege cpl, checked (#TS, #SS, #NP of its segment). In
 * long mode SS becomes null and RSP comes from ISTn when ist is not 0. */
bool x86_stack_inner(struct x86_stack *s, struct x86_cpu *cpu, unsigned cpl, unsigned ist);

/* Push or pop bytes (2, 4, 8); false with the fault recorded. */
bool x86_stack_push(struct x86_stack *s, unsigned bytes, uint64_t v);
bool x86_stack_pop(struct x86_stack *s, unsigned bytes, uint64_t *v);
/* Read at delta bytes above the top. */
bool x86_stack_peek(struct x86_stack *s, uint64_t delta, unsigned bytes, uint64_t *v);
/* Move the top by delta bytes. */
void x86_stack_move(struct x86_stack *s, int64_t delta);

/* Stack-address size of ss: all ones, 32 or 16 bits. */
uint64_t x86_stack_mask(const struct x86_seg *ss, bool wide);
/* Replace the bits of the CPU's RSP that the stack size covers; enter also loads SS (and so CPL).
 */
void x86_stack_commit(const struct x86_stack *s);
void x86_stack_enter(const struct x86_stack *s);
/* What RETF and IRET share (far.c). target: check the popped CS:RIP, fill *cs. stack: check the
 * popped SS for returning to cs, fill *ss. sp: after loading both, set the stack pointer, plus add.
 */
bool x86_return_target(struct x86_cpu *cpu, uint16_t sel, uint64_t off, struct x86_seg *cs);
bool x86_return_stack(struct x86_cpu *cpu, uint16_t sel, const struct x86_seg *cs,
		      struct x86_seg *ss);
void x86_return_sp(struct x86_cpu *cpu, uint64_t sp, int64_t add);

/* The data MMU index of code at cpl. */
enum x86_mmu_index x86_mmu_for_cpl(const struct x86_cpu *cpu, unsigned cpl);

#endif
