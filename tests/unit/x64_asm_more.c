/*
 * The host assembler's jumps, padding and vector instructions against Capstone; lengths of what has
 * a shorter and a longer form; and a buffer that is full.
 */
#include "test.h"

#include "x64_rig.h"

static void jumps(void **state)
{
	struct rig *r = *state;
	const void *far = (const void *)((uintptr_t)r->code + 0x1234567);
	char name[8];
	uint8_t *place;

	for (unsigned cc = 0; cc < 16; cc++) {
		snprintf(name, sizeof(name), "j%s", cc_names[cc]);
		x64_jcc(&r->a, cc, far);
		CHECK(r, name, I(8, (intptr_t)far));
		place = x64_jcc(&r->a, cc, NULL);
		x64_patch(place, (const void *)((uintptr_t)r->code - 77));
		CHECK(r, name, I(8, (intptr_t)r->code - 77));
		place = x64_jcc_short(&r->a, cc);
		memset(r->a.at, 0x90, 127);
		r->a.at += 127;
		x64_land_short(&r->a, place);
		r->a.at -= 127;
		CHECK(r, name, I(8, (intptr_t)r->code + 2 + 127));
	}
	x64_patch(x64_jmp(&r->a, NULL), far);
	CHECK(r, "jmp", I(8, (intptr_t)far));
	x64_call(&r->a, r->code);
	CHECK(r, "call", I(8, (intptr_t)r->code));
	x64_land_short(&r->a, x64_jmp_short(&r->a));
	CHECK(r, "jmp", I(8, (intptr_t)r->code + 2));
	for (unsigned n = 0; n < RANDOM_MEMS; n++) {
		struct x64_mem m = random_mem(r);

		x64_jmp_m(&r->a, m);
		CHECK(r, "jmp", M(8, m));
	}
}

static void no_operands(void **state)
{
	struct rig *r = *state;

	x64_ret(&r->a);
	check(r, "ret", 0, NULL);
	x64_ud2(&r->a);
	check(r, "ud2", 0, NULL);
	x64_mfence(&r->a);
	check(r, "mfence", 0, NULL);
}

static void x87(void **state)
{
	static const struct {
		const char *name;
		unsigned fop, bytes;
	} of[] = {{"fldenv", X64_FLDENV, 0},   {"fldcw", X64_FLDCW, 2},
		  {"fnstenv", X64_FNSTENV, 0}, {"fld", X64_FLD80, 10},
		  {"fstp", X64_FSTP80, 10},    {"fnstsw", X64_FNSTSW, 0},
		  {"fld", 5 << 8, 8},	       {"fisttp", 3 << 8 | 1 << 3, 4}};
	struct rig *r = *state;

	for (unsigned n = 0; n < 4 * RANDOM_MEMS; n++) {
		struct x64_mem m = random_mem(r);

		x64_x87_m(&r->a, of[n % ARRAY_LEN(of)].fop, m);
		CHECK(r, of[n % ARRAY_LEN(of)].name, M(of[n % ARRAY_LEN(of)].bytes, m));
	}
	x64_x87_r(&r->a, X64_FNINIT);
	check(r, "fninit", 0, NULL);
	x64_x87_r(&r->a, 1 << 8 | 0xee);
	check(r, "fldz", 0, NULL);
}

static void rip_relative(void **state)
{
	struct rig *r = *state;

	EACH_REG(x)
	{
		x64_lea_rip(&r->a, x, (const void *)((uintptr_t)r->code + 1000));
		assert_int_equal(r->a.at - r->code, 7);
		assert_int_equal(load_le32(r->code + 3), 993);
		assert_int_equal(r->code[2] & 0xc7, 5);
		r->code[2] |= 0x80; /* to [rbp + disp32], whose register Capstone shall tell */
		CHECK(r, "lea", R(8, x), M(0, x64_at(X64_RBP, 993)));
	}
}

static const uint8_t *leads_to(const uint8_t *place)
{
	return place + 4 + (int32_t)*(const u32_any *)place;
}

/* Code in two parts that lead to each other, to themselves and elsewhere, put far apart. */
static void moving(void **state)
{
	struct rig *r = *state;
	uint8_t *to = malloc(2 * CODE_BYTES), *to2 = to + CODE_BYTES, *place[6];
	const void *far = (const void *)((uintptr_t)r->code + 0x1234567);
	uint32_t relative[8];
	struct x64_moving m = {.from = r->code, .to = to, .to2 = to2};
	const uint8_t *target[6];

	r->a.start = r->code;
	r->a.relative = relative;
	r->a.relative_max = ARRAY_LEN(relative);
	place[0] = x64_jcc(&r->a, X64_NE, NULL); /* to the second part */
	place[1] = x64_call(&r->a, far);
	place[2] = x64_jmp(&r->a, r->code);
	m.split = (size_t)(r->a.at - r->code);
	x64_lea_rip(&r->a, X64_RDX, place[1] - 1); /* back */
	place[3] = r->a.at - 4;
	x64_patch(place[0], r->a.at);
	place[4] = x64_call(&r->a, far);
	place[5] = x64_jmp(&r->a, r->code + m.split);
	m.bytes = (size_t)(r->a.at - r->code);
	assert_int_equal(r->a.relative_count, 6);
	x64_move(&m, relative, 6);
	target[0] = to2 + (leads_to(place[0]) - r->code) - m.split;
	target[1] = leads_to(place[1]);
	target[2] = to;
	target[3] = to + (place[1] - 1 - r->code);
	target[4] = target[1];
	target[5] = to2;
	for (unsigned n = 0; n < 6; n++) {
		size_t at = (size_t)(place[n] - r->code);
		assert_ptr_equal(leads_to(at < m.split ? to + at : to2 + at - m.split), target[n]);
	}
	assert_memory_equal(to, r->code, 2);
	r->a.relative = NULL;
	r->a.at = r->code;
	free(to);
}

static void nops(void **state)
{
	struct rig *r = *state;

	for (unsigned lead = 0; lead <= 64; lead++) {
		const uint8_t *code = r->code + lead;
		uint64_t addr = 0;
		size_t left;

		r->a.at = r->code + lead;
		x64_align(&r->a, 64);
		assert_int_equal((uintptr_t)r->a.at % 64, 0);
		left = (size_t)(r->a.at - code);
		assert_true(left < 64);
		while (left) {
			assert_true(cs_disasm_iter(r->cs, &code, &left, &addr, r->insn));
			assert_string_equal(r->insn->mnemonic, "nop");
		}
	}
	start(r);
}

static void vector_moves(void **state)
{
	struct rig *r = *state;

	EACH_REG(x)
	EACH_REG(y)
	{
		struct x64_mem m = random_mem(r);

		x64_movv_rr(&r->a, 16, x, y);
		if (x == y)
			assert_ptr_equal(r->a.at, r->code);
		else
			CHECK(r, "movaps", V(16, x), V(16, y));
		x64_movv_rr(&r->a, 32, x, y);
		if (x != y)
			CHECK(r, "vmovaps", V(32, x), V(32, y));
		EACH_SIZE(bytes, 4)
		{
			const char *name = bytes == 4 ? "movd" : "movq";

			x64_movd_xr(&r->a, bytes, x, y);
			CHECK(r, name, V(16, x), R(bytes, y));
			x64_movd_rx(&r->a, bytes, x, y);
			CHECK(r, name, R(bytes, x), V(16, y));
			x64_movv_rm(&r->a, bytes, x, m);
			CHECK(r, bytes == 4 ? "movss" : "movsd", V(16, x), M(bytes, m));
			x64_movv_mr(&r->a, bytes, m, x);
			CHECK(r, bytes == 4 ? "movss" : "movlps", M(bytes, m), V(16, x));
		}
		x64_movv_mr(&r->a, 16, m, x);
		CHECK(r, "movups", M(16, m), V(16, x));
		x64_movv_mr(&r->a, 32, m, x);
		CHECK(r, "vmovups", M(32, m), V(32, x));
	}
}

static void vector_encodings(void **state)
{
	static const struct {
		struct x64_enc e;
		const char *sse, *vex;
		int imm;
	} row[] = {
		{{0, 1, 0x58, 0}, "addps", "vaddps", -1},
		{{1, 1, 0x58, 0}, "addpd", "vaddpd", -1},
		{{1, 2, 0x00, 0}, "pshufb", "vpshufb", -1},
		{{1, 3, 0x0f, 0}, "palignr", "vpalignr", 7},
		{{0, 1, 0xc6, 0}, "shufps", "vshufps", 0x1b},
		{{1, 3, 0x42, 0}, "mpsadbw", "vmpsadbw", 3},
	};
	struct rig *r = *state;

	for (unsigned k = 0; k < ARRAY_LEN(row) * 16 * 16; k++) {
		unsigned n = k / 256, x = k & 15, y = k >> 4 & 15, z = (unsigned)next(r) & 15;
		unsigned imms8 = row[n].imm >= 0;
		struct x64_mem m = random_mem(r);

		x64_sse_rr(&r->a, row[n].e, x, y, row[n].imm);
		check(r, row[n].sse, 2 + imms8,
		      (struct operand[]){V(16, x), V(16, y), I(1, row[n].imm)});
		x64_sse_rm(&r->a, row[n].e, x, m, row[n].imm);
		check(r, row[n].sse, 2 + imms8,
		      (struct operand[]){V(16, x), M(16, m), I(1, row[n].imm)});
		for (unsigned l = 0; l < 2; l++) {
			unsigned b = l ? 32 : 16;

			x64_vex_rr(&r->a, row[n].e, l, x, z, y, row[n].imm);
			check(r, row[n].vex, 3 + imms8,
			      (struct operand[]){V(b, x), V(b, z), V(b, y), I(1, row[n].imm)});
			x64_vex_rm(&r->a, row[n].e, l, x, z, m, row[n].imm);
			check(r, row[n].vex, 3 + imms8,
			      (struct operand[]){V(b, x), V(b, z), M(b, m), I(1, row[n].imm)});
		}
	}
}

/* VEX.W and an unused vvvv. */
static void vector_general(void **state)
{
	static const struct x64_enc to_float = {3, 1, 0x2a, 1}, broadcast = {1, 2, 0x18, 0};
	struct rig *r = *state;

	EACH_REG(x)
	EACH_REG(y)
	{
		x64_sse_rr(&r->a, to_float, x, y, -1);
		CHECK(r, "cvtsi2sd", V(16, x), R(8, y));
		x64_vex_rr(&r->a, to_float, 0, x, 15 - y, y, -1);
		CHECK(r, "vcvtsi2sd", V(16, x), V(16, 15 - y), R(8, y));
		x64_vex_rr(&r->a, broadcast, 1, x, X64_NO_REG, y, -1);
		CHECK(r, "vbroadcastss", V(32, x), V(16, y));
	}
}

static void expect_length(struct rig *r, unsigned length)
{
	if ((unsigned)(r->a.at - r->code) != length)
		complain(r, "length", "other");
	start(r);
}

static void short_forms(void **state)
{
	static const struct x64_enc addps = {0, 1, 0x58, 0};
	struct rig *r = *state;
	static const struct {
		struct x64_mem m;
		unsigned length; /* of LEA r64 */
	} mem[] = {
		{{X64_RAX, X64_NO_REG, 0, 0}, 3},   {{X64_RAX, X64_NO_REG, 0, 127}, 4},
		{{X64_RAX, X64_NO_REG, 0, 128}, 7}, {{X64_RBP, X64_NO_REG, 0, 0}, 4},
		{{X64_R13, X64_NO_REG, 0, 0}, 4},   {{X64_RSP, X64_NO_REG, 0, 0}, 4},
		{{X64_R12, X64_NO_REG, 0, 0}, 4},   {{X64_R12, X64_NO_REG, 0, -128}, 5},
		{{X64_RAX, X64_R12, 3, 0}, 4},	    {{X64_RBP, X64_RAX, 3, 0}, 5},
		{{X64_NO_REG, X64_RAX, 3, 0}, 8},   {{X64_NO_REG, X64_RAX, 1, 0}, 4},
		{{X64_NO_REG, X64_RAX, 0, 0}, 3},   {{X64_NO_REG, X64_NO_REG, 0, 1}, 8},
	};

	for (unsigned n = 0; n < ARRAY_LEN(mem); n++) {
		x64_lea(&r->a, 8, X64_RAX, mem[n].m);
		expect_length(r, mem[n].length);
	}
	x64_alu_ri(&r->a, X64_ADD, 4, X64_RCX, -128), expect_length(r, 3);
	x64_alu_ri(&r->a, X64_ADD, 4, X64_RCX, 128), expect_length(r, 6);
	x64_alu_ri(&r->a, X64_ADD, 4, X64_RAX, 128), expect_length(r, 5);
	x64_alu_ri(&r->a, X64_ADD, 2, X64_RCX, 0xffff), expect_length(r, 4);
	x64_alu_ri(&r->a, X64_ADD, 1, X64_RAX, 5), expect_length(r, 2);
	x64_alu_ri(&r->a, X64_AND, 8, X64_RCX, 15), expect_length(r, 3);
	x64_alu_rr(&r->a, X64_ADD, 1, X64_RBX, X64_RCX), expect_length(r, 2);
	x64_alu_rr(&r->a, X64_ADD, 1, X64_RSI, X64_RCX), expect_length(r, 3);
	x64_alu_rm(&r->a, X64_ADD, 1, X64_RAX, x64_at(X64_RSI, 0)), expect_length(r, 2);
	x64_test_ri(&r->a, 8, X64_RAX, 1), expect_length(r, 2);
	x64_setcc(&r->a, X64_E, X64_RDI), expect_length(r, 4);
	x64_movzx_rr(&r->a, X64_RDI, X64_RAX, 1), expect_length(r, 3);
	x64_xchg_rr(&r->a, 4, X64_RAX, X64_RCX), expect_length(r, 1);
	x64_xchg_rr(&r->a, 4, X64_RAX, X64_RAX), expect_length(r, 2);
	x64_imul_rri(&r->a, 4, X64_RAX, X64_RCX, 100), expect_length(r, 3);
	x64_vex_rr(&r->a, addps, 0, 8, 15, 7, -1), expect_length(r, 4);
	x64_vex_rr(&r->a, addps, 0, 7, 15, 8, -1), expect_length(r, 5);
	x64_movv_rr(&r->a, 32, 1, 9), expect_length(r, 4);
	x64_movv_rr(&r->a, 32, 9, 1), expect_length(r, 4);
}

/* A full buffer: overflow, and not a byte written from then on, nor beyond the end. */
static void overflow(void **state)
{
	struct rig *r = *state;
	uint8_t *end = r->code + 40, *at;

	memset(r->code, 0xcc, sizeof(r->code));
	r->a.end = end;
	while (!r->a.overflow)
		x64_mov_ri(&r->a, X64_R9, 0x123456789abcdef0);
	at = r->a.at;
	assert_int_equal(at - r->code, 30); /* three of ten bytes; room for any is 15 */
	assert_null(x64_jmp(&r->a, r->code));
	assert_null(x64_jcc(&r->a, X64_E, NULL));
	assert_null(x64_call(&r->a, NULL));
	assert_null(x64_jcc_short(&r->a, X64_E));
	assert_null(x64_jmp_short(&r->a));
	x64_patch(NULL, r->code);
	x64_land_short(&r->a, NULL);
	x64_ret(&r->a);
	x64_push(&r->a, X64_RAX);
	x64_alu_rr(&r->a, X64_ADD, 4, X64_RAX, X64_RCX);
	x64_movv_rr(&r->a, 16, 1, 2);
	x64_align(&r->a, 64);
	assert_ptr_equal(r->a.at, at);
	assert_true(r->a.overflow);
	for (; at < r->code + sizeof(r->code); at++)
		assert_int_equal(*at, 0xcc);
	start(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jumps),	  cmocka_unit_test(no_operands),
		cmocka_unit_test(rip_relative),	  cmocka_unit_test(moving),
		cmocka_unit_test(nops),
		cmocka_unit_test(vector_moves),	  cmocka_unit_test(vector_encodings),
		cmocka_unit_test(vector_general), cmocka_unit_test(short_forms),
		cmocka_unit_test(overflow),	  cmocka_unit_test(x87),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
