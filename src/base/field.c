#include "base/field.h"

#include <stdio.h>
#include <string.h>

#include "base/bits.h"

static size_t field_bytes(const struct field *f)
{
	return (size_t)f->elem_bytes * f->count;
}

void field_reset(const struct field *table, void *obj)
{
	for (const struct field *f = table; f->name; f++)
		memset((char *)obj + f->offset, 0, field_bytes(f));
}

size_t field_size(const struct field *table)
{
	size_t n = 0;

	for (const struct field *f = table; f->name; f++)
		n += field_bytes(f);
	return n;
}

void field_save(const struct field *table, const void *obj, void *buf)
{
	char *out = buf;

	for (const struct field *f = table; f->name; f++) {
		memcpy(out, (const char *)obj + f->offset, field_bytes(f));
		out += field_bytes(f);
	}
}

void field_restore(const struct field *table, void *obj, const void *buf)
{
	const char *in = buf;

	for (const struct field *f = table; f->name; f++) {
		memcpy((char *)obj + f->offset, in, field_bytes(f));
		in += field_bytes(f);
	}
}

const struct field *field_compare(const struct field *table, const void *a, const void *b)
{
	for (const struct field *f = table; f->name; f++)
		if (memcmp((const char *)a + f->offset, (const char *)b + f->offset,
			   field_bytes(f)) != 0)
			return f;
	return NULL;
}

static int dump_elem(const struct field *f, const char *p, char *buf, size_t len)
{
	uint64_t v = 0;

	if (f->elem_bytes <= 8) {
		memcpy(&v, p, f->elem_bytes);
		return snprintf(buf, len, " %#llx", (unsigned long long)v);
	}
	int n = snprintf(buf, len, " ");
	for (uint32_t i = f->elem_bytes; i-- > 0;) {
		size_t at = (size_t)n < len ? (size_t)n : len;
		n += snprintf(buf + at, len - at, "%02x", (unsigned char)p[i]);
	}
	return n;
}

int field_dump(const struct field *table, const void *obj, char *buf, size_t len)
{
	int n = 0;

	for (const struct field *f = table; f->name; f++) {
		size_t at = (size_t)n < len ? (size_t)n : len;
		n += snprintf(buf + at, len - at, "%s =", f->name);
		for (uint32_t i = 0; i < f->count; i++) {
			at = (size_t)n < len ? (size_t)n : len;
			n += dump_elem(f, (const char *)obj + f->offset + (size_t)i * f->elem_bytes,
				       buf + at, len - at);
		}
		at = (size_t)n < len ? (size_t)n : len;
		n += snprintf(buf + at, len - at, "\n");
	}
	return n;
}

uint64_t field_hash(const struct field *table, const void *obj, uint64_t seed)
{
	uint64_t h = seed;

	for (const struct field *f = table; f->name; f++) {
		const unsigned char *p = (const unsigned char *)obj + f->offset;
		for (size_t i = 0; i < field_bytes(f); i++)
			h = (h ^ p[i]) * 0x100000001b3ull;
	}
	return h;
}
