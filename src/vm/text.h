/* Text that grows in a buffer of fixed size, keeping count like snprintf. */
#ifndef VM_TEXT_H
#define VM_TEXT_H

#include <stddef.h>

struct text {
	char *buf;
	size_t size, len; /* len: what it would be in a buffer without end */
};

void text_add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Room for a printer that behaves as snprintf: buf and len for it, then what it returned. */
char *text_room(struct text *t, size_t *room);
void text_grew(struct text *t, int by);

#endif
