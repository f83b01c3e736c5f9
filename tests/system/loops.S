/* Loops that access the same page again and again, of which an engine may remember where it is: whatever
 * changes that must be seen by the next round. SDM vol. 3, 4.8, 4.10.4 and 8.1.3. */
#include "lib.inc"

	.set	PA, 0x30000
	.set	PB, 0x31000
	.set	PCODE, 0x32000
	.set	ROUNDS, 300
	.set	NOTHING, 0xfeb00000	/* physical, where nothing answers */

	.macro	MAP n, value
	mov	rax, \value
	mov	[PT + 8 * \n], rax
	invlpg	[r15 + 0x1000 * \n]
	.endm
	.macro	SUM name, want
	call	rd
	CHK	"\name", rax,\want
	call	rd1
	CHK	"\name, alone", rax,\want
	.endm
	.macro	HOT
	mov	rbx, r15
	.rept	40
	call	rd
	call	rd1
	call	wr
	.endr
	mov	dword ptr [rbx], 1
	mov	dword ptr [rbx + 8], 2
	.endm

	BITS16
main:	ENTER_LONG
	MAP_V
	mov	edi, PA
	mov	ecx, 0x9000 / 8
	rep	stosq
	mov	r15, V
	mov	rax, cr0
	bts	rax, 16
	mov	cr0, rax
	mov	dword ptr [PB], 10
	mov	dword ptr [PB + 8], 20
	MAP	0, PA+7

	HOT
	SUM	"in one page", 3*ROUNDS
	MAP	0, PB+7
	SUM	"after invlpg", 30*ROUNDS
	mov	dword ptr [PT], PA+7
	mov	rax, cr3
	mov	cr3, rax
	SUM	"after a write of cr3", 3*ROUNDS
	CR4_SET	7
	MAP	0, PA+0x107
	call	rd
	call	rd1
	mov	dword ptr [PT], PB+0x107
	CR4_CLEAR 7
	SUM	"global, after CR4.PGE", 30*ROUNDS

	/* remapped within the round */
	MAP	0, PA+7
	mov	ecx, 200
	xor	eax, eax
1:	add	eax, [rbx]
	xor	dword ptr [PT], PA ^ PB
	invlpg	[rbx]
	add	eax, [rbx]
	dec	ecx
	jnz	1b
	CHK	"invlpg in the round", rax,2200
	mov	ecx, 200
	xor	eax, eax
1:	add	eax, [rbx]
	xor	dword ptr [PT], PA ^ PB
	mov	rdx, cr3
	mov	cr3, rdx
	add	eax, [rbx]
	dec	ecx
	jnz	1b
	CHK	"cr3 in the round", rax,2200

	/* accessed and dirty bits */
	MAP	0, PA+7
	HOT
	and	byte ptr [PT], ~0x60
	invlpg	[rbx]
	call	rd
	mov	eax, [PT]
	CHK	"accessed", rax,PA+0x27
	and	byte ptr [PT], ~0x60
	invlpg	[rbx]
	call	wr
	mov	eax, [PT]
	CHK	"dirty", rax,PA+0x67
	mov	dword ptr [PA], 1
	mov	dword ptr [PA + 8], 2

	/* rights */
	MAP	0, PA+5
	TRYM	"read-only", 14, 3, "call wr"
	SUM	"reads of it", 3*ROUNDS
	MAP	0, 0
	TRYM	"not there", 14, 0, "call rd"
	TRYM	"not there, written", 14, 2, "call wr"
	MAP	0, PA+7
	HOT
	mov	rbx, 0x800000000000
	TRYM	"not canonical", 13, 0, "call rd"
	TRYM	"not canonical, alone", 13, 0, "call rd1"
	TRYM	"not canonical, written", 13, 0, "call wr"
	mov	rbx, r15

	/* bytes in two pages */
	MAP	0, PB+7
	MAP	1, PA+7
	mov	dword ptr [PB + 0xffc], 5
	mov	dword ptr [PA + 4], 7
	lea	rbx, [r15 + 0xffc]
	SUM	"in two pages", 12*ROUNDS
	mov	dword ptr [PB + 0xffc], 0x30000
	mov	dword ptr [PA + 4], 0
	mov	dword ptr [PA + 8], 0
	lea	rbx, [r15 + 0xffe]
	SUM	"across", 0x10003*ROUNDS
	MAP	1, 0
	TRYM	"across, half there", 14, 0, "call rd"
	TRYM	"across, half there, written", 14, 2, "call wr"
	mov	rbx, r15

	/* a device's */
	MAP	0, NOTHING+7
	SUM	"where nothing is", (-2*ROUNDS)&0xffffffff
	MAP	0, PB+7
	SUM	"and back", 30*ROUNDS

	/* code written by a loop that has written data there */
	MAP	0, PCODE+7
	HOT
	mov	byte ptr [PCODE], 0xb8		/* mov eax, ...; ret */
	mov	byte ptr [PCODE + 5], 0xc3
	lea	rbx, [r15 + 1]
	mov	r8d, PCODE
	mov	ecx, 200
	xor	edx, edx
1:	mov	[rbx], ecx
	call	r8
	add	edx, eax
	dec	ecx
	jnz	1b
	CHK	"code", rdx,20100

	/* from page to page */
	MAP	0, PA+7
	MAP	1, PA+0x1007
	MAP	2, PA+0x2007
	MAP	3, PA+0x3007
	mov	dword ptr [PA], 1
	mov	dword ptr [PA + 0x1000], 2
	mov	dword ptr [PA + 0x2000], 4
	mov	dword ptr [PA + 0x3000], 8
	xor	eax, eax
	xor	esi, esi
	mov	ecx, 40000
1:	add	eax, [r15 + rsi]
	add	esi, 0x1000
	and	esi, 0x3fff
	dec	ecx
	jnz	1b
	CHK	"from page to page", rax, 15*10000

	/* a frame that lies in two pages for as long as the loop runs: what its accesses share is no
	 * use then (see --counts in run.c) */
	mov	dword ptr [PA + 0xff8], 3
	mov	dword ptr [PA + 0xffc], 5
	mov	dword ptr [PA + 0x1000], 7
	lea	rbx, [r15 + 0xff8]
	xor	eax, eax
	mov	ecx, 40000
1:	add	eax, [rbx]
	add	eax, [rbx + 8]
	mov	[rbx + 4], ecx
	dec	ecx
	jnz	1b
	mov	edx, [PA + 0xffc]
	CHK	"a frame in two pages", rax, 10*40000
	CHK	"what was stored in it", rdx, 1

	/* vectors whose own bytes lie in two pages */
	mov	dword ptr [PA + 0xff8], 3
	mov	dword ptr [PA + 0xffc], 5
	mov	dword ptr [PA + 0x1000], 7
	mov	dword ptr [PA + 0x1004], 9
	mov	ecx, 1000
1:	movups	xmm1, [r15 + 0xff8]
	movss	xmm2, [r15 + 0xffe]
	paddd	xmm1, xmm1
	movups	[r15 + 0xff8], xmm1
	movups	[r15 + 0xff8], xmm1
	psrld	xmm1, 1
	movups	[r15 + 0xff8], xmm1
	dec	ecx
	jnz	1b
	pextrq	rax, xmm2, 1
	CHK	"the rest of a vector", rax, 0
	movq	rax, xmm2
	CHK	"four bytes of a vector", rax, 0x70000
	mov	eax, [PA + 0x1004]
	shl	rax, 32
	mov	edx, [PA + 0xffc]
	or	rax, rdx
	mov	rdx, 0x900000005
	sub	rax, rdx
	CHK	"a vector in two pages", rax, 0

	/* an address that is twice a number just read, which nobody needs after that */
	mov	byte ptr [PA], 2
	mov	word ptr [PB + 4], 9
	mov	ebx, PA
	xor	esi, esi
	mov	ecx, 3000
1:	movzx	eax, byte ptr [rbx]
	movzx	edx, word ptr [rax + rax + PB]
	add	esi, edx
	dec	ecx
	jnz	1b
	CHK	"base and index in one", rsi, 9*3000
	mov	ecx, 3000
1:	movzx	r12d, byte ptr [rbx]
	movzx	r12d, word ptr [r12 + r12 + PB]
	add	esi, r12d
	dec	ecx
	jnz	1b
	CHK	"and where the sum goes", rsi, 2*9*3000
	FINISH

	/* rax: ROUNDS times the two numbers at rbx; rcx is lost */
	.balign	64
rd:	mov	ecx, ROUNDS
	xor	eax, eax
1:	add	eax, [rbx]
	add	eax, [rbx + 8]
	dec	ecx
	jnz	1b
	ret
	/* the same in two loops */
rd1:	mov	ecx, ROUNDS
	xor	eax, eax
1:	add	eax, [rbx]
	dec	ecx
	jnz	1b
	mov	ecx, ROUNDS
1:	add	eax, [rbx + 8]
	dec	ecx
	jnz	1b
	ret
wr:	mov	ecx, ROUNDS
1:	mov	[rbx], edx
	add	dword ptr [rbx + 8], 1
	dec	ecx
	jnz	1b
	ret
