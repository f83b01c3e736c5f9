/*
 * The words of a configuration and what they stand for: machines, engines, trace events, dumps,
 * passes. A wrong word is answered with the nearest right one; doppel_name lists them all.
 */
#include "vm/vm.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/pass.h"
#include "vm/nearest.h"
#include "vm/text.h"

enum { WORD_BYTES = 64 };

static const struct {
	const char *name, *text;
	unsigned bit;
} dump_words[] = {
	{"guest", "guest instructions of each block as it is lifted", ENGINE_DUMP_GUEST},
	{"ir", "the IR of each block, as lifted", ENGINE_DUMP_IR},
	{"opt", "the IR of each block, after the passes", ENGINE_DUMP_OPT},
	{"host", "the host code of each block, where the engine makes some", ENGINE_DUMP_HOST},
};

const char *doppel_nearest(const char *kind, const char *word)
{
	struct nearest n;
	const char *name;

	nearest_init(&n, word);
	for (unsigned i = 0; (name = doppel_name(kind, i, NULL)); i++)
		nearest_offer(&n, name);
	return n.best;
}

static int unknown(const char *kind, const char *word, struct error *err)
{
	const char *best = doppel_nearest(kind, word);

	if (best)
		return error_set(err, -EINVAL, "%s: there is no \"%s\"; did you mean \"%s\"?", kind,
				 word, best);
	return error_set(err, -EINVAL, "%s: there is no \"%s\"", kind, word);
}

/* The next word of a comma-separated list, of which *left bytes are left; false at its end. */
static bool next_word(const char **list, size_t *left, char word[WORD_BYTES])
{
	size_t len = strcspn(*list, ",");

	if (*left == 0)
		return false;
	len = len < *left ? len : *left;
	*left -= len < *left ? len + 1 : len;
	snprintf(word, WORD_BYTES, "%.*s", (int)len, *list);
	*list += len;
	if (**list == ',')
		(*list)++;
	return true;
}

const struct engine *vm_engine_auto(void)
{
	for (unsigned i = 0; engine_registry[i]; i++) {
		struct engine_info info = {0};

		engine_registry[i]->probe(&info);
		if (info.works)
			return engine_registry[i];
	}
	return NULL;
}

static int choose_one(const char *name, const struct engine **out, struct error *err)
{
	struct engine_info info = {0};

	if (strcmp(name, "auto") == 0) {
		*out = vm_engine_auto();
		return *out ? 0 : error_set(err, -ENODEV, "engine: none works on this host");
	}
	*out = engine_find(name);
	if (!*out)
		return unknown("engine", name, err);
	(*out)->probe(&info);
	if (!info.works)
		return error_set(err, -ENODEV, "engine: %s does not work here: %s", name, info.why);
	return 0;
}

/* The engines of "A,B". */
static int choose_pair(const char *list, const struct engine *lockstep,
		       const struct engine *pair[2], struct error *err)
{
	char word[WORD_BYTES];
	size_t left = strlen(list);

	for (unsigned i = 0; i < 2; i++) {
		int r;

		if (!next_word(&list, &left, word))
			return error_set(err, -EINVAL,
					 "engine: lockstep compares two engines: lockstep=A,B");
		r = choose_one(word, &pair[i], err);
		if (r)
			return r;
		if (pair[i] == lockstep)
			return error_set(err, -EINVAL,
					 "engine: lockstep cannot compare itself: lockstep=A,B");
	}
	if (left)
		return error_set(err, -EINVAL,
				 "engine: lockstep compares two engines, not more: "
				 "lockstep=A,B");
	return 0;
}

int vm_engine_choose(const char *name, const struct engine **out, const struct engine *pair[2],
		     struct error *err)
{
	static const char lockstep[] = "lockstep";
	size_t n = sizeof(lockstep) - 1;
	bool is_pair = strncmp(name, lockstep, n) == 0 && (name[n] == '=' || name[n] == 0);
	int r = choose_one(is_pair ? lockstep : name, out, err);

	pair[0] = pair[1] = NULL;
	if (r || !is_pair)
		return r;
	return choose_pair(name[n] ? name + n + 1 : "interpret,auto", *out, pair, err);
}

int vm_machine_choose(const char *name, const struct machine_desc **out, struct error *err)
{
	*out = machine_find(name);
	return *out ? 0 : unknown("machine", name, err);
}

int vm_trace_words(const char *list, uint64_t *bits, struct error *err)
{
	char bad[WORD_BYTES];

	*bits = 0;
	if (trace_parse(list, bits, bad, sizeof(bad)) < 0)
		return unknown("trace", bad, err);
	return 0;
}

/* ":ADDR" at the end of the list, in hex: sets *len to what is before it. */
static int dump_address(const char *list, size_t *len, struct vm_config *out, struct error *err)
{
	const char *digits = strchr(list, ':');
	char *end;

	*len = digits ? (size_t)(digits - list) : strlen(list);
	if (!digits)
		return 0;
	digits++;
	errno = 0;
	out->dump_addr = strtoull(digits, &end, 16);
	out->has_dump_addr = true;
	if (!isxdigit((unsigned char)*digits) || *end || errno)
		return error_set(err, -EINVAL, "dump: %s: not an address in hex", digits);
	return *len ? 0 : error_set(err, -EINVAL, "dump: nothing to dump before :%s", digits);
}

int vm_dump_words(const char *list, struct vm_config *out, struct error *err)
{
	char word[WORD_BYTES];
	size_t left;
	int r = dump_address(list, &left, out, err);

	if (r)
		return r;
	out->dump = 0;
	while (next_word(&list, &left, word)) {
		unsigned i = 0;

		while (i < ARRAY_LEN(dump_words) && strcmp(word, dump_words[i].name) != 0)
			i++;
		if (i == ARRAY_LEN(dump_words))
			return unknown("dump", word, err);
		out->dump |= dump_words[i].bit;
	}
	return 0;
}

int vm_pass_words(const char *list, uint64_t *bits, struct error *err)
{
	char word[WORD_BYTES];
	size_t left = strlen(list);

	*bits = 0;
	while (next_word(&list, &left, word)) {
		unsigned i = 0;

		if (strcmp(word, "all") == 0) {
			*bits = ~0ull;
			continue;
		}
		while (ir_passes[i].name && strcmp(word, ir_passes[i].name) != 0)
			i++;
		if (!ir_passes[i].name)
			return unknown("pass", word, err);
		*bits |= 1ull << i;
	}
	return 0;
}

int vm_stress_words(const char *list, struct vm_config *out, struct error *err)
{
	char word[WORD_BYTES];
	size_t left = strlen(list);

	while (next_word(&list, &left, word)) {
		char *value = strchr(word, '=');
		int r;

		if (value)
			*value++ = 0;
		r = vm_stress_set(out, word, value, err);
		if (r)
			return r == -ENOENT ? unknown("stress", word, err) : r;
	}
	return 0;
}

static const char *name_machine(unsigned i, const char **text)
{
	for (unsigned k = 0; k <= i; k++)
		if (!machine_registry[k])
			return NULL;
	*text = machine_registry[i]->text;
	return machine_registry[i]->name;
}

static const char *name_engine(unsigned i, const char **text)
{
	if (i == 0) {
		*text = "the best engine that works on this host";
		return "auto";
	}
	for (unsigned k = 0; k < i; k++)
		if (!engine_registry[k])
			return NULL;
	*text = engine_registry[i - 1]->text;
	return engine_registry[i - 1]->name;
}

static const char *name_trace(unsigned i, const char **text)
{
	if (i == TRACE_COUNT) {
		*text = "everything";
		return "all";
	}
	if (i > TRACE_COUNT)
		return NULL;
	*text = trace_text((enum trace_event)i);
	return trace_name((enum trace_event)i);
}

static const char *name_pass(unsigned i, const char **text)
{
	for (unsigned k = 0; k <= i; k++)
		if (!ir_passes[k].name)
			return NULL;
	*text = ir_passes[i].text;
	return ir_passes[i].name;
}

static const char *name_dump(unsigned i, const char **text)
{
	if (i >= ARRAY_LEN(dump_words))
		return NULL;
	*text = dump_words[i].text;
	return dump_words[i].name;
}

static const char *name_cpu(unsigned i, const char **text)
{
	*text = "";
	return x86_cpuid_model_name(i);
}

/* The first row is the base, which has no name of its own. */
static const char *name_feature(unsigned i, const char **text)
{
	*text = "";
	return i + 1 < X86_FEAT_COUNT ? x86_feat_rows[i + 1].name : NULL;
}

static const struct {
	const char *kind;
	const char *(*name)(unsigned i, const char **text);
} kinds[] = {
	{"machine", name_machine}, {"engine", name_engine},    {"cpu", name_cpu},
	{"feature", name_feature}, {"trace", name_trace},      {"pass", name_pass},
	{"dump", name_dump},	   {"stress", vm_stress_name},
};

const char *doppel_name(const char *kind, unsigned index, const char **text)
{
	const char *dropped;

	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(kind, kinds[i].kind) == 0)
			return kinds[i].name(index, text ? text : &dropped);
	return NULL;
}

int doppel_host_cpu(const char *spec, char *buf, size_t len, struct doppel_error *err)
{
	struct text t = {buf, len, 0};
	struct host_cpu c;
	struct error e;
	const char *name;
	uint32_t bit;
	int r = host_cpu_parse(&c, spec, &e);

	if (r == 0)
		r = host_cpu_check(&c, &e);
	if (r) {
		if (err)
			snprintf(err->text, sizeof(err->text), "%s", e.text);
		return r;
	}
	text_add(&t, "%s:", host_cpu_level(&c));
	for (unsigned k = 0; (name = host_cpu_feature_name(k, &bit)); k++)
		if (host_cpu_has(&c, bit))
			text_add(&t, " %s", name);
	return (int)t.len;
}

bool doppel_engine_info(unsigned index, struct doppel_engine_info *out)
{
	struct engine_info info = {0};
	const struct engine *e;

	for (unsigned k = 0; k <= index; k++)
		if (!engine_registry[k])
			return false;
	e = engine_registry[index];
	e->probe(&info);
	*out = (struct doppel_engine_info){.name = e->name, .text = e->text, .works = info.works};
	out->chosen_by_auto = e == vm_engine_auto();
	snprintf(out->why, sizeof(out->why), "%s", info.why);
	snprintf(out->cost, sizeof(out->cost), "%s", info.cost);
	return true;
}
