/*
 * Going back to the start of a slice, and finding the first instruction after which the two sides
 * differ. Every try runs both sides from the start in one piece, for a fault that lies in how
 * instructions are put together in blocks is not there when they are run one by one; whether it is
 * tells the reader where to look.
 */
#include <string.h>

#include "engine/lockstep/lockstep_private.h"
#include "isa/x86/decode.h"
#include "isa/x86/fault.h"
#include "isa/x86/mmu.h"

static uint32_t requests_of(const struct x86_cpu *cpu)
{
	return __atomic_load_n((const uint32_t *)&cpu->request, __ATOMIC_SEQ_CST);
}

void side_save(struct side *s)
{
	field_save(x86_cpu_fields, s->cpu, s->start);
	s->start_requests = requests_of(s->cpu) & (ASK_REQUESTS | X86_REQ_FLUSH_TLB);
	s->start_random = s->cpu->random_state;
	s->start_apic_page = s->cpu->apic_page;
	s->next_ask = s->next_write = 0;
	s->astray[0] = 0;
}

void side_restore(struct side *s)
{
	struct x86_cpu *cpu = s->cpu;

	field_restore(x86_cpu_fields, cpu, s->start);
	cpu->random_state = s->start_random;
	cpu->apic_page = s->start_apic_page;
	cpu->exit_code = X86_EXIT_NONE;
	x86_mode_update(cpu);
	x86_tlb_flush_all(cpu);
	__atomic_fetch_and((uint32_t *)&cpu->request,
			   ~(ASK_REQUESTS | (uint32_t)(X86_REQ_STOP | X86_REQ_RESET)),
			   __ATOMIC_SEQ_CST);
	x86_request(cpu, s->start_requests);
	s->next_ask = s->next_write = 0;
	s->astray[0] = 0;
}

void twins_restore(struct engine_cpu *t)
{
	mirror_restore(t->all);
	side_restore(&t->side[LOCKSTEP_FIRST]);
	side_restore(&t->side[LOCKSTEP_SECOND]);
}

static void run_both(struct engine_cpu *t, uint64_t insns)
{
	replay_run(t, &t->side[LOCKSTEP_FIRST], insns);
	replay_run(t, &t->side[LOCKSTEP_SECOND], insns);
}

/* Do they differ when both run so many instructions from the start? */
static bool differ_after(struct engine_cpu *t, uint64_t insns)
{
	twins_restore(t);
	run_both(t, insns);
	return !twins_agree(t);
}

/* Instruction by instruction, up to and with the given one: do they differ then? And where the
 * straight-line code began that it is in. */
static bool walk(struct engine_cpu *t, uint64_t insns, struct parting *p)
{
	struct x86_cpu *cpu = t->side[LOCKSTEP_FIRST].cpu;
	uint64_t before = ~0ull;

	twins_restore(t);
	for (uint64_t i = 0; i < insns; i++) {
		p->rip = cpu->rip;
		if (i == 0 || cpu->rip - before - 1 >= X86_INSN_MAX) {
			p->block_rip = cpu->rip;
			p->block_insns = 0;
		}
		p->block_insns++;
		before = cpu->rip;
		run_both(t, 1);
	}
	return !twins_agree(t);
}

void narrow(struct engine_cpu *t, uint64_t insns, struct parting *p, void *before)
{
	uint64_t equal = 0, differ = insns;

	t->all->replaying = true;
	*p = (struct parting){.insns = insns, .slice_insns = insns};
	twins_restore(t);
	p->start_insns = t->side[LOCKSTEP_FIRST].cpu->insns;
	p->rip = p->block_rip = t->side[LOCKSTEP_FIRST].cpu->rip;
	p->repeats = differ_after(t, insns);
	if (p->repeats && differ_after(t, 0))
		differ = 0;
	while (p->repeats && differ - equal > 1 && differ) {
		uint64_t middle = equal + (differ - equal) / 2;

		if (differ_after(t, middle))
			differ = middle;
		else
			equal = middle;
	}
	p->insns = differ;
	p->singly = walk(t, differ, p);
	twins_restore(t);
	if (differ)
		replay_run(t, &t->side[LOCKSTEP_FIRST], differ - 1);
	field_save(x86_cpu_fields, t->side[LOCKSTEP_FIRST].cpu, before);
	differ_after(t, differ);
	t->all->replaying = false;
}
