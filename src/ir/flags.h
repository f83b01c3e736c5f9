/*
 * Lazy condition codes. A flags value is an operation kind, an operand type and up to three
 * operands; nothing is computed until someone asks. Meaning of the six flags is x86's (SDM vol. 1,
 * 3.4.3.1), a superset of what other guests need. All engines and passes use this one page.
 */
#ifndef IR_FLAGS_H
#define IR_FLAGS_H

#include <stdint.h>
#include <stdbool.h>

enum ir_flags_kind {
	IR_FLAGS_RAW,	/* a: the flags as packed RFLAGS bits; everything else ignored */
	IR_FLAGS_ADD,	/* a + b */
	IR_FLAGS_ADC,	/* a + b + c, c = carry in, 0 or 1 */
	IR_FLAGS_SUB,	/* a - b; also CMP, NEG (a = 0) */
	IR_FLAGS_SBB,	/* a - b - c */
	IR_FLAGS_LOGIC, /* a = result; CF = OF = AF = 0 */
	IR_FLAGS_INC,	/* a + 1; c = CF kept */
	IR_FLAGS_DEC,	/* a - 1; c = CF kept */
	IR_FLAGS_SHL,	/* a << b, b in 1..width (masked count, never 0); AF = 0 */
	IR_FLAGS_SHR,	/* a >> b logical, same */
	IR_FLAGS_SAR,	/* a >> b arithmetic, same */
	IR_FLAGS_MUL,	/* a = low result, b = nonzero if it overflowed (CF = OF); AF = 0 */
	IR_FLAGS_ROL,	/* a = result, never of a count of 0; b: packed flags of before, of which CF and
			   OF do not matter */
	IR_FLAGS_ROR,	/* same */
	IR_FLAGS_KINDS
};

/* Condition codes in x86 encoding order: cc ^ 1 is the opposite. */
enum ir_cond {
	IR_COND_O, IR_COND_NO, IR_COND_B, IR_COND_AE, IR_COND_E, IR_COND_NE, IR_COND_BE, IR_COND_A,
	IR_COND_S, IR_COND_NS, IR_COND_P, IR_COND_NP, IR_COND_L, IR_COND_GE, IR_COND_LE, IR_COND_G,
};

/* Key stored in guest state: kind and log2 of operand bytes (0..3). */
#define IR_FLAGS_KEY(kind, log2_bytes) ((uint32_t)((kind) << 2 | (log2_bytes)))

/* The six flags as packed RFLAGS bits (CF 0, PF 2, AF 4, ZF 6, SF 7, OF 11). Operands may have
 * garbage above the operand width. */
uint32_t ir_flags_eval(uint32_t key, uint64_t a, uint64_t b, uint64_t c);
/* Whether cond holds for packed flags. */
bool ir_cond_packed(enum ir_cond cond, uint32_t packed);
/* Both in one, without computing flags cond does not need. */
bool ir_cond_eval(enum ir_cond cond, uint32_t key, uint64_t a, uint64_t b, uint64_t c);

const char *ir_flags_kind_name(enum ir_flags_kind k); /* "sub" */
const char *ir_cond_name(enum ir_cond c);	       /* "e", "ne", "l"... */

#endif
