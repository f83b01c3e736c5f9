/*
 * Vector operations with a life of their own: floating point (results, rounding, exception flags),
 * conversions, SSE4.2 strings and CRC, AES, carry-less products, SHA. The references are plain C,
 * the pseudocode of SDM vol. 2, or published test vectors.
 */
#include "test.h"

#include <math.h>
#include <stdbool.h>

#include "base/bits.h"
#include "ir/vop.h"
#include "xorshift.h"

static uint64_t rng = 0x243f6a8885a308d3;

static uint64_t rnd(void)
{
	return xorshift(&rng);
}

static void rnd_vec(union ir_vec *v)
{
	for (unsigned k = 0; k < 4; k++)
		v->u64[k] = rnd();
}

static union ir_vec run(unsigned vop, const union ir_vec *a, const union ir_vec *b,
			const union ir_vec *c, unsigned imm)
{
	union ir_vec d = {0};

	vop_table[vop].fn(&d, a, b, c, imm);
	return d;
}

static void assert_vec(unsigned vop, const union ir_vec *got, const union ir_vec *want)
{
	unsigned bytes = ir_type_bytes((enum ir_type)vop_table[vop].result);

	if (memcmp(got, want, bytes) != 0)
		fail_msg("%s: got %016llx:%016llx want %016llx:%016llx", vop_table[vop].name,
			 (unsigned long long)got->u64[1], (unsigned long long)got->u64[0],
			 (unsigned long long)want->u64[1], (unsigned long long)want->u64[0]);
}

/* ---- floating point */

enum {
	MXCSR = 0x1f80,
	IE = 1,
	DE = 2,
	ZE = 4,
	OE = 8,
	UE = 16,
	PE = 32,
	RC_DOWN = 1 << 13,
	RC_UP = 2 << 13,
	RC_ZERO = 3 << 13,
	FTZ = 1 << 15,
	DAZ = 1 << 6
};

static void mxcsr_set(uint32_t v)
{
	__asm__ volatile("ldmxcsr %0" : : "m"(v));
}

static uint32_t mxcsr_get(void)
{
	uint32_t v;

	__asm__ volatile("stmxcsr %0" : "=m"(v));
	return v;
}

static uint32_t f32(float f)
{
	uint32_t u;

	memcpy(&u, &f, 4);
	return u;
}

static uint64_t f64(double f)
{
	uint64_t u;

	memcpy(&u, &f, 8);
	return u;
}

static float as32(uint32_t u)
{
	float f;

	memcpy(&f, &u, 4);
	return f;
}

static double as64(uint64_t u)
{
	double f;

	memcpy(&f, &u, 8);
	return f;
}

/* Normal numbers of moderate size, so that C's arithmetic has the same bits. */
static double rnd_double(void)
{
	return ((double)(int64_t)rnd() / 0x1p40) + 0.5;
}

enum arith { ADD, SUB, MUL, DIV };

static double arith64(enum arith op, double x, double y)
{
	volatile double p = x, q = y;

	return op == ADD ? p + q : op == SUB ? p - q : op == MUL ? p * q : p / q;
}

static float arith32(enum arith op, float x, float y)
{
	volatile float p = x, q = y;

	return op == ADD ? p + q : op == SUB ? p - q : op == MUL ? p * q : p / q;
}

static void check_arith(enum arith op, unsigned ps, unsigned pd, unsigned ss, unsigned sd)
{
	union ir_vec a, b, c, d, wps = {0}, wpd = {0}, wss, wsd, got;

	for (unsigned k = 0; k < 4; k++) {
		a.u32[k] = f32((float)rnd_double());
		b.u32[k] = f32((float)rnd_double());
		wps.u32[k] = f32(arith32(op, as32(a.u32[k]), as32(b.u32[k])));
	}
	for (unsigned k = 0; k < 2; k++) {
		c.u64[k] = f64(rnd_double());
		d.u64[k] = f64(rnd_double());
		wpd.u64[k] = f64(arith64(op, as64(c.u64[k]), as64(d.u64[k])));
	}
	wss = a;
	wss.u32[0] = wps.u32[0];
	wsd = c;
	wsd.u64[0] = wpd.u64[0];
	got = run(ps, &a, &b, &b, 0);
	assert_vec(ps, &got, &wps);
	got = run(pd, &c, &d, &d, 0);
	assert_vec(pd, &got, &wpd);
	got = run(ss, &a, &b, &b, 0);
	assert_vec(ss, &got, &wss);
	got = run(sd, &c, &d, &d, 0);
	assert_vec(sd, &got, &wsd);
}

static void arithmetic_agrees(void **state)
{
	static const uint32_t rounding[] = {0, RC_DOWN, RC_UP, RC_ZERO};

	for (unsigned round = 0; round < 400; round++) {
		mxcsr_set(MXCSR | rounding[round & 3]);
		check_arith(ADD, VOP_ADDPS, VOP_ADDPD, VOP_ADDSS, VOP_ADDSD);
		check_arith(SUB, VOP_SUBPS, VOP_SUBPD, VOP_SUBSS, VOP_SUBSD);
		check_arith(MUL, VOP_MULPS, VOP_MULPD, VOP_MULSS, VOP_MULSD);
		check_arith(DIV, VOP_DIVPS, VOP_DIVPD, VOP_DIVSS, VOP_DIVSD);
		mxcsr_set(MXCSR);
	}
}

static void flags_are_raised(void **state)
{
	static const struct {
		unsigned vop;
		double x, y;
		uint32_t flags;
	} t[] = {
		{VOP_DIVSD, 1, 0, ZE},
		{VOP_DIVSD, 0, 0, IE},
		{VOP_DIVSD, 1, 3, PE},
		{VOP_DIVSD, 6, 3, 0},
		{VOP_MULSD, 0x1p1000, 0x1p1000, OE | PE},
		{VOP_MULSD, 0x1.8p-1000, 0x1.8p-1000, UE | PE},
		{VOP_ADDSD, 0x1p-1070, 0, DE},
		{VOP_SUBSD, INFINITY, INFINITY, IE},
		{VOP_SQRTSD, 0, -1, IE},
		{VOP_SQRTSD, 0, 4, 0},
		{VOP_SQRTSD, 0, 2, PE},
		{VOP_COMISD, 1, NAN, IE},
		{VOP_UCOMISD, 1, NAN, 0},
		{VOP_MAXSD, 1, NAN, IE},
		{VOP_CVTSD2SS, 0, 0x1p300, OE | PE},
		{VOP_ROUNDSD, 0, 1.5, PE},
	};

	for (unsigned n = 0; n < ARRAY_LEN(t); n++) {
		union ir_vec a = {.u64 = {f64(t[n].x)}}, b = {.u64 = {f64(t[n].y)}};
		uint32_t after;

		mxcsr_set(MXCSR);
		run(t[n].vop, &a, &b, &b, 0);
		after = mxcsr_get();
		mxcsr_set(MXCSR);
		if (after != (MXCSR | t[n].flags))
			fail_msg("%s case %u: mxcsr %x", vop_table[t[n].vop].name, n, after);
	}
}

static void denormals_follow_mxcsr(void **state)
{
	union ir_vec tiny = {.u64 = {f64(0x1p-1040)}}, one = {.u64 = {f64(1)}}, r;

	mxcsr_set(MXCSR | DAZ);
	r = run(VOP_ADDSD, &tiny, &tiny, &tiny, 0);
	assert_int_equal(r.u64[0], 0);
	mxcsr_set(MXCSR | FTZ);
	r = run(VOP_MULSD, &tiny, &one, &one, 0);
	assert_int_equal(r.u64[0], 0);
	mxcsr_set(MXCSR);
	r = run(VOP_MULSD, &tiny, &one, &one, 0);
	assert_int_equal(r.u64[0], tiny.u64[0]);
}

static void compares_agree(void **state)
{
	static const double v[] = {0, -0.0, 1, -1, INFINITY, NAN, 0x1p-1060};

	for (unsigned i = 0; i < ARRAY_LEN(v); i++) {
		for (unsigned j = 0; j < ARRAY_LEN(v); j++) {
			double x = v[i], y = v[j];
			bool un = isnan(x) || isnan(y);
			const bool want[8] = {x == y,	 x < y,	   x <= y,    un,
					      !(x == y), !(x < y), !(x <= y), !un};
			union ir_vec a = {.u64 = {f64(x), 7}}, b = {.u64 = {f64(y), 9}}, r;
			uint64_t flags = un ? 0x45 : x == y ? 0x40 : x < y ? 1 : 0;

			for (unsigned p = 0; p < 8; p++) {
				r = run(VOP_CMPSD, &a, &b, &b, p);
				assert_true(r.u64[0] == (want[p] ? ~0ull : 0) && r.u64[1] == 7);
			}
			r = run(VOP_COMISD, &a, &b, &b, 0);
			assert_int_equal(r.u64[0], flags);
			r = run(VOP_UCOMISD, &a, &b, &b, 0);
			assert_int_equal(r.u64[0], flags);
			r = run(VOP_MINSD, &a, &b, &b, 0);
			assert_int_equal(r.u64[0], x < y ? a.u64[0] : b.u64[0]);
			r = run(VOP_MAXSD, &a, &b, &b, 0);
			assert_int_equal(r.u64[0], x > y ? a.u64[0] : b.u64[0]);
		}
	}
	mxcsr_set(MXCSR);
}

static void horizontal_floats_agree(void **state)
{
	union ir_vec a = {0}, b = {0}, r;
	const float x[8] = {1, 2, 4, 8, 16, 32, 64, 128};

	for (unsigned k = 0; k < 4; k++) {
		a.u32[k] = f32(x[k]);
		b.u32[k] = f32(x[k + 4]);
	}
	r = run(VOP_HADDPS, &a, &b, &b, 0);
	assert_true(as32(r.u32[0]) == 3 && as32(r.u32[1]) == 12 && as32(r.u32[2]) == 48 &&
		    as32(r.u32[3]) == 192);
	r = run(VOP_HSUBPS, &a, &b, &b, 0);
	assert_true(as32(r.u32[0]) == -1 && as32(r.u32[3]) == -64);
	r = run(VOP_ADDSUBPS, &a, &b, &b, 0);
	assert_true(as32(r.u32[0]) == -15 && as32(r.u32[1]) == 34);
	for (unsigned imm = 0; imm < 256; imm++) {
		float sum = 0;

		for (unsigned k = 0; k < 4; k++)
			sum += imm >> (4 + k) & 1 ? x[k] * x[k + 4] : 0;
		r = run(VOP_DPPS, &a, &b, &b, imm);
		for (unsigned k = 0; k < 4; k++)
			assert_true(as32(r.u32[k]) == (imm >> k & 1 ? sum : 0));
	}
}

static void rounding_agrees(void **state)
{
	static const double v[] = {0.5, 1.5, -0.5, -1.5, 2.25, -2.75, 1e10, 0x1p60};

	for (unsigned n = 0; n < ARRAY_LEN(v); n++) {
		union ir_vec b = {.u64 = {f64(v[n]), f64(-v[n])}}, a = {.u64 = {1, 2}}, r;
		const double want[4] = {rint(v[n]), floor(v[n]), ceil(v[n]), trunc(v[n])};

		for (unsigned mode = 0; mode < 4; mode++) {
			r = run(VOP_ROUNDSD, &a, &b, &b, mode);
			assert_true(r.u64[0] == f64(want[mode]) && r.u64[1] == 2);
			r = run(VOP_ROUNDPD, &b, &b, &b, mode | 8);
			assert_int_equal(r.u64[0], f64(want[mode]));
		}
		mxcsr_set(MXCSR | RC_UP);
		r = run(VOP_ROUNDSD, &a, &b, &b, 4);
		mxcsr_set(MXCSR);
		assert_int_equal(r.u64[0], f64(want[2]));
	}
}

/* ---- conversions */

static void check_from_int(uint64_t bits)
{
	union ir_vec a = {.u64 = {11, 22}}, b = {.u64 = {bits}}, r;
	int32_t i = (int32_t)bits;
	int64_t l = (int64_t)bits;

	r = run(VOP_CVTSI2SD32, &a, &b, &b, 0);
	assert_true(r.u64[0] == f64(i) && r.u64[1] == 22);
	r = run(VOP_CVTSI2SD64, &a, &b, &b, 0);
	assert_true(r.u64[0] == f64((double)l) && r.u64[1] == 22);
	r = run(VOP_CVTSI2SS32, &a, &b, &b, 0);
	assert_true(r.u32[0] == f32((float)i) && r.u32[1] == 0 && r.u64[1] == 22);
	r = run(VOP_CVTSI2SS64, &a, &b, &b, 0);
	assert_int_equal(r.u32[0], f32((float)l));
	r = run(VOP_CVTPI2PD, &b, &b, &b, 0);
	assert_true(r.u64[0] == f64(i) && r.u64[1] == f64((int32_t)(bits >> 32)));
	r = run(VOP_CVTPI2PS, &a, &b, &b, 0);
	assert_true(r.u32[0] == f32((float)i) && r.u64[1] == 22);
	r = run(VOP_CVTDQ2PD, &b, &b, &b, 0);
	assert_true(r.u64[0] == f64(i));
	r = run(VOP_CVTDQ2PS, &b, &b, &b, 0);
	assert_true(r.u32[1] == f32((float)(int32_t)(bits >> 32)));
}

static uint32_t to32(double v)
{
	return v > -2147483649.0 && v < 2147483648.0 ? (uint32_t)(int32_t)v : 0x80000000u;
}

static uint64_t to64(double v)
{
	return v >= -0x1p63 && v < 0x1p63 ? (uint64_t)(int64_t)v : 1ull << 63;
}

static void check_to_int(double v)
{
	union ir_vec d = {.u64 = {f64(v), f64(v)}}, s = {.u32 = {f32((float)v), f32((float)v)}}, r;
	double n = rint(v);
	float fs = (float)v;

	assert_int_equal(run(VOP_CVTTSD2SI32, &d, &d, &d, 0).u32[0], to32(trunc(v)));
	assert_int_equal(run(VOP_CVTTSD2SI64, &d, &d, &d, 0).u64[0], to64(trunc(v)));
	assert_int_equal(run(VOP_CVTSD2SI32, &d, &d, &d, 0).u32[0], to32(n));
	assert_int_equal(run(VOP_CVTSD2SI64, &d, &d, &d, 0).u64[0], to64(n));
	assert_int_equal(run(VOP_CVTTSS2SI32, &s, &s, &s, 0).u32[0], to32(truncf(fs)));
	assert_int_equal(run(VOP_CVTSS2SI64, &s, &s, &s, 0).u64[0], to64(rintf(fs)));
	r = run(VOP_CVTTPD2DQ, &d, &d, &d, 0);
	assert_true(r.u32[0] == to32(trunc(v)) && r.u32[1] == r.u32[0] && r.u64[1] == 0);
	r = run(VOP_CVTPD2PI, &d, &d, &d, 0);
	assert_true(r.u32[0] == to32(n) && r.u32[1] == to32(n));
	r = run(VOP_CVTTPS2PI, &s, &s, &s, 0);
	assert_true(r.u32[0] == to32(truncf(fs)) && r.u32[1] == r.u32[0]);
	r = run(VOP_CVTPS2DQ, &s, &s, &s, 0);
	assert_true(r.u32[0] == to32(rintf(fs)) && r.u64[1] == 0);
	r = run(VOP_CVTPS2PD, &s, &s, &s, 0);
	assert_true(r.u64[0] == f64(fs) && r.u64[1] == f64(fs));
	r = run(VOP_CVTPD2PS, &d, &d, &d, 0);
	assert_true(r.u32[0] == f32(fs) && r.u32[1] == f32(fs) && r.u64[1] == 0);
}

static void conversions_agree(void **state)
{
	static const double v[] = {0,
				   -0.0,
				   0.5,
				   1.5,
				   -2.5,
				   2147483647.0,
				   2147483648.0,
				   -2147483648.0,
				   -2147483649.0,
				   0x1p62,
				   0x1p63,
				   -0x1p63,
				   1e30};

	for (unsigned round = 0; round < 200; round++)
		check_from_int(rnd() >> (round & 63));
	for (unsigned n = 0; n < ARRAY_LEN(v); n++)
		check_to_int(v[n]);
}

/* ---- strings: SDM vol. 2, 4.1 */

static int elem(const union ir_vec *v, unsigned imm, unsigned k)
{
	if (imm & 1)
		return imm & 2 ? (int16_t)v->u16[k] : v->u16[k];
	return imm & 2 ? (int8_t)v->u8[k] : v->u8[k];
}

static unsigned len_implicit(const union ir_vec *v, unsigned imm)
{
	unsigned n = imm & 1 ? 8 : 16, k = 0;

	while (k < n && elem(v, imm, k))
		k++;
	return k;
}

/* One comparison, with what invalid elements count as (table 4-7). */
static bool str_cmp(const union ir_vec *a, const union ir_vec *b, unsigned la, unsigned lb,
		    unsigned imm, unsigned i, unsigned j)
{
	unsigned how = imm >> 2 & 3;
	bool va = i < la, vb = j < lb;
	int x = elem(a, imm, i), y = elem(b, imm, j);

	if (!va || !vb)
		return how == 2 ? !va && !vb : how == 3 ? !va : false;
	if (how == 1)
		return i & 1 ? y <= x : y >= x;
	return x == y;
}

static unsigned str_aggregate(const union ir_vec *a, const union ir_vec *b, unsigned la,
			      unsigned lb, unsigned imm)
{
	unsigned n = imm & 1 ? 8 : 16, r = 0;

	for (unsigned j = 0; j < n; j++) {
		bool hit = (imm >> 2 & 3) == 3;

		switch (imm >> 2 & 3) {
		case 0:
			for (unsigned i = 0; i < n; i++)
				hit |= str_cmp(a, b, la, lb, imm, i, j);
			break;
		case 1:
			for (unsigned i = 0; i < n; i += 2)
				hit |= str_cmp(a, b, la, lb, imm, i, j) &&
				       str_cmp(a, b, la, lb, imm, i + 1, j);
			break;
		case 2:
			hit = str_cmp(a, b, la, lb, imm, j, j);
			break;
		case 3:
			for (unsigned i = 0; i + j < n; i++)
				hit &= str_cmp(a, b, la, lb, imm, i, i + j);
			break;
		}
		r |= (unsigned)hit << j;
	}
	return r;
}

struct str_want {
	unsigned index, flags;
	union ir_vec mask;
};

static struct str_want str_compare(const union ir_vec *a, const union ir_vec *b, unsigned la,
				   unsigned lb, unsigned imm)
{
	unsigned n = imm & 1 ? 8 : 16, all = n == 8 ? 0xff : 0xffff;
	unsigned r = str_aggregate(a, b, la, lb, imm);
	struct str_want w = {.index = n};

	if ((imm >> 4 & 3) == 1)
		r ^= all;
	else if ((imm >> 4 & 3) == 3)
		r ^= lb < n ? all >> (n - lb) : all;
	for (unsigned k = 0; k < n; k++) {
		unsigned at = imm & 0x40 ? k : n - 1 - k;

		if (r >> at & 1)
			w.index = at;
		if (imm & 1)
			w.mask.u16[k] = r >> k & 1 ? 0xffff : 0;
		else
			w.mask.u8[k] = r >> k & 1 ? 0xff : 0;
	}
	if (!(imm & 0x40))
		w.mask = (union ir_vec){.u64 = {r}};
	w.flags = (r != 0) | (lb < n) << 6 | (la < n) << 7 | (r & 1) << 11;
	return w;
}

static void str_check(const union ir_vec *a, const union ir_vec *b, unsigned imm)
{
	unsigned n = imm & 1 ? 8 : 16;
	int64_t ea = (int64_t)(rnd() % 40) - 20, eb = (int64_t)(rnd() % 40) - 20;
	unsigned la = (unsigned)(ea < 0 ? -ea : ea), lb = (unsigned)(eb < 0 ? -eb : eb);
	struct str_want w = str_compare(a, b, len_implicit(a, imm), len_implicit(b, imm), imm);
	union ir_vec r, x = {.u64 = {(uint64_t)ea}}, y = {.u64 = {(uint64_t)eb}}, lens;

	assert_int_equal(run(VOP_PCMPISTRI, a, b, b, imm).u32[0], w.index);
	assert_int_equal(run(VOP_PCMPISTR_FLAGS, a, b, b, imm).u64[0], w.flags);
	r = run(VOP_PCMPISTRM, a, b, b, imm);
	assert_vec(VOP_PCMPISTRM, &r, &w.mask);

	lens = run(VOP_PCMPESTR_LENS, &x, &y, &y, 0);
	w = str_compare(a, b, la < n ? la : n, lb < n ? lb : n, imm);
	assert_int_equal(run(VOP_PCMPESTRI, a, b, &lens, imm).u32[0], w.index);
	assert_int_equal(run(VOP_PCMPESTR_FLAGS, a, b, &lens, imm).u64[0], w.flags);
	r = run(VOP_PCMPESTRM, a, b, &lens, imm);
	assert_vec(VOP_PCMPESTRM, &r, &w.mask);
}

static void strings_agree(void **state)
{
	for (unsigned imm = 0; imm < 256; imm++) {
		for (unsigned round = 0; round < 30; round++) {
			union ir_vec a, b;

			for (unsigned k = 0; k < 32; k++) {
				a.u8[k] = (uint8_t)(rnd() % 4 + (round & 4 ? 0x7e : 0));
				b.u8[k] = (uint8_t)(rnd() % 4 + (round & 4 ? 0x7e : 0));
			}
			if (round & 8)
				b = a;
			str_check(&a, &b, imm & 0x7f ? imm : 0);
		}
	}
}

static void lengths_saturate(void **state)
{
	union ir_vec a = {.u64 = {1ull << 63}}, b = {.u64 = {INT64_MAX}}, r;

	r = run(VOP_PCMPESTR_LENS, &a, &b, &b, 0);
	assert_true((int8_t)r.u64[0] <= -16 && (int8_t)(r.u64[0] >> 8) >= 16);
}

static uint32_t crc32c(uint32_t crc, uint64_t v, unsigned bytes)
{
	for (unsigned k = 0; k < bytes * 8; k++) {
		bool bit = (crc ^ (uint32_t)(v >> k)) & 1;

		crc = crc >> 1 ^ (bit ? 0x82f63b78 : 0);
	}
	return crc;
}

static void crc_agrees(void **state)
{
	static const uint16_t vops[] = {VOP_CRC32_8, VOP_CRC32_16, VOP_CRC32_32, VOP_CRC32_64};

	for (unsigned round = 0; round < 200; round++) {
		for (unsigned k = 0; k < 4; k++) {
			union ir_vec a, b;

			rnd_vec(&a);
			rnd_vec(&b);
			assert_int_equal(run(vops[k], &a, &b, &b, 0).u32[0],
					 crc32c(a.u32[0], b.u64[0], 1u << k));
		}
	}
}

/* ---- cryptography */

static uint8_t gf_mul(uint8_t x, uint8_t y)
{
	uint8_t r = 0;

	for (; y; y >>= 1) {
		if (y & 1)
			r ^= x;
		x = (uint8_t)(x << 1 ^ (x & 0x80 ? 0x1b : 0));
	}
	return r;
}

static uint8_t aes_sbox(uint8_t v)
{
	uint8_t inv = 0, r = 0x63;

	for (unsigned k = 1; k < 256 && v; k++)
		if (gf_mul(v, (uint8_t)k) == 1)
			inv = (uint8_t)k;
	for (unsigned k = 0; k < 5; k++)
		r ^= (uint8_t)(inv << k | (k ? inv >> (8 - k) : 0));
	return r;
}

static union ir_vec aes_columns(const union ir_vec *v, const uint8_t m[4])
{
	union ir_vec r = {0};

	for (unsigned k = 0; k < 16; k++)
		for (unsigned j = 0; j < 4; j++)
			r.u8[k] ^= gf_mul(v->u8[(k & 12) + ((k + j) & 3)], m[j]);
	return r;
}

static union ir_vec xor128(const union ir_vec *a, const union ir_vec *b)
{
	return (union ir_vec){.u64 = {a->u64[0] ^ b->u64[0], a->u64[1] ^ b->u64[1]}};
}

static void aes_agrees(void **state)
{
	static const uint8_t mix[4] = {2, 3, 1, 1}, unmix[4] = {14, 11, 13, 9};
	uint8_t inverse[256];

	for (unsigned k = 0; k < 256; k++)
		inverse[aes_sbox((uint8_t)k)] = (uint8_t)k;
	for (unsigned round = 0; round < 20; round++) {
		union ir_vec a, key, sub = {0}, unsub = {0}, t, r;

		rnd_vec(&a);
		rnd_vec(&key);
		a.u64[2] = a.u64[3] = key.u64[2] = key.u64[3] = 0;
		for (unsigned k = 0; k < 16; k++) { /* ShiftRows: row k & 3, left by as much */
			sub.u8[k] = aes_sbox(a.u8[(k + 4 * (k & 3)) & 15]);
			unsub.u8[k] = inverse[a.u8[(k - 4 * (k & 3)) & 15]];
		}
		t = xor128(&sub, &key);
		r = run(VOP_AESENCLAST, &a, &key, &key, 0);
		assert_vec(VOP_AESENCLAST, &r, &t);
		t = aes_columns(&sub, mix);
		t = xor128(&t, &key);
		r = run(VOP_AESENC, &a, &key, &key, 0);
		assert_vec(VOP_AESENC, &r, &t);
		t = xor128(&unsub, &key);
		r = run(VOP_AESDECLAST, &a, &key, &key, 0);
		assert_vec(VOP_AESDECLAST, &r, &t);
		t = aes_columns(&unsub, unmix);
		t = xor128(&t, &key);
		r = run(VOP_AESDEC, &a, &key, &key, 0);
		assert_vec(VOP_AESDEC, &r, &t);
		t = aes_columns(&a, unmix);
		r = run(VOP_AESIMC, &a, &key, &key, 0);
		assert_vec(VOP_AESIMC, &r, &t);
		for (unsigned k = 0; k < 16; k++) {
			unsigned from = (k >> 3) * 8 + 4 + (k & 4 ? ((k + 1) & 3) : (k & 3));

			t.u8[k] = aes_sbox(a.u8[from]);
		}
		t.u8[4] ^= (uint8_t)(round * 13);
		t.u8[12] ^= (uint8_t)(round * 13);
		r = run(VOP_AESKEYGENASSIST, &a, &a, &a, round * 13);
		assert_vec(VOP_AESKEYGENASSIST, &r, &t);
	}
}

static void clmul_agrees(void **state)
{
	for (unsigned round = 0; round < 200; round++) {
		unsigned imm = (unsigned)rnd() & 0xff;
		union ir_vec a, b, want = {0}, r;

		rnd_vec(&a);
		rnd_vec(&b);
		for (unsigned k = 0; k < 64; k++) {
			uint64_t x = a.u64[imm & 1];

			if (!(b.u64[imm >> 4 & 1] >> k & 1))
				continue;
			want.u64[0] ^= x << k;
			want.u64[1] ^= k ? x >> (64 - k) : 0;
		}
		r = run(VOP_PCLMULQDQ, &a, &b, &b, imm);
		assert_vec(VOP_PCLMULQDQ, &r, &want);
	}
}

static uint32_t rol(uint32_t v, unsigned n)
{
	return v << n | v >> (32 - n);
}

static uint32_t ror(uint32_t v, unsigned n)
{
	return rol(v, 32 - n);
}

static void check_sha1(const union ir_vec *a, const union ir_vec *b, unsigned imm)
{
	static const uint32_t k[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
	uint32_t A = a->u32[3], B = a->u32[2], C = a->u32[1], D = a->u32[0], E = 0;
	union ir_vec want = {0}, r;

	for (unsigned i = 0; i < 4; i++) {
		uint32_t f = (imm & 3) == 0   ? (B & C) ^ (~B & D)
			     : (imm & 3) == 2 ? (B & C) ^ (B & D) ^ (C & D)
					      : B ^ C ^ D;
		uint32_t t = f + rol(A, 5) + b->u32[3 - i] + E + k[imm & 3];

		E = D, D = C, C = rol(B, 30), B = A, A = t;
	}
	want = (union ir_vec){.u32 = {D, C, B, A}};
	r = run(VOP_SHA1RNDS4, a, b, b, imm);
	assert_vec(VOP_SHA1RNDS4, &r, &want);
	want = *b;
	want.u32[3] += rol(a->u32[3], 30);
	r = run(VOP_SHA1NEXTE, a, b, b, 0);
	assert_vec(VOP_SHA1NEXTE, &r, &want);
	want = (union ir_vec){.u32 = {b->u32[2] ^ a->u32[0], b->u32[3] ^ a->u32[1],
				      a->u32[0] ^ a->u32[2], a->u32[1] ^ a->u32[3]}};
	r = run(VOP_SHA1MSG1, a, b, b, 0);
	assert_vec(VOP_SHA1MSG1, &r, &want);
	want.u32[3] = rol(a->u32[3] ^ b->u32[2], 1);
	want.u32[2] = rol(a->u32[2] ^ b->u32[1], 1);
	want.u32[1] = rol(a->u32[1] ^ b->u32[0], 1);
	want.u32[0] = rol(a->u32[0] ^ want.u32[3], 1);
	r = run(VOP_SHA1MSG2, a, b, b, 0);
	assert_vec(VOP_SHA1MSG2, &r, &want);
}

static uint32_t small0(uint32_t v)
{
	return ror(v, 7) ^ ror(v, 18) ^ v >> 3;
}

static uint32_t small1(uint32_t v)
{
	return ror(v, 17) ^ ror(v, 19) ^ v >> 10;
}

static void check_sha256(const union ir_vec *a, const union ir_vec *b, const union ir_vec *wk)
{
	uint32_t A = b->u32[3], B = b->u32[2], C = a->u32[3], D = a->u32[2];
	uint32_t E = b->u32[1], F = b->u32[0], G = a->u32[1], H = a->u32[0];
	union ir_vec want, r;

	for (unsigned i = 0; i < 2; i++) {
		uint32_t t = ((E & F) ^ (~E & G)) + (ror(E, 6) ^ ror(E, 11) ^ ror(E, 25)) +
			     wk->u32[i] + H;
		uint32_t u =
			t + ((A & B) ^ (A & C) ^ (B & C)) + (ror(A, 2) ^ ror(A, 13) ^ ror(A, 22));

		H = G, G = F, F = E, E = D + t, D = C, C = B, B = A, A = u;
	}
	want = (union ir_vec){.u32 = {F, E, B, A}};
	r = run(VOP_SHA256RNDS2, a, b, wk, 0);
	assert_vec(VOP_SHA256RNDS2, &r, &want);
	for (unsigned k = 0; k < 4; k++)
		want.u32[k] = a->u32[k] + small0(k < 3 ? a->u32[k + 1] : b->u32[0]);
	r = run(VOP_SHA256MSG1, a, b, b, 0);
	assert_vec(VOP_SHA256MSG1, &r, &want);
	want.u32[0] = a->u32[0] + small1(b->u32[2]);
	want.u32[1] = a->u32[1] + small1(b->u32[3]);
	want.u32[2] = a->u32[2] + small1(want.u32[0]);
	want.u32[3] = a->u32[3] + small1(want.u32[1]);
	r = run(VOP_SHA256MSG2, a, b, b, 0);
	assert_vec(VOP_SHA256MSG2, &r, &want);
}

static void sha_agrees(void **state)
{
	for (unsigned round = 0; round < 200; round++) {
		union ir_vec a, b, c;

		rnd_vec(&a);
		rnd_vec(&b);
		rnd_vec(&c);
		check_sha1(&a, &b, round & 0xff);
		check_sha256(&a, &b, &c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arithmetic_agrees),
		cmocka_unit_test(flags_are_raised),
		cmocka_unit_test(denormals_follow_mxcsr),
		cmocka_unit_test(compares_agree),
		cmocka_unit_test(horizontal_floats_agree),
		cmocka_unit_test(rounding_agrees),
		cmocka_unit_test(conversions_agree),
		cmocka_unit_test(strings_agree),
		cmocka_unit_test(lengths_saturate),
		cmocka_unit_test(crc_agrees),
		cmocka_unit_test(aes_agrees),
		cmocka_unit_test(clmul_agrees),
		cmocka_unit_test(sha_agrees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
