/* The workloads of the guest side: each does `rounds` of its work and returns a checksum, which
 * must be the same on every machine. */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct workload {
	const char *group, *name;
	unsigned rounds;
	uint64_t (*run)(unsigned rounds);
	bool (*prepare)(void); /* NULL, or what is done before; false: this guest cannot run it */
};

/* One array per file, ended by a row without a name. */
extern const struct workload integer_workloads[], float_workloads[], x87_workloads[],
	vector_workloads[], memory_workloads[], system_workloads[], compile_workloads[],
	cpus_workloads[];

/* The sha256 workload, which also is what keeps several CPUs busy. */
uint64_t run_sha256(unsigned rounds);

/* xorshift64: the same numbers everywhere. */
static inline uint64_t bench_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

#endif
