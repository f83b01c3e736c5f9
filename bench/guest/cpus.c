/* Two processes with the same work at once: how much faster is it on two CPUs than on one? */
#include "bench.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESSES = 2 };

static uint64_t run_two(unsigned rounds)
{
	uint64_t *sums =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t sum = 0;

	if (sums == MAP_FAILED)
		return 0;
	for (unsigned i = 0; i < PROCESSES; i++)
		if (fork() == 0) {
			sums[i] = run_sha256(rounds + i);
			_exit(0);
		}
	for (unsigned i = 0; i < PROCESSES; i++)
		wait(NULL);
	for (unsigned i = 0; i < PROCESSES; i++)
		sum = sum * 31 + sums[i];
	munmap(sums, 4096);
	return sum;
}

const struct workload cpus_workloads[] = {
	{"cpus", "two", 8000, run_two, NULL},
	{0},
};
