/* 32-bit paging with 4 KiB and 4 MiB pages, and PAE paging. SDM vol. 3, 4.3 and 4.4. */
#include "lib.inc"

	.set	DIR, 0x20000
	.set	PT, 0x21000
	.set	PT2, 0x22000
	.set	PA, 0x30000
	.set	PB, 0x31000
	.set	V, 0x400000		/* under test: the second 4 MiB */

	.macro	FLUSH
	mov	eax, cr3
	mov	cr3, eax
	.endm
	.macro	PTE n, value
	mov	dword ptr [PT + 4 * \n], \value
	.endm
	.macro	CR0_BIT op, n
	mov	eax, cr0
	\op	eax, \n
	mov	cr0, eax
	.endm
	.macro	CR4_BIT op, n
	mov	eax, cr4
	\op	eax, \n
	mov	cr4, eax
	.endm

	BITS16
main:	ENTER_PM32
	mov	edi, DIR
	mov	ecx, 0x3000 / 4
	xor	eax, eax
	rep	stosd
	/* the first 4 MiB by a page table, user */
	mov	edi, PT2
	mov	eax, 7
1:	stosd
	add	eax, 0x1000
	cmp	edi, PT2 + 0x1000
	jb	1b
	mov	dword ptr [DIR], PT2+7
	mov	dword ptr [DIR + 4], PT+7
	mov	dword ptr [PA], 0xaaaa0000
	mov	dword ptr [PB], 0xbbbb0000
	mov	eax, DIR
	mov	cr3, eax
	CR0_BIT	bts, 31

	TRY	"read, absent", 14, 0, "mov eax, [V + 0x18]"
	CHK	"cr2", "[x_cr2]", V+0x18
	TRY	"write, absent", 14, 2, "mov [V], eax"
	TRYU	"user write, absent", 14, 6, "mov [V], eax"
	TRYM	"fetch without NX has no I bit", 14, 0, "mov eax, V; jmp eax"
	PTE	0, PA+1
	TRY	"read-only page", NONE, 0, "mov eax, [V]"
	TRY	"write without WP", NONE, 0, "mov [V + 4], eax"
	CHK	"A and D", "[PT]", PA+0x61
	CR0_BIT	bts, 16
	TRY	"write with WP", 14, 3, "mov [V], eax"
	CR0_BIT	btr, 16
	TRYU	"user read of a kernel page", 14, 5, "mov eax, [V]"
	PTE	0, PA+5
	FLUSH
	TRYU	"user write to a read-only page", 14, 7, "mov [V], eax"
	TRYU	"user read", USER_OK, 0, "mov eax, [V]"
	PTE	1, PB+7
	PTE	0, PA+7
	FLUSH
	mov	dword ptr [V + 0xffe], 0x11223344
	movzx	eax, word ptr [PB]
	CHK	"write across pages", eax, 0x1122
	CHK	"A of the directory entry", "[DIR + 4]", PT+0x27
	/* PS is ignored without PSE */
	mov	dword ptr [PT2 + 0x3ff * 4], PT2+7
	or	byte ptr [DIR + 4], 0x80
	FLUSH
	mov	eax, [V]
	CHK	"PS without PSE", eax, 0xaaaa0000
	CR4_BIT	bts, 4
	mov	dword ptr [DIR + 8], 0x87
	mov	dword ptr [DIR + 4], PT+7
	FLUSH
	mov	eax, [0x800000 + PA]
	CHK	"4 MiB page", eax, 0xaaaa0000
	mov	[0x800000 + PB + 8], eax
	CHK	"its A and D", "[DIR + 8]", 0xe7
	TRYU	"user write to it", USER_OK, 0, "mov [0x800000 + PB + 12], eax"
	mov	dword ptr [DIR + 8], 0x85
	FLUSH
	TRYU	"user write to a read-only 4 MiB page", 14, 7, "mov [0x800000], eax"
	mov	dword ptr [DIR + 12], 0x200087
	FLUSH
	TRY	"reserved bit 21 of a 4 MiB page", 14, 9, "mov eax, [0xc00000]"
	mov	dword ptr [DIR + 12], 0x2087	/* bit 13: address bit 32 */
	FLUSH
	TRY	"PSE-36: nothing there", NONE, 0, "mov eax, [0xc00000]"
	CHK	"a hole reads ones", eax, 0xffffffff
	CR4_BIT	btr, 4
	CR0_BIT	btr, 31
	mov	eax, [PA]
	CHK	"paging off", eax, 0xaaaa0000

	/* PAE */
	mov	edi, 0x24000
	mov	ecx, 0x4000 / 4
	xor	eax, eax
	rep	stosd
	mov	dword ptr [0x24020], 0x25001	/* PDPT at 24020h: only aligned to 32 */
	mov	dword ptr [0x25000], 0x87
	mov	dword ptr [0x25008], PT+7
	mov	dword ptr [0x25010], 0x87
	mov	edi, PT
	mov	ecx, 0x400
	xor	eax, eax
	rep	stosd
	mov	dword ptr [PT], PA+7
	CR4_BIT	bts, 5
	mov	eax, 0x24020
	mov	cr3, eax
	CR0_BIT	bts, 31
	mov	eax, [0x200000]
	CHK	"PAE 4 KiB page", eax, 0xaaaa0000
	mov	eax, [0x400000 + PA]
	CHK	"PAE 2 MiB page", eax, 0xaaaa0000
	CHK	"its A", "[0x25010]", 0xa7
	TRY	"absent PDPTE", 14, 0, "mov eax, [0x40000000]"
	/* PDPTEs are loaded with CR3 */
	mov	dword ptr [0x24028], 0x25001
	TRY	"PDPTE changed in memory", 14, 0, "mov eax, [0x40000000 + PA]"
	FLUSH
	mov	eax, [0x40000000 + PA]
	CHK	"after mov to cr3", eax, 0xaaaa0000
	mov	dword ptr [0x24030], 0x25003	/* R/W is reserved */
	mov	eax, 0x24020
	TRY	"reserved bit of a PDPTE", 13, 0, "mov cr3, eax"
	mov	dword ptr [0x24030], 0
	mov	dword ptr [PT + 12], 0x1000	/* entry 1, above 2^40 */
	mov	dword ptr [PT + 8], PA+7
	FLUSH
	TRY	"address past the CPU's", 14, 9, "mov eax, [0x201000]"
	mov	dword ptr [PT + 12], 0x80000000
	FLUSH
	TRY	"bit 63 without NXE", 14, 9, "mov eax, [0x201000]"
	WRMSR_	0xc0000080, 0, 0x800
	FLUSH
	TRY	"bit 63 with NXE", NONE, 0, "mov eax, [0x201000]"
	TRYM	"fetch from it", 14, 0x11, "mov eax, 0x201000; jmp eax"
	TRYM	"fetch from an absent page with NXE", 14, 0x10, "mov eax, 0x202000; jmp eax"
	/* memory above 4 GiB can be mapped: a hole here */
	mov	dword ptr [PT + 12], 2
	FLUSH
	TRY	"physical address above 4 GiB", NONE, 0, "mov eax, [0x201000]"
	/* global pages */
	mov	dword ptr [PT + 8], PA+0x107
	mov	dword ptr [PT + 12], 0
	CR4_BIT	bts, 7
	FLUSH
	mov	eax, [0x201000]
	mov	dword ptr [PT + 8], PB+0x107
	mov	dword ptr [PB], 0xbbbb0000
	invlpg	[0x201000]
	mov	eax, [0x201000]
	CHK	"invlpg of a global page", eax, 0xbbbb0000
	mov	dword ptr [PT + 8], PA+0x107
	CR4_BIT	btr, 7
	mov	eax, [0x201000]
	CHK	"clearing PGE", eax, 0xaaaa0000
	/* WP is part of what is cached */
	mov	dword ptr [PT + 8], PA+5
	FLUSH
	mov	[0x201000], eax
	CR0_BIT	bts, 16
	TRY	"WP set after a write", 14, 3, "mov [0x201000], eax"
	FINISH
