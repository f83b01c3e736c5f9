/* "FIRST,key=value,flag": see keys.h. */
#include "vm/keys.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vm/nearest.h"

/* Cut *at at the next single comma, making double ones single; NULL when nothing is left. */
static char *next_piece(char **at)
{
	char *start = *at, *in = start, *out = start;

	if (!start)
		return NULL;
	for (;; in++) {
		if (*in == ',' && in[1] == ',')
			in++;
		else if (*in == ',' || !*in)
			break;
		*out++ = *in;
	}
	*at = *in ? in + 1 : NULL;
	*out = 0;
	return start;
}

int keys_parse(struct keys *k, const char *kind, const char *spec, bool first, struct error *err)
{
	char *at, *piece;

	*k = (struct keys){.kind = kind, .spec = spec, .text = strdup(spec), .first = ""};
	if (!k->text)
		return error_set(err, -ENOMEM, "out of memory");
	at = *spec ? k->text : NULL;
	if (first && at)
		k->first = next_piece(&at);
	while ((piece = next_piece(&at))) {
		char *eq = strchr(piece, '=');

		if (k->pairs == KEYS_MAX)
			return error_set(err, -EINVAL, "%s %s: more than %d keys", kind, spec,
					 KEYS_MAX);
		if (!*piece || eq == piece)
			return error_set(err, -EINVAL, "%s %s: an empty key", kind, spec);
		if (eq)
			*eq++ = 0;
		k->pair[k->pairs].key = piece;
		k->pair[k->pairs++].value = eq;
	}
	return 0;
}

void keys_clear(struct keys *k)
{
	free(k->text);
	*k = (struct keys){0};
}

const char *keys_next(struct keys *k, const char *key, unsigned index)
{
	const char *found = NULL;

	/* Remembered even if it is not there, for keys_done to suggest. */
	for (unsigned i = 0; i < k->pairs; i++) {
		if (strcmp(k->pair[i].key, key))
			continue;
		k->pair[i].used = true;
		if (index-- == 0)
			found = k->pair[i].value ? k->pair[i].value : "";
	}
	for (unsigned i = 0; i < k->asked && !found; i++)
		if (strcmp(k->ask[i], key) == 0)
			return NULL;
	if (k->asked < KEYS_MAX)
		k->ask[k->asked++] = key;
	return found;
}

static int wrong(struct keys *k, const char *key, const char *value, const char *must,
		 struct error *err)
{
	return error_set(err, -EINVAL, "%s %s: %s=%s: must be %s", k->kind, k->spec, key, value,
			 must);
}

int keys_flag(struct keys *k, const char *key, bool *out, struct error *err)
{
	static const char *const yes[] = {"", "yes", "true", "on"}, *const no[] = {"no", "false",
										   "off"};
	const char *v = keys_text(k, key);

	if (!v)
		return 0;
	for (unsigned i = 0; i < 4; i++)
		if (strcmp(v, yes[i]) == 0) {
			*out = true;
			return 0;
		}
	for (unsigned i = 0; i < 3; i++)
		if (strcmp(v, no[i]) == 0) {
			*out = false;
			return 0;
		}
	return wrong(k, key, v, "yes or no", err);
}

static unsigned suffix_bits(char c)
{
	switch (toupper((unsigned char)c)) {
	case 'K':
		return 10;
	case 'M':
		return 20;
	case 'G':
		return 30;
	case 'T':
		return 40;
	}
	return 0;
}

static int number(struct keys *k, const char *key, bool size, uint64_t min, uint64_t max,
		  uint64_t *out, struct error *err)
{
	const char *v = keys_text(k, key);
	unsigned long long n;
	unsigned bits = 0;
	char *end;

	if (!v)
		return 0;
	errno = 0;
	n = strtoull(v, &end, 0);
	if (end == v || !isdigit((unsigned char)*v) || errno)
		return wrong(k, key, v, size ? "a size, with K, M, G or T" : "a whole number", err);
	if (size && *end && (bits = suffix_bits(*end)))
		end++;
	if (*end)
		return wrong(k, key, v, size ? "a size, with K, M, G or T" : "a whole number", err);
	if (n > UINT64_MAX >> bits || n << bits < min || n << bits > max)
		return error_set(err, -EINVAL, "%s %s: %s=%s is out of range: %llu to %llu",
				 k->kind, k->spec, key, v, (unsigned long long)min,
				 (unsigned long long)max);
	*out = n << bits;
	return 0;
}

int keys_number(struct keys *k, const char *key, uint64_t min, uint64_t max, uint64_t *out,
		struct error *err)
{
	return number(k, key, false, min, max, out, err);
}

int keys_size(struct keys *k, const char *key, uint64_t min, uint64_t max, uint64_t *out,
	      struct error *err)
{
	return number(k, key, true, min, max, out, err);
}

int keys_word(struct keys *k, const char *key, const char *const *words, unsigned *out,
	      struct error *err)
{
	const char *v = keys_text(k, key);
	char list[200] = "";

	if (!v)
		return 0;
	for (unsigned i = 0; words[i]; i++) {
		if (strcmp(v, words[i]) == 0) {
			*out = i;
			return 0;
		}
		if (i)
			strncat(list, words[i + 1] ? ", " : " or ",
				sizeof(list) - strlen(list) - 1);
		strncat(list, words[i], sizeof(list) - strlen(list) - 1);
	}
	return wrong(k, key, v, list, err);
}

int keys_done(struct keys *k, struct error *err)
{
	for (unsigned i = 0; i < k->pairs; i++) {
		struct nearest n;

		if (k->pair[i].used)
			continue;
		nearest_init(&n, k->pair[i].key);
		for (unsigned a = 0; a < k->asked; a++)
			nearest_offer(&n, k->ask[a]);
		if (n.best)
			return error_set(err, -EINVAL, "%s %s: unknown key %s; did you mean %s?",
					 k->kind, k->spec, k->pair[i].key, n.best);
		return error_set(err, -EINVAL, "%s %s: unknown key %s", k->kind, k->spec,
				 k->pair[i].key);
	}
	return 0;
}
