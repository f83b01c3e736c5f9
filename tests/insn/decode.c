/* The decoder on single encodings: operands and lengths, prefixes, limits, and what is not valid.
 */
#include "test.h"

#include <stdlib.h>

#include "decode_cases.h"
#include "synth.h"

static struct x86_decoder *decoder;

static x86_mode_t mode_of(unsigned bits)
{
	return bits == 64 ? synth_code64 : bits == 32 ? synth_code32 : synth_code16;
}

static unsigned parse_hex(const char *hex, uint8_t *out)
{
	unsigned n = 0;
	char *end;

	for (unsigned long v = strtoul(hex, &end, 16); end != hex; v = strtoul(hex, &end, 16)) {
		out[n++] = (uint8_t)v;
		hex = end;
	}
	return n;
}

/* Decode from a buffer of exactly len bytes, so that sanitizers see any read past it. */
static enum x86_decode_result decode_exact(const uint8_t *bytes, unsigned len, unsigned bits,
					   struct x86_insn *i)
{
	uint8_t *copy = malloc(len ? len : 1);
	enum x86_decode_result r;

	memcpy(copy, bytes, len);
	r = x86_decode(decoder, copy, len, mode_of(bits), NULL, i);
	free(copy);
	return r;
}

static enum x86_decode_result decode_hex(unsigned bits, const char *hex, struct x86_insn *i)
{
	uint8_t bytes[32];

	return decode_exact(bytes, parse_hex(hex, bytes), bits, i);
}

static void table_decodes(void **state)
{
	unsigned wrong = 0;

	(void)state;
	for (unsigned k = 0; k < ARRAY_LEN(decode_cases); k++) {
		const struct decode_case *c = &decode_cases[k];
		uint8_t bytes[32];
		unsigned len = parse_hex(c->hex, bytes);
		struct x86_insn i;
		char text[128] = "";
		enum x86_decode_result r = decode_exact(bytes, len, c->bits, &i);

		if (r == X86_DECODE_OK)
			x86_insn_print(&i, 0x1000, text, sizeof(text));
		if (r == X86_DECODE_OK && i.len == len && strcmp(text, c->text) == 0)
			continue;
		print_error("%u-bit %s: \"%s\", %u bytes, result %d; expected \"%s\"\n", c->bits,
			    c->hex, text, i.len, r, c->text);
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

static void fewer_bytes_ask_for_more(void **state)
{
	(void)state;
	for (unsigned k = 0; k < ARRAY_LEN(decode_cases); k++) {
		uint8_t bytes[32];
		unsigned len = parse_hex(decode_cases[k].hex, bytes);
		struct x86_insn i;

		while (len-- > 0)
			assert_int_equal(decode_exact(bytes, len, decode_cases[k].bits, &i),
					 X86_DECODE_MORE);
	}
}

static void length_limit(void **state)
{
	struct x86_insn i;

	(void)state;
	/* 15 bytes are allowed, with the 16th it is an error even if it is not there */
	assert_int_equal(decode_hex(64, "66 66 66 66 66 66 66 66 66 66 66 66 66 89 c8", &i),
			 X86_DECODE_OK);
	assert_int_equal(i.len, 15);
	assert_int_equal(decode_hex(64, "66 66 66 66 66 66 66 66 66 66 66 66 66 66 89 c8", &i),
			 X86_DECODE_TOO_LONG);
	assert_int_equal(decode_hex(64, "66 66 66 66 66 66 66 66 66 66 66 66 66 66 89", &i),
			 X86_DECODE_TOO_LONG);
	assert_int_equal(decode_hex(64, "66 66 66 66 66 66 66 66 66 66 66 66 66 66", &i),
			 X86_DECODE_MORE);
	assert_int_equal(decode_hex(64, "66 67 64 f0 48 81 84 88 00 01 00 00 78 56 34 12", &i),
			 X86_DECODE_TOO_LONG);
}

static void invalid(void **state)
{
	static const struct {
		unsigned bits;
		const char *hex;
	} cases[] = {
		{64, "f0 01 c0"},    /* LOCK: not a memory destination */
		{64, "f0 03 00"},    /* LOCK: memory is the source */
		{64, "f0 39 00"},    /* LOCK CMP */
		{64, "f0 90"},	     /* LOCK NOP */
		{64, "f0 89 00"},    /* LOCK MOV */
		{64, "8d c0"},	     /* LEA of a register */
		{64, "82 c0 01"},    /* alias of 80 */
		{64, "c6 48 00 00"}, /* C6 /1 */
		{64, "62 00 00 00 00 00 00"},
		{64, "d6"},
		{32, "0f 38 f0 c0"}, /* MOVBE of a register */
		{32, "0f 38 ff 00"},
		{32, "0f 04"},
		{64, "66 c5 f8 77"}, /* prefix before VEX */
		{64, "48 c5 f8 77"},
		{64, "c4 e2 74 f2 c2"},	   /* ANDN with VEX.L */
		{64, "c4 e3 73 f0 c1 11"}, /* RORX with vvvv */
		{32, "c4 e3 3b f0 c1 11"}, /* the same: its fourth bit counts here */
		{64, "c4 e2 78 f3 c2"},	   /* no BLS* has /0 */
		{64, "c4 e2 f9 13 c1"},	   /* VCVTPH2PS with VEX.W */
		{64, "c4 e2 71 13 c1"},	   /* and with vvvv */
		{64, "c5 fd 6e c9"},	   /* VMOVD with VEX.L */
		{64, "c5 ed 16 08"},	   /* VMOVHPD with VEX.L */
		{64, "c5 f4 28 1a"},	   /* VMOVAPS with vvvv */
		{64, "c5 f4 77"},	   /* VZEROALL with vvvv */
		{64, "c4 e3 69 06 cb 31"}, /* VPERM2F128 of 128 bits */
		{64, "c4 e3 7d 00 ca 1b"}, /* VPERMQ with W = 0 */
		{64, "c4 e2 fd 18 08"},	   /* VBROADCASTSS with W = 1 */
		{64, "c4 e2 7d 5a ca"},	   /* VBROADCASTI128 of a register */
		{32, "c4 e3 e9 22 c9 01"}, /* VPINSRQ */
		{64, "c4 e2 65 92 08"},	   /* VGATHERDPS without SIB */
		{16, "c4 e2 65 92 0c"},	   /* the same, 16-bit addresses */
		{64, "f0 c5 ec 58 08"},	   /* LOCK */
	};
	struct x86_insn i;

	(void)state;
	for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
		if (decode_hex(cases[k].bits, cases[k].hex, &i) != X86_DECODE_UD)
			fail_msg("%u-bit %s", cases[k].bits, cases[k].hex);
		assert_in_range(i.len, 1, 15);
	}
}

static void fields(void **state)
{
	struct x86_insn i;

	(void)state;
	assert_int_equal(decode_hex(64, "f0 65 4a 81 84 a5 f0 ff ff ff 80 00 00 00", &i),
			 X86_DECODE_OK);
	assert_true(i.lock && i.rex_w && i.has_rex && !i.opsize_prefix);
	assert_int_equal(i.opsize, 8);
	assert_int_equal(i.addrsize, 8);
	assert_int_equal(i.base, X86_RBP);
	assert_int_equal(i.index, X86_R12);
	assert_int_equal(i.scale, 2);
	assert_int_equal(i.disp, -16);
	assert_int_equal(i.imm, 0x80);
	assert_int_equal(i.seg, X86_GS);
	assert_int_equal(i.seg_override, X86_GS);
	assert_int_equal(i.op[0].kind, X86_OPND_MEM);
	assert_int_equal(i.op[0].reg, X86_OPND_GPR);
	assert_int_equal(i.op[1].bytes, 8);
}

static void segments(void **state)
{
	static const struct {
		unsigned bits;
		const char *hex;
		unsigned seg, override;
	} cases[] = {
		{64, "8b 03", X86_DS, X86_SEG_NONE},
		{64, "8b 45 00", X86_SS, X86_SEG_NONE},
		{64, "8b 04 24", X86_SS, X86_SEG_NONE},
		{64, "41 8b 04 24", X86_DS, X86_SEG_NONE}, /* R12, R13 */
		{64, "41 8b 45 00", X86_DS, X86_SEG_NONE},
		{64, "8b 04 2d 00 00 00 00", X86_DS, X86_SEG_NONE}, /* RBP as index */
		{64, "26 8b 03", X86_DS, X86_SEG_NONE},
		{64, "3e 8b 45 00", X86_SS, X86_SEG_NONE},
		{64, "64 2e 8b 45 00", X86_FS, X86_FS},
		{32, "3e 8b 45 00", X86_DS, X86_DS},
		{32, "65 26 8b 03", X86_ES, X86_ES},	/* the last counts */
		{16, "8b 42 00", X86_SS, X86_SEG_NONE}, /* BP + SI */
		{16, "8b 41 00", X86_DS, X86_SEG_NONE},
		{16, "8b 06 00 00", X86_DS, X86_SEG_NONE},
	};
	struct x86_insn i;

	(void)state;
	for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
		assert_int_equal(decode_hex(cases[k].bits, cases[k].hex, &i), X86_DECODE_OK);
		if (i.seg != cases[k].seg || i.seg_override != cases[k].override)
			fail_msg("%u-bit %s: %u", cases[k].bits, cases[k].hex, i.seg);
	}
}

/* A REX prefix counts only right before the opcode; any REX makes byte registers 4-7 SPL..DIL. */
static void rex(void **state)
{
	struct x86_insn i;

	(void)state;
	assert_int_equal(decode_hex(64, "48 66 89 c8", &i), X86_DECODE_OK);
	assert_int_equal(i.opsize, 2);
	assert_false(i.has_rex);
	assert_int_equal(decode_hex(64, "49 40 89 c8", &i), X86_DECODE_OK);
	assert_int_equal(i.opsize, 4);
	assert_int_equal(i.op[0].reg, X86_RAX);
	assert_int_equal(decode_hex(64, "40 88 e0", &i), X86_DECODE_OK);
	assert_false(i.op[1].high8);
	assert_int_equal(i.op[1].reg, X86_RSP);
	assert_int_equal(decode_hex(64, "88 e0", &i), X86_DECODE_OK);
	assert_true(i.op[1].high8);
	assert_int_equal(i.op[1].reg, X86_RAX);
}

static void print_is_bounded(void **state)
{
	struct x86_insn i;
	char buf[8];

	(void)state;
	decode_hex(64, "48 81 84 88 00 01 00 00 78 56 34 12", &i);
	assert_int_equal(x86_insn_print(&i, 0, buf, sizeof(buf)),
			 strlen("add qword ptr [rax+rcx*4+0x100], 0x12345678"));
	assert_string_equal(buf, "add qwo");
	assert_true(x86_insn_print(&i, 0, NULL, 0) > 0);
}

static int setup(void **state)
{
	(void)state;
	decoder = x86_decoder_create();
	return decoder == NULL;
}

static int teardown(void **state)
{
	(void)state;
	x86_decoder_destroy(decoder);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_decodes), cmocka_unit_test(fewer_bytes_ask_for_more),
		cmocka_unit_test(length_limit),	 cmocka_unit_test(invalid),
		cmocka_unit_test(fields),	 cmocka_unit_test(segments),
		cmocka_unit_test(rex),		 cmocka_unit_test(print_is_bounded),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
