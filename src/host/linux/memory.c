/*
 * Host memory on Linux: zeroed heap blocks from malloc, guest RAM from anonymous mappings that
 * commit lazily (MAP_NORESERVE), huge pages when it is in use for long.
 */
#include "host/host.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "base/bits.h"

enum { SMALL_PAGE = 4096 };

void *host_alloc(size_t bytes)
{
	return calloc(1, bytes ? bytes : 1);
}

void host_free(void *p)
{
	free(p);
}

void *host_ram_map(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* Not from the start: a huge page is cleared whole by the first access to it, and where the host is
 * itself a guest that page often has no memory yet, which takes milliseconds. */
void host_ram_settle(void *p, size_t bytes)
{
	madvise(p, bytes, MADV_HUGEPAGE); /* kernels without THP refuse it */
}

void host_ram_fill(void *p, size_t bytes)
{
#ifdef MADV_POPULATE_WRITE /* Linux 5.14; an older one refuses it */
	uintptr_t lo = align_up((uintptr_t)p, SMALL_PAGE);
	uintptr_t hi = align_down((uintptr_t)p + bytes, SMALL_PAGE);

	if (lo < hi)
		madvise((void *)lo, hi - lo, MADV_POPULATE_WRITE);
#endif
}

void host_ram_unmap(void *p, size_t bytes)
{
	if (p)
		munmap(p, bytes);
}

void host_ram_discard(void *p, size_t bytes)
{
	madvise(p, bytes, MADV_DONTNEED);
}
