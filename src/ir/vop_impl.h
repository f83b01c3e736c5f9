/* The reference implementations behind vop_table (vop.c), by family file. Nobody else calls them. */
#ifndef IR_VOP_IMPL_H
#define IR_VOP_IMPL_H

#include "ir/vop.h"

/* clang-format off */
/* moving: between integers and vectors, halves and lanes */
vop_fn vop_from32, vop_from64, vop_to32, vop_to64, vop_tohi64, vop_movq, vop_movss,
	vop_movsd, vop_movlhps, vop_movhlps;
/* SSE2 integer */
vop_fn vop_paddb, vop_paddw, vop_paddd, vop_paddq, vop_paddsb, vop_paddsw, vop_paddusb,
	vop_paddusw, vop_psubb, vop_psubw, vop_psubd, vop_psubq, vop_psubsb, vop_psubsw,
	vop_psubusb, vop_psubusw, vop_pand, vop_pandn, vop_por, vop_pxor, vop_pcmpeqb, vop_pcmpeqw,
	vop_pcmpeqd, vop_pcmpgtb, vop_pcmpgtw, vop_pcmpgtd, vop_pmullw, vop_pmulhw, vop_pmulhuw,
	vop_pmuludq, vop_pmaddwd, vop_pavgb, vop_pavgw, vop_pminub, vop_pminsw, vop_pmaxub,
	vop_pmaxsw, vop_psadbw, vop_psllw, vop_pslld, vop_psllq, vop_psrlw, vop_psrld, vop_psrlq,
	vop_psraw, vop_psrad, vop_packsswb, vop_packssdw, vop_packuswb, vop_punpcklbw,
	vop_punpcklwd, vop_punpckldq, vop_punpcklqdq, vop_punpckhbw, vop_punpckhwd, vop_punpckhdq,
	vop_punpckhqdq;
/* shifts by an immediate; pslldq and psrldq by bytes */
vop_fn vop_psllw_i, vop_pslld_i, vop_psllq_i, vop_psrlw_i, vop_psrld_i, vop_psrlq_i,
	vop_psraw_i, vop_psrad_i, vop_pslldq, vop_psrldq;
/* SSSE3 */
vop_fn vop_pshufb, vop_phaddw, vop_phaddd, vop_phaddsw, vop_phsubw, vop_phsubd, vop_phsubsw,
	vop_pmaddubsw, vop_pmulhrsw, vop_psignb, vop_psignw, vop_psignd, vop_pabsb, vop_pabsw,
	vop_pabsd, vop_palignr;
/* SSE4.1 and SSE4.2 integer */
vop_fn vop_pmuldq, vop_pmulld, vop_packusdw, vop_pcmpeqq, vop_pcmpgtq, vop_pminsb,
	vop_pminuw, vop_pminud, vop_pminsd, vop_pmaxsb, vop_pmaxuw, vop_pmaxud, vop_pmaxsd,
	vop_phminposuw, vop_pmovsxbw, vop_pmovsxbd, vop_pmovsxbq, vop_pmovsxwd, vop_pmovsxwq,
	vop_pmovsxdq, vop_pmovzxbw, vop_pmovzxbd, vop_pmovzxbq, vop_pmovzxwd, vop_pmovzxwq,
	vop_pmovzxdq, vop_mpsadbw, vop_ptest;
/* shuffles, blends, inserts, extracts */
vop_fn vop_pshufd, vop_pshufhw, vop_pshuflw, vop_shufps, vop_shufpd, vop_blendps,
	vop_blendpd, vop_pblendw, vop_insertps, vop_blendvps, vop_blendvpd, vop_pblendvb,
	vop_pinsrb, vop_pinsrw, vop_pinsrd, vop_pinsrq, vop_pextrb, vop_pextrw, vop_pextrd,
	vop_pextrq, vop_pmovmskb, vop_movmskps, vop_movmskpd;
/* MMX: 64-bit twins of the above */
vop_fn vop_mmx_paddb, vop_mmx_paddw, vop_mmx_paddd, vop_mmx_paddsb, vop_mmx_paddsw,
	vop_mmx_paddusb, vop_mmx_paddusw, vop_mmx_psubb, vop_mmx_psubw, vop_mmx_psubd,
	vop_mmx_psubsb, vop_mmx_psubsw, vop_mmx_psubusb, vop_mmx_psubusw, vop_mmx_pcmpeqb,
	vop_mmx_pcmpeqw, vop_mmx_pcmpeqd, vop_mmx_pcmpgtb, vop_mmx_pcmpgtw, vop_mmx_pcmpgtd,
	vop_mmx_pmullw, vop_mmx_pmulhw, vop_mmx_pmulhuw, vop_mmx_pmuludq, vop_mmx_pmaddwd,
	vop_mmx_pavgb, vop_mmx_pavgw, vop_mmx_pminub, vop_mmx_pminsw, vop_mmx_pmaxub,
	vop_mmx_pmaxsw, vop_mmx_psadbw, vop_mmx_psllw, vop_mmx_pslld, vop_mmx_psllq, vop_mmx_psrlw,
	vop_mmx_psrld, vop_mmx_psrlq, vop_mmx_psraw, vop_mmx_psrad, vop_mmx_packsswb,
	vop_mmx_packssdw, vop_mmx_packuswb, vop_mmx_punpcklbw, vop_mmx_punpcklwd,
	vop_mmx_punpckldq, vop_mmx_punpckhbw, vop_mmx_punpckhwd, vop_mmx_punpckhdq, vop_mmx_pshufb,
	vop_mmx_phaddw, vop_mmx_phaddd, vop_mmx_phaddsw, vop_mmx_phsubw, vop_mmx_phsubd,
	vop_mmx_phsubsw, vop_mmx_pmaddubsw, vop_mmx_pmulhrsw, vop_mmx_psignb, vop_mmx_psignw,
	vop_mmx_psignd, vop_mmx_pabsb, vop_mmx_pabsw, vop_mmx_pabsd, vop_mmx_psllw_i,
	vop_mmx_pslld_i, vop_mmx_psllq_i, vop_mmx_psrlw_i, vop_mmx_psrld_i, vop_mmx_psrlq_i,
	vop_mmx_psraw_i, vop_mmx_psrad_i, vop_mmx_pshufw, vop_mmx_palignr, vop_mmx_pinsrw,
	vop_mmx_pextrw, vop_mmx_pmovmskb;
/* floating point */
vop_fn vop_addps, vop_addpd, vop_addss, vop_addsd, vop_subps, vop_subpd, vop_subss,
	vop_subsd, vop_mulps, vop_mulpd, vop_mulss, vop_mulsd, vop_divps, vop_divpd, vop_divss,
	vop_divsd, vop_minps, vop_minpd, vop_minss, vop_minsd, vop_maxps, vop_maxpd, vop_maxss,
	vop_maxsd, vop_sqrtps, vop_sqrtpd, vop_sqrtss, vop_sqrtsd, vop_rcpps, vop_rsqrtps,
	vop_rcpss, vop_rsqrtss, vop_haddps, vop_haddpd, vop_hsubps, vop_hsubpd, vop_addsubps,
	vop_addsubpd, vop_cmpps, vop_cmppd, vop_cmpss, vop_cmpsd, vop_comiss, vop_comisd,
	vop_ucomiss, vop_ucomisd, vop_roundps, vop_roundpd, vop_roundss, vop_roundsd, vop_dpps,
	vop_dppd;
/* conversions */
vop_fn vop_cvtdq2pd, vop_cvtdq2ps, vop_cvtps2dq, vop_cvttps2dq, vop_cvtpd2dq, vop_cvttpd2dq,
	vop_cvtps2pd, vop_cvtpd2ps, vop_cvtss2sd, vop_cvtsd2ss, vop_cvtsi2sd32, vop_cvtsi2ss32,
	vop_cvtsi2ss64, vop_cvtsi2sd64, vop_cvtss2si32, vop_cvttss2si32, vop_cvtsd2si32,
	vop_cvttsd2si32, vop_cvtss2si64, vop_cvttss2si64, vop_cvtsd2si64, vop_cvttsd2si64,
	vop_cvtpi2ps, vop_cvtpi2pd, vop_cvtps2pi, vop_cvttps2pi, vop_cvtpd2pi, vop_cvttpd2pi;
/* SSE4.2 strings and CRC */
vop_fn vop_pcmpestr_lens, vop_pcmpistri, vop_pcmpistrm, vop_pcmpistr_flags, vop_pcmpestri,
	vop_pcmpestrm, vop_pcmpestr_flags, vop_crc32_8, vop_crc32_16, vop_crc32_32, vop_crc32_64;
/* AES, carry-less multiply, SHA */
vop_fn vop_aesenc, vop_aesenclast, vop_aesdec, vop_aesdeclast, vop_aesimc,
	vop_aeskeygenassist, vop_pclmulqdq, vop_sha1nexte, vop_sha1msg1, vop_sha1msg2,
	vop_sha256msg1, vop_sha256msg2, vop_sha1rnds4, vop_sha256rnds2;
/* BMI2 */
vop_fn vop_pdep, vop_pext, vop_pdep_soft, vop_pext_soft;
/* AVX, AVX2: what is more than a twin */
vop_fn vop_pbroadcastb, vop_pbroadcastw, vop_pbroadcastd, vop_pbroadcastq, vop_pbroadcastb_256,
	vop_pbroadcastw_256, vop_pbroadcastd_256, vop_pbroadcastq_256, vop_broadcast128,
	vop_insert128, vop_extract128, vop_perm2i128, vop_permq, vop_permd, vop_permilps,
	vop_permilpd, vop_psllvd, vop_psllvq, vop_psrlvd, vop_psrlvq, vop_psravd, vop_testps,
	vop_testpd, vop_ptest_256, vop_testps_256, vop_testpd_256, vop_pmovmskb_256,
	vop_movmskps_256, vop_movmskpd_256, vop_pmovsxbw_256, vop_pmovsxbd_256, vop_pmovsxbq_256,
	vop_pmovsxwd_256, vop_pmovsxwq_256, vop_pmovsxdq_256, vop_pmovzxbw_256, vop_pmovzxbd_256,
	vop_pmovzxbq_256, vop_pmovzxwd_256, vop_pmovzxwq_256, vop_pmovzxdq_256, vop_cvtdq2pd_256,
	vop_cvtps2pd_256, vop_cvtpd2ps_256, vop_cvtpd2dq_256, vop_cvttpd2dq_256;
/* FMA3, F16C */
vop_fn vop_fmaddps, vop_fmaddpd, vop_fmaddss, vop_fmaddsd, vop_fmsubps, vop_fmsubpd, vop_fmsubss,
	vop_fmsubsd, vop_fnmaddps, vop_fnmaddpd, vop_fnmaddss, vop_fnmaddsd, vop_fnmsubps,
	vop_fnmsubpd, vop_fnmsubss, vop_fnmsubsd, vop_fmaddsubps, vop_fmaddsubpd, vop_fmsubaddps,
	vop_fmsubaddpd, vop_cvtph2ps, vop_cvtph2ps_256, vop_cvtps2ph, vop_cvtps2ph_256;
/* plain versions for hosts without the instructions (vop_host.c) */
vop_fn vop_aesenc_soft, vop_aesenclast_soft, vop_aesdec_soft, vop_aesdeclast_soft,
	vop_aesimc_soft, vop_aeskeygenassist_soft, vop_pclmulqdq_soft, vop_sha1nexte_soft,
	vop_sha1msg1_soft, vop_sha1msg2_soft, vop_sha256msg1_soft, vop_sha256msg2_soft,
	vop_sha1rnds4_soft, vop_sha256rnds2_soft;
vop_fn vop_fmaddps_soft, vop_fmaddpd_soft, vop_fmaddss_soft, vop_fmaddsd_soft, vop_fmsubps_soft,
	vop_fmsubpd_soft, vop_fmsubss_soft, vop_fmsubsd_soft, vop_fnmaddps_soft, vop_fnmaddpd_soft,
	vop_fnmaddss_soft, vop_fnmaddsd_soft, vop_fnmsubps_soft, vop_fnmsubpd_soft, vop_fnmsubss_soft,
	vop_fnmsubsd_soft, vop_fmaddsubps_soft, vop_fmaddsubpd_soft, vop_fmsubaddps_soft,
	vop_fmsubaddpd_soft, vop_cvtph2ps_soft, vop_cvtph2ps_256_soft, vop_cvtps2ph_soft,
	vop_cvtps2ph_256_soft;
/* clang-format on */

#endif
