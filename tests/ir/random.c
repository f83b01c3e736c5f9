/*
 * Random blocks mean the same after every pass. A small evaluator runs a block before and after
 * and keeps a digest of all that can be seen from outside: guest state at every operation that may
 * fault or leave, the operands of memory accesses and calls, and how the block ends.
 */
#include "test.h"

#include <stdlib.h>

#include "base/bits.h"
#include "fake_isa.h"
#include "ir/fold.h"
#include "ir/folder.h"
#include "ir/pass.h"
#include "ir/vop.h"
#include "xorshift.h"

static struct ir_insn storage[IR_BLOCK_MAX], copy[IR_BLOCK_MAX];
static char text[1 << 18], msg[256];
static uint64_t random_state = 88172645463325252;

static uint64_t random64(void)
{
	return xorshift(&random_state);
}

static unsigned pick(unsigned n)
{
	return (unsigned)(random64() >> 20) % n;
}

static uint64_t random_value(void)
{
	static const uint64_t edges[] = {0, 1, 2, 0x7f, 0x80, 0xff, 0x8000, 0x80000000, ~0ull};

	return pick(2) ? edges[pick(ARRAY_LEN(edges))] : random64();
}

/* ---- evaluator */

struct lazy {
	uint32_t key;
	uint64_t v[3];
};

struct machine {
	uint8_t state[FAKE_BYTES];
	struct lazy cc, flags[IR_BLOCK_MAX];
	uint64_t value[IR_BLOCK_MAX];
	union ir_vec vec[IR_BLOCK_MAX];
	uint64_t digest;
};

static uint32_t packed(const struct lazy *f)
{
	return ir_flags_eval(f->key, f->v[0], f->v[1], f->v[2]);
}

static void observe(struct machine *m, uint64_t v)
{
	m->digest = (m->digest ^ v) * 0x100000001b3 + (m->digest >> 29);
}

/* Flags count as what they evaluate to. */
static void observe_state(struct machine *m)
{
	for (unsigned i = 0; i < FAKE_CC; i++)
		observe(m, m->state[i]);
	observe(m, packed(&m->cc));
}

static uint64_t arg(const struct machine *m, const struct ir_insn *n, unsigned k)
{
	return n->arg[k] == IR_NONE ? 0 : m->value[n->arg[k]];
}

static void eval_call(struct machine *m, const struct ir_insn *n, ir_ref r)
{
	const struct ir_helper *h = ir_helper_of(n);
	uint64_t seen = arg(m, n, 0) * 3 + arg(m, n, 1) * 5, r1;

	memcpy(&r1, m->state + 8, 8);
	if (h->reads & 1 << 1)
		seen += r1;
	if (h->reads & FAKE_GROUP_FLAGS)
		seen += packed(&m->cc);
	if (!(h->flags & IR_HELPER_PURE))
		observe(m, seen);
	if (h->writes & 1 << 1)
		memcpy(m->state + 8, &seen, 8);
	if (h->writes & FAKE_GROUP_FLAGS)
		m->cc = (struct lazy){IR_FLAGS_KEY(IR_FLAGS_RAW, 3), {seen, 0, 0}};
	m->value[r] = seen;
}

/* Guest state, memory and exits. Exits are looked at, if they are taken, and passed. */
static void eval_effect(struct machine *m, const struct ir_insn *n, ir_ref r)
{
	unsigned bytes = ir_type_bytes((enum ir_type)n->type);

	switch (n->op) {
	case IR_GET:
		m->value[r] = 0;
		memcpy(&m->value[r], m->state + n->imm, bytes);
		break;
	case IR_PUT:
		memcpy(m->state + n->imm, &m->value[n->arg[0]], bytes);
		break;
	case IR_GET_FLAGS:
		m->flags[r] = m->cc;
		break;
	case IR_PUT_FLAGS:
		m->cc = m->flags[n->arg[0]];
		break;
	case IR_CALL:
		eval_call(m, n, r);
		break;
	case IR_EXIT_IF:
		if (!m->value[n->arg[0]])
			break;
		/* fall through */
	case IR_LOAD:
	case IR_STORE:
	case IR_EXIT_UNLESS:
	case IR_EXIT_MOVED:
	case IR_EXIT:
		observe(m, arg(m, n, 0));
		observe(m, arg(m, n, 1));
		observe_state(m);
		m->value[r] = m->digest & bits_mask(bytes * 8);
		break;
	default:
		assert_int_equal(n->op, IR_GUEST);
	}
}

static bool is_vec(unsigned t)
{
	return t == IR_V128 || t == IR_V256;
}

/* Vectors are 0 above their type, so that an extension changes nothing. */
static void eval_vector(struct machine *m, const struct ir_insn *n, ir_ref r)
{
	unsigned bytes = ir_type_bytes((enum ir_type)n->type), vop = (unsigned)n->imm & 0xffff;
	const union ir_vec *a[3];
	union ir_vec v = {.u64 = {0}};

	for (unsigned k = 0; k < 3; k++)
		a[k] = n->arg[k] == IR_NONE ? &v : &m->vec[n->arg[k]];
	switch (n->op) {
	case IR_GET:
		memcpy(&v, m->state + n->imm, bytes);
		break;
	case IR_PUT:
		memcpy(m->state + n->imm, a[0], bytes);
		return;
	case IR_VOP:
		if (n->type == vop_table[vop].result)
			vop_table[vop].fn(&v, a[0], a[1], a[2], n->imm >> 16 & 0xff);
		else
			vop_run_twin(vop, vop_table[vop].fn, &v, a[0], a[1], a[2],
				     n->imm >> 16 & 0xff);
		break;
	default: /* zext, trunc */
		memcpy(&v, a[0], bytes);
		break;
	}
	m->vec[r] = v;
}

static void eval_insn(struct machine *m, const struct ir_block *b, const struct ir_insn *n,
		      ir_ref r)
{
	if (is_vec(n->type)) {
		eval_vector(m, n, r);
		return;
	}
	uint64_t mask = bits_mask(ir_type_bits((enum ir_type)n->type));
	uint64_t x = arg(m, n, 0), y = arg(m, n, 1);

	if (n->op >= IR_ADD && n->op <= IR_MULHS)
		m->value[r] = ir_eval_bin(n->op, n->type, x, y);
	else if (n->op >= IR_NOT && n->op <= IR_POPCNT)
		m->value[r] = ir_eval_un(n->op, n->type, x);
	else if (n->op >= IR_EQ && n->op <= IR_LES)
		m->value[r] = ir_eval_cmp(n->op, (enum ir_type)n->imm, x, y);
	else if (n->op == IR_CONST)
		m->value[r] = (uint64_t)n->imm;
	else if (n->op == IR_SELECT)
		m->value[r] = x ? y : arg(m, n, 2);
	else if (n->op == IR_ZEXT || n->op == IR_TRUNC)
		m->value[r] = x & mask;
	else if (n->op == IR_SEXT)
		m->value[r] = (uint64_t)bits_sext(x, ir_type_bits(ir_type_of(b, n->arg[0]))) & mask;
	else if (n->op == IR_MAKE_FLAGS)
		m->flags[r] = (struct lazy){(uint32_t)n->imm, {x, y, arg(m, n, 2)}};
	else if (n->op == IR_COND)
		m->value[r] = ir_cond_packed((enum ir_cond)n->imm, packed(&m->flags[n->arg[0]]));
	else if (n->op == IR_PACK_FLAGS)
		m->value[r] = packed(&m->flags[n->arg[0]]);
	else
		eval_effect(m, n, r);
}

static uint64_t digest_of(const struct ir_block *b, uint64_t seed)
{
	static struct machine m;
	uint64_t saved = random_state;

	random_state = seed;
	m.digest = 14695981039346656037ull;
	for (unsigned i = 0; i < FAKE_CC; i += 8) {
		uint64_t v = random_value();

		memcpy(m.state + i, &v, 8);
	}
	m.cc = (struct lazy){IR_FLAGS_KEY(IR_FLAGS_SUB, 2), {random_value(), random_value(), 0}};
	random_state = saved;
	for (uint32_t i = 0; i < b->count; i++)
		eval_insn(&m, b, &b->insn[i], (ir_ref)i);
	return m.digest;
}

/* ---- generator */

/* Few registers and odd offsets, so that accesses overlap. */
static uint32_t random_place(enum ir_type t)
{
	unsigned bytes = ir_type_bytes(t);

	return FAKE_R + 8 * pick(4) + (pick(3) ? 0 : pick(8 / bytes) * bytes);
}

static uint32_t random_half(enum ir_type t)
{
	return FAKE_W + 32 * pick(2) + (t == IR_V128 ? 16 * pick(2) : 0);
}

/* An earlier value of type t, or a new one. */
static ir_ref random_ref(struct ir_block *b, enum ir_type t)
{
	for (unsigned tries = 0; b->count && tries < 12; tries++) {
		ir_ref r = (ir_ref)(b->count - 1 - pick(b->count < 40 ? b->count : 40));

		if (ir_ops[b->insn[r].op].result != IR_RESULT_NONE && ir_type_of(b, r) == t)
			return r;
	}
	if (t == IR_FLAGS)
		return ir_get_flags(b);
	if (is_vec(t))
		return ir_get(b, t, random_half(t));
	return pick(3) ? ir_get(b, t, random_place(t)) : ir_const(b, t, random_value());
}

static enum ir_type random_type(void)
{
	return (enum ir_type)(IR_I8 + pick(4));
}

static void random_flags(struct ir_block *b)
{
	enum ir_type t = random_type();
	unsigned kind = pick(IR_FLAGS_KINDS);
	ir_ref x = random_ref(b, pick(4) ? t : IR_I64), y = random_ref(b, t), f;

	if (kind >= IR_FLAGS_SHL && kind <= IR_FLAGS_SAR)
		y = ir_const(b, IR_I8, 1 + pick(ir_type_bits(t)));
	f = ir_make_flags(b, kind, t, x, y, random_ref(b, pick(2) ? IR_I8 : IR_I64));
	if (pick(2))
		ir_put_flags(b, f);
}

static void random_widen(struct ir_block *b, enum ir_type from, enum ir_type to)
{
	ir_ref x = random_ref(b, from);

	if (to < from)
		ir_trunc(b, to, x);
	else if (pick(2))
		ir_zext(b, to, x);
	else
		ir_sext(b, to, x);
}

static void random_arith(struct ir_block *b)
{
	enum ir_type t = random_type();
	ir_ref x = random_ref(b, t), y = random_ref(b, t);

	switch (pick(6)) {
	case 0:
		ir_un(b, IR_NOT + pick(IR_POPCNT - IR_NOT + 1), x);
		break;
	case 1:
		ir_cmp(b, IR_EQ + pick(6), x, y);
		break;
	case 2:
		ir_select(b, random_ref(b, IR_I8), x, y);
		break;
	case 3:
		random_widen(b, t, random_type());
		break;
	default:
		ir_bin(b, IR_ADD + pick(IR_MULHS - IR_ADD + 1), x, y);
		break;
	}
}

static void random_call(struct ir_block *b)
{
	static const uint8_t quiet[] = {0, 1, 4, 5, 6, 7}; /* helpers that cannot fault */
	const struct ir_helper *h = &fake_helpers[quiet[pick(sizeof quiet)]];

	ir_call(b, h, h->args > 0 ? random_ref(b, IR_I64) : IR_NONE,
		h->args > 1 ? random_ref(b, IR_I64) : IR_NONE, IR_NONE);
}

static void random_put(struct ir_block *b)
{
	enum ir_type t = random_type();

	ir_put(b, random_place(t), random_ref(b, t));
}

static void random_vector(struct ir_block *b)
{
	enum ir_type t = pick(2) ? IR_V128 : IR_V256;
	ir_ref x = random_ref(b, t);

	switch (pick(8)) {
	case 0:
		if (t == IR_V128)
			ir_zext(b, IR_V256, x);
		else
			ir_trunc(b, IR_V128, x);
		break;
	case 1:
		ir_vop(b, pick(2) ? VOP_PADDB : VOP_PXOR, 0, x, random_ref(b, t), IR_NONE);
		break;
	case 2:
		ir_vop(b, VOP_PSLLW, 0, x, random_ref(b, IR_V128), IR_NONE);
		break;
	case 3:
		ir_vop(b, VOP_BLENDPS, pick(256), x, random_ref(b, t), IR_NONE);
		break;
	case 4:
		ir_get(b, t, random_half(t));
		break;
	case 5: /* an integer over a vector */
		ir_put(b, FAKE_W + 8 * pick(8), random_ref(b, IR_I64));
		break;
	default:
		ir_put(b, random_half(t), x);
		break;
	}
}

static void random_memory(struct ir_block *b)
{
	ir_ref addr = random_ref(b, IR_I64);

	if (pick(2))
		ir_load(b, random_type(), addr, 0, 0);
	else
		ir_store(b, addr, random_ref(b, random_type()), 0, 0);
}

static void random_insn(struct ir_block *b)
{
	switch (pick(20)) {
	case 16 ... 19:
		random_vector(b);
		break;
	case 0 ... 4:
		random_arith(b);
		break;
	case 5 ... 7:
		random_flags(b);
		break;
	case 8 ... 9:
		ir_cond(b, pick(16), random_ref(b, IR_FLAGS));
		break;
	case 10:
		ir_pack_flags(b, random_ref(b, IR_FLAGS));
		break;
	case 11:
		if (pick(2))
			ir_exit_if(b, random_ref(b, IR_I8), pick(99));
		else if (pick(2))
			ir_exit_unless(b, random_ref(b, IR_I64), pick(99));
		else
			ir_exit_moved(b, pick(9999));
		break;
	case 12:
		random_call(b);
		break;
	default:
		random_put(b);
		break;
	}
}

static void random_block(struct ir_block *b, struct ir_folder *f)
{
	unsigned guests = 1 + pick(8);

	ir_block_init(b, &fake_isa, storage, ARRAY_LEN(storage));
	if (f)
		ir_block_fold(b, f, pick(2) ? 0 : pick(32));
	for (unsigned g = 0; g < guests; g++) {
		ir_guest(b, g, 1);
		if (pick(3) == 0)
			random_memory(b);
		for (unsigned n = pick(16); n; n--)
			random_insn(b);
	}
	ir_exit(b, guests);
}

static void check_pass(struct ir_block *b, const char *name, void (*run)(struct ir_block *b))
{
	uint64_t seed = random64(), before = digest_of(b, seed);
	struct ir_block old = *b;

	old.insn = copy;
	memcpy(copy, storage, sizeof *copy * b->count);
	strcpy(msg, "another result");
	run(b);
	if (!ir_verify(b, msg, sizeof msg) && digest_of(b, seed) == before)
		return;
	ir_print(&old, text, sizeof text);
	print_message("before %s:\n%s", name, text);
	ir_print(b, text, sizeof text);
	print_message("after:\n%s", text);
	fail_msg("%s: %s", name, msg);
}

static void optimize_all(struct ir_block *b)
{
	ir_optimize(b, 0);
}

static void passes_keep_meaning(void **state)
{
	struct ir_block b;

	for (unsigned round = 0; round < 6000; round++) {
		random_block(&b, NULL);
		if (ir_verify(&b, msg, sizeof msg))
			fail_msg("%s", msg);
		if (round & 1) {
			check_pass(&b, "all", optimize_all);
			continue;
		}
		for (unsigned n = 6; n; n--) {
			const struct ir_pass *p = &ir_passes[pick(5)];

			check_pass(&b, p->name, p->run);
		}
	}
}

/* Blocks folded as they are built: sound, and the passes that were done have nothing left to do. */
static void folded_blocks(void **state)
{
	static struct ir_folder folder;
	struct ir_block b;

	for (unsigned round = 0; round < 3000; round++) {
		random_block(&b, &folder);
		if (ir_verify(&b, msg, sizeof msg))
			fail_msg("%s", msg);
		check_pass(&b, "all", optimize_all);
		if (round & 1)
			b.folder = NULL;
		check_pass(&b, "again", optimize_all);
	}
}

/* Optimized blocks get shorter on the whole, or the passes do nothing. */
static void passes_shorten(void **state)
{
	uint64_t before = 0, after = 0;
	struct ir_block b;

	for (unsigned round = 0; round < 500; round++) {
		random_block(&b, NULL);
		before += b.count;
		ir_optimize(&b, 0);
		after += b.count;
	}
	assert_true(after < before * 3 / 4);
}

/* A block that fills its storage is not grown past it. */
static void full_block(void **state)
{
	struct ir_block b;
	ir_ref x, f;

	ir_block_init(&b, &fake_isa, storage, 64);
	x = ir_get(&b, IR_I64, 0);
	f = ir_make_flags(&b, IR_FLAGS_ADC, IR_I8, x, x, x);
	while (b.count < 62)
		ir_exit_if(&b, ir_cond(&b, IR_COND_E, f), 1);
	ir_exit(&b, 1);
	check_pass(&b, "all", optimize_all);
	assert_false(b.overflow);
	assert_true(b.count <= 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passes_keep_meaning),
		cmocka_unit_test(folded_blocks),
		cmocka_unit_test(passes_shorten),
		cmocka_unit_test(full_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
