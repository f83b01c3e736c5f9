/*
 * Lowering, the walk: puts, memory operations, calls and exits in program order, taking in pending
 * values (lower.c). Two fusions matter most: an operation whose flags are put next to its result
 * becomes one, and so do a compare and the exit that depends on it.
 */
#include <string.h>

#include "engine/interpret/lower_private.h"
#include "ir/vop.h"
#include "isa/x86/mmu.h"
#include "isa/x86/mode.h"

static const struct ir_insn *insn_of(const struct lower *l, ir_ref r)
{
	return &l->b->insn[r];
}

/* ---- looking ahead within a guest instruction */
static bool is_barrier(const struct ir_insn *i)
{
	const struct ir_op_info *info = &ir_ops[i->op];

	return i->op == IR_GUEST || info->may_fault || info->leaves ||
	       (info->side_effect && i->op != IR_PUT && i->op != IR_PUT_FLAGS) || i->op == IR_CALL;
}

/* Does operation f compute what flags value m describes? */
static bool flags_match(const struct lower *l, ir_ref m, ir_ref f)
{
	const struct ir_insn *mi = insn_of(l, m), *fi = insn_of(l, f);
	unsigned kind = (unsigned)mi->imm >> 2;

	if (mi->op != IR_MAKE_FLAGS ||
	    (l->value[m].where != PENDING && l->value[m].where != NOWHERE) ||
	    l->value[f].where != PENDING || fi->type < IR_I8 || fi->type > IR_I64 ||
	    ir_type_log2((enum ir_type)fi->type) != (mi->imm & 3))
		return false;
	if (kind == IR_FLAGS_LOGIC)
		return mi->arg[0] == f && (fi->op == IR_AND || fi->op == IR_OR || fi->op == IR_XOR);
	return ((kind == IR_FLAGS_ADD && fi->op == IR_ADD) ||
		(kind == IR_FLAGS_SUB && fi->op == IR_SUB)) &&
	       mi->arg[0] == fi->arg[0] && mi->arg[1] == fi->arg[1];
}

/* The put_flags after i that goes with operation f, or IR_NONE. */
static ir_ref find_put_flags(const struct lower *l, ir_ref i, ir_ref f)
{
	for (ir_ref k = i + 1; k < l->b->count; k++) {
		const struct ir_insn *n = insn_of(l, k);
		if (n->op == IR_PUT_FLAGS)
			return !l->done[k] && flags_match(l, n->arg[0], f) ? k : IR_NONE;
		if (is_barrier(n) || n->op == IR_GET_FLAGS)
			return IR_NONE;
	}
	return IR_NONE;
}

static bool overlaps(const struct ir_insn *i, uint32_t offset, unsigned bytes)
{
	return (uint32_t)i->imm < offset + bytes &&
	       (uint32_t)i->imm + ir_type_bytes((enum ir_type)i->type) > offset;
}

/* The put after i of a value whose direct source is `source`, if nothing between reads or writes
 * that state; or IR_NONE. */
static ir_ref find_put(const struct lower *l, ir_ref i, ir_ref source)
{
	for (ir_ref k = i + 1; k < l->b->count; k++) {
		const struct ir_insn *n = insn_of(l, k);
		if (n->op == IR_PUT) {
			ir_ref v = n->arg[0];
			bool direct = v == source || (insn_of(l, v)->op == IR_ZEXT &&
						      insn_of(l, v)->arg[0] == source);
			if (!direct)
				continue;
			for (ir_ref j = i + 1; j < k; j++) {
				const struct ir_insn *m = insn_of(l, j);
				if ((m->op == IR_PUT || m->op == IR_GET) &&
				    overlaps(m, (uint32_t)n->imm, ir_type_bytes(n->type)))
					return IR_NONE;
			}
			return l->done[k] ? IR_NONE : k;
		}
		if (is_barrier(n))
			return IR_NONE;
	}
	return IR_NONE;
}

/* ---- flags */
static void set_flags_tuple(struct lower *l, const struct ir_insn *m)
{
	unsigned kind = (unsigned)m->imm >> 2;
	bool only_a = kind == IR_FLAGS_LOGIC || kind == IR_FLAGS_RAW, has_c = m->arg[2] != IR_NONE;
	int32_t k = (int32_t)m->imm; /* the key, where nothing else wants the immediate */
	bool imm = !only_a && !has_c && m->arg[1] != IR_NONE && lower_imm(l, m->arg[1], &k);
	uint16_t a = lower_loc(l, m->arg[0]), b = 0, c = 0;
	struct iop *op;

	if (!imm && m->arg[1] != IR_NONE)
		b = lower_loc(l, m->arg[1]);
	if (has_c)
		c = lower_loc(l, m->arg[2]);
	lower_clobber_flags(l);
	op = lower_emit(l, has_c    ? iop_set_flags_abc
			   : imm    ? iop_set_flags_ai
			   : only_a ? iop_set_flags_a
				    : iop_set_flags_ab);
	op->a = a;
	op->b = b;
	op->c = imm ? (uint16_t)m->imm : c;
	op->d = has_c ? (uint16_t)m->imm : 0;
	op->imm = k;
}

static iop_fn fused_fn(const struct lower *l, ir_ref f)
{
	const struct ir_insn *i = insn_of(l, f);
	int32_t imm;

	return iop_find_binary_flags((enum ir_op)i->op, (enum ir_type)i->type,
				     lower_imm(l, i->arg[1], &imm));
}

/* Emit operation f with its flags, its result into the put `p` (or a temporary if IR_NONE). */
static void emit_fused(struct lower *l, ir_ref f, ir_ref flags, ir_ref p)
{
	iop_fn fn = fused_fn(l, f);
	const struct ir_insn *put = p == IR_NONE ? NULL : insn_of(l, p);

	l->value[f].uses++; /* it and its operands outlive the flags that may be its only use */
	lower_consume(l, flags);
	lower_clobber_flags(l);
	if (put) {
		ir_ref v = put->arg[0];
		lower_emit_direct(l, v, v == f ? f : insn_of(l, v)->arg[0], (uint32_t)put->imm,
				  ir_type_bytes((enum ir_type)put->type), fn);
		lower_consume(l, v);
		l->done[p] = true;
	} else {
		lower_emit_as(l, f, fn);
	}
	lower_consume(l, f);
}

/* May put p take operation f directly? */
static bool put_is_direct(const struct lower *l, ir_ref p, ir_ref f)
{
	return lower_direct_source(l, insn_of(l, p)->arg[0]) == f;
}

static void lower_put_flags(struct lower *l, ir_ref r)
{
	ir_ref m = insn_of(l, r)->arg[0];
	const struct ir_insn *mi = insn_of(l, m);

	if (mi->op != IR_MAKE_FLAGS) { /* the guest's own flags, from before */
		if (l->value[m].where == IN_TEMP) {
			struct iop *op = lower_emit(l, iop_set_flags_a);
			op->a = l->value[m].slot;
			op->imm = IR_FLAGS_KEY(IR_FLAGS_RAW, 3);
		}
		lower_consume(l, m);
		return;
	}
	/* the operation these flags belong to: for logic its result; else look ahead for its put */
	if ((unsigned)mi->imm >> 2 == IR_FLAGS_LOGIC) {
		ir_ref f = mi->arg[0];
		if (flags_match(l, m, f)) {
			ir_ref p = find_put(l, r, f);
			if (p != IR_NONE && put_is_direct(l, p, f)) {
				emit_fused(l, f, m, p);
				return;
			}
			emit_fused(l, f, m, IR_NONE); /* TEST, or to memory */
			return;
		}
	} else {
		for (ir_ref k = r + 1; k < l->b->count && !is_barrier(insn_of(l, k)); k++) {
			ir_ref f;
			if (insn_of(l, k)->op != IR_PUT || l->done[k])
				continue;
			f = lower_direct_source(l, insn_of(l, k)->arg[0]);
			if (f != IR_NONE && flags_match(l, m, f) && find_put(l, r, f) == k) {
				emit_fused(l, f, m, k);
				return;
			}
		}
	}
	set_flags_tuple(l, mi);
	lower_consume(l, m);
}

/* ---- puts */
static void lower_put(struct lower *l, ir_ref r)
{
	const struct ir_insn *i = insn_of(l, r);
	enum ir_type t = (enum ir_type)i->type;
	ir_ref v = i->arg[0], source = lower_direct_source(l, v);
	struct iop *op;
	uint64_t k;

	if (source != IR_NONE) {
		ir_ref p = find_put_flags(l, r, source);
		if (p != IR_NONE) {
			l->done[p] = true;
			emit_fused(l, source, insn_of(l, p)->arg[0], r);
			return;
		}
		lower_emit_direct(l, v, source, (uint32_t)i->imm, ir_type_bytes(t), NULL);
	} else if (lower_const(l, v, &k)) {
		lower_clobber(l, (uint32_t)i->imm, ir_type_bytes(t));
		op = lower_emit(l, iop_find_const(t));
		op->d = (uint16_t)i->imm;
		op->wide = k;
	} else {
		uint16_t from = lower_loc(l, v);
		lower_clobber(l, (uint32_t)i->imm, ir_type_bytes(t));
		op = lower_emit(l, iop_find_copy(t));
		op->a = from;
		op->d = (uint16_t)i->imm;
	}
	lower_consume(l, v);
}

/* ---- memory */
/* The last of a chain of zero-extensions after a load, each the only use of the one before. */
static ir_ref extension_chain(const struct lower *l, ir_ref r)
{
	ir_ref v = r;

	for (ir_ref k = r + 1; k < l->b->count && l->value[v].uses == 1; k++) {
		const struct ir_insn *n = insn_of(l, k);
		if (n->op == IR_ZEXT && n->arg[0] == v && n->type <= IR_I64)
			v = k;
		else if (is_barrier(n) || n->op == IR_PUT)
			break;
	}
	return v;
}

/* Where the result of a load or vector operation at r goes: straight into the state it is put in
 * when that is all it is for, else a temporary. *wide: written as 64 bits. */
static uint16_t result_slot(struct lower *l, ir_ref r, bool *wide)
{
	enum ir_type t = ir_type_of(l->b, r);
	ir_ref v = insn_of(l, r)->op == IR_LOAD ? extension_chain(l, r) : r;
	ir_ref p = l->value[v].uses == 1 ? find_put(l, r, v) : IR_NONE;
	const struct ir_insn *put = p == IR_NONE ? NULL : insn_of(l, p);

	*wide = true;
	if (put && put->arg[0] == v && (v == r ? t != IR_I32 : put->type == IR_I64)) {
		lower_clobber(l, (uint32_t)put->imm, ir_type_bytes((enum ir_type)put->type));
		l->done[p] = true;
		*wide = v != r;
		for (; v != r; v = insn_of(l, v)->arg[0])
			l->value[v].where = GONE;
		l->value[r].where = GONE;
		return (uint16_t)put->imm;
	}
	if (!l->value[r].uses)
		return lower_dummy_slot();
	l->value[r].where = IN_TEMP;
	return l->value[r].slot = lower_temp(l, t);
}

static uint16_t mem_access(const struct ir_insn *i, unsigned scale)
{
	return IOP_ACCESS(i->mmu, i->aux & ~IR_MEM_KEPT, scale);
}

static void address_operands(struct lower *l, ir_ref addr, bool checked, struct address *m,
			     uint16_t *a, uint16_t *b)
{
	if (checked)
		*m = (struct address){.base = addr, .index = IR_NONE};
	else
		lower_match_address(l, addr, m);
	*a = lower_loc(l, m->base);
	*b = m->index == IR_NONE ? 0 : lower_loc(l, m->index);
}

/* Must the load at r look at more than the right to read? All that is checked for alignment must,
 * and one that is there only to see whether the place can be written. */
static bool is_checked(const struct lower *l, ir_ref r)
{
	return (l->mode & X86_MODE_AC) || ((insn_of(l, r)->aux & X86_MEM_RMW) && !l->value[r].uses);
}

/* The slow way, at a computed address. */
static void lower_load_checked(struct lower *l, ir_ref r, uint16_t a, uint16_t d, bool wide)
{
	const struct ir_insn *i = insn_of(l, r);
	enum ir_type t = (enum ir_type)i->type;
	/* it writes 8 bytes for what is narrower: not into narrow state */
	bool copy = !wide && ir_type_bytes(t) < 8;
	struct iop *op = lower_emit(l, iop_load_checked);

	op->a = a;
	op->b = (uint16_t)ir_type_bytes(t);
	op->c = mem_access(i, 0);
	op->d = copy ? lower_dummy_slot() : d;
	if (copy) {
		op = lower_emit(l, iop_find_copy(t));
		op->a = lower_dummy_slot();
		op->d = d;
	}
}

static void lower_load(struct lower *l, ir_ref r)
{
	const struct ir_insn *i = insn_of(l, r);
	struct address m;
	uint16_t a, b, d;
	bool wide, checked = is_checked(l, r);
	struct iop *op;

	address_operands(l, i->arg[0], checked, &m, &a, &b);
	lower_consume(l, i->arg[0]);
	d = result_slot(l, r, &wide);
	if (checked) {
		lower_load_checked(l, r, a, d, wide);
		return;
	}
	op = lower_emit(l, iop_find_load((enum ir_type)i->type, m.index != IR_NONE, wide));
	op->a = a;
	op->b = b;
	op->d = d;
	op->c = mem_access(i, m.scale);
	op->imm = m.disp;
}

static void lower_store(struct lower *l, ir_ref r)
{
	const struct ir_insn *i = insn_of(l, r);
	enum ir_type t = (enum ir_type)i->type;
	bool checked = l->mode & X86_MODE_AC, imm;
	struct address m;
	uint16_t a, b, d;
	int32_t k = 0;
	struct iop *op;

	address_operands(l, i->arg[0], checked, &m, &a, &b);
	imm = m.index == IR_NONE && !checked && lower_imm(l, i->arg[1], &k);
	d = imm ? (uint16_t)k : lower_loc(l, i->arg[1]);
	lower_consume(l, i->arg[0]);
	lower_consume(l, i->arg[1]);
	op = lower_emit(l, checked ? iop_store_checked
			   : imm   ? iop_find_store_imm(t)
				   : iop_find_store(t, m.index != IR_NONE));
	op->a = a;
	op->b = imm ? (uint16_t)((uint32_t)k >> 16) : checked ? (uint16_t)ir_type_bytes(t) : b;
	op->d = d;
	op->c = mem_access(i, m.scale);
	op->imm = m.disp;
}

static void lower_atomic(struct lower *l, ir_ref r)
{
	const struct ir_insn *i = insn_of(l, r);
	uint16_t a = lower_loc(l, i->arg[0]), b = lower_loc(l, i->arg[1]);
	uint16_t c = i->arg[2] == IR_NONE ? lower_dummy_slot() : lower_loc(l, i->arg[2]);
	struct iop *op;

	for (int k = 0; k < 3; k++)
		lower_consume(l, i->arg[k]);
	op = lower_emit(l, iop_find_atomic((enum ir_op)i->op));
	op->a = a;
	op->b = b;
	op->c = mem_access(i, 0);
	op->imm = i->type | (int32_t)((uint32_t)c << 16);
	if (l->value[r].uses) {
		l->value[r].where = IN_TEMP;
		l->value[r].slot = lower_temp(l, IR_I64);
	} else {
		l->value[r].slot = lower_dummy_slot();
	}
	op->d = l->value[r].slot;
}

/* ---- calls and vector operations */
static void call_argument(struct lower *l, ir_ref r, struct icall_arg *a)
{
	enum ir_type t;

	*a = (struct icall_arg){.slot = lower_dummy_slot()};
	if (r == IR_NONE || lower_const(l, r, &a->k))
		return;
	t = ir_type_of(l->b, r);
	a->slot = lower_loc(l, r);
	a->pointer = t == IR_V128 || t == IR_V256;
	a->mask = bits_mask(ir_type_bits(t));
}

static void lower_call(struct lower *l, ir_ref r)
{
	const struct ir_insn *i = insn_of(l, r);
	const struct ir_helper *h = ir_helper_of(i);
	struct lowered *out = l->out;
	struct iop *op;
	struct icall *c;

	if (out->call_count == LOWER_CALLS_MAX) {
		l->failed = true;
		out->call_count = 0;
	}
	c = &out->call[out->call_count++];
	c->fn = (uint64_t(*)(void *, uint64_t, uint64_t, uint64_t))(uintptr_t)h->fn;
	for (int k = 0; k < 3; k++)
		call_argument(l, i->arg[k], &c->arg[k]);
	for (int k = 0; k < 3; k++)
		lower_consume(l, i->arg[k]);
	lower_clobber_groups(l, h->writes);
	op = lower_emit_pointing(
		l, h->flags & (IR_HELPER_FAULTS | IR_HELPER_MEMORY) ? iop_call_fault : iop_call,
		LOWERED_CALL, out->call_count - 1);
	op->d = lower_dummy_slot();
	if (l->value[r].uses) {
		l->value[r].where = IN_TEMP;
		op->d = l->value[r].slot = lower_temp(l, IR_I64);
	}
}

/* Operations that set MXCSR flags run in program order. */
static void lower_vop_now(struct lower *l, ir_ref r)
{
	const struct ir_insn *i = insn_of(l, r);
	uint16_t s[3];
	bool wide;
	struct iop *op;

	for (int k = 0; k < 3; k++)
		s[k] = i->arg[k] == IR_NONE ? lower_dummy_slot() : lower_loc(l, i->arg[k]);
	for (int k = 0; k < 3; k++)
		lower_consume(l, i->arg[k]);
	uint16_t d = result_slot(l, r, &wide);
	op = lower_emit(l,
			iop_find_vop((unsigned)i->imm & 0xffff, (enum ir_type)i->type, &l->host));
	op->imm = (int32_t)i->imm;
	op->a = s[0];
	op->b = s[1];
	op->c = s[2];
	op->d = d;
}

/* ---- exits */
static unsigned new_link(struct lower *l, int64_t delta)
{
	struct lowered *out = l->out;

	if (out->link_count == LOWER_LINKS_MAX) {
		l->failed = true;
		out->link_count = 0;
	}
	out->link_delta[out->link_count] = delta;
	out->link_guests[out->link_count] = out->guest_count;
	return out->link_count++;
}

static void lower_exit_if(struct lower *l, ir_ref r)
{
	const struct ir_insn *i = insn_of(l, r), *c = insn_of(l, i->arg[0]);
	unsigned link = new_link(l, i->imm);
	struct iop *op;

	if (l->value[i->arg[0]].where == PENDING && c->op >= IR_EQ && c->op <= IR_LES) {
		int32_t k = 0;
		bool imm = lower_imm(l, c->arg[1], &k);
		uint16_t a = lower_loc(l, c->arg[0]), b = imm ? 0 : lower_loc(l, c->arg[1]);
		op = lower_emit_pointing(
			l, iop_find_branch((enum ir_op)c->op, (enum ir_type)c->imm, imm),
			LOWERED_LINK, link);
		op->a = a;
		op->b = b;
		op->imm = k;
	} else if (l->value[i->arg[0]].where == PENDING && c->op == IR_COND &&
		   insn_of(l, c->arg[0])->op == IR_GET_FLAGS &&
		   l->value[c->arg[0]].where == IN_STATE) {
		op = lower_emit_pointing(l, iop_if_state, LOWERED_LINK, link);
		op->imm = (int32_t)c->imm;
	} else {
		uint16_t a = lower_loc(l, i->arg[0]);
		op = lower_emit_pointing(l, iop_if, LOWERED_LINK, link);
		op->a = a;
	}
	lower_consume(l, i->arg[0]);
}

static void lower_exit_unless(struct lower *l, const struct ir_insn *i)
{
	unsigned link = new_link(l, i->imm); /* for the delta and what is left to retire */
	uint16_t a = lower_loc(l, i->arg[0]);
	struct iop *op = lower_emit_pointing(l, iop_unless, LOWERED_LINK, link);

	op->a = a;
	lower_consume(l, i->arg[0]);
}

static void lower_exit(struct lower *l, const struct ir_insn *i)
{
	struct iop *op;
	uint16_t a;

	switch (i->op) {
	case IR_EXIT:
		lower_emit_pointing(l, iop_leave, LOWERED_LINK, new_link(l, i->imm));
		break;
	case IR_EXIT_INDIRECT:
		a = lower_loc(l, i->arg[0]);
		op = lower_emit(l, iop_exit_indirect);
		op->a = a;
		break;
	default:
		lower_emit(l, iop_exit_state);
	}
}

static void lower_guest(struct lower *l, const struct ir_insn *i)
{
	struct lowered *out = l->out;

	unsigned g = out->guest_count++;

	if (i->imm != (int16_t)i->imm)
		l->failed = true;
	out->guest_offset[g] = (int16_t)i->imm;
	out->guest_len[g] = i->aux;
}

/* Without branches, which nobody could predict, and without one place for all that is not there. */
static void count_uses(struct lower *l)
{
	const struct ir_insn *n = l->b->insn;

	memset(l->value, 0, sizeof(l->value[0]) * l->b->count);
	memset(l->done, 0, l->b->count);
	for (uint32_t i = 0; i < l->b->count; i++, n++) {
		uint32_t none = IR_BLOCK_MAX + i % LOWER_UNUSED, a = n->arg[0], b = n->arg[1];

		a = a < IR_BLOCK_MAX ? a : none;
		b = b < IR_BLOCK_MAX ? b : none + LOWER_UNUSED;
		l->value[a].uses++;
		l->value[b].uses++;
		if (UNLIKELY(n->arg[2] != IR_NONE))
			l->value[n->arg[2]].uses++;
	}
}

static void lower_one(struct lower *l, ir_ref r)
{
	const struct ir_insn *i = insn_of(l, r);

	switch (i->op) {
	case IR_GET:
		lower_in_state(l, r, (uint16_t)i->imm);
		break;
	case IR_GET_FLAGS:
		l->value[r].where = IN_STATE;
		if (l->live_flags_count < LOWER_LIVE_MAX)
			l->live_flags[l->live_flags_count++] = r;
		else
			l->failed = true;
		break;
	case IR_PUT:
		lower_put(l, r);
		break;
	case IR_PUT_FLAGS:
		lower_put_flags(l, r);
		break;
	case IR_LOAD:
		lower_load(l, r);
		break;
	case IR_STORE:
		lower_store(l, r);
		break;
	case IR_ATOMIC_XCHG ... IR_ATOMIC_CMPXCHG:
		lower_atomic(l, r);
		break;
	case IR_FENCE:
		lower_emit(l, iop_fence);
		break;
	case IR_CALL:
		lower_call(l, r);
		break;
	case IR_GUEST:
		lower_guest(l, i);
		break;
	case IR_EXIT_IF:
		lower_exit_if(l, r);
		break;
	case IR_EXIT_UNLESS:
		lower_exit_unless(l, i);
		break;
	case IR_EXIT_MOVED: /* our blocks are of one page, or looked up by both */
		break;
	case IR_EXIT:
	case IR_EXIT_INDIRECT:
	case IR_EXIT_STATE:
		lower_exit(l, i);
		break;
	case IR_VOP:
		if (vop_table[i->imm & 0xffff].uses_mxcsr) {
			lower_vop_now(l, r);
			break;
		}
		/* fall through */
	default:
		if (l->value[r].where == NOWHERE)
			l->value[r].where = PENDING;
	}
}

bool lower_block(struct lower *l, const struct ir_block *b, x86_mode_t mode, struct lowered *out)
{
	l->b = b;
	l->out = out;
	l->mode = mode;
	l->failed = b->count > IR_BLOCK_MAX;
	memset(l->free_temp, 0xff, sizeof(l->free_temp));
	memset(l->free_vec, 0xff, sizeof(l->free_vec));
	l->free_vec[LOWER_VECS / 64 - 1] &= ~BIT(63); /* the dummy */
	l->live_count = l->live_flags_count = l->freed_count = 0;
	out->op_count = out->call_count = out->link_count = out->guest_count = 0;
	count_uses(l);
	for (uint32_t r = 0; r < b->count && !l->failed; r++) {
		if (l->freed_count)
			lower_reuse_freed(l);
		if (!l->done[r])
			lower_one(l, (ir_ref)r);
	}
	return !l->failed;
}
