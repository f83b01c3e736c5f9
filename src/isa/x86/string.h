/* Helpers behind the repeated string instructions. */
#ifndef ISA_X86_STRING_H
#define ISA_X86_STRING_H

#include "ir/ir.h"

enum x86_string_op {
	X86_STRING_MOVS,
	X86_STRING_CMPS,
	X86_STRING_STOS,
	X86_STRING_LODS,
	X86_STRING_SCAS,
};

/*
 * Helpers by enum x86_string_op; the table ends with name NULL. Each takes one argument, made by
 * x86_string_arg, and returns 1 when the instruction has finished, 0 when it must run again from
 * its start (rCX, rSI, rDI tell how far it got; flags are set only at the end) or when it faulted.
 */
extern const struct ir_helper x86_helpers_string[];

/* bytes: of an element; seg: of the source; repne: REPNE rather than REP or REPE. */
static inline uint64_t x86_string_arg(unsigned bytes, unsigned addr_bytes, unsigned seg, bool repne)
{
	return bytes | addr_bytes << 4 | seg << 8 | (unsigned)repne << 12;
}

#endif
