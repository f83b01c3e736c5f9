/*
 * AES, carry-less multiplication and SHA: one host instruction each. SDM vol. 1, 12.13 and 5.20.
 */
#include "ir/vop_asm.h"

VOP_VV(vop_aesenc, "aesenc")
VOP_VV(vop_aesenclast, "aesenclast")
VOP_VV(vop_aesdec, "aesdec")
VOP_VV(vop_aesdeclast, "aesdeclast")
VOP_V(vop_aesimc, "aesimc")

/* The round constant is only XORed into lanes 1 and 3. */
void vop_aeskeygenassist(VOP_ARGS)
{
	uint64_t rcon = (uint64_t)(imm8 & 0xff) << 32;
	vop_v x;

	__asm__("aeskeygenassist $0, %1, %0" : "=x"(x) : "x"(vop_load(a)));
	d->u64[0] = (uint64_t)x[0] ^ rcon;
	d->u64[1] = (uint64_t)x[1] ^ rcon;
}

/* Bits 0 and 4 of the immediate choose the halves. */
void vop_pclmulqdq(VOP_ARGS)
{
	vop_v x = {(long long)a->u64[imm8 & 1], 0};
	vop_v y = {(long long)b->u64[imm8 >> 4 & 1], 0};

	__asm__("pclmulqdq $0, %1, %0" : "+x"(x) : "x"(y));
	vop_store(d, x);
}

VOP_VV(vop_sha1nexte, "sha1nexte")
VOP_VV(vop_sha1msg1, "sha1msg1")
VOP_VV(vop_sha1msg2, "sha1msg2")
VOP_VV(vop_sha256msg1, "sha256msg1")
VOP_VV(vop_sha256msg2, "sha256msg2")

#define SHA1RNDS4_CASE(n) VOP_IMM_CASE(n, "sha1rnds4")

void vop_sha1rnds4(VOP_ARGS)
{
	vop_v x = vop_load(a), y = vop_load(b);

	switch (imm8 & 3) {
		VOP_IMM_4(SHA1RNDS4_CASE, 0)
	}
	vop_store(d, x);
}

/* c is the instruction's implicit XMM0. */
void vop_sha256rnds2(VOP_ARGS)
{
	vop_v x = vop_load(a);

	__asm__("sha256rnds2 %1, %0" : "+x"(x) : "x"(vop_load(b)), "Yz"(vop_load(c)));
	vop_store(d, x);
}
