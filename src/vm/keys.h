/*
 * What the options that add devices take: "FIRST,key=value,flag". A comma inside a value is written
 * twice.
 */
#ifndef VM_KEYS_H
#define VM_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum { KEYS_MAX = 32 };

struct keys {
	const char *kind, *spec; /* for messages: option and the text it got */
	char *text;		 /* split copy, owned */
	const char *first;	 /* "" if it begins with a key */
	struct {
		const char *key, *value; /* value NULL: a flag */
		bool used;
	} pair[KEYS_MAX];
	unsigned pairs;
	const char *ask[KEYS_MAX]; /* keys asked for, to suggest */
	unsigned asked;
};

/* Split. first: the text begins with a word of its own (a file name), which may hold '='. 0 or
 * -errno. */
int keys_parse(struct keys *k, const char *kind, const char *spec, bool first, struct error *err);
void keys_clear(struct keys *k);

/* Each marks its key as known. index counts keys of the same name from 0 (forward=...,forward=...).
 * NULL if it is not there; a flag without value gives "". */
const char *keys_next(struct keys *k, const char *key, unsigned index);
static inline const char *keys_text(struct keys *k, const char *key)
{
	return keys_next(k, key, 0);
}
/* yes/no/true/false/on/off or a bare flag. *out is left alone if it is not there. 0 or -EINVAL. */
int keys_flag(struct keys *k, const char *key, bool *out, struct error *err);
/* A whole number in [min, max]; size: with K, M, G or T. */
int keys_number(struct keys *k, const char *key, uint64_t min, uint64_t max, uint64_t *out,
		struct error *err);
int keys_size(struct keys *k, const char *key, uint64_t min, uint64_t max, uint64_t *out,
	      struct error *err);
/* One of a NULL-terminated list of words; *out is its index. */
int keys_word(struct keys *k, const char *key, const char *const *words, unsigned *out,
	      struct error *err);
/* -EINVAL with a message that names a key nobody asked for and the nearest that somebody did. */
int keys_done(struct keys *k, struct error *err);

#endif
