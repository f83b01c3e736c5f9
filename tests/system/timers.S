/* Timers and how their interrupts get to the CPU: the local APIC's in its three modes, xAPIC and
 * x2APIC, the I/O APIC, the 8254, the clock's periodic interrupt and the HPET. SDM vol. 3, chapter
 * 11; HPET specification 1.0a. */
#include "lib.inc"

	.set	IOAPIC, 0xfec00000
	.set	HPET, 0xfed00000
	.set	VEC, 0x60

	.macro	HLT_UNTIL n
.Lh\@:	sti
	hlt
	cli
	cmp	qword ptr [ticks], \n
	jb	.Lh\@
	.endm
	/* what a source that is off by now sent before does not count for the next */
	.macro	DRAIN
	sti
	nop
	nop
	cli
	mov	qword ptr [ticks], 0
	.endm
	.macro	NOW reg
	rdtsc
	shl	rdx, 32
	or	rax, rdx
	mov	\reg, rax
	.endm
	/* the time since reg is at least ns, and not wildly more */
	.macro	CHK_SINCE name, reg, ns
	NOW	rbx
	sub	rbx, \reg
	xor	eax, eax
	cmp	rbx, \ns
	setb	al
	CHK	"\name: not early", rax, 0
	.endm
	.macro	IOAPIC_SET reg, value
	mov	dword ptr [r14], \reg
	mov	dword ptr [r14 + 0x10], \value
	.endm

	BITS16
main:	ENTER_LONG
	mov	r15d, LAPIC
	mov	r14d, IOAPIC
	mov	r13d, HPET
	SET_GATE VEC, h_tick
	mov	al, 0xff
	out	0x21, al
	out	0xa1, al
	mov	dword ptr [r15 + 0xf0], 0x1ff
	mov	dword ptr [r15 + 0x3e0], 0xb	/* divide by 1 */

	/* one shot */
	NOW	r12
	mov	dword ptr [r15 + 0x320], VEC
	mov	dword ptr [r15 + 0x380], 200000
	HLT_UNTIL 1
	CHK_SINCE "one shot", r12, 200000
	mov	eax, [r15 + 0x390]
	CHK	"its counter stays 0", rax, 0
	/* by 16 */
	mov	qword ptr [ticks], 0
	mov	dword ptr [r15 + 0x3e0], 3
	NOW	r12
	mov	dword ptr [r15 + 0x380], 20000
	mov	eax, [r15 + 0x390]
	xor	ebx, ebx
	cmp	eax, 20000
	seta	bl
	CHK	"counts down from there", rbx, 0
	HLT_UNTIL 1
	CHK_SINCE "divided by 16", r12, 320000
	/* periodic */
	mov	qword ptr [ticks], 0
	mov	dword ptr [r15 + 0x320], 0x20000 | VEC
	NOW	r12
	mov	dword ptr [r15 + 0x380], 10000
	HLT_UNTIL 5
	CHK_SINCE "periodic", r12, 5*160000
	mov	dword ptr [r15 + 0x320], 0x30000 | VEC	/* masked */
	mov	dword ptr [r15 + 0x380], 0
	DRAIN
	/* TSC deadline */
	mov	dword ptr [r15 + 0x320], 0x40000 | VEC
	NOW	r12
	lea	rax, [r12 + 300000]
	mov	rdx, rax
	shr	rdx, 32
	mov	ecx, 0x6e0
	wrmsr
	HLT_UNTIL 1
	CHK_SINCE "TSC deadline", r12, 300000
	RDMSR_	0x6e0
	CHK	"which reads 0 afterwards", rax, 0
	mov	qword ptr [ticks], 0
	WRMSR_	0x6e0, 0, 1			/* the past */
	HLT_UNTIL 1
	CHK	"a deadline in the past", "[ticks]", 1
	mov	dword ptr [r15 + 0x320], 0x10000

	/* 8254 through the I/O APIC, pin 2 */
	DRAIN
	mov	al, 0x34
	out	0x43, al
	mov	al, 0xa9
	out	0x40, al
	mov	al, 0x04
	out	0x40, al
	IOAPIC_SET 0x15, 0
	IOAPIC_SET 0x14, VEC
	mov	dword ptr [r14], 0x14
	mov	eax, [r14 + 0x10]
	and	eax, 0x1efff
	CHK	"I/O APIC entry reads back", rax, VEC
	HLT_UNTIL 5
	CHK	"8254 through the I/O APIC", 1, 1
	IOAPIC_SET 0x14, 0x10000
	mov	al, 0x30			/* mode 0: quiet */
	out	0x43, al
	mov	dword ptr [r14], 1
	mov	eax, [r14 + 0x10]
	shr	eax, 16
	and	eax, 0xff
	CHK	"I/O APIC has 24 pins", rax, 23

	/* clock: 1024 Hz, pin 8 */
	DRAIN
	mov	al, 0x0a
	out	0x70, al
	mov	al, 0x26
	out	0x71, al
	mov	al, 0x0b
	out	0x70, al
	mov	al, 0x42
	out	0x71, al
	mov	dword ptr [rtc], 1
	IOAPIC_SET 0x21, 0
	IOAPIC_SET 0x20, VEC
	mov	al, 0x0c		/* a line that rose while masked has to fall first */
	out	0x70, al
	in	al, 0x71
	HLT_UNTIL 3
	CHK	"clock's periodic interrupt", 1, 1
	mov	dword ptr [rtc], 0
	IOAPIC_SET 0x20, 0x10000
	mov	al, 0x0b
	out	0x70, al
	mov	al, 2
	out	0x71, al

	/* HPET: the counter, then timer 0 one shot on an I/O APIC pin it offers */
	DRAIN
	mov	eax, [r13 + 4]			/* femtoseconds a tick */
	mov	[period], eax
	mov	qword ptr [r13 + 0x10], 0
	mov	qword ptr [r13 + 0xf0], 0
	mov	rax, [r13 + 0xf0]
	CHK	"HPET stands while disabled", rax, 0
	mov	rax, [r13 + 0x100]
	shr	rax, 32
	bsr	ebx, eax			/* the highest pin */
	lea	ecx, [rbx * 2 + 0x10]
	mov	[r14], ecx
	mov	dword ptr [r14 + 0x10], VEC
	inc	ecx
	mov	[r14], ecx
	mov	dword ptr [r14 + 0x10], 0
	shl	ebx, 9
	or	ebx, 4				/* enabled, edge */
	mov	[r13 + 0x100], ebx
	xor	edx, edx
	mov	rax, 300000000000		/* 300 us */
	mov	ecx, [period]
	div	rcx
	mov	[r13 + 0x108], rax
	NOW	r12
	mov	dword ptr [r13 + 0x10], 1
	HLT_UNTIL 1
	CHK_SINCE "HPET", r12, 290000
	mov	rbx, [r13 + 0xf0]
	mov	rax, [r13 + 0xf0]
	cmp	rax, rbx
	setb	al
	movzx	eax, al
	CHK	"HPET does not run backwards", rax, 0
	mov	dword ptr [r13 + 0x10], 0
	mov	dword ptr [r13 + 0x100], 0

	/* x2APIC */
	RDMSR_	0x1b
	or	eax, 0xc00
	wrmsr
	RDMSR_	0x802
	CHK	"x2APIC id", rax, 0
	mov	ecx, 0x802
	TRY	"id is read-only", 13, 0, "wrmsr"
	mov	ecx, 0x8ff
	TRY	"a register that is none", 13, 0, "rdmsr"
	mov	ecx, 0x80f
	rdmsr
	CHK	"spurious vector register is kept", rax, 0x1ff
	mov	qword ptr [ticks], 0
	mov	dword ptr [x2], 1
	WRMSR_	0x83f, 0, VEC			/* self IPI */
	HLT_UNTIL 1
	CHK	"self IPI", "[ticks]", 1
	mov	qword ptr [ticks], 0
	WRMSR_	0x830, 0, 0x4000|VEC		/* to APIC 0 */
	HLT_UNTIL 1
	CHK	"IPI by ICR", "[ticks]", 1
	mov	eax, [r15 + 0x20]
	CHK	"register page is gone", rax, 0xffffffff
	RDMSR_	0x1b
	btr	eax, 11
	TRY	"x2APIC without enable", 13, 0, "wrmsr"
	RDMSR_	0x1b
	btr	eax, 10
	TRY	"x2APIC to xAPIC", 13, 0, "wrmsr"
	btr	eax, 11
	TRY	"to disabled", NONE, 0, "wrmsr"
	mov	ecx, 0x802
	TRY	"x2APIC register while disabled", 13, 0, "rdmsr"
	RDMSR_	0x1b
	bts	eax, 11
	TRY	"to xAPIC", NONE, 0, "wrmsr"
	mov	eax, [r15 + 0x30]
	and	eax, 0xf0
	CHK	"register page is back", rax, 0x10
	FINISH

h_tick:	push	rax
	push	rcx
	push	rdx
	inc	qword ptr [ticks]
	cmp	dword ptr [rtc], 0
	je	1f
	mov	al, 0x0c
	out	0x70, al
	in	al, 0x71
1:	cmp	dword ptr [x2], 0
	jne	2f
	mov	eax, LAPIC
	mov	dword ptr [rax + 0xb0], 0
	jmp	3f
2:	WRMSR_	0x80b, 0, 0
3:	pop	rdx
	pop	rcx
	pop	rax
	iretq
	.balign	8
ticks:	.quad	0
rtc:	.long	0
x2:	.long	0
period:	.long	0
