/*
 * Runs one guest image under every engine that works here, each time in several ways that must not
 * make a difference: as it is, without optimization passes, with blocks of one instruction, with
 * the counted clock, and with each choice an engine can make badly on purpose (--stress). All runs
 * on the counted clock must come to the same end: instructions of each CPU, time, memory. What the
 * image printed is shown when it fails.
 *
 * usage: run IMAGE [--cpus N] [--cpu MODEL] [--expect exit|crash|poweroff] [--text WORDS]
 *                  [--engine NAME] [--way WORDS] [--counts COUNTER=LEAST]
 *
 * --engine and --way (part of its name) choose among the runs.
 *
 * exit: the image itself counts its failures and writes them to the debug-exit port. WORDS must be
 * in the report of a crash. CPU 0 of the translator must count up to LEAST with the counted clock:
 * by any other the code is made by a thread of its own, later or sooner.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doppel/doppel.h"

enum { OUT_MAX = 256 * 1024, WAIT_MS = 120000, CPUS_MAX = 16 };

/* Where a counted run ended. */
struct ending {
	bool known;
	uint64_t insns[CPUS_MAX], time_ns, memory;
};

struct image {
	const char *path, *cpu, *expect;
	unsigned cpus;
	const char *text;	  /* must be in a crash report */
	const char *engine, *way; /* only these, or NULL */
	const char *counts;
	struct ending ending; /* of the first counted run */
};

struct way {
	const char *name;
	const char *engine; /* the only one for which this is another way, or NULL */
	const char *disable_passes, *stress;
	bool slow; /* not of images of several CPUs, which take seconds, in the quick scope */
	unsigned max_block_insns;
	enum doppel_clock clock;
};

static const struct way ways[] = {
	{.name = "plain"},
	{.name = "no passes", .disable_passes = "all"},
	{.name = "one instruction a block", .max_block_insns = 1},
	{.name = "counted clock", .clock = DOPPEL_CLOCK_COUNTED},
	{.name = "one instruction a block, counted clock",
	 .max_block_insns = 1,
	 .clock = DOPPEL_CLOCK_COUNTED},
	{.name = "all", .engine = "translate", .stress = "translate-all"},
	{.name = "all, counted clock",
	 .slow = true,
	 .engine = "translate",
	 .stress = "translate-all",
	 .clock = DOPPEL_CLOCK_COUNTED},
	{.name = "all, beside the interpreter",
	 .engine = "lockstep",
	 .stress = "translate-all",
	 .clock = DOPPEL_CLOCK_COUNTED},
	{.name = "all, no passes",
	 .slow = true,
	 .engine = "translate",
	 .disable_passes = "all",
	 .stress = "translate-all"},
	{.name = "all, one-insn",
	 .slow = true,
	 .engine = "translate",
	 .stress = "translate-all,one-insn"},
	{.name = "all, tiny-cache", .engine = "translate", .stress = "translate-all,tiny-cache"},
	{.name = "all, no-chain",
	 .slow = true,
	 .engine = "translate",
	 .stress = "translate-all,no-chain"},
	{.name = "all, random-regs",
	 .slow = true,
	 .engine = "translate",
	 .stress = "translate-all,random-regs"},
	{.name = "all, no-trace",
	 .slow = true,
	 .engine = "translate",
	 .stress = "translate-all,no-trace"},
	{.name = "at the third time", .slow = true, .engine = "translate", .stress = "hot=3"},
	{.name = "everything at once",
	 .engine = "translate",
	 .stress = "tiny-cache,no-chain,random-regs=2,no-trace,hot=2"},
};

struct run {
	char out[OUT_MAX];
	size_t out_len;
};

static void output(void *opaque, const uint8_t *bytes, size_t len)
{
	struct run *r = opaque;

	if (len > OUT_MAX - 1 - r->out_len)
		len = OUT_MAX - 1 - r->out_len;
	memcpy(r->out + r->out_len, bytes, len);
	r->out_len += len;
}

static const char *const end_names[] = {"none", "poweroff", "exit", "crash", "stopped", "differ"};

static bool as_expected(const struct image *im, const struct doppel_result *res,
			const struct run *r)
{
	if (strcmp(end_names[res->end], im->expect) != 0)
		return false;
	if (res->end == DOPPEL_END_DEBUG_EXIT)
		return res->code == 0 && strstr(r->out, "done, checks") && !strstr(r->out, "FAIL");
	return !im->text || strstr(res->text, im->text);
}

static void report(struct doppel_vm *vm, const struct doppel_result *res, const struct run *r,
		   const struct image *im)
{
	char regs[4096];

	printf("%s", r->out);
	printf("ended: %s, code %u\n%s\n", end_names[res->end], res->code, res->text);
	for (unsigned i = 0; res->end == DOPPEL_END_NONE && i < im->cpus; i++) {
		doppel_pause(vm);
		if (doppel_register_dump(vm, i, regs, sizeof(regs)) > 0)
			printf("cpu %u: %s\n", i, regs);
	}
}

/* Did this counted run end as the first one did? */
static bool same_ending(struct doppel_vm *vm, struct image *im)
{
	struct ending e = {.known = true}, first;

	for (unsigned i = 0; i < im->cpus && i < CPUS_MAX; i++)
		doppel_register_read(vm, i, "insns", &e.insns[i]);
	e.time_ns = doppel_time_ns(vm);
	e.memory = doppel_memory_hash(vm);
	if (!im->ending.known)
		im->ending = e;
	first = im->ending;
	if (e.time_ns == first.time_ns && e.memory == first.memory &&
	    memcmp(e.insns, first.insns, sizeof(e.insns)) == 0)
		return true;
	printf("ended elsewhere than the first counted run: time %llu for %llu, memory %llx for "
	       "%llx\n",
	       (unsigned long long)e.time_ns, (unsigned long long)first.time_ns,
	       (unsigned long long)e.memory, (unsigned long long)first.memory);
	for (unsigned i = 0; i < im->cpus && i < CPUS_MAX; i++)
		printf("cpu %u: %llu instructions for %llu\n", i, (unsigned long long)e.insns[i],
		       (unsigned long long)first.insns[i]);
	return false;
}

/* Is the counter of --counts as high as it must be? */
static bool counted(struct doppel_vm *vm, const struct image *im, const char *engine,
		    const struct way *w)
{
	size_t len = im->counts ? strcspn(im->counts, "=") : 0;
	struct doppel_counter c;

	if (!len || strcmp(engine, "translate") != 0 || w->clock != DOPPEL_CLOCK_COUNTED ||
	    w->stress || w->max_block_insns)
		return true;
	for (unsigned i = 0; doppel_counter(vm, 0, i, &c); i++)
		if (strlen(c.name) == len && memcmp(c.name, im->counts, len) == 0 &&
		    c.value >= strtoull(im->counts + len + 1, NULL, 10))
			return true;
	printf("not so many: %s\n", im->counts);
	return false;
}

static bool run_one(struct image *im, const char *engine, const struct way *w)
{
	struct run *r = calloc(1, sizeof(*r));
	struct doppel_result *res = calloc(1, sizeof(*res));
	struct doppel_error err = {{0}};
	struct doppel_config cfg;
	struct doppel_vm *vm = NULL;
	bool ok;

	doppel_config_default(&cfg);
	cfg.engine = engine;
	cfg.cpu = im->cpu;
	cfg.cpus = im->cpus;
	cfg.memory_bytes = 16 << 20;
	cfg.kernel = im->path;
	cfg.clock = w->clock;
	cfg.disable_passes = w->disable_passes;
	cfg.stress = w->stress;
	cfg.max_block_insns = w->max_block_insns;
	cfg.debug_output = output;
	cfg.opaque = r;
	if (doppel_create(&vm, &cfg, &err) < 0 || doppel_start(vm, &err) < 0) {
		printf("%s: %s\n", im->path, err.text);
		ok = false;
	} else {
		doppel_wait(vm, WAIT_MS, res);
		ok = as_expected(im, res, r) && counted(vm, im, engine, w);
		if (ok && w->clock == DOPPEL_CLOCK_COUNTED)
			ok = same_ending(vm, im);
		printf("%s: engine %s, %s\n", ok ? "ok" : "FAIL", engine, w->name);
		if (!ok)
			report(vm, res, r, im);
		else if (getenv("SYSTEM_SHOW"))
			printf("%s%s\n", r->out, res->text);
	}
	if (vm)
		doppel_destroy(vm);
	free(res);
	free(r);
	return ok;
}

/* Lockstep is for the counted clock. */
static bool way_of(const struct image *im, const char *engine, const struct way *w)
{
	const char *scope = getenv("DOPPEL_TEST_SCOPE");

	if (w->engine && strcmp(w->engine, engine) != 0)
		return false;
	if (strcmp(engine, "lockstep") == 0 && w->clock != DOPPEL_CLOCK_COUNTED)
		return false;
	if (im->engine && strcmp(im->engine, engine) != 0)
		return false;
	if (w->slow && im->cpus > 1 && !im->way && !(scope && strcmp(scope, "all") == 0))
		return false;
	return !im->way || strstr(w->name, im->way);
}

static bool parse(struct image *im, int argc, char **argv)
{
	*im = (struct image){.expect = "exit", .cpus = 1};
	for (int i = 1; i < argc; i++) {
		if (argv[i][0] != '-')
			im->path = argv[i];
		else if (i + 1 == argc)
			return false;
		else if (strcmp(argv[i], "--cpus") == 0)
			im->cpus = (unsigned)atoi(argv[++i]);
		else if (strcmp(argv[i], "--cpu") == 0)
			im->cpu = argv[++i];
		else if (strcmp(argv[i], "--expect") == 0)
			im->expect = argv[++i];
		else if (strcmp(argv[i], "--text") == 0)
			im->text = argv[++i];
		else if (strcmp(argv[i], "--engine") == 0)
			im->engine = argv[++i];
		else if (strcmp(argv[i], "--way") == 0)
			im->way = argv[++i];
		else if (strcmp(argv[i], "--counts") == 0)
			im->counts = argv[++i];
		else
			return false;
	}
	return im->path != NULL;
}

int main(int argc, char **argv)
{
	struct doppel_engine_info e;
	struct image im;
	unsigned runs = 0;
	bool ok = true;

	setvbuf(stdout, NULL, _IONBF, 0);
	if (!parse(&im, argc, argv)) {
		fprintf(stderr, "usage: run IMAGE [--cpus N] [--cpu MODEL] [--expect END] "
				"[--text WORDS] [--engine NAME] [--way WORDS] "
				"[--counts COUNTER=LEAST]\n");
		return 2;
	}
	for (unsigned i = 0; doppel_engine_info(i, &e); i++)
		for (unsigned w = 0; e.works && w < sizeof(ways) / sizeof(ways[0]); w++)
			if (way_of(&im, e.name, &ways[w])) {
				ok &= run_one(&im, e.name, &ways[w]);
				runs++;
			}
	if (runs == 0)
		printf("no engine or way of that name\n");
	return ok && runs ? 0 : 1;
}
