/* Boot images from the host's files, whole into memory, with errors that name the file. */
#ifndef BACKEND_FILES_H
#define BACKEND_FILES_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Owned by whoever loaded it; file_unload frees it and leaves an empty one. */
struct file_image {
	uint8_t *bytes;
	size_t len;
};

/* Read the regular file at path, at most max bytes. what ("kernel", "initrd") starts the message.
 * 0 or -errno: -ENOENT, -EISDIR, -EACCES, -ENODATA (empty), -EFBIG, -EIO... */
int file_load(struct file_image *out, const char *what, const char *path, uint64_t max,
	      struct error *err);
void file_unload(struct file_image *f);

#endif
