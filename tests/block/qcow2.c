/*
 * qcow2 images written at random, many requests at a time, against a copy in memory; qemu-img makes
 * them, takes snapshots between, and is the judge at the end: of consistency and of contents.
 */
#include "test.h"

#include <errno.h>
#include <sys/wait.h>

#include "backend/block/info.h"
#include "rig.h"

enum { DISK = 3 * 1024 * 1024 + 1536, ASKS = 16, LARGEST = 192 * 1024 };

struct variant {
	const char *name, *options;
	bool synchronous;
	enum { BACKED_NOT, BACKED_RAW, BACKED_QCOW2 } backed;
	bool compressed, snapshots;
	unsigned rounds;
};

static uint64_t next_random(uint64_t *s)
{
	uint64_t z = (*s += 0x9e3779b97f4a7c15ull);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static int run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static int run(const char *fmt, ...)
{
	char command[1024];
	va_list ap;
	int r;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	r = system(command);
	return WIFEXITED(r) ? WEXITSTATUS(r) : -1;
}

static void must(struct rig *g, const char *fmt, const char *a, const char *b)
{
	char command[1024], line[512];

	snprintf(line, sizeof(line), fmt, a, b);
	snprintf(command, sizeof(command), "cd %s && %s >out 2>&1 || { cat out >&2; exit 1; }",
		 g->dir, line);
	if (run("%s", command))
		fail_msg("%s", line);
}

static void save(struct rig *g, const char *name, const uint8_t *bytes, size_t len)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", g->dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	fclose(f);
}

/* Text-like and random stretches, and zeroes. */
static void fill(uint8_t *p, size_t len, uint64_t *s)
{
	uint64_t how = next_random(s) % 4, v = next_random(s);

	for (size_t i = 0; i < len; i++)
		p[i] = how == 0	  ? (uint8_t)v
		       : how == 1 ? (uint8_t)(i / 64 * v >> 3)
				  : (uint8_t)(v >> i % 8 * 8) ^ (uint8_t)(i >> 3);
}

static void make_image(struct rig *g, const struct variant *v, uint8_t *model, uint64_t *s)
{
	char options[256];

	memset(model, 0, DISK);
	if (v->backed != BACKED_NOT || v->compressed) {
		for (unsigned at = 0; at < DISK / 3 * 2; at += 64 * 1024)
			if (next_random(s) % 3)
				fill(model + at, 64 * 1024, s);
		save(g, "base.raw", model, DISK);
		must(g, "qemu-img convert -f raw -O qcow2 -c base.raw base.qcow2", "", "");
	}
	if (v->compressed && v->backed == BACKED_NOT) {
		must(g, "qemu-img convert -f raw -O qcow2 -c -o %s base.raw image", v->options, "");
		return;
	}
	snprintf(options, sizeof(options), "%s%s", v->options,
		 v->backed == BACKED_RAW     ? " -b base.raw -F raw"
		 : v->backed == BACKED_QCOW2 ? " -b base.qcow2 -F qcow2"
					     : "");
	must(g, "qemu-img create -q -f qcow2 -o %s image 3147264", options, "");
	if (strstr(v->options, "extended_l2")) { /* clusters of which some parts are there */
		must(g,
		     "qemu-io -f qcow2 -c 'write -q -P 7 6k 3k' -c 'write -q -z 68k 10k' -c 'write "
		     "-q -P 9 "
		     "200k 150k' -c 'write -q -z 210k 1k' -c 'write -q -z -u 256k 64k' image",
		     "", "");
		memset(model + 6 * 1024, 7, 3 * 1024);
		memset(model + 68 * 1024, 0, 10 * 1024);
		memset(model + 200 * 1024, 9, 150 * 1024);
		memset(model + 210 * 1024, 0, 1024);
		memset(model + 256 * 1024, 0, 64 * 1024);
	}
}

/* What discard may leave: each sector as it was, or zeroes. */
static void take_discarded(uint8_t *model, const uint8_t *now, size_t len)
{
	static const uint8_t zeroes[512];

	for (size_t i = 0; i < len; i += 512)
		if (memcmp(model + i, now + i, 512) != 0) {
			assert_memory_equal(now + i, zeroes, 512);
			memset(model + i, 0, 512);
		}
}

/* Requests in parts of the disk that do not overlap, but that may share clusters. */
static void round_of_requests(struct rig *g, uint8_t *model, uint64_t *s)
{
	static struct ask ask[ASKS];
	static uint8_t buf[ASKS][LARGEST];
	uint64_t at = next_random(s) % 64 * 512;
	unsigned n = 0;

	while (n < ASKS && at < DISK) {
		uint64_t max = next_random(s) % 4 ? 32 : LARGEST / 512;
		uint64_t len = (1 + next_random(s) % max) * 512;
		uint64_t how = next_random(s) % 10;
		enum block_op op = how < 5   ? BLOCK_WRITE
				   : how < 8 ? BLOCK_READ
				   : how < 9 ? BLOCK_ZERO
					     : BLOCK_DISCARD;

		len = len < DISK - at ? len : DISK - at;
		if (op == BLOCK_WRITE) {
			fill(buf[n], len, s);
			memcpy(model + at, buf[n], len);
		} else if (op == BLOCK_ZERO) {
			memset(model + at, 0, len);
		}
		rig_put(g, &ask[n], op, at, len,
			op == BLOCK_WRITE || op == BLOCK_READ ? buf[n] : NULL);
		at += len + (next_random(s) % 3 ? 0 : next_random(s) % 600 * 512);
		n++;
	}
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(rig_wait(&ask[i]), 0);
	for (unsigned i = 0; i < n; i++) {
		struct block_request *r = &ask[i].r;

		if (r->op == BLOCK_READ)
			assert_memory_equal(buf[i], model + r->offset, r->bytes);
		if (r->op != BLOCK_DISCARD)
			continue;
		assert_int_equal(rig_do(g, BLOCK_READ, r->offset, r->bytes, buf[i]), 0);
		take_discarded(model + r->offset, buf[i], r->bytes);
	}
}

static void all_is_right(struct rig *g, const uint8_t *model)
{
	static uint8_t all[DISK];
	struct image_options o = {0};
	struct image_check c;
	struct error err = {{0}};
	struct image *m;

	must(g, "qemu-img check -f qcow2 image", "", "");
	save(g, "model", model, DISK);
	must(g, "qemu-img compare -f raw -F qcow2 model image", "", "");
	assert_int_equal(image_open(&m, g->path, &o, &err), 0);
	assert_int_equal(image_read(m, 0, all, DISK), 0);
	assert_memory_equal(all, model, DISK);
	assert_int_equal(image_close(m), 0);
	assert_int_equal(image_check(g->path, NULL, false, &c, &err), 0);
	if (c.corruptions || c.leaks)
		fail_msg("%llu corruptions, %llu leaks: %s", (unsigned long long)c.corruptions,
			 (unsigned long long)c.leaks, c.first);
}

static void session(struct rig *g, const struct variant *v, uint8_t *model, uint64_t *s)
{
	int r = rig_open(g, (struct image_options){.write = true}, v->synchronous);

	if (r)
		fail_msg("%s", g->warning);
	assert_int_equal(g->face->bytes, DISK);
	for (unsigned i = 0; i < v->rounds; i++) {
		round_of_requests(g, model, s);
		if (next_random(s) % 4 == 0)
			assert_int_equal(rig_do(g, BLOCK_FLUSH, 0, 0, NULL), 0);
	}
	rig_close(g);
	if (g->warning[0])
		fail_msg("%s", g->warning);
	all_is_right(g, model);
}

static void random_script(void **state)
{
	static uint8_t model[DISK], kept[2][DISK];
	const struct variant *v = *state;
	const char *more = getenv("DOPPEL_TEST_SEED");
	uint64_t s = more ? strtoull(more, NULL, 0) : 1;
	struct rig g;

	rig_init(&g, "image");
	make_image(&g, v, model, &s);
	for (unsigned i = 0; i < 2 && v->snapshots; i++) {
		session(&g, v, model, &s);
		must(&g, i ? "qemu-img snapshot -c two image" : "qemu-img snapshot -c one image",
		     "", "");
		memcpy(kept[i], model, DISK);
	}
	session(&g, v, model, &s);
	for (unsigned i = 0; i < 2 && v->snapshots; i++) {
		must(&g, "qemu-img convert -f qcow2 -O raw -l %s image old", i ? "two" : "one", "");
		save(&g, "kept", kept[i], DISK);
		must(&g, "cmp kept old", "", "");
	}
	if (v->snapshots) {
		must(&g, "qemu-img snapshot -d one image", "", "");
		session(&g, v, model, &s);
	}
	rig_clear(&g);
}

/* clang-format off */
static struct variant variants[] = {
	{"64k", "cluster_size=64k", .rounds = 40},
	{"64k, synchronous", "cluster_size=64k", .synchronous = true, .rounds = 40},
	{"512", "cluster_size=512", .rounds = 30},
	{"512, refcounts of 64 bits", "cluster_size=512,refcount_bits=64", .rounds = 30},
	{"512, snapshots", "cluster_size=512", .snapshots = true, .rounds = 15},
	{"1k, version 2", "cluster_size=1k,compat=0.10", .rounds = 30},
	{"2M", "cluster_size=2M", .rounds = 20},
	{"2M, raw backing, snapshots", "cluster_size=2M", .backed = BACKED_RAW, .snapshots = true, .rounds = 15},
	{"4k, refcounts of 1 bit", "cluster_size=4k,refcount_bits=1", .rounds = 40},
	{"4k, refcounts of 2 bits, snapshots", "cluster_size=4k,refcount_bits=2", .snapshots = true, .rounds = 20},
	{"4k, refcounts of 8 bits, compressed, snapshots", "cluster_size=4k,refcount_bits=8", .compressed = true, .snapshots = true, .rounds = 20},
	{"16k, refcounts of 32 bits, lazy", "cluster_size=16k,refcount_bits=32,lazy_refcounts=on", .rounds = 30},
	{"64k, raw backing", "cluster_size=64k", .backed = BACKED_RAW, .rounds = 40},
	{"64k, compressed backing", "cluster_size=64k", .backed = BACKED_QCOW2, .rounds = 40},
	{"64k, compressed backing, version 2", "cluster_size=64k,compat=0.10", .backed = BACKED_QCOW2, .rounds = 40},
	{"4k, compressed backing, snapshots", "cluster_size=4k", .backed = BACKED_QCOW2, .snapshots = true, .rounds = 20},
	{"64k, compressed", "cluster_size=64k", .compressed = true, .rounds = 40},
	{"64k, zstd", "cluster_size=64k,compression_type=zstd", .compressed = true, .rounds = 40},
	{"512, compressed", "cluster_size=512", .compressed = true, .rounds = 30},
	{"64k, compressed, version 2, snapshots", "cluster_size=64k,compat=0.10", .compressed = true, .snapshots = true, .rounds = 30},
	{"64k, preallocated", "cluster_size=64k,preallocation=metadata", .rounds = 40},
	{"64k, subclusters", "cluster_size=64k,extended_l2=on", .rounds = 60},
	{"64k, subclusters, synchronous", "cluster_size=64k,extended_l2=on", .synchronous = true, .rounds = 60},
	{"16k, subclusters, compressed backing, snapshots", "cluster_size=16k,extended_l2=on", .backed = BACKED_QCOW2, .snapshots = true, .rounds = 30},
	{"64k, subclusters, raw backing", "cluster_size=64k,extended_l2=on", .backed = BACKED_RAW, .rounds = 60},
	{"64k, subclusters, compressed, snapshots", "cluster_size=64k,extended_l2=on", .compressed = true, .snapshots = true, .rounds = 30},
	{"2M, subclusters, raw backing, snapshots", "cluster_size=2M,extended_l2=on", .backed = BACKED_RAW, .snapshots = true, .rounds = 20},
	{"32k, subclusters, preallocated", "cluster_size=32k,extended_l2=on,preallocation=metadata", .rounds = 40},
	{"64k, snapshots, synchronous", "cluster_size=64k", .snapshots = true, .synchronous = true, .rounds = 20},
};
/* clang-format on */

int main(void)
{
	enum { N = sizeof(variants) / sizeof(variants[0]) };
	struct CMUnitTest tests[N];

	if (run("qemu-img --version >/dev/null 2>&1"))
		return 77; /* skipped */
	for (unsigned i = 0; i < N; i++)
		tests[i] = (struct CMUnitTest){variants[i].name, random_script, NULL, NULL,
					       &variants[i]};
	return _cmocka_run_group_tests("qcow2", tests, N, NULL, NULL);
}
