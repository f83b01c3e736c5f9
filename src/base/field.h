/*
 * Field tables: every CPU and device lists the fields that are its state, once. Reset, save,
 * restore, dump and compare all work from that table (design rule "State is data").
 */
#ifndef BASE_FIELD_H
#define BASE_FIELD_H

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

/* One field: name, where it lies, size of one element and how many of them. Plain data only. */
struct field {
	const char *name;
	uint32_t offset;
	uint32_t elem_bytes;
	uint32_t count;
	uint32_t version; /* state version that introduced it; 0 = from the beginning */
};

#define FIELD(type, member)                                                                        \
	{                                                                                          \
		#member, offsetof(type, member), sizeof(((type *)0)->member), 1, 0                 \
	}
#define FIELD_ARRAY(type, member)                                                                  \
	{                                                                                          \
		#member, offsetof(type, member), sizeof(((type *)0)->member[0]),                   \
			sizeof(((type *)0)->member) / sizeof(((type *)0)->member[0]), 0            \
	}
#define FIELD_END                                                                                  \
	{                                                                                          \
		NULL, 0, 0, 0, 0                                                                   \
	}

/* Zero every listed field of obj. Tables end with FIELD_END. */
void field_reset(const struct field *table, void *obj);

/* Bytes that field_save will write. */
size_t field_size(const struct field *table);

/* Copy the listed fields out to buf (field_size bytes), and back. Little-endian host layout. */
void field_save(const struct field *table, const void *obj, void *buf);
void field_restore(const struct field *table, void *obj, const void *buf);

/* The first field in which a and b differ, or NULL. */
const struct field *field_compare(const struct field *table, const void *a, const void *b);

/* Write "name = value" lines into buf; returns the length as snprintf does. */
int field_dump(const struct field *table, const void *obj, char *buf, size_t len);

/* FNV-1a over all listed fields, continuing from seed. */
uint64_t field_hash(const struct field *table, const void *obj, uint64_t seed);

#endif
