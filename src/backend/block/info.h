/* Making disk images and looking at them, for the commands that do. */
#ifndef BACKEND_BLOCK_INFO_H
#define BACKEND_BLOCK_INFO_H

#include "backend/block/block.h"

struct image_create {
	const char *format;
	uint64_t bytes; /* 0: as large as what backs it */
	const char *backing, *backing_format;
	/* qcow2: */
	unsigned cluster_bits;	 /* 9 to 21 */
	unsigned refcount_order; /* log2 of their bits: 0 to 6 */
	bool v2, zstd, lazy_refcounts;
	bool extended_l2; /* subclusters; cluster_bits 14 or more, not v2 */
	bool overwrite; /* a file that is there */
};

struct image_info {
	const char *format;
	uint64_t bytes, file_bytes, space_bytes;
	char backing[1024], backing_format[16];
	unsigned version, cluster_bytes, refcount_bits, snapshots;
	bool zstd, lazy_refcounts, extended_l2, dirty, corrupt;
};

struct image_check {
	uint64_t clusters, used, packed; /* of the disk */
	uint64_t corruptions;		 /* what may lose or mix up data */
	uint64_t leaks;			 /* clusters of the file that are counted and not used */
	uint64_t corruptions_fixed, leaks_fixed;
	char first[160]; /* the first corruption found */
};

/* 0 or -errno: -EEXIST. */
int image_create(const char *path, const struct image_create *c, struct error *err);
/* Also of an image in use. */
int image_info_read(const char *path, const char *format, struct image_info *out,
		    struct error *err);
/* -ENOTSUP for formats without anything to check. */
int image_check(const char *path, const char *format, bool repair, struct image_check *out,
		struct error *err);

/* Copy a disk to an open image as large, leaving zeroes out; to is new and reads as zeroes.
 * progress may be NULL; it ends the copying by returning false: -ECANCELED. */
int image_copy(struct image *from, struct image *to, bool compress,
	       bool (*progress)(void *opaque, uint64_t done, uint64_t total), void *opaque);

#endif
