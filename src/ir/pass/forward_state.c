/*
 * A get of guest state that an earlier put or get of the block already holds becomes that value.
 * One walk down, with a short list of which state bytes are known to equal which value. The gets
 * stay behind unused; dead-values takes them.
 */
#include "ir/pass/edit.h"

enum { KNOWN_MAX = 48 };

struct known {
	uint64_t offset;
	unsigned bytes;
	ir_ref value;
};

struct tracker {
	const struct ir_block *b;
	unsigned count, next; /* next: whom to replace when the list is full */
	ir_ref flags;	      /* what the lazy flags are, or IR_NONE */
	uint64_t cc_low, cc_high;
	struct known known[KNOWN_MAX];
};

static void tracker_init(struct tracker *t, const struct ir_block *b)
{
	const struct ir_isa *isa = b->isa;
	const uint32_t cc[] = {isa->cc_a_offset, isa->cc_b_offset, isa->cc_c_offset,
			       isa->cc_kind_offset};

	t->b = b;
	t->count = t->next = 0;
	t->flags = IR_NONE;
	t->cc_low = t->cc_high = cc[0];
	for (unsigned i = 1; i < 4; i++) {
		t->cc_low = cc[i] < t->cc_low ? cc[i] : t->cc_low;
		t->cc_high = cc[i] > t->cc_high ? cc[i] : t->cc_high;
	}
	t->cc_high += 8;
}

static void remember(struct tracker *t, uint64_t offset, unsigned bytes, ir_ref value)
{
	unsigned at = t->count < KNOWN_MAX ? t->count++ : t->next++ % KNOWN_MAX;

	t->known[at] = (struct known){offset, bytes, value};
}

static void forget(struct tracker *t, uint64_t offset, unsigned bytes)
{
	for (unsigned i = 0; i < t->count;)
		if (ir_state_overlap(t->known[i].offset, t->known[i].bytes, offset, bytes))
			t->known[i] = t->known[--t->count];
		else
			i++;
}

static void forget_groups(struct tracker *t, uint64_t groups)
{
	const struct ir_isa *isa = t->b->isa;

	if (groups & isa->flags_group)
		t->flags = IR_NONE;
	for (unsigned i = 0; groups && i < t->count;)
		if (ir_state_group(isa, t->known[i].offset, t->known[i].bytes) & groups)
			t->known[i] = t->known[--t->count];
		else
			i++;
}

/* The value of a get: an earlier one, or the get itself, perhaps turned into a truncation. */
static ir_ref forward_get(struct tracker *t, struct ir_insn *n, ir_ref self)
{
	uint64_t offset = (uint64_t)n->imm;
	unsigned bytes = ir_type_bytes((enum ir_type)n->type);
	const struct known *wider = NULL;

	for (unsigned i = 0; i < t->count; i++) {
		const struct known *k = &t->known[i];

		if (k->offset != offset)
			continue;
		if (k->bytes == bytes)
			return k->value;
		if (k->bytes > bytes &&
		    (k->bytes <= 8) == (bytes <= 8)) /* no integer of a vector */
			wider = k;
	}
	if (wider) {
		n->op = IR_TRUNC;
		n->arg[0] = wider->value;
		n->imm = 0;
	}
	remember(t, offset, bytes, self);
	return self;
}

static void track_put(struct tracker *t, const struct ir_insn *n)
{
	uint64_t offset = (uint64_t)n->imm;
	unsigned bytes = ir_type_bytes((enum ir_type)n->type);

	forget(t, offset, bytes);
	if (ir_state_overlap(offset, bytes, t->cc_low, (unsigned)(t->cc_high - t->cc_low)))
		t->flags = IR_NONE;
	remember(t, offset, bytes, n->arg[0]);
}

static ir_ref forward_insn(struct tracker *t, struct ir_insn *n, ir_ref self)
{
	switch (n->op) {
	case IR_GET:
		return forward_get(t, n, self);
	case IR_PUT:
		track_put(t, n);
		return self;
	case IR_GET_FLAGS:
		if (t->flags == IR_NONE)
			t->flags = self;
		return t->flags;
	case IR_PUT_FLAGS:
		forget(t, t->cc_low, (unsigned)(t->cc_high - t->cc_low));
		t->flags = n->arg[0];
		return self;
	case IR_CALL:
		forget_groups(t, ir_helper_of(n)->flags & IR_HELPER_SETS_PC
					 ? ~0ull
					 : ir_helper_of(n)->writes);
		return self;
	default:
		return self;
	}
}

void ir_pass_forward_state(struct ir_block *b)
{
	ir_ref value[IR_BLOCK_MAX];
	struct tracker t;

	tracker_init(&t, b);
	for (uint32_t i = 0; i < b->count; i++) {
		ir_insn_rename(&b->insn[i], value);
		value[i] = forward_insn(&t, &b->insn[i], (ir_ref)i);
	}
}
