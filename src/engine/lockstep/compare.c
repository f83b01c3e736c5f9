/*
 * Are the twins equal? The CPU's field table says what its state is. The lazy flags are compared by
 * what they come to: which operation they are remembered as is each engine's own business.
 */
#include <string.h>

#include "engine/lockstep/lockstep_private.h"

static uint32_t requests_of(const struct x86_cpu *cpu)
{
	return __atomic_load_n((const uint32_t *)&cpu->request, __ATOMIC_SEQ_CST) & ASK_REQUESTS;
}

bool field_is_plain(const struct field *f)
{
	switch (f->offset) {
	case offsetof(struct x86_cpu, cc_a):
	case offsetof(struct x86_cpu, cc_b):
	case offsetof(struct x86_cpu, cc_c):
	case offsetof(struct x86_cpu, cc_kind):
		return false;
	default:
		return true;
	}
}

bool field_differs(const struct field *f, const struct x86_cpu *a, const struct x86_cpu *b)
{
	if (!field_is_plain(f))
		return false;
	if (f->offset == offsetof(struct x86_cpu, rflags))
		return x86_rflags_read(a) != x86_rflags_read(b);
	return memcmp((const char *)a + f->offset, (const char *)b + f->offset,
		      (size_t)f->elem_bytes * f->count) != 0;
}

static bool state_equal(const struct x86_cpu *a, const struct x86_cpu *b)
{
	for (const struct field *f = x86_cpu_fields; f->name; f++)
		if (field_differs(f, a, b))
			return false;
	return a->mode == b->mode && a->random_state == b->random_state;
}

bool twins_equal(struct engine_cpu *t)
{
	const struct side *a = &t->side[LOCKSTEP_FIRST], *b = &t->side[LOCKSTEP_SECOND];

	return !a->astray[0] && !b->astray[0] && a->next_ask == b->next_ask &&
	       requests_of(a->cpu) == requests_of(b->cpu) && state_equal(a->cpu, b->cpu);
}

bool twins_agree(struct engine_cpu *t)
{
	return twins_equal(t) && mirror_equal(t->all);
}
