/* When interrupts are taken: the 8259 and the 8254, priorities and CR8, the shadow of STI, HLT, NMIs
 * and their blocking until IRET. SDM vol. 3, chapters 6 and 11. */
#include "lib.inc"

	/* a handler that counts at `name` and notes the ip, and answers the local APIC */
	.macro	HANDLER name
h_\name: push	rax
	mov	rax, [rsp + 8]
	mov	[ip_\name], rax
	inc	qword ptr [n_\name]
	inc	qword ptr [seq]
	mov	rax, [seq]
	mov	[seq_\name], rax
	mov	eax, LAPIC
	mov	dword ptr [rax + 0xb0], 0
	pop	rax
	iretq
	.pushsection .data
	.balign 8
n_\name: .quad	0
ip_\name: .quad	0
seq_\name: .quad 0
	.popsection
	.endm
	/* an interrupt of this vector to ourselves, pending at once */
	.macro	SELF vector
	mov	dword ptr [r15 + 0x310], 0
	mov	dword ptr [r15 + 0x300], 0x44000 | \vector
	.endm
	.macro	SELF_NMI
	mov	dword ptr [r15 + 0x310], 0
	mov	dword ptr [r15 + 0x300], 0x4400
	.endm

	/* long enough for an interrupt sent to ourselves: how soon it comes is not architectural */
	.macro	SETTLE
	push	rcx
	mov	ecx, 20
.Lwait\@: dec	ecx
	jnz	.Lwait\@
	pop	rcx
	.endm

	BITS16
main:	ENTER_LONG
	mov	r15d, LAPIC
	SET_GATE 0x60, h_a
	SET_GATE 0x70, h_b
	SET_GATE 0x40, h_pit
	SET_GATE 2, h_nmi
	mov	dword ptr [r15 + 0xf0], 0x1ff	/* enabled */
	/* 8259s: vectors 40h and 48h, only IRQ 0 */
	mov	al, 0x11
	out	0x20, al
	out	0xa0, al
	mov	al, 0x40
	out	0x21, al
	mov	al, 0x48
	out	0xa1, al
	mov	al, 4
	out	0x21, al
	mov	al, 2
	out	0xa1, al
	mov	al, 1
	out	0x21, al
	out	0xa1, al
	mov	al, 0xfe
	out	0x21, al
	mov	al, 0xff
	out	0xa1, al
	in	al, 0x21
	movzx	eax, al
	CHK	"8259 mask reads back", rax, 0xfe

	/* 8254 at about 1 kHz through the 8259 and LINT0 */
	mov	al, 0x34
	out	0x43, al
	mov	al, 0xa9
	out	0x40, al
	mov	al, 0x04
	out	0x40, al
	sti
1:	cmp	dword ptr [n_pit], 5
	jb	1b
	CHK	"PIT interrupts while busy", 1, 1
2:	hlt
	cmp	dword ptr [n_pit], 10
	jb	2b
	CHK	"and out of HLT", 1, 1
	cli
	mov	al, 0xff
	out	0x21, al
	/* poll the counter: it goes down */
	mov	al, 0x0
	out	0x43, al
	in	al, 0x40
	mov	bl, al
	in	al, 0x40
	mov	bh, al
	movzx	ebx, bx
	xor	eax, eax
	cmp	ebx, 0x4a9
	seta	al
	CHK	"counter within its period", rax, 0

	/* pending while IF is clear */
	SELF	0x60
	nop
	CHK	"not taken with IF clear", "[n_a]", 0
	mov	eax, [r15 + 0x230]
	CHK	"but in the IRR", rax, 1
	sti
t0:	nop
t1:	nop
	cli
	CHK	"taken after sti", "[n_a]", 1
	CHK	"one instruction later", "[ip_a]", "offset t1"
	SELF	0x60
	sti
	cli
	CHK	"sti; cli takes none", "[n_a]", 1
	sti
	hlt
t2:	cli
	CHK	"sti; hlt takes it", "[n_a]", 2
	CHK	"after the hlt", "[ip_a]", "offset t2"
	SELF	0x60
	push	0x202
	popfq
t5:	nop
	cli
	CHK	"popf has no shadow", "[ip_a]", "offset t5"
	SELF	0x60
	mov	rax, rsp
	push	SEL_DATA
	push	rax
	push	0x202
	push	SEL_CODE64
	push	offset t6
	iretq
t6:	nop
	cli
	CHK	"nor has iret", "[ip_a]", "offset t6"

	/* priorities */
	mov	qword ptr [seq], 0
	SELF	0x60
	SELF	0x70
	sti
	nop
p_at:	nop
	cli
	CHK	"both were taken", "[n_b]", 1
	CHK	"the lower one too", "[ip_a]", "offset p_at"
	CHK	"the higher one came first", "[seq_b]", 1
	mov	eax, 6
	mov	cr8, rax
	mov	qword ptr [n_a], 0
	SELF	0x60
	sti
	SETTLE
	CHK	"held back by CR8", "[n_a]", 0
	mov	eax, [r15 + 0x80]
	CHK	"which is the TPR", rax, 0x60
	SELF	0x70
	SETTLE
	CHK	"a higher one is not", "[n_b]", 2
	mov	eax, 5
t7:	mov	cr8, rax
t8:	nop
	CHK	"taken when CR8 allows", "[n_a]", 1
	CHK	"at once", "[ip_a]", "offset t8"
	cli
	xor	eax, eax
	mov	cr8, rax
	/* in service: no lower one before the EOI */
	SET_GATE 0x61, h_nest
	mov	qword ptr [n_a], 0
	SELF	0x61
	sti
	nop
	nop
	cli
	CHK	"same class waits for the EOI", "[nest_before]", 0
	CHK	"and comes after it", "[nest_after]", 1

	/* NMIs */
	SELF_NMI
	SETTLE
	CHK	"NMI with IF clear", "[n_nmi]", 1
	/* NMI wakes HLT with IF clear: the 8254 sends it through the I/O APIC */
	mov	r14d, 0xfec00000
	mov	dword ptr [r14], 0x15
	mov	dword ptr [r14 + 0x10], 0
	mov	dword ptr [r14], 0x14
	mov	dword ptr [r14 + 0x10], 0x400
	hlt
	mov	dword ptr [r14 + 0x10], 0x10000
	xor	eax, eax
	cmp	qword ptr [n_nmi], 2
	setae	al
	CHK	"NMI wakes HLT with IF clear", rax, 1
	mov	qword ptr [n_nmi], 0
	mov	dword ptr [nmi_again], 1
	SELF_NMI
	SETTLE
	CHK	"second NMI is held until IRET", "[nmi_seen]", 1
	CHK	"and taken then", "[n_nmi]", 2
	mov	qword ptr [n_nmi], 0
	mov	dword ptr [nmi_again], 2
	SET_GATE 0x3d, h_iret
	SELF_NMI
	SETTLE
	CHK	"any IRET lets the second in", "[nmi_seen]", 2
	/* interrupts within an NMI handler are not held */
	mov	qword ptr [n_nmi], 0
	mov	qword ptr [n_a], 0
	mov	dword ptr [nmi_again], 3
	SELF_NMI
	SETTLE
	CHK	"interrupt within an NMI handler", "[nmi_seen]", 1
	/* at CPL 3 */
	mov	dword ptr [nmi_again], 0
	RESET_GATE 0x2f
	mov	qword ptr [u_flags], 0x202
	SELF	0x2f
	TRYM	"interrupt at CPL 3", 0x2f, 0, "TO_USER; irq_at: jmp irq_at"
	CHK	"its ip", "[x_ip]", "offset irq_at"
	CHK	"its cs", "[x_code]", SEL_UCODE64
	mov	dword ptr [r15 + 0xb0], 0
	FINISH

	HANDLER	a
	HANDLER	b
h_pit:	push	rax
	inc	qword ptr [n_pit]
	mov	al, 0x20
	out	0x20, al
	pop	rax
	iretq
h_nest:	push	rax
	SELF	0x60
	sti
	nop
	nop
	mov	rax, [n_a]
	mov	[nest_before], rax
	mov	dword ptr [r15 + 0xb0], 0
	SETTLE
	mov	rax, [n_a]
	mov	[nest_after], rax
	cli
	pop	rax
	iretq
h_iret:	iretq
h_nmi:	push	rax
	inc	qword ptr [n_nmi]
	mov	eax, [nmi_again]
	mov	dword ptr [nmi_again], 0
	cmp	eax, 1
	jb	9f
	cmp	eax, 3
	je	3f
	cmp	eax, 2
	je	2f
	SELF_NMI
	SETTLE
	mov	rax, [n_nmi]
	mov	[nmi_seen], rax
9:	pop	rax
	iretq
2:	SELF_NMI
	SETTLE
	int	0x3d
	SETTLE
	mov	rax, [n_nmi]
	mov	[nmi_seen], rax
	jmp	9b
3:	SELF	0x60
	sti
	SETTLE
	cli
	mov	rax, [n_a]
	mov	[nmi_seen], rax
	jmp	9b

	.data
	.balign	8
seq:	.quad	0
n_pit:	.quad	0
n_nmi:	.quad	0
nmi_again: .quad 0
nmi_seen: .quad	0
nest_before: .quad 99
nest_after: .quad 0
