/*
 * What generated code calls when the inline TLB probe does not serve. A store into a page that
 * holds code asks for a restart if it could change the running block; most do not.
 */
#include <string.h>

#include "engine/atomic.h"
#include "engine/translate/translate_private.h"
#include "isa/x86/x87.h"

/* A device that answers may change what is where, and a write whose pages may be written. */
static void forget_groups(struct frame *f)
{
	memset(f->group, 0, sizeof(f->group));
}

static void slow_load(struct x86_cpu *cpu)
{
	struct frame *f = cpu_frame(cpu);

	cpu->counter[COUNTER_TRANSLATE_SLOW_LOADS]++;
	forget_groups(f);
	memset(&f->value, 0, sizeof(f->value));
	x86_mem_read(cpu, f->address, &f->value, ir_type_bytes(frame_type(f->access)),
		     frame_mmu(f->access), frame_flags(f->access));
}

static struct tblock *running(struct x86_cpu *cpu)
{
	struct engine_cpu *e = cpu->engine;
	struct translate *t = e->client.opaque;

	return code_at(t->code, (const uint8_t *)(uintptr_t)cpu_frame(cpu)->place);
}

/* While translated code runs every page with code counts as the running block's: look closer. */
static bool spares_block(struct x86_cpu *cpu)
{
	const struct tblock *b;

	if (cpu->exit_code != X86_EXIT_RESTART || cpu->alone)
		return false;
	b = running(cpu);
	if (b->head.gpa2 != ~0ull)
		return false;
	cpu->exit_code = X86_EXIT_NONE;
	cpu->code_lo = block_lo(&b->head);
	cpu->code_hi = block_hi(&b->head);
	return true;
}

static void whole_memory_is_code(struct x86_cpu *cpu)
{
	cpu->code_lo = 0;
	cpu->code_hi = UINT64_MAX;
}

static void slow_store(struct x86_cpu *cpu)
{
	struct frame *f = cpu_frame(cpu);
	unsigned bytes = ir_type_bytes(frame_type(f->access));
	enum x86_mmu_index mmu = frame_mmu(f->access);
	unsigned flags = frame_flags(f->access);

	cpu->counter[COUNTER_TRANSLATE_SLOW_STORES]++;
	forget_groups(f);
	if (x86_mem_write(cpu, f->address, &f->value, bytes, mmu, flags) || !spares_block(cpu))
		return;
	x86_mem_write(cpu, f->address, &f->value, bytes, mmu, flags);
	whole_memory_is_code(cpu);
}

static void slow_atomic(struct x86_cpu *cpu)
{
	struct frame *f = cpu_frame(cpu);
	unsigned bytes = ir_type_bytes(frame_type(f->access));
	struct atomic a = {
		.op = frame_op(f->access),
		.bytes = bytes,
		.lin = f->address,
		.mmu = frame_mmu(f->access),
		.flags = frame_flags(f->access),
	};

	forget_groups(f);
	memcpy(&a.x, &f->arg[1], bytes);
	memcpy(&a.y, &f->arg[2], bytes);
	f->value.u64[0] = 0;
	atomic_do(cpu, &a, &f->value.u64[0]);
}

/* An x87 load of 80 bits, or a store, whose place the TLB does not have: all of it. */
static void slow_x87(struct x86_cpu *cpu)
{
	struct frame *f = cpu_frame(cpu);
	uint64_t (*fn)(void *, uint64_t, uint64_t, uint64_t) = f->access ? x87_store : x87_load80;

	forget_groups(f);
	fn(cpu, f->address, f->arg[1], f->arg[2]);
	if (!f->access || !spares_block(cpu))
		return;
	fn(cpu, f->address, f->arg[1], f->arg[2]);
	whole_memory_is_code(cpu);
}

const struct frame_calls slow_calls = {slow_load, slow_store, slow_atomic, slow_x87};
