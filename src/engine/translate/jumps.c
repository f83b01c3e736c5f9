/*
 * The jump table: RIP and mode to code, without looking at page tables. Entries die when the TLB is
 * flushed: those of global pages in the upper half only with a flush that takes them too. A bit for
 * each used entry makes a flush cost what was used.
 */
#include <string.h>

#include "engine/translate/translate_private.h"
#include "isa/x86/mode.h"

#define NO_TAG (~0ull)

void jumps_init(struct translate *t)
{
	for (unsigned n = 0; n < GEN_JUMP_MODES; n++)
		t->jumps.mode[n].mode = UINT32_MAX;
	t->cpu->jump_table = &t->jumps;
}

uint64_t jumps_tag(struct translate *t, x86_mode_t mode)
{
	unsigned n = 0;

	if (t->jumps.mode[gen_jump_mode(mode)].mode == mode)
		return t->jumps.mode[gen_jump_mode(mode)].tag;
	if (!(mode & (X86_MODE_CODE64 | X86_MODE_FLAT)) || (mode & X86_MODE_POLLS))
		return NO_TAG;
	while (n < t->mode_count && t->mode[n] != mode)
		n++;
	if (n == MODES_MAX)
		return NO_TAG;
	if (n == t->mode_count)
		t->mode[t->mode_count++] = mode;
	t->jumps.mode[gen_jump_mode(mode)].mode = mode;
	t->jumps.mode[gen_jump_mode(mode)].tag = n + 1; /* 0: an empty entry matches nothing */
	return n + 1;
}

const uint8_t *jumps_find(struct translate *t)
{
	const struct gen_jump *j = &t->jumps.entry[gen_jump_index(t->cpu->rip)];
	uint64_t tag = jumps_tag(t, t->cpu->mode);

	return tag != NO_TAG && j->tag == gen_jump_tag(t->cpu->rip, tag) ? j->code : NULL;
}

struct tblock *jumps_again(const struct translate *t, uint64_t gpa)
{
	const struct gen_jump *j = &t->jumps.entry[gen_jump_index(t->cpu->rip)];
	struct tblock *b = j->code ? code_of(j->code) : NULL;

	return b && b->gpa == gpa && b->mode == t->cpu->mode && !b->dead ? b : NULL;
}

void jumps_remember(struct translate *t, const struct tblock *b)
{
	const struct x86_cpu *cpu = t->cpu;
	uint64_t tag = jumps_tag(t, cpu->mode);
	unsigned i = gen_jump_index(cpu->rip);
	bool global;

	if (tag == NO_TAG || b->gpa2 != ~0ull || (t->cfg.stress & ENGINE_STRESS_NO_CHAIN))
		return;
	global = find_page_is_global(cpu, cpu->rip);
	t->jumps.entry[i] = (struct gen_jump){gen_jump_tag(cpu->rip, tag), b->rx};
	t->jump_used[global][i / 64] |= 1ull << i % 64;
}

static void flush(struct translate *t, bool global)
{
	for (unsigned w = 0; w < GEN_JUMP_SIZE / 64; w++) {
		for (uint64_t used = t->jump_used[global][w]; used; used &= used - 1)
			t->jumps.entry[w * 64 + (unsigned)__builtin_ctzll(used)].tag = 0;
		t->jump_used[global][w] = 0;
	}
}

void jumps_flush(struct translate *t, bool global)
{
	flush(t, false);
	if (global)
		flush(t, true);
}

void jumps_clear(struct translate *t)
{
	jumps_flush(t, true);
	memset(t->jumps.entry, 0, sizeof(t->jumps.entry));
}
