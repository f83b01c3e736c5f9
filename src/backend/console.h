/*
 * Bytes typed for the guest, between the thread that types and the machine that has room for a few
 * at a time. A ring of fixed size with its own lock.
 */
#ifndef BACKEND_CONSOLE_H
#define BACKEND_CONSOLE_H

#include <stddef.h>
#include <stdint.h>

#include "host/host.h"

enum { CONSOLE_QUEUE_BYTES = 64 * 1024 };

struct console_queue {
	struct host_mutex lock;
	size_t head, used; /* head: the oldest byte */
	uint8_t ring[CONSOLE_QUEUE_BYTES];
};

void console_queue_init(struct console_queue *q);
void console_queue_destroy(struct console_queue *q);

/* Append; returns how many bytes fitted. */
size_t console_queue_put(struct console_queue *q, const uint8_t *bytes, size_t len);
/* Copy out the oldest bytes without removing them; then drop as many as were used. */
size_t console_queue_peek(struct console_queue *q, uint8_t *buf, size_t len);
void console_queue_drop(struct console_queue *q, size_t len);
size_t console_queue_used(struct console_queue *q);

#endif
