/* Floating point: double matrix product, planets with square roots and divisions. */
#include "bench.h"

#include <math.h>
#include <string.h>

enum { MATRIX = 64, BODIES = 5 };

static uint64_t bits(double d)
{
	uint64_t v;

	memcpy(&v, &d, sizeof(v));
	return v;
}

static uint64_t run_matmul(unsigned rounds)
{
	static double a[MATRIX][MATRIX], b[MATRIX][MATRIX], c[MATRIX][MATRIX];

	for (unsigned i = 0; i < MATRIX; i++)
		for (unsigned j = 0; j < MATRIX; j++) {
			a[i][j] = 1.0 / (i + j + 1);
			b[i][j] = (double)i - (double)j * 0.5;
		}
	while (rounds--) {
		for (unsigned i = 0; i < MATRIX; i++)
			for (unsigned j = 0; j < MATRIX; j++) {
				double sum = 0;

				for (unsigned k = 0; k < MATRIX; k++)
					sum += a[i][k] * b[k][j];
				c[i][j] = sum;
			}
		a[rounds % MATRIX][3] += c[5][rounds % MATRIX] * 1e-6;
	}
	return bits(c[7][9]);
}

struct body {
	double x[3], v[3], mass;
};

static void push(struct body *p, struct body *q, double dt)
{
	double d[3], r2 = 0, mag;

	for (int k = 0; k < 3; k++) {
		d[k] = p->x[k] - q->x[k];
		r2 += d[k] * d[k];
	}
	mag = dt / (r2 * sqrt(r2));
	for (int k = 0; k < 3; k++) {
		p->v[k] -= d[k] * q->mass * mag;
		q->v[k] += d[k] * p->mass * mag;
	}
}

static uint64_t run_nbody(unsigned rounds)
{
	struct body b[BODIES];
	const double dt = 0.01;

	for (int i = 0; i < BODIES; i++)
		for (int k = 0; k < 3; k++) {
			b[i].x[k] = (i + 1) * (k + 1.5) * (i & 1 ? -1 : 1);
			b[i].v[k] = 0.1 * (k - 1) * (i + 1);
			b[i].mass = 1.0 / (i + 1);
		}
	while (rounds--)
		for (unsigned step = 0; step < 1000; step++) {
			for (int i = 0; i < BODIES; i++)
				for (int j = i + 1; j < BODIES; j++)
					push(&b[i], &b[j], dt);
			for (int i = 0; i < BODIES; i++)
				for (int k = 0; k < 3; k++)
					b[i].x[k] += dt * b[i].v[k];
		}
	return bits(b[0].x[0]) ^ bits(b[4].v[2]);
}

const struct workload float_workloads[] = {
	{"float", "matmul", 80, run_matmul, NULL},
	{"float", "nbody", 150, run_nbody, NULL},
	{0},
};
