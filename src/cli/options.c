/* The table of run's options; see options.h. A config file has one `key = value` a line, with the
 * long options' names as keys and # for comments. */
#include "cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

enum kind {
	KIND_STRING,
	KIND_FLAG,
	KIND_SIZE,
	KIND_CACHE,
	KIND_NUMBER,
	KIND_SERIAL,
	KIND_CLOCK,
	KIND_DEVICE, /* may be given several times */
};

struct row {
	const char *name, *value, *text;
	enum kind kind;
	size_t offset;
};

#define OFF(member) offsetof(struct run_options, member)

/* clang-format off */
static const struct row rows[] = {
	{"kernel", "FILE", "bzImage, ELF with a PVH note, Multiboot image or boot sector;\n"
	 "without it the default guest is booted", KIND_STRING, OFF(kernel)},
	{"initrd", "FILE", "initial RAM disk", KIND_STRING, OFF(initrd)},
	{"append", "TEXT", "kernel command line", KIND_STRING, OFF(append)},
	{"engine", "NAME", "how the CPUs are carried out: auto, or one that\n"
	 "\"doppel doctor\" lists: translate, interpret; lockstep=A,B\n"
	 "compares two engines as they run", KIND_STRING, OFF(engine)},
	{"cpu", "MODEL[,+F][,-F]", "CPU model, with features added or taken away", KIND_STRING, OFF(cpu)},
	{"host-cpu", "LEVEL[,-F]", "use less of the host's CPU: x86-64-v2, max,-fma, ...", KIND_STRING, OFF(host_cpu)},
	{"cpus", "N", "number of CPUs, 1 to 64 (default 1)", KIND_NUMBER, OFF(cpus)},
	{"memory", "SIZE", "memory, with suffix K, M or G (default 512M)", KIND_SIZE, OFF(memory_bytes)},
	{"machine", "NAME", "what is wired to what: pc (default), microvm", KIND_STRING, OFF(machine)},
	{"serial", "stdio|none|file=PATH", "where the first serial port goes (default stdio)", KIND_SERIAL, OFF(serial)},
	{"clock", "real|counted", "virtual time follows the host's time, or instructions:\n"
	 "counted runs repeat exactly", KIND_CLOCK, OFF(clock)},
	{"trace", "LIST", "print events as they happen: uart,irq,... or all", KIND_STRING, OFF(trace)},
	{"dump", "LIST[:ADDR]", "print what is translated: guest, ir, opt, host; with ADDR\n"
	 "(hex) only blocks that hold that address", KIND_STRING, OFF(dump)},
	{"no-pass", "LIST", "leave out optimization passes, or all", KIND_STRING, OFF(no_pass)},
	{"stress", "LIST", "make legal choices badly, to find bugs: one-insn, tiny-cache,\n"
	 "no-chain, random-regs[=SEED], no-trace, hot=N, translate-all", KIND_STRING, OFF(stress)},
	{"code-cache", "SIZE", "memory for all that is made from guest code, of all CPUs (default 64M)", KIND_CACHE, OFF(code_cache_bytes)},
	{"perf-map", NULL, "name generated code for perf, in /tmp/perf-PID.map", KIND_FLAG, OFF(perf_map)},
	{"gdb-jit", NULL, "name generated code for gdb", KIND_FLAG, OFF(gdb_jit)},
	{"stats", NULL, "print counters at the end", KIND_FLAG, OFF(stats)},
	{"quiet", NULL, "do not say which engine was chosen", KIND_FLAG, OFF(quiet)},
	{"config", "FILE", "read options from FILE, one \"key = value\" a line;\n"
	 "the command line overrides it", KIND_STRING, OFF(config)},
	{"help", NULL, "print this text", KIND_FLAG, OFF(help)},
};
/* clang-format on */

enum { ROWS = sizeof(rows) / sizeof(rows[0]), DEVICE_ROWS_MAX = 32, CONFIG_LINE_MAX = 4096 };

/* Row i, of the table above or, after it, of a kind of device that the library knows. */
static bool row_get(unsigned i, struct row *out)
{
	struct doppel_device_info d;

	if (i < ROWS) {
		*out = rows[i];
		return true;
	}
	if (i - ROWS >= DEVICE_ROWS_MAX || !doppel_device_info(i - ROWS, &d))
		return false;
	*out = (struct row){d.name, d.spec, d.text, KIND_DEVICE, 0};
	return true;
}

static bool row_find(const char *name, struct row *out)
{
	for (unsigned i = 0; row_get(i, out); i++)
		if (strcmp(out->name, name) == 0)
			return true;
	return false;
}

static void set_string(char **at, const char *value)
{
	free(*at);
	*at = strdup(value);
}

static const char *set_serial(struct run_options *o, const char *value)
{
	if (strcmp(value, "stdio") == 0) {
		o->serial = SERIAL_STDIO;
	} else if (strcmp(value, "none") == 0) {
		o->serial = SERIAL_NONE;
	} else if (strncmp(value, "file=", 5) == 0 && value[5]) {
		o->serial = SERIAL_FILE;
		set_string(&o->serial_path, value + 5);
	} else {
		return "must be stdio, none or file=PATH";
	}
	return NULL;
}

static const char *set_clock(struct run_options *o, const char *value)
{
	if (strcmp(value, "real") == 0)
		o->clock = DOPPEL_CLOCK_REAL;
	else if (strcmp(value, "counted") == 0)
		o->clock = DOPPEL_CLOCK_COUNTED;
	else
		return "must be real or counted";
	return NULL;
}

/* In a config file flags have a value: yes or no. */
static const char *set_flag(bool *at, const char *value)
{
	if (!value || strcmp(value, "yes") == 0 || strcmp(value, "true") == 0)
		*at = true;
	else if (strcmp(value, "no") == 0 || strcmp(value, "false") == 0)
		*at = false;
	else
		return "must be yes or no";
	return NULL;
}

/* What a form like "[target=SIZE]" describes may be left out, and follows a = if it is there. */
static int argument(const struct row *r)
{
	if (!r->value || !*r->value)
		return no_argument;
	return *r->value == '[' ? optional_argument : required_argument;
}

static const char *append_device(struct run_options *o, const struct row *r, const char *value)
{
	struct doppel_device *all = realloc(o->device, (o->devices + 1) * sizeof(*all));
	char *spec = strdup(value);

	if (!all || !spec) {
		free(spec);
		o->device = all ? all : o->device;
		return "takes more memory than there is";
	}
	o->device = all;
	all[o->devices++] = (struct doppel_device){r->name, spec};
	return NULL;
}

static const char *add_device(struct run_options *o, const struct row *r, const char *value)
{
	bool wanted = true;

	/* A config file cannot leave the value out: what needs none has yes or no there. */
	if (argument(r) != required_argument && !set_flag(&wanted, *value ? value : NULL))
		value = "";
	return wanted ? append_device(o, r, value) : NULL;
}

static const char *set_row(struct run_options *o, const struct row *r, const char *value)
{
	char *at = (char *)o + r->offset;

	switch (r->kind) {
	case KIND_STRING:
		set_string((char **)(void *)at, value);
		return NULL;
	case KIND_FLAG:
		return set_flag((bool *)at, value);
	case KIND_SIZE:
		o->memory_given = true;
		return cli_parse_size(value, &o->memory_bytes)
			       ? NULL
			       : "must be a whole number, with K, M or G for larger units";
	case KIND_CACHE:
		return cli_parse_size(value, &o->code_cache_bytes) && o->code_cache_bytes
			       ? NULL
			       : "must be a whole number above 0, with K, M or G for larger units";
	case KIND_NUMBER:
		o->cpus_given = true;
		return cli_parse_unsigned(value, &o->cpus) ? NULL : "must be a whole number";
	case KIND_SERIAL:
		return set_serial(o, value);
	case KIND_CLOCK:
		return set_clock(o, value);
	case KIND_DEVICE:
		return add_device(o, r, value ? value : "");
	}
	return NULL;
}

const char *run_options_set(struct run_options *o, const char *name, const char *value, bool *known)
{
	struct row r;

	*known = row_find(name, &r);
	return *known ? set_row(o, &r, value) : NULL;
}

/* ---- config file */

static char *trim(char *s)
{
	char *end;

	while (*s == ' ' || *s == '\t')
		s++;
	end = s + strlen(s);
	while (end > s && strchr(" \t\r\n", end[-1]))
		*--end = 0;
	return s;
}

static int unknown_key(const char *path, unsigned line, const char *key)
{
	struct cli_nearest n;
	struct row r;

	cli_nearest_init(&n, key);
	for (unsigned i = 0; row_get(i, &r); i++)
		cli_nearest_offer(&n, r.name);
	if (n.best)
		return cli_fail(CLI_EXIT_CONFIG, "%s: line %u: unknown key %s; did you mean %s?",
				path, line, key, n.best);
	return cli_fail(CLI_EXIT_CONFIG, "%s: line %u: unknown key %s", path, line, key);
}

static int config_line(struct run_options *o, const char *path, unsigned line, char *text)
{
	char *key = trim(text), *eq, *value;
	const char *wrong;
	bool known;

	if (*key == 0 || *key == '#')
		return 0;
	eq = strchr(key, '=');
	if (!eq)
		return cli_fail(CLI_EXIT_CONFIG, "%s: line %u: not \"key = value\": %s", path, line,
				key);
	*eq = 0;
	value = trim(eq + 1);
	key = trim(key);
	if (strcmp(key, "config") == 0 || strcmp(key, "help") == 0)
		return cli_fail(CLI_EXIT_CONFIG, "%s: line %u: %s is for the command line only",
				path, line, key);
	wrong = run_options_set(o, key, value, &known);
	if (!known)
		return unknown_key(path, line, key);
	if (wrong)
		return cli_fail(CLI_EXIT_CONFIG, "%s: line %u: %s = %s: %s", path, line, key, value,
				wrong);
	return 0;
}

static int config_file(struct run_options *o, const char *path)
{
	char text[CONFIG_LINE_MAX];
	unsigned line = 0;
	int r = 0;
	FILE *f = fopen(path, "r");

	if (!f)
		return cli_fail(CLI_EXIT_CONFIG, "config %s: %s", path, strerror(errno));
	while (r == 0 && fgets(text, sizeof(text), f)) {
		line++;
		if (strlen(text) == sizeof(text) - 1 && !strchr(text, '\n'))
			r = cli_fail(CLI_EXIT_CONFIG, "%s: line %u: longer than %d characters",
				     path, line, CONFIG_LINE_MAX - 2);
		else
			r = config_line(o, path, line, text);
	}
	if (r == 0 && ferror(f))
		r = cli_fail(CLI_EXIT_CONFIG, "config %s: %s", path, strerror(errno));
	fclose(f);
	return r;
}

/* ---- command line */

static void fill_getopt(struct option long_options[ROWS + DEVICE_ROWS_MAX + 1])
{
	struct row r;
	unsigned i;

	for (i = 0; row_get(i, &r); i++)
		long_options[i] = (struct option){r.name, argument(&r), NULL, 256 + (int)i};
	long_options[i] = (struct option){0};
}

/* One pass over argv; only_config looks for --config and --help alone. */
static int scan(struct run_options *o, int argc, char **argv, bool only_config)
{
	struct option long_options[ROWS + DEVICE_ROWS_MAX + 1];
	int c;

	fill_getopt(long_options);
	opterr = 0;
	optind = 0; /* GNU: start over */
	while ((c = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
		struct row r;
		const char *wrong;

		if (c < 256)
			return cli_bad_option("run", long_options, c, argv);
		row_get((unsigned)c - 256, &r);
		if (only_config != (strcmp(r.name, "config") == 0 || strcmp(r.name, "help") == 0))
			continue;
		wrong = set_row(o, &r, optarg);
		if (wrong)
			return cli_fail(CLI_EXIT_USAGE, "run: --%s %s: %s", r.name, optarg, wrong);
	}
	if (optind < argc)
		return cli_fail(CLI_EXIT_USAGE,
				"run: unexpected argument %s (a kernel is given with --kernel)",
				argv[optind]);
	return 0;
}

int run_options_parse(struct run_options *o, int argc, char **argv)
{
	int r = scan(o, argc, argv, true);

	if (r == 0 && o->config)
		r = config_file(o, o->config);
	return r ? r : scan(o, argc, argv, false);
}

void run_options_clear(struct run_options *o)
{
	for (unsigned i = 0; i < ROWS; i++)
		if (rows[i].kind == KIND_STRING)
			free(*(char **)(void *)((char *)o + rows[i].offset));
	free(o->serial_path);
	for (unsigned i = 0; i < o->devices; i++)
		free((char *)o->device[i].spec);
	free(o->device);
	*o = (struct run_options){0};
}

const char *run_option_name(unsigned index)
{
	struct row r;

	return row_get(index, &r) ? r.name : NULL;
}

static void help_row(FILE *out, const struct row *r)
{
	char left[160];
	const char *text = r->text;

	if (argument(r) == optional_argument)
		snprintf(left, sizeof(left), "--%s[=%s", r->name, r->value + 1);
	else
		snprintf(left, sizeof(left), "--%s%s%s", r->name, r->value ? " " : "",
			 r->value ? r->value : "");
	if (strlen(left) > 30) {
		fprintf(out, "  %s\n", left);
		left[0] = 0;
	}
	while (*text) {
		int len = (int)strcspn(text, "\n");

		fprintf(out, "  %-30s %.*s\n", left, len, text);
		left[0] = 0;
		text += len + (text[len] == '\n');
	}
}

void run_options_help(FILE *out)
{
	struct row r;

	for (unsigned i = 0; row_get(i, &r); i++)
		help_row(out, &r);
}
