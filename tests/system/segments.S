/* Segmentation of 32-bit protected mode: limits, kinds, LDT, call gates, LAR, LSL, VERR, VERW, ARPL.
 * SDM vol. 3, chapters 3 and 5. */
#include "lib.inc"

	.set	SEL_T, SEL_FREE		/* under test */
	.set	SEL_LDT, SEL_FREE+8
	.set	SEL_GATE, SEL_FREE+16
	.set	SEL_GATE16, SEL_FREE+24
	.set	SEL_CONF, SEL_FREE+32
	.set	SEL_INNER16, SEL_FREE+40
	.set	SEL_ABSENT, SEL_FREE+48
	.set	SEL_BAD, SEL_FREE+56
	.set	LDT, 0x21000

	.macro	LOAD_T base, limit, attr
	SET_DESC SEL_T, \base, \limit, \attr
	mov	eax, SEL_T
	mov	fs, eax
	.endm
	.macro	SET_GATE32 sel, to_sel, to, attr
	mov	eax, \to
	mov	[gdt + (\sel)], ax
	mov	word ptr [gdt + (\sel) + 2], \to_sel
	mov	word ptr [gdt + (\sel) + 4], \attr
	shr	eax, 16
	mov	[gdt + (\sel) + 6], ax
	.endm
	/* ZF and, if set, the result, after LAR, LSL */
	.macro	SEE name, insn, want
	mov	ebx, 0xdead
	\insn
	jz	1f
	mov	ebx, NONE
1:	CHK	"\name", ebx, \want
	.endm
	/* without the limit's bits, which are not defined in the result */
	.macro	LAR_
	lar	ebx, eax
	jnz	.Lno\@
	and	ebx, ~0xf0000
	cmp	ebx, ebx
.Lno\@:
	.endm
	.macro	SEEZ name, insn, want
	\insn
	setz	bl
	movzx	ebx, bl
	CHK	"\name", ebx, \want
	.endm

	BITS16
main:	ENTER_PM32
	/* limits of a byte-granular segment, 100 bytes */
	LOAD_T	0x30000, 0xff, 0x4093
	TRY	"last byte", NONE, 0, "mov al, fs:[0xff]"
	TRY	"past the last byte", 13, 0, "mov al, fs:[0x100]"
	TRY	"word across the limit", 13, 0, "mov ax, fs:[0xff]"
	TRY	"last dword", NONE, 0, "mov eax, fs:[0xfc]"
	TRY	"store across the limit", 13, 0, "mov fs:[0xfd], eax"
	TRY	"offset ffffffff", 13, 0, "mov al, fs:[-1]"
	TRY	"dword at ffffffff", 13, 0, "mov eax, fs:[-1]"
	mov	dword ptr [0x300fc], 0x11223344
	mov	eax, fs:[0xfc]
	CHK	"base is added", eax, 0x11223344
	/* whole pages */
	LOAD_T	0x30000, 0, 0xc093
	TRY	"page-granular, last", NONE, 0, "mov al, fs:[0xfff]"
	TRY	"page-granular, past", 13, 0, "mov al, fs:[0x1000]"
	/* expand-down */
	LOAD_T	0x30000, 0xff, 0x4097
	TRY	"expand-down, in the limit", 13, 0, "mov al, fs:[0xff]"
	TRY	"expand-down, above", NONE, 0, "mov al, fs:[0x100]"
	LOAD_T	0x30000, 0xff, 0x0097
	TRY	"expand-down 16 bits, ffff", NONE, 0, "mov al, fs:[0xffff]"
	TRY	"expand-down 16 bits, past ffff", 13, 0, "mov al, fs:[0x10000]"
	TRY	"expand-down 16 bits, across ffff", 13, 0, "mov ax, fs:[0xffff]"
	/* kinds */
	LOAD_T	0x30000, 0xfffff, 0xc091
	TRY	"read of read-only", NONE, 0, "mov al, fs:[0]"
	TRY	"write to read-only", 13, 0, "mov fs:[0], al"
	TRY	"xchg with read-only", 13, 0, "xchg fs:[0], al"
	TRY	"write to readable code", 13, 0, "mov cs:[0x30000], al"
	TRY	"read of readable code", NONE, 0, "mov al, cs:[0x30000]"
	LOAD_T	0x30000, 0xfffff, 0xc092
	CHKD	"loading sets accessed", "[gdt + SEL_T + 4]", 0x00cf9303
	/* the base wraps at 4 GiB */
	LOAD_T	0xfffff000, 0xfffff, 0xc093
	mov	dword ptr [0x2f000], 0x55667788
	mov	eax, fs:[0x30000]
	CHK	"linear address wraps at 4 GiB", eax, 0x55667788
	/* a changed descriptor counts from the next load */
	LOAD_T	0x30000, 0xfffff, 0xc093
	mov	dword ptr [0x31000], 0x31
	mov	byte ptr [gdt + SEL_T + 3], 0x10
	mov	eax, fs:[0x1000]
	CHK	"hidden part stays", eax, 0x31
	/* stack */
	SET_DESC SEL_T, 0x30000, 0xff, 0x4093
	mov	eax, SEL_T
	mov	ecx, esp
	TRYM	"load past the limit of ss", 12, 0, "mov ss, eax; mov esp, 0x80; mov eax, ss:[0xfe]"
	TRYM	"pop past it", 12, 0, "mov ss, eax; mov esp, 0x80; mov ebp, 0xfe; mov eax, [ebp]"

	/* LDT */
	SET_DESC SEL_LDT, LDT, 0xf, 0x0082
	mov	dword ptr [LDT + 8], 0x0000ffff
	mov	dword ptr [LDT + 12], 0x00cf9302
	mov	eax, SEL_LDT
	lldt	ax
	sldt	ecx
	CHK	"sldt", ecx, SEL_LDT
	mov	eax, 0xc
	TRY	"selector in the LDT", NONE, 0, "mov fs, eax"
	mov	dword ptr [0x20010], 0x99
	mov	eax, fs:[0x10]
	CHK	"its base", eax, 0x99
	mov	eax, 0x14
	TRY	"selector past the LDT", 13, 0x14, "mov fs, eax"
	mov	eax, 4
	TRY	"absent in the LDT", 13, 4, "mov fs, eax"

	/* call gates: from CPL 3 with three parameters */
	mov	dword ptr [tss + 4], 0x4800
	SET_GATE32 SEL_GATE, SEL_CODE32, "offset gate32", 0xec03
	TRYM	"call gate", 0x3e, 0, "TO_USER; push 33; push 22; push 11; lcall SEL_GATE|3, 0; user_after: int USER_OK"
	CHK	"CPL in the gate", "[g_cs]", SEL_CODE32
	CHK	"parameter 1", "[g_frame + 8]", 11
	CHK	"parameter 3", "[g_frame + 16]", 33
	CHK	"return address", "[g_frame]", "offset user_after"
	CHK	"return cs", "[g_frame + 4]", SEL_UCODE32
	CHK	"outer esp", "[g_frame + 20]", USTACK_TOP-12
	CHK	"outer ss", "[g_frame + 24]", SEL_UDATA
	CHK	"inner esp", "[g_esp]", 0x4800-28
	mov	dword ptr [g_return], 1
	TRYM	"call gate and back", USER_OK, 0, "TO_USER; push 33; push 22; push 11; lcall SEL_GATE|3, 0; int USER_OK"
	CHK	"esp after retf 12", "[x_frame_sp]", USTACK_TOP
	TRYM	"call gate at CPL 0", NONE, 0, "push 3; push 2; push 1; lcall SEL_GATE, 0"
	mov	byte ptr [gdt + SEL_GATE + 5], 0x8c
	TRYM	"gate of DPL 0 from CPL 3", 13, SEL_GATE, "TO_USER; lcall SEL_GATE|3, 0"
	mov	byte ptr [gdt + SEL_GATE + 5], 0x6c
	TRYM	"absent gate", 11, SEL_GATE, "TO_USER; lcall SEL_GATE|3, 0"
	mov	byte ptr [gdt + SEL_GATE + 5], 0xec
	TRYM	"jump through a gate inwards", 13, SEL_CODE32, "TO_USER; ljmp SEL_GATE|3, 0"
	mov	word ptr [gdt + SEL_GATE + 2], SEL_DATA
	TRY	"gate to data", 13, SEL_DATA, "lcall SEL_GATE, 0"
	mov	word ptr [gdt + SEL_GATE + 2], 0
	TRY	"gate to null", 13, 0, "lcall SEL_GATE, 0"
	/* a 16-bit gate copies words */
	SET_DESC SEL_INNER16, 0, 0xffff, 0x009b
	SET_GATE32 SEL_GATE16, SEL_INNER16, "offset gate16", 0xe402
	TRYM	"16-bit call gate", USER_OK, 0, "TO_USER; pushw 0x22; pushw 0x11; lcall SEL_GATE16|3, 0; int USER_OK"
	CHK	"esp after 16-bit retf 4", "[x_frame_sp]", USTACK_TOP
	CHK	"parameters of a 16-bit gate", "[g_frame + 4]", 0x00220011

	/* conforming code: runs at the CPL of its caller */
	SET_DESC SEL_CONF, 0, 0xfffff, 0xc09f
	TRYM	"conforming code of DPL 0 from CPL 3", USER_OK, 0, "TO_USER; lcall SEL_CONF, offset conf; int USER_OK"
	TRY	"conforming code from CPL 0", NONE, 0, "lcall SEL_CONF, offset conf"
	SET_DESC SEL_CONF, 0, 0xfffff, 0xc0ff
	TRY	"conforming code of DPL 3 from CPL 0", 13, SEL_CONF, "lcall SEL_CONF, offset conf"

	/* outward return: inner data segments become null */
	mov	eax, SEL_DATA
	mov	gs, eax
	TRYM	"inner gs at CPL 3", 13, 0, "TO_USER; mov eax, gs:[0x20000]"
	mov	eax, SEL_UDATA
	mov	gs, eax
	TRYM	"user gs at CPL 3", USER_OK, 0, "TO_USER; mov eax, gs:[0x20000]; int USER_OK"
	xor	eax, eax
	mov	gs, eax
	TRYM	"kernel data loaded at CPL 3", 13, SEL_DATA, "TO_USER; push SEL_DATA; pop ds"

	/* looking at descriptors */
	SET_DESC SEL_ABSENT, 0, 0x12345, 0x0013
	SET_DESC SEL_BAD, 0, 0, 0x0080
	mov	eax, SEL_DATA
	SEE	"lar of data", "LAR_", 0x00c09300
	SEE	"lsl of data", "lsl ebx, eax", 0xffffffff
	SEE	"lar, 16 bits", "lar bx, ax", 0x9300
	mov	eax, SEL_TSS
	SEE	"lar of a TSS", "lar ebx, eax", 0x00008b00
	SEE	"lsl of a TSS", "lsl ebx, eax", 0x88
	mov	eax, SEL_LDT
	SEE	"lsl of an LDT", "lsl ebx, eax", 15
	mov	eax, SEL_GATE16
	SEE	"lar of a call gate", "lar ebx, eax", 0x0000e400
	SEE	"lsl of a call gate", "lsl ebx, eax", NONE
	mov	eax, SEL_ABSENT
	SEE	"lar of absent data", "LAR_", 0x00001300
	SEE	"lsl of absent data", "lsl ebx, eax", 0x12345
	mov	eax, SEL_BAD
	SEE	"lar of a reserved kind", "lar ebx, eax", NONE
	mov	eax, 0x400
	SEE	"lar past the GDT", "lar ebx, eax", NONE
	xor	eax, eax
	SEE	"lar of null", "lar ebx, eax", NONE
	mov	eax, SEL_DATA|3
	SEE	"lar of DPL 0 with RPL 3", "lar ebx, eax", NONE
	mov	eax, SEL_DATA
	SEEZ	"verr of data", "verr ax", 1
	SEEZ	"verw of data", "verw ax", 1
	mov	eax, SEL_CODE32
	SEEZ	"verr of code", "verr ax", 1
	SEEZ	"verw of code", "verw ax", 0
	mov	eax, SEL_TSS
	SEEZ	"verr of a TSS", "verr ax", 0
	xor	eax, eax
	SEEZ	"verr of null", "verr ax", 0
	mov	eax, SEL_CODE32|3
	SEEZ	"verr of inner code", "verr ax", 0
	SET_DESC SEL_T, 0, 0, 0x0099
	mov	eax, SEL_T
	SEEZ	"verr of execute-only", "verr ax", 0
	mov	eax, 0x10
	mov	ebx, 0x23
	arpl	ax, bx
	setz	bl
	movzx	ebx, bl
	CHK	"arpl raises", ebx, 1
	CHK	"to", eax, 0x13
	mov	ebx, 0x21
	arpl	ax, bx
	setz	bl
	movzx	ebx, bl
	CHK	"arpl leaves", ebx, 0
	CHK	"as it was", eax, 0x13
	FINISH

gate32:	push	ds
	push	eax
	mov	ax, SEL_DATA
	mov	ds, ax
	mov	[g_cs], cs
	lea	eax, [esp + 8]
	mov	[g_esp], eax
	push	esi
	push	edi
	push	ecx
	push	es
	push	ds
	pop	es
	mov	esi, eax
	mov	edi, offset g_frame
	mov	ecx, 7
	cld
	rep	movsd
	pop	es
	pop	ecx
	pop	edi
	pop	esi
	cmp	dword ptr [g_return], 0
	jne	1f
	int	0x3e
1:	pop	eax
	pop	ds
	retf	12
conf:	retf
	.code16
gate16:	push	bp
	mov	bp, sp
	push	eax
	push	ds
	mov	ax, SEL_DATA
	mov	ds, ax
	mov	eax, [bp + 2]
	mov	[g_frame], eax
	mov	eax, [bp + 6]
	mov	[g_frame + 4], eax
	pop	ds
	pop	eax
	pop	bp
	lret	4

	.balign	4
g_cs:	.long	0
g_esp:	.long	0
g_return: .long	0
g_frame: .fill	8, 4, 0
