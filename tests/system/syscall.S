/* SYSCALL, SYSRET, SYSENTER, SYSEXIT, SWAPGS, FS and GS bases, compatibility mode, call gates of
 * 64-bit mode, and the way out of long mode. SDM vol. 2; vol. 3, 5.8. */
#include "lib.inc"

	.set	SE_CODE, SEL_FREE	/* for SYSENTER: code, stack, user code and data, user code64 */
	.set	SEL_GATE, SEL_FREE+48
	.set	SEL_CCODE, SEL_FREE+64

	BITS16
main:	ENTER_LONG
	WRMSR_	0xc0000081, 0x00200010, 0	/* STAR: user base 20h, kernel 10h */
	WRMSR_	0xc0000082, 0, "offset entry64"
	WRMSR_	0xc0000083, 0, "offset entry_compat"
	WRMSR_	0xc0000084, 0, 0x40701		/* mask: AC, IOPL.. DF, IF, TF, CF */

	/* syscall from CPL 3 */
	mov	qword ptr [u_flags], 0x203
	TRYM	"syscall", 0x3e, 0, "TO_USER; mov eax, 7; s_at: syscall; s_after: nop"
	CHK	"rcx is the return address", "[sc_rcx]", "offset s_after"
	mov	rax, [sc_r11]
	and	eax, 0x303
	CHK	"r11 is the flags", rax, 0x203
	mov	rax, [sc_flags]
	and	eax, 0x303
	CHK	"flags are masked", rax, 2
	CHK	"cs", "[sc_cs]", 0x10
	CHK	"ss", "[sc_ss]", 0x18
	CHK	"rsp is the user's", "[sc_rsp]", USTACK_TOP
	mov	dword ptr [sc_return], 1
	TRYM	"sysretq", USER_OK, 0, "TO_USER; syscall; int USER_OK"
	CHK	"cs after sysretq", "[x_code]", 0x33
	CHK	"ss after sysretq", "[x_frame_ss]", 0x2b
	mov	rax, [x_flags]
	and	eax, 0x201
	CHK	"flags after sysretq", rax, 0x201
	mov	dword ptr [sc_return], 2
	TRYM	"sysretl", USER_OK, 0, "TO_USER; mov ebx, offset compat_end; syscall; ud2"
	CHK	"cs after sysretl", "[x_code]", 0x23
	/* from compatibility mode */
	mov	dword ptr [sc_return], 0
	TRYM	"syscall of compatibility mode", 0x3e, 0, "mov eax, SEL_UDATA; mov ds, eax; push SEL_UDATA; push USTACK_TOP; push 2; push SEL_UCODE32; push offset compat_call; iretq"
	CHK	"came by CSTAR", "[sc_way]", 32
	CHK	"rcx", "[sc_rcx]", "offset compat_after"
	/* sysretq to a non-canonical rip, where it is Intel's: #GP at CPL 0 */
	mov	rcx, 0x0000800000000000
	mov	r11d, 2
	TRY	"sysretq to a non-canonical rip", 13, 0, "sysretq"
	/* without SCE */
	WRMSR_	0xc0000080, 0, 0x900
	TRY	"syscall without SCE", 6, 0, "syscall"
	WRMSR_	0xc0000080, 0, 0x901
	mov	rax, 0x0000800000000000
	mov	rdx, rax
	shr	rdx, 32
	mov	ecx, 0xc0000082
	TRY	"non-canonical LSTAR", 13, 0, "wrmsr"

	/* sysenter */
	SET_DESC SE_CODE, 0, 0xfffff, 0xa09b
	SET_DESC SE_CODE+8, 0, 0xfffff, 0xc093
	SET_DESC SE_CODE+16, 0, 0xfffff, 0xc0fb
	SET_DESC SE_CODE+24, 0, 0xfffff, 0xc0f3
	SET_DESC SE_CODE+32, 0, 0xfffff, 0xa0fb
	SET_DESC SE_CODE+40, 0, 0xfffff, 0xc0f3
	WRMSR_	0x174, 0, 0
	TRY	"sysenter with a null CS", 13, 0, "sysenter"
	mov	edx, 0
	mov	ecx, 0
	TRY	"sysexit with a null CS", 13, 0, ".byte 0x0f, 0x35"
	WRMSR_	0x174, 0, SE_CODE
	WRMSR_	0x175, 0, 0x3800
	WRMSR_	0x176, 0, "offset se_entry"
	mov	qword ptr [u_flags], 0x202
	TRYM	"sysenter", 0x3e, 0, "TO_USER; mov esi, offset se_back; sysenter; ud2; se_back: int USER_OK"
	CHK	"cs", "[sc_cs]", SE_CODE
	CHK	"ss", "[sc_ss]", SE_CODE+8
	CHK	"rsp", "[sc_rsp]", 0x3800
	mov	rax, [sc_flags]
	and	eax, 0x200
	CHK	"IF is clear", rax, 0
	mov	dword ptr [sc_return], 1
	TRYM	"sysexit to 64 bits", USER_OK, 0, "TO_USER; mov esi, offset se_back; sysenter; ud2"
	CHK	"cs", "[x_code]", SE_CODE+32+3
	CHK	"ss", "[x_frame_ss]", SE_CODE+40+3
	mov	dword ptr [sc_return], 2
	TRYM	"sysexit to 32 bits", USER_OK, 0, "TO_USER; mov esi, offset compat_end; sysenter; ud2"
	CHK	"cs", "[x_code]", SE_CODE+16+3
	CHK	"ss", "[x_frame_ss]", SE_CODE+24+3
	mov	qword ptr [u_flags], 2

	/* bases */
	WRMSR_	0xc0000100, 1, 0x20000
	WRMSR_	0xc0000101, 0, 0x20000
	WRMSR_	0xc0000102, 0, 0x20100
	mov	dword ptr [0x20000], 0x11
	mov	dword ptr [0x20100], 0x22
	mov	eax, gs:[0]
	CHK	"GS base", rax, 0x11
	swapgs
	mov	eax, gs:[0]
	CHK	"swapgs", rax, 0x22
	RDMSR_	0xc0000102
	CHK	"kernel GS base", rax, 0x20000
	swapgs
	TRY	"rdfsbase without FSGSBASE", 6, 0, "rdfsbase rax"
	mov	rax, cr4
	bts	rax, 16
	mov	cr4, rax
	rdfsbase rbx
	mov	rax, 0x100020000
	CHK	"rdfsbase", rbx, rax
	mov	rax, 0x0000700000000000
	TRYU	"wrgsbase at CPL 3", USER_OK, 0, "wrgsbase rax"
	rdgsbase rbx
	mov	rax, 0x0000700000000000
	CHK	"rdgsbase", rbx, rax
	mov	rax, 0x0000800000000000
	TRY	"wrfsbase, non-canonical", 13, 0, "wrfsbase rax"
	mov	eax, SEL_UDATA
	mov	gs, eax
	rdgsbase rax
	CHK	"loading gs sets the base", rax, 0
	mov	eax, 0x20100
	wrgsbase eax
	xor	eax, eax
	mov	gs, eax
	RDMSR_	0xc0000101
	shl	rdx, 32
	or	rax, rdx
	CHK	"a null selector in gs: base as silicon leaves it (0)", rax, 0

	/* compatibility mode at CPL 0 and back */
	push	SEL_CODE32
	push	offset c32
	retfq
	BITS32
c32:	mov	eax, SEL_DATA
	mov	ss, eax
	xor	eax, eax
	dec	eax
	.byte	0x48			/* dec eax here, REX.W there */
	inc	ecx
	CHK	"compatibility mode", eax, 0xfffffffe
	TRY	"#UD in it comes back to it", 6, 0, "ud2"
	CHK	"its cs", "[x_code]", SEL_CODE32
	TRY	"linear addresses are of 32 bits", NONE, 0, "mov eax, [0x20000]"
	TRY	"push es", NONE, 0, "push es"
	pop	eax
	ljmp	SEL_CODE64, offset c64
	BITS64
c64:	mov	rsp, STACK_TOP

	/* 64-bit call gate */
	mov	eax, offset gate64
	mov	[gdt + SEL_GATE], ax
	mov	word ptr [gdt + SEL_GATE + 2], SEL_CODE64
	mov	word ptr [gdt + SEL_GATE + 4], 0xec00
	shr	eax, 16
	mov	[gdt + SEL_GATE + 6], ax
	mov	qword ptr [gdt + SEL_GATE + 8], 0
	mov	dword ptr [ptr_gate], 0
	mov	word ptr [ptr_gate + 4], SEL_GATE|3
	TRYM	"64-bit call gate", USER_OK, 0, "TO_USER; lcall [ptr_gate]; g_after: int USER_OK"
	CHK	"return rip", "[g_frame]", "offset g_after"
	CHK	"return cs", "[g_frame + 8]", SEL_UCODE64
	CHK	"outer rsp", "[g_frame + 16]", USTACK_TOP
	CHK	"outer ss", "[g_frame + 24]", SEL_UDATA
	CHK	"rsp in the gate", "[g_rsp]", STACK_TOP-0x800-32
	CHK	"ss in the gate is null", "[g_ss]", 0
	CHK	"rsp after the return", "[x_frame_sp]", USTACK_TOP
	mov	byte ptr [gdt + SEL_GATE + 13], 1
	TRYM	"upper half not of type 0", 13, SEL_GATE, "lcall [ptr_gate]"
	mov	byte ptr [gdt + SEL_GATE + 13], 0
	mov	word ptr [gdt + SEL_GATE + 2], SEL_CODE32
	TRYM	"gate to 32-bit code", 13, SEL_CODE32, "lcall [ptr_gate]"

	/* out of long mode, and in again */
	push	SEL_CODE32
	push	offset leave
	retfq
	BITS32
leave:	mov	eax, cr0
	btr	eax, 31
	mov	cr0, eax
	RDMSR_	0xc0000080
	and	eax, 0x500
	CHK	"LMA is clear, LME stays", eax, 0x100
	WRMSR_	0xc0000080, 0, 0x800
	mov	ax, SEL_DATA
	mov	ds, ax
	mov	es, ax
	mov	ss, ax
	mov	esp, STACK_TOP
	and	byte ptr [gdt_tss + 5], ~2
	call	tables32
	TRY	"#UD in protected mode", 6, 0, "ud2"
	CHK	"legacy mode again", "[x_code]", SEL_CODE32
	/* PG with LME, but a 64-bit code segment or no PAE */
	WRMSR_	0xc0000080, 0, 0x901
	mov	eax, cr4
	btr	eax, 5
	mov	cr4, eax
	mov	eax, cr0
	bts	eax, 31
	TRY	"PG with LME without PAE", 13, 0, "mov cr0, eax"
	FINISH

	BITS64
entry64: mov	dword ptr [sc_way], 64
	jmp	entry
entry_compat:
	mov	dword ptr [sc_way], 32
entry:	mov	[sc_rcx], rcx
	mov	[sc_r11], r11
	mov	[sc_rsp], rsp
	pushfq				/* on the user's stack: it is mapped */
	pop	qword ptr [sc_flags]
	mov	eax, cs
	mov	[sc_cs], rax
	mov	eax, ss
	mov	[sc_ss], rax
	cmp	dword ptr [sc_return], 1
	je	1f
	cmp	dword ptr [sc_return], 2
	je	2f
	int	0x3e
1:	sysretq
2:	mov	ecx, ebx
	sysretd
se_entry:
	mov	[sc_rsp], rsp
	pushfq
	pop	qword ptr [sc_flags]
	mov	eax, cs
	mov	[sc_cs], rax
	mov	eax, ss
	mov	[sc_ss], rax
	mov	edx, esi
	mov	ecx, USTACK_TOP
	cmp	dword ptr [sc_return], 1
	je	1f
	cmp	dword ptr [sc_return], 2
	je	2f
	int	0x3e
1:	rex.w sysexit
2:	.byte	0x0f, 0x35
gate64:	mov	[g_rsp], rsp
	mov	eax, ss
	mov	[g_ss], rax
	push	rsi
	push	rdi
	push	rcx
	lea	rsi, [rsp + 24]
	mov	edi, offset g_frame
	mov	ecx, 4
	rep	movsq
	pop	rcx
	pop	rdi
	pop	rsi
	rex.w lret
	.code32
compat_end: int	USER_OK
compat_call: nop
	syscall
compat_after: ud2

	.balign	8
sc_way:	.quad	0
sc_rcx:	.quad	0
sc_r11:	.quad	0
sc_flags: .quad	0
sc_cs:	.quad	0
sc_ss:	.quad	0
sc_rsp:	.quad	0
sc_return: .quad 0
g_frame: .fill	4, 8, 0
g_rsp:	.quad	0
g_ss:	.quad	-1
ptr_gate: .fill	3, 4, 0
