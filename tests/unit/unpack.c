/* Unpacking: each format as its own library makes it, with room to spare, exact and too small, and
 * damaged. */
#include "test.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include <lz4.h>

#include "backend/unpack.h"
#include "base/bits.h"
#include "pack.h"

static uint8_t plain[PLAIN], out[PLAIN + 100];
static struct packed packed;

static void make_plain(void)
{
	uint32_t x = 1;

	for (int i = 0; i < PLAIN; i++) {
		x = x * 1103515245 + 12345;
		plain[i] = i & 64 ? (uint8_t)(x >> 24) : (uint8_t)(i >> 8);
	}
}

static void round_trip(void **state)
{
	struct error err;
	size_t len;

	make_plain();
	for (unsigned f = 0; f < FORMATS; f++) {
		formats[f].pack(plain, &packed);
		for (unsigned room = PLAIN; room <= PLAIN + 100; room += 100) {
			for (unsigned tail = 0; tail <= 4; tail += 4) {
				uint32_t size = PLAIN;

				memset(out, 0x55, sizeof(out));
				memcpy(packed.bytes + packed.len, &size, 4);
				len = room;
				err.text[0] = 0;
				/* LZ4's old frame has no end: the size is found there by the room
				 */
				if (formats[f].pack == pack_lz4_legacy && room > PLAIN && tail)
					continue;
				if (unpack(packed.bytes, packed.len + tail, out, &len, &err))
					fail_msg("%s, room %u, tail %u: %s", formats[f].name, room,
						 tail, err.text);
				assert_int_equal(len, PLAIN);
				assert_memory_equal(out, plain, PLAIN);
				assert_true(room > PLAIN || out[PLAIN] == 0x55);
			}
		}
	}
}

static void too_small(void **state)
{
	static const size_t rooms[] = {1, 1000, PLAIN - 1};
	struct error err;

	make_plain();
	for (unsigned f = 0; f < FORMATS; f++) {
		formats[f].pack(plain, &packed);
		for (unsigned i = 0; i < 3; i++) {
			size_t len = rooms[i];
			int r;

			out[rooms[i]] = 0x55;
			r = unpack(packed.bytes, packed.len, out, &len, &err);
			if (r != -ENOSPC)
				fail_msg("%s, room %zu: %d", formats[f].name, rooms[i], r);
			assert_int_equal(out[rooms[i]], 0x55);
		}
	}
}

/* Cut anywhere: an error, except where the old LZ4 frame is cut between two chunks. */
static void truncated(void **state)
{
	struct error err;
	size_t len;
	int r;

	make_plain();
	for (unsigned f = 0; f < FORMATS; f++) {
		formats[f].pack(plain, &packed);
		for (size_t cut = 6; cut < packed.len; cut += cut < 100 ? 1 : 997) {
			/* no byte beyond the end may be read: ASan sees it */
			uint8_t *copy = malloc(cut);

			memcpy(copy, packed.bytes, cut);
			len = sizeof(out);
			err.text[0] = 0;
			r = unpack(copy, cut, out, &len, &err);
			free(copy);
			if (!r && formats[f].pack == pack_lz4_legacy)
				continue;
			if (r != -EINVAL && r != -ENOSPC)
				fail_msg("%s cut to %zu: %d", formats[f].name, cut, r);
			assert_true(err.text[0] != 0);
		}
	}
}

static void unknown(void **state)
{
	struct error err;
	size_t len = sizeof(out);

	assert_int_equal(unpack((const uint8_t *)"abcdefgh", 8, out, &len, &err), -ENOEXEC);
	assert_non_null(strstr(err.text, "61 62 63 64"));
	for (unsigned n = 0; n < 2; n++) {
		len = sizeof(out);
		assert_int_equal(unpack((const uint8_t *)"\x1f\x8b", n, out, &len, &err), -ENOEXEC);
	}
}

static int stop(void *opaque, uint64_t at, const uint8_t *bytes, size_t len)
{
	return -EPERM;
}

/* Formats without pieces, and pieces whose places are not known, are told before there is one. */
static void no_pieces(void **state)
{
	struct error err;

	make_plain();
	for (unsigned f = 0; f < FORMATS; f++) {
		uint32_t size = PLAIN;

		formats[f].pack(plain, &packed);
		memcpy(packed.bytes + packed.len, &size, 4);
		assert_int_equal(
			unpack_pieces(packed.bytes, packed.len + 4, PLAIN, stop, NULL, &err),
			-ENOEXEC);
	}
}

enum { CHUNK = 8 << 20, CHUNKS = 5, TAIL = 12345 };

struct large {
	uint8_t packed[CHUNKS * (CHUNK / 128)];
	size_t packed_len, len;
	unsigned came[CHUNKS]; /* any thread */
	int fail_at;	       /* piece; -1: none */
};

/* Piece n is full of n + 1, all but the last are full of it, and one may be short. */
static void make_large(struct large *l, int short_one)
{
	uint8_t *buf = malloc(CHUNK);

	memcpy(l->packed, "\x02\x21\x4c\x18", 4);
	l->packed_len = 4;
	l->len = 0;
	for (int n = 0; n < CHUNKS; n++) {
		int len = n == CHUNKS - 1 ? TAIL : n == short_one ? CHUNK - 1 : CHUNK, got;
		uint8_t *to = l->packed + l->packed_len;

		memset(buf, n + 1, (size_t)len);
		got = LZ4_compress_default((char *)buf, (char *)to + 4, len,
					   (int)(sizeof(l->packed) - l->packed_len - 4));
		assert_true(got > 0);
		store_le32(to, (uint32_t)got);
		l->packed_len += 4 + (size_t)got;
		l->len += (size_t)len;
	}
	free(buf);
}

static int arrive(void *opaque, uint64_t at, const uint8_t *bytes, size_t len)
{
	struct large *l = opaque;
	unsigned n = (unsigned)(at / CHUNK);
	bool full = len == (n == CHUNKS - 1 ? TAIL : CHUNK);

	if (n && !__atomic_load_n(&l->came[0], __ATOMIC_ACQUIRE))
		return -EPROTO;
	if (at % CHUNK || n >= CHUNKS || !full || bytes[0] != n + 1 || bytes[len - 1] != n + 1)
		return -EBADMSG;
	__atomic_fetch_add(&l->came[n], 1, __ATOMIC_ACQ_REL);
	return (int)n == l->fail_at ? -EPERM : 0;
}

static int unpack_large(struct large *l, size_t len, int fail_at)
{
	struct error err;

	memset(l->came, 0, sizeof(l->came));
	l->fail_at = fail_at;
	return unpack_pieces(l->packed, l->packed_len, len, arrive, l, &err);
}

/* Whoever unpacks them, each comes once, to its place, and the first one before all others. */
static void many_pieces(void **state)
{
	struct large *l = malloc(sizeof(*l));
	unsigned came = 0;

	make_large(l, -1);
	for (unsigned times = 0; times < 5; times++) {
		assert_int_equal(unpack_large(l, l->len, -1), 0);
		for (unsigned n = 0; n < CHUNKS; n++)
			assert_int_equal(l->came[n], 1);
	}
	for (int n = 0; n < CHUNKS; n++)
		assert_int_equal(unpack_large(l, l->len, n), -EPERM);
	assert_int_equal(unpack_large(l, l->len, 0), -EPERM);
	for (unsigned n = 1; n < CHUNKS; n++)
		came += l->came[n];
	assert_int_equal(came, 0);
	assert_int_equal(unpack_large(l, l->len - 1, -1), -ENOSPC);
	assert_int_equal(unpack_large(l, 2 * CHUNK, -1), -ENOEXEC);
	make_large(l, 2);
	for (unsigned times = 0; times < 20; times++) /* whoever is first */
		assert_int_equal(unpack_large(l, l->len, -1), -ENOEXEC);
	free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_pieces), cmocka_unit_test(round_trip),
		cmocka_unit_test(too_small), cmocka_unit_test(truncated),
		cmocka_unit_test(unknown),   cmocka_unit_test(many_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
