/*
 * Work for the machine's I/O thread: what a register write sets off but a CPU's thread should not
 * wait for. Under the real clock there is such a thread; under the counted clock the same work is
 * done between two rounds, so that it falls at the same instruction in each run.
 */
#ifndef DEVICE_WORKER_H
#define DEVICE_WORKER_H

#include <stdbool.h>

/* A piece of work, part of the device it is for. Zero it and set run and opaque. */
struct work {
	void (*run)(void *opaque); /* on the I/O thread (or see prompt), no lock held */
	void *opaque;
	struct work *next; /* the worker's */
	bool posted;	   /* the worker's, changed atomically: on the list and not yet begun */
};

struct worker {
	void (*post)(void *opaque, struct work *w);
	void *opaque;
	/* The same for what the thread that posts it may do itself, once it holds no locks, if it
	 * has nothing better to do. NULL: it never does. */
	void (*prompt)(void *opaque, struct work *w);
};

/* Have w->run called soon, once, however often it is posted before it begins. From any thread, with
 * any lock held. */
static inline void worker_post(const struct worker *k, struct work *w)
{
	if (!__atomic_exchange_n(&w->posted, true, __ATOMIC_ACQ_REL))
		k->post(k->opaque, w);
}

/* For a write to a register: as worker_post, but w->run may be called on the CPU's thread when the
 * write is over. One that may not wait long, and knows how to go about without the I/O thread. */
static inline void worker_post_prompt(const struct worker *k, struct work *w)
{
	if (!__atomic_exchange_n(&w->posted, true, __ATOMIC_ACQ_REL))
		(k->prompt ? k->prompt : k->post)(k->opaque, w);
}

#endif
