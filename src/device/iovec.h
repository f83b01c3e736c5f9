/* A piece of host memory that data goes to or comes from; laid out as POSIX's struct iovec, which
 * the core cannot include. */
#ifndef DEVICE_IOVEC_H
#define DEVICE_IOVEC_H

#include <stddef.h>

struct io_piece {
	void *base;
	size_t len;
};

#endif
