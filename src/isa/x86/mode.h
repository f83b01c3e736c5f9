/*
 * The CPU mode of a block: everything beside the code bytes that decides what they mean. Part of
 * the block key, so lifted code need not test it. Recomputed by x86_mode_update() whenever a
 * control register, segment, EFER, RFLAGS system bit or MXCSR mask changes.
 */
#ifndef ISA_X86_MODE_H
#define ISA_X86_MODE_H

#include "isa/x86/cpu.h"

enum {
	X86_MODE_CODE64 = 1u << 0,	/* 64-bit code */
	X86_MODE_CODE32 = 1u << 1,	/* default operand and address size 32 (CS.D) */
	X86_MODE_STACK32 = 1u << 2,	/* SS.B: stack pointer is ESP; unused in 64-bit code */
	X86_MODE_PE = 1u << 3,		/* protected mode (virtual-8086 included) */
	X86_MODE_VM = 1u << 4,		/* virtual-8086 */
	X86_MODE_LONG = 1u << 5,	/* EFER.LMA: long mode, 64-bit or compatibility */
	X86_MODE_CPL_SHIFT = 6,		/* two bits */
	X86_MODE_CPL = 3u << 6,
	X86_MODE_FLAT = 1u << 8,	/* CS, DS, ES, SS: base 0, limit 4 GiB, usable, writable data:
					   no base to add and no limit to check (not 64-bit code) */
	X86_MODE_TF = 1u << 9,		/* single-step: one instruction per block, then #DB */
	X86_MODE_BREAK = 1u << 10,	/* DR7 enables a breakpoint: checked slow paths */
	X86_MODE_FPU_TRAP = 1u << 11,	/* CR0.TS: #NM */
	X86_MODE_MMX_UD = 1u << 12,	/* CR0.EM: MMX is #UD, x87 is #NM, VEX does not care */
	X86_MODE_SSE_UD = 1u << 13,	/* CR0.EM or not CR4.OSFXSR: SSE is #UD */
	X86_MODE_AVX_UD = 1u << 14,	/* not CR4.OSXSAVE, or XCR0 lacks SSE|AVX */
	X86_MODE_SSE_UNMASKED = 1u << 15, /* MXCSR unmasks an exception: check after every operation */
	X86_MODE_AC = 1u << 16,		/* alignment checking on: CR0.AM, RFLAGS.AC, CPL 3 */
	X86_MODE_MMU_SHIFT = 17,	/* enum x86_mmu_index, two bits */
	X86_MODE_MMU = 3u << 17,
	X86_MODE_SHADOW = 1u << 19,	/* interrupt shadow: one instruction per block */
	X86_MODE_X87_PENDING = 1u << 20, /* unmasked x87 exception waits (FSW.ES): next x87 insn #MF */
	X86_MODE_RF = 1u << 21,		/* RFLAGS.RF: one instruction without instruction breakpoints */
	X86_MODE_X87_UNMASKED = 1u << 22, /* FCW unmasks an exception: x87 instructions may leave one pending */
};

/* Recompute cpu->mode from state. */
void x86_mode_update(struct x86_cpu *cpu);

static inline enum x86_mmu_index x86_mode_mmu(x86_mode_t m)
{
	return (enum x86_mmu_index)((m & X86_MODE_MMU) >> X86_MODE_MMU_SHIFT);
}

static inline unsigned x86_mode_cpl(x86_mode_t m)
{
	return (m & X86_MODE_CPL) >> X86_MODE_CPL_SHIFT;
}

#endif
