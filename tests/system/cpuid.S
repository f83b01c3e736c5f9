/* CPUID against what the CPU then does: built with a list of features taken away, each of which must
 * be neither advertised nor there (#UD, or #GP for its control bit); without it, all of them must be
 * both. GONE is defined by the build for the image run with "--cpu max,-...". SDM vol. 2, CPUID. */
#include "lib.inc"

#ifdef GONE
	.set	WANT, 0
	.set	VEC, 6
	.set	VECC, 13		/* for control register bits */
#else
	.set	WANT, 1
	.set	VEC, NONE
	.set	VECC, NONE
#endif

	/* bit n of a register after CPUID leaf, subleaf */
	.macro	BIT_IS name, leaf, sub, reg, n, want
	mov	eax, \leaf
	mov	ecx, \sub
	cpuid
	bt	\reg, \n
	setc	al
	movzx	eax, al
	CHK	"\name", rax, \want
	.endm
	.macro	CR4_TRY name, n, vec
	mov	rax, cr4
	bts	rax, \n
	TRY	"\name", \vec, 0, "mov cr4, rax"
	mov	rax, cr4
	btr	rax, \n
	mov	cr4, rax
	.endm

	BITS16
main:	ENTER_LONG
	BIT_IS	"advertised: movbe", 1, 0, ecx, 22, WANT
	TRY	"movbe", VEC, 0, "movbe eax, [0x20000]"
	BIT_IS	"advertised: popcnt", 1, 0, ecx, 23, WANT
	TRY	"popcnt", VEC, 0, "popcnt eax, ebx"
	BIT_IS	"advertised: aes", 1, 0, ecx, 25, WANT
	TRY	"aesenc", VEC, 0, "aesenc xmm0, xmm1"
	BIT_IS	"advertised: pclmulqdq", 1, 0, ecx, 1, WANT
	TRY	"pclmulqdq", VEC, 0, "pclmulqdq xmm0, xmm1, 0"
	BIT_IS	"advertised: sha_ni", 7, 0, ebx, 29, WANT
	TRY	"sha1nexte", VEC, 0, "sha1nexte xmm0, xmm1"
	BIT_IS	"advertised: adx", 7, 0, ebx, 19, WANT
	TRY	"adcx", VEC, 0, "adcx eax, ebx"
	BIT_IS	"advertised: rdrand", 1, 0, ecx, 30, WANT
	TRY	"rdrand", VEC, 0, "rdrand eax"
	BIT_IS	"advertised: rdseed", 7, 0, ebx, 18, WANT
	TRY	"rdseed", VEC, 0, "rdseed eax"
	BIT_IS	"advertised: rdtscp", 0x80000001, 0, edx, 27, WANT
	TRY	"rdtscp", VEC, 0, "rdtscp"
	BIT_IS	"advertised: cx16", 1, 0, ecx, 13, WANT
	TRY	"cmpxchg16b", VEC, 0, "cmpxchg16b [0x20000]"
	BIT_IS	"advertised: sse4_2", 1, 0, ecx, 20, WANT
	TRY	"pcmpgtq", VEC, 0, "pcmpgtq xmm0, xmm1"
	TRY	"crc32", VEC, 0, "crc32 eax, ebx"
	BIT_IS	"advertised: sse4_1", 1, 0, ecx, 19, WANT
	TRY	"pmuldq", VEC, 0, "pmuldq xmm0, xmm1"
	BIT_IS	"advertised: ssse3", 1, 0, ecx, 9, WANT
	TRY	"pshufb", VEC, 0, "pshufb xmm0, xmm1"
	BIT_IS	"advertised: sse3", 1, 0, ecx, 0, WANT
	TRY	"addsubps", VEC, 0, "addsubps xmm0, xmm1"
	BIT_IS	"sse2 stays", 1, 0, edx, 26, 1
	TRY	"paddq", NONE, 0, "paddq xmm0, xmm1"
	BIT_IS	"advertised: clflushopt", 7, 0, ebx, 23, WANT
	TRY	"clflushopt", VEC, 0, "clflushopt [0x20000]"
	BIT_IS	"advertised: rdpid", 7, 0, ecx, 22, WANT
	TRY	"rdpid", VEC, 0, "rdpid rax"
	BIT_IS	"advertised: invpcid", 7, 0, ebx, 10, WANT
	mov	eax, 2
	mov	qword ptr [0x20000], 0
	mov	qword ptr [0x20008], 0
	TRY	"invpcid", VEC, 0, "invpcid rax, [0x20000]"
	BIT_IS	"advertised: fsgsbase", 7, 0, ebx, 0, WANT
	CR4_TRY	"CR4.FSGSBASE", 16, VECC
	BIT_IS	"advertised: pcid", 1, 0, ecx, 17, WANT
	CR4_TRY	"CR4.PCIDE", 17, VECC
	BIT_IS	"advertised: smep", 7, 0, ebx, 7, WANT
	BIT_IS	"advertised: smap", 7, 0, ebx, 20, WANT
	TRY	"stac", VEC, 0, "stac"
	TRY	"clac", VEC, 0, "clac"
	BIT_IS	"advertised: umip", 7, 0, ecx, 2, WANT
	CR4_TRY	"CR4.UMIP", 11, VECC
	BIT_IS	"advertised: xsave", 1, 0, ecx, 26, WANT
	CR4_TRY	"CR4.OSXSAVE", 18, VECC
	/* the 1 GiB page bit is reserved without the feature */
	BIT_IS	"advertised: pdpe1gb", 0x80000001, 0, edx, 26, WANT
	mov	qword ptr [PDPT + 40], 0x87
	mov	rbx, 5 << 30
#ifdef GONE
	TRY	"1 GiB page", 14, 9, "mov eax, [rbx]"
#else
	TRY	"1 GiB page", NONE, 0, "mov eax, [rbx]"
	/* CPUID shows OSXSAVE and the APIC's state as they are */
	mov	rax, cr4
	bts	rax, 18
	mov	cr4, rax
	BIT_IS	"OSXSAVE follows CR4", 1, 0, ecx, 27, 1
	TRY	"xgetbv", NONE, 0, "xor ecx, ecx; xgetbv"
	mov	rax, cr4
	btr	rax, 18
	mov	cr4, rax
#endif
	BIT_IS	"OSXSAVE clear", 1, 0, ecx, 27, 0
	BIT_IS	"APIC is there", 1, 0, edx, 9, 1
	RDMSR_	0x1b
	btr	eax, 11
	wrmsr
	BIT_IS	"APIC bit follows its enable", 1, 0, edx, 9, 0
	BIT_IS	"hypervisor", 1, 0, ecx, 31, 1
	mov	eax, 0
	cpuid
	push	rax
	lea	ebx, [rax + 1]
	mov	eax, ebx
	xor	ecx, ecx
	cpuid
	mov	r8d, eax
	pop	rax
	xor	ecx, ecx
	cpuid
	CHKD	"a leaf past the last is the last", r8d, eax
	mov	eax, 0x80000000
	cpuid
	xor	ebx, ebx
	cmp	eax, 0x80000008
	setae	bl
	CHK	"extended leaves", rbx, 1
	/* upper halves are cleared */
	mov	rbx, -1
	mov	rcx, -1
	xor	ecx, ecx
	mov	eax, 1
	cpuid
	shr	rbx, 32
	CHK	"upper half of rbx", rbx, 0
	FINISH
