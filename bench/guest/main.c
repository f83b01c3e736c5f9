/*
 * The first program of the benchmark guest: runs workloads, each between two lines on the console,
 * which the runner times by the host's clock. Natively (not as process 1) it does the same. With
 * "session=1" on the kernel's command line (natively: in the environment) it says which workloads
 * there are and does what it is told, line by line:
 *
 *   run NAME PERCENT         of the usual rounds
 *   quit                     power off (natively: exit)
 *
 * without it, it runs all of them, or rows=NAME,GROUP,... with percent=N, and powers off.
 *
 *   bench: up
 *   bench: row NAME GROUP          in a session: there is this workload; then
 *   bench: ready
 *   bench: begin NAME GROUP
 *   bench: end NAME CHECKSUM GUEST_NS
 *   bench: done
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static const struct workload *const workloads[] = {
	integer_workloads, float_workloads,  x87_workloads,
	vector_workloads,  memory_workloads, system_workloads,
	compile_workloads, cpus_workloads,   NULL};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* All that was printed is out before the work goes on. */
static void flush(void)
{
	fflush(stdout);
	tcdrain(1);
}

static void run_one(const struct workload *w, unsigned percent)
{
	unsigned rounds = (unsigned)((uint64_t)w->rounds * percent / 100);
	uint64_t begin, sum;

	if (w->prepare && !w->prepare()) {
		printf("bench: skip %s\n", w->name);
		flush();
		return;
	}
	printf("bench: begin %s %s\n", w->name, w->group);
	flush();
	begin = now_ns();
	sum = w->run(rounds ? rounds : 1);
	printf("bench: end %s %016llx %llu\n", w->name, (unsigned long long)sum,
	       (unsigned long long)(now_ns() - begin));
	flush();
}

/* Whether rows, a list with commas or NULL for all, has this name. */
static bool listed(const char *rows, const char *name)
{
	size_t len = strlen(name);

	if (!rows)
		return true;
	for (; rows; rows = strchr(rows, ',') ? strchr(rows, ',') + 1 : NULL)
		if (strncmp(rows, name, len) == 0 && (rows[len] == ',' || rows[len] == 0))
			return true;
	return false;
}

static void run_listed(const char *rows, unsigned percent)
{
	for (size_t i = 0; workloads[i]; i++)
		for (const struct workload *w = workloads[i]; w->name; w++)
			if (listed(rows, w->name) || listed(rows, w->group))
				run_one(w, percent);
}

/* Commands come over the console: its echo would come back among the lines. */
static void silence(void)
{
	struct termios t;

	if (tcgetattr(0, &t) == 0) {
		t.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(0, TCSANOW, &t);
	}
}

static void serve(void)
{
	char line[128], name[64];
	unsigned percent;

	silence();
	for (size_t i = 0; workloads[i]; i++)
		for (const struct workload *w = workloads[i]; w->name; w++)
			printf("bench: row %s %s\n", w->name, w->group);
	printf("bench: ready\n");
	flush();
	while (fgets(line, sizeof(line), stdin) && strncmp(line, "quit", 4) != 0)
		if (sscanf(line, "run %63s %u", name, &percent) == 2)
			run_listed(name, percent);
}

int main(int argc, char **argv)
{
	const char *percent = getenv("percent");

	if (argc == 2 && strcmp(argv[1], "--nothing") == 0)
		return 0; /* what the exec workload runs */
	printf("bench: up\n");
	flush();
	if (getenv("session"))
		serve();
	else
		run_listed(getenv("rows"), percent ? (unsigned)atoi(percent) : 100);
	printf("bench: done\n");
	flush();
	if (getpid() == 1)
		reboot(RB_POWER_OFF);
	return 0;
}
