/*
 * The IR parser on text: made of the language's own words, of random bytes, or both. It must refuse
 * or accept, never crash; what it accepts and the verifier passes prints and parses to the same
 * text.
 */
#include <string.h>

#include "base/bits.h"
#include "fuzz.h"
#include "ir/ir.h"
#include "ir/pass.h"
#include "isa/x86/regs.h"

static const char *const words[] = {
	"v0",
	"v1",
	"v2",
	"v9999",
	"f1",
	"f3",
	"=",
	",",
	", ",
	"+",
	"-",
	"\n",
	"\n",
	" ",
	" ",
	".i8",
	".i16",
	".i32",
	".i64",
	".v128",
	".v256",
	"rax",
	"rcx",
	"rip",
	"guest +0, 1\n",
	"exit +1\n",
	"exit_state\n",
	"mmu=",
	"flags=",
	"0",
	"1",
	"7",
	"0x10",
	"18446744073709551615",
	"-1",
	"#",
	"v0 = get.i64 rax\n",
	"v1 = get.i64 rcx\n",
	"v2 = add.i64 v0, v1\n",
	"put.i64 rax, v2\n",
	"f3 = flags.add.i64 v0, v1\n",
	"put_flags f3\n",
	"v4 = cond.b f3\n",
	"exit_if v4, +8\n",
	"v5 = const.i64 5\n",
	"v6 = load.i32 v0, mmu=0, flags=0\n",
	"exit_indirect v0\n",
	"call ",
	"vop.",
	"select.i32 ",
	"store.i32 v0, v6, mmu=1, flags=0\n",
};

static void make_text(struct fuzz_input *in, char *text, size_t size)
{
	unsigned frame = (unsigned)fuzz_take(in, 1);
	size_t n = 0;

	/* Mostly a block with a beginning and an end, so that the rest gets its chance. */
	if (frame & 3)
		n += (size_t)snprintf(text, 256,
				      "guest +0, 1\nv0 = get.i64 rax\nv1 = get.i64 rcx\n");
	while (in->at < in->end && n + 128 < size) {
		unsigned c = (unsigned)fuzz_take(in, 1);

		if (c >= 0xe0) { /* any operation's name */
			n += (size_t)snprintf(text + n, 64, "%s",
					      ir_ops[fuzz_take(in, 1) % IR_OP_COUNT].name);
		} else if (c >= 0xc0) {
			text[n++] = (char)(1 + fuzz_take(in, 1) % 255);
		} else {
			n += (size_t)snprintf(text + n, 64, "%s", words[c % ARRAY_LEN(words)]);
		}
	}
	text[n] = 0;
	if (frame & 3)
		snprintf(text + n, 64, "\nexit +1\n");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct ir_insn storage[IR_BLOCK_MAX], storage2[IR_BLOCK_MAX];
	static char text[16384], printed[1 << 17], printed2[1 << 17];
	struct fuzz_input in = {data, data + len};
	struct ir_block b, b2;
	char msg[256];

	make_text(&in, text, sizeof(text));
	ir_block_init(&b, &x86_isa, storage, IR_BLOCK_MAX);
	if (ir_parse(&b, text, msg, sizeof(msg)) || ir_verify(&b, msg, sizeof(msg)))
		return 0;
	FUZZ_CHECK(ir_print(&b, printed, sizeof(printed)) < (int)sizeof(printed), "too long");
	ir_block_init(&b2, &x86_isa, storage2, IR_BLOCK_MAX);
	FUZZ_CHECK(!ir_parse(&b2, printed, msg, sizeof(msg)), "%s in\n%s", msg, printed);
	ir_print(&b2, printed2, sizeof(printed2));
	FUZZ_CHECK(!strcmp(printed, printed2), "\n%s\nbecame\n%s", printed, printed2);
	ir_optimize(&b, 0);
	FUZZ_CHECK(!ir_verify(&b, msg, sizeof(msg)), "%s", msg);
	return 0;
}
