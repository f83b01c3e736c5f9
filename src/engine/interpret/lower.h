/* Lowering: an IR block to interpreter operations. */
#ifndef ENGINE_INTERPRET_LOWER_H
#define ENGINE_INTERPRET_LOWER_H

#include "engine/interpret/iop.h"

enum { LOWER_OPS_MAX = 2 * IR_BLOCK_MAX, LOWER_CALLS_MAX = 512, LOWER_LINKS_MAX = 256 };

/* The result, in buffers that belong to the caller and are reused for every block. `call` and
 * `link` of an operation hold an index until the block is placed (place.c). */
enum lowered_pointer { LOWERED_NONE, LOWERED_CALL, LOWERED_LINK };
struct lowered {
	struct iop op[LOWER_OPS_MAX];
	uint8_t op_guest[LOWER_OPS_MAX];   /* which guest instruction it belongs to */
	uint8_t op_pointer[LOWER_OPS_MAX]; /* enum lowered_pointer: what the index is of */
	unsigned op_count;
	struct icall call[LOWER_CALLS_MAX];
	unsigned call_count;
	int64_t link_delta[LOWER_LINKS_MAX];
	unsigned link_guests[LOWER_LINKS_MAX]; /* instructions up to and with the exit's */
	unsigned link_count;
	/* of each guest instruction: from the block's first PC (a trace may go backwards in its
	 * page), and how many bytes it has */
	int16_t guest_offset[IR_BLOCK_GUEST_MAX];
	uint8_t guest_len[IR_BLOCK_GUEST_MAX];
	unsigned guest_count;
};

struct lower; /* working memory */
struct lower *lower_create(const struct host_cpu *host);
void lower_destroy(struct lower *l);

/* Lower a verified block lifted for `mode`. False if it is too large for the buffers: lift fewer
 * instructions. */
bool lower_block(struct lower *l, const struct ir_block *b, x86_mode_t mode, struct lowered *out);

#endif
