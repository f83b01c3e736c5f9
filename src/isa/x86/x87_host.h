/*
 * x87 instructions run on the host's own x87. Every function takes the guest's control word, leaves
 * the host's x87 as the C ABI wants it (empty, control word 0x37f) and returns the host's status
 * word, before which the stack held only the operands: TOP tells what was pushed or popped.
 */
#ifndef ISA_X86_X87_HOST_H
#define ISA_X86_X87_HOST_H

#include "isa/x86/x87.h"

/* x: ST(0), replaced by what ST(0) is then. y: ST(1), or a memory operand in its first bytes. What
 * else happens to y depends on the table. */
typedef uint16_t (*x87_host_fn)(uint16_t fcw, struct x86_fpr *x, struct x86_fpr *y);

enum {
	X87_HOST_TOP = 7 << 11,
	X87_HOST_ONE = 7 << 11, /* TOP with one register in use */
	X87_HOST_TWO = 6 << 11,
};

/* x = x op y, both registers. */
extern const x87_host_fn x87_host_arith[X87_ARITHS];
/* x = x op y, y a value from memory. */
extern const x87_host_fn x87_host_arith_mem[X87_VALUES][X87_ARITHS];
/* x = the value y. */
extern const x87_host_fn x87_host_load[X87_I64 + 1];
extern const x87_host_fn x87_host_load_bcd;
extern const x87_host_fn x87_host_const[X87_ZERO + 1];
/* y = x, as in memory; NULL for X87_ST_M80. */
extern const x87_host_fn x87_host_store[X87_ST_BCD + 1];
/* x = f(x) or f(x, y); those that pop: y = f(x, y); those that push: x and the new top y. NULL for
 * FCHS and FABS. */
extern const x87_host_fn x87_host_func[X87_FUNCS];

#endif
