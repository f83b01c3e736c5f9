/* Interrupt and exception delivery: what each mode pushes, error codes, double and triple faults,
 * and what happens between instructions. */
#include "sysbox.h"

static void real_mode(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	store_le16(b->ram + 6 * 4, 0x123);
	store_le16(b->ram + 6 * 4 + 2, 0x900);
	x86_rflags_write(cpu, X86_IF | X86_CF | X86_TF);
	x86_fault_raise(cpu, X86_FAULT_UD);
	x86_fault_deliver(cpu, cpu->rip + 2);
	assert_int_equal(cpu->rip, 0x123);
	assert_int_equal(cpu->seg[X86_CS].base, 0x9000);
	assert_int_equal(cpu->gpr[X86_RSP], STACK0 - 6);
	assert_int_equal(load_le16(b->ram + STACK0 - 2), X86_IF | X86_CF | X86_TF | 2);
	assert_int_equal(load_le16(b->ram + STACK0 - 4), 0);
	assert_int_equal(load_le16(b->ram + STACK0 - 6), CODE);
	assert_int_equal(x86_rflags_read(cpu), X86_CF | 2);
	assert_int_equal(cpu->counter[COUNTER_FAULTS], 1);
	assert_int_equal(cpu->fault.vector, -1);
}

static void real_mode_short_table(void **state)
{
	struct box *b = *state;

	b->cpu->idtr.limit = 8 * 4 + 3; /* up to #DF: a #GP becomes a double fault */
	store_le16(b->ram + 8 * 4, 0x77);
	x86_interrupt_deliver(b->cpu, 0x40);
	assert_int_equal(b->cpu->rip, 0x77);
	b->cpu->idtr.limit = 3;
	x86_interrupt_deliver(b->cpu, 0x40);
	assert_int_equal(b->cpu->activity, X86_SHUTDOWN);
	assert_false(x86_poll(b->cpu));
}

static void same_ring(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	enter_protected(b, 0);
	set_gate(b, 13, SEL_CODE0, HANDLER, A_TRAP32);
	x86_rflags_write(cpu, X86_IF | X86_ZF);
	raise_error(b, X86_FAULT_GP, 0x18);
	assert_int_equal(cpu->rip, HANDLER);
	assert_int_equal(cpu->gpr[X86_RSP], STACK0 - 16);
	assert_int_equal(ram32(b, STACK0 - 4), X86_RF | X86_IF | X86_ZF | 2);
	assert_int_equal(ram32(b, STACK0 - 8), SEL_CODE0);
	assert_int_equal(ram32(b, STACK0 - 12), CODE);
	assert_int_equal(ram32(b, STACK0 - 16), 0x18);
	assert_true(cpu->rflags & X86_IF); /* a trap gate */
}

static void to_inner_ring(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	enter_protected(b, 3);
	set_gate(b, 0x20, SEL_CODE0, HANDLER, A_INT32);
	x86_rflags_write(cpu, X86_IF | X86_TF | X86_NT);
	x86_interrupt_deliver(cpu, 0x20);
	assert_int_equal(cpu->rip, HANDLER);
	assert_int_equal(x86_cpl(cpu), 0);
	assert_int_equal(cpu->seg[X86_SS].sel, SEL_DATA0);
	assert_int_equal(cpu->gpr[X86_RSP], STACK0 - 20);
	assert_int_equal(ram32(b, STACK0 - 4), SEL_DATA3);
	assert_int_equal(ram32(b, STACK0 - 8), STACK3);
	assert_int_equal(ram32(b, STACK0 - 12), X86_IF | X86_TF | X86_NT | 2);
	assert_int_equal(ram32(b, STACK0 - 16), SEL_CODE3);
	assert_int_equal(ram32(b, STACK0 - 20), CODE);
	assert_int_equal(cpu->rflags, 2);
	assert_int_equal(x86_mode_cpl(cpu->mode), 0);
	/* and back */
	assert_true(x86_iret(cpu, 4, 0));
	assert_int_equal(cpu->rip, CODE);
	assert_int_equal(x86_cpl(cpu), 3);
	assert_int_equal(cpu->gpr[X86_RSP], STACK3);
	assert_int_equal(cpu->rflags, X86_IF | X86_TF | X86_NT | 2);
	assert_int_equal(cpu->seg[X86_DS].sel, SEL_DATA3);
}

static void gate_16(void **state)
{
	struct box *b = *state;

	enter_protected(b, 0);
	set_gate(b, 0x30, SEL_CODE0, HANDLER, A_INT16);
	x86_interrupt_deliver(b->cpu, 0x30);
	assert_int_equal(b->cpu->rip, HANDLER);
	assert_int_equal(b->cpu->gpr[X86_RSP], STACK0 - 6);
	assert_int_equal(load_le16(b->ram + STACK0 - 4), SEL_CODE0);
	assert_int_equal(load_le16(b->ram + STACK0 - 6), CODE);
}

static void long_mode(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	enter_long(b, 3);
	set_gate(b, 14, SEL_CODE64, HANDLER, A_INT32);
	cpu->gpr[X86_RSP] = STACK3 + 5;
	store_le64(b->ram + TSS + 4, STACK0 + 9); /* gets aligned */
	x86_fault_raise_error(cpu, X86_FAULT_PF, 6);
	cpu->fault.cr2 = 0x1234567;
	x86_fault_deliver(cpu, 0);
	assert_int_equal(cpu->cr2, 0x1234567);
	assert_int_equal(cpu->rip, HANDLER);
	assert_int_equal(cpu->seg[X86_SS].sel, 0);
	assert_int_equal(x86_cpl(cpu), 0);
	assert_int_equal(cpu->gpr[X86_RSP], STACK0 - 48);
	assert_int_equal(ram64(b, STACK0 - 8), SEL_DATA3);
	assert_int_equal(ram64(b, STACK0 - 16), STACK3 + 5);
	assert_int_equal(ram64(b, STACK0 - 24), X86_RF | 2);
	assert_int_equal(ram64(b, STACK0 - 32), SEL_USER64);
	assert_int_equal(ram64(b, STACK0 - 40), CODE);
	assert_int_equal(ram64(b, STACK0 - 48), 6);
	assert_int_equal(cpu->counter[COUNTER_PAGE_FAULTS], 1);
	cpu->gpr[X86_RSP] += 8;
	assert_true(x86_iret(cpu, 8, 0));
	assert_int_equal(cpu->gpr[X86_RSP], STACK3 + 5);
	assert_int_equal(x86_cpl(cpu), 3);
	assert_int_equal(cpu->rip, CODE);
}

static void interrupt_stack_table(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	enter_long(b, 0);
	set_gate(b, 2, SEL_CODE64, HANDLER, A_INT32);
	b->ram[IDT + 2 * 16 + 4] = 3;
	store_le64(b->ram + TSS + 36 + 16, 0x5000);
	x86_interrupt_deliver(cpu, 2);
	assert_int_equal(cpu->gpr[X86_RSP], 0x5000 - 40);
	assert_int_equal(cpu->seg[X86_SS].sel, SEL_DATA0);
	assert_int_equal(ram64(b, 0x5000 - 16), STACK0);
	/* A 32-bit code segment cannot handle anything in long mode. */
	set_gate(b, 13, SEL_CODE64, HANDLER + 16, A_INT32);
	set_gate(b, 2, SEL_CODE0, HANDLER, A_INT32);
	cpu->gpr[X86_RSP] = STACK0;
	x86_interrupt_deliver(cpu, 2);
	assert_int_equal(cpu->rip, HANDLER + 16);
	assert_int_equal(ram64(b, STACK0 - 48), SEL_CODE0 | 1);
}

static void gate_checks(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	enter_protected(b, 3);
	set_gate(b, 13, SEL_CODE0, HANDLER, A_INT32);
	set_gate(b, 11, SEL_CODE0, HANDLER + 1, A_INT32);
	set_gate(b, 0x40, SEL_CODE0, HANDLER + 2, A_INT32);
	/* INT n through a gate of DPL 0 from ring 3: no EXT in the error code. */
	assert_false(x86_soft_interrupt(cpu, 0x40, true, CODE + 2));
	x86_fault_deliver(cpu, CODE + 2);
	assert_int_equal(cpu->rip, HANDLER);
	assert_int_equal(ram32(b, STACK0 - 24), 0x40 * 8 + 2);
	assert_int_equal(ram32(b, STACK0 - 20), CODE);
	/* An allowed one returns behind itself. */
	enter_ring(b, SEL_CODE3, SEL_DATA3, STACK3);
	set_gate(b, 0x40, SEL_CODE0, HANDLER + 2, A_INT32 | A_DPL3);
	assert_false(x86_soft_interrupt(cpu, 0x40, true, CODE + 2));
	x86_fault_deliver(cpu, CODE + 2);
	assert_int_equal(cpu->rip, HANDLER + 2);
	assert_int_equal(ram32(b, STACK0 - 20), CODE + 2);
	/* An external interrupt through an absent gate: #NP with IDT and EXT. */
	enter_ring(b, SEL_CODE3, SEL_DATA3, STACK3);
	set_gate(b, 0x41, SEL_CODE0, HANDLER, A_INT32 & ~0x80);
	x86_interrupt_deliver(cpu, 0x41);
	assert_int_equal(cpu->rip, HANDLER + 1);
	assert_int_equal(ram32(b, STACK0 - 24), 0x41 * 8 + 3);
}

static void bad_inner_stack(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	enter_protected(b, 3);
	set_gate(b, 0x40, SEL_CODE0, HANDLER, A_INT32);
	set_gate(b, 10, SEL_CODE3, HANDLER + 10, A_INT32 | A_DPL3);
	store_le16(b->ram + TSS + 8, SEL_DATA3); /* wrong DPL */
	x86_interrupt_deliver(cpu, 0x40);
	/* #TS is handled in ring 3, which needs no stack switch. */
	assert_int_equal(cpu->rip, HANDLER + 10);
	assert_int_equal(ram32(b, STACK3 - 16), (SEL_DATA3 & ~3) | 1);
	assert_int_equal(x86_cpl(cpu), 3);
}

static void double_and_triple(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	enter_protected(b, 0);
	set_gate(b, 8, SEL_CODE0, HANDLER, A_INT32);
	raise_error(b, X86_FAULT_NP, 0x50); /* no gate 11, no gate 13 */
	assert_int_equal(cpu->rip, HANDLER);
	assert_int_equal(ram32(b, STACK0 - 16), 0);
	assert_int_equal(ram32(b, STACK0 - 12), CODE);
	assert_int_equal(cpu->activity, X86_RUNNING);
	/* Benign first: #UD without a gate is a #GP, not a double fault. */
	enter_ring(b, SEL_CODE0, SEL_DATA0, STACK0);
	set_gate(b, 13, SEL_CODE0, HANDLER + 13, A_INT32);
	x86_fault_raise(cpu, X86_FAULT_UD);
	x86_fault_deliver(cpu, 0);
	assert_int_equal(cpu->rip, HANDLER + 13);
	assert_int_equal(ram32(b, STACK0 - 16), 6 * 8 + 3);
	/* Without gate 8 as well: shutdown, with the state of the first fault. */
	enter_ring(b, SEL_CODE0, SEL_DATA0, STACK0);
	cpu->idtr.limit = 0;
	raise_error(b, X86_FAULT_NP, 0x50);
	assert_int_equal(cpu->activity, X86_SHUTDOWN);
	assert_int_equal(cpu->rip, CODE);
	assert_int_equal(cpu->gpr[X86_RSP], STACK0);
}

static void stack_fault_changes_nothing(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	enter_protected(b, 3);
	set_gate(b, 0x40, SEL_CODE0, HANDLER, A_INT32);
	set_gate(b, 12, SEL_CODE3, HANDLER + 12, A_INT32);
	set_desc(b, SEL_DATA0, 0, 0x100, A_DATA0, 4); /* ring 0 stack too small */
	x86_interrupt_deliver(cpu, 0x40);
	assert_int_equal(cpu->rip, HANDLER + 12);
	assert_int_equal(ram32(b, STACK3 - 16), SEL_DATA0 | 1);
	assert_int_equal(ram32(b, STACK3 - 12), CODE);
	assert_int_equal(ram32(b, STACK3 - 8), SEL_CODE3);
}

/* Deeper than a translator may keep calls, and more than once. */
static void deep_calls_return(void **state)
{
	struct box *b = *state;

	enter_long(b, 0);
	b->cpu->gpr[X86_RSP] = 0x80000;
	b->cpu->gpr[X86_RAX] = 0;
	/* mov ebx,20; again: mov ecx,5000; call f; dec ebx; jnz again; hlt
	 * f: dec ecx; jz over; call f; inc eax; over: ret */
	assert_int_equal(RUN(b,
			     "\xbb\x14\0\0\0\xb9\x88\x13\0\0\xe8\x05\0\0\0\xff\xcb\x75\xf2\xf4"
			     "\xff\xc9\x74\x07\xe8\xf7\xff\xff\xff\xff\xc0\xc3",
			     10000000),
			 ENGINE_EXIT_HALT);
	assert_int_equal(b->cpu->gpr[X86_RAX], 20 * 4999);
	assert_int_equal(b->cpu->gpr[X86_RSP], 0x80000);
}

/* A return to an address that is not canonical, again and again. */
static void return_to_nowhere(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	enter_long(b, 0);
	set_gate(b, 13, SEL_CODE64, HANDLER, A_INT32);
	b->ram[HANDLER] = 0xf4;
	for (unsigned k = 0; k < 5; k++) {
		cpu->rip = CODE;
		cpu->activity = X86_RUNNING;
		cpu->gpr[X86_RSP] = STACK0;
		/* mov rax, 0x8000000000000001; push rax; ret */
		assert_int_equal(RUN(b, "\x48\xb8\x01\0\0\0\0\0\0\x80\x50\xc3", 100),
				 ENGINE_EXIT_HALT);
		assert_int_equal(cpu->rip, HANDLER + 1);
		assert_int_equal(ram64(b, (uint32_t)cpu->gpr[X86_RSP] + 8), 0x8000000000000001);
	}
}

static void enter_vm86(struct box *b, uint64_t flags)
{
	struct x86_cpu *cpu = b->cpu;
	static const uint16_t sels[6] = {0x100, CODE >> 4, 0x700, 0x200, 0x300, 0x400};

	enter_protected(b, 0);
	/* By the front door: IRETD with VM set. */
	cpu->gpr[X86_RSP] = STACK0 - 36;
	store_le32(b->ram + STACK0 - 36, 0x10);
	store_le32(b->ram + STACK0 - 32, sels[X86_CS]);
	store_le32(b->ram + STACK0 - 28, (uint32_t)(flags | X86_VM));
	store_le32(b->ram + STACK0 - 24, 0x80);
	store_le32(b->ram + STACK0 - 20, sels[X86_SS]);
	store_le32(b->ram + STACK0 - 16, sels[X86_ES]);
	store_le32(b->ram + STACK0 - 12, sels[X86_DS]);
	store_le32(b->ram + STACK0 - 8, sels[X86_FS]);
	store_le32(b->ram + STACK0 - 4, sels[X86_GS]);
	assert_true(x86_iret(cpu, 4, 0));
	assert_true(cpu->mode & X86_MODE_VM);
	assert_int_equal(x86_cpl(cpu), 3);
	for (unsigned s = 0; s < 6; s++)
		assert_int_equal(cpu->seg[s].base, sels[s] * 16);
}

static void vm86_to_handler(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	enter_vm86(b, X86_IF);
	set_gate(b, 0x20, SEL_CODE0, HANDLER, A_INT32);
	x86_interrupt_deliver(cpu, 0x20);
	assert_int_equal(cpu->rip, HANDLER);
	assert_int_equal(x86_cpl(cpu), 0);
	assert_false(cpu->rflags & X86_VM);
	assert_int_equal(cpu->gpr[X86_RSP], STACK0 - 36);
	assert_int_equal(ram32(b, STACK0 - 4), 0x400);
	assert_int_equal(ram32(b, STACK0 - 16), 0x100);
	assert_int_equal(ram32(b, STACK0 - 20), 0x700);
	assert_int_equal(ram32(b, STACK0 - 28), X86_VM | X86_IF | 2);
	assert_int_equal(ram32(b, STACK0 - 36), 0x10);
	for (unsigned s = 0; s < 6; s++) {
		if (s != X86_CS && s != X86_SS)
			assert_int_equal(cpu->seg[s].attr & X86_SEG_P, 0);
	}
	assert_true(x86_iret(cpu, 4, 0));
	assert_true(cpu->rflags & X86_VM);
	assert_int_equal(cpu->seg[X86_DS].base, 0x2000);
	assert_int_equal(cpu->seg[X86_GS].sel, 0x400);
}

static void vm86_int_n(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	enter_vm86(b, 0);
	set_gate(b, 0x21, SEL_CODE0, HANDLER, A_INT32 | A_DPL3);
	/* IOPL 0: #GP(0) to the monitor */
	expect_fault(b, x86_soft_interrupt(cpu, 0x21, true, 0x12), X86_FAULT_GP, 0);
	/* INT3 is not sensitive to IOPL */
	expect_fault(b, x86_soft_interrupt(cpu, 3, false, 0x12), X86_FAULT_BP, 0);
	/* VME with a clear redirection bit: the program's own vector */
	assert_true(x86_cr4_write(cpu, X86_CR4_VME));
	store_le16(b->ram + 0x21 * 4, 0x456);
	store_le16(b->ram + 0x21 * 4 + 2, 0x888);
	cpu->rflags |= X86_VIF;
	assert_true(x86_soft_interrupt(cpu, 0x21, true, 0x12));
	assert_int_equal(cpu->seg[X86_CS].sel, 0x888);
	assert_int_equal(cpu->rip, 0x456);
	assert_int_equal(cpu->gpr[X86_RSP], 0x80 - 6);
	assert_int_equal(load_le16(b->ram + 0x7000 + 0x80 - 2), X86_IF | X86_IOPL | 2);
	assert_int_equal(load_le16(b->ram + 0x7000 + 0x80 - 6), 0x12);
	assert_int_equal(cpu->rflags & (X86_VIF | X86_VM), X86_VM);
	/* and its IRET gives VIF back */
	assert_true(x86_iret(cpu, 2, 0));
	assert_int_equal(cpu->rip, 0x12);
	assert_true(cpu->rflags & X86_VIF);
	assert_int_equal(cpu->rflags & (X86_IF | X86_IOPL), 0);
	/* a set one: to the monitor again */
	b->ram[TSS + 0x68 + 0x21 / 8] |= 1 << (0x21 & 7);
	expect_fault(b, x86_soft_interrupt(cpu, 0x21, true, 0x12), X86_FAULT_GP, 0);
}

/* ---- between instructions, through the engine */

static void sti_shadow_and_halt(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	store_le16(b->ram + 0x40 * 4, HANDLER);
	store_le16(b->ram + 0x40 * 4 + 2, 0);
	b->ram[HANDLER] = 0xf4;
	b->vector = 0x40;
	cpu->interrupt_shadow = X86_SHADOW_STI;
	cpu->rflags |= X86_IF;
	x86_mode_update(cpu);
	x86_request(cpu, X86_REQ_INTR);
	/* hlt runs in the shadow, then the interrupt wakes it */
	assert_int_equal(RUN(b, "\xf4\x90", 2), ENGINE_EXIT_HALT);
	assert_int_equal(cpu->counter[COUNTER_HALTS], 2);
	assert_int_equal(load_le16(b->ram + STACK0 - 6), CODE + 1);
	assert_int_equal(cpu->rip, HANDLER + 1);
	assert_false(x86_can_wake(cpu));
	x86_request(cpu, X86_REQ_NMI);
	assert_true(x86_can_wake(cpu));
}

static void mov_ss_holds_off_nmi(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	store_le16(b->ram + 2 * 4, HANDLER);
	b->ram[HANDLER] = 0xf4;
	assert_int_equal(RUN(b, "\x8e\xd0\x89\xc4", 1),
			 ENGINE_EXIT_BUDGET); /* mov ss,ax; mov sp,ax */
	assert_int_equal(cpu->interrupt_shadow, X86_SHADOW_SS);
	x86_request(cpu, X86_REQ_NMI);
	assert_true(x86_poll(cpu));
	assert_int_equal(cpu->rip, CODE + 2);
	cpu->gpr[X86_RAX] = 0x5000;
	assert_int_equal(engine_choice()->run(b->engine, 2), ENGINE_EXIT_HALT);
	assert_int_equal(load_le16(b->ram + 0x5000 - 6), CODE + 4);
	assert_int_equal(cpu->nmi_blocked, 1);
	/* a second NMI waits for IRET */
	x86_request(cpu, X86_REQ_NMI);
	assert_false(x86_can_wake(cpu));
	assert_true(x86_iret(cpu, 2, 0));
	assert_true(cpu->request & X86_REQ_NMI);
	assert_int_equal(cpu->nmi_blocked, 0);
}

static void single_step(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	enter_protected(b, 3);
	set_gate(b, 1, SEL_CODE0, HANDLER, A_INT32);
	b->ram[HANDLER] = 0xf4;
	cpu->rflags |= X86_TF;
	x86_mode_update(cpu);
	assert_int_equal(RUN(b, "\x90\x90", 9), ENGINE_EXIT_HALT);
	assert_int_equal(ram32(b, STACK0 - 20), CODE + 1);
	assert_true(ram32(b, STACK0 - 12) & X86_TF);
	assert_true(cpu->dr[6] & X86_DR6_BS);
}

static void execute_breakpoint(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	enter_protected(b, 0);
	set_gate(b, 1, SEL_CODE0, HANDLER, A_INT32);
	b->ram[HANDLER] = 0xf4;
	assert_true(x86_dr_write(cpu, 2, CODE + 1));
	assert_true(x86_dr_write(cpu, 7, 2 << 4));
	assert_int_equal(RUN(b, "\x90\x90\xf4", 9), ENGINE_EXIT_HALT);
	assert_int_equal(ram32(b, STACK0 - 12), CODE + 1);
	assert_int_equal(ram32(b, STACK0 - 4) & X86_RF, 0);
	assert_int_equal(cpu->dr[6] & 15, 4);
	/* IRET with RF set goes past it */
	store_le32(b->ram + STACK0 - 4, X86_RF | 2);
	b->ram[HANDLER + 1] = 0xcf;
	cpu->activity = X86_RUNNING;
	assert_int_equal(engine_choice()->run(b->engine, 9), ENGINE_EXIT_HALT);
	assert_int_equal(cpu->rip, CODE + 3);
	assert_int_equal(cpu->rflags & X86_RF, 0);
}

static void debug_register_trap(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;
	uint64_t v;

	enter_protected(b, 0);
	set_gate(b, 1, SEL_CODE0, HANDLER, A_INT32);
	assert_true(x86_dr_write(cpu, 7, 1 << 13));
	expect_fault(b, x86_dr_read(cpu, 0, &v), X86_FAULT_DB, 0);
	assert_false(x86_dr_read(cpu, 0, &v));
	x86_fault_deliver(cpu, 0);
	assert_true(cpu->dr[6] & X86_DR6_BD);
	assert_int_equal(cpu->dr[7], 0x400);
	assert_true(x86_dr_read(cpu, 4, &v));
	assert_int_equal(v, cpu->dr[6]);
	assert_true(x86_cr4_write(cpu, X86_CR4_DE));
	expect_fault(b, x86_dr_read(cpu, 4, &v), X86_FAULT_UD, 0);
}

static void init_and_sipi(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	cpu->index = 1;
	x86_request(cpu, X86_REQ_INIT);
	assert_false(x86_poll(cpu));
	assert_int_equal(cpu->activity, X86_WAIT_SIPI);
	assert_false(x86_can_wake(cpu));
	cpu->sipi_vector = 0x9a;
	x86_request(cpu, X86_REQ_SIPI);
	assert_true(x86_can_wake(cpu));
	assert_true(x86_poll(cpu));
	assert_int_equal(cpu->seg[X86_CS].base, 0x9a000);
	assert_int_equal(cpu->rip, 0);
	/* while running it means nothing */
	cpu->rip = 5;
	x86_request(cpu, X86_REQ_SIPI);
	assert_true(x86_poll(cpu));
	assert_int_equal(cpu->rip, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SYSTEST(real_mode),
		SYSTEST(real_mode_short_table),
		SYSTEST(same_ring),
		SYSTEST(to_inner_ring),
		SYSTEST(gate_16),
		SYSTEST(long_mode),
		SYSTEST(interrupt_stack_table),
		SYSTEST(gate_checks),
		SYSTEST(bad_inner_stack),
		SYSTEST(double_and_triple),
		SYSTEST(stack_fault_changes_nothing),
		SYSTEST(deep_calls_return),
		SYSTEST(return_to_nowhere),
		SYSTEST(vm86_to_handler),
		SYSTEST(vm86_int_n),
		SYSTEST(sti_shadow_and_halt),
		SYSTEST(mov_ss_holds_off_nmi),
		SYSTEST(single_step),
		SYSTEST(execute_breakpoint),
		SYSTEST(debug_register_trap),
		SYSTEST(init_and_sipi),
	};

	if (!engine_choice())
		return TEST_SKIPPED;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
