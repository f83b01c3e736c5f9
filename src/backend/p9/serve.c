/* One 9P request from its bytes to its answer: see share.h. The message is copied before it is
 * looked at, for the client can change its memory at any moment; only the data of Tread and Twrite
 * is not. */
#include <errno.h>
#include <string.h>

#include "backend/p9/share.h"
#include "base/bits.h"

/* clang-format off */
static const struct p9_handler handlers[P9_TYPES] = {
	[P9_TSTATFS]	  = {"statfs",	    p9_statfs,	    false},
	[P9_TLOPEN]	  = {"lopen",	    p9_lopen,	    false}, /* looks itself */
	[P9_TLCREATE]	  = {"lcreate",	    p9_lcreate,	    true},
	[P9_TSYMLINK]	  = {"symlink",	    p9_symlink,	    true},
	[P9_TMKNOD]	  = {"mknod",	    p9_mknod,	    true},
	[P9_TRENAME]	  = {"rename",	    p9_rename,	    true},
	[P9_TREADLINK]	  = {"readlink",    p9_readlink,    false},
	[P9_TGETATTR]	  = {"getattr",	    p9_getattr,	    false},
	[P9_TSETATTR]	  = {"setattr",	    p9_setattr,	    true},
	[P9_TXATTRWALK]	  = {"xattrwalk",   p9_xattrwalk,   false},
	[P9_TXATTRCREATE] = {"xattrcreate", p9_xattrcreate, true},
	[P9_TREADDIR]	  = {"readdir",	    p9_readdir,	    false},
	[P9_TFSYNC]	  = {"fsync",	    p9_fsync,	    false},
	[P9_TLOCK]	  = {"lock",	    p9_lock,	    false},
	[P9_TGETLOCK]	  = {"getlock",	    p9_getlock,	    false},
	[P9_TLINK]	  = {"link",	    p9_link,	    true},
	[P9_TMKDIR]	  = {"mkdir",	    p9_mkdir,	    true},
	[P9_TRENAMEAT]	  = {"renameat",    p9_renameat,    true},
	[P9_TUNLINKAT]	  = {"unlinkat",    p9_unlinkat,    true},
	[P9_TVERSION]	  = {"version",	    p9_version,	    false},
	[P9_TAUTH]	  = {"auth",	    p9_auth,	    false},
	[P9_TATTACH]	  = {"attach",	    p9_attach,	    false},
	[P9_TWALK]	  = {"walk",	    p9_walk,	    false},
	[P9_TREAD]	  = {"read",	    p9_read,	    false},
	[P9_TWRITE]	  = {"write",	    p9_write,	    true},
	[P9_TCLUNK]	  = {"clunk",	    p9_clunk,	    false},
	[P9_TREMOVE]	  = {"remove",	    p9_remove,	    true},
};
/* clang-format on */

const struct p9_handler *p9_handler(uint8_t type)
{
	return type < P9_TYPES && handlers[type].handle ? &handlers[type] : NULL;
}

size_t p9_gather(const struct io_piece *piece, unsigned pieces, size_t skip, void *buf, size_t len)
{
	size_t done = 0;

	for (unsigned i = 0; i < pieces && done < len; i++) {
		size_t bytes = piece[i].len;

		if (skip >= bytes) {
			skip -= bytes;
			continue;
		}
		bytes = bytes - skip < len - done ? bytes - skip : len - done;
		memcpy((uint8_t *)buf + done, (const uint8_t *)piece[i].base + skip, bytes);
		done += bytes;
		skip = 0;
	}
	return done;
}

/* The start of the answer's memory; it is long enough. */
static void scatter(const struct p9_request *r, const uint8_t *buf, size_t len)
{
	for (unsigned i = 0; i < r->ins && len; i++) {
		size_t bytes = r->in[i].len < len ? r->in[i].len : len;

		memcpy(r->in[i].base, buf, bytes);
		buf += bytes;
		len -= bytes;
	}
}

/* size[4] Rlerror tag[2] ecode[4]. Where there is no room even for this, an empty answer. */
size_t p9_serve_error(struct p9_request *r, uint16_t tag, int error)
{
	uint8_t buf[P9_ERROR_BYTES];
	struct p9_out out = {.buf = buf, .room = sizeof(buf)};

	if (r->in_bytes < P9_ERROR_BYTES)
		return 0;
	p9_put(&out, P9_ERROR_BYTES, 4);
	p9_put(&out, P9_RLERROR, 1);
	p9_put(&out, tag, 2);
	p9_put(&out, (uint32_t)-error, 4);
	scatter(r, buf, sizeof(buf));
	return P9_ERROR_BYTES;
}

static void put_header(struct p9_call *c, uint8_t type, uint16_t tag)
{
	struct p9_out out = {.buf = c->out.buf, .room = P9_HEADER};

	p9_put(&out, c->out.len + c->data, 4);
	p9_put(&out, type + 1u, 1);
	p9_put(&out, tag, 2);
}

/* Whether a message of this type and size may be carried out: 0 or -errno. */
static int admit(struct p9_call *c, uint8_t type, uint32_t size)
{
	const struct p9_handler *h = p9_handler(type);

	pthread_mutex_lock(&c->share->lock);
	c->msize = c->share->msize;
	pthread_mutex_unlock(&c->share->lock);
	if (size < P9_HEADER || size > c->request->out_bytes)
		return -EINVAL;
	if (type == P9_TVERSION)
		c->msize = P9_MSIZE_MIN;
	else if (!c->msize)
		return -EPROTO;
	if (size > c->msize || (size > P9_MESSAGE_MAX && type != P9_TWRITE))
		return -EMSGSIZE;
	if (type == P9_TFLUSH)
		return 0;
	if (!h)
		return -EOPNOTSUPP;
	return c->share->readonly && h->changes ? -EROFS : 0;
}

static size_t serve(struct p9_share *s, struct p9_scratch *scratch, struct p9_request *r, bool now)
{
	struct p9_call c = {.share = s, .request = r, .scratch = scratch, .now = now};
	size_t got = p9_gather(r->out, r->outs, 0, scratch->message, P9_MESSAGE_MAX), len;
	uint32_t size;
	uint16_t tag;
	uint8_t type;
	int error;

	c.in = (struct p9_in){.at = scratch->message, .end = scratch->message + got};
	size = p9_take32(&c.in);
	type = p9_take8(&c.in);
	tag = p9_take16(&c.in);
	if (c.in.bad)
		return p9_serve_error(r, P9_NOTAG, -EINVAL);
	if (now && type != P9_TREAD && type != P9_TWRITE) /* the client may have changed it */
		return P9_LATER;
	p9_queue_begun(s, r, type, tag);
	if (size < got)
		c.in.end = scratch->message + (size < P9_HEADER ? P9_HEADER : size);
	c.out = (struct p9_out){.buf = scratch->answer, .len = P9_HEADER, .room = P9_ANSWER_MAX};
	error = admit(&c, type, size);
	if (error == 0 && c.out.room > c.msize)
		c.out.room = c.msize;
	if (error == 0 && c.out.room > r->in_bytes)
		c.out.room = r->in_bytes < P9_HEADER ? P9_HEADER : r->in_bytes;
	if (error == 0 && type == P9_TFLUSH) {
		uint16_t old = p9_take16(&c.in);

		if (c.in.bad)
			error = -EINVAL;
		else if (p9_queue_flush(s, r, old))
			return P9_LATER;
	} else if (error == 0) {
		error = p9_handler(type)->handle(&c);
	}
	if (now && error == -EAGAIN)
		return P9_LATER;
	if (error == 0 && (c.out.full || r->in_bytes < P9_HEADER))
		error = -EMSGSIZE;
	if (error)
		return p9_serve_error(r, tag, error);
	len = c.out.len + c.data;
	put_header(&c, type, tag);
	scatter(r, scratch->answer, c.out.len);
	return len;
}

size_t p9_serve(struct p9_share *s, struct p9_scratch *scratch, struct p9_request *r)
{
	return serve(s, scratch, r, false);
}

size_t p9_serve_now(struct p9_share *s, struct p9_scratch *scratch, struct p9_request *r)
{
	return serve(s, scratch, r, true);
}
