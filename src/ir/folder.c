/*
 * Folders: their beginning and end, and the passes on a block that was built without one, which is
 * to build it again with one. What happens in between is in pass/.
 */
#include "ir/folder.h"

#include <string.h>

#include "ir/pass/folder_add.h"

static void begin(struct ir_block *b, struct ir_folder *f, unsigned what)
{
	b->folder = f;
	f->what = what;
	f->room = b->cap < IR_BLOCK_MAX ? b->cap : IR_BLOCK_MAX;
	f->later = 0;
	f->unseen.since = f->unseen.flags = 0;
	f->unseen.wide = false;
	ir_known_init(&f->known, b->isa);
	ir_values_init(&f->values);
}

void ir_block_fold(struct ir_block *b, struct ir_folder *f, uint64_t disabled)
{
	begin(b, f, ~disabled & IR_DOES_ALL);
	f->folds = true;
}

/* dead-values: only what has effects and what that needs lives. Returns the first that does not. */
static uint32_t find_dead(const struct ir_block *b, uint8_t *live)
{
	uint32_t first = b->count;

	for (uint32_t i = b->count; i-- > 0;) {
		const struct ir_insn *n = &b->insn[i];
		uint64_t head = ir_insn_word(n, 0);

		if (UNLIKELY(!live[i])) {
			first = i;
			continue;
		}
		live[head >> 32 & (IR_LIVE - 1)] = 1; /* there is room for IR_NONE */
		live[head >> 48 & (IR_LIVE - 1)] = 1;
		live[n->arg[2] & (IR_LIVE - 1)] = 1;
	}
	return first;
}

/* Without it: only puts may be dead. */
static uint32_t find_dead_puts(const struct ir_block *b, uint8_t *live)
{
	uint32_t first = b->count;

	for (uint32_t i = b->count; i-- > 0;) {
		live[i] |= b->insn[i].op != IR_PUT && b->insn[i].op != IR_PUT_FLAGS;
		first = live[i] ? first : i;
	}
	return first;
}

/* Take what is dead, from first on, out and renumber what follows. Nothing that lives uses it. */
static void compact(struct ir_block *b, const uint8_t *live, uint32_t first)
{
	ir_ref moved[IR_BLOCK_MAX];
	uint32_t to = first, span = b->count - first;

	for (uint32_t from = first; from < b->count; from++) {
		const struct ir_insn *n = &b->insn[from];
		ir_ref arg[3];

		moved[from - first] = (ir_ref)to;
		for (unsigned k = 0; k < 3; k++) {
			uint32_t back = (uint32_t)n->arg[k] - first; /* IR_NONE is out of span */

			arg[k] = back < span ? moved[back] : n->arg[k];
		}
		ir_insn_set(&b->insn[to],
			    (uint32_t)ir_insn_word(n, 0) | (uint64_t)arg[0] << 32 |
				    (uint64_t)arg[1] << 48,
			    arg[2], (uint64_t)n->imm);
		to += live[from]; /* or it is overwritten */
	}
	b->count = to;
}

void ir_folder_finish(struct ir_block *b)
{
	struct ir_folder *f = b->folder;
	uint32_t first =
		f->what & IR_DOES_DEAD_VALUES ? find_dead(b, f->live) : find_dead_puts(b, f->live);

	if (first < b->count)
		compact(b, f->live, first);
	b->folder = NULL;
}

/* A large frame. */
void ir_block_refold(struct ir_block *b, unsigned what)
{
	struct ir_insn old[IR_BLOCK_MAX];
	ir_ref is[IR_BLOCK_MAX];
	struct ir_folder f;
	uint32_t count = b->count;

	memcpy(old, b->insn, count * sizeof *old);
	memset(f.unseen.last, 0, sizeof f.unseen.last);
	b->count = 0;
	begin(b, &f, what);
	f.folds = false; /* built it is */
	for (uint32_t i = 0; i < count; i++) {
		struct ir_insn *n = &old[i];

		ir_insn_rename(n, is);
		f.later = count - i;
		is[i] = ir_folder_add(b, (enum ir_op)n->op, n);
	}
	ir_folder_finish(b);
}
