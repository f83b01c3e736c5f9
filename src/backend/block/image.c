/* Opening images: which format, what backs it, and what all formats have in common. */
#include "backend/block/format.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"

const struct image_format *const image_formats[] = {
	&image_qcow2,
	&image_raw, /* last: takes everything */
	NULL,
};

/* What others write and nobody here reads: not to be taken for raw by accident. */
static const struct {
	const char *name, *magic;
	unsigned at, len;
} strangers[] = {
	{"VMDK", "KDMV", 0, 4},
	{"VMDK", "COWD", 0, 4},
	{"VMDK", "# Disk Desc", 0, 11},
	{"VHDX", "vhdxfile", 0, 8},
	{"VHD", "conectix", 0, 8},
	{"VDI", "\x7f\x10\xda\xbe", 64, 4},
	{"QED", "QED\0", 0, 4},
	{"Parallels", "WithoutFreeSpace", 0, 16},
	{"Parallels", "WithouFreSpacExt", 0, 16},
	{"LUKS", "LUKS\xba\xbe", 0, 6},
};

static const char *stranger(const uint8_t head[IMAGE_HEAD])
{
	for (unsigned i = 0; i < ARRAY_LEN(strangers); i++)
		if (memcmp(head + strangers[i].at, strangers[i].magic, strangers[i].len) == 0)
			return strangers[i].name;
	return NULL;
}

static const struct image_format *recognise(const uint8_t head[IMAGE_HEAD])
{
	for (unsigned i = 0; image_formats[i]; i++)
		if (!image_formats[i]->probe || image_formats[i]->probe(head, IMAGE_HEAD))
			return image_formats[i];
	return NULL;
}

static int choose_format(struct image *m, const char *name, struct error *err)
{
	uint8_t head[IMAGE_HEAD];
	const char *other;
	int r;

	for (unsigned i = 0; name && image_formats[i]; i++)
		if (strcmp(image_formats[i]->name, name) == 0) {
			m->format = image_formats[i];
			return 0;
		}
	if (name)
		return error_set(err, -EINVAL, "disk %s: there is no format %s: raw or qcow2",
				 m->file->path, name);
	r = image_file_read(m->file, 0, head, sizeof(head));
	if (r)
		return error_set(err, r, "disk %s: cannot read: %s", m->file->path, strerror(-r));
	other = stranger(head);
	if (other)
		return error_set(err, -ENOTSUP,
				 "disk %s: looks like a %s image, which is not supported; if it is "
				 "not one, say format=raw",
				 m->file->path, other);
	m->format = recognise(head);
	m->probed = m->format->probe == NULL;
	return 0;
}

/* ---- opening */

static void image_free(struct image *m)
{
	image_file_close(m->file);
	free(m);
}

static int check_chain(struct image *m, struct error *err)
{
	unsigned depth = 1;

	for (struct image *i = m->front; i; i = i->front) {
		if (i->file->dev == m->file->dev && i->file->ino == m->file->ino)
			return error_set(err, -ELOOP, "disk %s: is its own backing file",
					 m->file->path);
		if (++depth > IMAGE_CHAIN_MAX)
			return error_set(err, -ELOOP, "disk %s: more than %d images on each other",
					 m->file->path, IMAGE_CHAIN_MAX);
	}
	return 0;
}

static int open_one(struct image **out, const char *path, const struct image_options *o,
		    struct image *front, struct error *err)
{
	struct image *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return error_set(err, -ENOMEM, "out of memory");
	m->front = front;
	m->readonly = !o->write;
	m->unsafe = o->unsafe;
	m->warn = o->warn;
	m->opaque = o->opaque;
	m->unit_bytes = BLOCK_SECTOR;
	r = image_file_open(&m->file, path, o->write ? IMAGE_FILE_WRITE : IMAGE_FILE_READ, err);
	if (r == 0)
		r = check_chain(m, err);
	if (r == 0 && !o->unlocked)
		r = image_file_lock(m->file, err);
	if (r == 0)
		r = choose_format(m, o->format, err);
	if (r == 0) {
		m->file->unsafe |= o->unsafe;
		r = m->format->open(m, o, err);
	}
	if (r) {
		image_free(m);
		return r;
	}
	*out = m;
	return 0;
}

/* A name in an image is beside the image unless it begins with a slash. */
static int backing_path(char path[PATH_MAX], struct image *m, const char *name, struct error *err)
{
	const char *slash = strrchr(m->file->path, '/');
	size_t protocol;
	int n;

	if (strncmp(name, "file:", 5) == 0)
		name += 5;
	protocol = strcspn(name, ":/");
	if (name[protocol] == ':')
		return error_set(
			err, -ENOTSUP,
			"disk %s: its backing image %s is not a file; only files are supported",
			m->file->path, name);
	if (*name == '/' || !slash)
		n = snprintf(path, PATH_MAX, "%s", name);
	else
		n = snprintf(path, PATH_MAX, "%.*s/%s", (int)(slash - m->file->path), m->file->path,
			     name);
	if (n >= PATH_MAX)
		return error_set(err, -ENAMETOOLONG,
				 "disk %s: the name of its backing image is too long",
				 m->file->path);
	return 0;
}

int image_open_backing(struct image *m, const char *name, const char *format, struct error *err)
{
	struct image_options o = {.format = format, .warn = m->warn, .opaque = m->opaque};
	struct error why = {{0}};
	char path[PATH_MAX];
	int r = backing_path(path, m, name, err);

	if (r)
		return r;
	r = open_one(&m->backing, path, &o, m, &why);
	if (r && strncmp(why.text, "disk ", 5) == 0 && !strstr(why.text, ", backing "))
		return error_set(err, r, "disk %s, backing %s", why.text + 5, m->file->path);
	return r ? error_set(err, r, "%s", why.text) : 0;
}

/* A temporary image on top; what was opened becomes its backing image. */
static int put_overlay(struct image **io, const struct image_options *o, struct error *err)
{
	struct image *m = calloc(1, sizeof(*m)), *base = *io;
	int r;

	if (!m)
		return error_set(err, -ENOMEM, "out of memory");
	m->format = &image_qcow2;
	m->bytes = base->bytes;
	m->unsafe = true;
	m->warn = o->warn;
	m->opaque = o->opaque;
	r = image_file_temporary(&m->file, err);
	if (r == 0)
		r = image_qcow2_overlay(m, base, err);
	if (r) {
		image_free(m);
		return r;
	}
	base->front = m;
	*io = m;
	return 0;
}

int image_open(struct image **out, const char *path, const struct image_options *o,
	       struct error *err)
{
	struct image_options one = *o;
	struct image *m;
	int r;

	*out = NULL;
	one.write &= !o->overlay;
	r = open_one(&m, path, &one, NULL, err);
	if (r)
		return r;
	if (o->overlay) {
		r = put_overlay(&m, o, err);
		if (r) {
			image_close(m);
			return r;
		}
	}
	*out = m;
	return 0;
}

int image_close(struct image *m)
{
	int r;

	if (!m)
		return 0;
	r = m->format->close(m);
	if (r) {
		m->warned = false; /* this is worth saying in any case */
		image_warn(m, "not all could be written back: %s", strerror(-r));
	}
	image_close(m->backing);
	image_free(m);
	return r;
}

uint64_t image_bytes(const struct image *m)
{
	return m->bytes;
}

const char *image_format_name(const struct image *m)
{
	return m->format->name;
}

void image_warn(struct image *m, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int n;

	if (__atomic_exchange_n(&m->warned, true, __ATOMIC_RELAXED) || !m->warn)
		return;
	n = snprintf(text, sizeof(text), "disk %.300s: ", m->file->path);
	va_start(ap, fmt);
	vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	va_end(ap);
	m->warn(m->opaque, text);
}

/* ---- what all formats have in common */

int image_guard(struct image *m, uint64_t at, const struct io_piece *piece, unsigned pieces)
{
	uint8_t head[IMAGE_HEAD];
	struct io_piece part[BLOCK_PIECES_MAX];
	unsigned n, filled = 0;
	const char *other;

	if (!m->probed || at != 0)
		return 0;
	n = image_pieces_cut(part, piece, pieces, 0, sizeof(head));
	for (unsigned i = 0; i < n; i++) {
		memcpy(head + filled, part[i].base, part[i].len);
		filled += (unsigned)part[i].len;
	}
	if (filled < sizeof(head))
		return 0;
	other = stranger(head);
	if (!other && recognise(head)->probe)
		other = recognise(head)->name;
	if (!other)
		return 0;
	image_warn(m,
		   "a write that would make it look like a %s image was refused; with format=raw "
		   "it is allowed",
		   other);
	return -EPERM;
}

static int check_range(const struct image *m, uint64_t at, uint64_t bytes, bool write)
{
	if (write && m->readonly)
		return -EROFS;
	if (write && (at | bytes) % BLOCK_SECTOR)
		return -EINVAL;
	return at > m->bytes || bytes > m->bytes - at ? -EINVAL : 0;
}

unsigned image_enter(struct image *m)
{
	return m->format->enter ? m->format->enter(m) : 0;
}

void image_leave(struct image *m, unsigned token)
{
	if (m->format->leave)
		m->format->leave(m, token);
}

int image_readv(struct image *m, uint64_t at, const struct io_piece *piece, unsigned pieces,
		uint64_t bytes)
{
	int r = check_range(m, at, bytes, false);

	return r ? r : m->format->readv(m, at, piece, pieces, bytes);
}

int image_writev(struct image *m, uint64_t at, const struct io_piece *piece, unsigned pieces,
		 uint64_t bytes)
{
	int r = check_range(m, at, bytes, true);

	if (r == 0)
		r = image_guard(m, at, piece, pieces);
	return r ? r : m->format->writev(m, at, piece, pieces, bytes);
}

int image_read(struct image *m, uint64_t at, void *buf, uint64_t bytes)
{
	struct io_piece p = {buf, (size_t)bytes};

	return image_readv(m, at, &p, 1, bytes);
}

int image_write(struct image *m, uint64_t at, const void *buf, uint64_t bytes)
{
	struct io_piece p = {(void *)buf, (size_t)bytes};

	return image_writev(m, at, &p, 1, bytes);
}

int image_zero(struct image *m, uint64_t at, uint64_t bytes, bool unmap)
{
	int r = check_range(m, at, bytes, true);

	return r ? r : m->format->zero(m, at, bytes, unmap);
}

int image_discard(struct image *m, uint64_t at, uint64_t bytes)
{
	int r = check_range(m, at, bytes, true);

	return r ? r : m->format->discard(m, at, bytes);
}

int image_flush(struct image *m)
{
	return m->readonly ? 0 : m->format->flush(m);
}

enum image_status image_status(struct image *m, uint64_t at, int64_t *bytes)
{
	int64_t left = (int64_t)(m->bytes - at);

	if (at >= m->bytes) {
		*bytes = -EINVAL;
		return IMAGE_STATUS_ERROR;
	}
	if (*bytes > left)
		*bytes = left;
	return m->format->status(m, at, bytes);
}

int image_read_backing(struct image *m, uint64_t at, const struct io_piece *piece, unsigned pieces,
		       uint64_t bytes)
{
	struct image *b = m->backing;
	uint64_t there = b && at < b->bytes ? b->bytes - at : 0;
	struct io_piece part[BLOCK_PIECES_MAX];
	unsigned n;

	if (there >= bytes)
		return b->format->readv(b, at, piece, pieces, bytes);
	image_pieces_zero(piece, pieces, there, bytes - there);
	if (!there)
		return 0;
	n = image_pieces_cut(part, piece, pieces, 0, there);
	return b->format->readv(b, at, part, n, there);
}
