/*
 * What has been compiled comes to where it can run: into code memory, if the guest's code is still
 * what it was made from. Only the CPU's own thread does that.
 */
#include <stdio.h>
#include <string.h>

#include "engine/translate/translate_private.h"

static void announce(struct translate *t, const struct tblock *b, const struct compile_job *job)
{
	const char *kind = job->path_len ? "trace" : "block";
	char name[64];

	if (!t->cfg.code_added)
		return;
	snprintf(name, sizeof(name), "guest_%llx_%s", (unsigned long long)job->rip, kind);
	t->cfg.code_added(t->cfg.code_opaque, b->rx, b->bytes, name);
	snprintf(name, sizeof(name), "guest_%llx_%s_cold", (unsigned long long)job->rip, kind);
	t->cfg.code_added(t->cfg.code_opaque, code_rx(t->code, b->cold), b->cold_bytes, name);
}

static void show(struct translate *t, const struct tblock *b)
{
	struct dump *d = &t->compiler.dump;

	dump_host(d, b->rw, b->bytes, (uint64_t)(uintptr_t)b->rx);
	dump_host(d, b->cold, b->cold_bytes, (uint64_t)(uintptr_t)code_rx(t->code, b->cold));
}

struct tblock *keep(struct translate *t, const struct compile_job *job)
{
	struct x86_cpu *cpu = t->cpu;
	struct tblock *b;

	cpu->counter[COUNTER_TRANSLATE_NS] += job->ns;
	if (job->failed)
		return NULL;
	b = code_insert(t->code, &job->made);
	if (!b)
		return NULL;
	sites_note(t, job);
	cpu->counter[job->path_len ? COUNTER_TRANSLATE_TRACES : COUNTER_TRANSLATE_BLOCKS]++;
	cpu->counter[COUNTER_TRANSLATE_HOST_BYTES] += b->bytes + b->cold_bytes;
	if (!t->background)
		show(t, b);
	announce(t, b, job);
	return b;
}

static const uint8_t *page_at(const struct translate *t, uint64_t gpa)
{
	bool rom;

	return space_ram_page(t->cpu->space, gpa, &rom);
}

/* While the pages are held, so that writes from here on are announced. */
static bool is_unchanged(const struct translate *t, const struct compile_job *job)
{
	const struct code_made *m = &job->made;

	for (unsigned k = 0, n = 0; k < m->from_count; k++, n++) {
		const struct block_bytes *b = &m->from[k];
		const uint8_t *page = page_at(t, b->gpa);

		while (job->page[n].gpa != b->gpa)
			n++;
		if (!page || memcmp(page + b->lo, job->bytes[n] + b->lo, b->hi - b->lo) != 0)
			return false;
	}
	return true;
}

static void keep_one(struct translate *t, const struct compile_job *job)
{
	struct iblock *head = job->evictions == t->interp->evictions ? job->head : NULL;
	bool kept = false;

	if (code_find(t->code, job->gpa, job->gpa2, job->mode))
		return;
	code_hold(t->code, job->page, job->page_count);
	if (job->failed || is_unchanged(t, job)) {
		kept = keep(t, job);
		if (head)
			head->heat = kept ? 1 : UINT32_MAX;
	}
	code_let_go(t->code, job->page, job->page_count);
}

void keep_finished(struct translate *t)
{
	const struct compile_job *job;

	while ((job = background_finished(t->background))) {
		keep_one(t, job);
		background_release(t->background);
	}
}
