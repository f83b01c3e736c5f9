/*
 * Optimization passes over a block: one row each in ir/pass/registry.c. They run together; every
 * pass has a switch, keeps the block valid, and may be left out without changing meaning.
 */
#ifndef IR_PASS_H
#define IR_PASS_H

#include "ir/ir.h"

struct ir_pass {
	const char *name; /* "dead-flags"; the word of --no-pass */
	const char *text;
	void (*run)(struct ir_block *b); /* alone */
};

/* Index in ir_passes. Only for engines that do what IR_MEM_KEPT asks for. */
enum { IR_PASS_KNOWN_RETURNS = 5 };

extern const struct ir_pass ir_passes[]; /* ends with name NULL */

/* Run all passes whose bit is not set in disabled (bit = index); verifies before and after in debug
 * builds. Of a block that was built with a folder (folder.h) only the rest is left to do, and the
 * folder has been told what is disabled. */
void ir_optimize(struct ir_block *b, uint64_t disabled);

#endif
