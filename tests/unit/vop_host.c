/*
 * What vector operations do on a host without their instructions: the same, to the bit, with the
 * same exception flags. Each plain version runs beside the host's own instruction.
 */
#include "test.h"

#include <stdlib.h>

#include "base/bits.h"
#include "ir/vop.h"
#include "xorshift.h"

enum { ROUNDS = 4000, FLOAT_ROUNDS = 100000 };

static uint64_t rng = 0x2545f4914f6cdd1d;

static uint64_t rnd(void)
{
	return xorshift(&rng);
}

/* Random bits, sparse ones, or lanes that are equal but for a few bits. */
static void rnd_vec(union ir_vec *v)
{
	unsigned how = rnd() % 4;

	for (unsigned k = 0; k < 4; k++) {
		uint64_t x = rnd();

		v->u64[k] = how == 1 ? x & rnd() & rnd() : how == 2 ? x | rnd() | rnd() : x;
	}
	if (how == 3)
		v->u64[1] = v->u64[0] ^ (1ull << rnd() % 64);
}

/* ---- numbers at which arithmetic has its corners */

struct format {
	unsigned fraction, exponent; /* bits */
};
static const struct format half = {10, 5}, single = {23, 8}, twice = {52, 11};

static uint64_t ones(unsigned n)
{
	return (1ull << n) - 1;
}

/* Few ones, few zeros, or a run of either: what rounds just so. */
static uint64_t rnd_fraction(unsigned bits)
{
	switch (rnd() % 6) {
	case 0:
		return 0;
	case 1:
		return ones(bits);
	case 2:
		return 1ull << rnd() % bits;
	case 3:
		return ones(bits) & ~ones((unsigned)(rnd() % bits));
	case 4:
		return ones((unsigned)(rnd() % bits));
	default:
		return rnd() & ones(bits);
	}
}

static uint64_t rnd_float(const struct format *f)
{
	uint64_t top = ones(f->exponent), field;
	uint64_t bias = top >> 1;

	switch (rnd() % 10) {
	case 0: /* zero, denormal */
		field = 0;
		break;
	case 1: /* infinity, NaN */
		field = top;
		break;
	case 2:
		field = 1 + rnd() % 3;
		break;
	case 3:
		field = top - 1 - rnd() % 3;
		break;
	case 4: /* products near the bottom */
		field = bias / 2 - 3 + rnd() % 40;
		break;
	case 5: /* and near the top */
		field = bias + bias / 2 - 3 + rnd() % 8;
		break;
	case 6:
		field = rnd();
		break;
	default:
		field = bias - 4 + rnd() % 8;
		break;
	}
	return (rnd() & 1) << (f->fraction + f->exponent) | (field & top) << f->fraction |
	       (rnd() % 3 ? rnd_fraction(f->fraction) : rnd() & ones(f->fraction));
}

static void put_lane(union ir_vec *v, const struct format *f, unsigned lane, uint64_t x)
{
	if (f == &half)
		v->u16[lane] = (uint16_t)x;
	else if (f == &single)
		v->u32[lane] = (uint32_t)x;
	else
		v->u64[lane] = x;
}

static unsigned lanes_of(const struct format *f)
{
	return 256 / (1 + f->exponent + f->fraction);
}

static void rnd_floats(union ir_vec *v, const struct format *f)
{
	for (unsigned k = 0; k < lanes_of(f); k++)
		put_lane(v, f, k, rnd_float(f));
}

/* c near -a * b in some lanes, off by some units in the last place: nearly all cancels. */
static void make_cancel(const struct format *f, const union ir_vec *a, const union ir_vec *b,
			union ir_vec *c)
{
	for (unsigned k = 0; k < lanes_of(f); k++) {
		uint64_t away = rnd() % 5 - 2;

		if (rnd() % 3 == 0)
			continue;
		if (f == &single) {
			float x, y, p;

			memcpy(&x, &a->u32[k], 4);
			memcpy(&y, &b->u32[k], 4);
			p = -(x * y);
			memcpy(&c->u32[k], &p, 4);
			c->u32[k] += (uint32_t)away;
		} else {
			double x, y, p;

			memcpy(&x, &a->u64[k], 8);
			memcpy(&y, &b->u64[k], 8);
			p = -(x * y);
			memcpy(&c->u64[k], &p, 8);
			c->u64[k] += away;
		}
	}
}

static const struct format *format_of(unsigned vop)
{
	const char *name = vop_table[vop].name;
	size_t n = strlen(name);

	if (strncmp(name, "cvtph2ps", 8) == 0)
		return &half;
	if (strncmp(name, "cvtps2ph", 8) == 0)
		return &single;
	return name[n - 1] == 's' ? &single : &twice;
}

static uint32_t mxcsr_get(void)
{
	uint32_t v;

	__asm__ volatile("stmxcsr %0" : "=m"(v));
	return v;
}

static void mxcsr_set(uint32_t v)
{
	__asm__ volatile("ldmxcsr %0" : : "m"(v));
}

struct args {
	union ir_vec v[3];
	unsigned imm;
	uint32_t mxcsr;
};

static void rnd_args(unsigned vop, struct args *a)
{
	const struct vop_info *r = &vop_table[vop];

	a->imm = r->has_imm8 ? rnd() & 0xff : 0;
	a->mxcsr = 0x1f80;
	if (!r->uses_mxcsr) {
		for (unsigned k = 0; k < 3; k++)
			rnd_vec(&a->v[k]);
		return;
	}
	a->mxcsr |= (rnd() & 3) << 13 | (rnd() % 4 == 0 ? 1 << 15 : 0) | (rnd() % 4 == 0 ? 64 : 0);
	for (unsigned k = 0; k < 3; k++)
		rnd_floats(&a->v[k], format_of(vop));
	if (r->arg[2] != IR_VOID && rnd() % 3 == 0)
		make_cancel(format_of(vop), &a->v[0], &a->v[1], &a->v[2]);
}

static void print_vec(const char *what, const union ir_vec *v)
{
	print_error("%-6s %016llx %016llx %016llx %016llx\n", what, (unsigned long long)v->u64[0],
		    (unsigned long long)v->u64[1], (unsigned long long)v->u64[2],
		    (unsigned long long)v->u64[3]);
}

static void run(unsigned vop, vop_fn *fn, const struct args *a, union ir_vec *d, uint32_t *mxcsr)
{
	mxcsr_set(a->mxcsr);
	fn(d, &a->v[0], &a->v[1], &a->v[2], a->imm);
	*mxcsr = mxcsr_get();
	mxcsr_set(0x1f80);
}

static void compare(unsigned vop, bool in_place)
{
	const struct vop_info *r = &vop_table[vop];
	unsigned bytes = ir_type_bytes((enum ir_type)r->result);
	union ir_vec hard = {{0}}, soft = {{0}}, *d = &soft;
	uint32_t hard_mxcsr, soft_mxcsr;
	struct args a, old;

	rnd_args(vop, &a);
	old = a;
	run(vop, r->fn, &a, &hard, &hard_mxcsr);
	if (in_place)
		d = &a.v[rnd() & 1];
	run(vop, vop_hosts[vop].soft, &a, d, &soft_mxcsr);
	if (memcmp(d, &hard, bytes) == 0 && hard_mxcsr == soft_mxcsr)
		return;
	print_vec("a", &old.v[0]);
	print_vec("b", &old.v[1]);
	print_vec("c", &old.v[2]);
	print_vec("host", &hard);
	print_vec("plain", d);
	fail_msg("%s imm %#x mxcsr %#x: host %#x plain %#x", r->name, a.imm, a.mxcsr, hard_mxcsr,
		 soft_mxcsr);
}

static void plain_versions_agree(void **state)
{
	struct host_cpu host = host_cpu_detect();
	unsigned compared = 0;

	for (unsigned vop = 0; vop < VOP_COUNT; vop++) {
		if (!vop_hosts[vop].needs)
			continue;
		assert_non_null(vop_hosts[vop].soft);
		if (vop_needs_soft(vop, &host))
			continue;
		compared++;
		for (unsigned k = 0; k < (vop_table[vop].uses_mxcsr ? FLOAT_ROUNDS : ROUNDS); k++)
			compare(vop, k & 1);
	}
	if (!compared)
		skip();
}

/* Without a feature nothing that needs it is chosen, and with all of them no plain version is. */
static void choices_follow_the_host(void **state)
{
	struct host_cpu all = {UINT32_MAX}, least = {HOST_CPU_REQUIRED};

	for (unsigned vop = 0; vop < VOP_COUNT; vop++) {
		struct host_cpu but = {~vop_hosts[vop].needs};

		assert_false(vop_needs_soft(vop, &all));
		assert_ptr_equal(vop_function(vop, &all), vop_table[vop].fn);
		assert_int_equal(vop_needs_soft(vop, &least), vop_hosts[vop].needs != 0);
		assert_int_equal(vop_needs_soft(vop, &but), vop_hosts[vop].needs != 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_versions_agree),
		cmocka_unit_test(choices_follow_the_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
