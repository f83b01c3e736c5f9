/*
 * Floating-point arithmetic and rounding: SSE to SSE4.1. The host's instruction under
 * the host's MXCSR, which is the guest's; volatile, so that no operation is folded, merged or moved
 * across a look at the exception flags. SDM vol. 1, chapter 11 and appendix E.
 */
#include "ir/vop_asm.h"

VOP_VV(vop_addps, "addps")
VOP_VV(vop_addpd, "addpd")
VOP_VV(vop_addss, "addss")
VOP_VV(vop_addsd, "addsd")
VOP_VV(vop_subps, "subps")
VOP_VV(vop_subpd, "subpd")
VOP_VV(vop_subss, "subss")
VOP_VV(vop_subsd, "subsd")
VOP_VV(vop_mulps, "mulps")
VOP_VV(vop_mulpd, "mulpd")
VOP_VV(vop_mulss, "mulss")
VOP_VV(vop_mulsd, "mulsd")
VOP_VV(vop_divps, "divps")
VOP_VV(vop_divpd, "divpd")
VOP_VV(vop_divss, "divss")
VOP_VV(vop_divsd, "divsd")
VOP_VV(vop_minps, "minps")
VOP_VV(vop_minpd, "minpd")
VOP_VV(vop_minss, "minss")
VOP_VV(vop_minsd, "minsd")
VOP_VV(vop_maxps, "maxps")
VOP_VV(vop_maxpd, "maxpd")
VOP_VV(vop_maxss, "maxss")
VOP_VV(vop_maxsd, "maxsd")
VOP_VV(vop_sqrtss, "sqrtss")
VOP_VV(vop_sqrtsd, "sqrtsd")
VOP_VV(vop_rcpss, "rcpss")
VOP_VV(vop_rsqrtss, "rsqrtss")
VOP_VV(vop_haddps, "haddps")
VOP_VV(vop_haddpd, "haddpd")
VOP_VV(vop_hsubps, "hsubps")
VOP_VV(vop_hsubpd, "hsubpd")
VOP_VV(vop_addsubps, "addsubps")
VOP_VV(vop_addsubpd, "addsubpd")

VOP_V(vop_sqrtps, "sqrtps")
VOP_V(vop_sqrtpd, "sqrtpd")
VOP_V(vop_rcpps, "rcpps")
VOP_V(vop_rsqrtps, "rsqrtps")

#define ROUNDPS_CASE(n) VOP_IMM_CASE(n, "roundps")

void vop_roundps(VOP_ARGS)
{
	vop_v x = vop_load(a), y = vop_load(a);

	switch (imm8 & 15) {
		VOP_IMM_16(ROUNDPS_CASE, 0)
	}
	vop_store(d, x);
}

#define ROUNDPD_CASE(n) VOP_IMM_CASE(n, "roundpd")

void vop_roundpd(VOP_ARGS)
{
	vop_v x = vop_load(a), y = vop_load(a);

	switch (imm8 & 15) {
		VOP_IMM_16(ROUNDPD_CASE, 0)
	}
	vop_store(d, x);
}

#define ROUNDSS_CASE(n) VOP_IMM_CASE(n, "roundss")

void vop_roundss(VOP_ARGS)
{
	vop_v x = vop_load(a), y = vop_load(b);

	switch (imm8 & 15) {
		VOP_IMM_16(ROUNDSS_CASE, 0)
	}
	vop_store(d, x);
}

#define ROUNDSD_CASE(n) VOP_IMM_CASE(n, "roundsd")

void vop_roundsd(VOP_ARGS)
{
	vop_v x = vop_load(a), y = vop_load(b);

	switch (imm8 & 15) {
		VOP_IMM_16(ROUNDSD_CASE, 0)
	}
	vop_store(d, x);
}

#define DPPS_CASE(n) VOP_IMM_CASE(n, "dpps")

void vop_dpps(VOP_ARGS)
{
	vop_v x = vop_load(a), y = vop_load(b);

	switch (imm8 & 255) {
		VOP_IMM_256(DPPS_CASE)
	}
	vop_store(d, x);
}

#define DPPD_CASE(n) VOP_IMM_CASE(n, "dppd")

void vop_dppd(VOP_ARGS)
{
	vop_v x = vop_load(a), y = vop_load(b);

	switch (imm8 & 255) {
		VOP_IMM_256(DPPD_CASE)
	}
	vop_store(d, x);
}
