/* Hardware task switches: round trips by call and IRET, jumps, task gates, refusals, and faults
 * that belong to the new task. */
#include "sysbox.h"

enum { TASK_CODE = 0xa000, TASK_STACK = 0x5000, TSS_C = 0x3400, SEL_TSS_C = 0x80 };

static void put_tss32(struct box *b, uint32_t at, uint32_t eip, unsigned cs, unsigned data,
		      uint32_t esp)
{
	uint8_t *t = b->ram + at;

	memset(t, 0, 104);
	store_le32(t + 0x20, eip);
	store_le32(t + 0x24, 2);
	store_le32(t + 0x28, 0x11111111); /* EAX */
	store_le32(t + 0x38, esp);
	for (unsigned s = 0; s < 6; s++)
		store_le16(t + 0x48 + 4 * s, (uint16_t)(s == X86_CS ? cs : data));
}

static void setup_b(struct box *b)
{
	enter_protected(b, 0);
	set_desc(b, SEL_TSS_B, TSS_B, 103, A_TSS32, 0);
	put_tss32(b, TSS_B, TASK_CODE, SEL_CODE0, SEL_DATA0, TASK_STACK);
}

static unsigned tss_type(const struct box *b, unsigned sel)
{
	return b->ram[GDT + sel + 5] & 15;
}

static void call_and_return(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	setup_b(b);
	cpu->gpr[X86_RAX] = 0x12345678;
	cpu->gpr[X86_RDI] = 0x9abcdef0;
	x86_rflags_write(cpu, X86_CF | X86_IF);
	assert_true(x86_far_call(cpu, SEL_TSS_B, 0, 4, CODE + 7));
	assert_int_equal(cpu->tr.sel, SEL_TSS_B);
	assert_int_equal(cpu->tr.base, TSS_B);
	assert_int_equal(cpu->rip, TASK_CODE);
	assert_int_equal(cpu->gpr[X86_RAX], 0x11111111);
	assert_int_equal(cpu->gpr[X86_RSP], TASK_STACK);
	assert_int_equal(cpu->rflags, X86_NT | 2);
	assert_true(cpu->cr0 & X86_CR0_TS);
	assert_int_equal(load_le16(b->ram + TSS_B), SEL_TSS);
	assert_int_equal(tss_type(b, SEL_TSS), 11);
	assert_int_equal(tss_type(b, SEL_TSS_B), 11);
	assert_int_equal(ram32(b, TSS + 0x20), CODE + 7);
	assert_int_equal(ram32(b, TSS + 0x24), X86_CF | X86_IF | 2);
	assert_int_equal(ram32(b, TSS + 0x28), 0x12345678);
	assert_int_equal(ram32(b, TSS + 0x44), 0x9abcdef0);
	assert_int_equal(load_le16(b->ram + TSS + 0x4c), SEL_CODE0);
	assert_int_equal(cpu->counter[COUNTER_TASK_SWITCHES], 1);

	/* Calling a busy task is #GP; IRET goes back. */
	expect_fault(b, x86_far_call(cpu, SEL_TSS, 0, 4, 0), X86_FAULT_GP, SEL_TSS);
	cpu->gpr[X86_RAX] = 0x22222222;
	assert_true(x86_iret(cpu, 4, TASK_CODE + 3));
	assert_int_equal(cpu->tr.sel, SEL_TSS);
	assert_int_equal(cpu->rip, CODE + 7);
	assert_int_equal(cpu->gpr[X86_RAX], 0x12345678);
	assert_int_equal(cpu->gpr[X86_RDI], 0x9abcdef0);
	assert_int_equal(cpu->gpr[X86_RSP], STACK0);
	assert_int_equal(x86_rflags_read(cpu), X86_CF | X86_IF | 2);
	assert_int_equal(tss_type(b, SEL_TSS_B), 9);
	assert_int_equal(tss_type(b, SEL_TSS), 11);
	assert_int_equal(ram32(b, TSS_B + 0x20), TASK_CODE + 3);
	assert_int_equal(ram32(b, TSS_B + 0x28), 0x22222222);
	assert_int_equal(ram32(b, TSS_B + 0x24) & X86_NT, 0);
}

static void jump_to_ring3(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	setup_b(b);
	put_tss32(b, TSS_B, TASK_CODE, SEL_CODE3, SEL_DATA3, TASK_STACK);
	b->ram[TSS_B + 0x64] = 1; /* T */
	assert_true(x86_far_jump(cpu, SEL_TSS_B, 0, 4, CODE + 7));
	assert_int_equal(x86_cpl(cpu), 3);
	assert_int_equal(x86_mode_cpl(cpu->mode), 3);
	assert_int_equal(cpu->rflags & X86_NT, 0);
	assert_int_equal(tss_type(b, SEL_TSS), 9);
	assert_int_equal(tss_type(b, SEL_TSS_B), 11);
	assert_int_equal(cpu->pending_db, X86_DR6_BT);
}

static void task_16(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;
	uint8_t *t = b->ram + TSS_B;

	enter_protected(b, 0);
	set_desc(b, SEL_TSS_B, TSS_B, 43, A_TSS16, 0);
	store_le16(t + 0x0e, TASK_CODE);
	store_le16(t + 0x10, X86_ZF);
	store_le16(t + 0x1a, TASK_STACK);
	store_le16(t + 0x22, SEL_DATA16);
	store_le16(t + 0x24, SEL_CODE16);
	store_le16(t + 0x26, SEL_DATA16);
	store_le16(t + 0x28, SEL_DATA16);
	assert_true(x86_far_call(cpu, SEL_TSS_B, 0, 4, CODE + 7));
	assert_int_equal(cpu->rip, TASK_CODE);
	assert_int_equal(x86_rflags_read(cpu), X86_NT | X86_ZF | 2);
	assert_int_equal(cpu->seg[X86_FS].attr & X86_SEG_P, 0);
	assert_false(cpu->mode & X86_MODE_CODE32);
	assert_true(x86_iret(cpu, 2, TASK_CODE + 1));
	assert_int_equal(cpu->rip, CODE + 7);
	assert_int_equal(load_le16(t + 0x0e), TASK_CODE + 1);
	assert_int_equal(cpu->seg[X86_FS].sel, SEL_DATA0);
}

static void gate_with_error(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	setup_b(b);
	enter_ring(b, SEL_CODE3, SEL_DATA3, STACK3);
	set_gate(b, 13, SEL_TSS_B, 0, A_TASK);
	raise_error(b, X86_FAULT_GP, 0x44);
	assert_int_equal(cpu->tr.sel, SEL_TSS_B);
	assert_int_equal(cpu->rip, TASK_CODE);
	assert_int_equal(cpu->gpr[X86_RSP], TASK_STACK - 4);
	assert_int_equal(ram32(b, TASK_STACK - 4), 0x44);
	assert_int_equal(ram32(b, TSS + 0x20), CODE);
	assert_true(ram32(b, TSS + 0x24) & X86_RF);
	assert_true(cpu->rflags & X86_NT);
}

static void refusals(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	setup_b(b);
	set_desc(b, SEL_TSS_B, TSS_B, 102, A_TSS32, 0);
	expect_fault(b, x86_far_jump(cpu, SEL_TSS_B, 0, 4, 0), X86_FAULT_TS, SEL_TSS_B);
	set_desc(b, SEL_TSS_B, TSS_B, 103, A_TSS32 & ~0x80, 0);
	expect_fault(b, x86_far_jump(cpu, SEL_TSS_B, 0, 4, 0), X86_FAULT_NP, SEL_TSS_B);
	set_desc(b, SEL_TSS_B, TSS_B, 103, A_TSS32, 0);
	enter_ring(b, SEL_CODE3, SEL_DATA3, STACK3);
	expect_fault(b, x86_far_jump(cpu, SEL_TSS_B, 0, 4, 0), X86_FAULT_GP, SEL_TSS_B);
	/* IRET with NT to a task that is not busy */
	enter_ring(b, SEL_CODE0, SEL_DATA0, STACK0);
	store_le16(b->ram + TSS, SEL_TSS_B);
	cpu->rflags |= X86_NT;
	expect_fault(b, x86_iret(cpu, 4, 0), X86_FAULT_TS, SEL_TSS_B);
	assert_int_equal(cpu->tr.sel, SEL_TSS);
	assert_int_equal(tss_type(b, SEL_TSS), 11);
	assert_int_equal(cpu->counter[COUNTER_TASK_SWITCHES], 0);
}

static void fault_in_new_task(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	setup_b(b);
	set_gate(b, 11, SEL_CODE0, HANDLER, A_INT32);
	store_le16(b->ram + TSS_B + 0x54, SEL_ABSENT); /* DS */
	assert_true(x86_far_jump(cpu, SEL_TSS_B, 0, 4, CODE + 7));
	assert_int_equal(cpu->tr.sel, SEL_TSS_B);
	assert_int_equal(cpu->rip, HANDLER);
	assert_int_equal(ram32(b, TASK_STACK - 16), SEL_ABSENT);
	assert_int_equal(ram32(b, TASK_STACK - 12), TASK_CODE);
	assert_int_equal(cpu->exit_code, 0);
}

static void chain_of_bad_tasks(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	/* #TS and #DF through task gates whose tasks cannot run: ends in shutdown, not in a loop.
	 */
	setup_b(b);
	set_desc(b, SEL_TSS_C, TSS_C, 103, A_TSS32, 0);
	put_tss32(b, TSS_B, TASK_CODE, SEL_DATA0, SEL_DATA0, TASK_STACK);
	put_tss32(b, TSS_C, TASK_CODE, SEL_DATA0, SEL_DATA0, TASK_STACK);
	set_gate(b, 10, SEL_TSS_B, 0, A_TASK);
	set_gate(b, 8, SEL_TSS_C, 0, A_TASK);
	x86_fault_raise_error(cpu, X86_FAULT_TS, 0);
	x86_fault_deliver(cpu, 0);
	assert_int_equal(cpu->activity, X86_SHUTDOWN);
	assert_int_equal(cpu->tr.sel, SEL_TSS_C);
}

static void paging_follows_cr3(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	setup_b(b);
	/* two page directories of 4 MiB pages; the second maps the same memory */
	store_le32(b->ram + TABLES, 0x87);
	store_le32(b->ram + TABLES + 0x1000, 0x87);
	assert_true(x86_cr4_write(cpu, X86_CR4_PSE));
	assert_true(x86_cr3_write(cpu, TABLES));
	assert_true(x86_cr0_write(cpu, X86_CR0_PE | X86_CR0_PG));
	store_le32(b->ram + TSS_B + 0x1c, TABLES + 0x1000);
	assert_true(x86_far_jump(cpu, SEL_TSS_B, 0, 4, CODE + 7));
	assert_int_equal(cpu->cr3, TABLES + 0x1000);
	assert_int_equal(cpu->rip, TASK_CODE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SYSTEST(call_and_return),
		SYSTEST(jump_to_ring3),
		SYSTEST(task_16),
		SYSTEST(gate_with_error),
		SYSTEST(refusals),
		SYSTEST(fault_in_new_task),
		SYSTEST(chain_of_bad_tasks),
		SYSTEST(paging_follows_cr3),
	};

	if (!engine_choice())
		return TEST_SKIPPED;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
