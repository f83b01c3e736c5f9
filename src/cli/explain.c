/* doppel explain: one instruction through every stage. */
#include "cli/cli.h"

#include <ctype.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum { EXPLAIN_BYTES_MAX = 64, EXPLAIN_TEXT_BYTES = 256 * 1024 };

void cli_explain_help(FILE *out)
{
	fprintf(out,
		"usage: doppel explain HEX... [--mode 16|32|64] [--engine NAME] [--set "
		"REG=VALUE,...]\n\n"
		"Decodes the instruction, lifts it to IR, optimizes the IR, runs it, and prints\n"
		"each stage, with the host code if the engine makes some.\n\noptions:\n"
		"  --engine NAME          the engine that runs it (default auto)\n"
		"  --mode 16|32|64        code size (default 64)\n"
		"  --set REG=VALUE,...    registers before it runs, for example rax=1,rbx=0x20\n"
		"\nexample:\n"
		"  doppel explain 48 01 d8 --set rax=1,rbx=2\n");
}

/* Append the bytes of one argument, "4801d8" or "48". False if it is not hex pairs. */
static bool add_hex(const char *text, uint8_t *bytes, size_t *len)
{
	while (*text) {
		char pair[3] = {0};

		if (isspace((unsigned char)*text)) {
			text++;
			continue;
		}
		if (!isxdigit((unsigned char)text[0]) || !isxdigit((unsigned char)text[1]) ||
		    *len == EXPLAIN_BYTES_MAX)
			return false;
		memcpy(pair, text, 2);
		bytes[(*len)++] = (uint8_t)strtoul(pair, NULL, 16);
		text += 2;
	}
	return true;
}

static int explain(const uint8_t *bytes, size_t len, unsigned mode, const char *engine,
		   const char *set)
{
	struct doppel_error err;
	char *text = malloc(EXPLAIN_TEXT_BYTES);
	int r;

	if (!text)
		return cli_fail(CLI_EXIT_CONFIG, "out of memory");
	r = doppel_explain(bytes, len, mode, engine, set, text, EXPLAIN_TEXT_BYTES, &err);
	if (r >= 0)
		fputs(text, stdout);
	free(text);
	return r >= 0 ? CLI_EXIT_OK : cli_fail(CLI_EXIT_CONFIG, "explain: %s", err.text);
}

int cli_explain(int argc, char **argv)
{
	static const struct option options[] = {{"mode", required_argument, NULL, 'm'},
						{"engine", required_argument, NULL, 'e'},
						{"set", required_argument, NULL, 's'},
						{"help", no_argument, NULL, 'h'},
						{0}};
	uint8_t bytes[EXPLAIN_BYTES_MAX];
	unsigned mode = 64;
	const char *set = NULL, *engine = NULL;
	size_t len = 0;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		if (c == 's') {
			set = optarg;
		} else if (c == 'e') {
			engine = optarg;
		} else if (c == 'm') {
			if (!cli_parse_unsigned(optarg, &mode) ||
			    (mode != 16 && mode != 32 && mode != 64))
				return cli_fail(CLI_EXIT_USAGE,
						"explain: --mode %s: must be 16, 32 or 64", optarg);
		} else if (c == 'h') {
			cli_explain_help(stdout);
			return CLI_EXIT_OK;
		} else {
			return cli_bad_option("explain", options, c, argv);
		}
	}
	for (; optind < argc; optind++)
		if (!add_hex(argv[optind], bytes, &len))
			return cli_fail(
				CLI_EXIT_USAGE,
				"explain: %s: not bytes in hex, two digits each, at most %d",
				argv[optind], EXPLAIN_BYTES_MAX);
	if (len == 0)
		return cli_fail(CLI_EXIT_USAGE, "explain: no bytes were given: doppel explain 90");
	return explain(bytes, len, mode, engine, set);
}
