/*
 * Descriptor table entries: lookup in the GDT and LDT, marking, and the checks that several kinds
 * of loads share. SDM vol. 3, chapters 3 and 5. Marking writes the one byte that holds the bit;
 * on a real bus it is a locked read-modify-write, which no other writer of the same entry needs.
 */
#include "isa/x86/descriptor.h"

#include <string.h>

uint64_t x86_desc_base(struct x86_desc d)
{
	return (d.lo >> 16) | (d.hi & 0xff) << 16 | (d.hi & 0xff000000u);
}

uint32_t x86_desc_limit(struct x86_desc d)
{
	uint32_t limit = (d.lo & 0xffff) | (d.hi & 0xf0000);

	return d.hi >> 23 & 1 ? limit << 12 | 0xfff : limit;
}

uint16_t x86_desc_attr(struct x86_desc d)
{
	return d.hi >> 8 & 0xf0ff;
}

bool x86_fault_sel(struct x86_cpu *cpu, enum x86_vector v, uint16_t sel)
{
	return x86_fault_raise_error(cpu, v, sel & 0xfffcu);
}

uint64_t x86_sys_linear(const struct x86_cpu *cpu, uint64_t base, uint64_t off)
{
	return x86_long_mode(cpu) ? base + off : (uint32_t)(base + off);
}

/* Base of the entry's table, if an entry of bytes at sel is inside. */
static bool table_holds(const struct x86_cpu *cpu, uint16_t sel, unsigned bytes, uint64_t *base)
{
	uint32_t last = (sel & 0xfff8u) + bytes - 1;

	if (sel & 4) {
		*base = cpu->ldtr.base;
		return (cpu->ldtr.attr & X86_SEG_P) && last <= cpu->ldtr.limit;
	}
	*base = cpu->gdtr.base;
	return last <= cpu->gdtr.limit;
}

enum x86_lookup x86_entry_find(struct x86_cpu *cpu, uint16_t sel, struct x86_entry *out)
{
	uint64_t base;

	memset(out, 0, sizeof(*out));
	out->sel = sel;
	if (x86_sel_null(sel) || !table_holds(cpu, sel, 8, &base))
		return X86_LOOKUP_OUTSIDE;
	out->lin = x86_sys_linear(cpu, base, sel & 0xfff8u);
	return x86_sys_read(cpu, out->lin, &out->d, 8) ? X86_LOOKUP_OK : X86_LOOKUP_FAULT;
}

bool x86_entry_read(struct x86_cpu *cpu, uint16_t sel, enum x86_vector v, struct x86_entry *out)
{
	switch (x86_entry_find(cpu, sel, out)) {
	case X86_LOOKUP_OK:
		return true;
	case X86_LOOKUP_OUTSIDE:
		return x86_fault_sel(cpu, v, sel);
	default:
		return false;
	}
}

bool x86_entry_read_high(struct x86_cpu *cpu, enum x86_vector v, struct x86_entry *e)
{
	uint64_t base;

	if (!table_holds(cpu, e->sel, 16, &base))
		return x86_fault_sel(cpu, v, e->sel);
	if (!x86_sys_read(cpu, x86_sys_linear(cpu, e->lin, 8), &e->high, 8))
		return false;
	return (e->high.hi & 0x1f00) ? x86_fault_sel(cpu, v, e->sel) : true;
}

bool x86_entry_access(struct x86_cpu *cpu, struct x86_entry *e)
{
	uint8_t byte;

	if (e->d.hi & X86_SEG_ACCESSED << 8)
		return true;
	e->d.hi |= X86_SEG_ACCESSED << 8;
	byte = e->d.hi >> 8;
	return x86_sys_write(cpu, x86_sys_linear(cpu, e->lin, 5), &byte, 1);
}

bool x86_tss_mark(struct x86_cpu *cpu, uint16_t sel, bool busy)
{
	uint64_t lin = x86_sys_linear(cpu, cpu->gdtr.base, (sel & 0xfff8u) + 5u);
	uint8_t byte;

	if (!x86_sys_read(cpu, lin, &byte, 1))
		return false;
	byte = busy ? byte | X86_TYPE_BUSY : byte & ~X86_TYPE_BUSY;
	return x86_sys_write(cpu, lin, &byte, 1);
}

struct x86_seg x86_entry_seg(const struct x86_entry *e)
{
	return (struct x86_seg){
		.sel = e->sel,
		.attr = x86_desc_attr(e->d),
		.limit = x86_desc_limit(e->d),
		.base = x86_desc_base(e->d) | (uint64_t)e->high.lo << 32,
	};
}

bool x86_entry_check_stack(struct x86_cpu *cpu, const struct x86_entry *e, unsigned cpl,
			   enum x86_vector v)
{
	if ((e->sel & 3u) != cpl || !x86_desc_is_data_write(e->d) || x86_desc_dpl(e->d) != cpl)
		return x86_fault_sel(cpu, v, e->sel);
	return x86_desc_present(e->d) ? true : x86_fault_sel(cpu, X86_FAULT_SS, e->sel);
}

bool x86_entry_is_code(const struct x86_cpu *cpu, const struct x86_entry *e)
{
	if (!x86_desc_is_segment(e->d) || !(x86_desc_type(e->d) & X86_SEG_CODE))
		return false;
	return !(x86_long_mode(cpu) && x86_desc_long(e->d) && (e->d.hi >> 22 & 1));
}

bool x86_code_offset_check(struct x86_cpu *cpu, const struct x86_seg *cs, uint64_t off)
{
	bool ok = x86_long_mode(cpu) && (cs->attr & X86_SEG_L) ? x86_canonical(off)
							       : off <= cs->limit;

	return ok ? true : x86_fault_raise_error(cpu, X86_FAULT_GP, 0);
}
