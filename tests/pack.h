/* Compressed streams of each format that unpack knows, made by the format's own library. */
#ifndef TESTS_PACK_H
#define TESTS_PACK_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <bzlib.h>
#include <lz4.h>
#include <lz4frame.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#define PACK_CHECK(cond)                                                                           \
	do {                                                                                       \
		if (!(cond))                                                                       \
			abort();                                                                   \
	} while (0)

enum { PLAIN = 100000, PACKED_MAX = 2 * PLAIN };

struct packed {
	uint8_t bytes[PACKED_MAX];
	size_t len;
};

static inline void pack_gzip(const uint8_t *in, struct packed *p)
{
	z_stream z = {.next_in = (uint8_t *)(uintptr_t)in,
		      .avail_in = PLAIN,
		      .next_out = p->bytes,
		      .avail_out = PACKED_MAX};

	deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
	PACK_CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END);
	p->len = z.total_out;
	deflateEnd(&z);
}

static inline void pack_bzip2(const uint8_t *in, struct packed *p)
{
	unsigned len = PACKED_MAX;

	PACK_CHECK(BZ2_bzBuffToBuffCompress((char *)p->bytes, &len, (char *)(uintptr_t)in, PLAIN, 1,
					    0, 0) == BZ_OK);
	p->len = len;
}

static inline void pack_xz(const uint8_t *in, struct packed *p)
{
	p->len = 0;
	PACK_CHECK(lzma_easy_buffer_encode(1, LZMA_CHECK_CRC32, NULL, in, PLAIN, p->bytes, &p->len,
					   PACKED_MAX) == LZMA_OK);
}

/* Of unknown length, with an end marker, as "lzma" does it in a pipe. */
static inline void pack_lzma(const uint8_t *in, struct packed *p)
{
	lzma_stream z = LZMA_STREAM_INIT;
	lzma_options_lzma options;

	lzma_lzma_preset(&options, 1);
	PACK_CHECK(lzma_alone_encoder(&z, &options) == LZMA_OK);
	z.next_in = in;
	z.avail_in = PLAIN;
	z.next_out = p->bytes;
	z.avail_out = PACKED_MAX;
	PACK_CHECK(lzma_code(&z, LZMA_FINISH) == LZMA_STREAM_END);
	p->len = z.total_out;
	lzma_end(&z);
}

static inline void pack_lz4_legacy(const uint8_t *in, struct packed *p)
{
	int n;

	memcpy(p->bytes, "\x02\x21\x4c\x18", 4);
	p->len = 4;
	for (int half = 0; half < 2; half++) {
		n = LZ4_compress_default((const char *)in + half * PLAIN / 2,
					 (char *)p->bytes + p->len + 4, PLAIN / 2, PLAIN);
		PACK_CHECK(n > 0);
		memcpy(p->bytes + p->len, &n, 4);
		p->len += 4 + (size_t)n;
	}
}

static inline void pack_lz4_frame(const uint8_t *in, struct packed *p)
{
	p->len = LZ4F_compressFrame(p->bytes, PACKED_MAX, in, PLAIN, NULL);
	PACK_CHECK(!LZ4F_isError(p->len));
}

static inline void pack_zstd(const uint8_t *in, struct packed *p)
{
	p->len = ZSTD_compress(p->bytes, PACKED_MAX, in, PLAIN, 1);
	PACK_CHECK(!ZSTD_isError(p->len));
}

static const struct {
	const char *name;
	void (*pack)(const uint8_t *in, struct packed *p);
} formats[] = {
	{"gzip", pack_gzip}, {"bzip2", pack_bzip2},    {"xz", pack_xz},
	{"lzma", pack_lzma}, {"lz4", pack_lz4_legacy}, {"lz4 frame", pack_lz4_frame},
	{"zstd", pack_zstd},
};

enum { FORMATS = sizeof(formats) / sizeof(formats[0]) };

#endif
