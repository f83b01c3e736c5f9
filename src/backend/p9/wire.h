/*
 * 9P2000.L messages: numbers, and marshalling with every length checked. size[4] type[1] tag[2],
 * then the fields, little-endian; a string is a length[2] and its bytes. After Plan 9's intro(5)
 * and the description of 9P2000.L in the diod project (protocol.md), which Linux's client follows.
 */
#ifndef BACKEND_P9_WIRE_H
#define BACKEND_P9_WIRE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Requests; the answer to type t is t + 1. */
enum p9_type {
	P9_RLERROR = 7,
	P9_TSTATFS = 8,
	P9_TLOPEN = 12,
	P9_TLCREATE = 14,
	P9_TSYMLINK = 16,
	P9_TMKNOD = 18,
	P9_TRENAME = 20,
	P9_TREADLINK = 22,
	P9_TGETATTR = 24,
	P9_TSETATTR = 26,
	P9_TXATTRWALK = 30,
	P9_TXATTRCREATE = 32,
	P9_TREADDIR = 40,
	P9_TFSYNC = 50,
	P9_TLOCK = 52,
	P9_TGETLOCK = 54,
	P9_TLINK = 70,
	P9_TMKDIR = 72,
	P9_TRENAMEAT = 74,
	P9_TUNLINKAT = 76,
	P9_TVERSION = 100,
	P9_TAUTH = 102,
	P9_TATTACH = 104,
	P9_TFLUSH = 108,
	P9_TWALK = 110,
	P9_TREAD = 116,
	P9_TWRITE = 118,
	P9_TCLUNK = 120,
	P9_TREMOVE = 122,
	P9_TYPES = 128,
};

enum {
	P9_HEADER = 7,
	P9_ERROR_BYTES = P9_HEADER + 4,
	P9_READ_HEADER = P9_HEADER + 4,	  /* of Rread, before the data */
	P9_WRITE_HEADER = P9_HEADER + 16, /* of Twrite, before the data */
	P9_NOTAG = 0xffff,
	P9_WALK_MAX = 16, /* names of one Twalk */
	P9_QID_BYTES = 13,
};
#define P9_NOFID 0xffffffffu

enum { P9_QID_DIR = 0x80, P9_QID_SYMLINK = 0x02, P9_QID_FILE = 0 };

struct p9_qid {
	uint8_t type;
	uint32_t version;
	uint64_t path;
};

/* Taking a message apart: past its end everything reads as 0 and `bad` is set. */
struct p9_in {
	const uint8_t *at, *end;
	bool bad;
};

uint64_t p9_take(struct p9_in *in, unsigned bytes);
static inline uint8_t p9_take8(struct p9_in *in)
{
	return (uint8_t)p9_take(in, 1);
}
static inline uint16_t p9_take16(struct p9_in *in)
{
	return (uint16_t)p9_take(in, 2);
}
static inline uint32_t p9_take32(struct p9_in *in)
{
	return (uint32_t)p9_take(in, 4);
}
static inline uint64_t p9_take64(struct p9_in *in)
{
	return p9_take(in, 8);
}
/* A string into buf, NUL after it: 0, -EINVAL (cut off, or a NUL in it), -ENAMETOOLONG. Marks the
 * message bad where it is cut off. */
int p9_take_string(struct p9_in *in, char *buf, size_t room);
/* A name of one folder entry: as above, -EINVAL for "", ".", ".." and one with '/'. */
int p9_take_name(struct p9_in *in, char name[NAME_MAX + 1]);
/* As p9_take_name, but ".." is fine. */
int p9_take_step(struct p9_in *in, char name[NAME_MAX + 1]);

/* Putting an answer together; what does not fit is dropped and sets `full`. */
struct p9_out {
	uint8_t *buf;
	size_t len, room;
	bool full;
};

void p9_put(struct p9_out *out, uint64_t v, unsigned bytes);
void p9_put_bytes(struct p9_out *out, const void *bytes, size_t len);
void p9_put_string(struct p9_out *out, const char *s, size_t len); /* len <= 65535 */
void p9_put_qid(struct p9_out *out, struct p9_qid q);

#endif
