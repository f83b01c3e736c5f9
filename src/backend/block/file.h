/*
 * The host file an image is in: opening with locks, whole reads and writes at an offset, holes.
 * Block devices are files here. Functions return 0 or -errno and may be called from any thread.
 */
#ifndef BACKEND_BLOCK_FILE_H
#define BACKEND_BLOCK_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "device/iovec.h"

struct image_file {
	int fd;
	char *path; /* as given, for messages and for names beside it */
	bool readonly, block_device;
	bool unsafe;	/* sync does nothing */
	bool temporary; /* gone when it is closed */
	uint64_t bytes; /* when it was opened or last resized */
	dev_t dev;
	ino_t ino;
	/* What the host said it cannot do. Set by any thread, which may find out twice. */
	bool no_punch, no_zero, no_nowait;
	uint64_t slow_until_ns; /* writes took long: hand them on until then; the I/O thread's */
};

enum image_file_how { IMAGE_FILE_READ, IMAGE_FILE_WRITE, IMAGE_FILE_NEW };

/* NEW makes the file, or empties the one that is there, and locks it. Regular files and block
 * devices only. */
int image_file_open(struct image_file **out, const char *path, enum image_file_how how,
		    struct error *err);
/* -EBUSY with a message if somebody else writes to it or, if we will, uses it at all. */
int image_file_lock(struct image_file *f, struct error *err);
/* A nameless file in $TMPDIR or /tmp, gone when it is closed. */
int image_file_temporary(struct image_file **out, struct error *err);
void image_file_close(struct image_file *f);

/* All of it; what lies past the file's end reads as zeroes. */
int image_file_read(struct image_file *f, uint64_t at, void *buf, uint64_t bytes);
int image_file_readv(struct image_file *f, uint64_t at, const struct io_piece *piece,
		     unsigned pieces);
int image_file_write(struct image_file *f, uint64_t at, const void *buf, uint64_t bytes);
int image_file_writev(struct image_file *f, uint64_t at, const struct io_piece *piece,
		      unsigned pieces);
int image_file_sync(struct image_file *f);
/* Reads as zeroes afterwards. hole: without taking space. -ENOTSUP: write zeroes instead. */
int image_file_zero(struct image_file *f, uint64_t at, uint64_t bytes, bool hole);
/* Give space back; what it reads as is not said. Failing does no harm. */
void image_file_discard(struct image_file *f, uint64_t at, uint64_t bytes);
int image_file_resize(struct image_file *f, uint64_t bytes);
/* Data or a hole at `at`, and how far, at most to bytes. */
bool image_file_is_hole(struct image_file *f, uint64_t at, uint64_t *bytes);
/* Space it takes on the host, in bytes. */
uint64_t image_file_space(struct image_file *f);

/* As much as can be done without waiting for a device: bytes, or -EAGAIN, or another -errno. A
 * write may wait, but if it does the next ones are told -EAGAIN for a while. */
int64_t image_file_read_now(struct image_file *f, uint64_t at, const struct io_piece *piece,
			    unsigned pieces);
int64_t image_file_write_now(struct image_file *f, uint64_t at, const struct io_piece *piece,
			     unsigned pieces);

/* The part [skip, skip + bytes) of what the pieces hold, as pieces: fills out, which has room for
 * as many as there are, and returns how many. */
unsigned image_pieces_cut(struct io_piece *out, const struct io_piece *piece, unsigned pieces,
			  uint64_t skip, uint64_t bytes);
void image_pieces_zero(const struct io_piece *piece, unsigned pieces, uint64_t skip,
		       uint64_t bytes);
void image_pieces_fill(const struct io_piece *piece, unsigned pieces, uint64_t skip,
		       const uint8_t *from, uint64_t bytes);

#endif
