/* Segment loads, far transfers, call gates, returns, descriptor queries, port rights, fast system
 * calls, control registers; and the instructions for them as the engine runs them. */
#include "sysbox.h"

static void unreal_mode(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;
	uint64_t lin;

	assert_true(x86_cr0_write(cpu, X86_CR0_PE));
	assert_true(x86_seg_load(cpu, X86_DS, SEL_DATA0));
	assert_true(x86_cr0_write(cpu, 0));
	assert_true(x86_seg_load(cpu, X86_DS, 0x10));
	assert_int_equal(cpu->seg[X86_DS].base, 0x100);
	assert_true(x86_seg_linear(cpu, X86_DS, 0x200000, 4, X86_WRITE, &lin));
	assert_int_equal(lin, 0x200100);
	expect_fault(b, x86_seg_linear(cpu, X86_ES, 0xffff, 2, X86_READ, &lin), X86_FAULT_GP, 0);
	expect_fault(b, x86_seg_linear(cpu, X86_SS, 0x10000, 1, X86_READ, &lin), X86_FAULT_SS, 0);
}

static void linear_checks(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;
	uint64_t lin;

	enter_protected(b, 0);
	/* code is not writable; a null segment not usable; expand-down is what lies above */
	expect_fault(b, x86_seg_linear(cpu, X86_CS, 0, 1, X86_WRITE, &lin), X86_FAULT_GP, 0);
	assert_true(x86_seg_linear(cpu, X86_CS, 0, 1, X86_READ, &lin));
	assert_true(x86_seg_load(cpu, X86_ES, 3));
	expect_fault(b, x86_seg_linear(cpu, X86_ES, 0, 1, X86_READ, &lin), X86_FAULT_GP, 0);
	set_desc(b, SEL_DATA16, 0x500, 0xfff, A_DATA0 | 4, 0);
	assert_true(x86_seg_load(cpu, X86_ES, SEL_DATA16));
	expect_fault(b, x86_seg_linear(cpu, X86_ES, 0xfff, 1, X86_READ, &lin), X86_FAULT_GP, 0);
	assert_true(x86_seg_linear(cpu, X86_ES, 0x1000, 2, X86_READ, &lin));
	assert_int_equal(lin, 0x1500);
	expect_fault(b, x86_seg_linear(cpu, X86_ES, 0xffff, 2, X86_READ, &lin), X86_FAULT_GP, 0);
	/* the accessed bit was set */
	assert_true(b->ram[GDT + SEL_DATA16 + 5] & 1);
}

static void load_checks(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	enter_protected(b, 3);
	expect_fault(b, x86_seg_load(cpu, X86_DS, SEL_DATA0), X86_FAULT_GP, SEL_DATA0);
	expect_fault(b, x86_seg_load(cpu, X86_SS, 0), X86_FAULT_GP, 0);
	expect_fault(b, x86_seg_load(cpu, X86_SS, SEL_CODE3), X86_FAULT_GP, SEL_CODE3 & ~3);
	expect_fault(b, x86_seg_load(cpu, X86_SS, SEL_ABSENT | 3), X86_FAULT_SS, SEL_ABSENT);
	expect_fault(b, x86_seg_load(cpu, X86_ES, SEL_ABSENT | 3), X86_FAULT_NP, SEL_ABSENT);
	expect_fault(b, x86_seg_load(cpu, X86_ES, GDT_BYTES), X86_FAULT_GP, GDT_BYTES);
	expect_fault(b, x86_seg_load(cpu, X86_ES, 0x0c), X86_FAULT_GP, 0x0c); /* no LDT */
	assert_true(x86_seg_load(cpu, X86_ES, SEL_CONFORM));
	assert_int_equal(cpu->seg[X86_ES].sel, SEL_CONFORM);
	assert_int_equal(cpu->seg[X86_DS].sel, SEL_DATA3);
}

static void ldt(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	enter_protected(b, 0);
	set_desc(b, SEL_LDT, GDT, 0x2f, 0x82, 0);
	expect_fault(b, x86_lldt(cpu, SEL_DATA0), X86_FAULT_GP, SEL_DATA0);
	assert_true(x86_lldt(cpu, SEL_LDT));
	assert_true(x86_seg_load(cpu, X86_ES, SEL_DATA0 | 4));
	assert_int_equal(cpu->seg[X86_ES].limit, 0xffffffff);
	expect_fault(b, x86_seg_load(cpu, X86_ES, 0x34), X86_FAULT_GP, 0x34);
	expect_fault(b, x86_ltr(cpu, SEL_TSS), X86_FAULT_GP, SEL_TSS); /* busy */
}

static void far_to_ring0_and_back(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	enter_protected(b, 3);
	set_call_gate(b, SEL_GATE, SEL_CODE0, HANDLER, A_CALL32 | A_DPL3, 2);
	store_le32(b->ram + STACK3, 0xaaaa);
	store_le32(b->ram + STACK3 + 4, 0xbbbb);
	expect_fault(b, x86_far_jump(cpu, SEL_GATE | 3, 0, 4, 0), X86_FAULT_GP, SEL_CODE0);
	assert_true(x86_far_call(cpu, SEL_GATE | 3, 0xdead, 4, CODE + 7));
	assert_int_equal(cpu->rip, HANDLER);
	assert_int_equal(cpu->seg[X86_CS].sel, SEL_CODE0);
	assert_int_equal(x86_cpl(cpu), 0);
	assert_int_equal(cpu->gpr[X86_RSP], STACK0 - 24);
	assert_int_equal(ram32(b, STACK0 - 4), SEL_DATA3);
	assert_int_equal(ram32(b, STACK0 - 8), STACK3);
	assert_int_equal(ram32(b, STACK0 - 12), 0xbbbb);
	assert_int_equal(ram32(b, STACK0 - 16), 0xaaaa);
	assert_int_equal(ram32(b, STACK0 - 20), SEL_CODE3);
	assert_int_equal(ram32(b, STACK0 - 24), CODE + 7);
	assert_true(x86_seg_load(cpu, X86_ES, SEL_DATA0));
	assert_true(x86_far_ret(cpu, 4, 8));
	assert_int_equal(cpu->rip, CODE + 7);
	assert_int_equal(x86_cpl(cpu), 3);
	assert_int_equal(cpu->gpr[X86_RSP], STACK3 + 8);
	assert_int_equal(cpu->seg[X86_ES].attr & X86_SEG_P, 0); /* ring 0 data is gone */
	assert_int_equal(cpu->seg[X86_DS].sel, SEL_DATA3);
}

static void gate_privilege(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	enter_protected(b, 3);
	set_call_gate(b, SEL_GATE, SEL_CODE0, HANDLER, A_CALL32, 0);
	expect_fault(b, x86_far_call(cpu, SEL_GATE | 3, 0, 4, 0), X86_FAULT_GP, SEL_GATE);
	set_call_gate(b, SEL_GATE, SEL_CODE0, HANDLER, (A_CALL32 | A_DPL3) & ~0x80, 0);
	expect_fault(b, x86_far_call(cpu, SEL_GATE | 3, 0, 4, 0), X86_FAULT_NP, SEL_GATE);
	set_call_gate(b, SEL_GATE, SEL_DATA0, HANDLER, A_CALL32 | A_DPL3, 0);
	expect_fault(b, x86_far_call(cpu, SEL_GATE | 3, 0, 4, 0), X86_FAULT_GP, SEL_DATA0);
	expect_fault(b, x86_far_call(cpu, 0, 0, 4, 0), X86_FAULT_GP, 0);
	assert_int_equal(cpu->gpr[X86_RSP], STACK3);
}

static void conforming_code(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	enter_protected(b, 3);
	expect_fault(b, x86_far_jump(cpu, SEL_CODE0, 0, 4, 0), X86_FAULT_GP, SEL_CODE0);
	assert_true(x86_far_jump(cpu, SEL_CONFORM, HANDLER, 4, 0));
	assert_int_equal(cpu->seg[X86_CS].sel, SEL_CONFORM | 3);
	assert_int_equal(x86_cpl(cpu), 3);
	assert_int_equal(cpu->rip, HANDLER);
}

static void returns_refuse(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	enter_protected(b, 3);
	store_le32(b->ram + STACK3, CODE);
	store_le32(b->ram + STACK3 + 4, SEL_CODE0); /* to an inner ring */
	expect_fault(b, x86_far_ret(cpu, 4, 0), X86_FAULT_GP, SEL_CODE0);
	store_le32(b->ram + STACK3 + 4, 3);
	expect_fault(b, x86_far_ret(cpu, 4, 0), X86_FAULT_GP, 0);
	/* the inner stack's SS for an outer return must match its ring */
	enter_ring(b, SEL_CODE0, SEL_DATA0, STACK0 - 16);
	store_le32(b->ram + STACK0 - 16, CODE);
	store_le32(b->ram + STACK0 - 12, SEL_CODE3);
	store_le32(b->ram + STACK0 - 8, STACK3);
	store_le32(b->ram + STACK0 - 4, SEL_DATA0);
	expect_fault(b, x86_far_ret(cpu, 4, 0), X86_FAULT_GP, SEL_DATA0);
	assert_int_equal(cpu->gpr[X86_RSP], STACK0 - 16);
	assert_int_equal(x86_cpl(cpu), 0);
}

static void iret_masks_flags(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	enter_protected(b, 3);
	x86_rflags_write(cpu, X86_IF);
	cpu->gpr[X86_RSP] = STACK3 - 12;
	store_le32(b->ram + STACK3 - 12, CODE + 1);
	store_le32(b->ram + STACK3 - 8, SEL_CODE3);
	store_le32(b->ram + STACK3 - 4, X86_IOPL | X86_VM | X86_VIF | X86_CF | X86_AC);
	assert_true(x86_iret(cpu, 4, 0));
	assert_int_equal(x86_rflags_read(cpu), X86_IF | X86_CF | X86_AC | 2);
	assert_int_equal(cpu->gpr[X86_RSP], STACK3);
}

static void iret_to_16_bit_stack(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	enter_protected(b, 0);
	set_desc(b, SEL_DATA16, 0, 0xffff, A_DATA3, F_16);
	cpu->gpr[X86_RSP] = 0x55000; /* its upper half shows through, as on real processors */
	store_le32(b->ram + 0x55000, CODE);
	store_le32(b->ram + 0x55004, SEL_CODE3);
	store_le32(b->ram + 0x55008, 2);
	store_le32(b->ram + 0x5500c, 0x12345678);
	store_le32(b->ram + 0x55010, SEL_DATA16 | 3);
	assert_true(x86_iret(cpu, 4, 0));
	assert_int_equal(cpu->gpr[X86_RSP], 0x55678);
}

static void queries(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;
	uint32_t v = 0;
	bool ok;

	enter_protected(b, 3);
	assert_true(x86_lar(cpu, SEL_CODE3, &v, &ok));
	assert_int_equal(v & 0xf0ff00, 0xc0fb00 & ~0x100);
	assert_true(x86_lsl(cpu, SEL_DATA3, &v, &ok));
	assert_int_equal(v, 0xffffffff);
	assert_false(x86_lar(cpu, SEL_DATA0, &v, &ok)); /* DPL 0 */
	assert_true(ok);
	assert_false(x86_lar(cpu, 0, &v, &ok));
	assert_true(x86_verify(cpu, SEL_DATA3, true, &ok));
	assert_false(x86_verify(cpu, SEL_CODE3, true, &ok));
	assert_true(x86_verify(cpu, SEL_CODE3, false, &ok));
	assert_false(x86_verify(cpu, SEL_TSS, false, &ok));
	enter_ring(b, SEL_CODE0, SEL_DATA0, STACK0);
	assert_true(x86_lsl(cpu, SEL_TSS, &v, &ok));
	assert_int_equal(v, 0x1ff);
	set_call_gate(b, SEL_GATE, SEL_CODE0, HANDLER, A_CALL32, 0);
	assert_true(x86_lar(cpu, SEL_GATE, &v, &ok));
	assert_false(x86_lsl(cpu, SEL_GATE, &v, &ok));
}

static void port_rights(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;
	uint8_t *map = b->ram + TSS + 0x68 + 32;

	enter_protected(b, 3);
	assert_true(x86_io_allowed(cpu, 0x80, 1));
	map[0x80 / 8 + 1] = 1; /* port 0x88 */
	assert_true(x86_io_allowed(cpu, 0x87, 1));
	expect_fault(b, x86_io_allowed(cpu, 0x87, 2), X86_FAULT_GP, 0);
	expect_fault(b, x86_io_allowed(cpu, 0xffff, 1), X86_FAULT_GP, 0); /* past the limit */
	cpu->rflags |= X86_IOPL;
	assert_true(x86_io_allowed(cpu, 0x88, 4));
	cpu->tr.attr = 0;
	cpu->rflags &= ~(uint64_t)X86_IOPL;
	expect_fault(b, x86_io_allowed(cpu, 0x80, 1), X86_FAULT_GP, 0);
}

static void fast_calls(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	enter_long(b, 3);
	expect_fault(b, x86_syscall(cpu, CODE + 2), X86_FAULT_UD, 0);
	cpu->efer |= X86_EFER_SCE;
	cpu->star = (uint64_t)SEL_CODE64 << 32 | (uint64_t)(SEL_USER64 - 16) << 48;
	cpu->lstar = HANDLER;
	cpu->sfmask = X86_IF | X86_TF;
	x86_rflags_write(cpu, X86_IF | X86_TF | X86_ZF);
	assert_true(x86_syscall(cpu, CODE + 2));
	assert_int_equal(cpu->rip, HANDLER);
	assert_int_equal(cpu->gpr[X86_RCX], CODE + 2);
	assert_int_equal(cpu->gpr[X86_R11], X86_IF | X86_TF | X86_ZF | 2);
	assert_int_equal(x86_rflags_read(cpu), X86_ZF | 2);
	assert_int_equal(x86_cpl(cpu), 0);
	assert_true(cpu->mode & X86_MODE_CODE64);
	/* masked TF: no single-step trap after SYSCALL */
	x86_step_done(cpu, X86_MODE_TF);
	assert_int_equal(cpu->pending_db, 0);
	cpu->gpr[X86_RCX] = 1ull << 47;
	expect_fault(b, x86_sysret(cpu, 8), X86_FAULT_GP, 0);
	cpu->gpr[X86_RCX] = CODE;
	assert_true(x86_sysret(cpu, 8));
	assert_int_equal(x86_cpl(cpu), 3);
	assert_int_equal(cpu->seg[X86_CS].sel, SEL_USER64);
	assert_int_equal(cpu->rip, CODE);
	expect_fault(b, x86_sysret(cpu, 8), X86_FAULT_GP, 0);

	expect_fault(b, x86_sysenter(cpu), X86_FAULT_GP, 0);
	cpu->sysenter_cs = SEL_CODE64;
	cpu->sysenter_eip = HANDLER;
	cpu->sysenter_esp = STACK0;
	assert_true(x86_sysenter(cpu));
	assert_int_equal(cpu->rip, HANDLER);
	assert_int_equal(cpu->gpr[X86_RSP], STACK0);
	cpu->gpr[X86_RDX] = CODE;
	cpu->gpr[X86_RCX] = STACK3;
	assert_true(x86_sysexit(cpu, 4));
	assert_int_equal(cpu->seg[X86_CS].sel, (SEL_CODE64 + 16) | 3);
	assert_false(cpu->mode & X86_MODE_CODE64);
	assert_true(cpu->mode & X86_MODE_CODE32);
}

static void control_registers(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	expect_fault(b, x86_cr0_write(cpu, X86_CR0_PG), X86_FAULT_GP, 0);
	expect_fault(b, x86_cr0_write(cpu, X86_CR0_NW), X86_FAULT_GP, 0);
	expect_fault(b, x86_cr4_write(cpu, 1u << 31), X86_FAULT_GP, 0);
	expect_fault(b, x86_cr4_write(cpu, X86_CR4_PCIDE), X86_FAULT_GP, 0);
	cpu->efer |= X86_EFER_LME; /* long mode needs PAE */
	expect_fault(b, x86_cr0_write(cpu, X86_CR0_PE | X86_CR0_PG), X86_FAULT_GP, 0);
	enter_long(b, 0);
	expect_fault(b, x86_cr4_write(cpu, 0), X86_FAULT_GP, 0);
	expect_fault(b, x86_cr0_write(cpu, X86_CR0_PE), X86_FAULT_GP, 0); /* from 64-bit code */
	expect_fault(b, x86_cr0_write(cpu, cpu->cr0 | 1ull << 32), X86_FAULT_GP, 0);
	expect_fault(b, x86_cr3_write(cpu, 1ull << 63 | TABLES), X86_FAULT_GP, 0);
	assert_true(x86_cr4_write(cpu, X86_CR4_PAE | X86_CR4_PCIDE));
	assert_true(x86_cr3_write(cpu, 1ull << 63 | TABLES | 5));
	assert_int_equal(cpu->cr3, TABLES | 5);
	/* down again from compatibility mode */
	enter_ring(b, SEL_CODE0, SEL_DATA0, STACK0);
	expect_fault(b, x86_cr0_write(cpu, X86_CR0_PE), X86_FAULT_GP, 0); /* PCIDE */
	assert_true(x86_cr4_write(cpu, X86_CR4_PAE));
	assert_true(x86_cr0_write(cpu, X86_CR0_PE));
	assert_false(x86_long_mode(cpu));
}

/* ---- instructions */

static void boot_sequence(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	/* The way every loader goes: lgdt [0x500]; mov eax,cr0; or al,1; mov cr0,eax;
	 * jmp 8:0x8012; mov eax,0x10; mov ds,eax; mov ss,eax; push ds; pop es; lss esp,[0x508];
	 * sidt [0x520]; smsw ax; int3 */
	static const char code[] = "\x0f\x01\x16\x00\x05\x0f\x20\xc0\x0c\x01\x0f\x22\xc0\xea"
				   "\x12\x80\x08\x00"
				   "\xb8\x10\0\0\0\x8e\xd8\x8e\xd0\x1e\x07\x0f\xb2\x25\x08\x05\0\0"
				   "\x0f\x01\x0d\x20\x05\0\0\x0f\x01\xe0\xcc";

	store_le16(b->ram + 0x500, GDT_BYTES - 1);
	store_le32(b->ram + 0x502, GDT);
	store_le32(b->ram + 0x508, STACK3);
	store_le16(b->ram + 0x50c, SEL_DATA0);
	cpu->gdtr.limit = 0;
	cpu->idtr = (struct x86_table){IDT, 0x7ff};
	set_gate(b, 3, SEL_CODE0, HANDLER, A_INT32);
	b->ram[HANDLER] = 0xf4;
	assert_int_equal(sysbox_run(b, code, sizeof(code) - 1, 100), ENGINE_EXIT_HALT);
	assert_int_equal(cpu->rip, HANDLER + 1);
	assert_int_equal(cpu->seg[X86_ES].sel, SEL_DATA0);
	assert_int_equal(cpu->gpr[X86_RSP], STACK3 - 12);
	assert_int_equal(ram32(b, STACK3 - 12), CODE + sizeof(code) - 1);
	assert_int_equal(load_le16(b->ram + 0x520), 0x7ff);
	assert_int_equal(ram32(b, 0x522), IDT);
	assert_int_equal(cpu->gpr[X86_RAX], cpu->cr0);
	assert_int_equal(cpu->interrupt_shadow, 0);
	assert_int_equal(cpu->counter[COUNTER_SOFT_INTERRUPTS], 1);
	assert_int_equal(cpu->counter[COUNTER_CR_ACCESSES], 2);
}

static void long_instructions(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	enter_long(b, 0);
	assert_true(x86_cr4_write(cpu, X86_CR4_PAE | X86_CR4_FSGSBASE));
	cpu->kernel_gs_base = 0x1234567890;
	cpu->gpr[X86_RAX] = 0x7fff00001111;
	cpu->gpr[X86_RDI] = 0x600;
	/* swapgs; rdgsbase rbx; wrfsbase rax; rdfsbase ecx; str r8; lar r9d,r8w; stac; clac;
	 * sgdt [rdi]; mov rdx,cr3; vmcall */
	RUN(b,
	    "\x0f\x01\xf8\xf3\x48\x0f\xae\xcb\xf3\x48\x0f\xae\xd0\xf3\x0f\xae\xc1\x49\x0f\x00\xc8"
	    "\x45\x0f\x02\xc8\x0f\x01\xcb\x0f\x01\xca\x0f\x01\x07\x0f\x20\xda\x0f\x01\xc1",
	    11);
	assert_int_equal(cpu->gpr[X86_RBX], 0x1234567890);
	assert_int_equal(cpu->seg[X86_FS].base, 0x7fff00001111);
	assert_int_equal(cpu->gpr[X86_RCX], 0x00001111);
	assert_int_equal(cpu->gpr[X86_R8], SEL_TSS);
	assert_int_equal(cpu->gpr[X86_R9], 0x8b00);
	assert_true(x86_rflags_read(cpu) & X86_ZF);
	assert_false(cpu->rflags & X86_AC);
	assert_int_equal(load_le16(b->ram + 0x600), GDT_BYTES - 1);
	assert_int_equal(ram64(b, 0x602), GDT);
	assert_int_equal(cpu->gpr[X86_RDX], TABLES);
	assert_int_equal(cpu->gpr[X86_RAX], (uint64_t)-1000);
	assert_int_equal(cpu->counter[COUNTER_FAULTS], 0);
}

static void umip_and_privilege(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	enter_long(b, 3);
	set_gate(b, 13, SEL_CODE64, HANDLER, A_INT32);
	b->ram[HANDLER] = 0xf4;
	RUN(b, "\x0f\x01\xe0", 1); /* smsw eax: allowed without UMIP */
	assert_int_equal((uint32_t)cpu->gpr[X86_RAX], cpu->cr0);
	cpu->cr4 |= X86_CR4_UMIP;
	cpu->rip = CODE;
	assert_int_equal(RUN(b, "\x0f\x01\xe0", 2), ENGINE_EXIT_HALT);
	assert_int_equal(ram64(b, STACK0 - 40), CODE);
	enter_ring(b, SEL_USER64, SEL_DATA3, STACK3);
	cpu->activity = X86_RUNNING;
	assert_int_equal(RUN(b, "\x90\xf4", 3), ENGINE_EXIT_HALT); /* hlt in ring 3 */
	assert_int_equal(ram64(b, STACK0 - 40), CODE + 1);
}

static void ports(void **state)
{
	struct box *b = *state;
	struct x86_cpu *cpu = b->cpu;

	/* in al,0x81; mov dx,0x80; out dx,ax; mov di,0x700; mov cx,3; rep insb; in eax,dx */
	RUN(b, "\xe4\x81\xba\x80\x00\xef\xbf\x00\x07\xb9\x03\x00\xf3\x6c\x66\xed", 7);
	assert_int_equal(cpu->counter[COUNTER_PIO_WRITES], 1);
	assert_int_equal(cpu->counter[COUNTER_PIO_READS], 5);
	assert_int_equal(cpu->gpr[X86_RDI], 0x703);
	assert_int_equal(cpu->gpr[X86_RCX], 0);
	assert_memory_equal(b->ram + 0x700, "\xa0\xa0\xa0\0", 4);
	assert_int_equal(cpu->gpr[X86_RAX], 0xa3a2a1a0);
	/* outs with a segment override and DF: lodsb-like from cs:si downwards */
	cpu->rip = CODE;
	cpu->gpr[X86_RSI] = 0x702;
	cpu->gpr[X86_RCX] = 2;
	b->ram[0x701] = 0x5c;
	RUN(b, "\xfd\xf3\x2e\x6e", 2);
	assert_int_equal(b->port_value, 0x5c);
	assert_int_equal(cpu->gpr[X86_RSI], 0x700);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SYSTEST(unreal_mode),
		SYSTEST(linear_checks),
		SYSTEST(load_checks),
		SYSTEST(ldt),
		SYSTEST(far_to_ring0_and_back),
		SYSTEST(gate_privilege),
		SYSTEST(conforming_code),
		SYSTEST(returns_refuse),
		SYSTEST(iret_masks_flags),
		SYSTEST(iret_to_16_bit_stack),
		SYSTEST(queries),
		SYSTEST(port_rights),
		SYSTEST(fast_calls),
		SYSTEST(control_registers),
		SYSTEST(boot_sequence),
		SYSTEST(long_instructions),
		SYSTEST(umip_and_privilege),
		SYSTEST(ports),
	};

	if (!engine_choice())
		return TEST_SKIPPED;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
