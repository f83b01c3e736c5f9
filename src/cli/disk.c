/* doppel disk: make, look at, copy and check disk images. */
#include "cli/cli.h"

#include <getopt.h>
#include <string.h>
#include <unistd.h>

/* Options of all its commands; which of them takes which is in the table below. */
struct disk_args {
	struct doppel_disk_options o;
	const char *from_format;
	const char *word[2];
	bool json, repair, help, quiet;
};

struct disk_command {
	const char *name, *words;
	int least, most;   /* words */
	const char *takes; /* letters of the options below */
	int (*run)(const struct disk_args *a);
};

static const struct option options[] = {{"format", required_argument, NULL, 'f'},
					{"backing", required_argument, NULL, 'b'},
					{"backing-format", required_argument, NULL, 'B'},
					{"option", required_argument, NULL, 'o'},
					{"from", required_argument, NULL, 'F'},
					{"compress", no_argument, NULL, 'c'},
					{"force", no_argument, NULL, 'w'},
					{"json", no_argument, NULL, 'j'},
					{"repair", no_argument, NULL, 'r'},
					{"quiet", no_argument, NULL, 'q'},
					{"help", no_argument, NULL, 'h'},
					{0}};

void cli_disk_help(FILE *out)
{
	fprintf(out,
		"usage: doppel disk create FILE [SIZE] [OPTION]...\n"
		"       doppel disk info FILE [--json] [--format NAME]\n"
		"       doppel disk convert FROM TO [OPTION]...\n"
		"       doppel disk check FILE [--repair] [--format NAME]\n\n"
		"Makes an image, says what one is, copies a disk into a new image, checks that an\n"
		"image is consistent. A machine that uses it must be stopped, but for info.\n\n"
		"options:\n"
		"  --format raw|qcow2     format of the new image (default qcow2), or, for info "
		"and\n"
		"                         check, what FILE is instead of looking\n"
		"  --from raw|qcow2       what FROM is, instead of looking\n"
		"  --backing FILE         create: image that holds what this one does not; "
		"without\n"
		"                         SIZE the new one is as large. A relative name is taken "
		"from\n"
		"                         the directory of the new image\n"
		"  --backing-format NAME  what the backing image is, instead of looking\n"
		"  -o, --option LIST      of a qcow2 image; -o help lists them\n"
		"  --compress             convert: compress clusters of a qcow2 image\n"
		"  --force                overwrite a file that is there\n"
		"  --repair               check: make a qcow2 image consistent\n"
		"  --json                 info: as JSON\n"
		"  --quiet                convert: do not show progress\n"
		"\nexit status:\n"
		"  0   done; check: the image is consistent, or is after repair\n"
		"  2   the command line is wrong\n"
		"  4   it cannot be done: files, formats, space\n"
		"  12  check: the image is corrupt\n"
		"  14  check: clusters are lost, which costs space and nothing else\n"
		"\nexamples:\n"
		"  doppel disk create disk.qcow2 20G\n"
		"  doppel disk create today.qcow2 --backing debian.img\n"
		"  doppel disk convert --format raw disk.qcow2 disk.img\n");
}

static void list_options(void)
{
	printf("options of qcow2 images, as qemu-img names them:\n"
	       "  cluster_size=<size>        512 to 2M (default 64K)\n"
	       "  compat=<version>           v3 or 1.1 (default), v2 or 0.10\n"
	       "  compression_type=<name>    of compressed clusters: zlib (default) or zstd\n"
	       "  extended_l2=<on|off>       cut clusters into 32 subclusters, so that a small "
	       "first\n"
	       "                             write copies less; cluster_size 16K or more (default "
	       "off)\n"
	       "  lazy_refcounts=<on|off>    mark the image so (default off)\n"
	       "  refcount_bits=<number>     1 to 64, a power of 2 (default 16)\n");
}

static int failed(const struct doppel_error *err)
{
	return cli_fail(CLI_EXIT_CONFIG, "%s", err->text);
}

static int run_create(const struct disk_args *a)
{
	struct doppel_error err;
	uint64_t bytes = 0;

	if (a->word[1] && !cli_parse_size(a->word[1], &bytes))
		return cli_fail(CLI_EXIT_USAGE,
				"disk: size %s: must be a whole number, with K, M, G or T for "
				"larger units",
				a->word[1]);
	if (!a->word[1] && !a->o.backing)
		return cli_fail(CLI_EXIT_USAGE,
				"disk: create needs a size: doppel disk create %s 20G", a->word[0]);
	if (doppel_disk_create(a->word[0], bytes, &a->o, &err) == 0)
		return CLI_EXIT_OK;
	return failed(&err);
}

static void print_text(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putchar('\\');
		if ((unsigned char)*text < ' ')
			printf("\\u%04x", (unsigned char)*text);
		else
			putchar(*text);
	}
	putchar('"');
}

static const char *yes(bool b)
{
	return b ? "true" : "false";
}

static void print_json(const char *path, const struct doppel_disk_info *i)
{
	printf("{\n  \"file\": ");
	print_text(path);
	printf(",\n  \"format\": \"%s\",\n  \"bytes\": %llu,\n  \"file_bytes\": %llu,\n"
	       "  \"space_bytes\": %llu",
	       i->format, (unsigned long long)i->bytes, (unsigned long long)i->file_bytes,
	       (unsigned long long)i->space_bytes);
	if (i->backing[0]) {
		printf(",\n  \"backing\": ");
		print_text(i->backing);
		printf(",\n  \"backing_format\": ");
		print_text(i->backing_format);
	}
	if (i->version)
		printf(",\n  \"version\": %u,\n  \"cluster_bytes\": %u,\n  \"refcount_bits\": %u,\n"
		       "  \"snapshots\": %u,\n  \"compression\": \"%s\",\n  \"lazy_refcounts\": "
		       "%s,\n  \"extended_l2\": %s,\n"
		       "  \"dirty\": %s,\n  \"corrupt\": %s",
		       i->version, i->cluster_bytes, i->refcount_bits, i->snapshots,
		       i->zstd ? "zstd" : "zlib", yes(i->lazy_refcounts), yes(i->extended_l2),
		       yes(i->dirty), yes(i->corrupt));
	printf("\n}\n");
}

static void print_size(const char *name, uint64_t bytes)
{
	static const char units[] = "KMGTPE";
	double n = (double)bytes;
	int u = -1;

	while (n >= 1024 && units[u + 1]) {
		n /= 1024;
		u++;
	}
	if (u < 0)
		printf("%-16s %llu bytes\n", name, (unsigned long long)bytes);
	else
		printf("%-16s %.4g %ciB (%llu bytes)\n", name, n, units[u],
		       (unsigned long long)bytes);
}

static void print_info(const char *path, const struct doppel_disk_info *i)
{
	printf("%-16s %s\n%-16s %s", "file", path, "format", i->format);
	if (i->version)
		printf(", version %u", i->version);
	printf("\n");
	print_size("disk size", i->bytes);
	print_size("file size", i->file_bytes);
	print_size("space taken", i->space_bytes);
	if (i->backing[0])
		printf("%-16s %s%s%s%s\n", "backing image", i->backing,
		       i->backing_format[0] ? " (" : "", i->backing_format,
		       i->backing_format[0] ? ")" : "");
	if (!i->version)
		return;
	printf("%-16s %u bytes%s\n%-16s %u bits%s\n%-16s %s\n%-16s %u\n", "clusters",
	       i->cluster_bytes, i->extended_l2 ? ", of 32 subclusters" : "", "refcounts",
	       i->refcount_bits, i->lazy_refcounts ? ", lazy" : "", "compression",
	       i->zstd ? "zstd" : "zlib", "snapshots", i->snapshots);
	if (i->dirty)
		printf("%-16s was not closed; repaired when it is next written to\n", "dirty");
	if (i->corrupt)
		printf("%-16s marked so: doppel disk check --repair\n", "corrupt");
}

static int run_info(const struct disk_args *a)
{
	struct doppel_disk_info i;
	struct doppel_error err;

	if (doppel_disk_info(a->word[0], a->o.format, &i, &err))
		return failed(&err);
	(a->json ? print_json : print_info)(a->word[0], &i);
	return CLI_EXIT_OK;
}

static bool show_progress(void *opaque, uint64_t done, uint64_t total)
{
	int *last = opaque, percent = (int)((double)done * 100 / (double)total);

	if (percent != *last)
		fprintf(stderr, "\r%3d %%%s", percent, percent == 100 ? "\n" : "");
	*last = percent;
	return true;
}

static int run_convert(const struct disk_args *a)
{
	bool show = !a->quiet && isatty(STDERR_FILENO);
	struct doppel_error err;
	int last = -1;

	if (doppel_disk_convert(a->word[0], a->from_format, a->word[1], &a->o,
				show ? show_progress : NULL, &last, &err) == 0)
		return CLI_EXIT_OK;
	if (last >= 0 && last < 100)
		fputc('\n', stderr);
	return failed(&err);
}

static int run_check(const struct disk_args *a)
{
	struct doppel_disk_check c;
	struct doppel_error err;
	uint64_t corruptions, leaks;

	if (doppel_disk_check(a->word[0], a->o.format, a->repair, &c, &err))
		return failed(&err);
	corruptions = c.corruptions - c.corruptions_fixed;
	leaks = c.leaks - c.leaks_fixed;
	if (c.first[0])
		printf("%s: %s%s\n", a->word[0], c.first, c.corruptions > 1 ? ", and more" : "");
	printf("%s: %llu of %llu clusters used, %llu compressed\n", a->word[0],
	       (unsigned long long)c.used, (unsigned long long)c.clusters,
	       (unsigned long long)c.compressed);
	if (c.corruptions_fixed || c.leaks_fixed)
		printf("%s: repaired: %llu corruptions, %llu lost clusters\n", a->word[0],
		       (unsigned long long)c.corruptions_fixed, (unsigned long long)c.leaks_fixed);
	if (!corruptions && !leaks) {
		printf("%s: consistent\n", a->word[0]);
		return CLI_EXIT_OK;
	}
	printf("%s: %llu corruptions, %llu lost clusters\n", a->word[0],
	       (unsigned long long)corruptions, (unsigned long long)leaks);
	return corruptions ? CLI_EXIT_CORRUPT : CLI_EXIT_LEAKS;
}

static const struct disk_command commands[] = {
	{"create", "FILE [SIZE]", 1, 2, "fbBow", run_create},
	{"info", "FILE", 1, 1, "fj", run_info},
	{"convert", "FROM TO", 2, 2, "fFocwq", run_convert},
	{"check", "FILE", 1, 1, "fr", run_check},
	{0},
};

/* "FROM TO" and such have been counted; what getopt_long gave is stored. */
static void take(struct disk_args *a, int c)
{
	switch (c) {
	case 'f':
		a->o.format = optarg;
		break;
	case 'b':
		a->o.backing = optarg;
		break;
	case 'B':
		a->o.backing_format = optarg;
		break;
	case 'o':
		a->o.options = optarg;
		break;
	case 'F':
		a->from_format = optarg;
		break;
	case 'c':
		a->o.compress = true;
		break;
	case 'w':
		a->o.overwrite = true;
		break;
	case 'j':
		a->json = true;
		break;
	case 'r':
		a->repair = true;
		break;
	case 'q':
		a->quiet = true;
		break;
	case 'h':
		a->help = true;
		break;
	}
}

static int run_command(const struct disk_command *d, int argc, char **argv)
{
	struct option known[sizeof(options) / sizeof(options[0])];
	struct disk_args a = {0};
	unsigned n = 0;
	int c, words;

	for (const struct option *o = options; o->name; o++)
		if (o->val == 'h' || strchr(d->takes, o->val))
			known[n++] = *o;
	known[n] = (struct option){0};
	opterr = 0;
	while ((c = getopt_long(argc, argv, strchr(d->takes, 'o') ? ":o:" : ":", known, NULL)) !=
	       -1) {
		if (c == '?' || c == ':')
			return cli_bad_option("disk", known, c, argv);
		take(&a, c);
	}
	if (a.help) {
		cli_disk_help(stdout);
		return CLI_EXIT_OK;
	}
	if (a.o.options && strcmp(a.o.options, "help") == 0) {
		list_options();
		return CLI_EXIT_OK;
	}
	words = argc - optind;
	if (words < d->least || words > d->most)
		return cli_fail(CLI_EXIT_USAGE,
				"disk: doppel disk %s takes %s; see doppel help disk", d->name,
				d->words);
	for (int i = 0; i < words; i++)
		a.word[i] = argv[optind + i];
	return d->run(&a);
}

int cli_disk(int argc, char **argv)
{
	struct cli_nearest n;

	if (argc < 2)
		return cli_fail(CLI_EXIT_USAGE,
				"disk: create, info, convert or check? See doppel help disk");
	if (strcmp(argv[1], "--help") == 0) {
		cli_disk_help(stdout);
		return CLI_EXIT_OK;
	}
	cli_nearest_init(&n, argv[1]);
	for (const struct disk_command *d = commands; d->name; d++) {
		if (strcmp(d->name, argv[1]) == 0)
			return run_command(d, argc - 1, argv + 1);
		cli_nearest_offer(&n, d->name);
	}
	if (n.best)
		return cli_fail(CLI_EXIT_USAGE, "disk: unknown command %s; did you mean %s?",
				argv[1], n.best);
	return cli_fail(CLI_EXIT_USAGE, "disk: unknown command %s: create, info, convert or check",
			argv[1]);
}
