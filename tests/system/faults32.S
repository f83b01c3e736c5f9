/* Exceptions of 32-bit protected mode: error codes of tables, tasks and stacks. SDM vol. 3,
 * chapter 6. */
#include "lib.inc"

	.set	SEL_ABSENT, SEL_FREE
	.set	SEL_ONE, SEL_FREE+8
	.set	SEL_ROSTACK, SEL_FREE+16

	BITS16
main:	ENTER_PM32
	mov	eax, 1
	xor	edx, edx
	xor	ecx, ecx
	TRY	"div", 0, 0, "div ecx"
	TRY	"aam 0", 0, 0, ".byte 0xd4, 0"
	TRY	"int3", 3, 0, "int3"
	mov	al, 0x7f
	add	al, 1
	TRY	"into", 4, 0, "into"
	xor	eax, eax
	TRY	"into without OF", NONE, 0, "into"
	mov	dword ptr [0x20000], -2
	mov	dword ptr [0x20004], 5
	mov	eax, -3
	TRY	"bound, below", 5, 0, "bound eax, [0x20000]"
	mov	eax, 6
	TRY	"bound, above", 5, 0, "bound eax, [0x20000]"
	mov	eax, 5
	TRY	"bound, in", NONE, 0, "bound eax, [0x20000]"
	TRY	"bound of a register", 6, 0, ".byte 0x62, 0xc0"
	TRY	"lds of a register", 6, 0, ".byte 0xc5, 0xc0"
	TRY	"ud2", 6, 0, "ud2"
	TRY	"lock inc eax", 6, 0, ".byte 0xf0, 0x40"
	TRY	"syscall outside 64-bit mode", 6, 0, "syscall"
	TRY	"swapgs outside 64-bit mode", 6, 0, ".byte 0x0f, 0x01, 0xf8"

	mov	eax, 0x400
	TRY	"past the GDT", 13, 0x400, "mov ds, eax"
	mov	eax, 0x403
	TRY	"RPL is not in the code", 13, 0x400, "mov ds, eax"
	xor	eax, eax
	TRY	"null in ss", 13, 0, "mov ss, eax"
	TRY	"null in fs", NONE, 0, "mov fs, eax"
	TRY	"load by null", 13, 0, "mov eax, fs:[0]"
	TRY	"store by null", 13, 0, "mov fs:[0], eax"
	SET_DESC SEL_ABSENT, 0, 0xfffff, 0xc013
	SET_DESC SEL_ONE, 0x20000, 0, 0x0093
	SET_DESC SEL_ROSTACK, 0, 0xfffff, 0xc091
	mov	eax, SEL_ABSENT
	TRY	"absent in fs", 11, SEL_ABSENT, "mov fs, eax"
	TRY	"absent in ss", 12, SEL_ABSENT, "mov ss, eax"
	mov	eax, SEL_ROSTACK
	TRY	"read-only in ss", 13, SEL_ROSTACK, "mov ss, eax"
	TRY	"far jump to data", 13, SEL_DATA, ".byte 0xea; .long 0x1000; .word SEL_DATA"
	TRY	"far jump to null", 13, 0, ".byte 0xea; .long 0x1000; .word 0"
	TRY	"far jump to user code", 13, SEL_UCODE32&~3, ".byte 0xea; .long 0x1000; .word SEL_UCODE32"
	TRYM	"far return to null", 13, 0, "push 0; push 0; retf"
	TRYM	"far return inwards", 13, SEL_CODE32, "TO_USER; push SEL_CODE32; push 0; retf"
	TRYM	"iret inwards", 13, SEL_CODE32, "TO_USER; push 2; push SEL_CODE32; push 0; iretd"
	TRYM	"iret to a user cs with a kernel ss", 13, SEL_DATA, "push SEL_DATA; push 0; push 2; push SEL_UCODE32; push 0; iretd"
	TRYM	"iret to ip past the limit", 13, 0, "push 2; push SEL_CODE16; push 0x10000; iretd"
	TRYM	"nt iret to a bad link", 10, 0, "mov word ptr [tss], 0; push 0x4002; popfd; iretd"
	TRYM	"nt iret to an idle task", 10, SEL_TSS, "mov word ptr [tss], SEL_TSS; and byte ptr [gdt_tss + 5], ~2; push 0x4002; popfd; iretd"
	or	byte ptr [gdt_tss + 5], 2
	mov	word ptr [tss], 0
	mov	ax, SEL_DATA
	TRY	"ltr of data", 13, SEL_DATA, "ltr ax"
	mov	ax, SEL_TSS
	TRY	"ltr of a busy TSS", 13, SEL_TSS, "ltr ax"
	xor	eax, eax
	TRY	"ltr of null", 13, 0, "ltr ax"
	mov	ax, SEL_DATA
	TRY	"lldt of data", 13, SEL_DATA, "lldt ax"
	xor	eax, eax
	TRY	"lldt of null", NONE, 0, "lldt ax"
	mov	eax, 4
	TRY	"LDT selector without LDT", 13, 4, "mov fs, eax"

	/* gates */
	mov	byte ptr [IDT + 0x3e * 8 + 5], 0xe
	TRY	"int with an absent gate", 11, 0x3e*8+2, "int 0x3e"
	mov	byte ptr [IDT + 0x3e * 8 + 5], 0x8c
	TRY	"a call gate in the IDT", 13, 0x3e*8+2, "int 0x3e"
	mov	byte ptr [IDT + 0x3e * 8 + 5], 0x8e
	TRY	"int with no gate", 13, 0x50*8+2, "int 0x50"
	TRYU	"int of DPL 0 at CPL 3", 13, 0x3e*8+2, "int 0x3e"
	TRYU	"ud2 of DPL 0 at CPL 3", 6, 0, "ud2"
	TRYU	"int1 of DPL 0 at CPL 3", 1, 0, ".byte 0xf1"
	TRYU	"int3 of DPL 0 at CPL 3", 13, 3*8+2, "int3"
	mov	byte ptr [IDT + 6 * 8 + 5], 0xe
	TRY	"absent gate in an exception", 11, 6*8+3, "ud2"
	mov	byte ptr [IDT + 6 * 8 + 5], 0x8e
	mov	byte ptr [IDT + 11 * 8 + 5], 0xe
	mov	eax, SEL_ABSENT
	TRY	"#NP in delivery of #NP is #DF", 8, 0, "mov fs, eax"
	mov	byte ptr [IDT + 11 * 8 + 5], 0x8e
	mov	word ptr [IDT + 0x3e * 8 + 2], SEL_UCODE32&~3
	TRY	"gate to outer code", 13, SEL_UCODE32&~3, "int 0x3e"
	mov	word ptr [IDT + 0x3e * 8 + 2], 0
	TRY	"gate to null", 13, 0, "int 0x3e"
	mov	word ptr [IDT + 0x3e * 8 + 2], SEL_CODE32

	FINISH
