/* Small integer and bit helpers used everywhere. */
#ifndef BASE_BITS_H
#define BASE_BITS_H

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define BIT(n) (1ull << (n))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define CONTAINER_OF(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

/* Integers at any alignment, as x86 guests use them; may alias any object. */
typedef uint16_t __attribute__((aligned(1), may_alias)) u16_any;
typedef uint32_t __attribute__((aligned(1), may_alias)) u32_any;
typedef uint64_t __attribute__((aligned(1), may_alias)) u64_any;

/* Bits hi..lo of v, shifted down. */
static inline uint64_t bits_get(uint64_t v, unsigned hi, unsigned lo)
{
	return (v >> lo) & (~0ull >> (63 - (hi - lo)));
}

/* All ones in the low n bits, n in 0..64. */
static inline uint64_t bits_mask(unsigned n)
{
	return n >= 64 ? ~0ull : (1ull << n) - 1;
}

/* The low n bits of v as a signed number, n in 1..64. */
static inline int64_t bits_sext(uint64_t v, unsigned n)
{
	return (int64_t)(v << (64 - n)) >> (64 - n);
}

static inline uint64_t align_up(uint64_t v, uint64_t to)
{
	return (v + to - 1) & ~(to - 1);
}

static inline uint64_t align_down(uint64_t v, uint64_t to)
{
	return v & ~(to - 1);
}

/* Little-endian access at any alignment; the host is little-endian. */
static inline uint16_t load_le16(const void *p)
{
	return *(const u16_any *)p;
}

static inline uint32_t load_le32(const void *p)
{
	return *(const u32_any *)p;
}

static inline uint64_t load_le64(const void *p)
{
	return *(const u64_any *)p;
}

static inline void store_le16(void *p, uint16_t v)
{
	*(u16_any *)p = v;
}

static inline void store_le32(void *p, uint32_t v)
{
	*(u32_any *)p = v;
}

static inline void store_le64(void *p, uint64_t v)
{
	*(u64_any *)p = v;
}

#endif
