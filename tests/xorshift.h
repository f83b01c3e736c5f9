/* Random numbers for tests, the same in every run: Marsaglia's xorshift ("Xorshift RNGs", 2003). */
#ifndef TESTS_XORSHIFT_H
#define TESTS_XORSHIFT_H

#include <stdint.h>

/* The next state, which is the next number too. It must never be 0. */
static inline uint64_t xorshift(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

#endif
