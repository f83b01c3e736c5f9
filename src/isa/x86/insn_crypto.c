/*
 * AES, PCLMULQDQ and SHA instructions. SDM vol. 2, chapters 3 and 4; vol. 1, 12.13.
 */
#include "isa/x86/families.h"
#include "isa/x86/lift_vec.h"

/* clang-format off */
const struct x86_row x86_rows_crypto[] = {
	X86("66 0F38 DC /r",        "Vx, Wx",           X86_FEAT_AES,    0, 0, 0, lift_vop_vw,      "aesenc",      X86_IS_SSE, VOP_AESENC),
	X86("66 0F38 DD /r",        "Vx, Wx",           X86_FEAT_AES,    0, 0, 0, lift_vop_vw,      "aesenclast",  X86_IS_SSE, VOP_AESENCLAST),
	X86("66 0F38 DE /r",        "Vx, Wx",           X86_FEAT_AES,    0, 0, 0, lift_vop_vw,      "aesdec",      X86_IS_SSE, VOP_AESDEC),
	X86("66 0F38 DF /r",        "Vx, Wx",           X86_FEAT_AES,    0, 0, 0, lift_vop_vw,      "aesdeclast",  X86_IS_SSE, VOP_AESDECLAST),
	X86("66 0F38 DB /r",        "Vx, Wx",           X86_FEAT_AES,    0, 0, 0, lift_vop_w,       "aesimc",      X86_IS_SSE, VOP_AESIMC),
	X86("66 0F3A DF /r",        "Vx, Wx, Ib",       X86_FEAT_AES,    0, 0, 0, lift_vop_w,       "aeskeygenassist",X86_IS_SSE, VOP_AESKEYGENASSIST),
	X86("66 0F3A 44 /r",        "Vx, Wx, Ib",       X86_FEAT_PCLMUL, 0, 0, 0, lift_vop_vw,      "pclmulqdq",   X86_IS_SSE, VOP_PCLMULQDQ),
	X86("NP 0F38 C8 /r",        "Vx, Wx",           X86_FEAT_SHA,    0, 0, 0, lift_vop_vw,      "sha1nexte",   X86_IS_SSE | X86_UNALIGNED, VOP_SHA1NEXTE),
	X86("NP 0F38 C9 /r",        "Vx, Wx",           X86_FEAT_SHA,    0, 0, 0, lift_vop_vw,      "sha1msg1",    X86_IS_SSE | X86_UNALIGNED, VOP_SHA1MSG1),
	X86("NP 0F38 CA /r",        "Vx, Wx",           X86_FEAT_SHA,    0, 0, 0, lift_vop_vw,      "sha1msg2",    X86_IS_SSE | X86_UNALIGNED, VOP_SHA1MSG2),
	X86("NP 0F38 CC /r",        "Vx, Wx",           X86_FEAT_SHA,    0, 0, 0, lift_vop_vw,      "sha256msg1",  X86_IS_SSE | X86_UNALIGNED, VOP_SHA256MSG1),
	X86("NP 0F38 CD /r",        "Vx, Wx",           X86_FEAT_SHA,    0, 0, 0, lift_vop_vw,      "sha256msg2",  X86_IS_SSE | X86_UNALIGNED, VOP_SHA256MSG2),
	X86("NP 0F38 CB /r",        "Vx, Wx",           X86_FEAT_SHA,    0, 0, 0, lift_vop_vw_xmm0, "sha256rnds2", X86_IS_SSE | X86_UNALIGNED, VOP_SHA256RNDS2),
	X86("NP 0F3A CC /r",        "Vx, Wx, Ib",       X86_FEAT_SHA,    0, 0, 0, lift_vop_vw,      "sha1rnds4",   X86_IS_SSE | X86_UNALIGNED, VOP_SHA1RNDS4),
	/* VEX forms, 128 bits only */
	X86("VEX.128 66 0F38 DC /r",    "Vdq, Hdq, Wdq",    X86_FEAT_AES,   0, 0, 0, lift_vop_vw,       "vaesenc",         X86_IS_SSE, VOP_AESENC),
	X86("VEX.128 66 0F38 DD /r",    "Vdq, Hdq, Wdq",    X86_FEAT_AES,   0, 0, 0, lift_vop_vw,       "vaesenclast",     X86_IS_SSE, VOP_AESENCLAST),
	X86("VEX.128 66 0F38 DE /r",    "Vdq, Hdq, Wdq",    X86_FEAT_AES,   0, 0, 0, lift_vop_vw,       "vaesdec",         X86_IS_SSE, VOP_AESDEC),
	X86("VEX.128 66 0F38 DF /r",    "Vdq, Hdq, Wdq",    X86_FEAT_AES,   0, 0, 0, lift_vop_vw,       "vaesdeclast",     X86_IS_SSE, VOP_AESDECLAST),
	X86("VEX.128 66 0F38 DB /r",    "Vdq, Wdq",         X86_FEAT_AES,   0, 0, 0, lift_vop_w,        "vaesimc",         X86_IS_SSE, VOP_AESIMC),
	X86("VEX.128 66 0F3A DF /r",    "Vdq, Wdq, Ib",     X86_FEAT_AES,   0, 0, 0, lift_vop_w,        "vaeskeygenassist", X86_IS_SSE, VOP_AESKEYGENASSIST),
	X86("VEX.128 66 0F3A 44 /r",    "Vdq, Hdq, Wdq, Ib", X86_FEAT_PCLMUL, 0, 0, 0, lift_vop_vw,       "vpclmulqdq",      X86_IS_SSE, VOP_PCLMULQDQ),
	X86_ROWS_END
};
/* clang-format on */
