/* State groups and register offsets of the x86 CPU, for IR get/put and helper declarations. */
#ifndef ISA_X86_REGS_H
#define ISA_X86_REGS_H

#include "ir/ir.h"
#include "isa/x86/cpu.h"

#define X86_OFF(member) ((uint32_t)offsetof(struct x86_cpu, member))
#define X86_OFF_GPR(n) ((uint32_t)(offsetof(struct x86_cpu, gpr) + 8u * (n)))
#define X86_OFF_VEC(n) ((uint32_t)(offsetof(struct x86_cpu, vec) + 32u * (n)))
#define X86_OFF_MMX(n) ((uint32_t)(offsetof(struct x86_cpu, fpr) + 16u * (n)))
#define X86_OFF_SEG_BASE(s)                                                                        \
	((uint32_t)(offsetof(struct x86_cpu, seg) + sizeof(struct x86_seg) * (s) +                 \
		    offsetof(struct x86_seg, base)))

/* Groups: bits 0-15 are the general registers. */
#define X86_ST_GPR(n) (1ull << (n))
#define X86_ST_GPRS 0xffffull
#define X86_ST_RIP (1ull << 16)
#define X86_ST_FLAGS (1ull << 17)  /* the lazy arithmetic flags */
#define X86_ST_RFLAGS (1ull << 18) /* the others, DF included */
#define X86_ST_SEGS (1ull << 19)
#define X86_ST_VEC (1ull << 20)
#define X86_ST_X87 (1ull << 21)	   /* registers and environment; MMX */
#define X86_ST_MXCSR (1ull << 22)
#define X86_ST_SYS (1ull << 23)	   /* everything else */
#define X86_ST_ALL 0xffffffull

extern const struct ir_isa x86_isa;

#endif
