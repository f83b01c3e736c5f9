/*
 * AVX and AVX2 operations that are more than a 128-bit operation on each lane: across lanes,
 * between the two widths, variable shifts, tests. Plain C, and the 128-bit operations where there
 * is arithmetic, so that the host need not have AVX. SDM vol. 2, chapters 3 to 5.
 */
#include <string.h>

#include "ir/vop_asm.h"

/* A pointer into a register: only as much as follows may be read. */
static const union ir_vec *at(const union ir_vec *v, unsigned byte)
{
	return (const union ir_vec *)(v->u8 + byte);
}

static void repeat(union ir_vec *d, const union ir_vec *a, unsigned bytes, unsigned total)
{
	uint8_t lane[16];

	memcpy(lane, a->u8, bytes);
	for (unsigned k = 0; k < total; k += bytes)
		memcpy(d->u8 + k, lane, bytes);
}

#define BROADCAST(name, bytes, total)                                                              \
	void name(VOP_ARGS)                                                                        \
	{                                                                                          \
		repeat(d, a, bytes, total);                                                        \
	}

BROADCAST(vop_pbroadcastb, 1, 16)
BROADCAST(vop_pbroadcastw, 2, 16)
BROADCAST(vop_pbroadcastd, 4, 16)
BROADCAST(vop_pbroadcastq, 8, 16)
BROADCAST(vop_pbroadcastb_256, 1, 32)
BROADCAST(vop_pbroadcastw_256, 2, 32)
BROADCAST(vop_pbroadcastd_256, 4, 32)
BROADCAST(vop_pbroadcastq_256, 8, 32)
BROADCAST(vop_broadcast128, 16, 32)

/* ---- lanes and elements of the whole register */

void vop_insert128(VOP_ARGS)
{
	uint8_t r[32];

	memcpy(r, a->u8, 32);
	memcpy(r + 16 * (imm8 & 1), b->u8, 16);
	memcpy(d->u8, r, 32);
}

void vop_extract128(VOP_ARGS)
{
	memmove(d->u8, a->u8 + 16 * (imm8 & 1), 16);
}

/* Four bits for each half: a half of a (0, 1) or b (2, 3), or with bit 3 zeros. */
void vop_perm2i128(VOP_ARGS)
{
	uint8_t r[32] = {0};

	for (unsigned k = 0; k < 2; k++) {
		unsigned how = imm8 >> (4 * k) & 15;

		if (!(how & 8))
			memcpy(r + 16 * k, (how & 2 ? b : a)->u8 + 16 * (how & 1), 16);
	}
	memcpy(d->u8, r, 32);
}

void vop_permq(VOP_ARGS)
{
	uint64_t r[4];

	for (unsigned k = 0; k < 4; k++)
		r[k] = a->u64[imm8 >> (2 * k) & 3];
	memcpy(d->u8, r, 32);
}

void vop_permd(VOP_ARGS)
{
	uint32_t r[8];

	for (unsigned k = 0; k < 8; k++)
		r[k] = b->u32[a->u32[k] & 7];
	memcpy(d->u8, r, 32);
}

void vop_permilps(VOP_ARGS)
{
	uint32_t r[4];

	for (unsigned k = 0; k < 4; k++)
		r[k] = a->u32[b->u32[k] & 3];
	memcpy(d->u8, r, 16);
}

void vop_permilpd(VOP_ARGS)
{
	uint64_t r[2];

	for (unsigned k = 0; k < 2; k++)
		r[k] = a->u64[b->u64[k] >> 1 & 1];
	memcpy(d->u8, r, 16);
}

/* ---- shifts by a count for each element */

#define SHIFT(name, type, member, over, expression)                                                \
	void name(VOP_ARGS)                                                                        \
	{                                                                                          \
		type r[16 / sizeof(type)];                                                         \
		for (unsigned k = 0; k < ARRAY_LEN(r); k++) {                                      \
			type x = (type)a->member[k];                                               \
			uint64_t n = b->member[k];                                                 \
			r[k] = n >= 8 * sizeof(type) ? (over) : (type)(expression);                \
		}                                                                                  \
		memcpy(d->u8, r, 16);                                                              \
	}

SHIFT(vop_psllvd, uint32_t, u32, 0, x << n)
SHIFT(vop_psllvq, uint64_t, u64, 0, x << n)
SHIFT(vop_psrlvd, uint32_t, u32, 0, x >> n)
SHIFT(vop_psrlvq, uint64_t, u64, 0, x >> n)
SHIFT(vop_psravd, int32_t, u32, x >> 31, x >> n)

/* ---- tests: ZF if no selected bit of a & b is set, CF if none of ~a & b is */

static void test(union ir_vec *d, const union ir_vec *a, const union ir_vec *b, unsigned words,
		 uint64_t select)
{
	uint64_t both = 0, only_b = 0;

	for (unsigned k = 0; k < words; k++) {
		both |= a->u64[k] & b->u64[k] & select;
		only_b |= ~a->u64[k] & b->u64[k] & select;
	}
	d->u64[0] = (uint64_t)((both == 0) * VOP_ZF | (only_b == 0) * VOP_CF);
}

#define SIGN32 0x8000000080000000
#define SIGN64 0x8000000000000000

void vop_testps(VOP_ARGS)
{
	test(d, a, b, 2, SIGN32);
}

void vop_testpd(VOP_ARGS)
{
	test(d, a, b, 2, SIGN64);
}

void vop_ptest_256(VOP_ARGS)
{
	test(d, a, b, 4, ~0ull);
}

void vop_testps_256(VOP_ARGS)
{
	test(d, a, b, 4, SIGN32);
}

void vop_testpd_256(VOP_ARGS)
{
	test(d, a, b, 4, SIGN64);
}

/* A mask of n bits from each half, by the 128-bit operation. */
static void mask(union ir_vec *d, vop_fn *fn, const union ir_vec *a, unsigned n)
{
	uint32_t lo, hi;

	fn((union ir_vec *)&lo, a, NULL, NULL, 0);
	fn((union ir_vec *)&hi, at(a, 16), NULL, NULL, 0);
	d->u32[0] = lo | hi << n;
}

void vop_pmovmskb_256(VOP_ARGS)
{
	mask(d, vop_pmovmskb, a, 16);
}

void vop_movmskps_256(VOP_ARGS)
{
	mask(d, vop_movmskps, a, 4);
}

void vop_movmskpd_256(VOP_ARGS)
{
	mask(d, vop_movmskpd, a, 2);
}

/* ---- twice as wide: the 128-bit operation reads only the low bytes of its argument */

static void widen(union ir_vec *d, vop_fn *fn, const union ir_vec *a, unsigned upper)
{
	union ir_vec from = {.u64 = {a->u64[0], a->u64[1]}}, r;

	fn(&r, &from, NULL, NULL, 0);
	fn((union ir_vec *)(r.u8 + 16), at(&from, upper), NULL, NULL, 0);
	memcpy(d->u8, r.u8, 32);
}

#define WIDEN(name, fn, upper)                                                                     \
	void name(VOP_ARGS)                                                                        \
	{                                                                                          \
		widen(d, fn, a, upper);                                                            \
	}

WIDEN(vop_pmovsxbw_256, vop_pmovsxbw, 8)
WIDEN(vop_pmovsxbd_256, vop_pmovsxbd, 4)
WIDEN(vop_pmovsxbq_256, vop_pmovsxbq, 2)
WIDEN(vop_pmovsxwd_256, vop_pmovsxwd, 8)
WIDEN(vop_pmovsxwq_256, vop_pmovsxwq, 4)
WIDEN(vop_pmovsxdq_256, vop_pmovsxdq, 8)
WIDEN(vop_pmovzxbw_256, vop_pmovzxbw, 8)
WIDEN(vop_pmovzxbd_256, vop_pmovzxbd, 4)
WIDEN(vop_pmovzxbq_256, vop_pmovzxbq, 2)
WIDEN(vop_pmovzxwd_256, vop_pmovzxwd, 8)
WIDEN(vop_pmovzxwq_256, vop_pmovzxwq, 4)
WIDEN(vop_pmovzxdq_256, vop_pmovzxdq, 8)
WIDEN(vop_cvtdq2pd_256, vop_cvtdq2pd, 8)
WIDEN(vop_cvtps2pd_256, vop_cvtps2pd, 8)

/* ---- half as wide: the 128-bit operation gives 64 bits, twice */

static void narrow(union ir_vec *d, vop_fn *fn, const union ir_vec *a)
{
	uint64_t lo[2], hi[2];

	fn((union ir_vec *)lo, a, NULL, NULL, 0);
	fn((union ir_vec *)hi, at(a, 16), NULL, NULL, 0);
	d->u64[0] = lo[0];
	d->u64[1] = hi[0];
}

#define NARROW(name, fn)                                                                           \
	void name(VOP_ARGS)                                                                        \
	{                                                                                          \
		narrow(d, fn, a);                                                                  \
	}

NARROW(vop_cvtpd2ps_256, vop_cvtpd2ps)
NARROW(vop_cvtpd2dq_256, vop_cvtpd2dq)
NARROW(vop_cvttpd2dq_256, vop_cvttpd2dq)
