/*
 * A put (or put_flags) whose bytes a later put of the block overwrites before anyone can see them
 * is taken out. One walk up, with the list of state ranges that will be overwritten; whatever may
 * leave the block (a fault, an exit) or read the state empties what it can see. Values that nobody
 * uses do not count as readers.
 */
#include "ir/pass/edit.h"

enum { COVERED_MAX = 48 };

struct range {
	uint64_t offset;
	unsigned bytes;
};

struct cover {
	const struct ir_block *b;
	bool flags; /* the lazy flags will be overwritten */
	unsigned count;
	struct range range[COVERED_MAX];
};

static void cover_clear(struct cover *c)
{
	c->flags = false;
	c->count = 0;
}

static void cover_read(struct cover *c, uint64_t offset, unsigned bytes)
{
	for (unsigned i = 0; i < c->count;)
		if (ir_state_overlap(c->range[i].offset, c->range[i].bytes, offset, bytes))
			c->range[i] = c->range[--c->count];
		else
			i++;
}

static void cover_read_groups(struct cover *c, uint64_t groups)
{
	const struct ir_isa *isa = c->b->isa;

	if (groups & isa->flags_group)
		c->flags = false;
	for (unsigned i = 0; groups && i < c->count;)
		if (ir_state_group(isa, c->range[i].offset, c->range[i].bytes) & groups)
			c->range[i] = c->range[--c->count];
		else
			i++;
}

static bool touches_flags(const struct ir_isa *isa, uint64_t offset, unsigned bytes)
{
	return ir_state_overlap(offset, bytes, isa->cc_a_offset, 8) ||
	       ir_state_overlap(offset, bytes, isa->cc_b_offset, 8) ||
	       ir_state_overlap(offset, bytes, isa->cc_c_offset, 8) ||
	       ir_state_overlap(offset, bytes, isa->cc_kind_offset, 4);
}

/* True if the put is dead; else it covers its bytes for those above it. */
static bool cover_put(struct cover *c, uint64_t offset, unsigned bytes)
{
	for (unsigned i = 0; i < c->count; i++) {
		const struct range *r = &c->range[i];

		if (offset >= r->offset && offset + bytes <= r->offset + r->bytes)
			return true;
	}
	if (c->count < COVERED_MAX)
		c->range[c->count++] = (struct range){offset, bytes};
	return false;
}

static bool cover_put_flags(struct cover *c)
{
	bool dead = c->flags;

	c->flags = true;
	return dead;
}

static void see_call(struct cover *c, const struct ir_helper *h)
{
	if (h->flags & (IR_HELPER_FAULTS | IR_HELPER_MEMORY | IR_HELPER_SETS_PC))
		cover_clear(c);
	else
		cover_read_groups(c, h->reads);
}

static void see_get(struct cover *c, const struct ir_insn *n)
{
	uint64_t offset = (uint64_t)n->imm;
	unsigned bytes = ir_type_bytes((enum ir_type)n->type);

	cover_read(c, offset, bytes);
	if (touches_flags(c->b->isa, offset, bytes))
		c->flags = false;
}

/* Take n, living so far, into account; true if it is a dead put. */
static bool see(struct cover *c, const struct ir_insn *n)
{
	switch (n->op) {
	case IR_PUT:
		return cover_put(c, (uint64_t)n->imm, ir_type_bytes((enum ir_type)n->type));
	case IR_PUT_FLAGS:
		return cover_put_flags(c);
	case IR_GET:
		see_get(c, n);
		break;
	case IR_GET_FLAGS: /* reads all four fields, however they were written */
		c->flags = false;
		cover_read_groups(c, c->b->isa->flags_group);
		break;
	case IR_CALL:
		see_call(c, ir_helper_of(n));
		break;
	default:
		if (ir_ops[n->op].may_fault || ir_ops[n->op].leaves)
			cover_clear(c);
		break;
	}
	return false;
}

void ir_pass_dead_puts(struct ir_block *b)
{
	struct cover c = {.b = b};
	struct ir_ref_set used;
	bool any = false;

	ir_ref_set_clear(&used, b->count);
	for (uint32_t i = b->count; i-- > 0;) {
		struct ir_insn *n = &b->insn[i];

		if (!ir_ref_set_has(&used, i) && !ir_insn_side_effect(n))
			continue;
		if (see(&c, n)) {
			n->op = IR_DEAD;
			any = true;
		} else {
			ir_ref_set_add_args(&used, n);
		}
	}
	if (any)
		ir_block_compact(b);
}
