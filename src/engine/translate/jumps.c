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
	unsigned i = gen_jump_index(t->cpu->rip);
	const struct gen_jump *j = &t->jumps.entry[i], *k = &t->jumps.entry[gen_jump_second(i)];
	uint64_t tag = jumps_tag(t, t->cpu->mode), want = gen_jump_tag(t->cpu->rip, tag);

	if (tag == NO_TAG)
		return NULL;
	return j->tag == want ? j->code : k->tag == want ? k->code : NULL;
}

struct tblock *jumps_again(const struct translate *t, uint64_t gpa)
{
	unsigned i = gen_jump_index(t->cpu->rip);

	for (unsigned n = 0; n < 2; n++, i = gen_jump_second(i)) {
		const uint8_t *code = t->jumps.entry[i].code;
		struct tblock *b = code ? code_of(code) : NULL;

		if (b && b->head.gpa == gpa && b->head.gpa2 == ~0ull &&
		    b->head.mode == t->cpu->mode && !b->head.dead)
			return b;
	}
	return NULL;
}

static void use(struct translate *t, bool global, unsigned i)
{
	t->jump_used[global][i / 64] |= 1ull << i % 64;
	t->jump_any[global][i / 64 / 64] |= 1ull << i / 64 % 64;
}

static void entry_move(struct translate *t, unsigned from, unsigned to)
{
	t->jumps.entry[to] = t->jumps.entry[from];
	for (unsigned global = 0; global < 2; global++)
		if (t->jump_used[global][from / 64] >> from % 64 & 1)
			use(t, global, to);
}

/* Where the RIP of this index and tag goes: another's entry makes room. */
static unsigned entry_take(struct translate *t, unsigned i, uint64_t tag)
{
	unsigned second = gen_jump_second(i);
	const struct gen_jump *j = t->jumps.entry;

	if (j[second].tag == tag)
		return second;
	if (j[i].tag && j[i].tag != tag)
		entry_move(t, i, second);
	return i;
}

static bool pair_has(const struct translate *t, unsigned i, const struct tblock *b)
{
	return t->jumps.entry[i].code == b->rx || t->jumps.entry[gen_jump_second(i)].code == b->rx;
}

/* b is at i, or will have moved to its second place. */
static void note_place(const struct translate *t, struct tblock *b, unsigned i)
{
	if (b->jumps == TBLOCK_NO_JUMP ||
	    (b->jumps == TBLOCK_ONE_JUMP && !pair_has(t, b->jump, b))) {
		b->jumps = TBLOCK_ONE_JUMP;
		b->jump = (uint16_t)i;
	} else if (b->jump != i && b->jump != gen_jump_second(i)) {
		b->jumps = TBLOCK_JUMPS; /* a page at several addresses */
	}
}

void jumps_remember(struct translate *t, struct tblock *b)
{
	const struct x86_cpu *cpu = t->cpu;
	uint64_t tag = jumps_tag(t, cpu->mode), want = gen_jump_tag(cpu->rip, tag);
	unsigned i;
	bool global;

	if (tag == NO_TAG || (t->cfg.stress & ENGINE_STRESS_NO_CHAIN))
		return;
	i = entry_take(t, gen_jump_index(cpu->rip), want);
	global = find_page_is_global(cpu, cpu->rip) &&
		 (b->head.gpa2 == ~0ull || find_page_is_global(cpu, cpu->rip + PAGE_BYTES));
	note_place(t, b, i);
	t->jumps.entry[i] = (struct gen_jump){want, b->rx};
	use(t, global, i);
}

static void flush_word(struct translate *t, bool global, unsigned w)
{
	for (uint64_t used = t->jump_used[global][w]; used; used &= used - 1)
		t->jumps.entry[w * 64 + (unsigned)__builtin_ctzll(used)].tag = 0;
	t->jump_used[global][w] = 0;
}

static void flush(struct translate *t, bool global)
{
	for (unsigned a = 0; a < ARRAY_LEN(t->jump_any[global]); a++) {
		for (uint64_t any = t->jump_any[global][a]; any; any &= any - 1)
			flush_word(t, global, a * 64 + (unsigned)__builtin_ctzll(any));
		t->jump_any[global][a] = 0;
	}
}

void jumps_flush(struct translate *t, bool global)
{
	flush(t, false);
	if (global)
		flush(t, true);
}

void jumps_forget(struct translate *t, const struct tblock *b)
{
	struct gen_jump *j = &t->jumps.entry[b->jump],
			*k = &t->jumps.entry[gen_jump_second(b->jump)];

	if (b->jumps == TBLOCK_JUMPS) {
		jumps_flush(t, true);
	} else if (b->jumps == TBLOCK_ONE_JUMP) {
		if (j->code == b->rx)
			j->tag = 0;
		if (k->code == b->rx)
			k->tag = 0;
	}
}

void jumps_clear(struct translate *t)
{
	jumps_flush(t, true);
	memset(t->jumps.entry, 0, sizeof(t->jumps.entry));
}
