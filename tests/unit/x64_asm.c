/*
 * The host assembler's general-purpose instructions against Capstone: every function with all
 * registers, sizes and many address forms must disassemble to one instruction with the operands
 * asked for. The others, and lengths, are in x64_asm_more.c.
 */
#include "test.h"

#include "x64_rig.h"

static const int32_t imms[] = {0,	   1,	       -1,	  5,	    127,    128,
			       -128,	   -129,       255,	  256,	    0x1234, 0x7fff,
			       0x12345678, -0x8000000, INT32_MAX, INT32_MIN};

static const char *const alu_names[] = {"add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"};

static void alu_registers(void **state)
{
	struct rig *r = *state;

	for (unsigned op = 0; op < 8; op++)
		EACH_SIZE(bytes, 1)
	EACH_REG(x)
	EACH_REG(y)
	{
		x64_alu_rr(&r->a, op, bytes, x, y);
		CHECK(r, alu_names[op], R(bytes, x), R(bytes, y));
	}
}

static void alu_immediates(void **state)
{
	struct rig *r = *state;

	for (unsigned op = 0; op < 8; op++)
		EACH_SIZE(bytes, 1)
	EACH_REG(x)
	for (unsigned n = 0; n < ARRAY_LEN(imms); n++) {
		bool narrow = op == X64_AND && bytes == 8 && imms[n] >= 0;

		x64_alu_ri(&r->a, op, bytes, x, imms[n]);
		CHECK(r, alu_names[op], R(narrow ? 4 : bytes, x), I(bytes, imms[n]));
	}
}

static void alu_memory(void **state)
{
	struct rig *r = *state;
	char locked[16];

	for (unsigned k = 0; k < 8 * 4 * RANDOM_MEMS * 16; k++) {
		unsigned op = k % 8, bytes = 1u << k / 8 % 4, x = k / 32 % 16;
		int32_t imm = imms[k / 32 % ARRAY_LEN(imms)];
		struct x64_mem m = random_mem(r);

		x64_alu_rm(&r->a, op, bytes, x, m);
		CHECK(r, alu_names[op], R(bytes, x), M(bytes, m));
		x64_alu_mr(&r->a, op, bytes, m, x);
		CHECK(r, alu_names[op], M(bytes, m), R(bytes, x));
		x64_alu_mi(&r->a, op, bytes, m, imm);
		CHECK(r, alu_names[op], M(bytes, m), I(bytes, imm));
		if (op == X64_CMP)
			continue;
		snprintf(locked, sizeof(locked), "lock %s", alu_names[op]);
		x64_lock_alu_mr(&r->a, op, bytes, m, x);
		CHECK(r, locked, M(bytes, m), R(bytes, x));
	}
}

static unsigned test_bytes(unsigned bytes, int32_t imm)
{
	int64_t v = bytes == 1 ? (int8_t)imm : bytes == 2 ? (int16_t)imm : imm;

	return v >= 0 && v < 128 ? 1 : v >= 0 && bytes == 8 ? 4 : bytes;
}

static void tests_of_bits(void **state)
{
	struct rig *r = *state;

	EACH_SIZE(bytes, 1)
	EACH_REG(x)
	{
		EACH_REG(y)
		{
			x64_test_rr(&r->a, bytes, x, y);
			CHECK(r, "test", R(bytes, x), R(bytes, y));
		}
		for (unsigned n = 0; n < ARRAY_LEN(imms); n++) {
			unsigned b = test_bytes(bytes, imms[n]);
			struct x64_mem m = random_mem(r);

			x64_test_ri(&r->a, bytes, x, imms[n]);
			CHECK(r, "test", R(b, x), I(b, imms[n]));
			x64_test_mi(&r->a, bytes, m, imms[n]);
			CHECK(r, "test", M(b, m), I(b, imms[n]));
		}
	}
}

static void moves(void **state)
{
	struct rig *r = *state;

	EACH_REG(x)
	EACH_REG(y)
	EACH_SIZE(bytes, 4)
	{
		x64_mov_rr(&r->a, bytes, x, y);
		if (bytes == 8 && x == y)
			assert_ptr_equal(r->a.at, r->code);
		else
			CHECK(r, "mov", R(bytes, x), R(bytes, y));
	}
	EACH_REG(x)
	for (unsigned n = 0; n < ARRAY_LEN(imms) * 4; n++) {
		unsigned bytes = 1u << n % 4;
		struct x64_mem m = random_mem(r);

		x64_mov_mr(&r->a, bytes, m, x);
		CHECK(r, "mov", M(bytes, m), R(bytes, x));
		x64_mov_mi(&r->a, bytes, m, imms[n / 4]);
		CHECK(r, "mov", M(bytes, m), I(bytes, imms[n / 4]));
		if (bytes < 4)
			continue;
		x64_mov_rm(&r->a, bytes, x, m);
		CHECK(r, "mov", R(bytes, x), M(bytes, m));
	}
}

static void constants(void **state)
{
	static const uint64_t v[] = {
		0,	    1,		 0x7fffffff,	     0x80000000,
		0xffffffff, 0x100000000, 0xffffffff80000000, 0xffffffff7fffffff,
		~0ull,	    1ull << 63,	 0x123456789abcdef0};
	struct rig *r = *state;

	EACH_REG(x)
	for (unsigned n = 0; n < ARRAY_LEN(v); n++) {
		bool narrow = v[n] <= UINT32_MAX;
		bool sign = !narrow && v[n] >= 0xffffffff80000000;

		x64_mov_ri(&r->a, x, v[n]);
		assert_int_equal(r->a.at - r->code, narrow ? 5 + x / 8 : sign ? 7 : 10);
		CHECK(r, narrow || sign ? "mov" : "movabs", R(narrow ? 4 : 8, x),
		      I(narrow ? 4 : 8, (int64_t)v[n]));
	}
}

/* Every combination of base, index, scale and displacement. */
static void address_forms(void **state)
{
	struct rig *r = *state;

	for (unsigned k = 0; k < 17 * 17 * 4 * ARRAY_LEN(disps); k++) {
		unsigned base = k % 17, index = k / 17 % 17, x = (unsigned)next(r) & 15;
		struct x64_mem m = x64_at_index(base == 16 ? X64_NO_REG : base,
						index == 16 ? X64_NO_REG : index, k / 289 % 4,
						disps[k / 289 / 4]);

		if (index == X64_RSP)
			continue;
		x64_lea(&r->a, 8, x, m);
		CHECK(r, "lea", R(8, x), M(0, m));
		x64_lea(&r->a, 4, x, m);
		CHECK(r, "lea", R(4, x), M(0, m));
		x64_mov_rm(&r->a, 8, x, m);
		CHECK(r, "mov", R(8, x), M(8, m));
		x64_movv_rm(&r->a, 16, x, m);
		CHECK(r, "movups", V(16, x), M(16, m));
		x64_movv_rm(&r->a, 32, x, m);
		CHECK(r, "vmovups", V(32, x), M(32, m));
	}
}

static void extensions(void **state)
{
	struct rig *r = *state;

	EACH_REG(x)
	EACH_REG(y)
	for (unsigned from = 1; from <= 4; from *= 2) {
		const char *sx = from == 4 ? "movsxd" : "movsx";
		struct x64_mem m = random_mem(r);

		for (unsigned to = from == 4 ? 8 : 4; to <= 8; to *= 2) {
			x64_movsx_rr(&r->a, to, x, y, from);
			CHECK(r, sx, R(to, x), R(from, y));
			x64_movsx_rm(&r->a, to, x, m, from);
			CHECK(r, sx, R(to, x), M(from, m));
		}
		if (from == 4)
			continue;
		x64_movzx_rr(&r->a, x, y, from);
		CHECK(r, "movzx", R(4, x), R(from, y));
		x64_movzx_rm(&r->a, x, m, from);
		CHECK(r, "movzx", R(4, x), M(from, m));
	}
}

/* Capstone's text and its operands of the short form differ in order; it does not matter here. */
static void check_xchg(struct rig *r, unsigned bytes, unsigned x, unsigned y)
{
	const uint8_t *code = r->code;
	size_t left = (size_t)(r->a.at - r->code);
	struct operand want = R(bytes, x);
	uint64_t addr = 0;

	if (cs_disasm_iter(r->cs, &code, &left, &addr, r->insn) &&
	    same(r, &want, &r->insn->detail->x86.operands[0]))
		CHECK(r, "xchg", R(bytes, x), R(bytes, y));
	else
		CHECK(r, "xchg", R(bytes, y), R(bytes, x));
}

static void exchanges(void **state)
{
	struct rig *r = *state;

	EACH_SIZE(bytes, 1)
	EACH_REG(x)
	EACH_REG(y)
	{
		struct x64_mem m = random_mem(r);

		x64_xchg_mr(&r->a, bytes, m, x);
		CHECK(r, "xchg", M(bytes, m), R(bytes, x));
		x64_lock_xadd(&r->a, bytes, m, x);
		CHECK(r, "lock xadd", M(bytes, m), R(bytes, x));
		x64_lock_cmpxchg(&r->a, bytes, m, x);
		CHECK(r, "lock cmpxchg", M(bytes, m), R(bytes, x));
		if (x == y)
			continue;
		x64_xchg_rr(&r->a, bytes, x, y);
		check_xchg(r, bytes, x, y);
	}
}

static void shifts(void **state)
{
	static const char *const name[] = {"rol", "ror", "rcl", "rcr", "shl", "shr", NULL, "sar"};
	static const char *const x_name[] = {[4] = "shlx", [5] = "shrx", [7] = "sarx"};
	struct rig *r = *state;

	for (unsigned op = 0; op < 8; op++)
		EACH_REG(x)
	EACH_SIZE(bytes, 1)
	{
		unsigned count = (unsigned)next(r) & 63, y = (unsigned)next(r) & 15;

		if (!name[op])
			continue;
		x64_shift_cl(&r->a, op, bytes, x);
		CHECK(r, name[op], R(bytes, x), R(1, X64_RCX));
		x64_shift_ri(&r->a, op, bytes, x, count);
		CHECK(r, name[op], R(bytes, x), I(1, count));
		x64_shift_ri(&r->a, op, bytes, x, 1);
		assert_in_range(r->a.at - r->code, 2, 4);
		CHECK(r, name[op], R(bytes, x), I(1, 1));
		if (bytes < 4)
			continue;
		x64_rorx(&r->a, bytes, x, y, count);
		CHECK(r, "rorx", R(bytes, x), R(bytes, y), I(1, count));
		if (op < 4)
			continue;
		x64_shiftx(&r->a, op, bytes, x, y, count & 15);
		CHECK(r, x_name[op], R(bytes, x), R(bytes, y), R(bytes, count & 15));
	}
}

static void one_register(void **state)
{
	static const char *const name[] = {NULL, NULL, "not", "neg", "mul", "imul", "div", "idiv"};
	struct rig *r = *state;

	EACH_REG(x)
	{
		EACH_SIZE(bytes, 1)
		{
			for (unsigned op = X64_NOT; op <= X64_IDIV; op++) {
				x64_unary_r(&r->a, op, bytes, x);
				CHECK(r, name[op], R(bytes, x));
			}
			if (bytes < 4)
				continue;
			x64_bswap(&r->a, bytes, x);
			CHECK(r, "bswap", R(bytes, x));
			x64_bt_ri(&r->a, bytes, x, bytes * 8 - 3);
			CHECK(r, "bt", R(bytes, x), I(1, bytes * 8 - 3));
		}
		x64_push(&r->a, x);
		CHECK(r, "push", R(8, x));
		x64_pop(&r->a, x);
		CHECK(r, "pop", R(8, x));
		x64_jmp_r(&r->a, x);
		CHECK(r, "jmp", R(8, x));
		x64_call_r(&r->a, x);
		CHECK(r, "call", R(8, x));
	}
}

static void two_registers(void **state)
{
	static const struct {
		const char *name;
		void (*fn)(struct x64_asm *a, unsigned bytes, unsigned dst, unsigned src);
	} row[] = {{"imul", x64_imul_rr},   {"bsf", x64_bsf_rr},     {"bsr", x64_bsr_rr},
		   {"tzcnt", x64_tzcnt_rr}, {"lzcnt", x64_lzcnt_rr}, {"popcnt", x64_popcnt_rr}};
	struct rig *r = *state;

	EACH_SIZE(bytes, 2)
	EACH_REG(x)
	EACH_REG(y)
	{
		int32_t imm = imms[next(r) % ARRAY_LEN(imms)];

		for (unsigned n = 0; n < ARRAY_LEN(row); n++) {
			row[n].fn(&r->a, bytes, x, y);
			CHECK(r, row[n].name, R(bytes, x), R(bytes, y));
		}
		x64_imul_rri(&r->a, bytes, x, y, imm);
		CHECK(r, "imul", R(bytes, x), R(bytes, y), I(bytes, imm));
	}
}

static void crc(void **state)
{
	struct rig *r = *state;

	EACH_SIZE(bytes, 1)
	EACH_REG(x)
	EACH_REG(y)
	{
		struct x64_mem m = random_mem(r);
		unsigned to = bytes == 8 ? 8 : 4;

		x64_crc32_rr(&r->a, bytes, x, y);
		CHECK(r, "crc32", R(to, x), R(bytes, y));
		x64_crc32_rm(&r->a, bytes, x, m);
		CHECK(r, "crc32", R(to, x), M(bytes, m));
	}
}

static void conditions(void **state)
{
	struct rig *r = *state;
	char name[16];

	for (unsigned cc = 0; cc < 16; cc++)
		EACH_REG(x)
		{
			snprintf(name, sizeof(name), "set%s", cc_names[cc]);
			x64_setcc(&r->a, cc, x);
			CHECK(r, name, R(1, x));
			snprintf(name, sizeof(name), "cmov%s", cc_names[cc]);
			EACH_REG(y)
			EACH_SIZE(bytes, 4)
			{
				x64_cmov_rr(&r->a, cc, bytes, x, y);
				CHECK(r, name, R(bytes, x), R(bytes, y));
			}
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alu_registers), cmocka_unit_test(alu_immediates),
		cmocka_unit_test(alu_memory),	 cmocka_unit_test(tests_of_bits),
		cmocka_unit_test(moves),	 cmocka_unit_test(constants),
		cmocka_unit_test(address_forms), cmocka_unit_test(extensions),
		cmocka_unit_test(exchanges),	 cmocka_unit_test(shifts),
		cmocka_unit_test(one_register),	 cmocka_unit_test(two_registers),
		cmocka_unit_test(crc),		 cmocka_unit_test(conditions),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
