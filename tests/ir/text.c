/* Printer, parser and verifier: what is printed parses to the identical block; bad text gives a
 * message with its line, never a crash; the verifier refuses what docs/ir.md forbids. */
#include "test.h"

#include <stdlib.h>

#include "base/bits.h"
#include "fake_isa.h"
#include "ir/vop.h"

static struct ir_insn storage[512], storage2[512];
static struct ir_block block, block2;
static char text[32768], text2[32768], msg[256];

static int fresh_block(void **state)
{
	ir_block_init(&block, &fake_isa, storage, ARRAY_LEN(storage));
	ir_block_init(&block2, &fake_isa, storage2, ARRAY_LEN(storage2));
	return 0;
}

static void assert_round_trip(void)
{
	if (ir_verify(&block, msg, sizeof msg))
		fail_msg("%s", msg);
	assert_true(ir_print(&block, text, sizeof text) < (int)sizeof text);
	if (ir_parse(&block2, text, msg, sizeof msg))
		fail_msg("%s in\n%s", msg, text);
	assert_int_equal(block2.count, block.count);
	assert_int_equal(block2.guest_count, block.guest_count);
	assert_int_equal(block2.guest_bytes, block.guest_bytes);
	for (uint32_t i = 0; i < block.count; i++) {
		const struct ir_insn *x = &block.insn[i], *y = &block2.insn[i];

		if (x->op != y->op || x->type != y->type || x->aux != y->aux || x->mmu != y->mmu ||
		    memcmp(x->arg, y->arg, sizeof x->arg) || x->imm != y->imm)
			fail_msg("operation %u differs in\n%s", i, text);
	}
}

static ir_ref get(enum ir_type t, unsigned reg)
{
	return ir_get(&block, t, FAKE_R + 8 * reg);
}

/* Every operation of the table. */
static void every_op_round_trips(void **state)
{
	struct ir_block *b = &block;
	ir_ref x, y, w, f;

	ir_guest(b, 3, 4);
	x = get(IR_I64, 0);
	y = ir_get(b, IR_I64, FAKE_R + 8);
	for (unsigned op = IR_ADD; op <= IR_MULHS; op++)
		ir_bin(b, op, x, y);
	for (unsigned op = IR_NOT; op <= IR_POPCNT; op++)
		ir_un(b, op, x);
	for (unsigned op = IR_EQ; op <= IR_LES; op++)
		ir_cmp(b, op, x, y);
	for (unsigned t = IR_I8; t <= IR_I64; t++)
		ir_const(b, t, ~0ull);
	w = ir_trunc(b, IR_I16, x);
	ir_select(b, ir_trunc(b, IR_I8, y), ir_sext(b, IR_I32, w), ir_zext(b, IR_I32, w));
	for (unsigned k = 0; k < IR_FLAGS_KINDS; k++)
		ir_make_flags(b, k, IR_I16, x, y, w);
	f = ir_make_flags(b, IR_FLAGS_INC, IR_I32, x, IR_NONE, w);
	for (unsigned c = 0; c < 16; c++)
		ir_cond(b, c, f);
	ir_pack_flags(b, ir_get_flags(b));
	ir_pc(b, -5);
	ir_load(b, IR_V256, x, 2, 255);
	ir_store(b, x, w, 1, 0);
	for (unsigned op = IR_ATOMIC_XCHG; op <= IR_ATOMIC_CMPXCHG; op++)
		ir_atomic(b, op, x, w, op == IR_ATOMIC_CMPXCHG ? w : IR_NONE, 1, op & 1);
	ir_fence(b);
	x = ir_get(b, IR_V128, FAKE_W + 16);
	ir_vop(b, VOP_PADDB, 0, x, x, IR_NONE);
	ir_vop(b, VOP_PSHUFD, 0x1b, x, IR_NONE, IR_NONE);
	w = ir_zext(b, IR_V256, x);
	ir_vop(b, VOP_PADDB, 0, w, w, IR_NONE);
	ir_vop(b, VOP_PSLLW, 0, w, x, IR_NONE);
	ir_vop(b, VOP_BLENDPS, 0xa5, w, w, IR_NONE);
	ir_vop(b, VOP_PMOVMSKB_256, 0, w, IR_NONE, IR_NONE);
	ir_store(b, y, w, 0, 0);
	ir_trunc(b, IR_V128, ir_get(b, IR_V256, FAKE_W + 32));
	w = ir_trunc(b, IR_I16, y);
	ir_call(b, &fake_helpers[0], y, y, IR_NONE);
	ir_call(b, &fake_helpers[2], y, IR_NONE, IR_NONE);
	ir_put(b, FAKE_R + 1, ir_trunc(b, IR_I8, y));
	ir_put_flags(b, f);
	ir_guest(b, 7, 2);
	ir_guest(b, INT32_MIN, 1);
	ir_exit_if(b, ir_cond(b, IR_COND_NE, f), INT64_MIN);
	ir_exit_unless(b, y, -3);
	ir_exit_moved(b, -4096);
	ir_exit(b, INT64_MAX);
	assert_round_trip();
	b->count--;
	ir_exit_indirect(b, y);
	assert_round_trip();
	b->count--;
	ir_call(b, &fake_helpers[8], y, IR_NONE, IR_NONE);
	ir_exit_state(b);
	assert_round_trip();
}

static void print_reports_length(void **state)
{
	char small[8];
	int n;

	ir_exit(&block, 7);
	n = ir_print(&block, text, sizeof text);
	assert_string_equal(text, "exit +7\n");
	assert_int_equal(n, 8);
	assert_int_equal(ir_print(&block, small, sizeof small), 8);
	assert_string_equal(small, "exit +7");
	assert_int_equal(ir_print(&block, NULL, 0), 8);
}

static const char *parse_error(const char *s)
{
	strcpy(msg, "no error");
	if (!ir_parse(&block, s, msg, sizeof msg))
		strcpy(msg, "no error");
	return msg;
}

static void parser_messages(void **state)
{
	assert_string_equal(parse_error("exit +7"), "no error");
	assert_string_equal(parse_error("# only a comment\n\n  exit +7 # out\n"), "no error");
	assert_string_equal(parse_error("\nfrob v1\n"), "line 2: unknown operation 'frob'");
	assert_string_equal(parse_error("v1 = add.i32 v0, v0"), "line 1: v0 is not defined");
	assert_string_equal(parse_error("v0 = get.i64 rax"), "line 1: unknown register 'rax'");
	assert_string_equal(parse_error("v0 = get.i65 r1"), "line 1: type expected, not 'i65'");
	assert_string_equal(parse_error("v0 = const.i8 256"), "line 1: 256 is too large");
	assert_string_equal(parse_error("v0 = const.i8 0x"), "line 1: number expected, not '0x'");
	assert_string_equal(parse_error("v0 = const.i64 99999999999999999999"),
			    "line 1: number expected, not '99999999999999999999'");
	assert_string_equal(parse_error("const.i8 1"),
			    "line 1: const has a result and needs a name for it");
	assert_string_equal(parse_error("v0 = exit +1"), "line 1: exit has no result to name");
	assert_string_equal(parse_error("v0 = const.i8 1\nv0 = const.i8 1"),
			    "line 2: v0 is defined twice");
	assert_string_equal(parse_error("v9999 = pc +1"),
			    "line 1: value name expected, not 'v9999'");
	assert_string_equal(parse_error("v0 = get_flags"),
			    "line 1: f names flags, v anything else");
	assert_string_equal(parse_error("v0 = vop.paddb.v7 v0, v0"),
			    "line 1: type expected, not 'v7'");
	assert_string_equal(parse_error("exit 7"), "line 1: '+' or '-' and a number expected");
	assert_string_equal(parse_error("exit +9223372036854775808"),
			    "line 1: 9223372036854775808 is too large");
	assert_string_equal(parse_error("exit +1 2"), "line 1: ',' expected");
	assert_string_equal(parse_error("exit_state v1"), "line 1: too much after exit_state");
	assert_string_equal(parse_error("v0 = pc +0\nv1 = not.i64"),
			    "line 2: not needs 1 argument");
	assert_string_equal(parse_error("v0 = call nothing"), "line 1: unknown helper 'nothing'");
	assert_string_equal(parse_error("v0 = pc +0\nv1 = load.i8 v0, imm8=3"),
			    "line 2: load has no 'imm8'");
	assert_string_equal(parse_error("guest +0, 300"), "line 1: 300 is too large");
	assert_string_equal(parse_error("guest -2147483649, 1"),
			    "line 1: guest offset out of range");
	assert_string_equal(parse_error("v0 = pc +0\nexit_unless v0"),
			    "line 2: '+' or '-' and a number expected");
	assert_string_equal(parse_error("f0 = flags.sub"),
			    "line 1: flags kind and type expected, not 'sub'");
}

static void too_many_operations(void **state)
{
	text[0] = 0;
	for (unsigned i = 0; i <= ARRAY_LEN(storage); i++)
		strcat(text, "fence\n");
	assert_string_equal(parse_error(text), "line 513: more than 512 operations");
}

/* Random damage to good text: any outcome but a crash; what is accepted prints and parses again. */
static void damaged_text(void **state)
{
	static const char alphabet[] = " \n\t#,=._+-@vf0123456789abcdefimx";
	size_t len;

	every_op_round_trips(state);
	len = strlen(text);
	srandom(1);
	for (int round = 0; round < 3000; round++) {
		memcpy(text2, text, len + 1);
		for (int n = random() % 3; n >= 0; n--)
			text2[(size_t)random() % len] =
				alphabet[(size_t)random() % (sizeof alphabet - 1)];
		if (ir_parse(&block, text2, msg, sizeof msg)) {
			assert_memory_equal(msg, "line ", 5);
			continue;
		}
		ir_verify(&block, msg, sizeof msg);
		ir_print(&block, text2, sizeof text2);
		if (ir_parse(&block2, text2, msg, sizeof msg))
			fail_msg("%s in\n%s", msg, text2);
	}
}

static const char *verify_error(const char *s)
{
	if (ir_parse(&block, s, msg, sizeof msg))
		fail_msg("%s", msg);
	if (!ir_verify(&block, msg, sizeof msg))
		strcpy(msg, "fine");
	return msg;
}

static void verifier_refuses(void **state)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{"exit +1", "fine"},
		{"", "the block is empty"},
		{"fence", "operation 0 (fence): the block does not end with an exit"},
		{"exit +1\nexit +2", "operation 0 (exit): more operations after the end"},
		{"v0 = get.i32 r0\nv1 = get.i64 r0\nv2 = add.i32 v0, v1\nexit +1",
		 "operation 2 (add): argument 1 is i64, not i32"},
		{"v0 = get.v128 w0\nv1 = add.v128 v0, v0\nexit +1",
		 "operation 1 (add): v128 is not an integer type"},
		{"v0 = get.i32 r0+4\nexit +1", "fine"},
		{"v0 = get.i64 rip+4\nexit +1",
		 "operation 0 (get): state offset 420 is not inside a register"},
		{"v0 = get.i8 @18446744073709551615\nexit +1",
		 "operation 0 (get): state offset -1 is not inside a register"},
		{"v0 = get.i32 r0\nv1 = trunc.i64 v0\nexit +1",
		 "operation 1 (trunc): cannot turn i32 into i64"},
		{"v0 = get.i32 r0\nexit_if v0, +1\nexit +1",
		 "operation 1 (exit_if): argument 0 is i32, not i8"},
		{"v0 = get.i32 r0\nexit_unless v0, +1\nexit +1",
		 "operation 1 (exit_unless): argument 0 is i32, not i64"},
		{"f0 = get_flags\nv1 = call pure f0, f0\nexit +1",
		 "operation 1 (call): argument 0 is flags"},
		{"f0 = get_flags\nv1 = call pure\nexit +1",
		 "operation 1 (call): pure takes 2 arguments"},
		{"v0 = get.i16 r0\nf1 = flags.sub.i32 v0, v0\nexit +1",
		 "operation 1 (flags): operand 0 is narrower than i32"},
		{"v0 = get.i32 r0\nf1 = flags.sub.i32 v0\nexit +1",
		 "operation 1 (flags): operand 1 is missing"},
		{"v0 = get.i32 r0\nv1 = load.i8 v0\nexit +1",
		 "operation 1 (load): argument 0 is i32, not i64"},
		{"v0 = get.i64 r0\nput.i64 r1, v0\nv1 = load.i8 v0\nexit +1",
		 "operation 2 (load): may fault after the instruction has changed guest state"},
		{"f9 = get_flags\nv0 = get.i64 r0\nput_flags f9\nstore.i64 v0, v0\nexit +1",
		 "operation 3 (store): may fault after the instruction has changed guest state"},
		{"v0 = get.i64 r0\ncall writes_r1 v0\ncall faults v0\nexit +1",
		 "operation 2 (call): may fault after the instruction has changed guest state"},
		{"v0 = get.i64 r0\nput.i64 r1, v0\ncall reads_r1\nguest +1, 1\nv1 = load.i8 v0\n"
		 "exit +1",
		 "fine"},
		{"v0 = get.i64 r0\ncall sets_pc v0\nexit +1",
		 "operation 1 (call): sets_pc sets the PC: only exit_state may follow"},
		{"v0 = get.i64 r0\ncall sets_pc v0\nexit_state", "fine"},
		{"v0 = get.v128 w0\nv1 = vop.paddb v0\nexit +1",
		 "operation 1 (vop): argument 1 is void, not v128"},
		{"v0 = get.v128 w0\nv1 = vop.paddb v0, v0, imm8=1\nexit +1",
		 "operation 1 (vop): paddb has no imm8"},
		{"v0 = get.v256 w0\nv1 = vop.paddb.v256 v0, v0\nput.v256 w1, v1\nexit +1", "fine"},
		{"v0 = get.v256 w0\nv1 = vop.paddb v0, v0\nexit +1",
		 "operation 1 (vop): argument 0 is v256, not v128"},
		{"v0 = get.v256 w0\nv1 = get.v128 w0\nv2 = vop.paddb.v256 v0, v1\nexit +1",
		 "operation 2 (vop): argument 1 is v128, not v256"},
		{"v0 = get.v256 w0\nv1 = get.v128 w0\nv2 = vop.psllw.v256 v0, v1\nexit +1", "fine"},
		{"v0 = get.v256 w0\nv2 = vop.psllw.v256 v0, v0\nexit +1",
		 "operation 1 (vop): argument 1 is v256, not v128"},
		{"v0 = get.v256 w0\nv1 = vop.aesimc.v256 v0\nexit +1",
		 "operation 1 (vop): result must be v128"},
		{"v0 = get.v128 w0\nv1 = zext.v256 v0\nv2 = trunc.v128 v1\nexit +1", "fine"},
		{"v0 = get.i64 r0\nv1 = zext.v256 v0\nexit +1",
		 "operation 1 (zext): argument 0 is i64, not v128"},
		{"v0 = get.v256 w0\nv1 = trunc.i64 v0\nexit +1",
		 "operation 1 (trunc): v256 is not an integer type"},
		{"v0 = get.v128 w0\nv1 = sext.v256 v0\nexit +1",
		 "operation 1 (sext): v256 is not an integer type"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(verify_error(rows[i].text), rows[i].error))
			fail_msg("%s\n-> %s\nexpected: %s", rows[i].text, msg, rows[i].error);
}

/* What text cannot say: damaged fields. */
static void verifier_refuses_damage(void **state)
{
	ir_ref x = get(IR_I64, 0);

	ir_bin(&block, IR_ADD, x, get(IR_I64, 1));
	ir_exit(&block, 1);
	assert_int_equal(ir_verify(&block, msg, sizeof msg), 0);
	block.insn[2].arg[1] = 3;
	assert_int_equal(ir_verify(&block, msg, sizeof msg), -1);
	block.insn[2].arg[1] = IR_NONE;
	assert_int_equal(ir_verify(&block, msg, sizeof msg), -1);
	block.insn[2].arg[1] = 1;
	block.insn[2].op = 200;
	assert_int_equal(ir_verify(&block, msg, sizeof msg), -1);
	block.insn[2].op = IR_ADD;
	block.insn[2].type = 77;
	assert_int_equal(ir_verify(&block, msg, sizeof msg), -1);
	block.insn[2].type = IR_I64;
	block.guest_count = 1;
	assert_int_equal(ir_verify(&block, msg, sizeof msg), -1);
	block.guest_count = 0;
	block.overflow = true;
	assert_int_equal(ir_verify(&block, msg, sizeof msg), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_op_round_trips, fresh_block),
		cmocka_unit_test_setup(print_reports_length, fresh_block),
		cmocka_unit_test_setup(parser_messages, fresh_block),
		cmocka_unit_test_setup(too_many_operations, fresh_block),
		cmocka_unit_test_setup(damaged_text, fresh_block),
		cmocka_unit_test_setup(verifier_refuses, fresh_block),
		cmocka_unit_test_setup(verifier_refuses_damage, fresh_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
