/*
 * Runs a fuzz target without libFuzzer, for any compiler: on pseudo-random inputs, each from its
 * own seed, or on files. usage: TARGET [COUNT [SEED [MAX_LEN]]]  or  TARGET -f FILE...
 * A crash prints the seed of the input; "TARGET 1 SEED" runs it again.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

enum { INPUT_MAX = 1 << 16 };

static uint64_t current_seed;

static void on_crash(int sig)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "fuzz: seed %llu\n", (unsigned long long)current_seed);

	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		_exit(2);
	signal(sig, SIG_DFL);
	raise(sig);
}

static uint64_t next_random(uint64_t *s)
{
	uint64_t z = (*s += 0x9e3779b97f4a7c15ull);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static void run_random(uint8_t *buf, uint64_t seed, size_t max_len)
{
	uint64_t s = seed;
	size_t len = next_random(&s) % (max_len + 1);

	current_seed = seed;
	for (size_t i = 0; i < len; i++)
		buf[i] = (uint8_t)next_random(&s);
	LLVMFuzzerTestOneInput(buf, len);
}

static int run_file(uint8_t *buf, const char *name)
{
	FILE *f = fopen(name, "rb");
	size_t len;

	if (!f) {
		perror(name);
		return 1;
	}
	len = fread(buf, 1, INPUT_MAX, f);
	fclose(f);
	LLVMFuzzerTestOneInput(buf, len);
	return 0;
}

int main(int argc, char **argv)
{
	static uint8_t buf[INPUT_MAX];
	unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 0) : 1000;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	size_t max_len = argc > 3 ? strtoul(argv[3], NULL, 0) : 1024;

	if (argc > 2 && !strcmp(argv[1], "-f")) {
		int failed = 0;

		for (int i = 2; i < argc; i++)
			failed |= run_file(buf, argv[i]);
		return failed;
	}
	signal(SIGABRT, on_crash);
	signal(SIGSEGV, on_crash);
	signal(SIGFPE, on_crash);
	for (unsigned long i = 0; i < count; i++)
		run_random(buf, seed + i, max_len < INPUT_MAX ? max_len : INPUT_MAX);
	return 0;
}
