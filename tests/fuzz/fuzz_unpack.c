/*
 * Unpacking streams of every format with bytes changed and cut, into rooms of any size: it never
 * writes past the room or reads past the input, and says what it did.
 */
#include <errno.h>

#include "backend/unpack.h"
#include "fuzz.h"
#include "pack.h"

static void make_plain(uint8_t *plain)
{
	for (int i = 0; i < PLAIN; i++)
		plain[i] = (uint8_t)(i % 1000 < 500 ? i * i >> 3 : i >> 9);
}

/* The streams are made once; the fuzzer has no other state. */
static const struct packed *streams(void)
{
	static struct packed made[FORMATS];
	static uint8_t plain[PLAIN];

	if (!made[0].len) {
		make_plain(plain);
		for (unsigned f = 0; f < FORMATS; f++)
			formats[f].pack(plain, &made[f]);
	}
	return made;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const size_t rooms[] = {1, 4096, PLAIN - 1, PLAIN, PLAIN + 4096};
	struct fuzz_input in = {data, data + len};
	const struct packed *s = &streams()[fuzz_take(&in, 1) % FORMATS];
	unsigned how = (unsigned)fuzz_take(&in, 1), changes = how >> 4;
	size_t room = rooms[how % 5], n = s->len, got = room;
	uint8_t *stream, *out = malloc(room);
	struct error err = {{0}};
	int r;

	if (how & 8)
		n = 1 + fuzz_take(&in, 3) % n;
	stream = malloc(n);
	memcpy(stream, s->bytes, n);
	while (changes--) {
		uint64_t at = fuzz_take(&in, 3), mask = changes & 1 ? ~0ull : 63;
		stream[(at & mask) % n] ^= (uint8_t)fuzz_take(&in, 1);
	}
	r = unpack(stream, n, out, &got, &err);
	FUZZ_CHECK(r == 0 || r == -ENOEXEC || r == -EINVAL || r == -ENOSPC, "%d", r);
	FUZZ_CHECK(!r || err.text[0], "%d without a message", r);
	FUZZ_CHECK(r || got <= room, "%zu bytes in a room of %zu", got, room);
	free(stream);
	free(out);
	return 0;
}
