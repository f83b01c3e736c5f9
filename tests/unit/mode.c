/* cpu->mode from CPU state; reset and INIT; RFLAGS; the dump and the field table. */
#include "test.h"

#include "base/bits.h"
#include "isa/x86/cpu.h"
#include "isa/x86/mode.h"
#include "isa/x86/regs.h"

static struct x86_cpu cpu;
static unsigned jumps_flushed;

static void flush_jumps(void *engine, bool global)
{
	(void)engine;
	jumps_flushed++;
}

static int setup(void **state)
{
	(void)state;
	memset(&cpu, 0, sizeof(cpu));
	cpu.flush_jumps = flush_jumps;
	x86_cpu_reset(&cpu);
	return 0;
}

static x86_mode_t mode(void)
{
	x86_mode_update(&cpu);
	return cpu.mode;
}

static void flat_segments(unsigned dpl)
{
	uint16_t common = (uint16_t)(X86_SEG_P | X86_SEG_S | dpl << 5 | X86_SEG_DB | X86_SEG_G | 3);

	for (unsigned i = 0; i < 6; i++)
		cpu.seg[i] = (struct x86_seg){8, common, 0xffffffff, 0};
	cpu.seg[X86_CS].attr |= X86_SEG_CODE;
}

static void after_reset(void **state)
{
	(void)state;
	assert_int_equal(cpu.seg[X86_CS].base + cpu.rip, 0xfffffff0);
	assert_int_equal(cpu.cr0, 0x60000010);
	assert_int_equal(x86_rflags_read(&cpu), 2);
	assert_int_equal(cpu.mode, X86_MODE_X87_UNMASKED | X86_MODE_SSE_UD | X86_MODE_AVX_UD |
					   X86_MMU_KERNEL << X86_MODE_MMU_SHIFT);
	assert_int_equal(cpu.activity, X86_RUNNING);
	cpu.index = 1;
	x86_cpu_reset(&cpu);
	assert_int_equal(cpu.activity, X86_WAIT_SIPI);
	/* No TLB tag may match page 0 in fresh memory. */
	for (unsigned m = 0; m < X86_MMU_COUNT; m++)
		for (unsigned i = 0; i < X86_TLB_SIZE; i++)
			assert_true(cpu.tlb[m].entry[i].tag_read == X86_TLB_INVALID &&
				    cpu.tlb[m].entry[i].tag_write == X86_TLB_INVALID);
	for (unsigned i = 0; i < X86_ITLB_SIZE; i++)
		assert_true(cpu.itlb.tag[i] == X86_TLB_INVALID);
}

static void init_keeps_some(void **state)
{
	(void)state;
	cpu.vec[3].u64[0] = 7;
	cpu.fcw = 0x37f;
	cpu.pat = 5;
	cpu.cr0 = 0x80000011;
	cpu.gpr[X86_RSI] = 9;
	x86_cpu_init_signal(&cpu);
	assert_int_equal(cpu.vec[3].u64[0], 7);
	assert_int_equal(cpu.fcw, 0x37f);
	assert_int_equal(cpu.pat, 5);
	assert_int_equal(cpu.cr0, 0x10); /* CD and NW unchanged: they were off */
	assert_int_equal(cpu.gpr[X86_RSI], 0);
	x86_cpu_reset(&cpu);
	assert_int_equal(cpu.vec[3].u64[0], 0);
	assert_int_equal(cpu.fcw, 0x40);
}

static void code_size(void **state)
{
	(void)state;
	cpu.cr0 |= X86_CR0_PE;
	flat_segments(0);
	assert_int_equal(mode() & (X86_MODE_PE | X86_MODE_CODE32 | X86_MODE_STACK32 |
				   X86_MODE_FLAT | X86_MODE_CODE64),
			 X86_MODE_PE | X86_MODE_CODE32 | X86_MODE_STACK32 | X86_MODE_FLAT);
	cpu.seg[X86_DS].base = 1;
	assert_false(mode() & X86_MODE_FLAT);
	cpu.seg[X86_DS].base = 0;
	cpu.seg[X86_ES].attr &= (uint16_t)~X86_SEG_P; /* null selector */
	assert_false(mode() & X86_MODE_FLAT);
	flat_segments(0);
	cpu.seg[X86_DS].attr &= (uint16_t)~X86_SEG_WRITE;
	assert_false(mode() & X86_MODE_FLAT);
	flat_segments(0);
	cpu.seg[X86_DS].attr |= X86_SEG_CODE;
	assert_false(mode() & X86_MODE_FLAT);
	/* FS and GS do not count. */
	flat_segments(0);
	cpu.seg[X86_FS].base = 0x1000;
	assert_true(mode() & X86_MODE_FLAT);
	cpu.efer |= X86_EFER_LMA | X86_EFER_LME;
	cpu.seg[X86_CS].attr |= X86_SEG_L;
	cpu.seg[X86_CS].attr &= (uint16_t)~X86_SEG_DB;
	assert_int_equal(mode() & (X86_MODE_LONG | X86_MODE_CODE64 | X86_MODE_CODE32 |
				   X86_MODE_STACK32 | X86_MODE_FLAT),
			 X86_MODE_LONG | X86_MODE_CODE64);
}

static void privilege(void **state)
{
	(void)state;
	cpu.cr0 |= X86_CR0_PE;
	flat_segments(3);
	assert_int_equal(x86_mode_mmu(mode()), X86_MMU_USER);
	assert_int_equal(x86_mode_cpl(cpu.mode), 3);
	assert_false(cpu.mode & X86_MODE_AC);
	cpu.rflags |= X86_AC;
	assert_false(mode() & X86_MODE_AC);
	cpu.cr0 |= X86_CR0_AM;
	unsigned before = jumps_flushed;
	assert_true(mode() & X86_MODE_AC);
	assert_int_equal(jumps_flushed, before + 1); /* the TLB must not hide misaligned accesses */
	flat_segments(0);
	assert_int_equal(x86_mode_mmu(mode()), X86_MMU_KERNEL);
	cpu.cr4 |= X86_CR4_SMAP;
	assert_int_equal(x86_mode_mmu(mode()), X86_MMU_KERNEL); /* AC lifts it */
	cpu.rflags &= ~(uint64_t)X86_AC;
	assert_int_equal(x86_mode_mmu(mode()), X86_MMU_KERNEL_SMAP);
}

static void traps(void **state)
{
	(void)state;
	cpu.cr4 |= X86_CR4_OSFXSR;
	assert_false(mode() & X86_MODE_SSE_UD);
	cpu.cr0 |= X86_CR0_TS;
	assert_int_equal(mode() & (X86_MODE_FPU_TRAP | X86_MODE_MMX_UD | X86_MODE_SSE_UD),
			 X86_MODE_FPU_TRAP);
	cpu.cr0 |= X86_CR0_EM;
	assert_int_equal(mode() & (X86_MODE_FPU_TRAP | X86_MODE_MMX_UD | X86_MODE_SSE_UD),
			 X86_MODE_FPU_TRAP | X86_MODE_MMX_UD | X86_MODE_SSE_UD);
	cpu.cr0 &= ~(uint64_t)X86_CR0_TS;
	assert_int_equal(mode() & (X86_MODE_FPU_TRAP | X86_MODE_MMX_UD | X86_MODE_SSE_UD),
			 X86_MODE_MMX_UD | X86_MODE_SSE_UD);
	cpu.mxcsr = 0x1f00;
	assert_true(mode() & X86_MODE_SSE_UNMASKED);
	cpu.fsw = 0x80;
	assert_true(mode() & X86_MODE_X87_PENDING);
	cpu.rflags |= X86_TF | X86_RF;
	assert_int_equal(mode() & (X86_MODE_TF | X86_MODE_RF), X86_MODE_TF);
	cpu.dr[7] |= 1;
	cpu.rflags |= X86_RF;
	assert_int_equal(mode() & (X86_MODE_BREAK | X86_MODE_RF), X86_MODE_BREAK | X86_MODE_RF);
	cpu.interrupt_shadow = 1;
	assert_true(mode() & X86_MODE_SHADOW);
}

static void rflags_round_trip(void **state)
{
	uint64_t all = 0x3f7fd7;

	(void)state;
	x86_rflags_write(&cpu, ~0ull);
	assert_int_equal(x86_rflags_read(&cpu), all);
	assert_int_equal(cpu.rflags & X86_ARITH_FLAGS, 0);
	x86_rflags_write(&cpu, 0);
	assert_int_equal(x86_rflags_read(&cpu), 2);
	for (unsigned i = 0; i < 22; i++) {
		x86_rflags_write(&cpu, 1ull << i);
		assert_int_equal(x86_rflags_read(&cpu), ((1ull << i) & all) | 2);
	}
}

static void dump_reads_well(void **state)
{
	char text[8192], tiny[10];

	(void)state;
	cpu.gpr[X86_RBX] = 0x1122334455667788;
	int n = x86_cpu_dump(&cpu, text, sizeof(text));
	assert_true(n > 0 && n < (int)sizeof(text));
	assert_int_equal(strlen(text), n);
	assert_non_null(strstr(text, "RBX=1122334455667788"));
	assert_non_null(strstr(text, "real mode"));
	assert_int_equal(x86_cpu_dump(&cpu, tiny, sizeof(tiny)), n);
	assert_int_equal(strlen(tiny), 9);
	assert_int_equal(x86_cpu_dump(&cpu, NULL, 0), n);
}

/* Every byte of architectural state is in exactly one field, or is derived, or is padding. */
static void fields_cover_the_state(void **state)
{
	static uint8_t seen[sizeof(struct x86_cpu)];
	static const struct {
		size_t from, to;
	} not_state[] = {
		{offsetof(struct x86_cpu, mode), offsetof(struct x86_cpu, rflags)},
		{offsetof(struct x86_cpu, request), offsetof(struct x86_cpu, seg)},
	};

	(void)state;
	memset(seen, 0, sizeof(seen));
	for (const struct field *f = x86_cpu_fields; f->name; f++)
		for (uint32_t i = 0; i < f->elem_bytes * f->count; i++)
			assert_int_equal(seen[f->offset + i]++, 0);
	for (unsigned k = 0; k < ARRAY_LEN(not_state); k++)
		memset(seen + not_state[k].from, 1, not_state[k].to - not_state[k].from);
	unsigned run = 0;
	for (size_t i = 0; i < offsetof(struct x86_cpu, index); i++) {
		run = seen[i] ? 0 : run + 1;
		bool aligning =
			i >= offsetof(struct x86_cpu, seg) && i < offsetof(struct x86_cpu, vec);
		if (run > 7 && !aligning)
			fail_msg("bytes before %zu are in no field", i);
	}
}

static void register_names_are_unique(void **state)
{
	(void)state;
	for (const struct ir_state_reg *r = x86_isa.regs; r->name; r++)
		for (const struct ir_state_reg *q = x86_isa.regs; q != r; q++) {
			assert_string_not_equal(r->name, q->name);
			assert_true(r->offset >= q->offset + q->bytes ||
				    q->offset >= r->offset + r->bytes);
		}
}

#define TEST(fn) cmocka_unit_test_setup(fn, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(after_reset),
		TEST(init_keeps_some),
		TEST(code_size),
		TEST(privilege),
		TEST(traps),
		TEST(rflags_round_trip),
		TEST(dump_reads_well),
		TEST(fields_cover_the_state),
		TEST(register_names_are_unique),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
