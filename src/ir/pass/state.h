/*
 * Guest state as the passes index it: granules of eight bytes from the start of the ISA's CPU
 * struct, so that what is known of a register is found in one step. State beyond the granules is
 * nobody's to know anything of.
 */
#ifndef IR_PASS_STATE_H
#define IR_PASS_STATE_H

#include <string.h>

#include "ir/ir.h"

/* memset by a call: what compilers put in its place for these sizes takes longer. */
static inline void ir_state_clear(void *p, size_t bytes)
{
	__asm__("" : "+r"(bytes));
	memset(p, 0, bytes);
}

/* Which bytes of its first granule an access has. */
static inline unsigned ir_granule_bytes(uint64_t offset, unsigned bytes)
{
	return bytes >= 8 ? 0xffu << (offset & 7) & 0xff
			  : ((1u << bytes) - 1) << (offset & 7) & 0xff;
}

/* Whether two ranges of state bytes have a byte in common. */
static inline bool ir_state_overlap(uint64_t a, unsigned a_bytes, uint64_t b, unsigned b_bytes)
{
	return a < b + b_bytes && b < a + a_bytes;
}

#endif
