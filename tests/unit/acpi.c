/* The `pc`'s ACPI tables: found and checked as an operating system does it. */
#include "test.h"

#include "bootbox.h"

#define MIB (1ull << 20)

static struct bootbox box;

static uint8_t sum(const uint8_t *p, size_t len)
{
	uint8_t s = 0;

	while (len--)
		s = (uint8_t)(s + *p++);
	return s;
}

/* Scans for the RSDP as ACPI 6.5, 5.2.5.1 says. */
static const uint8_t *find_rsdp(void)
{
	for (uint32_t at = 0xe0000; at < 0x100000; at += 16)
		if (!memcmp(box.m->ram + at, "RSD PTR ", 8))
			return box.m->ram + at;
	return NULL;
}

/* The table from the XSDT; it must be in the RSDT too. */
static const uint8_t *find_table(const char *signature)
{
	const uint8_t *rsdp = find_rsdp(), *xsdt = box.m->ram + load_le64(rsdp + 24),
		      *rsdt = box.m->ram + load_le32(rsdp + 16);

	for (uint32_t i = 0; 36 + 8 * i < load_le32(xsdt + 4); i++) {
		uint64_t at = load_le64(xsdt + 36 + 8 * i);

		assert_int_equal(at, load_le32(rsdt + 36 + 4 * i));
		if (!memcmp(box.m->ram + at, signature, 4))
			return box.m->ram + at;
	}
	fail_msg("no %s", signature);
	return NULL;
}

static void open_cpus(unsigned cpus)
{
	uint8_t sector[512] = {0};

	sector[510] = 0x55;
	sector[511] = 0xaa;
	bootbox_open(&box, 4 * MIB, cpus);
	assert_int_equal(bootbox_boot(&box, sector, 512, NULL, 0, ""), 0);
}

static void check_sum(const uint8_t *table)
{
	assert_int_equal(sum(table, load_le32(table + 4)), 0);
}

static void checksums(void **state)
{
	static const char *const names[] = {"FACP", "APIC", "HPET", "MCFG"};

	for (unsigned cpus = 1; cpus <= 64; cpus += 63) {
		const uint8_t *rsdp;

		open_cpus(cpus);
		rsdp = find_rsdp();
		assert_non_null(rsdp);
		assert_int_equal(rsdp[15], 2);
		assert_int_equal(sum(rsdp, 20), 0);
		assert_int_equal(sum(rsdp, 36), 0);
		check_sum(box.m->ram + load_le32(rsdp + 16));
		check_sum(box.m->ram + load_le64(rsdp + 24));
		for (unsigned i = 0; i < ARRAY_LEN(names); i++)
			check_sum(find_table(names[i]));
		check_sum(box.m->ram + load_le32(find_table("FACP") + 40));
		/* all of it lies in what the memory map reserves, below the BIOS segment */
		assert_true(load_le64(rsdp + 24) +
				    load_le32(box.m->ram + load_le64(rsdp + 24) + 4) <
			    0xf0000);
		bootbox_close(&box);
	}
}

static void check_port(const uint8_t *gas, uint64_t port, unsigned bits)
{
	assert_int_equal(gas[0], 1);
	assert_int_equal(gas[1], bits);
	assert_int_equal(load_le64(gas + 4), port);
}

static void fadt(void **state)
{
	const uint8_t *t;

	open_cpus(1);
	t = find_table("FACP");
	assert_int_equal(load_le32(t + 4), 276);
	assert_int_equal(t[8], 6);
	assert_int_equal(load_le32(t + 36) & 63, 0); /* FACS */
	assert_memory_equal(box.m->ram + load_le32(t + 36), "FACS", 4);
	assert_memory_equal(box.m->ram + load_le32(t + 40), "DSDT", 4);
	assert_int_equal(load_le16(t + 46), 9);	    /* SCI */
	assert_int_equal(load_le32(t + 56), 0x600); /* PM1a event */
	assert_int_equal(load_le32(t + 64), 0x600 + ACPI_PM1_CNT);
	assert_int_equal(load_le32(t + 76), 0x600 + ACPI_PM_TMR);
	assert_int_equal(t[88], 4);
	assert_int_equal(t[89], 2);
	assert_int_equal(t[91], 4);
	assert_int_equal(t[108], 0x32);		   /* century */
	assert_true(load_le32(t + 112) & 1 << 10); /* reset register is there */
	assert_true(load_le32(t + 112) & 1 << 8);  /* the timer is 32 bits wide */
	check_port(t + 116, 0xcf9, 8);
	assert_true(t[128] & 4); /* value that resets */
	assert_int_equal(load_le64(t + 132), load_le32(t + 36));
	assert_int_equal(load_le64(t + 140), load_le32(t + 40));
	check_port(t + 148, 0x600, 32);
	check_port(t + 172, 0x600 + ACPI_PM1_CNT, 16);
	check_port(t + 208, 0x600 + ACPI_PM_TMR, 32);
	bootbox_close(&box);
}

static void madt(void **state)
{
	unsigned cpus = 0, ioapics = 0, overrides = 0, nmis = 0;
	const uint8_t *t, *p;

	open_cpus(3);
	t = find_table("APIC");
	assert_int_equal(load_le32(t + 36), 0xfee00000);
	assert_int_equal(load_le32(t + 40), 1);
	for (p = t + 44; p < t + load_le32(t + 4); p += p[1]) {
		assert_true(p[1] >= 2);
		switch (p[0]) {
		case 0:
			assert_int_equal(p[3], cpus++);
			assert_int_equal(load_le32(p + 4), 1);
			break;
		case 1:
			ioapics++;
			assert_int_equal(load_le32(p + 4), 0xfec00000);
			assert_int_equal(load_le32(p + 8), 0);
			break;
		case 2:
			overrides++;
			assert_int_equal(load_le32(p + 4), p[3] ? 9 : 2);
			break;
		case 4:
			nmis++;
			assert_int_equal(p[5], 1);
			break;
		default:
			fail_msg("entry of type %u", p[0]);
		}
	}
	assert_ptr_equal(p, t + load_le32(t + 4));
	assert_int_equal(cpus, 3);
	assert_int_equal(ioapics, 1);
	assert_int_equal(overrides, 2);
	assert_int_equal(nmis, 1);
	bootbox_close(&box);
}

/* The lengths of the DSDT's outermost terms add up, and _S5_ is there. */
static void dsdt(void **state)
{
	const uint8_t *t, *p, *end;

	open_cpus(2);
	t = box.m->ram + load_le32(find_table("FACP") + 40);
	p = t + 36;
	end = t + load_le32(t + 4);
	assert_memory_equal(p, "\x08\\_S5_\x12", 7);
	p += 6;
	while (p < end) {
		unsigned more = p[1] >> 6;
		uint32_t len = more ? p[1] & 15 : p[1] & 63;

		assert_true(*p == 0x12 || *p == 0x10);
		for (unsigned i = 0; i < more; i++)
			len |= (uint32_t)p[2 + i] << (4 + 8 * i);
		p += 1 + len;
	}
	assert_ptr_equal(p, end);
	bootbox_close(&box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checksums),
		cmocka_unit_test(fadt),
		cmocka_unit_test(madt),
		cmocka_unit_test(dsdt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
