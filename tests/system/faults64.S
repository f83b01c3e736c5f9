/* Exceptions of 64-bit code: vector, error code, saved ip, CR2. SDM vol. 3, chapter 6. */
#include "lib.inc"

	.set	SEL_ABSENT, (SEL_FREE+0)	/* data, not present */
	.set	SEL_RDONLY, (SEL_FREE+8)
	.set	SEL_XONLY, (SEL_FREE+16)

	BITS16
main:	ENTER_LONG
	mov	eax, 1
	xor	edx, edx
	xor	ecx, ecx
	TRY	"div by 0", 0, 0, "div ecx"
	mov	edx, 5
	mov	ecx, 5
	TRY	"div overflow", 0, 0, "div ecx"
	mov	rax, 0x8000000000000000
	mov	rdx, -1
	mov	rcx, -1
	TRY	"idiv overflow", 0, 0, "idiv rcx"
	TRY	"int3", 3, 0, "int3"
	mov	eax, [x_ip]
	movzx	eax, byte ptr [rax - 1]
	CHK	"int3 saves the next ip", rax, 0xcc
	TRY	"int1", 1, 0, ".byte 0xf1"
	TRY	"ud2", 6, 0, "ud2"
	TRY	"ud1", 6, 0, ".byte 0x0f, 0xb9, 0xc0"
	TRY	"mov cs", 6, 0, ".byte 0x8e, 0xc8"
	TRY	"push es is not in 64-bit code", 6, 0, ".byte 0x06"
	TRY	"daa is not in 64-bit code", 6, 0, ".byte 0x27"
	TRY	"into is not in 64-bit code", 6, 0, ".byte 0xce"
	TRY	"lock nop", 6, 0, ".byte 0xf0, 0x90"
	TRY	"lock add to a register", 6, 0, ".byte 0xf0, 0x01, 0xc0"
	TRY	"lock mov", 6, 0, ".byte 0xf0, 0x89, 0x03"
	TRY	"mov to cr1", 6, 0, ".byte 0x0f, 0x22, 0xc8"
	TRY	"mov from cr5", 6, 0, ".byte 0x0f, 0x20, 0xe8"
	TRY	"cmpxchg8b on a register", 6, 0, ".byte 0x0f, 0xc7, 0xc8"
	TRY	"16 bytes are too long", 13, 0, ".byte 0x2e,0x2e,0x2e,0x2e,0x2e,0x2e,0x2e,0x2e,0x2e,0x2e,0x2e,0x2e,0x2e,0x2e,0x2e,0x90"
	TRY	"15 bytes are not", NONE, 0, ".byte 0x2e,0x2e,0x2e,0x2e,0x2e,0x2e,0x2e,0x2e,0x2e,0x2e,0x2e,0x2e,0x2e,0x2e,0x90"

	/* device not available, x87 and SIMD errors */
	mov	rax, cr0
	or	eax, 8
	mov	cr0, rax
	TRY	"fld1 with TS", 7, 0, "fld1"
	TRY	"movaps with TS", 7, 0, "movaps xmm0, xmm1"
	TRY	"fwait with TS and MP", 7, 0, "fwait"
	clts
	TRY	"fwait after clts", NONE, 0, "fwait"
	mov	rax, cr0
	or	eax, 4
	mov	cr0, rax
	TRY	"movaps with EM", 6, 0, "movaps xmm0, xmm1"
	TRY	"fld1 with EM", 7, 0, "fld1"
	and	eax, ~4
	mov	cr0, rax
	mov	rax, cr4
	and	eax, ~0x200
	mov	cr4, rax
	TRY	"movaps without OSFXSR", 6, 0, "movaps xmm0, xmm1"
	or	eax, 0x200
	mov	cr4, rax
	fninit
	mov	word ptr [0x20000], 0x33b
	fldcw	[0x20000]
	fld1
	fldz
	fdivp
	TRY	"unmasked division by 0, at the next wait", 16, 0, "fwait"
	TRY	"and again at the next instruction", 16, 0, "fld1"
	fnclex
	TRY	"not after fnclex", NONE, 0, "fwait"
	fninit
	mov	dword ptr [0x20000], 0x1d80
	ldmxcsr	[0x20000]
	xorps	xmm0, xmm0
	mov	eax, 0x3f800000
	movd	xmm1, eax
	TRY	"unmasked divss by 0", 19, 0, "divss xmm1, xmm0"
	mov	rax, cr4
	and	eax, ~0x400
	mov	cr4, rax
	TRY	"the same without OSXMMEXCPT", 6, 0, "divss xmm1, xmm0"
	or	eax, 0x400
	mov	cr4, rax
	mov	dword ptr [0x20000], 0xffff0000
	TRY	"ldmxcsr of reserved bits", 13, 0, "ldmxcsr [0x20000]"
	mov	dword ptr [0x20000], 0x1f80
	ldmxcsr	[0x20000]
	TRY	"movaps from an odd address", 13, 0, "movaps xmm0, [0x20001]"

	/* general protection */
	mov	eax, 0x400
	TRY	"selector past the GDT", 13, 0x400, "mov ds, eax"
	mov	eax, SEL_TSS
	TRY	"TSS in ds", 13, SEL_TSS, "mov ds, eax"
	xor	eax, eax
	lldt	ax	/* reset leaves a present LDT at 0 */
	mov	eax, 0x4
	TRY	"selector of no LDT", 13, 4, "mov es, eax"
	mov	eax, SEL_CODE64
	TRY	"code in ss", 13, SEL_CODE64, "mov ss, eax"
	mov	eax, SEL_UDATA
	TRY	"user data in ss at CPL 0", 13, SEL_UDATA&~3, "mov ss, eax"
	xor	eax, eax
	TRY	"null in ss at CPL 0", NONE, 0, "mov ss, eax"
	mov	eax, 3
	TRY	"null with RPL 3 in ss at CPL 0", 13, 0, "mov ss, eax"
	mov	eax, SEL_DATA
	mov	ss, eax
	SET_DESC SEL_ABSENT, 0, 0xfffff, 0xc013
	SET_DESC SEL_RDONLY, 0, 0xfffff, 0xc091
	SET_DESC SEL_XONLY, 0, 0xfffff, 0xc099
	mov	eax, SEL_ABSENT
	TRY	"absent in ds", 11, SEL_ABSENT, "mov ds, eax"
	TRY	"absent in ss", 12, SEL_ABSENT, "mov ss, eax"
	mov	eax, SEL_RDONLY
	TRY	"read-only in ss", 13, SEL_RDONLY, "mov ss, eax"
	TRY	"read-only in ds", NONE, 0, "mov ds, eax"
	mov	eax, SEL_XONLY
	TRY	"execute-only in ds", 13, SEL_XONLY, "mov ds, eax"
	mov	rax, 0x0000800000000000
	TRY	"non-canonical load", 13, 0, "mov ecx, [rax]"
	/* silicon differs in the saved ip: that of the jump or where it went */
	TRYM	"non-canonical jump", 13, 0, "jmp rax"
	/* nor does it lead to code of another mode whose address has the same low bits, or to none */
	mov	r12d, 3
1:	TRYU	"jump at CPL 3", USER_OK, 0, "mov ecx, offset low_bits; jmp rcx"
	dec	r12d
	jnz	1b
	mov	r12d, 32
1:	mov	rax, r12
	shl	rax, 48
	mov	rcx, rax
	TRYM	"non-canonical jump to 0", 13, 0, "jmp rcx"
	mov	rcx, rax
	TRYM	"non-canonical jump to code", 13, 0, "add rcx, offset low_bits; jmp rcx"
	dec	r12d
	jnz	1b
	jmp	1f
low_bits: int	USER_OK
1:	mov	rax, 0x0000800000000000
	mov	rbp, rax
	TRY	"non-canonical load by rbp", 12, 0, "mov ecx, [rbp]"
	mov	qword ptr [tss + 36], 0x4000
	mov	byte ptr [IDT + 12 * 16 + 4], 1
	mov	rbx, rsp
	lea	rsp, [rax + 0x100]
	TRY_BEGIN 1f, 2f
	mov	[x_sp], rbx
2:	push	rax
1:	TRY_END	"non-canonical push", 12, 0
	mov	byte ptr [IDT + 12 * 16 + 4], 0
	TRY	"int with an empty gate", 13, 0x50*8+2, "int 0x50"
	mov	byte ptr [IDT + 0x3e * 16 + 5], 0xe
	TRY	"int with an absent gate", 11, 0x3e*8+2, "int 0x3e"
	mov	byte ptr [IDT + 0x3e * 16 + 5], 0x8e
	TRY	"int", 0x3e, 0, "int 0x3e"
	TRYU	"int at CPL 3 with a gate of DPL 0", 13, 0x3e*8+2, "int 0x3e"
	mov	word ptr [idtr], 0x100
	lidt	[idtr]
	TRY	"int past the IDT", 13, 0x3e*8+2, "int 0x3e"
	mov	word ptr [idtr], 0xfff
	lidt	[idtr]
	mov	byte ptr [IDT + 6 * 16 + 5], 0xe
	TRY	"absent gate in an exception: EXT", 11, 6*8+3, "ud2"
	mov	byte ptr [IDT + 6 * 16 + 5], 0x8e
	mov	word ptr [IDT + 0x3e * 16 + 2], SEL_DATA
	TRY	"gate to data", 13, SEL_DATA, "int 0x3e"
	mov	word ptr [IDT + 0x3e * 16 + 2], SEL_CODE32
	TRY	"gate to 32-bit code", 13, SEL_CODE32, "int 0x3e"
	mov	word ptr [IDT + 0x3e * 16 + 2], SEL_CODE64
	mov	word ptr [IDT + 6 * 16 + 2], SEL_DATA
	TRY	"gate to data in an exception: EXT", 13, SEL_DATA+1, "ud2"
	mov	word ptr [IDT + 6 * 16 + 2], SEL_CODE64
	mov	rax, cr4
	bts	rax, 30
	TRY	"reserved bit of cr4", 13, 0, "mov cr4, rax"
	mov	rax, cr0
	btr	rax, 0
	TRY	"PG without PE", 13, 0, "mov cr0, rax"
	mov	rax, cr0
	bts	rax, 29
	TRY	"NW without CD", 13, 0, "mov cr0, rax"
	mov	rax, cr0
	bts	rax, 32
	TRY	"high bit of cr0", 13, 0, "mov cr0, rax"
	mov	rax, cr4
	btr	rax, 5
	TRY	"PAE cleared in long mode", 13, 0, "mov cr4, rax"
	mov	rax, 1 << 52
	TRY	"high bit of cr3", 13, 0, "mov cr3, rax"
	mov	eax, 16
	TRY	"cr8 above 15", 13, 0, "mov cr8, rax"
	mov	eax, 15
	TRY	"cr8 of 15", NONE, 0, "mov cr8, rax"
	mov	rbx, cr8
	CHK	"cr8 reads back", rbx, 15
	xor	eax, eax
	mov	cr8, rax
	mov	ecx, 0x12345
	TRY	"rdmsr of none", 13, 0, "rdmsr"
	TRY	"wrmsr of none", 13, 0, "wrmsr"
	mov	ecx, 0xc0000080
	rdmsr
	bts	eax, 20
	TRY	"reserved bit of EFER", 13, 0, "wrmsr"
	rdmsr
	btr	eax, 8
	TRY	"LME cleared while paging", 13, 0, "wrmsr"
	mov	ecx, 0xc0000100
	mov	edx, 0x8000
	TRY	"non-canonical FS base", 13, 0, "wrmsr"

	/* at CPL 3 */
	TRYU	"hlt", 13, 0, "hlt"
	TRYU	"cli", 13, 0, "cli"
	TRYU	"in", 13, 0, "in al, 0x80"
	TRYU	"out", 13, 0, "out 0x80, al"
	TRYU	"insb", 13, 0, "insb"
	TRYU	"mov from cr0", 13, 0, "mov rax, cr0"
	TRYU	"mov from cr8", 13, 0, "mov rax, cr8"
	TRYU	"mov from dr7", 13, 0, "mov rax, dr7"
	TRYU	"clts", 13, 0, "clts"
	TRYU	"lmsw", 13, 0, "lmsw ax"
	TRYU	"lgdt", 13, 0, "lgdt [0x20000]"
	TRYU	"lidt", 13, 0, "lidt [0x20000]"
	TRYU	"ltr", 13, 0, "ltr ax"
	TRYU	"lldt", 13, 0, "lldt ax"
	TRYU	"invlpg", 13, 0, "invlpg [0x20000]"
	TRYU	"wbinvd", 13, 0, "wbinvd"
	TRYU	"invd", 13, 0, "invd"
	TRYU	"rdmsr", 13, 0, "rdmsr"
	TRYU	"wrmsr", 13, 0, "wrmsr"
	TRYU	"swapgs", 13, 0, "swapgs"
	TRYU	"sysretq", 13, 0, "sysretq"
	TRYU	"sysexit", 13, 0, ".byte 0x0f, 0x35"
	TRYU	"xsetbv without OSXSAVE", 6, 0, "xsetbv"
	TRYU	"rdtsc", USER_OK, 0, "rdtsc"
	mov	rax, cr4
	or	eax, 4
	mov	cr4, rax
	TRYU	"rdtsc with TSD", 13, 0, "rdtsc"
	TRYU	"rdtscp with TSD", 13, 0, "rdtscp"
	TRY	"rdtsc with TSD at CPL 0", NONE, 0, "rdtsc"
	and	eax, ~4
	mov	rax, cr4
	and	eax, ~4
	mov	cr4, rax
	TRYU	"rdpmc", 13, 0, "rdpmc"
	TRYU	"nop", USER_OK, 0, "nop"
	CHK	"user cs in the frame", "[x_code]", SEL_UCODE64
	CHK	"user ss in the frame", "[x_frame_ss]", SEL_UDATA
	CHK	"user rsp in the frame", "[x_frame_sp]", USTACK_TOP
	mov	eax, SEL_CODE64

	/* alignment */
	mov	rax, cr0
	bts	rax, 18
	mov	cr0, rax
	mov	qword ptr [u_flags], 0x40002
	TRYU	"odd load", 17, 0, "mov eax, [0x20001]"
	TRYU	"odd store", 17, 0, "mov [0x20001], ax"
	TRYU	"even load", USER_OK, 0, "mov eax, [0x20004]"
	TRYU	"odd byte", USER_OK, 0, "mov al, [0x20001]"
	TRYU	"movups at 8", 17, 0, "movups xmm0, [0x20008]"
	TRYU	"8 bytes at 4", 17, 0, "mov rax, [0x20004]"
	mov	qword ptr [u_flags], 2
	TRYU	"odd load without AC", USER_OK, 0, "mov eax, [0x20001]"
	push	0x40002
	popfq
	TRY	"odd load at CPL 0", NONE, 0, "mov eax, [0x20001]"
	push	2
	popfq

	/* double faults */
	mov	byte ptr [IDT + 13 * 16 + 5], 0xe
	TRY	"#NP in delivery of #GP is #DF", 8, 0, "int 0x50"
	mov	eax, SEL_ABSENT
	TRY	"#GP gate absent, #NP itself", 11, SEL_ABSENT, "mov ds, eax"
	mov	byte ptr [IDT + 13 * 16 + 5], 0x8e
	mov	rax, 0x0000400000000000
	mov	[tss + 36], rax
	mov	byte ptr [IDT + 14 * 16 + 4], 1
	mov	rax, 0x0000500000000000
	TRY	"#PF in delivery of #PF is #DF", 8, 0, "mov eax, [rax]"
	mov	byte ptr [IDT + 14 * 16 + 4], 0
	mov	byte ptr [IDT + 6 * 16 + 4], 1
	mov	rbx, 0x0000400000000000
	TRY	"#PF in delivery of #UD is #PF", 14, 2, "ud2"
	sub	rbx, 8
	CHK	"its address is that of the stack", "[x_cr2]", rbx
	mov	byte ptr [IDT + 6 * 16 + 4], 0
	/* interrupt stack table: rsp aligned to 16 */
	mov	rax, 0x4009
	mov	[tss + 36], rax
	mov	byte ptr [IDT + 6 * 16 + 4], 1
	TRY	"ud2 by IST", 6, 0, "ud2"
	CHK	"handler on the IST stack", "[x_at]", 0x4000-40
	mov	byte ptr [IDT + 6 * 16 + 4], 0
	FINISH
