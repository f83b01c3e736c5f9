/*
 * Every decode row obeys the grammar and can be reached: no row shadows another in all of its
 * encodings. And the index agrees with the rows it was made of.
 */
#include "test.h"

#include "synth.h"

static const uint8_t zeros[SYNTH_TAIL];

static bool reaches(const struct x86_decoder *d, const struct x86_enc *e, x86_mode_t mode,
		    const struct x86_row **other)
{
	uint8_t bytes[2 * SYNTH_TAIL];
	struct x86_insn i;
	unsigned len;

	for (unsigned low = 0; low < e->opcode_span; low++) {
		for (unsigned modrm = 0; modrm < (e->modrm_kind ? 256 : 1); modrm++) {
			if (!synth(e, mode, low, modrm, zeros, bytes, &len))
				continue;
			if (x86_decode(d, bytes, len, mode, NULL, &i) != X86_DECODE_OK)
				continue;
			if (i.row == e->row)
				return true;
			*other = i.row;
		}
	}
	return false;
}

static void every_row_is_reached(void **state)
{
	struct x86_decoder *d = x86_decoder_create();
	unsigned lost = 0;

	(void)state;
	for (unsigned k = 0; k < d->enc_count; k++) {
		const struct x86_enc *e = &d->enc[k];
		const struct x86_row *other = NULL;
		bool in64 = reaches(d, e, synth_code64, &other);
		bool in32 = reaches(d, e, synth_code32, &other);

		if ((in64 || !synth_row_in_mode(e->row, synth_code64)) &&
		    (in32 || !synth_row_in_mode(e->row, synth_code32) || e->w == X86_W_1))
			continue;
		print_error("row \"%s\" (%s) is never decoded; \"%s\" (%s) is\n", e->row->enc,
			    e->row->text, other ? other->enc : "nothing", other ? other->text : "");
		lost++;
	}
	assert_int_equal(lost, 0);
	x86_decoder_destroy(d);
}

static void flags_are_arithmetic_ones(void **state)
{
	(void)state;
	for (const struct x86_row *const *f = x86_families; *f; f++) {
		for (const struct x86_row *r = *f; r->enc; r++) {
			assert_int_equal(r->flags_undefined & ~X86_ARITH_FLAGS, 0);
			assert_true(r->feature < X86_FEAT_COUNT);
		}
	}
}

static void dummy_lift(struct lift *l, const struct x86_insn *i)
{
	(void)l;
	(void)i;
}

static bool parses(const char *enc, const char *ops)
{
	struct x86_row r = {.enc = enc, .ops = ops, .text = "t", .lift = dummy_lift};
	struct x86_enc e;
	const char *why;

	return x86_enc_parse(&r, &e, &why);
}

static void bad_rows_are_refused(void **state)
{
	(void)state;
	assert_true(parses("NP W0 0F BC /r", "Gv, Ev"));
	assert_true(parses("VEX.128 66 0F38 00 /r", "Vx, Hx, Wx"));
	assert_true(parses("F3 0F C7 /7 reg", "Rd"));
	assert_false(parses("", ""));
	assert_false(parses("NP", ""));
	assert_false(parses("0F BC /8", "Gv, Ev"));
	assert_false(parses("0F BC", "Gv, Ev"));
	assert_false(parses("BC+x", ""));
	assert_false(parses("0F BC /r nonsense", "Gv, Ev"));
	assert_false(parses("0F BC /r", "Gv, Ek"));
	assert_false(parses("0F BC /r", "Gv, Ev, Gv, Gv, Gv"));
}

static void features_hide_rows(void **state)
{
	static const uint8_t cmov[] = {0x0f, 0x44, 0xc1};
	static struct x86_cpuid_model none, some;
	struct x86_decoder *d = x86_decoder_create();
	struct x86_insn i;

	(void)state;
	some.features[X86_FEAT_CMOV / 64] = 1ull << (X86_FEAT_CMOV % 64);
	assert_int_equal(x86_decode(d, cmov, 3, synth_code32, &some, &i), X86_DECODE_OK);
	assert_int_equal(x86_decode(d, cmov, 3, synth_code32, &none, &i), X86_DECODE_UD);
	x86_decoder_destroy(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_reached),
		cmocka_unit_test(flags_are_arithmetic_ones),
		cmocka_unit_test(bad_rows_are_refused),
		cmocka_unit_test(features_hide_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
