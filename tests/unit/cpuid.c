/* CPU models: parsing with suggestions, dependencies, leaves; and the model-specific registers. */
#include "test.h"

#include <errno.h>

#include "isa/x86/cpu.h"
#include "isa/x86/cpuid.h"

static struct x86_cpuid_model model;
static struct x86_cpu cpu;
static uint64_t now;

static uint64_t now_ns(void *opaque, struct x86_cpu *c)
{
	(void)opaque, (void)c;
	return now;
}

static const struct x86_platform platform = {.now_ns = now_ns};

static void use(const char *spec, unsigned cpus)
{
	assert_int_equal(x86_cpuid_model_parse(&model, spec, cpus, NULL), 0);
	memset(&cpu, 0, sizeof(cpu));
	cpu.cpuid = &model;
	cpu.platform = &platform;
	x86_cpu_reset(&cpu);
}

static uint32_t reg(uint32_t leaf, uint32_t sub, unsigned r)
{
	uint32_t out[4];

	x86_cpuid_leaf(&cpu, leaf, sub, out);
	return out[r];
}

static void models_and_features(void **state)
{
	(void)state;
	use("max", 1);
	assert_string_equal(model.name, "max");
	assert_true(x86_has(&model, X86_FEAT_AES));
	use("x86-64,+aes,-sse4_2", 1);
	assert_true(x86_has(&model, X86_FEAT_AES));
	assert_false(x86_has(&model, X86_FEAT_SSE42));
	use("-sse2", 1); /* no model named: max; everything over SSE2 goes too */
	assert_string_equal(model.name, "max");
	assert_true(x86_has(&model, X86_FEAT_SSE));
	assert_false(x86_has(&model, X86_FEAT_SSE42));
	assert_false(x86_has(&model, X86_FEAT_AES));
	assert_false(x86_has(&model, X86_FEAT_LM));
	use("486,+lm", 1); /* and the other way */
	assert_true(x86_has(&model, X86_FEAT_PAE));
	assert_true(x86_has(&model, X86_FEAT_SSE2));
	assert_true(reg(0x80000001, 0, X86_CPUID_EDX) >> 29 & 1);
	use("486", 1);
	assert_false(x86_has(&model, X86_FEAT_TSC));
	use(NULL, 1);
	assert_true(x86_has(&model, X86_FEAT_BASE));
}

static void third_level(void **state)
{
	static const enum x86_feat level[] = {
		X86_FEAT_SSE42, X86_FEAT_AVX, X86_FEAT_AVX2,  X86_FEAT_BMI1,  X86_FEAT_BMI2,
		X86_FEAT_F16C,	X86_FEAT_FMA, X86_FEAT_LZCNT, X86_FEAT_MOVBE, X86_FEAT_XSAVE,
	};

	(void)state;
	use("x86-64-v3", 1);
	for (unsigned k = 0; k < ARRAY_LEN(level); k++)
		assert_true(x86_has(&model, level[k]));
	assert_false(x86_has(&model, X86_FEAT_AES));
	assert_int_equal(reg(0xd, 0, X86_CPUID_EAX), 7);
	assert_int_equal(reg(0xd, 0, X86_CPUID_ECX), 832);
	assert_int_equal(reg(0xd, 2, X86_CPUID_EAX), 256);
	assert_int_equal(reg(0xd, 2, X86_CPUID_EBX), 576);
	assert_int_equal(reg(0xd, 3, X86_CPUID_EAX), 0);
	use("x86-64-v3,-avx", 1); /* and what needs it */
	assert_false(x86_has(&model, X86_FEAT_AVX2));
	assert_false(x86_has(&model, X86_FEAT_FMA));
	assert_false(x86_has(&model, X86_FEAT_F16C));
	assert_int_equal(reg(0xd, 0, X86_CPUID_EAX), 3);
	assert_int_equal(reg(0xd, 0, X86_CPUID_ECX), 576);
	assert_int_equal(reg(0xd, 2, X86_CPUID_EAX), 0);
}

static void bad_specs(void **state)
{
	struct error err;

	(void)state;
	assert_int_equal(x86_cpuid_model_parse(&model, "x86-64-v4", 1, &err), -EINVAL);
	assert_non_null(strstr(err.text, "x86-64-v3"));
	assert_int_equal(x86_cpuid_model_parse(&model, "max,+smapp", 1, &err), -EINVAL);
	assert_non_null(strstr(err.text, "\"smap\""));
	assert_int_equal(x86_cpuid_model_parse(&model, "max,aes", 1, &err), -EINVAL);
	assert_non_null(strstr(err.text, "aes"));
	assert_int_equal(x86_cpuid_model_parse(&model, "max,+", 1, &err), -EINVAL);
	assert_int_equal(x86_cpuid_model_parse(&model, "max,", 1, &err), 0);
	assert_int_equal(x86_cpuid_model_parse(&model, ",", 1, &err), -EINVAL);
	char longest[300];
	memset(longest, 'z', sizeof(longest));
	longest[299] = 0;
	assert_int_equal(x86_cpuid_model_parse(&model, longest, 1, &err), -EINVAL);
}

/* Every row has a name and a place of its own, and turning it on alone satisfies its needs. */
static void rows_are_sound(void **state)
{
	char spec[64];

	(void)state;
	for (unsigned f = 1; f < X86_FEAT_COUNT; f++) {
		const struct x86_feat_row *r = &x86_feat_rows[f];
		assert_non_null(r->name);
		for (unsigned g = 1; g < f; g++) {
			const struct x86_feat_row *q = &x86_feat_rows[g];
			assert_string_not_equal(r->name, q->name);
			assert_false(r->leaf == q->leaf && r->subleaf == q->subleaf &&
				     r->reg == q->reg && r->bit == q->bit);
		}
		snprintf(spec, sizeof(spec), "486,+%s", r->name);
		use(spec, 1);
		assert_true(x86_has(&model, f));
		for (unsigned i = 0; i < 3; i++)
			assert_true(x86_has(&model, r->needs[i]));
		/* APIC shows as the platform's enable bit says; there is none here. */
		assert_true(reg(r->leaf, r->subleaf, r->reg) >> r->bit & 1);
		snprintf(spec, sizeof(spec), "max,-%s", r->name);
		use(spec, 1);
		for (unsigned g = 1; g < X86_FEAT_COUNT; g++)
			for (unsigned i = 0; i < 3 && x86_has(&model, g); i++)
				assert_true(x86_has(&model, x86_feat_rows[g].needs[i]));
	}
}

static void leaves(void **state)
{
	uint32_t out[4];

	(void)state;
	use("max", 4);
	cpu.apic_id = 3;
	x86_cpuid_leaf(&cpu, 0, 0, out);
	assert_int_equal(out[0], 0x16);
	assert_memory_equal(&out[1], "Genu", 4);
	x86_cpuid_leaf(&cpu, 0x40000000, 0, out);
	assert_memory_equal(&out[1], "KVMKVMKVM\0\0\0", 12);
	assert_int_equal(reg(0x40000001, 0, 0), 0x100000b);
	assert_int_equal(reg(1, 0, X86_CPUID_EBX) >> 24, 3);
	assert_int_equal(reg(1, 0, X86_CPUID_EBX) >> 16 & 0xff, 4);
	assert_int_equal(reg(0xb, 1, X86_CPUID_EAX), 2);
	assert_int_equal(reg(0xb, 0, X86_CPUID_EDX), 3);
	assert_int_equal(reg(0xb, 2, X86_CPUID_EBX), 0);
	assert_int_equal(reg(1, 0, X86_CPUID_ECX) >> 27 & 1, 0);
	cpu.cr4 |= X86_CR4_OSXSAVE;
	assert_int_equal(reg(1, 0, X86_CPUID_ECX) >> 27 & 1, 1);
	assert_int_equal(reg(0xd, 0, X86_CPUID_EBX), 576);
	assert_int_equal(x86_xsave_bytes(7, true), 832);
	/* Beyond the end: the last basic leaf. */
	assert_int_equal(reg(0x1234, 0, 0), reg(0x16, 0, 0));
	assert_int_equal(reg(0x80000009, 0, 0), reg(0x16, 0, 0));
	assert_int_equal(reg(0x80000008, 0, 0), 48 << 8 | 40);
	/* TSC frequency from leaf 0x15. */
	assert_true((uint64_t)reg(0x15, 0, 2) * reg(0x15, 0, 1) / reg(0x15, 0, 0) == X86_TSC_HZ);
	cpu.gpr[X86_RAX] = ~0ull << 32;
	x86_cpuid(&cpu);
	assert_int_equal(cpu.gpr[X86_RAX], 0x16);
	use("max,-hypervisor", 1);
	assert_int_equal(reg(0x40000000, 0, 0), reg(0x16, 0, 0));
}

static bool gp(bool ok)
{
	bool is = !ok && cpu.fault.vector == X86_FAULT_GP && cpu.fault.has_error &&
		  cpu.fault.error == 0;

	cpu.fault.vector = -1;
	return is;
}

static void msr_values(void **state)
{
	uint64_t v;

	(void)state;
	use("max", 1);
	assert_true(x86_msr_write(&cpu, 0xc0000082, 0xffff800000001234));
	assert_true(cpu.lstar == 0xffff800000001234);
	assert_true(gp(x86_msr_write(&cpu, 0xc0000082, 0x0000800000000000)));
	assert_true(x86_msr_write(&cpu, 0xc0000101, 0x1000));
	assert_int_equal(cpu.seg[X86_GS].base, 0x1000);
	assert_true(gp(x86_msr_write(&cpu, 0x277, 0x02))); /* PAT type 2 */
	assert_true(x86_msr_write(&cpu, 0x277, 0x0107050600070406));
	assert_true(gp(x86_msr_write(&cpu, 0x2ff, 2)));
	assert_true(x86_msr_write(&cpu, 0x2ff, 0xc06));
	assert_true(x86_msr_write(&cpu, 0x26f, 0x0606060606060606));
	assert_int_equal(cpu.mtrr_fixed[10] & 0xff, 6);
	assert_true(x86_msr_write(&cpu, 0x20f, 0xfffff00800));
	assert_true(gp(x86_msr_write(&cpu, 0x20f, 1ull << 40)));
	assert_true(x86_msr_read(&cpu, 0x20f, &v) && v == 0xfffff00800);
	assert_true(x86_msr_read(&cpu, 0x8b, &v));
	assert_true(gp(x86_msr_write(&cpu, 0xc0000103, 1ull << 32)));
	assert_int_equal(cpu.counter[COUNTER_MSR_UNKNOWN], 5);
	assert_true(gp(x86_msr_read(&cpu, 0xdead, &v)));
	assert_true(gp(x86_msr_read(&cpu, 0xc1, &v)));
	assert_int_equal(cpu.counter[COUNTER_MSR_UNKNOWN], 7);
	use("486", 1);
	assert_true(gp(x86_msr_read(&cpu, 0xc0000080, &v)));
	assert_true(gp(x86_msr_read(&cpu, 0x200, &v)));
}

static void msr_efer(void **state)
{
	(void)state;
	use("max", 1);
	assert_true(x86_msr_write(&cpu, 0xc0000080, X86_EFER_LME | X86_EFER_SCE | X86_EFER_LMA));
	assert_int_equal(cpu.efer, X86_EFER_LME | X86_EFER_SCE); /* LMA is read-only */
	cpu.efer |= X86_EFER_LMA;
	cpu.cr0 |= X86_CR0_PG | X86_CR0_PE;
	assert_true(gp(x86_msr_write(&cpu, 0xc0000080, X86_EFER_SCE)));
	assert_true(x86_msr_write(&cpu, 0xc0000080, X86_EFER_LME | X86_EFER_NXE));
	assert_int_equal(cpu.efer, X86_EFER_LME | X86_EFER_LMA | X86_EFER_NXE);
	assert_true(gp(x86_msr_write(&cpu, 0xc0000080, X86_EFER_LME | 1u << 12)));
	use("max,-nx", 1);
	assert_true(gp(x86_msr_write(&cpu, 0xc0000080, X86_EFER_NXE)));
}

static void msr_time(void **state)
{
	uint64_t v;

	(void)state;
	use("max", 1);
	now = 1000;
	assert_true(x86_msr_write(&cpu, 0x10, 50));
	now = 1007;
	assert_int_equal(x86_rdtsc(&cpu), 57);
	assert_true(x86_msr_read(&cpu, 0x3b, &v) && v == (uint64_t)-950);
	assert_true(x86_msr_write(&cpu, 0x3b, 0));
	assert_int_equal(x86_rdtsc(&cpu), 1007);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(models_and_features),
		cmocka_unit_test(third_level),
		cmocka_unit_test(bad_specs),
		cmocka_unit_test(rows_are_sound),
		cmocka_unit_test(leaves),
		cmocka_unit_test(msr_values),
		cmocka_unit_test(msr_efer),
		cmocka_unit_test(msr_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
