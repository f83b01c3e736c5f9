/*
 * Lowering IR to interpreter operations, on demand: a pure operation is emitted where its value is
 * first needed, straight into guest state when it is about to be put there, and never if an
 * address, a branch or a flags operation takes it in. Reads of guest state cost nothing: the
 * operand is the state itself, copied away only when it is overwritten while still needed.
 *
 * The walk over the block is in lower_block.c; here are values, slots and pure operations.
 */
#include <string.h>

#include "base/error.h"
#include "engine/interpret/lower_private.h"
#include "host/host.h"
#include "ir/vop.h"

struct lower *lower_create(const struct host_cpu *host)
{
	struct lower *l = host_alloc(sizeof(struct lower));

	if (l)
		l->host = *host;
	return l;
}

void lower_destroy(struct lower *l)
{
	host_free(l);
}

/* ---- temporaries */
enum { TEMP_BASE = offsetof(struct x86_cpu, scratch), VEC_BASE = TEMP_BASE + LOWER_TEMPS * 8 };

_Static_assert(LOWER_TEMPS * 8 + LOWER_VECS * 32 == X86_SCRATCH_BYTES, "scratch is filled");
_Static_assert(TEMP_BASE + X86_SCRATCH_BYTES <= 0x10000, "slots are 16 bits");

uint16_t lower_dummy_slot(void)
{
	return VEC_BASE + (LOWER_VECS - 1) * 32;
}

static int take_free(uint64_t *map, unsigned words)
{
	for (unsigned i = 0; i < words; i++) {
		if (!map[i])
			continue;
		int n = __builtin_ctzll(map[i]);
		map[i] &= map[i] - 1;
		return (int)i * 64 + n;
	}
	return -1;
}

uint16_t lower_temp(struct lower *l, enum ir_type t)
{
	bool vec = t == IR_V128 || t == IR_V256;
	int n = vec ? take_free(l->free_vec, LOWER_VECS / 64)
		    : take_free(l->free_temp, LOWER_TEMPS / 64);

	if (n < 0) {
		l->failed = true;
		return lower_dummy_slot();
	}
	return (uint16_t)(vec ? VEC_BASE + n * 32 : TEMP_BASE + n * 8);
}

static void temp_release(struct lower *l, uint16_t slot)
{
	if (slot < TEMP_BASE || slot >= lower_dummy_slot())
		return;
	if (l->freed_count == LOWER_FREED_MAX)
		l->failed = true;
	else
		l->freed[l->freed_count++] = slot;
}

void lower_reuse_freed(struct lower *l)
{
	while (l->freed_count) {
		uint16_t slot = l->freed[--l->freed_count];
		if (slot >= VEC_BASE)
			l->free_vec[(slot - VEC_BASE) / 32 / 64] |=
				BIT((slot - VEC_BASE) / 32 % 64);
		else
			l->free_temp[(slot - TEMP_BASE) / 8 / 64] |=
				BIT((slot - TEMP_BASE) / 8 % 64);
	}
}

struct iop *lower_emit(struct lower *l, iop_fn fn)
{
	struct lowered *out = l->out;
	struct iop *op;

	if (out->op_count >= LOWER_OPS_MAX - 1) {
		l->failed = true;
		out->op_count = 0;
	}
	out->op_guest[out->op_count] = (uint8_t)(out->guest_count - 1);
	out->op_pointer[out->op_count] = LOWERED_NONE;
	op = &out->op[out->op_count++];
	*op = (struct iop){0};
	iop_set_function(op, fn);
	return op;
}

struct iop *lower_emit_pointing(struct lower *l, iop_fn fn, enum lowered_pointer what,
				unsigned index)
{
	struct iop *op = lower_emit(l, fn);

	l->out->op_pointer[l->out->op_count - 1] = what;
	if (what == LOWERED_CALL)
		op->imm = (int32_t)index;
	else
		op->d = (uint16_t)index;
	return op;
}

/* ---- values */
void lower_release(struct lower *l, ir_ref r)
{
	struct value *v = &l->value[r];
	const ir_ref *arg = l->b->insn[r].arg;

	if (v->where == IN_TEMP) {
		temp_release(l, v->slot);
	} else if (v->where == PENDING || v->where == NOWHERE) {
		lower_consume(l, arg[0]);
		lower_consume(l, arg[1]);
		lower_consume(l, arg[2]);
	}
	v->where = GONE;
}

static const struct ir_insn *insn_of(const struct lower *l, ir_ref r)
{
	return &l->b->insn[r];
}

static bool pending(const struct lower *l, ir_ref r, enum ir_op op)
{
	return l->value[r].where == PENDING && insn_of(l, r)->op == op;
}

/* Is an i32 value in a temporary known to be zero-extended to 64 bits? (For loads, any width.) */
static bool is_clean(const struct lower *l, ir_ref r)
{
	const struct ir_insn *i = insn_of(l, r);

	if (l->value[r].where == IN_STATE)
		return false;
	if (i->op == IR_LOAD)
		return true;
	if (i->type != IR_I32)
		return false;
	return (i->op >= IR_ADD && i->op <= IR_POPCNT) || i->op == IR_SELECT || i->op == IR_ZEXT ||
	       i->op == IR_SEXT || i->op == IR_CONST ||
	       (i->op >= IR_ATOMIC_XCHG && i->op <= IR_ATOMIC_CMPXCHG);
}

/* The argument whose location serves for r too, or IR_NONE. */
static ir_ref same_place(const struct lower *l, ir_ref r)
{
	const struct ir_insn *i = insn_of(l, r);

	if (i->op == IR_TRUNC)
		return i->arg[0];
	if (i->op == IR_ZEXT && i->type != IR_V256 && is_clean(l, i->arg[0]) &&
	    (i->type == IR_I64 || insn_of(l, i->arg[0])->op == IR_LOAD))
		return i->arg[0];
	return IR_NONE;
}

bool lower_const(const struct lower *l, ir_ref r, uint64_t *v)
{
	return ir_is_const(l->b, r, v);
}

bool lower_imm(const struct lower *l, ir_ref r, int32_t *imm)
{
	uint64_t k;

	if (!lower_const(l, r, &k))
		return false;
	if (ir_type_of(l->b, r) == IR_I64 && (uint64_t)(int64_t)(int32_t)k != k)
		return false;
	*imm = (int32_t)k;
	return true;
}

void lower_clobber(struct lower *l, uint32_t offset, uint32_t bytes)
{
	unsigned kept = 0;

	for (unsigned k = 0; k < l->live_count; k++) {
		ir_ref r = l->live[k];
		struct value *v = &l->value[r];
		enum ir_type t = ir_type_of(l->b, r);

		if (!v->uses || v->where != IN_STATE)
			continue;
		if (v->slot + ir_type_bytes(t) <= offset || v->slot >= offset + bytes) {
			l->live[kept++] = r;
			continue;
		}
		uint16_t to = lower_temp(l, t);
		struct iop *op = lower_emit(l, iop_find_copy(t));
		op->a = v->slot;
		op->d = to;
		v->slot = to;
		v->where = IN_TEMP;
	}
	l->live_count = kept;
}

void lower_in_state(struct lower *l, ir_ref r, uint16_t offset)
{
	l->value[r].where = IN_STATE;
	l->value[r].slot = offset;
	if (l->live_count >= LOWER_LIVE_MAX) {
		l->failed = true;
		l->live_count = 0;
	}
	l->live[l->live_count++] = r;
}

static uint64_t group_of(uint32_t offset)
{
	if (offset < X86_OFF(rip))
		return X86_ST_GPR(offset / 8);
	for (const struct ir_state_reg *s = x86_isa.regs; s->name; s++)
		if (offset >= s->offset && offset < s->offset + s->bytes)
			return s->group;
	return X86_ST_SYS;
}

void lower_clobber_groups(struct lower *l, uint64_t groups)
{
	for (unsigned k = 0; groups && k < l->live_count; k++) {
		struct value *v = &l->value[l->live[k]];
		if (v->uses && v->where == IN_STATE && (group_of(v->slot) & groups)) {
			lower_clobber(l, v->slot, 1);
			k = (unsigned)-1;
		}
	}
	if (groups & X86_ST_FLAGS)
		lower_clobber_flags(l);
}

/* ---- flags values */
void lower_clobber_flags(struct lower *l)
{
	for (unsigned k = 0; k < l->live_flags_count; k++) {
		struct value *v = &l->value[l->live_flags[k]];
		if (!v->uses || v->where != IN_STATE)
			continue;
		v->slot = lower_temp(l, IR_I64);
		v->where = IN_TEMP;
		lower_emit(l, iop_pack_state)->d = v->slot;
	}
	l->live_flags_count = 0;
}

void lower_flags_tuple(struct lower *l, ir_ref flags, struct flags_tuple *t)
{
	const struct ir_insn *i = insn_of(l, flags);

	*t = (struct flags_tuple){
		.a = lower_dummy_slot(), .b = lower_dummy_slot(), .c = lower_dummy_slot()};
	if (i->op == IR_MAKE_FLAGS) {
		t->key = (uint32_t)i->imm;
		t->a = lower_loc(l, i->arg[0]);
		if (i->arg[1] != IR_NONE)
			t->b = lower_loc(l, i->arg[1]);
		if (i->arg[2] != IR_NONE)
			t->c = lower_loc(l, i->arg[2]);
	} else if (l->value[flags].where == IN_TEMP) {
		t->key = IR_FLAGS_KEY(IR_FLAGS_RAW, 3);
		t->a = l->value[flags].slot;
	} else {
		t->in_state = true;
	}
}

/* ---- addresses: base + (index << scale) + disp, as far as pending additions reach */
void lower_match_address(struct lower *l, ir_ref r, struct address *m)
{
	const struct ir_insn *i;
	int32_t disp;
	uint64_t k;

	*m = (struct address){.base = r, .index = IR_NONE};
	if ((pending(l, r, IR_ADD) || (pending(l, r, IR_SUB) && insn_of(l, r)->type == IR_I64)) &&
	    lower_imm(l, insn_of(l, r)->arg[1], &disp) && disp != INT32_MIN) {
		m->disp = insn_of(l, r)->op == IR_ADD ? disp : -disp;
		m->base = r = insn_of(l, r)->arg[0];
	}
	if (!pending(l, r, IR_ADD) || lower_const(l, insn_of(l, r)->arg[1], &k))
		return;
	i = insn_of(l, r);
	m->base = i->arg[0];
	m->index = i->arg[1];
	if (pending(l, m->index, IR_SHL) && lower_const(l, insn_of(l, m->index)->arg[1], &k) &&
	    k <= 3) {
		m->scale = (unsigned)k;
		m->index = insn_of(l, m->index)->arg[0];
	}
}

/* ---- emission of a pending pure value */
struct built {
	iop_fn fn;
	uint16_t a, b, c;
	int32_t imm;
	uint64_t wide;
	bool is_wide; /* wide instead of b, c and imm */
};

static void build_binary(struct lower *l, const struct ir_insn *i, struct built *o)
{
	bool imm = lower_imm(l, i->arg[1], &o->imm);

	o->fn = iop_find_binary((enum ir_op)i->op, (enum ir_type)i->type, imm);
	o->a = lower_loc(l, i->arg[0]);
	if (!imm)
		o->b = lower_loc(l, i->arg[1]);
}

static bool build_lea(struct lower *l, ir_ref r, struct built *o)
{
	struct address m;

	if (insn_of(l, r)->type != IR_I64)
		return false;
	lower_match_address(l, r, &m);
	if (m.index == IR_NONE || (!m.scale && !m.disp))
		return false;
	o->fn = iop_lea;
	o->a = lower_loc(l, m.base);
	o->b = lower_loc(l, m.index);
	o->c = (uint16_t)m.scale;
	o->imm = m.disp;
	return true;
}

static void build_compare(struct lower *l, const struct ir_insn *i, struct built *o)
{
	bool imm = lower_imm(l, i->arg[1], &o->imm);

	o->fn = iop_find_compare((enum ir_op)i->op, (enum ir_type)i->imm, imm);
	o->a = lower_loc(l, i->arg[0]);
	if (!imm)
		o->b = lower_loc(l, i->arg[1]);
}

static void build_flags_use(struct lower *l, const struct ir_insn *i, struct built *o)
{
	struct flags_tuple t;
	bool cond = i->op == IR_COND;

	lower_flags_tuple(l, i->arg[0], &t);
	o->imm = cond ? (int32_t)i->imm : 0;
	if (t.in_state) {
		o->fn = cond ? iop_cond_state : iop_pack_state;
		return;
	}
	o->fn = cond ? iop_cond_tuple : iop_pack_tuple;
	o->imm = cond ? o->imm | (int32_t)t.key << 8 : (int32_t)t.key;
	o->a = t.a;
	o->b = t.b;
	o->c = t.c;
}

static void build_args(struct lower *l, const struct ir_insn *i, struct built *o)
{
	o->a = i->arg[0] == IR_NONE ? lower_dummy_slot() : lower_loc(l, i->arg[0]);
	o->b = i->arg[1] == IR_NONE ? lower_dummy_slot() : lower_loc(l, i->arg[1]);
	o->c = i->arg[2] == IR_NONE ? lower_dummy_slot() : lower_loc(l, i->arg[2]);
}

static void build_pure(struct lower *l, ir_ref r, struct built *o)
{
	const struct ir_insn *i = insn_of(l, r);
	enum ir_type t = (enum ir_type)i->type;

	*o = (struct built){0};
	switch (i->op) {
	case IR_CONST:
		o->fn = iop_find_const(IR_I64);
		o->wide = (uint64_t)i->imm & bits_mask(ir_type_bits(t));
		o->is_wide = true;
		break;
	case IR_PC:
		o->fn = iop_pc;
		o->wide = (uint64_t)i->imm;
		o->is_wide = true;
		break;
	case IR_ADD:
		if (build_lea(l, r, o))
			break;
		/* fall through */
	case IR_SUB ... IR_MULHS:
		build_binary(l, i, o);
		break;
	case IR_NOT ... IR_POPCNT:
		o->fn = iop_find_unary((enum ir_op)i->op, t);
		o->a = lower_loc(l, i->arg[0]);
		break;
	case IR_EQ ... IR_LES:
		build_compare(l, i, o);
		break;
	case IR_SELECT:
		o->fn = iop_find_select(t);
		build_args(l, i, o);
		break;
	case IR_ZEXT:
	case IR_SEXT:
		o->fn = t == IR_V256
				? iop_zext_vector
				: iop_find_extend(i->op == IR_SEXT, ir_type_of(l->b, i->arg[0]), t);
		o->a = lower_loc(l, i->arg[0]);
		break;
	case IR_COND:
	case IR_PACK_FLAGS:
		build_flags_use(l, i, o);
		break;
	case IR_VOP:
		o->fn = iop_find_vop((unsigned)i->imm & 0xffff, t, &l->host);
		o->imm = (int32_t)i->imm;
		build_args(l, i, o);
		break;
	default:
		BUG_ON(true, "operation is not a pure value");
	}
}

/* As build_pure, or, with fn, exactly the binary operation r carried out by fn. */
static void build_as(struct lower *l, ir_ref r, iop_fn fn, struct built *o)
{
	if (!fn) {
		build_pure(l, r, o);
		return;
	}
	*o = (struct built){0};
	build_binary(l, insn_of(l, r), o);
	o->fn = fn;
}

static struct iop *emit_built(struct lower *l, const struct built *o, uint16_t d)
{
	struct iop *op = lower_emit(l, o->fn);

	op->a = o->a;
	op->d = d;
	if (o->is_wide) {
		op->wide = o->wide;
		return op;
	}
	op->b = o->b;
	op->c = o->c;
	op->imm = o->imm;
	return op;
}

static void consume_args(struct lower *l, ir_ref r)
{
	for (int k = 0; k < 3; k++)
		lower_consume(l, insn_of(l, r)->arg[k]);
}

uint16_t lower_loc(struct lower *l, ir_ref r)
{
	struct value *v = &l->value[r];
	struct built o;
	ir_ref other;

	if (v->where != PENDING)
		return v->slot;
	other = same_place(l, r);
	if (other != IR_NONE)
		return lower_loc(l, other);
	build_pure(l, r, &o);
	consume_args(l, r);
	v->slot = lower_temp(l, ir_type_of(l->b, r));
	v->where = IN_TEMP;
	emit_built(l, &o, v->slot);
	return v->slot;
}

/* The pure operation behind a value about to be put, that can write guest state itself: the value,
 * or what is under a zero-extension from 32 bits, which the operation's result already has. */
ir_ref lower_direct_source(const struct lower *l, ir_ref r)
{
	const struct ir_insn *i = insn_of(l, r);
	ir_ref from = i->arg[0];

	if (i->op == IR_ZEXT && i->type == IR_I64 &&
	    (l->value[r].where == PENDING || l->value[r].where == NOWHERE) &&
	    l->value[from].where == PENDING && insn_of(l, from)->type == IR_I32 &&
	    insn_of(l, from)->op != IR_CONST && is_clean(l, from) && same_place(l, from) == IR_NONE)
		return from;
	if (l->value[r].where != PENDING || same_place(l, r) != IR_NONE || i->op == IR_CONST ||
	    i->type == IR_I32)
		return IR_NONE;
	return r;
}

/* Emit r, the value of a put, from its direct source with guest state as the destination, where
 * both are then found. The put's own use of r is the caller's to consume. */
void lower_emit_direct(struct lower *l, ir_ref r, ir_ref source, uint32_t offset, uint32_t bytes,
		       iop_fn fused)
{
	struct built o;

	build_as(l, source, fused, &o);
	consume_args(l, source);
	lower_clobber(l, offset, bytes);
	emit_built(l, &o, (uint16_t)offset);
	if (source != r && --l->value[source].uses)
		lower_in_state(l, source, (uint16_t)offset);
	else if (source != r)
		l->value[source].where = GONE;
	lower_in_state(l, r, (uint16_t)offset);
}

/* Emit r into a temporary (or nowhere, if nobody else wants it) by a function of our choice. */
void lower_emit_as(struct lower *l, ir_ref r, iop_fn fn)
{
	struct built o;
	struct value *v = &l->value[r];

	build_as(l, r, fn, &o);
	consume_args(l, r);
	v->slot = v->uses ? lower_temp(l, ir_type_of(l->b, r)) : lower_dummy_slot();
	v->where = v->uses ? IN_TEMP : GONE;
	emit_built(l, &o, v->slot);
}
