/* A worker for tests of devices: what is posted to it is carried out when they say so, the latest
 * first. */
#ifndef TESTS_FAKE_WORKER_H
#define TESTS_FAKE_WORKER_H

#include <limits.h>

#include "device/worker.h"

struct fake_worker {
	struct worker worker; /* for the device */
	struct work *posted;
};

static inline void fake_worker_post(void *opaque, struct work *w)
{
	struct fake_worker *k = opaque;

	w->next = k->posted;
	k->posted = w;
}

/* It has nothing to do. */
static inline void fake_worker_init(struct fake_worker *k)
{
	*k = (struct fake_worker){.worker = {fake_worker_post, k}};
}

/* Carry out what was posted and what that posts, but no more than `most` pieces of work, of
 * which it may never come to an end. Returns how many there were. */
static inline unsigned fake_worker_run(struct fake_worker *k, unsigned most)
{
	unsigned n = 0;

	for (; k->posted && n < most; n++) {
		struct work *w = k->posted;

		k->posted = w->next;
		__atomic_store_n(&w->posted, false, __ATOMIC_RELEASE);
		w->run(w->opaque);
	}
	return n;
}

#endif
