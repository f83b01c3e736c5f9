/*
 * Host memory on Linux: zeroed heap blocks from malloc, guest RAM from anonymous mappings that
 * commit lazily (MAP_NORESERVE) and ask for huge pages, which shorten the host's own page walks.
 */
#include "host/host.h"

#include <stdlib.h>
#include <sys/mman.h>

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

	if (p == MAP_FAILED)
		return NULL;
	madvise(p, bytes, MADV_HUGEPAGE); /* only a hint: kernels without THP refuse it */
	return p;
}

void host_ram_unmap(void *p, size_t bytes)
{
	if (p)
		munmap(p, bytes);
}
