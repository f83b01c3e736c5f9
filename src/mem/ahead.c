/*
 * Memory that a host gives for the first time costs a page fault and the clearing of the page, and
 * where the host is itself a guest another fault one level down: for the whole of a boot a
 * twentieth of the CPU's time. Who fills memory from one end to the other can have that done on
 * another of the host's CPUs. It does not wait for it: where this thread has not been yet, the
 * usual way is taken.
 */
#include "mem/ahead.h"

#include <stdbool.h>
#include <stdint.h>

#include "host/host.h"

enum {
	AHEAD_ASKED_MAX = 16,
	AHEAD_PIECE_BYTES = 128 << 10, /* at a time: others may want to change the mappings */
};

struct asked {
	uint8_t *p;
	size_t bytes;
};

struct ahead {
	struct host_thread thread;
	struct host_event wake;
	struct host_mutex lock; /* of all that follows */
	struct asked asked[AHEAD_ASKED_MAX];
	unsigned first, count;
	bool quit;
};

/* The next piece of what is asked for; bytes 0: nothing is. False: to quit. */
static bool take(struct ahead *a, struct asked *piece)
{
	bool quit;

	host_mutex_lock(&a->lock);
	quit = a->quit;
	*piece = (struct asked){0};
	if (a->count) {
		struct asked *r = &a->asked[a->first % AHEAD_ASKED_MAX];

		*piece = *r;
		if (piece->bytes > AHEAD_PIECE_BYTES)
			piece->bytes = AHEAD_PIECE_BYTES;
		r->p += piece->bytes;
		r->bytes -= piece->bytes;
		if (!r->bytes) {
			a->first++;
			a->count--;
		}
	}
	host_mutex_unlock(&a->lock);
	return !quit;
}

static void work(void *opaque)
{
	struct ahead *a = opaque;
	struct asked piece;

	while (take(a, &piece)) {
		if (piece.bytes)
			host_ram_fill(piece.p, piece.bytes);
		else
			host_event_wait(&a->wake, UINT64_MAX);
	}
}

static void clear(struct ahead *a)
{
	host_event_destroy(&a->wake);
	host_mutex_destroy(&a->lock);
	host_free(a);
}

struct ahead *ahead_create(void)
{
	struct ahead *a = host_alloc(sizeof(*a));

	if (!a)
		return NULL;
	host_mutex_init(&a->lock);
	host_event_init(&a->wake);
	if (!host_thread_start(&a->thread, "ahead", work, a))
		return a;
	clear(a);
	return NULL;
}

void ahead_destroy(struct ahead *a)
{
	if (!a)
		return;
	host_mutex_lock(&a->lock);
	a->quit = true;
	host_mutex_unlock(&a->lock);
	host_event_signal(&a->wake);
	host_thread_join(&a->thread);
	clear(a);
}

void ahead_ask(struct ahead *a, void *p, size_t bytes)
{
	bool room;

	if (!a || !bytes)
		return;
	host_mutex_lock(&a->lock);
	room = a->count < AHEAD_ASKED_MAX;
	if (room)
		a->asked[(a->first + a->count++) % AHEAD_ASKED_MAX] = (struct asked){p, bytes};
	host_mutex_unlock(&a->lock);
	if (room)
		host_event_signal(&a->wake);
}
