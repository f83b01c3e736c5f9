/*
 * The host assembler against Capstone: every function with all registers, sizes and many address
 * forms must disassemble to one instruction with the operands asked for. Lengths of the forms that
 * have a shorter twin are listed.
 */
#include "test.h"

#include <stdlib.h>
#include <capstone/capstone.h>

#include "engine/translate/x64/asm.h"
#include "base/bits.h"

#define CODE_BYTES  256
#define RANDOM_MEMS 24

struct rig {
	csh cs;
	cs_insn *insn;
	uint64_t seed;
	uint64_t reg[16]; /* for comparing addresses */
	struct x64_asm a;
	uint8_t code[CODE_BYTES];
};

enum kind { GPR, VEC, IMM, MEM };

struct operand {
	enum kind kind;
	unsigned bytes, reg;
	int64_t imm;
	struct x64_mem m;
};

static struct operand R(unsigned bytes, unsigned reg) {
	return (struct operand){.kind = GPR, .bytes = bytes, .reg = reg};
}

static struct operand
V(unsigned bytes, unsigned reg) {
	return (struct operand){.kind = VEC, .bytes = bytes, .reg = reg};
}

static struct operand
I(unsigned bytes, int64_t imm) {
	return (struct operand){.kind = IMM, .bytes = bytes, .imm = imm};
}

static struct operand
M(unsigned bytes, struct x64_mem m) {
	return (struct operand){.kind = MEM, .bytes = bytes, .m = m};
}

static const char *const names64[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
				      "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
static const char *const names8[] = {"al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil"};

static void name_gpr(char *out, size_t size, unsigned bytes, unsigned reg)
{
	static const char *const suffix[] = {[1] = "b", [2] = "w", [4] = "d", [8] = ""};

	if (reg >= 8)
		snprintf(out, size, "r%u%s", reg, suffix[bytes]);
	else if (bytes == 1)
		snprintf(out, size, "%s", names8[reg]);
	else
		snprintf(out, size, "%s%s",
			 bytes == 8   ? "r"
			 : bytes == 4 ? "e"
				      : "",
			 names64[reg] + 1);
}

static uint64_t next(struct rig *r)
{
	r->seed ^= r->seed << 13;
	r->seed ^= r->seed >> 7;
	r->seed ^= r->seed << 17;
	return r->seed;
}

static uint64_t reg_value(const struct rig *r, unsigned cs_reg)
{
	const char *name = cs_reg == X86_REG_INVALID ? NULL : cs_reg_name(r->cs, cs_reg);

	if (!name || cs_reg == X86_REG_RIZ)
		return 0;
	for (unsigned n = 0; n < 16; n++)
		if (strcmp(name, names64[n]) == 0)
			return r->reg[n];
	fail_msg("address register %s", name);
	return 0;
}

static uint64_t address(const struct rig *r, struct x64_mem m)
{
	uint64_t v = (uint64_t)(int64_t)m.disp;

	if (m.base != X64_NO_REG)
		v += r->reg[m.base];
	if (m.index != X64_NO_REG)
		v += r->reg[m.index] << m.scale;
	return v;
}

static bool same_mem(const struct rig *r, const struct operand *want, const cs_x86_op *got)
{
	uint64_t v = (uint64_t)got->mem.disp + reg_value(r, got->mem.base) +
		     reg_value(r, got->mem.index) * (uint64_t)got->mem.scale;

	return got->type == X86_OP_MEM && (!want->bytes || got->size == want->bytes) &&
	       v == address(r, want->m);
}

static bool same_reg(const struct rig *r, const struct operand *want, const cs_x86_op *got)
{
	char name[16];

	if (want->kind == GPR)
		name_gpr(name, sizeof(name), want->bytes, want->reg);
	else
		snprintf(name, sizeof(name), "%cmm%u", want->bytes == 32 ? 'y' : 'x', want->reg);
	return got->type == X86_OP_REG && strcmp(cs_reg_name(r->cs, got->reg), name) == 0;
}

static bool same(const struct rig *r, const struct operand *want, const cs_x86_op *got)
{
	switch (want->kind) {
	case GPR:
	case VEC:
		return same_reg(r, want, got);
	case IMM:
		return got->type == X86_OP_IMM &&
		       ((got->imm ^ want->imm) & (int64_t)bits_mask(want->bytes * 8)) == 0;
	case MEM:
		return same_mem(r, want, got);
	}
	return false;
}

static void start(struct rig *r)
{
	r->a = (struct x64_asm){.at = r->code, .end = r->code + sizeof(r->code)};
}

static void complain(struct rig *r, const char *mnemonic, const char *why)
{
	print_error("want %s, %s:", mnemonic, why);
	for (const uint8_t *p = r->code; p < r->a.at; p++)
		print_error(" %02x", *p);
	start(r);
	fail_msg(" is \"%s %s\"", r->insn->mnemonic, r->insn->op_str);
}

/* The code since start() is this one instruction. */
static void check(struct rig *r, const char *mnemonic, unsigned count, const struct operand *want)
{
	const uint8_t *code = r->code;
	size_t left = (size_t)(r->a.at - r->code);
	uint64_t addr = (uintptr_t)r->code;
	const cs_x86 *x = &r->insn->detail->x86;
	bool same_ops = true;

	assert_false(r->a.overflow);
	r->insn->mnemonic[0] = r->insn->op_str[0] = 0;
	if (!cs_disasm_iter(r->cs, &code, &left, &addr, r->insn) || left)
		complain(r, mnemonic, "one instruction");
	if (strcmp(r->insn->mnemonic, mnemonic) != 0)
		complain(r, mnemonic, "other name");
	if (x->op_count != count)
		complain(r, mnemonic, "number of operands");
	for (unsigned n = 0; n < count; n++)
		same_ops &= same(r, &want[n], &x->operands[n]);
	if (!same_ops)
		complain(r, mnemonic, "operands");
	start(r);
}

#define CHECK(r, mnemonic, ...)                                                                    \
	check(r, mnemonic, ARRAY_LEN(((struct operand[]){__VA_ARGS__})),                           \
	      (struct operand[]){__VA_ARGS__})

static const int32_t disps[] = {0, 1, -1, 127, -128, 128, -129, 0x12345678, INT32_MIN, INT32_MAX};
static const int32_t imms[] = {0,	   1,	       -1,	  5,	    127,    128,
			       -128,	   -129,       255,	  256,	    0x1234, 0x7fff,
			       0x12345678, -0x8000000, INT32_MAX, INT32_MIN};

static struct x64_mem random_mem(struct rig *r)
{
	uint64_t v = next(r);
	struct x64_mem m =
		x64_at_index(v & 15, v >> 4 & 15, v >> 8 & 3, disps[(v >> 16) % ARRAY_LEN(disps)]);

	if ((v >> 32 & 7) == 0)
		m.base = X64_NO_REG;
	if ((v >> 35 & 1) == 0 || m.index == X64_RSP)
		m.index = X64_NO_REG;
	return m;
}

static int set_up(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	r->seed = 0x9e3779b97f4a7c15;
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &r->cs) != CS_ERR_OK)
		return -1;
	cs_option(r->cs, CS_OPT_DETAIL, CS_OPT_ON);
	r->insn = cs_malloc(r->cs);
	for (unsigned n = 0; n < 16; n++)
		r->reg[n] = next(r);
	start(r);
	*state = r;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *r = *state;

	cs_free(r->insn, 1);
	cs_close(&r->cs);
	free(r);
	return 0;
}

#define EACH_REG(x)	       for (unsigned x = 0; x < 16; x++)
#define EACH_SIZE(bytes, from) for (unsigned bytes = from; bytes <= 8; bytes *= 2)

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

static const char *const cc_names[] = {"o", "no", "b", "ae", "e", "ne", "be", "a",
				       "s", "ns", "p", "np", "l", "ge", "le", "g"};

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

static void jumps(void **state)
{
	struct rig *r = *state;
	const uint8_t *far = r->code + 0x1234567;
	char name[8];
	uint8_t *place;

	for (unsigned cc = 0; cc < 16; cc++) {
		snprintf(name, sizeof(name), "j%s", cc_names[cc]);
		x64_jcc(&r->a, cc, far);
		CHECK(r, name, I(8, (intptr_t)far));
		place = x64_jcc(&r->a, cc, NULL);
		x64_patch(place, r->code - 77);
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

static void rip_relative(void **state)
{
	struct rig *r = *state;

	EACH_REG(x)
	{
		x64_lea_rip(&r->a, x, r->code + 1000);
		assert_int_equal(r->a.at - r->code, 7);
		assert_int_equal(load_le32(r->code + 3), 993);
		assert_int_equal(r->code[2] & 0xc7, 5);
		r->code[2] |= 0x80; /* to [rbp + disp32], whose register Capstone shall tell */
		CHECK(r, "lea", R(8, x), M(0, x64_at(X64_RBP, 993)));
	}
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
		cmocka_unit_test(alu_registers),
		cmocka_unit_test(alu_immediates),
		cmocka_unit_test(alu_memory),
		cmocka_unit_test(tests_of_bits),
		cmocka_unit_test(moves),
		cmocka_unit_test(constants),
		cmocka_unit_test(address_forms),
		cmocka_unit_test(extensions),
		cmocka_unit_test(exchanges),
		cmocka_unit_test(shifts),
		cmocka_unit_test(one_register),
		cmocka_unit_test(two_registers),
		cmocka_unit_test(crc),
		cmocka_unit_test(conditions),
		cmocka_unit_test(jumps),
		cmocka_unit_test(no_operands),
		cmocka_unit_test(rip_relative),
		cmocka_unit_test(nops),
		cmocka_unit_test(vector_moves),
		cmocka_unit_test(vector_encodings),
		cmocka_unit_test(vector_general),
		cmocka_unit_test(short_forms),
		cmocka_unit_test(overflow),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
