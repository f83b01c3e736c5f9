/* The engine a unit test runs on: the interpreter, or what DOPPEL_TEST_ENGINE names. Code is hot the
 * first time it runs, so that a translator translates it. */
#ifndef TESTS_ENGINE_CHOICE_H
#define TESTS_ENGINE_CHOICE_H

#include <stdio.h>
#include <stdlib.h>

#include "engine/engine.h"

enum { TEST_SKIPPED = 77 }; /* for meson */

/* NULL, said on standard error: there is none of that name in this build; skip. */
static inline const struct engine *engine_choice(void)
{
	const char *name = getenv("DOPPEL_TEST_ENGINE");
	const struct engine *e = engine_find(name ? name : "interpret");

	if (!e)
		fprintf(stderr, "skipped: there is no engine %s\n", name);
	return e;
}

#endif
