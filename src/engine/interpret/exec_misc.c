/*
 * The interpreter's moves, selects, lazy flags, vector operations, helper calls, and the ways in
 * and out of a block.
 */
#include <string.h>

#include "engine/interpret/iop.h"
#include "ir/vop.h"
#include "isa/x86/mode.h"

/* ---- moves and values */
#define COPY(name, type)                                                                           \
	static IOP_FN(name)                                                                        \
	{                                                                                          \
		*(type *)SLOT(op->d) = *(const type *)SLOT(op->a);                                 \
		NEXT;                                                                              \
	}
#define COPY_VEC(name, bytes)                                                                      \
	static IOP_FN(name)                                                                        \
	{                                                                                          \
		__builtin_memmove(SLOT(op->d), SLOT(op->a), bytes);                                \
		NEXT;                                                                              \
	}
#define CONST(name, type)                                                                          \
	static IOP_FN(name)                                                                        \
	{                                                                                          \
		*(type *)SLOT(op->d) = (type)op->wide;                                             \
		NEXT;                                                                              \
	}
#define SELECT(name, type, wide)                                                                   \
	static IOP_FN(name)                                                                        \
	{                                                                                          \
		type x = *(const type *)SLOT(op->b), y = *(const type *)SLOT(op->c);               \
		*(wide *)SLOT(op->d) = *(const uint8_t *)SLOT(op->a) ? x : y;                      \
		NEXT;                                                                              \
	}

COPY(iop_copy8, uint8_t)
COPY(iop_copy16, uint16_t)
COPY(iop_copy32, uint32_t)
COPY(iop_copy64, uint64_t)
COPY_VEC(iop_copy128, 16)
COPY_VEC(iop_copy256, 32)
CONST(iop_const8, uint8_t)
CONST(iop_const16, uint16_t)
CONST(iop_const32, uint32_t)
CONST(iop_const64, uint64_t)
SELECT(iop_select8, uint8_t, uint8_t)
SELECT(iop_select16, uint16_t, uint16_t)
SELECT(iop_select32, uint32_t, uint64_t)
SELECT(iop_select64, uint64_t, uint64_t)

static IOP_FN(iop_select128)
{
	const void *from = SLOT(*(const uint8_t *)SLOT(op->a) ? op->b : op->c);

	__builtin_memmove(SLOT(op->d), from, 16);
	NEXT;
}

static IOP_FN(iop_select256)
{
	const void *from = SLOT(*(const uint8_t *)SLOT(op->a) ? op->b : op->c);

	__builtin_memmove(SLOT(op->d), from, 32);
	NEXT;
}

iop_fn iop_find_copy(enum ir_type t)
{
	static const iop_fn fns[] = {
		[IR_I8] = iop_copy8,	  [IR_I16] = iop_copy16,   [IR_I32] = iop_copy32,
		[IR_I64] = iop_copy64, [IR_V128] = iop_copy128, [IR_V256] = iop_copy256,
	};

	return fns[t];
}

iop_fn iop_find_const(enum ir_type t)
{
	static const iop_fn fns[] = {
		[IR_I8] = iop_const8,
		[IR_I16] = iop_const16,
		[IR_I32] = iop_const32,
		[IR_I64] = iop_const64,
	};

	return fns[t];
}

iop_fn iop_find_select(enum ir_type t)
{
	static const iop_fn fns[] = {
		[IR_I8] = iop_select8,	 [IR_I16] = iop_select16,   [IR_I32] = iop_select32,
		[IR_I64] = iop_select64, [IR_V128] = iop_select128, [IR_V256] = iop_select256,
	};

	return fns[t];
}

IOP_FN(iop_pc)
{
	*(uint64_t *)SLOT(op->d) = cpu->rip + op->wide;
	NEXT;
}

IOP_FN(iop_lea)
{
	*(uint64_t *)SLOT(op->d) = *(const uint64_t *)SLOT(op->a) +
				   (*(const uint64_t *)SLOT(op->b) << op->c) +
				   (uint64_t)(int64_t)op->imm;
	NEXT;
}

/* ---- flags */
IOP_FN(iop_set_flags_a)
{
	cpu->cc_a = *(const u64_any *)SLOT(op->a);
	cpu->cc_kind = (uint32_t)op->imm;
	NEXT;
}

IOP_FN(iop_set_flags_ab)
{
	uint64_t a = *(const u64_any *)SLOT(op->a), b = *(const u64_any *)SLOT(op->b);

	cpu->cc_a = a;
	cpu->cc_b = b;
	cpu->cc_kind = (uint32_t)op->imm;
	NEXT;
}

IOP_FN(iop_set_flags_ai)
{
	cpu->cc_a = *(const u64_any *)SLOT(op->a);
	cpu->cc_b = (uint64_t)(int64_t)op->imm;
	cpu->cc_kind = op->c;
	NEXT;
}

IOP_FN(iop_set_flags_abc)
{
	uint64_t a = *(const u64_any *)SLOT(op->a), b = *(const u64_any *)SLOT(op->b);

	/* c is a carry: the lowering passes it as a byte or wider, 0 or 1 */
	cpu->cc_c = *(const uint8_t *)SLOT(op->c);
	cpu->cc_a = a;
	cpu->cc_b = b;
	cpu->cc_kind = op->d;
	NEXT;
}

IOP_FN(iop_cond_state)
{
	*(uint8_t *)SLOT(op->d) = ir_cond_eval((enum ir_cond)op->imm, cpu->cc_kind, cpu->cc_a,
					       cpu->cc_b, cpu->cc_c);
	NEXT;
}

IOP_FN(iop_cond_tuple)
{
	*(uint8_t *)SLOT(op->d) =
		ir_cond_eval((enum ir_cond)(op->imm & 0xff), (uint32_t)op->imm >> 8,
			     *(const u64_any *)SLOT(op->a), *(const u64_any *)SLOT(op->b),
			     *(const uint8_t *)SLOT(op->c));
	NEXT;
}

IOP_FN(iop_pack_state)
{
	*(uint64_t *)SLOT(op->d) = ir_flags_eval(cpu->cc_kind, cpu->cc_a, cpu->cc_b, cpu->cc_c);
	NEXT;
}

IOP_FN(iop_pack_tuple)
{
	*(uint64_t *)SLOT(op->d) =
		ir_flags_eval((uint32_t)op->imm, *(const u64_any *)SLOT(op->a),
			      *(const u64_any *)SLOT(op->b), *(const uint8_t *)SLOT(op->c));
	NEXT;
}

/* ---- vectors and helpers */
IOP_FN(iop_vop)
{
	const struct vop_info *v = &vop_table[op->imm & 0xffff];

	v->fn(SLOT(op->d), SLOT(op->a), SLOT(op->b), SLOT(op->c), op->imm >> 16 & 0xff);
	NEXT;
}

IOP_FN(iop_vop_soft)
{
	const struct vop_host *v = &vop_hosts[op->imm & 0xffff];

	v->soft(SLOT(op->d), SLOT(op->a), SLOT(op->b), SLOT(op->c), op->imm >> 16 & 0xff);
	NEXT;
}

IOP_FN(iop_vop_twin)
{
	unsigned vop = op->imm & 0xffff;

	vop_run_twin(vop, vop_table[vop].fn, SLOT(op->d), SLOT(op->a), SLOT(op->b), SLOT(op->c),
		     op->imm >> 16 & 0xff);
	NEXT;
}

IOP_FN(iop_vop_twin_soft)
{
	unsigned vop = op->imm & 0xffff;

	vop_run_twin(vop, vop_hosts[vop].soft, SLOT(op->d), SLOT(op->a), SLOT(op->b), SLOT(op->c),
		     op->imm >> 16 & 0xff);
	NEXT;
}

iop_fn iop_find_vop(unsigned vop, enum ir_type result, const struct host_cpu *host)
{
	bool soft = vop_needs_soft(vop, host);

	if (result == vop_table[vop].result)
		return soft ? iop_vop_soft : iop_vop;
	return soft ? iop_vop_twin_soft : iop_vop_twin;
}

IOP_FN(iop_zext_vector)
{
	uint64_t *d = SLOT(op->d);

	__builtin_memmove(d, SLOT(op->a), 16);
	d[2] = d[3] = 0;
	NEXT;
}

static inline uint64_t call_arg(struct x86_cpu *cpu, const struct icall_arg *a)
{
	uint64_t v = (*(const u64_any *)SLOT(a->slot) & a->mask) | a->k;

	return UNLIKELY(a->pointer) ? (uint64_t)(uintptr_t)SLOT(a->slot) : v;
}

static inline uint64_t call(struct x86_cpu *cpu, const struct iop *op)
{
	const struct icall *c = iop_icall(op);

	return c->fn(cpu, call_arg(cpu, &c->arg[0]), call_arg(cpu, &c->arg[1]),
		  call_arg(cpu, &c->arg[2]));
}

IOP_FN(iop_call)
{
	uint64_t r = call(cpu, op);

	*(uint64_t *)SLOT(op->d) = r;
	NEXT;
}

IOP_FN(iop_call_fault)
{
	uint64_t r = call(cpu, op);

	if (UNLIKELY(cpu->exit_code))
		return iop_abort(cpu, op);
	*(uint64_t *)SLOT(op->d) = r;
	NEXT;
}

/* ---- in and out */
const struct iop *iop_enter(struct x86_cpu *cpu, struct iblock *b)
{
	struct interp_hot *h = interp_hot(cpu);

	if (UNLIKELY(cpu->request & ~cpu->request_ignored)) {
		h->stop = INTERP_POLL;
		return NULL;
	}
	if (UNLIKELY(cpu->budget < b->head.insns)) {
		h->stop = INTERP_BUDGET;
		return NULL;
	}
	if (UNLIKELY(!--b->heat)) {
		b->heat = 1;
		h->stop = INTERP_HOT;
		return NULL;
	}
	cpu->budget -= b->head.insns;
	cpu->block_insns = b->head.insns;
	h->block = b;
	cpu->code_lo = b->head.gpa;
	cpu->code_hi = b->head.gpa + b->bytes;
	GOTO(b->ops);
}

const struct iop *iop_abort(struct x86_cpu *cpu, const struct iop *op)
{
	struct interp_hot *h = interp_hot(cpu);

	h->stop = INTERP_ABORT;
	h->stop_op = op;
	return NULL;
}

static inline void set_rip(struct x86_cpu *cpu, uint64_t rip)
{
	cpu->rip = cpu->mode & X86_MODE_CODE64 ? rip : (uint32_t)rip;
}

IOP_FN(iop_leave)
{
	struct ilink *l = iop_link(op);
	struct interp_hot *h = interp_hot(cpu);
	uint64_t from = cpu->rip;

	set_rip(cpu, cpu->rip + (uint64_t)l->delta);
	cpu->budget += l->unretired;
	h->link = l;
	if (LIKELY(l->head.to))
		return iop_enter(cpu, (struct iblock *)l->head.to);
	if ((from ^ cpu->rip) >> PAGE_BITS) { /* is never linked */
		struct iblock *b = interp_jump_find(cpu, h);

		if (b && b->heat > 1)
			return iop_enter(cpu, b);
	}
	h->stop = INTERP_LOOKUP;
	return NULL;
}

static inline const struct iop *jump(struct x86_cpu *cpu)
{
	struct interp_hot *h = interp_hot(cpu);
	struct iblock *b = interp_jump_find(cpu, h);

	h->link = NULL;
	if (LIKELY(b))
		return iop_enter(cpu, b);
	h->stop = INTERP_LOOKUP;
	return NULL;
}

IOP_FN(iop_exit_indirect)
{
	set_rip(cpu, *(const uint64_t *)SLOT(op->a));
	return jump(cpu);
}

IOP_FN(iop_exit_state)
{
	struct interp_hot *h = interp_hot(cpu);

	if (LIKELY(!cpu->pending_db && !cpu->activity && !cpu->request_ignored))
		return jump(cpu);
	h->link = NULL;
	h->stop = INTERP_POLL;
	return NULL;
}

IOP_FN(iop_if)
{
	return iop_leave_if(cpu, op, *(const uint8_t *)SLOT(op->a));
}

IOP_FN(iop_unless)
{
	const struct ilink *l = iop_link(op);
	uint64_t to = *(const uint64_t *)SLOT(op->a);

	if (LIKELY(to == cpu->rip + (uint64_t)l->delta))
		NEXT;
	cpu->budget += l->unretired;
	set_rip(cpu, to);
	return jump(cpu);
}

IOP_FN(iop_if_state)
{
	return iop_leave_if(cpu, op,
			    ir_cond_eval((enum ir_cond)op->imm, cpu->cc_kind, cpu->cc_a, cpu->cc_b,
					 cpu->cc_c));
}
