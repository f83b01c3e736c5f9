/* The command line's first word, and what all commands share. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options.h"

const struct cli_command cli_commands[] = {
	{"run", "boot a machine", cli_run, cli_run_help, false},
	{"doctor", "say which engines work on this host, and why", cli_doctor, cli_doctor_help,
	 false},
	{"disk", "make, look at, copy and check disk images", cli_disk, cli_disk_help, false},
	{"explain", "show one instruction through every stage", cli_explain, cli_explain_help,
	 false},
	{"help", "explain a command", cli_help, cli_help_help, false},
	{"__complete", "names for shell completion", cli_complete, NULL, true},
	{0},
};

int cli_fail(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("doppel: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	return status;
}

void cli_nearest_init(struct cli_nearest *n, const char *word)
{
	/* Farther than a third of its letters is another word, not a typing error. */
	*n = (struct cli_nearest){word, NULL, 2 + (unsigned)strlen(word) / 3};
}

void cli_nearest_offer(struct cli_nearest *n, const char *candidate)
{
	unsigned d = doppel_distance(n->word, candidate);

	if (d < n->distance) {
		n->distance = d;
		n->best = candidate;
	}
}

int cli_bad_option(const char *command, const struct option *known, int result, char **argv)
{
	const char *arg = argv[optind - 1];
	struct cli_nearest n;
	char word[64];

	if (result == ':')
		return cli_fail(CLI_EXIT_USAGE, "%s: option %s needs a value", command, arg);
	if (strncmp(arg, "--", 2) != 0)
		return cli_fail(CLI_EXIT_USAGE,
				"%s: unknown option -%c; all options are long, see doppel help %s",
				command, optopt, command);
	snprintf(word, sizeof(word), "%.*s", (int)strcspn(arg + 2, "="), arg + 2);
	cli_nearest_init(&n, word);
	for (; known->name; known++) {
		if (strcmp(known->name, word) == 0)
			return cli_fail(CLI_EXIT_USAGE, "%s: option --%s takes no value", command,
					word);
		cli_nearest_offer(&n, known->name);
	}
	if (n.best)
		return cli_fail(CLI_EXIT_USAGE, "%s: unknown option --%s; did you mean --%s?",
				command, word, n.best);
	return cli_fail(CLI_EXIT_USAGE, "%s: unknown option --%s; see doppel help %s", command,
			word, command);
}

bool cli_parse_size(const char *text, uint64_t *out)
{
	static const char suffixes[] = "KMGT";
	char *end;
	unsigned shift = 0;

	errno = 0;
	*out = strtoull(text, &end, 0);
	if (errno || end == text || text[0] < '0' || text[0] > '9')
		return false;
	if (*end) {
		const char *s = strchr(suffixes, *end & ~0x20);

		if (!s || !(*end & 0x40))
			return false;
		shift = 10 * (unsigned)(s - suffixes + 1);
		end++;
		if (*end == 'i' && end[1] == 'B')
			end += 2;
		else if (*end == 'B')
			end++;
	}
	if (*end || (shift && *out >> (64 - shift)))
		return false;
	*out <<= shift;
	return true;
}

bool cli_parse_unsigned(const char *text, unsigned *out)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(text, &end, 10);
	if (errno || *end || text[0] < '0' || text[0] > '9' || v > 0xffffffffu)
		return false;
	*out = (unsigned)v;
	return true;
}

static void usage(FILE *out)
{
	fprintf(out, "Doppel makes efficient, isolated duplicates of a real machine.\n\n"
		     "usage: doppel COMMAND [OPTION]...\n\ncommands:\n");
	for (const struct cli_command *c = cli_commands; c->name; c++)
		if (!c->hidden)
			fprintf(out, "  %-10s %s\n", c->name, c->text);
	fprintf(out, "\nstart here:\n"
		     "  doppel run                          boot the default guest to a shell\n"
		     "  doppel run --kernel bzImage --append console=ttyS0\n"
		     "  doppel help run                     all options of a command\n"
		     "  doppel --version\n");
}

static const struct cli_command *find(const char *name)
{
	for (const struct cli_command *c = cli_commands; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

static int unknown_command(const char *name)
{
	struct cli_nearest n;

	cli_nearest_init(&n, name);
	for (const struct cli_command *c = cli_commands; c->name; c++)
		if (!c->hidden)
			cli_nearest_offer(&n, c->name);
	if (n.best)
		return cli_fail(CLI_EXIT_USAGE, "unknown command %s; did you mean %s?", name,
				n.best);
	return cli_fail(CLI_EXIT_USAGE, "unknown command %s; see doppel --help", name);
}

int cli_help(int argc, char **argv)
{
	const struct cli_command *c;

	if (argc < 2) {
		usage(stdout);
		return CLI_EXIT_OK;
	}
	c = find(argv[1]);
	if (!c || !c->help)
		return unknown_command(argv[1]);
	c->help(stdout);
	return CLI_EXIT_OK;
}

void cli_help_help(FILE *out)
{
	fprintf(out,
		"usage: doppel help [COMMAND]\n\nPrints what a command does and its options.\n");
}

/* doppel __complete KIND: the names of that kind, one a line: command, option (run's), or what
 * doppel_name knows. */
int cli_complete(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "", *name;

	for (const struct cli_command *c = cli_commands; c->name; c++)
		if (strcmp(kind, "command") == 0 && !c->hidden)
			puts(c->name);
	for (unsigned i = 0; strcmp(kind, "option") == 0 && (name = run_option_name(i)); i++)
		printf("--%s\n", name);
	for (unsigned i = 0; (name = doppel_name(kind, i, NULL)); i++)
		puts(name);
	return CLI_EXIT_OK;
}

static bool is_option(const char *arg, const char *option, const char *letter)
{
	return strcmp(arg, option) == 0 || strcmp(arg, letter) == 0;
}

/* A standard stream that the caller closed must not become the number of some other file: hold its
 * place with one that fails as a closed one does, reading from 0 and writing to 1 and 2. */
static void hold_standard_fds(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_RDONLY : O_WRONLY) < 0)
			return;
}

int main(int argc, char **argv)
{
	const struct cli_command *c;

	hold_standard_fds();
	/* A limit on file sizes is an error of the write, like a full disk. */
	signal(SIGXFSZ, SIG_IGN);
	if (argc < 2 || is_option(argv[1], "--help", "-h"))
		return cli_help(1, argv);
	if (is_option(argv[1], "--version", "-V")) {
		printf("doppel %s\n", DOPPEL_VERSION);
		return CLI_EXIT_OK;
	}
	if (argv[1][0] == '-') {
		static const struct option none[] = {
			{"help", no_argument, NULL, 0}, {"version", no_argument, NULL, 0}, {0}};

		optind = 2;
		return cli_bad_option("doppel", none, '?', argv);
	}
	c = find(argv[1]);
	if (!c)
		return unknown_command(argv[1]);
	return c->run(argc - 1, argv + 1);
}
