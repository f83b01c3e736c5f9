/* The builder: folding, identities, and what happens when a block outgrows its storage. */
#include "test.h"

#include "base/bits.h"
#include "ir/fold.h"

static struct ir_insn storage[256];
static struct ir_block block;

static int fresh_block(void **state)
{
	ir_block_init(&block, NULL, storage, ARRAY_LEN(storage));
	return 0;
}

static void assert_const(ir_ref r, enum ir_type t, uint64_t v)
{
	uint64_t got = 0;

	assert_true(ir_is_const(&block, r, &got));
	assert_int_equal(got, v);
	assert_int_equal(ir_type_of(&block, r), t);
}

static uint64_t fold_bin(enum ir_op op, enum ir_type t, uint64_t x, uint64_t y)
{
	uint64_t v = 0;
	ir_ref r;

	fresh_block(NULL);
	r = ir_bin(&block, op, ir_const(&block, t, x), ir_const(&block, t, y));
	assert_true(ir_is_const(&block, r, &v));
	assert_int_equal(ir_type_of(&block, r), t);
	return v;
}

static void constants_fold(void **state)
{
	assert_int_equal(fold_bin(IR_ADD, IR_I8, 0xff, 2), 1);
	assert_int_equal(fold_bin(IR_SUB, IR_I16, 0, 1), 0xffff);
	assert_int_equal(fold_bin(IR_MUL, IR_I32, 0x10001, 0x10001), 0x20001);
	assert_int_equal(fold_bin(IR_SHL, IR_I32, 1, 33), 2);
	assert_int_equal(fold_bin(IR_SHR, IR_I8, 0x80, 7), 1);
	assert_int_equal(fold_bin(IR_SAR, IR_I8, 0x80, 7), 0xff);
	assert_int_equal(fold_bin(IR_ROL, IR_I16, 0x8001, 1), 3);
	assert_int_equal(fold_bin(IR_ROR, IR_I64, 1, 1), 1ull << 63);
	assert_int_equal(fold_bin(IR_ROR, IR_I64, 5, 64), 5);
	assert_int_equal(fold_bin(IR_MULHU, IR_I64, ~0ull, ~0ull), ~0ull - 1);
	assert_int_equal(fold_bin(IR_MULHS, IR_I64, ~0ull, 2), ~0ull);
	assert_int_equal(fold_bin(IR_MULHS, IR_I8, 0x80, 0x80), 0x40);
	assert_int_equal(fold_bin(IR_MULHU, IR_I16, 0xffff, 0xffff), 0xfffe);
	assert_const(ir_const(&block, IR_I8, 0x1234), IR_I8, 0x34);
}

static void unary_constants_fold(void **state)
{
	assert_const(ir_un(&block, IR_NOT, ir_const(&block, IR_I8, 1)), IR_I8, 0xfe);
	assert_const(ir_un(&block, IR_NEG, ir_const(&block, IR_I16, 1)), IR_I16, 0xffff);
	assert_const(ir_un(&block, IR_BSWAP, ir_const(&block, IR_I32, 0x11223344)), IR_I32,
		     0x44332211);
	assert_const(ir_un(&block, IR_CLZ, ir_const(&block, IR_I8, 1)), IR_I8, 7);
	assert_const(ir_un(&block, IR_CLZ, ir_const(&block, IR_I16, 0)), IR_I16, 16);
	assert_const(ir_un(&block, IR_CTZ, ir_const(&block, IR_I32, 8)), IR_I32, 3);
	assert_const(ir_un(&block, IR_POPCNT, ir_const(&block, IR_I64, ~0ull)), IR_I64, 64);
	assert_const(ir_sext(&block, IR_I64, ir_const(&block, IR_I8, 0x80)), IR_I64, -128ull);
	assert_const(ir_zext(&block, IR_I64, ir_const(&block, IR_I8, 0x80)), IR_I64, 0x80);
	assert_const(ir_trunc(&block, IR_I8, ir_const(&block, IR_I64, 0x180)), IR_I8, 0x80);
}

static void identities(void **state)
{
	ir_ref x = ir_get(&block, IR_I32, 0);

	assert_int_equal(ir_bin_imm(&block, IR_ADD, x, 0), x);
	assert_int_equal(ir_bin_imm(&block, IR_AND, x, ~0ull), x);
	assert_int_equal(ir_bin_imm(&block, IR_SHL, x, 0), x);
	assert_int_equal(ir_bin_imm(&block, IR_ROR, x, 32), x);
	assert_int_equal(ir_bin_imm(&block, IR_MUL, x, 1), x);
	assert_int_equal(block.count, 1); /* and no constant left behind */
	assert_int_equal(ir_bin(&block, IR_OR, x, x), x);
	assert_const(ir_bin(&block, IR_XOR, x, x), IR_I32, 0);
	assert_const(ir_bin_imm(&block, IR_AND, x, 0), IR_I32, 0);
	assert_int_equal(ir_un(&block, IR_NOT, ir_un(&block, IR_NOT, x)), x);
	assert_int_equal(
		ir_select(&block, ir_const(&block, IR_I8, 1), x, ir_const(&block, IR_I32, 0)), x);
	assert_const(ir_cmp(&block, IR_LEU, x, x), IR_I8, 1);
}

static void constants_move_right(void **state)
{
	ir_ref x = ir_get(&block, IR_I32, 0), c = ir_const(&block, IR_I32, 5);
	ir_ref r = ir_bin(&block, IR_ADD, c, x);

	assert_int_equal(block.insn[r].arg[0], x);
	assert_int_equal(block.insn[r].arg[1], c);
	r = ir_bin(&block, IR_SUB, c, x);
	assert_int_equal(block.insn[r].arg[0], c);
}

static void widths(void **state)
{
	ir_ref x = ir_get(&block, IR_I16, 0), wide = ir_zext(&block, IR_I32, x), r;

	assert_int_equal(ir_zext(&block, IR_I16, x), x);
	assert_int_equal(ir_trunc(&block, IR_I16, wide), x);
	assert_int_equal(ir_bin_imm(&block, IR_AND, wide, 0xffff), wide);
	r = ir_trunc(&block, IR_I8, wide);
	assert_int_equal(block.insn[r].arg[0], x);
	r = ir_sext(&block, IR_I64, wide);
	assert_int_equal(block.insn[r].op, IR_ZEXT);
	assert_int_equal(block.insn[r].arg[0], x);
	r = ir_trunc(&block, IR_I32, ir_sext(&block, IR_I64, x));
	assert_int_equal(block.insn[r].op, IR_SEXT);
	assert_int_equal(block.insn[r].type, IR_I32);
}

static void truth_values(void **state)
{
	ir_ref x = ir_get(&block, IR_I32, 0), y = ir_get(&block, IR_I32, 4);
	ir_ref lt = ir_cmp(&block, IR_LTS, x, y), r;

	r = ir_bin_imm(&block, IR_XOR, lt, 1);
	assert_int_equal(block.insn[r].op, IR_LES);
	assert_int_equal(block.insn[r].arg[0], y);
	assert_int_equal(block.insn[r].imm, IR_I32);
	r = ir_zext(&block, IR_I64, lt);
	assert_int_equal(ir_cmp(&block, IR_NE, r, ir_const(&block, IR_I64, 0)), lt);
	r = ir_cmp(&block, IR_EQ, ir_cond(&block, IR_COND_P, ir_get_flags(&block)),
		   ir_const(&block, IR_I8, 0));
	assert_int_equal(block.insn[r].op, IR_COND);
	assert_int_equal(block.insn[r].imm, IR_COND_NP);
}

static void constant_flags(void **state)
{
	ir_ref one = ir_const(&block, IR_I32, 1), two = ir_const(&block, IR_I32, 2);
	ir_ref f = ir_make_flags(&block, IR_FLAGS_SUB, IR_I32, one, two, IR_NONE);

	assert_const(ir_cond(&block, IR_COND_B, f), IR_I8, 1);
	assert_const(ir_pack_flags(&block, f), IR_I64, 0x95);
}

static void overflow_is_contained(void **state)
{
	struct ir_insn small[5] = {{0}};
	ir_ref r = 0;

	memset(&small[4], 0xa5, sizeof small[4]);
	ir_block_init(&block, NULL, small, 4);
	for (int i = 0; i < 100; i++) {
		r = ir_bin(&block, IR_ADD, r, ir_get(&block, IR_I64, 8u * i));
		r = ir_bin_imm(&block, IR_XOR, r, 77);
		ir_put(&block, 0, r);
		ir_guest(&block, i, 1);
	}
	assert_true(block.overflow);
	assert_int_equal(block.count, 4);
	assert_true(r < 4);
	for (size_t i = 0; i < sizeof small[4]; i++)
		assert_int_equal(((uint8_t *)&small[4])[i], 0xa5);
}

static void table_is_whole(void **state)
{
	for (unsigned op = 0; op < IR_OP_COUNT; op++) {
		assert_non_null(ir_ops[op].name);
		assert_non_null(ir_ops[op].text);
		assert_true(!ir_ops[op].may_fault || ir_ops[op].side_effect);
		for (unsigned other = 0; other < op; other++)
			assert_string_not_equal(ir_ops[op].name, ir_ops[other].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(constants_fold, fresh_block),
		cmocka_unit_test_setup(unary_constants_fold, fresh_block),
		cmocka_unit_test_setup(identities, fresh_block),
		cmocka_unit_test_setup(constants_move_right, fresh_block),
		cmocka_unit_test_setup(widths, fresh_block),
		cmocka_unit_test_setup(truth_values, fresh_block),
		cmocka_unit_test_setup(constant_flags, fresh_block),
		cmocka_unit_test_setup(overflow_is_contained, fresh_block),
		cmocka_unit_test(table_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
