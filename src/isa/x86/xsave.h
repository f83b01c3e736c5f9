/*
 * Saving and restoring the extended state in the FXSAVE and XSAVE formats. SDM vol. 1, 10.5 and
 * chapter 13. Functions return false with cpu->fault set and no CPU state changed.
 */
#ifndef ISA_X86_XSAVE_H
#define ISA_X86_XSAVE_H

#include "isa/x86/cpu.h"

enum { X86_XCR0_X87 = 1 << 0, X86_XCR0_SSE = 1 << 1, X86_XCR0_AVX = 1 << 2 };

/* Facts of one execution. */
enum {
	X86_XSAVE_WIDE = 1 << 0,  /* REX.W: 64-bit instruction and data pointers */
	X86_XSAVE_STACK = 1 << 1, /* addressed through SS */
};
/* Which of the three saving instructions. */
enum x86_xsave_form { X86_XSAVE_PLAIN, X86_XSAVE_OPT, X86_XSAVE_COMPACT };

bool x86_fxsave(struct x86_cpu *cpu, uint64_t lin, unsigned how);
bool x86_fxrstor(struct x86_cpu *cpu, uint64_t lin, unsigned how);

/* mask: EDX:EAX. The caller has checked CR4.OSXSAVE and CR0.TS. */
bool x86_xsave(struct x86_cpu *cpu, uint64_t lin, uint64_t mask, enum x86_xsave_form form,
	       unsigned how);
bool x86_xrstor(struct x86_cpu *cpu, uint64_t lin, uint64_t mask, unsigned how);

/* State components whose bits XCR0 may have. */
uint64_t x86_xcr0_supported(const struct x86_cpu *cpu);

#endif
