/*
 * The taps: every way a CPU has to ask the machine for something that is not in its registers or in
 * RAM. The first side's questions are passed on and logged; answers of the second come from the
 * log.
 *
 * Interrupts and other requests that the machine makes meanwhile would be seen at the first
 * engine's next block boundary, which need not be one of the second's. They are held back, and the
 * first engine is stopped there: the next slice begins with them pending on both sides.
 */
#include "engine/lockstep/lockstep_private.h"
#include "isa/x86/fault.h"

/* Ask the machine itself. */
static void ask_platform(const struct x86_platform *p, struct x86_cpu *cpu, struct ask *q)
{
	switch (q->kind) {
	case ASK_INTR_ACK:
		q->value = (uint64_t)(int64_t)p->intr_ack(p->opaque, cpu);
		break;
	case ASK_APIC_READ:
		q->value = p->apic_read(p->opaque, cpu, q->where);
		break;
	case ASK_APIC_WRITE:
		p->apic_write(p->opaque, cpu, q->where, (uint32_t)q->value);
		break;
	case ASK_APIC_MSR_READ:
		q->ok = p->apic_msr_read(p->opaque, cpu, q->where, &q->value);
		break;
	case ASK_APIC_MSR_WRITE:
		q->ok = p->apic_msr_write(p->opaque, cpu, q->where, q->value);
		break;
	case ASK_APIC_BASE_GET:
		q->value = p->apic_base_get(p->opaque, cpu);
		break;
	case ASK_APIC_BASE_SET:
		q->ok = p->apic_base_set(p->opaque, cpu, q->value);
		break;
	case ASK_TPR_GET:
		q->value = p->tpr_get(p->opaque, cpu);
		break;
	case ASK_TPR_SET:
		p->tpr_set(p->opaque, cpu, (unsigned)q->value);
		break;
	case ASK_NOW:
		q->value = p->now_ns(p->opaque, cpu);
		break;
	case ASK_DEADLINE_GET:
		q->value = p->tsc_deadline_get(p->opaque, cpu);
		break;
	case ASK_DEADLINE_SET:
		p->tsc_deadline_set(p->opaque, cpu, q->value);
		break;
	case ASK_PV_MSR_READ:
		q->ok = p->pv_msr_read(p->opaque, cpu, q->where, &q->value);
		break;
	case ASK_PV_MSR_WRITE:
		q->ok = p->pv_msr_write(p->opaque, cpu, q->where, q->value);
		break;
	default:
		break;
	}
}

static void ask_machine(struct lockstep *all, struct x86_cpu *cpu, struct ask *q,
			const struct x86_platform *real)
{
	const struct tap_region *r;

	if (q->kind > ASK_MMIO_WRITE) {
		ask_platform(real, cpu, q);
		return;
	}
	r = &all->tap[LOCKSTEP_FIRST][q->kind <= ASK_PORT_WRITE][q->where];
	if (q->kind == ASK_PORT_READ || q->kind == ASK_MMIO_READ)
		q->value = r->real_ops->read
				   ? r->real_ops->read(r->real_opaque, q->offset, q->bytes)
				   : ~0ull;
	else if (r->real_ops->write)
		r->real_ops->write(r->real_opaque, q->offset, q->value, q->bytes);
}

static uint32_t requests_of(const struct x86_cpu *cpu)
{
	return __atomic_load_n((const uint32_t *)&cpu->request, __ATOMIC_SEQ_CST);
}

static void requests_clear(struct x86_cpu *cpu, uint32_t bits)
{
	__atomic_fetch_and((uint32_t *)&cpu->request, ~bits, __ATOMIC_SEQ_CST);
}

/* The machine sees all requests; the engine goes on seeing those it saw before. */
static void record(struct engine_cpu *t, struct x86_cpu *cpu, struct ask *q)
{
	uint32_t seen = requests_of(cpu) & ASK_REQUESTS, now;
	struct ask *slot;

	q->insns = x86_insns_now(cpu);
	if (t->stopped)
		requests_clear(cpu, X86_REQ_STOP); /* to see whether the machine asks for it too */
	x86_request(cpu, t->held);
	t->all->asking = q;
	ask_machine(t->all, cpu, q, t->real);
	t->all->asking = NULL;
	now = requests_of(cpu);
	t->held = now & ASK_REQUESTS & ~seen;
	requests_clear(cpu, t->held);
	q->requests = now & ASK_REQUESTS & seen;
	q->apic_page = cpu->apic_page;
	q->flush = now & X86_REQ_FLUSH_TLB;
	t->stop |= (now & X86_REQ_STOP) != 0;
	t->stopped |= t->held || q->flush || log_is_long(&t->all->log);
	if (t->stopped)
		x86_request(cpu, X86_REQ_STOP);
	slot = log_add(&t->all->log);
	if (slot)
		*slot = *q;
}

static void exchange(struct engine_cpu *t, unsigned which, struct x86_cpu *cpu, struct ask *q)
{
	if (which == LOCKSTEP_FIRST && !t->all->replaying)
		record(t, cpu, q);
	else
		replay_answer(t, &t->side[which], q);
}

/* ---- struct x86_platform */

static void ask(struct x86_cpu *cpu, struct ask *q)
{
	const struct tap_platform *tap = (const struct tap_platform *)cpu->platform;

	exchange(tap->twins, tap->which, cpu, q);
}

static int tap_intr_ack(void *opaque, struct x86_cpu *cpu)
{
	struct ask q = {.kind = ASK_INTR_ACK};

	ask(cpu, &q);
	return (int)(int64_t)q.value;
}

static uint32_t tap_apic_read(void *opaque, struct x86_cpu *cpu, uint32_t offset)
{
	struct ask q = {.kind = ASK_APIC_READ, .where = offset};

	ask(cpu, &q);
	return (uint32_t)q.value;
}

static void tap_apic_write(void *opaque, struct x86_cpu *cpu, uint32_t offset, uint32_t value)
{
	struct ask q = {.kind = ASK_APIC_WRITE, .where = offset, .value = value};

	ask(cpu, &q);
}

static bool msr_read(struct x86_cpu *cpu, enum ask_kind kind, uint32_t msr, uint64_t *value)
{
	struct ask q = {.kind = kind, .where = msr};

	ask(cpu, &q);
	if (q.ok)
		*value = q.value;
	return q.ok;
}

static bool msr_write(struct x86_cpu *cpu, enum ask_kind kind, uint32_t msr, uint64_t value)
{
	struct ask q = {.kind = kind, .where = msr, .value = value};

	ask(cpu, &q);
	return q.ok;
}

static bool tap_apic_msr_read(void *opaque, struct x86_cpu *cpu, uint32_t msr, uint64_t *value)
{
	return msr_read(cpu, ASK_APIC_MSR_READ, msr, value);
}

static bool tap_apic_msr_write(void *opaque, struct x86_cpu *cpu, uint32_t msr, uint64_t value)
{
	return msr_write(cpu, ASK_APIC_MSR_WRITE, msr, value);
}

static uint64_t get(struct x86_cpu *cpu, enum ask_kind kind)
{
	struct ask q = {.kind = kind};

	ask(cpu, &q);
	return q.value;
}

static uint64_t tap_apic_base_get(void *opaque, struct x86_cpu *cpu)
{
	return get(cpu, ASK_APIC_BASE_GET);
}

static bool tap_apic_base_set(void *opaque, struct x86_cpu *cpu, uint64_t value)
{
	return msr_write(cpu, ASK_APIC_BASE_SET, 0, value);
}

static unsigned tap_tpr_get(void *opaque, struct x86_cpu *cpu)
{
	return (unsigned)get(cpu, ASK_TPR_GET);
}

static void tap_tpr_set(void *opaque, struct x86_cpu *cpu, unsigned value)
{
	msr_write(cpu, ASK_TPR_SET, 0, value);
}

static uint64_t tap_now_ns(void *opaque, struct x86_cpu *cpu)
{
	return get(cpu, ASK_NOW);
}

static uint64_t tap_deadline_get(void *opaque, struct x86_cpu *cpu)
{
	return get(cpu, ASK_DEADLINE_GET);
}

static void tap_deadline_set(void *opaque, struct x86_cpu *cpu, uint64_t tsc)
{
	msr_write(cpu, ASK_DEADLINE_SET, 0, tsc);
}

static bool tap_pv_msr_read(void *opaque, struct x86_cpu *cpu, uint32_t msr, uint64_t *value)
{
	return msr_read(cpu, ASK_PV_MSR_READ, msr, value);
}

static bool tap_pv_msr_write(void *opaque, struct x86_cpu *cpu, uint32_t msr, uint64_t value)
{
	return msr_write(cpu, ASK_PV_MSR_WRITE, msr, value);
}

/* What the machine does not have stays NULL. */
void tap_fill(struct tap_platform *tap, struct engine_cpu *twins, unsigned which,
	      const struct x86_platform *real)
{
	tap->twins = twins;
	tap->which = which;
	tap->platform = (struct x86_platform){
		.opaque = real->opaque,
		.intr_ack = real->intr_ack ? tap_intr_ack : NULL,
		.apic_read = real->apic_read ? tap_apic_read : NULL,
		.apic_write = real->apic_write ? tap_apic_write : NULL,
		.apic_msr_read = real->apic_msr_read ? tap_apic_msr_read : NULL,
		.apic_msr_write = real->apic_msr_write ? tap_apic_msr_write : NULL,
		.apic_base_get = real->apic_base_get ? tap_apic_base_get : NULL,
		.apic_base_set = real->apic_base_set ? tap_apic_base_set : NULL,
		.tpr_get = real->tpr_get ? tap_tpr_get : NULL,
		.tpr_set = real->tpr_set ? tap_tpr_set : NULL,
		.now_ns = real->now_ns ? tap_now_ns : NULL,
		.tsc_deadline_get = real->tsc_deadline_get ? tap_deadline_get : NULL,
		.tsc_deadline_set = real->tsc_deadline_set ? tap_deadline_set : NULL,
		.pv_msr_read = real->pv_msr_read ? tap_pv_msr_read : NULL,
		.pv_msr_write = real->pv_msr_write ? tap_pv_msr_write : NULL,
	};
}

/* ---- device regions */

static void region_ask(const struct tap_region *r, struct ask *q)
{
	struct engine_cpu *t = r->all->running;

	q->where = r->index;
	if (t)
		exchange(t, r->which, t->side[r->which].cpu, q);
	else if (r->which == LOCKSTEP_FIRST)
		ask_machine(r->all, NULL, q, NULL); /* no CPU asks: a debugger */
}

static uint64_t region_read(void *opaque, uint64_t offset, unsigned bytes)
{
	const struct tap_region *r = opaque;
	struct ask q = {
		.kind = r->ports ? ASK_PORT_READ : ASK_MMIO_READ, .offset = offset, .bytes = bytes};

	region_ask(r, &q);
	return q.value;
}

static void region_write(void *opaque, uint64_t offset, uint64_t value, unsigned bytes)
{
	const struct tap_region *r = opaque;
	struct ask q = {.kind = r->ports ? ASK_PORT_WRITE : ASK_MMIO_WRITE,
			.offset = offset,
			.bytes = bytes,
			.value = value};

	region_ask(r, &q);
}

static struct space *space_of(struct lockstep *all, unsigned which, unsigned ports)
{
	if (which == LOCKSTEP_FIRST)
		return ports ? all->real_ports : all->real;
	return ports ? &all->copy_ports : &all->copy;
}

static int tap_space(struct lockstep *all, unsigned ports)
{
	struct space *real = space_of(all, LOCKSTEP_FIRST, ports);
	struct space *copy = space_of(all, LOCKSTEP_SECOND, ports);

	for (unsigned i = 0; i < real->io_count; i++) {
		struct io_region *r = &real->io[i];

		for (unsigned which = 0; which < 2; which++)
			all->tap[which][ports][i] =
				(struct tap_region){all,       {region_read, region_write, 0},
						    r->ops,    r->opaque,
						    which,     i,
						    ports != 0};
		for (unsigned which = 0; which < 2; which++)
			all->tap[which][ports][i].ops.max_bytes = r->ops->max_bytes;
		int e = space_map_io(copy, r->name, r->base, r->len,
				     &all->tap[LOCKSTEP_SECOND][ports][i].ops,
				     &all->tap[LOCKSTEP_SECOND][ports][i]);
		if (e)
			return e;
		r->ops = &all->tap[LOCKSTEP_FIRST][ports][i].ops;
		r->opaque = &all->tap[LOCKSTEP_FIRST][ports][i];
	}
	return 0;
}

int tap_regions(struct lockstep *all)
{
	int r = tap_space(all, 0);

	return r ? r : tap_space(all, 1);
}

void tap_remove(struct lockstep *all)
{
	for (unsigned ports = 0; ports < 2; ports++) {
		struct space *s = space_of(all, LOCKSTEP_FIRST, ports);

		for (unsigned i = 0; i < s->io_count; i++) {
			const struct tap_region *tap = &all->tap[LOCKSTEP_FIRST][ports][i];

			if (!tap->all)
				continue;
			s->io[i].ops = tap->real_ops;
			s->io[i].opaque = tap->real_opaque;
		}
	}
}

void tap_follow(struct lockstep *all)
{
	for (unsigned ports = 0; ports < 2; ports++) {
		const struct space *real = space_of(all, LOCKSTEP_FIRST, ports);
		struct space *copy = space_of(all, LOCKSTEP_SECOND, ports);

		for (unsigned i = 0; i < copy->io_count; i++) {
			const struct io_region *r = &real->io[i];

			space_io_place(copy, &copy->io[i], r->base, r->enabled);
		}
	}
}

void tap_wrote(void *opaque, uint64_t gpa, size_t len)
{
	struct lockstep *all = opaque;
	const uint8_t *page = space_ram_page(all->real, gpa, NULL);

	if (all->replaying || !page)
		return;
	if (!all->asking) {
		mirror_wrote(all, gpa, len);
		return;
	}
	log_add_write(&all->log, gpa, page + (gpa & PAGE_OFFSET_MASK), len);
	all->asking->writes++;
}
