/*
 * Optimization passes over a block: one file each in ir/pass/, one row each in ir/pass/registry.c.
 * Every pass has a switch, keeps the block valid, and may be left out without changing meaning.
 */
#ifndef IR_PASS_H
#define IR_PASS_H

#include "ir/ir.h"

struct ir_pass {
	const char *name; /* "dead-flags"; the word of --no-pass */
	const char *text;
	void (*run)(struct ir_block *b);
};

extern const struct ir_pass ir_passes[]; /* in running order; ends with name NULL */

/* Run all passes whose bit is not set in disabled (bit = index); verifies after each in debug
 * builds. Of a block that was built with a folder (folder.h) only those that folding has not done. */
void ir_optimize(struct ir_block *b, uint64_t disabled);

#endif
