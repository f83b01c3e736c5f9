/* Code that changes itself, on one CPU: the next instruction, the same block, another page, by an
 * alias in the page tables, by string instructions over the code that runs, and by a DMA-like wide
 * store. x86 shows a store to its own next instruction at once. SDM vol. 3, 8.1.3 and 11.6. */
#include "lib.inc"

	.set	PCODE, 0x32000		/* V is an alias of it */

	BITS16
main:	ENTER_LONG
	MAP_V
	mov	qword ptr [PT], PCODE+7
	mov	qword ptr [PT + 8], PCODE+0x1007

	/* the immediate of the next instruction */
	mov	dword ptr [a1 + 1], 2
a1:	mov	eax, 1
	CHK	"next instruction", rax, 2
	/* farther on in the block */
	xor	ecx, ecx
	mov	byte ptr [b1], 0x90
	inc	ecx
	inc	ecx
	inc	ecx
b1:	cli				/* or nop */
	CHK	"later in the block", rcx, 3
	mov	byte ptr [c1 + 1], 0xc9		/* inc ecx to dec ecx */
	xor	ecx, ecx
c1:	.byte	0xff, 0xc1
	CHKD	"opcode in the block", ecx, -1
	/* in a loop, each round another immediate */
	mov	ecx, 100
	xor	eax, eax
d0:	mov	[d1 + 1], ecx
d1:	add	eax, 0x11111111
	dec	ecx
	jnz	d0
	CHK	"in a loop", rax, 5050
	/* after the place: the block is old when it comes round again */
	mov	ecx, 10
	xor	eax, eax
	mov	dword ptr [e1 + 1], 0
e1:	add	eax, 0x11111111
	inc	dword ptr [e1 + 1]
	dec	ecx
	jnz	e1
	CHK	"before the store", rax, 45
	/* a branch turned around */
	mov	byte ptr [f1 + 1], f3 - f2
	xor	ecx, ecx
f1:	jmp	f2
f2:	mov	ecx, 1
f3:	CHK	"branch target", rcx, 0

	/* code in another page, called, changed, called */
	mov	edi, PCODE
	call	put_code
	mov	ebx, PCODE
	mov	r12d, 50
	mov	r13d, 0
1:	mov	[PCODE + 1], r12d
	call	rbx
	add	r13d, eax
	dec	r12d
	jnz	1b
	CHK	"another page", r13, 1275
	/* by its alias */
	mov	rsi, V
	call	rbx
	mov	dword ptr [rsi + 1], 77
	call	rbx
	CHK	"changed by an alias", rax, 77
	mov	dword ptr [PCODE + 1], 78
	call	rsi
	CHK	"called by an alias", rax, 78
	mov	dword ptr [rsi + 1], 79
	call	rsi
	CHK	"both", rax, 79
	/* an instruction across two pages, either half changed */
	mov	edi, PCODE+0xffd		/* b8 xx xx | xx xx c3 */
	call	put_code
	mov	ebx, PCODE+0xffd
	call	rbx
	CHK	"across pages", rax, 1
	mov	byte ptr [PCODE + 0x1000], 3
	call	rbx
	CHK	"its second half changed", rax, 0x30001
	mov	byte ptr [PCODE + 0xffe], 5
	call	rbx
	CHK	"its first half changed", rax, 0x30005
	mov	dword ptr [PCODE + 0xffe], 0x44332211
	call	rbx
	CHK	"changed by one store across", rax, 0x44332211
	/* other kinds of stores */
	mov	edi, PCODE
	call	put_code
	mov	ebx, PCODE
	call	rbx
	mov	byte ptr [PCODE + 8], 0
	lock add dword ptr [PCODE + 1], 4
	call	rbx
	CHK	"locked add", rax, 5
	mov	eax, 9
	xchg	[PCODE + 1], eax
	call	rbx
	CHK	"xchg", rax, 9
	mov	eax, 9
	mov	ecx, 10
	cmpxchg [PCODE + 1], ecx
	call	rbx
	CHK	"cmpxchg", rax, 10
	movups	xmm0, [PCODE]
	mov	dword ptr [PCODE + 0x101], 11
	mov	byte ptr [PCODE + 0x100], 0xb8
	mov	byte ptr [PCODE + 0x105], 0xc3
	movups	xmm0, [PCODE + 0x100]
	movups	[PCODE], xmm0
	call	rbx
	CHK	"movups", rax, 11
	mov	dword ptr [PCODE + 0x101], 12
	mov	esi, PCODE + 0x100
	mov	edi, PCODE
	mov	ecx, 6
	rep	movsb
	call	rbx
	CHK	"rep movsb", rax, 12
	mov	edi, PCODE + 1
	mov	al, 1
	mov	ecx, 4
	rep	stosb
	call	rbx
	CHK	"rep stosb", rax, 0x01010101
	push	rsp
	pop	rbp
	mov	esp, PCODE + 9
	mov	rax, 0xc30000007f
	push	rax
	mov	rsp, rbp
	call	rbx
	CHK	"push", rax, 0x7f
	mov	dword ptr [0x20000], 0x12345678
	fninit
	fild	dword ptr [0x20000]
	fistp	dword ptr [PCODE + 1]
	mov	byte ptr [PCODE], 0xb8
	mov	byte ptr [PCODE + 5], 0xc3
	call	rbx
	CHK	"fistp", rax, 0x12345678

	/* rep movsb over the code that runs it and comes after it */
	mov	edi, offset g1
	mov	esi, offset g_new
	mov	ecx, g_end - g_new
	rep	movsb
g1:	mov	eax, 1
	mov	ebx, 1
	CHK	"rep movsb over what follows, 1", rax, 2
	CHK	"rep movsb over what follows, 2", rbx, 3
	/* a page that is code and data in turn */
	mov	edi, PCODE
	call	put_code
	mov	ecx, 200
	xor	r12d, r12d
	mov	ebx, PCODE
1:	inc	dword ptr [PCODE + 0x800]
	call	rbx
	add	r12d, eax
	dec	ecx
	jnz	1b
	CHK	"data beside code", r12, 200
	CHKD	"is counted", "[PCODE + 0x800]", 200
	/* code of the same bytes in two modes */
	mov	byte ptr [PCODE], 0x48		/* dec eax; or REX.W */
	mov	byte ptr [PCODE + 1], 0xff	/* inc eax */
	mov	byte ptr [PCODE + 2], 0xc0
	mov	byte ptr [PCODE + 3], 0xc3
	mov	rax, 0xffffffff
	call	rbx
	shr	rax, 32
	CHK	"as 64-bit code", rax, 1
	push	SEL_CODE32
	push	offset m32
	retfq
	BITS32
m32:	mov	eax, 5
	mov	ebx, PCODE
	call	ebx
	CHK	"as 32-bit code", eax, 5
	ljmp	SEL_CODE64, offset m64
	BITS64
m64:	mov	rsp, STACK_TOP
	/* memory that is not there yet: the code's page is mapped elsewhere */
	mov	edi, PCODE+0x2000
	call	put_code
	mov	byte ptr [PCODE + 0x2001], 0x42
	mov	edi, PCODE
	call	put_code
	mov	rbx, V
	call	rbx
	CHK	"before", rax, 1
	mov	qword ptr [PT], PCODE+0x2007
	invlpg	[rbx]
	call	rbx
	CHK	"after the page was mapped elsewhere", rax, 0x42
	FINISH

put_code: mov	byte ptr [rdi], 0xb8		/* mov eax, 1; ret */
	mov	dword ptr [rdi + 1], 1
	mov	byte ptr [rdi + 5], 0xc3
	ret
g_new:	mov	eax, 2
	mov	ebx, 3
g_end:
