/* The C library's memory functions on 64 KiB, and on short strings. The volatile pointers keep the
 * calls: a compiler knows what these functions do. */
#include "bench.h"

#include <string.h>

enum { BUFFER = 65536 };

static unsigned char one[BUFFER], two[BUFFER];
static void *(*volatile call_memcpy)(void *, const void *, size_t) = memcpy;
static void *(*volatile call_memset)(void *, int, size_t) = memset;
static int (*volatile call_memcmp)(const void *, const void *, size_t) = memcmp;
static size_t (*volatile call_strlen)(const char *) = strlen;

static uint64_t run_memcpy(unsigned rounds)
{
	uint64_t sum = 0;

	memset(one, 0, BUFFER); /* whatever ran before */
	for (unsigned i = 0; i < rounds; i++) {
		one[i % BUFFER]++;
		call_memcpy(two, one, BUFFER);
		sum += two[i % BUFFER];
	}
	return sum;
}

static uint64_t run_memset(unsigned rounds)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < rounds; i++) {
		call_memset(one, (int)(i & 0xff), BUFFER);
		sum += one[i % BUFFER];
	}
	return sum;
}

static uint64_t run_memcmp(unsigned rounds)
{
	uint64_t sum = 0;

	memset(one, 5, BUFFER);
	memset(two, 5, BUFFER);
	for (unsigned i = 0; i < rounds; i++) {
		two[BUFFER - 1] = (unsigned char)(i & 7);
		sum += (uint64_t)(call_memcmp(one, two, BUFFER) < 0);
	}
	return sum;
}

static uint64_t run_strlen(unsigned rounds)
{
	uint64_t sum = 0;

	memset(one, 'x', 300);
	one[300] = 0;
	while (rounds--)
		for (unsigned i = 0; i < 300; i++)
			sum += call_strlen((const char *)one + i);
	return sum;
}

const struct workload memory_workloads[] = {
	{"memory", "memcpy", 10000, run_memcpy, NULL},
	{"memory", "memset", 20000, run_memset, NULL},
	{"memory", "memcmp", 8000, run_memcmp, NULL},
	{"memory", "strlen", 5000, run_strlen, NULL},
	{0},
};
