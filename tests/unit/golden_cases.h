/* What tests/unit/golden-host-code.txt shows, see golden.c: guest code and the words above it. */
#ifndef TESTS_UNIT_GOLDEN_CASES_H
#define TESTS_UNIT_GOLDEN_CASES_H

#include <stdint.h>

struct golden_case {
	const char *title; /* NULL: a heading alone, in `code` */
	const char *code;
	unsigned len;
	int32_t path[4]; /* a trace: where it goes on after each control transfer, then 0 */
};

#define HEADING(text)                                                                              \
	{                                                                                          \
		NULL, text, 0,                                                                     \
		{                                                                                  \
			0                                                                          \
		}                                                                                  \
	}
#define CASE(title, bytes)                                                                         \
	{                                                                                          \
		title, bytes, sizeof(bytes) - 1,                                                   \
		{                                                                                  \
			0                                                                          \
		}                                                                                  \
	}
#define PATH(title, bytes, ...)                                                                    \
	{                                                                                          \
		title, bytes, sizeof(bytes) - 1,                                                   \
		{                                                                                  \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}

/* All of it is at GOLDEN_START of its page. */
enum { GOLDEN_START = 0x100 };

/* clang-format off */
static const struct golden_case golden_cases[] = {
	HEADING("A block's frame. It is the same everywhere, and left out from here on."),
	CASE("nop", "\x90"),

	HEADING("Moves and addresses"),
	CASE("register to register", "\x48\x89\xe5"),
	CASE("a 32-bit result clears the upper half", "\x89\xd8"),
	CASE("a register that is not pinned", "\x4c\x89\xd0"),
	CASE("load", "\x8b\x43\x08"),
	CASE("load a byte", "\x0f\xb6\x04\x0e"),
	CASE("store", "\x89\x43\x08"),
	CASE("store a constant", "\x48\xc7\x44\x24\x10\x07\x00\x00\x00"),
	CASE("two accesses to one base share a probe", "\x48\x8b\x43\x08\x48\x89\x43\x10"),
	CASE("lea", "\x48\x8d\x44\x8b\x10"),
	CASE("a register twice in an address", "\x43\xc6\x44\x2d\x1e\x00"),
	CASE("load through gs", "\x65\x48\x8b\x04\x25\x10\x00\x00\x00"),
	CASE("no temporary is left of registers that are not pinned",
	     "\x4f\x8b\x6c\xbe\x08\x4f\x89\x6c\xbe\x10\x4d\x01\xfe"),

	HEADING("Arithmetic and flags"),
	CASE("add registers", "\x01\xd8"),
	CASE("add from memory", "\x48\x03\x07"),
	CASE("add to memory", "\x48\x83\x47\x08\x01"),
	CASE("flags that are overwritten cost nothing", "\x01\xd8\x29\xd9"),
	CASE("packed flags of registers that are not pinned",
	     "\x4d\x29\xfe\x49\xd1\xc5\x9c"),
	CASE("add with carry", "\x01\xd8\x11\xca"),
	CASE("clear a register", "\x31\xc0"),
	CASE("16 bits", "\x66\x01\xd8"),
	CASE("high byte", "\x00\xdc"),
	CASE("compare and branch", "\x39\xd8\x74\x10"),
	CASE("test and branch back to the start", "\x85\xc0\x75\xfc"),
	CASE("decrement and branch", "\xff\xc9\x75\xfc"),
	CASE("setcc", "\x39\xd8\x0f\x9c\xc1"),
	CASE("cmov", "\x48\x39\xd8\x48\x0f\x42\xc3"),
	CASE("shift by a constant", "\xc1\xe0\x05"),
	CASE("shift by cl", "\xd3\xe8"),
	CASE("rotate", "\x48\xc1\xc0\x03"),
	CASE("imul", "\x48\x0f\xaf\xc3"),
	CASE("mul", "\xf7\xe3"),
	CASE("div", "\xf7\xf3"),

	HEADING("Stack and control transfers"),
	CASE("push", "\x50"),
	CASE("pop", "\x5d"),
	CASE("jump in the page", "\xeb\x20"),
	CASE("jump to another page", "\xe9\x00\x20\x00\x00"),
	CASE("call", "\xe8\x20\x00\x00\x00"),
	CASE("ret", "\xc3"),
	CASE("jump by a register", "\xff\xe0"),
	PATH("a trace through call and ret", "\xe8\x02\x00\x00\x00\xeb\xf9\xc3", 0x107, 0x105),

	HEADING("Strings, locked instructions, helpers"),
	CASE("stosq", "\x48\xab"),
	CASE("rep movsb", "\xf3\xa4"),
	CASE("lock cmpxchg", "\xf0\x0f\xb1\x0b"),
	CASE("lock xadd", "\xf0\x48\x0f\xc1\x07"),
	CASE("lock inc", "\xf0\xff\x07"),
	CASE("lock or, of registers that are not pinned", "\xf0\x4f\x09\x2c\x3e\x4d\x01\xfe"),
	CASE("cpuid", "\x0f\xa2"),

	HEADING("SSE, AVX, x87"),
	CASE("pxor", "\x66\x0f\xef\xc1"),
	CASE("movdqu", "\xf3\x0f\x6f\x06"),
	CASE("addsd from memory", "\xf2\x0f\x58\x03"),
	CASE("ucomisd and branch", "\x66\x0f\x2e\xc1\x77\x10"),
	CASE("vpaddd, 256 bits", "\xc5\xf5\xfe\xc2"),
	CASE("vmovdqu, 256 bits", "\xc5\xfe\x6f\x06"),
	CASE("x87", "\xdd\x03\xd8\xc1\xdd\x1f"),
};
/* clang-format on */

#endif
