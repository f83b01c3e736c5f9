/* 4-level paging: page sizes, rights, error codes, accessed and dirty bits, NX, SMEP, SMAP, global
 * pages and PCIDs. SDM vol. 3, chapter 4. */
#include "lib.inc"

	.set	PD5, 0x1a000
	.set	PA, 0x30000	/* data pages */
	.set	PB, 0x31000
	.set	PCODE, 0x32000
	/* other tables for the same, in the same order */
	.set	PML4B, 0x34000
	.set	PDPTB, 0x35000
	.set	PD4B, 0x36000
	.set	PTB, 0x37000
	.set	PCODE2, 0x38000	/* code's second page */

	.macro	FLUSH
	mov	rax, cr3
	mov	cr3, rax
	.endm
	/* the page table's entry n */
	.macro	PTE n, value
	mov	rax, \value
	mov	[PT + 8 * \n], rax
	.endm
	/* another address space, under a PCID; keep: what is cached of it stays */
	.macro	INTO tables, keep=0
	mov	rax, \tables
	.if	\keep
	bts	rax, 63
	.endif
	mov	cr3, rax
	.endm
	/* the page table of the other tables maps rbx to page n of code */
	.macro	OTHER n
	mov	rax, PCODE + 0x1000 * (\n - 1) + 7
	mov	[PTB + 16], rax
	.endm
	/* the code at rbx, called often enough to be remembered by its address, returns want */
	.macro	CALLS name, want
	xor	eax, eax
	call	rbx
	call	rbx
	call	rbx
	CHK	"\name", rax, \want
	.endm
	.macro	CHK_CR2 name, want
	CHK	"\name", "[x_cr2]", \want
	.endm

	BITS16
main:	ENTER_LONG
	MAP_V	3
	mov	dword ptr [PA], 0xaaaa0000
	mov	dword ptr [PA + 0xffc], 0xaaaa0ffc
	mov	dword ptr [PB], 0xbbbb0000
	mov	byte ptr [PCODE], 0xc3
	mov	r15, V

	/* error codes */
	TRY	"read, absent", 14, 0, "mov eax, [r15 + 0x123]"
	CHK_CR2	"cr2", V+0x123
	TRY	"write, absent", 14, 2, "mov [r15 + 0x123], eax"
	TRY	"add, absent", 14, 2, "add [r15], eax"
	TRY	"push qword, absent", 14, 0, "push qword ptr [r15]"
	lea	rbx, [r15 + 5]
	TRYM	"jump, absent", 14, 0x10, "jmp rbx"
	CHK_CR2	"cr2 of a fetch", rbx
	CHK	"ip of a fetch", "[x_ip]", rbx
	TRYU	"user read, absent", 14, 4, "mov eax, [r15]"
	TRYU	"user write, absent", 14, 6, "mov [r15], eax"
	PTE	0, PA+1
	TRY	"read of a read-only kernel page", NONE, 0, "mov eax, [r15]"
	CHKD	"and what it read", "[PA]", 0xaaaa0000
	TRY	"write without WP", NONE, 0, "mov dword ptr [r15 + 4], 7"
	CHKD	"is written", "[PA + 4]", 7
	TRYU	"user read of a kernel page", 14, 5, "mov eax, [r15]"
	TRYU	"user write to a kernel page", 14, 7, "mov [r15], eax"
	mov	rax, cr0
	bts	rax, 16
	mov	cr0, rax
	TRY	"write with WP", 14, 3, "mov [r15 + 8], eax"
	CHK_CR2	"cr2", V+8
	/* ENTER asks whether its last place can be written, also where it can be read */
	PTE	1, PB+3
	TRYM	"enter to a read-only page", 14, 3, "mov eax, [r15]; lea rsp, [r15 + 0x1800]; enter 0x1000, 0"
	CHK_CR2	"cr2", V+0x7f8
	mov	rax, cr0
	btr	rax, 16
	mov	cr0, rax
	PTE	0, PA+5
	FLUSH
	TRYU	"user read of a read-only page", USER_OK, 0, "mov eax, [r15]"
	TRYU	"user write to a read-only page", 14, 7, "mov [r15], eax"
	PTE	0, PA+7
	FLUSH
	TRYU	"user write", USER_OK, 0, "mov [r15 + 8], eax"
	/* rights are those of all levels */
	mov	byte ptr [PD4], 5
	FLUSH
	TRYU	"read-only above", 14, 7, "mov [r15], eax"
	mov	byte ptr [PD4], 3
	FLUSH
	TRYU	"kernel above", 14, 5, "mov eax, [r15]"
	mov	byte ptr [PD4], 7
	/* reserved bits */
	PTE	1, PB+7+(1<<45)
	FLUSH
	TRY	"reserved bit, read", 14, 9, "mov eax, [r15 + 0x1000]"
	TRYU	"reserved bit, user write", 14, 0xf, "mov [r15 + 0x1000], eax"
	PTE	1, PB+6+(1<<45)
	TRY	"reserved bit of an absent entry", 14, 0, "mov eax, [r15 + 0x1000]"
	mov	rax, 0x2087			/* large page not aligned */
	mov	[PD4 + 8], rax
	TRY	"large page with low address bits", 14, 9, "mov eax, [r15 + 0x200000]"
	mov	rax, 0x87 + PDPT
	mov	[PML4 + 8], rax
	mov	rbx, 1 << 39
	TRY	"PS in a PML4 entry", 14, 9, "mov eax, [rbx]"
	mov	qword ptr [PML4 + 8], 0

	/* accessed and dirty */
	PTE	0, PA+7
	mov	byte ptr [PD4], 7
	FLUSH
	mov	eax, [r15]
	CHK	"read sets A", "[PT]", PA+0x27
	CHK	"and above it", "[PD4]", PT+0x27
	mov	[r15 + 8], eax
	CHK	"write sets D", "[PT]", PA+0x67
	CHK	"but not above", "[PD4]", PT+0x27
	PTE	0, PA+5
	FLUSH
	TRYU	"refused write", 14, 7, "mov [r15], eax"
	mov	rax, [PT]
	and	eax, 0x40
	CHK	"sets no D", rax, 0
	PTE	0, PA+7
	PTE	1, 0
	FLUSH
	TRY	"write across into an absent page", 14, 2, "mov qword ptr [r15 + 0xffc], -1"
	CHK_CR2	"cr2 is the second page", V+0x1000
	CHKD	"nothing was written", "[PA + 0xffc]", 0xaaaa0ffc
	PTE	1, PB+7
	mov	rax, 0x1122334455667788
	mov	[r15 + 0xffc], rax
	CHKD	"write across, low", "[PA + 0xffc]", 0x55667788
	CHKD	"write across, high", "[PB]", 0x11223344
	mov	rax, [r15 + 0xffc]
	mov	rbx, 0x1122334455667788
	CHK	"read across", rax, rbx
	CHK	"D of the first", "[PT]", PA+0x67
	CHK	"D of the second", "[PT + 8]", PB+0x67

	/* large pages */
	mov	rax, 0x200000 + 0x87
	mov	[PD4 + 16], rax
	mov	dword ptr [0x234568], 0x12345678
	mov	eax, [r15 + 0x400000 + 0x34568]
	CHK	"2 MiB page", rax, 0x12345678
	mov	[r15 + 0x400000], eax
	CHK	"its A and D", "[PD4 + 16]", 0x2000e7
	mov	rax, 0x87
	mov	[PDPT + 40], rax
	mov	rbx, 5 << 30
	mov	eax, [rbx + 0x234568]
	CHK	"1 GiB page", rax, 0x12345678
	CHK	"its A", "[PDPT + 40]", 0xa7
	mov	qword ptr [PDPT + 40], 0

	/* no execution */
	PTE	2, PCODE+7
	lea	rbx, [r15 + 0x2000]
	TRY	"call", NONE, 0, "call rbx"
	mov	rax, PCODE+7+(1<<63)
	mov	[PT + 16], rax
	FLUSH
	TRYM	"NX, kernel", 14, 0x11, "call rbx"
	TRYM	"NX, user", 14, 0x15, "TO_USER; call rbx"
	TRY	"NX page can be read", NONE, 0, "mov al, [rbx]"
	mov	ecx, 0xc0000080
	rdmsr
	btr	eax, 11
	wrmsr
	FLUSH
	TRY	"NX bit is reserved without NXE", 14, 9, "mov al, [rbx]"
	rdmsr
	bts	eax, 11
	wrmsr
	PTE	2, PCODE+7
	mov	rax, PT+7+(1<<63)
	mov	[PD4], rax
	FLUSH
	TRYM	"NX above", 14, 0x11, "call rbx"
	mov	rax, PT+7
	mov	[PD4], rax
	FLUSH
	TRY	"call again", NONE, 0, "call rbx"

	/* what a flush has to reach */
	PTE	0, PA+7
	PTE	1, PB+7
	FLUSH
	mov	dword ptr [PA], 0xaaaa0000
	mov	dword ptr [PB], 0xbbbb0000
	mov	eax, [r15]
	PTE	0, PB+7
	invlpg	[r15 + 0x800]
	mov	eax, [r15]
	CHK	"invlpg", rax, 0xbbbb0000
	PTE	0, PA+7
	FLUSH
	mov	eax, [r15]
	CHK	"mov to cr3", rax, 0xaaaa0000
	CR4_SET	7
	PTE	0, PA+0x107
	PTE	1, PA+7
	FLUSH
	invlpg	[r15]
	mov	eax, [r15]
	mov	eax, [r15 + 0x1000]
	PTE	0, PB+0x107
	PTE	1, PB+7
	FLUSH
	mov	eax, [r15 + 0x1000]
	CHK	"mov to cr3 drops the other", rax, 0xbbbb0000
	CR4_CLEAR 7
	mov	eax, [r15]
	CHK	"CR4.PGE drops global pages", rax, 0xbbbb0000
	CR4_SET	7
	mov	eax, [r15]
	PTE	0, PA+0x107
	invlpg	[r15]
	mov	eax, [r15]
	CHK	"invlpg drops global pages", rax, 0xaaaa0000
	CR4_CLEAR 7
	/* code */
	mov	byte ptr [PCODE], 0xb0		/* mov al, 1; ret */
	mov	byte ptr [PCODE + 1], 1
	mov	byte ptr [PCODE + 2], 0xc3
	mov	byte ptr [PCODE + 0x1000], 0xb0
	mov	byte ptr [PCODE + 0x1001], 2
	mov	byte ptr [PCODE + 0x1002], 0xc3
	PTE	2, PCODE+7
	FLUSH
	xor	eax, eax
	call	rbx
	CHK	"code of a page", rax, 1
	PTE	2, PCODE+0x1007
	invlpg	[rbx]
	xor	eax, eax
	call	rbx
	CHK	"code of another, after invlpg", rax, 2
	PTE	2, PCODE+7
	FLUSH
	xor	eax, eax
	call	rbx
	CHK	"code of the first, after cr3", rax, 1
	/* an instruction across two pages, reached from the one before: mov eax, 1; ret */
	mov	dword ptr [PCODE + 0xffa], 0xb8909090
	mov	word ptr [PCODE + 0xffe], 1
	mov	dword ptr [PCODE + 0x1000], 0xc30000
	mov	dword ptr [PCODE2], 0xc30002
	PTE	3, PCODE+0x1007
	FLUSH
	lea	rbx, [r15 + 0x2ffa]
	CALLS	"code across pages", 1
	PTE	3, PCODE2+7
	invlpg	[rbx + 6]
	CALLS	"its second page another, after invlpg", 0x20001
	PTE	3, PCODE+0x1007
	FLUSH
	CALLS	"and the first again, after cr3", 1
	PTE	3, 0
	invlpg	[rbx + 6]
	TRYM	"its second page absent", 14, 0x10, "call rbx"
	CHK_CR2	"cr2 is the second page", V+0x3000
	lea	rcx, [rbx + 3]
	CHK	"ip is in the first", "[x_ip]", rcx
	lea	rbx, [r15 + 0x2000]

	/* SMEP and SMAP: the image as kernel pages, V as user pages and V + 3000h a kernel page */
	mov	rax, PCODE+3
	mov	[PT + 24], rax
	PTE	0, PA+7
	and	byte ptr [PD], ~4
	FLUSH
	CR4_SET	20
	TRYM	"SMEP: fetch from a user page", 14, 0x11, "call rbx"
	lea	rcx, [r15 + 0x3000]
	TRY	"SMEP: fetch from a kernel page", NONE, 0, "call rcx"
	TRY	"SMEP: read of a user page", NONE, 0, "mov eax, [rbx]"
	CR4_CLEAR 20
	TRY	"fetch from a user page without SMEP", NONE, 0, "call rbx"
	CR4_SET	21
	TRY	"SMAP: read of a user page", 14, 1, "mov eax, [r15]"
	TRY	"SMAP: write to a user page", 14, 3, "mov [r15], eax"
	TRY	"SMAP: read of a kernel page", NONE, 0, "mov eax, [rcx]"
	TRYM	"SMAP: after stac", NONE, 0, "stac; mov eax, [r15]"
	TRYM	"SMAP: after clac", 14, 1, "stac; clac; mov eax, [r15]"
	TRY	"SMAP: fetch from a user page", NONE, 0, "call rbx"
	/* an implicit access is never allowed by AC */
	SET_DESC SEL_FREE, 0x4000, 0xfff, 0x0082	/* an LDT at V + 4000h */
	mov	dword ptr [gdt + SEL_FREE + 8], 1
	mov	rax, 0x33000+7
	mov	[PT + 32], rax
	mov	rax, [gdt + SEL_DATA]
	mov	[0x33000], rax
	mov	eax, SEL_FREE
	lldt	ax
	mov	eax, 4
	TRYM	"SMAP: implicit read after stac", 14, 1, "stac; mov gs, eax"
	CR4_CLEAR 21
	mov	eax, 4
	TRY	"implicit read without SMAP", NONE, 0, "mov gs, eax"
	or	byte ptr [PD], 4
	FLUSH

	/* process-context identifiers */
	CHK	"PCID 0 before", "[zero]", 0
	CR4_SET	17
	PTE	0, PA+7
	mov	rax, cr3
	or	eax, 1
	mov	cr3, rax
	mov	eax, [r15]
	CHK	"under PCID 1", rax, 0xaaaa0000
	PTE	0, PB+7
	mov	eax, PML4 + 2
	mov	cr3, rax
	mov	eax, [r15]
	CHK	"under PCID 2", rax, 0xbbbb0000
	mov	rax, PML4 + 1
	mov	cr3, rax
	mov	eax, [r15]
	CHK	"PCID 1, flushed", rax, 0xbbbb0000
	mov	rax, PML4 + 1
	bts	rax, 63
	TRY	"no flush by bit 63", NONE, 0, "mov cr3, rax"
	mov	rbx, cr3
	CHK	"which is not kept", rbx, PML4+1
	PTE	0, PA+7
	mov	qword ptr [0x20000], 1		/* descriptor: PCID, address */
	mov	[0x20008], r15
	xor	eax, eax
	invpcid	rax, [0x20000]
	mov	eax, [r15]
	CHK	"invpcid of an address", rax, 0xaaaa0000
	PTE	0, PB+7
	mov	eax, 1
	invpcid	rax, [0x20000]
	mov	eax, [r15]
	CHK	"invpcid of a context", rax, 0xbbbb0000
	PTE	0, PA+7
	mov	eax, 2
	invpcid	rax, [0x20000]
	mov	eax, [r15]
	CHK	"invpcid of everything", rax, 0xaaaa0000
	PTE	0, PB+7
	mov	eax, 3
	invpcid	rax, [0x20000]
	mov	eax, [r15]
	CHK	"invpcid of all but global", rax, 0xbbbb0000
	mov	eax, 4
	TRY	"invpcid of type 4", 13, 0, "invpcid rax, [0x20000]"
	mov	qword ptr [0x20000], 0x1000
	xor	eax, eax
	TRY	"invpcid with a PCID too large", 13, 0, "invpcid rax, [0x20000]"
	TRYU	"invpcid at CPL 3", 13, 0, "invpcid rax, [0x20000]"

	/* code at one address in two address spaces */
	.irp	from, PML4, PDPT, PD4, PT
	mov	esi, \from
	mov	edi, \from\()B
	mov	ecx, 512
	rep	movsq
	.endr
	mov	qword ptr [PML4B], PDPTB + 7
	mov	qword ptr [PDPTB + 32], PD4B + 7
	mov	qword ptr [PD4B], PTB + 7
	mov	dword ptr [PCODE], 0xc301b0		/* mov al, 1; ret */
	mov	dword ptr [PCODE + 0x1000], 0xc302b0
	PTE	2, PCODE+7
	OTHER	2
	lea	rbx, [r15 + 0x2000]
	INTO	PML4+1
	CALLS	"code under PCID 1", 1
	INTO	PML4B+2
	CALLS	"code under PCID 2", 2
	INTO	PML4+1, 1
	CALLS	"PCID 1 again, kept", 1
	INTO	PML4B+2, 1
	CALLS	"PCID 2 again, kept", 2
	OTHER	1
	invlpg	[rbx]
	CALLS	"invlpg under PCID 2", 1
	INTO	PML4+1, 1
	OTHER	2
	mov	qword ptr [0x20000], 2		/* descriptor: PCID, address */
	mov	[0x20008], rbx
	xor	eax, eax
	invpcid	rax, [0x20000]
	CALLS	"the other's address dropped, not mine", 1
	INTO	PML4B+2, 1
	CALLS	"an address of PCID 2, dropped under 1", 2
	INTO	PML4+1, 1
	OTHER	1
	mov	eax, 1
	invpcid	rax, [0x20000]
	INTO	PML4B+2, 1
	CALLS	"PCID 2, dropped under 1", 1
	INTO	PML4+1, 1
	OTHER	2
	mov	eax, 2
	invpcid	rax, [0x20000]
	INTO	PML4B+2, 1
	CALLS	"all, dropped under 1", 2
	INTO	PML4+1, 1
	OTHER	1
	mov	eax, 3
	invpcid	rax, [0x20000]
	INTO	PML4B+2, 1
	CALLS	"all but global, dropped under 1", 1
	INTO	PML4+1, 1
	OTHER	2
	INTO	PML4B+2
	CALLS	"PCID 2, not kept", 2
	mov	qword ptr [0x20000], 2
	OTHER	1
	mov	eax, 1
	invpcid	rax, [0x20000]
	CALLS	"PCID 2, dropped under itself", 1
	OTHER	2
	INTO	PML4B+2
	CALLS	"PCID 2 to itself", 2
	INTO	PML4+1, 1
	mov	byte ptr [PCODE + 0x1001], 3
	INTO	PML4B+2, 1
	CALLS	"written meanwhile", 3
	INTO	PML4+1, 1
	OTHER	1
	CR4_CLEAR 7
	CR4_SET	7
	INTO	PML4B+2, 1
	CALLS	"dropped by CR4.PGE", 1
	INTO	PML4+1

	mov	eax, PML4 + 1
	mov	cr3, rax
	mov	rax, cr4
	btr	rax, 17
	TRY	"PCIDE off under PCID 1 is allowed", NONE, 0, "mov cr4, rax"
	bts	rax, 17
	TRY	"PCIDE on with CR3 bits set", 13, 0, "mov cr4, rax"
	mov	eax, PML4
	mov	cr3, rax

	/* UMIP */
	CR4_SET	11
	TRYU	"UMIP: sgdt", 13, 0, "sgdt [0x20000]"
	TRYU	"UMIP: sidt", 13, 0, "sidt [0x20000]"
	TRYU	"UMIP: sldt", 13, 0, "sldt eax"
	TRYU	"UMIP: str", 13, 0, "str eax"
	TRYU	"UMIP: smsw", 13, 0, "smsw eax"
	TRY	"UMIP: sgdt at CPL 0", NONE, 0, "sgdt [0x20000]"
	CR4_CLEAR 11
	TRYU	"sgdt without UMIP", USER_OK, 0, "sgdt [0x20000]"
	FINISH
zero:	.quad	0
