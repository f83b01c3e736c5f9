/*
 * Fused multiply-add (FMA3) and half-precision conversion (F16C). SDM vol. 2, VFMADD132PD to
 * VFNMSUB231SS, VCVTPH2PS, VCVTPS2PH; vol. 1, 14.4 and 14.5.
 *
 * The digits of a mnemonic say which operand is what: of "132" the first is multiplied by the third
 * and the second added. Of several NaNs the first factor's is the result, then the second's.
 */
#include "isa/x86/families.h"
#include "isa/x86/insn_sse.h"
#include "isa/x86/lift_vec.h"
#include "isa/x86/mode.h"

enum { FORM_132 = 1 << 16, FORM_213 = 2 << 16, FORM_231 = 3 << 16, FORM_MASK = 3 << 16 };

static void lift_fma(struct lift *l, const struct x86_insn *i)
{
	ir_ref third = lift_read(l, i, 2), second = lift_read(l, i, 1), first = lift_read(l, i, 0);
	unsigned vop = i->row->arg & 0xffff, form = i->row->arg & FORM_MASK;
	ir_ref r;

	switch (form) {
	case FORM_132:
		r = lift_vop(l, i, vop, first, third, second);
		break;
	case FORM_213:
		r = lift_vop(l, i, vop, second, first, third);
		break;
	default:
		r = lift_vop(l, i, vop, second, third, first);
		break;
	}
	/* Scalars leave the rest of the destination: where it is the term added, the operation has. */
	if (form != FORM_231 && i->op[2].bytes == 4)
		r = ir_vop(l->b, VOP_MOVSS, 0, first, r, IR_NONE);
	else if (form != FORM_231 && i->op[2].bytes == 8)
		r = ir_vop(l->b, VOP_MOVSD, 0, first, r, IR_NONE);
	lift_write(l, i, 0, r);
}

/* Memory that may not be written is found before the operation raises its flags. */
static uint64_t check_write(void *p, uint64_t lin, uint64_t bytes, uint64_t flags)
{
	struct x86_cpu *cpu = p;

	x86_mem_check_write(cpu, lin, (unsigned)bytes, x86_mode_mmu(cpu->mode), (unsigned)flags);
	return 0;
}

const struct ir_helper x86_helpers_fma[] = {
	{"check_write", check_write, 3, IR_VOID, IR_HELPER_FAULTS, X86_ST_SYS, 0},
	{NULL},
};

static void cvtps2ph_to_memory(struct lift *l, const struct x86_insn *i)
{
	unsigned bytes = i->op[0].bytes, flags = lift_mem_flags(i, bytes);
	ir_ref v = lift_read(l, i, 1), addr = lift_linear(l, i, bytes, X86_WRITE);

	lift_call(l, &x86_helpers_fma[0], addr, lift_imm(l, IR_I64, bytes),
		  lift_imm(l, IR_I64, flags));
	if (l->mode & X86_MODE_SSE_UNMASKED)
		lift_sse_begin(l);
	v = ir_vop(l->b, i->row->arg, (unsigned)i->imm & 0xff, v, IR_NONE, IR_NONE);
	if (l->mode & X86_MODE_SSE_UNMASKED) {
		lift_sse_check_store(l, v, addr, bytes);
		return;
	}
	if (bytes == 8)
		v = ir_vop(l->b, VOP_TO64, 0, v, IR_NONE, IR_NONE);
	ir_store(l->b, addr, v, l->mmu, flags);
}

static void lift_cvtps2ph(struct lift *l, const struct x86_insn *i)
{
	ir_ref v;

	if (i->op[0].kind == X86_OPND_MEM) {
		cvtps2ph_to_memory(l, i);
		return;
	}
	v = lift_read(l, i, 1);
	lift_write(l, i, 0, lift_vop(l, i, i->row->arg, v, IR_NONE, IR_NONE));
}

#define ATTR (X86_IS_SSE | X86_FP_EXC)
#define FMA  X86_FEAT_FMA
#define F16C X86_FEAT_F16C

/* clang-format off */
const struct x86_row x86_rows_fma[] = {
	X86("VEX.L* 66 W0 0F38 96 /r", "Vx, Hx, Wx",      FMA,  0, 0, 0, lift_fma, "vfmaddsub132ps",  ATTR, VOP_FMADDSUBPS | FORM_132),
	X86("VEX.L* 66 W1 0F38 96 /r", "Vx, Hx, Wx",      FMA,  0, 0, 0, lift_fma, "vfmaddsub132pd",  ATTR, VOP_FMADDSUBPD | FORM_132),
	X86("VEX.L* 66 W0 0F38 97 /r", "Vx, Hx, Wx",      FMA,  0, 0, 0, lift_fma, "vfmsubadd132ps",  ATTR, VOP_FMSUBADDPS | FORM_132),
	X86("VEX.L* 66 W1 0F38 97 /r", "Vx, Hx, Wx",      FMA,  0, 0, 0, lift_fma, "vfmsubadd132pd",  ATTR, VOP_FMSUBADDPD | FORM_132),
	X86("VEX.L* 66 W0 0F38 98 /r", "Vx, Hx, Wx",      FMA,  0, 0, 0, lift_fma, "vfmadd132ps",     ATTR, VOP_FMADDPS | FORM_132),
	X86("VEX.L* 66 W1 0F38 98 /r", "Vx, Hx, Wx",      FMA,  0, 0, 0, lift_fma, "vfmadd132pd",     ATTR, VOP_FMADDPD | FORM_132),
	X86("VEX.L* 66 W0 0F38 99 /r", "Vdq, Hdq, Wss",   FMA,  0, 0, 0, lift_fma, "vfmadd132ss",     ATTR, VOP_FMADDSS | FORM_132),
	X86("VEX.L* 66 W1 0F38 99 /r", "Vdq, Hdq, Wsd",   FMA,  0, 0, 0, lift_fma, "vfmadd132sd",     ATTR, VOP_FMADDSD | FORM_132),
	X86("VEX.L* 66 W0 0F38 9A /r", "Vx, Hx, Wx",      FMA,  0, 0, 0, lift_fma, "vfmsub132ps",     ATTR, VOP_FMSUBPS | FORM_132),
	X86("VEX.L* 66 W1 0F38 9A /r", "Vx, Hx, Wx",      FMA,  0, 0, 0, lift_fma, "vfmsub132pd",     ATTR, VOP_FMSUBPD | FORM_132),
	X86("VEX.L* 66 W0 0F38 9B /r", "Vdq, Hdq, Wss",   FMA,  0, 0, 0, lift_fma, "vfmsub132ss",     ATTR, VOP_FMSUBSS | FORM_132),
	X86("VEX.L* 66 W1 0F38 9B /r", "Vdq, Hdq, Wsd",   FMA,  0, 0, 0, lift_fma, "vfmsub132sd",     ATTR, VOP_FMSUBSD | FORM_132),
	X86("VEX.L* 66 W0 0F38 9C /r", "Vx, Hx, Wx",      FMA,  0, 0, 0, lift_fma, "vfnmadd132ps",    ATTR, VOP_FNMADDPS | FORM_132),
	X86("VEX.L* 66 W1 0F38 9C /r", "Vx, Hx, Wx",      FMA,  0, 0, 0, lift_fma, "vfnmadd132pd",    ATTR, VOP_FNMADDPD | FORM_132),
	X86("VEX.L* 66 W0 0F38 9D /r", "Vdq, Hdq, Wss",   FMA,  0, 0, 0, lift_fma, "vfnmadd132ss",    ATTR, VOP_FNMADDSS | FORM_132),
	X86("VEX.L* 66 W1 0F38 9D /r", "Vdq, Hdq, Wsd",   FMA,  0, 0, 0, lift_fma, "vfnmadd132sd",    ATTR, VOP_FNMADDSD | FORM_132),
	X86("VEX.L* 66 W0 0F38 9E /r", "Vx, Hx, Wx",      FMA,  0, 0, 0, lift_fma, "vfnmsub132ps",    ATTR, VOP_FNMSUBPS | FORM_132),
	X86("VEX.L* 66 W1 0F38 9E /r", "Vx, Hx, Wx",      FMA,  0, 0, 0, lift_fma, "vfnmsub132pd",    ATTR, VOP_FNMSUBPD | FORM_132),
	X86("VEX.L* 66 W0 0F38 9F /r", "Vdq, Hdq, Wss",   FMA,  0, 0, 0, lift_fma, "vfnmsub132ss",    ATTR, VOP_FNMSUBSS | FORM_132),
	X86("VEX.L* 66 W1 0F38 9F /r", "Vdq, Hdq, Wsd",   FMA,  0, 0, 0, lift_fma, "vfnmsub132sd",    ATTR, VOP_FNMSUBSD | FORM_132),
	X86("VEX.L* 66 W0 0F38 A6 /r", "Vx, Hx, Wx",      FMA,  0, 0, 0, lift_fma, "vfmaddsub213ps",  ATTR, VOP_FMADDSUBPS | FORM_213),
	X86("VEX.L* 66 W1 0F38 A6 /r", "Vx, Hx, Wx",      FMA,  0, 0, 0, lift_fma, "vfmaddsub213pd",  ATTR, VOP_FMADDSUBPD | FORM_213),
	X86("VEX.L* 66 W0 0F38 A7 /r", "Vx, Hx, Wx",      FMA,  0, 0, 0, lift_fma, "vfmsubadd213ps",  ATTR, VOP_FMSUBADDPS | FORM_213),
	X86("VEX.L* 66 W1 0F38 A7 /r", "Vx, Hx, Wx",      FMA,  0, 0, 0, lift_fma, "vfmsubadd213pd",  ATTR, VOP_FMSUBADDPD | FORM_213),
	X86("VEX.L* 66 W0 0F38 A8 /r", "Vx, Hx, Wx",      FMA,  0, 0, 0, lift_fma, "vfmadd213ps",     ATTR, VOP_FMADDPS | FORM_213),
	X86("VEX.L* 66 W1 0F38 A8 /r", "Vx, Hx, Wx",      FMA,  0, 0, 0, lift_fma, "vfmadd213pd",     ATTR, VOP_FMADDPD | FORM_213),
	X86("VEX.L* 66 W0 0F38 A9 /r", "Vdq, Hdq, Wss",   FMA,  0, 0, 0, lift_fma, "vfmadd213ss",     ATTR, VOP_FMADDSS | FORM_213),
	X86("VEX.L* 66 W1 0F38 A9 /r", "Vdq, Hdq, Wsd",   FMA,  0, 0, 0, lift_fma, "vfmadd213sd",     ATTR, VOP_FMADDSD | FORM_213),
	X86("VEX.L* 66 W0 0F38 AA /r", "Vx, Hx, Wx",      FMA,  0, 0, 0, lift_fma, "vfmsub213ps",     ATTR, VOP_FMSUBPS | FORM_213),
	X86("VEX.L* 66 W1 0F38 AA /r", "Vx, Hx, Wx",      FMA,  0, 0, 0, lift_fma, "vfmsub213pd",     ATTR, VOP_FMSUBPD | FORM_213),
	X86("VEX.L* 66 W0 0F38 AB /r", "Vdq, Hdq, Wss",   FMA,  0, 0, 0, lift_fma, "vfmsub213ss",     ATTR, VOP_FMSUBSS | FORM_213),
	X86("VEX.L* 66 W1 0F38 AB /r", "Vdq, Hdq, Wsd",   FMA,  0, 0, 0, lift_fma, "vfmsub213sd",     ATTR, VOP_FMSUBSD | FORM_213),
	X86("VEX.L* 66 W0 0F38 AC /r", "Vx, Hx, Wx",      FMA,  0, 0, 0, lift_fma, "vfnmadd213ps",    ATTR, VOP_FNMADDPS | FORM_213),
	X86("VEX.L* 66 W1 0F38 AC /r", "Vx, Hx, Wx",      FMA,  0, 0, 0, lift_fma, "vfnmadd213pd",    ATTR, VOP_FNMADDPD | FORM_213),
	X86("VEX.L* 66 W0 0F38 AD /r", "Vdq, Hdq, Wss",   FMA,  0, 0, 0, lift_fma, "vfnmadd213ss",    ATTR, VOP_FNMADDSS | FORM_213),
	X86("VEX.L* 66 W1 0F38 AD /r", "Vdq, Hdq, Wsd",   FMA,  0, 0, 0, lift_fma, "vfnmadd213sd",    ATTR, VOP_FNMADDSD | FORM_213),
	X86("VEX.L* 66 W0 0F38 AE /r", "Vx, Hx, Wx",      FMA,  0, 0, 0, lift_fma, "vfnmsub213ps",    ATTR, VOP_FNMSUBPS | FORM_213),
	X86("VEX.L* 66 W1 0F38 AE /r", "Vx, Hx, Wx",      FMA,  0, 0, 0, lift_fma, "vfnmsub213pd",    ATTR, VOP_FNMSUBPD | FORM_213),
	X86("VEX.L* 66 W0 0F38 AF /r", "Vdq, Hdq, Wss",   FMA,  0, 0, 0, lift_fma, "vfnmsub213ss",    ATTR, VOP_FNMSUBSS | FORM_213),
	X86("VEX.L* 66 W1 0F38 AF /r", "Vdq, Hdq, Wsd",   FMA,  0, 0, 0, lift_fma, "vfnmsub213sd",    ATTR, VOP_FNMSUBSD | FORM_213),
	X86("VEX.L* 66 W0 0F38 B6 /r", "Vx, Hx, Wx",      FMA,  0, 0, 0, lift_fma, "vfmaddsub231ps",  ATTR, VOP_FMADDSUBPS | FORM_231),
	X86("VEX.L* 66 W1 0F38 B6 /r", "Vx, Hx, Wx",      FMA,  0, 0, 0, lift_fma, "vfmaddsub231pd",  ATTR, VOP_FMADDSUBPD | FORM_231),
	X86("VEX.L* 66 W0 0F38 B7 /r", "Vx, Hx, Wx",      FMA,  0, 0, 0, lift_fma, "vfmsubadd231ps",  ATTR, VOP_FMSUBADDPS | FORM_231),
	X86("VEX.L* 66 W1 0F38 B7 /r", "Vx, Hx, Wx",      FMA,  0, 0, 0, lift_fma, "vfmsubadd231pd",  ATTR, VOP_FMSUBADDPD | FORM_231),
	X86("VEX.L* 66 W0 0F38 B8 /r", "Vx, Hx, Wx",      FMA,  0, 0, 0, lift_fma, "vfmadd231ps",     ATTR, VOP_FMADDPS | FORM_231),
	X86("VEX.L* 66 W1 0F38 B8 /r", "Vx, Hx, Wx",      FMA,  0, 0, 0, lift_fma, "vfmadd231pd",     ATTR, VOP_FMADDPD | FORM_231),
	X86("VEX.L* 66 W0 0F38 B9 /r", "Vdq, Hdq, Wss",   FMA,  0, 0, 0, lift_fma, "vfmadd231ss",     ATTR, VOP_FMADDSS | FORM_231),
	X86("VEX.L* 66 W1 0F38 B9 /r", "Vdq, Hdq, Wsd",   FMA,  0, 0, 0, lift_fma, "vfmadd231sd",     ATTR, VOP_FMADDSD | FORM_231),
	X86("VEX.L* 66 W0 0F38 BA /r", "Vx, Hx, Wx",      FMA,  0, 0, 0, lift_fma, "vfmsub231ps",     ATTR, VOP_FMSUBPS | FORM_231),
	X86("VEX.L* 66 W1 0F38 BA /r", "Vx, Hx, Wx",      FMA,  0, 0, 0, lift_fma, "vfmsub231pd",     ATTR, VOP_FMSUBPD | FORM_231),
	X86("VEX.L* 66 W0 0F38 BB /r", "Vdq, Hdq, Wss",   FMA,  0, 0, 0, lift_fma, "vfmsub231ss",     ATTR, VOP_FMSUBSS | FORM_231),
	X86("VEX.L* 66 W1 0F38 BB /r", "Vdq, Hdq, Wsd",   FMA,  0, 0, 0, lift_fma, "vfmsub231sd",     ATTR, VOP_FMSUBSD | FORM_231),
	X86("VEX.L* 66 W0 0F38 BC /r", "Vx, Hx, Wx",      FMA,  0, 0, 0, lift_fma, "vfnmadd231ps",    ATTR, VOP_FNMADDPS | FORM_231),
	X86("VEX.L* 66 W1 0F38 BC /r", "Vx, Hx, Wx",      FMA,  0, 0, 0, lift_fma, "vfnmadd231pd",    ATTR, VOP_FNMADDPD | FORM_231),
	X86("VEX.L* 66 W0 0F38 BD /r", "Vdq, Hdq, Wss",   FMA,  0, 0, 0, lift_fma, "vfnmadd231ss",    ATTR, VOP_FNMADDSS | FORM_231),
	X86("VEX.L* 66 W1 0F38 BD /r", "Vdq, Hdq, Wsd",   FMA,  0, 0, 0, lift_fma, "vfnmadd231sd",    ATTR, VOP_FNMADDSD | FORM_231),
	X86("VEX.L* 66 W0 0F38 BE /r", "Vx, Hx, Wx",      FMA,  0, 0, 0, lift_fma, "vfnmsub231ps",    ATTR, VOP_FNMSUBPS | FORM_231),
	X86("VEX.L* 66 W1 0F38 BE /r", "Vx, Hx, Wx",      FMA,  0, 0, 0, lift_fma, "vfnmsub231pd",    ATTR, VOP_FNMSUBPD | FORM_231),
	X86("VEX.L* 66 W0 0F38 BF /r", "Vdq, Hdq, Wss",   FMA,  0, 0, 0, lift_fma, "vfnmsub231ss",    ATTR, VOP_FNMSUBSS | FORM_231),
	X86("VEX.L* 66 W1 0F38 BF /r", "Vdq, Hdq, Wsd",   FMA,  0, 0, 0, lift_fma, "vfnmsub231sd",    ATTR, VOP_FNMSUBSD | FORM_231),
	X86("VEX.128 66 W0 0F38 13 /r", "Vdq, Wq",      F16C, 0, 0, 0, lift_vop_w,    "vcvtph2ps", ATTR, VOP_CVTPH2PS),
	X86("VEX.256 66 W0 0F38 13 /r", "Vqq, Wdq",     F16C, 0, 0, 0, lift_vop_w,    "vcvtph2ps", ATTR, VOP_CVTPH2PS_256),
	X86("VEX.128 66 W0 0F3A 1D /r", "Wq, Vdq, Ib",  F16C, 0, 0, 0, lift_cvtps2ph, "vcvtps2ph", ATTR, VOP_CVTPS2PH),
	X86("VEX.256 66 W0 0F3A 1D /r", "Wdq, Vqq, Ib", F16C, 0, 0, 0, lift_cvtps2ph, "vcvtps2ph", ATTR, VOP_CVTPS2PH_256),
	X86_ROWS_END,
};
/* clang-format on */
