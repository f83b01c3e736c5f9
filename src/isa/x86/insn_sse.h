/*
 * SIMD floating-point exceptions (SDM vol. 1, 11.5). While any is unmasked (X86_MODE_SSE_UNMASKED),
 * every operation that may raise one is bracketed: flags raised before it are put aside, and those
 * it raises are looked at before any of its results reaches guest state.
 */
#ifndef ISA_X86_INSN_SSE_H
#define ISA_X86_INSN_SSE_H

#include "isa/x86/lift.h"

/* Before the vop, after all loads. */
void lift_sse_begin(struct lift *l);
/* After the vop, before all puts. result is the vop's. */
void lift_sse_check(struct lift *l, unsigned vop, ir_ref result);
/* The same where the result, half-precision numbers, goes to memory: it is checked, then stored. */
void lift_sse_check_store(struct lift *l, ir_ref result, ir_ref addr, unsigned bytes);

#endif
