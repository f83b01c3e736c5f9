/*
 * Instruction lengths against Capstone: bytes drawn from the decode rows and plain random bytes,
 * with random prefixes, in 16-, 32- and 64-bit code. Only what both know is compared.
 */
#include "test.h"

/* Capstone has an enum of our struct's name. */
#define x86_insn capstone_x86_insn
#include <capstone/capstone.h>
#undef x86_insn

#include "synth.h"
#include "xorshift.h"

struct rig {
	struct x86_decoder *d;
	csh cs[3];
	cs_insn *insn;
	uint64_t seed;
	unsigned compared, differ;
};

static x86_mode_t mode_of(unsigned k)
{
	return k == 0 ? synth_code16 : k == 1 ? synth_code32 : synth_code64;
}

/* Where Capstone 4 is known to be wrong or to follow another processor, and why. */
static const char *known_difference(const cs_insn *c, const struct x86_insn *i, unsigned k)
{
	bool code64 = k == 2;

	if (i->has_vex)
		return "Capstone takes prefixes before VEX";
	if (code64 && i->opsize_prefix && (i->row->attr & X86_FORCE64))
		return "66 on near branches: AMD reads 16-bit displacements, Intel ignores it";
	if (i->opsize_prefix && i->opcode == 0xc7 && i->rex_w)
		return "Capstone lets 66 shorten the immediate though REX.W is there";
	if (strcmp(c->mnemonic, "ud0") == 0 || strcmp(c->mnemonic, "ud2b") == 0)
		return "UD0 and UD1 have a modrm byte, which Capstone does not read";
	if (code64 && i->rex_w && i->addrsize == 4 && i->op[0].kind == X86_OPND_REL)
		return "Capstone lets 67 shorten the displacement of CALL with REX.W";
	if (i->opsize_prefix && (i->rep || i->repne) && (i->opcode == 0x68 || i->opcode == 0xe8))
		return "Capstone forgets 66 before F2 or F3 with PUSH and CALL";
	if (code64 && i->rex_w && i->opcode == 0xc2)
		return "Capstone reads a 32-bit immediate of RET with REX.W";
	if (strncmp(c->mnemonic, "xacquire", 8) == 0 || strncmp(c->mnemonic, "xrelease", 8) == 0)
		return "hardware lock elision";
	if (strcmp(i->row->text, "ud0") == 0 || strcmp(i->row->text, "ud1") == 0)
		return "Capstone gives them no modrm byte";
	if (code64 && i->addrsize == 4 && i->rex && (i->row->attr & X86_FORCE64))
		return "Capstone takes 67 before REX for 66";
	if (i->opsize_prefix && (i->rep || i->repne) && (i->row->attr & X86_FORCE64))
		return "Capstone ignores 66 on near branches with F2 or F3";
	return NULL;
}

static void compare(struct rig *r, unsigned k, const uint8_t *bytes, unsigned len)
{
	const uint8_t *code = bytes;
	size_t left = len;
	uint64_t addr = 0x1000;
	struct x86_insn i;
	char text[128];

	if (x86_decode(r->d, bytes, len, mode_of(k), NULL, &i) != X86_DECODE_OK)
		return;
	if (!cs_disasm_iter(r->cs[k], &code, &left, &addr, r->insn))
		return;
	r->compared++;
	if (r->insn->size == i.len || known_difference(r->insn, &i, k))
		return;
	if (r->differ++ > 40)
		return;
	x86_insn_print(&i, 0x1000, text, sizeof(text));
	print_error("%u-bit:", 16u << k);
	for (unsigned n = 0; n < 16; n++)
		print_error(" %02x", bytes[n]);
	print_error(": \"%s\" %u bytes, Capstone \"%s %s\" %u\n", text, i.len, r->insn->mnemonic,
		    r->insn->op_str, r->insn->size);
}

static unsigned random_prefixes(struct rig *r, unsigned k, uint8_t *out)
{
	static const uint8_t pool[] = {0x66, 0x67, 0xf2, 0xf3, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65};
	uint64_t v = xorshift(&r->seed);
	unsigned n = 0;

	while ((v & 3) == 0 && n < 3) {
		out[n++] = pool[(v >> 8) % sizeof(pool)];
		v = xorshift(&r->seed);
	}
	if (k == 2 && (v & 4))
		out[n++] = (uint8_t)(0x40 | (v >> 16 & 15));
	return n;
}

static void random_bytes(struct rig *r, uint8_t *out, unsigned len)
{
	for (unsigned n = 0; n < len; n++)
		out[n] = (uint8_t)(xorshift(&r->seed) >> 24);
}

static void one_from_row(struct rig *r, unsigned k)
{
	const struct x86_enc *e = &r->d->enc[xorshift(&r->seed) % r->d->enc_count];
	uint8_t bytes[4 + 2 * SYNTH_TAIL], tail[SYNTH_TAIL];
	uint64_t v = xorshift(&r->seed);
	unsigned len, n = 0;

	/* synth puts mandatory prefixes first: others before them only where there are none */
	if (e->prefix <= X86_PREFIX_NP && e->vex == X86_VEX_NONE && e->w != X86_W_1)
		n = random_prefixes(r, k, bytes);
	random_bytes(r, tail, sizeof(tail));
	if (synth(e, mode_of(k), (unsigned)(v >> 8) % e->opcode_span, v >> 16 & 0xff, tail,
		  bytes + n, &len))
		compare(r, k, bytes, n + len);
}

static void one_random(struct rig *r, unsigned k)
{
	uint8_t bytes[4 + SYNTH_TAIL];

	random_bytes(r, bytes + random_prefixes(r, k, bytes), SYNTH_TAIL);
	compare(r, k, bytes, SYNTH_TAIL);
}

static void lengths_agree(void **state)
{
	static const cs_mode modes[3] = {CS_MODE_16, CS_MODE_32, CS_MODE_64};
	struct rig r = {.d = x86_decoder_create(), .seed = 0x9e3779b97f4a7c15};

	(void)state;
	for (unsigned k = 0; k < 3; k++)
		assert_int_equal(cs_open(CS_ARCH_X86, modes[k], &r.cs[k]), CS_ERR_OK);
	r.insn = cs_malloc(r.cs[0]);
	for (unsigned n = 0; n < 150000; n++) {
		one_from_row(&r, n % 3);
		one_random(&r, n % 3);
	}
	assert_int_equal(r.differ, 0);
	assert_true(r.compared > 50000);
	cs_free(r.insn, 1);
	for (unsigned k = 0; k < 3; k++)
		cs_close(&r.cs[k]);
	x86_decoder_destroy(r.d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(lengths_agree)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
