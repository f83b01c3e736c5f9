/*
 * The table of vector operations as host instructions: every row, in its legacy form and its VEX
 * forms, with operands in registers and in memory, runs on random inputs and must give what the
 * operation's function gives, exception flags included; and must change no other register.
 *
 * Memory operands end at a page that is not there and have only load_bytes, while the function sees
 * a whole argument: more is neither read nor used.
 */
#include "test.h"

#include <signal.h>
#include <sys/mman.h>

#include "base/bits.h"
#include "engine/translate/x64/vop.h"
#include "host/host.h"
#include "xorshift.h"

#define ROUNDS 60
#define PAGE   4096
#define FLAGS  0x8d5 /* CF PF AF ZF SF OF */

enum form { LEGACY, VEX128, VEX256 };

/* What the generated function loads and stores; its argument, in RDI. */
struct frame {
	union ir_vec vec[16];
	uint64_t gpr[16];
	uint64_t flags;
	uint32_t mxcsr;
};

/* One execution. */
struct trial {
	unsigned vop, imm8;
	enum form form;
	bool memory;
	struct x64_vop_regs r;
	union ir_vec arg[3];
	unsigned result; /* enum ir_type */
	struct frame before, after;
};

struct rig {
	struct host_code code;
	sigjmp_buf out; /* of code that faults */
	uint8_t *page;	/* followed by one that is not there */
	uint32_t features;
	unsigned runs;
	uint64_t seed;
};

static uint64_t rnd(struct rig *g)
{
	return xorshift(&g->seed);
}

static int set_up(void **state)
{
	struct rig *g = host_alloc(sizeof(*g));

	g->seed = 0x9e3779b97f4a7c15;
	g->features = host_cpu_detect().features;
	g->page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	*state = g;
	return mprotect(g->page + PAGE, PAGE, PROT_NONE) || host_code_map(&g->code, PAGE);
}

static int tear_down(void **state)
{
	struct rig *g = *state;

	host_code_unmap(&g->code);
	munmap(g->page, 2 * PAGE);
	host_free(g);
	return 0;
}

/* ---- inputs */

static uint64_t odd_number(struct rig *g, bool wide)
{
	static const uint32_t odd32[] = {0,	     0x80000000, 0x3f800000, 0xbf800000, 0x7f800000,
					 0xff800000, 0x7fc00001, 0x7f800001, 0x00000001, 0x807fffff,
					 0x7f7fffff, 0x4f000000, 0xcf000000, 0x3effffff};
	static const uint64_t odd64[] = {0,
					 1ull << 63,
					 0x3ff0000000000000,
					 0x7ff0000000000000,
					 0xfff0000000000000,
					 0x7ff8000000000001,
					 0x7ff0000000000001,
					 1,
					 0x800fffffffffffff,
					 0x7fefffffffffffff,
					 0x41e0000000000000,
					 0x43e0000000000000,
					 0x36a0000000000000,
					 0x4005bf0a8b145769};

	return wide ? odd64[rnd(g) % ARRAY_LEN(odd64)] : odd32[rnd(g) % ARRAY_LEN(odd32)];
}

/* Random bits, bytes at the edges of lanes, small numbers, or floating-point numbers of interest.
 */
static void random_vec(struct rig *g, union ir_vec *v)
{
	static const uint8_t edge[] = {0x00, 0x01, 0x7f, 0x80, 0x81, 0xff};
	unsigned kind = (unsigned)(rnd(g) >> 20) % 6;

	for (unsigned k = 0; k < 4; k++)
		v->u64[k] = rnd(g);
	for (unsigned k = 0; k < 32 && kind == 1; k++)
		v->u8[k] = edge[rnd(g) % ARRAY_LEN(edge)];
	for (unsigned k = 0; k < 4 && kind == 2; k++)
		v->u64[k] = rnd(g) % 70;
	for (unsigned k = 0; k < 4 && kind == 3; k++)
		v->u64[k] = odd_number(g, true);
	for (unsigned k = 0; k < 8 && kind == 4; k++)
		v->u32[k] = (uint32_t)odd_number(g, false);
}

static unsigned random_vec_reg(struct rig *g)
{
	return (unsigned)(rnd(g) >> 32) & 15;
}

/* Those a function may change, without RDI, which has the frame, and RSP. */
static unsigned random_gpr(struct rig *g)
{
	static const uint8_t reg[] = {X64_RAX, X64_RCX, X64_RDX, X64_RSI,
				      X64_R8,  X64_R9,	X64_R10, X64_R11};

	return reg[(rnd(g) >> 32) % ARRAY_LEN(reg)];
}

static bool is_int(unsigned type)
{
	return type < IR_V128;
}

static bool is_mmx(unsigned shape)
{
	return shape >= X64_VOP_MMX_BINARY;
}

/* One of the three. */
static uint8_t fma_target(struct rig *g, const struct trial *t)
{
	const uint8_t target[] = {t->r.c, t->r.b, t->r.a};
	bool any = !t->memory && vop_table[t->vop].twin != VOP_TWIN_NONE;

	return target[any ? (rnd(g) >> 16) % 3 : 0];
}

/* Does the form destroy a, so that d must be its register? */
static bool destroys_a(const struct trial *t)
{
	switch (x64_vops[t->vop].shape) {
	case X64_VOP_BINARY:
	case X64_VOP_SHIFT_IMM:
	case X64_VOP_BINARY_XMM0:
	case X64_VOP_FROM_GPR:
	case X64_VOP_CRC32:
	case X64_VOP_MMX_BINARY:
	case X64_VOP_MMX_SHIFT_IMM:
	case X64_VOP_MMX_HIGH:
	case X64_VOP_MMX_PAIR:
		return t->form == LEGACY;
	default:
		return false;
	}
}

static void fixed_registers(struct rig *g, struct trial *t)
{
	unsigned shape = x64_vops[t->vop].shape;

	if (shape == X64_VOP_INDEX_ECX)
		t->r.d = X64_RCX;
	if (shape == X64_VOP_MASK_XMM0 || (shape == X64_VOP_BINARY_XMM0 && t->form == LEGACY))
		*(shape == X64_VOP_MASK_XMM0 ? &t->r.d : &t->r.c) = 0;
	if (shape == X64_VOP_MMX_PAIR)
		t->r.b = t->r.a;
	if (destroys_a(t))
		t->r.d = t->r.a;
	if (shape == X64_VOP_FMA_231)
		t->r.d = fma_target(g, t);
}

static void random_registers(struct rig *g, struct trial *t)
{
	const struct vop_info *info = &vop_table[t->vop];
	bool mmx = is_mmx(x64_vops[t->vop].shape);
	uint8_t *arg[3] = {&t->r.a, &t->r.b, &t->r.c};

	for (unsigned k = 0; k < 3; k++)
		*arg[k] =
			(uint8_t)(is_int(info->arg[k]) && !mmx ? random_gpr(g) : random_vec_reg(g));
	t->r.d = (uint8_t)(is_int(t->result) && !(mmx && t->result == IR_I64) ? random_gpr(g)
									      : random_vec_reg(g));
	fixed_registers(g, t);
}

static void place_arg(struct trial *t, unsigned k, unsigned reg, bool general)
{
	if (general)
		t->before.gpr[reg] = t->arg[k].u64[0];
	else
		t->before.vec[reg] = t->arg[k];
}

/* Arguments into their registers; the function is given what is there, if two share one. */
static void place_args(struct trial *t)
{
	const struct vop_info *info = &vop_table[t->vop];
	unsigned reg[3] = {t->r.a, t->r.b, t->r.c};
	bool mmx = is_mmx(x64_vops[t->vop].shape), general[3];

	for (unsigned k = 3; k-- > 0;) {
		general[k] = is_int(info->arg[k]) && !mmx;
		if (mmx)
			t->arg[k].u64[1] = 0;
		if (info->arg[k] != IR_VOID && !(t->memory && k == (info->arg[1] != IR_VOID)))
			place_arg(t, k, reg[k], general[k]);
	}
	if (x64_vops[t->vop].shape == X64_VOP_MMX_PAIR) {
		t->before.vec[t->r.a].u64[1] = t->arg[1].u64[0];
		return;
	}
	for (unsigned k = 0; k < 3; k++) {
		if (t->memory && k == (info->arg[1] != IR_VOID))
			continue;
		if (general[k])
			t->arg[k].u64[0] = t->before.gpr[reg[k]];
		else
			t->arg[k] = t->before.vec[reg[k]];
	}
}

static void random_trial(struct rig *g, struct trial *t)
{
	for (unsigned k = 0; k < 16; k++) {
		random_vec(g, &t->before.vec[k]);
		t->before.gpr[k] = rnd(g);
	}
	for (unsigned k = 0; k < 3; k++)
		random_vec(g, &t->arg[k]);
	/* rounding, denormals are zeros, flush to zero, some flags already set */
	t->before.mxcsr = 0x1f80 | ((uint32_t)rnd(g) & 0xe040);
	t->before.mxcsr |= rnd(g) & 1 ? (uint32_t)rnd(g) & 0x3f : 0;
	t->imm8 = (unsigned)(rnd(g) >> 24) & 0xff;
	if (rnd(g) & 1)
		t->imm8 &= 7;
	random_registers(g, t);
	place_args(t);
}

/* ---- running */

static void put_bytes(struct x64_asm *a, const char *bytes, unsigned n)
{
	while (n--)
		*a->at++ = (uint8_t)*bytes++;
}

static const struct x64_enc mxcsr_enc = {0, 1, 0xae, 0}; /* /2 loads, /3 stores */

static const uint8_t moved_gprs[] = {X64_RAX, X64_RCX, X64_RDX, X64_RSI,
				     X64_R8,  X64_R9,  X64_R10, X64_R11};

static void load_frame(struct x64_asm *a, unsigned vec_bytes)
{
	for (unsigned k = 0; k < 16; k++)
		x64_movv_rm(a, vec_bytes, k,
			    x64_at(X64_RDI, (int32_t)(offsetof(struct frame, vec) + 32 * k)));
	for (unsigned k = 0; k < ARRAY_LEN(moved_gprs); k++)
		x64_mov_rm(
			a, 8, moved_gprs[k],
			x64_at(X64_RDI, (int32_t)offsetof(struct frame, gpr) + 8 * moved_gprs[k]));
	x64_sse_rm(a, mxcsr_enc, 2, x64_at(X64_RDI, offsetof(struct frame, mxcsr)), -1);
}

static void store_frame(struct x64_asm *a, unsigned vec_bytes)
{
	x64_sse_rm(a, mxcsr_enc, 3, x64_at(X64_RDI, offsetof(struct frame, mxcsr)), -1);
	for (unsigned k = 0; k < 16; k++)
		x64_movv_mr(a, vec_bytes,
			    x64_at(X64_RDI, (int32_t)(offsetof(struct frame, vec) + 32 * k)), k);
	for (unsigned k = 0; k < ARRAY_LEN(moved_gprs); k++)
		x64_mov_mr(
			a, 8,
			x64_at(X64_RDI, (int32_t)offsetof(struct frame, gpr) + 8 * moved_gprs[k]),
			moved_gprs[k]);
	put_bytes(a, "\x9c", 1); /* PUSHFQ */
	x64_pop(a, X64_RAX);
	x64_mov_mr(a, 8, x64_at(X64_RDI, offsetof(struct frame, flags)), X64_RAX);
	if (vec_bytes == 32)
		put_bytes(a, "\xc5\xf8\x77", 3); /* VZEROUPPER */
	x64_ret(a);
}

static void put_instruction(struct x64_asm *a, const struct trial *t)
{
	struct x64_mem m = x64_at(X64_RBX, 0);
	unsigned l = t->form == VEX256;

	if (t->form == LEGACY && t->memory)
		x64_vop_sse_m(a, t->vop, t->r, m, t->imm8);
	else if (t->form == LEGACY)
		x64_vop_sse(a, t->vop, t->r, t->imm8);
	else if (t->memory)
		x64_vop_vex_m(a, t->vop, l, t->r, m, t->imm8);
	else
		x64_vop_vex(a, t->vop, l, t->r, t->imm8);
}

/* Bytes that the memory operand has. */
static unsigned memory_bytes(const struct trial *t)
{
	bool twin = t->form == VEX256 && vop_table[t->vop].result == IR_V128 &&
		    x64_vops[t->vop].vex >= X64_VEX_AVX;

	if (twin && vop_table[t->vop].twin != VOP_TWIN_COUNT)
		return 2u * x64_vops[t->vop].load_bytes;
	return x64_vops[t->vop].load_bytes;
}

static void run_at(struct rig *g, struct trial *t, uint8_t *operand)
{
	struct x64_asm a = {.at = g->code.rw, .end = g->code.rw + g->code.bytes};
	unsigned vec_bytes = g->features & HOST_CPU_AVX ? 32 : 16;
	void (*fn)(struct frame * f);

	x64_push(&a, X64_RBX);
	x64_mov_ri(&a, X64_RBX, (uintptr_t)operand);
	load_frame(&a, vec_bytes);
	put_instruction(&a, t);
	x64_mov_rm(&a, 8, X64_RBX, x64_at(X64_RSP, 0));
	x64_lea(&a, 8, X64_RSP, x64_at(X64_RSP, 8)); /* POP, but flags are not its business */
	store_frame(&a, vec_bytes);
	assert_false(a.overflow);
	memcpy(&fn, &(void *){g->code.rx}, sizeof(fn));
	t->after = t->before;
	fn(&t->after);
	__asm__ volatile("ldmxcsr %0" : : "m"(*&(const uint32_t){0x1f80}));
	g->runs++;
}

static void run(struct rig *g, struct trial *t)
{
	unsigned bytes = memory_bytes(t);
	uint8_t *operand = g->page + PAGE - bytes;

	if (t->memory)
		memcpy(operand, t->arg[vop_table[t->vop].arg[1] != IR_VOID].u8, bytes);
	run_at(g, t, operand);
}

/* ---- what it should be */

/* The result, under the trial's MXCSR; and MXCSR after it. */
static uint32_t reference(const struct trial *t, union ir_vec *d)
{
	const union ir_vec *x = t->arg;
	uint32_t mxcsr = t->before.mxcsr, normal = 0x1f80;

	__asm__ volatile("ldmxcsr %0" : : "m"(mxcsr) : "memory");
	if (t->result == IR_V256 && vop_table[t->vop].result != IR_V256)
		vop_run_twin(t->vop, vop_table[t->vop].fn, d, &x[0], &x[1], &x[2], t->imm8);
	else
		vop_table[t->vop].fn(d, &x[0], &x[1], &x[2], t->imm8);
	__asm__ volatile("stmxcsr %0; ldmxcsr %1" : "=m"(mxcsr) : "m"(normal) : "memory");
	return mxcsr;
}

static void complain(const struct trial *t, const char *what, const union ir_vec *got,
		     const union ir_vec *want)
{
	print_error("%s %s, form %u, memory %u, imm %02x, d %u a %u b %u c %u, mxcsr %08x\n",
		    vop_table[t->vop].name, what, t->form, t->memory, t->imm8, t->r.d, t->r.a,
		    t->r.b, t->r.c, t->before.mxcsr);
	for (unsigned k = 0; k < 3; k++)
		print_error(
			"  %c    %016llx %016llx %016llx %016llx\n", 'a' + k,
			(unsigned long long)t->arg[k].u64[3], (unsigned long long)t->arg[k].u64[2],
			(unsigned long long)t->arg[k].u64[1], (unsigned long long)t->arg[k].u64[0]);
	for (unsigned k = 4; k-- > 0;)
		print_error("  lane %u got %016llx want %016llx\n", k,
			    (unsigned long long)got->u64[k], (unsigned long long)want->u64[k]);
	fail_msg("%s", vop_table[t->vop].name);
}

static bool is_flags(unsigned shape)
{
	return shape == X64_VOP_FLAGS || shape == X64_VOP_FLAGS_ECX;
}

/* The result where the shape puts it, as the bytes of the result's type. */
static union ir_vec result_of(const struct trial *t)
{
	unsigned shape = x64_vops[t->vop].shape;
	union ir_vec got = t->after.vec[t->r.d];

	if (is_flags(shape))
		got.u64[0] = t->after.flags & FLAGS;
	else if (shape == X64_VOP_MMX_HIGH)
		got.u64[0] = got.u64[1];
	else if (is_int(t->result) && !(is_mmx(shape) && t->result == IR_I64))
		got.u64[0] = t->after.gpr[t->r.d];
	return got;
}

/* Above the result: kept by the legacy form, cleared by the shorter VEX form. */
static void check_upper(const struct rig *g, const struct trial *t, const union ir_vec *got)
{
	union ir_vec want = *got;

	if (t->result != IR_V128 || !(g->features & HOST_CPU_AVX))
		return;
	want.u64[2] = t->form == LEGACY ? t->before.vec[t->r.d].u64[2] : 0;
	want.u64[3] = t->form == LEGACY ? t->before.vec[t->r.d].u64[3] : 0;
	if (memcmp(got, &want, 32) != 0)
		complain(t, "upper half", got, &want);
}

static void check_others(const struct trial *t)
{
	unsigned shape = x64_vops[t->vop].shape;
	bool mmx = is_mmx(shape);
	bool general = is_int(t->result) && !(mmx && t->result == IR_I64);

	for (unsigned k = 0; k < 16; k++) {
		bool is_d = k == t->r.d && !is_flags(shape);
		bool ecx = k == X64_RCX && shape == X64_VOP_FLAGS_ECX;

		if (!(is_d && !general) && memcmp(&t->after.vec[k], &t->before.vec[k], 32) != 0)
			complain(t, "other vector", &t->after.vec[k], &t->before.vec[k]);
		if (!(is_d && general) && !ecx && t->after.gpr[k] != t->before.gpr[k])
			fail_msg("%s changes register %u", vop_table[t->vop].name, k);
	}
}

static void check(const struct rig *g, const struct trial *t)
{
	union ir_vec want = {0}, got = result_of(t);
	uint32_t mxcsr = reference(t, &want);

	if (memcmp(&got, &want, ir_type_bytes((enum ir_type)t->result)) != 0)
		complain(t, "result", &got, &want);
	if (mxcsr != t->after.mxcsr)
		fail_msg("%s form %u: MXCSR %08x, want %08x", vop_table[t->vop].name, t->form,
			 t->after.mxcsr, mxcsr);
	check_upper(g, t, &got);
	check_others(t);
}

/* ---- all of them */

static bool can_run(const struct rig *g, unsigned vop, enum form form, unsigned imm8)
{
	uint32_t needs = x64_vops[vop].needs;

	if (form == LEGACY)
		return x64_vop_is_legacy(vop, imm8) && !(needs & ~g->features);
	needs = x64_vop_vex_needs(vop, form == VEX256);
	return x64_vop_is_vex(vop, form == VEX256) && !(needs & ~g->features);
}

static unsigned result_type(unsigned vop, enum form form)
{
	const struct vop_info *info = &vop_table[vop];
	bool both = x64_vops[vop].vex >= X64_VEX_AVX;

	return form == VEX256 && both ? IR_V256 : info->result;
}

static void try_form(struct rig *g, unsigned vop, enum form form)
{
	for (unsigned n = 0; n < ROUNDS; n++) {
		struct trial t = {.vop = vop, .form = form};

		t.memory = n & 1 && x64_vops[vop].load_bytes;
		t.result = result_type(vop, form);
		random_trial(g, &t);
		if (!can_run(g, vop, form, t.imm8))
			continue;
		run(g, &t);
		check(g, &t);
	}
}

static void forms_agree(void **state)
{
	struct rig *g = *state;

	for (unsigned vop = 0; vop < VOP_COUNT; vop++)
		if (x64_vops[vop].shape != X64_VOP_CALL)
			for (enum form form = LEGACY; form <= VEX256; form++)
				try_form(g, vop, form);
	assert_true(g->runs > 250 * ROUNDS);
}

static sigjmp_buf *faulted; /* a signal handler knows no more */

static void on_fault(int sig)
{
	siglongjmp(*faulted, sig);
}

/* Whether the form faults if its operand has one byte less than the table says. */
static bool needs_all_bytes(struct rig *g, unsigned vop, enum form form)
{
	struct trial t = {.vop = vop, .form = form, .memory = true};

	t.result = result_type(vop, form);
	random_trial(g, &t);
	faulted = &g->out;
	if (sigsetjmp(g->out, 1))
		return true;
	run_at(g, &t, g->page + PAGE - memory_bytes(&t) + 1);
	return false;
}

static void operands_are_that_long(void **state)
{
	struct sigaction act = {.sa_handler = on_fault}, old;
	struct rig *g = *state;

	assert_int_equal(sigaction(SIGSEGV, &act, &old), 0);
	for (unsigned vop = 0; vop < VOP_COUNT; vop++)
		for (enum form form = LEGACY; form <= VEX256; form++)
			if (x64_vops[vop].load_bytes && can_run(g, vop, form, 0) &&
			    !needs_all_bytes(g, vop, form))
				fail_msg("%s form %u reads less", vop_table[vop].name, form);
	sigaction(SIGSEGV, &old, NULL);
}

/* What the table says of an operation fits what the operation is. */
static void rows_fit(void **state)
{
	unsigned direct = 0;

	for (unsigned vop = 0; vop < VOP_COUNT; vop++) {
		const struct x64_vop *v = &x64_vops[vop];
		const struct vop_info *info = &vop_table[vop];

		if (v->shape == X64_VOP_CALL)
			continue;
		direct++;
		if ((info->twin != VOP_TWIN_NONE) != (v->vex >= X64_VEX_AVX))
			fail_msg("%s: twin in one table, not in the other", info->name);
		if (v->vex_only && v->vex == X64_VEX_NONE)
			fail_msg("%s has no form", info->name);
		if (v->commutes && (info->uses_mxcsr || info->arg[1] != info->arg[0]))
			fail_msg("%s cannot commute", info->name);
	}
	assert_true(direct > 350);
}

static void those_that_commute_do(void **state)
{
	struct rig *g = *state;

	for (unsigned vop = 0; vop < VOP_COUNT; vop++)
		for (unsigned n = 0; n < 200 && x64_vops[vop].commutes; n++) {
			union ir_vec a, b, c = {0}, ab = {0}, ba = {0};

			random_vec(g, &a);
			random_vec(g, &b);
			vop_table[vop].fn(&ab, &a, &b, &c, 0);
			vop_table[vop].fn(&ba, &b, &a, &c, 0);
			if (memcmp(&ab, &ba, sizeof(ab)) != 0)
				fail_msg("%s", vop_table[vop].name);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_fit),
		cmocka_unit_test(forms_agree),
		cmocka_unit_test(operands_are_that_long),
		cmocka_unit_test(those_that_commute_do),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
