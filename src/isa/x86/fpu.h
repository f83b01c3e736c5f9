/*
 * x87, MMX and SSE environment. The engine keeps the host's MXCSR equal to the guest's (with all
 * exceptions masked) while guest code runs; cpu->mxcsr's sticky flags are stale until synced.
 */
#ifndef ISA_X86_FPU_H
#define ISA_X86_FPU_H

#include "isa/x86/cpu.h"

/* Load the host MXCSR from cpu->mxcsr, all exceptions masked: on entry to guest code. */
void x86_mxcsr_enter(const struct x86_cpu *cpu);
/* Merge the host's sticky flags into cpu->mxcsr. The sync before any read of MXCSR. */
void x86_mxcsr_sync(struct x86_cpu *cpu);
/* As sync, then give the host back its default MXCSR: on leaving guest code. */
void x86_mxcsr_leave(struct x86_cpu *cpu);

/* Reset by FNINIT and by power-on. */
void x86_fpu_init(struct x86_cpu *cpu);

#endif
