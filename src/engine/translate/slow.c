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

/* What uses no vector registers: these are still the guest's. */
#define GENERAL_REGS_ONLY __attribute__((target("general-regs-only")))

struct two_pages {
	volatile uint8_t
		*at[2]; /* host memory of its first byte, of the first one in the second page */
	unsigned first, bytes; /* in the first page; in all */
};

/* The access in the frame, if its bytes are in two pages of plain memory that the TLB has. */
GENERAL_REGS_ONLY static bool two_pages(struct x86_cpu *cpu, bool write, struct two_pages *out)
{
	const struct frame *f = cpu_frame(cpu);
	const struct x86_tlb *t = &cpu->tlb[f->access >> 12 & 0xf];
	unsigned type = f->access & 0xf, flags = f->access >> 16;
	uint64_t a = f->address, page = a & ~(uint64_t)PAGE_OFFSET_MASK, next = page + PAGE_BYTES;
	unsigned i = (unsigned)(page >> PAGE_BITS) & (X86_TLB_SIZE - 1);
	unsigned k = (i + 1) & (X86_TLB_SIZE - 1);
	const struct x86_tlb_entry *e = &t->entry[i], *e2 = &t->entry[k];

	out->first = (unsigned)(next - a);
	out->bytes = 1u << (type - IR_I8);
	if (!next || type < IR_I16 || type > IR_V256 || out->first >= out->bytes ||
	    (write ? e->tag_write : e->tag_read) != page ||
	    (write ? e2->tag_write : e2->tag_read) != next ||
	    (flags & (X86_MEM_RMW | X86_MEM_ALIGN16 | X86_MEM_ALIGN32)))
		return false;
	out->at[0] = (volatile uint8_t *)(uintptr_t)(a + e->addend);
	out->at[1] = (volatile uint8_t *)(uintptr_t)(next + e2->addend);
	return true;
}

GENERAL_REGS_ONLY static bool quick_load(struct x86_cpu *cpu)
{
	volatile uint8_t *value = (volatile uint8_t *)&cpu_frame(cpu)->value;
	struct two_pages p;

	if (!two_pages(cpu, false, &p))
		return false;
	cpu->counter[COUNTER_TRANSLATE_SLOW_LOADS]++;
	for (unsigned k = 0; k < 2; k++) /* what is less than a register is extended */
		((volatile uint64_t *)value)[k] = 0;
	for (unsigned k = 0; k < p.first; k++)
		value[k] = p.at[0][k];
	for (unsigned k = p.first; k < p.bytes; k++)
		value[k] = p.at[1][k - p.first];
	return true;
}

GENERAL_REGS_ONLY static bool quick_store(struct x86_cpu *cpu)
{
	const volatile uint8_t *value = (const volatile uint8_t *)&cpu_frame(cpu)->value;
	struct two_pages p;

	if (!two_pages(cpu, true, &p))
		return false;
	cpu->counter[COUNTER_TRANSLATE_SLOW_STORES]++;
	for (unsigned k = 0; k < p.first; k++)
		p.at[0][k] = value[k];
	for (unsigned k = p.first; k < p.bytes; k++)
		p.at[1][k - p.first] = value[k];
	return true;
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

/* The range of a block's bytes in the page at gpa; an empty one if there are none. */
static struct block_bytes bytes_in(const struct block *b, uint64_t gpa)
{
	struct block_bytes all = {gpa, PAGE_BYTES, 0};

	for (unsigned k = 0; k <= b->more_count; k++) {
		const struct block_bytes *part = &block_page(b, k)->bytes;

		if (part->gpa != gpa)
			continue;
		all.lo = part->lo < all.lo ? part->lo : all.lo;
		all.hi = part->hi > all.hi ? part->hi : all.hi;
	}
	return all;
}

static void running_code_is(struct x86_cpu *cpu, uint64_t lo, uint64_t hi)
{
	cpu->code_lo = lo;
	cpu->code_hi = hi;
}

static void whole_memory_is_code(struct x86_cpu *cpu)
{
	running_code_is(cpu, 0, UINT64_MAX);
}

/* Where in memory a store goes that is refused for hitting code; false: cannot be told. */
static bool store_gpa(struct x86_cpu *cpu, uint64_t lin, unsigned bytes, enum x86_mmu_index mmu,
		      uint64_t *gpa)
{
	bool told;

	running_code_is(cpu, UINT64_MAX, 0);
	told = (lin & PAGE_OFFSET_MASK) + bytes <= PAGE_BYTES &&
	       x86_mem_direct_code(cpu, lin, mmu, gpa);
	whole_memory_is_code(cpu);
	return told;
}

/* While translated code runs every page with code counts as the running block's: look closer at a
 * store of so many bytes to lin. */
static bool spares_block(struct x86_cpu *cpu, uint64_t lin, unsigned bytes, enum x86_mmu_index mmu)
{
	const struct tblock *b;
	struct block_bytes in;
	uint64_t gpa;

	if (cpu->exit_code != X86_EXIT_RESTART || cpu->alone)
		return false;
	b = running(cpu);
	in = b->head.in_page.bytes;
	if (b->head.more_count) {
		if (!store_gpa(cpu, lin, bytes, mmu, &gpa))
			return false;
		in = bytes_in(&b->head, align_down(gpa, PAGE_BYTES));
	}
	cpu->exit_code = X86_EXIT_NONE;
	running_code_is(cpu, in.gpa + in.lo, in.gpa + in.hi);
	return true;
}

/* Can what is stored in the frame's access be loaded again? */
static bool gives_back(struct x86_cpu *cpu)
{
	const struct frame *f = cpu_frame(cpu);
	unsigned bytes = ir_type_bytes(frame_type(f->access));
	enum x86_mmu_index mmu = frame_mmu(f->access);
	uint64_t run, gpa;

	if ((f->address & PAGE_OFFSET_MASK) + bytes > PAGE_BYTES)
		return false;
	return x86_mem_direct(cpu, f->address, X86_WRITE, mmu, &run) ||
	       x86_mem_direct_code(cpu, f->address, mmu, &gpa);
}

static void slow_store(struct x86_cpu *cpu)
{
	struct frame *f = cpu_frame(cpu);
	unsigned bytes = ir_type_bytes(frame_type(f->access));
	enum x86_mmu_index mmu = frame_mmu(f->access);
	unsigned flags = frame_flags(f->access) & ~(unsigned)IR_MEM_KEPT;

	cpu->counter[COUNTER_TRANSLATE_SLOW_STORES]++;
	forget_groups(f);
	if ((frame_flags(f->access) & IR_MEM_KEPT) && !gives_back(cpu)) {
		cpu->exit_code = X86_EXIT_RESTART;
		return;
	}
	if (x86_mem_write(cpu, f->address, &f->value, bytes, mmu, flags) ||
	    !spares_block(cpu, f->address, bytes, mmu))
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

enum { X87_BYTES = 10 }; /* the most that is stored */

/* An x87 load of 80 bits, or a store, whose place the TLB does not have: all of it. */
static void slow_x87(struct x86_cpu *cpu)
{
	struct frame *f = cpu_frame(cpu);
	uint64_t (*fn)(void *, uint64_t, uint64_t, uint64_t) = f->access ? x87_store : x87_load80;

	forget_groups(f);
	fn(cpu, f->address, f->arg[1], f->arg[2]);
	if (!f->access || !spares_block(cpu, f->address, X87_BYTES, x86_mode_mmu(cpu->mode)))
		return;
	fn(cpu, f->address, f->arg[1], f->arg[2]);
	whole_memory_is_code(cpu);
}

const struct frame_calls slow_calls = {slow_load,   slow_store,	 quick_load,
				       quick_store, slow_atomic, slow_x87};
