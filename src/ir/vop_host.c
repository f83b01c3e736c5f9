/*
 * Which vector operations use instructions that not every host has, and their plain versions. The
 * base is x86-64-v2 (HOST_CPU_REQUIRED): SSE2 to SSE4.2 have none.
 */
#include "ir/vop_impl.h"

/* clang-format off */
const struct vop_host vop_hosts[VOP_COUNT] = {
	[VOP_AESENC] =          {HOST_CPU_AES,    vop_aesenc_soft},
	[VOP_AESENCLAST] =      {HOST_CPU_AES,    vop_aesenclast_soft},
	[VOP_AESDEC] =          {HOST_CPU_AES,    vop_aesdec_soft},
	[VOP_AESDECLAST] =      {HOST_CPU_AES,    vop_aesdeclast_soft},
	[VOP_AESIMC] =          {HOST_CPU_AES,    vop_aesimc_soft},
	[VOP_AESKEYGENASSIST] = {HOST_CPU_AES,    vop_aeskeygenassist_soft},
	[VOP_PCLMULQDQ] =       {HOST_CPU_PCLMUL, vop_pclmulqdq_soft},
	[VOP_SHA1NEXTE] =       {HOST_CPU_SHA,    vop_sha1nexte_soft},
	[VOP_SHA1MSG1] =        {HOST_CPU_SHA,    vop_sha1msg1_soft},
	[VOP_SHA1MSG2] =        {HOST_CPU_SHA,    vop_sha1msg2_soft},
	[VOP_SHA256MSG1] =      {HOST_CPU_SHA,    vop_sha256msg1_soft},
	[VOP_SHA256MSG2] =      {HOST_CPU_SHA,    vop_sha256msg2_soft},
	[VOP_SHA1RNDS4] =       {HOST_CPU_SHA,    vop_sha1rnds4_soft},
	[VOP_SHA256RNDS2] =     {HOST_CPU_SHA,    vop_sha256rnds2_soft},
	[VOP_PDEP] =            {HOST_CPU_BMI2,   vop_pdep_soft},
	[VOP_PEXT] =            {HOST_CPU_BMI2,   vop_pext_soft},
};
/* clang-format on */
