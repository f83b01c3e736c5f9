/* The disk of a controller on raw images: requests, errors, locks, and what is refused. */
#include "test.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "rig.h"

enum { MIB = 1 << 20 };

static void fill(uint8_t *p, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(seed + i * 7 + (i >> 8));
}

static void round_trip(bool synchronous)
{
	static uint8_t out[2 * MIB], in[2 * MIB];
	struct rig g;

	rig_init(&g, "raw");
	rig_file(&g, 4 * MIB);
	assert_int_equal(rig_open(&g, (struct image_options){.write = true}, synchronous), 0);
	assert_int_equal(g.face->bytes, 4 * MIB);
	fill(out, sizeof(out), 1);
	assert_int_equal(rig_do(&g, BLOCK_WRITE, 512, sizeof(out), out), 0);
	assert_int_equal(rig_do(&g, BLOCK_FLUSH, 0, 0, NULL), 0);
	assert_int_equal(rig_do(&g, BLOCK_READ, 512, sizeof(in), in), 0);
	assert_memory_equal(in, out, sizeof(in));
	assert_int_equal(rig_do(&g, BLOCK_ZERO, 1024, 4096, NULL), 0);
	assert_int_equal(rig_do(&g, BLOCK_DISCARD, 8192, 8192, NULL), 0);
	assert_int_equal(rig_do(&g, BLOCK_READ, 512, 8192, in), 0);
	assert_memory_equal(in, out, 512);
	for (unsigned i = 512; i < 512 + 4096; i++)
		assert_int_equal(in[i], 0);
	assert_memory_equal(in + 4608, out + 4608, 8192 - 4608 - 512);
	rig_clear(&g);
}

static void transfers(void **state)
{
	round_trip(false);
}

static void transfers_in_a_synchronous_loop(void **state)
{
	round_trip(true);
}

static void many_at_once(void **state)
{
	enum { ASKS = 300, BYTES = 8192 };
	static struct ask ask[ASKS];
	static uint8_t out[ASKS][BYTES], in[ASKS][BYTES];
	struct rig g;

	rig_init(&g, "raw");
	rig_file(&g, ASKS * BYTES);
	assert_int_equal(rig_open(&g, (struct image_options){.write = true}, false), 0);
	for (unsigned i = 0; i < ASKS; i++) {
		fill(out[i], BYTES, i);
		rig_put(&g, &ask[i], BLOCK_WRITE, (uint64_t)i * BYTES, BYTES, out[i]);
	}
	for (unsigned i = 0; i < ASKS; i++)
		assert_int_equal(rig_wait(&ask[i]), 0);
	for (unsigned i = 0; i < ASKS; i++)
		rig_put(&g, &ask[i], BLOCK_READ, (uint64_t)i * BYTES, BYTES, in[i]);
	for (unsigned i = 0; i < ASKS; i++)
		assert_int_equal(rig_wait(&ask[i]), 0);
	assert_memory_equal(in, out, sizeof(in));
	rig_clear(&g);
}

/* More than is done in place: through io_uring, with data that is not in the page cache. */
static void large_and_cold(void **state)
{
	enum { BYTES = 3 * MIB };
	uint8_t *out = malloc(BYTES), *in = malloc(BYTES);
	struct rig g;
	int fd;

	rig_init(&g, "raw");
	rig_file(&g, 4 * MIB);
	assert_int_equal(rig_open(&g, (struct image_options){.write = true}, false), 0);
	fill(out, BYTES, 3);
	assert_int_equal(rig_do(&g, BLOCK_WRITE, 4096, BYTES, out), 0);
	assert_int_equal(rig_do(&g, BLOCK_FLUSH, 0, 0, NULL), 0);
	fd = open(g.path, O_RDONLY);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
	assert_int_equal(rig_do(&g, BLOCK_READ, 4096 + 512, 4096, in), 0);
	assert_memory_equal(in, out + 512, 4096);
	assert_int_equal(rig_do(&g, BLOCK_READ, 4096, BYTES, in), 0);
	assert_memory_equal(in, out, BYTES);
	rig_clear(&g);
	free(out);
	free(in);
}

static void refuses_what_is_misshapen(void **state)
{
	uint8_t buf[1024];
	struct rig g;
	struct ask a;

	rig_init(&g, "raw");
	rig_file(&g, MIB);
	assert_int_equal(rig_open(&g, (struct image_options){.write = true}, false), 0);
	assert_int_equal(rig_do(&g, BLOCK_READ, 1, 512, buf), -EINVAL);
	assert_int_equal(rig_do(&g, BLOCK_READ, 0, 100, buf), -EINVAL);
	assert_int_equal(rig_do(&g, BLOCK_READ, MIB, 512, buf), -EINVAL);
	assert_int_equal(rig_do(&g, BLOCK_WRITE, MIB - 512, 1024, buf), -EINVAL);
	assert_int_equal(rig_do(&g, BLOCK_ZERO, UINT64_MAX & ~511ull, 1024, NULL), -EINVAL);
	assert_int_equal(rig_do(&g, BLOCK_DISCARD, 512, UINT64_MAX & ~511ull, NULL), -EINVAL);
	assert_int_equal(rig_do(&g, BLOCK_READ, 0, 0, NULL), 0);
	rig_put(&g, &a, BLOCK_READ, 0, 1024, NULL); /* no pieces */
	assert_int_equal(rig_wait(&a), -EINVAL);
	rig_clear(&g);
}

static void readonly_is_left_alone(void **state)
{
	uint8_t buf[512] = {1};
	struct rig g;

	rig_init(&g, "raw");
	rig_file(&g, MIB);
	assert_int_equal(rig_open(&g, (struct image_options){0}, false), 0);
	assert_true(g.face->readonly);
	assert_int_equal(rig_do(&g, BLOCK_WRITE, 0, 512, buf), -EROFS);
	assert_int_equal(rig_do(&g, BLOCK_ZERO, 0, 512, NULL), -EROFS);
	assert_int_equal(rig_do(&g, BLOCK_FLUSH, 0, 0, NULL), 0);
	assert_int_equal(rig_do(&g, BLOCK_READ, 0, 512, buf), 0);
	assert_int_equal(buf[0], 0);
	rig_clear(&g);
}

static void odd_sizes_end_in_zeroes(void **state)
{
	uint8_t buf[1024];
	struct rig g;
	struct stat st;

	rig_init(&g, "raw");
	rig_file(&g, 700);
	assert_int_equal(rig_open(&g, (struct image_options){.write = true}, false), 0);
	assert_int_equal(g.face->bytes, 1024);
	memset(buf, 0xff, sizeof(buf));
	assert_int_equal(rig_do(&g, BLOCK_READ, 0, 1024, buf), 0);
	for (unsigned i = 0; i < sizeof(buf); i++)
		assert_int_equal(buf[i], 0);
	assert_int_equal(rig_do(&g, BLOCK_WRITE, 512, 512, buf), 0);
	assert_int_equal(stat(g.path, &st), 0);
	assert_int_equal(st.st_size, 1024);
	rig_clear(&g);
}

static void one_writer_or_many_readers(void **state)
{
	struct image_options write = {.write = true}, read = {0};
	struct image *a, *b;
	struct error err;
	struct rig g;

	rig_init(&g, "raw");
	rig_file(&g, MIB);
	assert_int_equal(image_open(&a, g.path, &write, &err), 0);
	assert_int_equal(image_open(&b, g.path, &write, &err), -EBUSY);
	assert_non_null(strstr(err.text, "in use by another process"));
	assert_int_equal(image_open(&b, g.path, &read, &err), -EBUSY);
	image_close(a);
	assert_int_equal(image_open(&a, g.path, &read, &err), 0);
	assert_int_equal(image_open(&b, g.path, &read, &err), 0);
	image_close(b);
	assert_int_equal(image_open(&b, g.path, &write, &err), -EBUSY);
	image_close(a);
	rig_clear(&g);
}

static void no_other_format_by_accident(void **state)
{
	uint8_t qcow[512] = {'Q', 'F', 'I', 0xfb, 0, 0, 0, 3}, vmdk[512] = "KDMV";
	struct rig g;

	rig_init(&g, "raw");
	rig_file(&g, MIB);
	assert_int_equal(rig_open(&g, (struct image_options){.write = true}, false), 0);
	assert_int_equal(rig_do(&g, BLOCK_WRITE, 0, 512, vmdk), -EPERM);
	assert_non_null(strstr(g.warning, "format=raw"));
	assert_int_equal(rig_do(&g, BLOCK_WRITE, 512, 512, vmdk), 0);
	rig_close(&g);
	assert_int_equal(rig_open(&g, (struct image_options){.write = true, .format = "raw"}, true),
			 0);
	assert_int_equal(rig_do(&g, BLOCK_WRITE, 0, 512, qcow), 0);
	assert_int_equal(rig_do(&g, BLOCK_WRITE, 0, 512, vmdk), 0);
	rig_close(&g);
	assert_int_equal(rig_open(&g, (struct image_options){.write = true}, true), -ENOTSUP);
	assert_non_null(strstr(g.warning, "VMDK"));
	rig_clear(&g);
}

static void overlay_leaves_the_file_alone(void **state)
{
	static uint8_t out[64 * 1024], in[64 * 1024], was[MIB];
	struct image_options o = {.write = true, .overlay = true};
	struct image *m;
	struct error err;
	struct rig g;

	rig_init(&g, "raw");
	rig_file(&g, MIB);
	assert_int_equal(rig_open(&g, (struct image_options){.write = true}, true), 0);
	fill(was, MIB, 9);
	assert_int_equal(rig_do(&g, BLOCK_WRITE, 0, MIB, was), 0);
	rig_close(&g);
	assert_int_equal(rig_open(&g, o, false), 0);
	assert_int_equal(image_open(&m, g.path, &o, &err), 0); /* as many as there are */
	fill(out, sizeof(out), 1);
	assert_int_equal(rig_do(&g, BLOCK_WRITE, 1536, sizeof(out), out), 0);
	assert_int_equal(rig_do(&g, BLOCK_ZERO, MIB - 32768, 32768, NULL), 0);
	assert_int_equal(rig_do(&g, BLOCK_FLUSH, 0, 0, NULL), 0);
	assert_int_equal(rig_do(&g, BLOCK_READ, 1536, sizeof(in), in), 0);
	assert_memory_equal(in, out, sizeof(in));
	assert_int_equal(rig_do(&g, BLOCK_READ, 0, 1536, in), 0);
	assert_memory_equal(in, was, 1536);
	assert_int_equal(rig_do(&g, BLOCK_READ, MIB - 512, 512, in), 0);
	assert_int_equal(in[0], 0);
	assert_int_equal(image_read(m, 1536, in, sizeof(in)), 0);
	assert_memory_equal(in, was + 1536, sizeof(in));
	assert_int_equal(image_close(m), 0);
	rig_close(&g);
	assert_int_equal(rig_open(&g, (struct image_options){0}, true), 0);
	for (unsigned at = 0; at < MIB; at += sizeof(in)) {
		assert_int_equal(rig_do(&g, BLOCK_READ, at, sizeof(in), in), 0);
		assert_memory_equal(in, was + at, sizeof(in));
	}
	rig_clear(&g);
}

static void what_cannot_be_opened(void **state)
{
	struct rig g;

	rig_init(&g, "missing");
	assert_int_equal(rig_open(&g, (struct image_options){0}, true), -ENOENT);
	assert_non_null(strstr(g.warning, "no such file"));
	snprintf(g.path, sizeof(g.path), "%s", g.dir);
	assert_int_equal(rig_open(&g, (struct image_options){0}, true), -EISDIR);
	snprintf(g.path, sizeof(g.path), "/dev/null");
	assert_int_equal(rig_open(&g, (struct image_options){0}, true), -EINVAL);
	rig_clear(&g);
}

/* A host that takes no more: an error of the request, and nothing worse. */
static void full_host(void **state)
{
	struct rlimit before, low;
	uint8_t buf[4096] = {1};
	struct rig g;

	signal(SIGXFSZ, SIG_IGN);
	rig_init(&g, "raw");
	rig_file(&g, MIB);
	assert_int_equal(rig_open(&g, (struct image_options){.write = true}, false), 0);
	getrlimit(RLIMIT_FSIZE, &before);
	low = before;
	low.rlim_cur = MIB / 2;
	setrlimit(RLIMIT_FSIZE, &low);
	assert_int_equal(rig_do(&g, BLOCK_WRITE, MIB - 4096, 4096, buf), -EFBIG);
	assert_int_equal(rig_do(&g, BLOCK_WRITE, 0, 4096, buf), 0);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_int_equal(rig_do(&g, BLOCK_WRITE, MIB - 4096, 4096, buf), 0);
	rig_clear(&g);
}

static void submit_lent(void *opaque)
{
	struct ask *a = opaque;

	assert_false(a->done);
	block_submit(a->rig->face, &a->r);
	assert_false(a->done && io_loop_lending(a->rig->loop)); /* never from within submit */
}

/* One at a time by a CPU that sleeps meanwhile: it is lent them soon. */
static int do_lent(struct rig *g, enum block_op op, uint64_t at, uint64_t bytes, void *buf)
{
	struct worker k = io_loop_worker(g->loop);
	struct ask a;
	struct work w = {.run = submit_lent, .opaque = &a};

	rig_prepare(g, &a, op, at, bytes, buf);
	worker_post_prompt(&k, &w);
	io_loop_lend(g->loop);
	io_loop_settle(g->loop);
	io_loop_idle(g->loop);
	return rig_wait(&a);
}

/* In the I/O thread's place: all that reads can be, and what can not, is not. */
static void transfers_lent(void **state)
{
	enum { BYTES = 4096, BLOCKS = 64 };
	static uint8_t out[BLOCKS][BYTES], in[2 * MIB], expected[2 * MIB];
	struct rig g;

	rig_init(&g, "raw");
	rig_file(&g, 4 * MIB);
	assert_int_equal(rig_open(&g, (struct image_options){.write = true}, false), 0);
	io_loop_lend_allow(g.loop);
	for (unsigned i = 0; i < BLOCKS; i++) {
		fill(out[i], BYTES, i);
		assert_int_equal(do_lent(&g, BLOCK_WRITE, (uint64_t)i * BYTES, BYTES, out[i]), 0);
	}
	for (unsigned i = 0; i < 4 * BLOCKS; i++) {
		unsigned at = i * 5 % BLOCKS;

		memset(in, 0, BYTES);
		assert_int_equal(do_lent(&g, BLOCK_READ, (uint64_t)at * BYTES, BYTES, in), 0);
		assert_memory_equal(in, out[at], BYTES);
	}
	memcpy(expected, out, sizeof(out));
	memset(expected + 8192, 0, 4096);
	for (unsigned i = 0; i < 40; i++) {
		assert_int_equal(do_lent(&g, BLOCK_READ, 0, BYTES, in), 0);
		if (i % 10 == 9) {
			static const enum block_op ops[] = {BLOCK_FLUSH, BLOCK_ZERO, BLOCK_READ,
							    BLOCK_DISCARD};
			enum block_op op = ops[i / 10];

			if (op == BLOCK_READ) /* larger than what is done at once */
				assert_int_equal(do_lent(&g, op, 0, sizeof(in), in), 0);
			else
				assert_int_equal(do_lent(&g, op, 8192, 4096, NULL), 0);
		}
	}
	assert_int_equal(do_lent(&g, BLOCK_READ, 4 * MIB, BYTES, in), -EINVAL);
	assert_int_equal(do_lent(&g, BLOCK_READ, 0, sizeof(in), in), 0);
	assert_memory_equal(in, expected, sizeof(in));
	rig_clear(&g);
}

enum { LARGE = 256 << 10, LARGE_ASKS = 12 };

struct crowd {
	struct rig *rig;
	struct ask ask[LARGE_ASKS];
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool submitted, go_on;
};

static void crowd_init(struct crowd *c, struct rig *g)
{
	c->rig = g;
	c->submitted = c->go_on = false;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->changed, NULL);
}

static void crowd_set(struct crowd *c, bool *what)
{
	pthread_mutex_lock(&c->lock);
	*what = true;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

static void crowd_wait(struct crowd *c, const bool *what)
{
	pthread_mutex_lock(&c->lock);
	while (!*what)
		pthread_cond_wait(&c->changed, &c->lock);
	pthread_mutex_unlock(&c->lock);
}

/* The I/O thread has taken all requests and is kept from doing them. */
static void crowd_submit(void *opaque)
{
	struct crowd *c = opaque;

	for (unsigned i = 0; i < LARGE_ASKS; i++)
		block_submit(c->rig->face, &c->ask[i].r);
	crowd_set(c, &c->submitted);
	crowd_wait(c, &c->go_on);
}

/* A CPU that would sleep does the large reads, not the writes, while the I/O thread is at something
 * else; only that thread tells of them. */
static void large_reads_are_shared(void **state)
{
	static uint8_t out[LARGE_ASKS][LARGE], in[LARGE_ASKS][LARGE];
	struct crowd c;
	struct work w = {.run = crowd_submit, .opaque = &c};
	struct worker k;
	struct rig g;

	rig_init(&g, "raw");
	rig_file(&g, 2 * sizeof(out));
	assert_int_equal(rig_open(&g, (struct image_options){.write = true}, false), 0);
	k = io_loop_worker(g.loop);
	for (unsigned i = 0; i < LARGE_ASKS; i++) {
		fill(out[i], LARGE, i);
		assert_int_equal(rig_do(&g, BLOCK_WRITE, (uint64_t)i * LARGE, LARGE, out[i]), 0);
	}
	for (unsigned helps = 0; helps <= LARGE_ASKS; helps += LARGE_ASKS / 4) {
		unsigned reads = 0;

		crowd_init(&c, &g);
		for (unsigned i = 0; i < LARGE_ASKS; i++) {
			bool read = i % 4 != 1;
			uint64_t at = (uint64_t)(read ? i : LARGE_ASKS + i) * LARGE;

			reads += read;
			rig_prepare(&g, &c.ask[i], read ? BLOCK_READ : BLOCK_WRITE, at, LARGE,
				    read ? in[i] : out[i]);
		}
		memset(in, 0, sizeof(in));
		worker_post(&k, &w);
		crowd_wait(&c, &c.submitted);
		for (unsigned i = 0; i < helps && i < reads; i++)
			assert_true(io_loop_help(g.loop));
		for (unsigned i = 0; i < LARGE_ASKS; i++)
			assert_false(c.ask[i].done);
		crowd_set(&c, &c.go_on);
		for (unsigned i = 0; i < LARGE_ASKS; i++) {
			assert_int_equal(rig_wait(&c.ask[i]), 0);
			if (c.ask[i].r.op == BLOCK_READ)
				assert_memory_equal(in[i], out[i], LARGE);
		}
		pthread_cond_destroy(&c.changed);
		pthread_mutex_destroy(&c.lock);
	}
	for (unsigned i = 1; i < LARGE_ASKS; i += 4) {
		uint64_t at = (uint64_t)(LARGE_ASKS + i) * LARGE;

		assert_int_equal(rig_do(&g, BLOCK_READ, at, LARGE, in[0]), 0);
		assert_memory_equal(in[0], out[i], LARGE);
	}
	rig_clear(&g);
}

struct helper {
	struct io_loop *loop;
	atomic_bool stop;
};

static void *help_on(void *opaque)
{
	struct helper *h = opaque;

	while (!atomic_load(&h->stop))
		if (!io_loop_help(h->loop))
			sched_yield();
	return NULL;
}

/* All threads at once, of what is in the page cache and what is not. */
static void large_ones_with_helpers(void **state)
{
	static uint8_t out[LARGE_ASKS][LARGE], in[LARGE_ASKS][LARGE];
	static struct ask ask[LARGE_ASKS];
	struct helper h = {.stop = false};
	pthread_t t[2];
	struct rig g;

	rig_init(&g, "raw");
	rig_file(&g, sizeof(out));
	assert_int_equal(rig_open(&g, (struct image_options){.write = true}, false), 0);
	h.loop = g.loop;
	for (unsigned i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, help_on, &h);
	for (unsigned round = 0; round < 40; round++) {
		int fd = open(g.path, O_RDONLY);

		for (unsigned i = 0; i < LARGE_ASKS; i++) {
			fill(out[i], LARGE, i + round);
			rig_put(&g, &ask[i], BLOCK_WRITE, (uint64_t)i * LARGE, LARGE, out[i]);
		}
		for (unsigned i = 0; i < LARGE_ASKS; i++)
			assert_int_equal(rig_wait(&ask[i]), 0);
		if (round % 20 == 19 && fdatasync(fd) == 0)
			posix_fadvise(fd, LARGE, 2 * LARGE, POSIX_FADV_DONTNEED);
		close(fd);
		for (unsigned i = 0; i < LARGE_ASKS; i++)
			rig_put(&g, &ask[i], BLOCK_READ, (uint64_t)i * LARGE, LARGE, in[i]);
		for (unsigned i = 0; i < LARGE_ASKS; i++)
			assert_int_equal(rig_wait(&ask[i]), 0);
		assert_memory_equal(in, out, sizeof(in));
	}
	atomic_store(&h.stop, true);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	rig_clear(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transfers),
		cmocka_unit_test(transfers_in_a_synchronous_loop),
		cmocka_unit_test(many_at_once),
		cmocka_unit_test(large_and_cold),
		cmocka_unit_test(refuses_what_is_misshapen),
		cmocka_unit_test(readonly_is_left_alone),
		cmocka_unit_test(odd_sizes_end_in_zeroes),
		cmocka_unit_test(one_writer_or_many_readers),
		cmocka_unit_test(no_other_format_by_accident),
		cmocka_unit_test(overlay_leaves_the_file_alone),
		cmocka_unit_test(what_cannot_be_opened),
		cmocka_unit_test(full_host),
		cmocka_unit_test(transfers_lent),
		cmocka_unit_test(large_reads_are_shared),
		cmocka_unit_test(large_ones_with_helpers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
