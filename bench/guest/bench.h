/* The workloads of the guest side: each does `rounds` of its work and returns a checksum, which must
 * be the same on every machine. */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

struct workload {
	const char *group, *name;
	unsigned rounds;
	uint64_t (*run)(unsigned rounds);
};

/* One array per file, ended by a row without a name. */
extern const struct workload integer_workloads[], float_workloads[], memory_workloads[],
	system_workloads[];

/* xorshift64: the same numbers everywhere. */
static inline uint64_t bench_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

#endif
