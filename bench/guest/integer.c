/* Integer work: hashing, sorting through a function pointer, a bytecode interpreter, a pointer
 * chase, table lookups, dictionary compression. */
#include "bench.h"

#include <string.h>

/* ---- sha256: rotates, adds and logic in a straight line (FIPS 180-4). */

static const uint32_t sha_k[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2};

static uint32_t rotate(uint32_t x, unsigned n)
{
	return x >> n | x << (32 - n);
}

static void sha_block(uint32_t h[8], const uint8_t *p)
{
	uint32_t w[64], s[8];

	for (unsigned i = 0; i < 16; i++)
		w[i] = (uint32_t)p[i * 4] << 24 | (uint32_t)p[i * 4 + 1] << 16 |
		       (uint32_t)p[i * 4 + 2] << 8 | p[i * 4 + 3];
	for (unsigned i = 16; i < 64; i++) {
		uint32_t a = w[i - 15], b = w[i - 2];

		w[i] = w[i - 16] + w[i - 7] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) +
		       (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
	}
	memcpy(s, h, sizeof(s));
	for (unsigned i = 0; i < 64; i++) {
		uint32_t t1 = s[7] + (rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25)) +
			      ((s[4] & s[5]) ^ (~s[4] & s[6])) + sha_k[i] + w[i];
		uint32_t t2 = (rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22)) +
			      ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));

		memmove(s + 1, s, 7 * sizeof(s[0]));
		s[4] += t1;
		s[0] = t1 + t2;
	}
	for (unsigned i = 0; i < 8; i++)
		h[i] += s[i];
}

uint64_t run_sha256(unsigned rounds)
{
	static uint8_t data[4096];
	uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
			 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	while (rounds--)
		for (size_t i = 0; i < sizeof(data); i += 64)
			sha_block(h, data + i);
	return (uint64_t)h[0] << 32 | h[7];
}

/* ---- sort: quicksort with the comparison behind a pointer. */

typedef int compare_fn(const void *a, const void *b);

static int compare_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void sort(uint32_t *v, long n, compare_fn *volatile *compare)
{
	while (n > 1) {
		uint32_t pivot = v[n / 2];
		long i = 0, j = n - 1;

		while (i <= j) {
			while ((*compare)(&v[i], &pivot) < 0)
				i++;
			while ((*compare)(&v[j], &pivot) > 0)
				j--;
			if (i <= j) {
				uint32_t t = v[i];

				v[i++] = v[j];
				v[j--] = t;
			}
		}
		sort(v, j + 1, compare);
		v += i;
		n -= i;
	}
}

static uint64_t run_sort(unsigned rounds)
{
	static uint32_t v[20000];
	compare_fn *volatile compare = compare_u32;
	uint64_t seed = 42, sum = 0;

	while (rounds--) {
		for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
			v[i] = (uint32_t)bench_random(&seed);
		sort(v, sizeof(v) / sizeof(v[0]), &compare);
		sum = sum * 31 + v[123] + v[19999];
	}
	return sum;
}

/* ---- bytecode: a stack machine computing primes; indirect jumps through a table. */

enum { OP_PUSH, OP_LOAD, OP_STORE, OP_ADD, OP_MUL, OP_MOD, OP_LESS, OP_JZ, OP_JMP, OP_END };

/* The sum of the primes below 2000: for (n = 2; n < 2000; n++) { for (d = 2; d * d < n + 1; d++)
 * if (n % d == 0) goto no; sum += n; no: } with n, d, sum in variables 0, 1, 2. The numbers on the
 * left are the jumps' targets. */
/* clang-format off */
static const int32_t primes[] = {
	/* 0*/ OP_PUSH, 2, OP_STORE, 0, OP_PUSH, 0, OP_STORE, 2,
	/* 8*/ OP_LOAD, 0, OP_PUSH, 2000, OP_LESS, OP_JZ, 59,
	/*15*/ OP_PUSH, 2, OP_STORE, 1,
	/*19*/ OP_LOAD, 1, OP_LOAD, 1, OP_MUL, OP_LOAD, 0, OP_PUSH, 1, OP_ADD, OP_LESS, OP_JZ, 43,
	/*32*/ OP_LOAD, 0, OP_LOAD, 1, OP_MOD, OP_JZ, 50,
	/*39*/ OP_PUSH, 1, OP_JMP, 60,
	/*43*/ OP_LOAD, 2, OP_LOAD, 0, OP_ADD, OP_STORE, 2,
	/*50*/ OP_LOAD, 0, OP_PUSH, 1, OP_ADD, OP_STORE, 0, OP_JMP, 8,
	/*59*/ OP_END,
	/*60*/ OP_LOAD, 1, OP_ADD, OP_STORE, 1, OP_JMP, 19,
};
/* clang-format on */

static int64_t bytecode_run(const int32_t *code)
{
	int64_t stack[16] = {0}, vars[4] = {0}, *sp = stack;
	const int32_t *pc = code;

	for (;;) {
		switch (*pc++) {
		case OP_PUSH:
			*sp++ = *pc++;
			break;
		case OP_LOAD:
			*sp++ = vars[*pc++];
			break;
		case OP_STORE:
			vars[*pc++] = *--sp;
			break;
		case OP_ADD:
			sp--;
			sp[-1] += sp[0];
			break;
		case OP_MUL:
			sp--;
			sp[-1] *= sp[0];
			break;
		case OP_MOD:
			sp--;
			sp[-1] %= sp[0];
			break;
		case OP_LESS:
			sp--;
			sp[-1] = sp[-1] < sp[0];
			break;
		case OP_JZ:
			pc = *--sp ? pc + 1 : code + *pc;
			break;
		case OP_JMP:
			pc = code + *pc;
			break;
		default:
			return vars[2];
		}
	}
}

static uint64_t run_bytecode(unsigned rounds)
{
	uint64_t sum = 0;

	while (rounds--)
		sum = sum * 3 + (uint64_t)bytecode_run(primes);
	return sum;
}

/* ---- chase: a random cycle through one MiB. */

enum { CHASE_NODES = 16384 };

struct node {
	struct node *next;
	uint64_t value[7];
};

static uint64_t run_chase(unsigned rounds)
{
	static struct node nodes[CHASE_NODES];
	static uint32_t order[CHASE_NODES];
	uint64_t seed = 7, sum = 0;
	struct node *n = nodes;

	for (uint32_t i = 0; i < CHASE_NODES; i++)
		order[i] = i;
	for (uint32_t i = CHASE_NODES - 1; i > 0; i--) {
		uint32_t j = (uint32_t)(bench_random(&seed) % (i + 1)), t = order[i];

		order[i] = order[j];
		order[j] = t;
	}
	for (uint32_t i = 0; i < CHASE_NODES; i++) {
		nodes[order[i]].next = &nodes[order[(i + 1) % CHASE_NODES]];
		nodes[i].value[0] = i;
	}
	while (rounds--) {
		for (unsigned i = 0; i < CHASE_NODES; i++) {
			sum += n->value[0] ^ i;
			n = n->next;
		}
	}
	return sum;
}

/* ---- crc32: a table lookup per byte. */

static uint64_t run_crc32(unsigned rounds)
{
	static uint32_t table[256];
	static uint8_t data[65536];
	uint32_t crc = ~0u;

	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int k = 0; k < 8; k++)
			c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
		table[i] = c;
	}
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i ^ i >> 8);
	while (rounds--)
		for (size_t i = 0; i < sizeof(data); i++)
			crc = crc >> 8 ^ table[(crc ^ data[i]) & 0xff];
	return ~crc;
}

/* ---- lz: find repeats through a hash table, as deflate and lz4 do. */

static uint32_t load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t run_lz(unsigned rounds)
{
	static uint8_t in[65536], out[2 * 65536];
	static uint16_t heads[4096];
	uint64_t seed = 99, sum = 0;

	for (size_t i = 0; i < sizeof(in); i++) /* words of a small alphabet */
		in[i] = (uint8_t)("etaoin shrdlu"[bench_random(&seed) % 13 & ~(i / 64 & 3)]);
	while (rounds--) {
		size_t at = 0, n = 0;

		memset(heads, 0, sizeof(heads));
		while (at + 8 < sizeof(in)) {
			uint32_t v = load32(in + at), h = v * 2654435761u >> 20;
			size_t from = heads[h], len = 0;

			heads[h] = (uint16_t)at;
			if (from < at && load32(in + from) == v)
				for (len = 4; at + len < sizeof(in) && len < 255 &&
					      in[from + len] == in[at + len];)
					len++;
			out[n++] = len ? (uint8_t)len : in[at];
			if (len) {
				out[n++] = (uint8_t)(at - from);
				out[n++] = (uint8_t)((at - from) >> 8);
			}
			at += len ? len : 1;
		}
		sum = sum * 31 + n + out[n / 2];
	}
	return sum;
}

const struct workload integer_workloads[] = {
	{"integer", "sha256", 1500, run_sha256, NULL},
	{"integer", "sort", 30, run_sort, NULL},
	{"integer", "bytecode", 180, run_bytecode, NULL},
	{"integer", "chase", 600, run_chase, NULL},
	{"integer", "crc32", 1000, run_crc32, NULL},
	{"integer", "lz", 700, run_lz, NULL},
	{0},
};
