/*
 * Stacks of control transfers: see stack.h. Words go to memory one by one, as on a real CPU: a
 * transfer that faults half-way leaves its words below the old top, where nobody may look.
 */
#include "isa/x86/stack.h"
#include "isa/x86/descriptor.h"
#include "isa/x86/mode.h"

enum x86_mmu_index x86_mmu_for_cpl(const struct x86_cpu *cpu, unsigned cpl)
{
	if (cpl == 3)
		return X86_MMU_USER;
	return (cpu->cr4 & X86_CR4_SMAP) && !(cpu->rflags & X86_AC) ? X86_MMU_KERNEL_SMAP
								    : X86_MMU_KERNEL;
}

uint64_t x86_stack_mask(const struct x86_seg *ss, bool wide)
{
	if (wide)
		return ~0ull;
	return ss->attr & X86_SEG_DB ? 0xffffffffu : 0xffffu;
}

void x86_stack_make(struct x86_stack *s, struct x86_cpu *cpu, const struct x86_seg *ss, uint64_t sp,
		    unsigned cpl, bool wide)
{
	*s = (struct x86_stack){
		.cpu = cpu,
		.ss = *ss,
		.sp = sp,
		.mask = x86_stack_mask(ss, wide),
		.mmu = x86_mmu_for_cpl(cpu, cpl),
		.mem_flags = X86_MEM_STACK | X86_MEM_NOAC,
		.error = ss->sel & 0xfffc,
		.wide = wide,
		.checked = cpu->cr0 & X86_CR0_PE,
	};
}

void x86_stack_current(struct x86_stack *s, struct x86_cpu *cpu)
{
	x86_stack_make(s, cpu, &cpu->seg[X86_SS], cpu->gpr[X86_RSP], x86_cpl(cpu), x86_code64(cpu));
	s->mem_flags = X86_MEM_STACK;
	s->error = 0;
	s->checked = x86_protected(cpu);
}

/* Linear address of bytes at off in a legacy stack; false: outside. */
static bool stack_linear(const struct x86_stack *s, uint64_t off, unsigned bytes, uint64_t *lin)
{
	const struct x86_seg *ss = &s->ss;
	uint64_t last = off + bytes - 1;
	bool down = s->checked && (ss->attr & X86_SEG_DOWN);
	bool ok = down ? off > ss->limit && last <= s->mask : last <= ss->limit;

	if (s->checked && !(ss->attr & X86_SEG_P))
		ok = false;
	*lin = (uint32_t)(ss->base + off);
	return ok;
}

static bool stack_address(struct x86_stack *s, uint64_t off, unsigned bytes, uint64_t *lin)
{
	*lin = off;
	if (s->wide || stack_linear(s, off, bytes, lin))
		return true;
	return x86_fault_raise_error(s->cpu, X86_FAULT_SS, s->error);
}

void x86_stack_move(struct x86_stack *s, int64_t delta)
{
	s->sp = (s->sp & ~s->mask) | ((s->sp + (uint64_t)delta) & s->mask);
}

bool x86_stack_push(struct x86_stack *s, unsigned bytes, uint64_t v)
{
	uint64_t off = (s->sp - bytes) & s->mask, lin;

	if (!stack_address(s, off, bytes, &lin) ||
	    !x86_mem_write(s->cpu, lin, &v, bytes, s->mmu, s->mem_flags))
		return false;
	x86_stack_move(s, -(int64_t)bytes);
	return true;
}

bool x86_stack_peek(struct x86_stack *s, uint64_t delta, unsigned bytes, uint64_t *v)
{
	uint64_t lin;

	*v = 0;
	return stack_address(s, (s->sp + delta) & s->mask, bytes, &lin) &&
	       x86_mem_read(s->cpu, lin, v, bytes, s->mmu, s->mem_flags);
}

bool x86_stack_pop(struct x86_stack *s, unsigned bytes, uint64_t *v)
{
	if (!x86_stack_peek(s, 0, bytes, v))
		return false;
	x86_stack_move(s, bytes);
	return true;
}

void x86_stack_commit(const struct x86_stack *s)
{
	uint64_t *rsp = &s->cpu->gpr[X86_RSP];

	if (s->mask == 0xffffffffu)
		*rsp = s->sp & s->mask;
	else
		*rsp = (*rsp & ~s->mask) | (s->sp & s->mask);
}

void x86_stack_enter(const struct x86_stack *s)
{
	s->cpu->seg[X86_SS] = s->ss;
	if (s->wide)
		s->cpu->gpr[X86_RSP] = s->sp;
	else
		/* The TSS gives a whole ESP, even for a 16-bit stack. */
		s->cpu->gpr[X86_RSP] = (uint32_t)s->sp;
}

static bool inner_long(struct x86_stack *s, struct x86_cpu *cpu, unsigned cpl, unsigned ist)
{
	struct x86_seg null = {.sel = cpl, .attr = cpl << 5};
	unsigned at = ist ? 36 + 8 * (ist - 1) : 4 + 8 * cpl;
	uint64_t rsp;

	if (at + 7 > cpu->tr.limit)
		return x86_fault_sel(cpu, X86_FAULT_TS, cpu->tr.sel);
	if (!x86_sys_read(cpu, cpu->tr.base + at, &rsp, 8))
		return false;
	if (!x86_canonical(rsp))
		return x86_fault_raise_error(cpu, X86_FAULT_SS, 0);
	x86_stack_make(s, cpu, &null, rsp, cpl, true);
	s->error = 0;
	return true;
}

/* SSn:ESPn of a 32-bit TSS, SSn:SPn of a 16-bit one. */
static bool inner_pointer(struct x86_cpu *cpu, unsigned cpl, uint16_t *sel, uint32_t *sp)
{
	bool wide = cpu->tr.attr & 8;
	unsigned bytes = wide ? 4 : 2;
	unsigned at = wide ? 4 + 8 * cpl : 2 + 4 * cpl;

	*sp = 0;
	if (at + bytes + 1 > cpu->tr.limit)
		return x86_fault_sel(cpu, X86_FAULT_TS, cpu->tr.sel);
	return x86_sys_read(cpu, x86_sys_linear(cpu, cpu->tr.base, at), sp, bytes) &&
	       x86_sys_read(cpu, x86_sys_linear(cpu, cpu->tr.base, at + bytes), sel, 2);
}

bool x86_stack_inner(struct x86_stack *s, struct x86_cpu *cpu, unsigned cpl, unsigned ist)
{
	struct x86_entry e;
	struct x86_seg ss;
	uint16_t sel;
	uint32_t sp;

	if (x86_long_mode(cpu))
		return inner_long(s, cpu, cpl, ist);
	if (!inner_pointer(cpu, cpl, &sel, &sp) || !x86_entry_read(cpu, sel, X86_FAULT_TS, &e) ||
	    !x86_entry_check_stack(cpu, &e, cpl, X86_FAULT_TS) || !x86_entry_access(cpu, &e))
		return false;
	ss = x86_entry_seg(&e);
	x86_stack_make(s, cpu, &ss, sp, cpl, false);
	return true;
}
