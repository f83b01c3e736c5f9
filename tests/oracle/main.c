/*
 * The oracle's command: random blocks on the host and in an engine, differences shown, shrunk and
 * counted by mnemonic. See docs/oracle.md.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "ir/pass.h"
#include "oracle.h"

/* From here on the host process may have something mapped; sanitizers do, at 0x7fff8000. */
#define HOST_OWN 0x7fff0000u

/* Sanitizers look for other bugs than differences, and are slow. */
#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define SLOW_CASES_SHARE 10
#else
#define SLOW_CASES_SHARE 1
#endif

enum { CASES_PER_MEMORY = 64, GROUPS_MAX = 256, SHOWN_PER_GROUP = 1 };

struct group {
	const char *name;
	char what[80];
	unsigned count;
	uint64_t first;
};

struct oracle {
	const struct engine *how;
	struct machine *m;
	struct host_cpu host;
	struct engine_config cfg;
	struct generator g;
	uint64_t seed, first, cases;
	const char *row;
	unsigned max_insns, show;
	bool verbose;
	uint8_t data[DATA_BYTES];
	uint64_t data_of; /* which memory image is in data, plus one */
	uint64_t ran, differ, endless, excluded, faults, unsteady;
	struct outcome copy;
	bool *row_ran; /* by place in g.enc */
	struct group group[GROUPS_MAX];
	unsigned groups;
};

static void load_memory(struct oracle *o, uint64_t number)
{
	uint64_t image = number / CASES_PER_MEMORY, r = o->seed ^ image * 0xd1342543de82ef95ull;

	if (o->data_of == image + 1)
		return;
	random_memory(&r, o->data);
	o->data_of = image + 1;
}

/* True if machine m and the host agree about c, or nothing can be said. The host is asked again
 * before a difference is believed: x87 pointers are not the same every time. */
static bool agrees(struct oracle *o, struct machine *m, const struct oracle_case *c,
		   struct outcome *native, struct outcome *engine)
{
	machine_run(m, c, o->data, engine);
	if (engine->end.vector == END_ENDLESS) {
		o->endless++;
		return true;
	}
	if (engine->end.vector == X86_FAULT_PF && engine->end.cr2 >= HOST_OWN &&
	    !(engine->end.cr2 >> 47)) {
		o->excluded++;
		return true;
	}
	for (unsigned again = 0; again < 3; again++) {
		o->copy = *engine;
		native_run(c, o->data, native);
		if (exclude_outcome(c, native, &o->copy)) {
			o->excluded++;
			return true;
		}
		if (outcome_equal(c, native, &o->copy)) {
			o->unsteady += again > 0;
			return true;
		}
	}
	*engine = o->copy;
	return false;
}

/* ---- making a failing case small */

static void drop_insn(struct oracle_case *c, unsigned k)
{
	unsigned at = c->insn[k].at, n = c->insn[k].len;

	memmove(c->bytes + at, c->bytes + at + n, c->len - at - n);
	c->len -= n;
}

static void shrink(struct oracle *o, struct oracle_case *c, struct outcome *native,
		   struct outcome *engine)
{
	for (unsigned k = c->insns; k-- > 0 && c->insns > 1;) {
		struct oracle_case smaller = *c;

		drop_insn(&smaller, k);
		case_annotate(&o->g, &smaller);
		if (smaller.insns == c->insns - 1 && !agrees(o, o->m, &smaller, native, engine))
			*c = smaller;
	}
	agrees(o, o->m, c, native, engine);
}

/* Does the difference go away when the engine does this otherwise? */
static bool vanishes(struct oracle *o, const struct engine_config *cfg, const struct oracle_case *c,
		     struct outcome *native, struct outcome *engine, const char *fmt,
		     const char *name)
{
	struct machine *m = machine_create(o->how, cfg);
	bool r = agrees(o, m, c, native, engine);

	if (r)
		printf(fmt, name);
	machine_destroy(m);
	return r;
}

/* Which single pass, left out, makes the difference go away; which stress switch, taken away; how
 * it is with single instructions, and on another engine. */
static void blame(struct oracle *o, const struct oracle_case *c, struct outcome *native,
		  struct outcome *engine)
{
	struct engine_config cfg = o->cfg;
	bool any = false;

	for (unsigned p = 0; ir_passes[p].name; p++, cfg = o->cfg) {
		cfg.disabled_passes |= 1ull << p;
		any |= vanishes(o, &cfg, c, native, engine, "  vanishes without pass %s\n",
				ir_passes[p].name);
	}
	for (unsigned bit = 0; bit < 32; bit++, cfg = o->cfg) {
		cfg.stress &= ~(1u << bit);
		if (cfg.stress != o->cfg.stress)
			any |= vanishes(o, &cfg, c, native, engine,
					"  vanishes without one of the --stress words%s\n", "");
	}
	cfg.max_block_insns = 1;
	if (!any && c->insns > 1 &&
	    !vanishes(o, &cfg, c, native, engine, "  vanishes with blocks of one instruction%s\n",
		      ""))
		printf("  stays with blocks of one instruction\n");
}

static struct group *group_of(struct oracle *o, const char *name, const char *what)
{
	struct group *g;

	for (unsigned i = 0; i < o->groups; i++)
		if (strcmp(o->group[i].name, name) == 0 && strcmp(o->group[i].what, what) == 0)
			return &o->group[i];
	if (o->groups == GROUPS_MAX)
		return NULL;
	g = &o->group[o->groups++];
	g->name = name;
	memcpy(g->what, what, strlen(what) + 1);
	return g;
}

static void report(struct oracle *o, struct oracle_case *c, struct outcome *native,
		   struct outcome *engine)
{
	uint64_t number = c->number;
	struct group *g;
	char what[80];

	shrink(o, c, native, engine);
	outcome_summary(c, native, engine, what, sizeof(what));
	g = group_of(o, c->insn[c->insns - 1].row->text, what);
	o->differ++;
	if (!g)
		return;
	if (g->count++ == 0)
		g->first = number;
	if (g->count > o->show && !o->verbose)
		return;
	printf("case %" PRIu64 " of seed %" PRIu64 ", %d-bit code: differs in%s\n", number, c->seed,
	       c->code64   ? 64
	       : c->code16 ? 16
			   : 32,
	       what);
	case_print(c, machine_decoder(o->m), stdout);
	outcome_print(c, o->data, native, engine, stdout);
	machine_print_ir(o->m, c, o->cfg.disabled_passes, stdout);
	machine_print_host(o->how, &o->cfg, c, o->data, stdout);
	blame(o, c, native, engine);
	printf("\n");
	fflush(stdout);
}

/* Rows of which an instruction has been carried out to its end. */
static void count_rows(struct oracle *o, const struct oracle_case *c, uint64_t rip)
{
	for (unsigned k = 0; k < c->insns; k++) {
		if (rip == case_pc(c) + c->insn[k].at)
			return;
		for (unsigned e = 0; e < o->g.count; e++)
			if (o->g.enc[e]->row == c->insn[k].row)
				o->row_ran[e] = true;
	}
}

static void print_unreached(const struct oracle *o)
{
	unsigned n = 0;

	for (unsigned e = 0; e < o->g.count; e++)
		n += o->row_ran[e];
	printf("%u of %u rows carried out\n", n, o->g.count);
	for (unsigned e = 0; o->verbose && e < o->g.count; e++)
		if (!o->row_ran[e])
			printf("  never: %-12s %s\n", o->g.enc[e]->row->text,
			       o->g.enc[e]->row->enc);
}

static void one_case(struct oracle *o, uint64_t number)
{
	static struct outcome native, engine;
	struct oracle_case c;

	load_memory(o, number);
	generator_case(&o->g, o->seed, number, &c);
	if (!c.insns)
		return;
	if (o->verbose) {
		printf("case %" PRIu64 "\n", number);
		case_print(&c, machine_decoder(o->m), stdout);
		fflush(stdout);
	}
	o->ran++;
	if (agrees(o, o->m, &c, &native, &engine)) {
		o->faults += native.end.rip != case_pc(&c) + c.len;
		count_rows(o, &c, native.end.rip);
		return;
	}
	report(o, &c, &native, &engine);
}

static int by_count(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	return x->count < y->count ? 1 : x->count > y->count ? -1 : strcmp(x->name, y->name);
}

static void summary(struct oracle *o)
{
	printf("%" PRIu64 " cases: %" PRIu64 " stopped early, %" PRIu64 " endless, %" PRIu64
	       " excluded, %" PRIu64 " unsteady, %" PRIu64 " differ\n",
	       o->ran, o->faults, o->endless, o->excluded, o->unsteady, o->differ);
	qsort(o->group, o->groups, sizeof(o->group[0]), by_count);
	for (unsigned i = 0; i < o->groups; i++)
		printf("  %6u %-12s first case %-8" PRIu64 "%s\n", o->group[i].count,
		       o->group[i].name, o->group[i].first, o->group[i].what);
}

static bool parse_passes(struct oracle *o, char *list)
{
	for (char *w = strtok(list, ","); w; w = strtok(NULL, ",")) {
		unsigned p = 0;

		while (ir_passes[p].name && strcmp(ir_passes[p].name, w) != 0)
			p++;
		if (!ir_passes[p].name && strcmp(w, "all") != 0) {
			fprintf(stderr, "oracle: no pass is called %s\n", w);
			return false;
		}
		o->cfg.disabled_passes |= ir_passes[p].name ? 1ull << p : ~0ull;
	}
	return true;
}

static int usage(void)
{
	fprintf(stderr,
		"usage: oracle [--seed S] [--cases N] [--slow-cases N] [--case K] [--row MNEMONIC] "
		"[--bits 16|32|64]\n"
		"              [--engine NAME] [--no-pass LIST] [--stress LIST] [--max-insns K]\n"
		"              [--show N] [--host-cpu LEVEL[,-F]] [--list] [--verbose]\n");
	return 2;
}

static bool parse(struct oracle *o, int argc, char **argv, bool *list)
{
	static const struct option options[] = {
		{"seed", 1, NULL, 's'},	     {"cases", 1, NULL, 'n'},  {"case", 1, NULL, 'c'},
		{"row", 1, NULL, 'r'},	     {"engine", 1, NULL, 'e'}, {"no-pass", 1, NULL, 'p'},
		{"max-insns", 1, NULL, 'k'}, {"show", 1, NULL, 'w'},   {"list", 0, NULL, 'l'},
		{"verbose", 0, NULL, 'v'},   {"bits", 1, NULL, 'b'},   {"slow-cases", 1, NULL, 'S'},
		{"host-cpu", 1, NULL, 'h'},  {"stress", 1, NULL, 't'}, {0}};
	const char *scope = getenv("DOPPEL_TEST_SCOPE");
	struct error err;
	int ch;

	while ((ch = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (ch) {
		case 's':
			o->seed = strtoull(optarg, NULL, 0);
			break;
		case 'n':
			o->cases = strtoull(optarg, NULL, 0);
			break;
		case 'S':
			if (scope && strcmp(scope, "all") == 0)
				o->cases = strtoull(optarg, NULL, 0) / SLOW_CASES_SHARE;
			break;
		case 'c':
			o->first = strtoull(optarg, NULL, 0);
			o->cases = 1;
			break;
		case 'r':
			o->row = optarg;
			break;
		case 'e':
			o->how = engine_find(optarg);
			if (o->how)
				break;
			fprintf(stderr, "oracle: skipped: there is no engine %s\n", optarg);
			exit(77);
		case 't':
			if (!oracle_stress(optarg, &o->cfg))
				return false;
			break;
		case 'p':
			if (!parse_passes(o, optarg))
				return false;
			break;
		case 'k':
			o->max_insns = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 'w':
			o->show = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 'b':
			o->g.bits = (int)strtol(optarg, NULL, 0);
			break;
		case 'h':
			if (host_cpu_parse(&o->host, optarg, &err)) {
				fprintf(stderr, "oracle: %s\n", err.text);
				return false;
			}
			break;
		case 'l':
			*list = true;
			break;
		case 'v':
			o->verbose = true;
			break;
		default:
			return false;
		}
	}
	return o->how && o->max_insns >= 1 && o->max_insns <= CASE_INSNS_MAX && optind == argc;
}

int main(int argc, char **argv)
{
	static struct oracle o = {
		.seed = 1, .cases = 100000, .max_insns = CASE_INSNS_MAX, .show = SHOWN_PER_GROUP};
	bool list = false;
	const char *why;
	int bits;

	o.how = engine_find("interpret");
	o.host = host_cpu_detect();
	o.cfg.host = &o.host;
	o.cfg.hot_threshold = 1; /* what runs once would never be translated */
	if (!parse(&o, argc, argv, &list))
		return usage();
	o.m = machine_create(o.how, &o.cfg);
	bits = o.g.bits;
	if (!generator_init(&o.g, machine_decoder(o.m), machine_model(o.m), o.row)) {
		fprintf(stderr, "oracle: no row is called %s, or it is excluded (--list)\n", o.row);
		return 2;
	}
	o.g.bits = bits;
	o.g.max_insns = o.max_insns;
	if (list) {
		exclude_list(stdout, machine_decoder(o.m));
		return 0;
	}
	if (!native_setup(&why)) {
		fprintf(stderr, "oracle: skipped: %s\n", why);
		return 77;
	}
	o.row_ran = calloc(o.g.count, sizeof(*o.row_ran));
	for (uint64_t n = 0; n < o.cases; n++)
		one_case(&o, o.first + n);
	print_unreached(&o);
	summary(&o);
	return o.differ != 0;
}
