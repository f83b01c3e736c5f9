/* Several CPUs: start-up by INIT and SIPI, IPIs, exact totals of locked additions, memory order,
 * TLB shootdown, and code that another CPU changes. SDM vol. 3, chapters 8 and 11. */
#include "lib.inc"
#include "smp.inc"

#ifndef CPUS
#define CPUS 2
#endif
	.set	NCPUS, CPUS
	.set	ROUNDS, 1000
	.set	LITMUS_NS, 3000000	/* how long, and how often at least */
	.set	LITMUS_MIN, 20
	.set	PATCHES, 30
	.set	COUNT, 0x20000		/* a dword in one cache line */
	.set	SPLIT, 0x2003e		/* across a line */
	.set	CROSS, 0x20ffe		/* across a page */
	.set	CMPX, 0x20100
	.set	BIG, 0x20110		/* 16 bytes */
	.set	SPINLOCK, 0x20180
	.set	PLAIN, 0x20184
	.set	STAGE, 0x20200		/* what the others shall do */
	.set	DONE, 0x20204
	.set	VX, 0x20300		/* litmus: variables in lines of their own */
	.set	VY, 0x20340
	.set	RX, 0x20380
	.set	RY, 0x203c0
	.set	GO, 0x20400
	.set	BACK, 0x20440
	.set	PA, 0x30000
	.set	PB, 0x31000
	.set	CODE, 0x32000

	/* let the others do stage n, do it too, wait for all */
	.macro	STAGE_ALL n, fn
	mov	dword ptr [DONE], 0
	mov	dword ptr [GO], 0
	mov	dword ptr [BACK], 0
	mfence
	mov	dword ptr [STAGE], \n
	call	\fn
	WAIT_FOR DONE, NCPUS-1
	.endm

	BITS16
main:	ENTER_LONG
	MAP_V
	mov	edi, 0x20000
	mov	ecx, 0x2000 / 8
	rep	stosq
	SET_GATE 0x60, h_ipi
	SET_GATE 0x61, h_flush
	START_CPUS NCPUS-1
	CHKD	"all have arrived", "[ap_count]", NCPUS-1
	RDMSR_	0x1b
	and	eax, 0x100
	CHK	"this is the boot processor", rax, 0x100
	CHKD	"the others are not", "[ap_bsp]", 0

	STAGE_ALL 1, add_all
	CHKD	"lock inc", "[COUNT]", NCPUS*ROUNDS
	CHKD	"lock add across a cache line", "[SPLIT]", NCPUS*ROUNDS
	CHKD	"lock xadd across a page", "[CROSS]", NCPUS*ROUNDS
	CHKD	"cmpxchg loop", "[CMPX]", NCPUS*ROUNDS
	CHK	"cmpxchg16b, low", "[BIG]", NCPUS*ROUNDS
	CHK	"cmpxchg16b, high", "[BIG + 8]", NCPUS*ROUNDS*3
	CHKD	"plain inc under a spinlock by xchg", "[PLAIN]", NCPUS*ROUNDS
	CHKD	"locked bits", "[COUNT + 8]", 0

	/* store buffering: with a fence or a locked instruction both cannot read 0 */
	mov	dword ptr [bad], 0
	STAGE_ALL 2, litmus_boot
	CHKD	"store, mfence, load", "[bad]", 0
	mov	dword ptr [bad], 0
	STAGE_ALL 3, litmus_boot
	CHKD	"store, locked add, load", "[bad]", 0
	mov	dword ptr [bad], 0
	STAGE_ALL 4, litmus_boot
	CHKD	"xchg, load", "[bad]", 0
	mov	dword ptr [bad], 0
	STAGE_ALL 5, litmus_boot
	CHKD	"messages arrive in order", "[bad]", 0

	/* IPIs: 30 to each of the others */
	mov	dword ptr [DONE], 0
	mov	dword ptr [STAGE], 6
	WAIT_FOR DONE, NCPUS-1
	mov	ebx, 0
1:	mov	dword ptr [r15 + 0x300], 0xc4060
	inc	ebx
	imul	ecx, ebx, NCPUS-1
2:	pause
	cmp	[ipis], ecx
	jne	2b
	cmp	ebx, 30
	jb	1b
	CHKD	"IPIs to all others", "[ipis]", 30*(NCPUS-1)
	mov	dword ptr [r15 + 0x310], 1 << 24
	mov	dword ptr [r15 + 0x300], 0x4060
	WAIT_FOR ipis, 30*(NCPUS-1)+1
	CHKD	"IPI to one, physical", "[ipi_id]", 1

	/* TLB shootdown: they read V until the flush IPI; then they must see the other page */
	mov	dword ptr [PA], 0xaaaa
	mov	dword ptr [PB], 0xbbbb
	mov	qword ptr [PT], PA+7
	mov	dword ptr [DONE], 0
	mov	dword ptr [STAGE], 7
	WAIT_FOR DONE, NCPUS-1
	mov	qword ptr [PT], PB+7
	mov	dword ptr [r15 + 0x300], 0xc4061
	WAIT_FOR flushed, NCPUS-1
	mov	dword ptr [DONE], 0
	mov	dword ptr [STAGE], 8
	WAIT_FOR DONE, NCPUS-1
	CHKD	"stale translations after a shootdown", "[bad]", 0

	/* cross-modifying code: new code, then a flag; the others see the flag, serialize, call it;
	   some of it comes right after they have serialized */
	mov	dword ptr [CODE], 0x000000b8	/* mov eax, n; ret */
	mov	dword ptr [CODE + 4], 0xc300
	mov	dword ptr [GO], 0
	mov	dword ptr [DONE], 0
	mov	dword ptr [STAGE], 9
	mov	ebx, 0
1:	inc	ebx
	mov	[CODE + 1], ebx
	mov	[patched + 1], ebx
	mov	dword ptr [BACK], 0
	mov	[GO], ebx
	WAIT_FOR BACK, NCPUS-1
	cmp	ebx, PATCHES
	jb	1b
	WAIT_FOR DONE, NCPUS-1
	CHKD	"old code run after it was changed", "[bad]", 0

	/* one CPU halted, INIT and started again */
	mov	dword ptr [STAGE], 10
	SPIN	1000
	mov	dword ptr [ap_ready], 0
	mov	dword ptr [ap_count], 0
	START_CPUS NCPUS-1
	CHKD	"started again", "[ap_count]", NCPUS-1
	FINISH

h_ipi:	push	rax
	push	rdx
	mov	eax, LAPIC
	mov	edx, [rax + 0x20]
	shr	edx, 24
	mov	[ipi_id], edx
	mov	dword ptr [rax + 0xb0], 0
	lock inc dword ptr [ipis]
	pop	rdx
	pop	rax
	iretq
h_flush: push	rax
	mov	rax, V
	invlpg	[rax]
	mov	eax, LAPIC
	mov	dword ptr [rax + 0xb0], 0
	lock inc dword ptr [flushed]
	pop	rax
	iretq

/* ---- each of the others: EDI is its number */
cpu_main:
	mov	r14d, edi
	xor	r13d, r13d		/* the stage last done */
	RDMSR_	0x1b
	test	eax, 0x100
	jz	1f
	lock inc dword ptr [ap_bsp]
1:	pause
	mov	eax, [STAGE]
	cmp	eax, r13d
	je	1b
	mov	r13d, eax
	cmp	eax, 1
	je	s_add
	cmp	eax, 5
	jbe	s_litmus
	cmp	eax, 6
	je	s_ipi
	cmp	eax, 7
	je	s_read
	cmp	eax, 8
	je	s_check
	cmp	eax, 9
	je	s_code
	hlt
stage_done:	lock inc dword ptr [DONE]
	jmp	1b
s_add:	call	add_all
	jmp	stage_done
s_litmus:
	cmp	r14d, 1			/* one partner is enough */
	jne	stage_done
	call	litmus_other
	jmp	stage_done
s_ipi:	sti
	jmp	stage_done
s_read:	mov	rax, V
	mov	eax, [rax]
	cmp	eax, 0xaaaa
	je	stage_done
	lock inc dword ptr [bad]
	jmp	stage_done
s_check: mov	rax, V
	mov	eax, [rax]
	cmp	eax, 0xbbbb
	je	stage_done
	lock inc dword ptr [bad]
	jmp	stage_done
s_code:	xor	ebp, ebp
2:	pause
	cmp	[GO], ebp
	je	2b
	mov	ebp, [GO]
	xor	eax, eax
	cpuid
	.balign	8
	nop
	nop
	nop
patched: mov	eax, 0
	cmp	eax, ebp
	je	3f
	lock inc dword ptr [bad]
3:	mov	eax, CODE
	call	rax
	cmp	eax, ebp
	je	3f
	lock inc dword ptr [bad]
3:	lock inc dword ptr [BACK]
	cmp	ebp, PATCHES
	jb	2b
	jmp	stage_done

add_all:
	mov	r12d, ROUNDS
1:	lock inc dword ptr [COUNT]
	lock add dword ptr [SPLIT], 1
	mov	ecx, 1
	lock xadd [CROSS], ecx
	mov	eax, [CMPX]
2:	lea	ecx, [rax + 1]
	lock cmpxchg [CMPX], ecx
	jnz	2b
	mov	rax, [BIG]
	mov	rdx, [BIG + 8]
3:	lea	rbx, [rax + 1]
	lea	rcx, [rdx + 3]
	lock cmpxchg16b [BIG]
	jnz	3b
4:	mov	eax, 1
	xchg	[SPINLOCK], eax
	test	eax, eax
	jz	5f
	pause
	jmp	4b
5:	inc	dword ptr [PLAIN]
	mov	dword ptr [SPINLOCK], 0
	lock btc dword ptr [COUNT + 8], 5
	dec	r12d
	jnz	1b
	ret

/* The boot processor's side: rounds in lockstep by GO and BACK. */
litmus_boot:
	mov	ebp, 0
	mov	r12d, [STAGE]
	rdtsc
	shl	rdx, 32
	or	rax, rdx
	lea	r11, [rax + LITMUS_NS]
1:	inc	ebp
	mov	dword ptr [VX], 0
	mov	dword ptr [VY], 0
	mfence
	mov	[GO], ebp
	mov	edx, ebp
	and	edx, 31			/* a little later or earlier each time */
2:	dec	edx
	jns	2b
	cmp	r12d, 3
	jb	3f
	je	4f
	cmp	r12d, 4
	je	5f
	/* message passing: data, then flag */
	mov	dword ptr [VX], 1
	mov	dword ptr [VY], 1
	jmp	6f
3:	mov	dword ptr [VX], 1
	mfence
	mov	eax, [VY]
	jmp	6f
4:	mov	dword ptr [VX], 1
	lock add dword ptr [rsp - 8], 0
	mov	eax, [VY]
	jmp	6f
5:	mov	eax, 1
	xchg	[VX], eax
	mov	eax, [VY]
6:	mov	[RX], eax
7:	pause
	cmp	[BACK], ebp
	jne	7b
	cmp	r12d, 5
	je	8f
	mov	eax, [RX]
	or	eax, [RY]
	jnz	8f
	inc	dword ptr [bad]
8:	rdtsc
	shl	rdx, 32
	or	rax, rdx
	cmp	rax, r11
	jb	1b
	cmp	ebp, LITMUS_MIN
	jb	1b
	mov	dword ptr [GO], -1
	ret
litmus_other:
	mov	ebp, 0
	mov	r12d, [STAGE]
1:	inc	ebp
2:	mov	eax, [GO]
	inc	eax
	jz	9f
	dec	eax
	cmp	eax, ebp
	jne	2b
	cmp	r12d, 3
	jb	3f
	je	4f
	cmp	r12d, 4
	je	5f
	mov	eax, [VY]
	mov	ecx, [VX]
	cmp	eax, ecx		/* flag without data */
	jbe	6f
	lock inc dword ptr [bad]
	jmp	6f
3:	mov	dword ptr [VY], 1
	mfence
	mov	eax, [VX]
	jmp	6f
4:	mov	dword ptr [VY], 1
	lock add dword ptr [rsp - 8], 0
	mov	eax, [VX]
	jmp	6f
5:	mov	eax, 1
	xchg	[VY], eax
	mov	eax, [VX]
6:	mov	[RY], eax
	mov	[BACK], ebp
	jmp	1b
9:	ret

	.balign	8
bad:	.long	0
ipis:	.long	0
ipi_id:	.long	0
flushed: .long	0
ap_bsp:	.long	0
