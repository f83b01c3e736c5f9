/*
 * What vector operations do on a host without their instructions: the same, to the bit, with the
 * same exception flags. Each plain version runs beside the host's own instruction.
 */
#include "test.h"

#include <stdlib.h>

#include "base/bits.h"
#include "ir/vop.h"

enum { ROUNDS = 4000, MXCSR_FLAGS = 0x3f };

static uint64_t rng = 0x2545f4914f6cdd1d;

static uint64_t rnd(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
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

static void compare(unsigned vop, bool in_place)
{
	const struct vop_info *r = &vop_table[vop];
	unsigned bytes = ir_type_bytes((enum ir_type)r->result), imm = rnd() & 0xff;
	union ir_vec a, b, c, hard = {{0}}, soft = {{0}};

	rnd_vec(&a);
	rnd_vec(&b);
	rnd_vec(&c);
	imm = r->has_imm8 ? imm : 0;
	r->fn(&hard, &a, &b, &c, imm);
	if (in_place) {
		union ir_vec *d = rnd() & 1 ? &a : &b;

		vop_hosts[vop].soft(d, &a, &b, &c, imm);
		memcpy(&soft, d, bytes);
	} else {
		vop_hosts[vop].soft(&soft, &a, &b, &c, imm);
	}
	if (memcmp(&soft, &hard, bytes) == 0)
		return;
	for (unsigned k = 0; k < 4; k++)
		print_error("host %016llx plain %016llx\n", (unsigned long long)hard.u64[k],
			    (unsigned long long)soft.u64[k]);
	fail_msg("%s imm %#x", r->name, imm);
}

static void plain_versions_agree(void **state)
{
	struct host_cpu host = host_cpu_detect();
	unsigned compared = 0;

	for (unsigned vop = 0; vop < VOP_COUNT; vop++) {
		if (!vop_hosts[vop].needs)
			continue;
		assert_non_null(vop_hosts[vop].soft);
		if (vop_needs_soft(vop, &host) || vop_table[vop].uses_mxcsr)
			continue;
		compared++;
		for (unsigned k = 0; k < ROUNDS; k++)
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
