/*
 * Every decode row lifts, in every mode where it decodes, to a block that the verifier accepts. And
 * what x86_lift_block itself promises: where blocks end, which checks the mode asks for.
 */
#include "test.h"

#include "isa/x86/lift.h"
#include "isa/x86/lift_helpers.h"
#include "synth.h"
#include "xorshift.h"

static struct ir_insn storage[IR_BLOCK_MAX];
static struct x86_decoder *decoder;

static enum x86_decode_result lift_bytes(struct ir_block *b, const uint8_t *bytes, unsigned len,
					 x86_mode_t mode, unsigned max_guest)
{
	static struct x86_cpuid_model all;

	memset(all.features, 0xff, sizeof(all.features));
	ir_block_init(b, &x86_isa, storage, IR_BLOCK_MAX);
	return x86_lift_block(decoder, bytes, len, mode, &all, max_guest, b);
}

static void check_block(const struct ir_block *b, const struct x86_enc *e, x86_mode_t mode,
			unsigned modrm)
{
	static char text[1 << 16];
	char msg[200];

	if (!b->overflow && ir_verify(b, msg, sizeof(msg)) == 0)
		return;
	print_error("row \"%s\" \"%s\" (%s) mode %x modrm %02x: %s\n", e->row->enc, e->row->ops,
		    e->row->text, mode, modrm, b->overflow ? "overflow" : msg);
	ir_print(b, text, sizeof(text));
	print_error("%s\n", text);
	fail();
}

static void lift_row(const struct x86_enc *e, x86_mode_t mode, unsigned prefix)
{
	static const uint8_t tails[2][SYNTH_TAIL] = {
		{0}, {0x83, 0x85, 0x91, 0xff, 0x7f, 0x81, 0x92, 0xfe, 0x11, 0xc3, 0x90, 0x22}};
	uint8_t bytes[1 + 2 * SYNTH_TAIL];
	unsigned len;

	/* all modrm bytes where there is nothing else to it, some with prefixes */
	for (unsigned n = 0; n < (e->modrm_kind ? 512 : e->opcode_span); n += prefix ? 13 : 1) {
		struct ir_block b;

		bytes[0] = (uint8_t)prefix;
		if (!synth(e, mode, n % e->opcode_span, n >> 1, tails[n & 1], bytes + (prefix != 0),
			   &len))
			continue;
		assert_int_equal(lift_bytes(&b, bytes, len, mode, 1), X86_DECODE_OK);
		assert_int_equal(b.guest_count, 1);
		check_block(&b, e, mode, n >> 1);
	}
}

static void every_row_lifts(void **state)
{
	const x86_mode_t modes[] = {
		synth_code64, synth_code64 | 3u << X86_MODE_CPL_SHIFT | X86_MODE_SSE_UNMASKED,
		synth_code32, synth_code32 & ~(x86_mode_t)X86_MODE_FLAT,
		synth_code16, synth_real,
		synth_vm86,
	};
	static const uint8_t prefixes[] = {0, 0x66, 0x67, 0xf0, 0xf3, 0x64};

	(void)state;
	for (unsigned k = 0; k < decoder->enc_count; k++) {
		for (unsigned m = 0; m < ARRAY_LEN(modes); m++) {
			for (unsigned p = 0; p < ARRAY_LEN(prefixes); p++)
				lift_row(&decoder->enc[k], modes[m], prefixes[p]);
		}
	}
}

/* Random bytes, in any mode: whatever they are, the block is good. */
static void any_bytes_lift(void **state)
{
	uint64_t s = 0x2545f4914f6cdd1d;
	uint8_t bytes[64];
	struct ir_block b;
	char msg[200];

	(void)state;
	for (unsigned n = 0; n < 30000; n++) {
		for (unsigned k = 0; k < sizeof(bytes); k++) {
			bytes[k] = (uint8_t)(xorshift(&s) >> 30);
		}
		if (lift_bytes(&b, bytes, 1 + s % sizeof(bytes), (x86_mode_t)(s >> 20) & 0x3fffff,
			       64) != X86_DECODE_OK)
			continue;
		assert_false(b.overflow);
		if (ir_verify(&b, msg, sizeof(msg)) != 0)
			fail_msg("%s", msg);
	}
}

static const struct ir_insn *last(const struct ir_block *b)
{
	return &b->insn[b->count - 1];
}

/* The vector raised by a block that does nothing but raise, or -1. */
static int raised(const struct ir_block *b)
{
	for (uint32_t n = 0; n < b->count; n++) {
		if (b->insn[n].op == IR_CALL &&
		    ir_helper_of(&b->insn[n]) == &x86_helpers_lift[LIFT_HELPER_RAISE])
			return (int)(b->insn[b->insn[n].arg[0]].imm & 0xff);
	}
	return -1;
}

static void blocks_end(void **state)
{
	static const uint8_t nops[] = {0x90, 0x90, 0x90, 0x0f, 0x1f, 0x84, 0, 0};
	struct ir_block b;

	(void)state;
	assert_int_equal(lift_bytes(&b, nops, 8, synth_code64, 64), X86_DECODE_OK);
	assert_int_equal(b.guest_count, 3); /* the fourth needs more bytes */
	assert_int_equal(last(&b)->op, IR_EXIT);
	assert_int_equal(last(&b)->imm, 3);
	assert_int_equal(lift_bytes(&b, nops + 3, 5, synth_code64, 64), X86_DECODE_MORE);
	lift_bytes(&b, nops, 8, synth_code64, 2);
	assert_int_equal(b.guest_count, 2);
	lift_bytes(&b, nops, 8, synth_code64 | X86_MODE_TF, 64);
	assert_int_equal(b.guest_count, 1);
	lift_bytes(&b, nops, 8, synth_code64 | X86_MODE_SHADOW, 64);
	assert_int_equal(b.guest_count, 1);
}

static void faults_end_blocks(void **state)
{
	static const uint8_t bad[] = {0x90, 0xf0, 0x01, 0xc0}; /* LOCK ADD EAX, EAX */
	static uint8_t prefixes[16];
	struct ir_block b;

	(void)state;
	lift_bytes(&b, bad, 4, synth_code64, 64);
	assert_int_equal(b.guest_count, 2);
	assert_int_equal(last(&b)->op, IR_EXIT_STATE);
	assert_int_equal(raised(&b), X86_FAULT_UD);
	memset(prefixes, 0x66, sizeof(prefixes));
	lift_bytes(&b, prefixes, 16, synth_code64, 64);
	assert_int_equal(raised(&b), X86_FAULT_GP);
	assert_int_equal(lift_bytes(&b, prefixes, 15, synth_code64, 64), X86_DECODE_OK);
	assert_int_equal(raised(&b), X86_FAULT_GP);
	assert_int_equal(lift_bytes(&b, prefixes, 14, synth_code64, 64), X86_DECODE_MORE);
}

/* A fake row through the gates, one mode bit after the other. */
static void attributes_gate(void **state)
{
	static const struct {
		uint32_t attr;
		x86_mode_t mode;
		int vector;
	} cases[] = {
		{X86_NOT_REAL, 0, X86_FAULT_UD},
		{X86_NOT_REAL, X86_MODE_PE | X86_MODE_VM, X86_FAULT_UD},
		{X86_NOT_REAL, X86_MODE_PE, -1},
		{X86_PRIV, X86_MODE_PE | X86_MODE_CPL, X86_FAULT_GP},
		{X86_PRIV, X86_MODE_PE, -1},
		{X86_IS_X87, X86_MODE_FPU_TRAP | X86_MODE_X87_PENDING, X86_FAULT_NM},
		{X86_IS_X87, X86_MODE_MMX_UD, X86_FAULT_NM},
		{X86_IS_X87, X86_MODE_X87_PENDING, X86_FAULT_MF},
		{X86_IS_X87 | X86_NOWAIT, X86_MODE_X87_PENDING, -1},
		{X86_IS_MMX, X86_MODE_MMX_UD | X86_MODE_FPU_TRAP, X86_FAULT_UD},
		{X86_IS_MMX, X86_MODE_FPU_TRAP, X86_FAULT_NM},
		{X86_IS_MMX, X86_MODE_X87_PENDING, X86_FAULT_MF},
		{X86_IS_SSE, X86_MODE_SSE_UD | X86_MODE_FPU_TRAP, X86_FAULT_UD},
		{X86_IS_SSE, X86_MODE_FPU_TRAP, X86_FAULT_NM},
		{X86_IS_SSE, X86_MODE_X87_PENDING, -1},
	};
	static const uint8_t nop = 0x90;
	struct x86_enc *slot = decoder->enc;
	const struct x86_row *old;
	struct x86_insn i;

	(void)state;
	assert_int_equal(x86_decode(decoder, &nop, 1, 0, NULL, &i), X86_DECODE_OK);
	old = i.row;
	while (slot->row != old)
		slot++;
	for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
		struct x86_row r = *old;
		struct ir_block b;

		r.attr = cases[k].attr;
		slot->row = &r;
		lift_bytes(&b, &nop, 1, cases[k].mode, 1);
		if (raised(&b) != cases[k].vector)
			print_error("attr %x mode %x\n", cases[k].attr, cases[k].mode);
		assert_int_equal(raised(&b), cases[k].vector);
	}
	slot->row = old;
}

/* VEX is not SSE: it asks for XCR0, not for CR4.OSFXSR or CR0.EM; #NM by CR0.TS goes for both.
 * Gathers with a register twice are invalid. */
static void vex_gates(void **state)
{
	static const struct {
		uint8_t bytes[6];
		unsigned len;
		x86_mode_t mode;
		int vector;
	} cases[] = {
		{{0xc5, 0xec, 0x58, 0xcb}, 4, 0, -1},
		{{0xc5, 0xec, 0x58, 0xcb}, 4, X86_MODE_SSE_UD | X86_MODE_MMX_UD, -1},
		{{0xc5, 0xec, 0x58, 0xcb}, 4, X86_MODE_AVX_UD, X86_FAULT_UD},
		{{0xc5, 0xec, 0x58, 0xcb}, 4, X86_MODE_AVX_UD | X86_MODE_FPU_TRAP, X86_FAULT_UD},
		{{0xc5, 0xec, 0x58, 0xcb}, 4, X86_MODE_FPU_TRAP, X86_FAULT_NM},
		{{0xc5, 0xfc, 0x77}, 3, X86_MODE_AVX_UD, X86_FAULT_UD},
		{{0xc4, 0xe2, 0x70, 0xf2, 0xc2},
		 5,
		 X86_MODE_AVX_UD | X86_MODE_FPU_TRAP,
		 -1},							    /* andn */
		{{0xc4, 0xe2, 0x65, 0x92, 0x0c, 0x20}, 6, 0, -1},	    /* ymm1, ymm4, ymm3 */
		{{0xc4, 0xe2, 0x65, 0x92, 0x0c, 0x08}, 6, 0, X86_FAULT_UD}, /* ymm1, ymm1, ymm3 */
		{{0xc4, 0xe2, 0x65, 0x92, 0x0c, 0x18}, 6, 0, X86_FAULT_UD}, /* ymm1, ymm3, ymm3 */
		{{0xc4, 0xe2, 0x75, 0x92, 0x0c, 0x20}, 6, 0, X86_FAULT_UD}, /* ymm1, ymm4, ymm1 */
	};

	(void)state;
	for (unsigned k = 0; k < ARRAY_LEN(cases); k++) {
		struct ir_block b;

		lift_bytes(&b, cases[k].bytes, cases[k].len, synth_code64 | cases[k].mode, 1);
		if (raised(&b) != cases[k].vector)
			fail_msg("case %u raises %d", k, raised(&b));
	}
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
		cmocka_unit_test(every_row_lifts), cmocka_unit_test(any_bytes_lift),
		cmocka_unit_test(blocks_end),	   cmocka_unit_test(faults_end_blocks),
		cmocka_unit_test(attributes_gate), cmocka_unit_test(vex_gates),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
