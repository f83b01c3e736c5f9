/*
 * Segment registers: linear addresses, loads, and the instructions that look at descriptors. SDM
 * vol. 3, chapters 3 and 5; 3.4.4 for 64-bit mode. A null load clears the base of FS and GS too, as
 * Intel's parts do.
 */
#include "isa/x86/segment.h"

#include "isa/x86/descriptor.h"
#include "isa/x86/mode.h"

static bool linear_fault(struct x86_cpu *cpu, enum x86_seg_index s)
{
	return x86_fault_raise_error(cpu, s == X86_SS ? X86_FAULT_SS : X86_FAULT_GP, 0);
}

static bool type_allows(const struct x86_seg *seg, enum x86_access a)
{
	if (!(seg->attr & X86_SEG_P))
		return false;
	if (a == X86_WRITE)
		return (seg->attr & (X86_SEG_CODE | X86_SEG_WRITE)) == X86_SEG_WRITE;
	if (a == X86_READ)
		return (seg->attr & (X86_SEG_CODE | X86_SEG_WRITE)) != X86_SEG_CODE;
	return true;
}

static bool limit_allows(const struct x86_seg *seg, bool prot, uint64_t off, unsigned bytes)
{
	uint64_t last = off + (bytes ? bytes - 1 : 0);

	if (prot && (seg->attr & (X86_SEG_CODE | X86_SEG_DOWN)) == X86_SEG_DOWN)
		return off > seg->limit && last <= (seg->attr & X86_SEG_DB ? 0xffffffffu : 0xffffu);
	/* A 4 GiB segment wraps round instead. */
	return last <= seg->limit || seg->limit == 0xffffffffu;
}

bool x86_seg_linear(struct x86_cpu *cpu, enum x86_seg_index s, uint64_t off, unsigned bytes,
		    enum x86_access a, uint64_t *lin)
{
	const struct x86_seg *seg = &cpu->seg[s];
	bool prot = x86_protected(cpu);

	if (x86_code64(cpu)) {
		*lin = off + (s == X86_FS || s == X86_GS ? seg->base : 0);
		if (x86_canonical(*lin) && x86_canonical(*lin + (bytes ? bytes - 1 : 0)))
			return true;
		return linear_fault(cpu, s);
	}
	if ((prot && !type_allows(seg, a)) || !limit_allows(seg, prot, off, bytes))
		return linear_fault(cpu, s);
	*lin = (uint32_t)(seg->base + off);
	return true;
}

void x86_seg_load_real(struct x86_cpu *cpu, enum x86_seg_index s, uint16_t sel)
{
	struct x86_seg *seg = &cpu->seg[s];

	seg->sel = sel;
	seg->base = (uint32_t)sel << 4;
	if (cpu->rflags & X86_VM) {
		seg->limit = 0xffff;
		seg->attr = X86_SEG_P | X86_SEG_DPL | X86_SEG_S | X86_SEG_WRITE | X86_SEG_ACCESSED;
		return;
	}
	/* Limit and size stay as they were ("unreal mode"); a null left from protected mode
	 * revives. */
	if (!(seg->attr & X86_SEG_P)) {
		seg->limit = 0xffff;
		seg->attr = X86_SEG_WRITE;
	}
	seg->attr |= X86_SEG_P | X86_SEG_S | X86_SEG_ACCESSED;
	seg->attr &= ~X86_SEG_DPL;
}

static bool load_null(struct x86_cpu *cpu, enum x86_seg_index s, uint16_t sel)
{
	unsigned cpl = x86_cpl(cpu);

	if (s == X86_SS && (!x86_code64(cpu) || cpl == 3 || (sel & 3u) != cpl))
		return x86_fault_raise_error(cpu, X86_FAULT_GP, 0);
	/* Only SS's DPL means something in a null register: it is the CPL. */
	cpu->seg[s] = (struct x86_seg){.sel = sel, .attr = s == X86_SS ? cpl << 5 : 0};
	return true;
}

/* DS, ES, FS, GS: data or readable code that both CPL and RPL may use. */
static bool check_data(struct x86_cpu *cpu, const struct x86_entry *e)
{
	unsigned dpl = x86_desc_dpl(e->d), type = x86_desc_type(e->d);

	if (!x86_desc_is_segment(e->d) || (type & (X86_SEG_CODE | X86_SEG_WRITE)) == X86_SEG_CODE)
		return x86_fault_sel(cpu, X86_FAULT_GP, e->sel);
	if (!x86_desc_conforming(e->d) && ((e->sel & 3u) > dpl || x86_cpl(cpu) > dpl))
		return x86_fault_sel(cpu, X86_FAULT_GP, e->sel);
	return x86_desc_present(e->d) ? true : x86_fault_sel(cpu, X86_FAULT_NP, e->sel);
}

static bool load_protected(struct x86_cpu *cpu, enum x86_seg_index s, uint16_t sel)
{
	struct x86_entry e;
	bool ok;

	if (x86_sel_null(sel))
		return load_null(cpu, s, sel);
	if (!x86_entry_read(cpu, sel, X86_FAULT_GP, &e))
		return false;
	ok = s == X86_SS ? x86_entry_check_stack(cpu, &e, x86_cpl(cpu), X86_FAULT_GP)
			 : check_data(cpu, &e);
	if (!ok || !x86_entry_access(cpu, &e))
		return false;
	cpu->seg[s] = x86_entry_seg(&e);
	return true;
}

bool x86_seg_load(struct x86_cpu *cpu, enum x86_seg_index s, uint16_t sel)
{
	if (!x86_protected(cpu))
		x86_seg_load_real(cpu, s, sel);
	else if (!load_protected(cpu, s, sel))
		return false;
	x86_mode_update(cpu);
	return true;
}

/* Read the system descriptor for LLDT or LTR: GDT only, the wanted type, present. */
static bool system_entry(struct x86_cpu *cpu, uint16_t sel, bool tss, struct x86_entry *e)
{
	unsigned type;

	if (sel & 4)
		return x86_fault_sel(cpu, X86_FAULT_GP, sel);
	if (!x86_entry_read(cpu, sel, X86_FAULT_GP, e))
		return false;
	type = x86_desc_type(e->d);
	if (x86_desc_is_segment(e->d) ||
	    !(tss ? type == X86_TYPE_TSS32 || (type == X86_TYPE_TSS16 && !x86_long_mode(cpu))
		  : type == X86_TYPE_LDT))
		return x86_fault_sel(cpu, X86_FAULT_GP, sel);
	if (!x86_desc_present(e->d))
		return x86_fault_sel(cpu, X86_FAULT_NP, sel);
	if (!x86_long_mode(cpu))
		return true;
	if (!x86_entry_read_high(cpu, X86_FAULT_GP, e))
		return false;
	if (!x86_canonical(x86_entry_seg(e).base))
		return x86_fault_sel(cpu, X86_FAULT_GP, sel);
	return true;
}

bool x86_lldt(struct x86_cpu *cpu, uint16_t sel)
{
	struct x86_entry e;

	if (x86_sel_null(sel)) {
		cpu->ldtr = (struct x86_seg){.sel = sel};
		return true;
	}
	if (!system_entry(cpu, sel, false, &e))
		return false;
	cpu->ldtr = x86_entry_seg(&e);
	return true;
}

bool x86_ltr(struct x86_cpu *cpu, uint16_t sel)
{
	struct x86_entry e;

	if (!system_entry(cpu, sel, true, &e) || !x86_tss_mark(cpu, sel, true))
		return false;
	cpu->tr = x86_entry_seg(&e);
	cpu->tr.attr |= X86_TYPE_BUSY;
	return true;
}

/* May CPL and the selector's RPL see this descriptor? */
static bool entry_visible(const struct x86_cpu *cpu, const struct x86_entry *e)
{
	unsigned dpl = x86_desc_dpl(e->d);

	return x86_desc_conforming(e->d) || (x86_cpl(cpu) <= dpl && (e->sel & 3u) <= dpl);
}

/* Find the entry for LAR and LSL if its type is in types (bit per system type). */
static bool entry_query(struct x86_cpu *cpu, uint16_t sel, unsigned types, struct x86_entry *e,
			bool *ok)
{
	enum x86_lookup r = x86_entry_find(cpu, sel, e);

	*ok = r != X86_LOOKUP_FAULT;
	if (r != X86_LOOKUP_OK || !entry_visible(cpu, e))
		return false;
	return x86_desc_is_segment(e->d) || (types >> x86_desc_type(e->d) & 1);
}

#define TYPES_TSS_LDT                                                                              \
	(BIT(X86_TYPE_LDT) | BIT(X86_TYPE_TSS32) | BIT(X86_TYPE_TSS32_BUSY)) /* also in long mode  \
									      */
#define TYPES_TSS16 (BIT(X86_TYPE_TSS16) | BIT(X86_TYPE_TSS16_BUSY))
#define TYPES_GATES (BIT(X86_TYPE_CALL16) | BIT(X86_TYPE_TASK_GATE))

bool x86_lar(struct x86_cpu *cpu, uint16_t sel, uint32_t *rights, bool *ok)
{
	unsigned types = TYPES_TSS_LDT | BIT(X86_TYPE_CALL32);
	struct x86_entry e;

	if (!x86_long_mode(cpu))
		types |= TYPES_TSS16 | TYPES_GATES;
	if (!entry_query(cpu, sel, types, &e, ok))
		return false;
	*rights = e.d.hi & 0x00f0ff00;
	return true;
}

bool x86_lsl(struct x86_cpu *cpu, uint16_t sel, uint32_t *limit, bool *ok)
{
	unsigned types = TYPES_TSS_LDT | (x86_long_mode(cpu) ? 0 : TYPES_TSS16);
	struct x86_entry e;

	if (!entry_query(cpu, sel, types, &e, ok))
		return false;
	*limit = x86_desc_limit(e.d);
	return true;
}

bool x86_verify(struct x86_cpu *cpu, uint16_t sel, bool write, bool *ok)
{
	struct x86_entry e;

	if (!entry_query(cpu, sel, 0, &e, ok))
		return false;
	if (write)
		return x86_desc_is_data_write(e.d);
	return (x86_desc_type(e.d) & (X86_SEG_CODE | X86_SEG_WRITE)) != X86_SEG_CODE;
}
