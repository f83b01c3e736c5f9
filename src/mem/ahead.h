/* A thread that has the host give memory its pages before somebody has to wait for them. */
#ifndef MEM_AHEAD_H
#define MEM_AHEAD_H

#include <stddef.h>

struct ahead;

/* NULL: no thread is to be had; all else then does nothing. */
struct ahead *ahead_create(void);
/* What was asked for and has not begun yet is left out. */
void ahead_destroy(struct ahead *a);
/* [p, p+bytes) is soon to be written; its contents are kept. Any thread. Forgotten if the thread
 * is far behind. */
void ahead_ask(struct ahead *a, void *p, size_t bytes);

#endif
