/*
 * The doppel command: a client of doppel/doppel.h and nothing more. Each command is a function
 * that takes its own argc and argv and returns the exit status.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "doppel/doppel.h"

/*
 * Exit status: the one list, repeated for readers in docs/doppel.1. Of all statuses only that of a
 * debug exit is odd, so that it cannot be taken for one of the others.
 */
enum cli_exit {
	CLI_EXIT_OK = 0,      /* the guest powered off; or the command did what it was asked */
	CLI_EXIT_USAGE = 2,   /* the command line is wrong */
	CLI_EXIT_CONFIG = 4,  /* what it asks for cannot be had: files, configuration, host */
	CLI_EXIT_CRASH = 6,   /* the guest crashed: triple fault */
	CLI_EXIT_KILLED = 8,  /* stopped by the user: Ctrl-A x or a signal */
	CLI_EXIT_DIFFER = 10, /* the engines of lockstep=A,B differ */
	CLI_EXIT_CORRUPT = 12, /* disk check: the image is corrupt */
	CLI_EXIT_LEAKS = 14, /* disk check: the image takes more space than it needs */
};

/* The status of a guest that wrote code to the debug-exit port: (code << 1) | 1, as a byte. */
static inline int cli_exit_debug(uint32_t code)
{
	return (int)((code << 1 | 1) & 0xff);
}

struct cli_command {
	const char *name;
	const char *text; /* one line for the list of commands */
	int (*run)(int argc, char **argv);
	void (*help)(FILE *out);
	bool hidden;
};

extern const struct cli_command cli_commands[]; /* main.c; ends with name NULL */

int cli_run(int argc, char **argv);
void cli_run_help(FILE *out);
int cli_doctor(int argc, char **argv);
void cli_doctor_help(FILE *out);
int cli_disk(int argc, char **argv);
void cli_disk_help(FILE *out);
int cli_explain(int argc, char **argv);
void cli_explain_help(FILE *out);
int cli_help(int argc, char **argv);
void cli_help_help(FILE *out);
int cli_complete(int argc, char **argv);

/* Print "doppel: ..." on standard error and return status. */
int cli_fail(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* "Did you mean" over any list: start with best NULL, offer candidates, print. */
struct cli_nearest {
	const char *word, *best;
	unsigned distance;
};
void cli_nearest_init(struct cli_nearest *n, const char *word);
void cli_nearest_offer(struct cli_nearest *n, const char *candidate);

/* getopt_long could not read this argument: say why and which option is nearest. Returns
 * CLI_EXIT_USAGE. result is what getopt_long returned, '?' or ':'. */
struct option;
int cli_bad_option(const char *command, const struct option *known, int result, char **argv);

/* A whole number of bytes, or of K, M, G or T: "64M". False if it is not such a thing. */
bool cli_parse_size(const char *text, uint64_t *out);
bool cli_parse_unsigned(const char *text, unsigned *out);

#endif
