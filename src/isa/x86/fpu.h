/*
 * x87, MMX and SSE environment. The engine keeps the host's MXCSR equal to the guest's (with all
 * exceptions masked) while guest code runs; cpu->mxcsr's sticky flags are stale until synced.
 */
#ifndef ISA_X86_FPU_H
#define ISA_X86_FPU_H

#include "isa/x86/cpu.h"

/* MXCSR (SDM vol. 1, 10.2.3); MASK is what FXSAVE reports as MXCSR_MASK: other bits must be 0. */
enum {
	X86_MXCSR_IE = 1 << 0,
	X86_MXCSR_DE = 1 << 1,
	X86_MXCSR_ZE = 1 << 2,
	X86_MXCSR_OE = 1 << 3,
	X86_MXCSR_UE = 1 << 4,
	X86_MXCSR_PE = 1 << 5,
	X86_MXCSR_FLAGS = 0x3f,
	X86_MXCSR_DAZ = 1 << 6,
	X86_MXCSR_UM = 1 << 11,
	X86_MXCSR_MASKS = 0x1f80,
	X86_MXCSR_MASKS_SHIFT = 7,
	X86_MXCSR_RC = 3 << 13,
	X86_MXCSR_FTZ = 1 << 15,
	X86_MXCSR_MASK = 0xffff,
	X86_MXCSR_DEFAULT = 0x1f80,
};
enum { X86_FCW_DEFAULT = 0x37f, X86_FSW_TOP_SHIFT = 11, X86_FSW_TOP = 7 << 11 };

/* Load the host MXCSR from cpu->mxcsr, all exceptions masked: on entry to guest code. */
void x86_mxcsr_enter(const struct x86_cpu *cpu);
/* Merge the host's sticky flags into cpu->mxcsr. The sync before any read of MXCSR. */
void x86_mxcsr_sync(struct x86_cpu *cpu);
/* As sync, then give the host back its default MXCSR: on leaving guest code. */
void x86_mxcsr_leave(struct x86_cpu *cpu);
/* Clear the host's sticky flags; returns those that were set, for the caller to merge. */
uint32_t x86_mxcsr_take_flags(void);

/* Reset by FNINIT and by power-on. */
void x86_fpu_init(struct x86_cpu *cpu);

#endif
