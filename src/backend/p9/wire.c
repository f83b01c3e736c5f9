/* Marshalling of 9P messages: see wire.h. */
#include "backend/p9/wire.h"

#include <errno.h>
#include <string.h>

uint64_t p9_take(struct p9_in *in, unsigned bytes)
{
	uint64_t v = 0;

	if ((size_t)(in->end - in->at) < bytes) {
		in->at = in->end;
		in->bad = true;
		return 0;
	}
	for (unsigned i = 0; i < bytes; i++)
		v |= (uint64_t)in->at[i] << 8 * i;
	in->at += bytes;
	return v;
}

int p9_take_string(struct p9_in *in, char *buf, size_t room)
{
	size_t len = p9_take16(in);
	const uint8_t *at = in->at;

	buf[0] = 0;
	if ((size_t)(in->end - at) < len) {
		in->at = in->end;
		in->bad = true;
		return -EINVAL;
	}
	in->at += len;
	if (len >= room)
		return -ENAMETOOLONG;
	if (memchr(at, 0, len))
		return -EINVAL;
	memcpy(buf, at, len);
	buf[len] = 0;
	return 0;
}

int p9_take_step(struct p9_in *in, char name[NAME_MAX + 1])
{
	int r = p9_take_string(in, name, NAME_MAX + 1);

	if (r)
		return r;
	if (!name[0] || strchr(name, '/') || strcmp(name, ".") == 0)
		return -EINVAL;
	return 0;
}

int p9_take_name(struct p9_in *in, char name[NAME_MAX + 1])
{
	int r = p9_take_step(in, name);

	if (r)
		return r;
	return strcmp(name, "..") == 0 ? -EINVAL : 0;
}

void p9_put(struct p9_out *out, uint64_t v, unsigned bytes)
{
	uint8_t le[8];

	for (unsigned i = 0; i < bytes; i++)
		le[i] = (uint8_t)(v >> 8 * i);
	p9_put_bytes(out, le, bytes);
}

void p9_put_bytes(struct p9_out *out, const void *bytes, size_t len)
{
	if (out->room - out->len < len) {
		out->full = true;
		return;
	}
	if (len)
		memcpy(out->buf + out->len, bytes, len);
	out->len += len;
}

void p9_put_string(struct p9_out *out, const char *s, size_t len)
{
	p9_put(out, len, 2);
	p9_put_bytes(out, s, len);
}

void p9_put_qid(struct p9_out *out, struct p9_qid q)
{
	p9_put(out, q.type, 1);
	p9_put(out, q.version, 4);
	p9_put(out, q.path, 8);
}
