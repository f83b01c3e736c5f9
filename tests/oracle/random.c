/* Numbers for the oracle, chosen where bugs live: around powers of two, at the edges of integer and
 * floating-point formats, and pointers about page ends. */
#include <string.h>

#include "base/bits.h"
#include "oracle.h"

uint64_t random_next(uint64_t *r)
{
	uint64_t z = (*r += 0x9e3779b97f4a7c15ull);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

bool random_chance(uint64_t *r, unsigned percent)
{
	return random_next(r) % 100 < percent;
}

uint64_t random_edge(uint64_t *r, unsigned bytes)
{
	static const uint64_t few[] = {0,
				       1,
				       2,
				       ~0ull,
				       ~1ull,
				       0x7f,
				       0x80,
				       0x7fff,
				       0x8000,
				       0x7fffffff,
				       0x80000000,
				       0xffffffff,
				       0x7fffffffffffffffull,
				       0x8000000000000000ull};
	uint64_t v = random_next(r), k = v >> 32 & 15;

	if (k < 4)
		v = few[v % ARRAY_LEN(few)];
	else if (k < 7)
		v = (1ull << (v & 63)) + (v >> 8 & 3) - 1;
	else if (k < 8)
		v = -((1ull << (v & 63)) + (v >> 8 & 3) - 1);
	else if (k < 11)
		v &= 0x3f;
	else if (k < 12)
		v = (uint64_t)(int64_t)(int32_t)v;
	else
		v = random_next(r);
	return bytes < 8 ? v & ((1ull << 8 * bytes) - 1) : v;
}

uint64_t random_pointer(uint64_t *r)
{
	uint64_t v = random_next(r), k = v >> 32 & 63, off = v & 0x3fff;

	if (k < 32)
		return DATA_BASE + (off & ~15ull);
	if (k < 46)
		return DATA_BASE + off;
	if (k < 54) /* about page ends */
		return DATA_BASE + (1 + (v & 3)) * 0x1000 - (v >> 8 & 31);
	if (k < 57)
		return DATA_READONLY + (off & 0xff0);
	if (k < 59)
		return DATA_HOLE - (v >> 8 & 31);
	if (k < 62)
		return DATA_ISLAND + 0x1000 - (v >> 8 & 31);
	return DATA_HOLE + (off & 0xfff);
}

static uint64_t random_double(uint64_t *r)
{
	static const uint64_t few[] = {0,
				       1,
				       0x000fffffffffffffull,
				       0x0010000000000000ull,
				       0x3ff0000000000000ull,
				       0x3fefffffffffffffull,
				       0x7fefffffffffffffull,
				       0x7ff0000000000000ull,
				       0x7ff8000000000000ull,
				       0x7ff0000000000001ull,
				       0x7ff4000000000123ull,
				       0x7ffc0000deadbeefull,
				       0x41dfffffffc00000ull,
				       0x43e0000000000000ull,
				       0x3fe0000000000000ull,
				       0x4000000000000000ull};
	uint64_t v = random_next(r), sign = v & 1ull << 63;
	double d;

	switch (v >> 32 & 7) {
	case 0:
	case 1:
	case 2:
		return few[v % ARRAY_LEN(few)] ^ sign;
	case 3:
		d = (double)(int64_t)(random_next(r) >> (v & 63)) * 0.25;
		memcpy(&v, &d, 8);
		return v ^ sign;
	case 4:
	case 5: /* near one */
		return (random_next(r) & 0x000fffffffffffffull) | (0x3f8 + (v & 15)) << 52 | sign;
	case 6: /* sparse mantissa */
		return (v & 0x7ff) << 52 | random_next(r) >> (v & 63) >> 12 | sign;
	default:
		return random_next(r);
	}
}

static uint32_t random_float(uint64_t *r)
{
	static const uint32_t few[] = {0,	   1,	       0x007fffff, 0x00800000, 0x3f800000,
				       0x3f7fffff, 0x7f7fffff, 0x7f800000, 0x7fc00000, 0x7f800001,
				       0x7fa00123, 0x7fe0beef, 0x4effffff, 0x4f000000, 0x5f000000,
				       0x3f000000, 0x40000000, 0x4b000000};
	uint64_t v = random_next(r);
	uint32_t sign = (uint32_t)(v >> 63) << 31;

	switch (v >> 32 & 7) {
	case 0:
	case 1:
	case 2:
		return few[v % ARRAY_LEN(few)] ^ sign;
	case 3:
		return ((uint32_t)random_next(r) & 0x7fffff) | 127u << 23 | sign;
	case 4:
	case 5:
		return ((uint32_t)random_next(r) & 0x7fffff) | (120u + (v & 15)) << 23 | sign;
	default:
		return (uint32_t)random_next(r);
	}
}

void random_vector(uint64_t *r, uint64_t v[2])
{
	unsigned kind = random_next(r) & 7;

	for (int i = 0; i < 2; i++) {
		if (kind < 3)
			v[i] = random_double(r);
		else if (kind < 6)
			v[i] = random_float(r) | (uint64_t)random_float(r) << 32;
		else if (kind < 7)
			v[i] = random_edge(r, 8);
		else
			v[i] = random_next(r);
	}
}

static void random_x87(uint64_t *r, uint64_t *mant, uint16_t *sexp)
{
	static const uint16_t exps[] = {0,	0,	1,	0x3fff, 0x3ffe, 0x4000,
					0x403e, 0x403d, 0x7ffe, 0x7fff, 0x7fff};
	static const uint64_t mants[] = {0,
					 1,
					 0x8000000000000000ull,
					 0x8000000000000001ull,
					 0xc000000000000000ull,
					 0xffffffffffffffffull,
					 0x7fffffffffffffffull,
					 0x4000000000000000ull,
					 0xa000000000000123ull,
					 0xc0000000deadbeefull};
	uint64_t v = random_next(r), k = v >> 32 & 15;

	*sexp = (uint16_t)(v & 0x8000);
	if (k < 5) { /* any special, pseudo forms among them */
		*sexp |= exps[(v >> 16 & 0xff) % ARRAY_LEN(exps)];
		*mant = mants[(v >> 24 & 0xff) % ARRAY_LEN(mants)];
	} else if (k < 8) { /* MMX */
		*sexp = 0xffff;
		*mant = random_edge(r, 8);
	} else if (k < 9) {
		*sexp = 0;
		*mant = 0;
	} else if (k < 14) { /* moderate numbers */
		*sexp |= (uint16_t)(0x3fff - 20 + (v & 63));
		*mant = random_next(r) | 1ull << 63;
		if (v & 1 << 20)
			*mant &= ~0ull << (v >> 24 & 63);
		*mant |= 1ull << 63;
	} else {
		*sexp = (uint16_t)v;
		*mant = random_next(r) | (v >> 40 & 7 ? 1ull << 63 : 0);
	}
}

static void random_x87_state(uint64_t *r, struct oracle_state *s)
{
	uint64_t v = random_next(r);

	s->fcw = 0x37f;
	if (v & 1)
		s->fcw = (uint16_t)((s->fcw & ~0xf00) | (v >> 8 & 0xf00));
	if ((v >> 1 & 7) == 0)
		s->fcw = (uint16_t)((s->fcw & ~0x3f) | (v >> 24 & 0x3f));
	s->fsw = (uint16_t)(v >> 32 & 0x7f7f);
	if (v >> 4 & 3)
		s->fsw &= (uint16_t)~0x7f;
	if ((v >> 6 & 7) && (s->fsw & ~s->fcw & 0x3f))
		s->fsw &= (uint16_t)~0x3f;
	s->fsw &= (uint16_t)~0x80;
	if (s->fsw & ~s->fcw & 0x3f)
		s->fsw |= 0x8080;
	s->ftag = v >> 48 & 1 ? 0xff : (uint8_t)(v >> 50);
	s->fop = (uint16_t)(random_next(r) & 0x7ff);
	s->fip = random_next(r) & 0x7fffffff;
	s->fdp = random_next(r) & 0x7fffffff;
	for (int i = 0; i < 8; i++)
		random_x87(r, &s->st[i].mant, &s->st[i].sexp);
}

static uint32_t random_mxcsr(uint64_t *r)
{
	uint64_t v = random_next(r);
	uint32_t m = 0x1f80;

	if (v & 1)
		m |= v >> 8 & 0x6000; /* rounding */
	if ((v & 6) == 0)
		m |= v >> 8 & 0x8040; /* FTZ, DAZ */
	if ((v & 0x18) == 0)
		m |= v >> 8 & 0x3f;
	if ((v & 0xe0) == 0)
		m &= ~(uint32_t)(v >> 24 & 0x1f80);
	return m;
}

void random_state(uint64_t *r, bool code64, uint32_t data, bool avx, struct oracle_state *s)
{
	uint64_t v = random_next(r);

	memset(s, 0, sizeof(*s));
	for (int i = 0; i < (code64 ? 16 : 8); i++)
		s->gpr[i] = random_chance(r, 50) ? random_pointer(r) - data
						 : random_edge(r, code64 ? 8 : 4);
	s->gpr[X86_RSP] = DATA_BASE - data + 0x2000 + (v & 0xff8);
	if ((v >> 16 & 31) == 0)
		s->gpr[X86_RSP] = random_pointer(r) - data;
	s->rflags = 0x202 | (v >> 24 & X86_ARITH_FLAGS);
	if ((v >> 36 & 3) == 0)
		s->rflags |= X86_DF;
	if ((v >> 38 & 63) == 0)
		s->rflags |= X86_AC;
	random_x87_state(r, s);
	s->mxcsr = random_mxcsr(r);
	for (int i = 0; i < (code64 ? 16 : 8); i++)
		random_vector(r, s->vec[i]);
	for (int i = 0; avx && i < (code64 ? 16 : 8); i++)
		if (random_chance(r, 85))
			random_vector(r, s->vec[i] + 2);
}

void random_memory(uint64_t *r, uint8_t data[DATA_BYTES])
{
	for (unsigned at = 0; at < DATA_BYTES; at += 16) {
		uint64_t v[2] = {0, 0};
		unsigned k = random_next(r) & 15;

		if (k < 6) {
			random_vector(r, v);
		} else if (k < 8) {
			uint16_t sexp;
			random_x87(r, &v[0], &sexp);
			v[1] = sexp;
		} else if (k < 11) {
			v[0] = random_pointer(r);
			v[1] = random_pointer(r);
		} else {
			v[0] = random_edge(r, 8);
			v[1] = random_edge(r, 8);
		}
		memcpy(data + at, v, 16);
	}
}
