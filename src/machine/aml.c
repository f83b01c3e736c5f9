#include "machine/aml.h"

#include <string.h>

#include "base/bits.h"

enum {
	AML_ZERO = 0x00,
	AML_ONE = 0x01,
	AML_NAME = 0x08,
	AML_BYTE = 0x0a,
	AML_WORD = 0x0b,
	AML_DWORD = 0x0c,
	AML_STRING = 0x0d,
	AML_QWORD = 0x0e,
	AML_SCOPE = 0x10,
	AML_BUFFER = 0x11,
	AML_PACKAGE = 0x12,
	AML_METHOD = 0x14,
	AML_DUAL_NAME = 0x2e,
	AML_MULTI_NAME = 0x2f,
	AML_EXT = 0x5b,
	AML_ARGUMENT0 = 0x68,
	AML_STORE = 0x70,
	AML_EXT_DEVICE = 0x82,
	AML_IF = 0xa0,
	AML_RETURN = 0xa4,
	AML_LENGTH_BYTES = 4, /* lengths are always written in the four-byte form */
	AML_BUFFER_SIZE_BYTES = 5,
};

void aml_bytes(struct aml *a, const void *bytes, size_t len)
{
	if (len > a->cap - a->len) {
		a->overflow = true;
		return;
	}
	memcpy(a->bytes + a->len, bytes, len);
	a->len += len;
}

void aml_byte(struct aml *a, uint8_t v)
{
	aml_bytes(a, &v, 1);
}

void aml_path(struct aml *a, const char *path)
{
	size_t n = 0;

	if (*path == '\\') {
		aml_byte(a, '\\');
		path++;
	}
	n = (strlen(path) + 1) / 5;
	if (n == 0)
		aml_byte(a, AML_ZERO);
	else if (n == 2)
		aml_byte(a, AML_DUAL_NAME);
	else if (n > 2) {
		aml_byte(a, AML_MULTI_NAME);
		aml_byte(a, (uint8_t)n);
	}
	for (size_t i = 0; i < n; i++)
		aml_bytes(a, path + 5 * i, 4);
}

void aml_integer(struct aml *a, uint64_t v)
{
	unsigned bytes = v <= 0xff ? 1 : v <= 0xffff ? 2 : v <= 0xffffffff ? 4 : 8;

	if (v <= 1) {
		aml_byte(a, v ? AML_ONE : AML_ZERO);
		return;
	}
	aml_byte(a, bytes == 1	 ? AML_BYTE
		    : bytes == 2 ? AML_WORD
		    : bytes == 4 ? AML_DWORD
				 : AML_QWORD);
	aml_bytes(a, &v, bytes);
}

void aml_string(struct aml *a, const char *s)
{
	aml_byte(a, AML_STRING);
	aml_bytes(a, s, strlen(s) + 1);
}

void aml_name(struct aml *a, const char *path)
{
	aml_byte(a, AML_NAME);
	aml_path(a, path);
}

void aml_name_integer(struct aml *a, const char *path, uint64_t v)
{
	aml_name(a, path);
	aml_integer(a, v);
}

static unsigned hex(char c)
{
	return c <= '9' ? (unsigned)c - '0' : (unsigned)c - 'A' + 10;
}

void aml_eisa_id(struct aml *a, const char *id)
{
	uint32_t v = ((uint32_t)id[0] - '@') << 26 | ((uint32_t)id[1] - '@') << 21 |
		     ((uint32_t)id[2] - '@') << 16 | hex(id[3]) << 12 | hex(id[4]) << 8 |
		     hex(id[5]) << 4 | hex(id[6]);

	aml_byte(a, AML_DWORD);
	v = __builtin_bswap32(v);
	aml_bytes(a, &v, 4);
}

/* ---- constructs with a length */
static size_t open_length(struct aml *a)
{
	size_t mark = a->len;

	aml_bytes(a, "\0\0\0", AML_LENGTH_BYTES);
	return mark;
}

void aml_end(struct aml *a, size_t mark)
{
	size_t len = a->len - mark;

	if (a->overflow)
		return;
	a->bytes[mark] = (uint8_t)(0xc0 | (len & 0xf));
	for (int i = 0; i < 3; i++)
		a->bytes[mark + 1 + (size_t)i] = (uint8_t)(len >> (4 + 8 * i));
}

size_t aml_scope(struct aml *a, const char *path)
{
	aml_byte(a, AML_SCOPE);
	size_t mark = open_length(a);
	aml_path(a, path);
	return mark;
}

size_t aml_device(struct aml *a, const char *path)
{
	aml_byte(a, AML_EXT);
	aml_byte(a, AML_EXT_DEVICE);
	size_t mark = open_length(a);
	aml_path(a, path);
	return mark;
}

size_t aml_method(struct aml *a, const char *name, unsigned arguments)
{
	aml_byte(a, AML_METHOD);
	size_t mark = open_length(a);
	aml_path(a, name);
	aml_byte(a, (uint8_t)arguments);
	return mark;
}

size_t aml_if(struct aml *a, const char *name)
{
	aml_byte(a, AML_IF);
	size_t mark = open_length(a);
	aml_path(a, name);
	return mark;
}

void aml_return(struct aml *a, const char *name)
{
	aml_byte(a, AML_RETURN);
	aml_path(a, name);
}

void aml_store_argument(struct aml *a, const char *name)
{
	aml_byte(a, AML_STORE);
	aml_byte(a, AML_ARGUMENT0);
	aml_path(a, name);
}

size_t aml_package(struct aml *a, uint8_t elements)
{
	aml_byte(a, AML_PACKAGE);
	size_t mark = open_length(a);
	aml_byte(a, elements);
	return mark;
}

size_t aml_resources(struct aml *a)
{
	aml_byte(a, AML_BUFFER);
	size_t mark = open_length(a);
	aml_byte(a, AML_DWORD);
	aml_bytes(a, "\0\0\0", 4); /* the buffer's size */
	return mark;
}

void aml_resources_end(struct aml *a, size_t mark)
{
	uint32_t size;

	aml_bytes(a, "\x79", 2); /* end tag, no checksum */
	if (a->overflow)
		return;
	size = (uint32_t)(a->len - mark - AML_LENGTH_BYTES - AML_BUFFER_SIZE_BYTES);
	store_le32(a->bytes + mark + AML_LENGTH_BYTES + 1, size);
	aml_end(a, mark);
}

/* ---- resources */
void aml_res_io(struct aml *a, uint16_t base, uint8_t len)
{
	uint8_t d[8] = {0x47, 1, 0, 0, 0, 0, 1, len}; /* 16-bit decode */

	store_le16(d + 2, base);
	store_le16(d + 4, base);
	aml_bytes(a, d, sizeof(d));
}

void aml_res_irq(struct aml *a, unsigned irq)
{
	uint8_t d[3] = {0x22};

	store_le16(d + 1, (uint16_t)(1u << irq));
	aml_bytes(a, d, sizeof(d));
}

void aml_res_interrupt(struct aml *a, uint32_t gsi, bool level)
{
	uint8_t d[9] = {0x89, 6, 0, level ? 1 : 3, 1}; /* consumer, active high; one number */

	store_le32(d + 5, gsi);
	aml_bytes(a, d, sizeof(d));
}

void aml_res_memory(struct aml *a, uint32_t base, uint32_t bytes)
{
	uint8_t d[12] = {0x86, 9, 0, 1}; /* 1: can be written */

	store_le32(d + 4, base);
	store_le32(d + 8, bytes);
	aml_bytes(a, d, sizeof(d));
}

/* Word address space descriptor: type 1 I/O, 2 bus numbers. */
static void word_window(struct aml *a, uint8_t type, uint8_t type_flags, uint16_t first,
			uint16_t last)
{
	uint8_t d[16] = {0x88, 13, 0, type, 0x0c, type_flags};

	store_le16(d + 8, first);
	store_le16(d + 10, last);
	store_le16(d + 14, (uint16_t)(last - first + 1));
	aml_bytes(a, d, sizeof(d));
}

void aml_res_bus(struct aml *a, uint16_t first, uint16_t last)
{
	word_window(a, 2, 0, first, last);
}

void aml_res_io_window(struct aml *a, uint16_t first, uint16_t last)
{
	word_window(a, 1, 3, first, last); /* entire range, ISA and non-ISA */
}

void aml_res_memory_window(struct aml *a, uint32_t first, uint32_t last)
{
	uint8_t d[26] = {0x87, 23, 0, 0, 0x0c, 1}; /* read-write, not cacheable */

	store_le32(d + 10, first);
	store_le32(d + 14, last);
	store_le32(d + 22, last - first + 1);
	aml_bytes(a, d, sizeof(d));
}
