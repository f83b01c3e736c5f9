/*
 * What is known of a block while it is built: with a folder, the passes are done as operations are
 * appended, and ir_optimize has only to take out what turned out to be dead. The owner keeps it,
 * for one block after the other; it begins as zeros.
 */
#ifndef IR_FOLDER_H
#define IR_FOLDER_H

#include "ir/ir.h"

/* State is indexed in granules of eight bytes; beyond these nothing is known. */
enum { IR_GRANULES = 512, IR_VALUES = 256, IR_FORMS = 8, IR_LIVE = 8192 };

/* What is known of guest state. By granule: a value for each of the forms in which registers are
 * used, see pass/forward_state.h. */
struct ir_known {
	const struct ir_isa *isa;
	ir_ref flags; /* what the lazy flags are, or IR_NONE */
	bool wide;    /* a vector has been remembered */
	uint64_t cc_low, cc_high;
	uint8_t have[IR_GRANULES];  /* a bit for each form; only where it is set the rest counts */
	uint8_t other[IR_GRANULES]; /* the bytes that IR_FORM_OTHER has */
	ir_ref value[IR_GRANULES][IR_FORMS];
};

/* Pure values by a hash of operation and arguments. */
struct ir_values {
	ir_ref slot[IR_VALUES];
};

/* Puts that nobody has seen yet: see pass/dead_puts.h. */
struct ir_unseen {
	uint32_t since;		  /* what came before this operation has been seen */
	uint32_t flags;		  /* the last put_flags, plus one, or 0 */
	bool wide;		  /* a vector has been put */
	ir_ref last[IR_GRANULES]; /* the last put that begins in the granule, plus one, or 0 */
	ir_ref before[IR_BLOCK_MAX + 1]; /* the one before in the chain, plus one, or 0 */
};

struct ir_folder {
	unsigned what;	/* enum ir_does (pass/edit.h) */
	bool folds;	/* what folds at once is folded even without fold-values: the builder's way */
	uint32_t room;	/* operations the block may have */
	uint32_t later; /* of those, already spoken for */
	struct ir_known known;
	struct ir_values values;
	struct ir_unseen unseen;
	uint8_t live[IR_LIVE]; /* 1: by itself, not because someone uses it */
};

/* Fold what is appended to b, which ir_block_init made just now, by all passes that are not set in
 * disabled (bit = index in ir_passes). f is used until ir_optimize has been called, which must be
 * the first to see the block. */
void ir_block_fold(struct ir_block *b, struct ir_folder *f, uint64_t disabled);

#endif
