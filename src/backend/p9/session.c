/* 9P messages about the session and its fids: version, auth, attach, walk, clunk. */
#include <errno.h>
#include <string.h>

#include "backend/p9/share.h"

/* size[4] Tversion tag[2] msize[4] version[s]. What was is forgotten; requests under way end on the
 * fids they hold. */
int p9_version(struct p9_call *c)
{
	static const char ours[] = "9P2000.L", unknown[] = "unknown";
	uint32_t msize = p9_take32(&c->in);
	char version[32];
	bool known;

	if (p9_take_string(&c->in, version, sizeof(version)) == -EINVAL || c->in.bad)
		return -EINVAL;
	if (msize < P9_MSIZE_MIN)
		return -EMSGSIZE;
	known = strcmp(version, ours) == 0;
	if (msize > P9_MSIZE_MAX)
		msize = P9_MSIZE_MAX;
	pthread_mutex_lock(&c->share->lock);
	c->share->msize = 0;
	pthread_mutex_unlock(&c->share->lock);
	p9_fid_clear(c->share);
	pthread_mutex_lock(&c->share->lock);
	c->share->msize = known ? msize : 0;
	pthread_mutex_unlock(&c->share->lock);
	p9_put(&c->out, msize, 4);
	if (known)
		p9_put_string(&c->out, ours, sizeof(ours) - 1);
	else
		p9_put_string(&c->out, unknown, sizeof(unknown) - 1);
	return 0;
}

/* Who the client is has been settled by who started the machine. */
int p9_auth(struct p9_call *c)
{
	return -EOPNOTSUPP;
}

/* size[4] Tattach tag[2] fid[4] afid[4] uname[s] aname[s] n_uname[4]. There is one tree, whatever
 * aname says, and one user. */
int p9_attach(struct p9_call *c)
{
	uint32_t fid = p9_take32(&c->in), afid = p9_take32(&c->in);
	char ignored[PATH_MAX];
	struct stat st;
	int r;

	if (p9_take_string(&c->in, ignored, sizeof(ignored)) ||
	    p9_take_string(&c->in, ignored, sizeof(ignored)))
		return -EINVAL;
	p9_take32(&c->in);
	if (c->in.bad)
		return -EINVAL;
	if (afid != P9_NOFID)
		return -EBADF;
	if (fstat(c->share->root->fd, &st) < 0)
		return -errno;
	r = p9_fid_add(c->share, fid, p9_node_get(c->share, c->share->root), NULL);
	if (r)
		return r;
	p9_put_qid(&c->out, p9_qid(c->share, &st));
	return 0;
}

struct walk {
	unsigned names;
	char name[P9_WALK_MAX][NAME_MAX + 1];
};

static int walk_parse(struct p9_in *in, struct walk *w)
{
	w->names = p9_take16(in);
	if (w->names > P9_WALK_MAX)
		return -EINVAL;
	for (unsigned i = 0; i < w->names; i++) {
		int r = p9_take_step(in, w->name[i]);

		if (r)
			return r;
	}
	return in->bad ? -EINVAL : 0;
}

/* Go along the names as far as they lead: how many, with their qids and the last node; or -errno if
 * not even the first is there. */
static int walk_go(struct p9_share *s, const struct walk *w, struct p9_node *from,
		   struct p9_node **out, struct p9_qid *qid)
{
	struct p9_node *at = p9_node_get(s, from), *next;
	unsigned done;
	struct stat st;
	int r = 0;

	for (done = 0; done < w->names; done++) {
		if (strcmp(w->name[done], "..") == 0)
			r = p9_parent(s, at, &next, &st);
		else
			r = p9_child(s, at, w->name[done], &next, &st);
		if (r)
			break;
		qid[done] = p9_qid(s, &st);
		p9_node_put(s, at);
		at = next;
	}
	if (r && !done) {
		p9_node_put(s, at);
		return r;
	}
	*out = at;
	return (int)done;
}

static int walk_end(struct p9_call *c, struct p9_held *h, uint32_t newfid, const struct walk *w,
		    unsigned done, struct p9_node *at)
{
	if (done < w->names) { /* as far as it went, but no fid for it */
		p9_node_put(c->share, at);
		return 0;
	}
	if (newfid == h->fid->number)
		return p9_fid_move(c->share, h->fid, at);
	return p9_fid_add(c->share, newfid, at, NULL);
}

/* size[4] Twalk tag[2] fid[4] newfid[4] nwname[2] nwname*(wname[s]) */
int p9_walk(struct p9_call *c)
{
	uint32_t fid = p9_take32(&c->in), newfid = p9_take32(&c->in);
	struct p9_qid qid[P9_WALK_MAX];
	struct p9_node *at = NULL;
	struct p9_held h;
	struct walk w;
	int r = walk_parse(&c->in, &w), done;

	if (r)
		return r;
	r = p9_hold_path(c->share, fid, &h);
	if (r)
		return r;
	done = walk_go(c->share, &w, h.node, &at, qid);
	if (done >= 0)
		r = walk_end(c, &h, newfid, &w, (unsigned)done, at);
	else
		r = done;
	p9_release(c->share, &h);
	if (r)
		return r;
	p9_put(&c->out, (unsigned)done, 2);
	for (int i = 0; i < done; i++)
		p9_put_qid(&c->out, qid[i]);
	return 0;
}

/* size[4] Tclunk tag[2] fid[4]. The fid is gone whatever the answer is. */
int p9_clunk(struct p9_call *c)
{
	uint32_t fid = p9_take32(&c->in);
	struct p9_held h;
	int r;

	if (c->in.bad)
		return -EINVAL;
	r = p9_fid_take(c->share, fid, &h);
	if (r)
		return r;
	if (p9_fid_use(h.fid) == P9_FID_XATTR_WRITE)
		r = p9_xattr_commit(c->share, &h);
	p9_release(c->share, &h);
	return r;
}
