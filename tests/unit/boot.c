/* Boot protocols of the `pc`: what the guest finds at its first instruction, and bad images. */
#include "bootbox.h"

#include <errno.h>

#define MIB (1ull << 20)

/* ---- flat images */
static void flat(void **state)
{
	uint8_t image[1024] = {0xf4};
	const struct x86_cpu *cpu;
	struct bootbox b;

	image[510] = 0x55;
	image[511] = 0xaa;
	image[1023] = 0x77;
	bootbox_open(&b, 4 * MIB, 2);
	assert_int_equal(bootbox_boot(&b, image, sizeof(image), NULL, 0, ""), 0);
	cpu = &b.cpus[0];
	assert_memory_equal(b.m->ram + 0x7c00, image, sizeof(image));
	assert_int_equal(cpu->rip, 0x7c00);
	assert_int_equal(cpu->gpr[X86_RSP], 0x7c00);
	assert_int_equal(cpu->gpr[X86_RDX], 0x80);
	assert_int_equal(cpu->rflags & X86_IF, 0);
	assert_int_equal(cpu->cr0 & X86_CR0_PE, 0);
	for (int s = 0; s < 6; s++) {
		assert_int_equal(cpu->seg[s].sel, 0);
		assert_int_equal(cpu->seg[s].base, 0);
		assert_int_equal(cpu->seg[s].limit, 0xffff);
	}
	assert_int_equal(b.cpus[1].activity, X86_WAIT_SIPI);
	bootbox_close(&b);
}

static void flat_bad(void **state)
{
	static uint8_t image[0x9fc00 - 0x7c00 + 1];
	struct bootbox b;

	bootbox_open(&b, 4 * MIB, 1);
	assert_int_equal(bootbox_boot(&b, image, 512, NULL, 0, ""), -ENOEXEC);
	image[510] = 0x55;
	image[511] = 0xaa;
	assert_int_equal(bootbox_boot(&b, image, 511, NULL, 0, ""), -ENOEXEC);
	assert_int_equal(bootbox_boot(&b, image, sizeof(image) - 1, NULL, 0, ""), 0);
	assert_int_equal(bootbox_boot(&b, image, sizeof(image), NULL, 0, ""), -EFBIG);
	assert_non_null(strstr(b.err.text, "608 KiB"));
	assert_int_equal(bootbox_boot(&b, image, 512, image, 4, ""), -EINVAL);
	bootbox_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flat),
		cmocka_unit_test(flat_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
