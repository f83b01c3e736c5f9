/* Creating and destroying a 9P share: see p9.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "backend/p9/share.h"

/* A part of what the process may have, for it has other uses for descriptors. */
static unsigned descriptors_max(void)
{
	enum { SHARE_OF_LIMIT = 4 };
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur / SHARE_OF_LIMIT > 2 * P9_FIDS_MAX)
		return 2 * P9_FIDS_MAX;
	return (unsigned)(l.rlim_cur / SHARE_OF_LIMIT);
}

/* The next client has to begin with Tversion, which lets go of what this one leaves behind. */
static void reset(void *opaque)
{
	struct p9_share *s = opaque;

	pthread_mutex_lock(&s->lock);
	s->msize = 0;
	pthread_mutex_unlock(&s->lock);
}

int p9_share_create(struct p9_share **out, struct io_loop *loop, const char *dir, bool readonly,
		    struct error *err)
{
	struct p9_share *s = calloc(1, sizeof(*s));
	int r;

	if (!s || !(s->dir = strdup(dir))) {
		free(s);
		return error_set(err, -ENOMEM, "share %s: out of memory", dir);
	}
	s->loop = loop;
	s->readonly = readonly;
	s->proc = -1;
	s->descriptors_max = descriptors_max();
	s->server = (struct p9_server){p9_queue_submit, reset, s};
	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_init(&s->queue_lock, NULL);
	pthread_cond_init(&s->queue_more, NULL);
	r = p9_open_root(s, err);
	if (r == 0)
		r = p9_queue_start(s, err);
	if (r) {
		p9_share_destroy(s);
		return r;
	}
	*out = s;
	return 0;
}

void p9_share_destroy(struct p9_share *s)
{
	if (!s)
		return;
	p9_queue_stop(s);
	p9_fid_clear(s);
	p9_node_put(s, s->root);
	if (s->proc >= 0)
		close(s->proc);
	pthread_cond_destroy(&s->queue_more);
	pthread_mutex_destroy(&s->queue_lock);
	pthread_mutex_destroy(&s->lock);
	free(s->dir);
	free(s);
}

const struct p9_server *p9_share_server(struct p9_share *s)
{
	return &s->server;
}

size_t p9_share_answer(struct p9_share *s, struct p9_request *r)
{
	struct p9_scratch *scratch = malloc(sizeof(*scratch));
	size_t len = scratch ? p9_serve(s, scratch, r) : p9_serve_error(r, P9_NOTAG, -ENOMEM);

	free(scratch);
	return len;
}
