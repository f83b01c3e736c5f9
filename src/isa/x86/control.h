/*
 * Control and debug registers: the checks and consequences of writing them. SDM vol. 3, 2.5, 4.10,
 * 9.8.5, 17.2. Writes return false with the fault recorded and nothing changed.
 */
#ifndef ISA_X86_CONTROL_H
#define ISA_X86_CONTROL_H

#include "isa/x86/cpu.h"

bool x86_cr0_write(struct x86_cpu *cpu, uint64_t v);
bool x86_cr3_write(struct x86_cpu *cpu, uint64_t v);
bool x86_cr4_write(struct x86_cpu *cpu, uint64_t v);

/* MOV to and from CRn (0, 2, 3, 4, 8) and DRn (0-7), privilege already checked. */
bool x86_cr_write(struct x86_cpu *cpu, unsigned n, uint64_t v);
uint64_t x86_cr_read(struct x86_cpu *cpu, unsigned n);
bool x86_dr_write(struct x86_cpu *cpu, unsigned n, uint64_t v);
bool x86_dr_read(struct x86_cpu *cpu, unsigned n, uint64_t *v);

#endif
