/* Fids and nodes of a 9P share: a table of numbers, counted references, and a bound on descriptors.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/p9/share.h"

/* ---- descriptors */

int p9_descriptor_take(struct p9_share *s)
{
	bool room;

	pthread_mutex_lock(&s->lock);
	room = s->descriptors < s->descriptors_max;
	s->descriptors += room;
	pthread_mutex_unlock(&s->lock);
	return room ? 0 : -ENFILE;
}

void p9_descriptor_give(struct p9_share *s)
{
	pthread_mutex_lock(&s->lock);
	s->descriptors--;
	pthread_mutex_unlock(&s->lock);
}

/* ---- nodes */

int p9_node_make(struct p9_share *s, struct p9_node **out, struct p9_node *parent, const char *name,
		 int fd, struct stat *st)
{
	size_t len = strlen(name) + 1;
	struct p9_node *n = NULL;
	struct stat own;
	int r = 0;

	if (!st)
		st = &own;
	if (fstat(fd, st) < 0)
		r = -errno;
	else if (!(n = malloc(sizeof(*n) + len)))
		r = -ENOMEM;
	else
		r = p9_descriptor_take(s);
	if (r) {
		free(n);
		close(fd);
		return r;
	}
	*n = (struct p9_node){.refs = 1,
			      .fd = fd,
			      .type = st->st_mode & S_IFMT,
			      .dev = st->st_dev,
			      .ino = st->st_ino,
			      .parent = parent ? p9_node_get(s, parent) : NULL};
	memcpy(n->name, name, len);
	*out = n;
	return 0;
}

struct p9_node *p9_node_get(struct p9_share *s, struct p9_node *n)
{
	pthread_mutex_lock(&s->lock);
	n->refs++;
	pthread_mutex_unlock(&s->lock);
	return n;
}

void p9_node_put(struct p9_share *s, struct p9_node *n)
{
	while (n) {
		struct p9_node *parent = n->parent;
		bool last;

		pthread_mutex_lock(&s->lock);
		last = --n->refs == 0;
		s->descriptors -= last;
		pthread_mutex_unlock(&s->lock);
		if (!last)
			return;
		close(n->fd);
		free(n);
		n = parent;
	}
}

/* ---- fids */

static struct p9_fid **fid_find(struct p9_share *s, uint32_t number)
{
	struct p9_fid **at = &s->fid[number % P9_FID_BUCKETS];

	while (*at && (*at)->number != number)
		at = &(*at)->next;
	return at;
}

static void hold(struct p9_fid *f, struct p9_held *h)
{
	f->refs++;
	f->node->refs++;
	*h = (struct p9_held){f, f->node};
}

int p9_hold(struct p9_share *s, uint32_t number, struct p9_held *h)
{
	struct p9_fid *f;

	*h = (struct p9_held){NULL, NULL};
	pthread_mutex_lock(&s->lock);
	f = *fid_find(s, number);
	if (f)
		hold(f, h);
	pthread_mutex_unlock(&s->lock);
	return f ? 0 : -EBADF;
}

int p9_hold_path(struct p9_share *s, uint32_t number, struct p9_held *h)
{
	int r = p9_hold(s, number, h);

	if (r || p9_fid_use(h->fid) == P9_FID_PATH)
		return r;
	p9_release(s, h);
	return -EBADF;
}

static void fid_free(struct p9_share *s, struct p9_fid *f)
{
	if (f->fd >= 0) {
		close(f->fd);
		p9_descriptor_give(s);
	}
	p9_node_put(s, f->node);
	pthread_mutex_lock(&s->lock);
	p9_xattr_free(s, f);
	pthread_mutex_unlock(&s->lock);
	pthread_mutex_destroy(&f->busy);
	free(f);
}

static void fid_put(struct p9_share *s, struct p9_fid *f)
{
	bool last;

	pthread_mutex_lock(&s->lock);
	last = --f->refs == 0;
	pthread_mutex_unlock(&s->lock);
	if (last)
		fid_free(s, f);
}

void p9_release(struct p9_share *s, struct p9_held *h)
{
	if (h->node)
		p9_node_put(s, h->node);
	if (h->fid)
		fid_put(s, h->fid);
	*h = (struct p9_held){NULL, NULL};
}

int p9_fid_add(struct p9_share *s, uint32_t number, struct p9_node *node, struct p9_held *h)
{
	struct p9_fid *f = calloc(1, sizeof(*f)), **at;
	int r = f ? 0 : -ENOMEM;

	if (f) {
		*f = (struct p9_fid){.number = number, .refs = 1, .node = node, .fd = -1};
		pthread_mutex_init(&f->busy, NULL);
		pthread_mutex_lock(&s->lock);
		at = fid_find(s, number);
		if (*at || number == P9_NOFID)
			r = -EINVAL;
		else if (s->fids == P9_FIDS_MAX)
			r = -ENFILE;
		if (r == 0) {
			s->fids++;
			*at = f;
			if (h)
				hold(f, h);
		}
		pthread_mutex_unlock(&s->lock);
	}
	if (r && f)
		fid_free(s, f);
	else if (r)
		p9_node_put(s, node);
	return r;
}

int p9_fid_move(struct p9_share *s, struct p9_fid *f, struct p9_node *node)
{
	struct p9_node *old = node;
	int r = 0;

	pthread_mutex_lock(&s->lock);
	if (f->fd >= 0 || f->use != P9_FID_PATH) {
		r = -EBUSY;
	} else {
		old = f->node;
		f->node = node;
	}
	pthread_mutex_unlock(&s->lock);
	p9_node_put(s, old);
	return r;
}

int p9_fid_open(struct p9_share *s, struct p9_fid *f, int fd, bool writable, struct p9_node *node)
{
	struct p9_node *old = node;
	int r = 0;

	pthread_mutex_lock(&s->lock);
	if (f->fd >= 0 || f->use != P9_FID_PATH) {
		r = -EBUSY;
	} else {
		f->fd = fd;
		f->writable = writable;
		if (node) {
			old = f->node;
			f->node = node;
		}
	}
	pthread_mutex_unlock(&s->lock);
	p9_node_put(s, old);
	if (r) {
		close(fd);
		p9_descriptor_give(s);
	}
	return r;
}

int p9_fid_take(struct p9_share *s, uint32_t number, struct p9_held *h)
{
	struct p9_fid **at, *f;

	*h = (struct p9_held){NULL, NULL};
	pthread_mutex_lock(&s->lock);
	at = fid_find(s, number);
	f = *at;
	if (f) {
		*at = f->next;
		s->fids--;
		f->node->refs++;
		*h = (struct p9_held){f, f->node}; /* the table's reference */
	}
	pthread_mutex_unlock(&s->lock);
	return f ? 0 : -EBADF;
}

void p9_fid_clear(struct p9_share *s)
{
	for (unsigned i = 0; i < P9_FID_BUCKETS; i++) {
		struct p9_fid *f, *next;

		pthread_mutex_lock(&s->lock);
		f = s->fid[i];
		s->fid[i] = NULL;
		for (next = f; next; next = next->next)
			s->fids--;
		pthread_mutex_unlock(&s->lock);
		for (; f; f = next) {
			next = f->next;
			fid_put(s, f);
		}
	}
}
