/* Reads and writes by io_uring, with their ends told on the I/O loop. All on the I/O thread. */
#ifndef BACKEND_BLOCK_URING_H
#define BACKEND_BLOCK_URING_H

#include <stdbool.h>
#include <stdint.h>

#include "backend/loop.h"
#include "device/iovec.h"

struct uring;

/* One transfer; the caller keeps it and the pieces until done. */
struct uring_op {
	int fd;
	bool write;
	uint64_t at;
	const struct io_piece *piece;
	unsigned pieces;
	/* result: bytes, perhaps fewer than asked for, or -errno. Never from within uring_put. */
	void (*done)(struct uring_op *op, int result);
	void *opaque;
	struct uring_op *next;
};

/* NULL where the host does not let us. With the loop not running. */
struct uring *uring_create(struct io_loop *l);
void uring_destroy(struct uring *u);
/* Taken at the next uring_submit, which hands all to the host by one call. */
void uring_put(struct uring *u, struct uring_op *op);
void uring_submit(struct uring *u);

#endif
