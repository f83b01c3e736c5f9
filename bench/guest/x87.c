/* Planets again, in long double: what compilers still use the x87 for. */
#include "bench.h"

#include <string.h>

enum { BODIES = 5 };

struct body {
	long double x[3], v[3], mass;
};

static long double square_root(long double x)
{
	__asm__("fsqrt" : "+t"(x));
	return x;
}

static void push(struct body *p, struct body *q, long double dt)
{
	long double d[3], r2 = 0, mag;

	for (int k = 0; k < 3; k++) {
		d[k] = p->x[k] - q->x[k];
		r2 += d[k] * d[k];
	}
	mag = dt / (r2 * square_root(r2));
	for (int k = 0; k < 3; k++) {
		p->v[k] -= d[k] * q->mass * mag;
		q->v[k] += d[k] * p->mass * mag;
	}
}

static uint64_t run_x87(unsigned rounds)
{
	struct body b[BODIES];
	const long double dt = 0.01L;
	uint64_t bits;

	for (int i = 0; i < BODIES; i++)
		for (int k = 0; k < 3; k++) {
			b[i].x[k] = (i + 1) * (k + 1.5L) * (i & 1 ? -1 : 1);
			b[i].v[k] = 0.1L * (k - 1) * (i + 1);
			b[i].mass = 1.0L / (i + 1);
		}
	while (rounds--)
		for (unsigned step = 0; step < 200; step++) {
			for (int i = 0; i < BODIES; i++)
				for (int j = i + 1; j < BODIES; j++)
					push(&b[i], &b[j], dt);
			for (int i = 0; i < BODIES; i++)
				for (int k = 0; k < 3; k++)
					b[i].x[k] += dt * b[i].v[k];
		}
	memcpy(&bits, &b[0].x[0], sizeof(bits));
	return bits;
}

const struct workload x87_workloads[] = {
	{"float", "x87", 150, run_x87, NULL},
	{0},
};
