/* From the lowering's buffers to a block in memory of its own. */
#ifndef ENGINE_INTERPRET_PLACE_H
#define ENGINE_INTERPRET_PLACE_H

#include "engine/interpret/lower.h"

/* How much memory the block takes, and the most that any takes. */
size_t place_bytes(const struct lowered *low);
enum {
	PLACE_BYTES_MAX = 256 + LOWER_OPS_MAX * (sizeof(struct iop) + 1) +
			  LOWER_CALLS_MAX * sizeof(struct icall) +
			  LOWER_LINKS_MAX * sizeof(struct ilink) + IR_BLOCK_GUEST_MAX * 3
};

/* Make the block at m (aligned to 16 bytes), all but the key and the range in its head. */
struct iblock *place_block(uint8_t *m, const struct lowered *low);

#endif
