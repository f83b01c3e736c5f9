/*
 * Hardware task switches, 16- and 32-bit. SDM vol. 3, chapter 7. All that can refuse the switch is
 * checked and the outgoing state saved before the new task's registers are loaded; what then fails
 * (LDT, segments, CR3's PDPTEs) is a fault of the new task, 7.3.
 */
#include "isa/x86/segment.h"

#include <string.h>

#include "isa/x86/descriptor.h"
#include "isa/x86/fault.h"
#include "isa/x86/mode.h"
#include "isa/x86/stack.h"

enum { TSS32_BYTES = 104, TSS16_BYTES = 44 };
enum { DR7_LOCAL = 0x155 }; /* L0-L3 and LE */

/* Where things lie in a TSS of each size; dynamic is what a switch saves. */
struct layout {
	uint8_t ip, flags, gpr, seg, ldt;
	uint8_t word, seg_stride, segs; /* bytes of a register; segment fields */
	uint8_t bytes, dynamic, dynamic_end;
};
static const struct layout layout32 = {0x20, 0x24, 0x28,	0x48, 0x60, 4,
				       4,    6,	   TSS32_BYTES, 0x20, 0x60};
static const struct layout layout16 = {0x0e, 0x10, 0x12,	0x22, 0x2a, 2,
				       2,    4,	   TSS16_BYTES, 0x0e, 0x2a};

struct image {
	const struct layout *at;
	uint8_t bytes[TSS32_BYTES];
};

static uint32_t image_get(const struct image *t, unsigned off)
{
	return t->at->word == 4 ? load_le32(&t->bytes[off]) : load_le16(&t->bytes[off]);
}

static void image_set(struct image *t, unsigned off, unsigned bytes, uint32_t v)
{
	memcpy(&t->bytes[off], &v, bytes);
}

/* Whole TSSs go through in small pieces, so that any page boundary is fine. */
static bool image_read(struct x86_cpu *cpu, uint64_t base, struct image *t)
{
	memset(t->bytes, 0, sizeof(t->bytes));
	for (unsigned off = 0; off < t->at->bytes; off += 4) {
		if (!x86_sys_read(cpu, x86_sys_linear(cpu, base, off), &t->bytes[off], 4))
			return false;
	}
	return true;
}

static bool image_write(struct x86_cpu *cpu, uint64_t base, const struct image *t)
{
	for (unsigned off = t->at->dynamic; off < t->at->dynamic_end; off += 2) {
		if (!x86_sys_write(cpu, x86_sys_linear(cpu, base, off), &t->bytes[off], 2))
			return false;
	}
	return true;
}

static bool save_old(struct x86_cpu *cpu, enum x86_task_reason why, uint64_t next_rip)
{
	struct image t = {.at = cpu->tr.attr & 8 ? &layout32 : &layout16};
	uint64_t flags = x86_rflags_read(cpu);

	if (why == X86_TASK_IRET)
		flags &= ~(uint64_t)X86_NT;
	image_set(&t, t.at->ip, t.at->word, next_rip);
	image_set(&t, t.at->flags, t.at->word, flags);
	for (unsigned k = 0; k < 8; k++)
		image_set(&t, t.at->gpr + k * t.at->word, t.at->word, cpu->gpr[k]);
	for (unsigned k = 0; k < t.at->segs; k++)
		image_set(&t, t.at->seg + k * t.at->seg_stride, 2, cpu->seg[k].sel);
	return image_write(cpu, cpu->tr.base, &t);
}

/* The new task's descriptor: in the GDT, of the right kind, present, big enough. */
static bool tss_check(struct x86_cpu *cpu, uint16_t sel, enum x86_task_reason why,
		      struct x86_entry *e)
{
	enum x86_vector v = why == X86_TASK_IRET ? X86_FAULT_TS : X86_FAULT_GP;
	unsigned busy = why == X86_TASK_IRET ? X86_TYPE_BUSY : 0;
	unsigned type;

	if (sel & 4)
		return x86_fault_sel(cpu, v, sel);
	if (!x86_entry_read(cpu, sel, v, e))
		return false;
	type = x86_desc_type(e->d);
	if (x86_desc_is_segment(e->d) || (type & 5) != X86_TYPE_TSS16 ||
	    (type & X86_TYPE_BUSY) != busy)
		return x86_fault_sel(cpu, v, sel);
	if (!x86_desc_present(e->d))
		return x86_fault_sel(cpu, X86_FAULT_NP, sel);
	if (x86_desc_limit(e->d) < (type & 8 ? TSS32_BYTES : TSS16_BYTES) - 1u)
		return x86_fault_sel(cpu, X86_FAULT_TS, sel);
	return true;
}

/* Memory's part of the switch: outgoing state, back link, busy bits. */
static bool switch_memory(struct x86_cpu *cpu, const struct x86_seg *tr, enum x86_task_reason why,
			  uint64_t next_rip)
{
	bool nested = why == X86_TASK_CALL || why == X86_TASK_GATE;
	uint16_t link = cpu->tr.sel;

	if (!save_old(cpu, why, next_rip))
		return false;
	if (nested && !x86_sys_write(cpu, x86_sys_linear(cpu, tr->base, 0), &link, 2))
		return false;
	if (why != X86_TASK_IRET && !x86_tss_mark(cpu, tr->sel, true))
		return false;
	return nested || x86_tss_mark(cpu, cpu->tr.sel, false);
}

static bool load_cr3(struct x86_cpu *cpu, uint32_t cr3)
{
	bool pae = cpu->cr4 & X86_CR4_PAE;

	if (!(cpu->cr0 & X86_CR0_PG))
		return true;
	if (pae && !x86_pdpte_load(cpu, cr3))
		return false;
	cpu->cr3 = cr3;
	x86_tlb_flush_nonglobal(cpu);
	return true;
}

static void load_registers(struct x86_cpu *cpu, const struct image *t, bool nested)
{
	uint64_t flags = image_get(t, t->at->flags) | (nested ? X86_NT : 0);
	unsigned cpl;

	cpu->rip = image_get(t, t->at->ip);
	for (unsigned k = 0; k < 8; k++)
		cpu->gpr[k] = image_get(t, t->at->gpr + k * t->at->word);
	x86_rflags_write(cpu, flags);
	for (unsigned k = 0; k < 6; k++) {
		unsigned at = t->at->seg + k * t->at->seg_stride;
		uint16_t sel = k < t->at->segs ? load_le16(&t->bytes[at]) : 0;

		if (flags & X86_VM)
			x86_seg_load_real(cpu, k, sel);
		else /* nothing usable until its descriptor is checked */
			cpu->seg[k] = (struct x86_seg){.sel = sel};
	}
	cpl = flags & X86_VM ? 3 : cpu->seg[X86_CS].sel & 3u;
	cpu->seg[X86_SS].attr = (cpu->seg[X86_SS].attr & ~X86_SEG_DPL) | cpl << 5;
}

static bool load_ldt(struct x86_cpu *cpu, uint16_t sel)
{
	struct x86_entry e;

	cpu->ldtr = (struct x86_seg){.sel = sel};
	if (x86_sel_null(sel))
		return true;
	if (sel & 4)
		return x86_fault_sel(cpu, X86_FAULT_TS, sel);
	if (!x86_entry_read(cpu, sel, X86_FAULT_TS, &e))
		return false;
	if (x86_desc_is_segment(e.d) || x86_desc_type(e.d) != X86_TYPE_LDT ||
	    !x86_desc_present(e.d))
		return x86_fault_sel(cpu, X86_FAULT_TS, sel);
	cpu->ldtr = x86_entry_seg(&e);
	return true;
}

static bool load_cs(struct x86_cpu *cpu)
{
	uint16_t sel = cpu->seg[X86_CS].sel;
	struct x86_entry e;
	unsigned dpl;

	if (!x86_entry_read(cpu, sel, X86_FAULT_TS, &e))
		return false;
	dpl = x86_desc_dpl(e.d);
	if (!x86_entry_is_code(cpu, &e) ||
	    (x86_desc_conforming(e.d) ? dpl > (sel & 3u) : dpl != (sel & 3u)))
		return x86_fault_sel(cpu, X86_FAULT_TS, sel);
	if (!x86_desc_present(e.d))
		return x86_fault_sel(cpu, X86_FAULT_NP, sel);
	if (!x86_entry_access(cpu, &e))
		return false;
	cpu->seg[X86_CS] = x86_entry_seg(&e);
	return true;
}

static bool load_ss(struct x86_cpu *cpu)
{
	struct x86_entry e;

	if (!x86_entry_read(cpu, cpu->seg[X86_SS].sel, X86_FAULT_TS, &e) ||
	    !x86_entry_check_stack(cpu, &e, x86_cpl(cpu), X86_FAULT_TS) ||
	    !x86_entry_access(cpu, &e))
		return false;
	cpu->seg[X86_SS] = x86_entry_seg(&e);
	return true;
}

/* Segments in the order in which a CPU checks them; x86_seg_load's #GP is #TS here. */
static bool load_segments(struct x86_cpu *cpu, uint16_t ldt)
{
	static const uint8_t data[] = {X86_ES, X86_DS, X86_FS, X86_GS};

	if (!load_ldt(cpu, ldt))
		return false;
	if (!(cpu->rflags & X86_VM)) {
		if (!load_cs(cpu) || !load_ss(cpu))
			return false;
		for (unsigned k = 0; k < ARRAY_LEN(data); k++) {
			if (x86_seg_load(cpu, data[k], cpu->seg[data[k]].sel))
				continue;
			if (cpu->fault.vector == X86_FAULT_GP)
				cpu->fault.vector = X86_FAULT_TS;
			return false;
		}
	}
	return x86_code_offset_check(cpu, &cpu->seg[X86_CS], cpu->rip);
}

static bool push_error(struct x86_cpu *cpu, unsigned bytes, uint32_t error)
{
	struct x86_stack s;

	x86_stack_current(&s, cpu);
	if (!x86_stack_push(&s, bytes, error))
		return false;
	x86_stack_commit(&s);
	return true;
}

/* From here on we are in the new task. */
static bool load_new(struct x86_cpu *cpu, const struct image *t, bool nested, bool has_error,
		     uint32_t error)
{
	bool paging_ok;

	cpu->cr0 |= X86_CR0_TS;
	cpu->dr[7] &= ~(uint64_t)DR7_LOCAL;
	cpu->interrupt_shadow = 0;
	paging_ok = t->at == &layout16 || load_cr3(cpu, load_le32(&t->bytes[0x1c]));
	load_registers(cpu, t, nested);
	x86_mode_update(cpu);
	if (!paging_ok || !load_segments(cpu, load_le16(&t->bytes[t->at->ldt])))
		return false;
	x86_mode_update(cpu);
	if (t->at == &layout32 && (t->bytes[0x64] & 1))
		cpu->pending_db |= X86_DR6_BT;
	return !has_error || push_error(cpu, t->at->word, error);
}

enum x86_task_result x86_task_enter(struct x86_cpu *cpu, uint16_t sel, enum x86_task_reason why,
				    uint64_t next_rip, bool has_error, uint32_t error)
{
	bool nested = why == X86_TASK_CALL || why == X86_TASK_GATE;
	struct x86_entry e;
	struct x86_seg tr;
	struct image t;

	if (!tss_check(cpu, sel, why, &e))
		return X86_TASK_REFUSED;
	tr = x86_entry_seg(&e);
	tr.attr |= X86_TYPE_BUSY;
	t.at = tr.attr & 8 ? &layout32 : &layout16;
	if (!image_read(cpu, tr.base, &t) || !switch_memory(cpu, &tr, why, next_rip))
		return X86_TASK_REFUSED;
	TRACE(cpu->trace, TRACE_MODE, "cpu %u: task %04x -> %04x", cpu->index, cpu->tr.sel, sel);
	cpu->counter[COUNTER_TASK_SWITCHES]++;
	cpu->tr = tr;
	if (load_new(cpu, &t, nested, has_error, error))
		return X86_TASK_DONE;
	x86_mode_update(cpu);
	return X86_TASK_FAULTED;
}

bool x86_task_switch(struct x86_cpu *cpu, uint16_t sel, enum x86_task_reason why, uint64_t next_rip,
		     bool has_error, uint32_t error)
{
	switch (x86_task_enter(cpu, sel, why, next_rip, has_error, error)) {
	case X86_TASK_DONE:
		return true;
	case X86_TASK_FAULTED:
		x86_fault_deliver(cpu, cpu->rip);
		return true;
	default:
		return false;
	}
}
