/* Shared by interpret.c and translator.c only: from guest bytes to a block in the cache. */
#ifndef ENGINE_INTERPRET_INTERPRET_PRIVATE_H
#define ENGINE_INTERPRET_INTERPRET_PRIVATE_H

#include "engine/engine.h"
#include "engine/interpret/cache.h"

/* Where the code at cs:rip lies. hva NULL: not RAM. gpa2 ~0: the next page is not needed or cannot
 * be fetched. */
struct code_bytes {
	uint64_t lin, gpa, gpa2;
	const uint8_t *hva, *hva2; /* of the page */
};

struct translator;
struct translator *translator_create(struct x86_cpu *cpu, const struct engine_config *cfg);
void translator_destroy(struct translator *t);

/* Decode, lift, optimize and lower the code; max_insns 0 = as configured. False, with the fault
 * recorded, if the first instruction goes on in a page that cannot be fetched. */
bool translator_lift(struct translator *t, const struct code_bytes *code, unsigned max_insns);
/* Put the result in the cache, or, for one use, in a buffer of its own (alone). NULL: cache full.
 */
struct iblock *translator_place(struct translator *t, struct cache *c, bool alone);

#endif
