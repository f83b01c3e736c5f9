/* Helpers that the shared parts of the lifter call. */
#ifndef ISA_X86_LIFT_HELPERS_H
#define ISA_X86_LIFT_HELPERS_H

#include "ir/ir.h"

enum lift_helper {
	LIFT_HELPER_SEG_LINEAR, /* seg | access << 8 | bytes << 16, offset: linear address */
	LIFT_HELPER_RAISE,	/* vector | has_error << 8, error code */
	LIFT_HELPER_LOCKED_RMW, /* linear, operand, what: the old value */
	LIFT_HELPER_COUNT
};

/* `what` of LIFT_HELPER_LOCKED_RMW: these | bytes << 8 | mmu << 16 | memory flags << 24. */
enum lift_locked { LIFT_LOCKED_ADD, LIFT_LOCKED_NEG };

extern const struct ir_helper x86_helpers_lift[]; /* by enum lift_helper; ends with name NULL */

#endif
