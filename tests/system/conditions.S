/* Conditions of flags that an earlier round of a loop left: an engine may guess of what kind they are.
 * Each is compared with the same condition of the flags that were pushed then. SDM vol. 1,
 * appendix B; an alternating loop is guessed wrongly every other time. */
#include "lib.inc"

	.set	ROUNDS, 100

	/* r11d: how often they differed; rbx: the flags as pushed. xmm5 counts rounds by xmm6. */
	.macro	WITH cc, op:vararg
	mov	ecx, ROUNDS
	pushfq
	pop	rbx
1:	paddd	xmm5, xmm6
	set\cc	r9b
	push	rbx
	popfq
	set\cc	r10b
	xor	r9b, r10b
	movzx	r9d, r9b
	add	r11d, r9d
	imul	r12d, r12d, 1103515245
	add	r12d, 12345
	mov	eax, r12d
	mov	edx, r12d
	ror	edx, 13
	bt	r12d, 7
	\op
	pushfq
	pop	rbx
	loop	1b
	.endm
	.macro	FEW name, op:vararg
	xor	r11d, r11d
	.irp	cc, o, b, e, be, s, l
	WITH	\cc, \op
	.endr
	CHK	"\name", r11, 0
	.endm
	.macro	ALL name, op:vararg
	xor	r11d, r11d
	.irp	cc, o, no, b, ae, e, ne, be, a, s, ns, p, np, l, ge, le, g
	WITH	\cc, \op
	.endr
	CHK	"\name", r11, 0
	.endm
	.macro	NOTHING
	.endm
	.macro	CARRIED op			/* with CF of bt */
	\op	eax
	.endm
	.macro	EITHER
	test	r12d, 0x100
	jz	2f
	add	eax, edx
	jmp	3f
2:	cmp	eax, edx
3:
	.endm

	BITS16
main:	ENTER_LONG
	mov	r12d, 1
	mov	eax, 1
	movd	xmm6, eax
	pxor	xmm5, xmm5
	ALL	"add", add eax, edx
	ALL	"sub", sub eax, edx
	ALL	"adc", adc eax, edx
	ALL	"sbb", sbb eax, edx
	ALL	"and", and eax, edx
	ALL	"inc", CARRIED inc
	ALL	"dec", CARRIED dec
	ALL	"add or cmp", EITHER
	ALL	"pushed", NOTHING
	FEW	"shl", shl eax, 3
	FEW	"sar", sar eax, 3
	FEW	"imul", imul eax, edx
	FEW	"cmp, 8 bits", cmp al, dl
	FEW	"cmp, 16 bits", cmp ax, dx
	FEW	"cmp, 64 bits", cmp rax, rdx
	FEW	"add, 8 bits", add al, dl
	FEW	"add, 64 bits", add rax, rdx
	FEW	"sbb, 8 bits", sbb al, dl
	FEW	"or, 16 bits", or ax, dx
	FEW	"inc, 8 bits", inc al
	/* a carry kept by what is itself guessed */
	mov	ecx, ROUNDS
	xor	r11d, r11d
	xor	eax, eax
1:	inc	r11d
	adc	eax, 0
	cmp	ecx, 50
	loop	1b
	CHK	"kept", rax, 48
	movd	eax, xmm5
	CHK	"rounds", rax, ROUNDS*(9*16+11*6)
	FINISH
