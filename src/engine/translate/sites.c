/*
 * Entries of cpu->site: accesses in loops remember their page (x64/mem.c). Where one goes from page
 * to page all the time, remembering costs more than looking it up, and the more as the host
 * predicts it badly. Such an instruction is marked, and its code made again without. If the entry
 * is a group's, whose bytes lie in two pages, the group is taken apart: a stack frame stays where
 * it is for as long as a loop runs, and all its accesses would go by cold code.
 */
#include "engine/translate/translate_private.h"

void sites_note(struct translate *t, const struct compile_job *job)
{
	for (unsigned k = 0; k < job->site_count; k++) {
		const struct gen_site *s = &job->site[k];

		t->site[s->index].gpa = s->gpa;
		t->site[s->index].group = s->group;
		t->cpu->site[s->index].strikes = 0;
	}
}

void sites_settle(struct translate *t)
{
	struct x86_cpu *cpu = t->cpu;
	const struct x86_site *s = cpu->site_wanders;
	uint64_t *marks = t->wanderers, gpa;

	if (!s)
		return;
	cpu->site_wanders = NULL;
	gpa = t->site[s - cpu->site].gpa;
	if (t->site[s - cpu->site].group && s->tag == X86_TLB_INVALID)
		marks = t->apart;
	cpu->counter[COUNTER_TRANSLATE_REMADE]++;
	marks[gen_mark(gpa) / 64] |= 1ull << gen_mark(gpa) % 64;
	t->interp->client.dropped(t, gpa, 1);
}
