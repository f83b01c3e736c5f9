/* Hot loops that call into other pages, which an engine may make one piece of code of: what is at
 * those pages moves, is taken away, may not be executed, or changes while the loop runs. SDM vol. 3,
 * 4.10.4 (what INVLPG and MOV to CR3 promise) and 11.6. */
#include "lib.inc"

	.set	V, 0x40000000		/* four pages: */
	.set	PD, 0x18000
	.set	PT, 0x19000
	.set	A, 0x32000		/* where they are at first, one behind the other */
	.set	B, A + 0x1000
	.set	C, B + 0x1000
	.set	D, C + 0x1000
	.set	ROUNDS, 20000
	.set	CHANGES, 200
	.set	NX, 1 << 63
	.set	PF, 14

	.macro	MAP page, entry
	mov	rax, \entry
	mov	[PT + 8 * \page], rax
	mov	eax, V + 0x1000 * \page
	invlpg	[rax]
	.endm
	/* r13: the sum of what f returns in so many rounds of ecx; `before` comes first in each */
	.macro	SUM f, rounds, before:vararg
	xor	r13d, r13d
	mov	ecx, \rounds
1:	\before
	call	\f
	add	r13, rax
	dec	ecx
	jnz	1b
	.endm

	BITS16
main:	ENTER_LONG
	mov	ecx, 0xc0000080		/* EFER.NXE */
	rdmsr
	or	eax, 0x800
	wrmsr
	mov	edi, PD
	mov	ecx, 0x2000 / 8
	xor	eax, eax
	rep	stosq
	mov	qword ptr [PDPT + 8], PD+7
	mov	qword ptr [PD], PT+7
	mov	rax, cr3
	mov	cr3, rax
	MAP	0, A+7
	MAP	1, B+7
	MAP	2, C+7
	mov	edi, A
	call	put_code
	mov	edi, B
	call	put_code
	mov	dword ptr [B + 1], 2

	/* another page is mapped there */
	call	sum
	CHK	"at first", r13, ROUNDS
	MAP	0, B+7
	call	sum
	CHK	"mapped elsewhere, INVLPG", r13, 2*ROUNDS
	mov	qword ptr [PT], A+7
	mov	rax, cr3
	mov	cr3, rax
	call	sum
	CHK	"mapped elsewhere, CR3", r13, ROUNDS
	xor	r13d, r13d
	mov	ecx, ROUNDS
	mov	ebx, V
1:	call	V
	add	r13, rax
	cmp	ecx, 100
	jne	2f
	mov	qword ptr [PT], B+7
	invlpg	[rbx]
2:	dec	ecx
	jnz	1b
	CHK	"mapped elsewhere in a round", r13, ROUNDS+99
	/* nothing, or no code */
	MAP	0, A+7+NX
	TRYM	"not to be executed", PF, 0x11, "call sum"
	mov	rax, cr2
	CHK	"its CR2", rax, V
	MAP	0, 0
	TRYM	"not mapped", PF, 0x10, "call sum"
	MAP	0, A+7
	call	sum
	CHK	"mapped again", r13, ROUNDS

	/* from page to page and back */
	mov	esi, offset outer
	mov	edi, A + 0x100
	mov	ecx, outer_end - outer
	rep	movsb
	mov	edi, C + 0x300
	call	put_code
	mov	edi, D + 0x300
	call	put_code
	mov	dword ptr [D + 0x301], 50
	mov	edi, B + 0x200
	mov	esi, offset inner
	mov	ecx, inner_end - inner
	rep	movsb
	call	sum_deep
	CHK	"three pages", r13, 12*ROUNDS
	MAP	2, D+7
	call	sum_deep
	CHK	"the last one moved", r13, 61*ROUNDS
	MAP	2, 0
	TRYM	"the last one gone", PF, 0x10, "call sum_deep"
	mov	rax, cr2
	CHK	"its CR2", rax, V+0x2300
	MAP	2, C+7
	call	sum_deep
	CHK	"three pages again", r13, 12*ROUNDS
	SUM	V+0x100, CHANGES, mov [C + 0x301], ecx
	CHK	"the last one written", r13, CHANGES*(CHANGES+1)/2+11*CHANGES
	SUM	V+0x100, 100, mov [B + 0x20b], cl
	CHK	"the second one written", r13, 100*101/2+2*100

	/* on behind a page's end */
	mov	edi, A + 0xffb
	call	put_code		/* the RET is the first byte of B */
	mov	byte ptr [C], 0xff	/* inc eax; ret */
	mov	byte ptr [C + 1], 0xc0
	mov	byte ptr [C + 2], 0xc3
	SUM	V+0xffb, ROUNDS
	CHK	"across a page's end", r13, ROUNDS
	MAP	1, C+7
	SUM	V+0xffb, ROUNDS
	CHK	"its second page moved", r13, 2*ROUNDS
	MAP	1, B+7
	SUM	V+0xffb, ROUNDS
	CHK	"and back", r13, ROUNDS
	xor	r13d, r13d
	mov	ecx, CHANGES
1:	mov	eax, ecx
	and	eax, 1
	or	eax, 0xc300
	mov	[A + 0xfff], ax
	call	V+0xffb
	add	r13, rax
	dec	ecx
	jnz	1b
	CHK	"both pages written at once", r13, CHANGES+(CHANGES/2<<24)

	/* code that changes while it runs, once: where rbx says, else beside the code */
	.macro	ONCE place
	mov	ebx, A + 0x900
	mov	esi, \place
	cmp	ecx, 100
	cmove	ebx, esi
	.endm
	mov	edi, A
	call	put_code
	xor	r13d, r13d
	mov	ecx, ROUNDS
1:	ONCE	A+1
	mov	[rbx], ecx
	call	V
	add	r13, rax
	dec	ecx
	jnz	1b
	CHK	"written by the loop", r13, ROUNDS-100+100*100
	mov	edi, A
	mov	esi, offset changes
	mov	ecx, changes_end - changes
	rep	movsb
	xor	r13d, r13d
	mov	ecx, ROUNDS
1:	ONCE	"offset changed + 1"
	call	V
changed: mov	eax, 1
	add	r13, rax
	dec	ecx
	jnz	1b
	CHK	"the caller written", r13, ROUNDS-100+100*100
	mov	edi, A
	call	put_code
	SUM	V, ROUNDS, inc dword ptr [A + 0x800]
	CHK	"data beside the code", r13, ROUNDS
	CHKD	"is counted", "[A + 0x800]", ROUNDS
	FINISH

sum:	SUM	V, ROUNDS
	ret
sum_deep: SUM	V+0x100, ROUNDS
	ret

	/* What is copied: to V+0x100, to V+0x1200. */
outer:	mov	rax, V+0x1200
	call	rax
	inc	eax
	ret
outer_end:
inner:	mov	rdx, V+0x2300
	call	rdx
	add	eax, 10
	ret
inner_end:
changes: mov	[rbx], ecx
	ret
changes_end:
put_code: mov	byte ptr [rdi], 0xb8		/* mov eax, 1; ret */
	mov	dword ptr [rdi + 1], 1
	mov	byte ptr [rdi + 5], 0xc3
	ret
