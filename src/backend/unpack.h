/* Decompressing kernel payloads and initrds, by the libraries that know the formats. */
#ifndef BACKEND_UNPACK_H
#define BACKEND_UNPACK_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * Unpack in[0..in_len) into out, which has room for *out_len bytes; *out_len becomes the size. The
 * format is told by its magic: gzip, bzip2, LZMA, xz, LZ4 (the legacy frame that the Linux build
 * uses, and the current one) or zstd. Bytes after the end of the stream are ignored (Linux appends
 * the size). 0, -ENOEXEC (unknown format), -EINVAL (damaged), -ENOSPC (larger than room), each with
 * a message.
 */
int unpack(const uint8_t *in, size_t in_len, uint8_t *out, size_t *out_len, struct error *err);

/*
 * The same by pieces of at most 8 MiB, len bytes in all or fewer, which are handed to piece() with
 * their place and gone when it returns. The first comes first, the others in any order and from two
 * threads at the same time. Only for the format whose pieces stand alone: LZ4's legacy frame, with
 * all pieces but the last full; others are -ENOEXEC. What piece() returns, if it is not 0, ends it.
 */
int unpack_pieces(const uint8_t *in, size_t in_len, size_t len,
		  int (*piece)(void *opaque, uint64_t at, const uint8_t *bytes, size_t len),
		  void *opaque, struct error *err);

#endif
