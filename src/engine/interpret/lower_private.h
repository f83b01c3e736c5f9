/* Shared by lower.c and lower_block.c only. */
#ifndef ENGINE_INTERPRET_LOWER_PRIVATE_H
#define ENGINE_INTERPRET_LOWER_PRIVATE_H

#include "engine/interpret/lower.h"
#include "isa/x86/regs.h"

enum { LOWER_TEMPS = 512, LOWER_VECS = 128, LOWER_LIVE_MAX = 1024, LOWER_FREED_MAX = 1024 };
enum { LOWER_UNUSED = 1024, LOWER_VALUES = IR_BLOCK_MAX + 2 * LOWER_UNUSED };

/* Where a value is now. */
enum where {
	NOWHERE,  /* not reached yet */
	PENDING,  /* pure and not computed yet */
	IN_STATE, /* slot is guest state that still holds it (flags: the guest's flags) */
	IN_TEMP,  /* slot is a temporary it owns */
	GONE,	  /* no more uses */
};

struct value {
	uint16_t uses; /* still to come */
	uint16_t slot;
	uint8_t where;
};

struct lower {
	const struct ir_block *b;
	struct lowered *out;
	x86_mode_t mode;
	struct host_cpu host;
	bool failed; /* ran out of a buffer: the result is to be thrown away */
	uint64_t free_temp[LOWER_TEMPS / 64], free_vec[LOWER_VECS / 64];
	uint16_t freed[LOWER_FREED_MAX]; /* temporaries to be free from the next operation on */
	unsigned freed_count;
	ir_ref live[LOWER_LIVE_MAX]; /* values IN_STATE */
	unsigned live_count;
	ir_ref live_flags[LOWER_LIVE_MAX]; /* the guest's flags, as read */
	unsigned live_flags_count;
	struct value value[LOWER_VALUES]; /* behind IR_BLOCK_MAX: where uses of IR_NONE go */
	bool done[IR_BLOCK_MAX];	  /* puts that an earlier operation took in */
};

struct flags_tuple {
	bool in_state;
	uint32_t key;
	uint16_t a, b, c;
};

struct address {
	ir_ref base, index;
	unsigned scale;
	int32_t disp;
};

/* A value's slot, computing it if need be. Locate all operands of an operation before consuming
 * any: a consumed temporary is free for the next. */
uint16_t lower_loc(struct lower *l, ir_ref r);
/* There are no more uses of r: its place is free, and if it never had one, its operands lose a use.
 */
void lower_release(struct lower *l, ir_ref r);
/* One use is over. IR_NONE is fine. */
static inline void lower_consume(struct lower *l, ir_ref r)
{
	if (r != IR_NONE && !--l->value[r].uses)
		lower_release(l, r);
}
bool lower_const(const struct lower *l, ir_ref r, uint64_t *v);
/* A constant that an operation's immediate, 32 bits sign-extended to its width, can hold. */
bool lower_imm(const struct lower *l, ir_ref r, int32_t *imm);

uint16_t lower_temp(struct lower *l, enum ir_type t);
uint16_t lower_dummy_slot(void); /* for results nobody wants and arguments that are not there */
struct iop *lower_emit(struct lower *l, iop_fn fn);
struct iop *lower_emit_pointing(struct lower *l, iop_fn fn, enum lowered_pointer what,
				unsigned index);

/* Guest state is about to be overwritten: copy values away that live there and are still needed. */
void lower_clobber(struct lower *l, uint32_t offset, uint32_t bytes);
void lower_clobber_groups(struct lower *l, uint64_t groups);
void lower_clobber_flags(struct lower *l);
/* The value now lies in guest state at offset. */
void lower_in_state(struct lower *l, ir_ref r, uint16_t offset);

void lower_flags_tuple(struct lower *l, ir_ref flags, struct flags_tuple *t);
void lower_match_address(struct lower *l, ir_ref r, struct address *m);
ir_ref lower_direct_source(const struct lower *l, ir_ref r);
void lower_emit_direct(struct lower *l, ir_ref r, ir_ref source, uint32_t offset, uint32_t bytes,
		       iop_fn fused);
void lower_emit_as(struct lower *l, ir_ref r, iop_fn fn);
/* Between IR operations: temporaries consumed so far may be taken again. (Not earlier: an operation
 * being put together still reads them.) */
void lower_reuse_freed(struct lower *l);

#endif
