/* The console input ring; see console.h. */
#include "backend/console.h"

static size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

void console_queue_init(struct console_queue *q)
{
	host_mutex_init(&q->lock);
	q->head = q->used = 0;
}

void console_queue_destroy(struct console_queue *q)
{
	host_mutex_destroy(&q->lock);
}

size_t console_queue_put(struct console_queue *q, const uint8_t *bytes, size_t len)
{
	host_mutex_lock(&q->lock);
	len = min_size(len, CONSOLE_QUEUE_BYTES - q->used);
	for (size_t i = 0; i < len; i++)
		q->ring[(q->head + q->used + i) % CONSOLE_QUEUE_BYTES] = bytes[i];
	q->used += len;
	host_mutex_unlock(&q->lock);
	return len;
}

size_t console_queue_peek(struct console_queue *q, uint8_t *buf, size_t len)
{
	host_mutex_lock(&q->lock);
	len = min_size(len, q->used);
	for (size_t i = 0; i < len; i++)
		buf[i] = q->ring[(q->head + i) % CONSOLE_QUEUE_BYTES];
	host_mutex_unlock(&q->lock);
	return len;
}

void console_queue_drop(struct console_queue *q, size_t len)
{
	host_mutex_lock(&q->lock);
	len = min_size(len, q->used);
	q->head = (q->head + len) % CONSOLE_QUEUE_BYTES;
	q->used -= len;
	host_mutex_unlock(&q->lock);
}

size_t console_queue_used(struct console_queue *q)
{
	host_mutex_lock(&q->lock);
	size_t n = q->used;
	host_mutex_unlock(&q->lock);
	return n;
}
