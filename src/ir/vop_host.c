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
	[VOP_FMADDPS] =         {HOST_CPU_FMA,    vop_fmaddps_soft},
	[VOP_FMADDPD] =         {HOST_CPU_FMA,    vop_fmaddpd_soft},
	[VOP_FMADDSS] =         {HOST_CPU_FMA,    vop_fmaddss_soft},
	[VOP_FMADDSD] =         {HOST_CPU_FMA,    vop_fmaddsd_soft},
	[VOP_FMSUBPS] =         {HOST_CPU_FMA,    vop_fmsubps_soft},
	[VOP_FMSUBPD] =         {HOST_CPU_FMA,    vop_fmsubpd_soft},
	[VOP_FMSUBSS] =         {HOST_CPU_FMA,    vop_fmsubss_soft},
	[VOP_FMSUBSD] =         {HOST_CPU_FMA,    vop_fmsubsd_soft},
	[VOP_FNMADDPS] =        {HOST_CPU_FMA,    vop_fnmaddps_soft},
	[VOP_FNMADDPD] =        {HOST_CPU_FMA,    vop_fnmaddpd_soft},
	[VOP_FNMADDSS] =        {HOST_CPU_FMA,    vop_fnmaddss_soft},
	[VOP_FNMADDSD] =        {HOST_CPU_FMA,    vop_fnmaddsd_soft},
	[VOP_FNMSUBPS] =        {HOST_CPU_FMA,    vop_fnmsubps_soft},
	[VOP_FNMSUBPD] =        {HOST_CPU_FMA,    vop_fnmsubpd_soft},
	[VOP_FNMSUBSS] =        {HOST_CPU_FMA,    vop_fnmsubss_soft},
	[VOP_FNMSUBSD] =        {HOST_CPU_FMA,    vop_fnmsubsd_soft},
	[VOP_FMADDSUBPS] =      {HOST_CPU_FMA,    vop_fmaddsubps_soft},
	[VOP_FMADDSUBPD] =      {HOST_CPU_FMA,    vop_fmaddsubpd_soft},
	[VOP_FMSUBADDPS] =      {HOST_CPU_FMA,    vop_fmsubaddps_soft},
	[VOP_FMSUBADDPD] =      {HOST_CPU_FMA,    vop_fmsubaddpd_soft},
	[VOP_CVTPH2PS] =        {HOST_CPU_F16C,   vop_cvtph2ps_soft},
	[VOP_CVTPH2PS_256] =    {HOST_CPU_F16C,   vop_cvtph2ps_256_soft},
	[VOP_CVTPS2PH] =        {HOST_CPU_F16C,   vop_cvtps2ph_soft},
	[VOP_CVTPS2PH_256] =    {HOST_CPU_F16C,   vop_cvtps2ph_256_soft},
};
/* clang-format on */
