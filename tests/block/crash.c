/*
 * A writer killed at any moment: what was flushed is there, what was not is old or new, and the
 * image is consistent but for lost clusters. qemu-img judges.
 */
#include "test.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "backend/block/info.h"
#include "rig.h"

enum { DISK = 4 << 20, SLOT = 4096, SLOTS = DISK / SLOT };

/* What the writer tells before and after a flush, over a pipe. */
struct told {
	uint32_t number; /* of the round that is flushed */
};

static uint64_t mix(uint64_t z)
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* Each slot of 4 KiB holds the number of the round that wrote it last, 0 for zeroes. */
static void fill(uint8_t *p, uint32_t number)
{
	for (unsigned i = 0; i < SLOT; i += 4)
		memcpy(p + i, &number, 4);
}

enum { PER_ROUND = 6 };

/* Which slots round n touches, and how; the same for writer and judge. */
static unsigned slot_of(uint64_t seed, uint32_t n, unsigned i)
{
	return (unsigned)(mix(seed + n * 64ull + i) % SLOTS);
}

static bool clears(uint64_t seed, uint32_t n, unsigned i)
{
	return mix(seed + n * 64ull + i + 32) % 8 == 0;
}

static void write_for_ever(struct rig *g, uint64_t seed, int fd)
{
	static uint8_t buf[PER_ROUND][SLOT];
	static struct ask ask[PER_ROUND];

	if (rig_open(g, (struct image_options){.write = true}, false))
		_exit(1);
	for (struct told t = {1};; t.number++) {
		for (unsigned i = 0; i < PER_ROUND; i++) {
			uint64_t at = (uint64_t)slot_of(seed, t.number, i) * SLOT;

			fill(buf[i], t.number);
			if (clears(seed, t.number, i))
				rig_put(g, &ask[i], BLOCK_ZERO, at, SLOT, NULL);
			else
				rig_put(g, &ask[i], BLOCK_WRITE, at, SLOT, buf[i]);
			if (rig_wait(&ask[i])) /* one by one: rounds may touch a slot twice */
				_exit(2);
		}
		if (t.number % 3 == 0) {
			if (rig_do(g, BLOCK_FLUSH, 0, 0, NULL) ||
			    write(fd, &t, sizeof(t)) != sizeof(t))
				_exit(3);
		}
	}
}

/* Runs a writer, kills it, returns the last round that it said was flushed. */
static uint32_t run_writer(struct rig *g, uint64_t seed, unsigned us)
{
	struct told t, last = {0};
	int fd[2], status;
	pid_t pid;

	assert_int_equal(pipe(fd), 0);
	pid = fork();
	if (pid == 0) {
		close(fd[0]);
		write_for_ever(g, seed, fd[1]);
	}
	close(fd[1]);
	/* From its first flush on: making threads takes as long as the host likes. */
	assert_int_equal(read(fd[0], &last, sizeof(last)), sizeof(last));
	usleep(us);
	kill(pid, SIGKILL);
	while (read(fd[0], &t, sizeof(t)) == sizeof(t))
		last = t;
	close(fd[0]);
	waitpid(pid, &status, 0);
	assert_true(WIFSIGNALED(status));
	return last.number;
}

/* Nothing older than what was flushed, in order. */
static void judge(struct rig *g, uint64_t seed, uint32_t flushed, const uint32_t *before)
{
	static uint8_t all[DISK];
	static uint32_t expect[SLOTS];
	struct image_options o = {0};
	struct error err = {{0}};
	struct image *m;

	memcpy(expect, before, sizeof(expect));
	for (uint32_t n = 1; n <= flushed; n++)
		for (unsigned i = 0; i < PER_ROUND; i++)
			expect[slot_of(seed, n, i)] = clears(seed, n, i) ? 0 : n;
	if (image_open(&m, g->path, &o, &err))
		fail_msg("%s", err.text);
	assert_int_equal(image_read(m, 0, all, DISK), 0);
	assert_int_equal(image_close(m), 0);
	for (unsigned s = 0; s < SLOTS; s++) {
		uint32_t is;
		bool later = false;

		memcpy(&is, all + (size_t)s * SLOT, 4);
		for (unsigned i = 4; i < SLOT; i += 4)
			assert_memory_equal(all + (size_t)s * SLOT + i, &is, 4);
		if (is == expect[s])
			continue;
		/* Written after the last flush, within what was killed? */
		for (uint32_t n = flushed + 1; !later && n <= flushed + 100000; n++)
			for (unsigned i = 0; i < PER_ROUND; i++)
				later |= slot_of(seed, n, i) == s &&
					 is == (clears(seed, n, i) ? 0 : n);
		if (!later)
			fail_msg("slot %u is of round %u, flushed was %u", s, is, expect[s]);
	}
}

static void check_image(struct rig *g)
{
	char command[512];
	struct image_check c;
	struct error err = {{0}};
	int r;

	snprintf(command, sizeof(command), "qemu-img check -q -f qcow2 %s >%s/out 2>&1", g->path,
		 g->dir);
	r = system(command);
	/* 3: lost clusters, nothing else */
	if (WEXITSTATUS(r) != 0 && WEXITSTATUS(r) != 3)
		fail_msg("qemu-img check: %d", WEXITSTATUS(r));
	assert_int_equal(image_check(g->path, NULL, false, &c, &err), 0);
	if (c.corruptions)
		fail_msg("%s", c.first);
	assert_int_equal(image_check(g->path, NULL, true, &c, &err), 0);
	assert_int_equal(image_check(g->path, NULL, false, &c, &err), 0);
	assert_int_equal(c.leaks, 0);
}

static void killed(void **state)
{
	const char *options = *state;
	static uint32_t before[SLOTS];
	struct rig g;

	for (unsigned run = 0; run < 6; run++) {
		char command[512];
		uint64_t seed = 1000 * run;
		uint32_t flushed;

		rig_init(&g, "image");
		snprintf(command, sizeof(command), "qemu-img create -q -f qcow2 -o %s %s %d",
			 options, g.path, DISK);
		assert_int_equal(system(command), 0);
		flushed = run_writer(&g, seed, (unsigned)(mix(run) % 60000));
		judge(&g, seed, flushed, before);
		check_image(&g);
		judge(&g, seed, flushed, before); /* the repair lost nothing */
		rig_clear(&g);
	}
}

int main(void)
{
	struct CMUnitTest tests[] = {
		{"64k", killed, NULL, NULL, "cluster_size=64k"},
		{"512", killed, NULL, NULL, "cluster_size=512"},
		{"4k, 1 bit", killed, NULL, NULL, "cluster_size=4k,refcount_bits=1"},
		{"version 2", killed, NULL, NULL, "compat=0.10,cluster_size=1k"},
		/* Smaller and larger than what is written. */
		{"subclusters of 512", killed, NULL, NULL, "extended_l2=on,cluster_size=16k"},
		{"subclusters of 8k", killed, NULL, NULL, "extended_l2=on,cluster_size=256k"},
	};

	if (system("qemu-img --version >/dev/null 2>&1"))
		return 77; /* skipped */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
