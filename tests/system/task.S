/* Hardware task switching: JMP, CALL, IRET and task gates with 32- and 16-bit TSSs, busy and NT
 * bits, links, the trap bit, faults before and in the new task. SDM vol. 3, chapter 8. */
#include "lib.inc"

	.set	SEL_A, SEL_FREE		/* 32-bit TSSs */
	.set	SEL_B, SEL_FREE+8
	.set	SEL_C16, SEL_FREE+16	/* 16-bit TSS */
	.set	SEL_GATE, SEL_FREE+24	/* task gate to A */
	.set	SEL_ABSENT, SEL_FREE+32
	.set	SEL_SHORT, SEL_FREE+40
	.set	TSS_A, 0x20000
	.set	TSS_B, 0x20100
	.set	TSS_C, 0x20200

	/* fill TSS at base: entry point, esp */
	.macro	TSS32 base, entry, esp
	mov	edi, \base
	mov	ecx, 26
	xor	eax, eax
	cld
	rep	stosd
	mov	dword ptr [\base + 0x20], offset \entry
	mov	dword ptr [\base + 0x24], 2
	mov	dword ptr [\base + 0x28], 0xaaaa0000
	mov	dword ptr [\base + 0x2c], 0xcccc0000
	mov	dword ptr [\base + 0x38], \esp
	mov	dword ptr [\base + 0x44], 0xd1d10000
	mov	dword ptr [\base + 0x48], SEL_DATA
	mov	dword ptr [\base + 0x4c], SEL_CODE32
	mov	dword ptr [\base + 0x50], SEL_DATA
	mov	dword ptr [\base + 0x54], SEL_DATA
	mov	dword ptr [\base + 0x58], SEL_UDATA
	mov	dword ptr [\base + 0x5c], 0
	mov	word ptr [\base + 0x66], 104
	.endm
	.macro	CHK_BUSY name, sel, want
	movzx	eax, byte ptr [gdt + \sel + 5]
	CHK	"\name", eax, \want
	.endm
	.macro	NT_IS name, want
	pushfd
	pop	eax
	and	eax, 0x4000
	CHK	"\name", eax, \want
	.endm

	BITS16
main:	ENTER_PM32
	SET_DESC SEL_A, TSS_A, 103, 0x0089
	SET_DESC SEL_B, TSS_B, 103, 0x0089
	SET_DESC SEL_C16, TSS_C, 43, 0x0081
	SET_DESC SEL_ABSENT, TSS_A, 103, 0x0009
	SET_DESC SEL_SHORT, TSS_A, 102, 0x0089
	mov	dword ptr [gdt + SEL_GATE], SEL_A << 16
	mov	dword ptr [gdt + SEL_GATE + 4], 0x8500

	/* JMP there and back */
	TSS32	TSS_A, jump_task, 0x4000
	mov	eax, 0x11112222
	mov	ebx, 0x33334444
	mov	dword ptr [stage], 0
	stc
	ljmp	SEL_A, 0
back1:	jc	1f
	inc	dword ptr [chk_fails]
1:	CHK	"registers come back: eax", eax, 0x11112222
	CHK	"ebx", ebx, 0x33334444
	CHK	"the task ran", "[stage]", 0xaaaa0000
	CHK	"ecx of the task", "[stage + 4]", 0xcccc0000
	CHK	"fs of the task", "[stage + 8]", SEL_UDATA
	CHK	"task register in it", "[stage + 12]", SEL_A
	CHK	"eip saved", "[tss + 0x20]", "offset back1"
	CHK	"eax saved", "[tss + 0x28]", 0x11112222
	CHK	"esp saved", "[tss + 0x38]", STACK_TOP
	movzx	eax, word ptr [tss + 0x4c]
	CHK	"cs saved", eax, SEL_CODE32
	CHK_BUSY "A is not busy", SEL_A, 0x89
	CHK_BUSY "the first task is", SEL_TSS, 0x8b
	NT_IS	"NT after JMP", 0
	mov	eax, cr0
	and	eax, 8
	CHK	"a switch sets CR0.TS", eax, 8
	clts

	/* CALL and IRET */
	TSS32	TSS_A, call_task, 0x4000
	mov	ecx, 0x77
	lcall	SEL_A, 0
	CHK	"call returns", ecx, 0x77
	CHK	"link in the new TSS", "[TSS_A]", SEL_TSS
	CHK	"NT in the new task", "[stage]", 0x4000
	CHK	"old task stays busy", "[stage + 4]", 0x8b
	CHK	"new task is busy", "[stage + 8]", 0x8b
	CHK_BUSY "after IRET A is not", SEL_A, 0x89
	NT_IS	"NT after the return", 0
	mov	eax, [TSS_A + 0x24]
	and	eax, 0x4000
	CHK	"NT is saved cleared by IRET", eax, 0
	/* a second call goes on after the IRET */
	lcall	SEL_A, 0
	CHK	"second call", "[stage + 12]", 2
	/* through a task gate */
	TSS32	TSS_A, call_task, 0x4000
	lcall	SEL_GATE, 0
	CHK	"call of a task gate", "[TSS_A]", SEL_TSS
	/* nested */
	TSS32	TSS_A, nest_task, 0x4000
	TSS32	TSS_B, call_task, 0x3c00
	lcall	SEL_A, 0
	CHK	"nested: link of B", "[TSS_B]", SEL_A
	CHK	"nested: A ran on", "[stage + 16]", 0xb

	/* refused before the switch */
	or	byte ptr [gdt + SEL_A + 5], 2
	TRY	"call of a busy task", 13, SEL_A, "lcall SEL_A, 0"
	TRY	"jump to a busy task", 13, SEL_A, "ljmp SEL_A, 0"
	and	byte ptr [gdt + SEL_A + 5], ~2
	TRY	"absent TSS", 11, SEL_ABSENT, "ljmp SEL_ABSENT, 0"
	TRY	"TSS too small", 10, SEL_SHORT, "ljmp SEL_SHORT, 0"
	TRYM	"TSS of DPL 0 from CPL 3", 13, SEL_A, "TO_USER; ljmp SEL_A, 0"

	/* faults in the new task: its segments */
	TSS32	TSS_A, call_task, 0x4000
	mov	dword ptr [TSS_A + 0x54], 0x400
	TRYM	"bad ds in the new task", 10, 0x400, "lcall SEL_A, 0"
	call	restore
	/* with cs, ss or the LDT bad there is no stack to push to: #TS by a task gate */
	mov	dword ptr [IDT + 10 * 8], SEL_B << 16
	mov	dword ptr [IDT + 10 * 8 + 4], 0x8500
	TSS32	TSS_A, call_task, 0x4000
	mov	dword ptr [TSS_A + 0x4c], SEL_DATA
	TSS32	TSS_B, ts_task, 0x3c00
	lcall	SEL_A, 0
	CHK	"data in cs", "[stage]", SEL_DATA
	CHK	"the new task had begun", "[stage + 4]", SEL_A
	TSS32	TSS_A, call_task, 0x4000
	mov	dword ptr [TSS_A + 0x60], 0x400
	TSS32	TSS_B, ts_task, 0x3c00
	lcall	SEL_A, 0
	CHK	"bad LDT", "[stage]", 0x400
	TSS32	TSS_A, call_task, 0x4000
	mov	dword ptr [TSS_A + 0x50], SEL_UDATA
	TSS32	TSS_B, ts_task, 0x3c00
	lcall	SEL_A, 0
	CHK	"user data in ss", "[stage]", SEL_UDATA&~3
	RESET_GATE 10
	clts

	/* trap bit: #DB before the first instruction */
	TSS32	TSS_A, call_task, 0x4000
	mov	word ptr [TSS_A + 0x64], 1
	TRYM	"trap bit", 1, 0, "lcall SEL_A, 0"
	CHK	"at the new task's entry", "[x_ip]", "offset call_task"
	mov	eax, dr6
	and	eax, 0xe00f
	CHK	"DR6.BT", eax, 0x8000
	call	restore

	/* an exception by a task gate */
	TSS32	TSS_B, ud_task, 0x3c00
	mov	dword ptr [IDT + 6 * 8], SEL_B << 16
	mov	dword ptr [IDT + 6 * 8 + 4], 0x8500
	mov	dword ptr [stage], 0
ud_at:	ud2
	CHK	"#UD by a task gate", "[stage]", 0x6
	CHK	"eip in the old TSS", "[stage + 4]", "offset ud_at"
	mov	eax, [stage + 8]
	and	eax, 0x10000
	CHK	"RF is saved", eax, 0x10000
	/* one with an error code */
	TSS32	TSS_B, gp_task, 0x3c00
	mov	dword ptr [IDT + 13 * 8], SEL_B << 16
	mov	dword ptr [IDT + 13 * 8 + 4], 0x8500
	mov	eax, 0x400
	mov	fs, ax
	CHK	"#GP by a task gate, its error code", "[stage]", 0x400
	/* a double fault by a task gate has a good stack */
	mov	dword ptr [IDT + 8 * 8], SEL_B << 16
	mov	dword ptr [IDT + 8 * 8 + 4], 0x8500
	TSS32	TSS_B, df_task, 0x3c00
	RESET_GATE 13
	mov	byte ptr [IDT + 13 * 8 + 5], 0x0e
	mov	[stage + 16], esp
	int	0x50
df_back: CHK	"#DF by a task gate", "[stage]", 0
	mov	byte ptr [IDT + 13 * 8 + 5], 0x8e

	/* 16-bit TSS */
	mov	edi, TSS_C
	mov	ecx, 11
	xor	eax, eax
	rep	stosd
	mov	word ptr [TSS_C + 14], offset task16
	mov	word ptr [TSS_C + 16], 2
	mov	word ptr [TSS_C + 18], 0x1616
	mov	word ptr [TSS_C + 26], 0x3800
	mov	word ptr [TSS_C + 34], SEL_DATA
	mov	word ptr [TSS_C + 36], SEL_CODE32
	mov	word ptr [TSS_C + 38], SEL_DATA
	mov	word ptr [TSS_C + 40], SEL_DATA
	mov	ebx, 0x12345678
	lcall	SEL_C16, 0
	CHK	"16-bit task: ebx comes back", ebx, 0x12345678
	mov	eax, [stage]
	and	eax, 0xffff
	CHK	"its ax", eax, 0x1616
	movzx	eax, word ptr [TSS_C]
	CHK	"its link", eax, SEL_TSS
	movzx	eax, word ptr [TSS_C + 20]
	CHK	"cx saved in it", eax, 0xc0c0

	/* paging: CR3 of the task */
	mov	edi, 0x30000			/* page directory, 4 MiB pages */
	mov	eax, 0x83
	mov	ecx, 1024
1:	stosd
	add	eax, 0x400000
	loop	1b
	mov	edi, 0x31000
	mov	esi, 0x30000
	mov	ecx, 1024
	rep	movsd
	mov	dword ptr [0x31000 + 4], 0x83	/* 4 MiB is 0 there */
	mov	eax, cr4
	or	eax, 0x10
	mov	cr4, eax
	mov	eax, 0x30000
	mov	cr3, eax
	mov	eax, cr0
	bts	eax, 31
	mov	cr0, eax
	mov	dword ptr [0x40000], 0x4321
	mov	dword ptr [0x440000], 0
	TSS32	TSS_A, page_task, 0x4000
	mov	dword ptr [TSS_A + 0x1c], 0x31000
	mov	eax, [0x440000]
	mov	dword ptr [tss + 0x1c], 0x30000
	lcall	SEL_A, 0
	CHK	"address space of the task", "[stage]", 0x4321
	CHK	"and back", "[0x440000]", 0
	FINISH

	/* back to the first task's TSS after a fault left the machine in another */
restore:
	and	byte ptr [gdt_tss + 5], ~2
	and	byte ptr [gdt + SEL_A + 5], ~2
	mov	eax, SEL_TSS
	ltr	ax
	clts
	ret

jump_task:
	mov	[stage], eax
	mov	[stage + 4], ecx
	mov	eax, fs
	mov	[stage + 8], eax
	str	eax
	mov	[stage + 12], eax
	ljmp	SEL_TSS, 0

call_task:
	pushfd
	pop	eax
	and	eax, 0x4000
	mov	[stage], eax
	movzx	eax, byte ptr [gdt_tss + 5]
	mov	[stage + 4], eax
	movzx	eax, byte ptr [gdt + SEL_A + 5]
	mov	[stage + 8], eax
	mov	dword ptr [stage + 12], 1
	iretd
	mov	dword ptr [stage + 12], 2
	iretd

nest_task:
	lcall	SEL_B, 0
	mov	dword ptr [stage + 16], 0xb
	iretd

ud_task:
	mov	dword ptr [stage], 6
	mov	eax, [tss + 0x20]
	mov	[stage + 4], eax
	mov	eax, [tss + 0x24]
	mov	[stage + 8], eax
	add	dword ptr [tss + 0x20], 2
	iretd
gp_task:
	pop	dword ptr [stage]
	add	dword ptr [tss + 0x20], 2
	iretd
df_task:
	pop	dword ptr [stage]
	mov	dword ptr [tss + 0x20], offset df_back
	iretd
ts_task:
	pop	dword ptr [stage]
	movzx	eax, word ptr [TSS_B]
	mov	[stage + 4], eax
	and	byte ptr [gdt_tss + 5], ~2
	and	byte ptr [gdt + SEL_A + 5], ~2
	pushfd
	and	dword ptr [esp], ~0x4000
	popfd
	ljmp	SEL_TSS, 0
page_task:
	mov	eax, [0x440000]
	mov	[stage], eax
	iretd
task16:	mov	[stage], eax
	mov	ecx, 0xc0c0
	.byte	0x66
	iret
	.balign	4
stage:	.fill	8, 4, 0
