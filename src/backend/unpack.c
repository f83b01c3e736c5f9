#include "backend/unpack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bzlib.h>
#include <lz4.h>
#include <lz4frame.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "base/bits.h"
#include "host/host.h"

static int damaged(struct error *err, const char *format)
{
	return error_set(err, -EINVAL, "damaged %s stream", format);
}

static int too_large(struct error *err, const char *format)
{
	return error_set(err, -ENOSPC, "%s stream is larger than it says", format);
}

static int unpack_gzip(const uint8_t *in, size_t in_len, uint8_t *out, size_t *out_len,
		       struct error *err)
{
	enum { GZIP_WINDOW = 15 + 16 };
	z_stream z = {.next_in = (uint8_t *)(uintptr_t)in,
		      .avail_in = (uInt)in_len,
		      .next_out = out,
		      .avail_out = (uInt)*out_len};
	int r;

	if (in_len > UINT32_MAX || *out_len > UINT32_MAX || inflateInit2(&z, GZIP_WINDOW) != Z_OK)
		return damaged(err, "gzip");
	r = inflate(&z, Z_FINISH);
	*out_len = z.total_out;
	inflateEnd(&z);
	if (r == Z_STREAM_END)
		return 0;
	return r == Z_BUF_ERROR && !z.avail_out ? too_large(err, "gzip") : damaged(err, "gzip");
}

static int unpack_bzip2(const uint8_t *in, size_t in_len, uint8_t *out, size_t *out_len,
			struct error *err)
{
	bz_stream z = {.next_in = (char *)(uintptr_t)in,
		       .avail_in = (unsigned)in_len,
		       .next_out = (char *)out,
		       .avail_out = (unsigned)*out_len};
	unsigned before;
	int r;

	if (in_len > UINT32_MAX || *out_len > UINT32_MAX || BZ2_bzDecompressInit(&z, 0, 0) != BZ_OK)
		return damaged(err, "bzip2");
	do {
		before = z.avail_in + z.avail_out;
		r = BZ2_bzDecompress(&z);
	} while (r == BZ_OK && z.avail_in + z.avail_out != before);
	*out_len -= z.avail_out;
	BZ2_bzDecompressEnd(&z);
	if (r == BZ_STREAM_END)
		return 0;
	return r == BZ_OK && !z.avail_out ? too_large(err, "bzip2") : damaged(err, "bzip2");
}

/* xz and the older .lzma: liblzma tells them apart. */
static int unpack_lzma(const uint8_t *in, size_t in_len, uint8_t *out, size_t *out_len,
		       struct error *err)
{
	enum { LZMA_MEMORY_MAX = 1 << 28 }; /* a dictionary of 128 MiB is what Linux uses at most */
	lzma_stream z = LZMA_STREAM_INIT;
	lzma_ret r;

	if (lzma_auto_decoder(&z, LZMA_MEMORY_MAX, 0) != LZMA_OK)
		return damaged(err, "xz");
	z.next_in = in;
	z.avail_in = in_len;
	z.next_out = out;
	z.avail_out = *out_len;
	do {
		r = lzma_code(&z, LZMA_RUN);
	} while (r == LZMA_OK); /* without progress it says so */
	*out_len = z.total_out;
	lzma_end(&z);
	if (r == LZMA_STREAM_END)
		return 0;
	return r == LZMA_BUF_ERROR && !z.avail_out ? too_large(err, "xz") : damaged(err, "xz");
}

enum { LZ4_MAGIC = 0x184c2102, LZ4_MAGIC_BYTES = 4, LZ4_CHUNK_MAX = 8 << 20 };

/* The legacy frame: chunks of a length word and a block, until the input ends or the appended size
 * is met. */
struct lz4_chunks {
	const uint8_t *in;
	size_t in_len, at;
	size_t made, room; /* so far, at most */
};

/* Unpack the next chunk to out: the bytes, 0 at the end, -EINVAL, -ENOSPC. */
static int lz4_chunk(struct lz4_chunks *c, uint8_t *out, struct error *err)
{
	while (c->in_len - c->at >= 8 || (c->in_len - c->at >= 4 && c->made < c->room)) {
		uint32_t n = load_le32(c->in + c->at);
		size_t left = c->room - c->made, room = left < LZ4_CHUNK_MAX ? left : LZ4_CHUNK_MAX;
		int got;

		c->at += 4;
		if (n == LZ4_MAGIC) /* another stream follows */
			continue;
		if (!n || n > c->in_len - c->at)
			return damaged(err, "LZ4");
		got = LZ4_decompress_safe((const char *)c->in + c->at, (char *)out, (int)n,
					  (int)room);
		if (got < 0) /* no telling why; with room for any chunk, damage it is */
			return room < LZ4_CHUNK_MAX ? too_large(err, "LZ4") : damaged(err, "LZ4");
		c->made += (size_t)got;
		c->at += n;
		if (got)
			return got;
	}
	return 0;
}

static int unpack_lz4(const uint8_t *in, size_t in_len, uint8_t *out, size_t *out_len,
		      struct error *err)
{
	struct lz4_chunks c = {in, in_len, LZ4_MAGIC_BYTES, 0, *out_len};
	int r;

	while ((r = lz4_chunk(&c, out + c.made, err)) > 0)
		;
	if (!r)
		*out_len = c.made;
	return r;
}

/*
 * By pieces: all chunks but the last are full, so that each one's place is known. Two threads take
 * one after the other. The first is the caller's, and nothing else is put before it has been.
 */
enum { LZ4_PIECES_MAX = 256 };

struct lz4_pieces {
	size_t len; /* of all */
	int (*put)(void *opaque, uint64_t at, const uint8_t *bytes, size_t len);
	void *opaque;
	struct {
		const uint8_t *in;
		uint32_t len;
	} piece[LZ4_PIECES_MAX];
	unsigned count;
	unsigned next; /* any thread: nobody has taken it or what follows */
	/* any thread: number and error of the first of them that went wrong, or ~0. What follows
	   it goes wrong differently. */
	uint64_t failed;
	struct host_event began;
};

static int say_failed(int r, struct error *err)
{
	if (r == -EINVAL)
		return damaged(err, "LZ4");
	if (r == -ENOSPC)
		return too_large(err, "LZ4");
	return r ? error_set(err, r, "not in pieces that stand alone") : 0;
}

static int find_pieces(struct lz4_pieces *p, const uint8_t *in, size_t in_len, struct error *err)
{
	size_t at = LZ4_MAGIC_BYTES, room = p->len;

	while (in_len - at >= 8 || (in_len - at >= 4 && room)) {
		uint32_t n = load_le32(in + at);

		at += 4;
		if (n == LZ4_MAGIC) /* another stream follows */
			continue;
		if (!n || n > in_len - at)
			return damaged(err, "LZ4");
		if (!room || p->count == LZ4_PIECES_MAX)
			return say_failed(-ENOEXEC, err); /* too large, or not all of them full */
		p->piece[p->count].in = in + at;
		p->piece[p->count++].len = n;
		room -= room < LZ4_CHUNK_MAX ? room : LZ4_CHUNK_MAX;
		at += n;
	}
	return 0;
}

/* -ENOEXEC: it is not full, so what follows is not where it was looked for. */
static int unpack_piece(const struct lz4_pieces *p, unsigned n, uint8_t *buf, size_t *len)
{
	size_t left = p->len - (size_t)n * LZ4_CHUNK_MAX;
	int got;

	*len = left < LZ4_CHUNK_MAX ? left : LZ4_CHUNK_MAX;
	got = LZ4_decompress_safe((const char *)p->piece[n].in, (char *)buf, (int)p->piece[n].len,
				  (int)*len);
	if (got < 0) /* no telling why; with room for any chunk, damage it is */
		return *len < LZ4_CHUNK_MAX ? -ENOSPC : -EINVAL;
	return (size_t)got < *len ? -ENOEXEC : 0;
}

static bool has_failed(const struct lz4_pieces *p)
{
	return __atomic_load_n(&p->failed, __ATOMIC_ACQUIRE) != UINT64_MAX;
}

static void fail(struct lz4_pieces *p, unsigned n, int r)
{
	uint64_t mine = (uint64_t)n << 32 | (uint32_t)r;
	uint64_t first = __atomic_load_n(&p->failed, __ATOMIC_ACQUIRE);

	while (mine < first && !__atomic_compare_exchange_n(&p->failed, &first, mine, false,
							    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		;
}

static void take_piece(struct lz4_pieces *p, unsigned n, uint8_t *buf, bool wait)
{
	size_t len;
	int r;

	r = unpack_piece(p, n, buf, &len);
	if (wait)
		host_event_wait(&p->began, UINT64_MAX);
	if (!r && !has_failed(p))
		r = p->put(p->opaque, (uint64_t)n * LZ4_CHUNK_MAX, buf, len);
	if (r)
		fail(p, n, r);
}

static void take_pieces(struct lz4_pieces *p, uint8_t *buf, bool wait)
{
	unsigned n;

	while (!has_failed(p) &&
	       (n = __atomic_fetch_add(&p->next, 1, __ATOMIC_RELAXED)) < p->count) {
		take_piece(p, n, buf, wait);
		wait = false;
	}
}

static void take_pieces_too(void *opaque)
{
	struct lz4_pieces *p = opaque;
	uint8_t *buf = malloc(LZ4_CHUNK_MAX);

	if (buf)
		take_pieces(p, buf, true);
	free(buf);
}

static void unpack_found(struct lz4_pieces *p, uint8_t *buf)
{
	struct host_thread helper;
	bool helped;

	p->next = 1;
	host_event_init(&p->began);
	helped = p->count > 1 && host_cpu_count() > 1 &&
		 !host_thread_start(&helper, "unpack", take_pieces_too, p);
	if (p->count)
		take_piece(p, 0, buf, false);
	host_event_signal(&p->began);
	take_pieces(p, buf, false);
	if (helped)
		host_thread_join(&helper);
	host_event_destroy(&p->began);
}

int unpack_pieces(const uint8_t *in, size_t in_len, size_t len,
		  int (*piece)(void *opaque, uint64_t at, const uint8_t *bytes, size_t len),
		  void *opaque, struct error *err)
{
	struct lz4_pieces p = {.len = len, .put = piece, .opaque = opaque, .failed = UINT64_MAX};
	uint8_t *buf;
	int r;

	if (in_len < LZ4_MAGIC_BYTES || load_le32(in) != LZ4_MAGIC)
		return error_set(err, -ENOEXEC, "not in pieces that stand alone");
	r = find_pieces(&p, in, in_len, err);
	if (r)
		return r;
	buf = malloc(LZ4_CHUNK_MAX);
	if (!buf)
		return error_set(err, -ENOMEM, "out of memory for LZ4");
	unpack_found(&p, buf);
	free(buf);
	return say_failed(has_failed(&p) ? (int)(uint32_t)p.failed : 0, err);
}

/* What the lz4 command writes unless told otherwise. */
static int unpack_lz4_frame(const uint8_t *in, size_t in_len, uint8_t *out, size_t *out_len,
			    struct error *err)
{
	size_t at = 0, made = 0, more = 1;
	LZ4F_dctx *z;

	if (LZ4F_isError(LZ4F_createDecompressionContext(&z, LZ4F_VERSION)))
		return error_set(err, -ENOMEM, "out of memory for LZ4");
	while (more && !LZ4F_isError(more)) {
		size_t room = *out_len - made, left = in_len - at;
		more = LZ4F_decompress(z, out + made, &room, in + at, &left, NULL);
		made += room;
		at += left;
		if (!room && !left)
			break;
	}
	LZ4F_freeDecompressionContext(z);
	if (more == 0) {
		*out_len = made;
		return 0;
	}
	return made == *out_len && !LZ4F_isError(more) ? too_large(err, "LZ4")
						       : damaged(err, "LZ4");
}

static int unpack_zstd(const uint8_t *in, size_t in_len, uint8_t *out, size_t *out_len,
		       struct error *err)
{
	ZSTD_DStream *z = ZSTD_createDStream();
	ZSTD_inBuffer i = {in, in_len, 0};
	ZSTD_outBuffer o = {out, *out_len, 0};
	size_t r, before;

	if (!z)
		return error_set(err, -ENOMEM, "out of memory for zstd");
	do {
		before = i.pos + o.pos;
		r = ZSTD_decompressStream(z, &o, &i);
	} while (!ZSTD_isError(r) && r && i.pos + o.pos != before);
	ZSTD_freeDStream(z);
	*out_len = o.pos;
	if (r == 0)
		return 0;
	return o.pos == o.size ? too_large(err, "zstd") : damaged(err, "zstd");
}

int unpack(const uint8_t *in, size_t in_len, uint8_t *out, size_t *out_len, struct error *err)
{
	/* clang-format off */
	static const struct {
		const char *magic;
		size_t len;
		int (*fn)(const uint8_t *, size_t, uint8_t *, size_t *, struct error *);
	} formats[] = {
		{"\x1f\x8b",		2, unpack_gzip},
		{"BZh",			3, unpack_bzip2},
		{"\xfd" "7zXZ",		5, unpack_lzma},
		{"\x5d\0\0",		3, unpack_lzma},
		{"\x02\x21\x4c\x18",	4, unpack_lz4},
		{"\x04\x22\x4d\x18",	4, unpack_lz4_frame},
		{"\x28\xb5\x2f\xfd",	4, unpack_zstd},
	};
	/* clang-format on */

	for (size_t i = 0; i < ARRAY_LEN(formats); i++)
		if (in_len > formats[i].len && memcmp(in, formats[i].magic, formats[i].len) == 0)
			return formats[i].fn(in, in_len, out, out_len, err);
	return error_set(err, -ENOEXEC, "unknown compression (first bytes %02x %02x %02x %02x)",
			 in_len > 0 ? in[0] : 0, in_len > 1 ? in[1] : 0, in_len > 2 ? in[2] : 0,
			 in_len > 3 ? in[3] : 0);
}
