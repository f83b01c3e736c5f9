/*
 * A thread that compiles for one CPU. The CPU's thread fills in jobs and takes what came of them,
 * in order, at a moment of its own; it never waits but in background_destroy, for the job under
 * way.
 */
#ifndef ENGINE_TRANSLATE_BACKGROUND_H
#define ENGINE_TRANSLATE_BACKGROUND_H

#include "engine/translate/compile.h"

struct background;

/* The compiler is the thread's from the first job on. NULL: out of memory, or no thread to be had.
 */
struct background *background_create(struct compiler *c);
void background_destroy(struct background *b); /* NULL is fine */

/* A job to fill in, for background_submit; NULL: there are enough of them under way. */
struct compile_job *background_job(struct background *b);
void background_submit(struct background *b);
/* Is this code among the jobs under way? */
bool background_has(const struct background *b, uint64_t gpa, uint64_t gpa2, x86_mode_t mode);
/* The oldest job if it is finished, or NULL. It is the caller's until background_release. */
struct compile_job *background_finished(struct background *b);
void background_release(struct background *b);

#endif
