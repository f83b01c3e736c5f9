/* Making, checking and copying disk images: see info.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/block/format.h"
#include "backend/block/info.h"
#include "base/bits.h"

enum { COPY_BYTES = 1 << 20 };

static const struct image_format *format_named(const char *name, struct error *err)
{
	for (unsigned i = 0; image_formats[i]; i++)
		if (strcmp(image_formats[i]->name, name) == 0)
			return image_formats[i];
	error_set(err, -EINVAL, "there is no format %s: raw or qcow2", name);
	return NULL;
}

/* Is what shall back the new image there, how large is it, and what is it? */
static int look_at_backing(const char *path, struct image_create *c, struct error *err)
{
	struct image m = {0};
	struct image_file file = {.path = (char *)path};
	struct stat st;

	m.file = &file;
	if (stat(path, &st) == 0) { /* it must not be in the chain itself */
		file.dev = st.st_dev;
		file.ino = st.st_ino;
	}
	if (image_open_backing(&m, c->backing, c->backing_format, err))
		return -EINVAL;
	if (c->bytes == 0)
		c->bytes = m.backing->bytes;
	c->backing_format = m.backing->format->name;
	image_close(m.backing);
	return 0;
}

int image_create(const char *path, const struct image_create *how, struct error *err)
{
	struct image_create c = *how;
	const struct image_format *format = format_named(c.format, err);
	bool was_there = access(path, F_OK) == 0;
	struct image_file *f;
	int r;

	if (!format)
		return -EINVAL;
	if (c.bytes % BLOCK_SECTOR || c.bytes > (uint64_t)INT64_MAX - BLOCK_SECTOR)
		return error_set(err, -EINVAL,
				 "disk %s: the size must be a multiple of 512 bytes, below 8 EiB",
				 path);
	if (!c.overwrite && was_there)
		return error_set(err, -EEXIST, "disk %s: is there already", path);
	if (c.backing) {
		r = look_at_backing(path, &c, err);
		if (r)
			return r;
	}
	if (c.bytes == 0)
		return error_set(err, -EINVAL, "disk %s: a size of 0", path);
	r = image_file_open(&f, path, IMAGE_FILE_NEW, err);
	if (r)
		return r;
	r = format->create(f, &c, err);
	image_file_close(f);
	if (r && !was_there)
		unlink(path);
	return r;
}

int image_info_read(const char *path, const char *format, struct image_info *out, struct error *err)
{
	struct image_options o = {.format = format, .alone = true, .unlocked = true};
	struct image *m;
	int r = image_open(&m, path, &o, err);

	*out = (struct image_info){0};
	if (r)
		return r;
	out->format = m->format->name;
	out->bytes = m->bytes;
	out->file_bytes = m->file->bytes;
	out->space_bytes = image_file_space(m->file);
	if (m->format->info)
		m->format->info(m, out);
	image_close(m);
	return 0;
}

int image_check(const char *path, const char *format, bool repair, struct image_check *out,
		struct error *err)
{
	struct image_options o = {
		.format = format, .alone = true, .write = repair, .repair = repair};
	struct image *m;
	int r = image_open(&m, path, &o, err);

	*out = (struct image_check){0};
	if (r)
		return r;
	if (!m->format->check)
		r = error_set(err, -ENOTSUP, "disk %s: a %s image has nothing to check", path,
			      m->format->name);
	else
		r = m->format->check(m, repair, out, err);
	image_close(m);
	return r;
}

/* ---- copying */

static bool is_zero(const uint8_t *p, uint64_t bytes)
{
	return p[0] == 0 && memcmp(p, p + 1, bytes - 1) == 0;
}

/* What is in buf, but for the units that are zeroes. */
static int write_data(struct image *to, uint64_t at, const uint8_t *buf, uint64_t bytes,
		      uint64_t unit, bool compress)
{
	int r = 0;

	for (uint64_t done = 0, n; r == 0 && done < bytes; done += n) {
		n = unit - ((at + done) & (unit - 1));
		n = n < bytes - done ? n : bytes - done;
		if (is_zero(buf + done, n))
			continue;
		/* As many as are not zeroes by one write. */
		while (!compress && done + n < bytes) {
			uint64_t next = unit < bytes - done - n ? unit : bytes - done - n;

			if (is_zero(buf + done + n, next))
				break;
			n += next;
		}
		r = compress ? to->format->write_packed(to, at + done, buf + done, n)
			     : image_write(to, at + done, buf + done, n);
	}
	return r;
}

static int copy_stretch(struct image *from, struct image *to, uint64_t at, uint64_t bytes,
			bool compress, uint8_t *buf, uint64_t room)
{
	uint64_t unit = compress ? to->unit_bytes : to->unit_bytes < 4096 ? 4096 : to->unit_bytes;
	int r = 0;

	if (!compress && unit > 65536)
		unit = 65536;
	for (uint64_t done = 0, n; r == 0 && done < bytes; done += n) {
		n = room < bytes - done ? room : bytes - done;
		r = image_read(from, at + done, buf, n);
		if (r == 0)
			r = write_data(to, at + done, buf, n, unit, compress);
	}
	return r;
}

/* Data from `at` on that ends where whole units of `to` do. */
static enum image_status next_stretch(struct image *from, struct image *to, uint64_t at,
				      uint64_t room, int64_t *bytes)
{
	enum image_status s;
	uint64_t unit = to->unit_bytes, end;

	*bytes = (int64_t)(from->bytes - at);
	s = image_status(from, at, bytes);
	if (s == IMAGE_STATUS_ERROR)
		return s;
	if (s == IMAGE_STATUS_DATA && *bytes > (int64_t)room)
		*bytes = (int64_t)room;
	end = at + (uint64_t)*bytes;
	if (s ==
	    IMAGE_STATUS_ZERO) { /* zeroes up to the unit that has data; a part of one is data */
		end = end == from->bytes ? end : align_down(end, unit);
		if (end <= at) {
			s = IMAGE_STATUS_DATA;
			end = at + 1;
		}
	}
	if (s == IMAGE_STATUS_DATA)
		end = align_up(end, unit);
	*bytes = (int64_t)((end < from->bytes ? end : from->bytes) - at);
	return s;
}

int image_copy(struct image *from, struct image *to, bool compress,
	       bool (*progress)(void *opaque, uint64_t done, uint64_t total), void *opaque)
{
	uint64_t room = to->unit_bytes > COPY_BYTES ? to->unit_bytes : COPY_BYTES;
	uint8_t *buf = malloc(room);
	int r = buf ? 0 : -ENOMEM;

	compress &= to->format->write_packed != NULL;
	for (uint64_t at = 0; r == 0 && at < from->bytes;) {
		int64_t bytes;
		enum image_status s = next_stretch(from, to, at, room, &bytes);

		if (s == IMAGE_STATUS_ERROR)
			r = (int)bytes;
		else if (s == IMAGE_STATUS_DATA)
			r = copy_stretch(from, to, at, (uint64_t)bytes, compress, buf, room);
		at += r ? 0 : (uint64_t)bytes;
		if (r == 0 && progress && !progress(opaque, at, from->bytes))
			r = -ECANCELED;
	}
	free(buf);
	return r ? r : image_flush(to);
}
