/*
 * Memory for generated code on Linux: shared pages mapped twice. Shared anonymous memory, whose
 * second mapping mremap(2) makes, comes first, because perf looks into /tmp/perf-PID.map only for
 * what looks anonymous to it. Else a file without a name: memfd_create(2), POSIX shared memory, an
 * unlinked temporary file. The first that may be mapped executable is taken (mounts with noexec may
 * not, nor may anonymous memory under some security policies).
 */
#define _GNU_SOURCE
#include "host/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Linux 6.3; older headers do not have them. */
enum { MEMFD_NOEXEC_SEAL = 8, MEMFD_EXEC = 16 };

static int open_memfd(void)
{
	/* Old kernels do not know the flag, strict ones (vm.memfd_noexec) want the other one, which
	 * is about execve and leaves mmap alone. */
	static const unsigned flags[] = {MEMFD_EXEC, 0, MEMFD_NOEXEC_SEAL};
	int fd = -1;

	for (unsigned i = 0; fd < 0 && i < sizeof(flags) / sizeof(flags[0]); i++)
		fd = memfd_create("doppel-code", MFD_CLOEXEC | flags[i]);
	return fd < 0 ? -errno : fd;
}

static int open_shm(void)
{
	char name[64];
	uint64_t salt;
	int fd;

	host_random(&salt, sizeof(salt));
	snprintf(name, sizeof(name), "/doppel-code-%ld-%llx", (long)getpid(),
		 (unsigned long long)salt);
	fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600); /* close-on-exec by itself */
	if (fd < 0)
		return -errno;
	shm_unlink(name);
	return fd;
}

static int open_in(const char *dir)
{
	char path[4096];
	int fd = open(dir, O_RDWR | O_TMPFILE | O_EXCL | O_CLOEXEC, 0600);

	if (fd >= 0)
		return fd;
	if (snprintf(path, sizeof(path), "%s/doppel-code-XXXXXX", dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	unlink(path);
	return fd;
}

static int open_tmpdir(void)
{
	const char *dir = getenv("TMPDIR");

	return dir && *dir ? open_in(dir) : -ENOENT;
}

static int open_tmp(void)
{
	return open_in("/tmp");
}

static int open_var_tmp(void)
{
	return open_in("/var/tmp");
}

static const struct source {
	const char *name;
	int (*open)(void); /* NULL: no file */
} sources[] = {
	{"shared anonymous memory", NULL}, {"memfd", open_memfd}, {"shared memory", open_shm},
	{"TMPDIR", open_tmpdir},	   {"/tmp", open_tmp},	  {"/var/tmp", open_var_tmp},
};

enum { SOURCES = sizeof(sources) / sizeof(sources[0]) };

/* All of [p, p + bytes) reaches all of the monitor's code, and the other way round. */
static bool is_near(uintptr_t p, size_t bytes)
{
	const uintptr_t text = (uintptr_t)&host_code_map, reach = 0x7fffffffu - (64u << 20);
	uintptr_t low = p < text ? p : text, high = p + bytes > text ? p + bytes : text;

	return high - low <= reach;
}

static void *reserve_at(uintptr_t hint, size_t bytes)
{
	return mmap((void *)hint, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		    0);
}

/* Address space for rx, if possible near: below the monitor's code first, above it the heap grows.
 */
static void *reserve(size_t bytes)
{
	const uintptr_t text = (uintptr_t)&host_code_map & ~(uintptr_t)0x1fffff, step = 64u << 20;
	const uintptr_t size = (bytes + 0x1fffff) & ~(uintptr_t)0x1fffff;

	for (unsigned i = 0; i < 64; i++) {
		uintptr_t off = (i / 2 + 1) * step, hint = text + off;
		void *p;

		if (i % 2 == 0) {
			if (text < off + size + 0x10000)
				continue;
			hint = text - off - size;
		}
		if (!is_near(hint, bytes))
			continue;
		p = reserve_at(hint, bytes);
		if (p == MAP_FAILED || is_near((uintptr_t)p, bytes))
			return p;
		munmap(p, bytes);
	}
	return reserve_at(0, bytes);
}

/* Map what is behind rw, or fd, over the reserved rx. */
static int map_rx(const struct host_code *c, int fd)
{
	if (fd >= 0)
		return mmap(c->rx, c->bytes, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED, fd,
			    0) == MAP_FAILED
			       ? -errno
			       : 0;
	if (mremap(c->rw, 0, c->bytes, MREMAP_MAYMOVE | MREMAP_FIXED, c->rx) == MAP_FAILED)
		return -errno;
	return mprotect(c->rx, c->bytes, PROT_READ | PROT_EXEC) < 0 ? -errno : 0;
}

/* rw where its large pages, too, can be mapped as such: else each 4 KiB of one is a page fault. */
static void *map_rw(size_t bytes, int how, int fd)
{
	uintptr_t p = (uintptr_t)reserve_at(0, bytes + HOST_LARGE_PAGE);
	uintptr_t rw = (p + HOST_LARGE_PAGE - 1) & ~(uintptr_t)(HOST_LARGE_PAGE - 1);
	void *at;

	if (p == (uintptr_t)MAP_FAILED)
		return MAP_FAILED;
	at = mmap((void *)rw, bytes, PROT_READ | PROT_WRITE, how | MAP_FIXED, fd, 0);
	if (rw > p)
		munmap((void *)p, rw - p);
	munmap((void *)(at == MAP_FAILED ? rw : rw + bytes),
	       p + HOST_LARGE_PAGE - rw + (at == MAP_FAILED ? bytes : 0));
	return at;
}

/* fd -1: shared anonymous memory. */
static int map_twice(struct host_code *c, size_t bytes, int fd)
{
	const int how = MAP_SHARED | MAP_NORESERVE | (fd < 0 ? MAP_ANONYMOUS : 0);
	int r;
	void *p;

	if (fd >= 0 && ftruncate(fd, (off_t)bytes) < 0)
		return -errno;
	c->bytes = bytes;
	p = map_rw(bytes, how, fd);
	if (p == MAP_FAILED)
		return -errno;
	c->rw = p;
	p = reserve(bytes);
	if (p == MAP_FAILED)
		return -errno;
	c->rx = p;
	r = map_rx(c, fd);
	madvise(c->rw, bytes, MADV_HUGEPAGE); /* only hints */
	madvise(c->rx, bytes, MADV_HUGEPAGE);
	return r;
}

static int map_from(struct host_code *c, size_t bytes, const struct source *s)
{
	int fd = s->open ? s->open() : -1, r;

	if (s->open && fd < 0)
		return fd;
	r = map_twice(c, bytes, fd);
	if (r < 0)
		host_code_unmap(c);
	if (fd >= 0)
		close(fd);
	return r;
}

/* Returns the source that worked in *s; else the error of the first. */
static int map_any(struct host_code *c, size_t bytes, const struct source **s)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int r, first = 0;

	*c = (struct host_code){0};
	if (bytes == 0 || bytes > SIZE_MAX / 4)
		return -EINVAL;
	bytes = (bytes + page - 1) & ~(page - 1);
	for (unsigned i = 0; i < SOURCES; i++) {
		*s = &sources[i];
		r = map_from(c, bytes, *s);
		if (r == 0)
			return 0;
		first = first ? first : r;
	}
	return first;
}

int host_code_map(struct host_code *c, size_t bytes)
{
	const struct source *s;

	return map_any(c, bytes, &s);
}

void host_code_unmap(struct host_code *c)
{
	if (c->rw)
		munmap(c->rw, c->bytes);
	if (c->rx)
		munmap(c->rx, c->bytes);
	*c = (struct host_code){0};
}

/* Hosts seldom give shared memory large pages by themselves, and code that runs a bit here and a
 * bit there is slowed by misses of the instruction TLB more than by anything else. */
void host_code_settle(struct host_code *c, size_t at)
{
	const int collapse = 25; /* MADV_COLLAPSE, Linux 6.1 */

	if (at + HOST_LARGE_PAGE <= c->bytes)
		madvise(c->rx + at, HOST_LARGE_PAGE, collapse);
}

static bool runs(struct host_code *c)
{
	static const uint8_t answer[] = {0xb8, 42, 0, 0, 0, 0xc3}; /* mov eax, 42; ret */
	int (*fn)(void);

	memcpy(c->rw, answer, sizeof(answer));
	memcpy(&fn, &c->rx, sizeof(fn));
	return fn() == 42;
}

int host_code_probe(char *why, size_t len)
{
	const struct source *s;
	struct host_code c;
	int r = map_any(&c, 1, &s);

	if (r < 0) {
		snprintf(why, len, "the host lets no memory be executable: %s", strerror(-r));
		return r;
	}
	if (runs(&c)) {
		snprintf(why, len, "code memory from %s", s->name);
	} else {
		snprintf(why, len, "code written to memory from %s is not what runs", s->name);
		r = -EIO;
	}
	host_code_unmap(&c);
	return r;
}
