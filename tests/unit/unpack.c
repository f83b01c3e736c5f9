/* Unpacking: each format as its own library makes it, with room to spare, exact and too small, and
 * damaged. */
#include "test.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "backend/unpack.h"
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

static int collect(void *opaque, const uint8_t *bytes, size_t len)
{
	size_t *at = opaque;

	memcpy(out + *at, bytes, len);
	*at += len;
	return 0;
}

static int stop(void *opaque, const uint8_t *bytes, size_t len)
{
	++*(size_t *)opaque;
	return -EPERM;
}

/* By pieces the same comes of it, in order; formats without pieces are told before there is one. */
static void pieces(void **state)
{
	struct error err;

	make_plain();
	for (unsigned f = 0; f < FORMATS; f++) {
		bool has = formats[f].pack == pack_lz4_legacy;
		size_t at = 0, calls = 0;
		uint32_t size = PLAIN;

		formats[f].pack(plain, &packed);
		memcpy(packed.bytes + packed.len, &size, 4);
		memset(out, 0x55, sizeof(out));
		assert_int_equal(
			unpack_pieces(packed.bytes, packed.len + 4, PLAIN, collect, &at, &err),
			has ? 0 : -ENOEXEC);
		assert_int_equal(at, has ? PLAIN : 0);
		assert_true(!has || !memcmp(out, plain, PLAIN));
		assert_int_equal(unpack_pieces(packed.bytes, packed.len, PLAIN, stop, &calls, &err),
				 has ? -EPERM : -ENOEXEC);
		assert_int_equal(calls, has);
		if (has)
			assert_int_equal(unpack_pieces(packed.bytes, packed.len, PLAIN - 1, collect,
						       (at = 0, &at), &err),
					 -ENOSPC);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces),    cmocka_unit_test(round_trip),
		cmocka_unit_test(too_small), cmocka_unit_test(truncated),
		cmocka_unit_test(unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
