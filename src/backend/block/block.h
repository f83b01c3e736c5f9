/*
 * Disk images: opening them, reading and writing them from a program, and the disk a controller
 * sees (device/block.h). A format is one const row in its own file, listed in image.c.
 *
 * The functions below wait for the host. An open image may be used by several threads at once, but
 * writes that overlap in a cluster must not be under way together: disk.c sees to that for guests.
 */
#ifndef BACKEND_BLOCK_BLOCK_H
#define BACKEND_BLOCK_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "device/block.h"

struct image;
struct io_loop;

struct image_options {
	const char *format; /* "raw", "qcow2"; NULL: look */
	bool write;
	bool overlay;  /* writes go to a temporary file that nobody else sees */
	bool unsafe;   /* flush does not wait for the host's disk */
	bool alone;    /* without what backs it: only to look at it */
	bool unlocked; /* also if others write to it: only to look at its header */
	bool repair;   /* write to one that is marked corrupt, to repair it; nothing else */
	/* Told once of something wrong that a person should know; from any thread. May be NULL. */
	void (*warn)(void *opaque, const char *text);
	void *opaque;
};

/* Open an image and what it is backed by, locked against writers, or, to write, against all others.
 * 0 or -errno: -EBUSY if it is in use. */
int image_open(struct image **out, const char *path, const struct image_options *o,
	       struct error *err);
/* Writes back what is cached and closes it. 0 or -errno of writing; it is closed all the same. NULL
 * is fine. */
int image_close(struct image *m);

uint64_t image_bytes(const struct image *m); /* a multiple of 512 */
const char *image_format_name(const struct image *m);

/* All within the image, in bytes; 0 or -errno. Reading: any alignment. Writing: whole sectors. */
int image_read(struct image *m, uint64_t at, void *buf, uint64_t bytes);
int image_write(struct image *m, uint64_t at, const void *buf, uint64_t bytes);
int image_readv(struct image *m, uint64_t at, const struct io_piece *piece, unsigned pieces,
		uint64_t bytes);
int image_writev(struct image *m, uint64_t at, const struct io_piece *piece, unsigned pieces,
		 uint64_t bytes);
int image_zero(struct image *m, uint64_t at, uint64_t bytes, bool unmap);
int image_discard(struct image *m, uint64_t at, uint64_t bytes);
int image_flush(struct image *m);

/* What is at `at`: *bytes becomes how far it is alike, at most as it was. */
enum image_status {
	IMAGE_STATUS_ERROR = -1, /* *bytes is -errno */
	IMAGE_STATUS_ZERO,
	IMAGE_STATUS_DATA,
};
enum image_status image_status(struct image *m, uint64_t at, int64_t *bytes);

/* A disk on an image, for a controller. Takes the image, and closes it in disk_destroy: what that
 * cannot write back it says through warn. Make and destroy with the loop not running. */
struct disk;
int disk_create(struct disk **out, struct io_loop *l, struct image *m, struct error *err);
void disk_destroy(struct disk *d);
struct block_disk *disk_face(struct disk *d);

#endif
