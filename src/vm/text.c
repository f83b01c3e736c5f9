/* See text.h. */
#include "vm/text.h"

#include <stdarg.h>
#include <stdio.h>

char *text_room(struct text *t, size_t *room)
{
	size_t at = t->len < t->size ? t->len : t->size;

	*room = t->size - at;
	return t->buf + at;
}

void text_grew(struct text *t, int by)
{
	t->len += by > 0 ? (size_t)by : 0;
}

void text_add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	size_t room;
	char *at = text_room(t, &room);

	va_start(ap, fmt);
	text_grew(t, vsnprintf(at, room, fmt, ap));
	va_end(ap);
}
