/*
 * Vector operations, the integer ones: every row of the table is sound, writes no more than its
 * result, may overlap its arguments; and does what plain C says it does. MMX twins are checked by
 * the same references at 8 bytes. Floating point, strings and cryptography are in vop_special.c.
 */
#include "test.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/bits.h"
#include "ir/vop.h"
#include "xorshift.h"

static uint64_t rng = 0x9e3779b97f4a7c15;

static uint64_t rnd(void)
{
	return xorshift(&rng);
}

/* Random bits, or bytes that sit at the edges of signed and unsigned lanes. */
static void rnd_vec(union ir_vec *v)
{
	static const uint8_t edge[] = {0x00, 0x01, 0x7f, 0x80, 0x81, 0xff};
	bool edges = rnd() & 1;

	for (unsigned k = 0; k < 32; k++)
		v->u8[k] = edges ? edge[rnd() % ARRAY_LEN(edge)] : (uint8_t)rnd();
}

/* ---- the table itself */

static void rows_are_complete(void **state)
{
	for (unsigned n = 0; n < VOP_COUNT; n++) {
		const struct vop_info *r = &vop_table[n];

		assert_non_null(r->name);
		assert_non_null(r->fn);
		assert_in_range(r->result, IR_I8, IR_V256);
		assert_int_not_equal(r->arg[0], IR_VOID);
		for (unsigned k = 0; k < 3; k++)
			assert_in_range(r->arg[k], IR_VOID, IR_V256);
		assert_true(r->arg[1] != IR_VOID || r->arg[2] == IR_VOID);
		for (unsigned m = 0; m < n; m++)
			assert_string_not_equal(r->name, vop_table[m].name);
	}
}

/* Only result-type bytes of d change, and the result is the same when d is one of the arguments. */
static void results_stay_in_bounds(void **state)
{
	for (unsigned n = 0; n < VOP_COUNT; n++) {
		const struct vop_info *r = &vop_table[n];
		unsigned bytes = ir_type_bytes((enum ir_type)r->result);

		for (unsigned round = 0; round < 40; round++) {
			union ir_vec arg[3], d, want;
			unsigned imm = r->has_imm8 ? rnd() & 0xff : 0;

			for (unsigned k = 0; k < 3; k++)
				rnd_vec(&arg[k]);
			memset(&want, 0xa5, sizeof(want));
			r->fn(&want, &arg[0], &arg[1], &arg[2], imm);
			for (unsigned k = bytes; k < 32; k++)
				assert_int_equal(want.u8[k], 0xa5);
			for (unsigned k = 0; k < 3; k++) {
				const union ir_vec *a[3] = {&arg[0], &arg[1], &arg[2]};

				if (r->arg[k] == IR_VOID)
					continue;
				d = arg[k];
				a[k] = &d;
				r->fn(&d, a[0], a[1], a[2], imm);
				if (memcmp(&d, &want, bytes) != 0)
					fail_msg("%s with d = argument %u", r->name, k);
			}
		}
	}
}

/* Both lanes of a twin are the 128-bit operation's, also when d is one of the arguments. */
static void twins_are_two_lanes(void **state)
{
	static const unsigned shift[] = {[VOP_TWIN_IMM2] = 2,
					 [VOP_TWIN_IMM3] = 3,
					 [VOP_TWIN_IMM4] = 4,
					 [VOP_TWIN_COUNT] = 0};

	for (unsigned n = 0; n < VOP_COUNT; n++) {
		const struct vop_info *r = &vop_table[n];

		assert_true(vop_result_ok(n, r->result));
		assert_int_equal(vop_result_ok(n, IR_V256), r->twin || r->result == IR_V256);
		if (!r->twin)
			continue;
		assert_int_equal(r->result, IR_V128);
		for (unsigned round = 0; round < 40; round++) {
			union ir_vec arg[3], upper[3], want, hi;
			unsigned imm = r->has_imm8 ? rnd() & 0xff : 0;

			for (unsigned k = 0; k < 3; k++) {
				bool count = vop_arg_type(n, IR_V256, k) == IR_V128;

				assert_int_equal(count, r->twin == VOP_TWIN_COUNT && k == 1);
				rnd_vec(&arg[k]);
				memcpy(&upper[k], arg[k].u8 + (count ? 0 : 16), 16);
			}
			r->fn(&want, &arg[0], &arg[1], &arg[2], imm);
			r->fn(&hi, &upper[0], &upper[1], &upper[2], imm >> shift[r->twin]);
			memcpy(want.u8 + 16, &hi, 16);
			for (unsigned k = 0; k < 3; k++) {
				union ir_vec d[3] = {arg[0], arg[1], arg[2]};

				vop_run_twin(n, vop_table[n].fn, &d[k], &d[0], &d[1], &d[2], imm);
				if (memcmp(&d[k], &want, 32) != 0)
					fail_msg("%s with d = argument %u", r->name, k);
			}
		}
	}
}

/* ---- lane by lane: f of the two lanes, signed and unsigned */

struct lane {
	int64_t sx, sy;
	uint64_t ux, uy;
	unsigned bits;
};

static int64_t clamp(int64_t v, int64_t lo, int64_t hi)
{
	return v < lo ? lo : v > hi ? hi : v;
}

static int64_t smax(unsigned bits)
{
	return (int64_t)(bits_mask(bits) >> 1);
}

static uint64_t sat_s(int64_t v, unsigned bits)
{
	return (uint64_t)clamp(v, -smax(bits) - 1, smax(bits));
}

static uint64_t sat_u(int64_t v, unsigned bits)
{
	return (uint64_t)clamp(v, 0, (int64_t)bits_mask(bits));
}

/* clang-format off */
static uint64_t add(struct lane l) { return l.ux + l.uy; }
static uint64_t sub(struct lane l) { return l.ux - l.uy; }
static uint64_t adds(struct lane l) { return sat_s(l.sx + l.sy, l.bits); }
static uint64_t subs(struct lane l) { return sat_s(l.sx - l.sy, l.bits); }
static uint64_t addus(struct lane l) { return sat_u((int64_t)(l.ux + l.uy), l.bits); }
static uint64_t subus(struct lane l) { return sat_u((int64_t)(l.ux - l.uy), l.bits); }
static uint64_t and(struct lane l) { return l.ux & l.uy; }
static uint64_t andn(struct lane l) { return ~l.ux & l.uy; }
static uint64_t or(struct lane l) { return l.ux | l.uy; }
static uint64_t xor(struct lane l) { return l.ux ^ l.uy; }
static uint64_t eq(struct lane l) { return l.ux == l.uy ? ~0ull : 0; }
static uint64_t gt(struct lane l) { return l.sx > l.sy ? ~0ull : 0; }
static uint64_t mull(struct lane l) { return l.ux * l.uy; }
static uint64_t mulh(struct lane l) { return (uint64_t)(l.sx * l.sy >> 16); }
static uint64_t mulhu(struct lane l) { return l.ux * l.uy >> 16; }
static uint64_t mulhrs(struct lane l) { return (uint64_t)(((l.sx * l.sy >> 14) + 1) >> 1); }
static uint64_t muludq(struct lane l) { return (uint64_t)(uint32_t)l.ux * (uint32_t)l.uy; }
static uint64_t muldq(struct lane l) { return (uint64_t)((int64_t)(int32_t)l.ux * (int32_t)l.uy); }
static uint64_t avg(struct lane l) { return (l.ux + l.uy + 1) >> 1; }
static uint64_t mins(struct lane l) { return (uint64_t)(l.sx < l.sy ? l.sx : l.sy); }
static uint64_t maxs(struct lane l) { return (uint64_t)(l.sx > l.sy ? l.sx : l.sy); }
static uint64_t minu(struct lane l) { return l.ux < l.uy ? l.ux : l.uy; }
static uint64_t maxu(struct lane l) { return l.ux > l.uy ? l.ux : l.uy; }
static uint64_t sign(struct lane l) { return l.sy < 0 ? -l.ux : l.sy ? l.ux : 0; }
static uint64_t absolute(struct lane l) { return l.sx < 0 ? -l.ux : l.ux; }
/* clang-format on */

enum { NO_MMX = VOP_COUNT };

/* clang-format off */
static const struct {
	unsigned vop, mmx, bits;
	uint64_t (*f)(struct lane l);
} lane_ops[] = {
	{VOP_PADDB, VOP_MMX_PADDB, 8, add}, {VOP_PADDW, VOP_MMX_PADDW, 16, add},
	{VOP_PADDD, VOP_MMX_PADDD, 32, add}, {VOP_PADDQ, NO_MMX, 64, add},
	{VOP_PSUBB, VOP_MMX_PSUBB, 8, sub}, {VOP_PSUBW, VOP_MMX_PSUBW, 16, sub},
	{VOP_PSUBD, VOP_MMX_PSUBD, 32, sub}, {VOP_PSUBQ, NO_MMX, 64, sub},
	{VOP_PADDSB, VOP_MMX_PADDSB, 8, adds}, {VOP_PADDSW, VOP_MMX_PADDSW, 16, adds},
	{VOP_PSUBSB, VOP_MMX_PSUBSB, 8, subs}, {VOP_PSUBSW, VOP_MMX_PSUBSW, 16, subs},
	{VOP_PADDUSB, VOP_MMX_PADDUSB, 8, addus}, {VOP_PADDUSW, VOP_MMX_PADDUSW, 16, addus},
	{VOP_PSUBUSB, VOP_MMX_PSUBUSB, 8, subus}, {VOP_PSUBUSW, VOP_MMX_PSUBUSW, 16, subus},
	{VOP_PAND, NO_MMX, 64, and}, {VOP_PANDN, NO_MMX, 64, andn},
	{VOP_POR, NO_MMX, 64, or}, {VOP_PXOR, NO_MMX, 64, xor},
	{VOP_PCMPEQB, VOP_MMX_PCMPEQB, 8, eq}, {VOP_PCMPEQW, VOP_MMX_PCMPEQW, 16, eq},
	{VOP_PCMPEQD, VOP_MMX_PCMPEQD, 32, eq}, {VOP_PCMPEQQ, NO_MMX, 64, eq},
	{VOP_PCMPGTB, VOP_MMX_PCMPGTB, 8, gt}, {VOP_PCMPGTW, VOP_MMX_PCMPGTW, 16, gt},
	{VOP_PCMPGTD, VOP_MMX_PCMPGTD, 32, gt}, {VOP_PCMPGTQ, NO_MMX, 64, gt},
	{VOP_PMULLW, VOP_MMX_PMULLW, 16, mull}, {VOP_PMULLD, NO_MMX, 32, mull},
	{VOP_PMULHW, VOP_MMX_PMULHW, 16, mulh}, {VOP_PMULHUW, VOP_MMX_PMULHUW, 16, mulhu},
	{VOP_PMULHRSW, VOP_MMX_PMULHRSW, 16, mulhrs},
	{VOP_PMULUDQ, VOP_MMX_PMULUDQ, 64, muludq}, {VOP_PMULDQ, NO_MMX, 64, muldq},
	{VOP_PAVGB, VOP_MMX_PAVGB, 8, avg}, {VOP_PAVGW, VOP_MMX_PAVGW, 16, avg},
	{VOP_PMINUB, VOP_MMX_PMINUB, 8, minu}, {VOP_PMINUW, NO_MMX, 16, minu},
	{VOP_PMINUD, NO_MMX, 32, minu}, {VOP_PMINSB, NO_MMX, 8, mins},
	{VOP_PMINSW, VOP_MMX_PMINSW, 16, mins}, {VOP_PMINSD, NO_MMX, 32, mins},
	{VOP_PMAXUB, VOP_MMX_PMAXUB, 8, maxu}, {VOP_PMAXUW, NO_MMX, 16, maxu},
	{VOP_PMAXUD, NO_MMX, 32, maxu}, {VOP_PMAXSB, NO_MMX, 8, maxs},
	{VOP_PMAXSW, VOP_MMX_PMAXSW, 16, maxs}, {VOP_PMAXSD, NO_MMX, 32, maxs},
	{VOP_PSIGNB, VOP_MMX_PSIGNB, 8, sign}, {VOP_PSIGNW, VOP_MMX_PSIGNW, 16, sign},
	{VOP_PSIGND, VOP_MMX_PSIGND, 32, sign}, {VOP_PABSB, VOP_MMX_PABSB, 8, absolute},
	{VOP_PABSW, VOP_MMX_PABSW, 16, absolute}, {VOP_PABSD, VOP_MMX_PABSD, 32, absolute},
};
/* clang-format on */

static uint64_t lane_get(const union ir_vec *v, unsigned bits, unsigned n)
{
	uint64_t r = 0;

	memcpy(&r, v->u8 + n * bits / 8, bits / 8);
	return r;
}

static void lane_set(union ir_vec *v, unsigned bits, unsigned n, uint64_t x)
{
	memcpy(v->u8 + n * bits / 8, &x, bits / 8);
}

static void check(unsigned vop, const union ir_vec *a, const union ir_vec *b, unsigned imm,
		  const union ir_vec *want)
{
	const struct vop_info *r = &vop_table[vop];
	union ir_vec got = {0}, c = {0};

	r->fn(&got, a, b, &c, imm);
	if (memcmp(&got, want, ir_type_bytes((enum ir_type)r->result)) != 0)
		fail_msg("%s imm %u: a %016llx:%016llx b %016llx:%016llx got %016llx:%016llx "
			 "want %016llx:%016llx",
			 r->name, imm, (unsigned long long)a->u64[1], (unsigned long long)a->u64[0],
			 (unsigned long long)b->u64[1], (unsigned long long)b->u64[0],
			 (unsigned long long)got.u64[1], (unsigned long long)got.u64[0],
			 (unsigned long long)want->u64[1], (unsigned long long)want->u64[0]);
}

static void lanes_agree(void **state)
{
	for (unsigned n = 0; n < ARRAY_LEN(lane_ops); n++) {
		for (unsigned round = 0; round < 300; round++) {
			unsigned bits = lane_ops[n].bits;
			union ir_vec a, b, want = {0};

			rnd_vec(&a);
			rnd_vec(&b);
			for (unsigned k = 0; k < 128 / bits; k++) {
				struct lane l = {.ux = lane_get(&a, bits, k),
						 .uy = lane_get(&b, bits, k),
						 .bits = bits};

				l.sx = bits_sext(l.ux, bits);
				l.sy = bits_sext(l.uy, bits);
				lane_set(&want, bits, k, lane_ops[n].f(l));
			}
			check(lane_ops[n].vop, &a, &b, 0, &want);
			if (lane_ops[n].mmx != NO_MMX)
				check(lane_ops[n].mmx, &a, &b, 0, &want);
		}
	}
}

/* ---- shifts */

/* clang-format off */
static const struct {
	unsigned vop, imm, mmx, mmx_imm, bits;
	char kind;
} shifts[] = {
	{VOP_PSLLW, VOP_PSLLW_I, VOP_MMX_PSLLW, VOP_MMX_PSLLW_I, 16, 'l'},
	{VOP_PSLLD, VOP_PSLLD_I, VOP_MMX_PSLLD, VOP_MMX_PSLLD_I, 32, 'l'},
	{VOP_PSLLQ, VOP_PSLLQ_I, VOP_MMX_PSLLQ, VOP_MMX_PSLLQ_I, 64, 'l'},
	{VOP_PSRLW, VOP_PSRLW_I, VOP_MMX_PSRLW, VOP_MMX_PSRLW_I, 16, 'r'},
	{VOP_PSRLD, VOP_PSRLD_I, VOP_MMX_PSRLD, VOP_MMX_PSRLD_I, 32, 'r'},
	{VOP_PSRLQ, VOP_PSRLQ_I, VOP_MMX_PSRLQ, VOP_MMX_PSRLQ_I, 64, 'r'},
	{VOP_PSRAW, VOP_PSRAW_I, VOP_MMX_PSRAW, VOP_MMX_PSRAW_I, 16, 'a'},
	{VOP_PSRAD, VOP_PSRAD_I, VOP_MMX_PSRAD, VOP_MMX_PSRAD_I, 32, 'a'},
};
/* clang-format on */

static uint64_t shifted(uint64_t x, unsigned bits, char kind, uint64_t count)
{
	if (kind == 'a')
		return (uint64_t)(bits_sext(x, bits) >> (count < bits ? count : bits - 1));
	if (count >= bits)
		return 0;
	return kind == 'l' ? x << count : x >> count;
}

static void shifts_agree(void **state)
{
	for (unsigned n = 0; n < ARRAY_LEN(shifts); n++) {
		for (unsigned round = 0; round < 300; round++) {
			unsigned bits = shifts[n].bits;
			union ir_vec a, b, want = {0};

			rnd_vec(&a);
			rnd_vec(&b);
			b.u64[0] = round & 7 ? rnd() % 80 : rnd();
			for (unsigned k = 0; k < 128 / bits; k++)
				lane_set(&want, bits, k,
					 shifted(lane_get(&a, bits, k), bits, shifts[n].kind,
						 b.u64[0]));
			check(shifts[n].vop, &a, &b, 0, &want);
			check(shifts[n].mmx, &a, &b, 0, &want);
			if (b.u64[0] > 255)
				continue;
			check(shifts[n].imm, &a, &b, (unsigned)b.u64[0], &want);
			check(shifts[n].mmx_imm, &a, &b, (unsigned)b.u64[0], &want);
		}
	}
}

static void byte_shifts_agree(void **state)
{
	for (unsigned imm = 0; imm < 256; imm++) {
		union ir_vec a, b, left = {0}, right = {0}, align = {0}, align8 = {0};

		rnd_vec(&a);
		rnd_vec(&b);
		for (unsigned k = 0; k < 16; k++) {
			left.u8[k] = k >= imm ? a.u8[k - imm] : 0;
			right.u8[k] = k + imm < 16 ? a.u8[k + imm] : 0;
			align.u8[k] = k + imm < 16   ? b.u8[k + imm]
				      : k + imm < 32 ? a.u8[k + imm - 16]
						     : 0;
		}
		for (unsigned k = 0; k < 8; k++)
			align8.u8[k] = k + imm < 8    ? b.u8[k + imm]
				       : k + imm < 16 ? a.u8[k + imm - 8]
						      : 0;
		check(VOP_PSLLDQ, &a, &b, imm, &left);
		check(VOP_PSRLDQ, &a, &b, imm, &right);
		check(VOP_PALIGNR, &a, &b, imm, &align);
		check(VOP_MMX_PALIGNR, &a, &b, imm, &align8);
	}
}

/* ---- operations across lanes; bytes is 16, or 8 for MMX */

static int64_t lane_signed(const union ir_vec *v, unsigned bits, unsigned n)
{
	return bits_sext(lane_get(v, bits, n), bits);
}

/* Lane n of a followed by b. */
static int64_t pair_signed(const union ir_vec *a, const union ir_vec *b, unsigned bytes,
			   unsigned bits, unsigned n)
{
	unsigned lanes = bytes * 8 / bits;

	return n < lanes ? lane_signed(a, bits, n) : lane_signed(b, bits, n - lanes);
}

static void check_pack(unsigned vop, const union ir_vec *a, const union ir_vec *b, unsigned bytes,
		       unsigned bits, bool to_unsigned)
{
	union ir_vec want = {0};

	for (unsigned k = 0; k < bytes * 16 / bits; k++) {
		int64_t x = pair_signed(a, b, bytes, bits, k);

		lane_set(&want, bits / 2, k, to_unsigned ? sat_u(x, bits / 2) : sat_s(x, bits / 2));
	}
	check(vop, a, b, 0, &want);
}

static void check_unpack(unsigned vop, const union ir_vec *a, const union ir_vec *b, unsigned bytes,
			 unsigned bits, bool high)
{
	unsigned half = bytes * 4 / bits, from = high ? half : 0;
	union ir_vec want = {0};

	for (unsigned k = 0; k < half; k++) {
		lane_set(&want, bits, 2 * k, lane_get(a, bits, from + k));
		lane_set(&want, bits, 2 * k + 1, lane_get(b, bits, from + k));
	}
	check(vop, a, b, 0, &want);
}

static void check_horizontal(unsigned vop, const union ir_vec *a, const union ir_vec *b,
			     unsigned bytes, unsigned bits, int sgn, bool saturate)
{
	union ir_vec want = {0};

	for (unsigned k = 0; k < bytes * 8 / bits; k++) {
		int64_t x = pair_signed(a, b, bytes, bits, 2 * k) +
			    sgn * pair_signed(a, b, bytes, bits, 2 * k + 1);

		lane_set(&want, bits, k, saturate ? sat_s(x, bits) : (uint64_t)x);
	}
	check(vop, a, b, 0, &want);
}

static void check_products(const union ir_vec *a, const union ir_vec *b)
{
	union ir_vec madd = {0}, maddubs = {0}, sad = {0};

	for (unsigned k = 0; k < 8; k++) {
		int64_t x = a->u8[2 * k] * (int8_t)b->u8[2 * k] +
			    a->u8[2 * k + 1] * (int8_t)b->u8[2 * k + 1];

		lane_set(&maddubs, 16, k, sat_s(x, 16));
	}
	for (unsigned k = 0; k < 4; k++)
		lane_set(&madd, 32, k,
			 (uint64_t)(lane_signed(a, 16, 2 * k) * lane_signed(b, 16, 2 * k) +
				    lane_signed(a, 16, 2 * k + 1) * lane_signed(b, 16, 2 * k + 1)));
	for (unsigned k = 0; k < 16; k++)
		sad.u64[k / 8] += (uint64_t)abs(a->u8[k] - b->u8[k]);
	check(VOP_PMADDWD, a, b, 0, &madd);
	check(VOP_MMX_PMADDWD, a, b, 0, &madd);
	check(VOP_PMADDUBSW, a, b, 0, &maddubs);
	check(VOP_MMX_PMADDUBSW, a, b, 0, &maddubs);
	check(VOP_PSADBW, a, b, 0, &sad);
	check(VOP_MMX_PSADBW, a, b, 0, &sad);
}

static void packing_agrees(void **state)
{
	for (unsigned round = 0; round < 300; round++) {
		union ir_vec a, b;

		rnd_vec(&a);
		rnd_vec(&b);
		check_pack(VOP_PACKSSWB, &a, &b, 16, 16, false);
		check_pack(VOP_PACKSSDW, &a, &b, 16, 32, false);
		check_pack(VOP_PACKUSWB, &a, &b, 16, 16, true);
		check_pack(VOP_PACKUSDW, &a, &b, 16, 32, true);
		check_pack(VOP_MMX_PACKSSWB, &a, &b, 8, 16, false);
		check_pack(VOP_MMX_PACKSSDW, &a, &b, 8, 32, false);
		check_pack(VOP_MMX_PACKUSWB, &a, &b, 8, 16, true);
		check_unpack(VOP_PUNPCKLBW, &a, &b, 16, 8, false);
		check_unpack(VOP_PUNPCKLWD, &a, &b, 16, 16, false);
		check_unpack(VOP_PUNPCKLDQ, &a, &b, 16, 32, false);
		check_unpack(VOP_PUNPCKLQDQ, &a, &b, 16, 64, false);
		check_unpack(VOP_PUNPCKHBW, &a, &b, 16, 8, true);
		check_unpack(VOP_PUNPCKHWD, &a, &b, 16, 16, true);
		check_unpack(VOP_PUNPCKHDQ, &a, &b, 16, 32, true);
		check_unpack(VOP_PUNPCKHQDQ, &a, &b, 16, 64, true);
		check_unpack(VOP_MMX_PUNPCKLBW, &a, &b, 8, 8, false);
		check_unpack(VOP_MMX_PUNPCKLWD, &a, &b, 8, 16, false);
		check_unpack(VOP_MMX_PUNPCKLDQ, &a, &b, 8, 32, false);
		check_unpack(VOP_MMX_PUNPCKHBW, &a, &b, 8, 8, true);
		check_unpack(VOP_MMX_PUNPCKHWD, &a, &b, 8, 16, true);
		check_unpack(VOP_MMX_PUNPCKHDQ, &a, &b, 8, 32, true);
	}
}

static void horizontal_agrees(void **state)
{
	for (unsigned round = 0; round < 300; round++) {
		union ir_vec a, b;

		rnd_vec(&a);
		rnd_vec(&b);
		check_horizontal(VOP_PHADDW, &a, &b, 16, 16, 1, false);
		check_horizontal(VOP_PHADDD, &a, &b, 16, 32, 1, false);
		check_horizontal(VOP_PHADDSW, &a, &b, 16, 16, 1, true);
		check_horizontal(VOP_PHSUBW, &a, &b, 16, 16, -1, false);
		check_horizontal(VOP_PHSUBD, &a, &b, 16, 32, -1, false);
		check_horizontal(VOP_PHSUBSW, &a, &b, 16, 16, -1, true);
		check_horizontal(VOP_MMX_PHADDW, &a, &b, 8, 16, 1, false);
		check_horizontal(VOP_MMX_PHADDD, &a, &b, 8, 32, 1, false);
		check_horizontal(VOP_MMX_PHADDSW, &a, &b, 8, 16, 1, true);
		check_horizontal(VOP_MMX_PHSUBW, &a, &b, 8, 16, -1, false);
		check_horizontal(VOP_MMX_PHSUBD, &a, &b, 8, 32, -1, false);
		check_horizontal(VOP_MMX_PHSUBSW, &a, &b, 8, 16, -1, true);
		check_products(&a, &b);
	}
}

/* ---- the rest of SSE4.1: widening, minimum position, sums of differences, tests */

/* clang-format off */
static const struct {
	unsigned sx, zx, from, to;
} widenings[] = {
	{VOP_PMOVSXBW, VOP_PMOVZXBW, 8, 16}, {VOP_PMOVSXBD, VOP_PMOVZXBD, 8, 32},
	{VOP_PMOVSXBQ, VOP_PMOVZXBQ, 8, 64}, {VOP_PMOVSXWD, VOP_PMOVZXWD, 16, 32},
	{VOP_PMOVSXWQ, VOP_PMOVZXWQ, 16, 64}, {VOP_PMOVSXDQ, VOP_PMOVZXDQ, 32, 64},
};
/* clang-format on */

static void check_widenings(const union ir_vec *a)
{
	for (unsigned n = 0; n < ARRAY_LEN(widenings); n++) {
		union ir_vec sx = {0}, zx = {0};

		for (unsigned k = 0; k < 128 / widenings[n].to; k++) {
			lane_set(&sx, widenings[n].to, k,
				 (uint64_t)lane_signed(a, widenings[n].from, k));
			lane_set(&zx, widenings[n].to, k, lane_get(a, widenings[n].from, k));
		}
		check(widenings[n].sx, a, a, 0, &sx);
		check(widenings[n].zx, a, a, 0, &zx);
	}
}

static void check_mpsadbw(const union ir_vec *a, const union ir_vec *b, unsigned imm)
{
	unsigned at = imm & 4, with = (imm & 3) * 4;
	union ir_vec want = {0};

	for (unsigned k = 0; k < 8; k++)
		for (unsigned j = 0; j < 4; j++)
			want.u16[k] += (uint16_t)abs(a->u8[at + k + j] - b->u8[with + j]);
	check(VOP_MPSADBW, a, b, imm, &want);
}

static void check_minpos(const union ir_vec *a)
{
	union ir_vec want = {0};

	want.u16[0] = a->u16[0];
	for (unsigned k = 1; k < 8; k++) {
		if (a->u16[k] < want.u16[0]) {
			want.u16[0] = a->u16[k];
			want.u16[1] = (uint16_t)k;
		}
	}
	check(VOP_PHMINPOSUW, a, a, 0, &want);
}

static void check_ptest(const union ir_vec *a, const union ir_vec *b)
{
	bool zf = !((a->u64[0] & b->u64[0]) | (a->u64[1] & b->u64[1]));
	bool cf = !((~a->u64[0] & b->u64[0]) | (~a->u64[1] & b->u64[1]));
	union ir_vec want = {.u64 = {(uint64_t)(zf << 6 | cf)}};

	check(VOP_PTEST, a, b, 0, &want);
}

static void sse4_agrees(void **state)
{
	union ir_vec zero = {0};

	for (unsigned round = 0; round < 300; round++) {
		union ir_vec a, b;

		rnd_vec(&a);
		rnd_vec(&b);
		check_widenings(&a);
		check_minpos(&a);
		check_mpsadbw(&a, &b, round & 0xff);
		check_ptest(&a, &b);
		check_ptest(&a, &a);
		check_ptest(&a, &zero);
	}
}

/* ---- data movement, against the host's own instructions where C would only repeat vop_shuffle.c
 */

#define HOST_SHUFFLES(n)                                                                           \
	case n:                                                                                    \
		__asm__("pshufd %2, %1, %0" : "=x"(r[0]) : "x"(x), "i"(n));                        \
		__asm__("pshufhw %2, %1, %0" : "=x"(r[1]) : "x"(x), "i"(n));                       \
		__asm__("pshuflw %2, %1, %0" : "=x"(r[2]) : "x"(x), "i"(n));                       \
		__asm__("shufps %2, %1, %0" : "+x"(r[3]) : "x"(y), "i"(n));                        \
		__asm__("shufpd %2, %1, %0" : "+x"(r[4]) : "x"(y), "i"(n));                        \
		__asm__("blendps %2, %1, %0" : "+x"(r[5]) : "x"(y), "i"((n)&15));                  \
		__asm__("blendpd %2, %1, %0" : "+x"(r[6]) : "x"(y), "i"((n)&3));                   \
		__asm__("pblendw %2, %1, %0" : "+x"(r[7]) : "x"(y), "i"(n));                       \
		__asm__("insertps %2, %1, %0" : "+x"(r[8]) : "x"(y), "i"(n));                      \
		__asm__("pinsrb %2, %k1, %0" : "+x"(r[9]) : "r"(b->u64[0]), "i"(n));               \
		__asm__("pinsrw %2, %k1, %0" : "+x"(r[10]) : "r"(b->u64[0]), "i"(n));              \
		__asm__("pinsrd %2, %k1, %0" : "+x"(r[11]) : "r"(b->u64[0]), "i"(n));              \
		__asm__("pinsrq %2, %1, %0" : "+x"(r[12]) : "r"(b->u64[0]), "i"(n));               \
		__asm__("pextrb %2, %1, %k0" : "=r"(e[0]) : "x"(x), "i"(n));                       \
		__asm__("pextrw %2, %1, %k0" : "=r"(e[1]) : "x"(x), "i"(n));                       \
		__asm__("pextrd %2, %1, %k0" : "=r"(e[2]) : "x"(x), "i"(n));                       \
		__asm__("pextrq %2, %1, %0" : "=r"(e[3]) : "x"(x), "i"(n));                        \
		break;
#define FOUR(C, n)	C((n) + 0) C((n) + 1) C((n) + 2) C((n) + 3)
#define SIXTEEN(C, n)	FOUR(C, n) FOUR(C, (n) + 4) FOUR(C, (n) + 8) FOUR(C, (n) + 12)
#define SIXTYFOUR(C, n) SIXTEEN(C, n) SIXTEEN(C, (n) + 16) SIXTEEN(C, (n) + 32) SIXTEEN(C, (n) + 48)

typedef long long v2 __attribute__((vector_size(16)));

static void shuffles_with(const union ir_vec *a, const union ir_vec *b, unsigned imm)
{
	static const uint16_t vec[] = {VOP_PSHUFD,   VOP_PSHUFHW, VOP_PSHUFLW, VOP_SHUFPS,
				       VOP_SHUFPD,   VOP_BLENDPS, VOP_BLENDPD, VOP_PBLENDW,
				       VOP_INSERTPS, VOP_PINSRB,  VOP_PINSRW,  VOP_PINSRD,
				       VOP_PINSRQ};
	static const uint16_t ext[] = {VOP_PEXTRB, VOP_PEXTRW, VOP_PEXTRD, VOP_PEXTRQ};
	v2 x = {(long long)a->u64[0], (long long)a->u64[1]};
	v2 y = {(long long)b->u64[0], (long long)b->u64[1]};
	v2 r[ARRAY_LEN(vec)];
	uint64_t e[ARRAY_LEN(ext)] = {0};

	for (unsigned k = 0; k < ARRAY_LEN(vec); k++)
		r[k] = x;
	switch (imm) {
		SIXTYFOUR(HOST_SHUFFLES, 0)
		SIXTYFOUR(HOST_SHUFFLES, 64)
		SIXTYFOUR(HOST_SHUFFLES, 128)
		SIXTYFOUR(HOST_SHUFFLES, 192)
	}
	for (unsigned k = 0; k < ARRAY_LEN(vec); k++) {
		union ir_vec want = {.u64 = {(uint64_t)r[k][0], (uint64_t)r[k][1]}};

		check(vec[k], a, b, imm, &want);
	}
	for (unsigned k = 0; k < ARRAY_LEN(ext); k++) {
		union ir_vec want = {.u64 = {e[k]}};

		check(ext[k], a, b, imm, &want);
	}
}

static void shuffles_agree(void **state)
{
	for (unsigned imm = 0; imm < 256; imm++) {
		for (unsigned round = 0; round < 4; round++) {
			union ir_vec a, b;

			rnd_vec(&a);
			rnd_vec(&b);
			shuffles_with(&a, &b, imm);
		}
	}
}

static void check_blendv(const union ir_vec *a, const union ir_vec *b, const union ir_vec *m)
{
	static const struct {
		unsigned vop, bytes;
	} ops[] = {{VOP_PBLENDVB, 1}, {VOP_BLENDVPS, 4}, {VOP_BLENDVPD, 8}};

	for (unsigned n = 0; n < ARRAY_LEN(ops); n++) {
		union ir_vec got = {0};

		vop_table[ops[n].vop].fn(&got, a, b, m, 0);
		for (unsigned k = 0; k < 16; k++) {
			unsigned top = k / ops[n].bytes * ops[n].bytes + ops[n].bytes - 1;

			assert_int_equal(got.u8[k], m->u8[top] & 0x80 ? b->u8[k] : a->u8[k]);
		}
	}
}

static void check_moves(const union ir_vec *a, const union ir_vec *b)
{
	uint64_t a0 = a->u64[0], a1 = a->u64[1], b0 = b->u64[0], b1 = b->u64[1];
	const struct {
		unsigned vop;
		uint64_t lo, hi;
	} want[] = {
		{VOP_FROM32, (uint32_t)a0, 0},
		{VOP_FROM64, a0, 0},
		{VOP_TO32, (uint32_t)a0, 0},
		{VOP_TO64, a0, 0},
		{VOP_TOHI64, a1, 0},
		{VOP_MOVQ, a0, 0},
		{VOP_MOVSS, (a0 & ~0xffffffffull) | (uint32_t)b0, a1},
		{VOP_MOVSD, b0, a1},
		{VOP_MOVLHPS, a0, b0},
		{VOP_MOVHLPS, b1, a1},
		{VOP_MMX_PINSRW, (a0 & ~0xffff0000ull) | (b0 & 0xffff) << 16, 0}, /* imm 5 */
		{VOP_MMX_PEXTRW, a0 >> 16 & 0xffff, 0},
	};

	for (unsigned k = 0; k < ARRAY_LEN(want); k++) {
		union ir_vec w = {.u64 = {want[k].lo, want[k].hi}};

		check(want[k].vop, a, b, 5, &w);
	}
}

static void check_shuffle_bytes(const union ir_vec *a, const union ir_vec *b, unsigned imm)
{
	union ir_vec w16 = {0}, w8 = {0}, words = {0}, bytes = {0}, bytes8 = {0}, ps = {0},
		     pd = {0};

	for (unsigned k = 0; k < 16; k++) {
		w16.u8[k] = b->u8[k] & 0x80 ? 0 : a->u8[b->u8[k] & 15];
		w8.u8[k] = b->u8[k] & 0x80 ? 0 : a->u8[b->u8[k] & 7];
		bytes.u32[0] |= (uint32_t)(a->u8[k] >> 7) << k;
	}
	for (unsigned k = 0; k < 4; k++) {
		words.u16[k] = a->u16[imm >> (2 * k) & 3];
		ps.u32[0] |= a->u32[k] >> 31 << k;
	}
	bytes8.u32[0] = bytes.u32[0] & 0xff;
	pd.u32[0] = (uint32_t)(a->u64[0] >> 63 | a->u64[1] >> 63 << 1);
	check(VOP_PSHUFB, a, b, 0, &w16);
	check(VOP_MMX_PSHUFB, a, b, 0, &w8);
	check(VOP_MMX_PSHUFW, a, b, imm, &words);
	check(VOP_PMOVMSKB, a, b, 0, &bytes);
	check(VOP_MMX_PMOVMSKB, a, b, 0, &bytes8);
	check(VOP_MOVMSKPS, a, b, 0, &ps);
	check(VOP_MOVMSKPD, a, b, 0, &pd);
}

static void moves_agree(void **state)
{
	for (unsigned round = 0; round < 300; round++) {
		union ir_vec a, b, m;

		rnd_vec(&a);
		rnd_vec(&b);
		rnd_vec(&m);
		check_blendv(&a, &b, &m);
		check_moves(&a, &b);
		check_shuffle_bytes(&a, &b, round & 0xff);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_complete),   cmocka_unit_test(results_stay_in_bounds),
		cmocka_unit_test(twins_are_two_lanes), cmocka_unit_test(lanes_agree),
		cmocka_unit_test(shifts_agree),	       cmocka_unit_test(byte_shifts_agree),
		cmocka_unit_test(packing_agrees),      cmocka_unit_test(horizontal_agrees),
		cmocka_unit_test(sse4_agrees),	       cmocka_unit_test(shuffles_agree),
		cmocka_unit_test(moves_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
