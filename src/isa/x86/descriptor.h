/*
 * Descriptor table entries: finding, checking and marking them. Shared by segment loads, far
 * transfers, interrupts and task switches. SDM vol. 3, 3.4.5, 3.5, 6.11, 7.2.
 */
#ifndef ISA_X86_DESCRIPTOR_H
#define ISA_X86_DESCRIPTOR_H

#include "isa/x86/segment.h"

/* System descriptor types; in long mode only LDT, TSS32 and the 32-bit gates exist, 16 bytes long.
 */
enum {
	X86_TYPE_TSS16 = 1,
	X86_TYPE_LDT = 2,
	X86_TYPE_TSS16_BUSY = 3,
	X86_TYPE_CALL16 = 4,
	X86_TYPE_TASK_GATE = 5,
	X86_TYPE_INT16 = 6,
	X86_TYPE_TRAP16 = 7,
	X86_TYPE_TSS32 = 9,
	X86_TYPE_TSS32_BUSY = 11,
	X86_TYPE_CALL32 = 12,
	X86_TYPE_INT32 = 14,
	X86_TYPE_TRAP32 = 15,
};
enum { X86_TYPE_BUSY = 2 }; /* the bit by which a TSS type becomes busy */

/* A selector's entry, and where it lies. high is the upper half of a 16-byte one. */
struct x86_entry {
	struct x86_desc d;
	struct x86_desc high;
	uint64_t lin;
	uint16_t sel;
};

enum x86_lookup {
	X86_LOOKUP_OK,
	X86_LOOKUP_OUTSIDE /* null or past the limit */,
	X86_LOOKUP_FAULT /* recorded */
};

/* Raise v with the selector's index and table as error code; always false. */
bool x86_fault_sel(struct x86_cpu *cpu, enum x86_vector v, uint16_t sel);

/* Linear address in a system structure: 32 bits outside long mode. */
uint64_t x86_sys_linear(const struct x86_cpu *cpu, uint64_t base, uint64_t off);

/* Read the entry; null selectors are OUTSIDE. */
enum x86_lookup x86_entry_find(struct x86_cpu *cpu, uint16_t sel, struct x86_entry *out);
/* As find; v with the selector where it is outside, v(0) where it is null. */
bool x86_entry_read(struct x86_cpu *cpu, uint16_t sel, enum x86_vector v, struct x86_entry *out);
/* Long mode: the upper half of a system entry; v(sel) if it is cut off or malformed. */
bool x86_entry_read_high(struct x86_cpu *cpu, enum x86_vector v, struct x86_entry *e);
/* Set the accessed bit of a code or data segment in memory and in *e, if it is clear. */
bool x86_entry_access(struct x86_cpu *cpu, struct x86_entry *e);
/* Set or clear the busy bit of the TSS entry at selector sel. */
bool x86_tss_mark(struct x86_cpu *cpu, uint16_t sel, bool busy);

/* The hidden part that e loads into a register. Upper base of long-mode system entries included. */
struct x86_seg x86_entry_seg(const struct x86_entry *e);

/* Check for a stack segment at cpl: RPL, DPL, writable data -> v(sel); not present -> #SS(sel). */
bool x86_entry_check_stack(struct x86_cpu *cpu, const struct x86_entry *e, unsigned cpl,
			   enum x86_vector v);
/* Is e a code segment that this mode can run (not both L and D in long mode)? */
bool x86_entry_is_code(const struct x86_cpu *cpu, const struct x86_entry *e);
/* Is off a valid RIP in cs? Else #GP(0). */
bool x86_code_offset_check(struct x86_cpu *cpu, const struct x86_seg *cs, uint64_t off);

static inline unsigned x86_desc_type(struct x86_desc d)
{
	return d.hi >> 8 & 15;
}

static inline unsigned x86_desc_dpl(struct x86_desc d)
{
	return d.hi >> 13 & 3;
}

static inline bool x86_desc_present(struct x86_desc d)
{
	return d.hi >> 15 & 1;
}

static inline bool x86_desc_is_segment(struct x86_desc d) /* code or data, not system */
{
	return d.hi >> 12 & 1;
}

static inline bool x86_desc_is_data_write(struct x86_desc d)
{
	return x86_desc_is_segment(d) &&
	       (x86_desc_type(d) & (X86_SEG_CODE | X86_SEG_WRITE)) == X86_SEG_WRITE;
}

static inline bool x86_desc_conforming(struct x86_desc d)
{
	return (x86_desc_type(d) & (X86_SEG_CODE | X86_SEG_DOWN)) == (X86_SEG_CODE | X86_SEG_DOWN);
}

static inline bool x86_desc_long(struct x86_desc d)
{
	return d.hi >> 21 & 1;
}

static inline bool x86_sel_null(uint16_t sel)
{
	return !(sel & ~3);
}

/* Gates */
static inline uint16_t x86_gate_sel(struct x86_desc d)
{
	return d.lo >> 16;
}

static inline uint64_t x86_gate_offset(struct x86_desc d, bool wide)
{
	return wide ? (d.hi & 0xffff0000u) | (d.lo & 0xffff) : d.lo & 0xffff;
}

#endif
