/*
 * Fused multiply-add and half-precision conversion by integer arithmetic, for hosts without FMA3
 * and F16C: the same results and exception flags as the instructions give, under the rounding mode,
 * DAZ and FTZ of the host's MXCSR (which is the guest's). IEEE 754-2008, 5.4.1 and 7; SDM vol. 1,
 * 4.9, 11.5 and 14.5.2 (NaNs of FMA), vol. 2 (VCVTPH2PS, VCVTPS2PH). Exceptions are masked, as they
 * are in the host while guest code runs.
 *
 * Products and sums are exact in 128 bits but for a sticky lowest bit: both operands are moved to
 * the top first, so either none is shifted by more than its zeros at the low end, or they are two
 * or more apart and next to nothing cancels.
 */
#include <string.h>

#include "ir/vop_asm.h"

enum { MXCSR_IE = 1, MXCSR_DE = 2, MXCSR_OE = 8, MXCSR_UE = 16, MXCSR_PE = 32, MXCSR_DAZ = 64 };
enum { MXCSR_RC_SHIFT = 13, MXCSR_RC = 3 << MXCSR_RC_SHIFT, MXCSR_FTZ = 1 << 15 };
enum { ROUND_NEAREST, ROUND_DOWN, ROUND_UP, ROUND_ZERO };
enum { TOP = 126 }; /* where round_pack has the leading bit */

typedef unsigned __int128 wide;

struct format {
	unsigned fraction, exponent; /* bits */
};
static const struct format half = {10, 5}, single = {23, 8}, twice = {52, 11};

/* One operation's way of working, and the flags it has raised. */
struct env {
	unsigned rounding, flags;
	bool daz, ftz;
};

static struct env env_begin(void)
{
	uint32_t v;

	__asm__ volatile("stmxcsr %0" : "=m"(v));
	return (struct env){
		.rounding = v >> MXCSR_RC_SHIFT & 3, .daz = v & MXCSR_DAZ, .ftz = v & MXCSR_FTZ};
}

static void env_end(const struct env *e)
{
	uint32_t v;

	__asm__ volatile("stmxcsr %0" : "=m"(v));
	v |= e->flags;
	__asm__ volatile("ldmxcsr %0" : : "m"(v));
}

static int format_bias(const struct format *f)
{
	return (1 << (f->exponent - 1)) - 1;
}

static uint64_t format_infinity(const struct format *f)
{
	return (uint64_t)((1 << f->exponent) - 1) << f->fraction;
}

static uint64_t format_sign(const struct format *f, bool negative)
{
	return (uint64_t)negative << (f->fraction + f->exponent);
}

static uint64_t format_quiet(const struct format *f)
{
	return 1ull << (f->fraction - 1);
}

/* The NaN of an invalid operation. */
static uint64_t format_indefinite(const struct format *f)
{
	return format_sign(f, true) | format_infinity(f) | format_quiet(f);
}

/* A number taken apart: magnitude m * 2^e. */
struct number {
	uint64_t bits; /* DAZ applied */
	uint64_t m;
	int e;
	bool negative, nan, signaling, infinite, denormal;
};

static struct number unpack(const struct format *f, uint64_t bits, bool daz)
{
	uint64_t fraction = bits & ((1ull << f->fraction) - 1);
	unsigned field = bits >> f->fraction & ((1u << f->exponent) - 1);
	bool top = field == (1u << f->exponent) - 1;
	struct number n = {.bits = bits, .negative = bits & format_sign(f, true)};

	n.nan = top && fraction;
	n.signaling = n.nan && !(fraction & format_quiet(f));
	n.infinite = top && !fraction;
	n.denormal = !field && fraction && !daz;
	if (!field && daz)
		fraction = 0;
	n.m = field ? fraction | 1ull << f->fraction : fraction;
	n.e = (field ? (int)field : 1) - format_bias(f) - (int)f->fraction;
	return n;
}

static unsigned leading_zeros(wide v)
{
	uint64_t hi = (uint64_t)(v >> 64);

	return hi ? (unsigned)__builtin_clzll(hi) : 64 + (unsigned)__builtin_clzll((uint64_t)v);
}

/* Shift right, what falls out staying visible in the lowest bit. */
static wide shift_sticky(wide v, unsigned n)
{
	if (n == 0)
		return v;
	if (n > 127)
		return v != 0;
	return v >> n | ((v << (128 - n)) != 0);
}

static bool rounds_up(const struct env *env, bool negative, bool odd, bool half_bit, bool rest)
{
	switch (env->rounding) {
	case ROUND_NEAREST:
		return half_bit && (rest || odd);
	case ROUND_DOWN:
		return negative && (half_bit || rest);
	case ROUND_UP:
		return !negative && (half_bit || rest);
	default:
		return false;
	}
}

/* v without its `drop` low bits, rounded. */
static uint64_t round_off(const struct env *env, bool negative, wide v, unsigned drop,
			  bool *inexact)
{
	uint64_t kept = (uint64_t)(v >> drop);
	bool half_bit = v >> (drop - 1) & 1, rest = (v << (129 - drop)) != 0;

	*inexact = half_bit || rest;
	return kept + rounds_up(env, negative, kept & 1, half_bit, rest);
}

static uint64_t overflow(const struct format *f, struct env *env, bool negative)
{
	bool to_infinity = env->rounding == ROUND_NEAREST ||
			   env->rounding == (negative ? ROUND_DOWN : ROUND_UP);

	env->flags |= MXCSR_OE | MXCSR_PE;
	return format_sign(f, negative) | (format_infinity(f) - !to_infinity);
}

/* The number m * 2^e, m not 0, in a format. Tiny is what would be too small after rounding with an
 * exponent without bounds. */
static uint64_t round_pack(const struct format *f, struct env *env, bool negative, wide m, int e)
{
	unsigned zeros = leading_zeros(m), drop = TOP - f->fraction;
	int field = e + 127 - (int)zeros + format_bias(f);
	bool inexact, tiny;
	uint64_t r;

	m = zeros ? m << (zeros - 1) : shift_sticky(m, 1);
	r = round_off(env, negative, m, drop, &inexact);
	tiny = field < 0 || (field == 0 && !(r >> (f->fraction + 1)));
	if (tiny && env->ftz) {
		env->flags |= MXCSR_UE | MXCSR_PE;
		return format_sign(f, negative);
	}
	if (field <= 0) {
		m = shift_sticky(m, (unsigned)(1 - field));
		r = round_off(env, negative, m, drop, &inexact);
		field = 0;
	} else {
		field--; /* the leading bit adds one */
	}
	r += (uint64_t)field << f->fraction;
	if (r >= format_infinity(f))
		return overflow(f, env, negative);
	if (inexact)
		env->flags |= MXCSR_PE | (tiny ? MXCSR_UE : 0);
	return format_sign(f, negative) | r;
}

/* ---- fused multiply-add */

/* x * y + z when something is special: true and *r. */
static bool fma_special(const struct format *f, struct env *env, const struct number n[3],
			bool product_negative, bool z_negative, uint64_t *r)
{
	const struct number *x = &n[0], *y = &n[1], *z = &n[2];
	bool product_invalid =
		(x->infinite && !y->nan && !y->m) || (y->infinite && !x->nan && !x->m);
	bool product_infinite = x->infinite || y->infinite;

	for (unsigned k = 0; k < 3; k++)
		if (n[k].signaling)
			env->flags |= MXCSR_IE;
	for (unsigned k = 0; k < 3; k++) {
		if (n[k].nan) {
			*r = n[k].bits | format_quiet(f);
			return true;
		}
	}
	if (product_invalid ||
	    (product_infinite && z->infinite && product_negative != z_negative)) {
		env->flags |= MXCSR_IE;
		*r = format_indefinite(f);
		return true;
	}
	if (x->denormal || y->denormal || z->denormal)
		env->flags |= MXCSR_DE;
	if (!product_infinite && !z->infinite)
		return false;
	*r = format_sign(f, product_infinite ? product_negative : z_negative) | format_infinity(f);
	return true;
}

/* The leading bit to bit 125, which leaves room for a carry. */
static void to_top(wide *m, int *e)
{
	unsigned n = leading_zeros(*m) - 2;

	*m <<= n;
	*e -= (int)n;
}

static uint64_t fma_add(const struct format *f, struct env *env, wide p, int pe, bool p_negative,
			wide z, int ze, bool z_negative)
{
	bool negative = p_negative;

	to_top(&p, &pe);
	to_top(&z, &ze);
	if (pe < ze) {
		p = shift_sticky(p, (unsigned)(ze - pe));
		pe = ze;
	} else {
		z = shift_sticky(z, (unsigned)(pe - ze));
	}
	if (p_negative == z_negative)
		return round_pack(f, env, negative, p + z, pe);
	if (p == z)
		return format_sign(f, env->rounding == ROUND_DOWN);
	if (p < z)
		negative = z_negative;
	return round_pack(f, env, negative, p > z ? p - z : z - p, pe);
}

static uint64_t fma_one(const struct format *f, struct env *env, const uint64_t v[3],
			bool negate_product, bool negate_z)
{
	struct number n[3];
	uint64_t r;

	for (unsigned k = 0; k < 3; k++)
		n[k] = unpack(f, v[k], env->daz);

	bool p_negative = n[0].negative ^ n[1].negative ^ negate_product;
	bool z_negative = n[2].negative ^ negate_z;
	wide p = (wide)n[0].m * n[1].m;

	if (fma_special(f, env, n, p_negative, z_negative, &r))
		return r;
	if (!p && !n[2].m)
		return format_sign(f, p_negative == z_negative ? p_negative
							       : env->rounding == ROUND_DOWN);
	if (!p)
		return round_pack(f, env, z_negative, n[2].m, n[2].e);
	if (!n[2].m)
		return round_pack(f, env, p_negative, p, n[0].e + n[1].e);
	return fma_add(f, env, p, n[0].e + n[1].e, p_negative, n[2].m, n[2].e, z_negative);
}

enum fma_negate { NEGATE_PRODUCT = 1, NEGATE_EVEN = 2, NEGATE_ODD = 4, NEGATE_ALL = 6 };

/* The other lanes are c's. */
static void fma32(union ir_vec *d, const union ir_vec *const v[3], unsigned lanes, unsigned negate)
{
	struct env env = env_begin();
	uint32_t r[4];

	memcpy(r, v[2], 16);
	for (unsigned k = 0; k < lanes; k++) {
		uint64_t n[3] = {v[0]->u32[k], v[1]->u32[k], v[2]->u32[k]};

		r[k] = (uint32_t)fma_one(&single, &env, n, negate & NEGATE_PRODUCT,
					 negate & (k & 1 ? NEGATE_ODD : NEGATE_EVEN));
	}
	memcpy(d, r, 16);
	env_end(&env);
}

static void fma64(union ir_vec *d, const union ir_vec *const v[3], unsigned lanes, unsigned negate)
{
	struct env env = env_begin();
	uint64_t r[2];

	memcpy(r, v[2], 16);
	for (unsigned k = 0; k < lanes; k++) {
		uint64_t n[3] = {v[0]->u64[k], v[1]->u64[k], v[2]->u64[k]};

		r[k] = fma_one(&twice, &env, n, negate & NEGATE_PRODUCT,
			       negate & (k & 1 ? NEGATE_ODD : NEGATE_EVEN));
	}
	memcpy(d, r, 16);
	env_end(&env);
}

#define VOP_FMA_SOFT(name, fma, lanes, negate)                                                     \
	void name(VOP_ARGS)                                                                        \
	{                                                                                          \
		const union ir_vec *const v[3] = {a, b, c};                                        \
		fma(d, v, lanes, negate);                                                          \
	}

VOP_FMA_SOFT(vop_fmaddps_soft, fma32, 4, 0)
VOP_FMA_SOFT(vop_fmaddpd_soft, fma64, 2, 0)
VOP_FMA_SOFT(vop_fmaddss_soft, fma32, 1, 0)
VOP_FMA_SOFT(vop_fmaddsd_soft, fma64, 1, 0)
VOP_FMA_SOFT(vop_fmsubps_soft, fma32, 4, NEGATE_ALL)
VOP_FMA_SOFT(vop_fmsubpd_soft, fma64, 2, NEGATE_ALL)
VOP_FMA_SOFT(vop_fmsubss_soft, fma32, 1, NEGATE_ALL)
VOP_FMA_SOFT(vop_fmsubsd_soft, fma64, 1, NEGATE_ALL)
VOP_FMA_SOFT(vop_fnmaddps_soft, fma32, 4, NEGATE_PRODUCT)
VOP_FMA_SOFT(vop_fnmaddpd_soft, fma64, 2, NEGATE_PRODUCT)
VOP_FMA_SOFT(vop_fnmaddss_soft, fma32, 1, NEGATE_PRODUCT)
VOP_FMA_SOFT(vop_fnmaddsd_soft, fma64, 1, NEGATE_PRODUCT)
VOP_FMA_SOFT(vop_fnmsubps_soft, fma32, 4, NEGATE_PRODUCT | NEGATE_ALL)
VOP_FMA_SOFT(vop_fnmsubpd_soft, fma64, 2, NEGATE_PRODUCT | NEGATE_ALL)
VOP_FMA_SOFT(vop_fnmsubss_soft, fma32, 1, NEGATE_PRODUCT | NEGATE_ALL)
VOP_FMA_SOFT(vop_fnmsubsd_soft, fma64, 1, NEGATE_PRODUCT | NEGATE_ALL)
VOP_FMA_SOFT(vop_fmaddsubps_soft, fma32, 4, NEGATE_EVEN)
VOP_FMA_SOFT(vop_fmaddsubpd_soft, fma64, 2, NEGATE_EVEN)
VOP_FMA_SOFT(vop_fmsubaddps_soft, fma32, 4, NEGATE_ODD)
VOP_FMA_SOFT(vop_fmsubaddpd_soft, fma64, 2, NEGATE_ODD)

/* ---- half precision */

/* Always exact; DAZ does not count, and a denormal raises nothing. */
static uint32_t half_to_single(struct env *env, uint16_t v)
{
	struct number n = unpack(&half, v, false);
	uint64_t fraction = (uint64_t)(v & 0x3ff) << (single.fraction - half.fraction);

	if (n.signaling)
		env->flags |= MXCSR_IE;
	if (n.nan)
		fraction |= format_quiet(&single);
	if (n.nan || n.infinite)
		return (uint32_t)(format_sign(&single, n.negative) | format_infinity(&single) |
				  fraction);
	if (!n.m)
		return (uint32_t)format_sign(&single, n.negative);
	return (uint32_t)round_pack(&single, env, n.negative, n.m, n.e);
}

/* FTZ does not count. */
static uint16_t single_to_half(struct env *env, uint32_t v)
{
	struct number n = unpack(&single, v, env->daz);
	uint64_t sign = format_sign(&half, n.negative), special = sign | format_infinity(&half);

	if (n.signaling)
		env->flags |= MXCSR_IE;
	if (n.nan)
		return (uint16_t)(special | format_quiet(&half) |
				  ((v & 0x7fffff) >> (single.fraction - half.fraction)));
	if (n.infinite)
		return (uint16_t)special;
	if (n.denormal)
		env->flags |= MXCSR_DE;
	if (!n.m)
		return (uint16_t)sign;
	return (uint16_t)round_pack(&half, env, n.negative, n.m, n.e);
}

static void halves_to_singles(union ir_vec *d, const union ir_vec *a, unsigned lanes)
{
	struct env env = env_begin();
	uint32_t r[8];

	env.ftz = false;
	for (unsigned k = 0; k < lanes; k++)
		r[k] = half_to_single(&env, a->u16[k]);
	memcpy(d, r, 4 * lanes);
	env_end(&env);
}

/* The immediate has a rounding mode, or says in bit 2 that MXCSR's is taken. */
static void singles_to_halves(union ir_vec *d, const union ir_vec *a, unsigned lanes, unsigned imm8)
{
	struct env env = env_begin();
	uint16_t r[8] = {0};

	env.ftz = false;
	if (!(imm8 & 4))
		env.rounding = imm8 & 3;
	for (unsigned k = 0; k < lanes; k++)
		r[k] = single_to_half(&env, a->u32[k]);
	memcpy(d, r, 16);
	env_end(&env);
}

void vop_cvtph2ps_soft(VOP_ARGS)
{
	halves_to_singles(d, a, 4);
}

void vop_cvtph2ps_256_soft(VOP_ARGS)
{
	halves_to_singles(d, a, 8);
}

void vop_cvtps2ph_soft(VOP_ARGS)
{
	singles_to_halves(d, a, 4, imm8);
}

void vop_cvtps2ph_256_soft(VOP_ARGS)
{
	singles_to_halves(d, a, 8, imm8);
}
