/* Single steps and debug registers: TF, RF, execution, write and read-write breakpoints, general
 * detection, and what MOV SS and STI hold back. SDM vol. 3, chapter 17. */
#include "lib.inc"

	.macro	DR7_ value
	mov	eax, \value
	mov	dr7, rax
	.endm
	.macro	CHK_DR6 name, want
	mov	rax, dr6
	and	eax, 0xe00f
	CHK	"\name", rax, \want
	xor	eax, eax
	mov	dr6, rax
	.endm

	BITS16
main:	ENTER_LONG
	SET_GATE 1, db_count
	/* single steps: the ips seen */
	xor	eax, eax
	mov	dr6, rax
	call	steps_reset
	push	0x102
	popfq
s0:	nop				/* a step after each */
s1:	inc	ecx
s2:	mov	eax, [0x20000]
s3:	jmp	s5
s4:	ud2
s5:	push	2
s6:	popfq
s7:	nop
	CHK	"steps", "[n_steps]", 6
	CHK	"first", "[steps]", "offset s1"
	CHK	"second", "[steps + 8]", "offset s2"
	CHK	"after a load", "[steps + 16]", "offset s3"
	CHK	"after a jump", "[steps + 24]", "offset s5"
	CHK	"after popf that ends it", "[steps + 40]", "offset s7"
	CHK_DR6	"DR6.BS", 0x4000
	/* a string instruction steps after each iteration */
	call	steps_reset
	mov	edi, 0x20000
	mov	ecx, 3
	push	0x102
	popfq
r0:	rep	stosb
r1:	push	2
	popfq
	CHK	"steps of rep stosb", "[n_steps]", 5
	CHK	"inside it", "[steps + 8]", "offset r0"
	CHK	"after it", "[steps + 16]", "offset r1"
	/* MOV SS holds the step back */
	call	steps_reset
	mov	eax, SEL_DATA
	push	0x102
	popfq
m0:	mov	ss, eax
m1:	nop
m2:	push	2
	popfq
	CHK	"step after mov ss is held back", "[steps]", "offset m2"
	/* an exception and its handler are not stepped; INT is not, its handler neither */
	call	steps_reset
	SET_GATE 0x3e, int_ret
	mov	dword ptr [h_ran], 0
	push	0x102
	popfq
i0:	int	0x3e
i1:	nop
i2:	push	2
	popfq
	CHK	"handler ran", "[h_ran]", 1
	CHK	"no step in it", "[steps]", "offset i2"
	/* pushf shows TF */
	call	steps_reset
	push	0x102
	popfq
	pushfq
	pop	rbx
	push	2
	popfq
	and	ebx, 0x100
	CHK	"pushf shows TF", rbx, 0x100
	/* syscall with TF masked does not step in the kernel: see syscall.S */

	/* execution breakpoint: before the instruction, and RF gets past it */
	call	steps_reset
	xor	eax, eax
	mov	dr6, rax
	mov	eax, offset b1
	mov	dr0, rax
	DR7_	0x402
	xor	ebx, ebx
b0:	inc	ebx
b1:	inc	ebx
b2:	inc	ebx
	CHK	"execution breakpoint, once", "[n_steps]", 1
	CHK	"at the instruction", "[steps]", "offset b1"
	CHK	"all ran", rbx, 3
	CHK_DR6	"DR6.B0", 1
	DR7_	0x400
	call	steps_reset
	jmp	b3
b3:	call	b_fn
	CHK	"disabled", "[n_steps]", 0
	/* in a loop it stops each time */
	mov	eax, offset l1
	mov	dr1, rax
	DR7_	0x408
	mov	ecx, 5
l1:	dec	ecx
	jnz	l1
	CHK	"execution breakpoint in a loop", "[n_steps]", 5
	CHK_DR6	"DR6.B1", 2
	/* and is a fault with RF in the frame only of itself */
	DR7_	0x400

	/* data breakpoints: after the instruction */
	call	steps_reset
	mov	eax, 0x20010
	mov	dr2, rax
	DR7_	0x0d000420			/* slot 2: write, 4 bytes */
	mov	eax, [0x20010]
	mov	[0x2000c], eax
	mov	[0x20014], eax
	CHK	"neither read nor neighbours", "[n_steps]", 0
w0:	mov	[0x20010], eax
w1:	nop
	CHK	"write", "[n_steps]", 1
	CHK	"ip after the write", "[steps]", "offset w1"
	CHK_DR6	"DR6.B2", 4
	call	steps_reset
	mov	byte ptr [0x20013], 1
	mov	word ptr [0x2000f], 1
	mov	qword ptr [0x2000a], 1
	CHK	"parts and overlaps", "[n_steps]", 3
	call	steps_reset
	push	rax
	mov	edi, 0x20000
	mov	ecx, 8
	rep	stosd
w2:	pop	rax
	CHK	"within rep stosd", "[n_steps]", 1
	call	steps_reset
	lock inc dword ptr [0x20010]
	xchg	[0x20010], eax
	cmpxchg [0x20010], ecx
	CHK	"locked writes", "[n_steps]", 3
	call	steps_reset
	DR7_	0x0f000420			/* read or write */
	mov	eax, [0x20010]
x1:	mov	[0x20010], eax
x2:	nop
	CHK	"read and write", "[n_steps]", 2
	CHK	"ip after the read", "[steps]", "offset x1"
	call	steps_reset
	DR7_	0x0b000420			/* 8 bytes: wants alignment of 8 */
	mov	eax, 0x20018
	mov	dr2, rax
	DR7_	0x09000420			/* write, 8 bytes */
	mov	byte ptr [0x2001f], 1
	mov	byte ptr [0x20020], 1
	CHK	"8 bytes long", "[n_steps]", 1
	DR7_	0x400
	call	steps_reset
	mov	byte ptr [0x20018], 1
	CHK	"off", "[n_steps]", 0
	xor	eax, eax
	mov	dr6, rax

	/* a data breakpoint hit by MOV SS is held back, too */
	mov	eax, 0x20030
	mov	dr3, rax
	mov	dword ptr [0x20030], SEL_DATA
	DR7_	0xf0000480
	call	steps_reset
	mov	ss, [0x20030]
y1:	nop
y2:	nop
	CHK	"data breakpoint of mov ss", "[n_steps]", 1
	CHK	"after the next instruction", "[steps]", "offset y2"
	CHK_DR6	"DR6.B3", 8
	DR7_	0x400

	/* general detection */
	RESET_GATE 1
	DR7_	0x2400
	TRY	"mov to dr0 with GD", 1, 0, "mov dr0, rax"
	mov	rax, dr7
	and	eax, 0x2000
	CHK	"GD is cleared for the handler", rax, 0
	CHK_DR6	"DR6.BD", 0x2000
	mov	rax, 1 << 32
	TRY	"high bits of dr7", 13, 0, "mov dr7, rax"
	TRY	"high bits of dr6", 13, 0, "mov dr6, rax"
	mov	eax, 0
	mov	dr7, rax
	mov	rax, dr7
	CHK	"dr7 reads with bit 10", rax, 0x400
	xor	eax, eax
	mov	dr6, rax
	mov	rax, dr6
	CHK	"dr6 reads with its fixed bits", rax, 0xffff0ff0
	mov	rax, dr4
	CHK	"dr4 is dr6", rax, 0xffff0ff0
	mov	rax, cr4
	or	eax, 8
	mov	cr4, rax
	TRY	"dr4 with CR4.DE", 6, 0, "mov rax, dr4"
	/* I/O breakpoint */
	mov	eax, 0x80
	mov	dr0, rax
	DR7_	0x20402
	TRY	"I/O breakpoint", 1, 0, "out 0x80, al; nop"
	TRY	"another port", NONE, 0, "out 0x81, al; nop"
	DR7_	0x400
	/* at CPL 3 */
	mov	qword ptr [u_flags], 0x102
	TRYM	"step at CPL 3", 1, 0, "TO_USER; db_u0: nop; db_u1: nop"
	CHK	"after the first", "[x_ip]", "offset db_u1"
	mov	qword ptr [u_flags], 2
	FINISH

b_fn:	ret
steps_reset:
	mov	dword ptr [n_steps], 0
	mov	qword ptr [steps], 0
	ret
/* #DB: note the ip; a step goes on as it was; past an execution breakpoint by RF */
db_count:
	push	rax
	push	rdx
	mov	eax, [n_steps]
	cmp	eax, 15
	ja	1f
	mov	rdx, [rsp + 16]
	mov	[steps + rax * 8], rdx
1:	inc	dword ptr [n_steps]
	mov	rax, dr6
	test	al, 3
	jz	2f
	bts	qword ptr [rsp + 32], 16
2:	pop	rdx
	pop	rax
	iretq
int_ret: inc	dword ptr [h_ran]
	nop
	iretq
	.balign	8
n_steps: .quad	0
h_ran:	.quad	0
steps:	.fill	16, 8, 0
