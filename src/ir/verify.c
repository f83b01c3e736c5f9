/* The verifier: every rule of docs/ir.md, one message for the first that is broken. Safe on any
 * content of the block, except that the helper of a call must be a real one. */
#include "ir/ir.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/bits.h"
#include "ir/vop.h"

struct verifier {
	const struct ir_block *b;
	uint32_t at;
	bool wrote; /* this guest instruction has changed guest state */
	char *msg;
	size_t msg_len;
};

__attribute__((format(printf, 2, 3))) static bool fail(struct verifier *v, const char *fmt, ...)
{
	unsigned op = v->at < v->b->count ? v->b->insn[v->at].op : IR_OP_COUNT;
	int n = snprintf(v->msg, v->msg_len, "operation %u (%s): ", v->at,
			 op < IR_OP_COUNT ? ir_ops[op].name : "?");
	va_list ap;

	va_start(ap, fmt);
	if (n > 0 && (size_t)n < v->msg_len)
		vsnprintf(v->msg + n, v->msg_len - (size_t)n, fmt, ap);
	va_end(ap);
	return false;
}

static bool is_int(unsigned t)
{
	return t >= IR_I8 && t <= IR_I64;
}

static bool is_value(unsigned t)
{
	return t >= IR_I8 && t <= IR_V256;
}

/* Type of argument k, IR_VOID if absent. Refs are checked before. */
static enum ir_type arg_type(struct verifier *v, const struct ir_insn *i, unsigned k)
{
	return i->arg[k] == IR_NONE ? IR_VOID : ir_type_of(v->b, i->arg[k]);
}

static bool want_arg(struct verifier *v, const struct ir_insn *i, unsigned k, enum ir_type t)
{
	enum ir_type got = arg_type(v, i, k);

	return got == t ||
	       fail(v, "argument %u is %s, not %s", k, ir_type_name(got), ir_type_name(t));
}

static bool want_int(struct verifier *v, unsigned t)
{
	return is_int(t) || fail(v, "%s is not an integer type", ir_type_name((enum ir_type)t));
}

static bool check_refs(struct verifier *v, const struct ir_insn *i)
{
	const struct ir_op_info *info = &ir_ops[i->op];
	bool vary = i->op == IR_MAKE_FLAGS || i->op == IR_VOP || i->op == IR_CALL;

	for (unsigned k = 0; k < 3; k++) {
		if (i->arg[k] == IR_NONE) {
			if (k < info->args && !vary)
				return fail(v, "argument %u is missing", k);
			continue;
		}
		if (k >= info->args)
			return fail(v, "takes only %u arguments", info->args);
		if (i->arg[k] >= v->at)
			return fail(v, "argument %u does not come earlier", k);
		if (ir_ops[v->b->insn[i->arg[k]].op].result == IR_RESULT_NONE ||
		    ir_type_of(v->b, i->arg[k]) == IR_VOID)
			return fail(v, "argument %u is no value", k);
	}
	return true;
}

/* Result types that the table fixes, and fields the operation does not have. */
static bool check_fields(struct verifier *v, const struct ir_insn *i)
{
	static const uint8_t fixed[] = {
		[IR_RESULT_I8] = IR_I8, [IR_RESULT_I64] = IR_I64, [IR_RESULT_FLAGS] = IR_FLAGS};
	const struct ir_op_info *info = &ir_ops[i->op];

	if (info->result >= IR_RESULT_I8 && i->type != fixed[info->result])
		return fail(v, "result must be %s",
			    ir_type_name((enum ir_type)fixed[info->result]));
	if (info->result == IR_RESULT_TYPE && i->op != IR_VOP && i->op != IR_CALL &&
	    !is_value(i->type))
		return fail(v, "result must not be %s", ir_type_name((enum ir_type)i->type));
	if (!info->has_imm && i->imm)
		return fail(v, "has no immediate");
	if ((!info->has_aux && i->aux) || ((!info->has_aux || i->op == IR_GUEST) && i->mmu))
		return fail(v, "has no flags or address space");
	return true;
}

static bool check_state(struct verifier *v, const struct ir_insn *i)
{
	if (!is_value(i->type))
		return fail(v, "%s is no type of state", ir_type_name((enum ir_type)i->type));
	if (v->b->isa &&
	    !ir_reg_at(v->b->isa, (uint64_t)i->imm, ir_type_bytes((enum ir_type)i->type)))
		return fail(v, "state offset %lld is not inside a register", (long long)i->imm);
	return i->op == IR_GET || want_arg(v, i, 0, (enum ir_type)i->type);
}

static bool check_const(struct verifier *v, const struct ir_insn *i)
{
	if (!want_int(v, i->type))
		return false;
	if ((uint64_t)i->imm & ~bits_mask(ir_type_bits((enum ir_type)i->type)))
		return fail(v, "constant has bits above its type");
	return true;
}

static bool check_width_change(struct verifier *v, const struct ir_insn *i)
{
	enum ir_type from = arg_type(v, i, 0);

	if (i->op == IR_ZEXT && i->type == IR_V256)
		return want_arg(v, i, 0, IR_V128);
	if (i->op == IR_TRUNC && i->type == IR_V128)
		return want_arg(v, i, 0, IR_V256);
	if (!want_int(v, i->type) || !want_int(v, from))
		return false;
	if (i->op == IR_TRUNC ? from <= i->type : from >= i->type)
		return fail(v, "cannot turn %s into %s", ir_type_name(from),
			    ir_type_name((enum ir_type)i->type));
	return true;
}

static bool check_make_flags(struct verifier *v, const struct ir_insn *i)
{
	static const uint8_t needs[IR_FLAGS_KINDS] = {
		/* bit per operand */
		[IR_FLAGS_RAW] = 1, [IR_FLAGS_ADD] = 3,	  [IR_FLAGS_ADC] = 7, [IR_FLAGS_SUB] = 3,
		[IR_FLAGS_SBB] = 7, [IR_FLAGS_LOGIC] = 1, [IR_FLAGS_INC] = 5, [IR_FLAGS_DEC] = 5,
		[IR_FLAGS_SHL] = 3, [IR_FLAGS_SHR] = 3,	  [IR_FLAGS_SAR] = 3, [IR_FLAGS_MUL] = 3,
		[IR_FLAGS_ROL] = 3, [IR_FLAGS_ROR] = 3,
	};
	uint64_t kind = (uint64_t)i->imm >> 2;
	enum ir_type t = (enum ir_type)(IR_I8 + (i->imm & 3));
	unsigned operands;

	if (kind >= IR_FLAGS_KINDS)
		return fail(v, "unknown kind of flags");
	operands = kind == IR_FLAGS_ADD || kind == IR_FLAGS_ADC || kind == IR_FLAGS_SUB ||
				   kind == IR_FLAGS_SBB
			   ? 2
			   : kind != IR_FLAGS_RAW;
	for (unsigned k = 0; k < 3; k++) {
		if (i->arg[k] == IR_NONE) {
			if (needs[kind] >> k & 1)
				return fail(v, "operand %u is missing", k);
			continue;
		}
		if (!want_int(v, arg_type(v, i, k)))
			return false;
		if (k < operands && arg_type(v, i, k) < t)
			return fail(v, "operand %u is narrower than %s", k, ir_type_name(t));
	}
	return true;
}

static bool check_vop(struct verifier *v, const struct ir_insn *i)
{
	unsigned id = (unsigned)(i->imm & 0xffff);

	if (id >= VOP_COUNT)
		return fail(v, "unknown vector operation %u", id);
	if ((uint64_t)i->imm >> 24)
		return fail(v, "immediate out of range");
	if (!vop_table[id].has_imm8 && i->imm >> 16)
		return fail(v, "%s has no imm8", vop_table[id].name);
	if (!vop_result_ok(id, (enum ir_type)i->type))
		return fail(v, "result must be %s",
			    ir_type_name((enum ir_type)vop_table[id].result));
	for (unsigned k = 0; k < 3; k++)
		if (!want_arg(v, i, k, vop_arg_type(id, (enum ir_type)i->type, k)))
			return false;
	return true;
}

static bool check_call(struct verifier *v, const struct ir_insn *i)
{
	const struct ir_helper *h = ir_helper_of(i);

	if (!h)
		return fail(v, "no helper");
	if (i->type != h->result)
		return fail(v, "result must be %s", ir_type_name((enum ir_type)h->result));
	for (unsigned k = 0; k < 3; k++) {
		if ((i->arg[k] != IR_NONE) != (k < h->args))
			return fail(v, "%s takes %u arguments", h->name, h->args);
		if (arg_type(v, i, k) == IR_FLAGS)
			return fail(v, "argument %u is flags", k);
	}
	if ((h->flags & IR_HELPER_PURE) && (h->writes || h->flags != IR_HELPER_PURE))
		return fail(v, "%s is declared pure and is not", h->name);
	if ((h->flags & IR_HELPER_SETS_PC) &&
	    (v->at + 1 >= v->b->count || v->b->insn[v->at + 1].op != IR_EXIT_STATE))
		return fail(v, "%s sets the PC: only exit_state may follow", h->name);
	return true;
}

/* a is an address; then a value or two of the access's type. */
static bool check_memory(struct verifier *v, const struct ir_insn *i)
{
	if (!want_arg(v, i, 0, IR_I64))
		return false;
	if (i->op >= IR_ATOMIC_XCHG && !want_int(v, i->type))
		return false;
	if (!is_value(i->type))
		return fail(v, "%s cannot be in memory", ir_type_name((enum ir_type)i->type));
	for (unsigned k = 1; k < ir_ops[i->op].args; k++)
		if (!want_arg(v, i, k, (enum ir_type)i->type))
			return false;
	return true;
}

static bool check_guest(struct verifier *v, const struct ir_insn *i)
{
	if (i->imm != (int32_t)i->imm)
		return fail(v, "offset out of range");
	v->wrote = false;
	return true;
}

static bool check_arith(struct verifier *v, const struct ir_insn *i, enum ir_type t)
{
	if (!want_int(v, t))
		return false;
	for (unsigned k = 0; k < ir_ops[i->op].args; k++)
		if (!want_arg(v, i, k, t))
			return false;
	return true;
}

static bool check_types(struct verifier *v, const struct ir_insn *i)
{
	if (i->op >= IR_ADD && i->op <= IR_POPCNT)
		return check_arith(v, i, (enum ir_type)i->type);
	if (i->op >= IR_EQ && i->op <= IR_LES)
		return check_arith(v, i, is_int((unsigned)i->imm) ? (enum ir_type)i->imm : IR_VOID);
	if (i->op >= IR_LOAD && i->op <= IR_ATOMIC_CMPXCHG)
		return check_memory(v, i);
	switch (i->op) {
	case IR_CONST:
		return check_const(v, i);
	case IR_GET:
	case IR_PUT:
		return check_state(v, i);
	case IR_SELECT:
		return want_int(v, i->type) && want_arg(v, i, 0, IR_I8) &&
		       want_arg(v, i, 1, (enum ir_type)i->type) &&
		       want_arg(v, i, 2, (enum ir_type)i->type);
	case IR_ZEXT:
	case IR_SEXT:
	case IR_TRUNC:
		return check_width_change(v, i);
	case IR_MAKE_FLAGS:
		return check_make_flags(v, i);
	case IR_COND:
		return (uint64_t)i->imm < 16 ? want_arg(v, i, 0, IR_FLAGS)
					     : fail(v, "unknown condition");
	case IR_PUT_FLAGS:
	case IR_PACK_FLAGS:
		return want_arg(v, i, 0, IR_FLAGS);
	case IR_VOP:
		return check_vop(v, i);
	case IR_CALL:
		return check_call(v, i);
	case IR_GUEST:
		return check_guest(v, i);
	case IR_EXIT_IF:
		return want_arg(v, i, 0, IR_I8);
	case IR_EXIT_UNLESS:
	case IR_EXIT_INDIRECT:
		return want_arg(v, i, 0, IR_I64);
	default:
		return true;
	}
}

/* Everything in a guest instruction that may fault comes before what it changes. */
static bool check_fault_order(struct verifier *v, const struct ir_insn *i)
{
	if (v->wrote && ir_insn_may_fault(i))
		return fail(v, "may fault after the instruction has changed guest state");
	if (i->op == IR_PUT || i->op == IR_PUT_FLAGS ||
	    (i->op == IR_CALL && ir_helper_of(i)->writes))
		v->wrote = true;
	return true;
}

static bool check_insn(struct verifier *v, const struct ir_insn *i)
{
	if (i->op >= IR_OP_COUNT)
		return fail(v, "no such operation: %u", i->op);
	if (i->type >= IR_TYPES)
		return fail(v, "no such type: %u", i->type);
	if (ir_ops[i->op].terminal != (v->at + 1 == v->b->count))
		return fail(v, ir_ops[i->op].terminal ? "more operations after the end"
						      : "the block does not end with an exit");
	return check_refs(v, i) && check_fields(v, i) && check_types(v, i) &&
	       check_fault_order(v, i);
}

int ir_verify(const struct ir_block *b, char *msg, size_t msg_len)
{
	struct verifier v = {.b = b, .msg = msg, .msg_len = msg_len};
	uint32_t guests = 0;

	if (b->overflow || b->count == 0 || b->count > IR_BLOCK_MAX) {
		snprintf(msg, msg_len, b->count ? "the block is too long" : "the block is empty");
		return -1;
	}
	for (; v.at < b->count; v.at++) {
		if (!check_insn(&v, &b->insn[v.at]))
			return -1;
		guests += b->insn[v.at].op == IR_GUEST;
	}
	if (guests != b->guest_count || guests > IR_BLOCK_GUEST_MAX) {
		snprintf(msg, msg_len, "%u guest instructions, %u counted, at most %u allowed",
			 guests, b->guest_count, IR_BLOCK_GUEST_MAX);
		return -1;
	}
	return 0;
}
