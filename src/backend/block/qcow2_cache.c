/* Tables of a qcow2 image in memory: see qcow2.h. A slot is found by hashing, and given up by the
 * clock algorithm; dirty and pinned ones stay. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/block/qcow2.h"

enum { SLOTS_MIN = 16, SLOTS_MAX = 4096 };

int qcow2_cache_init(struct qcow2_cache *c, uint32_t table_bytes, uint32_t cache_bytes)
{
	unsigned n = cache_bytes / table_bytes;

	n = n < SLOTS_MIN ? SLOTS_MIN : n > SLOTS_MAX ? SLOTS_MAX : n;
	c->slots = n;
	c->buckets = 1;
	while (c->buckets < n)
		c->buckets *= 2;
	c->slot = calloc(n, sizeof(*c->slot));
	c->bucket = calloc(c->buckets, sizeof(*c->bucket));
	return c->slot && c->bucket ? 0 : -ENOMEM;
}

void qcow2_cache_clear(struct qcow2_cache *c)
{
	for (unsigned i = 0; c->slot && i < c->slots; i++)
		free(c->slot[i].data);
	free(c->slot);
	free(c->bucket);
	*c = (struct qcow2_cache){0};
}

static struct qcow2_table **bucket_of(struct qcow2_cache *c, uint64_t at)
{
	return &c->bucket[(at >> 9) * 0x9e3779b97f4a7c15ull >> 40 & (c->buckets - 1)];
}

static struct qcow2_table *find(struct qcow2_cache *c, uint64_t at)
{
	struct qcow2_table *t = *bucket_of(c, at);

	while (t && t->at != at)
		t = t->next;
	return t;
}

struct qcow2_table *qcow2_cache_peek(struct qcow2_cache *c, uint64_t at)
{
	struct qcow2_table *t = find(c, at);

	if (!t || t->loading)
		return NULL;
	t->recent = true;
	return t;
}

static void unhash(struct qcow2_cache *c, struct qcow2_table *t)
{
	struct qcow2_table **at = bucket_of(c, t->at);

	if (!t->at)
		return;
	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	t->at = 0;
}

/* A slot nobody needs, or NULL. */
static struct qcow2_table *give_up(struct qcow2_cache *c)
{
	for (unsigned i = 0; i < 2 * c->slots; i++) {
		struct qcow2_table *t = &c->slot[c->hand];

		c->hand = (c->hand + 1) % c->slots;
		if (t->pins || t->dirty_from != t->dirty_to)
			continue;
		if (t->at && t->recent) {
			t->recent = false;
			continue;
		}
		unhash(c, t);
		return t;
	}
	return NULL;
}

static int load(struct qcow2 *q, struct qcow2_cache *c, struct qcow2_table *t, bool read)
{
	int r = 0;

	if (!read) {
		memset(t->data, 0, q->cluster_bytes);
		return 0;
	}
	t->loading = true;
	pthread_mutex_unlock(&q->lock);
	r = image_file_read(q->m->file, t->at, t->data, q->cluster_bytes);
	pthread_mutex_lock(&q->lock);
	t->loading = false;
	if (r) {
		t->pins = 0;
		unhash(c, t);
	}
	pthread_cond_broadcast(&q->loaded);
	return r;
}

int qcow2_cache_get(struct qcow2 *q, struct qcow2_cache *c, uint64_t at, bool read,
		    struct qcow2_table **out)
{
	struct qcow2_table *t, **bucket = bucket_of(c, at);

	for (;;) {
		t = find(c, at);
		if (t && !t->loading)
			break;
		if (!t && (t = give_up(c))) {
			if (!t->data && !(t->data = malloc(q->cluster_bytes)))
				return -ENOMEM;
			t->at = at;
			t->pins = 1;
			t->recent = true;
			t->next = *bucket;
			*bucket = t;
			*out = t;
			return load(q, c, t, read);
		}
		/* Somebody loads it, or readers have all slots pinned, for moments. */
		pthread_cond_wait(&q->loaded, &q->lock);
	}
	t->pins++;
	t->recent = true;
	if (!read)
		memset(t->data, 0, q->cluster_bytes);
	*out = t;
	return 0;
}

void qcow2_cache_put(struct qcow2 *q, struct qcow2_table *t)
{
	if (--t->pins == 0)
		pthread_cond_broadcast(&q->loaded);
}

void qcow2_table_dirty(struct qcow2_cache *c, struct qcow2_table *t, uint32_t from, uint32_t to)
{
	if (t->dirty_from == t->dirty_to) {
		c->dirty++;
		t->dirty_from = from;
		t->dirty_to = to;
	}
	t->dirty_from = from < t->dirty_from ? from : t->dirty_from;
	t->dirty_to = to > t->dirty_to ? to : t->dirty_to;
}

int qcow2_cache_write(struct qcow2 *q, struct qcow2_cache *c)
{
	for (unsigned i = 0; c->dirty && i < c->slots; i++) {
		struct qcow2_table *t = &c->slot[i];
		uint32_t from = t->dirty_from, to = t->dirty_to;
		int r;

		if (from == to)
			continue;
		r = image_file_write(q->m->file, t->at + from, t->data + from, to - from);
		if (r)
			return r;
		pthread_mutex_lock(&q->lock);
		t->dirty_from = t->dirty_to = 0;
		c->dirty--;
		pthread_cond_broadcast(&q->loaded);
		pthread_mutex_unlock(&q->lock);
	}
	return 0;
}
