/* Real mode: interrupts through the vector table, segment limits and wrapping, unreal mode, and the
 * way into 16- and 32-bit protected mode and back. SDM vol. 3, chapter 20 and 9.9. */
#include "lib.inc"

	.macro	VECTOR n, label
	mov	word ptr [\n * 4], offset \label
	mov	word ptr [\n * 4 + 2], cs
	.endm
	/* RTRY "name", vector, "instruction": faults of real mode, by the vector table; NONE: none */
	.macro	RTRY name, vec, insn
	mov	dword ptr [r_vec], NONE
	mov	word ptr [r_resume], offset .Lend\@
	mov	[r_sp], sp
.Lat\@:	\insn
.Lend\@:
	CHK	"\name", "[r_vec]", \vec
	.if \vec < 32 && \vec != 4
	CHK	"\name: ip", "[r_ip]", "offset .Lat\@"
	.endif
	.endm
	.macro	RSTUB n
rstub\n: mov	dword ptr cs:[r_vec], \n
	jmp	rcommon
	.endm

	BITS16
	RSTUB	0
	RSTUB	4
	RSTUB	5
	RSTUB	6
	RSTUB	12
	RSTUB	13
rcommon:
	push	ax
	xor	ax, ax
	mov	ds, ax
	mov	es, ax
	pop	ax
	pop	word ptr [r_ip]
	pop	word ptr [r_cs]
	pop	word ptr [r_flags]
	mov	ss, word ptr [zero]
	mov	sp, [r_sp]
	jmp	word ptr [r_resume]

main:	VECTOR	0, rstub0
	VECTOR	4, rstub4
	VECTOR	5, rstub5
	VECTOR	6, rstub6
	VECTOR	12, rstub12
	VECTOR	13, rstub13
	VECTOR	0x40, int40

	/* INT: pushes flags, cs, ip; clears IF and TF; IRET takes them back */
	sti
	stc
	mov	bx, sp
	int	0x40
after:	pushf
	cli
	pop	ax
	and	eax, 0x301
	CHK	"flags after iret", eax, 0x201
	movzx	eax, sp
	movzx	ebx, bx
	CHK	"sp after iret", eax, ebx
	movzx	eax, word ptr [i_flags]
	and	eax, 0x301
	CHK	"flags in the frame", eax, 0x201
	movzx	eax, word ptr [i_inner]
	and	eax, 0x300
	CHK	"IF and TF in the handler", eax, 0
	movzx	eax, word ptr [i_ip]
	CHK	"ip in the frame", eax, "offset after"

	mov	ax, 1
	xor	dx, dx
	xor	cx, cx
	RTRY	"div", 0, "div cx"
	RTRY	"ud2", 6, "ud2"
	RTRY	"lldt is not of real mode", 6, "lldt ax"
	RTRY	"ltr is not of real mode", 6, "ltr ax"
	RTRY	"str is not of real mode", 6, "str ax"
	RTRY	"verr is not of real mode", 6, "verr ax"
	RTRY	"lar is not of real mode", 6, "lar ax, bx"
	RTRY	"arpl is not of real mode", 6, ".byte 0x63, 0xc0"
	mov	al, 0x7f
	add	al, 1
	RTRY	"into", 4, "into; nop"
	mov	ax, 5
	mov	dword ptr [0x3000], 0x00040001
	RTRY	"bound", 5, "bound ax, [0x3000]"
	mov	ax, 4
	RTRY	"in bounds", NONE, "bound ax, [0x3000]"

	/* limits and wrapping */
	mov	bx, 0xffff
	RTRY	"word at ffff", 13, "mov ax, [bx]"
	RTRY	"byte at ffff", NONE, "mov al, [bx]"
	mov	ebx, 0x10000
	RTRY	"32-bit offset past 64 KiB", 13, "mov al, [ebx]"
	mov	bp, 0xffff
	RTRY	"word at ss:ffff", 12, "mov ax, [bp]"
	mov	bx, 0xfff0
	mov	byte ptr [0x10], 0x5a
	mov	al, [bx + 0x20]
	movzx	eax, al
	CHK	"16-bit address wraps", eax, 0x5a
	mov	ax, 0x7000
	mov	ss, ax
	xor	sp, sp
	push	0x1234
	mov	[r_sp], sp
	xor	ax, ax
	mov	ss, ax
	movzx	eax, word ptr [r_sp]
	mov	sp, STACK_TOP
	CHK	"push wraps sp", eax, 0xfffe
	mov	ax, 0x7000
	mov	ds, ax
	mov	bx, [0xfffe]
	xor	ax, ax
	mov	ds, ax
	movzx	ebx, bx
	CHK	"where it went", ebx, 0x1234
	/* beyond 1 MiB: A20 is open */
	mov	ax, 0xffff
	mov	ds, ax
	mov	byte ptr [0x20], 0x77
	xor	ax, ax
	mov	ds, ax
	movzx	eax, byte ptr [0x10]
	CHK	"A20 is open", eax, 0x5a
	/* string instructions wrap, too */
	mov	di, 0xfffe
	mov	ax, 0x7000
	mov	es, ax
	mov	al, 0xee
	mov	cx, 4
	rep	stosb
	xor	ax, ax
	mov	es, ax
	movzx	eax, di
	CHK	"rep stosb wraps di", eax, 2
	mov	ax, 0x7000
	mov	ds, ax
	mov	eax, [0]
	xor	bx, bx
	mov	ds, bx
	and	eax, 0xffff
	CHK	"and what it wrote", eax, 0xeeee
	mov	ax, 0x7000
	mov	es, ax
	mov	di, 0xffff
	mov	cx, 2
	RTRY	"stosw at ffff", 13, "rep stosw"
	/* far calls */
	lcall	0x100, offset far_proc - 0x1000
back:	movzx	eax, bx
	CHK	"cs of a far call", eax, 0x100
	movzx	eax, word ptr [r_ip]
	CHK	"its return address", eax, "offset back"
	smsw	eax
	and	eax, 0xf
	CHK	"smsw in real mode", eax, 0

	/* unreal mode: the limit of protected mode stays */
	cli
	lgdt	[gdtr]
	mov	eax, cr0
	or	al, 1
	mov	cr0, eax
	jmp	1f
1:	mov	bx, SEL_DATA
	mov	ds, bx
	and	al, 0xfe
	mov	cr0, eax
	jmp	2f
2:	xor	ax, ax
	mov	ds, ax
	mov	ebx, 0x120000
	mov	dword ptr [ebx], 0x600df00d
	mov	eax, [ebx]
	CHK	"unreal mode", eax, 0x600df00d
	lidt	[ivtr]

	/* to 16-bit protected mode, to 32 bits, and back */
	mov	eax, cr0
	or	al, 1
	mov	cr0, eax
	ljmp	SEL_CODE16, offset pm16
pm16:	mov	ax, SEL_DATA16
	mov	ds, ax
	mov	es, ax
	mov	ss, ax
	movzx	esp, sp
	mov	ax, cs
	movzx	eax, ax
	CHK	"16-bit protected mode", eax, SEL_CODE16
	ENTER_PM32
	mov	eax, 0x12345678
	push	eax
	CHK	"32-bit protected mode", "[esp]", 0x12345678
	TRY	"#UD in it", 6, 0, "ud2"
	smsw	eax
	and	eax, 1
	CHK	"smsw in protected mode", eax, 1
	ljmp	SEL_CODE16, offset down
	BITS16
down:	mov	ax, SEL_DATA16
	mov	ds, ax
	mov	es, ax
	mov	ss, ax
	mov	fs, ax
	mov	gs, ax
	mov	eax, cr0
	and	al, 0xfe
	mov	cr0, eax
	ljmp	0, offset real
real:	xor	ax, ax
	mov	ds, ax
	mov	es, ax
	mov	ss, ax
	mov	sp, STACK_TOP
	lidt	[ivtr]
	RTRY	"#UD back in real mode", 6, "ud2"
	RTRY	"limit back in real mode", 13, "mov eax, [0xffff]"
	/* an IDT elsewhere, and too short */
	mov	ax, [6 * 4]
	mov	[0x3000 + 6 * 4], ax
	mov	word ptr [0x3000 + 6 * 4 + 2], 0
	mov	word ptr [0x3000 + 13 * 4], offset rstub13
	mov	word ptr [0x3000 + 13 * 4 + 2], 0
	mov	word ptr [0x2f00], 14 * 4 - 1
	mov	dword ptr [0x2f02], 0x3000
	lidt	[0x2f00]
	RTRY	"IDT elsewhere", 6, "ud2"
	RTRY	"int past its limit", 13, "int 0x40"
	FINISH

int40:	pushf
	pop	word ptr [i_inner]
	push	bp
	mov	bp, sp
	mov	ax, [bp + 2]
	mov	[i_ip], ax
	mov	ax, [bp + 6]
	mov	[i_flags], ax
	pop	bp
	iret
far_proc:
	push	bp
	mov	bp, sp
	mov	bx, cs
	mov	ax, [bp + 2]
	mov	[r_ip], ax
	pop	bp
	lret

	.balign	4
r_vec:	.long	0
r_resume: .long	0
r_ip:	.long	0
r_cs:	.long	0
r_flags: .long	0
r_sp:	.long	0
i_flags: .long	0
i_inner: .long	0
i_ip:	.long	0
zero:	.long	0
