/*
 * Entries of cpu->site: accesses in loops remember their page (x64/mem.c). Where one goes from page
 * to page all the time, remembering costs more than looking it up, and the more as the host
 * predicts it badly. Such an instruction is marked, and its code made again without.
 */
#include "engine/translate/translate_private.h"

void sites_note(struct translate *t, uint64_t page)
{
	for (unsigned k = 0; k < t->gen.site_count; k++) {
		const struct gen_site *s = &t->gen.site[k];

		t->site_gpa[s->index] = page + (uint64_t)s->offset;
		t->cpu->site[s->index].strikes = 0;
	}
}

void sites_settle(struct translate *t)
{
	struct x86_cpu *cpu = t->cpu;
	uint64_t gpa;

	if (!cpu->site_wanders)
		return;
	gpa = t->site_gpa[cpu->site_wanders - cpu->site];
	cpu->site_wanders = NULL;
	t->wanderers[gen_wanderer(gpa) / 64] |= 1ull << gen_wanderer(gpa) % 64;
	t->interp->client.dropped(t, gpa, 1);
}
