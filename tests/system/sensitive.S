/* The 17 sensitive but unprivileged instructions of the x86 (Robin and Irvine 2000): a monitor that
 * lets them run on the host CPU shows the guest the host's state. Here for each that the guest sees
 * its own machine: what it set itself, at CPL 3, where nothing traps. */
#include "lib.inc"

	.set	SEL_MYLDT, SEL_FREE
	.set	SEL_GATE, SEL_FREE+8
	.set	SEL_ABSENT, SEL_FREE+16
	.set	OUT, 0x20000

	BITS16
main:	ENTER_PM32
	SET_DESC SEL_MYLDT, 0x21000, 0x17, 0x0082
	mov	dword ptr [0x21008], 0x0000ffff
	mov	dword ptr [0x2100c], 0x00cff300
	mov	eax, SEL_MYLDT
	lldt	ax
	mov	eax, offset g_entry
	mov	[gdt + SEL_GATE], ax
	mov	word ptr [gdt + SEL_GATE + 2], SEL_CODE32
	mov	dword ptr [gdt + SEL_GATE + 4], 0xec00
	SET_DESC SEL_ABSENT, 0, 0x12345, 0x4073
	mov	dword ptr [u_flags], 0x1202		/* IOPL 1, IF */
	TRYU	"SGDT", USER_OK, 0, "sgdt [OUT]"
	movzx	eax, word ptr [OUT]
	CHK	"limit of our GDT", eax, 0x117
	CHK	"base of our GDT", "[OUT + 2]", "offset gdt"
	TRYU	"SIDT", USER_OK, 0, "sidt [OUT]"
	movzx	eax, word ptr [OUT]
	CHK	"limit of our IDT", eax, 0xfff
	CHK	"base of our IDT", "[OUT + 2]", IDT
	TRYU	"SLDT", USER_OK, 0, "sldt eax"
	CHK	"our LDT", "[x_regs + 28]", SEL_MYLDT
	mov	eax, cr0
	or	eax, 2
	mov	cr0, eax
	TRYU	"SMSW", USER_OK, 0, "smsw ax"
	movzx	eax, word ptr [x_regs + 28]
	and	eax, 0xf
	CHK	"our CR0: PE, MP", eax, 3
	TRYU	"PUSHF", USER_OK, 0, "pushfd; pop eax"
	mov	eax, [x_regs + 28]
	and	eax, 0x3202
	CHK	"our flags: IF and IOPL 1", eax, 0x1202
	TRYU	"POPF", USER_OK, 0, "push 0x3002; popfd; pushfd; pop eax"
	mov	eax, [x_regs + 28]
	and	eax, 0x3202
	CHK	"cannot change IOPL, nor IF with it", eax, 0x1202
	mov	eax, SEL_DATA
	mov	ebx, 0x7777
	TRYU	"LAR", USER_OK, 0, "lar ebx, eax"
	CHK	"of our ring 0 data: not seen at CPL 3", "[x_regs + 16]", 0x7777
	mov	eax, SEL_ABSENT|3
	TRYU	"LAR of our own", USER_OK, 0, "lar ebx, eax"
	mov	eax, [x_regs + 16]
	and	eax, 0xf0ff00
	CHK	"its rights", eax, 0x407300
	mov	eax, SEL_ABSENT|3
	TRYU	"LSL", USER_OK, 0, "lsl ebx, eax"
	CHK	"our limit", "[x_regs + 16]", 0x12345
	mov	eax, SEL_UDATA
	TRYU	"VERR", USER_OK, 0, "verr ax; setz bl; movzx ebx, bl"
	CHK	"our data is readable", "[x_regs + 16]", 1
	mov	eax, SEL_DATA
	TRYU	"VERW", USER_OK, 0, "verw ax; setz bl; movzx ebx, bl"
	CHK	"ring 0 data is not writable", "[x_regs + 16]", 0
	TRYU	"POP seg", USER_OK, 0, "push 0xf; pop fs; mov eax, fs; mov ebx, fs:[0x21008]"
	CHK	"a selector of our LDT", "[x_regs + 28]", 0xf
	CHK	"and what it reaches", "[x_regs + 16]", 0xffff
	TRYM	"POP of ring 0 data", 13, SEL_DATA, "TO_USER; push SEL_DATA; pop gs"
	TRYU	"PUSH seg", USER_OK, 0, "push cs; pop eax; push ss; pop ebx"
	CHK	"our cs with CPL 3", "[x_regs + 28]", SEL_UCODE32
	CHK	"our ss with CPL 3", "[x_regs + 16]", SEL_UDATA
	TRYM	"CALL", USER_OK, 0, "TO_USER; lcall SEL_GATE|3, 0; int USER_OK"
	CHK	"by our gate to ring 0", "[seen_cs]", SEL_CODE32
	CHK	"on our TSS's stack", "[seen_esp]", STACK_TOP-0x800-16
	TRYM	"JMP", 13, SEL_CODE32, "TO_USER; ljmp SEL_CODE32, 0"
	TRYM	"JMP to our own code", USER_OK, 0, "TO_USER; ljmp SEL_UCODE32, offset j_to; ud2; j_to: int USER_OK"
	mov	byte ptr [IDT + 0x3d * 8 + 5], 0xee
	TRYU	"INT n", 0x3d, 0, "int 0x3d"
	CHK	"by our IDT, from CPL 3", "[x_code]", SEL_UCODE32
	TRYM	"RET", USER_OK, 0, "TO_USER; push SEL_UCODE32; push offset r_to; retf; ud2; r_to: int USER_OK"
	TRYM	"RET to ring 0", 13, SEL_CODE32, "TO_USER; push SEL_CODE32; push 0; retf"
	TRYU	"STR", USER_OK, 0, "str eax"
	CHK	"our TSS", "[x_regs + 28]", SEL_TSS
	TRYU	"MOV seg", USER_OK, 0, "mov eax, cs; mov ebx, ss"
	CHK	"cs", "[x_regs + 28]", SEL_UCODE32
	CHK	"ss", "[x_regs + 16]", SEL_UDATA
	mov	eax, SEL_DATA
	TRYU	"MOV of ring 0 data", 13, SEL_DATA, "mov gs, eax"
	/* and in ring 0, where a monitor that moved us to ring 1 or 3 would show */
	mov	eax, cs
	CHK	"cs in ring 0", eax, SEL_CODE32
	mov	eax, ss
	CHK	"ss in ring 0", eax, SEL_DATA
	push	cs
	pop	eax
	CHK	"pushed cs in ring 0", eax, SEL_CODE32
	push	0x3002
	popfd
	pushfd
	pop	eax
	and	eax, 0x3202
	CHK	"POPF changes IOPL in ring 0", eax, 0x3002
	push	2
	popfd
	FINISH

g_entry: push	eax
	push	ds
	mov	ax, SEL_DATA
	mov	ds, ax
	mov	[seen_cs], cs
	lea	eax, [esp + 8]
	mov	[seen_esp], eax
	pop	ds
	pop	eax
	retf
	.balign	4
seen_cs: .long	0
seen_esp: .long	0
