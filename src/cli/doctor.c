/* doppel doctor: what works on this host, and why. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/options.h"

void cli_doctor_help(FILE *out)
{
	fprintf(out, "usage: doppel doctor\n\n"
		     "Lists the engines with whether they work on this host, why, and what they\n"
		     "cost; says which one --engine auto takes, and looks for the default guest.\n"
		     "The exit status is 0 if some engine works.\n");
}

static void print_engine(const struct doppel_engine_info *e)
{
	printf("%s %-10s %s\n", e->works ? "works " : "absent", e->name, e->text);
	printf("                  why:  %s\n", e->why);
	if (e->works)
		printf("                  cost: %s\n", e->cost);
	if (e->chosen_by_auto)
		printf("                  --engine auto takes this one\n");
}

static void print_host(void)
{
	char cpu[256];
	struct doppel_error err;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN), pages = sysconf(_SC_PHYS_PAGES);

	printf("\nhost              %ld CPUs, %lld MiB of memory\n", cpus,
	       (long long)pages * sysconf(_SC_PAGESIZE) >> 20);
	if (doppel_host_cpu(NULL, cpu, sizeof(cpu), &err) < 0)
		printf("                  %s\n", err.text);
	else
		printf("                  %s\n", cpu);
}

static void print_guest(void)
{
	char *kernel, *initrd;

	if (!guest_find(&kernel, &initrd)) {
		printf("default guest     absent: run \"make guest\", or set DOPPEL_GUEST_DIR\n");
		return;
	}
	printf("default guest     %s\n                  %s\n", kernel, initrd);
	free(kernel);
	free(initrd);
}

int cli_doctor(int argc, char **argv)
{
	struct doppel_engine_info e;
	bool any = false;

	if (argc > 1 && strcmp(argv[1], "--help") == 0) {
		cli_doctor_help(stdout);
		return CLI_EXIT_OK;
	}
	if (argc > 1)
		return cli_fail(CLI_EXIT_USAGE, "doctor: unexpected argument %s", argv[1]);
	printf("doppel %s\n\n", DOPPEL_VERSION);
	for (unsigned i = 0; doppel_engine_info(i, &e); i++) {
		print_engine(&e);
		any |= e.works;
	}
	print_host();
	print_guest();
	return any ? CLI_EXIT_OK : CLI_EXIT_CONFIG;
}
