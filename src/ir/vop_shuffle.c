/*
 * Data movement: lanes, halves, shuffles, blends, inserts, extracts, byte shifts, sign masks. Plain
 * C, for nothing is computed. Every result is complete before d is written: d may be an argument.
 */
#include <string.h>

#include "ir/vop_asm.h"

static void set_lanes64(union ir_vec *d, uint64_t lo, uint64_t hi)
{
	d->u64[0] = lo;
	d->u64[1] = hi;
}

static void set_lanes32(union ir_vec *d, const uint32_t lane[4])
{
	memcpy(d->u32, lane, 16);
}

void vop_from32(VOP_ARGS)
{
	set_lanes64(d, a->u32[0], 0);
}

void vop_from64(VOP_ARGS)
{
	set_lanes64(d, a->u64[0], 0);
}

void vop_to32(VOP_ARGS)
{
	d->u32[0] = a->u32[0];
}

void vop_to64(VOP_ARGS)
{
	d->u64[0] = a->u64[0];
}

void vop_tohi64(VOP_ARGS)
{
	d->u64[0] = a->u64[1];
}

void vop_movq(VOP_ARGS)
{
	set_lanes64(d, a->u64[0], 0);
}

void vop_movss(VOP_ARGS)
{
	set_lanes64(d, (a->u64[0] & ~0xffffffffull) | b->u32[0], a->u64[1]);
}

void vop_movsd(VOP_ARGS)
{
	set_lanes64(d, b->u64[0], a->u64[1]);
}

void vop_movlhps(VOP_ARGS)
{
	set_lanes64(d, a->u64[0], b->u64[0]);
}

void vop_movhlps(VOP_ARGS)
{
	set_lanes64(d, b->u64[1], a->u64[1]);
}

/* Bytes n..n+15 of hi:lo, zeros above. */
static void align_bytes(union ir_vec *d, const union ir_vec *hi, const union ir_vec *lo, unsigned n)
{
	uint8_t both[64] = {0};

	memcpy(both, lo->u8, 16);
	memcpy(both + 16, hi->u8, 16);
	memcpy(d->u8, both + (n > 32 ? 32 : n), 16);
}

void vop_palignr(VOP_ARGS)
{
	align_bytes(d, a, b, imm8 & 0xff);
}

void vop_psrldq(VOP_ARGS)
{
	static const union ir_vec zero;

	align_bytes(d, &zero, a, imm8 & 0xff);
}

void vop_pslldq(VOP_ARGS)
{
	static const union ir_vec zero;
	unsigned n = imm8 & 0xff;

	align_bytes(d, a, &zero, n > 16 ? 0 : 16 - n);
}

void vop_pshufd(VOP_ARGS)
{
	const uint32_t r[4] = {a->u32[imm8 & 3], a->u32[imm8 >> 2 & 3], a->u32[imm8 >> 4 & 3],
			       a->u32[imm8 >> 6 & 3]};

	set_lanes32(d, r);
}

static uint64_t shuffle_words(const u16_any *w, unsigned imm8)
{
	return (uint64_t)w[imm8 & 3] | (uint64_t)w[imm8 >> 2 & 3] << 16 |
	       (uint64_t)w[imm8 >> 4 & 3] << 32 | (uint64_t)w[imm8 >> 6 & 3] << 48;
}

void vop_pshuflw(VOP_ARGS)
{
	set_lanes64(d, shuffle_words(a->u16, imm8), a->u64[1]);
}

void vop_pshufhw(VOP_ARGS)
{
	set_lanes64(d, a->u64[0], shuffle_words(a->u16 + 4, imm8));
}

void vop_shufps(VOP_ARGS)
{
	const uint32_t r[4] = {a->u32[imm8 & 3], a->u32[imm8 >> 2 & 3], b->u32[imm8 >> 4 & 3],
			       b->u32[imm8 >> 6 & 3]};

	set_lanes32(d, r);
}

void vop_shufpd(VOP_ARGS)
{
	set_lanes64(d, a->u64[imm8 & 1], b->u64[imm8 >> 1 & 1]);
}

/* Lanes of bytes each: from b where the lane's bit in select is set, else from a. */
static void blend(union ir_vec *d, const union ir_vec *a, const union ir_vec *b, unsigned bytes,
		  unsigned select)
{
	uint8_t r[16];

	for (unsigned k = 0; k < 16; k++)
		r[k] = select >> (k / bytes) & 1 ? b->u8[k] : a->u8[k];
	memcpy(d->u8, r, 16);
}

/* The top bit of each lane. */
static unsigned sign_mask(const union ir_vec *v, unsigned bytes)
{
	unsigned r = 0;

	for (unsigned k = 0; k < 16 / bytes; k++)
		r |= (unsigned)(v->u8[k * bytes + bytes - 1] >> 7) << k;
	return r;
}

void vop_blendps(VOP_ARGS)
{
	blend(d, a, b, 4, imm8);
}

void vop_blendpd(VOP_ARGS)
{
	blend(d, a, b, 8, imm8);
}

void vop_pblendw(VOP_ARGS)
{
	blend(d, a, b, 2, imm8);
}

void vop_blendvps(VOP_ARGS)
{
	blend(d, a, b, 4, sign_mask(c, 4));
}

void vop_blendvpd(VOP_ARGS)
{
	blend(d, a, b, 8, sign_mask(c, 8));
}

void vop_pblendvb(VOP_ARGS)
{
	blend(d, a, b, 1, sign_mask(c, 1));
}

void vop_pmovmskb(VOP_ARGS)
{
	d->u32[0] = sign_mask(a, 1);
}

void vop_movmskps(VOP_ARGS)
{
	d->u32[0] = sign_mask(a, 4);
}

void vop_movmskpd(VOP_ARGS)
{
	d->u32[0] = sign_mask(a, 8);
}

/* imm8: source lane 6-7, destination lane 4-5, lanes to clear 0-3. */
void vop_insertps(VOP_ARGS)
{
	uint32_t r[4];

	memcpy(r, a->u32, 16);
	r[imm8 >> 4 & 3] = b->u32[imm8 >> 6 & 3];
	for (unsigned k = 0; k < 4; k++)
		if (imm8 >> k & 1)
			r[k] = 0;
	set_lanes32(d, r);
}

static void insert(union ir_vec *d, const union ir_vec *a, const union ir_vec *b, unsigned bytes,
		   unsigned lane)
{
	uint8_t r[16];

	memcpy(r, a->u8, 16);
	memcpy(r + lane * bytes, b->u8, bytes);
	memcpy(d->u8, r, 16);
}

void vop_pinsrb(VOP_ARGS)
{
	insert(d, a, b, 1, imm8 & 15);
}

void vop_pinsrw(VOP_ARGS)
{
	insert(d, a, b, 2, imm8 & 7);
}

void vop_pinsrd(VOP_ARGS)
{
	insert(d, a, b, 4, imm8 & 3);
}

void vop_pinsrq(VOP_ARGS)
{
	insert(d, a, b, 8, imm8 & 1);
}

void vop_pextrb(VOP_ARGS)
{
	d->u32[0] = a->u8[imm8 & 15];
}

void vop_pextrw(VOP_ARGS)
{
	d->u32[0] = a->u16[imm8 & 7];
}

void vop_pextrd(VOP_ARGS)
{
	d->u32[0] = a->u32[imm8 & 3];
}

void vop_pextrq(VOP_ARGS)
{
	d->u64[0] = a->u64[imm8 & 1];
}
