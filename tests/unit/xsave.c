/*
 * FXSAVE and XSAVE areas (SDM vol. 1, 10.5 and chapter 13): layout against the host's own FXSAVE,
 * what each form writes and leaves, initial state, and every reason for #GP.
 */
#include "test.h"

#include "box.h"
#include "isa/x86/fpu.h"
#include "isa/x86/mode.h"
#include "isa/x86/xsave.h"

enum { RAM_BYTES = 1 << 16, AT = 0x1000, AREA_BYTES = 832, XSTATE_BV = 512, XCOMP_BV = 520 };

static uint8_t *area(struct box *b)
{
	return b->ram + AT;
}

/* 64-bit code without paging, which no real CPU has: linear addresses are physical. */
static int setup(void **state)
{
	struct box *b = box_create(RAM_BYTES, "max", NULL, NULL);

	b->cpu->xcr0 = X86_XCR0_X87 | X86_XCR0_SSE;
	b->cpu->efer |= X86_EFER_LMA;
	b->cpu->seg[X86_CS].attr |= X86_SEG_L;
	x86_mode_update(b->cpu);
	x86_fpu_init(b->cpu);
	x86_mxcsr_enter(b->cpu);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct x86_cpu plain = {.mxcsr = X86_MXCSR_DEFAULT};

	x86_mxcsr_enter(&plain);
	box_destroy(*state);
	return 0;
}

static void fill_state(struct x86_cpu *cpu)
{
	for (unsigned i = 0; i < 8; i++)
		cpu->fpr[i] = (struct x86_fpr){.mant = 0x8000000000000000 + i, .sexp = 0x3fff};
	for (unsigned i = 0; i < 16; i++)
		for (unsigned k = 0; k < 32; k++)
			cpu->vec[i].u8[k] = (uint8_t)(i * 16 + k + 1);
	cpu->fsw = 3 << X86_FSW_TOP_SHIFT;
	cpu->ftag = 0x5a;
	cpu->mxcsr = 0x1f80 | X86_MXCSR_RC;
	x86_mxcsr_enter(cpu);
}

static void assert_fault(struct box *b, bool ok, enum x86_vector v)
{
	assert_false(ok);
	assert_int_equal(b->cpu->fault.vector, v);
	b->cpu->fault.vector = -1;
	b->cpu->exit_code = X86_EXIT_NONE;
}

/* What the host's FXRSTOR takes from our image, its FXSAVE gives back the same. */
static void layout_is_the_hosts(void **state)
{
	struct box *b = *state;
	uint8_t image[512] __attribute__((aligned(16))) = {0},
			   host[512] __attribute__((aligned(16)));
	uint8_t keep[512] __attribute__((aligned(16)));

	fill_state(b->cpu);
	assert_true(x86_fxsave(b->cpu, AT, X86_XSAVE_WIDE));
	memcpy(image, area(b), 512);
	memset(host, 0, sizeof(host));
	__asm__ volatile("fxsave64 %0\n\tfxrstor64 %2\n\tfxsave64 %1\n\tfxrstor64 %0"
			 : "=m"(keep), "+m"(host)
			 : "m"(image));
	store_le32(host + 28, load_le32(image + 28)); /* MXCSR_MASK: a fact of the host */
	assert_memory_equal(host, image, 416);
	assert_int_equal(load_le64(image + 32), 0x8000000000000003); /* ST0 = R3 */
	assert_int_equal(load_le32(image + 24), 0x1f80 | X86_MXCSR_RC);
	assert_int_equal(image[160 + 16 * 9], 9 * 16 + 1);
}

static void fxsave_round_trip(void **state)
{
	struct box *b = *state;
	struct x86_cpu *was = host_alloc(align_up(sizeof(*was), 64));

	fill_state(b->cpu);
	b->cpu->fip = 0x123456789abcdef0;
	b->cpu->fdp = 0x00005555aaaa0000;
	memcpy(was, b->cpu, sizeof(*was));
	assert_true(x86_fxsave(b->cpu, AT, X86_XSAVE_WIDE));
	assert_int_equal(area(b)[416], 0);
	memset(b->cpu->fpr, 0, sizeof(b->cpu->fpr));
	memset(b->cpu->vec, 0xee, sizeof(b->cpu->vec));
	x86_fpu_init(b->cpu);
	b->cpu->mxcsr = X86_MXCSR_DEFAULT;
	assert_true(x86_fxrstor(b->cpu, AT, X86_XSAVE_WIDE));
	assert_memory_equal(b->cpu->fpr, was->fpr, sizeof(was->fpr));
	for (unsigned i = 0; i < 16; i++) {
		assert_memory_equal(b->cpu->vec[i].u8, was->vec[i].u8, 16);
		assert_int_equal(b->cpu->vec[i].u8[16], 0xee);
	}
	assert_int_equal(b->cpu->fsw, was->fsw);
	assert_int_equal(b->cpu->ftag, was->ftag);
	assert_int_equal(b->cpu->mxcsr, was->mxcsr);
	assert_true(b->cpu->fip == was->fip && b->cpu->fdp == was->fdp);
	host_free(was);
}

/* Outside 64-bit code XMM8-15 are not there: neither written nor loaded. */
static void legacy_modes_have_eight(void **state)
{
	struct box *b = *state;

	b->cpu->efer = 0;
	x86_mode_update(b->cpu);
	fill_state(b->cpu);
	memset(area(b), 0xcc, 512);
	assert_true(x86_fxsave(b->cpu, AT, 0));
	assert_int_equal(area(b)[160 + 16 * 7], 7 * 16 + 1);
	assert_int_equal(area(b)[160 + 16 * 8], 0xcc);
	assert_true(x86_fxrstor(b->cpu, AT, 0));
	assert_int_equal(b->cpu->vec[8].u8[0], 8 * 16 + 1);
}

static void restored_words_are_legal(void **state)
{
	struct box *b = *state;

	memset(area(b), 0, 512);
	store_le16(area(b) + 0, 0xffff);
	store_le16(area(b) + 2, 0x8080);
	store_le32(area(b) + 24, 0x1f80);
	assert_true(x86_fxrstor(b->cpu, AT, 0));
	assert_int_equal(b->cpu->fcw, 0x1f7f);
	assert_int_equal(b->cpu->fsw, 0); /* no exception: neither summary nor busy */
	store_le16(area(b) + 0, 0);
	store_le16(area(b) + 2, 1);
	assert_true(x86_fxrstor(b->cpu, AT, 0));
	assert_int_equal(b->cpu->fcw, 0x40);
	assert_int_equal(b->cpu->fsw, 0x8081);
	assert_true(b->cpu->mode & X86_MODE_X87_PENDING);
}

static void faults_change_nothing(void **state)
{
	struct box *b = *state;

	fill_state(b->cpu);
	memset(area(b), 0, AREA_BYTES);
	store_le32(area(b) + 24, 0x11f80);
	assert_fault(b, x86_fxrstor(b->cpu, AT, 0), X86_FAULT_GP);
	assert_fault(b, x86_fxrstor(b->cpu, AT + 8, 0), X86_FAULT_GP);
	assert_fault(b, x86_fxsave(b->cpu, AT + 1, 0), X86_FAULT_GP);
	assert_fault(b, x86_xsave(b->cpu, AT + 16, ~0ull, X86_XSAVE_PLAIN, 0), X86_FAULT_GP);
	assert_fault(b, x86_xrstor(b->cpu, AT + 16, ~0ull, 0), X86_FAULT_GP);
	assert_fault(b, x86_xrstor(b->cpu, AT, ~0ull, 0), X86_FAULT_GP); /* MXCSR */
	assert_int_equal(b->cpu->vec[3].u8[0], 3 * 16 + 1);
	assert_int_equal(b->cpu->ftag, 0x5a);
}

static void headers_are_checked(void **state)
{
	struct box *b = *state;
	static const struct {
		uint64_t bv, comp, rest;
		bool ok;
	} t[] = {
		{0, 0, 0, true},
		{3, 0, 0, true},
		{4, 0, 0, false}, /* not in XCR0 */
		{1, 1, 0, false}, /* standard form: XCOMP_BV is 0 */
		{1, 0, 1, false},
		{1, (1ull << 63) | 3, 0, true},
		{2, (1ull << 63) | 1, 0, false}, /* not in XCOMP_BV */
		{0, (1ull << 63) | 4, 0, false},
		{1, (1ull << 63) | 3, 1, false},
	};

	for (unsigned n = 0; n < ARRAY_LEN(t); n++) {
		bool ok;

		memset(area(b), 0, AREA_BYTES);
		store_le32(area(b) + 24, 0x1f80);
		store_le64(area(b) + XSTATE_BV, t[n].bv);
		store_le64(area(b) + XCOMP_BV, t[n].comp);
		store_le64(area(b) + XCOMP_BV + 8, t[n].rest);
		ok = x86_xrstor(b->cpu, AT, ~0ull, 0);
		assert_int_equal(ok, t[n].ok);
		if (!ok)
			assert_fault(b, ok, X86_FAULT_GP);
	}
}

static void xsave_keeps_what_it_is_not_asked(void **state)
{
	struct box *b = *state;

	fill_state(b->cpu);
	memset(area(b), 0xcc, AREA_BYTES);
	store_le64(area(b) + XSTATE_BV, 0x101);
	assert_true(x86_xsave(b->cpu, AT, X86_XCR0_SSE, X86_XSAVE_PLAIN, 0));
	assert_int_equal(load_le64(area(b) + XSTATE_BV), 0x103);
	assert_int_equal(load_le64(area(b) + XCOMP_BV), 0xcccccccccccccccc);
	assert_int_equal(load_le64(area(b) + 0), 0xcccccccccccccccc);
	assert_int_equal(load_le64(area(b) + 32), 0xcccccccccccccccc);
	assert_int_equal(load_le32(area(b) + 24), b->cpu->mxcsr);
	assert_int_equal(area(b)[160], 1);
}

static void initial_state_is_marked(void **state)
{
	struct box *b = *state;

	b->cpu->vec[5].u64[1] = 7; /* x87 initial, SSE not */
	memset(area(b), 0xcc, AREA_BYTES);
	store_le64(area(b) + XSTATE_BV, 0);
	assert_true(x86_xsave(b->cpu, AT, ~0ull, X86_XSAVE_OPT, 0));
	assert_int_equal(load_le64(area(b) + XSTATE_BV), X86_XCR0_SSE);
	assert_int_equal(load_le16(area(b)), 0xcccc); /* x87 not written */
	assert_int_equal(load_le64(area(b) + 160 + 16 * 5 + 8), 7);
	memset(area(b), 0xcc, AREA_BYTES);
	assert_true(x86_xsave(b->cpu, AT, ~0ull, X86_XSAVE_COMPACT, 0));
	assert_int_equal(load_le64(area(b) + XSTATE_BV), X86_XCR0_SSE);
	assert_int_equal(load_le64(area(b) + XCOMP_BV), (1ull << 63) | 3);
	assert_int_equal(load_le16(area(b)), 0xcccc);
}

/* MXCSR alone makes the SSE component worth saving in the compacted form. */
static void mxcsr_counts_when_compact(void **state)
{
	struct box *b = *state;

	memset(area(b), 0, AREA_BYTES);
	assert_true(x86_xsave(b->cpu, AT, ~0ull, X86_XSAVE_COMPACT, 0));
	assert_int_equal(load_le64(area(b) + XSTATE_BV), 0);
	b->cpu->mxcsr = 0x3f80;
	assert_true(x86_xsave(b->cpu, AT, ~0ull, X86_XSAVE_COMPACT, 0));
	assert_int_equal(load_le64(area(b) + XSTATE_BV), X86_XCR0_SSE);
	assert_int_equal(load_le32(area(b) + 24), 0x3f80);
}

static void xrstor_initializes(void **state)
{
	struct box *b = *state;

	fill_state(b->cpu);
	memset(area(b), 0, AREA_BYTES);
	store_le32(area(b) + 24, 0x3f80);
	assert_true(x86_xrstor(b->cpu, AT, X86_XCR0_SSE, 0));
	assert_int_equal(b->cpu->ftag, 0x5a); /* x87 was not asked for */
	assert_int_equal(b->cpu->vec[7].u64[1], 0);
	assert_int_equal(b->cpu->vec[7].u8[16], 7 * 16 + 17); /* nor the upper halves */
	assert_int_equal(b->cpu->mxcsr, 0x3f80);	      /* standard form: always loaded */
	assert_true(x86_xrstor(b->cpu, AT, X86_XCR0_X87, 0));
	assert_int_equal(b->cpu->fcw, X86_FCW_DEFAULT);
	assert_true(b->cpu->fsw == 0 && b->cpu->ftag == 0 && b->cpu->fpr[2].mant == 0);
	store_le64(area(b) + XCOMP_BV, (1ull << 63) | 3);
	assert_true(x86_xrstor(b->cpu, AT, X86_XCR0_SSE, 0));
	assert_int_equal(b->cpu->mxcsr, X86_MXCSR_DEFAULT); /* compacted: a part of SSE */
}

static void avx_state_has_its_place(void **state)
{
	struct box *b = *state;

	b->cpu->xcr0 = X86_XCR0_X87 | X86_XCR0_SSE | X86_XCR0_AVX;
	fill_state(b->cpu);
	for (unsigned compact = 0; compact < 2; compact++) {
		memset(area(b), 0, AREA_BYTES);
		assert_true(x86_xsave(b->cpu, AT, ~0ull,
				      compact ? X86_XSAVE_COMPACT : X86_XSAVE_PLAIN, 0));
		assert_int_equal(load_le64(area(b) + XSTATE_BV), 7);
		assert_int_equal(area(b)[576 + 16 * 15], (uint8_t)(15 * 16 + 17));
		memset(b->cpu->vec, 0, sizeof(b->cpu->vec));
		assert_true(x86_xrstor(b->cpu, AT, ~0ull, 0));
		assert_int_equal(b->cpu->vec[15].u8[31], (uint8_t)(15 * 16 + 32));
		assert_int_equal(b->cpu->vec[0].u8[0], 1);
	}
}

static void unmasked_exceptions_change_mode(void **state)
{
	struct box *b = *state;

	memset(area(b), 0, AREA_BYTES);
	store_le32(area(b) + 24, 0x1f00);
	assert_true(x86_fxrstor(b->cpu, AT, 0));
	assert_true(b->cpu->mode & X86_MODE_SSE_UNMASKED);
	store_le32(area(b) + 24, 0x1f80);
	assert_true(x86_fxrstor(b->cpu, AT, 0));
	assert_false(b->cpu->mode & X86_MODE_SSE_UNMASKED);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(layout_is_the_hosts),
		TEST(fxsave_round_trip),
		TEST(legacy_modes_have_eight),
		TEST(restored_words_are_legal),
		TEST(faults_change_nothing),
		TEST(headers_are_checked),
		TEST(xsave_keeps_what_it_is_not_asked),
		TEST(initial_state_is_marked),
		TEST(mxcsr_counts_when_compact),
		TEST(xrstor_initializes),
		TEST(avx_state_has_its_place),
		TEST(unmasked_exceptions_change_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
