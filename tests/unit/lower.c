/* The interpreter's lowering on IR text: what a block leaves in guest state, for shapes that fuse.
 */
#include "test.h"

#include "engine/interpret/place.h"
#include "host/host.h"
#include "isa/x86/mode.h"
#include "isa/x86/regs.h"

static struct ir_insn storage[IR_BLOCK_MAX];
static struct lowered low;
_Alignas(16) static uint8_t memory[PLACE_BYTES_MAX];

/* Run the block on cpu until it leaves by a direct exit that goes nowhere. */
static void run_text(struct x86_cpu *cpu, const char *text)
{
	struct ir_block b;
	struct host_cpu host = host_cpu_detect();
	struct lower *l = lower_create(&host);
	struct interp_hot *hot = host_alloc(sizeof(*hot));
	const struct iop *op;
	char msg[200];

	ir_block_init(&b, &x86_isa, storage, IR_BLOCK_MAX);
	if (ir_parse(&b, text, msg, sizeof(msg)) || ir_verify(&b, msg, sizeof(msg)))
		fail_msg("%s", msg);
	assert_true(lower_block(l, &b, X86_MODE_CODE64, &low));
	cpu->engine = hot;
	cpu->mode = X86_MODE_CODE64;
	op = place_block(memory, &low)->ops;
	iop_run(cpu, op);
	host_free(hot);
	lower_destroy(l);
}

static struct x86_cpu *cpu_new(void)
{
	struct x86_cpu *cpu = host_alloc(sizeof(*cpu));

	for (unsigned i = 0; i < 16; i++)
		cpu->gpr[i] = 0x1111111111111111ull * i;
	return cpu;
}

/* rbx + rcx + 28h, whose last addition is put with its flags: the address form must not be taken.
 */
static void flags_want_the_addition_itself(void **state)
{
	struct x86_cpu *cpu = cpu_new();

	run_text(cpu, "guest +0, 4\n"
		      "v1 = get.i64 rbx\n"
		      "v2 = get.i64 rcx\n"
		      "v3 = add.i64 v1, v2\n"
		      "v4 = const.i64 0x28\n"
		      "v5 = add.i64 v3, v4\n"
		      "put.i64 rbp, v5\n"
		      "f7 = flags.add.i64 v3, v4\n"
		      "put_flags f7\n"
		      "exit +4\n");
	assert_int_equal(cpu->gpr[X86_RBP], 0x4444444444444444ull + 0x28);
	assert_int_equal(cpu->cc_a, 0x4444444444444444ull);
	assert_int_equal(cpu->cc_b, 0x28);
	host_free(cpu);
}

/* Old values of overwritten state stay what they were. */
static void exchange_needs_a_copy(void **state)
{
	struct x86_cpu *cpu = cpu_new();

	run_text(cpu, "guest +0, 2\n"
		      "v1 = get.i64 rax\n"
		      "v2 = get.i64 rdx\n"
		      "v3 = get.i8 rdx+1\n"
		      "put.i64 rax, v2\n"
		      "put.i64 rdx, v1\n"
		      "put.i8 rsi, v3\n"
		      "exit +2\n");
	assert_int_equal(cpu->gpr[X86_RAX], 0x2222222222222222ull);
	assert_int_equal(cpu->gpr[X86_RDX], 0);
	assert_int_equal(cpu->gpr[X86_RSI], 0x6666666666666622ull);
	host_free(cpu);
}

/* A 32-bit logic result zero-extended into a register, with flags from the same operation. */
static void narrow_logic_with_flags(void **state)
{
	struct x86_cpu *cpu = cpu_new();

	run_text(cpu, "guest +0, 2\n"
		      "v1 = get.i32 rdi\n"
		      "v2 = get.i32 rsi\n"
		      "v3 = and.i32 v1, v2\n"
		      "v4 = zext.i64 v3\n"
		      "put.i64 rdi, v4\n"
		      "f5 = flags.logic.i32 v3\n"
		      "put_flags f5\n"
		      "exit +2\n");
	assert_int_equal(cpu->gpr[X86_RDI], 0x66666666u & 0x77777777u);
	assert_int_equal((uint32_t)cpu->cc_a, 0x66666666u & 0x77777777u);
	host_free(cpu);
}

/* Vectors of both widths: halves, extension, a shift count that lies in the upper half of what the
 * shift overwrites. */
static void vectors_of_two_widths(void **state)
{
	struct x86_cpu *cpu = cpu_new();

	for (unsigned i = 0; i < 4; i++) {
		cpu->vec[0].u64[i] = 0x0100010001000100ull * (i + 1);
		cpu->vec[1].u64[i] = i;
	}
	run_text(cpu, "guest +0, 4\n"
		      "v1 = get.v256 ymm0\n"
		      "v2 = get.v128 ymm0\n"
		      "v3 = get.v128 ymm1+16\n"
		      "v4 = vop.psllw.v256 v1, v3\n"
		      "put.v256 ymm1, v4\n"
		      "v5 = vop.paddw.v256 v1, v1\n"
		      "v6 = trunc.v128 v5\n"
		      "v7 = zext.v256 v6\n"
		      "put.v256 ymm0, v7\n"
		      "put.v128 ymm2+16, v2\n"
		      "v8 = zext.v256 v2\n"
		      "put.v256 ymm3, v8\n"
		      "exit +4\n");
	for (unsigned i = 0; i < 4; i++) {
		uint64_t old = 0x0100010001000100ull * (i + 1);

		assert_int_equal(cpu->vec[1].u64[i], old << 2);
		assert_int_equal(cpu->vec[0].u64[i], i < 2 ? old * 2 : 0);
		assert_int_equal(cpu->vec[3].u64[i], i < 2 ? old : 0);
		assert_int_equal(cpu->vec[2].u64[i], i < 2 ? 0 : 0x0100010001000100ull * (i - 1));
	}
	host_free(cpu);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_want_the_addition_itself),
		cmocka_unit_test(exchange_needs_a_copy),
		cmocka_unit_test(narrow_logic_with_flags),
		cmocka_unit_test(vectors_of_two_widths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
