/* What ACPI tables are built with: see acpi.h. */
#include "machine/x86/acpi.h"

#include <string.h>

#include "base/bits.h"

enum { HEADER_BYTES = 36 };

static uint8_t checksum(const uint8_t *p, size_t len)
{
	uint8_t sum = 0;

	while (len--)
		sum = (uint8_t)(sum + *p++);
	return (uint8_t)-sum;
}

struct aml acpi_table_begin(struct acpi_tables *t, const char *signature, uint8_t revision)
{
	uint8_t h[HEADER_BYTES] = {0};
	struct aml a;

	t->at = align_up(t->at, 16);
	a = (struct aml){.bytes = t->mem + t->at, .cap = PC_ACPI_END - PC_ACPI - t->at};
	memcpy(h, signature, 4);
	h[8] = revision;
	memcpy(h + 10, "DOPPEL", 6);
	memcpy(h + 16, "DOPPELPC", 8);
	store_le32(h + 24, 1);
	memcpy(h + 28, "DOPL", 4);
	store_le32(h + 32, 1);
	aml_bytes(&a, h, sizeof(h));
	return a;
}

uint32_t acpi_table_end(struct acpi_tables *t, struct aml *a, bool listed)
{
	uint32_t address = (uint32_t)(PC_ACPI + t->at);

	store_le32(a->bytes + 4, (uint32_t)a->len);
	a->bytes[9] = checksum(a->bytes, a->len);
	t->at += a->len;
	if (listed)
		t->address[t->count++] = address;
	return address;
}

void acpi_put(struct aml *a, uint64_t v, unsigned bytes)
{
	aml_bytes(a, &v, bytes);
}

void acpi_put_port(struct aml *a, uint16_t port, uint8_t bits, uint8_t access)
{
	acpi_put(a, 1, 1);
	acpi_put(a, bits, 1);
	acpi_put(a, 0, 1);
	acpi_put(a, access, 1);
	acpi_put(a, port, 8);
}

struct aml acpi_madt_begin(struct acpi_tables *t, const struct machine *m, bool legacy)
{
	struct aml a = acpi_table_begin(t, "APIC", 5);

	acpi_put(&a, LAPIC_BASE_DEFAULT, 4);
	acpi_put(&a, legacy, 4);
	for (unsigned i = 0; i < m->cfg.cpus; i++) {
		acpi_put(&a, 0, 1), acpi_put(&a, 8, 1);
		acpi_put(&a, i, 1), acpi_put(&a, i, 1), acpi_put(&a, 1, 4);
	}
	acpi_put(&a, 1, 1), acpi_put(&a, 12, 1), acpi_put(&a, 0, 1), acpi_put(&a, 0, 1);
	acpi_put(&a, IOAPIC_BASE_DEFAULT, 4);
	acpi_put(&a, 0, 4);
	/* LINT1 of every CPU is NMI */
	acpi_put(&a, 4, 1), acpi_put(&a, 6, 1), acpi_put(&a, 0xff, 1), acpi_put(&a, 0, 2);
	acpi_put(&a, 1, 1);
	return a;
}

void acpi_madt_override(struct aml *a, uint8_t irq, uint32_t pin, uint16_t flags)
{
	acpi_put(a, 2, 1), acpi_put(a, 10, 1), acpi_put(a, 0, 1), acpi_put(a, irq, 1);
	acpi_put(a, pin, 4), acpi_put(a, flags, 2);
}

void acpi_s5(struct aml *a, unsigned type)
{
	size_t s;

	aml_name(a, "\\_S5_");
	s = aml_package(a, 4);
	aml_integer(a, type);
	aml_integer(a, type);
	aml_integer(a, 0);
	aml_integer(a, 0);
	aml_end(a, s);
}

void acpi_processors(struct aml *a, const struct machine *m)
{
	for (unsigned i = 0; i < m->cfg.cpus; i++) {
		char name[5] = {'C', (char)('0' + i / 100), (char)('0' + i / 10 % 10),
				(char)('0' + i % 10), 0};
		size_t d = aml_device(a, name);
		aml_name(a, "_HID");
		aml_string(a, "ACPI0007");
		aml_name_integer(a, "_UID", i);
		aml_end(a, d);
	}
}

static void build_rsdp(struct acpi_tables *t, uint32_t rsdt, uint32_t xsdt)
{
	uint8_t *p = t->mem;

	memset(p, 0, 36);
	memcpy(p, "RSD PTR ", 8);
	memcpy(p + 9, "DOPPEL", 6);
	p[15] = 2;
	store_le32(p + 16, rsdt);
	store_le32(p + 20, 36);
	store_le64(p + 24, xsdt);
	p[8] = checksum(p, 20);
	p[32] = checksum(p, 36);
}

void acpi_finish(struct acpi_tables *t)
{
	uint32_t rsdt, xsdt;
	struct aml a = acpi_table_begin(t, "RSDT", 1);

	for (unsigned i = 0; i < t->count; i++)
		acpi_put(&a, t->address[i], 4);
	rsdt = acpi_table_end(t, &a, false);
	a = acpi_table_begin(t, "XSDT", 1);
	for (unsigned i = 0; i < t->count; i++)
		acpi_put(&a, t->address[i], 8);
	xsdt = acpi_table_end(t, &a, false);
	build_rsdp(t, rsdt, xsdt);
}
