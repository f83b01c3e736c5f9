/*
 * ir-run FILE...: pass tests as text. A file has a line "# run: pass pass ...", the input block, a
 * line "---" and the block expected after those passes. Values may be named freely; both sides are
 * compared as the printer prints them. "# run: all" is ir_optimize.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "fake_isa.h"
#include "ir/pass.h"

enum { TEXT_MAX = 65536 };

static struct ir_insn storage[IR_BLOCK_MAX];
static char file[TEXT_MAX], got[TEXT_MAX], want[TEXT_MAX], msg[256];

static int complain(const char *path, const char *what, const char *why)
{
	fprintf(stderr, "%s: %s: %s\n", path, what, why);
	return 1;
}

static int load(const char *path)
{
	FILE *f = fopen(path, "r");
	size_t n;

	if (!f)
		return complain(path, "open", "failed");
	n = fread(file, 1, sizeof file - 1, f);
	file[n] = 0;
	fclose(f);
	return 0;
}

static int run_pass(struct ir_block *b, const char *name)
{
	if (!strcmp(name, "all")) {
		ir_optimize(b, 0);
		return 0;
	}
	for (const struct ir_pass *p = ir_passes; p->name; p++)
		if (!strcmp(p->name, name)) {
			p->run(b);
			return 0;
		}
	return -1;
}

/* Both texts line by line, those that differ marked. */
static void show(const char *a, const char *b)
{
	fprintf(stderr, "  %-44s%s\n", "got", "expected");
	while (*a || *b) {
		int la = (int)strcspn(a, "\n"), lb = (int)strcspn(b, "\n");
		int same = la == lb && !memcmp(a, b, (size_t)la);

		fprintf(stderr, "%c %-44.*s%.*s\n", same ? ' ' : '!', la, a, lb, b);
		a += la + (a[la] == '\n');
		b += lb + (b[lb] == '\n');
	}
}

static int parse(struct ir_block *b, const char *text)
{
	ir_block_init(b, &fake_isa, storage, ARRAY_LEN(storage));
	return ir_parse(b, text, msg, sizeof msg) || ir_verify(b, msg, sizeof msg);
}

static int run_file(const char *path)
{
	char *passes, *expected, *save = NULL, words[256];
	struct ir_block b;

	if (load(path))
		return 1;
	passes = strstr(file, "# run:");
	expected = strstr(file, "\n---\n");
	if (!passes || !expected)
		return complain(path, "format", "no '# run:' or no '---'");
	snprintf(words, sizeof words, "%.*s", (int)strcspn(passes + 6, "\n"), passes + 6);
	*expected = 0;
	expected += 5;
	if (parse(&b, expected))
		return complain(path, "expected block", msg);
	ir_print(&b, want, sizeof want);
	if (parse(&b, file))
		return complain(path, "input block", msg);
	for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		if (run_pass(&b, w))
			return complain(path, "no such pass", w);
		if (ir_verify(&b, msg, sizeof msg))
			return complain(path, w, msg);
	}
	ir_print(&b, got, sizeof got);
	if (!strcmp(got, want))
		return 0;
	fprintf(stderr, "%s:\n", path);
	show(got, want);
	return 1;
}

int main(int argc, char **argv)
{
	int failed = argc < 2;

	for (int i = 1; i < argc; i++)
		failed |= run_file(argv[i]);
	return failed;
}
