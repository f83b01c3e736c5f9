/*
 * A CPU with a megabyte of RAM and hand-made descriptor tables, for tests of segmentation, faults
 * and tasks. Everything is mapped one to one.
 */
#ifndef TESTS_UNIT_SYSBOX_H
#define TESTS_UNIT_SYSBOX_H

#include "test.h"

#include "box.h"
#include "engine_choice.h"
#include "isa/x86/control.h"
#include "isa/x86/mode.h"
#include "isa/x86/segment.h"

enum {
	RAM_BYTES = 1 << 20,
	GDT = 0x1000,
	IDT = 0x2000,
	TSS = 0x3000,
	TSS_B = 0x3200,
	TABLES = 0x10000,
	CODE = 0x8000,
	HANDLER = 0x9000,
	STACK0 = 0x6000,
	STACK3 = 0x7000,
};

/* Selectors of the fixed GDT; user ones with RPL 3. */
enum {
	SEL_CODE0 = 0x08,
	SEL_DATA0 = 0x10,
	SEL_CODE3 = 0x1b,
	SEL_DATA3 = 0x23,
	SEL_TSS = 0x28,
	SEL_CODE64 = 0x38,
	SEL_USER64 = 0x43,
	SEL_CONFORM = 0x48,
	SEL_ABSENT = 0x50,
	SEL_TSS_B = 0x58,
	SEL_GATE = 0x60 /* two slots, for long mode */,
	SEL_CODE16 = 0x70,
	SEL_DATA16 = 0x78,
	SEL_LDT = 0x80,
	GDT_BYTES = 0x90,
};

/* Access bytes */
enum {
	A_CODE0 = 0x9a,
	A_DATA0 = 0x92,
	A_CODE3 = 0xfa,
	A_DATA3 = 0xf2,
	A_TSS32 = 0x89,
	A_TSS16 = 0x81,
	A_INT32 = 0x8e,
	A_TRAP32 = 0x8f,
	A_INT16 = 0x86,
	A_TASK = 0x85,
	A_CALL32 = 0x8c,
	A_DPL3 = 0x60,
	F_32 = 0xc,
	F_64 = 0xa,
	F_16 = 0x0,
};

static inline uint32_t ram32(const struct box *b, uint32_t at)
{
	return load_le32(b->ram + at);
}

static inline uint64_t ram64(const struct box *b, uint32_t at)
{
	return load_le64(b->ram + at);
}

static inline void set_desc(struct box *b, unsigned sel, uint32_t base, uint32_t limit,
			    unsigned access, unsigned flags)
{
	uint8_t *p = b->ram + GDT + (sel & ~7u);

	store_le32(p, (limit & 0xffff) | base << 16);
	store_le32(p + 4, (base >> 16 & 0xff) | access << 8 | (limit & 0xf0000) | flags << 20 |
				  (base & 0xff000000u));
}

/* A call gate in the GDT. */
static inline void set_call_gate(struct box *b, unsigned at, unsigned sel, uint32_t off,
				 unsigned access, unsigned params)
{
	uint8_t *p = b->ram + GDT + at;

	store_le32(p, (off & 0xffff) | (uint32_t)sel << 16);
	store_le32(p + 4, (off & 0xffff0000u) | access << 8 | params);
}

static inline void set_gate(struct box *b, unsigned vector, unsigned sel, uint32_t off,
			    unsigned access)
{
	bool wide = x86_long_mode(b->cpu);
	uint8_t *p = b->ram + IDT + vector * (wide ? 16 : 8);

	store_le32(p, (off & 0xffff) | (uint32_t)sel << 16);
	store_le32(p + 4, (off & 0xffff0000u) | access << 8);
	if (wide)
		store_le64(p + 8, 0);
}

static inline void set_tss(struct box *b)
{
	memset(b->ram + TSS, 0, 0x200);
	if (x86_long_mode(b->cpu)) {
		store_le64(b->ram + TSS + 4, STACK0);
	} else {
		store_le32(b->ram + TSS + 4, STACK0);
		store_le16(b->ram + TSS + 8, SEL_DATA0);
	}
	store_le16(b->ram + TSS + 102, 0x68 + 32); /* I/O bitmap after the redirection bitmap */
}

static inline void set_fixed_gdt(struct box *b)
{
	set_desc(b, SEL_CODE0, 0, 0xfffff, A_CODE0, F_32);
	set_desc(b, SEL_DATA0, 0, 0xfffff, A_DATA0, F_32);
	set_desc(b, SEL_CODE3, 0, 0xfffff, A_CODE3, F_32);
	set_desc(b, SEL_DATA3, 0, 0xfffff, A_DATA3, F_32);
	set_desc(b, SEL_TSS, TSS, 0x1ff, A_TSS32, 0);
	set_desc(b, SEL_CODE64, 0, 0xfffff, A_CODE0, F_64);
	set_desc(b, SEL_USER64, 0, 0xfffff, A_CODE3, F_64);
	set_desc(b, SEL_CONFORM, 0, 0xfffff, A_CODE0 | 4, F_32);
	set_desc(b, SEL_ABSENT, 0, 0xfffff, A_DATA3 & ~0x80, F_32);
	set_desc(b, SEL_CODE16, 0, 0xffff, A_CODE0, F_16);
	set_desc(b, SEL_DATA16, 0, 0xffff, A_DATA0, F_16);
}

/* Real mode at CODE, stack at STACK0, IVT at 0. */
static inline int sysbox_setup(void **state)
{
	struct box *b = box_create(RAM_BYTES, "max", engine_choice(), NULL);

	assert_non_null(b);
	x86_seg_load_real(b->cpu, X86_CS, 0);
	b->cpu->rip = CODE;
	b->cpu->gpr[X86_RSP] = STACK0;
	x86_mode_update(b->cpu);
	set_fixed_gdt(b);
	b->cpu->gdtr = (struct x86_table){GDT, GDT_BYTES - 1};
	*state = b;
	return 0;
}

static inline int sysbox_teardown(void **state)
{
	box_destroy(*state);
	return 0;
}

/* CS and SS (and DS..GS) straight into their registers, for privilege cpl. */
static inline void enter_ring(struct box *b, unsigned cs, unsigned data, uint64_t sp)
{
	struct x86_cpu *cpu = b->cpu;
	unsigned cpl = cs & 3;

	for (unsigned s = 0; s < 6; s++) {
		unsigned sel = s == X86_CS ? cs : data;
		uint32_t hi = ram32(b, GDT + (sel & ~7u) + 4);

		cpu->seg[s] = (struct x86_seg){
			.sel = (uint16_t)sel,
			.attr = (uint16_t)((hi >> 8 & 0xf0ff) | 1),
			.limit = hi >> 23 & 1 ? 0xffffffffu : 0xffff,
		};
	}
	assert_int_equal(x86_cpl(cpu), cpl);
	cpu->rip = CODE;
	cpu->gpr[X86_RSP] = sp;
	x86_mode_update(cpu);
}

/* 32-bit protected mode, ring 0 or 3, with TSS and IDT. */
static inline void enter_protected(struct box *b, unsigned cpl)
{
	struct x86_cpu *cpu = b->cpu;

	assert_true(x86_cr0_write(cpu, X86_CR0_PE));
	cpu->idtr = (struct x86_table){IDT, 0x7ff};
	set_tss(b);
	enter_ring(b, SEL_CODE0, SEL_DATA0, STACK0);
	assert_true(x86_ltr(cpu, SEL_TSS));
	if (cpl == 3)
		enter_ring(b, SEL_CODE3, SEL_DATA3, STACK3);
}

/* 64-bit mode with real page tables (one to one, user), ring 0 or 3. */
static inline void enter_long(struct box *b, unsigned cpl)
{
	struct x86_cpu *cpu = b->cpu;

	store_le64(b->ram + TABLES, (TABLES + 0x1000) | 7);
	store_le64(b->ram + TABLES + 0x1000, (TABLES + 0x2000) | 7);
	store_le64(b->ram + TABLES + 0x2000, 0x87);
	cpu->efer |= X86_EFER_LME;
	assert_true(x86_cr4_write(cpu, X86_CR4_PAE));
	assert_true(x86_cr3_write(cpu, TABLES));
	assert_true(x86_cr0_write(cpu, X86_CR0_PE | X86_CR0_PG | X86_CR0_WP));
	assert_true(x86_long_mode(cpu));
	cpu->idtr = (struct x86_table){IDT, 0xfff};
	set_tss(b);
	memset(b->ram + GDT + SEL_TSS + 8, 0, 8);
	enter_ring(b, SEL_CODE64, SEL_DATA0, STACK0);
	assert_true(x86_ltr(cpu, SEL_TSS));
	if (cpl == 3)
		enter_ring(b, SEL_USER64, SEL_DATA3, STACK3);
}

static inline void expect_fault(struct box *b, bool ok, int vector, uint32_t error)
{
	assert_false(ok);
	assert_int_equal(b->cpu->exit_code, X86_EXIT_FAULT);
	assert_int_equal(b->cpu->fault.vector, vector);
	assert_int_equal(b->cpu->fault.error, error);
	b->cpu->exit_code = 0;
	b->cpu->fault.vector = -1;
}

static inline void raise_error(struct box *b, enum x86_vector v, uint32_t error)
{
	x86_fault_raise_error(b->cpu, v, error);
	x86_fault_deliver(b->cpu, b->cpu->rip);
}

/* Put code at CODE and run that many instructions. */
static inline enum engine_exit sysbox_run(struct box *b, const char *code, size_t len,
					  uint64_t insns)
{
	box_put(b, CODE, code, len);
	return box_run(b, insns);
}

#define RUN(b, code, insns) sysbox_run(b, code, sizeof(code) - 1, insns)
#define SYSTEST(fn)	    cmocka_unit_test_setup_teardown(fn, sysbox_setup, sysbox_teardown)

#endif
