/* Floating point on vectors: a matrix product of floats, the Mandelbrot set, the dot product of
 * doubles. Written for vectors of 32 bytes, which the compiler does by halves where the CPU has
 * none; the copy for AVX2 is taken when CPUID says so. Nothing is fused or reordered, so that both
 * give the same bits. */
#include "bench.h"

#include <string.h>

#define WIDEST __attribute__((target_clones("avx2", "default")))

typedef float f32x8 __attribute__((vector_size(32)));
typedef double f64x4 __attribute__((vector_size(32)));
typedef int64_t i64x4 __attribute__((vector_size(32)));

enum { MATRIX = 128, LANES32 = 8, LANES64 = 4, DOTS = 4096 };

static uint64_t mix(const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	uint64_t h = 14695981039346656037u;

	while (len--)
		h = (h ^ *p++) * 1099511628211u;
	return h;
}

WIDEST static void multiply(f32x8 *c, const float *a, const f32x8 *b)
{
	for (unsigned i = 0; i < MATRIX; i++)
		for (unsigned j = 0; j < MATRIX / LANES32; j++) {
			f32x8 sum = {0};

			for (unsigned k = 0; k < MATRIX; k++)
				sum += a[i * MATRIX + k] * b[k * (MATRIX / LANES32) + j];
			c[i * (MATRIX / LANES32) + j] = sum;
		}
}

static uint64_t run_vmatmul(unsigned rounds)
{
	static float a[MATRIX * MATRIX];
	static f32x8 b[MATRIX * MATRIX / LANES32], c[MATRIX * MATRIX / LANES32];

	for (unsigned i = 0; i < MATRIX * MATRIX; i++) {
		a[i] = 1.0f / (float)(i % 97 + 1);
		b[i / LANES32][i % LANES32] = (float)(i % 31) - 15.5f;
	}
	while (rounds--) {
		multiply(c, a, b);
		a[rounds % (MATRIX * MATRIX)] += c[5][3] * 1e-6f;
	}
	return mix(c, sizeof(c));
}

/* Four points of a line at once, 64 steps each. */
WIDEST static void escape(i64x4 *count, double x, double dx, double y)
{
	f64x4 cx = {x, x + dx, x + 2 * dx, x + 3 * dx}, zx = {0}, zy = {0};
	i64x4 n = {0};

	for (unsigned step = 0; step < 64; step++) {
		f64x4 xx = zx * zx, yy = zy * zy, xy = zx * zy;

		n -= xx + yy < 4.0;
		zx = xx - yy + cx;
		zy = xy + xy + y;
	}
	*count = n;
}

static uint64_t run_vmandel(unsigned rounds)
{
	enum { SIDE = 64 };
	uint64_t sum = 0;
	i64x4 n = {0};

	while (rounds--)
		for (unsigned i = 0; i < SIDE * SIDE; i += LANES64) {
			escape(&n, -2.0 + 3.0 / SIDE * (i % SIDE), 3.0 / SIDE,
			       -1.5 + 3.0 / SIDE * (i / SIDE));
			for (unsigned k = 0; k < LANES64; k++)
				sum = sum * 31 + (uint64_t)n[k];
		}
	return sum;
}

WIDEST static void dot(f64x4 *out, const f64x4 *a, const f64x4 *b)
{
	f64x4 s0 = {0}, s1 = {0};

	for (unsigned i = 0; i < DOTS / LANES64; i += 2) {
		s0 += a[i] * b[i];
		s1 += a[i + 1] * b[i + 1];
	}
	*out = s0 + s1;
}

static uint64_t run_vdot(unsigned rounds)
{
	static f64x4 a[DOTS / LANES64], b[DOTS / LANES64];
	f64x4 out = {0};

	for (unsigned i = 0; i < DOTS; i++) {
		a[i / LANES64][i % LANES64] = 1.0 / (i + 1);
		b[i / LANES64][i % LANES64] = (double)i * 0.25;
	}
	while (rounds--) {
		dot(&out, a, b);
		a[rounds % (DOTS / LANES64)] += out * 1e-9;
	}
	return mix(&out, sizeof(out));
}

const struct workload vector_workloads[] = {
	{"float", "vmatmul", 20, run_vmatmul, NULL},
	{"float", "vmandel", 12, run_vmandel, NULL},
	{"float", "vdot", 1500, run_vdot, NULL},
	{0},
};
