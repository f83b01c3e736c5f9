/* The options of `doppel run`, from the command line and from a --config file: one table for both.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "doppel/doppel.h"

enum serial_kind { SERIAL_STDIO, SERIAL_NONE, SERIAL_FILE };

/* Strings are owned; NULL = not given. */
struct run_options {
	char *kernel, *initrd, *append, *machine, *engine, *cpu, *host_cpu;
	char *trace, *dump, *no_pass, *stress, *config;
	char *serial_path;
	enum serial_kind serial;
	enum doppel_clock clock;
	bool cpus_given, memory_given;
	unsigned cpus;
	uint64_t memory_bytes, code_cache_bytes;
	struct doppel_device *device;
	unsigned devices;
	bool stats, quiet, help, perf_map, gdb_jit;
};

/* Read the config file, if one is named, then the command line over it. 0, or a cli_exit status
 * with the message printed. */
int run_options_parse(struct run_options *o, int argc, char **argv);
void run_options_clear(struct run_options *o);
void run_options_help(FILE *out);
/* Names of the options, for completion; NULL past the last. */
const char *run_option_name(unsigned index);

/* Set one option from its text; used for both sources and by tests. Returns NULL, or what is wrong
 * with the value. *known is false if there is no such option. */
const char *run_options_set(struct run_options *o, const char *name, const char *value,
			    bool *known);

/* The files the default guest consists of. False, with a message about where it was looked for, if
 * there is none. kernel and initrd are to be freed. */
bool guest_find(char **kernel, char **initrd);

#endif
