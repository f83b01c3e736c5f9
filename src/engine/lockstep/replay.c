/*
 * The log of a slice, and answering from it. A question that is not the log's next one is where the
 * two engines part as much as a register is: it is noted and the CPU is stopped.
 *
 * When a question was asked is compared for ports, time and interrupts only: those instructions
 * begin their blocks. Accesses to device memory see the count of their block's beginning, and where
 * blocks begin is each engine's own business.
 */
#include <stdio.h>
#include <string.h>

#include "engine/lockstep/lockstep_private.h"
#include "isa/x86/fault.h"
#include "isa/x86/mmu.h"

enum { LOG_LONG = 1 << 14, ASK_TEXT = 96 };

static const struct {
	const char *name;
	bool tells; /* the value is the question's, not the answer's */
	bool exact; /* begins its block */
} rows[] = {
	[ASK_PORT_READ] = {"read of port region", false, true},
	[ASK_PORT_WRITE] = {"write to port region", true, true},
	[ASK_MMIO_READ] = {"read of device region", false, false},
	[ASK_MMIO_WRITE] = {"write to device region", true, false},
	[ASK_INTR_ACK] = {"acknowledge of an interrupt", false, true},
	[ASK_APIC_READ] = {"read of local APIC register", false, false},
	[ASK_APIC_WRITE] = {"write to local APIC register", true, false},
	[ASK_APIC_MSR_READ] = {"read of APIC MSR", false, false},
	[ASK_APIC_MSR_WRITE] = {"write to APIC MSR", true, false},
	[ASK_APIC_BASE_GET] = {"read of the APIC base", false, false},
	[ASK_APIC_BASE_SET] = {"write to the APIC base", true, false},
	[ASK_TPR_GET] = {"read of CR8", false, false},
	[ASK_TPR_SET] = {"write to CR8", true, false},
	[ASK_NOW] = {"reading of the time", false, true},
	[ASK_DEADLINE_GET] = {"read of the TSC deadline", false, false},
	[ASK_DEADLINE_SET] = {"write to the TSC deadline", true, false},
	[ASK_PV_MSR_READ] = {"read of paravirtual MSR", false, false},
	[ASK_PV_MSR_WRITE] = {"write to paravirtual MSR", true, false},
};

/* ---- the log */

/* Double what *p has room for; false: out of memory, *p stays. */
static bool grow(void **p, size_t *max, size_t used, size_t each)
{
	size_t more = *max ? *max * 2 : 256;
	void *n = host_alloc(more * each);

	if (!n)
		return false;
	if (used)
		memcpy(n, *p, used * each);
	host_free(*p);
	*p = n;
	*max = more;
	return true;
}

void log_clear(struct log *l)
{
	l->asks = l->writes = l->used = 0;
	l->full = false;
}

void log_free(struct log *l)
{
	host_free(l->ask);
	host_free(l->write);
	host_free(l->bytes);
	*l = (struct log){0};
}

bool log_is_long(const struct log *l)
{
	return l->asks > LOG_LONG;
}

struct ask *log_add(struct log *l)
{
	void *p = l->ask;

	if (l->asks == l->asks_max && !grow(&p, &l->asks_max, l->asks, sizeof(*l->ask))) {
		l->full = true;
		return NULL;
	}
	l->ask = p;
	return &l->ask[l->asks++];
}

void log_add_write(struct log *l, uint64_t gpa, const void *bytes, size_t len)
{
	void *w = l->write, *b = l->bytes;

	if (l->writes == l->writes_max && !grow(&w, &l->writes_max, l->writes, sizeof(*l->write)))
		l->full = true;
	l->write = w;
	while (!l->full && l->bytes_max - l->used < len)
		l->full = !grow(&b, &l->bytes_max, l->used, 1);
	l->bytes = b;
	if (l->full)
		return;
	memcpy(l->bytes + l->used, bytes, len);
	l->write[l->writes++] = (struct log_write){gpa, len, l->used};
	l->used += len;
}

/* ---- answers */

static void print(const struct ask *q, char *buf, size_t len)
{
	int n = snprintf(buf, len, "%s", rows[q->kind].name);

	if (q->kind <= ASK_MMIO_WRITE)
		n += snprintf(buf + n, len - (size_t)n, " %u offset %#llx/%u", q->where,
			      (unsigned long long)q->offset, q->bytes);
	else if (q->where)
		n += snprintf(buf + n, len - (size_t)n, " %#x", q->where);
	if (rows[q->kind].tells)
		snprintf(buf + n, len - (size_t)n, " of %#llx", (unsigned long long)q->value);
}

static void go_astray(struct side *s, const struct ask *asked, const struct ask *expected)
{
	char a[ASK_TEXT], e[ASK_TEXT] = "nothing more";

	x86_request(s->cpu, X86_REQ_STOP);
	if (s->astray[0])
		return;
	print(asked, a, sizeof(a));
	if (expected)
		print(expected, e, sizeof(e));
	snprintf(s->astray, sizeof(s->astray), "%s after %llu instructions; in the log: %s%s%llu",
		 a, (unsigned long long)asked->insns, e, expected ? " after " : ", of ",
		 (unsigned long long)(expected ? expected->insns : s->next_ask));
}

static bool same(const struct ask *a, const struct ask *b)
{
	return a->kind == b->kind && a->where == b->where && a->offset == b->offset &&
	       a->bytes == b->bytes && (!rows[a->kind].tells || a->value == b->value) &&
	       (!rows[a->kind].exact || a->insns == b->insns);
}

/* What the answer did to the first CPU beside giving a value. */
static void take_effects(struct engine_cpu *t, struct side *s, const struct ask *a)
{
	struct log *l = &t->all->log;
	struct x86_cpu *cpu = s->cpu;

	for (unsigned i = 0; i < a->writes && s->next_write < l->writes; i++) {
		const struct log_write *w = &l->write[s->next_write++];

		space_write(cpu->space, w->gpa, l->bytes + w->at, w->len);
	}
	__atomic_fetch_and((uint32_t *)&cpu->request, ~ASK_REQUESTS | a->requests,
			   __ATOMIC_SEQ_CST);
	cpu->apic_page = a->apic_page;
	if (a->kind == ASK_APIC_BASE_SET)
		x86_tlb_flush_all(cpu);
	if (a->flush) {
		tap_follow(t->all);
		x86_request(cpu, X86_REQ_FLUSH_TLB);
	}
}

void replay_answer(struct engine_cpu *t, struct side *s, struct ask *q)
{
	const struct log *l = &t->all->log;
	const struct ask *next = s->next_ask < l->asks ? &l->ask[s->next_ask] : NULL;

	q->insns = x86_insns_now(s->cpu);
	if (s->astray[0] || !next || !same(q, next)) {
		go_astray(s, q, next);
		q->value = q->kind == ASK_INTR_ACK ? ~0ull : 0;
		q->ok = false;
		return;
	}
	q->value = next->value;
	q->ok = next->ok;
	s->next_ask++;
	take_effects(t, s, next);
}

void replay_run(struct engine_cpu *t, struct side *s, uint64_t insns)
{
	const struct x86_platform *real = s->cpu->platform;

	s->cpu->platform = &s->tap.platform;
	t->all->running = t;
	engine_group_enter(s->group, s->cpu);
	s->engine->run(s->e, insns);
	engine_group_leave(s->group, s->cpu);
	t->all->running = NULL;
	s->cpu->platform = real;
}
