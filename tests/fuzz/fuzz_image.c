/*
 * Disk images with bytes changed: opening, reading, writing, zeroing, discarding, flushing,
 * checking and repairing never reach outside the image's file or memory, and end. The seed image
 * has tables, data, compressed clusters and a snapshot's worth of shared ones.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "backend/block/format.h"
#include "backend/block/info.h"
#include "fuzz.h"

enum { DISK = 1 << 20, BUF = 16384, OPS_MAX = 40, FILE_MAX = 64 << 20 };

static const struct image_create seeds[] = {
	{.format = "qcow2", .cluster_bits = 9, .refcount_order = 4, .bytes = DISK},
	{.format = "qcow2", .cluster_bits = 12, .refcount_order = 0, .bytes = DISK},
	{.format = "qcow2", .cluster_bits = 12, .refcount_order = 6, .bytes = DISK, .zstd = true},
	{.format = "qcow2", .cluster_bits = 14, .refcount_order = 4, .bytes = DISK, .v2 = true},
	{.format = "qcow2", .cluster_bits = 16, .refcount_order = 3, .bytes = DISK},
};

static const char *path(void)
{
	static char name[64];

	if (!name[0])
		snprintf(name, sizeof(name), "/dev/shm/doppel-fuzz-%d", (int)getpid());
	return name;
}

static void remove_file(void)
{
	unlink(path());
}

static void fill(uint8_t *buf, unsigned seed)
{
	for (unsigned i = 0; i < BUF; i++)
		buf[i] = (uint8_t)(seed & 1 ? i >> 5 : (i * 2654435761u) >> 13);
}

static void must(int r, const char *what)
{
	FUZZ_CHECK(r == 0, "%s: %s", what, strerror(-r));
}

static void make_seed(const struct image_create *how)
{
	struct image_options o = {.write = true};
	struct image_create c = *how;
	uint8_t *buf = malloc(BUF);
	struct error err = {{0}};
	struct image *m;

	c.overwrite = true;
	must(image_create(path(), &c, &err), err.text);
	must(image_open(&m, path(), &o, &err), err.text);
	for (unsigned i = 0; i < 6; i++) {
		fill(buf, i);
		must(image_write(m, i * 5ull * BUF, buf, BUF), "write");
		must(m->format->write_packed(m, (i * 5ull + 2) * BUF, buf,
					     m->unit_bytes < BUF ? m->unit_bytes : BUF),
		     "write packed");
	}
	must(image_close(m), "close");
	free(buf);
}

/* Like snapshots do: an L1 entry without COPIED. */
static void share(int fd)
{
	uint8_t e[8];
	uint64_t l1;

	FUZZ_CHECK(pread(fd, e, 8, 40) == 8, "header");
	l1 = 0;
	for (unsigned i = 0; i < 8; i++)
		l1 = l1 << 8 | e[i];
	FUZZ_CHECK(pread(fd, e, 1, (off_t)l1) == 1, "table");
	e[0] &= 0x7f;
	FUZZ_CHECK(pwrite(fd, e, 1, (off_t)l1) == 1, "table");
}

static void change(struct fuzz_input *in, unsigned how)
{
	int fd = open(path(), O_RDWR | O_CLOEXEC);
	off_t len = lseek(fd, 0, SEEK_END);

	FUZZ_CHECK(fd >= 0, "open");
	if (how & 1)
		share(fd);
	for (unsigned n = how >> 4; n; n--) {
		unsigned what = (unsigned)fuzz_take(in, 1), bytes = 1u << (what & 3);
		off_t limit = what & 4 ? 128 : what & 8 ? 16384 : len;
		off_t at = (off_t)(fuzz_take(in, 3) % (uint64_t)limit);
		uint64_t v = fuzz_take(in, bytes);

		if (what & 16)
			at &= ~7;
		if (what & 32) /* a place in the file, as tables have them */
			v = __builtin_bswap64((v % 256) << 9 | (uint64_t)(what & 64) << 57);
		if (pwrite(fd, &v, what & 32 ? 8 : bytes, at) < 0)
			abort();
	}
	if (how & 2 && ftruncate(fd, (off_t)(fuzz_take(in, 3) % (uint64_t)(len + 1))) < 0)
		abort();
	close(fd);
}

static void use(struct image *m, struct fuzz_input *in, uint8_t *buf)
{
	for (unsigned n = 0; n < OPS_MAX && in->at < in->end; n++) {
		unsigned op = (unsigned)fuzz_take(in, 1);
		uint64_t all = image_bytes(m), at = fuzz_take(in, 3) * 512 % (all + 512);
		uint64_t bytes = (1 + fuzz_take(in, 1) % 32) * 512;
		int64_t alike = (int64_t)bytes;
		int r = 0;

		switch (op % 8) {
		case 0 ... 1:
			r = image_read(m, at, buf, bytes);
			break;
		case 2 ... 3:
			fill(buf, op >> 3);
			r = image_write(m, at, buf, bytes);
			break;
		case 4:
			r = image_zero(m, at, bytes * (op & 0x80 ? 100 : 1), op & 8);
			break;
		case 5:
			r = image_discard(m, at, bytes * (op & 0x80 ? 100 : 1));
			break;
		case 6:
			r = image_flush(m);
			break;
		case 7:
			image_status(m, at, &alike);
			FUZZ_CHECK(alike != 0 && alike <= (int64_t)bytes, "%lld", (long long)alike);
			break;
		}
		FUZZ_CHECK(r <= 0, "%d", r);
	}
}

static void check(bool repair)
{
	struct image_check c;
	struct error err = {{0}};
	int r = image_check(path(), NULL, repair, &c, &err);

	FUZZ_CHECK(r == 0 || err.text[0], "%d without a message", r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_input in = {data, data + len};
	struct image_options o = {.write = true};
	unsigned how = (unsigned)fuzz_take(&in, 1);
	uint8_t *buf = malloc(BUF);
	struct error err = {{0}};
	struct image *m;
	static bool first = true;
	int r;

	if (first) {
		struct rlimit small = {FILE_MAX, FILE_MAX};

		first = false;
		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &small);
		atexit(remove_file);
	}
	make_seed(&seeds[fuzz_take(&in, 1) % (sizeof(seeds) / sizeof(seeds[0]))]);
	change(&in, how);
	if (how & 4)
		check(how & 8);
	r = image_open(&m, path(), &o, &err);
	FUZZ_CHECK(r == 0 || err.text[0], "%d without a message", r);
	if (r == 0) {
		use(m, &in, buf);
		image_close(m);
	}
	check(false);
	free(buf);
	return 0;
}
