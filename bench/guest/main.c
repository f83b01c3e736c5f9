/*
 * The first program of the benchmark guest: runs every workload between two lines on the console,
 * which the runner times by the host's clock, and powers off. Natively (not as process 1) it does
 * the same and exits. The environment, which for the first process is the kernel's command line,
 * may choose: rows=NAME,GROUP,... and percent=N of the usual rounds.
 *
 *   bench: begin NAME GROUP
 *   bench: end NAME CHECKSUM GUEST_NS
 */
#include "bench.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void run_one(const struct workload *w, unsigned percent)
{
	unsigned rounds = (unsigned)((uint64_t)w->rounds * percent / 100);
	uint64_t begin, sum;

	printf("bench: begin %s %s\n", w->name, w->group);
	fflush(stdout);
	tcdrain(1); /* the line is out before the work begins */
	begin = now_ns();
	sum = w->run(rounds ? rounds : 1);
	printf("bench: end %s %016llx %llu\n", w->name, (unsigned long long)sum,
	       (unsigned long long)(now_ns() - begin));
	fflush(stdout);
	tcdrain(1);
}

/* Whether rows, a list with commas or NULL for all, has this name. */
static bool listed(const char *rows, const char *name)
{
	size_t len = strlen(name);

	for (; rows; rows = strchr(rows, ',') ? strchr(rows, ',') + 1 : NULL)
		if (strncmp(rows, name, len) == 0 && (rows[len] == ',' || rows[len] == 0))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	static const struct workload *const all[] = {integer_workloads, float_workloads,
						     memory_workloads, system_workloads};
	const char *rows = getenv("rows"), *percent = getenv("percent");

	if (argc == 2 && strcmp(argv[1], "--nothing") == 0)
		return 0; /* what the exec workload runs */
	printf("bench: up\n");
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		for (const struct workload *w = all[i]; w->name; w++)
			if (!rows || listed(rows, w->name) || listed(rows, w->group))
				run_one(w, percent ? (unsigned)atoi(percent) : 100);
	printf("bench: done\n");
	fflush(stdout);
	tcdrain(1);
	if (getpid() == 1)
		reboot(RB_POWER_OFF);
	return 0;
}
