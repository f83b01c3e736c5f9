/*
 * For the tests of the host assembler: disassembly of what it makes with Capstone, compared by name
 * and operands. Addresses are compared by their value with random numbers in the registers.
 */
#ifndef TESTS_UNIT_X64_RIG_H
#define TESTS_UNIT_X64_RIG_H

#include <stdlib.h>
#include <capstone/capstone.h>

#include "engine/translate/x64/asm.h"
#include "base/bits.h"
#include "xorshift.h"

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

static inline struct operand R(unsigned bytes, unsigned reg) {
	return (struct operand){.kind = GPR, .bytes = bytes, .reg = reg};
}

static inline struct operand
V(unsigned bytes, unsigned reg) {
	return (struct operand){.kind = VEC, .bytes = bytes, .reg = reg};
}

static inline struct operand
I(unsigned bytes, int64_t imm) {
	return (struct operand){.kind = IMM, .bytes = bytes, .imm = imm};
}

static inline struct operand
M(unsigned bytes, struct x64_mem m) {
	return (struct operand){.kind = MEM, .bytes = bytes, .m = m};
}

static const char *const names64[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
				      "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
static const char *const names8[] = {"al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil"};

static inline void name_gpr(char *out, size_t size, unsigned bytes, unsigned reg)
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

static inline uint64_t next(struct rig *r)
{
	return xorshift(&r->seed);
}

static inline uint64_t reg_value(const struct rig *r, unsigned cs_reg)
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

static inline uint64_t address(const struct rig *r, struct x64_mem m)
{
	uint64_t v = (uint64_t)(int64_t)m.disp;

	if (m.base != X64_NO_REG)
		v += r->reg[m.base];
	if (m.index != X64_NO_REG)
		v += r->reg[m.index] << m.scale;
	return v;
}

static inline bool same_mem(const struct rig *r, const struct operand *want, const cs_x86_op *got)
{
	uint64_t v = (uint64_t)got->mem.disp + reg_value(r, got->mem.base) +
		     reg_value(r, got->mem.index) * (uint64_t)got->mem.scale;

	return got->type == X86_OP_MEM && (!want->bytes || got->size == want->bytes) &&
	       v == address(r, want->m);
}

static inline bool same_reg(const struct rig *r, const struct operand *want, const cs_x86_op *got)
{
	char name[16];

	if (want->kind == GPR)
		name_gpr(name, sizeof(name), want->bytes, want->reg);
	else
		snprintf(name, sizeof(name), "%cmm%u", want->bytes == 32 ? 'y' : 'x', want->reg);
	return got->type == X86_OP_REG && strcmp(cs_reg_name(r->cs, got->reg), name) == 0;
}

static inline bool same(const struct rig *r, const struct operand *want, const cs_x86_op *got)
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

static inline void start(struct rig *r)
{
	r->a = (struct x64_asm){.at = r->code, .end = r->code + sizeof(r->code)};
}

static inline void complain(struct rig *r, const char *mnemonic, const char *why)
{
	print_error("want %s, %s:", mnemonic, why);
	for (const uint8_t *p = r->code; p < r->a.at; p++)
		print_error(" %02x", *p);
	start(r);
	fail_msg(" is \"%s %s\"", r->insn->mnemonic, r->insn->op_str);
}

/* The code since start() is this one instruction. */
static inline void check(struct rig *r, const char *mnemonic, unsigned count,
			 const struct operand *want)
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

static inline struct x64_mem random_mem(struct rig *r)
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

static inline int set_up(void **state)
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

static inline int tear_down(void **state)
{
	struct rig *r = *state;

	cs_free(r->insn, 1);
	cs_close(&r->cs);
	free(r);
	return 0;
}

#define EACH_REG(x)	       for (unsigned x = 0; x < 16; x++)
#define EACH_SIZE(bytes, from) for (unsigned bytes = from; bytes <= 8; bytes *= 2)

static const char *const cc_names[] = {"o", "no", "b", "ae", "e", "ne", "be", "a",
				       "s", "ns", "p", "np", "l", "ge", "le", "g"};

#endif
