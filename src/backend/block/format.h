/*
 * What image formats are made of, for the files of this directory. A format turns offsets of the
 * disk into places in its file; image.c does what all have in common, disk.c the queueing.
 */
#ifndef BACKEND_BLOCK_FORMAT_H
#define BACKEND_BLOCK_FORMAT_H

#include "backend/block/block.h"
#include "backend/block/file.h"

/* A stretch of a disk that lies in one place. */
struct image_extent {
	enum { EXTENT_DATA, EXTENT_ZERO, EXTENT_WAIT } kind; /* WAIT: cannot be told at once */
	struct image_file *file;			     /* DATA */
	uint64_t at, bytes;
};

struct image_check;
struct image_create;
struct image_info;

struct image_format {
	const char *name, *text;
	/* Is this the beginning of one? NULL: any file is one, if nothing else says it is. */
	bool (*probe)(const uint8_t *head, size_t len);
	/* m->file is open; sets m->bytes and m->state, opens m->backing. 0 or -errno. */
	int (*open)(struct image *m, const struct image_options *o, struct error *err);
	/* Write back what is cached; free state. 0 or -errno of writing. */
	int (*close)(struct image *m);

	/* Make a new one in an empty file. */
	int (*create)(struct image_file *f, const struct image_create *c, struct error *err);

	int (*readv)(struct image *m, uint64_t at, const struct io_piece *piece, unsigned pieces,
		     uint64_t bytes);
	int (*writev)(struct image *m, uint64_t at, const struct io_piece *piece, unsigned pieces,
		      uint64_t bytes);
	/* A whole unit, compressed if that makes it smaller. NULL: cannot. */
	int (*write_packed)(struct image *m, uint64_t at, const void *buf, uint64_t bytes);
	int (*zero)(struct image *m, uint64_t at, uint64_t bytes, bool unmap);
	int (*discard)(struct image *m, uint64_t at, uint64_t bytes);
	int (*flush)(struct image *m);
	enum image_status (*status)(struct image *m, uint64_t at, int64_t *bytes);

	/* Where the longest stretch from `at` is, at most bytes, without waiting for anything. For
	 * write: only if it can be written in place. */
	void (*map)(struct image *m, uint64_t at, uint64_t bytes, bool write,
		    struct image_extent *out);
	/* What map said stays as it is between these, to whoever may use it; leave gets what enter
	 * returned. NULL: always does. */
	unsigned (*enter)(struct image *m);
	void (*leave)(struct image *m, unsigned token);
	/* NULL: nothing to say, nothing to check. */
	void (*info)(struct image *m, struct image_info *out);
	int (*check)(struct image *m, bool repair, struct image_check *out, struct error *err);
};

enum {
	IMAGE_CHAIN_MAX = 32, /* images behind each other */
	IMAGE_NAME_MAX = 1024,
	IMAGE_HEAD = 512, /* bytes that probing looks at */
};

struct image {
	const struct image_format *format;
	struct image_file *file;
	struct image *backing; /* what it does not hold itself; NULL: zeroes */
	struct image *front;   /* what this one backs, or NULL */
	uint64_t bytes;	       /* size of the disk */
	bool readonly, probed, unsafe;
	uint32_t unit_bytes; /* writes into one of these may need each other's work: clusters */
	void *state;	     /* the format's */
	void (*warn)(void *opaque, const char *text);
	void *opaque;
	bool warned; /* atomically */
};

extern const struct image_format *const image_formats[]; /* NULL-terminated */
extern const struct image_format image_raw, image_qcow2;

/* Make m, whose file is new and whose size is set, a throw-away image on top of base, which it then
 * owns. 0 or -errno: base is still the caller's. */
int image_qcow2_overlay(struct image *m, struct image *base, struct error *err);

/* Say something once in the life of an image, with its name before it. */
void image_warn(struct image *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Open what m is backed by: name as written in m, which may be beside it. */
int image_open_backing(struct image *m, const char *name, const char *format, struct error *err);
/* -EPERM if a write to an image that only looks raw would make it look like something else. */
int image_guard(struct image *m, uint64_t at, const struct io_piece *piece, unsigned pieces);
unsigned image_enter(struct image *m);
void image_leave(struct image *m, unsigned token);

/* Data of the backing image, zeroes past its end. */
int image_read_backing(struct image *m, uint64_t at, const struct io_piece *piece, unsigned pieces,
		       uint64_t bytes);

#endif
