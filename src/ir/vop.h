/*
 * Vector and floating-point operations: one row each (vop.c), with its types, whether it uses the
 * rounding mode and exception flags, and a reference implementation that uses the host's own
 * instruction, so that results are bit-exact. A translator adds its encoding to the row.
 */
#ifndef IR_VOP_H
#define IR_VOP_H

#include <stdint.h>
#include <stdbool.h>

#include "base/bits.h"
#include "host/host.h"
#include "ir/ir.h"

/* A value slot, wide enough for any type; scalars use u64[0] (upper bits undefined above type). A
 * pointer to one may point to less, a place only as large as its value's type and at any alignment
 * (a register in guest state): operations touch nothing else. */
union ir_vec {
	uint8_t u8[32];
	u16_any u16[16];
	u32_any u32[8];
	u64_any u64[4];
};

/*
 * The 256-bit twin of an operation on V128 is the same operation with result type IR_V256
 * (insn->type): each 128-bit lane of the result is the 128-bit operation on the same lanes of the
 * arguments, which are V256 too. What else there is to it:
 */
enum vop_twin {
	VOP_TWIN_NONE,	/* has none */
	VOP_TWIN_LANES, /* both lanes get the whole imm8 */
	VOP_TWIN_COUNT, /* the second argument is a shift count for both lanes and stays V128 */
	VOP_TWIN_IMM2,	/* the upper lane gets imm8 >> 2 */
	VOP_TWIN_IMM3,
	VOP_TWIN_IMM4,
};

struct vop_info {
	const char *name;	/* "paddb" */
	uint8_t result;		/* enum ir_type */
	uint8_t arg[3];		/* enum ir_type, IR_VOID where absent */
	bool has_imm8;
	bool uses_mxcsr;	/* rounds, or sets exception flags, by the host MXCSR */
	uint8_t twin;		/* enum vop_twin */
	/* d may be the same object as a, b or c. Only result-type bytes of d are written. */
	void (*fn)(union ir_vec *d, const union ir_vec *a, const union ir_vec *b,
		   const union ir_vec *c, unsigned imm8);
};

#include "ir/vop_list.h" /* enum vop: VOP_PADDB, ... VOP_COUNT */

extern const struct vop_info vop_table[];

/*
 * What fn asks of the host beyond HOST_CPU_REQUIRED, and what does the same on any host. One row for
 * each vop (vop_host.c); needs 0: fn itself runs anywhere. Engines choose when they lower or emit,
 * so that one that also emits the instruction itself asks the same question.
 */
typedef void vop_fn(union ir_vec *d, const union ir_vec *a, const union ir_vec *b,
		    const union ir_vec *c, unsigned imm8);
struct vop_host {
	uint32_t needs; /* HOST_CPU_* */
	vop_fn *soft;
};
extern const struct vop_host vop_hosts[VOP_COUNT];

static inline bool vop_needs_soft(unsigned vop, const struct host_cpu *host)
{
	return !host_cpu_has(host, vop_hosts[vop].needs);
}

/* The implementation for that host. */
static inline vop_fn *vop_function(unsigned vop, const struct host_cpu *host)
{
	return vop_needs_soft(vop, host) ? vop_hosts[vop].soft : vop_table[vop].fn;
}

/* The type of argument k when the result has type `result`: the row's, or V256 in a twin. */
enum ir_type vop_arg_type(unsigned vop, enum ir_type result, unsigned k);
/* Whether the operation can have that result. */
bool vop_result_ok(unsigned vop, enum ir_type result);
/* The twin's result, from fn, the row's or the plain one, on each lane. As fn, but d may also overlap arguments in
 * part. */
void vop_run_twin(unsigned vop, vop_fn *fn, union ir_vec *d, const union ir_vec *a,
		  const union ir_vec *b, const union ir_vec *c, unsigned imm8);

#endif
