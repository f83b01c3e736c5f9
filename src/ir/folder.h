/*
 * What is known of a block while it is built: with a folder, forward-state, fold-conditions and
 * fold-values are done as operations are appended, and ir_optimize need not go down the block for
 * them again. The owner keeps it, for one block after the other.
 */
#ifndef IR_FOLDER_H
#define IR_FOLDER_H

#include "ir/ir.h"

/* State is indexed in granules of eight bytes; beyond these nothing is known. */
enum { IR_GRANULES = 512, IR_VALUES = 256, IR_FORMS = 8 };

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

struct ir_folder {
	unsigned what;	/* enum ir_down (pass/edit.h) */
	uint32_t room;	/* operations the block may have */
	uint32_t later; /* of those, already spoken for */
	struct ir_known known;
	struct ir_values values;
};

/* Fold what is appended to b, which ir_block_init made just now; f is used until the block is
 * built. Does nothing if one of those passes is set in disabled (bits as for ir_optimize): then
 * ir_optimize does the others. */
void ir_block_fold(struct ir_block *b, struct ir_folder *f, uint64_t disabled);

#endif
